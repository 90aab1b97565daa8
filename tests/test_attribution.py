"""What inputs are worth: scores add up, and leaving out what matters costs what it should."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from kansym.base.errors import InputError
from kansym.cli import main
from kansym.network.attribution import attribution, lines
from kansym.network.kan import KAN


def run(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture(scope="module")
def rows():
    X = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    return X, 3 * X[:, 0] + X[:, 1] ** 2


def test_scores_and_ablation_agree_with_what_the_target_is_made_of(rows):
    X, y = rows
    network = KAN([3, 1], grid=5, seed=0, names=("a", "b", "c")).fit(X, y, steps=20)
    before = network.predict(X)
    table = attribution(network, (X[:200], y[:200]), (X[200:], y[200:]))
    assert [w.name for w in table.inputs[:2]] == ["a", "b"]
    assert sum(w.score for w in table.inputs) == pytest.approx(1)
    assert table.inputs[0].score > 0.7 and table.inputs[2].score < 0.01
    spreads = (3 * X[:, 0]).std(), (X[:, 1] ** 2).std()
    for worth, spread in zip(table.inputs, spreads, strict=False):
        assert worth.without == pytest.approx(spread, rel=0.25)
    assert table.inputs[2].without < 1e-2 and table.value < 1e-2
    assert np.array_equal(network.predict(X), before), "asking changes nothing"
    assert lines(table)[0].startswith("input") and len(lines(table)) == 4
    alone = attribution(KAN([1, 1], seed=0).fit(X[:, :1], y, steps=5), (X[:, :1], y))
    assert np.isnan(alone.inputs[0].without) and alone.to_dict()["inputs"][0]["without"] is None
    with pytest.raises(InputError, match="1 step or more"):
        attribution(network, (X, y), steps=0)
    with pytest.raises(InputError, match="cannot be kept"):
        network.keep_inputs([0, 3])


def test_the_command_line_shows_both(rows, tmp_path):
    X, y = rows
    path = tmp_path / "t.csv"
    data = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=y)
    data.to_csv(path, index=False)
    result = run("fit", path, "--shape", "3,1", "--steps", 10, "--attribution")
    assert result.exit_code == 0 and "rmse without it" in result.stdout
    data["y"] = np.where(y > 1, "high", np.where(y < -1, "low", "middle"))
    data.to_csv(path, index=False)
    asked = ("fit", path, "--shape", "3,1,3", "--steps", 20, "--task", "classify", "--attribution")
    result = run(*asked, "--json", "--out", tmp_path / "kan")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["classes"] == ["high", "low", "middle"] and found["heldout_accuracy"] > 0.85
    table = found["attribution"]
    assert table["measure"] == "accuracy" and table["inputs"][0]["input"] == "a"
    assert table["inputs"][0]["without"] < table["value"] - 0.2
    assert (tmp_path / "kan" / "network.png").exists()
    assert "right on" in run(*asked).stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--shape", "3,1"], "end with 3 classes"),
        (["--shape", "2,1,3"], "start with the 3 inputs"),
        (["--shape", "3,1,3", "--sigma", "a"], "--sigma has no meaning"),
        (["--shape", "3,1,3", "--target", "a"], "more than 20 classes"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(tmp_path, arguments, line):
    X = np.random.default_rng(0).uniform(-1, 1, (60, 3))
    path = tmp_path / "t.csv"
    pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=list("pqr") * 20).to_csv(path, index=False)
    result = run("fit", path, "--task", "classify", *arguments)
    assert result.exit_code == 2 and line in result.stderr
    assert result.stderr.count("\n") == 1 and result.stdout == ""

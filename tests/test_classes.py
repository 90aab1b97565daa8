"""Classes in a table: labels of any kind in, boundaries out; what holds no classes is refused in one line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import sympy
from click.testing import CliRunner

from kansym.base.errors import InputError
from kansym.cli import main
from kansym.estimators import classes


def run(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


def rows(kinds=("down", "up"), n=400):
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-2, 2, (2, n))
    return pd.DataFrame({"a": a, "b": b, "kind": np.where(a**2 + b > 1, kinds[1], kinds[0])})


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "kinds.csv"
    rows().to_csv(path, index=False)
    return path


def test_the_boundary_comes_out_and_is_judged_on_held_out_rows(table, tmp_path):
    result = run("discover", table, "--task", "classify", "--json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["classes"] == ["down", "up"] and data["rows"] == 320 and data["heldout_rows"] == 80
    first = data["formulas"][0]
    assert first["title"] == "up where g > 0" and "a" in first["equation"]
    assert data["heldout_accuracy"] == first["heldout_accuracy"] > 0.95 > 0.7 > data["majority"]
    assert json.loads((tmp_path / "out" / "classes.json").read_text())["formulas"] == data["formulas"]


def test_labels_may_be_truth_values_or_numbers_and_gaps_are_said():
    for kinds in ((False, True), (0, 1)):
        given = classes.labelled(rows(kinds, 40), "kind")
        assert sorted(set(given.labels)) == sorted(map(str, kinds)) and given.names == ("a", "b")
    holes = rows((0, 1), 40).astype({"kind": float})
    holes.loc[0, "kind"] = np.nan
    given = classes.labelled(holes.assign(word="x"), "kind")
    assert set(given.labels) == {"0", "1"} and len(given.labels) == 39
    assert "1 of 40 rows have gaps: left out" in given.notes
    assert any("'word' holds text" in n for n in given.notes)


def test_a_boundary_keeps_to_library_size_and_work():
    x = np.random.default_rng(0).uniform(-2, 2, (400, 2))
    kinds = np.where(np.abs(x[:, 0]) > x[:, 1], "u", "v")
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "kind": kinds})
    free, held = (classes.classify(table, "kind", library=lib) for lib in ("default", "polynomial"))
    assert free.formulas[0].g.has(sympy.Abs) and not any(f.g.has(sympy.Abs) for f in held.formulas)
    assert max(f.complexity for f in classes.classify(table, "kind", maxsize=7).formulas) <= 7
    quick = classes.classify(table, "kind", effort=1e-3)  # single terms only
    assert all(len(sympy.Add.make_args(f.g)) == 1 for f in quick.formulas)


def test_whole_groups_are_held_out():
    data = rows(n=60).assign(group=np.repeat(np.arange(10), 6))
    given = classes.labelled(data, "kind", group="group")
    held = classes.held_out(given, 0)
    assert given.names == ("a", "b") and held.sum() == 12
    assert all(held[given.groups == g].all() or not held[given.groups == g].any() for g in range(10))


def test_three_classes_get_a_formula_each(monkeypatch):
    data = rows()
    data.loc[data.a > 1, "kind"] = "right"
    found = classes.classify(data, "kind", time_limit=6)
    assert [f.title for f in found.formulas] == ["logit(down)", "logit(right)", "logit(up)"]
    assert found.heldout > found.majority + 0.2
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--target", "kid"], "kid"),
        (["--target", "a"], "400 different values, more than 20 classes"),
        (["--sigma", "a"], "--sigma has no meaning with --task classify"),
        (["--guess", "a"], "--guess has no meaning with --task classify"),
        (["--report"], "no page for classes"),
        (["--inputs", "kind"], "target and input"),
        (["--inputs", "a", "--target", "kind", "--group", "c"], "c"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(table, arguments, line):
    result = run("discover", table, "--task", "classify", *arguments)
    assert result.exit_code == 2 and line in result.stderr
    assert result.stderr.count("\n") == 1 and result.stdout == ""
    assert run("discover", table, "--task", "sort").exit_code == 2


def test_tables_that_hold_no_classes_are_refused():
    for data, line in (
        (rows().head(20), "20 complete rows cannot distinguish classes"),
        (rows(("one", "one")), "'one' in every row"),
        (rows().assign(a=1.0, b="x"), "no input columns of numbers that vary"),
    ):
        with pytest.raises(InputError, match=line):
            classes.labelled(data, "kind")
    with pytest.raises(InputError, match="one group"):
        classes.classify(rows().assign(g=1), "kind", group="g")

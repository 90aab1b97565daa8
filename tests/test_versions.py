"""Files that version 0.1.0 wrote still open, and say what they said."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import kansym
from kansym import KansymRegressor
from kansym.cli import main
from kansym.estimators.session import Session
from kansym.functions.evaluate import evaluate
from kansym.report import page

OLD = Path(__file__).parent / "data" / "version_0_1_0"
SAID = json.loads((OLD / "expected.json").read_text(encoding="utf-8"))


def test_the_version_is_the_same_everywhere() -> None:
    root = OLD.parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == kansym.__version__
    assert f"version: {kansym.__version__}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {kansym.__version__} (" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_regressor_predicts_the_same() -> None:
    model = KansymRegressor.load(OLD / "regressor.json")
    assert str(model.sympy()) == SAID["formula"]
    assert np.allclose(model.predict(SAID["points"]), SAID["regressor"], rtol=1e-14)


def test_a_session_goes_on() -> None:
    walk = Session.load(OLD / "session.json")
    assert walk.path() == SAID["path"]
    assert np.allclose(walk.model.predict(SAID["rows"]), SAID["session"], rtol=1e-12)
    assert walk.do("fit", steps=1).path()[:-1] == SAID["path"]


def test_a_model_is_the_same_graph() -> None:
    graph, target = page.load_model(OLD / "model.json")
    assert target == "period"
    assert np.allclose(evaluate(graph, np.array([[1.0], [5.2]])).ravel(), SAID["model"], rtol=1e-14)


def test_a_result_is_a_run_and_a_page(tmp_path: Path) -> None:
    run, data = page.load(OLD / "result.json")
    assert run.best.equation == data["chosen"]["equation"] == "semi_major_axis**(3/2)"
    page.write_html(data, tmp_path / "report.html")
    assert "semi_major_axis" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "{}", "planets"],
        ["export", "{}", "--to", "latex"],
        ["report", "{}", "--out", "{}/page.html"],
    ],
    ids=lambda c: c[0],
)
def test_commands_take_the_files(command: list[str], tmp_path: Path) -> None:
    for name in ("result.json", "model.json"):
        (tmp_path / name).write_bytes((OLD / name).read_bytes())
    done = CliRunner().invoke(main, [c.format(tmp_path) for c in command])
    assert done.exit_code == 0, done.output

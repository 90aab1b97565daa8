"""Progress is heard where it is asked for, on stderr or by the caller's handler, and nowhere else."""

import ast
import logging
from pathlib import Path

import numpy as np
import pytest

import kansym
from kansym.base.log import LOGGER, heard

ROOMS = Path(kansym.__file__).parent


def test_nothing_is_heard_unasked(capsys):
    with heard(False):
        LOGGER.info("a step")
    LOGGER.info("a step")
    assert capsys.readouterr() == ("", "")


def test_asked_for_it_stands_on_stderr(capsys):
    with heard():
        LOGGER.info("a step")
    assert capsys.readouterr() == ("", "kansym a step\n")
    assert not LOGGER.handlers


def test_a_handler_of_the_callers_own_is_enough(capsys):
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    LOGGER.addHandler(handler)
    try:
        with heard():
            LOGGER.info("a step")
    finally:
        LOGGER.removeHandler(handler)
    assert [r.getMessage() for r in records] == ["a step"]
    assert capsys.readouterr().err == ""


def test_training_reports_its_steps(capsys):
    X = np.linspace(0, 1, 30)[:, None]
    kansym.KAN([1, 1]).fit(X, X[:, 0] ** 2, steps=2, progress=True)
    said = capsys.readouterr()
    assert said.out == "" and "loss" in said.err


@pytest.mark.parametrize("path", sorted(ROOMS.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOMS)))
def test_nothing_outside_cli_prints(path):
    if (ROOMS / "cli") in path.parents:
        return
    calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not [c for c in calls if isinstance(c, ast.Name) and c.id == "print"]

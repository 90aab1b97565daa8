"""Hostile tables, options and model files end in an answer or one line; seeds that once failed are kept."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kansym.estimators.classes import labelled
from kansym.estimators.regressor.encoding import with_category

SCRIPT = Path(__file__).parents[1] / "scripts" / "fuzz.py"
spec = importlib.util.spec_from_file_location("fuzz", SCRIPT)
assert spec is not None and spec.loader is not None
fuzz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)

FAILED_ONCE = (
    44,
    125,
    996,
    1029,
    20056,
    20257,
    20531,
    30010,
    30034,
    30068,
    30213,
    30638,
    50639,
    50685,
    71336,
)
GOOD = {"result.json": b'{"format": 1}', "model.json": b'{"kind": "kansym model", "graph": {}}'}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="cases run in forked processes")
@pytest.mark.parametrize("seed", [*FAILED_ONCE, *range(7), *range(fuzz.FORMS_FROM, fuzz.FORMS_FROM + 3)])
def test_a_case(seed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, _ = fuzz.case(seed, GOOD)
    status, out, err = fuzz.run(command)
    assert status in (0, 2), err
    assert "Traceback" not in out + err


def test_a_crash_and_a_written_file_are_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz, "case", lambda seed, good: (["discover"], []))
    monkeypatch.setattr(fuzz, "run", lambda command: (1, "", "Traceback ...\nValueError: no"))
    assert "ValueError: no" in fuzz.fault(0, GOOD)

    def writes(command):
        Path("else").write_text("x")
        return 0, "", ""

    monkeypatch.setattr(fuzz, "run", writes)
    assert "touched else" in fuzz.fault(0, GOOD)


def test_labels_may_be_infinite():
    frame = pd.DataFrame({"a": np.arange(60.0), "kind": [1.0, np.inf] * 30})
    assert set(labelled(frame, "kind").labels) == {"1", "inf"}


def test_estimators_read_numbers_in_text():
    frame = pd.DataFrame({"a": ["1.234,5", "2,5", "3,25"], "kind": ["x", "y", "x"], "b": [1, 2, 3]})
    read = with_category(frame, None)
    assert read["a"].tolist() == [1234.5, 2.5, 3.25] and read["kind"].tolist() == ["x", "y", "x"]
    assert frame["a"].tolist()[0] == "1.234,5"
    with pytest.raises(ValueError, match="Column 'a' can be read in two ways"):
        with_category(pd.DataFrame({"a": ["1.234", "2.345"]}), None)

"""A small imitation of SRBench's harness: it sets, interrupts by SIGALRM, and still asks for the model."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sympy
from sklearn.base import clone

PATH = Path(__file__).parents[1] / "scripts" / "srbench_kansym.py"


class TimeOutException(Exception):
    """Stand for the harness's own."""


def harness(seconds: float, frame: pd.DataFrame, y: np.ndarray, alarm: float):
    """Do with the method file what evaluate_model.py does; return the estimator and its text."""
    spec = importlib.util.spec_from_file_location("method", PATH)
    method = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(method)
    est = clone(method.est)
    assert isinstance(method.eval_kwargs, dict)
    est.random_state = 7
    for name in ("max_time", "timeout_in_seconds", "timeout", "stop_time", "time_limit"):
        if hasattr(est, name):
            setattr(est, name, seconds)
            break

    def ring(*_: object) -> None:
        raise TimeOutException

    old = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, alarm)
    try:
        est.fit(frame, y)
        interrupted = False
    except TimeOutException:
        interrupted = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    return est, method.model(est, frame), interrupted


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).uniform(1, 3, (150, 3)), columns=["m", "E", "x 1"])


def check_text(est, text: str, frame: pd.DataFrame) -> None:
    # the harness parses with the columns as local names; one that is no identifier it renames before
    names = {"m": sympy.Symbol("m"), "E": sympy.Symbol("E"), "x_1": sympy.Symbol("x_1")}
    parsed = sympy.sympify(text.replace("x 1", "x_1"), locals=names)
    values = sympy.lambdify(list(names.values()), parsed)(*frame.to_numpy().T)
    np.testing.assert_allclose(values * np.ones(len(frame)), est.predict(frame), rtol=1e-9)


def test_finds_and_tells_the_law(frame: pd.DataFrame) -> None:
    y = 0.5 * frame["m"].to_numpy() * frame["E"].to_numpy()
    est, text, interrupted = harness(120, frame, y, 240)
    assert not interrupted
    assert est.time_limit == 120 and est.random_state == 7
    assert np.allclose(est.predict(frame), y)
    check_text(est, text, frame)


def test_answers_after_the_alarm(frame: pd.DataFrame) -> None:
    r = np.random.default_rng(1)
    m, E, x = frame.to_numpy().T
    y = m * np.cos(3 * E + x) + np.sin(x * m) + 0.1 * r.normal(size=len(m))
    est, text, interrupted = harness(600, frame, y, 1.5)
    assert interrupted
    assert np.isfinite(est.predict(frame)).all()
    check_text(est, text, frame)


def test_answers_after_an_alarm_at_once(frame: pd.DataFrame, monkeypatch) -> None:
    from kansym.pipeline import flow as pipeline

    def stop(*_: object) -> None:
        raise TimeOutException

    monkeypatch.setattr(pipeline, "search", stop)
    est, text, interrupted = harness(600, frame, frame["m"].to_numpy(), 60)
    assert interrupted
    check_text(est, text, frame)

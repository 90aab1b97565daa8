"""Prediction bands hold as many new rows as they say."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import kansym
from kansym.base.errors import InputError
from kansym.formula.polish import Rows, polish
from kansym.functions.parsing import symbols
from kansym.judge.band import Band
from kansym.judge.kinds import NoiseModel
from kansym.pipeline.run import Law, Run

(x,) = symbols(["x"])
X = np.linspace(0.5, 5, 40)[:, None]
curve = 20 * np.exp(-X[:, 0] / 2)


@pytest.mark.parametrize(("kind", "growth"), [("additive", 0.5 + 0 * curve), ("relative", 0.1 * curve)])
def test_coverage_is_nominal(kind: str, growth: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(60):
        y = curve + growth * rng.normal(size=40)
        noise = NoiseModel(kind, 1.0, middle=float(np.median(curve)))
        weights = None if kind == "additive" else 1 / noise.variance(curve)
        rows = Rows(X, y, weights, (x,))
        fitted = polish(sympy.Float(10.0) * sympy.exp(sympy.Float(-0.3) * x), rows)
        assert fitted is not None
        band = Band.of(fitted.expression, 2, fitted.loss, rows, noise)
        values = fitted.program.value(X, fitted.theta)
        half = band.halfwidth(fitted.expression, (x,), X, values)
        inside.append(np.abs(curve + growth * rng.normal(size=40) - values) < half)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_bands_widen_with_the_level_and_beyond_the_rows() -> None:
    rows = Rows(X, curve + 0.1 * np.random.default_rng(1).normal(size=40), None, (x,))
    law = sympy.Float(20.0) - sympy.Float(4.0) * x
    band = Band.of(law, 2, rows.loss(20 - 4 * X[:, 0]), rows, NoiseModel("additive", 1.0))
    at = np.array([[2.5], [50.0]])
    values = 20 - 4 * at[:, 0]
    half = band.halfwidth(law, (x,), at, values)
    assert half[1] > 3 * half[0]
    assert np.all(band.halfwidth(law, (x,), at, values, 0.99) > half)
    assert band.middle_halfwidth() < half[0]
    with pytest.raises(InputError, match="Level 95"):
        band.halfwidth(law, (x,), at, values, 95)


def test_bands_of_what_is_no_formula_have_no_constants() -> None:
    rows = Rows(X, curve, None, (x,))
    band = Band.of(None, 5, 4.0, rows, NoiseModel("additive", 1.0))
    assert band.covariance is None
    assert band.halfwidth(None, (x,), X, curve) == pytest.approx(band.middle_halfwidth())
    assert Band.from_dict(band.to_dict()).to_dict() == band.to_dict()


def test_a_run_and_an_estimator_give_bands() -> None:
    y = 3 * X[:, 0] + 1 + 0.1 * np.random.default_rng(2).normal(size=40)
    run = kansym.discover(X, y, effort=0.2, only=("x",))
    low, high = run.predict_band(X)
    assert np.mean((low < y) & (y < high)) > 0.8
    again = Run.from_dict(run.to_dict()).predict_band(X)
    assert np.array_equal(again[0], low)
    model = kansym.KansymRegressor(effort=0.2, settings={"only": ["x"]}).fit(X, y)
    values, lower, upper = model.predict(X, return_band=0.95)
    assert np.all((lower < values) & (values < upper))
    with pytest.raises(InputError, match="return_band"):
        model.predict(X, return_band=0.95, return_std=True)


def test_a_law_without_a_band_has_no_ends() -> None:
    law = Law("2*x", 3, 0.0, 0.0, 0.0, 0.0, 2 * x)
    assert np.all(np.isnan(law.predict_band(X, ("x",))))


def test_no_band_is_narrower_than_the_last_digit() -> None:
    y = np.round(curve, 3)
    rows = Rows(X, y, None, (x,))
    # as near as round-off: what was rounded away is not known of new rows either
    band = Band.of(20 * sympy.exp(-x / 2), 0, 0.0, rows, NoiseModel("additive", 0.0))
    low, high = curve - band.middle_halfwidth(), curve + band.middle_halfwidth()
    assert np.mean((low <= y) & (y <= high)) > 0.9
    assert band.middle_halfwidth() < 1e-3


def test_stated_errors_that_grow_with_the_value_give_a_band_that_does() -> None:
    rng, law = np.random.default_rng(6), 20 * sympy.exp(-x / 2)
    for errors, kind in ((0.03 * curve, "relative"), (0.1 * np.sqrt(curve), "poisson"), (0.1, "stated")):
        sizes = errors * np.exp(0.1 * rng.normal(size=curve.size))
        rows = Rows(X, curve + sizes * rng.normal(size=curve.size), 1 / sizes**2, (x,), sigma2=1.0)
        band = Band.of(law, 2, 1.0, rows, NoiseModel("stated", 1.0))
        half = band.halfwidth(law, (x,), X, curve)
        assert band.kind == kind and np.allclose(half, 2 * errors, rtol=0.2)

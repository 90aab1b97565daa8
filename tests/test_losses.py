"""Losses other than the square: their numbers, fits by them, and a person's own."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from scipy import optimize

import kansym
from kansym.base.errors import InputError, UnknownNameError
from kansym.base.losses import Loss
from kansym.formula.polish import Rows, polish
from kansym.functions.parsing import symbols

rng = np.random.default_rng(0)
x = np.linspace(0, 5, 81)
y = 3 * np.exp(-x) + 1 + 0.1 * rng.standard_t(2, 81)
(column,) = symbols(["x"])
form = sympy.Float(2.0) * sympy.exp(-sympy.Float(0.7) * column) + sympy.Float(0.5)


def fourth(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    return (prediction - target) ** 4


def lopsided(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    r = prediction - target
    return np.where(r > 0, 3 * r * r, r * r)


ASKED = ["squared", "absolute", "huber:0.1", "quantile:0.8", fourth, lopsided]


@pytest.mark.parametrize("asked", ASKED)
def test_slopes_are_the_derivatives(asked: object) -> None:
    loss = Loss.of(asked)  # type: ignore[arg-type]
    at = np.array([-2.0, -0.05, 0.07, 1.5])
    zero = np.zeros(4)
    h = 1e-7
    numeric = (loss.values(at + h, zero) - loss.values(at - h, zero)) / (2 * h)
    assert loss.slopes(at, zero) == pytest.approx(numeric, rel=1e-4, abs=1e-6)
    assert np.all(loss.weights(at, zero) >= 0)


@pytest.mark.parametrize("asked", ASKED)
def test_fits_are_where_the_loss_is_least(asked: object) -> None:
    loss = Loss.of(asked)  # type: ignore[arg-type]
    fitted = polish(form, Rows(x[:, None], y, None, (column,), penalty=loss))
    assert fitted is not None
    mean = loss.mean(fitted.program.value(x[:, None], fitted.theta), y)

    def cost(c: np.ndarray) -> float:
        return loss.mean(fitted.program.value(x[:, None], c), y)

    start = fitted.theta + 0.01
    best = optimize.minimize(cost, start, method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-12})
    assert mean <= best.fun * (1 + 1e-3)
    assert np.all(np.diag(fitted.covariance) > 0)


def test_quantiles_leave_their_share_below() -> None:
    loss = Loss.of("quantile:0.9")
    fitted = polish(form, Rows(x[:, None], y, None, (column,), penalty=loss))
    assert fitted is not None
    assert np.mean(y < fitted.program.value(x[:, None], fitted.theta)) == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize(
    ("asked", "degree"), [("squared", 2), ("absolute", 1), ("quantile:0.3", 1), (fourth, 4)]
)
def test_degrees_and_the_squares_that_stand_for_them(asked: object, degree: float) -> None:
    loss = Loss.of(asked)  # type: ignore[arg-type]
    r = rng.normal(size=50)
    assert loss.degree(r, np.zeros(50)) == pytest.approx(degree)
    # a scale of residuals ten times as large is a square a hundred times as large
    assert loss.as_square(10 * r, np.zeros(50)) == pytest.approx(100 * loss.as_square(r, np.zeros(50)))


def test_hubers_bend_follows_the_noise() -> None:
    assert Loss.of("huber").bent(2.0).level == pytest.approx(2.69)
    assert Loss.of("huber:0.5").bent(2.0).level == 0.5


@pytest.mark.parametrize("asked", ["quantile:1.5", "quantile:x", "absolute:2", "huber:-1"])
def test_numbers_that_a_loss_cannot_have_are_refused(asked: str) -> None:
    with pytest.raises(InputError, match="no such number"):
        Loss.of(asked)


def test_unknown_losses_and_functions_of_another_shape_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="loss"):
        kansym.discover(x, y, loss="cubic")
    with pytest.raises(InputError, match="one number a row"):
        Loss.of(lambda p, t: float(np.sum(p - t))).values(y, y)  # type: ignore[arg-type, return-value]


def test_a_run_by_an_absolute_loss_ignores_rows_that_are_off() -> None:
    off = 2 * x + 1
    off[::9] += 10
    run = kansym.discover(x, off, loss="absolute", only=("x",), time_limit=30)
    law = run.best
    assert law.predict(np.array([[1.0], [4.0]]), ["x0"]) == pytest.approx([3, 9], abs=0.05)
    assert law.loss == pytest.approx(10 / 9, rel=0.05)
    assert law.band is None
    assert run.options["loss"] == "absolute"


def test_an_estimator_takes_a_persons_own_loss() -> None:
    model = kansym.KansymRegressor(loss=lopsided, time_limit=30, settings={"only": ["x"]})
    model.fit(x[:, None], 2 * x + 1 + rng.normal(size=81))
    assert np.mean(model.predict(x[:, None]) - (2 * x + 1)) < -0.1  # predictions too high cost more
    with pytest.raises(InputError, match="loss is 3"):
        kansym.KansymRegressor(loss=3).fit(x[:, None], y)

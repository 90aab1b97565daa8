"""Splines against SciPy, and what they do outside their grid."""

import numpy as np
import pytest
from scipy.interpolate import BSpline

from kansym.base.errors import InputError
from kansym.functions import spline


def _knots(uniform: bool, order: int, rng: np.random.Generator, grid: int = 20) -> np.ndarray:
    if uniform:
        return spline.uniform_knots(-1.0, 1.7, grid, order)
    return spline.extend(np.sort(np.r_[-1.0, 1.7, rng.uniform(-1, 1.7, grid - 1)]), order)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("uniform", [True, False])
def test_agrees_with_scipy_and_its_derivatives(order: int, uniform: bool) -> None:
    rng = np.random.default_rng(order)
    knots = _knots(uniform, order, rng)
    coefficients = rng.normal(size=20 + order)
    x = rng.uniform(-1, 1.7, 5000)
    truth = BSpline(knots, coefficients, order)
    for derivative in range(order):
        want = truth(x, nu=derivative)
        scale = np.abs(want).max()
        got = spline.evaluate(knots, coefficients, order, x, derivative)
        assert np.abs(got - want).max() < 1e-12 * scale
        assert np.abs(spline.design(knots, order, x, derivative) @ coefficients - want).max() < 1e-12 * scale


def test_crowded_knots_need_more_than_one_look_in_a_bucket() -> None:
    points = np.concatenate([np.linspace(0, 1e-6, 40), np.linspace(0.1, 1, 10)])
    knots = spline.extend(points, 3)
    coefficients = np.random.default_rng(0).normal(size=len(knots) - 4)
    x = np.concatenate([np.linspace(0, 1e-6, 333), np.linspace(0, 1, 333)])
    assert np.allclose(
        spline.evaluate(knots, coefficients, 3, x), BSpline(knots, coefficients, 3)(x), atol=1e-11
    )


@pytest.mark.parametrize("uniform", [True, False])
def test_continues_linearly_and_never_drops_to_zero(uniform: bool) -> None:
    rng = np.random.default_rng(1)
    knots = _knots(uniform, 3, rng)
    c = rng.normal(size=23)
    low, high = -1.0, 1.7
    ends, slopes = (spline.evaluate(knots, c, 3, np.array([low, high]), d) for d in (0, 1))
    out = spline.evaluate(knots, c, 3, np.array([low - 2, high + 2]))
    assert np.allclose(out, [ends[0] - 2 * slopes[0], ends[1] + 2 * slopes[1]])
    assert np.all(spline.evaluate(knots, c, 3, np.array([low - 2, high + 2]), 2) == 0)
    assert np.isnan(spline.evaluate(knots, c, 3, np.array([np.nan]))[0])


def test_many_curves_at_once_on_one_grid_or_on_their_own() -> None:
    rng = np.random.default_rng(2)
    knots = np.stack([_knots(False, 3, rng) for _ in range(4)])
    c, x = rng.normal(size=(4, 23)), rng.uniform(-2, 2, (5, 7))
    out = spline.evaluate(knots, c, 3, x)
    assert out.shape == (4, 5, 7)
    for m in range(4):
        assert np.array_equal(out[m], spline.evaluate(knots[m], c[m], 3, x))


def test_a_nested_refinement_changes_nothing_and_any_other_stays_within_the_coarse_error() -> None:
    rng = np.random.default_rng(3)
    x = np.linspace(-1, 1, 2000)
    coarse = spline.uniform_knots(-1, 1, 7, 3)
    y = np.sin(3 * x)
    c = spline.fit(coarse, 3, x, y)
    error = np.abs(spline.evaluate(coarse, c, 3, x) - y).max()
    for grid in (14, 35, 10, 23):
        fine = spline.uniform_knots(-1, 1, grid, 3)
        moved = np.abs(
            spline.evaluate(fine, spline.refit(coarse, c, 3, fine)[0], 3, x)
            - spline.evaluate(coarse, c, 3, x)
        ).max()
        assert moved < (1e-10 if grid % 7 == 0 else error)
    assert rng is not None


def test_fit_recovers_a_spline_through_starved_cells() -> None:
    knots = spline.uniform_knots(0, 1, 50, 3)
    x = np.r_[np.linspace(0, 0.4, 100), np.linspace(0.6, 1, 100)]
    c = spline.fit(knots, 3, x, x**3)
    assert (
        np.abs(spline.evaluate(knots, c, 3, np.linspace(0, 1, 99)) - np.linspace(0, 1, 99) ** 3).max() < 1e-6
    )


def test_adaptive_knots_cover_the_samples_even_when_they_are_all_equal() -> None:
    for x in (np.full(10, 3.0), np.zeros(5), np.random.default_rng(0).exponential(size=100)):
        knots = spline.adaptive_knots(x, 5, 3, blend=0.5)
        assert knots[3] < x.min() and knots[-4] > x.max() and np.all(np.diff(knots) > 0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: spline.extend(np.array([0.0, 0.0]), 3), "must rise"),
        (lambda: spline.evaluate(np.arange(9.0), np.zeros(4), 3, np.zeros(1)), "need 8 knots, not 9"),
        (lambda: spline.evaluate(np.arange(9.0), np.zeros(4), 12, np.zeros(1)), "order 12"),
    ],
)
def test_bad_input_says_what_to_do(call, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()

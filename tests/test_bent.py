"""Powers that bend into other powers are found from one column alone, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.base.criterion import SHARP
from kansym.data.dataset import from_arrays
from kansym.formula.program import Program
from kansym.search.structure.problem import problem
from kansym.search.tree import bent


def seen(law, low, high, rows=300, seed=0):
    x = np.exp(np.random.default_rng(seed).uniform(np.log(low), np.log(high), rows))
    return problem(from_arrays(x[:, None], law(x), ["x"]))


def found(data):
    """Return the values of the nearest bent power at the rows."""
    return found_by(min(bent.fits(data), key=lambda f: f.share), data)


def found_by(fit, data):
    formula = data.finish(fit.problem.finish(fit.name()[0].write()))
    return Program.compile(formula, data.formulas).value(data.Z)


@settings(deadline=None, max_examples=25)
@given(
    st.floats(-1, 1), st.floats(0.5, 2), st.floats(0.5, 1.5), st.sampled_from([-1.0, 1.0]), st.floats(0.5, 5)
)
def test_any_bent_power(slope, sharp, size, sign, place):
    """A power of any exponents on both sides, bent within the rows."""
    data = seen(lambda x: 3.1 * x**slope * (1 + (x / place) ** sharp) ** (sign * size), 0.1, 20)
    best = min(bent.fits(data), key=lambda f: f.share)
    assert best.share < SHARP
    assert np.max(np.abs(found(data) - data.y)) < 1e-4 * np.max(np.abs(data.y))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_is_lacking_of_one(sign):
    """A saturation to ±1 is not one itself."""
    data = seen(lambda x: sign * (1 - (1 + x**1.7) ** -0.6), 0.05, 40)
    assert np.allclose(found(data), data.y, atol=1e-7)


@pytest.mark.parametrize(
    ("law", "low", "high"),
    [
        (np.sin, 0.1, 6.0),
        (lambda x: x**2 - 3 * x + 1, 0.1, 6.0),
        (lambda x: np.exp(-3 * x) * (2 + np.sin(4 * x)), 0.1, 6.0),
    ],
)
def test_other_curves_are_none(law, low, high):
    assert not [f for f in bent.fits(seen(law, low, high)) if f.share < SHARP]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_noise_that_carries_rows_over_zero(sign):
    """The means of noisy rows show a bend where many of the rows themselves have no logarithm."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0.05, 4, 700)
    curve = sign / (1 + x**2) ** 2
    data = problem(from_arrays(x[:, None], curve + 0.01 * rng.normal(size=700), ["x"]))
    assert np.min(sign * data.y) < 0
    left = np.mean((found(data) - curve) ** 2)
    assert left < 0.2 * 0.01**2 and min(f.share for f in bent.fits(data)) < 2 * 0.01**2 / np.var(curve)


def test_a_noisy_curve_that_changes_its_sign_is_none():
    rng = np.random.default_rng(1)
    x = rng.uniform(0.1, 6, 700)
    assert not bent.fits(problem(from_arrays(x[:, None], 3 * np.sin(x) + 0.01 * rng.normal(size=700), ["x"])))


@pytest.mark.parametrize(
    ("slope", "sharp", "power"),
    [(-1, 1, -2), (-0.5, 1, -2.5), (1, 2, -1.5), (0, 2, -2.5), (1, 0.6, -1 / 0.6)],
)
def test_plain_exponents_in_noise(slope, sharp, power):
    """Five numbers fit noisy rows in many ways; one of plain exponents is shown."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0.05, 10, 700)
    curve = 2 * x**slope * (1 + (x / 1.5) ** sharp) ** power
    data = problem(from_arrays(x[:, None], curve + 0.01 * np.std(curve) * rng.normal(size=700), ["x"]))
    fits = bent.in_noise(data)
    whole = float(2 * sharp).is_integer()
    plain = min((f for f in fits if f.price == bent.PRICE + bent.NUMBER * (not whole)), key=lambda f: f.rank)
    assert plain.rank < min(f.rank for f in fits) + 5
    assert np.mean((found_by(plain, data) - curve) ** 2) < 0.02 * 0.01**2 * np.var(curve)
    exponents = {float(p.exp) for p in plain.name()[0].write().atoms(sympy.Pow)}
    for k in {slope, sharp, power} - {0, 1}:
        assert min(abs(k - e) for e in exponents) < (1e-9 if whole else 0.1)


def test_few_rows_and_two_columns_have_no_answer():
    assert not bent.fits(seen(lambda x: x**2, 1, 4, rows=8))
    X = np.random.default_rng(0).uniform(1, 2, (80, 2))
    assert not bent.fits(problem(from_arrays(X, X.sum(1), ["a", "b"])))

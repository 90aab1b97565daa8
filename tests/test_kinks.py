"""Curves of two sides: where they part, whether they meet, and what each side is."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kansym.functions.library import Library
from kansym.search.families.kinks import allowed, kinks
from kansym.search.families.projection import Rows

X = sympy.Symbol("x", real=True)


def table(formula: str, low: float, high: float, noise: float = 0.0, n: int = 200) -> Rows:
    rng = np.random.default_rng(3)
    x = rng.uniform(low, high, n)
    y = sympy.lambdify(X, sympy.sympify(formula, locals={"x": X}), "numpy")(x)
    return Rows(x[:, None], y + noise * y.std() * rng.normal(size=n), np.ones(n))


@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e6])
@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("2 + 0.4*x + 1.3*Max(x - 6.3, 0)", "two sides that meet"),
        ("0.2 + Min(3.1*x, 7.4)", "two sides that meet"),
        ("9.5*exp(-0.35*Max(x - 4, 0))", "two sides that meet"),
        ("5 - 0.2*Max(6 - x, 0)**2", "two sides that meet"),
        ("1.3*Min(x, 7.4)**2.6", "two sides that meet"),
        ("1.2 + 3.5*Heaviside(x - 3.4)", "two sides with a jump"),
        ("0.5*x + 1 + (7 - 0.8*x)*Heaviside(x - 5.2)", "two sides with a jump"),
    ],
)
def test_sides_are_exact_at_any_scale(formula: str, family: str, unit: float) -> None:
    rows = table(formula, 0, 12)
    best = kinks(Rows(rows.X * unit, rows.y / unit, rows.w))[0].fitted
    assert best.form.family == family
    assert best.cost < 1e-22 * np.sum((rows.y / unit) ** 2)


def test_the_place_of_a_bend_is_fitted_in_noise() -> None:
    best = kinks(table("2 + 0.4*x + 1.3*Max(x - 6.3, 0)", 0, 15, 0.02))[0].fitted
    place = best.theta[best.form.constants.index(sympy.Symbol("m", real=True))]
    assert len(best.theta) == 4 and place == pytest.approx(6.3, abs=0.2)


def test_the_place_of_a_jump_is_the_shortest_number_between_two_rows() -> None:
    best = kinks(table("1.2 + 3.5*Heaviside(x - 3.4)", 0, 8))[0].fitted
    assert best.form.formula.has(sympy.Heaviside(X - sympy.Rational(17, 5)))


@pytest.mark.parametrize("formula", ["exp(-x)", "1/(1 + x**2)", "x**3 - 2*x"])
def test_smooth_curves_have_no_sides(formula: str) -> None:
    assert kinks(table(formula, 0, 4)) == []


def test_two_levels_are_seen_in_much_noise() -> None:
    rng = np.random.default_rng(5)
    year = np.arange(1871.0, 1971.0)
    flow = np.where(year < 1899, 1100.0, 850.0) + 130 * rng.normal(size=100)
    rows = Rows(year[:, None], flow, np.ones(100))
    formulas = [f.fitted.form.formula for f in kinks(rows)]
    assert any(e.atoms(sympy.Heaviside) and len(e.free_symbols) == 3 for e in formulas)


def test_rows_that_tell_nothing_give_nothing() -> None:
    assert kinks(Rows(np.arange(30.0)[:, None], np.ones(30), np.ones(30))) == []
    assert kinks(Rows(np.zeros((30, 1)), np.arange(30.0), np.ones(30))) == []
    assert kinks(Rows(np.arange(6.0)[:, None], np.arange(6.0), np.ones(6))) == []


def test_a_step_is_allowed_where_its_ramp_is() -> None:
    step = sympy.Heaviside(X - 2)
    assert allowed(step, Library.load())
    assert not allowed(step, Library.load("trig"))

"""Functions of small arguments give way to their first terms."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import kansym
from kansym.data.dataset import from_arrays
from kansym.formula.limits import limits, without_terms

x = sympy.Symbol("x", real=True)
a, b = sympy.Float(3.5), sympy.Float(0.25)


@pytest.mark.parametrize(
    ("formula", "limit"),
    [
        (a * sympy.tanh(b * x), a * b * x),
        (a * sympy.exp(b * x), a * (1 + b * x)),
        (a / (sympy.sin(b / x) + 1), a / (b / x + 1)),
        (a * sympy.cos(b * x), a * (1 - b**2 * x**2 / 2)),
    ],
)
def test_first_terms(formula: sympy.Expr, limit: sympy.Expr) -> None:
    (found,) = limits(formula)
    assert sympy.simplify(found - limit).subs(x, 0.7) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("formula", [sympy.log(x), sympy.Abs(x), a * x**2, sympy.gamma(x)])
def test_functions_without_first_terms_are_left_alone(formula: sympy.Expr) -> None:
    assert list(limits(formula)) == []


def test_the_limit_of_a_guess_is_found_where_errors_are_stated() -> None:
    s = np.linspace(0.5, 20, 40)
    rng = np.random.default_rng(0)
    sigma = 0.05 * 12 * s / (3 + s)
    y = 12 * s / (3 + s) + sigma * rng.normal(size=40)
    guess = "11.8/(1249680.0*tanh(2.35671e-06/x0) + 1)"
    run = kansym.discover(from_arrays(s, y, sigma=sigma), guesses=(guess,), time_limit=120)
    assert not run.best.expression.has(sympy.tanh)


def test_each_measured_term_of_a_sum_is_left_out_in_turn():
    small = sympy.Float(1e-5)
    formula = (1 - small * x) / (sympy.exp(b * x) - 1 + 2 * small * x)
    plain = sympy.exp(b * x) - 1
    assert set(without_terms(formula)) == {(1 - small * x) / plain, 1 / (plain + 2 * small * x)}
    assert not list(without_terms(x + 2))

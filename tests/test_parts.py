"""A ratio of polynomials is written as the sum of parts that people know."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import kansym
from kansym.formula import expression
from kansym.formula.parts import beside_constant, by_column, in_parts, squared_waves
from kansym.functions.parsing import parse_expression

x = sympy.Symbol("x", real=True)


@pytest.mark.parametrize(
    "ratio",
    [
        x * (0.56 * x + 4.64) / (0.115 * x**2 + 2.55 * x + 1),
        1 / (x**2 - 1.5),
        (x**3 + 1.0) / (x**2 + 5.0 * x + 2),
        x / (x**2 + 5 * x + 2),
        x**2 / (x**3 + 9 * x**2 + 20 * x + 3),
    ],
)
def test_the_parts_add_up_to_the_ratio(ratio: sympy.Expr) -> None:
    parts = in_parts(ratio)
    assert parts is not None and parts.is_Add
    for at in (0.3, 2.0, 17.0):
        assert float(parts.subs(x, at)) == pytest.approx(float(ratio.subs(x, at)), rel=1e-9)


@pytest.mark.parametrize(
    "other",
    [
        3.0 * x / (x + 1.5),
        1 / (x**2 + 1.0),
        1 / x**2,
        1 / (x + 1) ** 2,
        x**2 + 1.0,
        sympy.exp(-x) / (x**2 - 1.5),
        sympy.Symbol("y", real=True) / (x**2 - 1.5),
        x * (3.0 / (x + 1.2) + 2.0 / (x + 3.1)),
        sympy.Float(2.5),
    ],
)
def test_what_does_not_fall_into_parts_stays(other: sympy.Expr) -> None:
    assert in_parts(other) is None


def test_a_sum_of_two_saturations_is_written_as_one() -> None:
    rng = np.random.default_rng(2)
    p = np.geomspace(0.02, 60, 32)
    y = (1.8 * p / (p + 0.4) + 3.1 * p / (p + 22.2)) * (1 + 0.015 * rng.normal(size=32))
    law = kansym.discover(p[:, None], y.round(3), names=["p"]).best
    assert not law.expression.has(sympy.exp, sympy.log)
    poles = sympy.solve(sympy.fraction(sympy.together(law.expression))[1])
    assert sorted(map(float, poles)) == pytest.approx([-22.2, -0.4], rel=0.2)


T, V, a, b, k, m = sympy.symbols("T V a b k m", real=True)


@pytest.mark.parametrize(
    "law", [T / (V - b) - a / V**2, a * x / (k + x) + b * x / (m + x), a / x - b / (x + k)]
)
def test_a_sum_of_poles_in_several_columns_is_found_again(law: sympy.Expr) -> None:
    at = dict(zip((T, V, a, b, k, m, x), (2.0, 3.0, 5.0, 0.7, 1.1, 1.3, 1.7), strict=True))

    def same(form: sympy.Expr) -> bool:
        return float(form.subs(at)) == pytest.approx(float(law.subs(at)), rel=1e-9)

    whole = sympy.factor(sympy.together(law))
    assert all(map(same, by_column(whole)))
    assert expression.complexity(whole) > expression.complexity(law)
    assert expression.complexity(expression.simplify(whole, same)) <= expression.complexity(law)


def test_a_ratio_with_one_pole_has_no_parts_by_column() -> None:
    assert not [*by_column(a * x / (k + x))]
    assert not [*by_column((a + sympy.exp(x)) / (x * (x + k)))]


@pytest.mark.parametrize(
    ("whole", "squared"),
    [
        (5 - 5 * sympy.cos(0.5 * x), 10 * sympy.sin(0.25 * x) ** 2),
        ((1 - sympy.cos(0.5 * x)) / x**2, 2 * sympy.sin(0.25 * x) ** 2 / x**2),
        (3 * x + 3 * x * sympy.cos(0.5 * x), 6 * x * sympy.cos(0.25 * x) ** 2),
        (2 * sympy.cos(0.5 * x) - 2, -4 * sympy.sin(0.25 * x) ** 2),
    ],
)
def test_a_wave_of_a_measured_rate_on_its_own_height_is_a_square(
    whole: sympy.Expr, squared: sympy.Expr
) -> None:
    assert squared_waves(whole) == squared
    assert squared in expression.gauges(whole)


@pytest.mark.parametrize(
    "other", [1 - sympy.cos(x), 2 - 3 * sympy.cos(0.5 * x), 1 + x, x + sympy.sin(0.5 * x), x]
)
def test_other_waves_stay(other: sympy.Expr) -> None:
    assert squared_waves(other) == other


@pytest.mark.parametrize(
    "law",
    [
        "1.3 + d**2/(a + b*d)**2",
        "2 - d/(a + b + 5)",
        "0.25 + 3*a*b/(a**2 + b**2 + d)",
    ],
)
def test_a_constant_that_a_ratio_swallowed_stands_beside_it_again(law: str) -> None:
    wanted = sympy.nsimplify(parse_expression(law, ["a", "b", "d"]), rational=True)
    over, under = sympy.fraction(sympy.together(wanted))
    swallowed = sympy.expand(over) / under
    (found,) = beside_constant(swallowed)
    assert sympy.simplify(found - wanted) == 0
    assert expression.complexity(found) < expression.complexity(swallowed)


@pytest.mark.parametrize("law", ["(2*a + 3)/(a + b)", "a*b/(a + b)", "(a + b)/d", "a**2 + b"])
def test_no_constant_is_made_up_beside_a_ratio(law: str) -> None:
    assert not [*beside_constant(sympy.together(parse_expression(law, ["a", "b", "d"])))]

"""Two measured constants that are one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy

from kansym.data.dataset import from_arrays
from kansym.formula.polish import Rows, polish
from kansym.formula.ties import ties
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.refine import refine
from kansym.judge.survey import survey
from kansym.judge.trial import Trial

NAMES = ["a", "b"]


def rows(second: float, noise: float = 0.001) -> tuple[np.ndarray, np.ndarray]:
    """Return 1000 rows of 0.37·a/(exp(second·a/b) - 1) with noise."""
    rng = np.random.default_rng(3)
    X = rng.uniform(1, 5, (1000, 2))
    y = 0.37 * X[:, 0] / np.expm1(second * X[:, 0] / X[:, 1])
    return X, y + noise * np.std(y) * rng.normal(size=1000)


def forms(second: float) -> list[tuple[sympy.Expr, float]]:
    X, y = rows(second)
    form = parse_expression("0.36*a/(exp(0.38*a/b) - 1)", NAMES)
    fitted = polish(form, Rows(X, y, None, symbols(NAMES)), 40)
    assert fitted is not None and len(fitted.theta) == 2
    return list(ties(fitted))


def test_constants_that_agree_are_offered_as_one() -> None:
    (form, price), *others = forms(0.37)
    assert not others
    assert len({abs(f) for f in form.atoms(sympy.Float)}) == 1
    assert price == pytest.approx(math.log(2))


def test_constants_that_differ_are_not() -> None:
    assert forms(0.38) == []


def fitted_ties(truth: str, start: str) -> list[tuple[sympy.Expr, float]]:
    rng = np.random.default_rng(5)
    X = rng.uniform(0.1, 4, (300, 2))
    y = sympy.lambdify(symbols(NAMES), parse_expression(truth, NAMES))(*X.T) + 0.003 * rng.normal(size=300)
    fitted = polish(parse_expression(start, NAMES), Rows(X, y, None, symbols(NAMES)), 40)
    assert fitted is not None
    return list(ties(fitted))


def test_the_sign_may_differ() -> None:
    (form, _), *_ = fitted_ties("2.3*b*exp(-2.3*a)", "2.2*b*exp(-2.4*a)")
    low, high = sorted(float(f) for f in form.atoms(sympy.Float))
    assert low == -high


def test_without_a_function_another_form_says_it_better() -> None:
    assert fitted_ties("2.3*b - 2.3*b*exp(-a)", "2.2*b - 2.4*b*exp(-a)") == []
    assert fitted_ties("0.4*a/(0.4*a + 1)", "0.41*a/(0.39*a + 1)") == []


@pytest.mark.parametrize(("second", "count"), [(0.37, 1), (0.39, 2)])
def test_a_law_is_written_with_one_number_where_two_are_the_same(second: float, count: int) -> None:
    X, y = rows(second)
    trial = Trial.of(survey(from_arrays(X, y, NAMES)).dataset, Library.load("default"), 0)
    *_, last = refine(parse_expression("0.36*a/(exp(0.38*a/b) - 1)", NAMES), trial, "test")
    assert len(last.polished.free) == count


def test_an_offset_within_its_error_vanishes_though_nice_numbers_were_dear() -> None:
    """exp(-u²/2)/sqrt(2·pi) is dearer than 0.39895·exp(-u²/2), which the offset hid."""
    rng = np.random.default_rng(6)
    u = rng.uniform(1, 3, (1000, 1))
    y = np.exp(-(u[:, 0] ** 2) / 2) / math.sqrt(2 * math.pi)
    y = y + 0.001 * np.sqrt(np.mean(y**2)) * rng.normal(size=1000)
    trial = Trial.of(survey(from_arrays(u, y, ["u"])).dataset, Library.load("default"), 0)
    found = list(refine(parse_expression("0.4*exp(-0.5*(u - 0.001)**2)", ["u"]), trial, "test"))
    shortest = min(found, key=lambda law: law.length)
    assert shortest.expression.count_ops() <= 4 and len(shortest.polished.free) <= 2

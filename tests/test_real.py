"""The benchmark of people's tables judges as its README says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import sympy

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from acceptable import Accepted, Answer, between, depth, everyday, judge, judge_exact
from bench_real import accepted_curves, cases, dataset_of

x = sympy.Symbol("x", real=True)
TEXT_COLUMNS = ("categories", "allometry", "bikes")


def values(formula):
    call = sympy.lambdify(x, formula, modules=["numpy"])
    return lambda Z: call(Z[:, 0]) + np.zeros(len(Z))


def answer(formula):
    return Answer(formula, values(formula), tuple(float(v) for v in formula.atoms(sympy.Float)))


@pytest.fixture
def decay():
    X = np.linspace(0.0, 5.0, 40)[:, None]
    formula = 3.0 * sympy.exp(-0.7 * x) + 1.5
    y = values(formula)(X) + 0.05 * np.random.default_rng(0).normal(size=40)
    return Accepted(formula, values(formula), 0.05, "absolute", X, y, (0,))


@pytest.mark.parametrize("case", [c for c in cases() if c.accepted], ids=lambda c: c.name)
def test_every_accepted_curve_accepts_itself(case):
    if case.name in TEXT_COLUMNS:
        pytest.skip("a table with columns of text")
    dataset = dataset_of(case)
    for parts in accepted_curves(case, dataset):
        for curve, _ in parts:
            numbers = tuple(float(v) for v in curve.formula.atoms(sympy.Float))
            own = Answer(curve.formula, curve.value, numbers)
            assert (
                judge_exact(own, curve, True).exact
                if case.judged == "exact"
                else judge(own, curve).acceptable
            )


def test_there_are_as_many_tables_as_promised():
    sets = [c.suite for c in cases()]
    assert [sets.count(s) for s in ("nist", "people", "everyday", "exact")] == [24, 20, 28, 8]


def test_another_curve_is_not_sane(decay):
    assert judge(answer(decay.formula + 0.01), decay).acceptable
    assert not judge(answer(decay.formula + 0.2), decay).sane
    between_the_rows = decay.formula + sympy.sin(sympy.pi * x * 39 / 5)  # zero on every row
    assert judge(answer(between_the_rows), decay).worse == pytest.approx(
        judge(answer(decay.formula), decay).worse
    )
    assert not judge(answer(between_the_rows), decay).sane


def test_long_nested_and_odd_formulas_are_refused(decay):
    longer = decay.formula + 1e-9 * (x + x**2 + x**3 + 1 / (1 + x))
    assert not judge(answer(longer), decay).short
    assert not judge(answer(decay.formula + 1e-9 * sympy.cos(sympy.sin(x))), decay).plain
    assert depth(sympy.exp(sympy.cos(x) ** 2) + 2.0**x) == 2
    assert everyday(x ** sympy.Rational(-7, 3), ()) and not everyday(x ** sympy.Rational(7, 5), ())
    assert not everyday(x**9, ()) and everyday(x**1.37, (1.37,)) and not everyday(x**1.37, ())


def test_points_of_a_wide_column_lie_on_a_logarithmic_grid():
    points = between(np.geomspace(0.01, 100, 7)[:, None], (0,))
    assert np.ptp(np.diff(np.log(points[:, 0]))) < 1e-9
    two = between(np.array([[0.0, 1.0], [1.0, 0.0]]), (0, 1))
    assert two.sum(1) == pytest.approx(1.0) and two.min() >= 0


def test_outliers_of_the_accepted_curve_do_not_count(decay):
    y = decay.y.copy()
    y[3] += 40.0
    spoiled = Accepted(decay.formula, decay.value, 0.05, "absolute", decay.X, y, (0,))
    assert judge(answer(decay.formula), spoiled).acceptable

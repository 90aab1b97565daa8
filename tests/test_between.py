"""Formulas are looked at between the rows; what is smooth there passes."""

import numpy as np
import pytest

from kansym.formula.polish import Rows, fit
from kansym.formula.program import Program
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.between import Gaps, fault, stays


def as_given(text, X, names):
    columns = symbols(names)
    rows = Rows(X, np.zeros(len(X)) + 1.0, None, columns)
    return fit(Program.compile(parse_expression(text, names), columns, [], []), rows, 0), Gaps.of(X), rows


def verdict(text, X, names):
    return fault(*as_given(text, X, names))


TEN = np.array([0.1, 3, 10, 30, 48, 64, 66, 90, 120, 150])[:, None]


@pytest.mark.parametrize("text", ["cos(cos(x))**6", "tan(x)", "sin(40*x)", "1/(x - 65)", "exp(-tan(x**9))"])
def test_aliases_are_named(text):
    assert verdict(text, TEN, ["x"])


@pytest.mark.parametrize(
    "text", ["400*exp(-(x/85)**1.5)", "x", "3", "1/(x + 2)", "log(x)", "(x - 70)**2", "sin(x/20)"]
)
def test_smooth_formulas_pass(text):
    assert verdict(text, TEN, ["x"]) == ""


def test_a_wave_is_seen_at_more_than_two_rows_each():
    X = np.linspace(0, 100, 300)[:, None]
    assert verdict("sin(1.759*x)", X, ["x"]) == ""
    assert verdict("sin(1.759*x) + 0.5*x", X, ["x"]) == ""
    alias = 1.759 + 2 * np.pi * 299 / 100
    assert verdict(f"sin({alias}*x)", X, ["x"])
    # a trend hides the wave's way up and down, but not how far its phase turns
    assert "half a wave" in verdict(f"sin({alias}*x) + 500*x", X, ["x"])


@pytest.mark.parametrize(
    ("text", "as_on_rows"),
    [("sin(40*x)", True), ("sin(x) + 1/(x - 65)", False), ("sin(x) + 9/((x - 80)**2 + 1)", False)],
)
def test_waves_stay_about_where_the_rows_are_and_spikes_do_not(text, as_on_rows):
    polished, gaps, _ = as_given(text, TEN, ["x"])
    assert stays(polished, gaps) == as_on_rows


def test_a_place_where_a_formula_is_undefined_is_told():
    assert "undefined" in verdict("log((x - 65)**2 - 0.5)", TEN, ["x"])


def test_wide_columns_are_looked_at_by_decades():
    gaps = Gaps.of(np.geomspace(0.01, 1000, 12)[:, None])
    middle = gaps.points[3, gaps.points.shape[1] // 2, 0]
    assert middle == pytest.approx(np.sqrt(gaps.points[3, 0, 0] * gaps.points[3, -1, 0]))


def test_several_columns_are_looked_at_between_neighbours():
    X = np.random.default_rng(0).uniform(1, 3, (200, 2))
    assert verdict("x*sin(y)/(1 + x)", X, ["x", "y"]) == ""
    assert verdict("tan(9*x)*y", X, ["x", "y"])
    assert Gaps.of(np.ones((5, 2))) is None


def test_evenness_is_told():
    assert Gaps.of(np.linspace(0, 1, 20)[:, None]).even
    assert not Gaps.of(np.random.default_rng(0).uniform(size=(20, 1))).even

"""One curve named with free constants: changed inputs and targets, pairs of functions."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.search.families.curves import CHANGES, named, pairs, propose
from kansym.search.families.family import INPUTS, Families

SOME = Families.load().only(["line", "exponential with offset", "waves", "waves about a mean"])
H = INPUTS[0]


def best(text, low, high, *functions, noise=0.0, families=SOME):
    x = np.linspace(low, high, 120)
    y = sympy.lambdify(H, sympy.sympify(text, locals={"x": H}))(x)
    y = y + noise * np.std(y) * np.random.default_rng(0).normal(size=120)
    library = Library.load("all").only(["x", *functions])
    found = named(x, y, np.ones(120), budget=Budget(), library=library, families=families, thorough=True)[0]
    return found, found.fitted.cost / np.sum((y - y.mean()) ** 2)


@pytest.mark.parametrize(
    ("text", "low", "high", "functions", "label"),
    [
        ("sin(0.7*x**2 + 0.3)", 0.1, 4.0, ("sin",), "waves of square"),
        ("exp(1.5*sin(2*x))", 0.0, 6.0, ("sin", "exp"), "waves in log"),
        ("log(1 + 2*exp(0.8*x))", -3.0, 4.0, ("log", "exp"), "exponential with offset in exp"),
        ("sqrt(3 + 2*sin(1.3*x))", 0.0, 9.0, ("sin", "sqrt"), "waves about a mean in square"),
        ("sin(3*x)*log(x + 1.5)", 0.0, 6.0, ("sin", "log"), "sin * log"),
        ("2*exp(0.3*x) + 3*sin(2*x)", 0.0, 6.0, ("exp", "sin"), "exp + sin"),
    ],
)
def test_curves_of_two_functions_are_exact(text, low, high, functions, label):
    found, share = best(text, low, high, *functions)
    assert share < 1e-20 and found.fitted.form.family == label


def test_noise_does_not_hide_a_curve_of_two_functions():
    found, share = best("2*exp(0.3*x) + 3*sin(2*x)", 0.0, 6.0, "exp", "sin", noise=0.02)
    assert found.fitted.form.family == "exp + sin" and share == pytest.approx(4e-4, rel=0.4)


def test_only_allowed_functions_are_used():
    library = Library.load("all").only(["x", "sin"])
    x = np.linspace(0.5, 5, 40)
    for found in named(
        x, np.exp(x), np.ones(40), budget=Budget(), library=library, families=SOME, thorough=True
    ):
        assert library.spans(found.fitted.expression)


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.name)
def test_changes_go_back_and_know_their_slope(change):
    v = np.linspace(0.3, 2.5, 9)
    assert change.back(change.forward(v)) == pytest.approx(v)
    rise = (change.forward(v + 1e-6) - change.forward(v - 1e-6)) / 2e-6
    assert change.slope(v) == pytest.approx(np.abs(rise), rel=1e-6)
    formula = sympy.lambdify(H, change.back(change.forward(H)))
    assert formula(v) == pytest.approx(v)


def test_a_change_needs_one_sign():
    both = np.array([-1.0, 2.0])
    assert [c.name for c in CHANGES if c.allows(both)] == ["exp"]


def test_pairs_have_constants_of_their_own():
    made = {f.name: f for f in pairs(Library.load("all").only(["x", "exp", "sin"]))}
    assert "sin * sin" in made and "exp + exp" not in made
    assert {s.name for s in made["exp + sin"].formula.free_symbols} == {"x", "c", "A", "B", "k1", "k2", "m2"}


def test_no_work_gives_nothing():
    x = np.linspace(1, 2, 20)
    assert named(x, x**2, np.ones(20), budget=Budget(work=0.0)) == []


def test_a_table_of_one_input_is_named_and_others_are_not():
    x = np.linspace(0.1, 4.0, 60)
    library = Library.load("all").only(["x", "sin"])
    y = 5 * np.sin(0.7 * x**2 + 0.3)
    options = {"budget": Budget(), "library": library, "families": SOME}
    first = next(iter(propose(from_arrays(x, y), **options)))
    assert first.source == "waves of square" and first.score < 1e-20
    assert list(propose(from_arrays(np.column_stack([x, y]), y), **options)) == []

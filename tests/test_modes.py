"""Sums of decays and waves: as many as the rows can tell, on uneven rows, with the right form."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.search.families.exponentials import covers
from kansym.search.families.family import Families
from kansym.search.families.modes import modes
from kansym.search.families.projection import Rows

X = sympy.Symbol("x", real=True)


def table(formula: str, low: float, high: float, noise: float = 0.0, n: int = 300) -> Rows:
    rng = np.random.default_rng(5)
    x = rng.uniform(low, high, n)
    y = sympy.lambdify(X, sympy.sympify(formula, locals={"x": X}), "numpy")(x) + np.zeros(n)
    return Rows(x[:, None], y + noise * y.std() * rng.normal(size=n), np.ones(n))


@pytest.mark.parametrize(
    ("formula", "low", "high", "constants"),
    [
        ("sin(x)", 0, 100, 3),
        ("7*exp(-3*x) + 2*exp(-0.4*x)", 0, 9, 4),
        ("0.03*exp(-40*x)*cos(2200*x + 0.4)", 0, 0.08, 4),
        ("(2 + 5*x)*exp(-1.4*x)", 0, 6, 3),
        ("0.4*x*sin(3.3*x)", 0, 15, 3),
        ("2*sin(5*x) + sin(7.1*x + 1) + 0.7*cos(11*x) + 4 + 0.3*x", 0, 20, 11),
    ],
)
def test_sums_are_found_with_no_constant_too_many(
    formula: str, low: float, high: float, constants: int
) -> None:
    rows = table(formula, low, high)
    best = modes(rows)[0].fitted
    assert best.cost < 1e-20 * np.sum(rows.y**2)
    assert len(best.theta) == constants


def test_the_number_of_decays_is_told_in_noise() -> None:
    best = modes(table("5*exp(-3.1*x) + 2.4*exp(-0.5*x) + 1.1*exp(-0.06*x)", 0, 30, 0.005))[0].fitted
    assert sorted(best.theta)[:3] == pytest.approx([0.06, 0.5, 1.1], rel=0.1)
    assert len(best.theta) == 6


def test_a_short_look_finds_what_is_exact() -> None:
    for formula in ("4 + 3*exp(-2*x)*sin(9*x)", "300 + x + sin(9*x) + 0.4*sin(31*x) + 0.3*sin(43*x)"):
        rows = table(formula, 0, 15)
        assert modes(rows, thorough=False)[0].fitted.cost < 1e-20 * np.sum(rows.y**2)


@settings(max_examples=8, deadline=None)
@given(st.floats(-4, 4), st.floats(0.01, 1000), st.floats(1e-6, 1e6))
def test_scales_and_places_do_not_matter(place: float, width: float, height: float) -> None:
    rows = table("2*exp(-3*x) + sin(8*x)", 0, 3)
    moved = Rows((rows.X + place) * width, rows.y * height, rows.w)
    best = modes(moved)[0].fitted
    assert best.cost < 1e-16 * np.sum(moved.y**2)
    assert len(best.theta) == 5


@pytest.mark.parametrize("rows", [Rows(np.zeros((9, 1)), np.ones(9), np.ones(9)),
                                  Rows(np.arange(5.0)[:, None], np.arange(5.0), np.ones(5))])  # fmt: skip
def test_rows_that_tell_nothing_give_nothing(rows: Rows) -> None:
    assert modes(rows) == []


def test_families_that_are_such_sums_are_known() -> None:
    named = {f.name for f in Families.load().values() if covers(f)}
    assert {"line", "decays with offset", "waves on a trend", "damped wave"} <= named
    assert not {"power", "Bateman", "saturation", "Gaussian peaks", "wave with a harmonic"} & named

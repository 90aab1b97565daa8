"""Angles in radians, in degrees and times a number, as cosines and sines beside the other columns."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kansym.data.dataset import from_arrays
from kansym.functions.parsing import parse_expression, symbols
from kansym.search.structure.models import Fit
from kansym.search.structure.problem import Problem
from kansym.search.structure.problem import problem as posed
from kansym.search.tree import evidence, waves


def table(law: str, ranges: dict[str, tuple[float, float]], n: int = 600) -> tuple[Problem, np.ndarray]:
    low, high = np.array(list(ranges.values())).T
    X = np.random.default_rng(7).uniform(low, high, (n, len(ranges)))
    formula = parse_expression(law, list(ranges))
    y = np.asarray(sympy.lambdify(symbols(list(ranges)), formula)(*X.T), float)
    return posed(from_arrays(X, y, list(ranges))), y


def farthest(fit: Fit, asked: Problem, y: np.ndarray) -> float:
    """Return the largest error of what a fit is called, on all rows of the problem."""
    formula = fit.problem.finish(fit.name()[0].write())
    return float(np.max(np.abs(sympy.lambdify(asked.formulas, formula)(*asked.Z.T) - y)))


LAWS = [
    ("a + b + 2*sqrt(a*b)*cos(3.7*d)", {"a": (0.5, 4), "b": (0.5, 4), "d": (0, 5)}),
    ("sqrt(a**2 + b**2 - 2*a*b*cos(pi*g/180))", {"a": (1, 8), "b": (1, 6), "g": (10, 170)}),
    ("p*cos(s) + q*cos(s + t)", {"p": (0.5, 2), "q": (0.5, 2), "s": (0, 1.6), "t": (0, 2.1)}),
    ("A*cos(2.3*x - 5.1*t)", {"A": (0.5, 3), "x": (0, 4), "t": (0, 3)}),
    ("A*sin(2*pi*h/24) + 7", {"A": (1, 5), "h": (0, 48)}),
    ("a*(1 - e**2)/(1 + e*cos(pi*n/180))", {"a": (1, 10), "e": (0.05, 0.7), "n": (0, 360)}),
]


@pytest.mark.parametrize(("law", "ranges"), LAWS, ids=[law for law, _ in LAWS])
def test_sums_of_products_with_waves_are_exact(law: str, ranges: dict[str, tuple[float, float]]) -> None:
    asked, y = table(law, ranges)
    (fit, *_) = waves.exact(asked, evidence.loss(asked))
    assert farthest(fit, asked, y) <= 1e-7 * np.max(np.abs(y))


@pytest.mark.parametrize(
    ("law", "ranges"),
    [
        ("A*(1 + V*cos(4*pi*d/l))", {"A": (1, 10), "V": (0.2, 1), "d": (0, 0.5), "l": (0.5, 0.8)}),
        ("sqrt(A**2 + B**2 + 2*A*B*cos(2*pi*d/l))", {"A": (1, 5), "B": (1, 5), "d": (0, 1), "l": (0.5, 2)}),
        ("B + A*sin(2*pi*(t - p)/T)", {"B": (5, 20), "A": (1, 5), "t": (0, 5), "p": (0, 1), "T": (3, 6)}),
    ],
)
def test_columns_that_make_one_angle_are_merged(law: str, ranges: dict[str, tuple[float, float]]) -> None:
    asked, y = table(law, ranges)
    (fit, *_) = waves.merged(asked, evidence.loss(asked))
    assert farthest(fit, asked, y) <= 1e-7 * np.max(np.abs(y))


def test_what_has_no_waves_is_left_alone() -> None:
    ranges = {"a": (0.5, 4.0), "b": (0.5, 4.0), "c": (1.0, 3.0)}
    asked, _ = table("exp(-a*b)/(a + c)**2", ranges)
    assert waves.exact(asked, evidence.loss(asked)) == []
    assert waves.merged(asked, evidence.loss(asked)) == []


def test_the_turned_problem_is_written_in_the_columns() -> None:
    asked, _ = table("a*b", {"a": (0.5, 4), "b": (10, 170)})
    seen = waves.turned(asked, {1: sympy.pi / 180})
    a, b = symbols(["a", "b"])
    assert seen.formulas == (a, sympy.cos(sympy.pi * b / 180), sympy.sin(sympy.pi * b / 180))
    assert np.allclose(seen.Z[:, 1] ** 2 + seen.Z[:, 2] ** 2, 1)


def test_a_frequency_is_rounded_as_far_as_the_rows_allow() -> None:
    asked, _ = table("A*cos(2.3*x)", {"A": (0.5, 3), "x": (0, 9)})
    first = next(iter(waves._angles(asked, 1.0)))
    assert first[1] == sympy.Rational("2.3")


NOISY = [
    ("a + b + 2*sqrt(a*b)*cos(3.7*d)", {"a": (0.5, 4), "b": (0.5, 4), "d": (0, 5)}),
    ("sqrt(a**2 + b**2 - 2*a*b*cos(pi*g/180))", {"a": (1, 8), "b": (1, 6), "g": (10, 170)}),
    ("A*cos(2.3*x - 5.1*t)", {"A": (0.5, 3), "x": (0, 4), "t": (0, 3)}),
]


@pytest.mark.parametrize(("law", "ranges"), NOISY, ids=[law for law, _ in NOISY])
def test_such_sums_are_near_in_noise(law: str, ranges: dict[str, tuple[float, float]]) -> None:
    asked, y = table(law, ranges)
    y = y + 0.01 * np.std(y) * np.random.default_rng(1).normal(size=len(y))
    noisy = posed(from_arrays(asked.Z, y, list(ranges)))
    found = waves.fits(noisy, evidence.loss(noisy))
    share = min(fit.share for fit in found)
    assert share < 3e-4, "a wave's frequency is free, and noise leaves 1e-4"


def test_in_noise_a_table_without_waves_is_not_asked_about_them() -> None:
    ranges = {"a": (0.5, 4.0), "b": (10.0, 170.0)}
    asked, y = table("a*b/(b + 40)", ranges)
    y = y + 0.02 * np.std(y) * np.random.default_rng(1).normal(size=len(y))
    noisy = posed(from_arrays(asked.Z, y, list(ranges)))
    assert waves.fits(noisy, evidence.loss(noisy)) == []

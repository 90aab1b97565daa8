"""Rows next to each other show a curve that turns too often for a polynomial."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.stats import spearmanr
from tables import table

from kansym.data.dataset import from_arrays
from kansym.search.structure.problem import Problem, problem
from kansym.search.tree import neighbours


def posed(n: int, law: str) -> Problem:
    rng = np.random.default_rng(0)
    a, t, b = rng.uniform([[1], [0], [1]], [[3], [8], [4]], (3, n))
    laws = {
        "product": a / b**2 * np.exp(-t / 4) * np.sin(3 * t),
        "sum": a * np.cos(3 * t) + b,
        "chance": rng.normal(size=n),
    }
    return problem(from_arrays(np.column_stack([a, t, b]), laws[law], ["a", "t", "b"], target="y"))


@pytest.mark.parametrize("n", [100, 1000])
def test_what_divides_a_wave_is_found_without_a_polynomial(n: int) -> None:
    (off, child), *_ = neighbours.curves(posed(n, "product"))
    assert off < 0.01
    assert [str(f) for f in child.formulas] == ["t"]
    t = child.Z[:, 0]
    curve = np.exp(-t / 4) * np.sin(3 * t)
    assert np.std(child.y / curve) < 1e-9 * np.mean(np.abs(child.y / curve))


@pytest.mark.parametrize("law", ["sum", "chance"])
def test_nothing_is_divided_out_where_no_product_shows(law: str) -> None:
    assert neighbours.curves(posed(300, law)) == []


def test_a_line_lies_between_its_neighbours_and_chance_does_not() -> None:
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(size=2000))
    one = np.ones((2000, 1))
    assert neighbours.left_between(x, 3 * x - 1, one)[0] < 1e-25
    assert neighbours.left_between(x, rng.normal(size=2000), one)[0] == pytest.approx(1.0, abs=0.1)


def test_what_is_left_is_the_noise_whatever_is_divided_out() -> None:
    rng = np.random.default_rng(2)
    x, factor = np.sort(rng.uniform(size=2000)), np.exp(rng.uniform(-2, 2, 2000))
    y = factor * (1 - x) + 0.01 * rng.normal(size=2000)
    assert neighbours.left_between(x, y, factor[:, None])[0] == pytest.approx(1e-4 / np.var(y), rel=0.2)


@pytest.mark.parametrize(
    ("law", "argument"),
    [
        (lambda h, x, u, s: h * np.exp(-(((x - u) / s) ** 2)), lambda h, x, u, s: (x - u) / s),
        (lambda h, x, u, s: h / (1 + np.exp(2 * (x - u) * s)), lambda h, x, u, s: (x - u) * s),
        (lambda h, x, u, s: h**2 * np.log(2 * s * u / x), lambda h, x, u, s: s * u / x),
    ],
)
def test_the_argument_of_a_curve_is_told_by_a_hundred_noisy_rows(law, argument) -> None:
    data = table(law, "hxus", [(0.5, 3), (1, 4), (1, 3), (0.5, 2)], rows=100, noise=0.02)
    (off, child), *_ = neighbours.curves(problem(data))
    assert off < 4 * 0.02**2
    assert abs(spearmanr(child.Z[:, 0], argument(*data.X.T)).statistic) == pytest.approx(1.0)


def test_a_width_is_seen_within_its_curve_and_before_it() -> None:
    law = partial(
        table, lambda s, y, q: q / s * np.exp(-(y**2) / (2 * s**2)), "syq", [(0.5, 3), (-4, 4), (1, 3)]
    )
    data = law(rows=300, noise=0.05)
    (off, child), *_ = neighbours.curves(problem(data))
    assert off < 2 * 0.05**2
    s, y, _ = data.X.T
    assert abs(spearmanr(child.Z[:, 0], y / s).statistic) == pytest.approx(1.0)

"""Rows next to each other show a curve that turns too often for a polynomial."""

from __future__ import annotations

import numpy as np
import pytest

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
    off = neighbours.left_between(x, np.column_stack([3 * x - 1, rng.normal(size=2000)]))
    assert off[0] < 1e-25
    assert off[1] == pytest.approx(1.0, abs=0.1)

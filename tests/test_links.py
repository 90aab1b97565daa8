"""Targets that are roots of quadratic equations, or sums of curves of one column each through a link."""

from __future__ import annotations

import numpy as np
import pytest
from tables import table

from kansym.base.budget import Budget
from kansym.formula.program import Program
from kansym.search.structure.problem import problem
from kansym.search.tree import links, neighbours, quadratics
from kansym.search.tree import search as tree

ROOTS = {
    "two that bind each other": (
        lambda e, s, k: ((e + s + k) - np.sqrt((e + s + k) ** 2 - 4 * e * s)) / (2 * e),
        "esk",
        [(0.5, 5), (0.1, 10), (0.1, 3)],
    ),
    "a corner that is rounded": (
        lambda a, i, p: (a * i + p - np.sqrt((a * i + p) ** 2 - 2.8 * a * i * p)) / 1.4,
        "aip",
        [(0.02, 0.08), (10, 2000), (5, 40)],
    ),
    "the other sign": (lambda p, q: p + np.sqrt(p**2 + 3 * q), "pq", [(-2, 2), (1, 4)]),
}

LINKED = {
    "levels of sound": (lambda a, b: 10 * np.log10(10 ** (a / 10) + 10 ** (b / 10)), "ab", [(50, 80)] * 2),
    "friction in a pipe": (
        lambda e, r: 0.25 / np.log10(e / 3.7 + 5.74 / r**0.9) ** 2,
        "er",
        [(1e-4, 1e-2), (5e3, 1e5)],
    ),
    "capital and labour": (lambda k, w: (0.3 * k**-0.4 + 0.7 * w**-0.4) ** -2.5, "kw", [(1, 10)] * 2),
}


@pytest.mark.parametrize("name", ROOTS)
def test_roots_of_quadratic_equations_are_exact(name):
    law, names, ranges = ROOTS[name]
    seen = problem(table(law, names, ranges))
    (fit,) = quadratics.exact(seen)
    (proposal,) = fit.name()
    fresh = table(law, names, ranges, rows=50, seed=7)
    values = Program.compile(proposal.write(), seen.formulas).value(fresh.X)
    assert np.allclose(values, fresh.y, rtol=1e-9)


@pytest.mark.parametrize(
    "law",
    [
        lambda a, b: np.exp(-a * b) / (1 + b),
        lambda a, b: a + np.sqrt(b) + 1e-5 * np.random.default_rng(0).normal(size=len(a)),
        lambda a, b: np.cbrt(a**2 + b),
    ],
)
def test_what_is_no_such_root_is_none(law):
    assert not quadratics.exact(problem(table(law, "ab", [(1, 3), (1, 2)])))


@pytest.mark.parametrize("name", LINKED)
def test_links_through_which_columns_part_are_found(name):
    law, names, ranges = LINKED[name]
    data = table(law, names, ranges)
    assert links.parted(problem(data))
    found = next(c for c in tree.propose(data, budget=Budget(), deep=False) if c.score < 1e-20)
    fresh = table(law, names, ranges, rows=50, seed=7)
    values = Program.compile(found.expression, problem(data).formulas).value(fresh.X)
    assert np.allclose(values, fresh.y, rtol=1e-9)


def test_where_no_link_parts_the_columns_there_is_none():
    assert not links.parted(problem(table(lambda a, b: np.exp(-a * b) + a, "ab", [(1, 3)] * 2)))
    assert not links.parted(problem(table(lambda a, b: np.sin(a) * np.exp(b), "ab", [(1, 3)] * 2)))


def test_neighbours_show_powers_beyond_those_of_the_grid():
    """A steep r^3 spoils a polynomial; rows next to each other in x/z know it from r^2."""
    data = table(
        lambda r, z, x: r**3 * z / (x**2 + z**2) ** 1.5, "rzx", [(5, 30), (30, 80), (-150, 150)], rows=800
    )
    seen = problem(data)
    off, child = neighbours.curves(seen)[0]
    assert off < 1e-3 and child.width == 1
    assert np.allclose(child.finish(seen.formulas[0]) / seen.formulas[0] ** 4 * seen.formulas[1] ** 2, 1)


def test_a_logarithm_is_taken_back_after_a_move_in_it():
    law, names, ranges = (
        lambda k, u, t: np.exp(-k * t) * (np.exp(k * u) - 1) / k,
        "kut",
        [(0.1, 0.6), (0.5, 3), (3, 12)],
    )
    found = (c for c in tree.propose(table(law, names, ranges), budget=Budget(), deep=False))
    shortest = next(c for c in found if c.score < 1e-20 and c.source == "ratio")
    assert shortest.expression is not None

"""Sums of few products are told from far fewer rows than there are products; what is no such sum is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import table

from kansym.data.dataset import from_arrays
from kansym.formula.program import Program
from kansym.search.structure.problem import problem
from kansym.search.tree import sparse

MANY = "abcdefghijkl"

LAWS = {
    "a level and a slope": (lambda a, t, c, m, b: a * (t - c) * m**2 + b * m**4, "atcmb",
                            [(1, 2), (0, 5), (1, 4), (-2, 2), (0.2, 2)]),
    "two thresholds": (lambda r, n, k, a: r * n * (1 - n / k) * (n / a - 1), "rnka",
                       [(0.2, 1), (1, 90), (50, 120), (5, 20)]),
    "six pairs of twelve": (lambda *c: sum(a * b for a, b in zip(c[::2], c[1::2], strict=True)), MANY,
                            [(0.5, 3)] * 12),
}  # fmt: skip

UNDER = {
    "a reciprocal": (lambda a, n, h, c, p: a * n / (1 + a * h * n + c * p), "anhcp", [(0.5, 4)] * 5),
    "the root of a square": (lambda f, w, v, g: f / np.sqrt((v**2 - w**2) ** 2 + (g * w) ** 2), "fwvg",
                             [(1, 5), (0.2, 3), (1, 2), (0.1, 1)]),
}  # fmt: skip


def same(law, names, ranges, found):
    """Tell whether a formula has a law's values on other rows."""
    fresh = table(law, names, ranges, rows=60, seed=7)
    (proposal,) = found.name()
    formula = found.problem.finish(proposal.write())
    values = Program.compile(formula, problem(fresh).formulas).value(fresh.X)
    return np.max(np.abs(values - fresh.y)) < 1e-9 * np.max(np.abs(fresh.y))


@pytest.mark.parametrize("name", LAWS)
def test_a_hundred_rows_tell_few_of_thousands_of_products(name):
    (found,) = sparse.exact(problem(table(*LAWS[name], rows=100)))
    assert same(*LAWS[name], found)


@pytest.mark.parametrize("name", UNDER)
def test_roots_and_reciprocals_of_such_sums(name):
    asked = problem(table(*UNDER[name], rows=100))
    assert not sparse.exact(asked)
    (found,) = sparse.powers(asked)
    assert same(*UNDER[name], found)


def test_each_of_many_columns_may_stand_in_a_product_of_its_own():
    norm = (lambda *c: np.sqrt(sum(a * a for a in c)), MANY, [(0.5, 3)] * len(MANY))
    (found,) = sparse.powers(problem(table(*norm, rows=250)))
    assert same(*norm, found)


def test_what_is_of_one_degree_needs_two_rows_a_product():
    heron = (
        lambda a, b, c: np.sqrt((a + b + c) * (b + c - a) * (a + c - b) * (a + b - c)) / 4,
        "abc",
        [(5, 8), (5, 8), (4, 7)],
    )
    (found,) = sparse.powers(problem(table(*heron, rows=32)))
    assert same(*heron, found)


@pytest.mark.parametrize(
    ("law", "noise", "rows"),
    [
        (lambda a, b: a * np.sin(3 * b), 0.0, 200),
        (lambda a, b: a * np.exp(-b / 2), 0.0, 200),
        (lambda a, b: a + a * b, 1e-6, 200),
        (lambda a, b: a + a * b, 0.0, sparse.FEWEST_ROWS - 1),
    ],
)
def test_what_is_no_such_sum_or_cannot_be_told_is_none(law, noise, rows):
    asked = problem(table(law, "ab", [(1, 2)] * 2, rows=rows, noise=noise))
    assert sparse.exact(asked) == sparse.powers(asked) == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=5).map(tuple))
def test_the_products_are_all_there_are(signed):
    exponents = sparse.lattice(signed)
    degree = int(np.abs(exponents).sum(axis=1).max())
    assert len(np.unique(exponents, axis=0)) == len(exponents) == sparse._count(signed, degree)
    assert len(exponents) <= sparse.PRODUCTS
    assert degree == sparse.HIGHEST or sparse._count(signed, degree + 1) > sparse.PRODUCTS
    assert np.all(exponents[:, ~np.array(signed)] >= 0)


def test_a_column_of_both_signs_or_with_zeros_has_no_negative_powers():
    rng = np.random.default_rng(0)
    X = rng.integers(-3, 4, (80, 2)).astype(float)
    (found,) = sparse.exact(problem(from_arrays(X, X[:, 0] ** 2 - 3 * X[:, 1], ["a", "b"])))
    formula = found.name()[0].write()
    assert {term.free_symbols.pop().name for term in formula.args} == {"a", "b"}
    values = Program.compile(formula, found.problem.formulas).value(X)
    assert np.max(np.abs(values - X[:, 0] ** 2 + 3 * X[:, 1])) < 1e-9

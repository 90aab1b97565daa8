"""Looks of the tree that cost next to nothing: products of powers, means, chains of functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import table

from kansym.data.dataset import from_arrays
from kansym.formula.program import Program
from kansym.search.structure.problem import problem
from kansym.search.tree import chains, means, monomial

RANGES = [(0.5, 4), (1, 3)]


def values(found, fresh):
    """Return a fit's values on other rows."""
    (proposal,) = found.name()
    formula = found.problem.finish(proposal.write())
    return Program.compile(formula, problem(fresh).formulas).value(fresh.X)


def holds(look, law, names, ranges):
    """Tell whether a look finds a law and its formula has the law's values on other rows."""
    found = look(problem(table(law, names, ranges, rows=200)))
    fresh = table(law, names, ranges, rows=50, seed=5)
    return bool(found) and np.max(np.abs(values(found[0], fresh) - fresh.y)) < 1e-9 * np.max(np.abs(fresh.y))


@settings(max_examples=25, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-1, 1), st.booleans())
def test_products_of_any_powers_and_rates(m, n, k, negative):
    if max(abs(m), abs(n), abs(k)) > 1e-3:
        law = lambda a, b: (-2.5 if negative else 2.5) * a**m * b**n * np.exp(k * b)  # noqa: E731
        assert holds(monomial.exact, law, "ab", RANGES)


def test_a_power_in_a_narrow_range_is_no_ratio_of_logarithms():
    law = lambda t, p: t * (1000 / p) ** 0.2857  # noqa: E731
    assert holds(monomial.exact, law, "tp", [(210, 310), (200, 1050)])


@pytest.mark.parametrize(
    "law",
    [lambda a, b: a**0.3 + b, lambda a, b: a * np.sin(b), lambda a, b: a * b**2 * (1 + 1e-4 * b)],
)
def test_what_is_no_product_is_none(law):
    assert not monomial.exact(problem(table(law, "ab", RANGES, rows=200)))


def test_what_has_both_signs_is_no_product():
    assert not monomial.exact(problem(table(lambda a, b: a * (b - 2), "ab", RANGES, rows=200)))


@pytest.mark.parametrize("k", [-0.6, 0.35, 2.5])
def test_means_of_any_exponent(k):
    law = lambda d, u: (d * u**k + 1 - d) ** (1 / k)  # noqa: E731
    assert holds(means.exact, law, "du", [(0.2, 0.6), (0.1, 5)])


def test_what_is_no_mean_is_none():
    assert not means.exact(problem(table(lambda a, b: a * np.sin(b) + 2, "ab", RANGES, rows=200)))
    assert not means.exact(problem(table(lambda a, b: a - 9 * b, "ab", RANGES, rows=200)))


@pytest.mark.parametrize(
    ("law", "low", "high"),
    [
        (lambda t: -3 * np.log(-np.log(1 - 1 / t)) + 2, 1.1, 500),
        (lambda u: np.sqrt(1 - np.exp(-(u**2))), 0.05, 2),
        (lambda u: np.arctan(np.sqrt(np.cos(u))), 0, 1.5),
    ],
)
def test_functions_of_functions(law, low, high):
    assert holds(chains.exact, law, "u", [(low, high)])


def test_what_is_no_chain_is_none():
    x = np.linspace(0.1, 5, 100)
    assert not chains.exact(problem(from_arrays(x[:, None], x * np.sin(x))))
    assert not chains.exact(problem(from_arrays(x[:, None], np.exp(-0.37 * x))))
    assert not chains.exact(problem(from_arrays(x[:, None], np.log(x) + 1e-6 * np.sin(40 * x))))

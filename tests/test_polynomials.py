"""Exponents in graded order, and products of Chebyshev polynomials with their derivatives."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.base.polynomials import exponents, highest, products


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(0, 6))
def test_every_monomial_comes_once_and_low_degrees_first(columns: int, degree: int) -> None:
    E = exponents(columns, degree)
    assert len(np.unique(E, axis=0)) == len(E) == math.comb(columns + degree, columns)
    assert np.all(np.diff(E.sum(axis=1)) >= 0) and E.sum(axis=1).max() == degree


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.floats(1, 300), st.integers(1, 9))
def test_the_highest_degree_is_the_last_that_fits(columns: int, terms: float, most: int) -> None:
    degree = highest(columns, terms, most)
    assert degree == 1 or math.comb(columns + degree, columns) <= terms
    assert degree == most or math.comb(columns + degree + 1, columns) > terms


def test_products_are_those_of_cosines() -> None:
    angles = np.random.default_rng(0).uniform(0, math.pi, (9, 3))
    E = exponents(3, 4)
    expected = np.stack([np.prod(np.cos(angles * e), axis=1) for e in E], axis=1)
    assert products(np.cos(angles), E) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("by", [0, 1])
def test_derivatives_are_the_slopes_of_the_values(by: int) -> None:
    U, E, step = np.random.default_rng(1).uniform(-1, 1, (8, 2)), exponents(2, 5), np.zeros(2)
    step[by] = 1e-6
    slope = (products(U + step, E) - products(U - step, E)) / 2e-6
    assert products(U, E, by=by) == pytest.approx(slope, abs=1e-7)


def test_degree_nought_alone_is_the_constant() -> None:
    assert np.array_equal(products(np.zeros((3, 2)), exponents(2, 0)), np.ones((3, 1)))
    assert np.array_equal(products(np.zeros((3, 2)), exponents(2, 0), by=1), np.zeros((3, 1)))

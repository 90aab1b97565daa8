"""Polynomials in several columns, term by term: exponents, and products of Chebyshev polynomials."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev


@cache
def exponents(columns: int, degree: int) -> np.ndarray:
    """Return the exponents (k, columns) of all monomials up to a total degree, in graded order.

    >>> exponents(2, 2).tolist()
    [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    rows = []
    for total in range(degree + 1):
        for picks in itertools.combinations_with_replacement(range(columns), total):
            rows.append([picks.count(i) for i in range(columns)])
    E = np.array(rows, int).reshape(len(rows), columns)
    E.flags.writeable = False
    return E


def highest(columns: int, terms: float, most: int) -> int:
    """Return the highest total degree, from 1 to `most`, that has at most so many terms."""
    degree = 1
    while degree < most and math.comb(columns + degree + 1, columns) <= terms:
        degree += 1
    return degree


def products(U: np.ndarray, powers: np.ndarray, by: int | None = None) -> np.ndarray:
    """Return products of Chebyshev polynomials of U's columns (n, d), or their derivatives by one of these.

    `powers` (k, d) are the degrees; the result is (n, k). Columns are best within [-1, 1].
    """
    degree = int(powers.max(initial=0))
    out = np.ones((len(U), len(powers)))
    for i, u in enumerate(U.T):
        table = chebyshev.chebvander(u, degree)
        if i == by:
            table = chebyshev.chebval(u, chebyshev.chebder(np.eye(degree + 1))).T
        out *= table[:, powers[:, i]]
    return out

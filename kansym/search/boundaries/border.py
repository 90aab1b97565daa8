"""Points on the border between two classes, from labelled rows alone.

Where a row's nearest rows have both labels the border is near. A polynomial logit, fitted to the rows about
such places only, is zero there; the rows are moved onto its zero set. How steep the logit is elsewhere does
not matter, so the points are much closer to the border than rows are to each other.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from scipy.spatial import cKDTree

from kansym.base.logistic import logistic

NEIGHBOURS = (8, 16, 32)
"""So many nearest rows are looked at: more where fewer than ENOUGH rows are near the border."""

ENOUGH = 60
ROWS_PER_TERM = 6
MOST_DEGREE = 10
MOST_TERMS = 70
NEWTON_STEPS = 8
LONGEST_STEP = 0.1
CLOSE = 1e-3
RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Border:
    """Hold points (n, d) on the border, and the standard deviation of every column: the unit of distance."""

    points: np.ndarray
    scale: np.ndarray


def border(X: np.ndarray, positive: np.ndarray) -> Border:
    """Return points on the border between the rows that are `positive` (n,) and the others.

    X (n, d) finite. A point is dropped where the rows about it are of one kind.
    """
    low, high = X.min(0), X.max(0)
    middle, scale = (low + high) / 2, np.maximum((high - low) / 2, 1e-300)
    U = (X - middle) / scale
    # neighbours by rank: a few far rows must not make all others look alike
    order = np.sort(X, axis=0)
    tree = cKDTree(_ranks(X, order))
    for count in NEIGHBOURS:
        near = tree.query(tree.data, min(count, len(U)))[1]
        mixed = _both(positive, near)
        if mixed.sum() >= ENOUGH:
            break
    band = mixed[near].any(1)
    powers = _powers(int(band.sum()), U.shape[1])
    beta = logistic(_basis(U[band], powers), positive[band].astype(float), RIDGE)[1]
    P = U[mixed]
    for _ in range(NEWTON_STEPS):
        value, slope = _surface(P, powers, beta)
        step = value[:, None] * slope / np.maximum(np.sum(slope**2, axis=1), 1e-12)[:, None]
        P = P - np.clip(step, -LONGEST_STEP, LONGEST_STEP)
    value, slope = _surface(P, powers, beta)
    there = np.abs(value) < CLOSE * np.linalg.norm(slope, axis=1)
    there &= np.all(np.abs(P) <= 1, axis=1)
    P = P[there] * scale + middle
    if len(P):
        P = P[_both(positive, tree.query(_ranks(P, order), near.shape[1])[1])]
    return Border(P, X.std(0))


def _ranks(X: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return each value's place among the sorted values `order` of its column, between 0 and 1."""
    place = np.linspace(0, 1, len(order))
    return np.column_stack([np.interp(x, o, place) for x, o in zip(X.T, order.T, strict=True)])


def _both(positive: np.ndarray, near: np.ndarray) -> np.ndarray:
    labels = positive[near]
    return np.asarray(labels.any(1) & ~labels.all(1))


def _powers(rows: int, columns: int) -> list[tuple[int, ...]]:
    """Return the exponents of all monomials of the highest degree that so many rows can bear."""
    best = [(0,) * columns]
    for degree in range(1, MOST_DEGREE + 1):
        count = math.comb(columns + degree, columns)
        if degree > 1 and count > min(MOST_TERMS, rows / ROWS_PER_TERM):
            break
        shares = itertools.combinations_with_replacement(range(columns + 1), degree)
        best = [tuple(s.count(i) for i in range(columns)) for s in shares]
    return best


def _basis(U: np.ndarray, powers: list[tuple[int, ...]], by: int | None = None) -> np.ndarray:
    """Return products of Chebyshev polynomials (n, terms), or their derivatives by one column."""
    degree = max(map(sum, powers))
    tables = []
    for i, u in enumerate(U.T):
        table = chebyshev.chebvander(u, degree)
        if i == by:
            identity = np.eye(degree + 1)
            table = np.column_stack([chebyshev.chebval(u, chebyshev.chebder(e)) for e in identity])
        tables.append(table)
    columns = [math.prod(t[:, k] for t, k in zip(tables, p, strict=True)) for p in powers]
    return np.column_stack([np.broadcast_to(c, len(U)) for c in columns])


def _surface(U: np.ndarray, powers: list[tuple[int, ...]], beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    slopes = [_basis(U, powers, i) @ beta for i in range(U.shape[1])]
    return _basis(U, powers) @ beta, np.column_stack(slopes)

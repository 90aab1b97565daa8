"""Points on the border between two classes, from labelled rows alone.

Where a row's nearest rows have both labels the border is near. A polynomial logit, fitted to the rows about
such places only, is zero there; the rows are moved onto its zero set. How steep the logit is elsewhere does
not matter, so the points are much closer to the border than rows are to each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from kansym.base import polynomials
from kansym.base.linear import TINY
from kansym.base.logistic import logistic

NEIGHBOURS = (8, 16, 32)
"""So many nearest rows are looked at: more where fewer than ENOUGH rows are near the border."""

ENOUGH = 60
"""Rows near the border from which no more neighbours are looked at."""

ROWS_PER_TERM, MOST_DEGREE, MOST_TERMS = 6, 10, 70
"""What the logit's polynomial may have: rows for each term, its highest degree, its terms."""

NEWTON_STEPS, LONGEST_STEP = 8, 0.1
"""Newton steps from a row to the zero set, and the longest one, in half widths of the columns."""

CLOSE = 1e-3
"""Distance from the zero set, in half widths, up to which a point is on it."""

RIDGE = 1e-3
"""Penalty on the logit's coefficients: near a clean border they would grow without end."""


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
    middle, scale = (low + high) / 2, np.maximum((high - low) / 2, TINY)
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
    columns, terms = U.shape[1], min(MOST_TERMS, int(band.sum()) / ROWS_PER_TERM)
    powers = polynomials.exponents(columns, polynomials.highest(columns, terms, MOST_DEGREE))
    beta = logistic(polynomials.products(U[band], powers), positive[band].astype(float), RIDGE)[1]
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
    """Tell for each row's neighbours `near` (n, k) whether they are of both kinds."""
    labels = positive[near]
    return np.asarray(labels.any(1) & ~labels.all(1))


def _surface(U: np.ndarray, powers: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the polynomial logit (n,) and its gradient (n, d)."""
    slopes = [polynomials.products(U, powers, by=i) @ beta for i in range(U.shape[1])]
    return polynomials.products(U, powers) @ beta, np.column_stack(slopes)

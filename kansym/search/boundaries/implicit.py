"""Sparse sums of given terms that vanish on given points: g = sum of c_k t_k with g = 0 there.

The distance of a point to g = 0 is |g| / |grad g| to first order, so a set of terms is as good as its
largest eigenvalue of A⁻¹B is large, A the mean of t t', B that of grad t · grad t (Taubin, IEEE PAMI 13,
1991). The trace of A⁻¹B is close to that eigenvalue where a set fits, and comes cheaply for all sets that
add one term to another set; the best are then ranked by their distances themselves (Sampson).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kansym.base import criterion
from kansym.base.linear import TINY

WIDTH = 60_000
"""Sets of one size that are all grown by one term."""

NARROW = 4000
"""Sets of three and more terms that are grown, and sets of each size whose distances are measured."""

CHUNK = 1000
"""Sets that are grown at once: their matrices fit in the cache."""

FAR = 0.2
"""Distances count up to this, in standard deviations: a set may fail on a few points and still rank."""

JITTER = 1e-8
"""Share of a term's mean square that keeps dependent terms apart."""


@dataclass(frozen=True)
class Fit:
    """Hold a set of terms and the root mean square distance of the points to its zero set."""

    terms: tuple[int, ...]
    distance: float


def implicit(
    values: np.ndarray, gradients: np.ndarray, prices: np.ndarray, most: int, count: int
) -> Iterator[list[Fit]]:
    """Yield for each size from 2 to `most` the `count` best sets of terms, the best ones first.

    `values` (n, k) are those of terms on the points, `gradients` (n, k, d) theirs, `prices` (k,) their
    complexities: one symbol must earn `criterion.NODE_PRICE` nats of n·log(distance).
    """
    values, gradients = _levelled(values, gradients)
    n, k = values.shape
    gram = values.T @ values / n + JITTER * np.eye(k)
    slope_gram = np.einsum("nkd,nld->kl", gradients, gradients, optimize=True) / n
    cost = criterion.NODE_PRICE * (prices + 2.0)
    sets = np.arange(k)[:, None]
    for size in range(2, min(most, k) + 1):
        sets = _grown(sets, gram, slope_gram, cost, n, WIDTH if size == 2 else NARROW)
        close = (
            [(_distance(values, gradients, gram, slope_gram, s), s) for s in sets[:NARROW]]
            if len(sets)
            else []
        )
        close.sort(key=lambda f: n * np.log(f[0]) + cost[f[1]].sum())
        yield [Fit(tuple(int(i) for i in s), float(d)) for d, s in close[:count]]


def _levelled(values: np.ndarray, gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return terms scaled to unit size, and points so that the typical gradient is the same at each."""
    r = np.sqrt(np.mean(values * values, axis=0))
    values, gradients = values / r, gradients / r[:, None]
    size = np.exp(
        np.mean(np.log(np.sqrt(np.sum(gradients * gradients, axis=2) + values * values) + 1e-3), axis=1)
    )
    values, gradients = values / size[:, None], gradients / size[:, None, None]
    r = np.sqrt(np.mean(values * values, axis=0))
    return values / r, gradients / r[:, None]


def _grown(
    sets: np.ndarray, gram: np.ndarray, slope_gram: np.ndarray, cost: np.ndarray, n: int, width: int
) -> np.ndarray:
    """Return the best sets with one term more, by the trace of gram⁻¹·slope_gram (Schur)."""
    k = len(gram)
    keys, lengths = [], []
    for at in range(0, len(sets), CHUNK):
        s = sets[at : at + CHUNK]
        own, slopes = gram[s[:, :, None], s[:, None, :]], slope_gram[s[:, :, None], s[:, None, :]]
        a, b = gram[s], slope_gram[s]
        v = np.linalg.solve(own, a)
        schur = gram.diagonal() - np.sum(a * v, axis=1)
        gain = np.sum(v * np.matmul(slopes, v), axis=1) - 2 * np.sum(v * b, axis=1) + slope_gram.diagonal()
        trace = np.trace(np.linalg.solve(own, slopes), axis1=1, axis2=2)
        trace = trace[:, None] + gain / np.maximum(schur, JITTER)
        length = -0.5 * n * np.log(np.maximum(trace, 1e-12)) + cost[s].sum(1)[:, None] + cost
        np.put_along_axis(length, s, np.inf, axis=1)
        flat = length.ravel()
        best = np.argpartition(flat, min(width, len(flat) - 1))[:width]
        best = best[np.isfinite(flat[best])]
        keys.append(np.sort(np.column_stack([s[best // k], best % k]), axis=1))
        lengths.append(flat[best])
    every, at_first = np.unique(np.concatenate(keys), axis=0, return_index=True)
    return every[np.argsort(np.concatenate(lengths)[at_first], kind="stable")[:width]]


def _distance(
    values: np.ndarray, gradients: np.ndarray, gram: np.ndarray, slope_gram: np.ndarray, s: np.ndarray
) -> float:
    """Return the root mean square distance of the points to the zero set of the best coefficients."""
    at = np.ix_(s, s)
    c = _leading(gram[at], slope_gram[at])
    slope = np.einsum("nkd,k->nd", gradients[:, s], c)
    w = np.sum(slope * slope, axis=1)
    w = 1 / (w + 1e-3 * w.mean() + TINY)
    t, g = values[:, s], gradients[:, s]
    own = (t * w[:, None]).T @ t
    c = _leading(
        own + 1e-9 * np.trace(own) * np.eye(len(s)), np.einsum("nkd,nld,n->kl", g, g, w, optimize=True)
    )
    slope = np.einsum("nkd,k->nd", g, c)
    away = np.abs(t @ c) / np.sqrt(np.sum(slope * slope, axis=1) + TINY)
    return float(np.sqrt(np.mean(np.minimum(away, FAR) ** 2))) + 1e-9


def _leading(gram: np.ndarray, slope_gram: np.ndarray) -> np.ndarray:
    """Return the eigenvector of A^-1·B with the largest eigenvalue."""
    values, vectors = np.linalg.eig(np.linalg.solve(gram, slope_gram))
    return np.asarray(vectors[:, np.argmax(values.real)].real)

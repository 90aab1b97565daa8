"""Which columns of a table determine which others: asked by least squares on polynomials, set by set.

Not here: the formulas of what is determined (`relations`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kansym.base import polynomials
from kansym.base.linear import TINY, left

Values = Callable[[np.ndarray], np.ndarray]

LACKING = 0.3
"""A claim lacks a column that lowers what it leaves to less than this share of it."""

ROUNDOFF = 1e-5
"""Share of a column's variance below which nothing is lacking: polynomials leave as much of a smooth law."""

ALONG = 0.2
"""Sine of the angle between a claim's gradient and the span of others' below which it follows from them."""

TREND = 0.5
"""Share of a column's variance that a trend may leave."""


@dataclass(frozen=True)
class Claim:
    """Say that some columns determine another: indices, the mean squared share left, and the polynomial."""

    target: int
    others: tuple[int, ...]
    share: float
    values: Values = field(compare=False)

    @property
    def support(self) -> frozenset[int]:
        """Return all columns that the claim is about."""
        return frozenset((self.target, *self.others))


Claims = dict[tuple[int, tuple[int, ...]], Claim]
"""Claims by the determined column and those that determine it."""


class Survey:
    """Ask a table's rows X (n, columns) what determines what, for at most `limit` sets of each size.

    A third of the rows judge. Columns are mapped to [-1, 1] first, so that long tails do not matter.
    """

    def __init__(self, X: np.ndarray, limit: int, rng: np.random.Generator) -> None:
        self.X, self.limit = X, limit
        self.fit = rng.permutation(len(X)) >= len(X) // 3
        self.maps = [_light(x) for x in X.T]
        self.scaled = np.column_stack([m(x) for m, x in zip(self.maps, X.T, strict=True)])

    def claims(self, largest: int) -> Claims:
        """Return for every column and every small set of others what the set leaves of the column."""
        d = self.X.shape[1]
        targets = {i: [self.scaled[:, i]] for i in range(d)}
        for i in range(d):
            if self.X[:, i].min() < 0 < self.X[:, i].max():
                targets[i].append(self.scaled[:, i] ** 2)  # x² + y² = 1 determines x² only
        found: Claims = {}
        size_before: list[tuple[int, ...]] = []
        for size in range(1, min(largest, d - 1) + 1):
            if math.comb(d, size) <= self.limit:
                sets: list[tuple[int, ...]] = list(itertools.combinations(range(d), size))
            else:
                sets = self.extended(size_before, found)
            for others in sets:
                self.ask(others, targets, found)
            size_before = sets
        return found

    def extended(self, sets: list[tuple[int, ...]], found: Claims) -> list[tuple[int, ...]]:
        """Return the sets of one more column that grow from the best ones of every target."""
        d = self.X.shape[1]
        share = max(1, self.limit // (d * d))
        grown: set[tuple[int, ...]] = set()
        for t in range(d):
            mine = sorted((s for s in sets if (t, s) in found), key=lambda s: found[t, s].share)[:share]
            for s in mine:
                grown |= {tuple(sorted((*s, j))) for j in range(d) if j != t and j not in s}
        return sorted(grown)

    def ask(
        self,
        others: tuple[int, ...],
        targets: Mapping[int, Sequence[np.ndarray]],
        found: Claims,
    ) -> None:
        """Add to `found` what these columns leave of every target (one or two forms of a column)."""
        fit = self.fit
        powers = _powers(len(others), int(fit.sum()))
        A = polynomials.products(self.scaled[:, others], powers)
        columns = [(i, k, v) for i, vs in targets.items() if i not in others for k, v in enumerate(vs)]
        B = np.column_stack([v for *_, v in columns])
        G = A[fit].T @ A[fit]
        G[np.diag_indices(len(G))] += 1e-11 * np.trace(G) / len(G)
        C = np.linalg.solve(G, A[fit].T @ B[fit])
        # a polynomial may leave the column's range on a row at the edge, and one such row drown all others
        guess = np.clip(A[~fit] @ C, B.min(axis=0), B.max(axis=0))
        shares = np.mean((guess - B[~fit]) ** 2, axis=0) / np.var(B[~fit], axis=0)
        for j, (i, k, _) in enumerate(columns):
            key = (i, others)
            if key in found and found[key].share <= shares[j]:
                continue
            found[key] = Claim(i, others, float(shares[j]), self.polynomial(i, k, others, powers, C[:, j]))

    def polynomial(
        self, target: int, kind: int, others: tuple[int, ...], powers: np.ndarray, c: np.ndarray
    ) -> Values:
        """Return the function of the table's rows that vanishes where the claim holds."""

        def values(X: np.ndarray) -> np.ndarray:
            """Return what the claim's polynomial leaves (n,) of rows X."""
            U = np.column_stack([self.maps[i](X[:, i]) for i in others])
            u = self.maps[target](X[:, target])
            return (u**2 if kind else u) - polynomials.products(U, powers) @ c

        return values

    def lacking(self, claim: Claim, claims: Claims) -> bool:
        """Tell whether one more column leaves so much less that the claim lacks it."""
        if claim.share < ROUNDOFF:
            return False
        for j in range(self.X.shape[1]):
            if j == claim.target or j in claim.others:
                continue
            other = claims.get((claim.target, tuple(sorted((*claim.others, j)))))
            if other is not None and other.share < LACKING * claim.share:
                return True
        return False

    def follows(self, claim: Claim, kept: list[Values]) -> bool:
        """Tell whether the claim's gradient is a combination of the kept relations' gradients."""
        if not kept:
            return False
        at = self.X[:: max(1, len(self.X) // 60)]
        new = self.gradient(claim.values, at)
        old = np.stack([self.gradient(v, at) for v in kept], axis=2)
        angles = []
        for g, B in zip(new, old, strict=True):
            norm = np.linalg.norm(g)
            if norm == 0 or not np.all(np.isfinite(B)) or not np.isfinite(norm):
                continue
            angles.append(np.linalg.norm(left(B, g)) / norm)
        return bool(angles) and float(np.median(angles)) < ALONG

    def gradient(self, values: Values, X: np.ndarray) -> np.ndarray:
        """Return (n, columns): central differences, in units of each column's spread."""
        out = np.empty(X.shape)
        for i, spread in enumerate(self.X.std(0)):
            step = np.zeros(X.shape[1])
            step[i] = 1e-4 * spread
            with np.errstate(all="ignore"):
                out[:, i] = (values(X + step) - values(X - step)) / 2e-4
        return out

    def trends(self, claims: Claims, circuits: Sequence[frozenset[int]]) -> list[Claim]:
        """Return the best dependence of every column that is in no circuit, when there is one."""
        out = []
        for t in range(self.X.shape[1]):
            mine = [c for (i, _), c in claims.items() if i == t]
            best = min(mine, key=lambda c: c.share * 1.1 ** len(c.others), default=None)
            if best is not None and best.share < TREND and not any(t in c for c in circuits):
                out.append(best)
        return out


def _light(x: np.ndarray) -> Values:
    """Return a monotone map of a column to [-1, 1]: itself, its logarithm, or ranks if its tails are long."""
    spread = float(np.std(x))
    tail = float(np.mean(((x - x.mean()) / spread) ** 4))
    if tail < 6:
        low, high = float(x.min()), float(x.max())
        return lambda v: (v - low) * (2 / (high - low)) - 1
    if x.min() > 0:
        inner = _light(np.log(x)) if np.std(np.log(x)) > 0 else None
        if inner is not None:
            return lambda v: inner(np.log(np.maximum(v, TINY)))
    middle, scale = float(np.median(x)), float(np.percentile(np.abs(x - np.median(x)), 75))
    scale = scale or spread
    y = np.arcsinh((x - middle) / scale)
    low, high = float(y.min()), float(y.max())
    return lambda v: (np.arcsinh((v - middle) / scale) - low) * (2 / (high - low)) - 1


def _powers(count: int, rows: int) -> np.ndarray:
    """Return the exponents (terms, count) of total degree as high as a quarter of the rows allows."""
    most = {1: 14, 2: 10, 3: 7, 4: 5}.get(count, 4)
    return polynomials.exponents(count, polynomials.highest(count, rows // 4, most))

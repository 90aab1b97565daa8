"""Two entries of a pool that make a target together, found in one sorted list: meet in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import sympy

from kansym.base.jit import njit
from kansym.search.enumeration.pool import Pool
from kansym.search.enumeration.transforms import Target

LOOKS = 1_000_000
"""Entries compared in one pass at most: where keys crowd together, nothing can be distinguished anyway."""

MOST = 400
"""Joins of one kind that are kept for one target."""


SAME = 1e-9
"""Share within which numbers are one: keys of joins, halves, and what is left of a row, to nine digits."""


class Mode(IntEnum):
    """Say how a target t is made of entries e1 and e2."""

    SUM = 0
    """t = c·e1 + α·e2 + β"""
    PRODUCT = 1
    """t = e1·(α·e2 + β)"""
    QUOTIENT = 2
    """t = (α·e2 + β)/e1"""
    ALONE = 3
    """t = α·e2 + β"""


SUM, PRODUCT, QUOTIENT = int(Mode.SUM), int(Mode.PRODUCT), int(Mode.QUOTIENT)  # as compiled code reads them


@dataclass(frozen=True)
class Join:
    """Hold one way in which t is made of an entry, or of two, with constants c, α, β (see `Mode`)."""

    price: float
    mode: Mode
    c: float
    first: int
    second: int
    alpha: float
    beta: float
    target: Target

    def values(self, V: np.ndarray) -> np.ndarray:
        """Return what the join makes of entries' values V (entries, rows) for its target (rows,)."""
        inner = self.alpha * V[self.second] + self.beta
        if self.mode is Mode.SUM:
            inner = self.c * V[self.first] + inner
        elif self.mode is Mode.PRODUCT:
            inner = V[self.first] * inner
        elif self.mode is Mode.QUOTIENT:
            inner = inner / V[self.first]
        return inner

    def expression(self, entries: Pool) -> sympy.Expr:
        """Return the formula for y."""
        inner = number(self.alpha) * entries.expression(self.second) + number(self.beta)
        if self.mode is Mode.SUM:
            inner = number(self.c) * entries.expression(self.first) + inner
        elif self.mode is Mode.PRODUCT:
            inner = entries.expression(self.first) * inner
        elif self.mode is Mode.QUOTIENT:
            inner = inner / entries.expression(self.first)
        return self.target.back(inner)


def number(value: float) -> sympy.Expr:
    """Return a constant: exact where it is a small integer or half of one to nine digits."""
    if abs(value) < 20 and abs(2 * value - round(2 * value)) < SAME:
        return sympy.Rational(round(2 * value), 2)
    return sympy.Float(value)


@dataclass(frozen=True, eq=False)
class Index:
    """Hold a pool's entries sorted by (v2 − v0)/(v1 − v0), which α and β do not change."""

    entries: Pool
    order: np.ndarray
    key: np.ndarray
    second: np.ndarray
    sizes: np.ndarray

    @staticmethod
    def of(entries: Pool) -> Index:
        """Return the index of a pool."""
        V = entries.V
        d = V[:, 1] - V[:, 0]
        usable = np.abs(d) > 1e-5 * np.abs(V).max(axis=1)
        at = np.flatnonzero(usable)
        key = (V[at, 2] - V[at, 0]) / d[at]
        second = (V[at, 3] - V[at, 0]) / d[at]
        order = np.argsort(key, kind="stable")
        return Index(entries, at[order], key[order], second[order], entries.complexity())

    def joins(self, t: np.ndarray, target: Target, part: int) -> list[Join]:
        """Return all the ways in which t is a join of two entries, the first one among the first `part`."""
        found: list[Join] = []
        plan = [(Mode.ALONE, 0.0), (Mode.PRODUCT, 0.0), (Mode.QUOTIENT, 0.0)]
        plan += [(Mode.SUM, c) for c in ((1.0, -1.0, 2.0, 0.5) if target.price == 0 else (1.0, -1.0))]
        for mode, c in plan:
            pairs = np.empty((MOST, 2), np.int64)
            numbers = np.empty((MOST, 2))
            first = 1 if mode is Mode.ALONE else part
            sorted_by = (self.order, self.key, self.second)
            count = _search(int(mode), c, t, self.entries.V, first, *sorted_by, pairs, numbers)
            for (i, j), (alpha, beta) in zip(pairs[:count], numbers[:count], strict=True):
                price = float(self.sizes[j] + target.price + (0 if mode is Mode.ALONE else self.sizes[i] + 1))
                price += 0 if abs(alpha - 1) < SAME else 1.5
                price += 0 if beta == 0 else 2 if abs(2 * beta - round(2 * beta)) < SAME else 2.5
                price += 0 if abs(c) <= 1 else 1
                found.append(Join(price, mode, c, int(i), int(j), float(alpha), float(beta), target))
        return found


@njit
def _search(
    mode: int,
    c: float,
    t: np.ndarray,
    V: np.ndarray,
    part: int,
    order: np.ndarray,
    key: np.ndarray,
    second: np.ndarray,
    pairs: np.ndarray,
    numbers: np.ndarray,
) -> int:
    """Write the joins of t, with values V (entries, rows), into `pairs` and `numbers`; return their count."""
    needed = np.empty(len(t))
    count, looks = 0, 0
    for i in range(part):
        biggest = _needed(mode, c, t, V[i], needed)
        d = needed[1] - needed[0]
        if not abs(d) > 1e-5 * biggest:
            continue
        first, other = (needed[2] - needed[0]) / d, (needed[3] - needed[0]) / d
        # steep expressions all have keys near 0: only round-off may widen the window there
        width = SAME * abs(first) + 1e-14 * (1 + biggest / abs(d))
        at = np.searchsorted(key, first - width)
        while at < len(key) and key[at] <= first + width:
            looks += 1
            if looks > LOOKS:
                return count
            if abs(second[at] - other) <= 1e-8 * abs(other) + 10 * width:
                j = order[at]
                alpha, beta, good = _joined(mode, c, t, V[i], V[j], needed, biggest)
                if good:
                    if count >= len(pairs):
                        return count
                    pairs[count, 0], pairs[count, 1] = i, j
                    numbers[count, 0], numbers[count, 1] = alpha, beta
                    count += 1
            at += 1
    return count


@njit
def _needed(mode: int, c: float, t: np.ndarray, first: np.ndarray, needed: np.ndarray) -> float:
    """Write what α·e2 + β must be beside e1 = `first`; return its largest size, infinite where undefined."""
    biggest = 0.0
    for k in range(len(t)):
        v = first[k]
        if mode == SUM:
            needed[k] = t[k] - c * v
        elif mode == PRODUCT:
            needed[k] = t[k] / v if v != 0.0 else np.nan
        elif mode == QUOTIENT:
            needed[k] = t[k] * v
        else:
            needed[k] = t[k]
        if not np.isfinite(needed[k]):
            return np.inf
        biggest = max(biggest, abs(needed[k]))
    return biggest


@njit
def _joined(
    mode: int,
    c: float,
    t: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    needed: np.ndarray,
    biggest: float,
) -> tuple[float, float, bool]:
    """Return α and β by least squares over all rows, and whether the join then holds on every row."""
    rows = len(t)
    mean, level = 0.0, 0.0
    for k in range(rows):
        mean += second[k]
        level += needed[k]
    mean, level = mean / rows, level / rows
    square, along = 0.0, 0.0
    for k in range(rows):
        square += (second[k] - mean) ** 2
        along += (second[k] - mean) * (needed[k] - level)
    alpha = along / square if square > 0.0 else np.inf
    beta = level - alpha * mean
    if not (np.isfinite(alpha) and abs(beta) <= 1e6 * biggest and biggest < 1e100):
        return alpha, beta, False
    if abs(beta) < SAME * biggest:
        beta = 0.0
    # row by row, against what is added there: a join that holds where it is large is not enough
    for k in range(rows):
        left = alpha * second[k]
        room = abs(needed[k]) + abs(left) + abs(beta)
        if mode == SUM:
            room += abs(t[k]) + abs(c * first[k])
        if not abs(needed[k] - left - beta) <= SAME * room:
            return alpha, beta, False
    return alpha, beta, True

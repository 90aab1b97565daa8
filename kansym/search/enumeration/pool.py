"""Every small expression once: value vectors on a few rows, made bottom-up and kept only when new.

Entries are numbered; an entry is a column, a constant, a function of an entry or an operation on two.
Complexity is the number of symbols. Two expressions with equal values on the probe rows are one entry,
the simpler one. This room makes values and formulas; `enumeration` compares them with a target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from kansym.base.jit import njit
from kansym.functions.library import Function

PROBES = 4
"""Rows that decide whether two value vectors are the same one."""

OPERATIONS = 6
"""Operations on two entries a, b: a + b, a - b, b - a, a*b, a/b, b/a, in this order."""

ADD, SUB, RSUB, MUL, DIV = range(OPERATIONS - 1)
_FORMULAS: tuple[Callable[[sympy.Expr, sympy.Expr], sympy.Expr], ...] = (
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: b - a,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: b / a,
)

BIG = 1e9
"""Entries that exceed this on any row, or stay below its inverse on all, are dropped."""

TRIES = 40
"""Operations tried for each entry of capacity, before a level is cut."""


@njit
def _mix(h: np.uint64, v: float) -> np.uint64:
    """Return a fingerprint with one more value in it, to ten digits."""
    m, e = math.frexp(v)
    q = np.int64(np.round(m * 2.0**34)) * np.int64(4099) + np.int64(e)
    h = (h ^ np.uint64(q)) * np.uint64(0x9E3779B97F4A7C15)
    return h ^ (h >> np.uint64(29))


@njit
def _operate(op: int, a: float, b: float) -> float:
    """Return what an operation makes of two values, NaN for a division by zero."""
    if op == ADD:
        return a + b
    if op == SUB:
        return a - b
    if op == RSUB:
        return b - a
    if op == MUL:
        return a * b
    if op == DIV:
        return a / b if b != 0.0 else np.nan
    return b / a if a != 0.0 else np.nan


@njit
def _slot(table: np.ndarray, h: np.uint64) -> np.uint64:
    """Return where a fingerprint stands in the open-addressed table, or where it would."""
    size = np.uint64(len(table))
    at = h % size
    while table[at] != np.uint64(0) and table[at] != h:
        at = (at + np.uint64(1)) % size
    return at


@njit
def _insert(
    v: np.ndarray, scale: float, V: np.ndarray, top: np.ndarray, table: np.ndarray, count: int
) -> int:
    """Store a vector when it is finite, varies and is new; return the new count."""
    r = len(v)
    low, high, biggest = np.inf, -np.inf, 0.0
    for k in range(r):
        if not np.isfinite(v[k]):
            return count
        low, high = min(low, v[k]), max(high, v[k])
        biggest = max(biggest, abs(v[k]))
    if biggest > BIG or biggest < 1 / BIG or biggest < 1e-9 * scale or high - low < 1e-9 * biggest:
        return count
    h = np.uint64(14695981039346656037)
    for k in range(PROBES):
        h = _mix(h, v[k])
    at = _slot(table, h)
    if h == np.uint64(0) or table[at] == h:
        return count
    table[at] = h
    for k in range(r):
        V[count, k] = v[k]
    top[count] = biggest
    return count + 1


@njit
def _insert_block(
    block: np.ndarray,
    first: int,
    code: int,
    V: np.ndarray,
    top: np.ndarray,
    table: np.ndarray,
    how: np.ndarray,
    count: int,
    capacity: int,
) -> int:
    """Store what unary function `code` makes of the entries from `first` on; return the new count."""
    for i in range(len(block)):
        if count >= capacity:
            return count
        new = _insert(block[i], 0.0, V, top, table, count)
        if new > count:
            how[count, 0], how[count, 1], how[count, 2] = code, first + i, -1
            count = new
    return count


@njit
def _insert_pairs(
    a0: int,
    a1: int,
    b0: int,
    b1: int,
    V: np.ndarray,
    top: np.ndarray,
    table: np.ndarray,
    how: np.ndarray,
    count: int,
    capacity: int,
    tries: int,
) -> tuple[int, int]:
    """Store what every operation makes of entries a0..a1 and b0..b1; return the new count and the tries left.

    Four loops deep: pairs of entries, operations, and the rows of a value vector.
    """
    r = V.shape[1]
    v = np.empty(r)
    for i in range(a0, a1):
        for j in range(b0 if b0 != a0 else i, b1):
            for op in range(OPERATIONS):
                if i == j and op != ADD:
                    continue
                if count >= capacity or tries <= 0:
                    return count, tries
                tries -= 1
                # four probes first: most candidates are known and end here
                h = np.uint64(14695981039346656037)
                fine = True
                for k in range(PROBES):
                    v[k] = _operate(op, V[i, k], V[j, k])
                    fine = fine and np.isfinite(v[k])
                    h = _mix(h, v[k]) if fine else h
                if not fine or table[_slot(table, h)] == h:
                    continue
                for k in range(PROBES, r):
                    v[k] = _operate(op, V[i, k], V[j, k])
                scale = max(top[i], top[j]) if op < MUL else 0.0
                new = _insert(v, scale, V, top, table, count)
                if new > count:
                    how[count, 0], how[count, 1], how[count, 2] = op, i, j
                    count = new
    return count, tries


@dataclass(frozen=True, eq=False)
class Pool:
    """Hold N entries: values V (N, r), how each was made, where each complexity begins.

    `how` rows are (operation, left, right), (OPERATIONS + i, argument, -1) for unary function i, or
    (-1, leaf, -1).
    """

    V: np.ndarray
    how: np.ndarray
    levels: tuple[int, ...]
    leaves: tuple[sympy.Expr, ...]
    unary: tuple[Function, ...]
    constants: int

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.V)

    def complexity(self) -> np.ndarray:
        """Return the number of symbols of every entry."""
        return np.searchsorted(np.array(self.levels), np.arange(len(self)), side="right")

    def expression(self, index: int) -> sympy.Expr:
        """Return an entry's formula."""
        op, a, b = (int(k) for k in self.how[index])
        if op < 0:
            return self.leaves[a]
        if op >= OPERATIONS:
            inner = self.expression(a)
            f = self.unary[op - OPERATIONS].expression
            return f.xreplace(dict.fromkeys(f.free_symbols, inner))
        return _FORMULAS[op](self.expression(a), self.expression(b))


def build(
    X: np.ndarray,
    columns: Sequence[sympy.Expr],
    unary: Sequence[Function],
    capacity: int,
    constants: Sequence[tuple[sympy.Expr, float]],
) -> Pool:
    """Return the pool of all expressions over the rows X (r, d), the simplest first, up to a capacity."""
    r = len(X)
    V = np.empty((capacity, r))
    top = np.zeros(capacity)
    how = np.full((capacity, 3), -1, np.int32)
    table = np.zeros(4 * capacity + 64, np.uint64)
    leaves = [*columns, *(e for e, _ in constants)]
    count = 0
    kept: list[sympy.Expr] = []
    for i, e in enumerate(leaves):
        constant = i >= len(columns)
        v = np.full(r, constants[i - len(columns)][1]) if constant else X[:, i]
        if constant:
            # constants are leaves although they do not vary
            V[count], top[count] = v, abs(v[0])
            new = count + 1
        else:
            new = _insert(np.ascontiguousarray(v), 0.0, V, top, table, count)
        if new > count:
            how[count] = (-1, len(kept), -1)
            kept.append(e)
            count = new
    starts = [0, count]
    level = 2
    tries = TRIES * capacity
    while count < capacity and tries > 0 and level <= 12:
        a, b = starts[level - 2], starts[level - 1]
        for code, f in enumerate(unary):
            with np.errstate(all="ignore"):
                block = np.ascontiguousarray(f(V[a:b]), float)
            count = _insert_block(block, a, OPERATIONS + code, V, top, table, how, count, capacity)
        for left in range(1, level - 1):
            right = level - 1 - left
            if right < left:
                break
            bounds = starts[left - 1], starts[left], starts[right - 1], starts[right]
            count, tries = _insert_pairs(*bounds, V, top, table, how, count, capacity, tries)
        if count == starts[-1]:
            break
        starts.append(count)
        level += 1
    return Pool(V[:count], how[:count], tuple(starts), tuple(kept), tuple(unary), len(constants))

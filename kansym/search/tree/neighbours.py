"""Curves that rows next to each other show: products of powers times any curve of one argument.

A polynomial misses a curve that turns often, or one of several columns in few rows, and with it what could be
divided out. Neighbours do not: where y/(x_1^p·x_2^q) is a curve of x_3 alone, or of (x_3 - x_4)/x_2, a row
lies between its neighbours there whatever the other columns are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import sympy

from kansym.search.structure.problem import Problem
from kansym.search.tree import moves

POWERS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
"""Powers of other columns that are divided out."""

MOST_COLUMNS, FEWEST_ROWS = 4, 40
"""Columns at most, and rows at least, of problems that are looked at."""

BETWEEN = 0.02
"""Share of the target's variance that a row may be off what its neighbours say, at most: a curve of four
waves on 100 rows has 1e-3, a wrong product 0.05 and more."""

CHILDREN = 2
"""Curves that are looked at."""

CLIMBED, STEPS, ROUNDS = 4, (-1.0, -0.5, 0.5, 1.0), 4
"""Products whose powers are changed one at a time as long as rows come nearer to their neighbours: r*R^3/z^2
is beyond POWERS, and R^2 in its place already leaves little."""


@np.errstate(all="ignore")
def curves(problem: Problem) -> list[tuple[float, Problem]]:
    """Return the problems of one column that neighbours show, the clearest first.

    Each comes with the share of its target's variance by which rows are off what their neighbours say.
    """
    rows = np.concatenate([problem.fit, problem.test])
    d = problem.width
    if not 2 <= d <= MOST_COLUMNS or len(rows) < FEWEST_ROWS:
        return []
    found = []
    for argument in _arguments(problem):
        others = [i for i in range(d) if i not in argument.used and problem.one_signed()[i]]
        powers = np.array(list(itertools.product(POWERS, repeat=len(others))))
        off = _off(problem, rows, argument, others, powers)
        found += [(float(off[j]), argument, others, powers[j]) for j in np.flatnonzero(off < BETWEEN)]
    found.sort(key=lambda f: f[0])
    found[:CLIMBED] = [_climbed(problem, rows, *chosen) for chosen in found[:CLIMBED]]
    found.sort(key=lambda f: f[0])
    made = [(off, _divided(problem, *chosen)) for off, *chosen in found[:CHILDREN]]
    return [(off, child) for off, child in made if child is not None]


def _off(
    problem: Problem, rows: np.ndarray, argument: Argument, others: list[int], powers: np.ndarray
) -> np.ndarray:
    """Return what rows are off their neighbours where the target is divided by each of powers (m, others)."""
    order = rows[np.argsort(argument.values[rows], kind="stable")]
    factors = np.exp(np.log(np.abs(problem.Z[order][:, others])) @ powers.T)
    w = problem.w[order]
    return left_between(argument.values[order], problem.y[order] * w, factors * w[:, None])


def _climbed(
    problem: Problem, rows: np.ndarray, off: float, argument: Argument, others: list[int], powers: np.ndarray
) -> tuple[float, Argument, list[int], np.ndarray]:
    """Return a product with the powers from which no step of one of them brings rows nearer to neighbours."""
    steps = np.vstack([s * np.eye(len(others)) for s in STEPS])
    for _ in range(ROUNDS if others else 0):
        offs = _off(problem, rows, argument, others, powers + steps)
        best = int(np.argmin(offs))
        if not offs[best] < off:
            break
        off, powers = float(offs[best]), powers + steps[best]
    return off, argument, others, powers


@dataclass(frozen=True, eq=False)
class Argument:
    """Hold what a curve may be of: its values (n,), its formula, and the columns in it but for a unit."""

    values: np.ndarray
    formula: sympy.Expr
    used: tuple[int, ...]


def _arguments(problem: Problem) -> Iterator[Argument]:
    """Yield the columns, two joined, and such two times another or over it."""
    signed = problem.one_signed()
    columns = [
        Argument(z, f, (k,)) for k, (z, f) in enumerate(zip(problem.Z.T, problem.formulas, strict=True))
    ]
    yield from columns
    for a, b in itertools.combinations(sorted(columns, key=lambda c: bool(signed[c.used[0]])), 2):
        used = a.used + b.used  # a quotient's divisor is of one sign if either is
        for join in moves.JOINS:
            joined = Argument(join.value(a.values, b.values), join.formula(a.formula, b.formula), used)
            if not np.all(np.isfinite(joined.values)):
                continue
            # beside a curve of a product or quotient one column's own power is not seen through the curve
            yield replace(joined, used=a.used) if join.name in ("a*b", "a/b") else joined
            for unit in (c for k, c in enumerate(columns) if signed[k] and k not in used):
                yield Argument(joined.values * unit.values, joined.formula * unit.formula, used)
                yield Argument(joined.values / unit.values, joined.formula / unit.formula, used)


def left_between(x: np.ndarray, y: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return the share (m,) of the variance of y (n,) by which rows are off what their neighbours say.

    x (n,) rises, and y over factors (n, m) is a curve of x. What rows are off by noise of one size is that
    noise, whatever the factors: each is measured in what two neighbours and itself are off together.
    """
    gap = x[2:] - x[:-2]
    part = np.divide(x[1:-1] - x[:-2], gap, out=np.full(len(gap), 0.5), where=gap > 0)[:, None]
    before, after = (1 - part) * factors[1:-1] / factors[:-2], part * factors[1:-1] / factors[2:]
    off = y[1:-1, None] - before * y[:-2, None] - after * y[2:, None]
    share = np.mean(off**2 / (1 + before**2 + after**2), axis=0) / np.var(y)
    return np.where(np.isfinite(share), share, np.inf)


def _divided(problem: Problem, argument: Argument, others: list[int], powers: np.ndarray) -> Problem | None:
    """Return the problem of an argument alone, its target divided by powers of the others."""
    child: Problem | None = problem
    for i, power in zip(others, powers, strict=True):
        if child is not None and power:
            child = moves.divided(child, i, float(power), drop=False)
    return None if child is None else child.columns(argument.values[:, None], (argument.formula,))

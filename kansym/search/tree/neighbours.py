"""Curves that rows next to each other show: a target that is a product of powers times any curve of a column.

A polynomial misses a curve that turns often, and with it what could be divided out. Neighbours do not: where
y/(x_1^p·x_2^q) is a curve of x_3 alone, a row lies between its neighbours in x_3 whatever x_1 and x_2 are.
"""

from __future__ import annotations

import itertools

import numpy as np

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
    for k in range(d):
        others = [i for i in range(d) if i != k and problem.one_signed()[i]]
        powers = np.array(list(itertools.product(POWERS, repeat=len(others))))
        order = rows[np.argsort(problem.Z[rows, k], kind="stable")]
        factors = np.exp(np.log(np.abs(problem.Z[order][:, others])) @ powers.T)
        off = left_between(problem.Z[order, k], problem.y[order, None] / factors)
        found += [(float(off[j]), k, others, powers[j]) for j in np.flatnonzero(off < BETWEEN)]
    found.sort(key=lambda f: f[0])
    made = [(off, _divided(problem, k, others, chosen)) for off, k, others, chosen in found[:CHILDREN]]
    return [(off, child) for off, child in made if child is not None]


def left_between(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the share (m,) of the variance by which values (n, m) are off lines through their neighbours.

    x (n,) rises. It is 1, up to chance, for values that do not depend on it: the unit is the variance of a
    row off the line through two others.
    """
    gap = x[2:] - x[:-2]
    part = np.divide(x[1:-1] - x[:-2], gap, out=np.full(len(gap), 0.5), where=gap > 0)[:, None]
    off = values[1:-1] - (1 - part) * values[:-2] - part * values[2:]
    square = np.mean(off**2 / (1 + part**2 + (1 - part) ** 2), axis=0)
    share = square / np.var(values, axis=0)
    return np.where(np.isfinite(share), share, np.inf)


def _divided(problem: Problem, k: int, others: list[int], powers: np.ndarray) -> Problem | None:
    """Return the problem of column k alone, the target divided by powers of the others."""
    child: Problem | None = problem
    for i, power in zip(others, powers, strict=True):
        if child is not None and power:
            child = moves.divided(child, i, float(power), drop=False)
    return None if child is None else child.columns(child.Z[:, [k]], (child.formulas[k],))

"""Laws of two regimes: one formula up to a place of one column, another beyond it, each exact on its side.

Polynomials of degree two on each side of every place of every column find where the regimes part; each side
is then a problem of its own, and the formulas that answer both say which rows belong to which.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import sympy

from kansym.base.digits import shortest_between
from kansym.formula.guarded import valued
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.tree import ratios, sparse

MOST_COLUMNS = 5
"""Columns up to which a polynomial of degree two tells much on half of some hundred rows."""

SPARE_ROWS = 5
"""Rows that a side must have beyond its polynomial's terms."""

PARTED = 0.7
"""Share of what one polynomial of degree three leaves that two of degree two may. Much that is smooth passes,
too: what is exact on each side decides."""

PLACES = 100
"""Places of a column that are looked at, at least: among those between the law of a side tells the place."""

TRIMMED = 10
"""One in so many rows of a side, those nearest to the place, do not name it: polynomials put the place of
other curves a little off."""

EXACT = 1e-9
"""Share of the target's RMS by which an exact side's formula may miss a row."""

RIDGE = 1e-12
"""Share of a Gram matrix's mean diagonal that is added to it: a column may have few values on a side."""

PRICE = 3.0
"""Symbols of the switch itself."""


@np.errstate(all="ignore")
def exact(problem: Problem) -> list[Fit]:
    """Return the two exact laws between which a problem of the table's own columns switches, if it does."""
    rows = np.sort(np.concatenate([problem.fit, problem.test]))
    Z, y = problem.Z[rows], problem.y[rows]
    plain = all(f.is_Symbol for f in problem.formulas)
    if not (plain and 2 <= problem.width <= MOST_COLUMNS and np.all(np.isfinite(Z)) and np.ptp(y) > 0):
        return []
    found = _place(Z, y)
    if found is None:
        return []
    column, before = found
    order = np.argsort(Z[:, column], kind="stable")
    near = (before - before // TRIMMED, before + (len(y) - before) // TRIMMED)
    left, right = (_answer(problem, rows[part]) for part in (order[: near[0]], order[near[1] :]))
    if left is None or right is None:
        return []
    fits_left, fits_right = (_met(side, problem, Z, y)[order] for side in (left, right))
    before = int(np.argmin(np.append(fits_left, False)))
    if before == len(y) or not np.all(fits_right[before:]):
        return []
    low, high = (float(v) for v in Z[order[before - 1 : before + 1], column])
    step = sympy.Heaviside(problem.formulas[column] - sympy.Rational(repr(shortest_between(low, high))))
    formula = left * (1 - step) + right * step
    price = PRICE + sum(1.0 for _ in sympy.preorder_traversal(left + right))
    return [Fit(1e-24, price, "two regimes", problem, lambda: [Proposal(1e-24, price, lambda: formula)])]


def _place(Z: np.ndarray, y: np.ndarray) -> tuple[int, int] | None:
    """Return the column by whose order two polynomials part the rows best, and how many lie before the place.

    None where a single polynomial of degree three leaves little more.
    """
    U = 2 * (Z - Z.min(0)) / np.where(np.ptp(Z, axis=0) > 0, np.ptp(Z, axis=0), 1.0) - 1
    t = (y - y.mean()) / np.std(y)
    A, smooth = _products(U, 2), _products(U, 3)
    whole = float(np.sum((smooth @ np.linalg.lstsq(smooth, t, rcond=1e-12)[0] - t) ** 2))
    spare, least = A.shape[1] + SPARE_ROWS, PARTED * whole
    found: tuple[int, int] | None = None
    if smooth.shape[1] >= len(t) or whole <= EXACT**2 * len(t):
        return None
    for column in range(Z.shape[1]):
        order = np.argsort(Z[:, column], kind="stable")
        before = np.arange(spare, len(t) - spare)
        before = before[np.diff(Z[order, column])[before - 1] > 0]
        if not len(before):
            continue
        before = before[:: max(len(before) // PLACES, 1)]
        left = _left(A[order], t[order], before) + _left(A[order[::-1]], t[order[::-1]], len(t) - before)
        if left.min() < least:
            least, found = float(left.min()), (column, int(before[np.argmin(left)]))
    return found


def _products(U: np.ndarray, degree: int) -> np.ndarray:
    """Return the products (n, p) of up to so many columns, one of none included."""
    chosen = [
        c for d in range(degree + 1) for c in itertools.combinations_with_replacement(range(U.shape[1]), d)
    ]
    return np.column_stack([np.prod(U[:, list(c)], axis=1) for c in chosen])


def _left(A: np.ndarray, t: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the squares (k,) that columns A (n, p) leave of the first so many rows of t (n,), `counts` (k,).

    Gram matrices are summed row by row.
    """
    last = counts - 1
    gram = np.cumsum(A[:, :, None] * A[:, None, :], axis=0)[last]
    gram += RIDGE * counts[:, None, None] * np.eye(A.shape[1])
    moment = np.cumsum(A * t[:, None], axis=0)[last]
    solved = np.linalg.solve(gram, moment[:, :, None])[:, :, 0]
    return np.cumsum(t * t)[last] - np.sum(moment * solved, axis=1)


def _answer(problem: Problem, rows: np.ndarray) -> sympy.Expr | None:
    """Return the formula that is exact on some rows of a problem: a number, a ratio, a sum of products."""
    y = problem.y[rows]
    if np.ptp(y) <= EXACT * np.abs(y).max():
        return sympy.Float(float(np.mean(y)))
    side = replace(problem, fit=rows, test=rows[:0])
    for solver in (ratios.exact, sparse.exact, sparse.powers):
        if found := solver(side):
            return found[0].problem.finish(found[0].name()[0].write())
    return None


def _met(formula: sympy.Expr, problem: Problem, Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tell of each row (n,) whether a formula meets its target."""
    values = valued(formula, problem.formulas, Z)
    return np.zeros(len(y), bool) if values is None else np.abs(values - y) <= EXACT * np.sqrt(np.mean(y**2))

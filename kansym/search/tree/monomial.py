"""One product of powers and exponentials of the columns as an answer to any problem: a line in logarithms."""

from __future__ import annotations

from functools import partial

import numpy as np
import sympy

from kansym.base.threads import one_thread
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.tree.ratios import TERM_PRICE

EXACT = 1e-12
"""Relative error of the target on all rows above which a product only comes near."""

ROWS_A_TERM = 3
"""Rows for each exponent and rate at least."""


@np.errstate(all="ignore")
def exact(problem: Problem) -> list[Fit]:
    """Return c·x1^n1·x2^n2·exp(k1·x1 + ...) where the target is that exactly, with as few factors as hold it.

    log|y| is a line in the logarithms of the columns above zero and in the columns: least squares.
    """
    rows = np.sort(np.concatenate([problem.fit, problem.test]))
    X, y = problem.Z[rows], problem.y[rows]
    sign = 1.0 if np.all(y > 0) else -1.0
    if np.ptp(y) == 0 or not np.all(sign * y > 0):
        return []
    logs = [(j, True) for j in range(problem.width) if np.all(X[:, j] > 0)]
    factors = [*logs, *((j, False) for j in range(problem.width))]
    if len(rows) < ROWS_A_TERM * (len(factors) + 1):
        return []
    A = np.column_stack([np.log(X[:, j]) if log else X[:, j] for j, log in factors])
    A = np.column_stack([np.ones(len(y)), A])
    if not np.all(np.isfinite(A)):
        return []
    with one_thread():
        kept = _fewest(A, np.log(np.abs(y)))
    if kept is None:
        return []
    powers = np.linalg.lstsq(A[:, kept], np.log(np.abs(y)), rcond=None)[0]
    price = TERM_PRICE * len(kept)
    write = partial(_written, sign, powers, [factors[k - 1] for k in kept[1:]], problem)
    return [Fit(1e-24, price, "product of powers", problem, lambda: [Proposal(1e-24, price, write)])]


def _fewest(A: np.ndarray, b: np.ndarray) -> list[int] | None:
    """Return the columns of A that a line needs to be b exactly, the constant first; None where none is."""
    kept = list(range(A.shape[1]))
    if not _holds(A[:, kept], b):
        return None
    spread = np.ptp(A, axis=0)
    for _ in range(len(kept) - 1):
        factors = np.linalg.lstsq(A[:, kept], b, rcond=None)[0]
        least = 1 + int(np.argmin(np.abs(factors * spread[kept])[1:])) if len(kept) > 1 else 0
        fewer = kept[:least] + kept[least + 1 :]
        if not least or not _holds(A[:, fewer], b):
            break
        kept = fewer
    return kept if len(kept) > 1 else None


def _holds(A: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether a line in the columns of A is b to round-off."""
    left = b - A @ np.linalg.lstsq(A, b, rcond=None)[0]
    return float(np.max(np.abs(left))) <= EXACT * max(1.0, float(np.max(np.abs(b))))


def _written(
    sign: float, powers: np.ndarray, factors: list[tuple[int, bool]], problem: Problem
) -> sympy.Expr:
    """Return a product's formula in the table's columns."""
    found = sympy.Float(sign * float(np.exp(powers[0])))
    for (j, log), n in zip(factors, powers[1:], strict=True):
        x = problem.formulas[j]
        found *= x ** sympy.Float(float(n)) if log else sympy.exp(sympy.Float(float(n)) * x)
    return found

"""Means of any exponent as an answer to any problem: y^k is a ratio in columns raised to the same k.

(d*K^k + (1 - d)*L^k)^(1/k) is the output of capital and labour, (a^k + b^k)^(1/k) how two limits are blended.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import sympy

from kansym.base.threads import one_thread
from kansym.search.structure.models import Fit
from kansym.search.structure.problem import Problem
from kansym.search.tree import extensions, moves

MOST_COLUMNS = 4
"""Columns up to which means are looked for: a choice of columns takes a tenth of a second."""

MOST_RAISED = 2
"""Columns that are raised together."""


@np.errstate(all="ignore")
def exact(problem: Problem) -> list[Fit]:
    """Return the mean that a target above zero is exactly, of some exponent and of one column or two."""
    rows = extensions.telling_rows(problem, MOST_COLUMNS)
    if rows is None or not np.all(problem.y > 0):
        return []
    above = [j for j in range(problem.width) if np.all(problem.Z[:, j] > 0)]
    with one_thread():
        for count in range(1, MOST_RAISED + 1):
            for chosen in itertools.combinations(above, count):
                for k in _exponents(problem, rows, list(chosen)):
                    moved = moves.raised(_raised(problem, list(chosen), k), k)
                    found = [] if moved is None else extensions.confirmed(moved, rows, (), extensions.NEARLY)
                    if found:
                        return found
    return []


def _exponents(problem: Problem, rows: np.ndarray, chosen: list[int]) -> Iterator[float]:
    """Yield exponents k for which y^k is a ratio in the columns with the chosen ones raised to k."""
    logs = np.log(problem.Z[rows][:, chosen])
    logs -= np.median(logs, axis=0)
    u = np.log(problem.y[rows])
    u = u - np.median(u)
    for sign in (1, -1):

        def seen(rate: float, sign: int = sign) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            """Return the columns with their powers, the target's power, and what grows with the exponent."""
            Z, powers = problem.Z[rows].copy(), np.exp(sign * rate * logs)
            Z[:, chosen] = powers
            target = np.exp(sign * rate * u)
            return Z, target, np.maximum(target, powers.max(1))

        for k in extensions.vanishing(seen, problem.width, float(np.ptp(logs, axis=0).max()), len(rows)):
            yield sign * k


def _raised(problem: Problem, chosen: list[int], k: float) -> Problem:
    """Return the problem with the chosen columns raised to k."""
    Z, formulas = problem.Z.copy(), list(problem.formulas)
    for j in chosen:
        Z[:, j] **= k
        formulas[j] = formulas[j] ** sympy.Float(k)
    return problem.columns(Z, tuple(formulas))

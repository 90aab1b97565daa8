"""Links: functions of the target under which the columns part, where neither it nor its logarithm does.

exp(k·y) or y^k is a sum of one curve for each column: levels of sound added, friction in rough pipes, output
of capital and labour. The sums are a linear space; the rate or exponent k is where the angle to it vanishes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar

from kansym.search.structure.problem import Problem
from kansym.search.structure.ridge import chebyshev, unit
from kansym.search.tree import moves

MOST_COLUMNS, FEWEST_ROWS = 4, 60
"""Columns at most and rows at least of problems that are looked at."""

DEGREE, ROWS_A_TERM, ROWS = 12, 4, 400
"""Degree of each column's curve at most, rows for each of its coefficients, and rows at most."""

SLOWEST, FASTEST, RATES = 0.3, 30.0, 30
"""Spans of k·u, u the target or its logarithm, that are tried, and how many."""

STEPS, CLOSING = 30, (1e-5, 1e-7, 1e-9)
"""Steps towards the least angle; distances in log k from which two lines are followed to where they meet."""

NEAR, GAP = 1e-5, 1e-3
"""Sine of the angle below which the columns part, also as a share of those at the neighbouring rates."""

BEFORE = (None, -0.5, -1.0)
"""Powers of the target that are taken before the exponential: friction is given as 1/sqrt(f)."""

DIGITS, ROUND = 5, 1e-6
"""Digits of k that are tried, and how far it may be moved for fewer of them."""


@np.errstate(all="ignore")
def parted(problem: Problem) -> list[Problem]:
    """Return the problems for y^k and exp(k·y) that are sums of one curve for each column."""
    rows = np.concatenate([problem.fit, problem.test])[:ROWS]
    d = problem.width
    if not 2 <= d <= MOST_COLUMNS or len(rows) < FEWEST_ROWS or not np.all(np.isfinite(problem.y)):
        return []
    degree = min(DEGREE, len(rows) // (ROWS_A_TERM * d))
    curves = [chebyshev(_even(z[rows]), degree)[0][:, 1:] for z in problem.Z.T if np.ptp(z[rows]) > 0]
    space = np.linalg.qr(np.hstack([np.ones((len(rows), 1)), *curves]))[0]
    signed = bool(np.all(problem.y > 0) or np.all(problem.y < 0))
    found = []
    for power in BEFORE if signed else (None,):
        seen = problem if power is None else moves.raised(problem, power)
        if seen is not None:
            found += [moves.exponent(seen, k) for k in _rates(seen.y[rows], space)]
    if signed:
        u = np.log(np.abs(problem.y[rows]))
        found += [moves.raised(problem, k) for k in _rates(u, space) if k != 1]
    return [p for p in found if p is not None]


def _even(z: np.ndarray) -> np.ndarray:
    """Return a column within [-1, 1], a wide one in logarithms."""
    return unit(np.log(z) if z.min() > 0 and z.max() > 3 * z.min() else z)[0]


def _rates(u: np.ndarray, space: np.ndarray) -> list[float]:
    """Return the k for which exp(k·u) lies in a space (n, m) with orthonormal columns, k = 0 and 1 aside."""
    u = u - np.median(u)
    span = float(np.ptp(u))
    if not (span > 0 and np.isfinite(span)):
        return []
    found = []
    for sign in (1.0, -1.0):

        def sine(log_rate: float, sign: float = sign) -> float:
            """Return the sine of the angle between exp(k·u), less its mean, and the space."""
            v = np.exp(sign * np.exp(log_rate) * u)
            off = v - space @ (space.T @ v)
            value = float(np.linalg.norm(off) / np.linalg.norm(v - v.mean()))
            return value if np.isfinite(value) else 1.0

        grid = np.log(np.geomspace(SLOWEST, FASTEST, RATES) / span)
        values = [sine(k) for k in grid]
        for i in range(1, RATES - 1):
            around = min(values[i - 1], values[i + 1])
            at = _zero(sine, grid[i - 1], grid[i + 1]) if values[i] < around else None
            if at is not None and sine(at) < min(NEAR, GAP * around):
                found.append(sign * _shortest(float(np.exp(at))))
    return found


def _zero(sine: Callable[[float], float], low: float, high: float) -> float | None:
    """Return where a sine between two places falls to zero in a straight line, None where it does not."""
    at = float(minimize_scalar(sine, bounds=(low, high), method="bounded", options={"maxiter": STEPS}).x)
    for step in CLOSING:
        left, right = sine(at - step), sine(at + step)
        at += step * (left - right) / max(left + right, 1e-300)
    return at if low < at < high else None


def _shortest(rate: float) -> float:
    """Return the number of fewest digits next to a rate."""
    short = (float(f"{rate:.{digits}g}") for digits in range(1, DIGITS))
    return next((r for r in short if abs(r - rate) < ROUND * rate), rate)

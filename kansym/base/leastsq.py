"""The one least-squares core: Levenberg–Marquardt, and variable projection on top of it.

Minimises |r(theta)|² from residuals and their analytic Jacobian (Levenberg 1944, Marquardt 1963; column
scaling after Moré, 1978; damping after Nielsen, 1999). Steps come from orthogonal factorisations, never
from normal equations, and the last ones are undamped Gauss–Newton steps, so that the last digits are
reached; columns are scaled, so that constants of size 1e-34 and 1e20 live together.

Loops that stand apart, and why; `tests/test_leastsq.py` compares each with this core where it says "tested":

* `functions.varpro` (tested): compiled, some 10⁴ fits of up to three constants in one match.
* `functions.varpro_numpy` (tested): SciPy's special functions are only fast for all starts at once.
* `search.structure.ridge`, `search.structure.terms` (tested): many starts, most given up after a few steps;
  solving for a step by normal equations costs a sixth of doing it by orthogonal factors (18 and 113 µs, 700
  rows, 5 exponents), and the best fits are polished with this core.
* `search.structure.curve` (tested): one constant, a rate, so that a step is two dot products.
* `pipeline.collocation` (tested): thousands of coefficients, where J'J fits in memory and J's factors do not;
  its grids move between steps.
* `pipeline.motion.shooting` (tested), above six states: the starts of all segments, thousands of numbers, are
  eliminated segment by segment, so that a step solves for the constants alone.
* `network.training.levenberg` and `batchstep` (tested): all members of an ensemble at once, on tensors, with
  losses of other kinds.
* `base.logistic`: Fisher scoring of a likelihood, not of squares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.base.linear import decomposed, fitted

ResidualAndJacobian = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

EPS = float(np.finfo(float).eps)
FINAL_STEPS = 40
"""Undamped steps at the end, each at least a tenth shorter than the one before."""

SAFE = 1e-200
"""Squares above this and below its inverse are nowhere near the ends of double precision."""

SLACK = 1e-12
"""The share by which a final step may raise the cost: the round-off of residuals far below the values."""


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """Hold a fit: theta (p,), cost = |r|², residual (n,), Jacobian (n, p), covariance (p, p).

    The covariance is (J'J)^-1 |r|²/(n-p); directions that the rows do not determine get a
    pseudo-inverse. `stop_reason` is "converged", "step limit", "no descent" or "undefined start".
    """

    theta: np.ndarray
    cost: float
    residual: np.ndarray
    jacobian: np.ndarray
    covariance: np.ndarray
    steps: int
    stop_reason: str


def levenberg_marquardt(
    residual_and_jacobian: ResidualAndJacobian,
    start: np.ndarray,
    *,
    max_steps: int = 100,
    tolerance: float = 1e-15,
    damping: float = 1e-2,
    feasible: Callable[[np.ndarray], bool] | None = None,
) -> LeastSquares:
    """Minimise |r(theta)|² from `start`.

    Each step solves min |J s + r|² + damping |D s|², D the largest column norms of J so far. Steps to
    non-finite residuals, and to points that `feasible` refuses, are answered by more damping. Converged
    when the cost falls by less than max(tolerance, 1e-10) of itself three times running, or when
    nothing lowers it. `steps` counts accepted and refused steps.
    """
    theta = np.array(start, float)
    r, J = _defined(residual_and_jacobian, theta, feasible)
    cost = _cost(r)
    if not np.isfinite(cost):
        return LeastSquares(theta, cost, r, J, np.zeros((len(theta),) * 2), 0, "undefined start")
    if len(theta) == 0 or cost == 0:
        return LeastSquares(theta, cost, r, J, _covariance(J, cost), 0, "converged")
    scale = np.zeros(len(theta))
    reason, count, grow, stalls = "step limit", 0, 2.0, 0
    while count < max_steps:
        scale = np.maximum(_norms(J), 0.1 * scale)
        U, s, Vt = decomposed(J / scale)
        slope = -(U.T @ r)
        new = np.inf
        while count < max_steps and damping < 1e16:
            count += 1
            # min |J s + r|² + damping |s|² in the singular basis: stable at any rank
            step = Vt.T @ (slope * s / (s * s + damping * s[0] ** 2 + 1e-300)) / scale
            r_new, J_new = _defined(residual_and_jacobian, theta + step, feasible)
            new = _cost(r_new)
            if new < cost:
                break
            damping, grow = damping * grow, min(grow * 2, 1e4)
        if not new < cost:
            reason = "step limit" if count >= max_steps else "no descent"
            break
        predicted = cost - _cost(r + J @ step)
        gain = (cost - new) / predicted if predicted > 0 else 1.0
        fall = (cost - new) / cost
        theta, r, J, cost = theta + step, r_new, J_new, new
        damping = min(max(damping * max(0.05, 1 - (2 * gain - 1) ** 3), 1e-18), 1e15)
        grow = 2.0
        # one tiny fall may be a narrow valley; three in a row are the floor
        stalls = stalls + 1 if fall < max(tolerance, 1e-10) else 0
        if cost == 0 or stalls >= 3:
            reason = "converged"
            break
    if reason != "step limit":
        theta, r, J, cost, flat = _finish(residual_and_jacobian, feasible, theta, r, J, cost)
        reason = "converged" if flat else reason
    return LeastSquares(theta, cost, r, J, _covariance(J, cost), count, reason)


def variable_projection(
    residual_and_jacobian: ResidualAndJacobian, start: np.ndarray, linear: int, **options: Any
) -> LeastSquares:
    """Minimise |r(theta)|² for r linear in the first `linear` constants, which every step solves for.

    `start` holds the other constants; `options` are those of :func:`levenberg_marquardt`, which then sees
    only them, through r and Kaufman's Jacobian (I - QQ')J. The result is of all constants. Golub and Pereyra,
    SIAM J. Numer. Anal. 10 (1973); Kaufman, BIT 15 (1975).
    """

    def solved(others: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
        """Return all constants, the linear ones at their best, residuals, Jacobian and Q."""
        theta = np.concatenate([np.zeros(linear), others])
        r, J = residual_and_jacobian(theta)
        Q = None
        if linear:
            if not (np.isfinite(J).all() and np.isfinite(r).all()):
                return theta, np.full(len(r), np.inf), J, Q
            scale = _norms(J[:, :linear])
            found, Q = fitted(J[:, :linear] / scale, -r)
            theta[:linear] = found / scale
            r, J = residual_and_jacobian(theta)
        return theta, r, J, Q

    def reduced(others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return residuals and Kaufman's Jacobian of the other constants alone."""
        _, r, J, Q = solved(others)
        slopes = J[:, linear:]
        if Q is not None and np.isfinite(J).all():
            slopes = slopes - Q @ (Q.T @ slopes)
        return r, slopes

    others, steps, reason = np.asarray(start, float), 0, "converged"
    if len(others):
        fit = levenberg_marquardt(reduced, others, **options)
        others, steps, reason = fit.theta, fit.steps, fit.stop_reason
    with np.errstate(all="ignore"):
        theta, r, J, _ = solved(others)
    cost = _cost(r)
    known = np.isfinite(cost) and np.all(np.isfinite(J))
    covariance = _covariance(J, cost) if known else np.full((len(theta),) * 2, np.inf)
    return LeastSquares(theta, cost, r, J, covariance, steps, reason)


def _finish(
    function: ResidualAndJacobian,
    feasible: Callable[[np.ndarray], bool] | None,
    theta: np.ndarray,
    r: np.ndarray,
    J: np.ndarray,
    cost: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, bool]:
    """Take undamped steps while they shrink; tell whether the last point is stationary.

    Near the minimum the cost is flat to round-off long before theta is, so a step is judged by the
    length of the one that would follow, in units of theta's own standard errors.
    """
    length, flat = np.inf, cost == 0
    for _ in range(FINAL_STEPS if cost > 0 else 0):
        scale = _norms(J)
        U, s, Vt = decomposed(J / scale)
        keep = s > 1e-13 * s[0]
        target = -(U.T @ r)[keep]
        new_length = float(np.linalg.norm(target))
        flat = new_length <= 1e-6 * np.sqrt(cost) or new_length <= 64 * EPS * float(np.linalg.norm(r))
        if new_length > 0.9 * length or new_length <= 1e-10 * np.sqrt(cost):
            break
        moved = theta + Vt[keep].T @ (target / s[keep]) / scale
        r_new, J_new = _defined(function, moved, feasible)
        new = _cost(r_new)
        if not new <= cost * (1 + SLACK):
            break
        theta, r, J, cost, length = moved, r_new, J_new, new, new_length
    return theta, r, J, cost, flat or cost == 0


def _defined(
    function: ResidualAndJacobian, theta: np.ndarray, feasible: Callable[[np.ndarray], bool] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return residual and Jacobian; a residual of infinities where theta is refused or J undefined."""
    if not np.isfinite(theta).all() or (feasible is not None and not feasible(theta)):
        return np.full(1, np.inf), np.zeros((1, len(theta)))
    with np.errstate(all="ignore"):
        r, J = function(theta)
    r, J = np.asarray(r, float), np.asarray(J, float)
    return (r, J) if np.isfinite(J).all() else (np.full(len(r), np.inf), J)


def _cost(r: np.ndarray) -> float:
    """Return |r|², infinite where it is not finite."""
    with np.errstate(all="ignore"):
        c = float(r @ r)
    return c if np.isfinite(c) else np.inf


def _norms(J: np.ndarray) -> np.ndarray:
    """Return the column norms, safe from over- and underflow, 1 for empty columns."""
    squares = np.einsum("np,np->p", J, J)
    if squares.min(initial=1.0) > SAFE and squares.max(initial=1.0) < 1 / SAFE:
        return np.sqrt(squares)
    top = np.abs(J).max(axis=0)
    top[top == 0] = 1.0
    with np.errstate(over="ignore"):
        norm = top * np.sqrt(np.sum((J / top) ** 2, axis=0))
    norm[norm == 0] = 1.0
    return norm


def _covariance(J: np.ndarray, cost: float) -> np.ndarray:
    """Return (J'J)^-1·cost/(n-p), the pseudo-inverse where the rows do not determine all."""
    n, p = J.shape
    if p == 0 or not np.any(J):
        return np.zeros((p, p))
    norm = _norms(J)
    _, s, Vt = decomposed(J / norm)
    keep = s > 1e-14 * s[0]
    # a constant that hardly matters has a variance beyond floating point: infinite then, in silence
    with np.errstate(over="ignore", invalid="ignore"):
        root = Vt[keep].T / s[keep] / norm[:, None]
        root = root * np.sqrt(cost / max(n - p, 1))
        covariance = root @ root.T
    return np.where(np.isnan(covariance), np.inf, covariance)

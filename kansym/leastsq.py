"""The one Levenberg–Marquardt that affine fits, polish and Pade share.

Minimises |r(theta)|² from residuals and their analytic Jacobian (Levenberg 1944, Marquardt 1963; column
scaling after Moré, 1978). Steps come from a QR factorisation, never from normal equations, so that the
last digits are reached; columns are scaled, so that constants of size 1e-34 and 1e20 live together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

ResidualAndJacobian = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class LeastSquares:
    """Hold a fit: theta (p,), cost = |r|², residual (n,), Jacobian (n, p), covariance (p, p).

    The covariance is (J'J)^-1 |r|²/(n-p); directions that the rows do not determine get a
    pseudo-inverse. `stop_reason` is "converged", "step limit", "undefined start" or "no descent".
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
    damping: float = 1e-3,
) -> LeastSquares:
    """Minimise |r(theta)|² from `start`; steps to non-finite residuals are refused by more damping.

    Each step solves min |J s + r|² + damping |D s|², D the column norms of J. Converged when the cost
    falls by less than `tolerance` of itself at small damping, or when no step lowers it.
    """
    theta = np.array(start, float)
    r, J = residual_and_jacobian(theta)
    cost = _cost(r)
    if not (np.isfinite(cost) and np.all(np.isfinite(J))):
        return LeastSquares(theta, cost, r, J, np.zeros((len(theta),) * 2), 0, "undefined start")
    scale = np.zeros(len(theta))
    reason, step_count, grow = "step limit", 0, 2.0
    stalls = 0
    for step_count in range(1, max_steps + 1):  # noqa: B007
        norm = np.linalg.norm(J, axis=0)
        scale = np.maximum(norm, 0.1 * scale)
        scale[scale == 0] = 1.0
        Q, R = np.linalg.qr(J / scale)
        target = -(Q.T @ r)
        for _ in range(30):
            step = _damped(R, target, damping) / scale
            r_new, J_new = residual_and_jacobian(theta + step)
            new = _cost(r_new)
            if new < cost and np.all(np.isfinite(J_new)):
                break
            damping *= grow
            grow *= 2.0
            if damping > 1e16:
                break
        else:
            new = np.inf
        if not new < cost:
            reason = "converged" if damping > 1e10 or stalls else "no descent"
            break
        predicted = cost - _cost(r + J @ step)
        gain = (cost - new) / predicted if predicted > 0 else 1.0
        fall = (cost - new) / cost if cost > 0 else 0.0
        theta, r, J, cost = theta + step, r_new, J_new, new
        damping = max(damping * max(0.05, 1 - (2 * gain - 1) ** 3), 1e-18)
        grow = 2.0
        # one tiny fall may be a narrow valley; three in a row are the floor
        stalls = stalls + 1 if fall < max(tolerance, 1e-10) else 0
        if cost == 0 or stalls >= 3:
            reason = "converged"
            break
    return LeastSquares(theta, cost, r, J, _covariance(J, cost), step_count, reason)


def _cost(r: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        c = float(r @ r)
    return c if np.isfinite(c) else np.inf


def _damped(R: np.ndarray, target: np.ndarray, damping: float) -> np.ndarray:
    """Return the scaled step of min |R s - target|² + damping |s|², by least squares on the stacked system."""
    p = R.shape[1]
    stacked = np.vstack([R, np.sqrt(damping) * np.eye(p)])
    return np.linalg.lstsq(stacked, np.concatenate([target, np.zeros(p)]), rcond=1e-15)[0]


def _covariance(J: np.ndarray, cost: float) -> np.ndarray:
    n, p = J.shape
    norm = np.linalg.norm(J, axis=0)
    norm[norm == 0] = 1.0
    _, s, Vt = np.linalg.svd(J / norm, full_matrices=False)
    if len(s) == 0 or s[0] == 0:
        return np.zeros((p, p))
    inverse = np.where(s > 1e-14 * s[0], 1 / np.where(s > 0, s, 1.0), 0.0)
    root = Vt.T * inverse / norm[:, None]
    return root @ root.T * (cost / max(n - p, 1))

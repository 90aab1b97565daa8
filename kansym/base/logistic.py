"""Logistic regression that forgives wrong labels, and a line search for the fewest rows on the wrong side."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

MISLABELLED = 0.005
"""Share of labels that may be wrong at any distance, so that no far row bends the boundary."""

RIDGE = 1e-4
"""Penalty on the square of a coefficient, in nats: separable rows have no other end."""


def logistic(A: np.ndarray, y: np.ndarray, ridge: float = RIDGE) -> tuple[float, np.ndarray]:
    """Return mean cross-entropy and coefficients; p = e + (1 - 2e)·sigmoid(A beta), Fisher scoring."""
    beta = np.zeros(A.shape[1])
    n = len(y)
    spread = 1 - 2 * MISLABELLED

    def value(b: np.ndarray) -> float:
        """Return the penalised cross-entropy at some coefficients."""
        p = MISLABELLED + spread * expit(A @ b)
        return float(-np.mean(np.where(y > 0.5, np.log(p), np.log(1 - p))) + 0.5 * ridge / n * b @ b)

    now = value(beta)
    for _ in range(40):
        q = expit(A @ beta)
        p = MISLABELLED + spread * q
        slope = spread * q * (1 - q)
        w = slope**2 / (p * (1 - p)) + 1e-12
        H = (A * w[:, None]).T @ A + ridge * np.eye(len(beta))
        step = np.linalg.solve(H, A.T @ (slope * (y - p) / (p * (1 - p))) - ridge * beta)
        size = 1.0
        while size > 1e-4 and not value(beta + size * step) < now:
            size /= 2
        if size <= 1e-4:
            break
        beta = beta + size * step
        before, now = now, value(beta)
        if before - now < 1e-6 * before:
            break
    return now, beta


def covariance(A: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return the covariance of the coefficients, the inverse of Fisher's information."""
    p = expit(A @ beta)
    w = p * (1 - p) + 1e-12
    return np.linalg.pinv((A * w[:, None]).T @ A + RIDGE * np.eye(len(beta)))


def sharpened(A: np.ndarray, positive: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return coefficients after two sweeps of exact line searches for the fewest rows on the wrong side.

    The logit's slope differs on the two sides of a boundary, which moves the likelihood's zero off it.
    """
    if len(beta) < 2:
        return beta
    beta = beta.copy()
    z = A @ beta
    fixed = int(np.argmax(np.abs(beta)))  # a common factor means nothing
    for _ in range(2):
        for j in range(len(beta)):
            if j == fixed:
                continue
            f = A[:, j]
            rest = z - beta[j] * f
            use = np.abs(f) > 1e-12
            cut = -rest[use] / f[use]
            # raising the coefficient past the cut puts the row on the side of f's sign
            gain = np.where((f[use] > 0) == positive[use], 1, -1)
            # rows of one system share a value: only between distinct cuts is there a choice
            cut, inverse = np.unique(cut, return_inverse=True)
            if len(cut) < 3:
                continue
            right = np.cumsum(np.bincount(inverse, weights=gain))[:-1]
            cut = (cut[1:] + cut[:-1]) / 2
            window = 15 if len(cut) > len(A) // 2 else 1
            near = np.abs(cut - beta[j]) <= 0.5 * abs(beta[j])
            if np.sum(near) < 3:
                continue
            smooth = np.convolve(right, np.ones(window) / window, mode="same")
            top = smooth[near].max()
            level = cut[near][smooth[near] >= top - 1.0]
            if top > np.interp(beta[j], cut, smooth) + 0.5:
                beta[j] = float(np.median(level))
                z = rest + beta[j] * f
    return beta

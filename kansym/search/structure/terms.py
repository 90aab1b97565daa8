"""Fit y = sum_k m_k(x)·f_k(h) for a given argument h, with monomials m_k and any smooth curves f_k.

Only the exponents of the m_k are searched for (variable projection, as in `ridge`); from almost any
start they converge. With constant f_k it fits a sum of power laws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kansym.base.linear import norms


@dataclass(frozen=True, eq=False)
class Terms:
    """Hold one fit: exponents P (terms, variables), coefficients C (terms, basis), residual share."""

    P: np.ndarray
    C: np.ndarray
    share: float


@np.errstate(all="ignore")
def solve(
    L: np.ndarray,
    B: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    P: np.ndarray,
    steps: int,
    good: float,
    give_up: float = 0.0,
) -> Terms:
    """Return the fit reached from exponents P in at most `steps`.

    L (n, d) are logarithms, B (n, m) a basis for the curves of h, y has unit weighted norm. After eight
    steps a fit still above `give_up` is dropped (0 keeps all).
    """
    damping = 1e-2
    r, J, C, share = _linearise(L, B, y, w, P)
    for step in range(steps):
        if share < good or not np.isfinite(share) or (step == 8 and give_up and share > give_up):
            break
        A, g = J.T @ J, J.T @ r
        scale = np.diag(A) + 1e-9 * np.trace(A) + 1e-300
        for _ in range(5):
            move = np.linalg.solve(A + np.diag(damping * scale), -g)
            move *= min(1.0, 1.0 / (np.abs(move).max() + 1e-300))
            trial = _linearise(L, B, y, w, P + move.reshape(P.shape))
            if trial[3] < share:
                break
            damping *= 6
        else:
            break
        gain = share - trial[3]
        P = P + move.reshape(P.shape)
        r, J, C, share = trial
        damping = max(damping / 6, 1e-10)
        if gain < 1e-3 * share and step > 5:
            break
    return Terms(P, C, share)


@np.errstate(all="ignore")
def project(L: np.ndarray, B: np.ndarray, y: np.ndarray, w: np.ndarray, P: np.ndarray) -> Terms:
    """Return the linear fit of the curves at fixed exponents."""
    _, _, C, share = _linearise(L, B, y, w, P, False)
    return Terms(P, C, share)


def _linearise(
    L: np.ndarray, B: np.ndarray, y: np.ndarray, w: np.ndarray, P: np.ndarray, jacobian: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return residual, Jacobian, coefficients and share at exponents P, the coefficients projected out."""
    m = B.shape[1]
    M = np.exp(np.clip(L @ P.T, -60, 60)) * w[:, None]
    Phi = (M[:, :, None] * B[:, None, :]).reshape(len(y), -1)
    norm = norms(Phi)
    Q, R = np.linalg.qr(Phi / norm)
    ty = w * y
    proj = Q.T @ ty
    r = Q @ proj - ty
    share = float(r @ r)
    if not np.isfinite(share):
        return r, np.zeros((len(y), P.size)), np.zeros((len(P), m)), np.inf
    top = np.abs(np.diag(R)).max()
    try:
        c = np.linalg.solve(R + 1e-13 * top * np.eye(len(R)), proj) / norm
    except np.linalg.LinAlgError:
        return r, np.zeros((len(y), P.size)), np.zeros((len(P), m)), np.inf
    C = c.reshape(len(P), m)
    if not jacobian:
        return r, L[:0], C, share
    parts = (Phi * c).reshape(len(y), len(P), m).sum(2)
    J = (parts[:, :, None] * L[:, None, :]).reshape(len(y), -1)
    J = J - Q @ (Q.T @ J)
    return r, J, C, share

"""Fit y = sum_k m_k(x)·f_k(h) for a given argument h, with monomials m_k and any smooth curves f_k.

Only the exponents of the m_k are searched for (variable projection, as in `ridge`); from almost any
start they converge. With constant f_k it fits a sum of power laws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kansym.base.linear import TINY, norms
from kansym.search.structure.ridge import GOOD, power_law


@dataclass(frozen=True, eq=False)
class Terms:
    """Hold one fit: exponents (terms, variables), coefficients (terms, basis), residual share."""

    exponents: np.ndarray
    coefficients: np.ndarray
    share: float


@np.errstate(all="ignore")
def solve(
    logs: np.ndarray,
    basis: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    exponents: np.ndarray,
    steps: int,
    good: float = GOOD,
    give_up: float = 0.0,
) -> Terms:
    """Return the fit reached from exponents (terms, d) in at most `steps`.

    `logs` (n, d) are logarithms, `basis` (n, m) is one for the curves of h, y has unit norm with root weights
    w. After eight steps a fit still above `give_up` is dropped (0 keeps all).
    """
    damping = 1e-2
    r, J, c, share = _linearise(logs, basis, y, w, exponents)
    for step in range(steps):
        if share < good or not np.isfinite(share) or (step == 8 and give_up and share > give_up):
            break
        A, g = J.T @ J, J.T @ r
        scale = np.diag(A) + 1e-9 * np.trace(A) + TINY
        for _ in range(5):
            move = np.linalg.solve(A + np.diag(damping * scale), -g)
            move *= min(1.0, 1.0 / (np.abs(move).max() + TINY))
            trial = _linearise(logs, basis, y, w, exponents + move.reshape(exponents.shape))
            if trial[3] < share:
                break
            damping *= 6
        else:
            break
        gain = share - trial[3]
        exponents = exponents + move.reshape(exponents.shape)
        r, J, c, share = trial
        damping = max(damping / 6, 1e-10)
        if gain < 1e-3 * share and step > 5:
            break
    return Terms(exponents, c, share)


@np.errstate(all="ignore")
def project(
    logs: np.ndarray, basis: np.ndarray, y: np.ndarray, w: np.ndarray, exponents: np.ndarray
) -> Terms:
    """Return the linear fit of the curves at fixed exponents."""
    _, _, c, share = _linearise(logs, basis, y, w, exponents, False)
    return Terms(exponents, c, share)


def _linearise(
    logs: np.ndarray,
    basis: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    exponents: np.ndarray,
    jacobian: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return residual, Jacobian, coefficients and share at some exponents, the coefficients projected out."""
    m, terms = basis.shape[1], len(exponents)
    M = power_law(logs, exponents.T) * w[:, None]
    Phi = (M[:, :, None] * basis[:, None, :]).reshape(len(y), -1)
    norm = norms(Phi)
    Q, R = np.linalg.qr(Phi / norm)
    ty = w * y
    proj = Q.T @ ty
    r = Q @ proj - ty
    share = float(r @ r)
    nowhere = r, np.zeros((len(y), exponents.size)), np.zeros((terms, m)), np.inf
    if not np.isfinite(share):
        return nowhere
    top = np.abs(np.diag(R)).max()
    try:
        c = np.linalg.solve(R + 1e-13 * top * np.eye(len(R)), proj) / norm
    except np.linalg.LinAlgError:
        return nowhere
    c = c.reshape(terms, m)
    if not jacobian:
        return r, logs[:0], c, share
    parts = (Phi * c.ravel()).reshape(len(y), terms, m).sum(2)
    J = (parts[:, :, None] * logs[:, None, :]).reshape(len(y), -1)
    J = J - Q @ (Q.T @ J)
    return r, J, c, share

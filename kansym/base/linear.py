"""What a linear fit needs besides LAPACK: columns of size one, and what their span leaves of a target."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

TINY = 1e-300
"""What stands for nought in a divisor or a logarithm: beside any other number it is nothing."""


DEPENDENT = 1e-9
"""Share of the largest singular value below which a direction is round-off: a column depends on others."""

RANK = 1e-13
"""The same for columns of a fit, of which the smallest solution is wanted."""

UNDETERMINED = 1e-10
"""The same for derivatives by constants: along such a direction the rows do not determine them."""

BLOCK = 64
"""Columns that LAPACK works on at once."""


def span(A: np.ndarray, least: float = DEPENDENT) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the thin SVD (n, k), (k,), (k, p) of A (n, p) without the directions below the share `least`."""
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    kept = s > least * max(s[0], TINY) if len(s) else np.zeros(0, bool)
    return U[:, kept], s[kept], Vt[kept]


def norms(A: np.ndarray) -> np.ndarray:
    """Return the norms (p,) of A's columns (n, p), 1 for zeros, so that A can be divided by them."""
    norm = np.linalg.norm(A, axis=0)
    norm[norm == 0] = 1.0
    return norm


def left(A: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what the least-squares fit of y (n,) by the columns of A (n, p) leaves: y - QQ'y.

    Columns of zeros do not count; the others should be independent.
    """
    norm = np.linalg.norm(A, axis=0)
    Q, _ = np.linalg.qr(A[:, norm > 0] / norm[norm > 0])
    return y - Q @ (Q.T @ y)


def decomposed(A: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the thin SVD (n, k), (k,), (k, p) of a finite A (n, p), straight from LAPACK.

    Of a hundred rows numpy's way there takes longer than the work. Raises LinAlgError where it fails.
    """
    U, s, Vt, failed = lapack.dgesdd(A, full_matrices=0)
    if failed:
        raise np.linalg.LinAlgError("SVD did not converge")
    return U, s, Vt


def basis(A: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (n, p) of the columns of A (n, p), p at most n, straight from LAPACK."""
    return factored(A)[0]


def fitted(A: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least-squares coefficients (p,) of y (n,) by the columns of a finite A (n, p), and Q (n, k).

    The columns have size one. Where they depend on each other the coefficients are the smallest ones.
    """
    n, p = A.shape
    if n < p:
        return np.linalg.lstsq(A, y, rcond=RANK)[0], np.linalg.qr(A)[0]
    Q, R = factored(A)
    sizes = np.abs(np.diagonal(R))
    if sizes.min() < DEPENDENT * sizes.max():
        return np.linalg.lstsq(A, y, rcond=RANK)[0], Q
    return solved(R, Q.T @ y), Q


def factored(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Q (n, k) and R (k, k) of a finite A (n, k) of at least k rows, in half the time of numpy's way.

    What R holds below its diagonal does not count.
    """
    packed, scales = _packed(A)
    return lapack.dorgqr(packed, scales)[0], packed[: A.shape[1]]


def _packed(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return A = QR (n, k) packed, with its (k,) scales; raises ValueError for fewer rows than columns."""
    if not 0 < A.shape[1] <= len(A):
        raise ValueError(f"{A.shape[1]} columns of {len(A)} rows have no QR of this sort: 1 to all rows.")
    packed, scales, _, _ = lapack.dgeqrf(A, lwork=BLOCK * A.shape[1])
    return packed, scales


def squares_left(A: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return for m = 0 to k the square of what the fit of y (n,) by A's first m columns (n, k) leaves.

    A is finite, of at least k rows; its columns are independent, or round-off explains what they do not.
    """
    turned = turned_by(A / norms(A), y).target
    rest: np.ndarray = np.cumsum(turned[::-1] ** 2)[::-1]
    return np.append(rest, 0.0)[: A.shape[1] + 1]


class Turned(NamedTuple):
    """Hold A = QR (n, k), packed with its (k,) scales as LAPACK leaves it, and Q'y (n,), Q being square.

    The fit by the first m columns is the solution of R's first m rows and columns, and leaves the square of
    the target beyond m.
    """

    packed: np.ndarray
    scales: np.ndarray
    target: np.ndarray

    @property
    def leverages(self) -> np.ndarray:
        """Return the leverages (n, k) of the rows in the fits by the first columns, one to k of them."""
        Q: np.ndarray = lapack.dorgqr(self.packed, self.scales)[0]
        return np.cumsum(Q**2, axis=1)


def turned_by(A: np.ndarray, y: np.ndarray) -> Turned:
    """Return a finite A (n, k) of at least k rows and y (n,) turned; Q is not made, which halves the work."""
    packed, scales = _packed(A)
    target, _, _ = lapack.dormqr("L", "T", packed, scales, y[:, None], lwork=BLOCK)
    return Turned(packed, scales, target[:, 0])


def solved(R: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return x (k,) of Rx = y for an upper triangular R (k, k), NaN for a singular one.

    Scipy's way there takes ten times as long.
    """
    x, failed = lapack.dtrtrs(R, y)
    return np.full(len(y), np.nan) if failed else np.asarray(x)

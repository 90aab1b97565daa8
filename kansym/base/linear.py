"""What a linear fit needs besides LAPACK: columns of size one, and what their span leaves of a target."""

from __future__ import annotations

import numpy as np

TINY = 1e-300
"""What stands for nought in a divisor or a logarithm: beside any other number it is nothing."""


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

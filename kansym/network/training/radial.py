"""Radial edges: sums of Gaussians on a grid, the local kernels of section 6 (FastKAN, arXiv 2405.06721).

They live on a layer's knots, as splines do: as many centres as coefficients, one cell apart, one cell wide.
Far outside their grid they vanish and leave the base function.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_RIDGE = 1e-12
"""Share of the diagonal that keeps the fit of overlapping bumps determined."""


def places(knots: Any, order: int) -> tuple[Any, Any]:
    """Return centres (..., C) and width (..., 1) of the Gaussians on knots (..., C + order + 1)."""
    size = knots.shape[-1] - order - 1
    middle = sum(knots[..., a : a + size] for a in range(1, order + 1)) / order
    width = (knots[..., -order - 1] - knots[..., order]) / (size - order)
    return middle, width[..., None]


def basis(knots: np.ndarray, order: int, x: np.ndarray) -> np.ndarray:
    """Return exp(-((x - centre) / width)²) of every centre (n, C) at x (n,)."""
    middle, width = places(knots, order)
    return np.exp(-(((x[:, None] - middle) / width) ** 2))


def fit(knots: np.ndarray, order: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the least-squares coefficients (m, C) of curves y (m, n) at x (n,)."""
    B = basis(knots, order, x)
    gram = B.T @ B
    gram[np.diag_indices_from(gram)] += _RIDGE * gram.max()
    return np.linalg.solve(gram, B.T @ y.T).T


def refit(knots: np.ndarray, coefficients: np.ndarray, order: int, target: np.ndarray) -> np.ndarray:
    """Return the coefficients (m, C') on knots `target` that come closest to the curves (m, C) on `knots`."""
    if np.array_equal(knots, target):
        return coefficients
    ends = target[order], target[-order - 1]
    x = np.linspace(*ends, 4 * len(target))
    return fit(target, order, x, coefficients @ basis(knots, order, x).T)

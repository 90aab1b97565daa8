"""Rows that weigh differently: the roots of their weights, and the spread of a target about its mean.

Weights are inverse variances up to a factor; None says that all rows weigh the same.
"""

from __future__ import annotations

import numpy as np


def roots(weights: np.ndarray | None, rows: int) -> np.ndarray:
    """Return the roots (rows,) of weights, by which residuals are multiplied; ones where there are none."""
    return np.ones(rows) if weights is None else np.sqrt(weights)


def spread(y: np.ndarray, root: np.ndarray) -> float:
    """Return the weighted sum of squares of y (n,) about its mean, the rows' weights given by their roots."""
    return float(np.sum((root * (y - np.average(y, weights=root**2))) ** 2))

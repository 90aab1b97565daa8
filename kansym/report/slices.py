"""A law along one of its inputs, with its prediction band: what pictures draw beside the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kansym.data.dataset import Dataset
from kansym.pipeline.run import Law

POINTS = 81
"""Points of a slice: enough for a curve as wide as a hand."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Hold a law's values (n,) along an input, the others at their medians, and the ends of its band."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


def span(low: float, high: float, beyond: float = 0.35) -> tuple[float, float]:
    """Return the range of a slice: past the data on both sides, but not through zero where it is a border.

    >>> span(1.0, 2.0), span(0.1, 2.1)
    ((0.65, 2.35), (0.0, 2.8))
    """
    wide = beyond * (high - low)
    left, right = low - wide, high + wide
    return (0.0 if left < 0 <= low else left), (0.0 if right > 0 >= high else right)


def path(data: Dataset, name: str, x: np.ndarray) -> np.ndarray:
    """Return rows (n, inputs) along values x (n,) of an input, the others at their medians."""
    X = np.tile(np.median(data.X, axis=0), (len(x), 1))
    X[:, data.names.index(name)] = x
    return X


def along(law: Law, data: Dataset, name: str, x: np.ndarray | None = None) -> Slice:
    """Return a law along an input of the data, by default past their range on both sides."""
    if x is None:
        column = data.column(name)
        x = np.linspace(*span(float(column.min()), float(column.max())), POINTS)
    X = path(data, name, x)
    return Slice(x, law.predict(X, data.names), *law.predict_band(X, data.names))

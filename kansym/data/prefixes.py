"""The same table with columns of very large or very small numbers in thousands, millionths, and so on.

A search counts on numbers near one: a sine's rate that is a whole number, an angle's arcsine, a constant that
is one. Where a table holds metres for micrometres, nothing of that is left; a power of 1000 brings it back.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import sympy

from kansym.data.dataset import Dataset
from kansym.data.dimensions import Rewritten
from kansym.functions.parsing import symbols

ORDINARY = 3.0
"""Numbers within so many decades of one, and columns whose middle is, stay as they are."""

LARGEST_POWER = 50
"""Power of 1000 beyond which its square, which weights are multiplied by, is no double."""

KIN = 2.0
"""Columns whose middles are so many decades apart, or less, share a prefix: they may be added or compared."""


def prefixed(dataset: Dataset) -> Rewritten | None:
    """Return the dataset with columns and target in powers of 1000; None where all are ordinary."""
    powers = _thousands(np.array([_decades(column) for column in dataset.X.T]))
    of_y = int(_thousands(np.array([_decades(dataset.y)]))[0])
    if not of_y and not powers.any():
        return None
    weights = dataset.weights
    small = replace(
        dataset,
        X=np.ascontiguousarray(dataset.X * 1000.0**-powers),
        y=dataset.y * 1000.0**-of_y,
        weights=None if weights is None else weights * 1000.0 ** (2 * of_y),
    )
    unit = sympy.Integer(1000)
    columns = tuple(s * unit ** -int(k) for s, k in zip(symbols(dataset.names), powers, strict=True))
    return Rewritten(small, columns, unit**of_y)


def thousands(decades: float) -> int:
    """Return k of the prefix 1000^k for a number of this log10, 0 for an ordinary one.

    >>> thousands(-5.9), thousands(2.9), thousands(3.1)
    (-2, 0, 1)
    """
    return round(decades / 3) if abs(decades) > ORDINARY else 0


def _decades(values: np.ndarray) -> float:
    """Return log10 of the median size of the values that are not zero; 0 for none."""
    sizes = np.abs(values[values != 0])
    return float(np.median(np.log10(sizes))) if len(sizes) else 0.0


def _thousands(decades: np.ndarray) -> np.ndarray:
    """Return k of the prefix 1000^k for columns whose sizes have these log10; one k for each chain of kin."""
    order = np.argsort(decades)
    chains = np.split(order, np.flatnonzero(np.diff(decades[order]) > KIN) + 1)
    powers = np.zeros(len(decades))
    for chain in chains:
        powers[chain] = thousands(float(np.mean(decades[chain]))) if len(chain) else 0
    return np.clip(powers, -LARGEST_POWER, LARGEST_POWER)

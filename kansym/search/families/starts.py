"""Where the constants of a family are started: a few values for each role, read off the rows.

All that a role looks at is where the inputs lie, and for a frequency the spectrum of what is left; so a
rescaled column gives rescaled starts, and the same fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import signal

from kansym.search.families.family import Start

MOST = 700
"""Combinations of starts that are looked at; of more an evenly spread part is."""

PEAKS = 4
"""Peaks of a spectrum that are tried."""

OVERSAMPLED = 5.0
"""Frequencies in one resolution step of a spectrum."""

MOST_FREQUENCIES, SPECTRUM_ROWS = 6000, 1500
"""Frequencies and rows of a spectrum, at most: its cost is their product."""

EXPONENTS = (-3.0, -2.0, -1.0, -0.5, 0.3, 0.6, 1.3, 2.0, 3.0, 4.5)
SHAPES = (0.3, 0.6, 0.9, 1.5, 2.5, 4.5)
"""Starts of exponents of either sign, and of shapes, which are positive."""

WIDE = 30.0
"""An input that spans more than this ratio is looked at on a logarithmic scale, too."""


def combinations(starts: Sequence[Start], X: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return starts (S, constants) for columns X (n, d); `left` (n,) is what a spectrum is taken of."""
    if not starts:
        return np.zeros((1, 0))
    lists = [values(s.role, X[:, s.column], left) for s in starts]
    sizes = [len(v) for v in lists]
    at = np.unique(np.linspace(0, np.prod(sizes) - 1, MOST).astype(int)) if np.prod(sizes) > MOST else None
    index = np.unravel_index(np.arange(np.prod(sizes)) if at is None else at, sizes)
    return np.column_stack([v[i] for v, i in zip(lists, index, strict=True)])


def values(role: str, x: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return the values that a constant of this role is started at."""
    low, high = float(x.min()), float(x.max())
    span = high - low
    if role == "exponent":
        return np.array(EXPONENTS)
    if role == "shape":
        return np.array(SHAPES)
    if role == "phase":
        return np.array([0.0, 0.25, 0.5, 0.75]) * np.pi
    if role == "frequency":
        return frequencies(x, left)
    if role in ("place", "beyond"):
        return _places(x, low, high, span, role == "beyond")
    if role == "width":
        return span * np.geomspace(0.01, 0.6, 7)
    if role in ("shift", "below"):
        return (1.0 if role == "shift" else -1.0) * (span * np.geomspace(0.01, 8.0, 8) - low)
    if role == "above":
        return high + span * np.geomspace(0.01, 8.0, 8)
    if role == "damping":
        return np.array([0.3, 1.5, 5.0]) / span
    return _scales(role, x, span)


def _places(x: np.ndarray, low: float, high: float, span: float, beyond: bool) -> np.ndarray:
    """Return places within the inputs, or beyond them."""
    if beyond:
        return np.linspace(low - span, high + 2 * span, 13)
    return np.unique(
        np.concatenate([np.linspace(low, high, 13)[1:-1], np.quantile(x, np.linspace(0.1, 0.9, 6))])
    )


def _scales(role: str, x: np.ndarray, span: float) -> np.ndarray:
    """Return values of the constants that go with the size of x: scales, rates, barriers."""
    sizes = np.abs(x[x != 0])
    wide = len(sizes) > 0 and sizes.max() > WIDE * sizes.min()
    if role == "scale":
        small = max(sizes.min(), 1e-6 * sizes.max()) if wide else 0.03 * sizes.max()
        return np.geomspace(small, 3 * sizes.max(), 9)
    if role == "barrier":
        sizes_up = float(np.median(sizes)) * np.geomspace(0.2, 100.0, 8)
        return np.concatenate([sizes_up, -sizes_up[:5]])
    steep = min(span, 3 * sizes.min()) if wide and np.all(x >= 0) else span / 30
    rates = np.geomspace(0.2 / span, 3 / steep, 9)
    if role == "rate up":
        return np.geomspace(0.02 / span, 3 / steep, 9)
    if role == "steepness":
        up = np.geomspace(1.5 / span, 100 / span, 6)
        return np.concatenate([up, -up])
    return np.concatenate([rates, -rates[rates < 30 / span]])


def frequencies(x: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return the angular frequencies of the highest peaks of the Lomb–Scargle spectrum of `left`.

    From a quarter of a wave within the rows to half a wave from row to row (median distance). Lomb,
    Astrophysics and Space Science 39 (1976).
    """
    if len(x) > SPECTRUM_ROWS:
        x, left = x[:SPECTRUM_ROWS], left[:SPECTRUM_ROWS]
    order = np.argsort(x, kind="stable")
    x, left = x[order], left[order] - left.mean()
    span = x[-1] - x[0]
    gaps = np.diff(x)
    gap = float(np.median(gaps[gaps > 0])) if np.any(gaps > 0) else span
    number = int(min(MOST_FREQUENCIES, max(20, OVERSAMPLED * span / (2 * gap))))
    grid = 2 * np.pi / span * np.linspace(0.25, span / (2 * gap), number)
    if not np.any(left):
        return grid[:1]
    power = signal.lombscargle(x - x[0], left, grid)
    inner = np.flatnonzero((power[1:-1] >= power[:-2]) & (power[1:-1] >= power[2:])) + 1
    best = inner[np.argsort(-power[inner], kind="stable")][:PEAKS]
    return grid[best] if len(best) else grid[[int(np.argmax(power))]]

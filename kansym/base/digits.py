"""How finely a target is written: to decimals, or to significant digits."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

MOST_DIGITS = 14
"""Significant digits beyond which numbers are as computed: a double has 15 to 17."""

MOST_ROWS = 2000
"""Rows that tell how a column is written."""


def steps(y: np.ndarray) -> np.ndarray:
    """Return the step (n,) to which each value of y (n,) is rounded; 0 where they are not.

    Of a column in d decimals and s significant digits at most, a value of size 10^e moves in steps of
    10^-d, or 10^(e + 1 - s) where that is larger.
    """
    known = [Decimal(repr(float(v))).normalize().as_tuple() for v in y[:MOST_ROWS] if v != 0]
    if not known or (most := max(len(t.digits) for t in known)) > MOST_DIGITS:
        return np.zeros(len(y))
    finest = 10.0 ** min(int(t.exponent) for t in known)
    size = np.abs(y)
    with np.errstate(divide="ignore"):
        own = np.where(size > 0, 10.0 ** (np.floor(np.log10(size)) + 1 - most), 0.0)
    return np.maximum(finest, own)


def shortest_between(low: float, high: float) -> float:
    """Return the number of fewest digits above `low` and up to `high`, the least of them within the gap."""
    for digits in range(-12, 17):
        near = math.ceil(low * 10.0**digits + 1e-9) / 10.0**digits
        if low < near <= high:
            return near
    return 0.5 * (low + high)

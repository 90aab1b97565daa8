"""Where errors stand in a picture of the front: its axis, and the level of those that are exactly 0."""

from __future__ import annotations

import math
from collections.abc import Sequence

FAR = 20.0
"""Ratio of the largest error to the least from which a plain axis would hide how the small ones differ."""

APART = 0.7
"""Decades, at least, between the level of the exact laws and the least error that is none."""


def exact_level(errors: Sequence[float]) -> float | None:
    """Return the power of ten at which errors of 0 stand on a logarithmic axis; None for a plain axis.

    Round-off is no news: all that is proved exact stands on one level below the rest.

    >>> exact_level([2.0, 0.03, 0.0]), exact_level([2.0, 0.03]), exact_level([2.0, 1.0])
    (0.001, 0.001, None)
    """
    positive = [e for e in errors if e > 0 and math.isfinite(e)]
    least, most = min(positive, default=1.0), max(positive, default=1.0)
    if most <= FAR * least and all(e != 0 for e in errors):
        return None
    return float(f"1e{math.floor(math.log10(least) - APART)}")

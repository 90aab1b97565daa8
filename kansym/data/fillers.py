"""What stands for a number that is not there, and what merged cells leave empty.

Loggers write -999 where they measured nothing, and spreadsheets keep a merged cell's word in its first row
alone. This room knows single columns.
"""

from __future__ import annotations

import numpy as np

from kansym.data.cell import is_gap

APART = 3.0
"""Spreads of the other values between a filler and the nearest of them, at least."""

LONGEST_SHORTEST = 3
"""Times that the longest run of a merged column may be as long as the shortest."""

FILLERS = (*(-(10.0**k - 1) for k in range(2, 7)), -99.9, -99.99, -999.9, -999.99, -9999.9)
"""What loggers write where they measured nothing."""


def filler(values: np.ndarray) -> float | None:
    """Return the number that stands for gaps in a column (n,): nines below zero, far from all others.

    There must be nothing else below zero, or the filler must be the only value so far off.
    """
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() not in FILLERS:
        return None
    others = finite[finite != finite.min()]
    if len(others) < max(3, len(finite) / 2):
        return None
    with np.errstate(over="ignore"):
        far = others.min() - finite.min() > APART * max(np.ptp(others), abs(others.min()) / 10)
    return float(finite.min()) if far or (others.min() >= 0 and np.sum(finite == finite.min()) > 1) else None


def filled_down(cells: list[str | None]) -> list[str] | None:
    """Return a column of words with those of merged cells in all of their rows; None where none are merged.

    Each word stands once, in the first of two and more rows, and the runs are of about one length.
    """
    at = [i for i, c in enumerate(cells) if c is not None and not is_gap(c)]
    words = [str(cells[i]).strip() for i in at]
    if len(at) < 2 or at[0] != 0 or len(set(words)) < len(words):
        return None
    runs = np.diff([*at, len(cells)])
    if runs.min() < 2 or runs.max() > LONGEST_SHORTEST * runs.min():
        return None
    return [word for word, run in zip(words, runs, strict=True) for _ in range(int(run))]

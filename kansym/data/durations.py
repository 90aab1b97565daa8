"""Times of day and durations as seconds, however they are written.

12:30, 1:20.5, 7:45 PM, 1 h 20 min, PT1H20M, 2 days 03:00:00. This room reads columns of text; dates are
`dates`' job.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

DAY = 86_400.0
"""Seconds."""

_CLOCK = re.compile(
    r"\s*(?P<a>\d{1,3}):(?P<b>\d{2})(?::(?P<c>\d{2}))?(?P<part>[.,]\d+|:\d{3}(?!\d))?\s*(?P<half>[AaPp])?(?(half)\.?[Mm]\.?)\s*"
)
_DAYS = re.compile(
    r"\s*(?P<sign>-?)(?P<days>\d+)\s*(?:days?|d)\s*,?\s*(?P<clock>\+?\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?)?\s*"
)
_NUMBER = r"\d+(?:[.,]\d+)?"
_ISO = re.compile(
    rf"\s*P(?:(?P<d>{_NUMBER})D)?(?:T(?:(?P<h>{_NUMBER})H)?(?:(?P<m>{_NUMBER})M)?(?:(?P<s>{_NUMBER})S)?)?\s*"
)
_SPELT = re.compile(
    rf"\s*(?:(?P<d>{_NUMBER})\s*(?:days?|d|Tage?)[\s,]*)?(?:(?P<h>{_NUMBER})\s*(?:h|hrs?|hours?|Std\.?)[\s,]*)?"
    rf"(?:(?P<m>{_NUMBER})\s*(?:min|mins|m|minutes?)[\s,]*)?(?:(?P<s>{_NUMBER})\s*(?:s|secs?|seconds?))?\s*"
)
_POINT = str.maketrans(",:", "..")
_SECONDS = {"d": DAY, "h": 3600.0, "m": 60.0, "s": 1.0}


def seconds(cells: Sequence[str | None]) -> tuple[np.ndarray, str] | None:
    """Return times in seconds (n,), gaps as NaN, and what is said of them; None where a cell is no time.

    Times of day that fall once and more, at each midnight, count on from the first day.
    """
    given = [cell for cell in cells if cell is not None]
    if given and all(_CLOCK.fullmatch(cell) for cell in given):
        return _clock([None if cell is None else _CLOCK.fullmatch(cell) for cell in cells])
    for way in (_with_days, _iso, _spelt):
        found = [np.nan if cell is None else way(cell) for cell in cells]
        if given and not any(value is None for value in found):
            return np.array(found, float), "holds durations: taken in seconds"
    return None


def _clock(found: Sequence[re.Match[str] | None]) -> tuple[np.ndarray, str]:
    """Return the seconds of times like 12:30, 0:01:30, 1:20.5 (minutes) and 7:45 PM."""
    held = [f for f in found if f is not None]
    minutes = not any(f["c"] for f in held) and any(f["part"] for f in held)
    each = (60.0, 1.0, 0.0) if minutes else (3600.0, 60.0, 1.0)
    values = np.full(len(found), np.nan)
    for i, f in enumerate(found):
        if f is not None:
            hours = float(f["a"])
            if f["half"]:
                hours = hours % 12 + 12 * (f["half"] in "Pp")
            values[i] = each[0] * hours + each[1] * float(f["b"]) + each[2] * float(f["c"] or 0)
            values[i] += float((f["part"] or "0").translate(_POINT))
    nights = _nights(values)
    if nights is None:
        return values, "holds times of day or durations: taken in seconds"
    said = "holds times of day that pass midnight: taken in seconds since the first day's"
    return values + DAY * nights, said


def _nights(values: np.ndarray) -> np.ndarray | None:
    """Return the midnights before each of the times of day (n,); None where they pass none.

    They do where they grow from row to row and fall by more than half a day at once.
    """
    held = np.flatnonzero(np.isfinite(values))
    if len(held) < 3 or values[held].max() >= DAY:
        return None
    steps = np.diff(values[held])
    falls = steps < -DAY / 2
    if not falls.any() or np.any(steps[~falls] <= 0):
        return None
    nights = np.zeros(len(values))
    nights[held[1:]] = np.cumsum(falls)
    return nights


def _with_days(cell: str) -> float | None:
    """Return the seconds of "2 days 03:00:00", as frames write them."""
    found = _DAYS.fullmatch(cell)
    if found is None:
        return None
    clock = _CLOCK.fullmatch((found["clock"] or "0:00:00").lstrip("+"))
    if clock is None:
        return None
    total = DAY * float(found["sign"] + found["days"])
    return total + float(_clock([clock])[0][0])


def _iso(cell: str) -> float | None:
    """Return the seconds of PT1H20M."""
    return _sum(_ISO.fullmatch(cell))


def _spelt(cell: str) -> float | None:
    """Return the seconds of "1 h 20 min"."""
    return _sum(_SPELT.fullmatch(cell))


def _sum(found: re.Match[str] | None) -> float | None:
    """Return the sum of a duration's parts in seconds."""
    if found is None or not any(found.groupdict().values()):
        return None
    return sum(
        _SECONDS[name] * float(part.replace(",", ".")) for name, part in found.groupdict().items() if part
    )

"""Dates, times and durations as numbers: days since the first date, days of a duration.

This room reads text and pandas' own kinds; whether a weekday or a season helps is `categories`' to say.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DAY = 86_400.0
"""Seconds."""

TIME_NAMES = frozenset(
    ("t", "time", "timestamp", "date", "second", "minute", "hour", "day", "week", "month", "year")
)
"""What columns of times are called, in the singular."""

_LOOKED_AT = 50  # cells that must all look like dates before a whole column is parsed
_DATE = re.compile(
    r"\s*(?:\w{2,9},?\s+)?(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{8}(?=T)"
    r"|\d{1,2}\.?\s+\w{3,9}\.?,?\s+\d{4}|\w{3,9}\.?\s+\d{1,2},?\s+\d{4}|\d{1,2}-\w{3}-\d{2,4}|\d{4}-\d{2})"
    r"(?:[T\s,]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[AaPp]\.?[Mm]\.?)?\s*(?:Z|UTC|[-+]\d{2}:?\d{2})?)?\s*"
)
_YEAR_FIRST = r"\s*(?:[^\W\d]+,?\s+)?\d{4}[-/.]"
_CLOCK = re.compile(r"\s*(\d{1,3}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*")


@dataclass(frozen=True, eq=False)
class Times:
    """Hold a column of dates or durations: days (n,) with gaps as NaN, and what is said about them.

    `first` is the date from which days count, as ISO text; None for durations. `moments` are the dates.
    """

    values: np.ndarray
    says: str
    first: str | None = None
    moments: pd.DatetimeIndex | None = None


def read(column: pd.Series, first: str | None = None) -> Times | None:
    """Return a column's dates as days since `first` (by default its earliest date); None where it has none.

    Which of 01/02/2023 is the day, the whole column decides: a number above 12 is a day; where none is,
    dates that step evenly one way decide, and month first is assumed, and said, where nothing does.
    """
    import pandas as pd

    kind = column.dtype
    if pd.api.types.is_timedelta64_dtype(kind):
        return Times(column.dt.total_seconds().to_numpy(float) / DAY, "holds durations: taken in days")
    if pd.api.types.is_datetime64_any_dtype(kind):
        return _days(_naive(column), first, "")
    texts = column.dropna().astype(str)
    sample = texts.head(_LOOKED_AT)
    if not len(sample):
        return None
    if all(_CLOCK.fullmatch(t) for t in sample) and (seconds := _clock(column)) is not None:
        return Times(seconds, "holds times of day or durations: taken in seconds")
    if not all(_DATE.fullmatch(t) for t in sample):
        return None
    parsed, guess = _parsed(column, texts)
    return None if parsed is None else _days(parsed, first, guess)


def _days(moments: pd.Series, first: str | None, guess: str) -> Times:
    """Return times as days since the first one, with a note."""
    import pandas as pd

    start = moments.min() if first is None else pd.Timestamp(first)
    values = (moments - start).dt.total_seconds().to_numpy(float) / DAY
    shown = start.isoformat().removesuffix("T00:00:00")
    says = f"holds dates{guess}: taken as days since {shown}"
    return Times(values, says, start.isoformat(), pd.DatetimeIndex(moments))


def _naive(column: pd.Series) -> pd.Series:
    return column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)


def _parsed(column: pd.Series, texts: pd.Series) -> tuple[pd.Series | None, str]:
    """Return the dates in a column of text, and in words what was assumed of their order."""
    import pandas as pd

    numeric = texts.str.extract(r"^\s*(\d{1,2})[-/.](\d{1,2})[-/.](\d{2,4})")
    day_first, guess = False, ""
    if numeric[0].notna().any():
        left, right = numeric[0].astype(float), numeric[1].astype(float)
        dotted = bool(texts.str.contains(r"^\s*\d{1,2}\.").any())  # 1.2.2023 is 1 February everywhere
        day_first = dotted or bool((left > 12).any())
        if not dotted and not (left > 12).any() and not (right > 12).any():
            orders = [_parse(column, first) for first in (False, True)]
            if all(o is not None for o in orders):
                day_first = _unevenness(orders[1]) < _unevenness(orders[0])
                guess = f" (read as {'day' if day_first else 'month'} first)"
    parsed = _parse(column, day_first)
    return (None, "") if parsed is None else (_naive(pd.Series(parsed)), guess)


def _parse(column: pd.Series, day_first: bool) -> pd.Series | None:
    """Return dates with NaT for gaps; None where some text is no date.

    Texts that begin with the year are never day first; times with zones become UTC, whatever the zones.
    """
    import pandas as pd

    begins = column.astype(str).str.match(_YEAR_FIRST)
    parts = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas says so when formats differ between rows
        for rows, order in ((begins, False), (~begins, day_first)):
            try:
                parts.append(
                    pd.to_datetime(column[rows], dayfirst=order, format="mixed", errors="coerce", utc=True)
                )
            except (ValueError, TypeError, OverflowError):
                return None
    parsed = pd.concat(parts).loc[column.index]
    lost = parsed.isna() & column.notna()
    return None if lost.any() else parsed.dt.tz_localize(None)


def _unevenness(moments: pd.Series) -> float:
    """Return how much steps between rows differ, as a share of the median step."""
    steps = np.abs(np.diff(moments.dropna().to_numpy().astype("datetime64[s]").astype(float)))
    return float(np.mean(np.abs(steps - np.median(steps)))) if len(steps) else 0.0


def _clock(column: pd.Series) -> np.ndarray | None:
    """Return times of day in seconds, None where a cell is no such time."""
    found = [None if v is None or v != v else _CLOCK.fullmatch(str(v)) for v in column]
    if any(f is None and v == v and v is not None for f, v in zip(found, column, strict=True)):
        return None
    whole = [f is not None and f[3] is not None for f in found]
    unit = (3600, 60, 1) if any(whole) else (3600, 60, 0)
    return np.array(
        [
            np.nan
            if f is None
            else unit[0] * int(f[1]) + unit[1] * int(f[2]) + float((f[3] or "0").replace(",", "."))
            for f in found
        ]
    )


def time_column(names: Sequence[str], X: np.ndarray) -> str | None:
    """Return the first column that is called a time and grows from row to row, or None."""
    for name, column in zip(names, X.T, strict=True):
        word = re.split(r"[\W_\d]", name.lower(), maxsplit=1)[0]
        if {word, word.removesuffix("s")} & TIME_NAMES and len(column) > 1 and np.all(np.diff(column) > 0):
            return name
    return None

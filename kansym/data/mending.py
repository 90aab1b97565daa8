"""What is mended in a frame of texts before its columns are numbers, and in the numbers right after.

Rows that sum up others go, words of merged cells are filled in, a date and its time become one column,
numbers in other forms become numbers. Each mending appends a line to `notes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from kansym.base.errors import counted, shown
from kansym.data import durations, fillers, forms, periods, totals
from kansym.data.cell import is_number
from kansym.data.cells import Numerals
from kansym.data.dates import is_date

if TYPE_CHECKING:
    import pandas as pd

PARTS_OF_DATES = {
    "year": ("year", "yr", "yyyy", "yy", "jahr", "année", "annee", "año", "anno"),
    "month": ("month", "mon", "mo", "mm", "monat", "mois", "mes", "mese"),
    "day": ("day", "dy", "dd", "dom", "mday", "tag", "jour", "día", "dia", "giorno"),
    "hour": ("hour", "hr", "hh", "stunde", "heure", "hora", "ora"),
    "minute": ("minute", "min", "mn", "mm", "mi"),
}
"""What columns of the parts of a date are called, in the order in which they stand."""

_MIDNIGHT = "T00:00:00"  # behind dates as sheets hold them


def measured(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return the frame of a text without rows that sum up others, words of merged cells in all their rows."""
    texts = [n for n in frame if is_text(frame[n])]
    within = totals.within(frame, texts)
    if within.any():
        which = counted(int(within.sum()), "row")
        notes.append(f"{which} among the others sum up some of them ('Subtotal' and the like): left out")
        frame = frame[~within].reset_index(drop=True)
    count = totals.said(frame, texts)
    if count:
        row = " ".join(str(c) for c in frame.iloc[-count] if isinstance(c, str) or c == c)
        which = "the last row sums" if count == 1 else f"the last {count} rows sum"
        notes.append(f"{which} up the others ({shown(row)}): left out")
        frame = frame.iloc[:-count]
    for name in texts:
        known = frame[name].notna()
        words = fillers.filled_down([str(c) if g else None for c, g in zip(frame[name], known, strict=True)])
        if words is not None and not all(map(is_number, words)):
            place = list(frame.columns).index(name) + 1
            notes.append(f"merged cells: column {place} keeps each word for the rows below it")
            frame = frame.assign(**{name: words})
    return frame


def without_fillers(frame: pd.DataFrame, found: Numerals, notes: list[str]) -> tuple[pd.DataFrame, Numerals]:
    """Return the columns of numbers with gaps where -999 stands for one."""
    import pandas as pd

    for name in frame:
        text = name in found.values
        if not text and not pd.api.types.is_numeric_dtype(frame[name]):
            continue
        values = found.values[name] if text else frame[name].to_numpy(float)
        mark = fillers.filler(values)
        if mark is None:
            continue
        notes.append(
            f"{mark:g} in {counted(int(np.sum(values == mark)), 'row')} of {name!r}: taken as missing"
        )
        cleared = np.where(values == mark, np.nan, values)
        if text:
            found = replace(found, values={**found.values, name: cleared})
        else:
            frame = frame.assign(**{name: cleared})
    return frame, found


def with_errors(frame: pd.DataFrame, found: Numerals, notes: list[str]) -> tuple[pd.DataFrame, Numerals]:
    """Return a frame without its columns "p ±", whose numbers become the errors of those in column "p"."""
    import pandas as pd

    for name in [n for n in frame.columns if str(n).endswith(" ±")]:
        base = str(name).removesuffix(" ±")
        values = found.values.get(name, frame[name])
        if base not in frame.columns or not pd.api.types.is_numeric_dtype(values.dtype):
            continue
        notes.append(f"the column ± behind {base!r}: taken as the errors of its numbers")
        frame = frame.drop(columns=name)
        errors = np.asarray(values, float)
        if np.all(errors[np.isfinite(errors)] > 0):
            found = replace(found, errors={**found.errors, base: errors})
    return frame, found


def formed(frame: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a frame with numbers for fractions, classes and the like, and what is unclear in columns."""
    import pandas as pd

    unclear: dict[str, str] = {}
    for name in [n for n in frame.columns if is_text(frame[n])]:
        texts = frame[name].astype(str).where(frame[name].notna())
        try:
            form = forms.read([str(c) for c in pd.unique(texts.dropna())])
        except forms.UnclearFormError as problem:
            unclear[str(name)] = f"Column {name!r} {problem}"
            continue
        if form is not None:
            notes.append(f"column {name!r} {form.says}")
            frame = frame.assign(**{str(name): texts.map(form.values).astype(float)})
    return frame, unclear


def joined(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return a frame in which a column of dates and one of times beside it are one, where rows follow them.

    They do where dates have several rows side by side in which the times grow; where each row has a date of
    its own, the times may be what was measured.
    """
    texts = [n for n in frame.columns if is_text(frame[n]) and frame[n].notna().all()]
    for pair in pairwise(frame.columns):
        for day, clock in (pair, pair[::-1]) if set(pair) <= set(texts) else ():
            days = [str(cell).strip().removesuffix(_MIDNIGHT) for cell in frame[day]]
            if not all(is_date(cell) and ":" not in cell for cell in days) or not _follow(days, frame[clock]):
                continue
            notes.append(f"columns {day!r} and {clock!r} are date and time of one moment: {day!r} holds both")
            both = [f"{a} {str(b).strip()}" for a, b in zip(days, frame[clock], strict=True)]
            return frame.assign(**{str(day): both}).drop(columns=clock)
    return frame


def dated(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return a frame in which columns of year, month and day side by side, and of hour and minute, are one.

    They are where each row is a date and no row is before the one above it.
    """
    import pandas as pd

    names = [str(name).lower().lstrip("#").strip() for name in frame.columns]
    for start in range(len(names) - 2):
        parts: list[pd.Series] = []
        for words, name in zip(PARTS_OF_DATES.values(), names[start:], strict=False):
            if name not in words or not pd.api.types.is_integer_dtype(frame.iloc[:, start + len(parts)]):
                break
            parts.append(frame.iloc[:, start + len(parts)])
        if len(parts) < 3:
            continue
        if (parts[0] < 100).all():  # years of two digits
            parts[0] = parts[0].map(periods.full_year)
        moments = pd.to_datetime(dict(zip(PARTS_OF_DATES, parts, strict=False)), errors="coerce")
        if moments.isna().any() or not moments.is_monotonic_increasing or moments.nunique() < 2:
            continue
        held = list(frame.columns[start : start + len(parts)])
        notes.append(f"columns {', '.join(map(repr, held))} are the parts of one date: {held[0]!r} holds it")
        return frame.assign(**{str(held[0]): moments}).drop(columns=held[1:])
    return frame


def _follow(days: Sequence[str], clock: pd.Series) -> bool:
    """Tell whether times of day grow in the rows of each date, some of which have several."""
    if not all(":" in str(cell) for cell in clock):
        return False
    found = durations.seconds([str(cell) for cell in clock])
    if found is None:
        return False
    values = found[0] % durations.DAY
    same = np.array([a == b for a, b in pairwise(days)], bool)
    runs = 1 + int(np.sum(~same))
    return bool(same.any() and len(set(days)) == runs and np.all(np.diff(values)[same] > 0))


def is_text(column: pd.Series) -> bool:
    """Tell whether a column holds texts."""
    import pandas as pd

    return pd.api.types.is_object_dtype(column.dtype) or isinstance(column.dtype, pd.StringDtype)

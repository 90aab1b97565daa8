"""Dates, times and durations as numbers: days since the first date, days of a duration.

This room reads text and pandas' own kinds; whether a weekday or a season helps is `inputs`' to say.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kansym.base.errors import InputError
from kansym.data import durations, periods
from kansym.data.durations import DAY
from kansym.data.units import Exponents, factors, parse

if TYPE_CHECKING:
    import pandas as pd

TIME_NAMES = frozenset(
    ("t", "time", "timestamp", "date", "second", "minute", "hour", "day", "week", "month", "year")
)
"""What columns of times are called, in the singular."""

TIMES = (parse([0, 1]).exponents, parse([]).exponents)
"""Exponents of units of times, and of counted steps."""

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
ORDERS = (DAY_FIRST, MONTH_FIRST)
"""How 01/09/2023 can be meant: 1 September, 9 January."""

EVEN = 0.5
"""Share of the median step by which steps may differ from it; months of 28 to 31 days are as even as days."""

FEWEST_STEPS = 3
"""Steps between rows of which an even pace is no chance."""

FEWEST_ORDERED = 6
"""Different dates that fall into order in one reading alone by chance in 2 of 6! = 720 tables."""

LAST_MONTH = 12
"""Number of December: above it a number is a day."""

COMPACT = (1900_01_01, 2100_12_31)
"""Dates as whole numbers: year, month and day."""

FEWEST_COMPACT = 3
"""Different whole numbers that are all dates by chance in one of (10000 / 366)**3 = 20 000 columns."""

_LOOKED_AT = 50  # cells that must all look like dates before a whole column is parsed
_DATE = re.compile(
    r"\s*(?:\w{2,9},?\s+)?(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{8}(?=T)"
    r"|\d{1,2}\.?\s+\w{3,9}\.?,?\s+\d{4}|\w{3,9}\.?\s+\d{1,2},?\s+\d{4}|\d{1,2}-\w{3}-\d{2,4}|\d{4}-\d{2})"
    r"(?:[T\s,]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[AaPp]\.?[Mm]\.?)?\s*(?:Z|UTC|[-+]\d{2}:?\d{2})?)?\s*"
)
_NUMERIC = r"^\s*(?:[^\W\d]+,?\s+)?(\d{1,2})[-/.](\d{1,2})[-/.](?:\d{2,4})"
_YEAR_FIRST = r"\s*(?:[^\W\d]+,?\s+)?\d{4}[-/.]"


class UnclearDatesError(InputError):
    """Say what is unclear in a column's dates, in words that follow the column's name."""


@dataclass(frozen=True, eq=False)
class Times:
    """Hold a column of dates or durations: days (n,) with gaps as NaN, and what is said about them.

    `first` is the date from which days count, as ISO text; None for durations. `moments` are the dates,
    `order` is one of ORDERS where the text has numbers alone.
    """

    values: np.ndarray
    says: str
    first: str | None = None
    moments: pd.DatetimeIndex | None = None
    order: str | None = None


def read(column: pd.Series, first: str | None = None, order: str | None = None) -> Times | None:
    """Return a column's dates as days since `first` (by default its earliest date); None where it has none.

    Which of 01/02/2023 is the day, `order` says, or the whole column: a number above 12 is a day; where none
    is, the reading in which the rows are in order, or go at an even pace, where the other's do not. Raises
    UnclearDatesError where nothing decides and the readings differ, and for dates that are written in another
    order than `order` or in both.
    """
    import pandas as pd

    kind = column.dtype
    if pd.api.types.is_timedelta64_dtype(kind):
        return Times(column.dt.total_seconds().to_numpy(float) / DAY, "holds durations: taken in days")
    if pd.api.types.is_datetime64_any_dtype(kind):
        return _days(_naive(column), first)
    if pd.api.types.is_numeric_dtype(kind):
        moments = _compact(column)
        return None if moments is None else _days(moments, first)
    texts = column.dropna().astype(str)
    sample = texts.head(_LOOKED_AT)
    if not len(sample):
        return None
    if (clock := durations.seconds(list(sample))) is not None:
        given = column.notna()
        clock = durations.seconds([str(c) if g else None for c, g in zip(column, given, strict=True)])
        if clock is not None:
            return Times(*clock)
    if all(periods.begins(t) for t in sample):
        column = column.map(periods.begins, na_action="ignore")  # a text that is none becomes a gap
        if column.notna().sum() < len(texts):
            return None
    elif not all(is_date(t) for t in sample):
        return None
    else:
        column = column.astype(str).where(column.notna()).map(periods.plain_date, na_action="ignore")
    numbered = column.reset_index(drop=True)
    return _ordered(numbered, numbered.dropna().astype(str), first, order)


def is_date(text: str) -> bool:
    """Tell whether a text looks like a date, with or without a time."""
    return _DATE.fullmatch(periods.plain_date(text)) is not None


def _compact(column: pd.Series) -> pd.Series | None:
    """Return the dates in whole numbers like 20230914; None where one of them is no such date."""
    import pandas as pd

    given = column.dropna()
    if pd.api.types.is_bool_dtype(column.dtype) or given.nunique() < FEWEST_COMPACT:
        return None
    if not given.between(*COMPACT).all() or not (given == given.round()).all():
        return None
    parsed = pd.to_datetime(given.astype("int64").astype(str), format="%Y%m%d", errors="coerce")
    return None if parsed.isna().any() else parsed.reindex(column.index)


def shown_order(column: pd.Series) -> str | None:
    """Return the order that a column's own dates show, None where they show none."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return None
    try:
        found = read(column)
    except UnclearDatesError:
        return None
    return None if found is None else found.order


def _ordered(column: pd.Series, texts: pd.Series, first: str | None, order: str | None) -> Times | None:
    """Return the dates in a column of text, read in the order that is asked for or that they show."""
    parts = texts.str.extract(_NUMERIC).dropna().astype(int)
    if not len(parts):
        return _days_in(column, first, None)
    fits = {DAY_FIRST: parts[1] <= LAST_MONTH, MONTH_FIRST: parts[0] <= LAST_MONTH}
    if not (fits[DAY_FIRST] | fits[MONTH_FIRST]).all():
        return None
    against = {known: texts[fit.index[~fit]] for known, fit in fits.items()}
    possible = [known for known in ORDERS if not len(against[known])]
    if not possible:
        day, month = (f"{rows.iloc[0].strip()} in row {rows.index[0] + 1}" for rows in against.values())
        raise UnclearDatesError(
            f"has dates with the day first, {month}, and the month first, {day}; write all of them alike."
        )
    if order is not None and order not in possible:
        wrong = against[order]
        raise UnclearDatesError(
            f"has {wrong.iloc[0].strip()} in row {wrong.index[0] + 1}, which is no date {_spelt(order)}; "
            f"--dates {possible[0]} reads it."
        )
    if order is None and len(possible) == 2 and texts.str.contains(r"^\s*\d{1,2}\.").any():
        order = DAY_FIRST  # 1.2.2023 is 1 February everywhere
    if len(possible) == 1 and (spoilt := _in_both(column, possible[0])):
        raise UnclearDatesError(spoilt)
    readings = [_days_in(column, first, known) for known in ([order] if order else possible)]
    held = [found for found in readings if found is not None]
    return _decided(column, held[0], held[1]) if len(held) == 2 else held[0] if held else None


def _in_both(column: pd.Series, order: str) -> str:
    """Return what is wrong with dates that are in order only if those that can be are read the other way.

    A spreadsheet that expects another order leaves a column so: it turns what it can and keeps the rest.
    """
    day, month = (_days_in(column, None, known) for known in ORDERS)
    both = [found.moments for found in (day, month) if found is not None and found.moments is not None]
    if len(both) < 2:
        return ""
    turned = column.astype(str).str.extract(_NUMERIC).astype(float).max(axis=1).to_numpy() <= LAST_MONTH
    right, wrong = both if order == DAY_FIRST else both[::-1]
    mixed = np.where(turned, wrong, right).astype("datetime64[s]").astype(float)
    plain = right.to_numpy().astype("datetime64[s]").astype(float)
    if _in_order(plain) or not _in_order(mixed) or not turned.any() or turned.all():
        return ""
    at = int(np.flatnonzero(turned)[0])
    return (
        f"has dates {_spelt(order)} and others, as {str(column.iloc[at]).strip()} in row {at + 1}, that are "
        "in order only the other way round, as spreadsheets leave them; write all of them alike."
    )


def _decided(column: pd.Series, day: Times, month: Times) -> Times:
    """Return the reading that the rows decide for; raises UnclearDatesError where they do not."""
    if np.array_equal(day.values, month.values, equal_nan=True):
        return replace(day, says=day.says.replace("dates", "dates (as well with the month first)", 1))
    for holds, why in ((_in_order, "only so are they in order"), (_even, "only so are their steps even")):
        fit = [found for found in (day, month) if holds(found.values)]
        if len(fit) == 1:
            spelt = f"dates {_spelt(fit[0].order)} ({why})"
            return replace(fit[0], says=fit[0].says.replace("dates", spelt, 1))
    assert day.moments is not None and month.moments is not None
    at = int(np.flatnonzero((day.moments != month.moments) & ~day.moments.isna())[0])
    said = [f"{m[at].day} {m[at].month_name()} {m[at].year}" for m in (day.moments, month.moments)]
    raise UnclearDatesError(
        f"can be read in two ways: {str(column.iloc[at]).strip()} in row {at + 1} is {said[0]} "
        f"{_spelt(DAY_FIRST)}, and {said[1]} {_spelt(MONTH_FIRST)}; decide by --dates {DAY_FIRST} or "
        f"--dates {MONTH_FIRST} (in Python read_table with dates={DAY_FIRST!r} or dates={MONTH_FIRST!r})."
    )


def _spelt(order: str | None) -> str:
    """Return an order in words."""
    return "with the day first" if order == DAY_FIRST else "with the month first"


def _in_order(days: np.ndarray) -> bool:
    """Tell whether enough different times come one after the other, forwards or backwards."""
    held = days[np.isfinite(days)]
    steps = np.diff(held)
    return len(np.unique(held)) >= FEWEST_ORDERED and bool(np.all(steps >= 0) or np.all(steps <= 0))


def _even(days: np.ndarray) -> bool:
    """Tell whether all steps from row to row are of about one size."""
    steps = np.diff(days[np.isfinite(days)])
    if len(steps) < FEWEST_STEPS or not (middle := float(np.median(steps))):
        return False
    return bool(np.all(np.abs(steps - middle) <= EVEN * abs(middle)))


def _days_in(column: pd.Series, first: str | None, order: str | None) -> Times | None:
    """Return the dates in a column of text, None where one is none."""
    parsed = _parse(column, order == DAY_FIRST)
    return None if parsed is None else replace(_days(parsed, first), order=order)


def _days(moments: pd.Series, first: str | None) -> Times:
    """Return times as days since the first one, with a note."""
    import pandas as pd

    start = moments.min() if first is None else pd.Timestamp(first)
    values = (moments - start).dt.total_seconds().to_numpy(float) / DAY
    shown = start.isoformat().removesuffix("T00:00:00")
    says = f"holds dates: taken as days since {shown}"
    return Times(values, says, start.isoformat(), pd.DatetimeIndex(moments))


def _naive(column: pd.Series) -> pd.Series:
    return column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)


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


def time_column(
    names: Sequence[str], X: np.ndarray, units: Mapping[str, Exponents] | None = None
) -> str | None:
    """Return the first column that is called a time and grows from row to row, or None."""
    for name, column in zip(names, X.T, strict=True):
        other = units is not None and name in units and units[name] not in TIMES
        if called_a_time(name) and not other and len(column) > 1 and np.all(np.diff(column) > 0):
            return name
    return None


def called_a_time(name: str) -> bool:
    """Tell whether the first word of a column's name is one for a time, which "T (°C)" is not."""
    word = re.split(r"[\W_\d]", name.lower(), maxsplit=1)[0]
    unit = re.search(r"[\[(]([^\[\]()]+)[\])]$", name)
    return bool({word, word.removesuffix("s")} & TIME_NAMES) and not (unit and _of_another(unit[1]))


def _of_another(text: str) -> bool:
    """Tell whether a text is a unit of something else than times."""
    try:
        factors(text)
    except InputError:
        return False  # no unit at all
    try:
        return parse(text).exponents not in TIMES
    except InputError:
        return True  # a temperature with a zero point of its own

"""What a table's columns become as inputs: numbers, days since a date, levels of a category, seasons.

This room decides for each column and remembers how it was made, so that the rows of another table become
inputs in the same way. Dropping rows and columns is `repair`'s and `gaps`' job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special

from kansym.base.errors import InputError, UnknownNameError
from kansym.data import dates, units
from kansym.data.table import Column, Table, column, times_of

MOST_LEVELS = 30
"""A column of text with more different words names its rows and does not sort them."""

ROWS_A_LEVEL = 5
"""Rows that a level needs on average before it can have a constant of its own."""

YEAR = 365.2425
"""Days."""

FAR_FROM_ZERO = 1000.0
"""Spans that a column lies from zero beyond which it is counted from a round number near it: Julian days,
seconds since 1970. Six written digits of a rate mean less than a half per cent of a turn only up to here."""

TIME = units.parse((0, 1, 0, 0, 0, 0, 0)).exponents
"""Exponents of a time."""

CHANCE = 1e-3
"""Weekdays and seasons become inputs where chance explains as much (F-test) less often than this."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Made:
    """Say how an input comes from the column of a table.

    `kind`: "days" since the date `detail`; "level", 1 where the column holds the word `detail`; "weekday",
    1 on the day `detail`; "angle", 2·pi times the part of the year since its beginning, so that a wave of one
    year is sin(angle + phase) ("season", that part itself, in laws of earlier versions); "from", what the
    column is above the number `detail`. `order` says which of day and month came first in dates.
    """

    column: str
    kind: str
    detail: str = ""
    order: str | None = None

    def values(self, table: Table) -> np.ndarray:
        """Return the input (n,) for a table's rows, gaps as NaN; raises InputError where there is none."""
        name = table.name(self.column)
        if self.kind == "level":
            words = labels(table, name)
            return np.where(words == "", np.nan, words == self.detail).astype(float)
        if self.kind == "from":
            return _numbers(table, name) - float(self.detail)
        times = times_of(table, name, self.detail if self.kind == "days" else None, self.order)
        if times is None:
            raise InputError(f"Column {name!r} holds no dates; the law was made from dates in it.")
        if self.kind == "days" or times.moments is None:
            return times.values
        if self.kind in ("season", "angle"):
            return _season(times) * (2 * np.pi if self.kind == "angle" else 1.0)
        return _weekday(times, WEEKDAYS.index(self.detail))


@dataclass(frozen=True, eq=False)
class Inputs:
    """Hold input columns by name, how those were made that are no plain numbers, and the categories.

    `categories` names for each category its columns of 0 and 1; `units` are those that are known from how a
    column was made.
    """

    values: dict[str, np.ndarray]
    made: dict[str, Made] = field(default_factory=dict)
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def source(self, name: str) -> str:
        """Return the table's column that an input comes from."""
        return self.made[name].column if name in self.made else name


def labels(table: Table, name: str) -> np.ndarray:
    """Return a column's cells as words (n,), "" for gaps."""
    cells = table.frame[name]
    given = cells.notna().to_numpy()
    return np.array([label(v) if g else "" for v, g in zip(cells, given, strict=True)], dtype=object)


def label(value: Any) -> str:
    """Return a cell as a word; 1.0 is written 1, so that a gap elsewhere does not change a level's name."""
    return f"{value:.15g}" if isinstance(value, float | np.floating) else str(value).strip()


def of_table(
    table: Table,
    target: np.ndarray,
    chosen: Sequence[str],
    asked: bool,
    category: Sequence[str],
    notes: list[str],
) -> Inputs:
    """Return a table's inputs; `asked` says that a person chose the columns, so that none is left out.

    A column of text with few levels is a category, and so are those in `category`, whatever they hold. Raises
    InputError for a column that was asked for and cannot be an input.
    """
    found = Inputs({})
    refused: list[str] = []
    moments: dict[str, dates.Times] = {}
    for name in dict.fromkeys(chosen):
        if name in category:
            _add_category(found, table, name, notes, forced=True)
            continue
        one: Column = column(table, name)
        if one.values is not None:
            if one.says:
                notes.append(f"column {name!r} {one.says}")
            if one.times is None and _add_from(found, table, name, one.values, notes):
                continue
            found.values[name] = one.values
            if one.times is not None and one.times.first is not None:
                found.made[name] = Made(name, "days", one.times.first, one.times.order)
                found.units[name] = "day"
                moments[name] = one.times
        elif _add_category(found, table, name, notes):
            pass
        elif asked:
            raise InputError(f"Column {name!r} {one.problem}.")
        else:
            refused.append(f"column {name!r} {str(one.problem).partition(';')[0]}")
    if not found.values:
        why = f": {refused[0]}" if refused else ""
        raise InputError(f"{table.source} has no input columns of numbers besides the target{why}.")
    notes += [f"{reason}: left out" for reason in refused]
    for name, times in moments.items():
        _add_calendar(found, name, times, target, notes)
    return found


def again(table: Table, names: Sequence[str], made: Mapping[str, Made | Mapping[str, str]]) -> np.ndarray:
    """Return X (n, names) of another table as a law's inputs were made before.

    `made` may hold plain data, as a run's file does. Raises UnknownNameError for a column that is not there
    and InputError for one that holds no numbers.
    """
    out = []
    ways = {n: how if isinstance(how, Made) else Made(**how) for n, how in made.items()}
    known = _levels(ways)
    for name in names:
        if name in ways:
            how = ways[name]
            if how.column not in table.names:
                raise UnknownNameError("column of the data", how.column, table.names, "The law needs it.")
            if how.kind == "level":
                _check_levels(table, how.column, known[how.column])
            out.append(how.values(table))
            continue
        if name not in table.names:
            raise UnknownNameError("column of the data", name, table.names, "The law needs it.")
        out.append(_numbers(table, name))
    return np.column_stack(out)


def _numbers(table: Table, name: str) -> np.ndarray:
    """Return a column's numbers (n,); raises InputError where it has none."""
    one = column(table, name)
    if one.values is None:
        raise InputError(f"Column {name!r} {one.problem}.")
    return one.values


def _nearby(values: np.ndarray) -> float:
    """Return the round number below values (n,) that are all far from zero for their span; 0 for others."""
    given = values[np.isfinite(values)]
    span = float(np.ptp(given)) if len(given) else 0.0
    if not span > 0 or not float(np.min(np.abs(given))) > FAR_FROM_ZERO * span:
        return 0.0
    step = 10.0 ** np.floor(np.log10(span))
    return float(np.floor(given.min() / step) * step)


def _add_from(found: Inputs, table: Table, name: str, values: np.ndarray, notes: list[str]) -> bool:
    """Add a column far from zero as counted from a number near it, under a new name, where that is free.

    Of times and columns without a unit only: temperatures and heights mean something else from elsewhere.
    """
    unit, near = table.units.get(name), _nearby(values)
    detail = f"{near:.15g}"
    one = f"{name} from {detail}"
    if not near or one in table.names or not (unit is None or units.parse(unit).exponents == TIME):
        return False
    found.made[one] = Made(name, "from", detail)
    found.values[one] = found.made[one].values(table)
    notes.append(f"column {name!r} lies far from zero and varies little: counted from there, as {one!r}")
    return True


def refuse_sources(names: Iterable[str], made: Mapping[str, Made]) -> None:
    """Refuse names in a formula of columns that are no inputs, but what inputs were made of.

    They would pass for constants. Raises InputError.
    """
    for name in sorted(names):
        new = [one for one, how in made.items() if how.column == name]
        if new and name not in made:
            raise InputError(
                f"{name!r} is no input, it was made into {', '.join(map(repr, new[:3]))}: write that."
            )


def _levels(made: Mapping[str, Made]) -> dict[str, set[str]]:
    """Return the known levels of each category."""
    known: dict[str, set[str]] = {}
    for how in made.values():
        if how.kind == "level":
            known.setdefault(how.column, set()).add(how.detail)
    return known


def _check_levels(table: Table, name: str, known: set[str]) -> None:
    """Refuse a level that the law does not know."""
    new = sorted(set(labels(table, name)) - known - {""})
    if new:
        shown = ", ".join(sorted(known))
        raise InputError(f"Column {name!r} is {new[0]!r} in some row; the law knows {shown} only.")


def _add_category(found: Inputs, table: Table, name: str, notes: list[str], forced: bool = False) -> bool:
    """Add a column's levels as inputs of 0 and 1 where they are few enough; refuse too many if forced."""
    words = labels(table, name)
    levels = tuple(sorted(set(words) - {""}))
    few = 2 <= len(levels) <= MOST_LEVELS and ROWS_A_LEVEL * len(levels) <= len(words)
    if not few:
        if forced:
            raise InputError(
                f"Category {name!r} has {len(levels)} levels in {len(words)} rows; a category has 2 to "
                f"{MOST_LEVELS}, and {ROWS_A_LEVEL} rows for each."
            )
        return False
    names = []
    for level in levels:
        made = Made(name, "level", level)
        one = f"{name}={level}"
        found.values[one] = np.where(words == "", np.nan, words == level).astype(float)
        found.made[one] = made
        found.units[one] = "1"
        names.append(one)
    found.categories[name] = tuple(names)
    shown = ", ".join(levels[:6]) + (f" and {len(levels) - 6} more" if len(levels) > 6 else "")
    notes.append(f"column {name!r} is a category of {len(levels)} levels: {shown}")
    return True


def _add_calendar(found: Inputs, name: str, times: dates.Times, target: np.ndarray, notes: list[str]) -> None:
    """Add weekdays and the season of a date where the target goes with them and nothing else says so."""
    base = _smooth(found)
    added: list[str] = []
    if times.moments is None:
        return
    days = [_weekday(times, k) for k in range(len(WEEKDAYS))]
    present = [k for k, day in enumerate(days) if np.nansum(day) >= ROWS_A_LEVEL]
    marks = np.column_stack([days[k] for k in present]) if present else np.empty((len(target), 0))
    if len(present) > 2 and _helps(base, marks[:, 1:], target):
        names = []
        for k in present:
            one = f"{name}={WEEKDAYS[k]}"
            found.values[one], found.made[one] = days[k], Made(name, "weekday", WEEKDAYS[k], times.order)
            found.units[one] = "1"
            names.append(one)
        found.categories[name] = tuple(names)
        added.append("weekdays")
    one, how = f"{name} season", Made(name, "angle", order=times.order)
    turn = 2 * np.pi * _season(times)
    if np.nanmax(times.values) - np.nanmin(times.values) > YEAR / 2 and _helps(
        base, np.column_stack([np.cos(turn), np.sin(turn)]), target
    ):
        found.values[one], found.made[one], found.units[one] = turn, how, "1"
        added.append("the season (0 to 2*pi from the year's first day)")
    if added:
        notes.append(f"the target goes with {' and '.join(added)} of {name!r}: added to the inputs")


def _smooth(found: Inputs) -> np.ndarray:
    """Return the columns (n, k) of a quadratic in each input, every level included, scaled to one."""
    parts = []
    for values in found.values.values():
        spread = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 0.0
        if spread > 0 and np.isfinite(spread):
            z = values / spread
            parts += [z] if set(np.unique(z[np.isfinite(z)])) <= {0.0, 1.0} else [z, z**2]
    rows = len(next(iter(found.values.values())))
    return np.column_stack([np.ones(rows), *parts])


def _helps(base: np.ndarray, more: np.ndarray, target: np.ndarray) -> bool:
    """Tell whether columns explain something of the target that a base does not (F-test)."""
    use = np.isfinite(base).all(axis=1) & np.isfinite(more).all(axis=1) & np.isfinite(target)
    base, more, y = base[use], more[use], target[use]
    whole = np.hstack([base, more])
    rank = int(np.linalg.matrix_rank(whole))
    extra = rank - int(np.linalg.matrix_rank(base))
    left = len(y) - rank
    if extra < 1 or left < 10:
        return False
    before, after = (y - a @ np.linalg.lstsq(a, y, rcond=None)[0] for a in (base, whole))
    gain, rest = float(before @ before - after @ after), float(after @ after)
    if rest <= 1e-20 * float(y @ y):
        return gain > 1e-12 * float(y @ y)
    return bool(special.fdtrc(extra, left, (gain / extra) / (rest / left)) < CHANCE)


def _weekday(times: dates.Times, day: int) -> np.ndarray:
    """Return 1 on one day of the week, 0 on others."""
    assert times.moments is not None
    found = times.moments.day_of_week.to_numpy(float)
    return np.where(np.isnan(found), np.nan, found == day)


def _season(times: dates.Times) -> np.ndarray:
    """Return the time of year, from 0 to 1."""
    assert times.moments is not None
    moments = times.moments
    return (moments.day_of_year.to_numpy(float) - 1 + moments.hour.to_numpy(float) / 24) / YEAR

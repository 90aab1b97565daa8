"""Columns of numbers in other forms: fractions, classes, angles in minutes, months by name, seasons.

This room reads whole columns of text, since single cells of these forms may be something else: 1/2 may be a
date, 10-20 a number of a part.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kansym.data.cell import is_gap, is_limit
from kansym.data.periods import month

FEWEST = 2
"""Different cells of a form that make a column of it."""

FEWEST_CLASSES = 3
"""Classes side by side that are no chance of parts' numbers such as 1-2 and 3-4."""

BINARY = frozenset(2**k for k in range(1, 7)) | frozenset((10, 100, 1000))
"""Denominators of inches and of dilutions: where a column has no others, it holds fractions and no dates."""

_VALUE = r"\d+(?:[.,]\d+)?"
_PLAIN = re.compile(rf"\s*[-+]?{_VALUE}\s*")
_FRACTION = re.compile(
    r"\s*(?P<sign>[-+]?)(?:(?P<whole>\d+)\s+)?(?P<over>\d{1,4})\s*[/⁄]\s*(?P<under>\d{1,4})\s*"
)
_VULGAR = re.compile(r"\s*(?P<sign>[-+]?)(?P<whole>\d*)\s*(?P<part>[¼-¾⅐-⅞])\s*")
_CLASS = re.compile(rf"\s*(?P<low>{_VALUE})\s*(?:-|–|—|to|bis|\.\.)\s*(?:<|under\s)?\s*(?P<high>{_VALUE})\s*")
_OPEN = re.compile(
    rf"\s*{_VALUE}\s*(?:\+|and (?:over|more|older)|or more|und (?:mehr|älter))\s*", re.IGNORECASE
)
_ANGLE = re.compile(
    rf"\s*(?P<sign>[-+]?)(?P<degrees>{_VALUE})\s*°\s*(?:(?P<minutes>{_VALUE})\s*['′’]\s*)?"
    rf"(?:(?P<seconds>{_VALUE})\s*(?:\"|″|”|''))?\s*(?P<side>[NSEWO]?)\s*"
)
_SEASON = re.compile(r"\s*(?P<first>(?:1[5-9]|20)\d\d)\s*[-/–]\s*(?P<second>\d\d|\d{4})\s*")


_HOURS = re.compile(
    r"\s*(?:(?P<h>\d{1,2})(?:[.:](?P<m>\d{2}))?\s*Uhr|(?P<heure>\d{1,2})\s?h\s?(?P<minute>\d{2}))\s*"
)


class UnclearFormError(ValueError):
    """Say what is unclear in a column, in words that follow its name."""


@dataclass(frozen=True, eq=False)
class Form:
    """Hold the numbers of a column's different cells, and words that say so behind its name."""

    values: Mapping[str, float]
    says: str


def read(cells: Sequence[str]) -> Form | None:
    """Return the numbers of a column's different cells in one of the forms; None where it is in none.

    Raises UnclearFormError where two forms fit.
    """
    given = [cell for cell in cells if not is_gap(cell)]
    if len(given) < FEWEST:
        return None
    ways: tuple[Callable[[Sequence[str]], tuple[dict[str, float], str] | None], ...]
    ways = (_fractions, _seasons, _classes, _angles, _months, _hours)
    for way in ways:
        found = way(given)
        if found is not None:
            return Form(*found)
    return None


def _number(text: str) -> float:
    return float(text.strip().replace(",", "."))  # a unit separator is a blank to str, not to float


def _fractions(cells: Sequence[str]) -> tuple[dict[str, float], str] | None:
    """Return the values of 1/2, 1 3/4, ½, among plain numbers."""
    values: dict[str, float] = {}
    bare: list[re.Match[str]] = []
    clear = False
    for cell in cells:
        if (found := _FRACTION.fullmatch(cell)) is not None:
            over, under = int(found["over"]), int(found["under"])
            if not 0 < over < under:
                return None
            bare += [found]
            clear |= bool(found["whole"]) or under > 31
            value = int(found["whole"] or 0) + over / under
        elif (found := _VULGAR.fullmatch(cell)) is not None:
            clear = True
            value = int(found["whole"] or 0) + unicodedata.numeric(found["part"])
        elif (found := _PLAIN.fullmatch(cell)) is not None:
            values[cell] = _number(cell)
            continue
        else:
            return None
        values[cell] = -value if found["sign"] == "-" else value
    plain = sum(_PLAIN.fullmatch(cell) is not None for cell in values)
    if plain == len(values):
        return None
    if not clear and not plain and not all(int(f["under"]) in BINARY for f in bare):
        shown, value = bare[0][0].strip(), values[bare[0][0]]
        raise UnclearFormError(
            f"can be read in two ways: {shown} is {value:.4g} as a fraction, and a day without its year; "
            f"write {value:.4g} for the first, the year behind it for the second."
        )
    return values, "holds fractions: taken as numbers"


def _seasons(cells: Sequence[str]) -> tuple[dict[str, float], str] | None:
    """Return the first years of 2015/16, 2016/17, ..."""
    values: dict[str, float] = {}
    for cell in cells:
        found = _SEASON.fullmatch(cell)
        if found is None or (int(found["second"]) - int(found["first"]) - 1) % 100:
            return None
        values[cell] = float(found["first"])
    return values, "holds years from one into the next: taken as the first of them"


def _classes(cells: Sequence[str]) -> tuple[dict[str, float], str] | None:
    """Return the middles of 0-10, 10-20, ...; open ones like 60+ are gaps."""
    values: dict[str, float] = {}
    ends: list[tuple[float, float]] = []
    for cell in cells:
        if is_limit(cell) or _OPEN.fullmatch(cell):
            values[cell] = np.nan
            continue
        found = _CLASS.fullmatch(cell)
        if found is None:
            return None
        low, high = _number(found["low"]), _number(found["high"])
        ends.append((low, high))
        values[cell] = (low + high) / 2
    ends.sort()
    apart = all(low < high for low, high in ends) and all(b[0] >= a[1] for a, b in pairwise(ends))
    if len(ends) < FEWEST_CLASSES or not apart:
        return None
    left = sum(np.isnan(value) for value in values.values())
    more = f", {left} without an end as missing" if left else ""
    return values, f"holds classes from one number to another: taken as their middles{more}"


def _angles(cells: Sequence[str]) -> tuple[dict[str, float], str] | None:
    """Return the degrees of 48°12'30\"N, those of south and west below zero."""
    values: dict[str, float] = {}
    for cell in cells:
        found = _ANGLE.fullmatch(cell)
        if found is None:
            return None
        value = sum(_number(found[name] or "0") / part for name, part in _PARTS.items())
        values[cell] = -value if found["sign"] == "-" or found["side"] in ("S", "W") else value
    return values, "holds angles: taken in degrees"


_PARTS = {"degrees": 1, "minutes": 60, "seconds": 3600}


def _months(cells: Sequence[str]) -> tuple[dict[str, float], str] | None:
    """Return the numbers of the months of which a column holds the names."""
    values = {cell: month(cell) for cell in cells}
    known = {cell: float(value) for cell, value in values.items() if value is not None}
    if len(known) < max(FEWEST, len(values)):
        return None
    return known, "holds names of months: taken as 1 to 12"


def _hours(cells: Sequence[str]) -> tuple[dict[str, float], str] | None:
    """Return the seconds of 8.30 Uhr and 8h30."""
    found = {cell: _HOURS.fullmatch(cell) for cell in cells}
    if not all(found.values()):
        return None
    values = {
        cell: 3600.0 * float(f["h"] or f["heure"]) + 60.0 * float(f["m"] or f["minute"] or 0)
        for cell, f in found.items()
        if f
    }
    return values, "holds times of day: taken in seconds"

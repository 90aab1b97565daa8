"""Names and units from what stands above the numbers: header, brackets, a second row of units.

This room knows lines as lists of cells and frames with numbered columns; how cells become numbers is
`cells`' job, and where lines come from `delimited`'s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kansym.base.errors import InputError
from kansym.data.cell import is_gap, is_number
from kansym.data.units import is_unit

if TYPE_CHECKING:
    import pandas as pd

ZERO_ELSEWHERE = ("°C", "°F", "degC", "degF")
"""Units with a zero point of their own: seen as units, but no law can multiply them."""


@dataclass(frozen=True)
class Second:
    """Hold a second row of the header: a unit or nothing for each column, and what is said about it."""

    units: tuple[str, ...]
    note: str


def second_row(first: Sequence[str], below: Sequence[Sequence[str]]) -> Second | None:
    """Return the second header row that a table's first row is: units, or other words above numbers.

    None where it is a row like those below it.
    """
    cells = [c.strip() for c in first]
    if not below or any((is_number(c) and not is_gap(c)) or _begins_with_a_number(c) for c in cells):
        return None
    numeric = [i for i in range(len(cells)) if _mostly_numbers([row[i] for row in below if i < len(row)])]
    bare = [_unwrapped(c) for c in cells]
    words = [bare[i] for i in numeric if not is_gap(bare[i])]
    units = [w for w in words if _like_a_unit(w)]
    shown = ", ".join(c for c in cells if c)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    if units and 2 * len(units) >= len(words):
        known = tuple(b if i in numeric and is_unit(b) else "" for i, b in enumerate(bare))
        return Second(known, f"the row under the names holds units: {shown}")
    if len(words) >= 2 and len(words) == len(numeric):
        return Second(("",) * len(cells), f"the row under the names holds words ({shown}): left out")
    return None


def named(
    frame: pd.DataFrame, names: Sequence[str], source: str, notes: list[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the frame with names for its columns, and the units in the names' brackets.

    Raises InputError for two columns of one name, and for a table without columns or rows.
    """
    import pandas as pd

    units: dict[str, str] = {}
    final: list[str] = []
    drop: list[int] = []
    for i, written in enumerate(names):
        name, unit = split_unit(written.strip())
        column = frame.iloc[:, i]
        if not name or re.fullmatch(r"Unnamed: \d+", name):
            if column.isna().all():
                drop.append(i)  # a delimiter at the end of every line
            elif i == 0 and _counts(column):
                drop.append(i)
                notes.append("the first column has no name and counts the rows: left out")
            else:
                name = f"x{i}"
                notes.append(f"column {i + 1} has no name: called {name}")
        if unit is not None:
            units[name] = unit
        final.append(name)
    kept = [n for i, n in enumerate(final) if i not in drop]
    twice = [n for n, count in Counter(kept).items() if count > 1]
    if twice:
        raise InputError(
            f"{source} has {Counter(kept)[twice[0]]} columns named {twice[0]!r}; "
            "give every column its own name."
        )
    frame = frame.iloc[:, [i for i in range(len(final)) if i not in drop]]
    if len(kept) == 0:
        raise InputError(f"{source} has no named columns; it needs inputs and a target.")
    if len(frame) == 0:
        raise InputError(f"{source} has no row with a value in it; add rows of numbers below the names.")
    frame.columns = pd.Index(kept, dtype=object)
    return frame, units


def split_unit(name: str) -> tuple[str, str | None]:
    """Split "speed [m/s]" into name and unit; a bracket that is no unit stays in the name.

    >>> split_unit("speed [m/s]"), split_unit("f(x)")
    (('speed', 'm/s'), ('f(x)', None))
    """
    found = re.fullmatch(r"(.*\S)\s*\[([^\[\]]*)\]", name) or re.fullmatch(r"(.*\S)\s+\((.*)\)", name)
    if found and is_unit(found[2]) and (found[2] or "[" not in name):
        return found[1], found[2]
    return name, None


def _counts(column: pd.Series) -> bool:
    """Tell whether a column counts 0, 1, 2, ... or 1, 2, 3, ..., be it as text."""
    import pandas as pd

    try:
        numbers = pd.to_numeric(column, errors="coerce")
    except OverflowError:  # a whole number too large for a float
        return False
    steps = numbers.diff().dropna()
    return bool(numbers.notna().all() and (numbers % 1 == 0).all() and (steps == 1).all())


def _unwrapped(cell: str) -> str:
    """Return what stands in brackets, else the cell."""
    found = re.fullmatch(r"[\[(](.*)[\])]", cell)
    return found[1].strip() if found else cell


def _like_a_unit(cell: str) -> bool:
    return cell in ZERO_ELSEWHERE or is_unit(cell)


def _mostly_numbers(column: Sequence[str]) -> bool:
    """Tell whether most of a column's cells are numbers, or begin with one."""
    present = [c for c in column if not is_gap(c)]
    return 2 * sum(is_number(c) or _begins_with_a_number(c) for c in present) > len(present) > 0


def _begins_with_a_number(cell: str) -> bool:
    return bool(re.match(r"[-+]?\d[\d.,]*\s?[^\d\s.,:/-]", cell.strip()))

"""Names and units from what stands above the numbers: header, brackets, a second row of units.

This room knows lines as lists of cells and frames with numbered columns; how cells become numbers is
`cells`' job, and where lines come from `delimited`'s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from kansym.base.errors import InputError
from kansym.data.cell import is_gap, is_number, unquoted
from kansym.data.units import is_unit

if TYPE_CHECKING:
    import pandas as pd

ZERO_ELSEWHERE = ("°C", "°F", "degC", "degF")
"""Units with a zero point of their own: seen as units, but no law can multiply them."""

ERROR_SIGN = r"±|\+/-|\+-"
"""What stands above a column of errors of the numbers before it; it is then called "p ±"."""

MOST_BENEATH = 4
"""Lines of words between the short names and the numbers: long names, units, remarks, a sampling."""

LABELLED = ("long name", "short name", "name")
"""What stands before the line of names where each line of the header has a label."""


_TYPE = re.compile(r"\s+(?:numeric|real|integer|string|float|double|date\b.*|\{.*\})$", re.IGNORECASE)
"""What stands behind a name in a list of names, as ARFF has it."""


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


def beneath(names: Sequence[str], below: Sequence[Sequence[str]]) -> tuple[int, list[str], Second | None]:
    """Return how many rows under the names are no rows of numbers, the names, and what was made of them.

    `below` holds rows as wide as the names. Of several rows, the one of units has the names above it, be they
    long names under short ones, and remarks below it, as programs that draw curves write them.
    """
    count = 0
    while count < min(MOST_BENEATH, len(below) - 1) and _wordy(below[count]):
        count += 1
    made = [second_row(row, below[count:]) for row in below[:count]]
    found, units = next(((i, m) for i, m in enumerate(made) if m and "units" in m.note), (0, None))
    if count < 2 or units is None:
        second = second_row(below[0], below[1:])
        return int(second is not None), list(names), second
    above = [list(names), *map(list, below[:count])]
    words = next(c for row in (above[:found] + above[found + 2 :]) for c in row if c)
    final = above[found]
    if final[0].lower() in LABELLED:
        final[0] = ""  # a column of labels for the lines of the header
    return count, final, Second(units.units, f"{units.note}; other lines of words ({words}): left out")


def _wordy(row: Sequence[str]) -> bool:
    """Tell whether a row holds words and no number."""
    cells = [c.strip() for c in row]
    return any(not is_gap(c) for c in cells) and not any(
        (is_number(c) and not is_gap(c)) or _begins_with_a_number(c) for c in cells
    )


def heading(rows: Sequence[Sequence[str]]) -> tuple[int, list[str]]:
    """Return how many lines stand above a table's names, and the names.

    Where the first line has empty cells above names, as merged cells leave them, or says a name twice, the
    names stand in the last line of words above the numbers; what it leaves out is in the line above. A name
    that is there twice then gets what stands above it.
    """
    width = max(len(row) for row in rows)
    full = [[*(c.strip() for c in row), *[""] * (width - len(row))] for row in rows]
    first = _first_numbers(full)
    last = first - 1
    if last > 0 and all(a or not u for a, u in zip(full[last - 1], full[last], strict=True)):
        under = second_row(full[last], full[first:])
        last -= under is not None and "units" in under.note
    if last < 1 or any(c and is_number(c) for c in full[last]):
        return 0, list(rows[0])
    names, above = full[last], full[last - 1]
    twice = len({c for c in above if c}) < sum(map(bool, above))
    title = any(c and is_number(c) for c in above)  # a page's number, a date
    if not (twice or title) and not any(n and not a for n, a in zip(names, above, strict=True)):
        return 0, list(rows[0])
    merged = [n or a for n, a in zip(names, above, strict=True)]
    count = Counter(merged)
    group = ""
    for i, (name, over) in enumerate(zip(names, above, strict=True)):
        group = over or group
        if name and count[merged[i]] > 1 and group:
            merged[i] = f"{group} {name}"
    while merged and not merged[-1] and len(merged) > len(rows[last]):
        merged.pop()
    return last, merged


def listed(above: Sequence[str], width: int) -> list[str] | None:
    """Return the names that stand below each other in lines above rows of a width; None where there are none.

    Either all lines behind one that says how many there are, or a run of just as many lines that begin with
    the same mark, or the same word and a number.

    >>> listed(["Ore of a mine", "2", "depth [m]", "grade"], 2)
    ['depth [m]', 'grade']
    >>> listed(["@relation r", "@attribute a numeric", "@attribute b {u,v}", "@data"], 2)
    ['a', 'b']
    """
    lines = [cleared for line in above if (cleared := line.strip().lstrip("#*%! ").strip())]
    if len(lines) > width >= 2 and re.fullmatch(rf"{width}(?:\s+\d+)*", lines[-width - 1]):
        return lines[-width:]
    begins = [re.match(r"_|@\w+(?=\s+\S)|\w+(?=\s+\d+\s*[=:])|", line) for line in lines]
    for mark, group in groupby(zip(begins, lines, strict=True), lambda pair: pair[0] and pair[0][0].lower()):
        rests = [line[len(found[0]) :].strip() if found else line for found, line in group]
        if mark and len(rests) == width >= 2 and not any(map(is_number, rests)):
            names = [_TYPE.sub("", re.sub(r"^\d+\s*[=:]\s*", "", rest)) for rest in rests]
            if len(set(names)) == width:
                return names
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
    split = _apart([_unmarked(unquoted(name), names) for name in names])
    for i, (name, unit) in enumerate(split):
        if re.fullmatch(ERROR_SIGN, name) and i > 0:
            name = f"{final[i - 1]} ±"
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


def split_words(name: str) -> tuple[str, str | None]:
    """Split "pressure in kPa", "pressure, kPa" and "p / kPa", as journals have it, into name and unit.

    >>> split_words("Druck in kPa"), split_words("v / (km/h)"), split_words("share in May")
    (('Druck', 'kPa'), ('v', 'km/h'), ('share in May', None))
    """
    found = re.fullmatch(r"(.*\S)(?:\s+in\s+|,\s*|\s+/\s+)\(?([^\s()][^()]*)\)?", name)
    return (found[1], found[2]) if found and is_unit(found[2]) else (name, None)


def _apart(names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Return names and units; words behind a name are units where half of the names and two have them."""
    plain = [split_unit(name) for name in names]
    words = [split_words(name) for name in names]
    held = sum(unit is not None for _, unit in words)
    both = [w if w[1] is not None else p for p, w in zip(plain, words, strict=True)]
    usual = held >= 2 and 2 * held >= len(names) and len({name for name, _ in both}) == len(both)
    return both if usual else plain


def _unmarked(name: str, names: Sequence[str]) -> str:
    """Return a name without the marks of footnotes, [2] or [note 1], that pages hang on it.

    [1] is a unit, too: it is a mark behind a bracket, and where another name has [2].
    """
    marks = r"(?:\[(?:\d{1,2}|[a-z]|note \d{1,2})\])+"
    if name.count(")") > name.count("("):  # as statistics hang them: area (km²) 2)
        name = re.sub(r"(?<=[\w)\]])\s+\d{1,2}\)$", "", name)
    if re.search(rf"[)\]]{marks}$", name) or any(re.search(r"\S\[[2-9]\]$", n.strip()) for n in names):
        return re.sub(rf"(?<=\S){marks}$", "", name)
    return name


def _counts(column: pd.Series) -> bool:
    """Tell whether a column counts 0, 1, 2, ... or 1, 2, 3, ..., be it as text."""
    import pandas as pd

    try:
        numbers = pd.to_numeric(column, errors="coerce")
    except OverflowError:  # a whole number too large for a float
        return False
    steps = numbers.diff().dropna()
    return bool(numbers.notna().all() and (numbers % 1 == 0).all() and (steps == 1).all())


def _first_numbers(rows: Sequence[Sequence[str]]) -> int:
    """Return the first line that has numbers in half of the columns that hold numbers further down."""
    below = rows[len(rows) // 2 :]
    numeric = [j for j in range(len(rows[0])) if _mostly_numbers([row[j] for row in below])]
    for i, row in enumerate(rows):
        held = sum(
            (is_number(row[j]) and not is_gap(row[j])) or _begins_with_a_number(row[j]) for j in numeric
        )
        if numeric and 2 * held >= len(numeric):
            return i
    return 0


def _unwrapped(cell: str) -> str:
    """Return what stands in brackets, else the cell."""
    found = re.fullmatch(r"[\[(](.*)[\])]", cell)
    return found[1].strip() if found else cell


def _like_a_unit(cell: str) -> bool:
    """Tell whether a cell is a unit and not a name with its unit."""
    return split_unit(cell)[1] is None and (cell in ZERO_ELSEWHERE or is_unit(cell))


def _mostly_numbers(column: Sequence[str]) -> bool:
    """Tell whether most of a column's cells are numbers, or begin with one."""
    present = [c for c in column if not is_gap(c)]
    return 2 * sum(is_number(c) or _begins_with_a_number(c) for c in present) > len(present) > 0


def _begins_with_a_number(cell: str) -> bool:
    return bool(re.match(r"[-+]?\d[\d.,]*\s?[^\d\s.,:/-]", cell.strip()))

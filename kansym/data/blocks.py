"""Several tables in one text: names said again further down, tables below and beside each other.

This room finds the blocks of lines of a text and says which table is meant; what their cells mean is for
others to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kansym.base.errors import InputError, counted, shown
from kansym.data.cell import is_gap, is_number
from kansym.data.lines import fields

LEAST_ROWS = 3
"""Rows under a line of names that make a block of lines a table and not a list of settings."""

MOST_BLOCKS = 50
"""Blocks of lines that are looked at: a text with more has empty lines between its rows."""

PART = "part"
"""Name of the column that says which of several tables of the same names a row is from."""

_EMPTY_LINE = re.compile(rb"(?:\r?\n|\r)(?:[ \t;,|]*(?:\r?\n|\r))+")


@dataclass(frozen=True)
class Choice:
    """Say which of a text's tables is meant, counted from 1; None where nothing was said.

    `written` is what a person writes in the place of a number, as "t.csv::1", "" where nothing chooses.
    """

    part: int | None = None
    written: str = ""

    def of(self, heads: Sequence[Sequence[str]], source: str, how: str) -> int:
        """Return which table is meant, from 0; raises InputError where that is not said, or not there."""
        told = " and ".join(f"{shown(', '.join(head))}" for head in heads[:3])
        told += f" and {len(heads) - 3} more" if len(heads) > 3 else ""
        if self.part is None:
            remedy = f"choose one: {self.written}" if self.written else "put each into a file of its own"
            raise InputError(f"File {source} holds {len(heads)} tables {how}, {told}; {remedy}.")
        if not 1 <= self.part <= len(heads):
            raise InputError(
                f"File {source} has no part {self.part}; its tables are 1 to {len(heads)}: {told}."
            )
        return self.part - 1


def one_table(raw: bytes, encoding: str, delimiter: str, source: str, choice: Choice) -> str | None:
    """Return the text of one of several tables below each other; None where there is one, or all are alike.

    Raises InputError where nothing says which is meant.
    """
    if not _EMPTY_LINE.search(raw):
        return None
    blocks = [block for block in _EMPTY_LINE.split(raw, maxsplit=MOST_BLOCKS) if block.strip()]
    if not 1 < len(blocks) <= MOST_BLOCKS:
        return None
    texts = [block.decode(encoding, errors="replace") for block in blocks]
    heads = {k: names for k, text in enumerate(texts) if (names := _names(text, delimiter))}
    if len(heads) < 2 or (choice.part is None and len(set(heads.values())) == 1):
        return None
    return texts[list(heads)[choice.of(list(heads.values()), source, "below each other")]]


def without_repeats(text: str, delimiter: str, head: Sequence[str], notes: list[str]) -> str | None:
    """Return a text without the lines of its names that come again, as pages have them; None where none do.

    `head` holds the lines of names and units as they stand. Lines of one cell beside names that come again go
    with them, as numbers of pages do; where one stands above each of the names, it becomes a column.
    """
    name = head[0].strip()
    lines = text.splitlines()
    at = [i for i, line in enumerate(lines) if line.strip() == name]
    if len(at) < 2 or not re.search(r"[^\W\d]", name):
        return None
    width = len(fields(name, delimiter))
    titles = [_title(lines, i, delimiter) for i in at]
    drop = set(at[1:])
    for i in at[1:]:
        drop |= {i + k for k, line in enumerate(head) if lines[i + k : i + k + 1] == [line]}
        near = (
            [*range(i - 1, max(i - 3, -1), -1)],
            [*range(i + len(head), min(i + len(head) + 2, len(lines)))],
        )
        for side in near:
            for j in side:
                filled = [c for c in fields(lines[j], delimiter) if c] if lines[j].strip() else []
                if len(filled) > 1 or (filled and (is_number(filled[0]) or width < 2)):
                    break
                drop.add(j)
    runs = f"the line of names comes again {counted(len(at) - 1, 'time')}: left out"
    if all(titles) and len(set(titles)) == len(titles):
        lines = _titled(lines, at, len(head), titles, delimiter)
        runs += f", and what stands above it ({', '.join(titles[:3])}) is the column {PART!r}"
    notes.append(runs)
    return "\n".join(line for j, line in enumerate(lines) if j not in drop)


def _titled(lines: list[str], at: list[int], head: int, titles: list[str], delimiter: str) -> list[str]:
    """Return the lines of tables with the title of each before its rows."""
    column = {at[0] + k: "" if k else PART for k in range(head)}
    for i, title, end in zip(at, titles, [*at[1:], len(lines)], strict=True):
        column |= dict.fromkeys(range(i + head, end), title)
    return [
        f"{column[j]}{delimiter}{line}" if j in column and line.strip() else line
        for j, line in enumerate(lines)
    ]


def one_beside(
    text: str,
    delimiter: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    source: str,
    choice: Choice,
) -> str | None:
    """Return the text of one of several tables beside each other; None where there is one.

    An empty column is between them, and they end in other rows. Raises InputError where nothing says which.
    """
    groups: list[list[int]] = [[]]
    for j in range(max(len(names), *map(len, rows))):
        if (j < len(names) and names[j]) or any(j < len(row) and row[j] for row in rows):
            groups[-1].append(j)
        elif groups[-1]:
            groups.append([])
    groups = [group for group in groups if len(group) > 1 and all(j < len(names) and names[j] for j in group)]
    ends = {
        max((i for i, row in enumerate(rows) if any(j < len(row) and row[j] for j in group)), default=-1)
        for group in groups
    }
    if len(groups) < 2 or len(ends) < len(groups):
        return None
    heads = [[names[j] for j in group] for group in groups]
    group = groups[choice.of(heads, source, "beside each other")]
    cells = [fields(line, delimiter) for line in text.splitlines()]
    return "\n".join("\t".join(row[j] if j < len(row) else "" for j in group) for row in cells)


def _names(block: str, delimiter: str) -> tuple[str, ...]:
    """Return the names above a block's numbers, nothing where it is no table with names."""
    rows = [
        fields(line, delimiter)
        for line in block.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    for i, row in enumerate(rows[:-LEAST_ROWS]):
        if len(row) < 2 or not all(row) or any(is_number(cell) for cell in row):
            continue
        below = rows[i + 1 : i + 1 + LEAST_ROWS + 1][-LEAST_ROWS:]  # units may stand between
        if all(
            len(r) == len(row) and 2 * sum(is_number(c) and not is_gap(c) for c in r) >= len(r) for r in below
        ):
            return tuple(row)
    return ()


def _title(lines: Sequence[str], at: int, delimiter: str) -> str:
    """Return the one cell of words that stands right above a line of names, "" for none."""
    above = next((line for line in reversed(lines[max(0, at - 2) : at]) if line.strip()), "")
    filled = [cell for cell in fields(above, delimiter) if cell] if above else []
    return filled[0].lstrip("# ") if len(filled) == 1 and not is_number(filled[0]) else ""

"""Delimited text: which sign parts the columns, which lines are titles, comments, names and units.

This room looks at the first lines to learn how a file is written, and has pandas read the rest. Cells that
are no plain numbers stay text; what they mean is `cells`' job.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kansym.base.errors import FormatError, InputError, shown
from kansym.data import dialects
from kansym.data.blocks import Choice, one_beside, one_table, without_repeats
from kansym.data.cell import evidence, is_gap, is_number, unquoted
from kansym.data.encodings import plain
from kansym.data.header import MOST_BENEATH, Second, beneath, heading, listed
from kansym.data.lines import aligned, cleaned, fields, with_hashes, without_notes
from kansym.data.units import is_unit
from kansym.data.writing import Writing

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = (",", ";", "\t", "|")
_IN_CELLS = " .+-_\"'/()[]#"  # what cells hold themselves: never a delimiter
_BLANK = " \t,;|"  # a line of these alone is empty
LAST_COMMENTS = 3
"""Comments right above the rows that may hold names: names, units, and the number of rows."""

LEAST_ROWS = 3
"""Rows of one width below lines of others that make a table below settings."""

_HEAD_LINES = 200
"""Lines that are looked at for the delimiter and the header."""


@dataclass(frozen=True, eq=False)
class Text:
    """Hold a text as a frame of numbered columns: its names, its second header row, how it writes numbers."""

    frame: pd.DataFrame
    names: tuple[str, ...]
    second: Second | None
    writing: Writing
    notes: tuple[str, ...]


def read(
    raw: bytes, source: str, writing: Writing, delimiter: str | None = None, choice: Choice | None = None
) -> Text:
    """Return the table in a text.

    `writing` is a person's choice, or what to assume where the text does not tell; `choice` says which of
    several tables is meant. Raises InputError for a text without rows, or with several tables of which none
    was chosen, and FormatError for one that is no table.
    """
    notes: list[str] = []
    choice = choice or Choice()
    raw, encoding = plain(raw, source, notes)
    if delimiter is None and (own := dialects.plain(raw, encoding)) is not None:
        return _again(own[0], source, writing, "\t" if "\t" in own[0] else None, [*notes, own[1]])
    raw, encoding = cleaned(with_hashes(raw, encoding), encoding, source)
    lines = _head(raw[: 1 << 20].decode(encoding, errors="replace"))
    body = [i for i, line in enumerate(lines) if line.strip(_BLANK) and not line.lstrip().startswith("#")]
    said = re.fullmatch(r"sep=([ -~\t])", lines[body[0]].strip()) if body else None
    body = body[1:] if said else body  # a spreadsheet's way to name its delimiter
    if not body:
        raise InputError(f"File {source} is empty; it needs a line of column names and rows of numbers.")
    parted = said[1] if said else delimiter or _delimiter([lines[i] for i in body])
    tabbed = _tabbed(raw, encoding, parted, [lines[i] for i in body])
    if tabbed is not None:
        raw, encoding, parted = tabbed.encode("utf-8"), "utf-8", "\t"
        lines = _head(tabbed[: 1 << 20])
    rows = [fields(lines[i], parted) for i in body]
    assumed = writing if writing.given or parted != "," else Writing(".")
    if len(lines) < _HEAD_LINES and _sideways(rows):
        turned = "\n".join("\t".join(cells) for cells in zip(*rows, strict=True))
        notes.append("each line holds a name and its numbers: turned")
        return _again(turned, source, assumed, "\t", notes)
    one = one_table(raw, encoding, parted, source, choice)
    if one is not None:
        return _again(one, source, writing, parted, notes)
    raw = without_notes(raw, encoding, parted, rows, notes)
    kept = len(_head(raw[: 1 << 20].decode(encoding, errors="replace")))
    rows, body = [row for i, row in zip(body, rows, strict=True) if i < kept], [i for i in body if i < kept]
    top, first, names, second = _above(rows, body, lines, parted, notes)
    body, rows = body[top:], rows[top:]
    if len(rows) < 2:
        raise InputError(f"File {source} has a header and no rows; add rows of numbers below it.")
    head = [lines[i] for i in body[:first]]
    if head and raw.count(head[0].strip().encode(encoding.removesuffix("-sig"))) > 1:
        text = raw.decode(encoding, errors="replace")
        if (single := without_repeats(text, parted, head, notes)) is not None:
            return _again(single, source, writing, parted, notes)
    if first and "" in names:
        text = "\n".join(raw.decode(encoding, errors="replace").splitlines()[body[0] :])
        if (single := one_beside(text, parted, names, rows[first:], source, choice)) is not None:
            return _again(single, source, assumed, "\t", notes)
    if choice.part is not None:
        raise InputError(f"File {source} has no part {choice.part}: it holds one table; leave the part out.")
    writing, as_text = _writing(rows[first:], parted, writing)
    if writing.decimal == ",":
        notes.append("numbers are written with a decimal comma")
    skip = body[first - 1] + 1 if first else body[0]
    frame = _frame(raw, encoding, source, parted, skip, len(names), writing, as_text)
    frame = frame.dropna(how="all").reset_index(drop=True)  # a line of delimiters alone
    return Text(frame, tuple(names), second, writing, tuple(notes))


def _again(text: str, source: str, writing: Writing, delimiter: str | None, notes: list[str]) -> Text:
    """Return the table in what was made of a text, with what was said before."""
    found = read(text.encode("utf-8"), source, writing, delimiter)
    return replace(found, notes=tuple(dict.fromkeys((*notes, *found.notes))))


def _above(
    rows: list[list[str]], body: list[int], lines: list[str], delimiter: str, notes: list[str]
) -> tuple[int, int, list[str], Second | None]:
    """Return what stands above the numbers: lines to leave out, lines of the header, names, units.

    `body` says which of the text's lines the rows are.
    """
    titles = _titles(rows)
    over, names = heading(rows[titles:]) if titles < len(rows) else (0, [])
    top = titles + over
    if top:
        which = "line stands" if top == 1 else f"{top} lines stand"
        notes.append(
            f"the first {which} above the names ({shown(next(filter(None, rows[0]), ''))}): left out"
        )
        rows = rows[top:]
    if not over and len(rows) > 1 and _nameless(rows):
        width, above = len(rows[0]), lines[: body[top]]
        comments = [line.lstrip().lstrip("#").strip() for line in above if line.lstrip().startswith("#")]
        found = listed(above, width) or _names_in_comment(comments, delimiter, width)
        return top, 0, found or _numbered(rows, notes), None
    names = _headed(names, rows[1:])
    width = len(names)
    if len(rows) < 3 or len(rows[1]) > width:
        return top, 1, names, None
    full = [[*row, *[""] * (width - len(row))][:width] for row in rows[1:]]
    count, names, second = beneath(names, full)
    notes += [second.note] if second is not None else []
    return top, 1 + count, names, second


def _nameless(rows: list[list[str]]) -> bool:
    """Tell whether a table's first line is one of its rows: numbers stand where numbers stand below.

    Numbers can be names, too, of the years or samples in a table's columns: they grow from left to right.
    """
    cells, width = rows[0], min(map(len, rows))
    if any(cells[:1]) and all(map(is_number, cells)):
        return True
    if _looks(cells) == _looks(rows[1]) and any("9" in one and "a" in one for one in _looks(cells)):
        return True  # ID001, 12.5 above ID002, 13.5
    numeric = [j for j in range(width) if all(is_number(row[j]) for row in rows[1:])]
    held = [cells[j] for j in numeric if cells[j]]
    if not held or not all(is_number(cell) and not is_gap(cell) for cell in held):
        return all(map(is_number, cells))
    try:
        values = [float(cell) for cell in held]
    except ValueError:  # 1.234,5
        return all(map(is_number, cells))
    return values[0] < 0 or any(b <= a for a, b in pairwise(values))


def _looks(cells: list[str]) -> list[str]:
    """Return cells with 9 for each number's digits and a for each word."""
    return [re.sub(r"\d+", "9", re.sub(r"[^\W\d_]+", "a", cell)) for cell in cells]


def _headed(names: list[str], below: list[list[str]]) -> list[str]:
    """Return the names, with "" for a column that has none: R's rows' names, a last column, an empty one."""
    if not below or any(len(row) != len(names) + 1 for row in below):
        return names[1:] if below and names[0].endswith(":") and len(below[0]) == len(names) - 1 else names
    if not names[0] or not any(row[-1] for row in below):  # a delimiter at the end of the rows alone
        return [*names, ""]
    return ["", *names] if _name_rows([row[0] for row in below]) else names


def _name_rows(cells: list[str]) -> bool:
    """Tell whether a column names its rows: different words, or 1, 2, 3, ... or 0, 1, 2, ..."""
    cells = [unquoted(cell) for cell in cells]
    counted = any(cells == [str(i) for i in range(first, first + len(cells))] for first in (0, 1))
    return counted or (len(set(cells)) == len(cells) and not any(map(is_number, cells)))


def _numbered(rows: list[list[str]], notes: list[str]) -> list[str]:
    """Return names for columns that have none: x0, x1, ... and y; "" for those with nothing in them."""
    columns = range(len(rows[0]))
    filled = [any(len(row) > j and row[j] for row in rows) for j in columns]
    last = max((j for j in columns if filled[j]), default=-1)
    names = [("y" if j == last else f"x{j}") if filled[j] else "" for j in columns]
    told = [name for name in names if name]
    notes.append(f"no line of column names: called {', '.join(told) if len(told) < 7 else 'x0 ... y'}")
    return names


def _sideways(rows: list[list[str]]) -> bool:
    """Tell whether each line is a column: a name, perhaps a unit, then more numbers than there are lines.

    The first line may name the samples.
    """
    width = len(rows[0])
    if not len(rows) >= 2 or any(len(row) != width for row in rows):
        return False
    samples = len(rows) > 2 and len(set(rows[0])) == width and not any(map(is_number, rows[0][1:]))
    held = rows[samples:]
    words = 2 if not any(is_number(row[1]) for row in held if len(row) > 1) else 1
    numbers = width - words
    if numbers <= len(rows) or len({row[0] for row in rows}) < len(rows):
        return False
    return all(not is_number(row[0]) and all(map(is_number, row[words:])) for row in held)


def _writing(rows: list[list[str]], delimiter: str, asked: Writing) -> tuple[Writing, bool]:
    """Return how numbers are written, and whether all cells must be read as text to find out."""
    if asked.given:
        return Writing(asked.decimal or ".", asked.thousands, True), False
    said = {s for s in evidence([cell for row in rows for cell in row]) if s in (".", ",")}
    if len(said) == 1 and (delimiter != "," or said == {"."}):
        return Writing(said.pop()), False
    if said:
        return Writing(), True
    if delimiter == "," or asked.decimal == ".":
        return Writing("."), False  # who parts columns by commas writes a decimal point
    return Writing(), True


def _frame(
    raw: bytes,
    encoding: str,
    source: str,
    delimiter: str,
    skip: int,
    columns: int,
    writing: Writing,
    as_text: bool,
) -> pd.DataFrame:
    """Have pandas read the rows."""
    import pandas as pd

    # pandas takes a lone quote in lines that it skips for the begin of a cell
    above = re.match(rb"(?:[^\r\n]*(?:\r\n|\r|\n)){%d}" % skip, raw)
    rows = io.BytesIO(raw)
    rows.seek(above.end() if above else 0)
    # Since pandas 3.1 the default reads every digit, and asking for it is deprecated.
    exact: Any = {} if _version(pd) >= (3, 1) else {"float_precision": "round_trip"}
    if as_text:
        exact = {"dtype": str}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                rows,
                sep=r"\s+" if delimiter == " " else delimiter,
                header=None,
                names=[f"column {i}" for i in range(columns)],
                index_col=False,
                skipinitialspace=True,
                encoding=encoding,
                decimal=writing.decimal or ".",
                low_memory=False,
                **exact,
            )
    except UnicodeDecodeError:
        raise FormatError(f"File {source} ends within a letter of {encoding}; copy it again.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, csv.Error) as problem:
        said = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(problem))
        why = (
            f"line {int(said[2]) + skip} has {said[3]} values where {said[1]} are expected"
            if said
            else f"its rows have more values than the {columns} column names"
            if isinstance(problem, pd.errors.ParserWarning)
            else str(problem).strip().splitlines()[-1]
        )
        raise FormatError(f"File {source} is not a table: {why}; mend that line.") from None


def _version(module: Any) -> tuple[int, int]:
    """Return a module's version as two numbers."""
    major, minor = module.__version__.split(".")[:2]
    return int(major), int(minor)


def _tabbed(raw: bytes, encoding: str, delimiter: str, lines: list[str]) -> str | None:
    """Return a text of columns in line with tabs between its cells; None for others.

    Two and more spaces part columns whose names or cells have spaces; where cells are missing, the place of
    the others tells which.
    """
    if delimiter == ", ":
        return re.sub(r",[ \t]+", "\t", raw.decode(encoding))
    if delimiter == "  ":
        text = re.sub(r"(?m)^[ \t]+|[ \t]+$", "", raw.decode(encoding))
        return re.sub(r"(?m)[ \t]*\t[ \t]*|(?<=\S) {2,}(?=\S)", "\t", text)
    if delimiter == " " and any(len(line.split()) < len(lines[0].split()) for line in lines):
        return aligned(raw.decode(encoding))
    return None


def _head(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text, maxsplit=_HEAD_LINES)[:_HEAD_LINES]


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter that gives the most lines the same number (at least 2) of fields."""

    def score(delimiter: str) -> tuple[float, int]:
        """Return the share of lines with the commonest number of fields, and that number."""
        counts = Counter(len(fields(line, delimiter)) for line in lines)
        cells, lines_so = max(counts.items(), key=lambda held: held[::-1])
        return (lines_so / len(lines), cells) if cells > 1 else (0.0, 0)

    spaced = [re.split(r",\s+", line.strip()) for line in lines]
    inner = all(any("," in cell for cell in cells) for cells in spaced[1:]) and len(lines) > LEAST_ROWS
    alike = len({len(cells) for cells in spaced}) == 1 < len(spaced[0])
    if inner and alike and not any('"' in line for line in lines):
        return ", "  # 1,5, 2,5
    best = max(DELIMITERS, key=score)
    # A comma may be the decimal sign of a table parted by semicolons or tabs: prefer those on a tie.
    for other in (";", "\t", "|"):
        if score(other)[0] == score(best)[0] > 0:
            best = other
            break
    for wide in (" ", "  "):  # of columns in line; a comma is then a decimal sign or part of a name
        if score(wide)[0] == 1.0 > score(best)[0]:
            return wide
    if score(best)[0] >= 0.5:
        return best
    if score(" ")[0] >= 0.5:
        return " "
    last = [fields(line, " ") for line in lines[-LEAST_ROWS:]]
    if len({len(row) for row in last}) == 1 < len(last[0]) and all(is_number(c) for row in last for c in row):
        return " "  # rows of numbers below a text
    rare = sorted({c for c in lines[0] if "!" <= c <= "~" and not c.isalnum() and c not in _IN_CELLS})
    found = [c for c in rare if score(c)[0] == 1.0]
    return found[0] if len(found) == 1 and len(lines) > 1 else ","


def _titles(rows: list[list[str]]) -> int:
    """Return how many lines above the column names are titles: one cell where all other lines have more."""
    filled = [sum(bool(cell) for cell in row) for row in rows]
    first = next((i for i, count in enumerate(filled) if count > 1), 0)
    below = {len(row) for row in rows[first:]}
    if first + 1 < len(rows) and len(below) == 1:
        return first
    return _block(rows)


def _block(rows: list[list[str]]) -> int:
    """Return how many lines stand above a table of one width, as instruments write their settings; else 0.

    The names above it may be one more or one less. No line above may be one of numbers alone.
    """
    width, start = len(rows[-1]) if rows else 0, len(rows)
    while start and len(rows[start - 1]) == width:
        start -= 1
    if width < 2 or len(rows) - start < LEAST_ROWS or not _holds_numbers(rows[-1]):
        return 0
    beside = listed([" ".join(row) for row in rows[:start]], width) is not None
    first = len(rows[0]) == width and not beside  # it may hold the names
    below = rows[1 : MOST_BENEATH + 1]
    if first and (start <= len(below) + 1 or any(map(_holds_numbers, below))):
        return 0  # what is shorter are units below the names, or a broken line among the rows
    words = [i for i in range(start, len(rows) - LEAST_ROWS) if not any(c and is_number(c) for c in rows[i])]
    while words and words[-1] - 1 in words:
        words.pop()
    if words and start < words[-1]:
        start = words[-1]  # what is between are settings in as many cells
    elif start and not (words or beside) and abs(len(rows[start - 1]) - width) == 1 < len(rows[start - 1]):
        start -= 1  # the line of names
    above = [[cell for cell in row if cell] for row in rows[:start]]
    return 0 if any(len(row) > 1 and all(map(is_number, row)) for row in above) else start


def _holds_numbers(row: list[str]) -> bool:
    """Tell whether half of a line's cells are numbers."""
    return 2 * sum(bool(cell) and is_number(cell) for cell in row) >= len(row)


def _names_in_comment(comments: list[str], delimiter: str, count: int) -> list[str] | None:
    """Return names from the comment lines right above the rows, as numpy.savetxt and simulators write them.

    Below the names may stand their units, and the number of rows.
    """
    found: list[str] | None = None
    for line in reversed(comments[-LAST_COMMENTS:]):
        held = [names for sign in (delimiter, "  ") if len(names := fields(line, sign)) == count]
        if held and not all(map(is_number, held[0])) and not held[0][0].endswith(":"):
            found = held[0]
            if not all(is_unit(unquoted(name)) for name in found):
                break
    return found

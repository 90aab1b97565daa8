"""Text of a file -> columns: encoding, delimiter, titles, names, decimal sign, comments.

Nothing is asked: all of it is read off the first lines, and what was assumed is said. Not here: what a column
holds (`table`).
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kansym.base.errors import FormatError, InputError

if TYPE_CHECKING:
    import pandas as pd

_DELIMITERS = (",", ";", "\t", "|")
_IN_CELLS = " .+-_\"'/()[]"  # what cells hold themselves: never a delimiter
_HEAD_LINES = 200
_MISSING = {"", "na", "n/a", "nan", "null", "none", "-nan", "#n/a", "inf", "-inf", "+inf", "infinity"}


@dataclass(frozen=True)
class Layout:
    """Say how a text is to be read: what stands between and before the numbers."""

    encoding: str
    delimiter: str
    decimal: str
    skip: int
    comments: bool
    names: tuple[str, ...]


def read_text(raw: bytes, source: str) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return a frame, the names of its columns as written, and notes; raises InputError or FormatError."""
    notes: list[str] = []
    layout = _layout(raw, source, notes)
    return _parsed(raw, layout, source), list(layout.names), notes


def _layout(raw: bytes, source: str, notes: list[str]) -> Layout:
    text, encoding = _decode(raw, source, notes)
    lines = _head(text)
    body = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    said = re.fullmatch(r"sep=([ -~\t])", lines[body[0]].strip()) if body else None
    body = body[1:] if said else body  # a spreadsheet's way to name its delimiter
    if not body:
        raise InputError(f"File {source} is empty; it needs a line of column names and rows of numbers.")
    comments = [
        line.lstrip().lstrip("#").strip() for line in lines[: body[0]] if line.lstrip().startswith("#")
    ]
    delimiter = said[1] if said else _delimiter([lines[i] for i in body])
    titles = _titles([lines[i] for i in body], delimiter)
    if titles:
        which = "line is a title" if titles == 1 else f"{titles} lines are titles"
        notes.append(f"the first {which} ({shown(lines[body[0]])}): left out")
        body = body[titles:]
    decimal = _decimal([lines[i] for i in body[1:]], delimiter)
    first = _fields(lines[body[0]], delimiter)
    if decimal == ",":
        notes.append("numbers are written with a decimal comma")
    names, skip = first, body[0] + 1
    if all(_is_number(v, decimal) for v in first) and len(body) > 1:
        skip = body[0]
        named = _names_in_comment(comments, delimiter, len(first))
        if named is not None:
            names = named
        else:
            names = [f"x{i}" for i in range(len(first) - 1)] + ["y"]
            notes.append(
                f"no line of column names: called {', '.join(names) if len(names) < 7 else 'x0 ... y'}"
            )
    if len(body) == 1:
        raise InputError(f"File {source} has a header and no rows; add rows of numbers below it.")
    return Layout(encoding, delimiter, decimal, skip, bool(comments), tuple(names))


def _parsed(raw: bytes, layout: Layout, source: str) -> pd.DataFrame:
    import pandas as pd

    # Since pandas 3.1 the default reads every digit, and asking for it is deprecated.
    exact: Any = {} if _version(pd) >= (3, 1) else {"float_precision": "round_trip"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.BytesIO(raw),
                sep=r"\s+" if layout.delimiter == " " else layout.delimiter,
                header=None,
                names=[f"column {i}" for i in range(len(layout.names))],
                index_col=False,
                skiprows=layout.skip,
                skipinitialspace=True,
                encoding=layout.encoding,
                decimal=layout.decimal,
                comment="#" if layout.comments else None,
                **exact,
                low_memory=False,
            )
    except UnicodeDecodeError:
        raise FormatError(
            f"File {source} ends within a letter of {layout.encoding}; copy it again."
        ) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, csv.Error) as problem:
        said = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(problem))
        why = (
            f"line {said[2]} has {said[3]} values where {said[1]} are expected"
            if said
            else f"its rows have more values than the {len(layout.names)} column names"
            if isinstance(problem, pd.errors.ParserWarning)
            else str(problem).strip().splitlines()[-1]
        )
        raise FormatError(f"File {source} is not a table: {why}; mend that line.") from None


def shown(value: Any) -> str:
    """Return what stands in a cell, quoted, no more than 40 letters of it."""
    text = str(value)
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _version(module: Any) -> tuple[int, int]:
    major, minor = module.__version__.split(".")[:2]
    return int(major), int(minor)


def _decode(raw: bytes, source: str, notes: list[str]) -> tuple[str, str]:
    """Return text for looking at and the encoding for pandas."""
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff") and raw[2:4] != b"\0\0"  # UTF-16, but not UTF-32
    if b"\0" in raw and not wide:
        raise FormatError(f"File {source} is not text (it has zero bytes); give CSV, TSV or Parquet.")
    head = raw[: 1 << 20]
    if wide:
        return head[: len(head) // 2 * 2].decode("utf-16", errors="replace"), "utf-16"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        notes.append("not UTF-8: read as Latin-1")
        return head.decode("latin-1"), "latin-1"
    return head.decode("utf-8-sig", errors="replace"), "utf-8-sig"


def _head(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text, maxsplit=_HEAD_LINES)[:_HEAD_LINES]


def _fields(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    try:
        return [f.strip() for f in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
    except csv.Error:  # a field longer than csv reads
        return [f.strip() for f in line.split(delimiter)]


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter that gives the most lines the same number (at least 2) of fields."""

    def score(delimiter: str) -> tuple[float, int]:
        counts = Counter(len(_fields(line, delimiter)) for line in lines)
        fields, lines_so = counts.most_common(1)[0]
        return (lines_so / len(lines), fields) if fields > 1 else (0.0, 0)

    best = max(_DELIMITERS, key=score)
    # A comma may be the decimal sign of a table parted by semicolons or tabs: prefer those on a tie.
    for other in (";", "\t", "|"):
        if score(other)[0] == score(best)[0] > 0:
            best = other
            break
    if score(best)[0] >= 0.5:
        return best
    if score(" ")[0] >= 0.5:
        return " "
    rare = sorted({c for c in lines[0] if "!" <= c <= "~" and not c.isalnum() and c not in _IN_CELLS})
    found = [c for c in rare if score(c)[0] == 1.0]
    return found[0] if len(found) == 1 and len(lines) > 1 else ","


def _titles(lines: list[str], delimiter: str) -> int:
    """Return how many lines above the column names are titles: one field where all other lines have more."""
    counts = [len(_fields(line, delimiter)) for line in lines]
    first = next((i for i, count in enumerate(counts) if count > 1), 0)
    return first if first + 1 < len(counts) and len(set(counts[first:])) == 1 else 0


def _decimal(lines: list[str], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    values = [v for line in lines for v in _fields(line, delimiter)]
    commas = sum(bool(re.fullmatch(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?", v)) for v in values)
    points = sum(bool(re.fullmatch(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?", v)) for v in values)
    return "," if commas > points else "."


def _is_number(text: str, decimal: str) -> bool:
    if text.lower() in _MISSING:
        return True
    try:
        float(text.replace(",", ".") if decimal == "," else text)
    except ValueError:
        return False
    return True


def _names_in_comment(comments: list[str], delimiter: str, count: int) -> list[str] | None:
    """Return names from the last comment line above the rows, as numpy.savetxt writes them."""
    if not comments:
        return None
    names = _fields(comments[-1], delimiter)
    return names if len(names) == count and not all(_is_number(n, ".") for n in names) else None

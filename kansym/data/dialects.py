"""Texts that programs write in a form of their own, as plain lines with tabs between the cells.

Pairs of names and values in each line, arrays in brackets, pages of a wiki, lines in quotes. This room knows
lines; what their cells mean is for others to say.
"""

from __future__ import annotations

import re

from kansym.data.cell import is_gap, is_number

HEAD = 4096
"""Bytes that show whether a text may be in one of the forms."""

FEWEST = 3
"""Lines of one form that are no chance."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_PAIR = re.compile(r"(?<![\w.])[\"']?([^\W\d][\w.]*)[\"']?\s*[=:]\s*")
_AROUND = " \t-{}[](),;|\"'"
_ARRAY = re.compile(r"\s*(?:\w+\s*:?=\s*)?(?:(?:np\.|numpy\.)?array\()?\s*(?=[\[{])")
_IN_ARRAYS = re.compile(r"[\[\]{}()\d.,;+\-eEdD\s]+|nan|NaN|inf|Inf")
_ROW = re.compile(r"[\[{]([^\[\]{}]+)[\]}]")
_COUNTED = re.compile(r"(\d{1,3})[, ]\s*(?:1001|1010|2010|2110)")
"""The first line of a file of the NASA Ames formats, ICARTT among them: lines of the header, and the kind."""
_QUOTED = re.compile(r'"[^"]*[,;\t][^"]*"')
_ATTRIBUTES = re.compile(r"^[^|]*=[^|]*\|(?!\|)")


def plain(raw: bytes, encoding: str) -> tuple[str, str] | None:
    """Return a text's rows with tabs between their cells, and what is said of them; None for a plain text.

    >>> plain(b"x=1 y=2\\nx=2 y=4\\nx=3 y=9\\n", "utf-8")
    ('x\\ty\\n1\\t2\\n2\\t4\\n3\\t9', 'each line names its values')
    """
    head = raw[:HEAD].decode(encoding, errors="replace").lstrip("\ufeff\r\n \t")
    first = _LINE_END.split(head, maxsplit=1)[0]
    for likely, way, says in (
        (_PAIR.search(first), _pairs, "each line names its values"),
        (_ARRAY.match(first), _brackets, "an array in brackets"),
        ("{|" in head, _wiki, "a table of a wiki"),
        (_COUNTED.fullmatch(first.strip()), _counted, "the first line counts those of the header"),
        (_QUOTED.fullmatch(first.rstrip()), _in_quotes, "each line is in quotes as a whole"),
    ):
        if likely and (found := way(raw.decode(encoding, errors="replace"))) is not None:
            return found, says
    return None


def _pairs(text: str) -> str | None:
    """Return the values of lines like `x=1 y=2` and `T: 21.5 C, p: 3 kPa` under their names.

    What stands before the first name is a column without one.
    """
    lines = [line for line in _LINE_END.split(text) if line.strip()]
    names: list[str] = []
    rows: list[list[str]] = []
    for line in lines:
        before, *parts = _PAIR.split(line)
        rows.append([before.strip(_AROUND), *(part.strip(_AROUND) for part in parts[1::2])])
        names = names or parts[::2]
        if not names or parts[::2] != names or bool(rows[0][0]) != bool(rows[-1][0]):
            return None
    start = 0 if rows and rows[0][0] else 1
    heads = ["", *names][start:]
    if (
        len(rows) < FEWEST
        or not 2 <= len(heads) == len(set(heads))
        or not all(re.match(r"[-+]?[.,]?\d", row[-1]) for row in rows)
    ):
        return None
    return "\n".join("\t".join(cells) for cells in [heads, *(row[start:] for row in rows)])


def _brackets(text: str) -> str | None:
    """Return the rows of an array as NumPy, MATLAB, Mathematica and others write it."""
    text = text.strip("\ufeff\r\n\t ;")
    begun = _ARRAY.match(text)
    if begun is None or _IN_ARRAYS.sub("", text[begun.end() :]):
        return None
    inner = _ROW.findall(text)
    if len(inner) == 1:
        inner = re.split(r"[;\r\n]+", inner[0])
    rows = [re.split(r"[\s,]+", row.strip(" \t\r\n,;")) for row in inner if row.strip(" \t\r\n,;")]
    if len(rows) < FEWEST or len({len(row) for row in rows}) > 1 or len(rows[0]) < 2:
        return None
    return "\n".join("\t".join(row) for row in rows)


def _wiki(text: str) -> str | None:
    """Return the rows of the first table in a page of a wiki."""
    begun = re.search(r"(?m)^\{\|.*$", text)
    if begun is None:
        return None
    rows: list[list[str]] = [[]]
    for line in _LINE_END.split(text[begun.end() :].partition("\n|}")[0]):
        if line.startswith("|-"):
            rows.append([])
        elif line.startswith(("|", "!")) and not line.startswith("|+"):
            cells = re.split(r"\|\||!!", line[1:]) if line[0] == "!" else line[1:].split("||")
            rows[-1] += [_ATTRIBUTES.sub("", cell).strip(" '") for cell in cells]
    return "\n".join("\t".join(row) for row in rows if row)


def _counted(text: str) -> str | None:
    """Return names and rows of a file whose first line says how many lines the header has, names the last."""
    lines = _LINE_END.split(text.strip("\ufeff"))
    above = int(lines[0].replace(",", " ").split()[0])
    rows = [re.split(r"[,\s]+", line.strip(" ,")) for line in lines[above - 1 :] if line.strip()]
    return "\n".join("\t".join(row) for row in rows) if len(rows) >= FEWEST else None


def _in_quotes(text: str) -> str | None:
    """Return lines each of which is in quotes as a whole, as a spreadsheet saves a text a second time."""
    lines = [line.strip() for line in _LINE_END.split(text.strip("\ufeff\r\n "))]
    if len(lines) < FEWEST or not all(map(_QUOTED.fullmatch, lines)):
        return None
    cells = [re.split(r"[,;\t]", line[1:-1]) for line in lines]
    numbers = [cell for cell in cells[-1] if is_number(cell) and not is_gap(cell)]
    alike = len({len(row) for row in cells}) == 1
    return "\n".join(line[1:-1] for line in lines) if alike and numbers else None

"""Lines of a text made plain: comments, rules, breaks within quotes, markup and notes below the rows go.

This room takes bytes and gives back lines of cells with a sign between them; what the cells mean is for
others to say.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence

from kansym.base.errors import FormatError, shown
from kansym.data.cell import is_gap, is_number

LAST_LINES = 20
"""Lines at the end that may be notes on the table and not rows of it."""

_MARKED = re.compile(r"\s*(%|//|;|!|\*)(?=\s)")
"""Signs that begin comments in the files of simulators: COMSOL, Fortran, LaTeX."""

_COMMENT = re.compile(rb"(?m)^[ \t]*#")
_RULE = re.compile(r"\s*\|?(?:\s*(?::-+:?|-+:|-{2,})\s*\|)+\s*(?::?-+:?)?\s*|[-+=|\s]*(?:-{3}|={3})[-+=|\s]*")
_ERROR_WORD = re.compile(r"#(?:N/A|NA\b|DIV/0|(?:VALUE|WERT|REF|BEZUG|NUM|ZAHL|NULL)!|NAME\?)", re.IGNORECASE)
_BROKEN = re.compile(r'(?:(?<=[,;\t|\r\n])|\A)[ ]*"(?:[^"]|""){0,2000}?"(?=[ ]*(?:[,;\t|\r\n]|\Z))')
_EMPHASIS = re.compile(r"(?<=\|)(\s*)(\*\*|__|`|\*)(?=\S)([^|]*?\S)\2(\s*)(?=\|)")


def cleaned(raw: bytes, encoding: str, source: str) -> tuple[bytes, str]:
    """Return the text without comments and rules between rows, each an empty line, so that lines still count.

    Line breaks within quoted cells become spaces; rows as Markdown and LaTeX write them become plain. A text
    that has none of these comes back as it is. Raises FormatError for a text that ends within a letter.
    """
    head = raw[: 1 << 16]
    ruled = b"--" in head or b"==" in head
    typeset = re.search(rb"&[^\r\n]*\\\\", head) is not None
    quoted = _breaks_in_quotes(raw)
    if not ruled and not typeset and not quoted and not _COMMENT.search(raw):
        return raw, encoding
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise FormatError(f"File {source} ends within a letter of {encoding}; copy it again.") from None
    if quoted and '"' in text:
        text = _BROKEN.sub(lambda cell: re.sub(r"\s*(?:\r\n|\r|\n)\s*", " ", cell[0]), text)
    lines = re.split(r"\r\n|\r|\n", text)
    commented = any(line.lstrip().startswith("#") for line in lines)
    begun = False
    for i, line in enumerate(lines):
        if ruled and _RULE.fullmatch(line):
            lines[i] = ""
        elif commented and "#" in line and begun:
            lines[i] = _without_comment(line)
        begun = begun or bool(line.strip() and not line.lstrip().startswith("#"))
    framed = [line.strip() for line in lines if line.strip()]
    if framed and all(line.startswith("|") and line.endswith("|") and len(line) > 1 for line in framed):
        # a table as Markdown writes it
        lines = [_EMPHASIS.sub(r"\1\3\4", line.strip())[1:-1] for line in lines]
    elif typeset:
        lines = [_from_latex(line) for line in lines]
    return "\n".join(lines).encode("utf-8"), "utf-8"


def with_hashes(raw: bytes, encoding: str) -> bytes:
    """Return a text whose first two and more lines begin with % or another such sign with # there.

    They are comments where the first line behind them is one of numbers.
    """
    if not _MARKED.match(raw[:100].decode(encoding, errors="replace")):
        return raw
    lines = re.split(r"\r\n|\r|\n", raw.decode(encoding, errors="replace"))
    found = _MARKED.match(lines[0])
    if found is None:
        return raw
    mark = found[1]
    above = (i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith((mark, "#")))
    count = next(above, len(lines))
    behind = next((line for line in lines[count:] if line.strip()), "")
    if count < 2 or not behind or not all(map(is_number, re.split(r"[\s,;]+", behind.strip()))):
        return raw
    hashed = ["#" + line.lstrip().removeprefix(mark).removeprefix("#") for line in lines[:count]]
    return "\n".join([*hashed, *lines[count:]]).encode(encoding, errors="replace")


def aligned(text: str) -> str | None:
    """Return lines whose columns stand below each other with tabs between them, empty cells included.

    None where no place is blank in all lines between two columns that the first line names.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    held = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    used = {j for line in held for j, sign in enumerate(line) if sign != " "}
    starts = sorted(j for j in used if j - 1 not in used)
    if any("\t" in line for line in held) or len(starts) != len(held[0].split()):
        return None
    ends = [*starts[1:], None]
    return "\n".join(
        "\t".join(line[a:b].strip() for a, b in zip(starts, ends, strict=True)) for line in lines
    )


def fields(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line."""
    if delimiter == " ":
        return line.split()
    if delimiter == "  ":
        return re.split(r"\s{2,}|\t", line.strip())
    try:
        return [f.strip() for f in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
    except csv.Error:  # a field longer than csv reads
        return [f.strip() for f in line.split(delimiter)]


def without_notes(
    raw: bytes, encoding: str, delimiter: str, rows: Sequence[Sequence[str]], notes: list[str]
) -> bytes:
    """Return a text without the lines of words below its rows, such as a source or a remark.

    A line is no row where words stand in it alone, or where its words part into other than as many cells as
    the first rows have; and a block of lines below an empty one holds none where no line of it has numbers in
    most of the columns that do.
    """
    columns = Counter(len(row) for row in rows).most_common(1)[0][0]
    if columns < 2:
        return raw
    end = ("\n" if b"\n" in raw[-(1 << 16) :] else "\r").encode()
    parts = raw.rsplit(end, LAST_LINES + 1)
    lines = [part.decode(encoding, errors="replace").strip("\r\n") for part in parts]
    first: int | None = None
    for i in range(len(parts) - 1, 0, -1):
        cells = _cells(lines[i], delimiter)
        if not cells:
            continue
        if not _is_note(cells, columns, not parts[i - 1].strip()):
            break
        first = i
    held = [row for row in rows if len(row) == columns]
    numeric = [j for j in range(columns) if 3 * sum(_holds_number(row[j]) for row in held) > len(held)]
    for i in range(1, len(parts) if numeric else 0):
        below = [cells for line in lines[i:] if (cells := _cells(line, delimiter))]
        rows_below = any(_is_row(c, columns, numeric) for c in below)
        if i != first and not lines[i].strip() and below and not rows_below:
            first = i if first is None else min(first, i)
    if first is None:
        return raw
    words = [cell for line in lines[first:] for cell in _cells(line, delimiter) if re.search(r"\w", cell)]
    notes.append(f"below the rows stand words ({shown(words[0] if words else lines[first])}): left out")
    return end.join(parts[:first])


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line, none for an empty one and a comment."""
    empty = not line.strip(" \r\n" + delimiter) or line.lstrip().startswith("#")
    return [] if empty else fields(line, delimiter)


def _holds_number(cell: str) -> bool:
    return is_number(cell) and not is_gap(cell)


def _is_row(cells: list[str], columns: int, numeric: list[int]) -> bool:
    """Tell whether a line has numbers in most of the columns of numbers."""
    held = sum(bool(re.match(r"[<>~]?\s*[-+(]?\d", cells[j])) for j in numeric if j < len(cells))
    return len(cells) == columns and 2 * held > len(numeric)


def _is_note(cells: list[str], columns: int, apart: bool) -> bool:
    """Tell whether a line below the rows is a remark; `apart` where the line above it is empty."""
    filled = [c for c in cells if c]
    if is_number(cells[0]) or not re.search(r"[^\W\d]", "".join(filled)):
        return False
    if len(filled) == 1:
        return True
    words = sum(not is_number(c) and not is_gap(c) for c in filled)
    return len(cells) != columns and (apart or words > 1)


def _breaks_in_quotes(raw: bytes) -> bool:
    """Tell whether some line has an odd number of quotes, so that a cell may go on in the next one."""
    return b'"' in raw and any(line.count(b'"') % 2 for line in re.split(rb"\r\n|\r|\n", raw))


def _from_latex(line: str) -> str:
    """Return a row as LaTeX writes it with tabs between its cells; nothing for commands between rows."""
    if not re.search(r"(?<!\\)&", line):
        return ""
    line = re.sub(r"\\\\(?:\[[^\]]*\])?\s*(?:\\\w+\s*)*$", "", line.rstrip())
    line = re.sub(r"\\(?:num|ang|unit|si)\{([^{}]*)\}", r"\1", line)
    return re.sub(r"\\([%&_#$])", r"\1", re.sub(r"\s*(?<!\\)&\s*", "\t", line.strip().replace("$", "")))


def _without_comment(line: str) -> str:
    """Return a line up to the # outside quotes that begins a comment."""
    quoted = False
    for i, sign in enumerate(line):
        if sign == '"':
            quoted = not quoted
        elif sign == "#" and not quoted and not _ERROR_WORD.match(line, i):
            return line[:i].rstrip(" ")
    return line

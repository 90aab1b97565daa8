"""Tables in pages of HTML and sheets in XML, which programs also save under the name .xls.

This room gives the rows of the largest table as lines of cells with tabs between them; what the cells mean
is for others to say.
"""

from __future__ import annotations

import html.parser
import re

from kansym.base.errors import FormatError

_HEAD = 4096  # bytes in which a page shows that it is one
_SIDE_NOTES = ("script", "style", "sup")
_SHEET_TAGS = {"row": "tr", "cell": "td"}
"""Tags of a sheet that a spreadsheet writes as XML, and those of a page."""

MOST_SPANNED = 1000
"""Rows or columns that one cell may cover."""


def is_page(raw: bytes) -> bool:
    """Tell whether bytes are a page or a piece of one with a table in it."""
    head = raw[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    text = raw.lower() if head.startswith(b"<") else b""
    return (b"<t" in text and b"<td" in text) or b"urn:schemas-microsoft-com:office:spreadsheet" in head


def lines(raw: bytes, source: str, notes: list[str]) -> bytes:
    """Return the rows of the largest table of a page as text with tabs; raises FormatError where it has none.

    A cell that covers several rows stands in each of them, one that covers several columns in the first.
    """
    said = re.search(rb"charset=[\"']?([\w-]+)", raw[:_HEAD])
    try:
        text = raw.decode(said[1].decode() if said else "utf-8-sig")
    except (UnicodeDecodeError, LookupError):
        text = raw.decode("cp1252", errors="replace")
    reader = _Reader()
    reader.feed(text)
    reader.close()
    tables = [t for t in reader.tables if len(t) > 1]
    if not tables:
        raise FormatError(f"File {source} is a page without a table of two rows; copy its numbers as CSV.")
    largest = max(tables, key=lambda rows: sum(map(len, rows)))
    if len(tables) > 1:
        notes.append(f"the largest of the {len(tables)} tables in the page is read")
    return "\n".join("\t".join(cells) for cells in _spread(largest)).encode()


def _spread(rows: list[list[tuple[str, int, int]]]) -> list[list[str]]:
    """Return cells of (text, rows covered, columns covered) as a full table of texts."""
    held: dict[tuple[int, int], str] = {}
    for i, row in enumerate(rows):
        j = 0
        for text, down, across in row:
            while (i, j) in held:
                j += 1
            for k in range(across):
                for m in range(min(down, len(rows) - i)):
                    held[i + m, j + k] = "" if k else text
            j += across
    width = 1 + max(j for _, j in held) if held else 0
    return [[held.get((i, j), "") for j in range(width)] for i in range(len(rows))]


class _Reader(html.parser.HTMLParser):
    """Gather the tables of a page, each a list of rows of (text, rows covered, columns covered)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[tuple[str, int, int]]]] = []
        self._open: list[list[list[tuple[str, int, int]]]] = []
        self._cell: list[str] | None = None
        self._spans = (1, 1)
        self._aside = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a table, a row or a cell; what was not ended before ends here."""
        tag = _tag(tag)
        if tag in _SIDE_NOTES:
            self._aside += 1
        elif tag == "table":
            self._end()
            self._open.append([])
            self.tables.append(self._open[-1])
        elif tag == "tr" and self._open:
            self._end()
            self._open[-1].append([])
        elif tag in ("td", "th") and self._open:
            self._end()
            if not self._open[-1]:
                self._open[-1].append([])
            given = dict(attrs)
            place = _count(given.get("ss:index"))  # a sheet leaves out empty cells before this one
            self._open[-1][-1] += [("", 1, 1)] * (place - 1 - len(self._open[-1][-1]))
            down, across = (_count(given.get(name)) for name in ("rowspan", "colspan"))
            self._spans, self._cell = (down, across), []
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """End a cell or a table."""
        tag = _tag(tag)
        if tag in _SIDE_NOTES:
            self._aside = max(0, self._aside - 1)
        elif tag in ("td", "th", "tr"):
            self._end()
        elif tag == "table" and self._open:
            self._end()
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Keep the words of a cell."""
        if self._cell is not None and not self._aside:
            self._cell.append(data)

    def _end(self) -> None:
        """Put the open cell into its row."""
        if self._cell is not None and self._open and self._open[-1]:
            text = re.sub(r"\s+", " ", "".join(self._cell)).strip()
            self._open[-1][-1].append((text, *self._spans))
        self._cell = None


def _tag(tag: str) -> str:
    """Return a page's tag for one that may be a sheet's."""
    tag = tag.removeprefix("ss:")
    return _SHEET_TAGS.get(tag, tag)


def _count(text: str | None) -> int:
    """Return how many rows or columns a cell covers."""
    return min(max(int(text), 1), MOST_SPANNED) if text and re.fullmatch(r"\d{1,6}", text) else 1

"""Where tables come from: files of many formats, parts of files, folders, standard input, frames.

This room turns a source into frames of columns and texts; what their cells mean is decided behind it, alike
for all of them. Excel sheets and tables in SQLite are named behind two colons, "book.xlsx::Sheet2".
"""

from __future__ import annotations

import csv
import glob
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.data import binary, database, delimited, jcamp, webpage
from kansym.data.blocks import Choice
from kansym.data.database import PART
from kansym.data.writing import Writing

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (
    *(".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".dat", ".parquet", ".feather", ".xlsx", ".xls", ".ods"),
    *(".json", ".jsonl", ".ndjson", ".sqlite", ".db", ".jdx", ".dx"),
)
"""Ends of the names of files that can be tables, as far as names tell: contents do."""

FILE = "file"
"""Name of the column that says which file a row is from."""

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_PARQUET, _FEATHER, _SQLITE = b"PAR1", (b"ARROW1", b"FEA1"), b"SQLite format 3\0"


def read(path: Path, part: str | None, writing: Writing) -> delimited.Text | pd.DataFrame:
    """Return what a file holds, by its content and not its name.

    `part` names a sheet or a table in it. Raises InputError for what cannot be read or lacks a package, and
    FormatError for a broken file.
    """
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise InputError(f"File {str(path)!r} cannot be read: {problem.strerror}.") from None
    if raw.startswith(_SQLITE):
        return database.read(path, part)
    return content(raw, path.name, part, writing)


def content(raw: bytes, source: str, part: str | None, writing: Writing) -> delimited.Text | pd.DataFrame:
    """Return the table in bytes of any format but SQLite's."""
    raw, source, part = binary.unpacked(raw, source, part)
    if (arrays := binary.frame(raw, source)) is not None:
        return arrays
    if raw[:4] in (_ZIP, _OLE):
        return _sheet(raw, source, part, writing)
    if part is not None and not part.isdecimal():
        raise InputError(f"File {source} has no parts, so no {part!r} is in it; leave out {PART}{part}.")
    if raw[:4] == _PARQUET:
        return _columnar(raw, source, "parquet")
    if raw.startswith(_FEATHER):
        return _columnar(raw, source, "feather")
    if source.endswith(".parquet"):
        raise FormatError(f"File {source} does not start with PAR1, so it is no Parquet file.")
    if webpage.is_page(raw):
        return _page(raw, source, writing)
    if raw.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<?xml"):
        return _marked_up(raw, source)
    if jcamp.is_spectrum(raw):
        return delimited.read(jcamp.lines(raw, source), source, Writing("."), "\t")
    records = _records(raw, source)
    choice = Choice(None if part is None else int(part), f"{source}{PART}1")
    return delimited.read(raw, source, writing, choice=choice) if records is None else records


def standard_input(writing: Writing) -> delimited.Text | pd.DataFrame:
    """Return the table on standard input; raises InputError for one that is a terminal."""
    if sys.stdin.isatty():
        raise InputError("Standard input is a terminal; pipe a table into it: kansym discover - < FILE.")
    return content(sys.stdin.buffer.read(), "stdin", None, writing)


def several(pattern: str) -> list[Path] | None:
    """Return the files of a folder or of a pattern such as data/*.csv, sorted; None for a single file's name.

    Raises InputError where there is none.
    """
    path = Path(pattern).expanduser()
    if path.is_dir():
        files = [p for p in sorted(path.iterdir()) if p.is_file() and p.name.endswith(SUFFIXES)]
        if not files:
            raise InputError(f"Folder {pattern!r} has no table in it; give one with files such as .csv.")
        return files
    if not any(sign in pattern for sign in "*?[") or path.exists():
        return None
    files = [Path(p) for p in sorted(glob.glob(str(path), recursive=True)) if Path(p).is_file()]
    if not files:
        raise InputError(f"No file matches {pattern!r}; check the path.")
    return files


def frame_of(data: Any) -> pd.DataFrame:
    """Return a frame of any kind (polars, pyarrow, xarray) as one of pandas; raises InputError for others."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    for way in ("to_dataframe", "to_pandas"):
        if hasattr(data, way):
            break
    else:
        raise InputError(f"A table cannot come from {type(data).__name__}; give a pandas DataFrame.")
    try:
        if way == "to_dataframe" and getattr(data, "name", "") is None:
            data = data.rename("value")  # an array of xarray without a name
        frame = getattr(data, way)()
    except (ImportError, ModuleNotFoundError) as problem:
        package = problem.name or "pyarrow"
        raise InputError(
            f"Reading a {type(data).__name__} needs {package}; install it with: pip install {package}."
        ) from None
    if isinstance(frame, pd.Series):
        frame = frame.to_frame()
    named = [n for n in frame.index.names if n is not None]
    return frame.reset_index() if named and way == "to_dataframe" else frame


def _columnar(raw: bytes, source: str, kind: str) -> pd.DataFrame:
    """Return the table of a Parquet or Feather file."""
    import pandas as pd

    try:
        return getattr(pd, f"read_{kind}")(io.BytesIO(raw))
    except ImportError:
        raise InputError(
            f"Reading {source} needs pyarrow; install it with: pip install 'kansym[parquet]'."
        ) from None
    except Exception as problem:  # pyarrow has its own tree of errors
        raise FormatError(f"File {source} cannot be read as {kind.title()}: {_first_line(problem)}") from None


def _sheet(raw: bytes, source: str, part: str | None, writing: Writing) -> delimited.Text:
    """Return a sheet of a workbook as a text, so that titles, units and gaps are seen as in any other."""
    import pandas as pd

    try:
        sheets = pd.read_excel(io.BytesIO(raw), sheet_name=None, header=None, dtype=object, engine="calamine")
    except ImportError:
        raise InputError(
            f"Reading {source} needs python-calamine; install it with: pip install 'kansym[excel]'."
        ) from None
    except Exception as problem:  # the reader has its own tree of errors
        raise FormatError(f"File {source} cannot be read as a workbook: {_first_line(problem)}") from None
    filled = {str(name): sheet for name, sheet in sheets.items() if sheet.notna().any(axis=None)}
    if part is not None:
        if part not in filled:
            raise UnknownNameError(f"sheet of {source}", part, filled)
        chosen = part
    elif not filled:
        raise InputError(f"File {source} is empty; it needs a line of column names and rows of numbers.")
    else:
        chosen = next(iter(filled))
        if len(filled) > 1:
            shown = ", ".join(filled)
            raise InputError(
                f"File {source} has {len(filled)} sheets ({shown}); choose one: {source}{PART}{chosen}."
            )
    sheet = filled[chosen].dropna(axis=1, how="all")
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    for row in sheet.itertuples(index=False, name=None):
        writer.writerow([_cell(value) for value in row])
    assumed = writing if writing.given else Writing(".")
    return delimited.read(text.getvalue().encode(), source, assumed, "\t")


def _page(raw: bytes, source: str, writing: Writing) -> delimited.Text:
    """Return the largest table of a page."""
    notes: list[str] = []
    text = delimited.read(webpage.lines(raw, source, notes), source, writing, "\t")
    return replace(text, notes=(*notes, *text.notes))


def _marked_up(raw: bytes, source: str) -> pd.DataFrame:
    """Return the records of an XML file, whose fields are columns."""
    import pandas as pd

    try:
        return pd.read_xml(io.BytesIO(raw), parser="etree")
    except Exception as problem:  # the parser has its own tree of errors
        said = f"File {source} is XML but no table: {_first_line(problem).rstrip('.')}; save it as CSV."
        raise FormatError(said) from None


def _cell(value: Any) -> str:
    """Return a value as the text of a cell."""
    import pandas as pd

    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value).replace("\n", " ")


def _records(raw: bytes, source: str) -> pd.DataFrame | None:
    """Return JSON records, columns or lines of records as a frame; None for what is no JSON."""
    import pandas as pd

    head = raw[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] not in (b"{", b"["):
        return None
    try:
        text = raw.decode("utf-8-sig")
        try:
            found = json.loads(text)
        except json.JSONDecodeError:
            lines = [line for line in text.splitlines() if line.strip()]
            found = [json.loads(line) for line in lines]
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as problem:
        named = source.lower().removesuffix(".gz")
        # a header or a cell may begin with a brace
        if named.endswith((".csv", ".tsv", ".txt")):
            return None
        if head[:1] == b"[" and not named.endswith((".json", ".jsonl", ".ndjson")):
            return None  # a column's name may begin with a bracket
        said = f"File {source} is not whole JSON: {_first_line(problem)}; copy it again."
        raise FormatError(said) from None
    if isinstance(found, dict):
        inner = [v for v in found.values() if _are_records(v)]
        if len(inner) == 1:
            found = inner[0]  # records under a name of their own
        elif all(isinstance(found.get(name), list) for name in ("columns", "data")):
            found = [found["columns"], *found["data"]]  # as pandas writes it with orient="split"
    if isinstance(found, list) and len(found) > 1 and all(isinstance(row, list) for row in found):
        if not all(isinstance(name, str) for name in found[0]):
            return None  # rows of numbers alone
        found = [dict(zip(found[0], row, strict=False)) for row in found[1:]]
    columns = isinstance(found, dict) and all(isinstance(v, list | dict) for v in found.values())
    if not _are_records(found) and not columns:
        raise FormatError(
            f'File {source} is JSON but no table; give records such as [{{"a": 1, "y": 2}}, ...] or columns.'
        )
    try:
        return pd.json_normalize(found) if isinstance(found, list) else pd.DataFrame(found)
    except ValueError as problem:
        raise FormatError(f"File {source} is JSON but no table: {_first_line(problem)}.") from None


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _first_line(problem: BaseException) -> str:
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__

"""Files and frames as tables of named columns.

This room reads CSV and TSV of any delimiter (gzip too), Parquet and DataFrames, finds shipped tables and
their cards, and says what it repaired. Choosing inputs and making numbers of them is `dataset`'s job.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import tomllib
import warnings
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kansym.base import resources
from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.data.units import is_unit

if TYPE_CHECKING:
    import pandas as pd

_DELIMITERS = (",", ";", "\t", "|")
_IN_CELLS = " .+-_\"'/()[]"  # what cells hold themselves: never a delimiter
_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_HEAD_LINES = 200
_TEXT_SHARE = 0.2  # a column with at most this share of words among numbers is numbers with gaps
_MISSING = {"", "na", "n/a", "nan", "null", "none", "-nan", "#n/a", "inf", "-inf", "+inf", "infinity"}


@dataclass(frozen=True)
class Card:
    """Say what a shipped table is: its question, its source and terms, its columns.

    `relative_error` is a floor for the measurement error of the target as a share of its value.
    """

    name: str
    table: str
    title: str = ""
    target: str | None = None
    inputs: tuple[str, ...] | None = None
    sigma: str | None = None
    group: str | None = None
    relative_error: float | None = None
    source: str = ""
    licence: str = ""
    law: str = ""
    about: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def read(path: str | Path) -> Card:
        """Return the card in a TOML file; raises FormatError for a broken one or an unknown key."""
        path = Path(path)
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
            raise FormatError(f"Card {path.name} is not valid TOML: {problem}.") from None
        described = data.pop("columns", {})
        known = {k for k in Card.__dataclass_fields__ if k not in ("units", "columns")}
        for key in data:
            if key not in known:
                raise UnknownNameError(f"key of a card ({path.name})", key, known)
        data.setdefault("name", path.stem)
        if "table" not in data:
            raise FormatError(f'Card {path.name} names no table; add the line: table = "FILE.csv".')
        if data.get("inputs") is not None:
            data["inputs"] = tuple(data["inputs"])
        units = {n: c["unit"] for n, c in described.items() if "unit" in c}
        return Card(**data, units=units, columns={n: c.get("about", "") for n, c in described.items()})


@dataclass(frozen=True, eq=False)
class Table:
    """Hold named columns as read; `notes` say what was repaired. The frame is a private copy."""

    frame: pd.DataFrame
    source: str = "table"
    units: Mapping[str, str] = field(default_factory=dict)
    card: Card | None = None
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns' names in order."""
        return tuple(self.frame.columns)

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.frame)


def read_table(data: str | Path | pd.DataFrame | Table) -> Table:
    """Return a table from a file, a DataFrame (never changed) or a shipped table's name.

    Raises InputError for what is not there, empty or without rows; FormatError for what cannot be read.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, (str, Path)):
        path = Path(data).expanduser()
        if path.is_dir() or not path.exists():  # a pipe is as good as a file
            return _missing(path)
        return _with_card(_read_file(path), path)
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        return _from_frame(data)
    raise InputError(
        f"A table cannot come from {type(data).__name__}; give a file, a DataFrame or arrays X, y."
    )


def shipped(name: str) -> Table:
    """Return a shipped table by its name, with its card; raises UnknownNameError."""
    return read_table(shipped_path(name))


def shipped_path(name: str) -> Path:
    """Return the file of a shipped table."""
    cards = shipped_cards()
    if name not in cards:
        raise UnknownNameError("shipped table", name, cards)
    return resources.folder("datasets") / cards[name].table


def shipped_cards() -> dict[str, Card]:
    """Return the cards of all shipped tables, by name."""
    return {c.name: c for c in (Card.read(p) for p in sorted(resources.folder("datasets").glob("*.toml")))}


def numbers(table: Table, name: str, notes: list[str]) -> tuple[np.ndarray | None, str | None]:
    """Return a column as float64 with gaps as NaN, or None and what it holds instead.

    Booleans become 0 and 1; a few words among numbers become gaps, with a line appended to `notes`.
    """
    import pandas as pd

    column = table.frame[name]
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return None, "holds categories, not numbers; code them as numbers or leave it out"
    if pd.api.types.is_bool_dtype(kind):
        return column.to_numpy(dtype=float, na_value=np.nan), None
    if pd.api.types.is_complex_dtype(kind):
        return None, "holds complex numbers; give real and imaginary part as columns"
    if pd.api.types.is_datetime64_any_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind):
        return None, "holds dates; turn them into numbers such as days since the first"
    if pd.api.types.is_numeric_dtype(kind):
        return column.to_numpy(dtype=float, na_value=np.nan), None
    present = column.notna()
    try:
        found = pd.to_numeric(column, errors="coerce")
    except OverflowError:  # an integer beyond the largest float
        found = column.map(_number).astype(float)
    words = present & found.isna()
    if len(column) and not present.any():
        return None, "is empty; fill it or leave it out"
    if words.sum() <= _TEXT_SHARE * present.sum() and present.any():
        if words.any():
            row = int(np.flatnonzero(words.to_numpy())[0])
            notes.append(
                f"column {name!r} has {int(words.sum())} values that are no numbers "
                f"(first {_short(column.iloc[row])} in row {row + 1}): taken as missing"
            )
        return found.to_numpy(dtype=float, na_value=np.nan), None
    sample = column[present].head(5).tolist()
    if all(_is_date(str(v)) for v in sample):
        return None, f"holds dates ({_short(sample[0])}); turn them into numbers such as days since the first"
    return None, f"holds text ({_short(sample[0])}), not numbers; choose another or leave it out"


def _short(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _number(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")
    except (TypeError, ValueError):
        return float("nan")


def _is_date(text: str) -> bool:
    from dateutil import parser

    try:
        parser.parse(text)
    except (ValueError, OverflowError):
        return False
    return any(mark in text for mark in "-/:.") or any(c.isalpha() for c in text)


def _missing(path: Path) -> Table:
    """Return the shipped table of that name, or raise what a person needs to find the file."""
    if path.is_dir() and str(path) not in shipped_cards():
        raise InputError(f"{str(path)!r} is a folder; give one file in it.")
    plain = path.parent == Path(".")
    names = list(shipped_cards())
    if plain and path.name in names:
        return shipped(path.name)
    folder = path.parent if path.parent.is_dir() else None
    if folder is None:
        raise InputError(f"No folder {str(path.parent)!r}; check the path {str(path)!r}.")
    files = [p.name for p in sorted(folder.iterdir()) if p.name.endswith(_SUFFIXES)]
    raise UnknownNameError(
        "file or shipped table" if plain else "file", str(path) if plain else path.name, files + names * plain
    )


def _with_card(table: Table, path: Path) -> Table:
    stem = re.sub(r"\.(csv|tsv|txt|dat|parquet)(\.gz)?$", "", path.name)
    beside = path.with_name(stem + ".toml")
    if not beside.is_file():
        return table
    try:
        card = Card.read(beside)
    except (FormatError, InputError):
        if path.parent.resolve() == resources.folder("datasets").resolve():
            raise
        return table  # a TOML file that merely happens to lie there
    if card.table != path.name:
        return table
    return Table(table.frame, table.source, {**table.units, **card.units}, card, table.notes)


def _read_file(path: Path) -> Table:
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise InputError(f"File {str(path)!r} cannot be read: {problem.strerror}.") from None
    if raw[:4] == _PARQUET:
        return _from_frame(_read_parquet(raw, path.name), path.name)
    if raw[:2] == _GZIP:
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as problem:
            raise FormatError(
                f"File {path.name} is not a whole gzip file: {problem}; copy it again."
            ) from None
    if path.suffix == ".parquet":
        raise FormatError(f"File {path.name} does not start with PAR1, so it is no Parquet file.")
    return _read_text(raw, path.name)


def _read_parquet(raw: bytes, source: str) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(io.BytesIO(raw))
    except ImportError:
        raise InputError(
            f"Reading {source} needs pyarrow; install it with: pip install 'kansym[parquet]'."
        ) from None
    except Exception as problem:  # pyarrow has its own tree of errors
        first = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise FormatError(f"File {source} cannot be read as Parquet: {first}") from None


def _read_text(raw: bytes, source: str) -> Table:
    import pandas as pd

    notes: list[str] = []
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
        notes.append(f"the first {which} ({_short(lines[body[0]])}): left out")
        body = body[titles:]
    decimal = _decimal([lines[i] for i in body[1:]], delimiter)
    first = _fields(lines[body[0]], delimiter)
    if decimal == ",":
        notes.append("numbers are written with a decimal comma")
    if all(_is_number(v, decimal) for v in first) and len(body) > 1:
        skip = body[0]
        names = _names_in_comment(comments, delimiter, len(first))
        if names is None:
            names = [f"x{i}" for i in range(len(first) - 1)] + ["y"]
            notes.append(
                f"no line of column names: called {', '.join(names) if len(names) < 7 else 'x0 ... y'}"
            )
    else:
        skip, names = body[0] + 1, first
    if len(body) == 1:
        raise InputError(f"File {source} has a header and no rows; add rows of numbers below it.")
    # Since pandas 3.1 the default reads every digit, and asking for it is deprecated.
    exact: Any = {} if _version(pd) >= (3, 1) else {"float_precision": "round_trip"}
    placeholders = [f"column {i}" for i in range(len(names))]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.BytesIO(raw),
                sep=r"\s+" if delimiter == " " else delimiter,
                header=None,
                names=placeholders,
                index_col=False,
                skiprows=skip,
                skipinitialspace=True,
                encoding=encoding,
                decimal=decimal,
                comment="#" if comments else None,
                **exact,
                low_memory=False,
            )
    except UnicodeDecodeError:
        raise FormatError(f"File {source} ends within a letter of {encoding}; copy it again.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, csv.Error) as problem:
        said = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(problem))
        why = (
            f"line {said[2]} has {said[3]} values where {said[1]} are expected"
            if said
            else f"its rows have more values than the {len(names)} column names"
            if isinstance(problem, pd.errors.ParserWarning)
            else str(problem).strip().splitlines()[-1]
        )
        raise FormatError(f"File {source} is not a table: {why}; mend that line.") from None
    return _named(frame, names, source, notes)


def _version(module: Any) -> tuple[int, int]:
    major, minor = module.__version__.split(".")[:2]
    return int(major), int(minor)


def _from_frame(frame: Any, source: str = "DataFrame") -> Table:
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):  # polars, pyarrow and the like
        if not hasattr(frame, "to_pandas"):
            raise InputError(f"A table cannot come from {type(frame).__name__}; give a pandas DataFrame.")
        frame = frame.to_pandas()
    if frame.shape[1] == 0:
        raise InputError(f"{source} has no columns; it needs inputs and a target.")
    if len(frame) == 0:
        raise InputError(f"{source} has columns and no rows; add rows of numbers.")
    names = [" ".join(map(str, n)) if isinstance(n, tuple) else str(n) for n in frame.columns]
    copied = frame.copy()
    copied.columns = pd.Index([f"column {i}" for i in range(len(names))])
    return _named(copied.reset_index(drop=True), names, source, [])


def _named(frame: pd.DataFrame, names: list[str], source: str, notes: list[str]) -> Table:
    """Give the columns their names, with units from the header; refuse two of one name."""
    import pandas as pd

    units: dict[str, str] = {}
    final: list[str] = []
    drop: list[int] = []
    for i, written in enumerate(names):
        name, unit = _split_unit(written.strip())
        column = frame.iloc[:, i]
        if not name or re.fullmatch(r"Unnamed: \d+", name):
            if column.isna().all():
                drop.append(i)  # a delimiter at the end of every line
            elif i == 0 and pd.api.types.is_integer_dtype(column) and (column.diff().dropna() == 1).all():
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
        raise InputError(f"{source} has a header and no rows; add rows of numbers below it.")
    frame.columns = pd.Index(kept, dtype=object)
    return Table(frame, source, units, None, tuple(notes))


def _split_unit(name: str) -> tuple[str, str | None]:
    """Split "speed [m/s]" into name and unit; a bracket that is no unit stays in the name."""
    found = re.fullmatch(r"(.*\S)\s*\[([^\[\]]*)\]", name) or re.fullmatch(r"(.*\S)\s+\((.*)\)", name)
    if found and is_unit(found[2]) and (found[2] or "[" not in name):
        return found[1], found[2]
    return name, None


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

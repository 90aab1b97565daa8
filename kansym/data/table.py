"""Files and frames as tables of named columns.

This room opens files (gzip too), Parquet and DataFrames, finds shipped tables and their cards, and makes
numbers of columns. What the text of a file means is `delimited`'s job, choosing inputs `dataset`'s.
"""

from __future__ import annotations

import gzip
import io
import re
import tomllib
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kansym.base import resources
from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.data.delimited import read_text, shown
from kansym.data.units import is_unit

if TYPE_CHECKING:
    import pandas as pd

_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_TEXT_SHARE = 0.2  # a column with at most this share of words among numbers is numbers with gaps


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
                f"(first {shown(column.iloc[row])} in row {row + 1}): taken as missing"
            )
        return found.to_numpy(dtype=float, na_value=np.nan), None
    sample = column[present].head(5).tolist()
    if all(_is_date(str(v)) for v in sample):
        return None, f"holds dates ({shown(sample[0])}); turn them into numbers such as days since the first"
    return None, f"holds text ({shown(sample[0])}), not numbers; choose another or leave it out"


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
    frame, names, notes = read_text(raw, path.name)
    return _named(frame, names, path.name, notes)


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

"""Files and frames as tables of named columns.

This room finds tables (files, folders, shipped ones and their cards), gives their columns names, and says
what it repaired. How a file is written is `delimited`'s and `sources`' to know, how a cell is `cells`';
choosing inputs is `dataset`'s job.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kansym.base import resources
from kansym.base.errors import FormatError, InputError, UnknownNameError, shown
from kansym.data import database, dates, delimited, header, mending, sources, totals
from kansym.data.cells import numerals
from kansym.data.dates import ORDERS
from kansym.data.mending import is_text
from kansym.data.writing import Writing

if TYPE_CHECKING:
    import pandas as pd

MOST_SHOWN = 10
"""Columns that are named where a table is printed."""

_UNIT_ROWS = 50
"""Rows of a frame that are looked at to tell whether its first one holds units."""


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
    """Hold named columns as read; `notes` say what was repaired. The frame is a private copy.

    `read` holds the numbers of columns some of whose cells are words; the frame keeps the words. `unclear`
    says for a column why its numbers can be read in two ways; `errors` holds the measurement errors of
    columns whose cells state them, as in 1.98 ± 0.05; `dates` is the order of day and month that a person
    chose, one of `dates.ORDERS`.
    """

    frame: pd.DataFrame
    source: str = "table"
    units: Mapping[str, str] = field(default_factory=dict)
    card: Card | None = None
    notes: tuple[str, ...] = ()
    read: Mapping[str, np.ndarray] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, np.ndarray] = field(default_factory=dict)
    dates: str | None = None

    def __repr__(self) -> str:
        """Return the source, the columns and the number of rows on one line."""
        more = ", ..." if len(self.names) > MOST_SHOWN else ""
        return f"Table({self.source}: {self.rows} rows of {', '.join(self.names[:MOST_SHOWN])}{more})"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns' names in order."""
        return tuple(self.frame.columns)

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def name(self, asked: str, kind: str = "column") -> str:
        """Return the column that a person means, who may write its unit too: "speed [m/s]" is "speed".

        Raises UnknownNameError.
        """
        if asked in self.names:
            return asked
        for split in (header.split_unit, header.split_words):
            if (bare := split(asked.strip())[0]) in self.names:
                return bare
        raise UnknownNameError(kind, asked, self.names)

    def without(self, names: Iterable[str]) -> Table:
        """Return the table without some of its columns."""
        return replace(self, frame=self.frame.drop(columns=list(names)))


def read_table(
    data: Any, *, decimal: str | None = None, thousands: str | None = None, dates: str | None = None
) -> Table:
    """Return a table from a file, a part of one, a folder or pattern, "-", a frame, or a shipped name.

    "book.xlsx::Sheet2" and "data.sqlite::runs" name a sheet and a table; "data/*.csv" and a folder are one
    table with a column that says the file; "-" is standard input. Frames (pandas, polars, pyarrow, xarray)
    are never changed. `decimal` and `thousands` say which sign marks what in the numbers, `dates` whether
    01/09/2023 is written "day-first" or "month-first"; by default the cells tell. Raises InputError for what
    is not there, empty or without rows; FormatError for what cannot be read.
    """
    if isinstance(data, Table):
        return data
    writing = Writing.of(decimal, thousands)
    if dates is not None and dates not in ORDERS:
        raise InputError(f"dates is {dates!r}; it must be {' or '.join(map(repr, ORDERS))}.")
    if isinstance(data, (str, Path)):
        found = _from_path(str(data), writing)
    else:
        found = _table(sources.frame_of(data), type(data).__name__, writing)
    return replace(found, dates=dates)


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


@dataclass(frozen=True, eq=False)
class Column:
    """Hold a column as numbers (n,), or None and what it holds instead; `says` is what was made of dates."""

    values: np.ndarray | None
    problem: str = ""
    says: str = ""
    times: dates.Times | None = None


def numbers(table: Table, name: str, notes: list[str]) -> tuple[np.ndarray | None, str | None]:
    """Return a column as `column` reads it: its numbers, or None and what it holds instead.

    What was made of dates is a line appended to `notes`.
    """
    found = column(table, name)
    if found.says:
        notes.append(f"column {name!r} {found.says}")
    return found.values, found.problem or None


def column(table: Table, name: str) -> Column:
    """Return a column as float64 with gaps as NaN.

    Booleans become 0 and 1, dates days since the first one, durations days. Raises InputError for a column
    that can be read in two ways.
    """
    import pandas as pd

    if name in table.unclear:
        raise InputError(table.unclear[name])
    if name in table.read:
        return Column(table.read[name])
    cells = table.frame[name]
    kind = cells.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return Column(None, "holds categories, not numbers; code them as numbers or leave it out")
    if pd.api.types.is_complex_dtype(kind):
        return Column(None, "holds complex numbers; give real and imaginary part as columns")
    number = pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)
    if number and (times := dates.read(cells)) is not None:
        return Column(times.values, says=times.says, times=times)
    if number:
        return Column(cells.to_numpy(dtype=float, na_value=np.nan))
    if len(cells) and not cells.notna().any():
        return Column(None, "is empty; fill it or leave it out")
    times = times_of(table, name)
    if times is not None:
        return Column(times.values, says=times.says, times=times)
    first = shown(cells.dropna().iloc[0])
    return Column(None, f"holds text ({first}), not numbers; choose another or leave it out")


def times_of(
    table: Table, name: str, first: str | None = None, order: str | None = None
) -> dates.Times | None:
    """Return a column's dates or durations since `first`, None where it holds none.

    Which of day and month comes first, a person says, or the column itself, or the table's other columns, or
    `order`, how a law's own table had it. Raises InputError for a column that can be read in two ways.
    """
    cells, problem = table.frame[name], ""
    for asked in [table.dates] if table.dates else [order, None] if order else [None, _order(table, name)]:
        try:
            return dates.read(cells, first, asked)
        except dates.UnclearDatesError as unclear:
            problem = problem or str(unclear)
    raise InputError(f"Column {name!r} {problem}")


def _order(table: Table, name: str) -> str | None:
    """Return the order of day and month that all other columns of dates show; None where there is none."""
    texts = [table.frame[n] for n in table.names if n != name and is_text(table.frame[n])]
    shown = {order for cells in texts if (order := dates.shown_order(cells)) is not None}
    return shown.pop() if len(shown) == 1 else None


def _from_path(asked: str, writing: Writing) -> Table:
    """Return the table of a file, of standard input, or a shipped one."""
    if asked == "-":
        return _table(sources.standard_input(writing), "stdin", writing)
    if not asked.strip():
        raise InputError("The name of the table is empty; give a file, a folder, - or a shipped table.")
    path, part = Path(asked).expanduser(), None
    if sources.PART in asked and not path.exists():
        name, _, part = asked.rpartition(sources.PART)
        path = Path(name).expanduser()
    if path.is_dir() and str(path) in shipped_cards():
        return shipped(str(path))  # a run's folder may have a shipped table's name
    if (path / "result.json").is_file():
        raise InputError(f"{str(path)!r} is the folder of a run; give the table that it was made from.")
    files = sources.several(str(path)) if part is None else None
    if files is not None:
        return _stacked(files, str(path), writing)
    if not path.exists():  # a pipe is as good as a file
        return _missing(path)
    return _with_card(_table(sources.read(path, part, writing), path.name, writing), path)


def _stacked(files: Sequence[Path], source: str, writing: Writing) -> Table:
    """Return the tables of several files as one, with a column that says the file."""
    import pandas as pd

    tables = [_table(sources.read(path, None, writing), path.name, writing) for path in files]
    first = tables[0]
    for table in tables[1:]:
        if set(table.names) != set(first.names):
            odd = sorted(set(table.names) ^ set(first.names))
            raise InputError(
                f"{table.source} and {first.source} have different columns ({', '.join(odd)}); "
                "files that are read together need the same ones."
            )
        if table.units != first.units:
            raise InputError(f"{table.source} and {first.source} have different units; write them alike.")
    label = sources.FILE
    while label in first.names:
        label += "_"
    frames = [
        t.frame[list(first.names)].assign(**{**t.read, label: path.name.partition(".")[0]})
        for t, path in zip(tables, files, strict=True)
    ]
    notes = list(dict.fromkeys(note for t in tables for note in t.notes))
    notes.append(f"{len(files)} files read as one table; column {label!r} says which")
    unclear = {name: why for t in tables for name, why in t.unclear.items()}
    whole = pd.concat(frames, ignore_index=True)
    stated = [n for n in first.errors if all(n in t.errors for t in tables)]
    errors = {n: np.concatenate([t.errors[n] for t in tables]) for n in stated}
    return Table(whole, source, first.units, None, tuple(notes), {}, unclear, errors)


def _table(read: delimited.Text | pd.DataFrame, source: str, writing: Writing) -> Table:
    """Give columns their names and units, and make numbers of the text in them."""
    import pandas as pd

    notes: list[str] = []
    if isinstance(read, delimited.Text):
        frame, names, second, writing = read.frame, list(read.names), read.second, read.writing
        notes += read.notes
        frame = mending.measured(frame, notes)
    else:
        notes += [read.attrs[database.NOTE]] if database.NOTE in read.attrs else []
        frame, names = _numbered(read, source)
        rows = frame.head(_UNIT_ROWS).astype(object).itertuples(index=False)
        texts = [["" if v is None or v is pd.NA or v != v else str(v) for v in row] for row in rows]
        second = header.second_row(texts[0], texts[1:]) if any(is_text(frame[n]) for n in frame) else None
        if second is not None:
            frame = frame.iloc[1:].reset_index(drop=True)
            notes.append(second.note)
    if second is not None:
        names = [n if not unit or header.split_unit(n.strip())[1] else f"{n} [{unit}]"
                 for n, unit in zip(names, second.units, strict=True)]  # fmt: skip
    frame, units = header.named(frame, names, source, notes)
    frame, unclear = mending.formed(mending.dated(mending.joined(frame, notes), notes), notes)
    words = [n for n in frame.columns if is_text(frame[n]) and n not in unclear]
    found = numerals({n: frame[n] for n in words}, writing)
    if isinstance(read, delimited.Text) and len(frame) > 1:
        numeric = {n: frame[n].to_numpy(float) for n in frame if pd.api.types.is_numeric_dtype(frame[n])}
        if totals.summed([*numeric.values(), *found.values.values()]):
            notes.append("the last row holds the sums of the others: left out")
            frame = frame.iloc[:-1]
            found = found.rows(len(frame))
        frame, found = mending.without_fillers(frame, found, notes)
    frame, found = mending.with_errors(frame, found, notes)
    whole = {n: v for n, v in found.values.items() if n not in found.lossy and n in frame.columns}
    if whole:
        frame = frame.assign(**whole)
    lossy = {n: found.values[n] for n in found.lossy if n in frame.columns}
    notes += found.notes
    known = {**units, **found.units}
    unclear |= found.unclear
    return Table(frame, source, known, None, tuple(notes), lossy, unclear, found.errors)


def _numbered(given: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[str]]:
    """Return a copy of a frame with numbered columns, and their names as text."""
    import pandas as pd

    if given.shape[1] == 0:
        raise InputError(f"{source} has no columns; it needs inputs and a target.")
    if len(given) == 0:
        raise InputError(f"{source} has columns and no rows; add rows of numbers.")
    names = [" ".join(map(str, n)) if isinstance(n, tuple) else str(n) for n in given.columns]
    copied = given.copy()
    copied.columns = pd.Index([f"column {i}" for i in range(len(names))])
    return copied.reset_index(drop=True), names


def _missing(path: Path) -> Table:
    """Return the shipped table of that name, or raise what a person needs to find the file."""
    plain = path.parent == Path(".")
    names = list(shipped_cards())
    if plain and path.name in names:
        return shipped(path.name)
    folder = path.parent if path.parent.is_dir() else None
    if folder is None:
        raise InputError(f"No folder {str(path.parent)!r}; check the path {str(path)!r}.")
    files = [p.name for p in sorted(folder.iterdir()) if p.name.endswith(sources.SUFFIXES)]
    raise UnknownNameError(
        "file or shipped table" if plain else "file", str(path) if plain else path.name, files + names * plain
    )


def _with_card(table: Table, path: Path) -> Table:
    """Return the table with what the TOML file beside it says of its columns."""
    stem = re.sub(r"\.[a-z]+(\.gz)?$", "", path.name)
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
    return replace(table, units={**table.units, **card.units}, card=card)

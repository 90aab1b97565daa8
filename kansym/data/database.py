"""Tables and views of an SQLite file, read without changing it and without end where a view has none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kansym.base.errors import FormatError, InputError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

PART = "::"
"""What parts a file's name from the name of a sheet or table in it."""

NOTE = "kansym: what was cut"
"""Key of a frame's `attrs` that says where a view was cut."""

MOST_ROWS = 1_000_000
"""Rows of a view: it is a query, which may be recursive and never end. Some seconds for ten columns."""

MOST_STEPS = 1_000_000_000
"""Instructions of SQLite's machine for a view, some ten seconds: one that counts for ever gives no row."""

BETWEEN = 1_000_000
"""Instructions between two looks at how many there were."""

MOST_BYTES = 1 << 20
"""Bytes of a view's row; functions can make gigabytes of nothing."""

PIECE = 100_000
"""Rows that are made a frame at a time."""


def read(path: Path, part: str | None) -> pd.DataFrame:
    """Return the only table of a file, or the one named; a view that goes on and on is cut, with a note.

    Raises InputError where there are several or none of that name, FormatError for a broken file.
    """
    connection = None
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        connection.execute("PRAGMA trusted_schema = OFF")  # views may call no function that does something
        kept = "type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        listed = connection.execute(f"SELECT name, type FROM sqlite_master WHERE {kept}").fetchall()
        kinds = dict(sorted(listed))
        name = _chosen(path.name, part, list(kinds))
        return _frame(connection, name, kinds[name] == "view", path.name)
    except (sqlite3.Error, UnicodeDecodeError) as problem:
        raise FormatError(f"File {path.name} cannot be read as SQLite: {problem}.") from None
    finally:
        if connection is not None:
            connection.close()


def _chosen(source: str, part: str | None, names: Sequence[str]) -> str:
    """Return the name of the table that is meant."""
    if part is None and len(names) != 1:
        raise InputError(
            f"File {source} has {len(names)} tables ({', '.join(names)}); "
            f"choose one: {source}{PART}{names[0] if names else 'TABLE'}."
        )
    chosen = names[0] if part is None else part
    if chosen not in names:
        raise UnknownNameError(f"table of {source}", chosen, names)
    return chosen


def _frame(connection: sqlite3.Connection, name: str, is_view: bool, source: str) -> pd.DataFrame:
    """Return a table's rows, or those of a view within its bounds."""
    import pandas as pd

    query = 'SELECT * FROM "' + name.replace('"', '""') + '"'
    if not is_view:
        return pd.read_sql_query(query, connection)
    steps = iter(range(MOST_STEPS // BETWEEN))
    connection.set_progress_handler(lambda: next(steps, None) is None, BETWEEN)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
    pieces: list[pd.DataFrame] = []
    cut = ""
    try:
        for piece in _pieces(connection, query):
            pieces.append(piece)
            if sum(map(len, pieces)) > MOST_ROWS:
                cut = f"has more than {MOST_ROWS:,} rows: the first {MOST_ROWS:,} are read"
                break
    except sqlite3.OperationalError as problem:
        if "interrupted" not in str(problem):
            raise
        if not pieces:
            raise InputError(
                f"View {name!r} of {source} gives no row in {MOST_STEPS:,} steps; make a table of it."
            ) from None
        cut = "goes on and on: its first {rows:,} rows are read"
    frame = pd.concat(pieces, ignore_index=True).iloc[:MOST_ROWS]
    if cut:
        frame.attrs[NOTE] = f"view {name!r} {cut.format(rows=len(frame))}; make a table of it to have all"
    return frame


def _pieces(connection: sqlite3.Connection, query: str) -> Iterator[pd.DataFrame]:
    """Yield a query's rows, so many at a time; what came before an interruption is yielded, too."""
    import pandas as pd

    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    rows: list[tuple[object, ...]] = []
    given = False
    try:
        for row in cursor:
            rows.append(row)
            if len(rows) == PIECE:
                yield pd.DataFrame.from_records(rows, columns=names)
                rows, given = [], True
    except sqlite3.OperationalError:
        if rows:
            yield pd.DataFrame.from_records(rows, columns=names)
        raise
    if rows or not given:
        yield pd.DataFrame.from_records(rows, columns=names)

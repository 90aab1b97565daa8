"""Tables larger than memory: Parquet files read in batches, and a sample of their rows drawn in one pass.

A law is searched on the sample; what is then asked of all rows goes through `Reading.parts`, as often as it
is asked. Not here: what a column means, which the sample shows, as for any table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kansym.base.errors import FormatError, InputError
from kansym.data import repair, sources
from kansym.data.inputs import Made, again
from kansym.data.table import Table, numbers, read_table

if TYPE_CHECKING:
    import pandas as pd

SCANNED = 2_000_000
"""Rows of Parquet from which a table is read in batches: some 100 MB in five columns."""

SAMPLE = 25_000
"""Rows that are drawn for the search: as many as candidates are judged on, and a fifth to hold out."""

BATCH = 131_072
"""Rows read at a time: a few megabytes a column, and long enough that numpy's loops dominate."""

_MAGIC = b"PAR1"


@dataclass(frozen=True)
class Scan:
    """Hold Parquet files that are one table, and how many rows they have together."""

    files: tuple[Path, ...]
    rows: int
    source: str
    decimal: str | None = None
    thousands: str | None = None
    dates: str | None = None

    @staticmethod
    def of(
        data: Any, decimal: str | None = None, thousands: str | None = None, dates: str | None = None
    ) -> Scan | None:
        """Return the scan of a file, folder or pattern with SCANNED rows of Parquet or more; None for others.

        Raises InputError where files have different columns and FormatError for a broken one.
        """
        if not isinstance(data, str | Path) or str(data) == "-":
            return None
        path = Path(data).expanduser()
        files = [path] if path.is_file() else sources.several(str(data)) if _plural(path) else None
        if not files or not all(map(_is_parquet, files)):
            return None
        try:
            import pyarrow.parquet as pq
        except ImportError:
            return None  # reading says how to get it
        rows, first = 0, None
        for file in files:
            try:
                opened = pq.ParquetFile(file)
            except Exception as problem:  # pyarrow has its own tree of errors
                raise FormatError(f"File {file.name} cannot be read as Parquet: {problem}") from None
            with opened:
                rows += opened.metadata.num_rows
                columns = tuple(opened.schema_arrow.names)
            first = first or columns
            if set(columns) != set(first):
                odd = ", ".join(sorted(set(columns) ^ set(first)))
                raise InputError(
                    f"{file.name} and {files[0].name} have different columns ({odd}); "
                    "files that are read together need the same ones."
                )
        return Scan(tuple(files), rows, path.name, decimal, thousands, dates) if rows >= SCANNED else None

    def frames(self) -> Iterator[pd.DataFrame]:
        """Yield the rows in the files' order, at most BATCH at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = None
        for file in self.files:
            with pq.ParquetFile(file, pre_buffer=False) as opened:
                columns = columns or opened.schema_arrow.names
                for batch in opened.iter_batches(BATCH, columns=columns):
                    yield pa.Table.from_batches([batch]).select(columns).to_pandas()

    def table(self, frame: pd.DataFrame) -> Table:
        """Return a batch as a table."""
        read = read_table(frame, decimal=self.decimal, thousands=self.thousands, dates=self.dates)
        return replace(read, source=self.source)

    def sample(
        self, seed: int = 0, count: int | None = None, report: Callable[[int], None] = lambda rows: None
    ) -> Table:
        """Return `count` rows (SAMPLE by default) drawn without replacement in one pass, in the files' order.

        Every row has a random key, and those of the smallest keys are kept: reservoir sampling (Vitter 1985)
        for whole batches. `report` is called with the number of rows read so far.
        """
        import pandas as pd

        rng, count = np.random.default_rng(seed), count or SAMPLE
        kept: pd.DataFrame | None = None
        keys, seen, limit = np.empty(0), 0, np.inf
        for frame in self.frames():
            fresh = rng.random(len(frame))
            chosen = fresh < limit
            if chosen.any():
                keys = np.concatenate([keys, fresh[chosen]])
                part = frame[chosen]
                kept = part if kept is None else pd.concat([kept, part], ignore_index=True)
            if len(keys) > 2 * count:
                kept, keys = _smallest(kept, keys, count)
                limit = float(keys.max())
            seen += len(frame)
            report(seen)
        if kept is None:
            raise InputError(f"{self.source} has columns and no rows; add rows of numbers.")
        if len(keys) > count:
            kept, keys = _smallest(kept, keys, count)
        found = self.table(kept)
        said = f"{self.rows} rows are read in batches; the search looks at {len(keys)} of them"
        names = ("the names of the files are no column of so large a table",) if len(self.files) > 1 else ()
        return replace(found, notes=(*found.notes, said, *names))


@dataclass(frozen=True)
class Reading:
    """Say how every batch of a scan becomes inputs, target and weights, as its sample did.

    `sigma` is the column of measurement errors, `relative_error` a floor for them; `units` are those of the
    columns by name.
    """

    scan: Scan
    target: str
    made: Mapping[str, Made] = field(default_factory=dict)
    sigma: str | None = None
    relative_error: float | None = None
    units: Mapping[str, str] = field(default_factory=dict)

    def parts(self, names: tuple[str, ...]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """Yield X (n, names), y (n,) and weights (n,) of the rows without gaps, batch by batch.

        Raises InputError for a batch whose columns hold no numbers.
        """
        for frame in self.scan.frames():
            table = self.scan.table(frame)
            X, y = again(table, names, self.made), self._numbers(table, self.target)
            errors = None if self.sigma is None else self._numbers(table, self.sigma)
            whole = np.isfinite(X).all(axis=1) & np.isfinite(y)
            if errors is not None:
                whole &= np.isfinite(errors)
            if not whole.all():
                X, y = X[whole], y[whole]
                errors = None if errors is None else errors[whole]
            if not len(y):
                continue
            weights = None
            if errors is not None or self.relative_error is not None:
                if errors is not None and self.sigma is not None:
                    units = {**table.units, **self.units}
                    errors = errors * repair.rescaled(
                        units, table.name(self.sigma), table.name(self.target), []
                    )
                weights = repair.weights_of(y, errors, self.relative_error, [])
            yield X, y, weights

    def _numbers(self, table: Table, asked: str) -> np.ndarray:
        """Return a column's numbers; raises InputError for a column that has none."""
        found, problem = numbers(table, table.name(asked), [])
        if found is None:
            raise InputError(f"Column {asked!r} {problem}.")
        return found


def _smallest(frame: Any, keys: np.ndarray, count: int) -> tuple[Any, np.ndarray]:
    """Return the rows of the smallest keys, in their old order."""
    at = np.sort(np.argpartition(keys, count - 1)[:count])
    return frame.iloc[at].reset_index(drop=True), keys[at]


def _plural(path: Path) -> bool:
    return path.is_dir() or any(sign in str(path) for sign in "*?[")


def _is_parquet(path: Path) -> bool:
    """Tell whether a file begins as Parquet does."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False

"""What a person sees of a table's columns: type, unit, range, gaps, a small histogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kansym.base.errors import InputError
from kansym.data.inputs import MOST_LEVELS, ROWS_A_LEVEL
from kansym.data.table import Table, column
from kansym.report.slices import wants_log

BARS = 16
"""Bars of a histogram as wide as a word."""

MOST_WORDS = 4
"""Words of a column of text that are shown."""

SAMPLE = 100_000
"""Rows that a histogram is drawn from; range and gaps are of all rows."""


@dataclass(frozen=True)
class Profile:
    """Hold what one column is: `kind` is "number", "date", "category", "text" or "empty".

    `low` and `high` are the range of its numbers, `bars` how many rows lie in each of BARS equal parts of it,
    of its logarithm where `log`; `words` are the commonest of a column that is none of numbers, `about` what
    a card or the reader says.
    """

    name: str
    kind: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    gaps: int = 0
    different: int = 0
    bars: tuple[int, ...] = ()
    log: bool = False
    words: tuple[str, ...] = ()
    about: str = ""

    @property
    def numeric(self) -> bool:
        """Tell whether the column can be a target or an input of numbers."""
        return self.kind in ("number", "date")


def profiles(table: Table) -> tuple[Profile, ...]:
    """Return what each column of a table is, in order."""
    return tuple(_profile(table, name) for name in table.names)


def _profile(table: Table, name: str) -> Profile:
    """Return what one column is."""
    units = {**(table.card.units if table.card else {}), **table.units}
    about = table.card.columns.get(name, "") if table.card else ""
    unit = str(units.get(name, ""))
    found = None
    try:
        found = column(table, name)
    except InputError as problem:  # it can be read in two ways
        about = about or str(problem)
    if found is None or found.values is None:
        return _of_words(table, name, unit, about)
    values = found.values
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Profile(name, "empty", unit, gaps=len(values), about=about)
    sample = finite[:: max(1, len(finite) // SAMPLE)]
    log = wants_log(sample)
    return Profile(
        name,
        "date" if found.times is not None else "number",
        unit,
        float(finite.min()),
        float(finite.max()),
        int(len(values) - len(finite)),
        len(np.unique(sample)),
        tuple(int(n) for n in np.histogram(np.log(sample) if log else sample, BARS)[0]),
        log,
        about=about or found.says,
    )


def _of_words(table: Table, name: str, unit: str, about: str) -> Profile:
    """Return what a column is that holds no numbers."""
    cells = table.frame[name]
    given = cells.dropna()
    if not len(given):
        return Profile(name, "empty", unit, gaps=len(cells), about=about)
    counts = given.astype(str).value_counts()
    few = 2 <= len(counts) <= MOST_LEVELS and ROWS_A_LEVEL * len(counts) <= len(
        cells
    )  # as a search takes them
    kind = "category" if few else "text"
    return Profile(
        name,
        kind,
        unit,
        gaps=len(cells) - len(given),
        different=len(counts),
        words=tuple(str(word) for word in counts.index[:MOST_WORDS]),
        about=about,
    )

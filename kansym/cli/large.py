"""Tables larger than memory on the command line: the sample before a search, all rows after it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kansym.cli import progress
from kansym.data.writing import WRITING

if TYPE_CHECKING:
    from kansym.data.dataset import Dataset
    from kansym.data.table import Table
    from kansym.pipeline.run import Run

FACTS = (*WRITING, "sigma", "relative_error")
"""Options that say how the rows of all batches are read."""


def drawn(
    data: str, options: Mapping[str, Any], seed: int, quiet: bool
) -> tuple[Table, dict[str, Any]] | None:
    """Return a sample of a table that is too large for memory, and as plain data how to read all of it.

    None for other tables.
    """
    from kansym.base.budget import Progress
    from kansym.data.scan import Scan

    found = Scan.of(data, *(options[name] for name in WRITING))
    if found is None:
        return None
    begun = time.monotonic()
    with progress.Watcher(quiet) as watcher:

        def report(rows: int) -> None:
            """Report how many rows were read."""
            seconds = time.monotonic() - begun
            watcher(Progress(f"drawing a sample of {found.rows} rows", None, f"{rows} rows", 0.0, seconds))

        table = found.sample(seed, report=report)
    return table, {"data": str(Path(data).expanduser().absolute()), **{n: options[n] for n in FACTS}}


def finished(run: Run, dataset: Dataset, facts: Mapping[str, Any] | None, watcher: progress.Watcher) -> Run:
    """Return a run on a sample with its front fitted to all rows, unless it was interrupted.

    Without `facts` the dataset was no sample. Raises InputError where the table is no longer there.
    """
    if facts is None or run.stop_reason == "interrupted":
        return run
    from kansym.base.errors import InputError
    from kansym.data.scan import Reading, Scan
    from kansym.pipeline.beyond import on_all_rows

    scan = Scan.of(facts["data"], *(facts.get(name) for name in WRITING))
    if scan is None:
        raise InputError(f"{facts['data']} is no large table any more; put it back, or run discover again.")
    some = (facts["sigma"], facts["relative_error"], dict(dataset.unit_texts or {}))
    return on_all_rows(run, dataset, Reading(scan, dataset.target, dataset.made, *some), watcher)

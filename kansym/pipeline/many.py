"""Many searches at once: tables, targets, seeds and samples of the rows, each a task of its own.

The tasks go through joblib, so that processes of this machine or a cluster's workers share them
(`joblib.parallel_config`, `base.cluster`). A task knows its rows, its options and its seed, so its answer is
the same wherever it runs. Not here: what a search does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np

from kansym.base.budget import Progress
from kansym.base.errors import InputError, KansymError
from kansym.data.dataset import Dataset, from_table
from kansym.data.table import read_table
from kansym.pipeline.checkpoint import Checkpoint
from kansym.pipeline.flow import Options, search
from kansym.pipeline.run import Run

INTERRUPTED = "interrupted"


@dataclass(frozen=True, eq=False)
class Task:
    """Describe one search: a name that no other has, rows, options, and where its progress is kept."""

    name: str
    dataset: Dataset
    options: Options
    kept: Checkpoint | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """Hold what became of a task: its run, or the one line that says why there is none."""

    task: Task
    run: Run | None
    problem: str = ""


def tasks(
    datasets: Mapping[str, Dataset], options: Options, seeds: int = 1, bootstraps: int = 0
) -> list[Task]:
    """Return one task for each dataset, seed and bootstrap sample, in this order.

    Seeds count from that of the options. The samples are searched besides the whole rows. Raises InputError
    for counts below their least values.
    """
    if seeds < 1 or bootstraps < 0:
        raise InputError(f"{seeds} seeds and {bootstraps} bootstraps; give at least 1 and 0.")
    made = []
    for name, dataset in datasets.items():
        for k in range(seeds):
            label = f"{name}, seed {options.seed + k}" if seeds > 1 else name
            seeded = replace(options, seed=options.seed + k)
            made.append(Task(label, dataset, seeded))
            made += [
                Task(f"{label}, bootstrap {b}", resampled(dataset, seeded.seed, b), seeded)
                for b in range(1, bootstraps + 1)
            ]
    return made


def resampled(dataset: Dataset, seed: int, number: int) -> Dataset:
    """Return the rows of a bootstrap sample (Efron 1979), each once: some 63 % of all, in their old order.

    A row that was drawn twice would be fitted and held out at once, so repetitions are left out; what is the
    law in such samples as well does not hang on a few rows.
    """
    rng = np.random.default_rng([seed, number])
    drawn = np.unique(rng.integers(0, dataset.rows, dataset.rows))
    return replace(dataset.take(drawn), notes=(*dataset.notes, f"{len(drawn)} of {dataset.rows} rows drawn"))


def outcomes(
    asked: Sequence[Task],
    jobs: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Outcome]:
    """Yield what becomes of each task, in the order asked; `jobs` None takes joblib's own configuration.

    A task that is refused does not end the others; an interrupt ends all, with what is finished so far.
    """
    begun, ready, given = time.monotonic(), {}, 0
    work = (joblib.delayed(_numbered)(k, task) for k, task in enumerate(asked))
    done = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(work)
    for number, found in done:
        ready[number] = Outcome(asked[number], *found)
        if progress is not None:
            progress(_reported(ready[number], len(ready), len(asked), time.monotonic() - begun))
        while given in ready:
            yield ready[given]
            given += 1
        run = found[0]
        if run is not None and run.stop_reason == INTERRUPTED:
            return


def discover_many(
    tables: Mapping[str, Any],
    *,
    targets: Sequence[str | None] = (None,),
    seeds: int = 1,
    bootstraps: int = 0,
    jobs: int | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    dates: str | None = None,
    options: Options | None = None,
    progress: Callable[[Progress], None] | None = None,
    **settings: Any,
) -> dict[str, Run]:
    """Find the laws of many tables, targets, seeds and bootstrap samples; return the runs by their names.

    `tables` maps names to whatever :func:`discover` takes as a table; with several `targets` each has a
    search of its own, and none explains another. `decimal`, `thousands` and `dates` say how numbers and dates
    are written, where cells do not tell. `settings` are fields of :class:`Options`. `jobs` processes
    share the work; by default joblib's configuration decides, so that `joblib.parallel_config("dask")` sends
    it to a cluster. Raises InputError for what cannot be used, after the other tasks have ended.
    """
    chosen = Options.of(options, settings)
    datasets = {}
    for name, data in tables.items():
        table = read_table(data, decimal=decimal, thousands=thousands, dates=dates)
        for target in targets:
            others = [t for t in targets if t is not None and t != target]
            label = name if len(targets) == 1 else f"{name}: {target}"
            datasets[label] = from_table(table.without(others), target=target)
    found = list(outcomes(tasks(datasets, chosen, seeds, bootstraps), jobs, progress))
    for one in found:
        if one.run is None:
            raise InputError(f"{one.task.name}: {one.problem}")
    return {one.task.name: one.run for one in found if one.run is not None}


def _numbered(number: int, task: Task) -> tuple[int, tuple[Run | None, str]]:
    """Run a task, on whatever machine; its parts run one after the other there."""
    try:
        return number, (search(task.dataset, replace(task.options, jobs=1), None, task.kept), "")
    except KansymError as problem:
        return number, (None, str(problem))


def _reported(one: Outcome, done: int, count: int, seconds: float) -> Progress:
    """Return what is reported when a task is done."""
    law = one.problem if one.run is None else f"{one.run.data['target']} = {one.run.best.equation}"
    return Progress(f"{done} of {count} done, {one.task.name}", None, law, done, seconds)

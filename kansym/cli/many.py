"""Several searches of one command, each shown under its name: tables, seeds and samples of the rows."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kansym.cli import progress
from kansym.cli.options import read_each, say, together
from kansym.cli.result import document, show, write

if TYPE_CHECKING:
    from kansym.data.dataset import Dataset
    from kansym.pipeline.flow import Options
    from kansym.pipeline.many import Outcome, Task


many_options = together(
    click.option(
        "--each/--together",
        default=None,
        help="Of a folder or pattern: a law for each file, or one for all. Default: together; each "
        "with --cluster.",
    ),
    click.option(
        "--seeds",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Search so many times, with this seed and the next ones.",
    ),
    click.option(
        "--bootstrap",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="N",
        help="Search N samples of the rows besides: is it the law in those as well?",
    ),
    click.option(
        "--cluster",
        metavar="tcp://HOST:PORT",
        help="Run the searches on the workers of this Dask scheduler, which must be one you trust.",
    ),
)
"""The options that make several searches of one command, and say where they run."""


def asked(options: Mapping[str, Any]) -> bool:
    """Tell whether the options ask for several searches."""
    return bool(options["each"] or options["cluster"] or options["seeds"] > 1 or options["bootstrap"])


def check(task: str, out: Path | None, report: bool) -> None:
    """Refuse what several searches cannot do."""
    if task != "fit":
        several = "--each, --seeds, --bootstrap, --cluster"
        raise click.UsageError(f"--task {task} makes one search; leave out {several}.")
    if report and out is None:
        raise click.UsageError("--report of several searches needs a folder for their pages; add --out DIR.")


def search(
    data: str, options: dict[str, Any], settings: Options, out: Path | None, report: bool, as_json: bool,
    quiet: bool,
) -> int:  # fmt: skip
    """Run every search that was asked for and show each once, in order; return the exit status.

    A file that cannot be used is reported in a line, and the others go on.
    """
    from kansym.base import cluster
    from kansym.base.errors import InputError
    from kansym.pipeline import many

    datasets, refused = _datasets(data, options)
    if not quiet:
        say(dict.fromkeys(note for one in datasets.values() for note in one.notes))
    for line in refused:
        click.echo(f"kansym: {line}", err=True)
    if not datasets:
        raise InputError(f"None of the {len(refused)} files of {data!r} can be used.")
    todo = many.tasks(datasets, settings, options["seeds"], options["bootstrap"])
    places = _places([task.name for task in todo], out)
    with cluster.connected(options["cluster"]):
        jobs = None if options["cluster"] else settings.jobs
        todo = [_ready(t, settings, places[t.name], len(todo), jobs, report) for t in todo]
        with progress.Watcher(quiet) as watcher:
            found = _shown(many.outcomes(todo, jobs, watcher), places, report, as_json, quiet)
    if as_json:
        click.echo(json.dumps({"runs": found.documents}, ensure_ascii=False, allow_nan=False))
    elif len(todo) > 1:
        click.echo("\n" + "\n".join(_summary(found.laws)))
    if len(found.laws) + found.failed < len(todo):
        click.echo(f"kansym: interrupted, {len(found.laws)} of {len(todo)} searches done.", err=True)
        return 130
    return 2 if refused or found.failed else 0


class _Found:
    """Collect what was shown: laws and documents by the names of their searches."""

    def __init__(self) -> None:
        self.laws: dict[str, str] = {}
        self.documents: dict[str, Any] = {}
        self.failed = 0


def _shown(
    outcomes: Iterator[Outcome], places: Mapping[str, Path | None], report: bool, as_json: bool, quiet: bool
) -> _Found:
    """Show and write each outcome as it comes; an interrupt ends with what has come."""
    found = _Found()
    try:
        for one in outcomes:
            name, run, place = one.task.name, one.run, places[one.task.name]
            if run is None:
                found.failed += 1
                click.echo(f"kansym: {name}: {one.problem}", err=True)
                continue
            if as_json:
                found.documents[name] = document(run, one.task.dataset)
            else:
                click.echo(("\n" if found.laws else "") + f"{name}:")
                show(run)
            found.laws[name] = f"{run.data['target']} = {run.best.equation}"
            files = write(run, one.task.dataset, place, report and place is not None)
            if files and not quiet:
                click.echo("wrote " + ", ".join(str(f) for f in files), err=True)
            if one.task.kept is not None and run.stop_reason not in ("interrupted", "time limit"):
                one.task.kept.remove()
    except KeyboardInterrupt:
        pass
    return found


def _datasets(data: str, options: dict[str, Any]) -> tuple[dict[str, Dataset], list[str]]:
    """Return the datasets to search by name, and a line for each file that cannot be used."""
    from kansym.base.errors import KansymError
    from kansym.data import sources

    each = bool(options["cluster"]) if options["each"] is None else options["each"]
    files = sources.several(data) if each and data != "-" else None
    if files is None:
        return _named("", read_each(data, options)), []
    datasets: dict[str, Dataset] = {}
    refused = []
    plain = len({path.name for path in files}) == len(files)
    for path in files:
        name = path.name if plain else str(path)
        try:
            datasets |= _named(name, read_each(str(path), options))
        except KansymError as problem:
            refused.append(f"{name}: {problem}")
    return datasets, refused


def _named(file: str, found: Sequence[Dataset]) -> dict[str, Dataset]:
    """Return datasets by names that tell file and target where there are several."""
    return {
        ": ".join(p for p in (file, d.target if len(found) > 1 or not file else "") if p): d for d in found
    }


def _places(names: Sequence[str], out: Path | None) -> dict[str, Path | None]:
    """Return a folder of its own for each search's results."""
    if out is None:
        return dict.fromkeys(names)
    if len(names) == 1:
        return {names[0]: out}
    found: dict[str, Path | None] = {}
    for name in names:
        place = out / (folder_name(name) or "search")
        while place in found.values():
            place = place.with_name(place.name + "_")
        found[name] = place
    return found


def folder_name(name: str) -> str:
    """Return a folder's name for results, whatever signs a name has; "" where nothing is left."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._")


def _ready(
    task: Task, settings: Options, place: Path | None, count: int, jobs: int | None, report: bool
) -> Task:
    """Return a task with its share of the time, and with a checkpoint where it runs on this machine."""
    import joblib

    from kansym.pipeline.checkpoint import Checkpoint

    options = task.options
    if settings.time_limit is not None:
        at_once = min(joblib.effective_n_jobs(jobs), count)
        options = replace(options, time_limit=settings.time_limit * at_once / count)
    kept = None
    if place is not None and jobs is not None:
        kept = Checkpoint.start(place, task.dataset, options.to_dict(), report=report)
    return replace(task, options=options, kept=kept)


def _summary(laws: Mapping[str, str]) -> list[str]:
    """Return a line for each search with its law, and how often each form came out where any came twice."""
    widest = max(map(len, laws), default=0)
    lines = [f"{name.ljust(widest)}  {law}" for name, law in laws.items()]
    forms = Counter(re.sub(r"\d+\.\d+(e[+-]?\d+)?|\d+e[+-]?\d+", "C", law) for law in laws.values())
    lines += [f"{count} of {len(laws)}: {form}" for form, count in forms.most_common() if count > 1]
    return lines

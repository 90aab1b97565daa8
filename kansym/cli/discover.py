"""The main command: a table in, a front of formulas out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kansym.cli import large, many, progress
from kansym.cli.options import (
    json_option,
    library_options,
    limit_option,
    names,
    noise_options,
    quiet_option,
    read_each,
    rules,
    say,
    seed_option,
    table_options,
    tables,
    writable,
)
from kansym.cli.result import document, show, write
from kansym.cli.values import Number, Place

if TYPE_CHECKING:
    from kansym.data.dataset import Dataset
    from kansym.pipeline.checkpoint import Checkpoint
    from kansym.pipeline.flow import Options
    from kansym.pipeline.run import Run


@click.command(
    short_help="Find the law in a table.",
    epilog="Example: kansym discover planets --out planets-run --report",
)
@click.argument("data", metavar="DATA", shell_complete=tables)
@table_options
@click.option(
    "--task",
    type=click.Choice(["fit", "classify"]),
    default="fit",
    show_default=True,
    help="classify: the target holds labels; find the boundary between them as a formula g = 0.",
)
@library_options
@noise_options
@limit_option("--time", "Stop after this long with the best so far.")
@click.option(
    "--effort",
    type=Number(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of the usual work: 0.1 is a quick look, more than 1 helps after a work limit.",
)
@click.option(
    "--maxsize", type=click.IntRange(min=1), default=60, show_default=True, help="Largest complexity shown."
)
@click.option(
    "--select",
    "selection",
    default="description",
    show_default=True,
    metavar="RULE",
    shell_complete=rules,
    help="Rule that chooses a row: description, best, accuracy or score.",
)
@click.option(
    "--guess",
    "guesses",
    metavar="FORMULA",
    multiple=True,
    help="Your formula, such as 'V*S/(K + S); K > 0': fitted, shown and compared; repeatable.",
)
@click.option(
    "--families",
    default="default",
    show_default=True,
    metavar="default|off|FILE",
    help="Families of curves that are tried first; a TOML file holds your own.",
)
@click.option(
    "--hypothesis",
    "hypotheses",
    metavar="TEXT",
    multiple=True,
    help="What you assume, repeatable: 'x1 - x2', 'linear: x3', 'last: exp', 'only: sin, exp', "
    "or a form such as 'y = f(x1)*g(x2) + h'.",
)
@click.option(
    "--unit-constants", is_flag=True, help="Let numbers in a law have units, so that units exclude nothing."
)
@click.option(
    "--rounding/--no-rounding",
    default=True,
    help="Write constants as 3/2 or pi where the rows allow it; else as measured.",
)
@seed_option
@many.many_options
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes to use.")
@click.option(
    "--device", default="cpu", show_default=True, metavar="cpu|cuda", help="Where networks are trained."
)
@click.option(
    "--out",
    type=Place(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write hall_of_fame.csv, result.json, model.json and figures here.",
)
@click.option("--report", is_flag=True, help="Write report.html, into DIR if --out is given.")
@json_option
@quiet_option
def discover(
    data: str,
    time_limit: float | None,
    out: Path | None,
    report: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Find the law in DATA: a file, a folder or pattern of files, "-" for standard input, or a shipped table.

    Prints the front of formulas from simplest to most accurate, the chosen one marked with >>>>, and how
    well it does on rows it never saw. Ctrl-C stops the search and prints the best so far.
    """
    if many.asked(options):
        many.check(options["task"], out, report)
    if options["task"] == "classify":
        from kansym.cli.classify import classify

        classify(data, options, time_limit, out, report, as_json, quiet)
        return 0
    settings = _settings(options, time_limit)
    if out is not None or report:
        writable(out or Path("."))
    if many.asked(options):
        return many.search(data, options, settings, out, report, as_json, quiet)
    table, whole = large.drawn(data, options, settings.seed, quiet) or (data, None)
    datasets = read_each(table, options)
    if time_limit is not None:
        settings = replace(settings, time_limit=time_limit / len(datasets))
    facts = {"report": report, "whole": whole}
    kept = [_kept(d, settings, out, len(datasets), facts) for d in datasets]  # so that all can be resumed
    said: dict[str, None] = {}
    documents: dict[str, Any] = {}
    interrupted = False
    for k, (dataset, checkpoint) in enumerate(zip(datasets, kept, strict=True)):
        if not quiet:
            say(n for n in (*dataset.notes, *([] if k else _clock(dataset))) if n not in said)
        with progress.Watcher(quiet) as watcher:
            from kansym.pipeline import flow as pipeline

            run = pipeline.discover(dataset, options=settings, progress=watcher, checkpoint=checkpoint)
            run = large.finished(run, dataset, whole, watcher)
        if not quiet:
            say(n for n in run.data["notes"] if n not in dataset.notes)
        said |= dict.fromkeys((*dataset.notes, *run.data["notes"]))
        if as_json:
            documents[dataset.target] = document(run, dataset)
        else:
            if len(datasets) > 1:
                click.echo(("\n" if k else "") + f"{dataset.target}:")
            show(run)
        close(run, dataset, checkpoint, report, quiet)
        interrupted = run.stop_reason == "interrupted"
        if interrupted:
            break
    if as_json:
        whole = {"targets": documents} if len(datasets) > 1 else documents[datasets[0].target]
        click.echo(json.dumps(whole, ensure_ascii=False, allow_nan=False))
    return 130 if interrupted else 0


def _clock(dataset: Dataset) -> list[str]:
    """Return a note on the column that looks like the time, if there is one."""
    from kansym.data.dates import time_column

    if (clock := time_column(dataset.names, dataset.X, dataset.units)) is None:
        return []
    return [f"{clock!r} looks like the time: `kansym dynamics` finds laws of motion in such tables"]


def _kept(
    dataset: Dataset, settings: Options, out: Path | None, targets: int, facts: dict[str, Any]
) -> Checkpoint | None:
    """Return the checkpoint of one target's search, in a folder of its own where there are several."""
    if out is None:
        return None
    from kansym.pipeline.checkpoint import Checkpoint

    folder = out if targets == 1 else out / (many.folder_name(dataset.target) or "target")
    return Checkpoint.start(folder, dataset, settings.to_dict(), **facts)


def close(run: Run, dataset: Dataset, kept: Checkpoint | None, report: bool, quiet: bool) -> None:
    """Write what was asked for, and drop the checkpoint of a run that is over."""
    files = write(run, dataset, None if kept is None else kept.folder, report)
    if kept is not None and kept.trouble and not quiet:
        say([kept.trouble])
    if files and not quiet:
        click.echo("wrote " + ", ".join(str(f) for f in files), err=True)
    if kept is not None and run.stop_reason not in ("interrupted", "time limit"):
        kept.remove()


def _settings(options: dict[str, Any], time_limit: float | None) -> Options:
    """Return the options of a run, so that what none can take is refused before a table is read."""
    from kansym.pipeline import flow as pipeline

    same = ("library", "effort", "maxsize", "selection", "guesses", "families", "hypotheses")
    more = ("unit_constants", "rounding", "noise", "robust", "loss", "seed", "jobs", "device")
    settings = pipeline.Options(
        only=names(options["only"]),
        exclude=names(options["exclude"]),
        time_limit=time_limit,
        **{name: options[name] for name in (*same, *more)},
    )
    settings.functions()
    return settings

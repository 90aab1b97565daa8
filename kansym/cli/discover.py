"""The main command: a table in, a front of formulas out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from kansym.cli import progress, text

if TYPE_CHECKING:
    from kansym.dataset import Dataset
    from kansym.run import Run


def tables(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete DATA: files, and the names of shipped tables."""
    from kansym.table import shipped_cards

    names = [CompletionItem(name) for name in shipped_cards() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def rules(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the names of the rules that choose a row."""
    from kansym.pareto import RULES

    return [rule for rule in RULES if rule.startswith(incomplete)]


def table_options(command: Any) -> Any:
    """Add the options that say what in a table is what."""
    for option in reversed(
        [
            click.option(
                "--target", metavar="COLUMN", help="What to explain. Default: the card's, or the last column."
            ),
            click.option(
                "--inputs",
                metavar="A,B,...",
                multiple=True,
                help="What to explain it with. Default: the card's, or all other columns of numbers.",
            ),
            click.option("--sigma", metavar="COLUMN", help="Measurement error of the target, one per row."),
            click.option(
                "--relative-error",
                type=float,
                metavar="SHARE",
                help="Least measurement error as a share of the target, such as 0.01.",
            ),
            click.option(
                "--group", metavar="COLUMN", help="Hold out whole groups of rows that share this value."
            ),
            click.option(
                "--units",
                metavar="COLUMN=UNIT",
                multiple=True,
                help="Unit of a column, such as speed=m/s; also read from headers: 'speed [m/s]'.",
            ),
        ]
    ):
        command = option(command)
    return command


def library_options(command: Any) -> Any:
    """Add the options that choose the functions a formula may use."""
    for option in reversed(
        [
            click.option(
                "--library",
                default="default",
                show_default=True,
                metavar="NAME|FILE",
                help="Functions to use: a shipped set (kansym library list) or a TOML file.",
            ),
            click.option("--only", metavar="F,G,...", multiple=True, help="Use just these functions."),
            click.option("--exclude", metavar="F,G,...", multiple=True, help="Use all but these functions."),
        ]
    ):
        command = option(command)
    return command


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
@click.option(
    "--time",
    "time_limit",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop after this long with the best so far.",
)
@click.option(
    "--effort",
    type=click.FloatRange(min=0, min_open=True),
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
    "--guess", "guesses", metavar="FORMULA", multiple=True, help="A formula to start from; may be repeated."
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
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same result."
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes to use.")
@click.option(
    "--device", default="cpu", show_default=True, metavar="cpu|cuda", help="Where networks are trained."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write hall_of_fame.csv, result.json, model.json and figures here.",
)
@click.option("--report", is_flag=True, help="Write report.html, into DIR if --out is given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else on stdout.")
@click.option("--quiet", is_flag=True, help="No progress and no notes on stderr.")
def discover(
    data: str,
    time_limit: float | None,
    out: Path | None,
    report: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Find the law in DATA, a CSV, TSV or Parquet file or a shipped table.

    Prints the front of formulas from simplest to most accurate, the chosen one marked with >>>>, and how
    well it does on rows it never saw. Ctrl-C stops the search and prints the best so far.
    """
    if options["task"] == "classify":
        from kansym.cli.classify import classify

        notes = classify(data, options, time_limit, out, report, as_json)
        if not quiet:
            say(notes)
        return 0
    dataset = read(data, options)
    if out is not None:
        writable(out)
    if not quiet:
        say(dataset.notes)
    with progress.Watcher(quiet) as watcher:
        from kansym import pipeline

        settings = pipeline.Options(
            library=options["library"],
            only=names(options["only"]),
            exclude=names(options["exclude"]),
            time_limit=time_limit,
            effort=options["effort"],
            maxsize=options["maxsize"],
            selection=options["selection"],
            guesses=options["guesses"],
            unit_constants=options["unit_constants"],
            hypotheses=options["hypotheses"],
            seed=options["seed"],
            jobs=options["jobs"],
            device=options["device"],
        )
        run = pipeline.discover(dataset, options=settings, progress=watcher)
    if not quiet:
        say([n for n in run.data["notes"] if n not in dataset.notes])
    show(run, dataset, as_json)
    files = write(run, dataset, out, report)
    if files and not quiet:
        click.echo("wrote " + ", ".join(str(f) for f in files), err=True)
    return 130 if run.stop_reason == "interrupted" else 0


def say(notes: Iterable[str]) -> None:
    """Print notes on stderr: every repair of a table is told."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def show(run: Run, dataset: Dataset, as_json: bool) -> None:
    """Print a run: the text a person reads, or the one JSON document."""
    if as_json:
        from kansym import report

        click.echo(json.dumps(report.summarise(run, dataset), ensure_ascii=False, allow_nan=False))
        return
    click.echo(text.front(run, text.terminal_width()))
    click.echo()
    click.echo(text.chosen(run))
    click.echo(f"Stopped after {run.seconds:.1f} s: {run.stop_reason}.")


def write(run: Run, dataset: Dataset, out: Path | None, page: bool) -> list[Path]:
    """Write what was asked for and return the files."""
    files: list[Path] = []
    if out is not None or page:
        from kansym import report

        if out is not None:
            files += report.write_run(run, dataset, out)
        if page:
            files.append(
                report.write_html(report.summarise(run, dataset), (out or Path(".")) / "report.html")
            )
    return files


def read(data: str, options: dict[str, Any]) -> Dataset:
    """Return the dataset that the table options describe."""
    from kansym.dataset import from_table
    from kansym.table import read_table

    table = read_table(data)
    inputs = options["inputs"]
    return from_table(
        table,
        target=options["target"],
        inputs=names(inputs, table.names) if inputs else None,
        sigma=options["sigma"],
        group=options["group"],
        units=dict(_unit(text) for text in options["units"]),
        relative_error=options["relative_error"],
    )


def names(values: tuple[str, ...], known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Split "a,b" into names; a value that is itself a known name stays whole."""
    parts: list[str] = []
    for value in values:
        parts += [value] if value in known else [p.strip() for p in value.split(",") if p.strip()]
    if values and not parts:
        raise click.BadParameter(f"{','.join(values)!r} holds no name; write names separated by commas.")
    return tuple(parts)


def _unit(text: str) -> tuple[str, str]:
    name, equals, unit = text.rpartition("=")
    if not equals:
        raise click.BadParameter(
            f"{text!r} is not COLUMN=UNIT; write for instance speed=m/s.", param_hint="--units"
        )
    return name, unit


def writable(folder: Path) -> None:
    """Make a folder now, so that a long search does not end at one that cannot be written."""
    from kansym import storage

    storage.writable(folder)

"""The options that several commands share: which columns, which functions, which folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from kansym.cli.values import Number
from kansym.data.writing import WRITING

if TYPE_CHECKING:
    from kansym.data.dataset import Dataset
    from kansym.data.table import Table

Decorator = Callable[[Any], Any]


def tables(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete DATA: files, and the names of shipped tables."""
    from kansym.data.table import shipped_cards

    names = [CompletionItem(name) for name in shipped_cards() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def rules(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the names of the rules that choose a row."""
    from kansym.judge.pareto import RULES

    return [rule for rule in RULES if rule.startswith(incomplete)]


def together(*options: Decorator) -> Decorator:
    """Return one decorator that adds several options, in this order."""

    def add(command: Any) -> Any:
        """Add the options to a command."""
        for option in reversed(options):
            command = option(command)
        return command

    return add


def limit_option(flag: str, meaning: str) -> Decorator:
    """Return the option for a limit of time in seconds."""
    return click.option(
        flag, "time_limit", type=Number(min=0, min_open=True), metavar="SECONDS", help=meaning
    )


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else on stdout."
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress and no notes on stderr.")
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same result."
)
units_option = click.option(
    "--units",
    metavar="COLUMN=UNIT",
    multiple=True,
    help="Unit of a column, such as speed=m/s; also read from headers: 'speed [m/s]'.",
)
number_options = together(
    click.option(
        "--decimal", metavar="SIGN", help="Decimal sign, . or a comma. Default: what the cells show."
    ),
    click.option(
        "--thousands",
        metavar="SIGN",
        help="Sign between groups of digits: . , ' or a blank. Default: what the cells show.",
    ),
    click.option(
        "--dates",
        type=click.Choice(["day-first", "month-first"]),
        help="Whether 01/09/2023 is 1 September or 9 January. Default: what the cells show.",
    ),
)
"""The options that say how numbers and dates are written."""


table_options = together(
    number_options,
    click.option(
        "--target",
        metavar="COLUMN",
        help="What to explain. Default: the card's, or the last column. "
        "discover takes several, A,B: a front for each.",
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
    click.option("--group", metavar="COLUMN", help="Hold out whole groups of rows that share this value."),
    click.option(
        "--category",
        metavar="A,B,...",
        multiple=True,
        help="Columns whose values are kinds, not sizes: one law with constants of its own for each. "
        "Default: columns of text with few different words.",
    ),
    units_option,
)
"""The options that say what in a table is what."""


def noise_kinds(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the kinds of noise."""
    from kansym.judge.kinds import KINDS

    return [kind for kind in ("auto", *KINDS) if kind.startswith(incomplete)]


noise_options = together(
    click.option(
        "--noise",
        default="auto",
        show_default=True,
        metavar="KIND",
        shell_complete=noise_kinds,
        help="How noise grows with the target: auto (as the rows show), additive, relative, poisson, log, "
        "share (from 0 to 1) or percent.",
    ),
    click.option(
        "--loss",
        default="squared",
        show_default=True,
        metavar="LOSS",
        help="What is minimised: squared, absolute, huber, huber:0.5 or quantile:0.9.",
    ),
    click.option(
        "--robust",
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Leave out rows that are far off: auto only those that are no part of the noise.",
    ),
)
"""The options that say what the target's noise is like."""


library_options = together(
    click.option(
        "--library",
        default="default",
        show_default=True,
        metavar="NAME|FILE",
        help="Functions to use: a shipped set (kansym library list) or a TOML file.",
    ),
    click.option("--only", metavar="F,G,...", multiple=True, help="Use just these functions."),
    click.option("--exclude", metavar="F,G,...", multiple=True, help="Use all but these functions."),
)
"""The options that choose the functions a formula may use."""


def say(notes: Iterable[str]) -> None:
    """Print notes on stderr, one for every repair of the table."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def read_as(data: str | Table, options: Mapping[str, Any]) -> Table:
    """Return the table, read as the options say that its numbers and dates are written."""
    from kansym.data.table import read_table

    return read_table(data, **{name: options[name] for name in WRITING})


def read(data: str, options: dict[str, Any]) -> Dataset:
    """Return the dataset that the table options describe; refuse several targets."""
    found = read_each(data, options)
    if len(found) > 1:
        raise click.BadParameter("this command takes one target.", param_hint="--target")
    return found[0]


def read_each(data: str | Table, options: dict[str, Any]) -> list[Dataset]:
    """Return the datasets that the table options describe, one a target; no target is another's input."""
    table = read_as(data, options)
    if options["target"] is None:
        return [_dataset(table, options, None)]
    asked = [table.name(n, "target column") for n in names((options["target"],), table.names)]
    if twice := {n for n in asked if asked.count(n) > 1}:
        raise click.BadParameter(
            f"column {min(twice)!r} is named twice; name it once.", param_hint="--target"
        )
    return [_dataset(table.without(n for n in asked if n != one), options, one) for one in asked]


def _dataset(table: Table, options: dict[str, Any], target: str | None) -> Dataset:
    """Return the dataset of one target."""
    from kansym.data.dataset import from_table

    chosen = names(options["inputs"], table.names) if options["inputs"] else None
    return from_table(
        table,
        target=target,
        inputs=chosen,
        sigma=options["sigma"],
        group=options["group"],
        units=dict(unit(text) for text in options["units"]),
        relative_error=options["relative_error"],
        category=names(options["category"], table.names) if options["category"] else (),
    )


def names(values: tuple[str, ...], known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Split "a,b" into names; a value that is itself a known name stays whole."""
    parts: list[str] = []
    for value in values:
        parts += [value] if value in known else [p.strip() for p in value.split(",") if p.strip()]
    if values and not parts:
        raise click.BadParameter(f"{','.join(values)!r} holds no name; write names separated by commas.")
    return tuple(parts)


def unit(text: str) -> tuple[str, str]:
    """Return the column and its unit in COLUMN=UNIT."""
    name, equals, said = text.rpartition("=")
    if not equals:
        raise click.BadParameter(
            f"{text!r} is not COLUMN=UNIT; write for instance speed=m/s.", param_hint="--units"
        )
    return name, said


def writable(folder: Path) -> None:
    """Make a folder now, so that a long search does not end at one that cannot be written."""
    from kansym.base import storage

    storage.writable(folder)

"""The command that finds every relation among a table's columns."""

from __future__ import annotations

import json
from typing import Any

import click

from kansym.cli.options import (
    json_option,
    limit_option,
    number_options,
    quiet_option,
    seed_option,
)
from kansym.cli.values import Number


@click.command(
    short_help="Find every relation among a table's columns.",
    epilog="Example: kansym relations planets",
)
@click.argument("data", metavar="DATA")
@number_options
@click.option("--exclude", metavar="A,B,...", multiple=True, help="Columns to leave out.")
@click.option(
    "--tolerance",
    type=Number(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="A relation may leave this share of a column's spread.",
)
@click.option(
    "--largest",
    type=click.IntRange(1, 6),
    default=4,
    show_default=True,
    help="Most columns that may determine another one.",
)
@click.option(
    "--library", default="default", show_default=True, metavar="NAME|FILE", help="Functions to use."
)
@limit_option("--time", "Stop searching for formulas after this long.")
@seed_option
@json_option
@quiet_option
def relations(
    data: str,
    exclude: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Find the complete set of relations f(columns) = 0 in DATA, without choosing a target.

    Prints independent relations as formulas, simplest first, then the columns that take part in none.
    """
    from kansym.cli.options import names, read_as
    from kansym.data.writing import WRITING
    from kansym.pipeline import relations as room

    table = read_as(data, options)
    known = {n: value for n, value in options.items() if n not in WRITING}
    found = room.relations(table, exclude=names(exclude, table.names), **known)
    if not quiet:
        for note in found.notes:
            click.echo(f"note: {note}", err=True)
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
        return 0
    for relation in found:
        word = "exact" if relation.exact else f"off by {relation.share:.2g} of the spread"
        click.echo(f"{relation.equation}   ({word})")
    if not found.relations:
        click.echo("No relation holds among these columns.")
    if found.independent:
        click.echo(f"In no relation: {', '.join(found.independent)}")
    for target, others, share in found.trends:
        click.echo(f"A trend, not a relation: {target} depends on {', '.join(others)}, off by {share:.2g}.")
    for columns in found.consequences:
        click.echo(f"Follows from the above: a relation of {', '.join(columns)}.")
    click.echo(f"{found.rows} rows; {found.seconds:.1f} s; {found.stop_reason}.")
    return 0

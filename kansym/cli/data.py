"""Commands about what is shipped: function libraries and tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click

from kansym.cli.options import json_option
from kansym.cli.values import Place


@click.group(short_help="The functions formulas are made of.")
def library() -> None:
    """List, show and check the functions that formulas are made of."""


@library.command("list", epilog="Example: kansym library list")
def library_list() -> None:
    """List the shipped sets of functions."""
    from kansym.functions.library import Library, presets

    for name in presets():
        members = list(Library.load(name))
        click.echo(f"{name:<12} {len(members):>3} functions: {_short(members)}")


@library.command("show", epilog="Example: kansym library show physics")
@click.argument("name", default="default", metavar="[NAME|FILE|FUNCTION]")
@click.option("--function", metavar="F", help="Show everything about one function.")
@json_option
def library_show(name: str, function: str | None, as_json: bool) -> None:
    """Show every function of a set or of a TOML file, or everything about one function."""
    from kansym.functions.library import Library, presets

    if function is None and name not in presets() and name in Library.load("all"):
        name, function = "all", name
    functions = Library.load(name)
    if function is not None:
        functions = (functions if function in functions else Library.load("all")).only([function])
    facts = [f.describe() for f in functions.values()] if function or as_json else functions.describe()
    _print(facts, as_json)


@library.command("check", epilog="Example: kansym library check mine.toml")
@click.argument("file", metavar="FILE", type=Place(path_type=Path))
@json_option
def library_check(file: Path, as_json: bool) -> None:
    """Check a library of your own: names, formulas, domains, slopes, saving."""
    from kansym.functions.library import check

    facts = check(file)
    if not as_json:
        click.echo(f"{file}: {len(facts)} {'function' if len(facts) == 1 else 'functions'}, all fine")
    _print(facts, as_json)


def _print(facts: list[dict[str, Any]], as_json: bool) -> None:
    """Print facts by name, as JSON or as lines of a table."""
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, default=str))
        return
    width = max(len(f["name"]) for f in facts)
    for f in facts:
        click.echo(f"{f['name']:<{width}}  complexity {f['complexity']}  {f['expression']}")
        for key in ("domain", "poles", "parity", "period", "redundant", "derivative"):
            if f.get(key):
                value = ", ".join(map(str, f[key])) if isinstance(f[key], list) else f[key]
                click.echo(f"{'':<{width}}    {key}: {value}")


@click.group(short_help="The shipped tables.")
def datasets() -> None:
    """List, show and export the shipped tables."""


@datasets.command("list", epilog="Example: kansym datasets list")
def datasets_list() -> None:
    """List the shipped tables."""
    from kansym.data.table import shipped_cards

    for name, card in shipped_cards().items():
        click.echo(f"{name:<10} {card.title}")


@datasets.command("show", short_help="Show a table's card.", epilog="Example: kansym datasets show planets")
@click.argument("name")
def datasets_show(name: str) -> None:
    """Show a table's card: source, licence, columns and units, the law where known."""
    from kansym.data.table import shipped

    table = shipped(name)
    card = table.card
    assert card is not None
    lines = [card.title, f"{table.rows} rows; target {card.target}"]
    lines += [
        f"{word}: {value}"
        for word, value in (
            ("source", card.source),
            ("licence", card.licence),
            ("law", card.law),
            ("about", card.about),
        )
        if value
    ]
    width = max(len(n) for n in table.names)
    for column in table.names:
        unit = card.units.get(column, "")
        lines.append(
            f"  {column:<{width}}  {f'[{unit}]' if unit else '':<10} {card.columns.get(column, '')}".rstrip()
        )
    for line in lines:
        click.echo(line if line.startswith("  ") else click.wrap_text(line, 100, "", "    "))


@datasets.command("export", epilog="Example: kansym datasets export planets planets.csv")
@click.argument("name")
@click.argument("file", required=False, type=Place(dir_okay=False, path_type=Path), metavar="[FILE]")
def datasets_export(name: str, file: Path | None) -> None:
    """Copy a table to FILE (default: its own name, here)."""
    from kansym.base.errors import InputError
    from kansym.data.table import shipped_path

    source = shipped_path(name)
    target = file or Path(source.name)
    if target.exists():
        raise InputError(f"File {str(target)!r} exists already; name another or remove it.")
    try:
        shutil.copyfile(source, target)
    except OSError as problem:
        raise InputError(f"File {str(target)!r} cannot be written: {problem.strerror}.") from None
    click.echo(str(target))


def _short(members: list[str]) -> str:
    """Return the first ten names."""
    shown = ", ".join(members[:10])
    return shown if len(members) <= 10 else shown + ", ..."

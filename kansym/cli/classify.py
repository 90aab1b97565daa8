"""What `discover --task classify` does: labels in a table, formulas between the classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

_NOT_HERE = {
    "sigma": None,
    "relative_error": None,
    "units": (),
    "category": (),
    "only": (),
    "exclude": (),
    "guesses": (),
    "hypotheses": (),
    "selection": "description",
    "rounding": True,
    "jobs": 1,
    "device": "cpu",
}
"""Options of `discover` that have no meaning for classes, with their defaults."""

_SPELT = {
    "guesses": "guess",
    "hypotheses": "hypothesis",
    "selection": "select",
    "rounding": "no-rounding",
    "relative_error": "relative-error",
}


def classify(
    data: str,
    options: dict[str, Any],
    time_limit: float | None,
    out: Path | None,
    report: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print the formulas between the classes of DATA's target, and the notes unless `quiet`."""
    from kansym.base.errors import InputError
    from kansym.cli.options import names, read_as, say, writable
    from kansym.estimators import classes

    for name, default in _NOT_HERE.items():
        if options.get(name, default) != default:
            raise InputError(f"--{_SPELT.get(name, name)} has no meaning with --task classify; leave it out.")
    if report:
        raise InputError("--report has no page for classes; use --out or --json with --task classify.")
    table = read_as(data, options)
    found = classes.classify(
        table,
        options["target"],
        names(options["inputs"], table.names) or None,
        group=options["group"],
        time_limit=time_limit,
        **{k: options[k] for k in ("library", "maxsize", "effort", "seed")},
    )
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        show(found)
    if out is not None:
        from kansym.base.storage import write_json

        writable(out)
        write_json(out / "classes.json", found.to_dict())
    if not quiet:
        say(found.notes)


def show(found: Any) -> None:
    """Print what a person reads: the formulas, what their signs mean, how often they are right."""
    two = len(found.classes) == 2
    click.echo(f"{'':<6}complexity  accuracy  held-out  {'g' if two else 'logit of a class'}")
    # the chosen formula comes first in the result; a front is read from simple to accurate
    for f in sorted(found.formulas, key=lambda f: f.complexity) if two else found.formulas:
        mark = ">>>>" if f is found.formulas[0] or not two else ""
        text = f.equation if two else f"{f.title.removeprefix('logit')} {f.equation}"
        click.echo(f"{mark:<6}{f.complexity:>10}  {f.accuracy:>8.4f}  {f.heldout:>8.4f}  {text}")
    if two:
        click.echo(f"\n{found.target} = {found.classes[1]} where {found.formulas[0].equation} > 0, "
                   f"else {found.classes[0]}")  # fmt: skip
    else:
        click.echo(f"\n{found.target} = the class with the largest logit")
    click.echo(
        f"Right on {found.heldout:.2%} of {found.heldout_rows} held-out rows "
        f"({found.accuracy:.2%} of {found.rows} others; the commonest class alone {found.majority:.2%})."
    )

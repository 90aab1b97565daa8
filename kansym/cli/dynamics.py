"""The command that finds laws of motion in time series."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kansym.cli import progress
from kansym.cli.options import (
    json_option,
    limit_option,
    number_options,
    quiet_option,
    say,
    tables,
    units_option,
)
from kansym.cli.values import Place

if TYPE_CHECKING:
    from kansym.pipeline.motion.system import Dynamics


@click.command(
    short_help="Find the laws of motion in time series.",
    epilog="Example: kansym dynamics lynx_hare --time year",
)
@click.argument("data", metavar="DATA", shell_complete=tables)
@number_options
@click.option("--time", "time", metavar="COLUMN", required=True, help="The column that holds the time.")
@click.option(
    "--states", metavar="A,B,...", multiple=True, help="What moves. Default: every other column of numbers."
)
@click.option("--inputs", metavar="A,B,...", multiple=True, help="Known quantities that drive the states.")
@click.option("--group", metavar="COLUMN", help="The column that tells several runs apart.")
@units_option
@click.option(
    "--order",
    type=click.Choice(["1", "2"]),
    default="1",
    show_default=True,
    help="2: the states are positions, and forces are looked for.",
)
@limit_option("--limit", "Stop after this long with the best so far.")
@click.option(
    "--out", type=Place(path_type=Path, file_okay=False), help="Write dynamics.json and exports here."
)
@click.option("--report", is_flag=True, help="Write motion.html, into DIR if --out is given.")
@json_option
@quiet_option
def dynamics(
    data: str,
    time: str,
    states: tuple[str, ...],
    inputs: tuple[str, ...],
    group: str | None,
    units: tuple[str, ...],
    order: str,
    time_limit: float | None,
    out: Path | None,
    report: bool,
    as_json: bool,
    quiet: bool,
    **signs: str | None,
) -> int:
    """Find the equations dx/dt = f(x, u, t) that made the time series in DATA.

    Slopes are never asked for: equations are fitted to the values themselves, in integrated form and by
    simulation, and judged on a stretch of time that they were not fitted to.
    """
    from kansym.base import storage
    from kansym.cli.options import names, unit, writable
    from kansym.data.table import read_table
    from kansym.pipeline.motion.dynamics import dynamics as find
    from kansym.pipeline.motion.reading import arrays

    if out is not None or report:
        writable(out or Path("."))
    table = read_table(data, **signs)
    given = arrays(
        table,
        time,
        names(states) if states else (),
        names(inputs) if inputs else (),
        group,
        dict(map(unit, units)),
    )
    notes: tuple[Any, ...] = given.pop("notes")
    if not quiet:
        say(notes)
    with progress.Watcher(quiet) as watcher:
        found = find(**given, order=int(order), time_limit=time_limit, progress=watcher)
    if not quiet:
        say(found.notes)
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        show(found)
    if out is not None:
        storage.write_json(out / "dynamics.json", found.to_dict())
        _write_exports(found, out)
    if report:
        from kansym.pipeline.motion.trajectory import series
        from kansym.report import motion

        runs = motion.beside(found, series(**given))
        motion.write_page(found, runs, table.source, time, (out or Path(".")) / "motion.html")
    return 130 if found.stop_reason == "interrupted" else 0


def show(found: Dynamics) -> None:
    """Print the fronts, the equations with their constants, and how far to trust them."""
    from kansym.formula import expression

    for state, rows in found.fronts.items():
        click.echo(f"{'':<6}complexity  loss/noise  simulated  right side of {state}")
        for row in rows:
            share = f"{row.simulated:.4f}" if math.isfinite(row.simulated) else "diverges"
            mark = ">>>>" if row.expression == found.equations[state] else ""
            click.echo(f"{mark:<6}{row.complexity:>10}  {row.loss:>10.3g}  {share:>9}  {row.equation}")
    click.echo()
    click.echo(found.text())
    for state, constants in found.constants.items():
        for c, unit in zip(constants, found.constant_units.get(state, ("",) * len(constants)), strict=True):
            rounded = f" -> {c.rounded}" if c.rounded else ""
            click.echo(f"  {c.name} of {state}: {c.value:.6g} ± {c.stderr:.2g}{_after(unit)}{rounded}")
    for state, sd in found.noise.items():
        click.echo(f"  noise of {state}: {sd:.3g}{_after(found.units.get(state, ''))}")
    for quantity in found.conserved:
        click.echo(f"conserved: {expression.text(quantity, 6)}")
    click.echo(found.trust)
    click.echo(f"{found.rows} rows; {found.seconds:.1f} s; {found.stop_reason}.")


def _after(unit: str) -> str:
    """Return a unit as it stands after a number."""
    return f" {unit}" if unit not in ("", "1") else ""


def _write_exports(found: Dynamics, out: Path) -> None:
    """Write the equations in every language, and the picture of what drives what."""
    from kansym.report.arrows import arrows_svg
    from kansym.report.export.motion import write
    from kansym.report.motion import equations

    for target, name in (
        ("python", "equations.py"),
        ("latex", "equations.tex"),
        ("c", "equations.c"),
        ("julia", "equations.jl"),
    ):
        (out / name).write_text(write(equations(found), target), encoding="utf-8")
    (out / "network.svg").write_text(arrows_svg(found.couplings), encoding="utf-8")

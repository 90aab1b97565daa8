"""Commands on what a run left behind: predict, export, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kansym.cli.options import number_options
from kansym.cli.values import Place

if TYPE_CHECKING:
    import numpy as np

    from kansym.pipeline.run import Run

_MODEL = Place(path_type=Path)
_ROW = click.option(
    "--row",
    type=click.IntRange(min=0),
    metavar="N",
    help="Row of the front, from 0. Default: the chosen one.",
)


@click.command(
    short_help="Predict with a law that was found.",
    epilog="Example: kansym predict planets-run new.csv > predicted.csv",
)
@click.argument("model", type=_MODEL, metavar="MODEL")
@click.argument("data", metavar="DATA")
@_ROW
@number_options
@click.option("--out", type=Place(dir_okay=False, path_type=Path), metavar="FILE", help="Write CSV here.")
def predict(model: Path, data: str, row: int | None, out: Path | None, **signs: str | None) -> None:
    """Predict the target for the rows of DATA with MODEL: a run's folder, result.json or model.json.

    Writes CSV: the inputs, the prediction, and whether the row lies inside the data the law was made from.
    """
    import numpy as np

    from kansym.data.inputs import again
    from kansym.data.table import read_table

    table = read_table(data, **signs)
    names, target, facts, law = _law(model, row)
    made = facts.get("made", {})
    X = again(table, names, made)
    shown = dict.fromkeys(made[n]["column"] if n in made else n for n in names)
    frame = table.frame[list(shown)].copy()
    frame[f"{target}_predicted"] = law(X)
    if "ranges" in facts:
        low, high = np.array([facts["ranges"][n] for n in names]).T
        frame["inside"] = ((low <= X) & (high >= X)).all(axis=1)
    text = frame.to_csv(index=False)
    if out is None:
        click.echo(text, nl=False)
    else:
        from kansym.base.storage import write_text

        click.echo(str(write_text(out, text)), err=True)


@click.command(
    short_help="Write a law as LaTeX, Python, C, ...",
    epilog="Example: kansym export planets-run --to python > law.py",
)
@click.argument("model", type=_MODEL, metavar="MODEL")
@click.option(
    "--to",
    "language",
    required=True,
    metavar="LANGUAGE",
    help="latex, python, numpy, torch, jax, c, fortran, javascript, julia, octave, r, excel, sympy, "
    "mathematica, text, json; onnx with --out.",
)
@_ROW
@click.option("--out", type=Place(dir_okay=False, path_type=Path), metavar="FILE", help="Write here.")
def export(model: Path, language: str, row: int | None, out: Path | None) -> None:
    """Write the law of MODEL (a run's folder or result.json) in another language."""
    from kansym.report import export as exports
    from kansym.report import page as report

    run, _ = report.load(model)
    _check_row(run, row)
    if language == "onnx":
        click.echo(str(exports.write_onnx(run, out, row)), err=True)
        return
    text = exports.export(run, language, row).rstrip("\n")
    if out is None:
        click.echo(text)
    else:
        from kansym.base.storage import write_text

        click.echo(str(write_text(out, text + "\n")), err=True)


@click.command(
    short_help="Make the HTML page of a run.", epilog="Example: kansym report planets-run --out planets.html"
)
@click.argument("model", type=_MODEL, metavar="RUN")
@click.option(
    "--out",
    type=Place(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="Write the page here.",
)
def report(model: Path, out: Path) -> None:
    """Make the HTML page of a run from its folder or result.json."""
    from kansym.report import page as reports

    _, data = reports.load(model)
    click.echo(str(reports.write_html(data, out)))


def _law(
    model: Path, row: int | None
) -> tuple[tuple[str, ...], str, Mapping[str, Any], Callable[[np.ndarray], np.ndarray]]:
    """Return a model's inputs, target, what is known of the data it was made from, and its function."""
    from kansym.base import storage
    from kansym.report import page as reports

    if model.is_file() and storage.read_json(model).get("kind") == "kansym model":
        from kansym.base.errors import InputError
        from kansym.functions.evaluate import evaluate

        if row is not None:
            raise InputError(f"{model} holds one law and no front; leave --row out or give the run's folder.")
        graph, target = reports.load_model(model)
        return graph.inputs, target, {}, lambda X: evaluate(graph, X)[:, 0]
    run, _ = reports.load(model)
    _check_row(run, row)
    return run.names, run.data["target"], run.data, lambda X: run.predict(X, row)


def _check_row(run: Run, row: int | None) -> None:
    """Refuse a row that the front does not have."""
    from kansym.base.errors import InputError

    if row is not None and row >= len(run.front):
        raise InputError(
            f"The front has rows 0 to {len(run.front) - 1}, not {row}; see the run's hall_of_fame.csv."
        )

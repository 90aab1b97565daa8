"""Commands on curves, networks and ratios of polynomials: match, fit, pade."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kansym.cli.options import (
    json_option,
    library_options,
    limit_option,
    names,
    read,
    read_as,
    say,
    seed_option,
    table_options,
    tables,
    writable,
)
from kansym.cli.text import constant_line
from kansym.cli.values import Number, Place

if TYPE_CHECKING:
    from kansym.data.dataset import Dataset
    from kansym.functions.library import Library

_OUT = click.option("--out", type=Place(file_okay=False, path_type=Path), metavar="DIR",
                    help="Write model.json and network.png here.")  # fmt: skip


@click.command(
    short_help="Rank functions for a curve.", epilog="Example: kansym match balmer --only 'x^2,1/x,1/x^2,exp'"
)
@click.argument("data", metavar="DATA", shell_complete=tables)
@table_options
@library_options
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many to show.")
@click.option("--noise", type=Number(min=0), help="Standard deviation of the target's noise, if known.")
@click.option(
    "--terms",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="2: sums, products and compositions of two functions, and families of curves, as formulas.",
)
@json_option
def match(data: str, top: int, noise: float | None, terms: int, as_json: bool, **options: Any) -> None:
    """Rank functions for a curve: fit target = c*f(a*x + b) + d for every f of the library.

    DATA needs one input column; choose it with --inputs. The best description of the data comes first:
    a simpler function goes before one that fits better by less than its own price.
    """
    from kansym.base.errors import InputError

    dataset = read(data, options)
    say(dataset.notes)
    if len(dataset.names) != 1:
        raise InputError(
            f"A curve has one input and {dataset.source} has {len(dataset.names)}; choose one with --inputs."
        )
    if terms > 1:
        _match_formulas(dataset, functions(options), top, as_json)
        return
    from kansym.functions import matching

    found = matching.match(
        dataset.X[:, 0], dataset.y, functions(options), top=top, weights=dataset.weights, noise=noise
    )
    if not found:
        raise InputError(
            f"No function of the library could be fitted to {dataset.target!r}; rescale its column or the "
            "input's towards 1, or choose other functions."
        )
    if as_json:
        rows = [
            {
                "function": m.function.name,
                "a": m.a, "b": m.b, "c": m.c, "d": m.d, "p": m.p,
                "r2": m.r2, "rmse": m.rmse, "score": m.score, "errors": m.errors,
            }
            for m in found
        ]  # fmt: skip
        click.echo(
            json.dumps({"target": dataset.target, "input": dataset.names[0], "matches": rows}, default=str)
        )
        return
    width = max(len("function"), *(len(m.function.name) for m in found))
    click.echo(f"{dataset.target} = c*f(a*{dataset.names[0]} + b) + d")
    click.echo(
        f"{'function':<{width}}  {'1 - R2':>9}  {'rmse':>9}  {'a':>11}  {'b':>11}  {'c':>11}  {'d':>11}"
    )
    for m in found:
        power = "" if m.p is None else f"  p = {m.p:.6g}"
        letters = "  ".join(f"{v:>11.5g}" for v in (m.a, m.b, m.c, m.d))
        click.echo(f"{m.function.name:<{width}}  {1 - m.r2:>9.2e}  {m.rmse:>9.3g}  {letters}{power}")


def _match_formulas(dataset: Dataset, library: Library, top: int, as_json: bool) -> None:
    """Print the formulas of two functions, and the families of curves, that describe a curve best."""

    from kansym.base.budget import Budget
    from kansym.base.weights import spread
    from kansym.formula import expression as expressions
    from kansym.functions.parsing import symbols
    from kansym.search.families.curves import named
    from kansym.search.families.projection import Rows

    given = Rows.of(dataset)
    found = named(given.X[:, 0], given.y, given.w, budget=Budget(), library=library, thorough=True)[:top]
    unit = spread(given.y, given.w)
    rows = [
        {
            "form": fit.fitted.form.family,
            "formula": expressions.text(fit.expression(symbols(dataset.names))),
            "unexplained": fit.fitted.cost * dataset.rows / fit.fitted.rows / unit,
            "length": fit.length,
        }
        for fit in found
    ]
    if as_json:
        click.echo(json.dumps({"target": dataset.target, "input": dataset.names[0], "matches": rows}))
        return
    width = max((len(str(row["form"])) for row in rows), default=4)
    click.echo(f"{'form':<{width}}  {'1 - R2':>9}  formula")
    for row in rows:
        click.echo(f"{row['form']:<{width}}  {row['unexplained']:>9.2e}  {dataset.target} = {row['formula']}")


@click.command(
    short_help="Train a KAN of a given shape.",
    epilog="Example: kansym fit expsine --shape 2,1,1 --grids 5,20 --out expsine-kan",
)
@click.argument("data", metavar="DATA", shell_complete=tables)
@table_options
@click.option("--shape", required=True, metavar="N,N,...", help="Nodes in every layer, inputs first: 2,5,1.")
@click.option(
    "--grids",
    default="5",
    show_default=True,
    metavar="G,G,...",
    help="Grid cells, refined one after another.",
)
@click.option(
    "--order", type=click.IntRange(1, 9), default=3, show_default=True, help="Order of the splines."
)
@click.option(
    "--steps", type=click.IntRange(min=1), default=100, show_default=True, help="Steps at each grid."
)
@click.option("--optimizer", default="lm", show_default=True, metavar="lm|lbfgs|adam")
@click.option("--lamb", type=Number(min=0), default=0.0, show_default=True, help="Weight of sparsity.")
@click.option(
    "--heldout",
    type=Number(0, 0.9, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the rows held out.",
)
@limit_option("--time", "Stop training after this long with the best so far.")
@seed_option
@click.option(
    "--task",
    type=click.Choice(["fit", "classify"]),
    default="fit",
    show_default=True,
    help="classify: the target holds labels; the last layer has one node for each.",
)
@click.option(
    "--attribution", is_flag=True, help="Show each input's score, and how good the network is without it."
)
@_OUT
@json_option
def fit(
    data: str,
    shape: str,
    grids: str,
    order: int,
    heldout: float,
    seed: int,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a Kolmogorov-Arnold network of a given shape on DATA."""
    import numpy as np

    from kansym.base.errors import InputError

    classify = options["task"] == "classify"
    names_, target, kinds, train, held = (_classes if classify else _numbers)(data, options, heldout, seed)
    sizes, cells = _integers(shape, "--shape"), _integers(grids, "--grids")
    last = len(kinds) if classify else 1
    if len(sizes) < 2 or sizes[0] != len(names_) or sizes[-1] != last:
        raise InputError(
            f"Shape {shape} must start with the {len(names_)} inputs and end with {last}"
            f"{' classes' if classify else ''}, such as {len(names_)},5,{last}."
        )
    if out is not None:
        writable(out)
    from kansym.network.attribution import attribution, lines, measured
    from kansym.network.kan import KAN

    loss = "cross_entropy" if classify else "squared"
    outputs = kinds if classify else [target]
    network = KAN(sizes, grid=cells[0], order=order, seed=seed, names=names_, outputs=outputs)
    network.fit(
        *train[:2], grids=cells, weights=train[2], loss=loss,
        **{k: options[k] for k in ("steps", "optimizer", "lamb", "time_limit")},
    )  # fmt: skip
    measure = "accuracy" if classify else "rmse"
    facts = {
        "shape": sizes, "grids": cells, "parameters": network.parameters, "rows": len(train[1]),
        measure: measured(network, *train, loss=loss), "heldout_rows": 0 if held is None else len(held[1]),
        f"heldout_{measure}": None if held is None else measured(network, *held, loss=loss),
        "steps": len(network.history), "stop_reason": network.stop_reason,
    }  # fmt: skip
    if classify:
        facts["classes"] = kinds
    else:
        facts["spread"] = float(np.concatenate([train[1], *([] if held is None else [held[1]])]).std())
    table = attribution(network, train, held, loss=loss) if options["attribution"] else None
    if table is not None:
        facts["attribution"] = table.to_dict()
    if as_json:
        click.echo(json.dumps(facts))
    else:
        shown = [] if table is None else ["", *lines(table)]
        click.echo("\n".join([*_trained(facts, measure), *shown]))
    if out is not None:
        _written(network, train[0], str(target), out)


def _trained(facts: dict[str, Any], measure: str) -> list[str]:
    """Return what a person reads of a trained network."""
    word = "root mean square error on" if measure == "rmse" else "right on"
    said = [
        f"KAN {facts['shape']}, {facts['parameters']} parameters, {facts['steps']} steps: "
        f"{facts['stop_reason']}",
        f"{word} {facts['rows']} rows: {facts[measure]:.3g}",
    ]
    if facts["heldout_rows"]:
        spread = f" (spread {facts['spread']:.3g})" if "spread" in facts else ""
        said.append(f"on {facts['heldout_rows']} held-out rows: {facts[f'heldout_{measure}']:.3g}{spread}")
    return said


def _written(network: Any, X: Any, target: str, out: Path) -> None:
    """Write the network's model and figure, and say where they are."""
    from kansym.report import page as report
    from kansym.report import plotting

    graph = network.to_graph()
    files = [report.write_graph(graph, target, out / "model.json")]
    files.append(plotting.save(plotting.network(graph, X, target), out / "network.png"))
    click.echo("wrote " + ", ".join(map(str, files)), err=True)


def _numbers(data: str, options: dict[str, Any], heldout: float, seed: int) -> tuple[Any, ...]:
    """Return names, target, no classes, and rows (X, y, weights) to train on and held out, or None."""
    dataset = read(data, options)
    say(dataset.notes)
    train, held = dataset.split(heldout, seed) if heldout > 0 else (dataset, None)
    kept = None if held is None else (held.X, held.y, held.weights)
    return dataset.names, dataset.target, None, (train.X, train.y, train.weights), kept


def _classes(data: str, options: dict[str, Any], heldout: float, seed: int) -> tuple[Any, ...]:
    """Return the same for a table of labels, whose y are numbers of classes."""
    import numpy as np

    from kansym.base.errors import InputError
    from kansym.estimators import classes

    for name in ("sigma", "relative_error", "units"):
        if options[name]:
            word = name.replace("_", "-")
            raise InputError(f"--{word} has no meaning with --task classify; leave it out.")
    table = read_as(data, options)
    inputs = names(options["inputs"], table.names)
    given = classes.labelled(table, options["target"], inputs or None, options["group"])
    say(given.notes)
    kinds, codes = np.unique(given.labels, return_inverse=True)
    away = classes.held_out(given, seed, heldout) if heldout > 0 else np.zeros(len(codes), bool)
    held = (given.X[away], codes[away], None) if away.any() else None
    return given.names, given.target, list(map(str, kinds)), (given.X[~away], codes[~away], None), held


@click.command(
    short_help="Fit a ratio of two polynomials.", epilog="Example: kansym pade balmer --degree 2/2"
)
@click.argument("data", metavar="DATA", shell_complete=tables)
@table_options
@click.option("--degree", metavar="M/N", help="Total degrees above and below. Default: chosen by the data.")
@click.option("--dense", is_flag=True, help="Keep all terms of these degrees, also those that do not pay.")
@click.option("--noise", type=Number(min=0), help="Standard deviation of the target's noise, if known.")
@seed_option
@json_option
def pade(
    data: str,
    degree: str | None,
    dense: bool,
    noise: float | None,
    seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Fit target = P/Q, two polynomials in the inputs, with as few terms as the data need.

    Poles inside the data's range are reported; errors are relative to the target's root mean square.
    """
    degrees = None if degree is None else _degrees(degree)
    dataset = read(data, options)
    say(dataset.notes)
    from kansym.formula.expression import text
    from kansym.search.rational.pade import fit_pade

    fit = fit_pade(
        dataset.X,
        dataset.y,
        degree=degrees,
        weights=dataset.weights,
        names=dataset.names,
        sparse=not dense,
        noise=noise,
        seed=seed,
    )
    terms = _terms(fit, dataset.names)
    if as_json:
        facts = {
            "target": dataset.target,
            "equation": text(fit.expression),
            "sympy": text(fit.expression, None),
            "degree": fit.degree,
            "error": fit.error,
            "terms": terms,
            "front": [{"terms": row.terms, "error": row.error} for row in fit.front],
            "poles": fit.poles,
            "notes": fit.notes,
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo("terms  relative error")
    for row in fit.front:
        click.echo(f"{'>>>>' if row.terms == fit.terms else '':<4} {row.terms:>2}  {row.error:.3g}")
    click.echo(f"\n{dataset.target} = {text(fit.expression)}")
    width = max(len(t["term"]) for t in terms)
    for where in ("numerator", "denominator"):
        click.echo(f"{where}:")
        for term in terms:
            if term["in"] == where:
                click.echo(f"  {term['term']:<{width}}  {constant_line(term['value'], term['stderr'], None)}")
    for line in fit.notes:
        click.echo(f"note: {line}", err=True)


def _degrees(text: str) -> tuple[int, int]:
    """Return the degrees in "M/N"."""
    from kansym.base.errors import InputError

    found = re.fullmatch(r"\s*(\d{1,2})\s*[/,]\s*(\d{1,2})\s*", text)
    if not found:
        raise InputError(f"Degree {text!r} is not M/N; write for instance 2/2.")
    return int(found[1]), int(found[2])


def _terms(fit: Any, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the terms of both polynomials with their coefficients and standard errors."""
    from kansym.formula.expression import text
    from kansym.functions.parsing import symbols
    from kansym.search.rational.pade import polynomial

    parts = {
        "numerator": (fit.numerator, fit.numerator_errors),
        "denominator": (fit.denominator, fit.denominator_errors),
    }
    return [
        {
            "in": where,
            "term": text(polynomial({powers: 1.0}, symbols(columns))),
            "value": value,
            "stderr": errors[powers],
        }
        for where, (values, errors) in parts.items()
        for powers, value in values.items()
    ]


def functions(options: dict[str, Any]) -> Any:
    """Return the library that --library, --only and --exclude describe."""
    from kansym.functions.library import Library

    library = Library.load(options["library"])
    only, exclude = names(options["only"]), names(options["exclude"])
    if only:
        library = Library.load("all").only(only)
    return library.exclude(exclude) if exclude else library


def _integers(text: str, option: str) -> list[int]:
    """Return the whole numbers in "N,N,..."."""
    from kansym.base.errors import InputError

    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or min(values) < 1:
        raise InputError(f"{option} {text!r} is not a list of numbers above zero; write for instance 2,5,1.")
    return values

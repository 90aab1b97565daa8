"""Commands on curves, networks and ratios of polynomials: match, fit, pade."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from kansym.cli.discover import library_options, names, read, table_options, tables, writable
from kansym.cli.text import constant_line

_OUT = click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
                    help="Write model.json and network.png here.")  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.command(
    short_help="Rank functions for a curve.", epilog="Example: kansym match balmer --only 'x^2,1/x,1/x^2,exp'"
)
@click.argument("data", metavar="DATA", shell_complete=tables)
@table_options
@library_options
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many to show.")
@click.option(
    "--noise", type=click.FloatRange(min=0), help="Standard deviation of the target's noise, if known."
)
@_JSON
def match(data: str, top: int, noise: float | None, as_json: bool, **options: Any) -> None:
    """Rank functions for a curve: fit target = c*f(a*x + b) + d for every f of the library.

    DATA needs one input column; choose it with --inputs. The best description of the data comes first.
    """
    from kansym.errors import InputError

    dataset = read(data, options)
    if len(dataset.names) != 1:
        raise InputError(
            f"A curve has one input and {dataset.source} has {len(dataset.names)}; choose one with --inputs."
        )
    from kansym import matching

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
@click.option(
    "--lamb", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Weight of sparsity."
)
@click.option(
    "--heldout",
    type=click.FloatRange(0, 0.9, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the rows held out.",
)
@click.option("--time", "time_limit", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@_OUT
@_JSON
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

    from kansym.errors import InputError

    dataset = read(data, options)
    sizes, cells = _integers(shape, "--shape"), _integers(grids, "--grids")
    if len(sizes) < 2 or sizes[0] != len(dataset.names) or sizes[-1] != 1:
        raise InputError(
            f"Shape {shape} must start with the {len(dataset.names)} inputs and end with 1, "
            f"such as {len(dataset.names)},5,1."
        )
    if out is not None:
        writable(out)
    from kansym.network import KAN

    train, held = dataset.split(heldout, seed) if heldout > 0 else (dataset, None)
    network = KAN(sizes, grid=cells[0], order=order, seed=seed, names=dataset.names, outputs=[dataset.target])
    network.fit(
        train.X, train.y, grids=cells, weights=train.weights,
        **{k: options[k] for k in ("steps", "optimizer", "lamb", "time_limit")},
    )  # fmt: skip

    def rms(part: Any) -> float:
        return float(np.sqrt(np.average((network.predict(part.X) - part.y) ** 2, weights=part.weights)))

    facts = {
        "shape": sizes, "grids": cells, "parameters": network.parameters, "rows": train.rows,
        "rmse": rms(train), "heldout_rows": 0 if held is None else held.rows,
        "heldout_rmse": None if held is None else rms(held),
        "spread": float(dataset.y.std()), "steps": len(network.history), "stop_reason": network.stop_reason,
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo(
            f"KAN {sizes}, {network.parameters} parameters, {facts['steps']} steps: {network.stop_reason}"
        )
        click.echo(f"root mean square error on {train.rows} rows: {facts['rmse']:.3g}")
        if held is not None:
            click.echo(
                f"on {held.rows} held-out rows: {facts['heldout_rmse']:.3g} (spread {facts['spread']:.3g})"
            )
    if out is not None:
        from kansym import plotting, report

        graph = network.to_graph()
        files = [report.write_graph(graph, dataset.target, out / "model.json")]
        files.append(plotting.save(plotting.network(graph, dataset.X), out / "network.png"))
        click.echo("wrote " + ", ".join(map(str, files)), err=True)


@click.command(
    short_help="Fit a ratio of two polynomials.", epilog="Example: kansym pade balmer --degree 2/2"
)
@click.argument("data", metavar="DATA", shell_complete=tables)
@table_options
@click.option("--degree", metavar="M/N", help="Total degrees above and below. Default: chosen by the data.")
@click.option("--dense", is_flag=True, help="Keep all terms of these degrees, also those that do not pay.")
@click.option(
    "--noise", type=click.FloatRange(min=0), help="Standard deviation of the target's noise, if known."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@_JSON
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
    from kansym.errors import InputError

    degrees = None
    if degree is not None:
        found = re.fullmatch(r"\s*(\d{1,2})\s*[/,]\s*(\d{1,2})\s*", degree)
        if not found:
            raise InputError(f"Degree {degree!r} is not M/N; write for instance 2/2.")
        degrees = (int(found[1]), int(found[2]))
    dataset = read(data, options)
    from kansym.expression import text
    from kansym.search.pade import fit_pade, polynomial

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
    from kansym.parsing import symbols

    columns = symbols(dataset.names)
    parts = (("numerator", fit.numerator, fit.numerator_errors),
             ("denominator", fit.denominator, fit.denominator_errors))  # fmt: skip
    terms: list[dict[str, Any]] = [
        {
            "in": where,
            "term": text(polynomial({powers: 1.0}, columns)),
            "value": value,
            "stderr": errors[powers],
        }
        for where, values, errors in parts
        for powers, value in values.items()
    ]
    if as_json:
        click.echo(
            json.dumps(
                {
                    "target": dataset.target,
                    "equation": text(fit.expression),
                    "sympy": text(fit.expression, None),
                    "degree": fit.degree,
                    "error": fit.error,
                    "terms": terms,
                    "front": [{"terms": row.terms, "error": row.error} for row in fit.front],
                    "poles": fit.poles,
                    "notes": fit.notes,
                },
                ensure_ascii=False,
            )
        )
        return
    click.echo("terms  relative error")
    for row in fit.front:
        click.echo(f"{'>>>>' if row.terms == fit.terms else '':<4} {row.terms:>2}  {row.error:.3g}")
    click.echo(f"\n{dataset.target} = {text(fit.expression)}")
    width = max(len(t["term"]) for t in terms)
    for where, _, _ in parts:
        click.echo(f"{where}:")
        for term in terms:
            if term["in"] == where:
                click.echo(f"  {term['term']:<{width}}  {constant_line(term['value'], term['stderr'], None)}")
    for line in fit.notes:
        click.echo(f"note: {line}", err=True)


def functions(options: dict[str, Any]) -> Any:
    """Return the library that --library, --only and --exclude describe."""
    from kansym.library import Library

    library = Library.load(options["library"])
    only, exclude = names(options["only"]), names(options["exclude"])
    if only:
        library = Library.load("all").only(only)
    return library.exclude(exclude) if exclude else library


def _integers(text: str, option: str) -> list[int]:
    from kansym.errors import InputError

    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or min(values) < 1:
        raise InputError(f"{option} {text!r} is not a list of numbers above zero; write for instance 2,5,1.")
    return values

"""What a person takes along: the law in other languages, the report, figures, a cell that repeats it all."""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

from kansym.base.errors import InputError
from kansym.data.dataset import Dataset
from kansym.data.writing import WRITING
from kansym.pipeline.run import Run
from kansym.report.export import export
from kansym.studio.bench import judged
from kansym.studio.desk import Desk

LANGUAGES = {
    "python": "Python", "numpy": "NumPy", "latex": "LaTeX", "excel": "Excel", "c": "C", "julia": "Julia",
    "r": "R", "javascript": "JavaScript", "fortran": "Fortran", "octave": "MATLAB, Octave", "sympy": "SymPy",
    "mathematica": "Mathematica", "torch": "PyTorch", "jax": "JAX", "json": "JSON", "text": "plain text",
}  # fmt: skip
"""Languages that are offered, with their names."""

FIGURES = {
    "front": "the front",
    "predicted": "predicted against measured",
    "residuals": "residuals",
    "slices": "the formula along each input",
    "network": "the network",
}

FORMATS = ("svg", "pdf", "png")

MOST_ROWS = 20_000
"""Rows in a figure; a drawing program stumbles over more."""


def in_hand(desk: Desk) -> Run:
    """Return the run with the law in the hand as its chosen one; raises InputError before there is one."""
    law = desk.law
    if desk.run is None or law is None:
        raise InputError("There is no law yet; search for one first.")
    front = list(desk.run.front)
    if desk.moved and desk.bench is not None and desk.dataset is not None:
        law = desk.bench.as_law(desk.theta, judged(desk.run, desk.dataset), desk.question.seed)
    front[desk.row] = law
    return replace(desk.run, front=tuple(front), chosen=desk.row)


def code(desk: Desk, language: str) -> str:
    """Return the law in the hand as source code."""
    return export(in_hand(desk), language).strip() + "\n"


def report(desk: Desk) -> str:
    """Return the report as one HTML page, with the row in the hand chosen."""
    from kansym.report.page import page, summarise

    return page(summarise(in_hand(desk), desk.dataset))


def figure(desk: Desk, name: str, kind: str) -> bytes:
    """Return a figure's file; raises InputError for what cannot be drawn."""
    if kind not in FORMATS or name not in FIGURES:
        raise InputError(
            f"{name}.{kind} is no figure; figures are {', '.join(FIGURES)} as {', '.join(FORMATS)}."
        )
    if desk.dataset is None:
        raise InputError("A figure needs the rows; open the table.")
    run, data = in_hand(desk), desk.dataset.subsample(MOST_ROWS)
    if name == "network" and run.graph is None:
        raise InputError("This law has no network; choose another row.")
    # matplotlib would stay in the page's process, with 60 MB
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as another:
        return another.submit(_drawn, run, data, name, kind).result()


def _drawn(run: Run, data: Dataset, name: str, kind: str) -> bytes:
    """Return a figure's file; in a process of its own."""
    from kansym.report import plotting

    graph = run.graph
    if name == "network" and graph is not None:
        drawn = plotting.network(graph, data.select(graph.inputs).X, data.target)
    elif name == "front":
        drawn = plotting.front(run)
    else:
        drawn = getattr(plotting, name)(run, data)
    kept = io.BytesIO()
    drawn.savefig(kept, format=kind, dpi=150, bbox_inches="tight")
    return kept.getvalue()


def cell(desk: Desk) -> str:
    """Return Python that does again what was done on the desk: the table, the searches, the formulas."""
    lines = ["import kansym", "from kansym.studio.question import Question", ""]
    table = 0
    for step in desk.steps:
        details: Mapping[str, Any] = step.details
        match step.kind:
            case "table":
                table += 1
                signs = [f"{n}={details[n]!r}" for n in WRITING if n in details]
                lines += [
                    "from kansym.data.table import read_table",
                    f"table = read_table({', '.join([repr(details['name']), *signs])})",
                ]
            case "search":
                lines += [
                    f"question = Question.from_dict({_short(details)!r})",
                    "dataset = question.dataset(table)",
                    "run = kansym.discover(dataset, options=question.options())",
                    "print(run)",
                ]
            case "formula":
                more = f"guesses=({details['text']!r},)"
                lines.append(f"run = kansym.discover(dataset, options=question.options(), {more})")
            case "constants":
                lines.append(f"law = {details['equation']!r}  # constants set by hand")
    law = desk.law
    if law is not None and law.expression is not None:
        lines += [
            "",
            f"law = kansym.parse_expression({law.equation!r}, {list(desk.run.names) if desk.run else []!r})",
        ]
    return "\n".join(lines) + "\n"


def _short(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return a question without what nobody set."""
    from kansym.studio.question import Question

    usual = Question().to_dict()
    return {k: v for k, v in details.items() if k == "parts" or v != usual[k]}

"""What else a table can be asked: laws of motion, formulas between classes, relations among its columns.

Each function runs in the process that searches and returns plain data: a result's dict, and what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kansym.data.table import Table
from kansym.report.numbers import drawable
from kansym.studio.folder import Folder

DRAWN = 1000
"""Rows that a picture shows."""

CELLS = 80
"""Points of a grid, along each of two inputs, on which a boundary's change of sign is looked for."""


def motion(table: Table, order: dict[str, Any]) -> dict[str, Any]:
    """Return equations of motion, and the simulated states of the first run beside the measured ones."""
    from kansym.pipeline.motion.dynamics import dynamics
    from kansym.pipeline.motion.reading import arrays
    from kansym.pipeline.motion.trajectory import series
    from kansym.report.motion import beside

    parts = (order["time"], order["states"], order["inputs"], order["group"] or None)
    given = arrays(table, *parts)
    notes = given.pop("notes")
    found = dynamics(**given, order=int(order["order"]), time_limit=order["seconds"])
    first = beside(found, series(**given))[0]
    return {**found.to_dict(), "said": list(notes), **first, "time": order["time"]}


def classes(table: Table, order: dict[str, Any]) -> dict[str, Any]:
    """Return formulas between classes, with rows and the boundary along the two inputs that matter most."""
    from kansym.estimators.classes import classify, labelled

    target, inputs = order["target"], order["inputs"] or None
    found = classify(table, target, inputs, group=order["group"] or None, time_limit=order["seconds"])
    given = labelled(table, target, inputs, order["group"] or None)
    data = found.to_dict()
    if len(found.classes) != 2:
        return data
    used = [n for n in given.names if n in {s.name for s in found.formulas[0].g.free_symbols}]
    axes = [*used, *(n for n in given.names if n not in used)][:2]
    at = np.random.default_rng(0).permutation(len(given.X))[:DRAWN]
    rows = {n: drawable(given.X[at, given.names.index(n)]) for n in axes}
    border = [] if len(axes) < 2 else _border(found.formulas[0].g, given.X, given.names, axes)
    return {**data, "axes": axes, "rows_drawn": rows, "labels": given.labels[at].tolist(), "border": border}


def relations(table: Table, order: dict[str, Any]) -> dict[str, Any]:
    """Return every relation among the columns that play a part."""
    from kansym.pipeline.relations import relations as find

    others = [n for n in table.names if n not in order["columns"]]
    return find(table.without(others), time_limit=order["seconds"]).to_dict()


def asked(name: str, order: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to one question about a table of the studio's folder."""
    named = order["named"] and Path(order["named"])
    table = Folder(Path(order["root"]), named or None).read(order["table"], order["writing"])
    return ASIDES[name](table, order)


ASIDES: dict[str, Callable[[Table, dict[str, Any]], dict[str, Any]]] = {
    "motion": motion,
    "classes": classes,
    "relations": relations,
}


def _border(g: Any, X: np.ndarray, names: tuple[str, ...], axes: list[str]) -> list[list[float]]:
    """Return points on g = 0 along two inputs, the others at their medians: where g changes its sign."""
    from kansym.formula.program import Program
    from kansym.functions.parsing import symbols

    i, j = (names.index(n) for n in axes)
    u, v = (np.linspace(X[:, k].min(), X[:, k].max(), CELLS) for k in (i, j))
    grid = np.tile(np.median(X, axis=0), (CELLS * CELLS, 1))
    grid[:, i], grid[:, j] = np.repeat(u, CELLS), np.tile(v, CELLS)
    values = Program.compile(g, symbols(names)).value(grid).reshape(CELLS, CELLS)
    found = []
    for axis in (0, 1):
        low = np.take(values, range(CELLS - 1), axis)
        high = np.take(values, range(1, CELLS), axis)
        for a, b in np.argwhere(np.isfinite(low + high) & (low * high < 0)).tolist():
            share = low[a, b] / (low[a, b] - high[a, b])
            step = (share, 0.0) if axis == 0 else (0.0, share)
            found.append([float(u[a] + step[0] * (u[1] - u[0])), float(v[b] + step[1] * (v[1] - v[0]))])
    return found

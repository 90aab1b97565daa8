"""The smooth trend of a table as a graph of curves: what is shown where there is structure and no formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kansym.functions import spline
from kansym.functions.evaluate import evaluate
from kansym.functions.graph import Edge, Graph, Spline

CELLS = 60
"""Cells of a curve: more than a trend of a few hundred rows has, so that its curves are theirs."""

POINTS = 10
"""Points in each cell at which the trend is read."""

FAITHFUL = 0.05
"""Share of the trend's spread within which a sum of curves must be the trend itself, on the rows."""

Values = Callable[[np.ndarray], np.ndarray]


def as_graph(trend: Values, X: np.ndarray, names: tuple[str, ...], target: str) -> Graph | None:
    """Return a trend over rows X (n, d) as a sum of curves, one a column; None where it is no such sum.

    A trend that is not finite between the rows is none.
    """
    middle = np.median(X, axis=0)
    base, edges = float(trend(middle[None])[0]), []
    node = target if target not in names else f"{target}_"
    for j, name in enumerate(names):
        knots = spline.adaptive_knots(X[:, j], CELLS, blend=0.5)
        inside = knots[3:-3]
        u = np.clip(np.linspace(inside[0], inside[-1], POINTS * CELLS), X[:, j].min(), X[:, j].max())
        Z = np.repeat(middle[None], len(u), axis=0)
        Z[:, j] = u
        curve = trend(Z) - base
        if not np.all(np.isfinite(curve)):
            return None
        edges.append(Edge(name, node, 0, Spline(knots, spline.fit(knots, 3, u, curve))))
    graph = Graph.build(names, [node], {node: "sum"}, edges, {node: base})
    values = trend(X)
    off = evaluate(graph, X)[:, 0] - values
    return graph if float(np.std(off)) <= FAITHFUL * float(np.std(values)) else None

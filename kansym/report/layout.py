"""Where the nodes and curves of a network stand, and what each of its edges looks like.

The common half of the two ways to draw a network: matplotlib (`plotting`) and SVG (`svg`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.functions.evaluate import activations, curve_values
from kansym.functions.graph import Edge, Graph, Symbolic

Place = tuple[float, float]


class Plan:
    """Hold places: nodes in rows by depth, one place between rows for every edge's curve."""

    def __init__(self, nodes: dict[str, Place], edges: dict[Any, Place]) -> None:
        self.nodes = nodes
        self.edges = edges
        places = [*nodes.values(), *edges.values()]
        self.width = max(x for x, _ in places) + 1.0
        self.height = max(y for _, y in places) + 1.0


def layout(graph: Graph) -> Plan:
    """Return places for nodes and curves: inputs at the bottom, each node one row above its sources."""
    depth: dict[str, int] = {}
    for node in graph.order():
        sources = [depth[e.source] for e in graph.into(node)]
        depth[node] = 0 if graph.kind(node) == "input" else max(sources, default=0) + 1
    used = {e.source for e in graph.edges()} | set(graph.outputs)
    shown = [n for n in graph.order() if n in used or graph.kind(n) != "input"] or list(graph.inputs)
    rows: dict[int, list[str]] = {}
    for node in shown:
        rows.setdefault(depth[node], []).append(node)
    boxes: dict[int, list[Edge]] = {}
    for edge in graph.edges():
        boxes.setdefault(depth[edge.target], []).append(edge)
    widest = max([len(r) for r in rows.values()] + [len(b) for b in boxes.values()])
    place: dict[str, Place] = {}
    curves: dict[Any, Place] = {}
    for level in sorted(rows):
        if level:
            row = rows[level]
            # a node stands above the mean of what flows into it, so that lines cross less
            middle = {n: float(np.mean([place[e.source][0] for e in graph.into(n)] or [0.0])) for n in row}
            rows[level] = sorted(row, key=lambda n: middle[n])
        for x, node in zip(_spread(len(rows[level]), widest), rows[level], strict=True):
            place[node] = (x, 2.0 * level)
        edges = sorted(boxes.get(level, []), key=lambda e: (place[e.target][0], place[e.source][0], e.key))
        for x, edge in zip(_spread(len(edges), widest), edges, strict=True):
            curves[edge.id] = (x, 2.0 * level - 1.0)
    return Plan(place, curves)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Hold what one edge looks like: places, curve, label (empty for a spline) and opacity.

    An edge with a `name` can be clicked; `picked` is the one in the hand.
    """

    start: Place
    end: Place
    centre: Place
    x: np.ndarray
    y: np.ndarray
    opacity: float
    label: str
    name: str = ""
    picked: bool = False


def drawn(graph: Graph, X: np.ndarray | None, plan: Plan) -> list[Drawn]:
    """Return every edge as it is drawn; see `plotting.network` for opacity on rows X (n, inputs)."""
    flows = None if X is None else activations(graph, X)
    result = []
    for edge in graph.edges():
        span, opacity = (-1.0, 1.0), 1.0
        if flows is not None:
            before = flows[edge.id][0]
            finite = before[np.isfinite(before)]
            span = (float(finite.min()), float(finite.max())) if len(finite) else span
            spreads = {e.id: _deviation(flows[e.id][1]) for e in graph.into(edge.target)}
            largest = max(spreads.values())
            opacity = math.tanh(3 * spreads[edge.id] / largest) if largest > 0 else 1.0
        x = np.linspace(*span, 61)
        label = edge.curve.function.name if isinstance(edge.curve, Symbolic) else ""
        ends = plan.nodes[edge.source], plan.nodes[edge.target], plan.edges[edge.id]
        result.append(Drawn(*ends, x, curve_values(edge.curve, x), opacity, label))
    return result


def node_text(graph: Graph, node: str) -> str:
    """Return what is written in a node."""
    kind = graph.kind(node)
    if kind == "input":
        return short(node, 24)
    return {"sum": "+", "product": "×"}[kind]


def short(text: str, limit: int = 40) -> str:
    """Return a text of at most `limit` letters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _deviation(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.std()) if len(finite) else 0.0


def _spread(count: int, widest: int) -> list[float]:
    return [(i + 0.5) * widest / count - 0.5 for i in range(count)] if count else []

"""Where the nodes and curves of a network stand, and what each of its edges looks like.

The common half of the two ways to draw a network: matplotlib (`plotting`) and SVG (`svg`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.functions.evaluate import activations, curve_values
from kansym.functions.graph import Graph, Symbolic
from kansym.report.labels import label, raised

Place = tuple[float, float]


FAINT = 0.25
"""Opacity of what matters least: a curve that is there must be seen."""

LABEL = 9
"""Letters of a function's name beside its curve: more would reach the next curve."""

LETTER, MARGIN, RAISED = 0.075, 0.16, 0.45
"""Widths of a letter and of a name's margins, and how much every second name is raised where they would
overlap, in distances between neighbours."""


class Plan:
    """Hold places: nodes in rows by depth, between rows one place for every edge's curve.

    `bends` are the places that a longer edge passes on its way to its curve, so that it runs behind nothing.
    """

    def __init__(
        self, nodes: dict[str, Place], edges: dict[Any, Place], bends: dict[Any, list[Place]]
    ) -> None:
        self.nodes = nodes
        self.edges = edges
        self.bends = bends
        places = [*nodes.values(), *edges.values(), *(p for way in bends.values() for p in way)]
        self.width = max(x for x, _ in places) + 1.0
        self.height = max(y for _, y in places) + 1.0


def layout(graph: Graph, texts: Mapping[str, str] | None = None) -> Plan:
    """Return places for nodes and curves: inputs at the bottom, each node one row above its sources.

    `texts` is what is written in the nodes, by default `node_text`.
    """
    depth: dict[str, int] = {}
    for node in graph.order():
        sources = [depth[e.source] for e in graph.into(node)]
        depth[node] = 0 if graph.kind(node) == "input" else max(sources, default=0) + 1
    used = {e.source for e in graph.edges()} | set(graph.outputs)
    shown = [n for n in graph.order() if n in used or graph.kind(n) != "input"] or list(graph.inputs)
    edges = list(graph.edges())
    rows = [[n for n in shown if depth[n] == level] for level in range(max(depth[n] for n in shown) + 1)]
    ends = [[e for e in edges if depth[e.target] == level] for level in range(len(rows))]
    passing = [[e for e in edges if depth[e.source] < level < depth[e.target]] for level in range(len(rows))]
    widest = max(len(p) + max(len(r), len(e)) for r, e, p in zip(rows, ends, passing, strict=True))
    place = _inputs(rows[0], widest, {n: (texts or {}).get(n) or node_text(graph, n) for n in rows[0]})
    curves: dict[Any, Place] = {}
    bends: dict[Any, list[Place]] = {e.id: [] for e in edges}
    for level in range(1, len(rows)):
        # what has come furthest of each edge; a node stands above the mean of them, so that lines cross less
        last = {e.id: (bends[e.id] or [place[e.source]])[-1][0] for e in [*ends[level], *passing[level]]}
        wish = {n: float(np.mean([last[e.id] for e in graph.into(n)] or [0.0])) for n in rows[level]}
        slots = [*wish.items(), *((e.id, last[e.id]) for e in passing[level])]
        slots.sort(key=lambda slot: slot[1])
        at: dict[Any, float] = dict(
            zip((name for name, _ in slots), _spread(len(slots), widest), strict=True)
        )
        place |= {n: (at[n], 2.0 * level) for n in rows[level]}
        below = [((at[e.target], last[e.id], e.key), e) for e in ends[level]]
        below += [((at[e.id], last[e.id], e.key), e) for e in passing[level]]
        below.sort(key=lambda one: one[0])
        for x, (_, edge) in zip(_spread(len(below), widest), below, strict=True):
            if depth[edge.target] == level:
                curves[edge.id] = (x, 2.0 * level - 1.0)
            else:
                bends[edge.id] += [(x, 2.0 * level - 1.0), (at[edge.id], 2.0 * level)]
    return Plan(place, curves, bends)


def _inputs(names: Sequence[str], widest: int, texts: Mapping[str, str]) -> dict[str, Place]:
    """Return the places of the lowest row, every second one raised where names would overlap."""
    across = _spread(len(names), widest)
    wide = [MARGIN + LETTER * len(texts[n]) for n in names]
    near = any((a + b) / 2 > v - u for a, b, u, v in zip(wide, wide[1:], across, across[1:], strict=False))
    up = RAISED if near else 0.0
    return {n: (x, up * (i % 2)) for i, (n, x) in enumerate(zip(names, across, strict=True))}


@dataclass(frozen=True, eq=False)
class Drawn:
    """Hold what one edge looks like: places, curve, label (empty for a spline), opacity, and its bends.

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
    bends: Sequence[Place] = ()


def drawn(graph: Graph, X: np.ndarray | None, plan: Plan) -> list[Drawn]:
    """Return every edge as it is drawn, with its opacity on rows X (n, inputs): tanh(3A).

    A is the spread of what the edge carries as a share of the largest that enters the same node; where these
    are multiplied, the spread of each is taken relative to its size, since a small factor matters as a large
    one does.
    """
    flows = None if X is None else activations(graph, X)
    result = []
    for edge in graph.edges():
        span, opacity = (-1.0, 1.0), 1.0
        if flows is not None:
            before = flows[edge.id][0]
            finite = before[np.isfinite(before)]
            span = (float(finite.min()), float(finite.max())) if len(finite) else span
            relative = graph.kind(edge.target) == "product"
            spreads = {e.id: _deviation(flows[e.id][1], relative) for e in graph.into(edge.target)}
            largest = max(spreads.values())
            opacity = math.tanh(3 * spreads[edge.id] / largest) if largest > 0 else 1.0
        x = np.linspace(*span, 61)
        label = _label(edge.curve) if isinstance(edge.curve, Symbolic) else ""
        ends = plan.nodes[edge.source], plan.nodes[edge.target], plan.edges[edge.id]
        values, bends = curve_values(edge.curve, x), plan.bends[edge.id]
        result.append(Drawn(*ends, x, values, opacity, label, bends=bends))
    return result


def node_text(graph: Graph, node: str) -> str:
    """Return what is written in a node."""
    kind = graph.kind(node)
    if kind == "input":
        return short(label(node).plain, 24)
    return {"sum": "+", "product": "×"}[kind]


def _label(curve: Symbolic) -> str:
    """Return a function's name, whole powers as they are set: x² for x^2."""
    name = curve.function.name.replace("**", "^")
    return re.sub(r"\^(-?\d+)$", lambda power: raised(power[1]), name)


def short(text: str, limit: int = 40) -> str:
    """Return a text of at most `limit` letters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _deviation(values: np.ndarray, relative: bool) -> float:
    """Return the spread of the finite values, or its share of their root mean square."""
    finite = values[np.isfinite(values)]
    size = float(np.sqrt(np.mean(finite**2))) if len(finite) and relative else 1.0
    return float(finite.std()) / (size or 1.0) if len(finite) else 0.0


def _spread(count: int, widest: int) -> list[float]:
    """Return places that share a row's width evenly."""
    return [(i + 0.5) * widest / count - 0.5 for i in range(count)] if count else []

"""A network as one SVG element, for the page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np

from kansym.functions.graph import Graph
from kansym.report.labels import label
from kansym.report.layout import FAINT, LABEL, Drawn, Place, Plan, drawn, layout, node_text, short

SCALE, FLAT, PAD = 116.0, 0.62, 40.0
"""Pixels between neighbours, how much less between rows, and pixels around."""


def network_svg(graph: Graph, X: np.ndarray | None = None, target: str = "") -> str:
    """Return the network as one SVG element with a title, every name escaped, `target` on its output."""
    plan = layout(graph)
    texts = {n: node_text(graph, n) for n in plan.nodes}
    output = graph.outputs[0] if target else ""
    title = f"Network from {', '.join(graph.inputs)} to {target or 'the output'}, a curve on each edge"
    return picture(plan, drawn(graph, X, plan), texts, title, {output: target})


def picture(
    plan: Plan, edges: Sequence[Drawn], texts: Mapping[str, str], title: str, outputs: Mapping[str, str]
) -> str:
    """Return a network as one SVG element: `texts` stand in its nodes, names of `outputs` above theirs."""
    halves = {n: _half(texts[n]) for n in plan.nodes}
    side = max(SCALE / 2, *halves.values()) + 6
    width, height = (plan.width - 1) * SCALE + 2 * side, (plan.height - 1) * SCALE * FLAT + 2 * PAD

    def at(place: Place) -> Place:
        return side + place[0] * SCALE, height - PAD - place[1] * SCALE * FLAT

    wires, parts = [], []
    for edge in edges:
        way = [at(edge.start), *map(at, edge.bends)]
        wire, box = _edge(edge, way, at(edge.end), at(edge.centre))
        wires.append(wire)
        parts.append(box)
    for node, place in plan.nodes.items():
        (x, y), half = at(place), halves[node]
        parts.append(
            f'<rect class="node" x="{x - half:.1f}" y="{y - 12:.1f}" '
            f'width="{2 * half:.1f}" height="24" rx="12"/>'
            f'<text class="name" x="{x:.1f}" y="{y + 4.5:.1f}">{html.escape(texts[node])}</text>'
        )
    for node, name in outputs.items():
        if node in plan.nodes:
            (x, y), word = at(plan.nodes[node]), html.escape(short(label(name).plain, 24))
            parts.append(f'<text class="name target" x="{x:.1f}" y="{y - 19:.1f}">{word}</text>')
    role = "group" if any(edge.name for edge in edges) else "img"
    return (
        f'<svg class="network" role="{role}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="--wide:{width:.0f}px;max-width:{width:.0f}px"><title>{html.escape(title)}</title>'
        f"{''.join([*wires, *parts])}</svg>"
    )


def _edge(edge: Drawn, way: Sequence[Place], end: Place, centre: Place) -> tuple[str, str]:
    """Return an edge's line, which comes along `way`, and the box with its curve that stands on it."""
    (x1, y1), (cx, cy) = end, centre
    shade = max(edge.opacity, FAINT)
    come = "L".join(f"{x:.1f} {y:.1f}" for x, y in way)
    wire = (
        f'<path class="wire" opacity="{shade:.3f}" d="M{come}L{cx:.1f} {cy + 18:.1f}'
        f'M{cx:.1f} {cy - 18:.1f}L{x1:.1f} {y1:.1f}"/>'
    )
    kind = "symbolic" if edge.label else "spline"
    box = (
        f'<rect class="box" x="{cx - 26:.1f}" y="{cy - 18:.1f}" width="52" height="36" rx="3"/>'
        f'<path class="{kind}" opacity="{shade:.3f}" d="{_path(edge.x, edge.y, cx, cy)}"/>'
    )
    if edge.label:
        box += (
            f'<text class="label" x="{cx + 30:.1f}" y="{cy + 4:.1f}">'
            f"{html.escape(short(edge.label, LABEL))}<title>{html.escape(edge.label)}</title></text>"
        )
    if edge.name:
        name, says = html.escape(edge.name), html.escape(edge.label or "a spline")
        kind, state = ("edge picked", "true") if edge.picked else ("edge", "false")
        box = (
            f'<g class="{kind}" role="button" tabindex="0" data-edge="{name}" '
            f'aria-pressed="{state}" aria-label="edge {name}: {says}">{box}</g>'
        )
    return wire, box


def _path(x: np.ndarray, y: np.ndarray, cx: float, cy: float) -> str:
    """Return the curve as SVG path data inside its 52 by 36 box."""
    fine = np.isfinite(y)
    if not fine.any():
        return "M0 0"
    low, high = float(y[fine].min()), float(y[fine].max())
    tall = high - low if high > low else 1.0
    span = float(x[-1] - x[0]) or 1.0
    parts, pen = [], "M"
    for a, b, ok in zip(x, y, fine, strict=True):
        if not ok:
            pen = "M"
            continue
        parts.append(f"{pen}{cx - 22 + 44 * (a - x[0]) / span:.1f} {cy + 14 - 28 * (b - low) / tall:.1f}")
        pen = "L"
    return "".join(parts)


def _half(text: str) -> float:
    """Return half the width of a node's outline in the SVG."""
    return max(12.0, 8 + 4.2 * len(text))

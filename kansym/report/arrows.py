"""Which state drives which, as an SVG picture: states on a circle, an arrow from what drives another."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

from kansym.report.labels import label
from kansym.report.layout import Place, short

RADIUS, SPACE, HALF, PAD = 60.0, 34.0, 14.0, 70.0
"""Pixels: the least circle, the room of one state on it, half a node's height, and the margin."""


def arrows_svg(couplings: Mapping[str, Sequence[str]]) -> str:
    """Return a stand-alone SVG of what drives each state, names escaped; what is no state stands outside.

    `couplings` maps a state to the names in its right side; its own is drawn as a ring around it.
    """
    states = list(couplings)
    outside = [n for n in dict.fromkeys(n for names in couplings.values() for n in names) if n not in states]
    radius = max(RADIUS, SPACE * len(states) / (2 * math.pi) * 1.6)
    size = 2 * (radius + PAD + (60.0 if outside else 0.0))
    places = {**_circle(states, radius, size / 2), **_circle(outside, radius + 60.0, size / 2, 0.5)}
    lines = [
        _arrow(places[n], places[s]) if n != s else _ring(places[s])
        for s, names in couplings.items()
        for n in names
    ]
    nodes = [_node(name, place, name in couplings) for name, place in places.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {size:.0f} {size:.0f}" '
        f'width="{size:.0f}"><title>Which state drives which</title><defs><marker id="tip" viewBox="0 0 8 8" '
        'refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8Z" '
        f'fill="#3a5a8c"/></marker></defs>{"".join([*lines, *nodes])}</svg>\n'
    )


def _circle(names: Sequence[str], radius: float, middle: float, turn: float = 0.0) -> dict[str, Place]:
    """Return places on a circle, turned by a share of the step between two."""
    out = {}
    for k, name in enumerate(names):
        angle = 2 * math.pi * (k + turn) / len(names) - math.pi / 2
        out[name] = middle + radius * math.cos(angle), middle + radius * math.sin(angle)
    return out


def _arrow(start: Place, end: Place) -> str:
    """Return a slightly bent line that ends at the node's edge, so that there and back are two."""
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    across = (y0 - y1) / length, (x1 - x0) / length
    bend = (x0 + x1) / 2 + 0.12 * length * across[0], (y0 + y1) / 2 + 0.12 * length * across[1]
    away = math.hypot(x1 - bend[0], y1 - bend[1]) or 1.0
    tip = x1 - (x1 - bend[0]) / away * HALF * 1.3, y1 - (y1 - bend[1]) / away * HALF * 1.3
    return (
        f'<path d="M{x0:.1f} {y0:.1f}Q{bend[0]:.1f} {bend[1]:.1f} {tip[0]:.1f} {tip[1]:.1f}" fill="none" '
        'stroke="#3a5a8c" stroke-width="1.3" marker-end="url(#tip)"/>'
    )


def _ring(place: Place) -> str:
    """Return the ring around what drives itself."""
    return f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{HALF + 4}" fill="none" stroke="#3a5a8c"/>'


def _node(name: str, place: Place, moves: bool) -> str:
    """Return a named node; what is no state has another colour."""
    fill = "#eef3fb" if moves else "#fdf3e3"
    return (
        f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{HALF}" fill="{fill}" stroke="#222"/>'
        f'<text x="{place[0]:.1f}" y="{place[1] + 4:.1f}" text-anchor="middle" font-family="sans-serif" '
        f'font-size="11"><title>{html.escape(name)}</title>{html.escape(short(label(name).plain, 6))}</text>'
    )

"""Time series as SVG pictures: measured rows as dots, the simulated path as a line, for the page."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence

import numpy as np

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 460.0, 220.0, 62.0, 40.0, 12.0
"""Pixels: of the whole picture, and of its margins."""

TICKS = 5
"""Numbers along an axis, about."""

BEYOND = 0.6
"""Share of the measured values' range beyond which a path that leaves it is not drawn."""

Values = Sequence[float | None]
Scale = Callable[[float], float]


def trace_svg(t: Values, measured: Values, simulated: Values, time: str, state: str) -> str:
    """Return one state over time as an SVG element with a title, names escaped; None is not drawn."""
    times, dots, path = (
        np.array([math.nan if v is None else v for v in c]) for c in (t, measured, simulated)
    )
    low, high = _range(dots)
    reach = BEYOND * (high - low)
    seen = path[(path > low - reach) & (path < high + reach)]
    low, high = min([low, *seen]), max([high, *seen])
    first, last = _range(times)

    def x(value: float) -> float:
        """Return the pixel of a time."""
        return LEFT + (value - first) / (last - first) * (WIDTH - LEFT - 12)

    def y(value: float) -> float:
        """Return the pixel of a value."""
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - BOTTOM - TOP)

    parts = [_axis_x(x, first, last), _axis_y(y, low, high)]
    parts += [
        f'<circle class="measured" cx="{x(a):.1f}" cy="{y(b):.1f}" r="2"/>'
        for a, b in zip(times, dots, strict=True)
        if math.isfinite(b)
    ]
    # not a number where the path is undefined or outside, so that the line is interrupted there
    drawn = np.where((path >= low) & (path <= high), path, math.nan)
    pieces, pen = [], "M"
    for a, b in zip(times, drawn, strict=True):
        if math.isfinite(b):
            pieces.append(f"{pen}{x(a):.1f} {y(b):.1f}")
        pen = "L" if math.isfinite(b) else "M"
    parts.append(f'<path class="inside" d="{"".join(pieces)}"/>')
    middle = f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 6:.0f}" text-anchor="middle">'
    parts.append(f"{middle}{html.escape(time)}</text>")
    title = html.escape(f"{state} over {time}: measured rows and the simulated path")
    frame = f'<svg class="chart" role="img" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}">'
    return f"{frame}<title>{title}</title>{''.join(parts)}</svg>"


def _axis_x(x: Scale, first: float, last: float) -> str:
    """Return the lines and numbers along the time."""
    return "".join(
        f'<line class="tick" x1="{x(v):.1f}" x2="{x(v):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text x="{x(v):.1f}" y="{HEIGHT - BOTTOM + 15:.1f}" text-anchor="middle">{v:g}</text>'
        for v in ticks(first, last)
    )


def _axis_y(y: Scale, low: float, high: float) -> str:
    """Return the lines and numbers along the state."""
    return "".join(
        f'<line class="tick" x1="{LEFT}" x2="{WIDTH - 12}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:g}</text>'
        for v in ticks(low, high)
    )


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest finite value, apart even where they are the same."""
    known = values[np.isfinite(values)]
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - (abs(low) or 1.0), high + (abs(high) or 1.0))


def ticks(low: float, high: float) -> list[float]:
    """Return some TICKS round numbers from low to high.

    >>> ticks(0, 9.5)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.10g}") for k in range(first, last + 1)]

"""The shapes that a function can show on a window, laid out once and reused for every curve.

A window is alpha·t + beta for t in [-1, 1], the curve's own range. Which windows are worth a look depends
on the function alone: its redundant letters, domain and oscillation. Their values at fixed nodes form a
table; comparing a curve with a function is then one pass over that table. Nothing here sees a curve.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from kansym.functions.library import Function, X

UNIFORM, LEVELS = 64, 6
"""Cells of the even grid on [-1, 1], and how often the last ones are halved towards each end."""

EXPONENTS = (-3.0, -2.0, -1.5, -1.0, -0.5, -0.2, 0.2, 0.5, 0.8, 1.3, 1.7, 2.3, 3.0, 4.2, 6.0)
"""Starts of a free exponent."""


def _node_edges() -> np.ndarray:
    """Return the edges of cells that get finer towards both ends."""
    width = 2.0 / UNIFORM
    inner = -1 + width * np.arange(1, UNIFORM)
    graded = width * 0.5 ** np.arange(1, LEVELS + 1)
    return np.sort(np.concatenate([[-1.0, 1.0], inner, -1 + graded, 1 - graded]))


EDGES = _node_edges()
"""Borders of the bins; both ends of the curve are nodes of their own."""
NODES = np.concatenate([[-1.0], 0.5 * (EDGES[1:] + EDGES[:-1]), [1.0]])


@dataclass(frozen=True, eq=False)
class Shapes:
    """Hold a function's windows (rows of alpha, beta, p), their standardised values and neighbours."""

    kind: str
    free: np.ndarray
    low: float
    high: float
    marks: np.ndarray
    barriers: np.ndarray
    period: float
    cells: np.ndarray
    table: np.ndarray
    neighbours: np.ndarray

    def limits(self, starts: np.ndarray, first: float, last: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the barriers that hold each start on [first, last]; infinite where it lies across one."""
        lows, highs = np.full(len(starts), self.low), np.full(len(starts), self.high)
        if len(self.barriers):
            base = (
                self.period * np.round(starts[:, 1] / self.period) if self.period else np.zeros(len(starts))
            )
            ends = starts[:, :1] * np.array([first, last]) + starts[:, 1:2]
            walls = base[:, None] + self.barriers
            bottom, top = ends.min(1)[:, None], ends.max(1)[:, None]
            slack = 1e-12 * np.abs(starts[:, 1:2])
            within = ((walls > bottom + slack) & (walls < top - slack)).any(1)
            below = np.where(walls <= bottom + slack, walls, -np.inf).max(1)
            above = np.where(walls >= top - slack, walls, np.inf).min(1)
            lows, highs = (
                np.where(within, lows, np.maximum(below, lows)),
                np.where(within, highs, np.minimum(above, highs)),
            )
        return lows, highs


def kind_of(function: Function) -> str:
    """Return what a search for f runs over: nothing, a root, a rate, a frequency or both a and b."""
    if X not in function.expression.free_symbols:
        return "constant"
    if function.redundant >= {"a", "b"}:
        return "line"
    if not function.has_exponent and _adds_up(function, math.cos):  # f'' = -f
        return "wave"
    if (
        not function.has_exponent and "b" not in function.redundant and _adds_up(function, math.cosh)
    ):  # f'' = f
        return "hyperbolic"
    if "a" in function.redundant:
        return "root"
    if "b" in function.redundant:
        return "rate"
    return "plane"


def _adds_up(f: Function, g: Callable[[float], float]) -> bool:
    """Tell whether f(u + h) + f(u - h) = 2·g(h)·f(u) for all u and h: d'Alembert's functional equation."""
    u = np.linspace(-2.9, 3.1, 13)
    for h in (0.37, 1.3):
        left, right = f(u + h) + f(u - h), 2 * g(h) * f(u)
        if not np.abs(left - right).max() <= 1e-12 * np.abs(right).max():
            return False
    return True


@lru_cache(maxsize=512)
def shapes(function: Function) -> Shapes:
    """Return the table of f's shapes; cached for the life of the process."""
    kind = kind_of(function)
    free = np.array(
        [kind in ("rate", "plane", "wave", "hyperbolic"), kind not in ("rate", "line"), function.has_exponent]
    )
    low, high = -math.inf, math.inf
    if len(function.domain) == 1:
        low, high = function.domain[0].low, function.domain[0].high
    if kind in ("constant", "line", "wave", "hyperbolic"):
        cells, spots = np.array([[1.0, 0.0, 1.0]]), np.zeros((1, 2))
    elif kind == "root":
        cells, spots = _roots(function)
    elif kind == "rate":
        rates = np.geomspace(1e-2, 400.0, 60)
        cells = np.array([[s * a, -s * s * a, 1.0] for s in (1, -1) for a in rates])
        cells[:, 1] = -np.abs(cells[:, 0])
        spots = np.array([[i, 100.0 * s] for s in (1, -1) for i in range(len(rates))])
    elif math.isfinite(low) and math.isfinite(high):
        cells, spots = _between(function, low, high)
    elif math.isfinite(low) or math.isfinite(high):
        cells, spots = _beyond(function, low, high)
    else:
        cells, spots = _plane(function)
    if function.has_exponent:
        cells = np.concatenate([cells * [1, 1, 0] + [0, 0, p] for p in EXPONENTS])
        spots = np.concatenate(
            [np.column_stack([spots, np.full(len(spots), float(k))]) for k in range(len(EXPONENTS))]
        )
    table, fine = _standardised(function, cells)
    fine &= ~_repeats(cells, table)
    cells, spots, table = cells[fine], spots[fine], table[fine]
    neighbours = np.zeros((len(cells), 1), np.int64)
    if len(cells) > 2:
        count = min(9, len(cells))
        distance, neighbours = cKDTree(spots).query(spots, k=count)
        neighbours = np.where(distance <= 1.8, neighbours, np.arange(len(cells))[:, None])
    return Shapes(
        kind,
        free,
        low,
        high,
        _marks(function),
        _barriers(function),
        function.period or 0.0,
        cells,
        np.ascontiguousarray(table),
        neighbours,
    )


def _standardised(f: Function, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return f's curves on NODES with mean 0 and spread 1 (cells, nodes), and which are finite and vary."""
    table = np.empty((len(cells), len(NODES)), np.float32)
    fine = np.zeros(len(cells), bool)
    for start in range(0, len(cells), 4096):
        part = cells[start : start + 4096]
        u = part[:, :1] * NODES + part[:, 1:2]
        y = f.program.value(u, part[:, 2:3] if f.has_exponent else 1.0)
        with np.errstate(all="ignore"):
            y = y / np.abs(y).max(1, keepdims=True)
            y = y - y.mean(1, keepdims=True)
            spread = y.std(1, keepdims=True)
            ok = np.isfinite(y).all(1) & (spread[:, 0] > 1e-11)
            table[start : start + len(part)] = np.where(ok[:, None], y / spread, 0.0)
        fine[start : start + len(part)] = ok
    return table, fine


def _repeats(cells: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Mark cells that show just what the next one towards 0 of equal alpha shows: exponential tails."""
    marked = np.zeros(len(cells), bool)
    same = (cells[1:, 0] == cells[:-1, 0]) & (cells[1:, 2] == cells[:-1, 2])
    alike = same & (np.abs(table[1:] - table[:-1]).max(1) < 3e-5)
    outward = np.abs(cells[1:, 1]) > np.abs(cells[:-1, 1])
    marked[1:] |= alike & outward
    marked[:-1] |= alike & ~outward
    return marked


def _graded(count: int = 36, smallest: float = 1e-7, largest: float = 1e3) -> np.ndarray:
    return np.geomspace(smallest, largest, count)


def _roots(f: Function) -> tuple[np.ndarray, np.ndarray]:
    """Windows of functions of one shape: u = s·(t - r), r outside the window on both sides or inside."""
    signs = (1.0,) if f.reflection is not None else (1.0, -1.0)
    away = _graded(48)
    outside = np.concatenate([-1 - away[::-1], 1 + away])
    near = 2.0 / UNIFORM * 0.5 ** np.arange(8.0, 0.0, -1.0)
    inside = np.concatenate(
        [[-1.0], -1 + near, np.linspace(-1, 1, 2 * UNIFORM + 1)[2:-2], 1 - near[::-1], [1.0]]
    )
    roots = np.concatenate([outside[: len(away)], inside, outside[len(away) :]])
    cells = np.array([[s, -s * r, 1.0] for s in signs for r in roots])
    spots = np.array([[float(i), 100.0 * s] for s in signs for i in range(len(roots))])
    return cells, spots


def _between(f: Function, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Windows inside a bounded domain, by the places of their two ends, graded towards the borders."""
    graded = np.concatenate([[0.0], np.geomspace(1e-6, 0.12, 12)])
    places = np.concatenate([graded, np.linspace(0.12, 0.88, 12)[1:-1], 1 - graded[::-1]])
    ends = low + (high - low) * places
    pairs = [
        (i, j)
        for i in range(len(ends))
        for j in range(len(ends))
        if i < j or (i > j and f.reflection is None)
    ]
    i, j = np.array(pairs).T
    cells = np.column_stack([(ends[j] - ends[i]) / 2, (ends[j] + ends[i]) / 2, np.ones(len(i))])
    return cells, np.column_stack([i, j]).astype(float)


def _beyond(f: Function, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Windows in a half-bounded domain, by distance from the border and by width, in both directions."""
    side, border = (1.0, low) if math.isfinite(low) else (-1.0, high)
    gaps = np.concatenate([[0.0], _graded(34, 1e-7, 3e3)])
    widths = _graded(30, 1e-3, 3e3)
    if oscillates(f):
        gaps = np.concatenate([gaps[gaps < 0.3], np.arange(0.3, 3, 0.3), np.arange(3, 40, 0.7)])
        widths = np.concatenate([widths[widths < 0.5], np.arange(0.5, 4, 0.35), np.arange(4.3, 80, 1.2)])
    rows, spots = [], []
    for i, gap in enumerate(gaps):
        for j, width in enumerate(widths):
            for s in (1.0, -1.0):
                rows.append((s * width / 2, border + side * (gap + width / 2), 1.0))
                spots.append((float(i), float(j), 100.0 * s))
    return np.array(rows), np.array(spots)


@lru_cache(maxsize=512)
def oscillates(function: Function) -> bool:
    """Tell whether f keeps turning: more than six extrema within ±40, and no period to say so."""
    u = np.linspace(-40, 40, 4001) + 1e-3
    y = function.program.value(u, 1.5)
    y = y[np.isfinite(y)]
    step = np.diff(y)
    step = step[np.abs(step) > 1e-9 * np.ptp(y)] if len(step) else step
    return bool(np.count_nonzero(np.diff(np.sign(step))) > 6)


def _plane(f: Function) -> tuple[np.ndarray, np.ndarray]:
    """Windows anywhere on the line: half-widths alpha, centres beta about the features near 0."""
    signs = (1.0,) if f.reflection is not None else (1.0, -1.0)
    rows: list[tuple[float, ...]] = []
    spots: list[tuple[float, ...]] = []
    turning = oscillates(f)
    if f.period is not None and f.poles:
        inner = [z for z in f.poles if z < 0][-1], next(z for z in f.poles if z >= 0)
        branch, places = _between(f, *inner)
        rows, spots = [tuple(row) for row in branch], [(*place, 1000.0) for place in places]
    halves = np.geomspace(0.05, 300.0, 30)
    if turning:
        halves = np.concatenate([np.geomspace(0.05, 1.9, 14), np.arange(2.2, 42.0, 0.7)])
    if f.period is not None:
        halves = np.concatenate(
            [np.geomspace(0.02, 1.0, 14), np.arange(1.15, 12.0, 0.15) * f.period / math.pi]
        )
    far = np.geomspace(1.0, 300.0, 14)
    bends = _bends(f)
    for k, half in enumerate(halves):
        step = 0.45 if turning else max(0.45, half / 40)
        reach = half + (14.0 if turning else 6.0)
        centres = np.arange(0.0, reach, step)
        centres = np.concatenate([-centres[:0:-1], centres])
        if f.period is not None:
            centres = np.arange(-0.5, 0.5, 1 / 24) * f.period
        elif not turning:
            centres = np.concatenate([-reach - far[::-1], centres, reach + far])
        if half < 0.7:  # a short window shows how far off a bend it is, in its own width
            about = half * np.array([-4.0, -2.0, -1.2, -0.6, 0.0, 0.6, 1.2, 2.0, 4.0])
            centres = np.unique(np.concatenate([centres, *(z + about for z in bends[:5])]))
        for s in signs:
            for i, centre in enumerate(centres):
                rows.append((s * half, centre, 1.0))
                spots.append((float(k), i - len(centres) / 2, 100.0 * s))
    return np.array(rows), np.array(spots)


def _marks(f: Function) -> np.ndarray:
    """Return the points of f's axis that a window is best placed from: borders, poles, bends, or 0."""
    borders = [z for piece in f.domain for z in (piece.low, piece.high) if math.isfinite(z)]
    found = [*borders, *f.poles, *(() if "a" in f.redundant or "b" in f.redundant else _bends(f))]
    if f.period is not None:
        found = [z for z in found if abs(z) <= 0.5001 * f.period]
    return np.array(sorted(found) or [0.0])


def _barriers(f: Function) -> np.ndarray:
    """Return the borders and poles of f; of a periodic f those of three periods around 0."""
    borders = {z for piece in f.domain for z in (piece.low, piece.high) if math.isfinite(z)}
    poles = {z for z in f.poles if f.period is None or abs(z) <= 1.5001 * f.period}
    return np.array(sorted(borders | poles))


def _bends(f: Function) -> list[float]:
    """Return where the slope or the curvature of f changes sign, near 0."""
    u = np.linspace(-5, 5, 2001) + 1e-4
    slope = f.program.dual(u, 1.5)[1]
    found: list[float] = []
    for y in (slope, np.gradient(slope, u)):
        found += list(u[:-1][np.sign(y[:-1]) * np.sign(y[1:]) < 0])
    found.sort(key=abs)
    kept: list[float] = []
    for z in found:
        if all(abs(z - other) > 0.05 for other in kept):
            kept.append(float(z))
    return kept[:9]

"""Figures of a run: the front, predicted against measured, residuals, slices, the network.

Every function returns a matplotlib Figure made with the object interface: no global state, nothing shown.
`network_svg` draws the same network as text for the page. matplotlib is imported when a figure is asked for.
"""

from __future__ import annotations

import functools
import html
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from kansym.base.errors import InputError
from kansym.functions.evaluate import activations, curve_values
from kansym.functions.graph import Edge, Graph, Symbolic
from kansym.pipeline.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kansym.data.dataset import Dataset

Arguments = ParamSpec("Arguments")

INK, ACCENT, SOFT, GRID = "#1f2933", "#0b6e99", "#c0392b", "#d5dbe1"
_STYLE: Any = {
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "text.parse_math": False,  # a column may be called "$cost"
    "legend.frameon": False,
}


def _styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw in the one style of this room, and put matplotlib's settings back afterwards."""

    @functools.wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        import matplotlib

        with matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return styled


def every(run: Run, dataset: Dataset) -> dict[str, Figure]:
    """Return all figures of a run by name: front, predicted, residuals, slices and, if any, network."""
    figures = {
        "front": front(run),
        "predicted": predicted(run, dataset),
        "residuals": residuals(run, dataset),
        "slices": slices(run, dataset),
    }
    graph = run.graph
    if graph is not None:
        figures["network"] = network(graph, dataset.select(graph.inputs).X, str(run.data["target"]))
    return figures


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure; the suffix (png, svg, pdf) is the format. Raises InputError where it cannot."""
    path = Path(path)
    try:
        figure.savefig(path, dpi=150, bbox_inches="tight")
    except OSError as problem:
        raise InputError(f"Cannot write {path}: {problem.strerror}; choose another folder.") from None
    return path


@_styled
def front(run: Run) -> Figure:
    """Draw held-out error against complexity, the chosen law marked and named."""
    figure, axes = _figure(6.4, 4.0)
    ax = axes[0]
    x = [law.complexity for law in run.front]
    y = [math.sqrt(max(law.heldout_loss, 0.0)) for law in run.front]
    positive = [v for v in y if v > 0 and math.isfinite(v)]
    if positive and max(positive) > 10 * min(positive):
        ax.set_yscale("log")
    ax.plot(x, y, "o-", color=ACCENT)
    ax.plot(x[run.chosen], y[run.chosen], "o", ms=11, mfc="none", mec=SOFT, mew=2)
    ax.annotate(
        _short(run.best.equation),
        (x[run.chosen], y[run.chosen]),
        (8, 10),
        textcoords="offset points",
        color=SOFT,
    )
    ax.set_xlabel("complexity")
    ax.set_ylabel("error on held-out rows")
    return figure


@_styled
def predicted(run: Run, dataset: Dataset, index: int | None = None) -> Figure:
    """Draw predicted against measured values of one law (the chosen one by default)."""
    data = dataset.select(run.names)
    values = run.predict(data.X, index)
    figure, axes = _figure(4.6, 4.4)
    ax = axes[0]
    both = np.concatenate([data.y, values[np.isfinite(values)]])
    low, high = float(both.min()), float(both.max())
    ax.plot([low, high], [low, high], color=INK, lw=0.8)
    ax.plot(data.y, values, "o", ms=_size(data.rows), alpha=0.6, color=ACCENT, mew=0)
    ax.set_xlabel(f"{data.target}, measured")
    ax.set_ylabel(f"{data.target}, predicted")
    return figure


@_styled
def residuals(run: Run, dataset: Dataset, index: int | None = None) -> Figure:
    """Draw measured minus predicted against every input, in standard errors where these are known."""
    data = dataset.select(run.names)
    rest = data.y - run.predict(data.X, index)
    errors = data.weights is not None and data.absolute
    if data.weights is not None and data.absolute:
        rest = rest * np.sqrt(data.weights)
    first = occurring(run)
    shown = [*first, *(n for n in run.names if n not in first)]
    figure, axes = _figure(3.4, 3.0, len(shown))
    for ax, name in zip(axes, shown, strict=False):
        if errors:
            ax.axhspan(-2, 2, color=GRID, alpha=0.5, lw=0)
        ax.axhline(0, color=INK, lw=0.8)
        ax.plot(data.column(name), rest, "o", ms=_size(data.rows), alpha=0.6, color=ACCENT, mew=0)
        ax.set_xlabel(name)
    axes[0].set_ylabel("residual, in standard errors" if errors else f"{data.target}: measured − predicted")
    return figure


@_styled
def slices(run: Run, dataset: Dataset, index: int | None = None) -> Figure:
    """Draw the law along each input of the front, the others at their medians; the data's range is shaded."""
    data = dataset.select(run.names)
    middle = np.median(data.X, axis=0)
    shown = occurring(run)
    figure, axes = _figure(3.4, 3.0, len(shown))
    for ax, name in zip(axes, shown, strict=False):
        i = data.names.index(name)
        low, high = float(data.X[:, i].min()), float(data.X[:, i].max())
        X = np.tile(middle, (240, 1))
        X[:, i] = np.linspace(*span(low, high), 240)
        values = run.predict(X, index)
        inside = (X[:, i] >= low) & (X[:, i] <= high)
        ax.axvspan(low, high, color=GRID, alpha=0.5, lw=0)
        ax.plot(X[:, i], values, "--", color=SOFT, lw=1.2)
        ax.plot(X[inside, i], values[inside], color=ACCENT)
        if len(data.names) == 1:
            ax.plot(data.X[:, 0], data.y, "o", ms=_size(data.rows), color=INK, alpha=0.6, mew=0)
        spread = np.ptp(data.y)
        ax.set_ylim(*_view(values, float(data.y.min() - spread), float(data.y.max() + spread)))
        ax.set_xlabel(name)
    axes[0].set_ylabel(f"{data.target}")
    return figure


def occurring(run: Run) -> list[str]:
    """Return the inputs that occur in some law of the front, those of the chosen law first."""
    chosen, every = (
        {name for law in laws for name in (run.names if law.expression is None else _symbols(law.expression))}
        for laws in ([run.best], run.front)
    )
    return sorted((n for n in run.names if n in every), key=lambda n: n not in chosen) or list(run.names)


def _symbols(expression: Any) -> set[str]:
    return {s.name for s in expression.free_symbols}


@_styled
def network(graph: Graph, X: np.ndarray | None = None, target: str = "") -> Figure:
    """Draw the network with a curve on every edge, named where it is symbolic, `target` on its output.

    With rows X (n, inputs) the opacity of an edge is tanh(3A), A its spread as a share of the largest
    spread that enters the same node; without, all edges are solid and curves run over [-1, 1].
    """
    plan = layout(graph)
    width = max(3.2, 1.35 * plan.width)
    figure, axes = _figure(width, 1.25 * plan.height)
    ax = axes[0]
    ax.set_axis_off()
    for drawn in _drawn(graph, X, plan):
        (x0, y0), (x1, y1), (cx, cy) = drawn.start, drawn.end, drawn.centre
        ax.plot(
            [x0, cx, cx, x1], [y0, cy - 0.2, cy + 0.2, y1], color=INK, alpha=drawn.opacity, lw=1.2, zorder=1
        )
        box = ax.inset_axes((cx - 0.3, cy - 0.2, 0.6, 0.4), transform=ax.transData, zorder=2)
        box.set_xticks([])
        box.set_yticks([])
        box.grid(False)
        for spine in box.spines.values():
            spine.set_visible(True)
            spine.set_alpha(max(drawn.opacity, 0.15))
        colour = SOFT if drawn.label else ACCENT
        box.plot(drawn.x, drawn.y, color=colour, alpha=drawn.opacity)
        if drawn.label:
            ax.text(cx + 0.33, cy, drawn.label, fontsize=8, va="center", color=SOFT, zorder=3)
    for node, (x, y) in plan.nodes.items():
        ax.text(
            x,
            y,
            _node_text(graph, node),
            ha="center",
            va="center",
            zorder=4,
            bbox={
                "boxstyle": "circle,pad=0.25" if graph.kind(node) != "input" else "round,pad=0.25",
                "fc": "white",
                "ec": INK,
                "lw": 0.9,
            },
        )
    if target and graph.outputs[0] in plan.nodes:
        x, y = plan.nodes[graph.outputs[0]]
        ax.text(x, y + 0.22, _short(target, 24), ha="center", va="bottom", zorder=4)
    ax.set_xlim(-0.7, plan.width)
    ax.set_ylim(-0.5, plan.height - 0.5)
    return figure


def span(low: float, high: float, beyond: float = 0.35) -> tuple[float, float]:
    """Return the range of a slice: past the data on both sides, but not through zero where it is a border.

    >>> span(1.0, 2.0), span(0.1, 2.1)
    ((0.65, 2.35), (0.0, 2.8))
    """
    wide = beyond * (high - low)
    left, right = low - wide, high + wide
    return (0.0 if left < 0 <= low else left), (0.0 if right > 0 >= high else right)


class Plan:
    """Hold places: nodes in rows by depth, one place between rows for every edge's curve."""

    def __init__(self, nodes: dict[str, tuple[float, float]], edges: dict[Any, tuple[float, float]]) -> None:
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
    place: dict[str, tuple[float, float]] = {}
    curves: dict[Any, tuple[float, float]] = {}
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


def network_svg(graph: Graph, X: np.ndarray | None = None, target: str = "") -> str:
    """Return the network as one SVG element with a title, every name escaped, `target` on its output."""
    plan = layout(graph)
    scale, pad = 116.0, 40.0
    halves = {n: _half(graph, n) for n in plan.nodes}
    side = max(scale / 2, *halves.values()) + 6
    width, height = (plan.width - 1) * scale + 2 * side, (plan.height - 1) * scale * 0.62 + 2 * pad

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return side + point[0] * scale, height - pad - point[1] * scale * 0.62

    wires, parts = [], []
    for drawn in _drawn(graph, X, plan):
        (x0, y0), (x1, y1), (cx, cy) = at(drawn.start), at(drawn.end), at(drawn.centre)
        shade = max(drawn.opacity, 0.25)
        wires.append(
            f'<path class="wire" opacity="{shade:.3f}" d="M{x0:.1f} {y0:.1f}L{cx:.1f} {cy + 18:.1f}'
            f'M{cx:.1f} {cy - 18:.1f}L{x1:.1f} {y1:.1f}"/>'
        )
        parts.append(f'<rect class="box" x="{cx - 26:.1f}" y="{cy - 18:.1f}" width="52" height="36" rx="3"/>')
        kind = "symbolic" if drawn.label else "spline"
        parts.append(f'<path class="{kind}" opacity="{shade:.3f}" d="{_path(drawn.x, drawn.y, cx, cy)}"/>')
        if drawn.label:
            parts.append(
                f'<text class="label" x="{cx + 30:.1f}" y="{cy + 4:.1f}">'
                f"{html.escape(_short(drawn.label, 9))}<title>{html.escape(drawn.label)}</title></text>"
            )
    for node, place in plan.nodes.items():
        x, y = at(place)
        text = _node_text(graph, node)
        half = halves[node]
        parts.append(
            f'<rect class="node" x="{x - half:.1f}" y="{y - 12:.1f}" '
            f'width="{2 * half:.1f}" height="24" rx="12"/>'
            f'<text class="name" x="{x:.1f}" y="{y + 4.5:.1f}">{html.escape(text)}</text>'
        )
    if target and graph.outputs[0] in plan.nodes:
        x, y = at(plan.nodes[graph.outputs[0]])
        parts.append(
            f'<text class="name target" x="{x:.1f}" y="{y - 19:.1f}">{html.escape(_short(target, 24))}</text>'
        )
    title = f"Network from {', '.join(graph.inputs)} to {target or 'the output'}, a curve on each edge"
    return (
        f'<svg class="network" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="max-width:{width:.0f}px"><title>{html.escape(title)}</title>'
        f"{''.join([*wires, *parts])}</svg>"
    )


class _Drawn:
    """Hold what one edge looks like: places, curve, label and opacity."""

    def __init__(self, edge: Edge, plan: Plan, x: np.ndarray, y: np.ndarray, opacity: float) -> None:
        self.start, self.end, self.centre = (
            plan.nodes[edge.source],
            plan.nodes[edge.target],
            plan.edges[edge.id],
        )
        self.x, self.y, self.opacity = x, y, opacity
        self.label = edge.curve.function.name if isinstance(edge.curve, Symbolic) else ""


def _drawn(graph: Graph, X: np.ndarray | None, plan: Plan) -> list[_Drawn]:
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
        result.append(_Drawn(edge, plan, x, curve_values(edge.curve, x), opacity))
    return result


def _deviation(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.std()) if len(finite) else 0.0


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


def _spread(count: int, widest: int) -> list[float]:
    return [(i + 0.5) * widest / count - 0.5 for i in range(count)] if count else []


def _node_text(graph: Graph, node: str) -> str:
    kind = graph.kind(node)
    if kind == "input":
        return _short(node, 24)
    return {"sum": "+", "product": "×"}[kind]


def _half(graph: Graph, node: str) -> float:
    """Return half the width of a node's outline in the SVG."""
    return max(12.0, 8 + 4.2 * len(_node_text(graph, node)))


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _size(rows: int) -> float:
    return 5.0 if rows < 60 else 3.0 if rows < 1000 else 1.5


def _view(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Return limits that show the curve within [low, high], so that a pole does not flatten the rest."""
    fine = values[np.isfinite(values)]
    if len(fine) == 0:
        return low, high
    bottom, top = max(float(fine.min()), low), min(float(fine.max()), high)
    pad = 0.05 * (top - bottom) or 0.5
    return bottom - pad, top + pad


def _figure(width: float, height: float, panels: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with at most twelve panels, three in a row."""
    from matplotlib.figure import Figure

    panels = min(panels, 12)
    columns = min(panels, 3)
    rows = math.ceil(panels / columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(panels)]

"""Figures of a run: the front, predicted against measured, residuals, slices, the network.

Every function returns a matplotlib Figure made with the object interface: no global state, nothing shown.
`svg` draws the same network as text for the page. matplotlib is imported when a figure is asked for.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from kansym.base.errors import InputError
from kansym.functions.graph import Graph
from kansym.pipeline.run import Run
from kansym.report.layout import drawn, layout, node_text, short
from kansym.report.slices import along, span

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
        short(run.best.equation),
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
    """Draw the law along each input of the front, the others at their medians, and its prediction band of
    95 %.

    The data's range is shaded; with one input the rows are drawn, those left out as rings.
    """
    data = dataset.select(run.names)
    law = run.front[run.chosen if index is None else index]
    shown = occurring(run)
    figure, axes = _figure(3.4, 3.0, len(shown))
    for ax, name in zip(axes, shown, strict=False):
        low, high = float(data.column(name).min()), float(data.column(name).max())
        cut = along(law, data, name, np.linspace(*span(low, high), 240))
        x, values = cut.x, cut.y
        inside = (x >= low) & (x <= high)
        ax.axvspan(low, high, color=GRID, alpha=0.5, lw=0)
        if np.all(np.isfinite(cut.low)):
            ax.fill_between(x, cut.low, cut.high, color=ACCENT, alpha=0.15, lw=0)
        ax.plot(x, values, "--", color=SOFT, lw=1.2)
        ax.plot(x[inside], values[inside], color=ACCENT)
        if len(data.names) == 1:
            ax.plot(data.X[:, 0], data.y, "o", ms=_size(data.rows), color=INK, alpha=0.6, mew=0)
            off = [(o.inputs[0], o.value) for o in run.outliers]
            ax.plot(*zip(*off, strict=True) if off else ([], []), "o", ms=9, mfc="none", mec=SOFT)
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
    for edge in drawn(graph, X, plan):
        (x0, y0), (x1, y1), (cx, cy) = edge.start, edge.end, edge.centre
        ax.plot(
            [x0, cx, cx, x1], [y0, cy - 0.2, cy + 0.2, y1], color=INK, alpha=edge.opacity, lw=1.2, zorder=1
        )
        box = ax.inset_axes((cx - 0.3, cy - 0.2, 0.6, 0.4), transform=ax.transData, zorder=2)
        box.set_xticks([])
        box.set_yticks([])
        box.grid(False)
        for spine in box.spines.values():
            spine.set_visible(True)
            spine.set_alpha(max(edge.opacity, 0.15))
        colour = SOFT if edge.label else ACCENT
        box.plot(edge.x, edge.y, color=colour, alpha=edge.opacity)
        if edge.label:
            ax.text(cx + 0.33, cy, edge.label, fontsize=8, va="center", color=SOFT, zorder=3)
    for node, (x, y) in plan.nodes.items():
        ax.text(
            x,
            y,
            node_text(graph, node),
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
        ax.text(x, y + 0.22, short(target, 24), ha="center", va="bottom", zorder=4)
    ax.set_xlim(-0.7, plan.width)
    ax.set_ylim(-0.5, plan.height - 0.5)
    return figure


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

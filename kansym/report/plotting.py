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
from kansym.formula.expression import latex
from kansym.functions.graph import Graph
from kansym.pipeline.run import Run
from kansym.report.labels import label
from kansym.report.layout import FAINT, LABEL, drawn, layout, node_text, short
from kansym.report.levels import exact_level
from kansym.report.slices import BEYOND, along, beside, path, positions, wants_log, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from kansym.data.dataset import Dataset

Arguments = ParamSpec("Arguments")

TYPESET = 40
"""Letters of a formula that still finds room beside a point when it is typeset."""

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
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(6.4, 4.0)
    ax = axes[0]
    x = [law.complexity for law in run.front]
    y = [0.0 if law.exact else math.sqrt(max(law.heldout_loss, 0.0)) for law in run.front]
    level = exact_level(y)
    if level is not None:
        ax.set_yscale("log")
        if 0.0 in y:
            _exact_at(ax, level, max(v for v in [*y, level] if math.isfinite(v)))
        y = [v or level for v in y]
    ax.plot(x, y, "o-", color=ACCENT)
    ax.plot(x[run.chosen], y[run.chosen], "o", ms=11, mfc="none", mec=SOFT, mew=2)
    # on the side where there is more room for it
    left = x[run.chosen] > (min(x) + max(x)) / 2
    said = ax.annotate("", (x[run.chosen], y[run.chosen]), (-8 if left else 8, 10), color=SOFT,
                       textcoords="offset points", ha="right" if left else "left")  # fmt: skip
    _typeset(said, "" if run.best.expression is None else run.best.latex, run.best.equation)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
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
    if wants_log(both):
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.plot([low, high], [low, high], color=INK, lw=0.8)
    ax.plot(data.y, values, "o", ms=_size(data.rows), alpha=0.6, color=ACCENT, mew=0)
    _called(ax.xaxis, run, data.target, ", measured")
    _called(ax.yaxis, run, data.target, ", predicted")
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
        if wants_log(data.column(name)):
            ax.set_xscale("log")
        ax.plot(data.column(name), rest, "o", ms=_size(data.rows), alpha=0.6, color=ACCENT, mew=0)
        _counted(ax, data.column(name))
        _called(ax.xaxis, run, name)
    if errors:
        axes[0].set_ylabel("residual, in standard errors")
    else:
        _called(axes[0].yaxis, run, data.target, ": measured − predicted")
    return figure


@_styled
def slices(run: Run, dataset: Dataset, index: int | None = None) -> Figure:
    """Draw the law along each input of the front, the others at their medians, and its prediction band of
    95 %.

    The data's range is shaded; rows are drawn as if their other inputs were at the medians (`slices.beside`),
    those left out as rings where there is one input.
    """
    data = dataset.select(run.names)
    law = run.front[run.chosen if index is None else index]
    shown = occurring(run)
    figure, axes = _figure(3.4, 3.0, len(shown))
    values = law.predict(data.X, data.names)
    for ax, name in zip(axes, shown, strict=False):
        column = data.column(name)
        low, high = float(column.min()), float(column.max())
        rows = beside(data, values, law.predict(path(data, name, column), data.names))
        cut = along(law, data, name, positions(column, 240))
        inside = (cut.x >= low) & (cut.x <= high)
        spread = np.ptp(rows)
        bottom, top = _view(cut.y, float(rows.min() - spread), float(rows.max() + spread))
        if wants_log(column):
            ax.set_xscale("log")
        if wants_log(data.y, rows):
            ax.set_yscale("log")
            bottom = max(bottom, float(rows.min()) / BEYOND)
        ax.axvspan(low, high, color=GRID, alpha=0.5, lw=0)
        if np.all(np.isfinite(cut.low)):
            ax.fill_between(cut.x, cut.low, cut.high, color=ACCENT, alpha=0.15, lw=0)
        ax.plot(cut.x, cut.y, "--", color=SOFT, lw=1.2)
        ax.plot(cut.x[inside], cut.y[inside], color=ACCENT)
        ax.plot(column, rows, "o", ms=_size(data.rows), color=INK, alpha=0.5, mew=0)
        if len(data.names) == 1:
            off = [(o.inputs[0], o.value) for o in run.outliers]
            ax.plot(*zip(*off, strict=True) if off else ([], []), "o", ms=9, mfc="none", mec=SOFT)
        ax.set_ylim(bottom, top)
        _counted(ax, column)
        _called(ax.xaxis, run, name)
    _called(axes[0].yaxis, run, data.target)
    return figure


def occurring(run: Run) -> list[str]:
    """Return the inputs that occur in some law of the front, those of the chosen law first."""
    chosen, every = (
        {name for law in laws for name in (run.names if law.expression is None else _symbols(law.expression))}
        for laws in ([run.best], run.front)
    )
    return sorted((n for n in run.names if n in every), key=lambda n: n not in chosen) or list(run.names)


def _symbols(expression: Any) -> set[str]:
    """Return the names in a formula."""
    return {s.name for s in expression.free_symbols}


@_styled
def network(graph: Graph, X: np.ndarray | None = None, target: str = "") -> Figure:
    """Draw the network with a curve on every edge, named where it is symbolic, `target` on its output.

    With rows X (n, inputs) the opacity of an edge is that of `layout.drawn`, and FAINT at least; without, all
    edges are solid and curves run over [-1, 1].
    """
    plan = layout(graph)
    width = max(3.2, 1.35 * plan.width)
    figure, axes = _figure(width, 1.25 * plan.height)
    ax = axes[0]
    ax.set_axis_off()
    for edge in drawn(graph, X, plan):
        (x1, y1), (cx, cy) = edge.end, edge.centre
        shade = max(edge.opacity, FAINT)
        come = [edge.start, *edge.bends, (cx, cy - 0.2)]
        for way in (come, [(cx, cy + 0.2), (x1, y1)]):
            ax.plot(*zip(*way, strict=True), color=INK, alpha=shade, lw=1.2, zorder=1)
        box = ax.inset_axes((cx - 0.3, cy - 0.2, 0.6, 0.4), transform=ax.transData, zorder=2)
        box.set_xticks([])
        box.set_yticks([])
        box.grid(False)
        for spine in box.spines.values():
            spine.set_visible(True)
            spine.set_alpha(shade)
        box.plot(edge.x, edge.y, color=SOFT if edge.label else ACCENT, alpha=shade)
        if edge.label:
            word = short(edge.label, LABEL)
            ax.text(cx + 0.33, cy, word, fontsize=7, va="center", color=SOFT, zorder=3)
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
        ax.text(x, y + 0.22, short(label(target).plain, 24), ha="center", va="bottom", zorder=4)
    ax.set_xlim(-0.7, plan.width)
    ax.set_ylim(-0.5, plan.height - 0.5)
    return figure


def _exact_at(ax: Axes, level: float, most: float) -> None:
    """Mark the decades from the level of the exact laws up to the largest error, the level by its name."""
    first, last = round(math.log10(level)), math.ceil(math.log10(most))
    decades = range(first, last + 1, max(1, math.ceil((last - first) / 6)))
    ax.set_yticks([10.0**k for k in decades], ["0 (exact)", *(f"$10^{{{k}}}$" for k in decades[1:])])
    for mark in ax.get_yticklabels():
        mark.set_parse_math(True)
    ax.minorticks_off()
    ax.axhline(level, color=GRID, lw=1.2)
    ax.set_ylim(level / 3, 10.0**last)


def _counted(ax: Axes, column: np.ndarray) -> None:
    """Mark whole numbers alone where a column has no others."""
    from matplotlib.ticker import MaxNLocator

    if whole(column) and ax.get_xscale() == "linear":
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _called(axis: Axis, run: Run, name: str, what: str = "") -> None:
    """Write a column's name on an axis as mathematics, with what is drawn of it and its unit."""
    import sympy

    unit = str(run.data.get("units", {}).get(name, "1"))
    behind = label(name, unit, what).behind
    sign = latex(sympy.Symbol(name, real=True))  # a word stays as it is: x1 is mathematics, volume is not
    _typeset(axis.label, "" if sign.startswith(r"\mathrm") else sign, name, behind)


def _typeset(said: Text, formula: str, plain: str, behind: str = "") -> None:
    """Write a formula as mathematics where matplotlib can and it is short, as plain text else.

    Text `behind` it stays as it is, whatever it holds.
    """
    from matplotlib.mathtext import MathTextParser

    said.set_text(short(plain) + behind)
    if not formula or len(plain) > TYPESET:
        return
    marked = f"${formula}$" + behind.replace("$", r"\$")
    try:
        MathTextParser("path").parse(marked)
    except (ValueError, RuntimeError):  # a command that it does not know, a letter that its font lacks
        return
    said.set_parse_math(True)
    said.set_text(marked)


def _size(rows: int) -> float:
    """Return how large a dot is among so many."""
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

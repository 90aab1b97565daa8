"""Every plotting function returns a Figure, for any names, and leaves matplotlib as it was."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from examples import example
from matplotlib.figure import Figure

from kansym.base.errors import InputError
from kansym.data.dataset import from_arrays
from kansym.formula.expression import to_graph
from kansym.functions.graph import Edge, Graph, Spline
from kansym.functions.parsing import parse_expression
from kansym.report import layout, plotting
from kansym.report.slices import path
from kansym.report.svg import network_svg


def spline_graph():
    knots = np.r_[[0.0] * 3, np.linspace(0, 1, 6), [1.0] * 3]
    rng = np.random.default_rng(0)
    edges = [
        Edge(a, b, 0, Spline(knots, rng.normal(size=8), 3))
        for a, b in [("u", "h0"), ("v", "h0"), ("u", "h1"), ("v", "h1"), ("h0", "out"), ("h1", "out")]
    ]
    return Graph.build(["u", "v", "unused"], ["out"], {"h0": "sum", "h1": "product", "out": "sum"}, edges)


@pytest.mark.parametrize("names", [("x 1", "Δt"), ("$a^", "<b>&"), ("_", "E")])
def test_figures(names, tmp_path):
    run, data = example(names)
    before = dict(matplotlib.rcParams)
    figures = plotting.every(run, data)
    assert set(figures) == {"front", "predicted", "residuals", "slices", "network"}
    for name, figure in figures.items():
        assert isinstance(figure, Figure)
        assert plotting.save(figure, tmp_path / f"{name}.png").stat().st_size > 2000
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in __import__("sys").modules or matplotlib._pylab_helpers.Gcf.figs == {}


def test_saving_where_one_cannot(tmp_path):
    run, _ = example()
    with pytest.raises(InputError, match="Cannot write"):
        plotting.save(plotting.front(run), tmp_path / "nowhere" / "front.png")


def test_one_panel_per_input():
    run, data = example()
    assert [ax.get_xlabel() for ax in plotting.residuals(run, data).axes] == ["x 1 [m/s]", "Δt"]
    assert [ax.get_xlabel() for ax in plotting.slices(run, data).axes] == ["x 1 [m/s]", "Δt"]


def test_inputs_that_occur_come_first():
    run, data = example()
    swapped = replace(run, front=run.front[:2], chosen=1)
    assert plotting.occurring(swapped) == ["x 1"]
    assert [ax.get_xlabel() for ax in plotting.slices(swapped, data).axes] == ["x 1 [m/s]"]
    assert [ax.get_xlabel() for ax in plotting.residuals(swapped, data).axes] == ["x 1 [m/s]", "Δt"]
    constant = replace(run, front=run.front[:1], chosen=0)
    assert plotting.occurring(constant) == ["x 1", "Δt"]


def test_layout_puts_sources_below():
    graph = spline_graph()
    plan = layout.layout(graph)
    assert "unused" not in plan.nodes
    for edge in graph.edges():
        assert plan.nodes[edge.source][1] < plan.edges[edge.id][1] < plan.nodes[edge.target][1]
    assert len(set(plan.edges.values())) == len(plan.edges), "no two curves on one place"


def test_opacity_is_tanh_of_three_times_the_share():
    graph = spline_graph()
    X = np.random.default_rng(1).uniform(0, 1, (50, 3))
    X[:, 1] = 0.5  # v does not vary, so its edges carry nothing
    drawn = layout.drawn(graph, X, layout.layout(graph))
    opacity = {e.id: d.opacity for e, d in zip(graph.edges(), drawn, strict=True)}
    assert opacity["u", "h0", 0] == pytest.approx(np.tanh(3))
    assert opacity["v", "h0", 0] == pytest.approx(0, abs=1e-12)


def _formula(text, names, rows=200):
    """Return a formula's graph, and rows on which it is drawn."""
    X = np.random.default_rng(0).uniform(0.5, 3, (rows, len(names)))
    return to_graph(parse_expression(text, names), names), X


def test_no_factor_is_hidden_however_small():
    graph, X = _formula("x**3/(exp(3*x) - 1)", ["x"])
    drawn = layout.drawn(graph, X, layout.layout(graph))
    factors = {d.label: d.opacity for d in drawn}
    assert set(factors) == {"x³", "1/x", "exp"} and min(factors.values()) > 0.9
    figure = plotting.network(graph, X)
    assert all(line.get_alpha() >= layout.FAINT for line in figure.axes[0].lines)


def test_a_long_edge_runs_behind_nothing():
    graph, X = _formula("x**3/(exp(x) - 1)", ["x"])
    plan = layout.layout(graph)
    long = next(d for d in layout.drawn(graph, X, plan) if d.label == "x³")
    other = next(d for d in layout.drawn(graph, X, plan) if d.label == "exp")
    assert [y for _, y in long.bends] == [1.0, 2.0]
    assert abs(long.bends[0][0] - other.centre[0]) >= 1 and long.bends[1] not in plan.nodes.values()


def test_names_of_inputs_do_not_overlap():
    names = [f"longitudinal_translation_{k}" for k in range(6)]
    graph, _ = _formula(" + ".join(f"sin({n})" for n in names), names)
    plan = layout.layout(graph)
    places = [plan.nodes[n] for n in names]
    for (x0, y0), (x1, y1) in itertools.combinations(places, 2):
        assert y0 != y1 or abs(x0 - x1) >= 24 * layout.LETTER + layout.MARGIN
    short = layout.layout(_formula("sin(a) + sin(b)", ["a", "b"])[0])
    assert {short.nodes[n][1] for n in "ab"} == {0.0}


def test_ticks_of_the_front_are_whole_and_exact_laws_stand_on_their_level():
    run, _ = example()
    laws = (*run.front[:2], replace(run.front[2], exact=True, heldout_loss=1e-33))
    figure = plotting.front(replace(run, front=laws))
    figure.canvas.draw()
    ax = figure.axes[0]
    assert all(float(t).is_integer() for t in ax.get_xticks())
    assert next(t.get_text() for t in ax.get_yticklabels()) == "0 (exact)"
    least = min(ax.lines[0].get_ydata())
    assert least == min(ax.get_yticks()) and 1e-4 < least < 1e-1


def test_axes_have_units_and_follow_the_data():
    run, data = example()
    X = data.X.copy()
    X[:, 0] = np.geomspace(1e-2, 10, len(X))
    wide = from_arrays(X, data.y, names=data.names, target="y")
    for figure in (plotting.slices(run, wide), plotting.residuals(run, wide)):
        assert [ax.get_xscale() for ax in figure.axes] == ["log", "linear"]
    assert plotting.slices(run, data).axes[0].get_xlabel() == "x 1 [m/s]"
    named, data = example(("x_1", "mu"))
    assert [ax.get_xlabel() for ax in plotting.slices(named, data).axes] == ["$x_{1}$ [m/s]", "$\\mu$"]


def test_what_mathematics_cannot_set_stays_plain():
    from matplotlib.text import Text

    said = Text(parse_math=False)
    plotting._typeset(said, r"\nothing{x}", "x", " [$]")
    assert said.get_text() == "x [$]" and not said.get_parse_math()
    plotting._typeset(said, r"\frac{1}{x}", "1/x", " [$]")
    assert said.get_text() == r"$\frac{1}{x}$ [\$]" and said.get_parse_math()


def test_network_svg_names_and_escapes():
    run, data = example(("<b>", "Δt"))
    svg = network_svg(run.graph, data.X)
    assert svg.startswith("<svg") and svg.endswith("</svg>")
    assert "<b>" not in svg and "&lt;b&gt;" in svg
    assert 'class="symbolic"' in svg
    splines = network_svg(spline_graph())
    assert 'class="spline"' in splines and 'class="label"' not in splines
    assert isinstance(plotting.network(spline_graph()), Figure)


def test_a_pole_does_not_flatten_a_slice():
    low, high = plotting._view(np.array([1.0, 2.0, 1e9, np.inf, np.nan]), 0.0, 4.0)
    assert 0 <= low < 1 and 4 <= high < 4.5
    assert plotting._view(np.array([np.nan]), 0.0, 1.0) == (0.0, 1.0)


def test_matplotlib_waits_for_a_figure():
    code = "import sys, kansym.report.plotting, kansym.report.page; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr


def test_a_slice_stands_in_one_category_at_a_time():
    levels = np.eye(3)[[0, 1, 1, 2, 1, 0]]
    names = ["mass", "kind=a", "kind=b", "kind=c"]
    data = from_arrays(np.column_stack([np.arange(1.0, 7.0), levels]), np.arange(6.0), names)
    data = replace(data, categories={"kind": ("kind=a", "kind=b", "kind=c")})
    assert path(data, "mass", np.array([2.0])).tolist() == [[2.0, 0.0, 1.0, 0.0]]
    along = path(data, "kind=b", np.array([0.0, 1.0]))
    assert along.tolist() == [[3.5, 1.0, 0.0, 0.0], [3.5, 0.0, 1.0, 0.0]]
    part = path(data.select(["mass", "kind=a"]), "mass", np.array([2.0]))
    assert part.tolist() == [[2.0, 0.0]]  # most rows are in a level that has no column here

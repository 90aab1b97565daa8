"""Every plotting function returns a Figure, for any names, and leaves matplotlib as it was."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from examples import example
from matplotlib.figure import Figure

from kansym.base.errors import InputError
from kansym.functions.graph import Edge, Graph, Spline
from kansym.report import layout, plotting
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
    assert [ax.get_xlabel() for ax in plotting.residuals(run, data).axes] == ["x 1", "Δt"]
    assert [ax.get_xlabel() for ax in plotting.slices(run, data).axes] == ["x 1", "Δt"]


def test_inputs_that_occur_come_first():
    run, data = example()
    swapped = replace(run, front=run.front[:2], chosen=1)
    assert plotting.occurring(swapped) == ["x 1"]
    assert [ax.get_xlabel() for ax in plotting.slices(swapped, data).axes] == ["x 1"]
    assert [ax.get_xlabel() for ax in plotting.residuals(swapped, data).axes] == ["x 1", "Δt"]
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

"""The graph: validation, edits that return new graphs, exact JSON."""

import json

import numpy as np
import pytest

from kansym.base.errors import FormatError, InputError
from kansym.functions import library
from kansym.functions.evaluate import (
    activations,
    evaluate,
    jacobian,
    parameters,
    sensitivities,
    with_parameters,
)
from kansym.functions.graph import Edge, Graph, Spline, Symbolic


def curve(name="sin", **letters):
    return Symbolic(library.get(name), **letters)


def example():
    spline = Spline(np.arange(-3.0, 8.0), np.array([0.3, -1.0, 2.0, 0.5, 1.0, 0.1, -0.2]), 3, "x", 0.25)
    edges = [
        Edge("x", "h", 0, curve("sin", a=2.0, b=0.3, c=1.5, d=0.1)),
        Edge("y", "h", 0, spline),
        Edge("x", "m", 0, curve("x", c=2.0, d=0.5)),
        Edge("x", "m", 1, curve("cos", a=0.5)),
        Edge("y", "m", 0, curve("x")),
        Edge("h", "out", 0, curve("exp", a=0.2)),
        Edge("m", "out", 0, curve("x", c=0.3)),
    ]
    return Graph.build(["x", "y"], ["out"], {"h": "sum", "m": "product", "out": "sum"}, edges, {"h": 0.7})


X = np.random.default_rng(3).uniform(0.2, 2.8, (40, 2))


def test_values_are_sums_and_products_of_curves():
    graph = example()
    acts = activations(graph, X)
    h = 0.7 + acts["x", "h", 0][1] + acts["y", "h", 0][1]
    m = (2 * X[:, 0] + 0.5) * np.cos(0.5 * X[:, 0]) * X[:, 1]
    np.testing.assert_allclose(evaluate(graph, X)[:, 0], np.exp(0.2 * h) + 0.3 * m, rtol=1e-14)


def test_derivatives_are_finite_differences():
    graph = example()
    theta = parameters(graph)
    value, J = jacobian(graph, X)
    np.testing.assert_array_equal(value, evaluate(graph, X)[:, 0])
    for i in range(len(theta)):
        step = np.eye(len(theta))[i] * 1e-6
        up, down = (evaluate(with_parameters(graph, theta + s), X)[:, 0] for s in (step, -step))
        np.testing.assert_allclose(J[:, i], (up - down) / 2e-6, rtol=1e-5, atol=1e-7)
    slopes = sensitivities(graph, X)
    for i, name in enumerate(graph.inputs):
        step = np.eye(2)[i] * 1e-6
        np.testing.assert_allclose(
            slopes[name],
            (evaluate(graph, X + step) - evaluate(graph, X - step))[:, 0] / 2e-6,
            rtol=1e-5,
            atol=1e-7,
        )


def test_json_round_trip_is_exact():
    graph = example()
    again = Graph.from_dict(json.loads(json.dumps(graph.to_dict())))
    assert np.array_equal(evaluate(again, X), evaluate(graph, X))


def test_edits_leave_the_graph_alone():
    graph = example()
    before = evaluate(graph, X)
    edge = graph.edge("x", "h")
    graph.with_curve(edge, curve("cos"))
    smaller = graph.without([graph.edge("h", "out")])
    assert np.array_equal(evaluate(graph, X), before)
    assert "h" not in smaller.networkx


@pytest.mark.parametrize(
    ("nodes", "edges", "outputs", "message"),
    [
        ({"h": "mean"}, [], ["h"], "use 'sum' or 'product'"),
        ({"h": "sum"}, [Edge("z", "h", 0, curve())], ["h"], "declare it"),
        ({"h": "sum"}, [Edge("h", "x", 0, curve())], ["h"], "enters an input"),
        ({"h": "sum", "k": "sum"}, [Edge("h", "k", 0, curve()), Edge("k", "h", 0, curve())], ["h"], "cycle"),
        ({"h": "sum"}, [], ["k"], "not a node"),
    ],
)
def test_malformed_graphs_are_refused(nodes, edges, outputs, message):
    with pytest.raises(InputError, match=message):
        Graph.build(["x"], outputs, nodes, edges)


def test_garbled_files_are_refused():
    data = example().to_dict()
    del data["edges"][0]["curve"]
    with pytest.raises(FormatError):
        Graph.from_dict(data)

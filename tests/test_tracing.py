"""Graphs to networks and back."""

import numpy as np
import pytest

from kansym.base.errors import InputError
from kansym.estimators.session import KAN
from kansym.functions import library
from kansym.functions.evaluate import evaluate
from kansym.functions.graph import Edge, Graph, Symbolic


def test_parallel_edges_skips_products_and_biases_compile() -> None:
    sin, line = Symbolic(library.get("sin"), 2.0, 0.1, 3.0, -1.0), Symbolic(library.get("x"))
    graph = Graph.build(
        ["u", "v"],
        ["y", "p", "v"],
        {"h": "sum", "p": "product", "y": "sum"},
        [
            Edge("u", "h", 0, sin),
            Edge("u", "h", 1, line),
            Edge("h", "p", 0, line),
            Edge("v", "p", 0, sin),
            Edge("v", "p", 1, line),
            Edge("p", "y", 0, sin),
            Edge("u", "y", 0, line),
        ],
        {"h": 0.5, "y": -2.0},
    )
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = KAN.from_graph(graph)
    assert np.allclose(model.predict(X), evaluate(graph, X), rtol=1e-13)
    assert np.allclose(evaluate(model.to_graph(), X), evaluate(graph, X), rtol=1e-13)


def test_a_trained_network_survives_the_round_trip_and_trains_on() -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    y = np.sin(3 * X[:, 0]) * X[:, 1]
    model = KAN([2, (1, 1), 1], seed=0).fit(X, y, steps=20)
    again = KAN.from_graph(model.to_graph())
    assert np.allclose(again.predict(X), model.predict(X), atol=1e-13)
    before = np.mean((again.predict(X) - y) ** 2)
    again.fit(X, y, steps=20)
    assert np.mean((again.predict(X) - y) ** 2) <= before


def test_splines_on_different_knots_are_refused_with_a_remedy() -> None:
    one, two = (KAN([1, 1], grid=g).to_graph() for g in (3, 4))
    a, b = next(iter(one.edges())).curve, next(iter(two.edges())).curve
    graph = Graph.build(
        ["u"], ["y", "z"], {"y": "sum", "z": "sum"}, [Edge("u", "y", 0, a), Edge("u", "z", 0, b)]
    )
    with pytest.raises(InputError, match="refit them alike"):
        KAN.from_graph(graph)

"""A trend that is a sum of curves becomes a graph of them; one that is not does not."""

import numpy as np
import pytest

from kansym.functions.evaluate import evaluate
from kansym.judge.noise import measure
from kansym.judge.smooth import as_graph


@pytest.mark.parametrize("width", [1, 2])
def test_a_sum_of_curves_is_shown_as_it_is(width):
    rng = np.random.default_rng(0)
    X = rng.uniform(0.1, 3, (150, width))
    y = np.sum(np.sin(3 * X) / X, axis=1) + 0.05 * rng.normal(size=150)
    trend = measure(X, y).predict
    graph = as_graph(trend, X, ("y", "b")[:width], "y")
    assert graph is not None and not graph.is_symbolic
    assert np.max(np.abs(evaluate(graph, X)[:, 0] - trend(X))) < 0.1 * np.std(y)


def test_a_product_is_no_sum():
    X = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    assert as_graph(lambda Z: Z[:, 0] * Z[:, 1], X, ("a", "b"), "y") is None

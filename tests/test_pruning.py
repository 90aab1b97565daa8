"""Pruning and attribution."""

import numpy as np
import pytest

from kansym.base.errors import InputError
from kansym.estimators.session import KAN


def _model() -> tuple[KAN, np.ndarray]:
    X = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    return KAN([3, (3, [2]), 2, 1], seed=0, grid=4), X


@pytest.mark.parametrize("node", [1, 3])
def test_pruning_a_dead_node_changes_no_output(node: int) -> None:
    model, X = _model()
    for j in range(model.layers[1].sums):
        model = model.remove_edge(1, node, j)
    want = model.predict(X)
    small = model.prune(nodes=1e-9, edges=None, X=X)
    assert small.shape == [3, 3, 2, 1]
    assert np.allclose(small.predict(X), want, atol=1e-14)


def test_a_constant_edge_moves_into_the_bias() -> None:
    model, X = _model()
    model = model.fix_symbolic(0, 0, 0, "x", 0.0, 0.0, 0.0, 1e-4, X=X)
    want = model.predict(X)
    small = model.prune(nodes=None, edges=1e-3, X=X)
    assert small.layers[0].state[0, 0, 0] == 0
    assert np.allclose(small.predict(X), want, atol=1e-12)


def test_a_constant_on_an_edge_does_not_make_the_others_small() -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    model = KAN([2, 1], seed=0, grid=4)
    model = model.fix_symbolic(0, 0, 0, "sin", 1.0, 0.0, 1.0, 1000.0, X=X)
    model = model.fix_symbolic(0, 1, 0, "x", 1.0, 0.0, 1.0, -1000.0, X=X)
    tiny = model.fix_symbolic(0, 1, 0, "x", 1.0, 0.0, 1e-3, -1000.0, X=X)
    assert model.prune(X=X).layers[0].state.all()
    assert not tiny.prune(X=X).layers[0].state.all()
    assert np.allclose(tiny.prune(X=X).predict(X), tiny.predict(X), atol=2e-3)


def test_thresholds_are_in_units_of_the_layer_so_that_scale_does_not_matter() -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    y = np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)
    for scale in (1e-6, 1e6):
        model = KAN([2, 3, 1], seed=0).fit(X, y * scale, steps=40)
        assert min(model.prune().shape) >= 1 and np.isfinite(model.prune().predict(X)).all()


def test_removing_everything_is_refused() -> None:
    model, X = _model()
    with pytest.raises(InputError, match="lower the threshold"):
        model.prune(nodes=2.0, edges=None, X=X)


def test_attribution_adds_up_and_points_at_the_inputs_that_matter() -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    y = np.sin(3 * X[:, 0]) + 0.1 * X[:, 1]
    model = KAN([3, 2, 1], seed=0).fit(X, y, steps=60, lamb=1e-3)
    edges, nodes = model.attribution()
    assert nodes[0].sum() == pytest.approx(1.0) and nodes[0].argmax() == 0 and nodes[0].argmin() == 2
    assert [e.sum() for e in edges] == pytest.approx([1.0, 1.0])
    small = model.prune_inputs(0.02)
    assert small.names == ("x0", "x1")
    assert np.sqrt(np.mean((small.predict(X[:, :2]) - y) ** 2)) < 0.05

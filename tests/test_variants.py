"""Variants behind the same interface: radial edges, shared curves, LAN, perceptrons, single precision."""

import json

import numpy as np
import pytest

from kansym.base.errors import InputError, UnknownNameError
from kansym.estimators.session import KAN
from kansym.functions.evaluate import evaluate
from kansym.network.ensemble import Ensemble

X = np.random.default_rng(0).uniform(-1, 1, (300, 2))
Y = np.exp(np.sin(2 * X[:, 0]) + X[:, 1] ** 2)


def _error(model: KAN) -> float:
    return float(np.sqrt(np.mean((model.predict(X) - Y) ** 2)))


VARIANTS = {
    "radial": (lambda: KAN([2, 3, 1], seed=0, edges="radial"), 3e-3),
    "heads": (lambda: KAN([2, 3, 1], seed=0, heads=[3, 2]), 1e-2),
    "lan": (lambda: KAN.lan([2, 4, 1], seed=0), 0.1),
    "mlp": (lambda: KAN.mlp([2, 10, 1], seed=0), 0.3),
    "mlp tanh": (lambda: KAN.mlp([2, 6, 6, 1], "tanh", seed=0), 0.3),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_train_predict_save_and_become_graphs_alike(name: str) -> None:
    make, bound = VARIANTS[name]
    model = make().fit(X, Y, steps=40)
    assert _error(model) < bound
    assert np.allclose(evaluate(model.to_graph(), X)[:, 0], model.predict(X), atol=1e-11)
    again = KAN.from_dict(json.loads(json.dumps(model.to_dict())))
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.parameters == model.parameters


def test_a_perceptron_has_a_perceptrons_parameters() -> None:
    model = KAN.mlp([2, 8, 8, 1])
    assert model.parameters == (2 * 8 + 8) + (8 * 8 + 8) + (8 + 1)
    W, b = model.layers[0].weights[0], model.layers[0].bias[0]
    V = model.layers[2].weights[0], model.layers[2].bias[0]
    U = model.layers[4].weights[0], model.layers[4].bias[0]

    def silu(z: np.ndarray) -> np.ndarray:
        return z / (1 + np.exp(-z))

    by_hand = silu(silu(X @ W.T + b) @ V[0].T + V[1]) @ U[0].T + U[1]
    assert np.allclose(model.predict(X), by_hand[:, 0], atol=1e-12)


@pytest.mark.parametrize("optimizer", ["lm", "lbfgs", "adam"])
def test_heads_share_their_coefficients_whatever_trains_them(optimizer: str) -> None:
    model = KAN([2, 3, 1], seed=0, heads=[2, 1])
    free = KAN([2, 3, 1], seed=0)
    assert free.parameters - model.parameters == (6 - 2) * 8 + (3 - 1) * 8
    model.fit(X, Y, steps=3, optimizer=optimizer, grids=[3, 6])
    for layer, number in zip(model.layers, (2, 1), strict=True):
        flat = layer.coefficients[0].reshape(-1, layer.size)
        assert len(np.unique(flat, axis=0)) == number
        for label in np.unique(layer.heads):
            assert len(np.unique(flat[layer.heads.ravel() == label], axis=0)) == 1
        assert len(np.unique(layer.knots[0], axis=0)) == 1


def test_changes_by_hand_keep_shared_curves_shared() -> None:
    model = KAN([2, 3, 1], seed=0, heads=2).fit(X, Y, steps=5)
    wide = model.widen(1, 2)
    assert np.allclose(wide.predict(X), model.predict(X), atol=1e-12)
    noisy = model.perturb(0.1).layers[0]
    assert len(np.unique(noisy.coefficients[0].reshape(-1, noisy.size), axis=0)) == 2
    freed = model.fix_symbolic(0, 0, 0, "sin").unfix(0, 0, 0)
    label = freed.layers[0].heads[0, 0]
    assert np.sum(freed.layers[0].heads == label) == 1


def test_radial_edges_can_be_seen_as_splines() -> None:
    model = KAN([2, 1], seed=0, edges="radial").fit(X, X[:, 0] ** 2 + np.sin(X[:, 1]), steps=20, grids=[6, 9])
    assert model.layers[0].grid == 9
    assert np.abs(model.as_splines(60).predict(X) - model.predict(X)).max() < 1e-4
    assert KAN([2, 1]).as_splines().layers[0].grid == 5


def test_single_precision_on_request_ends_near_double() -> None:
    one = KAN([2, 3, 1], seed=0).fit(X, Y, steps=30, dtype="float32")
    two = KAN([2, 3, 1], seed=0).fit(X, Y, steps=30)
    assert one.layers[0].coefficients.dtype == np.float64
    assert 0 < _error(one) < 20 * _error(two) + 1e-3
    many = Ensemble([2, 2, 1], seeds=[0, 1]).fit(X, Y, steps=5, dtype="float32")
    assert np.all(np.isfinite(many.losses))


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: KAN([2, 1], edges="radail"), UnknownNameError, "did you mean 'radial'"),
        (lambda: KAN([2, 1], heads=0), InputError, "leaves layer 0 no curve"),
        (lambda: KAN([2, 3, 1], heads=[1]), InputError, "2 layers"),
        (lambda: KAN([2, 1]).fit(X, Y, dtype="float16"), UnknownNameError, "No dtype"),
    ],
)
def test_bad_input_says_what_to_do(call, kind, said: str) -> None:
    with pytest.raises(kind, match=said):
        call()

"""The best of many starts: how they are drawn, who drops out, who is left."""

import numpy as np
import pytest

from kansym.base.errors import InputError
from kansym.estimators.session import KAN
from kansym.network.training import race


def _rows(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    return X, np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)


def test_starts_are_the_network_itself_and_others_of_its_kind() -> None:
    model = KAN([2, 3, 1], seed=4, noise=0.7).remove_edge(0, 1, 1).lock(1, 2, 0)
    many = race.starts(model.layers, 5, 0)
    first, second = many
    assert first.members == second.members == 5
    assert np.array_equal(first.coefficients[0], model.layers[0].coefficients[0])
    assert len({float(c) for c in first.coefficients[:, 0, 0, 0]}) == 5
    assert np.all(first.state[:, 1, 1] == 0)
    assert np.array_equal(second.coefficients[4, 0, 2], model.layers[1].coefficients[0, 0, 2])
    assert 0.5 < first.coefficients[1:].std() / first.coefficients[0].std() < 2
    again = race.starts(model.layers, 5, 0)
    assert np.array_equal(again[0].coefficients, first.coefficients)
    line = race.starts(KAN.mlp([2, 3, 1]).layers, 3, 0)[1]  # activations stay as they are
    assert np.array_equal(line.weights[1], line.weights[0])


def test_who_is_left_and_when_the_next_drop_out() -> None:
    assert [race.left(32, d, 100) for d in (0, 19, 20, 40, 60, 99, 100)] == [32, 32, 16, 8, 4, 4, 1]
    assert [race.left(3, d, 10) for d in (0, 2, 4, 6, 10)] == [3, 2, 1, 1, 1]
    assert [race.pause(d, 100) for d in (0, 5, 20, 60, 99, 100)] == [20, 15, 20, 40, 1, 1]


@pytest.mark.parametrize("options", [{}, {"batched": True}, {"optimizer": "adam"}])
def test_the_best_of_several_starts_is_no_worse_than_the_first(options) -> None:
    X, y = _rows()
    one = KAN([2, 2, 1], seed=1).fit(X, y, steps=30, validation=0.2, **options)
    best = KAN([2, 2, 1], seed=1).fit(X, y, steps=30, restarts=6, **options)
    assert best.history.held_out.min() <= one.history.held_out.min() * (1 + 1e-6)
    assert best.layers[0].members == 1 and len(best.history) == 30
    again = KAN([2, 2, 1], seed=1).fit(X, y, steps=30, restarts=6, **options)
    assert np.array_equal(again.predict(X), best.predict(X))


def test_later_grids_are_for_the_best_alone_and_sparsity_is_judged_by_its_objective() -> None:
    X, y = _rows()
    model = KAN([2, 2, 1], seed=0).fit(X, y, steps=10, grids=[3, 6], restarts=4, lamb=1e-2)
    assert "held_out" not in model.history and len(model.history) == 20
    assert model.layers[0].members == 1 and model.layers[0].grid == 6
    with pytest.raises(InputError, match="this network is trained; make a new one"):
        model.fit(X, y, restarts=2)

"""Bands of an ensemble: they hold the share asked for, and say what they need."""

import numpy as np
import pytest

from kansym.base.errors import InputError
from kansym.network.bands import calibrate
from kansym.network.ensemble import Ensemble


def _noisy(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    y = np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)
    return X, y + 0.05 * y.std() * rng.normal(size=n)


def test_four_in_five_fresh_rows_lie_in_bands_of_80_per_cent() -> None:
    X, y = _noisy(1000, 0)
    many = Ensemble([2, 5, 1], seeds=range(8)).fit(X, y, steps=30, bootstrap=True)
    Z, z = _noisy(4000, 1)
    for level in (0.5, 0.8):
        low, high = many.interval(Z, level)
        assert abs(np.mean((low[:, 0] <= z) & (z <= high[:, 0])) - level) < 0.05
    scores, errors = many.attribution(X)
    assert scores.shape == errors.shape == (2,) and scores.sum() == pytest.approx(1)
    assert np.all(errors > 0) and np.all(errors < 0.2)


def test_members_that_disagree_widen_the_band_where_they_do() -> None:
    rng = np.random.default_rng(0)
    spread = np.repeat([0.1, 2.0], 2000)
    predictions = rng.normal(size=(40, 4000, 1)) * spread[:, None]
    targets = 0.05 * rng.normal(size=(4000, 1))
    found = calibrate(predictions, targets, rng.random((40, 4000)) < 0.4)
    fresh = rng.normal(size=(40, 4000, 1)) * spread[:, None]
    low, high = found.band(fresh, 0.8)
    truth = 0.05 * rng.normal(size=(4000, 1))
    inside = ((low < truth) & (high > truth))[:, 0]
    assert abs(inside.mean() - 0.8) < 0.05
    assert (high - low)[2000:].mean() > 5 * (high - low)[:2000].mean()


@pytest.mark.parametrize("bad", [[3], [0, 2, 5, 7]])
def test_members_that_stuck_change_no_band(bad) -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(3000, 1))
    predictions = targets + 0.1 * rng.normal(size=(8, 3000, 1))
    unseen = rng.random((8, 3000)) < 0.4
    well = calibrate(predictions, targets, unseen)
    stuck = predictions + np.where(np.isin(np.arange(8), bad), 20.0, 0.0)[:, None, None]
    found = calibrate(stuck, targets, unseen)
    assert well.trained.all() and found.trained.tolist() == [e not in bad for e in range(8)]
    low, high = found.band(stuck, 0.8)
    assert 0.75 < np.mean((low < targets) & (targets < high)) <= 1 and np.mean(high - low) < 1


def test_members_far_apart_without_noise_still_speak() -> None:
    rng = np.random.default_rng(0)
    spread = 10.0 ** -np.arange(5)[:, None, None]
    found = calibrate(spread * rng.normal(size=(5, 500, 1)), np.zeros((500, 1)), rng.random((5, 500)) < 0.4)
    assert found.trained.tolist() == [False, True, True, True, True]


def test_what_bands_need_is_said() -> None:
    X, y = _noisy(60, 0)
    plain = Ensemble([2, 1], seeds=[0, 1]).fit(X, y, steps=2)
    with pytest.raises(InputError, match="call fit with bootstrap=True"):
        plain.interval(X)
    many = Ensemble([2, 1], seeds=range(4)).fit(X, y, steps=2, bootstrap=True)
    with pytest.raises(InputError, match="is no share of rows"):
        many.interval(X, 1.5)
    with pytest.raises(InputError, match=r"level=0\.999 needs more than"):
        many.interval(X, 0.999)
    with pytest.raises(InputError, match="left out by two members"):
        calibrate(np.zeros((2, 5, 1)), np.zeros((5, 1)), np.zeros((2, 5), bool))

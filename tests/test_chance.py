"""Structure is told from noise, with false alarms at the level asked for."""

from __future__ import annotations

import numpy as np
import pytest

from kansym.judge import chance

x = np.linspace(0, 100, 300)
square = np.random.default_rng(0).uniform(-1, 1, (300, 3))


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (x[:, None], np.sin(1.759 * x)),  # 28 waves
        (x[:, None], np.where(x < 50, 0.0, 1.0)),
        (square, square.prod(axis=1)),
        (square[:, :2], np.sign(square[:, 0] * square[:, 1])),
        (square, np.exp(-8 * np.sum(square**2, axis=1))),
        (x[:, None], 0.6 * np.sin(0.3 * x) + np.random.default_rng(1).normal(size=300)),
        (x[:12, None], np.exp(-x[:12] / 2)),
    ],
    ids=["wave", "step", "product", "xor", "hump", "buried wave", "twelve rows"],
)
def test_structure_is_seen(X: np.ndarray, y: np.ndarray) -> None:
    assert chance.structure(X, y).seen


def test_a_rise_and_a_slower_fall_show_in_few_rows() -> None:
    # a drug's concentration after a dose: ranks of eleven rows alone are like shuffled ones in 4 % of cases
    hours = np.array([0, 0.25, 0.57, 1.12, 2.02, 3.82, 5.1, 7.03, 9.05, 12.12, 24.37])
    level = 11 * (np.exp(-0.054 * hours) - np.exp(-1.8 * hours))
    level += 0.6 * np.array([1, -1, 0.5, 1.2, -0.8, 0.1, -0.3, 0.9, -1.1, 0.4, -0.6])
    found = chance.structure(hours[:, None], level)
    assert found.seen and found.test == "two exponentials"


def test_one_row_far_off_at_the_end_is_no_structure() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=40)
    y[-1] = 60.0
    assert not chance.structure(np.arange(40.0)[:, None], y).seen


def test_false_alarms_keep_to_the_level() -> None:
    rng = np.random.default_rng(5)
    found = []
    for k in range(60):
        n, d = int(rng.integers(30, 120)), int(rng.integers(1, 6))
        y = (rng.normal(size=n), rng.standard_t(1.5, size=n), np.round(rng.normal(size=n)))[k % 3]
        found.append(chance.structure(rng.normal(size=(n, d)), y, seed=k).pvalue)
    # of 60 chances 1 % come below 0.01: four or more have a chance of one in 300
    assert np.sum(np.array(found) < 0.01) <= 3
    assert 0.3 < np.mean(found) < 0.7


def test_the_same_seed_gives_the_same_chance() -> None:
    y = np.random.default_rng(2).normal(size=80)
    assert chance.structure(x[:80, None], y) == chance.structure(x[:80, None], y)


@pytest.mark.parametrize("rows", [1, 3])
def test_too_few_rows_show_nothing(rows: int) -> None:
    assert chance.structure(x[:rows, None], x[:rows]).pvalue == 1.0


def test_constant_columns_and_targets_show_nothing() -> None:
    assert chance.structure(np.ones((50, 1)), x[:50]).pvalue == 1.0
    assert chance.structure(x[:50, None], np.ones(50)).pvalue == 1.0
    assert chance.structure(np.column_stack([x[:50], np.ones(50)]), x[:50]).seen

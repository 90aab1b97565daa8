"""A search ends when it finds nothing better for as long as its rows are worth."""

from types import SimpleNamespace

import numpy as np
import pytest

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.judge import ending
from kansym.judge.archive import Archive
from kansym.judge.ending import Patience
from kansym.judge.trial import Trial


def archive(rows):
    X = np.linspace(1, 2, rows)[:, None]
    y = X[:, 0] + 0.1 * np.random.default_rng(0).normal(size=rows)
    return Archive(Trial.of(from_arrays(X, y, ["x"]), Library.load("default"), 0), 60)


def survey(founded):
    return SimpleNamespace(noise=SimpleNamespace(founded=founded))


@pytest.mark.parametrize("founded", [True, False])
def test_patience_grows_with_the_rows_and_where_no_noise_is_known(founded):
    budget = Budget()
    patience = Patience(survey(founded), archive(20), budget)
    usual = ending.PATIENCE + 20**2 * ending.PATIENCE_A_PAIR
    budget.spend(usual * (1 if founded else ending.UNFOUNDED))
    assert not patience.spent
    budget.spend(1)
    assert patience.spent


def test_formulas_count_and_a_better_one_begins_anew():
    held, budget = archive(20), Budget()
    patience = Patience(survey(True), held, budget)
    for _ in range(150):
        patience.fitted()
    assert patience.spent
    held.best[1] = SimpleNamespace(length=-50.0)
    patience.fitted()
    assert not patience.spent

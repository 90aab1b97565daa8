"""The loop of propose and refine: each formula once, laws as they come, an end with the budget."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.judge.archive import Archive
from kansym.judge.trial import Trial
from kansym.pipeline import proposals
from kansym.pipeline.checkpoint import Memory
from kansym.search.candidate import Candidate
from kansym.search.producer import Level, Producer

(A, B) = symbols(["a", "b"])


@pytest.fixture(scope="module")
def trial() -> Trial:
    X = np.random.default_rng(0).uniform(1, 2, (60, 2))
    return Trial.of(from_arrays(X, 3 * X[:, 0] / X[:, 1], ["a", "b"]), Library.load("default"), 0)


def producer(*formulas: sympy.Expr, cost: float = 1.0) -> Producer:
    def propose(dataset, *, budget, library, seed) -> Iterator[Candidate]:
        for formula in formulas:
            budget.spend(cost)
            yield Candidate(0.1, "test", expression=formula)

    return Producer("test", "formulas given", Level.QUICK, 100.0, lambda: propose)


def test_a_formula_is_yielded_once(trial: Trial) -> None:
    tried: set[str] = set()
    candidate = Candidate(0.1, "test", expression=A + B)
    assert list(proposals.formulas(candidate, trial, tried)) == [A + B]
    assert list(proposals.formulas(candidate, trial, tried)) == []


def test_laws_come_fitted_and_in_the_order_of_the_producers(trial: Trial) -> None:
    line, law = sympy.Float(1.0) * A + sympy.Float(0.5), sympy.Float(2.0) * A / B
    found = list(proposals.laws(trial, [producer(line), producer(law)], Budget()))
    assert found[0].expression.free_symbols == {A}
    assert found[-1].expression == 3 * A / B
    assert found[-1].length == min(one.length for one in found)


def test_laws_end_with_the_budget(trial: Trial) -> None:
    forms = [sympy.Float(1.0) * A + sympy.Float(float(k)) * B**k for k in range(1, 6)]
    budget = Budget(work=2.0)
    found = list(proposals.laws(trial, [producer(*forms)], budget))
    assert found and all(law.expression.free_symbols == {A, B} for law in found)
    assert budget.used == 2.0, "two candidates of cost 1 and no third"


def test_familiar_curves_far_behind_stand_on_the_front(trial: Trial) -> None:
    """A handbook's curve that holds to a hundredth of rows in which another one leaves nothing."""
    for familiar, kept in ((False, 1), (True, 2)):
        archive = Archive(trial, 60)
        proposals.take_in(3 * A / B, "exact", archive, Budget(), Memory())
        proposals.take_in(sympy.Float(2.9) * A, "rough", archive, Budget(), Memory(), familiar=familiar)
        assert len({law.source for law in archive.best.values()}) == kept

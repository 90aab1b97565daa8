"""Looks at a table: the same for any number of jobs, each within its own part of the work."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.network.kan import KAN
from kansym.pipeline.flow import discover
from kansym.search import network, registry, schedule, separable
from kansym.search.candidate import Candidate
from kansym.search.enumeration import search
from kansym.search.producer import Level, Producer


def table(law=lambda a, b: a / b, rows=60):
    X = np.random.default_rng(0).uniform(1, 2, (rows, 2))
    return from_arrays(X, law(*X.T), ["a", "b"])


def counting(dataset, *, budget, library, seed, units=3.0):
    """Propose formulas until the budget ends, spending some units before each."""
    a = sympy.Symbol("a", real=True)
    for k in range(100):
        budget.spend(units)
        if budget.exhausted:
            return
        yield Candidate(1.0, "counting", a**k)


def steps(costs=(20.0, 8.0)):
    made = [Producer(f"p{k}", "", Level.QUICK, c, partial(partial, counting)) for k, c in enumerate(costs)]
    return [schedule.Step(p.name, p, table()) for p in made]


@pytest.mark.parametrize("jobs", [1, 2])
def test_work_is_charged_and_bounded_for_any_number_of_jobs(jobs):
    budget, seen = Budget(work=1000), []
    for step, candidates in schedule.looks(steps(), budget, Library.load("default"), 0, jobs):
        for candidate in candidates:
            seen.append((step.name, candidate.expression, budget.used))
    assert [s[0] for s in seen] == ["p0"] * 6 + ["p1"] * 2
    assert [s[2] for s in seen] == [3, 6, 9, 12, 15, 18, 24, 27]
    assert budget.used == 30  # the last step of each look goes over its cost


def test_a_part_charges_the_whole():
    whole = Budget(work=100)
    part = whole.share(0.5)
    part.spend(30)
    assert (part.work, whole.used) == (50, 30)
    assert whole.share(0.5).work == 35


@pytest.mark.parametrize("jobs", [1, 2])
def test_effort_limits_a_search_with_any_number_of_jobs(jobs):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    y = np.sin(9 * X[:, 0] * X[:, 1]) * np.abs(X[:, 0]) + X[:, 1] ** 3
    run = discover(X, y, effort=0.0005, jobs=jobs, kan=False, families="off")
    assert run.stop_reason == "work limit"


def test_each_producer_says_what_it_needs():
    data = table(rows=20)
    assert [p.name for p in registry.producers() if p.takes(data)] == [
        "tree", "few rows", "plain", "structure", "pade", "deep tree", "enumeration",
    ]  # fmt: skip
    assert not list(registry.SEPARABLE.propose(data, Budget(), None, 0))


def test_in_clear_noise_looks_for_exact_laws_come_late():
    usual, noisy = ([p.name for p in registry.producers(noisy=n)] for n in (False, True))
    assert sorted(usual) == sorted(noisy)
    assert usual.index("tree") < usual.index("tree in noise")
    assert noisy.index("structure") < noisy.index("tree") < noisy.index("enumeration")


def test_an_interrupt_inside_training_ends_the_search(monkeypatch):
    """A training keeps its best when Ctrl-C comes; the search must not go on with the next network."""

    def fit(self, *arguments, **settings):
        self.stop_reason = "interrupted"
        return self

    monkeypatch.setattr(KAN, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        list(network.propose(table(), budget=Budget(), library=None, seed=0))


@pytest.mark.parametrize("room", [separable, search])
def test_weights_count(room):
    """Rows of no weight, far off the law, must not be fitted."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0.5, 3, 300)
    y = np.exp(-x) + 0.01 * rng.normal(size=300)
    bad = rng.random(300) < 0.4
    weights = np.where(bad, 1e-8, 1.0)
    data = from_arrays(x[:, None], np.where(bad, y + 2 * x, y), ["x"], weights=weights)
    first = next(iter(room.propose(data, budget=Budget(), library=Library.load("default"), seed=0)))
    f = sympy.lambdify(sympy.Symbol("x", real=True), first.expression)
    assert np.max(np.abs(f(x) - np.exp(-x))) < 0.05


def test_six_rows_are_searched():
    """A surface of six terms through six rows left its F-test no degree of freedom."""
    a = np.arange(1.0, 7)
    X = np.column_stack([a, [1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]])
    run = discover(from_arrays(X, [1, 5, 3, 9, 5, 13], ["a", "u", "v"]), kan=False, effort=0.1)
    assert run.best is not None


def test_a_part_has_the_clock_of_the_whole_and_knows_the_best_so_far():
    told = []
    whole = Budget(work=100, seconds=1e6, listener=told.append, started=time.monotonic() - 50)
    whole.tell("first", 0.5, "x")
    whole.part(10).tell("second")
    assert told[1].seconds >= 50 and told[1].left < 1e6 - 49
    assert (told[1].best, told[1].formula) == (0.5, "x")


@pytest.fixture
def asked(monkeypatch):
    """Return a list that grows with each look for exact compositions, which offer nothing."""
    looks = []

    def composing(*args, **given):
        looks.append(True)
        return iter(())

    monkeypatch.setattr(search, "few", composing)
    return looks


def test_compositions_of_one_column_are_left_out_where_a_law_is_proved(asked):
    x = np.random.default_rng(0).uniform(-1, 1, 20)
    assert discover(x, x + x**2 + x**3).best.equation == "x0**3 + x0**2 + x0" and not asked
    discover(x, np.sin(x**2) * np.cos(x) - 1, time_limit=3)
    assert asked


def overflowing(dataset, *, budget, library, seed):
    """Propose a formula, then meet numbers that LAPACK cannot decompose."""
    yield Candidate(1.0, "overflowing", sympy.Symbol("a", real=True))
    np.linalg.eigvalsh(np.full((2, 2), np.nan))
    raise np.linalg.LinAlgError("SVD did not converge")


def test_numbers_beyond_doubles_end_a_look_and_not_the_search():
    bad = Producer("bad", "", Level.QUICK, 5.0, partial(partial, overflowing))
    plan = [schedule.Step("bad", bad, table()), *steps()[:1]]
    looked = [(step.name, len(list(found))) for step, found in schedule.looks(plan, Budget(), None, 0, 1)]
    assert looked[0] == ("bad", 1)
    assert looked[1][1] > 1


def test_rows_that_only_weigh_otherwise_are_not_asked_for_exact_laws_again(asked):
    draw = np.random.default_rng(4)
    x = np.linspace(0.2, 6, 24)
    run = discover(x[:, None], 40 * np.exp(-x) * np.exp(0.1 * draw.normal(size=24)))
    assert run.noise_model.kind == "relative" and len(asked) == 1


@pytest.mark.parametrize(("noise", "first"), [(0.02, "classics"), (0.0, "tree")])
def test_familiar_curves_come_first_where_a_curve_is_clearly_noisy(noise, first):
    x = np.linspace(0, 4, 120)
    y = np.exp(-x) + noise * np.random.default_rng(0).normal(size=120)
    seen = []
    discover(x[:, None], y, progress=lambda p: seen.append(p.stage))
    assert next(s for s in seen if s in ("classics", "tree")) == first

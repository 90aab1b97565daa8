"""A search ends when it finds nothing better for as long as its rows are worth."""

from types import SimpleNamespace

import numpy as np
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.formula.polish import polish
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.judge import chance, ending
from kansym.judge.archive import Archive
from kansym.judge.ending import Ending, Patience
from kansym.judge.refine import refine
from kansym.judge.scorer import judge, price, residuals
from kansym.judge.survey import survey as surveyed
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


@pytest.mark.parametrize(("off", "spent"), [(1e-2, True), (1e-6, False), (0.0, True)])
def test_nobody_is_content_with_what_approximates_an_exact_law(off, spent):
    X = np.linspace(1, 2, 20)[:, None]
    data = from_arrays(X, 3 * X[:, 0] + off * np.sin(40 * X[:, 0]), ["x"])
    held, budget = Archive(Trial.of(data, Library.load("default"), 0), 60), Budget()
    for law in refine(sympy.Float(3.0) * symbols(["x"])[0], held.trial, "linear"):
        held.add(law)
    patience = Patience(survey(True), held, budget)
    budget.spend(100)
    assert patience.spent is spent


def test_formulas_count_and_a_better_one_begins_anew():
    held, budget = archive(20), Budget()
    patience = Patience(survey(True), held, budget)
    for _ in range(150):
        patience.fitted()
    assert patience.spent
    held.best[1] = SimpleNamespace(length=-50.0, loss=1.0, heldout=1.0, polished=SimpleNamespace(theta=()))
    patience.fitted()
    assert not patience.spent


def test_a_formula_with_measured_numbers_ends_a_search_in_noise_after_a_while():
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 2, (200, 2))
    y = X[:, 0] * np.exp(-1.234 * X[:, 1]) + 0.01 * rng.normal(size=200)
    seen = surveyed(from_arrays(X, y, ["a", "b"]))
    held = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
    a, b = symbols(["a", "b"])
    for law in refine(a * sympy.exp(sympy.Float(-1.2) * b), held.trial, "tree in noise"):
        held.add(law)
    over = Ending(seen, held)
    assert over.only_noise_left()
    assert not over.short_enough(asked=True)
    assert over.short_enough(asked=True, waited=ending.CONTENT)
    assert not over.short_enough(waited=ending.CONTENT)
    budget = Budget()
    patience = Patience(seen, held, budget)
    assert not patience.waited
    budget.spend(ending.CONTENT)
    assert patience.waited == ending.CONTENT


def test_the_shorter_a_formula_the_sooner_it_ends_a_search_in_noise():
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 2, (200, 2))
    y = X[:, 0] * np.exp(-X[:, 1]) / (X[:, 0] + X[:, 1]) + 0.001 * rng.normal(size=200)
    seen = surveyed(from_arrays(X, y, ["a", "b"]))
    held = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
    a, b = symbols(["a", "b"])
    for law in refine(a * sympy.exp(-b) / (a + b), held.trial, "tree in noise"):
        held.add(law)
    over, nats = Ending(seen, held), price(held.leader.polished, held.trial)
    assert ending.BRIEF < nats < ending.PLAIN
    needed = ending.CONTENT * (nats - ending.BRIEF) / (ending.PLAIN - ending.BRIEF)
    assert over.short_enough(asked=True)
    assert over.short_enough(asked=True, waited=needed + 1e-6, within=True)
    assert not over.short_enough(asked=True, waited=needed - 1e-6, within=True)
    # until the likeliest ridges were asked only what few could undercut ends a search
    over.most = nats - 1
    assert not over.short_enough(asked=True)


def test_what_leaves_more_than_a_short_formula_that_leaves_noise_is_beaten():
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 2, (200, 2))
    y = X[:, 0] * np.exp(-X[:, 1]) + 0.01 * rng.normal(size=200)
    seen = surveyed(from_arrays(X, y, ["a", "b"]))
    a, b = symbols(["a", "b"])
    for formula, noise in ((a * sympy.exp(-b), True), (a + sympy.Float(0.5) * b, False)):
        held = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
        assert not Ending(seen, held).beaten(1.0)
        for law in refine(formula, held.trial, "tree in noise"):
            held.add(law)
        over, share = Ending(seen, held), held.leader.loss / held.trial.power
        assert over.beaten(1.1 * share) is noise
        assert not over.beaten(0.9 * share) and not over.beaten(0.0)


A, B, C = symbols(["a", "b", "c"])


@pytest.mark.parametrize(
    ("law", "power", "odd"),
    [
        (
            sympy.sqrt(A**2 - 1 / B**2) / C,
            0.97 * A ** sympy.Float(1.05) * B ** sympy.Float(0.05) / C ** sympy.Float(1.01),
            True,
        ),
        (A * B / (C - 1), sympy.Float(2.0) * A * B / C ** sympy.Rational(3, 2), True),
        (sympy.Float(1.3) * sympy.sqrt(A * B) / C, sympy.Float(1.2) * sympy.sqrt(A * B) / C, False),
    ],
)
def test_odd_exponents_hint_at_a_shorter_law(law, power, odd):
    rng = np.random.default_rng(0)
    X = rng.uniform((1, 2, 2), (2, 4, 4), (300, 3))
    y = sympy.lambdify((A, B, C), law)(*X.T) * (1 + (0.2 if odd else 0.05) * rng.normal(size=300))
    seen = surveyed(from_arrays(X, y, ["a", "b", "c"]))
    held = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
    held.add(judge(fitted := polish(power, held.trial.train), fitted, held.trial, "product of powers"))
    assert Ending(seen, held).familiar_enough({"product of powers"})
    assert Ending(seen, held, ending.UNRIVALLED).familiar_enough({"product of powers"}) != odd


def test_one_measured_exponent_is_not_enough_before_the_likeliest_ridges():
    rng = np.random.default_rng(0)
    X = rng.uniform((1, 1), (3, 5), (300, 2))
    y = X[:, 0] / (1 + X[:, 1])  # in this noise a power of b says as much
    seen = surveyed(from_arrays(X, y + 0.05 * rng.normal(size=300), ["a", "b"]))
    held = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
    a, b = symbols(["a", "b"])
    fitted = polish(sympy.Float(0.53) * a / b ** sympy.Float(0.69), held.trial.train)
    held.add(judge(fitted, fitted, held.trial, "product of powers"))
    assert price(held.leader.polished, held.trial) < ending.UNRIVALLED
    for over, enough in ((Ending(seen, held), True), (Ending(seen, held, ending.UNRIVALLED), False)):
        assert over.familiar_enough({"product of powers"}) == enough
        assert over.short_enough(asked=True, waited=ending.CONTENT) == enough


@pytest.mark.parametrize(("factor", "whole"), [(1.0001, True), (1.01, False), (0.7001, False)])
def test_whole_numbers_that_leave_next_to_nothing_are_no_approximation(factor, whole):
    X = np.random.default_rng(0).uniform(-2, 2, (100, 2))
    a, b = symbols(["a", "b"])
    y = X[:, 0] ** 2 * X[:, 1] + factor * X[:, 0] + 1e-6 * np.sin(9 * X[:, 1])
    held = Archive(Trial.of(from_arrays(X, y, ["a", "b"]), Library.load("default"), 0), 60)
    for law in refine(a**2 * b + sympy.Float(factor) * a, held.trial, "sum of products"):
        held.add(law)
    assert Ending(survey(True), held).whole() is whole


@pytest.mark.parametrize(
    ("rows", "digits", "off", "met"),
    [
        (40, 2, 0.0, True),
        (40, 2, 0.02, False),  # more than the last digit
        (12, 2, 0.0, False),  # the digits of few rows are met by many
        (40, -1, 0.0, False),  # and so are few digits
    ],
)
def test_a_short_formula_that_meets_every_digit_of_many_rows_ends_a_search(rows, digits, off, met):
    rng = np.random.default_rng(0)
    X = rng.uniform((1000, 1), (5000, 9), (rows, 2))
    y = np.round(2.5 * X[:, 0] * X[:, 1] + off * rng.normal(size=rows), digits)
    held = Archive(Trial.of(from_arrays(X, y, ["a", "b"]), Library.load("default"), 0), 60)
    for law in refine(sympy.Rational(5, 2) * A * B, held.trial, "product of powers"):
        held.add(law)
    assert Ending(survey(True), held).digits_met() is met


def test_what_has_several_measured_numbers_may_meet_all_digits_and_approximate():
    X = np.linspace(1, 2, 60)[:, None]
    data = from_arrays(X, np.round(np.exp(X[:, 0]), 6), ["a"])
    held = Archive(Trial.of(data, Library.load("default"), 0), 60)
    line = sum(sympy.Float(c) * A**k for k, c in enumerate(np.polyfit(X[:, 0], data.y, 7)[::-1]))
    fitted = polish(line, held.trial.train)
    held.add(judge(fitted, fitted, held.trial, "sum"))
    assert held.leader.loss <= ending.WITHIN_DIGITS * held.trial.train.resolution
    assert not Ending(survey(True), held).digits_met()
    held.add(judge(fitted := polish(sympy.exp(A), held.trial.train), fitted, held.trial, "exp"))
    assert Ending(survey(True), held).digits_met()


@pytest.mark.parametrize("seed", [1, 4, 7])
def test_a_doubtful_rest_is_looked_at_again_in_all_rows(seed):
    """Of 1 + u/(1 - u/3) a straight line in u leaves what half the rows do not show for certain."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, (800, 2))
    u = X[:, 0] * X[:, 1]
    seen = surveyed(from_arrays(X, 1 + u / (1 - u / 3) + 0.13 * rng.normal(size=800), ["a", "b"]))
    held = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
    a, b = symbols(["a", "b"])
    fitted = polish(sympy.Float(1.3) * a * b + sympy.Float(1.0), held.trial.train)
    held.add(judge(fitted, fitted, held.trial, "plane with product"))
    rows = held.trial.small
    first = chance.structure(rows.X, residuals(fitted, rows), shuffles=chance.FIRST_SHUFFLES)
    assert ending.LEFT < first.pvalue < ending.UNCLEAR
    assert not Ending(seen, held).familiar_enough({"plane with product"})


@pytest.mark.parametrize(
    ("rate", "rows", "met"), [(0.04, 30, True), (0.0412345, 30, False), (0.04, 12, False)]
)
def test_short_numbers_that_meet_every_digit_of_enough_rows_are_not_measured(rate, rows, met):
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 20, (rows, 1))
    y = np.round(2500 * np.exp(rate * X[:, 0]) + 300, 2)
    seen = surveyed(from_arrays(X, y, ["t"]))
    held = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
    t = symbols(["t"])[0]
    form = sympy.Float(2500.0) * sympy.exp(sympy.Float(rate) * t) + sympy.Float(300.0)
    law = polish(form, held.trial.train)
    held.add(judge(law, law, held.trial, "exponential"))
    assert len(law.theta) == 3
    assert Ending(seen, held).digits_met() is met

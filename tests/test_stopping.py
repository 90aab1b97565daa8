"""Why a search is over, and which steps are left out of one."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from kansym.base.budget import Budget
from kansym.judge.ending import BEATEN
from kansym.pipeline import flow, stopping
from kansym.search import registry
from kansym.search.candidate import Candidate
from kansym.search.schedule import Step


def step(producer, leftovers=False):
    return Step(producer.name, producer, None, leftovers=leftovers)


def ending(proved=False, noise=False, short=False, errors=False, nothing=False, lengthy=False):
    """Return answers of an ending; `short` is the work after which a formula is short enough, if one is.

    No formula of these has whole numbers.
    """
    return SimpleNamespace(
        proved=lambda: proved,
        only_noise_left=lambda: noise,
        within_errors=lambda: errors,
        nothing_there=lambda: nothing,
        digits_met=lambda: False,
        whole=lambda: False,
        news=False,
        lengthy=lengthy,
        short_enough=lambda asked, waited, within=False: short is not False and asked and waited >= short,
    )


def patience(waited=0.0, spent=False):
    return SimpleNamespace(waited=waited, spent=spent)


@pytest.mark.parametrize(
    ("producer", "leftovers", "state", "idle"),
    [
        (registry.FEW_OF_ONE, False, ending(proved=True), True),
        (registry.FEW_OF_ONE, False, ending(noise=True), False),
        (registry.TRANSFORMED, False, ending(short=50), True),
        (registry.TRANSFORMED, False, ending(noise=True), False),
        (registry.DEEP_TREE, True, ending(noise=True), True),
        (registry.STRUCTURE, False, ending(noise=True, short=0), False),
    ],
)
def test_steps_that_are_left_out(producer, leftovers, state, idle):
    assert stopping.idle(step(producer, leftovers), state, asked=True) is idle


@pytest.mark.parametrize("producer", registry.OF_FEW_ROWS)
def test_exact_looks_at_few_rows_are_left_out_where_the_rows_show_noise(producer):
    assert stopping.idle(step(producer), ending(), asked=False, noisy=True)
    assert not stopping.idle(step(producer), ending(), asked=False)


@pytest.mark.parametrize(("waited", "why"), [(10.0, ""), (50.0, stopping.ONLY_NOISE)])
def test_a_short_formula_waits_within_a_step_once_the_tree_was_asked_in_noise(waited, why):
    asks = {"compared": True, "step": step(registry.STRUCTURE), "within": True, "ahead": ()}
    state = ending(short=50.0)
    assert stopping.over(state, patience(waited), asked=True, **asks) == why
    assert stopping.over(state, patience(math.inf), asked=False, **asks) == ""


def test_the_likeliest_ridges_are_all_judged():
    asks = {"compared": True, "asked": True, "ahead": (), "step": step(registry.RIDGES)}
    assert stopping.over(ending(short=0.0), patience(math.inf), within=True, **asks) == ""
    assert stopping.over(ending(short=0.0), patience(math.inf), within=False, **asks) == stopping.ONLY_NOISE


def test_patience_ends_a_search_where_familiar_curves_were_compared():
    asks = {"step": step(registry.STRUCTURE), "asked": True, "within": True, "ahead": ()}
    assert stopping.over(ending(), patience(spent=True), compared=True, **asks) == stopping.NOTHING_BETTER
    assert stopping.over(ending(), patience(spent=True), compared=False, **asks) == ""


def test_a_long_formula_waits_for_the_structure_search():
    asks = {"step": step(registry.TREE), "asked": False, "within": True, "compared": True}
    ahead, spent = (registry.STRUCTURE, registry.PADE), patience(spent=True)
    assert stopping.over(ending(lengthy=True), spent, ahead=ahead, **asks) == ""
    assert stopping.over(ending(lengthy=True), spent, ahead=ahead[1:], **asks) == stopping.NOTHING_BETTER
    assert stopping.over(ending(lengthy=False), spent, ahead=ahead, **asks) == stopping.NOTHING_BETTER


def test_rows_like_shuffled_ones_wait_for_who_sees_laws_in_few():
    asks = {"step": step(registry.STRUCTURE), "asked": False, "within": False, "compared": True}
    assert stopping.over(ending(nothing=True), patience(), ahead=(registry.OF_FEW_ROWS[0],), **asks) == ""
    assert "shuffled" in stopping.over(ending(nothing=True), patience(), ahead=(registry.PADE,), **asks)


def handed(sources, noise=False):
    return iter([Candidate(0.0, source, noise=noise) for source in sources])


UNBEATEN = SimpleNamespace(beaten=lambda least: False)


def offered(held, asked, candidates, weighed, judged=UNBEATEN):
    return [c.source for c in flow._Passes.offered(held, asked, candidates, weighed, judged)]


def test_a_look_without_weights_is_not_repeated_where_rows_are_only_weighed_anew():
    held = SimpleNamespace(unweighed={}, noisy=False)
    noisy, exact = step(registry.BLURRED), step(registry.TREE)
    assert offered(held, noisy, handed("ab"), False) == ["a", "b"]
    assert offered(held, noisy, handed("xy"), True) == ["a", "b"]
    assert offered(held, noisy, handed("xy"), False) == ["x", "y"]
    assert offered(held, exact, handed("ab"), False) == ["a", "b"]
    assert offered(held, exact, handed("xy"), True) == ["x", "y"]


def test_a_look_that_was_broken_off_is_repeated():
    held = SimpleNamespace(unweighed={}, noisy=False)
    begun = flow._Passes.offered(held, step(registry.BLURRED), handed("ab"), False, UNBEATEN)
    assert next(begun).source == "a"
    begun.close()
    assert offered(held, step(registry.BLURRED), handed("xy"), True) == ["x", "y"]


def test_a_look_whose_formulas_leave_more_than_what_stands_is_over():
    held = SimpleNamespace(unweighed={}, noisy=False, budget=Budget())
    coming = iter([Candidate(0.0, "a"), Candidate(np.inf, "b", least=0.5), Candidate(0.0, "c")])
    judged = SimpleNamespace(beaten=lambda least: least > 0.1)
    assert offered(held, step(registry.BLURRED), coming, False, judged) == ["a"]
    assert held.budget.used == BEATEN and not held.unweighed


@pytest.mark.parametrize("noise", [False, True])
def test_a_search_knows_whether_a_look_saw_noise(noise):
    held = SimpleNamespace(unweighed={}, noisy=False)
    offered(held, step(registry.TREE), handed("a", noise), False)
    offered(held, step(registry.PADE), handed("b"), False)
    assert held.noisy is noise


@pytest.mark.parametrize(("columns", "familiar"), [(1, True), (2, False)])
def test_the_kind_of_noise_is_asked_after_the_first_look_that_stands_it(columns, familiar):
    rows = SimpleNamespace(names=("a", "b")[:columns])
    curves = Step("classics", registry.PLAIN, rows, familiar=True)
    assert stopping.stands_noise(curves) is familiar
    assert stopping.stands_noise(Step("tree in noise", registry.BLURRED, rows)) is not familiar


@pytest.mark.parametrize("compared", [True, False])
def test_a_law_in_whole_numbers_ends_a_search_once_familiar_curves_were_compared(compared):
    state = ending()
    state.whole = lambda: True
    asks = {"asked": False, "within": True, "ahead": ()}
    why = stopping.over(state, patience(), compared, step(registry.STRUCTURE), **asks)
    assert why == (stopping.WHOLE if compared else "")
    asks["ahead"] = (registry.STRUCTURE,)  # m + m*v**2/2 may approximate m/sqrt(1 - v**2)
    assert stopping.over(state, patience(), compared, step(registry.TREE), **asks) == ""
    assert stopping.over(state, patience(), compared, step(registry.STRUCTURE), **asks) == ""
    state.news = True  # what that search found itself comes after the ridges that could beat it
    why = stopping.over(state, patience(), compared, step(registry.STRUCTURE), **asks)
    assert why == (stopping.WHOLE if compared else "")


@pytest.mark.parametrize("met", [True, False])
def test_a_law_that_meets_every_digit_ends_a_search_at_once(met):
    state = ending()
    state.digits_met = lambda: met
    asks = {"compared": False, "asked": False, "within": True, "ahead": ()}
    why = stopping.over(state, patience(), step=step(registry.TREE), **asks)
    assert why == (stopping.DIGITS_MET if met else "")


def test_what_ended_a_search_in_whole_numbers_needs_no_other_weights():
    archive = SimpleNamespace(leader=SimpleNamespace(), trial=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stopping, "exact", lambda law, trial: False)
        patch.setattr(stopping, "Ending", lambda *a: ending())
        assert stopping.settled(None, archive, stopping.WHOLE)
        assert not stopping.settled(None, archive, stopping.NOTHING_BETTER)

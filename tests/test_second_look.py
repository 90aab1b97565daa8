"""What is done with the formulas found: an exact law takes its limits, too."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from sympy import exp

from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.archive import Archive
from kansym.judge.refine import refine
from kansym.judge.scorer import exact
from kansym.judge.survey import survey
from kansym.judge.trial import Trial
from kansym.pipeline import flow
from kansym.pipeline.options import Options
from kansym.pipeline.second_look import only_more, rejudge, take_limits
from kansym.pipeline.steps import steps_of
from kansym.search import registry
from kansym.search.producer import Level, Producer


def test_an_exact_law_holds_no_line_as_an_endless_wave():
    x = np.linspace(0, 50, 200)
    trial = Trial.of(from_arrays(x, 2 * np.sin(1.759 * x) + 0.05 * x + 3, ["x"]), Library.load("default"), 0)
    archive = Archive(trial, 60)
    wave = "2*sin(1.759*x) + 24003000.0*sin(2.08308e-09*x + 1.24985e-07)"
    for law in refine(parse_expression(wave, ["x"]), trial, "waves"):
        archive.add(law)
    assert exact(archive.leader, trial)
    take_limits(archive)
    assert exact(archive.leader, trial)
    assert str(archive.leader.expression).count("sin") == 1


def test_terms_that_make_up_for_a_rate_a_little_off_go():
    u = np.random.default_rng(0).uniform(0.05, 20, 300)
    data = from_arrays(u, 1 / (np.exp(u / (2 * np.pi)) - 1), ["u"])
    trial = Trial.of(data, Library.load("default"), 0)
    archive = Archive(trial, 60)
    found = parse_expression("(1 - 0.0000102*u)/(exp(0.159145*u) - 1 + 0.0000102*u)", ["u"])
    for law in refine(found, trial, "ratio"):
        archive.add(law)
    before = archive.leader.complexity
    take_limits(archive)
    assert archive.leader.complexity < before and "0.0000" not in str(archive.leader.expression)


def test_a_term_that_adds_nothing_goes():
    year = np.arange(1900.0, 2000.0, 5.0)
    people = np.round(1e6 * 1.02 ** (year - 1900))
    trial = Trial.of(from_arrays(year, people, ["year"]), Library.load("default"), 0)
    found = parse_expression("4.56741e-11*exp(0.0198026*year) - 4.56741e-11", ["year"])
    for law in refine(found, trial, "saturation"):
        assert not law.expression.is_Add, law.expression


def test_other_rows_are_met_by_another_formula_of_the_same_size():
    d = np.array([2.0, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24])
    counts = np.array([1319.0, 371, 164, 117, 89, 75, 64, 63, 51, 50, 46, 50])
    library, archives = Library.load("default"), []
    for first in (1, 0):
        data = from_arrays(d[first:], counts[first:], ["d"], weights=1 / (38 + 5130 / d[first:] ** 2))
        archives.append(Archive(Trial.of(data, library, 0), 60))
    for text in ("23.1 + 488.4/(d - 2.598)", "6516.4/d**2.165 + 41.9"):
        for law in refine(parse_expression(text, ["d"]), archives[0].trial, text):
            archives[0].add(law)
    assert "- 2." in str(archives[0].leader.expression), "the first row would be beyond a pole"
    rejudge(*archives)
    assert archives[1].leader.source.startswith("6516")


@pytest.mark.parametrize(
    ("off", "before", "kind", "more"),
    [
        (2.0, [3], "additive", True),  # standard deviations of the row that comes back
        (8.0, [3], "additive", False),  # another law could gain 32 nats
        (2.0, [3], "relative", False),
        (2.0, [3, 5], "additive", False),  # and a row goes
        (2.0, [], "additive", False),
    ],
)
def test_rows_that_only_come_back_need_no_search(off, before, kind, more):
    x = np.linspace(1, 4, 20)
    y = 2 * x + 1 + 0.1 * np.tile([1.0, -1.0], 10)
    y[3] = 2 * x[3] + 1 + 0.1 * off
    data = from_arrays(x, y, ["x"])
    seen = survey(data, robust="off")
    kept = [np.isin(np.arange(20), rows, invert=True) for rows in (before, [5] if len(before) == 2 else [])]
    kept[0][5] = True
    one, two = (replace(seen, kept=k, dataset=data.take(np.flatnonzero(k))) for k in kept)
    two = replace(two, noise=replace(two.noise, kind=kind))
    archive = Archive(Trial.of(two.dataset, Library.load("default"), 0), 60)
    for law in refine(parse_expression("1.9*x + 1.1", ["x"]), archive.trial, "linear"):
        archive.add(law)
    assert one.noise.kind == "additive"
    assert only_more(one, two, archive) is more


@pytest.mark.parametrize(("first", "second", "weighed"), [([], [], True), ([2], [], True), ([], [2], False)])
def test_exact_looks_are_not_made_again_of_the_same_rows_and_others(first, second, weighed, monkeypatch):
    rng = np.random.default_rng(3)
    X = rng.uniform(0.5, 4, (24, 2))
    data, asked = from_arrays(X, X[:, 0] + 0.05 * rng.normal(size=24), ["a", "b"]), []
    seen = survey(data, robust="off")
    one, two = (
        replace(seen, kept=k, dataset=data.take(np.flatnonzero(k)))
        for k in (np.isin(np.arange(24), rows, invert=True) for rows in (first, second))
    )
    monkeypatch.setattr(flow, "survey", lambda *given: one)
    monkeypatch.setattr(flow, "looked_again", lambda surveyed, *given: two if surveyed is one else None)
    monkeypatch.setattr(flow, "only_more", lambda *given: False)
    looks = flow._looks
    monkeypatch.setattr(flow, "_looks", lambda *given: asked.append(given[-1]) or looks(*given))
    flow.discover(data, effort=0.02)
    assert asked == [False, weighed]


@pytest.mark.parametrize(("columns", "searches"), [(1, 2), (2, 3)])
def test_one_column_is_searched_twice_at_most(columns, searches, monkeypatch):
    rng = np.random.default_rng(3)
    X = rng.uniform(0.5, 4, (24, columns))
    y = 3 * np.exp(-0.7 * X[:, 0]) + (X[:, 1] if columns > 1 else 0) + 0.05 * rng.normal(size=24)
    asked, looks = [], flow._looks
    monkeypatch.setattr(flow, "_looks", lambda *given: asked.append(given) or looks(*given))
    monkeypatch.setattr(flow, "looked_again", lambda surveyed, *given: surveyed)
    monkeypatch.setattr(flow._Passes, "misweighed", False)
    flow.discover(X, y, effort=0.02)
    assert len(asked) == searches


def test_of_one_column_familiar_curves_come_first_in_another_look():
    x = np.linspace(0.5, 4, 24)
    rows = from_arrays(x, np.exp(-x), ["x"])
    trial = Trial.of(rows, Library.load("default"), 0)
    first, second = (steps_of(rows, trial, Options(), None, again=again) for again in (False, True))
    assert second[0].name == "classics" != first[0].name
    assert {s.name for s in first} == {s.name for s in second}


@pytest.mark.parametrize(("other", "times"), [(False, 1), (True, 3)])
def test_deep_looks_are_not_made_again_for_the_same_law(other, times, monkeypatch):
    asked = []

    def propose(dataset, *, budget, library, seed):
        asked.append(budget)
        yield from ()

    probe = Producer("probe", "to count looks", Level.DEEP, 10.0, lambda: propose)
    monkeypatch.setattr(registry, "producers", lambda *given: (probe,))
    monkeypatch.setattr(flow, "looked_again", lambda surveyed, *given: surveyed)
    if other:
        forms = itertools.count()
        monkeypatch.setattr(Archive, "form", property(lambda self: str(next(forms))))
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 4, (20, 2))
    flow.discover(X, np.cos(3 * X[:, 0]) * X[:, 1] + 0.01 * rng.normal(size=20), families="off")
    assert len(asked) == times


def test_of_one_column_short_expressions_are_for_what_is_no_noise():
    for columns in (1, 2):
        rows = from_arrays(np.random.default_rng(0).uniform(1, 2, (30, columns)), np.arange(30.0))
        steps = steps_of(rows, Trial.of(rows, Library.load("default"), 0), Options(), None)
        (step,) = [s for s in steps if s.producer is registry.ENUMERATION]
        assert step.leftovers is (columns == 1)


def test_the_kind_of_noise_is_asked_of_all_rows_alike():
    # a drug after one dose, in 7 % of noise: the last rows decide a fit whose rows weigh by their value
    hours = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0])
    level = np.array([5.75, 8.75, 12.26, 14.01, 13.1, 11.5, 9.95, 7.69, 6.04, 3.21, 1.91, 0.68])
    found = flow.discover(from_arrays(hours, level, ["hours"]))
    assert found.noise_model.kind == "relative"
    rates = sorted(
        -float(p.args[0].as_coefficient(symbols(["hours"])[0])) for p in found.best.expression.atoms(exp)
    )
    assert rates == pytest.approx([0.14, 1.7], rel=0.1)

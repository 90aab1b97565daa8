"""The laws that come out of the shipped tables by default: the main job, end to end."""

import math
from dataclasses import replace

import numpy as np
import pytest
import sympy

import kansym
from kansym.cli import text
from kansym.data.dataset import from_table
from kansym.formula import grammar
from kansym.formula.program import Program
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.rivals import around
from kansym.pipeline import findings
from kansym.pipeline.flow import Options, search
from kansym.pipeline.run import Law

HC_K = 1.438776877  # second radiation constant in cm·K


@pytest.fixture(scope="module")
def found():
    return {name: search(from_table(name), Options()) for name in ("planets", "hubble", "balmer", "firas")}


def constant(run, near):
    return min((c for c in run.best.constants), key=lambda c: abs(c.value - near))


def test_planets_are_keplers(found):
    (a,) = symbols(["semi_major_axis"])
    assert found["planets"].best.expression == a ** sympy.Rational(3, 2)
    exponent = constant(found["planets"], 1.5)
    assert exponent.rounded == "3/2" and 0 < exponent.stderr < 1e-3


def test_hubble_is_a_line_through_zero(found):
    law = found["hubble"].best
    (d,) = symbols(["distance"])
    assert sympy.simplify(law.expression / d).is_Number
    (slope,) = law.constants
    assert abs(slope.value - 424) < 1 and abs(slope.stderr - 42) < 2


def test_balmer_is_balmers(found):
    law = found["balmer"].best
    (n,) = symbols(["n"])
    ratio = sympy.cancel(law.expression / (n**2 / (n**2 - 4)))
    assert ratio.is_Number
    assert abs(float(ratio) / 3646.0 - 1) < 1e-4
    assert 0 < constant(found["balmer"], 3646).stderr < 0.1


def test_firas_is_plancks(found):
    run = found["firas"]
    (x,) = symbols(["wavenumber"])
    b = constant(run, 0.528)
    T = HC_K / b.value
    assert abs(T - 2.725) < 1e-3
    c = constant(run, 39.7).value
    planck = c * x**3 / (sympy.exp(b.value * x) - 1)
    grid = np.linspace(2, 22, 50)[:, None]
    want, got = (Program.compile(e, [x]).value(grid) for e in (planck, run.best.expression))
    np.testing.assert_allclose(got, want, rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_expsine_is_exact_with_pi(seed):
    run = search(from_table("expsine"), Options(seed=seed))
    x, y = symbols(["x", "y"])
    assert run.best.expression == sympy.exp(sympy.sin(sympy.pi * x) + y**2)
    assert run.best.exact and run.stop_reason == "proved exact on held-out rows"


def test_the_same_seed_gives_the_same_result_for_any_number_of_jobs():
    runs = [search(from_table("hubble"), Options(seed=3, jobs=jobs, effort=0.3)) for jobs in (1, 2)]
    a, b = (run.to_dict() for run in runs)
    for d in (a, b):
        d.pop("seconds")
        d["options"].pop("jobs")
    assert a == b


def test_a_result_survives_json(found):
    for run in found.values():
        again = kansym.Run.from_dict(run.to_dict())
        X = np.linspace(3, 9, 20)[:, None]
        for i in range(len(run.front)):
            assert np.array_equal(again.predict(X, i), run.predict(X, i), equal_nan=True)


def test_noise_only_has_no_law():
    rng = np.random.default_rng(0)
    run = kansym.discover(rng.uniform(0, 1, (200, 2)), rng.standard_normal(200), time_limit=60)
    assert not run.best.expression.free_symbols
    assert "no law was found" in run.trust.lower()
    assert text.chosen(run).count(run.verdict.reason) == 1


def test_thirty_rows_that_look_like_noise_are_searched_for_an_exact_law():
    X = np.random.default_rng(0).uniform(0.5, 2.5, (30, 4))
    run = kansym.discover(X, X[:, 0] * np.sin(X[:, 1] * X[:, 2]) + X[:, 3], seed=0)
    assert run.best.equation == "x0*sin(x1*x2) + x3" and run.stop_reason.startswith("proved")


def test_a_law_with_noise_keeps_its_form_and_honest_errors():
    rng = np.random.default_rng(1)
    X = rng.uniform(1, 3, (400, 2))
    y = 2.5 * X[:, 0] / X[:, 1] ** 2
    run = kansym.discover(X, y + 0.02 * y.std() * rng.standard_normal(400), time_limit=60)
    truth = Program.compile(parse_expression("2.5*x0/x1**2", ["x0", "x1"]), symbols(["x0", "x1"])).value(X)
    error = math.sqrt(np.mean((run.predict(X) - truth) ** 2)) / y.std()
    assert error < 0.006
    assert 0.015 < run.noise / y.std() < 0.025


def test_a_form_with_other_constants_is_no_rival_of_itself():
    def form(text):
        return grammar.form(parse_expression(text, ["a", "b"]))

    assert form("6.248*sqrt(a/b)") == form("6.246*sqrt(a/b)")
    assert form("12.35*a/(1.4*b + a + pi)") == form("12.28*a/(1.37*b + a + 3.148)")
    assert form("6.248*sqrt(a/b)") != form("6.248*sqrt(a/b) + 0.1")


def test_rivals_are_compared_where_measurements_can_be():
    points = around(np.array([[0.5, -1.0, 30.0], [4.5, 3.0, 50.0]]))
    low, high = points.min(0), points.max(0)
    assert low == pytest.approx([0.0, -2.0, 25.0], abs=0.1) and low[0] >= 0
    assert high == pytest.approx([5.5, 4.0, 55.0], abs=0.1)


def test_a_law_stands_once_on_the_front_whatever_its_numbers():
    def law(equation, **changed):
        return replace(Law(equation, 9, 3.5, 4.5, 0.0, 50.0, parse_expression(equation, ["conc"])), **changed)

    chosen, other = law("5 + 92.79*exp(-0.392*conc)"), law("12.7*conc", complexity=3)
    twin = law("5.136 + 92.67*exp(-0.393*conc)")
    kept, place = findings._each_once([other, twin, chosen], 2)
    assert kept == [other, chosen] and place == 1
    guessed = replace(twin, source="guess: c + A*exp(-k*conc)")
    assert guessed in findings._each_once([guessed, chosen], 1)[0]


def test_a_long_formula_gets_no_nicer_form_when_the_time_is_up(monkeypatch):
    asked = []
    monkeypatch.setattr(findings, "normalised", lambda law, trial: asked.append(law.polished) or law)
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 2, (200, 6))
    y = X @ rng.uniform(1, 2, 6) + 0.01 * rng.normal(size=200)
    run = kansym.discover(X, y, time_limit=0.0, seed=0)
    assert len(run.best.constants) > findings.FEW_CONSTANTS
    assert all(len(polished.theta) <= findings.FEW_CONSTANTS for polished in asked)

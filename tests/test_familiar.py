"""Familiar curves end a search where only noise is left, and are shown in customary constants."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sympy

from kansym import discover
from kansym.formula.expression import complexity
from kansym.formula.grammar import form
from kansym.formula.polish import Rows
from kansym.functions.parsing import symbols
from kansym.pipeline.familiar import by_level
from kansym.pipeline.run import Law, Run


@pytest.fixture(scope="module")
def enzyme():
    rng = np.random.default_rng(0)
    S = np.repeat([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 3)
    v = 11.7 * S / (2.9 + S) * (1 + 0.03 * rng.normal(size=24))
    return discover(S[:, None], v, names=["S"], target="v")


def test_the_family_is_named_with_its_constants_and_errors(enzyme):
    law = enzyme.best
    assert law.family == "Michaelis-Menten" and "Vmax" in law.form
    known = {c.name: c for c in law.constants}
    assert set(known) == {"Vmax", "Km"} and all(0 < c.stderr < np.inf for c in known.values())
    assert abs(known["Vmax"].value - 11.7) < 4 * known["Vmax"].stderr
    assert enzyme.stop_reason == "a familiar curve leaves nothing but noise"


def test_the_chosen_law_in_its_familys_constants_stands_once_and_at_its_own_size():
    """An offset that is nothing goes; the row without one, a Hill curve of power 1, says the same."""
    x = np.linspace(0.2, 10, 40)
    y = 3.2 * x / (1.7 + x) + np.random.default_rng(0).normal(0, 0.02, 40)
    x, y = (np.array([float(f"{v:.5g}") for v in values]) for values in (x, y))
    run = discover(x[:, None], y)
    assert len({law.equation for law in run.front}) == len(run.front)
    assert run.best.complexity == complexity(run.best.expression)
    sizes = [law.complexity for law in run.front]
    assert sizes == sorted(sizes)


def test_family_and_form_survive_saving(enzyme):
    again = Run.from_dict(json.loads(json.dumps(enzyme.to_dict())))
    assert (again.best.family, again.best.form) == (enzyme.best.family, enzyme.best.form)


def test_without_families_nothing_is_familiar():
    x = np.linspace(1, 5, 12)
    run = discover(x[:, None], 2 * x + 1, families="off")
    assert all(law.family == "" for law in run.front)


def test_a_falling_curve_is_not_taken_for_drifting_noise_about_a_constant():
    """In NIST's Chwirut1 each row is like the one before it, as in noise that drifts."""
    table = Path(__file__).parents[1] / "scripts" / "problems" / "real" / "nist" / "Chwirut1.csv"
    run = discover(str(table))
    assert run.best.expression.free_symbols and run.best.loss < 1.2 * 3.36**2


def test_a_waves_amplitude_is_above_zero():
    day = np.arange(1.0, 366.0, 9.0)
    noise = 0.03 * np.random.default_rng(3).normal(size=day.size)
    law = discover(day[:, None], 12.2 - 4.4 * np.sin(0.0172 * day + 1.75) + noise, names=["day"]).best
    values = {c.name: c.value for c in law.constants}
    assert law.family == "waves about a mean" and values["A"] == pytest.approx(4.4, abs=0.05)
    assert values["p"] == pytest.approx(1.75 - np.pi, abs=0.05) and "- 4.4" not in law.equation


def test_a_special_case_has_its_own_familys_name():
    year = np.arange(1790.0, 1960.0, 10)
    noise = 1 + 0.015 * np.random.default_rng(5).normal(size=year.size)
    people = 195 / (1 + np.exp(-0.0314 * (year - 1914))) * noise
    law = discover(year[:, None], np.round(people, 2), names=["year"], families="default").best
    assert law.family == "logistic" and [c.name for c in law.constants] == ["K", "r", "m"]


def test_what_fits_about_as_well_does():
    # a power of the mass alone needs few nats more, and is off by three times as much
    m = np.array([50, 100, 150, 200, 250, 300, 400, 500], float)
    noise = 0.006 * np.random.default_rng(1411).normal(size=8)
    run = discover(m[:, None], np.round(2 * np.pi * np.sqrt((m + 22) / 9600) + noise, 3), names=["m"])
    assert run.rivals and all(rival.loss <= 2.5 * run.best.loss for rival in run.rivals)
    assert not {form(rival.expression) for rival in run.rivals} & {form(run.best.expression)}


def test_an_exact_factor_is_multiplied_into_the_numbers_of_levels():
    a, b, x = symbols(["k=a", "k=b", "x"])
    X = np.array([[1, 0, 1], [1, 0, 2], [0, 1, 1], [0, 1, 3.0]])
    rows = Rows(X, X[:, 2], None, (a, b, x))
    formula = 3 * x * (1.05 * a + 2.8 * b) / (x + 3)
    law = Law(str(formula), 9, 0.1, 0.1, 0.0, 1.0, formula)
    written = by_level(law, rows, [("k=a", "k=b")]).expression
    assert sorted(float(n) for n in written.atoms(sympy.Float)) == pytest.approx([3.15, 8.4])


def test_growth_by_the_calendar_year_is_an_exponential_counted_from_a_year_near_the_rows():
    """Its factor in year 0, 1e-293, is no absurd number; the rows tell what it was in 1970."""
    year = np.array([1971, 1974, 1978, 1982, 1985, 1989, 1993, 1997, 2000, 2003, 2006, 2010, 2014.0])
    factor = np.exp(0.35 * np.random.default_rng(7709).normal(size=13))
    counts = [float(f"{v:.2g}") for v in 2300 * 2 ** ((year - 1971) / 2.05) * factor]
    run = discover(year[:, None], np.array(counts), names=["year"], target="transistors")
    law, known = run.best, {c.name: c for c in run.best.constants}
    assert law.family == "exponential" and law.form == "A*exp(k*(year - 1970))"
    assert known["k"].value == pytest.approx(0.338, abs=0.02)
    assert 0 < known["A"].stderr < 0.5 * known["A"].value and 500 < known["A"].value < 5000
    assert run.noise_model.kind in ("relative", "log")

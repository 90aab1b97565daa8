"""Families of curves: read as data, fitted from many starts, tried first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.base.budget import Budget
from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression, symbols
from kansym.search.families import classics, described, projection, starts
from kansym.search.families.customary import customary
from kansym.search.families.family import INPUTS, ROLES, Families, Start
from kansym.search.families.projection import Rows

SHIPPED = Families.load()
ONE_INPUT = [name for name, family in SHIPPED.items() if family.columns == 1]


def rows(X, y, w=None):
    X = np.asarray(X, float)
    return Rows(X[:, None] if X.ndim == 1 else X, np.asarray(y, float), np.ones(len(y)) if w is None else w)


def proposed(X, y, **options):
    dataset = from_arrays(X, y)
    return list(classics.propose(dataset, budget=Budget(), **options))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_family_is_linear_in_what_it_says(name):
    form = SHIPPED[name].form(1)
    for constant in form.linear:
        assert sympy.diff(form.formula, constant, 2) == 0
    if form.inside:
        below = sympy.fraction(sympy.together(form.formula))[1]
        assert all(sympy.diff(below, c, 2) == 0 for c in form.inside)
    assert form.formula.free_symbols == {*form.constants, *INPUTS[: form.columns]}


@pytest.mark.parametrize("name", ONE_INPUT)
def test_every_family_finds_its_own_curve(name):
    """Constants are those of the family's own start in the middle of its lists, moved a little."""
    family = SHIPPED[name]
    x = np.linspace(0.5, 10.0, 60)
    form = family.form(1)
    rng = np.random.default_rng(3)
    theta = np.concatenate([rng.uniform(1, 2, len(form.linear)), 0.05 * rng.uniform(1, 2, len(form.inside)),
                            [_middle(s, x) * 1.07 for s in form.starts]])  # fmt: skip
    y = projection.program_of(form).value(x[:, None], theta)
    assert np.all(np.isfinite(y))
    found = projection.fit(form, rows(x, y), steps=projection.FULL_STEPS)
    assert found.cost <= 1e-12 * np.sum((y - y.mean()) ** 2)


def _middle(start: Start, x: np.ndarray) -> float:
    if start.role == "frequency":
        return 2.3
    listed = starts.values(start.role, x, x)
    return float(listed[len(listed) // 2])


def test_terms_are_numbered_and_added():
    family = SHIPPED["decays with offset"]
    assert [str(c) for c in family.form(1).constants] == ["c", "A", "k"]
    assert [str(c) for c in family.form(2).constants] == ["c", "A1", "A2", "k1", "k2"]


def test_families_are_chosen_by_name_and_by_functions():
    assert list(SHIPPED.only(["Hill", "line"])) == ["Hill", "line"]
    assert "Hill" not in SHIPPED.exclude(["Hill"])
    with pytest.raises(UnknownNameError, match="Hil"):
        SHIPPED.only(["Hil"])
    plain = SHIPPED.within(Library.load("polynomial"))
    assert "cubic" in plain and "exponential" not in plain and "waves" not in plain
    assert not Families.load("off")


def test_a_person_adds_families(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[pulse]\nformula = "A*x^2*exp(-k*x)"\nlinear = ["A"]\nstart = { k = "rate" }\n')
    x = np.linspace(0.1, 8, 50)
    noise = 0.001 * np.random.default_rng(0).normal(size=50)
    best = proposed(x, 3 * x**2 * np.exp(-1.3 * x) + noise, families=Families.load(path))
    assert [c.source for c in best] == ["pulse"]


@pytest.mark.parametrize(
    ("text", "error", "word"),
    [
        ("[f]\nlinear = []", FormatError, "formula"),
        ('[f]\nformula = "a*x"\nlinear = "a"', FormatError, "lists"),
        ('[f]\nformula = "a*x"\nlinear = ["a"]\nstrat = {}', FormatError, "strat"),
        ('[f]\nformula = "a*x + b"\nlinear = ["a"]', InputError, "b"),
        ('[f]\nformula = "a*x"\nlinear = ["a", "b"]', InputError, "b"),
        ('[f]\nformula = "a"\nlinear = ["a"]', InputError, "x"),
        ('[f]\nformula = "a*x^n"\nlinear = ["a"]\nstart = { n = "power" }', InputError, "power"),
        ('[f]\nformula = "c"\nterm = "a*x"\nlinear = ["c", "a"]\nterms = 9', InputError, "9"),
        ('[f]\nformula = "a*x"\nlinear = ["a"]\npositive = ["k"]', InputError, "k"),
        ('[f]\nformula = "a*x"\nlinear = ["a"]\npositive = "a"', FormatError, "positive"),
        ('[f]\nformula = "a*x"\nlinear = ["a"]\ncommon = "often"', FormatError, "common"),
        ('[f]\nformula = "a*x"\nlinear = ["a"]\ncommon = true', FormatError, "common"),
        ('[f]\nformula = "a*x"\nlinear = ["a"]\ncommon = 0', InputError, "above 0"),
        ("[f", FormatError, "TOML"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path, text, error, word):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(error, match=word):
        Families.load(path)


def test_unknown_families_are_refused():
    with pytest.raises(UnknownNameError, match="everything"):
        Families.load("everything")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("factor", [1e-6, 1e4])
def test_starts_follow_the_scale_of_the_input(role, factor):
    x = np.linspace(1.0, 7.0, 40)
    left = np.sin(3.1 * x)
    inverse = role in ("frequency", "rate", "rate up", "steepness", "damping")
    power = -1 if inverse else 0 if role in ("exponent", "shape", "phase") else 1
    before, after = starts.values(role, x, left), starts.values(role, factor * x, left)
    assert after == pytest.approx(before * factor**power, rel=1e-6)


@given(w=st.floats(0.2, 9.0), phase=st.floats(0.0, 6.2))
@settings(max_examples=20, deadline=None)
def test_the_spectrum_starts_any_wave(w, phase):
    x = np.sort(np.random.default_rng(1).uniform(0, 40, 250))
    found = starts.frequencies(x, np.sin(w * x + phase))
    assert np.min(np.abs(found - w)) < 0.5 * np.pi / 40


@pytest.mark.parametrize("w", [1.0, 1.759])
def test_many_waves_on_a_slope_are_exact(w):
    x = np.linspace(0, 100, 300)
    first = proposed(x, 2 * np.sin(w * x) + 0.05 * x + 3)[0]
    assert first.source == "decays and waves" and first.score < 1e-20


def test_three_decays_are_told_apart():
    x = np.arange(24) * 0.05
    y = 0.0951 * np.exp(-x) + 0.8607 * np.exp(-3 * x) + 1.5576 * np.exp(-5 * x)
    first = proposed(x, y)[0]
    assert first.source == "decays and waves"
    assert sorted(abs(float(v)) for v in first.expression.atoms(sympy.Float))[2:] == pytest.approx(
        [1.0, 1.5576, 3.0, 5.0], rel=1e-4
    )


def test_two_inputs_are_tried_in_both_orders():
    rng = np.random.default_rng(2)
    X = rng.uniform(0.2, 8, (60, 2))
    y = 12.5 * X[:, 1] / (3.3 * (1 + X[:, 0] / 2.4) + X[:, 1])
    first = proposed(X, y * (1 + 0.01 * rng.normal(size=60)))[0]
    assert first.source == "competitive inhibition"


def test_weights_decide():
    x = np.linspace(1, 5, 40)
    y = 2 * np.exp(-0.7 * x)
    y[20:] = 5.0
    dataset = from_arrays(x, y, weights=np.where(np.arange(40) < 20, 1.0, 1e-12))
    first = next(
        iter(classics.propose(dataset, budget=Budget(), families=SHIPPED.only(["exponential", "line"])))
    )
    assert first.source == "exponential" and first.score < 1e-6


def test_no_curve_with_a_pole_or_an_alias_between_the_rows():
    x = np.arange(8.0)
    y = np.array([0.1, 0.3, -0.2, 0.05, 0.2, -0.1, 0.15, -0.3])
    data = rows(x, y)
    for found in classics.best(data, list(SHIPPED.values()), Budget()):
        dense = np.linspace(0, 7, 5000)[:, None]
        values = projection.program_of(found.fitted.form).value(dense, found.fitted.theta)
        shown = projection.program_of(found.fitted.form).value(data.X, found.fitted.theta)
        assert np.abs(np.diff(values)).sum() <= 3 * np.abs(np.diff(shown)).sum() + 1e-6


def test_a_power_may_end_at_a_limit_beyond_the_rows():
    h = np.linspace(0, 9000, 25)
    best = proposed(h, 1013.25 * (1 - h / 44330) ** 5.256)[0]
    assert best.source == "power below a limit" and best.score < 1e-9


def test_the_middle_of_a_step_lies_near_the_rows():
    x = np.linspace(0, 10, 30)
    logistic = SHIPPED.only(["logistic"])
    assert proposed(x, 7 / (1 + np.exp(-0.8 * (x - 13))), families=logistic)
    assert proposed(x, 7 / (1 + np.exp(-0.8 * (x - 16))), families=logistic) == []


def test_no_families_and_no_time_give_nothing():
    x = np.linspace(1, 5, 10)
    assert proposed(x, x**2, families=Families(())) == []
    assert list(classics.propose(from_arrays(x, x**2), budget=Budget(work=0.0))) == []


@pytest.mark.parametrize(
    ("text", "family", "expected"),
    [
        ("4*S/(S/3 + 1)", "Michaelis-Menten", {"Vmax": "12", "Km": "3"}),
        ("11.8086*S/(2.9*S + 1)", "Michaelis-Menten", {"Vmax": 11.8086 / 2.9, "Km": 1 / 2.9}),
        ("2*sin(3*S + 1) + 0.5*S - 7", "waves on a trend", {"w": 3.0, "b": 0.5, "c": -7.0}),
        ("62.5*exp(-0.0373*S) + 21.8", "exponential with offset", {"A": 62.5, "k": 0.0373, "c": 21.8}),
    ],
)
def test_a_law_is_read_in_customary_constants(text, family, expected):
    columns = symbols(["S"])
    law = parse_expression(text, ["S"])
    x = np.linspace(0.2, 9.0, 40)
    noise = 0.01 * np.random.default_rng(0).normal(size=40)
    y = sympy.lambdify(columns, law)(x) + noise
    found = customary(law, columns, rows(x, y), 1e-4, SHIPPED)
    assert found.family == family
    values = {name: value if exact is None else exact for name, value, _, exact in found.constants}
    for name, value in expected.items():
        shown = values[name]
        assert shown == value if isinstance(value, str) else float(sympy.S(shown)) == pytest.approx(value)
    assert all(0 < error < np.inf for _, _, error, _ in found.constants)
    same = sympy.lambdify(columns, found.expression - law)(x)
    assert np.abs(same).max() < 1e-9


def test_no_family_is_named_by_an_exact_constant_that_the_rows_do_not_show():
    columns, x = symbols(["S"]), np.linspace(5, 60, 12)
    law = parse_expression("3.75777e-5*S**2 + 2.00745", ["S"])
    data = rows(x, sympy.lambdify(columns, law)(x) + 0.002 * np.random.default_rng(0).normal(size=12))
    peak = SHIPPED.only(["power of a Lorentzian"])
    assert customary(law, columns, data, 1e-9, peak).family == "power of a Lorentzian"
    assert customary(law, columns, data, 1e-5, peak) is None, "its power is -1, but may be -5 as well"


def test_a_formula_of_no_family_has_no_customary_constants():
    columns = symbols(["S"])
    law = parse_expression("sin(S**2)/(1 + S)", ["S"])
    x = np.linspace(0.2, 9.0, 40)
    some = SHIPPED.only(["line", "Hill", "exponential", "waves"])
    assert customary(law, columns, rows(x, np.sin(x)), 1.0, some) is None


def test_other_inputs_stand_beside_a_family():
    rng = np.random.default_rng(4)
    X = rng.uniform(0.1, 4, (200, 2))
    y = 4 * X[:, 0] / (0.7 + X[:, 0]) + 0.5 * X[:, 1] + 0.02 * rng.normal(size=200)
    found = proposed(X, y)
    assert found[0].score < 1e-3
    assert "Michaelis-Menten" in found[0].source and found[0].source.endswith("a line in the others")


def test_an_input_that_does_not_matter_stands_in_no_line():
    rng = np.random.default_rng(4)
    X = rng.uniform(0.1, 3, (400, 4))
    y = 4 * X[:, 1] / (0.7 + X[:, 1]) + 0.5 * X[:, 2] + 0.02 * rng.normal(size=400)
    found = proposed(X, y)
    assert "Michaelis-Menten" in found[0].source
    assert {s.name for s in found[0].expression.free_symbols} == {"x1", "x2"}


def test_a_product_of_powers_drops_the_columns_that_do_not_matter():
    rng = np.random.default_rng(5)
    X = rng.uniform(0.5, 3, (300, 5))
    y = 2 * X[:, 0] ** 1.56 / X[:, 3] ** 1.75 + 0.05 * rng.normal(size=300)
    first = proposed(X, y)[0]
    assert first.source == "product of powers"
    assert {s.name for s in first.expression.free_symbols} == {"x0", "x3"}


def test_negative_targets_have_products_of_powers_too():
    X = np.random.default_rng(6).uniform(0.5, 3, (60, 2))
    first = proposed(X, -3 * X[:, 0] ** 2.5 * X[:, 1])[0]
    assert first.score < 1e-20


def test_a_saturation_does_not_explode():
    x = np.linspace(1, 4, 18)
    y = 0.42 * (np.exp(0.6 * x) - 1) + 0.002 * np.random.default_rng(1).normal(size=18)
    families = Families.load().only(["saturation", "exponential", "exponential with offset"])
    best = proposed(x, y, families=families)
    assert "saturation" not in [c.source for c in best] and best
    falling = proposed(x, 3 * (1 - np.exp(-0.6 * x)), families=families)
    assert falling[0].source == "saturation"
    assert not proposed(x, y, families=families.only(["saturation"]))


@pytest.mark.parametrize(
    ("law", "family"),
    [("8.31*(T + 273)/V", "power and line"), ("3.1*exp(0.013*T + 0.021*V)", "exponential of two inputs")],
)
def test_a_line_over_another_input_and_an_exponential_of_two_are_familiar(law, family):
    rng = np.random.default_rng(3)
    X = np.array([(v, t) for v in (20, 25, 30, 40, 50, 60) for t in (5, 22, 41, 63)], float)
    values = {"V": X[:, 0], "T": X[:, 1], "exp": np.exp}
    y = eval(law, values) * (1 + 0.008 * rng.normal(size=len(X)))
    found = proposed(X, y)
    assert family in [c.source for c in found[:2]]


def test_a_saturation_beside_a_line_does_not_explode():
    X = np.random.default_rng(0).uniform(1, 20, (60, 2))
    y = 0.015 * X[:, 0] * (X[:, 1] + 53.0) * (1 + 0.002 * X[:, 0])
    assert "exponential approach to a line" not in {c.source for c in proposed(X, y)}


def test_a_curve_that_two_families_write_is_offered_once():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(5, 160, 36), rng.choice([0.0, 20, 40, 60], 36)])
    y = 2.1 + 0.038 * X[:, 0] - 0.000112 * X[:, 0] ** 2 + 0.021 * X[:, 1] + 0.28 * rng.normal(size=36)
    rows = Rows.of(from_arrays(X, y, ["N", "P"]))
    chosen = Families.load().only(["quadratic", "quadratic and line", "line", "logarithm and line"])
    found = classics.best(rows, list(chosen.values()), Budget())
    curves = [f"{f.fitted.cost:.6g}" for f in found]
    assert len(set(curves)) == len(curves) and "quadratic and line" in [f.fitted.form.family for f in found]


def test_of_two_families_as_close_the_common_one_is_shorter():
    x = np.linspace(1, 9, 30)
    usual = projection.fit(SHIPPED["Arrhenius"].form(), rows(x, 3 * np.exp(-2 / x)))
    rare = replace(usual, form=replace(usual.form, common=0.2))
    assert described.length(rare, rows(x, x)) == pytest.approx(
        described.length(usual, rows(x, x)) + np.log(40)
    )


def test_a_sum_of_two_powers_has_everyday_exponents():
    v = np.linspace(25, 140, 18)
    y = 130 / v + 0.00042 * v**2 + 0.1 * np.random.default_rng(0).normal(size=18)
    sums = [
        f for f in classics.rough(SHIPPED["sum of two powers"], (0,), rows(v, y)) if not f.fitted.form.others
    ]
    assert sums[0].fitted.form.formula.atoms(sympy.Pow) == {1 / INPUTS[0], INPUTS[0] ** 2}
    assert not classics.rough(SHIPPED["sum of two powers"], (0,), rows(v[:2], y[:2]))


def test_light_behind_a_slit_is_told_from_a_peak():
    x = np.linspace(-5, 5, 61)
    y = 95 * np.sinc(1.9 * x / np.pi) ** 2 + 2 + np.random.default_rng(0).normal(size=61)
    assert proposed(x, y)[0].source == "light behind a slit"

"""Pade fits: exact laws, noise, poles, real knots, tiny tables, and the producer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.base.errors import InputError
from kansym.base.polynomials import exponents
from kansym.data.dataset import from_arrays
from kansym.data.table import shipped_path
from kansym.functions.parsing import symbols
from kansym.search.rational import monomials as rational
from kansym.search.rational.chooser import Chooser
from kansym.search.rational.monomials import columns
from kansym.search.rational.pade import fit_pade, written
from kansym.search.rational.search import propose

RNG_SEED = 7


def table(law, names, low, high, rows, noise=0.0):
    rng = np.random.default_rng(RNG_SEED)
    X = rng.uniform(low, high, (rows, len(names)))
    y = sympy.lambdify(sympy.symbols(names), law)(*X.T)
    return X, y * (1 + 0 * X[:, 0]) + noise * rng.normal(size=rows)


def same(fit, law):
    symbols = {n: sympy.Symbol(n, real=True) for n in fit.names}
    found = sympy.nsimplify(fit.expression, rational=True, tolerance=1e-9)
    return sympy.simplify(found - sympy.sympify(law, symbols)) == 0


LAWS = [
    ("(u + v)/(1 + u*v/c**2)", ["c", "v", "u"], 1, 5, 1000),
    ("(1 + 2*x - x*y)/(3 + x**2 + y**2)", ["x", "y"], -2, 2, 300),
    ("l*a/(a**2 + b**2)", ["l", "a", "b"], 0.5, 3, 300),
    ("2*x**3 - x*y + 1", ["x", "y"], -1, 1, 200),
    ("1/(x - y)", ["x", "y"], 0, 1, 200),
]


@pytest.mark.parametrize("law,names,low,high,rows", LAWS)
@pytest.mark.parametrize("degree", [None, (3, 3)])
def test_exact_laws_are_found_exactly(law, names, low, high, rows, degree):
    X, y = table(law, names, low, high, rows)
    fit = fit_pade(X, y, degree, names=names)
    assert same(fit, law), fit.expression
    assert fit.error < 1e-13
    terms = [row.terms for row in fit.front]
    errors = [row.error for row in fit.front]
    assert terms == sorted(terms) and errors == sorted(errors, reverse=True)


def test_units_do_not_matter():
    X, y = table("(u + v)/(1 + u*v/c**2)", ["c", "v", "u"], 1, 5, 400)
    fit = fit_pade(X * np.array([3e8, 1e-34, 1e20]), y * 1e-6, (3, 2), names=["c", "v", "u"])
    assert fit.terms == 4 and fit.error < 1e-12


def test_noise_chooses_the_true_terms_and_says_how_sure():
    X, y = table("(1 + 2*x - x*y)/(3 + x**2 + y**2)", ["x", "y"], -2, 2, 600, noise=0.005)
    fit = fit_pade(X, y, names=["x", "y"])
    assert set(fit.numerator) == {(0, 0), (1, 0), (1, 1)}
    assert set(fit.denominator) == {(0, 0), (2, 0), (0, 2)}
    assert fit.denominator[0, 0] == 1 and fit.denominator_errors[0, 0] == 0
    for found, error, truth in [
        (fit.numerator, fit.numerator_errors, {(0, 0): 1 / 3, (1, 0): 2 / 3, (1, 1): -1 / 3}),
        (fit.denominator, fit.denominator_errors, {(2, 0): 1 / 3, (0, 2): 1 / 3}),
    ]:
        for powers, value in truth.items():
            assert abs(found[powers] - value) < 4 * error[powers] < 0.05


def test_a_fit_to_noise_alone_is_a_constant_or_nearly():
    rng = np.random.default_rng(1)
    fit = fit_pade(rng.normal(size=(200, 2)), 5 + rng.normal(size=200))
    assert fit.terms <= 3 and not fit.poles


def test_tiny_table_balmer():
    n = np.array([3, 4, 5, 6, 7, 8, 9.0])
    error = 1e-6 * np.array([1, -1, 1, 1, -1, -1, 1])
    fit = fit_pade(n, 3645.07 * n**2 / (n**2 - 4) * (1 + error), names=["n"])
    assert set(fit.numerator) == {(2,)} and set(fit.denominator) == {(0,), (2,)}
    assert fit.denominator[(2,)] == pytest.approx(-0.25, rel=1e-4)
    assert not fit.poles


def test_a_true_pole_is_found_and_reported():
    x = np.linspace(-1, 1, 101)
    fit = fit_pade(x, 1 / (x - 0.305), names=["x"])
    assert fit.error < 1e-12
    assert fit.poles == ((pytest.approx(0.305, abs=1e-9),),)
    assert "x = 0.305" in fit.notes[0]


def test_noise_does_not_invent_poles():
    rng = np.random.default_rng(3)
    X = rng.uniform(-1, 1, (300, 2))
    y = np.exp(X[:, 0]) * np.cos(X[:, 1]) + 0.05 * rng.normal(size=300)
    assert not fit_pade(X, y, (3, 3)).poles


def test_dense_fit_keeps_every_term():
    X, y = table("exp(x)*cos(y)", ["x", "y"], -1, 1, 300)
    fit = fit_pade(X, y, (2, 2), sparse=False)
    assert fit.terms == 12
    assert fit.error < 0.01


def test_weights_leave_rows_out():
    X, y = table("(1 + x)/(2 + x**2)", ["x"], -1, 1, 100)
    y[:5] += 100
    w = np.ones(100)
    w[:5] = 0
    assert same(fit_pade(X, y, (2, 2), weights=w, names=["x"]), "(1 + x)/(2 + x**2)")


@pytest.mark.parametrize("seed", range(3))
def test_knot_signatures(seed):
    frame = pd.read_csv(shipped_path("knots"))
    names = ["longitudinal_translation", "meridinal_translation_imag", "meridinal_translation_real"]
    names += ["volume", "hyperbolic_torsion_degree", "short_geodesic_real_part", "short_geodesic_imag_part"]
    X, y = frame[names].to_numpy(float), frame["signature"].to_numpy(float)
    order = np.random.default_rng(seed).permutation(len(y))
    held, train = order[: len(y) // 5], order[len(y) // 5 :]
    fit = fit_pade(X[train], y[train], (2, 2), names=names)
    accuracy = np.mean(2 * np.round(fit.predict(X[held]) / 2) == y[held])
    assert accuracy >= 0.86


def test_five_variables_degree_three_recover_a_long_law():
    law = "(x0*x1 + 2*x2**3)/(1 + x3**2 + x4*x0)"
    X, y = table(law, [f"x{i}" for i in range(5)], 1, 3, 1000)
    assert same(fit_pade(X, y, (3, 3)), law)


def test_bad_input_is_refused():
    X, y = np.ones((5, 1)), np.ones(5)
    for call in (
        lambda: fit_pade(X, y[:4]),
        lambda: fit_pade(X, y, degree=(1, -1)),
        lambda: fit_pade(X, y, weights=-y),
        lambda: fit_pade(X, y * np.nan),
        lambda: fit_pade(X, y, names=["a", "b"]),
        lambda: fit_pade(X, y, (3, 3), sparse=False),
        lambda: fit_pade(X[:2], y[:2]),
    ):
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize(
    ("law", "names", "low", "high"),
    [
        ("sqrt((a - b)**2 + (c - d)**2)", ["a", "b", "c", "d"], 1, 5),
        ("m/sqrt(1 - v**2/c**2)", ["m", "v", "c"], [1, 1, 3], [5, 2, 10]),
        ("log((1 + x)/(2 + x*y))", ["x", "y"], 0, 3),
        ("-exp(x/(1 + y))", ["x", "y"], 0, 3),
    ],
)
def test_the_producer_finds_roots_logarithms_and_exponentials_of_ratios(law, names, low, high):
    X, y = table(law, names, low, high, 500)
    first = next(propose(from_arrays(X, y, names), budget=Budget()))
    assert first.source == "pade" and first.score == 0
    value = sympy.lambdify(sympy.symbols(names, real=True), first.expression)(*X.T)
    assert np.allclose(value, y, rtol=1e-9)


def test_the_producer_keeps_to_the_library():
    X, y = table("sqrt((a - b)**2 + 1)", ["a", "b"], 1, 5, 300)
    assert next(propose(from_arrays(X, y, ["a", "b"]), library={"sqrt": None}, budget=Budget())).score == 0
    assert all(
        not c.expression.has(sympy.sqrt)
        for c in propose(from_arrays(X, y, ["a", "b"]), library={}, budget=Budget())
    )


def test_the_producer_is_repeatable_and_honest_about_what_it_cannot():
    X, y = table("exp(sin(3*x) + y**2)", ["x", "y"], -1, 1, 300)
    a, b = (list(propose(from_arrays(X, y, ["x", "y"]), seed=1, budget=Budget())) for _ in range(2))
    assert [c.expression for c in a] == [c.expression for c in b]
    assert all(c.score > 1e-8 for c in a)


def test_monomials():
    E = exponents(3, 2)
    Z = np.random.default_rng(0).normal(size=(4, 3))
    assert np.allclose(columns(Z, E), np.stack([np.prod(Z**e, axis=1) for e in E], axis=1))


def test_a_ratio_whose_first_coefficient_is_zero_is_written() -> None:
    x = np.linspace(1, 2, 50)
    chooser = Chooser.of(x[:, None], x**2, None, 2, None, 0)
    ratio = rational.measured(chooser.sheet, ((0, 1, 2), (0,)), np.array([0.0, 0.0, 1.0]), np.array([1.0]))
    assert written(chooser, ratio, symbols(["x"])).has(symbols(["x"])[0])

"""Polish reaches machine precision; settle fixes what the data allow and nothing they contradict."""

import math

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.base.losses import Loss
from kansym.formula import constants
from kansym.formula.polish import Rows, polish
from kansym.formula.program import Program
from kansym.formula.settling import settle
from kansym.functions.parsing import parse_expression, symbols

NAMES = ["x", "y"]
COLUMNS = symbols(NAMES)


def rows(law, n=300, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 2.5, (n, 2))
    values = Program.compile(parse_expression(law, NAMES), COLUMNS).value(X)
    return Rows(X, values + noise * rng.standard_normal(n), None, COLUMNS)


@pytest.mark.parametrize(
    ("law", "start"),
    [
        ("exp(sin(pi*x) + y**2)", "0.9*exp(1.1*sin(3.1*x) + 0.95*y**2)"),
        ("3*x*y/(1 + x*y/7)", "2.5*x*y/(1.2 + x*y/6.1)"),
        ("2.7*x**1.5*y**-0.5", "2.0*x**1.3*y**(-0.6)"),
    ],
)
def test_polish_reaches_machine_precision(law, start):
    data = rows(law)
    fit = polish(parse_expression(start, NAMES), data)
    assert math.sqrt(fit.loss) < 1e-12 * np.std(data.y)


@pytest.mark.parametrize(
    ("law", "start"),
    [
        ("exp(sin(pi*x) + y**2)", "0.9*exp(1.1*sin(3.1*x + 0.02) + 0.95*y**2 + 0.1) + 0.01"),
        ("x**(3/2)/y", "1.1*x**1.4*y**(-0.9)"),
        ("x*y/2 + 1", "0.4*(1.1*x + 0.1)*(1.2*y - 0.1) + 0.9"),
        ("sqrt(x**2 + y**2)", "1.1*(0.9*x**2.0 + 1.2*y**2.0 + 0.1)**0.5"),
        ("x/(4*pi*y**2)", "0.08*x**1.1*y**(-1.9)"),
    ],
)
def test_settle_finds_the_exact_law_without_its_redundant_constants(law, start):
    data = rows(law)
    found = settle(polish(parse_expression(start, NAMES), data), data)
    truth = parse_expression(law, NAMES)
    assert sympy.simplify(found.expression - truth) == 0, found.expression
    assert len(found.theta) == 0


def test_settle_keeps_what_the_data_contradict():
    data = rows("2.0003*x + 0.3333*y", noise=1e-6)
    found = settle(polish(parse_expression("2.1*x + 0.3*y", NAMES), data), data)
    assert len(found.theta) == 2
    assert found.theta == pytest.approx(sorted([2.0003, 0.3333], key=lambda v: -v), abs=1e-5) or set(
        np.round(found.theta, 4)
    ) == {2.0003, 0.3333}


def test_pi_is_paid_for_once():
    data = rows("2*pi*x", noise=0.1)
    found = settle(polish(parse_expression("6.1*x", NAMES), data), data)
    assert found.expression == 2 * sympy.pi * COLUMNS[0]
    # where it adds no symbols there is nothing to give back: 0.31 ± 0.01 is not 1/pi
    data = rows("0.31*x", noise=0.3)
    found = settle(polish(parse_expression("0.3*x", NAMES), data), data)
    assert not found.expression.has(sympy.pi)


def test_an_exponent_is_a_fraction_or_measured():
    (r,) = symbols(["r"])
    x = np.linspace(1, 5, 200)[:, None]
    for exponent, allowed in ((2**0.5, None), (1.5, sympy.Rational(3, 2))):
        y = 0.4256 * x[:, 0] ** -exponent * (1 + 0.003 * np.random.default_rng(1).standard_normal(200))
        data = Rows(x, y, None, (r,))
        settled = settle(polish(sympy.Float(0.42) * r ** sympy.Float(-exponent), data), data)
        (power,) = settled.expression.atoms(sympy.Pow)
        assert power.exp.is_Float if allowed is None else power.exp == -allowed


def test_settle_rounds_within_the_noise():
    data = rows("2*x + y/3", noise=0.01)
    found = settle(polish(parse_expression("2.1*x + 0.3*y", NAMES), data), data)
    assert found.expression == 2 * COLUMNS[0] + COLUMNS[1] / 3
    assert {str(c.exact) for c in found.fixed} == {"2", "1/3"}
    assert all(0 < c.stderr < 0.01 for c in found.fixed)


def test_standard_errors_cover_the_truth():
    inside = total = 0
    for seed in range(150):
        data = rows("2.3456*exp(-0.7123*x) + 0.3*y", n=60, noise=0.05, seed=seed)
        fit = polish(parse_expression("2.2*exp(-0.8*x) + 0.3001*y", NAMES), data)
        for c in fit.free:
            truth = min((2.3456, -0.7123, 0.7123, 0.3), key=lambda t: abs(t - c.value))
            inside += abs(c.value - truth) < 2.0 * c.stderr
            total += 1
    assert 0.92 < inside / total < 0.98


def test_a_row_without_a_slope_leaves_the_errors_finite():
    # a root has no slope at its own zero, where the first row lies
    X = np.array([0.5, 1.0, 2.0, 3.0, 4.0])[:, None]
    rows = Rows(X, 2 * X[:, 0] ** 1.5, None, symbols(["x"]), penalty=Loss.of("absolute"))
    fitted = polish(parse_expression("0.1*sqrt(x - 0.5)", ["x"]), rows)
    assert fitted is not None and np.isfinite(fitted.covariance).all()


def test_polish_of_an_undefined_start_is_none():
    assert polish(parse_expression("log(x - 9.5)", NAMES), rows("x")) is None


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 12), st.integers(1, 9), st.sampled_from([1.0, math.pi, 1 / math.pi, math.sqrt(math.pi)])
)
def test_nice_numbers_are_recognised(p, q, base):
    value = p / q * base
    found = constants.near(value, 1e-12 * value)
    assert found and abs(found[0].value - value) <= 4e-12 * value


@pytest.mark.parametrize(("tolerance", "least", "most"), [(1e-9, 0, 1), (1e-3, 100, 400)])
def test_random_numbers_are_rarely_nice(tolerance, least, most):
    values = np.random.default_rng(1).uniform(0.1, 10, 400)
    offers = [constants.near(v, tolerance * v) for v in values]
    assert least <= sum(map(bool, offers)) <= most
    for value, found in zip(values, offers, strict=True):
        assert all(abs(n.value - value) <= 4 * tolerance * value for n in found)


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1e290))
def test_any_double_has_nice_numbers_near_it_or_none(value, error):
    assert all(math.isfinite(n.value) for n in constants.near(value, error))


@pytest.mark.parametrize("value", [1.7e308, 1e308, -1e301, 3e-308, 5e-324])
def test_numbers_at_the_ends_of_double_precision_are_no_power_of_a_thousand(value):
    assert all(n.exact == 0 for n in constants.near(value, 0.0))


def test_prices_rarely_favour_chance():
    rng = np.random.default_rng(0)
    chance = sum(
        any(n.price < math.log(1e4) for n in constants.near(v, 1e-4 * v)) for v in rng.uniform(0.2, 9, 2000)
    )
    assert chance / 2000 < 0.35


def test_a_column_may_be_called_as_a_parameter():
    columns = symbols(["theta_0", "theta_1"])
    X = np.random.default_rng(0).uniform(1, 2, (50, 2))
    data = Rows(X, 2.5 * X[:, 0] + X[:, 1] ** 3, None, columns)
    found = settle(polish(2.1 * columns[0] + columns[1] ** sympy.Float(2.9), data), data)
    assert found.expression == sympy.Rational(5, 2) * columns[0] + columns[1] ** 3


@pytest.mark.parametrize(("value", "error"), [(5000.0, 1e-3), (2e6, 1.0), (5e-5, 4e-5), (4e-7, 1e-12)])
def test_nice_numbers_are_offered_once_and_at_their_least_price(value, error):
    found = constants.near(value, error)
    assert len({n.exact for n in found}) == len(found) > 0
    for nice in found:
        if nice.exact.is_Rational and nice.exact:
            assert nice.price <= constants.price(nice.exact) + 1e-9
        if nice.exact == 0:
            assert nice.price == pytest.approx(0.7)


def test_a_vague_factor_is_not_taken_for_one():
    # circumference of a tree in mm by its age in days: (1.1 ± 0.2)·age^(0.67 ± 0.03)
    age = np.array([118.0, 484, 664, 1004, 1231, 1372, 1582])
    x = sympy.Symbol("x", real=True)
    tree = Rows(age[:, None], np.array([30.0, 58, 87, 115, 120, 142, 145]), None, (x,))
    settled = settle(polish(sympy.Float(1.1) * x ** sympy.Float(0.66), tree), tree)
    assert len(settled.theta) == 2
    # what the rows know well may be one
    sure = Rows(age[:, None], age**0.66, None, (x,))
    assert settle(polish(sympy.Float(1.1) * x ** sympy.Float(0.65), sure), sure).expression.count_ops() == 1

"""Compiled expressions: values as SymPy's, derivatives as finite differences'."""

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.base.errors import InputError
from kansym.formula.program import Program, parametrise
from kansym.functions.library import EXPONENT as P_SLOT
from kansym.functions.library import Library
from kansym.functions.library import X as X_SLOT
from kansym.functions.parsing import parse_expression, symbols

x, y = symbols(["x", "y"])

FORMULAS = [
    "1.3*exp(sin(3.1*x) + 0.9*y**2)/(1.2 + x**2)",
    "x**2.5 - y**-3",
    "sqrt(x + 2.5)**3 / sqrt(y)",
    "log(x*y)/(0.3 - x*y*7.1)",
    "tanh(x) + atanh(x/9) + asin(y/9) + acos(x/7) + atan(y) + acosh(x + 1.5) + asinh(y) + tan(x/3)",
    "erf(0.7*x) + j0(20*y) + gamma(x + 1.5) + abs(x - 2.5) + sinh(x)*cosh(y)",
    "max(x, y) + min(x, 1.5)",
    "x**y + 2.5**x",
    "pi*x/y + e",
    "7.5",
]


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).uniform(0.5, 2.0, (200, 2))


@pytest.mark.parametrize("text", FORMULAS)
def test_value_is_sympys(text, X):
    e = parse_expression(text, ["x", "y"])
    reference = sympy.lambdify([x, y], e, ["scipy", "numpy"])(*X.T) + np.zeros(len(X))
    np.testing.assert_allclose(Program.compile(e, [x, y]).value(X), reference, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("text", FORMULAS)
def test_derivatives_are_finite_differences(text, X):
    program = Program.compile(parse_expression(text, ["x", "y"]), [x, y])
    _, J = program.jacobian(X)
    _, G = program.gradient(X)
    for i in range(len(program.start)):
        h = 1e-6 * max(1.0, abs(program.start[i]))
        step = np.eye(len(program.start))[i] * h
        difference = (program.value(X, program.start + step) - program.value(X, program.start - step)) / (
            2 * h
        )
        np.testing.assert_allclose(J[:, i], difference, rtol=1e-5, atol=1e-5 * np.abs(J).max())
    for i in range(2):
        step = np.eye(2)[i] * 1e-6
        difference = (program.value(X + step) - program.value(X - step)) / 2e-6
        np.testing.assert_allclose(G[:, i], difference, rtol=1e-5, atol=1e-5 * np.abs(G).max() + 1e-9)


def test_product_derivative_is_exact_where_a_factor_is_zero():
    program = Program.compile(x * y * 2.5, [x, y])
    _, G = program.gradient(np.array([[0.0, 3.0]]))
    assert G.tolist() == [[7.5, 0.0]]


def test_undefined_rows_are_nan_without_warning():
    values = Program.compile(sympy.log(x) + sympy.sqrt(y), [x, y]).value(np.array([[-1.0, 1.0], [1.0, 1.0]]))
    assert np.isnan(values[0]) and values[1] == 1.0


def test_unknown_column_is_refused():
    with pytest.raises(InputError, match="no column"):
        Program.compile(x + y, [x])


def test_equal_floats_are_one_parameter():
    template, names, values = parametrise(2.5 * x + sympy.sin(2.5 * y) + sympy.Float(0.5) * x * y)
    assert sorted(values) == [0.5, 2.5] and len(names) == 2
    assert not template.atoms(sympy.Float)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 3).filter(lambda v: abs(v) > 1e-3), min_size=3, max_size=3))
def test_writing_parameters_back_gives_the_same_values(theta):
    program = Program.compile(1.5 * sympy.sin(2.5 * x) + 3.5 * y, [x, y])
    X = np.array([[0.3, 0.7], [1.1, -0.4]])
    again = Program.compile(program.expression(np.array(theta)), [x, y])
    np.testing.assert_allclose(again.value(X), program.value(X, np.array(theta)), rtol=1e-14, atol=1e-14)


EVERY = Library.load("all")


@pytest.mark.parametrize("name", EVERY)
def test_every_function_of_the_library_can_be_polished(name):
    f = EVERY[name]
    form = f.expression.xreplace({X_SLOT: sympy.Float(0.9) * x + sympy.Float(0.05), P_SLOT: sympy.Float(1.5)})
    program = Program.compile(form, (x,))
    rows, step = np.array([[0.3], [0.7]]), 1e-6
    with np.errstate(all="ignore"):
        values, slopes = program.jacobian(rows, program.start)
        assert values == pytest.approx(f.program.value(0.9 * rows[:, 0] + 0.05, 1.5), nan_ok=True)
        if not np.all(np.isfinite(values)):  # acosh and its like begin at 1
            return
        for i, one in enumerate(step * np.eye(len(program.start))):
            low, high = (program.value(rows, program.start + side * one) for side in (-1, 1))
            assert slopes[:, i] == pytest.approx((high - low) / (2 * step), rel=1e-4, abs=1e-6)


def test_a_constant_with_both_signs_is_one():
    x = sympy.Symbol("x", real=True)
    law = sympy.Float(2.5) * (1 - sympy.exp(sympy.Float(-0.7) * x))
    template, parameters, values = parametrise(law)
    assert sorted(values) == [-0.7, 2.5] and len(parameters) == 2
    assert template.xreplace(dict(zip(parameters, map(sympy.Float, values), strict=True))) == law
    # what is started at one is no such pair
    assert len(parametrise(sympy.Float(1.0) * x - 1.0)[1]) == 2

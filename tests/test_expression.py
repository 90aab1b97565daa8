"""Expressions: size, text that reads back, graph and formula as two forms of one thing."""

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.base.errors import InputError
from kansym.formula import expression as ex
from kansym.formula.program import Program
from kansym.functions import library
from kansym.functions.evaluate import evaluate
from kansym.functions.graph import Edge, Graph, Spline, Symbolic
from kansym.functions.parsing import parse_expression, symbols

x, y = symbols(["x", "y"])


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("x", 1),
        ("2.5", 1),
        ("x + y", 3),
        ("x - y", 3),
        ("-x", 2),
        ("x/y", 3),
        ("1/x", 3),
        ("x**2", 3),
        ("sqrt(x)", 2),
        ("1/sqrt(x)", 4),
        ("2*x + 1", 5),
        ("exp(-x)", 3),
        ("sin(2*x)*y", 6),
        ("(x + y)/(1 + x*y)", 9),
        ("pi*x", 3),
        ("x/2", 3),
    ],
)
def test_complexity_counts_as_pysr(text, size):
    assert ex.complexity(parse_expression(text, ["x", "y"])) == size


NAMES = ["x", "x 1", "Δt", "class", "E", "pi", "lambda"]


def trees():
    leaves = (
        st.sampled_from(symbols(NAMES))
        | st.floats(0.1, 9).map(sympy.Float)
        | st.integers(1, 9).map(sympy.Integer)
    )

    def grow(child):
        pair = st.tuples(child, child)
        return (
            pair.map(lambda p: p[0] + p[1])
            | pair.map(lambda p: p[0] * p[1])
            | pair.map(lambda p: p[0] / p[1] if p[1] != 0 else p[0])
            | child.map(sympy.sin)
            | child.map(lambda e: sympy.exp(-(e**2)))
        )

    # numbers beyond the range of doubles have no values to compare
    return st.recursive(leaves, grow, max_leaves=8).filter(
        lambda e: all(np.isfinite(float(f)) for f in e.atoms(sympy.Float))
    )


@settings(max_examples=60, deadline=None)
@given(trees())
def test_text_reads_back_to_the_same_values(e):
    again = parse_expression(ex.text(e, None), NAMES)
    X = np.random.default_rng(1).uniform(0.5, 1.5, (20, len(NAMES)))
    columns = symbols(NAMES)
    np.testing.assert_allclose(
        Program.compile(again, columns).value(X), Program.compile(e, columns).value(X), rtol=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(trees())
def test_graph_of_a_formula_is_the_formula(e):
    graph = ex.to_graph(e, NAMES)
    X = np.random.default_rng(2).uniform(0.5, 1.5, (20, len(NAMES)))
    columns = symbols(NAMES)
    truth = Program.compile(e, columns).value(X)
    np.testing.assert_allclose(evaluate(graph, X)[:, 0], truth, rtol=1e-10)
    (back,) = ex.from_graph(graph)
    np.testing.assert_allclose(Program.compile(back, columns).value(X), truth, rtol=1e-10)
    again = Graph.from_dict(graph.to_dict())
    assert np.array_equal(evaluate(again, X), evaluate(graph, X))


def test_power_keeps_its_exponent():
    graph = ex.to_graph(x ** sympy.Float(2.5), ["x"])
    assert evaluate(graph, np.array([[4.0]])) == pytest.approx(32.0)


def test_a_spline_has_no_formula():
    spline = Spline(np.linspace(-3, 4, 8), np.ones(4))
    graph = Graph.build(["x"], ["s"], {"s": "sum"}, [Edge("x", "s", 0, spline)])
    with pytest.raises(InputError, match="snap it"):
        ex.from_graph(graph)


def test_simplify_takes_the_shorter_form_only_when_it_is_the_same():
    e = sympy.exp(2 * sympy.log(x) + sympy.log(y))
    assert ex.simplify(e, lambda _: True, [x, y]) == x**2 * y
    assert ex.simplify(e, lambda _: False, [x, y]) == e


def test_no_column_becomes_an_exponent_within_a_logarithm():
    e = sympy.Float(0.1295) * x * sympy.log(y) - sympy.Float(2.6) * sympy.log(y) + x
    assert ex.simplify(e, lambda _: True, [x, y]) == e
    assert ex.simplify(sympy.log(x) + sympy.log(y), lambda _: True, [x, y]) == sympy.log(x * y)


@pytest.mark.parametrize(
    "text, turned",
    [
        ("-3646.0/(4/x**2 - 1)", "3646.0/(1 - 4/x**2)"),
        ("-(x - y)**3", "(y - x)**3"),
        ("-1/(2.5 - x)", "1/(x - 2.5)"),
        ("-(x - y)**2", "-(x - y)**2"),
    ],
)
def test_a_sign_before_an_odd_power_goes_into_it(text, turned):
    form = ex.simplify(parse_expression(text, ["x", "y"]), lambda _: True)
    assert form == parse_expression(turned, ["x", "y"])


@pytest.mark.parametrize(
    "text, shorter",
    [
        # columns before a root go under it, and come out of it in a square
        ("sqrt(x**2*y**2 - 10)/x", "sqrt(y**2 - 10/x**2)"),
        ("sqrt(4.0*x**2*y**2 + 12.0*x*y + 9.0)/y", "(2.0*x*y + 3.0)/y"),
        ("sqrt(4.0*x**2*y**2 + 11.0*x*y + 9.0)", "sqrt(4.0*x**2*y**2 + 11.0*x*y + 9.0)"),
    ],
)
def test_what_is_under_a_root_is_as_people_write_it(text, shorter):
    form = ex.simplify(parse_expression(text, ["x", "y"]), lambda _: True, [x, y])
    assert sympy.expand(form - parse_expression(shorter, ["x", "y"])) == 0
    assert ex.complexity(form) <= ex.complexity(parse_expression(shorter, ["x", "y"]))


def test_symbolic_curve_is_c_f_of_ax_plus_b_plus_d():
    curve = Symbolic(library.get("sin"), 2.0, 0.5, 3.0, 1.0)
    assert ex.symbolic_value(curve, x) == 3 * sympy.sin(2 * x + 0.5) + 1


def test_an_angle_of_many_turns_is_not_expanded():
    # SymPy would write sin(5000 x) as a polynomial of degree 5000
    x = symbols(["x"])[0]
    e = sympy.sin(5000 * x) ** 2 * x
    assert ex.simplify(e, lambda _: True) == e


def test_a_modulus_goes_where_the_rows_show_one_sign():
    x, y = (sympy.Symbol(n, real=True) for n in "xy")
    rows = np.random.default_rng(0).uniform(1, 2, (50, 2))

    def same(formula):
        f = sympy.lambdify((x, y), formula)
        return bool(np.allclose(f(*rows.T), np.abs(3 * rows[:, 0] - rows[:, 1] / 2)))

    assert ex.simplify(sympy.Abs(3 * x - y / 2), same) == 3 * x - y / 2

    def same_distance(formula):
        return bool(np.allclose(sympy.lambdify((x, y), formula)(*rows.T), np.abs(rows[:, 0] - rows[:, 1])))

    assert ex.simplify(sympy.Abs(x - y), same_distance) == sympy.Abs(x - y)

"""Straight-line code says what a program says, values and derivatives, to the last bit."""

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.formula.program import Program
from kansym.formula.straight import WRITTEN_AFTER, often, straight

x, y, z = sympy.symbols("x y z", real=True)
ROWS = np.random.default_rng(0).uniform(0.1, 2, (7, 3))

NUMBERS = st.floats(0.2, 3).map(lambda v: sympy.Float(v, 17))
LEAVES = st.one_of(st.sampled_from([x, y, z]), NUMBERS)
FORMULAS = st.recursive(
    LEAVES,
    lambda part: st.one_of(
        st.tuples(part, part).map(lambda p: p[0] + p[1]),
        st.tuples(part, part, part).map(lambda p: p[0] * p[1] * p[2]),
        st.tuples(part, part).map(lambda p: p[0] / (1 + p[1] ** 2)),
        part.map(sympy.sin),
        part.map(lambda p: sympy.exp(-p)),
        part.map(lambda p: sympy.sqrt(1 + p**2)),
        st.tuples(part, NUMBERS).map(lambda p: sympy.Abs(p[0]) ** p[1]),
    ),
    max_leaves=8,
)


def both(formula):
    """Return values and derivatives by columns and parameters, of straight-line code and of the program."""
    program = Program.compile(formula, [x, y, z])
    code = straight(program)
    with np.errstate(all="ignore"):
        _, by_column, _ = code.evaluate(list(ROWS.T), program.start)
        value, parameters = code.jacobian(np.ascontiguousarray(ROWS.T), program.start)
    columns = np.zeros((7, 3))
    for k, slope in zip(code.by_column, by_column, strict=True):
        columns[:, k] = slope
    one = (value, columns, parameters)
    return one, (program.value(ROWS), program.gradient(ROWS)[1], program.jacobian(ROWS)[1])


@settings(max_examples=60, deadline=None)
@given(FORMULAS)
def test_random_formulas(formula):
    for ours, theirs in zip(*both(formula), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "formula",
    [
        sympy.S.Zero,
        x,
        sympy.Float(0.5, 17),
        sympy.Float(2, 17) * x * y * z / (y * (x + sympy.Float(3, 17)) ** 2),
        sympy.erf(x) + sympy.Max(x, y) * sympy.Float(0.3, 17),
        x ** sympy.Rational(3, 2) - sympy.Float(0.4, 17) * x ** sympy.Float(0.7, 17) / z**2,
    ],
)
def test_constants_and_what_no_row_moves(formula):
    for ours, theirs in zip(*both(formula), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_only_what_is_used_has_a_derivative():
    code = straight(Program.compile(sympy.Float(1.5, 17) * y + 2, [x, y, z]))
    assert (code.by_column, code.by_parameter) == ((1,), (0,))


def test_a_program_that_is_asked_often_gives_the_same_bits_from_the_first_call_to_the_last(monkeypatch):
    x, y = sympy.symbols("x y", real=True)
    program = Program.compile(2.5 * sympy.exp(-1.2 * x) + 3.1 * x**1.3 / (y + 0.7), [x, y])
    X = np.random.default_rng(0).uniform(0.5, 2, (40, 2))
    expected, walked = program.jacobian(X, program.start), []
    plain = Program.jacobian
    monkeypatch.setattr(Program, "jacobian", lambda *a: walked.append(a) or plain(*a))
    jacobian = often(program, X)
    for _ in range(2 * WRITTEN_AFTER):
        found = jacobian(program.start)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert len(walked) == WRITTEN_AFTER - 1

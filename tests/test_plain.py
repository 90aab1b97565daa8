"""Few rows: the plainest exact formula comes first, others after it, all of them exact."""

import numpy as np
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.formula.program import Program
from kansym.functions.parsing import parse_expression, symbols
from kansym.search.enumeration import plain

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def test_xor_is_a_square():
    table = from_arrays(X, np.array([0.0, 1.0, 1.0, 0.0]), ["a", "b"])
    found = [c.expression for c in plain.propose(table, budget=Budget())]
    a, b = symbols(["a", "b"])
    assert found[0] == (a - b) ** 2 and len(found) > 3


@pytest.mark.parametrize("law", ["a + b + a*b", "a/b - 2*a", "(a + 2)**2*b"])
def test_what_is_offered_is_exact(law):
    rows = np.random.default_rng(0).uniform(1, 3, (8, 2))
    truth = parse_expression(law, ["a", "b"])
    y = Program.compile(truth, symbols(["a", "b"])).value(rows)
    found = [c.expression for c in plain.propose(from_arrays(rows, y, ["a", "b"]), budget=Budget())]
    assert found and sympy.simplify(found[0] - truth) == 0
    for form in found:
        assert Program.compile(form, symbols(["a", "b"])).value(rows) == pytest.approx(y, rel=1e-8)


def test_many_rows_are_left_to_others():
    rows = np.random.default_rng(0).uniform(1, 3, (40, 2))
    assert not list(plain.propose(from_arrays(rows, rows[:, 0] * rows[:, 1], ["a", "b"]), budget=Budget()))

"""A law that switches at a place of a column is found as two laws, each exact on its side."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from tables import table

from kansym import discover
from kansym.functions.parsing import symbols
from kansym.search.structure.problem import problem
from kansym.search.tree import regimes

SWITCHES = {
    "a level, then a line": (lambda a, b: np.where(a > 1.2, 3 * b, 0.5), "ab", [(0, 2)] * 2, 300),
    "a ratio after a power": (
        lambda a, b: np.where(a > 1.2, 3 * b / (1 + a), 0.5 * b**3), "ab", [(0, 2)] * 2, 300
    ),
    "a product, then a sum": (
        lambda a, b, c: np.where(c > 0.7, 3 * b - a, a * b), "abc", [(0, 2)] * 3, 100
    ),
}  # fmt: skip

SMOOTH = {
    "a pole": (lambda a, b: 1 / (a * b - 9), "ab", [(0, 2)] * 2, 300),
    "a wave": (lambda a, b, c: np.sin(3 * a * b) + c, "abc", [(0, 2)] * 3, 300),
    "a slanting border": (lambda a, b: np.where(a > b, 2.0, 1.0), "ab", [(0, 2)] * 2, 300),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_two_regimes_are_parted_where_they_meet(name):
    law, names, ranges, rows = SWITCHES[name]
    data = table(law, names, ranges, rows=rows, seed=3)
    (found,) = regimes.exact(problem(data))
    formula = found.name()[0].write()
    values = sympy.lambdify(symbols(names), formula.doit())(*data.X.T)
    assert np.allclose(values, data.y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_what_does_not_switch_at_a_place_of_a_column_has_no_regimes(name):
    law, names, ranges, rows = SMOOTH[name]
    assert regimes.exact(problem(table(law, names, ranges, rows=rows, seed=3))) == []


def test_a_switch_in_a_table_is_proved_and_its_place_told_to_a_gap():
    law, names, ranges, rows = SWITCHES["a level, then a line"]
    data = table(law, names, ranges, rows=rows, seed=3)
    run = discover(data)
    assert run.best.exact and run.best.expression.has(sympy.Heaviside)
    a = np.sort(data.X[:, 0])
    assert f"lie between {a[a < 1.2].max():.6g} and {a[a > 1.2].min():.6g}" in run.trust

"""Formulas that are none give None; what is a formula is evaluated and fitted as ever."""

import numpy as np
import pytest
import sympy

from kansym.formula.guarded import polished, valued
from kansym.formula.polish import Rows
from kansym.functions.parsing import symbols

COLUMNS = symbols(["x"])
X = np.linspace(1, 2, 20)[:, None]
ROWS = Rows(X, 3.5 * X[:, 0], None, COLUMNS)


@pytest.mark.parametrize(
    "formula",
    [
        sympy.Symbol("unknown", real=True) + 1,
        sympy.zoo,
        sympy.I * COLUMNS[0],
    ],
)
def test_what_is_no_formula_of_the_columns_gives_none(formula):
    assert polished(formula, ROWS) is None
    values = valued(formula, COLUMNS, X)
    assert values is None or not np.isfinite(values).any()


def test_formulas_are_evaluated_and_fitted():
    assert valued(2 * COLUMNS[0], COLUMNS, X) == pytest.approx(2 * X[:, 0])
    assert polished(sympy.Float(3.0) * COLUMNS[0], ROWS).theta == pytest.approx([3.5])

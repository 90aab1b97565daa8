"""Evaluate and fit formulas that may turn out not to be any: undefined ones give None.

A search writes down formulas by the thousand; some hold 1/0, a complex constant or a number too large for
a float, and SymPy says so by one of several exceptions. Not here: errors in what a person wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy

from kansym.base.errors import KansymError
from kansym.formula.polish import STEPS, Polished, Rows, polish
from kansym.formula.program import Program

UNDEFINED = (KansymError, TypeError, ValueError, ZeroDivisionError, OverflowError)
"""What compiling or fitting raises for a formula that is none: no such column, complex, infinite."""


def valued(formula: sympy.Expr, symbols: Sequence[sympy.Symbol], X: np.ndarray) -> np.ndarray | None:
    """Return the values (n,) of a formula on rows X (n, d), NaN where it is undefined; None if it is none."""
    try:
        return np.asarray(Program.compile(formula, symbols).value(X))
    except UNDEFINED:
        return None


def polished(formula: sympy.Expr, rows: Rows, steps: int = STEPS) -> Polished | None:
    """Return the formula with its constants fitted (`polish`); None where that cannot be done."""
    try:
        return polish(formula, rows, steps)
    except UNDEFINED:
        return None

"""Exact ratios of two polynomials as an answer to any problem: the null space tells in milliseconds."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.threads import one_thread
from kansym.search.rational.chooser import COLUMNS, Chooser
from kansym.search.rational.monomials import Ratio, measured
from kansym.search.rational.pade import written
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem

MOST_COLUMNS = 8
"""Columns up to which ratios of polynomials are looked at: of eight, two squares have 90 coefficients."""

FEW_COLUMNS = 2
"""Columns up to which every pair of degrees is looked at: high degrees come near to many curves."""

ONE = 1e-12
"""Relative distance from one below which a coefficient is one."""

MOST_OF_ONE = 10
"""Coefficients of a ratio in one column; more come near to any smooth curve."""

EXACT, EXACT_IN_FUNCTIONS = 1e-11, 1e-13
"""Relative RMS error on all rows above which a ratio only comes near: it approximates some other function.

Polynomials in logarithms, roots and exponentials come nearer: w^0.425 to 1e-11 in the logarithm of w."""

TERM_PRICE = 3.0
"""Symbols that a coefficient and its term cost."""

FEW_TERMS, FEW_OF_ONE = 10, 6
"""Coefficients above which a ratio is as strictly judged as one in functions, the second in one column."""

HIGHEST = {1: 6, 2: 5, 3: 5}
"""Highest degrees of numerator and denominator for so many columns; 4 for more."""


def degrees(columns: int, rows: int) -> list[tuple[int, int]]:
    """Return the degrees (m, n) that are tried, few terms first; the rows must leave a third to spare."""
    found = []
    for m, n in itertools.product(range(HIGHEST.get(columns, 4) + 1), repeat=2):
        size = math.comb(columns + m, m) + math.comb(columns + n, n)
        if m + n > 0 and size <= COLUMNS and size <= rows // 2 and (columns > 1 or size <= MOST_OF_ONE):
            found.append((size, n, (m, n)))
    return [d for *_, d in sorted(found)]


@np.errstate(all="ignore")
def exact(problem: Problem, asked: list[tuple[int, int]] | None = None, within: float = EXACT) -> list[Fit]:
    """Return the ratio that a problem's target is exactly (`within` its RMS), if it is one.

    Of the degrees `asked` the first one that holds. A target of nothing but round-off, where a move has taken
    all of it off, is the ratio 0.
    """
    if problem.unit < criterion.EXACT_SHARE:
        return [Fit(problem.unit, 0.0, "ratio", problem, lambda: [Proposal(problem.unit, 0.0, _nothing)])]
    rows = np.sort(np.concatenate([problem.fit, problem.test]))
    X, y = problem.Z[rows], problem.y[rows]
    tried = asked or (degrees(problem.width, len(rows)) if problem.width <= MOST_COLUMNS else [])
    if not tried or np.ptp(y) == 0 or not (np.all(np.isfinite(X)) and np.all(np.isfinite(y))):
        return []
    with one_thread():
        chooser = Chooser.of(X, y, None, max(max(d) for d in tried), None, 0)
        found = (
            _least(chooser, tried, within)
            if asked or problem.width <= FEW_COLUMNS
            else chooser.exact_of(tried)
        )
    if found is None or not _holds(chooser, found, within):
        return []
    write = partial(written_out, chooser, found, problem)
    price = TERM_PRICE * found.terms
    return [Fit(1e-24, price, "ratio", problem, lambda: [Proposal(1e-24, price, write)])]


def _nothing() -> sympy.Expr:
    """Return the formula of a target of which nothing is left."""
    return sympy.S.Zero


def _least(chooser: Chooser, tried: list[tuple[int, int]], within: float) -> Ratio | None:
    """Return the exact ratio of fewest terms, looking at every pair of degrees."""
    found = (chooser.exact(chooser.full(d)) for d in tried)
    return next((r for r in found if r is not None and _holds(chooser, r, within)), None)


def _holds(chooser: Chooser, found: Ratio, within: float) -> bool:
    """Tell whether a ratio is exact on all rows, the more so the more terms it has."""
    few = FEW_OF_ONE if chooser.sheet.E.shape[1] == 1 else FEW_TERMS
    if found.terms > few and within <= EXACT:
        within = min(within, EXACT_IN_FUNCTIONS)
    return measured(chooser.sheet, found.support, found.p, found.q).loss <= within**2


def written_out(chooser: Chooser, found: Ratio, problem: Problem) -> sympy.Expr:
    """Return a ratio's formula in a problem's columns."""
    formula = written(chooser, found, problem.formulas)
    # a coefficient of one is no constant: it would be fitted, and then rounded again
    ones = {f: sympy.Integer(round(float(f))) for f in formula.atoms(sympy.Float) if abs(abs(f) - 1) < ONE}
    return formula.xreplace(ones)

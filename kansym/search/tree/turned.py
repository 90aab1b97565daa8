"""A product of a curve of one column and one of two joined, f(a)·g(a·b), in noise.

A grating's sin(n·d/2)²/sin(d/2)² is one. Both curves are fitted together; the joined one, which turns more
often, is named first, and the other one by what is left of the rows once that is divided out: a polynomial of
a high degree follows the noise, and its names with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import sympy

from kansym.formula.guarded import valued
from kansym.search.structure import curve
from kansym.search.structure.models import Fit
from kansym.search.structure.problem import Problem
from kansym.search.tree import alone, evidence, moves, parts, times

HIGHEST = 20
"""Highest degree of both curves: that of four waves."""

LEAVES = 0.8
"""Share of what a smooth fit of both columns leaves that the product may leave: it is to tell more."""

JOINS = moves.JOINS[:4]
"""Product, quotient, difference and sum."""

NAMED, PROPOSED = 2, 6
"""Names of the joined curve, and of the other one beside each."""


@np.errstate(all="ignore")
def fits(problems: Sequence[Problem]) -> list[Fit]:
    """Return products of two named curves, one of a column and one of both joined, for the likeliest problem.

    Each of X (n, 2) and y (n,). Curves are fitted in turn (alternating least squares).
    """
    least = min((evidence.loss(problem) for problem in problems), default=0.0)
    if not least or evidence.noise(problems[0], problems[0].Z):
        return []
    seen = []
    for k, view in enumerate(view for problem in problems for view in _views(problem)):
        share, curves = parts.joint(view, product=True, noise=True, highest=HIGHEST)
        if curves:
            seen.append((share, k, view, curves))
    share, _, view, curves = min(seen, key=lambda s: s[:2], default=(np.inf, 0, problems[0], []))
    if share > LEAVES * least:
        return []
    found = []
    for law in _names(view, curves[0]):
        factor = times.Part(_values(law.formula, view.Z[:, 1]), law.formula(view.formulas[1]), 0.0)
        rest = times.divided(view, factor, view.Z[:, :1], view.formulas[:1])
        found += [] if rest is None else alone.curves_of(rest)[:PROPOSED]
    return found


def _names(view: Problem, other: np.ndarray) -> list[curve.Law]:
    """Return names of the joined curve, by rows over the other one's values where these are not small."""
    rows = np.concatenate([view.fit, view.test])
    large = np.abs(other) > times.SMALL * np.max(np.abs(other))
    rows, other = rows[large], other[large]
    return curve.laws(view.Z[rows, 1], view.y[rows] / other, view.w[rows] * np.abs(other), keep=NAMED)


def _values(write: alone.Formula, h: np.ndarray) -> np.ndarray:
    """Return the values (n,) of a named curve of h (n,), NaN where it has none."""
    column = sympy.Symbol("h", real=True)
    found = valued(write(column), [column], h[:, None])
    return np.full(len(h), np.nan) if found is None else found


def _views(problem: Problem) -> Iterator[Problem]:
    """Yield a problem of two columns with both joined in the place of one."""
    (a, b), (x, z) = problem.formulas, problem.Z.T
    for join in JOINS:
        for one, other, f, g in ((x, z, a, b), (z, x, b, a)):
            joined = join.value(one, other)
            if np.all(np.isfinite(joined)):
                yield problem.columns(np.column_stack([one, joined]), (f, join.formula(f, g)))

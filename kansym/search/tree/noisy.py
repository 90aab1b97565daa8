"""Ratios of polynomials in the columns and one function of them, under noise: the likeliest few.

`extensions` knows such a ratio by an angle that vanishes, which noise fills. Here each choice of a function
is fitted with all terms, which a few hundred rows judge; of the best choices terms are then struck out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from kansym.search.rational import monomials
from kansym.search.rational.chooser import Chooser
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal, corrected
from kansym.search.structure.problem import Problem
from kansym.search.tree import ratios
from kansym.search.tree.extensions import Extension, exponential, exponentials_of_any_rate, functions

SOURCE = "ratio in noise"

MOST_COLUMNS = 4

FIT_ROWS = 300
"""Rows of a first fit; as many judge it."""

DEGREES = ((1, 1), (2, 1))

PASSES = 2
"""Reweightings of a first fit: without any, noise in y·Q bends it."""

RATES = (0.6, 1.2, 2.4, 4.8, 9.6)
"""Spans of an exponent whose rate no column holds; the formula's own fit finds the rate from there."""

CHOICES, SHOWN = 4, 3
"""Choices of a function whose terms are struck out, and ratios of each that are proposed."""


@np.errstate(all="ignore")
def fits(problem: Problem) -> list[Fit]:
    """Return the likeliest ratios, each with at most one function of the columns."""
    if problem.width > MOST_COLUMNS or len(problem.fit) < 2 * FIT_ROWS // 3:
        return []
    rows = np.concatenate([problem.fit, problem.test])
    if not (np.all(np.isfinite(problem.Z[rows])) and np.all(np.isfinite(problem.y[rows]))):
        return []
    with threadpool_limits(1, "blas"):
        judged = [
            (_left(problem, chosen, d), k, chosen, d) for k, (chosen, d) in enumerate(_choices(problem))
        ]
        best = sorted((j for j in judged if np.isfinite(j[0])), key=lambda j: j[:2])[:CHOICES]
        return [fit for _, _, chosen, degree in best for fit in _thinned(problem, rows, chosen, degree)]


def _choices(problem: Problem) -> Iterator[tuple[tuple[Extension, ...], tuple[int, int]]]:
    """Yield what a ratio may hold besides the columns, with its degrees."""
    made = [(e,) for e in functions(problem)]
    for argument in exponentials_of_any_rate(problem):
        span = float(np.ptp(argument.values))
        rates = [r / span for r in RATES] if span > 0 else []
        made += [(e,) for r in rates if (e := exponential(argument, r)) is not None]
    for chosen in ((), *made):
        for degree in DEGREES:
            yield chosen, degree


def _viewed(problem: Problem, chosen: tuple[Extension, ...]) -> Problem:
    Z = np.column_stack([problem.Z, *(e.values for e in chosen)])
    return problem.columns(Z, (*problem.formulas, *(e.formula for e in chosen)))


def _left(problem: Problem, chosen: tuple[Extension, ...], degree: tuple[int, int]) -> float:
    """Return the mean square that a fit with all terms leaves on rows it did not see."""
    Z = np.column_stack([problem.Z, *(e.values for e in chosen)])
    fit, test = problem.fit[:FIT_ROWS], problem.test
    rows = np.concatenate([fit, test])
    sheet = monomials.Sheet.of(Z[rows], problem.y[rows], problem.w[rows] ** 2, max(degree))
    part = sheet.rows(np.arange(len(fit)))
    support = part.upto(degree[0]), part.upto(degree[1])
    if len(support[0]) + len(support[1]) > len(fit) // 3:
        return np.inf
    found = monomials.linearised(part, support, PASSES)
    if not np.isfinite(found.loss):
        return np.inf
    rest = sheet.rows(np.arange(len(fit), len(rows)))
    return monomials.measured(rest, support, found.p, found.q).loss


def _thinned(
    problem: Problem, rows: np.ndarray, chosen: tuple[Extension, ...], degree: tuple[int, int]
) -> list[Fit]:
    """Return the fits of fewer terms that are described shortest."""
    view = _viewed(problem, chosen)
    chooser = Chooser.of(view.Z[rows], view.y[rows], view.w[rows] ** 2, max(degree), None, 0)
    full = monomials.fitted(chooser.part, chooser.full(degree), 10)
    path = monomials.backward(chooser.part, full, max(10 * full.loss, 1e-6))
    found = sorted((r for r in path if np.isfinite(r.loss)), key=chooser.length)[:SHOWN]
    out = []
    for ratio in found:
        share = corrected(ratio.loss, ratio.terms, len(chooser.part.y)) * problem.unit
        price = ratios.TERM_PRICE * ratio.terms
        write = partial(ratios.written_out, chooser, ratio, view)
        name = partial(_proposed, Proposal(share, price, write))
        out.append(Fit(share, price, SOURCE, view, name))
    return out


def _proposed(proposal: Proposal) -> list[Proposal]:
    return [proposal]

"""Ratios of polynomials in the columns and one function of them, under noise: the likeliest few.

`extensions` knows such a ratio by an angle that vanishes, which noise fills. Here each choice of a function
is fitted with all terms, which are struck out one by one while that makes its description shorter; the best
choices are then fitted as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from kansym.base import criterion
from kansym.search.rational import monomials
from kansym.search.rational.chooser import Chooser
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal, corrected
from kansym.search.structure.problem import Problem
from kansym.search.tree import ratios
from kansym.search.tree.extensions import Extension, exponential, exponentials_of_any_rate, functions

SOURCE = "ratio in noise"

MOST_COLUMNS, FEWEST_ROWS = 4, 200

FIT_ROWS, ROWS_A_TERM = 400, 12
"""Rows of a first fit, and of these the least for each term."""

RIDGE = 1e-12
"""Share of a column's square that is added to it: columns may depend on each other."""

DEGREES = ((1, 1), (2, 1), (2, 2))

PASSES = 2
"""Reweightings of a first fit: without any, noise in y·Q bends it."""

RATES = (0.6, 1.2, 2.4, 4.8, 9.6)
"""Spans of an exponent whose rate no column holds; the formula's own fit finds the rate from there."""

CHOICES, SHOWN = 5, 2
"""Choices of a function whose terms are struck out, and ratios of each that are proposed."""


@np.errstate(all="ignore")
def fits(problem: Problem) -> list[Fit]:
    """Return the likeliest ratios, each with at most one function of the columns."""
    if problem.width > MOST_COLUMNS or len(problem.fit) < FEWEST_ROWS:
        return []
    rows = np.concatenate([problem.fit, problem.test])
    if not (np.all(np.isfinite(problem.Z[rows])) and np.all(np.isfinite(problem.y[rows]))):
        return []
    with threadpool_limits(1, "blas"):
        judged = [
            (_length(problem, chosen, d), k, chosen, d) for k, (chosen, d) in enumerate(_choices(problem))
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


def _length(problem: Problem, chosen: tuple[Extension, ...], degree: tuple[int, int]) -> float:
    """Return the description length of a linearised fit in nats, its idle terms struck out one by one.

    y·Q = P with rows divided by Q is least squares, where what a term's absence adds is known beforehand.
    """
    rows = problem.fit[:FIT_ROWS]
    Z = np.column_stack([problem.Z[rows], *(e.values[rows] for e in chosen)])
    sheet = monomials.Sheet.of(Z, problem.y[rows], problem.w[rows] ** 2, max(degree))
    support = sheet.upto(degree[0]), sheet.upto(degree[1])
    n, k = len(rows), len(support[0]) + len(support[1])
    if k > n // ROWS_A_TERM:
        return np.inf
    found = monomials.linearised(sheet, support, PASSES)
    if not np.isfinite(found.loss):
        return np.inf
    below = found.denominator(sheet.M)
    A = np.hstack([sheet.M[:, support[0]], -sheet.y[:, None] * sheet.M[:, support[1]]])
    A *= (sheet.w / below)[:, None]
    size = np.linalg.norm(A, axis=0)
    pin = len(found.p) + found.pivot(sheet.M)
    others = np.delete(np.arange(k), pin)
    B, target = A[:, others] / size[others], A[:, pin] / size[pin]
    inverse = np.linalg.inv(B.T @ B + RIDGE * np.eye(k - 1))
    c = inverse @ (B.T @ target)
    left = float(np.sum((target - B @ c) ** 2))
    # in units of y: Q's pinned coefficient is what the target column was divided by
    unit = (size[pin] * found.q[found.pivot(sheet.M)]) ** 2 / n
    best = np.inf
    for terms in range(k, 1, -1):
        best = min(best, float(criterion.length(left * unit, n, ratios.TERM_PRICE * terms, terms)))
        gains = c**2 / np.diag(inverse)
        i = int(np.argmin(gains))
        left += float(gains[i])
        keep = np.arange(len(c)) != i
        c = (c - inverse[:, i] * c[i] / inverse[i, i])[keep]
        inverse = (inverse - np.outer(inverse[:, i], inverse[i]) / inverse[i, i])[np.ix_(keep, keep)]
    return best


def _thinned(
    problem: Problem, rows: np.ndarray, chosen: tuple[Extension, ...], degree: tuple[int, int]
) -> list[Fit]:
    """Return the fits of fewer terms that are described shortest."""
    view = _viewed(problem, chosen)
    chooser = Chooser.of(view.Z[rows], view.y[rows], view.w[rows] ** 2, max(degree), None, 0)
    full = monomials.fitted(chooser.part, chooser.full(degree), 10)
    path = monomials.backward(chooser.part, full, max(10 * full.loss, 1e-6))
    found = sorted((r for r in path if np.isfinite(r.loss)), key=chooser.length)[:SHOWN]
    y, v = view.y[rows], view.w[rows] ** 2
    unit = problem.unit * float(np.mean(v) * np.mean(y * y) / np.mean(v * y * y))  # of a share of y's square
    out = []
    for ratio in found:
        share = corrected(ratio.loss, ratio.terms, len(chooser.part.y)) * unit
        price = ratios.TERM_PRICE * ratio.terms
        write = partial(ratios.written_out, chooser, ratio, view)
        name = partial(_proposed, Proposal(share, price, write))
        out.append(Fit(share, price, SOURCE, view, name))
    return out


def _proposed(proposal: Proposal) -> list[Proposal]:
    return [proposal]

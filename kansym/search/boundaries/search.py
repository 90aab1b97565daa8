"""Which sums of terms may be the boundary between two classes: those that can vanish on the border together.

Terms come from a pool (`terms`). Points on the border (`border`) tell which few of them can vanish there
together (`implicit`). What is proposed has no coefficients yet: `judge.sides` fits them to all rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import Dataset
from kansym.formula import constants
from kansym.formula.expression import complexity, number
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.judge.sides import Boundary
from kansym.search.assumptions.hypothesis import Hypotheses
from kansym.search.boundaries.border import border
from kansym.search.boundaries.implicit import Fit, implicit
from kansym.search.boundaries.terms import FACTORS, Term, pool
from kansym.search.candidate import Candidate
from kansym.search.producer import Level, Producer

JUDGED = 40
"""Sets of each size that are fitted to all rows."""

MOST_TERMS = 400
"""Terms of the pool that are combined; with more columns, those that tell the classes apart best."""

ROOTED = 5
"""Boundaries of the shortest descriptions that are tried as a difference of squares."""

SQUARE = 0.1
"""Relative difference of b² and 4ac up to which a·u² + b·u·v + c·v² is tried as a square."""

FEWEST_POINTS = 8
"""With fewer points on the border, the terms that tell most alone are combined."""

FEW = 12
"""Terms that are combined where there are too few points on the border."""

ALONE = 1.0
"""Score of a set that no points on the border speak for, in standard deviations of distance."""

COST = 5000.0
"""Units of work of a look: one for a term in each size of sets."""


def producers(assumed: Hypotheses, most: int, found: Sequence[Boundary]) -> tuple[Producer, Producer]:
    """Return the producers of boundaries with up to `most` terms, in their order.

    The second one rewrites the best of what has been `found` when it is asked.
    """
    return (
        Producer(
            "boundary",
            "sums of few terms that vanish on the border between two classes",
            Level.THOROUGH,
            COST,
            lambda: partial(propose, assumed=assumed, most=most),
        ),
        Producer(
            "differences of squares",
            "the same as |w - k| and a radius, where the best boundaries are differences of squares",
            Level.QUICK,
            COST,
            lambda: partial(propose_rooted, found=found),
        ),
    )


def propose(
    dataset: Dataset,
    *,
    assumed: Hypotheses,
    most: int,
    budget: Budget,
    library: Library | None = None,
    seed: int = 0,
) -> Iterator[Candidate]:
    """Yield sums of terms for labels y in {0, 1}; a score is the distance from border to boundary (SDs)."""
    X, positive = dataset.X, dataset.y > 0.5
    known = FACTORS if library is None else {n for n in FACTORS if n.replace("exp(-x)", "exp") in library}
    terms = [t for t in pool(X, dataset.names, assumed, known) if np.all(np.isfinite(t.value(X)))]
    F = np.column_stack([t.value(X) for t in terms])
    F = F / np.sqrt(np.mean(F * F, axis=0))
    keep = _telling(F, positive, MOST_TERMS)
    terms, F = [terms[k] for k in keep], F[:, keep]
    for fit in _sets(terms, F, X, positive, most, budget):
        yield Candidate(fit.distance, "boundary", sympy.Add(*(terms[k].form for k in fit.terms)))


def propose_rooted(
    dataset: Dataset,
    *,
    found: Sequence[Boundary],
    budget: Budget,
    library: Library | None = None,
    seed: int = 0,
) -> Iterator[Candidate]:
    """Yield the best boundaries so far without their squares, where they are differences of squares."""
    if library is not None and not {"abs", "sqrt"} <= set(library):
        return
    for b in sorted(found, key=lambda b: b.length)[:ROOTED]:
        for form in rooted(b, dataset.X, dataset.names):
            yield Candidate(ALONE, "differences of squares", form)


def _telling(F: np.ndarray, positive: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many terms: the constant, and those with the largest score statistics alone."""
    if F.shape[1] <= most:
        return np.arange(F.shape[1])
    centred = F - F.mean(0)
    score = ((positive - positive.mean()) @ centred) ** 2 / (np.sum(centred**2, axis=0) + 1e-12)
    score[0] = np.inf
    return np.sort(np.argsort(-score, kind="stable")[:most])


def _sets(
    pool: list[Term], F: np.ndarray, X: np.ndarray, positive: np.ndarray, most: int, budget: Budget
) -> Iterator[Fit]:
    """Yield the sets of terms that are worth a fit: single ones, and those that vanish on the border."""
    for k in np.flatnonzero(F.min(0) * F.max(0) < 0).tolist() or [0]:
        yield Fit((k,), ALONE)
    found = border(X, positive)
    if len(found.points) < FEWEST_POINTS:
        best = _telling(F, positive, FEW)
        for q in range(2, most + 1):
            yield from (Fit(s, ALONE) for s in itertools.combinations(best.tolist(), q))
        return
    P = found.points
    prices = np.array([complexity(t.form) for t in pool], float)
    G = np.stack([t.gradient(P) * found.scale for t in pool], axis=1)
    for fits in implicit(np.column_stack([t.value(P) for t in pool]), G, prices, most, JUDGED):
        budget.spend(len(pool))
        yield from fits
        if budget.exhausted:
            return


def rooted(b: Boundary, X: np.ndarray, names: Sequence[str]) -> Iterator[sympy.Expr]:
    """Yield |w - k| + r where the boundary is a multiple of (w - k)² - r²: one zero set, a term less."""
    columns = symbols(names)
    if len(b.terms) != 4:
        return
    sure = {s: sympy.Symbol(s.name, positive=True) for s, x in zip(columns, X.T, strict=True) if x.min() > 0}
    back = {v: k for k, v in sure.items()}
    for i, j, k in itertools.permutations(range(4), 3):
        (first, a), (cross, m), (last, c) = ((b.terms[q], b.coefficients[q]) for q in (i, j, k))
        (rest, d) = next((b.terms[q], b.coefficients[q]) for q in range(4) if q not in (i, j, k))
        w = sympy.sqrt((first / last).xreplace(sure))
        w = w.replace(sympy.Abs, lambda u: u) if (cross / last).xreplace(sure) != w else w
        if (cross / last).xreplace(sure) != w or a * c <= 0 or abs(m * m / (4 * a * c) - 1) > SQUARE:
            continue
        r = sympy.sqrt((rest / last).xreplace(sure)).xreplace(back)
        if a * d >= 0 or complexity(w) > complexity(1 / w):
            continue
        for at in dict.fromkeys((-m / (2 * a), math.copysign(math.sqrt(c / a), -m * a))):
            nice = constants.near(at, SQUARE / 4 * abs(at), longest=3.0)
            for value in (*(n.exact for n in nice[:1]), number(at)):
                yield sympy.Abs(w.xreplace(back) - value) + r

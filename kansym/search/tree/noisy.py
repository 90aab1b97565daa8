"""Ratios of polynomials in the columns and a function of them, or two exponentials, in noise: the likeliest.

`extensions` knows such a ratio by an angle that vanishes, which noise fills. Here each choice of a function
is fitted with all terms, which are struck out one by one while that makes its description shorter; the best
choices are then fitted as they stand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import sympy
from scipy.linalg import lapack

from kansym.base import criterion
from kansym.base.jit import njit
from kansym.base.threads import one_thread
from kansym.search.rational import monomials
from kansym.search.rational.chooser import Chooser
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import FEW_ROWS, Problem
from kansym.search.tree import ratios
from kansym.search.tree.further import (
    Extension,
    decays,
    exponential,
    exponentials_of_any_rate,
    functions,
    products,
    quotients,
)

SOURCE = "ratio in noise"

MOST_COLUMNS, FEWEST_ROWS = 4, 40

FIT_ROWS, ROWS_A_TERM, OF_FEW = 400, 12, 4
"""Rows of a first fit, and of these the least for each term, of few rows, too."""

RIDGE = 1e-12
"""Share of a column's square that is added to it: columns may depend on each other."""

DEGREES = ((1, 1), (2, 1), (2, 2))

DEGREE_OF_PAIRS = (3, 1)
"""Degrees of a ratio in two exponentials, of which only some terms are taken."""

PASSES = 2
"""Reweightings of a first fit: without any, noise in y·Q bends it."""

RATES = (0.6, 1.2, 2.4, 4.8, 9.6)
"""Spans of an exponent whose rate no column holds; the formula's own fit finds the rate from there."""

FLATTEST = 1e-6
"""Share of its largest value that a denominator counts as, at least, where rows are weighed by it."""

CHOICES, PAIRS, SHOWN = 5, 1, 2
"""Choices of a function whose terms are struck out, of two besides, and ratios of each that are proposed."""

STEPS_OF_PAIRS = 10
"""Gauss-Newton steps by which pairs are compared, 4 ms each."""


Choice = tuple[tuple[Extension, ...], tuple[int, int]]
"""The functions that a ratio may hold besides the columns, and its degrees."""


@np.errstate(all="ignore")
def fits(problem: Problem) -> list[Fit]:
    """Return the likeliest ratios, each with at most one function of the columns, or two exponentials."""
    if problem.width > MOST_COLUMNS or len(problem.fit) < FEWEST_ROWS:
        return []
    rows = np.concatenate([problem.fit, problem.test])
    if not (np.all(np.isfinite(problem.Z[rows])) and np.all(np.isfinite(problem.y[rows]))):
        return []
    with one_thread():
        best = _likeliest(problem, _choices(problem), _length, CHOICES)
        best += _likeliest(problem, ((pair, DEGREE_OF_PAIRS) for pair in _pairs(problem)), _loss, PAIRS)
        return [fit for chosen, degree in best for fit in _thinned(problem, rows, chosen, degree)]


def _likeliest(
    problem: Problem, choices: Iterable[Choice], judge: Callable[..., float], most: int
) -> list[Choice]:
    """Return the choices of which least is said."""
    judged = [(judge(problem, *choice), k, choice) for k, choice in enumerate(choices)]
    ranked = sorted((j for j in judged if np.isfinite(j[0])), key=lambda j: j[:2])
    return [choice for *_, choice in ranked[:most]]


def _choices(problem: Problem) -> Iterator[Choice]:
    """Yield what a ratio may hold besides the columns, at most one function, with its degrees."""
    made = [(e,) for e in (*functions(problem), *_roots(problem))]
    for argument in exponentials_of_any_rate(problem):
        span = float(np.ptp(argument.values))
        rates = [r / span for r in RATES] if span > 0 else []
        made += [(e,) for r in rates if (e := exponential(argument, r)) is not None]
    for chosen in ((), *made):
        for degree in DEGREES:
            yield chosen, degree


def _roots(problem: Problem) -> list[Extension]:
    """Return the roots u^(1/x), x a column, u another, a quotient or a product of two others."""
    columns = [Extension(v, f) for v, f in zip(problem.Z.T, problem.formulas, strict=True)]
    found = []
    for k, degree in enumerate(columns):
        others = [c for i, c in enumerate(columns) if i != k]
        for i, u in enumerate(others):
            rest = others[i + 1 :]
            for base in (u, *products(u, rest), *quotients(u, rest)[::2]):
                if np.all(base.values > 0) and np.all(degree.values):
                    power = Extension(
                        np.log(base.values) / degree.values, sympy.log(base.formula) / degree.formula
                    )
                    found.append(exponential(power))
    return [e for e in found if e is not None]


def _pairs(problem: Problem) -> Iterator[tuple[Extension, ...]]:
    """Yield two exponentials: any of two columns; of more, decays that have one column in common.

    What passes through two stages in turn is a ratio of small degrees in both, and of one of them in none.
    """
    if problem.width != 2:
        yield from decays(problem)
        return
    columns = [Extension(v, f) for v, f in zip(problem.Z.T, problem.formulas, strict=True)]
    arguments = [*columns, *products(columns[0], columns[1:]), *quotients(columns[0], columns[1:])]
    made = [e for u in arguments for sign in (1.0, -1.0) if (e := exponential(u, sign))]
    yield from (two for two in itertools.combinations(made, 2) if two[0].formula * two[1].formula != 1)


def _viewed(problem: Problem, chosen: tuple[Extension, ...]) -> Problem:
    Z = np.column_stack([problem.Z, *(e.values for e in chosen)])
    return problem.columns(Z, (*problem.formulas, *(e.formula for e in chosen)))


def _support(sheet: monomials.Sheet, degree: tuple[int, int], extensions: int) -> monomials.Support:
    """Return the terms of P and Q up to the degrees; with two exponentials those linear in each.

    With all of degree two noise in y·Q bends the first fit so far that the right pair is never seen. P has
    (columns)·(exponentials), in two columns also both exponentials at once; Q has columns, and in two columns
    exponentials.
    """
    if extensions < 2:
        return sheet.upto(degree[0]), sheet.upto(degree[1])
    columns, pair = sheet.E[:, :-extensions], sheet.E[:, -extensions:]
    linear = (columns.sum(axis=1) <= 1) & (pair.max(axis=1) <= 1)
    few = columns.shape[1] == 2
    above = linear & (pair.sum(axis=1) <= (2 if few else 1))
    below = linear & (pair.sum(axis=1) + columns.sum(axis=1) <= 1) & (few | (pair.sum(axis=1) == 0))
    return tuple(np.flatnonzero(above).tolist()), tuple(np.flatnonzero(below).tolist())


def _most_terms(rows: int) -> int:
    return rows // (OF_FEW if rows < FEW_ROWS else ROWS_A_TERM)


def _chosen(problem: Problem, chosen: tuple[Extension, ...], degree: tuple[int, int]) -> monomials.Sheet:
    """Return the rows of a first fit with the columns and the chosen functions."""
    rows = problem.choosing(FIT_ROWS)
    Z = np.column_stack([problem.Z[rows], *(e.values[rows] for e in chosen)])
    return monomials.Sheet.of(Z, problem.y[rows], problem.w[rows] ** 2, max(degree))


def _loss(problem: Problem, chosen: tuple[Extension, ...], degree: tuple[int, int]) -> float:
    """Return what the ratio of all terms leaves, fitted as it stands.

    A linear fit with two exponentials is bent by noise in y·Q so far that the right pair comes after dozens:
    of Bateman's curve it leaves 14 times the noise, and fitted so 1.07 times.
    """
    sheet = _chosen(problem, chosen, degree)
    support = _support(sheet, degree, len(chosen))
    if len(support[0]) + len(support[1]) > _most_terms(len(sheet.y)):
        return np.inf
    return monomials.fitted(sheet, support, STEPS_OF_PAIRS).loss


def _length(problem: Problem, chosen: tuple[Extension, ...], degree: tuple[int, int]) -> float:
    """Return the description length in nats of a linearised fit without its idle terms.

    By what the ratio itself is off: a wrong one solves y·Q = P nearly where Q nearly vanishes.
    """
    sheet = _chosen(problem, chosen, degree)
    above, below = _support(sheet, degree, len(chosen))
    n, k = len(sheet.y), len(above) + len(below)
    if k > _most_terms(n):
        return np.inf
    A = np.hstack([sheet.M[:, above], -sheet.y[:, None] * sheet.M[:, below]]) * sheet.w[:, None]
    found = _linearised(A, sheet, above, below)
    if found is None:
        return np.inf
    q, Q = found
    A = A / Q[:, None]
    # a term of Q that the law lacks would stay where it is pinned, and noise in y·Q bends what is left: in
    # one column every pin is tried, and every ratio measured as it is
    alone = problem.width == 1
    safest = int(np.argmax(np.abs(q) * np.linalg.norm(sheet.M[:, below], axis=0)))
    pins = range(len(above), k) if alone else (len(above) + safest,)
    tried = np.concatenate([_struck(A, pin) for pin in pins])
    if not alone:
        tried = tried[[np.argmin(_nats(np.mean((A @ tried.T) ** 2, axis=0), tried, n))]]
    return float(np.min(_nats(_off(sheet, above, below, tried), tried, n)))


def _linearised(
    A: np.ndarray, sheet: monomials.Sheet, above: Sequence[int], below: Sequence[int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return coefficients (l,) and values (n,) of the best linearised fit's denominator, None without one.

    As `monomials.linearised`, from the normal matrix of A (n, k): noise is far above its round-off.
    """
    B, best, least = A, None, np.inf
    for _ in range(PASSES):
        gram = B.T @ B
        size = np.sqrt(np.diagonal(gram))
        size = np.where(size > 0, size, 1.0)
        v = lapack.dsyevr(gram / size / size[:, None], range="I", il=1, iu=1)[1][:, 0] / size
        q = v[len(above) :]
        Q = sheet.M[:, below] @ q
        loss = float(np.mean((((sheet.M[:, above] @ v[: len(above)]) / Q - sheet.y) * sheet.w) ** 2))
        top = float(np.abs(Q).max())
        if loss < least:
            best, least = (q, Q), loss
        if not (np.isfinite(top) and top > 0):
            break
        B = A / np.maximum(np.abs(Q) / top, FLATTEST)[:, None]
    return best


def _nats(losses: np.ndarray, solutions: np.ndarray, rows: int) -> np.ndarray:
    """Return the description lengths (m,) of ratios with the terms of solutions (m, k), zeros struck out."""
    terms = np.count_nonzero(solutions, axis=1)
    lengths = np.asarray(criterion.length(losses, rows, ratios.TERM_PRICE * terms, terms))
    return np.where(np.isnan(lengths), np.inf, lengths)


def _off(
    sheet: monomials.Sheet, above: Sequence[int], below: Sequence[int], solutions: np.ndarray
) -> np.ndarray:
    """Return the mean squares (m,) that the ratios themselves are off by, infinite where one is undefined."""
    p, q = solutions[:, : len(above)], solutions[:, len(above) :]
    values = (sheet.M[:, above] @ p.T) / (sheet.M[:, below] @ q.T)
    losses = np.mean(((values - sheet.y[:, None]) * sheet.w[:, None]) ** 2, axis=0)
    return np.where(np.isfinite(losses), losses, np.inf)


def _struck(A: np.ndarray, pin: int) -> np.ndarray:
    """Return vectors v (k - 1, k) of fewer and fewer terms for which A·v (n,) is small, v[pin] not zero."""
    k = A.shape[1]
    size = np.linalg.norm(A, axis=0)
    alive = np.delete(np.arange(k), pin)
    B, target = A[:, alive] / size[alive], A[:, pin] / size[pin]
    inverse = np.linalg.inv(B.T @ B + RIDGE * np.eye(k - 1))
    solutions = np.empty((k - 1, k))
    solutions[:, alive] = -_thinning(inverse, inverse @ (B.T @ target)) / size[alive]
    solutions[:, pin] = 1 / size[pin]
    return solutions


@njit
def _thinning(inverse: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return least-squares coefficients (k, k), row by row with one term fewer; those of all are `c` (k,).

    Terms are struck out one by one from the inverse (k, k) of the normal matrix: what a term's absence adds
    is known beforehand.
    """
    k, inverse, c = len(c), inverse.copy(), c.copy()
    out, alive = np.empty((k, k)), np.ones(k, np.bool_)
    for step in range(k):
        out[step] = c
        least, i = np.inf, -1
        for j in range(k):
            if alive[j] and not c[j] ** 2 / inverse[j, j] >= least:
                least, i = c[j] ** 2 / inverse[j, j], j
        alive[i] = False
        column, row, corner, level = inverse[:, i].copy(), inverse[i].copy(), inverse[i, i], c[i]
        for j in range(k):
            # exactly nothing, not round-off, is left of what was struck out
            c[j] = c[j] - column[j] * level / corner if alive[j] else 0.0
            for m in range(k):
                inverse[j, m] -= column[j] * row[m] / corner
    return out


def _thinned(
    problem: Problem, rows: np.ndarray, chosen: tuple[Extension, ...], degree: tuple[int, int]
) -> list[Fit]:
    """Return the fits of fewer terms that are described shortest."""
    view = _viewed(problem, chosen)
    chooser = Chooser.of(view.Z[rows], view.y[rows], view.w[rows] ** 2, max(degree), None, 0)
    full = monomials.fitted(chooser.part, _support(chooser.part, degree, len(chosen)))
    path = monomials.backward(chooser.part, full, max(10 * full.loss, 1e-6))
    found = sorted((r for r in path if np.isfinite(r.loss)), key=chooser.length)[:SHOWN]
    y, v = view.y[rows], view.w[rows] ** 2
    unit = problem.unit * float(np.mean(v) * np.mean(y * y) / np.mean(v * y * y))  # of a share of y's square
    out = []
    for ratio in found:
        share = criterion.corrected(ratio.loss, ratio.terms, len(chooser.part.y)) * unit
        price = ratios.TERM_PRICE * ratio.terms
        write = partial(ratios.written_out, chooser, ratio, view)
        name = partial(_proposed, Proposal(share, price, write))
        out.append(Fit(share, price, SOURCE, view, name))
    return out


def _proposed(proposal: Proposal) -> list[Proposal]:
    return [proposal]

"""What the rows say about a law's form before it is known: a smooth fit, its slopes, and what they suggest.

The fit is a polynomial in the columns (those of one sign that span a wide range in logarithms), of y or of
log|y|, whichever holds better on rows left out. Its slopes tell which columns act through a product, a
quotient or a difference, and which can be divided out of the target or subtracted from it; `loss` then judges
the simpler problem on rows left out. A move that is right leaves fewer columns and loses nothing, so that a
polynomial of the same size fits better; a wrong one throws information away.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.special

from kansym.base import linear
from kansym.judge import chance
from kansym.search.structure.problem import FEW_ROWS, Problem
from kansym.search.structure.ridge import chebyshev, polynomials

TEST_ROWS = 300
"""Rows of a smooth fit's judgement."""

MOST_TERMS, A_TERM, A_TERM_OF_FEW = 100, 4, 2
"""Polynomials have at most so many terms, each with so many rows; fewer where each is left out in turn."""

HIGHEST = 24
"""Highest degree, for one column."""

LEAST_FREE = 1e-9
"""One less a row's leverage counts as at least this: the fit without such a row is not determined."""

WIDE = 3.0
"""A column of one sign whose largest value is so many times its smallest is taken in logarithms."""

VERY_WIDE, NEAR = 30.0, 0.2
"""One whose largest value is so many times its smallest comes near nothing; and the share of its values that
are near. Of 110 laws it leaves less of 12, of two decays a twentieth."""

CLEARLY = 2.0
"""A fit in such columns has to leave so many times less: of equals its slopes are the worse ones."""


MOST_KURTOSIS = 2.0
"""Excess kurtosis of what a smooth fit leaves up to which it is noise: a miss is large in a few places."""

BY_CHANCE = 0.05
"""Chance above which further terms explain no more than they would of noise, and what is left depends on no
column of the table. Of clean tables none was taken for noise: 121 laws of 100 and of 1000 rows and 123 of 65
(with 8 further terms one), and Feynman's 100 of 100 rows; with 2 % of noise of 100 rows 15 of 18 are seen."""

ROWS_OF_NOISE, SPENT, FURTHER_TERMS = 50, 0.6, 12
"""Fewest rows that tell noise, the share of them that may be terms, and the fewest further ones asked."""


Form = tuple[int, bool]
"""Which of the scales of the columns, and whether log|y| was fitted."""


@dataclass(frozen=True, eq=False)
class Smooth:
    """Hold a smooth fit of a problem: its loss, the rows it was fitted on, values and slopes (n, d) there.

    `loss` is the share of the table's variance that it leaves on rows left out, `form` how columns and target
    were seen (see `loss`).
    """

    loss: float
    rows: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    form: Form | None = None


def loss(problem: Problem, form: Form | None = None) -> float:
    """Return the share of the table's variance that a smooth fit leaves on rows it did not see.

    Of the `form` alone where one is given, which takes a quarter of the time.
    """
    return _fit(problem, False, form).loss


def form(problem: Problem) -> Form | None:
    """Return how columns and target are seen by the smooth fit that holds best."""
    return _fit(problem, False).form


@np.errstate(all="ignore")
def noise(problem: Problem, table: np.ndarray) -> bool:
    """Tell whether what a smooth fit leaves is noise, and cannot be what it misses of an exact law.

    Terms of higher degree explain most of a miss, and of noise what they would by chance (F-test). Where a
    move lost a column that matters, what is left depends on the columns (n, d) of the `table`.
    """
    rows, seen = np.concatenate([problem.fit, problem.test]), form(problem)
    n = len(rows)
    if seen is None or n < ROWS_OF_NOISE:
        return False
    U = list(scaled(problem.Z[rows]))[seen[0]][0]
    y, w = problem.y[rows], problem.w[rows]
    t, v = (np.log(np.abs(y)), w * np.abs(y)) if seen[1] else (y, w)
    E = _exponents(problem.width, min(MOST_TERMS, int(SPENT * n)))
    degrees = E.sum(axis=1)
    Q = np.linalg.qr(_monomials(U, E) * v[:, None])[0]
    terms = np.searchsorted(degrees, np.arange(degrees.max() + 1), side="right")
    left = float(np.sum((t * v) ** 2)) - np.cumsum((Q.T @ (t * v)) ** 2)[terms - 1]
    for k, square in zip(terms, left, strict=True):
        more, rest = terms[terms > k], left[terms > k]
        if not len(more) or more[-1] - k < FURTHER_TERMS:
            return False
        F = (square - rest) / (more - k) * (n - more) / rest
        if scipy.special.fdtrc(more - k, n - more, F).min() > BY_CHANCE:
            break
    Q = Q[:, :k]
    off = (t * v - Q @ (Q.T @ (t * v))) / np.sqrt(np.maximum(1 - np.sum(Q * Q, axis=1), LEAST_FREE))
    off = off - off.mean()
    if np.mean(off**4) / np.mean(off**2) ** 2 - 3.0 > MOST_KURTOSIS:
        return False
    return chance.structure(table[rows], off, shuffles=chance.FIRST_SHUFFLES).pvalue > BY_CHANCE


def smooth(problem: Problem) -> Smooth:
    """Return the smooth fit with its slopes."""
    return _fit(problem, slopes=True)


@np.errstate(all="ignore")
def _fit(problem: Problem, slopes: bool, form: Form | None = None) -> Smooth:
    fit, test = problem.fit[: problem.smooth_rows], problem.test[:TEST_ROWS]
    in_turn = len(fit) < FEW_ROWS
    rows = np.concatenate([fit, test])
    if in_turn:
        fit = rows
    n = len(fit)
    Z, y, w = problem.Z[rows], problem.y[rows], problem.w[rows]
    total = float(np.sum((w * y)[:n] ** 2)) / n
    none = Smooth(np.inf, fit, y[:n], np.zeros((n, problem.width)))
    if not (np.all(np.isfinite(Z)) and np.all(np.isfinite(y)) and total > 0):
        return none
    E = _exponents(problem.width, max(min(MOST_TERMS, n // (A_TERM_OF_FEW if in_turn else A_TERM)), 2))
    targets = [(y, w, False)]
    if (y > 0).all() or (y < 0).all():
        targets.append((np.log(np.abs(y)), w * np.abs(y), True))
    best, least = None, np.inf
    for number, (U, stretch, handicap) in enumerate(scaled(Z)):
        if form is not None and number != form[0]:
            continue
        A = _monomials(U, E)
        for t, v, log in targets:
            if form is not None and log != form[1]:
                continue
            C, off = _polynomials(A, t, v, n, E.sum(axis=1), in_turn)
            judged = slice(None) if in_turn else slice(n, None)
            lefts = (np.abs(y[judged, None]) * np.expm1(off) if log else off) * w[judged, None]
            for c, share in zip(C, np.mean(lefts**2, axis=0) / total * problem.unit, strict=True):
                if handicap * share < least:
                    least = handicap * share
                    best = float(share), (number, log), c, U, stretch, A
    if best is None:
        return none
    share, seen, c, U, stretch, A = best
    if not slopes:
        return Smooth(share, fit, y[:n], stretch[:n], seen)
    values, slants = _read(E[: len(c)], c, U[:n], stretch[:n], A[:n], y[0], seen[1])
    return Smooth(share, fit, values, slants, seen)


def _monomials(U: np.ndarray, E: np.ndarray) -> np.ndarray:
    """Return the products (n, k) of Chebyshev polynomials of the columns U (n, d) with degrees E (k, d)."""
    top = int(E.max())
    A = polynomials(U[:, 0], top)[E[:, 0]]
    for u, e in zip(U.T[1:], E.T[1:], strict=True):
        A *= polynomials(u, top)[e]
    return A.T


def _polynomials(
    A: np.ndarray, t: np.ndarray, v: np.ndarray, n: int, degrees: np.ndarray, in_turn: bool
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return coefficients of fits of t by A's first columns, degree by degree, and what they miss (m, fits).

    Of the rows after the first n; or, `in_turn`, of each row by the fit to the others (its leverage tells).
    """
    top = int(degrees[-1])
    turned = linear.turned_by(A[:n] * v[:n, None], (t * v)[:n])
    diagonal = np.abs(np.diagonal(turned.packed))
    # a high degree may fail between the rows where a lower one holds, and fits noise
    tried = sorted({top, max(top - 1, 1), *(max(top * k // 6, 1) for k in (4, 3, 2, 1))})
    terms = [int(k) for k in np.searchsorted(degrees, tried, side="right")]
    terms = [k for k in terms if diagonal[:k].min() > linear.RANK * diagonal[:k].max()]
    C = [linear.solved(turned.packed[:k, :k], turned.target[:k]) for k in terms]
    padded = np.zeros((A.shape[1], len(terms)))
    for i, c in enumerate(C):
        padded[: len(c), i] = c
    judged = slice(None) if in_turn else slice(n, None)
    off = A[judged] @ padded - t[judged, None]
    if in_turn and terms:
        off = off / np.maximum(1 - turned.leverages[:, [k - 1 for k in terms]], LEAST_FREE)
    return C, off


def _read(
    E: np.ndarray, c: np.ndarray, U: np.ndarray, stretch: np.ndarray, A: np.ndarray, first: float, log: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return a polynomial's values (n,) at scaled columns U (n, d), and slopes (n, d) by the table's."""
    value = A[:, : len(c)] @ c
    value = np.sign(first) * np.exp(value) if log else value
    T, D = zip(*(chebyshev(u, int(E.max())) for u in U.T), strict=True)
    out = np.zeros(U.shape)
    for j in range(len(T)):
        parts = [(D if i == j else T)[i][:, E[:, i]] for i in range(len(T))]
        out[:, j] = np.prod(parts, axis=0) @ c * stretch[:, j]
    return value, out * value[:, None] if log else out


def scaled(Z: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Yield the columns (n, d) within [-1, 1] with their derivatives and a handicap, in up to three ways.

    Wide ones in logarithms; all as they are; those that come near nothing as log(1 + |x|/s), s the size of
    the smallest fifth: as they are near nothing, and in logarithms far from it.
    """
    size, sign = np.abs(Z), np.where((Z >= 0).all(0), 1.0, -1.0)
    one_sign, least, most = (sign * Z >= 0).all(0), size.min(0), size.max(0)
    wide, wider = one_sign & (least > 0) & (most > WIDE * least), one_sign & (most > VERY_WIDE * least)
    near = np.quantile(size, NEAR, axis=0) if wider.any() else most
    none, wider = np.zeros_like(wide), wider & (near > 0)
    ways = [(none, none)]
    if wide.any():
        ways.insert(0, (wide, none))
    if wider.any():
        ways.append((wide | wider, wider))
    for log, bent in ways:
        shift = np.where(bent, near, 0.0)
        S = np.where(log, np.log(np.where(log, size + shift, 1.0)), Z)
        middle, half = (S.max(0) + S.min(0)) / 2, np.maximum(np.ptp(S, axis=0) / 2, 1e-300)
        slope = np.where(log, sign / np.where(log, size + shift, 1.0), 1.0)
        yield (S - middle) / half, slope / half, CLEARLY if bent.any() else 1.0


@cache
def _exponents(width: int, most: int) -> np.ndarray:
    """Return the exponents (k, width) of the monomials up to the degree that needs at most `most`."""
    E = np.zeros((1, width), int)
    level = E
    for _ in range(HIGHEST):
        one = np.eye(width, dtype=int)
        level = np.unique((level[:, None] + one[None]).reshape(-1, width), axis=0)
        if len(E) + len(level) > most:
            break
        E = np.vstack([E, level])
    return E


def pairs(width: int) -> list[tuple[int, int]]:
    """Return all pairs of columns."""
    return list(itertools.combinations(range(width), 2))

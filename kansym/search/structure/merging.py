"""Find pairs of columns that act only through a sum, a difference, or a sum or difference of squares.

For a pair (a, b) the law averaged over the other columns is a surface T(a, b). If the law sees the pair
only through h(a, b), the surface is a curve in h, and the curve explains as much as the surface: an
F-test tells, for any noise, and needs no model of the rest.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from scipy import stats

from kansym.base import criterion, polynomials
from kansym.base.linear import TINY, left
from kansym.base.threads import one_thread
from kansym.search.structure.problem import Operation, Problem
from kansym.search.structure.ridge import unit

OPERATIONS = (
    Operation("a-b", lambda a, b: a - b),
    Operation("a+b", lambda a, b: a + b),
    Operation("a^2+b^2", lambda a, b: a**2 + b**2),
    Operation("a^2-b^2", lambda a, b: a**2 - b**2),
    Operation("a+b^2", lambda a, b: a + b**2),
    Operation("a^2+b", lambda a, b: a**2 + b),
    Operation("1/a+1/b", lambda a, b: 1 / a + 1 / b),
    Operation("1/a-1/b", lambda a, b: 1 / a - 1 / b),
    Operation("a*b", lambda a, b: a * b),
    Operation("a/b", lambda a, b: a / b),
)
_PRODUCTS = ("a*b", "a/b")
SURFACE_DEGREE, CURVE_DEGREE = 7, 9
"""Degrees of the surface in two columns and of the curve in their combination, where rows are many."""

HIGHEST = 10
"""Highest total degree of the polynomials in all columns."""

SHUFFLES = 30
"""Shuffled copies that a column must beat; an irrelevant one does so by chance in one table of 31."""

MOST_PAIRED = 9
"""Columns of which every pair is tried; of more those that a polynomial misses most."""

MOST_TERMS, BEAM, LEAST_FREE = 30, 8, 0.05
"""Terms of the polynomials by which few columns of many are chosen, choices that are kept, and the least part
of itself that a row is taken to leave to the others."""

NEEDED_ROWS = 1000
"""Rows, at most, on which irrelevant columns are looked for."""


@dataclass(frozen=True, eq=False)
class Merge:
    """Hold a tested merge: pair, operation, p-value of the test, and the share of what the two columns'
    separate effects leave that their surface explains."""

    i: int
    j: int
    operation: Operation
    pvalue: float
    explained: float
    ratio: float


@np.errstate(all="ignore")
def merges(problem: Problem, exponents: np.ndarray) -> list[Merge]:
    """Return the merges that the data do not contradict, the most telling first.

    `exponents` (width,) of a rough power law divide out the other columns' trends (0 for columns that
    change sign).
    """
    rows = problem.fit
    y, w = problem.y[rows], problem.w[rows]
    Z = problem.Z[rows]
    n = len(rows)
    found = []
    degree = SURFACE_DEGREE if n >= 120 else 4 if n >= 60 else 2
    powers = polynomials.exponents(2, degree)
    if n <= len(powers):
        return []  # so few rows are any surface's
    for i, j in pairs(problem):
        rest = [k for k in range(problem.width) if k not in (i, j) and exponents[k]]
        m = np.exp(np.log(np.abs(Z[:, rest])) @ exponents[rest]) if rest else np.ones(n)
        m = m * w / np.median(m)
        T = polynomials.products(np.column_stack([unit(Z[:, i])[0], unit(Z[:, j])[0]]), powers)
        ty = w * y
        base = _square_left(T[:, powers.min(axis=1) == 0] * m[:, None], ty)
        surface = _square_left(T * m[:, None], ty)
        for operation in OPERATIONS:
            with np.errstate(all="ignore"):
                h = operation.value(Z[:, i], Z[:, j])
            if not np.all(np.isfinite(h)) or np.ptp(h) == 0:
                continue
            k = min(CURVE_DEGREE, degree + 2)
            curve = _square_left(chebvander(unit(h)[0], k) * m[:, None], ty)
            more = T.shape[1] - k - 1
            F = max(curve - surface, 0.0) / more / (max(surface, 1e-14 * base) / (n - T.shape[1]))
            found.append(
                Merge(
                    i,
                    j,
                    operation,
                    float(stats.f.sf(F, more, n - T.shape[1])),
                    1 - surface / base,
                    curve / max(surface, TINY),
                )
            )
    return found


@lru_cache(16)
def pairs(problem: Problem) -> tuple[tuple[int, int], ...]:
    """Return the pairs of columns (i < j) that are worth a look: of many, pairs of those that matter most."""
    width = problem.width
    columns = list(range(width))
    if width > MOST_PAIRED:
        columns = sorted(np.argsort(-_missed(problem), kind="stable")[:MOST_PAIRED].tolist())
    return tuple(itertools.combinations(columns, 2))


def fewer(problem: Problem, count: int = 3) -> Problem:
    """Return the problem seen through the `count` columns that together say most of y.

    They join one by one, the best BEAM choices kept, by what a polynomial leaves of rows that it is fitted
    without. Of the invariants of knots: the three that the signature is known to depend on, in 0.1 s.
    """
    rows = np.concatenate([problem.fit, problem.test])
    w = problem.w[rows]
    U, y = _scaled(problem.Z[rows]), problem.y[rows] * w

    def left_out(columns: frozenset[int]) -> float:
        """Return the mean square of each row's distance from the polynomial of the others."""
        A = _polynomials(U[:, sorted(columns)], min(MOST_TERMS, len(y) // 4))[0] * w[:, None]
        Q = np.linalg.qr(A)[0]
        return float(np.mean(((y - Q @ (Q.T @ y)) / np.maximum(1 - (Q * Q).sum(axis=1), LEAST_FREE)) ** 2))

    beam: list[frozenset[int]] = [frozenset()]
    for _ in range(min(count, problem.width)):
        grown = {chosen | {k} for chosen in beam for k in range(problem.width) if k not in chosen}
        beam = sorted(grown, key=lambda chosen: (left_out(chosen), sorted(chosen)))[:BEAM]
    best = sorted(beam[0])
    return problem.columns(problem.Z[:, best], tuple(problem.formulas[k] for k in best))


def _missed(problem: Problem) -> np.ndarray:
    """Return for each column (width,) how much more of y a quadratic leaves where its terms are struck out.

    Of the coefficients c = G⁻¹·A'y, G = A'A, those of a column's terms S cost c_S'·(G⁻¹)_SS⁻¹·c_S.
    """
    rows = problem.fit
    U = _scaled(problem.Z[rows])
    powers = polynomials.exponents(problem.width, 2)
    if len(powers) > len(rows) // 2:  # as many columns as that have no products
        powers = powers[(powers > 0).sum(axis=1) < 2]
    A, y = polynomials.products(U, powers), problem.y[rows]
    w = problem.w[rows]
    A, y = A * w[:, None], y * w
    inverse = np.linalg.pinv(A.T @ A, rcond=1e-12, hermitian=True)
    c = inverse @ (A.T @ y)
    terms = [np.flatnonzero(powers[:, i]) for i in range(problem.width)]
    return np.array([c[s] @ np.linalg.pinv(inverse[np.ix_(s, s)], rcond=1e-12) @ c[s] for s in terms])


def telling(found: list[Merge]) -> list[Merge]:
    """Return for each pair the sums and differences that fit about as well as a product, best first."""
    out = []
    pairs = {(m.i, m.j) for m in found}
    for pair in sorted(pairs):
        mine = [m for m in found if (m.i, m.j) == pair]
        product = min((m.ratio for m in mine if m.operation.name in _PRODUCTS), default=np.inf)
        good = [
            m
            for m in mine
            if m.operation.name not in _PRODUCTS and m.pvalue > 1e-6 and m.ratio < 1.2 * product
        ]
        out += [(m.explained, m.ratio, m) for m in sorted(good, key=lambda m: m.ratio)[:2]]
    return [m for *_, m in sorted(out, key=lambda t: t[1] / max(t[0], 1e-3))]


def _square_left(A: np.ndarray, y: np.ndarray) -> float:
    """Return the sum of squares that the columns of A (n, p) leave of y (n,)."""
    r = left(A, y)
    return float(r @ r)


@np.errstate(all="ignore")
def loss(problem: Problem) -> float:
    """Return the share of the target that the best polynomial in all columns leaves on the test rows.

    A merge that loses nothing lets a polynomial of the same size fit better, because it has fewer
    columns; one that throws information away is seen at once. A target of one sign is taken as it is and
    in logarithms; columns that span a wide range in logarithms.
    """
    y = problem.y
    rows = np.concatenate([problem.fit, problem.test])
    n = len(problem.fit)
    part, w = y[rows], problem.w[rows]
    targets = [(part, w / np.median(w))]
    if (part > 0).all() or (part < 0).all():
        targets.append((np.log(np.abs(part)), w * np.abs(part) / np.median(w * np.abs(part))))
    A, degrees = _polynomials(_scaled(problem.Z[rows]), max(n // 3, 4))
    best = np.inf
    for t, v in targets:
        mean = np.average(t[n:], weights=v[n:] ** 2)
        total = np.sum((v[n:] * (t[n:] - mean)) ** 2)
        for degree in {degrees.max(), max(degrees.max() - 2, 1), max(degrees.max() // 2, 1), 2}:
            use = degrees <= degree
            scaled, wanted = A[:n, use] * v[:n, None], t[:n] * v[:n]
            if not (np.all(np.isfinite(scaled)) and np.all(np.isfinite(wanted))):
                continue
            c, *_ = np.linalg.lstsq(scaled, wanted, rcond=1e-10)
            r = (t[n:] - A[n:, use] @ c) * v[n:]
            best = min(best, float(np.sum(r * r) / total))
    return best


def unexplained(Z: np.ndarray, r: np.ndarray) -> float:
    """Return the p-value of the F-test that residuals r (n,) are noise to low polynomials in Z (n, d)."""
    A, _ = _polynomials(_scaled(Z), max(len(r) // 6, 4))
    Q, _ = np.linalg.qr(A)
    power = float(r @ r)
    seen = float(np.sum((Q.T @ r) ** 2))
    k, n = Q.shape[1], len(r)
    return float(stats.f.sf(seen / k / (max(power - seen, TINY) / (n - k)), k, n - k))


def needed(Z: np.ndarray, y: np.ndarray, seed: int = 0) -> np.ndarray:
    """Tell for each column of Z (n, d) whether low polynomials of y (n,) lose anything without it.

    A column is needed when it helps more than any of SHUFFLES shuffled copies of itself: what a polynomial
    leaves of a law is not noise, and an F-test would find irrelevant columns useful. One that acts through
    fine waves alone looks useless, too. At most NEEDED_ROWS rows are used; with fewer than 20 rows a
    column none is left out.
    """
    rng = np.random.default_rng(seed)
    n, d = Z.shape
    if n < 20 * d:
        return np.ones(d, bool)
    rows = np.sort(rng.permutation(n)[:NEEDED_ROWS])
    U, y = _scaled(Z[rows]), y[rows]
    most, least = max(len(y) // 6, 4), len(y) * criterion.floor(y)

    def with_column(j: int, column: np.ndarray) -> float:
        """Return the sum of squares that is left with another column in the place of column j."""
        return _square_left(_polynomials(np.column_stack([np.delete(U, j, axis=1), column]), most)[0], y)

    def helps(j: int) -> bool:
        """Tell whether a column helps more than each of its shuffled copies."""
        own = with_column(j, U[:, j]) + least
        return all(own < with_column(j, rng.permutation(U[:, j])) for _ in range(SHUFFLES))

    with one_thread():
        return np.array([helps(j) for j in range(d)])


def _scaled(Z: np.ndarray) -> np.ndarray:
    """Return the columns within [-1, 1], wide ones of one sign in logarithms."""
    columns = []
    for z in Z.T:
        wide = ((z > 0).all() and z.max() > 3 * z.min()) or ((z < 0).all() and z.min() < 3 * z.max())
        columns.append(unit(np.log(np.abs(z)) if wide else z)[0])
    return np.column_stack(columns)


def _polynomials(U: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the polynomials of as high a degree as `most` terms allow, and the degree of each."""
    d = U.shape[1]
    powers = polynomials.exponents(d, polynomials.highest(d, most, HIGHEST))
    return polynomials.products(U, powers), powers.sum(axis=1)

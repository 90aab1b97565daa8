"""Sums of few products of whole powers as an answer to any problem: chosen one by one among thousands.

`ratios` needs twice as many rows as all products of its degrees; this look needs a few for each product that
the law has. Five columns have 2500 products of degree six, of which a*(T - c)*m**2 + b*m**4 is three.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from itertools import chain

import numpy as np
import sympy

from kansym.base.linear import TINY
from kansym.base.threads import one_thread
from kansym.search.structure import outers
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.tree.ratios import EXACT, EXACT_IN_FUNCTIONS, TERM_PRICE

FEWEST_COLUMNS, FEW_COLUMNS, MOST_COLUMNS = 2, 8, 16
"""Least columns of problems that are looked at (of one, ratios know every polynomial), and most that are few
and that are many."""

PRODUCTS, OF_MANY = 4000, 600
"""Products at most, of few columns and of many, so that a choice costs some milliseconds: degree 6 of five
columns, 5 of six, 2 of sixteen."""

HIGHEST = 10
"""Degree at most, of few columns."""

ROWS, ROWS_A_COLUMN, FEWEST_ROWS = 150, 18, 20
"""Rows that choose, at most, as many or so many for each column; below the last nothing is chosen."""

CHOSEN, ROWS_A_TERM = 16, 4
"""Products that are chosen at most, and rows for each: wrong ones come before right ones, and leave again."""

TERMS, PLAIN = 8, 4
"""Products that a law of few columns may have, and above which it is judged as strictly as one in functions:
eight powers of a column come within 1e-11 of an exponential in a narrow range."""

OTHERS = 3
"""Choices that begin with another product than the likeliest: a wrong first one may hide the right ones."""

POWERS = (("1/t",), ("t^2",), ("1/t", "t^2"))
"""Transforms of a target that make sums of terms of roots and reciprocals."""

LEFT, RELATIVE = 1e-11, 1e-3
"""Share of the target's norm that is left of what is exact; and of its largest value, below which rows weigh
alike where they weigh by their values."""

SPANNED = 1e-8
"""Share of its norm that a product must keep beside those chosen: of what is less round-off decides."""


@np.errstate(all="ignore")
def exact(problem: Problem, most: int = PRODUCTS) -> list[Fit]:
    """Return the sum of few products of whole powers, chosen from so many, that a target is exactly."""
    rows = np.sort(np.concatenate([problem.fit, problem.test]))
    X, y = problem.Z[rows], problem.y[rows]
    if not FEWEST_COLUMNS <= problem.width <= MOST_COLUMNS or len(rows) < FEWEST_ROWS or np.ptp(y) == 0:
        return []
    if not (np.all(np.isfinite(X)) and np.all(np.isfinite(y)) and np.all(np.any(X != 0, axis=0))):
        return []
    with one_thread():
        found = _found(X, y, choice(problem, most))
    if found is None:
        return []
    powers, factors = found
    write = partial(written, powers, factors, problem)
    price = TERM_PRICE * len(factors)
    return [Fit(1e-24, price, "products", problem, lambda: [Proposal(1e-24, price, write)])]


def powers(problem: Problem) -> list[Fit]:
    """Return a root or reciprocal of such a sum, of the first of POWERS of the target that is one exactly."""
    for names in POWERS:
        seen: Problem | None = problem
        for name in names:
            seen = None if seen is None else seen.target(outers.outer(name))
        if seen is not None and (found := exact(seen)):
            return found
    return []


def _found(X: np.ndarray, y: np.ndarray, exponents: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return exponents (k, d) and factors (k,) of an exact sum among these products, None where none is."""
    units = np.array([np.exp(np.mean(np.log(np.abs(x[x != 0])))) for x in X.T])
    some = np.linspace(0, len(y) - 1, min(len(y), max(ROWS, ROWS_A_COLUMN * len(units)))).round().astype(int)
    M = products(X[some] / units, exponents)
    size = np.abs(y).max()
    for weights in (np.ones(len(some)), 1 / np.maximum(np.abs(y[some]) / size, RELATIVE)):
        A, b = M * weights[:, None], y[some] / size * weights
        norms = np.linalg.norm(A, axis=0)
        good = np.flatnonzero(np.isfinite(norms) & (norms > 0))
        A = A[:, good] / norms[good]
        alike = [np.flatnonzero(at) for at in _of_one_degree(exponents[good])]
        chosen = next((c for c in chain(_together(A, b, alike), _choices(A, b)) if c is not None), None)
        kept = None if chosen is None else _fewest(A, b, chosen, terms(len(units)))
        if kept is None:
            continue
        powers = exponents[good[kept]]
        whole = products(X / units, powers)
        factors = np.linalg.lstsq(whole, y, rcond=None)[0]
        within = EXACT if len(kept) <= PLAIN else EXACT_IN_FUNCTIONS
        if np.linalg.norm(whole @ factors - y) <= within * np.linalg.norm(y):
            return powers, factors / np.prod(units**powers, axis=1)
    return None


def choice(problem: Problem, most: int = PRODUCTS) -> np.ndarray:
    """Return the exponents (k, d) of the products that a problem's sums are chosen from, at most so many."""
    if problem.width > FEW_COLUMNS:
        most = min(most, OF_MANY)
    return lattice(tuple(problem.one_signed().tolist()), most)


def terms(width: int, of_few: int = TERMS) -> int:
    """Return how many products a law of so many columns may have: each of many may stand in one."""
    return of_few if width <= FEW_COLUMNS else width


@lru_cache(maxsize=32)
def lattice(signed: tuple[bool, ...], most: int = PRODUCTS) -> np.ndarray:
    """Return the exponents (k, d) of all products up to the highest degree that gives at most so many.

    A degree is the sum of the exponents' sizes; they may be negative for columns of one sign.
    """
    table = np.zeros((1, 0), int)
    sizes = np.zeros(1, int)
    degree = next(m for m in range(HIGHEST, 0, -1) if m == 1 or _count(signed, m) <= most)
    for one in signed:
        powers = np.arange(-degree if one else 0, degree + 1)
        table = np.hstack([np.repeat(table, len(powers), axis=0), np.tile(powers, len(table))[:, None]])
        sizes = np.repeat(sizes, len(powers)) + np.tile(np.abs(powers), len(sizes))
        table, sizes = table[sizes <= degree], sizes[sizes <= degree]
    return table


def _count(signed: tuple[bool, ...], degree: int) -> int:
    """Return how many products there are up to a degree: of k columns that occur, each with its signs."""
    ways = np.zeros(degree + 1)
    ways[0] = 1
    for one in signed:
        each = np.full(degree + 1, 2.0 if one else 1.0)
        each[0] = 1
        ways = np.convolve(ways, each)[: degree + 1]
    return int(ways.sum())


def products(X: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Return the products (n, k) of powers of the columns of X (n, d)."""
    M = np.ones((len(X), len(exponents)))
    for x, powers in zip(X.T, exponents.T, strict=True):
        low = int(powers.min())
        table = np.stack([x ** float(k) for k in range(low, int(powers.max()) + 1)], axis=1)
        M *= table[:, powers - low]
    return M


def _of_one_degree(exponents: np.ndarray) -> Iterator[np.ndarray]:
    """Yield for each degree which products of positive powers have it: a law of one unit has no others."""
    degrees = exponents.sum(1)
    for degree in range(2, int(degrees.max()) + 1):
        yield (degrees == degree) & np.all(exponents >= 0, axis=1)


def _together(A: np.ndarray, b: np.ndarray, choices: Iterable[np.ndarray]) -> Iterator[list[int]]:
    """Yield the choices of columns that leave nothing of b, of those with two rows for each column."""
    for at in choices:
        if 1 < len(at) <= len(b) // 2:
            left = b - A[:, at] @ np.linalg.lstsq(A[:, at], b, rcond=None)[0]
            if np.linalg.norm(left) <= LEFT * np.linalg.norm(b):
                yield at.tolist()


def _choices(A: np.ndarray, b: np.ndarray) -> Iterator[list[int] | None]:
    """Yield choices of columns that leave nothing of b, beginning with each of the likeliest in turn."""
    order = np.argsort(-np.abs(A.T @ b), kind="stable")[: OTHERS + 1]
    for first in order:
        yield _chosen(A, b, int(first))


def _chosen(A: np.ndarray, b: np.ndarray, first: int) -> list[int] | None:
    """Return columns of A (n, k) that leave nothing of b: each the one that leaves least beside those before.

    Orthogonal least squares (Chen, Billings and Luo, Int. J. Control 50, 1989); None where that needs more
    than CHOSEN columns.
    """
    A, left, target = A.copy(), b.copy(), np.linalg.norm(b)
    kept, j = [], first
    squares = np.ones(A.shape[1])
    for _ in range(min(CHOSEN, len(b) // ROWS_A_TERM)):
        column = A[:, j] / math.sqrt(squares[j])
        kept.append(j)
        A -= np.outer(column, column @ A)
        left = left - column * (column @ left)
        if np.linalg.norm(left) <= LEFT * target:
            return kept
        squares = np.einsum("ij,ij->j", A, A)
        gain = np.where(squares > SPANNED**2, (left @ A) ** 2 / np.maximum(squares, TINY), -1.0)
        gain[kept] = -1.0
        j = int(np.argmax(gain))
    return None


def _fewest(A: np.ndarray, b: np.ndarray, chosen: list[int], most: int) -> list[int] | None:
    """Return those of the chosen columns that are needed, None where they are more than `most`."""
    kept = list(chosen)
    while kept:
        factors = np.linalg.lstsq(A[:, kept], b, rcond=None)[0]
        j = int(np.argmin(np.abs(factors)))
        fewer = kept[:j] + kept[j + 1 :]
        rest = b - A[:, fewer] @ np.linalg.lstsq(A[:, fewer], b, rcond=None)[0] if fewer else b
        if np.linalg.norm(rest) > EXACT * np.linalg.norm(b):
            return kept if len(kept) <= most else None
        kept = fewer
    return None


def written(powers: np.ndarray, factors: np.ndarray, problem: Problem) -> sympy.Expr:
    """Return a sum's formula in the table's columns."""
    terms = [
        sympy.Float(float(c)) * sympy.Mul(*(f ** int(k) for f, k in zip(problem.formulas, row, strict=True)))
        for c, row in zip(factors, powers, strict=True)
    ]
    return sympy.Add(*terms)

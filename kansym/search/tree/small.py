"""Small ratios of polynomials in noise, each fitted as it stands: y = (few terms)/(few terms).

Of one or two columns each function of them is given a column of its own, too.

A linearised fit, y·Q = P, is quick for hundreds of terms, but noise in y·Q bends it, and at a tenth of the
target's size the law's own terms come far behind others. Of two or three terms there are so few ratios that
every one is fitted to y itself, a thousand in a tenth of a second.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.jit import njit
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.tree import further, ratios

SOURCE = "small ratio in noise"

MOST_COLUMNS, FEWEST_ROWS, ROWS = 4, 40, 300
"""Columns, at most, and the rows that are fitted: at least, at most."""

DEGREES = {1: 3, 2: 2, 3: 2, 4: 2}
"""Degree of the monomials of so many columns."""

TOP, BELOW = 2, {1: 3, 2: 3, 3: 2, 4: 2}
"""Terms of the numerator, and of the denominator for so many columns, at most."""

STEPS = 8
"""Steps of Levenberg and Marquardt from the linearised fit."""

HOPELESS = 30.0
"""How many times what the best one leaves a linearised fit may leave to be made better."""

SHOWN = 6
"""Ratios that are proposed."""

FIRST_ROWS, CHOICES, SHOWN_OF_ONE = 100, 6, 1
"""Rows by which functions beside the columns are compared, those of which ratios are fitted to all the rows
that tell, and the ratios of each that are proposed."""

Terms = tuple[tuple[int, ...], tuple[int, ...]]


@np.errstate(all="ignore")
def fits(problem: Problem) -> list[Fit]:
    """Return the small ratios that are described shortest.

    Of X (n, d) and y (n,), d from 1 to 4. Source of the steps: Levenberg (Quart. Appl. Math. 2, 1944) and
    Marquardt (J. SIAM 11, 1963).
    """
    if problem.width > MOST_COLUMNS:
        return []
    found = _Measured.of(problem, *_shapes(problem.width), ROWS)
    return [] if found is None else found.fits(SHOWN)


@np.errstate(all="ignore")
def with_one(problem: Problem) -> list[Fit]:
    """Return the shortest small ratios in one or two columns and one function of them."""
    if problem.width > further.FEW_COLUMNS:
        return []
    judged = []
    for k, e in enumerate(further.functions(problem)):
        view = problem.columns(np.column_stack([problem.Z, e.values]), (*problem.formulas, e.formula))
        found = _Measured.of(view, *_shapes_beside(problem.width), FIRST_ROWS)
        if found is not None:
            judged.append((float(np.min(found.lengths)), k, view))
    likely = [view for *_, view in sorted(judged, key=lambda j: j[:2])[:CHOICES]]
    measured = (_Measured.of(view, *_shapes_beside(problem.width), ROWS) for view in likely)
    return [fit for m in measured if m is not None for fit in m.fits(SHOWN_OF_ONE)]


@dataclass(frozen=True, eq=False)
class _Measured:
    """Hold ratios of monomials E (m, d) of a problem's columns in `units`, what they leave and their lengths.

    `shapes` (s, 5) are their terms, `solutions` (s, 5) their coefficients; `size` is the target's.
    """

    problem: Problem
    E: np.ndarray
    shapes: np.ndarray
    units: np.ndarray
    size: float
    rows: int
    lefts: np.ndarray
    solutions: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, problem: Problem, E: np.ndarray, shapes: np.ndarray, most: int) -> _Measured | None:
        """Return the ratios fitted to at `most` so many rows; None where they cannot be."""
        rows = problem.choosing(most)
        Z = problem.Z[rows]
        units = np.sqrt(np.mean(Z * Z, axis=0))
        y, w = problem.scaled(rows)
        known = np.all(np.isfinite(Z)) and np.all(np.isfinite(y)) and np.all(units > 0)
        if len(rows) < FEWEST_ROWS or not known:
            return None
        M = np.prod((Z / units)[:, None, :] ** E[None], axis=2)
        lefts, solutions = _fitted(M, y * w, w, shapes)
        finite, terms = np.where(np.isfinite(lefts), lefts, 1.0), _terms(shapes)
        lengths = np.asarray(criterion.length(finite, len(rows), ratios.TERM_PRICE * terms, terms))
        size = float(np.linalg.norm(problem.w[rows] * problem.y[rows]))
        return cls(problem, E, shapes, units, size, len(rows), lefts, solutions, lengths)

    def fits(self, most: int) -> list[Fit]:
        """Return the shortest ones."""
        out = []
        for i in np.argsort(self.lengths, kind="stable")[:most]:
            if not np.isfinite(self.lefts[i]):
                continue
            terms = int(_terms(self.shapes[i : i + 1])[0])
            share = criterion.corrected(float(self.lefts[i]), terms, self.rows) * self.problem.unit
            price = ratios.TERM_PRICE * float(terms)
            chosen = self.shapes[i], self.solutions[i], self.units, self.size
            write = partial(_written, self.problem, self.E, *chosen)
            name = partial(_proposed, Proposal(share, price, write))
            out.append(Fit(share, price, SOURCE, self.problem, name))
        return out


def _terms(shapes: np.ndarray) -> Any:
    """Return the numbers (s,) of free coefficients: one of the denominator's is one."""
    return np.count_nonzero(shapes >= 0, axis=1) - 1


def _proposed(proposal: Proposal) -> list[Proposal]:
    return [proposal]


def _written(
    problem: Problem, E: np.ndarray, shape: np.ndarray, c: np.ndarray, units: np.ndarray, size: float
) -> sympy.Expr:
    """Return the ratio of terms `shape`, monomials E (m, d) of columns in `units`, times a target's size."""

    def polynomial(places: slice, factor: float) -> sympy.Expr:
        """Return the sum of the terms in these places."""
        terms = []
        for k, value in zip(shape[places], c[places], strict=True):
            if k >= 0:
                scale = float(value * factor / np.prod(units ** E[k]))
                powers = zip(problem.formulas, E[k].tolist(), strict=True)
                terms.append(sympy.Float(scale) * sympy.Mul(*(f**e for f, e in powers)))
        return sympy.Add(*terms)

    return polynomial(slice(0, TOP), size) / polynomial(slice(TOP, None), 1.0)


@cache
def _shapes(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return monomials E (m, d), and the terms (s, 5) of every ratio: two above, three below, -1 for none.

    Without a factor that all terms have in common, and without constants, which need no search.
    """
    degrees = itertools.product(range(DEGREES[width] + 1), repeat=width)
    E = np.array(sorted((e for e in degrees if sum(e) <= DEGREES[width]), key=lambda e: (sum(e), e)))
    return E, _ratios(E, BELOW[width])


@cache
def _shapes_beside(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the same of so many columns and a function, linear in each, with two terms above and below."""
    degrees = itertools.product(range(2), repeat=width + 1)
    E = np.array(sorted((e for e in degrees if sum(e) <= DEGREES[2]), key=lambda e: (sum(e), e)))
    shapes = _ratios(E, TOP)
    held = np.any((shapes >= 0) & (E[shapes][:, :, -1] > 0), axis=1)  # those that hold the function
    return E, shapes[held]


def _ratios(E: np.ndarray, most: int) -> np.ndarray:
    """Return the terms (s, 5) of every ratio of monomials E (m, d), at `most` so many of them below."""
    found = []
    for above, below in itertools.product(_choices(len(E), TOP), _choices(len(E), most)):
        every = [*above, *below]
        if E[every].min(axis=0).any() or not E[every].any() or {*above} == {*below}:
            continue
        found.append([*above, *[-1] * (TOP - len(above)), *below, *[-1] * (3 - len(below))])
    return np.array(found)


def _choices(count: int, most: int) -> list[tuple[int, ...]]:
    return [c for k in range(1, most + 1) for c in itertools.combinations(range(count), k)]


@njit
def _fitted(M: np.ndarray, t: np.ndarray, w: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what every ratio leaves of t = y·w (n,), a vector of length one, and its coefficients (s, 5).

    Terms are columns of M (n, m); the first one below has the coefficient 1.
    """
    n, top, least = len(t), 2, np.inf
    lefts, solutions = np.full(len(shapes), np.inf), np.zeros(shapes.shape)
    for s in range(len(shapes)):
        shape = shapes[s]
        free = np.zeros(len(shape), np.int64)
        k = 0
        for j in range(len(shape)):
            if shape[j] >= 0 and j != top:
                free[k] = j
                k += 1
        A = np.empty((n, k))
        c, Q = np.zeros(k), np.ones(n)
        for _ in range(2):  # linearised, then weighted by the denominator of the first fit
            for j in range(k):
                column = M[:, shape[free[j]]] * w if free[j] < top else -t * M[:, shape[free[j]]]
                A[:, j] = column / Q
            c = _solution(A.T @ A, A.T @ (t * M[:, shape[top]] / Q), 1e-10)
            Q = _below(M, shape, free, c, top)
            if not (Q.min() > 0 or Q.max() < 0):
                Q = np.ones(n)
        left, r = _residuals(M, t, w, shape, free, c, top, A)
        damping = 1e-3
        for _ in range(STEPS if left < min(1.0, HOPELESS * least) else 0):
            move = _solution(A.T @ A, -(A.T @ r), damping)
            trial = np.empty((n, k))
            new, off = _residuals(M, t, w, shape, free, c + move, top, trial)
            if new < left:
                done = left - new < 1e-5 * left
                c, left, r, A = c + move, new, off, trial
                damping *= 0.1
                if done:
                    break
            else:
                damping *= 10.0
        least = min(least, left)
        lefts[s] = left
        solutions[s, top] = 1.0
        for j in range(k):
            solutions[s, free[j]] = c[j]
    return lefts, solutions


@njit
def _below(M: np.ndarray, shape: np.ndarray, free: np.ndarray, c: np.ndarray, top: int) -> np.ndarray:
    """Return the denominator (n,)."""
    Q = M[:, shape[top]].copy()
    for j in range(len(c)):
        if free[j] > top:
            Q += c[j] * M[:, shape[free[j]]]
    return Q


@njit
def _residuals(
    M: np.ndarray,
    t: np.ndarray,
    w: np.ndarray,
    shape: np.ndarray,
    free: np.ndarray,
    c: np.ndarray,
    top: int,
    J: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Return the square of what a ratio is off and the residuals (n,), the derivatives in J (n, k).

    Infinite where the denominator changes its sign between rows.
    """
    Q = _below(M, shape, free, c, top)
    P = np.zeros(len(t))
    for j in range(len(c)):
        if free[j] < top:
            P += c[j] * M[:, shape[free[j]]]
    value = P / Q * w
    r = value - t
    for j in range(len(c)):
        if free[j] < top:
            J[:, j] = M[:, shape[free[j]]] / Q * w
        else:
            J[:, j] = -value * M[:, shape[free[j]]] / Q
    left = float(r @ r)
    sound = (Q.min() > 0 or Q.max() < 0) and np.isfinite(left)
    return (left if sound else np.inf), r


@njit
def _solution(A: np.ndarray, b: np.ndarray, damping: float) -> np.ndarray:
    """Return the solution of A·x = b with A's diagonal made larger by a share, zeros where there is none."""
    k = len(b)
    B = A.copy()
    for j in range(k):
        B[j, j] += damping * A[j, j] + 1e-30
    if not np.all(np.isfinite(B)) or abs(np.linalg.det(B)) < 1e-200:
        return np.zeros(k)
    return np.linalg.solve(B, b)

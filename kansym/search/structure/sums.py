"""Fit y as a sum of few terms, each a product of plain curves: a sparse choice from a dictionary.

No number stands inside a curve, so a term costs one coefficient and no more: in noise that is what such sums
allow, where curves fitted freely for every term have more freedom than the data can bear. Terms are chosen
by orthogonal least squares (Chen, Billings and Luo, Int. J. Control 50, 1989) within a best-first search over
additions, removals and exchanges; description length decides.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.linalg import solve_triangular

from kansym.base import criterion
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem

Array = np.ndarray

MOST_TERMS = 5
"""Terms of a sum, at most."""

WIDTH = 3
"""Terms that are tried as the next one."""

EXPANDED = 40
"""Sums whose neighbours (a term more, fewer, another, two for one) are looked at, the best ones first."""

PLAIN = 500
"""So many of the cheapest terms are also tried in pairs, where a pair takes the place of one term."""
MOST_PRODUCTS = 10_000
"""Terms of the dictionary; with many columns products have fewer factors."""

MOST_PAIRED = 10
"""Columns up to which waves of joined pairs are offered."""

INDEPENDENT, ROUND_OFF = 1e-7, 1e-14
"""Share of a term's square that no chosen one may have; and what keeps their products' matrix positive."""

AGAIN = 3
"""Times as many sums are fitted once more as are kept: round-off hides the order of exact ones."""

COEFFICIENT = 3.0
"""What a term costs in symbols beside its factors: a measured number and the plus sign."""

_POWERS = (1.0, 2.0, -1.0, 0.5, -2.0, -0.5, 3.0)
"""Powers of a single column that are factors."""


@dataclass(frozen=True, eq=False)
class Factor:
    """Hold one curve: its values on some rows, its formula, the columns it uses, its price in symbols."""

    values: Array
    formula: sympy.Expr
    columns: frozenset[int]
    price: float


Term = tuple[Factor, ...]


@dataclass(frozen=True, eq=False)
class Sum:
    """Hold one sum: its terms, their coefficients, the share of y it leaves, its price in symbols."""

    terms: tuple[Term, ...]
    coefficients: Array
    share: float
    price: float

    def proposals(self) -> list[Proposal]:
        """Return the formula, and the one whose coefficients stand in a simple ratio if they nearly do.

        Under a root a sum that is off by little may be negative where the law is not.
        """
        smallest = self.coefficients[np.argmin(np.abs(self.coefficients))]
        c = self.coefficients / smallest
        ratio = np.round(2 * c) / 2
        fitted = self._sum([sympy.Float(float(k)) for k in self.coefficients])
        offered = [fitted]
        if len(c) > 1 and np.abs(c - ratio).max() <= 0.2:
            level = float(self.coefficients @ ratio / (ratio @ ratio))
            offered.append(sympy.Float(level) * self._sum([sympy.Rational(float(k)) for k in ratio]))
        return [self._proposal(e) for e in offered]

    def _proposal(self, formula: sympy.Expr) -> Proposal:
        return Proposal(self.share, self.price, lambda: formula)

    def _sum(self, coefficients: list[sympy.Expr]) -> sympy.Expr:
        """Return the formula with these coefficients."""
        products = (sympy.Mul(*(f.formula for f in t)) for t in self.terms)
        return sympy.Add(*(c * t for c, t in zip(coefficients, products, strict=True)))


@np.errstate(all="ignore")
def fit(problem: Problem, rows: Array, keep: int = 3) -> list[Sum]:
    """Return the best sums on some rows, least description length first.

    A second look offers the best sums' terms multiplied by one factor more, which the dictionary may lack.
    """
    found = factors(problem, rows)
    terms = products(found, problem.width)
    first = _fit(problem, rows, terms, EXPANDED, 5)
    near = {t: None for s in first for t in s.terms}
    richer = [(*t, f) for t in near for f in found if all(f.columns.isdisjoint(g.columns) for g in t)]
    plain = [t for t in terms if len(t) < 2]
    richer = sorted(richer, key=lambda t: sum(f.price for f in t))[: MOST_PRODUCTS - len(plain)]
    second = _fit(problem, rows, list(dict.fromkeys([*near, *plain, *richer])), EXPANDED // 2, 5)
    n = len(rows)
    best = {frozenset(s.terms): s for s in (*first, *second)}
    return sorted(best.values(), key=lambda s: float(criterion.rank(s.share, s.price, n)))[:keep]


def _fit(problem: Problem, rows: Array, terms: list[Term], effort: int, keep: int) -> list[Sum]:
    """Return the best sums of some terms after `effort` looks at their neighbours."""
    y, w = problem.scaled(rows)
    size = float(np.linalg.norm(problem.w[rows] * problem.y[rows]))
    D = np.column_stack([np.prod([f.values for f in t], axis=0) if t else np.ones(len(y)) for t in terms])
    D = D * w[:, None]
    length = np.linalg.norm(D, axis=0)
    prices = np.array([sum(f.price for f in t) + COEFFICIENT for t in terms])
    good = np.flatnonzero(np.isfinite(length) & (length > 0))
    D, prices, y = D[:, good] / length[good], prices[good], w * y
    out: list[Sum] = []
    for chosen in _Choice(D, y, prices).best(effort)[: AGAIN * keep]:
        part = D[:, chosen]
        c, *_ = np.linalg.lstsq(part, y, rcond=None)
        left = float(np.sum((y - part @ c) ** 2))
        kept = tuple(terms[good[k]] for k in chosen)
        out.append(Sum(kept, size * c / length[good[chosen]], left, float(prices[chosen].sum())))
    return sorted(out, key=lambda s: float(criterion.rank(s.share, s.price, len(y))))[:keep]


def factors(problem: Problem, rows: Array) -> list[Factor]:
    """Return the plain curves of single columns, and sines and cosines of joined pairs."""
    Z, formulas, signed = problem.Z[rows], problem.formulas, problem.one_signed()
    out: list[Factor] = []

    def add(values: Array, formula: sympy.Expr, columns: set[int], price: float) -> None:
        """Add a curve that is finite and varies."""
        if np.all(np.isfinite(values)) and np.ptp(values) > 1e-9 * np.abs(values).max():
            out.append(Factor(values, formula, frozenset(columns), price))

    for i, (z, f) in enumerate(zip(Z.T, formulas, strict=True)):
        for k in _POWERS:
            if (signed[i] and z[0] > 0) or k in (1.0, 2.0, 3.0):
                add(z**k, f ** sympy.Rational(k), {i}, 1.0 if k == 1 else 2.0 + (k % 1 != 0))
        if signed[i] and z[0] > 0:
            add(np.log(z), sympy.log(f), {i}, 2.0)
        if np.abs(z).max() < 30:
            for sign in (1, -1):
                add(np.exp(sign * z), sympy.exp(sign * f), {i}, 2.0)
        _waves(add, z, f, {i}, 2.0)
    pairs = itertools.combinations(range(problem.width), 2)
    for i, j in pairs if problem.width <= MOST_PAIRED else ():
        a, b = Z[:, i], Z[:, j]
        for z, f in ((a * b, formulas[i] * formulas[j]), (a - b, formulas[i] - formulas[j])):
            _waves(add, z, f, {i, j}, 4.0)
        if signed[j]:
            _waves(add, a / b, formulas[i] / formulas[j], {i, j}, 4.0)
    return out


Add = Callable[[Array, sympy.Expr, set[int], float], None]


def _waves(add: Add, z: Array, f: sympy.Expr, columns: set[int], price: float) -> None:
    """Add the sines and cosines of a column or a pair, where whole waves can be seen."""
    if 1.0 < np.ptp(z) < 100:  # of a short piece of a wave nothing but its trend is seen
        for wave, name in ((np.sin, sympy.sin), (np.cos, sympy.cos)):
            add(wave(z), name(f), columns, price)
            add(wave(z) ** 2, name(f) ** 2, columns, price + 1)


def products(found: list[Factor], width: int) -> list[Term]:
    """Return the products of up to four factors of different columns, up to a price that keeps them few."""
    for dearest in (8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0):
        out = _products([f for f in found if f.price <= dearest], min(width, 4), dearest)
        if out is not None:
            return out
    return [(), *((f,) for f in found)]


def _products(found: list[Factor], most: int, dearest: float) -> list[Term] | None:
    """Return the products of factors up to a price, None where there would be too many."""
    out: list[Term] = [()]
    last: list[tuple[Term, int, frozenset[int], float]] = [((), 0, frozenset(), 0.0)]
    for _ in range(most):
        grown = []
        for t, start, used, price in last:
            for k in range(start, len(found)):
                f = found[k]
                if price + f.price <= dearest and used.isdisjoint(f.columns):
                    grown.append(((*t, f), k + 1, used | f.columns, price + f.price))
            if len(out) + len(grown) > MOST_PRODUCTS:  # asked often: many columns would make millions
                return None
        out += [g[0] for g in grown]
        last = grown
    return out


Chosen = tuple[int, ...]
Ranked = list[tuple[float, Chosen]]


@dataclass(frozen=True, eq=False)
class _Left:
    """Hold terms, every column's parts along an orthonormal basis of theirs (k, m), what is left of y.

    `target` (m,) are the products of every column with what is left of y, `share` is its square.
    """

    terms: Chosen
    along: Array
    target: Array
    share: float


class _Choice:
    """Choose unit columns of D for y of unit length, by description length.

    What a set of terms leaves is told by the products of its columns with all others, kept for every term
    that was ever chosen: thousands of columns are read once for a term, and not once for a set.
    """

    def __init__(self, D: Array, y: Array, prices: Array) -> None:
        self.D, self.prices, self.rows = D, prices, len(y)
        self.target = y @ D
        self.plain = np.argsort(prices, kind="stable")[:PLAIN]
        self.gram = D[:, self.plain].T @ D[:, self.plain]
        self.products: dict[int, Array] = {}

    def best(self, effort: int) -> list[Array]:
        """Return index sets, best first, after looking at the neighbours of `effort` of them."""
        ranks: dict[frozenset[int], float] = {}
        waiting = {frozenset[int]()}

        def order(state: frozenset[int]) -> tuple[float, Chosen]:
            """Return the order of sets: least rank first, ties by the terms."""
            return ranks.get(state, math.inf), tuple(sorted(state))

        for _ in range(effort):
            if not waiting:
                break
            state = min(waiting, key=order)
            waiting.remove(state)
            for rank, other in self.neighbours(tuple(sorted(state))):
                if other and (key := frozenset(other)) not in ranks:
                    ranks[key] = rank
                    waiting.add(key)
        return [np.array(sorted(key)) for key in sorted(ranks, key=order)]

    def neighbours(self, chosen: Chosen) -> Ranked:
        """Return the sets with a term more, one fewer, another one, or two in the place of one."""
        out = self.grown(self.left(chosen), WIDTH) if len(chosen) < MOST_TERMS else []
        for k in range(len(chosen)):
            rest = self.left(chosen[:k] + chosen[k + 1 :])
            out += [(float(self.rank(rest.share, rest.terms)), rest.terms), *self.grown(rest, 2)]
            if len(chosen) <= MOST_TERMS:
                out += self.paired(rest)
        return out

    def rank(self, share: Array | float, chosen: Chosen, more: Array | float = 0.0) -> Array:
        """Return the rank of a set that leaves `share`, with terms of price `more` beside it."""
        return np.asarray(criterion.rank(share, self.prices[list(chosen)].sum() + more, self.rows))

    def left(self, chosen: Chosen) -> _Left:
        """Return what some terms leave of y and of every column."""
        index = list(chosen)
        for k in index:
            if k not in self.products:
                self.products[k] = self.D[:, k] @ self.D
        if not index:
            return _Left((), np.zeros((0, len(self.target))), self.target, 1.0)
        P = np.array([self.products[k] for k in index])
        root = np.linalg.cholesky(P[:, index] + ROUND_OFF * np.eye(len(index)))
        along = solve_triangular(root, P, lower=True, check_finite=False)
        part = solve_triangular(root, self.target[index], lower=True, check_finite=False)
        return _Left(chosen, along, self.target - part @ along, max(1.0 - float(part @ part), 0.0))

    def grown(self, base: _Left, many: int) -> Ranked:
        """Return the best sets with one term more."""
        free = 1 - np.sum(base.along**2, axis=0)
        gain = np.where(free > INDEPENDENT, base.target**2 / np.maximum(free, INDEPENDENT), 0.0)
        ranks = self.rank(np.maximum(base.share - gain, 0.0), base.terms, self.prices)
        best = np.argpartition(ranks, many)[:many] if len(ranks) > many else np.arange(len(ranks))
        return [(float(ranks[k]), (*base.terms, int(k))) for k in best if k not in base.terms]

    def paired(self, base: _Left) -> Ranked:
        """Return the best set with two plain terms more.

        Where sqrt(a·b) nearly fits, a + b is found only as a pair: neither term gains anything alone.
        """
        part = base.along[:, self.plain]
        b, g = base.target[self.plain], self.gram - part.T @ part
        d = np.maximum(np.diag(g), 1e-12)
        det = d[:, None] * d[None, :] - g * g
        top = b[:, None] ** 2 * d[None, :] + b[None, :] ** 2 * d[:, None] - 2 * np.outer(b, b) * g
        gain = np.where(det > INDEPENDENT, top / np.maximum(det, INDEPENDENT), 0.0)
        price = self.prices[self.plain]
        ranks = self.rank(np.maximum(base.share - gain, 0.0), base.terms, price[:, None] + price[None, :])
        i, j = np.unravel_index(int(np.argmin(ranks)), ranks.shape)
        two = int(self.plain[i]), int(self.plain[j])
        return [] if i == j or {*two} & {*base.terms} else [(float(ranks[i, j]), (*base.terms, *two))]

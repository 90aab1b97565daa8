"""Fit y as a sum of few terms, each a product of plain curves: a sparse choice from a dictionary.

No number stands inside a curve, so a term costs one coefficient and no more: in noise that is what such sums
allow, where curves fitted freely for every term have more freedom than the data can bear. Terms are chosen
by orthogonal least squares (Chen, Billings and Luo, Int. J. Control 50, 1989) within a best-first search over
additions, removals and exchanges; description length decides.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import sympy

from kansym import noise
from kansym.search.problem import Problem

Array = np.ndarray

MOST_TERMS = 5
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

COEFFICIENT = 3.0
"""What a term costs in symbols beside its factors: a measured number and the plus sign."""

_POWERS = (1.0, 2.0, -1.0, 0.5, -2.0, -0.5, 3.0)


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

    def write(self) -> list[sympy.Expr]:
        """Return the formula, and the one whose coefficients stand in a simple ratio if they nearly do.

        Under a root a sum that is off by little may be negative where the law is not.
        """
        c = self.coefficients / self.coefficients[np.argmin(np.abs(self.coefficients))]
        ratio = np.round(2 * c) / 2
        plain = [
            sympy.Mul(sympy.Float(float(k)), *(f.formula for f in t))
            for k, t in zip(self.coefficients, self.terms, strict=True)
        ]
        if len(c) < 2 or np.abs(c - ratio).max() > 0.2 or not np.any(ratio):
            return [sympy.Add(*plain)]
        level = float(self.coefficients @ ratio / (ratio @ ratio))
        simple = [
            sympy.Mul(sympy.Rational(float(k)), *(f.formula for f in t))
            for k, t in zip(ratio, self.terms, strict=True)
        ]
        return [sympy.Add(*plain), sympy.Float(level) * sympy.Add(*simple)]


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
    return sorted(best.values(), key=lambda s: float(noise.rank(s.share, s.price, n)))[:keep]


def _fit(problem: Problem, rows: Array, terms: list[Term], effort: int, keep: int) -> list[Sum]:
    y, w = problem.y[rows], problem.w[rows]
    size = float(np.linalg.norm(w * y))
    D = np.column_stack([np.prod([f.values for f in t], axis=0) if t else np.ones(len(y)) for t in terms])
    D = D * w[:, None]
    length = np.linalg.norm(D, axis=0)
    prices = np.array([sum(f.price for f in t) + COEFFICIENT for t in terms])
    good = np.flatnonzero(np.isfinite(length) & (length > 0))
    D, prices = D[:, good] / length[good], prices[good]
    out = []
    for chosen in _choose(D, w * y / size, prices, effort)[:keep]:
        part = D[:, chosen]
        c, *_ = np.linalg.lstsq(part, w * y, rcond=None)
        left = float(np.sum((w * y - part @ c) ** 2)) / size**2
        kept = tuple(terms[good[k]] for k in chosen)
        out.append(Sum(kept, c / length[good[chosen]], left, float(prices[chosen].sum())))
    return out


def factors(problem: Problem, rows: Array) -> list[Factor]:
    """Return the plain curves of single columns, and sines and cosines of joined pairs."""
    Z, formulas, signed = problem.Z[rows], problem.formulas, problem.one_signed()
    out: list[Factor] = []

    def add(values: Array, formula: sympy.Expr, columns: set[int], price: float) -> None:
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


def _waves(add: object, z: Array, f: sympy.Expr, columns: set[int], price: float) -> None:
    if 1.0 < np.ptp(z) < 100:  # of a short piece of a wave nothing but its trend is seen
        for wave, name in ((np.sin, sympy.sin), (np.cos, sympy.cos)):
            add(wave(z), name(f), columns, price)  # type: ignore[operator]
            add(wave(z) ** 2, name(f) ** 2, columns, price + 1)  # type: ignore[operator]


def products(found: list[Factor], width: int) -> list[Term]:
    """Return the products of up to four factors of different columns, up to a price that keeps them few."""
    for dearest in (8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0):
        out = _products([f for f in found if f.price <= dearest], min(width, 4), dearest)
        if out is not None:
            return out
    return [(), *((f,) for f in found)]


def _products(found: list[Factor], most: int, dearest: float) -> list[Term] | None:
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


def _choose(D: Array, y: Array, prices: Array, effort: int) -> list[Array]:
    """Return index sets of unit columns of D, least description length first (y of unit length)."""
    n = len(y)

    def value(share: Array | float, price: Array | float) -> Array:
        return np.asarray(noise.rank(share, price, n))

    def alone(chosen: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        Q = np.linalg.qr(D[:, list(chosen)])[0] if chosen else np.zeros((n, 0))
        r = y - Q @ (Q.T @ y)
        return float(value(r @ r, prices[list(chosen)].sum())), chosen

    def grown(chosen: tuple[int, ...], many: int) -> list[tuple[float, tuple[int, ...]]]:
        Q = np.linalg.qr(D[:, list(chosen)])[0] if chosen else np.zeros((n, 0))
        r = y - Q @ (Q.T @ y)
        free = 1 - np.sum((Q.T @ D) ** 2, axis=0)
        gain = np.where(free > 1e-7, (r @ D) ** 2 / np.maximum(free, 1e-7), 0.0)
        ranks = value(np.maximum(r @ r - gain, 0.0), prices + prices[list(chosen)].sum())
        best = np.argpartition(ranks, many)[:many] if len(ranks) > many else np.arange(len(ranks))
        return [(float(ranks[k]), (*chosen, int(k))) for k in best if k not in chosen]

    cheap = np.argsort(prices, kind="stable")[:PLAIN]
    C = D[:, cheap]
    gram = C.T @ C
    both = prices[cheap][:, None] + prices[cheap][None, :]

    def paired(rest: tuple[int, ...]) -> list[tuple[float, tuple[int, ...]]]:
        # I1 + I2 hides behind sqrt(I1·I2): neither of the two is worth a thing without the other
        Q = np.linalg.qr(D[:, list(rest)])[0] if rest else np.zeros((n, 0))
        r = y - Q @ (Q.T @ y)
        part = Q.T @ C
        b, g = r @ C, gram - part.T @ part
        d = np.maximum(np.diag(g), 1e-12)
        det = d[:, None] * d[None, :] - g * g
        top = b[:, None] ** 2 * d[None, :] + b[None, :] ** 2 * d[:, None] - 2 * np.outer(b, b) * g
        gain = np.where(det > 1e-7, top / np.maximum(det, 1e-7), 0.0)
        ranks = value(np.maximum(r @ r - gain, 0.0), both + prices[list(rest)].sum())
        i, j = np.unravel_index(int(np.argmin(ranks)), ranks.shape)
        if i == j or {int(cheap[i]), int(cheap[j])} & set(rest):
            return []
        return [(float(ranks[i, j]), (*rest, int(cheap[i]), int(cheap[j])))]

    ranks: dict[frozenset[int], float] = {frozenset(): math.inf}
    open_ = {frozenset[int]()}
    for _ in range(effort):
        if not open_:
            break
        state = min(open_, key=lambda k: (ranks[k], sorted(k)))
        open_.remove(state)
        chosen = tuple(sorted(state))
        rests = [chosen[:k] + chosen[k + 1 :] for k in range(len(chosen))]
        near = grown(chosen, WIDTH) if len(chosen) < MOST_TERMS else []
        for rest in rests:
            near += [alone(rest), *grown(rest, 2)]
            if len(chosen) <= MOST_TERMS:
                near += paired(rest)
        for rank, other in near:
            if (key := frozenset(other)) not in ranks and key:
                ranks[key] = rank
                open_.add(key)
    del ranks[frozenset()]
    return [np.array(sorted(key)) for key in sorted(ranks, key=lambda k: (ranks[k], sorted(k)))]

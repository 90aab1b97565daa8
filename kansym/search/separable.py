"""Formulas whose parts are curves of one argument each: g(y) = sum of products of f_k(h_k).

An argument h is a column or a simple combination of two. The curves are cubic splines, fitted by least
squares (alternating over the factors of a product; Breiman and Friedman's ACE with g from a short list);
the structures that leave least are then named curve by curve with `matching` and fitted as formulas.
Quick on up to four columns; `structure` covers what no such form holds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.base.errors import KansymError
from kansym.base.linear import TINY
from kansym.base.weights import roots, spread
from kansym.data.dataset import Dataset
from kansym.formula.expression import complexity, number, symbolic_value
from kansym.formula.guarded import polished
from kansym.formula.polish import Polished, Rows
from kansym.functions.library import Library
from kansym.functions.matching import Match, match
from kansym.functions.parsing import symbols
from kansym.functions.spline import design, uniform_knots
from kansym.search.candidate import Candidate

CELLS, ROWS = 10, 800
"""Cells of a spline, and rows that are looked at: what a curve with a few bends needs."""

FEWEST_ROWS = 40
"""Rows that can tell such splines apart."""

STRUCTURES = 8
"""Structures whose curves are named, in two lots: the second only where the first proves nothing."""

CHOICES = 4
"""Functions matched to each curve."""

POLISHED = 14
"""Combinations of such functions that are fitted, for each structure."""

MOST_COLUMNS = 5
"""Columns, at most: the number of structures grows with their pairs."""

LARGEST = 60.0
"""Standard deviations from its median up to which an argument's values are no pole's."""

Argument = tuple[sympy.Expr, np.ndarray]
Pair = Callable[[Any, Any], Any]

_PAIRS: tuple[Pair, ...] = (
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: a**2 + b**2,
    lambda a, b: a**2 - b**2,
    lambda a, b: a * b**2,
    lambda a, b: b * a**2,
)


@dataclass(frozen=True)
class _Outer:
    """Hold a transform of y: forward, its inverse as a formula, its slope, and whether y must be positive."""

    name: str
    forward: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[sympy.Expr], sympy.Expr]
    slope: Callable[[np.ndarray], np.ndarray]
    positive: bool = False


_OUTERS = (
    _Outer("y", lambda y: y, lambda e: e, lambda y: np.ones_like(y)),
    _Outer("log y", np.log, sympy.exp, lambda y: 1 / y, True),
    _Outer("1/y", lambda y: 1 / y, lambda e: 1 / e, lambda y: -1 / y**2),
    _Outer("y^2", lambda y: y * y, sympy.sqrt, lambda y: 2 * y, True),
    _Outer("sqrt y", np.sqrt, lambda e: e**2, lambda y: 0.5 / np.sqrt(y), True),
    _Outer("1/y^2", lambda y: 1 / y**2, lambda e: 1 / sympy.sqrt(e), lambda y: -2 / y**3, True),
)


def propose(
    dataset: Dataset, *, budget: Budget, library: Library | None = None, seed: int = 0
) -> Iterator[Candidate]:
    """Yield candidate formulas for a dataset with X (n, d), y (n,) and names, best first; d at most 5."""
    library = library or Library.load("default")
    sample = dataset.subsample(ROWS, seed)
    X, y, names = sample.X, sample.y, symbols(dataset.names)
    root = roots(sample.weights, len(y))
    w = root**2 / np.mean(root**2)
    power = spread(y, root) / float(np.sum(root**2))
    if X.shape[1] > MOST_COLUMNS or len(y) < FEWEST_ROWS or not power > 0:
        return
    test = np.random.default_rng(seed).permutation(len(y)) < len(y) // 4
    fit = Rows(X[~test], y[~test], w[~test], names)
    held = Rows(X[test], y[test], w[test], names)
    for structures in _groups(X, y, np.sqrt(w), names, ~test):
        found: list[tuple[float, float, Polished]] = []
        for formula in _named(structures, library, y, budget):
            fitted = polished(formula, fit, 25)
            budget.spend()
            if fitted is None:
                continue
            share = held.loss(fitted.program.value(held.X, fitted.theta)) / power
            if not math.isfinite(share):
                continue
            size = complexity(fitted.program.template)
            length = float(criterion.length(share, len(fit.y), size, least=1e-26))
            found.append((length, share, fitted))
            if share < criterion.EXACT_SHARE or budget.exhausted:
                break
        found.sort(key=lambda f: f[0])
        for _, share, fitted in found[:4]:
            yield Candidate(share, "separable curves", fitted.expression)
        if budget.exhausted or (found and found[0][1] < criterion.EXACT_SHARE):
            return


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Hold one structure: its terms' factors as (argument, curve values), the offset, and what it leaves."""

    outer: _Outer
    terms: tuple[tuple[tuple[Argument, np.ndarray], ...], ...]
    offset: float
    share: float
    arguments: int
    residual: np.ndarray


def _groups(
    X: np.ndarray, y: np.ndarray, root: np.ndarray, names: tuple[sympy.Symbol, ...], fit: np.ndarray
) -> Iterator[list[_Fitted]]:
    """Yield lists of fitted structures, the most promising first: what leaves least, simple before rich."""
    columns: list[Argument] = [(s, X[:, i]) for i, s in enumerate(names)]
    outers = [o for o in _OUTERS if (np.all(y > 0) if o.positive else o.name == "y" or np.all(y != 0))]
    done: list[_Fitted] = []
    for terms in _structures(columns):
        products = any(len(t) > 1 for t in terms)
        for outer in outers[:3] if products else outers:
            with np.errstate(all="ignore"):
                t = outer.forward(y)
                weight = root / np.abs(outer.slope(y))
            if not np.all(np.isfinite(t)) or not np.all(np.isfinite(weight)):
                continue
            one = _solve(outer, terms, t, weight, fit, y)
            if one is not None:
                done.append(one)
    if not done:
        return
    done.sort(key=lambda f: f.share)
    least = done[0].share
    # under noise many structures leave the same; the simple ones among them come first
    close = sorted((f for f in done if f.share < 1.3 * least + 1e-12), key=lambda f: (f.arguments, f.share))
    rest = [f for f in done if f not in close]
    ranked = close[:STRUCTURES] + rest[:STRUCTURES]
    yield ranked[: STRUCTURES // 2]
    yield ranked[STRUCTURES // 2 : STRUCTURES]


def _structures(columns: list[Argument]) -> Iterator[tuple[tuple[Argument, ...], ...]]:
    """Yield lists of terms, each a tuple of arguments whose curves are multiplied."""
    yield tuple((c,) for c in columns)
    d = len(columns)
    if d > 1:
        yield (tuple(columns),)
    if d == 2:  # sin(y²) is a curve of y², not one of y
        a, b = columns
        a2, b2 = ((e**2, h**2) for e, h in columns)
        for both in ((a, b2), (a2, b), (a2, b2)):
            yield (both,)
            yield ((both[0],), (both[1],))
    for i, j in itertools.permutations(range(d), 2):
        rest = [c for k, c in enumerate(columns) if k not in (i, j)]
        for pair in _PAIRS:
            if i > j and pair is not _PAIRS[3]:
                continue
            h = _joined(pair, columns[i], columns[j])
            if h is None:
                continue
            yield ((h,), *((c,) for c in rest))
            if rest:
                yield ((h, *rest),)
            if len(rest) == 2:
                for other in _PAIRS[:4]:
                    h2 = _joined(other, *rest)
                    if h2 is not None and i < rest_index(columns, rest):
                        yield ((h,), (h2,))
                        yield ((h, h2),)
        if i < j and rest:
            yield ((columns[i], columns[j]), *((c,) for c in rest))
            if len(rest) == 2:
                yield ((columns[i], columns[j]), (rest[0], rest[1]))
    if d == 3:
        for i in range(3):
            a, b, c = columns[i], columns[(i + 1) % 3], columns[(i + 2) % 3]
            product = _joined(_PAIRS[2], a, b)
            if product is not None:
                for pair in _PAIRS[:4]:
                    h = _joined(pair, product, c)
                    if h is not None:
                        yield ((h,),)
            total = _joined(_PAIRS[0], a, b)
            if total is not None:
                for pair in (_PAIRS[0], _PAIRS[1]):
                    h = _joined(pair, total, c)
                    if h is not None:
                        yield ((h,),)


def rest_index(columns: list[Argument], rest: list[Argument]) -> int:
    """Return the position of the first of the rest, so that a pair of pairs comes once."""
    return next(k for k, c in enumerate(columns) if c[0] == rest[0][0])


def _joined(pair: Pair, a: Argument, b: Argument) -> Argument | None:
    """Return two arguments joined to one; None where that is undefined, constant, or has a pole."""
    with np.errstate(all="ignore"):
        values = pair(a[1], b[1])
    if not np.all(np.isfinite(values)) or np.ptp(values) <= 0:
        return None
    if np.abs(values - np.median(values)).max() > LARGEST * np.std(values):
        return None
    return pair(a[0], b[0]), values


def _solve(
    outer: _Outer,
    terms: tuple[tuple[Argument, ...], ...],
    t: np.ndarray,
    weight: np.ndarray,
    fit: np.ndarray,
    y: np.ndarray,
) -> _Fitted | None:
    """Fit the curves of all terms, alternating over the factors of products; None where that is singular."""
    count = sum(len(term) for term in terms)
    cells = CELLS if count < 4 else 6
    bases = [[_splines(h, cells, len(term) > 1) for _, h in term] for term in terms]
    curves = [[np.ones(len(t)) for _ in term] for term in terms]
    for term, curve, whole in zip(terms, curves, bases, strict=True):
        for k, (_, h) in enumerate(term[1:], 1):
            # E[y | h] is the factor itself up to scale, unless the others average to nothing
            rough = whole[k] @ np.linalg.lstsq(whole[k][fit], t[fit], rcond=1e-8)[0]
            rough = rough / (np.sqrt(np.mean(rough**2)) + TINY)
            curve[k] = rough + 0.1 * (1 + (h - h.mean()) / (np.std(h) * 3))
    rounds = 1 if all(len(term) == 1 for term in terms) else 20
    offset, before, share = 0.0, math.inf, math.inf
    w = np.minimum(weight / np.median(weight), 20.0)
    most = max(len(term) for term in terms)
    for turn in range(rounds):
        for k in range(most):
            blocks = [np.ones((len(t), 1))]
            for term, curve, basis in zip(terms, curves, bases, strict=True):
                f = min(k, len(term) - 1)
                blocks.append(basis[f] * _product_without(curve, f)[:, None])
            A = np.hstack(blocks)
            Aw = A[fit] * w[fit, None]
            G = Aw.T @ Aw
            G[np.diag_indices(len(G))] += 1e-12 * np.trace(G) / len(G)
            try:
                coefficients = np.linalg.solve(G, Aw.T @ (t[fit] * w[fit]))
            except np.linalg.LinAlgError:
                return None
            offset, at = float(coefficients[0]), 1
            for term, curve, basis in zip(terms, curves, bases, strict=True):
                f = min(k, len(term) - 1)
                curve[f] = basis[f] @ coefficients[at : at + basis[f].shape[1]]
                at += basis[f].shape[1]
        residual = t - A @ coefficients
        share = float(np.mean((residual[~fit] * weight[~fit]) ** 2) / np.var(y))
        if turn > 4 and share > 0.9 * before:
            break
        before = share
    if not math.isfinite(share):
        return None
    named = tuple(
        tuple((a, c) for a, c in zip(term, curve, strict=True))
        for term, curve in zip(terms, curves, strict=True)
    )
    size = sum(complexity(a[0]) for term in terms for a in term) + (outer.name != "y")
    return _Fitted(outer, named, offset, share, size, residual)


def _product_without(curves: list[np.ndarray], factor: int) -> np.ndarray:
    """Return the product (n,) of a term's other curves, scaled to size one, for one has the scale."""
    product = np.ones(len(curves[0]))
    for k, curve in enumerate(curves):
        if k != factor:
            curve /= np.sqrt(np.mean(curve**2)) + TINY
            product = product * curve
    return product


def _splines(h: np.ndarray, cells: int, whole: bool) -> np.ndarray:
    """Return a spline basis on h; without its first function the offset takes the constant."""
    knots = uniform_knots(float(h.min()), float(h.max()), cells, 3)
    return design(knots, 3, h)[:, 0 if whole else 1 :]


def _named(
    structures: list[_Fitted], library: Library, y: np.ndarray, budget: Budget
) -> Iterator[sympy.Expr]:
    """Yield formulas: every curve replaced by one of its best functions, likely combinations first."""
    for s in structures:
        choices = []
        for term in s.terms:
            for argument, curve in term:
                # with the residuals added back, a curve shows its noise, and matching asks for no more
                shown = curve + s.residual if len(term) == 1 else curve
                choices.append(_functions(argument, shown, library))
        if any(not c for c in choices):
            continue
        ranked = sorted(
            itertools.product(*choices), key=lambda combination: sum(rank for rank, _ in combination)
        )[:POLISHED]
        for combination in ranked:
            parts = iter(e for _, e in combination)
            total = sympy.Add(
                *(sympy.Mul(*(next(parts) for _ in term)) for term in s.terms), number(s.offset)
            )
            yield s.outer.inverse(total)
            if budget.exhausted:
                return


def _functions(argument: Argument, curve: np.ndarray, library: Library) -> list[tuple[float, sympy.Expr]]:
    """Return formulas for a curve with their ranks, least first: matched functions, a line, or a number."""
    expression, h = argument
    if np.ptp(curve) <= 1e-12 * (np.abs(curve).max() + TINY):
        return [(0.0, number(float(curve.mean())))]
    try:
        found = match(h, curve, library, top=CHOICES)
    except KansymError:
        return []
    found = [m for m in found if not _straight(m, h)] or found
    best = found[0].score
    line = np.polynomial.Polynomial.fit(h, curve, 1)
    left = float(np.var(curve - line(h)) / np.var(curve))
    if left < 1.02 * found[0].relative_rmse ** 2 + 1e-9:  # a far branch of 1/x, log or sinh is a line too
        slope, offset = line.convert().coef[1], line.convert().coef[0]
        return [(-1.0, number(float(slope)) * expression + number(float(offset)))]
    return [
        ((m.score - best) / len(h) + 0.01 * i, symbolic_value(m.curve, expression))
        for i, m in enumerate(found)
    ]


def _straight(m: Match, h: np.ndarray) -> bool:
    """Tell whether a function with a kink was fitted where (nearly) all rows lie on one side of it."""
    if m.function.name not in ("abs", "relu"):
        return False
    above = float(np.mean(m.a * h + m.b > 0))
    return min(above, 1 - above) < 0.02

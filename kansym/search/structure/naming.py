"""From simple exponents and fitted curves to formulas: every curve gets the names that it may have."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.errors import InputError
from kansym.base.weights import spread
from kansym.formula.expression import symbolic_value
from kansym.functions.graph import Symbolic
from kansym.functions.library import Library
from kansym.functions.matching import match
from kansym.search.structure import curve, inners, ridge, terms
from kansym.search.structure.exponents import Form, argument, nice
from kansym.search.structure.problem import Problem

Array = np.ndarray
Laws = Callable[[Array, Array, Array], list[curve.Law]]


MATCHED_ROWS, MATCHES = 300, 3
"""Rows on which a library is matched to a curve, and functions that are proposed for each power of h."""

ARGUMENTS = (1.0, -1.0, 2.0, 0.5, -2.0, -0.5)
"""Powers of h that may be a library function's argument."""

EXACT = 1e-20
"""Share of a curve that a function leaves which is exactly it."""


def inside(problem: Problem, form: Form) -> sympy.Expr:
    """Return h as a formula."""
    if form.family == "log":
        return monomial(problem, form.q)
    power = 1 if form.family == "linear" else 2
    return sympy.Add(
        *(
            f**power * (sympy.Integer(int(c)) if c == int(c) else sympy.Float(float(c)))
            for f, c in zip(problem.formulas, form.q, strict=True)
            if c
        )
    )


def monomial(problem: Problem, exponents: tuple[float, ...] | Array) -> sympy.Expr:
    """Return the product of column formulas to these powers."""
    out = sympy.S.One
    for formula, e, column in zip(problem.formulas, exponents, problem.Z.T, strict=True):
        if e:
            exact = Fraction(float(e)).limit_denominator(6)
            near = abs(float(exact) - e) < 1e-12
            exponent = sympy.Rational(exact.numerator, exact.denominator) if near else sympy.Float(float(e))
            base = formula if np.median(column) > 0 or exponent.is_Integer else -formula
            out = out * base**exponent
    return out


@dataclass(frozen=True, eq=False)
class Proposal:
    """Hold a formula still to be written: `write()` gives it; `share` is what it should leave of y."""

    share: float
    price: float
    write: Callable[[], sympy.Expr]


@np.errstate(all="ignore")
def single(problem: Problem, form: Form, laws: Laws = curve.laws) -> list[Proposal]:
    """Return formulas for a form: its curve named by elementary functions, or as `laws` does."""
    rows = problem.fit
    Z, y, w = np.abs(problem.Z[rows]), problem.y[rows], problem.w[rows]
    m = np.prod(Z ** np.array(form.p), axis=1)
    outer = monomial(problem, form.p)
    total = spread(y, w)
    if not np.all(np.isfinite(m)) or not total > 0:
        return []
    if not any(form.q):
        level = float(np.sum(w * w * m * y) / np.sum((w * m) ** 2))
        left = float(np.sum((w * (y - level * m)) ** 2)) / total
        return [Proposal(left, form.price, lambda: sympy.Float(level) * outer)]
    h = argument(problem, form, rows)
    t = y / m
    if not np.all(np.isfinite(h)) or not np.all(np.isfinite(t)):
        return []
    inner = inside(problem, form)
    part = float(np.sum((w * m * (t - _mean(t, w * m))) ** 2)) / total
    if not np.isfinite(part):
        return []
    return [
        Proposal(law.share * part, form.price + law.price, partial(_product, law, inner, outer))
        for law in laws(h, t, w * m)
    ]


def by_library(library: Library, h: Array, t: Array, w: Array) -> list[curve.Law]:
    """Return names for a curve t(h) as `curve.laws` does, any function of a library: c·f(a·h^k + b) + d.

    The common functions come first; where one of them is exact no other is asked for, as each of those costs
    up to a second when it is first met.
    """
    h, t, w = h[:MATCHED_ROWS], t[:MATCHED_ROWS], w[:MATCHED_ROWS]
    found: list[curve.Law] = []
    for functions in _parted(library):
        for k in ARGUMENTS if (h > 0).all() else (1.0,):
            try:
                near = match(h**k, t, functions, top=MATCHES, weights=w**2)
            except InputError:  # no function fits: the curve is constant, not finite, or outside every domain
                continue
            found += [
                curve.Law(partial(_matched, fit.curve, k), 1 - fit.r2, fit.function.complexity + 0.5 * abs(k))
                for fit in near
            ]
        if min((law.share for law in found), default=1.0) < EXACT:
            break
    return sorted(found, key=lambda law: criterion.rank(law.share, law.price, len(t)))


@lru_cache(maxsize=8)
def _parted(library: Library) -> list[Library]:
    """Return the common functions of a library, and the others."""
    common = Library.load()
    parts = ([f for f in library.values() if (f.name in common) == known] for known in (True, False))
    return [Library(tuple(part)) for part in parts if part]


def _matched(fit: Symbolic, k: float, inner: sympy.Expr) -> sympy.Expr:
    """Return a library's function of a power of h as a formula."""
    return symbolic_value(fit, inners.power(inner, k))


def _mean(t: Array, w: Array) -> float:
    """Return the mean of t with root weights w, whose squares may leave double precision; NaN without any."""
    top = np.max(np.abs(w))
    v = (w / top) ** 2 if top > 0 else w
    total = np.sum(v)
    return float(np.sum(v * t) / total) if np.isfinite(total) and total > 0 else np.nan


def _product(law: curve.Law, inner: sympy.Expr, outer: sympy.Expr) -> sympy.Expr:
    """Return a named curve times the monomial before it."""
    return law.formula(inner) * outer


def basis(
    problem: Problem, argument: tuple[str, int, int] | None, rows: Array, degree: int
) -> tuple[tuple[int, ...], Array]:
    """Return which columns the argument makes redundant in monomials, and a basis of its curves."""
    if argument is None:
        return (), np.ones((len(rows), 1))
    kind, i, j = argument
    h = values(problem, argument, rows)
    if 5 * h.min() < h.max() < 50 * h.min():
        h = np.log(h)
    B, _ = ridge.chebyshev(ridge.unit(h)[0], degree)
    return ((i,) if kind == "x" else (j,) if kind in ("a*b", "a/b") else ()), B


def values(problem: Problem, argument: tuple[str, int, int], rows: Array) -> Array:
    """Return the argument on some rows."""
    kind, i, j = argument
    a, b = problem.Z[rows, i], problem.Z[rows, j]
    match kind:
        case "x":
            return a
        case "a*b":
            return a * b
        case "a/b":
            return a / b
        case "a-b":
            return a - b
        case _:
            return a + b


def formula(problem: Problem, argument: tuple[str, int, int]) -> sympy.Expr:
    """Return the argument as a formula."""
    kind, i, j = argument
    a, b = problem.formulas[i], problem.formulas[j]
    return {"x": a, "a*b": a * b, "a/b": a / b, "a-b": a - b}.get(kind, a + b)


@np.errstate(all="ignore")
def several(
    problem: Problem, argument: tuple[str, int, int] | None, use: Array, fit: terms.Terms
) -> list[Proposal]:
    """Return formulas for a sum of terms, with each curve named, likely ones first."""
    rows = problem.fit
    y, w = problem.y[rows], problem.w[rows]
    L = np.log(np.abs(problem.Z[rows][:, use]))
    scale = float(np.linalg.norm(w * y))
    P = nice(fit.exponents)
    P = np.where(np.abs(P - fit.exponents) > 0.1, fit.exponents, P)
    _, B = basis(problem, argument, rows, min(24, max(8, len(rows) // (4 * len(P)) - 1)))
    exact = terms.project(L, B, y / scale, w, P)
    total = spread(y, w)
    if not np.isfinite(exact.share) or not total > 0:
        return []
    monomials = []
    for row in P:
        full = np.zeros(problem.width)
        full[use] = row
        monomials.append(monomial(problem, full))
    floor = exact.share * scale**2 / total
    size = 0.5 * float(np.count_nonzero(P))
    if argument is None:
        levels = [sympy.Float(float(c)) for c in exact.coefficients[:, 0] * scale]
        return [
            Proposal(floor, size, lambda: sympy.Add(*(c * m for c, m in zip(levels, monomials, strict=True))))
        ]
    h = values(problem, argument, rows)
    inner = formula(problem, argument)
    options: list[list[tuple[float, float, Callable[[], sympy.Expr]]]] = []
    for k in range(len(P)):
        m = np.exp(L @ P[k])
        t = (B @ exact.coefficients[k]) * scale
        level = _mean(t, w * m)
        if not np.isfinite(level):
            return []
        part = float(np.sum((w * m * (t - level)) ** 2)) / total
        named: list[tuple[float, float, Callable[[], sympy.Expr]]] = [
            (part, 1.0, partial(sympy.Float, level))
        ]
        if part > 1e-12:
            named += [
                (law.share * part, law.price + 2, partial(law.formula, inner))
                for law in curve.laws(h, t, w * m, keep=6)
            ]
        options.append(named)
    found = []
    for choice in itertools.product(*options):
        share = floor + sum(o[0] for o in choice)
        price = size + sum(o[1] for o in choice)
        found.append(Proposal(share, price, partial(_sum, [o[2] for o in choice], monomials)))
    return sorted(found, key=lambda f: criterion.rank(f.share, f.price, len(y)))[:12]


def _sum(curves: list[Callable[[], sympy.Expr]], monomials: list[sympy.Expr]) -> sympy.Expr:
    """Return the sum of curves, each times its monomial."""
    return sympy.Add(*(c() * m for c, m in zip(curves, monomials, strict=True)))

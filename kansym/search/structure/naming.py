"""From fitted exponents and curves to formulas: round exponents, choose a gauge, name the curves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.errors import InputError
from kansym.base.linear import TINY
from kansym.base.weights import spread
from kansym.formula.expression import symbolic_value
from kansym.functions.graph import Symbolic
from kansym.functions.library import Library
from kansym.functions.matching import match
from kansym.search.structure import curve, inners, ridge, terms
from kansym.search.structure.problem import Problem

Array = np.ndarray
Laws = Callable[[Array, Array, Array], list[curve.Law]]


CLIMBED = 3
"""Noisy forms from which better exponents are searched for."""


GAUGES, FORMS = 3, 8
"""Forms that are the same but for the gauge, and forms in all, that are named for one family of fits."""


MATCHED_ROWS, MATCHES = 300, 3
"""Rows on which a library is matched to a curve, and functions that are proposed for each power of h."""

ARGUMENTS = (1.0, -1.0, 2.0, 0.5, -2.0, -0.5)
"""Powers of h that may be a library function's argument."""


@dataclass(frozen=True)
class Form:
    """Hold a rounded structure y = m·f(h): exponents p of m, q of h (weights in a sum), its share."""

    p: tuple[float, ...]
    q: tuple[float, ...]
    family: str
    share: float

    @property
    def price(self) -> float:
        """Return the symbols that the exponents cost."""
        return float(
            sum(
                0.5 + min(abs(e), 3) / 2 + (0 if e % 1 == 0 else 1 if (2 * e) % 1 == 0 else 2)
                for e in (*self.p, *self.q)
                if e
            )
        )


@np.errstate(all="ignore")
def forms(
    problem: Problem,
    family: str,
    logs: Array,
    S: Array,
    units: Array,
    fits: list[ridge.Ridge],
    degree: int,
) -> list[Form]:
    """Return the simple structures near some ridge fits, best first.

    `logs` marks the columns of one sign, `S` are the coordinates of h, each in `units` of its own.
    """
    y, w = problem.y[problem.fit], problem.w[problem.fit]
    n = len(y)
    logarithms = np.log(np.abs(problem.Z[problem.fit]) + TINY)
    logarithms[:, ~logs] = 0.0
    degrees = (min(2, degree), min(4, degree), degree, max(degree, min(18, n // 6)))
    found: dict[tuple, Form] = {}

    def add(p: Array, q: Array) -> Form:
        """Return the form of these exponents with the share that it leaves, computed once."""
        key = (tuple(p), tuple(q), family)
        if key not in found:
            factor = ridge.power_law(logarithms, p)
            h = argument(problem, Form(*key, 0.0), problem.fit) if np.any(q) else None
            if h is not None and family == "log" and (h > 0).all():
                h = np.log(h)
            if h is None:
                share = corrected(float(ridge.residual_shares(factor, y, y, w, 0)[0]), 1, n)
            elif np.all(np.isfinite(h)):
                left = ridge.residual_shares(factor, h, y, w, degrees[-1])
                share = min(corrected(float(left[k]), k + 1, n) for k in degrees)
            else:
                share = np.inf
            found[key] = Form(*key, share if np.isfinite(share) else np.inf)
        return found[key]

    def rank(f: Form) -> float:
        """Return the order of forms: exponents count twice, as the curve's price is not known yet."""
        return float(criterion.rank(f.share, 2 * f.price, n))

    for fit in fits:
        for p, q in (
            rounded(fit, logs if S.shape[1] == len(logs) else None)
            if family == "log"
            else weights(fit, units)
        ):
            full, full_q = np.zeros(problem.width), np.zeros(problem.width)
            full[logs] = p
            full_q[logs if S.shape[1] < problem.width else slice(None)] = q
            add(full, full_q)
    for form in sorted(found.values(), key=rank)[:CLIMBED]:
        # noise blurs the exponents, and rounding each by itself forgets that they are correlated
        while form.share > criterion.SHARP:
            steps = [add(*near) for near in _neighbours(form, logs)]
            best = min(steps, key=rank, default=form)
            if rank(best) >= rank(form):
                break
            form = best
    return _varied(sorted((f for f in found.values() if np.isfinite(f.share)), key=rank))


def _varied(ranked: list[Form]) -> list[Form]:
    """Return the best forms, at most GAUGES of those that only rescale h or move powers of it into m.

    The simplest of such forms is one of them: a polynomial comes nearer to a curve of many waves when a power
    of h stands before it, but what is then left of the curve is no elementary function.
    """
    alike: dict[tuple, list[Form]] = {}
    for form in ranked:
        alike.setdefault(shape(form), []).append(form)
    simplest = {kind: min(forms, key=lambda f: f.price) for kind, forms in alike.items()}
    kept: list[Form] = []
    seen: dict[tuple, int] = {}
    for form in ranked:
        kind = shape(form)
        first, mate = kind not in seen, simplest[kind]
        new = [form] if first or (form is not mate and seen[kind] < GAUGES) else []
        if first and form is not mate:
            new.append(mate)
        seen[kind] = seen.get(kind, 0) + len(new)
        kept += new
    return kept[:FORMS]


def shape(form: Form) -> tuple[float, ...]:
    """Return what forms have in common that only rescale h or move powers of it into m."""
    p, q = np.array(form.p), np.array(form.q)
    if form.family == "log" and np.any(q):
        first = int(np.flatnonzero(q)[0])
        q = q / q[first]
        p = p - p[first] * q
    return (*np.round(p, 6) + 0.0, *np.round(q, 6) + 0.0)


def _neighbours(form: Form, logs: Array) -> Iterator[tuple[Array, Array]]:
    """Yield the exponents that differ by a half or one in one place, or by a power of h moved into m."""
    p, q = np.array(form.p), np.array(form.q)
    one = np.eye(len(p))
    for step in (-1.0, -0.5, 0.5, 1.0):
        for j in np.flatnonzero(logs):
            yield p + step * one[j], q
            if form.family == "log":
                if step % 1 == 0 or np.any(q % 1):
                    yield p, q + step * one[j]
                if q[j]:
                    yield p + step * q * logs, q - q[j] * one[j]
        if form.family == "log" and np.any(q):
            yield p + step * q * logs, q


def corrected(share: float, parameters: int, n: int) -> float:
    """Return a residual share corrected for fitted parameters (generalised cross-validation)."""
    return share / max(1 - parameters / n, 0.05) ** 2


def argument(problem: Problem, form: Form, rows: Array) -> Array:
    """Return the values of h on some rows."""
    Z = problem.Z[rows]
    q = np.array(form.q)
    if form.family == "log":
        even = np.abs(Z) ** q
        odd = np.sign(Z) * even
        return np.prod(np.where((q % 2 == 1) & ~problem.one_signed(), odd, even), axis=1)
    return Z @ q if form.family == "linear" else (Z * Z) @ q


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
    """Return names for a curve t(h) as `curve.laws` does, any function of a library: c·f(a·h^k + b) + d."""
    h, t, w = h[:MATCHED_ROWS], t[:MATCHED_ROWS], w[:MATCHED_ROWS]
    found = []
    for k in ARGUMENTS if (h > 0).all() else (1.0,):
        try:
            near = match(h**k, t, library, top=MATCHES, weights=w**2)
        except InputError:  # no function fits: the curve is constant, not finite, or outside every domain
            continue
        found += [
            curve.Law(partial(_matched, fit.curve, k), 1 - fit.r2, fit.function.complexity + 0.5 * abs(k))
            for fit in near
        ]
    return sorted(found, key=lambda law: criterion.rank(law.share, law.price, len(t)))


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


def rounded(fit: ridge.Ridge, logs: Array | None) -> Iterator[tuple[Array, Array]]:
    """Yield nearby simple exponents in every gauge: h may be rescaled, and powers of h moved into m.

    `logs` marks those columns of h that m may use too, None for all.
    """
    if len(fit.q) == 0:
        size = len(fit.p) if logs is None else len(logs)
        yield nice(fit.p), np.zeros(size)
        yield fit.p, np.zeros(size)
        return
    big = np.abs(fit.q).max()
    seen = set()
    for i in np.argsort(-np.abs(fit.q))[:3]:
        if abs(fit.q[i]) < 0.1 * big:
            continue
        for k in (1, 2, 0.5):
            q = fit.q / fit.q[i] * k
            r = nice(q)
            whole = np.abs(r - np.round(r)).max() < 1e-9
            if np.abs(r - q).max() > (0.08 if fit.share < 1e-4 else 0.2) or (
                k != 1 and whole and not np.any(np.abs(r) == 1)
            ):
                continue
            key = tuple(r)
            if key in seen or not np.any(r):
                continue
            seen.add(key)
            part = q if logs is None else q[logs]
            for j in np.flatnonzero(r if logs is None else r[logs]):
                yield nice(fit.p - fit.p[j] * (part / part[j])), r
            if logs is not None and not logs.all():
                yield nice(fit.p), r


def weights(fit: ridge.Ridge, units: Array) -> Iterator[tuple[Array, Array]]:
    """Yield nearby simple weights of a sum, the largest being 1."""
    small = np.abs(fit.q) < 0.02 * np.abs(fit.q).max()
    i = int(np.argmax(np.abs(fit.q)))
    q = np.where(small, 0.0, fit.q / units)
    q = q / q[i]
    whole = np.where(np.abs(q - np.round(q)) < 0.02, np.round(q), q)
    rough = [np.round(q)] if fit.share > criterion.SHARP and np.abs(q - np.round(q)).max() < 0.2 else []
    if fit.share > criterion.SHARP:
        rough.append(np.where(np.abs(q) > 0.3, np.sign(q), 0.0))
    for r in (*rough, whole, q):
        yield nice(fit.p), r
        for j in np.flatnonzero(np.abs(fit.p) < 0.3):
            less = nice(fit.p)
            less[j] = 0.0
            yield less, r


def nice(exponents: Array) -> Array:
    """Return the exponents rounded to halves, or to thirds where much closer."""
    halves = np.round(exponents * 2) / 2
    thirds = np.round(exponents * 3) / 3
    return np.where(np.abs(exponents - thirds) < 0.2 * np.abs(exponents - halves), thirds, halves)

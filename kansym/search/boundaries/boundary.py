"""The boundary between two classes as a formula g = 0: a sparse sum of products of simple functions.

Terms come from a pool: functions of one column, and products of two such of different columns. Points on
the border (`border`) tell which few terms can vanish there together (`implicit`); logistic regression and a
line search fit the best sets to all rows, and the shortest description of the labels is chosen.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import sympy
from scipy.special import gammaln

from kansym.base import criterion
from kansym.base.errors import InputError, UnknownNameError
from kansym.formula import constants
from kansym.formula.expression import complexity, number, text
from kansym.formula.program import Program
from kansym.functions import library
from kansym.functions.bytecode import Bytecode
from kansym.functions.compiler import compile_expression
from kansym.functions.parsing import symbols
from kansym.search.assumptions.hypothesis import Hypotheses
from kansym.search.boundaries.border import border
from kansym.search.boundaries.implicit import implicit
from kansym.search.boundaries.logistic import covariance, logistic, sharpened

Maker = Callable[[sympy.Symbol], sympy.Expr]

TIE = 6.0
"""Nats between two descriptions that the labels hardly tell apart, as between a law and its rivals."""

JUDGED = 40
"""Sets of each size that are fitted to all rows."""

MOST_TERMS = 400
"""Terms of the pool that are combined; with more columns, those that tell the classes apart best."""

ROOTED = 5
"""Boundaries of the shortest descriptions that are tried as a difference of squares."""

SQUARE = 0.1
"""Relative difference of b² and 4ac up to which a·u² + b·u·v + c·v² is tried as a square."""

NEARER = (1.0, 0.4, 0.4)
"""Share of the rows, the nearest to the boundary, that each further fit keeps."""

NICE = 0.004
"""Relative standard error that is assumed of a coefficient when a nice number is looked for near it."""

FEWEST_ROWS = 100
FLAT = 0.02

FEWEST_POINTS = 8
"""With fewer points on the border, the terms that tell most alone are combined."""


@dataclass(frozen=True)
class Boundary:
    """Hold one boundary: g > 0 on the second class; `g` is scaled so that its least coefficient is ±1.

    `loss` is the mean cross-entropy, `accuracy` the share of rows on the right side, `length` the nats
    that the wrong rows, the terms and their coefficients need.
    """

    g: sympy.Expr
    coefficients: tuple[float, ...]
    terms: tuple[sympy.Expr, ...]
    errors: tuple[float, ...]
    loss: float
    accuracy: float
    complexity: int
    length: float

    @property
    def text(self) -> str:
        """Return g as text."""
        return text(self.g, 4)


def boundaries(
    X: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    most: int = 4,
    hypotheses: str | Sequence[str] = (),
) -> list[Boundary]:
    """Return boundaries with 1 to `most` terms: the shortest description (of those that tie, the
    smallest formula) first, then by accuracy.

    X (n, d) finite; labels (n,) of two kinds; `hypotheses` as in `hypothesis`: formulas of columns, linear
    columns, and which functions. Raises InputError for other labels or hypotheses.
    """
    assumed = Hypotheses.parse(hypotheses, names)
    if assumed.form or assumed.last:
        what = assumed.form or f"last: {assumed.last}"
        raise InputError(
            f"Hypothesis {what!r} has no meaning for a boundary, whose last function is a sigmoid; give "
            "formulas of columns, 'linear: x', or 'only: x^2'."
        )
    columns = (*assumed.arguments, *symbols(assumed.linear))
    Z = np.column_stack([Program.compile(c, symbols(names), [], []).value(X) for c in columns])
    stand_ins = [c.name if c.is_Symbol else f"\0{i}" for i, c in enumerate(columns)]
    back = dict(zip(symbols(stand_ins), columns, strict=True))
    return [
        replace(b, g=b.g.xreplace(back), terms=tuple(t.xreplace(back) for t in b.terms))
        for b in _boundaries(Z, labels, stand_ins, most, assumed)
    ]


def _boundaries(
    X: np.ndarray, labels: np.ndarray, names: Sequence[str], most: int, assumed: Hypotheses
) -> list[Boundary]:
    kinds = np.unique(labels)
    if len(kinds) != 2:
        raise InputError(f"The labels have {len(kinds)} values; a boundary needs two classes.")
    positive = labels == kinds[1]
    pool = [t for t in _pool(X, names, assumed) if np.all(np.isfinite(t.value(X)))]
    F = np.column_stack([t.value(X) for t in pool])
    F = F / np.sqrt(np.mean(F * F, axis=0))
    keep = _telling(F, positive, MOST_TERMS)
    pool, F = [pool[k] for k in keep], F[:, keep]
    spans = X.std(0)
    found = [_judged([pool[k] for k in s], X, positive, spans) for s in _sets(pool, F, X, positive, most)]
    for b in sorted(found, key=lambda b: b.length)[:ROOTED]:
        found += [_judged(terms, X, positive, spans) for terms in _rooted(b, X, names)]
    found.sort(key=lambda b: (-b.accuracy, b.complexity, b.loss))
    shortest = min(b.length for b in found)
    # a few wrong rows are chance: among descriptions that the labels hardly tell apart, the smallest formula
    first = min(
        (b for b in found if b.length < shortest + TIE), key=lambda b: (b.complexity, b.length, b.loss)
    )
    return [first, *(b for b in found if b is not first)]


@dataclass(frozen=True)
class _Factor:
    """One column's function: how it is written, and its values and slope."""

    column: int
    form: sympy.Expr
    code: Bytecode


@dataclass(frozen=True)
class _Term:
    """A product of factors of different columns; none at all is the constant 1."""

    factors: tuple[_Factor, ...] = ()

    @property
    def form(self) -> sympy.Expr:
        return sympy.Mul(*(f.form for f in self.factors))

    def value(self, X: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return math.prod((f.code.value(X[:, f.column]) for f in self.factors), start=np.ones(len(X)))

    def gradient(self, X: np.ndarray) -> np.ndarray:
        out = np.zeros(X.shape)
        for f in self.factors:
            others = _Term(tuple(g for g in self.factors if g is not f))
            out[:, f.column] = f.code.dual(X[:, f.column])[1] * others.value(X)
        return out


def _pool(X: np.ndarray, names: Sequence[str], assumed: Hypotheses) -> list[_Term]:
    single = [
        _factors(i, s, x, ("x",) if s.name in assumed.linear else assumed.only)
        for i, (s, x) in enumerate(zip(symbols(names), X.T, strict=True))
    ]
    terms = [_Term(), *(_Term((f,)) for mine in single for f in mine)]
    mixed = [mine for mine, name in zip(single, names, strict=True) if name not in assumed.linear]
    for a, b in itertools.combinations(mixed, 2):
        terms += [_Term(pair) for pair in itertools.product(a, b)]
    return terms


FACTORS: dict[str, Maker] = {
    "x": lambda s: s,
    "x^2": lambda s: s**2,
    "x^4": lambda s: s**4,
    "abs": sympy.Abs,
    "exp": sympy.exp,
    "exp(-x)": lambda s: sympy.exp(-s),
    "cosh": sympy.cosh,
    "sinh": sympy.sinh,
    "1/x": lambda s: 1 / s,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
}
"""How each function of one column is written."""


@cache
def _code(name: str) -> Bytecode:
    """Return a factor's values and slope, compiled."""
    return compile_expression(FACTORS[name](library.X), library.X, library.P)


def _factors(i: int, s: sympy.Symbol, x: np.ndarray, only: Sequence[str]) -> list[_Factor]:
    """Return the functions of one column that its range and a person allow."""
    names = ["x", "x^2", "x^4"]
    if x.min() < 0 < x.max():
        names.append("abs")
    if np.abs(x).max() < 20:
        names += ["exp", "exp(-x)", "cosh", "sinh"]
    if x.min() > 1e-3 * np.abs(x).max():
        names += ["1/x", "log", "sqrt"]
    for name in only:
        if name not in FACTORS:
            raise UnknownNameError("function of a boundary", name, FACTORS)
    chosen = [n for n in names if not only or n == "x" or n in only]
    return [_Factor(i, FACTORS[n](s), _code(n)) for n in chosen]


def _telling(F: np.ndarray, positive: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many terms: the constant, and those with the largest score statistics alone."""
    if F.shape[1] <= most:
        return np.arange(F.shape[1])
    centred = F - F.mean(0)
    score = ((positive - positive.mean()) @ centred) ** 2 / (np.sum(centred**2, axis=0) + 1e-12)
    score[0] = np.inf
    return np.sort(np.argsort(-score, kind="stable")[:most])


def _sets(
    pool: list[_Term], F: np.ndarray, X: np.ndarray, positive: np.ndarray, most: int
) -> list[tuple[int, ...]]:
    """Return the sets of terms that are worth a fit: single ones, and those that vanish on the border."""
    sets: list[tuple[int, ...]] = [(k,) for k in np.flatnonzero(F.min(0) * F.max(0) < 0).tolist() or [0]]
    found = border(X, positive)
    if len(found.points) < FEWEST_POINTS:
        best = _telling(F, positive, 12)
        return sets + [s for q in range(2, most + 1) for s in itertools.combinations(best.tolist(), q)]
    P = found.points
    prices = np.array([complexity(t.form) for t in pool], float)
    G = np.stack([t.gradient(P) * found.scale for t in pool], axis=1)
    fits = implicit(np.column_stack([t.value(P) for t in pool]), G, prices, most, JUDGED)
    return sets + [f.terms for f in fits]


@dataclass(frozen=True)
class _Formula:
    """A term given by its formula alone."""

    form: sympy.Expr
    columns: tuple[sympy.Symbol, ...]

    def value(self, X: np.ndarray) -> np.ndarray:
        return Program.compile(self.form, self.columns, [], []).value(X)

    def gradient(self, X: np.ndarray) -> np.ndarray:
        return Program.compile(self.form, self.columns, [], []).gradient(X)[1]


def _rooted(b: Boundary, X: np.ndarray, names: Sequence[str]) -> Iterator[Sequence[_Formula]]:
    """Yield |w - k| and r where the boundary is a multiple of (w - k)² - r²: one zero set, a term less."""
    columns = symbols(names)
    if len(b.terms) != 4:
        return
    sure = {s: sympy.Symbol(s.name, positive=True) for s, x in zip(columns, X.T, strict=True) if x.min() > 0}
    back = {v: k for k, v in sure.items()}
    for i, j, k in itertools.permutations(range(4), 3):
        (first, a), (cross, m), (last, c) = ((b.terms[q], b.coefficients[q]) for q in (i, j, k))
        (rest, d) = next((b.terms[q], b.coefficients[q]) for q in range(4) if q not in (i, j, k))
        w = sympy.sqrt((first / last).xreplace(sure))
        w = w.replace(sympy.Abs, lambda u: u) if (cross / last).xreplace(sure) != w else w
        if (cross / last).xreplace(sure) != w or a * c <= 0 or abs(m * m / (4 * a * c) - 1) > SQUARE:
            continue
        r = sympy.sqrt((rest / last).xreplace(sure)).xreplace(back)
        if a * d >= 0 or complexity(w) > complexity(1 / w):
            continue
        for at in dict.fromkeys((-m / (2 * a), math.copysign(math.sqrt(c / a), -m * a))):
            nice = constants.near(at, SQUARE / 4 * abs(at), longest=3.0)
            for value in (*(n.exact for n in nice[:1]), number(at)):
                inside = sympy.Abs(w.xreplace(back) - value)
                yield _Formula(inside, columns), _Formula(r, columns)


def _judged(
    terms: Sequence[_Term | _Formula], X: np.ndarray, positive: np.ndarray, spans: np.ndarray
) -> Boundary:
    """Fit one set of terms to all rows and measure it."""
    A = np.column_stack([t.value(X) for t in terms])
    scale = np.sqrt(np.mean(A * A, axis=0))
    A = A / scale
    G = np.stack([t.gradient(X) * spans / c for t, c in zip(terms, scale, strict=True)], axis=1)
    loss, beta = logistic(A, positive.astype(float))
    trials, rows = [beta], np.arange(len(A))
    for share in NEARER:
        # a logit in the distance |g|/|grad g| is equally steep everywhere, and only near rows matter
        slope = np.linalg.norm(np.einsum("nkd,k->nd", G[rows], beta), axis=1)
        slope = slope / max(float(slope.mean()), 1e-300) + FLAT
        away = np.abs(A[rows] @ beta) / slope
        near = away <= np.quantile(away, max(share, min(1.0, FEWEST_ROWS / len(rows))))
        rows, slope = rows[near], slope[near]
        beta = logistic(A[rows] / slope[:, None], positive[rows].astype(float))[1]
        trials.append(beta)
    trials = [sharpened(A, positive, b) for b in trials]
    beta = min(trials, key=lambda b: int(np.sum((A @ b > 0) != positive)))
    raw = beta / scale
    unit = float(np.abs(raw).min()) or 1.0
    raw, errors = raw / unit, np.sqrt(np.diag(covariance(A, beta))) / scale / unit
    free = 0.5 * math.log(len(positive)) * (len(terms) - 1)
    choices = [(raw, free)]
    nice = [constants.near(v, NICE * abs(v), longest=free / max(len(terms) - 1, 1)) for v in raw.tolist()]
    if len(terms) > 1 and all(nice):
        choices.append((np.array([float(n[0].exact) for n in nice]), sum(n[0].price for n in nice)))
    fits = [_described(terms, X, positive, c, price) for c, price in choices]
    g, size, wrong, length, c = min(fits, key=lambda f: f[3])
    accuracy = 1 - wrong / len(positive)
    forms = tuple(t.form for t in terms)
    return Boundary(g, tuple(c.tolist()), forms, tuple(errors.tolist()), loss, accuracy, size, length)


def _described(
    terms: Sequence[_Term | _Formula], X: np.ndarray, positive: np.ndarray, c: np.ndarray, price: float
) -> tuple[sympy.Expr, int, int, float, np.ndarray]:
    """Return g with coefficients c, its complexity, its wrong rows, and the nats that describe the labels."""
    values = np.column_stack([t.value(X) for t in terms]) @ c
    g = sympy.Add(*(number(float(v)) * t.form for v, t in zip(c, terms, strict=True)))
    n, wrong = len(positive), int(np.sum((values > 0) != positive))
    size = complexity(g)
    labels = float(gammaln(n + 1) - gammaln(wrong + 1) - gammaln(n - wrong + 1))
    return g, size, wrong, labels + criterion.NODE_PRICE * size + price, c

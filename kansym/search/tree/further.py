"""Columns that a function of the columns gives: exp(-k·t) beside k and t, (K·p)^n beside K, log(a/b).

Arguments are the columns, products, quotients, differences and sums of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from kansym.search.structure.problem import Problem

MOST_COLUMNS = 5
"""Columns that a function of some is looked for beside."""

WIDEST, NARROWEST = 30.0, 0.02
"""Spans of an exponent: beyond the first one row outweighs all others, below the second it is a line."""

WIDEST_DECAY = 100.0
"""The same for half of the rows where it starts at most at one and falls: where it is gone rows tell, too."""

FEW_COLUMNS = 2
"""Columns up to which tangents, and logarithms of one and something, are looked at, too."""


@dataclass(frozen=True, eq=False)
class Extension:
    """Hold a column that a function of the columns gives, with its formula."""

    values: np.ndarray
    formula: sympy.Expr


def exponential(argument: Extension, rate: float = 1.0) -> Extension | None:
    """Return exp(rate·argument); None where it spans too much or too little."""
    u, formula = rate * argument.values, argument.formula
    if not np.all(np.isfinite(u)):
        return None
    top, span = float(u.max()), float(np.ptp(u))
    fits = top - np.median(u) < WIDEST_DECAY if top <= 0 else span < WIDEST
    if not (span > NARROWEST and fits):
        return None
    power = sympy.Integer(int(rate)) if abs(rate) == 1 else sympy.Float(rate)
    logs = [f for f in sympy.Mul.make_args(formula) if isinstance(f, sympy.log)]
    written = sympy.exp(power * formula)
    if logs:
        written = logs[0].args[0] ** (power * formula / logs[0])
    if abs(top) < WIDEST:
        return Extension(np.exp(u), written)
    return Extension(np.exp(u - top), written * sympy.exp(-sympy.Float(top)))


def functions(problem: Problem, decaying: bool = False) -> list[Extension]:
    """Return exponentials, logarithms, sines and cosines of columns and of what two or three of them make.

    Exponentials of positive arguments grow, or are `decaying`: of one alone the ratio may hold either, but a
    sum of two decays has twice the degree in the others. Logarithms of one and something stand alone.
    """
    if problem.width > MOST_COLUMNS:
        return []
    plain = _arguments(problem)
    further = () if decaying else (*_growths(problem), *_bells(problem))
    made = [
        exponential(a, -1.0 if decaying and np.all(a.values > 0) else 1.0)
        for a in (*plain, *_powers(problem), *further)
    ]
    d = problem.width
    with np.errstate(all="ignore"):
        for a in plain[: d * (d + 1) // 2 + d * (d - 1)]:  # the sums are left out
            if np.all(a.values > 0):
                made.append(Extension(np.log(a.values), sympy.log(a.formula)))
            if NARROWEST < np.ptp(a.values) < WIDEST:
                made += [Extension(f(a.values), g(a.formula)) for f, g in _TURNS]
                if d <= FEW_COLUMNS and not np.ptp(np.sign(np.cos(a.values))):
                    made.append(Extension(np.tan(a.values), sympy.tan(a.formula)))
        for a in plain[:d] if d <= FEW_COLUMNS else ():
            if np.all((a.values > 0) & (a.values < 1)):
                made.append(Extension(np.log1p(-a.values), sympy.log(1 - a.formula)))
        for a in _added_to_one(problem) if d <= FEW_COLUMNS and not decaying else ():
            made.append(Extension(np.log1p(a.values), sympy.log(1 + a.formula)))
    return [e for e in made if e is not None]


def decays(problem: Problem) -> Iterator[tuple[Extension, ...]]:
    """Yield two exponentials that have one column in common: of products with it, or of quotients.

    exp(-a·t) and exp(-b·t): what passes through two stages in turn, or leaves by two ways. One of the two may
    be of the column alone: in units of a they are exp(-u) and exp(-u/v).
    """
    columns = [Extension(v, f) for v, f in zip(problem.Z.T, problem.formulas, strict=True)]
    for k, shared in enumerate(columns):
        others = [c for i, c in enumerate(columns) if i != k]
        found = []
        for two in itertools.combinations(others, 2):
            turned = quotients(shared, two)
            found += [products(shared, two), turned[::2], turned[1::2]]
        found += [[shared, u] for u in (*products(shared, others), *quotients(shared, others)[::2])]
        for arguments in found:
            made = [e for u in arguments if (e := exponential(u, -1.0))]
            if len(made) == len(arguments):
                yield tuple(made)


def damped(problem: Problem) -> Iterator[tuple[Extension, ...]]:
    """Yield waves that an exponential of the same column damps: exp(-g·t)·cos(w·t) and exp(-g·t)·sin(w·t).

    The arguments are that column, its products, and its quotients by others.
    """
    columns = [Extension(v, f) for v, f in zip(problem.Z.T, problem.formulas, strict=True)]
    for k, shared in enumerate(columns):
        others = [c for i, c in enumerate(columns) if i != k]
        with np.errstate(all="ignore"):
            arguments = [shared, *products(shared, others), *quotients(shared, others)[::2]]
        for u, v in itertools.permutations(arguments, 2):
            if NARROWEST < np.ptp(v.values) < WIDEST and (decay := exponential(u, -1.0)) is not None:
                yield tuple(
                    Extension(decay.values * f(v.values), decay.formula * g(v.formula)) for f, g in _TURNS
                )


def levels(problem: Problem) -> Iterator[tuple[Extension, ...]]:
    """Yield two powers of e, or of 10, of differences of columns: of a pH and two pK, of magnitudes.

    What a sum of such powers is in no column.
    """
    columns = list(zip(problem.Z.T, problem.formulas, strict=True))
    differences = [(a - b, f - g) for (a, f), (b, g) in itertools.combinations(columns, 2)]
    for unit in (sympy.Integer(1), sympy.log(10)):
        made = [exponential(Extension(v * float(unit), unit * f)) for v, f in differences]
        yield from itertools.combinations([e for e in made if e is not None], 2)


def products(one: Extension, others: Sequence[Extension]) -> list[Extension]:
    """Return one column times each of the others."""
    return [Extension(one.values * u.values, one.formula * u.formula) for u in others]


def quotients(one: Extension, others: Sequence[Extension]) -> list[Extension]:
    """Return one column over each of the others and, in turn, that over it."""
    both = [pair for u in others for pair in ((one, u), (u, one))]
    return [Extension(a.values / b.values, a.formula / b.formula) for a, b in both]


def _added_to_one(problem: Problem) -> list[Extension]:
    """Return what is often added to one under a logarithm: quotients, products, their squares, powers."""
    columns = list(zip(problem.Z.T, problem.formulas, strict=True))
    found = [(v**k, f**k) for v, f in columns for k in (1, 2)]
    for (a, f), (b, g) in itertools.combinations(columns, 2):
        found += [(a * b, f * g), (a * a * b * b, f * f * g * g)]
    for (a, f), (b, g) in itertools.permutations(columns, 2):
        found += [(a / b, f / g), (a * a / b, f * f / g), (a * a / (b * b), f * f / (g * g))]
        if np.all(a > 0):
            found += [(a**b, f**g)]
    return [Extension(v, f) for v, f in found if np.all(np.isfinite(v)) and np.all(v > -1)]


_TURNS = ((np.cos, sympy.cos), (np.sin, sympy.sin))


@np.errstate(all="ignore")
def _arguments(problem: Problem) -> list[Extension]:
    """Return the columns, their products, quotients and differences, and sums of two times a third."""
    columns = list(zip(problem.Z.T, problem.formulas, strict=True))
    found = list(columns)
    found += [(a * b, f * g) for (a, f), (b, g) in itertools.combinations(columns, 2)]
    found += [(a / b, f / g) for (a, f), (b, g) in itertools.permutations(columns, 2)]
    found += [(a - b, f - g) for (a, f), (b, g) in itertools.combinations(columns, 2)]
    for (a, f), (b, g), (c, h) in _threes(columns):
        found += [(c * (a + b), h * (f + g)), (c * (a - b), h * (f - g))]
    return [Extension(v, f) for v, f in found if np.all(np.isfinite(v))]


@np.errstate(all="ignore")
def _powers(problem: Problem) -> list[Extension]:
    """Return x·log(u), u a column, one and a column, a quotient or a product: their exponentials are u^x.

    One and a column over x, too: interest in x parts, and what is clumped.
    """
    columns = list(zip(problem.Z.T, problem.formulas, strict=True))
    found = []
    for (a, f), (b, g) in itertools.permutations(columns, 2):
        found += [(b, g, a, f), (b, g, 1 + a, 1 + f), (b, g, 1 - a, 1 - f), (b, g, 1 + a / b, 1 + f / g)]
    for (a, f), (b, g), (c, h) in _threes(columns):
        found += [(c, h, a / b, f / g), (c, h, a * b, f * g)]
    return _exponents_of(found)


@np.errstate(all="ignore")
def _growths(problem: Problem) -> list[Extension]:
    """Return x·log(u), u one and a product or a quotient of two columns, or the quotient of one and each."""
    columns = list(zip(problem.Z.T, problem.formulas, strict=True))
    found = []
    for (a, f), (b, g), (c, h) in _threes(columns):
        found += [(c, h, 1 + a * b, 1 + f * g), (c, h, 1 - a * b, 1 - f * g)]
        found += [(c, h, 1 + a / b, 1 + f / g), (c, h, 1 + b / a, 1 + g / f)]
        found += [(c, h, (1 + a) / (1 + b), (1 + f) / (1 + g))]
    return _exponents_of(found)


@np.errstate(all="ignore")
def _bells(problem: Problem) -> list[Extension]:
    """Return -(a/b)^c, whose exponentials are survivals, and -(a - b)^2/c^2 with and without a half."""
    columns = list(zip(problem.Z.T, problem.formulas, strict=True))
    found = []
    for (a, f), (b, g), (c, h) in _threes(columns):
        if np.all(a > 0) and np.all(b > 0):
            found += [(-((a / b) ** c), -((f / g) ** h)), (-((b / a) ** c), -((g / f) ** h))]
        square, written = ((a - b) / c) ** 2, ((f - g) / h) ** 2
        found += [(-square, -written), (-square / 2, -written / 2)]
    return [Extension(v, f) for v, f in found if np.all(np.isfinite(v))]


def _exponents_of(found: list[tuple]) -> list[Extension]:
    """Return x·log(u) with formulas, of tuples (x, its formula, u, its formula), where u is positive."""
    return [
        Extension(x * np.log(u), f * sympy.log(g))
        for x, f, u, g in found
        if np.all(u > 0) and np.all(np.isfinite(np.log(u)))
    ]


@np.errstate(all="ignore")
def exponentials_of_any_rate(problem: Problem) -> list[Extension]:
    """Return arguments whose rate is unknown: columns, products, quotients, their squares and logarithms."""
    columns = list(zip(problem.Z.T, problem.formulas, strict=True))
    pairs = list(itertools.combinations(columns, 2))
    products = [(a * b, f * g) for (a, f), (b, g) in pairs]
    quotients = [(a / b, f / g) for (a, f), (b, g) in pairs]
    logs = [(np.log(v), sympy.log(f)) for v, f in (*columns, *quotients, *products) if np.all(v > 0)]
    inverse = [(1 / v, 1 / f) for v, f in columns]
    squares = [(v * v, f * f) for v, f in columns]
    every = (*columns, *logs, *quotients, *products, *inverse, *squares)
    return [Extension(v, f) for v, f in every if np.all(np.isfinite(v))]


def _threes(columns: list) -> Iterator[tuple]:
    """Yield every pair of columns with every third one."""
    for k, third in enumerate(columns):
        for first, second in itertools.combinations([c for i, c in enumerate(columns) if i != k], 2):
            yield first, second, third

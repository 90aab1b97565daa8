"""Moves: a problem made simpler, with the way back. A right one takes a column away and loses nothing.

A column is divided out of the target, or subtracted from it; two become one; the target and a column are
measured in units of another, or from it. Slopes of a smooth fit (`evidence`) say which to try.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import sympy

from kansym.search.structure.problem import Operation, Problem

LEAST = 1e-3
"""Root weights below this share of the largest count as it: rows of no weight would tell nothing."""

LONG = 40
"""Operations above which an exponent is not multiplied out."""

FAR, NEAR = 3.0, 0.02
"""A constant taken off a column is at most so many spans of it, and rounded by at most this share."""

CLIPPED, MOST_CLIPPED, OFTENER, FEWEST_FREE = 0.03, 0.8, 5, 30
"""Share of the rows that are at a bound, at least and at most; how many times as often as any other value
they are there, at least; and rows that are not, at least."""

JOINS = (
    Operation("a*b", lambda a, b: a * b),
    Operation("a/b", lambda a, b: a / b),
    Operation("a-b", lambda a, b: a - b),
    Operation("a+b", lambda a, b: a + b),
    Operation("a^2+b^2", lambda a, b: a**2 + b**2),
    Operation("a^2-b^2", lambda a, b: a**2 - b**2),
)


@dataclass(frozen=True)
class Peel:
    """Hold a plain function of one column, its slope, and how it is written."""

    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    formula: Callable[[sympy.Expr], sympy.Expr]


PEELS = (
    Peel(lambda x: x, np.ones_like, lambda e: e),
    Peel(lambda x: x**2, lambda x: 2 * x, lambda e: e**2),
    Peel(lambda x: x**3, lambda x: 3 * x**2, lambda e: e**3),
    Peel(lambda x: 1 / x, lambda x: -1 / x**2, lambda e: 1 / e),
    Peel(np.sqrt, lambda x: 0.5 / np.sqrt(x), sympy.sqrt),
    Peel(np.log, lambda x: 1 / x, sympy.log),
    Peel(np.exp, np.exp, sympy.exp),
    Peel(np.sin, np.cos, sympy.sin),
    Peel(np.cos, lambda x: -np.sin(x), sympy.cos),
)
"""Functions of a column that are taken off a target of their sum."""


def retargeted(
    problem: Problem,
    y: np.ndarray,
    w: np.ndarray,
    finish: Callable[[sympy.Expr], sympy.Expr],
    drop: int | None = None,
) -> Problem | None:
    """Return the problem for another target with root weights w = old ones/|slope|; None if undefined."""
    rows = np.concatenate([problem.fit, problem.test])
    if not (np.all(np.isfinite(y[rows])) and np.all(np.isfinite(w[rows])) and np.ptp(y[rows]) > 0):
        return None
    w = np.maximum(w, LEAST * np.max(w[rows]))
    before = float(np.sum((problem.w * problem.y)[problem.fit] ** 2))
    after = float(np.sum((w * y)[problem.fit] ** 2))
    size = float(np.sqrt(np.mean(w[rows] ** 2)))
    if not (after > 0 and before > 0 and np.isfinite(after) and size > 0):
        return None
    inner = problem.finish
    new = replace(
        problem, y=y, w=w / size, finish=lambda e: inner(finish(e)), unit=problem.unit * after / before
    )
    if drop is None:
        return new
    keep = [k for k in range(problem.width) if k != drop]
    return new.columns(problem.Z[:, keep], tuple(problem.formulas[k] for k in keep))


def divided(problem: Problem, i: int, power: float, drop: bool = True) -> Problem | None:
    """Return the problem for y / x_i^power, without x_i."""
    with np.errstate(all="ignore"):
        factor = np.abs(problem.Z[:, i]) ** power
        y, w = problem.y / factor, problem.w * factor
    x = problem.formulas[i] if np.median(problem.Z[:, i]) > 0 else -problem.formulas[i]
    back = x ** sympy.Rational(power)
    return retargeted(problem, y, w, lambda e: e * back, i if drop else None)


def subtracted(problem: Problem, i: int, sign: int, drop: bool = True) -> Problem | None:
    """Return the problem for y - sign·x_i, without x_i."""
    x = problem.formulas[i]
    return retargeted(
        problem, problem.y - sign * problem.Z[:, i], problem.w, lambda e: e + sign * x, i if drop else None
    )


def relative(problem: Problem | None, i: int, j: int, rule: Callable) -> Problem | None:
    """Return the problem with x_j seen from x_i (x_j/x_i, x_j·x_i or x_j - x_i), without x_i."""
    if problem is None:
        return None
    with np.errstate(all="ignore"):
        values = np.asarray(rule(problem.Z[:, j], problem.Z[:, i]), float)
    if not np.all(np.isfinite(values)):
        return None
    Z = problem.Z.copy()
    Z[:, j] = values
    formulas = list(problem.formulas)
    formulas[j] = rule(problem.formulas[j], problem.formulas[i])
    keep = [k for k in range(problem.width) if k != i]
    return problem.columns(Z[:, keep], tuple(formulas[k] for k in keep))


def offset(problem: Problem, level: float) -> Problem | None:
    """Return the problem for y - level, an asymptote or a pole of what is then transformed."""
    number = sympy.nsimplify(level, rational=True) if float(2 * level).is_integer() else sympy.Float(level)
    return retargeted(problem, problem.y - level, problem.w, lambda e: e + number)


@np.errstate(all="ignore")
def logarithm(problem: Problem) -> Problem | None:
    """Return the problem for log|y| in the target's own unit: a constant beside it would hide a product."""
    y = problem.y
    rows = np.concatenate([problem.fit, problem.test])
    sign = 1 if np.all(y[rows] > 0) else -1 if np.all(y[rows] < 0) else 0
    if not sign:
        return None
    return retargeted(problem, np.log(np.abs(y)), problem.w * np.abs(y), lambda e: sign * exponential(e))


@np.errstate(all="ignore")
def raised(problem: Problem, power: float) -> Problem | None:
    """Return the problem for |y|^power, in units of the median of |y|, y of one sign."""
    sign, size = float(np.sign(problem.y[0])), float(np.median(np.abs(problem.y)))
    y = np.abs(problem.y / size) ** power
    w = problem.w * np.abs(problem.y / (power * y))
    back = sympy.Float(1 / power)
    return retargeted(problem, y, w, lambda e: sympy.Float(sign * size) * e**back)


@np.errstate(all="ignore")
def exponent(problem: Problem, rate: float) -> Problem | None:
    """Return the problem for exp(rate·(y - median of y))."""
    middle = float(np.median(problem.y))
    y = np.exp(rate * (problem.y - middle))
    w = problem.w / np.abs(rate * y)
    factor, level = sympy.Float(1 / rate), sympy.Float(np.exp(rate * middle))
    return retargeted(problem, y, w, lambda e: factor * sympy.log(level * e))


def exponential(e: sympy.Expr) -> sympy.Expr:
    """Return exp(e) with a factor u^a for every term a·log(u)."""
    factors, rest = [], []
    for term in sympy.Add.make_args(sympy.expand(e) if e.count_ops() < LONG else e):
        logs = [f for f in sympy.Mul.make_args(term) if isinstance(f, sympy.log)]
        if len(logs) == 1:
            factors.append(logs[0].args[0] ** (term / logs[0]))
        else:
            rest.append(term)
    return sympy.Mul(*factors) * sympy.exp(sympy.Add(*rest))


@np.errstate(all="ignore")
def _through(
    problem: Problem, values: np.ufunc, written: Callable[[sympy.Expr], sympy.Expr]
) -> Problem | None:
    """Return the problem with a function of each positive column in its place; None without any."""
    positive = np.atleast_1d((problem.Z > 0).all(0))
    if not positive.any():
        return None
    Z = np.where(positive, values(np.where(positive, problem.Z, 1.0)), problem.Z)
    return problem.columns(
        Z, tuple(written(f) if p else f for f, p in zip(problem.formulas, positive, strict=True))
    )


def in_logarithms(problem: Problem) -> Problem | None:
    """Return the problem seen through the logarithms of all positive columns; None without any."""
    return _through(problem, np.log, sympy.log)


def in_roots(problem: Problem) -> Problem | None:
    """Return the problem seen through the square roots of all positive columns; None without any."""
    return _through(problem, np.sqrt, sympy.sqrt)


@np.errstate(all="ignore")
def reciprocal(problem: Problem, level: int) -> Problem | None:
    """Return the problem for 1/y - level."""
    w = problem.w * problem.y**2
    return retargeted(problem, 1 / problem.y - level, w, lambda e: 1 / (level + e))


def clipped(problem: Problem) -> Problem | None:
    """Return the problem of the rows within bounds where others are at one: y = max(level, law) or min.

    None where few rows, or almost all, have the least value, or the greatest, to the last digit, or where
    values agree anyhow, as rounded ones do.
    """
    rows = np.concatenate([problem.fit, problem.test])
    y = problem.y[rows]
    if not np.all(np.isfinite(y)):
        return None
    values, counts = np.unique(y, return_counts=True)
    for end, others, bound in ((0, counts[1:], sympy.Max), (-1, counts[:-1], sympy.Min)):
        at = int(counts[end])
        often = at >= CLIPPED * len(y) and at >= OFTENER * others.max(initial=1)
        if often and at <= MOST_CLIPPED * len(y):
            level = float(values[end])
            number = sympy.Integer(int(level)) if level.is_integer() else sympy.Float(level)
            return _within(problem, problem.y != level, partial(bound, number))
    return None


def _within(problem: Problem, rows: np.ndarray, bound: Callable[[sympy.Expr], sympy.Expr]) -> Problem | None:
    """Return the problem of some rows (n,) alone, whose formulas are then bounded."""
    fit, test, inner = problem.fit[rows[problem.fit]], problem.test[rows[problem.test]], problem.finish
    square = (problem.w * problem.y) ** 2
    if len(fit) < FEWEST_FREE or not np.sum(square[fit]) > 0:
        return None
    unit = problem.unit * float(np.sum(square[fit]) / np.sum(square[problem.fit]))
    return replace(problem, fit=fit, test=test, finish=lambda e: inner(bound(e)), unit=unit)


def peeled(problem: Problem, i: int, c: float, function: Peel) -> Problem | None:
    """Return the problem for y - c·f(x_i), without x_i."""
    term = sympy.Float(c) * function.formula(problem.formulas[i])
    moved = problem.y - c * function.value(problem.Z[:, i])
    return retargeted(problem, moved, problem.w, lambda e: e + term, i)


def without_product(problem: Problem, i: int, c: float, powers: np.ndarray) -> Problem | None:
    """Return the problem for y - c·(product of |x_j|^p_j), without x_i."""
    with np.errstate(all="ignore"):
        moved = problem.y - c * np.prod(np.abs(problem.Z) ** powers, axis=1)
    signs = np.sign(problem.Z[0])
    parts = [
        (f if sign > 0 else -f) ** sympy.Rational(float(p))
        for f, sign, p in zip(problem.formulas, signs, powers, strict=True)
    ]
    term = sympy.Mul(sympy.Float(c), *parts)
    return retargeted(problem, moved, problem.w, lambda e: e + term, i)


def plain(c: float) -> float:
    """Return the number of fewest digits within 2 percent of c, 0 for one that is not finite.

    >>> plain(4.971), plain(0.404), plain(-237.15)
    (5.0, 0.4, -240.0)
    """
    if not np.isfinite(c) or c == 0:
        return 0.0
    return next(r for digits in (1, 2, 3) if abs((r := float(f"{c:.{digits}g}")) - c) <= NEAR * abs(c))


def shifted(problem: Problem, i: int, c: float) -> Problem:
    """Return the problem with x_i - c in the place of x_i."""
    Z, formulas = problem.Z.copy(), list(problem.formulas)
    Z[:, i] -= c
    formulas[i] = formulas[i] - (sympy.Integer(int(c)) if float(c).is_integer() else sympy.Float(c))
    return problem.columns(Z, tuple(formulas))


def same(problem: Problem) -> tuple:
    """Return what equal problems have in common: rows, values of the target, and of columns in any order."""
    rows = problem.fit[:8]
    columns = sorted(tuple(float(f"{v:.9g}") for v in column) for column in problem.Z[rows].T)
    return len(problem.fit), tuple(float(f"{v:.9g}") for v in problem.y[rows]), tuple(columns)

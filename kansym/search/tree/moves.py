"""Moves: a problem made simpler, with the way back. A right one takes a column away and loses nothing.

A column is divided out of the target, or subtracted from it; two become one; the target and a column are
measured in units of another, or from it. Slopes of a smooth fit (`evidence`) say which to try.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import sympy
from scipy.optimize import minimize_scalar

from kansym.search.structure.problem import Operation, Problem
from kansym.search.tree import evidence

POWERS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1.5, -1.5)
"""Powers of a column that are divided out of the target."""

VIOLATION, BLUR, MOST_VIOLATION = 0.1, 5.0, 1.2
"""Relative violation by the slopes above which a move is not tried: the first, and the second times the root
of what the smooth fit leaves, up to the third."""

TRIED, MORE = 10, 24
"""Moves of one problem that are judged on rows left out, those that the slopes violate least; MORE where the
smooth fit leaves more than POOR."""

POOR = 1e-3

LOSES = 1.3
"""A move may leave so many times what its problem left: two judgements differ by chance."""

CONSTANT = 30.0
"""A move whose constant was fitted has to leave so many times less than one without."""

LEAST = 1e-3
"""Root weights below this share of the largest count as it: rows of no weight would tell nothing."""

LONG = 40
"""Operations above which an exponent is not multiplied out."""

FLOOR = 1e-13
"""Shares below this are round-off."""

MOST_SHIFTS = 3
"""Moves with a constant that are judged: its search costs some fifteen judgements."""

NEARBY, STEPS = 0.1, 14
"""Share of a column's span within which the constant taken off it is looked for, and the steps of that."""

FAR, NEAR = 3.0, 0.02
"""A constant taken off a column is at most so many spans of it, and rounded by at most this share."""

JOINS = (
    Operation("a*b", lambda a, b: a * b),
    Operation("a/b", lambda a, b: a / b),
    Operation("a-b", lambda a, b: a - b),
    Operation("a+b", lambda a, b: a + b),
    Operation("a^2+b^2", lambda a, b: a**2 + b**2),
    Operation("a^2-b^2", lambda a, b: a**2 - b**2),
)


@dataclass(frozen=True, eq=False)
class Move:
    """Hold a move to try: how much the slopes violate it, and how to make the simpler problem.

    One with a `constant` from the slopes has to leave less than one without to come before it.
    """

    violation: float
    make: Callable[[], Problem | None]
    constant: bool = False


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
def in_logarithms(problem: Problem) -> Problem | None:
    """Return the problem seen through the logarithms of all positive columns; None without any."""
    positive = np.atleast_1d((problem.Z > 0).all(0))
    if not positive.any():
        return None
    Z = np.where(positive, np.log(np.where(positive, problem.Z, 1.0)), problem.Z)
    return problem.columns(
        Z, tuple(sympy.log(f) if p else f for f, p in zip(problem.formulas, positive, strict=True))
    )


@np.errstate(all="ignore")
def in_roots(problem: Problem) -> Problem | None:
    """Return the problem seen through the square roots of all positive columns; None without any."""
    positive = np.atleast_1d((problem.Z > 0).all(0))
    if not positive.any():
        return None
    Z = np.where(positive, np.sqrt(np.where(positive, problem.Z, 1.0)), problem.Z)
    return problem.columns(
        Z, tuple(sympy.sqrt(f) if p else f for f, p in zip(problem.formulas, positive, strict=True))
    )


@np.errstate(all="ignore")
def reciprocal(problem: Problem, level: int) -> Problem | None:
    """Return the problem for 1/y - level."""
    w = problem.w * problem.y**2
    return retargeted(problem, 1 / problem.y - level, w, lambda e: 1 / (level + e))


@np.errstate(all="ignore")
def suggested(problem: Problem) -> list[Move]:
    """Return the moves that the slopes of a smooth fit allow, least violated first."""
    fit = evidence.smooth(problem)
    if not np.isfinite(fit.loss):
        return []
    v = problem.w[fit.rows]
    X, G, y = problem.Z[fit.rows], fit.slopes, fit.values
    found = [Move(_misses(v, *test), make) for test, make in _tests(problem, X, G, y)]
    shifts = [
        Move(_misses(v, *test), make, constant=True)
        for i in range(problem.width)
        for test, make in _shifts(problem, i, X, G, y)
    ]
    most = min(VIOLATION + BLUR * float(np.sqrt(fit.loss)), MOST_VIOLATION)
    found = sorted((m for m in found if m.violation < most), key=lambda m: m.violation)
    shifts = sorted((m for m in shifts if m.violation < most), key=lambda m: m.violation)
    return found[: TRIED if fit.loss < POOR else MORE] + shifts[:MOST_SHIFTS]


def _misses(v: np.ndarray, slope: np.ndarray, other: np.ndarray) -> float:
    """Return how far two slopes that should be equal are apart, as a share of their sizes."""
    size = np.sqrt(np.sum((v * slope) ** 2)) + np.sqrt(np.sum((v * other) ** 2))
    gap = float(np.sqrt(np.sum((v * (slope - other)) ** 2)))
    return 2 * gap / size if size > 0 and np.isfinite(size) else np.inf


Test = tuple[tuple[np.ndarray, np.ndarray], Callable[[], Problem | None]]


def _tests(problem: Problem, X: np.ndarray, G: np.ndarray, y: np.ndarray) -> Iterator[Test]:
    """Yield for each move two slopes that are equal where it is right, and the move."""
    signed = problem.one_signed()
    S = X * G
    for i in range(problem.width):
        for k in POWERS if signed[i] else ():
            yield (S[:, i], k * y), partial(divided, problem, i, k)
        for sign in (1, -1):
            yield (G[:, i], np.full(len(y), float(sign))), partial(subtracted, problem, i, sign)
        for j in range(problem.width):
            if i == j:
                continue
            if signed[i]:
                # y = x_i·f(x_j/x_i, ...), and the like with other powers
                for k in (1.0, -1.0, 2.0, -2.0):
                    both = partial(_in_units, problem, i, j, k, operator.truediv)
                    yield (S[:, i] + S[:, j], k * y), both
                    both = partial(_in_units, problem, i, j, k, operator.mul)
                    yield (S[:, i] - S[:, j], k * y), both
            shifted = partial(_from, problem, i, j)
            yield (G[:, i] + G[:, j], np.ones(len(y))), shifted
        if problem.width > 2 and signed[i]:
            yield from _scalings(problem, i, S, y)
    for i, j in evidence.pairs(problem.width):
        a, b = X[:, i], X[:, j]
        slopes = (
            (S[:, i], S[:, j]),
            (S[:, i], -S[:, j]),
            (G[:, i], -G[:, j]),
            (G[:, i], G[:, j]),
            (G[:, i] * b, G[:, j] * a),
            (G[:, i] * b, -G[:, j] * a),
        )
        for operation, test in zip(JOINS, slopes, strict=True):
            if operation.name == "a/b" and not signed[j]:
                if not signed[i]:
                    continue
                yield test, partial(problem.merge, j, i, operation)
            else:
                yield test, partial(problem.merge, i, j, operation)


def _scalings(problem: Problem, i: int, S: np.ndarray, y: np.ndarray) -> Iterator[Test]:
    """Yield the move that makes x_i the unit of all others: x_j·x_i^c_j and y/x_i^c, the c by least squares.

    Where y is unchanged when x_i grows and the others make up for it, its slope is a combination of theirs.
    """
    rest = [j for j in range(problem.width) if j != i]
    A = np.column_stack([S[:, rest], y])
    c = np.round(2 * np.linalg.lstsq(A, S[:, i], rcond=1e-6)[0]) / 2
    if np.count_nonzero(c) < 3 or np.abs(c).max() > 4:
        return  # pairs are tried one by one

    def make() -> Problem | None:
        moved = divided(problem, i, float(c[-1]), drop=False) if c[-1] else problem
        if moved is None:
            return None
        Z, formulas = moved.Z.copy(), list(moved.formulas)
        size = np.abs(moved.Z[:, i])
        x = moved.formulas[i] if np.median(moved.Z[:, i]) > 0 else -moved.formulas[i]
        for j, k in zip(rest, c[:-1], strict=True):
            if k:
                Z[:, j] = Z[:, j] * size**k
                formulas[j] = formulas[j] * x ** sympy.Rational(float(k))
        return moved.columns(Z[:, rest], tuple(formulas[j] for j in rest))

    yield (S[:, i], A @ c), make


def _shifts(problem: Problem, i: int, X: np.ndarray, G: np.ndarray, y: np.ndarray) -> Iterator[Test]:
    """Yield moves of x_i - c, c from the slopes: it is divided out, or merged with another column.

    Where (x_i - c)·dy/dx_i equals another slope, c is the least-squares solution, to a few digits of which
    the simplest is taken; the formula's own fit finds the rest.
    """
    power = float(G[:, i] @ G[:, i])
    if not (power > 0 and np.isfinite(power)):
        return
    S = X * G
    x = problem.Z[:, i]
    for k, j, sign in _roles(i, problem.width):
        other = k * y if j is None else sign * S[:, j] + k * y
        c = float(G[:, i] @ (S[:, i] - other)) / power
        span = float(np.ptp(x))
        if not NEAR * span < abs(c) < FAR * span or (k and np.ptp(np.sign(x - c))):
            continue
        test = ((X[:, i] - c) * G[:, i], other)
        if j is None:
            made = partial(_divided_shifted, problem, i, k)
        elif k:
            rule = operator.mul if sign > 0 else operator.truediv
            made = partial(_units_shifted, problem, i, j, k, rule)
        else:
            made = partial(_merged_shifted, problem, i, j, JOINS[0 if sign > 0 else 1])
        yield test, partial(_best_shift, made, c, NEARBY * span)


def _best_shift(made: Callable[[float], Problem | None], c: float, room: float) -> Problem | None:
    """Return the problem for the constant near c that loses least, the plainest among equals."""

    def left(constant: float) -> float:
        problem = made(constant)
        return np.inf if problem is None else evidence.loss(problem)

    def cost(constant: float) -> float:
        return float(np.log10(min(left(constant), 1.0) + FLOOR**2))

    best = minimize_scalar(cost, bounds=(c - room, c + room), method="bounded", options={"maxiter": STEPS})
    found = min((float(best.x), c), key=left)
    near = plain(found)
    return made(near if left(near) <= LOSES * left(found) else found)


def _roles(i: int, width: int) -> Iterator[tuple[float, int | None, float]]:
    """Yield the roles of x_i - c: its power in y, a column it goes with, whether as product or ratio."""
    for k in POWERS[:6]:
        yield k, None, 1.0
    for j in range(width):
        for sign in (1.0, -1.0) if j != i else ():
            for k in (0.0, 1.0, -1.0):
                yield k, j, sign


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


def _divided_shifted(problem: Problem, i: int, power: float, c: float) -> Problem | None:
    return divided(shifted(problem, i, c), i, power)


def _units_shifted(
    problem: Problem, i: int, j: int, power: float, rule: Callable, c: float
) -> Problem | None:
    """Return the problem for y/(x_i - c)^power with x_j·(x_i - c) or x_j/(x_i - c)."""
    return _in_units(shifted(problem, i, c), i, j, power, rule)


def _merged_shifted(problem: Problem, i: int, j: int, operation: Operation, c: float) -> Problem | None:
    moved = shifted(problem, i, c)
    if operation.name == "a/b" and not moved.one_signed()[j]:
        return moved.merge(j, i, operation) if moved.one_signed()[i] else None
    return moved.merge(i, j, operation)


def _in_units(problem: Problem, i: int, j: int, power: float, rule: Callable) -> Problem | None:
    """Return the problem for y/x_i^power with x_j/x_i or x_j·x_i in the place of x_i and x_j."""
    return relative(divided(problem, i, power, drop=False), i, j, rule)


def _from(problem: Problem, i: int, j: int) -> Problem | None:
    """Return the problem for y - x_i with x_j - x_i in the place of x_i and x_j."""
    return relative(subtracted(problem, i, 1, drop=False), i, j, operator.sub)


def reductions(root: Problem, beam: int = 3, known: float | None = None) -> list[tuple[float, Problem]]:
    """Return problems of fewer columns that lose nothing, with what a smooth fit leaves; fewest first.

    Level by level the best few are kept; a level that cannot keep what its parent told ends the way down.
    """
    level = [(evidence.loss(root) if known is None else known, root)]
    found: list[tuple[float, Problem]] = []
    while level:
        grown: dict[tuple, tuple[float, float, Problem]] = {}
        for before, problem in level:
            if problem.width < 2:
                continue
            better = False
            for move in suggested(problem):
                if move.constant and better:
                    break  # the constant's search costs fifteen judgements: only where nothing else helps
                child = move.make()
                if child is None or np.any(np.ptp(child.Z[child.fit], axis=0) == 0):
                    continue
                key = same(child)
                if key in grown:
                    continue
                left = evidence.loss(child)
                if left <= max(LOSES * before, FLOOR):
                    better |= left < before
                    grown[key] = (left * (CONSTANT if move.constant else 1.0), left, child)
        best = sorted(grown.values(), key=lambda g: g[0])[:beam]
        level = [(left, child) for _, left, child in best]
        found = level + found
    return found


def same(problem: Problem) -> tuple:
    """Return what equal problems have in common: values of the target and of the columns, in any order."""
    rows = problem.fit[:8]
    columns = sorted(tuple(float(f"{v:.9g}") for v in column) for column in problem.Z[rows].T)
    return tuple(float(f"{v:.9g}") for v in problem.y[rows]), tuple(columns)

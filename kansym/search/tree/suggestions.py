"""Which moves the slopes of a smooth fit suggest, and which of them lose nothing.

Each move is right where two combinations of slopes are equal. Where that holds nearly the move is made, and
`evidence.loss` judges the simpler problem on rows left out.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sympy
from scipy.optimize import minimize_scalar

from kansym.search.structure.problem import Operation, Problem
from kansym.search.tree import evidence, moves
from kansym.search.tree.evidence import Smooth

POWERS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1.5, -1.5)
"""Powers of a column that are divided out of the target."""

WHOLE = (1.0, -1.0, 2.0, -2.0, 3.0, -3.0)
"""Those of a column that is the unit of another."""

VIOLATION, BLUR, MOST_VIOLATION = 0.1, 5.0, 1.2
"""Relative violation by the slopes above which a move is not tried: the first, and the second times the root
of what the smooth fit leaves, up to the third."""

TRIED, MORE = 10, 24
"""Moves of one problem that are judged on rows left out, those that the slopes violate least; MORE where the
smooth fit leaves more than POOR."""

POOR = 1e-3
"""Share of the variance that a smooth fit leaves above which its slopes order the moves badly."""

MOST_TERM_POWER = 12.0
"""Powers of a column in a term that is taken off: forces between atoms fall with the twelfth."""

LOSES = 1.3
"""A move may leave so many times what its problem left: two judgements differ by chance."""

CONSTANT = 30.0
"""A move whose constant was fitted has to leave so many times less than one without."""

UNITS = (1.0, -1.0, 0.5, -0.5, 2.0, -2.0)
"""Powers of a column by which another is measured."""

MOST_POWER = 4.0
"""Exponents up to which one column is raised before it is multiplied by another."""

FLOOR = 1e-13
"""Shares below this are round-off."""

MOST_SHIFTS = 3
"""Moves with a constant that are judged: its search costs some fifteen judgements."""

NEARBY, PLACES, STEPS = 0.1, 5, 12
"""Share of a column's span within which the constant taken off it is looked for, the places of a first look
there, and the steps of a second one."""

FLAT = 0.5
"""Share of what the worst of these places leaves that the best one has to leave less than."""


@dataclass(frozen=True, eq=False)
class Move:
    """Hold a move to try: how much the slopes violate it, and how to make the simpler problem.

    One with a `constant` from the slopes has to leave less than one without to come before it.
    """

    violation: float
    make: Callable[[], Problem | None]
    constant: bool = False


@np.errstate(all="ignore")
def suggested(problem: Problem, fit: Smooth | None = None) -> list[Move]:
    """Return the moves that the slopes of a smooth fit allow, least violated first."""
    fit = fit or evidence.smooth(problem)
    if not np.isfinite(fit.loss):
        return []
    v = problem.w[fit.rows]
    X, G, y = problem.Z[fit.rows], fit.slopes, fit.values
    found = [Move(_misses(v, *test), make) for test, make in _tests(problem, X, G, y)]
    constants = (_shifts(problem, i, X, G, y) for i in range(problem.width))
    shifts = [
        Move(_misses(v, *test), make, constant=True)
        for test, make in itertools.chain(_peeled(problem, X, G), *constants)
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
            yield (S[:, i], k * y), partial(moves.divided, problem, i, k)
        for sign in (1, -1):
            yield (G[:, i], np.full(len(y), float(sign))), partial(moves.subtracted, problem, i, sign)
        for j in range(problem.width):
            if i == j:
                continue
            if signed[i]:
                # y = x_i·f(x_j/x_i, ...), and the like with other powers
                for k in WHOLE:
                    both = partial(_in_units, problem, i, j, k, operator.truediv)
                    yield (S[:, i] + S[:, j], k * y), both
                    both = partial(_in_units, problem, i, j, k, operator.mul)
                    yield (S[:, i] - S[:, j], k * y), both
            shifted = partial(_from, problem, i, j)
            yield (G[:, i] + G[:, j], np.ones(len(y))), shifted
        if np.all((problem.Z[:, i] >= 0) & (problem.Z[:, i] < 1)):
            yield ((1 - X[:, i]) * G[:, i], 1 - y), partial(_of_the_rest, problem, i)
        if problem.width > 2 and signed[i]:
            yield from _scalings(problem, i, S, y)
    yield from _powers(problem, S)
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
        for operation, test in zip(moves.JOINS, slopes, strict=True):
            if operation.name == "a/b" and not signed[j]:
                if not signed[i]:
                    continue
                yield test, partial(problem.merge, j, i, operation)
            else:
                yield test, partial(problem.merge, i, j, operation)


def _powers(problem: Problem, S: np.ndarray) -> Iterator[Test]:
    """Yield moves to x_i^k·x_j, the exponent by least squares: y is a function of it where S_i = k·S_j."""
    for i, j in itertools.permutations(range(problem.width), 2):
        power = float(S[:, j] @ S[:, j])
        if not power > 0:  # the estimate does not change along this column
            continue
        k = float(np.round(2 * float(S[:, i] @ S[:, j]) / power) / 2)
        if 1 < abs(k) <= MOST_POWER and (k.is_integer() or bool(np.all(problem.Z[:, i] > 0))):
            yield (S[:, i], k * S[:, j]), partial(problem.merge, i, j, _raised(k))


def _raised(k: float) -> Operation:
    """Return the operation a^k·b."""
    power = sympy.Rational(k)

    def rule(a: Any, b: Any) -> Any:
        """Return a^k·b of arrays or formulas."""
        return a ** (power if isinstance(a, sympy.Basic) else k) * b

    return Operation(f"a^{power}*b", rule)


def _scalings(problem: Problem, i: int, S: np.ndarray, y: np.ndarray) -> Iterator[Test]:
    """Yield moves that make x_i the unit of all others: x_j·x_i^c_j and y/x_i^c, the c by least squares.

    Where y is unchanged when x_i grows and the others make up for it, its slope is a combination of theirs.
    Slopes of few rows tell halves from whole exponents badly: both are looked at.
    """
    rest = [j for j in range(problem.width) if j != i]
    A = np.column_stack([S[:, rest], y])
    fitted = np.linalg.lstsq(A, S[:, i], rcond=1e-6)[0]
    for c in np.unique([np.round(2 * fitted) / 2, np.round(fitted)], axis=0):
        # pairs are tried one by one
        if np.count_nonzero(c[:-1]) >= 2 and np.abs(c).max() <= 4:
            yield (S[:, i], A @ c), partial(_in_units_of_all, problem, i, rest, c)


def _in_units_of_all(problem: Problem, i: int, rest: list[int], c: np.ndarray) -> Problem | None:
    """Return the problem in units of x_i, of powers c (the last one that of the target), without x_i."""
    moved = moves.divided(problem, i, float(c[-1]), drop=False) if c[-1] else problem
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


def _peeled(problem: Problem, X: np.ndarray, G: np.ndarray) -> Iterator[Test]:
    """Yield moves that take a term off the target, c·f(x_i) or a product of powers, and x_i with it."""
    for i in range(problem.width):
        for function in moves.PEELS:
            slope = function.slope(X[:, i])
            c = _factor(slope, G[:, i])
            if c:
                yield (G[:, i], c * slope), partial(moves.peeled, problem, i, c, function)
    signed = problem.one_signed()
    use = np.flatnonzero(signed)
    for i in use.tolist() if len(use) > 1 else ():
        if np.ptp(np.sign(G[:, i])) or not np.all(G[:, i]):
            continue
        # G_i = c·(product of powers): in logarithms, where large slopes tell more
        v = np.abs(G[:, i])
        A = np.column_stack([np.log(np.abs(X[:, use])), np.ones(len(X))])
        fitted = np.linalg.lstsq(A * v[:, None], np.log(v) * v, rcond=None)[0][:-1]
        powers = np.zeros(problem.width)
        powers[use] = np.round(2 * fitted) / 2
        if powers[i] == -1 or np.abs(powers).max() > MOST_TERM_POWER or not np.any(np.delete(powers, i)):
            continue
        slope = np.prod(np.abs(X) ** powers, axis=1)
        c = _factor(slope, G[:, i])
        if c:
            powers = powers + np.eye(problem.width)[i]
            share = c / powers[i] * float(np.sign(X[0, i]))
            yield (G[:, i], c * slope), partial(moves.without_product, problem, i, share, powers)


def _factor(slope: np.ndarray, other: np.ndarray) -> float:
    """Return c in other = c·slope by least squares, of few digits where those are near; 0 for none."""
    size = float(slope @ slope)
    c = float(slope @ other) / size if np.all(np.isfinite(slope)) and size > 0 else 0.0
    near = moves.plain(c)
    return near if abs(near - c) < moves.NEAR * abs(c) else c


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
    yield from _scaled_shifts(problem, i, X, G, y)
    for k, j, sign in _roles(i, problem.width):
        other = k * y if j is None else sign * S[:, j] + k * y
        c = float(G[:, i] @ (S[:, i] - other)) / power
        span = float(np.ptp(x))
        crosses = bool(k) and bool(np.ptp(np.sign(x - c)))
        if not moves.NEAR * span < abs(c) < moves.FAR * span:
            continue
        test = ((X[:, i] - c) * G[:, i], other)
        if crosses:
            if j is None or not problem.one_signed()[j]:
                continue
            made = partial(_scaled_shifted, problem, i, j, -k * sign, moves.JOINS[0 if sign > 0 else 1])
        elif j is None:
            made = partial(_divided_shifted, problem, i, k)
        elif k:
            rule = operator.mul if sign > 0 else operator.truediv
            made = partial(_units_shifted, problem, i, j, k, rule)
        else:
            made = partial(_merged_shifted, problem, i, j, moves.JOINS[0 if sign > 0 else 1])
        yield test, partial(_best_shift, made, c, NEARBY * span)


def _scaled_shifts(problem: Problem, i: int, X: np.ndarray, G: np.ndarray, y: np.ndarray) -> Iterator[Test]:
    """Yield moves for y = (x_i - c)^k·f(x_j·x_i^r): x_i - c is divided out, and x_i made the unit of x_j."""
    if not problem.one_signed()[i]:
        return
    span = float(np.ptp(problem.Z[:, i]))
    for j in (j for j in range(problem.width) if j != i):
        for r, k in itertools.product(UNITS, (1.0, -1.0)):
            alone = G[:, i] - r * X[:, j] * G[:, j] / X[:, i]
            power = float(alone @ alone)
            c = float(alone @ (X[:, i] * alone - k * y)) / power if power > 0 else np.nan
            if moves.NEAR * span < abs(c) < moves.FAR * span and not np.ptp(np.sign(problem.Z[:, i] - c)):
                made = partial(_shifted_unit, problem, i, j, k, r)
                yield ((X[:, i] - c) * alone, k * y), partial(_best_shift, made, c, NEARBY * span)


def _shifted_unit(problem: Problem, i: int, j: int, k: float, r: float, c: float) -> Problem | None:
    """Return the problem divided by (x - c)^k with another column in units of x^-r, None where undefined."""
    x = problem.formulas[i] if problem.Z[0, i] > 0 else -problem.formulas[i]
    shifted = moves.divided(moves.shifted(problem, i, c), i, k, drop=False)
    if shifted is None:
        return None
    Z, formulas = shifted.Z.copy(), list(shifted.formulas)
    Z[:, j] *= np.abs(problem.Z[:, i]) ** r
    formulas[j] *= x ** sympy.Rational(r)
    keep = [m for m in range(problem.width) if m != i]
    return shifted.columns(Z[:, keep], tuple(formulas[m] for m in keep))


def _best_shift(made: Callable[[float], Problem | None], c: float, room: float) -> Problem | None:
    """Return the problem for the constant near c that loses least, the plainest among equals."""

    # a polynomial that fails between the rows here and there makes valleys: the right one is found first
    places = {float(at): made(float(at)) for at in np.linspace(c - room, c + room, PLACES)}
    lefts = {at: evidence.loss(p) for at, p in places.items() if p is not None}
    if not lefts:
        return None
    middle, step = min(lefts, key=lambda at: lefts[at]), 2 * room / (PLACES - 1)
    seen = places[middle]
    if lefts[middle] > FLAT * max(lefts.values()):  # noise hides the place, which the formula's own fit finds
        return seen
    form = None if seen is None else evidence.form(seen)

    def left(constant: float) -> float:
        """Return what a smooth fit leaves of the problem made with a constant."""
        problem = made(constant)
        return np.inf if problem is None else evidence.loss(problem, form)

    def cost(constant: float) -> float:
        """Return the logarithm of what is left, which a search of one constant lowers."""
        return float(np.log10(min(left(constant), 1.0) + FLOOR**2))

    ends = (middle - step, middle + step)
    best = minimize_scalar(cost, bounds=ends, method="bounded", options={"maxiter": STEPS})
    found = min((float(best.x), middle, c), key=left)
    near = moves.plain(found)
    return made(near if left(near) <= LOSES * left(found) else found)


def _roles(i: int, width: int) -> Iterator[tuple[float, int | None, float]]:
    """Yield the roles of x_i - c: its power in y, a column it goes with, whether as product or ratio."""
    for k in POWERS[:6]:
        yield k, None, 1.0
    for j in range(width):
        for sign in (1.0, -1.0) if j != i else ():
            for k in (0.0, 1.0, -1.0):
                yield k, j, sign


def _divided_shifted(problem: Problem, i: int, power: float, c: float) -> Problem | None:
    """Return the problem divided by a power of x - c."""
    return moves.divided(moves.shifted(problem, i, c), i, power)


def _units_shifted(
    problem: Problem, i: int, j: int, power: float, rule: Callable, c: float
) -> Problem | None:
    """Return the problem for y/(x_i - c)^power with x_j·(x_i - c) or x_j/(x_i - c)."""
    return _in_units(moves.shifted(problem, i, c), i, j, power, rule)


def _merged_shifted(problem: Problem, i: int, j: int, operation: Operation, c: float) -> Problem | None:
    """Return the problem with x - c and another column merged, None where a quotient is undefined."""
    moved = moves.shifted(problem, i, c)
    if operation.name == "a/b" and not moved.one_signed()[j]:
        return moved.merge(j, i, operation) if moved.one_signed()[i] else None
    return moved.merge(i, j, operation)


def _scaled_shifted(
    problem: Problem, i: int, j: int, power: float, operation: Operation, c: float
) -> Problem | None:
    """Return the problem for y/x_j^power with (x_i - c)·x_j or (x_i - c)/x_j, x_i on both sides of c."""
    moved = moves.divided(problem, j, power, drop=False)
    return None if moved is None else _merged_shifted(moved, i, j, operation, c)


def _of_the_rest(problem: Problem, i: int) -> Problem | None:
    """Return the problem for (1 - y)/(1 - x_i), without x_i: x_i is there from the start, y adds to it."""
    rest, left = moves.shifted(problem, i, 1.0), moves.offset(problem, 1)
    return None if left is None else moves.divided(left.columns(rest.Z, rest.formulas), i, 1.0)


def _in_units(problem: Problem, i: int, j: int, power: float, rule: Callable) -> Problem | None:
    """Return the problem for y/x_i^power with x_j/x_i or x_j·x_i in the place of x_i and x_j."""
    return moves.relative(moves.divided(problem, i, power, drop=False), i, j, rule)


def _from(problem: Problem, i: int, j: int) -> Problem | None:
    """Return the problem for y - x_i with x_j - x_i in the place of x_i and x_j."""
    return moves.relative(moves.subtracted(problem, i, 1, drop=False), i, j, operator.sub)


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
                key = moves.same(child)
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

"""What follows from a function's expression: domain, poles, parity, period, redundant parameters.

Borders and poles are zeros of the pieces that can fail (arguments of log, bases of negative or broken
powers, arguments of asin, gamma and the like), found exactly for polynomials and by bisection otherwise.
Symmetries are tested on numbers: with c and d free, "f(-x) is f(x)" means "is c·f(x) + d".
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import sympy
from scipy.optimize import brentq

from kansym.functions.bytecode import Bytecode
from kansym.functions.compiler import compile_expression
from kansym.functions.operations import BY_SYMPY, ORDERED, TABLE, Op

SAMPLES = 24
"""Points in each piece of the domain at which symmetries are tested."""

ALIKE = 1e-9
"""Share of the values' spread within which they count as c·f + d: a few digits beyond round-off."""

REACH = 30.0
"""Zeros of pieces that are no polynomials are sought within ±REACH."""


class Interval(NamedTuple):
    """Hold an interval of the real line; infinite ends are open."""

    low: float
    high: float
    low_closed: bool
    high_closed: bool

    def __str__(self) -> str:
        return (
            f"{'[' if self.low_closed else '('}{self.low:g}, {self.high:g}{']' if self.high_closed else ')'}"
        )


def _fragile(e: sympy.Expr, x: sympy.Symbol) -> set[sympy.Expr]:
    """Return the expressions whose zeros can be borders or poles of e."""
    found: set[sympy.Expr] = set()
    for part in sympy.preorder_traversal(e):
        if not isinstance(part, sympy.Expr) or x not in part.free_symbols:
            continue
        if isinstance(part, sympy.Pow) and not (part.exp.is_Integer and part.exp > 0):
            found.add(part.base)
        elif isinstance(part, sympy.tan | sympy.sec):
            found.add(sympy.cos(part.args[0]))
        elif isinstance(part, sympy.cot | sympy.csc):
            found.add(sympy.sin(part.args[0]))
        elif isinstance(part, sympy.csch):
            found.add(part.args[0])
        elif isinstance(part, sympy.polylog):
            found |= {part.args[1] - border for border in TABLE[Op.DILOG].borders}
        elif (op := BY_SYMPY.get(type(part))) is not None:
            argument = part.args[1 if op in ORDERED else 0]
            found |= {argument - border for border in TABLE[op].borders}
    return {g for g in found if x in g.free_symbols}


def _zeros(g: sympy.Expr, x: sympy.Symbol, p: sympy.Symbol) -> list[float]:
    """Return the real zeros: exactly of polynomials, else by bisection within REACH."""
    try:
        top = sympy.fraction(sympy.together(g))[0]
        polynomial = sympy.Poly(top, x)
        return sorted({float(r) for r in sympy.real_roots(polynomial)})
    except (sympy.PolynomialError, NotImplementedError, TypeError, ValueError):
        pass
    run = compile_expression(g, x, p)
    grid = np.linspace(-REACH, REACH, 6001) + 1.7e-4
    y = run.value(grid, 1.5)
    found = []
    for i in np.flatnonzero(np.sign(y[:-1]) * np.sign(y[1:]) < 0):
        root = brentq(
            lambda u: float(run.value(np.array([u]), 1.5)[0]), grid[i], grid[i + 1], xtol=1e-15, rtol=1e-14
        )
        if abs(float(run.value(np.array([root]), 1.5)[0])) < 1e-6:
            found.append(_tidy(root))
    return found


def _tidy(value: float) -> float:
    """Return 0, a multiple of pi/2 or a short decimal where the value is that to round-off."""
    for unit in (1.0, math.pi / 2):
        near = round(4 * value / unit) / 4 * unit
        if abs(near - value) < 1e-10 * max(1.0, abs(value)):
            return near
    return value


def domain_and_poles(
    expression: sympy.Expr, x: sympy.Symbol, p: sympy.Symbol
) -> tuple[tuple[Interval, ...], tuple[float, ...]]:
    """Return where f is real and finite, as intervals, and the poles: points where |f| grows without bound.

    For periodic functions poles are listed within ±REACH only, and do not cut the domain.
    """
    run = compile_expression(expression, x, p)

    def defined(u: float) -> bool:
        return bool(np.isfinite(run.value(np.array([u]), 1.5)[0]))

    points = sorted({z for g in _fragile(expression, x) for z in _zeros(g, x, p)})
    poles = []
    for z in points:
        size = max(1.0, abs(z))
        for side in (-1, 1):
            near = np.abs(run.value(z + side * size * np.array([1e-3, 1e-5, 1e-7, 1e-9]), 1.5))
            if np.isfinite(near).all() and (np.diff(near) > 0).all() and near[3] > 3 * near[2] > 9 * near[1]:
                poles.append(z)
                break
    many = len(poles) > 10
    cuts = [z for z in points if not (many and z in poles)]
    ends = [-math.inf, *cuts, math.inf]
    pieces: list[Interval] = []
    for low, high in itertools.pairwise(ends):
        middle = (
            0.5 * (low + high) + 1e-3 * min(1.0, high - low) / 7
            if math.isfinite(low + high)
            else (low + 1.2345 if math.isfinite(low) else high - 1.2345 if math.isfinite(high) else 0.12345)
        )
        if not defined(middle):
            continue
        left = math.isfinite(low) and defined(low) and low not in poles
        right = math.isfinite(high) and defined(high) and high not in poles
        if pieces and pieces[-1].high == low and pieces[-1].high_closed and left:
            pieces[-1] = Interval(pieces[-1].low, high, pieces[-1].low_closed, right)
        else:
            pieces.append(Interval(low, high, left, right))
    return tuple(pieces), tuple(poles)


def _samples(pieces: tuple[Interval, ...]) -> np.ndarray:
    """Return points of the domain at moderate size, unevenly spread."""
    rng = np.random.default_rng(7)
    out = []
    for piece in pieces[:4]:
        low, high = max(piece.low, -3.0), min(piece.high, 3.0)
        if low >= high:
            low, high = (
                (piece.low, piece.low + 3) if math.isfinite(piece.low) else (piece.high - 3, piece.high)
            )
        out.append(low + (high - low) * (0.02 + 0.96 * rng.random(SAMPLES)))
    return np.concatenate(out) if out else np.zeros(0)


def is_affine_image(function: np.ndarray, other: np.ndarray) -> tuple[float, float] | None:
    """Return (c, d) with g = c·f + d for all entries, or None."""
    if len(function) < 6 or not (np.isfinite(function).all() and np.isfinite(other).all()):
        return None
    spread = np.ptp(function)
    if spread <= 1e-12 * max(1.0, float(np.abs(function).max())):
        return None
    A = np.column_stack([function, np.ones_like(function)])
    solution, *_ = np.linalg.lstsq(A, other, rcond=None)
    if (
        np.abs(A @ solution - other).max() > ALIKE * max(np.ptp(other), 1e-6 * float(np.abs(other).max()))
        or solution[0] == 0
    ):
        return None
    return float(solution[0]), float(solution[1])


def reflection(run: Bytecode, pieces: tuple[Interval, ...]) -> tuple[float, float] | None:
    """Return (c, d) with f(-x) = c·f(x) + d, or None: (1, 0) is even, (-1, 0) odd, (-1, 1) a sigmoid."""
    u = _samples(pieces)
    f, g = run.value(u, 1.5), run.value(-u, 1.5)
    image = is_affine_image(f, g)
    if image is None:
        return None
    return round(image[0], 9), round(image[1], 9) + 0.0


def scales(run: Bytecode, pieces: tuple[Interval, ...]) -> bool:
    """Tell whether f(s·x) = c·f(x) + d for every s > 0, so that a is redundant."""
    u = _samples(pieces)
    for s in (0.37, 1.9):
        f, g = run.value(u, 1.5), run.value(s * u, 1.5)
        if not np.isfinite(g).all() or is_affine_image(f, g) is None:
            return False
    return True


def shifts(run: Bytecode, pieces: tuple[Interval, ...]) -> bool:
    """Tell whether f(x + s) = c·f(x) + d for every s, so that b is redundant."""
    u = _samples(pieces)
    for s in (0.29, -0.83):
        f, g = run.value(u, 1.5), run.value(u + s, 1.5)
        if not np.isfinite(g).all() or is_affine_image(f, g) is None:
            return False
    return True

"""What is looked for in a pool in place of y: functions of y, and y combined with a short expression.

Each target knows the way back from a formula for it to a formula for y, and which library function
that way needs, so that a restricted library is respected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import sympy

Back = Callable[[sympy.Expr], sympy.Expr]
Short = tuple[np.ndarray, sympy.Expr, int]

FACTORS: tuple[tuple[float, sympy.Expr], ...] = (
    (1.0, sympy.S.One),
    (-1.0, -sympy.S.One),
    (1 / (2 * math.pi), 1 / (2 * sympy.pi)),
    (-1 / (2 * math.pi), -1 / (2 * sympy.pi)),
)
"""Constants c in y = c·s/(exp(...) − 1), the Bose and Fermi factors."""

FAR = 1e4
"""A summand that exceeds y by this factor would hide it in round-off."""


@dataclass(frozen=True)
class Target:
    """Hold values to look for, the way back to a formula for y, and what that costs in symbols."""

    values: np.ndarray
    back: Back
    price: int

    @property
    def usable(self) -> bool:
        """Tell whether the values are finite and vary."""
        t = self.values
        return bool(np.all(np.isfinite(t)) and np.ptp(t) > 1e-9 * np.abs(t).max())


def simple(y: np.ndarray, known: Collection[str]) -> list[Target]:
    """Return the transforms of y that the rows and the known functions allow, the plain ones first."""
    found = [Target(y, lambda e: e, 0)]
    sign = 1 if np.all(y > 0) else -1 if np.all(y < 0) else 0
    if sign:
        found.append(Target(1 / y, lambda e: 1 / e, 1))
        if "sqrt" in known:
            found.append(Target(y * y, lambda e: sign * sympy.sqrt(e), 1))
        if "exp" in known:
            found.append(Target(np.log(np.abs(y)), lambda e: sign * sympy.exp(e), 1))
        found.append(Target(np.sqrt(np.abs(y)), lambda e: sign * e**2, 1))
    found.append(Target(np.cbrt(y), lambda e: e**3, 1))
    found.append(Target(y - 1, lambda e: e + 1, 2))
    found.append(Target(y + 1, lambda e: e - 1, 2))
    if "log" in known and np.abs(y).max() < 30:
        found.append(Target(np.exp(y), sympy.log, 1))
    if "asin" in known and np.abs(y).max() < math.pi / 2:
        found.append(Target(np.sin(y), sympy.asin, 1))
    if "atan" in known and np.abs(y).max() < math.pi / 2:
        found.append(Target(np.tan(y), sympy.atan, 1))
    if "acos" in known and np.all((y > 0) & (y < math.pi)):
        found.append(Target(np.cos(y), sympy.acos, 1))
    return found


def combined(y: np.ndarray, shorts: Iterable[Short], known: Collection[str]) -> Iterator[Target]:
    """Yield y combined with short expressions s: y − s, y·s, y/s, and functions of these."""
    one_signed = bool(np.all(y > 0) or np.all(y < 0))
    sign = 1 if y[0] > 0 else -1
    for s, formula, size in shorts:
        price = size + 1
        product, ratio = _over(formula), _times(formula)
        with np.errstate(all="ignore"):
            made = [Target(y * s, product, price), Target(y / s, ratio, price)]
            if _near(s, y):
                made.insert(0, Target(y - s, _plus(formula), price))
            if one_signed and "sqrt" in known and _near(s, y * y):
                made.append(Target(y * y - s, _after(_plus(formula), _root(sign)), price + 1))
            if one_signed and _near(s, 1 / y):
                made.append(Target(1 / y - s, _after(_plus(formula), lambda e: 1 / e), price + 1))
            if one_signed and (np.all(s > 0) or np.all(s < 0)):
                for q, back in ((y * s, product), (y / s, ratio)):
                    side = 1 if q[0] > 0 else -1
                    if "sqrt" in known:
                        made.append(Target(q * q, _after(_root(side), back), price + 1))
                    if "exp" in known:
                        made.append(Target(np.log(np.abs(q)), _after(_power(side), back), price + 1))
            if size <= 3 and "exp" in known:
                for c, exact in FACTORS:
                    made.append(Target(np.log(1 + c * s / y), _bose(exact * formula), price + 3))
        yield from (t for t in made if t.usable)


def pairs(Z: np.ndarray, columns: tuple[sympy.Expr, ...], known: Collection[str]) -> Iterator[Short]:
    """Yield a² + b², a² − b² and their roots for every two columns."""
    for i in range(len(columns)):
        for j in range(i):
            a, b, A, B = Z[:, j], Z[:, i], columns[j], columns[i]
            for v, f in ((a * a + b * b, A**2 + B**2), (a * a - b * b, A**2 - B**2)):
                yield v, f, 5
                if "sqrt" in known and (np.all(v > 0) or np.all(v < 0)):
                    yield np.sqrt(np.abs(v)), sympy.sqrt(f if v[0] > 0 else -f), 6


def _near(s: np.ndarray, y: np.ndarray) -> bool:
    return bool(np.abs(s).max() < FAR * np.abs(y).max())


def _plus(f: sympy.Expr) -> Back:
    return lambda e: e + f


def _over(f: sympy.Expr) -> Back:
    return lambda e: e / f


def _times(f: sympy.Expr) -> Back:
    return lambda e: e * f


def _root(sign: int) -> Back:
    return lambda e: sign * sympy.sqrt(e)


def _power(sign: int) -> Back:
    return lambda e: sign * sympy.exp(e)


def _bose(f: sympy.Expr) -> Back:
    return lambda e: f / (sympy.exp(e) - 1)


def _after(first: Back, then: Back) -> Back:
    return lambda e: then(first(e))

"""The curves φ(a·h^k) that a transformed curve is compared with: their values, slopes, prices, formulas."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
import sympy

from kansym.base.linear import TINY
from kansym.functions.forms import NUMPY
from kansym.functions.operations import Op

Array = np.ndarray

INNER_POWERS = (1, 2, -1, -2, 0.5, -0.5, 3, -3, 4, 1.5, -1.5, -4)
"""Powers of h that a curve may be linear in."""

ARGUMENT_POWERS = (1, 2, -1, 0.5)
"""Powers of h that other curves are functions of."""

_SYMBOLS = {"power": 0.0, "log": 1.0, "exp": 2.0, "sin": 2.5, "tanh": 2.5, "cosh": 2.5, "atan": 2.5,
            "tan": 2.5, "sinh": 3.0, "log1p": 2.0, "inv1p": 2.0, "bow": 2.0,
            "crest": 4.5, "trough": 4.5}  # fmt: skip

FREE = 2.0
"""What a measured constant costs in symbols, about log(n)/2 nats."""

OF_ONE_NUMBER = ("one", "bare")
"""Curves c·(1 ± h^k) and c·h^k, which have no level of their own."""

FRINGES = ("crest", "trough")
"""1 + cos(a·h^k) and 1 - cos(a·h^k), twice squares of a cosine and a sine: c and a are all their numbers."""

POLE = 1.5
"""Largest argument of a tangent: beyond it the few rows next to its pole alone would count."""

RATE = 2.5
"""What a rate costs in symbols: a third measured constant beside c and d."""


class Group(IntEnum):
    """Kinds of curves that are not weighed against each other when the likeliest are picked."""

    POWER = 0
    EXP = 1
    TANH = 2
    COSH = 3
    SINH = 4
    ATAN = 5
    LOG1P = 6
    INV1P = 7
    SIN = 8
    TAN = 9
    BOW = 10


@dataclass(frozen=True, eq=False)
class Inner:
    """Name an inner curve φ(a·u^k) with its linear coefficients, once fitted."""

    name: str
    k: float
    a: float = 0.0
    c: Array | None = None

    @property
    def group(self) -> Group:
        """Return the group whose best members are looked at more closely."""
        if self.name in FRINGES:
            return Group.SIN
        return Group.POWER if self.name == "log" else Group[self.name.upper()]

    @property
    def price(self) -> float:
        """Return the price in symbols, the rate's included."""
        k = abs(self.k)
        if self.name in ("power", *OF_ONE_NUMBER):
            free = FREE if self.name in OF_ONE_NUMBER else 0.0
            return 0.5 * k + (0.0 if self.k == 1 else 1.0) - free
        if self.name == "bow":
            return FREE + _SYMBOLS[self.name] + (0.0 if self.k == 1 else 1.5)
        if self.name in FRINGES:  # beside a wave of any phase and level: two numbers less
            return RATE + _SYMBOLS[self.name] - 2 * FREE + (0.0 if self.k == 1 else 1.5)
        return RATE + _SYMBOLS[self.name] + (0.0 if self.k == 1 else 1.5)

    def per_unit(self, size: np.float64) -> Inner:
        """Return the curve with h in its own units instead of in units of its size."""
        assert self.c is not None
        c = self.c.copy()
        if self.name in ("power", "bare"):
            c[0] *= size**-self.k
        elif self.name == "bow":
            c[:2] *= size**-self.k, size ** (-2 * self.k)
        elif self.name == "log":
            c[-1] -= c[0] * np.log(size)
        return Inner(self.name, self.k, self.a * size**-self.k, c)

    def values(self, u: Array, a: float) -> list[Array]:
        """Return the curves (n,) whose linear combination φ(a·u^k) is: two for a wave or a bow, else one."""
        x = u**self.k
        z = a * x
        match self.name:
            case "power" | "bare":
                return [x]
            case "bow":
                return [x, x * x]
            case "one":
                return [1 + z]
            case "log":
                return [np.log(u)]
            case "exp":
                return [np.exp(z - z.max())]
            case "sin":
                return [np.sin(z), np.cos(z)]
            case "crest":
                return [1 + np.cos(z)]
            case "trough":
                return [1 - np.cos(z)]
            case "inv1p":
                return [1 / (1 + z)]
            case name:
                return [_function(name, z)[0]]

    def slopes(self, u: Array, a: float) -> list[Array]:
        """Return the derivatives by log a of what `values` returns."""
        z = a * u**self.k
        match self.name:
            case "exp":
                top = z.max()
                return [(z - top) * np.exp(z - top)]
            case "sin":
                return [z * np.cos(z), -z * np.sin(z)]
            case "crest":
                return [-z * np.sin(z)]
            case "trough":
                return [z * np.sin(z)]
            case "inv1p":
                return [-z / (1 + z) ** 2]
            case name:
                return [z * _function(name, z)[1]]

    def written(self, h: sympy.Expr) -> sympy.Expr:
        """Return c·φ(a·h^k) + d as a formula."""
        F = _number
        assert self.c is not None
        c = self.c
        x = power(h, self.k)
        z = F(self.a) * x
        match self.name:
            case "power":
                return F(c[0]) * x + F(c[1])
            case "bare":
                return F(c[0]) * x
            case "bow":
                return F(c[0]) * x + F(c[1]) * x**2 + F(c[2])
            case "log":
                return F(c[0]) * sympy.log(h) + F(c[1])
            case "exp":
                return F(c[0]) * sympy.exp(z) + F(c[1])
            case "sin":
                size, phase = np.hypot(c[0], c[1]), np.arctan2(c[1], c[0])
                return F(size) * sympy.sin(z + F(phase)) + F(c[2])
            case "crest" | "trough":  # as squares: SymPy would multiply a sum out, and its number be two
                wave = sympy.cos if self.name == "crest" else sympy.sin
                return 2 * F(c[0]) * wave(F(0.5 * self.a) * x) ** 2
            case "log1p":
                return F(c[0]) * sympy.log(1 + z) + F(c[1])
            case "inv1p":
                return F(c[0]) / (1 + z) + F(c[1])
            case name:
                return F(c[0]) * getattr(sympy, name)(z) + F(c[1])


def power(h: sympy.Expr, k: float) -> sympy.Expr:
    """Return h^k with k exact where it is a small fraction."""
    r = sympy.nsimplify(k, rational=True) if float(2 * k).is_integer() or float(3 * k).is_integer() else None
    return h ** (r if r is not None else sympy.Float(k))


@lru_cache(maxsize=1)
def _frequencies() -> Array:
    """Return the grid of a wave's frequencies, in radians for the span of the argument."""
    return np.concatenate([np.geomspace(0.05, 2, 14), np.arange(2.35, 30, 0.35), np.arange(30.5, 90, 0.7)])


@lru_cache(maxsize=1)
def _rates() -> Array:
    """Return the grid of rates, in units of the argument's span."""
    # dense where a step changes the curve most, in units of the span
    return np.concatenate([np.geomspace(0.05, 1.6, 12), np.arange(2, 12, 0.5), np.geomspace(12, 40, 12)])


def grid(u: Array) -> tuple[tuple[list[Inner], Array], tuple[list[Inner], Array]]:
    """Return the inner curves: single columns, and pairs (sin, cos) per frequency."""
    positive = bool((u > 0).all())
    kinds, columns = [], []

    def add(kind: Inner, values: Array) -> None:
        """Add a curve without a rate."""
        kinds.append(kind)
        columns.append(values)

    for k in INNER_POWERS:
        if positive or k == int(k):
            add(Inner("power", k), u ** float(k))
    if positive:
        add(Inner("log", 1), np.log(u))
    arguments = [(k, u**k) for k in map(float, ARGUMENT_POWERS) if positive or k in (1, 2)]
    arguments = [(k, v) for k, v in arguments if np.all(np.isfinite(v)) and np.ptp(v) > 0]
    pair_kinds: list[Inner] = []
    pairs: list[Array] = []

    def slide(kind: Inner, values: Array, slope: Array) -> None:
        """Add a curve with its slope by the rate: the fit is right to second order between grid points."""
        top = np.abs(values).max()
        if np.all(np.isfinite(values)) and np.all(np.isfinite(slope)) and top > 0:
            pair_kinds.append(kind)
            pairs.extend((values / top, slope / top))

    for k, v in arguments:
        span = np.ptp(v)
        for rate in _rates() / span:
            z = rate * v
            up, down = np.exp(z - z.max()), np.exp(z.min() - z)
            slide(Inner("exp", k, rate), up, z * up)
            slide(Inner("exp", k, -rate), down, z * down)
            if k in (1, -1):
                names = ["tanh", "atan", *(("cosh", "sinh") if np.abs(z).max() < 30 else ())]
                for name in [*names, *(["tan"] if np.abs(z).max() < POLE else [])]:
                    value, slope = _function(name, z)
                    slide(Inner(name, k, rate), value, z * slope)
            for signed in (z, -z):
                if signed.min() > -1:
                    signed_rate = rate if signed is z else -rate
                    slide(Inner("inv1p", k, signed_rate), 1 / (1 + signed), signed / (1 + signed) ** 2)
                    if k in (1, -1):
                        value, slope = _function("log1p", signed)
                        slide(Inner("log1p", k, signed_rate), value, signed * slope)
        for f in _frequencies() / span:
            slide(Inner("sin", k, f), np.sin(f * v), np.cos(f * v))
    S = np.column_stack(columns)
    good = np.flatnonzero(np.all(np.isfinite(S), axis=0))
    S = S[:, good] / (np.abs(S[:, good]).max(0) + TINY)
    P = np.column_stack(pairs) if pairs else np.zeros((len(u), 0))
    return ([kinds[i] for i in good], S), (pair_kinds, P)


def _function(name: str, z: Array) -> tuple[Array, Array]:
    """Return value and slope of an operation of the table."""
    form = NUMPY[Op[name.upper()]]
    value = form.value(z, None, 0.0)
    return value, form.slopes[0](z, None, 0.0, value)


def _number(value: float) -> sympy.Expr:
    """Return a constant to be fitted, 1 and -1 exact."""
    if not np.isfinite(value):  # out of double precision's range: a formula that nothing fits
        return sympy.nan
    # a factor of exactly one is no constant to be fitted
    whole = round(float(value))
    return (
        sympy.Integer(whole) if abs(whole) == 1 and abs(value - whole) < 1e-15 else sympy.Float(float(value))
    )

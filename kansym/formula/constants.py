"""Nice constants near a fitted value: integers, small rationals, multiples of pi, sqrt and e.

Each candidate has a price in nats, by a code in which simple numbers are short (the prices p satisfy
sum exp(-p) <= 1, Kraft's inequality, so a random value is rarely mistaken for a nice one). The room
proposes; `settling` refits and decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy

from kansym.base.linear import TINY
from kansym.data.prefixes import thousands


@dataclass(frozen=True)
class Nice:
    """Hold an exact number, its value, its price in nats, and how much of it is for an irrational factor."""

    exact: sympy.Expr
    value: float
    price: float
    base: float = 0.0


@cache
def _bases() -> tuple[tuple[sympy.Expr, float, float], ...]:
    """Return what a rational may be multiplied by: (exact, value, price)."""
    pi, e = sympy.pi, sympy.E
    two, three = sympy.sqrt(2), sympy.sqrt(3)
    priced = [
        (sympy.S.One, 0.0),
        (pi, 3.0),
        (1 / pi, 3.0),
        (pi**2, 4.5),
        (1 / pi**2, 4.5),
        (sympy.sqrt(pi), 4.5),
        (1 / sympy.sqrt(pi), 4.5),
        (two, 3.5),
        (three, 4.5),
        (1 / sympy.sqrt(2 * pi), 4.0),
        (sympy.sqrt(2 * pi), 4.5),
        (pi**3, 5.5),
        (1 / pi**3, 5.5),
        (sympy.sqrt(5), 5.5),
        (e, 4.5),
        (1 / e, 5.0),
        (sympy.log(2), 5.0),
        (1 / sympy.log(2), 5.5),
        (sympy.log(10), 6.0),
        (1 / sympy.log(10), 6.0),
        (pi / 180, 5.0),
        (180 / pi, 5.0),
    ]
    return tuple((exact, float(exact), price) for exact, price in priced)


REACH = 4.0
"""Nice values further away than this many standard errors are not offered."""

DIGIT = 1e-16
"""Share of a value that a double cannot tell: no error is smaller."""

PREFIX = 3.0
"""What a power of 1000 beside a number costs in nats."""

_Q = np.arange(1, 41)
_STEPS = np.arange(-3, 4)


def near(value: float, error: float, longest: float = 16.0, most: int = 6) -> list[Nice]:
    """Return nice numbers near a value with a standard error, the likeliest first.

    Likeliest: least price plus half the squared distance in standard errors, both in nats. Offers at most
    `most`, none further than REACH errors nor dearer than `longest` nats. Numbers beyond a thousand, or below
    a thousandth, may be nice ones times a power of 1000.

    >>> str(near(0.7853981, 1e-7)[0].exact), str(near(1.9998, 1e-3)[0].exact)
    ('pi/4', '2')
    >>> str(near(1.2566371e-6, 1e-12)[0].exact), str(near(0.00294117647, 1e-11)[0].exact)
    ('pi/2500000', '1/340')
    """
    if not math.isfinite(value) or not math.isfinite(error):
        return []
    error = max(error, DIGIT * abs(value), TINY)
    found = {n.exact: n for n in _near(value, error, longest, most)}
    power = thousands(math.log10(abs(value))) if TINY < abs(value) < 1 / TINY else 0
    if power:
        unit = sympy.Integer(1000) ** power
        scale = float(unit)
        for n in _near(value / scale, error / scale, longest - PREFIX, most):
            exact = n.exact * unit
            if exact and (exact not in found or n.price + PREFIX < found[exact].price):
                found[exact] = Nice(exact, n.value * scale, n.price + PREFIX, n.base)
    if 1e-9 < abs(value) < 1 / _Q[-1]:
        exact = sympy.Rational(1, round(1 / value))
        one = Nice(exact, float(exact), price(exact))
        if abs(one.value - value) <= REACH * error and one.price <= longest and exact not in found:
            found[exact] = one
    return sorted(found.values(), key=lambda n: n.price + 0.5 * ((n.value - value) / error) ** 2)[:most]


def _near(value: float, error: float, longest: float, most: int) -> list[Nice]:
    """Return the nice values near a number, the likeliest first: fractions of each base."""
    if abs(value) > 1e9:
        return []
    base = np.array([b for _, b, _ in _bases()])[:, None, None]
    dear = np.array([p for *_, p in _bases()])
    centre = value / base * _Q[None, :, None]
    # a wide interval holds several fractions of one denominator: offer its nearest few
    reach = np.minimum(3, REACH * error / np.abs(base) * _Q[None, :, None])
    p = np.round(centre) + np.where(np.abs(_STEPS) <= np.maximum(reach, 0), _STEPS, 0)
    distance = (p / _Q[None, :, None] * base - value) / error
    i, j, k = np.nonzero((p != 0) & (np.abs(distance) <= REACH))
    p, distance = p[i, j, k], distance[i, j, k]
    price = dear[i] + _prices(p, _Q[j])
    cost = price + 0.5 * distance**2
    fine = np.flatnonzero(price <= longest)
    found: dict[sympy.Expr, Nice] = {}
    if abs(value) <= REACH * error:
        found[sympy.S.Zero] = Nice(sympy.S.Zero, 0.0, 0.7)
    for at in fine[np.argsort(cost[fine], kind="stable")]:
        if len(found) >= most:
            break
        exact, _, name = _bases()[i[at]]
        number = sympy.Rational(int(p[at]), int(_Q[j[at]])) * exact
        if number not in found:
            found[number] = Nice(number, float(number), float(price[at]), name)
    cost_of = {n: found[n].price + 0.5 * ((found[n].value - value) / error) ** 2 for n in found}
    return sorted(found.values(), key=lambda nice: cost_of[nice.exact])


DECIMAL = 2.2
"""Nats for saying that a number is a short decimal, and of what size: a measured number's, and log 2."""

DIGITS = 3
"""Significant digits of the longest decimal that counts as short."""


def decimals(value: float, error: float) -> list[Nice]:
    """Return the decimals of one to DIGITS significant digits nearest to a value, within REACH errors of it.

    A digit costs log(10) nats: of numbers known to one part in two hundred, 0.9 is shorter than 0.8952.

    >>> [str(n.exact) for n in decimals(0.8952, 0.006)]
    ['9/10', '179/200']
    """
    found: dict[sympy.Rational, Nice] = {}
    for digits in range(1, DIGITS + 1):
        exact = sympy.Rational(f"{value:.{digits - 1}e}") if math.isfinite(value) else sympy.S.Zero
        if exact and exact not in found and abs(float(exact) - value) <= REACH * error:
            found[exact] = Nice(exact, float(exact), DECIMAL + digits * math.log(10))
    return list(found.values())


def price(number: sympy.Rational) -> float:
    """Return the nats for writing a rational number exactly."""
    plain = float(_prices(np.array(float(number.p)), np.array(float(number.q))))
    if not number or not (power := thousands(math.log10(abs(number)))):
        return plain
    small = number / sympy.Integer(1000) ** power
    return min(plain, PREFIX + float(_prices(np.array(float(small.p)), np.array(float(small.q)))))


def _prices(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the price of p/q; trailing zeros are cheap, since round numbers are the commonest large ones."""
    p = np.abs(p)
    zeros = sum((p % 10**k == 0).astype(float) for k in range(1, 7)) * (p >= 20)
    digits = p / 10.0**zeros
    size = 2.0 * np.log1p(digits) + zeros + 4.0 * (digits >= 100)
    return 1.1 + size + np.where(q == 1, 0.0, 0.7 + 2.0 * np.log(q))

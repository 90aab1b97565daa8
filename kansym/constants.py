"""Nice constants near a fitted value: integers, small rationals, multiples of pi, sqrt and e.

Each candidate has a price in nats, by a code in which simple numbers are short (the prices p satisfy
sum exp(-p) <= 1, Kraft's inequality, so a random value is rarely mistaken for a nice one). The room
proposes; `polish` refits and decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import sympy


@dataclass(frozen=True)
class Nice:
    """Hold an exact number, its value and its price in nats."""

    exact: sympy.Expr
    value: float
    price: float


@cache
def _bases() -> tuple[tuple[sympy.Expr, float, float], ...]:
    """Return what a rational may be multiplied by: (exact, value, price)."""
    pi, e = sympy.pi, sympy.E
    two, three = sympy.sqrt(2), sympy.sqrt(3)
    priced = [
        (sympy.S.One, 0.0),
        (pi, 1.5),
        (1 / pi, 2.0),
        (pi**2, 3.0),
        (1 / pi**2, 3.5),
        (sympy.sqrt(pi), 3.5),
        (1 / sympy.sqrt(pi), 3.5),
        (two, 3.0),
        (three, 4.0),
        (1 / sympy.sqrt(2 * pi), 4.0),
        (sympy.sqrt(2 * pi), 4.5),
        (pi**3, 5.0),
        (1 / pi**3, 5.0),
        (sympy.sqrt(5), 5.5),
        (e, 4.5),
        (1 / e, 5.0),
        (sympy.log(2), 5.0),
        (1 / sympy.log(2), 5.5),
        (sympy.log(10), 6.0),
        (1 / sympy.log(10), 6.0),
    ]
    return tuple((exact, float(exact), price) for exact, price in priced)


def near(value: float, error: float, longest: float = 16.0) -> list[Nice]:
    """Return the nice numbers within `error` of `value`, cheapest first, none dearer than `longest` nats.

    >>> [str(n.exact) for n in near(0.7853981, 1e-6)][:1], str(near(1.9998, 1e-3)[0].exact)
    (['pi/4'], '2')
    """
    found: dict[sympy.Expr, Nice] = {}
    if abs(value) <= error:
        found[sympy.S.Zero] = Nice(sympy.S.Zero, 0.0, 0.7)
    for exact, base, price in _bases():
        for fraction in _rationals(value / base, error / base, longest - price):
            number = sympy.Rational(fraction.numerator, fraction.denominator) * exact
            cost = price + _rational_price(fraction)
            if cost <= longest and (number not in found or found[number].price > cost):
                found[number] = Nice(number, float(number), cost)
    return sorted(found.values(), key=lambda nice: (nice.price, abs(nice.value - value)))


def _rational_price(f: Fraction) -> float:
    p, q = abs(f.numerator), f.denominator
    # powers of two and ten are the commonest large whole numbers in laws
    size = 2.0 * math.log(1 + p) if p < 20 or p % 10 else 2.0 * math.log(1 + p / 10 ** _zeros(p)) + _zeros(p)
    return 1.1 + size + (0.0 if q == 1 else 0.7 + 2.0 * math.log(q))


def _zeros(p: int) -> int:
    return len(str(p)) - len(str(p).rstrip("0"))


def _rationals(value: float, error: float, longest: float) -> Iterator[Fraction]:
    """Yield rationals within error of value: each denominator's nearest, small denominators only."""
    if not math.isfinite(value) or abs(value) > 1e9 or longest <= 0:
        return
    seen = set()
    for q in range(1, 41):
        if 0.7 + 2 * math.log(q) > longest:
            break
        centre = round(value * q)
        # a wide interval holds several: offer those of few digits first
        reach = min(3, int(error * q))
        for p in range(centre - reach, centre + reach + 1):
            f = Fraction(p, q)
            if p != 0 and f not in seen and abs(p / q - value) <= error:
                seen.add(f)
                yield f

"""Constants of a fitted system as people write them, fractions and short decimals, where rows allow it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import sympy

from kansym.base import criterion
from kansym.formula import constants
from kansym.formula.constants import Nice
from kansym.pipeline.motion.shooting import Shot

REACH = 2.0
"""Standard errors within which a constant may be rounded."""

LARGEST_FRACTION = 4
"""The largest denominator of a fraction that is written as one where it is a decimal, too."""

DECIMAL_PLACES = 10**9
"""What the denominator of a decimal divides."""


@dataclass(frozen=True, eq=False)
class Rounded:
    """Hold which constants are nice numbers, and all constants with the covariance of those that are not.

    `saved` are the nats by which each nice one costs less than a measured one, what rounding lost included.
    """

    numbers: dict[int, Nice]
    theta: np.ndarray
    covariance: np.ndarray
    saved: tuple[float, ...]


def rounded(shot: Shot) -> Rounded:
    """Return the constants rounded where a nice number costs less than the measured one.

    The best known comes first, and what was too far off is asked again when others are rounded: those that
    are not move along by their correlation. A nice number lies within REACH standard errors.
    """
    theta, covariance = shot.theta.copy(), shot.covariance.copy()
    found: dict[int, Nice] = {}
    saved: list[float] = []
    known = np.sqrt(np.clip(np.diag(covariance), 0, None)) / (np.abs(theta) + np.finfo(float).tiny)
    order = list(map(int, np.argsort(known, kind="stable")))
    while True:
        before = len(found)
        for k in order:
            number, less = _nice(float(theta[k]), _error(theta, covariance, k))
            if k in found or number is None:
                continue
            found[k] = number
            saved.append(less)
            if covariance[k, k] > 0:
                gain = covariance[:, k] / covariance[k, k]
                theta = theta + gain * (number.value - theta[k])
                covariance = covariance - np.outer(gain, covariance[k])
            theta[k] = number.value
        if len(found) == before:
            break
    return Rounded(found, theta, covariance, tuple(saved))


def _error(theta: np.ndarray, covariance: np.ndarray, k: int) -> float:
    """Return the standard error of a constant, no less than round-off of the fit."""
    return max(math.sqrt(max(float(covariance[k, k]), 0.0)), 1e-9 * abs(float(theta[k])))


def _nice(value: float, error: float) -> tuple[Nice | None, float]:
    """Return the nice number that costs least, rounding's loss included, and the nats that it saves."""
    measured = criterion.number_length(value, error)
    best, cheapest = None, measured
    for number in (*constants.near(value, error, cheapest), *constants.decimals(value, error)):
        off = (number.value - value) / error
        if not number.exact.is_Rational or number.value == 0 or abs(off) > REACH:
            continue
        if number.price + 0.5 * off**2 < cheapest:
            best, cheapest = number, number.price + 0.5 * off**2
    return best, measured - cheapest


def is_decimal(number: sympy.Expr) -> bool:
    """Tell whether a rational number is a decimal that nobody writes as a fraction: 9/10, not 3/4."""
    below = int(number.q) if number.is_Rational else 1
    return below > LARGEST_FRACTION and DECIMAL_PLACES % below == 0


def with_decimals(formula: sympy.Expr) -> sympy.Expr:
    """Return the formula with decimals in the place of such fractions."""
    fractions = [q for q in formula.atoms(sympy.Rational) if is_decimal(q)]
    return formula.xreplace({q: sympy.Float(float(q), 17) for q in fractions})

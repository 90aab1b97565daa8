"""Forms of a fitted formula in which two measured constants are one, as h/(2·pi) is in Planck's law."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import sympy

from kansym.formula.polish import Polished

REACH = 3.0
"""Standard errors of their difference by which two constants that are one are apart at most."""

KNOWN = 0.01
"""Relative standard error of a constant up to which it may be one with another: of vaguer ones many agree.
Two powers of 1.70 and 1.62 in 40 percent of noise became one so, and an epidemic's height the lower end of
another curve."""


def ties(polished: Polished) -> Iterator[tuple[sympy.Expr, float]]:
    """Yield forms with one number in the place of two that agree, or agree but for their sign; and the price.

    The price is log(k(k - 1)) nats for k constants: so many pairs and signs could have agreed by chance. That
    a number stands in two places is paid for in the formula's own price. Constants that are not KNOWN so
    well stay, and two of which none stands within a function: what they make one is another form of a ratio
    or a difference, k*x/(k*x + 1) of x/(x + c).
    """
    theta, covariance = polished.theta, polished.covariance
    parameters, template = polished.program.parameters, polished.program.template
    variance = np.diag(covariance)
    within = {s for f in template.atoms(sympy.Function) for s in f.free_symbols}
    price = math.log(max(len(theta) * (len(theta) - 1), 1))
    for i, j in itertools.combinations(range(len(theta)), 2):
        if not within & {parameters[i], parameters[j]}:
            continue
        sign = 1.0 if theta[i] * theta[j] > 0 else -1.0
        apart = variance[i] + variance[j] - 2 * sign * covariance[i, j]
        known = max(variance[i], variance[j]) <= (KNOWN * theta[i]) ** 2
        if not known or not abs(theta[i] - sign * theta[j]) <= REACH * math.sqrt(max(apart, 0.0)):
            continue
        values = [float(v) for v in theta]
        values[i] = 0.5 * (theta[i] + sign * theta[j])
        values[j] = sign * values[i]
        yield (
            template.xreplace({p: sympy.Float(v, 17) for p, v in zip(parameters, values, strict=True)}),
            price,
        )

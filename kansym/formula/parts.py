"""A ratio of polynomials as people write it where it falls into parts: a sum of saturations, or of poles."""

from __future__ import annotations

import numpy as np
import sympy

MOST_PARTS = 3
"""Roots of a denominator up to which a ratio is written in parts: nobody writes more of them down."""


def in_parts(expression: sympy.Expr) -> sympy.Expr | None:
    """Return a ratio of polynomials in one column as its partial fractions, A/(x + a) + B/(x + b).

    A ratio that is 0 at 0 becomes a sum of saturations, A·x/(x + a) + B·x/(x + b). None for any other
    formula, and where a root of the denominator is not real, is 0, or is met twice.

    >>> x = sympy.Symbol("x", real=True)
    >>> in_parts(x * (5 * x + 14) / (x**2 + 6 * x + 8)).evalf(3)
    3.0*x/(x + 4.0) + 2.0*x/(x + 2.0)
    """
    over, under = sympy.fraction(expression)
    if len(expression.free_symbols) != 1 or not under.free_symbols:
        return None
    (x,) = expression.free_symbols
    if not (over.is_polynomial(x) and under.is_polynomial(x)):
        return None
    above, below = (np.array(sympy.Poly(e, x).all_coeffs(), dtype=float) for e in (over, under))
    if not 3 <= len(below) <= MOST_PARTS + 1 or not np.all(np.isfinite((*above, *below))):
        return None
    roots = np.roots(below)
    slopes = np.polyval(np.polyder(below), roots)
    if np.any(np.imag(roots) != 0) or np.any(roots == 0) or np.any(slopes == 0):
        return None
    through = above[-1] == 0
    whole, left = np.polydiv(above[:-1] if through and len(above) > 1 else above, below)
    heights = np.polyval(left, roots) / slopes
    parts = [sympy.Float(a) / (x - sympy.Float(r)) for a, r in zip(heights, roots, strict=True)]
    powers = [sympy.Float(c) * x**k for k, c in enumerate(whole[::-1]) if c]
    return sympy.Add(*(x * part if through else part for part in (*parts, *powers)))

"""Ratios as people write them: sums of saturations or of poles, one over a sum; and waves as squares."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import sympy

from kansym.formula.rewriting import ALIKE

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


def by_column(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """Yield a ratio of polynomials in several columns as a sum of its poles along each column that has two.

    What it is a multiple of stays above each: A·x/(x + a) + B·x/(x + b).

    >>> x, a, b, k = sympy.symbols("x a b k", real=True)
    >>> [*by_column((a * x + a * k + b * x) / (x * (x + k)))]
    [a/x + b/(k + x)]
    """
    over, under = sympy.fraction(expression)
    factors = [f for f in sympy.Mul.make_args(under) if f.free_symbols]
    if len(factors) < 2 or not over.has(sympy.Add) or not expression.is_rational_function():
        return
    above = sympy.Mul(*(f for f in sympy.Mul.make_args(over) if not f.has(sympy.Add)))
    numbers = {f: sympy.Dummy() for f in expression.atoms(sympy.Float)}
    for x in sorted(under.free_symbols, key=str):
        if sum(f.has(x) for f in factors) > 1:
            parts = sympy.apart((expression / above).xreplace(numbers), x)
            parts = parts.xreplace({dummy: number for number, dummy in numbers.items()})
            yield sympy.Add(*(above * part for part in sympy.Add.make_args(parts)))


def beside_constant(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """Yield N/D as c + (N - c·D)/D where N holds c times two terms of D or more.

    >>> x, a, b = sympy.symbols("x a b", real=True)
    >>> [*beside_constant((3 * a**2 + 6 * a * b + 3 * b**2 + x) / (a + b) ** 2)]
    [x/(a + b)**2 + 3]
    """
    over, under = sympy.fraction(expression)
    if not (over.has(sympy.Add) and under.has(sympy.Add)):
        return
    above, below = (sympy.expand(e).as_coefficients_dict() for e in (over, under))
    shares = {term: above[term] / number for term, number in below.items() if term in above}
    alike = ([t for t, s in shares.items() if math.isclose(s, c, rel_tol=ALIKE)] for c in shares.values())
    held = max(alike, key=len, default=[])
    if len(held) > 1:
        c = shares[held[0]]
        left = (t * (above[t] - c * below[t]) for t in dict.fromkeys([*above, *below]) if t not in held)
        yield c + sympy.Add(*left) / (under if under.has(sympy.Float) else sympy.factor(under))


def upside_down(e: sympy.Expr) -> sympy.Expr:
    """Return N/(A + B) as 1/(A/N + B/N) where N is a single term: a·n²/(n² - 4) as a/(1 - 4/n²)."""
    over, under = sympy.fraction(e)
    number, rest = over.as_coeff_Mul()
    if rest == 1 or rest.is_Add or not under.is_Add:
        return e
    return number / sympy.Add(*(t / rest for t in under.args))


def squared_waves(e: sympy.Expr) -> sympy.Expr:
    """Return e with 2c·sin(u/2)² for c - c·cos(u), and cosines for their sum, where u has a measured number.

    Half an angle that has none is no shorter: 1 - cos(x) stays.

    >>> x = sympy.Symbol("x", real=True)
    >>> squared_waves(3 - 3 * sympy.cos(0.5 * x)), squared_waves(1 - sympy.cos(x))
    (6*sin(0.25*x)**2, 1 - cos(x))
    """
    squares = {}
    for total in e.atoms(sympy.Add):
        one, other = total.args if len(total.args) == 2 else (sympy.S.One, sympy.S.One)
        for c, wave in ((one, other / one), (other, one / other)):
            sign, cosine = wave.as_coeff_Mul()
            if isinstance(cosine, sympy.cos) and cosine.has(sympy.Float) and abs(sign) == 1:
                half = (sympy.cos if sign > 0 else sympy.sin)(cosine.args[0] / 2)
                squares[total] = 2 * c * half**2
    return e.xreplace(squares)

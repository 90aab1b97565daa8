"""Forms of a formula that SymPy's own rewritings do not reach, and that people write."""

from __future__ import annotations

import itertools
import math

import sympy

HALF = sympy.Rational(1, 2)

MOST_TERMS, ALIKE = 6, 1e-8
"""Terms of a sum that is looked at for squares of measured numbers, and the share by which these agree."""


def turned(e: sympy.Expr) -> sympy.Expr:
    """Return the expression with -c·(a - b)^k, k odd, written as c·(b - a)^k."""

    def turn(product: sympy.Expr) -> sympy.Expr:
        """Return a product without its minus, which a sum to an odd power takes."""
        for i, factor in enumerate(product.args):
            base, power = factor.as_base_exp()
            if base.is_Add and power.is_odd:
                turned = sympy.Add(*(-t for t in base.args)) ** power
                return sympy.Mul(-1, turned, *product.args[:i], *product.args[i + 1 :])
        return product

    return e.replace(lambda p: p.is_Mul and p.could_extract_minus_sign(), turn)


def squares(expression: sympy.Expr) -> sympy.Expr:
    """Return the expression with c·a² ± 2c·a·b + c·b² written as c·(a ± b)² wherever c is exact.

    Of positive columns with any measured numbers before the three, as far as these agree.

    >>> x, y = sympy.symbols("x y", real=True)
    >>> squares(1 / (x**2 - 2 * x * y + y**2 + 1))
    1/((x - y)**2 + 1)
    >>> a, b = sympy.symbols("a b", positive=True)
    >>> squares(sympy.log(4.0 * a**2 * b**2 + 12.0 * a * b + 9.0))
    log((2.0*a*b + 3.0)**2)
    """

    def fold(total: sympy.Expr) -> sympy.Expr:
        """Return a sum with c·a² ± 2·c·a·b + c·b² as one square."""
        size = {rest: factor for factor, rest in (t.as_coeff_Mul() for t in total.args)}
        for one, other in itertools.combinations(list(size), 2) if 3 <= len(size) <= MOST_TERMS else ():
            middle = sympy.sqrt(one * other)
            if middle in size and one in size and other in size and size[one] * size[other] > 0:
                double, squared = size[middle], 4 * size[one] * size[other]
                if double.is_Float and math.isclose(double**2, squared, rel_tol=ALIKE):
                    a, b = (sympy.sqrt(abs(size[rest]) * rest) for rest in (one, other))
                    sign = sympy.sign(size[one])
                    for gone in (middle, one, other):
                        del size[gone]
                    size[(a + b if double * sign > 0 else a - b) ** 2] = sign
        for product, double in list(size.items()):
            if not product.is_Mul or len(product.args) != 2 or product not in size:
                continue
            a, b = product.args
            c = size.get(a**2, sympy.S.Zero)
            if c != 0 and c.is_Rational and size.get(b**2) == c and abs(double) == 2 * abs(c):
                for gone in (product, a**2, b**2):
                    del size[gone]
                size[(a + b if double * c > 0 else a - b) ** 2] = c
        return sympy.Add(*(c * rest for rest, c in size.items()))

    return expression.replace(lambda t: t.is_Add, fold)


def under_roots(expression: sympy.Expr) -> sympy.Expr:
    """Return the expression with the positive columns before a root of a sum under it: r·√s as √(r²·s).

    >>> a, b, c = sympy.symbols("a b c", positive=True)
    >>> under_roots(sympy.sqrt(a**2 * b**2 - 1) / (a * c))
    sqrt(b**2 - 1/a**2)/c
    """

    def taken(product: sympy.Expr) -> sympy.Expr:
        """Return a product with a root of a sum that took the factors which its terms hold."""
        for root in product.args:
            base, power = root.as_base_exp()
            if base.is_Add and power in (HALF, -HALF):
                held = base.free_symbols
                powers = (f.as_base_exp() for f in product.args if f is not root)
                inside = [b**k for b, k in powers if b in held and b.is_positive and k.is_Rational]
                if inside:
                    outside = (f for f in product.args if f is not root and f not in inside)
                    grown = sympy.expand_mul(base * sympy.Mul(*inside) ** (1 / power))
                    return sympy.Mul(grown**power, *outside)
        return product

    return expression.replace(lambda e: e.is_Mul, taken)

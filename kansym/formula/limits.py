"""Simpler formulas that a formula comes near to where one of its parts stays small.

a/(b·tanh(c/x) + 1) with c near 0 is a/(d/x + 1): constants on their way to a limit hide the plain law. So do
terms that make up for a constant which is a little off: (1 - e·x)/(exp(k·x) - 1 + e·x) with e near 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from kansym.formula.expression import complexity

_SLOT = sympy.Symbol("slot", real=True)


def limits(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """Yield the formula with each function in turn replaced by its first terms about 0: tanh(u) by u,
    cos(u) by 1 - u²/2.

    Only where that is shorter or as short; numbers stay, to be fitted anew. Functions without a value or a
    second derivative at 0 are left alone.
    """
    found = sorted(expression.atoms(sympy.Function), key=sympy.default_sort_key)
    for part in found:
        if len(part.args) != 1 or not part.free_symbols:
            continue
        near = _near_zero(part.func)
        if near is None:
            continue
        form = expression.xreplace({part: near.xreplace({_SLOT: part.args[0]})})
        if form.free_symbols and complexity(form) <= complexity(expression) + 2:
            yield form


def without_terms(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """Yield the formula with each term of a sum in turn left out that has a measured coefficient.

    Numbers stay, to be fitted anew.
    """
    sums = sorted(expression.atoms(sympy.Add), key=sympy.default_sort_key)
    for total in sums:
        for term in total.args:
            if term.free_symbols and term.as_coeff_Mul()[0].is_Float:
                yield expression.xreplace({total: total - term})


def _near_zero(function: type[sympy.Function]) -> sympy.Expr | None:
    """Return a function's value at 0 and its first term that is not zero, in `_SLOT`; or None."""
    value = function(_SLOT)
    start = value.subs(_SLOT, 0)
    for order in (1, 2):
        slope = sympy.diff(value, _SLOT, order).subs(_SLOT, 0)
        if not (start.is_finite and start.evalf().is_Number and slope.is_finite and slope.evalf().is_Number):
            return None
        if slope != 0:
            # the term's size is a constant of its own, fitted with the others
            return start + sympy.Float(float(slope) / order) * _SLOT**order
    return None

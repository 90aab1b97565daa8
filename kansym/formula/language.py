"""What a person lets a formula be written with: functions, powers, operators; asked of any formula.

`--only`, `--exclude` and PySR's lists of operators restrict everything that is shown, so one place says what
they permit. A sum, difference, product and quotient are always permitted unless operators are listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy

from kansym.functions.library import Library, X

BASIC = frozenset("+-*/^")
"""Operators of two arguments that every formula may be made of without a list of them."""

_POWER_NAMES = {sympy.Rational(1, 2): "sqrt", sympy.Integer(2): "square", sympy.Integer(3): "cube"}


@dataclass(frozen=True)
class Language:
    """Hold what is permitted; None permits all of a kind.

    `functions` are SymPy classes, `powers` exponents of what varies. `binary` and `unary` are PySR's lists.
    """

    functions: frozenset[type] | None = None
    powers: frozenset[sympy.Expr] | None = None
    banned: frozenset[type] = frozenset()
    banned_powers: frozenset[sympy.Expr] = frozenset()
    binary: frozenset[str] | None = None
    unary: frozenset[str] | None = None

    @staticmethod
    def of(
        only: Library | None = None, excluded: Library | None = None, given: sympy.Expr | None = None
    ) -> Language:
        """Return the language of these functions only, without those excluded, but with those of `given`.

        Powers are limited where `only` names any besides x: x, x^2 permit no x³ and no quotient of columns.
        """
        functions = powers = None
        if only is not None:
            own = [f.expression for f in only.values()] + ([] if given is None else [given])
            functions = frozenset(type(n) for e in own for n in _calls(e))
            named = frozenset(_power(f.expression) for f in only.values()) - {None, sympy.S.One}
            if any(f.has_exponent for f in only.values()):
                named = frozenset()  # any power: x^p
            if named:
                powers = named | {sympy.S.One} | (frozenset() if given is None else _powers(given))
        without = () if excluded is None else tuple(f.expression for f in excluded.values())
        return Language(
            functions,
            powers,
            frozenset(type(e) for e in without if e.is_Function),
            frozenset(p for p in map(_power, without) if p is not None),
        )

    @property
    def free(self) -> bool:
        """Tell whether everything is permitted."""
        return self == EVERYTHING

    def permits(self, formula: sympy.Expr, rough: bool = False) -> bool:
        """Tell whether a formula is written in this language.

        A `rough` one has exponents that are still measured numbers; they may become permitted ones.

        >>> from kansym.functions.parsing import parse_expression
        >>> language = Language.of(Library.load("all").only(["x", "x^2", "sin"]))
        >>> [language.permits(parse_expression(t)) for t in ("sin(a)^2 + 3*a", "a^3", "exp(a)", "b/a")]
        [True, False, False, False]
        """
        if self.free:
            return True
        calls = {type(n) for n in _calls(formula)}
        if calls & self.banned or (self.functions is not None and not calls <= self.functions):
            return False
        powers = {p for p in _powers(formula) if not (rough and p.has(sympy.Float))}
        if powers & self.banned_powers or (self.powers is not None and not powers <= self.powers):
            return False
        return (self.binary is None and self.unary is None) or self._operators(formula)

    def _operators(self, formula: sympy.Expr) -> bool:
        """Tell whether all operators of a formula are permitted."""
        pairs = BASIC if self.binary is None else self.binary
        single = self.unary
        for operator in operators(formula):
            if operator in BASIC:
                # x/3 or 1/x are allowed to those who allow a quotient or a reciprocal
                fine = operator in pairs or (operator == "/" and single is not None and "inv" in single)
            elif operator in ("square", "cube"):
                fine = bool({"*", "^"} & pairs) or (single is not None and operator in single)
            elif operator == "sqrt":
                fine = single is None or "sqrt" in single or "^" in pairs
            elif operator in ("max", "min"):
                fine = self.binary is None or operator in pairs or (single is not None and operator in single)
            else:
                fine = single is None or operator in single
            if not fine:
                return False
        return True


EVERYTHING = Language()
"""The language of someone who restricts nothing."""


def _calls(e: sympy.Expr) -> Iterable[sympy.Expr]:
    return (n for n in sympy.preorder_traversal(e) if isinstance(n, sympy.Function) and n.free_symbols)


def _powers(e: sympy.Expr) -> frozenset[sympy.Expr]:
    return frozenset(n.exp for n in sympy.preorder_traversal(e) if n.is_Pow and n.base.free_symbols)


def _power(form: sympy.Expr) -> sympy.Expr | None:
    """Return the exponent of a function of the library that is a power of x; None for others."""
    if form == X:
        return sympy.S.One
    return form.exp if form.is_Pow and form.base == X and form.exp.is_number else None


def operators(expression: sympy.Expr) -> set[str]:
    """Return the operators of an expression by PySR's names: "+", "-", "*", "/", "^", "sin", "square"...

    >>> x, y = sympy.symbols("x y", real=True)
    >>> sorted(operators(2 * x - sympy.sin(y) / x))
    ['*', '-', '/', 'sin']
    """
    out: set[str] = set()
    for e in sympy.preorder_traversal(expression):
        if e.is_Add:
            minus = [t for t in e.args if t.could_extract_minus_sign()]
            out |= {"-"} if minus else set()
            out |= {"+"} if len(e.args) - len(minus) > 1 else set()
        elif e.is_Mul:
            under = [
                f
                for f in e.args
                if (f.is_Pow and f.exp.could_extract_minus_sign()) or (f.is_Rational and f.q != 1)
            ]
            out |= {"/"} if under else set()
            above = [f for f in e.args if f not in under and f != -1]
            out |= {"*"} if len(above) > 1 else set()
        elif e.is_Pow:
            power = abs(e.exp) if e.exp.is_number else e.exp
            if e.exp.could_extract_minus_sign():
                out.add("/")
            if power != 1:
                out.add(_POWER_NAMES.get(power, "^"))
        elif e.is_Function:
            out.add(type(e).__name__.lower())
    return out

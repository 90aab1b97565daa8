"""Expressions as infix text: what all languages share, and kansym's own grammar.

A piece of text carries its precedence, so that parentheses stand only where they are needed.
"""

# ruff: noqa: SIM905 (tables of words read better as text)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import sympy

from kansym.base.errors import InputError
from kansym.functions.parsing import quote, symbols
from kansym.report.export.walker import Algebra, walk

SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4
COMPARISON, LOGIC = 0, -1

Piece = tuple[str, int]

SAME = ["exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt"]
"""Functions that nearly all languages call by the same name."""

INVERSE = ["asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh"]
"""Functions that some languages call arcsin and so on."""

SIGNS = {"and": "&&", "or": "||", "not": "!"}
"""How C and its kin join conditions."""

ELEMENTWISE = {"and": "&", "or": "|", "not": "~"}
"""How conditions on arrays are joined in Python."""


def array_names(module: str) -> dict[str, str]:
    """Return what numpy, and a module that follows it, calls the functions that both have."""
    return {
        **{k: f"{module}.{k}" for k in [*SAME, "floor", "sign"]},
        **{k: f"{module}.arc{k[1:]}" for k in INVERSE},
        "ceiling": f"{module}.ceil",
        "Abs": f"{module}.abs",
        "Max": f"{module}.maximum",
        "Min": f"{module}.minimum",
    }


@dataclass
class Text(Algebra[Piece]):
    """Write infix text; subclasses say what differs.

    `names` are the columns as the language writes them, `digits` cuts the constants (None: all 17).
    After the walk `used` holds the keys of the functions that were called.
    """

    names: Sequence[str] = ()
    digits: int | None = None
    used: set[str] = field(default_factory=set)

    target = "text"
    functions: Mapping[str, str] = field(default_factory=dict, repr=False)
    brackets = "()"
    power_sign = "**"
    signs: ClassVar[Mapping[str, str]] = {"and": "and", "or": "or", "not": "not "}
    choice = "({yes} if {condition} else {no})"
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "pi", "e": "exp(1)"}, repr=False)

    def real(self, value: float) -> Piece:
        text = repr(value) if self.digits is None else f"{value:.{self.digits}g}"
        return (text, ATOM) if value >= 0 else (f"({text})", ATOM)

    def integer(self, value: int) -> Piece:
        return str(value), ATOM

    def rational(self, numerator: int, denominator: int) -> Piece:
        return self.divide(self.integer(numerator), self.integer(denominator))

    def constant(self, name: str) -> Piece:
        return self.constants[name], ATOM

    def column(self, index: int) -> Piece:
        return self.names[index], ATOM

    def add(self, terms: Sequence[tuple[bool, Piece]]) -> Piece:
        """Return the sum of terms, each with whether it is taken off."""
        # a positive term first, where there is one: "1 - x" and not "-x + 1"
        ordered = sorted(terms, key=lambda t: t[0])
        negative, first = ordered[0]
        text = self.wrap(self.negate(first) if negative else first, SUM)
        for negative, term in ordered[1:]:
            text += (" - " + self.wrap(term, PRODUCT)) if negative else (" + " + self.wrap(term, SUM))
        return text, SUM

    def multiply(self, factors: Sequence[Piece]) -> Piece:
        first, *rest = factors
        # a quotient as a later factor keeps its parentheses: a*(b/c) is not rounded as a*b/c
        return "*".join([self.wrap(first, PRODUCT), *(self.wrap(f, POWER) for f in rest)]), PRODUCT

    def divide(self, over: Piece, under: Piece) -> Piece:
        return f"{self.wrap(over, PRODUCT)}/{self.wrap(under, POWER)}", PRODUCT

    def negate(self, value: Piece) -> Piece:
        return "-" + self.wrap(value, PRODUCT), SUM

    def power(self, base: Piece, exponent: Piece, integer: bool) -> Piece:
        return f"{self.wrap(base, ATOM)}{self.power_sign}{self.wrap(exponent, ATOM)}", POWER

    def has(self, key: str) -> bool:
        return key in self.functions

    def call(self, key: str, args: Sequence[Piece]) -> Piece:
        if key == "nan":
            return self.functions[key], ATOM
        self.used.add(key)
        return self.apply(self.functions[key], [a for a, _ in args]), ATOM

    def apply(self, callee: str, args: Sequence[str]) -> str:
        """Return a call as text; a callee with {0} in it is a template."""
        if "{" in callee:
            return callee.format(*args)
        return f"{callee}{self.brackets[0]}{', '.join(args)}{self.brackets[1]}"

    def compare(self, operator: str, left: Piece, right: Piece) -> Piece:
        return f"{self.wrap(left, SUM)} {operator} {self.wrap(right, SUM)}", COMPARISON

    def logic(self, operator: str, args: Sequence[Piece]) -> Piece:
        sign = self.signs[operator]
        if operator == "not":
            return f"{sign}({args[0][0]})", LOGIC
        return f" {sign} ".join(f"({a})" for a, _ in args), LOGIC

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        return self.choice.format(condition=condition[0], yes=yes[0], no=no[0]), ATOM

    @staticmethod
    def wrap(piece: Piece, least: int) -> str:
        """Return the piece in parentheses, where it binds less than `least`."""
        return piece[0] if piece[1] >= least else f"({piece[0]})"

    def write(self, expression: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> str:
        """Return the expression as text."""
        return walk(expression, symbols, self)[0]


@dataclass
class Kansym(Text):
    """Write kansym's own grammar, which `functions.parsing` reads; names that need it stand in backticks."""

    target = "kansym's text"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: k for k in [*SAME, *INVERSE, "sign", "Abs"]},
            **{
                k: k
                for k in (
                    "erf erfc gamma loggamma digamma polygamma airyai airybi airyaiprime airybiprime"
                ).split()
            },
            **{
                k: k
                for k in (
                    "besselj bessely besseli besselk elliptic_k elliptic_e LambertW Si Ci Max Min"
                ).split()
            },
            "dilog": "dilog",
        }
    )
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "pi", "e": "exp(1)"})

    def constant(self, name: str) -> Piece:
        # a column called pi hides the number
        return ("acos(-1)", ATOM) if name == "pi" and "pi" in self.names else super().constant(name)

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        raise InputError("Function 'Piecewise' has no counterpart in kansym's text; export to json or sympy.")

    def column(self, index: int) -> Piece:
        name = self.names[index]
        taken = name in self.functions or name in ("pi", "e", "E")
        return (f"`{name}`" if taken else quote(name)), ATOM


def readable(expression: sympy.Expr, names: Sequence[str]) -> str:
    """Return the formula as a person reads it, for a docstring or a comment."""
    try:
        return Kansym(list(names), 6).write(expression, symbols(names))
    except InputError:  # a function that kansym's own text lacks
        return str(
            sympy.sstr(expression.xreplace({f: sympy.Float(f, 6) for f in expression.atoms(sympy.Float)}))
        )

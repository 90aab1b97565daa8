"""The terms of a boundary: functions of one column, and products of two such of different columns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy

from kansym.base.errors import UnknownNameError
from kansym.functions import library
from kansym.functions.bytecode import Bytecode
from kansym.functions.compiler import compile_expression
from kansym.functions.parsing import symbols
from kansym.search.assumptions.hypothesis import Hypotheses

Maker = Callable[[sympy.Symbol], sympy.Expr]

FACTORS: dict[str, Maker] = {
    "x": lambda s: s,
    "x^2": lambda s: s**2,
    "x^4": lambda s: s**4,
    "abs": sympy.Abs,
    "exp": sympy.exp,
    "exp(-x)": lambda s: sympy.exp(-s),
    "cosh": sympy.cosh,
    "sinh": sympy.sinh,
    "1/x": lambda s: 1 / s,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
}
"""How each function of one column is written."""


@dataclass(frozen=True)
class Factor:
    """One column's function: how it is written, and its values and slope."""

    column: int
    form: sympy.Expr
    code: Bytecode


@dataclass(frozen=True)
class Term:
    """A product of factors of different columns; none at all is the constant 1."""

    factors: tuple[Factor, ...] = ()

    @property
    def form(self) -> sympy.Expr:
        """Return how the term is written."""
        return sympy.Mul(*(f.form for f in self.factors))

    def value(self, X: np.ndarray) -> np.ndarray:
        """Return the term at rows (n, d); infinite or NaN where it is undefined."""
        with np.errstate(all="ignore"):
            return math.prod((f.code.value(X[:, f.column]) for f in self.factors), start=np.ones(len(X)))

    def gradient(self, X: np.ndarray) -> np.ndarray:
        """Return the derivatives (n, d) by each column."""
        out = np.zeros(X.shape)
        for f in self.factors:
            others = Term(tuple(g for g in self.factors if g is not f))
            out[:, f.column] = f.code.dual(X[:, f.column])[1] * others.value(X)
        return out


def pool(
    X: np.ndarray, names: Sequence[str], assumed: Hypotheses, known: Container[str] = FACTORS
) -> list[Term]:
    """Return 1, the functions of each column that are `known`, and products of two of different columns."""
    single = [
        _factors(i, s, x, ("x",) if s.name in assumed.linear else assumed.only, known)
        for i, (s, x) in enumerate(zip(symbols(names), X.T, strict=True))
    ]
    terms = [Term(), *(Term((f,)) for mine in single for f in mine)]
    mixed = [mine for mine, name in zip(single, names, strict=True) if name not in assumed.linear]
    for a, b in itertools.combinations(mixed, 2):
        terms += [Term(pair) for pair in itertools.product(a, b)]
    return terms


@cache
def _code(name: str) -> Bytecode:
    """Return a factor's values and slope, compiled."""
    return compile_expression(FACTORS[name](library.X), library.X, library.EXPONENT)


def _factors(
    i: int, s: sympy.Symbol, x: np.ndarray, only: Sequence[str], known: Container[str]
) -> list[Factor]:
    """Return the functions of one column that its range, a person and the library allow."""
    names = ["x", "x^2", "x^4"]
    if x.min() < 0 < x.max():
        names.append("abs")
    if np.abs(x).max() < 20:
        names += ["exp", "exp(-x)", "cosh", "sinh"]
    if x.min() > 1e-3 * np.abs(x).max():
        names += ["1/x", "log", "sqrt"]
    for name in only:
        if name not in FACTORS:
            raise UnknownNameError("function of a boundary", name, FACTORS)
    chosen = [n for n in names if n == "x" or (n in known and (not only or n in only))]
    return [Factor(i, FACTORS[n](s), _code(n)) for n in chosen]

"""Units of a right side: which formulas hold together, and in which unit each of their constants is.

Every constant has a unit, so that sums are never refused; the sine or exponential of a state that has a unit
is, where no constant takes it away. Units stay those of the table's columns: a rate is per minute where the
time is in minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import sympy

from kansym.data.units import factors, written

Powers = Mapping[str, Fraction]
"""A unit as powers of the symbols that it is written in."""

UNKNOWN = "?"
"""First letter of the symbol that stands for the unit of a column without one."""

LARGEST_DENOMINATOR = 4
"""Of a power of a unit: length**(3/4) is one, length**0.7513 none."""

AGREEING = 1e-6
"""Difference of two powers of a unit that counts as none."""


def powers(units: Mapping[str, str], names: tuple[str, ...]) -> dict[str, Powers]:
    """Return the unit of each name; one that is not given is a symbol of its own."""
    return {n: dict(factors(units[n])) if n in units else {f"{UNKNOWN}{n}": Fraction(1)} for n in names}


def rate(unit: Powers, time: str | None) -> Powers:
    """Return a unit over the time's; a time without one is a symbol of its own."""
    per = dict(factors(time)) if time is not None else {f"{UNKNOWN}time": Fraction(1)}
    return {s: Fraction(unit.get(s, 0)) - per.get(s, 0) for s in (*unit, *(p for p in per if p not in unit))}


def consistent(formula: sympy.Expr, units: Mapping[str, Powers]) -> bool:
    """Tell whether a formula takes no sine or exponential of a unit, and adds like to like.

    Columns without a unit may be anything.
    """
    names = [str(s) for s in formula.free_symbols]
    if any(s.startswith(UNKNOWN) for n in names for s in units[n]):
        return True
    system = _Equations.of(formula, (), (), units)
    return all(np.abs(c).max(initial=0.0) < AGREEING for _, c in system.rows)


def of_constants(
    template: sympy.Expr,
    parameters: tuple[sympy.Symbol, ...],
    values: np.ndarray,
    target: Powers,
    units: Mapping[str, Powers],
) -> tuple[str, ...]:
    """Return the unit of each constant of a right side whose own unit is `target`; "" where it is unknown.

    `values` (parameters,) are needed for powers: x**p with x in metres is in metres to the p.
    """
    symbols = sorted({s for p in (target, *units.values()) for s in p})
    system = _Equations.of(template, parameters, tuple(map(float, values)), units, symbols)
    free, fixed = system.whole
    system.rows.append((free, fixed - system.vector(target)))
    A, b = (np.array(part) for part in zip(*system.rows, strict=True))
    solved, _, rank, _ = np.linalg.lstsq(A, -b, rcond=None)
    if np.abs(A @ solved + b).max(initial=0.0) > AGREEING:
        return ("",) * len(parameters)
    open_ = np.eye(len(parameters)) - np.linalg.pinv(A) @ A if rank < len(parameters) else np.zeros_like(A)
    return tuple(
        "" if np.abs(open_[:, k]).max(initial=0.0) > AGREEING else _text(symbols, solved[k])
        for k in range(len(parameters))
    )


def _text(symbols: list[str], exponents: np.ndarray) -> str:
    """Return a unit as text; nothing where an exponent is not simple or a symbol is unknown."""
    simple = [Fraction(float(e)).limit_denominator(LARGEST_DENOMINATOR) for e in exponents]
    if any(abs(float(s) - e) > AGREEING for s, e in zip(simple, exponents, strict=True)):
        return ""
    used = [(s, e) for s, e in zip(symbols, simple, strict=True) if e]
    return "" if any(s.startswith(UNKNOWN) for s, _ in used) else written(used)


Form = tuple[np.ndarray, np.ndarray]
"""Powers of a formula's unit: of the constants' unknown units, and of the known symbols."""


class _Equations:
    """Collect what must be equal, or no unit at all, for a formula to hold together."""

    def __init__(
        self,
        parameters: tuple[sympy.Symbol, ...],
        values: tuple[float, ...],
        units: Mapping[str, Powers],
        symbols: list[str],
    ) -> None:
        """Begin without equations."""
        self.parameters, self.values = parameters, values
        self.units, self.symbols = units, symbols
        self.rows: list[Form] = []
        self.whole: Form = self._number()

    @staticmethod
    def of(
        formula: sympy.Expr,
        parameters: tuple[sympy.Symbol, ...],
        values: tuple[float, ...],
        units: Mapping[str, Powers],
        symbols: list[str] | None = None,
    ) -> _Equations:
        """Return the equations of a formula, and in `whole` its own unit."""
        every = symbols if symbols is not None else sorted({s for p in units.values() for s in p})
        system = _Equations(parameters, values, units, every)
        system.whole = system._unit(formula)
        return system

    def vector(self, unit: Powers) -> np.ndarray:
        """Return a unit's powers of all symbols."""
        return np.array([float(unit.get(s, 0)) for s in self.symbols])

    def _number(self) -> Form:
        """Return the unit of a number: none."""
        return np.zeros(len(self.parameters)), np.zeros(len(self.symbols))

    def _unit(self, e: sympy.Expr) -> Form:
        """Return a formula's unit and note what must be equal in it."""
        if e in self.parameters:
            free, fixed = self._number()
            free[self.parameters.index(e)] = 1.0
            return free, fixed
        if e.is_Symbol:
            return np.zeros(len(self.parameters)), self.vector(self.units.get(str(e), {}))
        parts = [self._unit(a) for a in e.args]
        if e.is_Mul:
            return np.sum([p[0] for p in parts], axis=0), np.sum([p[1] for p in parts], axis=0)
        if e.is_Pow:
            return self._power(e, parts[0], parts[-1])
        if e.is_Add or isinstance(e, sympy.Abs):
            self.rows += [(p[0] - parts[0][0], p[1] - parts[0][1]) for p in parts[1:]]
            return parts[0]
        # the unit inside a logarithm only shifts it, which a term beside it takes up
        self.rows += [] if isinstance(e, sympy.log) else parts
        return self._number()

    def _power(self, e: sympy.Expr, base: Form, exponent: Form) -> Form:
        """Return a power's unit; what it is raised to has none."""
        if e.base is sympy.E:
            self.rows.append(exponent)
            return self._number()
        if e.exp.free_symbols:
            self.rows.append(exponent)
        value = e.exp.xreplace(dict(zip(self.parameters, map(sympy.Float, self.values), strict=True)))
        if not value.is_number:
            self.rows.append(base)
            return self._number()
        return base[0] * float(value), base[1] * float(value)

"""A law in the customary constants of its family: Vmax and Km, not 4·S/(S/3 + 1).

A formula belongs to a family when the family's curve, fitted to the formula's own values, is the same to
round-off. Its constants are then read off, with the errors that the rows give them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy

from kansym.base.linear import TINY, norms
from kansym.formula.program import Program
from kansym.functions.parsing import format_expression
from kansym.search.families.family import INPUTS, Families, Form
from kansym.search.families.projection import FULL_STEPS, Rows, fit, program_of, refined

SAME = 1e-9
"""Share of the values' size within which two curves are the same."""

NOTHING = 1e-7
"""Share of the values' size up to which what a constant contributes is round-off."""

WHOLE = 1e-3
"""How near a whole number a measured constant must be at least to count as exact: one in 500 is by chance."""

LARGEST_DENOMINATOR = 60
"""Largest denominator of a constant that counts as a fraction, where the formula has exact numbers."""

FIT_ROWS = 200
"""Rows on which a family's curve is compared with the formula: exact values need no more."""


UNTOLD, FAR = 0.5, 3.0
"""Part of a constant that its error must exceed to be none that the rows tell, and the spans that a column
must lie from zero to be counted from elsewhere then."""

KINDS = {
    **dict.fromkeys(("sinh", "cosh", "tanh"), "exp"),
    "cos": "sin",
    **dict.fromkeys(("Min", "Max", "Heaviside"), "Abs"),
}
"""Functions that others are made of."""


@dataclass(frozen=True)
class Customary:
    """Hold a law in its family's constants: the form as text, name, value, error and exact form of each."""

    family: str
    form: str
    expression: sympy.Expr
    constants: tuple[tuple[str, float, float, str | None], ...]


def customary(
    expression: sympy.Expr, columns: Sequence[sympy.Symbol], rows: Rows, variance: float, families: Families
) -> Customary | None:
    """Return a formula in the constants of the first of these families that it belongs to, None for none.

    `rows` hold the table's columns and root weights, `variance` is that of the weighted noise.
    """
    used = [j for j, s in enumerate(columns) if s in expression.free_symbols]
    y = Program.compile(expression, columns).value(rows.X)
    if not used or not np.all(np.isfinite(y)):
        return None
    # a constant that is 1, and so not written, is for laws of exact numbers: 424·x is no power of x
    most = len(expression.atoms(sympy.Number)) + (not expression.atoms(sympy.Float))
    for form, order in _forms(families, used, most):
        if _kinds(form.formula) != _kinds(expression):
            continue  # curves of other functions are not the same to round-off, and each fit costs 0.1 s
        part = Rows(rows.X[:, order], y, rows.w)
        found = fit(form, part.thinned(FIT_ROWS))
        if found is not None:
            nonlinear = found.theta[len(form.linear) :]
            found = refined(form, nonlinear, part.thinned(FIT_ROWS), FULL_STEPS)
        if found is None or not form.natural(found.theta):
            continue
        theta = form.upright(found.theta) if expression.atoms(sympy.Float) else found.theta
        values, J = program_of(form).jacobian(part.X, theta)
        if not np.max(np.abs(values - y)) <= SAME * np.max(np.abs(y)):
            continue
        if np.min(np.max(np.abs(J * theta), axis=0)) <= NOTHING * np.max(np.abs(y)):
            continue  # a constant that is zero: the law has fewer than this family
        inputs, shown = [columns[j] for j in order], Rows(part.X, rows.y, rows.w)
        read = _read(form, theta, inputs, shown, variance, expression)
        if not _read_off(read):
            continue
        return _from_nearby(read, form, inputs, shown, y, variance) or read
    return None


def _from_nearby(
    read: Customary,
    form: Form,
    inputs: list[sympy.Symbol],
    rows: Rows,
    values: np.ndarray,
    variance: float,
) -> Customary | None:
    """Return a family's law of `values` (n,) with columns far from zero counted from a round number nearby.

    None where the rows tell every constant as it is, or not even so, or the curves are others then. They
    do not tell what an exponential of the year was in year 0, but what it was in 1970.
    """
    if _measured(read):
        return None
    near = np.array([_nearby(x) for x in rows.X.T])
    if not near.any():
        return None
    moved = Rows(rows.X - near, values, rows.w)
    found = fit(form, moved.thinned(FIT_ROWS))
    if found is not None:
        found = refined(form, found.theta[len(form.linear) :], moved.thinned(FIT_ROWS), FULL_STEPS)
    if found is None or not form.natural(found.theta):
        return None
    theta = form.upright(found.theta)
    if not np.max(np.abs(program_of(form).value(moved.X, theta) - values)) <= SAME * np.max(np.abs(values)):
        return None
    places = [s - sympy.Integer(int(at)) if at else s for s, at in zip(inputs, near, strict=True)]
    told = _read(form, theta, places, Rows(moved.X, rows.y, rows.w), variance, read.expression)
    return replace(told, expression=read.expression) if _measured(told) else None


def _told(constants: Iterable[tuple[str, float, float, str | None]]) -> bool:
    """Tell whether the rows tell each of these constants to a half or better."""
    return all(error <= UNTOLD * abs(value) for _, value, error, _ in constants)


def _measured(read: Customary) -> bool:
    """Tell whether the rows tell every measured constant."""
    return _told(c for c in read.constants if c[3] is None)


def _read_off(read: Customary) -> bool:
    """Tell whether the rows tell the exact constants of a family.

    A parabola is A/(1 + (x/s)^2)^n with n = -1, but if rows allow -5 and 1 as well, nobody would say so.
    """
    return _told(c for c in read.constants if c[3] is not None)


def _nearby(x: np.ndarray) -> float:
    """Return the round number below values (n,) that are all FAR spans and more from zero; 0 for others."""
    low, span = float(x.min()), float(np.ptp(x))
    if not span >= 1 or not float(np.abs(x).min()) > FAR * span:
        return 0.0
    step = 10.0 ** math.floor(math.log10(span))
    return math.floor(low / step) * step


def _kinds(e: sympy.Expr) -> set[str]:
    """Return which functions a formula has, one name for those that are made of each other.

    Hyperbolic ones are sums of exponentials, cosines are shifted sines, min and max have kinks as |x| does.
    Logarithms stand beside powers, which may be written either way.
    """
    found = {
        KINDS.get(f.func.__name__, f.func.__name__) for f in e.atoms(sympy.Function, sympy.Min, sympy.Max)
    }
    return found - {"log"}


def _forms(families: Families, used: list[int], most: int) -> Iterator[tuple[Form, list[int]]]:
    """Yield the forms of at most so many constants that a formula may have, fewest constants first."""
    forms = [family.form(terms) for family in families.values() for terms in range(1, family.terms + 1)]
    for form in sorted(forms, key=lambda form: len(form.constants)):
        if form.columns == len(used) and len(form.constants) <= most:
            yield from ((form, list(order)) for order in itertools.permutations(used))


def _read(
    form: Form,
    theta: np.ndarray,
    inputs: list[sympy.Expr],
    rows: Rows,
    variance: float,
    before: sympy.Expr,
) -> Customary:
    """Return the constants: free-fit values with errors, exact ones where the formula has such numbers."""
    exact = [_exact(v) if not before.atoms(sympy.Float) or _whole(v) else None for v in theta]
    values, J = program_of(form).jacobian(rows.X, theta)
    J, r = J * rows.w[:, None], (rows.y - values) * rows.w
    scale = norms(J)
    U, s, Vt = np.linalg.svd(J / scale, full_matrices=False)
    inverse = np.where(s > 1e-13 * s[0], 1 / np.maximum(s, TINY), math.inf)
    with np.errstate(all="ignore"):
        errors = np.sqrt(variance * np.sum((Vt.T * inverse) ** 2, axis=1)) / scale
        free = theta + (Vt.T * np.where(np.isfinite(inverse), inverse, 0.0)) @ (U.T @ r) / scale
    numbers = [sympy.Float(float(v), 17) if e is None else e for v, e in zip(theta, exact, strict=True)]
    swap = {**dict(zip(form.constants, numbers, strict=True)), **dict(zip(INPUTS, inputs, strict=False))}
    # a column may be called n, too
    taken = {s.name for place in inputs for s in place.free_symbols}
    names = [c.name if c.name not in taken else f"{c.name}_0" for c in form.constants]
    renamed = dict(zip(form.constants, map(sympy.Symbol, names), strict=True))
    named = form.formula.xreplace({**renamed, **dict(zip(INPUTS, inputs, strict=False))})
    constants = tuple(
        (name, float(v if e is None else f), float(error), None if e is None else str(e))
        for name, v, f, error, e in zip(names, theta, free, errors, exact, strict=True)
    )
    return Customary(form.family, format_expression(named), form.formula.xreplace(swap), constants)


def _whole(value: float) -> bool:
    """Tell whether a constant is a whole number to round-off, and small enough for that to mean something."""
    # the tolerance of a large number spans whole numbers: each would count as one
    return SAME * abs(value) < WHOLE and abs(value - round(value)) <= SAME * abs(value) and round(value) != 0


def _exact(value: float) -> sympy.Rational | None:
    """Return the fraction that a value is to round-off, None for none."""
    near = sympy.Rational(value).limit_denominator(LARGEST_DENOMINATOR)
    return near if abs(float(near) - value) <= SAME * abs(value) else None

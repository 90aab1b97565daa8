"""Every number of a finished formula with its standard error, the recognised ones included.

A constant that was fixed to 3/2 is reported as what a free fit would have given, 1.4999 ± 0.0002, with
the exact value beside it: one Gauss–Newton step from the finished formula, all its numbers freed at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import sympy

from kansym.formula import expression as expressions
from kansym.formula.polish import Constant, Rows
from kansym.formula.program import Program

DETERMINED = 1e-7
"""Smallest singular value, as a share of the largest, at which freed numbers count as determined."""


CONTRADICTED = 2.5
"""Standard errors from which an exact exponent is taken for a measured one: loses one true one in eighty."""


@dataclass
class _Freed:
    """Collect the numbers of a formula by position, each as a symbol of its own."""

    symbols: list[sympy.Symbol]
    exact: list[sympy.Expr]
    roles: list[str]

    def new(self, value: sympy.Expr, role: str) -> sympy.Symbol:
        symbol = sympy.Symbol(f"c{len(self.symbols)}", real=True)
        self.symbols.append(symbol)
        self.exact.append(value)
        self.roles.append(role)
        return symbol

    def visit(self, e: sympy.Expr) -> sympy.Expr:
        if not e.args:
            return e
        if not e.free_symbols:
            return self.new(e, "constant")
        if e.is_Add:
            constant, rest = e.as_independent(*e.free_symbols, as_Add=True)
            terms = [self.visit(t) for t in sympy.Add.make_args(rest)]
            return sympy.Add(*([self.new(constant, "term")] if constant != 0 else []), *terms)
        if e.is_Mul:
            factor, rest = e.as_independent(*e.free_symbols, as_Add=False)
            parts = [self.visit(f) for f in sympy.Mul.make_args(rest)]
            trivial = factor in (1, -1)
            return sympy.Mul(factor if trivial else self.new(factor, f"factor of {_short(rest)}"), *parts)
        if e.is_Pow and e.base.free_symbols and not e.exp.free_symbols:
            base = self.visit(e.base)
            plain = e.exp == -1 or (e.exp == sympy.Rational(1, 2) and not e.base.is_Symbol)
            return base**e.exp if plain else base ** self.new(e.exp, f"exponent of {_short(e.base)}")
        return e.func(*(self.visit(a) if a.free_symbols else a for a in e.args))


def _short(e: sympy.Expr) -> str:
    text = expressions.text(e, 3)
    return text if len(text) <= 32 else text[:29] + "..."


def numbers(expression: sympy.Expr, rows: Rows) -> tuple[Constant, ...]:
    """Return the formula's numbers by position: role, free-fit value, standard error, exact form if exact.

    Floats keep their fitted value; their errors are those of the final fit, exact numbers held. An exact
    number shows theta + (J'J)^-1 J'(y - f), J the derivatives for all numbers at once; where the rows do
    not determine them all, exact ones are held until they do. Floats come first.
    """
    freed = _Freed([], [], [])
    template = freed.visit(expression)
    if not freed.symbols:
        return ()
    start = np.array([float(v) for v in freed.exact])
    program = Program.compile(template, rows.symbols, freed.symbols, start)
    values, J = program.jacobian(rows.X)
    r = rows.y - values
    if rows.weights is not None:
        root = np.sqrt(rows.weights)
        r, J = r * root, J * root[:, None]
    ok = np.isfinite(r) & np.all(np.isfinite(J), axis=1)
    r, J = r[ok], J[ok]
    floats = [i for i, v in enumerate(freed.exact) if v.has(sympy.Float)]
    exact = [i for i in range(len(start)) if i not in floats]
    held: list[int] = []
    for i in reversed(exact):
        if _determined(J[:, [j for j in floats + exact if j not in held]]):
            break
        held.append(i)
    kept = [j for j in floats + exact if j not in held]
    if not kept or not _determined(J[:, kept]):
        kept = floats
    fitted = _estimate(start, J, r, floats, rows)
    freed_fit = _estimate(start, J, r, kept, rows)
    return tuple(
        Constant(freed.roles[j], start[j], fitted[j][1])
        if j in floats
        else Constant(freed.roles[j], *freed_fit[j], freed.exact[j])
        for j in kept
        if j in freed_fit and (j in fitted or j not in floats)
    )


def loosened(expression: sympy.Expr, rows: Rows) -> sympy.Expr | None:
    """Return the formula with the exponents that the rows contradict as measured numbers; None without any.

    An exponent is contradicted where a free fit differs from it by more than CONTRADICTED standard errors.
    """
    freed = _Freed([], [], [])
    template = freed.visit(expression)
    found = numbers(expression, rows)
    if not any(c.exact is not None and _off(c) > CONTRADICTED for c in found):
        return None
    roles = {c.name: c for c in found if c.exact is not None and c.name.startswith("exponent")}
    swap = {}
    for symbol, value, role in zip(freed.symbols, freed.exact, freed.roles, strict=True):
        constant = roles.get(role)
        free = constant is not None and not value.has(sympy.Float) and _off(constant) > CONTRADICTED
        swap[symbol] = sympy.Float(constant.value, 17) if free and constant is not None else value
    changed = template.xreplace(swap)
    return None if changed == expression else changed


def _off(constant: Constant) -> float:
    """Return how many standard errors an exact number lies from its free fit."""
    if not (math.isfinite(constant.stderr) and constant.stderr > 0) or constant.exact is None:
        return 0.0
    return abs(float(constant.exact) - constant.value) / constant.stderr


def slopes(expression: sympy.Expr, rows: Rows) -> np.ndarray:
    """Return the weighted derivatives (n, numbers) for all of a formula's numbers, the exact ones freed.

    Where the rows do not determine all of them, exact ones are held until they do.
    """
    freed = _Freed([], [], [])
    template = freed.visit(expression)
    if not freed.symbols:
        return np.zeros((len(rows.y), 0))
    start = np.array([float(v) for v in freed.exact])
    _, J = Program.compile(template, rows.symbols, freed.symbols, start).jacobian(rows.X)
    if rows.weights is not None:
        J = J * np.sqrt(rows.weights)[:, None]
    J = np.where(np.isfinite(J).all(axis=1)[:, None], J, 0.0)
    kept = [i for i, v in enumerate(freed.exact) if v.has(sympy.Float)]
    for i in range(len(start)):
        if i not in kept and _determined(J[:, [*kept, i]]):
            kept.append(i)
    return J[:, kept]


def _estimate(
    start: np.ndarray, J: np.ndarray, r: np.ndarray, kept: list[int], rows: Rows
) -> dict[int, tuple[float, float]]:
    """Return free-fit value and standard error of the kept numbers, all others held."""
    if not kept or len(r) <= len(kept):
        return {}
    scale = np.linalg.norm(J[:, kept], axis=0)
    scale[scale == 0] = 1.0
    U, s, Vt = np.linalg.svd(J[:, kept] / scale, full_matrices=False)
    s = np.maximum(s, 1e-14 * s[0])
    step = (Vt.T / s) @ (U.T @ r) / scale
    remaining = r - J[:, kept] @ step
    variance = rows.variance(float(remaining @ remaining) / len(r), len(kept))
    errors = np.sqrt(variance * np.sum((Vt.T / s) ** 2, axis=1)) / scale
    return {
        j: (float(start[j] + change), float(error))
        for j, change, error in zip(kept, step, errors, strict=True)
        if math.isfinite(change)
    }


def _determined(J: np.ndarray) -> bool:
    if J.shape[1] == 0:
        return True
    if J.shape[1] >= J.shape[0]:
        return False
    scale = np.linalg.norm(J, axis=0)
    if np.any(scale == 0):
        return False
    s = np.linalg.svd(J / scale, compute_uv=False)
    return bool(s[-1] > DETERMINED * s[0])


def covariance(expression: sympy.Expr, rows: Rows) -> np.ndarray:
    """Return the covariance (k, k) of the formula's k measured numbers, at the noise that its residuals show.

    s²·(J'WJ)^-1, J the derivatives (n, k) by `Program.jacobian`, rows where one is not finite left out; the
    pseudo-inverse where the rows do not determine them all.
    """
    program = Program.compile(expression, rows.symbols)
    values, J = program.jacobian(rows.X)
    weights = np.ones(len(values)) if rows.weights is None else rows.weights
    use = np.isfinite(values) & np.isfinite(J).all(axis=1)
    k = J.shape[1]
    if k == 0:
        return np.zeros((0, 0))
    loss = float(np.sum(weights[use] * (values - rows.y)[use] ** 2)) / max(int(use.sum()), 1)
    variance = rows.sigma2 if rows.sigma2 is not None else loss * use.sum() / max(use.sum() - k, 1)
    scale = np.sqrt(np.sum(weights[use, None] * J[use] ** 2, axis=0))
    scale[scale == 0] = 1.0
    normal = (J[use] * weights[use, None] / scale).T @ (J[use] / scale)
    return variance * np.linalg.pinv(normal, rcond=1e-12, hermitian=True) / np.outer(scale, scale)


def standard_error(
    expression: sympy.Expr, columns: tuple[sympy.Symbol, ...], X: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Return the standard error (n,) of the formula's values on rows X, to first order in its measured
    numbers.
    """
    _, J = Program.compile(expression, columns).jacobian(X)
    return np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", J, covariance, J), 0.0))

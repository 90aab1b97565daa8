"""Every number of a finished formula with its standard error, the recognised ones included.

A constant that was fixed to 3/2 is reported as what a free fit would have given, 1.4999 ± 0.0002, with
the exact value beside it: one Gauss–Newton step from the finished formula, all its numbers freed at once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from kansym.base.linear import norms
from kansym.formula import expression as expressions
from kansym.formula.polish import Constant, Rows
from kansym.formula.program import Program

DETERMINED = 1e-7
"""Smallest singular value, as a share of the largest, at which freed numbers count as determined."""


LONGEST_NAME = 60
"""Signs of a formula in a constant's name; the rest is cut."""

MOST_WITHOUT_SLOPE = 0.1
"""Share of rows without a slope by an exact number above which it is no measured one: 2 in cos(x)**2 where
cos(x) is negative. A row at 0**2 has none either, and is left out."""

CONTRADICTED = 2.5
"""Standard errors from which an exact exponent is taken for a measured one: loses one true one in eighty."""


@dataclass
class Freed:
    """Hold a formula's `template` with a symbol for each of its numbers, by position: value and role."""

    symbols: list[sympy.Symbol]
    exact: list[sympy.Expr]
    places: list[tuple[str, sympy.Expr | None]]
    template: sympy.Expr = sympy.S.Zero

    @staticmethod
    def of(expression: sympy.Expr) -> Freed:
        """Return a formula with its numbers freed."""
        freed = Freed([], [], [])
        freed.template = freed.visit(expression, top=True)
        return freed

    @cached_property
    def roles(self) -> list[str]:
        """Return what each number is in the formula, in words; written when somebody asks."""
        return distinct([word if part is None else f"{word} {_short(part)}" for word, part in self.places])

    @property
    def measured(self) -> list[int]:
        """Return the positions of the numbers that are no exact ones."""
        return [i for i, v in enumerate(self.exact) if v.has(sympy.Float)]

    @property
    def start(self) -> np.ndarray:
        """Return the numbers' values (p,)."""
        return np.array([float(v) for v in self.exact])

    def program(self, columns: Sequence[sympy.Symbol]) -> Program:
        """Return the compiled template, all its numbers free."""
        return Program.compile(self.template, columns, self.symbols, self.start)

    def moved(self, steps: Mapping[int, float]) -> sympy.Expr:
        """Return the formula with some of its numbers moved by these steps."""
        values: list[sympy.Expr] = list(self.exact)
        for i, step in steps.items():
            values[i] = sympy.Float(float(values[i]) + float(step), 17)
        return self.template.xreplace(dict(zip(self.symbols, values, strict=True)))

    def new(self, value: sympy.Expr, word: str, part: sympy.Expr | None = None) -> sympy.Symbol:
        """Return a symbol in the place of a number, which is kept with its role: a word, and of what part."""
        # no column has a name that begins so: one called c0 is not mistaken for a number
        symbol = sympy.Symbol(f"\0c{len(self.symbols)}", real=True)
        self.symbols.append(symbol)
        self.exact.append(value)
        self.places.append((word, part))
        return symbol

    def visit(self, expression: sympy.Expr, top: bool = False) -> sympy.Expr:
        """Return a part of the formula, or its `top`, with its numbers freed."""
        if not expression.args:
            return expression
        if not expression.free_symbols:
            return self.new(expression, "constant")
        if expression.is_Add:
            constant, rest = expression.as_independent(*expression.free_symbols, as_Add=True)
            terms = [self.visit(t) for t in sympy.Add.make_args(rest)]
            role = ("term", None) if top else ("term beside", rest)
            return sympy.Add(*([self.new(constant, *role)] if constant != 0 else []), *terms)
        if expression.is_Mul:
            factor, rest = expression.as_independent(*expression.free_symbols, as_Add=False)
            parts = [self.visit(f) for f in sympy.Mul.make_args(rest)]
            trivial = factor in (1, -1)
            return sympy.Mul(factor if trivial else self.new(factor, "factor of", rest), *parts)
        if expression.is_Pow and expression.base.free_symbols and not expression.exp.free_symbols:
            base, exponent = expression.base, expression.exp
            plain = exponent == -1 or (exponent == sympy.Rational(1, 2) and not base.is_Symbol)
            return self.visit(base) ** (exponent if plain else self.new(exponent, "exponent of", base))
        return expression.func(*(self.visit(a) if a.free_symbols else a for a in expression.args))


def _short(e: sympy.Expr) -> str:
    text = expressions.text(e, 3)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + "..."


def distinct(names: Sequence[str]) -> list[str]:
    """Return names of which no two are alike: the second of two is numbered.

    >>> distinct(["term", "factor of x", "term"])
    ['term', 'factor of x', 'term (2)']
    """
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out


def numbers(expression: sympy.Expr, rows: Rows) -> tuple[Constant, ...]:
    """Return the formula's numbers by position: role, free-fit value, standard error, exact form if exact.

    Floats keep their fitted value; their errors are those of the final fit, exact numbers held. An exact
    number shows theta + (J'J)^-1 J'(y - f), J the derivatives for all numbers at once; where the rows do
    not determine them all, exact ones are held until they do. Floats come first.
    """
    freed = Freed.of(expression)
    if not freed.symbols:
        return ()
    values, J = freed.program(rows.symbols).jacobian(rows.X)
    r, J = -rows.off(values), J * rows.pull(values)[:, None]
    without = np.mean(~np.isfinite(J[np.isfinite(r)]), axis=0) > MOST_WITHOUT_SLOPE
    held = [i for i in np.flatnonzero(without).tolist() if i not in freed.measured]
    J[:, held] = 0.0
    ok = np.isfinite(r) & np.all(np.isfinite(J), axis=1)
    return estimated(freed, J[ok], r[ok], int(ok.sum()), rows.variance, held)


def estimated(
    freed: Freed,
    J: np.ndarray,
    r: np.ndarray,
    count: int,
    variance: Callable[[float, int], float],
    held: Sequence[int] = (),
) -> tuple[Constant, ...]:
    """Return what :func:`numbers` does from slopes J (m, p) and residuals r (m,) that stand for `count` rows.

    `variance` is the noise's, from a mean squared residual and a number of constants. The exact numbers at
    the positions `held` are left as they are, and not told.
    """
    start, floats = freed.start, freed.measured
    exact = [i for i in range(len(start)) if i not in floats and i not in held]
    held = list(held)
    for i in reversed(exact):
        if _determined(J[:, [j for j in floats + exact if j not in held]]):
            break
        held.append(i)
    kept = [j for j in floats + exact if j not in held]
    if not kept or not _determined(J[:, kept]):
        kept = floats
    fitted = _estimate(start, J, r, floats, count, variance)
    freed_fit = _estimate(start, J, r, kept, count, variance)
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
    freed = Freed.of(expression)
    found = numbers(expression, rows)
    if not any(c.exact is not None and _off(c) > CONTRADICTED for c in found):
        return None
    roles = {c.name: c for c in found if c.exact is not None and c.name.startswith("exponent")}
    swap = {}
    for symbol, value, role in zip(freed.symbols, freed.exact, freed.roles, strict=True):
        constant = roles.get(role)
        free = constant is not None and not value.has(sympy.Float) and _off(constant) > CONTRADICTED
        swap[symbol] = sympy.Float(constant.value, 17) if free and constant is not None else value
    changed = freed.template.xreplace(swap)
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
    freed = Freed.of(expression)
    if not freed.symbols:
        return np.zeros((len(rows.y), 0))
    values, J = freed.program(rows.symbols).jacobian(rows.X)
    J = J * rows.pull(values)[:, None]
    J = np.where(np.isfinite(J).all(axis=1)[:, None], J, 0.0)
    kept = freed.measured
    for i in range(len(freed.symbols)):
        if i not in kept and _determined(J[:, [*kept, i]]):
            kept.append(i)
    return J[:, kept]


def _estimate(
    start: np.ndarray,
    J: np.ndarray,
    r: np.ndarray,
    kept: list[int],
    count: int,
    variance: Callable[[float, int], float],
) -> dict[int, tuple[float, float]]:
    """Return free-fit value and standard error of the kept numbers, all others held."""
    if not kept or count <= len(kept):
        return {}
    scale = norms(J[:, kept])
    U, s, Vt = np.linalg.svd(J[:, kept] / scale, full_matrices=False)
    s = np.maximum(s, 1e-14 * s[0])
    step = (Vt.T / s) @ (U.T @ r) / scale
    remaining = r - J[:, kept] @ step
    shown = variance(float(remaining @ remaining) / count, len(kept))
    errors = np.sqrt(shown * np.sum((Vt.T / s) ** 2, axis=1)) / scale
    return {
        j: (float(start[j] + change), float(error))
        for j, change, error in zip(kept, step, errors, strict=True)
        if math.isfinite(change)
    }


def _determined(J: np.ndarray) -> bool:
    """Tell whether the rows determine all constants with these derivatives (n, k)."""
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
    r, J = rows.off(values), J * rows.pull(values)[:, None]
    use = np.isfinite(r) & np.isfinite(J).all(axis=1)
    k = J.shape[1]
    if k == 0:
        return np.zeros((0, 0))
    loss = float(np.sum(r[use] ** 2)) / max(int(use.sum()), 1)
    variance = rows.sigma2 if rows.sigma2 is not None else loss * use.sum() / max(use.sum() - k, 1)
    scale = np.sqrt(np.sum(J[use] ** 2, axis=0))
    scale[scale == 0] = 1.0
    normal = (J[use] / scale).T @ (J[use] / scale)
    return variance * np.linalg.pinv(normal, rcond=1e-12, hermitian=True) / np.outer(scale, scale)


def standard_error(
    expression: sympy.Expr, columns: tuple[sympy.Symbol, ...], X: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Return the standard error (n,) of a formula's values on rows X, to first order."""
    _, J = Program.compile(expression, columns).jacobian(X)
    return np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", J, covariance, J), 0.0))

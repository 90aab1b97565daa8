"""Constants fitted to more rows than memory holds: what the rows say of them, summed over batches.

Least squares needs of its rows only the triangular factor R of [J r] = QR, J the slopes (n, p) and r the
residuals (n,); two batches' factors, one above the other, have the factor of both (Golub and Van Loan, Matrix
Computations, 5.3). So each pass over the rows gives the Gauss-Newton step of a whole front, the loss, and the
constants' errors, exactly as all rows at once would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from kansym.base.linear import UNDETERMINED, norms, span
from kansym.formula.polish import Rows
from kansym.formula.uncertainty import Freed

Parts = Callable[[], Iterable[Rows]]
"""Reads all rows anew, batch by batch, each time it is called."""

BLOCK = 16_384
"""Rows that are factorised at a time: they stay in the cache (2^17 rows of 7 numbers take 4 ms, not 11)."""

MOST_PASSES = 5
"""Passes over the rows; from a sample's constants one step and a look at it are enough as a rule."""

STILL = 1e-6
"""Gain of a step, as a share of the noise's variance, below which it is none: a thousandth of an error."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Hold what all rows say of a formula's numbers, the exact ones too: R (p+1, p+1) of slopes and
    residuals.

    `floor` is the loss that is round-off; `undefined` counts rows where the formula has no value.
    """

    factor: np.ndarray
    count: int
    floor: float
    sigma2: float | None
    undefined: int

    @property
    def slopes(self) -> np.ndarray:
        """Return rows (p+1, p) with the same inner products as all slopes."""
        return self.factor[:, :-1]

    @property
    def residuals(self) -> np.ndarray:
        """Return values (p+1,) with the same inner products as all residuals."""
        return self.factor[:, -1]

    @property
    def loss(self) -> float:
        """Return the mean weighted squared residual; infinite where the formula has no value."""
        if self.undefined or not self.count:
            return math.inf
        return float(self.residuals @ self.residuals) / self.count

    def variance(self, loss: float, constants: int) -> float:
        """Return the noise variance that a loss shows, never below the known one."""
        shown = max(loss, self.floor) * self.count / max(self.count - constants, 1)
        return shown if self.sigma2 is None else max(shown, self.sigma2)


@dataclass(frozen=True, eq=False)
class Refitted:
    """Hold a formula fitted to all rows, what they say of it, and its loss there before the fit."""

    expression: sympy.Expr
    sums: Sums
    before: float


def refitted(formulas: Sequence[sympy.Expr], parts: Parts) -> list[Refitted]:
    """Return formulas with every Float fitted to all rows, by Gauss-Newton steps from where they are.

    A step that makes the loss larger is not taken, and ends a formula's fit. Exact numbers stay.
    """
    current = list(formulas)
    best = summed(current, parts)
    before = [s.loss for s in best]
    active = set(range(len(current)))
    for _ in range(MOST_PASSES - 1):
        moved = {k: new for k in sorted(active) if (new := _stepped(current[k], best[k])) is not None}
        if not moved:
            break
        found = summed(list(moved.values()), parts)
        for (k, new), sums in zip(moved.items(), found, strict=True):
            if sums.loss < best[k].loss:
                current[k], best[k] = new, sums
            else:
                active.discard(k)
        active &= set(moved)
    return [Refitted(*one) for one in zip(current, best, before, strict=True)]


def summed(formulas: Sequence[sympy.Expr], parts: Parts) -> list[Sums]:
    """Return what all rows say of each formula's numbers, in one pass."""
    freed = [Freed.of(formula) for formula in formulas]
    factors = [np.zeros((len(f.symbols) + 1,) * 2) for f in freed]
    undefined = [0] * len(freed)
    count, square, sigma2 = 0, 0.0, None
    programs: list = []
    for rows in parts():
        programs = programs or [f.program(rows.symbols) for f in freed]
        root = None if rows.weights is None else np.sqrt(rows.weights)
        for at in range(0, len(rows.y), BLOCK):
            some = slice(at, at + BLOCK)
            X, y = rows.X[some], rows.y[some]
            for k, program in enumerate(programs):
                values, J = program.jacobian(X)
                block = np.column_stack([J, y - values])
                if root is not None:
                    block *= root[some, None]
                lost = ~np.isfinite(block[:, -1])
                if not np.isfinite(block).all():
                    block = np.where(np.isfinite(block), block, 0.0)
                    undefined[k] += int(lost.sum())
                factors[k] = _stacked(factors[k], block)
        count, square, sigma2 = count + len(rows.y), square + rows.floor * len(rows.y), rows.sigma2
    floor = square / max(count, 1)
    return [Sums(f, count, floor, sigma2, n) for f, n in zip(factors, undefined, strict=True)]


def _stacked(factor: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Return the triangular factor of rows and further rows, square whatever their number."""
    found = np.asarray(np.linalg.qr(np.vstack([factor, block]), mode="r"))
    return (
        found
        if len(found) == len(factor)
        else np.vstack([found, np.zeros((len(factor) - len(found), len(factor)))])
    )


def _stepped(formula: sympy.Expr, sums: Sums) -> sympy.Expr | None:
    """Return the formula after a Gauss-Newton step of its Floats; None where it would gain nothing."""
    freed = Freed.of(formula)
    floats = freed.measured
    if not floats or not math.isfinite(sums.loss) or sums.loss <= sums.floor:
        return None
    J, r = sums.slopes[:, floats], sums.residuals
    scale = norms(J)
    U, s, Vt = span(J / scale, UNDETERMINED)
    along = U.T @ r
    if along @ along <= STILL * sums.variance(sums.loss, len(floats)):
        return None
    step = (Vt.T / s) @ along / scale
    return freed.moved(dict(zip(floats, step, strict=True)))

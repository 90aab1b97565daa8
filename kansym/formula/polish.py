"""Joint refit of every constant of an expression, to machine precision, with uncertainty.

`polish` fits a formula; which of its constants may be exact numbers is for `settling`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import sympy
from scipy import optimize

from kansym.base import criterion, digits
from kansym.base.leastsq import levenberg_marquardt
from kansym.base.losses import SQUARED, Loss
from kansym.base.weights import roots
from kansym.formula.program import Program
from kansym.formula.straight import often

STEPS = 60
"""Levenberg–Marquardt steps for a full polish; a refit after fixing one constant takes fewer."""

ROUNDS, STEPS_A_ROUND = 30, 4
"""Rounds of reweighting for a loss other than the square, and steps of each."""


WRITTEN = 4.0
"""How many times the mean square of the target's own rounding an exact law may leave: few rows of uneven
rounding, each without itself."""


@dataclass(frozen=True)
class Rows:
    """Hold the rows a formula is fitted to: X (n, d), y (n,), weights (n,) or None, column symbols.

    `sigma2` is the known variance of the weighted noise (1 where weights come from measurement errors),
    None where only the residuals tell it. `penalty` is what residuals cost; other than the square, it is
    given as the mean square that stands for it (see `losses`). Where noise is of the logarithm, `middle` is
    the size of the middle value, and a row is off by middle·log(f/y), whatever it weighs in a search.
    """

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    symbols: tuple[sympy.Symbol, ...]
    sigma2: float | None = None
    penalty: Loss = SQUARED
    middle: float = 0.0
    floor: float = field(init=False)

    def __post_init__(self) -> None:
        """Compute the loss below which all formulas count as exact."""
        object.__setattr__(self, "floor", criterion.floor(self.y, self.weights))

    @cached_property
    def root(self) -> np.ndarray:
        """Return the roots (n,) of the rows' weights, ones without."""
        return roots(self.weights, len(self.y))

    def thinned(self, most: int) -> Rows:
        """Return at most so many of the rows, evenly spread."""
        if len(self.y) <= most:
            return self
        at = np.linspace(0, len(self.y) - 1, most).astype(int)
        weights = None if self.weights is None else self.weights[at]
        return replace(self, X=self.X[at], y=self.y[at], weights=weights)

    def off(self, values: np.ndarray) -> np.ndarray:
        """Return what the rows are off by (n,) from a formula's values, as they weigh."""
        if self.middle:
            return self.middle * np.log(values / self.y)
        return (values - self.y) * self.root

    def pull(self, values: np.ndarray) -> np.ndarray:
        """Return the derivatives (n,) of what the rows are off by, by the formula's values."""
        return self.middle / values if self.middle else self.root

    @cached_property
    def resolution(self) -> float:
        """Return the mean square by which the target's own rounding puts rows off, at least: step²/12.

        Of a row in the middle, since a fit follows the few that move in larger steps. Where all are finer
        than look-alikes come, a few times their mean: all such formulas are exact.
        """
        w = 1.0 if self.weights is None else self.weights
        squares = w * digits.steps(self.y) ** 2 / 12
        mean = float(np.mean(squares))
        return WRITTEN * mean if self.fine(mean) else float(np.median(squares))

    def fine(self, square: float) -> bool:
        """Tell whether a mean square is so small a part of the target's that no look-alike leaves it."""
        weight = 1.0 if self.weights is None else float(np.mean(self.weights))
        return square <= criterion.EXACT_JOIN**2 * weight * float(np.var(self.y))

    def counted(self, loss: float) -> float:
        """Return the loss that counts: one below the target's digits is luck, unless it is exact."""
        return self.floor if loss <= self.floor else max(loss, self.resolution)

    def variance(self, loss: float, constants: int) -> float:
        """Return the noise variance that a loss shows, never below the known one."""
        shown = self.counted(loss) * len(self.y) / max(len(self.y) - constants, 1)
        return shown if self.sigma2 is None else max(shown, self.sigma2)

    def loss(self, values: np.ndarray) -> float:
        """Return the mean weighted squared error, or what stands for it; infinite where undefined."""
        if not self.penalty.squared:
            return self.penalty.as_square(values, self.y, self.weights)
        r = self.off(values)
        out = float(np.mean(r * r))
        return out if math.isfinite(out) else math.inf

    @property
    def centre(self) -> float:
        """Return the best constant: the rows' weighted mean, of logarithms their geometric one."""
        if self.middle:
            return math.exp(float(np.mean(np.log(self.y))))
        return float(np.average(self.y, weights=self.weights))


@dataclass(frozen=True)
class Constant:
    """Report one constant: name in the formula's template, value, standard error, exact form if nice."""

    name: str
    value: float
    stderr: float
    exact: sympy.Expr | None = None


@dataclass(frozen=True, eq=False)
class Polished:
    """Hold an expression whose free constants are at their least-squares values.

    `covariance` is in the order of `program.parameters`, at the noise that the residuals show;
    `fixed` lists the constants that were recognised, with the value they had before.
    """

    program: Program
    theta: np.ndarray
    covariance: np.ndarray
    loss: float
    fixed: tuple[Constant, ...] = ()

    @cached_property
    def expression(self) -> sympy.Expr:
        """Return the formula with its constants written in."""
        return self.program.expression(self.theta)

    def slopes(self, rows: Rows) -> np.ndarray:
        """Return the weighted derivatives (n, constants); zero on rows where one is not finite."""
        values, J = self.program.jacobian(rows.X, self.theta)
        J = J * rows.pull(values)[:, None]
        return np.where(np.isfinite(J).all(axis=1)[:, None], J, 0.0)

    @property
    def free(self) -> tuple[Constant, ...]:
        """Return the constants that stay real numbers, with their standard errors."""
        errors = np.sqrt(np.clip(np.diag(self.covariance), 0, None))
        return tuple(
            Constant(p.name, float(v), float(s))
            for p, v, s in zip(self.program.parameters, self.theta, errors, strict=True)
        )


def polish(
    expression: sympy.Expr, rows: Rows, steps: int = STEPS, fixed: tuple[Constant, ...] = ()
) -> Polished | None:
    """Fit every Float of the expression by least squares: min mean w·(f(X; theta) − y)².

    Returns None when the expression is undefined on the rows at its start. Source of the method:
    Levenberg–Marquardt with analytic derivatives (`leastsq`, `program`).
    """
    return fit(Program.compile(expression, rows.symbols), rows, steps, fixed)


def fit(program: Program, rows: Rows, steps: int, fixed: tuple[Constant, ...] = ()) -> Polished | None:
    """Fit the parameters of a compiled expression from its start; None where that is undefined."""
    if len(program.parameters) == 0 or len(program.parameters) > len(rows.y):
        loss = rows.loss(program.value(rows.X))
        if not math.isfinite(loss):
            return None
        empty = np.zeros((len(program.parameters),) * 2)
        return Polished(program, program.start, empty, loss, fixed)

    jacobian = often(program, rows.X)

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weighted residuals (n,) and their derivatives by every constant."""
        values, slopes = jacobian(theta)
        return rows.off(values), slopes * rows.pull(values)[:, None]

    start = residual(program.start)[0]
    if not np.all(np.isfinite(start)):
        return None
    best = levenberg_marquardt(residual, program.start, max_steps=steps)
    if not rows.penalty.squared:
        return _reweighted(program, rows, best.theta, fixed)
    loss = rows.loss(program.value(rows.X, best.theta))
    spare = max(len(rows.y) - len(best.theta), 1)
    inflate = rows.variance(loss, len(best.theta)) / max(best.cost / spare, np.finfo(float).tiny)
    return Polished(program, best.theta, best.covariance * inflate, loss, fixed)


def _reweighted(
    program: Program, rows: Rows, theta: np.ndarray, fixed: tuple[Constant, ...]
) -> Polished | None:
    """Fit the parameters for a loss other than the square, from the least-squares fit.

    Iteratively reweighted least squares (Holland and Welsch 1977), each round kept only where the loss
    falls; errors by the sandwich H^-1 (J'G²J) H^-1, G the loss's slopes (Huber 1967).
    """
    given = np.ones(len(rows.y)) if rows.weights is None else rows.weights
    loss = rows.loss(program.value(rows.X, theta))
    if not math.isfinite(loss):
        return None
    for _ in range(ROUNDS):
        root = np.sqrt(given * rows.penalty.weights(program.value(rows.X, theta), rows.y))

        def residual(c: np.ndarray, root: np.ndarray = root) -> tuple[np.ndarray, np.ndarray]:
            """Return the residuals (n,) as the loss weighs them, and their derivatives."""
            values, slopes = program.jacobian(rows.X, c)
            return (values - rows.y) * root, slopes * root[:, None]

        new = levenberg_marquardt(residual, theta, max_steps=STEPS_A_ROUND).theta
        better = rows.loss(program.value(rows.X, new))
        if not better < loss * (1 - 1e-10):
            break
        theta, loss = new, better
    if rows.penalty.own is not None:
        theta, loss = _descended(program, rows, given, theta, loss)
    values, J = program.jacobian(rows.X, theta)
    J = np.where(np.isfinite(J).all(axis=1)[:, None], J, 0.0)  # 0**c has no slope by c
    weights = given * rows.penalty.weights(values, rows.y)
    with np.errstate(over="ignore"):
        scale = np.sqrt(np.sum(weights[:, None] * J * J, axis=0)) + np.finfo(float).tiny
    inverse = np.linalg.pinv((J * weights[:, None] / scale).T @ (J / scale), rcond=1e-12, hermitian=True)
    pull = J / scale * (weights * (values - rows.y))[:, None]
    spare = len(rows.y) / max(len(rows.y) - len(theta), 1)
    covariance = spare * inverse @ (pull.T @ pull) @ inverse / np.outer(scale, scale)
    return Polished(program, theta, covariance, loss, fixed)


def _descended(
    program: Program, rows: Rows, given: np.ndarray, theta: np.ndarray, loss: float
) -> tuple[np.ndarray, float]:
    """Return the constants after a descent by the loss's own slopes (BFGS), where that helps."""
    size = np.maximum(np.abs(theta), 1e-8)

    def cost(c: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the mean loss and its slopes by the constants, in units of their size."""
        values, J = program.jacobian(rows.X, c * size)
        mean = rows.penalty.mean(values, rows.y, given)
        slope = J.T @ (given * rows.penalty.slopes(values, rows.y)) * size / len(rows.y)
        fine = math.isfinite(mean) and bool(np.all(np.isfinite(slope)))
        return (mean, slope) if fine else (1e300, np.zeros(len(c)))

    found = optimize.minimize(cost, theta / size, jac=True, method="BFGS").x * size
    better = rows.loss(program.value(rows.X, found))
    return (found, better) if better < loss else (theta, loss)

"""Fit a family's curve: linear constants projected out, the others from many starts, the best ones refined.

Variable projection (Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973) with Kaufman's Jacobian (BIT 15, 1975).
Constants of a denominator are started by iterated linear least squares (Sanathanan and Koerner, IEEE Trans.
Autom. Control 8, 1963). Work is bounded by the number of starts and of steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy

from kansym.base.leastsq import variable_projection
from kansym.base.linear import norms
from kansym.base.weights import roots
from kansym.data.dataset import Dataset
from kansym.formula.program import Program
from kansym.formula.straight import Straight, straight
from kansym.search.families import starts
from kansym.search.families.family import INPUTS, Form

GRID_ROWS = 150
"""Rows that starts are compared on; more where a wave needs them."""

FIT_ROWS = 1000
"""Rows of a fit that is refined, at most."""

REFINED = 3
"""Starts that are refined."""

QUICK_STEPS, TERM_STEPS, FULL_STEPS = 8, 30, 80
"""Steps of a rough fit, of one with several terms, whose valleys are narrow, and of a finished one."""

REWEIGHTED = 8
"""Iterations of a ratio's linear least squares."""

RIDGE = 1e-11
"""Share of a Gram matrix's diagonal that is added to it: dependent columns then do no harm to a ranking."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Hold what is fitted: X (n, columns), y (n,), root weights w (n,)."""

    X: np.ndarray
    y: np.ndarray
    w: np.ndarray

    @staticmethod
    def of(dataset: Dataset) -> Rows:
        """Return a table's rows, with root weights of mean one."""
        root = roots(dataset.weights, dataset.rows)
        return Rows(dataset.X, dataset.y, root / root.mean())

    def thinned(self, most: int) -> Rows:
        """Return at most so many rows, evenly spread along the first input."""
        if len(self.y) <= most:
            return self
        order = np.argsort(self.X[:, 0], kind="stable")
        at = np.sort(order[np.linspace(0, len(order) - 1, most).astype(int)])
        return Rows(self.X[at], self.y[at], self.w[at])


@dataclass(frozen=True, eq=False)
class Fitted:
    """Hold a fitted form: its constants' values and the weighted sum of squares on the rows fitted."""

    form: Form
    theta: np.ndarray
    cost: float
    rows: int

    @property
    def expression(self) -> sympy.Expr:
        """Return the formula over the inputs with its constants written in."""
        return written(self.form, self.theta)


def written(form: Form, theta: np.ndarray, inputs: Sequence[sympy.Expr] = INPUTS) -> sympy.Expr:
    """Return a form with these constants and inputs written in."""
    numbers = {s: sympy.Float(float(v), 17) for s, v in zip(form.constants, theta, strict=True)}
    return form.formula.xreplace({**numbers, **dict(zip(INPUTS, inputs, strict=False))})


@lru_cache(maxsize=512)
def program_of(form: Form) -> Program:
    """Return the form compiled: inputs in, its constants as parameters, the linear ones first."""
    return Program.compile(form.formula, INPUTS[: form.columns], form.constants)


@lru_cache(maxsize=512)
def _straight_of(form: Form) -> Straight:
    """Return the form compiled for many calls on few rows."""
    return straight(program_of(form))


@lru_cache(maxsize=512)
def _parts(form: Form) -> tuple[Program, Program]:
    """Return the numerator and the denominator of a form with constants inside, compiled."""
    over, under = sympy.fraction(sympy.together(form.formula))
    columns = INPUTS[: form.columns]
    return Program.compile(over, columns, form.constants), Program.compile(under, columns, form.constants)


def denominator(form: Form) -> Program:
    """Return a form's denominator, compiled: where it changes sign the curve has a pole."""
    return _parts(form)[1]


def fit(form: Form, rows: Rows, before: Fitted | None = None, steps: int = QUICK_STEPS) -> Fitted | None:
    """Return the best fit of a form from its starts, None where none is defined on the rows.

    `before` is the same family with a term less: its constants are kept as starts, only the new term's vary.
    """
    wave = any(s.role == "frequency" for s in form.starts)
    small = rows.thinned(starts.SPECTRUM_ROWS if wave else GRID_ROWS)
    grid = _grid(form, small, before)
    if form.inside:
        grid = _with_inside(form, small, grid)
    found = [refined(form, theta, rows, steps) for theta in _best(form, grid, small)]
    return min((f for f in found if f is not None), key=lambda f: f.cost, default=None)


def glance(form: Form, rows: Rows) -> float:
    """Return the least weighted sum of squares that any start of a form leaves, nothing refined."""
    small = rows.thinned(GRID_ROWS)
    return float(costs(form, _grid(form, small, None), small).min()) * len(rows.y) / len(small.y)


def _grid(form: Form, rows: Rows, before: Fitted | None) -> np.ndarray:
    """Return starts (S, others) of the constants that are not linear."""
    if before is None:
        return starts.combinations(form.starts, rows.X, _left(form, rows))
    kept = before.theta[len(before.form.linear) + len(before.form.inside) :]
    new = starts.combinations(form.starts[len(kept) :], rows.X, _left_by(before, rows))
    return np.hstack([np.broadcast_to(kept, (len(new), len(kept))), new])


def _left(form: Form, rows: Rows) -> np.ndarray:
    """Return what the powers of x that a form has beside its waves leave of y, for a spectrum."""
    x = rows.X[:, 0]
    A = np.column_stack([np.ones_like(x), x]) if len(form.linear) > 2 else np.ones((len(x), 1))
    if len(form.linear) < 2:
        return rows.y
    return rows.y - A @ np.linalg.lstsq(A, rows.y, rcond=None)[0]


def _left_by(before: Fitted, rows: Rows) -> np.ndarray:
    """Return what a fitted form leaves of y, 0 where it is undefined."""
    left = rows.y - program_of(before.form).value(rows.X, before.theta)
    return np.where(np.isfinite(left), left, 0.0)


def _best(form: Form, grid: np.ndarray, rows: Rows) -> np.ndarray:
    """Return the starts of least cost, no two of them alike."""
    if len(grid) <= 1:
        return grid
    cost = costs(form, grid, rows)
    spread = np.ptp(grid, axis=0)
    spread[spread == 0] = 1.0
    chosen: list[int] = []
    for i in np.argsort(cost, kind="stable"):
        if not np.isfinite(cost[i]) or len(chosen) == REFINED:
            break
        apart = [np.abs((grid[i] - grid[j]) / spread).max() > 0.1 for j in chosen]
        if all(apart):
            chosen.append(int(i))
    return grid[chosen]


def costs(form: Form, grid: np.ndarray, rows: Rows) -> np.ndarray:
    """Return the weighted sum of squares (S,) that the best linear constants leave at each start."""
    program, m = program_of(form), len(form.linear)
    theta = np.hstack([np.zeros((len(grid), m)), grid])
    rest = program.batch(rows.X, theta)
    basis = []
    for i in range(m):
        one = theta.copy()
        one[:, i] = 1.0
        basis.append((program.batch(rows.X, one) - rest) * rows.w)
    target = (rows.y - rest) * rows.w
    if not m:
        return _finite(np.sum(target**2, axis=1))
    A = np.stack(basis, axis=2)
    with np.errstate(all="ignore"):
        norm = np.sqrt(np.sum(A * A, axis=1))
        bad = ~np.all(np.isfinite(norm), axis=1) | np.any(norm == 0, axis=1) | ~np.isfinite(target.sum(1))
        A = np.where(bad[:, None, None], 0.0, A / norm[:, None, :])
        target = np.where(bad[:, None], 0.0, target)
        gram = np.einsum("snm,snk->smk", A, A) + RIDGE * np.eye(m)
        side = np.einsum("snm,sn->sm", A, target)
        solved = np.linalg.solve(gram, side[:, :, None])[:, :, 0]
        left = target - np.einsum("snm,sm->sn", A, solved)
        cost = np.sum(left * left, axis=1)
    return np.where(bad, np.inf, _finite(cost))


def _finite(cost: np.ndarray) -> np.ndarray:
    """Return costs with NaN as infinity."""
    return np.where(np.isfinite(cost), cost, np.inf)


def _with_inside(form: Form, rows: Rows, grid: np.ndarray) -> np.ndarray:
    """Return the starts with the constants of the denominator before them, solved for at each."""
    m, k = len(form.linear), len(form.inside)
    found = []
    for others in grid:
        for theta in _ratios(form, rows, others):
            found.append(np.concatenate([theta[m : m + k], others]))
    return np.array(found).reshape(len(found), k + grid.shape[1])


def _ratios(form: Form, rows: Rows, others: np.ndarray) -> Iterator[np.ndarray]:
    """Yield constants of N(c)/D(b) = y by iterated least squares of (N(c) - y·D(b))/D(b before).

    The first D is 1, and then one that grows as the terms of the denominator do.
    """
    over, under = _parts(form)
    m, k = len(form.linear), len(form.inside)
    theta = np.concatenate([np.zeros(m + k), others])
    N0, N = over.jacobian(rows.X, theta)
    D0, D = under.jacobian(rows.X, theta)
    D = D[:, m : m + k]
    A, target = np.hstack([N[:, :m], -rows.y[:, None] * D]), rows.y * D0 - N0
    if not (np.all(np.isfinite(A)) and np.all(np.isfinite(target))):
        return
    sizes = np.median(np.abs(D), axis=0)
    for first in (np.ones(len(rows.y)), 1 + np.sum(np.abs(D) / np.where(sizes > 0, sizes, 1.0), axis=1)):
        below, best, least = first, None, np.inf
        for _ in range(REWEIGHTED):
            if not np.all(np.isfinite(below)) or np.any(below == 0):
                break
            weight = rows.w / np.abs(below)
            scale = norms(A * weight[:, None])
            found = np.linalg.lstsq(A * weight[:, None] / scale, target * weight, rcond=1e-14)[0] / scale
            new, below = np.concatenate([found, others]), D0 + D @ found[m:]
            cost = float(np.sum((rows.w * (program_of(form).value(rows.X, new) - rows.y)) ** 2))
            if np.isfinite(cost) and cost < least:
                best, least = new, cost
        if best is not None:
            yield best


def refined(form: Form, start: np.ndarray, rows: Rows, steps: int) -> Fitted | None:
    """Return the fit that Levenberg–Marquardt reaches from a start of the constants that are not linear."""
    program, m = _straight_of(form), len(form.linear)
    rows = rows.thinned(FIT_ROWS)
    columns = np.ascontiguousarray(rows.X.T)

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weighted residuals (n,) and their derivatives by all constants."""
        values, J = program.jacobian(columns, theta)
        return (values - rows.y) * rows.w, J * rows.w[:, None]

    fit = variable_projection(residual, np.asarray(start, float), m, max_steps=steps)
    return Fitted(form, fit.theta, fit.cost, len(rows.y)) if np.isfinite(fit.cost) else None

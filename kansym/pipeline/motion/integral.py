"""The integrated form of a law: x(t) - x(0) is the integral of its right side along the smooth curves.

Noise stays as it was measured, one value a row, where slopes would magnify it; constants come out right to
the noise over the root of the rows (integral matching; Dattner and Klaassen, Electronic J. Statistics 9,
2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import sympy

from kansym.base.leastsq import LeastSquares, levenberg_marquardt
from kansym.data.units import factors
from kansym.formula.program import Program
from kansym.functions.parsing import symbols
from kansym.pipeline.motion.dimensions import Powers, consistent, powers, rate
from kansym.pipeline.motion.smooth import Smooth, smooth
from kansym.pipeline.motion.trajectory import TIME, Series, Trajectory

NODES = 4
"""Gauss nodes between two rows: the integral is exact for curves of degree seven, as the splines are."""

SHARPEST = 1e-6
"""Least noise, as a share of a state's SD, that the integrated form is weighed with: the smooth curves of
clean rows are right to 1e-8 on slow systems, to 5e-5 on fast ones, and what they lack is no term of the
law."""

STILL = 1e-9
"""Share of its size by which a column may vary, by the rounding of smooth curves, and not change."""

REMEMBERED = 16
"""Motions and states whose projections are kept: every scanned column asks for them again."""

SHARP = 1e-4
"""Noise as a share of a state's SD below which rows count as clean."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Hold one run at its quadrature nodes.

    `columns` (nodes, states + inputs + time) are what a right side is evaluated on, `slopes` (nodes, states)
    the smooth curves' own, `weights` (nodes,) the quadrature's, `at` (rows,) how many nodes come before a
    row.
    """

    run: Trajectory
    curves: tuple[Smooth, ...]
    times: np.ndarray
    columns: np.ndarray
    slopes: np.ndarray
    weights: np.ndarray
    at: np.ndarray

    def part(self, rows: int) -> Stretch:
        """Return the first so many rows of the run with their nodes."""
        nodes = int(self.at[rows - 1])
        return replace(
            self,
            run=self.run.part(slice(0, rows)),
            curves=tuple(replace(c, noise=c.noise[:rows]) for c in self.curves),
            times=self.times[:nodes],
            columns=self.columns[:nodes],
            slopes=self.slopes[:nodes],
            weights=self.weights[:nodes],
            at=self.at[:rows],
        )

    def begin(self, row: int, order: int) -> np.ndarray:
        """Return the smooth curves' states at a row, for order 2 then their speeds.

        A curve may overshoot: within the measured range, or populations would start below zero and run away.
        """
        time = self.run.t[row]
        states = [float(c.value(time)) for c in self.curves]
        within = np.clip(states, np.nanmin(self.run.X, axis=0), np.nanmax(self.run.X, axis=0))
        return np.array([*within, *(float(c.slope(time)) for c in self.curves if order == 2)])

    def integrals(self, values: np.ndarray, order: int = 1) -> np.ndarray:
        """Return the integral of values (nodes, ...) from the first row to each row, once or twice."""
        weighted = (values.T * self.weights).T
        once = _before(weighted, self.at)
        if order == 1:
            return once
        moments = _before((weighted.T * self.times).T, self.at)
        return (once.T * self.run.t).T - moments


def _before(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the sums of the values before each row."""
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    return total[at]


@dataclass(frozen=True, eq=False)
class Motion:
    """Hold all runs of a system at their nodes: what right sides are fitted to, first or second order.

    With a `window` initial values are unknown again every so many rows, so that what smooth curves lack does
    not add up over a long run. `only` are the names that right sides may hold, where not all of them.
    """

    series: Series
    stretches: tuple[Stretch, ...]
    order: int
    window: int = 0
    only: frozenset[str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return what a right side may depend on: states, for order 2 their speeds, inputs, and the time."""
        speeds = tuple(speed(s) for s in self.series.states) if self.order == 2 else ()
        taken = (*self.series.states, *speeds, *self.series.inputs)
        every = taken if TIME in taken else (*taken, TIME)
        return every if self.only is None else tuple(n for n in every if n in self.only)

    def varying(self) -> Motion:
        """Return the same without the columns that never change: no right side can tell what for."""
        still = [n for n, v in zip(self.names, self.columns.T, strict=True) if np.ptp(v) <= STILL * abs(v[0])]
        return replace(self, only=frozenset(self.names) - frozenset(still)) if still else self

    @cached_property
    def units(self) -> dict[str, Powers]:
        """Return the unit of each name, a speed's from its state's and the time's."""
        given = dict(self.series.units)
        named = {*self.series.states, *self.series.inputs}
        time = None if TIME in named else given.pop(TIME, None)
        units = powers(given, self.names)
        if TIME in units and TIME not in given and time is not None:
            units[TIME] = dict(factors(time))
        if self.order == 2:
            units |= {speed(s): rate(powers(given, (s,))[s], time) for s in self.series.states}
        return units

    def consistent(self, formula: sympy.Expr) -> bool:
        """Tell whether the names' units allow a formula."""
        return not self.series.units or consistent(formula, self.units)

    @cached_property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """Return one real symbol for each name."""
        return symbols(self.names)

    @cached_property
    def columns(self) -> np.ndarray:
        """Return the columns of the names at the nodes, runs one below the other."""
        every = np.vstack([s.columns for s in self.stretches])
        if self.only is None:
            return every
        names = replace(self, only=None).names
        return every[:, [k for k, n in enumerate(names) if n in self.only]]

    @cached_property
    def slopes(self) -> np.ndarray:
        """Return what the right sides should be at the nodes, by the smooth curves (nodes, states)."""
        return np.vstack([s.slopes for s in self.stretches])

    def target(self, state: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a state's measured values, runs one below the other, and the noise's SD, known rows only."""
        values = np.concatenate([s.run.X[:, state] for s in self.stretches])
        noise = np.concatenate([_noise(s, state) for s in self.stretches])
        known = np.isfinite(values)
        floor = SHARPEST * float(np.std(values[known]))
        return values[known], np.maximum(noise[known], floor)

    def clean(self, state: int) -> bool:
        """Tell whether there is next to no noise on a state."""
        values, noise = self.target(state)
        return bool(np.median(noise) < SHARP * np.std(values))

    def known(self, state: int) -> np.ndarray:
        """Return which rows have a measured value of a state."""
        return np.concatenate([np.isfinite(s.run.X[:, state]) for s in self.stretches])

    def integrals(self, values: np.ndarray, state: int) -> np.ndarray:
        """Return the integrals of values (nodes, k) at the rows where a state is known (rows, k)."""
        parts, start = [], 0
        for s in self.stretches:
            end = start + len(s.times)
            parts.append(s.integrals(values[start:end], self.order))
            start = end
        return np.concatenate(parts)[self.known(state)]

    def offsets(self, state: int) -> np.ndarray:
        """Return the columns of the unknown initial values (rows, windows or twice as many)."""
        total = sum(s.run.rows for s in self.stretches)
        out, row = [], 0
        for s in self.stretches:
            length = self.window or s.run.rows
            for first in range(0, max(s.run.rows - length // 2, 1), length):
                last = first + length if first + length + length // 2 < s.run.rows else s.run.rows
                block = np.zeros((total, self.order))
                block[row + first : row + last, 0] = 1.0
                if self.order == 2:
                    block[row + first : row + last, 1] = s.run.t[first:last] - s.run.t[first]
                out.append(block)
            row += s.run.rows
        known = np.hstack(out)[self.known(state)]
        return known[:, np.any(known != 0, axis=0)]


def speed(state: str) -> str:
    """Return the name of a state's time derivative."""
    return f"d{state}"


def _noise(stretch: Stretch, state: int) -> np.ndarray:
    """Return the noise's SD at each row, NaN where a state is unknown."""
    out = np.full(stretch.run.rows, np.nan)
    out[np.isfinite(stretch.run.X[:, state])] = stretch.curves[state].noise
    return out


def motion(series: Series, order: int = 1, rough: bool = False) -> Motion:
    """Return the smooth curves of all runs at their quadrature nodes; rough ones follow the rows closely."""
    curves = []
    for run in series.runs:
        known = np.isfinite(run.X)
        curves.append(
            [smooth(run.t[known[:, k]], run.X[known[:, k], k], rough) for k in range(run.X.shape[1])]
        )
    return _at_nodes(series, curves, order)


def resmoothed(moving: Motion, paths: Sequence[tuple[np.ndarray, np.ndarray]]) -> Motion:
    """Return the same motion with simulated paths (times, states) in the place of its smooth curves.

    The measured values and their noise stay as they are.
    """
    curves = []
    for stretch, (times, states) in zip(moving.stretches, paths, strict=True):
        run = [smooth(times, states[:, k]) for k in range(states.shape[1])]
        curves.append([replace(c, noise=old.noise) for c, old in zip(run, stretch.curves, strict=True)])
    return _at_nodes(moving.series, curves, moving.order)


def _at_nodes(series: Series, smooths: Sequence[Sequence[Smooth]], order: int) -> Motion:
    """Return runs and their smooth curves at the quadrature nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    stretches = []
    for run, found in zip(series.runs, smooths, strict=True):
        curves = tuple(found)
        half = 0.5 * np.diff(run.t)
        times = (run.t[:-1, None] + half[:, None] * (nodes + 1)).ravel()
        values = np.column_stack([c.value(times) for c in curves])
        slopes = np.column_stack([c.slope(times) for c in curves])
        columns = [values, *([slopes] if order == 2 else []), run.driven(times), times[:, None]]
        if order == 2:
            slopes = np.column_stack([c.spline.derivative(2)(times) for c in curves])
        stretches.append(
            Stretch(
                run,
                curves,
                times,
                np.hstack(columns),
                slopes,
                (half[:, None] * weights).ravel(),
                NODES * np.arange(run.rows),
            )
        )
    return Motion(series, tuple(stretches), order)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Hold a right side fitted to the integrated form; chi2 is the sum of squared residuals over SD."""

    program: Program
    theta: np.ndarray
    chi2: float
    covariance: np.ndarray

    @property
    def expression(self) -> sympy.Expr:
        """Return the right side with its constants written in."""
        return self.program.expression(self.theta)


@lru_cache(maxsize=REMEMBERED)
def weighed(moving: Motion, state: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a state's measured values, their noise, and orthonormal columns of its unknown initial values.

    These (rows, initial values) are in units of the noise.
    """
    y, noise = moving.target(state)
    return y, noise, np.linalg.qr(moving.offsets(state) / noise[:, None])[0]


def fit(expression: sympy.Expr, moving: Motion, state: int, steps: int = 40) -> Fitted | None:
    """Return a right side with its Floats fitted to the integrated form; None where it is undefined.

    Unknown initial values are projected out.
    """
    program = Program.compile(expression, moving.symbols)
    columns = moving.columns[:, : len(moving.symbols)]
    y, noise, offsets = weighed(moving, state)

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what is left in units of the noise, and its derivative by the constants."""
        values, slopes = program.jacobian(columns, theta)
        integrals = moving.integrals(np.column_stack([values, slopes]), state)
        integrals[:, 0] -= y
        integrals = integrals / noise[:, None]
        integrals = integrals - offsets @ (offsets.T @ integrals)
        return integrals[:, 0], integrals[:, 1:]

    first = residual(program.start)[0]
    if not np.all(np.isfinite(first)) or len(program.start) >= len(y):
        return None
    best: LeastSquares = levenberg_marquardt(residual, program.start, max_steps=steps)
    if not np.isfinite(best.cost):
        return None
    return Fitted(program, best.theta, best.cost, best.covariance)


def fits(expressions: Sequence[sympy.Expr], moving: Motion, state: int) -> list[Fitted]:
    """Return the right sides that could be fitted, in their order."""
    found = [fit(e, moving, state) for e in expressions]
    return [f for f in found if f is not None]

"""Right sides of all states together, proved by simulation: constants fitted by multiple shooting.

The time is cut into segments that start from states of their own; constants, starts and the condition that
segments join are fitted at once (Bock, 1983). Derivatives come from the variational equations, integrated
with the states by a method of Dormand and Prince in fixed steps, all segments in one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy
from scipy.integrate import DOP853, RK45

from kansym.base.leastsq import levenberg_marquardt
from kansym.formula.program import Program
from kansym.formula.straight import Straight, straight
from kansym.pipeline.motion.integral import SHARP, Motion, Stretch
from kansym.pipeline.motion.trajectory import TIME

SEGMENT_ROWS = 12
"""Rows of a segment: long enough to feel the law, short enough that errors have not grown."""

WITHIN = 1 - 1e-9
"""Share of a step at which its last inputs are read: a switched one has another value at the step's end."""

MOST_SEGMENTS = 60
"""Segments of all runs together; longer tables have longer segments."""

JOINED_STATES = 6
"""States up to which segments are joined; of more the starts are eliminated segment by segment, since all of
them together (20 states, 2000 rows: 3340 numbers) are too many for one least-squares problem."""

JOINED = 0.05
"""The SD of a gap between segments as a share of the noise's: small, so that the whole is one trajectory."""


@dataclass(frozen=True, eq=False)
class System:
    """Hold compiled right sides, one a state, and which of all constants each of them has.

    For order 2 the vector that moves is (states, speeds), and the right sides are the speeds' slopes.
    """

    programs: tuple[Program, ...]
    names: tuple[str, ...]
    order: int

    @staticmethod
    def of(expressions: Sequence[sympy.Expr], moving: Motion) -> System:
        """Return the system of one right side a state."""
        programs = tuple(Program.compile(e, moving.symbols) for e in expressions)
        return System(programs, moving.names, moving.order)

    @property
    def start(self) -> np.ndarray:
        """Return all constants, state by state."""
        return np.concatenate([p.start for p in self.programs])

    def parts(self, theta: np.ndarray) -> list[np.ndarray]:
        """Return the constants of each right side."""
        ends = np.cumsum([len(p.start) for p in self.programs])
        return np.split(theta, ends[:-1])

    @cached_property
    def straight(self) -> tuple[Straight, ...]:
        """Return the right sides as straight-line code: segments are few, and steps are thousands."""
        return tuple(straight(p) for p in self.programs)

    def sensitivities(
        self, columns: np.ndarray, theta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return slopes (m, moving), their derivatives by the moving vector and by the constants.

        Takes `columns` (m, states + speeds + inputs + time). Runs under the caller's error state of numpy.
        """
        n, m = len(self.programs), len(columns)
        moving = n * self.order
        values, by_state = np.empty((m, moving)), np.zeros((m, moving, moving))
        by_constant = np.zeros((m, moving, len(theta)))
        at, given = 0, list(columns.T)
        for k, (code, part) in enumerate(zip(self.straight, self.parts(theta), strict=True)):
            row = moving - n + k
            value, by_column, by_parameter = code.evaluate(given, part)
            values[:, row] = value
            for j, slope in zip(code.by_column, by_column, strict=True):
                if j < moving:
                    by_state[:, row, j] = slope
            for j, slope in zip(code.by_parameter, by_parameter, strict=True):
                by_constant[:, row, at + j] = slope
            at += len(part)
        if self.order == 2:
            by_state[:, range(n), range(n, 2 * n)] = 1.0
            values[:, :n] = columns[:, n : 2 * n]
        return values, by_state, by_constant

    def expressions(self, theta: np.ndarray) -> tuple[sympy.Expr, ...]:
        """Return the right sides with constants written in."""
        return tuple(p.expression(t) for p, t in zip(self.programs, self.parts(theta), strict=True))


@dataclass(frozen=True, eq=False)
class Segments:
    """Hold all segments padded to one length: times (s, k), data and noise (s, k, states; NaN is unknown).

    `starts` (s, moving) are the smooth curves' own states, `joins` the pairs of segments that follow each
    other.
    """

    times: np.ndarray
    data: np.ndarray
    noise: np.ndarray
    starts: np.ndarray
    joins: np.ndarray
    run: np.ndarray
    stretches: tuple[Stretch, ...]

    @property
    def sharp(self) -> bool:
        """Tell whether there is next to no noise."""
        spread = np.nanstd(self.data.reshape(-1, self.data.shape[2]), axis=0)
        return bool(np.all(np.nanmedian(self.noise, axis=(0, 1)) < SHARP * spread))

    def inputs(self, times: np.ndarray) -> np.ndarray:
        """Return the known inputs (s, inputs) of each segment at times (s,)."""
        out = np.empty((len(times), self.stretches[0].run.U.shape[1]))
        for r, stretch in enumerate(self.stretches):
            mine = self.run == r
            out[mine] = stretch.run.driven(times[mine])
        return out


def segments(moving: Motion) -> Segments:
    """Cut all runs into segments that share their border rows."""
    total = moving.series.rows
    joined = len(moving.series.states) <= JOINED_STATES
    length = max(SEGMENT_ROWS, int(np.ceil(total / MOST_SEGMENTS)) if joined else 0)
    times: list[np.ndarray] = []
    data, noise, starts, joins, runs = [], [], [], [], []
    for r, s in enumerate(moving.stretches):
        sd = np.column_stack([_known_noise(moving, s, k) for k in range(s.run.X.shape[1])])
        firsts = list(range(0, max(s.run.rows - 2, 1), length))
        for number, first in enumerate(firsts):
            last = s.run.rows - 1 if number == len(firsts) - 1 else first + length
            at = np.minimum(np.arange(first, first + length + 2), last)
            fresh = np.arange(first, first + length + 2) <= last
            if number < len(firsts) - 1:
                fresh &= np.arange(first, first + length + 2) < last  # the border belongs to the next one
                joins.append(len(times))
            times.append(s.run.t[at])
            data.append(np.where(fresh[:, None], s.run.X[at], np.nan))
            noise.append(sd[at])
            starts.append(s.begin(first, moving.order))
            runs.append(r)
    return Segments(np.array(times), np.array(data), np.array(noise), np.array(starts), np.array(joins, int),
                    np.array(runs), moving.stretches)  # fmt: skip


def _known_noise(moving: Motion, stretch: Stretch, state: int) -> np.ndarray:
    """Return a state's noise at each row of a run, at least the least of all runs'."""
    out = np.full(stretch.run.rows, 1.0)
    known = np.isfinite(stretch.run.X[:, state])
    _, noise = moving.target(state)
    out[known] = np.maximum(stretch.curves[state].noise, noise.min())
    return out


@dataclass(frozen=True, eq=False)
class Shot:
    """Hold a system whose constants fit the trajectories: chi2 is the sum of squared residuals over SD.

    `starts` (segments, moving) are the fitted states where the segments begin.
    """

    system: System
    theta: np.ndarray
    starts: np.ndarray
    covariance: np.ndarray
    chi2: float
    rows: int
    sharp: bool

    @property
    def expressions(self) -> tuple[sympy.Expr, ...]:
        """Return the right sides with constants written in."""
        return self.system.expressions(self.theta)


def shoot(system: System, cut: Segments, steps: int = 12) -> Shot | None:
    """Fit all constants and all segments' starts; None where the system cannot be followed from its start."""
    if len(system.programs) > JOINED_STATES:
        return _shoot_apart(system, cut, steps)
    constants, (count, moving) = len(system.start), cut.starts.shape
    known = np.isfinite(cut.data)

    def residual(free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what is left of rows and joins in units of their SDs, with its derivative."""
        theta, begin = free[:constants], free[constants:].reshape(count, moving)
        path, by_begin, by_theta = simulate_segments(system, cut, theta, begin)
        states = cut.data.shape[2]
        r = ((path[:, :, :states] - cut.data) / cut.noise)[known]
        J = np.zeros((len(r), len(free)))
        J[:, :constants] = (by_theta[:, :, :states] / cut.noise[..., None])[known]
        segment = np.nonzero(known)[0]
        local = (by_begin[:, :, :states] / cut.noise[..., None])[known]
        for k in range(moving):
            J[np.arange(len(r)), constants + segment * moving + k] = local[:, k]
        # where one segment ends the next one starts
        scale = JOINED * np.tile(np.nanmedian(cut.noise, axis=(0, 1)), moving // states)
        if moving > states:
            scale[states:] *= np.std(cut.starts[:, states:], axis=0) / (
                np.std(cut.starts[:, :states], axis=0) + 1e-300
            )
        ends = _end_rows(cut)
        gaps, rows = [], []
        for s in cut.joins:
            gaps.append((path[s, ends[s]] - begin[s + 1]) / scale)
            block = np.zeros((moving, len(free)))
            block[:, :constants] = by_theta[s, ends[s]] / scale[:, None]
            block[:, constants + s * moving : constants + (s + 1) * moving] = (
                by_begin[s, ends[s]] / scale[:, None]
            )
            block[range(moving), constants + (s + 1) * moving + np.arange(moving)] = -1 / scale
            rows.append(block)
        if gaps:
            r, J = np.concatenate([r, *gaps]), np.vstack([J, *rows])
        return r, J

    start = np.concatenate([system.start, cut.starts.ravel()])
    best = levenberg_marquardt(residual, start, max_steps=steps, tolerance=1e-8)
    if not np.isfinite(best.cost):
        return None
    covariance = best.covariance[:constants, :constants]
    begin = best.theta[constants:].reshape(count, moving)
    return Shot(system, best.theta[:constants], begin, covariance, best.cost, int(known.sum()), cut.sharp)


def _shoot_apart(system: System, cut: Segments, steps: int) -> Shot | None:
    """Fit constants to segments that need not join, each with a start of its own.

    Gauss-Newton steps with damping; starts are projected out of every segment's rows, so that a step solves
    for the constants alone.
    """
    theta, begin = system.start, cut.starts
    known = np.isfinite(cut.data)
    rows = int(known.sum()) - begin.size
    damping, best = 1e-3, _reduced(system, cut, theta, begin, known)
    if rows <= len(theta) or not np.isfinite(best.cost):
        return None
    for _ in range(steps):
        scale = np.sqrt(np.diag(best.normal)) + np.finfo(float).tiny
        matrix = best.normal / np.outer(scale, scale) + damping * np.eye(len(theta))
        step = -np.linalg.lstsq(matrix, best.slope / scale, rcond=1e-14)[0] / scale
        moved = begin + best.starts + best.by_theta @ step
        tried = _reduced(system, cut, theta + step, moved, known)
        fall = best.cost - tried.cost
        if not fall > 0:
            damping *= 10
            continue
        theta, begin, best, damping = theta + step, moved, tried, max(damping / 10, 1e-12)
        if fall < 1e-6 * best.cost:
            break
    covariance = np.linalg.pinv(best.normal, hermitian=True) * best.cost / (rows - len(theta))
    return Shot(system, theta, begin, covariance, best.cost, rows, cut.sharp)


@dataclass(frozen=True, eq=False)
class _Reduced:
    """Hold the squared residual, normal equations of the constants, and how the starts follow them."""

    cost: float
    normal: np.ndarray
    slope: np.ndarray
    starts: np.ndarray
    by_theta: np.ndarray


def _reduced(
    system: System, cut: Segments, theta: np.ndarray, begin: np.ndarray, known: np.ndarray
) -> _Reduced:
    """Return the least-squares problem with the starts of the segments projected out."""
    path, by_begin, by_theta = simulate_segments(system, cut, theta, begin)
    constants, states = len(theta), cut.data.shape[2]
    normal, slope, cost = np.zeros((constants, constants)), np.zeros(constants), 0.0
    starts, follow = np.zeros_like(begin), np.zeros((*begin.shape, constants))
    if not np.all(np.isfinite(path)):
        return _Reduced(np.inf, normal, slope, starts, follow)
    for s in range(len(begin)):
        there, sd = known[s], cut.noise[s][known[s]]
        r = (path[s, :, :states][there] - cut.data[s][there]) / sd
        Q, R = np.linalg.qr(by_begin[s, :, :states][there] / sd[:, None])
        J = by_theta[s, :, :states][there] / sd[:, None]
        inside, across = Q.T @ r, Q.T @ J
        normal += J.T @ J - across.T @ across
        slope += J.T @ r - across.T @ inside
        solved = np.linalg.lstsq(R, -np.column_stack([inside, across]), rcond=1e-12)[0]
        starts[s], follow[s] = solved[:, 0], solved[:, 1:]
        cost += float(r @ r)
    return _Reduced(cost, normal, slope, starts, follow)


def _end_rows(cut: Segments) -> np.ndarray:
    """Return the row of each segment's last time."""
    return np.argmax(cut.times >= cut.times[:, -1:], axis=1)


def simulate_segments(
    system: System, cut: Segments, theta: np.ndarray, begin: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return states (s, k, moving) and their derivatives by the starts and by the constants."""
    count, length = cut.times.shape
    moving, constants = begin.shape[1], len(theta)
    # states and their derivatives side by side, so that they are stepped together
    now = np.zeros((count, moving, 1 + moving + constants))
    now[:, :, 0] = begin
    now[:, range(moving), range(1, moving + 1)] = 1.0
    every = np.empty((count, length, *now.shape[1:]))
    every[:, 0] = now
    # noise hides what the method of order five leaves, at half the price of order eight
    method = DOP853 if cut.sharp else RK45
    with np.errstate(all="ignore"):
        for k in range(length - 1):
            step = cut.times[:, k + 1] - cut.times[:, k]
            if step.any():
                now = _stepped(system, cut, theta, now, method, cut.times[:, k], step)
            if not np.all(np.isfinite(now[:, :, 0])):
                every[..., 0], every[..., 1:] = np.inf, 0.0
                break
            every[:, k + 1] = now
    return every[..., 0], every[..., 1 : moving + 1], every[..., moving + 1 :]


def _stepped(
    system: System,
    cut: Segments,
    theta: np.ndarray,
    now: np.ndarray,
    method: type[DOP853] | type[RK45],
    times: np.ndarray,
    step: np.ndarray,
) -> np.ndarray:
    """Return states with their derivatives (s, moving, 1 + moving + constants) one step (s,) later."""
    moving, h = now.shape[1], step[:, None, None]
    changes: list[np.ndarray] = []
    for stage in range(method.n_stages):
        at = _moved(now, method.A[stage], changes)
        within = times + min(method.C[stage], WITHIN) * step
        columns = _columns(system, at[:, :, 0], cut.inputs(within), times + method.C[stage] * step)
        slopes, by_state, by_constant = system.sensitivities(columns, theta)
        change = np.empty_like(now)
        change[:, :, 0] = slopes
        np.matmul(by_state, at[:, :, 1:], out=change[:, :, 1:])
        change[:, :, moving + 1 :] += by_constant
        changes.append(np.multiply(change, h, out=change))
    return _moved(now, method.B, changes)


def _moved(now: np.ndarray, weights: Sequence[float], changes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sum of what is now and of the weighted changes."""
    out = now.copy()
    for weight, change in zip(weights, changes, strict=False):
        if weight:
            out += weight * change
    return out


def _columns(system: System, moving: np.ndarray, inputs: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return what right sides are evaluated on: the moving vector, inputs, and the time."""
    parts = [moving, inputs]
    if TIME in system.names and len(system.names) > moving.shape[1] + inputs.shape[1]:
        parts.append(times[:, None])
    return np.hstack(parts)


def paths(shot: Shot, cut: Segments) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each run the times and the states (rows, states) of the simulated segments, joined."""
    path, _, _ = simulate_segments(shot.system, cut, shot.theta, shot.starts)
    out = []
    states = cut.data.shape[2]
    for r in range(int(cut.run.max()) + 1):
        times = cut.times[cut.run == r].ravel()
        values = path[cut.run == r][:, :, :states].reshape(-1, states)
        which, first = np.unique(times, return_index=True)
        out.append((which, values[first]))
    return out

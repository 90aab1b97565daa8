"""Following a system from a state: never without end, divergence a named outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.integrate import LSODA

from kansym.base.errors import InputError
from kansym.functions.parsing import symbols
from kansym.pipeline.motion.integral import speed
from kansym.pipeline.motion.trajectory import TIME, between

MOST_EVALUATIONS = 200_000
"""Evaluations of the right sides after which a simulation is given up; a law needs thousands."""

JUDGED, JUDGED_A_ROW = 10_000, 40
"""The same where simulations only judge right sides, beside so many a row, the larger one: of the textbooks'
67 laws none takes more than five a row, Lorenz's, while look-alikes went on to the limit near a pole, which
took half of the time that Halvorsen's system was looked for."""

ESCAPE = 1e6
"""A state this many times larger than the start and the data has left for infinity."""

TOLERANCE = 1e-9
"""Relative error of one step."""

COARSE = 1e-6
"""The same where only the share of the variance is asked for, at a third of the price."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """Hold a simulated run: times (n,), states (n, states), NaN after the end; how it ended.

    `outcome` is "followed", "diverged", "undefined" or "too slow".
    """

    t: np.ndarray
    X: np.ndarray
    outcome: str


class _Given(Exception):
    """Carry the reason why a simulation was given up."""


def follow(
    equations: Mapping[str, sympy.Expr],
    start: Sequence[float] | np.ndarray,
    t: np.ndarray,
    *,
    order: int = 1,
    input_names: Sequence[str] = (),
    inputs: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    judging: bool = False,
) -> Simulated:
    """Integrate the equations from `start` at t[0] and return the states at times t (n,).

    `start` holds the states, for order 2 then their speeds. `inputs` (n, k) are read between the times as
    `trajectory.between` does. `scale` (states,) is the size that states usually have. `judging` is for a
    share of the variance alone: steps are coarser and fewer, at a third of the price. Raises InputError for
    times that do not increase and for a start of another size.
    """
    t = np.asarray(t, float)
    z0 = np.asarray(start, float).ravel()
    states = tuple(equations)
    if t.ndim != 1 or len(t) < 1 or not np.all(np.isfinite(t)) or np.any(np.diff(t) <= 0):
        raise InputError("The times of a simulation must be finite and increase; sort them, each once.")
    if z0.shape != (len(states) * order,) or not np.all(np.isfinite(z0)):
        raise InputError(f"The start has {z0.size} numbers; it takes {len(states) * order}, all finite: "
                         f"{', '.join(_moving(states, order))}.")  # fmt: skip
    if len(input_names) and (
        inputs is None or np.asarray(inputs).reshape(len(t), -1).shape[1] != len(input_names)
    ):
        raise InputError(f"The system is driven by {', '.join(input_names)}; give inputs, one row a time.")
    driven = np.empty((len(t), 0)) if inputs is None else np.asarray(inputs, float).reshape(len(t), -1)
    size = (
        np.abs(z0) + 1.0
        if scale is None
        else np.abs(z0) + np.resize(np.asarray(scale, float), len(z0)) + 1e-300
    )
    evaluations = max(JUDGED, JUDGED_A_ROW * len(t)) if judging else MOST_EVALUATIONS
    slopes = _right_side(equations, order, input_names, t, driven, ESCAPE * size, evaluations)
    tolerance = COARSE if judging else TOLERANCE
    out = np.full((len(t), len(states)), np.nan)
    out[0] = z0[: len(states)]
    if len(t) == 1:
        return Simulated(t, out, "followed")
    longest = float(np.max(np.diff(t))) if driven.shape[1] else np.inf  # no pulse is stepped over
    with np.errstate(all="ignore"):
        outcome = _stepped(slopes, t, z0, out, tolerance, tolerance * 1e-3 * float(np.min(size)), longest)
    if outcome == "followed" and not np.all(np.isfinite(out)):
        outcome = "undefined"
    return Simulated(t, out, outcome)


def _stepped(
    slopes: _RightSide,
    t: np.ndarray,
    start: np.ndarray,
    out: np.ndarray,
    rtol: float,
    atol: float,
    longest: float,
) -> str:
    """Fill in the states (n, states) at times t step by step, as far as they go; return how it ended."""
    done = 1
    try:
        solver = LSODA(slopes, t[0], start, t[-1], rtol=rtol, atol=atol, max_step=longest)
        while solver.status == "running":
            solver.step()
            if solver.status == "failed":
                return "diverged"
            upto = int(np.searchsorted(t, solver.t, side="right"))
            if upto > done:
                out[done:upto] = solver.dense_output()(t[done:upto])[: out.shape[1]].T
                done = upto
    except _Given as reason:
        return str(reason)
    return "followed"


def _moving(states: Sequence[str], order: int) -> tuple[str, ...]:
    """Return the names of the moving vector: states, for order 2 then their speeds."""
    return (*states, *(speed(s) for s in states)) if order == 2 else tuple(states)


class _RightSide:
    """Evaluate the right sides at one time, and count."""

    def __init__(
        self, slopes: Callable[[float, np.ndarray], np.ndarray], limits: np.ndarray, most: int
    ) -> None:
        """Start counting."""
        self.slopes, self.limits, self.most, self.count = slopes, limits, most, 0

    def __call__(self, time: float, state: np.ndarray) -> np.ndarray:
        """Return the slopes at a time; raises _Given where the simulation must end."""
        self.count += 1
        if self.count > self.most:
            raise _Given("too slow")
        if (np.abs(state) > self.limits).any():
            raise _Given("diverged")
        out = self.slopes(time, state)
        if not np.isfinite(out).all():
            raise _Given("undefined")
        return out


def _right_side(
    equations: Mapping[str, sympy.Expr],
    order: int,
    input_names: Sequence[str],
    t: np.ndarray,
    driven: np.ndarray,
    limits: np.ndarray,
    most: int,
) -> _RightSide:
    """Return the right sides of all states as one function of time and state."""
    states = tuple(equations)
    taken = (*_moving(states, order), *input_names)
    names = taken if TIME in taken else (*taken, TIME)
    # one function for all right sides, one point at a time: a tenth of the price of a Program each
    evaluate = sympy.lambdify(symbols(names), list(equations.values()), modules=["scipy", "numpy"], cse=True)

    def slopes(time: float, state: np.ndarray) -> np.ndarray:
        """Return the slopes at one time, inputs interpolated."""
        now = between(np.array([time]), t, driven)[0] if driven.shape[1] else ()
        row = np.array([*state, *now, time])[: len(names)]  # numpy's numbers: no root turns complex
        values = evaluate(*row)
        return np.array([*state[len(states) :], *values] if order == 2 else values, float)

    return _RightSide(slopes, limits, most)

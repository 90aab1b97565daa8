"""Signs that something drives the states which the table does not hold: a season, an input, another state."""

from __future__ import annotations

import math

import numpy as np
import sympy

from kansym.formula.expression import text
from kansym.pipeline.motion.discovery import Found
from kansym.pipeline.motion.integral import Motion, fit, motion, speed
from kansym.pipeline.motion.shooting import JOINED_STATES
from kansym.pipeline.motion.terms import length, measured, sums
from kansym.pipeline.motion.trajectory import TIME

TURNED = 6.0
"""Standard deviations of the noise by which a state must have come back to have turned."""

EXCESS = 2.0
"""Squared residual over the noise above which equations leave more than noise."""

FASTEST = 1.2
"""Root mean square of a state's change between two rows, in its SDs, above which nobody can tell how it moves
between them: a wave of fewer than five rows. Noise alone has 1.4."""

CLEARLY = 10.0
"""Nats by which a law of forces must be shorter than what was found for speeds, to be spoken of."""


def unseen(found: Found, moving: Motion) -> list[str]:
    """Return a sentence for each sign that equations of first order lack something that drives them."""
    series, shot = moving.series, found.shot
    out = []
    if shot.chi2 > EXCESS * shot.rows:
        hint = "" if moving.order == 2 else "; something that was not measured may drive the states"
        out.append(f"the best equations leave {math.sqrt(shot.chi2 / shot.rows):.3g} times the noise{hint}")
    if moving.order == 2 or len(series.states) > JOINED_STATES:
        return out
    if len(series.states) == 1 and not series.inputs and _turns(moving):
        out.append(
            f"{series.states[0]} turns back, which no law of its value alone lets it do: a season, an input, "
            "or a state that is not in the table drives it"
        )
    time = sympy.Symbol(TIME, real=True)
    for state, formula in enumerate(shot.expressions):
        if out or (formula.has(time) and TIME not in series.states):
            force = _force(moving, state, formula)
            if force is not None:
                name = series.states[state]
                out.append(
                    f"d2{name}/dt2 = {text(force, 3)} is a shorter law of {name} than that of first order: "
                    "a state that was not measured seems to drive it, its speed perhaps (try --order 2)"
                )
    return out


def aliased(moving: Motion) -> list[str]:
    """Return a sentence for the first state that changes too much between two rows to be seen moving."""
    for k, state in enumerate(moving.series.states):
        steps = np.concatenate([np.diff(run.X[:, k]) for run in moving.series.runs])
        values = np.concatenate([run.X[:, k] - np.nanmean(run.X[:, k]) for run in moving.series.runs])
        spread = float(np.sqrt(np.nanmean(values**2)))
        share = float(np.sqrt(np.nanmean(steps**2))) / spread if spread > 0 else 0.0
        if share > FASTEST:
            return [
                f"{state} changes by {share:.2g} of its SD from one row to the next: the rows are too far "
                "apart to see it move between them (aliasing), or it is noise alone"
            ]
    return []


def _turns(moving: Motion) -> bool:
    """Tell whether the only state rises and falls by more than noise within one run."""
    for stretch in moving.stretches:
        curve = stretch.curves[0]
        values = curve.value(stretch.run.t)
        least = TURNED * float(np.median(curve.noise)) + 1e-6 * float(np.ptp(values))
        fallen = float(np.max(np.maximum.accumulate(values) - values))
        risen = float(np.max(values - np.minimum.accumulate(values)))
        if min(fallen, risen) > least:
            return True
    return False


def _force(moving: Motion, state: int, formula: sympy.Expr) -> sympy.Expr | None:
    """Return a sum of known terms of states and speeds for a state's second derivative, where it is shorter.

    Both are judged in the integrated form.
    """
    fitted = fit(formula, moving, state, 1)
    if fitted is None or speed(moving.series.states[state]) in moving.names:
        return None
    second = motion(moving.series, 2)
    rows = len(second.target(state)[0])
    nats = length(formula, fitted.chi2, rows, measured(formula)) - CLEARLY
    best = None
    for rich in (False, True):
        for force, chi2 in sums(second, state, rich):
            own = length(force, chi2, rows, measured(force))
            if chi2 < EXCESS * rows and own < nats:
                best, nats = force, own
    return best

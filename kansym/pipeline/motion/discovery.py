"""The whole way from time series to equations: candidates a state, simulation, choice.

The states' likeliest right sides are simulated together; each is then changed for another, and thinned, as
long as that shortens the description of all trajectories. Where the smooth curves were too coarse (fast
swings under noise), the simulated trajectories take their place and the right sides are looked for once more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.interrupts import unwrapped
from kansym.formula.expression import complexity
from kansym.pipeline.motion import couplings
from kansym.pipeline.motion.candidates import Candidate, explains, look
from kansym.pipeline.motion.integral import Motion, fit, motion, resmoothed
from kansym.pipeline.motion.rounding import rounded
from kansym.pipeline.motion.shooting import JOINED_STATES, Segments, Shot, System, paths, segments, shoot
from kansym.pipeline.motion.simulation import follow
from kansym.pipeline.motion.terms import FEW_ROWS, misfit, price

RIVALS = 4
"""Right sides of a state that are tried in simulation beside the likeliest."""

NEAR = 200.0
"""Nats behind the likeliest in the integrated form within which a right side is tried."""

LEVEL = 8.0
"""The same within which it is tried whatever its size: the integrated form cannot tell them apart."""

FAR_CLOSER = 0.01
"""Share of the likeliest's squared residual from which a longer right side is tried in simulation, too: on
clean rows all that lies below the floor of the noise looks alike, and simulation tells."""

UNLIKE = 0.1
"""Squared residual over the floor of the noise above which clean rows' right sides are no law: what the
smooth curves lack is fitted, and every shorter one is tried in simulation."""

WEAK = 40.0
"""Nats that leaving a term out may cost, by its standard error, to be tried: no term of a law costs more."""

ROUNDS = 3
"""Times that right sides are looked for again along the simulated trajectories."""

TURNS = 3
"""Times that every state's right side is changed in turn where rows are few."""

UNFAMILIAR = 5.0
"""Nats that a right side costs, where rows are few, that is not among the textbooks': of sums of two
products there are some 150. Of lynx and hare one with hare*lynx**2 is 4 nats shorter than Lotka's and
Volterra's."""

LOOKED_BEYOND = 4
"""States up to which other right sides are looked for beside sums of products that leave only noise: a
simulation with its slopes grows with the square of the states, and five of Lorenz's ring took 150 s."""

WITH_FUNCTIONS = 3
"""States up to which functions stand beside products in sums over short windows of time."""

QUICK_STEPS = 12
"""Steps of the fits that compare many systems; the chosen one is fitted to the end."""

LEAST_NOISE = 0.05
"""Share of the smooth curves' residual variance below which the noise cannot be."""

LOOKING = 0.5
"""Share of the time that must be left for right sides with functions to be looked for."""

POOR = 1.3
"""Squared residual over noise, mean of all rows, above which the smooth curves are not trusted."""


@dataclass(frozen=True, eq=False)
class Found:
    """Hold the chosen system as fitted to the trajectories, each state's candidates, and the curves used."""

    shot: Shot
    candidates: tuple[tuple[Candidate, ...], ...]
    moving: Motion
    length: float
    reason: str


def find(original: Motion, budget: Budget) -> Found | None:
    """Return the system that describes the trajectories shortest; None where none can be followed."""
    moving, series = original, original.series
    if len(series.states) > JOINED_STATES:
        return _many(original, budget)
    few = max(run.rows for run in series.runs) < FEW_ROWS
    rough = motion(series, original.order, rough=True) if few else None
    best = None if few else _in_windows(original, budget)
    if best is not None and len(series.states) > LOOKED_BEYOND:
        return best
    if best is not None and not _good_enough(original, best.shot.expressions):
        moving = best.moving
    for turn in range(ROUNDS):
        try:
            with unwrapped():
                offered = []
                for state in range(len(series.states)):
                    budget.tell(f"right side of {series.states[state]}")
                    along = rough if rough is not None and turn == 0 else moving
                    hurried = budget.left is not None and budget.left < LOOKING * (budget.seconds or 0.0)
                    before = [] if best is None else [best.shot.expressions[state]]
                    told = turn > 0 and best is not None and explains(best.shot.chi2, best.shot.rows)
                    brief = hurried or told
                    offered.append(tuple(look(along, state, few, brief, before)))
                found = _choose(offered, moving, original, budget, few and turn == 0)
        except KeyboardInterrupt:
            if best is None:
                raise
            budget.cancelled = not budget.exhausted  # the clock's interrupt and a person's look alike
            return best
        if found is not None and (best is None or found.length < best.length - 1e-9):
            best = found
        elif best is not None:
            break
        along_paths = moving is not original
        if best is None or (best.shot.chi2 <= POOR * best.shot.rows and along_paths) or budget.exhausted:
            break
        if best.shot.chi2 <= POOR * best.shot.rows and best.shot.sharp:
            break
        moving = resmoothed(original, paths(best.shot, segments(original)))
    return best


def steady(found: Found | None, original: Motion, budget: Budget) -> Found | None:
    """Return the system, or where it diverges when it is simulated from each run's start the next best.

    One state's right side is changed for its rivals. None where all that is tried diverges.
    """
    if found is None or len(found.candidates) > JOINED_STATES or _stays(found.shot, original):
        return found
    budget.tell("simulation")
    cut, best = segments(original), None
    for state, rivals in enumerate(found.candidates):
        for rival in rivals:
            formulas = list(found.shot.expressions)
            formulas[state] = rival.expression
            shot = shoot(System.of(formulas, original), cut, QUICK_STEPS)
            if shot is not None and _stays(shot, original) and (best is None or length(shot) < length(best)):
                best = shot
    return None if best is None else replace(found, shot=best, length=length(best))


def _stays(shot: Shot, original: Motion) -> bool:
    """Tell whether simulations over whole runs, from the fitted starts, end with the runs."""
    series, cut = original.series, segments(original)
    equations = dict(zip(series.states, shot.expressions, strict=True))
    for number, run in enumerate(series.runs):
        start = shot.starts[int(np.argmax(cut.run == number))]
        scale = np.nanstd(run.X, axis=0)
        path = follow(equations, start, run.t, order=original.order, input_names=series.inputs, inputs=run.U,
                      scale=scale, judging=True)  # fmt: skip
        if path.outcome != "followed":
            return False
    return True


def _in_windows(original: Motion, budget: Budget) -> Found | None:
    """Return the system of sums of products over short windows of time, where simulation leaves only noise.

    What smooth curves lack adds up over a long run: of chaotic systems the law leaves a hundred times the
    noise in the integrated form, and sums of nine terms ten times. Over twelve rows it does not, and the
    simulated paths are the better curves.
    """
    cut = segments(original)
    if cut.sharp:
        return None
    budget.tell("sums of products")
    best: tuple[Shot, list[list[Candidate]]] | None = None
    for rich in (False, True) if len(original.series.states) <= WITH_FUNCTIONS else (False,):
        offered = [couplings.look(original, k, True, False, rich) for k in range(len(original.series.states))]
        shot = _shot([c[0].expression for c in offered], original, cut)
        if shot is None or not explains(shot.chi2, shot.rows):
            continue
        if best is None or length(shot) < length(best[0]):
            best = shot, offered
    if best is None:
        return None
    shot, offered = best
    moving = resmoothed(original, paths(shot, cut))
    return Found(shot, tuple(tuple(c) for c in offered), moving, length(shot), budget.reason or "finished")


def _good_enough(original: Motion, formulas: Sequence[sympy.Expr]) -> bool:
    """Tell whether right sides leave no more than noise along the smooth curves.

    Those favour nobody: along the paths of a look-alike the law is the worse one.
    """
    fitted = [fit(f, original, k) for k, f in enumerate(formulas)]
    return all(f is not None and explains(f.chi2, len(original.target(k)[0])) for k, f in enumerate(fitted))


def _many(original: Motion, budget: Budget) -> Found | None:
    """Return the system of many states that few others drive."""
    found = couplings.find(original, budget)
    if found is None:
        return None
    shot, offered, moving = found
    reason = budget.reason or "finished"
    return Found(shot, tuple(tuple(c) for c in offered), moving, length(shot), reason)


def _choose(
    offered: Sequence[Sequence[Candidate]], moving: Motion, original: Motion, budget: Budget, broad: bool
) -> Found | None:
    """Return the best system of the offered right sides, changed one at a time."""
    cut = segments(original)
    best = _together(offered, moving, cut, budget) if broad else None
    current = [c[0].expression for c in offered] if best is None else list(best.expressions)
    best = best or _shot(current, moving, cut)
    for state, rivals in enumerate(offered):
        for place, rival in enumerate(rivals[1:]):
            if budget.exhausted:
                break
            poor = best is None or best.chi2 > POOR * best.rows
            simpler = rival.complexity < complexity(current[state])
            closer = rival.chi2 < FAR_CLOSER * rivals[0].chi2
            near = place < RIVALS and rival.length < rivals[0].length + NEAR
            level = near and rival.length < rivals[0].length + LEVEL
            unlike = cut.sharp and simpler and (best is None or best.chi2 > UNLIKE * best.rows)
            if not (unlike or level or (near and (poor or simpler or closer))):
                continue
            other = _shot([*current[:state], rival.expression, *current[state + 1 :]], moving, cut)
            if other is not None and (best is None or length(other) < length(best)):
                best, current = other, list(other.expressions)
        budget.tell("simulation")
    if best is None:
        return None
    best = _thinned(best, moving, cut, budget)
    return Found(best, tuple(tuple(c) for c in offered), moving, length(best), budget.reason or "finished")


def _together(
    offered: Sequence[Sequence[Candidate]], moving: Motion, cut: Segments, budget: Budget
) -> Shot | None:
    """Return the best system of all states' right sides, each state's changed in turn until none changes."""
    current = [rivals[0] for rivals in offered]
    best = _shot([c.expression for c in current], moving, cut)
    for _ in range(TURNS):
        before = list(current)
        for state, rivals in enumerate(offered):
            for rival in rivals:
                if budget.exhausted:
                    return best
                tried = [*current[:state], rival, *current[state + 1 :]]
                other = shoot(System.of([c.expression for c in tried], moving), cut, QUICK_STEPS)
                if other is None:
                    continue
                dearer = UNFAMILIAR * (sum(c.familiar for c in current) - sum(c.familiar for c in tried))
                if best is None or length(other) + dearer < length(best):
                    best, current = other, tried
        if before == current:
            break
    return best


def _shot(formulas: Sequence[sympy.Expr], moving: Motion, cut: Segments) -> Shot | None:
    """Return the system of these right sides with its constants fitted to the trajectories."""
    return shoot(System.of(formulas, moving), cut)


def length(shot: Shot) -> float:
    """Return the nats of all trajectories and of the right sides.

    A constant costs half the logarithm of the rows, under noise less where it may be round, but not less
    than nothing: a law's are rounder than a look-alike's, and a factor of one is none.
    """
    constants = len(shot.theta)
    spare = max(shot.rows - constants, 1)
    own = sum(price(e) for e in shot.expressions)
    # smooth curves may have taken motion for noise: a law may leave less; of clean rows it leaves round-off
    share = shot.chi2 / spare
    number = 0.5 * math.log(shot.rows)
    own += constants * number
    if shot.sharp:
        return misfit(share, shot.rows) + own
    return (
        0.5 * shot.rows * math.log(max(share, LEAST_NOISE))
        + own
        - sum(min(s, number) for s in rounded(shot).saved)
    )


def _thinned(shot: Shot, moving: Motion, cut: Segments, budget: Budget) -> Shot:
    """Return the system without the terms that it does not need, the weakest first."""
    refused: set[str] = set()
    while not budget.exhausted:
        weakest = _weakest(shot, refused)
        if weakest is None:
            return shot
        state, formula = weakest
        refused.add(str(formula))
        formulas = [*shot.expressions[:state], formula, *shot.expressions[state + 1 :]]
        other = _shot(formulas, moving, cut)
        if other is not None and length(other) < length(shot):
            shot = other
    return shot


def _weakest(shot: Shot, refused: set[str]) -> tuple[int, sympy.Expr] | None:
    """Return the right side without its least certain term, where one is uncertain."""
    spare = max(shot.rows - len(shot.theta), 1)
    # in units of the measurement noise, not of what is left: next to nothing is left of clean rows
    errors = np.sqrt(
        np.clip(np.diag(shot.covariance), 0, None) / max(shot.chi2 / spare, np.finfo(float).tiny)
    )
    best: tuple[float, int, sympy.Expr] | None = None
    for state, program in enumerate(shot.system.programs):
        at = sum(len(p.start) for p in shot.system.programs[:state])
        expression = program.expression(shot.theta[at : at + len(program.start)])
        for k, parameter in enumerate(program.parameters):
            strength = 0.5 * (shot.theta[at + k] / (errors[at + k] + np.finfo(float).tiny)) ** 2
            inside = program.template.xreplace({parameter: sympy.S.Zero})
            if strength > WEAK or inside.has(sympy.zoo, sympy.nan) or not inside.free_symbols:
                continue
            values = dict(
                zip(
                    program.parameters,
                    (sympy.Float(float(v), 17) for v in shot.theta[at:]),
                    strict=False,
                )
            )
            formula = inside.xreplace(values)
            if str(formula) in refused or complexity(formula) >= complexity(expression):
                continue
            if best is None or strength < best[0]:
                best = (strength, state, formula)
    return None if best is None else best[1:]

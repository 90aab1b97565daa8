"""Systems of many states, each driven by a few others: which drive which, and how.

Right sides are chosen state by state in the integrated form, initial values unknown again every few rows, so
that what the smooth curves lack does not add up. All constants are then fitted together by simulation; the
simulated paths are the smooth curves of a second look. The price grows as the square of the states: products
of two are the candidates, and curves, constants and simulations are as many as the states.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.pipeline.motion import candidates, parametric, terms
from kansym.pipeline.motion.candidates import Candidate
from kansym.pipeline.motion.integral import Motion, fit, resmoothed
from kansym.pipeline.motion.shooting import SEGMENT_ROWS, Segments, Shot, System, paths, segments, shoot

DRIVERS = 4
"""Names that a right side with functions may hold, chosen from the likeliest sums of products."""

ELBOW = 1.25
"""A first right side is long enough when longer ones leave no less than a part of it so many times smaller:
what smooth curves lack is explained by terms, a little by each. Lorenz's twenty states: 1.01 to 1.2 for what
does not belong there, 10 to 1000 for what does."""

ROUNDS = 3
"""Times that right sides are looked for, the second time along the simulated paths."""

SETTLED = 1.2
"""Squared residual over noise below which no function is looked for beside sums of products."""

POOR = 4.0
"""The same while smooth curves lack something; simulated paths that leave less are the better curves."""

FUNCTION_ROWS = 400
"""Rows along which functions with a constant inside are scanned; what is found is fitted to all rows."""

STEPS = 8
"""Gauss-Newton steps of all constants together."""


def find(original: Motion, budget: Budget) -> tuple[Shot, list[list[Candidate]], Motion] | None:
    """Return the system of shortest description, each state's candidates, and the curves they came from.

    None where no system can be followed.
    """
    cut, moving = segments(original), original
    best: tuple[Shot, list[list[Candidate]], Motion] | None = None
    deep = False
    for turn in range(ROUNDS):
        offered = []
        for state, name in enumerate(original.series.states):
            budget.tell(f"right side of {name}")
            offered.append(look(moving, state, moving is original, deep))
        budget.tell("simulation")
        shot = shoot(System.of([c[0].expression for c in offered], original), cut, STEPS)
        shot = None if shot is None else _thinned(shot, original, cut)
        if shot is not None and (best is None or _length(shot) < _length(best[0]) - 1e-9):
            best = shot, offered, moving
        elif turn and deep:
            break
        # along the paths of a poor system right sides would be those of the paths
        poor = best is None or best[0].chi2 > POOR * best[0].rows
        if budget.exhausted or (poor and deep and turn):
            break
        if best is not None and not poor:
            moving = resmoothed(original, paths(best[0], cut))
        deep = True
    return best


def look(moving: Motion, state: int, curves_lack: bool, deep: bool, rich: bool = False) -> list[Candidate]:
    """Return right sides of one state among many, the likeliest first.

    While the curves lack something the shortest before the elbow is the likeliest, then the shortest
    description. A `rich` look takes known functions into the sums. A `deep` look
    tries functions, too, of the names in the likeliest sums alone, where these leave more than noise.
    """
    windowed = replace(moving, window=SEGMENT_ROWS)
    rows = len(windowed.target(state)[0]) - windowed.offsets(state).shape[1]
    found: dict[sympy.Expr, Candidate] = {}
    for formula, chi2 in terms.sums(windowed, state, rich):
        candidates.keep(found, formula, chi2, rows)
    likely = _ordered(found.values(), rows, curves_lack)
    if deep and likely[0].chi2 > (POOR if curves_lack else SETTLED) * rows:
        names = _drivers(likely, windowed.names, windowed.series.states[state])
        narrowed = replace(windowed, only=names)
        for formula, chi2 in terms.sums(narrowed, state, True):
            candidates.keep(found, formula, chi2, rows)
        least = min(c.chi2 for c in found.values())
        if least > (POOR if curves_lack else SETTLED) * rows:
            _functions(found, narrowed, state, rows)
        likely = _ordered(found.values(), rows, curves_lack)
    return likely[: candidates.KEPT]


def _functions(found: dict[sympy.Expr, Candidate], narrowed: Motion, state: int, rows: int) -> None:
    """Add right sides with a function that has a constant inside, searched for on a part of the rows."""
    first = narrowed.stretches[0]
    count = min(first.run.rows, FUNCTION_ROWS)
    part = replace(narrowed, stretches=(first.part(count),))
    for formula in parametric.right_sides(part, state):
        fitted = fit(formula, narrowed, state, 20)
        if fitted is not None:
            candidates.keep(found, fitted.expression, fitted.chi2, rows)


def _drivers(likely: Iterable[Candidate], names: tuple[str, ...], state: str) -> frozenset[str]:
    """Return the state itself and the first DRIVERS other names in the likeliest right sides."""
    order: dict[str, None] = {}
    for candidate in likely:
        held = {str(s) for s in candidate.expression.free_symbols}
        order |= dict.fromkeys(n for n in names if n in held and n != state)
    return frozenset([state, *list(order)[:DRIVERS]])


def _ordered(found: Iterable[Candidate], rows: int, curves_lack: bool) -> list[Candidate]:
    """Return the right sides, shortest description first, or what lies before the elbow by size."""
    ordered = sorted(found, key=lambda c: (c.length, c.complexity))
    if not curves_lack:
        return ordered
    enough = ELBOW * max(min(c.chi2 for c in ordered), float(rows))
    close = sorted((c for c in ordered if c.chi2 < enough), key=lambda c: (c.complexity, c.chi2))
    return [*close, *(c for c in ordered if c.chi2 >= enough)]


def _length(shot: Shot) -> float:
    """Return the nats of all trajectories and of the right sides."""
    own = sum(terms.price(e) for e in shot.expressions)
    return terms.misfit(shot.chi2 / shot.rows, shot.rows) + 0.5 * len(shot.theta) * np.log(shot.rows) + own


def _thinned(shot: Shot, moving: Motion, cut: Segments) -> Shot:
    """Return the system without the terms that cost less than what they explain, all at once."""
    excess = max(shot.chi2 / (shot.rows - len(shot.theta)), np.finfo(float).tiny)
    errors = np.sqrt(np.clip(np.diag(shot.covariance), 0, None) / min(excess, 1.0))
    at, formulas, dropped = 0, [], False
    for program in shot.system.programs:
        theta = shot.theta[at : at + len(program.start)]
        strength = 0.5 * (theta / (errors[at : at + len(theta)] + np.finfo(float).tiny)) ** 2
        at += len(theta)
        formula = program.expression(theta)
        for k, parameter in enumerate(program.parameters):
            without = program.template.xreplace({parameter: sympy.S.Zero})
            gone = terms.price(program.template) - terms.price(without)
            price = 0.5 * np.log(shot.rows) + gone
            linear = parameter in {a for part in sympy.Add.make_args(program.template) for a in part.args}
            if linear and strength[k] < price and without.free_symbols:
                part = sympy.Add(*(p for p in sympy.Add.make_args(program.template) if p.has(parameter)))
                formula -= part.xreplace(dict(zip(program.parameters, map(sympy.Float, theta), strict=True)))
                dropped = True
        formulas.append(formula)
    if not dropped:
        return shot
    other = shoot(System.of(formulas, moving), cut, STEPS)
    return other if other is not None and _length(other) < _length(shot) else shot

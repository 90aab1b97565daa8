"""`kansym.dynamics`: arrays of a trajectory in, laws of motion out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sympy

from kansym.base.budget import Budget, Progress, watchdog
from kansym.base.errors import InputError
from kansym.base.interrupts import unwrapped
from kansym.base.threads import one_thread
from kansym.formula.constants import Nice
from kansym.formula.expression import complexity
from kansym.formula.program import Program
from kansym.functions.parsing import symbols
from kansym.pipeline.motion.candidates import Candidate
from kansym.pipeline.motion.conserved import first_integrals
from kansym.pipeline.motion.dimensions import of_constants, rate
from kansym.pipeline.motion.discovery import Found, find, steady
from kansym.pipeline.motion.integral import Motion, Stretch, fit, motion, speed
from kansym.pipeline.motion.rounding import is_decimal, rounded, with_decimals
from kansym.pipeline.motion.shooting import Segments, Shot, System, segments, shoot, simulate_segments
from kansym.pipeline.motion.simulation import follow
from kansym.pipeline.motion.system import Dynamics, RightSide, explained, front
from kansym.pipeline.motion.terms import FEW_ROWS
from kansym.pipeline.motion.trajectory import TIME, Series, series
from kansym.pipeline.motion.unseen import aliased, unseen
from kansym.pipeline.run import ConstantReport

GOOD = 0.9
"""Share of a state's variance from which it counts as followed."""

TRAINED = 0.75
"""Share of a single run that the constants are fitted to before the rest of it judges them."""

FEWEST_CHAOTIC = 3
"""Numbers that must move for chaos (Poincare and Bendixson); of fewer, errors that grow tell of growth."""

BY_NOISE = 1.5
"""Standard deviations of the noise that a stretch held back may be off by and still be followed: where a
state has settled, noise is all its variance, and the start of the simulation is as uncertain."""

CHAOTIC = 3.0
"""Lyapunov exponent times the time observed from which a system counts as chaotic: errors grow twentyfold."""

LOST = 0.3
"""Share of a state's size at which a simulation no longer follows."""


def dynamics(
    t: Any,
    X: Any,
    *,
    names: Sequence[str] | None = None,
    inputs: Any = None,
    input_names: Sequence[str] | None = None,
    groups: Any = None,
    units: Mapping[str, str] | None = None,
    order: int = 1,
    time_limit: float | None = None,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> Dynamics:
    """Find the laws of motion dx/dt = f(x, u, t) of states X (n, states) measured at times t (n,).

    t may be one number, the time between two rows; t and X may be lists of arrays, one a run, or `groups`
    (n,) tells runs apart. `inputs` (n, k) are known quantities that drive the system. NaN is a value not
    measured. `units` {name: "m/s", "t": "s"} give constants their units and refuse sines of metres. `order`
    2 looks for d2x/dt2 = f(x, dx/dt, u, t) when only positions are given. The same arrays give the same
    answer; `seed` is kept for the record, nothing here is drawn. Raises InputError for times or
    states that cannot be used, and when no system could be followed.

    >>> import numpy as np
    >>> t = np.linspace(0, 4, 100)
    >>> kansym_says = dynamics(t, 3 * np.exp(-0.5 * t), names=["x"])
    >>> print(kansym_says)
    dx/dt = -x/2
    """
    if order not in (1, 2):
        raise InputError(f"order is {order}; it must be 1 (slopes of the states) or 2 (of their speeds).")
    data = series(t, X, names=names, inputs=inputs, input_names=input_names, groups=groups,
                  units=units)  # fmt: skip
    budget = Budget(seconds=time_limit, listener=progress)
    found: Found | None = None
    try:
        with unwrapped(), watchdog(budget), np.errstate(all="ignore"), one_thread():
            original = motion(data, order)
            found = steady(find(original, budget), original, budget)
    except KeyboardInterrupt:
        budget.cancelled = not budget.exhausted
    if found is None:
        reason = budget.reason or "what was tried diverges when it is simulated"
        reason = "; ".join([reason, *aliased(original)])
        raise InputError(
            f"No law of motion was found in {data.rows} rows ({reason}); "
            "give more rows, a longer time limit, or say what drives the system (inputs)."
        )
    with np.errstate(all="ignore"):
        return _conclude(original, found, budget, seed)


def _conclude(original: Motion, found: Found, budget: Budget, seed: int) -> Dynamics:
    """Return the result: constants rounded, judged on time held back, with notes."""
    data, order, cut = original.series, original.order, segments(original)
    formulas, reports = _rounded(found.shot, original, cut)
    equations = dict(zip(data.states, formulas, strict=True))
    scale = np.array(
        [np.nanstd(np.concatenate([r.X[:, k] for r in data.runs])) for k in range(len(data.states))]
    )
    lyapunov = _lyapunov(found.shot, cut)
    span = sum(float(r.t[-1] - r.t[0]) for r in data.runs) / len(data.runs)
    noise = {s: float(np.median(original.target(k)[1])) for k, s in enumerate(data.states)}
    relative = max(max(noise[s] / (scale[k] or 1.0) for k, s in enumerate(data.states)), 1e-9)
    free = len(found.shot.starts[0]) + any(TIME in map(str, f.free_symbols) for f in formulas)
    chaotic = bool(lyapunov * span > CHAOTIC and free + len(data.inputs) >= FEWEST_CHAOTIC)
    horizon = math.log(LOST / min(relative, 0.1)) / lyapunov if chaotic else math.inf
    told = _explained(equations, original, scale, horizon)
    held = _heldout(formulas, original, scale, horizon)
    notes = [*data.notes, *_notes(found, original)]
    return Dynamics(
        equations=equations,
        inputs=data.inputs,
        order=order,
        fronts={
            s: _front(k, equations, found.candidates[k], original, scale, horizon)
            for k, s in enumerate(data.states)
        },
        constants=dict(zip(data.states, reports, strict=True)),
        units=dict(data.units),
        constant_units=_constant_units(found.shot, original),
        noise=noise,
        explained=dict(zip(data.states, map(float, told), strict=True)),
        heldout=dict(zip(data.states, map(float, held), strict=True)),
        horizon=horizon,
        lyapunov=lyapunov if chaotic else 0.0,
        scale=tuple(float(v) for v in scale),
        starts=tuple(tuple(map(float, v)) for v in _fitted_starts(found.shot, cut)),
        span=(float(data.runs[0].t[0]), float(data.runs[0].t[-1])),
        rows=data.rows,
        notes=tuple(notes),
        trust=_trust(found.shot, held, horizon, span, chaotic),
        stop_reason=budget.reason or "every right side was looked at",
        seconds=budget.elapsed,
        seed=seed,
        conserved=_conserved(equations, original, reports),
    )


def _constant_units(shot: Shot, moving: Motion) -> dict[str, tuple[str, ...]]:
    """Return the unit of each constant of each state; nothing where no units were given."""
    given = moving.series.units
    if not given:
        return {}
    out = {}
    for state, program, theta in zip(
        moving.series.states, shot.system.programs, shot.system.parts(shot.theta), strict=True
    ):
        slope = moving.units[state]
        for _ in range(moving.order):
            slope = rate(slope, given.get(TIME))
        out[state] = of_constants(program.template, program.parameters, theta, slope, moving.units)
    return out


def _conserved(
    equations: dict[str, sympy.Expr], moving: Motion, reports: Sequence[Sequence[ConstantReport]]
) -> tuple[sympy.Expr, ...]:
    """Return what the equations conserve within the states' ranges, where their constants are well known."""
    count = len(equations) * moving.order
    low, high = moving.columns[:, :count].min(axis=0), moving.columns[:, :count].max(axis=0)
    every = dict(equations)
    if moving.order == 2:
        speeds = [speed(s) for s in equations]
        every = dict(zip([*equations, *speeds], [*symbols(speeds), *equations.values()], strict=True))
    tiny = np.finfo(float).tiny
    errors = [c.stderr / (abs(c.value) + tiny) for rows in reports for c in rows if c.rounded is None]
    return first_integrals(every, low, high, max(errors, default=0.0))


def _rounded(
    shot: Shot, moving: Motion, cut: Segments
) -> tuple[tuple[sympy.Expr, ...], list[tuple[ConstantReport, ...]]]:
    """Return the right sides with nice constants where trajectories allow them, and what became of each."""
    nice, programs, at = rounded(shot), [], 0
    for program in shot.system.programs:
        places = dict(zip(program.parameters, range(at, at + len(program.parameters)), strict=True))
        exact = {p: nice.numbers[k].exact for p, k in places.items() if k in nice.numbers}
        free = [p for p in places if p not in exact]
        formula = program.template.xreplace(exact)
        start = nice.theta[[places[p] for p in free]]
        programs.append(Program.compile(formula if free else _shorter(formula), moving.symbols, free, start))
        at += len(places)
    refitted = shoot(System(tuple(programs), moving.names, moving.order), cut, 8)
    if refitted is not None and refitted.chi2 < 1.05 * shot.chi2 + 10 * len(nice.numbers):
        reports = _reported(shot, refitted, nice.numbers)
        return tuple(with_decimals(f) for f in refitted.expressions), reports
    return shot.expressions, _reported(shot, shot, {})


def _reported(shot: Shot, refitted: Shot, numbers: Mapping[int, Nice]) -> list[tuple[ConstantReport, ...]]:
    """Return each constant with its error: nice ones as they were measured, others as they are now."""
    first = np.sqrt(np.clip(np.diag(shot.covariance), 0, None))
    now = np.sqrt(np.clip(np.diag(refitted.covariance), 0, None))
    others, out, k = iter(zip(refitted.theta, now, strict=True)), [], 0
    for program in shot.system.programs:
        rows = []
        for j in range(len(program.parameters)):
            told, (value, error) = None, (shot.theta[k], first[k])
            if number := numbers.get(k):
                told = f"{number.value:g}" if is_decimal(number.exact) else str(number.exact)
            else:
                value, error = next(others)
            rows.append(ConstantReport(f"constant {j + 1}", float(value), float(error), told))
            k += 1
        out.append(tuple(rows))
    return out


def _shorter(formula: sympy.Expr) -> sympy.Expr:
    """Return the formula over one denominator where that is shorter."""
    if any(is_decimal(q) for q in formula.atoms(sympy.Rational)):
        return formula
    together = sympy.factor_terms(sympy.cancel(formula)) if not formula.atoms(sympy.Float) else formula
    return together if complexity(together) < complexity(formula) else formula


def _fitted_starts(shot: Shot, cut: Segments) -> list[np.ndarray]:
    """Return the fitted states at the first time of each run."""
    return [shot.starts[int(np.argmax(cut.run == r))] for r in range(int(cut.run.max()) + 1)]


def _explained(
    equations: dict[str, sympy.Expr], moving: Motion, scale: np.ndarray, until: float, noise: float = 0.0
) -> np.ndarray:
    """Return the share of each state's variance that simulations explain until then, the worst run's.

    What noise may leave, so many of its standard deviations, is not held against a simulation.
    """
    shares = []
    for s, path in _simulated(equations, moving, scale, until):
        sd = np.array([float(np.median(c.noise)) for c in s.curves])
        measured = s.run.X[: len(path)]
        plain = explained(measured, path)
        shares.append(np.where(plain > GOOD, plain, explained(measured, path, noise * sd)))
    return np.min(shares, axis=0)


def _simulated(
    equations: dict[str, sympy.Expr], moving: Motion, scale: np.ndarray, until: float
) -> Iterator[tuple[Stretch, np.ndarray]]:
    """Yield each run with the states (rows, states) simulated from its first row until then."""
    for s in moving.stretches:
        early = np.flatnonzero(s.run.t - s.run.t[0] <= until)
        run = s.run.part(slice(0, max(len(early), 3)))
        begin = s.begin(0, moving.order)
        path = follow(equations, begin, run.t, order=moving.order, input_names=moving.series.inputs,
                      inputs=run.U, scale=scale, judging=True)  # fmt: skip
        yield s, path.X


def _heldout(formulas: Sequence[sympy.Expr], moving: Motion, scale: np.ndarray, until: float) -> np.ndarray:
    """Return the same for what constants were not fitted to: the last run, or the last quarter of one."""
    runs = moving.series.runs
    if len(runs) > 1:
        part, rest = runs[:-1], runs[-1]
    else:
        border = int(TRAINED * runs[0].rows)
        part, rest = (runs[0].part(slice(0, border)),), runs[0].part(slice(border, None))
    names = moving.series
    try:
        trained = motion(Series(part, names.states, names.inputs), moving.order)
        free = [
            f.xreplace({q: sympy.Float(q, 17) for q in f.atoms(sympy.Rational) if not q.is_Integer})
            for f in formulas
        ]
        shot = shoot(System.of(free, trained), segments(trained), 8)
        if shot is None:
            return np.full(len(scale), -1.0)
        known = motion(Series((rest,), names.states, names.inputs), moving.order)
        equations = dict(zip(names.states, shot.expressions, strict=True))
        told = runs[0].rows >= FEW_ROWS  # of fewer rows the noise is hardly known
        return _explained(equations, known, scale, until, BY_NOISE if told else 0.0)
    except (ValueError, np.linalg.LinAlgError):
        return np.full(len(scale), np.nan)  # too few rows for a stretch of their own


def _lyapunov(shot: Shot, cut: Segments) -> float:
    """Return the largest Lyapunov exponent along the fitted trajectory.

    Source of the method: Benettin, Galgani, Giorgilli and Strelcyn, Meccanica 15, 1980.
    """
    _, by_start, _ = simulate_segments(shot.system, cut, shot.theta, shot.starts)
    growth, time = 0.0, 0.0
    direction = np.ones(by_start.shape[-1]) / math.sqrt(by_start.shape[-1])
    for s in range(len(by_start)):
        if s and cut.run[s] != cut.run[s - 1]:
            direction = np.ones_like(direction) / math.sqrt(len(direction))
        moved = by_start[s, -1] @ direction
        size = float(np.linalg.norm(moved))
        if not np.isfinite(size) or size == 0:
            return 0.0
        growth += math.log(size)
        time += float(cut.times[s, -1] - cut.times[s, 0])
        direction = moved / size
    return max(growth / time, 0.0) if time > 0 else 0.0


def _front(
    state: int,
    equations: dict[str, sympy.Expr],
    candidates: Sequence[Candidate],
    moving: Motion,
    scale: np.ndarray,
    until: float,
) -> tuple[RightSide, ...]:
    """Return a state's right sides, the chosen one too, each simulated beside the others' chosen ones."""
    name = moving.series.states[state]
    chosen = equations[name]
    fitted = fit(chosen, moving, state, 1)
    rows = [RightSide(c.expression, c.complexity, c.chi2 / c.rows, math.nan) for c in candidates]
    kept = [r for r in front(rows) if r.complexity != complexity(chosen)]
    loss = math.nan if fitted is None else fitted.chi2 / len(moving.target(state)[0])
    kept.append(RightSide(chosen, complexity(chosen), loss, math.nan))
    out = []
    for row in sorted(kept, key=lambda r: r.complexity):
        paths = list(_simulated({**equations, name: row.expression}, moving, scale, until))
        share = min(float(explained(s.run.X[: len(path)], path)[state]) for s, path in paths)
        whole = all(np.isfinite(path).all() for _, path in paths)
        out.append(RightSide(row.expression, row.complexity, row.loss, share if whole else math.nan))
    return tuple(out)


def _notes(found: Found, moving: Motion) -> list[str]:
    """Return what a person should know of the rows and of what may be missing."""
    out = [*unseen(found, moving), *aliased(moving)]
    for s in moving.stretches:
        gap, usual = float(np.max(np.diff(s.run.t))), float(np.median(np.diff(s.run.t)))
        if gap > 10 * usual:
            out.append(f"a gap of {gap:.3g} in time is {gap / usual:.0f} times the usual step")
    return list(dict.fromkeys(out))


def _trust(shot: Shot, held: np.ndarray, horizon: float, span: float, chaotic: bool) -> str:
    """Return in a sentence how far the equations can be trusted."""
    share = float(np.nanmin(held)) if np.isfinite(held).any() else math.nan
    apart = "a stretch of time that no constant was fitted to"
    if chaotic:
        text = f"Chaotic: it can be foretold for about {horizon:.3g} units of time, of {span:.3g} seen."
    elif not math.isfinite(share):
        text = "There are too few rows to hold a stretch of time back."
    elif share >= 1 and not shot.sharp:
        text = f"Followed to within the noise over {apart}."
    elif share > GOOD:
        text = f"Followed over {apart} (R2 at least {share:.4g})."
    elif share <= -1:
        text = f"Over {apart} the equations diverge: do not rely on them."
    else:
        text = f"Followed badly over {apart} (R2 {share:.2g})."
    noise = math.sqrt(max(shot.chi2 / max(shot.rows - len(shot.theta), 1), 0.0))
    return text if noise < 1.5 else f"{text} The equations leave {noise:.2g} times the noise."

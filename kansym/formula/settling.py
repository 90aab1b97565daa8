"""Exact numbers for measured constants: 2 for 2.0003 ± 0.0004, where the rows allow it.

`settle` fixes each constant to a nice exact value where the data allow it. A constant that the data do not
determine (a redundant one, such as b in exp(a x + b)·c) is fixed by the same step, because 0 and 1 are the
nicest values of all. `exchanges` offers such forms to be weighed as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.linear import TINY, UNDETERMINED, norms
from kansym.formula import constants
from kansym.formula.expression import complexity
from kansym.formula.polish import Constant, Polished, Rows, fit
from kansym.formula.program import Program

REFIT_STEPS = 25
"""Steps of a refit after one constant became exact: the others move little."""

DUST = 1e-12
"""A constant this small may be round-off, whatever its standard error says: 0 is tried."""

OF_EXPONENTS = 4
"""Times as many nice values are looked at for an exponent, of which only fractions are taken."""

TRIALS = 6
"""Nice values tried for one constant: the likeliest by the linearised fit; more never paid."""

ROOM, WEIGHED_ROOM = 2.0, 4.0
"""Nats by which an exact number may seem dearer than a measured one and is tried: errors are estimates. More
where the whole formula is weighed next: pi**2 costs fewer nats there than a fraction so long."""

MOST_ERRORS = 2.0
"""Standard errors by which a constant may differ from the exact number it is written as."""

VAGUE = 0.1
"""Relative error above which a factor is not taken to be one and left out: in which unit would it be? A tree
of seven rows was age**0.68 ± 0.004, of (1.1 ± 0.2)*age**(0.67 ± 0.03)."""

MAX_WORSENING = 8.0
"""Nats of worse fit (four standard errors) beyond which no simplicity excuses a rounded constant."""


def settle(polished: Polished, rows: Rows) -> Polished:
    """Fix constants to nice exact values, one after another, as long as the data do not object.

    A value is accepted when the nats it saves (its price against writing the number to its standard
    error, and the symbols that vanish from the formula) exceed the nats by which the fit gets worse.
    Exponents come first, then the least determined constants.
    """
    done: set[str] = set()
    while True:
        queue = [c for c in _queue(polished, rows) if _key(c) not in done]
        if not queue:
            return polished
        constant = queue[0]
        better = _fix(polished, constant, rows)
        if better is None:
            done.add(_key(constant))
        else:
            polished = better


def _key(c: Constant) -> str:
    # names change as constants vanish; value and standard error do not, unless the refit moved them
    return f"{c.value:.9g} {c.stderr:.1g}"


def _queue(polished: Polished, rows: Rows) -> list[Constant]:
    """Return the constants in the order of their turns: exponents first, then the least determined."""
    names = _exponents(polished)
    errors = _errors(polished, rows)
    ranked = []
    for c, error in zip(polished.free, errors, strict=True):
        relative = error / (abs(c.value) + TINY)
        ranked.append((c.name not in names, -min(relative, 1.0), replace(c, stderr=float(error))))
    return [c for *_, c in sorted(ranked, key=lambda t: (t[0], t[1]))]


def _exponents(polished: Polished) -> set[str]:
    """Return the names of the constants that stand in an exponent of something that varies."""
    powers = polished.program.template.atoms(sympy.Pow)
    return {s.name for p in powers if p.base.free_symbols for s in p.exp.free_symbols}


def _errors(polished: Polished, rows: Rows) -> np.ndarray:
    """Return standard errors, infinite along directions that the rows do not determine."""
    J = polished.slopes(rows)
    norm = norms(J)
    _, s, Vt = np.linalg.svd(J / norm, full_matrices=False)
    s2 = rows.variance(polished.loss, len(s))
    inverse = 1 / np.maximum(s, 1e-12 * s[0]) if len(s) and s[0] > 0 else np.full(len(s), np.inf)
    variance = s2 * np.sum((Vt.T * inverse) ** 2, axis=1) / norm**2
    lost = s <= UNDETERMINED * (s[0] if len(s) else 1.0)
    errors = np.sqrt(variance)
    errors[np.any(np.abs(Vt[lost]) > 1e-6, axis=0)] = np.inf
    return errors


def _fix(polished: Polished, constant: Constant, rows: Rows) -> Polished | None:
    """Return the fit with a constant at its best exact value, None where the data object to all."""
    index = [p.name for p in polished.program.parameters].index(constant.name)
    error = constant.stderr
    template, parameters = polished.program.template, polished.program.parameters
    # with the values written in: a negative one has its sign to pay for, like the exact one that replaces it
    before = complexity(polished.expression)
    reach = max(MOST_ERRORS * error, 2e-11 * abs(constant.value), DUST)
    candidates = _candidates(constant.value, error, constant.name in _exponents(polished))
    near = [nice for nice in candidates if abs(nice.value - constant.value) <= reach]
    if VAGUE < error / max(abs(constant.value), TINY) < 1 and _is_factor(parameters[index], template):
        near = [nice for nice in near if abs(nice.value) != 1]
    for nice in near[:TRIALS]:
        form = template.xreplace({parameters[index]: nice.exact})
        if form.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I):
            continue
        start = _slide(polished, index, nice.value, rows)
        # others may have vanished with this one: 0·sin(a·x)
        kept = [i for i, p in enumerate(parameters) if p in form.free_symbols]
        program = Program.compile(form, rows.symbols, [parameters[i] for i in kept], start[kept])
        record = Constant(constant.name, constant.value, error, nice.exact)
        trial = fit(program, rows, REFIT_STEPS, (*polished.fixed, record))
        if trial is None:
            continue
        shorter = criterion.NODE_PRICE * (before - complexity(trial.expression))
        saved = criterion.number_length(constant.value, error) - nice.price + shorter
        # pi is paid for once: by its own price or by the symbols it adds, whichever is dearer
        saved += min(nice.base, max(0.0, -shorter))
        if worsening(polished, trial, rows) < min(saved, MAX_WORSENING):
            return trial
    return None


def _is_factor(symbol: sympy.Symbol, template: sympy.Expr) -> bool:
    """Tell whether a constant multiplies something, so that it would be gone if it were one."""
    return any(symbol in product.args for product in template.atoms(sympy.Mul))


def exchanges(polished: Polished, rows: Rows, vanishing: float) -> Iterator[sympy.Expr]:
    """Yield the formula with one constant at an exact value that the rows allow, exponents first.

    A value within MOST_ERRORS standard errors, or `vanishing` where a number goes with it: a factor or an
    exponent of one. While the rows do not determine a constant (an offset near 0), only nought is offered.
    """
    template, parameters = polished.program.template, polished.program.parameters
    values = {p: sympy.Float(float(v), 17) for p, v in zip(parameters, polished.theta, strict=True)}
    exponents, queue = _exponents(polished), _queue(polished, rows)
    unsure = [c for c in queue if not c.stderr < abs(c.value)]
    for constant in unsure or queue:
        symbol = next(p for p in parameters if p.name == constant.name)
        others = {p: v for p, v in values.items() if p != symbol}
        a_power = constant.name in exponents
        for nice in _candidates(constant.value, constant.stderr, a_power, WEIGHED_ROOM)[:TRIALS]:
            off = abs(nice.value - constant.value) / max(constant.stderr, TINY)
            most = vanishing if abs(nice.value) == 1 else MOST_ERRORS
            if off > most or (unsure and nice.value):
                continue
            form = template.xreplace({symbol: nice.exact}).xreplace(others)
            if not form.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I):
                yield form


def _candidates(value: float, error: float, exponent: bool, room: float = ROOM) -> list[constants.Nice]:
    """Return nice values by what they should cost: their price and the worsening that the error predicts.

    An exponent is a whole number or a fraction, or it is measured: no law has r**sqrt(2).
    """
    signs = (1, -1) if value > 0 else (-1, 1)
    units = [constants.Nice(sympy.Integer(s), float(s), 1.0) for s in signs]
    if math.isinf(error):
        return [constants.Nice(sympy.S.Zero, 0.0, 0.7), *units]
    error = max(error, 1e-11 * abs(value))
    if abs(value) < DUST:
        units.append(constants.Nice(sympy.S.Zero, 0.0, 0.7))
    longest = criterion.number_length(value, error) + 4 * criterion.NODE_PRICE
    found = constants.near(value, error, longest, OF_EXPONENTS * TRIALS if exponent else TRIALS)
    if exponent:
        found = [nice for nice in found if nice.exact.is_Rational][:TRIALS]
    found += [n for n in units if abs(n.value - value) <= max(constants.REACH * error, DUST)]
    cost = {n.exact: n.price + 0.5 * ((n.value - value) / error) ** 2 for n in reversed(found)}
    # only nought and ones make symbols vanish: any other number must be worth it by itself
    most = criterion.number_length(value, error) + room
    worth = {n.exact: n for n in found if cost[n.exact] < most or n.value in (0.0, 1.0, -1.0)}
    return sorted(worth.values(), key=lambda nice: cost[nice.exact])


def worsening(old: Polished, new: Polished, rows: Rows) -> float:
    """Return the nats by which a fit with fewer free constants describes the rows worse."""
    n, p = len(rows.y), len(old.theta)
    if rows.sigma2 is not None:
        return 0.5 * n * (new.loss - old.loss) / rows.variance(old.loss, p)
    return 0.5 * max(n - p, 1) * math.log(rows.counted(new.loss) / rows.counted(old.loss))


def _slide(polished: Polished, index: int, target: float, rows: Rows) -> np.ndarray:
    """Return the constants moved so that constant `index` takes its target and the fit changes least."""
    J = polished.slopes(rows)
    move = np.zeros(len(polished.theta))
    move[index] = target - polished.theta[index]
    rest = [i for i in range(len(move)) if i != index]
    if rest:
        scale = norms(J[:, rest])
        step = np.linalg.lstsq(J[:, rest] / scale, -J[:, index] * move[index], rcond=1e-10)[0] / scale
        # a long slide leaves the region where the linear model holds: keep what stays finite
        step = np.where(np.isfinite(step), step, 0.0)
        move[rest] = step
    moved = polished.theta + move
    program = polished.program
    return moved if np.isfinite(rows.loss(program.value(rows.X, moved))) else polished.theta

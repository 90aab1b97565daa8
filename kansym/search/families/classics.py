"""What every scientist tries first: families of curves from handbooks, with good starts.

Each family is fitted roughly, the likely ones to the end; those that describe the rows best are proposed. One
input is tried with every family; two inputs in both orders with the families of two; and where a table has
more, a family of one input with the others added linearly or multiplied as powers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import sympy
from numpy.polynomial.chebyshev import chebvander
from scipy.special import fdtrc

from kansym.base.budget import Budget
from kansym.base.leastsq import EPS
from kansym.base.linear import TINY
from kansym.base.weights import spread
from kansym.data.dataset import Dataset
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.search.candidate import Candidate
from kansym.search.families import kinks, modes
from kansym.search.families.described import WORK, Fit, length, proved, until_proved
from kansym.search.families.family import INPUTS, MOST_INPUTS, Families, Family, Start
from kansym.search.families.projection import (
    FULL_STEPS,
    QUICK_STEPS,
    TERM_STEPS,
    Fitted,
    Rows,
    denominator,
    fit,
    glance,
    program_of,
    refined,
)

MOST_PAIRED = 5
"""Columns up to which every ordered pair is tried with the families of two inputs."""

MOST_FINISHED = 16
"""Rough fits that are finished."""

MOST_GLANCED, MOST_FITTED = 400, 16
"""Families times choices of columns whose starts are compared on a table of several columns, and those that
are fitted: such a table's law is seldom one of these, so the look is a short one."""

MOST_BESIDE = 4
"""Columns, at most, of a family of one input with others added linearly."""

BEND, BY_CHANCE, MATTERS = 6, 0.01, 3.0
"""Degree of the polynomial that stands for any curve of one input, the chance below which it matters, and the
standard errors that another input's slope beside it must have to be added."""

SHORT = 3
"""Constants, at most, of a family of one input that is tried on a table of several columns."""

OFFERED_WITHIN, MOST_OFFERED = 20.0, 10
"""Nats behind the shortest description within which fits are offered, and how many of them."""

TERM_LOSS = 8.0
"""Nats by which one more term may lose before no further one is tried."""

EVERYDAY, MOST_EVERYDAY = tuple(sympy.Rational(k, 2) for k in (-6, -4, -2, -1, 1, 2, 4, 6)), 2
"""Exponents that a sum of powers is tried with, and how many such sums are kept."""

BETWEEN = 4
"""Points from one row to the next at which a curve is looked at."""

ALIAS = 2.0
"""How many times the variation on the rows a curve may vary between them."""

BEYOND = 0.5
"""Part of the inputs' range by which a place may lie outside of it: a peak, or the middle of a step."""

Assigned = tuple[Family, tuple[int, ...]]
"""A family, and the columns that its inputs are."""


def propose(
    dataset: Dataset,
    *,
    budget: Budget,
    library: Library | None = None,
    seed: int = 0,
    families: Families | None = None,
) -> Iterator[Candidate]:
    """Yield the families that describe a table best, the shortest description first."""
    chosen = Families.load() if families is None else families
    if library is not None:
        chosen = chosen.within(library)
    rows, inputs = Rows.of(dataset), symbols(dataset.names)
    unit = spread(rows.y, rows.w)
    for found in best(rows, list(chosen.values()), budget):
        formula = found.expression(inputs)
        if library is None or kinks.allowed(formula, library):
            yield Candidate(found.fitted.cost / max(unit, TINY), found.fitted.form.family, formula)


def best(rows: Rows, families: Sequence[Family], budget: Budget) -> list[Fit]:
    """Return the fits of the likeliest families, finished, the shortest description first."""
    width = rows.X.shape[1]
    looks: list[Callable[[], list[Fit]]] = []
    if width == 1:
        sums, others = modes.parted([f for f in families if f.columns == 1])
        looks += [partial(modes.modes, rows), partial(kinks.kinks, rows)] if sums else []
        looks += [partial(rough, f, (0,), rows) for f in others]
    else:
        looks += [partial(rough, *assigned, rows) for assigned in _glanced(families, rows, budget)]
    found = until_proved(looks, rows, budget)
    if width > 1 and not budget.exhausted and families:
        found += product_of_powers(rows)
    return finished(found, rows)


def _glanced(families: Sequence[Family], rows: Rows, budget: Budget) -> list[Assigned]:
    """Return the families and columns whose starts come nearest to a table of several columns."""
    pairs = _assignments(families, rows)[:MOST_GLANCED]
    if budget.exhausted:
        return []
    budget.spend(WORK * len(pairs) / 10)
    costs = [glance(f.form(1), Rows(rows.X[:, columns], rows.y, rows.w)) for f, columns in pairs]
    near = sorted(range(len(pairs)), key=lambda i: costs[i])
    return [pairs[i] for i in near[:MOST_FITTED]]


def finished(found: list[Fit], rows: Rows) -> list[Fit]:
    """Return the likeliest of rough fits, fitted to the end, and the closest ones of few constants.

    What has a pole between the rows, or varies there as the rows do not show, is left out, and what has signs
    that its family's name does not mean: a saturation whose rate is negative is an explosion with an offset.
    """
    ranked = sorted((f for f in found if natural(f, rows)), key=lambda f: f.length)
    exact = [f for f in ranked if proved(f, rows) and tame(f, rows)]
    if exact:
        return exact[:1]
    likely = ranked[:MOST_FINISHED]
    likely += [f for f in _simplest([f for f in ranked if tame(f, rows)]) if f not in likely]
    done = [f for f in (_finished(f, rows) for f in likely) if natural(f, rows) and tame(f, rows)]
    done.sort(key=lambda f: f.length)
    # a family of two inputs may be one of one input with a line beside it: the same curve is offered once
    once = {(frozenset(f.columns), f"{f.fitted.cost:.6g}", len(f.fitted.theta)): f for f in done[::-1]}
    done = sorted(once.values(), key=lambda f: f.length)
    if not done:
        return []
    near = [f for f in done if f.length <= done[0].length + OFFERED_WITHIN][:MOST_OFFERED]
    return near + [f for f in _simplest(done) if f not in near]


def _simplest(fits: list[Fit]) -> list[Fit]:
    """Return the fits that no other with as few constants beats: they may stand on the front."""
    kept: list[Fit] = []
    for found in sorted(fits, key=lambda f: (len(f.fitted.theta), f.fitted.cost)):
        if not kept or found.fitted.cost < kept[-1].fitted.cost:
            kept.append(found)
    return kept


def _assignments(families: Sequence[Family], rows: Rows) -> list[Assigned]:
    """Return families with the columns that their inputs may be, for a table of several columns.

    Families of two inputs in every order; short ones of one input that matters, alone and with a line in the
    others that matter beside it.
    """
    width, out = rows.X.shape[1], []
    beside = {j: others for j in range(width) if (others := _beside(rows, j)) is not None}
    short = [f for f in families if f.columns == 1 and not f.inside and len(f.form(1).constants) <= SHORT]
    for family in families:
        if family.columns > 1 and width <= MOST_PAIRED and family.columns <= width:
            out += [(family, order) for order in itertools.permutations(range(width), family.columns)]
    for family in short:
        for j, others in beside.items():
            out.append((family, (j,)))
            if 0 < len(others) < MOST_BESIDE:
                out.append((family.beside(1 + len(others)), (j, *others)))
    return out


def _beside(rows: Rows, j: int) -> tuple[int, ...] | None:
    """Return the columns whose slopes matter beside any curve of column j; None where no such curve matters.

    By one regression on both: the slopes by their standard errors, the curve by an F-test.
    """
    n, width = rows.X.shape
    others = [i for i in range(width) if i != j]
    free = n - width - BEND
    if free < 1:
        return tuple(others)
    x = rows.X[:, j]
    curve = chebvander(2 * (x - x.min()) / max(float(np.ptp(x)), TINY) - 1, BEND)
    A = np.column_stack([curve[:, 0], rows.X[:, others], curve[:, 1:]]) * rows.w[:, None]
    Q, R = np.linalg.qr(A / np.maximum(np.linalg.norm(A, axis=0), TINY))
    if np.abs(np.diag(R)).min() < np.sqrt(EPS):
        return tuple(others)
    y = rows.w * rows.y
    told = Q.T @ y
    left = max(float(y @ y - told @ told), EPS * float(y @ y)) / free
    if fdtrc(BEND, free, float(np.mean(told[-BEND:] ** 2)) / left) > BY_CHANCE:
        return None
    inverse = np.linalg.inv(R)
    matter = np.abs(inverse @ told) > MATTERS * np.sqrt(left * np.sum(inverse**2, axis=1))
    return tuple(i for i, m in zip(others, matter[1:width], strict=True) if m)


def product_of_powers(rows: Rows) -> list[Fit]:
    """Return c·x1^n1·x2^n2·... of all positive columns, and of fewer as long as that is shorter.

    Exponents start from the regression of log |y|, rows weighed by y² as the delta method has it.
    """
    columns = [j for j in range(rows.X.shape[1]) if np.all(rows.X[:, j] > 0)][:MOST_INPUTS]
    sign = 1.0 if np.median(rows.y) > 0 else -1.0
    up = sign * rows.y > 0
    out: list[Fit] = []
    while columns and np.sum(up) > len(columns) + 1:
        names = tuple(f"n{i + 1}" for i in range(len(columns)))
        formula = symbols(["a"])[0] * sympy.Mul(*(x**n for x, n in zip(INPUTS, symbols(names), strict=False)))
        form = Family(
            "product of powers", formula, ("a",), (), tuple((n, Start("exponent")) for n in names)
        ).form()
        logs = np.log(rows.X[:, columns])
        weight = (rows.w * np.abs(rows.y))[up]
        A = np.column_stack([np.ones(len(weight)), logs[up]])
        start = np.linalg.lstsq(A * weight[:, None], np.log(sign * rows.y[up]) * weight, rcond=None)[0][1:]
        part = Rows(rows.X[:, columns], rows.y, rows.w)
        fitted = refined(form, start, part, TERM_STEPS)
        if fitted is None:
            break
        now = Fit(fitted, tuple(columns), length(fitted, part))
        if out and now.length > out[-1].length:
            break
        out.append(now)
        # the column that moves y least goes first
        columns = [c for i, c in enumerate(columns) if i != np.argmin(np.abs(fitted.theta[1:]) * logs.std(0))]
    return out


def rough(family: Family, columns: tuple[int, ...], rows: Rows) -> list[Fit]:
    """Return the family's rough fits, one for every number of terms that seems worth it."""
    part = Rows(rows.X[:, columns], rows.y, rows.w)
    out: list[Fit] = []
    before: Fitted | None = None
    for terms in range(1, family.terms + 1):
        form = family.form(terms)
        if len(form.constants) >= len(rows.y):
            break
        before = fit(form, part, before, QUICK_STEPS if terms == 1 else TERM_STEPS)
        if before is None:
            break
        out.append(Fit(before, columns, length(before, part)))
        if len(out) > 1 and out[-1].length > out[-2].length + TERM_LOSS:
            break
    return out + _with_everyday_powers(family, columns, part)


def _with_everyday_powers(family: Family, columns: tuple[int, ...], part: Rows) -> list[Fit]:
    """Return a family of several exponents and linear constants with its best EVERYDAY exponents put in.

    Noise tells two exponents of a sum so poorly apart that the right ones are seldom the nearest to measured
    ones: a/v + b*v^2 of 18 rows.
    """
    form = family.form(1)
    if len(form.others) < 2 or form.inside or any(start.role != "exponent" for start in form.starts):
        return []
    out: list[Fit] = []
    for powers in itertools.combinations(EVERYDAY, len(form.others)):
        chosen = dict(zip(form.others, powers, strict=True))
        plain = replace(form, formula=form.formula.xreplace(chosen), others=(), starts=())
        if len(plain.linear) < len(part.y) and (found := fit(plain, part)) is not None:
            out.append(Fit(found, columns, length(found, part)))
    return sorted(out, key=lambda f: f.fitted.cost)[:MOST_EVERYDAY]


def _finished(rough: Fit, rows: Rows) -> Fit:
    """Return a fit after as many steps as it needs."""
    form = rough.fitted.form
    part = Rows(rows.X[:, rough.columns], rows.y, rows.w)
    again = refined(form, rough.fitted.theta[len(form.linear) :], part, FULL_STEPS)
    if again is None or again.cost > rough.fitted.cost:
        return rough
    return Fit(again, rough.columns, length(again, part))


def natural(found: Fit, rows: Rows) -> bool:
    """Tell whether a fit's constants have the signs and the places that its family's name means.

    A logistic curve whose middle lies far beyond the rows is the tail of any curve.
    """
    form, theta = found.fitted.form, found.fitted.theta
    values = dict(zip(form.constants, theta, strict=True))
    for constant, start in zip(form.others, form.starts, strict=False):  # sums of modes have no starts
        x = rows.X[:, found.columns[start.column]]
        room, place = BEYOND * np.ptp(x), values[constant]
        if start.role == "place" and not x.min() - room <= place <= x.max() + room:
            return False
    return form.natural(theta)


def tame(found: Fit, rows: Rows) -> bool:
    """Tell whether a curve of one input is finite between the rows and varies as little there as on them."""
    if len(found.columns) > 1:
        return True
    x = np.unique(rows.X[:, found.columns[0]])
    steps = np.arange(BETWEEN) / BETWEEN
    dense = np.append((x[:-1, None] + np.diff(x)[:, None] * steps).ravel(), x[-1])
    with np.errstate(all="ignore"):
        values = program_of(found.fitted.form).value(dense[:, None], found.fitted.theta)
        shown, all_of_it = (float(np.sum(np.abs(np.diff(v)))) for v in (values[::BETWEEN], values))
        below = denominator(found.fitted.form).value(dense[:, None], found.fitted.theta)
    if not np.all(np.isfinite(values)) or np.ptp(np.sign(below)) > 1:  # a pole
        return False
    return all_of_it <= ALIAS * shown + 1e-9 * float(np.abs(values).max())

"""What every scientist tries first: families of curves from handbooks, with good starts.

Each family is fitted roughly, the likely ones to the end; those that describe the rows best are proposed. One
input is tried with every family; two inputs in both orders with the families of two; and where a table has
more, a family of one input with the others added linearly or multiplied as powers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.data.dataset import Dataset
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.search.candidate import Candidate
from kansym.search.family import Families, Family
from kansym.search.projection import FULL_STEPS, Fitted, Rows, fit, program_of, refined, written

MOST_PAIRED = 5
"""Columns up to which every ordered pair is tried with the families of two inputs."""

FAMILY_PRICE = 4.5
"""Nats for naming one family of some eighty."""

CONSTANT_PRICE = 1.5
"""Nats that a constant costs beyond log(n)/2."""

LIKELY = 30.0
"""Nats behind the best family within which a rough fit is finished."""

MOST_FINISHED = 16
OFFERED_WITHIN = 20.0
MOST_OFFERED = 8
FLOOR = 1e-28
"""Share of the target's square below which a misfit is round-off."""

TERM_LOSS = 8.0
"""Nats by which one more term may lose before no further one is tried."""

GRID = 400
BEYOND = 1.0
"""Target ranges by which a curve may leave the target's range between the rows."""

WORK = 0.1
"""Units of work that one family costs (see `base.budget`)."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Hold a fitted family with the columns it is fitted to and its length in nats."""

    fitted: Fitted
    columns: tuple[int, ...]
    length: float

    def expression(self, inputs: Sequence[sympy.Symbol]) -> sympy.Expr:
        """Return the formula over a table's columns."""
        return written(self.fitted.form, self.fitted.theta, [inputs[j] for j in self.columns])


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
    root = np.ones(dataset.rows) if dataset.weights is None else np.sqrt(dataset.weights)
    rows = Rows(dataset.X, dataset.y, root / root.mean())
    inputs = symbols(dataset.names)
    unit = float(np.sum((rows.w * (rows.y - np.average(rows.y, weights=rows.w**2))) ** 2))
    for found in best(rows, list(chosen.values()), budget):
        yield Candidate(
            found.fitted.cost / max(unit, 1e-300), found.fitted.form.family, found.expression(inputs)
        )


def best(rows: Rows, families: Sequence[Family], budget: Budget) -> list[Fit]:
    """Return the fits of the likeliest families, finished, the shortest description first."""
    rough: list[Fit] = []
    for family in families:
        for columns in _assignments(family, rows.X.shape[1]):
            if budget.exhausted:
                break
            budget.spend(WORK)
            rough += _rough(family, columns, rows)
    rough.sort(key=lambda f: f.length)
    likely = [f for f in rough if f.length <= rough[0].length + LIKELY][:MOST_FINISHED]
    finished = [_finished(f, rows) for f in likely if not budget.exhausted] or likely
    finished = sorted((f for f in finished if tame(f, rows)), key=lambda f: f.length)
    return [f for f in finished if f.length <= finished[0].length + OFFERED_WITHIN][:MOST_OFFERED]


def _assignments(family: Family, width: int) -> Iterator[tuple[int, ...]]:
    """Yield the columns that a family's inputs may be."""
    if family.columns == 1:
        yield from ((j,) for j in range(width))
    elif width <= MOST_PAIRED:
        yield from itertools.permutations(range(width), family.columns)


def _rough(family: Family, columns: tuple[int, ...], rows: Rows) -> list[Fit]:
    """Return the family's rough fits, one for every number of terms that seems worth it."""
    part = Rows(rows.X[:, columns], rows.y, rows.w)
    out: list[Fit] = []
    before: Fitted | None = None
    for terms in range(1, family.terms + 1):
        form = family.form(terms)
        if len(form.constants) >= len(rows.y):
            break
        before = fit(form, part, before)
        if before is None:
            break
        out.append(Fit(before, columns, length(before, part)))
        if len(out) > 1 and out[-1].length > out[-2].length + TERM_LOSS:
            break
    return out


def _finished(rough: Fit, rows: Rows) -> Fit:
    """Return a fit after as many steps as it needs."""
    form = rough.fitted.form
    part = Rows(rows.X[:, rough.columns], rows.y, rows.w)
    again = refined(form, rough.fitted.theta[len(form.linear) :], part, FULL_STEPS)
    if again is None or again.cost > rough.fitted.cost:
        return rough
    return Fit(again, rough.columns, length(again, part))


def length(fitted: Fitted, rows: Rows) -> float:
    """Return the description length in nats: misfit, constants, and the family's name."""
    n, k = fitted.rows, len(fitted.theta)
    floor = FLOOR * float(np.sum((rows.w * rows.y) ** 2)) / len(rows.y)
    scale = len(rows.y) / n
    misfit = criterion.misfit_length(fitted.cost / n, n, k, floor) * scale
    return misfit + k * (CONSTANT_PRICE + 0.5 * math.log(len(rows.y))) + FAMILY_PRICE


def tame(found: Fit, rows: Rows) -> bool:
    """Tell whether a curve of one input stays finite and near the target's range between the rows."""
    if len(found.columns) > 1:
        return True
    x = rows.X[:, found.columns[0]]
    grid = np.linspace(x.min(), x.max(), GRID)[:, None]
    values = program_of(found.fitted.form).value(grid, found.fitted.theta)
    low, high = rows.y.min(), rows.y.max()
    room = BEYOND * (high - low)
    return bool(np.all(np.isfinite(values)) and values.min() >= low - room and values.max() <= high + room)

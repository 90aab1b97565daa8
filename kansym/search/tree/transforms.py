"""Transforms of a problem's target, and where noise may carry some values beyond their domain.

A logarithm of what is as small as its noise tells nothing: such rows are left out, as long as those that are
beyond the domain are so by noise only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import sympy

from kansym.search.structure import outers
from kansym.search.structure.problem import Problem
from kansym.search.tree import moves

LEVELS = (1, -1)
"""Levels taken off a target before it is transformed: what is left when its scale was divided out."""

DOMAINS = (
    (-np.inf, np.inf),
    (0.0, np.inf),
    (0.0, 1.0),
    (-np.inf, 1.0),
    (-1.0, np.inf),
    (-1.0, 1.0),
    (1.0, np.inf),
    (-np.inf, 0.0),
)
"""Ranges of a target in which some transform is defined."""

TELLING, BEYOND, MOST_BEYOND = 2.0, 4.0, 0.01
"""Standard deviations of noise that a row must be within a domain, and by which it may be beyond it; and the
share of rows that may be further off."""

FEWEST, LEAST_SHARE = 30, 0.4
"""Rows that must be within, and share of all."""

PRICES = {"1/t^2": 2.0} | dict.fromkeys(("1/t", "t^2", "sqrt", "exp", "sin", "cos", "tan", "atanh"), 1.0)
"""Transforms of `outers`, with their prices in symbols."""

LOG, OFFSET = 0.5, 2.0
"""Price of a logarithm, and of a level that is taken off before."""


@dataclass(frozen=True, eq=False)
class Change:
    """Hold a problem whose target is a function of another's, less a `level`, `turned` over 1 before."""

    name: str
    level: int
    turned: bool
    problem: Problem


def defined(problem: Problem, names: Iterable[str], levelled: Iterable[str] = ()) -> Iterator[Change]:
    """Yield the transforms that are defined on all rows: logarithms, and those of `outers` by name.

    A logarithm is taken as it is, and of what is left without a level or of the reciprocal of that, less the
    level: log(y), log(y - 1), log(1/y - 1). The `levelled` ones are taken of y less a level, too.
    """
    for level in (0, *LEVELS):
        moved = moves.offset(problem, level) if level else problem
        if moved is not None and (made := moves.logarithm(moved)) is not None:
            yield Change("log", level, False, made)
        turned = moves.reciprocal(problem, level) if level else None
        if turned is not None and (made := moves.logarithm(turned)) is not None:
            yield Change("log", level, True, made)
        for name in levelled if level else ():
            if moved is not None and (made := moved.target(outers.outer(name))) is not None:
                yield Change(name, level, False, made)
    for name in names:
        if (made := problem.target(outers.outer(name))) is not None:
            yield Change(name, 0, False, made)


def transformed(problem: Problem, left: float, powers: bool = True) -> Iterator[tuple[float, Problem]]:
    """Yield the transforms of a problem's target with their prices in symbols.

    Smooth fits leave `left` of it. Logarithms only, unless `powers` and angles are asked for.
    """
    unit = sympy.Dummy(real=True)
    seen = set()
    for low, high in DOMAINS:
        part = within(problem, left, low, high)
        for price, made in () if part is None else _made(part, powers):
            key = str(made.finish(unit))
            if key not in seen:
                seen.add(key)
                yield price, made


def within(problem: Problem, left: float, low: float, high: float) -> Problem | None:
    """Return the problem of the rows that are clearly within a domain, None where too many are not.

    Smooth fits leave `left` of it.
    """
    rows = np.concatenate([problem.fit, problem.test])
    total = float(np.mean((problem.w * problem.y)[problem.fit] ** 2))
    noise = np.sqrt(left / problem.unit * total) / problem.w
    inside = np.minimum(problem.y - low, high - problem.y)
    if np.mean(inside[rows] < -BEYOND * noise[rows]) > MOST_BEYOND:
        return None
    good = inside > TELLING * noise
    if np.all(good[rows]):
        return problem
    fit, test = problem.fit[good[problem.fit]], problem.test[good[problem.test]]
    if len(fit) < max(FEWEST, LEAST_SHARE * len(problem.fit)):
        return None
    return replace(problem, fit=fit, test=test)


def _made(problem: Problem, powers: bool) -> Iterator[tuple[float, Problem]]:
    """Yield the transforms that are defined on a problem's rows."""
    for change in defined(problem, PRICES if powers else ()):
        base = LOG if change.name == "log" else PRICES[change.name]
        yield base + (OFFSET if change.level else 0.0) + change.turned, change.problem

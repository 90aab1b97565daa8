"""Functions of functions of one column as an answer to a clean curve: c·f(g(h(x))) + d, no other numbers.

log(-log(1 - 1/T)) is nothing but four plain steps from T. All chains of four steps, each a function or a
reciprocal, or 1 added or taken off, are some thirty thousand curves; a few rows tell which it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy

from kansym.base.linear import TINY
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.tree.ratios import EXACT

Values = Callable[[np.ndarray], np.ndarray]
Formula = Callable[[sympy.Expr], sympy.Expr]

STEPS: tuple[tuple[Values, Formula], ...] = (
    (np.log, sympy.log),
    (lambda u: np.log(-u), lambda u: sympy.log(-u)),
    (np.exp, sympy.exp),
    (lambda u: np.exp(-u), lambda u: sympy.exp(-u)),
    (np.sqrt, sympy.sqrt),
    (np.square, lambda u: u**2),
    (np.reciprocal, lambda u: 1 / u),
    (lambda u: 1 + u, lambda u: 1 + u),
    (lambda u: 1 - u, lambda u: 1 - u),
    (lambda u: u - 1, lambda u: u - 1),
    (np.sin, sympy.sin),
    (np.cos, sympy.cos),
    (np.tan, sympy.tan),
    (np.tanh, sympy.tanh),
    (np.arcsin, sympy.asin),
    (np.arccos, sympy.acos),
    (np.arctan, sympy.atan),
)
"""One step: its values and its formula."""

LONGEST, MOST = 4, 4000
"""Steps of a chain, and curves of one length that are gone on from, those of fewest steps first."""

ROWS = 40
"""Rows that tell curves apart."""

LARGEST, NARROWEST = 1e6, 1e-6
"""Size of a curve's values beyond which, and spread as a share of their size below which, digits are lost."""

TOLD = 3
"""Rows whose values two equal curves share."""

NEAR = 1e-9
"""Share of the target's variance that a chain may leave on few rows to be asked on all."""

PRICE = 2.0
"""Symbols that a step costs."""


@dataclass(frozen=True, eq=False)
class Chains:
    """Hold curves of one length on a few rows: values (rows, curves), and the steps of each."""

    values: np.ndarray
    steps: tuple[tuple[int, ...], ...]


@np.errstate(all="ignore")
def exact(problem: Problem) -> list[Fit]:
    """Return c·(a chain of a column) + d that the target is exactly, of fewest steps."""
    rows = np.sort(np.concatenate([problem.fit, problem.test]))
    x, y = problem.Z[rows, 0], problem.y[rows]
    some = np.linspace(0, len(y) - 1, min(len(y), ROWS)).round().astype(int)
    few = y[some] - y[some].mean()
    if not np.all(np.isfinite(x)) or not np.all(np.isfinite(y)) or not few @ few > 0:
        return []
    chains = Chains(x[some, None], ((),))
    known: set[bytes] = set()
    for _ in range(LONGEST):
        chains = _longer(Chains(chains.values[:, :MOST], chains.steps[:MOST]), known)
        if not chains.steps:
            return []
        centred = chains.values - chains.values.mean(0)
        left = 1 - (few @ centred) ** 2 / np.maximum(
            np.einsum("ij,ij->j", centred, centred) * (few @ few), TINY
        )
        for k in np.argsort(left, kind="stable")[:2]:
            if left[k] < NEAR and (line := _line(_along(chains.steps[k], x), y)) is not None:
                price = PRICE * len(chains.steps[k])
                write = partial(_written, chains.steps[k], line, problem.formulas[0])
                found = Proposal(1e-24, price, write)
                return [Fit(1e-24, price, "chain", problem, partial(list, (found,)))]
    return []


def _longer(chains: Chains, known: set[bytes]) -> Chains:
    """Return the chains that are one step longer, without those whose values are `known`."""
    values: list[np.ndarray] = []
    steps: list[tuple[int, ...]] = []
    for k, (function, _) in enumerate(STEPS):
        made = function(chains.values)
        size = np.abs(made).max(0)
        good = np.isfinite(size) & (size < LARGEST) & (np.ptp(made, axis=0) > NARROWEST * size)
        # seven digits of three rows tell curves apart; to take one for two does no harm
        keys = np.ascontiguousarray(made[:TOLD].T.astype(np.float32))
        for j in np.flatnonzero(good):
            if (key := keys[j].tobytes()) not in known:
                known.add(key)
                values.append(made[:, j])
                steps.append((*chains.steps[j], k))
    return Chains(np.array(values).T if values else np.zeros((0, 0)), tuple(steps))


def _along(steps: tuple[int, ...], x: np.ndarray) -> np.ndarray:
    """Return a chain's values (n,) at x (n,)."""
    for k in steps:
        x = STEPS[k][0](x)
    return x


def _line(u: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """Return c and d of c·u + d where y (n,) is that exactly."""
    if not np.all(np.isfinite(u)):
        return None
    A = np.column_stack([u, np.ones(len(u))])
    c, d = np.linalg.lstsq(A, y, rcond=None)[0]
    off = float(np.linalg.norm(c * u + d - y))
    return (float(c), float(d)) if off <= EXACT * float(np.linalg.norm(y - y.mean())) else None


def _written(steps: tuple[int, ...], line: tuple[float, float], x: sympy.Expr) -> sympy.Expr:
    """Return the formula of a line in a chain."""
    for k in steps:
        x = STEPS[k][1](x)
    return sympy.Float(line[0]) * x + sympy.Float(line[1])

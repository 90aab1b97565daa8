"""The tree under noise: moves that lose nothing are still seen, but no answer is exact, so that all compare.

A right move leaves the noise and not zero: problems near the least that any smooth fit leaves are kept, the
table's own and those of transformed targets. Each is answered by what stands noise, ratios with a function
and named curves; what comes of all of them is fitted to the table's rows, and the likeliest are proposed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.functions.library import Library
from kansym.search.candidate import Candidate
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.structure.search import Search
from kansym.search.tree import bent, evidence, moves, noisy, parts, suggestions
from kansym.search.tree.transforms import transformed

LEAST = 1e-7
"""Share that smooth fits leave of a table below which it has no noise to speak of: exact looks know more."""

FEWEST_ROWS = 60
"""Rows below which the losses of two problems cannot be told apart."""

NEAR = 1.4
"""How many times the least loss of all a problem may leave and be answered."""

PATIENT = 60.0
"""The same for problems that are still to be transformed: a smooth fit of them may be poor."""

DEPTH = 2
"""Transforms of the target on the way to a problem."""

BEAM = 4
"""Problems whose targets are transformed, at each depth."""

ANSWERED = {1: 3, 2: 3, 3: 2, 4: 1}
"""Problems of so many columns that are answered, those of the fewest transforms first."""

ALIKE = 2
"""Problems of the same columns that are answered."""

FITTED, PROPOSED = 36, 8
"""Formulas that are fitted to the table's rows, and those that are proposed."""

MOST_SPAN = 25.0
"""Range of a logarithm that is undone."""

WORK = 0.5
"""Units of work of one solver's look."""

SOURCE = "tree in noise"


@dataclass(frozen=True, eq=False)
class Node:
    """Hold a problem, the share of the table's variance that a smooth fit leaves, its transforms' price."""

    problem: Problem
    left: float
    price: float = 0.0


def propose(
    dataset: Any, *, budget: Budget, library: Library | None = None, seed: int = 0
) -> Iterator[Candidate]:
    """Yield the likeliest formulas of a dataset with X (n, d), y (n,), weights and names, best first."""
    if dataset.rows < FEWEST_ROWS:
        return
    search = Search(dataset, budget, seed, library)
    with np.errstate(all="ignore"):
        found = nodes(search.root)
        if not found or found[0].left < LEAST:
            return
        proposals = [p for node in chosen(found) for p in answers(node, found[0].left, budget)]
        rows = len(search.root.fit)
        proposals.sort(key=lambda p: float(criterion.rank(p[0].share, p[0].price, rows)))
        measured = []
        for proposal, finish in proposals[:FITTED]:
            if budget.exhausted:
                break
            fitted = search.measure(finish(proposal.write()), SOURCE)
            measured += [] if fitted is None else [fitted]
    for _, candidate in sorted(measured, key=lambda m: m[0])[:PROPOSED]:
        yield candidate


def nodes(root: Problem) -> list[Node]:
    """Return the problems that a table's moves and transforms lead to, those that leave least first."""
    seen: dict[tuple, Node] = {}
    level = _grown(Node(root, evidence.loss(root)), seen)
    for depth in range(DEPTH):
        least = min((n.left for n in seen.values()), default=np.inf)
        if any(n.problem.width == 1 and n.left < NEAR * least for n in seen.values()):
            break  # nothing is simpler than a curve
        several = [n for n in level if n.problem.width > 1 and n.left < PATIENT * least]
        several.sort(key=lambda n: (n.left > NEAR * least, n.problem.width, n.left))
        level = []
        for node in several[:BEAM]:
            for price, problem in transformed(node.problem, node.left, powers=not depth):
                left = evidence.loss(problem)
                if left <= NEAR * node.left:
                    level += _grown(Node(problem, left, node.price + price), seen)
    return sorted(seen.values(), key=lambda n: n.left)


def _grown(node: Node, seen: dict[tuple, Node]) -> list[Node]:
    """Return a problem and those of fewer columns that lose nothing, as far as they are new."""
    found = [(node.left, node.problem), *suggestions.reductions(node.problem, known=node.left)]
    new = []
    for left, problem in found:
        key = moves.same(problem)
        if key not in seen:
            seen[key] = replace(node, problem=problem, left=left)
            new.append(seen[key])
    return new


def chosen(found: list[Node]) -> list[Node]:
    """Return the problems to be answered: near the least that any leaves, some of each number of columns."""
    least = found[0].left
    # a smooth fit of the table itself may be poor where a ratio holds
    near = [n for n in found if n.left <= (NEAR if n.price else PATIENT) * least]
    near.sort(key=lambda n: (n.price, n.left))
    out: list[Node] = []
    for width, most in ANSWERED.items():
        kept: list[Node] = []
        for node in (n for n in near if n.problem.width == width):
            alike = sum(set(n.problem.formulas) == set(node.problem.formulas) for n in kept)
            if len(kept) < most and alike < ALIKE and (node.left <= NEAR * least or not kept):
                kept.append(node)
        out += kept
    return out


def answers(node: Node, least: float, budget: Budget) -> Iterator[tuple[Proposal, Any]]:
    """Yield proposals for a problem, with the way back to the table; none can leave less than `least`."""
    seen = [node.problem]
    if node.problem.width == 1 and node.price and np.ptp(node.problem.y) < MOST_SPAN:
        # what a logarithm made a sum is simpler as it was
        seen = [p for p in (moves.exponent(node.problem, 1.0), node.problem) if p is not None]
    for problem, solve in itertools.product(seen, SOLVERS_OF_ONE if node.problem.width == 1 else SOLVERS):
        if budget.exhausted:
            return
        budget.spend(WORK)
        for fit in solve(problem):
            for p in fit.name():
                yield replace(p, share=max(p.share, least), price=p.price + node.price), fit.problem.finish


def _sum(problem: Problem) -> list[Fit]:
    return parts.separated(problem, product=False, noise=True)


def _product(problem: Problem) -> list[Fit]:
    return parts.separated(problem, product=True, noise=True)


def _curves(problem: Problem) -> list[Fit]:
    return parts.curves_of(problem)


SOLVERS_OF_ONE = (_curves, bent.fits, noisy.fits, parts.short_families)
SOLVERS = (noisy.fits, _sum, _product)

"""The search as one tree: problems, moves that make simpler ones, solvers that answer any; cheapest first.

The root is the table. A priority queue holds (problem, solver); an item's place is the price of what was
written on the way to its problem, in symbols, plus the solver's cost. Reducing a problem and transforming its
target are solvers like others, whose answers are problems. Equal problems are one. Work is counted by items
and not by seconds, so the same table and seed give the same order everywhere.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kansym.base.budget import Budget
from kansym.functions.library import Library
from kansym.search.candidate import Candidate
from kansym.search.structure import outers
from kansym.search.structure.models import SHARP, Fit, Models
from kansym.search.structure.problem import Problem
from kansym.search.structure.search import Search
from kansym.search.tree import evidence, moves, parts, ratios

DEAREST = 6.5
"""Items dearer than this are left to the thorough looks that come after the tree."""

WIDEST = 8
"""Problems with more columns are not reduced: a polynomial of so many columns tells too little."""

CHILDREN = 4
"""Reduced problems of one problem that are asked about, those of the fewest columns first."""

FEWEST_ROWS = 30
"""Rows below which a smooth fit tells nothing."""

MOST_TRANSFORMS = 3
"""Transforms on the way to a problem: a law of depth three has so many."""

OFFSETS = (1, -1)
"""Levels taken off a target before it is transformed: what is left when its scale was divided out."""

EXPECTED, DECADES = 1e-4, 8.0
"""A smooth fit that leaves this share counts nothing; each DECADES below it, as much as a symbol."""

PRICES = {"t^2": 0.8, "sqrt": 1.2, "exp": 1.2, "1/t": 1.2, "sin": 1.5, "cos": 1.5, "tan": 1.5, "atanh": 1.5}
"""Output transforms of `outers.OUTERS` whose problems are problems of their own, and their price."""

LOG = 0.6
"""Price of the logarithm of the target, which makes sums of products; offsets come on top."""

OFFSET = 0.7


QUICK, DEEP = 3.0, 50.0
"""Units of work (about half a second each) of a quick look at a table, and of a deep one."""

UNITS = {
    "reduce": 0.1,
    "transform": 0.12,
    "ridge": 0.6,
    "powers": 0.4,
    "sums": 4.0,
    "handbook": 3.0,
    "modes": 0.3,
}
"""Work of one item; 0.04 for those not named here, which take some 20 ms."""

SLOW = ("ridge", "powers", "sums")
"""Solvers that a quick look asks about one column only: with more they take far longer than all others."""

NOISY = 4
"""Fits that are named where none was sharp."""


def propose(
    dataset: Any,
    *,
    budget: Budget | None = None,
    library: Library | None = None,
    seed: int = 0,
    deep: bool = True,
) -> Iterator[Candidate]:
    """Yield candidates for a dataset with X (n, d), y (n,), weights and names: at once what looks exact.

    Where nothing does, the likeliest few come at the end of a deep look.
    """
    search = Search(dataset, budget or Budget(), seed, library)
    waiting: list[Fit] = []
    for step in Tree(search.models, search.root, deep).run():
        for fit in sorted(step, key=lambda f: f.rank):
            if fit.share >= SHARP:
                waiting.append(fit)
                continue
            yield from search.name(fit)
            if search.done:
                return
    for fit in sorted(waiting, key=lambda f: f.rank)[: NOISY if deep and search.best > SHARP else 0]:
        yield from search.name(fit)
        if search.done:
            return


@dataclass(frozen=True, eq=False)
class Node:
    """Hold a problem, its price in symbols less what a smooth fit says for it, and its transforms."""

    problem: Problem
    price: float
    transforms: int = 0
    last: str = ""


@dataclass(order=True)
class Item:
    """Hold a place in the queue; `number` keeps equals in the order in which they came."""

    place: float
    number: int
    ask: Callable[[Node], list[Fit]] = field(compare=False)
    node: Node = field(compare=False)


class Tree:
    """Carry the queue of one search; `models` fits the model classes."""

    def __init__(self, models: Models, root: Problem, deep: bool = True) -> None:
        self.models, self.deep = models, deep
        self.queue: list[Item] = []
        self.seen: set[tuple] = set()
        self.count = 0
        self.add(root, 0.0)

    def run(self) -> Iterator[list[Fit]]:
        """Yield the fits of one item after another until what is left is too dear, or the budget ends."""
        left = DEEP if self.deep else QUICK
        while left > 0 and self.queue and not self.models.budget.exhausted:
            item = heapq.heappop(self.queue)
            units = UNITS.get(item.ask.__name__, 0.04)
            self.models.budget.spend(units)
            left -= units
            yield item.ask(item.node)

    def add(
        self, problem: Problem, price: float, transforms: int = 0, last: str = "", left: float | None = None
    ) -> None:
        """Queue every solver of a problem, unless an equal one was queued before."""
        key = moves.same(problem)
        if key in self.seen:
            return
        self.seen.add(key)
        smooth = len(problem.fit) >= FEWEST_ROWS and problem.width <= WIDEST
        if left is None and smooth:
            left = evidence.loss(problem)
        if left is not None:
            price += float(np.clip(np.log10((left + 1e-30) / EXPECTED) / DECADES, -3.0, 0.5))
        node = Node(problem, price, transforms, last)
        if last != "1/t":  # a ratio's reciprocal is one, too
            self.push(0.2, self.ratio, node)
        if problem.width == 1:
            self.push(0.5, self.modes, node)
            self.push(1.0, self.ridge, node)
            self.push(1.6, self.powers, node)
            self.push(2.0, self.handbook, node)
        else:
            if smooth:
                self.push(0.3, self.reduce, node)
            self.push(0.9, self.sum_of_curves, node)
            self.push(1.1, self.product_of_curves, node)
            self.push(2.5, self.ridge, node)
            self.push(3.5, self.powers, node)
            self.push(4.0, self.sums, node)
        self.push(0.4, self.logarithms, node)
        if transforms < MOST_TRANSFORMS:
            self.push(0.5, self.transform, node)

    def push(self, cost: float, ask: Callable[[Node], list[Fit]], node: Node) -> None:
        """Queue one solver for a problem."""
        if not self.deep and node.problem.width > 1 and ask.__name__ in SLOW:
            return
        if node.price + cost <= DEAREST:
            self.count += 1
            heapq.heappush(self.queue, Item(node.price + cost, self.count, ask, node))

    def ridge(self, node: Node) -> list[Fit]:
        """Answer with m(x)·f(h(x))."""
        return self.models.single(node.problem, "log")

    def ratio(self, node: Node) -> list[Fit]:
        """Answer with a ratio of polynomials."""
        return ratios.exact(node.problem)

    def logarithms(self, node: Node) -> list[Fit]:
        """Answer with a ratio of polynomials of logarithms, and of square roots."""
        found = []
        for seen in (moves.in_logarithms(node.problem), moves.in_roots(node.problem)):
            found += [] if seen is None else ratios.exact(seen)
        return found

    def sum_of_curves(self, node: Node) -> list[Fit]:
        """Answer with a sum of one curve for each column."""
        return parts.separated(node.problem, product=False)

    def product_of_curves(self, node: Node) -> list[Fit]:
        """Answer with a product of one curve for each column."""
        return parts.separated(node.problem, product=True)

    def handbook(self, node: Node) -> list[Fit]:
        """Answer with a family from the handbook."""
        return parts.handbook(node.problem)

    def modes(self, node: Node) -> list[Fit]:
        """Answer with a sum of decays and waves."""
        return parts.modes_of(node.problem)

    def powers(self, node: Node) -> list[Fit]:
        """Answer with a sum of power laws."""
        return self.models.powers(node.problem)

    def sums(self, node: Node) -> list[Fit]:
        """Answer with a sum of products of plain curves."""
        return self.models.sums(node.problem)

    def reduce(self, node: Node) -> list[Fit]:
        """Queue problems of fewer columns that lose nothing."""
        for k, (left, child) in enumerate(moves.reductions(node.problem)[:CHILDREN]):
            # what merged away is no longer in a formula's way: a reduced problem comes before its parent
            self.add(child, max(node.price, 0.0) + 0.3 * k, node.transforms, node.last, left)
        return []

    def transform(self, node: Node) -> list[Fit]:
        """Queue problems whose target is a function of this one's, with and without an offset."""
        base = max(node.price, 0.0) + 0.5 * node.transforms
        for price, name, problem in _transformed(node.problem):
            if name == "log" or name != node.last:
                self.add(problem, base + price, node.transforms + 1, name)
        return []


def _transformed(problem: Problem) -> Iterator[tuple[float, str, Problem]]:
    """Yield the transforms of a problem's target that are defined, with their prices and names."""
    levels = ((0, 0.0), *((k, OFFSET) for k in OFFSETS))
    for level, price in levels:
        moved = moves.offset(problem, level) if level else problem
        if moved is not None and (made := moves.logarithm(moved)) is not None:
            yield LOG + price, "log", made
        turned = moves.reciprocal(problem, level) if level else None
        if turned is not None and (made := moves.logarithm(turned)) is not None:
            yield LOG + price + 0.3, "log", made
        if moved is not None and level and (made := moved.target(outers.outer("t^2"))) is not None:
            yield PRICES["t^2"] + price, "t^2", made
    for name, price in PRICES.items():
        if (made := problem.target(outers.outer(name))) is not None:
            yield price, name, made

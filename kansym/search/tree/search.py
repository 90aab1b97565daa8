"""The search as one tree: problems, moves that make simpler ones, solvers that answer any; cheapest first.

The root is the table. A priority queue holds (problem, solver); an item's place is the price of what was
written on the way to its problem, in symbols, plus the solver's cost. Reducing a problem and transforming its
target are solvers like others, whose answers are problems. Equal problems are one. Work is counted by items
and not by seconds, so the same table and seed give the same order everywhere.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion, digits
from kansym.base.budget import Budget
from kansym.functions.library import Library
from kansym.search.candidate import Candidate
from kansym.search.structure import outers
from kansym.search.structure.models import Fit, Models
from kansym.search.structure.problem import Problem
from kansym.search.structure.search import MOST_MATCHED, NAMED, Search
from kansym.search.tree import (
    answers,
    blurred,
    costs,
    evidence,
    extensions,
    further,
    learned,
    links,
    means,
    moves,
    neighbours,
    noisy,
    parts,
    suggestions,
    transforms,
    waves,
)
from kansym.search.tree.answers import Node

DEAREST = 6.5
"""Items dearer than this are left to the thorough looks that come after the tree."""

TWO_FUNCTIONS = {1: 1.0, 2: 1.0, 3: 1.7}
"""Cost of the look for two functions of so many columns; of more, there are thousands of pairs. Where a
polynomial tells little there is less to wait for, and it costs as little for three."""

TWO_DECAYS = 0.8
"""Cost of the look for two exponentials that share a column, or of differences, of three columns and more."""

WIDEST = 8
"""Problems with more columns are not reduced: a polynomial of so many columns tells too little."""

CHILDREN = 4
"""Reduced problems of one problem that are asked about, those of the fewest columns first."""

MUCH_BETTER = 0.3
"""Share of what a polynomial leaves below which a ratio is named at once in spite of noise."""

NOISE = 1e-7
"""Share that a polynomial must leave before ratios are looked for that only come near."""

CLEAN_CURVE = 1e-11
"""The same as `answers.CLEAN` for a curve of any degree."""

VERY_POOR = 0.01
"""Share that a polynomial leaves above which its slopes mislead: networks are asked before them."""

MANY_ROWS, POOR_OF_MANY = 500, 0.3
"""Rows of which noise is told where more is left than that, and how much that may be: of 100 rows a Fano line
passes for noise; of 1000 rows none of AI Feynman's 100 laws and of 123 of the fields does."""

POOR, MORE = 1e-4, 0.1
"""Share that a polynomial must leave before networks are trained, and of it, what they may leave."""

CLEAR, ALIKE, SURE = 0.12, 5.0, 0.01
"""Violations by a network's slopes below which moves are made, at most ALIKE times the least one (or SURE).

Right moves are violated by 0.003 to 0.1, wrong ones by 0.2 and more."""

FEWEST_ROWS, MOST_TRANSFORMS = 30, 3
"""Rows below which a smooth fit tells nothing; transforms on the way to a problem of depth three."""

EXPECTED, DECADES = 1e-4, 8.0
"""A smooth fit that leaves this share counts nothing; each DECADES below it, as much as a symbol."""

PRICES = {"t^2": 0.8, "sqrt": 1.2, "exp": 1.2, "1/t": 1.2, "sin": 1.5, "cos": 1.5, "tan": 1.5, "atanh": 1.5}
"""Output transforms of `outers.OUTERS` whose problems are problems of their own, and their price."""

LOG = 0.6
"""Price of the logarithm of the target, which makes sums of products; offsets come on top."""

UNDONE, NO_LOG = 0.02, 0.1
"""Price of taking a logarithm back after a move in it: so a factor exp(x) of the target is divided out; and
by how much cheaper a curve's name is asked for than that of its logarithm."""

OFFSET, TURNED = 0.7, 0.3
"""Price of a level that is taken off before, and of the reciprocal before that."""

SLOW = ("ridge", "powers", "sums")
"""Solvers that a quick look asks about one column only: with more they take far longer than all others."""

FINE = 1e-8
"""Last digit, as a share of the target's spread, up to which a rate or a power that is no simple number is
looked for by what vanishes there (`extensions.NULL`): of rounded values nothing does."""

NOISY = 4
"""Fits that are named where none was sharp."""

SOURCE = "tree"


def propose(
    dataset: Any,
    *,
    budget: Budget | None = None,
    library: Library | None = None,
    seed: int = 0,
    deep: bool = True,
) -> Iterator[Candidate]:
    """Yield candidates for a dataset with X (n, d), y (n,), weights and names: at once what looks exact.

    Where nothing does, the likeliest few come at the end of a deep look. A quick one weighs all rows alike:
    what is exact needs no weights, and those of the noise that a table seems to have are wrong without any.
    """
    if not deep and dataset.weights is not None and not dataset.absolute and np.all(dataset.weights > 0):
        dataset = replace(dataset, weights=None)
    search = Search(dataset, budget or Budget(), seed, library)
    waiting: list[Fit] = []
    tree = Tree(search.models, search.root, deep, _written_roughly(dataset.y))
    for step in tree.run():
        tree.note(step)
        for fit in sorted(step, key=lambda f: f.rank):
            clear = fit.source == noisy.SOURCE and fit.share < MUCH_BETTER * tree.told
            if fit.share >= criterion.SHARP and not (clear and fit is step[0]):
                waiting.append(fit)
                if fit is step[0] and tree.on_a_curve(fit):
                    tree.push_match(replace(fit, share=CLEAN_CURVE))
                continue
            yield from search.name(fit, match=False, clean=tree.clean(fit))
            if search.budget.exhausted:
                return
            if search.done:  # whoever asks for more has refused what looked exact
                search.best = np.inf
                break
            if fit.match is not None and search.best > NAMED:
                tree.push_match(fit)
    if tree.blurred:
        yield Candidate(np.inf, SOURCE, noise=True)
    if not deep:  # curves are named later, by those who know more of noise; a ratio has its name already
        waiting = [fit for fit in waiting if fit.source == noisy.SOURCE]
    for fit in sorted(waiting, key=lambda f: f.rank)[: NOISY if search.best > criterion.SHARP else 0]:
        yield from search.name(fit)
        if search.budget.exhausted:
            return


def _is_clean_curve(fit: Fit) -> bool:
    """Tell whether a fit is one curve that leaves no noise."""
    return fit.match is not None and fit.share < CLEAN_CURVE


def _written_roughly(y: np.ndarray) -> bool:
    """Tell whether a target's last digit hides where the angle to a law of any rate or power would vanish."""
    whole = bool(np.all(y == np.round(y)))
    return not whole and float(np.median(digits.steps(y))) > FINE * float(np.std(y))


@dataclass(order=True)
class Item:
    """Hold a place in the queue; `number` keeps equals in the order in which they came."""

    place: float
    number: int
    ask: Callable[[Node], list[Fit]] = field(compare=False)
    node: Node = field(compare=False)


class Tree:
    """Carry the queue of one search; `models` fits the model classes."""

    def __init__(self, models: Models, root: Problem, deep: bool = True, rough: bool = False) -> None:
        self.models, self.deep, self.rough = models, deep, rough
        self.queue: list[Item] = []
        self.seen: set[tuple] = set()
        self.count = self.matches = 0
        self.node: Node | None = None
        self.told = np.inf
        self.curves: set[tuple[sympy.Expr, ...]] = set()
        self.simplest: Node | None = None
        self.table, self.blurred = root, False
        # after a quick look at several columns the tree in noise asks for ratios in noise
        self.last = deep or root.width == 1 or len(root.y) < blurred.FEWEST_ROWS
        self.add(root, 0.0)
        if (free := moves.clipped(root)) is not None:
            self.add(free, 0.0)

    def run(self) -> Iterator[list[Fit]]:
        """Yield one item's fits after another while a look has work left; naming counts but of one column."""
        alone = costs.work("handbook", self.table) if self.table.width == 1 else 0.0
        left = costs.DEEP if self.deep else costs.QUICK - alone
        known = None
        while left > 0 and self.queue and not self.models.budget.exhausted:
            item = heapq.heappop(self.queue)
            before, units = self.models.budget.used, costs.work(item.ask.__name__, item.node.problem)
            self.models.budget.spend(units)
            self.node, self.told = item.node, item.node.left
            fits = item.ask(item.node)
            yield fits
            if self.table.width > 1:
                left -= costs.naming(fits, self.models.budget.used - before - units)
            left -= units
            self.blurred = self.noisy(known)
            if self.blurred:
                return
            known = self.simplest

    def noisy(self, known: Node | None) -> bool:
        """Tell whether an untransformed problem that is simpler than the one `known` shows clear noise.

        Exact looks are in vain then, and a quick one ends: those come next that stand noise.
        """
        simplest = self.simplest
        if self.deep or simplest is None or simplest is known:
            return False
        most = VERY_POOR if len(self.table.y) < MANY_ROWS else POOR_OF_MANY
        return NOISE < simplest.left < most and evidence.noise(simplest.problem, self.table.Z)

    def push_match(self, fit: Fit) -> None:
        """Queue the look for a sharp curve's name among all functions of the library."""
        if self.node is None or self.matches >= MOST_MATCHED or fit.match is None:
            return
        self.matches += 1
        named = replace(fit, name=fit.match, match=None)

        def match(_: Node) -> list[Fit]:
            """Answer with a function of the library."""
            return [named]

        cost = costs.MATCH_OF_CLEAN
        if self.table.width > 1:
            cost = costs.MATCH_OF_LEFT - (0.0 if self.node.last == "log" else NO_LOG)
        self.push(cost if self.clean(fit) else costs.MATCH, match, self.node)

    def note(self, fits: list[Fit]) -> None:
        """Note where a curve of one column leaves nothing: its argument is the law's, whatever the target."""
        self.curves |= {f.problem.formulas for f in fits if _is_clean_curve(f) and f.problem.width == 1}

    def on_a_curve(self, fit: Fit) -> bool:
        """Tell whether the rows are known to lie on a curve of a fit's one column without noise."""
        return fit.match is not None and fit.problem.formulas in self.curves

    def clean(self, fit: Fit) -> bool:
        """Tell whether the problem that was asked last has no noise, or none that a fit's curve knows of."""
        return 0 < self.told < answers.CLEAN or _is_clean_curve(fit) or self.on_a_curve(fit)

    def add(
        self,
        problem: Problem,
        price: float,
        transforms: int = 0,
        last: str = "",
        left: float | None = None,
        told: float | None = None,
        through: Node | None = None,
    ) -> None:
        """Queue every solver of a problem, unless an equal one was queued before.

        A smooth fit leaves `left` of it; a network that has `told` of a move to it knows better. A curve
        seen `through` a transform has no ridge: the curve itself is named through such transforms, too; and
        being smooth, as every clean curve is through any, brings it no nearer to an answer.
        """
        key = moves.same(problem)
        if key in self.seen:
            return
        table = not self.seen
        self.seen.add(key)
        smooth = len(problem.fit) >= FEWEST_ROWS and problem.width <= WIDEST
        if left is None and smooth:
            left = evidence.loss(problem)
        known = min(x for x in (left, told, np.inf) if x is not None)
        if through is not None and self.table.width > 1:
            known = max(known, min(through.left, NOISE))
        if np.isfinite(known):
            price += float(np.clip(np.log10((known + 1e-30) / EXPECTED) / DECADES, -3.0, 0.5))
        node = Node(problem, price, transforms, last, left or 0.0)
        if smooth and not transforms and (self.simplest is None or node.left < self.simplest.left):
            self.simplest = node
        self.push(0.25, answers.product, node)
        if last != "1/t":  # a ratio's reciprocal is one, too
            self.push(0.2, answers.ratio, node)
        if problem.width == 1:
            self.curve(node, through is not None)
        else:
            self.columns(node, smooth)
        self.push(0.4, answers.logarithms, node)
        if problem.width <= extensions.MOST_COLUMNS_OF_POWER and not self.rough:
            self.push(0.6, answers.any_power, node)
        if problem.width <= further.MOST_COLUMNS:
            self.push(0.45, answers.one_function, node)
            if self.last and problem.width <= noisy.MOST_COLUMNS and node.left > NOISE:
                # half a second, and in vain where there is no noise
                self.push(1.7 if transforms else 1.3, answers.in_noise, node)
            if last == "log":
                self.push(0.45, answers.beside_logarithms, node)
            # many a law is such a ratio as it stands: the table itself is asked before what was made of it
            early = table and problem.width <= extensions.MANY
            if not self.rough:
                self.push(costs.OF_THE_TABLE if early else 0.6 + 0.15 * problem.width, answers.any_rate, node)
            if problem.width in TWO_FUNCTIONS:
                cost = TWO_FUNCTIONS[1 if node.left > VERY_POOR else problem.width]
                self.push(cost, answers.two_functions, node)
            if problem.width > 2:
                self.push(TWO_DECAYS, answers.two_decays, node)
        if transforms < MOST_TRANSFORMS:
            self.push(0.5, self.transform, node)

    def curve(self, node: Node, seen_through: bool) -> None:
        """Queue the solvers of problems of one column."""
        self.push(0.3, answers.root, node)
        self.push(0.55, answers.bend, node)
        self.push(0.95, answers.modes, node)
        if not node.transforms:
            self.push(0.97, answers.chain, node)
            self.push(1.4, answers.sides, node)
        if not seen_through:
            self.push(1.0, self.ridge, node)
        self.push(1.05, self.powers, node)
        if self.deep or len(self.seen) > 1:  # of a table itself, all families are the next step
            self.push(2.0, answers.handbook, node)

    def columns(self, node: Node, smooth: bool) -> None:
        """Queue the solvers of problems of several columns, and what makes fewer of them."""
        if smooth:
            poor = node.left > VERY_POOR
            self.push(1.1 if poor else 0.3, self.reduce, node)
            if poor:
                self.push(0.25, self.neighbours, node)
            if node.left > POOR and len(node.problem.fit) >= learned.FEWEST_ROWS:
                self.push(0.95 if poor else 1.05, self.learn, node)
        self.push(0.3, answers.products, node)
        if not node.transforms and smooth and node.left > NOISE:
            self.push(0.5, answers.two_regimes, node)
        if not node.transforms:
            self.push(0.62, answers.powers_of_products, node)
            if node.problem.width <= means.MOST_COLUMNS and not self.rough:
                self.push(0.6 + 0.2 * node.problem.width, answers.mean, node)
            self.push(0.58, answers.angles, node)
        if node.left > waves.WAVY and not node.transforms:
            self.push(0.9, answers.angles_of_two, node)
        self.push(0.5, self.sum_of_curves, node)
        self.push(0.52, answers.linear, node)
        self.push(0.55, answers.product_of_curves, node)
        self.push(2.5, self.ridge, node)
        self.push(3.5, self.powers, node)
        self.push(4.0, self.sums, node)

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

    def sum_of_curves(self, node: Node) -> list[Fit]:
        """Answer with a sum of one curve for each column, or queue what is one through a link."""
        found = parts.separated(node.problem, product=False)
        for child in [] if found else links.parted(node.problem):
            self.add(child, max(node.price, 0.0), node.transforms, node.last)
        return found

    def powers(self, node: Node) -> list[Fit]:
        """Answer with a sum of power laws."""
        return self.models.powers(node.problem)

    def sums(self, node: Node) -> list[Fit]:
        """Answer with a sum of products of plain curves."""
        return self.models.sums(node.problem)

    def reduce(self, node: Node) -> list[Fit]:
        """Queue problems of fewer columns that lose nothing."""
        for k, (left, child) in enumerate(suggestions.reductions(node.problem)[:CHILDREN]):
            # what merged away is no longer in a formula's way: a reduced problem comes before its parent
            price = max(node.price, 0.0) + 0.3 * k
            self.add(child, price, node.transforms, node.last, left)
            if node.last == "log" and (undone := child.target(outers.outer("exp"))) is not None:
                self.add(undone, price + UNDONE, node.transforms, "exp", left if undone.width == 1 else None)
        return []

    def neighbours(self, node: Node) -> list[Fit]:
        """Queue the curves of one column that rows next to each other show."""
        for off, child in neighbours.curves(node.problem):
            self.add(child, 0.0, node.transforms, node.last, told=off)
        return []

    def learn(self, node: Node) -> list[Fit]:
        """Queue what a network's slopes allow, where it knows much more than a polynomial."""
        fit = learned.smooth(node.problem, seconds=self.models.budget.left)
        if fit is None or fit.loss > MORE * node.left:
            return []
        found = suggestions.suggested(node.problem, fit)
        least = max(min((m.violation for m in found), default=np.inf), SURE)
        clear = [m for m in found if m.violation <= min(ALIKE * least, CLEAR)]
        for k, child in enumerate([c for m in clear[:CHILDREN] if (c := m.make()) is not None]):
            self.add(child, max(node.price, 0.0) + 0.2 * k, node.transforms, node.last, told=fit.loss)
        return []

    def transform(self, node: Node) -> list[Fit]:
        """Queue problems whose target is a function of this one's, with and without an offset."""
        base = max(node.price, 0.0) + 0.5 * node.transforms
        for change in transforms.defined(node.problem, PRICES, levelled=("t^2",)):
            price = LOG if change.name == "log" else PRICES[change.name]
            price += (OFFSET if change.level else 0.0) + (TURNED if change.turned else 0.0)
            if change.name == "log" or change.name != node.last:
                curve = node if node.problem.width == 1 else None
                self.add(change.problem, base + price, node.transforms + 1, change.name, through=curve)
        return []

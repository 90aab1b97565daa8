"""Search for the structure of a law: monomials, curves of one argument, and merged columns.

The model classes (`models`) are fitted on the target, on transforms of it, and on tables whose columns were
merged, the cheap and common ones first; the best fits are named. Produces formulas, best first; `refine`
fits and judges them. See docs/notes/search.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.base.linear import TINY
from kansym.base.weights import spread
from kansym.data.dataset import Dataset
from kansym.formula import constants
from kansym.formula.expression import written
from kansym.formula.guarded import polished
from kansym.formula.polish import Constant, Rows
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.search.candidate import Candidate
from kansym.search.structure import merging, naming, outers
from kansym.search.structure.models import Fit, Models
from kansym.search.structure.problem import problem

NOISE = 1e-3
"""Residuals are noise when chance alone explains as much of them as often as this."""

NAMED = 1e-13
"""A best share below this needs no further function for its curve."""

MOST_MATCHED = 4
"""So many fits of a search are matched with the whole library."""

FEWEST_MATCHED, CERTAINLY = 16, 1e-9
"""Rows, four for each of a function's constants, from which a curve is matched with the whole library, and
the share that a fit of fewer rows must leave: any function passes near those. Of eight planets' orbits, known
to a thousandth, the matching took 3 s in vain (20 with the tables that it is done with)."""

LAST = 12
"""So many fits are named when none was sharp."""


class Looks(NamedTuple):
    """Count for one fit the formulas that are fitted and those that are handed on."""

    fitted: int
    shown: int


PLAIN, IN_NOISE, FIRST_IN_NOISE = Looks(8, 3), Looks(16, 6), Looks(36, 16)
"""In noise many curves look alike, so that more are looked at, most of all for the likeliest fits."""

PLAIN_FITS = 2
"""So many fits of each family are named of the three columns that say most."""

FIRST = 3
"""So many fits are the likeliest ones."""

CHOSEN = 6
"""Columns of many, those that together say most, that all model classes but the first look at: their work
grows with the square of the columns, or faster."""

LIKELIEST, ALONE, AS_POOR = 3, Looks(36, 12), 1.5
"""Of the likeliest ridges, each with another argument, which are asked for before anything longer (2 s with
the judging), where they leave little, or hardly more than a polynomial."""

HOPELESS = 100.0
"""Nats by which a name may come behind the best one of its fit before its constants are fitted. In 18 laws
with 1 % of noise the shortest in the end was up to 47 behind, half of all names were hundreds behind."""

FAR_OFF = 2.0
"""Times the share with which a fit could be as short as what stands that it may leave with its curve free:
what leaves more is not named."""

BETTER = 0.8
"""A fit that leaves less than this share of what the best named one left is named at once."""

NOTHING: tuple[tuple, list[Fit], Mapping[str, Any]] = ((), [], {})
FIRST_FITS: WeakKeyDictionary[Dataset, tuple[tuple, list[Fit], Mapping[str, Any]]] = WeakKeyDictionary()
"""For a dataset what it was looked at with, its ridges, and the state of the random generator after them: two
looks begin with them, and each would take 0.2 to 2 s for the same."""

FAMILIES = ("log", "linear", "square")
SQUARES = ("t^2", "1/t", "1/t^2", "sqrt")


def propose(
    dataset: Dataset, *, budget: Budget, library: Library | None = None, seed: int = 0
) -> Iterator[Candidate]:
    """Yield candidate formulas for a dataset with X (n, d), y (n,), weights and names, best first."""
    yield from Search(dataset, budget, seed, library).run()


def ridges(
    dataset: Dataset, *, budget: Budget, library: Library | None = None, seed: int = 0
) -> Iterator[Candidate]:
    """Yield what the likeliest ridges become: the first and commonest of the model classes alone."""
    yield from Search(dataset, budget, seed, library).ridges()


class Search:
    """Carry one search: the rows, the budget, and what was already proposed."""

    def __init__(self, dataset: Dataset, budget: Budget, seed: int, library: Library | None = None) -> None:
        self.root = root = problem(dataset, seed)
        self.dataset, self.budget = dataset, budget
        X, w = root.Z, root.w**2
        self.fit = Rows(X[root.fit], root.y[root.fit], w[root.fit], root.formulas)
        self.test = Rows(X[root.test], root.y[root.test], w[root.test], root.formulas)
        self.power = spread(self.test.y, root.w[root.test]) / len(root.test) or TINY
        self.best = self.shortest = np.inf
        self.leader: Candidate | None = None
        self._tested: Candidate | None = None
        self._adequate = False
        self.seen: set[str] = set()
        self.named = self.matched = 0
        # someone who chose no functions may mean any: a sharp curve is not mistaken for another
        if library is None or library == Library.load("default"):
            library = Library.load("all")
        self.models = Models(budget, seed, library)
        self.given = (seed, library)

    @property
    def done(self) -> bool:
        """Tell whether a formula is proved or the budget is spent."""
        return self.best < criterion.EXACT_SHARE or self.budget.exhausted

    def run(self) -> Iterator[Candidate]:
        """Yield candidates until one is proved: every model class is fitted, the best fits are named.

        Fits that look exact are named at once; the others wait, so that poor ones cost nothing when a
        later model class explains the data.
        """
        waiting: list[Fit] = []
        named = np.inf
        for fit in self.plain():
            yield from self.name(fit)
            if self.done:
                return
        for step in self.steps():
            waiting += step
            waiting.sort(key=lambda f: f.rank)
            while waiting and (waiting[0].share < criterion.SHARP or waiting[0].share < BETTER * named):
                fit = waiting.pop(0)
                named = min(named, fit.share)
                yield from self.name(fit)
                if self.done:
                    return
            if self.adequate:
                break
            if self.budget.exhausted:
                return
        for fit in waiting[:LAST]:
            yield from self.name(fit)
            if self.done:
                return

    def ridges(self) -> Iterator[Candidate]:
        """Yield the formulas of the likeliest ridges of the table's own columns, if they hold at all."""
        fits: dict[tuple, Fit] = {}
        for fit in sorted(self.first(), key=lambda f: round(f.rank, 6)):
            fits.setdefault(fit.shape, fit)
        best = list(fits.values())
        most = max(criterion.WORTH_SNAPPING, min(AS_POOR * merging.loss(self.root), criterion.WORTH_SHOWING))
        likely = [fit for fit in best[:LIKELIEST] if fit.share < most]
        if likely:
            yield Candidate(np.inf, likely[0].source, least=min(fit.share for fit in likely) / FAR_OFF)
        found = []
        for fit in likely:
            if self.hopeful(fit):
                found += self.fitted(fit, fit.name(), ALONE.fitted)
            else:
                self.budget.spend(ALONE.fitted)
        yield from self.handed_on(found, ALONE.shown)

    def first(self) -> list[Fit]:
        """Return the ridges of the table's own columns, fitted by whichever look at it comes first."""
        kept = isinstance(self.dataset, Dataset)  # rows that only look like one are not
        given, fits, state = FIRST_FITS.get(self.dataset, NOTHING) if kept else NOTHING
        if given != self.given:
            fits, state = self.models.single(self.root, "log"), self.models.rng.bit_generator.state
            if kept and not self.budget.exhausted:  # which cuts them short
                FIRST_FITS[self.dataset] = self.given, fits, state
        self.models.rng.bit_generator.state = state
        return list(fits)

    @property
    def sharp(self) -> float:
        """Return the share that a fit may leave for its curve to be matched with the whole library."""
        return criterion.SHARP if len(self.root.y) >= FEWEST_MATCHED else CERTAINLY

    @property
    def adequate(self) -> bool:
        """Tell whether what the best formula leaves is noise: no polynomial explains any of it (F-test).

        A formula with odd exponents may fit well without being the law, so it does not end the search.
        """
        if self.leader is None or self.leader.expression is None or self.best < criterion.SHARP:
            return False
        if any(power.exp.is_Float for power in self.leader.expression.atoms(sympy.Pow)):
            return False
        if self._tested is not self.leader:
            self._tested = self.leader
            self._adequate = self.leaves_noise(self.leader)
        return self._adequate

    def leaves_noise(self, leader: Candidate) -> bool:
        """Tell whether no polynomial explains any of what a formula leaves (F-test); False for few rows."""
        root = self.root
        rows = np.concatenate([root.fit, root.test])
        if len(rows) < 100 or leader.expression is None:
            return False
        program = Program.compile(leader.expression, root.formulas)
        r = (program.value(root.Z[rows]) - root.y[rows]) * root.w[rows]
        return merging.unexplained(root.Z[rows], r) > NOISE

    def plain(self) -> list[Fit]:
        """Return fits of the three columns of many that say most.

        Where many say a little each, a law of three comes far behind, and is still what a person looks for.
        """
        if self.root.width <= merging.MOST_PAIRED:
            return []
        few = merging.fewer(self.root.independent)
        return [fit for family in FAMILIES[:2] for fit in self.models.single(few, family)[:PLAIN_FITS]]

    def steps(self) -> Iterator[list[Fit]]:
        """Yield the fits of one model class after another, the cheap and common ones first.

        Of many columns all but the first class look at those that say most.
        """
        yield self.first()
        root = self.root
        if root.width > merging.MOST_PAIRED:
            root = merging.fewer(root.independent, CHOSEN)
        merged = self.models.merged(root)
        before = merging.loss(root)
        sure = [p for p in merged[:3] if merging.loss(p) < 0.2 * before]
        for p in sure:
            for family in FAMILIES:
                yield self.models.single(p, family)
        for o in outers.OUTERS:
            if not o.scaled and (transformed := root.target(o)) is not None:
                yield self.models.single(transformed, "log")
        yield self.models.powers(root)
        for p in merged[:3]:
            for family in FAMILIES if p not in sure else ():
                yield self.models.single(p, family)
        yield self.models.several(root, 2)
        for family in FAMILIES[1:]:
            yield self.models.single(root, family)
        squares = [t for o in outers.OUTERS if o.name in SQUARES and (t := root.target(o)) is not None]
        for p in squares:
            yield self.models.powers(p)
        yield self.models.several(root, 3)
        for p in merged[:2]:
            yield self.models.several(p, 2)
        for p in merged[3:8]:
            for family in FAMILIES:
                yield self.models.single(p, family)
        for p in squares:
            yield self.models.several(p, 2)
            yield self.models.several(p, 3)
        for p in (root, *squares, *merged[:2]):
            yield self.models.sums(p)

    def name(self, fit: Fit, match: bool = True, clean: bool = False) -> Iterator[Candidate]:
        """Yield the formulas that a fit becomes, best first; with `match`, of any function of the library.

        Where the rows are known to be `clean`, few of those that only come near are looked at.
        """
        self.budget.tell("structure")
        yield from self.show(fit, fit.name(), clean)
        if (
            match
            and fit.match is not None
            and fit.share < self.sharp
            and self.best > NAMED
            and self.matched < MOST_MATCHED
        ):
            self.matched += 1
            yield from self.show(fit, fit.match())

    def show(self, fit: Fit, proposals: list[naming.Proposal], clean: bool = False) -> Iterator[Candidate]:
        """Yield the likely ones of a fit's proposals with their constants fitted, best first."""
        self.named += bool(proposals)
        noisy = min((p.share for p in proposals), default=0.0) > criterion.SHARP
        looks = PLAIN if clean or not noisy else FIRST_IN_NOISE if self.named <= FIRST else IN_NOISE
        yield from self.handed_on(self.fitted(fit, proposals, looks.fitted), looks.shown)

    def hopeful(self, fit: Fit) -> bool:
        """Tell whether a fit, were its name free, could be described as shortly as what was measured."""
        return criterion.rank(fit.share / FAR_OFF, 0.0, len(self.fit.y)) <= self.shortest

    def fitted(self, fit: Fit, proposals: list[naming.Proposal], most: int) -> list[tuple[float, Candidate]]:
        """Return a fit's likely proposals, at most so many, with their constants fitted, and their ranks."""
        best = min((p.share for p in proposals), default=0.0)
        ranks = [criterion.rank(p.share, p.price, len(self.fit.y)) for p in proposals]
        least = min(ranks, default=0.0) + HOPELESS
        near = [k for k, p in enumerate(proposals) if p.share <= max(100 * best, 1e-9)][:most]
        likely = [proposals[k] for k in near if ranks[k] <= least]
        self.budget.spend(len(near) - len(likely))  # what is hopeless was asked for, too
        found = []
        for proposal in likely:
            measured = self.measure(fit.problem.finish(proposal.write()), fit.source)
            if measured is not None:
                found.append(measured)
                self.shortest = min(self.shortest, measured[0])
                if measured[1].score < criterion.EXACT_SHARE:
                    break
        return found

    def handed_on(self, found: list[tuple[float, Candidate]], most: int) -> Iterator[Candidate]:
        """Yield candidates of the best ranks, at most so many."""
        for _, candidate in sorted(found, key=lambda m: m[0])[:most]:
            if candidate.score < self.best:
                self.best, self.leader = candidate.score, candidate
            yield candidate

    def measure(self, formula: sympy.Expr, source: str) -> tuple[float, Candidate] | None:
        """Return the formula with its constants fitted, and its rank (description length) before it."""
        key = str(formula.xreplace({f: sympy.Float(f"{float(f):.2g}") for f in formula.atoms(sympy.Float)}))
        if key in self.seen or self.budget.exhausted:
            return None
        self.seen.add(key)
        self.budget.spend()
        fitted = polished(formula, self.fit, 30)
        if fitted is None:
            return None
        values = fitted.program.value(self.test.X, fitted.theta)
        share = self.test.loss(values) / self.power
        if not np.isfinite(share):
            return None
        rows = len(self.fit.y)
        price = written(fitted.expression) + sum(_nats(c, rows) for c in fitted.free) / criterion.NODE_PRICE
        rank = criterion.rank(fitted.loss / self.power, price, rows)
        return rank, Candidate(share, source, fitted.expression)


def _nats(constant: Constant, rows: int) -> float:
    """Return what a measured constant costs, or a nice number in its place; 0 and 1 take symbols along."""
    measured = 0.5 * float(np.log(rows))
    error = max(constant.stderr, 1e-9 * abs(constant.value), TINY)
    best = constants.near(constant.value, error, most=1)
    if not best:
        return measured
    off = (best[0].value - constant.value) / error
    saved = 2 * criterion.NODE_PRICE if abs(best[0].value) in (0.0, 1.0) else 0.0
    return min(measured, best[0].price + 0.5 * off**2 - saved)

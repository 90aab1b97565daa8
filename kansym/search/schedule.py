"""Which producer looks at which view of the table, in what order; and the looking, with any number of jobs.

A view is the table, or the table in powers of 1000 or in dimensionless groups, which make a search faster and
surer. The candidates and their order are the same for any number of jobs: every look has a budget of its own,
and its work is charged in the order of the steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kansym.base.budget import Budget
from kansym.data import dimensions
from kansym.data.dataset import Dataset
from kansym.data.dimensions import Rewritten
from kansym.data.prefixes import prefixed
from kansym.functions.library import Library
from kansym.search.candidate import Candidate
from kansym.search.producer import Producer

CHEAPEST = 9
"""So many producers, the first ones, are asked about further views of a table."""


@dataclass(frozen=True, eq=False)
class Step:
    """Hold one look: a producer, the view that it is asked about, and the way back to the table.

    A step of `leftovers` is left out where the best formula leaves nothing but noise. No later step is asked
    where an `only` step offers anything; where a curve of a `familiar` step, which every scientist would try,
    leaves nothing but noise; and where a step that `settles` found the best formula, with constants of its
    own for the levels of a category.
    """

    name: str
    producer: Producer
    dataset: Dataset
    rewritings: tuple[Rewritten, ...] = ()
    leftovers: bool = False
    only: bool = False
    familiar: bool = False
    settles: bool = False

    def restored(self, candidate: Candidate) -> Candidate:
        """Return a candidate in the table's own columns; a graph comes from rows that nothing rewrote."""
        for rewriting in self.rewritings:
            if candidate.expression is not None:
                candidate = replace(candidate, expression=rewriting.back(candidate.expression))
        return candidate


def plan(rows: Dataset, producers: Sequence[Producer], with_units: bool) -> list[Step]:
    """Return the steps of a search without a template, in order; `with_units` also asks about groups."""
    ordinary, made = _ordinary(rows)
    steps = [
        Step(p.name, p, rows if p.graphs else ordinary, () if p.graphs else made, leftovers=p.leftovers)
        for p in producers
    ]
    if with_units and (groups := dimensions.reduced(rows)) is not None:
        # fewer columns make a search faster and surer; the table as it stands comes after, where needed: sums
        # of squares of differences, say, are easier seen there
        view, back = _ordinary(groups.dataset, groups)
        small = [Step(p.name, p, view, back, leftovers=p.leftovers) for p in producers if not p.graphs]
        whole = [
            s if s.producer.graphs else replace(s, name=f"{s.name} in columns", leftovers=True) for s in steps
        ]
        steps = [*small[:CHEAPEST], *whole[:CHEAPEST], *small[CHEAPEST:], *whole[CHEAPEST:]]
    if made:
        # columns of one kind may have got different prefixes, which hides their sums
        steps += [
            Step(f"{p.name} without powers of 1000", p, rows, leftovers=True)
            for p in producers[:CHEAPEST]
            if not p.graphs
        ]
    return steps


def _ordinary(rows: Dataset, *before: Rewritten) -> tuple[Dataset, tuple[Rewritten, ...]]:
    """Return the rows in powers of 1000 where that changes anything; and all rewritings, last one first."""
    new = prefixed(rows)
    return (rows, before) if new is None else (new.dataset, (new, *before))


def looks(
    steps: Sequence[Step], budget: Budget, library: Library | None, seed: int = 0, jobs: int = 1
) -> Iterator[tuple[Step, Iterator[Candidate]]]:
    """Yield every step with its candidates; with several jobs the later ones search ahead meanwhile.

    A look's work is charged to `budget` up to each candidate as that candidate is taken.
    """
    if jobs == 1 or len(steps) == 1:
        for step in steps:
            yield step, map(step.restored, step.producer.propose(step.dataset, budget, library, seed))
        return
    from joblib import Parallel, delayed

    work = (delayed(_collect)(step, library, seed, budget.work, budget.left) for step in steps)
    found = Parallel(n_jobs=jobs, return_as="generator")(work)
    try:
        for step, (candidates, charges) in zip(steps, found, strict=True):
            yield step, map(step.restored, _charged(candidates, charges, budget))
    finally:
        with warnings.catch_warnings():  # an early end is meant: what searched ahead is not wanted any more
            warnings.filterwarnings("ignore", "[0-9]+ tasks (have been successfully|which were still)")
            found.close()


def _charged(
    candidates: Sequence[Candidate], charges: Sequence[float], budget: Budget
) -> Iterator[Candidate]:
    """Yield candidates, the work before each charged as it is taken."""
    for candidate, charge in zip(candidates, charges, strict=False):
        budget.spend(charge)
        yield candidate
    budget.spend(charges[-1])


def _collect(
    step: Step, library: Library | None, seed: int, work: float, seconds: float | None
) -> tuple[list[Candidate], list[float]]:
    """Return a step's candidates, and the work done before each of them and after the last."""
    budget = Budget(work=work, seconds=seconds)
    candidates, charges, before = [], [], 0.0
    with np.errstate(all="ignore"):
        for candidate in step.producer.propose(step.dataset, budget, library, seed):
            candidates.append(candidate)
            charges.append(budget.used - before)
            before = budget.used
    return candidates, [*charges, budget.used - before]

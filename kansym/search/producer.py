"""What every producer of formulas is: a function from a table to candidates, and what it says of itself.

A producer is asked with a dataset, one budget, the functions that may be used, and a seed; it yields
candidates, best first, and looks at the budget between small steps. Whether a candidate is any good is not
its business: `judge` fits and judges all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np

from kansym.base.budget import Budget
from kansym.base.interrupts import loadable, shielded
from kansym.data.dataset import Dataset
from kansym.functions.library import Library
from kansym.search.candidate import Candidate


class Level(IntEnum):
    """Order looks by their cost: about 0.1, 1 and 10 seconds of one core for an ordinary table."""

    QUICK = 0
    THOROUGH = 1
    DEEP = 2


class Propose(Protocol):
    """Yield candidates for a dataset, best first, while the budget lasts."""

    def __call__(
        self, dataset: Dataset, *, budget: Budget, library: Library | None, seed: int
    ) -> Iterator[Candidate]:
        """Yield candidates whose formulas are over the dataset's columns."""
        ...


@dataclass(frozen=True)
class Producer:
    """Describe one producer: its name, what it is for, what it needs, and what one look costs at most.

    `cost` is in units of work (see `base.budget`). A producer with `leftovers` is asked only where the
    best formula so far leaves something that is not noise; one of `graphs` is asked about the table as it is,
    since nothing rewrites a graph, and not at all where torch could not be loaded in time. `load` returns the
    function that proposes; it imports the room, so that a search compiles only what it uses.
    """

    name: str
    purpose: str
    level: Level
    cost: float
    load: Callable[[], Propose]
    fewest_rows: int = 3
    most_rows: int = 1_000_000_000
    fewest_columns: int = 1
    most_columns: int = 1000
    leftovers: bool = False
    graphs: bool = False

    def takes(self, dataset: Dataset) -> bool:
        """Tell whether a dataset has the rows and as many columns as this producer can use."""
        return (
            self.fewest_rows <= dataset.rows <= self.most_rows
            and self.fewest_columns <= len(dataset.names) <= self.most_columns
        )

    def propose(
        self, dataset: Dataset, budget: Budget, library: Library | None, seed: int
    ) -> Iterator[Candidate]:
        """Yield candidates within a part of the budget that is no larger than this look's cost.

        Numbers at the end of doubles, of which LAPACK finds no decomposition, end the look alone.
        """
        if not self.takes(dataset) or (self.graphs and not loadable(budget.left)):
            return
        with shielded():
            function = self.load()
        part = budget.part(min(self.cost, budget.work))
        with suppress(np.linalg.LinAlgError):
            yield from function(dataset, budget=part, library=library, seed=seed)

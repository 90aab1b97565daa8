"""The boundary between two classes, through the loop of propose and refine that all searches share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.errors import InputError
from kansym.data.dataset import Dataset
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.judge.sides import Boundary, Sides, fitted, ranked
from kansym.pipeline.proposals import LARGEST, taken, unique
from kansym.search import schedule
from kansym.search.assumptions.hypothesis import Hypotheses
from kansym.search.boundaries.search import COST, producers
from kansym.search.schedule import Step

WORK = 2 * COST
"""Units of work (see `budget`) of a search at effort 1, more than an ordinary table asks for."""


def boundaries(
    X: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    most: int = 4,
    hypotheses: str | Sequence[str] = (),
    *,
    library: Library | None = None,
    maxsize: int = LARGEST,
    budget: Budget | None = None,
) -> list[Boundary]:
    """Return boundaries with 1 to `most` terms: the shortest description (of those that tie, the
    smallest formula) first, then by accuracy.

    X (n, d) finite; labels (n,) of two kinds; `hypotheses` as in `hypothesis`: formulas of columns, linear
    columns, and which functions. `library` says which functions there are (None: every one that is known
    here), `maxsize` how complex a boundary may be; what is simplest is returned where none is as simple.
    Raises InputError for other labels or hypotheses.
    """
    assumed = Hypotheses.parse(hypotheses, names)
    if assumed.form or assumed.last:
        what = assumed.form or f"last: {assumed.last}"
        raise InputError(
            f"Hypothesis {what!r} has no meaning for a boundary, whose last function is a sigmoid; give "
            "formulas of columns, 'linear: x', or 'only: x^2'."
        )
    kinds = np.unique(labels)
    if len(kinds) != 2:
        raise InputError(f"The labels have {len(kinds)} values; a boundary needs two classes.")
    positive = labels == kinds[1]
    # what the hypotheses name is a column of its own during the search
    columns = (*assumed.arguments, *symbols(assumed.linear))
    stand_ins = symbols([c.name if c.is_Symbol else f"\0{i}" for i, c in enumerate(columns)])
    Z = np.column_stack([Program.compile(c, symbols(names), [], []).value(X) for c in columns])
    rows = Dataset(Z, positive.astype(float), tuple(s.name for s in stand_ins))
    sides = Sides(Z, positive, tuple(stand_ins))
    found: list[Boundary] = []
    budget = budget or Budget(work=WORK)
    looks = schedule.looks([Step(p.name, p, rows) for p in producers(assumed, most, found)], budget, library)

    def refine(form: sympy.Expr, source: str) -> Iterator[Boundary]:
        """Yield the boundary that a sum of terms becomes."""
        budget.spend()
        yield fitted(form, sides)

    # one by one, since the later producer starts from what the earlier one has found
    for boundary in taken(looks, lambda c, tried: unique([c.expression], tried), refine, budget):
        found.append(boundary)
    back = dict(zip(stand_ins, columns, strict=True))
    return [_back(b, back) for b in ranked(_small(found, maxsize))]


def _small(found: list[Boundary], maxsize: int) -> list[Boundary]:
    """Return the boundaries of permitted complexity, or the simplest."""
    least = min(b.complexity for b in found)
    return [b for b in found if b.complexity <= max(maxsize, least)]


def _back(boundary: Boundary, back: dict[sympy.Symbol, sympy.Expr]) -> Boundary:
    """Return a boundary with the columns of the table in place of those of the search."""
    terms = tuple(t.xreplace(back) for t in boundary.terms)
    return replace(boundary, g=boundary.g.xreplace(back), terms=terms)

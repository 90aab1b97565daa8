"""The plainest exact formulas of few rows: sums, products and squares of columns, joined two by two.

A handful of rows is met exactly by many formulas; those that a person would write come first here. Every
small expression is made from the columns, 1 and 2, one for each list of values; then y is looked up, and as
a sum, difference, product or ratio of two of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.data.dataset import Dataset
from kansym.formula import prior
from kansym.formula.expression import complexity
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.search.candidate import Candidate

MOST_ROWS = 30
"""With more rows a chance hit is so rare that the ordinary search, which looks further, is all it takes."""

MOST_COLUMNS = 6
"""More columns make too many small expressions."""

MOST_MADE = 4000
"""Expressions that are made, the cheapest of each round; pairs of them reach twice as far."""

WIDTH = 120
"""Expressions of a round that are combined with each other: some 30,000 pairs a round."""

ROUNDS = 2
"""Rounds of joining two expressions: four parts at most."""

SHOWN = 12
"""Exact formulas that are offered, the cheapest first."""

DIGITS = 10
"""Values that agree to so many digits of the largest count as the same."""

Operation = tuple[Callable[[Any, Any], Any], bool]

_PAIRS: tuple[Operation, ...] = (
    (lambda a, b: a + b, True),
    (lambda a, b: a - b, False),
    (lambda a, b: a * b, True),
    (lambda a, b: a / b, False),
)
"""Operations of two, and whether the order does not matter."""

_INVERSES: tuple[tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]], ...] = (
    (lambda y, e: y - e, lambda e, f: e + f),
    (lambda y, e: e - y, lambda e, f: e - f),
    (lambda y, e: y / e, lambda e, f: e * f),
    (lambda y, e: e / y, lambda e, f: e / f),
)
"""What must stand beside an expression e to make y, and how the two are joined."""


class _Made:
    """Collect expressions, one for each list of values: the smallest, of equal ones the usual one.

    How usual one is takes longest to say, and is asked only where sizes are equal.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.at: dict[bytes, int] = {}
        self.forms: list[sympy.Expr] = []
        self.values: list[np.ndarray] = []
        self.sizes: list[int] = []

    def add(self, form: sympy.Expr, values: np.ndarray) -> None:
        """Keep a form where its values are new, or where it is cheaper than the one that had them."""
        if not np.isfinite(values).all() or form.has(sympy.zoo, sympy.nan):
            return
        key, size = _key(values), complexity(form)
        i = self.at.get(key)
        if i is None:
            self.at[key] = len(self.forms)
            self.forms.append(form)
            self.values.append(values)
            self.sizes.append(size)
        elif (size, self.price(form)) < (self.sizes[i], self.price(self.forms[i])):
            self.forms[i], self.sizes[i] = form, size

    def price(self, form: sympy.Expr) -> float:
        """Return how unusual a form is: that x is rarely all of a law does not make x² cheaper within one."""
        return prior.price(form, self.columns)

    def cheapest(self, count: int) -> list[int]:
        """Return the places of the cheapest expressions."""
        largest = sorted(self.sizes)[:count][-1]
        small = [i for i, size in enumerate(self.sizes) if size <= largest]
        return sorted(small, key=lambda i: (self.sizes[i], self.price(self.forms[i])))[:count]


def _key(values: np.ndarray) -> bytes:
    """Return what values are known by: rounded to DIGITS of the largest."""
    size = np.abs(values).max()
    step = 10.0 ** (np.ceil(np.log10(size)) - DIGITS) if size > 0 else 1.0
    return (np.round(values / step) + 0.0).tobytes()


def propose(
    dataset: Dataset, *, budget: Budget, library: Library | None = None, seed: int = 0
) -> Iterator[Candidate]:
    """Yield exact formulas of a table of at most MOST_ROWS rows, the cheapest first."""
    X, y = dataset.X, dataset.y
    if len(y) > MOST_ROWS or X.shape[1] > MOST_COLUMNS or not np.ptp(y) > 0:
        return
    with np.errstate(all="ignore"):
        made = _made(X, symbols(dataset.names), library, budget)
        found = _exact(made, y)
    for form in sorted(found, key=lambda f: prior.price(f, X.shape[1]))[:SHOWN]:
        yield Candidate(0.0, "plain and exact", form)


def _made(X: np.ndarray, columns: tuple[sympy.Symbol, ...], library: Library | None, budget: Budget) -> _Made:
    """Make every small expression over the columns, 1 and 2."""
    made = _Made(X.shape[1])
    for symbol, x in zip(columns, X.T, strict=True):
        made.add(symbol, x.astype(float))
    for number in (1, 2):
        made.add(sympy.Integer(number), np.full(len(X), float(number)))
    square = library is None or "x^2" in library
    for _ in range(ROUNDS):
        chosen = made.cheapest(WIDTH)
        for i in chosen:
            if square and made.forms[i].free_symbols:
                made.add(made.forms[i] ** 2, made.values[i] ** 2)
        for a in chosen:
            budget.spend(0.1)
            if budget.exhausted or len(made.forms) > MOST_MADE:
                return made
            for b, (join, alike) in itertools.product(chosen, _PAIRS):
                if not (alike and b < a):
                    _join(made, join, a, b)
    return made


def _join(made: _Made, join: Callable[[Any, Any], Any], a: int, b: int) -> None:
    """Add the join of two expressions, unless its values are known."""
    values = join(made.values[a], made.values[b])
    # a known list of values is left alone: the first rounds' forms are the cheaper ones
    if np.isfinite(values).all() and _key(values) not in made.at:
        made.add(join(made.forms[a], made.forms[b]), values)


def _exact(made: _Made, y: np.ndarray) -> set[sympy.Expr]:
    """Return the expressions that are y, and the pairs that make it."""
    found, near = set(), criterion.EXACT * np.std(y)
    if (i := made.at.get(_key(y))) is not None:
        found.add(made.forms[i])
    for inverse, join in _INVERSES:
        for e, values in zip(made.forms, made.values, strict=True):
            rest = inverse(y, values)
            i = made.at.get(_key(rest)) if np.isfinite(rest).all() else None
            # beside a large e, what is left of y has few digits
            if i is not None and np.abs(join(values, made.values[i]) - y).max() <= near:
                found.add(join(e, made.forms[i]))
    return {f for f in found if f.free_symbols and not f.has(sympy.zoo, sympy.nan)}

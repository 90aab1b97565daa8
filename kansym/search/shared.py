"""One law with constants of its own for every category: y = a[k]*exp(-b*t), a measured for each k.

The form is looked for in the rows of the largest categories alone. Each of its constants is then either
shared or free in every category; description length decides which. Categories are one-hot columns, so that
what comes out is a formula like any other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.base.errors import KansymError
from kansym.data.dataset import Dataset
from kansym.formula import expression as expressions
from kansym.formula import polish
from kansym.formula.polish import Rows
from kansym.formula.program import Program, parametrise
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.search import registry
from kansym.search.candidate import Candidate
from kansym.search.producer import Level, Producer

COST = 5000.0
"""Units of work of the search for one law of all categories."""

FEWEST = 8
"""Rows that a category needs to show the form of the law."""

LARGEST = 2
"""Categories that are searched for the form."""

FORMS = 4
"""Forms kept; each is tried with every choice of constants that differ."""

MOST_FREE = 4
"""A form with more constants is tried with none, each one, and all of them free only."""

OFFERED = 8


def producer(levels: Sequence[str]) -> Producer:
    """Return the producer for a table whose one-hot columns `levels` say which category a row is of."""
    purpose = "one law with constants of its own for every category"
    return Producer("categories", purpose, Level.DEEP, COST, lambda: partial(propose, levels=tuple(levels)))


def propose(
    dataset: Dataset,
    *,
    levels: Sequence[str],
    budget: Budget,
    library: Library | None = None,
    seed: int = 0,
) -> Iterator[Candidate]:
    """Yield formulas for a dataset whose one-hot columns `levels` say which category a row is of."""
    library = library or Library.load("default")
    columns = symbols(dataset.names)
    at = [dataset.names.index(n) for n in levels if n in dataset.names]
    marks = [columns[i] for i in at]
    member = dataset.X[:, at] > 0.5
    rest = [n for n in dataset.names if n not in levels]
    if not rest or len(at) < 2:
        return
    w = np.ones(dataset.rows) if dataset.weights is None else dataset.weights / dataset.weights.mean()
    parts = [_part(dataset, rest, member[:, k]) for k in range(len(at))]
    everything = Rows(dataset.X, dataset.y, w, columns)
    power = everything.loss(np.full(dataset.rows, np.average(dataset.y, weights=w)))
    if not power > 0:
        return
    found: dict[str, tuple[float, Candidate]] = {}
    for form in _forms(parts, budget, library, seed):
        for whole in _shared(form, parts, marks):
            if budget.exhausted and found:
                break
            fitted = _fitted(whole, everything, budget)
            if fitted is None:
                continue
            share = fitted.loss / power
            length = _length(fitted, share, dataset.rows)
            candidate = Candidate(share, "constants per category", fitted.expression)
            found.setdefault(expressions.text(fitted.expression, 5), (length, candidate))
    for _, candidate in sorted(found.values(), key=lambda f: f[0])[:OFFERED]:
        yield candidate


def _part(dataset: Dataset, rest: Sequence[str], mine: np.ndarray) -> Dataset:
    return dataset.take(np.flatnonzero(mine)).select(rest)


def _rows(part: Dataset) -> Rows:
    w = None if part.weights is None else part.weights / part.weights.mean()
    return Rows(part.X, part.y, w, symbols(part.names))


def _forms(parts: Sequence[Dataset], budget: Budget, library: Library, seed: int) -> list[sympy.Expr]:
    """Return the best formulas of the largest categories, each with a factor and a constant that may vary."""
    forms: dict[str, tuple[float, sympy.Expr]] = {}
    for part in sorted(parts, key=lambda p: -p.rows)[:LARGEST]:
        if part.rows < FEWEST or np.ptp(part.y) == 0:
            continue
        rows = _rows(part)
        power = rows.loss(np.full(part.rows, part.y.mean()))
        for producer in registry.NAMING:
            proposals = producer.propose(part, budget.share(0.2), library, seed)
            for candidate in itertools.islice(proposals, 2 * FORMS):
                if candidate.expression is None:
                    continue
                fitted = _fitted(candidate.expression, rows, budget)
                if fitted is not None:
                    length = _length(fitted, fitted.loss / power, part.rows)
                    shape = expressions.text(parametrise(fitted.expression)[0])
                    if shape not in forms or length < forms[shape][0]:
                        forms[shape] = (length, fitted.expression)
    best = sorted(forms.values(), key=lambda f: f[0])[:FORMS]
    return [variant for _, form in best for variant in _variants(form)]


def _variants(form: sympy.Expr) -> Iterator[sympy.Expr]:
    """Yield the form as it is, and with a factor and a term of its own where it has none."""
    yield form
    one, zero = sympy.Float(1.0, 17), sympy.Float(0.0, 17)
    constant, terms = form.as_coeff_Add()
    if not any(a.is_Float for a in sympy.Mul.make_args(terms)):
        yield sympy.Add(constant, sympy.Mul(one, terms, evaluate=False), evaluate=False)
    if constant == 0:
        yield sympy.Add(zero, form, evaluate=False)


def _shared(
    form: sympy.Expr, parts: Sequence[Dataset], marks: Sequence[sympy.Symbol]
) -> Iterator[sympy.Expr]:
    """Yield the form with each choice of constants that differ between categories, at good starts."""
    shape, names, start = parametrise(form)
    own = [_constants(shape, names, start, part) for part in parts]
    sizes = np.array([p.rows for p in parts], float)
    mean = [float(np.average([o[k] for o in own], weights=sizes)) for k in range(len(names))]
    counts = range(len(names) + 1) if len(names) <= MOST_FREE else (0, 1, len(names))
    for count in counts:
        for free in itertools.combinations(range(len(names)), count):
            swap: dict[sympy.Basic, Any] = {}
            for k, name in enumerate(names):
                each = [sympy.Float(o[k], 17) * m for o, m in zip(own, marks, strict=True)]
                swap[name] = sympy.Add(*each) if k in free else sympy.Float(mean[k], 17)
            yield shape.xreplace(swap)


def _constants(
    shape: sympy.Expr, names: Sequence[sympy.Symbol], start: np.ndarray, part: Dataset
) -> np.ndarray:
    """Return the form's constants as one category alone would have them; the start where it cannot say."""
    try:
        program = Program.compile(shape, symbols(part.names), names, start)
        fitted = polish.fit(program, _rows(part), 30)
    except (KansymError, TypeError, ZeroDivisionError, OverflowError, ValueError):
        return start
    return start if fitted is None or not np.isfinite(fitted.theta).all() else fitted.theta


def _fitted(form: sympy.Expr, rows: Rows, budget: Budget) -> polish.Polished | None:
    budget.spend()
    try:
        fitted = polish.polish(form, rows, 30)
    except (KansymError, TypeError, ZeroDivisionError, OverflowError, ValueError):
        return None
    return fitted if fitted is not None and math.isfinite(fitted.loss) else None


def _length(fitted: polish.Polished, share: float, rows: int) -> float:
    price = criterion.NODE_PRICE * expressions.complexity(fitted.expression)
    return 0.5 * rows * math.log(share + 1e-24) + price + 0.5 * math.log(rows) * len(fitted.theta)

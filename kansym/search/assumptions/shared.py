"""One law with constants of its own for every category: y = a[k]*exp(-b*t), a measured for each k.

The form is looked for in the rows of the largest cells alone, where every category is fixed; in all rows
where no cell has enough. Each of its constants is then shared, or free in every level of one category, or
of all of them crossed; levels that the rows cannot tell apart share a value. Description length decides.
Levels are columns of 0 and 1, so that the result is a formula like any other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.base.weights import roots
from kansym.data.dataset import Dataset
from kansym.formula import expression as expressions
from kansym.formula import polish, prior
from kansym.formula.guarded import UNDEFINED, polished
from kansym.formula.polish import Rows
from kansym.formula.program import Program, parametrise
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.judge import chance
from kansym.search import registry
from kansym.search.candidate import Candidate
from kansym.search.families.family import Families
from kansym.search.producer import Level, Producer

COST = 5000.0
"""Units of work of the search for one law of all categories."""

FEWEST, ENOUGH = 5, 8
"""Rows that a cell needs to show the form of the law, beside all rows together; and to show it alone."""

LARGEST = 2
"""Cells that are searched for the form."""

SEEN, LEFT = 60, 0.05
"""Rows of a cell that show what a form leaves, and the chance above which that is noise."""

HOPELESS = 100.0
"""Nats by which a form, its constants free in every cell, may be behind the best one."""

FORMS = 4
"""Forms kept of each part, and of all; each is tried with constants free in one category after another."""

MOST_CROSSED = 24
"""Levels of several categories crossed that may have constants of their own."""

MOST_GROUPS = 4
"""Groups into which the levels of a category are put where not every level has constants of its own."""

MOST_FREE = 4
"""Constants that are freed one after the other; a law with more is rarely one law."""

OFFERED = 8
"""Formulas that are offered, the shortest first."""

ROWS_A_CONSTANT = 3
"""Rows for each constant where all of a form's are free in every level."""

STEPS = 30
"""Steps of a fit; the judge fits what is offered to the end."""

SOURCE = "constants per category"
"""What a formula of this room is said to come from."""

FACTOR, TERM = (sympy.Symbol(f"\0{word}", real=True) for word in ("factor", "term"))
"""What every form may have besides its own constants: a factor (1 where shared) and a term (0)."""


def producer(categories: Mapping[str, Sequence[str]]) -> Producer:
    """Return the producer for a table whose columns of 0 and 1 say which level of a category a row is of."""
    purpose = "one law with constants of its own for every category"
    return Producer(
        "categories", purpose, Level.DEEP, COST, lambda: partial(propose, categories=dict(categories))
    )


@dataclass(frozen=True, eq=False)
class Division:
    """Hold a division of the rows: by one category, or by several crossed.

    `marks` are formulas that are 1 on a level's rows and 0 elsewhere, `member` (n, levels) their values.
    """

    marks: tuple[sympy.Expr, ...]
    member: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Return the number of rows of each level."""
        return self.member.sum(axis=0)


@dataclass(frozen=True)
class Choice:
    """Say for a constant in which division it is free, and which levels share a value (group of each)."""

    division: int
    groups: tuple[int, ...]

    @property
    def members(self) -> tuple[tuple[int, ...], ...]:
        """Return the levels of each group."""
        return tuple(
            tuple(k for k, g in enumerate(self.groups) if g == group) for group in sorted(set(self.groups))
        )


@dataclass(frozen=True, eq=False)
class Whole:
    """Hold a formula for all rows: its constants as fitted, and its length in nats."""

    constants: Mapping[sympy.Symbol, float]
    fitted: polish.Polished
    share: float
    length: float


def propose(
    dataset: Dataset,
    *,
    categories: Mapping[str, Sequence[str]],
    budget: Budget,
    library: Library | None = None,
    seed: int = 0,
) -> Iterator[Candidate]:
    """Yield formulas for a dataset whose columns of 0 and 1 in `categories` say which level a row is of."""
    library = library or Library.load("default")
    found, known = _divisions(dataset, categories), set(itertools.chain(*categories.values()))
    rest = [n for n in dataset.names if n not in known]
    if not rest or not found:
        return
    search = _Search(dataset, found, budget)
    if not search.power > 0:
        return
    wholes: list[Whole] = []
    cells = found[-1]  # the finest
    parts = [dataset.take(np.flatnonzero(m)).select(rest) for m in cells.member.T]
    # a level that hardly changes shows no form
    clearest = sorted(parts, key=lambda part: (-part.rows, -float(np.ptp(part.y))))
    if clearest[0].rows < ENOUGH:
        # what small cells have in common shows in all of them together
        clearest = [dataset.select(rest), *clearest]
    forms = _forms(clearest[:LARGEST], budget, library, seed)
    ranked = sorted(((search.apart(form, parts), form) for form in forms), key=lambda r: r[0])[:FORMS]
    for form in [form for nats, form in ranked if nats < ranked[0][0] + HOPELESS]:
        wholes += search.steps(form, rest)
        if budget.exhausted and wholes:
            break
    offered: set[str] = set()
    for whole in sorted(wholes, key=lambda w: w.length):
        if len(offered) == OFFERED:  # to write the others takes 20 ms each
            return
        text = expressions.text(whole.fitted.expression, 5)
        if text not in offered:
            offered.add(text)
            yield Candidate(whole.share, SOURCE, whole.fitted.expression)


def _divisions(dataset: Dataset, categories: Mapping[str, Sequence[str]]) -> list[Division]:
    """Return the divisions by each category, and last by all of them crossed where those are few."""
    columns = dict(zip(dataset.names, symbols(dataset.names), strict=True))
    alone = []
    for levels in categories.values():
        names = [n for n in levels if n in columns]
        if len(names) > 1:
            marks = np.column_stack([dataset.column(n) > 0.5 for n in names])
            alone.append(Division(tuple(columns[n] for n in names), marks))
    if len(alone) < 2:
        return alone
    crossed: list[tuple[sympy.Expr, np.ndarray]] = []
    for combined in itertools.product(*(range(len(d.marks)) for d in alone)):
        member = np.logical_and.reduce([d.member[:, k] for d, k in zip(alone, combined, strict=True)])
        if member.any():
            mark = sympy.Mul(*(d.marks[k] for d, k in zip(alone, combined, strict=True)))
            crossed.append((mark, member))
    if len(crossed) > MOST_CROSSED:
        return sorted(alone, key=lambda d: len(d.marks))
    return [*alone, Division(tuple(m for m, _ in crossed), np.column_stack([rows for _, rows in crossed]))]


class _Search:
    """Free the constants of forms one after the other, fitting all rows each time."""

    def __init__(self, dataset: Dataset, divisions: Sequence[Division], budget: Budget) -> None:
        """Begin with all rows of the table."""
        w = None if dataset.weights is None else dataset.weights / dataset.weights.mean()
        self.dataset, self.divisions, self.budget = dataset, divisions, budget
        self.rows = Rows(dataset.X, dataset.y, w, symbols(dataset.names))
        self.power = self.rows.loss(np.full(dataset.rows, np.average(dataset.y, weights=w)))

    def steps(self, form: sympy.Expr, rest: Sequence[str]) -> list[Whole]:
        """Return the best formula of the form with none, one, two, ... of its constants free."""
        shape, names, start = parametrise(form)
        # of A - A*exp(-k*x) each level's A is written once
        shape = FACTOR * sympy.factor_terms(shape) + TERM
        shared = dict(zip(names, start, strict=True)) | {FACTOR: 1.0, TERM: 0.0}
        own = [self._own(form, d, rest) for d in self.divisions]
        best = self._whole(shape, shared, own, {})
        kept = [] if best is None else [best]
        free: dict[sympy.Symbol, Choice] = {}
        for _ in range(min(MOST_FREE, len(shared))):
            tried = []
            for name in (n for n in shared if n not in free):
                for k, division in enumerate(self.divisions):
                    choice = Choice(k, tuple(range(len(division.marks))))
                    if self.budget.exhausted and kept:
                        return kept
                    tried.append((choice, name, self._whole(shape, shared, own, {**free, name: choice})))
            better = [(c, n, w) for c, n, w in tried if w is not None]
            if not better:
                break
            choice, name, whole = min(better, key=lambda t: t[2].length)
            for grouped in self._groupings(whole, name, choice):
                other = self._whole(shape, shared, own, {**free, name: grouped})
                if other is not None and other.length < whole.length:
                    choice, whole = grouped, other
            kept.append(whole)
            free[name] = choice
            if len(kept) > 2 and whole.length > kept[-3].length:
                break  # two steps in a row without gain
        for k in range(len(self.divisions)):
            kept += self._apart(shape, shared, own, names, k)
        return kept

    def apart(self, form: sympy.Expr, parts: Sequence[Dataset]) -> float:
        """Return the form's length in nats with constants of its own in every cell: its form suits all."""
        shape, names, start = parametrise(form)
        left, whole = 0.0, sum(part.rows if part.weights is None else part.weights.sum() for part in parts)
        for part in parts:
            fitted = _part_fit(shape, names, start, part)
            mean = float(np.average(part.y, weights=part.weights))
            value = np.full(part.rows, mean) if fitted is None else fitted.program.value(part.X, fitted.theta)
            w = np.ones(part.rows) if part.weights is None else part.weights
            left += float(np.sum(w * (value - part.y) ** 2))
        share = left / whole / self.power
        return _likely(form, share, self.dataset.rows, len(names) * len(parts), len(parts[0].names))

    def _apart(
        self,
        shape: sympy.Expr,
        shared: Mapping[sympy.Symbol, float],
        own: Sequence[Sequence[Mapping[sympy.Symbol, float]]],
        names: Sequence[sympy.Symbol],
        division: int,
    ) -> Iterator[Whole]:
        """Yield the form with all its constants free in every level, and with those shared that may be.

        What freeing one constant after the other does not reach: levels that differ in several at once.
        """
        levels = len(self.divisions[division].marks)
        if not names or self.budget.exhausted or levels * len(names) * ROWS_A_CONSTANT > self.dataset.rows:
            return
        free = {name: Choice(division, tuple(range(levels))) for name in names}
        whole = self._whole(shape, shared, own, free)
        if whole is None:
            return
        yield whole
        for name in names:
            looser = [{**free, name: g} for g in self._groupings(whole, name, free[name])]
            for fewer in ({n: c for n, c in free.items() if n != name}, *looser):
                other = self._whole(shape, shared, own, fewer) if fewer else None
                if other is not None and other.length < whole.length:
                    whole, free = other, fewer
                    yield whole

    def _groupings(self, whole: Whole, name: sympy.Symbol, choice: Choice) -> Iterator[Choice]:
        """Yield choices in which levels of nearly the same value share one: parted at the widest gaps."""
        division = self.divisions[choice.division]
        levels = len(division.marks)
        if levels < 3:
            return
        values = np.array([whole.constants.get(_value(name, k), 0.0) for k in range(levels)])
        order = np.argsort(values, kind="stable")
        gaps = np.argsort(-np.diff(values[order]), kind="stable")
        for count in range(2, min(MOST_GROUPS, levels - 1) + 1):
            cuts = np.sort(gaps[: count - 1])
            group = np.empty(levels, int)
            group[order] = np.searchsorted(cuts, np.arange(levels), side="left")
            yield Choice(choice.division, tuple(int(g) for g in group))

    def _own(
        self, form: sympy.Expr, division: Division, rest: Sequence[str]
    ) -> list[dict[sympy.Symbol, float]]:
        """Return the form's constants as each level alone would have them."""
        shape, names, start = parametrise(form)
        found = []
        for member in division.member.T:
            at = np.flatnonzero(member)
            values = start
            if len(at) > len(names):
                values = _constants(shape, names, start, self.dataset.take(at).select(rest))
            found.append(dict(zip(names, values, strict=True)))
        return found

    def _whole(
        self,
        shape: sympy.Expr,
        shared: Mapping[sympy.Symbol, float],
        own: Sequence[Sequence[Mapping[sympy.Symbol, float]]],
        free: Mapping[sympy.Symbol, Choice],
    ) -> Whole | None:
        """Return the form with some constants free, fitted to all rows; None where that fails."""
        swap: dict[sympy.Symbol, sympy.Expr] = {}
        start: dict[sympy.Symbol, float] = {}
        for name, value in shared.items():
            if name in free:
                each = own[free[name].division]
                swap[name], more = self._levels(name, free[name], [o.get(name, value) for o in each])
                start |= more
            elif name in (FACTOR, TERM):
                swap[name] = sympy.Integer(int(value))
            else:
                start[name] = value
        expression = shape.xreplace(swap)
        names = [n for n in start if n in expression.free_symbols]
        self.budget.spend()
        try:
            program = Program.compile(
                expression, self.rows.symbols, names, np.array([start[n] for n in names])
            )
            fitted = polish.fit(program, self.rows, STEPS)
        except UNDEFINED:
            return None
        if fitted is None or not math.isfinite(fitted.loss):
            return None
        share = fitted.loss / self.power
        return Whole(
            dict(zip(names, fitted.theta, strict=True)),
            fitted,
            share,
            _length(fitted, share, self.dataset.rows),
        )

    def _levels(
        self, name: sympy.Symbol, choice: Choice, own: Sequence[float]
    ) -> tuple[sympy.Expr, dict[sympy.Symbol, float]]:
        """Return a constant with a value for each group of levels: a formula, and the values' starts.

        A factor or term stays 1 or 0 in the largest group, since the form's own constants set its size there.
        """
        division = self.divisions[choice.division]
        sizes = division.sizes
        members = choice.members
        largest = max(range(len(members)), key=lambda g: sizes[list(members[g])].sum())
        marks = [sympy.Add(*(division.marks[k] for k in levels)) for levels in members]
        constants = [_value(name, g) for g in range(len(members))]
        if name in (FACTOR, TERM):
            plain = sympy.Integer(1 if name is FACTOR else 0)
            slight = 0.1 if name is FACTOR else 0.1 * math.sqrt(self.power)
            others = [(c, m) for g, (c, m) in enumerate(zip(constants, marks, strict=True)) if g != largest]
            return sympy.Add(plain, *(c * m for c, m in others)), {c: slight for c, _ in others}
        values = [
            float(np.average([own[k] for k in levels], weights=sizes[list(levels)])) for levels in members
        ]
        if len(members) == len(division.marks):
            whole = sympy.Add(*(c * m for c, m in zip(constants, marks, strict=True)))
            return whole, dict(zip(constants, values, strict=True))
        base = values[largest]
        start = {
            c: v if g == largest else v - base for g, (c, v) in enumerate(zip(constants, values, strict=True))
        }
        parts = (c if g == largest else c * m for g, (c, m) in enumerate(zip(constants, marks, strict=True)))
        return sympy.Add(*parts), start


def _value(name: sympy.Symbol, group: int) -> sympy.Symbol:
    """Return the symbol of a free constant's value in a group of levels."""
    return sympy.Symbol(f"{name.name}\0{group}", real=True)


def _forms(parts: Sequence[Dataset], budget: Budget, library: Library, seed: int) -> list[sympy.Expr]:
    """Return the best formulas of each of some parts of the rows alone."""
    forms: dict[str, sympy.Expr] = {}
    for part in parts:
        found: dict[str, tuple[float, sympy.Expr]] = {}
        if part.rows < FEWEST or np.ptp(part.y) == 0 or (forms and _suits(next(iter(forms.values())), part)):
            continue
        w = None if part.weights is None else part.weights / part.weights.mean()
        rows = Rows(part.X, part.y, w, symbols(part.names))
        power = rows.loss(np.full(part.rows, part.y.mean()))
        for producer in (registry.classics(Families.load()), *registry.NAMING):
            proposals = producer.propose(part, budget.share(0.2), library, seed)
            for candidate in itertools.islice(proposals, FORMS):
                if (e := candidate.expression) is None or (fitted := _fitted(e, rows, budget)) is None:
                    continue
                constants, columns = len(fitted.theta), len(part.names)
                length = _likely(fitted.expression, fitted.loss / power, part.rows, constants, columns)
                shape = expressions.text(parametrise(fitted.expression)[0])
                if shape not in found or length < found[shape][0]:
                    found[shape] = (length, fitted.expression)
        best = sorted(found.items(), key=lambda item: item[1][0])[:FORMS]
        forms = {shape: form for shape, (_, form) in best} | forms
    return list(forms.values())


def _suits(form: sympy.Expr, part: Dataset) -> bool:
    """Tell whether the best form of another cell leaves nothing but noise in this one, fitted to it."""
    fitted = _part_fit(*parametrise(form), part) if part.rows >= SEEN else None
    if fitted is None:
        return False
    left = (part.y - fitted.program.value(part.X, fitted.theta)) * roots(part.weights, part.rows)
    return chance.structure(part.X, left, shuffles=chance.FIRST_SHUFFLES).pvalue > LEFT


def _constants(
    shape: sympy.Expr, names: Sequence[sympy.Symbol], start: np.ndarray, part: Dataset
) -> np.ndarray:
    """Return the form's constants as one category alone would have them; the start where it cannot say."""
    return start if (fitted := _part_fit(shape, names, start, part)) is None else fitted.theta


def _part_fit(
    shape: sympy.Expr, names: Sequence[sympy.Symbol], start: np.ndarray, part: Dataset
) -> polish.Polished | None:
    """Return a form fitted to some rows; None where that cannot be done."""
    try:
        program = Program.compile(shape, symbols(part.names), names, start)
        fitted = polish.fit(program, Rows(part.X, part.y, part.weights, symbols(part.names)), STEPS)
    except UNDEFINED:
        return None
    return fitted if fitted is not None and np.isfinite(fitted.theta).all() else None


def _fitted(form: sympy.Expr, rows: Rows, budget: Budget) -> polish.Polished | None:
    """Return a form with its constants fitted, None where that cannot be done."""
    budget.spend()
    fitted = polished(form, rows, STEPS)
    return fitted if fitted is not None and math.isfinite(fitted.loss) else None


def _likely(form: sympy.Expr, share: float, rows: int, constants: int, columns: int) -> float:
    """Return the nats of a form by what it leaves and by how often people write it."""
    return float(criterion.length(share + 1e-24, rows, 0, constants)) + prior.price(form, columns)


def _length(fitted: polish.Polished, share: float, rows: int) -> float:
    """Return the description length in nats of a fitted formula that leaves this share."""
    size = expressions.complexity(fitted.program.template)  # to write numbers in takes longer than the fit
    return float(criterion.length(share + 1e-24, rows, size, len(fitted.theta)))

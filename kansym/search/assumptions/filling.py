"""What fills in a person's template: its unknown functions fitted as curves, then named one by one.

Unknown functions start as splines (of one argument) or polynomials (of several), fitted jointly by
Levenberg–Marquardt inside the template. Each is then named on its own; once the others have names, the
template is solved for it, so that its values are known as exactly as the target is. Nothing outside the
template is ever proposed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy

from kansym.base import criterion, polynomials
from kansym.base.budget import Budget
from kansym.base.errors import KansymError
from kansym.base.leastsq import levenberg_marquardt
from kansym.base.linear import TINY
from kansym.base.weights import roots, spread
from kansym.data.dataset import Dataset
from kansym.formula import expression as expressions
from kansym.formula import polish, settling
from kansym.formula.guarded import UNDEFINED, polished
from kansym.formula.polish import Rows
from kansym.formula.program import Program, parametrise
from kansym.functions import spline
from kansym.functions.library import Library
from kansym.functions.matching import match
from kansym.functions.parsing import symbols
from kansym.search import registry
from kansym.search.assumptions.template import Template
from kansym.search.candidate import Candidate
from kansym.search.producer import Level, Producer
from kansym.search.rational import monomials

ROWS = 1000
"""Rows that are looked at; the pipeline polishes on all."""

CELLS = (2, 4, 8, 16, 32)
"""Grids of the splines, each started from the one before; the best on held-out rows is kept."""

DEGREES = (1, 2, 3, 4, 6)
"""Total degrees of an unknown function of several arguments, in step with CELLS."""

STARTS = 6
"""Random starts of the unknown functions, of three sizes and both signs."""

ROUNDS = 2
"""How often every unknown function is solved for with the others known."""

NAMES = 5
"""Formulas kept for each unknown function."""

TRIED = 30
"""Combinations of such formulas polished in one round."""

ROUGH, SHARP = 1e-9, 1e-24
"""Residual shares below which names count as equal: of a fitted curve, and of values that are known."""

ENOUGH = 10.0
"""A library's function that leaves less than this many times such a share needs no rivals."""


COST = 5000.0
"""Units of work of a search inside a template."""


def producer(template: Template) -> Producer:
    """Return the producer that fills in a template."""
    purpose = "a person's formula with unknown functions"
    return Producer("template", purpose, Level.DEEP, COST, lambda: partial(propose, template=template))


def propose(
    dataset: Dataset,
    *,
    template: Template,
    budget: Budget,
    library: Library | None = None,
    seed: int = 0,
) -> Iterator[Candidate]:
    """Yield formulas of a template's form for a dataset with X (n, d), y (n,), weights and names."""
    yield from Search(template, dataset, budget, library or Library.load("default"), seed).run()


@dataclass(frozen=True)
class _Form:
    """Hold a name for an unknown function, and its rank (nats)."""

    expression: sympy.Expr
    rank: float


@dataclass(frozen=True, eq=False)
class _Whole:
    """Hold the template with every part named and fitted, and the residual share on held-out rows."""

    fitted: polish.Polished
    shapes: tuple[sympy.Expr, ...]
    share: float

    @property
    def expression(self) -> sympy.Expr:
        """Return the whole formula."""
        return self.fitted.expression

    @property
    def numbers(self) -> dict[str, sympy.Expr]:
        """Return every constant by its name, exact ones included."""
        exact = {c.name: c.exact for c in self.fitted.fixed if c.exact is not None}
        free = {c.name: sympy.Float(c.value, 17) for c in self.fitted.free}
        return {**exact, **free}

    @property
    def parts(self) -> tuple[sympy.Expr, ...]:
        """Return the unknown functions with their constants."""
        swap = {sympy.Symbol(n, real=True): v for n, v in self.numbers.items()}
        return tuple(shape.xreplace(swap) for shape in self.shapes)

    def values(self, constants: Sequence[sympy.Symbol]) -> list[float]:
        """Return the values of the template's own constants."""
        return [float(self.numbers[c.name]) for c in constants]


class Search:
    """Carry one search: the rows to fit and to judge, the template as a program, the best so far."""

    def __init__(
        self, template: Template, dataset: Dataset, budget: Budget, library: Library, seed: int
    ) -> None:
        """Part the rows and compile the template."""
        self.template, self.budget, self.library, self.seed = template, budget, library, seed
        sample = dataset.subsample(ROWS, seed)
        self.columns = symbols(sample.names)
        order = np.random.default_rng(seed).permutation(sample.rows)
        cut = sample.rows // 4 if sample.rows > 12 else 0
        self.held_rows, self.fit_rows = np.sort(order[:cut] if cut else order), np.sort(order[cut:])
        self.X, self.y = sample.X, sample.y
        root = roots(sample.weights, sample.rows)
        self.w = root**2 / np.mean(root**2)
        self.fit, self.held = (
            Rows(self.X[part], self.y[part], self.w[part], self.columns)
            for part in (self.fit_rows, self.held_rows)
        )
        self.power = spread(self.y, root) / float(np.sum(root**2))
        self.program = Program.compile(
            template.expression, [*self.columns, *(u.value for u in template.unknowns), *template.constants]
        )
        self.arguments = [
            np.column_stack([Program.compile(a, self.columns).value(self.X) for a in u.arguments])
            for u in template.unknowns
        ]
        self.best: tuple[float, _Whole] | None = None
        self.seen: set[str] = set()

    def run(self) -> Iterator[Candidate]:
        """Yield candidates: from fitted curves, then from each function solved for with the others known."""
        if not all(np.isfinite(a).all() for a in self.arguments) or not self.power > 0:
            return
        if len(self.template.unknowns) == 1 and not self.template.constants:
            yield from self._solved(0)
            if self.best is not None:
                return
        start = self._curves()
        if start is None:
            return
        values, constants = start
        slopes = self._slopes(values, constants)
        forms = [self._names(i, values[i], slopes[i], ROUGH) for i in range(len(values))]
        yield from self._together(forms, constants)
        for _round in range(ROUNDS):
            for i in range(len(self.template.unknowns)):
                if self.budget.exhausted or self.best is None or self.best[1].share < criterion.EXACT_SHARE:
                    return
                yield from self._solved(i)

    # --- curves -----------------------------------------------------------------------------------

    def _curves(self) -> tuple[list[np.ndarray], list[float]] | None:
        """Return the unknown functions' values on every row and the constants, by joint least squares."""
        rng = np.random.default_rng(self.seed)
        size = math.sqrt(float(np.mean(self.y**2)))
        best: tuple[float, list[np.ndarray], np.ndarray] | None = None
        for step in range(len(CELLS)):
            bases = [self._basis(a, step) for a in self.arguments]
            count = sum(b.shape[1] for b in bases) + len(self.template.constants)
            if count > len(self.fit.y) / 3 and best is not None:
                break
            starts = []
            if best is None:
                for k in range(STARTS):
                    level = (1.0, math.sqrt(size), size)[k % 3] * (1 if k < 3 else -1)
                    first = [
                        level * (1 + 0.3 * np.tanh(_standard(u)) @ rng.normal(size=u.shape[1]))
                        for u in self.arguments
                    ]
                    starts.append((first, np.full(len(self.template.constants), level)))
            else:
                starts.append((best[1], best[2]))
            found = [f for s in starts if (f := self._joint(bases, *s, steps=40 if best is None else 25))]
            self.budget.spend(len(starts) * 2)
            if not found:
                return None if best is None else (best[1], best[2].tolist())
            better = min(found, key=lambda f: f[0])
            if best is not None and better[0] > 0.9 * best[0]:
                break
            best = better
            if self.budget.exhausted:
                break
        assert best is not None
        return best[1], best[2].tolist()

    def _basis(self, arguments: np.ndarray, step: int) -> np.ndarray:
        """Return the columns (n, k) whose sum with free weights is one unknown function."""
        if arguments.shape[1] == 1:
            knots = spline.adaptive_knots(arguments[:, 0], CELLS[step], 3, 0.5)
            return spline.design(knots, 3, arguments[:, 0])
        middle = (arguments.max(0) + arguments.min(0)) / 2
        half = np.maximum(np.ptp(arguments, axis=0) / 2, TINY)
        powers = polynomials.exponents(arguments.shape[1], DEGREES[step])
        return monomials.columns((arguments - middle) / half, powers)

    def _joint(
        self, bases: list[np.ndarray], values: list[np.ndarray], constants: np.ndarray, steps: int
    ) -> tuple[float, list[np.ndarray], np.ndarray] | None:
        """Fit all unknowns at once from these values; return held-out loss, values (n,) each, constants."""
        cuts = np.cumsum([b.shape[1] for b in bases])
        rows = self.fit_rows
        root = np.sqrt(self.w[rows])
        start = np.concatenate(
            [*(np.linalg.lstsq(b, v, rcond=1e-10)[0] for b, v in zip(bases, values, strict=True)), constants]
        )

        def table(theta: np.ndarray, at: np.ndarray) -> np.ndarray:
            """Return some rows: columns, the unknown functions' values, the constants."""
            parts = np.split(theta, cuts)
            curves = [b[at] @ p for b, p in zip(bases, parts, strict=False)]
            return np.column_stack([self.X[at], *curves, np.tile(parts[-1], (len(at), 1))])

        def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Return the weighted residuals on the fitted rows, and their derivatives by all weights."""
            value, slope = self.program.gradient(table(theta, rows))
            slope = slope[:, len(self.columns) :]
            J = [slope[:, i : i + 1] * b[rows] for i, b in enumerate(bases)]
            return root * (value - self.y[rows]), root[:, None] * np.hstack([*J, slope[:, len(bases) :]])

        fitted = levenberg_marquardt(residual, start, max_steps=steps)
        if not math.isfinite(fitted.cost):
            return None
        everything = table(fitted.theta, np.arange(len(self.y)))
        if not np.isfinite(everything).all():
            return None
        value = self.program.value(everything)
        held = self.held_rows
        loss = float(np.mean(self.w[held] * (value[held] - self.y[held]) ** 2))
        d = len(self.columns)
        curves = [everything[:, d + i] for i in range(len(bases))]
        return (loss, curves, everything[0, d + len(bases) :]) if math.isfinite(loss) else None

    def _slopes(self, values: Sequence[np.ndarray], constants: Sequence[float]) -> list[np.ndarray]:
        """Return how much y changes with each unknown function's value, on every row."""
        n, d = len(self.y), len(self.columns)
        table = np.column_stack([self.X, *values, np.tile(np.asarray(constants, float), (n, 1))])
        return list(self.program.gradient(table)[1][:, d : d + len(values)].T)

    # --- names ------------------------------------------------------------------------------------

    def _names(self, i: int, values: np.ndarray, slope: np.ndarray, floor: float) -> list[_Form]:
        """Return formulas for one unknown function from its values, best first."""
        unknown = self.template.unknowns[i]
        stand_ins = tuple(f"u{k}" for k in range(len(unknown.arguments)))
        U = np.ascontiguousarray(self.arguments[i])
        weights = self.w * slope**2
        good = np.isfinite(values) & np.isfinite(weights) & (weights > 1e-12 * np.nanmax(weights))
        if good.sum() < 8:
            return []
        if np.ptp(values[good]) <= 1e-12 * np.abs(values[good]).max():
            return [_Form(sympy.Float(float(values[good].mean()), 17), 0.0)]
        part = Dataset(U[good], values[good], stand_ins, weights=weights[good] / weights[good].mean())
        inside = dict(zip(symbols(stand_ins), unknown.arguments, strict=True))
        rows = Rows(part.X, part.y, part.weights, symbols(stand_ins))
        power = rows.loss(np.full(part.rows, np.average(part.y, weights=part.weights)))
        forms: dict[str, _Form] = {}
        found = False
        for form, cheap in self._proposals(part):
            if (self.budget.exhausted and forms) or (found and not cheap):
                break
            self.budget.spend()
            found_one = polished(form, rows, 25)
            if found_one is None:
                continue
            fitted = found_one.expression
            share = rows.loss(Program.compile(fitted, rows.symbols).value(part.X)) / power
            if not share < 1:
                continue
            found |= share < ENOUGH * floor
            size = expressions.complexity(fitted)
            rank = float(criterion.length(share + floor, part.rows, size, len(found_one.theta)))
            forms.setdefault(expressions.text(fitted, 4), _Form(fitted.xreplace(inside), rank))
        return sorted(forms.values(), key=lambda f: f.rank)[:NAMES]

    def _proposals(self, part: Dataset) -> Iterator[tuple[sympy.Expr, bool]]:
        """Yield formulas of the stand-ins for one function's values: matched ones, then the producers'."""
        columns = symbols(part.names)
        if len(columns) == 1:
            try:
                for m in match(part.X[:, 0], part.y, self.library, top=NAMES, weights=part.weights):
                    yield expressions.symbolic_value(m.curve, columns[0]), True
            except KansymError:  # a curve that no function of the library fits
                pass
        for producer in registry.NAMING:
            found = producer.propose(part, self.budget.share(0.1), self.library, self.seed)
            for candidate in itertools.islice(found, 2 * NAMES):
                if candidate.expression is not None:
                    yield candidate.expression, False

    def _together(self, forms: Sequence[Sequence[_Form]], constants: Sequence[float]) -> Iterator[Candidate]:
        """Yield the template with every combination of names that is worth a polish, best first."""
        if not all(forms):
            return
        ordered = sorted(itertools.product(*forms), key=lambda c: sum(f.rank for f in c))[:TRIED]
        found: list[tuple[float, _Whole]] = []
        for chosen in ordered:
            whole = self._whole([f.expression for f in chosen], constants)
            if whole is None:
                continue
            size, known = expressions.complexity(whole.expression), len(whole.fitted.theta)
            length = float(criterion.length(whole.share + SHARP, len(self.fit.y), size, known))
            found.append((length, whole))
            if whole.share < criterion.EXACT_SHARE or self.budget.exhausted:
                break
        found.sort(key=lambda f: f[0])
        for length, whole in found[: 2 * NAMES]:
            if self.best is None or length < self.best[0]:
                self.best = (length, self._rounded(whole))
            key = expressions.text(whole.expression, 6)
            if key not in self.seen:
                self.seen.add(key)
                yield Candidate(whole.share, "template", whole.expression)

    def _whole(self, parts: Sequence[sympy.Expr], constants: Sequence[float]) -> _Whole | None:
        """Fit the constants of all parts jointly; None where the formula is undefined on some row."""
        self.budget.spend()
        shapes, parameters, start = [], list(self.template.constants), [float(c) for c in constants]
        for i, part in enumerate(parts):
            shape, names, values = parametrise(part)
            fresh = [sympy.Symbol(f"\0{i}.{k}", real=True) for k in range(len(names))]
            shapes.append(shape.xreplace(dict(zip(names, fresh, strict=True))))
            parameters += fresh
            start += [float(v) for v in values]
        swap = dict(zip((u.value for u in self.template.unknowns), shapes, strict=True))
        whole = self.template.expression.xreplace(swap)
        try:
            fitted = polish.fit(Program.compile(whole, self.columns, parameters, start), self.fit, 40)
        except UNDEFINED:
            return None
        if fitted is None:
            return None
        share = self.held.loss(fitted.program.value(self.held.X, fitted.theta)) / self.power
        return _Whole(fitted, tuple(shapes), share) if math.isfinite(share) else None

    def _rounded(self, whole: _Whole) -> _Whole:
        """Return the template's best form so far with its nice constants exact, so that others can follow.

        With log(1.0000064 + x) in one place, no other part is known to more digits than these.
        """
        settled = settling.settle(whole.fitted, self.fit)
        share = self.held.loss(settled.program.value(self.held.X, settled.theta)) / self.power
        return _Whole(settled, whole.shapes, share) if share < 4 * whole.share + SHARP else whole

    # --- one unknown at a time --------------------------------------------------------------------

    def _solved(self, i: int) -> Iterator[Candidate]:
        """Yield candidates after naming one function from the values that the others leave for it."""
        best = None if self.best is None else self.best[1]
        for values, slope in self._inverse(i, best):
            mine = self._names(i, values, slope, SHARP)
            others = [] if best is None else [[_Form(p, 0.0)] for p in best.parts]
            constants = [] if best is None else best.values(self.template.constants)
            yield from self._together([*others[:i], mine, *others[i + 1 :]], constants)

    def _inverse(self, i: int, best: _Whole | None) -> list[tuple[np.ndarray, np.ndarray]]:
        """Solve the template for one unknown's value on every row; return each branch with dy/dvalue."""
        template, unknown = self.template, self.template.unknowns[i].value
        target = sympy.Symbol("\0target", real=True)
        n, d, count = len(self.y), len(self.columns), len(template.unknowns)
        values = np.ones((n, count))
        if best is not None:
            for k, part in enumerate(best.parts):
                values[:, k] = Program.compile(part, self.columns).value(self.X)
        numbers = [] if best is None else best.values(template.constants)
        constants = np.tile(np.asarray(numbers, float), (n, 1))
        known = [*self.columns, *(u.value for u in template.unknowns), *template.constants]
        try:
            roots = sympy.solve(template.expression - target, unknown)
        except (NotImplementedError, ValueError, TypeError, RecursionError):
            return []
        found = []
        for root in roots[:4]:
            try:
                program = Program.compile(root, [*known, target])
            except (KansymError, TypeError):  # a branch that is not real
                continue
            solved = program.value(np.column_stack([self.X, values, constants, self.y]))
            if np.isfinite(solved).mean() < 0.5:
                continue
            there = values.copy()
            there[:, i] = solved
            slope = self.program.gradient(np.column_stack([self.X, there, constants]))[1][:, d + i]
            gap = float(np.nanmedian(np.abs(solved - values[:, i])))
            found.append((0.0 if best is None else gap, solved, slope))
        found.sort(key=lambda f: f[0])
        return [(solved, slope) for _, solved, slope in found[: None if best is None else 1]]


def _standard(values: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and standard deviation 1; constant ones become 0."""
    sd = values.std(0)
    return np.asarray((values - values.mean(0)) / np.where(sd > 0, sd, 1.0))

"""One law in the hand: its constants by name, moved, held, fitted again, and what that makes of the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy

from kansym.base.errors import InputError
from kansym.data.dataset import Dataset
from kansym.formula import expression as expressions
from kansym.formula.polish import STEPS, Rows, fit
from kansym.formula.program import Program
from kansym.formula.uncertainty import Freed
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.survey import weighted
from kansym.pipeline.run import Law, Run

REACH = 6.0
"""Standard errors that a slider reaches on both sides."""

LEAST_REACH = 0.25
"""Share of a constant that its slider reaches at least; errors of clean tables are too small to see."""

ROWS = 50_000
"""Rows that a loss under a moving slider is computed from: a millisecond; larger tables are sampled."""

BY_HAND = "by hand"
"""Source of laws whose constants a person set."""


@dataclass(frozen=True)
class Handle:
    """Hold one constant: name, value, standard error (0: not known), exact form, and its slider's ends."""

    name: str
    value: float
    error: float
    exact: str
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Bench:
    """Hold a law with every number open: `program` has one parameter for each of `handles`."""

    law: Law
    names: tuple[str, ...]
    program: Program
    handles: tuple[Handle, ...]

    @staticmethod
    def of(law: Law, names: Sequence[str]) -> Bench:
        """Return the bench of a law of these columns; raises InputError for one that is no formula.

        A law of a known family has the family's constants, another one a constant for each of its numbers.
        """
        if law.expression is None:
            raise InputError("This row is a curve and no formula; it has no constants to move.")
        found = _in_family(law, names)
        if found is None:
            freed = Freed.of(law.expression)
            values = freed.start.tolist()
            exact = ["" if v.has(sympy.Float) else str(v) for v in freed.exact]
            template, letters, roles = freed.template, tuple(freed.symbols), tuple(freed.roles)
        else:
            template, letters = found
            values = [c.value if c.rounded is None else float(_number(c.rounded))
                      for c in law.constants]  # fmt: skip
            exact = [c.rounded or "" for c in law.constants]
            roles = tuple(c.name for c in law.constants)
        errors = _errors(law, roles)
        program = Program.compile(template, symbols(names), letters, np.array(values, float))
        handles = tuple(map(_handle, roles, values, errors, exact))
        return Bench(law, tuple(names), program, handles)

    @property
    def start(self) -> np.ndarray:
        """Return the constants (k,) as the law has them."""
        return np.array([h.value for h in self.handles])

    def moved(self, theta: np.ndarray, k: int, value: float) -> np.ndarray:
        """Return the constants with one of them set; raises InputError for what is no number."""
        if not math.isfinite(value):
            raise InputError(f"{self.handles[k].name} cannot be {value}; give a finite number.")
        theta = theta.copy()
        theta[k] = value
        return theta

    def refitted(self, theta: np.ndarray, held: Sequence[int], rows: Rows) -> np.ndarray:
        """Return the constants fitted to the rows from here, those `held` as they are; raises InputError."""
        free = [k for k in range(len(theta)) if k not in held]
        if not free:
            return theta
        fixed = {self.program.parameters[k]: sympy.Float(theta[k], 17) for k in held}
        template = self.program.template.xreplace(fixed)
        letters = [self.program.parameters[k] for k in free]
        found = fit(Program.compile(template, rows.symbols, letters, theta[free]), rows, STEPS)
        if found is None:
            raise InputError("The formula is undefined on some rows with these constants; set others first.")
        theta = theta.copy()
        theta[free] = found.theta
        return theta

    def values(self, X: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Return the law's values (n,) with these constants."""
        return self.program.value(X, theta)

    def expression(self, theta: np.ndarray) -> sympy.Expr:
        """Return the formula with these constants; those not moved keep their exact form."""
        kept: Mapping[sympy.Symbol, sympy.Expr] = {
            symbol: parse_expression(h.exact, []) if h.exact and value == h.value else sympy.Float(value, 17)
            for symbol, h, value in zip(self.program.parameters, self.handles, map(float, theta), strict=True)
        }
        return self.program.template.xreplace(kept)

    def as_law(self, theta: np.ndarray, data: Dataset, seed: int = 0) -> Law:
        """Return a row for the front with these constants, measured on fitted and held-out rows."""
        formula = self.expression(theta)
        train, held = data.parted(seed)
        losses = [_loss(self, theta, part) for part in (train, held or train)]
        moved = [f"{h.name} = {v:.6g}" for h, v in zip(self.handles, theta, strict=True) if v != h.value]
        return Law(
            equation=expressions.text(formula),
            complexity=expressions.complexity(formula),
            loss=losses[0],
            heldout_loss=losses[1],
            score=0.0,
            length=math.inf,
            expression=formula,
            source=BY_HAND,
            note=f"set by hand: {', '.join(moved)}" if moved else "",
        )


def rows_of(data: Dataset, most: int = ROWS) -> Rows:
    """Return at most so many rows to fit and judge constants on."""
    part = data.subsample(most)
    return Rows(part.X, part.y, part.weights, symbols(data.names), 1.0 if data.absolute else None)


def left_out(run: Run, data: Dataset) -> list[int]:
    """Return which of the rows a run left out; none where the rows are others."""
    return [o.row for o in run.outliers if o.row < data.rows and data.y[o.row] == o.value]


@lru_cache(maxsize=1)
def kept(run: Run, data: Dataset) -> Dataset:
    """Return the rows that a run did not leave out."""
    out = left_out(run, data)
    return data.take(np.delete(np.arange(data.rows), out)) if out else data


@lru_cache(maxsize=1)
def judged(run: Run, data: Dataset) -> Dataset:
    """Return the rows as a run judged them: without those that it left out, weighed as its noise says."""
    rows, model = kept(run, data).select(run.names), run.noise_model
    values = run.best.predict(rows.X, rows.names)
    if model is None or not np.isfinite(values).all():
        return rows
    return weighted(rows, model, values, model.heavy)[1]


@lru_cache(maxsize=1)
def moved_on(run: Run, data: Dataset) -> Rows:
    """Return the rows under a moving slider, chosen once: it asks ten times a second."""
    return rows_of(judged(run, data))


def power(rows: Rows) -> float:
    """Return the weighted mean square of the target about its mean: the loss of the best constant."""
    mean = np.average(rows.y, weights=rows.weights)
    return float(np.mean((1.0 if rows.weights is None else rows.weights) * (rows.y - mean) ** 2)) or 1.0


def parting(one: Law, other: Law, data: Dataset) -> tuple[np.ndarray, float] | None:
    """Return the row (inputs,) at which two laws part most within the data's ranges, and by how much.

    None where one of them is defined at none of the points: corners, rows and random points of the box.
    """
    low, high = data.X.min(0), data.X.max(0)
    random = np.random.default_rng(0).uniform(low, high, (2000, len(low)))
    points = np.vstack([data.subsample(2000).X, random, low, high])
    gap = np.abs(one.predict(points, data.names) - other.predict(points, data.names))
    if not np.isfinite(gap).any():
        return None
    worst = int(np.nanargmax(np.where(np.isfinite(gap), gap, np.nan)))
    return points[worst], float(gap[worst])


def _loss(bench: Bench, theta: np.ndarray, part: Dataset) -> float:
    """Return the mean squared residual on the rows of a part."""
    return rows_of(part, part.rows).loss(bench.values(part.X, theta))


def _in_family(law: Law, names: Sequence[str]) -> tuple[sympy.Expr, tuple[sympy.Symbol, ...]] | None:
    """Return a law's form in its family's constants, where it has one."""
    constants = [c.name for c in law.constants]
    if not (law.family and law.form and constants) or set(constants) & set(names):
        return None
    try:
        template = parse_expression(law.form, [*names, *constants])
    except InputError:
        return None
    letters = symbols(constants)
    return (template, letters) if set(letters) <= template.free_symbols else None


def _errors(law: Law, roles: Sequence[str]) -> list[float]:
    """Return the standard errors of the constants with these names, 0 where none is known."""
    known: dict[str, list[float]] = {}
    for constant in law.constants:
        known.setdefault(constant.name, []).append(constant.stderr)
    found = [known[r].pop(0) if known.get(r) else 0.0 for r in roles]
    return [e if math.isfinite(e) else 0.0 for e in found]


def _number(text: str) -> sympy.Expr:
    """Return an exact constant, such as 3/2, as SymPy has it."""
    return parse_expression(text, [])


def _handle(name: str, value: float, error: float, exact: str) -> Handle:
    """Return a constant with a slider that reaches as far as its error is worth, or a share of it."""
    reach = max(REACH * error, LEAST_REACH * abs(value)) or 1.0
    return Handle(name, value, error, exact, value - reach, value + reach)

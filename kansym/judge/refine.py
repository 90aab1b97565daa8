"""Candidate to law: snap, fit all constants, recognise the nice ones, simplify, compare on held-out rows.

Every producer's candidates take this one path, so that no formula is judged by its finder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.errors import KansymError
from kansym.data.dataset import Dataset
from kansym.data.dimensions import EXACT as EXACT_UNITS
from kansym.data.dimensions import Dimensions
from kansym.formula import constants
from kansym.formula import expression as expressions
from kansym.formula.polish import MAX_WORSENING, Polished, Rows, polish, settle, worsening
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.functions.parsing import symbols

EXACT = 1e-10
"""Held-out RMS error, as a share of the target's, below which a formula counts as proved."""

FIT_ROWS = 1000
"""Constants of candidates are fitted on at most this many rows."""

JUDGED_ROWS = 20_000
"""Candidates are judged on at most this many rows for training and for holding out; the front sees all."""


MOST_CONSTANTS = 10
"""With more free constants a formula is an approximation unless it is exact: none is made nice."""


SMALL_NUMBER = 4.0
"""Nats of an exact number that the price of its symbol covers: up to 3, or 1/2."""


BLURRED = 0.3
"""Exponents that are still measured numbers may break units by this much before they are made nice."""

NEAR = 15.0
"""Nats behind the shortest description within which a formula is worth the work on its constants."""

OVERFIT = 3.0
"""Standard errors by which held-out rows must be worse to be a sign of overfit."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Hold the rows that candidates are fitted to and judged on, and the ruler they are judged by.

    `dataset` has the training rows only: no producer ever sees a held-out one.
    """

    dataset: Dataset
    train: Rows
    heldout: Rows | None
    sigma2: float | None
    names: tuple[str, ...]
    positive: tuple[sympy.Symbol, ...]
    library: Library
    dimensions: Dimensions | None = None

    @staticmethod
    def of(dataset: Dataset, library: Library, seed: int, unit_constants: bool = False) -> Trial:
        """Return the trial of a dataset: a fifth held out (by group where given), none of a tiny table.

        Formulas must respect the columns' units, unless `unit_constants` lets numbers have their own.
        """
        dimensions = None if unit_constants else Dimensions.of(dataset)
        columns = symbols(dataset.names)
        positive = tuple(s for i, s in enumerate(columns) if np.all(dataset.X[:, i] > 0))
        sigma2 = 1.0 if dataset.absolute else None
        train, held = dataset.parted(seed)
        if held is None:
            rows = Rows(dataset.X, dataset.y, dataset.weights, columns, sigma2)
            return Trial(dataset, rows, None, sigma2, dataset.names, positive, library, dimensions)
        train, held = train.subsample(JUDGED_ROWS, seed), held.subsample(JUDGED_ROWS, seed)
        return Trial(
            train,
            Rows(train.X, train.y, train.weights, columns, sigma2),
            Rows(held.X, held.y, held.weights, columns, sigma2),
            sigma2,
            dataset.names,
            positive,
            library,
            dimensions,
        )

    def allows(self, formula: sympy.Expr, tolerance: float = EXACT_UNITS) -> bool:
        """Tell whether a formula respects the units, exponents within `tolerance`; without units all do."""
        return self.dimensions is None or self.dimensions.allow(formula, tolerance)

    @cached_property
    def small(self) -> Rows:
        """Return at most FIT_ROWS of the training rows, evenly spread."""
        rows = self.train
        if len(rows.y) <= FIT_ROWS:
            return rows
        at = np.linspace(0, len(rows.y) - 1, FIT_ROWS).astype(int)
        weights = None if rows.weights is None else rows.weights[at]
        return Rows(rows.X[at], rows.y[at], weights, rows.symbols, rows.sigma2)

    @cached_property
    def power(self) -> float:
        """Return the weighted mean square of the target about its mean, what a constant law leaves."""
        y, w = self.train.y, self.train.weights
        mean = np.average(y, weights=w)
        return float(np.mean((1.0 if w is None else w) * (y - mean) ** 2))

    @property
    def rows(self) -> int:
        """Return how many rows judge: those fitted and those held out."""
        return len(self.train.y) + (0 if self.heldout is None else len(self.heldout.y))

    def pooled(self, loss: float, heldout: float) -> float:
        """Return the loss that all rows show; the held-out one where it is a sign of overfit.

        Held-out rows are few, so that their mean alone would rank formulas by chance. It counts alone
        when it exceeds the fitted rows' by more than three standard errors of the ratio of two such means.
        """
        if self.heldout is None:
            return max(loss, min(heldout, 4 * loss))
        n, m = len(self.train.y), len(self.heldout.y)
        if not heldout <= loss * (1 + OVERFIT * math.sqrt(2 / n + 2 / m)):
            return max(loss, min(heldout, 4 * loss))
        return (n * loss + m * heldout) / (n + m)

    def length(self, polished: Polished, loss: float) -> float:
        """Return the description length in nats of a fitted formula with this loss on all rows."""
        misfit = criterion.misfit_length(loss, self.rows, len(polished.theta), self.train.floor, self.sigma2)
        return misfit + self.price(polished)

    def price(self, polished: Polished) -> float:
        """Return the nats that a fitted formula itself needs.

        NODE_PRICE for each symbol, and for each free constant what writing it to its standard error takes
        (Rissanen's code; at least log(n)/2); large exact numbers cost likewise.
        """
        least = 0.5 * math.log(max(self.rows, 2))
        numbers = sum(max(least, criterion.number_length(c.value, c.stderr)) for c in polished.free)
        numbers += _shared_precision(polished.covariance)
        # a symbol's price covers a small whole number; a large exact one is no cheaper than a measured one
        exact_ones = polished.program.template.atoms(sympy.Rational) - {sympy.Integer(1), sympy.Integer(-1)}
        numbers += sum(max(0.0, constants.price(q) - SMALL_NUMBER) for q in exact_ones)
        return numbers + criterion.NODE_PRICE * expressions.written(polished.expression)


def _shared_precision(covariance: np.ndarray) -> float:
    """Return -log det(correlation)/2: the digits that correlated constants need beyond their own errors."""
    errors = np.sqrt(np.clip(np.diag(covariance), 0, None))
    known = errors > 0
    if known.sum() < 2:
        return 0.0
    with np.errstate(all="ignore"):
        correlation = covariance[np.ix_(known, known)] / np.outer(errors[known], errors[known])
    if not np.all(np.isfinite(correlation)):  # some constant is not determined at all
        return 0.0
    spectrum = np.linalg.eigvalsh(correlation)
    return -0.5 * float(np.sum(np.log(np.clip(spectrum, 1e-14, None))))


@dataclass(frozen=True)
class Judged:
    """Hold a fitted formula with its figures; `unrounded` has every constant as fitted."""

    polished: Polished
    unrounded: Polished
    complexity: int
    loss: float
    heldout: float
    length: float
    source: str

    @property
    def expression(self) -> sympy.Expr:
        """Return the formula."""
        return self.polished.expression


def judge(polished: Polished, unrounded: Polished, trial: Trial, source: str) -> Judged:
    """Measure a fitted formula on the training and the held-out rows."""
    program = polished.program
    loss = trial.train.loss(program.value(trial.train.X, polished.theta))
    if trial.heldout is None:
        heldout = leave_one_out(polished, trial.train)
    else:
        heldout = trial.heldout.loss(program.value(trial.heldout.X, polished.theta))
    size = expressions.complexity(polished.expression)
    length = trial.length(polished, trial.pooled(loss, heldout))
    return Judged(polished, unrounded, size, loss, heldout, length, source)


def leave_one_out(polished: Polished, rows: Rows) -> float:
    """Return the mean squared error of each row predicted without it, by the linearised fit.

    The PRESS residual r_i / (1 - h_i), with h the diagonal of the hat matrix J (J'J)^-1 J'
    (Allen, Technometrics 16, 1974).
    """
    r, J = polished.program.value(rows.X, polished.theta) - rows.y, polished.slopes(rows)
    if rows.weights is not None:
        r = r * np.sqrt(rows.weights)
    if J.shape[1]:
        scale = np.linalg.norm(J, axis=0)
        U, s, _ = np.linalg.svd(J / np.where(scale > 0, scale, 1.0), full_matrices=False)
        U = U[:, s > 1e-10 * max(s[0], 1e-300)]
        leverage = np.clip(np.sum(U * U, axis=1), 0, 1 - 1e-9)
        r = r / (1 - leverage)
    out = float(np.mean(r * r))
    return out if math.isfinite(out) else math.inf


def refine(
    expression: sympy.Expr,
    trial: Trial,
    source: str,
    promising: float = math.inf,
    maxsize: int = 60,
    shortest: float = math.inf,
) -> Iterator[Judged]:
    """Yield the law that a formula becomes: fitted, then with nice constants, then simplified.

    Gives up before the fit when the formula is twice as large as may be shown (constants may still vanish
    from it), and after the first fit when its description length exceeds `promising`. Its constants are made
    nice only where that could bring it near the `shortest` description so far.
    """
    if expressions.complexity(expression) > 2 * maxsize or not trial.allows(expression, BLURRED):
        return
    try:
        fitted = polish(expression, trial.small)
    except (KansymError, TypeError, ZeroDivisionError, OverflowError):
        return
    if fitted is None:
        return
    if trial.length(fitted, fitted.loss) > promising:
        return
    if trial.small is not trial.train:
        fitted = polish(fitted.expression, trial.train, 20) or fitted
    first = judge(fitted, fitted, trial, source)
    if trial.allows(first.expression):
        yield first
    if len(fitted.theta) > MOST_CONSTANTS and not exact(first, trial):
        return
    if first.length - _savings(fitted) > shortest + NEAR:
        return
    settled = settle(fitted, trial.small)
    settled = shortened(settled, trial)
    again = settle(settled, trial.small)
    if trial.small is not trial.train:
        again = polish(again.expression, trial.train, 20, again.fixed) or again
        if worsening(fitted, again, trial.train) > MAX_WORSENING:
            # what a thousand rows allow, all of them may contradict
            again = settle(shortened(fitted, trial), trial.train)
    if trial.allows(again.expression):
        yield judge(again, fitted, trial, source)


def _savings(polished: Polished) -> float:
    """Return the nats that nice constants may save: every number, and the symbols that go with it."""
    return sum(criterion.number_length(c.value, c.stderr) + 2 * criterion.NODE_PRICE for c in polished.free)


def shortened(polished: Polished, trial: Trial) -> Polished:
    """Return the fitted formula in its shortest algebraic form that agrees on the rows."""
    values = polished.program.value(trial.small.X, polished.theta)

    def same(e: sympy.Expr) -> bool:
        try:
            return expressions.agree(values, Program.compile(e, trial.small.symbols).value(trial.small.X))
        except (KansymError, TypeError, ZeroDivisionError, OverflowError):
            return False

    form = expressions.simplify(polished.expression, same, trial.positive)
    if form == polished.expression:
        return polished
    return polish(form, trial.small, 20, polished.fixed) or polished


def normalised(law: Judged, trial: Trial) -> Judged:
    """Return the law in the algebraic form whose constants are the nicest.

    a/(b - c/n²) and (a/b)·n²/(n² - c/b) are one function, but only in the second may a constant be a
    whole number. Each form is settled and judged; the shortest description wins.
    """
    best = law
    if not law.polished.program.parameters:
        return law
    for form in expressions.gauges(law.expression):
        fitted = polish(form, trial.small, 20, law.polished.fixed)
        if fitted is None or fitted.loss > 4 * max(law.loss, trial.train.floor):
            continue
        settled = shortened(settle(fitted, trial.small), trial)
        other = judge(settled, law.unrounded, trial, law.source)
        if other.length < best.length and trial.allows(other.expression):
            best = other
    return best if best is law else normalised(best, trial)


def exact(law: Judged, trial: Trial) -> bool:
    """Tell whether the held-out rows prove the formula: error below EXACT of the target's spread."""
    rows = trial.train if trial.heldout is None else trial.heldout
    spare = len(trial.train.y) - len(law.polished.theta)
    return law.heldout <= max(EXACT**2 * trial.power, rows.floor) and spare >= 3


def with_all_rows(law: Judged, dataset: Dataset, trial: Trial) -> Judged:
    """Return the law with its constants refitted on every row; the held-out figure stays."""
    everything = Rows(dataset.X, dataset.y, dataset.weights, trial.train.symbols, trial.sigma2)
    # the constants are nearly there: on many rows a few steps are enough, and each one costs
    steps = 20 if dataset.rows <= JUDGED_ROWS else 5
    final = polish(law.polished.expression, everything, steps, law.polished.fixed)
    if final is None or not math.isfinite(final.loss):
        return law
    return replace(law, polished=final, loss=final.loss)

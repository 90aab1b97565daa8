"""The rows that candidates are fitted to and judged on, and what all judging on them has to know."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy
from scipy import special

from kansym.base.criterion import EXACT_UNITS
from kansym.base.losses import SQUARED, Loss
from kansym.data.dataset import Dataset
from kansym.data.dimensions import Dimensions
from kansym.formula.language import EVERYTHING, Language
from kansym.formula.polish import Polished, Rows
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.judge.between import Gaps
from kansym.judge.kinds import NoiseModel

FIT_ROWS = 1000
"""Constants of candidates are fitted on at most this many rows."""

JUDGED_ROWS = 20_000
"""Candidates are judged on at most this many rows for training and for holding out; the front sees all."""

WORST = 4.0
"""Held-out rows count as at most this many times the loss: beyond it, a formula is refused anyway."""

OVERFIT = 3.0
"""Standard errors by which held-out rows must be worse to be a sign of overfit; of few rows, where the ratio
is skewed, what has the same chance: 4.2 times as bad for 8 held-out and 34 fitted rows, and not 2.7."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Hold the rows that candidates are fitted to and judged on, and the ruler they are judged by.

    `dataset` has the training rows only: no producer ever sees a held-out one. Without `rounding` constants
    stay as measured.
    """

    dataset: Dataset
    train: Rows
    heldout: Rows | None
    sigma2: float | None
    names: tuple[str, ...]
    positive: tuple[sympy.Symbol, ...]
    library: Library
    dimensions: Dimensions | None = None
    language: Language = EVERYTHING
    rounding: bool = True

    @staticmethod
    def of(
        dataset: Dataset,
        library: Library,
        seed: int,
        unit_constants: bool = False,
        penalty: Loss = SQUARED,
        middle: float = 0.0,
    ) -> Trial:
        """Return the trial of a dataset: a fifth held out (by group where given), none of a tiny table.

        Formulas must respect the columns' units, unless `unit_constants` lets numbers have their own.
        `penalty` and `middle` are those of `Rows`.
        """
        dimensions = None if unit_constants else Dimensions.of(dataset)
        columns = symbols(dataset.names)
        positive = tuple(s for i, s in enumerate(columns) if np.all(dataset.X[:, i] > 0))
        sigma2 = 1.0 if dataset.absolute else None

        def rows(part: Dataset) -> Rows:
            """Return some of the rows."""
            return Rows(part.X, part.y, part.weights, columns, sigma2, penalty, middle)

        train, held = dataset.parted(seed)
        if held is not None:
            train, held = train.subsample(JUDGED_ROWS, seed), held.subsample(JUDGED_ROWS, seed)
        return Trial(
            train,
            rows(train),
            None if held is None else rows(held),
            sigma2,
            dataset.names,
            positive,
            library,
            dimensions,
        )

    def allows(self, formula: sympy.Expr, tolerance: float = EXACT_UNITS) -> bool:
        """Tell whether a formula is in the person's language and respects units (within `tolerance`)."""
        if not self.language.permits(formula, rough=tolerance > EXACT_UNITS):
            return False
        return self.dimensions is None or self.dimensions.allow(formula, tolerance)

    @property
    def free(self) -> Trial:
        """Return the same trial for a person's own formulas, which no restriction excludes."""
        return replace(self, dimensions=None, language=EVERYTHING)

    def weighed(self, noise: NoiseModel, law: Polished | None) -> Trial:
        """Return the same trial with rows that weigh by a noise at a law's values, or at the target's own."""

        def rows(old: Rows) -> Rows:
            """Return the same rows with the weights that the noise gives them."""
            values = old.y if law is None else law.program.value(old.X, law.theta)
            return replace(old, weights=noise.weights(old.y, values), middle=noise.of_logarithms)

        return replace(
            self, train=rows(self.train), heldout=None if self.heldout is None else rows(self.heldout)
        )

    def rows_of(self, dataset: Dataset) -> Rows:
        """Return a dataset's rows, judged as this trial's are."""
        train = self.train
        return replace(train, X=dataset.X, y=dataset.y, weights=dataset.weights)

    @cached_property
    def small(self) -> Rows:
        """Return at most FIT_ROWS of the training rows, evenly spread."""
        return self.train.thinned(FIT_ROWS)

    @cached_property
    def power(self) -> float:
        """Return the weighted mean square of the target about its mean, what a constant law leaves."""
        rows = self.train
        return float(np.mean(rows.off(np.full(len(rows.y), rows.centre)) ** 2))

    @cached_property
    def by_chance(self) -> float:
        """Return how many times the fitted rows' mean square that of rows left out may be by chance."""
        n = len(self.train.y)
        if self.heldout is None:  # the same rows, each once left out
            return 1 + OVERFIT * math.sqrt(4 / n)
        return float(special.fdtri(len(self.heldout.y), n, special.ndtr(OVERFIT)))

    @cached_property
    def gaps(self) -> Gaps | None:
        """Return what lies between the rows, where formulas are looked at, too."""
        return Gaps.of(self.train.X)

    @property
    def tiny(self) -> bool:
        """Tell whether every row is held out once instead of a fifth of them."""
        return self.heldout is None

    @property
    def rows(self) -> int:
        """Return how many rows judge: those fitted and those held out."""
        return len(self.train.y) + (0 if self.heldout is None else len(self.heldout.y))

    def pooled(self, loss: float, heldout: float, alone: bool = True) -> float:
        """Return the loss that all rows show; the held-out one `alone` where it is a sign of overfit.

        A constant overfits nothing: where held-out rows are off by more, they have heavy tails. Held-out rows
        are few, so that their mean alone would rank formulas by chance. It counts alone when it exceeds the
        fitted rows' by more than chance makes the ratio of two such means (Fisher's F). Of a tiny table every
        row is fitted, too: how well its formula predicts is in the description length.
        """
        n = len(self.train.y)
        if self.heldout is None:
            # by how much more than chance makes it, lest a row a hair beyond that cost six nats at once
            return max(loss, min(heldout / self.by_chance, WORST * loss))
        m = len(self.heldout.y)
        if alone and not heldout <= loss * self.by_chance:
            return max(loss, min(heldout, WORST * loss))
        return (n * loss + m * heldout) / (n + m)

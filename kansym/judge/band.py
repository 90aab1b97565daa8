"""Where a new row will lie: the band about a law, from its residuals and its constants' errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from scipy import special

from kansym.base.errors import InputError
from kansym.base.linear import TINY
from kansym.formula import uncertainty
from kansym.formula.polish import Rows
from kansym.judge.kinds import GROWING, LOG, NoiseModel, follows, growth, middle_of

USUAL = 0.95
"""Share of new rows that a band holds where nobody says otherwise."""


@dataclass(frozen=True, eq=False)
class Band:
    """Hold what a prediction band needs: the residual SD at the middle value, its degrees of freedom, the
    covariance (k, k) of the law's measured constants (None where it is no formula), and the kind of noise
    with its middle value.
    """

    spread: float
    freedom: int
    covariance: np.ndarray | None
    kind: str
    middle: float

    @staticmethod
    def of(
        expression: sympy.Expr | None,
        constants: int,
        loss: float,
        rows: Rows,
        noise: NoiseModel,
        doubt: float = 1.0,
    ) -> Band:
        """Return the band of a law with this mean weighted square on the rows; `constants` were fitted.

        `doubt` is the factor by which the variance grows since the law was chosen among others. New rows are
        written in as many digits as these, and off by as much as those hide.
        """
        n = len(rows.y)
        freedom = max(n - constants, 1)
        typical, kind, middle = 1.0, noise.kind, noise.middle
        if rows.weights is not None and noise.kind not in GROWING and not noise.heavy:
            # weights that were given: new rows' errors are usual ones, and grow with the value as these do
            variances = 1 / np.maximum(rows.weights, TINY)
            kind, middle = follows(np.sqrt(variances), rows.y), middle_of(rows.y)
            typical = float(np.mean(variances / growth(kind, rows.y, middle)))
        spread = math.sqrt(max(loss, rows.sigma2 or 0.0, rows.resolution) * n / freedom * typical * doubt)
        covariance = None if expression is None else uncertainty.covariance(expression, rows)
        return Band(spread, freedom, covariance, kind, middle)

    def halfwidth(
        self,
        expression: sympy.Expr | None,
        columns: tuple[sympy.Symbol, ...],
        X: np.ndarray,
        values: np.ndarray,
        level: float = USUAL,
    ) -> np.ndarray:
        """Return how far (n,) new rows at X may lie from the law's values, at this level.

        t·sqrt(noise variance at the value + variance of the value by its constants), t Student's quantile.
        Raises InputError for a level outside (0, 1).
        """
        if not 0 < level < 1:
            raise InputError(f"Level {level} is not between 0 and 1; 0.95 is usual.")
        noise = self.spread**2 * NoiseModel(self.kind, 1.0, middle=self.middle).variance(values)
        if self.covariance is not None and expression is not None and len(self.covariance):
            noise = noise + uncertainty.standard_error(expression, columns, X, self.covariance) ** 2
        return float(special.stdtrit(self.freedom, 0.5 + level / 2)) * np.sqrt(noise)

    def about(self, values: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends (n,) and (n,) of the band about a law's values, from its halfwidths.

        Where noise is of the logarithm they are a factor up and down.
        """
        if self.kind != LOG:
            return values - half, values + half
        factor = np.exp(half / np.abs(values))
        return values / factor, values * factor

    def middle_halfwidth(self) -> float:
        """Return how far 95 % of new rows may lie from the law at its middle value, its constants sure."""
        return float(special.stdtrit(self.freedom, 0.5 + USUAL / 2)) * self.spread

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the report."""
        return {**self.__dict__, "covariance": None if self.covariance is None else self.covariance.tolist()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Band:
        """Return what :meth:`to_dict` described."""
        covariance = None if data["covariance"] is None else np.array(data["covariance"], float)
        if covariance is not None and covariance.size == 0:
            covariance = np.zeros((0, 0))
        return Band(
            float(data["spread"]), int(data["freedom"]), covariance, str(data["kind"]), float(data["middle"])
        )

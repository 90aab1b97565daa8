"""Noise that is correlated from row to row, as distinct from structure that a formula could hold."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from kansym.judge import chance

LEAST_ROWS = 50
"""Fewer rows cannot tell drifting noise from a smooth law."""

NOTICED = 1e-3
"""Chance of a correlation between neighbours by luck, below which it is named."""

WHITE = 0.01
"""Chance above which nothing is left once the correlation is taken out."""


@dataclass(frozen=True)
class Correlation:
    """Hold the correlation of neighbouring rows' residuals, and whether it is all the structure there is.

    `lag` is the correlation itself (0 where none is noticed), `along` what the rows were ordered by.
    `innovation` is the mean square that an autoregressive model of order one leaves, as a share of the
    residuals' own. `luck` is the chance of as much correlation among independent residuals.
    """

    lag: float
    along: str
    explains: bool
    innovation: float
    luck: float = 1.0


NONE = Correlation(0.0, "", False, 1.0)


def correlation(X: np.ndarray, r: np.ndarray, names: tuple[str, ...] = ("x",), seed: int = 0) -> Correlation:
    """Return how residuals r (n,) of neighbouring rows go together: along the one column, or in the rows'
    order.

    It explains all structure when r_i - lag·r_(i-1) shows none (the AR(1) model of time series; Box and
    Jenkins 1970).
    """
    n = len(r)
    if n < 8 or not np.all(np.isfinite(r)):
        return NONE
    order = np.argsort(X[:, 0], kind="stable") if X.shape[1] == 1 else np.arange(n)
    along = names[0] if X.shape[1] == 1 else "the order of the rows"
    r = r[order] - r.mean()
    power = float(r @ r)
    if power == 0:
        return NONE
    lag = float(r[1:] @ r[:-1]) / power
    luck = float(special.ndtr(-(lag + 1 / n) * math.sqrt(n)))
    if luck > NOTICED:
        return replace(NONE, luck=luck)
    new = r[1:] - lag * r[:-1]
    explains = n >= LEAST_ROWS and chance.structure(X[order][1:], new, seed).pvalue > WHITE
    return Correlation(lag, along, explains, float(np.mean(new**2)) / (power / n), luck)

"""Rows that are off by far more than the noise: seen in the residuals, whatever they were measured from.

A row is an outlier when it stands alone: a sharp peak or a jump moves its neighbours too, a slip of the pen
does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # scipy.stats, 40 MB, is loaded when it is first asked for
from scipy import special
from scipy.spatial import cKDTree

from kansym.base.linear import TINY
from kansym.judge.trend import TAILS, median_deviation, scale_of

FAR = 6.0
"""Standard deviations beyond which a row is no part of the noise. Normal noise reaches them once in 5·10^8
rows, noise with tails like Student's t of 10 degrees of freedom once in 10^4."""

BY_CHANCE, BESIDE_THE_REST = 1e-3, 1e-4
"""Chances, for all rows of a table together, of a row so far off: in SD as the median has it, which five rows
in ten do not move, and in SD of all rows that are not off, which knows it twice as well. Together they flag a
row in one of 3000 tables of normal noise (8 to 40 rows, up to three constants), and see 5 to 30 % more rows
of 10 to 16 that are off by nine SD than the median alone at the lower chance, which flags one in 500."""

NEAR, USUAL_NEAR = 3.0, 0.01
"""Standard deviations, and the share of rows that may lie between them and FAR (of normal noise 0.003 do).
Where more do, and half as many as beyond FAR, the noise has heavy tails and no row is an outlier."""

GAP = 2.0
"""Rows at least this many times farther off than all others are outliers whatever lies between."""

WIDE_GAP, FEWEST_OF = 8.0, 20
"""Rows that are this many times farther off than the next, one in 20 at most, are outliers even where the
residuals are no noise of one size: those of a motion that dies away, say."""

MOST_FLAGGED = 0.15
"""Where more of the rows lie far off, that is what the noise is like: none is an outlier."""

NEIGHBOURS = 4
"""Nearest rows that are looked at: half of them off in the same direction make a peak, no outlier."""

AS_FAR = 3.0
"""A neighbour is off, too, when it is off by at least this part of the row's own distance."""

MATTERS = 1.5
"""The mean square must fall by this factor without the rows that are flagged, or they do no harm."""

HEAVY, LEAST_ROWS_OF_TAILS = 4.0, 20
"""Nats by which Student's t (of TAILS degrees of freedom) must be likelier than a normal law before rows
weigh by it, and rows that can tell: normal noise reached it in none of 1000 tables of 20 to 200 rows."""


@dataclass(frozen=True)
class Outlier:
    """Name one row (from 0, of those searched) that is off, what was expected, and how many SD it is off."""

    row: int
    inputs: tuple[float, ...]
    value: float
    expected: float
    deviations: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the report."""
        return {**self.__dict__, "inputs": list(self.inputs)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Outlier:
        """Return what :meth:`to_dict` described."""
        value, expected, deviations = (float(data[k]) for k in ("value", "expected", "deviations"))
        return Outlier(int(data["row"]), tuple(float(v) for v in data["inputs"]), value, expected, deviations)


def flagged(
    X: np.ndarray,
    deviations: np.ndarray,
    far: float = FAR,
    met: int = 0,
    before: np.ndarray | None = None,
) -> np.ndarray:
    """Tell for each row (n,) whether it is an outlier, from its residual in SD of the noise.

    The SD is measured anew from the middle of the residuals (their median size), which outliers do not move.
    A law with `met` constants meets as many rows whatever the noise: these say nothing of it. Rows flagged
    `before` (n,), without which the law was found, stay so where they are as far off in SD of the others.
    """
    n = len(deviations)
    none = np.zeros(n, bool)
    size = np.abs(deviations)
    middle = median_deviation(np.sort(size)[min(met, n // 2) :])
    if n < 8 or not np.all(np.isfinite(size)):
        return none
    # few rows know the SD badly, as Student's t says
    limit = max(far, _quantile(n - 1 - met, BY_CHANCE / n))
    least = max(1e-12 * float(size.max()), np.finfo(float).tiny)
    off = size > limit * max(middle, least)
    known = (
        np.zeros(n, bool)
        if before is None
        else before & (size > limit * max(_rest(size, before, met), least))
    )
    off |= known
    if not off.any():
        return none
    if off.mean() > MOST_FLAGGED or _heavy(size, middle, off):
        off = _apart_from_all(size)
        if not off.any():
            return none
    spread = X.std(0)
    Z = X[:, spread > 0] / spread[spread > 0]
    near = cKDTree(Z).query(Z[off], k=min(NEIGHBOURS + 1, n))[1][:, 1:]
    same = (np.sign(deviations)[near] == np.sign(deviations)[off][:, None]) & (
        size[near] > size[off][:, None] / AS_FAR
    )
    alone = none.copy()
    alone[np.flatnonzero(off)[same.mean(1) < 0.5]] = True
    beside = _quantile(n - int(alone.sum()) - met, BESIDE_THE_REST / n) * _rest(size, alone, met)
    alone &= known | (size > beside)
    rest = float(np.mean(deviations[~alone] ** 2))
    return alone if float(np.mean(deviations**2)) > MATTERS * rest else none


def _rest(size: np.ndarray, off: np.ndarray, met: int) -> float:
    """Return the SD that all residuals but those that are off show, about a law with so many constants."""
    return math.sqrt(float(np.sum(size[~off] ** 2)) / max(len(size) - int(off.sum()) - met, 1))


def _quantile(freedom: int, chance: float) -> float:
    """Return what Student's t exceeds so seldom."""
    return -float(special.stdtrit(max(freedom, 1), chance))


def tail_weights(deviations: np.ndarray) -> np.ndarray | None:
    """Return what rows weigh (n,), 1 on average, under noise of heavy tails; None where a normal law will do.

    (v + 1)/(v + (r/s)²), v = TAILS, s the likeliest scale: one step of the EM algorithm for Student-t noise
    (Lange, Little and Taylor, JASA 84, 1989).
    """
    n = len(deviations)
    if n < LEAST_ROWS_OF_TAILS or not np.all(np.isfinite(deviations)) or not np.any(deviations):
        return None
    share = deviations / scale_of(deviations)
    student = float(np.sum(scipy.stats.t.logpdf(share, TAILS))) - n * math.log(scale_of(deviations))
    normal = float(np.sum(scipy.stats.norm.logpdf(deviations, scale=np.sqrt(np.mean(deviations**2)))))
    if student - normal < HEAVY:
        return None
    weights = (TAILS + 1) / (TAILS + share**2)
    return weights / weights.mean()


def _apart_from_all(size: np.ndarray) -> np.ndarray:
    """Return the few largest residuals where a wide gap parts them from all others."""
    order = np.argsort(-size, kind="stable")
    few = max(1, len(size) // FEWEST_OF)
    gaps = size[order[:few]] > WIDE_GAP * size[order[1 : few + 1]]
    off = np.zeros(len(size), bool)
    if gaps.any() and len(size) >= FEWEST_OF:
        off[order[: int(np.flatnonzero(gaps)[-1]) + 1]] = True
    return off


def _heavy(size: np.ndarray, middle: float, off: np.ndarray) -> bool:
    """Tell whether the rows that are off end a heavy tail: no gap before them, many on the way."""
    between = int(np.sum(size > NEAR * middle)) - int(off.sum())
    gap = float(size[off].min()) > GAP * float(size[~off].max())
    return not gap and between >= max(2 + USUAL_NEAR * len(size), off.sum() / 2)


def listed(
    rows: np.ndarray, X: np.ndarray, y: np.ndarray, expected: np.ndarray, sd: np.ndarray | float
) -> tuple[Outlier, ...]:
    """Return the outliers at `rows`, what was expected there, and the distance in SD."""
    sd = np.broadcast_to(np.asarray(sd, float), y.shape)
    return tuple(
        Outlier(
            int(i), tuple(X[i].tolist()), float(y[i]), float(expected[i]), _apart(y[i], expected[i], sd[i])
        )
        for i in rows
        if math.isfinite(expected[i])
    )


def _apart(value: float, expected: float, sd: float) -> float:
    """Return how many SD a value is off."""
    return float((value - expected) / max(sd, TINY))

"""The kinds of noise: how it grows with the value, what rows weigh under it, and how it is told."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kansym.base import storage
from kansym.base.linear import TINY

LOG = "log"
WHOLES = {"share": 1.0, "percent": 100.0}
"""What the target is a share of, where its noise is that of counting a share: p·(1 - p), p = value/whole."""

KINDS = ("additive", "relative", "poisson", LOG, *WHOLES)
"""Kinds that may be asked for: the noise's variance is the same, grows with the value's square, or with the
value; or noise is a factor, so that the logarithm's is the same everywhere; or it is binomial."""

GROWING = KINDS[1:]
"""Kinds whose rows weigh by their value."""

LEAST_VARIANCE = 1e-12
"""Square of a share's noise as if 10¹² had been counted: less is round-off."""

LEAST_PART = 0.01
"""A share and what is missing to the whole count as at least this: of a hundred counted one more may be."""

AS_STATED = 4.0
"""Mean square, in units of the stated errors, up to which what a law leaves bears the errors out: no table of
people's has errors known better than to a factor of two."""

TREND = "a smooth trend"
"""How the source of a figure begins that comes from what a trend leaves."""

FAR_BELOW = 0.25
"""Share of the variance that a trend leaves below which a law shows that the trend missed something."""

ALIKE = 0.5
"""Share of the spread of stated errors' logarithms that is left where they follow the value."""

NO_FACTOR = 1e-9
"""Difference of logarithms below which a row is as expected."""

LOWEST_SHARE, LOWEST_SHARE_NEAR_ZERO = 0.001, 0.05
"""Values count as at least this share of their median where noise grows with the value; the second where
some values are zero or below: no noise vanishes there."""


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """Hold what the rows tell of the noise.

    `kind` is one of KINDS, "rounding", "stated" (errors were given) or "unknown" (too few rows, or no trend
    that leaves only noise). `sigma` is the standard deviation: in the target's unit, for "relative" as a
    share of the value, for "poisson" as the factor on the square root of the value, for "log" that of the
    logarithm, for "share" and "percent" as the factor on sqrt(p·(1 - p)) of the whole, for "stated" in units
    of the stated errors. `evidence` are the nats by which the kind is
    likelier than additive noise; `source` says what the size was measured from; `step` is the last digit of
    rounded values (0 where none is seen); `founded` tells whether the figure may be relied on; `middle` is
    the size of the middle value; `heavy` whether its tails are, so that rows far off weigh less.
    """

    kind: str
    sigma: float
    evidence: float = 0.0
    source: str = ""
    step: float = 0.0
    founded: bool = False
    middle: float = 1.0
    heavy: bool = False

    def variance(self, values: np.ndarray) -> np.ndarray:
        """Return the noise's variance (n,) at `values`, in units of that at the middle value."""
        return growth(self.kind, values, self.middle)

    @property
    def of_logarithms(self) -> float:
        """Return the size of the middle value where noise is of the logarithm; else 0."""
        return self.middle if self.kind == LOG else 0.0

    def apart(self, y: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return what y (n,) is off by from `values`, in the target's unit at the middle value."""
        return apart(self.kind, y, values, self.middle)

    def weights(self, y: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return what rows y (n,) weigh in least squares about `values`.

        Of logarithms 1/(values·L), L = (y - values)/log(y/values): the squares are then least where those of
        the logarithms are.
        """
        if self.kind != LOG:
            return 1 / self.variance(values)
        logs = apart(LOG, y, values, 1.0)
        ratio = np.where(np.abs(logs) < NO_FACTOR, 1.0, np.expm1(logs) / np.where(logs == 0, 1.0, logs))
        return 1 / (self.variance(values) * ratio)

    def deviation(self, values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the noise's standard deviation (n,) in the target's unit where the target is `values`."""
        if self.kind in GROWING:
            return self.sigma * unit_at(self.kind, self.middle) * np.sqrt(self.variance(values))
        return np.full(len(values), self.sigma) if weights is None else self.sigma / np.sqrt(weights)

    @property
    def words(self) -> str:
        """Return the noise as a sentence's end: "5 % of the value"."""
        about = f"{self.sigma:.2g}"
        factor = math.exp(self.sigma) if self.kind == LOG else 1.0
        counting = f"that of a share of about {1 / max(self.sigma**2, LEAST_VARIANCE):.3g} counted"
        forms = {
            **dict.fromkeys(WHOLES, counting),
            "relative": f"{self.sigma * 100:.2g} % of the value",
            LOG: f"a factor of {factor:.3g} up or down ({about} in the logarithm)",
            "poisson": f"{about} times the square root of the value, 1 being pure counting",
            "rounding": f"{about}, from rounding to {self.step:.4g}",
            "stated": f"{about} times the stated errors" if self.founded else "as stated",
        }
        size = f"about {about}" if self.founded else f"at most {about}"
        plain = f"{about}, the same everywhere" if self.kind == "additive" else size
        return forms.get(self.kind, plain) + (", with heavy tails" if self.heavy else "")

    def seen_by(self, left: float) -> NoiseModel:
        """Return the noise where a law leaves the mean square `left` and nothing that is not noise.

        A trend that misses something gives an upper bound only; what a law leaves is the better figure, also
        where that is far below the trend's, but not below that of repeated rows. Stated errors that a law
        bears out are as stated.
        """
        if not 0 < left < self.sigma**2:
            return self
        if self.kind == "stated":
            return replace(self, sigma=1.0, founded=False) if left < AS_STATED else self
        trend = self.kind == "additive" and self.source.startswith(TREND)
        missed = trend and left < FAR_BELOW * self.sigma**2
        if not missed and (self.founded or self.kind != "unknown"):
            return self
        return replace(self, sigma=math.sqrt(left), founded=True, source="what the law leaves")

    @property
    def origin(self) -> str:
        """Return what the size comes from: of stated errors that were not measured anew, nothing more."""
        return "" if self.kind == "stated" and not self.founded else f"from {self.source}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the report."""
        return {**self.__dict__, "words": self.words}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> NoiseModel:
        """Return what :meth:`to_dict` described."""
        return storage.record(NoiseModel, data)


def middle_of(values: np.ndarray) -> float:
    """Return the size of the middle value, 1 where that is 0."""
    return float(np.median(np.abs(values))) or 1.0


def follows(errors: np.ndarray, values: np.ndarray) -> str:
    """Return how stated errors (n,) go with the values (n,): "relative", "poisson", or "stated", as neither.

    That kind under which errors are most alike from row to row, where they are so at least twice as much.
    """
    middle = middle_of(values)
    apart = {
        kind: float(np.std(np.log(errors) - 0.5 * np.log(growth(kind, values, middle))))
        for kind in ("stated", "relative", "poisson")
    }
    best = min(apart, key=lambda kind: apart[kind])
    return best if apart[best] < ALIKE * apart["stated"] else "stated"


def possible(kind: str, y: np.ndarray) -> bool:
    """Tell whether noise of y (n,) can be of a kind: logarithms are of what is positive, shares of a whole.

    Where all shares are less than half, counting them is as counting anything.
    """
    if kind in WHOLES:
        return bool(np.all(y >= 0) and 0.5 * WHOLES[kind] < np.max(y) <= WHOLES[kind])
    return kind != LOG or bool(np.all(y > 0))


def unit_at(kind: str, middle: float) -> float:
    """Return the SD in the target's unit at the middle value where a kind's own size is 1."""
    if kind in WHOLES:
        return WHOLES[kind] * math.sqrt(float(_of_share(np.array(middle / WHOLES[kind]))))
    return {"relative": middle, LOG: middle, "poisson": math.sqrt(middle)}.get(kind, 1.0)


def _of_share(p: np.ndarray) -> np.ndarray:
    """Return the variance p·(1 - p) of a share, that of a part in a hundred at least."""
    part = np.clip(p, LEAST_PART, 1 - LEAST_PART)
    return np.asarray(part * (1 - part))


def growth(kind: str, values: np.ndarray, middle: float | None = None) -> np.ndarray:
    """Return the noise's variance at `values` (n,), as a multiple of that at the middle value."""
    middle = middle_of(values) if middle is None else middle
    if kind in WHOLES:
        whole = WHOLES[kind]
        return _of_share(np.asarray(values) / whole) / float(_of_share(np.array(middle / whole)))
    # no noise vanishes where values cross zero; a factor is one everywhere
    least = (0.0 if kind == LOG else LOWEST_SHARE) if np.all(values > 0) else LOWEST_SHARE_NEAR_ZERO
    with np.errstate(over="ignore"):  # beside a middle near the smallest double
        size = np.maximum(np.abs(values) / middle, least)
    return size if kind == "poisson" else size**2 if kind in GROWING else np.ones_like(size)


def apart(kind: str, y: np.ndarray, values: np.ndarray, middle: float | None = None) -> np.ndarray:
    """Return what y (n,) is off by from `values`, in the target's unit at the middle one."""
    middle = middle_of(values) if middle is None else middle
    if kind == LOG:
        return middle * np.log(np.maximum(y, TINY) / np.maximum(values, TINY))
    return (y - values) / np.sqrt(growth(kind, values, middle))

"""What a residual costs: squared, absolute, Huber's, a quantile's, or a person's own function.

Searches compare formulas by nats, and nats need a mean square. A loss of degree p (what doubling all
residuals multiplies it by is 2^p) stands for one: mean(loss)^(2/p), the square of the scale in the
likelihood exp(-loss/s^p)/s. Minimising it and minimising the loss are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.base.errors import InputError, UnknownNameError

NAMES = ("squared", "absolute", "huber", "quantile")

USUAL_BEND = 1.345
"""Standard deviations at which Huber's loss turns straight: 95 % as sharp as least squares on normal
noise."""

USUAL_QUANTILE = 0.5
"""The median, where nobody names a quantile."""

SMALLEST = 1e-6
"""Residuals below this share of the middle one weigh no more: an absolute loss would let single rows rule."""

Function = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Loss:
    """Hold a loss of each row: `name` with its number after a colon, or a person's function(prediction,
    target).

    `level` is the quantile, or the residual (in the target's unit) at which Huber's loss bends; 0 where
    Huber's is still to be set from the noise (`bent`).
    """

    name: str
    level: float = 0.0
    own: Function | None = None

    @staticmethod
    def of(asked: str | Function | Loss) -> Loss:
        """Return the loss for "squared", "absolute", "huber", "huber:0.3", "quantile:0.9" or a function.

        Raises UnknownNameError for another name and InputError for a number that it cannot have.
        """
        if isinstance(asked, Loss):
            return asked
        if callable(asked):
            return Loss(f"own: {getattr(asked, '__name__', type(asked).__name__)}", own=asked)
        name, _, number = str(asked).partition(":")
        if name not in NAMES:
            raise UnknownNameError("loss", name, NAMES)
        try:
            level = float(number) if number else USUAL_QUANTILE if name == "quantile" else 0.0
        except ValueError:
            level = math.nan
        fits = {"quantile": 0 < level < 1, "huber": 0 <= level < math.inf}.get(name, not number)
        if not fits:
            raise InputError(
                f"Loss {asked!r} has no such number; write quantile:0.9 or huber:0.5 (in the target's unit)."
            )
        return Loss(name, level)

    @property
    def squared(self) -> bool:
        """Tell whether this is the usual loss, which needs nothing of what follows."""
        return self.name == "squared"

    def bent(self, sd: float) -> Loss:
        """Return Huber's loss with its bend set for noise of this SD, others as they are."""
        return Loss(self.name, USUAL_BEND * sd) if self.name == "huber" and not self.level else self

    def values(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return what each row (n,) costs; raises InputError where an own function does not."""
        r = prediction - target
        if self.own is not None:
            found = np.asarray(self.own(prediction, target), float)
            if found.shape != r.shape:
                raise InputError(
                    f"The loss returned shape {found.shape} for {len(r)} rows; it must be one number a row."
                )
            return found
        size = np.abs(r)
        if self.name == "absolute":
            return size
        if self.name == "quantile":
            return np.where(r < 0, self.level, 1 - self.level) * size
        if self.name == "huber":
            return np.where(size <= self.level, 0.5 * r * r, self.level * (size - 0.5 * self.level))
        return r * r

    def slopes(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the derivatives (n,) by the prediction, an own function's by central differences."""
        r = prediction - target
        if self.own is not None:
            step = 1e-6 * (np.abs(r) + float(np.median(np.abs(r))) + 1e-300)
            rise = self.values(prediction + step, target) - self.values(prediction - step, target)
            return rise / (2 * step)
        if self.name == "absolute":
            return np.sign(r)
        if self.name == "quantile":
            return np.where(r < 0, -self.level, 1 - self.level)
        if self.name == "huber":
            return np.clip(r, -self.level, self.level)
        return 2 * r

    def weights(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the weights (n,), from 0 up, with which least squares takes the same step."""
        r = prediction - target
        least = SMALLEST * float(np.median(np.abs(r))) + np.finfo(float).tiny
        r = np.where(np.abs(r) < least, np.where(r < 0, -least, least), r)
        found = np.maximum(self.slopes(prediction, target) / r, 0.0)
        return found / max(float(found.max(initial=0.0)), np.finfo(float).tiny)

    def degree(self, prediction: np.ndarray, target: np.ndarray) -> float:
        """Return p, such that residuals doubled make the mean loss 2^p times as large."""
        fixed = {"squared": 2.0, "absolute": 1.0, "quantile": 1.0}.get(self.name)
        if fixed is not None:
            return fixed
        r = prediction - target
        once = float(np.mean(self.values(target + r, target)))
        twice = float(np.mean(self.values(target + 1.1 * r, target)))
        if not (once > 0 and twice > once):
            return 2.0
        return min(max(math.log(twice / once) / math.log(1.1), 0.5), 4.0)

    def as_square(
        self, prediction: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return the mean square that stands for the mean loss; infinite where that is not finite."""
        mean = self.mean(prediction, target, weights)
        if not (math.isfinite(mean) and mean >= 0):
            return math.inf
        return mean ** (2 / self.degree(prediction, target)) if mean else 0.0

    def mean(self, prediction: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the mean loss, weighted where weights are given."""
        found = self.values(prediction, target)
        return float(np.mean(found if weights is None else weights * found))

    def to_plain(self) -> Any:
        """Return the loss as text, for reports."""
        return self.name if not self.level else f"{self.name}:{self.level:.6g}"


SQUARED = Loss("squared")

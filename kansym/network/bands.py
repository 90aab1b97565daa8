"""Bands that hold a given share of fresh rows, from an ensemble of which every member left some rows out.

Jackknife+ after bootstrap (Kim, Xu and Barber, arXiv 2002.09025), in units of each row's own spread: members
that never saw a row predict it, and how far off they are, compared with how far they disagree, says how wide
a band must be. The mean of k members is taken to be as uncertain as their spread over sqrt(k): fewer left a
row out than predict a fresh one. Rows must be alike (exchangeable) for the share to hold. Members whose
training stuck speak for nothing and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kansym.base.errors import InputError
from kansym.base.linear import TINY

FEWEST = 2
"""Members that must have left a row out, so that they can disagree about it."""


STUCK = 3.0
"""How many times a good member's error tells one that stuck: of ten [100,1,1] up to six did, at 20 to 450
times the error of those that trained, which differed by a quarter."""

SPEAKERS = 4
"""Members that speak however far apart they are: where nothing is noise, some come far closer than others."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Hold the noise (K,) of K outputs, the sorted ratios (n, K) of errors to expected ones, and which of E
    members trained (E,).
    """

    noise: np.ndarray
    ratios: np.ndarray
    trained: np.ndarray

    def band(self, predictions: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper ends (n, K) around the mean of the trained members' predictions (E, n, K).

        Raises InputError for a level outside (0, 1), or one that so few rows cannot speak for.
        """
        if not 0 < level < 1:
            raise InputError(f"level={level} is no share of rows; give a number between 0 and 1.")
        rank = int(np.ceil(level * (len(self.ratios) + 1)))
        if rank > len(self.ratios):
            raise InputError(f"level={level} needs more than {len(self.ratios)} rows; lower it or give more.")
        predictions = predictions[self.trained]
        center, spread = predictions.mean(0), predictions.std(0, ddof=1)
        half = self.ratios[rank - 1] * np.hypot(spread / len(predictions) ** 0.5, self.noise)
        return center - half, center + half


def calibrate(predictions: np.ndarray, targets: np.ndarray, unseen: np.ndarray) -> Calibration:
    """Return how far errors exceed the spread, from predictions (E, n, K) of targets (n, K).

    `unseen` (E, n) says which members never saw a row. Raises InputError where too few rows have two such.
    """
    trained = _trained(predictions, targets, unseen)
    predictions, unseen = predictions[trained], unseen[trained]
    number = unseen.sum(0)
    rows = number >= FEWEST
    if rows.sum() < FEWEST:
        raise InputError("No rows were left out by two members; train more members with bootstrap=True.")
    masked = np.where(unseen[:, rows, None], predictions[:, rows], np.nan)
    error = targets[rows] - np.nanmean(masked, 0)
    spread = np.nanstd(masked, 0, ddof=1) / np.sqrt(number[rows, None])
    # what errors hold beyond the spread, on the half of the rows about which members agree best
    calm = spread <= np.median(spread, 0)
    excess = np.where(calm, error**2 - spread**2, 0.0).sum(0) / calm.sum(0)
    noise = np.sqrt(np.maximum(excess, 1e-24 * np.maximum(targets.var(0), TINY)))
    return Calibration(noise, np.sort(np.abs(error) / np.hypot(spread, noise), axis=0), trained)


def _trained(predictions: np.ndarray, targets: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Return which members (E,) are about as good, on rows that they did not see, as the best quarter."""
    squares = ((predictions - targets) ** 2).mean(2)
    error = np.where(unseen, squares, 0.0).sum(1) / np.maximum(unseen.sum(1), 1)
    good = np.nanquantile(error, 0.25, method="lower")
    return error <= np.fmax(STUCK**2 * good, np.sort(error)[min(SPEAKERS, len(error)) - 1])

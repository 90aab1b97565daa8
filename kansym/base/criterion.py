"""One criterion for every decision: description length, equal losses, and what counts as exact.

All losses here are mean weighted squared errors, a share is a loss over the target's variance. Description
lengths are in nats: the cost of the residuals at the noise level plus the cost of the formula (Rissanen,
Automatica 14, 1978). Pure numbers only: what a formula costs is for `judge.scorer`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

NODE_PRICE = 1.6
"""Nats for one symbol of a formula: about the logarithm of the handful of likely choices at a node."""

ROUND_OFF = 64 * np.finfo(float).eps
"""Losses below (ROUND_OFF · RMS(y))² count as equal, so that round-off never wins."""

EXACT = 1e-10
"""RMS error, as a share of the target's spread, below which a formula counts as proved on rows not used.

Laws in double precision leave 1e-16 to 1e-12 (cancellation); the best look-alikes among AI Feynman's stay
above 1e-8.
"""

EXACT_SHARE = EXACT**2
"""The same as a share of variance, in which producers keep their books."""

EXACT_JOIN = 1e-8
"""Largest error on any row, as a share of the target's spread, of a formula joined from two known parts.

Looser than EXACT: it is a maximum over rows, and joins take differences and inverses of rounded values.
"""

EXACT_CURVE = 1e-26
"""Share of a curve's sum of squares at which an affine fit can get no better: round-off of the values."""

EXACT_UNITS = 1e-9
"""Largest deviation of an exponent of a unit from what it must be: round-off of sums of fractions."""

WORTH_SNAPPING = 0.02
"""Residual share of a graph above which its curves are too far off to be recognised as functions."""

WORTH_SHOWING = 0.2
"""Residual share of a network above which it has not seen the law, so that its curves mean nothing."""


def floor(y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the loss below which two formulas count as equally exact: (64 eps RMS(y))²."""
    w = 1.0 if weights is None else weights
    return float(ROUND_OFF**2 * np.mean(w * y * y)) + np.finfo(float).tiny


def misfit_length(
    loss: float, rows: int, constants: int, floor: float = 0.0, sigma2: float | None = None
) -> float:
    """Return the nats that the residuals of a fit need.

    With known noise variance sigma2: n·loss/(2 sigma2); otherwise n/2·log of the unbiased variance
    loss·n/(n-k). Infinite when the rows cannot determine the constants.
    """
    if not math.isfinite(loss) or rows <= constants:
        return math.inf
    if sigma2 is not None and sigma2 > floor:
        return 0.5 * rows * loss / sigma2
    unbiased = max(loss, floor) * rows / (rows - constants)
    return 0.5 * rows * math.log(max(unbiased, np.finfo(float).tiny))


def length(share: Any, rows: int, symbols: Any, constants: int = 0, least: float = 0.0) -> Any:
    """Return the nats of a fit: rows/2·log(share) + NODE_PRICE·symbols + log(rows)/2·constants.

    Shares (numbers or arrays) below `least` count as `least`. The quick form, for fits whose constants have
    no errors yet; `judge.scorer` prices finished formulas.
    """
    misfit = 0.5 * rows * np.log(np.maximum(share, max(least, np.finfo(float).tiny)))
    return misfit + NODE_PRICE * symbols + 0.5 * math.log(max(rows, 1)) * constants


SHARP = 1e-6
"""Residual share above which noise, not the reach of a basis, is taken to limit a fit."""


def rank(share: Any, price: Any, rows: int) -> Any:
    """Return the order of fits by residual share and price in symbols (numbers or arrays), least first.

    Description length where noise limits them, else small and simple first: below SHARP the share shows how
    well a basis approximates the curve, not how true the fit is.
    """
    share = np.maximum(share, 1e-26)
    misfit = 0.5 * rows * np.log(np.maximum(share, SHARP))
    return misfit + np.where(share < SHARP, 4 * np.log10((share + 1e-13) / SHARP), 0.0) + NODE_PRICE * price


ABSURD = 60.0
"""Powers of ten beyond which a constant is no matter of units; every further one costs a nat.

A formula on its way to a limit, 3e235·exp(-543·cosh(x/23)) for a Gaussian, has such constants.
"""


NUMBER = 1.5
"""Nats for saying that a measured number follows, and of what size."""


def absurdity(value: float) -> float:
    """Return the nats for a constant's size: one for every power of ten beyond ABSURD."""
    return max(0.0, abs(math.log10(abs(value))) - ABSURD) if value and math.isfinite(value) else 0.0


def number_length(value: float, error: float) -> float:
    """Return the nats for writing a number down to its standard error: about log(|value| / error)."""
    far = absurdity(value)
    if not math.isfinite(error):
        return NUMBER + far
    return NUMBER + far + math.log1p(abs(value) / max(error, 1e-16 * abs(value), np.finfo(float).tiny))


def corrected(share: float, parameters: int, n: int) -> float:
    """Return a residual share corrected for fitted parameters (generalised cross-validation)."""
    return share / max(1 - parameters / n, 0.05) ** 2

"""A smooth trend through a table, without any law: what the noise is measured from.

Polynomials and splines of rising size, fitted robustly (Student-t weights); the one that predicts rows left
out best is taken. Not here: formulas, and what is concluded from the residuals (`noise`, `outliers`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special
from scipy.linalg import solve_triangular

from kansym.base import polynomials
from kansym.base.linear import TINY, span
from kansym.base.threads import one_thread
from kansym.base.weights import roots

TAILS = 4.0
"""Degrees of freedom of the Student-t noise that a trend is fitted for: normal noise loses 12 % by it
(4000 samples of 101 rows), and a row 10 SD off counts an eighth of one that is 3 SD off."""

ROUNDS = 6
"""Reweighted fits at most."""

WIDE = 10.0
"""A column of one sign that spans more than this factor is taken in logarithms."""

UNEQUAL, LOGARITHMIC_DEGREE = 2.0, 2
"""Factor that a column spans from which its logarithm is tried beside it, in polynomials up to this degree: a
product of powers of many columns is a line in logarithms, and hundreds of terms without."""

MOST_TERMS = 100
"""Terms of a trend at most: its cost grows with the square."""

ROWS_A_TERM = 3
"""Rows for each term of a trend at least; with fewer it follows the noise."""

FINALISTS = 4
"""Bases that are fitted robustly."""

MOST_LEVERAGE = 0.999
"""A row that decides its own fit would have no residual at all."""

MOST_DEGREE, MOST_TOTAL_DEGREE = 10, 6
"""Highest degrees of a trend: of single columns, and of products in all of them."""

LOWEST, WORKING_FITS, MOST_OFF = 0.1, 3, 3.0
"""Of a trend of what y is expected to be: the least value to start from, as a share of the middle one;
fits after that; and how far a row may be off, as a multiple of what is expected."""

Features = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Trend:
    """Hold a smooth fit: its values on the rows (n,), their leverage (n,), its terms, and how to compute it
    anew.

    `misfit` is the mean negative log-likelihood of rows left out in turn, under Student-t noise.
    """

    fitted: np.ndarray
    leverage: np.ndarray
    misfit: float
    features: Features
    coefficients: np.ndarray

    @property
    def terms(self) -> int:
        """Return the number of coefficients."""
        return len(self.coefficients)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the trend (n,) at rows X (n, d)."""
        return self.features(X) @ self.coefficients

    def left_out(self, y: np.ndarray) -> np.ndarray:
        """Return what the trend predicts for each row without it: y - r/(1 - h)."""
        return y - (y - self.fitted) / np.maximum(1 - self.leverage, 1e-9)


def trend(X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> Trend:
    """Return the smooth trend of y (n,) over X (n, d) that predicts left-out rows best."""
    root = roots(weights, len(y))
    with one_thread():
        bases = [b for f in _ladder(X, len(y)) if (b := _Basis.of(f, X, root)) is not None]
        # rows that are off harm all bases alike in a plain fit: the likeliest few are then fitted robustly
        bases.sort(key=lambda b: _fitted(b, y, root, 1).misfit)
        return min((_fitted(b, y, root, ROUNDS) for b in bases[:FINALISTS]), key=lambda t: t.misfit)


def logarithmic_trend(X: np.ndarray, y: np.ndarray) -> Trend:
    """Return the trend t of the logarithm of what y (n,) is expected to be, where noise carries rows below 0.

    E(y) = exp(t(X)), by reweighted least squares for a variance that grows with the square of the value: the
    working target is t + (y - exp(t))/exp(t), with the same weight for every row (McCullagh and Nelder,
    Generalized Linear Models, 1989, 2.5). `y` has some values above zero.
    """
    least = LOWEST * float(np.median(y[y > 0]))
    found = trend(X, np.log(np.maximum(y, least)))
    for _ in range(WORKING_FITS):
        expected = np.exp(found.fitted)
        found = trend(X, found.fitted + np.clip((y - expected) / expected, -MOST_OFF, MOST_OFF))
    return found


def _ladder(X: np.ndarray, n: int) -> Iterator[Features]:
    """Yield bases of rising size; a sum over columns first, then with products."""
    d = X.shape[1]
    most = min(n // ROWS_A_TERM, MOST_TERMS)
    scale, logarithmic = _Scale.of(X, WIDE), _Scale.of(X, UNEQUAL)
    yield lambda Z: np.ones((len(Z), 1))
    for degree in range(1, MOST_DEGREE + 1):
        differs = degree <= LOGARITHMIC_DEGREE and np.any(logarithmic.logarithmic != scale.logarithmic)
        for taken in (scale, logarithmic) if differs else (scale,):
            if 1 + d * degree <= most or degree == 1 < n - d - 2:
                alone = [k * np.eye(d, dtype=int) for k in range(1, degree + 1)]
                yield partial(_polynomials, taken, np.vstack([np.zeros((1, d), int), *alone]))
            if 2 <= degree <= MOST_TOTAL_DEGREE and d > 1 and math.comb(d + degree, d) <= most:
                yield partial(_polynomials, taken, polynomials.exponents(d, degree))
    cells = 4
    while 1 + d * (cells + 2) <= most:
        from kansym.functions import spline  # brings numba: 50 MB, which readers of a run do without

        knots = [spline.adaptive_knots(u, cells, 3, blend=0.5) for u in scale(X).T]
        yield partial(_splines, scale, knots)
        cells = cells * 3 // 2


@dataclass(frozen=True, eq=False)
class _Scale:
    """Map columns into [-1, 1], wide ones of one sign in logarithms."""

    logarithmic: np.ndarray
    low: np.ndarray
    width: np.ndarray

    @staticmethod
    def of(X: np.ndarray, most: float) -> _Scale:
        """Return the scale of columns (n, d): by logarithms where one of one sign spans more than `most`."""
        low, high = np.abs(X).min(0), np.abs(X).max(0)
        wide = ((X > 0).all(0) | (X < 0).all(0)) & (high > most * low)
        Z = np.where(wide, np.log(np.abs(np.where(wide, X, 1.0))), X)
        width = np.ptp(Z, axis=0)
        return _Scale(wide, Z.min(0), np.where(width > 0, width, 1.0))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return rows X (n, d) on the scale."""
        Z = np.where(self.logarithmic, np.log(np.maximum(np.abs(X), TINY)), X)
        return 2 * (Z - self.low) / self.width - 1


def _polynomials(scale: _Scale, powers: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Return the products of Chebyshev polynomials of these degrees (terms, d) at rows Z (n, d)."""
    return polynomials.products(scale(Z), powers)


def _splines(scale: _Scale, knots: list[np.ndarray], Z: np.ndarray) -> np.ndarray:
    """Return a constant and the cubic B-splines of each column on its knots, at rows Z (n, d)."""
    # a column's functions sum to one: the constant stands once, one function of each is left out
    from kansym.functions import spline

    parts = [spline.design(t, 3, u)[:, 1:] for t, u in zip(knots, scale(Z).T, strict=True)]
    return np.hstack([np.ones((len(Z), 1)), *parts])


@dataclass(frozen=True, eq=False)
class _Basis:
    """Hold a basis on the rows: A (n, p), an orthonormal one of its weighted span, the way back."""

    features: Features
    A: np.ndarray
    U: np.ndarray
    back: np.ndarray

    @staticmethod
    def of(features: Features, X: np.ndarray, root: np.ndarray) -> _Basis | None:
        """Return the basis at rows X (n, d) with roots of weights (n,); None where it lacks rows."""
        A = features(X)
        n, p = A.shape
        if not np.all(np.isfinite(A)) or p > max(1, n - 3):
            return None
        U, s, Vt = span(A * root[:, None])
        return _Basis(features, A, U, Vt.T / s)


def _fitted(basis: _Basis, y: np.ndarray, root: np.ndarray, rounds: int) -> Trend:
    """Fit a basis by `rounds` of reweighting for Student-t noise (EM); one is least squares."""
    U, target = basis.U, y * root
    robust = np.ones(len(y))
    for step in range(rounds):
        if step == 0:
            c = U.T @ target
            leverage = np.sum(U * U, axis=1)
        else:
            part = U * np.sqrt(robust)[:, None]
            factor = np.linalg.cholesky(part.T @ part + 1e-12 * np.eye(U.shape[1]))
            half = solve_triangular(factor, part.T, lower=True, check_finite=False)
            c = solve_triangular(factor.T, half @ (target * np.sqrt(robust)), check_finite=False)
            leverage = np.sum(half * half, axis=0)
        r = target - U @ c
        alone = r / (1 - np.clip(leverage, 0, MOST_LEVERAGE))
        scale = scale_of(alone)
        robust, old = (TAILS + 1) / (TAILS + (alone / scale) ** 2), robust
        if step and np.max(np.abs(robust - old)) < 0.01:
            break
    shares = alone / scale
    logs = special.gammaln((TAILS + 1) / 2) - special.gammaln(TAILS / 2) - 0.5 * math.log(TAILS * math.pi)
    misfit = (
        -logs
        + float(np.mean(0.5 * (TAILS + 1) * np.log1p(shares**2 / TAILS) - np.log(root)))
        + math.log(scale)
    )
    coefficients = basis.back @ c
    return Trend(basis.A @ coefficients, leverage, misfit, basis.features, coefficients)


def median_deviation(r: np.ndarray) -> float:
    """Return the SD of normal noise with the median size of r (n,), which outliers do not move."""
    return 1.4826 * float(np.median(np.abs(r)))


def scale_of(r: np.ndarray) -> float:
    """Return the scale of Student-t noise that makes residuals r (n,) likeliest (EM)."""
    floor = 1e-13 * float(np.max(np.abs(r), initial=0.0)) + np.finfo(float).tiny
    scale = max(median_deviation(r), floor)
    for _ in range(30):
        w = (TAILS + 1) / (TAILS + (r / scale) ** 2)
        new = max(math.sqrt(float(np.mean(w * r * r))), floor)
        if abs(new - scale) <= 1e-4 * scale:
            return new
        scale = new
    return scale

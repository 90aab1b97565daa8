"""A smooth curve through a state's values over time, its slope, and how much of the values is noise.

A spline of degree seven with half as many cells as rows and a penalty on its fourth derivative, whose
weight is found by restricted maximum likelihood (Wahba, Annals of Statistics 13, 1985; Wood, J. R. Stat.
Soc. B
73, 2011): less prone to follow noise than cross-validation, and next to interpolation where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import solve_triangular
from scipy.optimize import minimize_scalar

DEGREE = 7
"""Degree of the spline. Solutions of smooth laws are smooth: of exp(-t/10)*sin(3t), 200 clean rows over ten
units of time, degree 7 gives slopes right to 2e-8, degree 5 to 3e-7."""

ORDER = 4
"""Order of the derivative that is penalised: slopes of the same curve under 1 % of noise are off by 0.042 of
3.0 with order 4, by 0.061 with order 3."""

ROWS_A_CELL = 2.0
"""Rows that share one cell: with one a cell, clean slopes at the ends were off by 2e-5 instead of 1e-8."""

MOST_CELLS = 400
"""Cells of the spline; more rows share them. The singular values cost cells^3, 0.3 s at 400."""

RELATIVE_GAIN = 3.0
"""Nats by which noise that grows with the value must explain the residuals better than even noise."""


@dataclass(frozen=True, eq=False)
class Smooth:
    """Hold the curve of one state in one run: a spline, the noise's SD (rows,), its degrees of freedom."""

    spline: BSpline
    noise: np.ndarray
    freedom: float
    relative: bool

    def value(self, t: np.ndarray) -> np.ndarray:
        """Return the curve's values."""
        return np.asarray(self.spline(t))

    def slope(self, t: np.ndarray) -> np.ndarray:
        """Return the curve's derivative."""
        return np.asarray(self.spline.derivative()(t))


def smooth(t: np.ndarray, x: np.ndarray, rough: bool = False) -> Smooth:
    """Return the smooth curve of values x (n,) at increasing times t (n,), noise estimated.

    Tells noise of one size from noise that grows with the value by likelihood. A `rough` curve has half as
    many degrees of freedom as rows: of few rows, likelihood may take a whole swing for noise.
    """
    if rough:
        return _fit(t, x, np.ones(len(t)), 0.5)
    even = _fit(t, x, np.ones(len(t)))
    level = np.abs(even.value(t))
    floor = 0.05 * float(np.sqrt(np.mean(level**2)))
    if floor == 0 or level.min() > 0.7 * level.max():
        return even  # the two kinds cannot be told apart
    size = np.maximum(level, floor)
    grown = _fit(t, x, 1 / size**2)
    residual = x - even.value(t)
    if not np.any(residual):
        return even
    even_nats = 0.5 * len(t) * np.log(np.mean(residual**2) + np.finfo(float).tiny)
    scaled = (x - grown.value(t)) / size
    grown_nats = 0.5 * len(t) * np.log(np.mean(scaled**2) + np.finfo(float).tiny) + np.log(size).sum()
    return (
        Smooth(grown.spline, grown.noise, grown.freedom, True)
        if grown_nats < even_nats - RELATIVE_GAIN
        else even
    )


def _fit(t: np.ndarray, x: np.ndarray, weights: np.ndarray, freedom_share: float = 0.0) -> Smooth:
    """Return the penalised spline with the smoothing weight of greatest restricted likelihood."""
    n = len(t)
    degree = min(DEGREE, n - 3)
    cells = max(min(int(n / ROWS_A_CELL), n - degree - 1, MOST_CELLS), 2)
    inner = np.quantile(t, np.linspace(0, 1, cells + 1))
    knots = np.concatenate([np.full(degree, t[0]), inner, np.full(degree, t[-1])])
    basis = BSpline.design_matrix(t, knots, degree).toarray()
    root = np.sqrt(weights / weights.mean())
    flat = min(ORDER, degree - 1)  # polynomials of lower degree are not penalised
    scale = float(np.sqrt(np.mean((x - x.mean()) ** 2))) or 1.0
    bent = _roughness(knots, degree, flat)
    A = basis * root[:, None]
    y = (x - x.mean()) / scale * root
    # columns that no row sees get their values from the penalty; a whiff of it makes the factor regular
    whiff = 1e-9 * np.linalg.norm(A) / np.linalg.norm(bent)
    Q, R = np.linalg.qr(np.vstack([A, whiff * bent]))
    _, singular, rotation = np.linalg.svd(solve_triangular(R, bent.T, trans="T").T, full_matrices=True)
    spectrum = np.zeros(len(R))
    spectrum[: len(R) - flat] = singular[: len(R) - flat] ** 2
    z = rotation @ (Q[:n].T @ y)
    left = max(float(y @ y - z @ z), 0.0)
    tiny = 1e-26 * float(y @ y) + np.finfo(float).tiny

    def restricted(log_weight: float) -> float:
        """Return -2 log of the restricted likelihood, noise profiled out."""
        shrunk = np.exp(log_weight) * spectrum
        unexplained = left + float(np.sum(shrunk / (1 + shrunk) * z * z)) + tiny
        return float(
            (n - flat) * np.log(unexplained) + np.sum(np.log1p(shrunk)) - (len(z) - flat) * log_weight
        )

    grid = np.linspace(-70, 25, 96)
    best = grid[int(np.argmin([restricted(g) for g in grid]))]
    found = minimize_scalar(restricted, bounds=(best - 1, best + 1), method="bounded")
    chosen = float(found.x)
    while (
        freedom_share and chosen > grid[0] and np.sum(1 / (1 + np.exp(chosen) * spectrum)) < freedom_share * n
    ):
        chosen -= 0.5
    shrunk = np.exp(chosen) * spectrum
    coefficients = solve_triangular(R, rotation.T @ (z / (1 + shrunk)))
    freedom = float(np.sum(1 / (1 + shrunk)))
    spline = BSpline(knots, coefficients * scale + x.mean(), degree)
    residual = (x - spline(t)) * root
    # at least what rounding of the values leaves
    spare = max(n - freedom, 0.1 * n)
    sd = max(float(np.sqrt(residual @ residual / spare)), 1e-13 * float(np.abs(x).max()))
    return Smooth(spline, sd / root, freedom, False)


def _roughness(knots: np.ndarray, degree: int, order: int) -> np.ndarray:
    """Return the basis functions' derivatives of an order at Gauss nodes, by the root of the nodes' weights.

    The product of two columns is the integral of the product of two functions' derivatives.
    """
    cells = np.unique(knots)
    nodes, weights = np.polynomial.legendre.leggauss(degree - order + 1)
    width = np.diff(cells)
    points = (cells[:-1, None] + 0.5 * width[:, None] * (nodes + 1)).ravel()
    bent = BSpline(knots, np.eye(len(knots) - degree - 1), degree).derivative(order)(points)
    return np.sqrt(0.5 * width[:, None] * weights).ravel()[:, None] * bent

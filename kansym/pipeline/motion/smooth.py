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
from scipy.linalg import LinAlgError
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array, diags_array, eye_array

from kansym.pipeline.motion.penalised import Penalised

DEGREE = 7
"""Degree of the spline. Solutions of smooth laws are smooth: of exp(-t/10)*sin(3t), 200 clean rows over ten
units of time, degree 7 gives slopes right to 2e-8, degree 5 to 3e-7."""

ORDER = 4
"""Order of the derivative that is penalised: slopes of the same curve under 1 % of noise are off by 0.042 of
3.0 with order 4, by 0.061 with order 3."""

ROWS_A_CELL = 2.0
"""Rows that share one cell: with one a cell, clean slopes at the ends were off by 2e-5 instead of 1e-8."""

MOST_CELLS = 4000
"""Cells of the spline; more rows share them."""

FIRST_CELLS = 400
"""Cells of the first curve: all that rows up to 800 may have."""

FALLEN = 0.98
"""Share of the noise that twice as many cells must leave for more to be tried: clean rows need all."""

NEEDED = 0.4
"""Degrees of freedom a cell from which there are too few of them. Lorenz's twenty states of 1996, 2000 rows
over 100 units of time under 1 % of noise: 400 cells leave slopes off by 38 % of their SD, 1000 by 3 %."""

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
        return even  # the two kinds cannot be distinguished
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
    """Return the penalised spline, of many rows with no more cells than it needs."""
    n = len(t)
    most = max(min(int(n / ROWS_A_CELL), n - min(DEGREE, n - 3) - 1, MOST_CELLS), 2)
    cells = min(most, FIRST_CELLS)
    curve = _penalised(t, x, weights, cells, freedom_share)
    while cells < most:
        crowded, before = curve.freedom > NEEDED * cells, float(np.median(curve.noise))
        cells = min(2 * cells, most)
        curve = _penalised(t, x, weights, cells, freedom_share)
        if not crowded and np.median(curve.noise) > FALLEN * before:
            break
    return curve


def _penalised(t: np.ndarray, x: np.ndarray, weights: np.ndarray, cells: int, freedom_share: float) -> Smooth:
    """Return the spline of so many cells with the smoothing weight of greatest restricted likelihood."""
    n = len(t)
    degree = min(DEGREE, n - 3)
    inner = np.quantile(t, np.linspace(0, 1, cells + 1))
    knots = np.concatenate([np.full(degree, t[0]), inner, np.full(degree, t[-1])])
    basis = BSpline.design_matrix(t, knots, degree)
    root = np.sqrt(weights / weights.mean())
    flat = min(ORDER, degree - 1)  # polynomials of lower degree are not penalised
    scale = float(np.sqrt(np.mean((x - x.mean()) ** 2))) or 1.0
    y = (x - x.mean()) / scale * root
    problem = Penalised.of(diags_array(root) @ basis, _roughness(knots, degree, flat), y)
    tiny = 1e-26 * float(y @ y) + np.finfo(float).tiny

    def restricted(log_weight: float) -> float:
        """Return -2 log of the restricted likelihood, noise profiled out."""
        try:
            left, determinant = problem.left(log_weight), problem.determinant(log_weight)
        except LinAlgError:
            return np.inf
        return (n - flat) * float(np.log(left + tiny)) + determinant - (problem.size - flat) * log_weight

    grid = problem.weights
    best = grid[int(np.argmin([restricted(g) for g in grid]))]
    found = minimize_scalar(restricted, bounds=(best - 1, best + 1), method="bounded")
    chosen = float(found.x)
    while freedom_share and chosen > grid[0] and problem.freedom(chosen) < freedom_share * n:
        chosen -= 0.5
    freedom = problem.freedom(chosen)
    spline = BSpline(knots, problem.coefficients(chosen) * scale + x.mean(), degree)
    residual = (x - spline(t)) * root
    # at least what rounding of the values leaves
    spare = max(n - freedom, 0.1 * n)
    sd = max(float(np.sqrt(residual @ residual / spare)), 1e-13 * float(np.abs(x).max()))
    return Smooth(spline, sd / root, freedom, False)


def _roughness(knots: np.ndarray, degree: int, order: int) -> csr_array:
    """Return the basis functions' derivatives of an order at Gauss nodes, by the root of the nodes' weights.

    The product of two columns is the integral of the product of two functions' derivatives.
    """
    cells = np.unique(knots)
    nodes, weights = np.polynomial.legendre.leggauss(degree - order + 1)
    width = np.diff(cells)
    points = (cells[:-1, None] + 0.5 * width[:, None] * (nodes + 1)).ravel()
    # a derivative's coefficients are differences of neighbours over the width of the knots between them
    differences = eye_array(len(knots) - degree - 1, format="csr")
    for k in range(degree, degree - order, -1):
        apart = knots[k + 1 : -1] - knots[1 : -k - 1]
        step = diags_array([-k / apart, k / apart], offsets=[0, 1], shape=(len(apart), len(apart) + 1))
        differences, knots = step @ differences, knots[1:-1]
    bent = BSpline.design_matrix(points, knots, degree - order) @ differences
    return diags_array(np.sqrt(0.5 * width[:, None] * weights).ravel()) @ bent

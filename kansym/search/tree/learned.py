"""What a few small trained networks say about a law's form: values and slopes where polynomials are poor.

A Kolmogorov-Arnold network of two hidden layers with three nodes each holds laws with steps, powers and waves
in several columns to five digits, of which a polynomial of a hundred terms leaves a percent. Its accuracy on
rows left out is known, and its slopes are what `moves` reads everything off: which columns act as one, which
can be divided out or subtracted. Levenberg-Marquardt, float64, a few starts in one batch.
"""

from __future__ import annotations

import numpy as np

from kansym.base.errors import KansymError
from kansym.base.interrupts import loadable, shielded
from kansym.search.structure.problem import Problem
from kansym.search.tree.evidence import Smooth, scaled

HIDDEN = (3, 3)
"""Nodes of the hidden layers; one layer of five, as many parameters, leaves ten times more."""

GRID, STEPS = 4, 60
"""Cells of a curve and steps of the training: 0.15 s a start for 700 rows of four columns."""

STARTS = 3
"""Starts: about one in four ends in a bad valley."""

FEWEST_ROWS = 250
"""Fitted rows below which two hundred parameters would follow the rows."""

WIDE = 20.0
"""A target of one sign whose largest value is so many times its smallest is learnt in logarithms."""

STEP = 1e-5
"""Step of the slopes, as a share of a column's half range; values have ten digits more than is needed."""


@np.errstate(all="ignore")
def smooth(problem: Problem, seed: int = 0, seconds: float | None = None) -> Smooth | None:
    """Return what the best network says on the rows it was fitted to; None where none could be trained.

    Nor is one where so few `seconds` are left that loading torch, which nothing may break off, overruns them.
    """
    if not loadable(seconds):
        return None
    with shielded():
        from kansym.network.ensemble import Ensemble

    fit, test = problem.fit, problem.test
    if len(fit) < FEWEST_ROWS:
        return None
    rows = np.concatenate([fit, test])
    U, stretch, _ = next(iter(scaled(problem.Z[rows])))
    y, w, n = problem.y[rows], problem.w[rows], len(fit)
    size = np.abs(y)
    log = not np.ptp(np.sign(y)) and size.min() > 0 and size.max() > WIDE * size.min()
    t = np.log(size) if log else y
    middle, spread = float(t[:n].mean()), float(t[:n].std())
    if not (np.all(np.isfinite(U)) and np.isfinite(spread) and spread > 0):
        return None
    t = (t - middle) / spread
    try:
        nets = Ensemble((problem.width, *HIDDEN, 1), seeds=range(seed, seed + STARTS), grid=GRID)
        nets.fit(U[:n], t[:n], validation=(U[n:], t[n:]), grids=(GRID,), steps=STEPS)
        if nets.stop_reason == "interrupted":  # training keeps what it has; the search is to end
            raise KeyboardInterrupt
        best = nets.best()
    except KansymError:
        return None

    def values(at: np.ndarray) -> np.ndarray:
        """Return the networks' values in the target's units."""
        return middle + spread * best.predict(at).ravel()

    told = values(U)
    slopes = np.empty((n, problem.width))
    for j in range(problem.width):
        step = STEP * np.eye(problem.width)[j]
        slopes[:, j] = (values(U[:n] + step) - values(U[:n] - step)) / (2 * STEP) * stretch[:n, j]
    if log:
        told = np.sign(y[0]) * np.exp(told)
        slopes *= told[:n, None]
    left = float(np.mean((((told - y) * w)[n:]) ** 2)) / float(np.mean((w * y)[:n] ** 2)) * problem.unit
    return Smooth(left, fit, told[:n], slopes) if np.isfinite(left) and np.all(np.isfinite(slopes)) else None

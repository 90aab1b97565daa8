"""Fit y = c·f(a·x + b) + d for one library function f: search all basins, polish to machine precision.

For fixed (a, b) the best (c, d) are a regression, so only (a, b) are searched, fewer where f makes one of
them redundant. Everything runs in units of the curve's own range (`curve_data`). This room fits one
function; `matching` compares many.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kansym.base.criterion import EXACT_CURVE
from kansym.base.errors import DomainError
from kansym.functions import kernels, varpro, varpro_numpy
from kansym.functions.affine_fit import AffineFit, in_units
from kansym.functions.curve_data import ENOUGH, Data, prepare
from kansym.functions.library import Function, get
from kansym.functions.shapes import Shapes, oscillates, shapes

STARTS = 14
"""Peaks of the correlation with tabled shapes that are refined; twice as many for one that oscillates."""

POLISHED = 4
"""Distinct basins that are polished further."""


def _program(f: Function) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    p = f.program
    return p.operations, p.left, p.right, p.numbers


def variable_projection(
    function: Function,
    form: Shapes,
    data: tuple[np.ndarray, ...],
    starts: np.ndarray,
    steps: int,
    tolerance: float,
    stop: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return refined starts and their residual sums (compiled where f is elementary, else numpy)."""
    starts = np.array(starts, float)
    low, high = form.limits(starts, float(data[0].min()), float(data[0].max()))
    if function.program.is_elementary:
        rss = varpro.varpro(
            *_program(function),
            *data,
            starts,
            form.free,
            low,
            high,
            form.marks,
            form.period,
            steps,
            tolerance,
            stop,
        )
        return starts, rss
    t, y, w = data
    return varpro_numpy.varpro_numpy(
        function.program, t, y, w, starts, form.free, low, high, form.marks, form.period, steps, tolerance
    )


def search(function: Function, data: Data) -> tuple[np.ndarray, float]:
    """Return (alpha, beta, p) of the best fit in the curve's units, and its residual sum over `some` rows."""
    starts, rss = polish(function, data, *survey(function, data), 14, 1e-3)
    starts, rss = polish(function, data, starts[:2], rss[:2], 80, 1e-9)
    return (starts[0], float(rss[0])) if len(starts) else (np.full(3, np.nan), math.inf)


def survey(function: Function, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct basins (k × 3, best first) and their residual sums, refined at low cost."""
    form = shapes(function)
    if form.kind == "constant":
        return np.array([[1.0, 0.0, 1.0]]), np.array([data.total])
    if form.kind == "line":
        return variable_projection(function, form, data.some, np.array([[1.0, 0.0, 1.0]]), 0, 0.0, 0.0)
    if form.kind == "wave":
        starts, rss = _waves(function, data)
    elif form.kind == "hyperbolic":
        starts, rss = variable_projection(
            function, form, data.coarse, _hyperbolic(function, data), 12, 1e-4, 0.0
        )
    else:
        starts, rss = variable_projection(
            function,
            form,
            data.coarse,
            _starts(form, data, STARTS * (1 + oscillates(function))),
            12,
            1e-4,
            0.0,
        )
    keep = _distinct(starts, rss, POLISHED)
    return starts[keep], rss[keep]


def polish(
    function: Function, data: Data, starts: np.ndarray, rss: np.ndarray, steps: int, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return starts refined on `some` rows, best first, with their residual sums."""
    form = shapes(function)
    if len(starts) == 0 or form.kind in ("constant", "line"):
        return starts, rss
    best, rss = variable_projection(
        function, form, data.some, starts, steps, tolerance, EXACT_CURVE * data.total
    )
    order = np.argsort(rss, kind="stable")
    order = order[np.isfinite(rss[order])]
    return best[order], rss[order]


def _distinct(starts: np.ndarray, rss: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the best refined starts, leaving out those that ran to the same place."""
    order = np.argsort(rss)
    return kernels.distinct(starts, order[np.isfinite(rss[order])], count)


def _starts(form: Shapes, data: Data, count: int = STARTS) -> np.ndarray:
    """Return the starts of a function where its fit has peaks on the grid, the best ones."""
    w, wy = data.at_nodes
    if not len(form.cells):
        return form.cells
    score, peak = np.empty(len(form.cells), np.float32), np.empty(len(form.cells), bool)
    kernels.correlate(form.table, w, wy, score)
    best = kernels.summits(score, form.neighbours, peak)
    index = np.flatnonzero(peak)
    index = index[np.argsort(-score[index], kind="stable")][:count]
    return form.cells[np.unique(np.append(index, best))]


def _waves(f: Function, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Refine the likeliest waves as f, which is a sine of some phase."""
    base = math.atan2(float(f(0.0)), float(f(math.pi / 2)))  # f(u) = sin(u + base)
    rate, cosine, sine = data.waves.T
    starts = np.column_stack([rate, np.arctan2(cosine, sine) - base, np.ones(len(rate))])
    return variable_projection(f, shapes(f), data.some, starts, 8, 1e-4, EXACT_CURVE * data.total)


def _hyperbolic(f: Function, data: Data) -> np.ndarray:
    """Starts for sinh and cosh: the best mixtures of exponentials where their signs fit, and a few places."""
    even = f.reflection == (1.0, 0.0)
    best = float(data.exponentials[0, 0])
    starts = [
        (rate, 0.5 * math.log(abs(up / down)), 1.0)
        for rate, up, down in data.exponentials
        if up * down != 0 and (up * down > 0) == even
    ][:5]
    places = [s * (best + z) for s in (-1, 1) for z in (0.5, 2.0, 5.0)] + [
        best * z for z in (-0.8, -0.3, 0.3, 0.8)
    ]
    starts += [(best, place, 1.0) for place in places]
    cells = np.array(starts)
    _, rss = variable_projection(f, shapes(f), data.coarse, cells, 0, 0.0, 0.0)
    return cells[np.argsort(rss, kind="stable")[:8]]


def fit_affine(x: Any, y: Any, function: Function | str, weights: Any = None) -> AffineFit:
    """Fit y ≈ c·f(a·x + b) + d by weighted least squares, globally in (a, b).

    Raises InputError for data that cannot be fitted (see :func:`prepare`) and DomainError when f is
    defined on no window of the curve.

    >>> x = np.linspace(-1, 1, 200)
    >>> fit = fit_affine(x, 2 * np.sin(20 * x + 1) - 3, "sin")
    >>> [round(v, 6) for v in (fit.a, fit.b, fit.c, fit.d)]
    [20.0, 1.0, 2.0, -3.0]
    """
    f = get(function) if isinstance(function, str) else function
    data = prepare(x, y, weights)
    best, _ = search(f, data)
    return finish(f, data, best)


def finish(function: Function, data: Data, best: np.ndarray, polished: bool = True) -> AffineFit:
    """Return the fit in the data's own units, in canonical form, with errors; first polish it on all rows."""
    if not np.isfinite(best).all():
        raise DomainError(f"Function {function.name!r} is defined on no window of this curve; leave it out.")
    form = shapes(function)
    rows = (data.t, data.y, data.w)
    if polished and form.kind not in ("constant", "line") and len(data.t) > ENOUGH:
        (best,), _ = variable_projection(function, form, rows, best[None], 20, 1e-7, 0.0)
    alpha, beta, p = best
    if polished and len(form.barriers) and abs(data.middle) <= 2 * data.half:
        # near a border x itself has more digits than its distance from the middle
        start = np.array([[alpha, beta - alpha * (data.middle / data.half), p]])
        rows = (data.x / data.half, data.y, data.w)
        (exact,), _ = variable_projection(function, form, rows, start, 12, 1e-12, 0.0)
        if np.isfinite(exact).all():
            return in_units(function, form, data, exact, exact[1])
    return in_units(function, form, data, best, beta - alpha / data.half * data.middle)

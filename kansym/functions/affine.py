"""Fit y = c·f(a·x + b) + d for one library function f: search all basins, polish to machine precision.

For fixed (a, b) the best (c, d) are a regression, so only (a, b) are searched, fewer where f makes one of
them redundant. Everything runs in units of the curve's own range: t in [-1, 1] for x, zero mean and unit
variance for y. This room fits one function; `matching` compares many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from kansym.base.errors import DomainError, InputError
from kansym.functions import kernels, varpro, varpro_numpy
from kansym.functions.graph import Symbolic
from kansym.functions.library import Function, get
from kansym.functions.shapes import EDGES, NODES, Shapes, oscillates, shapes

ENOUGH = 1024
"""Rows that the search looks at; the final polish and the errors use all."""
STARTS = 14
POLISHED = 4
SMOOTH = 0.01
EXACT = 1e-26
"""Share of variance left below which a fit is exact to round-off and the search ends."""


@dataclass(frozen=True, eq=False)
class AffineFit:
    """Hold y ≈ c·f(a·x + b) + d with the standard errors of its parameters.

    `errors` and the rows of `covariance` are in the order of `names`; redundant letters are absent.
    `rmse` is in units of y, `relative_rmse` in units of y's standard deviation. `margin` is the distance
    of a·x + b to the border of f's domain or its nearest pole, in units of the range of a·x + b.
    """

    function: Function
    a: float
    b: float
    c: float
    d: float
    p: float | None
    names: tuple[str, ...]
    covariance: np.ndarray
    r2: float
    rmse: float
    relative_rmse: float
    margin: float

    @cached_property
    def errors(self) -> dict[str, float]:
        """Return the standard error of each parameter that was free."""
        return {n: float(s) for n, s in zip(self.names, np.sqrt(np.diag(self.covariance)), strict=True)}

    @property
    def curve(self) -> Symbolic:
        """Return the fit as a curve for a graph's edge."""
        return Symbolic(self.function, self.a, self.b, self.c, self.d, self.p)

    def __call__(self, x: Any) -> np.ndarray:
        """Return c·f(a·x + b) + d."""
        return self.c * self.function(self.a * np.asarray(x, float) + self.b, self.p) + self.d


@dataclass(frozen=True, eq=False)
class Data:
    """Hold one curve in its own units: t in [-1, 1] ascending, y standardised, weights of mean 1."""

    x: np.ndarray
    t: np.ndarray
    y: np.ndarray
    w: np.ndarray
    middle: float
    half: float
    mean: float
    scale: float

    @cached_property
    def roughness(self) -> float:
        """Return the typical misfit of a row from the line through its neighbours: noise, if x is dense."""
        t, y, _ = self.some
        gap = t[2:] - t[:-2]
        wide = gap > 0
        inner = (t[1:-1] - t[:-2])[wide] / gap[wide]
        miss = y[1:-1][wide] - (y[:-2][wide] * (1 - inner) + y[2:][wide] * inner)
        return float(np.median(np.abs(miss))) if len(miss) else 1.0

    @cached_property
    def some(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return at most ENOUGH rows, evenly by rank, both ends included."""
        n = len(self.t)
        if n <= ENOUGH:
            return self.t, self.y, self.w
        pick = np.unique(np.linspace(0, n - 1, ENOUGH).round().astype(int))
        return self.t[pick], self.y[pick], self.w[pick]

    @cached_property
    def total(self) -> float:
        """Return the sum of squares that `some` rows have about their mean."""
        _, y, w = self.some
        return float((w * (y - np.average(y, weights=w)) ** 2).sum())

    @cached_property
    def waves(self) -> np.ndarray:
        """Return rate, cosine and sine parts of the likeliest waves; see :func:`_periodogram`."""
        return _periodogram(*self.some)

    @cached_property
    def exponentials(self) -> np.ndarray:
        """Return rate, rising and falling parts of mixtures of exponentials, best first."""
        return _mixtures(*self.coarse)

    @cached_property
    def binned(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the mean t, mean y and weight of each node that holds rows; the two ends alone."""
        n = len(EDGES)
        index = np.searchsorted(EDGES, self.t, side="right")
        index = np.where(self.t <= -1, 0, np.where(self.t >= 1, n, np.clip(index, 1, n - 1)))
        w = np.bincount(index, self.w, n + 1)
        t = np.bincount(index, self.w * self.t, n + 1)
        y = np.bincount(index, self.w * self.y, n + 1)
        full = w > 0
        return t[full] / w[full], y[full] / w[full], np.where(full, w, 0.0)

    @cached_property
    def at_nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weights and weighted, centred, normalised y at the nodes, float32."""
        t, y, w = self.binned
        w = w / w.sum()
        at = np.interp(NODES, t, y)
        at = at - (w * at).sum()
        norm = math.sqrt(float((w * at * at).sum())) or 1.0
        return w.astype(np.float32), (w * at / norm).astype(np.float32)

    @cached_property
    def coarse(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the few points on which all starts are refined.

        All rows when few; else, of a smooth curve, the row nearest to each node (bin means bend steep
        curves), and of a noisy one the bin means.
        """
        if len(self.t) <= 2 * len(NODES):
            return self.t, self.y, self.w
        if self.roughness < SMOOTH:
            rows = np.searchsorted(self.t, NODES[1:-1])
            rows = np.unique(np.concatenate([[0, len(self.t) - 1], np.minimum(rows, len(self.t) - 1)]))
            share = np.diff(np.concatenate([[0], (rows[1:] + rows[:-1] + 1) // 2, [len(self.t)]]))
            return self.t[rows], self.y[rows], share.astype(float)
        t, y, w = self.binned
        return t, y, w[w > 0]


def prepare(x: Any, y: Any, weights: Any = None) -> Data:
    """Check one curve and put it into its own units.

    Raises InputError: different lengths, fewer than 4 distinct x, a constant y, non-finite values,
    negative weights.
    """
    x, y = np.asarray(x, float).ravel(), np.asarray(y, float).ravel()
    if len(x) != len(y):
        raise InputError(
            f"x has {len(x)} values and y has {len(y)}; a curve needs as many of one as of the other."
        )
    for name, values in (("x", x), ("y", y)):
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise InputError(
                f"{name}[{bad[0]}] is {values[bad[0]]}; drop the {len(bad)} row(s) that are not finite."
            )
    if weights is None:
        w = np.ones(len(x))
    else:
        w = np.asarray(weights, float).ravel()
        if len(w) != len(x):
            raise InputError(f"There are {len(w)} weights for {len(x)} rows; give one weight per row.")
        bad = np.flatnonzero(~(np.isfinite(w) & (w >= 0)))
        if len(bad):
            raise InputError(f"weights[{bad[0]}] is {w[bad[0]]}; weights are finite and not negative.")
        keep = w > 0
        x, y, w = x[keep], y[keep], w[keep]
    if len(np.unique(x[:64])) < 4 and len(np.unique(x)) < 4:
        raise InputError(
            f"x has {len(np.unique(x))} distinct value(s) of positive weight; a fit needs at least 4."
        )
    w = w / w.mean()
    if not (np.diff(x) >= 0).all():
        order = np.argsort(x, kind="stable")
        x, y, w = x[order], y[order], w[order]
    low, high = float(x[0]), float(x[-1])
    middle, half = 0.5 * low + 0.5 * high, 0.5 * high - 0.5 * low
    t = np.clip((x - middle) / half, -1.0, 1.0)
    size = float(np.abs(y).max())
    if np.ptp(y) <= 4e-16 * size:
        raise InputError(f"y is constant ({y[0]:g}); there is no curve to fit.")
    mean = float(np.average(y, weights=w))
    z = y - mean
    top = float(np.abs(z).max())
    scale = top * math.sqrt(float(np.average((z / top) ** 2, weights=w)))
    return Data(x, t, z / scale, w, middle, half, mean, scale)


def _program(f: Function) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    p = f.program
    return p.operations, p.left, p.right, p.numbers


def refine(
    f: Function,
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
    if f.program.is_elementary:
        rss = varpro.varpro(
            *_program(f), *data, starts, form.free, low, high, form.marks, form.period, steps, tolerance, stop
        )
        return starts, rss
    t, y, w = data
    return varpro_numpy.varpro_numpy(
        f.program, t, y, w, starts, form.free, low, high, form.marks, form.period, steps, tolerance
    )


def search(f: Function, data: Data) -> tuple[np.ndarray, float]:
    """Return (alpha, beta, p) of the best fit in the curve's units, and its residual sum over `some` rows."""
    starts, rss = polish(f, data, *survey(f, data), 14, 1e-3)
    starts, rss = polish(f, data, starts[:2], rss[:2], 80, 1e-9)
    return (starts[0], float(rss[0])) if len(starts) else (np.full(3, np.nan), math.inf)


def survey(f: Function, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct basins (k × 3, best first) and their residual sums, refined at low cost."""
    form = shapes(f)
    if form.kind == "constant":
        return np.array([[1.0, 0.0, 1.0]]), np.array([data.total])
    if form.kind == "line":
        return refine(f, form, data.some, np.array([[1.0, 0.0, 1.0]]), 0, 0.0, 0.0)
    if form.kind == "wave":
        starts, rss = _waves(f, data)
    elif form.kind == "hyperbolic":
        starts, rss = refine(f, form, data.coarse, _hyperbolic(f, data), 12, 1e-4, 0.0)
    else:
        starts, rss = refine(
            f, form, data.coarse, _starts(form, data, STARTS * (1 + oscillates(f))), 12, 1e-4, 0.0
        )
    keep = _distinct(starts, rss, POLISHED)
    return starts[keep], rss[keep]


def polish(
    f: Function, data: Data, starts: np.ndarray, rss: np.ndarray, steps: int, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return starts refined on `some` rows, best first, with their residual sums."""
    form = shapes(f)
    if len(starts) == 0 or form.kind in ("constant", "line"):
        return starts, rss
    best, rss = refine(f, form, data.some, starts, steps, tolerance, EXACT * data.total)
    order = np.argsort(rss, kind="stable")
    order = order[np.isfinite(rss[order])]
    return best[order], rss[order]


def _distinct(starts: np.ndarray, rss: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the best refined starts, leaving out those that ran to the same place."""
    order = np.argsort(rss)
    return kernels.distinct(starts, order[np.isfinite(rss[order])], count)


def _starts(form: Shapes, data: Data, count: int = STARTS) -> np.ndarray:
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
    return refine(f, shapes(f), data.some, starts, 8, 1e-4, EXACT * data.total)


def _periodogram(t: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return rate, cosine and sine parts of the likeliest waves, best first.

    Peaks of the floating-mean periodogram (Zechmeister and Kürster 2009), by FFT of finely binned rows,
    and a few low rates that a periodogram blurs; ordered by the residuals of their regressions.
    """
    bins, pad = 4096, 8
    place = np.minimum(((t + 1) * (bins / 2)).astype(int), bins - 1)
    size = bins * pad
    W = np.fft.rfft(np.bincount(place, w, bins), size) / w.sum()
    mean = float(np.average(y, weights=w))
    Y = np.fft.rfft(np.bincount(place, w * (y - mean), bins), size) / w.sum()
    distinct = min(len(t), bins)
    top = max(16, min(len(W) // 2 - 1, int(distinct * pad / 2)))
    k = np.arange(1, top)
    C, S, yc, ys = W[k].real, -W[k].imag, Y[k].real, -Y[k].imag
    c2, s2 = W[2 * k].real, -W[2 * k].imag
    cc, ss, cs = 0.5 * (1 + c2) - C * C, 0.5 * (1 - c2) - S * S, 0.5 * s2 - C * S
    det = np.maximum(cc * ss - cs * cs, 1e-12)
    power = (ss * yc**2 - 2 * cs * yc * ys + cc * ys**2) / det
    inner = power[1:-1]
    peaks = np.flatnonzero((inner >= power[:-2]) & (inner >= power[2:])) + 1
    peaks = peaks[np.argsort(-power[peaks], kind="stable")][:5]
    rates = np.concatenate([k[peaks] * (math.pi / pad), np.geomspace(0.1, 4.0, 9)])
    phase = rates[:, None] * t
    basis = np.stack([np.cos(phase), np.sin(phase)], 1)
    share = w / w.sum()
    basis = basis - (basis @ share)[:, :, None]
    gram = np.einsum("kan,kbn,n->kab", basis, basis, share)
    right = basis @ (share * (y - mean))
    gram += 1e-13 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(2)
    parts = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
    order = np.argsort(-(parts * right).sum(1), kind="stable")[:6]
    return np.column_stack([rates, parts])[order]


def _mixture(t: np.ndarray, y: np.ndarray, w: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return residual sum, rising and falling parts of the best 1, exp(r·t), exp(-r·t) mixture per rate r."""
    root = np.sqrt(w)
    r = rates[:, None]
    A = np.stack([np.ones((len(rates), len(t))), np.exp(r * (t - 1)), np.exp(-r * (t + 1))], 2)
    q, R = np.linalg.qr(A * root[:, None])
    z = q.transpose(0, 2, 1) @ (y * root)
    rest = y * root - (q @ z[:, :, None])[:, :, 0]
    regular = np.abs(np.diagonal(R, axis1=1, axis2=2)).min(1) > 0
    parts = np.linalg.solve(np.where(regular[:, None, None], R, np.eye(3)), z[:, :, None])[:, 1:, 0]
    return np.column_stack([(rest * rest).sum(1), np.where(regular[:, None], parts, 0.0)])


def _mixtures(t: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return rate, rising and falling parts of mixtures of exponentials, best first."""
    grid = np.geomspace(0.03, 300.0, 24)
    trials = _mixture(t, y, w, grid)
    k = int(np.argmin(trials[:, 0]))
    found = minimize_scalar(
        lambda z: _mixture(t, y, w, np.exp([z]))[0, 0],
        bounds=(math.log(grid[max(k - 1, 0)]), math.log(grid[min(k + 1, len(grid) - 1)])),
        method="bounded",
        options={"xatol": 1e-6, "maxiter": 40},
    )
    best = np.exp([found.x])
    rates, trials = np.append(best, grid), np.concatenate([_mixture(t, y, w, best), trials])
    order = np.argsort(trials[:, 0], kind="stable")
    return np.column_stack([rates, trials[:, 1:]])[order]


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
    _, rss = refine(f, shapes(f), data.coarse, cells, 0, 0.0, 0.0)
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


def finish(f: Function, data: Data, best: np.ndarray, polished: bool = True) -> AffineFit:
    """Return the fit in the data's own units, in canonical form, with errors; first polish it on all rows."""
    if not np.isfinite(best).all():
        raise DomainError(f"Function {f.name!r} is defined on no window of this curve; leave it out.")
    form = shapes(f)
    rows = (data.t, data.y, data.w)
    if polished and form.kind not in ("constant", "line") and len(data.t) > ENOUGH:
        (best,), _ = refine(f, form, rows, best[None], 20, 1e-7, 0.0)
    alpha, beta, p = best
    if polished and len(form.barriers) and abs(data.middle) <= 2 * data.half:
        # near a border x itself has more digits than its distance from the middle
        start = np.array([[alpha, beta - alpha * (data.middle / data.half), p]])
        (exact,), _ = refine(f, form, (data.x / data.half, data.y, data.w), start, 12, 1e-12, 0.0)
        if np.isfinite(exact).all():
            return _in_units(f, form, data, exact, exact[1])
    return _in_units(f, form, data, best, beta - alpha / data.half * data.middle)


def _in_units(f: Function, form: Shapes, data: Data, best: np.ndarray, b: float) -> AffineFit:
    alpha, b, p = float(best[0]), float(b), float(best[2])
    p_given = p if f.has_exponent else None
    a = alpha / data.half
    t, y, w = data.t, data.y, data.w
    n = len(t)
    if form.kind == "constant":
        cov = np.array([[data.scale**2 / n]])
        return AffineFit(f, 1.0, 0.0, 0.0, data.mean, None, ("d",), cov, 0.0, data.scale, 1.0, math.inf)
    a, b = canonical(f, form, a, b)
    # c and d follow from the canonical a and b on the data's own x, so that the fit gives what it prints
    x = data.x
    if form.kind == "rate" and max(abs(a * x[0]), abs(a * x[-1])) > 300:
        b = -max(a * x[0], a * x[-1])  # exp(a·x) alone would overflow
    a, b = _inside(f, form, x, a, b)
    q = 1.0 if p_given is None else p_given
    v = np.empty(n)
    for rows in _blocks(n):
        v[rows] = f.program.value(a * x[rows] + b, q)
    size = float(np.abs(v).max())
    if not (np.isfinite(size) and size > 0):
        raise DomainError(f"Function {f.name!r} is not finite on this curve at its best place; leave it out.")
    v /= size
    mean = float(np.average(v, weights=w))
    g = v - mean
    sff = float((w * g) @ g) or 1.0
    c = float((w * g) @ y) / sff
    r = y - c * g
    c += float((w * g) @ r) / sff
    r = y - c * g
    shift = float(np.average(r, weights=w))
    r -= shift
    rss = float((w * r) @ r)
    total = float(np.average(y, weights=w))
    total = float((w * (y - total)) @ (y - total))
    names = [k for k in "ab" if form.free["ab".index(k)]] + (["p"] if f.has_exponent else [])
    R = np.zeros((0, len(names) + 2))
    for rows in _blocks(n):  # one triangle after another: little memory, and QR's accuracy
        _, vx, vp = f.program.dual(a * x[rows] + b, q) if names else (0.0, 0.0, 0.0)
        columns = {"a": c / size * vx * t[rows], "b": c / size * vx, "p": c / size * vp}
        J = np.column_stack([*(columns[k] for k in names), g[rows], np.ones(len(g[rows]))])
        J = np.where(np.isfinite(J), J, 0.0) * np.sqrt(w[rows])[:, None]
        R = np.asarray(np.linalg.qr(np.concatenate([R, J]), mode="r"))
    names += ["c", "d"]
    norm = np.sqrt((R * R).sum(0))
    norm[norm == 0] = 1.0
    R = R / norm
    sigma2 = rss / max(n - len(names), 1)
    inverse = np.linalg.pinv(R, rcond=1e-15)
    with np.errstate(all="ignore"):
        cov = inverse @ inverse.T * sigma2 / np.outer(norm, norm)
    # from (alpha about the middle, beta, p, c about the mean, d) to (a, b, p, c, d)
    T = np.eye(len(names))
    at = {k: i for i, k in enumerate(names)}
    T[at["c"], at["c"]], T[at["d"], at["d"]] = data.scale / size, data.scale
    T[at["d"], at["c"]] = -mean * data.scale
    if "a" in at:
        T[at["a"], at["a"]] = 1 / data.half
        if "b" in at:
            T[at["b"], at["a"]] = -data.middle / data.half
    with np.errstate(all="ignore"):
        cov = T @ cov @ T.T
    rmse = math.sqrt(rss / n) * data.scale
    deviation = math.sqrt(total / n)
    level = (shift - c * mean) * data.scale + data.mean
    share = rss / total if deviation else 0.0
    return AffineFit(
        f, a, b, c * data.scale / size, level, p_given, tuple(names), cov,
        1 - share, rmse, math.sqrt(share), margin(f, a, b, x),
    )  # fmt: skip


def _blocks(n: int, size: int = 16384) -> list[slice]:
    return [slice(at, min(at + size, n)) for at in range(0, n, size)]


def held_out(f: Function, data: Data, best: np.ndarray) -> float:
    """Return the mean squared leave-one-out residual over `some` rows, in units of y's variance.

    Each residual is divided by 1 - leverage (Allen's PRESS), exact for the linear parameters.
    """
    form = shapes(f)
    t, y, w = data.some
    alpha, beta, p = best
    v, vx, vp = f.program.dual(alpha * t + beta, p if f.has_exponent else 1.0)
    columns = [np.ones_like(t)]
    if form.kind != "constant":
        columns.append(v)
        for free, column in zip(form.free, (vx * t, vx, vp), strict=True):
            if free:
                columns.append(column)
    J = np.column_stack(columns)
    J = np.where(np.isfinite(J), J, 0.0)
    norm = np.abs(J).max(0)
    root = np.sqrt(w)
    J = J / np.where(norm > 0, norm, 1.0) * root[:, None]
    q, r = np.linalg.qr(J)
    size = np.abs(np.diag(r))
    q = q[:, size > 1e-13 * size.max()]
    linear, _ = np.linalg.qr(J[:, :2])
    rest = y * root - linear @ (linear.T @ (y * root))
    rest = rest - linear @ (linear.T @ rest)
    leverage = np.minimum((q * q).sum(1), 0.99)
    return float(np.mean((rest / (1 - leverage)) ** 2))


def canonical(f: Function, form: Shapes, a: float, b: float) -> tuple[float, float]:
    """Return the (a, b) by which equal fits print equally; c and d follow from them.

    Redundant letters become 1 and 0 (a keeps its sign where f cannot be mirrored), a is positive where
    f(-x) is c·f(x) + d, phases lie in (-pi/2, pi/2] for sin and cos and in half a period around 0 else.
    """
    if form.kind == "line":
        return 1.0, 0.0
    if form.kind == "root" and a != 0:
        a, b = (1.0, b / a) if f.reflection is not None or a > 0 else (-1.0, b / -a)
    elif a < 0 and f.reflection is not None:
        a, b = -a, -b
    if form.kind == "rate":
        b = 0.0
    period = math.pi if form.kind == "wave" else f.period
    if period is not None:
        b -= period * round(b / period)
        if b <= -period / 2:
            b += period
    return a, b


def _inside(f: Function, form: Shapes, x: np.ndarray, a: float, b: float) -> tuple[float, float]:
    """Return (a, b) moved by round-off where a·x + b would leave the domain by round-off."""
    for _ in range(4):
        ends = a * x[0] + b, a * x[-1] + b
        if math.isfinite(form.low) and not np.isfinite(f(min(ends))):
            b += max(form.low - min(ends), 0.0) + 4 * np.spacing(max(abs(b), abs(ends[0]), abs(ends[1])))
        if math.isfinite(form.high) and not np.isfinite(f(max(ends))):
            excess = max(max(ends) - form.high, 0.0) + 4 * np.spacing(max(abs(b), abs(ends[0]), abs(ends[1])))
            if math.isfinite(form.low):
                a, b = a * (1 - excess), b * (1 - excess)
            else:
                b -= excess
    return a, b


def margin(f: Function, a: float, b: float, x: np.ndarray) -> float:
    """Return the distance of a·x + b to the domain's border or the nearest pole, in units of its range."""
    low, high = sorted((a * float(x[0]) + b, a * float(x[-1]) + b))
    width = high - low or 1.0
    gaps = [math.inf]
    for piece in f.domain:
        if piece.low <= low and high <= piece.high:
            gaps += [low - piece.low, piece.high - high]
    for z in f.poles:
        gaps.append(float(np.abs(a * x + b - z).min()) if low < z < high else max(low - z, z - high))
    return min(gaps) / width

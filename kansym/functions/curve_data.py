"""One curve's rows in their own units, thinned and binned, with the waves and exponentials that lie in them.

t in [-1, 1] for x, zero mean and unit variance for y: what `affine` searches in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from kansym.base.errors import InputError
from kansym.functions.shapes import EDGES, NODES

ENOUGH = 1024
"""Rows that the search looks at; the final polish and the errors use all."""

SMOOTH = 0.01
"""Misfit of a row from the line through its neighbours, in SDs of y, below which a curve is smooth."""


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

"""Variable projection in numpy: many starts of one special function at once (`varpro`: of the others).

It stands apart from `base.leastsq` because SciPy's special functions are only fast on large arrays: all
starts take each step together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kansym.base.linear import TINY
from kansym.functions.bytecode import Bytecode


def varpro_numpy(
    program: Bytecode,
    t: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    starts: np.ndarray,
    free: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    marks: np.ndarray,
    period: float,
    steps: int,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return refined starts (k × 3) and residual sums, by Levenberg–Marquardt with c and d projected out."""
    curve = _Curve(program, t, y, w)
    z = np.array(starts, float)
    which = np.flatnonzero(free)
    now = curve.fitted(z)
    lam = np.full(len(z), 1e-3)
    done = ~np.isfinite(now[0])
    calm = np.zeros(len(z), int)
    for _ in range(steps):
        if done.all() or len(which) == 0:
            break
        mark = _nearest(z[:, 1:2], marks, period)
        A, b, size = curve.normal(z, now, mark, which)
        accepted = np.zeros(len(z), bool)
        for _trial in range(6):
            step = _solved(A, b, lam, size, which)
            if step is None:
                break
            new = _step(z, step, mark[:, 0], t, low, high)
            new = np.where((accepted | done)[:, None], z, new)
            trial = curve.fitted(new)
            better = (trial[0] < now[0]) & ~accepted & ~done
            if better.any():
                gain = (now[0][better] - trial[0][better]) / np.maximum(now[0][better], TINY)
                calm[better] = np.where(gain < tolerance, calm[better] + 1, 0)
                z[better] = new[better]
                for old, fresh in zip(now, trial, strict=True):
                    old[better] = fresh[better]
                accepted |= better
                lam[better] = np.maximum(lam[better] * 0.1, 1e-15)
            lam = np.where(accepted | done, lam, np.maximum(lam, 1e-9) * 6)
            if (accepted | done).all():
                break
        done |= ~accepted | (calm >= 2)
    return z, now[0]


@dataclass(frozen=True, eq=False)
class _Curve:
    """Hold what is fitted: a function, and rows t, y with weights w (n,)."""

    program: Bytecode
    t: np.ndarray
    y: np.ndarray
    w: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """Return the weights, their sum 1."""
        return self.w / self.w.sum()

    def fitted(self, z: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return residual sums (k,), c, f less its mean, its square, the residuals, and f's slopes (k, n)."""
        share, y = self.share, self.y
        f, fx, fp = self.program.dual(z[:, :1] * self.t + z[:, 1:2], z[:, 2:3])
        with np.errstate(all="ignore"):
            g = f - (f @ share)[:, None]
            square = (g * g) @ share
            level = y - y @ share
            c = ((g * level) @ share) / square
            r = level - c[:, None] * g
            c = c + ((g * r) @ share) / square
            r = level - c[:, None] * g
            r = r - (r @ share)[:, None]
            cost = (r * r) @ self.w
        cost = np.where(np.isfinite(cost) & (square > 0), cost, np.inf)
        return cost, c, g, square, r, fx, fp

    def normal(
        self, z: np.ndarray, now: tuple[np.ndarray, ...], mark: np.ndarray, which: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return normal matrices (k, q, q) and right sides (k, q), scaled to unit diagonal by the third."""
        _, c, g, square, r, fx, fp = now
        share, w = self.share, self.w
        with np.errstate(all="ignore"):
            u = z[:, :1] * self.t + z[:, 1:2]
            slopes = {0: fx * (u - mark), 1: fx * z[:, :1], 2: fp}
            G = np.stack([slopes[int(i)] * c[:, None] for i in which], 1)
            G = np.where(np.isfinite(G), G, 0.0)
            G = G - (G @ share)[:, :, None]
            along = np.einsum("kqn,kn,n->kq", G, g, share)
            G = G - along[:, :, None] / square[:, None, None] * g[:, None, :]
            A = np.einsum("kqn,krn,n->kqr", G, G, w)
            b = np.einsum("kqn,kn,n->kq", G, r, w)
        diagonal = np.einsum("kqq->kq", A)
        size = np.sqrt(np.where(np.isfinite(diagonal) & (diagonal > 0), diagonal, 1.0))
        return np.nan_to_num(A / size[:, :, None] / size[:, None, :]), np.nan_to_num(b / size), size


def _nearest(beta: np.ndarray, marks: np.ndarray, period: float) -> np.ndarray:
    """Return the mark next to each beta (k, 1); far out a tail knows only its scale, and it is 0."""
    base = period * np.floor(beta / period + 0.5) if period > 0 else 0.0
    near = np.abs(base + marks - beta).argmin(1)
    mark = base + marks[near][:, None]
    return np.where(np.abs(mark - beta) > 5.0, 0.0, mark)


def _solved(
    A: np.ndarray, b: np.ndarray, lam: np.ndarray, size: np.ndarray, which: np.ndarray
) -> np.ndarray | None:
    """Return the damped steps (k × 3), None where a matrix is singular."""
    one = np.eye(len(which))
    M = A + (lam[:, None] + 1e-14)[:, :, None] * one + one * (A == 0).all((1, 2))[:, None, None]
    try:
        step = np.linalg.solve(M, b[:, :, None])[:, :, 0] / size
    except np.linalg.LinAlgError:
        return None
    full = np.zeros((len(b), 3))
    full[:, which] = step
    return full


def _step(
    z: np.ndarray, step: np.ndarray, mark: np.ndarray, t: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Return the points a step away in (log alpha, (beta - mark)/alpha, p), kept to the domain."""
    share = np.minimum(1.0, 1.5 / (np.abs(step[:, 0]) + TINY))
    ends = np.array([t.min(), t.max()])
    old = z[:, :1] * ends + z[:, 1:2]
    new = z.copy()
    for _ in range(60):
        new[:, 0] = z[:, 0] * np.exp(share * step[:, 0])
        new[:, 1] = mark + new[:, 0] * ((z[:, 1] - mark) / z[:, 0] + share * step[:, 1])
        new[:, 2] = z[:, 2] + share * step[:, 2]
        u = new[:, :1] * ends + new[:, 1:2]
        with np.errstate(all="ignore"):
            out = np.isfinite(low) & (u - low[:, None] < 0.1 * (old - low[:, None])).any(1)
            out |= np.isfinite(high) & (high[:, None] - u < 0.1 * (high[:, None] - old)).any(1)
        if not out.any():
            return new
        share = np.where(out, share * 0.6, share)
    return np.where(out[:, None], z, new)

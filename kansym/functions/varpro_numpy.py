"""Variable projection in numpy: many starts of one special function at once (`varpro`: of the others).

It stands apart from `base.leastsq` because SciPy's special functions are only fast on large arrays: all
starts take each step together.
"""

from __future__ import annotations

import numpy as np

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
    z = np.array(starts, float)
    share = w / w.sum()
    k = len(z)
    which = np.flatnonzero(free)

    def assess(z: np.ndarray) -> tuple[np.ndarray, ...]:
        u = z[:, :1] * t + z[:, 1:2]
        f, fx, fp = program.dual(u, z[:, 2:3])
        with np.errstate(all="ignore"):
            g = f - (f @ share)[:, None]
            sff = (g * g) @ share
            yc = y - y @ share
            c = ((g * yc) @ share) / sff
            r = yc - c[:, None] * g
            c = c + ((g * r) @ share) / sff
            r = yc - c[:, None] * g
            r = r - (r @ share)[:, None]
            cost = (r * r) @ w
        cost = np.where(np.isfinite(cost) & (sff > 0), cost, np.inf)
        return cost, c, g, sff, r, fx, fp

    now = assess(z)
    lam = np.full(k, 1e-3)
    done = ~np.isfinite(now[0])
    calm = np.zeros(k, int)
    for _ in range(steps):
        if done.all() or len(which) == 0:
            break
        _, c, g, sff, r, fx, fp = now
        base = period * np.floor(z[:, 1:2] / period + 0.5) if period > 0 else 0.0
        near = np.abs(base + marks - z[:, 1:2]).argmin(1)
        mark = base + marks[near][:, None]
        mark = np.where(np.abs(mark - z[:, 1:2]) > 5.0, 0.0, mark)
        with np.errstate(all="ignore"):
            u = z[:, :1] * t + z[:, 1:2]
            G = np.stack(
                [{0: fx * (u - mark), 1: fx * z[:, :1], 2: fp}[int(i)] * c[:, None] for i in which], 1
            )
            G = np.where(np.isfinite(G), G, 0.0)
            G = G - (G @ share)[:, :, None]
            G = G - np.einsum("kqn,kn,n->kq", G, g, share)[:, :, None] / sff[:, None, None] * g[:, None, :]
            A = np.einsum("kqn,krn,n->kqr", G, G, w)
            b = np.einsum("kqn,kn,n->kq", G, r, w)
        diagonal = np.einsum("kqq->kq", A)
        size = np.sqrt(np.where(np.isfinite(diagonal) & (diagonal > 0), diagonal, 1.0))
        A = np.nan_to_num(A / size[:, :, None] / size[:, None, :])
        b = np.nan_to_num(b / size)
        accepted = np.zeros(k, bool)
        for _trial in range(6):
            M = (
                A
                + (lam[:, None] + 1e-14)[:, :, None] * np.eye(len(which))
                + np.eye(len(which)) * (A == 0).all((1, 2))[:, None, None]
            )
            try:
                step = np.linalg.solve(M, b[:, :, None])[:, :, 0] / size
            except np.linalg.LinAlgError:
                break
            full = np.zeros((k, 3))
            full[:, which] = step
            new = _step(z, full, mark[:, 0], t, low, high)
            new = np.where((accepted | done)[:, None], z, new)
            trial = assess(new)
            better = (trial[0] < now[0]) & ~accepted & ~done
            if better.any():
                gain = (now[0][better] - trial[0][better]) / np.maximum(now[0][better], 1e-300)
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


def _step(
    z: np.ndarray, step: np.ndarray, mark: np.ndarray, t: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Return the points a step away in (log alpha, (beta - mark)/alpha, p), kept to the domain."""
    share = np.minimum(1.0, 1.5 / (np.abs(step[:, 0]) + 1e-300))
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

"""Ratios of two polynomials as numbers: columns of monomials, starts, fits, exact supports, elimination.

A support is a tuple of numerator and one of denominator columns. `pade` chooses among supports and
makes formulas of them; this room knows neither names nor prices.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.base.leastsq import ResidualAndJacobian, levenberg_marquardt
from kansym.base.linear import TINY, norms
from kansym.base.polynomials import exponents

Support = tuple[tuple[int, ...], tuple[int, ...]]

REWEIGHTINGS = 4
"""Sanathanan–Koerner passes; more change little where they converge and help nowhere else."""

MANY, STEPS, FEW_STEPS = 40, 25, 8
"""Terms beyond which a fit takes few steps, whose cost grows with their cube; steps of both."""

NULL = 1e-11
"""Relative singular value below which the linearised equations count as solved exactly."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Hold monomial columns M (n, k) of inputs scaled by `scale` (d,), y / `size`, and root weights w."""

    M: np.ndarray
    y: np.ndarray
    w: np.ndarray
    E: np.ndarray
    scale: np.ndarray
    size: float

    @staticmethod
    def of(X: np.ndarray, y: np.ndarray, weights: np.ndarray | None, degree: int) -> Sheet:
        """Return the sheet of a table: every input in units of its largest value, y of its RMS."""
        scale = np.abs(X).max(axis=0)
        scale[scale == 0] = 1.0
        size = float(np.sqrt(np.mean((y / np.abs(y).max()) ** 2)) * np.abs(y).max()) if np.any(y) else 1.0
        w = np.ones(len(y)) if weights is None else np.sqrt(weights / np.mean(weights))
        E = exponents(X.shape[1], degree)
        return Sheet(columns(X / scale, E), y / size, w, E, scale, size)

    def rows(self, index: np.ndarray) -> Sheet:
        """Return the sheet of some rows, in the same units."""
        return Sheet(self.M[index], self.y[index], self.w[index], self.E, self.scale, self.size)

    def upto(self, degree: int) -> tuple[int, ...]:
        """Return the columns of total degree up to `degree`."""
        return tuple(np.flatnonzero(self.E.sum(axis=1) <= degree).tolist())


def columns(Z: np.ndarray, E: np.ndarray) -> np.ndarray:
    """Return the monomials (n, k) of Z (n, d) with exponents E (k, d)."""
    M = np.ones((len(Z), len(E)))
    for i in range(Z.shape[1]):
        powers = Z[:, i : i + 1] ** np.arange(E[:, i].max(initial=0) + 1)
        M *= powers[:, E[:, i]]
    return M


@dataclass(frozen=True, eq=False)
class Ratio:
    """Hold a fit: coefficients p and q in the sheet's units, loss (mean weighted square, in y/size)."""

    support: Support
    p: np.ndarray
    q: np.ndarray
    loss: float

    @property
    def terms(self) -> int:
        """Return the number of coefficients, the normalised one included."""
        return len(self.p) + len(self.q)

    def values(self, M: np.ndarray) -> np.ndarray:
        """Return P/Q at rows of monomials."""
        num, den = self.support
        with np.errstate(all="ignore"):
            return (M[:, num] @ self.p) / (M[:, den] @ self.q)

    def denominator(self, M: np.ndarray) -> np.ndarray:
        """Return Q at rows of monomials."""
        return M[:, self.support[1]] @ self.q

    def pivot(self, M: np.ndarray) -> int:
        """Return the position in q of the term that weighs most: the safest one to pin."""
        return int(np.argmax(np.abs(self.q) * np.linalg.norm(M[:, self.support[1]], axis=0)))


def measured(sheet: Sheet, support: Support, p: np.ndarray, q: np.ndarray) -> Ratio:
    """Return the ratio with its loss on the sheet; infinite where it is undefined."""
    ratio = Ratio(support, p, q, np.inf)
    r = (ratio.values(sheet.M) - sheet.y) * sheet.w
    loss = float(np.mean(r * r)) if np.all(np.isfinite(r)) else np.inf
    return Ratio(support, p, q, loss if np.isfinite(loss) else np.inf)


def linearised(sheet: Sheet, support: Support, passes: int = REWEIGHTINGS) -> Ratio:
    """Return the best of the linearised fits min |w (P − y Q)/Q_before|², |(p, q)| = 1 in column norms.

    The smallest right singular vector, so that no coefficient needs to be guessed non-zero; the weights
    1/Q_before bring back the true error (Sanathanan and Koerner, IEEE Trans. Autom. Control 8, 1963).
    """
    num, den = list(support[0]), list(support[1])
    A = np.hstack([sheet.M[:, num], -sheet.y[:, None] * sheet.M[:, den]]) * sheet.w[:, None]
    best: Ratio | None = None
    weight = np.ones(len(A))
    if len(den) == 1:
        # the denominator is one known column, so the problem is linear in the true error already
        only = np.abs(sheet.M[:, den[0]])
        weight = 1 / np.maximum(only, 1e-150) if np.all(only > 0) else weight
    for _ in range(max(passes, 1) if len(den) > 1 else 1):
        B = A * weight[:, None]
        norm = norms(B)
        R: Any = np.linalg.qr(B / norm, mode="r") if len(B) > B.shape[1] else B / norm
        if len(den) == 1:
            rhs = -R[:, -1] * norm[-1]
            v = np.linalg.lstsq(R[:, :-1], rhs, rcond=1e-14)[0] / norm[:-1]
            v = np.append(v, 1.0)
        else:
            v = np.linalg.svd(R)[2][-1] / norm
        p, q = v[: len(num)], v[len(num) :]
        found = measured(sheet, support, p, q)
        if best is None or found.loss < best.loss:
            best = found
        Q = np.abs(sheet.M[:, den] @ q)
        top = Q.max()
        if not np.isfinite(top) or top == 0:
            break
        weight = 1 / np.maximum(Q / top, 1e-6)
    assert best is not None
    return best


def refit(sheet: Sheet, start: Ratio, steps: int = 30) -> Ratio:
    """Return the minimum of the true error |w (P/Q − y)|² near a start; one denominator term is pinned."""
    if not np.isfinite(start.loss):
        return start
    theta, function = problem(sheet, start)
    fit = levenberg_marquardt(function, theta, max_steps=steps, damping=1e-4)
    p, q = unpack(start, sheet, fit.theta)
    found = measured(sheet, start.support, p, q)
    return found if found.loss <= start.loss else start


def problem(sheet: Sheet, start: Ratio, pin: int | None = None) -> tuple[np.ndarray, ResidualAndJacobian]:
    """Return the free coefficients of a ratio and the function that gives residual and Jacobian."""
    num, den = list(start.support[0]), list(start.support[1])
    pin = start.pivot(sheet.M) if pin is None else pin
    free = [i for i in range(len(den)) if i != pin]
    q0 = start.q[pin]
    MP, MQ, pinned = sheet.M[:, num], sheet.M[:, den][:, free], sheet.M[:, den[pin]]
    w, y, n = sheet.w, sheet.y, len(num)

    def function(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weighted residuals (n,) and their derivatives by the free coefficients."""
        Q = MQ @ theta[n:] + pinned
        f = (MP @ theta[:n]) / Q
        over = w / Q
        return (f - y) * w, np.hstack([MP * over[:, None], MQ * (-f * over)[:, None]])

    return np.concatenate([start.p, start.q[free]]) / q0, function


def unpack(start: Ratio, sheet: Sheet, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return p and q from the free coefficients that :func:`problem` uses."""
    n, pin = len(start.p), start.pivot(sheet.M)
    q = np.insert(theta[n:], pin, 1.0)
    return theta[:n], q


def steps_of(support: Support) -> int:
    """Return the steps that a fit on a support may take."""
    return FEW_STEPS if len(support[0]) + len(support[1]) > MANY else STEPS


def fitted(sheet: Sheet, support: Support, steps: int = 30) -> Ratio:
    """Return the least-squares ratio on a support, from its linearised start."""
    start = linearised(sheet, support)
    if not steps:
        return start
    if len(support[1]) > 1 and support[1][0] == 0 and not sheet.E[0].any():
        # with noise a linearised start may have poles everywhere; the best polynomial has none
        flat = linearised(sheet, (support[0], (0,)))
        start = _better(start, _extended(sheet, flat, support))
    return refit(sheet, start, steps)


def exact(sheet: Sheet, support: Support) -> Ratio | None:
    """Return a ratio of few terms that solves P − y Q = 0 exactly, None where there is none.

    The null space of the columns of P and −y·Q holds the law times every polynomial that the degrees
    leave room for; columns are struck out, the highest degrees first, until one vector is left.
    """
    num, den = list(support[0]), list(support[1])
    if len(sheet.y) < len(num) + len(den) + 1:
        return None
    A = np.hstack([sheet.M[:, num], -sheet.y[:, None] * sheet.M[:, den]]) * sheet.w[:, None]
    norm = np.linalg.norm(A, axis=0)
    if not np.all(norm > 0):
        return None
    R = np.linalg.qr(A / norm, mode="r")
    _, s, Vt = np.linalg.svd(R)
    N = Vt[s <= NULL * s[0]].T
    if N.shape[1] == 0:
        return None
    degree = np.concatenate([sheet.E[num].sum(axis=1), sheet.E[den].sum(axis=1)])
    for j in np.argsort(-degree, kind="stable"):
        if N.shape[1] == 1:
            break
        if np.abs(N[j]).max() <= 1e-9:
            continue
        # rotate so that one vector alone holds entry j, and drop it
        u, _, _ = np.linalg.svd(N[j][:, None])
        N = N @ u[:, 1:]
    v = N[:, 0]
    keep = np.abs(v) > 1e-7 * np.abs(v).max()
    smaller = (
        tuple(c for c, k in zip(num, keep[: len(num)], strict=True) if k),
        tuple(c for c, k in zip(den, keep[len(num) :], strict=True) if k),
    )
    if not smaller[0] or not smaller[1]:
        return None
    return refit(sheet, linearised(sheet, smaller), 10)


def forward(sheet: Sheet, candidates: Support, most: int) -> Iterator[Ratio]:
    """Yield fits of growing support: at each step the term that promises to lower the true error most."""
    num, den = candidates
    below = den[:1] if len(den) > 30 else den
    single = [fitted(sheet, ((i,), (j,)), 0) for i, j in itertools.product(num, below)]
    current = refit(sheet, min(single, key=lambda r: (r.loss, sum(map(sum, r.support)))))
    yield current
    while current.terms < most:
        theta, function = problem(sheet, current)
        r, J = function(theta)
        Q = current.denominator(sheet.M) / current.q[current.pivot(sheet.M)]
        over = sheet.w / Q
        new = [(0, c) for c in num if c not in current.support[0]]
        new += [(1, c) for c in den if c not in current.support[1]]
        if not new:
            return
        f = sheet.y * sheet.w + r
        C = np.column_stack([sheet.M[:, c] * (over if kind == 0 else -f / sheet.w * over) for kind, c in new])
        basis, _ = np.linalg.qr(J)
        C = C - basis @ (basis.T @ C)
        norm = np.linalg.norm(C, axis=0)
        gain = np.where(norm > 1e-9, (C.T @ r) ** 2 / np.maximum(norm, 1e-9) ** 2, 0.0)
        trials = []
        for k in np.argsort(-gain, kind="stable")[:3]:
            kind, c = new[k]
            grown = (tuple(sorted((*current.support[0], c))), current.support[1])
            if kind:
                grown = (current.support[0], tuple(sorted((*current.support[1], c))))
            start = _better(_extended(sheet, current, grown), linearised(sheet, grown))
            trials.append(refit(sheet, start, 12))
        current = min(trials, key=lambda t: t.loss)
        yield current


def _better(a: Ratio, b: Ratio) -> Ratio:
    """Return the ratio of smaller loss."""
    return a if a.loss <= b.loss else b


def _extended(sheet: Sheet, ratio: Ratio, support: Support) -> Ratio:
    """Return the same ratio on a larger support, new coefficients zero."""
    old = [dict(zip(ratio.support[k], (ratio.p, ratio.q)[k], strict=True)) for k in (0, 1)]
    p, q = (np.array([old[k].get(c, 0.0) for c in support[k]]) for k in (0, 1))
    return measured(sheet, support, p, q)


def backward(sheet: Sheet, full: Ratio, stop: float = np.inf) -> Iterator[Ratio]:
    """Yield fits of shrinking support, from a full fit down to two terms; ends above the loss `stop`.

    Terms leave by the smallest increase of the quadratic model theta_j²/C_jj, C the inverse of J'J,
    which is updated in place; the model is renewed after every quarter of the terms, near the end after
    each.
    """
    current = full
    yield current
    while current.terms > 2 and current.loss <= stop:
        theta, function = problem(sheet, current)
        _, J = function(theta)
        norm = norms(J)
        # a little damping: common factors of P and Q leave directions that cost nothing
        _, s, Vt = np.linalg.svd(np.linalg.qr(J / norm, mode="r"), full_matrices=False)
        C = (Vt.T / (s * s + (1e-12 * s[0]) ** 2)) @ Vt
        t = theta * norm
        n, pin = len(current.p), current.pivot(sheet.M)
        names = [(0, c) for c in current.support[0]]
        names += [(1, c) for i, c in enumerate(current.support[1]) if i != pin]
        alive = np.ones(len(t), bool)
        batch = max(1, len(t) // 4) if len(t) > 24 else 1
        for _ in range(batch):
            price = np.where(alive, t * t / np.maximum(np.diag(C), TINY), np.inf)
            if sum(k == 0 and a for (k, _), a in zip(names, alive, strict=True)) == 1:
                price[[i for i in range(n) if alive[i]]] = np.inf
            j = int(np.argmin(price))
            if not np.isfinite(price[j]):
                break
            row = C[j].copy()
            t = t - row * (t[j] / row[j])
            C = C - np.outer(row, row) / row[j]
            alive[j], t[j] = False, 0.0
        if alive.all():
            return
        pinned = (1, current.support[1][pin])
        kept = {name for name, a in zip(names, alive, strict=True) if a} | {pinned}
        support: Support = (
            tuple(c for c in current.support[0] if (0, c) in kept),
            tuple(c for c in current.support[1] if (1, c) in kept),
        )
        values = dict(zip(names, t / norm, strict=True)) | {pinned: 1.0}
        p, q = (np.array([values[k, c] for c in support[k]]) for k in (0, 1))
        start = _better(measured(sheet, support, p, q), linearised(sheet, support, 2))
        current = refit(sheet, start, steps_of(current.support))
        yield current


def every(sheet: Sheet, candidates: Support, most: int) -> Iterator[Ratio]:
    """Yield a fit on every support of up to `most` terms: for few candidates only."""
    num, den = candidates
    for k in range(2, most + 1):
        for a in range(1, k):
            supports = itertools.product(itertools.combinations(num, a), itertools.combinations(den, k - a))
            for support in supports:
                if _reduced(sheet.E, *support):
                    yield fitted(sheet, support)


def _reduced(E: np.ndarray, num: Sequence[int], den: Sequence[int]) -> bool:
    """Tell whether numerator and denominator share no factor x_i."""
    return not np.any(np.minimum(E[list(num)].min(axis=0), E[list(den)].min(axis=0)))

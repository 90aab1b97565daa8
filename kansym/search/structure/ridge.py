"""Fit y = m(x)·f(h(x)) with m and h monomials (or h a weighted sum) and f any smooth curve.

The exponents are found by Gauss–Newton with the curve's coefficients projected out (variable
projection; Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973, with Kaufman's derivative), from many
starts. It fits y itself, so noise on y is treated as it is, and signs do not matter. It does not name
the curve: that is `curve`'s job.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kansym.base.linear import TINY, factored, norms, solved, squares_left


@dataclass(frozen=True, eq=False)
class Ridge:
    """Hold one fit: y ≈ exp(L·p)·f(S·q), its residual share on the fitted rows."""

    p: np.ndarray
    q: np.ndarray
    share: float


class View(NamedTuple):
    """Hold what a fit sees of some rows.

    `logs` (n, P) are centred logarithms for m, `coordinates` (n, Q) those of h; y (n,) has norm 1 with
    root weights w. With `sign` (n,), f is a polynomial in sign·exp(coordinates·q), else in coordinates·q.
    """

    logs: np.ndarray
    coordinates: np.ndarray
    y: np.ndarray
    w: np.ndarray
    sign: np.ndarray | None


GOOD = 1e-13
"""Share of y's square below which a fit is exact."""

LARGEST = 60.0
"""Logarithm beyond which a monomial on its way is held: e^±60 is out of every table's range."""

PARTED, TELLING = 4, 3
"""Fits that are kept of all divisions of the columns, and directions of many waves that are offered."""


def parted(view: View, logs: np.ndarray, degree: int) -> list[Ridge]:
    """Return the best fits in which every column is either in m or in the sum h, not in both.

    `logs` marks the columns that m may use. In noise the weight that a column has in h and its exponent in m
    are hard to tell apart; each division of the columns by itself is not.
    """
    d, of_m = view.coordinates.shape[1], np.flatnonzero(logs)
    found: list[Ridge] = []
    for k in range(2, d + 1):
        for inside in map(list, itertools.combinations(range(d), k)):
            use = [i for i, column in enumerate(of_m) if column not in inside]
            signs = {tuple(np.sign(f.q[inside])) for f in found[:2] if np.all(f.q[inside])}
            for start in sorted({(1.0,) * k, *signs}):
                part = view._replace(
                    logs=view.logs[:, use], coordinates=view.coordinates[:, inside], sign=None
                )
                fit = solve(part, np.zeros(len(use)), np.array(start) / np.sqrt(k), degree, 20)
                p, q = np.zeros(len(of_m)), np.zeros(d)
                p[use], q[inside] = fit.p, fit.q
                found.append(Ridge(p, q, fit.share))
            found.sort(key=lambda f: f.share)
            del found[PARTED:]
    return found


def plain(view: View, directions: list[np.ndarray], p: np.ndarray, degree: int) -> list[Ridge]:
    """Return the fits along directions (d,) that are held, best first, their exponents in m found from p.

    What noise blurs of free exponents is seldom rounded to the simple ones, which it cannot blur.
    """
    fits = []
    for q in directions:
        along = view._replace(coordinates=(view.coordinates @ q)[:, None])
        fit = solve(along, p, np.ones(1), degree, 12)
        fits.append(Ridge(fit.p, q, fit.share))
    return sorted(fits, key=lambda f: f.share)


MOST_DIRECTIONS = 2000
"""At most so many products of columns are looked at for an argument: those of three columns, then of four."""


def telling(logs: np.ndarray, t: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the products and quotients of three or more columns along which t (n,) looks most like a curve.

    Sorted along the right argument neighbours differ little, however many waves the curve has; a Gauss-Newton
    step finds its way among few waves only. `logs` (n, d) are the columns' logarithms. The measure is von
    Neumann's ratio of neighbours' squared differences to the variance (Ann. Math. Stat. 12, 1941).
    """
    d = logs.shape[1]
    rows: list[np.ndarray] = []
    for k in range(3, d + 1):
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=k - 1)))
        if len(rows) + math.comb(d, k) * len(signs) > MOST_DIRECTIONS:
            break
        for inside in map(list, itertools.combinations(range(d), k)):
            q = np.zeros((len(signs), d))
            q[:, inside] = np.column_stack([np.ones(len(signs)), signs])
            rows += list(q)
    if not rows:
        return
    order = np.argsort(logs @ np.array(rows).T, axis=0)
    ratio = np.mean(np.diff(t[order], axis=0) ** 2, axis=0)
    for i in np.argsort(ratio, kind="stable")[:TELLING]:
        yield rows[i] / np.linalg.norm(rows[i])


def polynomials(s: np.ndarray, degree: int) -> np.ndarray:
    """Return T_0..T_degree (degree + 1, n) at s in [-1, 1]."""
    T = np.empty((degree + 1, len(s)))
    T[0] = 1.0
    if degree > 0:
        T[1] = s
    for k in range(2, degree + 1):
        T[k] = 2 * s * T[k - 1] - T[k - 2]
    return T


def chebyshev(s: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Return T_0..T_degree (n, degree + 1) at s in [-1, 1], and their derivatives."""
    T = polynomials(s, degree)
    D = np.empty_like(T)
    D[0] = 0.0
    if degree > 0:
        D[1] = 1.0
    for k in range(2, degree + 1):
        D[k] = 2 * T[k - 1] + 2 * s * D[k - 1] - D[k - 2]
    return T.T, D.T


def unit(s: np.ndarray) -> tuple[np.ndarray, float]:
    """Return s mapped to [-1, 1], and the half width it had."""
    low, high = s.min(), s.max()
    half = 0.5 * (high - low)
    if half <= 0:
        return np.zeros_like(s), 1.0
    return (s - 0.5 * (low + high)) / half, half


@np.errstate(all="ignore")
def solve(view: View, p: np.ndarray, q: np.ndarray, degree: int, steps: int, good: float = GOOD) -> Ridge:
    """Return the fit reached from (p, q) in at most `steps`; stops early below the share `good`."""
    damping = 1e-3
    r, jac, share = _linearise(view, p, q, degree)
    for step in range(steps if r.size and jac.size else 0):
        if share < good:
            break
        A = jac.T @ jac
        g = jac.T @ r
        scale = np.diag(A) + 1e-12 * np.trace(A) + TINY
        for _ in range(6):
            try:
                move = np.linalg.solve(A + np.diag(damping * scale), -g)
            except np.linalg.LinAlgError:
                damping *= 10
                continue
            move *= min(1.0, 1.5 / (np.abs(move).max() + TINY))
            new_p, new_q = p + move[: len(p)], q + move[len(p) :]
            norm = np.linalg.norm(new_q)
            if len(q) and norm > 0 and view.sign is None:
                new_q = new_q / norm
            trial = _linearise(view, new_p, new_q, degree)
            if trial[2] < share:
                break
            damping *= 6
        else:
            break
        gain = share - trial[2]
        p, q, (r, jac, share) = new_p, new_q, trial
        damping = max(damping / 8, 1e-12)
        if gain < 1e-4 * share and share > good and step > 4:
            break
    return Ridge(p, q, share)


def power_law(logs: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Return exp(logs·exponents), monomials of columns with these logarithms, within e^±LARGEST."""
    return np.exp(np.clip(logs @ exponents, -LARGEST, LARGEST))


def _linearise(view: View, p: np.ndarray, q: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return residual, Jacobian and share at (p, q), the curve's coefficients projected out.

    Without q there is no curve to have a degree.
    """
    logs, coordinates, y, w, sign = view
    scale = power_law(logs, p) * w
    if not len(q):
        s, half, v = np.zeros(len(y)), 1.0, None
    elif sign is None:
        (s, half), v = unit(coordinates @ q), None
    else:
        v = sign * np.exp(np.clip(coordinates @ q, -LARGEST / 2, LARGEST / 2))
        s, half = unit(v)
    T, D = chebyshev(s, degree if len(q) else 0)
    Phi = T * scale[:, None]
    norm = norms(Phi)
    if not np.all(np.isfinite(norm)):
        return -w * y, np.zeros((len(y), len(p) + len(q))), np.inf
    Q, R = factored(Phi / norm)
    ty = w * y
    proj = Q.T @ ty
    fitted = Q @ proj
    r = fitted - ty
    share = float(r @ r)
    if not np.isfinite(share):
        return r, np.zeros((len(y), len(p) + len(q))), np.inf
    columns = [logs * fitted[:, None]]
    if len(q):
        c = solved(R + 1e-13 * np.abs(np.diagonal(R)).max() * np.eye(len(R)), proj) / norm
        slope = scale * (D @ c) / half
        if v is not None:
            slope = slope * v
        columns.append(coordinates * slope[:, None])
    J = np.hstack(columns)
    J = J - Q @ (Q.T @ J)
    return r, J, share


@np.errstate(all="ignore")
def residual_shares(
    scale: np.ndarray, s: np.ndarray | None, y: np.ndarray, w: np.ndarray, degree: int
) -> np.ndarray:
    """Return the shares of y that scale·f(s) leaves, f a polynomial of degree 0, 1, up to this one.

    Where s does not vary, or is None, f is a constant.
    """
    varies = s is not None and bool(np.ptp(s) > 0)
    powers = polynomials(unit(s)[0], degree) if s is not None and varies else np.ones((1, len(y)))
    terms, ty = powers.T * (scale * w)[:, None], w * y
    if not np.all(np.isfinite(terms)):
        return np.full(degree + 1, np.inf)
    shares = squares_left(terms, ty)[1:] / float(ty @ ty)
    return shares if varies else np.full(degree + 1, shares[0])

"""Sums of decays and waves of one argument, as many as the rows can tell; the rows need not be even.

y(x) = b0 + b1·x + b2·x² + sum of exp(-k·x)·(a·cos(w·x) + b·sin(w·x)), the solutions of linear differential
equations with constant coefficients. Starts come from that equation, integrated as often as its order so that
no derivative of noise is taken (Prony's method in its integral form; Jacquelin, Régressions et équations
intégrales, 2009), and from the spectrum of what the modes found so far leave. All rates are then fitted
jointly with the linear constants projected out, and the description length decides how many there are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy
from scipy.interpolate import PchipInterpolator

from kansym.base.leastsq import levenberg_marquardt
from kansym.base.linear import norms
from kansym.base.weights import spread
from kansym.search.families.described import Fit, length
from kansym.search.families.exponentials import Mode, Scale, Sum, covers, written
from kansym.search.families.family import Family
from kansym.search.families.projection import Fitted, Rows
from kansym.search.families.starts import frequencies

MOST_MODES = 6
"""Modes of one sum: with so many and a quadratic below them there are some 25 constants."""

MOST_BASE = 3
"""Powers of x below the modes: a constant, a line, a bend."""

FEWEST_ROWS = 8
"""Different inputs from which sums of modes are fitted."""

FIT_ROWS, QUICK_ROWS = 500, 200
"""Rows that rates are fitted on, thoroughly or in a short look; more only where a wave has less than ten rows
a period on them."""

STEPS, LAST_STEPS = 25, 80
"""Levenberg-Marquardt steps of a sum on the way, and of the one that is offered."""

DAMPINGS = (0.0, 4.0)
"""Dampings, in units of 1/span, that a wave from the spectrum is started with."""

RATES = (-6.0, -1.5, 0.5, 2.0, 6.0, 18.0, 54.0, 160.0)
"""Rates of a decay, in units of 1/span, that what is left is looked at with; negative ones grow."""

LARGEST_GROWTH = 500.0
"""Growth over the span, as an exponent, beyond which a mode leaves double precision."""

STILL = 0.3
"""Turns or decades of decay within the span (as w or k times it) that the rows may not tell from none."""

WORSE = 10.0
"""Nats by which one more mode may lose before no further one is tried."""

OFFERED, SIMPLIFIED = 3, 2
"""Sums that are offered, and those that simpler ones are made of."""

BASES = ((0,), (0, 1, 2))
"""Powers of x above which a spectrum is taken; those that are not needed go again."""

REAL = 1e-9
"""Share of a root's size up to which its imaginary part is round-off."""

MANY_WAVES = 1e-3
"""Share of the variance that the equation's six modes leave where there are more waves than they tell:
of smooth curves that are no such sums they leave less than 1e-5."""

NEARLY, DOUBLE = 1e-10, 0.5
"""Share of the size's square, and distance of two modes in units of 1/span, below which a short look tries a
double mode: two in its place leave some digits less."""

EXACT = 1e-24
"""Share of the size's square below which what a sum leaves is round-off."""


@dataclass(frozen=True, eq=False)
class _Table:
    """Hold sorted rows: u, v, y in units of the scale, root weights w, each (n,); and the rows themselves."""

    u: np.ndarray
    v: np.ndarray
    y: np.ndarray
    w: np.ndarray
    scale: Scale
    rows: Rows

    @staticmethod
    def of(rows: Rows, most: int) -> _Table:
        """Return the table of at most so many rows; of all where these would miss a fast wave's periods."""
        part = rows.thinned(most)
        if len(part.y) < len(rows.y) and _turns(rows) * 10 > most:
            part = rows
        order = np.argsort(part.X[:, 0], kind="stable")
        x, y, w = part.X[order, 0], part.y[order], part.w[order]
        low, span = float(x[0]), float(x[-1] - x[0])
        far, size = float(np.abs(x).max()), float(np.abs(y).max())
        return _Table((x - low) / span, x / far, y / size, w, Scale(low, span, far, size), part)

    @property
    def power(self) -> float:
        """Return the weighted sum of squares of y."""
        return float(np.sum((self.w * self.y) ** 2)) * self.scale.size**2

    @property
    def variance(self) -> float:
        """Return the weighted sum of squares of y about its mean."""
        return spread(self.y, self.w) * self.scale.size**2

    @property
    def exact(self) -> float:
        """Return the cost below which a fit is exact."""
        return EXACT * self.power


Found = tuple[Sum, Fit]
"""A sum in units of the span, and the form of x that it is."""


def _turns(rows: Rows) -> float:
    """Return the periods of the fastest strong wave within the rows."""
    x = rows.X[:, 0]
    return float(frequencies(x, rows.y - rows.y.mean()).max() * np.ptp(x) / (2 * np.pi))


@np.errstate(all="ignore")
def modes(rows: Rows, thorough: bool = True, most: int = MOST_MODES) -> list[Fit]:
    """Return the sums of decays and waves that describe rows of one input best, the shortest first.

    There are at `most` so many modes. A look that is not `thorough` is for rows without noise: it takes
    a spectrum only where the equation's modes leave so much that there may be many waves, and simplifies and
    offers what is exact only.
    """
    x = rows.X[:, 0]
    if len(np.unique(x)) < FEWEST_ROWS or np.ptp(rows.y) == 0:
        return []
    table = _Table.of(rows, FIT_ROWS if thorough else QUICK_ROWS)
    found: list[Found] = []
    for look in (_by_equation, _by_spectrum):
        found += look(table, most)
        least = min((fit.fitted.cost for _, fit in found), default=math.inf)
        double = any(_nearly_double(one) for one, f in found if f.fitted.cost < NEARLY * table.power)
        if thorough or least < table.exact or double:
            seen: set[tuple] = set()
            for one, _ in _best(found)[:SIMPLIFIED]:
                found += _simplified(one, table, seen)
            least = min((fit.fitted.cost for _, fit in found), default=math.inf)
        if least < table.exact or (not thorough and least < MANY_WAVES * table.variance):
            break
    again = [_fitted(one, table, LAST_STEPS) for one, _ in _best(found)[:OFFERED]]
    offered = [fit for _, fit in sorted((f for f in again if f is not None), key=_shortest)]
    if thorough and not (offered and offered[0].fitted.cost < table.exact):
        return offered
    # what is as exact and longer has a mode without a size, or two in the place of a double one
    return [fit for fit in offered if fit.fitted.cost < table.exact][:1]


def _nearly_double(one: Sum) -> bool:
    """Tell whether two modes, or a wave and its mirror image, are hardly apart."""
    places = [complex(m.rate, m.frequency) for m in one.modes]
    apart = [abs(a - b) for a, b in itertools.combinations(places, 2)]
    return min([*apart, *(m.frequency for m in one.modes if m.waves)], default=math.inf) < DOUBLE


def _best(found: list[Found]) -> list[Found]:
    """Return the best of each form, the shortest first."""
    best: dict[tuple, Found] = {}
    for one, fit in sorted(found, key=_shortest):
        best.setdefault(one.structure, (one, fit))
    return list(best.values())


def _shortest(found: Found) -> float:
    """Return the length by which sums are ordered."""
    return found[1].length


def _fitted(start: Sum, table: _Table, steps: int) -> Found | None:
    """Return a sum fitted from its start, None where it has too many constants or is defined nowhere."""
    others = start.start()
    if start.size + len(others) >= len(table.u) or not start.size:
        return None
    if steps and len(others):
        others = levenberg_marquardt(
            lambda theta: _projected(start, theta, table)[:2], others, max_steps=steps
        ).theta
    residual, _, linear = _projected(start, others, table)
    cost = float(residual @ residual)
    if not np.isfinite(cost):
        return None
    now = start.at(others)
    form, theta = written(now, linear, table.scale)
    if not np.all(np.isfinite(theta)):
        return None
    fitted = Fitted(form, theta, cost * table.scale.size**2, len(table.u))
    return now, Fit(fitted, (0,), length(fitted, table.rows))


def _projected(start: Sum, others: np.ndarray, table: _Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return residual (n,), its Jacobian (n, others) and the linear constants (m,), these projected out.

    Kaufman's Jacobian, as in `base.leastsq.variable_projection`, with the columns computed once.
    """
    now, w = start.at(others), table.w
    nowhere = np.full(len(w), np.inf), np.zeros((len(w), len(others))), np.zeros(start.size)
    if any(-mode.rate > LARGEST_GROWTH for mode in now.modes):
        return nowhere
    parts = now.parts(table.u, table.v)
    A = np.column_stack([c for shapes in parts for c in shapes]) * w[:, None]
    norm = np.sqrt(np.sum(A * A, axis=0))
    if not np.all(np.isfinite(norm) & (norm > 0)):
        return nowhere
    Q, R = np.linalg.qr(A / norm)
    y = table.y * w
    try:
        linear = np.linalg.solve(R, Q.T @ y) / norm
    except np.linalg.LinAlgError:
        return nowhere
    slopes = now.slopes(table.u, parts, linear) * w[:, None]
    return Q @ (Q.T @ y) - y, slopes - Q @ (Q.T @ slopes), linear


def _by_equation(table: _Table, most: int) -> list[Found]:
    """Return sums whose rates are roots of the differential equation that the rows obey, one for each order.

    y = a1·∫y + a2·∫∫y + ... + a polynomial, so that the rates are the roots of z^K - a1·z^(K-1) - ...; of the
    powers of x below them those are fitted whose roots come nearest as they are.
    """
    u, at = np.unique(table.u, return_inverse=True)
    count = np.bincount(at, weights=table.w**2)
    y = np.bincount(at, weights=table.w**2 * table.y) / count
    w = np.sqrt(count / count.max())
    integrals, now, found = [], y, []
    for order in range(1, most + 1):
        now = PchipInterpolator(u, now).antiderivative()(u)
        integrals.append(now)
        starts = []
        for base in range(MOST_BASE):
            powers = np.polynomial.chebyshev.chebvander(2 * u - 1, order - 1 + base)
            A = np.column_stack([*integrals, powers]) * w[:, None]
            if 2 * A.shape[1] >= len(u):
                continue
            norm = np.linalg.norm(A, axis=0)
            solved = np.linalg.lstsq(A / norm, y * w, rcond=1e-12)[0] / norm
            if np.all(np.isfinite(solved)):
                roots = np.roots([1.0, *-solved[:order]])
                starts.append(Sum(tuple(_modes_of(roots)), tuple(range(base))))
        fits = [f for s in starts if (f := _fitted(s, table, 0)) is not None]
        near = min(fits, key=_shortest, default=None)
        if near is None or (done := _fitted(near[0], table, STEPS)) is None:
            continue
        found.append(done)
        if done[1].fitted.cost < table.exact:
            break
    return found


def _modes_of(roots: np.ndarray) -> Iterator[Mode]:
    """Yield the modes of roots z = -rate ± i·frequency."""
    for root in roots:
        if root.imag > REAL * abs(root):
            yield Mode(float(np.clip(-root.real, -20.0, 1e4)), float(root.imag))
        elif abs(root.imag) <= REAL * abs(root):
            yield Mode(float(np.clip(-root.real, -20.0, 1e4)))


def _by_spectrum(table: _Table, most: int) -> list[Found]:
    """Return sums that grow by the mode that explains most of what is left, above a constant and a bend."""
    found: list[Found] = []
    for base in BASES:
        now, best = Sum((), base), math.inf
        for _ in range(most):
            start = _grown(now, table)
            if start is None or (done := _fitted(start, table, STEPS)) is None:
                break
            now, fit = done
            found.append(done)
            if fit.length > best + WORSE or fit.fitted.cost < table.exact:
                break
            best = min(best, fit.length)
    return found


def _grown(now: Sum, table: _Table) -> Sum | None:
    """Return a sum with the mode more that lowers the misfit most, its other rates as they are."""
    u, w = table.u, table.w
    Q = np.zeros((len(u), 0))
    if now.modes or now.base:
        A = np.column_stack([c for shapes in now.parts(u, table.v) for c in shapes]) * w[:, None]
        Q = np.linalg.qr(A / norms(A))[0]
    left = table.y * w - Q @ (Q.T @ (table.y * w))
    if not np.any(np.abs(left) > 1e-13) or not np.all(np.isfinite(left)):
        return None
    shown = left / np.where(w > 0, w, 1.0)
    waves = [Mode(k, float(f)) for f in frequencies(u, shown)[:2] for k in DAMPINGS]
    best, least = None, float(left @ left)
    for mode in (*waves, *(Mode(k) for k in RATES)):
        B = np.column_stack(mode.shapes(u, table.v)) * w[:, None]
        B = B - Q @ (Q.T @ B)
        q = np.linalg.qr(B / norms(B))[0]
        cost = float(left @ left - np.sum((q.T @ left) ** 2))
        if cost < least:
            best, least = mode, cost
    return None if best is None else replace(now, modes=(*now.modes, best))


def _simplified(one: Sum, table: _Table, seen: set[tuple]) -> list[Found]:
    """Return simpler sums as long as one is shorter: less base, no decay, double roots, fewer."""
    best, found = math.inf, []
    for _ in range(2 * MOST_MODES):
        new = {s.structure: s for s in _simpler(one) if s.structure not in seen}
        seen |= set(new)
        tries = [done for s in new.values() if (done := _fitted(s, table, STEPS)) is not None]
        if not tries:
            break
        found += tries
        one, fit = min(tries, key=_shortest)
        if fit.length > best:
            break
        best = fit.length
    return found


def _simpler(one: Sum) -> Iterator[Sum]:
    """Yield sums with a power, a mode or a constant less, and with two near modes as a double one."""
    modes, base = one.modes, one.base
    for k in base:
        yield Sum(modes, tuple(b for b in base if b != k))
    for i, mode in enumerate(modes):
        rest = modes[:i] + modes[i + 1 :]
        if rest or base:
            yield Sum(rest, base)
        if not mode.waves and abs(mode.rate) < STILL and len(base) < MOST_BASE:
            yield Sum(rest, (*base, len(base)))
        if mode.double:
            yield Sum((*rest, replace(mode, double=False)), base)
            yield Sum((*rest, replace(mode, double=False, rising=True)), base)
        if mode.waves and not mode.still:
            yield Sum((*rest, replace(mode, rate=0.0, still=True)), base)
        if mode.waves and mode.frequency < 2 * np.pi * STILL:
            yield Sum((*rest, Mode(mode.rate, double=True)), base)
    for i, mode in enumerate(modes):
        for j in range(i):
            other = modes[j]
            rest = tuple(m for k, m in enumerate(modes) if k not in (i, j))
            if mode.waves == other.waves and not mode.double and not other.double:
                near = abs(mode.frequency - other.frequency) + abs(mode.rate - other.rate)
                if near < max(2 * np.pi, 0.3 * (abs(mode.rate) + abs(other.rate))):
                    middle = replace(
                        mode,
                        rate=0.5 * (mode.rate + other.rate),
                        frequency=0.5 * (mode.frequency + other.frequency),
                        double=True,
                    )
                    yield Sum((*rest, middle), base)


def parted(families: Sequence[Family]) -> tuple[list[Family], list[Family]]:
    """Return the families that such sums stand for, and the others.

    They stand for none where no sum of decays, or none of waves, may be asked for.
    """
    sums = [f for f in families if covers(f)]
    several = [f.form(1).formula for f in sums if f.terms > 1]
    if not (any(e.has(sympy.exp) for e in several) and any(e.has(sympy.sin) for e in several)):
        return [], list(families)
    return sums, [f for f in families if f not in sums]

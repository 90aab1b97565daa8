"""From fitted exponents to simple ones: rounded, varied, in the gauge in which a curve is best named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kansym.base import criterion
from kansym.base.linear import TINY
from kansym.search.structure import ridge
from kansym.search.structure.problem import Problem

Array = np.ndarray

CLIMBED = 3
"""Noisy forms from which better exponents are searched for."""

GAUGES, FORMS = 3, 8
"""Forms that are the same but for the gauge, and forms in all, that are named for one family of fits."""

JUDGED = 24
"""Best forms whose gauges are weighed where they leave the same."""


@dataclass(frozen=True)
class Form:
    """Hold a rounded structure y = m·f(h): exponents p of m, q of h (weights in a sum), its share."""

    p: tuple[float, ...]
    q: tuple[float, ...]
    family: str
    share: float

    @property
    def price(self) -> float:
        """Return the symbols that the exponents cost."""
        return float(
            sum(
                0.5 + min(abs(e), 3) / 2 + (0 if e % 1 == 0 else 1 if (2 * e) % 1 == 0 else 2)
                for e in (*self.p, *self.q)
                if e
            )
        )


@np.errstate(all="ignore")
def forms(
    problem: Problem,
    family: str,
    logs: Array,
    S: Array,
    units: Array,
    fits: list[ridge.Ridge],
    degree: int,
) -> list[Form]:
    """Return the simple structures near some ridge fits, best first.

    `logs` marks the columns of one sign, `S` are the coordinates of h, each in `units` of its own.
    """
    found = _Found(problem, family, logs, degree)
    for fit in fits:
        for p, q in (
            rounded(fit, logs if S.shape[1] == len(logs) else None)
            if family == "log"
            else weights(fit, units)
        ):
            full, full_q = np.zeros(problem.width), np.zeros(problem.width)
            full[logs] = p
            full_q[logs if S.shape[1] < problem.width else slice(None)] = q
            found.add(full, full_q)
    for form in found.ranked[:CLIMBED]:
        # noise blurs the exponents, and rounding each by itself forgets that they are correlated
        while form.share > criterion.SHARP:
            steps = [found.add(*near) for near in _neighbours(form, logs)]
            best = min(steps, key=found.rank, default=form)
            if found.rank(best) >= found.rank(form):
                break
            form = best
    ranked = [form for form in found.ranked if np.isfinite(form.share)]
    # polynomials in log h and in log 1/h are the same, and round-off should not choose
    first = sorted(ranked[:JUDGED], key=lambda f: (round(found.rank(f), 6), found.bend(f)))
    return _varied([*first, *ranked[JUDGED:]])


class _Found:
    """Hold forms of one family for a problem, each with the share that it leaves, computed once."""

    def __init__(self, problem: Problem, family: str, logs: Array, degree: int) -> None:
        self.problem, self.family = problem, family
        self.rows = problem.fit
        self.y, self.w = problem.y[self.rows], problem.w[self.rows]
        self.degrees = (min(2, degree), min(4, degree), degree, max(degree, min(18, len(self.y) // 6)))
        self.logarithms = np.log(np.abs(problem.Z[self.rows]) + TINY)
        self.logarithms[:, ~logs] = 0.0
        self.known: dict[tuple, Form] = {}

    @property
    def ranked(self) -> list[Form]:
        """Return the forms, best first."""
        return sorted(self.known.values(), key=self.rank)

    def rank(self, form: Form) -> float:
        """Return the order of forms: exponents count twice, as the curve's price is not known yet."""
        return float(criterion.rank(form.share, 2 * form.price, len(self.y)))

    def add(self, p: Array, q: Array) -> Form:
        """Return the form of these exponents."""
        key = (tuple(p), tuple(q), self.family)
        if key not in self.known:
            share = self._share(Form(*key, 0.0))
            self.known[key] = Form(*key, share if np.isfinite(share) else np.inf)
        return self.known[key]

    def _share(self, form: Form) -> float:
        """Return the share of y that m(x)·f(h(x)) leaves, f the likeliest of some polynomials."""
        factor, n = ridge.power_law(self.logarithms, np.array(form.p)), len(self.y)
        if not any(form.q):
            left = ridge.residual_shares(factor, None, self.y, self.w, 0)
            return criterion.corrected(float(left[0]), 1, n)
        h = argument(self.problem, form, self.rows)
        if not np.all(np.isfinite(h)):
            return np.inf
        if self.family == "log" and (h > 0).all():
            h = np.log(h)
        left = ridge.residual_shares(factor, h, self.y, self.w, self.degrees[-1])
        return min(criterion.corrected(float(left[k]), k + 1, n) for k in self.degrees)

    def bend(self, form: Form) -> float:
        """Return how far a form's curve is from a straight line, from 0 to 1.

        Of equal ones it is named by the straightest: means of neighbours are off by the curve's bend.
        """
        h = argument(self.problem, form, self.rows) if any(form.q) else None
        t = self.y / ridge.power_law(self.logarithms, np.array(form.p))
        if h is None or not (np.all(np.isfinite(h)) and np.all(np.isfinite(t)) and np.ptp(h) and np.ptp(t)):
            return 1.0
        return 1.0 - abs(float(np.corrcoef(h, t)[0, 1]))


def _varied(ranked: list[Form]) -> list[Form]:
    """Return the best forms, at most GAUGES of those that only rescale h or move powers of it into m.

    The simplest of such forms is one of them: a polynomial comes nearer to a curve of many waves when a power
    of h stands before it, but what is then left of the curve is no elementary function.
    """
    alike: dict[tuple, list[Form]] = {}
    for form in ranked:
        alike.setdefault(shape(form), []).append(form)
    simplest = {kind: min(forms, key=lambda f: f.price) for kind, forms in alike.items()}
    kept: list[Form] = []
    seen: dict[tuple, int] = {}
    for form in ranked:
        kind = shape(form)
        first, mate = kind not in seen, simplest[kind]
        new = [form] if first or (form is not mate and seen[kind] < GAUGES) else []
        if first and form is not mate:
            new.append(mate)
        seen[kind] = seen.get(kind, 0) + len(new)
        kept += new
    return kept[:FORMS]


def shape(form: Form) -> tuple[float, ...]:
    """Return what forms have in common that only rescale h or move powers of it into m."""
    p, q = np.array(form.p), np.array(form.q)
    if form.family == "log" and np.any(q):
        first = int(np.flatnonzero(q)[0])
        q = q / q[first]
        p = p - p[first] * q
    return (*np.round(p, 6) + 0.0, *np.round(q, 6) + 0.0)


def _neighbours(form: Form, logs: Array) -> Iterator[tuple[Array, Array]]:
    """Yield the exponents that differ by a half or one in one place, or by a power of h moved into m."""
    p, q = np.array(form.p), np.array(form.q)
    one = np.eye(len(p))
    for step in (-1.0, -0.5, 0.5, 1.0):
        for j in np.flatnonzero(logs):
            yield p + step * one[j], q
            if form.family == "log":
                if step % 1 == 0 or np.any(q % 1):
                    yield p, q + step * one[j]
                if q[j]:
                    yield p + step * q * logs, q - q[j] * one[j]
        if form.family == "log" and np.any(q):
            yield p + step * q * logs, q


def argument(problem: Problem, form: Form, rows: Array) -> Array:
    """Return the values of h on some rows."""
    Z = problem.Z[rows]
    q = np.array(form.q)
    if form.family == "log":
        even = np.abs(Z) ** q
        odd = np.sign(Z) * even
        return np.prod(np.where((q % 2 == 1) & ~problem.one_signed(), odd, even), axis=1)
    return Z @ q if form.family == "linear" else (Z * Z) @ q


def rounded(fit: ridge.Ridge, logs: Array | None) -> Iterator[tuple[Array, Array]]:
    """Yield nearby simple exponents in every gauge: h may be rescaled, and powers of h moved into m.

    `logs` marks those columns of h that m may use too, None for all.
    """
    if len(fit.q) == 0:
        size = len(fit.p) if logs is None else len(logs)
        yield nice(fit.p), np.zeros(size)
        yield fit.p, np.zeros(size)
        return
    big = np.abs(fit.q).max()
    seen = set()
    for i in np.argsort(-np.abs(fit.q))[:3]:
        if abs(fit.q[i]) < 0.1 * big:
            continue
        for k in (1, 2, 0.5):
            q = fit.q / fit.q[i] * k
            r = nice(q)
            whole = np.abs(r - np.round(r)).max() < 1e-9
            if np.abs(r - q).max() > (0.08 if fit.share < 1e-4 else 0.2) or (
                k != 1 and whole and not np.any(np.abs(r) == 1)
            ):
                continue
            key = tuple(r)
            if key in seen or not np.any(r):
                continue
            seen.add(key)
            part = q if logs is None else q[logs]
            for j in np.flatnonzero(r if logs is None else r[logs]):
                yield nice(fit.p - fit.p[j] * (part / part[j])), r
            if logs is not None and not logs.all():
                yield nice(fit.p), r


def weights(fit: ridge.Ridge, units: Array) -> Iterator[tuple[Array, Array]]:
    """Yield nearby simple weights of a sum, the largest being 1."""
    small = np.abs(fit.q) < 0.02 * np.abs(fit.q).max()
    i = int(np.argmax(np.abs(fit.q)))
    q = np.where(small, 0.0, fit.q / units)
    q = q / q[i]
    whole = np.where(np.abs(q - np.round(q)) < 0.02, np.round(q), q)
    rough = [np.round(q)] if fit.share > criterion.SHARP and np.abs(q - np.round(q)).max() < 0.2 else []
    if fit.share > criterion.SHARP:
        rough.append(np.where(np.abs(q) > 0.3, np.sign(q), 0.0))
    for r in (*rough, whole, q):
        yield nice(fit.p), r
        for j in np.flatnonzero(np.abs(fit.p) < 0.3):
            less = nice(fit.p)
            less[j] = 0.0
            yield less, r


def nice(exponents: Array) -> Array:
    """Return the exponents rounded to halves, or to thirds where much closer."""
    halves = np.round(exponents * 2) / 2
    thirds = np.round(exponents * 3) / 3
    return np.where(np.abs(exponents - thirds) < 0.2 * np.abs(exponents - halves), thirds, halves)

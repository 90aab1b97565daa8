"""The structure search's model classes, fitted: monomials, curves of one argument, sums, merged columns.

y = m(x)·f(h(x)) with the exponents of m and h free (`ridge`), and y = sum_k m_k(x)·f_k(h) for a given h
(`terms`), on a table whose columns may have been merged (`merging`). The fits have exponents but no names
for their curves yet (`naming`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.base.linear import TINY
from kansym.functions.library import Library
from kansym.search.structure import exponents, merging, naming, ridge, sums, terms
from kansym.search.structure.exponents import Form
from kansym.search.structure.problem import Problem

FIT_ROWS = 300
"""Rows on which exponents are searched for; formulas are then fitted on more."""

SUM_ROWS = 400
"""Rows on which the terms of a sum are chosen among thousands."""

HOPELESS = 300.0
"""Times the least share so far that a fit of terms may leave after some steps to be worth more."""

DEPTH, WIDTH = 5, 4
"""Merges that are made one after the other, and problems that are kept after each."""

MOST_PARTED = 6
"""Columns up to which every division of them among m and h is fitted in noise."""

PROVED = 1e-9
"""A fit that leaves less than this share of y is exact but for its exponents' last digits."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Hold a fitted structure whose curves have no names yet; `name()` proposes formulas for it.

    `share` is what it leaves of the variance of the table's target, to first order. `match()`, where the fit
    has one curve, proposes more: any function of the library. Fits of one `shape` have nearly the same names.
    """

    share: float
    price: float
    source: str
    problem: Problem
    name: Callable[[], list[naming.Proposal]]
    match: Callable[[], list[naming.Proposal]] | None = None
    shape: tuple[float, ...] = ()

    @property
    def rank(self) -> float:
        """Return the order in which fits are named: small residuals first, simple ones among equals."""
        return criterion.rank(self.share, self.price, len(self.problem.fit))


class Models:
    """Fit one model class after another to a problem; `library` names what elementary curves do not."""

    def __init__(self, budget: Budget, seed: int, library: Library) -> None:
        """Begin with a random generator of this seed."""
        self.budget = budget
        self.rng = np.random.default_rng(seed)
        self.laws = partial(naming.by_library, library)

    def merged(self, root: Problem) -> list[Problem]:
        """Return problems with merged columns, those that lose least first (beam search)."""
        exponents = self.slopes(root)
        beam = [(merging.loss(root), root)]
        every: list[tuple[float, Problem]] = []
        for _ in range(DEPTH):
            grown = []
            for before, problem in beam:
                if problem.width < 2:
                    continue
                rough = exponents if problem is root else self.slopes(problem)
                for m in merging.telling(merging.merges(problem, rough))[:24]:
                    q = problem.merge(m.i, m.j, m.operation)
                    left = merging.loss(q)
                    if left < 1.5 * before:
                        grown.append((left, q))
                if self.budget.exhausted:
                    break
            unique: dict[frozenset, tuple[float, Problem]] = {}
            for left, q in grown:
                unique.setdefault(frozenset(q.formulas), (left, q))
            beam = sorted(unique.values(), key=lambda t: t[0])[:WIDTH]
            every += beam
            if not beam:
                break
        return [problem for _, problem in sorted(every, key=lambda t: np.log10(t[0] + 1e-14))]

    def slopes(self, problem: Problem) -> np.ndarray:
        """Return the exponents of the best pure power law, 0 for columns that change sign."""
        rows = problem.fit[:FIT_ROWS]
        logs = problem.one_signed()
        if not np.any(logs):
            return np.zeros(problem.width)
        L = _logs(problem.Z[rows][:, logs])
        view = ridge.View(L, L, *problem.scaled(rows), None)
        fit = ridge.solve(view, _log_slopes(L, problem.y[rows]), np.zeros(0), 0, 30)
        out = np.zeros(problem.width)
        out[logs] = np.clip(fit.p, -8, 8)
        return out

    def single(self, problem: Problem, family: str) -> list[Fit]:
        """Fit y = m·f(h), h a monomial ("log") or a weighted sum of columns or of their squares."""
        problem = problem.independent
        return [
            Fit(
                form.share * problem.unit,
                form.price,
                f"ridge {family}",
                problem,
                cache(partial(naming.single, problem, form)),
                partial(naming.single, problem, form, self.laws) if any(form.q) else None,
                exponents.shape(form),
            )
            for form in self.forms(problem, family)
        ]

    def forms(self, problem: Problem, family: str) -> list[Form]:
        """Return rounded exponent vectors of good ridge fits, best first."""
        logs = problem.one_signed()
        units = np.ones(problem.width)
        if family != "log":
            units = np.mean(problem.Z[problem.fit[:FIT_ROWS]] ** 2, 0) ** (0.5 if family == "linear" else 1.0)

        def view(rows: np.ndarray) -> ridge.View:
            """Return what a fit sees of some rows."""
            Z = problem.Z[rows]
            L, sign = _logs(Z[:, logs]), None
            if family != "log":
                S = (Z if family == "linear" else Z * Z) / units
            else:
                S = L if logs.all() else _logs(np.where(Z == 0, TINY, Z))
                sign = None if logs.all() else np.prod(np.sign(Z[:, ~logs]), axis=1)
            return ridge.View(L, S, *problem.scaled(rows), sign)

        some = view(problem.fit[:FIT_ROWS])
        n = len(some.y)
        degree = min(8, max(1, n // 4))
        rough = _log_slopes(some.logs, some.y)
        fits = []
        for q in self.directions(problem, family):
            for p0 in (
                (rough,) if family != "log" else (rough, rough + 0.3 * self.rng.normal(size=len(rough)))
            ):
                fits.append(ridge.solve(some, p0, q, degree, 40))
                if len(q) == 0:
                    break
            if fits[-1].share < PROVED or self.budget.exhausted:
                break
        fits.sort(key=lambda f: f.share)
        if fits and fits[0].share > 1e-7 and n > 120:
            near = fits[:8]
            judged = [(criterion.corrected(f.share, degree, n), f) for f in fits]
            finer = [ridge.solve(some, f.p, f.q, 18, 30) for f in near if len(f.q)]
            judged += [(criterion.corrected(f.share, 18, n), f) for f in finer]
            if family == "log":
                flat = some.y * np.exp(-some.logs @ rough)
                waves = [ridge.solve(some, rough, q, 24, 30) for q in ridge.telling(some.coordinates, flat)]
                judged += [(criterion.corrected(f.share, 24, n), f) for f in waves]
            if len(problem.fit) > FIT_ROWS and min(share for share, _ in judged) > criterion.SHARP:
                # noise blurs exponents: the nearest ones are fitted again on every row
                every = view(problem.fit)
                again = [ridge.solve(every, f.p, f.q, degree, 20) for f in near]
                if family != "log" and problem.width <= MOST_PARTED:
                    again += ridge.parted(every, logs, degree)
                judged += [(criterion.corrected(f.share, degree, len(problem.fit)), f) for f in again]
            fits = [f for _, f in sorted(judged, key=lambda j: j[0])]
        many = 8 if fits and fits[0].share > criterion.SHARP else 4
        near = fits[:many]
        if family == "log" and logs.all() and near and near[0].share > criterion.SHARP:
            held = [*np.eye(problem.width), *self.pairs(problem)]
            near += ridge.plain(view(problem.fit), held, rough, min(4, degree))[:many]
        return exponents.forms(problem, family, logs, some.coordinates, units, near, degree)

    def pairs(self, problem: Problem) -> Iterator[np.ndarray]:
        """Yield the directions of products and ratios, or sums and differences, of two columns."""
        one = np.eye(problem.width)
        for i, j in merging.pairs(problem):
            yield one[i] + one[j]
            yield one[i] - one[j]

    def directions(self, problem: Problem, family: str) -> Iterator[np.ndarray]:
        """Yield starting directions of h among its coordinates: none, single ones, pairs, and random ones."""
        d, free = problem.width, ~problem.one_signed()
        if family == "log":
            yield np.zeros(0)
            for i in range(d):
                yield np.eye(d)[i]
        elif d > 1:
            yield np.ones(d) / np.sqrt(d)
            if free.any() and not free.all():
                yield free / np.sqrt(free.sum())
        else:
            return
        for q in self.pairs(problem):
            yield q / np.linalg.norm(q)
        for _ in range(8 if d > 2 else 2):
            q = np.asarray(self.rng.normal(size=d))
            yield q / np.linalg.norm(q)

    def powers(self, problem: Problem) -> list[Fit]:
        """Fit sums of two to four power laws."""
        return self.shared(problem, (2, 3, 4), [None], "powers", 6)

    def several(self, problem: Problem, count: int) -> list[Fit]:
        """Fit y = sum of m_k·f_k(h) over arguments h of one or two columns."""
        return self.shared(problem, (count,), list(_arguments(problem.independent)), f"{count} terms", 3)

    @staticmethod
    def sums(problem: Problem) -> list[Fit]:
        """Fit sums of a few products of plain curves, chosen from a dictionary."""
        rows = problem.choosing(SUM_ROWS)
        return [
            Fit(
                criterion.corrected(found.share, len(found.terms), len(rows)) * problem.unit,
                found.price,
                "sum of products",
                problem,
                found.proposals,
            )
            for found in sums.fit(problem, rows)
        ]

    def shared(
        self, problem: Problem, counts: tuple[int, ...], arguments: list, source: str, tries: int
    ) -> list[Fit]:
        """Fit sums of terms for each argument; return the best fits."""
        problem = problem.independent
        rows = problem.fit[:FIT_ROWS]
        y, w = problem.scaled(rows)
        out = []
        for count in counts:
            fits = self.attempts(problem, count, arguments, tries)
            if fits and fits[0].share > criterion.SHARP and arguments != [None] and len(y) > 200:
                finer = []
                for a in fits[:10]:
                    _, B = naming.basis(problem, a.argument, rows, 24 if count == 2 else 18)
                    fit = terms.solve(_logs(problem.Z[rows][:, a.use]), B, y, w, a.fit.exponents, 30)
                    finer.append(replace(a, fit=fit))
                fits = sorted(fits + finer, key=lambda a: a.share)
            for a in fits[:3]:
                share = _everywhere(problem, a.argument, a.use, a.fit) * problem.unit
                named = partial(naming.several, problem, a.argument, a.use, a.fit)
                out.append(Fit(share, 3.0 * count, source, problem, named))
            if fits and fits[0].share < PROVED:
                break
        return out

    def attempts(self, problem: Problem, count: int, arguments: list, tries: int) -> list[_Attempt]:
        """Return fits of `count` terms from several starts for each argument, the best first."""
        rows = problem.fit[:FIT_ROWS]
        y, w = problem.scaled(rows)
        logs = problem.one_signed()
        fits: list[_Attempt] = []

        def attempt(argument: Any, use: np.ndarray, L: np.ndarray, B: np.ndarray, rough: np.ndarray) -> None:
            """Add the fit from one random start."""
            # half the starts are whole exponents, half scatter about the rough power law
            P = self.rng.choice([-1.0, 0.0, 0.0, 1.0], size=(count, len(use)))
            if self.rng.random() < 0.4:
                P = rough + 0.7 * P
            fit = terms.solve(L, B, y, w, P, 30, give_up=HOPELESS * fits[0].share if fits else 0.0)
            fits.append(_Attempt(argument, use, fit))
            fits.sort(key=lambda a: a.share)

        for argument in arguments:
            columns, B = naming.basis(problem, argument, rows, 8)
            use = np.array([i for i in np.flatnonzero(logs) if i not in columns], int)
            if len(use) == 0 or count * (B.shape[1] + len(use)) > len(y) // 2:
                continue
            L = _logs(problem.Z[rows][:, use])
            rough = _log_slopes(L, y)
            for _ in range(tries):
                attempt(argument, use, L, B, rough)
                if fits[0].share < PROVED or self.budget.exhausted:
                    break
            if fits and fits[0].share < PROVED:
                break
        # more starts for the arguments that came closest
        nearest: dict[Any, np.ndarray] = {}
        for a in fits:
            nearest.setdefault(a.argument, a.use)
        for argument, use in list(nearest.items())[:12]:
            _, B = naming.basis(problem, argument, rows, 8)
            L = _logs(problem.Z[rows][:, use])
            for _ in range(2 * tries):
                if fits[0].share < PROVED or self.budget.exhausted:
                    break
                attempt(argument, use, L, B, _log_slopes(L, y))
        return fits


@dataclass(frozen=True, eq=False)
class _Attempt:
    """Hold one fit of terms for an argument, with the columns whose exponents are free."""

    argument: Any
    use: np.ndarray
    fit: terms.Terms

    @property
    def share(self) -> float:
        """Return the share of the target that the fit leaves on the rows it was fitted to."""
        return self.fit.share


def _everywhere(problem: Problem, argument: Any, use: np.ndarray, fit: terms.Terms) -> float:
    """Return the share that exponents found on some rows leave of all that are fitted.

    All fits are ranked on the same rows: the noise of one sample differs from another's by more than fits do.
    """
    rows = problem.fit
    _, B = naming.basis(problem, argument, rows, fit.coefficients.shape[1] - 1)
    again = terms.project(_logs(problem.Z[rows][:, use]), B, *problem.scaled(rows), fit.exponents)
    return criterion.corrected(again.share, fit.coefficients.size + fit.exponents.size, len(rows))


def _arguments(problem: Problem) -> Iterator[tuple[str, int, int]]:
    """Yield what a curve's argument may be: a column, or a simple combination of two."""
    logs = problem.one_signed()
    for i in range(problem.width):
        yield "x", i, i
    for i, j in merging.pairs(problem):
        yield "a*b", i, j
        if logs[j]:
            yield "a/b", i, j
        elif logs[i]:
            yield "a/b", j, i
        yield "a-b", i, j
        yield "a+b", i, j


def _logs(Z: np.ndarray) -> np.ndarray:
    """Return the centred logarithms of the columns' sizes."""
    L = np.log(np.abs(Z))
    return L - L.mean(0)


def _log_slopes(L: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the exponents of a rough power law, by the regression of log |y| on the columns' logarithms.

    Zeros where a column has no logarithm, as one scaled down to less than a double holds.
    """
    if not np.isfinite(L).all():
        return np.zeros(L.shape[1])
    A = np.column_stack([L, np.ones(len(y))])
    z = np.log(np.maximum(np.abs(y), 1e-3 * np.median(np.abs(y))) + TINY)
    return np.clip(np.linalg.lstsq(A, z, rcond=None)[0][:-1], -6, 6)

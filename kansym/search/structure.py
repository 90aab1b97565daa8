"""Search for the structure of a law: y = m(x)·f(h(x)) with columns merged where the data ask for it.

Produces formulas, best first; `refine` fits and judges them. See docs/notes/search.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from kansym.budget import Budget
from kansym.polish import Rows, polish
from kansym.search import curve, ridge
from kansym.search.candidate import Candidate
from kansym.search.problem import Problem, problem

EXACT = 1e-20
"""Held-out residual share below which a formula is proved and the search ends."""

DEGREE = 8
PROMISING = 1e-3
"""A ridge fit above this residual share (beyond what noise explains) is not the structure."""


@dataclass(frozen=True, eq=False)
class Form:
    """Hold a named structure: exponents p of the factor and q of the argument, and its share."""

    p: tuple[float, ...]
    q: tuple[float, ...]
    share: float


def propose(
    dataset: Any,
    *,
    noise: float | None = None,
    budget: Budget | None = None,
    library: Any = None,
    seed: int = 0,
) -> Iterator[Candidate]:
    """Yield candidate formulas for a dataset with X (n, d), y (n,), weights and names, best first."""
    budget = budget or Budget()
    search = Search(problem(dataset, seed), dataset, budget, seed)
    yield from search.run()


class Search:
    """Carry one search: the rows, the budget, and what was already proposed."""

    def __init__(self, root: Problem, dataset: Any, budget: Budget, seed: int) -> None:
        self.root = root
        self.budget = budget
        self.rng = np.random.default_rng(seed)
        symbols = root.formulas
        w = root.w**2
        self.fit = Rows(root_X(dataset)[root.fit], root.y[root.fit], w[root.fit], symbols)
        self.test = Rows(root_X(dataset)[root.test], root.y[root.test], w[root.test], symbols)
        t = self.test
        mean = np.average(t.y, weights=t.weights)
        self.power = float(np.mean(t.weights * (t.y - mean) ** 2)) or 1e-300
        self.best = np.inf
        self.seen: set[str] = set()

    @property
    def done(self) -> bool:
        """Tell whether a formula is proved or the budget is spent."""
        return self.best < EXACT or self.budget.exhausted

    def run(self) -> Iterator[Candidate]:
        """Yield candidates from every mechanism, the cheap ones first."""
        for part in (self.single(self.root),):
            yield from part
            if self.done:
                return

    def offer(self, formulas: list[sympy.Expr], source: str) -> Iterator[Candidate]:
        """Fit formulas to the rows and yield those that are good, best first."""
        found = []
        for formula in formulas:
            candidate = self.measure(formula, source)
            if candidate is not None:
                found.append(candidate)
                if candidate.score < EXACT:
                    break
        for candidate in sorted(found, key=lambda c: c.score)[:3]:
            self.best = min(self.best, candidate.score)
            yield candidate

    def measure(self, formula: sympy.Expr, source: str) -> Candidate | None:
        """Return the formula with its constants fitted and its share on the test rows."""
        key = sympy.srepr(
            formula.xreplace({f: sympy.Float(f"{float(f):.2g}") for f in formula.atoms(sympy.Float)})
        )
        if key in self.seen or self.budget.exhausted:
            return None
        self.seen.add(key)
        self.budget.spend()
        try:
            fitted = polish(formula, self.fit, 30)
        except (TypeError, ZeroDivisionError, OverflowError, ValueError):
            return None
        if fitted is None:
            return None
        values = fitted.program.value(self.test.X, fitted.theta)
        share = self.test.loss(values) / self.power
        if not np.isfinite(share):
            return None
        return Candidate(share, source, fitted.expression)

    def single(self, problem: Problem) -> Iterator[Candidate]:
        """Propose y = m·f(h) for this problem's columns."""
        for form in self.forms(problem):
            yield from self.offer(self.named(problem, form), "ridge")
            if self.done:
                return

    def forms(self, problem: Problem) -> list[Form]:
        """Return rounded exponent vectors of good ridge fits, best first."""
        rows = problem.fit[:300]
        Z, y, w = problem.Z[rows], problem.y[rows], problem.w[rows]
        y = y / np.linalg.norm(w * y)
        logs = problem.one_signed()
        L = np.log(np.abs(Z[:, logs]))
        L = L - L.mean(0)
        degree = min(DEGREE, max(1, len(y) // 4))
        fits = []
        for p, q in self.starts(L, y):
            fit = ridge.solve(L, L, y, w, p, q, degree, 40, 1e-13)
            fits.append(fit)
            if fit.share < 1e-9 or self.budget.exhausted:
                break
        fits.sort(key=lambda f: f.share)
        found: dict[tuple, Form] = {}
        for fit in fits[:3]:
            for p, q in rounded(fit):
                full_p, full_q = np.zeros(problem.width), np.zeros(problem.width)
                full_p[logs], full_q[logs] = p, q
                key = (tuple(full_p), tuple(full_q))
                if key in found:
                    continue
                s = L @ q if np.any(q) else None
                share = ridge.residual_share(np.exp(L @ p), s, y, w, degree)
                found[key] = Form(*key, share)
        return sorted(found.values(), key=lambda f: np.log10(f.share + 1e-16) + 0.3 * price(f))[:6]

    def starts(self, L: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield starting exponents: the pure power law first, then each variable and sign pattern."""
        d = L.shape[1]
        A = np.column_stack([L, np.ones(len(y))])
        slope = np.linalg.lstsq(A, np.log(np.abs(y) + 1e-12 * np.abs(y).max()), rcond=None)[0][:-1]
        slope = np.clip(slope, -6, 6)
        yield slope, np.zeros(0)
        for i in range(d):
            yield slope, np.eye(d)[i]
        for i, j in itertools.combinations(range(d), 2):
            for sign in (1, -1):
                q = np.zeros(d)
                q[i], q[j] = 1, sign
                yield slope, q / np.sqrt(2)
        for _ in range(12):
            q = self.rng.normal(size=d)
            yield slope + 0.3 * self.rng.normal(size=d), q / np.linalg.norm(q)

    def named(self, problem: Problem, form: Form) -> list[sympy.Expr]:
        """Return formulas for a form: its curve named by elementary functions."""
        rows = problem.fit
        Z, y, w = np.abs(problem.Z[rows]), problem.y[rows], problem.w[rows]
        m = np.prod(Z ** np.array(form.p), axis=1)
        outer = monomial(problem, form.p)
        if not any(form.q):
            return [sympy.Float(float(np.average(y / m, weights=(w * m) ** 2))) * outer]
        h = np.prod(Z ** np.array(form.q), axis=1)
        inside = monomial(problem, form.q)
        return [law.expression.xreplace({curve.H: inside}) * outer for law in curve.laws(h, y / m, w * m)]


def root_X(dataset: Any) -> np.ndarray:
    """Return the dataset's columns as floats."""
    return np.asarray(dataset.X, float)


def price(form: Form) -> float:
    """Return the symbols that a form's exponents cost."""
    return float(
        sum(
            0.5 + min(abs(e), 3) / 2 + (0 if float(2 * e).is_integer() else 2)
            for e in (*form.p, *form.q)
            if e
        )
    )


def monomial(problem: Problem, exponents: tuple[float, ...]) -> sympy.Expr:
    """Return the product of column formulas to these powers."""
    out = sympy.S.One
    for formula, e, column in zip(problem.formulas, exponents, problem.Z.T, strict=True):
        if e:
            exact = Fraction(float(e)).limit_denominator(6)
            near = abs(float(exact) - e) < 1e-12
            exponent = sympy.Rational(exact.numerator, exact.denominator) if near else sympy.Float(float(e))
            base = formula if column[0] > 0 or exponent.is_Integer else -formula
            out = out * base**exponent
    return out


def rounded(fit: ridge.Ridge) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield nearby simple exponents in every gauge: h may be rescaled, and powers of h moved into m."""
    if len(fit.q) == 0:
        yield nice(fit.p), np.zeros(len(fit.p))
        yield fit.p, np.zeros(len(fit.p))
        return
    big = np.abs(fit.q).max()
    seen = set()
    for i in (i for i in np.argsort(-np.abs(fit.q))[:3] if abs(fit.q[i]) > 0.1 * big):
        for k in (1, 2, 0.5):
            q = fit.q / fit.q[i] * k
            r = nice(q)
            if np.abs(r - q).max() > 0.08 or (
                k != 1 and np.abs(r - np.round(r)).max() < 1e-9 and not np.any(np.abs(r) == 1)
            ):
                continue
            key = tuple(r)
            if key in seen or not np.any(r) or big == 0:
                continue
            seen.add(key)
            for j in (j for j in np.flatnonzero(r) if q[j]):
                p = fit.p - fit.p[j] * (q / q[j])
                yield nice(p), r


def nice(values: np.ndarray) -> np.ndarray:
    """Return the values rounded to halves, or to thirds where much closer."""
    halves = np.round(values * 2) / 2
    thirds = np.round(values * 3) / 3
    return np.where(np.abs(values - thirds) < 0.2 * np.abs(values - halves), thirds, halves)

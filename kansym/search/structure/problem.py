"""The table as a search sees it: columns that are themselves formulas, a target, two sets of rows.

Merging two columns into one, or dividing the target by a column, gives a new problem of the same kind,
so that a search can recurse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from kansym.base.weights import roots, spread
from kansym.data.dataset import Dataset
from kansym.functions.parsing import symbols
from kansym.search.structure.outers import Outer

FIT_ROWS, TEST_ROWS = 700, 300
"""Rows that are fitted and rows that judge, at most: hundreds of fits are tried."""

SMOOTH_ROWS = 400
"""Fitted rows of a smooth fit (see `tree.evidence`): hundreds of forms are judged, in milliseconds each."""

DEPENDENT = 1e-8
"""A column whose logarithm is a sum of others' to this share of its spread is a product of their powers."""

FEW_ROWS = 200
"""Fitted rows below which all rows choose a form, smooth fits judge each by the fit without it: a third of a
hundred rows is too much to give away."""

FLATTEST = 0.03
"""A transform's slope counts as at least this share of its median."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Hold columns Z (n, d) with their formulas, the target y (n,), and root weights w (n,).

    `finish` turns a formula for this target into one for the table's. `fit` and `test` index the rows
    that are fitted and the rows that judge; both are bounded, because the search needs hundreds of rows
    and not millions. `unit` turns a share of this target's square that a fit leaves into a share of the
    table's target's variance, so that fits of different transforms compare. Smooth fits take `smooth_rows`.
    """

    Z: np.ndarray
    y: np.ndarray
    w: np.ndarray
    formulas: tuple[sympy.Expr, ...]
    fit: np.ndarray
    test: np.ndarray
    finish: Callable[[sympy.Expr], sympy.Expr] = lambda e: e
    unit: float = 1.0
    smooth_rows: int = SMOOTH_ROWS

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return len(self.formulas)

    def choosing(self, most: int) -> np.ndarray:
        """Return the rows (n,) that choose a form, at most so many; of few rows also those that judge."""
        few = len(self.fit) < FEW_ROWS
        return np.concatenate([self.fit, self.test])[:most] if few else self.fit[:most]

    def scaled(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the target on some rows, its weighted norm made one, and the root weights."""
        y, w = self.y[rows], self.w[rows]
        return y / np.linalg.norm(w * y), w

    def one_signed(self) -> np.ndarray:
        """Tell for each column whether it is positive everywhere or negative everywhere."""
        return np.asarray((self.Z > 0).all(0) | (self.Z < 0).all(0))

    @cached_property
    def independent(self) -> Problem:
        """Return the problem without columns that are products of powers of others.

        Exponents would not be determined with them: a = b·c allows a^k·(b·c)^(-k) for any k. Of columns that
        can be written so the one goes that has no negative power, then the last.
        """
        keep = list(range(self.width))
        positive = set(np.flatnonzero(self.one_signed()).tolist())
        while among := [k for k in keep if k in positive]:
            L = np.log(np.abs(self.Z[self.fit][:, among]))
            L = L - L.mean(0)
            size = np.linalg.norm(L, axis=0)
            if not np.isfinite(size).all() or size.min() == 0 or len(L) <= 2 * len(among):
                break
            _, values, rows = np.linalg.svd(L / size, full_matrices=False)
            if values[-1] > DEPENDENT:
                break
            # the vectors of no size say which columns depend; each is solved for by the others
            loose = np.abs(rows[values <= DEPENDENT]).max(axis=0) > np.sqrt(DEPENDENT)
            ways = []
            for place in np.flatnonzero(loose):
                powers = np.linalg.lstsq(np.delete(L, place, axis=1), L[:, place], rcond=DEPENDENT)[0]
                ways.append((bool((powers < -DEPENDENT).any()), -int(place)))
            keep.remove(among[-min(ways)[1]])
        return (
            self
            if len(keep) == self.width
            else self.columns(self.Z[:, keep], tuple(self.formulas[k] for k in keep))
        )

    def columns(self, Z: np.ndarray, formulas: tuple[sympy.Expr, ...]) -> Problem:
        """Return the same problem seen through other columns."""
        return replace(self, Z=Z, formulas=formulas)

    def target(self, outer: Outer) -> Problem | None:
        """Return the problem for g(y), None where g is undefined; weights follow by the delta method."""
        rows = np.concatenate([self.fit, self.test])
        part = self.y[rows]
        # noise may carry a few values of a positive target below zero; their squares still mean what they say
        if not outer.allows(part) and not (outer.name == "t^2" and np.quantile(part, 0.05) > 0):
            return None
        size = 1.0 if outer.scaled is False else float(np.sqrt(np.mean(part**2)))
        with np.errstate(all="ignore"):
            t, slope = outer.forward(self.y / size), outer.slope(self.y / size)
        if not np.all(np.isfinite(t[rows])) or np.ptp(t[rows]) == 0:
            return None
        before = self.finish
        sign = -1 if outer.signed and np.median(part) < 0 else 1
        factor = sympy.Float(size * sign) if size != 1 or sign < 0 else sympy.S.One

        def finish(e: sympy.Expr) -> sympy.Expr:
            """Return the formula for the table's target from one for g(y)."""
            return before(outer.inverse(e) * factor)

        # where a slope vanishes noise decides the transformed value: such a row must not outweigh the others
        w = self.w / np.maximum(np.abs(slope), FLATTEST * np.median(np.abs(slope[rows])))
        square = np.sum((self.w * self.y)[self.fit] ** 2)
        unit = self.unit * float(np.sum((size * w * t)[self.fit] ** 2) / square)
        return replace(self, y=t, w=w / np.sqrt(np.mean(w[rows] ** 2)), finish=finish, unit=unit)

    def merge(self, i: int, j: int, operation: Operation) -> Problem:
        """Return the problem with columns i and j replaced by one."""
        keep = [k for k in range(self.width) if k not in (i, j)]
        values = operation.value(self.Z[:, i], self.Z[:, j])
        formula = operation.formula(self.formulas[i], self.formulas[j])
        return self.columns(
            np.column_stack([self.Z[:, keep], values]), (*(self.formulas[k] for k in keep), formula)
        )


@dataclass(frozen=True)
class Operation:
    """Join two columns: the same rule for arrays and for formulas."""

    name: str
    rule: Callable[[Any, Any], Any]

    def value(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the joined values."""
        return np.asarray(self.rule(a, b), float)

    def formula(self, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
        """Return the joined formula."""
        return self.rule(a, b)


def problem(dataset: Dataset, seed: int = 0) -> Problem:
    """Return the problem that a dataset poses: columns and target in units of their own size.

    Rows beyond FIT_ROWS + TEST_ROWS are not looked at; polishing uses them all.
    """
    X, y = np.asarray(dataset.X, float), np.asarray(dataset.y, float)
    n = len(y)
    order = np.random.default_rng(seed).permutation(n)
    held = min(TEST_ROWS, max(n // 3, 1)) if n > 12 else 0
    test = np.sort(order[:held]) if held else np.sort(order)
    fit = np.sort(order[held : held + FIT_ROWS])
    w = roots(dataset.weights, n)
    w = w / w.mean()
    total = spread(y[fit], w[fit])
    unit = float(np.sum((w * y)[fit] ** 2)) / total if total > 0 else 1.0
    return Problem(X, y, w, symbols(dataset.names), fit, test, unit=unit)

"""How good a formula g is as the boundary between two classes: fitted to the rows' sides, and described.

The coefficients of its terms are fitted by logistic regression and a line search for the fewest rows on the
wrong side; a boundary is judged by the nats that the wrong rows, its symbols and its coefficients need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy
from scipy.special import gammaln

from kansym.base import criterion
from kansym.base.linear import TINY
from kansym.base.logistic import covariance, logistic, sharpened
from kansym.formula import constants
from kansym.formula.expression import complexity, number, text
from kansym.formula.program import Program

TIE = 6.0
"""Nats between two descriptions that the labels hardly tell apart, as between a law and its rivals."""

NEARER = (1.0, 0.4, 0.4)
"""Share of the rows, the nearest to the boundary, that each further fit keeps."""

NICE = 0.004
"""Relative standard error that is assumed of a coefficient when a nice number is looked for near it."""

FEWEST_ROWS = 100
"""Rows that the nearest part has at least."""

FLAT = 0.02
"""Share of the mean slope that is added to every row's, so that none lies infinitely far away."""


@dataclass(frozen=True, eq=False)
class Sides:
    """Hold rows X (n, d), which of them are on the positive side (n,), and the columns' symbols."""

    X: np.ndarray
    positive: np.ndarray
    columns: tuple[sympy.Symbol, ...]


@dataclass(frozen=True)
class Boundary:
    """Hold one boundary: g > 0 on the second class; `g` is scaled so that its least coefficient is ±1.

    `loss` is the mean cross-entropy, `accuracy` the share of rows on the right side, `length` the nats
    that the wrong rows, the terms and their coefficients need.
    """

    g: sympy.Expr
    coefficients: tuple[float, ...]
    terms: tuple[sympy.Expr, ...]
    errors: tuple[float, ...]
    loss: float
    accuracy: float
    complexity: int
    length: float

    @property
    def text(self) -> str:
        """Return g as text."""
        return text(self.g, 4)


def fitted(form: sympy.Expr, sides: Sides) -> Boundary:
    """Return a sum of terms with its coefficients fitted to all rows: to the nearest, with nice numbers."""
    forms, positive = sympy.Add.make_args(form), sides.positive
    values, gradients = zip(*(_term(f, sides.columns).gradient(sides.X) for f in forms), strict=True)
    A = np.column_stack(values)
    scale = np.sqrt(np.mean(A * A, axis=0))
    A = A / scale
    spans = sides.X.std(0)
    G = np.stack([g * spans / c for g, c in zip(gradients, scale, strict=True)], axis=1)
    loss, beta = logistic(A, positive.astype(float))
    trials, rows = [beta], np.arange(len(A))
    for share in NEARER:
        # a logit in the distance |g|/|grad g| is equally steep everywhere, and only near rows matter
        slope = np.linalg.norm(np.einsum("nkd,k->nd", G[rows], beta), axis=1)
        slope = slope / max(float(slope.mean()), TINY) + FLAT
        away = np.abs(A[rows] @ beta) / slope
        near = away <= np.quantile(away, max(share, min(1.0, FEWEST_ROWS / len(rows))))
        rows, slope = rows[near], slope[near]
        beta = logistic(A[rows] / slope[:, None], positive[rows].astype(float))[1]
        trials.append(beta)
    trials = [sharpened(A, positive, b) for b in trials]
    beta = min(trials, key=lambda b: int(np.sum((A @ b > 0) != positive)))
    raw = beta / scale
    unit = float(np.abs(raw).min()) or 1.0
    raw, errors = raw / unit, np.sqrt(np.diag(covariance(A, beta))) / scale / unit
    free = 0.5 * math.log(len(positive)) * (len(forms) - 1)
    choices = [(raw, free)]
    nice = [constants.near(v, NICE * abs(v), longest=free / max(len(forms) - 1, 1)) for v in raw.tolist()]
    if len(forms) > 1 and all(nice):
        choices.append((np.array([float(n[0].exact) for n in nice]), sum(n[0].price for n in nice)))
    described = [_described(forms, np.column_stack(values) @ c, c, price, positive) for c, price in choices]
    g, size, wrong, length, c = min(described, key=lambda f: f[3])
    accuracy = 1 - wrong / len(positive)
    return Boundary(g, tuple(c.tolist()), forms, tuple(errors.tolist()), loss, accuracy, size, length)


def _described(
    forms: Sequence[sympy.Expr], values: np.ndarray, c: np.ndarray, price: float, positive: np.ndarray
) -> tuple[sympy.Expr, int, int, float, np.ndarray]:
    """Return g with coefficients c, its complexity, its wrong rows, and the nats that describe the labels."""
    g = sympy.Add(*(number(float(v)) * form for v, form in zip(c, forms, strict=True)))
    n, wrong = len(positive), int(np.sum((values > 0) != positive))
    size = complexity(g)
    labels = float(gammaln(n + 1) - gammaln(wrong + 1) - gammaln(n - wrong + 1))
    return g, size, wrong, labels + criterion.NODE_PRICE * size + price, c


@lru_cache(maxsize=2048)
def _term(form: sympy.Expr, columns: tuple[sympy.Symbol, ...]) -> Program:
    """Return a term compiled: one is a part of many sums."""
    return Program.compile(form, columns, [], [])


def ranked(found: Sequence[Boundary]) -> list[Boundary]:
    """Return the chosen boundary first, the others by falling accuracy.

    A few wrong rows are chance: of the descriptions that the labels hardly tell apart (TIE) the smallest
    formula is chosen.
    """
    others = sorted(found, key=lambda b: (-b.accuracy, b.complexity, b.loss))
    shortest = min(b.length for b in found)
    near = [b for b in others if b.length < shortest + TIE]
    first = min(near, key=lambda b: (b.complexity, b.length, b.loss))
    return [first, *(b for b in others if b is not first)]

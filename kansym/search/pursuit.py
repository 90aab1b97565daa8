"""Sums of products of two functions of columns, for tables of many columns: matching pursuit on all pairs.

Step by step the product that explains most of what is left joins the sum (Pati, Rezaiifar and Krishnaprasad,
Asilomar 1993), and each of those before it is exchanged for a better one, if there is any. The correlations
of all products f_i·f_j with what is left are one matrix product F'·diag(r)·F: no product is ever formed.
Where columns are positive, a product of powers of all columns is offered, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.base.leastsq import levenberg_marquardt
from kansym.base.linear import TINY
from kansym.base.weights import roots, spread
from kansym.data.dataset import Dataset
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.search.candidate import Candidate

MOST_FACTORS = 1500
"""Functions of columns whose pairs are compared: the matrix of a million pairs takes some 50 ms."""

MOST_TERMS = 8
"""Terms of a sum, at most."""

EXCHANGES = 3
"""Rounds in which each term may be exchanged for a better one."""

TERM_NATS = 5.0
"""Nats that a term costs beside its share of the choice among all pairs: its constant and its symbols."""

NEAR = 3.0
"""Standard errors within which an exponent is taken for a half or a whole: of many, one may be three off."""

FAINT = 1e-9
"""Share of a product's mean square below which it counts as constant."""

Make = Callable[[Any], Any]

FUNCTIONS: tuple[tuple[str, Make, Make], ...] = (
    ("x", lambda v: v, lambda s: s),
    ("x^2", lambda v: v * v, lambda s: s**2),
    ("abs", np.abs, sympy.Abs),
    ("1/x", lambda v: 1 / v, lambda s: 1 / s),
    ("sqrt", np.sqrt, sympy.sqrt),
    ("log", np.log, sympy.log),
    ("exp", np.exp, sympy.exp),
    ("sin", np.sin, sympy.sin),
    ("cos", np.cos, sympy.cos),
)
"""Functions of one column that a factor may be: by their names in a library, on arrays and on formulas."""

SIGNED = ("x", "x^2", "abs", "1/x", "sin", "cos")
"""Those of them that are tried where more would make too many pairs."""


@dataclass(frozen=True, eq=False)
class Factors:
    """Hold functions of columns: values F (n, m) of mean square one, their formulas; the first is 1."""

    values: np.ndarray
    formulas: tuple[sympy.Expr, ...]

    def pair(self, place: int) -> tuple[int, int]:
        """Return the factors of the product at a place of the flattened matrix of pairs."""
        i, j = divmod(place, self.values.shape[1])
        return (i, j) if i <= j else (j, i)

    def columns(self, pairs: list[tuple[int, int]]) -> np.ndarray:
        """Return a constant and the products (n, 1 + pairs)."""
        products = [self.values[:, i] * self.values[:, j] for i, j in pairs]
        return np.column_stack([np.ones(len(self.values)), *products])


def propose(
    dataset: Dataset, *, budget: Budget, library: Library | None = None, seed: int = 0
) -> Iterator[Candidate]:
    """Yield sums of products of two functions for a table of many columns, the shortest description first."""
    if budget.exhausted:
        return
    w = roots(dataset.weights, dataset.rows)
    total = spread(dataset.y, w)
    budget.spend(1.0)
    found: list[tuple[float, float, sympy.Expr]] = []
    with np.errstate(all="ignore"):
        if (power := powers(dataset, w)) is not None:
            found.append(power)
        found += sums(factors(dataset, library), dataset.y, w)
    for _, left, formula in sorted(found, key=lambda f: f[0])[:3]:
        yield Candidate(left / max(total, TINY), "pursuit", formula)


def factors(dataset: Dataset, library: Library | None) -> Factors:
    """Return the functions of columns that a library has and that are finite on all rows."""
    names = [f[0] for f in FUNCTIONS if library is None or f[0] in library or f[0] == "x"]
    if len(names) * len(dataset.names) > MOST_FACTORS:
        names = [n for n in names if n in SIGNED[: max(1, MOST_FACTORS // len(dataset.names))]]
    values, formulas = [np.ones(dataset.rows)], [sympy.S.One]
    for symbol, x in zip(symbols(dataset.names), dataset.X.T, strict=True):
        for name, on_arrays, on_formulas in FUNCTIONS:
            # |x| of a column of one sign is the column
            if name not in names or (name == "abs" and not (np.any(x > 0) and np.any(x < 0))):
                continue
            v = on_arrays(x)
            size = math.sqrt(float(np.mean(v * v))) if np.all(np.isfinite(v)) else math.inf
            if 0 < size < math.inf:
                values.append(v / size)
                formulas.append(on_formulas(symbol) / sympy.Float(size))
    return Factors(np.column_stack(values), tuple(formulas))


def sums(given: Factors, y: np.ndarray, w: np.ndarray) -> list[tuple[float, float, sympy.Expr]]:
    """Return sums of one term, of two, ...: description length, sum of squares left, formula."""
    n, choice = len(y), math.log(given.values.shape[1] ** 2 / 2)
    chosen: list[tuple[int, int]] = []
    out: list[tuple[float, float, sympy.Expr]] = []
    left = _left(given, chosen, y, w)[0]
    for _ in range(min(MOST_TERMS, n // 10)):
        chosen = _exchanged(given, [*chosen, _best(given, left, w, chosen)], y, w)
        left, c = _left(given, chosen, y, w)
        cost = float(left @ left)
        price = len(chosen) * (TERM_NATS + choice + 0.5 * math.log(n))
        floor = criterion.EXACT_SHARE * float(np.mean((w * y) ** 2))
        length = criterion.misfit_length(cost / n, n, 1 + len(chosen), floor) + price
        if out and length > out[-1][0]:
            break
        out.append((length, cost, _formula(given, chosen, c)))
        if cost / n < floor:
            break
    return out


def _left(
    given: Factors, pairs: list[tuple[int, int]], y: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a sum leaves of y, times w, and its coefficients."""
    A = given.columns(pairs) * w[:, None]
    c = np.linalg.lstsq(A, y * w, rcond=1e-12)[0]
    return y * w - A @ c, c


def _best(given: Factors, left: np.ndarray, w: np.ndarray, chosen: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the pair whose product correlates most with what is left (n,), none of those chosen."""
    F, v = given.values, w * w
    total = float(v.sum())
    along = F.T @ (F * (w * left)[:, None])
    mean = F.T @ (F * v[:, None]) / total
    square = (F * F).T @ (F * F * v[:, None])
    spread = square - total * mean * mean
    # what is left has no mean already: the constant is in every sum
    gain = np.where(spread > FAINT * square, along * along / np.maximum(spread, TINY), 0.0)
    for i, j in chosen:
        gain[i, j] = gain[j, i] = 0.0
    return given.pair(int(np.argmax(gain)))


def _exchanged(
    given: Factors, chosen: list[tuple[int, int]], y: np.ndarray, w: np.ndarray
) -> list[tuple[int, int]]:
    """Return the pairs after each was exchanged for a better one, as long as that helps."""
    now = float(np.sum(_left(given, chosen, y, w)[0] ** 2))
    for _ in range(EXCHANGES if len(chosen) > 1 else 0):
        before = now
        for k in range(len(chosen)):
            rest = chosen[:k] + chosen[k + 1 :]
            trial = [*rest, _best(given, _left(given, rest, y, w)[0], w, rest)]
            cost = float(np.sum(_left(given, trial, y, w)[0] ** 2))
            if cost < now * (1 - 1e-9):
                chosen, now = trial, cost
        if not now < before:
            break
    return chosen


def _formula(given: Factors, pairs: list[tuple[int, int]], c: np.ndarray) -> sympy.Expr:
    """Return a constant and the products of pairs of factors, each with its coefficient."""
    terms = [
        _one_number(sympy.Float(float(b)) * given.formulas[i] * given.formulas[j])
        for b, (i, j) in zip(c[1:], pairs, strict=True)
    ]
    return sympy.Add(sympy.Float(float(c[0])), *terms)


def _one_number(term: sympy.Expr) -> sympy.Expr:
    """Return a term with its numbers multiplied out."""
    number, rest = term.as_coeff_Mul()
    return sympy.Float(float(number)) * rest


def powers(dataset: Dataset, w: np.ndarray) -> tuple[float, float, sympy.Expr] | None:
    """Return c·x1^n1·x2^n2·... of the positive columns that matter: length, sum of squares left, formula.

    By the regression of log |y| on the rows of y's usual sign, weighed by y² as the delta method has it; then
    on y itself, since many values may be small beside the noise, and have the logarithm of the noise.
    """
    n = dataset.rows
    at = [j for j in range(dataset.X.shape[1]) if np.all(dataset.X[:, j] > 0)]
    sign = 1.0 if np.median(dataset.y) > 0 else -1.0
    up = sign * dataset.y > 0
    if not at or np.sum(up) < max(2 * len(at) + 2, n / 2):
        return None
    logs = np.column_stack([np.ones(n), np.log(dataset.X[:, at])])
    v = (w * np.abs(dataset.y))[up]
    start = np.linalg.lstsq(logs[up] * v[:, None], np.log(sign * dataset.y[up]) * v, rcond=1e-12)[0]
    kept = list(range(len(start)))
    while True:
        fit = levenberg_marquardt(partial(_power_law, logs[:, kept], sign * dataset.y, w), start)
        errors = np.sqrt(np.diag(fit.covariance))
        sure = np.abs(fit.theta[1:]) / np.maximum(errors[1:], TINY)
        # a column goes when its exponent saves less than the number costs
        if len(sure) == 0 or sure.min() ** 2 / 2 > TERM_NATS:
            break
        least = 1 + int(np.argmin(sure))
        del kept[least]
        start = np.delete(fit.theta, least)
    if len(kept) < 2:
        return None
    exponents = [_nice(float(e), float(error)) for e, error in zip(fit.theta[1:], errors[1:], strict=True)]
    columns = [at[k - 1] for k in kept[1:]]
    shape = np.exp(np.log(dataset.X[:, columns]) @ np.array([float(e) for e in exponents]))
    factor = float(np.sum(w * w * shape * dataset.y) / np.sum((w * shape) ** 2))
    cost = float(np.sum((w * (dataset.y - factor * shape)) ** 2))
    names = symbols(dataset.names)
    product = sympy.Mul(*(names[j] ** e for j, e in zip(columns, exponents, strict=True)))
    length = criterion.misfit_length(cost / n, n, len(kept), 0.0) + len(kept) * (
        TERM_NATS + 0.5 * math.log(n)
    )
    return length, cost, sympy.Float(factor) * product


def _power_law(
    A: np.ndarray, y: np.ndarray, w: np.ndarray, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted residuals of exp(A·theta), a product of powers, and their Jacobian."""
    values = np.exp(A @ theta)
    return w * (values - y), A * (w * values)[:, None]


def _nice(value: float, error: float) -> sympy.Expr:
    """Return the nearest half within NEAR errors of an exponent, else the exponent as measured."""
    half = sympy.Rational(round(2 * value), 2)
    return half if half and abs(value - float(half)) <= NEAR * error else sympy.Float(value)

"""Pade fits: the ratio of two multivariate polynomials, with few terms, from a table or a function.

`fit_pade` is what a person calls; `search` is the same as a producer of candidates. The numbers are those of
`monomials`. Terms are chosen by description length (`chooser`): a term has to earn its price. The formula's
denominator has 1 as the coefficient of its lowest term (graded order: the constant, where there is one),
which makes the coefficients unique.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.errors import InputError, placed
from kansym.base.threads import one_thread
from kansym.formula.expression import text
from kansym.functions.parsing import symbols
from kansym.search.rational import monomials as rational
from kansym.search.rational.chooser import FLOOR, Chooser, Powers, max_degrees
from kansym.search.rational.monomials import Ratio, Sheet


@dataclass(frozen=True)
class FrontRow:
    """Hold one ratio of the front: number of coefficients, relative RMS error, and the coefficients."""

    terms: int
    error: float
    numerator: dict[Powers, float]
    denominator: dict[Powers, float]


POLES = 5
"""Points next to poles that are reported."""

LONGEST_SHOWN = 200
"""Characters of a ratio that are printed; `expression` has all."""


@dataclass(frozen=True)
class PadeFit:
    """Hold y ≈ P(x)/Q(x): coefficients by exponents, standard errors likewise, and how good it is.

    `error` is the relative RMS error on all rows, `front` the best fit for each number of terms, `poles`
    points inside the data's range next to which Q changes sign. The first denominator term in graded
    order has coefficient 1 and standard error 0.
    """

    names: tuple[str, ...]
    numerator: dict[Powers, float]
    denominator: dict[Powers, float]
    numerator_errors: dict[Powers, float]
    denominator_errors: dict[Powers, float]
    degree: tuple[int, int]
    error: float
    front: tuple[FrontRow, ...] = ()
    poles: tuple[tuple[float, ...], ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        """Return the ratio and its error, without the front."""
        ratio = text(self.expression)
        shown = ratio if len(ratio) <= LONGEST_SHOWN else ratio[: LONGEST_SHOWN - 3] + "..."
        return f"PadeFit({shown}, {self.terms} terms, error={self.error:.3g})"

    @property
    def terms(self) -> int:
        """Return the number of coefficients, the normalised one included."""
        return len(self.numerator) + len(self.denominator)

    @property
    def expression(self) -> sympy.Expr:
        """Return P/Q over real symbols named as the columns."""
        columns = symbols(self.names)
        return polynomial(self.numerator, columns) / polynomial(self.denominator, columns)

    def predict(self, X: Any) -> np.ndarray:
        """Return P/Q at rows (n, d); infinite or NaN at a pole."""
        X = _matrix(X, len(self.names))
        with np.errstate(all="ignore"):
            return _values(self.numerator, X) / _values(self.denominator, X)


def polynomial(coefficients: dict[Powers, float], columns: Sequence[sympy.Expr]) -> sympy.Expr:
    """Return the sum of coefficient times monomial; coefficients that are integers to round-off are exact."""
    terms = []
    for powers, c in coefficients.items():
        whole = round(c) if abs(c) < 1e6 else 0
        number = sympy.Integer(whole) if abs(c - whole) <= criterion.ROUND_OFF * abs(c) else sympy.Float(c)
        terms.append(sympy.Mul(number, *(s**e for s, e in zip(columns, powers, strict=True) if e)))
    return sympy.Add(*terms)


def written(chooser: Chooser, ratio: Ratio, columns: Sequence[sympy.Expr]) -> sympy.Expr:
    """Return c·P/Q with the first coefficient of P that is not 0 pulled out, so that simple ratios show."""
    numerator, denominator, *_ = chooser.raw(ratio, errors=False)
    first = next((c for c in numerator.values() if c), 1.0)
    inner = {k: v / first for k, v in numerator.items()}
    top, bottom = polynomial(inner, columns), polynomial(denominator, columns)
    return sympy.Mul(sympy.Float(first), top, 1 / bottom)


def _values(coefficients: dict[Powers, float], X: np.ndarray) -> np.ndarray:
    """Return a polynomial's values (n,) at rows X (n, d)."""
    total = np.zeros(len(X))
    for powers, c in coefficients.items():
        total = total + c * np.prod(X ** np.array(powers), axis=1)
    return total


def fit_pade(
    X: Any,
    y: Any,
    degree: tuple[int, int] | None = None,
    weights: Any = None,
    names: Sequence[str] | None = None,
    sparse: bool = True,
    noise: float | None = None,
    seed: int = 0,
) -> PadeFit:
    """Fit y ≈ P(x)/Q(x) with total degrees (m, n), minimising the true error sum w (P/Q − y)².

    X (n, d), y (n,). `degree` None chooses the degrees. `noise` is y's standard deviation where known;
    otherwise the residuals show it. `sparse` keeps only terms that earn their price. A pole inside the
    data's range costs a fit dearly; where the data insist on one it is reported in `poles`.
    Raises InputError for rows that cannot be used or are too few for a dense fit.
    """
    X = _matrix(X, None)
    y = np.asarray(y, float).ravel()
    w = None if weights is None else np.asarray(weights, float).ravel()
    names = tuple(f"x{i}" for i in range(X.shape[1])) if names is None else tuple(str(n) for n in names)
    _check(X, y, w, names, degree)
    # the matrices are small: BLAS threads cost more than they bring
    with one_thread():
        return _fit(X, y, degree, w, names, sparse, noise, seed)


def _fit(
    X: np.ndarray,
    y: np.ndarray,
    degree: tuple[int, int] | None,
    w: np.ndarray | None,
    names: tuple[str, ...],
    sparse: bool,
    noise: float | None,
    seed: int,
) -> PadeFit:
    """Return the fit of checked rows: of few terms, or dense where not `sparse`."""
    top = max_degrees(X.shape[1], len(y)) if degree is None else [(int(degree[0]), int(degree[1]))]
    chooser = Chooser.of(X, y, w, max(max(d) for d in top), noise, seed)
    if not sparse:
        m, n = top[-1] if degree is not None else chooser.densest(top)
        support = (chooser.sheet.upto(m), chooser.sheet.upto(n))
        if len(support[0]) + len(support[1]) - 1 > len(y):
            raise InputError(f"Degree {m}/{n} has more coefficients than the {len(y)} rows; lower it.")
        return _report(chooser, [rational.fitted(chooser.sheet, support)], names, X)
    return _report(chooser, chooser.choose(top), names, X)


def _report(chooser: Chooser, ratios: list[Ratio], names: tuple[str, ...], X: np.ndarray) -> PadeFit:
    """Return the first ratio, fitted to all rows, with its errors, poles and front."""
    best = ratios[0]
    whole = rational.refit(chooser.sheet, rational.measured(chooser.sheet, best.support, best.p, best.q))
    if not np.isfinite(whole.loss):
        whole = rational.fitted(chooser.sheet, best.support)
    numerator, denominator, p_errors, q_errors = chooser.raw(whole)
    poles = _poles(whole, X, chooser.sheet)
    notes = []
    if poles:
        where = placed(names, poles[0])
        notes.append(f"The denominator changes sign inside the data's range, near {where}.")
    degree = tuple(max(sum(k) for k in part) for part in (numerator, denominator))
    return PadeFit(
        names,
        numerator,
        denominator,
        p_errors,
        q_errors,
        (degree[0], degree[1]),
        math.sqrt(whole.loss),
        _front(chooser, ratios),
        poles,
        tuple(notes),
    )


def _front(chooser: Chooser, ratios: list[Ratio]) -> tuple[FrontRow, ...]:
    """Return the best ratio of each size, as long as more terms lower the error."""
    best: dict[int, Ratio] = {}
    for r in ratios:
        if r.terms not in best or r.loss < best[r.terms].loss:
            best[r.terms] = r
    rows: list[FrontRow] = []
    for terms in sorted(best):
        error = math.sqrt(best[terms].loss)
        if not rows or (error < 0.999 * rows[-1].error and rows[-1].error > FLOOR):
            numerator, denominator, *_ = chooser.raw(best[terms], errors=False)
            rows.append(FrontRow(terms, error, numerator, denominator))
    return tuple(rows)


def _poles(ratio: Ratio, X: np.ndarray, sheet: Sheet) -> tuple[tuple[float, ...], ...]:
    """Return points of the data's box next to which Q changes sign: all of them in one dimension."""
    den = list(ratio.support[1])
    if len(den) == 1 and not sheet.E[den[0]].any():
        return ()
    low, high = X.min(axis=0), X.max(axis=0)
    if X.shape[1] == 1:
        Q = np.zeros(sheet.E.max() + 1)
        Q[sheet.E[den, 0]] = ratio.q
        roots = np.roots(Q[::-1])
        real = roots.real[np.abs(roots.imag) <= 1e-9 * np.maximum(np.abs(roots), 1e-12)] * sheet.scale[0]
        return tuple((float(r),) for r in sorted(real) if low[0] <= r <= high[0])[:POLES]
    rng = np.random.default_rng(0)
    cloud = np.vstack([X, low + (high - low) * rng.random((4000, X.shape[1]))])
    Q = rational.columns(cloud / sheet.scale, sheet.E[den]) @ ratio.q
    if Q.min() >= 0 or Q.max() <= 0:
        return ()
    positive, negative = cloud[Q > 0], cloud[Q < 0]
    found = []
    for a, b in zip(itertools.cycle(positive[:POLES]), negative[:POLES], strict=False):
        for _ in range(60):
            middle = (a + b) / 2
            value = float((rational.columns(middle[None] / sheet.scale, sheet.E[den]) @ ratio.q)[0])
            a, b = (middle, b) if value > 0 else (a, middle)
        found.append(tuple(float(v) for v in (a + b) / 2))
    return tuple(found)


def _matrix(X: Any, width: int | None) -> np.ndarray:
    """Return X as an array (n, d); raises InputError for another shape."""
    X = np.asarray(X, float)
    X = X[:, None] if X.ndim == 1 else X
    if X.ndim != 2 or (width is not None and X.shape[1] != width):
        raise InputError(f"X has shape {X.shape}; it must be rows by {width or 'columns'}.")
    return X


def _check(
    X: np.ndarray, y: np.ndarray, w: np.ndarray | None, names: Sequence[str], degree: tuple[int, int] | None
) -> None:
    """Refuse rows, names and degrees that cannot be used with an InputError."""
    if len(y) != len(X):
        raise InputError(f"y has {len(y)} values and X has {len(X)} rows; y must have one value per row.")
    if len(names) != X.shape[1]:
        raise InputError(f"{len(names)} names are given for {X.shape[1]} columns; give one each.")
    if not (np.all(np.isfinite(X)) and np.all(np.isfinite(y))):
        raise InputError("X or y has NaN or infinite values; leave those rows out.")
    if w is not None and (w.shape != y.shape or not np.all(np.isfinite(w)) or np.any(w < 0) or not np.any(w)):
        raise InputError("weights must be one finite number per row, none negative and not all zero.")
    if len(y) < 3:
        raise InputError(f"There are {len(y)} rows; a ratio needs at least 3.")
    if degree is not None and (len(degree) != 2 or min(degree) < 0 or max(degree) > 12):
        raise InputError(f"degree is {degree!r}; give two integers from 0 to 12, numerator and denominator.")

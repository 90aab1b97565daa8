"""Pade fits: the ratio of two multivariate polynomials, with few terms, from a table or a function.

`fit_pade` is what a person calls; `propose` is the same as a producer of candidates. The numbers are
`rational`'s. Terms are chosen by description length, so a term has to earn its price. The formula's
denominator has 1 as the coefficient of its lowest term (graded order: the constant, where there is one),
which makes the coefficients unique.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy
from threadpoolctl import threadpool_limits

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.base.errors import InputError
from kansym.base.leastsq import levenberg_marquardt
from kansym.functions.parsing import symbols
from kansym.search.candidate import Candidate
from kansym.search.rational import monomials as rational
from kansym.search.rational.monomials import Ratio, Sheet, Support

ROWS = (600, 3000)
"""Terms are chosen on no more rows than this, the fewer the more terms; those chosen are fitted to all."""

COLUMNS = 160
"""Degrees with more candidate terms than this are not tried."""

FLOOR = 1e-12
"""Relative RMS errors below this are round-off: P and Q lose digits that y has."""

Powers = tuple[int, ...]


@dataclass(frozen=True)
class FrontRow:
    """Hold one ratio of the front: number of coefficients, relative RMS error, and the coefficients."""

    terms: int
    error: float
    numerator: dict[Powers, float]
    denominator: dict[Powers, float]


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


def _values(coefficients: dict[Powers, float], X: np.ndarray) -> np.ndarray:
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
    with threadpool_limits(1, "blas"):
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
    top = max_degrees(X.shape[1], len(y)) if degree is None else [(int(degree[0]), int(degree[1]))]
    chooser = Chooser.of(X, y, w, max(max(d) for d in top), noise, seed)
    if not sparse:
        m, n = top[-1] if degree is not None else chooser.densest(top)
        support = (chooser.sheet.upto(m), chooser.sheet.upto(n))
        if len(support[0]) + len(support[1]) - 1 > len(y):
            raise InputError(f"Degree {m}/{n} has more coefficients than the {len(y)} rows; lower it.")
        return chooser.report([rational.fitted(chooser.sheet, support)], names, X)
    return chooser.report(chooser.choose(top), names, X)


def max_degrees(variables: int, rows: int) -> list[tuple[int, int]]:
    """Return the degrees (m, n) that are tried for so many inputs and rows, few terms first."""
    found = []
    for m, n in itertools.product(range(5), range(5)):
        size = math.comb(variables + m, m) + math.comb(variables + n, n)
        if m + n > 0 and size <= COLUMNS and (size <= rows // 3 or size <= 6):
            found.append((size, n, (m, n)))
    return [d for *_, d in sorted(found)] or [(1, 0)]


@dataclass(frozen=True, eq=False)
class Chooser:
    """Choose terms by description length on some of the rows.

    `sheet` has all rows, `part` those that choose, `rest` those that prove; `between` holds the monomials
    of points on segments between rows, where a ratio should have no pole.
    """

    sheet: Sheet
    part: Sheet
    rest: Sheet
    between: np.ndarray
    sigma2: float | None

    @staticmethod
    def of(
        X: np.ndarray, y: np.ndarray, w: np.ndarray | None, degree: int, noise: float | None, seed: int
    ) -> Chooser:
        """Return the chooser of a table, with the rows on which supports are chosen and proved."""
        sheet = Sheet.of(X, y, w, degree)
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(y))
        limit = int(np.clip(60_000 // len(sheet.E), *ROWS))
        part = sheet.rows(np.sort(order[:limit]))
        rest = sheet.rows(np.sort(order[limit : 2 * limit])) if len(y) > limit + 50 else sheet
        pairs = rng.integers(len(y), size=(2, 500))
        blend = rng.random((500, 1))
        middle = X[pairs[0]] * blend + X[pairs[1]] * (1 - blend)
        sigma2 = None if not noise else (noise / sheet.size) ** 2
        return Chooser(sheet, part, rest, rational.columns(middle / sheet.scale, sheet.E), sigma2)

    def length(self, ratio: Ratio) -> float:
        """Return the description length of a ratio in nats; a pole among the rows costs extra."""
        n = len(self.part.y)
        misfit = criterion.misfit_length(ratio.loss, n, ratio.terms - 1, FLOOR**2, self.sigma2)
        E = self.part.E[list(ratio.support[0] + ratio.support[1])]
        price = 0.5 * math.log(n) * (ratio.terms - 1)
        price += criterion.NODE_PRICE * (ratio.terms + int(np.sum(E > 0)) + int(np.sum(E > 1)))
        Q = np.concatenate([ratio.denominator(self.part.M), ratio.denominator(self.between)])
        crossing = Q.min() < 0 < Q.max()
        return misfit + price + (10 + 0.02 * n if crossing else 0.0)

    def exact(self, support: Support) -> Ratio | None:
        """Return a ratio that is exact on the rows it was fitted to and on others."""
        found = rational.exact(self.part, support)
        if found is None:
            return None
        if rational.measured(self.rest, found.support, found.p, found.q).loss > criterion.EXACT_SHARE:
            return None
        return self.thinned(found)

    def thinned(self, ratio: Ratio) -> Ratio:
        """Return an exact ratio without the terms that it can do without."""
        for _ in range(ratio.terms):
            weights = np.concatenate(
                [
                    np.abs(ratio.p) * np.abs(self.part.M[:, ratio.support[0]]).max(0),
                    np.abs(ratio.q) * np.abs(self.part.M[:, ratio.support[1]]).max(0),
                ]
            )
            k, split = int(np.argmin(weights)), len(ratio.p)
            num = tuple(np.delete(ratio.support[0], k)) if k < split else ratio.support[0]
            den = tuple(np.delete(ratio.support[1], k - split)) if k >= split else ratio.support[1]
            if not num or not den:
                return ratio
            smaller = rational.fitted(self.part, (num, den), 5)
            if smaller.loss > max(FLOOR**2, 100 * ratio.loss):
                return ratio
            ratio = smaller
        return ratio

    def full(self, degree: tuple[int, int]) -> Support:
        """Return all terms up to the degrees."""
        return self.part.upto(degree[0]), self.part.upto(degree[1])

    def exact_of(self, degrees: list[tuple[int, int]]) -> Ratio | None:
        """Return an exact ratio of least degrees, testing the largest degrees first."""
        largest = [d for d in degrees if not any(e != d and e[0] >= d[0] and e[1] >= d[1] for e in degrees)]
        for top in largest:
            found = self.exact(self.full(top))
            if found is None:
                continue
            for smaller in degrees:
                if smaller[0] <= top[0] and smaller[1] <= top[1]:
                    again = self.exact(self.full(smaller))
                    if again is not None:
                        return again if again.terms <= found.terms else found
            return found
        return None

    def densest(self, degrees: list[tuple[int, int]]) -> tuple[int, int]:
        """Return the degrees whose dense fit is described shortest."""
        return min(degrees, key=lambda d: self.dense_length(self.dense(d)))

    def dense(self, degree: tuple[int, int]) -> Ratio:
        """Return the fit with all terms."""
        support = self.full(degree)
        many = len(support[0]) + len(support[1]) > 40
        return rational.fitted(self.part, support, 8 if many else 25)

    def dense_length(self, ratio: Ratio) -> float:
        n = len(self.part.y)
        misfit = criterion.misfit_length(ratio.loss, n, ratio.terms - 1, FLOOR**2, self.sigma2)
        return misfit + 0.5 * math.log(n) * (ratio.terms - 1)

    def choose(self, degrees: list[tuple[int, int]]) -> list[Ratio]:
        """Return the ratios worth showing, the best first."""
        found = self.exact_of(degrees)
        if found is not None:
            return [found, *self.path(self.smallest(found))]
        if len(degrees) > 1:
            dense = {d: self.dense_length(self.dense(d)) for d in degrees if self.determined(d)}
            best = sorted(dense, key=lambda d: dense[d])[:2]
            usual = [d for d in ((2, 2), (3, 3)) if d in degrees]
            few = [d for d in degrees if not self.determined(d)]
            degrees = list(dict.fromkeys([*best, *usual, *few])) or degrees[:1]
        ratios = [r for d in degrees for r in self.path(self.full(d))]
        return sorted(ratios, key=self.length)

    def determined(self, degree: tuple[int, int]) -> bool:
        """Tell whether the rows are enough for a dense fit that is no interpolation."""
        support = self.full(degree)
        return 1.5 * (len(support[0]) + len(support[1])) <= len(self.part.y)

    def smallest(self, ratio: Ratio) -> Support:
        """Return all terms up to the degrees that a ratio has, if those are few, else its own."""
        m, n = (int(self.part.E[list(ratio.support[k])].sum(axis=1).max()) for k in (0, 1))
        support = self.full((m, n))
        return support if len(support[0]) + len(support[1]) <= 40 else ratio.support

    def path(self, candidates: Support) -> list[Ratio]:
        """Return good ratios of every size that these terms allow."""
        count, n = len(candidates[0]) + len(candidates[1]), len(self.part.y)
        most = min(count, max(n - 3, 2))
        if count <= 6:
            return list(rational.every(self.part, candidates, min(most, 5)))
        found = list(rational.forward(self.part, candidates, min(most, 12)))
        if 1.5 * count <= n:
            full = rational.fitted(self.part, candidates, 8 if count > 40 else 25)
            # an exact fit shrinks until it is no fit at all; a noisy one until it is ten times worse
            found += rational.backward(self.part, full, max(10 * full.loss, 1e-6))
        return [r for r in found if np.isfinite(r.loss)]

    def report(self, ratios: list[Ratio], names: tuple[str, ...], X: np.ndarray) -> PadeFit:
        """Return the first ratio, fitted to all rows, with its errors, poles and front."""
        best = ratios[0]
        whole = rational.refit(self.sheet, rational.measured(self.sheet, best.support, best.p, best.q))
        if not np.isfinite(whole.loss):
            whole = rational.fitted(self.sheet, best.support)
        numerator, denominator, p_errors, q_errors = self.raw(whole)
        poles = _poles(whole, X, self.sheet)
        notes = []
        if poles:
            where = _point(poles[0], names)
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
            self.front(ratios),
            poles,
            tuple(notes),
        )

    def front(self, ratios: list[Ratio]) -> tuple[FrontRow, ...]:
        """Return the best ratio of each size, as long as more terms lower the error."""
        best: dict[int, Ratio] = {}
        for r in ratios:
            if r.terms not in best or r.loss < best[r.terms].loss:
                best[r.terms] = r
        rows: list[FrontRow] = []
        for terms in sorted(best):
            error = math.sqrt(best[terms].loss)
            if not rows or (error < 0.999 * rows[-1].error and rows[-1].error > FLOOR):
                numerator, denominator, *_ = self.raw(best[terms], errors=False)
                rows.append(FrontRow(terms, error, numerator, denominator))
        return tuple(rows)

    def raw(self, ratio: Ratio, errors: bool = True) -> tuple[dict[Powers, float], ...]:
        """Return coefficients and standard errors in the table's units, uniquely normalised."""
        s = self.sheet
        num, den = list(ratio.support[0]), list(ratio.support[1])
        units = np.array([float(np.prod(s.scale ** (s.E[den[0]] - s.E[c]))) for c in num + den])
        units[: len(num)] *= s.size
        p, q = ratio.p / ratio.q[0], ratio.q / ratio.q[0]
        deviation = np.zeros(len(num) + len(den))
        if errors:
            theta, function = rational.problem(s, Ratio(ratio.support, p, q, ratio.loss), pin=0)
            spread = levenberg_marquardt(function, theta, max_steps=0).covariance
            sigma = np.sqrt(np.clip(np.diag(spread), 0, None))
            deviation = np.insert(sigma, len(num), 0.0)
        values = np.concatenate([p, q]) * units
        deviation = deviation * units
        keys = [tuple(int(e) for e in s.E[c]) for c in num + den]
        split = len(num)
        return (
            dict(zip(keys[:split], values[:split].tolist(), strict=True)),
            dict(zip(keys[split:], values[split:].tolist(), strict=True)),
            dict(zip(keys[:split], deviation[:split].tolist(), strict=True)),
            dict(zip(keys[split:], deviation[split:].tolist(), strict=True)),
        )


def _poles(ratio: Ratio, X: np.ndarray, sheet: Sheet, most: int = 5) -> tuple[tuple[float, ...], ...]:
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
        return tuple((float(r),) for r in sorted(real) if low[0] <= r <= high[0])[:most]
    rng = np.random.default_rng(0)
    cloud = np.vstack([X, low + (high - low) * rng.random((4000, X.shape[1]))])
    Q = rational.columns(cloud / sheet.scale, sheet.E[den]) @ ratio.q
    if Q.min() >= 0 or Q.max() <= 0:
        return ()
    positive, negative = cloud[Q > 0], cloud[Q < 0]
    found = []
    for a, b in zip(itertools.cycle(positive[:most]), negative[:most], strict=False):
        for _ in range(60):
            middle = (a + b) / 2
            value = float((rational.columns(middle[None] / sheet.scale, sheet.E[den]) @ ratio.q)[0])
            a, b = (middle, b) if value > 0 else (a, middle)
        found.append(tuple(float(v) for v in (a + b) / 2))
    return tuple(found)


def _point(point: tuple[float, ...], names: tuple[str, ...]) -> str:
    return ", ".join(f"{n} = {v:.4g}" for n, v in zip(names, point, strict=True))


def _matrix(X: Any, width: int | None) -> np.ndarray:
    X = np.asarray(X, float)
    X = X[:, None] if X.ndim == 1 else X
    if X.ndim != 2 or (width is not None and X.shape[1] != width):
        raise InputError(f"X has shape {X.shape}; it must be rows by {width or 'columns'}.")
    return X


def _check(
    X: np.ndarray, y: np.ndarray, w: np.ndarray | None, names: Sequence[str], degree: tuple[int, int] | None
) -> None:
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


def propose(
    dataset: Any,
    *,
    budget: Budget | None = None,
    library: Any = None,
    seed: int = 0,
) -> Iterator[Candidate]:
    """Yield rational formulas for a dataset, and roots, exponentials and logarithms of exact ones.

    An exact ratio for y, y², exp(y) or log|y| comes alone; otherwise the front of the best degrees for y.
    """
    budget = budget or Budget()
    X, y = np.asarray(dataset.X, float), np.asarray(dataset.y, float)
    if len(y) < 3 or np.ptp(y) == 0 or X.shape[1] > 12:
        return
    with threadpool_limits(1, "blas"):
        weights = getattr(dataset, "weights", None)
        found = _candidates(X, y, weights, tuple(dataset.names), budget, library, seed)
    yield from found


def _candidates(
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    names: tuple[str, ...],
    budget: Budget,
    library: Any,
    seed: int,
) -> list[Candidate]:
    degrees = max_degrees(X.shape[1], len(y))
    columns = symbols(names)
    top = max(max(d) for d in degrees)
    for forward, back in _outer(y, library):
        chooser = Chooser.of(X, forward, None, top, None, seed)
        found = chooser.exact_of(degrees)
        budget.spend(1)
        if found is not None:
            return [Candidate(0.0, "pade", _formula(chooser, found, columns, back))]
        if budget.exhausted:
            return []
    chooser = Chooser.of(X, y, weights, top, None, seed)
    power = float(np.mean((chooser.sheet.w * (chooser.sheet.y - chooser.sheet.y.mean())) ** 2))
    ratios = chooser.choose(degrees)
    budget.spend(len(ratios) / 10)
    kept: dict[int, Ratio] = {}
    for ratio in ratios:
        kept.setdefault(ratio.terms, ratio)
    candidates = []
    for ratio in sorted(kept.values(), key=chooser.length)[:8]:
        spare = max(len(chooser.part.y) - ratio.terms + 1, 1) / len(chooser.part.y)
        share = rational.measured(chooser.rest, ratio.support, ratio.p, ratio.q).loss / power / spare**2
        if math.isfinite(share):
            candidates.append(Candidate(share, "pade", _formula(chooser, ratio, columns, lambda e: e)))
    return candidates


def _outer(y: np.ndarray, library: Any) -> list[tuple[np.ndarray, Any]]:
    """Return transforms of y that may be rational, each with the way back that the library allows."""
    found: list[tuple[np.ndarray, Any]] = [(y, lambda e: e)]
    known = {"sqrt", "log", "exp"} if library is None else set(library)
    sign = 1 if np.all(y >= 0) else -1 if np.all(y <= 0) else 0
    if sign and "sqrt" in known:
        found.append((y * y, lambda e: sign * sympy.sqrt(e)))
    if "log" in known and np.abs(y).max() < 50:
        found.append((np.exp(y), sympy.log))
    if "exp" in known and sign and np.all(y != 0):
        found.append((np.log(np.abs(y)), lambda e: sign * sympy.exp(e)))
    return found


def _formula(chooser: Chooser, ratio: Ratio, columns: Sequence[sympy.Expr], back: Any) -> sympy.Expr:
    """Return c·P/Q with the first coefficient of P pulled out, so that simple ratios show."""
    numerator, denominator, *_ = chooser.raw(ratio, errors=False)
    first = next(iter(numerator.values()))
    inner = {k: v / first for k, v in numerator.items()}
    top, bottom = polynomial(inner, columns), polynomial(denominator, columns)
    return back(sympy.Mul(sympy.Float(first), top, 1 / bottom))

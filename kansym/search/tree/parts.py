"""Laws whose columns part: a sum or a product of one curve for each column, each then named by itself.

The curves are polynomials fitted jointly (those of a product in turn, the others held: alternating least
squares), so that without noise they are known to many digits before anything has a name.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import sympy

from kansym.base import criterion
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import FEW_ROWS, Problem
from kansym.search.structure.ridge import chebyshev, unit
from kansym.search.tree import evidence
from kansym.search.tree.alone import Formula, Named, names, names_in_noise

SOURCES = SUM, PRODUCT, LINE = "sum of curves", "product of curves", "linear in a column"

HIGHEST = 32
"""Highest degree of a column's curve: exp(-u²) on -4..4 needs as many to be known to PARTS."""

HIGH_IN_NOISE, MOST_IN_NOISE = 8, 0.2
"""The same in noise, and the share that such curves may leave."""

NEARLY = 1.4
"""Of lines in a column in noise those count that leave at most so many times what the best one does."""

FLAT = 0.05
"""Share of the rows' variance about a curve that is noise from which the curve may be a constant, too."""

ROWS_A_TERM, OF_FEW = 4, 3
"""Rows for each coefficient of the curves; without noise fewer of few rows: three columns had curves of
degree 4 in a hundred, which no law meets to PARTS."""

MOST_COLUMNS = 5
"""Columns up to which each has a curve of its own: their degree, a quarter of the rows over the columns, is
lowered by every one."""

MOST_LINEAR, MOST_CURVES = 4, 5
"""Columns up to which all but one are asked whether the law is linear in each, and curves that are named."""

GLANCE, GLANCED = 5, 0.01
"""Degree of the curves of a first look at so many columns, and the share that they may leave."""

NEAR, NOTHING = 1e-4, 2.0
"""Share that they then may leave, and how many times that without a curve which is none."""

PARTS = 1e-7
"""Share of the table's variance left on other rows below which columns part."""

RANK = 1e-12
"""Share of the largest singular value below which terms say what others say: factors may be exchanged."""

PLAIN_TERMS = 5
"""Terms of the curves of a product that are fitted first: of few rows many terms find a wrong product."""

ROUNDS = 40
"""Rounds of alternating least squares; most need ten."""

TRIED = 12
"""Combinations of the curves' names that are proposed."""

EACH = 4
"""Combinations that one of a curve's many names is in at most: cos(theta) stood behind twelve others, in
which a constant had six names."""


def separated(problem: Problem, product: bool, noise: bool = False) -> list[Fit]:
    """Return the fit of a sum (or product) of one curve for each column, if the rows show one.

    With `noise` curves of a low degree whatever they leave: the fit is to be compared with others.
    """
    highest = HIGH_IN_NOISE if noise else HIGHEST
    share, curves = joint(problem, product, noise, highest)
    if not curves:
        return []
    rows, _ = _rows(problem)
    name = partial(_named, problem, rows, curves, product, share, noise)
    return [Fit(share, 2.0 * problem.width, PRODUCT if product else SUM, problem, name)]


@np.errstate(all="ignore")
def joint(problem: Problem, product: bool, noise: bool, highest: int) -> tuple[float, list[np.ndarray]]:
    """Return what one curve for each column, of a degree up to `highest`, leaves together, and the curves.

    Their values on the fitted rows and those that judge; none where they leave too much.
    """
    rows, n = _rows(problem)
    d = problem.width
    degree = _degree(n, d, noise, highest)
    share = MOST_IN_NOISE if noise else PARTS
    best: list[np.ndarray] = []
    if not 1 < d <= MOST_COLUMNS or degree < 4:
        return share, best
    y, w = problem.y[rows], problem.w[rows]
    total = float(np.sum((w * y)[:n] ** 2)) / n
    for scaled in _scales(problem.Z[rows]):
        bases = [chebyshev(u, degree)[0] for u in scaled.T]
        curves = (_product if product else _sum)(bases, y, w, n)
        if curves is None:
            continue
        value = np.prod(curves, axis=0) if product else np.sum(curves, axis=0)
        others = _others(curves) if product else [np.ones(len(y))] * d
        terms = np.hstack([b * o[:, None] for b, o in zip(bases, others, strict=True)])
        left = _left(terms * w[:, None], (value - y) * w, n) / total * problem.unit
        if left < share:
            share, best = left, curves
    return share, best


def _rows(problem: Problem) -> tuple[np.ndarray, int]:
    """Return the rows (k,) that show curves, and how many of them, the first, are fitted: of few, all."""
    rows = np.concatenate([problem.fit, problem.test])
    return rows, len(rows) if len(problem.fit) < FEW_ROWS else len(problem.fit)


def _degree(rows: int, curves: int, noise: bool, highest: int) -> int:
    """Return the degree of so many curves that are fitted to so many rows."""
    a_term = OF_FEW if rows < FEW_ROWS and not noise else ROWS_A_TERM
    return min(highest, rows // (curves * a_term))


def _left(terms: np.ndarray, off: np.ndarray, n: int) -> float:
    """Return the mean square of what rows beyond the n fitted ones are off a fit of terms (k, terms).

    Where all are fitted, of what each row is off the fit to the others, by its leverage.
    """
    if n == len(off):
        U, size, _ = np.linalg.svd(terms, full_matrices=False)
        leverage = np.sum(U[:, size > RANK * size[0]] ** 2, axis=1)
        return float(np.mean((off / np.maximum(1 - leverage, evidence.LEAST_FREE)) ** 2))
    return float(np.mean(off[n:] ** 2))


def _others(curves: list[np.ndarray]) -> list[np.ndarray]:
    """Return for each curve the product of the others."""
    return [np.prod([c for j, c in enumerate(curves) if j != k], axis=0) for k in range(len(curves))]


@np.errstate(all="ignore")
def linear(problem: Problem, noise: bool = False) -> list[Fit]:
    """Return fits that are linear in every column but one, x, which may be any: A(x) + u·B(x) of two.

    Of more, a curve of x for each product of the others: A(x) + u·B(x) + v·C(x) + u·v·D(x). With `noise`, of
    two columns, curves of a low degree whatever they leave.
    """
    rows, n = _rows(problem)
    d = problem.width
    degree = _degree(n, 2 ** (d - 1), noise, HIGH_IN_NOISE if noise else HIGHEST)
    if not 2 <= d <= (2 if noise else MOST_LINEAR) or degree < 4:
        return []
    found = []
    for j in reversed(range(d)):
        times = _products(problem, rows, [i for i in range(d) if i != j])
        for scaled in _scales(problem.Z[rows, j : j + 1]):
            fitted = partial(_times_curves, problem, rows, n, scaled[:, 0])
            share, kept = np.inf, times
            curves: list[np.ndarray] = []
            if d == 2 or fitted(times, min(GLANCE, degree))[0] < GLANCED:
                share, curves = fitted(times, degree)
            if d > 2 and share < NEAR:
                kept = _needed(fitted, times, curves, degree, share)
                # what is left out leaves rows for curves of a higher degree
                share, curves = fitted(kept, _degree(n, len(kept), noise, HIGHEST))
            if share < (MOST_IN_NOISE if noise else PARTS) and len(kept) <= MOST_CURVES:
                name = partial(_named_linear, problem, rows, curves, kept, j, share, noise)
                found.append(Fit(share, 4.0 * (d - 1), LINE, problem, name))
    best = min((fit.share for fit in found), default=0.0)
    return [fit for fit in found if not noise or fit.share <= NEARLY * best]


Times = tuple[np.ndarray, sympy.Expr]
"""Values of a product of columns, and its formula."""


def _products(problem: Problem, rows: np.ndarray, columns: list[int]) -> list[Times]:
    """Return every product of some of the columns: one, each alone, each two, ..."""
    found = []
    for count in range(len(columns) + 1):
        for chosen in itertools.combinations(columns, count):
            values = np.prod(problem.Z[rows][:, chosen], axis=1)
            found.append((values, sympy.Mul(*(problem.formulas[i] for i in chosen))))
    return found


def _times_curves(
    problem: Problem, rows: np.ndarray, n: int, scaled: np.ndarray, times: list[Times], degree: int
) -> tuple[float, list[np.ndarray]]:
    """Return what a sum of products, each times a curve of a scaled column (k,), leaves; and the curves."""
    y, w = problem.y[rows], problem.w[rows]
    basis = chebyshev(scaled, degree)[0]
    sizes = [float(np.sqrt(np.mean(u**2))) or 1.0 for u, _ in times]
    A = np.hstack([(u / size)[:, None] * basis for (u, _), size in zip(times, sizes, strict=True)])
    c = np.linalg.lstsq(A[:n] * w[:n, None], (y * w)[:n], rcond=1e-13)[0]
    total = float(np.sum((w * y)[:n] ** 2)) / n
    share = _left(A * w[:, None], (A @ c - y) * w, n) / total * problem.unit
    return share, [basis @ part / size for part, size in zip(np.split(c, len(times)), sizes, strict=True)]


def _needed(
    fitted: Callable[[list[Times], int], tuple[float, list[np.ndarray]]],
    times: list[Times],
    curves: list[np.ndarray],
    degree: int,
    share: float,
) -> list[Times]:
    """Return the products without which more than the `share` is left: those that matter least go first."""
    kept = list(times)
    size = [float(np.sum((u * curve) ** 2)) for (u, _), curve in zip(times, curves, strict=True)]
    for k in np.argsort(size, kind="stable"):
        fewer = [t for t in kept if t is not times[k]]
        if fewer and fitted(fewer, degree)[0] < NOTHING * share:
            kept = fewer
    return kept


def _named_linear(
    problem: Problem,
    rows: np.ndarray,
    curves: list[np.ndarray],
    times: list[Times],
    j: int,
    left: float,
    noise: bool,
) -> list[Proposal]:
    """Return formulas with all curves named, which together leave `left` of the table's variance."""
    h = problem.Z[rows, j]
    # where u varies little beside its size both curves share what noise adds to one and takes from the other
    others = problem.Z[rows][:, [i for i in range(problem.width) if i != j]]
    size = np.mean(others**2, axis=0) / np.maximum(np.var(others, axis=0), criterion.EXACT_SHARE)
    alike = float(np.max(size))
    choices = [
        _names_of(problem, rows, h, values, u, left * alike, noise)
        for values, (u, _) in zip(curves, times, strict=True)
    ]
    x = problem.formulas[j]
    factors = [product for _, product in times]
    known = left if noise else 0.0
    return _combined(choices, known, len(rows), lambda named: _lines(named, x, factors))


def _combined(
    choices: list[list[Named]], left: float, rows: int, write: Callable[[list[Formula]], sympy.Expr]
) -> list[Proposal]:
    """Return the likeliest combinations of one name for each curve, each name in a few of them at most.

    Of a constant in noise there are many names, which would fill all places beside one name of another curve.
    """

    def sums(named: tuple[Named, ...]) -> tuple[float, float]:
        """Return the share that named curves leave together, and their price."""
        return left + sum(c[0] for c in named), sum(c[1] for c in named)

    used: Counter[int] = Counter()
    most = {id(c): max(EACH, TRIED // len(names)) for names in choices for c in names}
    out: list[Proposal] = []
    for named in sorted(itertools.product(*choices), key=lambda c: float(criterion.rank(*sums(c), rows))):
        if len(out) < TRIED and all(used[id(c)] < most[id(c)] for c in named):
            used.update(map(id, named))
            out.append(Proposal(*sums(named), partial(write, [c[2] for c in named])))
    return out


def _names_of(
    problem: Problem,
    rows: np.ndarray,
    h: np.ndarray,
    values: np.ndarray,
    others: np.ndarray,
    left: float,
    noise: bool,
) -> list[Named]:
    """Return names of a curve of h that is one part of a target, multiplied by `others` (n,), with shares.

    All curves together leave `left` of the table's variance: one that varies less is a constant. In noise
    each name's share is what it leaves beside the noise.
    """
    w = problem.w[rows] * np.abs(others)
    variance = float(np.sum((w * (values - np.average(values, weights=w**2))) ** 2))
    unit = variance / float(np.sum((problem.w[rows] * problem.y[rows]) ** 2)) * problem.unit
    level = float(np.average(values, weights=w**2))
    flat = [(unit, 1.0, lambda e: sympy.Float(level))]
    if not unit > (0.0 if noise else left):
        return flat
    if not noise:
        return names(h, values, w, left / unit)
    scatter = left / (left + unit)
    named = [(unit * share, price, write) for share, price, write in names_in_noise(h, values, w, scatter)]
    return named + flat if scatter > FLAT else named


def _lines(curves: list[Formula], x: sympy.Expr, factors: list[sympy.Expr]) -> sympy.Expr:
    """Return the sum of curves of x, each times its factor."""
    return sympy.Add(*(factor * curve(x) for curve, factor in zip(curves, factors, strict=True)))


def _scales(Z: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the columns (n, d) within [-1, 1]: wide ones in logarithms, and then, for waves, as they are."""
    logs = np.column_stack([_stretched(z) for z in Z.T])
    plain = np.column_stack([unit(z)[0] for z in Z.T])
    yield logs
    if not np.array_equal(logs, plain):
        yield plain


def _stretched(z: np.ndarray) -> np.ndarray:
    wide = (z > 0).all() and z.max() > 3 * z.min()
    return unit(np.log(z) if wide else z)[0]


def _sum(bases: list[np.ndarray], y: np.ndarray, w: np.ndarray, n: int) -> list[np.ndarray] | None:
    A = np.hstack([bases[0], *(b[:, 1:] for b in bases[1:])])
    c = np.linalg.lstsq(A[:n] * w[:n, None], (y * w)[:n], rcond=1e-13)[0]
    cuts = np.cumsum([bases[0].shape[1], *(b.shape[1] - 1 for b in bases[1:-1])])
    parts = np.split(c, cuts)
    return [bases[0] @ parts[0], *(b[:, 1:] @ p for b, p in zip(bases[1:], parts[1:], strict=True))]


def _product(bases: list[np.ndarray], y: np.ndarray, w: np.ndarray, n: int) -> list[np.ndarray] | None:
    """Return curves whose product is fitted to the first n rows: bent curves start from the plain ones."""
    curves: list[np.ndarray] | None = [np.ones(len(y)) for _ in bases]
    for terms in sorted({min(PLAIN_TERMS, bases[0].shape[1]), bases[0].shape[1]}):
        if curves is not None:
            curves = _alternating([b[:, :terms] for b in bases], curves, y, w, n)
    return curves


def _alternating(
    bases: list[np.ndarray], start: list[np.ndarray], y: np.ndarray, w: np.ndarray, n: int
) -> list[np.ndarray] | None:
    curves = list(start)
    before = np.inf
    for turn in range(ROUNDS):
        for k, basis in enumerate(bases):
            others = np.prod([c for j, c in enumerate(curves) if j != k], axis=0)
            A = basis[:n] * (others * w)[:n, None]
            c = np.linalg.lstsq(A, (y * w)[:n], rcond=1e-13)[0]
            curves[k] = basis @ c
            if k + 1 < len(bases):
                size = float(np.sqrt(np.mean(curves[k][:n] ** 2)))
                if not (np.isfinite(size) and size > 0):
                    return None
                curves[k] = curves[k] / size
        left = float(np.sum(((np.prod(curves, axis=0) - y) * w)[:n] ** 2))
        if not np.isfinite(left) or (turn > 3 and left > 0.8 * before):
            break
        before = left
    return curves


def _named(
    problem: Problem, rows: np.ndarray, curves: list[np.ndarray], product: bool, left: float, noise: bool
) -> list[Proposal]:
    """Return formulas with every curve named, likely ones first; the curves leave `left` of the table."""
    choices = []
    factors = _others(curves) if product else [np.ones(len(rows))] * len(curves)
    for j, values in enumerate(curves):
        choices.append(_names_of(problem, rows, problem.Z[rows, j], values, factors[j], left, noise))
    if not all(choices):
        return []
    join = sympy.Mul if product else sympy.Add
    columns = problem.formulas
    known = left if noise else 0.0
    return _combined(
        choices, known, len(rows), lambda named: join(*(w(c) for w, c in zip(named, columns, strict=True)))
    )

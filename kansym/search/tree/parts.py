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
from kansym.base.budget import Budget
from kansym.functions.library import Library
from kansym.search.families import classics, described, kinks, modes
from kansym.search.families.family import Families
from kansym.search.families.projection import Rows
from kansym.search.structure import curve, inners, naming
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.structure.ridge import chebyshev, unit

HIGHEST = 20
"""Highest degree of a column's curve."""

HIGH_IN_NOISE, MOST_IN_NOISE = 8, 0.01
"""The same in noise, and the share that such curves may leave."""

FLAT = 0.05
"""Share of the rows' variance about a curve that is noise from which the curve may be a constant, too."""

ROWS_A_TERM, OF_FEW, MANY_ROWS = 4, 2, 200
"""Rows for each coefficient of the curves; without noise fewer of less than so many rows: of three columns in
54 rows, a hundred less those that judge, the curves had degree 4, which no law meets to PARTS."""

MOST_COLUMNS = 5
"""Columns up to which each has a curve of its own: their degree, a quarter of the rows over the columns, is
lowered by every one."""

PARTS = 1e-7
"""Share of the table's variance left on other rows below which columns part."""

ROUNDS = 40
"""Rounds of alternating least squares; most need ten."""

NAMES, TRIED = 5, 12
"""Names kept for each curve, and combinations of them that are proposed."""

EACH = 4
"""Combinations that one of a curve's many names is in at most: cos(theta) stood behind twelve others, in
which a constant had six names."""

SHORT = 4
"""Constants of a short family."""

LAWS = 16
"""Closed formulas of a curve of one column that are proposed."""

CURVE_ROWS = 300
"""Rows on which a curve of one column is named by a handbook's families."""

EXPONENTS = np.array(sorted({k / m for m, top in ((1, 12), (2, 6), (3, 9)) for k in range(-top, top + 1)}))
"""Powers that sums of two or three are looked for among: whole, halves, thirds."""

FEW_ROWS, FEW_SHARP = 90, 1e-13
"""Rows on which those are chosen, and what share of a curve the right ones leave at most."""

Formula = Callable[[sympy.Expr], sympy.Expr]
Named = tuple[float, float, Formula]
"""A curve's name: the share it leaves, its price, and the formula of an argument."""
Namer = Callable[[np.ndarray, np.ndarray, np.ndarray], list[Named]]


@np.errstate(all="ignore")
def separated(problem: Problem, product: bool, noise: bool = False) -> list[Fit]:
    """Return the fit of a sum (or product) of one curve for each column, if the rows show one.

    With `noise` curves of a low degree whatever they leave: the fit is to be compared with others.
    """
    rows = np.concatenate([problem.fit, problem.test])
    n, d = len(problem.fit), problem.width
    degree = min(HIGH_IN_NOISE if noise else HIGHEST, n // (d * (ROWS_A_TERM if noise else _rows_a_term(n))))
    if not 1 < d <= MOST_COLUMNS or degree < 4:
        return []
    y, w = problem.y[rows], problem.w[rows]
    total = float(np.sum((w * y)[:n] ** 2)) / n
    share, best = MOST_IN_NOISE if noise else PARTS, None
    for scaled in _scales(problem.Z[rows]):
        curves = (_product if product else _sum)([chebyshev(u, degree)[0] for u in scaled.T], y, w, n)
        if curves is None:
            continue
        value = np.prod(curves, axis=0) if product else np.sum(curves, axis=0)
        left = float(np.mean(((value - y) * w)[n:] ** 2)) / total * problem.unit
        if left < share:
            share, best = left, curves
    if best is None:
        return []
    name = partial(_named, problem, rows, best, product, share if noise else None)
    return [Fit(share, 2.0 * d, "product of curves" if product else "sum of curves", problem, name)]


def _rows_a_term(rows: int) -> int:
    """Return how many of so many rows each coefficient of curves without noise takes."""
    return OF_FEW if rows < MANY_ROWS else ROWS_A_TERM


@np.errstate(all="ignore")
def linear(problem: Problem, noise: bool = False) -> list[Fit]:
    """Return fits y = A(x) + u·B(x) of two columns u and x, each of which may be either.

    With `noise` curves of a low degree whatever they leave.
    """
    rows = np.concatenate([problem.fit, problem.test])
    n = len(problem.fit)
    degree = min(HIGH_IN_NOISE, n // (2 * ROWS_A_TERM)) if noise else min(HIGHEST, n // (2 * _rows_a_term(n)))
    if problem.width != 2 or degree < 4:
        return []
    y, w = problem.y[rows], problem.w[rows]
    total = float(np.sum((w * y)[:n] ** 2)) / n
    found = []
    for i, j in ((0, 1), (1, 0)):
        u = problem.Z[rows, i]
        for scaled in _scales(problem.Z[rows, j : j + 1]):
            basis = chebyshev(scaled[:, 0], degree)[0]
            A = np.hstack([basis, u[:, None] * basis])
            c = np.linalg.lstsq(A[:n] * w[:n, None], (y * w)[:n], rcond=1e-13)[0]
            share = float(np.mean(((A @ c - y) * w)[n:] ** 2)) / total * problem.unit
            if share < (MOST_IN_NOISE if noise else PARTS):
                curves = [basis @ c[: degree + 1], basis @ c[degree + 1 :]]
                name = partial(_named_linear, problem, rows, curves, i, j, share if noise else None)
                found.append(Fit(share, 4.0, "linear in a column", problem, name))
    return found


def _named_linear(
    problem: Problem, rows: np.ndarray, curves: list[np.ndarray], i: int, j: int, left: float | None
) -> list[Proposal]:
    """Return formulas with both curves named; fits in noise leave `left` of the table's variance."""
    h, u = problem.Z[rows, j], problem.Z[rows, i]
    # where u varies little beside its size both curves share what noise adds to one and takes from the other
    alike = float(np.mean(u * u) / max(np.var(u), criterion.EXACT_SHARE))
    seen = None if left is None else left * alike
    alone, times = (
        _names_of(problem, rows, h, values, others, seen)
        for values, others in zip(curves, (np.ones(len(h)), u), strict=True)
    )
    x, factor = problem.formulas[j], problem.formulas[i]
    return _combined([alone, times], left, len(rows), lambda named: _line(named[0], named[1], x, factor))


def _combined(
    choices: list[list[Named]], left: float | None, rows: int, write: Callable[[list[Formula]], sympy.Expr]
) -> list[Proposal]:
    """Return the likeliest combinations of one name for each curve, each name in a few of them at most.

    Of a constant in noise there are many names, which would fill all places beside one name of another curve.
    """

    def sums(named: tuple[Named, ...]) -> tuple[float, float]:
        """Return the share that named curves leave together, and their price."""
        return (left or 0.0) + sum(c[0] for c in named), sum(c[1] for c in named)

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
    left: float | None,
) -> list[Named]:
    """Return names of a curve of h that is one part of a target, multiplied by `others` (n,), with shares.

    In noise each name's share is what it leaves of the table's variance beside the noise.
    """
    w = problem.w[rows] * np.abs(others)
    if left is None:
        return names(h, values, w)
    variance = float(np.sum((w * (values - np.average(values, weights=w**2))) ** 2))
    unit = variance / float(np.sum((problem.w[rows] * problem.y[rows]) ** 2)) * problem.unit
    level = float(np.average(values, weights=w**2))
    flat = [(unit, 1.0, lambda e: sympy.Float(level))]
    if not unit > 0:
        return flat
    scatter = left / (left + unit)
    named = [(unit * share, price, write) for share, price, write in names_in_noise(h, values, w, scatter)]
    return named + flat if scatter > FLAT else named


def _line(alone: Formula, times: Formula, x: sympy.Expr, factor: sympy.Expr) -> sympy.Expr:
    return alone(x) + factor * times(x)


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
    curves = [np.ones(len(y)) for _ in bases]
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
    problem: Problem, rows: np.ndarray, curves: list[np.ndarray], product: bool, left: float | None
) -> list[Proposal]:
    """Return formulas with every curve named, likely ones first; fits in noise leave `left`."""
    choices = []
    for j, values in enumerate(curves):
        others = [c for k, c in enumerate(curves) if k != j] if product else []
        factor = np.prod(others, axis=0) if others else np.ones(len(rows))
        choices.append(_names_of(problem, rows, problem.Z[rows, j], values, factor, left))
    if not all(choices):
        return []
    join = sympy.Mul if product else sympy.Add
    columns = problem.formulas
    return _combined(
        choices, left, len(rows), lambda named: join(*(w(c) for w, c in zip(named, columns, strict=True)))
    )


def names(h: np.ndarray, t: np.ndarray, w: np.ndarray) -> list[Named]:
    """Return names of one curve t(h): share of its variance left, price, and the formula of an argument."""
    total = float(np.sum((w * (t - np.average(t, weights=w**2))) ** 2))
    if not total > 1e-26 * float(np.sum((w * t) ** 2)):
        level = float(np.average(t, weights=w**2))
        return [(0.0, 1.0, lambda e: sympy.Float(level))]
    if (power := _power(h, t, w, total)) is not None:
        return [power]
    if (few := _few_powers(h, t, w, total)) is not None:
        return [few]
    found = [(law.share, law.price, law.formula) for law in curve.laws(h, t, w, keep=NAMES)]
    if min((f[0] for f in found), default=1.0) > criterion.SHARP**2:
        found += [(law.share, law.price, law.formula) for law in naming.by_library(Library.load(), h, t, w)]
    if min((f[0] for f in found), default=1.0) > criterion.SHARP**2:
        found += by_handbook(h, t, w)
    return sorted(found, key=lambda f: float(criterion.rank(f[0], f[1], len(h))))[:NAMES]


def names_in_noise(h: np.ndarray, t: np.ndarray, w: np.ndarray, noise: float) -> list[Named]:
    """Return short names of a curve t(h), and what share of it they leave beside the noise.

    `noise` is the share of the variance of rows about the curve: what a fitted curve says of a name is no
    more than the rows said of the curve.
    """
    found = curve.laws(h, t, w, keep=LAWS, scatter=noise)
    return [((law.share - noise) / (1 - noise), law.price, law.formula) for law in found[:NAMES]]


def _power(h: np.ndarray, t: np.ndarray, w: np.ndarray, total: float) -> Named | None:
    """Return the power law c·h^k where it leaves next to nothing."""
    if np.ptp(np.sign(h)) or np.ptp(np.sign(t)) or not (np.all(h) and np.all(t)):
        return None
    v = w * np.abs(t)
    A = np.column_stack([np.ones(len(h)), np.log(np.abs(h))])
    a, k = np.linalg.lstsq(A * v[:, None], np.log(np.abs(t)) * v, rcond=None)[0]
    left = float(np.sum((w * (np.sign(t[0]) * np.exp(A @ [a, k]) - t)) ** 2)) / total
    if not left < criterion.SHARP**2:
        return None
    sign, nice = float(np.sign(t[0]) * np.exp(a)), float(round(6 * k)) / 6
    k = nice if abs(k - nice) < 1e-6 else float(k)
    side = 1 if h[0] > 0 else -1
    return left, 2.0, lambda e: sympy.Float(sign) * inners.power(side * e, k)


def _few_powers(h: np.ndarray, t: np.ndarray, w: np.ndarray, total: float) -> Named | None:
    """Return the sum of two or three powers of h, whole numbers, halves and thirds, that is sharp."""
    if np.min(h) <= 0 or len(h) < 4 * FEW_ROWS // 3:
        return None
    order = np.argsort(h)[np.linspace(0, len(h) - 1, FEW_ROWS).astype(int)]
    A = h[order, None] ** EXPONENTS * w[order, None]
    A = A / np.linalg.norm(A, axis=0)
    y = w[order] * t[order]
    best: tuple[float, tuple[int, ...]] = (np.inf, ())
    for i in range(len(EXPONENTS)):
        # what is left of y and of the later columns without column i; then without each of those in turn
        B = A[:, i + 1 :] - np.outer(A[:, i], A[:, i] @ A[:, i + 1 :])
        r = y - A[:, i] * (A[:, i] @ y)
        size = np.linalg.norm(B, axis=0)
        B = B / np.where(size > 1e-7, size, np.inf)
        along = B.T @ r
        left = r @ r - along**2
        if B.shape[1] and left.min() < best[0]:
            best = float(left.min()), (i, i + 1 + int(np.argmin(left)))
        cosines = B.T @ B
        apart = 1 - cosines**2
        third = (along[None] - cosines * along[:, None]) ** 2 / np.where(apart > 1e-9, apart, np.inf)
        lefts = left[:, None] - np.triu(third, 1)
        if lefts.size and lefts.min() < 1e-3 * best[0]:
            j, k = np.unravel_index(int(np.argmin(lefts)), lefts.shape)
            best = float(lefts.min()), (i, i + 1 + int(j), i + 1 + int(k))
    chosen = list(best[1])
    full = h[:, None] ** EXPONENTS[chosen] * w[:, None]
    scale = np.linalg.norm(full, axis=0)
    c = np.linalg.lstsq(full / scale, w * t, rcond=None)[0] / scale
    share = float(np.sum((full @ c - w * t) ** 2)) / total
    if not share < FEW_SHARP:
        return None
    terms = list(zip(c, EXPONENTS[chosen], strict=True))
    return (
        share,
        3.0 * len(chosen),
        lambda e: sympy.Add(*(sympy.Float(a) * curve.power(e, k) for a, k in terms)),
    )


def by_handbook(h: np.ndarray, t: np.ndarray, w: np.ndarray) -> list[Named]:
    """Return the families of one input that come nearest to a curve t(h)."""
    rows = Rows(h[:, None], t, w / w.max()).thinned(CURVE_ROWS)
    families = [f for f in Families.load().values() if f.columns == 1]
    return _described(classics.best(rows, families, Budget())[:NAMES], rows)


def _by_short_families(h: np.ndarray, t: np.ndarray, w: np.ndarray) -> list[Named]:
    rows = Rows(h[:, None], t, w / w.max()).thinned(CURVE_ROWS)
    families = [f for f in Families.load().values() if f.columns == 1 and f.term is None]
    short = [f for f in families if len(f.form().constants) <= SHORT]
    found = [fit for family in short for fit in classics.rough(family, (0,), rows)]
    return _described(classics.finished(found, rows)[:NAMES], rows) if found else []


def _by_laws(h: np.ndarray, t: np.ndarray, w: np.ndarray) -> list[Named]:
    return [(law.share, law.price, law.formula) for law in curve.laws(h, t, w, keep=LAWS)]


def _by_modes(h: np.ndarray, t: np.ndarray, w: np.ndarray) -> list[Named]:
    rows = Rows(h[:, None], t, w / w.max())
    return _described(modes.modes(rows, thorough=False), rows)


def _by_sides(h: np.ndarray, t: np.ndarray, w: np.ndarray) -> list[Named]:
    rows = Rows(h[:, None], t, w / w.max()).thinned(CURVE_ROWS)
    return _described(kinks.kinks(rows), rows)


def _described(fits: list[described.Fit], rows: Rows) -> list[Named]:
    """Return the share of a curve's variance that each fit leaves, its price, and its formula."""
    total = float(np.sum((rows.w * (rows.y - np.average(rows.y, weights=rows.w**2))) ** 2))
    out: list[Named] = []
    for fit in fits:
        size = float(sum(1 for _ in sympy.preorder_traversal(fit.fitted.form.formula)))
        left = fit.fitted.cost * len(rows.y) / fit.fitted.rows
        out.append((left / max(total, 1e-300), size, partial(_family, fit)))
    return out


def _family(fit: described.Fit, argument: sympy.Expr) -> sympy.Expr:
    return fit.expression([argument])


def handbook(problem: Problem) -> list[Fit]:
    """Return the families that a problem of one column is near to, as fits to be proposed."""
    return _alone(problem, "handbook", by_handbook)


def short_families(problem: Problem) -> list[Fit]:
    """Return the families of few constants that a problem of one column is near to."""
    return _alone(problem, "handbook", _by_short_families)


def curves_of(problem: Problem) -> list[Fit]:
    """Return the closed formulas that a problem of one column is near to, as fits to be proposed."""
    return _alone(problem, "curve", _by_laws)


def modes_of(problem: Problem) -> list[Fit]:
    """Return the sums of decays and waves that a problem of one column is near to, as fits to be proposed."""
    return _alone(problem, "decays and waves", _by_modes)


def sides_of(problem: Problem) -> list[Fit]:
    """Return the curves that bend or jump at a place and are near to a problem of one column."""
    return _alone(problem, "two sides", _by_sides)


def _alone(problem: Problem, kind: str, namer: Namer) -> list[Fit]:
    """Return what names the curve of a problem of one column, as fits to be proposed."""
    rows = problem.choosing(len(problem.y))
    h, t, w = problem.Z[rows, 0], problem.y[rows], problem.w[rows]
    if len(rows) < 8 or np.ptp(h) == 0 or not (np.all(np.isfinite(h)) and np.all(np.isfinite(t))):
        return []
    if not np.any(w * t):
        return []
    spread = float(np.sum((w * (t - np.average(t, weights=w**2))) ** 2)) / float(np.sum((w * t) ** 2))
    found = [(s * spread * problem.unit, price, f) for s, price, f in namer(h, t, w)]
    return [
        Fit(share, price, kind, problem, partial(_one, share, price, write, problem.formulas[0]))
        for share, price, write in found
    ]


def _one(share: float, price: float, write: Formula, column: sympy.Expr) -> list[Proposal]:
    return [Proposal(share, price, lambda: write(column))]

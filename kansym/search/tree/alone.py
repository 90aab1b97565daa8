"""Names of a curve of one column: few powers, closed formulas, families, decays and waves, two sides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.base.leastsq import variable_projection
from kansym.functions.library import Library
from kansym.search.families import classics, described, kinks, modes
from kansym.search.families.family import Families
from kansym.search.families.projection import Rows
from kansym.search.structure import curve, inners, naming, ridge
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem

NAMES = 5
"""Names kept for each curve."""

SHORT = 4
"""Constants of a short family."""

AS_KNOWN, WELL_KNOWN = 3.0, 1e-6
"""Times the share to which a curve is known that a name may leave to need no other; that share at most."""

STARTS, LEAST_EXPONENT = (-3.0, -1.0, -0.3, 0.3, 1.0, 3.0), 0.01
"""Exponents of a power beside a level that are improved, and the least one in the end."""

LAWS = 16
"""Closed formulas of a curve of one column that are proposed."""

CURVE_ROWS = 300
"""Rows on which a curve of one column is named by a handbook's families."""

EXPONENTS = np.array(sorted({k / m for m, top in ((1, 12), (2, 6), (3, 9)) for k in range(-top, top + 1)}))
"""Powers that sums of two or three are looked for among: whole, halves, thirds."""

ROWS_OF_POWERS, FEWEST_OF_POWERS, FEW_SHARP = 90, 40, 1e-13
"""Rows on which those are chosen, at most and at least, and what share of a curve the right ones leave."""

Formula = Callable[[sympy.Expr], sympy.Expr]
Named = tuple[float, float, Formula]
"""A curve's name: the share it leaves, its price, and the formula of an argument."""
Namer = Callable[[np.ndarray, np.ndarray, np.ndarray], list[Named]]


def names(h: np.ndarray, t: np.ndarray, w: np.ndarray, known: float = 0.0) -> list[Named]:
    """Return names of one curve t(h): share of its variance left, price, and the formula of an argument.

    The library and then the handbook are asked where no name leaves as little as to what share the curve is
    `known`.
    """
    total = float(np.sum((w * (t - np.average(t, weights=w**2))) ** 2))
    if not total > 1e-26 * float(np.sum((w * t) ** 2)):
        level = float(np.average(t, weights=w**2))
        return [(0.0, 1.0, lambda e: sympy.Float(level))]
    if (power := _power(h, t, w, total)) is not None:
        return [power]
    if (few := _few_powers(h, t, w, total)) is not None:
        return [few]
    found = [(law.share, law.price, law.formula) for law in curve.laws(h, t, w, keep=NAMES)]
    found += _power_and_level(h, t, w, total)
    enough = max(criterion.SHARP**2, min(AS_KNOWN * known, WELL_KNOWN))
    if min((f[0] for f in found), default=1.0) > enough:
        found += [(law.share, law.price, law.formula) for law in naming.by_library(Library.load(), h, t, w)]
    if min((f[0] for f in found), default=1.0) > enough:
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


def _power_and_level(h: np.ndarray, t: np.ndarray, w: np.ndarray, total: float) -> list[Named]:
    """Return c·h^k + d with k free, if it leaves next to nothing: a k of next to nothing is a logarithm."""
    if not (np.min(h) > 0 or np.max(h) < 0):
        return []
    side = float(np.sign(h[0]))
    unit = float(np.exp(np.mean(np.log(np.abs(h)))))
    logs = np.log(np.abs(h) / unit)

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return w·(d + c·h^k - t) and its derivatives by d, c and k."""
        d, c, k = theta
        x = np.exp(np.clip(k * logs, -ridge.LARGEST, ridge.LARGEST))
        return w * (d + c * x - t), np.column_stack([w, w * x, w * c * x * logs])

    fits = [variable_projection(residual, np.array([start]), 2, max_steps=30) for start in STARTS]
    best = min(fits, key=lambda fit: fit.cost)
    left, (d, c, k) = best.cost / total, best.theta.tolist()
    if not left < criterion.SHARP**2 or abs(k) < LEAST_EXPONENT:
        return []
    return [(left, 4.0, lambda e: sympy.Float(c) * inners.power(side * e / unit, k) + sympy.Float(d))]


def _few_powers(h: np.ndarray, t: np.ndarray, w: np.ndarray, total: float) -> Named | None:
    """Return the sum of two or three powers of h, whole numbers, halves and thirds, that is sharp."""
    if np.min(h) <= 0 or len(h) < FEWEST_OF_POWERS:
        return None
    order = np.argsort(h)[np.linspace(0, len(h) - 1, min(ROWS_OF_POWERS, len(h))).astype(int)]
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

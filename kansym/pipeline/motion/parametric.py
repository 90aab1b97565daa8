"""Right sides with a function that has a constant inside: 1/(1 + p*x), x^p, exp(p*x), sin(p*x), sin(p*t).

The constant is scanned on a grid, each value with the best sum that it allows (linear in the rest); the best
few are refined together with all other constants in the integrated form (variable projection by scan; Golub
and Pereyra, SIAM J. Numerical Analysis 10, 1973).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy
from scipy.optimize import minimize_scalar

from kansym.formula.program import Program
from kansym.pipeline.motion.families import Family, families
from kansym.pipeline.motion.integral import Motion, fit
from kansym.pipeline.motion.terms import Term, best_subsets, misfit, monomials, whitened, written

BESIDE = 3
"""Plain terms beside the function while its constant is scanned."""

TERM_PRICE = 4.0
"""Nats of a plain term beside its coefficient: two to three symbols. Without it noise lets three terms beside
any function do as well as the law."""

GREEDY = 5
"""Terms of the sums that are handed on."""

POSSIBLE = 24
"""Best scanned products of each number of plain terms whose constants are found by a line search."""

MINIMA = 2
"""Constants of one product and number of plain terms that are handed on from the grid."""

LIKELY = 6
"""Best of those whose constants are found again with best subsets."""

SINGLE = 3
"""Best of those that are handed on, each with none to BESIDE plain terms."""

NARROW = 1.2
"""Factor by which a constant may change as best subsets take the place of greedy sums."""

REFINED = 3
"""Best fitted functions whose sums are handed on."""

SHARP = 16
"""Best scanned products beside all plain terms together whose constants are found by a line search."""

CLEAR = 2
"""Functions handed on for that. Few terms chosen greedily change with the constant, and what they leave has
many minima; all of them leave a smooth curve with its zero at the truth, which only clean rows show."""

NUDGE = 1e-6
"""Share by which equal constants are moved apart, so that each of them is fitted."""

VALLEY = 200
"""Steps of that fit: both constants and the factor above the line lie along a narrow valley."""

Measure = Callable[[np.ndarray], np.ndarray]
"""How badly a column and none, one, two, ... plain ones explain y: nats; or what it and all of them leave."""


def right_sides(moving: Motion, state: int, known: sympy.Expr | None = None) -> list[sympy.Expr]:
    """Return right sides with one function that has a constant inside, the likeliest function first.

    Every product of a function and a factor is scanned beside none to BESIDE plain terms chosen greedily; for
    the best LIKELY the constant is found by a line search, the number of plain terms kept and the best subset
    of them chosen at every step; the best REFINED are searched once more with all factors. On clean rows the
    same is done beside all plain terms together. `known` is a right side with such a function already: its
    terms are kept as columns, so that a second one can be found beside it.
    """
    plain = [t for t in _plain(moving, known) if np.all(np.isfinite(t.values))]
    fixed, y = whitened(moving, state, np.column_stack([t.values for t in plain]))
    kinds = list(families(moving))
    directions = _directions(fixed)
    gram, along, power = fixed.T @ fixed, fixed.T @ y, float(y @ y)

    def greedy(column: np.ndarray) -> np.ndarray:
        """Return the nats beside none to BESIDE plain terms chosen greedily."""
        return _beside(fixed, gram, along, power, column, y)

    def subsets(column: np.ndarray) -> np.ndarray:
        """Return the nats beside the best none to BESIDE plain terms."""
        return _subsets_beside(fixed, column, y)

    def whole(column: np.ndarray) -> np.ndarray:
        """Return what is left beside all plain terms together."""
        return np.array([_beside_all(directions, column, y)])

    def searched(ranked: list[Scanned], measure: Measure, steps: int, again: bool = False) -> list[Scanned]:
        """Return the scanned products with their constants found by line searches."""

        def left(p: float, scan: Scanned) -> float:
            """Return what a product with this constant leaves."""
            columns = _columns([kinds[scan.family].columns(p)[scan.product]], moving, state)
            return float(measure(columns[0])[scan.beside]) if columns else math.inf

        around = [
            _near(scan.constant) if again else _between(kinds[scan.family].grid, scan.constant)
            for scan in ranked
        ]
        found = [_line_search(a, scan, steps, left) for a, scan in zip(around, ranked, strict=True)]
        return sorted(found, key=lambda s: (s.left, s.family, s.product, s.beside))

    near = searched(_shared(_scanned(kinds, moving, state, greedy), POSSIBLE), greedy, 8)
    refined = searched(_shared(near, LIKELY), subsets, 10, again=True)
    clear = searched(_scanned(kinds, moving, state, whole)[:SHARP], whole, 30) if moving.clean(state) else []
    found: list[sympy.Expr] = []
    for scan in _shared(refined, SINGLE):
        term = kinds[scan.family].terms(scan.constant)[scan.product]
        found += _with_function(plain, fixed, y, term, moving, state)
    for ranked, most in ((refined, REFINED), (clear, CLEAR)):
        seen: set[int] = set()
        for scan in ranked:
            if scan.family not in seen and len(seen) < most:
                seen.add(scan.family)
                found += _sums(plain, fixed, y, kinds[scan.family], scan.constant, moving, state)
    return [*found, *_apart(found, moving, state)]


def _apart(formulas: Sequence[sympy.Expr], moving: Motion, state: int) -> Iterator[sympy.Expr]:
    """Yield right sides whose sums under a line, 1 + p*a + q*b, have a fitted constant for each term."""
    for formula in formulas:
        sums = [
            power.base for power in formula.atoms(sympy.Pow) if power.exp.is_negative and power.base.is_Add
        ]
        freed = {}
        for old in sums:
            parts = [part * sympy.Float(1 + NUDGE * k, 17) if part.atoms(sympy.Float) else part
                     for k, part in enumerate(old.args)]  # fmt: skip
            if len(parts) > 2:
                freed[old] = sympy.Add(*parts)
        fitted = fit(formula.xreplace(freed), moving, state, VALLEY) if freed else None
        if fitted is not None:
            yield fitted.expression


@dataclass(frozen=True)
class Scanned:
    """Hold what a product leaves: its family, place there, constant, and how many plain terms beside."""

    left: float
    family: int
    product: int
    constant: float
    beside: int


def _scanned(kinds: Sequence[Family], moving: Motion, state: int, measure: Measure) -> list[Scanned]:
    """Return the best constants on the grid of every product and number of plain terms, the best first.

    Best are the least MINIMA of what is no more than at both neighbours: with other plain terms beside it, a
    constant has other minima.
    """
    found: list[Scanned] = []
    for number, family in enumerate(kinds):
        along: dict[tuple[int, int], list[Scanned]] = {}
        for p in np.sort(family.grid):
            for k, column in enumerate(_columns(family.columns(float(p)), moving, state)):
                for beside, left in enumerate(measure(column)):
                    scan = Scanned(float(left), number, k, float(p), beside)
                    along.setdefault((k, beside), []).append(scan)
        for scans in along.values():
            lefts = [math.inf, *(s.left for s in scans), math.inf]
            minima = [s for s, a, b in zip(scans, lefts, lefts[2:], strict=False) if s.left <= min(a, b)]
            found += sorted(minima, key=lambda s: s.left)[:MINIMA]
    return sorted(found, key=lambda s: (s.left, s.family, s.product, s.beside))


def _plain(moving: Motion, known: sympy.Expr | None) -> list[Term]:
    """Return the products of states, and the terms of a right side that have a constant inside."""
    plain = list(monomials(moving, 3 if len(moving.names) <= 3 else 2))
    if known is not None:
        parts = [part.as_coeff_Mul()[1] for part in sympy.Add.make_args(known)]
        plain += [_term(moving, bare) for bare in parts if bare.atoms(sympy.Float)]
    return plain


def _columns(columns: list[np.ndarray], moving: Motion, state: int) -> list[np.ndarray]:
    """Return the regression columns of products with a function; none where one of them is not finite."""
    values = np.column_stack(columns)
    if not np.all(np.isfinite(values)):
        return []
    return list(whitened(moving, state, values)[0].T)


def _nats(lefts: Sequence[float], rows: int) -> np.ndarray:
    """Return the description lengths of what a function and none, one, ... plain terms leave of |y|^2."""
    prices = np.arange(len(lefts)) * (0.5 * math.log(rows) + TERM_PRICE)
    return np.array([misfit(left / rows, rows) for left in lefts]) + prices


def _beside(
    fixed: np.ndarray, gram: np.ndarray, along: np.ndarray, power: float, column: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Return the nats of one column and of none to BESIDE plain ones chosen greedily.

    `gram` and `along` are the products of the plain columns with each other and with y.
    """
    size = float(column @ column)
    if size <= 0:
        return np.full(BESIDE + 1, math.inf)
    unit = column / np.sqrt(size)
    share, explained = unit @ fixed, float(unit @ y)
    lefts = _greedy(gram - np.outer(share, share), along - share * explained, power - explained**2)
    return _nats(lefts, len(y))


def _directions(fixed: np.ndarray) -> np.ndarray:
    """Return orthonormal columns that span the plain ones; columns that say the same twice count once."""
    norms = np.linalg.norm(fixed, axis=0)
    U, singular, _ = np.linalg.svd(fixed[:, norms > 0] / norms[norms > 0], full_matrices=False)
    return np.asarray(U[:, singular > 1e-10 * singular.max(initial=0.0)])


def _beside_all(directions: np.ndarray, column: np.ndarray, y: np.ndarray) -> float:
    """Return what is left of |y|^2 by one column and all plain ones."""
    both = np.column_stack([column, y])
    rest, target = (both - directions @ (directions.T @ both)).T
    size = float(rest @ rest)
    if size <= 1e-16 * float(column @ column):
        return float(target @ target)
    return float(np.sum((target - rest * (rest @ target / size)) ** 2))


def _subsets_beside(fixed: np.ndarray, column: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the nats of one column and of the best none to BESIDE plain ones."""
    unit = column / (np.linalg.norm(column) + np.finfo(float).tiny)
    rest, target = fixed - np.outer(unit, unit @ fixed), y - unit * (unit @ y)
    best = best_subsets(rest, target, largest=BESIDE, beam_size=3, shown=1)
    lefts = np.full(BESIDE + 1, float(target @ target))
    for subset, c in best:
        left = float(np.sum((target - rest[:, list(subset)] @ c) ** 2))
        lefts[len(subset) :] = np.minimum(lefts[len(subset) :], left)
    return _nats(list(lefts), len(y))


def _shared(ranked: Sequence[Scanned], count: int) -> list[Scanned]:
    """Return the best so many of each number of plain terms: few need the right constant to look good."""
    taken = dict.fromkeys(range(BESIDE + 1), 0)
    out = []
    for scan in ranked:
        taken[scan.beside] += 1
        if taken[scan.beside] <= count:
            out.append(scan)
    return out


def _between(grid: np.ndarray, constant: float) -> tuple[float, float]:
    """Return the grid's neighbours of a constant."""
    grid = np.sort(grid)
    at = int(np.argmin(np.abs(grid - constant)))
    return float(grid[max(at - 1, 0)]), float(grid[min(at + 1, len(grid) - 1)])


def _near(constant: float) -> tuple[float, float]:
    """Return a narrow range around a constant: other terms beside it may have other minima."""
    low, high = sorted((constant / NARROW, constant * NARROW))
    return low, high


def _line_search(
    bounds: tuple[float, float], scan: Scanned, steps: int, left: Callable[[float, Scanned], float]
) -> Scanned:
    """Return the scanned product with the constant within the bounds that leaves least."""
    options = {"maxiter": steps, "xatol": 1e-6 * abs(scan.constant)}
    found = minimize_scalar(lambda v: left(float(v), scan), bounds=bounds, method="bounded", options=options)
    return replace(scan, left=float(found.fun), constant=float(found.x))


def _with_function(
    plain: list[Term], fixed: np.ndarray, y: np.ndarray, term: Term, moving: Motion, state: int
) -> list[sympy.Expr]:
    """Return the sums of one product of a function and of the best none to BESIDE plain terms."""
    columns = _columns([term.values], moving, state)
    if not columns:
        return []
    unit = columns[0] / np.linalg.norm(columns[0])
    rest, target = fixed - np.outer(unit, unit @ fixed), y - unit * (unit @ y)
    every = np.column_stack([fixed, columns[0]])
    out = []
    for subset, _ in [((), None), *best_subsets(rest, target, largest=BESIDE, beam_size=3, shown=1)]:
        which = [*subset, len(plain)]
        coefficients = np.linalg.lstsq(every[:, which], y, rcond=None)[0]
        out.append(written([[*plain, term][k] for k in which], coefficients))
    return out


def _sums(
    plain: list[Term], fixed: np.ndarray, y: np.ndarray, family: Family, p: float, moving: Motion, state: int
) -> list[sympy.Expr]:
    """Return sums that hold the function, small ones first."""
    terms = family.terms(p)
    columns = np.column_stack([fixed, *_columns([t.values for t in terms], moving, state)])
    every = [*plain, *terms]
    return [
        written([every[k] for k in which], coefficients)
        for which, coefficients in best_subsets(columns, y, largest=GREEDY + 1, beam_size=6)
        if max(which) >= len(plain)  # without the function it is a sum of known terms
    ]


def _term(moving: Motion, bare: sympy.Expr) -> Term:
    """Return a term of a right side as a column."""
    return Term(bare, Program.compile(bare, moving.symbols).value(moving.columns))


def _greedy(gram: np.ndarray, along: np.ndarray, power: float) -> list[float]:
    """Return what is left of |y|^2 = power by none to BESIDE columns, each the best beside those before.

    `gram` (k, k) holds the columns' products, `along` (k,) theirs with y.
    """
    norms = np.sqrt(np.clip(np.diag(gram), 0, None))
    norms = np.where(norms > 0, norms, 1.0)
    gram, b = gram / np.outer(norms, norms), along / norms
    size, left = np.clip(np.diag(gram), 0, None), [power]
    for _ in range(BESIDE):
        gain = np.where(size > 1e-9, b * b / np.maximum(size, 1e-9), 0.0)
        k = int(np.argmax(gain))
        left.append(max(left[-1] - float(gain[k]), 0.0))
        if gain[k] <= 0:
            continue
        direction = gram[:, k] / np.sqrt(size[k])
        b = b - direction * (b[k] / np.sqrt(size[k]))
        gram = gram - np.outer(direction, direction)
        size = np.clip(np.diag(gram), 0, None).copy()
        size[k] = 0.0
    return left

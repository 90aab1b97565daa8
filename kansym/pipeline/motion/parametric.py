"""Right sides with a function that has a constant inside: 1/(1 + p*x), x^p, exp(p*x), sin(p*x), sin(p*t).

The constant is scanned on a grid, each value with the best sum that it allows (linear in the rest); the best
few are refined together with all other constants in the integrated form (variable projection by scan; Golub
and
Pereyra, SIAM J. Numerical Analysis 10, 1973).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.optimize import minimize_scalar

from kansym.formula.program import Program
from kansym.pipeline.motion.integral import TIME, Motion
from kansym.pipeline.motion.terms import Term, best_subsets, misfit, monomials, whitened, written

BESIDE = 3
"""Plain terms beside the function while its constant is scanned."""

TERM_PRICE = 4.0
"""Nats of a plain term beside its coefficient: two to three symbols. Without it noise lets three terms beside
any function do as well as the law."""

GREEDY = 5
"""Terms of the sums that are handed on."""

POSSIBLE = 80
"""Best scanned products whose constants are found by a line search with greedy sums."""

LIKELY = 20
"""Best of those whose constants are found again with best subsets."""

REFINED = 3
"""Best fitted functions whose sums are handed on."""

SHARP = 16
"""Best scanned products beside all plain terms together whose constants are found by a line search."""

CLEAR = 2
"""Functions handed on for that. Few terms chosen greedily change with the constant, and what they leave has
many minima; all of them leave a smooth curve with its zero at the truth, which only clean rows show."""

SATURATION = np.geomspace(0.05, 50.0, 13)
"""Values of p * median(m) for 1/(1 + p*m): from hardly bent to fully saturated."""

RATES = np.geomspace(0.2, 6.0, 8)
"""Values of |p| * range(x) for exp(p*x)."""

POWERS = np.array([0.25, 0.4, 0.6, 0.75, 0.9, 1.2, 1.4, 1.6, 1.8, 2.3, 2.6, 3.4])
"""Values of p for x^p; whole and half powers are in the dictionary of known terms."""


Measure = Callable[[np.ndarray], float]
"""How badly a column and plain ones explain y: nats, or what they leave of |y|^2."""


@dataclass(frozen=True, eq=False)
class Family:
    """Hold a function with one constant p and what it may be multiplied by: its values and its formula.

    `grid` holds the values of p that are scanned; `factors` are (formula, values) pairs.
    """

    grid: np.ndarray
    value: Callable[[float], list[np.ndarray]]
    formula: Callable[[float], list[sympy.Expr]]
    factors: tuple[tuple[sympy.Expr, np.ndarray], ...]

    def terms(self, p: float) -> list[Term]:
        """Return the columns for one value of the constant."""
        formulas = itertools.product(self.formula(p), (g for g, _ in self.factors))
        return [Term(f * g, v) for (f, g), v in zip(formulas, self.columns(p), strict=True)]

    def columns(self, p: float) -> list[np.ndarray]:
        """Return the values of the terms alone: formulas cost more than all the rest of a scan."""
        return [v * w for v, (_, w) in itertools.product(self.value(p), self.factors)]


def right_sides(moving: Motion, state: int, known: sympy.Expr | None = None) -> list[sympy.Expr]:
    """Return right sides with one function that has a constant inside, the likeliest function first.

    Every product of a function and a factor is scanned beside a few plain terms chosen greedily; for the best
    LIKELY ones the constant is found by a line search, with best subsets of plain terms at every step; the
    best REFINED are searched once more with all factors. The same is done beside all plain terms together.
    `known` is a right side with such a function already: its
    terms are kept as columns, so that a second one can be found beside it.
    """
    plain = [t for t in _plain(moving, known) if np.all(np.isfinite(t.values))]
    fixed, y = whitened(moving, state, np.column_stack([t.values for t in plain]))
    kinds = list(families(moving))
    directions = _directions(fixed)

    def searched(measure: Measure) -> Callable[[Family, int, float], float]:
        def left(family: Family, which: int, p: float) -> float:
            columns = _columns([family.columns(p)[which]], moving, state)
            return measure(columns[0]) if columns else math.inf

        return left

    def greedy(column: np.ndarray) -> float:
        return _beside(fixed, column, y)

    def subsets(column: np.ndarray) -> float:
        return _subsets_beside(fixed, column, y)

    def whole(column: np.ndarray) -> float:
        return _beside_all(directions, column, y)

    scanned, sharp = _scanned(kinds, moving, state, (greedy, whole))
    near = [(*_line_search(kinds[n], k, p, 8, searched(greedy)), n, k) for _, n, k, p in scanned[:POSSIBLE]]
    near.sort(key=lambda s: (s[0], s[2], s[3]))
    refined = [(*_line_search(kinds[n], k, p, 12, searched(subsets)), n) for _, p, n, k in near[:LIKELY]]
    clear = [(*_line_search(kinds[n], k, p, 30, searched(whole)), n) for _, n, k, p in sharp[:SHARP]]
    found: list[sympy.Expr] = []
    for ranked, most in ((sorted(refined), REFINED), (sorted(clear), CLEAR)):
        seen: set[int] = set()
        for _, p, number in ranked:
            if number not in seen and len(seen) < most:
                seen.add(number)
                found += _sums(plain, fixed, y, kinds[number], p, moving, state)
    return found


def _scanned(
    kinds: Sequence[Family], moving: Motion, state: int, measures: Sequence[Measure]
) -> list[list[tuple[float, int, int, float]]]:
    """Return by each measure (what is left, family, product, constant) of every product, the best first."""
    out: list[list[tuple[float, int, int, float]]] = [[] for _ in measures]
    for number, family in enumerate(kinds):
        best: list[dict[int, tuple[float, float]]] = [{} for _ in measures]
        for p in family.grid:
            for k, column in enumerate(_columns(family.columns(float(p)), moving, state)):
                for which, measure in zip(best, measures, strict=True):
                    left = measure(column)
                    if k not in which or left < which[k][0]:
                        which[k] = (left, float(p))
        for ranked, which in zip(out, best, strict=True):
            ranked += [(left, number, k, p) for k, (left, p) in which.items()]
    return [sorted(ranked) for ranked in out]


def _plain(moving: Motion, known: sympy.Expr | None) -> list[Term]:
    plain = list(monomials(moving, 3 if len(moving.series.states) == 1 else 2))
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


def _nats(left: float, rows: int, terms: int) -> float:
    """Return the description length of what a function leaves of |y|^2 and of the plain terms beside it."""
    return misfit(left / rows, rows) + terms * (0.5 * math.log(rows) + TERM_PRICE)


def _beside(fixed: np.ndarray, column: np.ndarray, y: np.ndarray) -> float:
    """Return the nats of one column and of up to BESIDE plain ones chosen greedily."""
    size = float(column @ column)
    if size <= 0:
        return math.inf
    unit = column / np.sqrt(size)
    lefts = _greedy(fixed - np.outer(unit, unit @ fixed), y - unit * (unit @ y))
    return min(_nats(left, len(y), k) for k, left in enumerate(lefts))


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


def _subsets_beside(fixed: np.ndarray, column: np.ndarray, y: np.ndarray) -> float:
    """Return the nats of one column and the best subset of plain ones."""
    unit = column / (np.linalg.norm(column) + np.finfo(float).tiny)
    rest, target = fixed - np.outer(unit, unit @ fixed), y - unit * (unit @ y)
    best = best_subsets(rest, target, largest=BESIDE, beam_size=3, shown=1)
    lefts = [(float(np.sum((target - rest[:, list(s)] @ c) ** 2)), len(s)) for s, c in best]
    return min(_nats(left, len(y), count) for left, count in [(float(target @ target), 0), *lefts])


def _line_search(
    family: Family, which: int, p: float, steps: int, left: Callable[[Family, int, float], float]
) -> tuple[float, float]:
    """Return the least that is left between the grid's neighbours of p, and the constant where it is."""
    grid = np.sort(family.grid)
    at = int(np.argmin(np.abs(grid - p)))
    bounds = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    options = {"maxiter": steps, "xatol": 1e-6 * abs(p)}
    found = minimize_scalar(
        lambda v: left(family, which, float(v)), bounds=bounds, method="bounded", options=options
    )
    return float(found.fun), float(found.x)


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


def families(moving: Motion) -> Iterator[Family]:
    """Yield the functions with a constant inside that the states, inputs and the time allow."""
    names = [k for k, n in enumerate(moving.names) if n != TIME or TIME in moving.series.states]
    states = [(moving.symbols[k], moving.columns[:, k]) for k in names]
    one = (sympy.S.One, np.ones(len(moving.columns)))
    firsts = (one, *states)
    for m, v in _denominators(states):
        size = float(np.median(np.abs(v)))
        if size > 0:
            yield Family(SATURATION / size, *_repressing(m, v), firsts)
            yield Family(SATURATION / size, *_saturating(m, v), firsts)
    for s, x in states:
        spread = float(np.ptp(x))
        if spread <= 0:
            continue
        rates = RATES / spread
        # the constant factor exp(p * middle) is left to the coefficient
        yield Family(np.concatenate([-rates, rates]), *_exponential(s, x), firsts)
        turns = np.linspace(0.3, 3.0, 28) if spread > 2 else np.linspace(0.5, 12.0, 24) / spread
        yield Family(turns, *_waves(s, x), (one,))
        if x.min() > 0:
            yield Family(POWERS, *_power(s, x), firsts)
            yield Family(np.geomspace(0.1, 10, 9) * float(np.median(x)), *_arrhenius(s, x), firsts)
    if TIME in moving.names and moving.names[-1] == TIME:
        t = moving.columns[:, -1]
        span = float(np.ptp(t))
        fastest = np.pi * moving.series.rows / len(moving.series.runs) / span / 4
        step = np.pi / span / 2
        yield Family(
            np.arange(2 * step, min(fastest, 120 * step), step), *_waves(moving.symbols[-1], t), (one,)
        )


def _denominators(
    states: Sequence[tuple[sympy.Symbol, np.ndarray]],
) -> Iterator[tuple[sympy.Expr, np.ndarray]]:
    for s, x in states:
        for power in (1, 2, 3, 4):
            if power % 2 == 0 or x.min() >= 0:
                yield s**power, x**power
    if len(states) <= 4:
        for (a, u), (b, v) in itertools.combinations(states, 2):
            if u.min() >= 0 and v.min() >= 0:
                yield a + b, u + v
                yield a * b, u * v


Rule = tuple[Callable[[float], list[np.ndarray]], Callable[[float], list[sympy.Expr]]]


def _repressing(m: sympy.Expr, v: np.ndarray) -> Rule:
    return (lambda p: [1 / (1 + p * v)]), (lambda p: [1 / (1 + sympy.Float(p, 17) * m)])


def _saturating(m: sympy.Expr, v: np.ndarray) -> Rule:
    return (lambda p: [v / (1 + p * v)]), (lambda p: [m / (1 + sympy.Float(p, 17) * m)])


def _exponential(s: sympy.Expr, x: np.ndarray) -> Rule:
    return (lambda p: [np.exp(p * x)]), (lambda p: [sympy.exp(sympy.Float(p, 17) * s)])


def _waves(s: sympy.Expr, x: np.ndarray) -> Rule:
    def formulas(p: float) -> list[sympy.Expr]:
        return [f(sympy.Float(p, 17) * s) for f in (sympy.sin, sympy.cos)]

    return (lambda p: [np.sin(p * x), np.cos(p * x)]), formulas


def _power(s: sympy.Expr, x: np.ndarray) -> Rule:
    return (lambda p: [x**p]), (lambda p: [s ** sympy.Float(p, 17)])


def _arrhenius(s: sympy.Expr, x: np.ndarray) -> Rule:
    return (lambda p: [np.exp(-p / x)]), (lambda p: [sympy.exp(-sympy.Float(p, 17) / s)])


def _greedy(columns: np.ndarray, y: np.ndarray) -> list[float]:
    """Return what is left of |y|^2 by none to BESIDE columns, each the best beside those before."""
    norms = np.linalg.norm(columns, axis=0)
    A = columns / np.where(norms > 0, norms, 1.0)
    gram, b = A.T @ A, A.T @ y
    size, left = np.diag(gram).copy(), [float(y @ y)]
    for _ in range(BESIDE):
        gain = np.where(size > 1e-9, b * b / np.maximum(size, 1e-9), 0.0)
        k = int(np.argmax(gain))
        if gain[k] <= 0:
            break
        left.append(max(left[-1] - float(gain[k]), 0.0))
        direction = gram[:, k] / np.sqrt(size[k])
        b = b - direction * (b[k] / np.sqrt(size[k]))
        gram = gram - np.outer(direction, direction)
        size = np.clip(np.diag(gram), 0, None).copy()
        size[k] = 0.0
    return left

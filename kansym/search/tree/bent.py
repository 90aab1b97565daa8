"""Powers that bend into other powers, A·x^s·(1 + (x/c)^r)^m: an answer to a problem of one column.

In logarithms such a curve is two straight lines with a bend between them, s·L + m·log(1 + exp(r·(L - b))):
two numbers, the bend's place and its sharpness, say all that is not linear. Isotherms, retention curves,
profiles of galaxies, generalised means of two inputs and survival curves are of this kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy
from scipy import special
from scipy.optimize import least_squares

from kansym.base.leastsq import LeastSquares, variable_projection
from kansym.search.structure import curve, inners
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.tree import moves, slopes

SOURCE = "bent power"

ROWS, FEWEST_ROWS = 200, 12
"""Rows, evenly spread in the column, on which the two numbers are found, and fewest of them."""

SHARPNESS, PLACES = (2.0, 4.0, 8.0, 16.0), (-0.3, 0.0, 0.25, 0.5, 0.75, 1.0, 1.3)
"""Starts: r in units of one over the span of log x, the bend's place as a share of that span."""

LEAST, MOST = (0.13, -3.0), (60.0, 4.0)
"""Bounds of the two in the same units: further off it is no bend, or a corner."""

STARTS, STEPS = 2, 60
"""Best starts that are refined, and evaluations of each."""

NEAR = 1e-3
"""Share of the logarithm's variance above which the curve is none of these."""

MOST_LOG = 300.0
"""Logarithms of values beyond which a step went astray: their squares leave double precision."""

OTHER_SIDE = 0.1
"""Share of the means of noisy rows that noise may carry over zero."""

MOST_POWER = 30.0
"""Exponents m beyond this are an exponential's, which such powers come near to."""

EXPONENTS = 3
"""Exponents s, r and m of such a power."""

WHOLE = 1e-6
"""Distance from a half below which an exponent is one."""

PRICE, NUMBER = 4.0, 2.0
"""Symbols of such a formula beside its column, and of each exponent that is measured."""


def fits(problem: Problem) -> list[Fit]:
    """Return the bent powers that a problem of one column is near to, or what it lacks of ±1."""
    if problem.width != 1:
        return []
    seen = (problem, moves.offset(problem, 1), moves.offset(problem, -1))
    return [fit for p in seen if p is not None and (fit := _fit(p)) is not None]


@dataclass(frozen=True, eq=False)
class _Logarithms:
    """Hold log x, log |y| and root weights; `low` and `span` of log x are the units of the two numbers."""

    x: np.ndarray
    y: np.ndarray
    w: np.ndarray
    low: float
    span: float

    def bend(self, theta: np.ndarray) -> tuple[float, float]:
        """Return r and log c of (log of r's sharpness, place)."""
        return float(np.exp(theta[0])) / self.span, self.low + float(theta[1]) * self.span

    def parts(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns (n, 3) that log A, s and m multiply, and the argument (n,) of the bend."""
        r, place = self.bend(theta)
        u = r * (self.x - place)
        return np.column_stack([np.ones_like(u), self.x, np.logaddexp(0.0, u)]), u

    def left(self, theta: np.ndarray) -> float:
        """Return the weighted sum of squares that the best log A, s and m leave."""
        A = self.parts(theta)[0] * self.w[:, None]
        off = A @ np.linalg.lstsq(A, self.w * self.y, rcond=1e-15)[0] - self.w * self.y
        return float(off @ off)

    def residual(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weighted residuals (n,) at (log A, s, m, log sharpness, place), and their slopes."""
        A, u = self.parts(theta[3:])
        rise = theta[2] * special.expit(u)
        J = np.column_stack([A, rise * u, -rise * np.exp(theta[3])])
        return (A @ theta[:3] - self.y) * self.w, J * self.w[:, None]

    def best(self) -> LeastSquares:
        """Return the fit of the five numbers from the best starts of a grid."""
        grid = [np.array([np.log(r), b]) for r, b in itertools.product(SHARPNESS, PLACES)]
        least, most = (np.array([np.log(r), place]) for r, place in (LEAST, MOST))

        def bends(theta: np.ndarray) -> bool:
            """Tell whether the bend is neither too far off nor a corner."""
            return bool(np.all((theta >= least) & (theta <= most)))

        found = [
            variable_projection(self.residual, start, 3, max_steps=STEPS, feasible=bends)
            for start in sorted(grid, key=self.left)[:STARTS]
        ]
        return min(found, key=lambda f: f.cost)


@np.errstate(all="ignore")
def _fit(problem: Problem) -> Fit | None:
    """Return the bent power that a target of one sign is near to; of noisy rows, that their means are."""
    rows = problem.choosing(len(problem.y))
    rows = rows[np.argsort(problem.Z[rows, 0])]
    x, y, w = problem.Z[rows, 0], problem.y[rows], problem.w[rows]
    if len(rows) < FEWEST_ROWS or np.ptp(np.sign(problem.Z[:, 0])) or not np.all(np.isfinite(y)):
        return None
    sign, noisy = (
        float(np.sign(np.median(y))),
        len(rows) >= curve.FEWEST_BINS * curve.ROWS_A_BIN and curve.noisy(x, y, w),
    )
    x, y, w = _means(x, y, w, sign) if noisy else _thinned(x, y, w)
    if len(x) < FEWEST_ROWS or np.any(np.sign(y) != sign):
        return None
    L, t, v = np.log(np.abs(x)), np.log(np.abs(y)), w * np.abs(y)
    if not (np.all(np.isfinite(t)) and np.all(np.isfinite(L)) and np.ptp(L) > 0 and v.max() > 0):
        return None
    logs = _Logarithms(L, t, v / v.max(), float(L.min()), float(np.ptp(L)))
    best = logs.best()
    constants = best.theta[:3]
    spread = float(np.sum((logs.w * (t - np.average(t, weights=logs.w**2))) ** 2))
    share = best.cost / spread if spread > 0 else np.inf
    if not share < NEAR or not np.all(np.isfinite(constants)) or abs(constants[2]) > MOST_POWER:
        return None
    bend = logs.bend(best.theta[3:])
    if noisy:
        share, constants, bend = _fitted(problem, sign, constants, bend)
    column = problem.formulas[0] * (1 if x[0] > 0 else -1)
    write = partial(_written, sign, constants, bend, column)
    return _as_fit(problem, share, EXPONENTS, write)


def _as_fit(problem: Problem, share: float, measured: int, write: Callable[[], sympy.Expr]) -> Fit:
    """Return a bent power as a fit that leaves a share of the target's square, some exponents `measured`."""
    proposal = Proposal(share * problem.unit, PRICE + NUMBER * measured, write)
    return Fit(proposal.share, proposal.price, SOURCE, problem, lambda: [proposal])


@np.errstate(all="ignore")
def in_noise(problem: Problem) -> list[Fit]:
    """Return those and bent powers of plain exponents: noise tells all five numbers together only."""
    seen = (problem, moves.offset(problem, 1), moves.offset(problem, -1))
    return [*fits(problem), *(fit for p in seen if p is not None for fit in _plainly(p))]


def _plainly(problem: Problem) -> list[Fit]:
    """Return the likeliest bent powers with plain exponents of a problem of one column."""
    if problem.width != 1:
        return []
    rows = problem.choosing(len(problem.y))
    rows = rows[np.argsort(problem.Z[rows, 0])]
    x, y, w = problem.Z[rows, 0], problem.y[rows], problem.w[rows]
    sides = np.unique(np.sign(problem.Z[:, 0]))
    if len(rows) < FEWEST_ROWS or len(sides) > 1 or not (sides[0] and np.ptp(x) > 0 and np.any(w * y)):
        return []
    if not (np.all(np.isfinite(y)) and np.all(np.isfinite(x))):
        return []
    column = problem.formulas[0] * (1 if x[0] > 0 else -1)
    return [
        _as_fit(problem, share, measured, partial(bend.write, column))
        for share, measured, bend in slopes.bends(np.log(np.abs(x)), y, w)
    ]


def _thinned(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ROWS of sorted rows at most, evenly spread."""
    at = np.linspace(0, len(x) - 1, min(ROWS, len(x))).astype(int)
    return x[at], y[at], w[at]


def _means(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, sign: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the means of sorted rows next to each other, those left out that noise carries over zero.

    None are left where those are many: a curve that changes its sign is no power.
    """
    middle, level, weight, _ = curve.binned(x, y, w)
    good = np.sign(level) == sign
    good &= np.mean(good) >= 1 - OTHER_SIDE
    return middle[good], level[good], weight[good]


def _fitted(
    problem: Problem, sign: float, constants: np.ndarray, bend: tuple[float, float]
) -> tuple[float, np.ndarray, tuple[float, float]]:
    """Return the share of the target's square that all five numbers leave of noisy rows, and the numbers.

    Means of rows where a curve is steep are off it: the rows themselves say what the means only began with.
    """
    L, y, w = (part[problem.fit] for part in (np.log(np.abs(problem.Z[:, 0])), problem.y, problem.w))

    def off(numbers: np.ndarray) -> np.ndarray:
        """Return the weighted residuals (n,) of (log A, s, m, log r, log c)."""
        level, slope, power, sharp, place = numbers
        logs = level + slope * L + power * np.logaddexp(0.0, np.exp(sharp) * (L - place))
        return np.asarray(w * (sign * np.exp(np.minimum(logs, MOST_LOG)) - y))

    start = np.array([*constants, np.log(bend[0]), bend[1]])
    best = least_squares(off, start, max_nfev=STEPS)
    share = 2 * float(best.cost) / float(np.sum((w * y) ** 2))
    return share, best.x[:3], (float(np.exp(best.x[3])), float(best.x[4]))


def _written(sign: float, constants: np.ndarray, bend: tuple[float, float], column: sympy.Expr) -> sympy.Expr:
    """Return the bent power of a column as a formula."""
    level, slope, power = (float(c) for c in constants)
    r, place = bend
    factor = sympy.Float(sign * np.exp(level))
    inner = 1 + sympy.Float(np.exp(-r * place)) * inners.power(column, _plain(r))
    return factor * inners.power(column, _plain(slope)) * inner ** sympy.Float(power)


def _plain(k: float) -> float:
    """Return an exponent as a half where it nearly is one."""
    nice = round(2 * k) / 2
    return nice if abs(k - nice) < WHOLE else k

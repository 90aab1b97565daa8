"""Laws that are ratios of polynomials in the columns and in a function or two of them.

exp(-k·t) beside k and t, (K·p)^n beside K, cos(a) beside a: each is given a column of its own, its argument
a product, a quotient, a sum or a difference of columns. Whether y·Q = P for polynomials P and Q in all of
them is told by the angle between two linear spaces, within a millisecond: many arguments can be asked, and
even a rate that no column holds is found, as the one where that angle vanishes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import sympy
from scipy.optimize import minimize_scalar

from kansym.base.linear import basis
from kansym.base.polynomials import exponents
from kansym.search.rational import monomials
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.tree import moves, ratios
from kansym.search.tree.further import (
    MOST_COLUMNS,
    Extension,
    damped,
    decays,
    exponential,
    exponentials_of_any_rate,
    functions,
    levels,
)

MOST_COLUMNS_OF_POWER = 6
"""Columns of problems whose target alone is transformed."""

MOST_UNKNOWNS, MOST_WITH_RATE = 84, 64
"""Coefficients of P and Q together; fewer where a rate is looked for, which takes a hundred looks."""

SPARE, LEAST_SPARE = 30, 12
"""Rows beyond the number of coefficients that tell, and fewest of them: what those show by chance is refused
by all rows. With 30 as the fewest a table of 100 rows had no look for (1 + x²/v)^(-(v + 1)/2), the Bass
curve, a mortgage's rate and three more of 61 laws."""

NULL, GAP = 1e-11, 1e-2
"""Sine of the angle that counts as zero, and as a share of the next one: approximations fall off gently."""

SLOWEST, FASTEST, RATES = 0.25, 30.0, 40
"""Spans of an exponent with a rate from no column, and how many rates are tried; the best are refined."""

MOST_BESIDE_LOGARITHMS = 3
"""Columns up to which logarithms stand beside other functions: of three 75 are tried, of four 166."""

LEAST = ((2, 1), (3, 1))
"""Degrees that are looked at beside the largest ones: those come so near that nothing shows any more."""

MANY = 4
"""Columns above which a rate is looked for with the least degrees only."""

FIRST_STEPS, PROMISING = 14, 30.0
"""Steps that must lower the sine by this factor, which falls to zero in a straight line, or it is left."""

CLOSING = (1e-4, 1e-6, 1e-8, 1e-10)
"""Distances in log k from which two straight lines are followed to where they meet, at zero."""

DIGITS, ROUND = 7, 1e-3
"""Digits of a rate that are tried, and how far it may be moved for fewer of them."""

NEARLY = 1e-8
"""Relative RMS error of a ratio whose rate was found to ten digits: the formula's own fit does the rest."""

PLAIN, SAME = 100, 1e-9
"""Denominators of coefficients that are taken for fractions, and how near those have to be."""

MOST_IN_ONE, MOST_IN_ONE_WITH_RATE = 8, 5
"""Coefficients of a ratio in one column and its extensions: more come near to any smooth curve, sooner where
a rate is chosen, too."""

MOST_SHOWN, PLAIN_PRICE = 6, 6 * ratios.TERM_PRICE
"""Choices of functions that show a ratio among which the plainest is taken, and the price, of six
coefficients, at which no plainer one is looked for: many come near to another where columns span little."""

DEGREES = ((1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (3, 2), (2, 3), (4, 1), (3, 3))


def with_one(problem: Problem) -> list[Fit]:
    """Return the ratio of polynomials that needs one function of the columns, if there is one."""
    return _plainest(problem, ((e,) for e in functions(problem)))


def beside_logarithms(problem: Problem) -> list[Fit]:
    """Return the ratio of polynomials in positive columns, their logarithms and one function, if there is.

    The logarithm of a probability's density is one, and that of a power times an exponential.
    """
    if problem.width > MOST_BESIDE_LOGARITHMS or not np.all(problem.Z > 0):
        return []
    logs = [Extension(np.log(v), sympy.log(f)) for v, f in zip(problem.Z.T, problem.formulas, strict=True)]
    made = functions(problem, decaying=True)
    return _plainest(problem, ((*logs, e) for e in made if not isinstance(e.formula, sympy.log)))


def with_two(problem: Problem) -> list[Fit]:
    """Return the ratio of polynomials that needs two functions of the columns, if there is one."""
    return _plainest(problem, itertools.combinations(functions(problem, decaying=True), 2))


def with_decays(problem: Problem) -> list[Fit]:
    """Return the ratio of polynomials in a decay and another, or a wave, of a column, or in two levels."""
    return _plainest(problem, itertools.chain(decays(problem), damped(problem), levels(problem)))


def with_rate(problem: Problem) -> list[Fit]:
    """Return the ratio of polynomials in the columns and exp(k·u) or u^k, k any number, if there is one."""
    rows = telling_rows(problem)
    if rows is None:
        return []
    for argument in exponentials_of_any_rate(problem):
        for rate in _rates(problem, rows, argument):
            made = exponential(argument, rate)
            if made is not None and (found := confirmed(problem, rows, (made,), NEARLY)):
                if problem.width == 1 and found[0].price > ratios.TERM_PRICE * MOST_IN_ONE_WITH_RATE:
                    continue
                return found
    return []


def with_power(problem: Problem) -> list[Fit]:
    """Return the power, any, of a ratio of polynomials in the columns that a target is, or its logarithm.

    y^k is a ratio, or (1/y - 1)^k, or (1 - y)^k of a share y, or exp(k·y): a logarithm of any base.
    """
    rows = telling_rows(problem, MOST_COLUMNS_OF_POWER)
    if rows is None:
        return []
    seen: list[Problem | None] = [problem]
    if np.all((problem.y > 0) & (problem.y < 1)):
        seen += [moves.reciprocal(problem, 1), moves.offset(problem, 1)]
    signed = [p for p in seen if p is not None and not np.ptp(np.sign(p.y)) and np.all(p.y)]
    powers = [(p, np.log(np.abs(p.y) / np.median(np.abs(p.y))), moves.raised) for p in signed]
    for asked, u, move in (*powers, (problem, problem.y, moves.exponent)):
        for k in _exponents_of_target(asked, rows, u[rows]):
            moved = move(asked, k)
            if moved is not None and (found := confirmed(moved, rows, (), NEARLY)):
                return found
    return []


def _plainest(problem: Problem, choices: Iterable[tuple[Extension, ...]]) -> list[Fit]:
    """Return the ratio of fewest terms of the first few choices that show one, or the first that is plain."""
    rows = telling_rows(problem)
    if rows is None:
        return []
    best: list[Fit] = []
    shown = 0
    for chosen in choices:
        found = confirmed(problem, rows, chosen)
        shown += bool(found)
        if found and (not best or found[0].price < best[0].price):
            best = found
        if best and (shown == MOST_SHOWN or best[0].price <= PLAIN_PRICE):
            break
    return best


def telling_rows(problem: Problem, most_columns: int = MOST_COLUMNS) -> np.ndarray | None:
    """Return the rows that tell, None where they cannot."""
    # of a hundred rows those that judge tell as well: whether a ratio is exact needs no judgement
    rows = np.concatenate([problem.fit, problem.test])[: MOST_UNKNOWNS + SPARE]
    Z, y = problem.Z[rows], problem.y[rows]
    good = np.all(np.isfinite(y)) and np.all(np.isfinite(Z)) and np.ptp(y) > 0
    return rows if good and problem.width <= most_columns else None


def confirmed(
    problem: Problem,
    rows: np.ndarray,
    chosen: tuple[Extension, ...],
    within: float = ratios.EXACT_IN_FUNCTIONS,
) -> list[Fit]:
    """Return the ratio in the columns and the chosen extensions, where some rows and then all show one."""
    Z = np.column_stack([problem.Z[rows], *(e.values[rows] for e in chosen)])
    sizes = [d for d in DEGREES if _size(Z.shape[1], d) <= min(MOST_UNKNOWNS, len(rows) - LEAST_SPARE)]
    largest = [d for d in sizes if not any(e != d and e[0] >= d[0] and e[1] >= d[1] for e in sizes)]
    tops = [d for d in largest if _vanishes(_sines(Z, problem.y[rows], d))]
    if not tops:
        return []
    small = [d for d in sizes if any(d[0] <= t[0] and d[1] <= t[1] for t in tops)]
    every = np.column_stack([problem.Z, *(e.values for e in chosen)])
    stands = tuple(sympy.Dummy(real=True) for _ in chosen)
    view = problem.columns(every, (*problem.formulas, *stands))
    found = ratios.exact(view, sorted(small, key=lambda d: _size(Z.shape[1], d)), within)
    back = dict(zip(stands, (e.formula for e in chosen), strict=True))
    return [
        replace(f, name=partial(_named, f, back))
        for f in found
        if problem.width > 1 or f.price <= ratios.TERM_PRICE * MOST_IN_ONE
    ]


def _named(fit: Fit, back: dict[sympy.Dummy, sympy.Expr]) -> list[Proposal]:
    """Return a fit's proposals with the functions in the place of their stand-ins."""
    return [replace(p, write=partial(_restored, p.write, back)) for p in fit.name()]


def _restored(write: Callable[[], sympy.Expr], back: dict[sympy.Dummy, sympy.Expr]) -> sympy.Expr:
    """Return a ratio with its functions in their places, in tanh(u/2) for exp(u) where that is shorter."""
    formula = write()
    stand, function = next(iter(back.items()), (None, None))
    if len(back) == 1 and isinstance(function, sympy.exp):
        numbers = {f: sympy.Rational(float(f)).limit_denominator(PLAIN) for f in formula.atoms(sympy.Float)}
        if all(abs(float(r) - float(f)) < SAME * abs(float(f)) for f, r in numbers.items()):
            plain, t = formula.xreplace(numbers), sympy.Dummy(real=True)
            other = sympy.cancel(plain.xreplace({stand: (1 + t) / (1 - t)}))
            if other.count_ops() < plain.count_ops():
                return other.xreplace({t: sympy.tanh(function.args[0] / 2)})
    return formula.xreplace(back)


def _size(columns: int, degree: tuple[int, int]) -> int:
    """Return the number of coefficients of a ratio of these degrees."""
    return sum(math.comb(columns + d, d) for d in degree)


def _sines(Z: np.ndarray, y: np.ndarray, degree: tuple[int, int], w: np.ndarray | None = None) -> np.ndarray:
    """Return the sines of the angles between y·(polynomials Q) and polynomials P, largest first.

    Both spaces have orthonormal bases, so that relations of the columns among themselves do not count. `w`
    are root weights of the rows.
    """
    scale = np.maximum(np.abs(Z).max(0), 1e-300)
    M = monomials.columns(Z / scale, exponents(Z.shape[1], max(degree)))
    # terms are in graded order, so that the basis of a higher degree begins with that of a lower one
    every = basis(M if w is None else M * w[:, None])
    above, below = (every[:, : math.comb(Z.shape[1] + d, d)] for d in degree)
    turned = basis(y[:, None] * below)
    left = turned - above @ (above.T @ turned)
    return np.linalg.svd(left, compute_uv=False) if np.all(np.isfinite(left)) else np.full(1, np.nan)


def _vanishes(sines: np.ndarray) -> bool:
    """Tell whether some sines are zero to rounding and clearly smaller than the others."""
    if not np.all(np.isfinite(sines)):
        return False
    zeros = int(np.sum(sines < NULL))
    return zeros > 0 and (zeros == len(sines) or bool(sines[-zeros] < GAP * sines[-zeros - 1]))


def _rates(problem: Problem, rows: np.ndarray, argument: Extension) -> Iterator[float]:
    """Yield rates k for which exp(k·argument) makes the target a ratio."""
    u, Z, y = argument.values[rows], problem.Z[rows], problem.y[rows]
    middle = float(np.median(u))

    def seen(rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the columns with an exponential of this rate, the target, and the exponential."""
        e = np.exp(rate * (u - middle))
        return np.column_stack([Z, e]), y, e

    yield from vanishing(seen, problem.width + 1, float(np.ptp(argument.values)), len(rows))


def _exponents_of_target(problem: Problem, rows: np.ndarray, u: np.ndarray) -> Iterator[float]:
    """Yield exponents k for which exp(k·u) is a ratio, u the target or the logarithm of its size."""
    u = u - np.median(u)
    for sign in (1, -1):

        def seen(rate: float, sign: int = sign) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            """Return the columns, the target's power in the place of the target, and the power."""
            power = np.exp(sign * rate * u)
            return problem.Z[rows], power, power

        for k in vanishing(seen, problem.width, float(np.ptp(u)), len(rows), every=True):
            yield sign * k


def vanishing(seen: Callable, columns: int, span: float, rows: int, every: bool = False) -> Iterator[float]:
    """Yield where the sine vanishes of what is `seen` at a rate: columns, target, and what grows with it.

    Of many columns `every` degree is looked at only where that is asked for.
    """
    sizes = [d for d in DEGREES if _size(columns, d) <= min(MOST_WITH_RATE, rows - LEAST_SPARE)]
    if not (span > 0 and np.isfinite(span)):
        return
    largest = [d for d in sizes if not any(e != d and e[0] >= d[0] and e[1] >= d[1] for e in sizes)]
    grid = np.log(np.geomspace(SLOWEST, FASTEST, RATES) / span)
    least = tuple(d for d in sizes if d in LEAST)
    for degree in dict.fromkeys((*least, *(largest if every or columns <= MANY else ()))):
        some = slice(_size(columns, degree) + SPARE)

        def sine(log_rate: float, degree: tuple = degree, some: slice = some) -> float:
            """Return the smallest sine at a rate: it vanishes where the target is a ratio."""
            Z, y, grown = (part[some] for part in seen(np.exp(log_rate)))
            # where it is large its highest power alone would count, elsewhere its lowest
            value = float(_sines(Z, y, degree, (1 + grown) ** -max(degree))[-1])
            return value if np.isfinite(value) else 1.0

        values = np.array([sine(k) for k in grid])
        lows = [i for i in range(1, RATES - 1) if values[i] <= min(values[i - 1], values[i + 1])]
        for i in sorted(lows, key=lambda i: values[i] / min(values[i - 1], values[i + 1]))[:2]:
            ends = (float(grid[i - 1]), float(grid[i + 1]))
            best = minimize_scalar(sine, bounds=ends, method="bounded", options={"maxiter": FIRST_STEPS})
            if not best.fun < values[i] / PROMISING:
                continue
            at = float(best.x)
            for step in CLOSING:
                left, right = sine(at - step), sine(at + step)
                at += step * (left - right) / max(left + right, 1e-300)
            if sine(at) < NULL:
                yield _shortest(float(np.exp(at)), sine)


def _shortest(rate: float, sine: Callable[[float], float]) -> float:
    """Return the number of fewest digits near a rate that does as well: where degrees are high, many do."""
    short = (float(f"{rate:.{digits}g}") for digits in range(1, DIGITS))
    return next((r for r in short if abs(r - rate) < ROUND * rate and sine(float(np.log(r))) < NULL), rate)

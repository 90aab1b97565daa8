"""Curves of one argument that bend or jump at a place: two smooth sides, the place fitted.

A cubic on each side of a place finds where; each side is then a level, a line, a bend, a power, or a sum of
decays and waves. Sides that meet are written with min(x, m) and max(x, m), whose place is fitted with all
other constants; others with a step, whose place is known to a gap between two rows and no better.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import sympy
from scipy import optimize

from kansym.base.digits import shortest_between
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.search.families.described import Fit, length
from kansym.search.families.family import INPUTS, Form, Start
from kansym.search.families.modes import modes
from kansym.search.families.projection import FULL_STEPS, Fitted, Rows, program_of, refined

FEWEST_ROWS = 12
"""Rows of a table that may have two sides."""

SIDE_ROWS = 5
"""Rows that a side must have: its cubic has four constants."""

PLACES = 40
"""Places that are looked at first; then those between the neighbours of the best."""

SMOOTH_DEGREE = 9
"""Degree of the polynomial that two cubics and a place must beat, with as many constants."""

SIDE_MODES = 2
"""Decays and waves of a side: with more of them it would be smooth curves of any kind that are parted."""

NAMED = 2
"""Names of each side that are combined."""

TRIMMED = 3
"""One in so many rows of a side, those nearest to the place, do not name it: cubics put the place of curves
that are none a little off."""

MEETING = 6.0
"""Standard deviations of the misfit up to which two sides that do not cross may count as meeting."""

OFFERED = 3
"""Curves of two sides that are offered, the shortest first."""

ROUND_OFF = 1e-7
"""Share of y's size up to which sides that do not cross may count as meeting in data without noise."""

EXACT = 1e-24
"""Share of y's square below which a smooth polynomial leaves round-off, and there is no place."""

SIDED = (sympy.Min, sympy.Max, sympy.Heaviside)
X = INPUTS[0]
PLACE = symbols(["m"])[0]


@np.errstate(all="ignore")
def kinks(rows: Rows) -> list[Fit]:
    """Return the curves of two sides that describe rows of one input, the shortest first; none if smooth."""
    order = np.argsort(rows.X[:, 0], kind="stable")
    x, y, w = rows.X[order, 0], rows.y[order], rows.w[order]
    if len(x) < FEWEST_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return []
    k = _place(x, y, w)
    found = _step(x, y, w, rows)
    if k is None:
        return found
    first, last = k - k // TRIMMED, k + (len(x) - k) // TRIMMED
    left, right = (
        _names(Rows(x[part][:, None], y[part], w[part])) for part in (slice(None, first), slice(last, None))
    )
    for one, two in itertools.product(left, right):
        places = _meetings(one, two, x[first - 1 : last + 1], rows)
        forms = [_bent(one, two, place) for place in places]
        forms.append(_broken(one, two, shortest_between(float(x[k - 1]), float(x[k]))))
        for form, theta in forms:
            if (fitted := refined(form, theta[len(form.linear) :], rows, FULL_STEPS)) is not None:
                found.append(Fit(fitted, (0,), length(fitted, rows)))
    return sorted(found, key=lambda f: f.length)[:OFFERED]


def _step(x: np.ndarray, y: np.ndarray, w: np.ndarray, rows: Rows) -> list[Fit]:
    """Return one level up to a place and another from it on, where that leaves least of sorted rows.

    Nothing where a parabola, which has as many constants, leaves less. In much noise the place of two levels
    is seen where that of two cubics is not: the Nile's flow fell once, in 1898.
    """
    square = w * w
    before = np.array([np.cumsum(square), np.cumsum(square * y)])[:, :-1]
    after = np.array([square.sum(), square @ y])[:, None] - before
    gain = before[1] ** 2 / before[0] + after[1] ** 2 / after[0]
    at = np.arange(1, len(x))
    allowed = (at >= SIDE_ROWS) & (at <= len(x) - SIDE_ROWS) & (x[1:] > x[:-1])
    bend = _left(np.polynomial.chebyshev.chebvander(2 * (x - x[0]) / np.ptp(x) - 1, 2), y, w)
    if not np.any(allowed) or square @ (y * y) - gain[allowed].max() >= bend:
        return []
    k = int(at[allowed][np.argmax(gain[allowed])])
    level = symbols(["b0"])
    flat = Form("level", level[0], level, (), (), ())
    one, two = (
        Fitted(flat, np.array([np.average(y[part], weights=square[part])]), 0.0, len(y[part]))
        for part in (slice(None, k), slice(k, None))
    )
    form, theta = _broken(one, two, shortest_between(float(x[k - 1]), float(x[k])))
    fitted = refined(form, theta[len(form.linear) :], rows, FULL_STEPS)
    return [] if fitted is None else [Fit(fitted, (0,), length(fitted, rows))]


def _names(side: Rows) -> list[Fitted]:
    """Return the likeliest fits of a side."""
    found = modes(side, most=SIDE_MODES)
    for degree, name in enumerate(("level", "line", "bend")):
        linear = symbols([f"b{k}" for k in range(degree + 1)])
        form = Form(name, sympy.Add(*(b * X**k for k, b in enumerate(linear))), linear, (), (), ())
        if degree + 2 < len(side.y) and (fitted := refined(form, np.zeros(0), side, 0)) is not None:
            found.append(Fit(fitted, (0,), length(fitted, side)))
    if (power := _power(side)) is not None:
        found.append(Fit(power, (0,), length(power, side)))
    best: dict[sympy.Expr, Fit] = {}
    for fit in sorted(found, key=lambda f: f.length):
        best.setdefault(fit.fitted.form.formula, fit)
    return [fit.fitted for fit in list(best.values())[:NAMED]]


def _power(side: Rows) -> Fitted | None:
    """Return b·x^n of a side where x and b·y are positive: a wind turbine's power up to the rated one."""
    x, y = side.X[:, 0], side.y
    if len(y) < 4 or not np.all(x > 0) or not np.all(y * y[-1] > 0):
        return None
    weights = side.w * np.abs(y)  # as the delta method has it
    n = float(np.polyfit(np.log(x), np.log(np.abs(y)), 1, w=weights)[0])
    b, exponent = symbols(["b", "n"])
    form = Form("power", b * X**exponent, (b,), (), (exponent,), (Start("exponent"),))
    return refined(form, np.array([n]), side, FULL_STEPS)


def _place(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> int | None:
    """Return how many sorted rows lie before the place, None where the curve is as well a smooth one."""
    u = 2 * (x - x[0]) / np.ptp(x) - 1
    whole = np.polynomial.chebyshev.chebvander(u, min(SMOOTH_DEGREE, len(u) // 2))
    smooth = _left(whole, y, w)
    splits = [k for k in range(SIDE_ROWS, len(u) - SIDE_ROWS + 1) if u[k] > u[k - 1]]
    if not splits or smooth <= EXACT * float(np.sum((w * y) ** 2)):
        return None

    def cost(k: int) -> float:
        """Return what two cubics leave that part before row k."""
        return sum(
            _left(np.vander((u[part] - u[part][0]) / (np.ptp(u[part]) or 1.0), 4), y[part], w[part])
            for part in (slice(None, k), slice(k, None))
        )

    coarse = splits[:: max(1, len(splits) // PLACES)]
    best = min(coarse, key=cost)
    at = coarse.index(best)
    low, high = coarse[max(at - 1, 0)], coarse[min(at + 1, len(coarse) - 1)]
    best = min((k for k in splits if low <= k <= high), key=cost)
    return best if cost(best) < smooth else None


def _left(A: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Return the weighted sum of squares that the columns of A leave of y."""
    c = np.linalg.lstsq(A * w[:, None], y * w, rcond=1e-12)[0]
    return float(np.sum(((A @ c - y) * w) ** 2))


def _meetings(one: Fitted, two: Fitted, x: np.ndarray, rows: Rows) -> list[float]:
    """Return where two sides cross among places x (n,), or come as near as the misfit; at most two places."""
    noise = math.sqrt((one.cost + two.cost) / max(one.rows + two.rows, 1))

    def apart(at: np.ndarray) -> np.ndarray:
        """Return how far the two sides are apart at some places."""
        values = [program_of(f.form).value(np.reshape(at, (-1, 1)), f.theta) for f in (one, two)]
        return values[0] - values[1] + np.zeros(np.size(at))

    dense = np.linspace(x[0], x[-1], 501)
    shown = apart(dense)
    crossing = np.flatnonzero(shown[1:] * shown[:-1] <= 0)
    if len(crossing):
        return [float(v) for v in dense[crossing][:2]]
    k = int(np.argmin(np.abs(shown)))
    around = float(dense[max(k - 1, 0)]), float(dense[min(k + 1, 500)])
    touch = optimize.minimize_scalar(lambda at: float(np.abs(apart(at))[0]), bounds=around, method="bounded")
    near = touch.fun <= MEETING * noise + ROUND_OFF * float(np.abs(rows.y).max())
    return [float(touch.x)] if near else []


def _parts(side: Fitted, number: str) -> tuple[list[sympy.Expr], dict[sympy.Symbol, float]]:
    """Return a side's terms with its constants numbered, and their values."""
    form = side.form
    swap = {s: symbols([s.name + number])[0] for s in form.constants}
    values = {swap[s]: float(v) for s, v in zip(form.constants, side.theta, strict=True)}
    return [t.xreplace(swap) for t in sympy.Add.make_args(form.formula)], values


def _bent(one: Fitted, two: Fitted, place: float) -> tuple[Form, np.ndarray]:
    """Return left(min(x, m)) + right(max(x, m)), each level beyond m, with one constant for both."""
    sides, values, level = [], {PLACE: place}, False
    for side, number, argument in ((one, "l", sympy.Min(X, PLACE)), (two, "r", sympy.Max(X, PLACE))):
        terms, own = _parts(side, number)
        values |= own
        if moving := [t for t in terms if t.has(X)]:
            level = level or len(moving) < len(terms)
            sides.append(sympy.Add(*moving).xreplace({X: argument}))
    base = symbols(["b"])[0]
    formula = sympy.Add(*sides) + (base if level or len(sides) != 1 else 0)
    return _form("two sides that meet", formula, {base: 0.0, **values}, (one, two))


def _broken(one: Fitted, two: Fitted, place: float) -> tuple[Form, np.ndarray]:
    """Return left + (right - left)·step(x - m); the place is a number of the form."""
    (left, first), (right, second) = _parts(one, "l"), _parts(two, "r")
    step = sympy.Heaviside(X - sympy.Rational(repr(place)))
    formula = sympy.Add(*left) * (1 - step) + sympy.Add(*right) * step
    return _form("two sides with a jump", formula, {**first, **second}, (one, two))


def _form(
    name: str, formula: sympy.Expr, values: dict[sympy.Symbol, float], sides: tuple[Fitted, Fitted]
) -> tuple[Form, np.ndarray]:
    """Return the form of two sides with its constants' values."""
    linear_names = {
        s.name + number for side, number in zip(sides, ("l", "r"), strict=True) for s in side.form.linear
    } | {"b"}
    used = formula.free_symbols - {X}
    linear = tuple(s for s in values if s in used and s.name in linear_names)
    others = tuple(s for s in values if s in used and s.name not in linear_names)
    starts = tuple(Start("place" if s == PLACE else "rate") for s in others)
    return Form(name, formula, linear, (), others, starts), np.array([values[s] for s in (*linear, *others)])


def allowed(formula: sympy.Expr, library: Library) -> bool:
    """Tell whether a library's functions span a formula; min, max and the step count as abs."""
    plain = formula.replace(lambda e: isinstance(e, SIDED), lambda e: sympy.Abs(sympy.Add(*e.args)))
    return library.spans(plain)

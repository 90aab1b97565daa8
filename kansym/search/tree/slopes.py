"""Bent powers of noisy rows with plain numbers: A·x^s·(1 + (x/c)^r)^m where s, r and m are not all measured.

All five numbers of a bend in noise are known together only: 1/(u·(1 + u)²) of a thousand rows with 1 % of
noise is fitted as well by 0.8·u^-1.07·(1 + 1.6·u^2.2)^0.49 - 0.8. So two kinds are started from a grid: both
slopes plain and r measured, m = (e - s)/r; s and r plain and m measured. Each is fitted, and once more with
all three rounded.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import sympy
from scipy.optimize import least_squares

from kansym.base import criterion
from kansym.base.linear import TINY
from kansym.search.structure import inners

SLOPES = np.arange(-6, 7) / 2
"""Slopes s at the near end, in halves."""

CHANGES = np.array([k / 2 for k in range(-8, 9) if k])
"""Changes e - s of the slope, in halves."""

SHARP = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Plain exponents r."""

ANY_SHARP, ANY_POWER = np.geomspace(0.3, 6.0, 12), np.geomspace(0.15, 8.0, 9)
"""Starts of an exponent r, and of |m|, that are measured."""

PLACES = np.linspace(-0.4, 1.3, 40)
"""Starts of the bend's place, as shares of the span of log x."""

GRID_ROWS, TRIED, STEPS, SHOWN = 150, 6, 12, 3
"""Rows on which the grid is compared, bends of each kind that are then fitted, steps, and bends shown. With
half as many places and four bends two of nine such curves were missed at 1 % of noise."""

ALIKE = 2
"""Digits behind the point to which the exponents of equal bends agree."""

MOST_LOG = 300.0
"""Logarithms beyond which a step went astray."""


@dataclass(frozen=True)
class Bend:
    """Hold A·x^s·(1 + (x/c)^r)^m by log c; `measured` says which exponent is fitted: r, m or neither."""

    slope: float
    sharp: float
    power: float
    place: float
    measured: str = ""
    factor: float = 1.0

    @property
    def change(self) -> float:
        """Return how much steeper the curve is beyond the bend."""
        return self.sharp * self.power

    def at(self, numbers: np.ndarray) -> Bend:
        """Return the bend with other numbers: log c and the logarithm of the exponent that is measured."""
        sharp, power = self.sharp, self.power
        if self.measured:
            size = float(np.exp(numbers[1]))
            sharp, power = (
                (size, self.change / size) if self.measured == "r" else (sharp, np.sign(power) * size)
            )
        return replace(self, sharp=sharp, power=float(power), place=float(numbers[0]))

    def numbers(self) -> np.ndarray:
        """Return log c and the logarithm of the exponent that is measured, if one is."""
        free = {"r": [np.log(self.sharp)], "m": [np.log(abs(self.power))]}.get(self.measured, [])
        return np.array([self.place, *free])

    def plain(self) -> Bend:
        """Return the bend with r and m rounded to halves."""
        sharp = max(round(2 * self.sharp), 1) / 2
        power = (round(2 * self.power) or np.sign(self.power)) / 2
        return Bend(self.slope, sharp, float(power), self.place)

    def values(self, L: np.ndarray) -> np.ndarray:
        """Return the curve (n,) at log x without its factor."""
        logs = self.slope * L + self.power * np.logaddexp(0.0, self.sharp * (L - self.place))
        return np.asarray(np.exp(np.minimum(logs, MOST_LOG)))

    def write(self, column: sympy.Expr) -> sympy.Expr:
        """Return the formula of a positive column."""
        inner = 1 + sympy.Float(np.exp(-self.sharp * self.place)) * inners.power(column, self.sharp)
        return sympy.Float(self.factor) * inners.power(column, self.slope) * inners.power(inner, self.power)


def bends(L: np.ndarray, y: np.ndarray, w: np.ndarray) -> list[tuple[float, int, Bend]]:
    """Return the likeliest bends of rows y (n,) at log x, root weights w, least described first.

    With each the share of y's square that it leaves and how many exponents it measures.
    """
    total = float(np.sum((w * y) ** 2))
    found = []
    for start in _starts(L, y, w):
        measured, cost = _fitted(start, L, y, w)
        plain, more = _fitted(measured.plain(), L, y, w)
        found += [(cost / total, 1, measured), (more / total, 0, plain)]
    found = [f for f in found if np.isfinite(f[0])]
    found.sort(key=lambda f: float(criterion.length(f[0], len(y), 0.0, f[1])))
    unlike: dict[tuple[float, ...], tuple[float, int, Bend]] = {}
    for one in found:
        bend = one[2]
        key = (one[1], bend.slope, round(bend.sharp, ALIKE), round(bend.power, ALIKE))
        unlike.setdefault(key, one)
    return list(unlike.values())[:SHOWN]


def _starts(L: np.ndarray, y: np.ndarray, w: np.ndarray) -> list[Bend]:
    """Return of each kind the bends of a grid that leave least, one for each choice of plain numbers."""
    some = np.linspace(0, len(L) - 1, min(GRID_ROWS, len(L))).astype(int)
    L, y, w = L[some], y[some], w[some]
    places = L.min() + PLACES * np.ptp(L)
    signed = np.concatenate([-ANY_POWER, ANY_POWER])
    kinds = {
        "m": [(r, m) for r in SHARP for m in signed],
        "r": [(r, change / r) for r in ANY_SHARP for change in CHANGES],
    }
    powers = np.exp(SLOPES[:, None] * L)
    ahead, square = powers * (w * w * y), powers**2 * (w * w)
    out = []
    for measured, choices in kinds.items():
        triples = [(r, m, place) for (r, m), place in itertools.product(choices, places)]
        r, m, place = np.array(triples).T
        G = np.exp(
            np.clip(m[:, None] * np.logaddexp(0.0, r[:, None] * (L - place[:, None])), -MOST_LOG, MOST_LOG)
        )
        gain = (G @ ahead.T) ** 2 / (G**2 @ square.T + TINY)
        seen: set[tuple[float, float]] = set()
        for at in np.argsort(-gain, axis=None):
            t, s = divmod(int(at), len(SLOPES))
            bend = Bend(float(SLOPES[s]), float(r[t]), float(m[t]), float(place[t]), measured)
            plain = bend.sharp if measured == "m" else bend.change
            if (key := (bend.slope, plain)) not in seen:
                seen.add(key)
                out.append(bend)
            if len(seen) >= TRIED:
                break
    return out


def _fitted(bend: Bend, L: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[Bend, float]:
    """Return a bend with its numbers fitted, and the weighted sum of squares that it leaves."""

    def off(numbers: np.ndarray) -> np.ndarray:
        """Return the weighted residuals (n,) with the best factor."""
        v = w * bend.at(numbers).values(L)
        return np.asarray(v * ((v @ (w * y)) / (v @ v + TINY)) - w * y)

    start = bend.numbers()
    if not np.all(np.isfinite(off(start))):
        return bend, np.inf
    best = least_squares(off, start, max_nfev=STEPS)
    fitted = bend.at(best.x)
    v = w * fitted.values(L)
    return replace(fitted, factor=float((v @ (w * y)) / (v @ v + TINY))), 2 * float(best.cost)

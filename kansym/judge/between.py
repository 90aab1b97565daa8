"""What a formula does between the rows: poles, undefined places, and waves that the rows do not show.

A formula may meet every row and be nonsense a step beside it, as cos(cos(x))**6 does: an alias. It is looked
at on a dense grid inside the range (one column), or on segments between near neighbours (more).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.spatial import cKDTree
from sympy.functions.elementary.trigonometric import TrigonometricFunction

from kansym.base.errors import placed
from kansym.formula.guarded import valued
from kansym.formula.polish import Polished, Rows

MOST_GAPS = 400
"""Gaps between neighbouring rows that are looked at: enough to see what happens in one of a hundred."""

INSIDE = (31, 7)
"""Points inside each gap, where gaps are few and where they are many (more than FEW_GAPS)."""

FEW_GAPS = 60
"""Gaps up to which each is looked at more closely."""

DECADES = 2.0
"""A column of positive numbers that spans more powers of ten is looked at on a logarithmic grid."""

NEIGHBOURS = 2
"""Nearest rows to which each row is joined, where there are several columns."""

HALF_WAVE = math.pi / 2
"""Ratio of the way a wave goes up and down to the way that rows half a wave apart show of it (exactly pi/2).

A sine sampled with phase p from row to row shows sin(p/2)/(p/2) of its way; wider steps show less.
"""

FAR_APART = 2.5
"""The same ratio for several columns, where neighbours are far apart and smooth laws turn between them."""

BEYOND = 0.5
"""Part of the span of a formula's values on the rows by which those between them may lie outside it."""

UNEVEN = 0.05
"""Relative scatter of the gaps from which rows are uneven: then an alias of an exact law does not fit."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """Hold points (gaps, points, columns) from row to neighbouring row, ends included, and their evenness."""

    points: np.ndarray
    even: bool

    @staticmethod
    def of(X: np.ndarray) -> Gaps | None:
        """Return the gaps of rows X (n, d); None where no two rows differ."""
        ends = _along(X[:, 0]) if X.shape[1] == 1 else _neighbours(X)
        if ends is None:
            return None
        low, high, even = ends
        chosen = np.unique(np.linspace(0, len(low) - 1, min(len(low), MOST_GAPS)).astype(int))
        low, high = low[chosen], high[chosen]
        share = np.linspace(0, 1, INSIDE[len(chosen) > FEW_GAPS] + 2)[None, :, None]
        x = X[:, 0]
        if X.shape[1] == 1 and x.min() > 0 and math.log10(x.max() / x.min()) > DECADES:
            points = np.exp((1 - share) * np.log(low[:, None]) + share * np.log(high[:, None]))
        else:
            points = (1 - share) * low[:, None] + share * high[:, None]
        return Gaps(points, even)


def _along(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """Return the ends of the gaps along one column, and whether all are of one width."""
    u = np.unique(x)
    if len(u) < 2:
        return None
    width = np.diff(u)
    even = bool(np.std(width) <= UNEVEN * np.mean(width))
    return u[:-1, None], u[1:, None], even


def _neighbours(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """Return the ends of segments from some rows to their nearest others, scaled to unit spread."""
    X = np.unique(X, axis=0)
    if len(X) < 3:
        return None
    spread = X.std(axis=0)
    Z = X / np.where(spread > 0, spread, 1.0)
    some = np.unique(np.linspace(0, len(X) - 1, min(len(X), MOST_GAPS // NEIGHBOURS)).astype(int))
    _, index = cKDTree(Z).query(Z[some], k=min(NEIGHBOURS + 1, len(X)))
    index = index[:, 1:]
    return X[np.repeat(some, index.shape[1])], X[index.ravel()], False


def fault(polished: Polished, gaps: Gaps | None, rows: Rows) -> str:
    """Return what is wrong with a formula between the rows, in words; nothing where nothing is."""
    if gaps is None or not polished.expression.free_symbols:
        return ""
    count, _, columns = gaps.points.shape
    flat, values = gaps.points.reshape(-1, columns), _values(polished, gaps)
    if not np.isfinite(values).all():
        where = flat[int(np.argmin(np.isfinite(values.ravel())))]
        return f"it is undefined between the rows, at {placed(rows.symbols, where)}"
    way = np.abs(np.diff(values, axis=1)).sum(axis=1)
    shown = np.abs(values[:, -1] - values[:, 0])
    most = HALF_WAVE if columns == 1 else FAR_APART
    # what round-off makes of a constant is no way
    if way.sum() > most * shown.sum() + 1e-9 * np.abs(values).max() * count:
        worst = int(np.argmax(way - shown))
        inner = int(np.argmax(np.abs(values[worst] - values[worst, [0, -1]].mean())))
        return (
            f"it varies between the rows as they do not show: {values[worst, inner]:.4g} at "
            f"{placed(rows.symbols, gaps.points[worst, inner])}, "
            f"{values[worst, 0]:.4g} and {values[worst, -1]:.4g} on the rows beside"
        )
    if columns == 1 and _turns(polished.expression, gaps, rows) > 1.01 * math.pi:
        return "a wave in it turns more than half a wave from row to row"
    return ""


def stays(polished: Polished, gaps: Gaps) -> bool:
    """Tell whether a formula stays about where it is on the rows, as a wave does and a spike does not."""
    values = _values(polished, gaps)
    ends = values[:, [0, -1]]
    beyond = BEYOND * float(np.ptp(ends))
    return bool(np.all((values >= ends.min() - beyond) & (values <= ends.max() + beyond)))


def _values(polished: Polished, gaps: Gaps) -> np.ndarray:
    """Return a formula's values (gaps, points) from row to neighbouring row."""
    count, steps, columns = gaps.points.shape
    return polished.program.value(gaps.points.reshape(-1, columns), polished.theta).reshape(count, steps)


def _turns(formula: sympy.Expr, gaps: Gaps, rows: Rows) -> float:
    """Return the largest median step of a wave's phase from row to row, in radians."""
    ends = gaps.points[:, [0, -1], :]
    most = 0.0
    for wave in formula.atoms(TrigonometricFunction):
        if wave.free_symbols:
            phase = valued(wave.args[0], rows.symbols, ends.reshape(-1, ends.shape[2]))
            if phase is not None:
                most = max(most, float(np.median(np.abs(np.diff(phase.reshape(-1, 2), axis=1)))))
    return most


def places(formula: sympy.Expr, names: Sequence[str], X: np.ndarray) -> str:
    """Return a sentence for each step of one column: between which two values its place lies."""
    said = []
    for step in sorted(formula.atoms(sympy.Heaviside), key=sympy.default_sort_key):
        argument, columns = step.args[0], sorted(step.free_symbols, key=str)
        line = len(columns) == 1 and argument.is_polynomial(*columns)
        if not line or sympy.degree(argument, columns[0]) != 1:
            continue
        name = str(columns[0])
        place, x = float(sympy.solve(argument, columns[0])[0]), X[:, list(names).index(name)]
        if np.any(x < place) and np.any(x > place):
            low, high = x[x < place].max(), x[x > place].min()
            said.append(f" The place {place:.6g} of {name} is known to lie between {low:.6g} and {high:.6g}.")
    return "".join(said)

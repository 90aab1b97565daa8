"""A law along one of its inputs, with its prediction band: what pictures draw beside the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.data.dataset import Dataset
from kansym.pipeline.run import Law

POINTS = 81
"""Points of a slice: enough for a curve as wide as a hand."""


LOG_DECADES, CROWDED = 1.5, 1 / 6
"""Decades that positive values span, and the part of a plain axis that holds half of them, before their axis
is logarithmic: the planets' orbits ask for it, a column that is even between 0.01 and 10 does not."""

BEYOND = 1.5
"""Factor by which a slice along a logarithmic axis goes past the data."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Hold a law's values (n,) along an input, the others at their medians, and the ends of its band."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


def wants_log(*values: Any) -> bool:
    """Tell whether values, all positive, span decades and crowd at the low end: a logarithmic axis shows them
    better.

    >>> wants_log([0.01, 0.1, 1.0]), wants_log([0.01, 0.5, 1.0]), wants_log([0.0, 0.1, 5.0])
    (True, False, False)
    """
    together = np.concatenate([v[np.isfinite(v)] for v in (np.asarray(one, float) for one in values)])
    if not len(together) or together.min() <= 0:
        return False
    low, high = float(together.min()), float(together.max())
    return high >= low * 10**LOG_DECADES and float(np.median(together)) <= low + CROWDED * (high - low)


def whole(values: np.ndarray) -> bool:
    """Tell whether a column counts something: whole numbers, between which an axis has no marks.

    >>> whole(np.array([1.0, 2.0, 3.0])), whole(np.array([0.5, 1.0]))
    (True, False)
    """
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and bool(np.all(finite == np.round(finite)))


def span(low: float, high: float, beyond: float = 0.35) -> tuple[float, float]:
    """Return the range of a slice: past the data on both sides, but not through zero where it is a border.

    >>> span(1.0, 2.0), span(0.1, 2.1)
    ((0.65, 2.35), (0.0, 2.8))
    """
    wide = beyond * (high - low)
    left, right = low - wide, high + wide
    return (0.0 if left < 0 <= low else left), (0.0 if right > 0 >= high else right)


def positions(column: np.ndarray, points: int = POINTS) -> np.ndarray:
    """Return the points (n,) of a slice past a column's values on both sides, even on the axis it asks for.

    A logarithmic axis goes past them by the factor BEYOND; a column of 0 and 1 alone has nothing beyond.

    >>> positions(np.array([0.0, 1.0, 1.0]), 3).tolist()
    [0.0, 0.5, 1.0]
    """
    low, high = float(column.min()), float(column.max())
    if not set(np.unique(column)) - {0.0, 1.0}:  # yes or no: there is nothing beyond
        return np.linspace(low, high, points)
    if wants_log(column):
        return np.geomspace(low / BEYOND, high * BEYOND, points)
    return np.linspace(*span(low, high), points)


def path(data: Dataset, name: str, x: np.ndarray) -> np.ndarray:
    """Return rows (n, inputs) along values x (n,) of an input, the others at their medians.

    Of a category's columns of 0 and 1 the commonest is 1: at their medians a row would be in no category.
    """
    X = np.tile(np.median(data.X, axis=0), (len(x), 1))
    for levels in data.categories.values():
        shares = {n: float(data.column(n).mean()) for n in levels if n in data.names}
        none = 1 - sum(shares.values())  # the share of rows in a level that has no column here
        others = {n: share for n, share in shares.items() if n != name}
        commonest = max(others, key=lambda n: others[n], default="")
        for n, share in others.items():
            there = n == commonest and share >= none
            X[:, data.names.index(n)] = 0.0 if not there else 1 - x if name in levels else 1.0
    X[:, data.names.index(name)] = x
    return X


def along(law: Law, data: Dataset, name: str, x: np.ndarray | None = None) -> Slice:
    """Return a law along an input of the data, by default past their range on both sides."""
    if x is None:
        x = positions(data.column(name))
    X = path(data, name, x)
    return Slice(x, law.predict(X, data.names), *law.predict_band(X, data.names))


def beside(data: Dataset, values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return where the rows (n,) stand beside a slice: the law at the slice plus what it leaves of each row.

    `values` (n,) are the law's on the rows, `there` (n,) its values on the rows moved to the slice. With one
    input these are the rows as they are, with several their other inputs are as if at the medians; a row at
    which the law is undefined stands as measured.
    """
    moved = data.y - values + there
    return data.y if len(data.names) == 1 else np.where(np.isfinite(moved), moved, data.y)

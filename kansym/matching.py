"""Rank library functions for a curve, by description length on held-out points.

One curve, or many at once. The score is in nats, lower is better: the cost of the held-out residuals at
the curve's noise level plus the cost of the formula. Fitting one function is `affine`'s part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kansym import noise as criterion
from kansym.affine import AffineFit, Data, finish, prepare, search
from kansym.errors import DomainError, InputError
from kansym.graph import Symbolic
from kansym.library import Function, Library


@dataclass(frozen=True, eq=False)
class Match:
    """Hold one function's fit and its score in nats (lower is better)."""

    fit: AffineFit
    score: float

    @property
    def function(self) -> Function:
        return self.fit.function

    @property
    def a(self) -> float:
        return self.fit.a

    @property
    def b(self) -> float:
        return self.fit.b

    @property
    def c(self) -> float:
        return self.fit.c

    @property
    def d(self) -> float:
        return self.fit.d

    @property
    def p(self) -> float | None:
        return self.fit.p

    @property
    def r2(self) -> float:
        return self.fit.r2

    @property
    def rmse(self) -> float:
        return self.fit.rmse

    @property
    def relative_rmse(self) -> float:
        return self.fit.relative_rmse

    @property
    def errors(self) -> dict[str, float]:
        return self.fit.errors

    @property
    def curve(self) -> Symbolic:
        return self.fit.curve

    def __call__(self, x: Any) -> np.ndarray:
        return self.fit(x)


def match(
    x: Any,
    y: Any,
    library: str | Path | Library = "default",
    top: int = 10,
    weights: Any = None,
    noise: float | None = None,
) -> list[Match]:
    """Return the best library functions for one curve, best first.

    `noise` is the standard deviation of y's errors, estimated when not given. Raises InputError as
    :func:`kansym.affine.prepare` does, and DomainError when no function of the library is defined.
    """
    lib = library if isinstance(library, Library) else Library.load(library)
    if noise is not None and not (math.isfinite(noise) and noise >= 0):
        raise InputError(f"noise is {noise}; give a standard deviation that is finite and not negative.")
    data = prepare(x, y, weights)
    found = []
    for f in lib.values():
        best, rss = search(f, data)
        if math.isfinite(rss):
            found.append((_score(f, data, rss, noise), best, f))
    if not found:
        raise DomainError("No function of the library is defined on this curve; use a wider library.")
    found.sort(key=lambda item: item[0])
    return [Match(finish(f, data, best), score) for score, best, f in found[:top]]


def _score(f: Function, data: Data, rss: float, noise: float | None) -> float:
    n = len(data.some[0])
    constants = 4 - len(f.redundant & {"a", "b"}) + f.has_exponent
    floor = (64 * np.finfo(float).eps * (1 + abs(data.mean) / data.scale)) ** 2
    sigma2 = None if noise is None else max((noise / data.scale) ** 2, floor)
    price = 0.5 * constants * math.log(n) + criterion.NODE_PRICE * f.complexity
    return criterion.misfit_length(rss / n, n, constants, floor, sigma2) + price


def match_many(
    xs: Sequence[Any] | np.ndarray,
    ys: Sequence[Any] | np.ndarray,
    library: str | Path | Library = "default",
    top: int = 10,
    weights: Any = None,
    noise: float | None = None,
) -> list[list[Match]]:
    """Return :func:`match` of each pair of curves; one x for all, or one per curve."""
    lib = library if isinstance(library, Library) else Library.load(library)
    xs = np.asarray(xs, float) if isinstance(xs, np.ndarray) else xs
    shared = isinstance(xs, np.ndarray) and xs.ndim == 1
    return [match(xs if shared else xs[i], y, lib, top, weights, noise) for i, y in enumerate(ys)]

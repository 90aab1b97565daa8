"""Rank library functions for a curve, by description length on held-out points.

One curve, or many at once; single functions, or families with an exponent. Sums, products and compositions
of two are `search.families.curves`. The score is in
nats, lower is better: the cost of the leave-one-out residuals at the curve's noise level, plus the cost of
the constants and of the formula. Fitting one function is `affine`'s part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from kansym.base import criterion
from kansym.base.errors import DomainError, InputError
from kansym.functions.affine import finish, polish, survey, variable_projection
from kansym.functions.affine_fit import AffineFit, held_out
from kansym.functions.curve_data import Data, prepare
from kansym.functions.library import Function, Library, get
from kansym.functions.shapes import oscillates, shapes

FAMILIES = ("x^p", "exp(-|x|^p)")
BEST, POLISH_ALL = 3, 20_000
"""Of curves with more rows than POLISH_ALL only the BEST are polished on all rows, the rest on some."""
HOPELESS = 200.0
"""Nats behind the best beyond which a function is polished to a few digits only."""
SPARE = 6
"""Functions polished beyond the `top` asked for, as the low-cost ranking may be a little off."""
BREADTH = {"wave": 3.0, "hyperbolic": 1.0, "plane": 1.0}
"""Nats for the choice among basins, on top of log(1 + half-width): wiggly functions try more shapes."""


@dataclass(frozen=True, eq=False)
class Match(AffineFit):
    """Hold one function's fit and its score in nats (lower is better)."""

    score: float

    @staticmethod
    def of(fit: AffineFit, score: float) -> Match:
        """Return a fit with its score."""
        return Match(**{f.name: getattr(fit, f.name) for f in fields(AffineFit)}, score=score)

    def __repr__(self) -> str:
        """Return the fit and its score on one line."""
        return f"Match({self.text}, score={self.score:.4g})"


def match(
    x: Any,
    y: Any,
    library: str | Path | Library = "default",
    top: int = 10,
    weights: Any = None,
    noise: float | None = None,
    families: bool = False,
    jobs: int = 1,
) -> list[Match]:
    """Return the best library functions for one curve, best first.

    `noise` is the standard deviation of y's errors, estimated when not given; `families` adds x^p and
    exp(-|x|^p) with a free exponent; `jobs` threads share the search (the result does not depend on them).
    Raises InputError as :func:`kansym.functions.curve_data.prepare` does, and DomainError when no function of
    the library is defined on the curve.

    >>> x = np.linspace(0, 2, 100)
    >>> match(x, 3 * np.exp(-2 * x) + 1)[0].function.name
    'exp'
    """
    functions = _functions(library, families)
    _check(top, noise)
    data = prepare(x, y, weights)
    if jobs > 1:
        with ThreadPoolExecutor(jobs) as pool:
            return _match(functions, data, top, noise, pool)
    return _match(functions, data, top, noise, None)


def _functions(library: str | Path | Library, families: bool) -> list[Function]:
    """Return the functions that are tried, those with a free exponent only where `families` are asked for."""
    lib = library if isinstance(library, Library) else Library.load(library)
    found = [f for f in lib.values() if families or not f.has_exponent]
    return found + [get(name) for name in FAMILIES if families and name not in lib]


def _check(top: int, noise: float | None) -> None:
    """Refuse counts and noise that cannot be used with an InputError."""
    if top < 1:
        raise InputError(f"top is {top}; ask for at least 1 match.")
    if noise is not None and not (math.isfinite(noise) and noise >= 0):
        raise InputError(f"noise is {noise}; give a standard deviation that is finite and not negative.")


def _match(
    functions: list[Function], data: Data, top: int, noise: float | None, pool: ThreadPoolExecutor | None
) -> list[Match]:
    """Return the best functions for prepared data: all tried roughly, the likely ones finished."""
    each = map if pool is None else pool.map
    if pool is not None:  # shared parts first, so that threads do not both make them
        _ = data.some, data.at_nodes, data.coarse, data.waves, data.exponentials
    t, y, w = data.coarse
    coarse_total = float((w * (y - np.average(y, weights=w)) ** 2).sum())

    def low_cost(f: Function) -> tuple[np.ndarray, np.ndarray, float]:
        """Return a function's starts, what they leave, and its rough score."""
        starts, rss = survey(f, data)
        if len(rss) == 0:
            return starts, rss, math.inf
        kind, shown = shapes(f).kind, rss
        if kind in ("wave", "line"):  # refined on other rows: compare on these
            shown = variable_projection(f, shapes(f), data.coarse, starts[:1], 0, 0.0, 0.0)[1]
        share = 1.0 if kind == "constant" else float(shown[0]) / coarse_total
        return starts, rss, _rough(f, data, share, len(t), noise)

    surveyed = list(each(low_cost, functions))
    order = sorted(range(len(functions)), key=lambda i: surveyed[i][2])
    order = [i for i in order if math.isfinite(surveyed[i][2])][: top + SPARE]
    if not order:
        raise DomainError("No function of the library is defined on this curve; use a wider library.")

    def middle(i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a function's starts and what they leave, polished a little: one where it is hopeless."""
        count = 4 if surveyed[i][2] - surveyed[order[0]][2] < HOPELESS else 1
        starts, rss, _ = surveyed[i]
        return polish(functions[i], data, starts[:count], rss[:count], 12, 1e-3)

    rougher = dict(zip(order, each(middle, order), strict=True))
    order = [i for i in order if len(rougher[i][0])]
    rows = len(data.some[0])
    rough = {i: _rough(functions[i], data, float(rougher[i][1][0]) / data.total, rows, noise) for i in order}
    order.sort(key=rough.__getitem__)

    def last(i: int) -> np.ndarray:
        """Return the best start of a function, polished to the end where it is near the best one."""
        near = rough[i] - rough[order[0]] < HOPELESS
        starts, rss = rougher[i]
        steps, tolerance = (60, 1e-8) if near else (8, 1e-4)
        return polish(functions[i], data, starts[:1], rss[:1], steps, tolerance)[0][0]

    order = order[: top + 1]
    best = dict(zip(order, each(last, order), strict=True))
    scores = {i: _score(functions[i], data, best[i], noise) for i in order}
    order.sort(key=lambda i: (scores[i], functions[i].complexity))

    def finished(i: int) -> Match | None:
        """Return the match of a function, None where it is not finite on all rows."""
        try:
            exactly = len(data.t) <= POLISH_ALL or i in order[:BEST]
            return Match.of(finish(functions[i], data, best[i], exactly), scores[i])
        except DomainError:
            return None

    return _tie([m for m in each(finished, order) if m is not None])[:top]


def _tie(matches: list[Match]) -> list[Match]:
    """Put the sine or cosine whose phase is nearest 0 first, where the two are one fit."""
    matches = list(matches)
    for i in range(len(matches) - 1):
        one, two = matches[i], matches[i + 1]
        if (
            {shapes(one.function).kind, shapes(two.function).kind} == {"wave"}
            and abs(one.score - two.score) < 1.0 + 0.01 * abs(one.score)
            and abs(two.b) < abs(one.b)
        ):
            matches[i], matches[i + 1] = two, one
    return matches


def _floor(data: Data) -> float:
    """Return the share of variance below which fits count as exact: round-off of x and y."""
    wide = abs(data.middle) / data.half
    return (64 * float(np.finfo(float).eps) * (1 + abs(data.mean) / data.scale + wide)) ** 2


def _price(f: Function, n: int, alpha: float) -> float:
    """Return the nats of a function with its constants; `alpha` is its rate on the scaled data."""
    form = shapes(f)
    constants = 2 + int(form.free.sum())
    price = 0.5 * constants * math.log(n) + criterion.NODE_PRICE * f.complexity
    if form.kind in BREADTH:
        price += BREADTH[form.kind] + math.log1p(abs(alpha))
        price += 2.0 if form.kind == "plane" and oscillates(f) else 0.0
    return price


def _sigma2(data: Data, noise: float | None) -> float | None:
    """Return the known variance of the noise in units of the data's scale, None where it is not known."""
    return None if noise is None else max((noise / data.scale) ** 2, _floor(data))


def _rough(f: Function, data: Data, share: float, n: int, noise: float | None) -> float:
    """Return the score without the held-out correction."""
    if not math.isfinite(share):
        return math.inf
    return criterion.misfit_length(share, n, 0, _floor(data), _sigma2(data, noise)) + _price(f, n, 1.0)


def _score(f: Function, data: Data, best: np.ndarray, noise: float | None) -> float:
    """Return the description length in nats with the misfit of parts held out in turn."""
    n = len(data.some[0])
    loss = held_out(f, data, best)
    return criterion.misfit_length(loss, n, 0, _floor(data), _sigma2(data, noise)) + _price(
        f, n, float(best[0])
    )


def match_many(
    xs: Sequence[Any] | np.ndarray,
    ys: Sequence[Any] | np.ndarray,
    library: str | Path | Library = "default",
    top: int = 10,
    weights: Any = None,
    noise: float | None = None,
    families: bool = False,
    jobs: int = 1,
) -> list[list[Match]]:
    """Return :func:`match` of each curve; one x for all (1-D) or one per curve; `jobs` threads share them."""
    functions = _functions(library, families)
    _check(top, noise)
    shared = isinstance(xs, np.ndarray) and xs.ndim == 1
    if not shared and len(xs) != len(ys):
        raise InputError(
            f"There are {len(xs)} x-curves and {len(ys)} y-curves; give one x per y, or one for all."
        )

    def one(i: int) -> list[Match]:
        """Return the matches of one curve."""
        return _match(functions, prepare(xs if shared else xs[i], ys[i], weights), top, noise, None)

    if jobs > 1:
        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, range(len(ys))))
    return [one(i) for i in range(len(ys))]

"""The producer of rational formulas: of y, and of roots, exponentials and logarithms of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.threads import one_thread
from kansym.data.dataset import Dataset
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.search.candidate import Candidate
from kansym.search.rational import monomials as rational
from kansym.search.rational.chooser import Chooser, max_degrees
from kansym.search.rational.monomials import Ratio
from kansym.search.rational.pade import written


def propose(
    dataset: Dataset, *, budget: Budget, library: Library | None = None, seed: int = 0
) -> Iterator[Candidate]:
    """Yield rational formulas for a dataset, and roots, exponentials and logarithms of exact ones.

    An exact ratio for y, y², exp(y) or log|y| comes alone; otherwise the front of the best degrees for y.
    """
    X, y = np.asarray(dataset.X, float), np.asarray(dataset.y, float)
    if len(y) < 3 or np.ptp(y) == 0 or X.shape[1] > 12:
        return
    with one_thread():
        found = _candidates(X, y, dataset.weights, tuple(dataset.names), budget, library, seed)
    yield from found


def _candidates(
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    names: tuple[str, ...],
    budget: Budget,
    library: Library | None,
    seed: int,
) -> list[Candidate]:
    """Return the one exact ratio of y or of a transform of it, else the best ratios of each size."""
    degrees = max_degrees(X.shape[1], len(y))
    columns = symbols(names)
    top = max(max(d) for d in degrees)
    for forward, back in _targets(y, library):
        chooser = Chooser.of(X, forward, None, top, None, seed)
        found = chooser.exact_of(degrees)
        budget.spend(1)
        if found is not None:
            return [Candidate(0.0, "pade", back(written(chooser, found, columns)))]
        if budget.exhausted:
            return []
    chooser = Chooser.of(X, y, weights, top, None, seed)
    power = float(np.mean((chooser.sheet.w * (chooser.sheet.y - chooser.sheet.y.mean())) ** 2))
    ratios = chooser.choose(degrees)
    budget.spend(len(ratios) / 10)
    kept: dict[int, Ratio] = {}
    for ratio in ratios:
        kept.setdefault(ratio.terms, ratio)
    candidates = []
    for ratio in sorted(kept.values(), key=chooser.length)[:8]:
        spare = max(len(chooser.part.y) - ratio.terms + 1, 1) / len(chooser.part.y)
        share = rational.measured(chooser.rest, ratio.support, ratio.p, ratio.q).loss / power / spare**2
        if math.isfinite(share):
            candidates.append(Candidate(share, "pade", written(chooser, ratio, columns)))
    return candidates


def _targets(y: np.ndarray, library: Library | None) -> list[tuple[np.ndarray, Any]]:
    """Return transforms of y that may be rational, each with the way back that the library allows."""
    found: list[tuple[np.ndarray, Any]] = [(y, lambda e: e)]
    known = {"sqrt", "log", "exp"} if library is None else set(library)
    sign = 1 if np.all(y >= 0) else -1 if np.all(y <= 0) else 0
    if sign and "sqrt" in known:
        found.append((y * y, lambda e: sign * sympy.sqrt(e)))
    if "log" in known and np.abs(y).max() < 50:
        found.append((np.exp(y), sympy.log))
    if "exp" in known and sign and np.all(y != 0):
        found.append((np.log(np.abs(y)), lambda e: sign * sympy.exp(e)))
    return found

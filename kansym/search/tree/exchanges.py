"""Sums of few products of whole powers in noise: terms are exchanged until no other one leaves less.

`sparse` knows such a sum by leaving nothing, so that wrong first choices do not matter. In noise they would
stay: here each term of the few that are kept leaves its place to any of thousands that does better.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kansym.base import criterion
from kansym.base.linear import TINY
from kansym.base.threads import one_thread
from kansym.search.structure import outers
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.tree import sparse, transforms

SOURCE = "products in noise"

FEWEST_ROWS = 40

ROWS = 400
"""Rows that choose, at most."""

FIRST, TERMS, ROUNDS = 24, 5, 6
"""Products that join at first, terms of a sum of few columns, at most, and rounds of exchanges of so many. Of
18 tables of three laws (1 and 5 % of noise) 17 were seen so, 16 where 12 join, 10 where terms were exchanged
from the first."""

HIGHEST = 6
"""Sum of a product's exponents, at most: noise cannot tell higher ones from one another."""

SPANNED = 1e-3
"""Share of its norm that a product must keep beside those chosen: of what is less noise decides."""

TERM, COLUMN, POWER = 2.0, 2.0, 2.0
"""Price in symbols of a term (its number and the sign before it), of a column in it, of an exponent."""

TARGETS = ((-np.inf, "t", 0.0), (-np.inf, "1/t", 1.0), (0.0, "t^2", 1.0), (0.0, "1/t^2", 2.0))
"""Transforms of a target, the least value at which they are defined, and their prices in symbols."""


@np.errstate(all="ignore")
def fits(problem: Problem, left: float, targets: int = len(TARGETS)) -> list[Fit]:
    """Return for the first few transforms (`targets`) the likeliest sum; smooth fits leave `left` of it.

    Terms are exponents (d,), targets (n,); losses are weighted by the delta method, rows beyond a transform's
    domain left out. Source of the method: orthogonal least squares (Chen, Billings and Luo, Int. J. Control
    50, 1989), then sequential replacement (Miller, J. Roy. Stat. Soc. A 147, 1984).
    """
    rows = np.concatenate([problem.fit, problem.test])
    if not 2 <= problem.width <= sparse.MOST_COLUMNS or len(problem.fit) < FEWEST_ROWS:
        return []
    X = problem.Z[rows]
    if not (np.all(np.isfinite(X)) and np.all(np.any(X != 0, axis=0))):
        return []
    found = []
    with one_thread():
        for low, name, price in TARGETS[:targets]:
            part = transforms.within(problem, left, low, np.inf)
            if part is not None and (fit := _likeliest(part, outers.outer(name), price)) is not None:
                found.append(fit)
    return found


def _likeliest(table: Problem, outer: outers.Outer, price: float) -> Fit | None:
    """Return the sum for a transform of the target, of the number of terms that is described shortest."""
    problem = table.target(outer)
    if problem is None:
        return None
    rows = problem.choosing(ROWS)
    exponents = sparse.choice(problem)
    exponents = exponents[np.abs(exponents).sum(axis=1) <= HIGHEST]
    units = np.array([np.exp(np.mean(np.log(np.abs(x[x != 0])))) for x in problem.Z[rows].T])
    w = problem.w[rows]
    A, b = sparse.products(problem.Z[rows] / units, exponents) * w[:, None], problem.y[rows] * w
    norms = np.linalg.norm(A, axis=0)
    good = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    A, exponents = A[:, good] / norms[good], exponents[good]
    symbols = TERM + COLUMN * (exponents != 0).sum(axis=1) + POWER * (np.abs(exponents) > 1).sum(axis=1)
    least, best = np.inf, None
    for kept, loss in _sums(A, b, sparse.terms(problem.width, TERMS)):
        share = criterion.corrected(loss / float(b @ b), len(kept), len(b)) * problem.unit
        written = price + float(symbols[kept].sum())
        nats = float(criterion.length(share, len(b), written, len(kept)))
        if nats < least:
            least, best = nats, (share, written, kept)
    if best is None:
        return None
    share, written, kept = best
    # transforms measure the target in its own size: its factor belongs to the terms, or it is one too many
    unit = float(outer.forward(np.sqrt(np.mean(table.y[np.concatenate([table.fit, table.test])] ** 2))))
    powers = exponents[kept]
    factors = np.linalg.lstsq(A[:, kept], b * unit, rcond=None)[0] / norms[good[kept]]
    sums = sparse.written(powers, factors / np.prod(units**powers, axis=1), problem)
    return Fit(share, written, SOURCE, table, lambda: [Proposal(share, written, lambda: outer.inverse(sums))])


def _sums(A: np.ndarray, b: np.ndarray, most: int) -> Iterator[tuple[list[int], float]]:
    """Yield choices of `most` columns of A (n, k) for b (n,), and of fewer, with the squares that they leave.

    FIRST columns join one by one, the wrong ones among them leave again.
    """
    kept: list[int] = []
    for _ in range(min(FIRST, A.shape[1])):
        kept = [*kept, _next(A, b, kept)[0]]
    while kept:
        if len(kept) <= most:
            kept, loss = _exchanged(A, b, kept)
            yield kept, loss
        less = [_left(A, b, kept[:i] + kept[i + 1 :]) for i in range(len(kept))]
        i = int(np.argmin(less))
        kept = kept[:i] + kept[i + 1 :]


def _exchanged(A: np.ndarray, b: np.ndarray, kept: list[int]) -> tuple[list[int], float]:
    """Return as many columns of A of which no other one in the place of one leaves less, and what they do."""
    loss = _left(A, b, kept)
    for _ in range(ROUNDS):
        before = loss
        for i in range(len(kept)):
            rest = kept[:i] + kept[i + 1 :]
            j, other = _next(A, b, rest)
            if other < loss * (1 - criterion.EXACT):
                kept, loss = [*rest[:i], j, *rest[i:]], other
        if loss == before:
            break
    return kept, loss


def _left(A: np.ndarray, b: np.ndarray, kept: list[int]) -> float:
    """Return the squares that some columns of A leave of b."""
    Q = np.linalg.qr(A[:, kept])[0]
    rest = b - Q @ (Q.T @ b)
    return float(rest @ rest)


def _next(A: np.ndarray, b: np.ndarray, kept: list[int]) -> tuple[int, float]:
    """Return the column of A (unit norm) that leaves least of b beside those kept, and its square."""
    Q = np.linalg.qr(A[:, kept])[0]
    left = b - Q @ (Q.T @ b)
    square = 1 - np.sum((Q.T @ A) ** 2, axis=0)
    gain = np.where(square > SPANNED**2, (left @ A) ** 2 / np.maximum(square, TINY), -1.0)
    gain[kept] = -1.0
    j = int(np.argmax(gain))
    return j, float(left @ left - gain[j])

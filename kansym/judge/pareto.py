"""The accuracy–simplicity front, and the rules that pick one formula from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kansym.base.errors import UnknownNameError

Item = TypeVar("Item")

RULES = ("description", "best", "accuracy", "score")
"""Names of the selection rules; "description" is ours, the others are PySR's."""

NATS_DIGITS = 6
"""Digits of a description length in nats: beyond them is round-off."""

ALIKE = 0.7
"""Nats by which descriptions may differ and say as much: odds of two to one are no evidence against the
simpler law ("not worth more than a bare mention": Kass and Raftery, JASA 90, 1995)."""

BETTER = 2.0
"""Nats by which a simpler law may be longer that is closer, too, on the rows and on those left out: then only
how often people write the two speaks against it, which is known no better than by a factor of several."""

FEWER = 3
"""Symbols that a law of as many measured numbers must lack to be simpler: x**20.8/(x**20.8 + c) has two fewer
than 1/(1 + c*exp(-k*x))."""

FORETELLS = 3.0
"""How many times the squares of the shortest one a simpler law may leave on rows left out and say as much: of
nine rows of a grown pasture a line is 0.6 nats behind half a bell, and misses left-out rows by 14 times."""


def front(
    items: Sequence[Item],
    complexity: Callable[[Item], float],
    loss: Callable[[Item], float],
    floor: float = 0.0,
) -> list[Item]:
    """Return the non-dominated items by rising complexity; losses below `floor` count as equal.

    >>> front([(1, 5.0), (3, 1.0), (2, 6.0), (4, 1.0)], lambda t: t[0], lambda t: t[1])
    [(1, 5.0), (3, 1.0)]
    """
    kept: list[Item] = []
    best = math.inf
    for item in sorted(items, key=lambda i: (complexity(i), max(loss(i), floor))):
        value = max(loss(item), floor)
        if value < best:
            kept.append(item)
            best = value
    return kept


def scores(complexities: Sequence[float], losses: Sequence[float]) -> list[float]:
    """Return PySR's score per row: -ln(loss_i / loss_k) / (c_i - c_k), k the last row that nothing beat.

    The first is 0, and so is every row that something before it is as close as. A loss of 0 scores infinity.

    >>> scores([1, 3, 3], [1.0, 0.1353352832366127, 0.5])
    [0.0, 1.0, 0.0]
    """
    out = [0.0] if len(losses) else []
    last = 0
    for i in range(1, len(losses)):
        if losses[i] >= losses[last] or losses[last] <= 0:
            out.append(0.0)
            continue
        if losses[i] <= 0:
            out.append(math.inf)
        else:
            out.append(math.log(losses[last] / losses[i]) / max(complexities[i] - complexities[last], 1))
        last = i
    return out


@dataclass(frozen=True, slots=True)
class Row:
    """Hold what a rule asks of one formula: its loss, size, description length in nats, and more.

    `heldout` is its loss on rows left out, `numbers` how many measured numbers it has; where nobody counted
    them they decide nothing.
    """

    loss: float
    size: float
    length: float
    heldout: float = 0.0
    numbers: int = 0


def choose(rows: Sequence[Row], rule: str) -> int:
    """Return the index of the row that a rule picks.

    "description": smallest description length, the simplest of those that are ALIKE and foretell as well.
    "accuracy": smallest loss. "score": largest score.
    "best": largest score among losses up to 1.5 times the smallest. Raises UnknownNameError.
    """
    if rule not in RULES:
        raise UnknownNameError("selection rule", rule, RULES)
    indices = range(len(rows))
    if rule == "description":
        shortest = min(rows, key=lambda row: (round(row.length, NATS_DIGITS), row.size))
        alike = [i for i in indices if rows[i] is shortest or _as_good(rows[i], shortest)]
        return min(alike, key=lambda i: (rows[i].size, round(rows[i].length, NATS_DIGITS), i))
    if rule == "accuracy":
        return min(indices, key=lambda i: (rows[i].loss, i))
    score = scores([row.size for row in rows], [row.loss for row in rows])
    limit = math.inf if rule == "score" else 1.5 * min(row.loss for row in rows)
    return max((i for i in indices if rows[i].loss <= limit), key=lambda i: (score[i], -i))


def _as_good(row: Row, shortest: Row) -> bool:
    """Tell whether a simpler formula says as much as the shortest one and foretells nearly as well."""
    closer = row.loss <= shortest.loss and row.heldout <= shortest.heldout
    fewer = 1 if closer or row.numbers < shortest.numbers else FEWER
    within = BETTER if closer else ALIKE
    simpler = row.size <= shortest.size - fewer and row.length <= shortest.length + within
    return simpler and not row.heldout > FORETELLS * shortest.heldout

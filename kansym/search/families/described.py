"""A fitted form of one input or more: which columns it is fitted to, and its description length in nats."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.search.families.projection import Fitted, Rows, written

FAMILY_PRICE = 4.5
"""Nats for naming one family of some eighty; what people write more often costs less."""

CONSTANT_PRICE = 1.5
"""Nats that a constant costs beyond log(n)/2."""

NODE_PRICE = 0.5
"""Nats for a symbol of a family's formula: little, as the family has a name."""

EXACT, ROWS_A_CONSTANT = 1e-24, 3
"""Share of the target's square that a proved fit leaves at most, and the rows it has for each constant."""

WORK = 0.1
"""Units of work of one family (see `base.budget`)."""

AFTERWARDS = 12
"""Looks after the first that proved a curve."""

FLOOR = 1e-28
"""Share of the target's square below which a misfit is round-off."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Hold a fitted family with the columns it is fitted to and its length in nats."""

    fitted: Fitted
    columns: tuple[int, ...]
    length: float

    def expression(self, inputs: Sequence[sympy.Symbol]) -> sympy.Expr:
        """Return the formula over a table's columns."""
        return written(self.fitted.form, self.fitted.theta, [inputs[j] for j in self.columns])


def length(fitted: Fitted, rows: Rows) -> float:
    """Return the description length in nats: misfit, constants, symbols, and the family's name.

    Few rows are paid for as Akaike's criterion is corrected (Hurvich and Tsai, Biometrika 76, 1989).
    """
    n, k = len(rows.y), len(fitted.theta)
    floor = FLOOR * float(np.sum((rows.w * rows.y) ** 2)) / n
    misfit = criterion.misfit_length(fitted.cost / fitted.rows, n, k, floor)
    few = (k + 1) * (k + 2) / (n - k - 2) if n > k + 2 else math.inf
    symbols_price = NODE_PRICE * sum(1 for _ in sympy.preorder_traversal(fitted.form.formula))
    name_price = FAMILY_PRICE - math.log(fitted.form.common)
    return misfit + few + k * (CONSTANT_PRICE + 0.5 * math.log(n)) + symbols_price + name_price


def until_proved(looks: Iterable[Callable[[], list[Fit]]], rows: Rows, budget: Budget) -> list[Fit]:
    """Return what looks find while the budget lasts; some AFTERWARDS more when one has proved a curve.

    The first that is proved is not always the plainest, but plainer ones of its kind follow soon.
    """
    found: list[Fit] = []
    left = math.inf
    for look in looks:
        if budget.exhausted or left <= 0:
            break
        budget.spend(WORK)
        new = look()
        found += new
        left = min(left - 1, AFTERWARDS if any(proved(f, rows) for f in new) else math.inf)
    return found


def proved(found: Fit, rows: Rows) -> bool:
    """Tell whether a fit leaves round-off only, on so many rows that none of its kind would by chance."""
    total = float(np.sum((rows.w * rows.y) ** 2)) * found.fitted.rows / len(rows.y)
    return found.fitted.cost <= EXACT * total and len(rows.y) >= ROWS_A_CONSTANT * len(found.fitted.theta)

"""What the items of the tree cost in work, as measured; work is counted so, and not in seconds."""

from __future__ import annotations

from collections.abc import Sequence

from kansym.search.structure.models import Fit
from kansym.search.structure.problem import FEW_ROWS, Problem
from kansym.search.tree import parts

QUICK, DEEP = 9.5, 50.0
"""Units of work (about half a second each) of a quick look at a table, and of a deep one."""

OF_THE_TABLE = 0.7
"""Price of the look for a rate in the table itself, of few columns: of five it takes half of a quick look."""

MATCH, MATCH_OF_CLEAN, MATCH_OF_LEFT = 2.5, 1.2, 1.1
"""Price of a look at all functions of the library, seconds where in vain, of a clean curve, and of one that
moves have left of several columns: what its ridge does not name is no elementary function."""

NAME, CURVE_OF_SEVERAL = 0.05, 2.0
"""Work of fitting the constants of one name of a fit, some 25 ms, and of looking for the names of one of a
fit's several curves, which takes seconds where it has none."""

UNITS = {
    "transform": 0.12,
    "ridge": 0.6,
    "powers": 0.4,
    "sums": 4.0,
    "handbook": 3.0,
    "modes": 0.4,
    "chain": 0.4,
    "match": 3.0,
    "learn": 1.0,
    "any_power": 0.15,
    "neighbours": 0.1,
    "product": 0.01,
    "products": 0.2,
    "powers_of_products": 0.6,
    "two_regimes": 0.1,
    "two_decays": 0.1,
    "angles": 0.15,
}
"""Work of one item."""

PLAIN = 0.03
"""Work of those not named there, which take some 15 ms."""

PER_SQUARE = {
    "reduce": 0.016,
    "angles_of_two": 0.06,
    "any_rate": 0.14,
    "in_noise": 0.09,
    "one_function": 0.015,
    "two_functions": 0.15,
    "mean": 0.1,
}
"""Work of an item for each pair of its problem's columns, as measured for one to six."""

OF_FEW_ROWS = 0.3
"""Share of that work for some 100 rows: of seven laws 0.15 s a unit that is charged for a thousand."""

ANY_ROWS = ("any_rate", "any_power", "two_functions", "bend", "chain", "ridge", "handbook", "modes", "match")
"""Items that take as long however few the rows are, since they look by steps or in many places."""

FEWEST_ROWS = 30
"""Rows from which a look costs less the fewer they are: with fewer smooth fits tell nothing."""


def work(name: str, problem: Problem) -> float:
    """Return the units of work of one solver's look at a problem of so many columns and rows."""
    few = FEWEST_ROWS <= len(problem.fit) < FEW_ROWS and name not in ANY_ROWS
    share = OF_FEW_ROWS if few else 1.0
    return share * (UNITS.get(name, PLAIN) + PER_SQUARE.get(name, 0.0) * problem.width**2)


def naming(fits: Sequence[Fit], names: float) -> float:
    """Return the units of work of naming fits, so many `names` of which were fitted."""
    curves = sum(fit.problem.width for fit in fits if fit.source in parts.SOURCES)
    return NAME * names + CURVE_OF_SEVERAL * curves

"""What a producer hands over: a formula or a graph, and how well it held on rows it did not see."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from kansym.functions.graph import Graph


@dataclass(frozen=True, eq=False)
class Candidate:
    """Hold one proposal: an expression over the columns' symbols, or a graph still to be snapped.

    `score` is the residual share 1 − R² on held-out rows, in the original y; smaller is better. One with
    neither may say that the rows show clear `noise`, so that no formula of them is exact, or that no later
    candidate leaves a share smaller than `least`.
    """

    score: float
    source: str
    expression: sympy.Expr | None = None
    graph: Graph | None = None
    noise: bool = False
    least: float = 0.0

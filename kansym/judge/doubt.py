"""How much surer a chosen formula looks than it is: the band of a choice among many."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kansym.formula.polish import Rows
from kansym.judge.scorer import Judged

RIVAL_NATS = 8.0
"""Formulas that need so many nats more than the chosen one weigh less than 1/3000 of it, and are left out."""

ALIKE = 0.05
"""Share of the residual SD within which two formulas' values are those of one formula, written twice."""


def doubt(law: Judged, others: Sequence[Judged], rows: Rows) -> float:
    """Return the factor (1 or more) by which a new row's variance grows as the law was chosen among others.

    The mean of all formulas' variances and of their squared distances from the law's values on the rows, each
    formula weighed by exp(-its nats) (Bayesian model averaging: Hoeting and others, Statistical Science 14,
    1999), over the law's own variance. Of formulas that agree on the rows the first one counts.
    """
    own, variance = _values(law, rows), _variance(law, rows)
    shown, total, weights = [own], variance, 1.0
    for other in sorted(others, key=lambda o: o.length):
        if other.length > law.length + RIVAL_NATS or not math.isfinite(variance) or variance <= rows.floor:
            break
        values = _values(other, rows)
        apart = [float(np.mean((values - before) ** 2)) for before in shown]
        if not np.all(np.isfinite(values)) or min(apart) < ALIKE**2 * variance:
            continue
        shown.append(values)
        weight = math.exp(law.length - other.length)
        total += weight * (_variance(other, rows) + apart[0])
        weights += weight
    return max(total / weights / max(variance, np.finfo(float).tiny), 1.0)


def _values(law: Judged, rows: Rows) -> np.ndarray:
    """Return how far a law's values are from the rows, as they weigh."""
    return rows.off(law.polished.program.value(rows.X, law.polished.theta))


def _variance(law: Judged, rows: Rows) -> float:
    """Return the noise variance that a law's loss shows on the rows."""
    return rows.variance(law.loss, len(law.polished.theta))

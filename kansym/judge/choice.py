"""How well the choice itself predicts: each row by the formula that would be chosen without it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kansym.base import criterion
from kansym.judge.scorer import DECIDES, Judged, leverages, residuals, without
from kansym.judge.trial import Trial

NEAR = 15.0
"""Nats behind the chosen formula from which one row less makes no formula the chosen one."""

MOST = 12
"""Formulas among which is chosen again, the nearest: each costs some milliseconds."""


def decided(law: Judged, trial: Trial) -> bool:
    """Tell whether a row decides a constant of a formula, its exact numbers freed."""
    return bool(np.any(leverages(law.polished, trial.train)[0] > DECIDES))


def heldout(law: Judged, others: Sequence[Judged], trial: Trial) -> float:
    """Return the mean square that rows left out in turn are off by, the choice made again without each.

    Without row i a formula's squares sum up to RSS - r_i²/(1 - h_i), h the hat matrix's diagonal; its
    description length follows, and the shortest one predicts the row, off by r_i/(1 - h_i). (Cross-validation
    of the whole procedure: Stone, JRSS B 36, 1974.) Where a row decides a constant the
    formula is fitted anew without it.
    """
    rows = trial.train
    n, lengths, alone = len(rows.y), [], []
    near = sorted((o for o in others if o.length < law.length + NEAR), key=lambda o: o.length)
    for other in [law, *near[:MOST]]:
        r, known = residuals(other.polished, rows), len(other.polished.theta)
        if not np.all(np.isfinite(r)):
            continue
        leverage, _ = leverages(other.polished, rows)
        losses = np.maximum(np.sum(r * r) - r * r / (1 - leverage), 0.0) / (n - 1)
        off = r / (1 - leverage)
        for i in np.flatnonzero(leverage > DECIDES):
            losses[i], alone_there = without(other.polished, rows, int(i))
            off[i] = alone_there if math.isfinite(alone_there) else r[i]
        own = criterion.misfit_length(other.loss, n, known, rows.floor, trial.sigma2)
        left = [criterion.misfit_length(x, n - 1, known, rows.floor, trial.sigma2) for x in losses]
        lengths.append(np.array(left) + other.length - own)
        alone.append(off)
    first = np.argmin(lengths, axis=0)
    return float(np.mean(np.array(alone)[first, np.arange(n)] ** 2))

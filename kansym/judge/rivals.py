"""Formulas that the rows hardly tell from the chosen one, and where a measurement would."""

from __future__ import annotations

import math

import numpy as np

from kansym.base.errors import placed
from kansym.formula.grammar import form
from kansym.judge.archive import Archive
from kansym.judge.scorer import Judged, exact

RIVAL_NATS = 6.0
"""Formulas within this many nats of the chosen one are its rivals: the data hardly prefer either."""

ABOUT_AS_WELL = 2.5
"""Times the chosen one's mean square that a rival leaves at most: one that needs as few nats because it is
shorter, and is off by more, does not fit the rows as well."""

MOST_RIVALS = 5
"""Rivals that are shown: a person compares no more."""

POINTS = 400
"""Points at which rivals are compared."""


def rivals(archive: Archive, leader: Judged, X: np.ndarray) -> list[tuple[Judged, str]]:
    """Return formulas of nearly the leader's description length that part from it about rows X, and where.

    Where it is exact, others that are exact, too, however long. A measurement at the point that each names
    would decide between the two.
    """
    trial = archive.trial
    points = around(X)
    mine = leader.polished.program.value(points, leader.polished.theta)
    spread, noise = math.sqrt(trial.power), math.sqrt(max(leader.loss, trial.train.floor))
    found: list[tuple[Judged, str]] = []
    proved, most = exact(leader, trial), ABOUT_AS_WELL * max(leader.loss, trial.train.floor)
    near = [
        law
        for law in (*archive.candidates, *archive.others)
        if (exact(law, trial) if proved else law.length < leader.length + RIVAL_NATS and law.loss <= most)
    ]
    # the same form with constants that differ within their errors is the same answer
    forms, shown = {form(leader.expression)}, [mine]
    least = max(3 * noise, 1e-6 * spread)
    for law in sorted(near, key=lambda law: law.length):
        if (own := form(law.expression)) in forms or len(found) == MOST_RIVALS:
            continue
        values = law.polished.program.value(points, law.polished.theta)
        gaps = [np.where(np.isfinite(values - other), np.abs(values - other), -1.0) for other in shown]
        if min(gap.max() for gap in gaps) > least:
            gap, worst = gaps[0].max(), int(np.argmax(gaps[0]))
            forms.add(own)
            shown.append(values)
            where = placed(trial.names, points[worst])
            found.append((law, f"differs from the chosen law by {gap:.3g} at {where}"))
    return found


def around(X: np.ndarray) -> np.ndarray:
    """Return points (POINTS, columns) of the ranges of X made half as wide again.

    A column that is never negative stays so: beyond nought lie poles that no measurement can meet.
    """
    low, high = X.min(0), X.max(0)
    room = 0.25 * (high - low)
    bottom = np.where(low < 0, low - room, np.maximum(low - room, 0.0))
    return np.random.default_rng(0).uniform(bottom, high + room, (POINTS, len(low)))

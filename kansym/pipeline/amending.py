"""The best formulas, changed (see `search.amendments`) where what they leave shows structure."""

from __future__ import annotations

from kansym.base.budget import Budget
from kansym.judge.archive import Archive
from kansym.judge.ending import LEAST_ROWS, Ending
from kansym.pipeline.checkpoint import Memory
from kansym.pipeline.proposals import take_in, unique
from kansym.search import registry
from kansym.search.amendments import amended
from kansym.search.producer import Producer

SOURCE = "amended"

AFTER = (registry.RIDGES, registry.TRANSFORMED, registry.STRUCTURE, registry.SEPARABLE, registry.PADE)
"""Looks after which formulas are changed: before, the best one's place is often taken within a second."""

MISSED = 1e-3
"""Share of the target's variance that a formula must leave to be changed: a closer one that is not the law
shows its trend, and smoothed or calculated values leave structure that is no part of any law."""

ENOUGH = 0.5
"""Share of that below which a changed formula is not changed again."""

SHORT = 0.3
"""Share of the largest complexity up to which another formula than the best is changed, too: what is long is
hard to change."""


def amend(
    producer: Producer, archive: Archive, ending: Ending, budget: Budget, memory: Memory, tried: set[str]
) -> None:
    """Judge changes of the best formula found, and of the best short one, while more than noise is left."""
    trial = archive.trial
    if (
        producer not in AFTER
        or len(trial.names) < 2
        or trial.rows < LEAST_ROWS
        or trial.dimensions is not None
    ):
        return
    if archive.leader is None or archive.leader.loss < MISSED * trial.power or ending.quiet:
        return
    found = sorted((m for m in archive.candidates if m.source != SOURCE), key=lambda m: m.length)
    short = [m for m in found if m.complexity <= SHORT * archive.maxsize]
    for law in dict.fromkeys((*found[:1], *short[:1])):
        if law in ending.amended:
            continue
        if ending.proved() or ending.only_noise_left() or budget.exhausted:
            return
        ending.amended.append(law)
        enough = ENOUGH * MISSED * trial.power
        changed = amended(law.unrounded.expression, trial.small, archive.maxsize, budget, enough)
        for formula in unique((f for f in changed if trial.language.permits(f)), tried):
            take_in(formula, SOURCE, archive, budget, memory, SOURCE)

"""What is done with the formulas found, before another search: other rows, other weights, simpler limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kansym.base.interrupts import shielded
from kansym.base.losses import Loss
from kansym.formula.limits import limits, without_terms
from kansym.formula.polish import Polished, polish
from kansym.judge.archive import Archive
from kansym.judge.noise import KINDS, NoiseModel
from kansym.judge.refine import NEAR, refine
from kansym.judge.scorer import Judged, exact
from kansym.judge.survey import Survey, again

MOST_ROWS = 2000
"""Rows that a formula is fitted to once more to see which are off."""

ABSOLUTE = Loss.of("absolute")


def looked_again(surveyed: Survey, archive: Archive, noise: str, robust: str) -> Survey | None:
    """Return the survey that the best formula's residuals suggest, where they show what no trend could."""
    law = archive.leader
    if law is None or not law.expression.free_symbols or law.loss <= archive.trial.train.resolution:
        return None
    if exact(law, archive.trial):
        return None
    # rows that are off draw a least-squares fit to themselves: the absolute loss leaves them where they are
    sample = archive.trial.rows_of(surveyed.whole.subsample(MOST_ROWS))
    fitted = polish(law.unrounded.expression, replace(sample, penalty=ABSOLUTE)) or law.polished
    values = fitted.program.value(surveyed.whole.X, fitted.theta)
    return again(surveyed, values, noise, robust, _by_kind(fitted, values, surveyed, archive))


def _by_kind(law: Polished, values: np.ndarray, surveyed: Survey, archive: Archive) -> dict[str, np.ndarray]:
    """Return the law's values on all rows, fitted with the weights that each kind of noise would give."""
    if surveyed.whole.weights is not None or not np.all(np.isfinite(values)):
        return dict.fromkeys(KINDS, values)
    kept, out = np.flatnonzero(surveyed.kept), {}
    for kind in KINDS:
        variance = NoiseModel(kind, 1.0, middle=float(np.median(np.abs(values))) or 1.0).variance(values)
        weighed = replace(surveyed.whole, weights=1 / variance).take(kept).subsample(MOST_ROWS)
        fitted = polish(law.expression, archive.trial.rows_of(weighed)) or law
        found = fitted.program.value(surveyed.whole.X, fitted.theta)
        out[kind] = found if np.all(np.isfinite(found)) else values
    return out


def rejudge(earlier: Archive, archive: Archive) -> None:
    """Add the formulas found so far, fitted to the rows and weights of another archive's trial."""
    with shielded():
        for old in sorted(earlier.best.values(), key=lambda law: law.length):
            for law in refine(old.unrounded.expression, archive.trial, old.source, maxsize=archive.maxsize):
                archive.add(law)


def take_limits(archive: Archive) -> None:
    """Add what the best formulas come near to where a function's argument stays small: tanh(u) may be u."""
    trial = archive.trial
    lead = archive.leader
    if lead is None:
        return
    # an exact law may hold a straight line as a wave of a thousand years
    near = (
        [lead]
        if exact(lead, trial)
        else [law for law in archive.best.values() if law.length < archive.shortest + NEAR]
    )
    for law in near:
        for form in limits(law.unrounded.expression):
            for simpler in refine(
                form, trial, law.source, maxsize=archive.maxsize, shortest=archive.shortest
            ):
                archive.add(simpler)
    while (lead := archive.leader) is not None and exact(lead, trial) and _thinned(lead, archive):
        pass


def _thinned(law: Judged, archive: Archive) -> bool:
    """Add exact laws that lack a term of an exact law; tell whether one is the best now.

    A rate that a search met to six digits leaves terms that make up for the rest.
    """
    for form in without_terms(law.unrounded.expression):
        for simpler in refine(
            form, archive.trial, law.source, maxsize=archive.maxsize, shortest=archive.shortest
        ):
            if exact(simpler, archive.trial):
                archive.add(simpler)
        if archive.leader is not law:
            return True
    return False

"""What is done with the formulas found, before another search: other rows, other weights, simpler limits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from kansym.base import criterion
from kansym.base.interrupts import shielded
from kansym.base.losses import Loss
from kansym.formula.limits import limits, without_terms
from kansym.formula.polish import Polished, Rows, polish
from kansym.judge import between
from kansym.judge.archive import Archive
from kansym.judge.kinds import KINDS, NoiseModel, possible
from kansym.judge.noise import Explained, likelihood
from kansym.judge.refine import NEAR, refine
from kansym.judge.scorer import FAULT, Judged, exact, judge, price
from kansym.judge.survey import Survey, again
from kansym.judge.trial import Trial

MOST_ROWS = 2000
"""Rows that a formula is fitted to once more to see which are off."""

RIVALS, FITTED = 40, 16
"""The shortest formulas so far that are asked how well they explain the rows if the noise grows with the
value, and those of them that are fitted anew for it."""

HOPEFUL = 12.0
"""Nats behind the best, before it is fitted anew, within which a formula is."""

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
    kinds = _by_kind(fitted, values, surveyed, archive)
    return again(surveyed, values, noise, robust, kinds, len(fitted.theta))


def _by_kind(law: Polished, values: np.ndarray, surveyed: Survey, archive: Archive) -> dict[str, Explained]:
    """Return by kind of noise the law that explains all rows best, fitted with the weights of that kind.

    Beside the leader those are asked that would lead if the noise were of that kind: where it grows with the
    value, another law may be the right one.
    """
    whole, trial = surveyed.whole, archive.trial
    if whole.weights is not None or not np.all(np.isfinite(values)):
        return dict.fromkeys(KINDS, Explained(values))
    known = {r.expression: r for r in (*archive.candidates, *archive.others)}
    shortest = sorted(known.values(), key=lambda r: r.length)[:RIVALS]
    rivals = [(r.polished, _needed(r.polished, trial, bool(r.fault))) for r in shortest]
    rivals = [(law, rivals[0][1]), *rivals]
    middle = float(np.median(np.abs(values))) or 1.0
    kinds = [kind for kind in KINDS if possible(kind, whole.y)]
    rough = {kind: [_left(kind, rival, trial.small) + nats for rival, nats in rivals] for kind in kinds}
    within, out = min(map(min, rough.values())) + HOPEFUL, {}
    for kind in kinds:
        noise = NoiseModel(kind, 1.0, middle=middle)
        found: list[tuple[float, Explained]] = []
        for k in np.argsort(rough[kind], kind="stable")[:FITTED]:
            if found and rough[kind][k] > within:
                break
            rival = rivals[k][0]
            fitted, weighed = _with_weights_of(noise, rival, trial)
            on_all = fitted.program.value(whole.X, fitted.theta)
            if np.all(np.isfinite(on_all)):
                nats = _needed(fitted, weighed, _faulty(fitted, weighed))
                told = Explained(on_all, nats, len(fitted.theta))
                found.append((_left(kind, fitted, trial.small) + nats, told))
        out[kind] = min(found, key=lambda f: f[0])[1] if found else Explained(values, rivals[0][1])
    return out


def _with_weights_of(noise: NoiseModel, law: Polished, trial: Trial) -> tuple[Polished, Trial]:
    """Return a law fitted with the weights of a kind of noise, and the trial with them.

    Weights by what the law said before would be at odds with the kind: it may be far off where the noise is
    small. So rows weigh by the target first, and then by the law that comes of it.
    """
    first = law
    for expected in (None, law):
        weighed = trial.weighed(noise, expected and first)
        first = polish(first.expression, weighed.train, 20, first.fixed) or first
    return first, weighed


def _needed(law: Polished, trial: Trial, faulty: bool) -> float:
    """Return the nats of a law beside those of what it leaves, on rows left out too.

    A kind of noise is asked of all rows: that the few which weigh most decide a fit tells against the fit.
    """
    known = criterion.misfit_length(1.0, trial.rows, len(law.theta))
    return price(law, trial) + known + (FAULT if faulty else 0.0)


def _faulty(law: Polished, trial: Trial) -> bool:
    """Tell whether something is wrong with a law between the rows; what it predicts is asked only then."""
    return bool(between.fault(law, trial.gaps, trial.train)) and bool(judge(law, law, trial, "").fault)


def _left(kind: str, law: Polished, rows: Rows) -> float:
    """Return the nats of what a law leaves under a kind of noise."""
    found = law.program.value(rows.X, law.theta)
    return likelihood(kind, rows.y, found)[0] if np.all(np.isfinite(found)) else math.inf


def only_more(before: Survey, after: Survey, archive: Archive) -> bool:
    """Tell whether rows only came back, which cost the best formula too little for another to lead now.

    What they cost the best one is the most that another gains on it, and those so near were judged again.
    """
    law, whole = archive.leader, after.whole
    back = after.kept & ~before.kept
    if law is None or before.noise.kind != after.noise.kind or before.noise.heavy != after.noise.heavy:
        return False
    if not back.any() or (before.kept & ~after.kept).any():
        return False
    values = law.polished.program.value(whole.X, law.polished.theta)
    squares = after.noise.apart(whole.y, values) ** 2 * (1.0 if whole.weights is None else whole.weights)
    usual = float(np.mean(squares[before.kept]))
    return bool(float(np.sum(squares[back])) < 2 * HOPEFUL * usual)


def rejudge(earlier: Archive, archive: Archive) -> None:
    """Add the formulas found so far, fitted to the rows and weights of another archive's trial.

    Those that lead at some size, and all near the shortest: on other rows another of one size may lead. As in
    a search, constants are made nice only where that could bring a formula near the shortest.
    """
    near = (law for law in earlier.others if law.length < earlier.shortest + HOPEFUL)
    forms = {law.unrounded.expression: law for law in (*near, *earlier.best.values())}
    with shielded():
        for old in sorted(forms.values(), key=lambda law: law.length):
            found = old.unrounded.expression
            for law in refine(
                found, archive.trial, old.source, maxsize=archive.maxsize, shortest=archive.shortest
            ):
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

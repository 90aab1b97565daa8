"""What is done with the formulas found, before another search: other rows, other weights, simpler limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kansym.base.interrupts import shielded
from kansym.base.losses import Loss
from kansym.formula.limits import limits
from kansym.formula.polish import Polished, polish
from kansym.judge.archive import Archive
from kansym.judge.noise import ENOUGH_ABOUT_A_LAW, KINDS, NoiseModel, likelihood
from kansym.judge.refine import NEAR, refine
from kansym.judge.scorer import Judged, exact, price
from kansym.judge.survey import Survey, again

MOST_ROWS = 2000
"""Rows that a formula is fitted to once more to see which are off."""

RIVAL_NATS, MOST_RIVALS = 10.0, 4
"""Nats behind the best formula, and formulas, that are asked about the noise, too: of eight rows of 2 % noise
least squares see little, and the formula that is best with all rows alike is a wrong one."""

ABSOLUTE = Loss.of("absolute")


def looked_again(surveyed: Survey, archive: Archive, noise: str, robust: str) -> Survey | None:
    """Return the survey that the best formulas' residuals suggest, where they show what no trend could."""
    law = archive.leader
    if law is None or not law.expression.free_symbols or exact(law, archive.trial):
        return None
    near = [] if noise != "auto" else sorted(archive.candidates, key=lambda other: other.length)
    near = [
        o for o in near if o is not law and o.length < law.length + RIVAL_NATS and o.expression.free_symbols
    ]
    told = [_Told.of(o, surveyed, archive) for o in [law, *near[:MOST_RIVALS]]]
    best = told[0]
    now = surveyed.noise.kind if surveyed.noise.kind in KINDS else KINDS[0]
    likeliest = min(told, key=lambda t: min(t.nats.values()))
    if min(likeliest.nats.values()) < min(t.nats[now] for t in told) - ENOUGH_ABOUT_A_LAW:
        best = likeliest
    elif surveyed.whole.weights is None:  # the kind stays
        best = replace(best, fits=dict.fromkeys([now], best.values))
    return again(surveyed, best.values, noise, robust, best.fits)


@dataclass(frozen=True, eq=False)
class _Told:
    """Hold what one formula says of the noise: its values (n,) by the absolute loss, those fitted with the
    weights of each kind, and the nats that the rows and the formula need under each.
    """

    values: np.ndarray
    fits: dict[str, np.ndarray]
    nats: dict[str, float]

    @staticmethod
    def of(law: Judged, surveyed: Survey, archive: Archive) -> _Told:
        # rows that are off draw a least-squares fit to themselves: the absolute loss lets them lie
        sample = archive.trial.rows_of(surveyed.whole.subsample(MOST_ROWS))
        fitted = polish(law.unrounded.expression, replace(sample, penalty=ABSOLUTE)) or law.polished
        values = fitted.program.value(surveyed.whole.X, fitted.theta)
        fits = _by_kind(fitted, values, surveyed, archive)
        if not np.all(np.isfinite(values)):
            return _Told(values, fits, dict.fromkeys(KINDS, np.inf))
        own, y, kept = price(law.polished, archive.trial), surveyed.whole.y, surveyed.kept
        nats = {kind: own + likelihood(kind, y[kept], v[kept])[0] for kind, v in fits.items()}
        return _Told(values, fits, nats)


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
    if archive.leader is None or exact(archive.leader, trial):
        return
    near = [law for law in archive.best.values() if law.length < archive.shortest + NEAR]
    for law in near:
        for form in limits(law.unrounded.expression):
            for simpler in refine(
                form, trial, law.source, maxsize=archive.maxsize, shortest=archive.shortest
            ):
                archive.add(simpler)

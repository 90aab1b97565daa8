"""What a run says of its table: a law, structure without a law, or nothing but noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.base import criterion, storage
from kansym.base.weights import roots
from kansym.judge import chance
from kansym.judge.correlation import Correlation, correlation
from kansym.judge.survey import Survey

LAW, STRUCTURE, NOISE, NONE = "law", "structure", "noise", "unsaid"

NAMES = {
    LAW: "a law",
    STRUCTURE: "structure, but no law found",
    NOISE: "nothing but noise",
    NONE: "not judged",
}

CERTAIN = 40.0
"""Nats that a formula must save over a constant to be a law where no test sees structure: a choice among a
million formulas wins 14 nats by luck, constants fitted to noise half a nat each."""

LIKELY, SUSPECTED = 5.0, 0.01
"""Nats that are enough where shuffled rows look as structured in at most this share of cases. 14 rows of
Ricker's curve with 12 % noise save 6, at a chance of 0.005; 32 rounded rows of noise in six columns saved
more than 5, at a chance of 0.045."""

FORETELLS, FORETOLD = 12.0, 0.9
"""Nats that are enough, too, where each row left out in turn is foretold to this share of the variance: what
luck, or a row far out, makes of noise is not. Twelve rows of two springs show no test structure (1.8 in a
hundred), and 0.245*x*[a] + 0.414*x*[b] leaves a two-thousandth."""

FALLS_SHORT = 2.0
"""Factor by which a law's mean square on rows not fitted must exceed a smooth trend's before it counts as
no law."""

SMOOTHER = 0.25
"""Share of the steps from row to row that a smooth trend must be off by on rows left out to be no drift: of a
random walk the mean of its two neighbours is off by half the mean square of a step."""

UNCORRELATED = 0.05
"""Chance of what a formula leaves, by correlation of neighbours and by structure, above which its rows do not
drift. Of 360 autoregressive series of 50 to 200 rows no line or parabola leaves that; of lines with noise
about them that a drift described as well (50 rows, like braking distances by speed), 19 in 20 do."""


@dataclass(frozen=True)
class Fit:
    """Describe a formula to the verdict: its values (n,), constants, description length, mean squares.

    `saved` are the nats that it saves over the best constant; `price` those of the formula alone; `within`
    tells whether stated errors explain all that it leaves; `foretold` is the share of the variance of rows
    left out in turn that it explains (0 where other rows are held out); `flat` is the best constant.
    """

    values: np.ndarray
    constant: bool
    exact: bool
    heldout: float
    saved: float
    price: float
    within: bool = False
    foretold: float = 0.0
    flat: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """Hold the verdict with its evidence.

    `kind` is "law", "structure" or "noise" ("unsaid" where a search was cut off). `chance`: how often
    shuffled rows look as structured as these; `test` saw most. `left`: the same of what the chosen formula
    leaves; `left_test` likewise. `correlation`: of neighbouring rows' residuals, `along` what they were
    ordered by. `reason` is a sentence.
    """

    kind: str
    reason: str
    chance: float = 1.0
    test: str = ""
    left: float = 1.0
    left_test: str = ""
    correlation: float = 0.0
    along: str = ""

    @property
    def name(self) -> str:
        """Return the verdict in words."""
        return NAMES[self.kind]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the report."""
        return {**self.__dict__, "name": self.name}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Verdict:
        """Return what :meth:`to_dict` described."""
        return storage.record(Verdict, data)


UNSAID = Verdict(NONE, "")


def verdict(survey: Survey, fit: Fit, seed: int = 0) -> Verdict:
    """Return the verdict on a formula's fit to the surveyed rows.

    A law is proved exact, or leaves only noise of rows that are not noise themselves, or says so much that
    no luck explains it. Where a smooth trend does much better and structure is left, the formula is no law.
    """
    rows, seen = survey.dataset, survey.chance
    root = roots(rows.weights, rows.rows)
    r = (rows.y - fit.values) * root
    if fit.exact:
        return Verdict(LAW, "it is exact to round-off", seen.pvalue, seen.test)
    left = chance.structure(rows.X, r, seed)
    linked = correlation(rows.X, r, rows.names, seed)
    evidence = (seen.pvalue, seen.test, left.pvalue, left.test, linked.lag, linked.along)
    lucky = of_one_row(rows.y, fit.flat, fit.values, root) if survey.noise.heavy else 0.0
    if not more_than_noise(seen, fit.saved - lucky, fit.foretold):
        return Verdict(NOISE, _luck(seen.pvalue), *evidence)
    independent = linked.luck > UNCORRELATED and left.pvalue > UNCORRELATED
    if (fit.constant or not independent) and _drifts(survey, fit, linked, seed):
        return Verdict(NOISE, "its rows drift: each is like the one before it, and no more", *evidence)
    if fit.constant:
        return Verdict(
            STRUCTURE, f"the rows are not noise ({seen.test}), but no formula holds them", *evidence
        )
    if left.seen and not linked.explains and fit.heldout > FALLS_SHORT * survey.trend_loss:
        return Verdict(
            STRUCTURE, f"there is still structure in what the best formula leaves ({left.test})", *evidence
        )
    rest = "what it leaves is no more than the stated errors" if fit.within else _rest(left, linked)
    return Verdict(LAW, rest, *evidence)


def more_than_noise(seen: chance.Chance, saved: float, foretold: float = 0.0) -> bool:
    """Tell whether a table is more than noise: its rows show structure, or a formula saves so many nats."""
    enough = FORETELLS if foretold >= FORETOLD else CERTAIN
    return seen.seen or saved >= (LIKELY if seen.pvalue <= SUSPECTED else enough)


def of_one_row(y: np.ndarray, flat: float, values: np.ndarray, root: np.ndarray) -> float:
    """Return the nats of what `values` save over a constant that the one row does which does the most.

    n/2·log(A/B) less that without a row, A and B the squares that are left, with the roots of the rows'
    weights. In noise of heavy tails a row may be fifty usual errors off, and a line to it is no law.
    """
    before, after = ((y - flat) * root) ** 2, ((y - values) * root) ** 2
    if not (after.sum() > after).all() or not (before.sum() > before).all():
        return 0.0
    n = len(y)
    saved = 0.5 * n * math.log(before.sum() / after.sum())
    without = 0.5 * (n - 1) * np.log((before.sum() - before) / (after.sum() - after))
    return max(0.0, saved - float(without.min()))


def _luck(pvalue: float) -> str:
    """Return how often shuffled rows look as structured as these, in words."""
    return f"shuffled rows look as structured as these in {100 * pvalue:.2g} % of cases"


def _rest(left: chance.Chance, linked: Correlation) -> str:
    """Return what a law leaves, in words."""
    if linked.explains and linked.lag > 0:
        return f"what it leaves is noise correlated along {linked.along}"
    if left.seen:
        return f"what it leaves is not all noise ({left.test})"
    return "what it leaves looks like noise"


def _drifts(survey: Survey, fit: Fit, linked: Correlation, seed: int) -> bool:
    """Tell whether an autoregressive model of the rows beats the formula, its own residuals modelled alike.

    Not where a smooth trend predicts rows left out much better than each row's neighbour does: what drifts
    has no trend that leaves so little.
    """
    rows = survey.dataset
    root = roots(rows.weights, rows.rows)
    y = (rows.y - np.average(rows.y, weights=rows.weights)) * root
    bare = correlation(rows.X, y, rows.names, seed)
    innovation = float(np.mean(y * y)) * bare.innovation
    if not bare.explains or (survey.noise.founded and survey.trend_loss < SMOOTHER * innovation):
        return False
    n, lines = rows.rows, 2 * criterion.NODE_PRICE
    alone = criterion.misfit_length(innovation, n, 2) + lines
    r = (rows.y - fit.values) * root
    with_law = criterion.misfit_length(float(np.mean(r * r)) * linked.innovation, n, 2) + fit.price
    return alone <= with_law

"""The look at a table before a search: its noise, the rows that are off, and whether there is anything to
find.

What is found here needs no law: rows that are off are left out, rows that are surer than others weigh more,
and everything is said in the run. After a search the law's own residuals are looked at in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kansym.base import digits
from kansym.base.errors import UnknownNameError
from kansym.base.losses import Loss
from kansym.base.weights import roots
from kansym.data.dataset import Dataset
from kansym.judge import chance, noise, outliers
from kansym.judge.chance import Chance
from kansym.judge.kinds import GROWING, KINDS, LOG, NoiseModel
from kansym.judge.noise import Explained, Measured
from kansym.judge.outliers import Outlier

ROBUST = ("auto", "on", "off")
"""Whether rows that are far off are left out: where it matters, always, never."""

APART = 0.7
"""Standard deviation of the logarithm of what rows weigh by a law over what they weigh by the trend, above
which the law's weights are taken: where noise is 40 % of the value the trend itself is off by half."""

MOST_KURTOSIS = 3.0
"""Excess kurtosis of what a trend leaves up to which noise is clear: normal noise of 400 rows has 0 ± 0.25;
what a trend misses of a law is large in a few places and has 5 to 400 (221 laws without noise)."""

CLEAR = 0.3
"""Share of the target's spread up to which noise is clear: quick waves leave all of it, and look like it."""

ROWS_OF_CLEAR_NOISE = 250
"""Rows from which noise may be clear: what a trend misses of an exact law among 100 rows of four columns, of
which it has ten terms, is as normal as noise (a Hill curve with a base)."""

ROWS_OF_A_CLEAR_CURVE = 100
"""The same of one column: of 70 exact curves (decays, waves, peaks; two samples each) none was clear on 100
rows, four on 60."""

LEAST_SCATTER = 1e-3
"""Share of the target's SD by which rows of equal inputs must differ to be no round-off of an exact law's."""

CHUNK = 20_000
"""Rows for which a trend is computed at a time."""

FORETOLD = 3.0
"""Standard deviations within which a law foretells a row that was left out, which is then no outlier."""

ON_FAR = 4.0
"""With robust "on", rows beyond this many standard deviations are left out: one normal row in 16 000."""


@dataclass(frozen=True, eq=False)
class Survey:
    """Hold what was seen before a search, and the dataset to search: `dataset` lacks the rows that are off.

    `whole` is the dataset as given; `kept` (n,) tells which of its rows are searched; `chance` is that of
    seeing as much structure in shuffled rows; `trend_loss` the mean square that a smooth trend is off by on
    rows left out in turn, `trend` its values at rows X (n, d). Noise is `clear` where what a trend leaves
    cannot be what it misses of an exact law.
    """

    whole: Dataset
    dataset: Dataset
    kept: np.ndarray
    noise: NoiseModel
    chance: Chance
    trend_loss: float
    outliers: tuple[Outlier, ...] = ()
    trend: Callable[[np.ndarray], np.ndarray] | None = None
    clear: bool = False

    def noted(self, word: str, instead: str = "") -> Survey:
        """Return the survey of the same rows with a note more, or with one `instead` of another."""
        notes = tuple(n for n in self.whole.notes if n != instead)
        rest = tuple(n for n in self.dataset.notes if n != instead)
        return replace(
            self,
            whole=replace(self.whole, notes=(*notes, word)),
            dataset=replace(self.dataset, notes=(*rest, word)),
        )

    def outliers_of(self, values: np.ndarray) -> tuple[Outlier, ...]:
        """Return the rows left out beside a law's values (n,) on all rows; as they are where it has none.

        Those that it foretells are none: what a trend missed, or a search ended before they could come back.
        """
        rows = np.array([o.row for o in self.outliers if np.isfinite(values[o.row])], int)
        sizes = self.noise.deviation(values, self.whole.weights)
        rows = rows[np.abs(self.whole.y[rows] - values[rows]) > FORETOLD * sizes[rows]]
        beside = {o.row: o for o in outliers.listed(rows, self.whole.X, self.whole.y, values, sizes)}
        return tuple(
            beside.get(o.row, o) for o in self.outliers if o.row in beside or not np.isfinite(values[o.row])
        )

    @property
    def usual_error(self) -> float:
        """Return the noise's SD at the middle value, in the target's unit, or in stated errors."""
        return _usual(self.noise)

    @property
    def scattered(self) -> bool:
        """Tell whether rows of equal inputs differ by more than round-off: no formula of them is exact."""
        return self.noise.source.startswith(noise.REPEATED) and self.usual_error > LEAST_SCATTER * float(
            np.std(self.dataset.y)
        )

    def middle(self, penalty: Loss) -> float:
        """Return the size of the middle value where rows are off by their logarithms; else 0."""
        return self.noise.of_logarithms if penalty.squared else 0.0


@np.errstate(all="ignore")  # squares of values at the end of double precision
def survey(dataset: Dataset, asked: str = "auto", robust: str = "auto", seed: int = 0) -> Survey:
    """Return the survey of a dataset: noise `asked` for or the likeliest kind, outliers by the rule `robust`.

    Raises UnknownNameError for another kind of noise or rule.
    """
    if robust not in ROBUST:
        raise UnknownNameError("rule for outliers", robust, ROBUST)
    sample = dataset.subsample(noise.MOST_ROWS, seed)
    measured = noise.measure(sample.X, sample.y, sample.weights, asked, dataset.absolute)
    kept, expected = np.ones(dataset.rows, bool), _expected(dataset.X, measured)
    if robust != "off" and (measured.model.founded or robust == "on"):
        far = ON_FAR if robust == "on" else outliers.FAR
        deviations = measured.deviations if sample is dataset else _deviations(dataset, measured, expected)
        kept = ~outliers.flagged(dataset.X, deviations, far) | _rounded(dataset.y, expected)
        if not kept.all():
            # the noise anew without them; a row far off only for a wrong idea of the noise comes back
            clean = dataset.take(np.flatnonzero(kept)).subsample(noise.MOST_ROWS, seed)
            measured = noise.measure(clean.X, clean.y, clean.weights, asked, dataset.absolute)
            expected = _expected(dataset.X, measured)
            apart = measured.model.apart(dataset.y, expected) * roots(dataset.weights, dataset.rows)
            kept |= np.abs(apart) < far * _usual(measured.model)
    sd = measured.model.deviation(expected, dataset.weights)
    found = outliers.listed(np.flatnonzero(~kept), dataset.X, dataset.y, expected, sd)
    ready = dataset.take(np.flatnonzero(kept)) if not kept.all() else dataset
    auto = asked == "auto" and robust != "off"
    model, ready = weighted(ready, measured.model, expected[kept], auto)
    # weights that a trend gave are functions of the inputs: shuffled rows would not have them
    given = None if dataset.weights is None else ready.weights
    about = ready.y - np.average(ready.y, weights=given)
    shown = chance.structure(ready.X, about * roots(given, ready.rows), seed)
    clear = _clear(measured, sample.y, len(dataset.names))
    return Survey(dataset, ready, kept, model, shown, measured.misfit, found, measured.predict, clear)


def again(
    before: Survey,
    values: np.ndarray,
    asked: str = "auto",
    robust: str = "auto",
    fits: Mapping[str, Explained] | None = None,
    constants: int = 0,
) -> Survey | None:
    """Return the survey that the values (n,) of a law with so many fitted constants suggest on all rows.

    None where it changes nothing. `fits` are the best laws where they are fitted with the weights of each
    kind of noise (by default it). Rows off by far more than the rest of what the law leaves are left out,
    whatever they did to the law itself; rows that the law explains come back. Where no trend could tell the
    kind of noise, the law may.
    """
    dataset = before.whole
    if not np.all(np.isfinite(values)):
        return None
    model = before.noise
    if dataset.weights is None and asked == "auto" and not model.source.startswith(noise.REPEATED):
        at = np.flatnonzero(before.kept)
        at = at[:: max(1, len(at) // noise.MOST_ROWS)]
        fits = dict.fromkeys(KINDS, Explained(values)) if fits is None else fits
        laws = {kind: law.at(at) for kind, law in fits.items()}
        measured = (dataset.unit_texts or {}).get(dataset.target, "1") != "1"
        other = noise.about(dataset.X[at], dataset.y[at], laws, model, measured)
        model, values = (model, values) if other is None else (other, fits[other.kind].values)
    residual = model.apart(dataset.y, values) * roots(dataset.weights, dataset.rows)
    kept = before.kept
    if robust != "off":
        far = ON_FAR if robust == "on" else outliers.FAR
        kept = ~outliers.flagged(dataset.X, residual, far, constants, ~before.kept)
        kept |= _rounded(dataset.y, values)
    ready = dataset.take(np.flatnonzero(kept)) if not kept.all() else dataset
    new, ready = weighted(ready, model, values[kept], asked == "auto" and robust != "off")
    same = np.array_equal(kept, before.kept) and model is before.noise
    # what a trend misses where a law is steep looks like heavy tails, until there is the law
    tailed = before.noise.heavy and not new.heavy
    if same and (dataset.weights is not None or not (tailed or _reweighed(before.dataset, ready))):
        return None
    sd = float(np.sqrt(np.mean(residual[kept] ** 2))) * np.sqrt(model.variance(values))
    found = outliers.listed(np.flatnonzero(~kept), dataset.X, dataset.y, values, sd)
    model = new
    return replace(before, dataset=ready, kept=kept, noise=model, outliers=found)


def _clear(measured: Measured, y: np.ndarray, columns: int) -> bool:
    """Tell whether what a trend in so many columns leaves of y (n,) is no miss of an exact law.

    Where rows of equal inputs differ by more than their digits, no formula of these inputs is exact.
    """
    usual = _usual(measured.model)
    if measured.model.source.startswith(noise.REPEATED) and measured.model.kind != "rounding":
        return usual > noise.LEAST_NOISE * float(y.std())
    if len(y) < (ROWS_OF_A_CLEAR_CURVE if columns == 1 else ROWS_OF_CLEAR_NOISE):
        return False
    about = measured.deviations - measured.deviations.mean()
    square = float(np.mean(about**2))
    if not measured.model.founded or not 0 < usual < CLEAR * float(y.std()) or not square > 0:
        return False
    return float(np.mean(about**4)) / square**2 - 3.0 < MOST_KURTOSIS


def _rounded(y: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Tell which rows (n,) are off by no more than the last digit in which they are written."""
    return np.abs(y - values) <= digits.steps(y)


def _usual(model: NoiseModel) -> float:
    """Return the noise's SD at the middle value, in the target's unit, or in stated errors."""
    return float(model.deviation(np.array([model.middle]))[0])


def _reweighed(before: Dataset, after: Dataset) -> bool:
    """Tell whether the same rows weigh quite differently."""
    if before.weights is None or after.weights is None:
        return False
    return float(np.std(np.log(after.weights / before.weights))) > APART


def _expected(X: np.ndarray, measured: Measured) -> np.ndarray:
    """Return the trend's values (n,) at rows X (n, d)."""
    parts = [measured.predict(X[i : i + CHUNK]) for i in range(0, len(X), CHUNK)]
    return np.concatenate(parts)


def _deviations(dataset: Dataset, measured: Measured, expected: np.ndarray) -> np.ndarray:
    """Return what the rows (n,) are off by, in units of the noise at the expected values."""
    return measured.model.apart(dataset.y, expected) * roots(dataset.weights, dataset.rows)


def weighted(
    dataset: Dataset, model: NoiseModel, expected: np.ndarray, auto: bool
) -> tuple[NoiseModel, Dataset]:
    """Return the noise and the dataset with the weights that it gives.

    By the values where the noise grows with them, and by heavy tails where nobody chose otherwise (`auto`).
    """
    if dataset.weights is not None:
        return model, dataset
    weights = model.weights(dataset.y, expected)
    scaled = model.apart(dataset.y, expected)
    # what is off by its logarithm is judged by it, whatever it weighs
    tails = outliers.tail_weights(scaled) if auto and model.founded and model.kind != LOG else None
    model = replace(model, heavy=tails is not None)
    if tails is not None:
        return model, replace(dataset, weights=weights * tails)
    return model, dataset if model.kind not in GROWING else replace(dataset, weights=weights)

"""The noise of a table by itself: how large, and of which kind, before any law is known.

Its size comes from rows repeated at the same inputs where there are enough, else from a smooth trend. Its
kind (the same everywhere, a share of the value, counting noise, of the logarithm, rounding) is the likeliest
one, given how the residuals grow with the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy  # scipy.stats, 40 MB, is loaded when it is first asked for

from kansym.base.errors import InputError, UnknownNameError, counted
from kansym.base.weights import roots
from kansym.judge import chance
from kansym.judge.kinds import (
    GROWING,
    KINDS,
    LOG,
    TREND,
    WHOLES,
    NoiseModel,
    apart,
    growth,
    middle_of,
    possible,
    unit_at,
)
from kansym.judge.trend import TAILS, Trend, logarithmic_trend, median_deviation, scale_of, trend

RARER = 2.0
"""Nats by which noise of the logarithm, or counting noise of numbers that are not whole, must be likelier
than another kind to be preferred to it."""

LEAST_LOG = 0.25
"""Noise of the logarithm below this is called a share of the value, which nothing tells it from."""

TOLD_FROM_A_SHARE = 12.0
"""Nats by which smaller noise of the logarithm must be likelier than a share of the value all the same: where
a curve drawn through the largest of six decades misses the smallest by far, least squares by shares do not
come near the law, and those by logarithms do. By luck 20 % about 97 animals were 6 nats likelier so."""

ENOUGH = 4.0
"""Nats by which another kind must be likelier than the same noise everywhere: odds of fifty to one. A trend
took 2 of 400 tables of additive noise for another kind and saw 8 % noise in 192 of 200; about the true
curve, 12 rows of 3 % noise over a factor of 33 reach it in 86 % of tables, and rows of additive noise in
none of 400."""

ENOUGH_ABOUT_A_LAW = 3.0
"""The same about a law that is fitted anew for each kind: 9 rows of 7 % noise about a decay over a factor of
26 reach it in 63 % of tables (16 rows in 90 %), additive noise in at most 0.7 % (150 tables each)."""

WITH_THE_VALUE = ("relative", LOG)
WIDE, ENOUGH_OVER_WIDE = 20.0, 1.0
"""Nats that are enough where a target above zero spans more than WIDE times its least value: what is measured
over decades mostly has errors that grow with it. Of 8, 10, 13 and 18 rows with 3 to 10 % of noise (decays,
powers, logistic curves; 220 to 230 tables each) it is told in 78, 85, 97 and 97 %, not 61, 77, 89 and 94;
additive noise (130 to 160 each) is taken for relative in 4, 2, 2 and 0 %, not in 1, 1, 0 and 0. Over a factor
of ten a share of 0 to 100 % with the same noise everywhere was, too, about another curve."""

COUNTED = 5.0
"""Nats by which counting is likelier where whole numbers scatter by the root of the value itself, less what
another size than that takes: no other kind foretells the size of the noise (2 to 3 nats, of sizes over two
decades), and whole numbers are counts as often as not (3). Of 60 tables each of counts (9 to 24 rows of a
decay, a square law with background, a line) 90 to 100 % are told so, 0 to 50 % without. The price: of whole
numbers with another noise of about that size 0 to 50 % (equal) and 20 to 60 % (a share) are told so, too."""

REPEATED = "repeated rows"

REPEATS = 6
"""Degrees of freedom of repeated rows from which their scatter is the measure of the noise (its SD known to
30 %)."""

SPARE_ROWS = 8
"""Rows beyond a trend's terms with which it can show that it leaves only noise, and which kind."""

SPARE_ROWS_FOR_KINDS = 20
"""The same where no rows are repeated: a trend of few rows misses a curve most where it is steep, which
looks like noise that grows with the value. Of fewer rows a law tells the kind, once there is one."""

LEAST_NOISE = 1e-4
"""Noise below this share of the target's spread is round-off, or what the trend itself is off by; where it
grows with the value, below this share of the middle value: a target over six decades is spread by its
largest."""

MOST_ROWS = 400
"""Rows that the trend is fitted to."""

WHITE = 0.01
"""Chance above which the residuals of a trend count as noise; below, the trend misses something."""

USUAL = 4.0
"""Standard deviations within which rows measure the noise: normal ones are beyond once in 16,000."""

GRID_SHARE = 0.6
"""Noise of less than this part of the last digit is rounding: a digit's own SD is 0.29."""

MOST_LEVERAGE = 0.95
"""A row that decides its own fit shows nothing of the noise: its residual is divided by 1 - this at least."""

FOLLOWED = 0.7
"""Rank correlation between the target and what the trend predicts without the row, below which the kinds of
noise are not distinguished: how noise grows with a value that is not known cannot be seen."""

UNSETTLED, ROWS_OF_HALVES = 1.6, 60
"""What all rows leave is down to noise where it is at least 1 - UNSETTLED/sqrt(rows) of what halves leave:
1 of 250 tables of noise that grows is below, of 60 to 300 rows, and 31 of 40 of what trends miss of waves and
peaks under 2 % of additive noise. Halves of fewer rows than ROWS_OF_HALVES see too little themselves."""

MOST_SHARE, MOST_LOG = 0.6, 2.0
"""Noise beyond this part of the middle value is no noise that grows with the value, but a trend that misses
it; of the logarithm it may be larger, a factor of seven."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Hold a noise model with the trend that it was measured from, as a function of X (n, d), and each
    row's residual in SD.

    `misfit` is the mean square of what the trend is off on rows left out in turn, weighted as the kind of
    noise says.
    """

    model: NoiseModel
    predict: Callable[[np.ndarray], np.ndarray]
    deviations: np.ndarray
    misfit: float


Back = Callable[[np.ndarray], np.ndarray]

_SCALES: tuple[tuple[Back, Back], ...] = (
    (lambda y: y, lambda z: z),
    (np.log, np.exp),
)
"""Scales on which a trend is fitted, there and back; logarithms only for targets above zero."""

MOSTLY = 0.9
"""Share of rows above zero from which a target's expected value may be an exponential of a trend: noise of
40 % of the value carries one row in 160 below zero, of 75 % one in eleven."""


@dataclass(frozen=True, eq=False)
class _Found:
    """Hold one kind of noise about one trend, its nats in `misfit`, its spread up to a factor.

    `alone` is what the trend predicts for each row without it, `left` (n,) that error over the spread, and
    `scale` its scale.
    """

    misfit: float
    kind: str
    values: np.ndarray
    leverage: np.ndarray
    spread: np.ndarray
    alone: np.ndarray
    left: np.ndarray
    scale: float
    fit: Trend
    back: Back


def measure(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None, asked: str = "auto", stated: bool = False
) -> Measured:
    """Return the noise of y (n,) over X (n, d), n at most a few hundred, and each row's residual in SD.

    `weights` are those the rows have already: then no kind is looked for ("stated" where they are 1/sigma²).
    `asked` is "auto" or the kind to assume. Raises UnknownNameError for another, InputError for "log" of a
    target that is not above zero.
    """
    if asked not in ("auto", *KINDS):
        raise UnknownNameError("kind of noise", asked, ("auto", *KINDS))
    if weights is not None:
        kinds: tuple[str, ...] = ("stated",) if stated else ("additive",)
    else:
        kinds = tuple(k for k in KINDS if possible(k, y)) if asked == "auto" else (asked,)
        if asked == LOG and not np.all(y > 0):
            raise InputError("Noise of the logarithm is for targets above zero; use --noise relative.")
        if asked in WHOLES and not (np.all(y >= 0) and np.max(y) <= WHOLES[asked]):
            raise InputError(
                f"Noise of a {asked} is for targets from 0 to {WHOLES[asked]:g}; use --noise auto."
            )
    root = roots(weights, len(y))
    found = []
    for fit, back in _trends(X, y, weights, kinds):
        for kind in kinds:
            if kind != LOG or back is np.exp:
                found.append(_about_trend(y, root, fit, back, kind))
    best = min((f for f in found if f.kind == kinds[0]), key=lambda f: f.misfit)
    evidence = 0.0
    if asked == "auto":
        least = best.misfit
        likelier = [f for f in found if f.misfit < least - ENOUGH and f.kind != best.kind]
        other = next((f for f in sorted(likelier, key=lambda f: f.misfit) if _tells(X, y, f)), None)
        if other is not None:
            best, evidence = other, least - other.misfit
    return _finished(X, y, best, evidence, asked)


def _about_trend(y: np.ndarray, root: np.ndarray, fit: Trend, back: Back, kind: str) -> _Found:
    """Return one kind of noise about a trend."""
    values, leverage = back(fit.fitted), np.clip(fit.leverage, 0.0, MOST_LEVERAGE)
    if kind == LOG:
        alone = y * np.exp(-np.log(y / values) / (1 - leverage))
    else:
        alone = y - (y - values) / (1 - leverage)
    spread = np.sqrt(growth(kind, alone)) / root
    left = apart(kind, y, alone) * root
    misfit, scale = _nats(left, y / middle_of(alone) if kind == LOG else spread)
    return _Found(misfit + _rarer(kind, y), kind, values, leverage, spread, alone, left, scale, fit, back)


@dataclass(frozen=True, eq=False)
class Explained:
    """Hold a law's `values` (n,) on the rows, the `nats` that the law itself needs, and its `constants`."""

    values: np.ndarray
    nats: float = 0.0
    constants: int = 0

    def at(self, rows: np.ndarray) -> Explained:
        """Return the same on some of the rows."""
        return replace(self, values=self.values[rows])


def about(
    X: np.ndarray,
    y: np.ndarray,
    fits: Mapping[str, Explained],
    held: NoiseModel,
    measured: bool = True,
) -> NoiseModel | None:
    """Return the noise of y (n,) about a law where it is clearly of another kind than was `held`; else None.

    `fits` has the best law by kind of noise, fitted with the weights of that kind. What is not `measured` may
    be counts.
    """
    found = {kind: likelihood(kind, y, law.values) for kind, law in fits.items()}
    nats = {kind: found[kind][0] + fits[kind].nats + _rarer(kind, y) for kind in found}
    small = LOG in found and found[LOG][2] < LEAST_LOG * middle_of(fits[LOG].values)
    if small and not nats[LOG] < nats.get("relative", -math.inf) - TOLD_FROM_A_SHARE:
        nats[LOG] = math.inf
    if not measured and "poisson" in fits:
        nats["poisson"] -= _counted(y, found["poisson"][1], fits["poisson"])
    now = held.kind if held.kind in KINDS else KINDS[0]
    sizes = {k: (_least(k, law.values), found[k][2], _most(k, law.values)) for k, law in fits.items()}
    # a kind by which the law misses the rows altogether says nothing of the others
    can_be = [k for k, (least, scale, most) in sizes.items() if k == now or least < scale < most]
    best = min(can_be, key=lambda kind: nats[kind])
    least, scale, most = sizes[best]
    scaled, values = found[best][1], fits[best].values
    wide = best in WITH_THE_VALUE and bool(np.all(y > 0)) and 0 < values.min() * WIDE < values.max()
    enough = ENOUGH_OVER_WIDE if wide else ENOUGH_ABOUT_A_LAW
    if nats[now] - nats[best] < enough or not least < scale < most:
        return None
    if chance.structure(X, scaled, shuffles=chance.FIRST_SHUFFLES).pvalue <= WHITE:
        return None
    sigma, middle = float(np.sqrt(np.mean(scaled**2))), middle_of(values)
    evidence = nats[KINDS[0]] - nats[best]
    return NoiseModel(best, _in_unit(best, sigma, values), evidence, "the law itself", _step(y), True, middle)


def _rarer(kind: str, y: np.ndarray) -> float:
    """Return the nats that a kind of noise must make up for: factors, shares, and counting what is no count.

    What is counted and never more than a whole is a share of it.
    """
    if kind == "poisson" and not np.all(y == np.round(y)):
        return RARER * (2 if any(possible(whole, y) for whole in WHOLES) else 1)
    return RARER if kind == LOG or kind in WHOLES else 0.0


def _counted(y: np.ndarray, scaled: np.ndarray, law: Explained) -> float:
    """Return the nats that counting gains where y (n,) are whole numbers whose residuals are `scaled`.

    A normal law's likelihood of them at the size that counting foretells, beside that at their own size.
    """
    freedom = len(y) - law.constants
    if freedom < 1 or not np.any(scaled) or not np.all((y == np.round(y)) & (y >= 0)):
        return 0.0
    size = _in_unit("poisson", math.sqrt(float(np.sum(scaled**2)) / freedom), law.values)
    return max(0.0, COUNTED - freedom * ((size**2 - 1) / 2 - math.log(size)))


def _least(kind: str, values: np.ndarray) -> float:
    """Return the least noise of a kind at the middle of `values` (n,) that is no round-off."""
    spread = float(values.std())
    return LEAST_NOISE * (min(spread, middle_of(values)) if kind in GROWING else spread)


def _most(kind: str, values: np.ndarray) -> float:
    """Return the largest noise of a kind at the middle of `values` (n,) that is not a law's own miss."""
    if kind == KINDS[0]:
        return math.inf
    return (MOST_LOG if kind == LOG else MOST_SHARE) * middle_of(values)


def likelihood(kind: str, y: np.ndarray, values: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Return the nats of y (n,) about `values`, the residuals (n,) in the noise's unit, their scale.

    The nats are infinite where the kind cannot be: noise of the logarithm of what is not above zero.
    """
    scaled = apart(kind, y, values)
    if not possible(kind, y) or (kind == LOG and not np.all(values > 0)):
        return math.inf, scaled, math.inf
    spread = y / middle_of(values) if kind == LOG else np.sqrt(growth(kind, values))
    nats, scale = _nats(scaled, spread)
    return nats, scaled, scale


def _nats(scaled: np.ndarray, spread: np.ndarray) -> tuple[float, float]:
    """Return the nats of residuals (n,) with Student's tails and their scale.

    They are `scaled`: a small change of the target over its `spread`.
    """
    scale = scale_of(scaled)
    return -float(np.sum(scipy.stats.t.logpdf(scaled / scale, TAILS) - np.log(scale * spread))), scale


def _in_unit(kind: str, sigma: float, values: np.ndarray) -> float:
    """Return sigma as the kind has it, from its value in the target's unit at the middle value."""
    return sigma / unit_at(kind, middle_of(values))


def _trends(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray | None, kinds: tuple[str, ...]
) -> Iterator[tuple[Trend, Back]]:
    """Yield the trends on every scale that the target has, each with the way back from its scale.

    A target that crosses zero has no logarithm: there the trend is fitted again with the weights of each
    kind of noise, and where few rows are below zero its expected value may have one.
    """
    positive = bool(np.all(y > 0)) and weights is None
    for there, back in _SCALES if positive else _SCALES[:1]:
        found = trend(X, there(y), weights)
        yield found, back
    if positive or weights is not None:
        return
    if np.mean(y > 0) >= MOSTLY:
        yield logarithmic_trend(X, y), np.exp
    for kind in kinds:
        if kind in ("relative", "poisson"):
            yield trend(X, y, 1 / growth(kind, found.fitted)), back


def _tells(X: np.ndarray, y: np.ndarray, found: _Found) -> bool:
    """Tell whether a trend is good enough to see how the noise grows with the value."""
    least = _least(found.kind, found.values)
    if found.kind == LOG:
        least = LEAST_LOG * middle_of(found.values)
    if not least < found.scale < _most(found.kind, found.values):
        return False
    followed = scipy.stats.spearmanr(found.alone, y).statistic if np.ptp(found.alone) > 0 else 0.0
    repeated = _repeated(X, y)[1] >= REPEATS
    spare = SPARE_ROWS if repeated else SPARE_ROWS_FOR_KINDS
    if not (len(y) - found.fit.terms >= spare and followed > FOLLOWED and _white(X, y, found)):
        return False
    return repeated or len(y) < ROWS_OF_HALVES or _settled(X, y, found)


def _settled(X: np.ndarray, y: np.ndarray, found: _Found) -> bool:
    """Tell whether half of the rows leave their trends little more than all leave theirs.

    What noise leaves does not fall with more rows; what a trend misses of a law falls, and is the larger the
    larger the value, as noise that grows with it.
    """
    order = np.random.default_rng(0).permutation(len(y))
    halves = []
    for part in (np.sort(order[::2]), np.sort(order[1::2])):
        fits = [
            _about_trend(y[part], np.ones(len(part)), fit, back, found.kind)
            for fit, back in _trends(X[part], y[part], None, (found.kind,))
            if found.kind != LOG or back is np.exp
        ]
        best = min(fits, key=lambda f: f.misfit)
        halves.append(_in_unit(found.kind, best.scale, best.values))
    whole = _in_unit(found.kind, found.scale, found.values)
    least = 1 - UNSETTLED / math.sqrt(len(y))
    return whole > least * math.sqrt(float(np.mean(np.square(halves))))


def _white(X: np.ndarray, y: np.ndarray, found: _Found) -> bool:
    """Tell whether what the trend is off by on rows left out shows no structure."""
    return chance.structure(X, found.left, shuffles=chance.FIRST_SHUFFLES).pvalue > WHITE


def _finished(X: np.ndarray, y: np.ndarray, found: _Found, evidence: float, asked: str) -> Measured:
    """Return the noise model of the chosen kind: its size from repeated rows where they suffice."""
    kind, values, leverage, spread, terms = (
        found.kind,
        found.values,
        found.leverage,
        found.spread,
        found.fit.terms,
    )
    scaled = apart(kind, y, values) if kind == LOG else (y - values) / spread
    # what a row is off by, in units of what its own fit leaves it
    alone = scaled / np.sqrt(1 - leverage)
    usual = np.abs(alone) < USUAL * median_deviation(alone) + np.finfo(float).tiny
    freedom = max(int(usual.sum()) - terms, 1)
    sigma = math.sqrt(float(np.sum(scaled[usual] ** 2)) / freedom)
    white = (
        len(y) - terms >= SPARE_ROWS
        and sigma > LEAST_NOISE * float(scaled.std()) + _least(kind, values)
        and _white(X, y, found)
    )
    source = f"{TREND} of {counted(terms, 'term')}" + (
        "" if white else ", which misses something: an upper bound"
    )
    repeated, degrees = _repeated(X, middle_of(values) * np.log(y) if kind == LOG else y / spread)
    if degrees >= REPEATS:
        sigma, white, source = repeated, True, f"{REPEATED} ({degrees} degrees of freedom)"
    unit = _in_unit(kind, sigma, values)
    step = _step(y)
    if kind == "additive" and asked == "auto" and white and step > 0 and sigma < GRID_SHARE * step:
        kind, unit = "rounding", max(sigma, step / math.sqrt(12))
    if not white and kind == "additive" and asked == "auto":
        kind = "unknown"
    floor = sigma if sigma > 0 else np.finfo(float).tiny
    left_out = float(np.mean((scaled / (1 - leverage)) ** 2))
    model = NoiseModel(kind, unit, evidence, source, step, white, middle_of(values))
    return Measured(model, lambda Z: found.back(found.fit.predict(Z)), alone / floor, left_out)


def _repeated(X: np.ndarray, y: np.ndarray) -> tuple[float, int]:
    """Return the SD of y within rows of equal inputs, and its degrees of freedom."""
    _, kind = np.unique(X, axis=0, return_inverse=True)
    kind = np.ravel(kind)
    count = np.bincount(kind)
    mean = np.bincount(kind, y) / count
    degrees = int(np.sum(count - 1))
    return (math.sqrt(float(np.sum((y - mean[kind]) ** 2)) / degrees) if degrees else 0.0), degrees


def _step(y: np.ndarray) -> float:
    """Return the last decimal digit of all values, 10^k; 0 where more than nine digits are written."""
    largest = float(np.max(np.abs(y)))
    if largest == 0:
        return 0.0
    top = math.floor(math.log10(largest))
    for place in range(top, top - 9, -1):
        step = 10.0**place
        if np.all(np.abs(y / step - np.round(y / step)) < 1e-6 * np.maximum(np.abs(y / step), 1.0)):
            return step
    return 0.0

"""A front found on a sample, fitted to all rows of a table larger than memory, and judged on them.

The sample found the formulas; all rows give the constants, their errors and the losses. What the search never
saw is the held-out part. Not here: reading (`data.scan`) and the sums (`formula.sums`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from kansym.base import criterion
from kansym.base.budget import Progress
from kansym.base.interrupts import unwrapped
from kansym.base.losses import Loss
from kansym.data.dataset import Dataset
from kansym.data.scan import Reading
from kansym.formula import expression as expressions
from kansym.formula.polish import Rows
from kansym.formula.sums import Refitted, Sums, refitted
from kansym.formula.uncertainty import Freed, estimated
from kansym.functions.parsing import symbols
from kansym.judge import noise, outliers, pareto
from kansym.judge.band import Band
from kansym.judge.guess import GUESS
from kansym.pipeline.familiar import in_customary_constants
from kansym.pipeline.findings import WORTH_A_ROW
from kansym.pipeline.run import ConstantReport, Law, Run
from kansym.search.families.family import Families


class _Seen:
    """Collect what a pass shows of the table itself; `parts` starts anew with each pass."""

    def __init__(
        self, run: Run, reading: Reading, absolute: bool, progress: Callable[[Progress], None] | None
    ) -> None:
        self._run, self._reading, self._absolute, self._progress = run, reading, absolute, progress
        self._begun, self.passes = time.monotonic(), 0
        self.low = self.high = np.empty(0)
        self.count = self.left_out = 0

    def parts(self) -> Iterator[Rows]:
        """Yield all rows, weighed as the sample's; rows far off are left out where the sample had some."""
        self.passes += 1
        self.low, self.high = np.inf, -np.inf  # type: ignore[assignment]
        self.count = self.left_out = 0
        names = self._run.names
        columns = symbols(names)
        for X, y, weights in self._reading.parts(names):
            self.count += len(y)
            whole = np.column_stack([X, y])
            self.low, self.high = np.minimum(self.low, whole.min(0)), np.maximum(self.high, whole.max(0))
            yield self._kept(Rows(X, y, weights, columns, 1.0 if self._absolute else None))
            if self._progress is not None:
                seconds = time.monotonic() - self._begun
                self._progress(
                    Progress(f"all rows, pass {self.passes}", None, f"{self.count} rows", 0.0, seconds)
                )

    def _kept(self, rows: Rows) -> Rows:
        """Return rows weighed as the law's noise says, without those far off."""
        model = self._run.noise_model
        weighs = model is not None and rows.weights is None and (model.heavy or model.kind in noise.GROWING)
        if model is None or not (weighs or self._run.outliers):
            return rows
        values = self._run.best.predict(rows.X, self._run.names)
        weights = rows.weights
        if weighs:
            weights = 1 / model.variance(values)
            tails = outliers.tail_weights((rows.y - values) * np.sqrt(weights)) if model.heavy else None
            weights = weights if tails is None else weights * tails
        if self._run.outliers:
            apart = np.abs(rows.y - values) / model.deviation(values, rows.weights)
            near = ~(apart > outliers.FAR)
            self.left_out += int(np.sum(~near))
            weights = None if weights is None else weights[near]
            rows = replace(rows, X=rows.X[near], y=rows.y[near], weights=None)
        return replace(rows, weights=weights)


def on_all_rows(
    run: Run, sample: Dataset, reading: Reading, progress: Callable[[Progress], None] | None = None
) -> Run:
    """Return a run on a sample with its front fitted to all rows; Ctrl-C leaves it as the sample has it.

    Held-out losses become those on the rows outside the sample, before the fit. A formula without a value on
    some row is left out of the front, unless it is the chosen one. Raises InputError for rows that cannot be
    read as the sample's were.
    """
    if not Loss.of(run.options.get("loss", "squared")).squared:
        return _noted(
            run, "constants are fitted to the sample: all rows are summed for the squared loss only"
        )
    seen = _Seen(run, reading, sample.absolute, progress)
    at = [i for i, law in enumerate(run.front) if law.expression is not None]
    begun = time.monotonic()
    try:
        with unwrapped(), np.errstate(all="ignore"):
            found = refitted([run.front[i].expression for i in at], seen.parts)
    except KeyboardInterrupt:
        return _noted(run, "interrupted on all rows: constants are fitted to the sample")
    families = Families.load(run.options.get("families", "off"))
    laws = {
        i: _law(run.front[i], one, sample, run, families if i == run.chosen else None)
        for i, one in zip(at, found, strict=True)
    }
    kept = _worth(run, laws)
    front = [laws.get(i, run.front[i]) for i in kept]
    scores = pareto.scores([law.complexity for law in front], [law.loss for law in front])
    front = [replace(law, score=score) for law, score in zip(front, scores, strict=True)]
    chosen = kept.index(run.chosen)
    passes = f"constants are fitted to all {seen.count} rows in {seen.passes} passes"
    lost = {i: one.sums.undefined for i, one in zip(at, found, strict=True)}.get(run.chosen, 0)
    notes = [passes]
    if seen.count < reading.scan.rows:
        notes.append(
            f"{reading.scan.rows - seen.count} of {reading.scan.rows} rows have missing values: dropped"
        )
    if seen.left_out:
        notes.append(f"{seen.left_out} rows are far from the law and left out, as in the sample")
    if lost:
        notes.append(f"the law has no value on {lost} rows: its constants are those of the sample")
    names = (*run.names, str(run.data["target"]))
    ranges = {n: [float(a), float(b)] for n, a, b in zip(names, seen.low, seen.high, strict=True)}
    data = {
        **run.data,
        "rows": seen.count,
        "heldout_rows": seen.count - sample.rows,
        "target_range": ranges.pop(names[-1]),
        "ranges": ranges,
    }
    spread = float(run.data["target_spread"])
    off = math.sqrt(front[chosen].heldout_loss) / spread if spread > 0 else 0.0
    trust = f"{run.trust} On the {seen.count - sample.rows} rows outside the sample: {off:.2g}."
    done = replace(run, front=tuple(front), chosen=chosen, data=data, trust=trust.strip(),
                   seconds=run.seconds + time.monotonic() - begun)  # fmt: skip
    return _noted(done, *notes)


def _worth(run: Run, laws: Mapping[int, Law]) -> list[int]:
    """Return the rows of the front that nothing simpler equals; the chosen one and guesses stay."""
    kept: list[int] = []
    least = math.inf
    for i, law in enumerate(run.front):
        free = i in laws and i != run.chosen and not law.source.startswith(GUESS)
        if free and not laws[i].loss < WORTH_A_ROW * least:
            continue
        kept.append(i)
        least = min(least, laws[i].loss if i in laws else least)
    return kept


def _law(law: Law, found: Refitted, sample: Dataset, run: Run, families: Families | None) -> Law:
    """Return a law of the front with what all rows say of it."""
    sums, loss, spread = found.sums, found.sums.loss, float(run.data["target_spread"])
    if not math.isfinite(loss):
        return replace(law, loss=loss, heldout_loss=loss) if families is None else law
    freed = Freed.of(found.expression)
    constants = estimated(freed, sums.slopes, sums.residuals, sums.count, sums.variance)
    outside = max(sums.count - sample.rows, 1)
    heldout = max(found.before * sums.count - law.loss * sample.rows, 0.0) / outside
    new = replace(
        law,
        expression=found.expression,
        equation=expressions.text(found.expression),
        constants=tuple(ConstantReport.of(c) for c in constants),
        loss=loss,
        heldout_loss=heldout,
        exact=law.exact and loss <= max(sums.floor, criterion.EXACT_SHARE * spread**2),
        band=_band(law, sums, sample.rows),
    )
    if families is None or not law.family:
        return new
    variance = sums.variance(loss, len(constants)) * sample.rows / sums.count
    rows = Rows(sample.select(run.names).X, sample.y, sample.weights, symbols(run.names))
    return in_customary_constants(new, rows, families, True, variance)


def _band(law: Law, sums: Sums, rows: int) -> Band | None:
    """Return the band that the sample's rows gave, with the spread and the constants' errors of all rows."""
    if law.band is None:
        return None
    share = math.sqrt(max(sums.loss, sums.floor) / max(law.loss, sums.floor))
    known = None if law.band.covariance is None else law.band.covariance * share**2 * rows / sums.count
    freedom = law.band.freedom + sums.count - rows
    return replace(law.band, spread=law.band.spread * share, freedom=freedom, covariance=known)


def _noted(run: Run, *notes: str) -> Run:
    """Return a run with more notes."""
    return replace(run, data={**run.data, "notes": [*run.data["notes"], *notes]})

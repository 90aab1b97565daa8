"""When a search may end: what the best formula leaves is noise, or the table was noise to begin with."""

from __future__ import annotations

import numpy as np

from kansym.judge import chance
from kansym.judge.archive import Archive
from kansym.judge.correlation import correlation
from kansym.judge.survey import Survey, weighted
from kansym.judge.verdict import CERTAIN

LEFT = 0.01
"""Chance, among shuffled residuals, above which what a formula leaves counts as noise."""

LEAST_ROWS, LEAST_ROWS_OF_NOISE = 60, 30
"""With fewer rows the tests miss too much to end a search by what a formula leaves, or by the table."""


VISIBLE, VISIBLE_IN_MANY, EXPLAINED = 1e-5, 1e-12, 0.5
"""Residual shares of a familiar curve between which its rest may be taken for noise: an approximation of a
smooth exact law leaves less, which the tests see from LEAST_ROWS rows on; and what explains little should not
end a search."""

ROWS_A_CONSTANT = 3
"""Rows for each measured constant of a familiar curve that ends the search."""


class Ending:
    """Answer whether a search may end; each leader is looked at once."""

    def __init__(self, survey: Survey, archive: Archive) -> None:
        self._survey, self._archive = survey, archive
        self._seen: tuple[object, bool] = (None, False)

    def only_noise_left(self) -> bool:
        """Tell whether no test sees structure in what the best formula leaves, drifting noise aside."""
        law, rows = self._archive.leader, self._archive.trial.small
        if law is None or len(rows.y) < LEAST_ROWS:
            return False
        if self._seen[0] is not law:
            r = weighted(law.polished.program.value(rows.X, law.polished.theta) - rows.y, rows.weights)
            self._seen = law, bool(np.all(np.isfinite(r))) and _noise(rows.X, r, self._survey)
        return self._seen[1]

    def familiar_enough(self, sources: set[str]) -> bool:
        """Tell whether a formula of these sources is the best, has few constants, and leaves visible noise.

        Any number of rows will do: what a person would try first, and would then be content with.
        """
        law, trial = self._archive.leader, self._archive.trial
        rows = trial.small
        if (
            law is None
            or law.source not in sources
            or len(rows.y) < ROWS_A_CONSTANT * len(law.polished.theta)
        ):
            return False
        share = law.loss / trial.power
        if share > EXPLAINED or share < (VISIBLE if len(rows.y) < LEAST_ROWS else VISIBLE_IN_MANY):
            return False
        r = weighted(law.polished.program.value(rows.X, law.polished.theta) - rows.y, rows.weights)
        return bool(np.all(np.isfinite(r))) and _noise(rows.X, r, self._survey)

    def nothing_there(self) -> bool:
        """Tell whether the rows look like shuffled ones and no formula says more than luck could."""
        law = self._archive.leader
        if law is None or self._survey.chance.seen or self._survey.dataset.rows < LEAST_ROWS_OF_NOISE:
            return False
        flat = [m for m in self._archive.best.values() if not m.expression.free_symbols]
        return not flat or min(m.length for m in flat) - law.length < CERTAIN


def _noise(X: np.ndarray, r: np.ndarray, survey: Survey) -> bool:
    left = chance.structure(X, r, shuffles=chance.FIRST_SHUFFLES)
    if left.pvalue > LEFT:
        return True
    return correlation(X, r, survey.dataset.names).explains

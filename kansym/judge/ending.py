"""When a search may end: what the best formula leaves is noise, or the table was noise to begin with."""

from __future__ import annotations

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.formula.guarded import valued
from kansym.formula.polish import Rows
from kansym.judge import chance
from kansym.judge.archive import Archive
from kansym.judge.correlation import correlation
from kansym.judge.noise import LEAST_NOISE
from kansym.judge.scorer import Judged, exact, price, residuals, within
from kansym.judge.survey import Survey
from kansym.judge.verdict import more_than_noise

QUIET = 1e-6
"""Share of the target's variance that a trend leaves below which there is no noise to speak of."""

LEFT = 0.01
"""Chance, among shuffled residuals, above which what a formula leaves counts as noise."""

UNCLEAR, ALL_ROWS = 0.3, 1000
"""The same up to which a first look at half the rows and a tenth of the shuffles is not enough; and the rows
of the second. With 10 % of noise 1.3*u + 1, u = a*b, leaves what looks structured by a chance of 0.02 to 0.04
if the law is 1 + u/(1 - u/3): of twelve such tables the second look saw all, the first six."""

LEAST_ROWS, LEAST_ROWS_OF_NOISE = 60, 30
"""With fewer rows the tests miss too much to end a search by what a formula leaves, or by the table."""


VISIBLE, VISIBLE_IN_MANY, EXPLAINED = 1e-5, 1e-12, 0.5
"""Residual shares of a familiar curve between which its rest may be taken for noise: an approximation of a
smooth exact law leaves less, which the tests see from LEAST_ROWS rows on; and what explains little should not
end a search."""

AS_SHORT = 16.0
"""Nats of a formula that is no longer than the shortest familiar curves: a straight line, a power."""

ROWS_A_CONSTANT = 3
"""Rows for each measured constant of a familiar curve that ends the search."""

BRIEF = 11.5
"""Nats of a formula (seven symbols, no measured number) up to which a search ends with only noise left."""

PLAIN = 60.0
"""The same once the tree was asked in noise: of six laws with 1 % of noise the right formula has 20 to 58. Of
50 of Feynman's, six were ended by a look-alike, each with measured numbers, when those were let end, too:
they may after CONTENT."""

UNRIVALLED = 30.0
"""The same until the likeliest ridges were asked, which takes 3 s: look-alikes that one of them beats have 35
nats and more, laws such as K/(c + t)**1.12 have 25."""

CONTENT = 100.0
"""Units of work since the best formula became shorter after which it may be one of PLAIN nats with measured
numbers: five to ten seconds of the structure search, which shows most of its forms in them. The shorter it
is the fewer could undercut it, and the sooner it may end a search: at BRIEF at once, then in proportion."""

SHORT_ENOUGH = 45.0
"""Nats of a formula (some six measured constants) up to which a fit within the errors ends a search.

A longer one may be an approximation that a shorter law replaces: three peaks for a Planck curve.
"""

NEARLY_WHOLE, NEXT_TO_NOTHING = 1e-3, 1e-7
"""How far a formula's numbers may be off whole ones, as a share, and the share of the target's variance that
it may leave with these in their place: slopes taken from differences are off by so much. The two or three
numbers of an approximation do not all come out so."""

GAIN = 1.0
"""Nats by which a formula must be shorter than the best so far to be worth going on for."""

PATIENCE, PATIENCE_A_PAIR = 40.0, 1e-3
"""Units of work (see `base.budget`), and units for each pair of rows in each column, after which a search
that found nothing better ends. Few rows of noise tell only few formulas apart: of small tables with a known
curve, none was found later, while a thousand rows are searched to the end."""

APPROXIMATED = 600.0
"""Units of work up to which nobody is content with a formula that approximates an exact law: of twenty rows
sin(x**2)*cos(x) - 1 was found 483 units after its last approximation, sin(x) + sin(x**2 + x) 337 after."""

UNFOUNDED = 2.0
"""How many times as patient a search is where the table does not show its noise: there may be none."""


BEATEN = 100.0
"""Units of work that a look counts whose formulas cannot come near what stands: as fitting them takes."""

ROWS_OF_DIGITS = 20
"""Rows that tell of four digits each what no other formula of SHORT_ENOUGH nats says: 180 nats and more."""

WITHIN_DIGITS = 3.0
"""Times step²/12 that rows are off by in the mean if each is by half its last digit."""

A_NUMBER = 1
"""Measured numbers of a formula that may meet the digits of many rows for a reason: with every further one an
approximation comes some ten times nearer; one alone does not follow a curve to a ten-thousandth."""

SHORT = 2
"""Digits of a number that is short: that the numbers of an approximation, which are known to five digits and
more, are all so is luck of less than one in a thousand each."""

DIGITS = 100.0
"""Times the mean square of a target's rounding that a formula may leave where it meets all its digits but the
last: of measured values that is uncertain."""


class Patience:
    """Count the work since the best formula became shorter, and tell when that is enough.

    Formulas that are fitted count as a unit each, beside what `budget` counts. `share` is of the usual
    patience.
    """

    def __init__(self, survey: Survey, archive: Archive, budget: Budget, share: float = 1.0) -> None:
        self._archive, self._budget = archive, budget
        founded = 1.0 if survey.noise.founded else UNFOUNDED
        pairs = archive.trial.rows**2 * len(archive.trial.names)
        self._most = share * founded * (PATIENCE + PATIENCE_A_PAIR * pairs)
        self._best, self._fitted, self._since = archive.shortest, 0, budget.used

    def fitted(self) -> None:
        """Count one more formula."""
        self._fitted += 1
        if self._archive.shortest < self._best - GAIN:
            self._best, self._since = self._archive.shortest, self._work

    @property
    def spent(self) -> bool:
        """Tell whether the search has gone on for long enough without a better formula."""
        since = self._work - self._since
        return since > self._most and (since > APPROXIMATED or not self._approximated())

    @property
    def waited(self) -> float:
        """Return the work since the best formula stands, none where it only approximates an exact law."""
        return 0.0 if self._approximated() else self._work - self._since

    def _approximated(self) -> bool:
        """Tell whether the best formula only approximates an exact law: it leaves less than noise would.

        But more than round-off, and than the target's last digits, which nothing explains.
        """
        law, trial = self._archive.leader, self._archive.trial
        if law is None or exact(law, trial):
            return False
        return DIGITS * trial.train.resolution < law.loss < LEAST_NOISE**2 * trial.power

    @property
    def _work(self) -> float:
        """Return the units of work so far, a fitted formula counted as one."""
        return self._budget.used + self._fitted


def _nearly_whole(formula: sympy.Expr, rows: Rows, power: float) -> bool:
    """Tell whether a formula's numbers are next to whole ones, which leave next to nothing of this power."""
    near = {q: sympy.Integer(round(q)) for q in formula.atoms(sympy.Float)}
    if any(abs(q - whole) > NEARLY_WHOLE * abs(whole) for q, whole in near.items()):
        return False
    values = valued(formula.xreplace(near), rows.symbols, rows.X)
    return values is not None and rows.loss(values) <= NEXT_TO_NOTHING * power


def _short_numbers(formula: sympy.Expr, rows: Rows, most: float) -> bool:
    """Tell whether a formula with its numbers in SHORT digits leaves at most so much."""
    near = {q: sympy.Float(f"{float(q):.{SHORT}g}") for q in formula.atoms(sympy.Float)}
    values = valued(formula.xreplace(near), rows.symbols, rows.X)
    return values is not None and rows.loss(values) <= most


class Ending:
    """Answer whether a search may end; each leader is looked at once.

    A formula of at most so many nats as `most` may end it once the tree was asked in noise; `led` is the
    best formula when the present look began, `amended` are those that were changed (`pipeline.amending`).
    """

    def __init__(self, survey: Survey, archive: Archive, most: float = PLAIN) -> None:
        self._survey, self._archive, self.most = survey, archive, most
        self.led: Judged | None = None
        self.amended: list[Judged] = []
        self._seen: tuple[object, bool] = (None, False)
        self._whole: tuple[object, bool] = (None, False)

    @property
    def quiet(self) -> bool:
        """Tell whether the table has no noise to speak of, by its trend."""
        return self._survey.usual_error**2 < QUIET * self._archive.trial.power

    def proved(self) -> bool:
        """Tell whether the best formula is exact."""
        return self._archive.leader is not None and exact(self._archive.leader, self._archive.trial)

    @property
    def news(self) -> bool:
        """Tell whether the best formula is of the present look."""
        return self._archive.leader is not self.led

    def whole(self) -> bool:
        """Tell whether a short formula leaves next to nothing once all its numbers are whole ones."""
        law, trial = self._archive.leader, self._archive.trial
        if law is None or len(trial.small.y) < LEAST_ROWS or law.loss > NEXT_TO_NOTHING * trial.power:
            return False
        if self._whole[0] is not law:
            short = (m for m in self._archive.best.values() if price(m.polished, trial) <= SHORT_ENOUGH)
            self._whole = law, any(_nearly_whole(m.expression, trial.small, trial.power) for m in short)
        return self._whole[1]

    def digits_met(self) -> bool:
        """Tell whether a short formula of one measured number at most meets every digit of fine enough rows.

        Numbers next to short ones, with which it meets them as well, are not measured. Of few rows
        there are several such formulas, and a coarse target is met by many.
        """
        law, trial = self._archive.leader, self._archive.trial
        if law is None or trial.rows < ROWS_OF_DIGITS or self.lengthy:
            return False
        step = trial.train.resolution
        off = max(law.loss, law.heldout)
        # what meets full precision is proved, which says more
        if off > WITHIN_DIGITS * step or not 0 < step < LEAST_NOISE**2 * trial.power:
            return False
        if len(law.polished.theta) <= A_NUMBER:
            return True
        return _short_numbers(law.expression, trial.small, WITHIN_DIGITS * step)

    def only_noise_left(self) -> bool:
        """Tell whether no test sees structure in what the best formula leaves, drifting noise aside."""
        law, rows = self._archive.leader, self._archive.trial.small
        if law is None or len(rows.y) < LEAST_ROWS:
            return False
        if self._seen[0] is not law:
            self._seen = law, self._leaves_noise(law)
        return self._seen[1]

    def familiar_enough(self, sources: set[str]) -> bool:
        """Tell whether a formula of these sources, or as short a one, is the best, with few constants, and
        leaves visible noise.

        Any number of rows will do: what a person would try first, and would then be content with.
        """
        law, trial = self._archive.leader, self._archive.trial
        rows = trial.small
        if (
            law is None
            or (law.source not in sources and price(law.polished, trial) > AS_SHORT)
            or len(rows.y) < ROWS_A_CONSTANT * len(law.polished.theta)
            or not more_than_noise(self._survey.chance, self._saved(law))
            or self._odd(law)
        ):
            return False
        share = law.loss / trial.power
        if share > EXPLAINED or share < (VISIBLE if len(rows.y) < LEAST_ROWS else VISIBLE_IN_MANY):
            return False
        return self._leaves_noise(law)

    def _odd(self, law: Judged) -> bool:
        """Tell whether a formula has odd exponents while the likeliest ridges are still to be asked.

        They hint at a shorter law: in noise of 10 % 0.75*a**0.099*b**1.1/c**1.12 stands for sqrt(b**2/c**2 -
        pi**2/a**2), 0.53*a/(b*c**0.69) for a/(b*(1 + c)), 2.7*a*b/c**(3/2) for a*b/(c - 1).
        """
        exponents = {power.exp for power in law.expression.atoms(sympy.Pow)}
        return self.most < PLAIN and any(
            e.has(sympy.Float) or (e.is_Rational and not e.is_Integer and abs(e) != sympy.Rational(1, 2))
            for e in exponents
        )

    def _leaves_noise(self, law: Judged) -> bool:
        """Tell whether no test sees structure in a formula's residuals but what drifting noise explains."""
        rows = self._archive.trial.small
        r = residuals(law.polished, rows)
        if not np.all(np.isfinite(r)):
            return False
        left = chance.structure(rows.X, r, shuffles=chance.FIRST_SHUFFLES)
        if LEFT < left.pvalue < UNCLEAR and len(r) > chance.MOST_ROWS:
            left = chance.structure(rows.X, r, most=ALL_ROWS)
        return left.pvalue > LEFT or correlation(rows.X, r, self._survey.dataset.names).explains

    def short_enough(self, asked: bool = False, waited: float = 0.0, within: bool = False) -> bool:
        """Tell whether only noise is left by a formula that few could undercut.

        Where the tree was `asked` in noise such a formula may be longer; the longer it is the more work it
        must have `waited` in vain for a better one, if it has measured numbers or a look is not over
        (`within`).
        """
        law = self._archive.leader
        if law is None or self._odd(law):
            return False
        patient = min(waited / CONTENT, 1.0) if within or len(law.polished.theta) else 1.0
        most = min(self.most, BRIEF + (PLAIN - BRIEF) * patient) if asked else BRIEF
        return price(law.polished, self._archive.trial) <= most and self.only_noise_left()

    def beaten(self, share: float) -> bool:
        """Tell whether a short formula leaves only noise, and less than a share of the target's variance."""
        law, trial = self._archive.leader, self._archive.trial
        if law is None or not law.loss < share * trial.power or price(law.polished, trial) > PLAIN:
            return False
        return self.only_noise_left()

    @property
    def lengthy(self) -> bool:
        """Tell whether the best formula is so long that it may approximate a shorter law."""
        law, trial = self._archive.leader, self._archive.trial
        return law is not None and price(law.polished, trial) > SHORT_ENOUGH

    def within_errors(self) -> bool:
        """Tell whether known measurement errors explain all that a short formula leaves."""
        law, trial = self._archive.leader, self._archive.trial
        varies = law is not None and bool(law.expression.free_symbols)
        return law is not None and varies and not self.lengthy and within(law, trial)

    def nothing_there(self) -> bool:
        """Tell whether the rows look like shuffled ones and no formula says more than luck could."""
        law = self._archive.leader
        if law is None or self._survey.dataset.rows < LEAST_ROWS_OF_NOISE:
            return False
        return not more_than_noise(self._survey.chance, self._saved(law))

    def _saved(self, law: Judged) -> float:
        """Return the nats that a formula saves over the best constant."""
        flat = [m.length for m in self._archive.best.values() if not m.expression.free_symbols]
        return min(flat) - law.length if flat else 0.0

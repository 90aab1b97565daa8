"""A person's own formula: read, fitted as it stands, and judged like any other.

"V*S/(K + S); K > 0; 0 < V < 100" has two named constants, S is a column. Names that are no column are
constants to be fitted within the bounds given; without any, the formula's decimal numbers are fitted from
where they are. Nothing is rounded, for it is their formula.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.optimize import least_squares

from kansym.base.errors import InputError
from kansym.data.dataset import Dataset
from kansym.formula.guarded import UNDEFINED
from kansym.formula.polish import STEPS, Polished, Rows, fit
from kansym.formula.program import Program, parametrise
from kansym.functions.parsing import CONSTANTS, FUNCTIONS, names_in, parse_expression, symbols
from kansym.judge.scorer import Judged, judge
from kansym.judge.trial import Trial

GUESS = "guess"
"""How the source of a person's own formula begins."""

STARTS = 40
"""Random starts of named constants; the best fit counts. Half of the 27 NIST problems need more than one."""

DECADES = 3.0
"""Starts are spread over so many powers of ten on both sides of one, or over the bounds."""

TRIED_ROWS = 300
"""Rows that the starts are tried on; the fit takes all."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BETWEEN = re.compile(rf"^({_NUMBER})\s*<=?\s*(\w+)\s*<=?\s*({_NUMBER})$")
_ONE_SIDE = re.compile(rf"^(\w+)\s*(<=?|>=?)\s*({_NUMBER})$")
_EULER = re.compile(r"(?<![\w.`])[eE](?![\w`]|\s*(?:\*\*|\^))")


@dataclass(frozen=True)
class Guess:
    """Hold a formula with named constants, and the least and largest value of each."""

    text: str
    formula: sympy.Expr
    constants: tuple[sympy.Symbol, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @staticmethod
    def parse(text: str, names: Sequence[str]) -> Guess:
        """Read a guess about columns `names`; raises InputError for what is none.

        >>> guess = Guess.parse("V*S/(K + S); K > 0; 0 < V < 9", ["S"])
        >>> [(str(c), a, b) for c, a, b in zip(guess.constants, guess.low, guess.high)]
        [('V', 0.0, 9.0), ('K', 0.0, inf)]
        """
        body, *rules = (part.strip() for part in str(text).split(";"))
        head, equals, right = body.partition("=")
        body = right.strip() if equals and re.fullmatch(r"\s*[`\w ]+\s*", head) else body
        _, alone = names_in(body)
        known = {*names, *CONSTANTS, *FUNCTIONS}
        wanted = [n for n in alone if n not in known and not re.match(r"[\d.]", n)]
        formula = parse_expression(body, [*names, *wanted])
        bounds = {n: [-math.inf, math.inf] for n in wanted}
        for rule in (r for r in rules if r):
            name, low, high = _bound(rule, text)
            if name not in bounds:
                raise InputError(
                    f"Guess {text!r} bounds {name!r}, which is no constant of it; "
                    f"its constants are {', '.join(wanted) or 'none'}."
                )
            bounds[name] = [max(bounds[name][0], low), min(bounds[name][1], high)]
            if not bounds[name][0] < bounds[name][1]:
                raise InputError(f"Guess {text!r} leaves no room for {name!r}; give low < {name} < high.")
        limits = [bounds[n] for n in wanted]
        return Guess(str(text), formula, symbols(wanted), *(tuple(b[k] for b in limits) for k in (0, 1)))

    @property
    def source(self) -> str:
        """Return where its laws come from, as the front says it."""
        return f"{GUESS}: {self.text}"

    def judged(self, trial: Trial, dataset: Dataset) -> Judged | None:
        """Return the guess judged on the trial's rows, its constants then fitted to the whole dataset.

        None where it is undefined on some row, whatever its constants.
        """
        first = self._fitted(trial.train)
        if first is None:
            return None
        law = judge(first, first, trial, self.source)
        everything = trial.rows_of(dataset)
        final = self._within(first.program, first.theta, everything)
        if final is None:
            return law
        return Judged(
            final, final, law.complexity, final.loss, law.heldout, law.length, law.source, law.fault
        )

    def _fitted(self, rows: Rows) -> Polished | None:
        """Return the best fit from all starts."""
        if not self.constants:
            form, names, start = parametrise(self.formula)
            return self._within(Program.compile(form, rows.symbols, names, start), start, rows)
        program = Program.compile(self.formula, rows.symbols, self.constants, np.ones(len(self.constants)))
        some = rows.thinned(TRIED_ROWS)
        found = [self._within(program, start, some, 40) for start in self._starts()]
        defined = [f for f in found if f is not None and math.isfinite(f.loss)]
        if not defined:
            return None
        best = min(defined, key=lambda f: f.loss)
        return self._within(program, best.theta, rows)

    def _starts(self) -> np.ndarray:
        """Return starts (STARTS, constants): all ones first, then random sizes of either sign."""
        random = np.random.default_rng(0)
        low, high = np.array(self.low), np.array(self.high)
        size = 10 ** random.uniform(-DECADES, DECADES, (STARTS, len(low)))
        starts = size * np.where(random.uniform(size=size.shape) < 0.3, -1.0, 1.0)
        starts[0] = 1.0
        boxed = np.isfinite(low) & np.isfinite(high)
        starts[:, boxed] = random.uniform(low[boxed], high[boxed], (STARTS, int(boxed.sum())))
        # one-sided bounds: as far inside as the start is large
        starts = np.where(np.isfinite(low) & ~np.isfinite(high), low + np.abs(starts), starts)
        return np.where(np.isfinite(high) & ~np.isfinite(low), high - np.abs(starts), starts)

    def _within(self, program: Program, start: np.ndarray, rows: Rows, steps: int = STEPS) -> Polished | None:
        """Return the fit from one start, within the bounds; None where it is undefined."""
        given = Program.compile(program.template, rows.symbols, program.parameters, start)
        try:
            free = fit(given, rows, steps)
        except UNDEFINED:
            return None
        if free is None or not self.constants or self._inside(free.theta):
            return free
        low, high = np.array(self.low), np.array(self.high)

        def residual(theta: np.ndarray) -> np.ndarray:
            """Return the weighted residuals (n,), large where the formula is undefined."""
            r = rows.off(given.value(rows.X, theta))
            return np.where(np.isfinite(r), r, 1e9)

        margin = 1e-9 * np.where(np.isfinite(low) & np.isfinite(high), high - low, 1.0)
        inside = np.clip(free.theta, low + margin, high - margin)
        best = least_squares(residual, inside, bounds=(low, high), max_nfev=20 * steps)
        loss = rows.loss(given.value(rows.X, best.x))
        covariance = free.covariance if free.covariance.size else np.zeros((len(best.x),) * 2)
        return Polished(given, best.x, covariance, loss) if math.isfinite(loss) else None

    def _inside(self, theta: np.ndarray) -> bool:
        """Tell whether the constants are within their bounds."""
        return bool(np.all(theta >= np.array(self.low)) and np.all(theta <= np.array(self.high)))


def euler(text: str) -> str:
    """Return what to say of a guess in which e stands alone and is no base of a power; "" for another.

    >>> euler("b + (t - b)/(1 + (conc/e)**h)"), euler("a*e**(-k*x)")
    ("e is read as Euler's number 2.718; name it otherwise to have it fitted", '')
    """
    found = _EULER.search(text.partition(";")[0].rpartition("=")[2])
    return f"{found[0]} is read as Euler's number 2.718; name it otherwise to have it fitted" if found else ""


def _bound(rule: str, text: str) -> tuple[str, float, float]:
    """Return the name that a rule bounds, and its least and largest value; raises InputError for no rule."""
    if between := _BETWEEN.match(rule):
        return between[2], float(between[1]), float(between[3])
    if side := _ONE_SIDE.match(rule):
        value = float(side[3])
        return (side[1], -math.inf, value) if side[2].startswith("<") else (side[1], value, math.inf)
    raise InputError(f"Guess {text!r} has the bound {rule!r}; write for instance K > 0 or 0 < K < 5.")

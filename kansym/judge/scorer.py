"""The one scorer: what a fitted formula costs in nats, and its figures on fitted and held-out rows."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.linear import TINY, UNDETERMINED, norms, span
from kansym.formula import constants, prior, uncertainty
from kansym.formula import expression as expressions
from kansym.formula.grammar import steps
from kansym.formula.polish import Constant, Polished, Rows, fit
from kansym.judge import between
from kansym.judge.trial import Trial

FAULT = 20.0
"""Nats that a formula pays for what it does between uneven rows (see `between`): odds of 5e8 to one."""

RANGE = 2.2
"""Nats of a measured number of a tiny table beyond log(rows)/2. Families alone are right on 58 of 64 tables
of one column at 1.9, on 57 at 1.15, 56 at 0.5, and on 54 where a number costs its digits."""

ROUNDED = math.log(2)
"""Nats saved by a measured number of a tiny table that became exact: numbers are exact or not, one in two."""

DECIDES, STEPS = 0.9, 20
"""Leverage from which a row decides a constant, so that no straight line says what a formula would be without
it, and the steps of a fit that does."""

MOST_OF_A_NUMBER = 5.0
"""Nats that an exact number costs in a form that has a name, at most; where numbers that became exact cost
more, the name is lost: 12 each where the two rates of a Bateman curve differ by 1, 6 where one is 1."""

UNUSUAL = 6.0
"""Nats of digits (a part in 400) that an irrational number must have to cost no more than a measured one of a
tiny table: among twenty such numbers, their halves and their doubles one lies within a hundredth of any
value. With 7 more forms of a category's cells keep measured numbers, and bikes take 33 s instead of 12."""

LUCK = 20.0
"""Nats that an exact formula saves over one that is off by the rounding of a target in few digits. A choice
among a million formulas wins 14 by luck; Anscombe's second set, a parabola in two decimals, is met to
round-off by a wave of three rows about one, which costs 28 more."""

SMALL_NUMBER = 4.0
"""Nats of an exact number that the price of its symbol covers: up to 3, or 1/2."""

ONE_FOR_TWO = 3.0
"""Nats for a measured number that stands in two places: that two numbers are one, which saves a measured one,
is as rare as one in twenty (`ties`). 107*exp(-0.21*weight)/horsepower**0.21 is no law."""

LEVEL = 2.5
"""Nats for saying which number is another one in which level of a category: one of a dozen."""

MOST_LEVELS = 12
"""Levels (of several categories: crossed ones) in which a law is looked at by itself."""


def length(polished: Polished, loss: float, trial: Trial, unrounded: Polished | None = None) -> float:
    """Return the description length in nats of a fitted formula with this loss on all rows.

    Of a tiny table a number costs the same however well the rows determine it. So one that came to be exact
    (`snapping.settle` weighs its digits) would get nothing for that: there the formula costs at most what it
    does `unrounded`, less ROUNDED for each such number, where it has kept its form.
    """
    known = len(polished.theta)
    misfit = criterion.misfit_length(
        _counted(loss, trial), trial.rows, known, trial.train.floor, trial.sigma2
    )
    own = price(polished, trial)
    settled = 0 if unrounded is None else len(unrounded.theta) - known
    if trial.tiny and unrounded is not None and settled > 0 and _of_one_form(polished, unrounded, trial):
        unusual = (_irrational(c) for c in polished.fixed)
        own = min(own, price(unrounded, trial) - ROUNDED * settled + sum(unusual))
    return misfit + own


def _of_one_form(polished: Polished, unrounded: Polished, trial: Trial) -> bool:
    """Tell whether a formula whose numbers became exact is still what it was, and no form without a name.

    200·(exp(t) - 1)·exp(-1.15·t) is no Bateman curve to anybody.
    """
    if any(c.exact is not None and not c.exact.is_Rational for c in polished.fixed):
        return True  # whether pi is meant is for its digits to say
    more = _symbols(polished.expression, trial) - _symbols(unrounded.expression, trial)
    return more <= MOST_OF_A_NUMBER * (len(unrounded.theta) - len(polished.theta))


def _irrational(constant: Constant) -> float:
    """Return the nats that a number taken for a multiple of pi, e or a root costs beyond a measured one.

    One that the rows know to so many digits that they say which number it is costs none.
    """
    if constant.exact is None or constant.exact.is_Rational:
        return 0.0
    return max(0.0, UNUSUAL - math.log1p(abs(constant.value) / max(constant.stderr, TINY)))


def _counted(loss: float, trial: Trial) -> float:
    """Return the loss that counts: of a target in few digits an exact one is LUCK better than its rounding.

    Another formula that meets the same digits describes the rows as fully: the exact one says no more.
    """
    rows = trial.train
    if loss > rows.floor or rows.fine(rows.resolution):
        return rows.counted(loss)
    return max(rows.floor, rows.resolution * math.exp(-2 * LUCK / trial.rows))


def price(polished: Polished, trial: Trial) -> float:
    """Return the nats that a fitted formula itself needs.

    What its symbols cost (`prior`), and for each free constant what writing it to its standard error takes
    (Rissanen's code; at least log(rows)/2); large exact numbers cost likewise. That a measured number stands
    there is in the price of the symbols. Of a tiny table each constant costs log(rows)/2 and its RANGE,
    however well it is determined: the evidence under a prior that says as much as one row does (Kass and
    Wasserman, JASA 90, 1995).
    """
    least = 0.5 * math.log(max(trial.rows, 2))
    if trial.tiny:
        sizes = (criterion.number_length(c.value, math.inf) - criterion.NUMBER for c in polished.free)
        numbers = sum(least + RANGE + nats for nats in sizes)
    else:
        lengths = (criterion.number_length(c.value, c.stderr) - criterion.NUMBER for c in polished.free)
        numbers = sum(max(least, nats) for nats in lengths)
        numbers += _shared_precision(polished.covariance)
    numbers -= _elsewhere(polished, trial)
    # a symbol's price covers a small whole number; a large exact one is no cheaper than a measured one
    exact_ones = polished.program.template.atoms(sympy.Rational) - {sympy.Integer(1), sympy.Integer(-1)}
    places = steps(polished.program.template)  # each says between which two rows
    numbers += math.log(trial.rows) * len(places)
    numbers += sum(max(0.0, constants.price(q) - SMALL_NUMBER) for q in exact_ones if abs(q) not in places)
    # 3.56 - 3*[b] says two measured numbers: that their difference is round means nothing
    numbers += (least + RANGE) * _differences(polished.expression, trial)
    numbers += ONE_FOR_TWO * _again(polished.expression)
    return numbers + _symbols(polished.expression, trial)


def _again(formula: sympy.Expr) -> int:
    """Return how many places of a formula have a measured number that stands in another place, too.

    What multiplies every term of a sum stands there once where the form has a name, A - A·exp(-k·x), and so
    does what is within an expression that comes again, x**n/(x**n + K).
    """
    places = [abs(n) for n in sympy.preorder_traversal(formula) if n.is_Float]
    if len(set(places)) == len(places):
        return 0  # as of most formulas: whether it has a name takes longer to say
    named, seen = prior.named(formula), set[sympy.Basic]()

    def numbers(e: sympy.Basic) -> list[sympy.Basic]:
        """Return the sizes of the measured numbers, one for each place."""
        if e.is_Float:
            return [abs(e)]
        if e in seen:
            return []
        if e.args and not e.is_Add and not e.is_Mul:
            seen.add(e)
        factors = [abs(term.as_coeff_Mul()[0]) for term in e.args] if named and e.is_Add else []
        if len(set(factors)) == 1 and factors[0].is_Float:
            return [factors[0], *(n for term in e.args for n in numbers(term.as_coeff_Mul()[1]))]
        return [n for part in e.args for n in numbers(part)]

    found = numbers(formula)
    return len(found) - len(set(found))


def _elsewhere(polished: Polished, trial: Trial) -> float:
    """Return the nats of constants' sizes that are spared where columns are counted from their middle row.

    The factor of A·exp(k·year) is what the growth would have been 2000 years ago, 1e-289 for a doubling in
    two years; of A·exp(k·(year - 1990)) it is a number like others.
    """
    absurd = sum(criterion.absurdity(c.value) for c in polished.free)
    if not absurd:
        return 0.0
    X = trial.train.X
    middle, span = np.median(X, axis=0), np.ptp(X, axis=0)
    far = [
        (s, s + sympy.Float(m))
        for s, m, width in zip(trial.train.symbols, middle, span, strict=True)
        if abs(m) > width
    ]
    sizes = (abs(q) for q in polished.expression.xreplace(dict(far)).atoms(sympy.Float))
    return max(0.0, absurd - sum(criterion.absurdity(float(q)) for q in sizes))


def _differences(formula: sympy.Expr, trial: Trial) -> int:
    """Return how many exact numbers the levels of categories add to measured ones."""
    marks = {n for levels in trial.dataset.categories.values() for n in levels}
    sums = formula.atoms(sympy.Add) if marks else ()
    parts = [part for total in sums if any(a.is_Float for a in total.args) for part in total.args]
    exact = [rest for number, rest in (part.as_coeff_Mul() for part in parts) if number.is_Rational]
    return sum(rest.is_Symbol and rest.name in marks for rest in exact)


def _symbols(formula: sympy.Expr, trial: Trial) -> float:
    """Return the nats of a formula's symbols; numbers that a level of a category changes are priced apart.

    Such a law is one law, that of the level where it is longest, and numbers that are others elsewhere.
    """
    names = {str(s) for s in formula.free_symbols}
    used = [levels for levels in trial.dataset.categories.values() if names & set(levels)]
    if not used:
        return prior.price(formula, len(trial.names))
    columns = len(trial.names) - sum(len(levels) for levels in trial.dataset.categories.values())
    own = dict(zip(trial.names, trial.train.symbols, strict=True))
    most, written = -math.inf, 0
    for chosen in itertools.islice(itertools.product(*used), MOST_LEVELS):
        swap = {own[n]: sympy.Integer(n in chosen) for levels in used for n in levels if n in own}
        alone = formula.xreplace(swap)
        if alone.has(sympy.zoo, sympy.nan, sympy.oo):
            continue
        nats = prior.price(alone, max(columns, 1))
        if nats > most:
            most, written = nats, _numbers(alone)
    if not math.isfinite(most):
        return prior.price(formula, len(trial.names))
    return most + LEVEL * max(_numbers(formula) - written, 1)


def _numbers(formula: sympy.Expr) -> int:
    """Return how many numbers other than 1 and -1 a formula has."""
    return sum(n not in (1, -1) for n in formula.atoms(sympy.Number))


def _shared_precision(covariance: np.ndarray) -> float:
    """Return -log det(correlation)/2: the digits that correlated constants need beyond their own errors."""
    errors = np.sqrt(np.clip(np.diag(covariance), 0, None))
    known = errors > 0
    if known.sum() < 2:
        return 0.0
    with np.errstate(all="ignore"):
        correlation = covariance[np.ix_(known, known)] / np.outer(errors[known], errors[known])
    if not np.all(np.isfinite(correlation)):  # some constant is not determined at all
        return 0.0
    spectrum = np.linalg.eigvalsh(correlation)
    return -0.5 * float(np.sum(np.log(np.clip(spectrum, 1e-14, None))))


@dataclass(frozen=True)
class Judged:
    """Hold a fitted formula with its figures; `unrounded` has every constant as fitted.

    `fault` says what is wrong with it between the rows, if anything (`between`).
    """

    polished: Polished
    unrounded: Polished
    complexity: int
    loss: float
    heldout: float
    length: float
    source: str
    fault: str = ""

    @property
    def expression(self) -> sympy.Expr:
        """Return the formula."""
        return self.polished.expression


def judge(polished: Polished, unrounded: Polished, trial: Trial, source: str) -> Judged:
    """Measure a fitted formula on the training and the held-out rows, and between them."""
    program = polished.program
    loss = trial.train.loss(program.value(trial.train.X, polished.theta))
    if trial.heldout is None:
        heldout, shown, numbers = _alone(polished, loss, trial)
        if unrounded is not polished:
            # a number that is made exact leaves the rows no surer: off its best value a row that decides it
            # only seems to be met without itself
            _, before, as_many = _alone(unrounded, unrounded.loss, trial)
            shown = max(shown, before) if as_many == numbers else shown
    else:
        heldout = trial.heldout.loss(program.value(trial.heldout.X, polished.theta))
        shown = trial.pooled(loss, heldout, alone=bool(polished.expression.free_symbols))
    fault = between.fault(polished, trial.gaps, trial.train)
    nats = length(polished, shown, trial, unrounded)
    if fault:
        # even or few rows show nothing of what is between them: there such a formula counts as a constant
        if trial.tiny or trial.gaps is None or trial.gaps.even:
            nats = max(nats, length(polished, max(shown, trial.power), trial, unrounded))
        elif proves(heldout, trial):
            fault = ""  # an alias would not meet uneven rows it never saw
        else:
            nats += FAULT
            fault = "" if _foretells(heldout, trial) and between.stays(polished, trial.gaps) else fault
    size = expressions.complexity(polished.expression)
    return Judged(polished, unrounded, size, loss, heldout, nats, source, fault)


def _alone(polished: Polished, loss: float, trial: Trial) -> tuple[float, float, int]:
    """Return the mean square of rows of a tiny table left out in turn, that which counts, and the numbers.

    What any fit of so many numbers loses on rows left out is paid with the numbers; of rows that are met to
    their last digit, nothing tells how well others would be.
    """
    heldout, expected, numbers = leave_one_out(polished, trial.train)
    return heldout, trial.pooled(trial.train.counted(loss), heldout / expected), numbers


def leave_one_out(polished: Polished, rows: Rows) -> tuple[float, float, int]:
    """Return the mean squared error of each row predicted without it, by the linearised fit.

    The PRESS residual r_i / (1 - h_i), with h the diagonal of the hat matrix J (J'J)^-1 J' (Allen,
    Technometrics 16, 1974); without a row that decides a constant the formula is fitted anew. J has a column
    for each number of the formula, the exact ones too: they were chosen with the row in view. A formula that
    meets every row to round-off keeps its loss. The second value is how many times the loss that is for k
    numbers alike, (n / (n - k))², the third how many there are.
    """
    r = residuals(polished, rows)
    n, loss = len(r), float(np.mean(r * r))
    if not math.isfinite(loss):
        return math.inf, 1.0, 0
    if loss <= max(rows.floor, criterion.EXACT_SHARE * float(np.var(rows.y))):
        return loss, 1.0, 0
    leverage, numbers = leverages(polished, rows)
    alone = r / (1 - leverage)
    for i in np.flatnonzero(leverage > DECIDES):
        alone[i] = without(polished, rows, int(i))[1]
    if rows.penalty.squared:
        out = float(np.mean(alone**2))
    else:
        out = rows.loss(rows.y + alone / np.maximum(rows.root, math.sqrt(np.finfo(float).tiny)))
    return (out if math.isfinite(out) else math.inf), (n / max(n - numbers, 0.5)) ** 2, numbers


def without(polished: Polished, rows: Rows, row: int) -> tuple[float, float]:
    """Return the mean square that a formula fitted without a row leaves, and how far off the row is then.

    Both infinite where it cannot be fitted, or is not defined there.
    """
    kept = np.arange(len(rows.y)) != row
    weights = None if rows.weights is None else rows.weights[kept]
    others = replace(rows, X=rows.X[kept], y=rows.y[kept], weights=weights)
    fitted = fit(replace(polished.program, start=polished.theta), others, STEPS)
    off = math.nan if fitted is None else residuals(fitted, rows)[row]
    if fitted is None or not (math.isfinite(fitted.loss) and math.isfinite(off)):
        return math.inf, math.inf
    return fitted.loss, float(off)


def residuals(polished: Polished, rows: Rows) -> np.ndarray:
    """Return what a formula is off by (n,), times the roots of the rows' weights."""
    return rows.off(polished.program.value(rows.X, polished.theta))


def leverages(polished: Polished, rows: Rows) -> tuple[np.ndarray, int]:
    """Return the diagonal (n,) of the hat matrix of all numbers of a formula, and how many are determined."""
    J = uncertainty.slopes(polished.expression, rows)
    if not J.shape[1]:
        return np.zeros(len(rows.y)), 0
    U = span(J / norms(J), UNDETERMINED)[0]
    return np.clip(np.sum(U * U, axis=1), 0, 1 - 1e-9), U.shape[1]


def proves(heldout: float, trial: Trial) -> bool:
    """Tell whether an error on rows left out is nothing but round-off."""
    rows = trial.train if trial.heldout is None else trial.heldout
    written = rows.resolution if rows.fine(rows.resolution) else 0.0  # in many digits, though not in all
    return bool(heldout <= max(criterion.EXACT_SHARE * trial.power, rows.floor, written))


def _foretells(heldout: float, trial: Trial) -> bool:
    """Tell whether held-out rows are foretold better than by their mean by as many nats as a fault costs."""
    if trial.heldout is None or not 0 < heldout < trial.power:
        return False
    return 0.5 * len(trial.heldout.y) * math.log(trial.power / heldout) > FAULT


def exact(law: Judged, trial: Trial) -> bool:
    """Tell whether the held-out rows prove the formula: error below EXACT of the target's spread."""
    spare = len(trial.train.y) - len(law.polished.theta)
    return proves(law.heldout, trial) and spare >= 3


def within(law: Judged, trial: Trial) -> bool:
    """Tell whether stated measurement errors explain all that a formula leaves."""
    if trial.sigma2 is None:
        return False
    rows = len((trial.heldout or trial.train).y)
    # the mean of n squared unit normals exceeds this in about one case in fifty
    limit = 1.0 + 2.0 * math.sqrt(2.0 / rows)
    return max(law.loss, law.heldout) <= limit * trial.sigma2

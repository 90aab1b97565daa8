"""Candidate to law: snap, fit all constants, recognise the nice ones, simplify, compare on held-out rows.

Every producer's candidates take this one path, so that no formula is judged by its finder.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import sympy

from kansym.base import criterion
from kansym.data.dataset import Dataset
from kansym.formula import expression as expressions
from kansym.formula.guarded import polished as attempted
from kansym.formula.guarded import valued
from kansym.formula.parts import in_parts
from kansym.formula.polish import Polished, polish
from kansym.formula.settling import MAX_WORSENING, exchanges, settle, worsening
from kansym.formula.ties import ties
from kansym.formula.uncertainty import loosened
from kansym.judge.scorer import Judged, exact, judge, length
from kansym.judge.trial import JUDGED_ROWS, Trial

MOST_CONSTANTS = 10
"""With more free constants a formula is an approximation unless it is exact: none is made nice."""

BLURRED = 0.3
"""Exponents that are still measured numbers may break units by this much before they are made nice."""

NOTHING = 1e-14
"""Share of the values' size below which a term adds nothing to them: a double has 16 digits."""

LEAN_OPERATIONS = 20
"""Operations up to which a formula's terms are looked at for it: each look takes a millisecond."""

VANISHING = 4.0
"""Standard errors by which a factor or an exponent may be off the one that makes it vanish from a formula,
where that describes the rows in fewer nats: beside a thousand rows a power of 0.9974 ± 0.0013 costs 20."""

NEAR = 15.0
"""Nats behind the shortest description within which a formula is worth the work on its constants."""

ROUND_OFF = 0.01
"""Nats by which another form of a law is shorter at least: of less the fits' last digits are the cause."""


def refine(
    expression: sympy.Expr,
    trial: Trial,
    source: str,
    promising: float = math.inf,
    maxsize: int = 60,
    shortest: float = math.inf,
) -> Iterator[Judged]:
    """Yield the law that a formula becomes: fitted, then with nice constants, then simplified.

    A ratio of polynomials is written in partial fractions, too: a sum of saturations is what people write.
    Gives up before the fit when the formula is twice as large as may be shown (constants may still vanish
    from it), and after the first fit when its description length exceeds `promising`. Its constants are made
    nice only where that could bring it near the `shortest` description so far.
    """
    law: Judged | None = None
    for law in _refined(expression, trial, source, promising, maxsize, shortest):
        yield law
    if law is not None and law.length <= shortest + NEAR:
        form = in_parts(law.expression)
        if form is not None:
            yield from _refined(form, trial, source, promising, maxsize, shortest)


def _refined(
    expression: sympy.Expr, trial: Trial, source: str, promising: float, maxsize: int, shortest: float
) -> Iterator[Judged]:
    """Yield what a formula becomes, as `refine` does, in the form that it has."""
    if expressions.complexity(expression) > 2 * maxsize or not trial.allows(expression, BLURRED):
        return
    fitted = attempted(expression, trial.small)
    if fitted is None or length(fitted, fitted.loss, trial) > promising:
        return
    if trial.small is not trial.train:
        fitted = polish(fitted.expression, trial.train, 20) or fitted
    first = judge(fitted, fitted, trial, source)
    if first.length <= shortest + NEAR:
        values = fitted.program.value(trial.small.X, fitted.theta)
        lean = _without_nothing(fitted.expression, values, trial)
        if lean != fitted.expression and (plain := polish(lean, trial.train, 20)) is not None:
            fitted, first = plain, judge(plain, plain, trial, source)
        loose = _loosened(fitted, trial)
        if loose is not fitted:
            fitted, first = loose, judge(loose, loose, trial, source)
    if trial.allows(first.expression):
        yield first
    if not trial.rounding or (len(fitted.theta) > MOST_CONSTANTS and not exact(first, trial)):
        return
    if first.length - _savings(fitted) > shortest + NEAR:
        return
    settled = settle(fitted, trial.small)
    settled = shortened(settled, trial)
    again = settle(settled, trial.small)
    if trial.small is not trial.train:
        again = polish(again.expression, trial.train, 20, again.fixed) or again
        if worsening(fitted, again, trial.train) > MAX_WORSENING:
            # what a thousand rows allow, all of them may contradict
            again = settle(shortened(fitted, trial), trial.train)
    loose = _loosened(again, trial)
    if trial.allows(loose.expression):
        law = judge(loose, loose if loose is not again else fitted, trial, source)
        yield law
        for start in (law, first) if first.length < law.length else (law,):
            # nice numbers may have been dearer than they look: sqrt(2)/(2*sqrt(pi))
            if (shorter := _plainer(start, trial, shortest)) is not start:
                yield shorter


def _plainer(law: Judged, trial: Trial, shortest: float) -> Judged:
    """Return a law with exact numbers for measured ones, or one for two, as long as that is shorter.

    The number that saves the most comes first: of two for one constant, pi**2 and 10, but one can be taken.
    A number alone is settled by what its digits cost; here by what the formula does, its symbols included, in
    whatever form of it is the shortest. Of a tiny table that price is not sure enough.
    """
    if trial.tiny or law.length > shortest + NEAR:
        return law
    if exact(law, trial):
        return law
    forms: Iterable[tuple[sympy.Expr, float]]
    forms = ((form, 0.0) for form in exchanges(law.polished, trial.small, VANISHING))
    if all(c.stderr < abs(c.value) for c in law.polished.free):
        forms = itertools.chain(forms, ties(law.polished))
        if law.length < shortest:
            gauges = ((_gathered(form), 0.0) for form in expressions.gauges(law.expression))
            forms = itertools.chain(forms, gauges)
    best, least = law, law.length
    for form, price in forms:
        fitted = polish(form, trial.train, 20, law.polished.fixed)
        if fitted is None or not trial.allows(form):
            continue
        other = judge(fitted, law.unrounded, trial, law.source)
        if other.length + price < least:
            best, least = other, other.length + price
    return law if best is law else _plainer(best, trial, shortest)


def _gathered(e: sympy.Expr) -> sympy.Expr:
    """Return a formula with the exact factors of a measured number multiplied into it: 0.7·√2·x as 0.99·x."""

    def gather(*factors: sympy.Expr) -> sympy.Expr:
        """Return a product with one number."""
        number, rest = sympy.Mul(*factors).as_independent(*e.free_symbols, as_Add=False)
        return number.evalf(17) * rest if number.has(sympy.Float) else number * rest

    return e.replace(sympy.Mul, gather)


def _loosened(law: Polished, trial: Trial) -> Polished:
    """Return the law with the exponents measured that the rows contradict, unless they are round-off off.

    Of many rows only where the law that measures them is the shorter one.
    """
    if law.loss <= max(trial.train.floor, criterion.EXACT_SHARE * trial.power):
        return law
    changed = loosened(law.expression, trial.train)
    if changed is None or len(law.theta) >= MOST_CONSTANTS or not trial.allows(changed):
        return law
    free = attempted(changed, trial.train)
    if free is None or not free.loss < law.loss:
        return law
    shorter = trial.tiny or length(free, free.loss, trial) < length(law, law.loss, trial)
    return free if shorter else law


def _savings(polished: Polished) -> float:
    """Return the nats that nice constants may save: every number, and the symbols that go with it."""
    return sum(criterion.number_length(c.value, c.stderr) + 2 * criterion.NODE_PRICE for c in polished.free)


def shortened(polished: Polished, trial: Trial) -> Polished:
    """Return the fitted formula in its shortest algebraic form that agrees on the rows."""
    values = polished.program.value(trial.small.X, polished.theta)

    def same(e: sympy.Expr) -> bool:
        """Tell whether a form has the same values on the rows."""
        others = valued(e, trial.small.symbols, trial.small.X)
        return others is not None and expressions.agree(values, others)

    form = expressions.simplify(polished.expression, same, trial.positive)
    if form == polished.expression:
        return polished
    return polish(form, trial.small, 20, polished.fixed) or polished


def _without_nothing(formula: sympy.Expr, values: np.ndarray, trial: Trial) -> sympy.Expr:
    """Return a short formula without the terms that add nothing on the rows: exp(k·x) - 1 at large k·x.

    What is less than the round-off of the whole is nothing, whatever a term's constant.
    """
    if formula.count_ops() > LEAN_OPERATIONS:
        return formula
    for total in sorted(formula.atoms(sympy.Add), key=sympy.default_sort_key):
        for term in total.args:
            other = formula.xreplace({total: total - term})
            found = valued(other, trial.small.symbols, trial.small.X) if other.free_symbols else None
            if found is not None and expressions.agree(values, found, NOTHING):
                return _without_nothing(other, values, trial)
    return formula


def normalised(law: Judged, trial: Trial) -> Judged:
    """Return the law in the algebraic form whose constants are the nicest.

    a/(b - c/n²) and (a/b)·n²/(n² - c/b) are one function, but only in the second may a constant be a
    whole number. Each form is settled and judged; the shortest description wins.
    """
    best = law
    if not law.polished.program.parameters or not trial.rounding:
        return law
    for form in expressions.gauges(law.expression):
        fitted = polish(form, trial.small, 20, law.polished.fixed)
        if fitted is None or fitted.loss > 4 * max(law.loss, trial.train.floor):
            continue
        settled = settle(fitted, trial.small)
        if len(settled.theta) != len(law.polished.theta):
            # with as many constants measured it would only become the law again
            settled = shortened(settled, trial)
        other = judge(settled, law.unrounded, trial, law.source)
        if other.length < best.length - ROUND_OFF and trial.allows(other.expression):
            best = other
    return best if best is law else normalised(best, trial)


def with_all_rows(law: Judged, dataset: Dataset, trial: Trial) -> Judged:
    """Return the law with its constants refitted on every row; the held-out figure stays."""
    everything = trial.rows_of(dataset)
    # the constants are nearly there: on many rows a few steps are enough, and each one costs
    steps = 20 if dataset.rows <= JUDGED_ROWS else 5
    final = polish(law.polished.expression, everything, steps, law.polished.fixed)
    if final is None or not math.isfinite(final.loss):
        return law
    return replace(law, polished=final, loss=final.loss)

"""A law in constants that people know: a family's own, Vmax and Km, and those of each level of a category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy

from kansym.formula import expression as expressions
from kansym.formula import uncertainty
from kansym.formula.polish import Rows
from kansym.judge.guess import GUESS
from kansym.pipeline.run import ConstantReport, Law
from kansym.search.families import projection
from kansym.search.families.customary import customary
from kansym.search.families.family import Families

LONGER = 2
"""Symbols by which a family's form may be longer than a law that another search found: x·(15·x + 32) is an
odd power of a saturation, too, and nobody would call it so."""

MOST_LEVELS = 4
"""Levels of a category that each have a constant written; of more, what they have in common says more."""


def in_customary_constants(
    law: Law, rows: Rows, families: Families, chosen: bool, variance: float | None = None
) -> Law:
    """Return a law with its family's name, form and constants; the law itself where it belongs to none.

    A law is compared with the family that proposed it; the chosen one with all others, too, those of fewest
    constants first. `variance` is the noise's where the rows do not tell it. A law of exact numbers that is
    written as its family writes it keeps its own report, and a person's guess the names that they gave.
    """
    own = families.only([law.source]) if law.source in families else Families(())
    theirs = law.source.startswith(GUESS) and all(c.name.isidentifier() for c in law.constants)
    if law.expression is None or not law.expression.free_symbols or (theirs and law.constants):
        return law
    seen = projection.Rows(rows.X, rows.y, rows.root)
    if variance is None:
        variance = rows.variance(law.loss, len(law.constants))
    found = customary(law.expression, rows.symbols, seen, variance, own)
    special = found is not None and any(exact is not None for *_, exact in found.constants)
    if chosen and (found is None or special):
        # a Richards curve of the power 1 is a logistic one
        other = customary(law.expression, rows.symbols, seen, variance, families)
        if found is None and other and expressions.complexity(other.expression) > law.complexity + LONGER:
            return law
        if other is not None and (found is None or len(other.constants) < len(found.constants)):
            found = other
    if found is None:
        return law
    measured = any(exact is None for *_, exact in found.constants)
    if not measured and found.expression == law.expression:
        return law
    named = replace(
        law,
        family=found.family,
        form=found.form,
        constants=tuple(ConstantReport(*constant) for constant in found.constants),
    )
    size = expressions.complexity(found.expression)
    if size > law.complexity:
        return named
    text = expressions.text(found.expression)
    return replace(named, expression=found.expression, equation=text, complexity=size)


def by_level(law: Law, rows: Rows, categories: Sequence[Sequence[str]]) -> Law:
    """Return a law with a constant for each level in the place of one for all and what others add to it.

    5.2 - 1.1*[b] and 5.2*(1 - 0.21*[b]) are 5.2*[a] + 4.1*[b] in a table of the levels a and b: each number
    is one that a level has, with its own error. Where none is measured for all, comparisons with 1 stay.
    """
    if law.expression is None or law.source.startswith(GUESS):
        return law
    named = {s.name: s for s in rows.symbols}
    for levels in (tuple(named[n] for n in names if n in named) for names in categories):
        if 2 <= len(levels) <= MOST_LEVELS and law.expression.has(*levels):
            products = {e: _product(e, levels) for e in law.expression.atoms(sympy.Mul)}
            written = law.expression.xreplace({e: new for e, new in products.items() if new is not None})
            sums = {e: _each(e, levels) for e in written.atoms(sympy.Add)}
            written = written.xreplace({e: new for e, new in sums.items() if new is not None})
            if written != law.expression:
                constants = tuple(ConstantReport.of(c) for c in uncertainty.numbers(written, rows))
                text = expressions.text(written)
                law = replace(law, expression=written, equation=text, constants=constants)
    return law


def _product(whole: sympy.Expr, levels: Sequence[sympy.Symbol]) -> sympy.Expr | None:
    """Return a number times a sum over levels as a number for each level; None for another product."""
    number, rest = whole.as_coeff_Mul()
    for factor in sympy.Mul.make_args(rest):
        # an exact number beside measured ones of the levels is no number that anybody would write
        measured = number.is_Float or (number != 1 and factor.has(sympy.Float))
        each = _each(factor, levels, number) if measured and factor.is_Add else None
        if each is not None:
            return each * rest / factor
    return None


def _each(
    total: sympy.Expr, levels: Sequence[sympy.Symbol], factor: sympy.Float | None = None
) -> sympy.Expr | None:
    """Return a sum of a measured number and of levels' shares, times a factor, as a number for each level.

    None for another sum, or one that has no number for all and no factor.
    """
    base = total.subs(dict.fromkeys(levels, 0))
    plain = all(part.is_Number or part.as_coeff_Mul()[1] in levels for part in total.args)
    if not plain or not (base.is_Float or factor is not None):
        return None
    values = ((float(factor or 1) * float(base + total.coeff(s)), s) for s in levels)
    return sympy.Add(*(sympy.Float(value, 17) * s for value, s in values if value != 0))

"""A law that is a family's curve, in the family's customary constants: Vmax and Km with their errors."""

from __future__ import annotations

from dataclasses import replace

from kansym.formula import expression as expressions
from kansym.formula.polish import Rows
from kansym.pipeline.run import ConstantReport, Law
from kansym.search.families import projection
from kansym.search.families.customary import customary
from kansym.search.families.family import Families

LONGER = 2
"""Symbols by which a family's form may be longer than a law that another search found: x·(15·x + 32) is an
odd power of a saturation, too, and nobody would call it so."""


def in_customary_constants(
    law: Law, rows: Rows, families: Families, chosen: bool, variance: float | None = None
) -> Law:
    """Return a law with its family's name, form and constants; the law itself where it belongs to none.

    A law is compared with the family that proposed it; the chosen one with all others, too, those of fewest
    constants first. `variance` is the noise's where the rows do not tell it. A law of exact numbers that is
    written as its family writes it keeps its own report.
    """
    own = families.only([law.source]) if law.source in families else Families(())
    if law.expression is None or not law.expression.free_symbols:
        return law
    seen = projection.Rows(rows.X, rows.y, rows.root)
    if variance is None:
        variance = rows.variance(law.loss, len(law.constants))
    found = customary(law.expression, rows.symbols, seen, variance, own)
    if found is None and chosen:
        found = customary(law.expression, rows.symbols, seen, variance, families)
        if found is not None and expressions.complexity(found.expression) > law.complexity + LONGER:
            return law
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

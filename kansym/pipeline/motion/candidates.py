"""All right sides that might move one state, the cheapest look first, judged in the integrated form."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy

from kansym.formula import expression as expressions
from kansym.functions.parsing import symbols
from kansym.pipeline.motion import parametric, terms
from kansym.pipeline.motion.integral import Motion, fit

KEPT = 8
"""Right sides of one state that are kept for simulation."""

CLOSER = 0.9
"""A larger right side is kept when it leaves less than this share of what smaller ones leave."""

SHORTEST = 3
"""Shortest descriptions that are kept even so: noise lets a simpler look-alike come as near as the law."""

STEEP = 3
"""Right sides kept beside these, where what is left falls most by one more step of size."""

FEW_CONSTANTS = 2
"""Constants of the right sides that a broad look keeps: what some twenty rows can bear."""

BRIEF = 12
"""Symbols of a right side so short that nothing shorter need be looked for on clean rows."""

SHORT = {False: 14.0, True: 22.0}
"""Nats of a right side to which nothing can add much. After sums of products come functions
of two constants and four symbols, then those with a third constant inside and some eight symbols. A sum of
eleven symbols stood for a ratio as short, which was then never looked for."""

CLEAN = 0.1
"""Squared residual over the floor of the noise below which rows are clean."""

SPREAD = 1.5
"""Standard deviations of the sum of squared noise that a short right side may leave beyond its mean."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Hold a right side as fitted in the integrated form: chi2 over `rows` rows, nats in all."""

    expression: sympy.Expr
    chi2: float
    rows: int
    length: float
    familiar: bool = False

    @cached_property
    def complexity(self) -> int:
        """Return the size of the formula."""
        return expressions.complexity(self.expression)

    @property
    def own(self) -> float:
        """Return the nats of the formula itself: of its symbols and constants."""
        constants = terms.measured(self.expression)
        return terms.price(self.expression) + 0.5 * constants * math.log(self.rows)


def look(
    moving: Motion,
    state: int,
    broad: bool = False,
    brief: bool = False,
    before: Iterable[sympy.Expr] = (),
) -> list[Candidate]:
    """Return the best right sides, shortest description first.

    A `broad` look keeps right sides that simpler ones come near, too: of few rows only a simulation of
    all states together can tell. A `brief` look leaves out functions with constants inside, save those in the
    right sides found `before`, which are among what is compared.
    """
    values = moving.target(state)[0]
    rows = len(values)
    if np.ptp(values) == 0:
        return [Candidate(sympy.S.Zero, 0.0, rows, 0.0)]
    moving = moving.varying()
    known: list[Candidate] = []
    found: dict[sympy.Expr, Candidate] = {}
    if broad:
        _fitted(found, familiar(moving, state), moving, state, rows)
        known = sorted((replace(c, familiar=True) for c in found.values()), key=lambda c: c.length)
        found = {}
    _fitted(found, before, moving, state, rows)
    for rich in (False, True):
        for formula, chi2 in terms.sums(moving, state, rich, terms.BEAM if broad else terms.SHOWN):
            keep(found, formula, chi2, rows)
        if broad or (brief and rich) or settled(found.values(), SHORT[rich], moving.clean(state)):
            others = _best(found, broad)
            return [*known, *others] if broad else others
    _fitted(found, parametric.right_sides(moving, state), moving, state, rows)
    if not any(explains(c.chi2, c.rows) for c in found.values()):
        with_one = [c for c in _best(found, False) if any(f.atoms(sympy.Float) for f in _bare(c.expression))]
        for candidate in with_one[:1]:
            _fitted(found, parametric.right_sides(moving, state, candidate.expression), moving, state, rows)
    return _best(found, False)


def familiar(moving: Motion, state: int) -> list[sympy.Expr]:
    """Return what every textbook begins with, for a state x beside others y, all constants to be measured.

    Growth and decay a*x, a + b*x, coupling a*x + b*y, logistic a*x + b*x^2, encounters a*x + b*x*y
    (Lotka and Volterra).
    """
    one, half = sympy.Float(1.0, 17), sympy.Float(0.5, 17)
    x = symbols([moving.series.states[state]])[0]
    others = [s for s in symbols(moving.series.states) if s != x and s in moving.symbols]
    sums = [one * x, half + one * x, one * x + half * x**2]
    for y in others:
        sums += [one * y, one * x + half * y, one * x + half * x * y]
    return sums


def settled(candidates: Iterable[Candidate], nats: float, clean: bool) -> bool:
    """Tell whether no other right side could be much shorter than one that leaves no more than noise.

    Of clean rows it must be brief and leave next to nothing.
    """
    if clean:
        return any(c.complexity <= BRIEF and c.chi2 <= CLEAN * c.rows for c in candidates)
    return any(explains(c.chi2, c.rows) and c.own <= nats for c in candidates)


def explains(chi2: float, rows: int) -> bool:
    """Tell whether right sides leave no more than noise may."""
    return chi2 <= rows + SPREAD * math.sqrt(2 * rows)


def _fitted(
    found: dict[sympy.Expr, Candidate], formulas: Iterable[sympy.Expr], moving: Motion, state: int, rows: int
) -> None:
    """Fit formulas in the integrated form and keep those that can be."""
    for formula in formulas:
        fitted = fit(formula, moving, state, 20)
        if fitted is not None:
            keep(found, fitted.expression, fitted.chi2, rows)


def keep(found: dict[sympy.Expr, Candidate], formula: sympy.Expr, chi2: float, rows: int) -> None:
    """Keep a formula among those found: the shortest description of each that agrees to three digits."""
    key = formula.xreplace({f: sympy.Float(float(f"{float(f):.3g}")) for f in formula.atoms(sympy.Float)})
    # its price is that of its form: asked of the key, it is found again where other digits stand in it
    length = terms.length(key, chi2, rows, terms.measured(formula))
    if key not in found or length < found[key].length:
        found[key] = Candidate(formula, chi2, rows, length)


def _bare(formula: sympy.Expr) -> list[sympy.Expr]:
    """Return the terms of a sum without their coefficients."""
    return [part.as_coeff_Mul()[1] for part in sympy.Add.make_args(formula)]


def _best(found: dict[sympy.Expr, Candidate], broad: bool) -> list[Candidate]:
    """Return the right sides that no simpler one comes near, or simply the shortest descriptions."""
    if broad:
        few = [c for c in found.values() if terms.measured(c.expression) <= FEW_CONSTANTS]
        return sorted(few, key=lambda c: (c.length, c.complexity))[:KEPT]
    kept: list[Candidate] = []
    steps: list[float] = []
    for candidate in sorted(found.values(), key=lambda c: (c.complexity, c.chi2)):
        least = min((c.chi2 for c in kept), default=math.inf)
        if candidate.chi2 < CLOSER * least:
            kept.append(candidate)
            steps.append(candidate.chi2 / least)
    shortest = sorted(found.values(), key=lambda c: (c.length, c.complexity))
    likely = sorted({*kept, *shortest[:SHORTEST]}, key=lambda c: (c.length, c.complexity))[:KEPT]
    # where the smooth curves lack something the law is not the shortest, but where the front falls steeply
    steep = [c for _, c in sorted(zip(steps, kept, strict=True), key=lambda s: s[0])]
    return [*likely, *[c for c in steep[1:] if c not in likely][:STEEP]]

"""Functions with one constant inside: saturation, repression, growth, waves, powers, Arrhenius' law.

What is scanned by `parametric`, each function times the factors that it may have.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from kansym.pipeline.motion.integral import Motion
from kansym.pipeline.motion.terms import Term
from kansym.pipeline.motion.trajectory import TIME

SATURATION = np.geomspace(0.05, 50.0, 31)
"""Values of p * median(m) for 1/(1 + p*m): from hardly bent to fully saturated."""

RATES = np.geomspace(0.2, 6.0, 14)
"""Values of |p| * range(x) for exp(p*x)."""

POWERS = np.array([0.25, 0.4, 0.6, 0.75, 0.9, 1.2, 1.4, 1.6, 1.8, 2.3, 2.6, 3.4])
"""Values of p for x^p; whole and half powers are in the dictionary of known terms."""

LEANING = (sympy.Rational(1, 3), sympy.S.One, sympy.S(3))
"""Shares of two names in a sum under a line that are scanned; each then gets a constant of its own."""

SEASONAL = 2
"""States and inputs up to which each of them times a wave of the time is scanned, a rate that follows the
season: of more, the scan of a hundred frequencies takes longer than all others."""


@dataclass(frozen=True, eq=False)
class Family:
    """Hold a function with one constant p and what it may be multiplied by: its values and its formula.

    `grid` holds the values of p that are scanned; `factors` are (formula, values) pairs.
    """

    grid: np.ndarray
    value: Callable[[float], list[np.ndarray]]
    formula: Callable[[float], list[sympy.Expr]]
    factors: tuple[tuple[sympy.Expr, np.ndarray], ...]

    def terms(self, p: float) -> list[Term]:
        """Return the columns for one value of the constant."""
        formulas = itertools.product(self.formula(p), (g for g, _ in self.factors))
        return [Term(f * g, v) for (f, g), v in zip(formulas, self.columns(p), strict=True)]

    def columns(self, p: float) -> list[np.ndarray]:
        """Return the values of the terms alone: formulas cost more than all the rest of a scan."""
        return [v * w for v, (_, w) in itertools.product(self.value(p), self.factors)]


def families(moving: Motion) -> Iterator[Family]:
    """Yield the functions with a constant inside that the states, inputs and the time allow."""
    names = [k for k, n in enumerate(moving.names) if n != TIME or TIME in moving.series.states]
    states = [(moving.symbols[k], moving.columns[:, k]) for k in names]
    one = (sympy.S.One, np.ones(len(moving.columns)))
    firsts = (one, *states)
    for m, v in _denominators(states):
        if not moving.consistent(m):
            continue
        size = float(np.median(np.abs(v)))
        if size > 0:
            yield Family(SATURATION / size, *_repressing(m, v), (*firsts, *_products(states)))
            yield Family(SATURATION / size, *_saturating(m, v), firsts)
    for s, x in states:
        spread = float(np.ptp(x))
        if spread <= 0:
            continue
        rates = RATES / spread
        # the constant factor exp(p * middle) is left to the coefficient
        yield Family(np.concatenate([-rates, rates]), *_exponential(s, x), firsts)
        turns = np.linspace(0.3, 3.0, 28) if spread > 2 else np.linspace(0.5, 12.0, 24) / spread
        yield Family(turns, *_waves(s, x), (one,))
        if x.min() > 0:
            yield Family(POWERS, *_power(s, x), firsts)
            yield Family(np.geomspace(0.1, 10, 9) * float(np.median(x)), *_arrhenius(s, x), firsts)
    if TIME in moving.names and moving.names[-1] == TIME:
        t = moving.columns[:, -1]
        span = float(np.ptp(t))
        fastest = np.pi * moving.series.rows / len(moving.series.runs) / span / 4
        step = np.pi / span / 2
        grid = np.arange(2 * step, min(fastest, 120 * step), step)
        yield Family(grid, *_waves(moving.symbols[-1], t), firsts if len(states) <= SEASONAL else (one,))


def _denominators(
    states: Sequence[tuple[sympy.Symbol, np.ndarray]],
) -> Iterator[tuple[sympy.Expr, np.ndarray]]:
    """Yield what stands under a ratio's line beside one: powers, sums and products of two."""
    for s, x in states:
        for power in (1, 2, 3, 4):
            if power % 2 == 0 or x.min() >= 0:
                yield s**power, x**power
    if len(states) <= 4:
        for (a, u), (b, v) in itertools.combinations(states, 2):
            if u.min() >= 0 and v.min() >= 0:
                yield from ((a + share * b, u + float(share) * v) for share in LEANING)
                yield a * b, u * v


def _products(
    states: Sequence[tuple[sympy.Symbol, np.ndarray]],
) -> Iterator[tuple[sympy.Expr, np.ndarray]]:
    """Yield the products of two different names."""
    if len(states) <= 4:
        for (a, u), (b, v) in itertools.combinations(states, 2):
            yield a * b, u * v


Rule = tuple[Callable[[float], list[np.ndarray]], Callable[[float], list[sympy.Expr]]]
"""A function's values and its formulas for a constant p."""


def _repressing(m: sympy.Expr, v: np.ndarray) -> Rule:
    """Return 1/(1 + p*m)."""
    return (lambda p: [1 / (1 + p * v)]), (lambda p: [1 / (1 + sympy.Float(p, 17) * m)])


def _saturating(m: sympy.Expr, v: np.ndarray) -> Rule:
    """Return m/(1 + p*m)."""
    return (lambda p: [v / (1 + p * v)]), (lambda p: [m / (1 + sympy.Float(p, 17) * m)])


def _exponential(s: sympy.Expr, x: np.ndarray) -> Rule:
    """Return exp(p*x)."""
    return (lambda p: [np.exp(p * x)]), (lambda p: [sympy.exp(sympy.Float(p, 17) * s)])


def _waves(s: sympy.Expr, x: np.ndarray) -> Rule:
    """Return sin(p*x) and cos(p*x)."""

    def formulas(p: float) -> list[sympy.Expr]:
        """Return both waves."""
        return [f(sympy.Float(p, 17) * s) for f in (sympy.sin, sympy.cos)]

    return (lambda p: [np.sin(p * x), np.cos(p * x)]), formulas


def _power(s: sympy.Expr, x: np.ndarray) -> Rule:
    """Return x^p."""
    return (lambda p: [x**p]), (lambda p: [s ** sympy.Float(p, 17)])


def _arrhenius(s: sympy.Expr, x: np.ndarray) -> Rule:
    """Return exp(-p/x)."""
    return (lambda p: [np.exp(-p / x)]), (lambda p: [sympy.exp(-sympy.Float(p, 17) / s)])

"""What a formula costs before any data: the nats of its signs, by how often people write them.

A sign is priced given the sign above it and the function it stands in, from counts in lists of scientific
formulas (`library/prior.toml`, made by `scripts/make_prior.py`): cos(cos(x)) is dear because nobody writes
it. Rare places fall back on commoner ones (Bayesian machine scientist: Guimerà and others, Science
Advances 6, 2020; the smoothing is Dirichlet's). Forms that handbooks name, such as a logistic curve, cost
that name. exp(-price) of all formulas sums up to at most one, so the choice among any number is paid for.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
import sympy

from kansym.base import resources
from kansym.formula import constants
from kansym.formula.grammar import Place, Token, loose, mixed, structure, tokens, with_ones, with_still

UNSEEN = 0.5
"""Count added to every sign, so that none is impossible (Jeffreys)."""

NUMERALS = ("1", "2", "3", "4", "pi", "number")
"""Signs of exact numbers."""

EXACT = 0.7
"""Nats for saying that a constant of a handbook's form is an exact number: one in two."""

VALUES = 30.0
"""Counts of its own from which the values of exact numbers are believed."""

FUNCTIONS_UNSEEN = 30
"""Functions that may stand behind the sign "function", which all functions without a count share."""

REMEMBERED = 2000
"""Formulas whose price is remembered: each is asked for twice, when it is fitted and when it is judged."""


@dataclass(frozen=True)
class Prior:
    """Hold counts of signs by place, and how many counts of its own a place needs before it is believed.

    `known` counts whole forms (`grammar.structure`) that stand in a handbook: a logistic curve is one name,
    also where its height is 1.
    `numbers` and `exponents` count the exact ones in such places, where a form has a measured number.

    p(sign | parent, inside) = (n(sign, parent, inside) + nested·p(sign | parent)) / (n(parent, inside) +
    nested), and p(sign | parent) likewise from p(sign) with `shared`.
    """

    counts: Mapping[Place, Mapping[str, float]]
    shared: float
    nested: float
    known: Mapping[str, float] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    exponents: Mapping[str, float] = field(default_factory=dict)
    _all: Counter[str] = field(init=False)
    _below: Mapping[str, Counter[str]] = field(init=False)
    _sums: Mapping[Place | str, float] = field(init=False)
    _ones: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        """Add up the counts by parent and altogether."""
        total: Counter[str] = Counter()
        below: dict[str, Counter[str]] = {}
        for place, row in self.counts.items():
            total.update(row)
            below.setdefault(place.parent, Counter()).update(row)
        total.update({"function": 0})
        sums: dict[Place | str, float] = {place: sum(row.values()) for place, row in self.counts.items()}
        sums |= {parent: sum(row.values()) for parent, row in below.items()}
        sums[""] = sum(total.values())
        object.__setattr__(self, "_all", total)
        object.__setattr__(self, "_below", below)
        object.__setattr__(self, "_sums", sums)
        object.__setattr__(self, "_ones", _where_ones(self.known))

    @staticmethod
    def counted(formulas: Iterable[sympy.Expr], shared: float, nested: float) -> Prior:
        """Return the prior of these formulas."""
        counts: dict[Place, Counter[str]] = {}
        for formula in formulas:
            for token in tokens(formula):
                counts.setdefault(token.place, Counter())[token.sign] += 1
        return Prior(counts, shared, nested)

    def _numeral(self, sign: str, place: Place) -> float:
        """Return p(sign | place) of an exact number, each being rare: half by its place, half by its value.

        By its value: the chance that some exact number stands there, times how often it is this one anywhere.
        """
        all_of_them = sum(self._all[s] + UNSEEN for s in NUMERALS)
        value = sum(self.chance(s, place) for s in NUMERALS) * (self._all[sign] + UNSEEN) / all_of_them
        return 0.5 * (self.chance(sign, place) + value)

    def chance(self, sign: str, place: Place) -> float:
        """Return p(sign | parent, inside)."""
        alone = (self._all[sign] + UNSEEN) / (self._sums[""] + UNSEEN * len(self._all))
        row: Mapping[str, float] = self._below.get(place.parent, {})
        below = (row.get(sign, 0) + self.shared * alone) / (self._sums.get(place.parent, 0.0) + self.shared)
        own = self.counts.get(place, {})
        return (own.get(sign, 0) + self.nested * below) / (self._sums.get(place, 0.0) + self.nested)

    def sign_price(self, token: Token) -> float:
        """Return the nats of one sign in its place."""
        if token.sign in NUMERALS:
            return -math.log(self._numeral(token.sign, token.place))
        if token.sign in self._all:
            return -math.log(self.chance(token.sign, token.place))
        return -math.log(self.chance("function", token.place) / FUNCTIONS_UNSEEN)

    def price(self, formula: sympy.Expr, columns: int) -> float:
        """Return the nats of a formula of a table with this many input columns.

        A column's first mention says which of those not mentioned yet, a later one which of those that were.
        What measured and large numbers cost beyond their sign is not in it.
        """
        signs, choice, used = 0.0, 0.0, 0
        for token in tokens(formula):
            signs += self.sign_price(token)
            if token.sign == "column":
                choice += math.log(max(columns - used, 1))
                used += 1
            elif token.sign == "again":
                choice += math.log(max(used, 1))
        return choice + self._either(signs, formula)

    def _either(self, signs: float, formula: sympy.Expr) -> float:
        """Return the nats of a form that is written sign by sign or, just as likely, named in a handbook."""
        if not self.known:
            return signs
        named = -self._named(formula)
        freed = loose(formula)
        if freed.form != formula:
            exact = sum(_value(q, self.numbers) for q in freed.numbers)
            exact += sum(_value(q, self.exponents) for q in freed.exponents)
            named = max(named, -self._named(freed.form) - exact)
        return math.log(2) - float(np.logaddexp(-signs, named))

    def named(self, formula: sympy.Expr) -> bool:
        """Tell whether a form has a name in a handbook, its exact numbers measured or not."""
        return any(math.isfinite(self._named(form)) for form in (formula, loose(formula).form))

    def _named(self, formula: sympy.Expr) -> float:
        """Return the nats of a form by its name in a handbook; infinite where it has none."""
        if mixed(formula):
            return math.inf
        form = structure(formula)
        times = self.known.get(form, 0.0) + self._ones.get(form, 0.0)
        return math.log(sum(self.known.values()) / times) if times else math.inf


def _value(number: sympy.Rational, counts: Mapping[str, float]) -> float:
    """Return the nats of an exact number in a handbook's form: that it is exact, and which.

    By its count, smoothed by the code of `constants`, in which short fractions are likely.
    """
    rare = VALUES * math.exp(-constants.price(number))
    share = (counts.get(str(number), 0.0) + rare) / (sum(counts.values()) + VALUES)
    return EXACT - math.log(share)


def _where_ones(known: Mapping[str, float]) -> dict[str, float]:
    """Return how often handbooks have the forms that their forms are where constants are 1, or a rate is 0.

    Each such constant costs what an exact number of its place does.
    """
    share = math.exp(-EXACT - constants.price(sympy.S.One))
    found: dict[str, float] = {}
    for form, times in known.items():
        for other, ones in with_ones(form):
            found[other] = found.get(other, 0.0) + times * share**ones
        if (still := with_still(form)) is not None:
            found[still] = found.get(still, 0.0) + times * share
    return found


@cache
def shipped() -> Prior:
    """Return the prior that comes with the program."""
    path = resources.folder("library") / "prior.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    counts = {
        Place(parent, inside): row
        for parent, places in data["counts"].items()
        for inside, row in places.items()
    }
    return Prior(counts, data["shared"], data["nested"], data["known"], data["numbers"], data["exponents"])


@lru_cache(maxsize=REMEMBERED)
def price(formula: sympy.Expr, columns: int) -> float:
    """Return the nats of a formula of a table with this many input columns, by the shipped counts."""
    return shipped().price(formula, columns)


def named(formula: sympy.Expr) -> bool:
    """Tell whether a form has a name in a handbook, by the shipped ones."""
    return shipped().named(formula)

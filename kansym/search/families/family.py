"""Families of curves as data: a formula in customary constants, which are linear, how to start the others.

`library/families.toml` has those that handbooks list; a person's own file has the same form. This room reads
and selects them; `projection` fits them, `classics` tries them on a table.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import sympy

from kansym.base import resources, storage
from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.functions.library import FAMILIES, Library
from kansym.functions.parsing import parse_expression, symbols

WRITTEN = ("x", "u")
"""The inputs that a family's formula is written in."""

MOST_INPUTS = 6
"""Inputs of a form, at most."""

INPUTS = symbols([*WRITTEN, *(f"\0x{i}" for i in range(len(WRITTEN), MOST_INPUTS))])
"""All inputs of a form: those written, and those that may stand beside a family (no name holds a NUL)."""

ROLES = (
    "exponent", "shape", "rate", "rate up", "steepness", "damping", "scale", "width", "place", "beyond",
    "above", "below", "shift", "barrier", "frequency", "phase",
)  # fmt: skip
"""How a constant may be started; `starts` says what each means."""

KEYS = {"formula", "term", "terms", "linear", "inside", "start", "positive", "common"}
MOST_TERMS = 6
"""Terms of a family, at most."""


@dataclass(frozen=True)
class Start:
    """Say how a constant is started: its role, and the position of the input that it goes with."""

    role: str
    column: int = 0


@dataclass(frozen=True)
class Form:
    """Hold one formula of a family, with its number of terms.

    `linear` are solved for in closed form, `inside` stand linearly in the denominator, `others` have starts.
    With a constant of `positive` below zero a curve is not what the family is named for; `common` says how
    often people write it beside other families.
    """

    family: str
    formula: sympy.Expr
    linear: tuple[sympy.Symbol, ...]
    inside: tuple[sympy.Symbol, ...]
    others: tuple[sympy.Symbol, ...]
    starts: tuple[Start, ...]
    terms: int = 1
    positive: tuple[sympy.Symbol, ...] = ()
    common: float = 1.0

    @property
    def constants(self) -> tuple[sympy.Symbol, ...]:
        """Return all constants, the linear ones first."""
        return (*self.linear, *self.inside, *self.others)

    def natural(self, theta: Iterable[float]) -> bool:
        """Tell whether constants, in the order of :attr:`constants`, have the signs that the name means."""
        return all(v > 0 for s, v in zip(self.constants, theta, strict=True) if s in self.positive)

    def upright(self, theta: np.ndarray) -> np.ndarray:
        """Return the constants (k,) of the same curve with amplitudes above zero, the phase shifted."""
        out, places = theta.copy(), {s: k for k, s in enumerate(self.constants)}
        phases = [s for s, start in zip(self.others, self.starts, strict=True) if start.role == "phase"]
        for phase, size in itertools.product(phases, self.linear):
            if out[places[size]] >= 0 or out[places[phase]] == 0:
                continue
            if self.formula.xreplace({phase: phase + sympy.pi, size: -size}) == self.formula:
                out[places[size]] *= -1
                out[places[phase]] = math.remainder(out[places[phase]] + math.pi, 2 * math.pi)
        return out

    @cached_property
    def columns(self) -> int:
        """Return the number of inputs."""
        return max((i + 1 for i, s in enumerate(INPUTS) if s in self.formula.free_symbols), default=1)


@dataclass(frozen=True)
class Family:
    """Hold a named family: a base formula and a term that may be added up to `terms` times."""

    name: str
    formula: sympy.Expr
    linear: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    start: tuple[tuple[str, Start], ...] = ()
    term: sympy.Expr | None = None
    terms: int = 1
    positive: tuple[str, ...] = ()
    common: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a formula with symbols that are neither inputs nor constants, and constants without use."""
        known = {*self.linear, *self.inside, *(name for name, _ in self.start)}
        used = {s.name for s in (self.formula + (self.term or 0)).free_symbols} - {s.name for s in INPUTS}
        if not (self.formula + (self.term or 0)).has(*INPUTS):
            raise InputError(f"Family {self.name!r} does not depend on x; write a formula that does.")
        if strange := sorted(used ^ known):
            raise InputError(
                f"Family {self.name!r}: {strange[0]!r} must be in the formula and in one of "
                "linear, inside, start; add it where it lacks."
            )
        if unknown := sorted({*self.positive} - known):
            raise InputError(
                f"Family {self.name!r}: {unknown[0]!r} in positive is no constant of it; name one that is."
            )
        if not 1 <= self.terms <= MOST_TERMS:
            raise InputError(f"Family {self.name!r} has terms = {self.terms}; use 1 to {MOST_TERMS}.")
        if not 0 < self.common < math.inf:
            raise InputError(f"Family {self.name!r} has common = {self.common}; use a number above 0.")

    @property
    def columns(self) -> int:
        """Return the number of inputs."""
        return self.form(1).columns

    @lru_cache(maxsize=1024)  # noqa: B019 - families are few, and are kept anyway
    def form(self, terms: int = 1) -> Form:
        """Return the formula with so many terms; constants of a term are numbered where there are several."""
        starts = dict(self.start)
        shown = self.formula if self.term is None else self.formula + self._term(terms)
        own = [n for n in starts if sympy.Symbol(n, real=True) in self.formula.free_symbols]
        mine = [] if self.term is None else [n for n in starts if n not in own]
        names = [*own, *(_numbered(n, i, terms) for i in range(1, terms + 1) for n in mine)]
        roles = [*(starts[n] for n in own), *(starts[n] for _ in range(terms) for n in mine)]
        base = [n for n in self.linear if sympy.Symbol(n, real=True) in self.formula.free_symbols]
        amplitudes = [n for n in self.linear if n not in base]
        linear = [*base, *(_numbered(n, i, terms) for i in range(1, terms + 1) for n in amplitudes)]
        constants = (symbols(linear), symbols(self.inside), symbols(names))
        return Form(self.name, shown, *constants, tuple(roles), terms, symbols(self.positive), self.common)

    @lru_cache(maxsize=1024)  # noqa: B019
    def beside(self, inputs: int) -> Family:
        """Return the family with the inputs that it lacks, up to so many in all, added linearly."""
        others = INPUTS[self.columns : inputs]
        slopes = [f"slope{i + 1}" for i in range(len(others))]
        line = sympy.Add(*(s * x for s, x in zip(symbols(slopes), others, strict=True)))
        return Family(
            f"{self.name} and a line in the others",
            self.formula + line,
            (*self.linear, *slopes),
            self.inside,
            self.start,
            self.term,
            positive=self.positive,
        )

    def _term(self, terms: int) -> sympy.Expr:
        """Return the sum of so many terms, each with constants of its own."""
        assert self.term is not None
        fixed = {*INPUTS, *self.formula.free_symbols}
        mine = sorted(self.term.free_symbols - fixed, key=str)
        swaps = [
            {s: sympy.Symbol(_numbered(s.name, i, terms), real=True) for s in mine}
            for i in range(1, terms + 1)
        ]
        return sympy.Add(*(self.term.xreplace(swap) for swap in swaps))


def _numbered(name: str, i: int, terms: int) -> str:
    """Return the name of a constant in the i-th of so many terms."""
    return name if terms == 1 else f"{name}{i}"


@dataclass(frozen=True, eq=False)
class Families(Mapping[str, Family]):
    """Hold families by name, in order."""

    families: tuple[Family, ...]

    def __getitem__(self, name: str) -> Family:
        """Return the family of this name."""
        for family in self.families:
            if family.name == name:
                return family
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in order."""
        return (family.name for family in self.families)

    def __len__(self) -> int:
        """Return the number of families."""
        return len(self.families)

    @staticmethod
    def load(name_or_path: str | Path = "default") -> Families:
        """Return the shipped families ("default"), none ("off"), or those of a TOML file.

        Raises UnknownNameError for neither, FormatError or InputError for a file with faults.
        """
        if str(name_or_path) == "off":
            return Families(())
        if str(name_or_path) == "default":
            return _shipped()
        path = Path(name_or_path)
        if path.suffix != ".toml":
            raise UnknownNameError("families", str(path), ["default", "off"], "A file's name ends in .toml.")
        return Families(tuple(read(path)))

    def only(self, names: Iterable[str]) -> Families:
        """Return these families only, in this order; raises UnknownNameError."""
        return Families(tuple(self._find(n) for n in names))

    def exclude(self, names: Iterable[str]) -> Families:
        """Return the others; raises UnknownNameError."""
        gone = {self._find(n).name for n in names}
        return Families(tuple(f for f in self.families if f.name not in gone))

    def within(self, library: Library) -> Families:
        """Return the families that a library's functions span."""
        return Families(tuple(f for f in self.families if library.spans(f.form(1).formula)))

    def _find(self, name: str) -> Family:
        """Return the family of this name; raises UnknownNameError."""
        if name not in self:
            raise UnknownNameError("family", name, self)
        return self[name]


@cache
def _shipped() -> Families:
    """Return the families of `library/families.toml`, read once."""
    return Families(tuple(read(resources.folder("library") / FAMILIES)))


def read(path: Path) -> list[Family]:
    """Return the families of a TOML file.

    Raises InputError for a file that cannot be read or an entry with faults, FormatError for no such TOML.
    """
    data = storage.read_toml(path, "the families' file")
    return [_family(name, entry, Path(path).name) for name, entry in data.items()]


def _family(name: str, entry: Any, file: str) -> Family:
    """Return the family that an entry of a file describes; raises FormatError or InputError."""
    where = f"{file}, [{name}]"
    if not isinstance(entry, dict) or not isinstance(entry.get("formula"), str):
        raise FormatError(f'{where}: a family needs formula = "..." in quotes.')
    if set(entry) - KEYS:
        raise FormatError(
            f"{where}: unknown key {sorted(set(entry) - KEYS)[0]!r}; known: {', '.join(sorted(KEYS))}."
        )
    linear, inside, start = entry.get("linear", []), entry.get("inside", []), entry.get("start", {})
    positive = entry.get("positive", [])
    listed = all(
        isinstance(names, list) and all(isinstance(n, str) for n in names)
        for names in (linear, inside, positive)
    )
    if isinstance(entry.get("common", 1), bool) or not isinstance(entry.get("common", 1), int | float):
        raise FormatError(f"{where}: common is a number, how often people write the family.")
    if not listed or not isinstance(start, dict):
        raise FormatError(
            f"{where}: linear, inside and positive are lists of names, start is a table of roles."
        )
    names = [*WRITTEN, *linear, *inside, *start]
    try:
        term = None if "term" not in entry else parse_expression(entry["term"], names)
        roles = tuple((n, _start(text)) for n, text in start.items())
        formula = parse_expression(entry["formula"], names)
        terms, common = entry.get("terms", 1), entry.get("common", 1.0)
        return Family(
            name, formula, tuple(linear), tuple(inside), roles, term, terms, tuple(positive), common
        )
    except InputError as problem:
        raise InputError(f"{where}: {problem}") from None


def _start(text: Any) -> Start:
    """Return the start that a text such as "rate u" describes; raises UnknownNameError."""
    words = str(text).split()
    column = 1 if words[-1:] == ["u"] else 0
    role = " ".join(words[:-1] if words[-1:] in (["u"], ["x"]) else words)
    if role not in ROLES:
        raise UnknownNameError("way to start a constant", role, ROLES)
    return Start(role, column)

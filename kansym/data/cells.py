"""Numbers as people write them: decimal commas, thousands signs, percent, units in the cells.

This room turns columns of text into columns of numbers and says what it took for what. It knows single
columns and what the whole table says about decimal signs; files, headers and dates are other rooms' job.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from kansym.base.errors import InputError
from kansym.data import marks
from kansym.data.cell import INFINITE, Cell, is_gap, is_limit, proved, taken_apart
from kansym.data.units import is_unit, parse
from kansym.data.writing import Writing

if TYPE_CHECKING:
    import pandas as pd

TEXT_SHARE = 0.2
"""A column with at most this share of words among its numbers holds numbers with gaps, otherwise text."""

SHARED_UNIT = 0.8
"""Share of the numbers that a word must follow before it counts as their unit though no unit is known so."""

LOOKED_AT = 20_000
"""Different cells of a column that are asked for its decimal sign; more add nothing but time."""

_WORD = re.compile(r"[^\W\d_][^\W\d_.]{0,14}\.?")


@dataclass(frozen=True)
class Numerals:
    """Hold what became of a table's columns of text.

    `values` are those that are numbers, gaps as NaN; `lossy` names those with words in the place of some;
    `units` are what stood in their cells; `errors` (n,) of each row where a column states them; `unclear`
    says for a column what is ambiguous in it and which option decides; `notes` say what was taken for what.
    """

    values: Mapping[str, np.ndarray]
    lossy: frozenset[str] = frozenset()
    units: Mapping[str, str] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    errors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def rows(self, count: int) -> Numerals:
        """Return what the first rows hold."""
        values = {name: held[:count] for name, held in self.values.items()}
        return replace(self, values=values, errors={n: held[:count] for n, held in self.errors.items()})


def numerals(columns: Mapping[str, pd.Series], writing: Writing) -> Numerals:
    """Return the numbers in columns of text.

    A column's own cells decide its decimal sign, then the other columns', then what `writing` suggests;
    where none does, the column is in `unclear`. Raises InputError for a column with percent signs in some
    rows and other numbers in others.
    """
    read = {name: _Column.of(name, series) for name, series in columns.items()}
    everywhere = {s for c in read.values() if c.mostly_numbers for s in c.says if s in (".", ",")}
    if writing.decimal is not None:
        everywhere.add(writing.decimal)
    known = writing if writing.given else Writing(next(iter(everywhere)) if len(everywhere) == 1 else None)
    values: dict[str, np.ndarray] = {}
    units: dict[str, str] = {}
    unclear: dict[str, str] = {}
    errors: dict[str, np.ndarray] = {}
    lossy: set[str] = set()
    notes = _Notes()
    for name, column in read.items():
        if not column.mostly_numbers:
            continue
        decimal = column.decimal(known)
        asked = column.question() if decimal is None else column.percent_question()
        if decimal is None or asked:
            unclear[name] = asked
            continue
        outcome = column.numbers(known, decimal)
        if outcome is None:
            continue
        values[name] = outcome.values
        if outcome.unit:
            units[name] = outcome.unit
        if outcome.words:
            lossy.add(name)
        if outcome.errors is not None:
            errors[name] = outcome.errors
        notes.add(name, outcome, "" if decimal == writing.decimal else decimal)
    return Numerals(values, frozenset(lossy), units, unclear, notes.lines(), errors)


@dataclass(frozen=True)
class _Outcome:
    """Hold a column's numbers and what was met on the way."""

    values: np.ndarray
    unit: str = ""
    grouped: bool = False
    percent: bool = False
    multiples: bool = False
    left: str = ""
    converted: int = 0
    footnotes: int = 0
    words: tuple[int, str, int] | None = None
    errors: np.ndarray | None = None
    bounds: tuple[int, str, int] | None = None
    aside: str = ""


@dataclass(frozen=True, eq=False)
class _Column:
    """Hold a column of text: its different cells, each cell's place among them, and what they say."""

    name: str
    cells: tuple[str, ...]
    parts: tuple[Cell | None, ...]
    at: np.ndarray
    says: frozenset[str]
    mostly_numbers: bool

    @staticmethod
    def of(name: str, series: pd.Series) -> _Column:
        """Return a column of text taken apart, each different cell once."""
        import pandas as pd

        try:
            at, different = pd.factorize(series, use_na_sentinel=True)
        except TypeError:  # lists and records in cells, which JSON may have, cannot be compared
            at, different = pd.factorize(series.map(str, na_action="ignore"), use_na_sentinel=True)
        cells = tuple(str(c) for c in different)
        parts = tuple(taken_apart(c) for c in cells)
        counts = np.bincount(at[at >= 0], minlength=len(cells))
        gaps = np.array([is_gap(c) for c in cells], bool)
        endless = np.array([c.strip().lower().lstrip("+-") in INFINITE for c in cells], bool)
        fine = np.array([p is not None and proved(p) != "none" for p in parts], bool) | endless
        present = int(counts[~gaps].sum())
        gaps |= np.array([is_limit(c) for c in cells], bool)
        words = int(counts[~gaps & ~fine].sum())
        says = frozenset(proved(p) for p in parts[:LOOKED_AT] if p is not None) - {"none", "whole"}
        return _Column(name, cells, parts, at, says, present > 0 and words <= TEXT_SHARE * present)

    def decimal(self, known: Writing) -> str | None:
        """Return the decimal sign, or None where it cannot be known."""
        if known.given:
            return known.decimal or "."
        sure = {s for s in self.says if s in (".", ",")}
        unsure = bool(self.says - sure)
        if not sure:
            return known.decimal if unsure else known.decimal or "."
        if len(sure) == 1:
            return next(iter(sure))
        return None if unsure else "both"

    def question(self) -> str:
        """Return what is ambiguous, both readings, and what decides."""
        signs = [proved(p).strip("1234?") if p is not None else "" for p in self.parts]
        if {".", ","} <= {*signs}:
            ways = [signs.index(sign) for sign in (".", ",")]
            found = [f"{self.cells[i].strip()} in row {np.flatnonzero(self.at == i)[0] + 1}" for i in ways]
            return (
                f"Column {self.name!r} holds points and commas, {' and '.join(found)}, and each could be a "
                "decimal sign or mark thousands; write its numbers in one way, the decimal sign a point."
            )
        k = next(i for i, p in enumerate(self.parts) if p is not None and proved(p).endswith("?"))
        part = self.parts[k]
        assert part is not None
        sign = proved(part)[1]
        other = "," if sign == "." else "."
        row = int(np.flatnonzero(self.at == k)[0]) + 1
        small, large = part.value(sign, None), part.value(other, None)
        return (
            f"Column {self.name!r} can be read in two ways: {self.cells[k].strip()} in row {row} is "
            f"{small:.15g} if {sign!r} is the decimal sign, and {large:.15g} if it marks thousands; decide "
            f"by --decimal {sign!r} or --thousands {sign!r} (in Python read_table with decimal={sign!r} or "
            f"thousands={sign!r})."
        )

    def percent_question(self) -> str:
        """Return what is ambiguous in 2.1 ± 5%, "" where no cell is written so."""
        asked = [i for i, p in enumerate(self.parts) if p and p.error and p.rest == "%" and not p.wrapped]
        if not asked:
            return ""
        k = asked[0]
        row, cell = int(np.flatnonzero(self.at == k)[0]) + 1, self.cells[k].strip()
        value, error = re.split(r"\s*(?:±|\+/-|\+-)\s*", cell.rstrip("% "), maxsplit=1)
        return (
            f"Column {self.name!r} can be read in two ways: {cell} in row {row} is {value} % with an error "
            f"of {error} %, or {value} with an error of {error} % of it; write ({value} ± {error}) % for the "
            "first, the error as a number for the second."
        )

    def numbers(self, known: Writing, decimal: str) -> _Outcome | None:
        """Return the column with this decimal sign; None where too few of its cells are numbers then."""
        thousands = known.thousands if known.given else None
        found = np.full(len(self.cells) + 1, np.nan)  # the last place is for what is missing: at == -1
        rests: list[str | None] = []
        grouped = False
        bracketed = self._unit_in_brackets()
        for k, (text, part) in enumerate(zip(self.cells, self.parts, strict=True)):
            rest = None
            bare = text.strip().lower()
            if bare.lstrip("+-") in INFINITE:
                found[k] = INFINITE[bare.lstrip("+-")] * (-1.0 if bare.startswith("-") else 1.0)
                rest = ""
            elif part is not None and not is_gap(text):
                says = proved(part)
                sign = says if decimal == "both" else decimal
                value = None if says == "none" else part.value(sign if sign in (".", ",") else ".", thousands)
                if value is not None:
                    found[k], rest = value, part.rest or part.mark * bracketed
                    grouped |= bool(re.search(r"\D", part.digits.replace(sign, "", 1)))
            rests.append(rest)
        counts = np.bincount(self.at[self.at >= 0], minlength=len(self.cells))
        outcome = self._with_units(found, rests, counts)
        limits = np.array([is_limit(c) for c in self.cells], bool)
        gaps = np.array([is_gap(c) for c in self.cells], bool) | limits
        words = np.isnan(found[:-1]) & ~gaps
        missed, present = int(counts[words].sum()), int(counts[~gaps].sum())
        if not present or missed > TEXT_SHARE * present:
            return None
        bounds = None
        if limits.any():
            rows = np.flatnonzero(np.isin(self.at, np.flatnonzero(limits)))
            bounds = (len(rows), self.cells[self.at[rows[0]]].strip(), int(rows[0]) + 1)
        marked = np.array([bool(c.strip()) for c in self.cells], bool) & gaps & ~limits
        lost = np.flatnonzero(words | marked)
        lost_words = None
        if len(lost):
            rows = np.flatnonzero(np.isin(self.at, lost))
            lost_words = (len(rows), self.cells[self.at[rows[0]]].strip(), int(rows[0]) + 1)
        noted = sum(int(n) for p, n in zip(self.parts, counts, strict=True) if p is not None and p.footnote)
        money = next((p.money for p in self.parts if p is not None and p.money), "")
        return _Outcome(
            found[self.at],
            outcome.unit,
            grouped,
            outcome.percent,
            outcome.multiples,
            outcome.left or money,
            outcome.converted,
            outcome.footnotes + (0 if bracketed else noted),
            lost_words,
            self._errors(found, decimal, thousands),
            bounds,
            self._aside(found),
        )

    def _aside(self, found: np.ndarray) -> str:
        """Return what stands behind numbers and is not used: intervals, or errors that others lack."""
        held = [p for p, value in zip(self.parts, found, strict=False) if p and not np.isnan(value)]
        if any(p.between for p in held):
            return "intervals behind the numbers, left out"
        stated = sum(bool(p.error or p.last) for p in held)
        return "errors behind some of the numbers only, left out" if 0 < stated < len(held) else ""

    def _unit_in_brackets(self) -> bool:
        """Tell whether all numbers have one unit in brackets, 1.2 [kPa], and no footnotes."""
        held = {p.mark for p, c in zip(self.parts, self.cells, strict=True) if p and not is_gap(c)}
        return len(held) == 1 and bool(mark := held.pop()) and is_unit(mark) and not mark.isdecimal()

    def _errors(self, found: np.ndarray, decimal: str, thousands: str | None) -> np.ndarray | None:
        """Return the errors (n,) that stand behind the values (k,) of the cells; None unless all have one."""
        errors = np.full(len(found), np.nan)
        for k, part in enumerate(self.parts):
            if part is None or np.isnan(found[k]):
                continue
            stated = part.deviation("." if decimal == "both" else decimal, thousands)
            value = part.value("." if decimal == "both" else decimal, thousands)
            if stated is None or not stated > 0 or value is None:
                return None
            # a unit that was turned into another took the error with it
            errors[k] = stated * (abs(found[k] / value) if value else 1.0)
        return errors[self.at] if np.any(np.isfinite(errors)) else None

    def _with_units(self, found: np.ndarray, rests: list[str | None], counts: np.ndarray) -> _Outcome:
        """Turn percent into shares and all units into the commonest, in place; words behind make gaps."""
        held: Counter[str] = Counter()
        for rest, n in zip(rests, counts, strict=True):
            if rest is not None:
                held[rest] += int(n)
        total = sum(held.values())
        shares = [r for r in held if r in ("%", "‰")]
        if shares:
            bare = next((k for k, r in enumerate(rests) if r == "" and found[k] != 0), None)
            if bare is not None:
                mark = next(k for k, r in enumerate(rests) if r in shares)
                raise InputError(
                    f"Column {self.name!r} has {self.cells[mark].strip()!r} in one row and "
                    f"{self.cells[bare].strip()!r} in another; write % in all of its rows or in none."
                )
            share = {"%": 0.01, "‰": 0.001, "": 1.0}
            for k, rest in enumerate(rests):
                factor = share.get(rest) if rest is not None else None
                # 25 / 100 is the nearest number to 0.25, 25 * 0.01 is not always
                found[k] = np.nan if factor is None else found[k] / round(1 / factor)
            return _Outcome(found, "1", percent=True)
        if set(held) <= {"", *marks.MULTIPLES} and ("k" in held or {"K", "M"} <= set(held)):
            for k, rest in enumerate(rests):
                found[k] *= marks.MULTIPLES.get(rest or "", 1.0)
            return _Outcome(found, multiples=True)
        if marks.are_words_of_size(held):
            for k, rest in enumerate(rests):
                found[k] *= marks.WORDS.get((rest or "").lower(), 1.0)
            return _Outcome(found, multiples=True)
        starred = any(p and p.footnote and "*" in c for p, c in zip(self.parts, self.cells, strict=True))
        if marks.are_marks(held, starred):
            return _Outcome(found, footnotes=total - held[""])
        common = next((r for r, _ in held.most_common() if r), "")
        if not common:
            return _Outcome(found)
        known = is_unit(common)
        if not known and not (_WORD.fullmatch(common) or common in ("°C", "°F")):
            common = ""
        if not known and held[common] < SHARED_UNIT * total:
            common = ""
        converted = 0
        for k, rest in enumerate(rests):
            if rest in ("", common, None):
                continue
            factor = _factor(rest, common) if known else None
            if factor is None:
                found[k] = np.nan
            else:
                found[k] *= factor
                converted += int(counts[k])
        return _Outcome(found, common if known else "", left="" if known else common, converted=converted)


def _factor(unit: str, into: str) -> float | None:
    """Return the factor between two units of one kind, None where they are not."""
    if not is_unit(unit):
        return None
    have, want = parse(unit), parse(into)
    return float(f"{have.scale / want.scale:.15g}") if have.exponents == want.exponents else None


class _Notes:
    """Gather what was met in many columns into one line for each kind of thing."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[str]] = {}

    def add(self, name: str, outcome: _Outcome, decimal: str) -> None:
        """Note what was met in one column, whose decimal sign is `decimal` where that needs a word."""
        quoted = repr(name)
        if decimal == "both":
            self._note("decimal commas and decimal points side by side", quoted)
        if decimal == ",":
            self._note("decimal comma", quoted)
        if outcome.grouped:
            self._note("thousands signs", quoted)
        if outcome.percent:
            self._note("percent, read as a share of 1", quoted)
        if outcome.multiples:
            self._note("letters for thousands and millions", quoted)
        if outcome.unit and not outcome.percent:
            turned = f", {outcome.converted} turned into it" if outcome.converted else ""
            self._note("units in the cells", f"{quoted} in {outcome.unit}{turned}")
        if outcome.left:
            self._note("words beside the numbers, left out", f"{outcome.left!r} in {quoted}")
        if outcome.aside:
            self._note(outcome.aside, quoted)
        if outcome.footnotes:
            self._note("footnote marks, left out", quoted)
        for found, one, many in (
            (outcome.words, "value that is no number", "values that are no numbers"),
            (outcome.bounds, "value that is only a bound", "values that are only bounds"),
        ):
            if found:
                count, word, row = found
                shown = word if len(word) <= 40 else word[:39] + "…"
                kind = many if count > 1 else one
                self._note(
                    "taken as missing", f"column {quoted} has {count} {kind} (first {shown!r} in row {row})"
                )

    def _note(self, kind: str, text: str) -> None:
        """Keep a cell's text under the kind of note."""
        self._kinds.setdefault(kind, []).append(text)

    def lines(self) -> tuple[str, ...]:
        """Return one note for each kind."""
        return tuple(_line(kind, texts) for kind, texts in self._kinds.items())


def _line(kind: str, texts: list[str]) -> str:
    """Return a note on cells of one kind, the first five shown."""
    shown = ", ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")
    return f"{shown}: {kind}" if kind == "taken as missing" else f"{kind}: {shown}"

"""Rows below a table that sum it up: totals and means, which are no measurements.

A row is one where a cell says so in words, or where every column of numbers ends in the sum of what stands
above. This room tells which rows; who drops them says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kansym.data.cell import is_gap, unquoted

if TYPE_CHECKING:
    import pandas as pd

MOST = 6
"""Rows at the end that may sum up a table: sum, mean, standard deviation, least, largest, count."""

LEAST_ABOVE = 4
"""Rows above a sum without a word: of fewer, sums of all columns come about by chance."""

ROUNDING = 1e-3
"""Share of a sum by which it may differ from the sum of rounded numbers."""

_WORD = re.compile(
    r"(?:(?:grand|sub|column|overall)[ -]?)?(?:totals?|sum|mean|average|avg\.?|median|st\.? ?dev\.?|std\.?"
    r"|(?:zwischen|gesamt)?summe|gesamt|insgesamt|mittel(?:wert)?|durchschnitt|standardabweichung"
    r"|somme|totale?s?|moyenne|écart[- ]type|suma|promedio|media|desv(?:iación)?\.?(?: est\.?)?"
    r"|totaal|gemiddelde|soma|média|somma|razem|summa|medel(?:värde)?|итого|всего|сумма|среднее"
    r"|合计|合計|平均)(?:\s*[:(=\d].{0,20})?",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    r"sd|s\.d\.|se|sem|s\.e\.(?:m\.)?|cv|rsd|n|count|anzahl|min(?:imum)?|max(?:imum)?|range|variance|varianz",
    re.IGNORECASE,
)
"""What sums up a table beside a row that says so."""
_PART = re.compile(
    r"sub[ -]?totals?(?:\s.*)?|zwischensumme|sous[ -]total|subtotaal|subtotale|промежуточный итог",
    re.IGNORECASE,
)


def within(frame: pd.DataFrame, texts: Sequence[str]) -> np.ndarray:
    """Return which rows (n,) sum up some of those above them, as tables of statistics have between groups.

    A word that stands for half of the rows is a level like any other.
    """
    found = np.zeros(len(frame), bool)
    for name in texts:
        held = np.array(
            [isinstance(c, str) and _PART.fullmatch(unquoted(c)) is not None for c in frame[name]], bool
        )
        found |= held if 2 * held.sum() < len(frame) else False
    return found


def said(frame: pd.DataFrame, texts: Sequence[str]) -> int:
    """Return how many rows at the end say in one of the columns `texts` that they sum up the others.

    A word that names rows further up, too, is a word like any other: then there are none.
    """
    rows = len(frame)
    count = 0
    while count < min(MOST, rows - 1) and _word(frame, texts, rows - 1 - count) is not None:
        count += 1
    if not any(
        _WORD.fullmatch(word or "") for word in (_word(frame, texts, rows - 1 - i) for i in range(count))
    ):
        return 0  # SD and n alone may be names of rows
    tail = {word.lower() for i in range(count) if (word := _word(frame, texts, rows - 1 - i)) is not None}
    above = {str(cell).strip().lower() for name in texts for cell in frame[name].iloc[: rows - count]}
    return 0 if tail & above else count


def summed(columns: Sequence[np.ndarray]) -> bool:
    """Tell whether the last row of at least two columns (n,) of numbers holds the sums of all others."""
    held = [c for c in columns if np.isfinite(c[-1])]
    if len(held) < 2 or len(held[0]) < LEAST_ABOVE + 1:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        sums = [(float(np.nansum(c[:-1])), float(c[-1]), float(np.nansum(np.abs(c[:-1])))) for c in held]
    # beside an infinite value any number would pass for a sum
    return all(
        0 < size < np.inf and total != 0 and abs(s - total) <= ROUNDING * size for s, total, size in sums
    )


def _word(frame: pd.DataFrame, texts: Sequence[str], row: int) -> str | None:
    """Return the word that says of a row that it sums up others."""
    for name in texts:
        cell = frame[name].iloc[row]
        if isinstance(cell, str) and not is_gap(cell):
            word = unquoted(cell).rstrip(":")
            if _WORD.fullmatch(word) or _BESIDE.fullmatch(word):
                return word
    return None

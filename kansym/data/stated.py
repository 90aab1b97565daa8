"""Columns whose names say that they hold the measurement errors of the column beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from kansym.data import header, repair
from kansym.data.table import Table, column
from kansym.data.units import parse

SIGNS = ("sigma", "σ")
"""Signs of errors that are names of quantities, too (stresses, conductivities): they need the name beside."""

WORDS = (*SIGNS, "±", "err", "errs", "error", "errors", "sd", "std", "stdev", "se", "sem", "stderr", "unc",
         "uncertainty", "uncertainties", "deviation")  # fmt: skip
FILLING = ("standard", "measurement", "abs", "absolute", "the", "of", "in", "on")
PLAIN = ("y", "value")
"""What a target is called in general: yerr is the error of any column before it."""

MOST = 1.0
"""Standard deviations of a column beyond which the middle of its "errors" is something else."""

MOST_SLIPS = 0.2
"""Share of "errors" that may lie at or below zero where some lie below: more are differences of some kind."""


def errors(table: Table) -> dict[str, str]:
    """Return the columns that plainly hold the errors of the one before them: {errors: whose they are}.

    The name says so ("yerr", "sigma_y", "v error", "SD"), the numbers are above zero, slips aside, and
    smaller than the other column's spread, and the units, where both are known, are of one kind. None where
    fewer than two columns are left.
    """
    pairs = zip(table.names[1:], table.names, strict=False)
    found = {n: of for n, of in pairs if says(n, of) and _alike(table, n, of) and _small(table, n, of)}
    return found if len(table.names) >= len(found) + 2 else {}


def errors_of(table: Table, target: str, stated: Mapping[str, str], notes: list[str]) -> str | None:
    """Return the column that is `stated` to hold a target's errors, and note that it is taken so; or None.

    None, too, where one of them is not above zero: the note says which.
    """
    sigma = next((name for name, of in stated.items() if of == target), None)
    if sigma is None:
        return None
    if wrong := slip(column(table, sigma).values):
        notes.append(
            f"column {sigma!r}: left out, though named as the errors of {target!r}: {wrong}, and an error "
            "must be above zero; correct that cell, or empty it to drop the row, and the others are weighed"
        )
        return None
    notes.append(f"column {sigma!r}: taken as the measurement errors of {target!r}, as its name says")
    return sigma


def left_out(target: str, sigma: str | None, stated: Mapping[str, str], notes: list[str]) -> Sequence[str]:
    """Return the columns of errors that are no inputs where one of them is the target's, and note them."""
    beside = list(stated) if sigma in stated or (sigma is None and target in stated.values()) else []
    if more := [name for name in beside if name not in (target, sigma) and stated[name] != target]:
        notes.append(f"errors in {repair.listed(more)}: left out, inputs count as exact")
    return beside


def slip(sizes: np.ndarray | None) -> str | None:
    """Return in words the first of some errors (n,) that is not above zero, counted from one; None for none.

    >>> slip(np.array([0.1, 0.0, -1.0]))
    'row 2 holds 0'
    """
    if sizes is None or not np.any(sizes <= 0):
        return None
    first = int(np.argmax(sizes <= 0))
    return f"row {first + 1} holds {sizes[first]:g}"


def says(name: str, of: str) -> bool:
    """Tell whether a column's name says that it holds the errors of the column `of` before it.

    >>> [says(n, "R") for n in ("R_err", "yerr", "SD", "sigma", "sigma_R", "Se", "relative error", "T error")]
    [True, True, True, False, True, False, False, False]
    """
    own = {*_words(of), *PLAIN}
    found = _words(name)
    marks = [w for w in found if w in WORDS]
    joint = [w for w in found if any(w in (a + b, b + a) for a in WORDS for b in own)]
    if (not marks and not joint) or re.fullmatch("S[de]", name):
        return False
    if set(marks) <= {*SIGNS, "deviation"} and not joint:
        named = {*_words(of)} & {*found} or {*PLAIN} & {*found, *_words(of)} or "standard" in found
        if not named:
            return False
    return all(w in WORDS or w in FILLING or w in own or w in joint for w in found)


def _words(name: str) -> list[str]:
    """Return the words and numbers of a name, in small letters."""
    return re.findall(r"[^\W\d_]+|\d+|±", re.sub(header.ERROR_SIGN, "±", name.lower()))


def _alike(table: Table, name: str, of: str) -> bool:
    """Tell whether two columns' units, where both are known, are of one kind."""
    if name not in table.units or of not in table.units:
        return True
    return parse(table.units[name]).exponents == parse(table.units[of]).exponents


def _small(table: Table, name: str, of: str) -> bool:
    """Tell whether a column's numbers can be the errors of another's: above zero, and below its spread.

    Zeros are slips, few or many; numbers of both signs are something else where they are more than a few.
    """
    if name in table.unclear or of in table.unclear:
        return False
    sizes, values = column(table, name).values, column(table, of).values
    if sizes is None or values is None or not np.isfinite(sizes).any() or not np.isfinite(values).any():
        return False
    sizes = sizes[np.isfinite(sizes)]
    slips = float(np.mean(sizes <= 0)) if np.any(sizes < 0) else 0.0
    return slips <= MOST_SLIPS and bool(np.median(np.abs(sizes)) < MOST * np.nanstd(values))

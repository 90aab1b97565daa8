"""Rows and columns as given, made fit for a search: what is dropped, and what is refused.

Each repair appends a line to `notes`; what no search can use raises InputError. Reading cells is `table`'s
job, choosing columns `dataset`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kansym.base.errors import InputError, counted
from kansym.data.units import parse

MISSING_SHARE = 0.5
"""Share of rows with gaps above which dropping them would answer another question."""

MIN_ROWS = 3
"""Rows below which every line through the data is a law."""

LARGEST_SHARE = 1e3
"""Measurement error as a share of the value above which a person meant something else."""

LARGEST = 1e150
"""Absolute value above which squares overflow double precision."""

SMALLEST = 1e-100
"""A column's largest absolute value below which squares of what an exact law leaves, and powers of inputs,
are lost: at 1e-140 a power was taken for a line, at 1e-155 a line was called exact."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Hold X (n, d), y (n,) and what belongs to each row, with names and positions of the columns.

    `errors` are standard deviations of y, `weights` those of squared residuals, `groups` labels.
    """

    X: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]
    target: str
    columns: tuple[int, ...]
    weights: np.ndarray | None = None
    errors: np.ndarray | None = None
    groups: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Rows:
        """Return some of the rows."""
        weights, errors, groups = (
            None if part is None else part[rows] for part in (self.weights, self.errors, self.groups)
        )
        return replace(self, X=self.X[rows], y=self.y[rows], weights=weights, errors=errors, groups=groups)

    def columns_of(self, keep: Sequence[int]) -> Rows:
        """Return some of the columns."""
        names, columns = tuple(self.names[i] for i in keep), tuple(self.columns[i] for i in keep)
        return replace(self, X=self.X[:, list(keep)], names=names, columns=columns)


def usable(rows: Rows, notes: list[str]) -> Rows:
    """Return the finite rows and the columns that say something; refuse what no search can use."""
    if rows.groups is not None:
        rows = replace(rows, groups=_labels(rows.groups))
    rows = _finite(rows, notes)
    groups = rows.groups
    if groups is not None and len(groups) and np.all(groups == groups[0]):
        raise InputError(f"All rows are in group {groups[0]!s}; holding out a group needs two of them.")
    _enough(rows)
    return rows.columns_of(_informative(rows.X, rows.names, notes))


def _labels(groups: np.ndarray) -> np.ndarray:
    """Return group labels that sort; refuse rows without one."""
    import pandas as pd

    without = int(pd.isna(groups).sum())
    if without:
        raise InputError(f"{without} of {len(groups)} rows have no group; fill the group column.")
    return groups.astype(str) if groups.dtype == object else groups


def _finite(rows: Rows, notes: list[str]) -> Rows:
    """Return the rows without gaps; refuse a table of which more than MISSING_SHARE would go."""
    X, y = rows.X, rows.y
    extra = {"weights": rows.weights, "sigma": rows.errors}
    gaps = {rows.target: ~np.isfinite(y)}
    gaps = {**{n: ~np.isfinite(X[:, i]) for i, n in enumerate(rows.names)}, **gaps}
    gaps |= {label: ~np.isfinite(values) for label, values in extra.items() if values is not None}
    lacking = np.logical_or.reduce(list(gaps.values()))
    if not lacking.any():
        return rows
    bad = int(lacking.sum())
    infinite = int((np.isinf(X).any(axis=1) | np.isinf(y)).sum())
    kind = "infinite" if infinite == bad else "missing or infinite" if infinite else "missing"
    most = sorted((n for n in gaps if gaps[n].any()), key=lambda n: -int(gaps[n].sum()))
    shown = ", ".join(f"{int(gaps[n].sum())} in {n!r}" for n in most[:3])
    shown += f" and {len(most) - 3} other columns" if len(most) > 3 else ""
    said = f"{bad} of {len(y)} rows have {kind} values ({shown})"
    if bad > MISSING_SHARE * len(y):
        raise InputError(f"{said}, more than half; leave that column out or fill it.")
    notes.append(f"{said}: dropped")
    return rows.take(~lacking)


def _enough(rows: Rows) -> None:
    """Refuse tables of too few rows, or with a target that does not vary."""
    y = rows.y
    if len(y) < MIN_ROWS:
        few = counted(len(y), "row")
        raise InputError(f"{few} of numbers cannot show a law; at least {MIN_ROWS} are needed.")
    if np.ptp(y) == 0:
        raise InputError(
            f"Target {rows.target!r} is {y[0]:g} in every row, so there is no law to find; choose another."
        )


def squarable(*parts: np.ndarray) -> None:
    """Refuse columns (n,) or (n, d) whose squares leave double precision; raises InputError."""
    for values in parts:
        sizes = np.where(np.isfinite(values), np.abs(values), 0.0)
        for most in np.atleast_2d(sizes.T).max(axis=-1, initial=0.0):
            if most > LARGEST or 0 < most < SMALLEST:
                word, least = ("large", "at most") if most > LARGEST else ("small", "at least")
                limit = LARGEST if most > LARGEST else SMALLEST
                raise InputError(
                    f"A value of {most:g}, the largest of its column, is too {word} to square in double "
                    f"precision ({least} {limit:g}); rescale its column."
                )


def _informative(X: np.ndarray, names: tuple[str, ...], notes: list[str]) -> list[int]:
    """Return the columns that vary and repeat no earlier one."""
    varies = [i for i in range(X.shape[1]) if np.ptp(X[:, i]) > 0]
    constant = [names[i] for i in range(X.shape[1]) if i not in varies]
    if not varies:
        raise InputError(f"Every input is constant ({listed(constant)}); a law needs one that varies.")
    if constant:
        notes.append(f"constant {'columns' if len(constant) > 1 else 'column'} {listed(constant)}: left out")
    seen: dict[bytes, str] = {}
    keep = []
    for i in varies:
        key = hashlib.sha256(np.ascontiguousarray(X[:, i] + 0.0).tobytes()).digest()
        if key in seen:
            notes.append(f"column {names[i]!r} equals {seen[key]!r} in every row: left out")
        else:
            seen[key] = names[i]
            keep.append(i)
    return keep


def weights_of(y: np.ndarray, errors: np.ndarray | None, floor: float | None, notes: list[str]) -> np.ndarray:
    """Return 1/(errors² + (floor·y)²); raises InputError where an error is not above zero."""
    if errors is not None and np.any(errors <= 0):
        raise InputError(f"A measurement error is {errors.min():g}; every sigma must be above zero.")
    with np.errstate(over="ignore"):
        variance = np.zeros_like(y) if errors is None else errors**2
    if floor is not None:
        if not floor > 0:
            raise InputError(f"Relative error {floor:g} is not above zero; 0.01 means one percent.")
        if floor > LARGEST_SHARE:
            raise InputError(
                f"Relative error {floor:g} is {floor:g} times the value itself; 0.01 means one percent."
            )
        with np.errstate(over="ignore"):
            variance = variance + (floor * y) ** 2
        if np.any(variance == 0):
            raise InputError("A relative error gives a target of 0 no error at all; give a sigma column too.")
        notes.append(f"measurement error of each row taken as at least {floor:.3g} of its value")
    weights = 1.0 / variance
    if not np.all(np.isfinite(weights)) or not np.any(weights > 0):
        low, high = np.sqrt(variance.min()), np.sqrt(variance.max())
        raise InputError(
            f"Measurement errors of {low:g} to {high:g} give no usable weights 1/error^2; "
            "state them in the target's unit."
        )
    return weights


def rescaled(units: Mapping[str, Any], sigma: str, target: str, notes: list[str]) -> float:
    """Return what turns the sigma column's unit into the target's (1 when either is unknown)."""
    if sigma not in units or target not in units:
        return 1.0
    have, want = parse(units[sigma]), parse(units[target])
    if have.exponents != want.exponents:
        raise InputError(
            f"Sigma column {sigma!r} is in {have} and the target {target!r} in {want}; "
            "both need one kind of unit."
        )
    factor = float(f"{have.scale / want.scale:.15g}")
    if factor != 1.0:
        notes.append(f"sigma column {sigma!r} turned from {have} into {want}")
    return factor


def listed(names: Sequence[str]) -> str:
    """Return names as text, no more than five of them."""
    shown = ", ".join(repr(n) for n in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"

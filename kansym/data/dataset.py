"""A table made ready for a search: finite float64 inputs, one target, weights, groups, splits.

This room chooses columns, drops and repairs rows and says so, and divides rows into train and held-out.
Reading files is `table`'s job; nothing here fits anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kansym.base.errors import InputError, UnknownNameError
from kansym.data.table import Table, numbers, read_table
from kansym.data.units import Unit, parse

if TYPE_CHECKING:
    import pandas as pd

MISSING_SHARE = 0.5  # above this share of rows with gaps, dropping them would answer another question
MIN_ROWS = 3
SCREEN_ABOVE = 40  # inputs; above this, a search looks at the most telling ones only


@dataclass(frozen=True, eq=False)
class Dataset:
    """Hold X (n, d) in float64 and C order, y (n,), and what is known of rows and columns.

    `weights` are 1/sigma^2, or None; `absolute` says that they come from measurement errors and not just
    from preferences. `columns` are the positions of the used inputs among those given. `units` maps names
    (inputs and target) to exponents of `kansym.data.units.BASE`, or is None when any is unknown.
    """

    X: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]
    target: str = "y"
    weights: np.ndarray | None = None
    absolute: bool = False
    groups: np.ndarray | None = None
    units: Mapping[str, tuple[Fraction, ...]] | None = None
    unit_texts: Mapping[str, str] | None = None
    columns: tuple[int, ...] = ()
    source: str = "arrays"
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Return n."""
        return len(self.y)

    @cached_property
    def hash(self) -> str:
        """Return 16 hex digits that change with any value, weight, group or name."""
        digest = hashlib.sha256("\0".join((*self.names, self.target)).encode())
        for array in (self.X, self.y, self.weights):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        if self.groups is not None:
            digest.update("\0".join(map(str, self.groups)).encode())
        return digest.hexdigest()[:16]

    def column(self, name: str) -> np.ndarray:
        """Return the values of an input or of the target."""
        if name == self.target:
            return self.y
        if name not in self.names:
            raise UnknownNameError("column", name, (*self.names, self.target))
        return self.X[:, self.names.index(name)]

    def take(self, rows: np.ndarray) -> Dataset:
        """Return the dataset of some rows, in the order given."""
        return replace(
            self,
            X=np.ascontiguousarray(self.X[rows]),
            y=self.y[rows],
            weights=None if self.weights is None else self.weights[rows],
            groups=None if self.groups is None else self.groups[rows],
        )

    def select(self, names: Iterable[str], note: str | None = None) -> Dataset:
        """Return the dataset with some of its inputs, in the order given."""
        names = tuple(names)
        for name in names:
            if name not in self.names:
                raise UnknownNameError("input", name, self.names)
        at = [self.names.index(n) for n in names]
        columns = tuple(self.columns[i] for i in at) if self.columns else tuple(at)
        return replace(
            self,
            X=np.ascontiguousarray(self.X[:, at]),
            names=names,
            columns=columns,
            notes=self.notes if note is None else (*self.notes, note),
        )

    def subsample(self, n: int, seed: int = 0) -> Dataset:
        """Return at most n rows, drawn without replacement, in their old order."""
        if n >= self.rows:
            return self
        chosen = np.random.default_rng(seed).choice(self.rows, size=n, replace=False)
        return self.take(np.sort(chosen))

    def split(self, fraction: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Return (train, held-out): about `fraction` of the rows held out, whole groups where given.

        Raises InputError for a fraction outside (0, 1), or when one side would be empty.
        """
        if not 0 < fraction < 1:
            raise InputError(f"Held-out fraction {fraction} is not between 0 and 1; 0.2 is usual.")
        rng = np.random.default_rng(seed)
        if self.groups is None:
            count = min(max(1, round(fraction * self.rows)), self.rows - 1)
            order = rng.permutation(self.rows)
            held = np.zeros(self.rows, bool)
            held[order[:count]] = True
        else:
            kinds, inverse = np.unique(self.groups, return_inverse=True)
            if len(kinds) < 2:
                raise InputError(f"All rows are in group {kinds[0]!r}; a split by group needs two groups.")
            sizes = np.bincount(inverse)
            order = rng.permutation(len(kinds))
            filled = np.cumsum(sizes[order])
            count = min(int(np.searchsorted(filled, fraction * self.rows)) + 1, len(kinds) - 1)
            held = np.isin(inverse, order[:count])
        return self.take(np.flatnonzero(~held)), self.take(np.flatnonzero(held))

    def folds(self, k: int | None = None, seed: int = 0) -> list[tuple[Dataset, Dataset]]:
        """Return k pairs (train, held-out) that hold out every row (or group) once; None leaves one out."""
        kinds, inverse = (
            (np.arange(self.rows), np.arange(self.rows))
            if self.groups is None
            else np.unique(self.groups, return_inverse=True)
        )
        k = len(kinds) if k is None else k
        if not 2 <= k <= len(kinds):
            raise InputError(f"{k} folds of {len(kinds)} rows or groups; choose 2 to {len(kinds)}.")
        order = np.random.default_rng(seed).permutation(len(kinds))
        fold = np.empty(len(kinds), int)
        fold[order] = np.arange(len(kinds)) % k
        return [
            (self.take(np.flatnonzero(fold[inverse] != i)), self.take(np.flatnonzero(fold[inverse] == i)))
            for i in range(k)
        ]

    def screened(self, limit: int = SCREEN_ABOVE, seed: int = 0) -> Dataset:
        """Return the dataset with its `limit` most telling inputs, by a forest of random trees.

        Returns itself when it has no more than `limit`. The note names how many were left out.
        """
        if len(self.names) <= limit:
            return self
        from sklearn.ensemble import ExtraTreesRegressor

        sample = self.subsample(5000, seed)
        trees = ExtraTreesRegressor(100, random_state=seed, min_samples_leaf=2, max_features=0.5)
        trees.fit(sample.X, sample.y, sample_weight=sample.weights)
        order = np.argsort(-trees.feature_importances_, kind="stable")[:limit]
        kept = [self.names[i] for i in np.sort(order)]
        return self.select(
            kept, f"{len(self.names)} inputs screened by random trees: the search sees the best {limit}"
        )


def from_table(
    table: Table | pd.DataFrame | str,
    target: str | None = None,
    inputs: Sequence[str] | None = None,
    sigma: str | None = None,
    group: str | None = None,
    units: Mapping[str, Any] | None = None,
    relative_error: float | None = None,
) -> Dataset:
    """Return the dataset that a table, its card and these choices describe.

    `target` defaults to the card's, then to the last column; `inputs` to the card's, then to all other
    columns of numbers. `sigma` names the column of measurement errors of the target, `relative_error` is a
    floor for them as a share of the value: weights are 1/(sigma^2 + (relative_error*y)^2). `units` adds
    to those in the header and card. Raises InputError; every repair is in `notes`.
    """
    table = read_table(table)
    card = table.card
    names = table.names
    if target is None:
        target = card.target if card and card.target else names[-1]
    _known(names, target, "target column")
    card_target = card is not None and target == card.target
    if inputs is None and card_target and card is not None:
        inputs = card.inputs
        sigma = sigma or card.sigma
        group = group or card.group
        relative_error = card.relative_error if relative_error is None else relative_error
    for name, kind in ((sigma, "sigma"), (group, "group")):
        if name is not None:
            _known(names, name, f"{kind} column")
            if name == target:
                raise InputError(f"Column {name!r} is the target; {kind} needs another column.")
    all_units = {**table.units, **(units or {})}
    notes = list(table.notes)
    asked = inputs is not None
    if inputs is not None:
        for name in inputs:
            _known(names, name, "input column")
        if target in inputs:
            raise InputError(f"Column {target!r} is the target, so it cannot be an input too; leave it out.")
        chosen = list(dict.fromkeys(inputs))
    else:
        chosen = [n for n in names if n not in (target, sigma, group)]
    values: dict[str, np.ndarray] = {}
    refused: list[str] = []
    for name in chosen:
        found, problem = numbers(table, name, notes)
        if found is not None:
            values[name] = found
        elif asked:
            raise InputError(f"Column {name!r} {problem}.")
        else:
            refused.append(f"column {name!r} {str(problem).partition(';')[0]}")
    if not values:
        why = f": {refused[0]}" if refused else ""
        raise InputError(
            f"{table.source} has no input columns of numbers besides the target {target!r}{why}."
        )
    notes += [f"{reason}: left out" for reason in refused]
    y, problem = numbers(table, target, notes)
    if y is None:
        what, _, remedy = str(problem).partition("; ")
        if what.startswith(("holds text", "holds categories")):
            remedy = "choose another, or tell labels apart with `kansym discover --task classify`"
        raise InputError(f"Target {target!r} {what}; {remedy}.")
    errors = None
    if sigma is not None:
        errors, problem = numbers(table, sigma, notes)
        if errors is None:
            raise InputError(f"Sigma column {sigma!r} {problem}.")
        errors = errors * _rescaled(all_units, sigma, target, notes)
    for name in units or {}:
        _known(names, name, "column")
    return _finish(
        np.column_stack(list(values.values())),
        y,
        tuple(values),
        target,
        errors=errors,
        relative_error=relative_error,
        groups=None if group is None else table.frame[group].to_numpy(),
        units=all_units,
        columns=tuple(names.index(n) for n in values),
        source=table.source,
        notes=notes,
    )


def from_arrays(
    X: Any,
    y: Any,
    names: Sequence[str] | None = None,
    weights: Any = None,
    *,
    target: str | None = None,
    sigma: Any = None,
    groups: Any = None,
    units: Mapping[str, Any] | None = None,
    relative_error: float | None = None,
) -> Dataset:
    """Return the dataset of X (n, d) and y (n,), both anything numpy or pandas understands.

    Names are those given, a frame's columns, or x0, x1, ... `weights` weigh the squared errors; `sigma`
    are measurement errors (give one of the two). Raises InputError; every repair is in `notes`.
    """
    if hasattr(X, "columns") and hasattr(X, "iloc"):
        table = read_table(X)
        names = table.names if names is None else names
        columns = []
        for name in table.names:
            found, problem = numbers(table, name, [])
            if found is None:
                raise InputError(f"Column {name!r} {problem}.")
            columns.append(found)
        X = np.column_stack(columns)
    X = _array(X, "X")
    if X.ndim == 1:
        X = X[:, None]
    if X.ndim != 2 or X.shape[1] == 0:
        raise InputError(f"X has shape {X.shape}; it must be rows by columns.")
    target = target or str(getattr(y, "name", None) or "y")
    y = _array(y, "y")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or len(y) != len(X):
        raise InputError(f"y has shape {y.shape} and X has {len(X)} rows; y must have one value per row.")
    names = [f"x{i}" for i in range(X.shape[1])] if names is None else [str(n) for n in names]
    if len(names) != X.shape[1]:
        raise InputError(f"{len(names)} names are given for {X.shape[1]} columns of X; give one each.")
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(f"Two inputs are named {twice!r}; give every column its own name.")
    while target in names:
        target += "_"
    if weights is not None and sigma is not None:
        raise InputError("Both weights and sigma are given; weights are 1/sigma^2, so give one of them.")
    extra = {}
    for label, value in (("weights", weights), ("sigma", sigma)):
        if value is not None:
            extra[label] = _array(value, label)
            if extra[label].shape != y.shape:
                raise InputError(
                    f"{label} has shape {extra[label].shape}; it needs one value for each of {len(y)} rows."
                )
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != y.shape:
            raise InputError(
                f"groups has shape {groups.shape}; it needs one value for each of {len(y)} rows."
            )
    return _finish(
        X,
        y,
        tuple(names),
        target,
        errors=extra.get("sigma"),
        weights=extra.get("weights"),
        relative_error=relative_error,
        groups=groups,
        units=units or {},
        columns=tuple(range(X.shape[1])),
        source="arrays",
        notes=[],
    )


def _finish(
    X: np.ndarray,
    y: np.ndarray,
    names: tuple[str, ...],
    target: str,
    *,
    errors: np.ndarray | None,
    relative_error: float | None,
    groups: np.ndarray | None,
    units: Mapping[str, Any],
    columns: tuple[int, ...],
    source: str,
    notes: list[str],
    weights: np.ndarray | None = None,
) -> Dataset:
    """Drop rows that are not finite and columns that tell nothing; refuse what no search can use."""
    groups = None if groups is None else _labels(groups)
    X, y, weights, errors, groups = _finite_rows(X, y, names, target, weights, errors, groups, notes)
    if groups is not None and len(groups) and np.all(groups == groups[0]):
        raise InputError(f"All rows are in group {groups[0]!s}; holding out a group needs two of them.")
    _enough(X, y, names, target)
    keep = _telling(X, names, notes)
    X, names = X[:, keep], tuple(names[i] for i in keep)
    columns = tuple(columns[i] for i in keep)
    least = min(len(names), SCREEN_ABOVE) + 2  # more inputs are screened before a search
    if len(y) < least:
        raise InputError(
            f"{len(y)} rows cannot tell {len(names)} inputs apart; give at least {least} rows, "
            "or choose fewer with inputs."
        )
    absolute = errors is not None or relative_error is not None
    if absolute:
        weights = _weights(y, errors, relative_error, notes)
    elif weights is not None and np.any(weights < 0):
        raise InputError(f"Weight {weights.min():g} is negative; weights must be zero or more.")
    parsed: dict[str, Unit] = {n: parse(units[n]) for n in (*names, target) if n in units}
    complete = all(n in parsed for n in (*names, target))
    if parsed and not complete:
        lacking = [n for n in (*names, target) if n not in parsed]
        notes.append(f"units are known for {len(parsed)} columns but not for {_listed(lacking)}: not used")
    return Dataset(
        X=np.ascontiguousarray(X, dtype=np.float64),
        y=np.ascontiguousarray(y, dtype=np.float64),
        names=names,
        target=target,
        weights=weights,
        absolute=absolute,
        groups=groups,
        units={n: u.exponents for n, u in parsed.items()} if complete else None,
        unit_texts={n: str(u) for n, u in parsed.items()} or None,
        columns=columns,
        source=source,
        notes=tuple(notes),
    )


def _labels(groups: np.ndarray) -> np.ndarray:
    """Return group labels that sort; refuse rows without one."""
    import pandas as pd

    without = int(pd.isna(groups).sum())
    if without:
        raise InputError(f"{without} of {len(groups)} rows have no group; fill the group column.")
    return groups.astype(str) if groups.dtype == object else groups


def _finite_rows(
    X: np.ndarray,
    y: np.ndarray,
    names: tuple[str, ...],
    target: str,
    weights: np.ndarray | None,
    errors: np.ndarray | None,
    groups: np.ndarray | None,
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    parts = [np.isfinite(X).all(axis=1), np.isfinite(y)]
    parts += [np.isfinite(a) for a in (weights, errors) if a is not None]
    fine = np.logical_and.reduce(parts)
    if not fine.all():
        bad = int(len(y) - fine.sum())
        infinite = int((np.isinf(X).any(axis=1) | np.isinf(y)).sum())
        gaps = {n: int((~np.isfinite(X[:, i])).sum()) for i, n in enumerate(names)}
        gaps[target] = int((~np.isfinite(y)).sum())
        for label, array in (("weights", weights), ("sigma", errors)):
            if array is not None:
                gaps[label] = int((~np.isfinite(array)).sum())
        worst = max(gaps, key=lambda n: gaps[n])
        kind = "infinite" if infinite == bad else "missing or infinite" if infinite else "missing"
        if bad > MISSING_SHARE * len(y):
            raise InputError(
                f"{bad} of {len(y)} rows have {kind} values ({gaps[worst]} in {worst!r}), more than half; "
                f"leave that column out or fill it."
            )
        notes.append(f"{bad} of {len(y)} rows have {kind} values ({gaps[worst]} in {worst!r}): dropped")
        X, y = X[fine], y[fine]
        weights, errors, groups = (None if a is None else a[fine] for a in (weights, errors, groups))
    return X, y, weights, errors, groups


def _enough(X: np.ndarray, y: np.ndarray, names: tuple[str, ...], target: str) -> None:
    if len(y) < MIN_ROWS:
        word = "row" if len(y) == 1 else "rows"
        raise InputError(f"{len(y)} {word} of numbers cannot show a law; at least {MIN_ROWS} are needed.")
    if np.ptp(y) == 0:
        raise InputError(
            f"Target {target!r} is {y[0]:g} in every row, so there is no law to find; choose another."
        )
    biggest = max(float(np.abs(X).max()), float(np.abs(y).max()))
    if biggest > 1e150:
        raise InputError(
            f"A value of {biggest:g} is too large to square in double precision; rescale its column."
        )


def _telling(X: np.ndarray, names: tuple[str, ...], notes: list[str]) -> list[int]:
    """Return the columns that vary and repeat no earlier one."""
    varies = [i for i in range(X.shape[1]) if np.ptp(X[:, i]) > 0]
    constant = [names[i] for i in range(X.shape[1]) if i not in varies]
    if not varies:
        raise InputError(f"Every input is constant ({_listed(constant)}); a law needs one that varies.")
    if constant:
        notes.append(f"constant {'columns' if len(constant) > 1 else 'column'} {_listed(constant)}: left out")
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


def _weights(y: np.ndarray, errors: np.ndarray | None, floor: float | None, notes: list[str]) -> np.ndarray:
    if errors is not None and np.any(errors <= 0):
        raise InputError(f"A measurement error is {errors.min():g}; every sigma must be above zero.")
    variance = np.zeros_like(y) if errors is None else errors**2
    if floor is not None:
        if not floor > 0:
            raise InputError(f"Relative error {floor:g} is not above zero; 0.01 means one percent.")
        variance = variance + (floor * y) ** 2
        if np.any(variance == 0):
            raise InputError("A relative error gives a target of 0 no error at all; give a sigma column too.")
        notes.append(f"measurement error of each row taken as at least {floor:.3g} of its value")
    return 1.0 / variance


def _rescaled(units: Mapping[str, Any], sigma: str, target: str, notes: list[str]) -> float:
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


def _array(values: Any, label: str) -> np.ndarray:
    array = np.asarray(values)
    if np.iscomplexobj(array):
        raise InputError(f"{label} has complex numbers; give real and imaginary part as columns.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{label} has values that are no numbers; give floats.") from None


def _known(names: Sequence[str], name: str, kind: str) -> None:
    if name not in names:
        raise UnknownNameError(kind, name, names)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(n) for n in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"

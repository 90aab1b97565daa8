"""A table made ready for a search: finite float64 inputs, one target, weights, groups, splits.

This room chooses columns and divides rows into train and held-out. Reading files is `table`'s job, dropping
and refusing rows and columns `repair`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kansym.base.errors import InputError, UnknownNameError
from kansym.data import repair
from kansym.data.gaps import bearable
from kansym.data.inputs import Inputs, Made, of_table
from kansym.data.repair import Rows
from kansym.data.stated import errors as stated_errors
from kansym.data.stated import errors_of, left_out, slip
from kansym.data.table import Table, numbers, read_table
from kansym.data.units import Unit, parse

if TYPE_CHECKING:
    import pandas as pd

TINY_TABLE = 30
"""Up to this many rows (or groups) every one is held out once instead of a fifth of them."""

SAME = 1e-8
"""Share of its largest value by which an input may be off a multiple of another, written to eight digits."""

SCREEN_ABOVE = 40
"""Inputs above which a search looks at those only that a forest of random trees uses most."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Hold X (n, d) in float64 and C order, y (n,), and what is known of rows and columns.

    `weights` are 1/sigma^2, or None; `absolute` says that they come from measurement errors and not just
    from preferences. `columns` are the positions of the used inputs among those given. `units` maps names
    (inputs and target) to exponents of `kansym.data.units.BASE`, or is None when any is unknown.
    `categories` name for each category its inputs of 0 and 1, `made` says how inputs came from a table.
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
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    made: Mapping[str, Made] = field(default_factory=dict)
    source: str = "arrays"
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return the columns and the number of rows on one line."""
        return f"Dataset({self.target!r} from {repair.listed(self.names)}; {self.rows} rows of {self.source})"

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

    def parted(self, seed: int = 0) -> tuple[Dataset, Dataset | None]:
        """Return (train, held-out) as every search parts its rows: a fifth held out, None of a tiny table."""
        units = self.rows if self.groups is None else len(np.unique(self.groups))
        return (self, None) if units <= TINY_TABLE else self.split(0.2, seed)

    def distinct(self, keep: Collection[str] = ()) -> Dataset:
        """Return the dataset without inputs that are a multiple of an earlier one, those in `keep` aside.

        A law of one is a law of the other, and with both it could be written in any mixture of them. Those of
        other units stay. The notes name what goes.
        """
        units = self.units or {}
        lengths = np.linalg.norm(self.X, axis=0)
        with np.errstate(all="ignore"):
            towards = self.X / lengths

        def twin(i: int, j: int) -> bool:
            """Tell whether two inputs are multiples of each other, in units and in numbers."""
            alike = units.get(self.names[i]) == units.get(self.names[j])
            return alike and _parallel(towards[:, i], towards[:, j])

        kept: list[int] = []
        said = []
        for j, name in enumerate(self.names):
            if name not in keep and (twins := [i for i in kept if twin(i, j)]):
                factor = lengths[j] / lengths[twins[0]] * np.sign(towards[:, twins[0]] @ towards[:, j])
                said.append(
                    f"{name} is {factor:.6g}*{self.names[twins[0]]}: a law is looked for in the latter"
                )
            else:
                kept.append(j)
        if not said:
            return self
        chosen = self.select([self.names[j] for j in kept])
        return replace(chosen, notes=(*self.notes, *said))

    def screened(self, limit: int = SCREEN_ABOVE, seed: int = 0, keep: Collection[str] = ()) -> Dataset:
        """Return the dataset with the `limit` inputs that a forest of random trees uses most, and `keep`.

        The forest sees the rows that a search with this seed fits, none that it holds out. Returns itself
        when it has no more than `limit` inputs; the note says how many there were.
        """
        if len(self.names) <= limit:
            return self
        from sklearn.ensemble import ExtraTreesRegressor

        sample = self.parted(seed)[0].subsample(5000, seed)
        trees = ExtraTreesRegressor(100, random_state=seed, min_samples_leaf=2, max_features=0.5)
        trees.fit(sample.X, sample.y, sample_weight=sample.weights)
        asked = np.isin(self.names, list(keep))
        order = np.argsort(-trees.feature_importances_ - asked, kind="stable")[:limit]
        kept = [self.names[i] for i in np.sort(order)]
        return self.select(
            kept, f"{len(self.names)} inputs screened by random trees: the search sees the best {limit}"
        )


def _parallel(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two columns (n,) of length 1 are the same but for the sign."""
    return bool(min(np.abs(a - b).max(), np.abs(a + b).max()) <= SAME * np.abs(a).max())


def from_table(
    table: Table | pd.DataFrame | str,
    target: str | None = None,
    inputs: Sequence[str] | None = None,
    sigma: str | None = None,
    group: str | None = None,
    units: Mapping[str, Any] | None = None,
    relative_error: float | None = None,
    category: Sequence[str] = (),
) -> Dataset:
    """Return the dataset that a table, its card and these choices describe.

    `target` defaults to the card's, then to the last column; `inputs` to the card's, then to all other
    columns of numbers. `sigma` names the column of measurement errors of the target, `relative_error` is a
    floor for them as a share of the value: weights are 1/(sigma^2 + (relative_error*y)^2). Without `sigma`
    those errors count that the target's cells state (1.98 ± 0.05), or, where no `inputs` are chosen, a column
    that is plainly named so beside it (yerr). `units` adds to those in the header and
    card. Columns in `category`, and those of text with few levels, become inputs of 0 and 1, one a level.
    Raises InputError; every repair is in `notes`.
    """
    table = read_table(table)
    card = table.card
    stated = {} if card else stated_errors(table)
    last = next((n for n in reversed(table.names) if n not in stated), table.names[-1])
    target = table.name(target or (card.target if card and card.target else last), "target column")
    if inputs is None and card is not None and target == card.target:
        inputs = card.inputs
        sigma = sigma or card.sigma
        group = group or card.group
        relative_error = card.relative_error if relative_error is None else relative_error
    inputs = None if inputs is None else [table.name(n, "input column") for n in inputs]
    sigma = None if sigma is None else table.name(sigma, "sigma column")
    group = None if group is None else table.name(group, "group column")
    _check_choices(target, inputs, {"sigma": sigma, "group": group})
    all_units = {**table.units, **{table.name(n): unit for n, unit in (units or {}).items()}}
    notes = list(table.notes)
    sigma = sigma or (errors_of(table, target, stated, notes) if inputs is None else None)
    beside = left_out(target, sigma, stated, notes) if inputs is None or sigma is not None else []
    others = [n for n in table.names if n not in (target, sigma, group, *beside)]
    category = [table.name(n, "category") for n in category]
    y = _target(table, target, notes)
    found = of_table(table, y, others if inputs is None else inputs, inputs is not None, category, notes)
    errors = _errors(table, target, y, sigma, all_units, notes)
    if spare := [n for n in table.errors if n in found.values]:
        notes.append(f"errors behind the numbers of {repair.listed(spare)}: left out, inputs count as exact")
    given = Rows(
        np.column_stack(list(found.values.values())),
        y,
        tuple(found.values),
        target,
        tuple(table.names.index(found.source(n)) for n in found.values),
        errors=errors,
        groups=None if group is None else table.frame[group].to_numpy(),
    )
    whole = _finish(given, relative_error, _units_of(found, given, all_units), table.source, notes)
    categories = {n: levels for n, levels in found.categories.items() if set(levels) <= set(whole.names)}
    made = {n: how for n, how in found.made.items() if n in whole.names}
    return replace(whole, categories=categories, made=made)


def _units_of(found: Inputs, given: Rows, units: dict[str, Any]) -> dict[str, Any]:
    """Return the units of inputs and target: a column counted from a number keeps that of its source."""
    ways = found.made.items()
    units = units | {n: units[w.column] for n, w in ways if w.kind == "from" and w.column in units}
    return {**found.units, **units} if any(n in units for n in (*given.names, given.target)) else units


def _errors(
    table: Table, target: str, y: np.ndarray, sigma: str | None, units: Mapping[str, Any], notes: list[str]
) -> np.ndarray | None:
    """Return the target's measurement errors (n,): a column's, or those in its cells; None for neither."""
    if sigma is None:
        if target in table.errors:
            notes.append(f"errors behind the numbers of {target!r}: taken as its measurement errors")
        return table.errors.get(target)
    errors, problem = numbers(table, sigma, notes)
    if errors is None:
        raise InputError(f"Sigma column {sigma!r} {problem}.")
    if wrong := slip(np.where(np.isfinite(y), errors, np.nan)):  # rows without a target are dropped anyway
        raise InputError(
            f"Sigma column {sigma!r}: {wrong}, and every sigma must be above zero; correct that cell, or "
            "empty it to drop the row."
        )
    return errors * repair.rescaled(units, sigma, target, notes)


def _check_choices(target: str, inputs: Sequence[str] | None, parts: Mapping[str, str | None]) -> None:
    """Refuse a column in two parts."""
    for kind, name in parts.items():
        if name == target:
            raise InputError(f"Column {name!r} is the target; {kind} needs another column.")
    if target in (inputs or ()):
        raise InputError(f"Column {target!r} is the target, so it cannot be an input too; leave it out.")


def _target(table: Table, target: str, notes: list[str]) -> np.ndarray:
    """Return the target's numbers; raises InputError for a column that has none."""
    y, problem = numbers(table, target, notes)
    if y is not None:
        return y
    what, _, remedy = str(problem).partition("; ")
    if what.startswith(("holds text", "holds categories")):
        remedy = "choose another, or separate labels with `kansym discover --task classify`"
    raise InputError(f"Target {target!r} {what}; {remedy}.")


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
        X, own = _frame(X)
        names = own if names is None else names
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
    names = _names(names, X.shape[1])
    while target in names:
        target += "_"
    if weights is not None and sigma is not None:
        raise InputError("Both weights and sigma are given; weights are 1/sigma^2, so give one of them.")
    given = Rows(
        X,
        y,
        names,
        target,
        tuple(range(X.shape[1])),
        None if weights is None else _one_a_row(_array(weights, "weights"), "weights", y),
        None if sigma is None else _one_a_row(_array(sigma, "sigma"), "sigma", y),
        None if groups is None else _one_a_row(np.asarray(groups), "groups", y),
    )
    return _finish(given, relative_error, units or {}, "arrays", [])


def _frame(frame: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a frame's values and the names of its columns."""
    table = read_table(frame)
    columns = []
    for name in table.names:
        found, problem = numbers(table, name, [])
        if found is None:
            raise InputError(f"Column {name!r} {problem}.")
        columns.append(found)
    return np.column_stack(columns), table.names


def _names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Return the names given, or x0, x1, ...; raises InputError for a wrong number of them."""
    if names is None:
        return tuple(f"x{i}" for i in range(count))
    names = tuple(str(n) for n in names)
    if len(names) != count:
        raise InputError(f"{len(names)} names are given for {count} columns of X; give one each.")
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(f"Two inputs are named {twice!r}; give every column its own name.")
    return names


def _one_a_row(values: np.ndarray, label: str, y: np.ndarray) -> np.ndarray:
    """Return values that are one for each row; raises InputError for others."""
    if values.shape != y.shape:
        raise InputError(f"{label} has shape {values.shape}; it needs one value for each of {len(y)} rows.")
    return values


def _finish(
    given: Rows, relative_error: float | None, units: Mapping[str, Any], source: str, notes: list[str]
) -> Dataset:
    """Return the dataset of the usable rows, with weights from measurement errors and units where known."""
    repair.squarable(given.X, given.y)
    rows = repair.usable(bearable(given, notes), notes)
    names, target, y = rows.names, rows.target, rows.y
    least = min(len(names), SCREEN_ABOVE) + 2  # more inputs are screened before a search
    if len(y) < least:
        raise InputError(
            f"{len(y)} rows are too few for {len(names)} inputs; give at least {least} rows, "
            "or choose fewer with inputs."
        )
    weights = rows.weights
    absolute = rows.errors is not None or relative_error is not None
    if absolute:
        weights = repair.weights_of(y, rows.errors, relative_error, notes)
    elif weights is not None and np.any(weights < 0):
        raise InputError(f"Weight {weights.min():g} is negative; weights must be zero or more.")
    parsed: dict[str, Unit] = {n: parse(units[n]) for n in (*names, target) if n in units}
    lacking = [n for n in (*names, target) if n not in parsed]
    if parsed and lacking:
        known, unknown = repair.listed(list(parsed)), repair.listed(lacking)
        notes.append(f"units of {known} are known and those of {unknown} are not: none is used")
    return Dataset(
        X=np.ascontiguousarray(rows.X, dtype=np.float64),
        y=np.ascontiguousarray(y, dtype=np.float64),
        names=names,
        target=target,
        weights=weights,
        absolute=absolute,
        groups=rows.groups,
        units=None if lacking else {n: u.exponents for n, u in parsed.items()},
        unit_texts={n: str(u) for n, u in parsed.items()} or None,
        columns=rows.columns,
        source=source,
        notes=tuple(notes),
    )


def _array(values: Any, label: str) -> np.ndarray:
    """Return values as floats; raises InputError for complex numbers and texts."""
    array = np.asarray(values)
    if np.iscomplexobj(array):
        raise InputError(f"{label} has complex numbers; give real and imaginary part as columns.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{label} has values that are no numbers; give floats.") from None

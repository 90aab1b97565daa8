"""Tables to numbers: categories one-hot, dates as days, remembered for the next table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from kansym.base.errors import InputError
from kansym.data import dates
from kansym.data.cells import Numerals, Writing, numerals


@dataclass(frozen=True)
class Encoding:
    """Remember how a table became numbers: column names in, levels of categorical columns, names out.

    `moments` holds for each column of dates the day from which days count, None for durations, and the order
    of day and month.
    """

    names: tuple[str, ...]
    levels: Mapping[int, tuple[Any, ...]]
    moments: Mapping[int, tuple[str | None, str | None]] = field(default_factory=dict)

    @staticmethod
    def of(X: Any, names: Sequence[str]) -> Encoding:
        """Return the encoding of a table: a frame's categories and texts one-hot, dates as days.

        Raises InputError for dates that can be read in two ways.
        """
        levels: dict[int, tuple[Any, ...]] = {}
        moments: dict[int, tuple[str | None, str | None]] = {}
        if isinstance(X, pd.DataFrame):
            for i, (_, column) in enumerate(X.items()):
                if isinstance(column.dtype, pd.CategoricalDtype):
                    levels[i] = tuple(column.cat.categories)
                elif (times := _times(column)) is not None:
                    moments[i] = (times.first, times.order)
                elif column.dtype == object or isinstance(column.dtype, pd.StringDtype):
                    try:
                        column.astype(float)
                    except (TypeError, ValueError):
                        levels[i] = tuple(sorted(set(column.dropna()), key=str))
        return Encoding(tuple(names), levels, moments)

    @property
    def plain(self) -> bool:
        """Tell whether all columns were numbers."""
        return not self.levels and not self.moments

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the numeric columns; a level's column is called `name=level`."""
        out: list[str] = []
        for i, name in enumerate(self.names):
            out += [f"{name}={level}" for level in self.levels[i]] if i in self.levels else [name]
        return tuple(out)

    def single(self) -> tuple[str, ...]:
        """Return the numeric columns of the one categorical column; raises InputError for none or several."""
        if len(self.levels) != 1:
            raise InputError(
                f"category_constants needs exactly one categorical column, and there are {len(self.levels)}; "
                "give it as category, or turn category_constants off."
            )
        ((i, levels),) = self.levels.items()
        return tuple(f"{self.names[i]}={level}" for level in levels)

    def apply(self, X: Any) -> Any:
        """Return the table in numbers; raises InputError for a level that was not there in the fit."""
        if self.plain:
            return X
        if not isinstance(X, pd.DataFrame):
            raise InputError(
                "The model was fitted on a table with columns of categories or dates; give a DataFrame again."
            )
        out = []
        for i, name in enumerate(self.names):
            column = X.iloc[:, i]
            if i in self.moments:
                times = _times(column, *self.moments[i])
                if times is None:
                    raise InputError(f"Column {name!r} holds no dates; the model was fitted to dates in it.")
                out.append(times.values)
                continue
            if i not in self.levels:
                out.append(column.to_numpy(float))
                continue
            known = self.levels[i]
            for value in column.unique():
                if value not in known:
                    shown = ", ".join(map(str, known))
                    raise InputError(f"Column {name!r} is {value!r} in some row; the fit knew {shown} only.")
            out += [(column == level).to_numpy(float) for level in known]
        return np.column_stack(out)


def _times(column: pd.Series, first: str | None = None, order: str | None = None) -> dates.Times | None:
    """Return a column's dates or durations, None where it holds none; raises InputError for unclear ones."""
    kind = column.dtype
    if pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
        return None
    try:
        return dates.read(column, first, order)
    except dates.UnclearDatesError as problem:
        raise InputError(f"Column {str(column.name)!r} {problem}") from None


def _numbers_in_text(X: Any) -> Any:
    """Return a frame whose columns of text that hold numbers, "1.234,5" say, are numbers.

    Raises InputError for a column that can be read in two ways.
    """
    if not isinstance(X, pd.DataFrame):
        return X
    kinds = [pd.api.types.is_object_dtype(k) or isinstance(k, pd.StringDtype) for k in X.dtypes]
    texts = {str(i): X.iloc[:, i] for i, text in enumerate(kinds) if text}
    found = numerals(texts, Writing()) if texts else Numerals({})
    for place, why in found.unclear.items():
        raise InputError(why.replace(repr(place), repr(str(X.columns[int(place)])), 1))
    if not found.values:
        return X
    X = X.copy(deep=False)
    for place, values in found.values.items():
        X.isetitem(int(place), values)
    return X


def with_category(X: Any, category: Any) -> Any:
    """Return a table with numbers read from its text, and the category, if any, as one more column."""
    X = _numbers_in_text(X)
    if category is None:
        return X
    frame = (
        X.copy(deep=False)
        if isinstance(X, pd.DataFrame)
        else pd.DataFrame(np.asarray(X), columns=[f"x{i}" for i in range(np.shape(X)[1])])
    )
    if len(category) != len(frame):
        raise InputError(
            f"category has {len(category)} entries and X {len(frame)} rows; give one for each row."
        )
    name = "category"
    while name in frame.columns:
        name += "_"
    return frame.assign(**{name: pd.Categorical(np.asarray(category))})

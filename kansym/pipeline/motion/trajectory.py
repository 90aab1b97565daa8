"""Time series as a person brings them: one or more runs of states, inputs and times, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kansym.base.errors import InputError, UnknownNameError, counted
from kansym.data.repair import squarable
from kansym.data.units import factors

TIME = "t"
"""The name of the time in a right side; a state or input of that name takes it away."""

FEWEST_ROWS = 8
"""Rows of a run below which no smooth curve and its slope can be distinguished from chance."""

GAP = 10.0
"""Times by which a step in time is longer than those beside it and cuts a run in two. Steps that grow
steadily from 0.1 to 10 do not."""

BESIDE = 4
"""Steps on either side that a gap is compared with: of 250 times at random one in seventy is ten times as
long as both its neighbours, and none as long as four on either side. Eight rows have seven steps, so that no
other gap is among them."""

SWITCHED = 0.5
"""Share of an input's changes after which it rests from which it is switched and holds until the next row:
read by straight lines a heater turned on and off five times left a room at four times the noise."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Hold one run: increasing times t (n,), states X (n, states), inputs U (n, inputs); NaN is unknown."""

    t: np.ndarray
    X: np.ndarray
    U: np.ndarray

    @property
    def rows(self) -> int:
        """Return the number of times."""
        return len(self.t)

    def driven(self, times: np.ndarray) -> np.ndarray:
        """Return the inputs (m, inputs) at times (m,)."""
        return between(times, self.t, self.U)

    def part(self, rows: slice) -> Trajectory:
        """Return a stretch of the run."""
        return Trajectory(self.t[rows], self.X[rows], self.U[rows])


def between(times: np.ndarray, t: np.ndarray, U: np.ndarray) -> np.ndarray:
    """Return inputs U (n, k), known at times t (n,), at other times (m,); held if switched."""
    out = np.empty((len(times), U.shape[1]))
    for k, column in enumerate(U.T):
        changes = np.diff(column) != 0
        if changes[:-1].any() and np.mean(~changes[1:][changes[:-1]]) >= SWITCHED:
            out[:, k] = column[np.clip(np.searchsorted(t, times, side="right") - 1, 0, len(t) - 1)]
        else:
            out[:, k] = np.interp(times, t, column)
    return out


@dataclass(frozen=True, eq=False)
class Series:
    """Hold all runs of one system with the names of its states and inputs, and notes on what was repaired.

    `units` has those that were given, the time's under `TIME`.
    """

    runs: tuple[Trajectory, ...]
    states: tuple[str, ...]
    inputs: tuple[str, ...]
    notes: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Return the number of rows of all runs."""
        return sum(run.rows for run in self.runs)


def series(
    t: Any,
    X: Any,
    *,
    names: Sequence[str] | None = None,
    inputs: Any = None,
    input_names: Sequence[str] | None = None,
    groups: Any = None,
    units: Mapping[str, str] | None = None,
) -> Series:
    """Return checked runs from arrays: t (n,) and X (n, states), or lists of them, one a run.

    `inputs` (n, k) are known quantities that drive the system; `groups` (n,) says which rows are one run. A
    number instead of t is the time between two rows. `units` of states, inputs and the time ("t") are texts
    such as "m/s". Rows from the last time to the first are turned around; a long gap makes two runs. Raises
    InputError for times that do not increase, that occur twice, that are not finite, for runs too short to
    have a slope, and for units that are not known.
    """
    if isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) == 2:
        return _many(t, X, names, inputs, input_names, units)
    states = np.asarray(X, float)
    states = states[:, None] if states.ndim == 1 else states
    if states.ndim != 2 or states.shape[1] == 0:
        raise InputError(f"X has shape {states.shape}; give one row a time and one column a state.")
    n = len(states)
    times = float(t) * np.arange(n) if np.ndim(t) == 0 else np.asarray(t, float)
    driven = np.empty((n, 0)) if inputs is None else np.asarray(inputs, float).reshape(n, -1)
    if times.shape != (n,):
        raise InputError(f"t has shape {times.shape} for {n} rows of X; give one time a row.")
    labels = np.zeros(n, int) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    state_names = _named(names, states.shape[1], "x")
    driver_names = _named(input_names, driven.shape[1], "u")
    if clash := set(state_names) & set(driver_names):
        raise InputError(f"{min(clash)!r} is both a state and an input; it must be one of them.")
    runs: list[Trajectory] = []
    notes: list[str] = []
    for label in range(labels.max() + 1):
        at = np.flatnonzero(labels == label)
        run = Trajectory(times[at], states[at], driven[at])
        which = "" if groups is None else f" of run {label + 1}"
        runs += _parted(_checked(run, which, notes), which, notes)
    constant = [
        s for k, s in enumerate(state_names) if np.ptp(np.concatenate([r.X[:, k] for r in runs])) == 0
    ]
    if constant:
        notes.append(f"{constant[0]} never changes: its law is that it stays as it is")
    given = dict(units or {})
    if strange := sorted(set(given) - {*state_names, *driver_names, TIME}):
        raise UnknownNameError("column with a unit", strange[0], (*state_names, *driver_names, TIME))
    for text in given.values():
        factors(text)
    return Series(tuple(runs), state_names, driver_names, tuple(dict.fromkeys(notes)), given)


def _parted(run: Trajectory, which: str, notes: list[str]) -> list[Trajectory]:
    """Return the run in parts that no gap interrupts: a smooth curve across one would be made up."""
    step = np.diff(run.t)
    around = np.pad(step, BESIDE)
    near = [around[BESIDE + k : BESIDE + k + len(step)] for k in range(-BESIDE, BESIDE + 1) if k]
    beside = np.max(near, axis=0)
    parts, first = [], 0
    for row in map(int, np.flatnonzero(step > GAP * beside) + 1):
        known = [np.isfinite(run.X[a:b]).sum(axis=0).min() for a, b in ((first, row), (row, run.rows))]
        if min(known) >= FEWEST_ROWS:
            notes.append(
                f"nothing is known of{which or ' the time'} from {run.t[row - 1]:g} to {run.t[row]:g}, a gap "
                f"{step[row - 1] / beside[row - 1]:.0f} times as long as the steps beside it: what is before "
                "and after it are two runs"
            )
            parts.append(run.part(slice(first, row)))
            first = row
    return [*parts, run.part(slice(first, None))]


def _many(
    t: Any,
    X: Iterable[Any],
    names: Any,
    inputs: Any,
    input_names: Sequence[str] | None,
    units: Mapping[str, str] | None,
) -> Series:
    """Return runs that came as lists of arrays."""
    arrays = [np.asarray(x, float) for x in X]
    if len({a.shape[1] for a in arrays}) > 1:
        raise InputError("The runs have different numbers of states; every run needs the same columns.")
    times = (
        [float(t) * np.arange(len(a)) for a in arrays]
        if np.ndim(t) == 0
        else [np.asarray(v, float) for v in t]
    )
    if len(times) != len(arrays):
        raise InputError(f"There are {len(times)} series of times for {len(arrays)} runs; give one for each.")
    labels = np.repeat(np.arange(len(arrays)), [len(a) for a in arrays])
    driven = (
        None if inputs is None else np.concatenate([np.asarray(u, float).reshape(len(u), -1) for u in inputs])
    )
    return series(
        np.concatenate(times),
        np.vstack(arrays),
        names=names,
        inputs=driven,
        input_names=input_names,
        groups=labels,
        units=units,
    )


def _named(names: Sequence[str] | None, count: int, letter: str) -> tuple[str, ...]:
    """Return the names given to columns, or a letter with their numbers."""
    if names is None:
        return (letter,) if count == 1 else tuple(f"{letter}{k}" for k in range(count))
    if len(names) != count or len(set(names)) < count:
        raise InputError(
            f"There are {len(set(names))} different names for {count} columns; give one for each."
        )
    return tuple(str(n) for n in names)


def _checked(run: Trajectory, which: str, notes: list[str]) -> Trajectory:
    """Return the run without rows that say nothing; raises for times that cannot be used."""
    if not np.all(np.isfinite(run.t)):
        row = int(np.flatnonzero(~np.isfinite(run.t))[0])
        raise InputError(f"The time in row {row + 1}{which} is {run.t[row]}; every row needs a time.")
    step = np.diff(run.t)
    if len(step) and np.all(step < 0):
        notes.append(f"the rows{which} run from the last time to the first; they were turned around")
        run, step = run.part(slice(None, None, -1)), -step[::-1]
    if np.any(step <= 0):
        row = int(np.flatnonzero(step <= 0)[0])
        kind = "occurs twice" if step[row] == 0 else "is before the one above it"
        raise InputError(
            f"The time {run.t[row + 1]:g} in row {row + 2}{which} {kind}; sort the rows by time, one row"
            " a time, and name the column that tells runs apart (--group)."
        )
    unknown_input = ~np.isfinite(run.U).all(axis=1)
    empty = ~np.isfinite(run.X).any(axis=1) | unknown_input
    if empty.any():
        notes.append(f"{int(empty.sum())} rows{which} without a state or an input were left out")
        run = Trajectory(run.t[~empty], run.X[~empty], run.U[~empty])
    known = np.isfinite(run.X).sum(axis=0)
    if run.rows < FEWEST_ROWS or known.min() < FEWEST_ROWS:
        few = counted(min(run.rows, int(known.min())), "usable row")
        raise InputError(f"A state has only {few}{which}; a law of motion needs {FEWEST_ROWS} or more.")
    if np.isinf(run.X).any():
        raise InputError(f"A state{which} is infinite; leave such rows out.")
    squarable(run.t, run.X, run.U)
    return run

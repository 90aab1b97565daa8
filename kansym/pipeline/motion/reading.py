"""From a table to time series: which column is the time, which are states, inputs, and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kansym.base.errors import InputError, UnknownNameError
from kansym.data.table import Table, numbers, read_table
from kansym.pipeline.motion.trajectory import TIME


def arrays(
    data: Any,
    time: str,
    states: Sequence[str] = (),
    inputs: Sequence[str] = (),
    group: str | None = None,
    units: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return what :func:`kansym.dynamics` takes, from a table in any form that can be read.

    Without `states` every other column of numbers is one. `units` of columns go before those of the headers.
    Rows of a run may come in any order. Raises InputError for a column of words and UnknownNameError for one
    that is not there.
    """
    table = data if isinstance(data, Table) else read_table(data)
    notes = list(table.notes)
    for name in (time, *states, *inputs, *([group] if group else [])):
        if name not in table.names:
            raise UnknownNameError("column", name, table.names)
    moments = _numbers(table, time, notes)
    taken = {time, *inputs, *([group] if group else [])}
    chosen = list(states)
    if not chosen:
        for name in (n for n in table.names if n not in taken):
            values, problem = numbers(table, name, [])
            if values is not None:
                chosen.append(name)
            else:
                notes.append(f"column {name!r} {str(problem).partition(';')[0]}: left out")
    if twice := taken & set(chosen):
        raise InputError(f"Column {min(twice)!r} is named as a state and as something else; name it once.")
    if not chosen:
        raise InputError(
            f"No column beside {time!r} holds numbers; a law of motion needs at least one state."
        )
    X = np.column_stack([_numbers(table, n, notes) for n in chosen])
    U = np.column_stack([_numbers(table, n, notes) for n in inputs]) if inputs else None
    groups = None
    rows = np.flatnonzero(np.isfinite(moments))
    if len(rows) < len(moments):
        notes.append(f"{len(moments) - len(rows)} rows without a time were left out")
    if group is not None:
        labels = np.unique(table.frame[group].astype(str).to_numpy(), return_inverse=True)[1]
        rows = rows[np.lexsort((moments[rows], labels[rows]))]
        groups = labels[rows]
    return {
        "units": _units(table, time, (*chosen, *inputs), units or {}),
        "t": moments[rows],
        "X": X[rows],
        "names": chosen,
        "inputs": None if U is None else U[rows],
        "input_names": list(inputs) or None,
        "groups": groups,
        "notes": tuple(dict.fromkeys(notes)),
    }


def _units(table: Table, time: str, names: Sequence[str], said: Mapping[str, str]) -> dict[str, str]:
    """Return the units that are known of names, and the time's as TIME where no name is called so."""
    if strange := sorted(set(said) - set(table.names)):
        raise UnknownNameError("column", strange[0], table.names)
    told = {**table.units, **said}
    known = {n: told[n] for n in names if n in told}
    return {TIME: told[time], **known} if time in told else known


def _numbers(table: Table, name: str, notes: list[str]) -> np.ndarray:
    """Return a column's numbers; raises InputError where it holds words."""
    values, instead = numbers(table, name, notes)
    if values is None:
        raise InputError(f"Column {name!r} {instead}.")
    return np.asarray(values, float)

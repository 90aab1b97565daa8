"""Laws of motion as one HTML page: equations, constants, and every run simulated beside its rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kansym.base import storage
from kansym.report.arrows import arrows_svg
from kansym.report.export.motion import Equations, write
from kansym.report.labels import label
from kansym.report.numbers import drawable
from kansym.report.page import environment, mathml
from kansym.report.traces import trace_svg

if TYPE_CHECKING:
    from kansym.pipeline.motion.system import Dynamics
    from kansym.pipeline.motion.trajectory import Series

DRAWN = 600
"""Rows of a run that a picture shows."""

RUNS = 6
"""Runs that have pictures."""

MOST_ARROWS = 40
"""States of which the picture of what drives what can be read."""


def equations(found: Dynamics) -> Equations:
    """Return what an export of the system needs."""
    return Equations(found.equations, found.inputs, found.order, found.start, found.span)


def beside(found: Dynamics, data: Series) -> list[dict[str, Any]]:
    """Return for each run its times, and each state's measured and simulated values, as plain data.

    A run is simulated from its own fitted start.
    """
    out = []
    for run, start in zip(data.runs, found.starts, strict=True):
        path = found.simulate(np.array(start), run.t, run.U if len(found.inputs) else None)
        at = np.unique(np.linspace(0, run.rows - 1, min(run.rows, DRAWN)).astype(int))
        drawn = {s: {"measured": drawable(run.X[at, k]), "simulated": drawable(path[at, k])}
                 for k, s in enumerate(found.states)}  # fmt: skip
        out.append({"t": drawable(run.t[at]), "drawn": drawn})
    return out


def page(found: Dynamics, runs: Sequence[dict[str, Any]], source: str, time: str) -> str:
    """Return one self-contained HTML page of a system and of what `beside` returned."""
    mark = "d{}/dt" if found.order == 1 else "d²{}/dt²"
    names = list(dict.fromkeys(n for held in found.couplings.values() for n in held))
    laws = [
        {"state": s, "mathml": mathml(e, mark.format(s), names), "long": len(str(e)) > 60}
        for s, e in found.equations.items()
    ]
    several = len(runs) > 1
    axis = label(time, found.units.get("t", "")).plain
    charts = [
        {"svg": trace_svg(run["t"], drawn["measured"], drawn["simulated"], axis, s),
         "caption": f"{label(s, found.units.get(s, '')).plain}{f', run {number}' if several else ''}"}
        for number, run in enumerate(runs[:RUNS], 1)
        for s, drawn in run["drawn"].items()
    ]  # fmt: skip
    units = {s: found.constant_units.get(s) or ("",) * len(c) for s, c in found.constants.items()}
    values = {
        "found": found,
        "data": found.to_dict(),
        "laws": laws,
        "charts": charts,
        "hidden_runs": max(len(runs) - RUNS, 0),
        "constants": {s: list(zip(c, units[s], strict=True)) for s, c in found.constants.items()},
        "arrows": arrows_svg(found.couplings) if len(names) > 1 and len(found.states) <= MOST_ARROWS else "",
        "source": source,
        "code": write(equations(found), "python"),
        "diverges": lambda share: not math.isfinite(share),
    }
    return str(environment().get_template("motion.html").render(values))


def write_page(
    found: Dynamics, runs: Sequence[dict[str, Any]], source: str, time: str, path: str | Path
) -> Path:
    """Write the page into a file."""
    return storage.write_text(path, page(found, runs, source, time))

"""What a desk shows in pictures: the front, the law along each input with its band, what it leaves."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from kansym.base.errors import InputError
from kansym.data.dataset import Dataset
from kansym.formula.program import Program
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.band import Band
from kansym.pipeline.run import Law
from kansym.report import slices
from kansym.report.labels import label
from kansym.report.slices import Slice, along, wants_log, whole
from kansym.report.svg import network_svg
from kansym.studio import charts
from kansym.studio.bench import ROWS, kept, left_out
from kansym.studio.charts import ACCENT, SOFT, Axis, Line
from kansym.studio.desk import Desk

DRAWN, FEWEST = 500, 150
"""Rows drawn in all pictures along inputs together, and in each at least: 1000 dots take a browser 20 to
50 ms, and a growing front draws them twice a second; more would hide each other."""

LOOKED_AT = 50_000
"""Rows that ranges and medians of a picture are taken from."""

DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?(?![\w.])")
"""A decimal number in a formula, and no part of a name."""

PANELS = 6
"""Inputs that are drawn before the rest is folded away."""


def points(desk: Desk) -> tuple[tuple[int, float, str], ...]:
    """Return the front as (complexity, error as a share of the spread, formula); exact ones have 0."""
    if desk.searching or desk.run is None:
        return desk.live.front
    spread = float(desk.run.data.get("target_spread") or 1.0)
    return tuple(
        (law.complexity, 0.0 if law.exact else math.sqrt(max(law.heldout_loss, 0.0)) / spread, law.equation)
        for law in desk.run.front
    )


def shortened(text: str) -> str:
    """Return a formula with at most six digits of each number, as the finished front has them.

    >>> shortened("0.774944459853315*dose_1.25 + 41.0922")
    '0.774944*dose_1.25 + 41.0922'
    """
    return DECIMAL.sub(lambda number: f"{float(number[0]):.6g}", text)


def front(desk: Desk) -> dict[str, Any]:
    """Return the front, live while a search is under way."""
    found = [(size, error, shortened(text)) for size, error, text in points(desk)]
    if desk.growing:
        return charts.front(found, desk.live_row, None)
    return charts.front(found, desk.row, desk.other)


def inputs(desk: Desk) -> list[str]:
    """Return the inputs in the order that they are drawn: those of the law in the hand first."""
    if desk.dataset is None:
        return []
    law, names = _current(desk), desk.dataset.names
    used = set() if law is None or law.expression is None else {s.name for s in law.expression.free_symbols}
    return sorted(names, key=lambda n: n not in used)


def curve(desk: Desk, name: str) -> dict[str, Any]:
    """Return the law along one input, through the rows, with its band and the law that it is compared with.

    With several inputs the others are at their medians, and each row stands where the law, with its other
    inputs changed to the medians, would move it: its residual stays what it is.
    """
    data, law = _data(desk), _current(desk)
    x, y = _axes(desk, data, name)
    sample = _sample(data)
    column, lines = sample.column(name), []
    at = _positions(data, name)
    shown, out = _shown(desk, data, sample, name), _left_out(desk, data)
    if law is not None:
        cut = _cut(desk, law, data, name, at)
        lines.append(Line("formula", cut.x, cut.y, ACCENT, False, cut.low, cut.high))
    if desk.other is not None and desk.run is not None and not desk.searching:
        cut = along(desk.run.front[desk.other], data, name, at)
        lines.append(Line("compared", cut.x, cut.y, SOFT, True))
    rings = None if out is None else (out.column(name), _shown(desk, data, out, name))
    if y.log:  # of the rows alone: a band that comes near 0 has no end there
        low, high = charts.decades(data.y)
    else:
        low, high = charts.view(shown, *(line.y for line in lines), *(() if rings is None else rings[1:]))
    y = replace(y, low=low, high=high)
    words = [label(n).plain for n in (data.target, name)]
    title = f"{words[0]} along {words[1]}: {len(shown)} rows and the formula"
    return charts.curves(x, y, title, (column, shown), lines, rings)


def residuals(desk: Desk, name: str) -> dict[str, Any]:
    """Return what the law leaves of the drawn rows against an input, in standard errors where known."""
    data, law = _data(desk), _current(desk)
    sample = _sample(data)
    rest = np.zeros(sample.rows) if law is None else sample.y - _values(desk, law, sample.X, data)
    unit = label("measured − predicted", _unit(data, data.target)).plain
    if data.absolute and sample.weights is not None:
        rest, unit = rest * np.sqrt(sample.weights), "measured − predicted, in standard errors"
    x, _ = _axes(desk, data, name)
    return charts.residuals(
        x, Axis(unit), f"What the formula leaves against {label(name).plain}", (sample.column(name), rest)
    )


def predicted(desk: Desk) -> dict[str, Any]:
    """Return the law's values against the measured ones, with the line on which both are the same."""
    data, law = _data(desk), _current(desk)
    sample = _sample(data)
    values = sample.y if law is None else _values(desk, law, sample.X, data)
    log = wants_log(sample.y, values)
    unit = _unit(data, data.target)
    ends = np.array([sample.y.min(), sample.y.max()])
    x, y = (Axis(label(data.target, unit, f", {word}"), log) for word in ("measured", "predicted"))
    equal = Line("equal", ends, ends, SOFT, True)
    return charts.curves(x, y, "Predicted against measured", (sample.y, values), [equal])


def network(desk: Desk) -> str:
    """Return the law in the hand as a network, drawn as the report draws it; empty where it has none."""
    law, data = _current(desk), desk.dataset
    if law is None:
        return ""
    if desk.run is not None and not desk.searching:
        names, target = desk.run.names, str(desk.run.data["target"])
    elif data is not None:
        names, target = data.names, data.target
    if desk.moved and desk.bench is not None and not desk.searching:
        law = replace(law, expression=desk.bench.expression(desk.theta), graph=None)
    graph = law.as_graph(names)
    if graph is None:
        return ""
    rows = None if data is None else _sample(_data(desk)).select(graph.inputs).X
    return network_svg(graph, rows, target)


def off(desk: Desk) -> str:
    """Say how far off the law is with its constants as they stand, and on which rows."""
    rows = 0 if desk.dataset is None else desk.dataset.rows
    out = 0 if desk.run is None else len(desk.run.outliers)
    which = f"{ROWS:,} of {rows:,} rows" if rows > ROWS else "all rows"
    return f"Off by {desk.share():.4g} of the spread on {which}{f' but the {out} left out' if out else ''}."


def legend(desk: Desk) -> str:
    """Say what is what in the pictures, and how many of the rows are drawn, where not all are."""
    if desk.dataset is None:
        return ""
    rows, dots = desk.dataset.rows, _dots(desk.dataset)
    said = ["Blue is the formula with the band of 95 % of new rows, dashed red what it is compared with."]
    if desk.run is not None and desk.run.outliers and not desk.searching:
        said.append("Red rings are rows that were left out.")
    if len(desk.dataset.names) > 1:
        rest = (
            "the commonest category and the other inputs' medians"
            if desk.dataset.categories
            else "the other inputs' medians"
        )
        said.append(f"It is drawn at {rest}; rows are moved there by the formula.")
    if rows > dots:
        said.append(f"{dots:,} of {rows:,} rows are drawn.")
    return " ".join(said)


def _data(desk: Desk) -> Dataset:
    """Return the rows that the law is drawn on; raises InputError without a table."""
    if desk.dataset is None:
        raise InputError("There are no rows to draw; open the table.")
    if desk.run is None or desk.searching:
        return _thinned(desk.dataset, desk.dataset.names)
    return _thinned(kept(desk.run, desk.dataset), desk.run.names)


@lru_cache(maxsize=2)
def _thinned(data: Dataset, names: tuple[str, ...]) -> Dataset:
    """Return so many rows of a table as ranges and medians need: a slider moves ten pictures a second."""
    return data.subsample(LOOKED_AT).select(names)


@lru_cache(maxsize=32)
def _positions(data: Dataset, name: str) -> np.ndarray:
    """Return where along an input a law is drawn: of 50,000 rows it takes longer than all the rest."""
    return slices.positions(data.column(name))


@lru_cache(maxsize=2)
def _sample(data: Dataset) -> Dataset:
    """Return the rows that are drawn as dots."""
    return data.subsample(_dots(data))


def _left_out(desk: Desk, data: Dataset) -> Dataset | None:
    """Return the rows that were left out of the law, None where there are none."""
    if desk.run is None or desk.searching or desk.dataset is None:
        return None
    rows = left_out(desk.run, desk.dataset)
    return desk.dataset.take(np.array(rows)).select(data.names) if rows else None


def _shown(desk: Desk, data: Dataset, rows: Dataset, name: str) -> np.ndarray:
    """Return the target of rows (n,) as the law moves it where their other inputs go to the medians."""
    law = _current(desk)
    if law is None:
        return rows.y
    there = slices.path(data, name, rows.column(name))
    return slices.beside(rows, _values(desk, law, rows.X, data), _values(desk, law, there, data))


def _dots(data: Dataset) -> int:
    """Return how many rows a picture shows, beside those of the other inputs."""
    return max(FEWEST, DRAWN // min(len(data.names), PANELS))


def _current(desk: Desk) -> Law | None:
    """Return the law that is drawn: in the hand, or the best that a search last told."""
    if not desk.growing:
        return desk.law
    if desk.live_row is None or desk.dataset is None:
        return None
    size, error, text = desk.live.front[desk.live_row]
    formula = parse_expression(text, desk.dataset.names)
    law = Law(text, size, error, error, 0.0, 0.0, formula)
    sample = _sample(_data(desk))
    left = sample.y - law.predict(sample.X, sample.names)
    if not np.isfinite(left).all():
        return law
    # no noise is known yet: about as wide as what is left of the rows that are drawn
    return replace(law, band=Band(float(np.std(left)), sample.rows, None, "additive", 1.0))


def _values(desk: Desk, law: Law, X: np.ndarray, data: Dataset) -> np.ndarray:
    """Return a law's values (n,) on rows, with constants as set by hand."""
    if desk.bench is not None and not desk.searching and desk.moved:
        return desk.bench.values(X, desk.theta)
    if law.expression is not None:
        return Program.compile(law.expression, symbols(data.names)).value(X)
    return law.predict(X, data.names)


def _cut(desk: Desk, law: Law, data: Dataset, name: str, at: np.ndarray) -> Slice:
    """Return the slice of a law, without a band where constants were set by hand."""
    cut = along(law, data, name, at)
    if not desk.moved or desk.searching:
        return cut
    nothing = np.full(len(cut.x), np.nan)  # a band belongs to fitted constants
    return Slice(cut.x, _values(desk, law, slices.path(data, name, cut.x), data), nothing, nothing)


def _axes(desk: Desk, data: Dataset, name: str) -> tuple[Axis, Axis]:
    """Return the axes of an input and of the target; an input's is the same in all its pictures."""
    x, y = data.column(name), data.y
    log, at = wants_log(x), _positions(data, name)
    low, high = charts.decades(at) if log else charts.view(at)
    return (
        Axis(label(name, _unit(data, name)), log, low, high, whole(x)),
        Axis(label(data.target, _unit(data, data.target)), wants_log(y)),
    )


def _unit(data: Dataset, name: str) -> str:
    """Return a column's unit, empty where none is known."""
    return str((data.unit_texts or {}).get(name, ""))

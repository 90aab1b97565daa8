"""What is drawn, as options for ECharts: plain data from plain data, nothing of the browser.

Colours of text and lines are CSS (see `page.style`), so that a chart follows light and dark by itself.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.report.labels import Label
from kansym.report.layout import short
from kansym.report.levels import exact_level

ACCENT, SOFT, INK = "#2a86b3", "#d0604f", "#7a8794"
"""Blue of laws, red of what is compared or beyond the data, grey of rows: readable on white and on black."""

MANY = ("#d0604f", "#6a8f3c", "#a06bc4", "#c08a1e", "#3a9c93", "#b5628a")
"""Colours of functions that are overlaid, the best first."""

ONE_PATH = 60
"""Dots from which all are one path, drawn anew under a moving hand in a third of the time: a picture of 500
dots takes 3 ms and not 9."""

MARKS = 5
"""Steps between marks on an axis that ECharts aims at."""

_NUMBER = (
    "v => Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(2) : +v.toPrecision(5)"
)


_SET = {
    "sign": {"fontStyle": "italic", "fontSize": 14},
    "below": {"fontSize": 9, "verticalAlign": "bottom"},
}
"""How the parts of a column's label are set."""


@dataclass(frozen=True)
class Axis:
    """Hold an axis: what it is called, whether it is logarithmic, its ends where they are set, and whether it
    counts: then it has whole numbers alone."""

    name: Label | str
    log: bool = False
    low: float | None = None
    high: float | None = None
    whole: bool = False

    @property
    def plain(self) -> str:
        """Return what it is called as plain text."""
        return self.name if isinstance(self.name, str) else self.name.plain


def front(points: Sequence[tuple[int, float, str]], chosen: int | None, other: int | None) -> dict[str, Any]:
    """Return error against complexity, one point a formula; an error of 0 stands at the level "0 (exact)"."""
    level = exact_level([e for _, e, _ in points])
    data = []
    for i, (size, error, text) in enumerate(points):
        place = error or level or 0.0
        if not math.isfinite(place):
            continue
        colour = ACCENT if i == chosen else SOFT if i == other else "transparent"
        edge = SOFT if i == other else ACCENT
        style = {"color": colour, "borderColor": edge, "borderWidth": 2}
        data.append({"value": [size, place, i], "name": text, "itemStyle": style})
    low = level if any(e == 0 for _, e, _ in points) else None
    y = Axis("error, share of the spread", level is not None, low)
    made = _chart(Axis("complexity", whole=True), y, "Error on held-out rows against complexity")
    if y.low is not None:
        made["yAxis"]["axisLabel"][":formatter"] = f"v => v <= {low!r} ? '0 (exact)' : ({_NUMBER})(v)"
    made["tooltip"][":formatter"] = (
        "p => { const t = document.createElement('span'); t.textContent = p.name.length > 90 ? "
        "p.name.slice(0, 89) + '…' : p.name; return t.outerHTML; }"
    )
    line = {"type": "line", "data": data, "symbolSize": 14, "symbol": "circle", "name": "formulas"}
    made["series"] = [{**line, "lineStyle": {"color": INK, "width": 1}, "cursor": "pointer"}]
    return made


@dataclass(frozen=True, eq=False)
class Line:
    """Hold a curve: its name, points, colour, whether it is dashed, and the ends of its band, if any."""

    name: str
    x: np.ndarray
    y: np.ndarray
    colour: str = ACCENT
    dashed: bool = False
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def curves(
    x: Axis,
    y: Axis,
    title: str,
    dots: tuple[np.ndarray, np.ndarray] | None,
    lines: Sequence[Line],
    rings: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Return rows as dots with curves through them, bands behind, and rings about rows that do not count."""
    made = _chart(x, y, title)
    series: list[dict[str, Any]] = []
    for line in lines:
        if line.low is not None and line.high is not None and np.isfinite(line.low + line.high).any():
            series.append(_band(line, y))
    if dots is not None:
        style: dict[str, Any] = {"color": INK, "opacity": 0.65}
        size = _dot(len(dots[0]))
        series.append({"type": "scatter", "name": "rows", "data": pairs(*dots), "symbolSize": size,
                       "itemStyle": style, "id": "rows", "emphasis": {"disabled": True},
                       "large": True, "largeThreshold": ONE_PATH})  # fmt: skip
    for line in lines:
        style = {"color": line.colour, "width": 2, "type": "dashed" if line.dashed else "solid"}
        series.append({"type": "line", "name": line.name, "data": pairs(line.x, line.y), "id": line.name,
                       "showSymbol": False, "lineStyle": style,
                       "itemStyle": {"color": line.colour}})  # fmt: skip
    if rings is not None:
        style = {"color": "transparent", "borderColor": SOFT, "borderWidth": 2}
        series.append({"type": "scatter", "name": "left out", "id": "left out", "data": pairs(*rings),
                       "symbolSize": 12, "itemStyle": style})  # fmt: skip
    made["series"] = series
    return made


def overlaid(curve: Line, fits: Sequence[Line], title: str) -> dict[str, Any]:
    """Return an edge's curve with functions over it, whose names above hide and show them."""
    low, high = view(curve.y, *(fit.y for fit in fits))
    x, y = Axis("what enters"), Axis("what leaves", False, low, high)
    made = curves(x, y, title, None, [curve, *fits])
    made["legend"] = {"data": [fit.name for fit in fits], "top": 0, "right": 0, "type": "scroll"}
    made["grid"]["top"] = 58
    return made


def residuals(x: Axis, y: Axis, title: str, dots: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Return what a law leaves against a column, with the line of zero."""
    made = curves(x, y, title, dots, ())
    made["series"][0]["markLine"] = {
        "silent": True, "symbol": "none", "label": {"show": False}, "animation": False,
        "lineStyle": {"color": INK, "type": "solid"}, "data": [{"yAxis": 0}],
    }  # fmt: skip
    return made


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the least options that turn one picture into another: points that moved, ends of an axis.

    None where more than these is different, so that it is drawn anew.
    """
    fixed = _fixed(before)
    if fixed is None or fixed != _fixed(after):
        return None
    moved = [
        {"id": new["id"], "data": new["data"]}
        for old, new in zip(before["series"], after["series"], strict=True)
        if old["data"] != new["data"]
    ]
    ends = {
        axis: {end: after[axis].get(end) for end in ("min", "max")}
        for axis in ("xAxis", "yAxis")
        if before[axis] != after[axis]
    }
    return {"series": moved, **ends}


def _fixed(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what moving points leave as it is; None where a series has no name to be found by."""
    series = options.get("series", ())
    if "xAxis" not in options or not all("id" in line for line in series):
        return None
    kept = dict(options)
    for axis in ("xAxis", "yAxis"):
        kept[axis] = {k: v for k, v in options[axis].items() if k not in ("min", "max")}
    kept["series"] = [{k: v for k, v in line.items() if k != "data"} for line in series]
    return kept


def pairs(x: np.ndarray, y: np.ndarray) -> list[list[float | None]]:
    """Return points with six digits, which is enough to draw; None where one is not finite."""
    return [
        [float(f"{a:.6g}"), float(f"{b:.6g}") if math.isfinite(b) else None]
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
        if math.isfinite(a)
    ]


def view(y: np.ndarray, *curves: np.ndarray) -> tuple[float, float]:
    """Return an axis's ends that show the rows, and curves up to a spread beyond: a pole flattens nothing."""
    rows = y[np.isfinite(y)]
    low, high = (float(rows.min()), float(rows.max())) if len(rows) else (0.0, 1.0)
    spread = high - low or abs(high) or 1.0
    near = np.concatenate([c[np.isfinite(c)] for c in curves]) if curves else np.array([])
    near = np.clip(near, low - spread, high + spread)
    low, high = min([low, *near.tolist()]), max([high, *near.tolist()])
    if not low < high:
        low, high = low - 0.5, high + 0.5
    for slack in (
        0.0,
        1e-9,
        1e-9,
    ):  # ends between two marks would have odd numbers; the marks follow the ends
        step = _step((high - low) / MARKS)
        first, last = math.floor(low / step + slack), math.ceil(high / step - slack)
        low, high = float(f"{step * first:.10g}"), float(f"{step * last:.10g}")
    return low, high


def _step(rough: float) -> float:
    """Return the step between two marks of an axis as ECharts rounds it."""
    power = 10.0 ** math.floor(math.log10(rough))
    share = rough / power
    return power * next((size for end, size in ((1.5, 1), (2.5, 2), (4, 3), (7, 5)) if share < end), 10)


def decades(x: np.ndarray) -> tuple[float, float]:
    """Return the powers of ten about positive values: the ends of a logarithmic axis.

    >>> decades(np.array([0.3, 20.0]))
    (0.1, 100.0)
    """
    low, high = (round_(math.log10(end)) for round_, end in ((math.floor, x.min()), (math.ceil, x.max())))
    return 10.0**low, 10.0**high


def _band(line: Line, y: Axis) -> dict[str, Any]:
    """Return a band as a polygon; it has no part where an axis cannot show its ends."""
    assert line.low is not None and line.high is not None
    keep = np.isfinite(line.low) & np.isfinite(line.high) & np.isfinite(line.x)
    if y.log:
        keep &= line.low > 0
    x, low, high = line.x[keep], line.low[keep], line.high[keep]
    shape = json.dumps([*pairs(x, high), *pairs(x, low)[::-1]])
    return {
        "type": "custom", "silent": True, "clip": True, "name": "band", "data": pairs(x[:1], low[:1]),
        ":renderItem": f"(p, api) => ({{type: 'polygon', shape: {{points: {shape}.map(q => api.coord(q))}}, "
        f"style: {{fill: '{line.colour}', opacity: 0.16}}}})",
    }  # fmt: skip


def _dot(count: int) -> float:
    """Return how large a dot is among so many."""
    return 7 if count < 60 else 4.5 if count < 400 else 3


def _chart(x: Axis, y: Axis, title: str) -> dict[str, Any]:
    """Return a chart without series: its axes, grid, and what the pointer tells."""
    names = [json.dumps(html.escape(a.plain)) for a in (x, y)]
    return {
        "animation": False,
        "aria": {"enabled": True, "label": {"description": title}},
        "grid": {"left": 14, "right": 18, "top": 26, "bottom": 30, "containLabel": True},
        "tooltip": {
            "trigger": "item", "confine": True,
            ":formatter": f"p => Array.isArray(p.value) ? {names[0]} + ': ' + ({_NUMBER})(p.value[0]) + "
            f"'<br>' + {names[1]} + ': ' + ({_NUMBER})(p.value[1]) : ''",
        },
        "xAxis": _axis(x, {"nameLocation": "middle", "nameGap": 28}),
        "yAxis": _axis(y, {"nameLocation": "end"}, {"align": "left", "padding": [0, 0, 0, -24]}),
        "series": [],
    }  # fmt: skip


def _axis(axis: Axis, place: dict[str, Any], style: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return an axis; a name of one letter is set in italics, its index below the line."""
    name = short(axis.plain)
    made: dict[str, Any] = {"type": "log" if axis.log else "value", "name": name, "scale": True, **place}
    made["nameTextStyle"] = dict(style or {})
    sign = axis.name
    if isinstance(sign, Label) and sign.is_sign and not set("{}|") & set(sign.below + sign.behind):
        below = f"{{below|{sign.below}}}" if sign.below else ""
        made["name"] = f"{{sign|{sign.stem}}}{below}{sign.behind}"
        made["nameTextStyle"]["rich"] = _SET
    made["axisLabel"] = {":formatter": _NUMBER, "hideOverlap": True}
    made["splitLine"], made["axisLine"] = {"lineStyle": {"opacity": 0.35}}, {"onZero": False}
    if axis.whole:
        made["minInterval"] = 1
    made["min"], made["max"] = axis.low, axis.high  # None takes back what an earlier picture had
    return made

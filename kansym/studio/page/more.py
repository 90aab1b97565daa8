"""Motion, classes and relations: what else the table can be asked, each with its picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from nicegui import html, ui

from kansym.data.dates import called_a_time
from kansym.functions.parsing import parse_expression
from kansym.report.arrows import arrows_svg
from kansym.report.labels import label
from kansym.studio import charts
from kansym.studio.charts import ACCENT, INK, Axis, Line
from kansym.studio.page.formula import typeset
from kansym.studio.page.view import View, button, field, select, table


def motion(view: View) -> None:
    """Draw the tab of trajectories."""
    html.h2("Laws of motion")
    html.p("For a table whose rows follow each other in time: the equations that move its columns.").classes(
        "hint"
    )
    view.part(("table", "question", "search"), lambda: _asking(view, "motion", _motion_parts))
    view.part(("aside", "table"), lambda: _motion(view))


def classes(view: View) -> None:
    """Draw the tab of classes."""
    html.h2("Formulas between classes")
    html.p("For a target that holds labels: a formula whose sign tells the class.").classes("hint")
    view.part(("table", "question", "search"), lambda: _asking(view, "classes", _classes_parts))
    view.part(("aside", "table"), lambda: _classes(view))


def relations(view: View) -> None:
    """Draw the tab of relations."""
    html.h2("Relations among the columns")
    html.p("Every independent formula that binds columns, whichever of them is called the target.").classes(
        "hint"
    )
    view.part(("table", "question", "search"), lambda: _asking(view, "relations", _relations_parts))
    view.part(("aside", "table"), lambda: _relations(view))


Parts = Callable[[View, dict[str, Any]], None]


def _asking(view: View, name: str, parts: Parts) -> None:
    """Draw the questions of one tab and the button that asks them."""
    desk = view.desk
    if desk.opened is None:
        html.p("Bring a table first.").classes("hint")
        return
    asked: dict[str, Any] = {"group": next(iter(desk.question.of("group")), "")}
    with ui.element("div").classes("row-of"):
        parts(view, asked)
        resting = not (desk.searching or desk.process.busy)
        button("Find them", lambda: view.do(desk.ask_aside, name, asked), "main", on=resting)
    if desk.process.busy and not desk.searching:
        html.p("Searching.").classes("busy")
    if desk.message:
        html.p(desk.message).classes("bad").props('role="alert"')


def _motion_parts(view: View, asked: dict[str, Any]) -> None:
    """Draw which column is the time and which are states and inputs."""
    assert view.desk.opened is not None
    names = [p.name for p in view.desk.opened.profiles if p.numeric]
    looks = next(filter(called_a_time, names), names[0] if names else "")
    asked |= {"time": looks, "states": [], "inputs": [], "order": "1"}
    select("Time", {n: n for n in names}, looks, lambda n: asked.update(time=n))
    select("Order", {"1": "first: dx/dt", "2": "second: forces"}, "1", lambda n: asked.update(order=n))
    field("States, all others if empty", "", lambda text: asked.update(states=_names(text)), "x, y")
    field("Known inputs", "", lambda text: asked.update(inputs=_names(text)))


def _classes_parts(view: View, asked: dict[str, Any]) -> None:
    """Draw which column holds the labels."""
    opened, question = view.desk.opened, view.desk.question
    assert opened is not None
    words = [p.name for p in opened.profiles if p.kind == "category" or p.different <= 20]
    target = next((n for n in words if opened.profiles[opened.table.names.index(n)].kind == "category"),
                  words[0] if words else question.target)  # fmt: skip
    asked |= {"target": target, "inputs": []}
    select("Labels", {n: n for n in words or [target]}, target, lambda n: asked.update(target=n))
    field("Inputs, all others if empty", "", lambda text: asked.update(inputs=_names(text)), "x, y")


def _relations_parts(view: View, asked: dict[str, Any]) -> None:
    """Ask among all columns of numbers."""
    assert view.desk.opened is not None
    asked["columns"] = [p.name for p in view.desk.opened.profiles if p.numeric]


def _names(text: str) -> list[str]:
    """Return the names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _motion(view: View) -> None:
    """Draw the equations, and each state simulated beside its rows."""
    found = view.desk.asides.get("motion")
    if found is None:
        return
    known = list(dict.fromkeys(n for names in found["couplings"].values() for n in names))
    for state, equation in found["equations"].items():
        mark = f"d{state}/dt" if found["order"] == 1 else f"d²{state}/dt²"
        try:
            typeset(parse_expression(equation, known), mark, known)
        except ValueError:
            html.code(f"{mark} = {equation}")
    html.p(found["trust"])
    html.p("Simulated from the fitted start; dots are the measured rows.").classes("hint")
    t = np.array(found["t"], float)
    with ui.element("div").classes("grid"):
        for state, drawn in found["drawn"].items():
            measured, path = (np.array(drawn[k], float) for k in ("measured", "simulated"))
            low, high = charts.view(measured, path)
            x, y = Axis(label(found["time"])), Axis(label(state), False, low, high)
            title = f"{state}: simulated, and {len(t)} measured rows"
            options = charts.curves(x, y, title, (t, measured), [Line("simulated", t, path)])
            with html.figure():
                view.chart((), lambda made=options: made, title)  # type: ignore[misc]


def _classes(view: View) -> None:
    """Draw the formulas between classes and the border."""
    found = view.desk.asides.get("classes")
    if found is None:
        return
    said = f"Right on {found['heldout_accuracy']:.2%} of {found['heldout_rows']} held-out rows"
    html.p(f"{said}; the commonest class alone {found['majority']:.2%}.")
    first = found["formulas"][0]
    typeset(parse_expression(first["equation"], found["inputs"]), "g", found["inputs"])
    html.p(f"{first['title']}.").classes("hint")
    if len(found.get("axes", ())) == 2:
        title = f"Rows of {' and '.join(found['classes'])}, and the boundary between them"
        with html.figure():
            view.chart((), lambda: _sides(found, title), title, classes="square")
    body = table([("formula", "eq"), ("size", "n"), ("held-out", "n")])
    with body:
        for one in found["formulas"]:
            with html.tr():
                with html.td().classes("eq"):
                    html.code(f"{one['title']}, g = {one['equation']}")
                html.td(str(one["complexity"])).classes("n")
                html.td(f"{one['heldout_accuracy']:.2%}").classes("n")


def _sides(found: dict[str, Any], title: str) -> dict[str, Any]:
    """Return the chart of two classes' rows and what is between them."""
    labels, axes = np.array(found["labels"]), found["axes"]
    x, y = (np.array(found["rows_drawn"][n], float) for n in axes)
    made = charts.curves(Axis(label(axes[0])), Axis(label(axes[1])), title, None, ())
    border = np.array(found["border"], float).reshape(-1, 2)
    groups = [(k, x[labels == k], y[labels == k]) for k in found["classes"]]
    for (name, u, v), colour, symbol in zip(
        groups, (ACCENT, charts.SOFT), ("circle", "triangle"), strict=True
    ):
        made["series"].append({"type": "scatter", "name": name, "data": charts.pairs(u, v), "symbolSize": 6,
                               "symbol": symbol, "itemStyle": {"color": colour, "opacity": 0.7}})  # fmt: skip
    made["series"].append({"type": "scatter", "name": "boundary", "data": charts.pairs(*border.T),
                           "symbolSize": 3, "itemStyle": {"color": INK}})  # fmt: skip
    words = [name for name, *_ in groups]
    made["legend"] = {"data": words, "right": 0, "top": 0, "textStyle": {"color": INK}}
    return made


def _relations(view: View) -> None:
    """Draw the relations and their arrows."""
    found = view.desk.asides.get("relations")
    if found is None:
        return
    if not found["relations"]:
        html.p("No relation binds these columns.").classes("hint")
    body = table([("relation", "eq"), ("leaves", "n"), ("size", "n")])
    with body:
        for one in found["relations"]:
            with html.tr():
                with html.td().classes("eq"):
                    html.code(one["equation"])
                html.td("0 (exact)" if one["exact"] else f"{one['share']:.2g}").classes("n")
                html.td(str(one["complexity"])).classes("n")
    if found["independent"]:
        html.p(f"In no relation: {', '.join(found['independent'])}.").classes("hint")
    if found["relations"]:
        html.p("An arrow leads from what determines to what is determined.").classes("hint")
        with ui.element("div").classes("arrows"):
            ui.html(arrows_svg({r["target"]: r["others"] for r in found["relations"]}), sanitize=False)

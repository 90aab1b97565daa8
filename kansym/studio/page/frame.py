"""The tabs, and which of them is open."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import html, ui

from kansym.studio.page import known, law, more, network, search, table, take
from kansym.studio.page.view import View

EVERY = 0.25
"""Seconds between two looks at what has changed: four pictures a second."""


def draw(view: View) -> None:
    """Draw the tabs of a page."""
    asides = {"Motion": more.motion, "Classes": more.classes, "Relations": more.relations}
    _tabs(view, {"Table": _bring, "Law": _find, "Network": network.draw, **asides, "Take along": take.draw})
    if view.desk.run is not None or view.desk.searching:
        view.turn("Law")
    ui.timer(EVERY, view.update)


def _bring(view: View) -> None:
    table.draw(view)
    known.draw(view)
    with ui.element("div").classes("row-of"):
        view.part(("search", "table"), lambda: search.starter(view))


def _find(view: View) -> None:
    search.draw(view)
    law.draw(view)


def _tabs(view: View, panels: dict[str, Callable[[View], None]]) -> None:
    """Draw tabs, of which one is shown; a panel is drawn when it is first opened."""
    bar = ui.element("div").classes("tabs").props('role="tablist" aria-label="Parts of the studio"')
    boxes: dict[str, ui.element] = {}
    heads: dict[str, ui.element] = {}

    def opened(name: str) -> None:
        for other, head in heads.items():
            head.props["aria-selected"] = "true" if other == name else "false"
            head.props["tabindex"] = 0 if other == name else -1
            boxes[other].set_visibility(other == name)
        if not boxes[name].default_slot.children:
            with boxes[name]:
                panels[name](view)
        ui.run_javascript("window.scrollTo(0, 0)")

    def pressed(key: str, name: str) -> None:
        names = list(heads)
        step = {"ArrowRight": 1, "ArrowLeft": -1}.get(key, 0)
        if step:
            to = names[(names.index(name) + step) % len(names)]
            opened(to)
            heads[to].run_method("focus")

    for number, name in enumerate(panels):
        with bar:
            head = html.button(name).on("click", lambda n=name: opened(n))
            head.props.update(type="button", role="tab", id=f"tab-{number}")
            head.props["aria-controls"] = f"panel-{number}"
            head.on(
                "keydown", lambda event, n=name: pressed(str(event.args), n), js_handler="e => emit(e.key)"
            )
        heads[name] = head
        boxes[name] = ui.element("div").props(
            f'role="tabpanel" id="panel-{number}" aria-labelledby="tab-{number}"'
        )
    view.turn = opened
    opened(next(iter(panels)))

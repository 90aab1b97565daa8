"""The tabs, and which of them is open.

A room of the page is loaded when its tab is first opened: what draws laws and networks takes a second
to load, in which the first page would not answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

from nicegui import html, ui

from kansym.studio.page import bring
from kansym.studio.page.view import View

EVERY = 0.25
"""Seconds between two looks at what has changed: four pictures a second."""

ANSWER = 5.0
"""Seconds that a browser is given to say which tab was open; it takes milliseconds."""

PANELS: dict[str, tuple[tuple[str, str], ...]] = {
    "Table": (("table", "draw"), ("search", "starter"), ("known", "draw")),
    "Law": (("search", "draw"), ("law", "draw")),
    "Network": (("network", "draw"),),
    "Motion": (("more", "motion"),),
    "Classes": (("more", "classes"),),
    "Relations": (("more", "relations"),),
    "Take along": (("take", "draw"),),
}
"""What each tab shows, as rooms of the page and their functions."""


def draw(view: View) -> None:
    """Draw the tabs of a page, the first with what needs no desk; the rest comes with the desk."""
    bar = ui.element("div").classes("tabs").props('role="tablist" aria-label="Parts of the studio"')
    Tabs(view, bar)

    async def fill() -> None:
        """Draw what needs the desk, once it is loaded."""
        if not await view.ready():
            return
        if view.desk.message:
            view.say(view.desk.message, bad=True)
        else:
            view.say("")
        usual = "Law" if view.desk.run is not None or view.desk.searching else "Table"
        view.turn(await _left_at() or usual)
        ui.timer(EVERY, view.update)

    ui.timer(0.01, fill, once=True)


async def _left_at() -> str:
    """Return the tab that was open when the page was loaded before, empty for none."""
    try:
        found = await ui.run_javascript("return sessionStorage.tab || ''", timeout=ANSWER)
    except TimeoutError:
        return ""
    return str(found) if found in PANELS else ""


class Tabs:
    """Hold the heads and boxes of the tabs; a box is filled when it is first opened."""

    def __init__(self, view: View, bar: ui.element) -> None:
        self.view = view
        self.heads: dict[str, ui.element] = {}
        self.boxes: dict[str, ui.element] = {}
        self.filled: set[str] = set()
        for number, name in enumerate(PANELS):
            self.heads[name] = self._head(bar, name, number)
            box = ui.element("div")
            self.boxes[name] = box.props(
                f'role="tabpanel" id="panel-{number}" aria-labelledby="tab-{number}"'
            )
        with self.boxes["Table"]:
            bring.draw(view)
        self._show("Table")
        view.turn = self.open

    def open(self, name: str) -> None:
        """Show a tab, and fill it where this is the first time."""
        self._show(name)
        self.view.tab = name
        self.view.update()
        if name not in self.filled:
            self.filled.add(name)
            with self.boxes[name]:
                for room, function in PANELS[name]:
                    getattr(import_module(f"kansym.studio.page.{room}"), function)(self.view)
        ui.run_javascript(f"sessionStorage.tab = {json.dumps(name)}; window.scrollTo(0, 0)")

    def _show(self, name: str) -> None:
        """Show one box and mark its head."""
        for other, head in self.heads.items():
            head.props["aria-selected"] = "true" if other == name else "false"
            head.props["tabindex"] = 0 if other == name else -1
            self.boxes[other].set_visibility(other == name)

    def _head(self, bar: ui.element, name: str, number: int) -> ui.element:
        """Return the head of a tab, which mouse and arrow keys reach."""
        with bar:
            head = html.button(name).on("click", self._opener(name))
        head.props.update(type="button", role="tab", id=f"tab-{number}")
        head.props["aria-controls"] = f"panel-{number}"

        async def pressed(key: str) -> None:
            names = list(PANELS)
            step = {"ArrowRight": 1, "ArrowLeft": -1}.get(key, 0)
            if step:
                to = names[(names.index(name) + step) % len(names)]
                await self._opener(to)()
                self.heads[to].run_method("focus")

        return head.on("keydown", lambda event: pressed(str(event.args)), js_handler="e => emit(e.key)")

    def _opener(self, name: str) -> Callable[[], Any]:
        """Return what opens a tab once there is a desk."""

        async def opened() -> None:
            if await self.view.ready():
                self.open(name)

        return opened

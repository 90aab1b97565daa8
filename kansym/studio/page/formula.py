"""A formula as several tabs show it: typeset, and as a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import html, ui

from kansym.report.page import mathml
from kansym.studio import drawing
from kansym.studio.page.view import View


def typeset(formula: Any, target: str, names: Sequence[str], classes: str = "") -> None:
    """Draw "target = formula"."""
    with ui.element("div").classes(f"formula {classes}").props('tabindex="0"'):
        # the markup is made from a parsed formula, and every name in it is escaped
        ui.html(mathml(formula, target, names), sanitize=False)


def as_network(view: View) -> None:
    """Draw the law in the hand as a network, which follows the row that is clicked."""
    view.part(("law", "search", "front", "run"), lambda: _network(view))


def _network(view: View) -> None:
    """Draw the picture, where the law has one."""
    picture = view.ask(lambda: drawing.network(view.desk))
    if picture:
        html.h2("The formula as a network")
        html.p("Inputs at the bottom, a curve on each edge; faint ones matter little.").classes("hint")
        with ui.element("div").classes("network-box"):
            ui.html(picture, sanitize=False)

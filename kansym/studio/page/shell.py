"""What a page shows at once: title, light or dark, the line that speaks; the rest comes when it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import html, run, ui

from kansym.studio.page import style

LOOKS = {"auto": "as the system", "light": "light", "dark": "dark"}


def draw(load: Callable[[], Any]) -> None:
    """Draw a page; `load` returns what fills it, a function of the line that speaks, and may take seconds."""
    ui.add_css(style.CSS)
    look = ui.dark_mode(None)
    with html.header().classes("top"):
        html.h1("kansym studio")
        with html.label().classes("field"):
            html.span("Colours")
            choice = html.select().props('aria-label="Colours"')
            with choice:
                for key, word in LOOKS.items():
                    html.option(word).props["value"] = key
    choice.on("change", lambda event: look.set_value({"light": False, "dark": True}.get(event.args)),
              js_handler="e => emit(e.target.value)")  # fmt: skip
    said = ui.label("loading ...").classes("said hint").props('role="status" aria-live="polite"')
    main = ui.element("div")

    async def fill() -> None:
        filler = await run.io_bound(load)
        said.text = ""
        if filler is not None:  # None while the server shuts down
            with main:
                filler(said)

    ui.timer(0.01, fill, once=True)

"""The page as a whole: title, light or dark, the line that speaks, the tabs."""

from __future__ import annotations

from nicegui import html, ui

from kansym.studio.page import frame, style
from kansym.studio.page.view import View

LOOKS = {"auto": "as the system", "light": "light", "dark": "dark"}


def draw(view: View) -> None:
    """Draw a page, which answers before the desk is there."""
    ui.add_css(style.CSS)
    ui.add_head_html(f"<script>{style.HANDS}</script>")
    look = ui.dark_mode(None)
    with html.header().classes("top"):
        html.h1("kansym studio")
        view.said = ui.label("loading ...").classes("said hint").props('role="status" aria-live="polite"')
        with html.label().classes("field"):
            html.span("Colours")
            choice = html.select().props('aria-label="Colours"')
            with choice:
                for key, word in LOOKS.items():
                    html.option(word).props["value"] = key
    choice.on("change", lambda event: look.set_value({"light": False, "dark": True}.get(event.args)),
              js_handler="e => emit(e.target.value)")  # fmt: skip
    frame.draw(view)

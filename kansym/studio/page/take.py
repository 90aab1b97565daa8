"""Take it along: the law in other languages, the report, figures, the session, a cell of code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from nicegui import html, ui

from kansym.base.errors import KansymError
from kansym.studio import session, takeaway
from kansym.studio.page.view import View, button, select


def draw(view: View) -> None:
    """Draw the whole tab."""
    view.part(("run", "law", "theta", "table", "walk"), lambda: _draw(view))


def _draw(view: View) -> None:
    """Draw what can be taken along of what is there."""
    desk = view.desk
    if desk.run is None:
        html.h2("Take it along")
        html.p("There is no law yet; search for one first.").classes("hint")
    else:
        html.h2("The formula in other languages")
        _code(view)
        html.h2("Report and figures")
        _files(view)
    if desk.opened is None and desk.run is None:
        return
    html.h2("The session")
    said = "One file with the table, what was asked, found and decided; drop it on the first tab to go on."
    html.p(said).classes("hint")
    button("Save the session", _loader(view, "session", "json", lambda: _session(view)), "main")
    html.h2("In a notebook")
    html.p("This cell does again what was clicked here.").classes("hint")
    _copied(view, "Cell", takeaway.cell(desk))


def _code(view: View) -> None:
    """Draw the formula in the language that is chosen."""
    chosen = {"language": "python"}
    with ui.element("div").classes("row-of"):
        select("Language", takeaway.LANGUAGES, "python", lambda one: shown(one))
    box = ui.element("div")

    def shown(language: str) -> None:
        """Show the law in a language."""
        chosen["language"] = language
        try:
            text = takeaway.code(view.desk, language)
        except KansymError as problem:
            text = str(problem)
        box.clear()
        with box:
            _copied(view, takeaway.LANGUAGES[language], text)

    shown(chosen["language"])


def _copied(view: View, title: str, text: str) -> None:
    """Draw code with a button that copies it."""

    def copied() -> None:
        ui.clipboard.write(text)
        view.say(f"{title}: copied.")

    with ui.element("div"):
        with html.pre().props(f'tabindex="0" role="region" aria-label="{title}"'):
            html.code(text)
        button(f"Copy {title}", copied)


def _files(view: View) -> None:
    """Draw a button for each file."""
    with ui.element("div").classes("row-of"):
        button("Report", _loader(view, "report", "html", lambda: takeaway.report(view.desk).encode()), "main")
    if view.desk.dataset is None:
        return
    for name, words in takeaway.FIGURES.items():
        with ui.element("div").classes("row-of figures"):
            html.span(words)
            for kind in takeaway.FORMATS:
                make = _figure(view, name, kind)
                button(kind.upper(), _loader(view, name, kind, make), label=f"{words} as {kind.upper()}")


def _figure(view: View, name: str, kind: str) -> Callable[[], bytes]:
    """Return what makes a figure's file."""
    return lambda: takeaway.figure(view.desk, name, kind)


def _session(view: View) -> bytes:
    """Return the session's file."""
    return json.dumps(session.to_dict(view.desk), allow_nan=False, ensure_ascii=False).encode()


def _loader(view: View, name: str, kind: str, make: Callable[[], bytes]) -> Callable[[], Any]:
    """Return what a button does that gives a file to the browser."""

    async def load() -> None:
        """Make the file in another thread and give it to the browser."""
        content = await view.work(make)
        if content is not None:
            source = view.desk.opened.name if view.desk.opened else "law"
            stem = re.sub(r"[^\w-]+", "_", source.rpartition("/")[2].partition(".")[0])
            ui.download.content(content, f"{stem}-{name}.{kind}")
            view.say(f"{stem}-{name}.{kind}: {len(content):,} bytes.")

    return load

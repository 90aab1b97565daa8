"""Bring a table: drop a file or pick one, see its columns, give each its part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from nicegui import events, html, ui

from kansym.studio import session
from kansym.studio.columns import Profile
from kansym.studio.desk import Opened
from kansym.studio.guard import MOST_BYTES
from kansym.studio.page.view import View, button, field, select, table
from kansym.studio.question import PARTS

WORDS = {
    "input": "explains",
    "target": "is explained",
    "sigma": "error of the target",
    "group": "group of rows",
    "category": "category",
    "unused": "left out",
}
"""What a column's part is called on the page."""

MOST_SHOWN = 60
"""Columns that are listed; more are left to the command line."""


def draw(view: View) -> None:
    """Draw the whole tab."""
    html.h2("Bring a table")
    with ui.element("div").classes("two"):
        _dropping(view)
        with ui.element("div"):
            view.part(("files",), lambda: _offered(view))
    view.part(("table", "question"), lambda: _columns(view))


async def open_table(view: View, name: str) -> None:
    """Read a table of the folder and put it on the desk."""
    opened = await view.work(Opened.read, view.desk.folder, name)
    if opened is not None and view.do(view.desk.take, opened):
        view.say(f"{opened.name}: {opened.table.rows:,} rows, {len(opened.profiles)} columns.")


def _dropping(view: View) -> None:
    async def received(event: events.UploadEventArguments) -> None:
        content = await event.file.read()
        upload.reset()
        saved = await view.work(session.recognised, content) if event.file.name.endswith(".json") else None
        if saved is not None:
            if view.do(session.open_saved, view.desk, saved):
                view.turn("Law")
            return
        name = await view.work(view.desk.folder.receive, event.file.name, content)
        if name is not None:
            view.desk.touch("files")
            await open_table(view, name)

    def refused(_: Any) -> None:
        view.say(
            f"The file has more than {MOST_BYTES >> 20} MB; start the studio with its name instead.", bad=True
        )

    with ui.element("div").classes("drop"):
        html.p("Drop a table here: CSV, Excel, Parquet, JSON, SQLite ... or a saved session.").classes("hint")
        upload = ui.upload(
            auto_upload=True, max_file_size=MOST_BYTES, max_files=1, on_upload=received, on_rejected=refused
        )
        upload.props("flat")
        # the browser opens its window only for a click that it sees itself
        pick = html.button("Choose a file").props("type=button")
        pick.on("click", js_handler=f"() => getElement({upload.id}).$refs.qRef.pickFiles()")


def _offered(view: View) -> None:
    folder = view.desk.folder
    files = folder.files()
    if files:
        html.h3("In this folder")
        with ui.element("div").classes("row-of"):
            for name in files:
                button(name, _opener(view, name))
    html.h3("Shipped")
    with ui.element("div").classes("row-of"):
        for name, title in folder.shipped().items():
            made = button(name, _opener(view, name))
            made.props["title"] = title


def _opener(view: View, name: str) -> Callable[[], Any]:
    async def opened() -> None:
        await open_table(view, name)

    return opened


def _columns(view: View) -> None:
    opened = view.desk.opened
    if opened is None:
        return
    card = opened.table.card
    html.h2(f"{opened.name}: {opened.table.rows:,} rows")
    if card is not None and card.title:
        html.p(card.title).classes("hint")
    heads = [
        ("column", ""),
        ("part", ""),
        ("unit", ""),
        ("range", "n"),
        ("gaps", "n"),
        ("values", ""),
        ("", ""),
    ]
    body = table(heads)
    with body:
        for profile in opened.profiles[:MOST_SHOWN]:
            _column(view, profile)
    if len(opened.profiles) > MOST_SHOWN:
        html.p(f"{MOST_SHOWN} of {len(opened.profiles)} columns are listed.").classes("hint")
    if opened.table.notes:
        with html.details() as notes:
            notes.props["open"] = True
            html.summary("What was repaired on reading")
            with html.ul():
                for note in opened.table.notes:
                    html.li(note)


def _column(view: View, profile: Profile) -> None:
    desk, question = view.desk, view.desk.question
    parts = [p for p in PARTS if profile.numeric or p in ("group", "category", "unused")]

    def given(part: str) -> None:
        view.do(lambda: desk.ask(desk.question.with_part(profile.name, part)))

    def measured(unit: str) -> None:
        units = {**desk.question.units, profile.name: unit.strip()}
        view.do(lambda: desk.ask(replace(desk.question, units=units)))

    with html.tr():
        with html.td():
            html.code(profile.name)
        with html.td():
            words, now = {p: WORDS[p] for p in parts}, question.parts.get(profile.name, "unused")
            select(f"Part of {profile.name}", words, now, given, shown=False)
        with html.td():
            if profile.numeric:
                unit = question.units.get(profile.name, profile.unit)
                field(f"Unit of {profile.name}", unit, measured, shown=False).props["size"] = 7
        html.td(_range(profile)).classes("n")
        html.td(f"{profile.gaps:,}" if profile.gaps else "–").classes("n")
        with html.td():
            if profile.bars:
                ui.html(bars(profile.bars), sanitize=False)
            else:
                html.span(", ".join(profile.words)[:60]).classes("fact")
        html.td(profile.about).classes("fact")


def _range(profile: Profile) -> str:
    if profile.low is None or profile.high is None:
        return f"{profile.different} words" if profile.different else "empty"
    return f"{profile.low:.4g} to {profile.high:.4g}".replace("-", "−")


def bars(counts: Sequence[int]) -> str:
    """Return a histogram as one small SVG element."""
    most, wide = max(counts) or 1, 112 / len(counts)
    tall = [24 * n / most for n in counts]
    parts = [
        f'<rect x="{i * wide:.1f}" y="{25 - h:.1f}" width="{wide - 1:.1f}" height="{h:.1f}"/>'
        for i, h in enumerate(tall)
        if h
    ]
    return f'<svg class="bars" viewBox="0 0 112 26" aria-hidden="true">{"".join(parts)}</svg>'

"""Bring a table: drop a file or pick one. The first that a page shows, before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import events, html, ui

from kansym.studio.guard import MOST_BYTES
from kansym.studio.page.view import View, button


def draw(view: View) -> None:
    """Draw where a file is dropped, and the tables that can be picked."""
    html.h2("Bring a table")
    html.p("Its columns come below: say which of them is explained, then search for the law.").classes("hint")
    with ui.element("div").classes("two"):
        _dropping(view)
        with ui.element("div"):
            view.part(("files",), lambda: _offered(view))


async def open_table(view: View, name: str, writing: Mapping[str, str] | None = None) -> None:
    """Read a table of the folder and put it on the desk; `writing` says how it is written."""
    view.say("loading ...")
    if not await view.ready():
        return
    from kansym.studio.desk import Opened

    opened = await view.work(Opened.read, view.desk.folder, name, writing)
    if opened is not None and view.do(view.desk.take, opened):
        view.say(f"{opened.name}: {opened.table.rows:,} rows, {len(opened.profiles)} columns.")


def _dropping(view: View) -> None:
    """Draw the place for files."""

    async def received(event: events.UploadEventArguments) -> None:
        """Take an uploaded file as the table."""
        content = await event.file.read()
        upload.reset()
        if not await view.ready():
            return
        from kansym.studio import session

        saved = await view.work(session.recognised, content) if event.file.name.endswith(".json") else None
        if saved is not None:
            if view.do(session.open_saved, view.desk, saved):
                view.turn("Law")
            return
        name = await view.work(view.folder.receive, event.file.name, content)
        if name is not None:
            view.desk.touch("files")
            await open_table(view, name)

    def refused(_: Any) -> None:
        most = f"{MOST_BYTES >> 20} MB"
        view.say(f"The file has more than {most}; start the studio with its name instead.", bad=True)

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
    """Draw a button for each table of the folder and each shipped one."""
    files = view.folder.files()
    if files:
        html.h3("In this folder")
        with ui.element("div").classes("row-of files").props('tabindex="0" role="group" aria-label="Files"'):
            for name in files:
                button(name, _opener(view, name))
    html.h3("Shipped")
    with ui.element("div").classes("row-of"):
        for name, title in view.folder.shipped().items():
            made = button(name, _opener(view, name))
            made.props["title"] = title


def _opener(view: View, name: str) -> Callable[[], Any]:
    """Return what a table's button does."""

    async def opened() -> None:
        await open_table(view, name)

    return opened

"""Serve one desk to browsers on this machine, behind the guard.

NiceGUI is imported here and in `page` alone, and only when the studio is started. What searches, draws and
computes is loaded when the first page is already shown: before, it would compete with it for the processor.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kansym.base import memory
from kansym.base.errors import InputError, KansymError
from kansym.studio.guard import Guard, Key

if TYPE_CHECKING:
    from kansym.studio.desk import Desk
    from kansym.studio.folder import Folder

LISTEN = 0.2
"""Seconds between two looks at what the search's process said."""

HEAD_START = 2.0
"""Seconds after which the desk is loaded where no page has asked for it yet: a later one
need not wait then."""

RECONNECT = 60.0
"""Seconds for which a page that fell silent may come back as it was: a busy machine, a closed lid."""

MOST_MESSAGE = 4 * 1024 * 1024
"""Bytes of one message through a page's socket; what is larger comes as an upload."""


def serve(
    data: str | None, host: str, port: int, announce: Callable[[str], None], browse: bool = True
) -> None:
    """Serve a desk with DATA on it until Ctrl-C; `announce` is given the address when pages can be opened.

    Raises InputError where NiceGUI is not installed or the port is taken.
    """
    memory.give_back()
    # NiceGUI would keep its own store in the folder it was started in
    os.environ["NICEGUI_STORAGE_PATH"] = os.path.join(tempfile.gettempdir(), f"kansym-studio-{os.getpid()}")
    try:
        from nicegui import app, ui
    except ImportError:
        raise InputError('The studio needs NiceGUI; run pip install "kansym[studio]".') from None
    from kansym.studio.folder import Folder
    from kansym.studio.page import shell
    from kansym.studio.page.view import View

    key = Key(host, _free(host, port))
    app.add_middleware(Guard, key=key)
    named = Path(data) if data is not None and Path(data).is_file() else None
    folder = Folder.of(Path.cwd(), named)
    shared = _Shared(data, folder)

    def opened() -> None:
        """Say the address as soon as the port answers, and load the desk where no page asks for it."""
        while not _answers(key):
            time.sleep(0.01)
        announce(key.address)
        if browse:
            webbrowser.open(key.address)
        time.sleep(HEAD_START)
        shared.load()

    app.on_startup(threading.Thread(target=opened, daemon=True).start)
    app.on_shutdown(shared.close)
    app.timer(LISTEN, shared.listen)
    ui.page("/", title="kansym studio")(lambda: shell.draw(View(folder, shared.load)))
    ui.run(
        host=host, port=key.port, show=False, reload=False, show_welcome_message=False, dark=None,
        reconnect_timeout=RECONNECT, language="en-US", ws_max_size=MOST_MESSAGE,
        uvicorn_logging_level="error", tailwind=False,
    )  # fmt: skip


class _Shared:
    """Hold the one desk of all pages, with what the command named on it, loaded when first asked for."""

    def __init__(self, data: str | None, folder: Folder) -> None:
        self.data, self.folder = data, folder
        self.desk: Desk | None = None
        self.gate = threading.Lock()

    def load(self) -> Desk:
        """Return the desk; a problem with what was named is said on the page."""
        with self.gate:  # pages that come together share one
            if self.desk is None:
                self.desk = self._loaded()
            return self.desk

    def _loaded(self) -> Desk:
        """Return a new desk, whose imports take a second."""
        from kansym.studio.desk import Desk
        from kansym.studio.session import open_first

        desk = Desk(self.folder)
        desk.process.start()  # imports and compiled code take seconds, in which nobody waits for it
        if self.data is not None:
            try:
                open_first(desk, self.data)
            except KansymError as problem:
                desk.message = str(problem)
        return desk

    def listen(self) -> None:
        """Hear what the search's process has said."""
        if self.desk is not None:
            self.desk.listen()

    def close(self) -> None:
        """End the search's process."""
        if self.desk is not None:
            self.desk.close()


def _answers(key: Key) -> bool:
    """Tell whether the port can be reached."""
    with socket.socket(socket.AF_INET6 if ":" in key.host else socket.AF_INET) as trial:
        return trial.connect_ex((key.reached, key.port)) == 0


def _free(host: str, port: int) -> int:
    """Return the port, or a free one for 0; raises InputError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except (OSError, OverflowError) as problem:
            why = getattr(problem, "strerror", None) or problem
            raise InputError(f"Cannot listen on {host}:{port}: {why}; choose another --port.") from None
        return int(trial.getsockname()[1])

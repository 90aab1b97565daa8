"""Fill a page's shell from the desk; importing this takes what draws and computes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kansym.studio.desk import Desk
from kansym.studio.page import frame
from kansym.studio.page.view import View


def of(desk: Desk) -> Callable[[Any], None]:
    """Return what fills a shell, given its line that speaks."""

    def fill(said: Any) -> None:
        view = View(desk)
        view.said = said
        if desk.message:
            view.say(desk.message, bad=True)
        frame.draw(view)

    return fill

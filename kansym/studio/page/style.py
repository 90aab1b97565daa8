"""The page's looks: colours for light and dark, one column on a phone, nothing from elsewhere; its script."""

from __future__ import annotations

import importlib.resources


def _read(package: str, name: str) -> str:
    """Return a file of a room."""
    return importlib.resources.files(package).joinpath(name).read_text(encoding="utf-8")


CSS = _read("kansym.studio.page", "studio.css") + _read("kansym.report", "templates/network.css")
"""The studio's looks, and the report's for networks."""

HANDS = _read("kansym.studio.page", "hands.js")
"""What keeps focus and presses where a part of the page is drawn anew."""

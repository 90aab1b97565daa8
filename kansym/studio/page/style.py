"""The page's looks: colours for light and dark, one column on a phone, nothing from elsewhere."""

from __future__ import annotations

import importlib.resources


def _read(package: str, name: str) -> str:
    """Return a style sheet of a room."""
    return importlib.resources.files(package).joinpath(name).read_text(encoding="utf-8")


CSS = _read("kansym.studio.page", "studio.css") + _read("kansym.report", "templates/network.css")
"""The studio's looks, and the report's for networks."""

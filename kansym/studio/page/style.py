"""The page's looks: colours for light and dark, one column on a phone, nothing from elsewhere."""

from __future__ import annotations

import importlib.resources

CSS = (importlib.resources.files("kansym.studio.page") / "studio.css").read_text(encoding="utf-8")

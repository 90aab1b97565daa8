"""Where the shipped data lie: function libraries and example tables.

An installed wheel holds them in kansym/_data, a checkout beside the package; nobody else needs to know.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from kansym.base.errors import InputError

KINDS = ("library", "datasets")


def folder(kind: str) -> Path:
    """Return the folder of shipped data of one kind, "library" or "datasets".

    Raises InputError for another kind, or when the installation lacks the folder.
    """
    if kind not in KINDS:
        raise InputError(f"No shipped data are called {kind!r}; use one of {', '.join(KINDS)}.")
    package = Path(str(importlib.resources.files("kansym")))
    for place in (package / "_data" / kind, package.parent / kind):
        if place.is_dir():
            return place
    raise InputError(f"This installation of kansym lacks its {kind!r} folder; install it again with pip.")

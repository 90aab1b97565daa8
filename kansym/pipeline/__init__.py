"""The whole flow: dataset -> producers -> judge -> front -> run, also for relations and equations.

Not here: mathematics; each stage is in its own room.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {"Options": "flow", "discover": "flow", "search": "flow", "Run": "run"}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"kansym.pipeline.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'kansym.pipeline' has no attribute {name!r}")

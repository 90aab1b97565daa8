"""Find the law in a table: symbolic regression with Kolmogorov-Arnold networks and SymPy."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Public names and the rooms they live in; loaded on first use so that `import kansym` stays light.
_PUBLIC: dict[str, str] = {
    "Graph": "kansym.graph",
    "Ensemble": "kansym.ensemble",
    "KAN": "kansym.session",
    "KansymClassifier": "kansym.classifier",
    "KansymError": "kansym.errors",
    "KansymRegressor": "kansym.regressor",
    "Library": "kansym.library",
    "Options": "kansym.pipeline",
    "Run": "kansym.run",
    "Session": "kansym.session",
    "discover": "kansym.pipeline",
    "fit_affine": "kansym.affine",
    "fit_pade": "kansym.search.pade",
    "match": "kansym.matching",
    "match_many": "kansym.matching",
    "parse_expression": "kansym.parsing",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'kansym' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

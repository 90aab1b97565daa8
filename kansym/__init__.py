"""Find the law in a table: symbolic regression with Kolmogorov-Arnold networks and SymPy."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

# Public names and the rooms they live in; loaded on first use so that `import kansym` stays light.
_PUBLIC: dict[str, str] = {
    "Graph": "kansym.functions.graph",
    "Dynamics": "kansym.pipeline.motion.system",
    "Ensemble": "kansym.network.ensemble",
    "KAN": "kansym.estimators.session",
    "KansymClassifier": "kansym.estimators.classifier",
    "KansymDynamics": "kansym.estimators.dynamics",
    "KansymError": "kansym.base.errors",
    "KansymRegressor": "kansym.estimators.regressor",
    "Library": "kansym.functions.library",
    "Options": "kansym.pipeline.flow",
    "Run": "kansym.pipeline.run",
    "Session": "kansym.estimators.session",
    "conserved": "kansym.pipeline.motion.conserved",
    "discover": "kansym.pipeline.flow",
    "discover_many": "kansym.pipeline.many",
    "dynamics": "kansym.pipeline.motion.dynamics",
    "fit_affine": "kansym.functions.affine",
    "fit_pade": "kansym.search.rational.pade",
    "match": "kansym.functions.matching",
    "match_many": "kansym.functions.matching",
    "parse_expression": "kansym.functions.parsing",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'kansym' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

"""A fitted estimator as versioned JSON, and back; a run's folder, ours or PySR's, as an estimator.

Data only: loading executes nothing. `kind` is a class that shares `front.FittedFront`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import kansym
from kansym.base import storage
from kansym.base.errors import FormatError, InputError
from kansym.estimators.regressor.encoding import Encoding
from kansym.estimators.regressor.pysr import read_hall_of_fame
from kansym.functions.library import Library
from kansym.pipeline.run import Run

FORMAT = 1
"""Version of the JSON layout of a saved estimator."""


def to_dict(model: Any) -> dict[str, Any]:
    """Return a fitted estimator as plain data that json can write."""
    return {
        "kind": "kansym estimator",
        "format": FORMAT,
        "version": kansym.__version__,
        "class": type(model).__name__,
        "parameters": {k: _plain(v) for k, v in model.get_params(deep=False).items()},
        "features": int(model.n_features_in_),
        "feature_names": [str(n) for n in getattr(model, "feature_names_in_", ())] or None,
        "names": list(model._encoding.names),
        "levels": {str(i): [_plain(v) for v in levels] for i, levels in model._encoding.levels.items()},
        "moments": {str(i): list(how) for i, how in model._encoding.moments.items()},
        "validation": [None if v is None else [str(u) for u in v] for v in model._validation],
        "covariances": [[None if c is None else c.tolist() for c in cs] for cs in model._covariances],
        "shares": [float(p) for p in getattr(model, "_shares", ())] or None,
        "classes": [_plain(c) for c in getattr(model, "classes_", ())] or None,
        "runs": [run.to_dict() for run in model.runs_],
    }


def from_dict(kind: type[Any], data: Mapping[str, Any], path: str | Path) -> Any:
    """Return the estimator that :func:`to_dict` described; `path` is named in FormatError."""
    if data.get("kind") != "kansym estimator":
        raise FormatError(f"{path} is no saved estimator; give a file that its save() wrote.")
    if data.get("format") != FORMAT:
        raise FormatError(
            f"{path} has format {data.get('format')!r} (kansym {data.get('version', 'unknown')}); kansym "
            f"{kansym.__version__} reads format {FORMAT}. Fit again."
        )
    if data.get("class") != kind.__name__:
        raise FormatError(f"{path} holds a {data.get('class')}, not a {kind.__name__}.")
    with storage.reading(str(path), "fit again"):
        model = kind()
        known = model.get_params(deep=False)
        model.set_params(**{k: _unplain(k, v) for k, v in data["parameters"].items() if k in known})
        model.n_features_in_ = int(data["features"])
        if data["feature_names"]:
            model.feature_names_in_ = np.array(data["feature_names"], dtype=object)
        levels = {int(i): tuple(v) for i, v in data["levels"].items()}
        moments = {int(i): (v[0], v[1]) for i, v in data.get("moments", {}).items()}
        model._encoding = Encoding(tuple(data["names"]), levels, moments)
        model._validation = [None if v is None else [float(u) for u in v] for v in data["validation"]]
        model._covariances = [[None if c is None else np.array(c) for c in cs] for cs in data["covariances"]]
        if data["classes"]:
            model.classes_ = np.array(data["classes"])
            model._shares = np.array(data["shares"])
        model.runs_ = [Run.from_dict(run) for run in data["runs"]]
    return model


def from_folder(kind: type[Any], folder: Path, names: Sequence[str] | None) -> Any:
    """Return the model of a run's folder: ours, the command line's, or PySR's hall_of_fame.csv."""
    if (folder / "estimator.json").exists():
        return from_dict(kind, storage.read_json(folder / "estimator.json"), folder / "estimator.json")
    if (folder / "result.json").exists():
        from kansym.report import page

        run = page.load(folder)[0]
    elif (folder / "hall_of_fame.csv").exists():
        run = read_hall_of_fame(folder / "hall_of_fame.csv", names)
    else:
        raise InputError(
            f"{folder} has no estimator.json, result.json or hall_of_fame.csv; give a run's folder."
        )
    model = kind()
    model._encoding = Encoding(run.names, {})
    model.n_features_in_ = len(run.names)
    if any(n != f"x{i}" for i, n in enumerate(run.names)):
        model.feature_names_in_ = np.array(run.names, dtype=object)
    model._validation = [None]
    model._covariances = [[None] * len(run.front)]
    model.runs_ = [run]
    return model


def _plain(value: Any) -> Any:
    """Return a parameter as JSON can write it; objects that cannot be are left out (None)."""
    if isinstance(value, Library):
        return {"library": value.to_dict()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else None


def _unplain(name: str, value: Any) -> Any:
    return Library.from_dict(value["library"]) if name == "library" and isinstance(value, dict) else value

"""What an estimator's parameters may be: one rule for each, and one line for a value that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from kansym.base.errors import InputError, UnknownNameError
from kansym.estimators.regressor.pysr import SAME, checked_binary, checked_rule

Rule = tuple[Callable[[Any], bool], str]


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_) or value in (0, 1)


def _texts(value: Any) -> bool:
    """Tell whether a value is a text or a list of texts."""
    return isinstance(value, str) or (
        isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
    )


RULES: dict[str, Rule] = {
    "time_limit": (lambda v: v is None or (_number(v) and v >= 0), "seconds, or None for no limit"),
    "effort": (lambda v: _number(v) and v > 0, "a number above 0, 1 for the usual effort"),
    "maxsize": (lambda v: _whole(v, 1), "a whole number of at least 1"),
    "guesses": (lambda v: v is None or _texts(v), "a formula or a list of formulas, as text"),
    "template": (lambda v: v is None or isinstance(v, str), "text such as 'y = f(x0)*g(x1)', or None"),
    "unary_operators": (lambda v: v is None or _texts(v), "a list of names such as ['sin', 'exp']"),
    "binary_operators": (lambda v: v is None or _texts(v), "a list of signs such as ['+', '*']"),
    "select_k_features": (lambda v: v is None or _whole(v, 1), "a number of columns, or None for all"),
    "n_jobs": (lambda v: v is None or _whole(v, 1) or v == -1, "1 or more, -1 for all processors, or None"),
    "random_state": (
        lambda v: v is None or _whole(v, 0) or isinstance(v, np.random.RandomState),
        "a whole number from 0 on, or None",
    ),
    "verbosity": (lambda v: _number(v) or isinstance(v, bool), "0 or 1"),
    "settings": (lambda v: v is None or isinstance(v, Mapping), "a dict such as {'kan': False}, or None"),
    "loss": (lambda v: isinstance(v, str) or callable(v), "a name such as 'absolute', or a function"),
    "noise": (
        lambda v: isinstance(v, str),
        "'auto', 'additive', 'relative', 'poisson', 'log', 'share' or 'percent'",
    ),
    "robust": (lambda v: isinstance(v, str), "'auto', 'on' or 'off'"),
    "denoise": (_flag, "True or False"),
    "warm_start": (_flag, "True or False"),
    "category_constants": (_flag, "True or False"),
}


def check(parameters: Mapping[str, Any]) -> None:
    """Raise InputError for the first parameter whose value breaks its rule."""
    for name, value in parameters.items():
        fine, wanted = RULES.get(name, (lambda _: True, ""))
        if not fine(value):
            raise InputError(f"{name} is {value!r}; give {wanted}.")
    checked_rule(parameters["model_selection"])
    checked_binary(parameters.get("binary_operators"))


def check_names(kind: type[BaseEstimator], names: Mapping[str, Any]) -> None:
    """Raise TypeError, as Python does, for a name that is no parameter, with the likeliest that is one."""
    known = kind._get_param_names()
    for name in names:
        if name in known:
            continue
        if name in SAME:
            raise TypeError(f"PySR's {name!r} is called {SAME[name]!r} here; from_pysr_params takes both.")
        raise TypeError(str(UnknownNameError(f"parameter of {kind.__name__}", name, known)))

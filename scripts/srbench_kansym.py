"""kansym as a method of SRBench (https://github.com/cavalab/srbench): copy to methods/kansym/regressor.py.

The harness imports `est`, `model` and `eval_kwargs`, sets `est.random_state` and `est.timeout_in_seconds`,
and interrupts the fit by SIGALRM; `model` and `est.predict` then answer with the best so far.
"""

from __future__ import annotations

from typing import Any

import sympy

from kansym.estimators.regressor import KansymRegressor

est = KansymRegressor(time_limit=3600, model_selection="description", random_state=0)
"""The estimator; the harness overrides its seed and time limit."""

eval_kwargs: dict[str, Any] = {
    "scale_x": False,
    "scale_y": False,
    "test_params": {"time_limit": 10},
}
"""Laws are found in the data's own units: scaling would hide their constants."""


def model(est: KansymRegressor, X: Any = None) -> str:
    """Return the chosen law as text that SymPy parses, over the names of X's columns."""
    expression = est.sympy()
    columns = getattr(X, "columns", None)
    if columns is not None:
        known = est.run_.names
        fitted = list(getattr(est, "feature_names_in_", [f"x{i}" for i in range(est.n_features_in_)]))
        place = {
            name: sympy.Symbol(str(columns[fitted.index(name)]), real=True)
            for name in known
            if name in fitted
        }
        expression = expression.xreplace({s: place.get(s.name, s) for s in expression.free_symbols})
    return str(sympy.sstr(expression))

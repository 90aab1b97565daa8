"""Laws of motion behind a scikit-learn-like estimator with PySINDy's names."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from kansym.base.errors import InputError
from kansym.pipeline.motion.dynamics import dynamics
from kansym.pipeline.motion.system import Dynamics


class KansymDynamics(BaseEstimator):
    """Find dx/dt = f(x, u, t) from trajectories.

    Parameters: `order` 1 or 2 (positions only), `time_limit` in seconds, `random_state` kept for the record.
    After `fit`, `dynamics_` is the :class:`kansym.pipeline.motion.system.Dynamics` and `feature_names_` the
    states.

    >>> import numpy as np
    >>> t = np.linspace(0, 4, 100)
    >>> model = KansymDynamics().fit(3 * np.exp(-0.5 * t), t=t)
    >>> model.equations()
    ['-x/2']
    """

    def __init__(self, order: int = 1, time_limit: float | None = None, random_state: int | None = 0) -> None:
        """Keep the parameters as they are, as scikit-learn wants it."""
        self.order = order
        self.time_limit = time_limit
        self.random_state = random_state

    def fit(
        self, X: Any, t: Any = 1.0, u: Any = None, feature_names: Sequence[str] | None = None
    ) -> KansymDynamics:
        """Find the equations of trajectories X (n, states), or a list of them, at times t or with step t."""
        self.dynamics_ = dynamics(t, X, names=feature_names, inputs=u, order=self.order,
                                  time_limit=self.time_limit, seed=self.random_state or 0)  # fmt: skip
        self.feature_names_ = list(self.dynamics_.states)
        self.n_features_in_ = len(self.feature_names_)
        return self

    def _fitted(self) -> Dynamics:
        """Return the equations; raises InputError before a fit."""
        if not hasattr(self, "dynamics_"):
            raise InputError("This KansymDynamics is not fitted yet; call fit(X, t=...) first.")
        return self.dynamics_

    def predict(self, X: Any, u: Any = None, t: Any = 0.0) -> np.ndarray:
        """Return the right sides (n, states) on states X."""
        return self._fitted().derivative(X, t, u)

    def simulate(self, x0: Any, t: Any, u: Any = None) -> np.ndarray:
        """Return the states (n, states) at times t (n,) from x0 at t[0]; NaN from where they diverge."""
        return self._fitted().simulate(x0, t, u)

    def score(self, X: Any, t: Any, u: Any = None) -> float:
        """Return the mean R² of a simulation from the first row of X."""
        times = float(t) * np.arange(len(X)) if np.ndim(t) == 0 else t
        return self._fitted().score(X, times, u)

    def equations(self, precision: int = 6) -> list[str]:
        """Return the right sides as text, one a state."""
        from kansym.formula.expression import text

        return [text(e, precision) for e in self._fitted().equations.values()]

    def print(self, lhs: Sequence[str] | None = None, precision: int = 6) -> None:
        """Write the equations to the standard output, as PySINDy does."""
        left = lhs or [f"({name})'" for name in self._fitted().states]
        lines = [f"{a} = {b}" for a, b in zip(left, self.equations(precision), strict=True)]
        sys.stdout.write("\n".join(lines) + "\n")

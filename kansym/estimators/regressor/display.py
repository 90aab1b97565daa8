"""A fitted front as text and as a table, the chosen row marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kansym.pipeline.run import Law, Run


class LawFunction:
    """Compute one law on X (n, columns), an array or a DataFrame; what `lambda_format` holds."""

    def __init__(self, law: Law, names: Sequence[str], columns: Sequence[str]) -> None:
        self.law, self.names, self.columns = law, tuple(names), tuple(columns)

    def __call__(self, X: Any) -> np.ndarray:
        """Return the values (n,)."""
        X = np.asarray(X, float)
        return self.law.predict(X[:, [self.columns.index(n) for n in self.names]], self.names)

    def __repr__(self) -> str:
        """Return the formula."""
        return f"LawFunction({self.law.equation})"


def frame(run: Run, columns: Sequence[str], validation: Sequence[float] | None) -> pd.DataFrame:
    """Return the front under PySR's column names; `columns` are those of the fit."""
    table = pd.DataFrame(
        {
            "complexity": [law.complexity for law in run.front],
            "loss": [law.loss for law in run.front],
            "equation": [law.equation for law in run.front],
            "score": [law.score for law in run.front],
            "sympy_format": [law.expression for law in run.front],
            "lambda_format": [LawFunction(law, run.names, columns) for law in run.front],
        }
    )
    if validation is not None:
        table["validation_loss"] = validation
    return table


def text(name: str, runs: Sequence[Run], pick: Callable[[int], int]) -> str:
    """Return the fronts as PySR shows them; `pick` says which row of each run is chosen."""
    tables = []
    for i, run in enumerate(runs):
        chosen = pick(i)
        table = pd.DataFrame(
            {
                "pick": [">>>>" if j == chosen else "" for j in range(len(run.front))],
                "score": [law.score for law in run.front],
                "equation": [law.equation for law in run.front],
                "loss": [law.loss for law in run.front],
                "complexity": [law.complexity for law in run.front],
            }
        )
        tables.append("\n".join("\t" + line for line in table.to_string(float_format="%.6g").split("\n")))
    return f"{name}.equations_ = [\n" + "\n],[\n".join(tables) + "\n]"

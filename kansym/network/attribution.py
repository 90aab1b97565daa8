"""What each input of a trained network is worth: its score, and how good the network is without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.base.errors import InputError
from kansym.base.linear import TINY
from kansym.network.kan import KAN

Rows = tuple[Any, ...]


@dataclass(frozen=True)
class Worth:
    """Hold one input's score (all add up to 1) and the measure without it; NaN for an only input."""

    name: str
    score: float
    without: float


@dataclass(frozen=True)
class Attribution:
    """Hold the table, the highest score first; `measure` is "accuracy" (high is good) or "rmse" (low is)."""

    inputs: tuple[Worth, ...]
    measure: str
    value: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write."""
        rows = [
            {"input": w.name, "score": w.score, "without": None if np.isnan(w.without) else w.without}
            for w in self.inputs
        ]
        return {"measure": self.measure, "value": self.value, "inputs": rows}


def attribution(
    network: KAN, train: Rows, held: Rows | None = None, *, loss: Any = "squared", steps: int = 20
) -> Attribution:
    """Return scores of the inputs of a network trained on `train` = (X, y) or (X, y, weights); its ablation.

    A score is the share of the output's spread that flows from the input through the edges (KAN 2.0, arXiv
    2408.10205, section 4.1). For the ablation the input is left out, the network trained for `steps` more
    on the other columns, and measured on `held` rows (default: train): accuracy for `loss`
    "cross_entropy", else root mean square error. Raises InputError where `steps` is below 1.
    """
    if steps < 1:
        raise InputError(f"steps={steps}: without an input the network needs 1 step or more to adapt.")
    X, y, *weights = train
    judged = train if held is None else held
    scores = network.attribution(X)[1][0]
    count = len(network.names)
    rows = []
    for i, name in enumerate(network.names):
        without = np.nan
        if count > 1:
            kept = [j for j in range(count) if j != i]
            smaller = network.keep_inputs(kept, X).copy()
            weighted = {"weights": weights[0]} if weights else {}
            smaller.fit(np.asarray(X)[:, kept], y, steps=steps, loss=loss, update_grid=False, **weighted)
            without = measured(smaller, np.asarray(judged[0])[:, kept], *judged[1:], loss=loss)
        rows.append(Worth(name, float(scores[i] / max(scores.sum(), TINY)), without))
    rows.sort(key=lambda w: -w.score)
    kind = "accuracy" if loss == "cross_entropy" else "rmse"
    return Attribution(tuple(rows), kind, measured(network, *judged, loss=loss))


def measured(network: KAN, X: Any, y: Any, weights: Any = None, *, loss: Any = "squared") -> float:
    """Return the accuracy of a network with one output a class, or the root mean square error of another."""
    found = network.predict(X)
    if loss == "cross_entropy":
        return float(np.average(found.argmax(1) == np.asarray(y), weights=weights))
    return float(np.sqrt(np.average((found - np.asarray(y)) ** 2, weights=weights)))


def lines(table: Attribution, digits: int = 4) -> Sequence[str]:
    """Return the table as lines of text."""
    width = max(len("input"), *(len(w.name) for w in table.inputs))
    out = [f"{'input':<{width}}   score  {table.measure} without it (with all: {table.value:.{digits}g})"]
    for w in table.inputs:
        without = "-" if np.isnan(w.without) else f"{w.without:.{digits}g}"
        out.append(f"{w.name:<{width}}  {w.score:>6.1%}  {without}")
    return out

"""The Kolmogorov–Arnold network: shape, training, and operations that return a new network.

`fit` trains in place, as estimators do; everything else leaves the network alone and returns another.
What needs the symbolic half (snapping, formulas, plots) is in `session`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kansym.errors import InputError
from kansym.graph import Graph
from kansym.tracing import Scaling, to_graph
from kansym.training import layers as lay
from kansym.training import schedule
from kansym.training.layers import Layer
from kansym.training.trainer import Training, train

NodeSpec = int | tuple[int, int | Sequence[int]] | list[Any]


class KAN:
    """Compute x_{l+1,j} = sum_i phi_{l,j,i}(x_{l,i}) with trainable univariate functions phi (paper 2.2–2.12).

    `shape` [n0, ..., nL]; an entry (s, p) or (s, [a, b, ...]) has s sums and product nodes, p of two factors
    or of the given arities. `grid` cells (0: no spline) and `order` for all layers or one per layer; `base` a
    library function's name or None, likewise. Every random number comes from `seed`.
    """

    def __init__(
        self,
        shape: Sequence[NodeSpec],
        grid: int | Sequence[int] = 5,
        order: int | Sequence[int] = 3,
        base: str | Sequence[str | None] | None = "silu",
        seed: int = 0,
        *,
        noise: float = 0.3,
        names: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> None:
        groups = [_groups(s) for s in shape]
        if len(groups) < 2:
            raise InputError(f"shape={shape!r} has no layer; give at least [inputs, outputs].")
        if any(g != 1 for g in groups[0]):
            raise InputError("The first entry of shape counts the inputs; products start at the second.")
        depth = len(groups) - 1
        rng = np.random.default_rng(seed)
        settings = zip(
            groups[:-1],
            groups[1:],
            _each(grid, depth, "grid"),
            _each(order, depth, "order"),
            _each(base, depth, "base"),
            strict=True,
        )
        self.layers: tuple[Layer, ...] = tuple(
            lay.make_layer(len(a), b, g, k, f, [rng], noise) for a, b, g, k, f in settings
        )
        self.names = tuple(names or (f"x{i}" for i in range(len(groups[0]))))
        last = len(groups[-1])
        self.outputs = tuple(outputs or (["y"] if last == 1 else [f"y{k}" for k in range(last)]))
        self.scaling = Scaling.none(len(groups[0]), last)
        self.fitted = False
        self.history = pd.DataFrame()
        self.stop_reason = ""
        self.seed = seed
        self._check_names()

    def _check_names(self) -> None:
        for kind, names, number in (
            ("inputs", self.names, self.layers[0].inputs),
            ("outputs", self.outputs, self.layers[-1].nodes),
        ):
            if len(names) != number or len(set(names)) != number:
                raise InputError(f"{names} must be {number} different names, one for each of the {kind}.")

    @property
    def shape(self) -> list[int]:
        """Return the number of nodes in every level."""
        return [self.layers[0].inputs, *(layer.nodes for layer in self.layers)]

    @property
    def parameters(self) -> int:
        """Return the number of trainable parameters."""
        return int(lay.free(self.layers).sum())

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        steps: int = 100,
        grids: Sequence[int] | None = None,
        lamb: float = 0.0,
        mu1: float = 1.0,
        mu2: float = 1.0,
        optimizer: str = "lm",
        loss: Any = "squared",
        weights: Any = None,
        validation: tuple[Any, Any] | float | None = None,
        update_grid: bool = True,
        smoothness: float | Sequence[float] = 1e-9,
        time_limit: float | None = None,
        callback: Callable[[dict[str, Any]], Any] | None = None,
        progress: bool = False,
        **options: Any,
    ) -> KAN:
        """Train on rows X (n, inputs) and y (n,) or (n, outputs), and return self.

        `steps` of `optimizer` ("lm", "lbfgs", "adam") at each of `grids` (default: the present ones). The
        objective is loss + lamb·(mu1·L1 + mu2·entropy), (2.20). Raises InputError for bad data.
        """
        setting = Training(
            steps=steps,
            grids=tuple(grids or ()),
            lamb=lamb,
            mu1=mu1,
            mu2=mu2,
            optimizer=optimizer,
            loss=loss,
            update_grid=update_grid,
            smoothness=smoothness,
            time_limit=time_limit,
            callback=callback,
            progress=progress,
            **options,
        )
        rows, target = self._rows(X), self._targets(y, len(self._rows(X)), loss)
        held = None
        if isinstance(validation, tuple):
            held_rows = self._rows(validation[0])
            held = (held_rows, self._targets(validation[1], len(held_rows), loss))
        elif validation:
            order = np.random.default_rng(self.seed).permutation(len(rows))
            cut = int(round(len(rows) * float(validation)))
            held = (rows[order[:cut]], target[order[:cut]])
            rows, target = rows[order[cut:]], target[order[cut:]]
            if weights is not None:
                weights = np.asarray(weights, float)[order[cut:]]
        outcome = train(self.layers, rows, target, setting, weights=weights, held=held, fresh=not self.fitted)
        self.layers, self.fitted, self.stop_reason = outcome.layers, True, outcome.reason
        self.history = pd.concat([self.history, pd.DataFrame(outcome.rows)], ignore_index=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return outputs (n,), or (n, outputs) when there are several, for rows X (n, inputs)."""
        out = self.scaling.leave(schedule.forward(self.layers, self._rows(X)))
        return out[:, 0] if out.shape[1] == 1 else out

    __call__ = predict

    def to_graph(self) -> Graph:
        """Return the network as a computation graph with spline and symbolic curves."""
        return to_graph(self.layers, self.names, self.outputs, self.scaling)

    def _rows(self, X: Any) -> np.ndarray:
        rows = _array(X, "X")
        if rows.ndim == 1 and self.layers[0].inputs == 1:
            rows = rows[:, None]
        if rows.ndim != 2 or rows.shape[1] != self.layers[0].inputs:
            raise InputError(
                f"X has shape {rows.shape}; this network takes (rows, {self.layers[0].inputs}): "
                + ", ".join(self.names)
                + "."
            )
        return np.ascontiguousarray(self.scaling.enter(rows))

    def _targets(self, y: Any, rows: int, loss: Any) -> np.ndarray:
        target = _array(y, "y")
        if loss == "cross_entropy":
            return target.reshape(-1)
        if target.ndim == 1:
            target = target[:, None]
        if target.shape != (rows, self.layers[-1].nodes):
            raise InputError(
                f"y has shape {target.shape}; {rows} rows and {self.layers[-1].nodes} outputs need "
                f"({rows}, {self.layers[-1].nodes})."
            )
        return self.scaling.inward(target)

    def __repr__(self) -> str:
        grids = [layer.grid for layer in self.layers]
        return f"KAN({self.shape}, grid={grids}, parameters={self.parameters})"


def _array(values: Any, name: str) -> np.ndarray:
    """Return numpy, pandas or torch values as finite float64."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    try:
        out = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} holds values that are no numbers; encode or drop them.") from None
    if not np.all(np.isfinite(out)):
        bad = np.argwhere(~np.isfinite(out))[0]
        raise InputError(
            f"{name}[{', '.join(map(str, bad))}] is {out[tuple(bad)]}; all values must be finite: drop or fill "
            "such rows."
        )
    if out.size == 0:
        raise InputError(f"{name} has no rows; give at least one.")
    return out


def _groups(spec: NodeSpec) -> tuple[int, ...]:
    if isinstance(spec, int | np.integer):
        if spec < 1:
            raise InputError(f"A level of {spec} nodes is empty; give 1 or more.")
        return (1,) * int(spec)
    sums, products = spec
    arities = (2,) * products if isinstance(products, int) else tuple(products)
    if any(a < 2 for a in arities) or sums < 0 or sums + len(arities) == 0:
        raise InputError(f"Level {spec!r}: give (sums, products) or (sums, [arity of 2 or more, ...]).")
    return (1,) * int(sums) + tuple(int(a) for a in arities)


def _each(value: Any, depth: int, name: str) -> list[Any]:
    if isinstance(value, list | tuple):
        if len(value) != depth:
            raise InputError(f"{name}={value!r} has {len(value)} entries; the network has {depth} layers.")
        return list(value)
    return [value] * depth

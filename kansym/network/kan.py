"""The Kolmogorov–Arnold network: shape, training, and operations that return a new network.

`fit` trains in place, as estimators do; everything else leaves the network alone and returns another.
What needs the symbolic half (snapping, formulas, plots) is in `session`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from torch import Tensor

from kansym.base.errors import FormatError, InputError
from kansym.base.linear import TINY
from kansym.functions.graph import Graph
from kansym.functions.library import Function
from kansym.functions.matching import Match
from kansym.network import architecture, differentiable, edge, pruning, tracing
from kansym.network.pruning import Activity
from kansym.network.rows import array, held_out
from kansym.network.tracing import Scaling
from kansym.network.training import layers as lay
from kansym.network.training import race, reshape, schedule, tensors
from kansym.network.training.layers import Layer
from kansym.network.training.trainer import Training, train


class KAN:
    """Compute x_{l+1,j} = sum_i phi_{l,j,i}(x_{l,i}) with trainable univariate functions phi (2.2–2.12).

    `shape` [n0, ..., nL]; an entry (s, p) or (s, [a, b, ...]) has s sums and product nodes, p of two factors
    or of the given arities. `grid` cells (0: no spline) and `order` for all layers or one per layer; `base` a
    library function's name or None, likewise. `edges` "radial" puts Gaussians in the splines' place; with
    `heads` the edges of a layer share that many curves, each with a base weight of its own (section 6).
    Every random number comes from `seed`.
    """

    def __init__(
        self,
        shape: Sequence[architecture.NodeSpec],
        grid: int | Sequence[int] = 5,
        order: int | Sequence[int] = 3,
        base: str | Sequence[str | None] | None = "silu",
        seed: int = 0,
        *,
        noise: float = 0.3,
        edges: str = "spline",
        heads: int | Sequence[int | None] | None = None,
        names: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> None:
        self.layers = architecture.build(shape, grid, order, base, seed, noise, edges, heads)
        first, last = self.layers[0].inputs, self.layers[-1].nodes
        self.names = tuple(names or (f"x{i}" for i in range(first)))
        self.outputs = tuple(outputs or (["y"] if last == 1 else [f"y{k}" for k in range(last)]))
        self.scaling = Scaling.none(first, last)
        self.fitted = False
        self.local = False
        self.history = pd.DataFrame()
        self.stop_reason = ""
        self.seed = seed
        self.error = 0.0
        self._sample: np.ndarray | None = None
        self._check_names()

    @classmethod
    def lan(cls, shape: Sequence[int], grid: int = 5, order: int = 3, seed: int = 0, **options: Any) -> Self:
        """Return a network with learnable activations on its hidden nodes and linear weights (appendix B).

        Every hidden level becomes two: linear edges into it, then one spline a node and no other edge.
        """
        levels = architecture.doubled(shape)
        grids = [0 if l % 2 == 0 else grid for l in range(len(levels) - 1)]
        bases = ["x" if g == 0 else None for g in grids]
        new = cls(levels, grids, order, bases, seed, **options)
        return new._with(tuple(architecture.diagonal(layer) if layer.size else layer for layer in new.layers))

    @classmethod
    def mlp(cls, shape: Sequence[int], activation: str = "silu", seed: int = 0, **options: Any) -> Self:
        """Return a multilayer perceptron: lines with biases on edges, one fixed activation on hidden nodes.

        The baseline to compare with; it trains, predicts and saves as every network does. Every hidden level
        becomes two, as in :meth:`lan`.
        """
        levels = architecture.doubled(shape)
        bases = ["x" if l % 2 == 0 else activation for l in range(len(levels) - 1)]
        new = cls(levels, 0, base=bases, seed=seed, **options)
        return new._with(architecture.with_activations(new.layers, seed))

    def as_splines(self, grid: int = 20) -> Self:
        """Return the network with splines of `grid` cells, or as many as there are, for radial edges."""
        return self._with(tuple(reshape.as_splines(layer, grid) for layer in self.layers))

    @classmethod
    def continual(
        cls,
        ranges: Sequence[tuple[float, float]],
        inner: Sequence[architecture.NodeSpec] = (),
        grid: int = 50,
        order: int = 3,
        seed: int = 0,
        outputs: int = 1,
        **options: Any,
    ) -> Self:
        """Return a network that learns data in turns: what it does not see again stays as it is (3.5).

        Splines alone, starting at 0, on a grid over the inputs' `ranges` that never moves: a row changes only
        the order + 1 coefficients of each spline that are not 0 there. `fit` then neither moves grids nor
        smooths, as both would change curves away from the rows. This keeps one layer whole; with `inner`
        levels rows far apart can share an inner value, so some is forgotten. Raises InputError for ranges.
        """
        new = cls([len(ranges), *inner, outputs], grid, order, None, seed, **options)
        first = architecture.on_ranges(new.layers[0], ranges, grid, order)
        if not inner:
            first = replace(first, coefficients=np.zeros_like(first.coefficients))
        new = new._replace(0, first)
        new.fitted = new.local = True
        return new

    def _check_names(self) -> None:
        """Refuse names that repeat or do not fit the network."""
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
        smoothness: float | Sequence[float] = 1e-11,
        time_limit: float | None = None,
        callback: Callable[[dict[str, Any]], Any] | None = None,
        progress: bool = False,
        restarts: int = 1,
        **options: Any,
    ) -> KAN:
        """Train on rows X (n, inputs) and y (n,) or (n, outputs), and return self.

        `steps` of `optimizer` ("lm", "lbfgs", "adam") at each of `grids` (default: the present ones), for
        loss + lamb·(mu1·L1 + mu2·entropy), (2.20). Of `restarts` the best is kept, by held-out loss (of a
        fifth of the rows without `validation`; with `lamb` the objective). `options`: fields of `Training`.
        """
        if restarts > 1:
            validation = validation or race.share(self.fitted, lamb)
        if self.local:
            if grids or lamb:
                raise InputError("A continual network keeps its grid and every edge; give no grids, no lamb.")
            update_grid, smoothness = False, 0.0
        setting = Training(
            steps=steps, grids=tuple(grids or ()), lamb=lamb, mu1=mu1, mu2=mu2, optimizer=optimizer,
            loss=loss, update_grid=update_grid, smoothness=smoothness, time_limit=time_limit,
            callback=callback, progress=progress, restarts=restarts, **{"seed": self.seed, **options},
        )  # fmt: skip
        rows, target = self._both(X, y, loss)
        held = None
        if isinstance(validation, tuple):
            held = self._both(*validation, loss)
        elif validation:
            fitted, out, weights = held_out(len(rows), float(validation), weights, self.seed)
            held, rows, target = (rows[out], target[out]), rows[fitted], target[fitted]
        outcome = train(self.layers, rows, target, setting, weights=weights, held=held, fresh=not self.fitted)
        self.layers, self.fitted, self.stop_reason = outcome.layers, True, outcome.reason
        left = target - schedule.forward(self.layers, rows) if loss == "squared" else np.zeros(1)
        self.error = float(left.std() / max(target.std(), TINY))
        self._sample = rows[:: max(1, len(rows) // 5000)]
        self.history = pd.concat([self.history, pd.DataFrame(outcome.rows)], ignore_index=True)
        return self

    def _both(self, X: Any, y: Any, loss: Any) -> tuple[np.ndarray, np.ndarray]:
        rows = self._rows(X)
        return rows, self._targets(y, len(rows), loss)

    def predict(self, X: Any) -> np.ndarray:
        """Return outputs (n,), or (n, outputs) when there are several, for rows X (n, inputs)."""
        out = self.scaling.leave(schedule.forward(self.layers, self._rows(X)))
        return out[:, 0] if out.shape[1] == 1 else out

    __call__ = predict

    def to_graph(self) -> Graph:
        """Return the network as a computation graph with spline and symbolic curves."""
        return tracing.to_graph(self.layers, self.names, self.outputs, self.scaling)

    @classmethod
    def from_graph(cls, graph: Graph, grid: int = 5, order: int = 3) -> Self:
        """Return a network with a graph's values; see kansym.network.tracing.from_graph."""
        layers = tracing.from_graph(graph, grid, order)
        count = len(graph.outputs)
        return cls._of(layers, graph.inputs, tuple(f"y{k}" if count > 1 else "y" for k in range(count)))

    def activity(self, X: Any = None) -> Activity:
        """Return sizes, means and spreads of all edges on rows X (default: the rows of the last fit)."""
        return pruning.activity(self.layers, self._seen(X))

    def prune(self, nodes: float | None = 1e-2, edges: float | None = 1e-2, X: Any = None) -> Self:
        """Return the network without nodes of score (2.21) and edges of size at most these thresholds.

        See kansym.network.pruning.prune for what a size is.
        """
        return self._with(pruning.prune(self.layers, self.activity(X), nodes, edges))

    def prune_inputs(self, threshold: float = 1e-2, X: Any = None) -> Self:
        """Return the network that reads only inputs of attribution above `threshold`."""
        score = self.attribution(X)[1][0]
        return self.keep_inputs([int(i) for i in np.flatnonzero(score > threshold * score.max())], X)

    def keep_inputs(self, kept: Sequence[int], X: Any = None) -> Self:
        """Return the network that reads only these inputs, by number; the others' mean contribution stays."""
        if not len(kept) or not set(kept) <= set(range(len(self.names))):
            raise InputError(f"Inputs {list(kept)} cannot be kept; choose from 0..{len(self.names) - 1}.")
        new = self._with(pruning.keep_inputs(self.layers, kept, self.activity(X)))
        new.names = tuple(self.names[i] for i in kept)
        new.scaling = self.scaling.of_inputs(kept)
        new._sample = None if self._sample is None else np.ascontiguousarray(self._sample[:, kept])
        return new

    def attribution(self, X: Any = None) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return scores of edges per layer and of nodes per level; see kansym.network.pruning.attribution."""
        return pruning.attribution(self.layers, self.activity(X))

    def suggest_symbolic(
        self, l: int, i: int, j: int, library: Any = "default", top: int = 5, X: Any = None
    ) -> list[Match]:
        """Return the library functions that fit edge (l, i, j) best, best first; the network stays as it is.

        See kansym.network.edge.suggest for how closely the curve is taken to be known.
        """
        x, y = self._edge(l, i, j, X)
        return edge.suggest(self.layers[l], i, j, x, y, self.error, library, top)

    def fix_symbolic(
        self,
        l: int,
        i: int,
        j: int,
        function: str | Function,
        a: float | None = None,
        b: float = 0.0,
        c: float = 1.0,
        d: float = 0.0,
        X: Any = None,
    ) -> Self:
        """Return the network with c·f(a·x + b) + d on edge i -> j of layer l, fitted unless `a` is given.

        Raises UnknownNameError, DomainError, or InputError for indices outside the network.
        """
        x, y = self._edge(l, i, j, X)
        constants = None if a is None else (a, b, c, d)
        return self._replace(l, edge.fixed(self.layers[l], i, j, x, y, function, constants))

    def unfix(self, l: int, i: int, j: int, X: Any = None) -> Self:
        """Return the network with a trainable spline in place of the symbolic or missing edge."""
        x, _ = self._edge(l, i, j, X)
        return self._replace(l, reshape.set_spline(self.layers[l], j, i, x))

    def remove_edge(self, l: int, i: int, j: int) -> Self:
        """Return the network without one edge."""
        self._index(l, i, j)
        return self._replace(l, reshape.switch_off(self.layers[l], j, i))

    def lock(self, l: int, i: int, j: int, locked: bool = True) -> Self:
        """Return the network with one edge locked against training, or free again."""
        self._index(l, i, j)
        state = self.layers[l].locked.copy()
        state[j, i] = locked
        return self._replace(l, replace(self.layers[l], locked=state))

    def refine(self, grid: int) -> Self:
        """Return the network on grids of `grid` cells: the same function for a multiple of the grid."""
        if grid < 1:
            raise InputError(f"grid={grid} has no cell; give 1 or more.")
        grids = [grid if layer.size else 0 for layer in self.layers]
        stack = schedule.extend(self.layers, np.empty((0, 0)), grids, schedule.Gridding(), False)
        return self._with(stack)

    def widen(self, level: int, extra: int = 1, seed: int = 0) -> Self:
        """Return the network with more sum nodes on an inner level; its values do not change."""
        if not 1 <= level < len(self.layers) or extra < 1:
            raise InputError(
                f"Level {level} with {extra} nodes more: inner levels are 1..{len(self.layers) - 1}."
            )
        return self._with(reshape.widen(self.layers, level, extra, np.random.default_rng(seed)))

    def deepen(self, level: int, X: Any = None) -> Self:
        """Return the network with one more layer after `level`, the identity at first."""
        if not 0 <= level <= len(self.layers):
            raise InputError(f"Level {level} is outside the network; levels are 0..{len(self.layers)}.")
        return self._with(reshape.deepen(self.layers, level, self.activity(X).nodes[level]))

    def perturb(self, size: float = 0.1, seed: int = 0) -> Self:
        """Return the network with normal noise on its free coefficients."""
        return self._with(reshape.perturb(self.layers, size, np.random.default_rng(seed)))

    def copy(self) -> Self:
        """Return the network again; training one leaves the other alone."""
        return self._with(self.layers)

    def module(self) -> Callable[[Tensor], Tensor]:
        """Return the network as a function of a torch tensor (n, inputs), twice differentiable by it."""
        return differentiable.module(self.layers, self.scaling)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write; :meth:`from_dict` gives the same network to the last bit."""
        return {
            "format": "kansym-network-1",
            "layers": [lay.to_dict(layer) for layer in self.layers],
            "names": list(self.names),
            "outputs": list(self.outputs),
            "scaling": asdict(self.scaling),
            "fitted": self.fitted,
            "local": self.local,
            "seed": self.seed,
            "error": self.error,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the network that :meth:`to_dict` described; raises FormatError on other content."""
        if data.get("format") != "kansym-network-1":
            raise FormatError(
                f"Format {data.get('format')!r} is no network; this version reads kansym-network-1."
            )
        try:
            new = cls._of(
                tuple(lay.from_dict(d) for d in data["layers"]), tuple(data["names"]), tuple(data["outputs"])
            )
            new.scaling = Scaling(**{k: tuple(v) for k, v in data["scaling"].items()})
            new.fitted, new.seed = bool(data["fitted"]), int(data["seed"])
            new.local = bool(data.get("local", False))
            new.error = float(data.get("error", 0.0))
        except (KeyError, TypeError) as problem:
            raise FormatError(f"The network lacks or garbles {problem}; save it again.") from None
        return new

    def scaled_to(self, X: Any, y: Any) -> Self:
        """Return the network that sees inputs and targets with mean 0 and standard deviation 1 on these rows.

        Values and formulas are still in the user's units. For columns of very different or very large size.
        """
        return self.with_scaling(Scaling.standard(array(X, "X"), array(y, "y")))

    def with_scaling(self, scaling: Scaling) -> Self:
        """Return the network with other shifts and scales around the same layers."""
        new = self._with(self.layers)
        new.scaling = scaling
        return new

    @classmethod
    def _of(cls, layers: tuple[Layer, ...], names: tuple[str, ...], outputs: tuple[str, ...]) -> Self:
        """Return a network of these layers."""
        new = cls([layers[0].inputs, layers[-1].nodes], grid=1, names=names, outputs=outputs)
        new.layers = layers
        new.fitted = True
        return new

    def _with(self, layers: tuple[Layer, ...]) -> Self:
        """Return the network with other layers."""
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        new.layers = tuple(layers)
        return new

    def _replace(self, l: int, layer: Layer) -> Self:
        return self._with((*self.layers[:l], layer, *self.layers[l + 1 :]))

    def _index(self, l: int, i: int, j: int) -> None:
        """Refuse an edge that the network does not have."""
        if not 0 <= l < len(self.layers):
            raise InputError(f"Layer {l} is outside the network; layers are 0..{len(self.layers) - 1}.")
        layer = self.layers[l]
        if not (0 <= i < layer.inputs and 0 <= j < layer.sums):
            raise InputError(
                f"Edge {i} -> {j} is outside layer {l}; inputs are 0..{layer.inputs - 1}, "
                f"sums 0..{layer.sums - 1}."
            )

    def _edge(self, l: int, i: int, j: int, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the points (n,) and values (n,) of an edge on some rows."""
        self._index(l, i, j)
        found = self.activity(X)
        x = np.ascontiguousarray(found.nodes[l])
        return x[:, i], tensors.edge_values(self.layers[l], x)[:, j, i]

    def _seen(self, X: Any) -> np.ndarray:
        """Return rows given, or those of the last fit."""
        if X is not None:
            return self._rows(X)
        if self._sample is None:
            raise InputError("This network has seen no rows; give X.")
        return self._sample

    def _rows(self, X: Any) -> np.ndarray:
        """Return X as rows (n, inputs); raises InputError for another shape."""
        rows = array(X, "X")
        if rows.ndim == 1 and self.layers[0].inputs == 1:
            rows = rows[:, None]
        if rows.ndim != 2 or rows.shape[1] != self.layers[0].inputs:
            raise InputError(
                f"X has shape {rows.shape}; this network takes (rows, {self.layers[0].inputs}): "
                f"{', '.join(self.names)}."
            )
        return np.ascontiguousarray(self.scaling.enter(rows))

    def _targets(self, y: Any, rows: int, loss: Any) -> np.ndarray:
        """Return y as the loss takes it; raises InputError for another shape."""
        target = array(y, "y")
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

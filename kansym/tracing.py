"""A network's layers as a computation graph, and a graph as layers.

A network and its graph have the same values to the last few bits: scaled inputs, product nodes, symbolic
edges and base functions included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kansym import library
from kansym.graph import Curve, Edge, Graph, Spline, Symbolic
from kansym.training.layers import OFF, SYMBOLIC, Layer


@dataclass(frozen=True)
class Scaling:
    """Hold what a network's inputs and outputs are divided by: (x - shift) / scale in, y·scale + shift out."""

    x_shift: tuple[float, ...]
    x_scale: tuple[float, ...]
    y_shift: tuple[float, ...]
    y_scale: tuple[float, ...]

    @staticmethod
    def none(inputs: int, outputs: int) -> Scaling:
        """Return the scaling that changes nothing."""
        return Scaling((0.0,) * inputs, (1.0,) * inputs, (0.0,) * outputs, (1.0,) * outputs)

    def enter(self, X: np.ndarray) -> np.ndarray:
        """Return the rows as the network sees them."""
        return (X - np.array(self.x_shift)) / np.array(self.x_scale)

    def leave(self, y: np.ndarray) -> np.ndarray:
        """Return network outputs (..., K) in the user's scale."""
        return y * np.array(self.y_scale) + np.array(self.y_shift)

    def inward(self, y: np.ndarray) -> np.ndarray:
        """Return targets (n, K) in the network's scale."""
        return (y - np.array(self.y_shift)) / np.array(self.y_scale)


def to_graph(
    layers: Sequence[Layer],
    inputs: Sequence[str],
    outputs: Sequence[str],
    scaling: Scaling,
    member: int = 0,
) -> Graph:
    """Return the graph of one member; edges that are off are left out, hidden nodes are named h1_0, h1_1, ...

    A scaled input is an edge x/scale - shift/scale of its own, a product of sums a node of kind "product".
    """
    line = library.get("x")
    nodes: dict[str, str] = {}
    bias: dict[str, float] = {}
    edges: list[Edge] = []
    below = list(inputs)
    for i, name in enumerate(inputs):
        shift, scale = scaling.x_shift[i], scaling.x_scale[i]
        if (shift, scale) != (0.0, 1.0):
            below[i] = f"{name}_scaled"
            nodes[below[i]] = "sum"
            edges.append(Edge(name, below[i], 0, Symbolic(line, a=1.0 / scale, b=-shift / scale)))
    taken = set(inputs) | set(nodes)
    for l, layer in enumerate(layers):
        last = l == len(layers) - 1
        above = []
        for k, arity in enumerate(layer.groups):
            name = _fresh(f"h{l + 1}_{k}", taken)
            if last:
                plain = (scaling.y_shift[k], scaling.y_scale[k]) == (0.0, 1.0)
                name = _fresh(outputs[k] if plain else f"{outputs[k]}_scaled", taken)
            nodes[name] = "sum" if arity == 1 else "product"
            above.append(name)
            for part in range(arity):
                j = int(layer.starts[k]) + part
                curves = _curves(layer, member, j)
                constant = float(layer.bias[member, j])
                if arity == 1:
                    bias[name] = constant
                    edges += [Edge(below[i], name, 0, c) for i, c in curves]
                elif len(curves) == 1 and constant == 0.0:
                    edges.append(Edge(below[curves[0][0]], name, part, curves[0][1]))
                else:
                    factor = _fresh(f"{name}_{part}", taken)
                    nodes[factor], bias[factor] = "sum", constant
                    edges += [Edge(below[i], factor, 0, c) for i, c in curves]
                    edges.append(Edge(factor, name, 0, Symbolic(line)))
        below = above
    ends = []
    for k, name in enumerate(below):
        shift, scale = scaling.y_shift[k], scaling.y_scale[k]
        if (shift, scale) != (0.0, 1.0):
            end = _fresh(outputs[k], taken)
            nodes[end] = "sum"
            edges.append(Edge(name, end, 0, Symbolic(line, c=scale, d=shift)))
            ends.append(end)
        else:
            ends.append(name)
    return Graph.build(inputs, ends, nodes, edges, bias)


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _curves(layer: Layer, e: int, j: int) -> list[tuple[int, Curve]]:
    out: list[tuple[int, Curve]] = []
    for i in range(layer.inputs):
        state = layer.state[e, j, i]
        if state == OFF:
            continue
        if state == SYMBOLIC:
            out.append((i, layer.symbolic[j, i]))
        elif not layer.size:
            if layer.base == "x":
                out.append((i, Symbolic(library.get("x"), c=float(layer.weights[e, j, i]))))
            elif layer.base is not None:
                out.append((i, Symbolic(library.get(layer.base), c=float(layer.weights[e, j, i]))))
        else:
            weight = float(layer.weights[e, j, i]) if layer.base is not None else 0.0
            out.append(
                (i, Spline(layer.knots[e, i], layer.coefficients[e, j, i], layer.order, layer.base, weight))
            )
    return out

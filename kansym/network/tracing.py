"""A network's layers as a computation graph, and a graph as layers.

A network and its graph have the same values to the last few bits: scaled inputs, product nodes, symbolic
edges and base functions included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kansym.base.errors import InputError
from kansym.functions import library, spline
from kansym.functions.graph import Curve, Edge, Graph, Spline, Symbolic
from kansym.network.training import radial
from kansym.network.training.layers import OFF, SPLINE, SYMBOLIC, Layer


@dataclass(frozen=True)
class Scaling:
    """Hold how inputs and outputs are scaled: (x - shift) / scale in, y·scale + shift out."""

    x_shift: tuple[float, ...]
    x_scale: tuple[float, ...]
    y_shift: tuple[float, ...]
    y_scale: tuple[float, ...]

    @staticmethod
    def none(inputs: int, outputs: int) -> Scaling:
        """Return the scaling that changes nothing."""
        return Scaling((0.0,) * inputs, (1.0,) * inputs, (0.0,) * outputs, (1.0,) * outputs)

    @staticmethod
    def standard(X: np.ndarray, y: np.ndarray) -> Scaling:
        """Return the scaling to mean 0 and standard deviation 1 on rows X (n, inputs), y (n,) or (n, K)."""
        columns = (X, y.reshape(len(y), -1))
        shifts = [tuple(c.mean(0).tolist()) for c in columns]
        scales = [tuple(np.where(c.std(0) > 0, c.std(0), 1.0).tolist()) for c in columns]
        return Scaling(shifts[0], scales[0], shifts[1], scales[1])

    def of_inputs(self, kept: Sequence[int]) -> Scaling:
        """Return the scaling of some of the inputs."""
        shifts, scales = (tuple(part[i] for i in kept) for part in (self.x_shift, self.x_scale))
        return Scaling(shifts, scales, self.y_shift, self.y_scale)

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
                    edges += _joined(below, name, curves)
                elif len(curves) == 1 and constant == 0.0:
                    edges.append(Edge(below[curves[0][0]], name, part, curves[0][1]))
                else:
                    factor = _fresh(f"{name}_{part}", taken)
                    nodes[factor], bias[factor] = "sum", constant
                    edges += _joined(below, factor, curves)
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


def from_graph(graph: Graph, grid: int = 5, order: int = 3) -> tuple[Layer, ...]:
    """Return layers with a graph's values: the compiler from formulas to networks.

    Nodes are levelled by their longest path; a value that skips levels is handed on by edges x. All splines
    of a layer must share order, size and base; curves of one input, knots. Raises InputError otherwise.
    """
    graph = _without_parallels(graph)
    level = dict.fromkeys(graph.inputs, 0)
    for node in graph.order():
        if node not in level:
            level[node] = 1 + max((level[e.source] for e in graph.into(node)), default=0)
    depth = max(1, max(level[o] for o in graph.outputs))
    last = {n: level[n] for n in level}
    for e in graph.edges():
        last[e.source] = max(last[e.source], level[e.target] - 1)
    for o in graph.outputs:
        last[o] = depth
    below = list(graph.inputs)
    layers = []
    for l in range(1, depth + 1):
        own = [n for n in graph.order() if level[n] == l]
        passed = [n for n in graph.order() if level[n] < l <= last[n]]
        above = [*own, *passed]
        if l == depth:
            above = list(graph.outputs)
        layers.append(_layer(graph, below, above, {n for n in above if level[n] < l}, grid, order))
        below = above
    return tuple(layers)


def _layer(
    graph: Graph, below: list[str], above: list[str], passed: set[str], grid: int, order: int
) -> Layer:
    """Return the layer between two levels of a graph; what passes by goes along straight lines."""
    rows: list[list[tuple[int, Curve]]] = []
    groups, bias = [], []
    for name in above:
        if name in passed:
            rows.append([(below.index(name), Symbolic(library.get("x")))])
            groups.append(1)
            bias.append(0.0)
            continue
        edges = [(below.index(e.source), e.curve) for e in graph.into(name)]
        if graph.kind(name) == "sum" or not edges:
            rows.append(edges)
            groups.append(1)
            bias.append(graph.bias(name) if graph.kind(name) == "sum" else 1.0)
        else:
            rows.extend([e] for e in edges)
            groups.append(len(edges))
            bias.extend([0.0] * len(edges))
    splines = [(i, c) for row in rows for i, c in row if isinstance(c, Spline)]
    kinds = {(c.order, len(c.coefficients), c.base) for _, c in splines}
    if len(kinds) > 1:
        raise InputError(
            f"Splines of one layer have (order, size, base) {sorted(kinds, key=str)}; refit them alike."
        )
    size, base = grid + order, None
    if splines:
        order, size, base = next(iter(kinds))
    n, m = len(below), len(rows)
    knots = np.tile(spline.uniform_knots(-1.0, 1.0, size - order, order), (1, n, 1))
    for i, s in splines:
        first = next(k.knots for at, k in splines if at == i)
        if not np.array_equal(first, s.knots):
            raise InputError(f"Splines that read {below[i]!r} have different knots; refit them on the same.")
        knots[0, i] = s.knots
    coefficients, weights = np.zeros((1, m, n, size)), np.zeros((1, m, n))
    state = np.zeros((1, m, n), np.int8)
    symbolic: dict[tuple[int, int], Symbolic] = {}
    for j, row in enumerate(rows):
        for i, c in row:
            if isinstance(c, Spline):
                state[0, j, i] = SPLINE
                coefficients[0, j, i], weights[0, j, i] = c.coefficients, c.base_weight
            else:
                state[0, j, i] = SYMBOLIC
                symbolic[j, i] = c
    return Layer(
        knots,
        coefficients,
        weights,
        np.array([bias], float),
        state,
        np.zeros((m, n), bool),
        tuple(groups),
        order,
        base,
        symbolic=symbolic,
    )


def _without_parallels(graph: Graph) -> Graph:
    """Return the graph with a node of its own for every second edge between a node and a sum."""
    nodes = {n: graph.kind(n) for n in graph.order() if graph.kind(n) != "input"}
    bias = {n: graph.bias(n) for n in nodes}
    edges: list[Edge] = []
    seen: set[tuple[str, str]] = set()
    taken = set(graph.order())
    for e in graph.edges():
        pair = (e.source, e.target)
        if pair in seen and nodes[e.target] == "sum":
            name = _fresh(f"{e.target}_part", taken)
            nodes[name] = "sum"
            edges += [Edge(e.source, name, 0, e.curve), Edge(name, e.target, 0, Symbolic(library.get("x")))]
        else:
            edges.append(e)
        seen.add(pair)
    return Graph.build(graph.inputs, graph.outputs, nodes, edges, bias)


def _fresh(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _joined(below: Sequence[str], name: str, curves: Sequence[tuple[int, Curve]]) -> list[Edge]:
    """Return an edge for every curve, numbered where one node sends several."""
    sent: dict[int, int] = {}
    out = []
    for i, curve in curves:
        out.append(Edge(below[i], name, sent.get(i, 0), curve))
        sent[i] = sent.get(i, 0) + 1
    return out


def _curves(layer: Layer, e: int, j: int) -> list[tuple[int, Curve]]:
    """Return the curves that lead to a sum, with the places of their inputs."""
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
        elif layer.kind == "radial":
            middle, width = radial.places(layer.knots[e, i], layer.order)
            bell, a = library.get("gaussian"), 1.0 / float(width[0])
            for centre, c in zip(middle, layer.coefficients[e, j, i], strict=True):
                out.append((i, Symbolic(bell, a, -a * float(centre), float(c))))
            if layer.base is not None:
                out.append((i, Symbolic(library.get(layer.base), c=float(layer.weights[e, j, i]))))
        else:
            weight = float(layer.weights[e, j, i]) if layer.base is not None else 0.0
            out.append(
                (i, Spline(layer.knots[e, i], layer.coefficients[e, j, i], layer.order, layer.base, weight))
            )
    return out

"""The computation graph: nodes add or multiply, edges carry curves.

This room is for the shape of a computation and for what its edges carry. It does not evaluate
(`evaluate`), fit (`snapping`, `polish`) or print (`expression`, `plotting`) anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import networkx as nx
import numpy as np

from kansym.base import storage
from kansym.base.errors import FormatError, InputError
from kansym.functions.library import Function

NODE_KINDS = ("input", "sum", "product")


@dataclass(frozen=True, eq=False)
class Spline:
    """Carry a B-spline with a residual base function: w·base(x) + sum_i coefficients[i]·B_i(x).

    `knots` has len(coefficients) + order + 1 entries, non-decreasing; the curve lives on
    [knots[order], knots[-order-1]] and continues linearly outside (base term included as is).
    """

    knots: np.ndarray
    coefficients: np.ndarray
    order: int = 3
    base: str | None = None
    base_weight: float = 0.0

    def __repr__(self) -> str:
        """Return the number of coefficients and the grid's ends on one line."""
        low, high = self.interval
        return (
            f"Spline({len(self.coefficients)} coefficients of order {self.order} on {low:.6g} to {high:.6g})"
        )

    @property
    def interval(self) -> tuple[float, float]:
        """Return the first and last point of the grid."""
        return float(self.knots[self.order]), float(self.knots[-self.order - 1])


@dataclass(frozen=True)
class Symbolic:
    """Carry c·f(a·x + b) + d for a library function f (with its exponent p where f is a family)."""

    function: Function
    a: float = 1.0
    b: float = 0.0
    c: float = 1.0
    d: float = 0.0
    p: float | None = None


Curve = Spline | Symbolic


@dataclass(frozen=True)
class Edge:
    """Join `source` to `target` by a curve; `key` distinguishes parallel edges."""

    source: str
    target: str
    key: int
    curve: Curve

    @property
    def id(self) -> tuple[str, str, int]:
        """Return what names this edge in its graph."""
        return self.source, self.target, self.key


@dataclass(frozen=True, eq=False)
class Graph:
    """Hold a frozen directed acyclic graph from named inputs to named outputs.

    A node's value is the sum (or product) of the curves on its incoming edges; `bias` is added to a
    sum. Each output names the node it reads: value_k = node value of `outputs[k]`. Editing methods
    return a new graph. Build one with :meth:`build`.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    _nx: nx.MultiDiGraph = field(repr=False)

    @staticmethod
    def build(
        inputs: Iterable[str],
        outputs: Iterable[str],
        nodes: Mapping[str, str],
        edges: Iterable[Edge],
        bias: Mapping[str, float] | None = None,
    ) -> Graph:
        """Build a validated graph; `nodes` maps each inner node's name to "sum" or "product".

        Raises InputError for unknown ends, a cycle, an output that is no node, or an edge into an input.
        """
        inputs, outputs = tuple(inputs), tuple(outputs)
        g = nx.MultiDiGraph()
        for name in inputs:
            g.add_node(name, kind="input", bias=0.0)
        for name, kind in nodes.items():
            if kind not in NODE_KINDS[1:]:
                raise InputError(f"Node {name!r} has kind {kind!r}; use 'sum' or 'product'.")
            if name in g:
                raise InputError(f"Two nodes are named {name!r}; give every node its own name.")
            g.add_node(name, kind=kind, bias=float((bias or {}).get(name, 0.0)))
        for e in edges:
            for end in (e.source, e.target):
                if end not in g:
                    raise InputError(
                        f"Edge {e.source} -> {e.target} needs node {end!r}; declare it in nodes."
                    )
            if g.nodes[e.target]["kind"] == "input":
                raise InputError(f"Edge {e.source} -> {e.target} enters an input; inputs take no edges.")
            g.add_edge(e.source, e.target, key=e.key, curve=e.curve)
        for name in outputs:
            if name not in g:
                raise InputError(f"Output {name!r} is not a node of the graph; declare it in nodes.")
        if not nx.is_directed_acyclic_graph(g):
            raise InputError("The graph has a cycle; values must flow from inputs to outputs.")
        return Graph(inputs, outputs, nx.freeze(g))

    @property
    def networkx(self) -> nx.MultiDiGraph:
        """Return the frozen networkx graph; node data: kind, bias; edge data: curve."""
        return self._nx

    def order(self) -> list[str]:
        """Return the nodes in an order of evaluation that depends only on the graph's content."""
        position = {n: i for i, n in enumerate(self._nx.nodes)}
        return list(nx.lexicographical_topological_sort(self._nx, key=position.__getitem__))

    def kind(self, node: str) -> str:
        """Return "input", "sum" or "product"."""
        return str(self._nx.nodes[node]["kind"])

    def bias(self, node: str) -> float:
        """Return the constant that a sum node adds."""
        return float(self._nx.nodes[node]["bias"])

    def edges(self) -> Iterator[Edge]:
        """Iterate over the edges in evaluation order of their targets."""
        for node in self.order():
            yield from self.into(node)

    def into(self, node: str) -> Iterator[Edge]:
        """Iterate over the edges that end in `node`."""
        for source, target, key, data in self._nx.in_edges(node, keys=True, data=True):
            yield Edge(source, target, key, data["curve"])

    def edge(self, source: str, target: str, key: int = 0) -> Edge:
        """Return one edge; raises InputError when there is none."""
        if not self._nx.has_edge(source, target, key):
            raise InputError(f"The graph has no edge {source} -> {target}; see graph.edges().")
        return Edge(source, target, key, self._nx.edges[source, target, key]["curve"])

    @property
    def is_symbolic(self) -> bool:
        """Tell whether every curve is symbolic, so that the graph is a formula."""
        return all(isinstance(e.curve, Symbolic) for e in self.edges())

    def with_curve(self, edge: Edge, curve: Curve) -> Graph:
        """Return the graph with one curve replaced."""
        return self._rebuild(replace(e, curve=curve) if e.id == edge.id else e for e in self.edges())

    def with_curves(self, curves: Mapping[tuple[str, str, int], Curve]) -> Graph:
        """Return the graph with several curves replaced, by edge id."""
        return self._rebuild(replace(e, curve=curves.get(e.id, e.curve)) for e in self.edges())

    def without(self, edges: Iterable[Edge]) -> Graph:
        """Return the graph without these edges, and without nodes that no longer reach an output."""
        gone = {e.id for e in edges}
        return self._rebuild(e for e in self.edges() if e.id not in gone).trimmed()

    def trimmed(self) -> Graph:
        """Return the graph without inner nodes that reach no output; inputs all stay."""
        needed: set[str] = set(self.outputs)
        for out in self.outputs:
            needed |= nx.ancestors(self._nx, out)
        kept = {n: d["kind"] for n, d in self._nx.nodes(data=True) if d["kind"] != "input" and n in needed}
        biases = {n: self.bias(n) for n in kept}
        return Graph.build(
            self.inputs, self.outputs, kept, (e for e in self.edges() if e.target in kept), biases
        )

    def _rebuild(self, edges: Iterable[Edge]) -> Graph:
        nodes = {n: d["kind"] for n, d in self._nx.nodes(data=True) if d["kind"] != "input"}
        return Graph.build(self.inputs, self.outputs, nodes, edges, {n: self.bias(n) for n in nodes})

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write; floats survive to the last bit."""
        return {
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "nodes": [
                {"name": n, "kind": d["kind"], "bias": d["bias"]}
                for n, d in self._nx.nodes(data=True)
                if d["kind"] != "input"
            ],
            "edges": [
                {"source": e.source, "target": e.target, "key": e.key, "curve": _curve_to_dict(e.curve)}
                for e in self.edges()
            ],
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Graph:
        """Return the graph that :meth:`to_dict` described; raises FormatError on other content."""
        with storage.reading("The graph", "save it again with this version"):
            if not data["outputs"]:
                raise ValueError("outputs, of which there are none")
            nodes = {n["name"]: n["kind"] for n in data["nodes"]}
            bias = {n["name"]: float(n["bias"]) for n in data["nodes"]}
            edges = [
                Edge(e["source"], e["target"], int(e["key"]), _curve_from_dict(e["curve"]))
                for e in data["edges"]
            ]
            return Graph.build(data["inputs"], data["outputs"], nodes, edges, bias)


def _curve_to_dict(curve: Curve) -> dict[str, Any]:
    """Return a curve as plain data."""
    if isinstance(curve, Spline):
        return {
            "kind": "spline",
            "knots": curve.knots.tolist(),
            "coefficients": curve.coefficients.tolist(),
            "order": curve.order,
            "base": curve.base,
            "base_weight": curve.base_weight,
        }
    return {
        "kind": "symbolic",
        "function": curve.function.to_dict(),
        **{k: getattr(curve, k) for k in ("a", "b", "c", "d", "p")},
    }


def _curve_from_dict(data: Mapping[str, Any]) -> Curve:
    """Return the curve of plain data; raises ValueError for data that are none."""
    if data["kind"] == "spline":
        knots, coefficients = np.asarray(data["knots"], float), np.asarray(data["coefficients"], float)
        order = int(data["order"])
        if len(knots) != len(coefficients) + order + 1 or not np.isfinite(knots).all():
            raise ValueError(f"a spline of {len(knots)} knots and {len(coefficients)} coefficients")
        return Spline(knots, coefficients, order, data["base"], _finite(data["base_weight"]))
    if data["kind"] == "symbolic":
        numbers = {k: _finite(data[k]) for k in ("a", "b", "c", "d")}
        power = None if data["p"] is None else _finite(data["p"])
        return Symbolic(Function.from_dict(data["function"]), **numbers, p=power)
    raise FormatError(f"A curve has kind {data['kind']!r}; this version knows 'spline' and 'symbolic'.")


def _finite(value: Any) -> float:
    """Return a finite number; raises ValueError for another."""
    if not math.isfinite(float(value)):
        raise ValueError(f"a constant, which is {value}")
    return float(value)

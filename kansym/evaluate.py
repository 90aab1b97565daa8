"""Values of a computation graph on arrays."""

from __future__ import annotations

import numpy as np

from kansym import library, spline
from kansym.errors import InputError
from kansym.graph import Curve, Edge, Graph, Spline


def curve_values(curve: Curve, x: np.ndarray, derivative: int = 0) -> np.ndarray:
    """Return the values of one curve, or its first derivative, at x (any shape).

    A spline gives w·base(x) + sum_i c_i B_i(x), linear outside its grid; a symbolic curve
    c·f(a·x + b) + d, NaN where f is undefined.
    """
    if derivative not in (0, 1):
        raise InputError(f"derivative={derivative} is not offered; use 0 or 1.")
    if isinstance(curve, Spline):
        shape = np.shape(x)
        flat = np.ascontiguousarray(x, float).ravel()
        out = spline.evaluate(curve.knots, curve.coefficients, curve.order, flat, derivative).reshape(shape)
        if curve.base is not None and curve.base_weight != 0.0:
            base = library.get(curve.base)
            out = out + curve.base_weight * (base.derivative_values(x) if derivative else base(x))
        return out
    with np.errstate(all="ignore"):
        inner = curve.a * x + curve.b
        if derivative:
            return curve.c * curve.a * curve.function.derivative_values(inner, curve.p)
        return curve.c * curve.function(inner, curve.p) + curve.d


def node_values(graph: Graph, X: np.ndarray) -> dict[str, np.ndarray]:
    """Return the value (n,) of every node on rows X (n, inputs)."""
    X = _rows(graph, X)
    values: dict[str, np.ndarray] = {name: X[:, i] for i, name in enumerate(graph.inputs)}
    for node in graph.order():
        if node in values:
            continue
        if graph.kind(node) == "sum":
            total = np.full(len(X), graph.bias(node))
            for e in graph.into(node):
                total = total + curve_values(e.curve, values[e.source])
        else:
            total = np.ones(len(X))
            for e in graph.into(node):
                total = total * curve_values(e.curve, values[e.source])
        values[node] = total
    return values


def evaluate(graph: Graph, X: np.ndarray) -> np.ndarray:
    """Return the graph's outputs (n, outputs) on rows X (n, inputs).

    Raises InputError when X has another number of columns than the graph has inputs.
    """
    values = node_values(graph, X)
    return np.column_stack([values[name] for name in graph.outputs])


def activations(graph: Graph, X: np.ndarray) -> dict[tuple[str, str, int], tuple[np.ndarray, np.ndarray]]:
    """Return for every edge its pre-activations and post-activations (n,) on rows X."""
    values = node_values(graph, X)
    return {e.id: (values[e.source], curve_values(e.curve, values[e.source])) for e in graph.edges()}


def sensitivities(graph: Graph, X: np.ndarray, output: int = 0) -> dict[str, np.ndarray]:
    """Return d output / d node for every node (n,), by one backward sweep over the graph."""
    values = node_values(graph, X)
    slopes = {name: np.zeros(len(values[name])) for name in values}
    slopes[graph.outputs[output]] = np.ones(len(next(iter(values.values()))))
    for node in reversed(graph.order()):
        incoming: list[Edge] = list(graph.into(node))
        post = [curve_values(e.curve, values[e.source]) for e in incoming]
        for i, e in enumerate(incoming):
            local = slopes[node] * curve_values(e.curve, values[e.source], derivative=1)
            if graph.kind(node) == "product":
                for j, other in enumerate(post):
                    if j != i:
                        local = local * other
            slopes[e.source] = slopes[e.source] + local
    return slopes


def _rows(graph: Graph, X: np.ndarray) -> np.ndarray:
    X = np.asarray(X, float)
    if X.ndim != 2 or X.shape[1] != len(graph.inputs):
        raise InputError(
            f"X has shape {X.shape}; the graph takes rows of {len(graph.inputs)} columns: "
            + ", ".join(graph.inputs)
            + "."
        )
    return X

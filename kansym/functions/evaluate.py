"""Values of a computation graph on arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kansym.base.errors import InputError
from kansym.functions import library
from kansym.functions.graph import Curve, Edge, Graph, Spline, Symbolic


def curve_values(curve: Curve, x: np.ndarray, derivative: int = 0) -> np.ndarray:
    """Return the values of one curve, or its first derivative, at x (any shape).

    A spline gives w·base(x) + sum_i c_i B_i(x), linear outside its grid; a symbolic curve
    c·f(a·x + b) + d, NaN where f is undefined.
    """
    if derivative not in (0, 1):
        raise InputError(f"derivative={derivative} is not offered; use 0 or 1.")
    if isinstance(curve, Spline):
        from kansym.functions import spline  # brings numba: 50 MB, which formulas do without

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


def free_letters(curve: Symbolic) -> tuple[str, ...]:
    """Return which of a, b, c, d (and p) a refit may move: those that the function does not absorb."""
    letters = [k for k in "abcd" if k not in curve.function.redundant]
    return (*letters, "p") if curve.p is not None else tuple(letters)


def parameters(graph: Graph) -> np.ndarray:
    """Return all free numbers of a graph's curves, edge by edge: coefficients, or free letters."""
    parts: list[np.ndarray] = []
    for e in graph.edges():
        if isinstance(e.curve, Spline):
            parts.append(e.curve.coefficients)
            if e.curve.base is not None:
                parts.append(np.array([e.curve.base_weight]))
        else:
            parts.append(np.array([getattr(e.curve, k) for k in free_letters(e.curve)], float))
    return np.concatenate(parts) if parts else np.zeros(0)


def with_parameters(graph: Graph, theta: np.ndarray) -> Graph:
    """Return the graph with the numbers that :func:`parameters` lists replaced by theta."""
    curves: dict[tuple[str, str, int], Curve] = {}
    at = 0
    for e in graph.edges():
        size = (
            len(e.curve.coefficients) + (e.curve.base is not None)
            if isinstance(e.curve, Spline)
            else (len(free_letters(e.curve)))
        )
        curves[e.id] = _with_numbers(e.curve, theta[at : at + size])
        at += size
    return graph.with_curves(curves)


def _with_numbers(curve: Curve, numbers: np.ndarray) -> Curve:
    """Return a curve with other numbers in it."""
    if isinstance(curve, Spline):
        count = len(curve.coefficients)
        weight = float(numbers[count]) if curve.base is not None else curve.base_weight
        return replace(curve, coefficients=numbers[:count], base_weight=weight)
    letters: dict[str, Any] = {k: float(v) for k, v in zip(free_letters(curve), numbers, strict=True)}
    return replace(curve, **letters)


def jacobian(graph: Graph, X: np.ndarray, output: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return one output (n,) and its derivatives (n, parameters), in the order of :func:`parameters`."""
    values = node_values(graph, X)
    slopes = sensitivities(graph, X, output)
    n = len(next(iter(values.values())))
    blocks: list[np.ndarray] = []
    for e in graph.edges():
        outer = slopes[e.target]
        if graph.kind(e.target) == "product":
            for other in graph.into(e.target):
                if other.id != e.id:
                    outer = outer * curve_values(other.curve, values[other.source])
        blocks.append(outer[:, None] * _curve_slopes(e.curve, values[e.source]))
    return values[graph.outputs[output]], np.hstack(blocks) if blocks else np.zeros((n, 0))


def _curve_slopes(curve: Curve, x: np.ndarray) -> np.ndarray:
    """Return the derivatives (n, free numbers) of a curve's values for its own numbers."""
    if isinstance(curve, Spline):
        from kansym.functions import spline

        basis = spline.design(curve.knots, curve.order, x)
        if curve.base is None:
            return basis
        return np.column_stack([basis, library.get(curve.base)(x)])
    inner = curve.a * x + curve.b
    with np.errstate(all="ignore"):
        f, slope = curve.function(inner, curve.p), curve.function.derivative_values(inner, curve.p)
        columns = {"a": curve.c * slope * x, "b": curve.c * slope, "c": f, "d": np.ones_like(x)}
        if curve.p is not None:
            h = 1e-6 * max(1.0, abs(curve.p))
            up, down = (curve.function(inner, curve.p + s) for s in (h, -h))
            columns["p"] = curve.c * (up - down) / (2 * h)
    return np.column_stack([columns[k] for k in free_letters(curve)])


def _rows(graph: Graph, X: np.ndarray) -> np.ndarray:
    """Return X as rows (n, inputs); raises InputError for another shape."""
    X = np.asarray(X, float)
    if X.ndim != 2 or X.shape[1] != len(graph.inputs):
        raise InputError(
            f"X has shape {X.shape}; the graph takes rows of {len(graph.inputs)} columns: "
            + ", ".join(graph.inputs)
            + "."
        )
    return X

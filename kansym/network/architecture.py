"""From a description to layers: nodes, products, grids, base functions, shared curves; special networks.

Not here: training and anything that needs rows (`kan`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kansym.base.errors import InputError, UnknownNameError
from kansym.functions import spline
from kansym.network.training import layers as lay
from kansym.network.training.layers import Layer

EDGES = ("spline", "radial")

NodeSpec = int | tuple[int, int | Sequence[int]] | list[Any]


def build(
    shape: Sequence[NodeSpec],
    grid: int | Sequence[int],
    order: int | Sequence[int],
    base: str | Sequence[str | None] | None,
    seed: int,
    noise: float,
    edges: str,
    heads: int | Sequence[int | None] | None,
) -> tuple[Layer, ...]:
    """Return random layers for the arguments of `kan.KAN`; raises InputError or UnknownNameError."""
    if edges not in EDGES:
        raise UnknownNameError("edges", edges, EDGES)
    levels = [_groups(s) for s in shape]
    if len(levels) < 2:
        raise InputError(f"shape={shape!r} has no layer; give at least [inputs, outputs].")
    if any(arity != 1 for arity in levels[0]):
        raise InputError("The first entry of shape counts the inputs; products start at the second.")
    depth = len(levels) - 1
    rng = np.random.default_rng(seed)
    settings = zip(
        levels[:-1],
        levels[1:],
        _each(grid, depth, "grid"),
        _each(order, depth, "order"),
        _each(base, depth, "base"),
        strict=True,
    )
    layers = [
        replace(lay.make_layer(len(below), above, g, k, f, [rng], noise), kind=edges)
        for below, above, g, k, f in settings
    ]
    shared = _each(heads, depth, "heads")
    return tuple(
        _share(layer, number, l) for l, (layer, number) in enumerate(zip(layers, shared, strict=True))
    )


def doubled(shape: Sequence[int]) -> list[int]:
    """Return a network's levels with each hidden one twice: lines into it, then one curve for each node."""
    return [shape[0], *(n for n in shape[1:-1] for _ in range(2)), shape[-1]]


def diagonal(layer: Layer) -> Layer:
    """Return a square layer with only the edges from each node to the one of the same number."""
    return replace(layer, state=layer.state * np.eye(layer.inputs, dtype=np.int8))


def with_activations(layers: Sequence[Layer], seed: int) -> tuple[Layer, ...]:
    """Return layers of :func:`doubled` levels with biases on the lines and fixed, bare activations."""
    new = list(layers)
    for l, layer in enumerate(layers):
        if l % 2 == 0:
            bias = np.random.default_rng((seed, l)).normal(size=layer.bias.shape)
            new[l] = replace(layer, bias_free=True, bias=bias if l + 1 < len(layers) else layer.bias)
        else:
            ones = np.ones_like(layer.weights)
            new[l] = replace(diagonal(layer), weights=ones, locked=np.ones_like(layer.locked))
    return tuple(new)


def on_ranges(layer: Layer, ranges: Sequence[tuple[float, float]], grid: int, order: int) -> Layer:
    """Return the first layer with its grids over the inputs' ranges; raises InputError for empty ones."""
    for low, high in ranges:
        if not (np.isfinite([low, high]).all() and low < high):
            raise InputError(f"Range ({low}, {high}) is empty or not finite; give (low, high).")
    knots = np.stack([spline.uniform_knots(low, high, grid, order) for low, high in ranges])[None]
    return replace(layer, knots=knots)


def _groups(spec: NodeSpec) -> tuple[int, ...]:
    """Return how many factors each node of a level has: 1 for a sum."""
    if isinstance(spec, int | np.integer):
        if spec < 1:
            raise InputError(f"A level of {spec} nodes is empty; give 1 or more.")
        return (1,) * int(spec)
    sums, products = spec
    arities = (2,) * products if isinstance(products, int) else tuple(products)
    if any(a < 2 for a in arities) or sums < 0 or sums + len(arities) == 0:
        raise InputError(f"Level {spec!r}: give (sums, products) or (sums, [arity of 2 or more, ...]).")
    return (1,) * int(sums) + tuple(int(a) for a in arities)


def _share(layer: Layer, heads: int | None, l: int) -> Layer:
    """Return the layer whose edges share `heads` curves, dealt out evenly, and alike for all seeds."""
    if heads is None:
        return layer
    if heads < 1:
        raise InputError(f"heads={heads} leaves layer {l} no curve; give 1 or more, or None.")
    dealt = np.random.default_rng(l).permutation(layer.sums * layer.inputs) % heads
    return replace(layer, heads=dealt.reshape(layer.sums, layer.inputs)).tied()


def _each(value: Any, depth: int, name: str) -> list[Any]:
    """Return one value for each layer."""
    if isinstance(value, list | tuple):
        if len(value) != depth:
            raise InputError(f"{name}={value!r} has {len(value)} entries; the network has {depth} layers.")
        return list(value)
    return [value] * depth

"""A network's shape as flat arrays for compiled code: where layers' numbers lie, grids, which edges are on.

`kernels` and `normal` walk over it; the parameters come beside it, as `layers.pack` gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kansym.functions import spline
from kansym.network.training.layers import SPLINE, SYMBOLIC, Layer

BASES = (None, "silu", "x", "tanh")

(
    INPUTS,
    SUMS,
    NODES,
    WIDTH,  # order + 1, how many basis functions are not 0 at a point
    SIZE,  # coefficients of an edge
    BASE,  # its place in BASES
    PARAMETER,
    BLOCK,  # parameters of a sum
    KNOT,
    NODE,
    SUM,
    VALUE,
    EDGE,
    START,
    TABLE,
    PACKED,
    BIAS,
) = range(17)
"""Columns of a plan's `shape`: sizes, and where a layer begins in the flat arrays (KNOT to PACKED)."""


class Plan(NamedTuple):
    """Describe one member for compiled code; integers per layer, everything else flat."""

    shape: np.ndarray  # (layers, 17) of the columns above
    knots: np.ndarray
    table: np.ndarray
    uniform: np.ndarray
    starts: np.ndarray
    on: np.ndarray  # (edges,) layer by layer, sum by sum


def supported(layers: Sequence[Layer]) -> bool:
    """Tell whether compiled code knows all of these layers: splines, and base functions of BASES."""
    return all(
        layer.base in BASES and layer.kind == "spline" and not np.any(layer.state == SYMBOLIC)
        for layer in layers
    )


def plan(layers: Sequence[Layer], member: int = 0, kind: Any = np.float64) -> Plan:
    """Return what compiled code needs to know of one member, real numbers of a `kind`."""
    shape = np.zeros((len(layers), 17), np.int64)
    at = dict.fromkeys((PARAMETER, KNOT, NODE, SUM, VALUE, EDGE, START, TABLE, PACKED), 0)
    knots, tables, uniform, starts, on = [], [], [], [], []
    for l, layer in enumerate(layers):
        width = layer.order + 1 if layer.size else 0
        block = layer.inputs * (layer.size + 1) + 1
        known = {
            INPUTS: layer.inputs,
            SUMS: layer.sums,
            NODES: layer.nodes,
            WIDTH: width,
            SIZE: layer.size,
            BASE: BASES.index(layer.base),
            BLOCK: block,
            BIAS: int(layer.bias_free),
        }
        for key, value in {**known, **at}.items():
            shape[l, key] = value
        for i in range(layer.inputs):
            if layer.size:
                k = layer.knots[member, i]
                points = k[layer.order : len(k) - layer.order]
                knots.append(points)
                tables.append(spline.piece_table(k, layer.order).ravel())
                uniform.append(spline._is_uniform(points))
            else:
                uniform.append(True)
        starts.append(layer.starts)
        on.append((layer.state[member] == SPLINE).ravel())
        at[PARAMETER] += layer.sums * block
        at[KNOT] += layer.inputs * (layer.grid + 1) if layer.size else 0
        at[TABLE] += layer.inputs * layer.grid * width * width
        at[NODE] += layer.inputs
        at[SUM] += layer.sums
        at[VALUE] += layer.inputs * (width + 1)
        at[EDGE] += layer.sums * layer.inputs
        at[START] += layer.nodes + 1
        at[PACKED] += layer.inputs * (layer.size + 1) * layer.sums
    empty = [np.empty(0)]
    return Plan(
        shape,
        np.concatenate(knots or empty).astype(kind),
        np.concatenate(tables or empty).astype(kind),
        np.array(uniform, bool),
        np.concatenate(starts),
        np.concatenate(on),
    )

"""Grids that follow activations, and grid extension (2.16): the staircase, with rollback on bad steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kansym.functions import spline
from kansym.network.training import kernels, layers, plan
from kansym.network.training.compiled import Engine
from kansym.network.training.layers import SPLINE, Layer


@dataclass(frozen=True)
class Gridding:
    """Set how grids follow samples: share of quantiles in the knots, margin beyond the outermost ones.

    Row counts of 4 / margin and more keep unseen rows inside the grid.
    """

    blend: float = 0.0
    margin: float = 0.01


def follow(
    stack: Sequence[Layer],
    X: np.ndarray,
    grids: Sequence[int],
    setting: Gridding,
    only_if_needed: bool = False,
) -> tuple[Layer, ...]:
    """Return the layers with `grids[l]` cells on knots that cover what each layer receives from rows X.

    Curves are carried over by `spline.refit`. With `only_if_needed`, inputs whose activations still fit
    (inside the grid, and filling at least 60% of it) keep their knots.
    """
    done: list[Layer] = []
    values = [X] * stack[0].members
    for layer, grid in zip(stack, grids, strict=True):
        if layer.size:
            layer = _follow_one(layer, values, grid, setting, only_if_needed)
        done.append(layer)
        values = [forward([layer], v, e) for e, v in enumerate(values)]
    return tuple(done)


def _follow_one(
    layer: Layer, values: Sequence[np.ndarray], grid: int, setting: Gridding, only_if_needed: bool
) -> Layer:
    """Return a layer whose grids cover the values that reach it."""
    k = layer.order
    knots = np.empty((layer.members, layer.inputs, grid + 2 * k + 1))
    for e in range(layer.members):
        for i in range(layer.inputs):
            old = layer.knots[e, i]
            x = values[e][:, i]
            used = bool(np.any(layer.state[e, :, i] == SPLINE))
            if layer.heads is not None:  # shared curves need one grid for all inputs
                read = np.any(layer.state[e] == SPLINE, axis=0)
                used = bool(read.any())
                x = values[e][:, read].ravel() if used else x
            low, high = float(x.min()), float(x.max())
            keeps = grid == layer.grid and (
                not used
                or (
                    only_if_needed
                    and low >= old[k]
                    and high <= old[-k - 1]
                    and high - low >= 0.6 * (old[-k - 1] - old[k])
                )
            )
            if keeps or not np.isfinite(high - low):
                knots[e, i] = (
                    old if grid == layer.grid else spline.uniform_knots(old[k], old[-k - 1], grid, k)
                )
            else:
                knots[e, i] = spline.adaptive_knots(x, grid, k, setting.blend, setting.margin)
    if knots.shape == layer.knots.shape and np.array_equal(knots, layer.knots):
        return layer
    return layer.regrid(knots)


def extend(
    stack: Sequence[Layer], X: np.ndarray, grids: Sequence[int], setting: Gridding, moving: bool = True
) -> tuple[Layer, ...]:
    """Return the layers on grids of `grids[l]` cells (2.16).

    To a multiple of the present number, when the samples still fit: every cell is cut in equal parts and the
    function stays what it is. Else by least squares on knots that divide the present ones evenly.
    """
    first = all(layer.grid in (0, g) for layer, g in zip(stack, grids, strict=True))
    if first:
        return follow(stack, X, grids, setting) if moving else tuple(stack)
    out = []
    for layer, g in zip(stack, grids, strict=True):
        factor = g // layer.grid if layer.size and g % layer.grid == 0 else 0
        if not layer.size or factor == 1:
            out.append(layer)
        elif factor:
            out.append(nested(layer, factor))
        else:
            k = layer.order
            points = layer.knots[:, :, k : layer.knots.shape[2] - k]
            knots = np.apply_along_axis(_divide, 2, points, g, k)
            out.append(layer.regrid(knots))
    return tuple(out)


def _divide(points: np.ndarray, grid: int, order: int) -> np.ndarray:
    """Return knots of `grid` cells that divide the present cells evenly, by number."""
    place = np.linspace(0, len(points) - 1, grid + 1)
    return spline.extend(np.interp(place, np.arange(len(points)), points), order)


def nested(layer: Layer, factor: int) -> Layer:
    """Return the layer with every cell cut in `factor` equal parts: the same function on a finer grid."""
    k = layer.order
    points = layer.knots[:, :, k : layer.knots.shape[2] - k]
    steps = np.arange(factor) / factor
    fine = points[:, :, :-1, None] + np.diff(points, axis=2)[..., None] * steps
    fine = np.concatenate([fine.reshape(*points.shape[:2], -1), points[:, :, -1:]], axis=2)
    return layer.regrid(np.apply_along_axis(spline.extend, 2, fine, k))


def forward(stack: Sequence[Layer], X: np.ndarray, member: int = 0, nodes: bool = False) -> np.ndarray:
    """Return one member's outputs (n, K), or all node values (n, inputs + ... + outputs)."""
    if not plan.supported(stack):
        from kansym.network.training import tensors

        return tensors.forward_numpy(stack, X, member, nodes)
    theta, rows = layers.pack(stack), np.ascontiguousarray(X)
    if not nodes:
        one = [x.member(member) for x in stack] if stack[0].members > 1 else stack
        return Engine(one, np.float64).values(theta[member : member + 1], rows, False)[0][0]
    every = np.empty((len(X), stack[0].inputs + sum(x.nodes for x in stack)))
    kernels.values(plan.plan(stack, member), theta[member], rows, np.zeros(0), every)
    return every

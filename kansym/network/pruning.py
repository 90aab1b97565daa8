"""A smaller network: which edges and nodes matter (2.17, 2.21), and the layers without the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kansym.base.errors import InputError
from kansym.base.linear import TINY
from kansym.network.training import schedule
from kansym.network.training.layers import OFF, Layer
from kansym.network.training.tensors import edge_values


@dataclass(frozen=True, eq=False)
class Activity:
    """Hold what rows leave on the edges of one member: per layer (sums, inputs) arrays.

    `size` is mean |phi| (2.17), `mean` the mean, `spread` the standard deviation of each edge's values;
    `nodes` the values that enter each layer (n, inputs), and those that leave the last.
    """

    size: tuple[np.ndarray, ...]
    mean: tuple[np.ndarray, ...]
    spread: tuple[np.ndarray, ...]
    nodes: tuple[np.ndarray, ...]


def activity(stack: Sequence[Layer], X: np.ndarray, member: int = 0) -> Activity:
    """Return the activity of one member on rows X (n, inputs)."""
    every = schedule.forward(stack, X, member, nodes=True)
    cuts = np.cumsum([stack[0].inputs, *(layer.nodes for layer in stack)])[:-1]
    levels = tuple(np.split(every, cuts, axis=1))
    size, mean, spread = [], [], []
    for layer, x in zip(stack, levels[:-1], strict=True):
        phi = edge_values(layer.member(member), x)
        size.append(np.abs(phi).mean(0))
        mean.append(phi.mean(0))
        spread.append(phi.std(0))
    return Activity(tuple(size), tuple(mean), tuple(spread), levels)


def prune(
    stack: Sequence[Layer], found: Activity, nodes: float | None = 1e-2, edges: float | None = 1e-2
) -> tuple[Layer, ...]:
    """Return the layers without nodes whose score, incoming or outgoing, is at most `nodes` (2.21), and
    without edges of size at most `edges`.

    An edge's size here is the spread of its values: their mean is but a bias, and moves into the bias of the
    sum that loses the edge. Sizes are in units of the layer's largest, since a network can shrink a layer
    and stretch the next one's grids at no cost, and sparsity makes it do so. Inputs and outputs stay.
    Raises InputError when a level would lose all its nodes.
    """
    out = list(stack)
    size = [s / max(float(s.max()), TINY) for s in found.spread]
    for l, layer in enumerate(out):
        on = layer.state[0] != OFF
        if edges is not None:
            gone = on & (size[l] <= edges)
            out[l] = _drop(layer, gone, found.mean[l])
            size[l] = np.where(gone, 0.0, size[l])
    if nodes is None:
        return tuple(out)
    while True:
        for l in range(len(out) - 1):
            kept = _scores(out[l], size[l], size[l + 1]) > nodes
            if not kept.any():
                raise InputError(
                    f"No node of level {l + 1} scores above {nodes}; lower the threshold or train longer."
                )
            if not kept.all():
                break
        else:
            return tuple(out)
        dead = np.flatnonzero(~kept)
        gone = np.zeros_like(size[l + 1], bool)
        gone[:, dead] = out[l + 1].state[0][:, dead] != OFF
        out[l + 1] = _drop(out[l + 1], gone, found.mean[l + 1])
        stay = np.flatnonzero(kept)
        sums = np.concatenate([np.arange(out[l].starts[k], out[l].starts[k + 1]) for k in stay])
        groups = [out[l].groups[k] for k in stay]
        out[l] = out[l].select(sums, range(out[l].inputs), groups)
        out[l + 1] = out[l + 1].select(range(out[l + 1].sums), stay, out[l + 1].groups)
        size[l] = size[l][sums]
        size[l + 1] = size[l + 1][:, stay]
        means, spreads = list(found.mean), list(found.spread)
        means[l], means[l + 1] = means[l][sums], means[l + 1][:, stay]
        found = Activity(tuple(size), tuple(means), tuple(spreads), found.nodes)


def _scores(layer: Layer, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return min(incoming, outgoing) of every node between two layers."""
    incoming = np.array([below[a:b].max() for a, b in zip(layer.starts[:-1], layer.starts[1:], strict=True)])
    return np.minimum(incoming, above.max(0))


def _drop(layer: Layer, gone: np.ndarray, mean: np.ndarray) -> Layer:
    """Return the layer with edges switched off and their means moved into the bias."""
    if not gone.any():
        return layer
    return replace(
        layer,
        state=np.where(gone, OFF, layer.state).astype(np.int8),
        bias=layer.bias + np.where(gone, mean, 0.0).sum(1),
        symbolic={k: v for k, v in layer.symbolic.items() if not gone[k]},
    )


def keep_inputs(stack: Sequence[Layer], kept: Sequence[int], found: Activity) -> tuple[Layer, ...]:
    """Return the layers that read only these inputs; the others' mean contribution becomes bias."""
    first = stack[0]
    gone = first.state[0] != OFF
    gone[:, list(kept)] = False
    first = _drop(first, gone, found.mean[0])
    return (first.select(range(first.sums), kept, first.groups), *stack[1:])


def attribution(stack: Sequence[Layer], found: Activity) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return scores of edges (per layer, (sums, inputs)) and of nodes (per level) that add up backwards.

    An output scores 1; an edge gets its sum's score times its share of the spread entering that sum; a node
    the total of the edges that leave it (KAN 2.0, arXiv 2408.10205, section 4.1).
    """
    node = np.ones(stack[-1].nodes) / stack[-1].nodes
    edge_scores: list[np.ndarray] = []
    node_scores = [node]
    for layer, spread in zip(reversed(stack), reversed(found.spread), strict=True):
        by_sum = np.repeat(node, layer.groups)
        total = spread.sum(1, keepdims=True)
        edges = by_sum[:, None] * spread / np.where(total > 0, total, 1.0)
        node = edges.sum(0)
        edge_scores.append(edges)
        node_scores.append(node)
    return edge_scores[::-1], node_scores[::-1]

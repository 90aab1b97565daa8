"""A stack of layers as batched products on one device, all members at once, with shapes that never change.

Values and slopes of the local bases come in closed form from a point's cell and its place in it; everything
else is a matrix product, so a handful of operations makes a step, and a device can record them once and
replay them (`replay`). Splines only, of what `plan.supported` allows; `tensors` knows the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kansym.functions import spline
from kansym.network.training import layers as lay
from kansym.network.training.layers import SPLINE, Layer


@dataclass(frozen=True)
class Trail:
    """Hold what a layer leaves behind on the way up: basis, its slope, sums, and activations.

    own (E or 1, n, K), slope likewise or None for the first layer; K = inputs · (C + 1). total (E, n, m).
    """

    own: Tensor
    slope: Tensor | None
    total: Tensor


class Block:
    """Hold one layer's grids and masks; :meth:`load` replaces their contents and keeps their places."""

    def __init__(self, layer: Layer, device: str, dtype: torch.dtype) -> None:
        self.members, self.inputs, self.sums = layer.members, layer.inputs, layer.sums
        self.size, self.order, self.grid = layer.size, layer.order, layer.grid
        self.base, self.groups, self.bias_free = layer.base, layer.groups, layer.bias_free
        self.width = self.inputs * (self.size + 1)
        self.parameters = self.sums * (self.width + 1)
        self.even = even(layer)

        def kept(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        e, n = self.members, self.inputs
        self.on = kept(e, self.sums, n, 1)
        self.points = kept(e, n, self.grid + 1)
        self.low, self.high, self.scale = kept(e, 1, n), kept(e, 1, n), kept(e, 1, n)
        self.table = kept(*(() if self.even else (e, n, self.grid)), self.order + 1, self.order + 1)
        self.place = torch.arange(self.order + 1, device=device)
        self.load(layer)

    def load(self, layer: Layer) -> None:
        """Take over the grids and masks of a layer of the same shape."""
        self.on.copy_(torch.from_numpy((layer.state == SPLINE).astype(float))[..., None])
        if not self.size:
            return
        k = self.order
        points = layer.knots[:, :, k : layer.knots.shape[2] - k]
        self.points.copy_(torch.from_numpy(points))
        ends = points[:, None, :, 0], points[:, None, :, -1]
        self.low.copy_(torch.from_numpy(ends[0]))
        self.high.copy_(torch.from_numpy(ends[1]))
        self.scale.copy_(torch.from_numpy(self.grid / (ends[1] - ends[0])))
        if self.even:
            unit = spline.piece_table(spline.uniform_knots(0.0, 1.0, 1, k), k)[0]
            self.table.copy_(torch.from_numpy(unit))
        else:
            tables = [[spline.piece_table(knots, k) for knots in member] for member in layer.knots]
            self.table.copy_(torch.from_numpy(np.array(tables)))

    def basis(
        self, x: Tensor, members: slice = slice(None), sloped: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Return what multiplies each parameter of an edge, and its slope, (E, n, K) at x (E, n, inputs)."""
        own = x.new_zeros(*x.shape, self.size + 1)
        slope = torch.zeros_like(own) if sloped else None
        if self.size:
            cell, value, first = self._local(x, members)
            index = cell[..., None] + self.place
            own.scatter_(-1, index, value)
            if slope is not None:
                slope.scatter_(-1, index, first)
        if self.base is not None:
            own[..., -1], first = _base(self.base, x)
            if slope is not None:
                slope[..., -1] = first
        return own.flatten(2), None if slope is None else slope.flatten(2)

    def _local(self, x: Tensor, members: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Return cells (E, n, i), basis values (E, n, i, k + 1) and their slopes; lines outside."""
        low, high, scale = self.low[members], self.high[members], self.scale[members]
        inside = torch.minimum(torch.maximum(x, low), high)
        if self.even:
            place = (inside - low) * scale
            cell = place.floor().clamp(0, self.grid - 1)
            t, cell = (place - cell)[..., None], cell.long()
            powers, unit = self.table.unbind(0), scale[..., None]
        else:
            points = self.points[members]
            across = inside.transpose(1, 2).contiguous()
            cell = (torch.searchsorted(points, across, right=True) - 1).clamp(0, self.grid - 1)
            t = (across - points.gather(2, cell)).transpose(1, 2)[..., None]
            flat = self.table[members].flatten(3)
            pieces = flat.gather(2, cell[..., None].expand(*cell.shape, flat.shape[3]))
            pieces = pieces.unflatten(3, self.table.shape[3:]).transpose(1, 2)
            cell, powers, unit = cell.transpose(1, 2), pieces.unbind(3), torch.ones_like(t)
        value, first = powers[-1], None
        for power in reversed(powers[:-1]):
            first = value if first is None else torch.addcmul(value, first, t)
            value = torch.addcmul(power, value, t)
        first = (torch.zeros_like(value) if first is None else first) * unit
        return cell, torch.addcmul(value, (x - inside)[..., None], first), first

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return coefficients (E, m, K), of edges that are off zeros, and biases (E, m) from (E, P_layer)."""
        block = theta.unflatten(1, (self.sums, self.width + 1))
        edges = block[:, :, :-1].unflatten(2, (self.inputs, self.size + 1)) * self.on
        return edges.flatten(2), block[:, :, -1]

    def nodes(self, total: Tensor) -> Tensor:
        """Return node values from sums (E, n, m): products where a node has several."""
        if all(g == 1 for g in self.groups):
            return total
        return torch.stack([part.prod(-1) for part in total.split(list(self.groups), -1)], -1)

    def spread(self, up: Tensor, total: Tensor) -> Tensor:
        """Return derivatives by the sums (E, n, F, m) from those by the nodes (E, n, F, nodes)."""
        if all(g == 1 for g in self.groups):
            return up
        parts = []
        for node, part in enumerate(total.split(list(self.groups), -1)):
            for j in range(part.shape[-1]):
                others = torch.cat([part[..., :j], part[..., j + 1 :]], -1).prod(-1)
                parts.append(up[..., node] * others[..., None])
        return torch.stack(parts, -1)


class Stack:
    """Compute a stack of layers, its derivatives by the parameters and its penalties, in place."""

    def __init__(self, stack: Sequence[Layer], device: str, dtype: torch.dtype) -> None:
        self.blocks = [Block(layer, device, dtype) for layer in stack]
        self.device, self.dtype, self.members = device, dtype, stack[0].members
        self.outputs = stack[-1].nodes
        starts = np.cumsum([0, *(b.parameters for b in self.blocks)])
        self.parts = [slice(int(a), int(b)) for a, b in itertools.pairwise(starts)]
        self.parameters = int(starts[-1])
        self.free = torch.ones(self.members, self.parameters, dtype=torch.bool, device=device)
        biases = np.concatenate(
            [np.tile(np.arange(b.width + 1) == b.width, b.sums) & (not b.bias_free) for b in self.blocks]
        )
        self.masked = not bool(np.all(lay.free(stack) | biases))  # else all that is not free is zero anyway
        self.load(stack)

    def load(self, stack: Sequence[Layer]) -> None:
        """Take over grids and masks of layers of the same :func:`signature`."""
        for block, layer in zip(self.blocks, stack, strict=True):
            block.load(layer)
        self.free.copy_(torch.from_numpy(lay.free(stack)))
        self.alike = _alike(stack[0])

    def first(self, X: Tensor) -> Tensor:
        """Return the first layer's basis (1 or E, n, K) at X (n, inputs): one for all members on one grid."""
        block = self.blocks[0]
        if self.alike:
            return block.basis(X[None], slice(0, 1), sloped=False)[0]
        return block.basis(X.expand(self.members, *X.shape), sloped=False)[0]

    def up(self, theta: Tensor, own: Tensor, trails: list[Trail] | None = None) -> Tensor:
        """Return outputs (E, n, outputs); `own` from :meth:`first`, and `trails` are filled where given."""
        slope: Tensor | None = None
        x = own
        for l, (block, part) in enumerate(zip(self.blocks, self.parts, strict=True)):
            if l:
                own, slope = block.basis(x, sloped=trails is not None)
            edges, bias = block.split(theta[:, part])
            if len(own) == 1:  # one product for all members
                rows = own[0] @ edges.flatten(0, 1).T
                total = rows.unflatten(1, (self.members, block.sums)).transpose(0, 1) + bias[:, None]
            else:
                total = torch.baddbmm(bias[:, None], own, edges.transpose(1, 2))
            if trails is not None:
                trails.append(Trail(own, slope, total))
            x = block.nodes(total)
        return x

    def down(self, theta: Tensor, trails: list[Trail], up: Tensor, J: Tensor | None) -> Tensor:
        """Return J' q (E, P), q the last of the derivatives `up` (E, n, F + 1, outputs); fill J (E, n, F, P).

        The other F are square roots of the loss's curvature. Columns of biases that are not free stay as
        they are, zeros.
        """
        gradient = theta.new_zeros(self.members, self.parameters)
        for l in range(len(self.blocks) - 1, -1, -1):
            block, part, trail = self.blocks[l], self.parts[l], trails[l]
            by_sum = block.spread(up, trail.total)
            k = block.width
            q = by_sum[:, :, -1]
            found = gradient[:, part].unflatten(1, (block.sums, k + 1))
            if len(trail.own) == 1:
                found[:, :, :-1] = (q.permute(0, 2, 1).flatten(0, 1) @ trail.own[0]).unflatten(
                    0, (self.members, block.sums)
                )
            else:
                found[:, :, :-1] = q.transpose(1, 2) @ trail.own
            found[:, :, -1] = q.sum(1)
            if J is not None:
                columns = J[..., part].unflatten(3, (block.sums, k + 1))
                roots = by_sum[:, :, :-1]
                torch.mul(roots[..., None], trail.own[:, :, None, None], out=columns[..., :-1])
                if block.bias_free:
                    columns[..., -1] = roots
            if l:
                assert trail.slope is not None
                edges, _ = block.split(theta[:, part])
                shape = (block.inputs, block.size + 1)
                if block.sums < by_sum.shape[2]:  # fewer sums than derivatives to pull: nodes by nodes first
                    inner = (trail.slope[:, :, None] * edges[:, None]).unflatten(3, shape).sum(-1)
                    up = (by_sum[..., None] * inner[:, :, None]).sum(3)
                else:
                    pulled = (by_sum.flatten(1, 2) @ edges).unflatten(1, by_sum.shape[1:3])
                    up = (pulled * trail.slope[:, :, None]).unflatten(3, shape).sum(-1)
        return gradient


def even(layer: Layer) -> bool:
    """Tell whether all cells of each of a layer's grids have one length."""
    k = layer.order
    points = layer.knots[:, :, k : layer.knots.shape[2] - k]
    return not layer.size or all(spline._is_uniform(p) for member in points for p in member)


def signature(stack: Sequence[Layer]) -> tuple[object, ...]:
    """Return what must be the same for one :class:`Stack` to take over other layers."""
    shapes = [(x.weights.shape, x.size, x.order, x.base, x.groups, x.bias_free, even(x)) for x in stack]
    return (*shapes, _alike(stack[0]))


def _alike(layer: Layer) -> bool:
    """Tell whether all members have the same grids."""
    return all(np.array_equal(knots, layer.knots[0]) for knots in layer.knots)


def _base(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return a base function of `plan.BASES` and its slope at x."""
    if name == "x":
        return x, torch.ones_like(x)
    if name == "tanh":
        value = torch.tanh(x)
        return value, 1 - value * value
    s = torch.sigmoid(x)
    return x * s, s * (1 + x * (1 - s))

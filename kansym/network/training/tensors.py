"""Values and derivatives of a network in torch: any edge, any device, gradients of any order up to two.

The counterpart of `kernels` for what that room does not know: symbolic edges, other base functions, losses
that only autograd can differentiate, the derivatives of a network by its inputs (PDEs), and devices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kansym.functions import library
from kansym.network.training import radial
from kansym.network.training.layers import SPLINE, Layer, pack
from kansym.network.training.operations import torch_function


class Network:
    """Compute a stack of layers on tensors; all members at once, ensemble dimension first."""

    def __init__(
        self, stack: Sequence[Layer], device: str = "cpu", dtype: torch.dtype = torch.float64
    ) -> None:
        self.layers = [_Layer(layer, device, dtype) for layer in stack]

    def __call__(self, theta: Tensor, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs (E, n, K) and mean absolute activations (E, edges) for X ([E,] n, inputs)."""
        at, magnitudes = 0, []
        x = X if X.ndim == 3 else X.expand(theta.shape[0], *X.shape)
        for layer in self.layers:
            phi = layer.edges(theta[:, at : at + layer.parameters], x)
            bias = layer.bias(theta[:, at : at + layer.parameters])
            at += layer.parameters
            magnitudes.append(phi.abs().mean(1).flatten(1))
            x = layer.nodes(phi.sum(-1) + bias[:, None])
        return x, torch.cat(magnitudes, 1)

    def jacobian(self, theta: Tensor, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs (E, n, K) and their derivatives by the parameters (E, n, K, P), for few rows."""
        at, inner, x = 0, [], X if X.ndim == 3 else X.expand(theta.shape[0], *X.shape)
        for layer in self.layers:
            part = theta[:, at : at + layer.parameters]
            at += layer.parameters
            with torch.enable_grad():
                z = x.detach().requires_grad_(True)
                phi = layer.edges(part, z)
            total = phi.sum(-1) + layer.bias(part)[:, None]
            inner.append((part, x, total.detach()))
            x = layer.nodes(total).detach()
        outputs = x
        e, n, k = outputs.shape
        up = torch.eye(k, dtype=x.dtype, device=x.device).expand(e, n, k, k)
        columns: list[Tensor] = []
        for layer, (part, x, total) in zip(reversed(self.layers), reversed(inner), strict=True):
            by_sum = layer.spread(up, total)  # (E, n, K, m)
            columns.append(layer.columns(part, x, by_sum))
            up = torch.einsum("enkj,enji->enki", by_sum, layer.slopes(part, x))
        return outputs, torch.cat(columns[::-1], -1)

    def penalty(self, theta: Tensor, X: Tensor, price: Tensor, magnitudes: Tensor, hessian: Tensor) -> None:
        """Add to hessian (E, P, P) the reweighted curvature of price·|phi| (E, edges) over rows X."""
        at = edge = 0
        x = X.expand(theta.shape[0], *X.shape)
        for layer in self.layers:
            part, width = theta[:, at : at + layer.parameters], layer.size + 1
            with torch.no_grad():
                phi = layer.edges(part, x)
                number = layer.sums * layer.inputs
                floor = 0.1 * magnitudes[:, None, edge : edge + number] + 1e-12
                cost = price[:, None, edge : edge + number].clamp_min(0.0)
                weight = (cost / torch.maximum(phi.abs().flatten(2), floor)).reshape(phi.shape)
                own = layer.own(x)
                blocks = torch.einsum("enji,enic,enid->ejicd", weight * layer.on[:, None], own, own)
                for j in range(layer.sums):
                    for i in range(layer.inputs):
                        p = at + j * (layer.inputs * width + 1) + i * width
                        hessian[:, p : p + width, p : p + width] += blocks[:, j, i]
                x = layer.nodes(phi.sum(-1) + layer.bias(part)[:, None])
            at += layer.parameters
            edge += number


class _Layer:
    """Hold a layer's numbers as tensors and evaluate all its edges."""

    def __init__(self, layer: Layer, device: str, dtype: torch.dtype) -> None:
        self.layer = layer
        self.sums, self.inputs, self.size, self.order = layer.sums, layer.inputs, layer.size, layer.order
        self.plain = self.sums * (self.inputs * (self.size + 1) + 1)
        self.on = torch.from_numpy((layer.state == SPLINE).astype(float)).to(device, dtype)
        self.knots = torch.from_numpy(layer.knots).to(device, dtype)
        self.points = torch.from_numpy(np.diff(layer.starts)).to(device)
        self.symbolic = [
            (j, i, torch_function(curve.function), curve.p) for (j, i), curve in layer.symbolic.items()
        ]
        self.parameters = self.plain + 4 * len(self.symbolic)

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return coefficients (E, m, n, C) and base weights (E, m, n)."""
        block = theta[:, : self.plain].reshape(theta.shape[0], self.sums, -1)[:, :, :-1]
        edges = block.reshape(theta.shape[0], self.sums, self.inputs, self.size + 1)
        return edges[..., :-1], edges[..., -1]

    def bias(self, theta: Tensor) -> Tensor:
        return theta[:, : self.plain].reshape(theta.shape[0], self.sums, -1)[:, :, -1]

    def edges(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return phi (E, n, m, inputs) at x (E, n, inputs)."""
        coefficients, weights = self.split(theta)
        total = x.new_zeros(()).expand(*x.shape[:2], self.sums, self.inputs)
        if self.size and self.layer.kind == "radial":
            total = torch.einsum("enic,ejic->enji", self.gaussians(x), coefficients)
        elif self.size:
            cell, value = _Basis.apply(x, self.knots, self.order, 0)
            total = torch.einsum("enia,enjia->enji", value, _local(coefficients, cell, self.order))
        if self.layer.base is not None:
            total = total + weights[:, None] * base(self.layer.base)(x)[:, :, None]
        total = total * self.on[:, None]
        if self.symbolic:
            parts = list(total.flatten(2).unbind(-1))
            letters = theta[:, self.plain :].reshape(theta.shape[0], -1, 4, 1).unbind(2)
            for s, (j, i, f, p) in enumerate(self.symbolic):
                a, b, c, d = (letter[:, s] for letter in letters)
                parts[j * self.inputs + i] = c * f(a * x[..., i] + b, p) + d
            total = torch.stack(parts, -1).reshape(total.shape)
        return total

    def gaussians(self, x: Tensor) -> Tensor:
        """Return the radial basis (E, n, inputs, C) at x (E, n, inputs)."""
        middle, width = radial.places(self.knots, self.order)
        return torch.exp(-(((x[..., None] - middle[:, None]) / width[:, None]) ** 2))

    def slopes(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return phi' (E, n, m, inputs)."""
        with torch.enable_grad():
            z = x.detach().requires_grad_(True)
            phi = self.edges(theta.detach(), z)
            rows = [
                torch.autograd.grad(phi[:, :, j].sum(), z, retain_graph=True)[0] for j in range(self.sums)
            ]
        return torch.stack(rows, 2)

    def nodes(self, total: Tensor) -> Tensor:
        """Return node values from sums (E, n, m): products where a node has several."""
        if all(g == 1 for g in self.layer.groups):
            return total
        return torch.stack([part.prod(-1) for part in total.split(list(self.layer.groups), -1)], -1)

    def spread(self, up: Tensor, total: Tensor) -> Tensor:
        """Return derivatives by the sums (E, n, K, m) from those by the nodes (E, n, K, nodes)."""
        if all(g == 1 for g in self.layer.groups):
            return up
        parts = []
        for node, part in enumerate(total.split(list(self.layer.groups), -1)):
            for j in range(part.shape[-1]):
                others = torch.cat([part[..., :j], part[..., j + 1 :]], -1).prod(-1)
                parts.append(up[..., node] * others[..., None])
        return torch.stack(parts, -1)

    def columns(self, theta: Tensor, x: Tensor, by_sum: Tensor) -> Tensor:
        """Return the outputs' derivatives (E, n, K, P_layer) by this layer's parameters."""
        e, n, _k, m = by_sum.shape
        own = self.own(x)
        edges = own[:, :, None] * self.on[:, None, :, :, None]
        block = torch.cat([edges.flatten(3), edges.new_ones(e, n, m, 1)], -1)
        out = [(by_sum[..., None] * block[:, :, None]).flatten(3)]
        letters = theta[:, self.plain :].reshape(e, -1, 4, 1).unbind(2)
        for s, (j, i, f, p) in enumerate(self.symbolic):
            a, b, c, _ = (letter[:, s] for letter in letters)
            with torch.enable_grad():
                inner = (a * x[..., i] + b).detach().requires_grad_(True)
                value = f(inner, p)
                slope = torch.autograd.grad(value.sum(), inner)[0]
            own = torch.stack([c * slope * x[..., i], c * slope, value.detach(), torch.ones_like(slope)], -1)
            out.append(by_sum[..., j, None] * own[:, :, None])
        return torch.cat(out, -1)

    def own(self, x: Tensor) -> Tensor:
        """Return what multiplies each parameter of an edge, (E, n, inputs, C + 1): basis values and base."""
        own = x.new_zeros(*x.shape[:2], self.inputs, self.size + 1)
        if self.size and self.layer.kind == "radial":
            own[..., :-1] = self.gaussians(x.detach())
        elif self.size:
            cell, value = _Basis.apply(x.detach(), self.knots, self.order, 0)
            place = cell[..., None] + torch.arange(self.order + 1, device=x.device)
            own.scatter_(-1, place, value)
        if self.layer.base is not None:
            own[..., -1] = base(self.layer.base)(x)
        return own


def forward_numpy(stack: Sequence[Layer], X: np.ndarray, member: int = 0, nodes: bool = False) -> np.ndarray:
    """Return one member's outputs (n, K), or all node values, as `schedule.forward` does."""
    network = Network(stack)
    theta = torch.from_numpy(np.array(pack(stack)))
    at, x = 0, torch.from_numpy(np.ascontiguousarray(X)).expand(len(theta), *X.shape)
    levels = [x]
    with torch.no_grad():
        for layer in network.layers:
            part = theta[:, at : at + layer.parameters]
            at += layer.parameters
            x = layer.nodes(layer.edges(part, x).sum(-1) + layer.bias(part)[:, None])
            levels.append(x)
    return (torch.cat(levels, -1) if nodes else x)[member].numpy()


def _local(coefficients: Tensor, cell: Tensor, order: int) -> Tensor:
    """Return the order + 1 coefficients (E, n, m, inputs, order + 1) that live in each point's cell."""
    e, m, inputs, _ = coefficients.shape
    place = cell[..., None] + torch.arange(order + 1, device=cell.device)  # (E, n, inputs, k + 1)
    n = cell.shape[1]
    place = place[:, :, None].expand(e, n, m, inputs, order + 1)
    source = coefficients[:, None].expand(e, n, *coefficients.shape[1:])
    return source.gather(-1, place)


class _Basis(torch.autograd.Function):
    """Give local B-spline values (E, n, inputs, order + 1) and, again and again, their derivatives by x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, knots: Tensor, order: int, derivative: int) -> tuple[Tensor, Tensor]:
        """Return the cells of points and the local basis there, or its derivatives."""
        cell, value = local_basis(x, knots, order, derivative)
        ctx.mark_non_differentiable(cell)
        ctx.save_for_backward(x, knots)
        ctx.order, ctx.derivative = order, derivative
        return cell, value

    @staticmethod
    def backward(ctx: Any, _: Any, up: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the derivatives by the points."""
        x, knots = ctx.saved_tensors
        _, slope = _Basis.apply(x, knots, ctx.order, ctx.derivative + 1)
        return (up * slope).sum(-1), None, None, None


def local_basis(x: Tensor, knots: Tensor, order: int, derivative: int = 0) -> tuple[Tensor, Tensor]:
    """Return cells (E, n, i) and derivatives of the local basis (E, n, i, order + 1); linear outside."""
    low, high = knots[:, None, :, order], knots[:, None, :, -order - 1]
    inside = torch.minimum(torch.maximum(x, low), high)
    cells = knots.shape[2] - 2 * order - 1
    points = knots[:, :, order : order + cells + 1].contiguous()
    cell = torch.searchsorted(points, inside.transpose(1, 2).contiguous(), right=True).transpose(1, 2) - 1
    cell = cell.clamp(0, cells - 1)
    index = (cell + order).transpose(1, 2)  # (E, i, n)

    def knot(offset: int) -> Tensor:
        return knots.gather(2, index + offset).transpose(1, 2)

    if derivative > order:
        return cell, x.new_zeros(*x.shape, order + 1)
    # Values of degree order - derivative, then the derivative formula raises the degree step by step.
    work = [torch.ones_like(x)]
    for k in range(1, order - derivative + 1):
        saved, grown = torch.zeros_like(x), []
        for r in range(k):
            right, left = knot(r + 1), knot(r + 1 - k)
            term = work[r] / (right - left)
            grown.append(saved + (right - inside) * term)
            saved = (inside - left) * term
        work = [*grown, saved]
    for k in range(order - derivative + 1, order + 1):
        saved, grown = torch.zeros_like(x), []
        for r in range(k):
            term = k * work[r] / (knot(r + 1) - knot(r + 1 - k))
            grown.append(saved - term)
            saved = term
        work = [*grown, saved]
    value = torch.stack(work, -1)
    outside = x != inside
    if derivative < 2 and bool(outside.any()):
        if derivative == 0:
            slope = local_basis(inside, knots, order, 1)[1]
            value = value + torch.where(outside, x - inside, 0.0)[..., None] * slope
    elif derivative >= 2:
        value = torch.where(outside[..., None], 0.0, value)
    return cell, value


@cache
def base(name: str) -> Callable[[Tensor], Tensor]:
    """Return a base function on tensors."""
    if name == "silu":
        return torch.nn.functional.silu
    if name == "x":
        return lambda x: x
    f = torch_function(library.get(name))
    return lambda x: f(x, None)


def edge_values(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Return phi (n, sums, inputs) of a one-member layer at x (n, inputs)."""
    with torch.no_grad():
        theta = torch.from_numpy(np.array(pack([layer])))
        return _Layer(layer, "cpu", torch.float64).edges(theta, torch.from_numpy(x)[None])[0].numpy()

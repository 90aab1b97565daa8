"""A layer of a network as plain arrays: grids, coefficients, what state each edge is in.

This room is for the shape and the numbers of a network; values come from `kernels` (NumPy, compiled)
and `tensors` (torch), training from `levenberg` and `gradient`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kansym.base.errors import InputError
from kansym.functions import spline
from kansym.functions.graph import Symbolic
from kansym.functions.library import Function
from kansym.network.training import radial

OFF, SPLINE, SYMBOLIC = 0, 1, 2
"""What an edge carries: nothing, a spline, a function."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Hold E members of one layer with n inputs and m sums, gathered into len(groups) nodes.

    knots (E, n, C + order + 1), coefficients (E, m, n, C), weights (E, m, n) of the base function,
    bias (E, m), state (E, m, n) of OFF, SPLINE, SYMBOLIC, locked (m, n). `groups` gives each node's
    arity: 1 adds its edges, p > 1 multiplies p such sums. grid 0 leaves only the base function. Symbolic
    curves sit in `symbolic` by (sum, input) and replace the spline of every member. `kind` says what the
    coefficients multiply: B-splines ("spline") or Gaussians ("radial"). Edges with the same number in
    `heads` (m, n) share their coefficients; all inputs then have one grid.
    """

    knots: np.ndarray
    coefficients: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    state: np.ndarray
    locked: np.ndarray
    groups: tuple[int, ...]
    order: int = 3
    base: str | None = "silu"
    bias_free: bool = False
    symbolic: Mapping[tuple[int, int], Symbolic] = field(default_factory=dict)
    kind: str = "spline"
    heads: np.ndarray | None = None

    @property
    def members(self) -> int:
        """Return the ensemble size E."""
        return self.weights.shape[0]

    @property
    def inputs(self) -> int:
        """Return the number of inputs n."""
        return self.weights.shape[2]

    @property
    def sums(self) -> int:
        """Return the number of sums m, each a row of edges."""
        return self.weights.shape[1]

    @property
    def nodes(self) -> int:
        """Return the number of output nodes."""
        return len(self.groups)

    @property
    def size(self) -> int:
        """Return the number C of spline coefficients of an edge."""
        return self.coefficients.shape[3]

    @property
    def grid(self) -> int:
        """Return the number of grid cells, 0 for a layer without splines."""
        return self.size - self.order if self.size else 0

    @property
    def starts(self) -> np.ndarray:
        """Return where each node's sums begin, with the end: (nodes + 1,)."""
        return np.concatenate([[0], np.cumsum(self.groups)]).astype(np.int64)

    def member(self, index: int) -> Layer:
        """Return one member as a layer of its own."""
        return self.pick([index])

    def pick(self, members: Sequence[int] | np.ndarray) -> Layer:
        """Return the layer with only these members."""
        names = ("knots", "coefficients", "weights", "bias", "state")
        chosen = np.asarray(members, int)
        return replace(self, **{k: getattr(self, k)[chosen] for k in names})

    def select(
        self, sums: Sequence[int] | np.ndarray, inputs: Sequence[int] | np.ndarray, groups: Sequence[int]
    ) -> Layer:
        """Return the layer with only these sums and inputs, in this order."""
        s, i = np.asarray(sums, int), np.asarray(inputs, int)
        symbolic = {
            (a, b): self.symbolic[int(j), int(k)]
            for a, j in enumerate(s)
            for b, k in enumerate(i)
            if (int(j), int(k)) in self.symbolic
        }
        return replace(
            self,
            knots=self.knots[:, i].copy(),
            coefficients=self.coefficients[:, s][:, :, i].copy(),
            weights=self.weights[:, s][:, :, i].copy(),
            bias=self.bias[:, s].copy(),
            state=self.state[:, s][:, :, i].copy(),
            locked=self.locked[s][:, i].copy(),
            groups=tuple(groups),
            symbolic=symbolic,
            heads=None if self.heads is None else self.heads[s][:, i].copy(),
        )

    def regrid(self, knots: np.ndarray) -> Layer:
        """Return the layer on other grids (E, n, K'), every curve as close as splines there allow."""
        size = knots.shape[2] - self.order - 1
        new = np.zeros((self.members, self.sums, self.inputs, size))
        for e in range(self.members):
            for i in range(self.inputs):
                if self.size:
                    old = self.coefficients[e, :, i]
                    refit = spline.refit if self.kind == "spline" else radial.refit
                    new[e, :, i] = refit(self.knots[e, i], old, self.order, knots[e, i])
        return replace(self, knots=knots, coefficients=new)

    def curve(self, member: int, source: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the coefficients (C,) that come closest to y (n,) at x (n,) on one input of a member."""
        if self.kind == "spline":
            return spline.fit(self.knots[member, source], self.order, x, y)
        return radial.fit(self.knots[member, source], self.order, x, y[None])[0]

    def leaders(self, member: int) -> np.ndarray:
        """Return for every edge (m, n) the number of the edge whose coefficients it shares, itself if none.

        Only free splines share; the first of a head leads.
        """
        own = np.arange(self.sums * self.inputs)
        if self.heads is None:
            return own.reshape(self.sums, self.inputs)
        free = ((self.state[member] == SPLINE) & ~self.locked).ravel()
        first: dict[int, int] = {}
        for edge in own[free]:
            own[edge] = first.setdefault(int(self.heads.flat[edge]), int(edge))
        return own.reshape(self.sums, self.inputs)

    def tied(self) -> Layer:
        """Return the layer with the coefficients of each head's first edge on all its edges."""
        if self.heads is None:
            return self
        flat = self.coefficients.reshape(self.members, -1, self.size)
        new = np.stack([flat[e][self.leaders(e)] for e in range(self.members)])
        return replace(self, coefficients=new)


def make_layer(
    inputs: int,
    groups: Sequence[int],
    grid: int,
    order: int,
    base: str | None,
    rngs: Sequence[np.random.Generator],
    noise: float = 0.3,
) -> Layer:
    """Return a layer with one member per generator: small smooth splines, Xavier base weights (2.12)."""
    if grid < 0 or order < 0:
        raise InputError(f"grid={grid}, order={order}: both must be 0 or more.")
    m, size = int(sum(groups)), grid + order if grid else 0
    knots = spline.uniform_knots(-1.0, 1.0, grid, order) if grid else np.empty(0)
    e = len(rngs)
    coefficients = np.stack([r.normal(size=(m, inputs, size)) for r in rngs]) * noise / np.sqrt(inputs)
    weights = np.stack([r.normal(size=(m, inputs)) for r in rngs]) / np.sqrt(inputs)
    return Layer(
        knots=np.broadcast_to(knots, (e, inputs, len(knots))).copy(),
        coefficients=coefficients,
        weights=weights if base is not None else np.zeros_like(weights),
        bias=np.zeros((e, m)),
        state=np.full((e, m, inputs), SPLINE, np.int8),
        locked=np.zeros((m, inputs), bool),
        groups=tuple(int(g) for g in groups),
        order=order,
        base=base,
    )


def pack(layers: Sequence[Layer]) -> np.ndarray:
    """Return all parameters (E, P): layer by layer, sum by sum, [coefficients, weight] per edge, then
    bias; then a, b, c, d
    of each symbolic edge.
    """
    parts = []
    for layer in layers:
        edges = np.concatenate([layer.coefficients, layer.weights[..., None]], axis=3)
        rows = edges.reshape(layer.members, layer.sums, -1)
        block = np.concatenate([rows, layer.bias[..., None]], axis=2)
        parts.append(block.reshape(layer.members, -1))
        if layer.symbolic:
            letters = [getattr(curve, k) for curve in layer.symbolic.values() for k in "abcd"]
            parts.append(np.broadcast_to(np.array(letters, float), (layer.members, len(letters))))
    return np.concatenate(parts, axis=1)


def unpack(layers: Sequence[Layer], theta: np.ndarray) -> tuple[Layer, ...]:
    """Return the layers with the parameters of `theta` (E, P)."""
    out, at = [], 0
    theta = np.asarray(theta, float)
    for layer in layers:
        width = layer.inputs * (layer.size + 1) + 1
        block = theta[:, at : at + layer.sums * width].reshape(layer.members, layer.sums, width)
        edges = block[:, :, :-1].reshape(layer.members, layer.sums, layer.inputs, layer.size + 1)
        at += layer.sums * width
        symbolic = {}
        for key, curve in layer.symbolic.items():
            a, b, c, d = (float(v) for v in theta[0, at : at + 4])
            symbolic[key] = replace(curve, a=a, b=b, c=c, d=d)
            at += 4
        out.append(
            replace(
                layer,
                symbolic=symbolic,
                coefficients=edges[..., :-1].copy(),
                weights=edges[..., -1].copy(),
                bias=block[:, :, -1].copy(),
            )
        )
    return tuple(out)


def free(layers: Sequence[Layer]) -> np.ndarray:
    """Return which parameters may change (E, P)."""
    parts = []
    for layer in layers:
        on = (layer.state == SPLINE) & ~layer.locked
        edges = np.broadcast_to(on[..., None], (*on.shape, layer.size + 1)).copy()
        edges[..., -1] &= layer.base is not None
        if layer.heads is not None:
            own = np.arange(layer.sums * layer.inputs).reshape(layer.sums, layer.inputs)
            for e in range(layer.members):
                edges[e, layer.leaders(e) != own, :-1] = False
        rows = edges.reshape(layer.members, layer.sums, -1)
        last = np.full((layer.members, layer.sums, 1), layer.bias_free)
        parts.append(np.concatenate([rows, last], axis=2).reshape(layer.members, -1))
        for (j, i), curve in layer.symbolic.items():
            loose = [k not in curve.function.redundant and not layer.locked[j, i] for k in "abcd"]
            parts.append(np.broadcast_to(loose, (layer.members, 4)))
    return np.concatenate(parts, axis=1)


def letters(layers: Sequence[Layer]) -> np.ndarray:
    """Return which parameters are an a, b, c or d of a symbolic edge (P,)."""
    parts = []
    for layer in layers:
        parts.append(np.zeros(layer.sums * (layer.inputs * (layer.size + 1) + 1), bool))
        parts.append(np.ones(4 * len(layer.symbolic), bool))
    return np.concatenate(parts)


def ties(layers: Sequence[Layer]) -> np.ndarray | None:
    """Return whose value each parameter takes (E, P), or None where every edge has its own."""
    if all(layer.heads is None for layer in layers):
        return None
    size = pack(layers).shape[1]
    out = np.tile(np.arange(size), (layers[0].members, 1))
    at = 0
    for layer in layers:
        width = layer.size + 1
        block = layer.inputs * width + 1
        edge = np.arange(layer.sums * layer.inputs)
        starts = at + (edge // layer.inputs) * block + (edge % layer.inputs) * width
        for e in range(layer.members):
            for own, leader in zip(starts, starts[layer.leaders(e).ravel()], strict=True):
                out[e, own : own + layer.size] = leader + np.arange(layer.size)
        at += layer.sums * block + 4 * len(layer.symbolic)
    return out


def smoothing(layers: Sequence[Layer]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for every layer of splines where its coefficients lie in theta (edges, C), and the matrix D
    (differences, C) that takes their differences; the penalty is |D c|² for each edge.

    Fourth differences; sixth ones on fine grids, whose empty cells they continue more exactly (measured in
    docs/notes/training.md).
    """
    out, at = [], 0
    for layer in layers:
        width = layer.size + 1
        if layer.size:
            d = spline.difference(layer.size, 4 if layer.grid < 40 else 6)
            sums = at + np.arange(layer.sums) * (layer.inputs * width + 1)
            edges = (sums[:, None] + np.arange(layer.inputs) * width).ravel()
            out.append((edges[:, None] + np.arange(layer.size), d))
        at += layer.sums * (layer.inputs * width + 1) + 4 * len(layer.symbolic)
    return out


def mix(old: Sequence[Layer], new: Sequence[Layer], better: np.ndarray) -> tuple[Layer, ...]:
    """Return the layers with the members where `better` (E,) is true taken from `new`; grids must agree."""
    if better.all() or any(a.knots.shape != b.knots.shape for a, b in zip(old, new, strict=True)):
        return tuple(new) if better.any() else tuple(old)
    out = []
    for a, b in zip(old, new, strict=True):
        chosen = {}
        for name in ("knots", "coefficients", "weights", "bias", "state"):
            x, z = getattr(a, name), getattr(b, name)
            chosen[name] = np.where(better.reshape(-1, *[1] * (x.ndim - 1)), z, x)
        out.append(replace(a, **chosen))
    return tuple(out)


def to_dict(layer: Layer) -> dict[str, Any]:
    """Return plain data that json can write."""
    arrays = ("knots", "coefficients", "weights", "bias", "state", "locked")
    return {
        **{
            k: {"shape": list(getattr(layer, k).shape), "values": getattr(layer, k).ravel().tolist()}
            for k in arrays
        },
        "groups": list(layer.groups),
        "order": layer.order,
        "base": layer.base,
        "bias_free": layer.bias_free,
        "kind": layer.kind,
        "heads": None if layer.heads is None else layer.heads.tolist(),
        "symbolic": [
            {"sum": j, "input": i, "function": c.function.to_dict(), **{k: getattr(c, k) for k in "abcdp"}}
            for (j, i), c in layer.symbolic.items()
        ],
    }


def from_dict(data: Mapping[str, Any]) -> Layer:
    """Return the layer that :func:`to_dict` described."""
    kinds = {"state": np.int8, "locked": bool}
    arrays: dict[str, Any] = {
        k: np.array(data[k]["values"], kinds.get(k, float)).reshape(data[k]["shape"])
        for k in ("knots", "coefficients", "weights", "bias", "state", "locked")
    }
    symbolic = {
        (s["sum"], s["input"]): Symbolic(Function.from_dict(s["function"]), **{k: s[k] for k in "abcdp"})
        for s in data["symbolic"]
    }
    rest = {k: data[k] for k in ("order", "base", "bias_free")}
    heads = None if data.get("heads") is None else np.array(data["heads"], int)
    kind = data.get("kind", "spline")
    return Layer(**arrays, **rest, groups=tuple(data["groups"]), symbolic=symbolic, kind=kind, heads=heads)

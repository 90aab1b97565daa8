"""Layers changed by hand: wider, deeper, perturbed, symbolic edges set and undone. Always new layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kansym.base.errors import DomainError
from kansym.functions import spline
from kansym.functions.graph import Symbolic
from kansym.network.training import radial
from kansym.network.training.layers import OFF, SPLINE, SYMBOLIC, Layer, make_layer


def set_symbolic(layer: Layer, j: int, i: int, curve: Symbolic, x: np.ndarray) -> Layer:
    """Return the layer with a symbolic curve on edge i -> j; x (n,) are the edge's pre-activations.

    Raises DomainError where the curve is undefined on x.
    """
    with np.errstate(all="ignore"):
        y = curve.c * curve.function(curve.a * x + curve.b, curve.p) + curve.d
    if not np.all(np.isfinite(y)):
        worst = float(x[~np.isfinite(y)][0])
        raise DomainError(
            f"Function {curve.function.name!r} is undefined at {curve.a:g}·x + {curve.b:g} for "
            f"x = {worst:g}, which edge {i} -> {j} reaches; choose another function, "
            "or a and b that stay in its domain."
        )
    state = layer.state.copy()
    state[:, j, i] = SYMBOLIC
    return replace(layer, state=state, symbolic={**layer.symbolic, (j, i): curve})


def set_spline(layer: Layer, j: int, i: int, x: np.ndarray) -> Layer:
    """Return the layer with a spline in place of the symbolic or switched-off edge i -> j, close to it."""
    state, coefficients, weights = layer.state.copy(), layer.coefficients.copy(), layer.weights.copy()
    state[:, j, i] = SPLINE
    weights[:, j, i] = 0.0
    symbolic = dict(layer.symbolic)
    curve = symbolic.pop((j, i), None)
    for e in range(layer.members):
        knots = layer.knots[e, i]
        grid = np.linspace(max(x.min(), knots[layer.order]), min(x.max(), knots[-layer.order - 1]), 400)
        y = (
            np.zeros_like(grid)
            if curve is None
            else curve.c * curve.function(curve.a * grid + curve.b, curve.p) + curve.d
        )
        coefficients[e, j, i] = layer.curve(e, i, grid, y)
    heads = layer.heads
    if heads is not None:
        heads = heads.copy()
        heads[j, i] = heads.max() + 1
    return replace(
        layer, state=state, coefficients=coefficients, weights=weights, symbolic=symbolic, heads=heads
    )


def widen(stack: Sequence[Layer], level: int, extra: int, rng: np.random.Generator) -> tuple[Layer, ...]:
    """Return the layers with `extra` more sum nodes on an inner level, which leave by edges of value 0."""
    out = list(stack)
    below, above = out[level - 1], out[level]
    rngs = [rng] * below.members
    new = make_layer(below.inputs, [1] * extra, below.grid, below.order, below.base, rngs, 0.1)
    new = replace(new, knots=below.knots)
    out[level - 1] = replace(
        below,
        coefficients=np.concatenate([below.coefficients, new.coefficients], 1),
        weights=np.concatenate([below.weights, new.weights], 1),
        bias=np.concatenate([below.bias, new.bias], 1),
        state=np.concatenate([below.state, new.state], 1),
        locked=np.concatenate([below.locked, new.locked], 0),
        groups=(*below.groups, *new.groups),
        heads=_more_heads(below.heads, extra, 0),
    )
    more = make_layer(extra, [1] * above.sums, above.grid, above.order, above.base, rngs, 0.0)
    more = replace(more, weights=np.zeros_like(more.weights))
    out[level] = replace(
        above,
        knots=np.concatenate([above.knots, more.knots], 1),
        coefficients=np.concatenate([above.coefficients, more.coefficients], 2),
        weights=np.concatenate([above.weights, more.weights], 2),
        state=np.concatenate([above.state, more.state], 2),
        locked=np.concatenate([above.locked, more.locked], 1),
        heads=_more_heads(above.heads, extra, 1),
    )
    return tuple(out)


def _more_heads(heads: np.ndarray | None, extra: int, axis: int) -> np.ndarray | None:
    """Return the heads with `extra` more sums (axis 0) or inputs (axis 1), that share with no edge."""
    if heads is None:
        return None
    shape = (extra, heads.shape[1]) if axis == 0 else (heads.shape[0], extra)
    new = int(heads.max()) + 1 + np.arange(shape[0] * shape[1]).reshape(shape)
    return np.concatenate([heads, new], axis)


def deepen(stack: Sequence[Layer], level: int, x: np.ndarray) -> tuple[Layer, ...]:
    """Return the layers with an identity layer after `level` (x: its node values); other edges are 0."""
    like = stack[level - 1] if level else stack[0]
    n, k, grid = x.shape[1], like.order, max(like.grid, 3)
    rng = np.random.default_rng(0)
    new = make_layer(n, [1] * n, grid, k, like.base, [rng] * like.members, 0.0)
    knots = np.stack([spline.adaptive_knots(x[:, i], grid, k) for i in range(n)])
    greville = np.stack([np.array([row[c + 1 : c + k + 1].mean() for c in range(grid + k)]) for row in knots])
    coefficients = np.zeros_like(new.coefficients)
    coefficients[:, np.arange(n), np.arange(n)] = greville
    new = replace(
        new,
        knots=np.broadcast_to(knots, (like.members, *knots.shape)).copy(),
        coefficients=coefficients,
        weights=np.zeros_like(new.weights),
    )
    return (*stack[:level], new, *stack[level:])


def perturb(stack: Sequence[Layer], size: float, rng: np.random.Generator) -> tuple[Layer, ...]:
    """Return the layers with normal noise of standard deviation `size` on every free coefficient."""
    out = []
    for layer in stack:
        free = ((layer.state == SPLINE) & ~layer.locked)[..., None]
        noise = rng.normal(size=layer.coefficients.shape) * size
        out.append(replace(layer, coefficients=layer.coefficients + noise * free).tied())
    return tuple(out)


def as_splines(layer: Layer, grid: int) -> Layer:
    """Return the layer with splines of at least `grid` cells in place of radial curves, close to them."""
    if layer.kind == "spline" or not layer.size:
        return replace(layer, kind="spline")
    k = layer.order
    ends = layer.knots[:, :, k], layer.knots[:, :, -k - 1]
    points = np.linspace(*ends, max(grid, layer.grid) + 1, axis=2)
    knots = np.apply_along_axis(spline.extend, 2, points, k)
    coefficients = np.empty((*layer.state.shape, knots.shape[2] - k - 1))
    for e in range(layer.members):
        for i in range(layer.inputs):
            x = np.linspace(ends[0][e, i], ends[1][e, i], 8 * points.shape[2])
            y = layer.coefficients[e, :, i] @ radial.basis(layer.knots[e, i], k, x).T
            coefficients[e, :, i] = spline.fit(knots[e, i], k, x, y)
    return replace(layer, knots=knots, coefficients=coefficients, kind="spline")


def switch_off(layer: Layer, j: int, i: int) -> Layer:
    """Return the layer without edge i -> j."""
    state = layer.state.copy()
    state[:, j, i] = OFF
    return replace(layer, state=state, symbolic={k: v for k, v in layer.symbolic.items() if k != (j, i)})

"""Values and first derivatives of one spline network, compiled, a few rows at a time, float64 or float32.

Only local support is touched: a curve costs order + 2 products a row. Coefficients are laid out by input
and cell with the sums side by side, so that one load brings what all sums need. `normal` has the normal
equations, `tensors` the same mathematics in torch for symbolic edges, other bases and losses of a user.
Loops are as deep as arrays have axes (layers, inputs, sums, rows): compiled ones need no temporary arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kansym.base.jit import njit
from kansym.network.training import basis
from kansym.network.training.plan import (
    BASE,
    BIAS,
    BLOCK,
    EDGE,
    INPUTS,
    KNOT,
    NODE,
    NODES,
    PACKED,
    PARAMETER,
    SIZE,
    START,
    SUM,
    SUMS,
    TABLE,
    VALUE,
    WIDTH,
)

ROWS = 128
"""Rows that pass through a network together; what they leave behind stays in the cache."""


class Buffers(NamedTuple):
    """Hold what a few rows leave behind on their way up and down the network; edges input by input."""

    acts: np.ndarray  # (rows, nodes) of all levels
    subs: np.ndarray  # (rows, sums)
    value: np.ndarray  # (rows, inputs times width + 1): local basis values, then the base function
    slope: np.ndarray  # (rows, width + 1) their derivatives, for one input
    slopes: np.ndarray  # (rows, edges) phi'
    phi: np.ndarray  # (rows, edges), or no columns where nobody asks
    cells: np.ndarray  # (rows, nodes)
    g: np.ndarray  # (sums, factors, rows) derivative of the residuals by every sum
    q: np.ndarray  # (rows, sums) derivative of the objective by every sum


@njit(nogil=True)
def values(plan, theta, X, magnitudes, nodes):
    """Return outputs (n, K); add sum |phi| over rows to magnitudes (edges,) and fill nodes (n, all).

    Either may be of size 0 where nobody asks.
    """
    shape = plan.shape
    last = len(shape) - 1
    rows = len(X)
    out = np.empty((rows, shape[last, NODES]), theta.dtype)
    asked = len(magnitudes) > 0
    buffers = room(plan, theta, min(rows, ROWS), 0, asked)
    coefficients = packed(plan, theta)
    for start in range(0, rows, ROWS):
        stop = min(start + ROWS, rows)
        forward(plan, theta, coefficients, X[start:stop], buffers)
        acts = buffers.acts
        out[start:stop] = acts[: stop - start, shape[last, NODE] + shape[last, INPUTS] :]
        if nodes.shape[1]:
            nodes[start:stop] = acts[: stop - start]
        if asked:
            _add_magnitudes(plan, buffers.phi, stop - start, magnitudes)
    return out


@njit(nogil=True)
def pull_back(plan, theta, X, slope, price, gradient):
    """Add J' slope (P,), J the derivatives of the outputs at rows X by the parameters; slope (n, K).

    `price` (edges,), or of size 0, is the derivative of penalties by each edge's sum of |phi| and joins in.
    """
    rows = len(X)
    buffers = room(plan, theta, min(rows, ROWS), 0, len(price) > 0)
    none = np.empty((ROWS, 0, slope.shape[1]), theta.dtype)
    coefficients = packed(plan, theta)
    total = np.zeros_like(coefficients)
    for start in range(0, rows, ROWS):
        stop = min(start + ROWS, rows)
        forward(plan, theta, coefficients, X[start:stop], buffers)
        backward(plan, none, slope[start:stop], price, buffers, stop - start)
        add_gradient(plan, buffers, price, stop - start, total, gradient)
    unpack(plan, total, gradient)


@njit(nogil=True)
def ascend(plan, theta, X, magnitudes):
    """Return what all rows X leave behind on their way up; add sum |phi| to magnitudes, if there are any."""
    buffers = room(plan, theta, len(X), 0, len(magnitudes) > 0)
    forward(plan, theta, packed(plan, theta), X, buffers)
    if len(magnitudes):
        _add_magnitudes(plan, buffers.phi, len(X), magnitudes)
    return buffers


@njit(nogil=True)
def descend(plan, buffers, slope, price, gradient):
    """Add J' slope (P,) at the rows that :func:`ascend` sent up; slope and price as in :func:`pull_back`."""
    rows = len(slope)
    backward(plan, np.empty((rows, 0, slope.shape[1]), slope.dtype), slope, price, buffers, rows)
    total = np.zeros(_size(plan), slope.dtype)
    add_gradient(plan, buffers, price, rows, total, gradient)
    unpack(plan, total, gradient)


@njit(nogil=True)
def _size(plan):
    """Return how many coefficients there are, packed."""
    shape = plan.shape
    last = len(shape) - 1
    return shape[last, PACKED] + shape[last, INPUTS] * (shape[last, SIZE] + 1) * shape[last, SUMS]


@njit(nogil=True)
def packed(plan, theta):
    """Return the coefficients of layer, input and cell with the sums side by side; of edges off, zeros."""
    shape = plan.shape
    out = np.zeros(_size(plan), theta.dtype)
    for l in range(len(shape)):
        n, m, width = shape[l, INPUTS], shape[l, SUMS], shape[l, SIZE] + 1
        for j in range(m):
            for i in range(n):
                if plan.on[shape[l, EDGE] + j * n + i]:
                    p = shape[l, PARAMETER] + j * shape[l, BLOCK] + i * width
                    for c in range(width):
                        out[shape[l, PACKED] + (i * width + c) * m + j] = theta[p + c]
    return out


@njit(nogil=True)
def unpack(plan, total, gradient):
    """Add derivatives by what :func:`packed` returns to those by the parameters (P,)."""
    shape = plan.shape
    for l in range(len(shape)):
        n, m, width = shape[l, INPUTS], shape[l, SUMS], shape[l, SIZE] + 1
        for j in range(m):
            for i in range(n):
                if plan.on[shape[l, EDGE] + j * n + i]:
                    p = shape[l, PARAMETER] + j * shape[l, BLOCK] + i * width
                    for c in range(width):
                        gradient[p + c] += total[shape[l, PACKED] + (i * width + c) * m + j]


@njit(nogil=True)
def room(plan, theta, rows, factors, phi):
    """Return buffers for some rows and factors of the loss's curvature, with values of edges where asked."""
    shape = plan.shape
    last = len(shape) - 1
    nodes = shape[last, NODE] + shape[last, INPUTS] + shape[last, NODES]
    sums = shape[last, SUM] + shape[last, SUMS]
    width = shape[last, WIDTH] + 1
    for l in range(last):
        width = max(width, shape[l, WIDTH] + 1)
    total = shape[last, VALUE] + shape[last, INPUTS] * (shape[last, WIDTH] + 1)
    edges = len(plan.on)
    kind = theta.dtype
    return Buffers(
        np.empty((rows, nodes), kind),
        np.empty((rows, sums), kind),
        np.zeros((rows, total), kind),
        np.zeros((rows, width), kind),
        np.zeros((rows, edges), kind),
        np.zeros((rows, edges if phi else 0), kind),
        np.zeros((rows, nodes), np.int64),
        np.zeros((sums, factors, rows), kind),
        np.zeros((rows, sums), kind),
    )


@njit(nogil=True)
def forward(plan, theta, coefficients, X, buffers):
    """Send rows X up through all layers; `coefficients` are the parameters, packed."""
    acts, subs, value, cells = buffers.acts, buffers.subs, buffers.value, buffers.cells
    shape = plan.shape
    rows = len(X)
    for r in range(rows):
        for i in range(X.shape[1]):
            acts[r, i] = X[r, i]
    for l in range(len(shape)):
        n, m, width, size = shape[l, INPUTS], shape[l, SUMS], shape[l, WIDTH], shape[l, SIZE]
        node, s0 = shape[l, NODE], shape[l, SUM]
        grid = size - width + 1
        for j in range(m):
            bias = theta[shape[l, PARAMETER] + (j + 1) * shape[l, BLOCK] - 1]
            for r in range(rows):
                subs[r, s0 + j] = bias
        for i in range(n):
            k0, t0 = shape[l, KNOT] + i * (grid + 1), shape[l, TABLE] + i * grid * width * width
            points = plan.knots[k0 : k0 + (grid + 1 if width else 0)]
            table = plan.table[t0 : t0 + grid * width * width]
            at, edge = shape[l, VALUE] + i * (width + 1), shape[l, EDGE] + i * m
            value_i = value[:rows, at : at + width + 1]
            x, cell = acts[:rows, node + i], cells[:rows, node + i]
            basis.locate(points, plan.uniform[node + i], x, cell)
            basis.splines(points, table, x, cell, value_i, buffers.slope)
            basis.base(shape[l, BASE], width, x, value_i, buffers.slope)
            first = shape[l, PACKED] + i * (size + 1) * m
            own = coefficients[first : first + (size + 1) * m]
            total, slopes = subs[:rows, s0 : s0 + m], buffers.slopes[:rows, edge : edge + m]
            if buffers.phi.shape[1]:
                phi = buffers.phi[:rows, edge : edge + m]
                phi[:] = 0
                _combine(own, cell, value_i, buffers.slope, phi, slopes)
                total += phi
            else:
                _combine(own, cell, value_i, buffers.slope, total, slopes)
        for k in range(shape[l, NODES]):
            start, stop = plan.starts[shape[l, START] + k], plan.starts[shape[l, START] + k + 1]
            for r in range(rows):
                product = subs[r, s0 + start]
                for j in range(start + 1, stop):
                    product *= subs[r, s0 + j]
                acts[r, node + n + k] = product


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def _combine(own, cells, value, slope, total, slopes):
    """Add one input's curves (n, m) to `total` and fill their slopes; `own` are its coefficients, packed.

    Unsigned indices leave no check for negative ones, which would keep the loops over sums scalar.
    """
    m = np.uint64(total.shape[1])
    width = value.shape[1] - 1
    last = np.uint64(len(own)) - m
    m2, m3 = np.uint64(2) * m, np.uint64(3) * m
    for r in range(len(cells)):
        o = np.uint64(cells[r]) * m
        if width == 4:
            v0, v1, v2, v3, v4 = value[r, 0], value[r, 1], value[r, 2], value[r, 3], value[r, 4]
            d0, d1, d2, d3, d4 = slope[r, 0], slope[r, 1], slope[r, 2], slope[r, 3], slope[r, 4]
            for j in range(m):
                c0, c1, c2, c3 = own[o + j], own[o + m + j], own[o + m2 + j], own[o + m3 + j]
                c4 = own[last + j]
                total[r, j] += c0 * v0 + c1 * v1 + c2 * v2 + c3 * v3 + c4 * v4
                slopes[r, j] = c0 * d0 + c1 * d1 + c2 * d2 + c3 * d3 + c4 * d4
        else:
            b, db = value[r, width], slope[r, width]
            for j in range(m):
                total[r, j] += own[last + j] * b
                slopes[r, j] = own[last + j] * db
            for a in range(width):
                v, d = value[r, a], slope[r, a]
                for j in range(m):
                    total[r, j] += own[o + j] * v
                    slopes[r, j] += own[o + j] * d
                o += m


@njit(nogil=True)
def backward(plan, factor, slope, price, buffers, rows):
    """Fill g (sums, factors, rows) and q (rows, sums), the derivatives by every sum."""
    subs, slopes, phi, g, q = buffers.subs, buffers.slopes, buffers.phi, buffers.g, buffers.q
    shape = plan.shape
    factors = factor.shape[1]
    layers = len(shape)
    last = layers - 1
    widest = shape[last, NODES]
    for l in range(layers):
        widest = max(widest, shape[l, INPUTS])
    up_g, up_q = np.zeros((widest, factors, rows), g.dtype), np.zeros((rows, widest), g.dtype)
    for k in range(shape[last, NODES]):
        for r in range(rows):
            up_q[r, k] = slope[r, k]
            for f in range(factors):
                up_g[k, f, r] = factor[r, f, k]
    for l in range(last, -1, -1):
        n, m, edge, s0 = shape[l, INPUTS], shape[l, SUMS], shape[l, EDGE], shape[l, SUM]
        for k in range(shape[l, NODES]):
            first, stop = plan.starts[shape[l, START] + k], plan.starts[shape[l, START] + k + 1]
            for j in range(first, stop):
                for r in range(rows):
                    others = g.dtype.type(1)
                    for j2 in range(first, stop):
                        if j2 != j:
                            others *= subs[r, s0 + j2]
                    q[r, s0 + j] = up_q[r, k] * others
                    for f in range(factors):
                        g[s0 + j, f, r] = up_g[k, f, r] * others
        if l == 0:
            break
        for i in range(n):
            e = edge + i * m
            _dot(slopes[:rows, e : e + m], q[:rows, s0 : s0 + m], up_q[:, i])
            if len(price):
                for j in range(m):
                    cost = price[edge + j * n + i]
                    for r in range(rows):
                        up_q[r, i] += slopes[r, e + j] * cost * np.sign(phi[r, e + j])
            for f in range(factors):
                up_g[i, f, :] = 0
                for j in range(m):
                    for r in range(rows):
                        up_g[i, f, r] += slopes[r, e + j] * g[s0 + j, f, r]


@njit(nogil=True, fastmath={"contract", "reassoc"})
def _dot(a, b, out):
    """Fill out (n,) with the products of the rows of a and b (n, m)."""
    for r in range(len(a)):
        total = a.dtype.type(0)
        for j in range(np.uint64(a.shape[1])):
            total += a[r, j] * b[r, j]
        out[r] = total


@njit(nogil=True)
def add_gradient(plan, buffers, price, rows, total, gradient):
    """Add the derivatives by the coefficients to `total`, packed, and those by the biases to `gradient`."""
    shape = plan.shape
    for l in range(len(shape)):
        n, m, width, size = shape[l, INPUTS], shape[l, SUMS], shape[l, WIDTH], shape[l, SIZE]
        s0 = shape[l, SUM]
        for i in range(n):
            at, first = shape[l, VALUE] + i * (width + 1), shape[l, PACKED] + i * (size + 1) * m
            q = buffers.q[:rows, s0 : s0 + m]
            if len(price):
                e = shape[l, EDGE] + i * m
                q = q.copy()
                for j in range(m):
                    cost = price[shape[l, EDGE] + j * n + i]
                    for r in range(rows):
                        q[r, j] += cost * np.sign(buffers.phi[r, e + j])
            _spread(
                q,
                buffers.cells[:rows, shape[l, NODE] + i],
                buffers.value[:rows, at : at + width + 1],
                total[first : first + (size + 1) * m],
            )
        if shape[l, BIAS]:
            for j in range(m):
                for r in range(rows):
                    gradient[shape[l, PARAMETER] + (j + 1) * shape[l, BLOCK] - 1] += buffers.q[r, s0 + j]


@njit(nogil=True, fastmath={"contract"})
def _spread(q, cells, value, own):
    """Add every row's q (n, m) times its basis values to one input's coefficients, packed."""
    m = np.uint64(q.shape[1])
    width = value.shape[1] - 1
    last = np.uint64(len(own)) - m
    m2, m3 = np.uint64(2) * m, np.uint64(3) * m
    for r in range(len(cells)):
        o = np.uint64(cells[r]) * m
        if width == 4:
            v0, v1, v2, v3, v4 = value[r, 0], value[r, 1], value[r, 2], value[r, 3], value[r, 4]
            for j in range(m):
                d = q[r, j]
                own[o + j] += d * v0
                own[o + m + j] += d * v1
                own[o + m2 + j] += d * v2
                own[o + m3 + j] += d * v3
                own[last + j] += d * v4
        else:
            for a in range(width + 1):
                first = o + np.uint64(a) * m if a < width else last
                for j in range(m):
                    own[first + j] += q[r, j] * value[r, a]


@njit(nogil=True)
def _add_magnitudes(plan, phi, rows, magnitudes):
    """Add the sizes of every edge's values over the rows."""
    shape = plan.shape
    for l in range(len(shape)):
        n, m, edge = shape[l, INPUTS], shape[l, SUMS], shape[l, EDGE]
        for i in range(n):
            for j in range(m):
                for r in range(rows):
                    magnitudes[edge + j * n + i] += abs(phi[r, edge + i * m + j])

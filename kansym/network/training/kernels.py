"""Values and normal equations of one spline network, compiled, float64, a few rows at a time.

Only local support is touched: an edge adds order + 2 entries to a row of the Jacobian, and J'J is summed
block by block without J ever being stored, so memory does not grow with the rows. `tensors` is the same
mathematics in torch for symbolic edges, other bases and devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kansym.base.jit import njit
from kansym.functions import spline
from kansym.network.training.layers import SPLINE, SYMBOLIC, Layer

BASES = (None, "silu", "x", "tanh")
_ROWS = 128
_ENTRIES = 1 << 20  # of J at once
DENSE = 17.0
"""How many times faster an entry of J'J comes from BLAS than from adding local blocks (measured)."""


class Plan(NamedTuple):
    """Describe one member's shape for compiled code; integers per layer, everything else flat."""

    shape: np.ndarray  # (L, 14) of the columns named below
    knots: np.ndarray
    table: np.ndarray
    uniform: np.ndarray
    starts: np.ndarray
    on: np.ndarray


class Buffers(NamedTuple):
    """Hold what a few rows leave behind on their way up and down the network."""

    acts: np.ndarray  # (rows, nodes) of all levels
    subs: np.ndarray  # (rows, sums)
    value: np.ndarray  # (rows, inputs times width + 1): local basis values, then the base function
    slopes: np.ndarray  # (rows, edges) phi'
    phi: np.ndarray  # (rows, edges)
    cells: np.ndarray  # (rows, nodes)
    g: np.ndarray  # (sums, factors, rows) derivative of the residuals by every sum
    q: np.ndarray  # (sums, rows) derivative of the objective by every sum


(
    _N,
    _M,
    _NODES,
    _WIDTH,
    _SIZE,
    _BASE,
    _PARAMETER,
    _BLOCK,
    _KNOT,
    _NODE,
    _SUM,
    _VALUE,
    _EDGE,
    _START,
    _TABLE,
    _BIAS,
) = range(16)


def supported(layers: Sequence[Layer]) -> bool:
    """Tell whether these layers have only what this room knows: splines, and base functions of BASES."""
    return all(
        layer.base in BASES and layer.kind == "spline" and not np.any(layer.state == SYMBOLIC)
        for layer in layers
    )


def plan(layers: Sequence[Layer], member: int = 0) -> Plan:
    """Return what compiled code needs to know of one member."""
    shape = np.zeros((len(layers), 16), np.int64)
    at = dict.fromkeys((_PARAMETER, _KNOT, _NODE, _SUM, _VALUE, _EDGE, _START, _TABLE), 0)
    knots, tables, uniform, starts, on = [], [], [], [], []
    for l, layer in enumerate(layers):
        width = layer.order + 1 if layer.size else 0
        block = layer.inputs * (layer.size + 1) + 1
        known = {
            _N: layer.inputs,
            _M: layer.sums,
            _NODES: layer.nodes,
            _WIDTH: width,
            _SIZE: layer.size,
            _BASE: BASES.index(layer.base),
            _BLOCK: block,
            _BIAS: int(layer.bias_free),
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
        at[_PARAMETER] += layer.sums * block
        at[_KNOT] += layer.inputs * (layer.grid + 1) if layer.size else 0
        at[_TABLE] += layer.inputs * layer.grid * width * width
        at[_NODE] += layer.inputs
        at[_SUM] += layer.sums
        at[_VALUE] += layer.inputs * (width + 1)
        at[_EDGE] += layer.sums * layer.inputs
        at[_START] += layer.nodes + 1
    empty = [np.empty(0)]
    return Plan(
        shape,
        np.concatenate(knots or empty),
        np.concatenate(tables or empty),
        np.array(uniform, bool),
        np.concatenate(starts),
        np.concatenate(on),
    )


@njit(nogil=True)
def values(plan, theta, X, magnitudes, nodes):
    """Return outputs (n, K); sum |phi| over rows into magnitudes (edges,), fill nodes (n, all)."""
    shape = plan.shape
    last = len(shape) - 1
    rows = len(X)
    out = np.empty((rows, shape[last, _NODES]))
    buffers = _buffers(plan, min(rows, _ROWS), 0)
    for start in range(0, rows, _ROWS):
        stop = min(start + _ROWS, rows)
        _forward(plan, theta, X[start:stop], buffers)
        acts, phi = buffers.acts, buffers.phi
        out[start:stop] = acts[: stop - start, shape[last, _NODE] + shape[last, _N] :]
        if nodes.shape[1]:
            nodes[start:stop] = acts[: stop - start]
        for r in range(stop - start):
            for e in range(phi.shape[1]):
                magnitudes[e] += abs(phi[r, e])
    return out


def normal_equations(
    plan: Plan,
    theta: np.ndarray,
    X: np.ndarray,
    slope: np.ndarray,
    factor: np.ndarray,
    price: np.ndarray,
    magnitudes: np.ndarray,
    gradient: np.ndarray,
    hessian: np.ndarray,
    room: np.ndarray,
) -> None:
    """Add the gradient (P,) and Gauss–Newton matrix (P, P) of a loss over rows X.

    slope (n, K) is d loss / d output, factor (n, F, K) a square root of the loss's second derivative by row,
    price (edges,) the derivative of the penalties by each edge's sum of |phi|, whose curvature is price over
    max(|phi|, a share of the edge's magnitude): iteratively reweighted least squares. Small networks go
    through a dense J of a few rows and BLAS, fine grids through local blocks, whichever costs less. `room` is
    memory to work in, as much as :func:`entries` says.
    """
    rows, factors, size = len(X), factor.shape[1], len(theta)
    touched = int((plan.on * (plan.shape[:, _WIDTH].max() + 1)).sum())
    if factors * size**2 > DENSE * touched**2:
        _accumulate(plan, theta, X, slope, factor, price, magnitudes, gradient, hessian, np.empty((0, 0)))
        mirror(hessian)
        return
    step = _rows_at_once(rows, factors, size)
    J = room[: step * factors * size].reshape(step * factors, size)
    product = room[step * factors * size :].reshape(size, size)
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        filled = J[: (part.stop - start) * factors]
        filled[:] = 0.0
        _accumulate(
            plan, theta, X[part], slope[part], factor[part], price, magnitudes, gradient, hessian, filled
        )
        np.matmul(filled.T, filled, out=product)  # BLAS `dsyrk`, by a way that lets other threads run
        hessian += product


@njit(nogil=True)
def pull_back(plan, theta, X, slope, gradient):
    """Add J' slope (P,), J the derivatives of the outputs at rows X by the parameters; slope (n, K)."""
    rows, edges = len(X), len(plan.on)
    buffers = _buffers(plan, min(rows, _ROWS), 0)
    price, none = np.zeros(edges), np.empty((_ROWS, 0, slope.shape[1]))
    for start in range(0, rows, _ROWS):
        stop = min(start + _ROWS, rows)
        _forward(plan, theta, X[start:stop], buffers)
        _backward(plan, none, slope[start:stop], price, buffers, stop - start)
        _gradient(plan, buffers, price, stop - start, gradient)


@njit(nogil=True)
def solve(hessian, extra, gradient, out):
    """Fill out with -(hessian + diag(extra))^-1 gradient; tell whether that worked, zeros where not.

    LAPACK's Cholesky factor by numba's way, which lets other threads run; SciPy's does not.
    """
    damped = hessian.copy()
    for i in range(len(extra)):
        damped[i, i] += extra[i]
    out[:] = 0.0
    try:
        factor = np.linalg.cholesky(damped)
    except Exception:  # numba knows no finer one: not positive definite
        return False
    n = len(gradient)
    for i in range(n):
        total = -gradient[i]
        for j in range(i):
            total -= factor[i, j] * out[j]
        out[i] = total / factor[i, i]
    for i in range(n - 1, -1, -1):
        out[i] /= factor[i, i]
        for j in range(i):
            out[j] -= factor[i, j] * out[i]
    if np.all(np.isfinite(out)):
        return True
    out[:] = 0.0
    return False


def entries(rows: int, factors: int, size: int) -> int:
    """Return how many numbers :func:`normal_equations` needs room for."""
    return _rows_at_once(rows, factors, size) * factors * size + size**2


def _rows_at_once(rows: int, factors: int, size: int) -> int:
    return -(-rows // -(-rows * factors * size // _ENTRIES))


@njit(nogil=True)
def _accumulate(plan, theta, X, slope, factor, price, magnitudes, gradient, hessian, J):
    shape = plan.shape
    layers = len(shape)
    rows, factors = len(X), factor.shape[1]
    buffers = _buffers(plan, min(rows, _ROWS), factors)
    for start in range(0, rows, _ROWS):
        stop = min(start + _ROWS, rows)
        n = stop - start
        _forward(plan, theta, X[start:stop], buffers)
        _backward(plan, factor[start:stop], slope[start:stop], price, buffers, n)
        _gradient(plan, buffers, price, n, gradient)
        _penalty(plan, buffers, price, magnitudes, n, hessian)
        if len(J):
            _jacobian(plan, buffers, n, J[start * factors : stop * factors])
            continue
        for l in range(layers):
            for l2 in range(l, layers):
                for j in range(shape[l, _M]):
                    for j2 in range(j if l == l2 else 0, shape[l2, _M]):
                        _block(plan, buffers, l, j, l2, j2, n, hessian)


@njit(nogil=True)
def _jacobian(plan, buffers, rows, J):
    """Fill the zeroed rows of J (rows times factors, P) with the residuals' derivatives by the parameters."""
    value, cells, g = buffers.value, buffers.cells, buffers.g
    shape = plan.shape
    factors = g.shape[1]
    for r in range(rows):
        for l in range(len(shape)):
            n, width, size = shape[l, _N], shape[l, _WIDTH], shape[l, _SIZE]
            for j in range(shape[l, _M]):
                block, s = shape[l, _PARAMETER] + j * shape[l, _BLOCK], shape[l, _SUM] + j
                for f in range(factors):
                    d = g[s, f, r]
                    if d == 0.0:
                        continue
                    row = J[r * factors + f]
                    for i in range(n):
                        if plan.on[shape[l, _EDGE] + j * n + i]:
                            p, at = block + i * (size + 1), shape[l, _VALUE] + i * (width + 1)
                            c = p + cells[r, shape[l, _NODE] + i]
                            for a in range(width):
                                row[c + a] = d * value[r, at + a]
                            row[p + size] = d * value[r, at + width]
                    if shape[l, _BIAS]:
                        row[block + n * (size + 1)] = d


@njit(nogil=True)
def _buffers(plan, rows, factors):
    shape = plan.shape
    last = len(shape) - 1
    nodes = shape[last, _NODE] + shape[last, _N] + shape[last, _NODES]
    sums = shape[last, _SUM] + shape[last, _M]
    values_ = shape[last, _VALUE] + shape[last, _N] * (shape[last, _WIDTH] + 1)
    edges = shape[last, _EDGE] + shape[last, _M] * shape[last, _N]
    return Buffers(
        np.empty((rows, nodes)),
        np.empty((rows, sums)),
        np.zeros((rows, values_)),
        np.zeros((rows, edges)),
        np.zeros((rows, edges)),
        np.zeros((rows, nodes), np.int64),
        np.zeros((sums, factors, rows)),
        np.zeros((sums, rows)),
    )


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def _forward(plan, theta, X, buffers):
    acts, subs, value = buffers.acts, buffers.subs, buffers.value
    slopes, phi, cells = buffers.slopes, buffers.phi, buffers.cells
    shape = plan.shape
    v, dv = np.zeros(16), np.zeros(16)
    for r in range(len(X)):
        acts[r, : X.shape[1]] = X[r]
    for l in range(len(shape)):
        n, m, width, size = shape[l, _N], shape[l, _M], shape[l, _WIDTH], shape[l, _SIZE]
        node, edge, base = shape[l, _NODE], shape[l, _EDGE], shape[l, _BASE]
        points_number = size - width + 2
        grid = points_number - 1
        for i in range(n):
            points = plan.knots[
                shape[l, _KNOT] + i * points_number : shape[l, _KNOT] + (i + 1) * points_number
            ]
            t0 = shape[l, _TABLE] + i * grid * width * width
            at = shape[l, _VALUE] + i * (width + 1)
            uniform = plan.uniform[node + i]
            low, high = (points[0], points[grid]) if width else (0.0, 1.0)
            scale = grid / (high - low)
            for r in range(len(X)):
                x = acts[r, node + i]
                cell = 0
                if width:
                    inside = min(max(x, low), high)
                    if uniform:
                        cell = min(int((inside - low) * scale), grid - 1)
                    else:
                        top = grid
                        while top - cell > 1:
                            middle = (cell + top) >> 1
                            if inside >= points[middle]:
                                cell = middle
                            else:
                                top = middle
                    t = inside - points[cell]
                    piece = t0 + cell * width * width
                    if width == 4:
                        for a in range(4):
                            c0, c1 = plan.table[piece + a], plan.table[piece + 4 + a]
                            c2, c3 = plan.table[piece + 8 + a], plan.table[piece + 12 + a]
                            v[a] = c0 + t * (c1 + t * (c2 + t * c3))
                            dv[a] = c1 + t * (2.0 * c2 + t * (3.0 * c3))
                    else:
                        for a in range(width):
                            total, first = 0.0, 0.0
                            for p in range(width - 1, -1, -1):
                                first = first * t + total
                                total = total * t + plan.table[piece + p * width + a]
                            v[a], dv[a] = total, first
                    if x != inside:
                        for a in range(width):
                            v[a] += (x - inside) * dv[a]
                cells[r, node + i] = cell
                b, db = 0.0, 0.0
                if base == 1:
                    s = 1.0 / (1.0 + np.exp(-x))
                    b, db = x * s, s * (1.0 + x * (1.0 - s))
                elif base == 2:
                    b, db = x, 1.0
                elif base == 3:
                    b = np.tanh(x)
                    db = 1.0 - b * b
                for a in range(width):
                    value[r, at + a] = v[a]
                value[r, at + width] = b
                for j in range(m):
                    e = edge + j * n + i
                    if plan.on[e]:
                        p = shape[l, _PARAMETER] + j * shape[l, _BLOCK] + i * (size + 1)
                        total, first = theta[p + size] * b, theta[p + size] * db
                        c = p + cell
                        if width == 4:
                            c0, c1, c2, c3 = theta[c], theta[c + 1], theta[c + 2], theta[c + 3]
                            total += c0 * v[0] + c1 * v[1] + c2 * v[2] + c3 * v[3]
                            first += c0 * dv[0] + c1 * dv[1] + c2 * dv[2] + c3 * dv[3]
                        else:
                            for a in range(width):
                                total += theta[c + a] * v[a]
                                first += theta[c + a] * dv[a]
                        phi[r, e], slopes[r, e] = total, first
                    else:
                        phi[r, e], slopes[r, e] = 0.0, 0.0
        for j in range(m):
            bias = theta[shape[l, _PARAMETER] + (j + 1) * shape[l, _BLOCK] - 1]
            for r in range(len(X)):
                total = bias
                for i in range(n):
                    total += phi[r, edge + j * n + i]
                subs[r, shape[l, _SUM] + j] = total
        for k in range(shape[l, _NODES]):
            first_sum, stop_sum = plan.starts[shape[l, _START] + k], plan.starts[shape[l, _START] + k + 1]
            for r in range(len(X)):
                product = subs[r, shape[l, _SUM] + first_sum]
                for j in range(first_sum + 1, stop_sum):
                    product *= subs[r, shape[l, _SUM] + j]
                acts[r, node + n + k] = product


@njit(nogil=True)
def _backward(plan, factor, slope, price, buffers, rows):
    """Fill g (sums, factors, rows) and q (sums, rows), the derivatives by every sum."""
    subs, slopes, phi, g, q = buffers.subs, buffers.slopes, buffers.phi, buffers.g, buffers.q
    shape = plan.shape
    factors = factor.shape[1]
    layers = len(shape)
    last = layers - 1
    widest = shape[last, _NODES]
    for l in range(layers):
        widest = max(widest, shape[l, _N])
    up_g, up_q = np.zeros((widest, factors, rows)), np.zeros((widest, rows))
    for k in range(shape[last, _NODES]):
        for r in range(rows):
            up_q[k, r] = slope[r, k]
            for f in range(factors):
                up_g[k, f, r] = factor[r, f, k]
    for l in range(last, -1, -1):
        n, edge, s0 = shape[l, _N], shape[l, _EDGE], shape[l, _SUM]
        for k in range(shape[l, _NODES]):
            first, stop = plan.starts[shape[l, _START] + k], plan.starts[shape[l, _START] + k + 1]
            for j in range(first, stop):
                for r in range(rows):
                    others = 1.0
                    for j2 in range(first, stop):
                        if j2 != j:
                            others *= subs[r, s0 + j2]
                    q[s0 + j, r] = up_q[k, r] * others
                    for f in range(factors):
                        g[s0 + j, f, r] = up_g[k, f, r] * others
        if l == 0:
            break
        for i in range(n):
            up_q[i, :] = 0.0
            up_g[i, :, :] = 0.0
            for j in range(shape[l, _M]):
                e = edge + j * n + i
                if plan.on[e]:
                    for r in range(rows):
                        d = slopes[r, e]
                        up_q[i, r] += d * (q[s0 + j, r] + price[e] * np.sign(phi[r, e]))
                    for f in range(factors):
                        for r in range(rows):
                            up_g[i, f, r] += slopes[r, e] * g[s0 + j, f, r]


@njit(nogil=True, fastmath={"contract"})
def _gradient(plan, buffers, price, rows, gradient):
    value, phi, cells, q = buffers.value, buffers.phi, buffers.cells, buffers.q
    shape = plan.shape
    for l in range(len(shape)):
        n, width, size = shape[l, _N], shape[l, _WIDTH], shape[l, _SIZE]
        for j in range(shape[l, _M]):
            block = shape[l, _PARAMETER] + j * shape[l, _BLOCK]
            s = shape[l, _SUM] + j
            for i in range(n):
                e = shape[l, _EDGE] + j * n + i
                if plan.on[e]:
                    p, at = block + i * (size + 1), shape[l, _VALUE] + i * (width + 1)
                    last = 0.0
                    for r in range(rows):
                        d = q[s, r] + price[e] * np.sign(phi[r, e])
                        c = p + cells[r, shape[l, _NODE] + i]
                        for a in range(width):
                            gradient[c + a] += d * value[r, at + a]
                        last += d * value[r, at + width]
                    gradient[p + size] += last
            if shape[l, _BIAS]:
                for r in range(rows):
                    gradient[block + n * (size + 1)] += q[s, r]


@njit(nogil=True)
def _penalty(plan, buffers, price, magnitudes, rows, hessian):
    value, phi, cells = buffers.value, buffers.phi, buffers.cells
    shape = plan.shape
    for l in range(len(shape)):
        n, width, size = shape[l, _N], shape[l, _WIDTH], shape[l, _SIZE]
        for j in range(shape[l, _M]):
            for i in range(n):
                e = shape[l, _EDGE] + j * n + i
                if plan.on[e] and price[e] > 0.0:
                    p = shape[l, _PARAMETER] + j * shape[l, _BLOCK] + i * (size + 1)
                    at = shape[l, _VALUE] + i * (width + 1)
                    for r in range(rows):
                        w = price[e] / max(abs(phi[r, e]), 0.1 * magnitudes[e] + 1e-12)
                        c = p + cells[r, shape[l, _NODE] + i]
                        for a in range(width + 1):
                            row = c + a if a < width else p + size
                            d = w * value[r, at + a]
                            for b in range(width):
                                hessian[row, c + b] += d * value[r, at + b]
                            hessian[row, p + size] += d * value[r, at + width]


@njit(nogil=True, fastmath={"contract"})
def _block(plan, buffers, l, j, l2, j2, rows, hessian):
    value, cells, g = buffers.value, buffers.cells, buffers.g
    shape = plan.shape
    n, n2 = shape[l, _N], shape[l2, _N]
    width, width2 = shape[l, _WIDTH], shape[l2, _WIDTH]
    size, size2 = shape[l, _SIZE], shape[l2, _SIZE]
    block = shape[l, _PARAMETER] + j * shape[l, _BLOCK]
    block2 = shape[l2, _PARAMETER] + j2 * shape[l2, _BLOCK]
    s, s2 = shape[l, _SUM] + j, shape[l2, _SUM] + j2
    weight = np.zeros(rows)
    biggest = 0.0
    for f in range(g.shape[1]):
        for r in range(rows):
            weight[r] += g[s, f, r] * g[s2, f, r]
    for r in range(rows):
        biggest = max(biggest, abs(weight[r]))
    if biggest == 0.0:
        return
    same = l == l2 and j == j2
    cubic = width == 4 and width2 == 4
    for i in range(n):
        if not plan.on[shape[l, _EDGE] + j * n + i]:
            continue
        p, at = block + i * (size + 1), shape[l, _VALUE] + i * (width + 1)
        for i2 in range(i if same else 0, n2):
            if not plan.on[shape[l2, _EDGE] + j2 * n2 + i2]:
                continue
            p2, at2 = block2 + i2 * (size2 + 1), shape[l2, _VALUE] + i2 * (width2 + 1)
            for r in range(rows):
                c, c2 = p + cells[r, shape[l, _NODE] + i], p2 + cells[r, shape[l2, _NODE] + i2]
                w = weight[r]
                if cubic:
                    b0, b1, b2 = value[r, at2], value[r, at2 + 1], value[r, at2 + 2]
                    b3, b4 = value[r, at2 + 3], value[r, at2 + 4]
                    for a in range(5):
                        d = w * value[r, at + a]
                        row = c + a if a < 4 else p + size
                        hessian[row, c2] += d * b0
                        hessian[row, c2 + 1] += d * b1
                        hessian[row, c2 + 2] += d * b2
                        hessian[row, c2 + 3] += d * b3
                        hessian[row, p2 + size2] += d * b4
                else:
                    for a in range(width + 1):
                        d = w * value[r, at + a]
                        row = c + a if a < width else p + size
                        for b in range(width2):
                            hessian[row, c2 + b] += d * value[r, at2 + b]
                        hessian[row, p2 + size2] += d * value[r, at2 + width2]
    _bias(plan, buffers, l, j, l2, j2, weight, hessian)


@njit(nogil=True)
def _bias(plan, buffers, l, j, l2, j2, weight, hessian):
    value, cells = buffers.value, buffers.cells
    shape = plan.shape
    for turn in range(2):
        if turn == 1 and l == l2 and j == j2:
            break
        la, ja, lb, jb = (l, j, l2, j2) if turn == 0 else (l2, j2, l, j)
        if not shape[la, _BIAS]:
            continue
        row = shape[la, _PARAMETER] + (ja + 1) * shape[la, _BLOCK] - 1
        n, width, size = shape[lb, _N], shape[lb, _WIDTH], shape[lb, _SIZE]
        block = shape[lb, _PARAMETER] + jb * shape[lb, _BLOCK]
        for i in range(n):
            if plan.on[shape[lb, _EDGE] + jb * n + i]:
                p, at = block + i * (size + 1), shape[lb, _VALUE] + i * (width + 1)
                for r in range(len(weight)):
                    c = p + cells[r, shape[lb, _NODE] + i]
                    for a in range(width + 1):
                        column = c + a if a < width else p + size
                        hessian[min(row, column), max(row, column)] += weight[r] * value[r, at + a]
        if turn == 0 and shape[lb, _BIAS]:
            other = block + n * (size + 1)
            for r in range(len(weight)):
                hessian[min(row, other), max(row, other)] += weight[r]


@njit(nogil=True)
def mirror(matrix):
    """Copy the upper triangle of a square matrix onto the lower one."""
    block = 32
    for i0 in range(0, len(matrix), block):
        for j0 in range(i0, len(matrix), block):
            for i in range(i0, min(i0 + block, len(matrix))):
                for j in range(max(j0, i + 1), min(j0 + block, len(matrix))):
                    matrix[j, i] = matrix[i, j]

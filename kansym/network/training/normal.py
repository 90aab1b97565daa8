"""Normal equations of one spline network, compiled: gradient and Gauss–Newton matrix, and their solution.

An edge adds order + 2 entries to a row of the Jacobian, and J'J is summed block by block without J ever being
stored, so memory does not grow with the rows. Loops are as deep as that sum: layers, sums and inputs on both
sides, rows, basis functions.
"""

from __future__ import annotations

import numpy as np

from kansym.base.jit import njit
from kansym.network.training.kernels import ROWS, add_gradient, backward, forward, packed, room, unpack
from kansym.network.training.plan import (
    BIAS,
    BLOCK,
    EDGE,
    INPUTS,
    NODE,
    PARAMETER,
    SIZE,
    SUM,
    SUMS,
    VALUE,
    WIDTH,
    Plan,
)

_ENTRIES = 1 << 20  # of J at once
DENSE = 17.0
"""How many times faster an entry of J'J comes from BLAS than from adding local blocks (measured)."""


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
    memory: np.ndarray,
) -> None:
    """Add the gradient (P,) and Gauss–Newton matrix (P, P) of a loss over rows X.

    slope (n, K) is d loss / d output, factor (n, F, K) a square root of the loss's second derivative by row,
    price (edges,) the derivative of the penalties by each edge's sum of |phi|, whose curvature is price over
    max(|phi|, a share of the edge's magnitude): iteratively reweighted least squares. Small networks go
    through a dense J of a few rows and BLAS, fine grids through local blocks, whichever costs less. `memory`
    is room to work in, as much as :func:`entries` says.
    """
    rows, factors, size = len(X), factor.shape[1], len(theta)
    touched = int((plan.on * (plan.shape[:, WIDTH].max() + 1)).sum())
    if factors * size**2 > DENSE * touched**2:
        _accumulate(plan, theta, X, slope, factor, price, magnitudes, gradient, hessian, np.empty((0, 0)))
        mirror(hessian)
        return
    step = _rows_at_once(rows, factors, size)
    J = memory[: step * factors * size].reshape(step * factors, size)
    product = memory[step * factors * size :].reshape(size, size)
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
    """Add J'J and J'r over all rows, block after block."""
    shape = plan.shape
    layers = len(shape)
    rows, factors = len(X), factor.shape[1]
    buffers = room(plan, theta, min(rows, ROWS), factors, len(price) > 0)
    coefficients = packed(plan, theta)
    total = np.zeros_like(coefficients)
    for start in range(0, rows, ROWS):
        stop = min(start + ROWS, rows)
        n = stop - start
        forward(plan, theta, coefficients, X[start:stop], buffers)
        backward(plan, factor[start:stop], slope[start:stop], price, buffers, n)
        add_gradient(plan, buffers, price, n, total, gradient)
        if len(price):
            _penalty(plan, buffers, price, magnitudes, n, hessian)
        if len(J):
            _jacobian(plan, buffers, n, J[start * factors : stop * factors])
            continue
        for l in range(layers):
            for l2 in range(l, layers):
                for j in range(shape[l, SUMS]):
                    for j2 in range(j if l == l2 else 0, shape[l2, SUMS]):
                        _block(plan, buffers, l, j, l2, j2, n, hessian)
    unpack(plan, total, gradient)


@njit(nogil=True)
def _jacobian(plan, buffers, rows, J):
    """Fill the zeroed rows of J (rows times factors, P) with the residuals' derivatives by the parameters."""
    value, cells, g = buffers.value, buffers.cells, buffers.g
    shape = plan.shape
    factors = g.shape[1]
    for r in range(rows):
        for l in range(len(shape)):
            n, width, size = shape[l, INPUTS], shape[l, WIDTH], shape[l, SIZE]
            for j in range(shape[l, SUMS]):
                block, s = shape[l, PARAMETER] + j * shape[l, BLOCK], shape[l, SUM] + j
                for f in range(factors):
                    d = g[s, f, r]
                    if d == 0.0:
                        continue
                    row = J[r * factors + f]
                    for i in range(n):
                        if plan.on[shape[l, EDGE] + j * n + i]:
                            p, at = block + i * (size + 1), shape[l, VALUE] + i * (width + 1)
                            c = p + cells[r, shape[l, NODE] + i]
                            for a in range(width):
                                row[c + a] = d * value[r, at + a]
                            row[p + size] = d * value[r, at + width]
                    if shape[l, BIAS]:
                        row[block + n * (size + 1)] = d


@njit(nogil=True)
def _penalty(plan, buffers, price, magnitudes, rows, hessian):
    """Add the penalty on edges' sizes to J'J."""
    value, phi, cells = buffers.value, buffers.phi, buffers.cells
    shape = plan.shape
    for l in range(len(shape)):
        n, width, size = shape[l, INPUTS], shape[l, WIDTH], shape[l, SIZE]
        for j in range(shape[l, SUMS]):
            for i in range(n):
                e, own = shape[l, EDGE] + j * n + i, shape[l, EDGE] + i * shape[l, SUMS] + j
                if plan.on[e] and price[e] > 0.0:
                    p = shape[l, PARAMETER] + j * shape[l, BLOCK] + i * (size + 1)
                    at = shape[l, VALUE] + i * (width + 1)
                    for r in range(rows):
                        w = price[e] / max(abs(phi[r, own]), 0.1 * magnitudes[e] + 1e-12)
                        c = p + cells[r, shape[l, NODE] + i]
                        for a in range(width + 1):
                            row = c + a if a < width else p + size
                            d = w * value[r, at + a]
                            for b in range(width):
                                hessian[row, c + b] += d * value[r, at + b]
                            hessian[row, p + size] += d * value[r, at + width]


@njit(nogil=True, fastmath={"contract"})
def _block(plan, buffers, l, j, l2, j2, rows, hessian):
    """Add one block of J'J: the curves that lead to two sums, by inputs, rows and basis functions of each."""
    value, cells, g = buffers.value, buffers.cells, buffers.g
    shape = plan.shape
    n, n2 = shape[l, INPUTS], shape[l2, INPUTS]
    width, width2 = shape[l, WIDTH], shape[l2, WIDTH]
    size, size2 = shape[l, SIZE], shape[l2, SIZE]
    block = shape[l, PARAMETER] + j * shape[l, BLOCK]
    block2 = shape[l2, PARAMETER] + j2 * shape[l2, BLOCK]
    s, s2 = shape[l, SUM] + j, shape[l2, SUM] + j2
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
        if not plan.on[shape[l, EDGE] + j * n + i]:
            continue
        p, at = block + i * (size + 1), shape[l, VALUE] + i * (width + 1)
        for i2 in range(i if same else 0, n2):
            if not plan.on[shape[l2, EDGE] + j2 * n2 + i2]:
                continue
            p2, at2 = block2 + i2 * (size2 + 1), shape[l2, VALUE] + i2 * (width2 + 1)
            for r in range(rows):
                c, c2 = p + cells[r, shape[l, NODE] + i], p2 + cells[r, shape[l2, NODE] + i2]
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
    """Add to J'J what the biases of two sums have with all else."""
    value, cells = buffers.value, buffers.cells
    shape = plan.shape
    for turn in range(2):
        if turn == 1 and l == l2 and j == j2:
            break
        la, ja, lb, jb = (l, j, l2, j2) if turn == 0 else (l2, j2, l, j)
        if not shape[la, BIAS]:
            continue
        row = shape[la, PARAMETER] + (ja + 1) * shape[la, BLOCK] - 1
        n, width, size = shape[lb, INPUTS], shape[lb, WIDTH], shape[lb, SIZE]
        block = shape[lb, PARAMETER] + jb * shape[lb, BLOCK]
        for i in range(n):
            if plan.on[shape[lb, EDGE] + jb * n + i]:
                p, at = block + i * (size + 1), shape[lb, VALUE] + i * (width + 1)
                for r in range(len(weight)):
                    c = p + cells[r, shape[lb, NODE] + i]
                    for a in range(width + 1):
                        column = c + a if a < width else p + size
                        hessian[min(row, column), max(row, column)] += weight[r] * value[r, at + a]
        if turn == 0 and shape[lb, BIAS]:
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


@njit(nogil=True)
def bend(theta, at, d, factor, gradient):
    """Return factor |d c|² summed over curves with coefficients c = theta[at], at (edges, C); add its slope
    to the gradient (P,). Squares of differences keep the digits that c'(d'd)c rounds away.
    """
    total = theta.dtype.type(0)
    for e in range(len(at)):
        for k in range(len(d)):
            difference = theta.dtype.type(0)
            for c in range(d.shape[1]):
                difference += d[k, c] * theta[at[e, c]]
            total += difference * difference
            for c in range(d.shape[1]):
                gradient[at[e, c]] += 2 * factor * difference * d[k, c]
    return factor * total

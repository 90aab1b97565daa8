"""B-splines on arrays by local support: a point touches order + 1 coefficients, never all of them.

Values come from one polynomial per grid cell (found once per call) and a table that leads from a point
to its cell in constant time. This room knows knots, coefficients and numbers; edges and networks
live above it. Notes and measurements: docs/notes/splines.md.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded

from kansym.base.errors import InputError
from kansym.base.jit import njit
from kansym.base.linear import TINY

MAX_ORDER = 9
"""Largest order of a spline, for which the compiled kernels have room."""

_MAX_BUCKETS = 1 << 14
"""Buckets, at most, by which a cell of an uneven grid is looked up."""


def uniform_knots(low: float, high: float, grid: int, order: int = 3) -> np.ndarray:
    """Return the grid + 2·order + 1 knots of `grid` equal cells on [low, high], extended on both sides."""
    return extend(np.linspace(low, high, grid + 1), order)


def extend(points: np.ndarray, order: int) -> np.ndarray:
    """Return knots from grid points by repeating the first and last spacing `order` times outwards."""
    points = np.asarray(points, float)
    if points.ndim != 1 or len(points) < 2 or not np.all(np.diff(points) > 0):
        raise InputError(f"The grid {points} must rise; give at least two increasing points.")
    steps = np.arange(1, order + 1)
    left = points[0] - steps[::-1] * (points[1] - points[0])
    right = points[-1] + steps * (points[-1] - points[-2])
    return np.concatenate([left, points, right])


def adaptive_knots(
    x: np.ndarray, grid: int, order: int = 3, blend: float = 0.0, margin: float = 0.01
) -> np.ndarray:
    """Return knots that follow samples: (1 - blend)·uniform + blend·quantiles, padded by a margin."""
    low, high = float(np.min(x)), float(np.max(x))
    width = high - low
    if not width > 1e-12 * max(abs(low), abs(high), TINY):
        width = max(abs(low), 1.0) * 1e-3
        low, high = low - width, high + width
    pad = margin * width
    points = np.linspace(low - pad, high + pad, grid + 1)
    if blend > 0:
        quantiles = np.quantile(x, np.linspace(0, 1, grid + 1))
        quantiles[0], quantiles[-1] = points[0], points[-1]
        mixed = (1 - blend) * points + blend * quantiles
        if np.all(np.diff(mixed) > 1e-6 * (high - low) / grid):
            points = mixed
    return extend(points, order)


def evaluate(
    knots: np.ndarray, coefficients: np.ndarray, order: int, x: np.ndarray, derivative: int = 0
) -> np.ndarray:
    """Return the derivative-th derivative of sum_i c_i B_i(x) at x (any shape); linear outside the grid.

    `coefficients` (C,) or (m, C) for m curves on one grid, giving x.shape or (m, *x.shape). Knots
    (C + order + 1,), or (m, C + order + 1) with coefficients (m, C). Raises InputError when the sizes
    disagree. Powers of the polynomial pieces: de Boor, A Practical Guide to Splines, ch. X.
    """
    knots, coefficients = np.ascontiguousarray(knots, float), np.ascontiguousarray(coefficients, float)
    _check(knots, coefficients, order)
    x = np.asarray(x, float)
    flat = np.ascontiguousarray(x).ravel()
    if coefficients.ndim == 1:
        out = np.empty_like(flat)
        _evaluate(knots, coefficients, order, flat, derivative, out)
        return out.reshape(x.shape)
    out = np.empty((len(coefficients), flat.size))
    _evaluate_many(np.atleast_2d(knots), coefficients, order, flat, derivative, out)
    return out.reshape(len(coefficients), *x.shape)


def basis(knots: np.ndarray, order: int, x: np.ndarray, derivative: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return for every x (n,) its cell (n,) and the order + 1 basis values (n, order + 1) that live there.

    Value r,a belongs to coefficient cell[r] + a. Outside the grid they continue linearly.
    """
    x = np.ascontiguousarray(x, float).ravel()
    cell = np.empty(x.size, np.int64)
    values = np.empty((x.size, order + 1))
    _basis(np.ascontiguousarray(knots, float), order, x, derivative, cell, values)
    return cell, values


def design(knots: np.ndarray, order: int, x: np.ndarray, derivative: int = 0) -> np.ndarray:
    """Return the dense matrix (n, C) of all basis functions at x (n,)."""
    cell, values = basis(knots, order, x, derivative)
    out = np.zeros((len(cell), len(knots) - order - 1))
    np.put_along_axis(out, cell[:, None] + np.arange(order + 1), values, axis=1)
    return out


def fit(
    knots: np.ndarray,
    order: int,
    x: np.ndarray,
    y: np.ndarray,
    smoothness: float = 1e-9,
) -> np.ndarray:
    """Return the coefficients (..., C) of the least-squares spline through (x, y), y (..., n).

    A difference penalty of order min(4, C - 1), relative to the data's weight, decides cells without points.
    """
    cell, values = basis(knots, order, x)
    size = len(knots) - order - 1
    y = np.asarray(y, float)
    rows = y.reshape(-1, y.shape[-1])
    width = max(order, min(4, size - 1))
    band, right = np.zeros((width + 1, size)), np.zeros((size, len(rows)))
    _normal(cell, values, rows, band, right)
    penalty = smoothness * max(band[width].max(), TINY)
    d = difference(size)
    gram = d.T @ d
    for k in range(min(4, size - 1) + 1):
        band[width - k, k:] += penalty * np.diagonal(gram, k)
    band[width] += 1e-18 * band[width].max()
    return solveh_banded(band, right).T.reshape(*y.shape[:-1], size)


def refit(knots: np.ndarray, coefficients: np.ndarray, order: int, target: np.ndarray) -> np.ndarray:
    """Return the coefficients (m, C') on knots `target` that come closest to the curves (m, C) on `knots`.

    Sampled densely on both grids' cells; exact when the target grid refines the other.
    """
    cells = np.unique(np.concatenate([target[order : len(target) - order], _inside(knots, target, order)]))
    mid = (np.arange(order + 2) + 0.5) / (order + 2)
    x = (cells[:-1, None] + np.diff(cells)[:, None] * mid).ravel()
    x = np.concatenate([x, cells])
    return fit(target, order, x, evaluate(knots, np.atleast_2d(coefficients), order, x), 0.0)


def difference(size: int, degree: int = 4) -> np.ndarray:
    """Return the matrix of `degree`-th differences of `size` coefficients (lower degree when too few)."""
    return np.diff(np.eye(size), n=min(degree, size - 1), axis=0)


def _inside(knots: np.ndarray, target: np.ndarray, order: int) -> np.ndarray:
    """Return the grid points of knots that lie within another grid."""
    points = knots[order : len(knots) - order]
    low, high = target[order], target[-order - 1]
    return points[(points > low) & (points < high)]


def _check(knots: np.ndarray, coefficients: np.ndarray, order: int) -> None:
    """Refuse orders, knots and coefficients that do not fit together."""
    if not 0 <= order <= MAX_ORDER:
        raise InputError(f"Spline order {order} is outside 0..{MAX_ORDER}; 3 is the usual choice.")
    size = coefficients.shape[-1]
    if knots.shape[-1] != size + order + 1:
        raise InputError(
            f"{size} coefficients of order {order} need {size + order + 1} knots, not {knots.shape[-1]}; "
            "see uniform_knots."
        )
    if size <= order:
        raise InputError(f"{size} coefficients are too few for order {order}; give at least {order + 1}.")


@njit(nogil=True)
def _local(knots, order, cell, x, work, slope):
    """Fill work[0..order] with the basis values at x in `cell` and slope[0..order] with derivatives."""
    work[0] = 1.0
    left = np.empty(MAX_ORDER + 1)
    right = np.empty(MAX_ORDER + 1)
    slope[0] = 0.0
    for j in range(1, order + 1):
        left[j] = x - knots[cell + order + 1 - j]
        right[j] = knots[cell + order + j] - x
        saved = 0.0
        last = j == order
        saved_slope = 0.0
        for r in range(j):
            term = work[r] / (right[r + 1] + left[j - r])
            work[r] = saved + right[r + 1] * term
            saved = left[j - r] * term
            if last:
                slope[r] = saved_slope - order * term
                saved_slope = order * term
        work[j] = saved
        if last:
            slope[j] = saved_slope


@njit(nogil=True)
def find_cell(knots, order, x):
    """Return the cell of x by binary search, the first or last one outside the grid."""
    low, high = order, len(knots) - order - 1
    if not x > knots[low]:
        return 0
    if x >= knots[high]:
        return high - 1 - order
    while high - low > 1:
        middle = (low + high) >> 1
        if x >= knots[middle]:
            low = middle
        else:
            high = middle
    return low - order


@njit(nogil=True)
def local_basis(knots, order, x, values, slopes):
    """Fill values and slopes (order + 1,) of the basis at x and return its cell; linear outside."""
    cell = find_cell(knots, order, x)
    low, high = knots[order], knots[len(knots) - order - 1]
    inside = min(max(x, low), high)
    _local(knots, order, cell, inside, values, slopes)
    if x != inside:
        for a in range(order + 1):
            values[a] += (x - inside) * slopes[a]
    return cell


@njit(nogil=True)
def _basis(knots, order, x, derivative, cell, out):
    """Fill the cells and the basis functions' values, or their derivatives, at points."""
    values, slopes = np.empty(MAX_ORDER + 1), np.empty(MAX_ORDER + 1)
    if derivative < 2:
        for r in range(len(x)):
            cell[r] = local_basis(knots, order, x[r], values, slopes)
            for a in range(order + 1):
                out[r, a] = values[a] if derivative == 0 else slopes[a]
        return
    # Higher derivatives: the basis of lower order, raised again by de Boor's rule for derivatives.
    low = max(order - derivative, 0)
    for r in range(len(x)):
        cell[r] = find_cell(knots, order, x[r])
        if derivative > order or x[r] < knots[order] or x[r] > knots[len(knots) - order - 1]:
            out[r] = 0.0
            continue
        _local(knots[order - low : len(knots) - order + low], low, cell[r], x[r], values, slopes)
        for j in range(low + 1, order + 1):
            first = order + cell[r] - j
            above = 0.0
            for a in range(j, -1, -1):
                below = j * values[a - 1] / (knots[first + a + j] - knots[first + a]) if a else 0.0
                values[a], above = below - above, below
        out[r] = values[: order + 1]


@njit(nogil=True)
def _pieces(knots, coefficients, order, derivative):
    """Return (cells + 2, order + 1 - derivative at least 2) powers of (x - left end), lines at both ends."""
    cells = len(coefficients) - order
    powers = np.zeros((cells + 2, max(order + 1 - derivative, 2)))
    d = np.zeros((order + 1, len(coefficients)))
    d[0] = coefficients
    for j in range(1, order + 1):
        k = order - j + 1
        for i in range(j, len(coefficients)):
            width = knots[i + k] - knots[i]
            d[j, i] = k * (d[j - 1, i] - d[j - 1, i - 1]) / width if width > 0 else 0.0
    work, slope = np.empty(MAX_ORDER + 1), np.empty(MAX_ORDER + 1)
    taylor = np.zeros(order + 2)
    for cell in range(cells + 1):  # the last turn looks at the right end from the last cell
        inner = min(cell, cells - 1)
        at = knots[order + cell]
        factorial = 1.0
        for j in range(order + 1):
            k = order - j
            _local(knots[j : len(knots) - j], k, inner, at, work, slope)
            total = 0.0
            for a in range(k + 1):
                total += work[a] * d[j, inner + j + a]
            taylor[j] = total
        for j in range(derivative, order + 1):
            if j > derivative:
                factorial *= j - derivative
            if cell < cells:
                powers[cell + 1, j - derivative] = taylor[j] / factorial
        if cell == 0 and derivative < 2:
            powers[0, 0] = taylor[derivative]
            powers[0, 1] = taylor[1] if derivative == 0 else 0.0
        if cell == cells and derivative < 2:
            powers[cells + 1, 0] = taylor[derivative]
            powers[cells + 1, 1] = taylor[1] if derivative == 0 else 0.0
    return powers


@njit(nogil=True)
def _is_uniform(points):
    """Tell whether points are evenly spaced to round-off."""
    h = (points[-1] - points[0]) / (len(points) - 1)
    for i in range(len(points)):
        if abs(points[i] - (points[0] + i * h)) > 1e-13 * max(abs(points[0]), abs(points[-1])):
            return False
    return True


@njit(nogil=True)
def _buckets(points):
    """Return the first cell of every bucket, buckets narrow enough to hold one knot each, if possible."""
    cells = len(points) - 1
    smallest = points[-1] - points[0]
    for i in range(cells):
        smallest = min(smallest, points[i + 1] - points[i])
    wanted = 1.05 * (points[-1] - points[0]) / smallest
    number = int(min(max(wanted, cells), _MAX_BUCKETS)) + 1
    table = np.empty(number + 1, np.int64)
    width = (points[-1] - points[0]) / number
    cell = 0
    for b in range(number + 1):
        while cell + 1 < cells and points[cell + 1] <= points[0] + (b - 1e-9) * width:
            cell += 1
        table[b] = cell
    return table, wanted < number


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def _general(points, powers, x, out):
    """Fill out on any cells: row 0 is left of the grid, the last row right of it; see _uniform."""
    cells, degree = len(points) - 1, powers.shape[1] - 1
    low, high = points[0], points[-1]
    table, single = _buckets(points)
    number = len(table) - 1
    scale = number / (high - low)
    first = np.zeros(number + 2, np.uint32)  # the first row of every bucket, those outside included
    first[1:-1] = table[:-1] + 1
    first[-1] = cells + 1
    inner = np.nextafter(float(number + 1), 0.0)
    anchors, limits = np.empty(cells + 2), np.full(cells + 2, np.inf)
    anchors[0] = low
    anchors[1:] = points
    limits[1:cells] = points[1:-1]  # where a row ends
    columns = powers.T.copy()
    c0, c1 = columns[0], columns[1]
    c2, c3 = columns[min(2, degree)], columns[min(3, degree)]
    for r in range(len(x)):
        v = x[r]
        u = (v - low) * scale + 1.0
        inside = u if u > 0.0 else 0.0
        row = first[np.uint32(np.int32(inside if inside < inner else inner)) + np.uint32(v > high)]
        row += np.uint32(v >= limits[row])
        if not single:
            while v >= limits[row]:
                row += np.uint32(1)
        t = v - anchors[row]
        if degree == 3:
            out[r] = c0[row] + t * (c1[row] + t * (c2[row] + t * c3[row]))
        else:
            value = columns[degree, row]
            for j in range(degree - 1, -1, -1):
                value = value * t + columns[j, row]
            out[r] = value


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def _uniform(points, powers, x, out):
    """Fill out on equal cells, lengths in cells: row 0 is left of the grid, the last row right of it.

    One flat array a power and an index of 32 unsigned bits leave no check of negative indices in the loop.
    """
    rows, degree = len(powers), powers.shape[1] - 1
    low, scale = points[0], (len(points) - 1) / (points[-1] - points[0])
    columns = np.empty((degree + 1, rows))
    for j in range(degree + 1):
        columns[j] = powers[:, j] * scale**-j
    columns[0, 0] -= columns[1, 0]  # the left line, seen from one cell further left as its index says
    last = float(rows - 1)
    inner = np.nextafter(last, 0.0)
    c0, c1 = columns[0], columns[1]
    c2, c3 = columns[min(2, degree)], columns[min(3, degree)]
    for r in range(len(x)):
        u = (x[r] - low) * scale + 1.0
        inside = u if u > 0.0 else 0.0
        row = np.uint32(np.uint32(np.int32(inside if inside < inner else inner)) + np.uint32(u > last))
        t = u - row
        if degree == 3:
            out[r] = c0[row] + t * (c1[row] + t * (c2[row] + t * c3[row]))
        else:
            value = columns[degree, row]
            for j in range(degree - 1, -1, -1):
                value = value * t + columns[j, row]
            out[r] = value


@njit(nogil=True)
def _evaluate(knots, coefficients, order, x, derivative, out):
    """Fill out with a spline's values or derivatives at x."""
    if derivative > order:
        out[:] = 0.0 * x
        return
    powers = _pieces(knots, coefficients, order, derivative)
    points = knots[order : len(knots) - order]
    if _is_uniform(points):
        _uniform(points, powers, x, out)
    else:
        _general(points, powers, x, out)


@njit(nogil=True)
def _evaluate_many(knots, coefficients, order, x, derivative, out):
    for m in range(len(coefficients)):
        _evaluate(knots[m if len(knots) > 1 else 0], coefficients[m], order, x, derivative, out[m])


@njit(nogil=True)
def _normal(cell, values, rows, band, right):
    """Add the banded normal equations (upper form of solveh_banded) of basis `values` to band and right."""
    width, top = values.shape[1], band.shape[0] - 1
    for r in range(len(cell)):
        for a in range(width):
            for b in range(a, width):
                band[top - (b - a), cell[r] + b] += values[r, a] * values[r, b]
            for m in range(len(rows)):
                right[cell[r] + a, m] += values[r, a] * rows[m, r]


@njit(nogil=True)
def piece_table(knots, order):
    """Return T (cells, order + 1, order + 1): B_{cell+a}(x) = sum_p T[cell, p, a] (x - left)^p."""
    cells = len(knots) - 2 * order - 1
    out = np.empty((cells, order + 1, order + 1))
    unit = np.zeros(order + 1)
    for cell in range(cells):
        near = knots[cell : cell + 2 * order + 2]
        for a in range(order + 1):
            unit[a] = 1.0
            out[cell, :, a] = _pieces(near, unit, order, 0)[1, : order + 1]
            unit[a] = 0.0
    return out

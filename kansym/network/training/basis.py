"""Compute an edge's local basis at some rows, compiled: cells, splines there, the base function."""

from __future__ import annotations

import numpy as np

from kansym.base.jit import njit
from kansym.functions.spline import find_cell


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def locate(points, uniform, x, cells):
    """Fill the cells of x (n,), the outer ones for what lies outside; without splines all are 0."""
    grid = len(points) - 1
    if grid < 1:
        cells[:] = 0
        return
    low, high = points[0], points[grid]
    scale = x.dtype.type(grid) / (high - low)
    for r in range(len(x)):
        inside = low if not x[r] > low else min(x[r], high)  # NaN goes to the first cell
        if uniform:
            cells[r] = min(int((inside - low) * scale), grid - 1)
        else:
            cells[r] = find_cell(points, 0, inside)


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def splines(points, table, x, cells, value, slope):
    """Fill the basis values (n, width + 1) and slopes at x (n,) in their cells; lines outside.

    No branch depends on a row, and places are unsigned: so the loops become vector instructions.
    """
    grid = len(points) - 1
    if grid < 1:
        return
    width = value.shape[1] - 1
    low, high = points[0], points[grid]
    two, three = x.dtype.type(2), x.dtype.type(3)
    for r in range(len(x)):
        inside = low if not x[r] > low else min(x[r], high)
        cell = np.uint64(cells[r])
        t, beyond = inside - points[cell], x[r] - inside
        piece = cell * np.uint64(width * width)
        if width == 4:
            for a in range(4):
                p = piece + np.uint64(a)
                c1, c2 = table[p + np.uint64(4)], table[p + np.uint64(8)]
                c3 = table[p + np.uint64(12)]
                first = c1 + t * (two * c2 + t * (three * c3))
                value[r, a] = table[p] + t * (c1 + t * (c2 + t * c3)) + beyond * first
                slope[r, a] = first
        else:
            for a in range(width):
                total, first = x.dtype.type(0), x.dtype.type(0)
                for power in range(width - 1, -1, -1):
                    first = first * t + total
                    total = total * t + table[piece + np.uint64(power * width + a)]
                value[r, a], slope[r, a] = total + beyond * first, first


@njit(nogil=True, fastmath={"contract"}, error_model="numpy")
def base(kind, width, x, value, slope):
    """Fill column `width` with the base function, by its place in BASES, at x (n,), and with its slope."""
    one = x.dtype.type(1)
    for r in range(len(x)):
        b, db = x.dtype.type(0), x.dtype.type(0)
        if kind == 1:
            s = one / (one + np.exp(-x[r]))
            b, db = x[r] * s, s * (one + x[r] * (one - s))
        elif kind == 2:
            b, db = x[r], one
        elif kind == 3:
            b = np.tanh(x[r])
            db = one - b * b
        value[r, width], slope[r, width] = b, db

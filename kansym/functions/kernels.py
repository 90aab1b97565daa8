"""Compiled code: run byte code, correlate shapes, pick starts.

The loops over elementary functions come from the table of operations (`forms.loop_source`), compiled once and
cached on disk; nothing is compiled per library function. All arrays are float64 unless said otherwise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kansym.base.jit import njit
from kansym.functions import forms
from kansym.functions.operations import Op

kernel = njit(error_model="numpy", nogil=True, depends=forms.FINGERPRINT)

BLOCK = 64
"""Values that are computed together, so that they stay in the fastest cache."""

_X, _P, _NUMBER, _ADD, _MUL = (int(op) for op in (Op.X, Op.P, Op.NUMBER, Op.ADD, Op.MUL))
_BINARY = tuple(int(row.op) for row in forms.TABLE.values() if row.is_compiled and row.arity == 2)


@kernel
def _integer_power(a, n):
    """Return a^n by repeated squaring."""
    result = 1.0
    k = abs(int(n))
    b = a
    while k > 0:
        if k & 1:
            result *= b
        b *= b
        k >>= 1
    return 1.0 / result if n < 0 else result


@kernel
def _sinh(a):
    """Return sinh from one exponential, which cosh beside it shares; near 0 the difference loses digits."""
    return math.sinh(a) if abs(a) < 0.5 else 0.5 * math.exp(a) - 0.5 / math.exp(a)


@kernel
def _cosh(a):
    return 0.5 * math.exp(a) + 0.5 / math.exp(a)


@kernel
def _sign(a):
    return 1.0 if a > 0 else (-1.0 if a < 0 else a)


@kernel
def _nonzero(a):
    return a if a != 0 else 1.0


_SCALARS: dict[str, Any] = {
    **{
        name: getattr(math, name)
        for name in (
            "exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "tanh", "asinh", "acosh", "atanh",
            "erf", "expm1", "log1p", "sqrt",
        )
    },
    **forms.CONSTANTS,
    "floor": np.floor, "maximum": max, "minimum": min, "power": math.pow, "integer_power": _integer_power,
    "sinh": _sinh, "cosh": _cosh, "sign": _sign, "nonzero": _nonzero,
}  # fmt: skip


def _compiled() -> dict[str, Any]:
    """Return the table's functions compiled; rows that call others by name find them here."""
    space: dict[str, Any] = {**_SCALARS, "__name__": __name__}
    for name, source in forms.SOURCES.items():
        if name not in _SCALARS:
            # numba keeps compiled code beside the file that a function names as its own
            exec(compile(source, __file__, "exec"), space)
            space[name] = kernel(space[name])
    return space


_space = _compiled()
_unary, _binary = _space["unary"], _space["binary"]


@kernel
def dual(op, left, right, number, x, p, v, d, e, want):
    """Run byte code on up to BLOCK points: values v, slopes by x in d and by p in e (registers × BLOCK).

    want: 0 values only, 1 with slopes by x, 2 with both. Sums and products, most of what runs, have loops
    here that need no slopes of their own.
    """
    n = x.shape[0]
    last = op.shape[0] - 1
    for k in range(op.shape[0]):
        o = op[k]
        i = left[k]
        j = right[k]
        c = number[k]
        if o == _X:
            for m in range(n):
                v[k, m] = x[m]
                d[k, m] = 1.0
                e[k, m] = 0.0
        elif o == _P:
            for m in range(n):
                v[k, m] = p
                d[k, m] = 0.0
                e[k, m] = 1.0
        elif o == _NUMBER:
            for m in range(n):
                v[k, m] = c
                d[k, m] = 0.0
                e[k, m] = 0.0
        elif o == _ADD:
            for m in range(n):
                v[k, m] = v[i, m] + v[j, m]
                d[k, m] = d[i, m] + d[j, m]
                e[k, m] = e[i, m] + e[j, m]
        elif o == _MUL:
            for m in range(n):
                a = v[i, m]
                b = v[j, m]
                v[k, m] = a * b
                d[k, m] = d[i, m] * b + a * d[j, m]
                e[k, m] = e[i, m] * b + a * e[j, m]
        elif o in _BINARY:
            # the slopes by the two arguments, until the chain rule takes their place
            s, t = d[k], e[k]
            _binary(o, c, v[i, :n], v[j, :n], v[k, :n], s[:n], t[:n], want)
            if want >= 1:
                for m in range(n):
                    first = s[m]
                    second = t[m]
                    s[m] = _chain(first, d[i, m]) + _chain(second, d[j, m])
                    t[m] = _chain(first, e[i, m]) + _chain(second, e[j, m])
        else:
            s = d[k]
            _unary(o, c, v[i, :n], v[k, :n], s[:n], want)
            if want >= 1:
                if want == 2:
                    for m in range(n):
                        e[k, m] = _chain(s[m], e[i, m])
                for m in range(n):
                    s[m] = _chain(s[m], d[i, m])
    return last


@kernel
def _chain(slope, inner):
    """Return slope·inner, 0 for a constant inner part even where the slope is infinite."""
    return slope * inner if inner != 0.0 else 0.0


@kernel
def values(op, left, right, number, x, p):
    """Return f at the points x."""
    n = x.shape[0]
    out = np.empty(n)
    v = np.empty((op.shape[0], BLOCK))
    d = np.empty((op.shape[0], BLOCK))
    e = np.empty((op.shape[0], BLOCK))
    for at in range(0, n, BLOCK):
        to = min(n, at + BLOCK)
        last = dual(op, left, right, number, x[at:to], p, v, d, e, 0)
        out[at:to] = v[last, : to - at]
    return out


@njit(fastmath=True, error_model="numpy", nogil=True)
def correlate(shapes, w, wy, out):
    """Put the squared weighted correlation of each row of `shapes` (float32) with y into out.

    w sums to 1; wy = w·(y - mean) scaled so that sum w·(y-mean)² = 1.
    """
    m = w.shape[0]
    for i in range(shapes.shape[0]):
        row = shapes[i]
        s1 = np.float32(0.0)
        s2 = np.float32(0.0)
        sy = np.float32(0.0)
        for j in range(m):
            f = row[j]
            wf = w[j] * f
            s1 += wf
            s2 += wf * f
            sy += wy[j] * f
        var = s2 - s1 * s1
        out[i] = sy * sy / var if var > np.float32(1e-5) * s2 else np.float32(0.0)


@kernel
def summits(score, neighbours, out):
    """Mark in `out` the entries above 0 that no neighbour exceeds; return the places of the best two."""
    first = 0
    second = 0
    for i in range(score.shape[0]):
        out[i] = score[i] > 0
        for k in range(neighbours.shape[1]):
            if score[neighbours[i, k]] > score[i]:
                out[i] = False
                break
        if score[i] > score[first]:
            second = first
            first = i
        elif i != first and (second == first or score[i] > score[second]):
            second = i
    return first, second


@kernel
def distinct(starts, order, count):
    """Return the first `count` of `order` whose starts differ from all earlier ones by more than 1e-3."""
    chosen = np.empty(count, np.int64)
    found = 0
    for i in order:
        new = True
        for k in range(found):
            near = True
            for m in range(starts.shape[1]):
                if abs(starts[i, m] - starts[chosen[k], m]) > 1e-3 * abs(starts[i, m]) + 1e-6:
                    near = False
            if near:
                new = False
        if new:
            chosen[found] = i
            found += 1
            if found == count:
                break
    return chosen[:found]

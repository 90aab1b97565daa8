"""The table of operations: every form of every row has the value and the slopes that mpmath works out."""

# ruff: noqa: SIM905 (a table of words reads better as text)

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.functions import forms, kernels
from kansym.functions.operations import TABLE, Op, Operation

mp = mpmath.mp
DIGITS = 1e-12
"""Relative deviation allowed."""

SAME = (
    "exp log sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh sign sqrt gamma loggamma digamma "
    "erf erfc ellipk ellipe lambertw si ci expm1 log1p sech coth atan2"
).split()
REFERENCE: dict[str, Callable] = {
    **{name: getattr(mpmath, name) for name in SAME},
    "add": lambda u, v, n: u + v,
    "mul": lambda u, v, n: u * v,
    "powi": lambda u, v, n: u ** int(n),
    "powr": lambda u, v, n: u ** mpmath.mpf(n),
    "pow": lambda u, v, n: u**v,
    "abs": abs,
    "step": lambda u: mpmath.mpf(1) if u > 0 else mpmath.mpf(0),
    "max": lambda u, v, n: max(u, v),
    "min": lambda u, v, n: min(u, v),
    "sinc": lambda u: mpmath.sin(u) / u,
    "softplus": lambda u: mpmath.log1p(mpmath.exp(u)),
    "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)),
    "langevin": lambda u: mpmath.coth(u) - 1 / u,
    "einstein": lambda u: u / mpmath.expm1(u),
    "inv": lambda u: 1 / u,
    "neg": lambda u: -u,
    "square": lambda u: u * u,
    "trigamma": lambda u: mpmath.polygamma(1, u),
    "besselj": lambda u, v, n: mpmath.besselj(n, u),
    "bessely": lambda u, v, n: mpmath.bessely(n, u),
    "besseli": lambda u, v, n: mpmath.besseli(n, u),
    "besselk": lambda u, v, n: mpmath.besselk(n, u),
    "airyai": mpmath.airyai,
    "airybi": mpmath.airybi,
    "airyaiprime": lambda u: mpmath.airyai(u, derivative=1),
    "airybiprime": lambda u: mpmath.airybi(u, derivative=1),
    "dilog": lambda u: mpmath.polylog(2, u),
}
NUMBERED = {"powi", "powr", "besselj", "bessely", "besseli", "besselk"}
ROWS = list(TABLE.values())


def exact(row: Operation, u: float, v: float, n: float, by: int | None = None) -> float:
    """Return the value, or the slope by argument `by`, worked out to 150 digits."""
    f = REFERENCE[row.name]

    def take(a, b):
        if row.name in NUMBERED or (row.arity == 2 and row.name != "atan2"):
            return f(a, b, n)
        return f(a, b) if row.arity == 2 else f(a)

    with mp.workdps(150):
        a, b = mpmath.mpf(u), mpmath.mpf(v)
        tiny = mpmath.mpf(10) ** -20
        if by is None:
            found = take(a, b)
        elif by == 0:
            found = mpmath.diff(lambda z: take(z, b), a, h=tiny)
        else:
            found = mpmath.diff(lambda z: take(a, z), b, h=tiny)
        return float(mpmath.re(found))


def inside(row: Operation, u: float, v: float, n: float) -> bool:
    """Tell whether the point lies in the domain, and no singularity is nearer than 1e-3."""
    domain = forms.NUMPY[row.op].domain
    near = [domain(np.float64(u + h), np.float64(v), np.float64(n)) for h in (-1e-3, 0.0, 1e-3)]
    breaks = {"tan": math.cos(u), "sign": u, "step": u, "abs": u, "max": u - v, "min": u - v}
    gaps = [u - float(border) for border in row.borders] + [breaks.get(row.name, 1.0)]
    if row.name in ("powr", "pow"):
        gaps.append(u)
    return all(near) and min(map(abs, gaps)) > 1e-3


def compiled(row: Operation, u: float, v: float, n: float) -> tuple[float, ...]:
    """Return value and slopes by compiled code: an argument is x, or p, whose slopes it carries along."""
    binary = row.arity == 2
    ops = [Op.X, Op.P, row.op] if binary else [Op.X, row.op]
    last = len(ops) - 1
    left = np.array([-1] * last + [0], np.int32)
    right = np.array([-1] * last + [1 if binary else -1], np.int32)
    v_, d, e = (np.empty((len(ops), kernels.BLOCK)) for _ in range(3))
    numbers = np.array([0.0] * last + [n])
    kernels.dual(np.array(ops, np.int32), left, right, numbers, np.array([u]), v, v_, d, e, 2)
    return v_[last, 0], d[last, 0], *((e[last, 0],) if binary else ())


def by_numpy(row: Operation, u: float, v: float, n: float) -> tuple[float, ...]:
    form = forms.NUMPY[row.op]
    a, b = np.array([u]), np.array([v])
    with np.errstate(all="ignore"):
        f = form.value(a, b, np.float64(n))
        return float(f[0]), *(float((s(a, b, np.float64(n), f) + 0 * a)[0]) for s in form.slopes)


def by_torch(row: Operation, u: float, v: float, n: float) -> tuple[float, ...]:
    import torch

    from kansym.network.training.operations import TORCH

    a, b = (torch.tensor([z], dtype=torch.float64, requires_grad=True) for z in (u, v))
    f = TORCH[row.op](a, b, n) if row.arity == 2 else TORCH[row.op](a, None, n)
    slopes = torch.autograd.grad(f.sum(), (a, b)[: row.arity])
    return f.item(), *(s.item() for s in slopes)


FORMS = {"numpy": by_numpy, "numba": compiled, "torch": by_torch}
NUMBERS = {Op.POWI: (-3.0, -2.0, 2.0, 3.0, 5.0), Op.POWR: (-1.5, 1 / 3, 2.5)}


def rounded(row: Operation, u: float, v: float, n: float, by: int | None) -> float:
    """Return what a rounding of u and v does to the value or slope: near a zero, more than DIGITS of it."""
    h = 1e-6
    truth = exact(row, u, v, n, by)
    change = abs(exact(row, u + h, v, n, by) - truth) * abs(u)
    if row.arity == 2:
        change += abs(exact(row, u, v + h, n, by) - truth) * abs(v)
    return change / h * np.finfo(float).eps


def magnitude(low: float, high: float) -> st.SearchStrategy[float]:
    # nearer to 0 the reference's differences of 1e-20 lose digits, and 0 itself is tested with the library
    return st.tuples(st.floats(low, high), st.sampled_from((-1.0, 1.0))).map(lambda z: z[0] * z[1])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(u=st.one_of(magnitude(0.01, 1.5), magnitude(0.1, 20)), v=magnitude(0.01, 4), data=st.data())
def test_every_form_has_value_and_slopes(row: Operation, u: float, v: float, data) -> None:
    n = data.draw(st.sampled_from(NUMBERS.get(row.op, (0.0, 1.0, 2.0))))
    if row.op in (Op.POW, Op.POWR, Op.LOG, Op.SQRT, Op.LAMBERTW, Op.ACOSH, Op.BESSELY, Op.BESSELK):
        u = abs(u)
    if not inside(row, u, v, n):
        return
    orders = (None, *range(row.arity))
    true = [exact(row, u, v, n, by) for by in orders]
    allowed = [
        DIGITS * abs(t) + 2 * rounded(row, u, v, n, by) + 1e-300 for t, by in zip(true, orders, strict=True)
    ]
    for name, form in FORMS.items() if row.is_compiled else [("numpy", by_numpy)]:
        found = form(row, u, v, n)
        off = [abs(f - t) / a for f, t, a in zip(found, true, allowed, strict=True)]
        assert max(off) <= 1, (name, found, true)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_value_is_finite_in_the_domain_only(row: Operation) -> None:
    u, v = (grid.ravel() for grid in np.meshgrid(np.linspace(-9.25, 9.25, 38), np.linspace(-3, 3, 7)))
    form, n = forms.NUMPY[row.op], np.float64(1.5 if row.op is Op.POWR else 1.0)
    with np.errstate(all="ignore"):
        finite = np.isfinite(form.value(u, v, n) + 0 * u)
        assert (finite == (form.domain(u, v, n) & (u == u))).all()


def test_the_numbers_of_operations_are_one_to_one() -> None:
    assert {row.op for row in TABLE.values()} | {Op.X, Op.P, Op.NUMBER} == set(Op)
    assert all(len(forms.NUMPY[op].slopes) == row.arity for op, row in TABLE.items())

"""A finished fit y = c·f(a·x + b) + d: in the data's own units, in canonical form, with standard errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kansym.base.errors import DomainError
from kansym.functions.curve_data import Data
from kansym.functions.graph import Symbolic
from kansym.functions.library import Function
from kansym.functions.shapes import Shapes, shapes


@dataclass(frozen=True, eq=False)
class AffineFit:
    """Hold y ≈ c·f(a·x + b) + d with the standard errors of its parameters.

    `errors` and the rows of `covariance` are in the order of `names`; redundant letters are absent.
    `rmse` is in units of y, `relative_rmse` in units of y's standard deviation. `margin` is the distance
    of a·x + b to the border of f's domain or its nearest pole, in units of the range of a·x + b.
    """

    function: Function
    a: float
    b: float
    c: float
    d: float
    p: float | None
    names: tuple[str, ...]
    covariance: np.ndarray
    r2: float
    rmse: float
    relative_rmse: float
    margin: float

    @cached_property
    def errors(self) -> dict[str, float]:
        """Return the standard error of each parameter that was free."""
        return {n: float(s) for n, s in zip(self.names, np.sqrt(np.diag(self.covariance)), strict=True)}

    @property
    def curve(self) -> Symbolic:
        """Return the fit as a curve for a graph's edge."""
        return Symbolic(self.function, self.a, self.b, self.c, self.d, self.p)

    @property
    def text(self) -> str:
        """Return the fit on one line: the form, and its parameters with their standard errors."""
        letters = [n for n in ("a", "b", "c", "d", "p") if getattr(self, n) is not None]
        told = {n: f" ± {self.errors[n]:.2g}" if self.errors.get(n, 0) > 0 else "" for n in letters}
        values = ", ".join(f"{n}={getattr(self, n):.6g}{told[n]}" for n in letters)
        return f"c*{self.function.name}(a*x + b) + d, {values}, r2={self.r2:.6g}"

    def __repr__(self) -> str:
        """Return the fit without its covariance."""
        return f"AffineFit({self.text})"

    def __call__(self, x: Any) -> np.ndarray:
        """Return c·f(a·x + b) + d."""
        return self.c * self.function(self.a * np.asarray(x, float) + self.b, self.p) + self.d


def in_units(function: Function, form: Shapes, data: Data, best: np.ndarray, b: float) -> AffineFit:
    """Return the fit at `best` (alpha, beta, p), with b for the data's own x."""
    alpha, b, p = float(best[0]), float(b), float(best[2])
    p_given = p if function.has_exponent else None
    n = len(data.t)
    if form.kind == "constant":
        cov = np.array([[data.scale**2 / n]])
        return AffineFit(
            function, 1.0, 0.0, 0.0, data.mean, None, ("d",), cov, 0.0, data.scale, 1.0, math.inf
        )
    a, b = canonical(function, form, alpha / data.half, b)
    # c and d follow from the canonical a and b on the data's own x, so that the fit gives what it prints
    x = data.x
    if form.kind == "rate" and max(abs(a * x[0]), abs(a * x[-1])) > 300:
        b = -max(a * x[0], a * x[-1])  # exp(a·x) alone would overflow
    a, b = _inside(function, form, x, a, b)
    line = _regression(function, data, a, b, 1.0 if p_given is None else p_given)
    names = [k for k in "ab" if form.free["ab".index(k)]] + (["p"] if function.has_exponent else [])
    cov = _covariance(function, data, line, (a, b, 1.0 if p_given is None else p_given), names)
    y, w = data.y, data.w
    total = float(np.average(y, weights=w))
    total = float((w * (y - total)) @ (y - total))
    share = line.rss / total if total else 0.0
    return AffineFit(
        function, a, b, line.c * data.scale / line.size,
        (line.shift - line.c * line.mean) * data.scale + data.mean,
        p_given, (*names, "c", "d"), cov, 1 - share, math.sqrt(line.rss / n) * data.scale, math.sqrt(share),
        margin(function, a, b, x),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Regression:
    """Hold y ≈ c·(v - mean) + shift for v = f(a·x + b)/size: centred values g, c, shift, residual sum."""

    g: np.ndarray
    size: float
    mean: float
    c: float
    shift: float
    rss: float


def _regression(f: Function, data: Data, a: float, b: float, p: float) -> _Regression:
    """Return the best c and d at some a, b and p, by regression on the function's values."""
    y, w = data.y, data.w
    v = np.empty(len(y))
    for rows in _blocks(len(y)):
        v[rows] = f.program.value(a * data.x[rows] + b, p)
    size = float(np.abs(v).max())
    if not (np.isfinite(size) and size > 0):
        raise DomainError(f"Function {f.name!r} is not finite on this curve at its best place; leave it out.")
    v /= size
    mean = float(np.average(v, weights=w))
    g = v - mean
    sff = float((w * g) @ g) or 1.0
    c = float((w * g) @ y) / sff
    # one step of refinement keeps the last digits
    c += float((w * g) @ (y - c * g)) / sff
    r = y - c * g
    shift = float(np.average(r, weights=w))
    r -= shift
    return _Regression(g, size, mean, c, shift, float((w * r) @ r))


def _covariance(
    f: Function, data: Data, line: _Regression, at: tuple[float, float, float], free: list[str]
) -> np.ndarray:
    """Return the covariance of (the free ones of a, b, p; c, d) in the data's own units."""
    a, b, p = at
    t, w, n = data.t, data.w, len(data.t)
    names = [*free, "c", "d"]
    R = np.zeros((0, len(names)))
    for rows in _blocks(n):  # one triangle after another: little memory, and QR's accuracy
        _, vx, vp = f.program.dual(a * data.x[rows] + b, p) if free else (0.0, 0.0, 0.0)
        slope = line.c / line.size
        columns = {"a": slope * vx * t[rows], "b": slope * vx, "p": slope * vp}
        J = np.column_stack([*(columns[k] for k in free), line.g[rows], np.ones(len(line.g[rows]))])
        J = np.where(np.isfinite(J), J, 0.0) * np.sqrt(w[rows])[:, None]
        R = np.asarray(np.linalg.qr(np.concatenate([R, J]), mode="r"))
    norm = np.sqrt((R * R).sum(0))
    norm[norm == 0] = 1.0
    inverse = np.linalg.pinv(R / norm, rcond=1e-15)
    # from (alpha about the middle, beta, p, c about the mean, d) to (a, b, p, c, d)
    T = np.eye(len(names))
    place = {k: i for i, k in enumerate(names)}
    T[place["c"], place["c"]], T[place["d"], place["d"]] = data.scale / line.size, data.scale
    T[place["d"], place["c"]] = -line.mean * data.scale
    if "a" in place:
        T[place["a"], place["a"]] = 1 / data.half
        if "b" in place:
            T[place["b"], place["a"]] = -data.middle / data.half
    with np.errstate(all="ignore"):
        cov = inverse @ inverse.T * (line.rss / max(n - len(names), 1)) / np.outer(norm, norm)
        return np.asarray(T @ cov @ T.T)


def _blocks(n: int, size: int = 16384) -> list[slice]:
    return [slice(at, min(at + size, n)) for at in range(0, n, size)]


def held_out(function: Function, data: Data, best: np.ndarray) -> float:
    """Return the mean squared leave-one-out residual over `some` rows, in units of y's variance.

    Each residual is divided by 1 - leverage (Allen's PRESS), exact for the linear parameters.
    """
    form = shapes(function)
    t, y, w = data.some
    alpha, beta, p = best
    v, vx, vp = function.program.dual(alpha * t + beta, p if function.has_exponent else 1.0)
    columns = [np.ones_like(t)]
    if form.kind != "constant":
        columns.append(v)
        for free, column in zip(form.free, (vx * t, vx, vp), strict=True):
            if free:
                columns.append(column)
    J = np.column_stack(columns)
    J = np.where(np.isfinite(J), J, 0.0)
    norm = np.abs(J).max(0)
    root = np.sqrt(w)
    J = J / np.where(norm > 0, norm, 1.0) * root[:, None]
    q, r = np.linalg.qr(J)
    size = np.abs(np.diag(r))
    q = q[:, size > 1e-13 * size.max()]
    linear, _ = np.linalg.qr(J[:, :2])
    rest = y * root - linear @ (linear.T @ (y * root))
    rest = rest - linear @ (linear.T @ rest)
    leverage = np.minimum((q * q).sum(1), 0.99)
    return float(np.mean((rest / (1 - leverage)) ** 2))


def canonical(function: Function, form: Shapes, a: float, b: float) -> tuple[float, float]:
    """Return the (a, b) by which equal fits print equally; c and d follow from them.

    Redundant letters become 1 and 0 (a keeps its sign where f cannot be mirrored), a is positive where
    f(-x) is c·f(x) + d, phases lie in (-pi/2, pi/2] for sin and cos and in half a period around 0 else.
    """
    if form.kind == "line":
        return 1.0, 0.0
    if form.kind == "root" and a != 0:
        a, b = (1.0, b / a) if function.reflection is not None or a > 0 else (-1.0, b / -a)
    elif a < 0 and function.reflection is not None:
        a, b = -a, -b
    if form.kind == "rate":
        b = 0.0
    period = math.pi if form.kind == "wave" else function.period
    if period is not None:
        b -= period * round(b / period)
        if b <= -period / 2:
            b += period
    return a, b


def _inside(f: Function, form: Shapes, x: np.ndarray, a: float, b: float) -> tuple[float, float]:
    """Return (a, b) moved by round-off where a·x + b would leave the domain by round-off."""
    for _ in range(4):
        ends = a * x[0] + b, a * x[-1] + b
        if math.isfinite(form.low) and not np.isfinite(f(min(ends))):
            b += max(form.low - min(ends), 0.0) + 4 * np.spacing(max(abs(b), abs(ends[0]), abs(ends[1])))
        if math.isfinite(form.high) and not np.isfinite(f(max(ends))):
            excess = max(max(ends) - form.high, 0.0) + 4 * np.spacing(max(abs(b), abs(ends[0]), abs(ends[1])))
            if math.isfinite(form.low):
                a, b = a * (1 - excess), b * (1 - excess)
            else:
                b -= excess
    return a, b


def margin(function: Function, a: float, b: float, x: np.ndarray) -> float:
    """Return the distance of a·x + b to the domain's border or the nearest pole, in units of its range."""
    low, high = sorted((a * float(x[0]) + b, a * float(x[-1]) + b))
    width = high - low or 1.0
    gaps = [math.inf]
    for piece in function.domain:
        if piece.low <= low and high <= piece.high:
            gaps += [low - piece.low, piece.high - high]
    for z in function.poles:
        gaps.append(float(np.abs(a * x + b - z).min()) if low < z < high else max(low - z, z - high))
    return min(gaps) / width

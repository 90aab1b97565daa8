"""Name a curve: find elementary laws t = h^j · g⁻¹(c·φ(a·h^k) + d) for one variable h.

For fixed outer g, power j and inner φ the constants c, d are closed form, so that thousands of
combinations are one matrix product (squared correlations). The best ones are handed on as formulas;
`polish` then fits every constant in the original target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy

Array = np.ndarray


@dataclass(frozen=True)
class Outer:
    """Hold an output transform g, its derivative's size, its inverse as a formula, its price in symbols.

    `limit` bounds |t|; a `scaled` one may take t in units of its own size; a `signed` one needs t of one
    sign and works on t up to that sign.
    """

    name: str
    forward: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    inverse: Callable[[sympy.Expr], sympy.Expr]
    price: float
    scaled: bool = True
    signed: bool = False
    limit: float = np.inf

    def allows(self, t: Array) -> bool:
        """Tell whether t lies where g has an inverse."""
        if self.signed and not ((t > 0).all() or (t < 0).all()):
            return False
        if self.name == "cos" and t.min() < 0:
            return False
        if self.name == "exp" and np.ptp(t) > 30:
            return False
        return bool(np.abs(t).max() <= self.limit + 1e-9)


_HALF = np.pi / 2
OUTERS = (
    Outer("t", lambda t: t, np.ones_like, lambda z: z, 0),
    Outer("1/t", lambda t: 1 / t, lambda t: 1 / t**2, lambda z: 1 / z, 1),
    Outer("t^2", lambda t: t * t, lambda t: 2 * np.abs(t), lambda z: sympy.sqrt(z), 1, signed=True),
    Outer(
        "1/t^2",
        lambda t: t**-2.0,
        lambda t: 2 * np.abs(t) ** -3.0,
        lambda z: 1 / sympy.sqrt(z),
        2,
        signed=True,
    ),
    Outer(
        "sqrt",
        lambda t: np.sqrt(np.abs(t)),
        lambda t: 0.5 / np.sqrt(np.abs(t)),
        lambda z: z**2,
        1.5,
        signed=True,
    ),
    Outer(
        "1/sqrt",
        lambda t: np.abs(t) ** -0.5,
        lambda t: 0.5 * np.abs(t) ** -1.5,
        lambda z: z**-2,
        2.5,
        signed=True,
    ),
    Outer(
        "log", lambda t: np.log(np.abs(t)), lambda t: 1 / np.abs(t), lambda z: sympy.exp(z), 1, signed=True
    ),
    Outer("exp", np.exp, np.exp, lambda z: sympy.log(z), 1, scaled=False),
    Outer(
        "sin", np.sin, lambda t: np.abs(np.cos(t)), lambda z: sympy.asin(z), 1.5, scaled=False, limit=_HALF
    ),
    Outer(
        "cos", np.cos, lambda t: np.abs(np.sin(t)), lambda z: sympy.acos(z), 1.5, scaled=False, limit=np.pi
    ),
    Outer(
        "tan", np.tan, lambda t: 1 + np.tan(t) ** 2, lambda z: sympy.atan(z), 1.5, scaled=False, limit=_HALF
    ),
    Outer(
        "atanh", np.arctanh, lambda t: 1 / (1 - t * t), lambda z: sympy.tanh(z), 2.5, scaled=False, limit=1.0
    ),
)

INNER_POWERS = (1, 2, -1, -2, 0.5, -0.5, 3, -3, 4, 1.5, -1.5, -4)
GAUGES = (0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 4, -4, 1.5, -1.5, 5, -5)
ARGUMENT_POWERS = (1, 2, -1, 0.5)


@dataclass(frozen=True)
class Law:
    """Hold one named curve: an expression in `H` and its residual share in t."""

    expression: sympy.Expr
    share: float
    price: float


H = sympy.Symbol("h_", real=True)


def power(h: sympy.Expr, k: float) -> sympy.Expr:
    """Return h^k with k exact where it is a small fraction."""
    r = sympy.nsimplify(k, rational=True) if float(2 * k).is_integer() or float(3 * k).is_integer() else None
    return h ** (r if r is not None else sympy.Float(k))


@lru_cache(maxsize=1)
def _frequencies() -> Array:
    return np.concatenate([np.geomspace(0.05, 2, 14), np.arange(2.35, 30, 0.35), np.arange(30.5, 90, 0.7)])


@lru_cache(maxsize=1)
def _rates() -> Array:
    return np.geomspace(0.03, 40, 44)


def laws(
    h: Array, t: Array, w: Array, gauges: tuple[float, ...] = GAUGES, keep: int = 12, rows: int = 240
) -> list[Law]:
    """Return the best named curves for t(h), simplest first among equals; w are root weights of t."""
    if len(h) > rows:
        order = np.argsort(h, kind="stable")
        pick = np.unique(order[np.linspace(0, len(h) - 1, rows).round().astype(int)])
        h, t, w = h[pick], t[pick], w[pick]
    if np.ptp(h) == 0:
        return []
    positive = bool((h > 0).all())
    size = np.sqrt(np.mean(h * h))
    u = h / size
    inner, names = _inner(u, positive)
    found: list[tuple[float, float, object]] = []
    columns: list[Array] = []
    weights: list[Array] = []
    tags: list[tuple[float, Outer, float]] = []
    with np.errstate(all="ignore"):
        for j in gauges:
            if j != int(j) and not positive:
                continue
            base = u**-j if j else 1.0
            if not np.all(np.isfinite(base)):
                continue
            tj = t * base
            wj = w / base
            size_j = float(np.sqrt(np.mean(tj * tj)))
            for g in OUTERS:
                if (not g.scaled and j != 0) or not g.allows(tj):
                    continue
                unit = size_j if g.scaled else 1.0
                z = tj / unit
                G = g.forward(z)
                if not np.all(np.isfinite(G)) or np.ptp(G) == 0:
                    continue
                columns.append(G)
                # a residual in G counts as it does in t
                weights.append(wj / np.maximum(g.slope(z), 1e-12))
                tags.append((j, g, unit))
    if not columns:
        return []
    spread = float(np.sum(w * w * (t - np.average(t, weights=w * w)) ** 2))
    for (j, g, unit), G, v in zip(tags, columns, weights, strict=True):
        price = g.price + (0.0 if j == 0 else 0.5 + 0.5 * abs(j))
        v = np.minimum(v, 1e6 * np.median(v))
        mean = np.average(G, weights=v * v)
        # from a share of G's spread to a share of t's
        back = unit**2 * float(np.sum(v * v * (G - mean) ** 2)) / spread
        for share, extra, kind in _regress(G, v, inner, names, u):
            found.append((share * back, price + extra, (j, g, unit, kind)))
    found = [f for f in found if np.isfinite(f[0])]
    # ranking by log share plus price prefers the simple among near equals
    found.sort(key=lambda f: np.log10(max(f[0], 1e-26)) + 0.25 * f[1])
    out = []
    for share, price, (j, g, unit, kind) in found[: 4 * keep]:
        expression = _express(kind, H / sympy.Float(size))
        sign = -1 if g.signed and np.median(t) < 0 else 1
        value = g.inverse(expression) * (sympy.Float(float(unit)) * sign)
        if j:
            value = value * power(H, j) * sympy.Float(float(size ** (-j)))
        out.append(Law(value, share, price))
        if len(out) >= keep:
            break
    return out


def _inner(u: Array, positive: bool) -> tuple[dict[str, Array], dict[str, list]]:
    """Return blocks of inner curves: single columns, and pairs (sin, cos) per frequency."""
    singles, names = [], []
    with np.errstate(all="ignore"):
        for k in INNER_POWERS:
            if k != int(k) and not positive:
                continue
            singles.append(u**k)
            names.append(("power", k, 0.0, abs(k) * 0.5 + (0 if k == 1 else 1)))
        if positive:
            singles.append(np.log(u))
            names.append(("log", 1, 0.0, 1.0))
        arguments = [
            (k, u**k) for k in ARGUMENT_POWERS if (positive or k in (1, 2)) and np.all(np.isfinite(u**k))
        ]
        for k, v in arguments:
            span = np.ptp(v)
            if span == 0 or not np.isfinite(span):
                continue
            for a in _rates():
                rate = a / span
                z = rate * v
                top = z.max()
                extra = 2.0 + (0 if k == 1 else 1.5)
                singles.append(np.exp(z - top))
                names.append(("exp", k, rate, extra))
                singles.append(np.exp(-z + z.min()))
                names.append(("exp", k, -rate, extra))
                if k in (1, -1):
                    singles.append(np.tanh(z))
                    names.append(("tanh", k, rate, extra + 0.5))
                    if np.abs(z).max() < 30:
                        singles.append(np.cosh(z))
                        names.append(("cosh", k, rate, extra + 0.5))
                    singles.append(np.arctan(z))
                    names.append(("atan", k, rate, extra + 0.5))
                    if np.abs(z).max() < 30:
                        singles.append(np.sinh(z))
                        names.append(("sinh", k, rate, extra + 1.0))
                    if (1 + z > 0).all():
                        singles.append(np.log1p(z))
                        names.append(("log1p", k, rate, extra))
                        singles.append(1 / (1 + z))
                        names.append(("inv1p", k, rate, extra))
        S = np.column_stack(singles)
        good = np.all(np.isfinite(S), axis=0)
        S, names = S[:, good], [n for n, ok in zip(names, good, strict=True) if ok]
        pairs, pair_names = [], []
        for k, v in arguments:
            span = np.ptp(v)
            if span == 0:
                continue
            for f in _frequencies():
                z = f / span * v
                pairs.append(np.sin(z))
                pairs.append(np.cos(z))
                pair_names.append(("sin", k, f / span, 2.5 + (0 if k == 1 else 1.5)))
    P = np.column_stack(pairs) if pairs else np.zeros((len(u), 0))
    return {"single": S, "pair": P}, {"single": names, "pair": pair_names}


@np.errstate(all="ignore")
def _regress(
    G: Array, v: Array, inner: dict[str, Array], names: dict[str, list], u: Array
) -> list[tuple[float, float, tuple]]:
    """Return (share, price, description) of the best inner curves for one output column."""
    found: list[tuple[float, float, tuple]] = []
    v = v / v.max() if v.max() > 0 else v
    v2 = v * v
    top = v2.max()
    if not np.isfinite(top) or top <= 0:
        return found
    v2 = v2 / v2.sum()
    g = G - v2 @ G
    total = v2 @ (g * g)
    if not (total > 0 and np.isfinite(total)):
        return found
    S = inner["single"]
    m = v2 @ S
    vg = v2 * g
    num = vg @ S
    den = v2 @ (S * S) - m * m
    share = 1 - num * num / (np.maximum(den, 1e-14 * (v2 @ (S * S)) + 1e-300) * total)
    for i in np.argsort(share)[:4]:
        kind = names["single"][i]
        found.append(_refine(G, v2, u, kind, float(max(share[i], 0.0))))
    P = inner["pair"]
    if P.shape[1]:
        m = v2 @ P
        b = vg @ P
        s, c = P[:, 0::2], P[:, 1::2]
        ss = v2 @ (s * s) - m[0::2] ** 2
        cc = v2 @ (c * c) - m[1::2] ** 2
        sc = v2 @ (s * c) - m[0::2] * m[1::2]
        det = ss * cc - sc * sc
        ok = det > 1e-9 * ss * cc
        det[~ok] = 1.0
        gain = (b[0::2] ** 2 * cc - 2 * b[0::2] * b[1::2] * sc + b[1::2] ** 2 * ss) / det
        share = 1 - np.where(ok, gain, 0.0) / total
        for i in np.argsort(share)[:2]:
            found.append(_refine(G, v2, u, names["pair"][i], float(max(share[i], 0.0))))
    return found


def _columns(kind: tuple, u: Array, a: float) -> list[Array]:
    name, k = kind[0], kind[1]
    x = u**k
    if name == "power":
        return [x]
    if name == "log":
        return [np.log(u)]
    z = a * x
    match name:
        case "exp":
            return [np.exp(z - z.max())]
        case "sin":
            return [np.sin(z), np.cos(z)]
        case "log1p":
            return [np.log1p(z)]
        case "inv1p":
            return [1 / (1 + z)]
        case _:
            return [{"tanh": np.tanh, "cosh": np.cosh, "sinh": np.sinh, "atan": np.arctan}[name](z)]


def _share(G: Array, v2: Array, kind: tuple, u: Array, a: float) -> tuple[float, Array]:
    with np.errstate(all="ignore"):
        A = np.column_stack([*_columns(kind, u, a), np.ones(len(u))])
    if not np.all(np.isfinite(A)):
        return np.inf, np.zeros(A.shape[1])
    root = np.sqrt(v2)
    norms = np.linalg.norm(A * root[:, None], axis=0)
    c, *_ = np.linalg.lstsq(A * root[:, None] / norms, G * root, rcond=1e-15)
    c = c / norms
    r = (A @ c - G) * root
    g = (G - v2 @ G) * root
    return float(r @ r / (g @ g)), c


def _refine(G: Array, v2: Array, u: Array, kind: tuple, share: float) -> tuple[float, float, tuple]:
    name, k, a, extra = kind
    if name in ("power", "log"):
        s, c = _share(G, v2, kind, u, a)
        return s, extra, (name, k, a, c, 0.0)
    if share < 0.2:
        # golden section on log a around the grid's cell
        step = 0.16 if name != "sin" else min(0.16, 0.4 / (abs(a) * np.ptp(u**k)))
        low, high = np.log(abs(a)) - step, np.log(abs(a)) + step
        sign = np.sign(a)
        ratio = 0.6180339887498949
        x1, x2 = high - ratio * (high - low), low + ratio * (high - low)
        f1, f2 = (_share(G, v2, kind, u, sign * np.exp(x))[0] for x in (x1, x2))
        for _ in range(14):
            if f1 < f2:
                high, x2, f2 = x2, x1, f1
                x1 = high - ratio * (high - low)
                f1 = _share(G, v2, kind, u, sign * np.exp(x1))[0]
            else:
                low, x1, f1 = x1, x2, f2
                x2 = low + ratio * (high - low)
                f2 = _share(G, v2, kind, u, sign * np.exp(x2))[0]
        a = float(sign * np.exp(0.5 * (low + high)))
    s, c = _share(G, v2, kind, u, a)
    offset = float((a * u**k).max()) if name == "exp" else 0.0
    return s, extra, (name, k, a, c, offset)


def _express(kind: tuple, h: sympy.Expr) -> sympy.Expr:
    name, k, a, c, offset = kind
    F = lambda value: sympy.Float(float(value))  # noqa: E731
    x = power(h, k)
    z = F(a) * x
    match name:
        case "power":
            return F(c[0]) * x + F(c[1])
        case "log":
            return F(c[0]) * sympy.log(h) + F(c[1])
        case "exp":
            return F(c[0] * np.exp(-offset)) * sympy.exp(z) + F(c[1])
        case "sin":
            size, phase = np.hypot(c[0], c[1]), np.arctan2(c[1], c[0])
            return F(size) * sympy.sin(z + F(phase)) + F(c[2])
        case "log1p":
            return F(c[0]) * sympy.log(1 + z) + F(c[1])
        case "inv1p":
            return F(c[0]) / (1 + z) + F(c[1])
        case _:
            f = {"tanh": sympy.tanh, "cosh": sympy.cosh, "sinh": sympy.sinh, "atan": sympy.atan}[name]
            return F(c[0]) * f(z) + F(c[1])

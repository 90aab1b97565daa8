"""Name a curve: find elementary laws t = h^j · g⁻¹(c·φ(a·h^k) + d) for one variable h.

For fixed outer g, power j and inner φ the constants c, d are closed form, so that thousands of
combinations are one matrix product (squared correlations). The best ones are handed on as formulas;
`polish` then fits every constant in the original target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import sympy

from kansym.base import criterion
from kansym.functions.forms import NUMPY
from kansym.functions.operations import Op

Array = np.ndarray
Transform = Callable[[Array], Array]
Inverse = Callable[[sympy.Expr], sympy.Expr]


@dataclass(frozen=True)
class Outer:
    """Hold an output transform g, its derivative's size, its inverse as a formula, its price in symbols.

    The largest |t| must lie between `least` and `limit`; a `scaled` one may take t in units of its own size;
    a `signed` one needs t of one sign and works on t up to that sign.
    """

    name: str
    forward: Transform
    slope: Transform
    inverse: Inverse
    price: float
    scaled: bool = True
    signed: bool = False
    limit: float = np.inf
    least: float = 0.0

    def allows(self, t: Array) -> bool:
        """Tell whether t lies where g has an inverse."""
        if self.signed and not ((t > 0).all() or (t < 0).all()):
            return False
        if self.name.startswith("cos") and t.min() < 0:
            return False
        if self.name == "exp" and np.ptp(t) > 30:
            return False
        return bool(self.least <= np.abs(t).max() <= self.limit + 1e-9)


def _angle(
    name: str,
    g: Transform,
    slope: Transform,
    inverse: Inverse,
    limit: float,
    degrees: bool,
) -> Outer:
    """Return the transform of a target that is an angle up to `limit` radians, in radians or degrees."""
    one, back = (np.pi / 180, 180 / sympy.pi) if degrees else (1.0, sympy.S.One)
    return Outer(
        f"{name} of degrees" if degrees else name,
        lambda t: g(one * t),
        lambda t: one * slope(one * t),
        lambda z: back * inverse(z),
        3.5 if degrees else 1.5,
        scaled=False,
        limit=limit / one,
        least=np.pi if degrees else 0.0,  # what radians could be is not tried in degrees too
    )


_ANGLES: tuple[tuple[str, Transform, Transform, Inverse, float], ...] = (
    ("sin", np.sin, lambda u: np.abs(np.cos(u)), sympy.asin, np.pi / 2),
    ("cos", np.cos, lambda u: np.abs(np.sin(u)), sympy.acos, np.pi),
    ("tan", np.tan, lambda u: 1 + np.tan(u) ** 2, sympy.atan, np.pi / 2),
)
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
    *(_angle(*angle, degrees=degrees) for degrees in (False, True) for angle in _ANGLES),
    Outer(
        "atanh", np.arctanh, lambda t: 1 / (1 - t * t), lambda z: sympy.tanh(z), 2.5, scaled=False, limit=1.0
    ),
)


def outer(name: str) -> Outer:
    """Return the transform of this name."""
    return next(o for o in OUTERS if o.name == name)


INNER_POWERS = (1, 2, -1, -2, 0.5, -0.5, 3, -3, 4, 1.5, -1.5, -4)
GAUGES = (0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 4, -4, 1.5, -1.5, 5, -5)
ARGUMENT_POWERS = (1, 2, -1, 0.5)

FLATTEST = 0.01
"""A power of h that divides a curve counts as at least this share of its median on the grid of rates."""


@dataclass(frozen=True, eq=False)
class Law:
    """Hold one named curve: `formula(h)` writes it for an argument; its residual share in t, its price."""

    formula: Callable[[sympy.Expr], sympy.Expr]
    share: float
    price: float


def power(h: sympy.Expr, k: float) -> sympy.Expr:
    """Return h^k with k exact where it is a small fraction."""
    r = sympy.nsimplify(k, rational=True) if float(2 * k).is_integer() or float(3 * k).is_integer() else None
    return h ** (r if r is not None else sympy.Float(k))


@lru_cache(maxsize=1)
def _frequencies() -> Array:
    return np.concatenate([np.geomspace(0.05, 2, 14), np.arange(2.35, 30, 0.35), np.arange(30.5, 90, 0.7)])


@lru_cache(maxsize=1)
def _rates() -> Array:
    # dense where a step changes the curve most, in units of the span
    return np.concatenate([np.geomspace(0.05, 1.6, 12), np.arange(2, 12, 0.5), np.geomspace(12, 40, 12)])


@dataclass(frozen=True, eq=False)
class _Column:
    """Hold one transformed target: values G, weights, and how to undo the transform."""

    G: Array
    weight: Array
    back: float
    gauge: float
    outer: Outer
    unit: float
    price: float

    def take(self, rows: slice) -> _Column:
        """Return the column on some rows."""
        v = self.weight[rows]
        return replace(self, G=self.G[rows], weight=v / v.sum())


def laws(h: Array, t: Array, w: Array, keep: int = 36, rows: int = 240) -> list[Law]:
    """Return the best named curves for t(h), simplest first among equals; w are root weights of t."""
    if np.ptp(h) == 0 or not np.all(np.isfinite(h)) or not np.all(np.isfinite(t)) or not np.max(w) > 0:
        return []
    n, w = len(h), w / np.max(w)
    order = np.argsort(h, kind="stable")
    h, t, w = h[order], t[order], w[order]
    scatter = 0.0
    if n >= 2 * BINS and _noisy(h, t, w):
        h, t, w, scatter = _binned(h, t, w)
    if not scatter and n > rows:
        pick = np.unique(np.linspace(0, n - 1, rows).round().astype(int))
        h, t, w = h[pick], t[pick], w[pick]
        n = len(h)
    size = np.sqrt(np.mean(h * h))  # numpy's float: powers of it overflow to infinity and do not raise
    u = h / size
    w = w / np.max(w)
    with np.errstate(all="ignore"):
        columns = _columns_of(u, t, w, FLATTEST)
        if not columns:
            return []
        singles, pairs = _inner(u)
        rough = _rough(columns, singles, pairs, scatter, n)
        rough += _whole(columns, u, size, scatter, n)
        true = {(c.gauge, c.outer.name): c for c in _columns_of(u, t, w)}
        rough = [(share, true.get((c.gauge, c.outer.name), c), kind) for share, c, kind in rough]
        spread = float(np.sum(w * w * (t - np.average(t, weights=w * w)) ** 2)) + 1e-300
        fine = []
        few = slice(None, None, max(1, len(u) // 80))
        thin = {id(c): c.take(few) for _, c, _ in rough}
        sharper = [(*_refine(thin[id(c)], u[few], kind, 3), c) for _, c, kind in rough]

        def judged(share: float, column: _Column, kind: _Kind) -> tuple[float, float]:
            return share * column.back / spread * (1 - scatter) + scatter, column.price + _price(kind)

        thinned = n if scatter else len(u[few])
        sharper.sort(key=lambda s: criterion.rank(*judged(s[0], s[2], s[1]), thinned))
        for _, kind, column in sharper[: 40 if scatter else 24]:
            share, kind = _refine(column, u, kind, 12)
            if np.isfinite(share):
                fine.append((*judged(share, column, kind), column, kind))
    fine.sort(key=lambda f: criterion.rank(f[0], f[1], n))
    negative = np.median(t) < 0
    return [Law(_writer(c, kind, size, negative), share, price) for share, price, c, kind in fine[:keep]]


def _binned(h: Array, t: Array, w: Array) -> tuple[Array, Array, Array, float]:
    """Return the means of BINS bins of sorted h with root weights, and the share of t that scatters in them.

    Transforms of noisy values are biased, and undefined where noise changes the sign; transforms of means
    suffer far less. Each bin's trend is taken out of its scatter.
    """
    starts = np.unique(np.linspace(0, len(h), BINS + 1).astype(int)[:-1])
    v = w * w
    weight = np.add.reduceat(v, starts)
    middle, level = np.add.reduceat(v * h, starts) / weight, np.add.reduceat(v * t, starts) / weight
    size = np.diff(np.append(starts, len(h)))
    dh, dt = h - np.repeat(middle, size), t - np.repeat(level, size)
    across, along = np.add.reduceat(v * dh * dt, starts), np.add.reduceat(v * dh * dh, starts)
    left = np.add.reduceat(v * dt * dt, starts) - across**2 / (along + 1e-300)
    # two numbers a bin are fitted
    scatter = float(np.sum(np.maximum(left, 0.0))) * len(h) / max(len(h) - 2 * len(starts), 1)
    total = float(np.sum(v * (t - np.average(t, weights=v)) ** 2)) + 1e-300
    return middle, level, np.sqrt(weight), scatter / total


def _noisy(h: Array, t: Array, w: Array) -> bool:
    """Tell whether neighbours in sorted h differ by noise rather than by the curve's bend.

    A row's distance from the line through its neighbours is of the other sign than the next row's when it
    is noise, of the same when the curve bends; below SHARP of t's spread it does not matter.
    """
    gap = h[2:] - h[:-2]
    a = np.where(gap > 0, (h[2:] - h[1:-1]) / np.where(gap > 0, gap, 1.0), 0.5)
    r = w[1:-1] * (t[1:-1] - a * t[:-2] - (1 - a) * t[2:])
    total = float(np.mean(w * w * (t - np.average(t, weights=w * w)) ** 2))
    return bool(r[1:] @ r[:-1] < 0 and np.mean(r * r) > criterion.SHARP * total)


def _writer(
    column: _Column, kind: _Kind, size: np.float64, negative: bool
) -> Callable[[sympy.Expr], sympy.Expr]:
    @np.errstate(all="ignore")
    def write(h: sympy.Expr) -> sympy.Expr:
        factor = column.unit * size**-column.gauge
        plain = _plain(kind, size)
        outer = column.outer
        sign = -1 if outer.signed and negative else 1
        # the factor goes into the inner constants, so that no constant is redundant
        assert plain.c is not None
        if outer.name in _EXPONENTS:
            e = _EXPONENTS[outer.name]
            c = plain.c * factor ** (1 / e)
            if plain.name == "one":
                # c·φ keeps one sign on the rows, so that its power is real
                positive = sympy.Integer(1) if c[0] > 0 else sympy.Integer(-1)
                inner = positive * (1 + sympy.Integer(1 if kind.a > 0 else -1) * power(h, plain.k))
                value = sympy.Float(float(sign * np.abs(c[0]) ** e)) * inner ** sympy.Rational(e)
            elif e == 1:
                value = _express(replace(plain, c=c), h)
            else:
                # K·(φ ± r)^e: a pure number beside φ is often recognised, a scaled one is not
                top = np.hypot(*c[:-1]) if len(c) > 2 else np.abs(c[0])
                inner = _express(replace(plain, c=c / top), h)
                value = sympy.Float(float(sign * top**e)) * outer.inverse(inner)
        elif outer.name == "log":
            c = plain.c.copy()
            c[-1] += np.log(factor)
            value = sign * outer.inverse(_express(replace(plain, c=c), h))
        else:
            value = outer.inverse(_express(plain, h))
        return value * power(h, column.gauge) if column.gauge else value

    return write


_EXPONENTS = {"t": 1, "1/t": -1, "t^2": 0.5, "1/t^2": -0.5, "sqrt": 2, "1/sqrt": -2}


def _plain(kind: _Kind, size: np.float64) -> _Kind:
    """Return the kind with h in its own units instead of in units of its size."""
    assert kind.c is not None
    c = kind.c.copy()
    if kind.name == "power":
        c[0] *= size**-kind.k
    elif kind.name == "log":
        c[-1] -= c[0] * np.log(size)
    return _Kind(kind.name, kind.k, kind.a * size**-kind.k, c)


def _columns_of(u: Array, t: Array, w: Array, flattest: float = 0.0) -> list[_Column]:
    """Return g(t·u^-j) for all transforms g and powers j that are defined.

    A row's weight counts u^-j as at least the share `flattest` of its median: where it vanishes a row would
    outweigh all others, and on a grid of rates every curve look constant.
    """
    positive = bool((u > 0).all())
    out = []
    for j in GAUGES:
        if j != int(j) and not positive:
            continue
        base = u ** -float(j) if j else np.ones_like(u)
        if not np.all(np.isfinite(base)):
            continue
        tj = t * base
        wj = w / np.maximum(np.abs(base), flattest * np.median(np.abs(base)))
        size = float(np.sqrt(np.mean(tj * tj)))
        for g in OUTERS:
            if (not g.scaled and j != 0) or not g.allows(tj):
                continue
            unit = size if g.scaled else 1.0
            z = tj / unit
            G = g.forward(z)
            if not np.all(np.isfinite(G)) or np.ptp(G) == 0:
                continue
            # a residual in G counts as it does in t
            v = wj / np.maximum(g.slope(z), 1e-12)
            v = np.minimum(v, 1e6 * np.median(v))
            v2 = v * v
            total = v2.sum()
            v2 = v2 / total
            spread = float(v2 @ (G - v2 @ G) ** 2)
            if not (spread > 0 and np.isfinite(spread)):
                continue
            price = g.price + (0.0 if j == 0 else 0.5 + 0.5 * abs(j))
            out.append(_Column(G, v2, unit**2 * total * spread, j, g, unit, price))
    return out


@dataclass(frozen=True, eq=False)
class _Kind:
    """Name an inner curve φ(a·u^k) with its linear coefficients, once fitted."""

    name: str
    k: float
    a: float = 0.0
    c: Array | None = None


_SYMBOLS = {"power": 0.0, "log": 1.0, "exp": 2.0, "sin": 2.5, "tanh": 2.5, "cosh": 2.5, "atan": 2.5,
            "sinh": 3.0, "log1p": 2.0, "inv1p": 2.0}  # fmt: skip

FREE = 2.0
"""What a measured constant costs in symbols, about log(n)/2 nats."""


BINS = 80
"""Bins that a noisy curve is averaged in before it is transformed."""

WHOLE = 16
"""Curves without a constant beside h that are looked at more closely."""

RATE = 2.5
"""What a rate costs in symbols: a third measured constant beside c and d."""


def _price(kind: _Kind) -> float:
    k = abs(kind.k)
    if kind.name in ("power", "one"):
        return 0.5 * k + (0.0 if kind.k == 1 else 1.0) - (FREE if kind.name == "one" else 0.0)
    return RATE + _SYMBOLS[kind.name] + (0.0 if kind.k == 1 else 1.5)


def _inner(u: Array) -> tuple[tuple[list[_Kind], Array], tuple[list[_Kind], Array]]:
    """Return the inner curves: single columns, and pairs (sin, cos) per frequency."""
    positive = bool((u > 0).all())
    kinds, columns = [], []

    def add(kind: _Kind, values: Array) -> None:
        kinds.append(kind)
        columns.append(values)

    for k in INNER_POWERS:
        if positive or k == int(k):
            add(_Kind("power", k), u ** float(k))
    if positive:
        add(_Kind("log", 1), np.log(u))
    arguments = [(k, u**k) for k in map(float, ARGUMENT_POWERS) if positive or k in (1, 2)]
    arguments = [(k, v) for k, v in arguments if np.all(np.isfinite(v)) and np.ptp(v) > 0]
    pair_kinds: list[_Kind] = []
    pairs: list[Array] = []

    def slide(kind: _Kind, values: Array, slope: Array) -> None:
        # a curve and its slope by the rate: the fit is right to second order between grid points
        top = np.abs(values).max()
        if np.all(np.isfinite(values)) and np.all(np.isfinite(slope)) and top > 0:
            pair_kinds.append(kind)
            pairs.extend((values / top, slope / top))

    for k, v in arguments:
        span = np.ptp(v)
        for rate in _rates() / span:
            z = rate * v
            up, down = np.exp(z - z.max()), np.exp(z.min() - z)
            slide(_Kind("exp", k, rate), up, z * up)
            slide(_Kind("exp", k, -rate), down, z * down)
            if k in (1, -1):
                names = ["tanh", "atan", *(("cosh", "sinh") if np.abs(z).max() < 30 else ())]
                for name in [*names, *(["log1p"] if z.min() > -1 else [])]:
                    value, slope = _function(name, z)
                    slide(_Kind(name, k, rate), value, z * slope)
                if z.min() > -1:
                    slide(_Kind("inv1p", k, rate), 1 / (1 + z), z / (1 + z) ** 2)
        for f in _frequencies() / span:
            slide(_Kind("sin", k, f), np.sin(f * v), np.cos(f * v))
    S = np.column_stack(columns)
    good = np.flatnonzero(np.all(np.isfinite(S), axis=0))
    S = S[:, good] / (np.abs(S[:, good]).max(0) + 1e-300)
    P = np.column_stack(pairs) if pairs else np.zeros((len(u), 0))
    return ([kinds[i] for i in good], S), (pair_kinds, P)


def _rough(
    columns: list[_Column],
    singles: tuple[list[_Kind], Array],
    pairs: tuple[list[_Kind], Array],
    scatter: float,
    n: int,
) -> list[tuple[float, _Column, _Kind]]:
    """Return the most promising combinations, by the share of n rows on the grid of rates."""
    V = np.array([c.weight for c in columns])
    G = np.array([c.G for c in columns])
    G = G - np.sum(V * G, axis=1, keepdims=True)
    total = np.sum(V * G * G, axis=1)[:, None]
    kinds, S = singles
    mean, num, square = V @ S, (V * G) @ S, V @ (S * S)
    share = 1 - num * num / (np.maximum(square - mean * mean, 1e-14 * square + 1e-300) * total)
    found = []
    best = np.array([c.back for c in columns])[:, None]
    for block, names in ((share, kinds), (_pair_share(V, G, total, pairs[1]), pairs[0])):
        if block.shape[1] == 0:
            continue
        group = np.array([_GROUPS[n.name] for n in names])
        price = np.array([_price(n) for n in names])[None] + np.array([c.price for c in columns])[:, None]
        rank = criterion.rank(block * best / best[0] * (1 - scatter) + scatter, price, n)
        rank[~np.isfinite(rank)] = np.inf
        for kind in np.unique(group):
            at = np.flatnonzero(group == kind)
            part = rank[:, at]
            # the best of each transform, then the best of all: one transform must not crowd out others
            winners = at[np.argmin(part, axis=1)]
            order = np.argsort(part.min(1), kind="stable")[: 24 if kind < 2 else 12]
            found += [(float(block[i, winners[i]]), columns[i], names[winners[i]]) for i in order]
            if kind == 0:
                flat = np.argsort(part, axis=None, kind="stable")[:12]
                rows, cols = np.unravel_index(flat, part.shape)
                found += [
                    (float(block[i, at[j]]), columns[i], names[at[j]])
                    for i, j in zip(rows, cols, strict=True)
                ]
    return list({(id(c), id(k)): (s, c, k) for s, c, k in found}.values())


def _whole(
    columns: list[_Column], u: Array, size: np.float64, scatter: float, n: int
) -> list[tuple[float, _Column, _Kind]]:
    """Return the best of the curves c·(1 ± h^k), whose only free number is c.

    Where a group of columns is dimensionless such curves are common, 1/sqrt(1 - v²/c²) for one, and in noise
    the free constant of c·h^k + d costs more than it earns.
    """
    powers = [k for k in INNER_POWERS if (u > 0).all() or k == int(k)]
    kinds = [
        _Kind("one", k, sign * size**k) for k in powers if 1e-200 < size**k < 1e200 for sign in (1.0, -1.0)
    ]
    columns = [c for c in columns if c.outer.name in _EXPONENTS]
    if not kinds or not columns:
        return []
    X = np.column_stack([_values(kind, u, kind.a)[0] for kind in kinds])
    signed = np.all(X > 0, axis=0) | np.all(X < 0, axis=0)
    kinds, X = [kind for kind, good in zip(kinds, signed, strict=True) if good], X[:, signed]
    V = np.array([c.weight for c in columns])
    G = np.array([c.G for c in columns])
    square, level = np.sum(V * G * G, axis=1)[:, None], np.sum(V * G, axis=1)[:, None]
    share = (square - ((V * G) @ X) ** 2 / (V @ (X * X))) / (square - level * level)
    best = np.array([c.back for c in columns])[:, None]
    price = np.array([_price(kind) for kind in kinds])[None] + np.array([c.price for c in columns])[:, None]
    rank = criterion.rank(share * best / best[0] * (1 - scatter) + scatter, price, n)
    rank[~np.isfinite(rank)] = np.inf
    order = np.argsort(rank, axis=None, kind="stable")[: min(WHOLE, int(np.isfinite(rank).sum()))]
    return [
        (float(share[i, j]), columns[i], kinds[j])
        for i, j in zip(*np.unravel_index(order, rank.shape), strict=True)
    ]


_GROUPS = {"power": 0, "log": 0, "exp": 1, "tanh": 2, "cosh": 3, "sinh": 4, "atan": 5, "log1p": 6,
           "inv1p": 7, "sin": 8}  # fmt: skip


def _pair_share(V: Array, G: Array, total: Array, P: Array) -> Array:
    if P.shape[1] == 0:
        return np.zeros((len(V), 0))
    s, c = P[:, 0::2], P[:, 1::2]
    VG = V * G
    ms, mc = V @ s, V @ c
    bs, bc = VG @ s, VG @ c
    s2, c2 = V @ (s * s), V @ (c * c)
    ss, cc, sc = s2 - ms * ms, c2 - mc * mc, V @ (s * c) - ms * mc
    det = ss * cc - sc * sc
    # a curve that is nearly constant, or nearly its own slope, drowns in round-off here
    ok = (ss > 1e-6 * s2) & (cc > 1e-6 * c2) & (det > 1e-6 * np.abs(ss * cc))
    gain = (bs * bs * cc - 2 * bs * bc * sc + bc * bc * ss) / np.where(ok, det, 1.0)
    return np.clip(1 - np.where(ok, gain, 0.0) / total, 1e-12, 1.0)


def _function(name: str, z: Array) -> tuple[Array, Array]:
    """Return value and slope of an operation of the table."""
    form = NUMPY[Op[name.upper()]]
    value = form.value(z, None, 0.0)
    return value, form.slopes[0](z, None, 0.0, value)


def _values(kind: _Kind, u: Array, a: float) -> list[Array]:
    x = u**kind.k
    z = a * x
    match kind.name:
        case "power":
            return [x]
        case "one":
            return [1 + z]
        case "log":
            return [np.log(u)]
        case "exp":
            return [np.exp(z - z.max())]
        case "sin":
            return [np.sin(z), np.cos(z)]
        case "inv1p":
            return [1 / (1 + z)]
        case name:
            return [_function(name, z)[0]]


def _slopes(kind: _Kind, u: Array, a: float) -> list[Array]:
    """Return the derivatives by log a of what :func:`_values` returns."""
    z = a * u**kind.k
    match kind.name:
        case "exp":
            top = z.max()
            return [(z - top) * np.exp(z - top)]
        case "sin":
            return [z * np.cos(z), -z * np.sin(z)]
        case "inv1p":
            return [-z / (1 + z) ** 2]
        case name:
            return [z * _function(name, z)[1]]


def _share(column: _Column, u: Array, kind: _Kind, a: float) -> tuple[float, Array, float]:
    """Return the share, the linear coefficients, and the Gauss-Newton step in log a."""
    level = [] if kind.name == "one" else [np.ones(len(u))]
    A = np.column_stack([*_values(kind, u, a), *level])
    none = np.inf, np.zeros(A.shape[1]), 0.0
    if not np.all(np.isfinite(A)):
        return none
    root = np.sqrt(column.weight)
    A = A * root[:, None]
    norms = np.linalg.norm(A, axis=0)
    if not np.all(norms > 0):
        return none
    Q, R = np.linalg.qr(A / norms)
    G = column.G * root
    proj = Q.T @ G
    r = G - Q @ proj
    g = G - root * (root @ G)
    try:
        c = np.linalg.solve(R, proj) / norms
    except np.linalg.LinAlgError:
        return none
    step = 0.0
    if kind.a and level:
        J = np.column_stack(_slopes(kind, u, a)) @ c[:-1] * root
        J = J - Q @ (Q.T @ J)
        step = float(J @ r / (J @ J + 1e-300))
    return float(r @ r / (g @ g)), c, step


def _refine(column: _Column, u: Array, kind: _Kind, steps: int) -> tuple[float, _Kind]:
    """Return the share and kind with its rate fitted: Gauss-Newton on log a, linear part projected out."""
    a = kind.a
    share, c, step = _share(column, u, kind, a)
    for _ in range(steps if kind.a and kind.name != "one" else 0):
        for shrink in (1.0, 0.3, 0.1):
            trial = a * np.exp(np.clip(shrink * step, -0.3, 0.3))
            new = _share(column, u, kind, trial)
            if new[0] < share:
                break
        else:
            break
        a, (share, c, step) = float(trial), new
        if abs(step) < 1e-13:
            break
    if kind.name == "exp":
        c = np.array([c[0] * np.exp(-(a * u**kind.k).max()), c[1]])
    return share, _Kind(kind.name, kind.k, a, c)


def _number(value: float) -> sympy.Expr:
    if not np.isfinite(value):  # out of double precision's range: a formula that nothing fits
        return sympy.nan
    # a factor of exactly one is no constant to be fitted
    whole = round(float(value))
    return (
        sympy.Integer(whole) if abs(whole) == 1 and abs(value - whole) < 1e-15 else sympy.Float(float(value))
    )


def _express(kind: _Kind, h: sympy.Expr) -> sympy.Expr:
    F = _number
    assert kind.c is not None
    c = kind.c
    x = power(h, kind.k)
    z = F(kind.a) * x
    match kind.name:
        case "power":
            return F(c[0]) * x + F(c[1])
        case "log":
            return F(c[0]) * sympy.log(h) + F(c[1])
        case "exp":
            return F(c[0]) * sympy.exp(z) + F(c[1])
        case "sin":
            size, phase = np.hypot(c[0], c[1]), np.arctan2(c[1], c[0])
            return F(size) * sympy.sin(z + F(phase)) + F(c[2])
        case "log1p":
            return F(c[0]) * sympy.log(1 + z) + F(c[1])
        case "inv1p":
            return F(c[0]) / (1 + z) + F(c[1])
        case name:
            f = {"tanh": sympy.tanh, "cosh": sympy.cosh, "sinh": sympy.sinh, "atan": sympy.atan}[name]
            return F(c[0]) * f(z) + F(c[1])

"""Name a curve: find elementary laws t = h^j · g⁻¹(c·φ(a·h^k) + d) for one variable h.

For fixed outer g, power j and inner φ the constants c, d are closed form, so that thousands of
combinations are one matrix product (squared correlations). The best ones are handed on as formulas;
`polish` then fits every constant in the original target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.linear import TINY
from kansym.base.weights import spread
from kansym.search.structure.inners import FRINGES, INNER_POWERS, OF_ONE_NUMBER, Group, Inner, grid, power
from kansym.search.structure.outers import EXPONENTS, FLATTEST, Column, transformed

Array = np.ndarray

ROWS = 240
"""Rows of a curve that are compared with the grid of curves, evenly spread along it."""

BINS, FEWEST_BINS, ROWS_A_BIN = 80, 16, 3
"""Bins that a noisy curve is averaged in before it is changed; of few rows, fewer of so many rows each."""

WHOLE = 16
"""Curves without a level that are looked at more closely, of each of two kinds."""


BOW, ALIKE = 1.0, 1.08
"""Radians that a wave's rows span below which it may be a parabola, and times what it leaves that this may: a
further number is worth that on 80 means. 1.00000003 - sin(1.5706 - 0.0003·h) says b·h + c·h² + d."""


@dataclass(frozen=True, eq=False)
class Law:
    """Hold one named curve: `formula(h)` writes it for an argument; its residual share in t, its price."""

    formula: Callable[[sympy.Expr], sympy.Expr]
    share: float
    price: float


def laws(h: Array, t: Array, w: Array, keep: int = 36, scatter: float = 0.0) -> list[Law]:
    """Return the best named curves for t(h), simplest first among equals; w are root weights of t.

    `scatter` is the share of t by which rows are known to be off a curve that is itself smooth: a fitted one.
    """
    if np.ptp(h) == 0 or not np.all(np.isfinite(h)) or not np.all(np.isfinite(t)) or not np.max(w) > 0:
        return []
    n, w = len(h), w / np.max(w)
    order = np.argsort(h, kind="stable")
    h, t, w = h[order], t[order], w[order]
    if scatter:
        h, t, w = (_some(part, BINS) for part in (h, t, w))
    elif n >= FEWEST_BINS * ROWS_A_BIN and noisy(h, t, w):
        h, t, w, scatter = binned(h, t, w)
    elif n > ROWS:
        h, t, w = (_some(part, ROWS) for part in (h, t, w))
        n = len(h)
    size = np.sqrt(np.mean(h * h))  # numpy's float: powers of it overflow to infinity and do not raise
    u = h / size
    w = w / np.max(w)
    with np.errstate(all="ignore"):
        columns = transformed(u, t, w, FLATTEST)
        if not columns:
            return []
        singles, pairs = grid(u)
        rough = _rough(columns, singles, pairs, scatter, n)
        rough += _of_one_number(columns, u, size, scatter, n)
        true = {(c.gauge, c.outer.name): c for c in transformed(u, t, w)}
        rough = [(share, true.get((c.gauge, c.outer.name), c), kind) for share, c, kind in rough]
        total = spread(t, w) + TINY
        fine = []
        few = slice(None, None, max(1, len(u) // 80))
        thin = {id(c): c.take(few) for _, c, _ in rough}
        sharper = [(*_refine(thin[id(c)], u[few], kind, 3), c) for _, c, kind in rough]

        def judged(share: float, column: Column, kind: Inner) -> tuple[float, float]:
            """Return the share that a curve leaves of t itself, and its price in symbols."""
            return share * column.back / total * (1 - scatter) + scatter, column.price + kind.price

        thinned = n if scatter else len(u[few])
        sharper.sort(key=lambda s: criterion.rank(*judged(s[0], s[2], s[1]), thinned))
        for _, begun, column in sharper[: 40 if scatter else 24]:
            for share, kind in _with_fringes(column, u, *_refine(column, u, begun, 12)):
                fine.append((*judged(share, column, kind), column, kind))
    fine.sort(key=lambda f: criterion.rank(f[0], f[1], n))
    negative = np.median(t) < 0
    return [Law(_writer(c, kind, size, negative), share, price) for share, price, c, kind in fine[:keep]]


def _some(part: Array, most: int) -> Array:
    """Return so many rows (m,) of all (n,) at most, evenly spread."""
    return part[np.unique(np.linspace(0, len(part) - 1, min(most, len(part))).round().astype(int))]


def binned(h: Array, t: Array, w: Array) -> tuple[Array, Array, Array, float]:
    """Return the means of BINS bins of sorted h with root weights, and the share of t scattered in them.

    Transforms of noisy values are biased, and undefined where noise changes the sign; transforms of means
    suffer far less. Each bin's trend is taken out of its scatter.
    """
    starts = np.unique(np.linspace(0, len(h), min(BINS, len(h) // ROWS_A_BIN) + 1).astype(int)[:-1])
    v = w * w
    weight = np.add.reduceat(v, starts)
    middle, level = np.add.reduceat(v * h, starts) / weight, np.add.reduceat(v * t, starts) / weight
    size = np.diff(np.append(starts, len(h)))
    dh, dt = h - np.repeat(middle, size), t - np.repeat(level, size)
    across, along = np.add.reduceat(v * dh * dt, starts), np.add.reduceat(v * dh * dh, starts)
    left = np.add.reduceat(v * dt * dt, starts) - across**2 / (along + TINY)
    # two numbers a bin are fitted
    scatter = float(np.sum(np.maximum(left, 0.0))) * len(h) / max(len(h) - 2 * len(starts), 1)
    return middle, level, np.sqrt(weight), scatter / (spread(t, w) + TINY)


def noisy(h: Array, t: Array, w: Array) -> bool:
    """Tell whether neighbours in sorted h differ by noise rather than by the curve's bend.

    A row's distance from the line through its neighbours is of the other sign than the next row's when it
    is noise, of the same when the curve bends; below SHARP of t's spread it does not matter.
    """
    gap = h[2:] - h[:-2]
    a = np.where(gap > 0, (h[2:] - h[1:-1]) / np.where(gap > 0, gap, 1.0), 0.5)
    r = w[1:-1] * (t[1:-1] - a * t[:-2] - (1 - a) * t[2:])
    return bool(r[1:] @ r[:-1] < 0 and np.mean(r * r) > criterion.SHARP * spread(t, w) / len(t))


def _writer(
    column: Column, kind: Inner, size: np.float64, negative: bool
) -> Callable[[sympy.Expr], sympy.Expr]:
    """Return what writes a fitted curve: h^gauge · g⁻¹(c·φ(a·h^k) + d), h in units of `size`."""

    @np.errstate(all="ignore")
    def write(h: sympy.Expr) -> sympy.Expr:
        """Return the curve of h with the constants as fitted."""
        factor = column.unit * size**-column.gauge
        plain = kind.per_unit(size)
        outer = column.outer
        sign = -1 if outer.signed and negative else 1
        # the factor goes into the inner constants, so that no constant is redundant
        assert plain.c is not None
        if outer.name in EXPONENTS:
            e = EXPONENTS[outer.name]
            c = plain.c * factor ** (1 / e)
            if plain.name == "one":
                # c·φ keeps one sign on the rows, so that its power is real
                positive = sympy.Integer(1) if c[0] > 0 else sympy.Integer(-1)
                inner = positive * (1 + sympy.Integer(1 if kind.a > 0 else -1) * power(h, plain.k))
                value = sympy.Float(float(sign * np.abs(c[0]) ** e)) * inner ** sympy.Rational(e)
            elif e == 1:
                value = replace(plain, c=c).written(h)
            else:
                # K·(φ ± r)^e: a pure number beside φ is often recognised, a scaled one is not
                top = np.hypot(*c[:-1]) if len(c) > 2 else np.abs(c[0])
                inner = replace(plain, c=c / top).written(h)
                value = sympy.Float(float(sign * top**e)) * outer.inverse(inner)
        elif outer.name == "log":
            c = plain.c.copy()
            c[-1] += np.log(factor)
            value = sign * outer.inverse(replace(plain, c=c).written(h))
        else:
            value = outer.inverse(plain.written(h))
        return value * power(h, column.gauge) if column.gauge else value

    return write


def _rough(
    columns: list[Column],
    singles: tuple[list[Inner], Array],
    pairs: tuple[list[Inner], Array],
    scatter: float,
    n: int,
) -> list[tuple[float, Column, Inner]]:
    """Return the most promising combinations, by the share of n rows on the grid of rates."""
    V = np.array([c.weight for c in columns])
    G = np.array([c.G for c in columns])
    G = G - np.sum(V * G, axis=1, keepdims=True)
    total = np.sum(V * G * G, axis=1)[:, None]
    kinds, S = singles
    mean, num, square = V @ S, (V * G) @ S, V @ (S * S)
    share = 1 - num * num / (np.maximum(square - mean * mean, 1e-14 * square + TINY) * total)
    found = []
    best = np.array([c.back for c in columns])[:, None]
    for block, names in ((share, kinds), (_pair_share(V, G, total, pairs[1]), pairs[0])):
        if block.shape[1] == 0:
            continue
        group = np.array([n.group for n in names])
        price = np.array([n.price for n in names])[None] + np.array([c.price for c in columns])[:, None]
        rank = criterion.rank(block * best / best[0] * (1 - scatter) + scatter, price, n)
        rank[~np.isfinite(rank)] = np.inf
        for kind in np.unique(group):
            at = np.flatnonzero(group == kind)
            part = rank[:, at]
            # the best of each transform, then the best of all: one transform must not crowd out others
            winners = at[np.argmin(part, axis=1)]
            order = np.argsort(part.min(1), kind="stable")[: 24 if kind <= Group.EXP else 12]
            found += [(float(block[i, winners[i]]), columns[i], names[winners[i]]) for i in order]
            if kind == Group.POWER:
                flat = np.argsort(part, axis=None, kind="stable")[:12]
                rows, cols = np.unravel_index(flat, part.shape)
                found += [
                    (float(block[i, at[j]]), columns[i], names[at[j]])
                    for i, j in zip(rows, cols, strict=True)
                ]
    return list({(id(c), id(k)): (s, c, k) for s, c, k in found}.values())


def _of_one_number(
    columns: list[Column], u: Array, size: np.float64, scatter: float, n: int
) -> list[tuple[float, Column, Inner]]:
    """Return the best curves whose only free number is c: powers of c·(1 ± h^k), arcs and such of c·h^k.

    Where a group of columns is dimensionless such curves are common, 1/sqrt(1 - v²/c²) and asin(l/(n·d)) for
    two, and in noise the free constant of c·h^k + d costs more than it earns.
    """
    powers = [k for k in INNER_POWERS if (u > 0).all() or k == int(k)]
    ones = [Inner("one", k, s * size**k) for k in powers if 1e-200 < size**k < 1e200 for s in (1.0, -1.0)]
    bare = [Inner("bare", k) for k in powers]
    found = []
    for kinds, seen in (
        (ones, [c for c in columns if c.outer.name in EXPONENTS]),
        (bare, [c for c in columns if not c.outer.scaled]),
    ):
        if kinds and seen:
            found += _best_of(kinds, seen, columns[0].back, u, scatter, n)
    return found


def _best_of(
    kinds: list[Inner], columns: list[Column], unit: float, u: Array, scatter: float, n: int
) -> list[tuple[float, Column, Inner]]:
    """Return the best combinations c·φ(u) of kinds and targets by rank; `unit` is what shares are of."""
    X = np.column_stack([kind.values(u, kind.a)[0] for kind in kinds])
    signed = np.all(X > 0, axis=0) | np.all(X < 0, axis=0) | (np.array([k.name for k in kinds]) == "bare")
    kinds, X = [kind for kind, good in zip(kinds, signed, strict=True) if good], X[:, signed]
    V = np.array([c.weight for c in columns])
    G = np.array([c.G for c in columns])
    square, level = np.sum(V * G * G, axis=1)[:, None], np.sum(V * G, axis=1)[:, None]
    share = (square - ((V * G) @ X) ** 2 / (V @ (X * X))) / (square - level * level)
    back = np.array([c.back for c in columns])[:, None]
    price = np.array([kind.price for kind in kinds])[None] + np.array([c.price for c in columns])[:, None]
    rank = criterion.rank(share * back / unit * (1 - scatter) + scatter, price, n)
    rank[~np.isfinite(rank)] = np.inf
    order = np.argsort(rank, axis=None, kind="stable")[: min(WHOLE, int(np.isfinite(rank).sum()))]
    return [
        (float(share[i, j]), columns[i], kinds[j])
        for i, j in zip(*np.unravel_index(order, rank.shape), strict=True)
    ]


def _pair_share(V: Array, G: Array, total: Array, P: Array) -> Array:
    """Return the shares (targets, pairs) that a level and two neighbouring columns of P leave."""
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


def _share(column: Column, u: Array, kind: Inner, a: float) -> tuple[float, Array, float]:
    """Return the share, the linear coefficients, and the Gauss-Newton step in log a."""
    curves = kind.values(u, a)
    level = [] if kind.name in (*OF_ONE_NUMBER, *FRINGES) else [np.ones(len(u))]
    A = np.column_stack([*curves, *level])
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
    if kind.a and kind.name not in OF_ONE_NUMBER:
        J = np.column_stack(kind.slopes(u, a)) @ c[: len(curves)] * root
        J = J - Q @ (Q.T @ J)
        step = float(J @ r / (J @ J + TINY))
    return float(r @ r / (g @ g)), c, step


def _with_fringes(column: Column, u: Array, share: float, kind: Inner) -> list[tuple[float, Inner]]:
    """Return a fitted curve, where it is finite, and beside a wave the squares of a sine and of a cosine.

    Four numbers of A·sin(a·h + p) + d are two in them, which noise does not say of each by itself.
    """
    found = [(share, kind)]
    if kind.name == "sin" and column.outer.name in EXPONENTS:
        found += [_refine(column, u, Inner(name, kind.k, kind.a), 12) for name in FRINGES]
    return [(left, other) for left, other in found if np.isfinite(left)]


def _refine(column: Column, u: Array, kind: Inner, steps: int) -> tuple[float, Inner]:
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
    if kind.name == "sin" and a * np.ptp(u**kind.k) < BOW:
        bow = Inner("bow", kind.k)
        left, numbers, _ = _share(column, u, bow, 0.0)
        if left <= ALIKE * share:
            return left, replace(bow, c=numbers)
    return share, Inner(kind.name, kind.k, a, c)

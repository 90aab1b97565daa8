"""What is done to a curve's values before they are named: g(t·h^-j) for known transforms g and powers j."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import sympy

Array = np.ndarray
Transform = Callable[[Array], Array]
Inverse = Callable[[sympy.Expr], sympy.Expr]

GAUGES = (0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 4, -4, 1.5, -1.5, 5, -5)
"""Powers of h that a curve is divided by, the plain ones first."""

FLATTEST = 0.01
"""A power of h that divides a curve counts as at least this share of its median on the grid of rates."""


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


EXPONENTS = {"t": 1, "1/t": -1, "t^2": 0.5, "1/t^2": -0.5, "sqrt": 2, "1/sqrt": -2}


@dataclass(frozen=True, eq=False)
class Column:
    """Hold one transformed target: values G, weights, and how to undo the transform."""

    G: Array
    weight: Array
    back: float
    gauge: float
    outer: Outer
    unit: float
    price: float

    def take(self, rows: slice) -> Column:
        """Return the column on some rows."""
        v = self.weight[rows]
        return replace(self, G=self.G[rows], weight=v / v.sum())


def transformed(u: Array, t: Array, w: Array, flattest: float = 0.0) -> list[Column]:
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
            out.append(Column(G, v2, unit**2 * total * spread, j, g, unit, price))
    return out

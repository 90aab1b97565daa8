"""One edge of a network and the library: which functions its curve may be, and the edge with one of them.

The functions here read layers and return layers or matches; `kan` gives them names that a person calls.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kansym.functions.affine import fit_affine
from kansym.functions.graph import Symbolic
from kansym.functions.library import Function, get
from kansym.functions.matching import Match, match
from kansym.network.training import layers as lay
from kansym.network.training import reshape
from kansym.network.training.layers import Layer


def suggest(
    layer: Layer, i: int, j: int, x: np.ndarray, y: np.ndarray, error: float, library: Any, top: int
) -> list[Match]:
    """Return the library functions that fit the curve (x, y) of edge i -> j best, best first.

    The curve is taken to be known as well as the network knows its targets: in units of its spread, to
    `error`. A spline of C coefficients says only C things, however many rows it is read at: where it keeps
    further from all functions than that, what is left counts as error of C values.
    """
    if not error:
        return match(x, y, library=library, top=top)
    noise = error * float(y.std())
    found = match(x, y, library=library, top=top, noise=noise)
    if layer.size and layer.state[0, j, i] == lay.SPLINE:
        common = min(m.rmse for m in found) * max(len(x) / layer.size, 1.0) ** 0.5
        if common > noise:
            found = match(x, y, library=library, top=top, noise=common)
    return found


def fixed(
    layer: Layer,
    i: int,
    j: int,
    x: np.ndarray,
    y: np.ndarray,
    function: str | Function,
    constants: tuple[float, float, float, float] | None,
) -> Layer:
    """Return the layer with c·f(a·x + b) + d on edge i -> j, constants (a, b, c, d) fitted where None."""
    f = get(function) if isinstance(function, str) else function
    curve = fit_affine(x, y, f).curve if constants is None else Symbolic(f, *constants)
    return reshape.set_symbolic(layer, j, i, curve, x)

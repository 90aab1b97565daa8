"""The best of many starts for the price of a few: at some shares of the steps the worse part drops out.

Successive halving (Jamieson and Talwalkar, arXiv 1502.07943). Starts differ most in the first steps; those
that are far behind by then seldom come back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kansym.base.errors import InputError
from kansym.network.training.layers import SPLINE, Layer

MARKS = ((0.2, 2), (0.4, 4), (0.6, 8))
"""After this share of the steps one in so many goes on: 32 starts cost what 13 whole trainings do."""


SHARE = 0.2
"""Share of the rows on which the best start is chosen, where no others are given."""


def share(trained: bool, lamb: float) -> float | None:
    """Return the share of rows to choose on: none with sparsity, whose objective says what is wanted.

    Raises InputError for a trained network, which has no start left to draw again.
    """
    if trained:
        raise InputError("restarts begin a training anew, but this network is trained; make a new one.")
    return None if lamb else SHARE


def starts(stack: Sequence[Layer], number: int, seed: int) -> tuple[Layer, ...]:
    """Return the layers of one network with `number` members: itself, and others drawn as it was.

    Free curves get new coefficients of the same spread, and new base weights (2.12); the rest is the same.
    """
    rngs = [np.random.default_rng((seed, e)) for e in range(1, number)]
    return tuple(_drawn(layer, rngs) for layer in stack)


def _drawn(layer: Layer, rngs: Sequence[np.random.Generator]) -> Layer:
    """Return a layer with members of which all but the first have new random splines."""
    many = layer.pick([0] * (len(rngs) + 1))
    free = (layer.state[0] == SPLINE) & ~layer.locked
    if not free.any():
        return many
    spread = float(np.sqrt(np.mean(layer.coefficients[0][free] ** 2))) if layer.size else 0.0
    for e, rng in enumerate(rngs, start=1):
        coefficients = rng.normal(size=layer.coefficients.shape[1:]) * spread
        weights = rng.normal(size=free.shape) / np.sqrt(layer.inputs)
        many.coefficients[e][free] = coefficients[free]
        if layer.base is not None:
            many.weights[e][free] = weights[free]
    return many.tied()


def left(number: int, done: int, steps: int) -> int:
    """Return how many of `number` starts go on after `done` of the steps; one after all of them."""
    if done >= steps:
        return 1
    passed = [part for share, part in MARKS if done >= share * steps]
    return math.ceil(number / max(passed, default=1))


def pause(done: int, steps: int) -> int:
    """Return how many steps there are until some starts drop out, or until the end."""
    marks = [math.ceil(share * steps) for share, _ in MARKS]
    return min([m - done for m in (*marks, steps) if m > done], default=1)

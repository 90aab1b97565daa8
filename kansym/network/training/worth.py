"""Where a training runs faster: on the CPU at once, or on a device that must first be set up."""

from __future__ import annotations

from collections.abc import Sequence

from kansym.network.training.layers import Layer

ENTRY = 2.2e-11
"""CPU seconds for one entry of J'J and one row, all else included: 2.3 ms a step of one of many [6,5,1] (321
parameters) on 1000 rows and two cores. Smaller networks cost more an entry."""

EDGE = 1e-8
"""CPU seconds for one edge and one row, up and down: 20 ms a step of [10,10,10,1] on 10,000 rows."""

SETUP = 1.0
"""Seconds below which a device cannot win: its context, libraries, and the recording of the step."""


def device(stack: Sequence[Layer], rows: int, steps: int, second: bool = True) -> bool:
    """Tell whether `steps` of all members take longer on the CPU than a device takes to be ready.

    `second` for steps that need normal equations, else for gradients alone.
    """
    size = sum(layer.sums * (layer.inputs * (layer.size + 1) + 1) for layer in stack)
    edges = sum(layer.sums * layer.inputs for layer in stack)
    seconds = EDGE * edges + (ENTRY * size**2 if second else 0.0)
    return seconds * stack[0].members * rows * steps > SETUP

"""Where a training runs faster: on the CPU at once, or on a device that must first be set up."""

from __future__ import annotations

from collections.abc import Sequence

from kansym.network.training.layers import Layer

ROW, ENTRY = 1.9e-6, 2e-11
"""CPU seconds for one row, and for one entry of J'J and one row, of a step of Levenberg–Marquardt, with grids
that follow: within a factor of 1.4 of what 4 to 200 networks [2,5,1] and [6,5,1] took on 16 cores."""

EDGE = 1e-8
"""CPU seconds for one edge and one row, up and down: 20 ms a step of [10,10,10,1] on 10,000 rows."""

SETUP = 1.1
"""CPU seconds below which a device is not worth it: its context and libraries took the first training of a
process 0.95 s on an H200, and with that ready it takes a sixth to a ninth of the CPU's time."""


def device(stack: Sequence[Layer], rows: int, steps: int, second: bool = True) -> bool:
    """Tell whether `steps` of all members take longer on the CPU than a device takes to be ready.

    `second` for steps that need normal equations, else for gradients alone.
    """
    size = sum(layer.sums * (layer.inputs * (layer.size + 1) + 1) for layer in stack)
    edges = sum(layer.sums * layer.inputs for layer in stack)
    seconds = ROW + ENTRY * size**2 if second else EDGE * edges
    return seconds * stack[0].members * rows * steps > SETUP

"""A network as a function of torch tensors, for those who differentiate it by its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from kansym.network.tracing import Scaling
from kansym.network.training import tensors
from kansym.network.training.layers import Layer, pack


def module(layers: Sequence[Layer], scaling: Scaling) -> Callable[[Tensor], Tensor]:
    """Return the network as a function of a torch tensor (n, inputs), twice differentiable by it."""
    stack = tensors.Network(layers)
    theta = torch.from_numpy(np.array(pack(layers)))
    x_shift, x_scale, y_scale, y_shift = (
        torch.tensor(part, dtype=torch.float64)
        for part in (scaling.x_shift, scaling.x_scale, scaling.y_scale, scaling.y_shift)
    )

    def run(X: Tensor) -> Tensor:
        return stack(theta, (X - x_shift) / x_scale)[0][0] * y_scale + y_shift

    return run

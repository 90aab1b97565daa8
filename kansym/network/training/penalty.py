"""Sparsity of the paper (2.17)–(2.20) from the edges' mean absolute activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sparsity:
    """Weigh lambda·(mu1·sum_l |Phi_l|_1 + mu2·sum_l S(Phi_l)); `strength` may differ by member (E,)."""

    strength: float | Tensor = 0.0
    mu1: float = 1.0
    mu2: float = 1.0

    @cached_property
    def active(self) -> bool:
        """Tell whether there is anything to add."""
        return bool(torch.as_tensor(self.strength).abs().max() > 0)

    def value(self, magnitudes: Tensor, layers: Sequence[int]) -> Tensor:
        """Return the penalty (E,) of mean absolute activations (E, edges), `layers` edges in each layer."""
        total = torch.zeros_like(magnitudes[:, 0])
        for u in magnitudes.split(list(layers), dim=1):
            size = u.sum(1, keepdim=True).clamp_min(torch.finfo(u.dtype).tiny)
            entropy = -torch.special.xlogy(u / size, u / size).sum(1)
            total = total + self.mu1 * u.sum(1) + self.mu2 * entropy
        return total * torch.as_tensor(self.strength, dtype=total.dtype, device=total.device)

    def price(self, magnitudes: Tensor, layers: Sequence[int]) -> Tensor:
        """Return the derivative (E, edges) by every magnitude: lambda (mu1 - mu2 (log p + S)/|Phi|)."""
        parts = []
        for u in magnitudes.split(list(layers), dim=1):
            size = u.sum(1, keepdim=True).clamp_min(torch.finfo(u.dtype).tiny)
            p = u / size
            entropy = -torch.special.xlogy(p, p).sum(1, keepdim=True)
            parts.append(self.mu1 - self.mu2 * (p.clamp_min(1e-12).log() + entropy) / size)
        strength = torch.as_tensor(self.strength, dtype=magnitudes.dtype, device=magnitudes.device)
        return torch.cat(parts, 1) * strength.reshape(-1, 1)

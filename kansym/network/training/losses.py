"""Losses with what Gauss–Newton needs of them: value, slope, and a square root of the curvature, by row.

Each takes predictions (E, n, K) and targets (n, K) or (n,) as tensors. Writing a loss as sums over rows of
l(prediction), `slope` is dl/dprediction (E, n, K) and `factor` (E, n, F, K) has factor' factor ≈ l''.
A loss that cannot say so (a user's torch function) trains by LBFGS or Adam.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kansym.base.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class Squared:
    """Take the mean of (prediction - target)² over rows and outputs."""

    def rows(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every row (E, n)."""
        return ((prediction - target) ** 2).mean(-1)

    def expand(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return slope and factor."""
        k = prediction.shape[-1]
        eye = torch.eye(k, dtype=prediction.dtype, device=prediction.device) * (2.0 / k) ** 0.5
        return (prediction - target) * (2.0 / k), eye.expand(*prediction.shape, k)


@dataclass(frozen=True)
class Huber:
    """Take r²  for |r| <= delta and delta (2|r| - delta) beyond, r = prediction - target (Huber 1964)."""

    delta: float = 1.0

    def rows(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every row (E, n)."""
        r = (prediction - target).abs()
        return torch.where(r <= self.delta, r * r, self.delta * (2 * r - self.delta)).mean(-1)

    def expand(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return slope and factor, the weights of iterative reweighting."""
        k = prediction.shape[-1]
        r = prediction - target
        weight = (self.delta / r.abs().clamp_min(self.delta)) * (2.0 / k)
        return r * weight, torch.diag_embed(weight.sqrt())


@dataclass(frozen=True)
class CrossEntropy:
    """Take -log softmax(prediction)[class] for integer classes 0..K-1 (n,)."""

    def rows(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every row (E, n)."""
        scores = torch.log_softmax(prediction, -1)
        index = target.reshape(-1).long().expand(*prediction.shape[:-1])
        return -scores.gather(-1, index[..., None])[..., 0]

    def expand(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return slope and factor: the curvature diag(p) - p p' is sum_k p_k (e_k - p)(e_k - p)'."""
        p = torch.softmax(prediction, -1)
        eye = torch.eye(p.shape[-1], dtype=p.dtype, device=p.device)
        index = target.reshape(-1).long()
        return p - eye[index], p.sqrt()[..., :, None] * (eye - p[..., None, :])


@dataclass(frozen=True)
class GaussianHead:
    """Compare exp(-prediction²/(2 width²)) with a target of 1 (real row) or 0 (permuted row), paper 4.2."""

    width: float = 0.1

    def rows(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every row (E, n)."""
        return ((torch.exp(-0.5 * (prediction / self.width) ** 2) - target) ** 2).mean(-1)

    def expand(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return slope and factor."""
        k = prediction.shape[-1]
        head = torch.exp(-0.5 * (prediction / self.width) ** 2)
        inner = -prediction / self.width**2 * head
        return (2.0 / k) * (head - target) * inner, torch.diag_embed(inner.abs() * (2.0 / k) ** 0.5)


_NAMES = {"squared": Squared, "huber": Huber, "cross_entropy": CrossEntropy, "gaussian_head": GaussianHead}


def get(loss: object) -> object:
    """Return a loss by name, or the object itself if it has `rows` or can be called.

    Raises UnknownNameError for other names and InputError for other objects.
    """
    if isinstance(loss, str):
        if loss not in _NAMES:
            raise UnknownNameError("loss", loss, _NAMES)
        return _NAMES[loss]()
    if hasattr(loss, "rows") or callable(loss):
        return loss
    raise InputError(f"loss={loss!r} is neither a name, a loss object nor a function; try 'squared'.")


def second_order(loss: object) -> bool:
    """Tell whether Levenberg–Marquardt can use this loss."""
    return hasattr(loss, "expand")

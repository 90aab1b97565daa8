"""Losses with what Gauss–Newton needs of them: value, slope, and a square root of the curvature, by row.

Each takes predictions (E, n, K) and targets (n, K) or (n,) as tensors. Writing a loss as sums over rows of
l(prediction), `slope` is dl/dprediction (E, n, K); `expand` returns it and a `factor` (E, n, F, K) that has
factor' factor ≈ l''. A loss that cannot say so (a user's torch function) trains by LBFGS or Adam.
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

    def slope(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the derivative of every row's loss by its prediction."""
        return (prediction - target) * (2.0 / prediction.shape[-1])

    def expand(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return slope and factor."""
        k = prediction.shape[-1]
        eye = torch.eye(k, dtype=prediction.dtype, device=prediction.device) * (2.0 / k) ** 0.5
        return self.slope(prediction, target), eye.expand(*prediction.shape, k)


@dataclass(frozen=True)
class Huber:
    """Take r²  for |r| <= delta and delta (2|r| - delta) beyond, r = prediction - target (Huber 1964)."""

    delta: float = 1.0

    def rows(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every row (E, n)."""
        r = (prediction - target).abs()
        return torch.where(r <= self.delta, r * r, self.delta * (2 * r - self.delta)).mean(-1)

    def slope(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the derivative of every row's loss by its prediction."""
        return (prediction - target).clamp(-self.delta, self.delta) * (2.0 / prediction.shape[-1])

    def expand(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return slope and factor, the weights of iterative reweighting."""
        r = (prediction - target).abs().clamp_min(self.delta)
        weight = self.delta / r * (2.0 / prediction.shape[-1])
        return self.slope(prediction, target), torch.diag_embed(weight.sqrt())


@dataclass(frozen=True)
class CrossEntropy:
    """Take -log softmax(prediction)[class] for integer classes 0..K-1 (n,)."""

    def rows(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every row (E, n)."""
        scores = torch.log_softmax(prediction, -1)
        index = target.reshape(-1).long().expand(*prediction.shape[:-1])
        return -scores.gather(-1, index[..., None])[..., 0]

    def slope(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the derivative of every row's loss by its prediction."""
        eye = torch.eye(prediction.shape[-1], dtype=prediction.dtype, device=prediction.device)
        return torch.softmax(prediction, -1) - eye[target.reshape(-1).long()]

    def expand(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return slope and factor: the curvature diag(p) - p p' is sum_k p_k (e_k - p)(e_k - p)'."""
        p = torch.softmax(prediction, -1)
        eye = torch.eye(p.shape[-1], dtype=p.dtype, device=p.device)
        return self.slope(prediction, target), p.sqrt()[..., :, None] * (eye - p[..., None, :])


@dataclass(frozen=True)
class GaussianHead:
    """Compare exp(-prediction²/(2 width²)) with a target of 1 (real row) or 0 (permuted row), paper 4.2."""

    width: float = 0.1

    def rows(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every row (E, n)."""
        return ((torch.exp(-0.5 * (prediction / self.width) ** 2) - target) ** 2).mean(-1)

    def slope(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the derivative of every row's loss by its prediction."""
        head, inner = self._head(prediction)
        return (2.0 / prediction.shape[-1]) * (head - target) * inner

    def expand(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return slope and factor."""
        inner = self._head(prediction)[1]
        factor = torch.diag_embed(inner.abs() * (2.0 / prediction.shape[-1]) ** 0.5)
        return self.slope(prediction, target), factor

    def _head(self, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """Return exp(-prediction²/(2 width²)) and its derivative."""
        head = torch.exp(-0.5 * (prediction / self.width) ** 2)
        return head, -prediction / self.width**2 * head


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

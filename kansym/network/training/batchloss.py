"""What a device makes small: loss, penalties, gradient and Gauss–Newton matrix of all members on all rows.

What `problem` is for the compiled kernels. Shapes never change, and rows pass in parts whose Jacobian fits.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kansym.network.training import layers as lay
from kansym.network.training.batched import Stack, Trail
from kansym.network.training.layers import Layer

ON_CPU, ON_DEVICE, SHARE = 1 << 28, 1 << 32, 0.3
"""Bytes that rows in work may fill: in main memory, on a device at most, and as a share of what is free."""

_FEWEST = 16
"""Rows that are taken at once, at least, however little memory there is."""

ALIGNED = 8
"""Columns of J and of J'J come in multiples of this, with at least one to spare, so that every row begins at
a multiple of 64 bytes (32 in float32), as the fast products want it."""


class Rows:
    """Hold rows on the device with the first layer's basis, which only changes with its grid."""

    def __init__(self, stack: Stack, X: np.ndarray, y: Tensor, weights: Tensor | None, kept: bool) -> None:
        self.X = torch.from_numpy(np.ascontiguousarray(X)).to(stack.device, stack.dtype)
        self.y = y.to(stack.device, stack.dtype)
        self.weights = None if weights is None else weights.to(stack.device, stack.dtype)
        self.own = stack.first(self.X) if kept else None

    def __len__(self) -> int:
        return len(self.X)

    def first(self, stack: Stack, part: slice) -> Tensor:
        """Return the first layer's basis of some rows."""
        return stack.first(self.X[part]) if self.own is None else self.own[:, part]

    def load(self, stack: Stack) -> None:
        """Follow a first layer whose grid has moved."""
        if self.own is not None:
            self.own.copy_(stack.first(self.X))


class Objective:
    """Compute loss, penalties, gradient and Gauss–Newton matrix of all members, part by part of the rows.

    `second` makes room for the Jacobian that the matrix needs.
    """

    def __init__(
        self,
        stack: Sequence[Layer],
        data: tuple[np.ndarray, Tensor, Tensor | None],
        held: tuple[np.ndarray, Tensor] | None,
        loss: Any,
        device: str,
        dtype: torch.dtype,
        part: int = 0,
        second: bool = True,
    ) -> None:
        self.stack, self.loss = Stack(stack, device, dtype), loss
        self.factors = _factors(loss, self.stack, data[1]) if second else 0
        size = self.stack.parameters
        self.columns = ALIGNED * (size // ALIGNED + 1)
        width = self.columns * self.factors + 6 * sum(b.width for b in self.stack.blocks)
        self.part = part or _rows_that_fit(self.stack.members * width * dtype.itemsize, device, len(data[0]))
        kept = self.part >= len(data[0])
        self.rows = Rows(self.stack, *data, kept)
        self.held = None if held is None else Rows(self.stack, *held, None, kept)
        shape = (self.stack.members, self.part, self.factors, self.columns)
        self.J = torch.zeros(shape, dtype=dtype, device=device)
        self.alpha = torch.zeros((), dtype=dtype, device=device)
        found = lay.smoothing(stack)
        self.smoothing = [
            (torch.from_numpy(a).to(device), torch.from_numpy(d).to(device, dtype)) for a, d in found
        ]
        rough = np.zeros((self.columns, self.columns))
        for at, d in found:
            for edge in at:
                rough[np.ix_(edge, edge)] += 2 * d.T @ d
        self.rough = torch.from_numpy(rough).to(device, dtype)

    def load(self, stack: Sequence[Layer], smoothness: float) -> None:
        """Take over grids, masks and smoothness."""
        self.stack.load(stack)
        self.alpha.fill_(smoothness)
        for rows in (self.rows, self.held):
            if rows is not None:
                rows.load(self.stack)

    def value(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return objective and loss (E,)."""
        loss = self._mean(theta, self.rows)
        return loss + self.bending(theta), loss

    def held_out(self, theta: Tensor) -> Tensor:
        """Return the loss (E,) of the held-out rows."""
        assert self.held is not None
        return self._mean(theta, self.held)

    def _mean(self, theta: Tensor, rows: Rows) -> Tensor:
        """Return each member's mean loss, rows taken part by part."""
        total = theta.new_zeros(self.stack.members)
        for part in _parts(len(rows), self.part):
            found = self.loss.rows(self.stack.up(theta, rows.first(self.stack, part)), rows.y[part])
            if rows.weights is not None:
                found = found * rows.weights[:, part]
            total += found.sum(1)
        return total / len(rows)

    def bending(self, theta: Tensor) -> Tensor:
        """Return the smoothness penalty (E,)."""
        total = theta.new_zeros(self.stack.members)
        for at, d in self.smoothing:
            total = total + (theta[:, at] @ d.T).square().sum((1, 2))
        return self.alpha * total

    def system(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return objective and loss (E,), gradient (E, P) and Gauss–Newton matrix (E, C, C).

        C = `columns`, P and some more for alignment. Zeros for what is not free, and beyond P.
        """
        rows, stack = self.rows, self.stack
        matrix = (self.alpha * self.rough).expand(stack.members, -1, -1)
        loss, gradient = theta.new_zeros(stack.members), self._bent(theta)
        for part in _parts(len(rows), self.part):
            trails: list[Trail] = []
            prediction = stack.up(theta, rows.first(stack, part), trails)
            found, (slope, factor) = (f(prediction, rows.y[part]) for f in (self.loss.rows, self.loss.expand))
            w = 1.0 / len(rows)
            if rows.weights is not None:
                weight = rows.weights[:, part] * w
                found, slope = found * weight, slope * weight[..., None]
                factor = factor * weight.sqrt()[..., None, None]
            else:
                found, slope, factor = found * w, slope * w, factor * w**0.5
            J = self.J[:, : part.stop - part.start]
            loss = loss + found.sum(1)
            gradient = gradient + stack.down(theta, trails, torch.cat([factor, slope[:, :, None]], 2), J)
            flat = J.flatten(1, 2)
            matrix = torch.baddbmm(matrix, flat.transpose(1, 2), flat)
        if stack.masked:
            free = self.padded(stack.free).to(matrix.dtype)
            matrix.mul_(free[:, :, None]).mul_(free[:, None, :])
        return loss + self.bending(theta), loss, gradient * stack.free, matrix

    def padded(self, values: Tensor) -> Tensor:
        """Return values (E, P) with zeros up to (E, C)."""
        return torch.nn.functional.pad(values, (0, self.columns - values.shape[1]))

    def slope(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return objective (E,) and gradient (E, P)."""
        rows, stack = self.rows, self.stack
        total, gradient = theta.new_zeros(stack.members), self._bent(theta)
        for part in _parts(len(rows), self.part):
            weights = None if rows.weights is None else rows.weights[:, part]
            found, slope = self._some(theta, rows.first(stack, part), rows.y[part], weights)
            total, gradient = total + found / len(rows), gradient + slope / len(rows)
        return total + self.bending(theta), gradient * stack.free

    def slope_of(self, theta: Tensor, index: Tensor) -> Tensor:
        """Return the gradient (E, P) of the rows `index` alone."""
        rows = self.rows
        own = self.stack.first(rows.X[index]) if rows.own is None else rows.own[:, index]
        weights = None if rows.weights is None else rows.weights[:, index]
        slope = self._some(theta, own, rows.y[index], weights)[1] / len(index)
        return (slope + self._bent(theta)) * self.stack.free

    def _some(self, theta: Tensor, own: Tensor, y: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the sum of the loss (E,) over some rows and its gradient (E, P)."""
        trails: list[Trail] = []
        prediction = self.stack.up(theta, own, trails)
        loss, slope = self.loss.rows(prediction, y), self.loss.expand(prediction, y)[0]
        if weights is not None:
            loss, slope = loss * weights, slope * weights[..., None]
        return loss.sum(1), self.stack.down(theta, trails, slope[:, :, None], None)

    def _bent(self, theta: Tensor) -> Tensor:
        """Return the gradient (E, P) of the smoothness penalty."""
        out = torch.zeros_like(theta)
        for at, d in self.smoothing:
            out[:, at] += 2 * self.alpha * ((theta[:, at] @ d.T) @ d)
        return out


def _factors(loss: Any, stack: Stack, y: Tensor) -> int:
    """Return how many factors F the loss's curvature has a row."""
    some = torch.zeros(1, 1, stack.outputs, dtype=stack.dtype)
    return int(loss.expand(some, y[:1].cpu().to(torch.long if y.ndim == 1 else stack.dtype))[1].shape[2])


def _rows_that_fit(bytes_a_row: int, device: str, rows: int) -> int:
    """Return how many rows fit in the memory that may be used."""
    limit = ON_CPU
    if device.startswith("cuda"):
        limit = int(min(ON_DEVICE, SHARE * torch.cuda.mem_get_info(torch.device(device).index)[0]))
    return int(max(_FEWEST, min(rows, limit // bytes_a_row)))


def _parts(rows: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


@contextlib.contextmanager
def recordable() -> Iterator[None]:
    """Have linear algebra on CUDA done by cuSOLVER, whose batched Cholesky can be recorded."""
    if not torch.cuda.is_available():
        yield
        return
    before = torch.backends.cuda.preferred_linalg_library()
    torch.backends.cuda.preferred_linalg_library("cusolver")
    try:
        yield
    finally:
        torch.backends.cuda.preferred_linalg_library(before)


def smaller(part: int, rows: int) -> int:
    """Return half the rows of a part that did not fit, and say so; raises OutOfMemoryError at the least."""
    new = min(part, rows) // 2
    if new < _FEWEST:
        raise torch.OutOfMemoryError(f"Not even {part} rows of the Jacobian fit on the device.")
    warnings.warn(f"{part} rows at once do not fit on the device; going on with {new}.", stacklevel=3)
    return new

"""What is to be made small: data, loss, sparsity and smoothness, on compiled kernels or on torch tensors.

A `Problem` gives objective, gradient and Gauss–Newton matrix for all members of an ensemble; how they are
computed (`compiled` on the CPU, `tensors` anywhere) is not visible to the optimisers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kansym.network.training import layers, tensors
from kansym.network.training.compiled import Engine
from kansym.network.training.layers import Layer
from kansym.network.training.penalty import Sparsity
from kansym.network.training.plan import supported

_BATCH = 1 << 16
"""Rows that are evaluated at once, so that memory stays bounded."""
_ALL = slice(None)
_KINDS = {torch.float64: np.float64, torch.float32: np.float32}


@dataclass(frozen=True, eq=False)
class State:
    """Hold parameters (E, P) with objective (E,), loss (E,), magnitudes (E, edges), predictions (E, n, K)."""

    theta: Tensor
    objective: Tensor
    loss: Tensor
    magnitudes: Tensor
    prediction: Tensor

    def mix(self, other: State, good: Tensor) -> State:
        """Return the other state for the `good` members (E,) and this one for the rest."""
        if good.all():
            return other
        if not good.any():
            return self
        return State(
            *(
                torch.where(good.reshape(-1, *[1] * (a.ndim - 1)), b, a)
                for a, b in zip(self.parts(), other.parts(), strict=True)
            )
        )

    def parts(self) -> tuple[Tensor, ...]:
        """Return the tensors, each by member first."""
        return self.theta, self.objective, self.loss, self.magnitudes, self.prediction


@dataclass(frozen=True, eq=False)
class Problem:
    """Hold rows X (n, inputs), targets, row weights (E or 1, n) of mean 1, loss, sparsity and smoothness."""

    layers: tuple[Layer, ...]
    X: np.ndarray
    y: Tensor
    loss: Any
    weights: Tensor | None = None
    sparsity: Sparsity = field(default_factory=Sparsity)
    smoothness: float = 0.0
    batch: int = _BATCH
    device: str = "cpu"
    dtype: torch.dtype = torch.float64

    @property
    def members(self) -> int:
        """Return the ensemble size E."""
        return self.layers[0].members

    @cached_property
    def edges(self) -> list[int]:
        """Return the number of edges of each layer."""
        return [layer.sums * layer.inputs for layer in self.layers]

    @cached_property
    def free(self) -> Tensor:
        """Return which parameters may change (E, P)."""
        return torch.from_numpy(layers.free(self.layers)).to(self.device)

    @cached_property
    def letters(self) -> Tensor:
        """Return which parameters belong to symbolic edges (P,)."""
        return torch.from_numpy(layers.letters(self.layers)).to(self.device)

    @cached_property
    def _engine(self) -> Engine:
        return Engine(self.layers, _KINDS[self.dtype])

    @cached_property
    def _numbers(self) -> np.ndarray:
        return np.ascontiguousarray(self.X, _KINDS[self.dtype])

    @cached_property
    def _smoothing(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return the matrices of the penalty on rough splines, by layer."""
        found = layers.smoothing(self.layers) if self.smoothness else []
        return [
            (
                torch.from_numpy(at).to(self.device),
                torch.from_numpy(d).to(self.device, self.dtype),
                torch.from_numpy(d.T @ d).to(self.device, self.dtype),
            )
            for at, d in found
        ]

    @cached_property
    def _ties(self) -> Tensor | None:
        found = layers.ties(self.layers)
        return None if found is None else torch.from_numpy(found).to(self.device)

    def tied(self, theta: Tensor) -> Tensor:
        """Return the parameters (E, P) with those that share a value set to it."""
        return theta if self._ties is None else theta.gather(1, self._ties)

    @cached_property
    def _fixed(self) -> Tensor:
        return torch.nonzero(~self.free.all(0))[:, 0]

    @cached_property
    def compiled(self) -> bool:
        """Tell whether `compiled` can do this, on the CPU; else `tensors` does it, anywhere."""
        return self.device == "cpu" and self.dtype in _KINDS and supported(self.layers)

    @cached_property
    def _network(self) -> tensors.Network:
        return tensors.Network(self.layers, self.device, self.dtype)

    @cached_property
    def _rows(self) -> Tensor:
        return torch.from_numpy(self.X).to(self.device, self.dtype)

    def on(self, X: np.ndarray, y: np.ndarray) -> Problem:
        """Return the bare loss of the same networks on other rows, to be asked often."""
        target = torch.from_numpy(np.ascontiguousarray(y)).to(self.device, self.dtype)
        new = Problem(self.layers, X, target, self.loss, device=self.device, dtype=self.dtype)
        if self.compiled:
            new.__dict__["_engine"] = self._engine
        return new

    def predict(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return predictions (E, n, K) and mean absolute activations (E, edges)."""
        if not self.compiled:
            parts = self._rows.split(self._chunk)
            with torch.no_grad():
                found = [self._network(theta, part) for part in parts]
            share = [len(part) / len(self.X) for part in parts]
            return (
                torch.cat([a for a, _ in found], 1),
                torch.stack([w * u for w, (_, u) in zip(share, found, strict=True)]).sum(0),
            )
        values = self._engine.values(theta.numpy(), self._numbers, self.sparsity.active)
        return torch.from_numpy(values[0]), torch.from_numpy(values[1])

    def fidelity(self, theta: Tensor) -> Tensor:
        """Return the loss (E,) without penalties."""
        return self._weighted(self.loss.rows(self.predict(theta)[0], self.y))

    def state(self, theta: Tensor) -> State:
        """Return objective, loss, magnitudes and predictions at theta (E, P)."""
        theta = self.tied(theta)
        if not hasattr(self.loss, "rows"):
            with torch.enable_grad():
                value = self.differentiable(theta, slice(None)).detach()
            return State(theta, value, value, value[:, None], value[:, None, None])
        prediction, magnitudes = self.predict(theta)
        loss = self._weighted(self.loss.rows(prediction, self.y))
        total = loss
        if self.sparsity.active:
            total = total + self.sparsity.value(magnitudes, self.edges)
        return State(theta, total + self._roughness(theta), loss, magnitudes, prediction)

    def _roughness(self, theta: Tensor) -> Tensor:
        """Return the smoothness penalty (E,).

        Squares of differences, never c'(D'D)c: sixth differences of smooth coefficients are 1e-10 of them
        and less, so the form's rounding is larger than its value, even negative, and hides what a step gains.
        """
        total = theta.new_zeros(len(theta))
        for at, d, _ in self._smoothing:
            total = total + self.smoothness * (theta[:, at] @ d.T).square().sum((1, 2))
        return total

    def normal(
        self, state: State, wanted: Tensor, before: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return gradient (E, P) and Gauss–Newton matrix (E, P, P) at a state, new for the members `wanted`.

        The others keep what they have in `before`, which may be overwritten: 200 matrices fill 165 MB, and
        asking the system for that at every step costs as much as filling it. What may not change has zeros.
        """
        if not self.compiled:
            g, h = self._completed(state.theta, *self._normal(state))
            if before is None or bool(wanted.all()):
                return g, h
            return (
                torch.where(wanted[:, None], g, before[0]),
                torch.where(wanted[:, None, None], h, before[1]),
            )
        if before is None:
            size = state.theta.shape[1]
            before = (
                state.theta.new_zeros(self.members, size),
                state.theta.new_zeros(self.members, size, size),
            )
        before[0][wanted], before[1][wanted] = 0.0, 0.0
        n = len(self.X)
        penalty = self._price(state).numpy(), state.magnitudes.numpy()
        for start in range(0, n, self.batch):
            part = slice(start, start + self.batch)
            slope, factor = self._expanded(state.prediction[:, part], part)
            self._engine.add_normal(
                wanted.numpy(),
                state.theta.numpy(),
                self._numbers[part],
                (slope.contiguous().numpy(), factor.contiguous().numpy()),
                penalty,
                (before[0].numpy(), before[1].numpy()),
            )
        if bool(wanted.all()):
            return self._completed(state.theta, *before)
        at = torch.nonzero(wanted)[:, 0]
        before[0][at], before[1][at] = self._completed(state.theta[at], before[0][at], before[1][at], at)
        return before

    def _expanded(self, prediction: Tensor, part: slice) -> tuple[Tensor, Tensor]:
        """Return slope and factor of the loss of some rows, as their share of the mean over all."""
        slope, factor = self.loss.expand(prediction, self.y[part])
        w = 1.0 / len(self.X) if self.weights is None else self.weights[:, part] / len(self.X)
        w = torch.as_tensor(w, dtype=slope.dtype, device=slope.device)
        return slope * w[..., None], factor * w.sqrt()[..., None, None]

    def _price(self, state: State) -> Tensor:
        """Return the penalties' derivative by every edge's sum of |phi| (E, edges), (E, 0) without any."""
        if not self.sparsity.active:
            return state.theta.new_zeros(self.members, 0)
        return self.sparsity.price(state.magnitudes, self.edges) / len(self.X)

    @property
    def _chunk(self) -> int:
        """Return how many rows tensors take at once, about 256 MB of Jacobian."""
        size = self.members * self.free.shape[1] * self.layers[-1].nodes
        return max(16, min(len(self.X), (1 << 25) // size))

    def _normal(self, state: State) -> tuple[Tensor, Tensor]:
        """Return the gradient and J'J of all members, rows taken part by part."""
        theta = state.theta
        gradient, hessian = torch.zeros_like(theta), theta.new_zeros(*theta.shape, theta.shape[1])
        start = 0
        for rows in self._rows.split(self._chunk):
            part = slice(start, start + len(rows))
            start += len(rows)
            prediction, jacobian = self._network.jacobian(theta, rows)
            slope, factor = self._expanded(prediction, part)
            gradient += torch.einsum("enk,enkp->ep", slope, jacobian)
            root = torch.einsum("enfk,enkp->enfp", factor, jacobian)
            root = root.flatten(1, 2)
            hessian += root.transpose(1, 2) @ root
        if self.sparsity.active:
            x = theta.detach().clone().requires_grad_(True)
            with torch.enable_grad():
                _, u = self._network(x, self._rows)
                value = self.sparsity.value(u, self.edges)
                slope = torch.autograd.grad(value.sum(), x)[0]
            gradient += slope
            for rows in self._rows.split(self._chunk):
                self._network.penalty(theta, rows, self._price(state), state.magnitudes, hessian)
        return gradient, hessian

    def bend(self, state: State, direction: Tensor) -> Tensor:
        """Return J' W f'' (E, P), f'' the predictions' second derivative along a direction (E, P).

        W is the loss's curvature by row, f'' a central difference over a fifth of the direction.
        """
        h = 0.1
        ahead, behind = (self.predict(self.tied(state.theta + s * direction))[0] for s in (h, -h))
        _, factor = self.loss.expand(state.prediction, self.y)
        w = 1.0 / len(self.X) if self.weights is None else self.weights[..., None] / len(self.X)
        second = (ahead - 2 * state.prediction + behind) / h**2
        pull = w * (factor.transpose(2, 3) @ (factor @ second[..., None]))[..., 0]
        if self.compiled:
            none = np.zeros((self.members, 0), _KINDS[self.dtype])
            found = torch.from_numpy(
                self._engine.pull_back(state.theta.numpy(), self._numbers, pull.contiguous().numpy(), none)
            )
        else:
            x = state.theta.detach().clone().requires_grad_(True)
            parts = zip(self._rows.split(self._chunk), pull.split(self._chunk, dim=1), strict=True)
            found = torch.zeros_like(x)
            with torch.enable_grad():
                for rows, part in parts:
                    found += torch.autograd.grad((self._network(x, rows)[0] * part).sum(), x)[0]
        if self._ties is not None:
            found = torch.zeros_like(found).scatter_add(1, self._ties, found)
        return found * self.free

    def slope(
        self, theta: Tensor, part: Tensor | slice = _ALL, known: State | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return objective (E,) and gradient (E, P) of some rows; `known` is the state of all rows there.

        Forward and backward go through the compiled kernels where they can; the loss alone is differentiated
        by torch.
        """
        if not (self.compiled and hasattr(self.loss, "rows")):
            x = theta.detach().clone().requires_grad_(True)
            with torch.enable_grad():
                value = self.differentiable(x, part)
                found = torch.autograd.grad(value.sum(), x)[0]
            return value.detach(), found * self.free
        theta = self.tied(theta)
        X = self._numbers[part if isinstance(part, slice) else part.numpy()]
        weights = None if self.weights is None else self.weights[:, part]
        if known is None:
            *values, descend = self._engine.ascend(theta.numpy(), X, self.sparsity.active)
            prediction, magnitudes = (torch.from_numpy(part) for part in values)
        else:
            prediction, magnitudes = known.prediction, known.magnitudes
            descend = partial(self._engine.pull_back, theta.numpy(), X)
        value, pull = self._pull(prediction, self.y[part], weights)
        price = theta.new_zeros(self.members, 0)
        if self.sparsity.active:
            value = value + self.sparsity.value(magnitudes, self.edges)
            price = self.sparsity.price(magnitudes, self.edges) / len(X)
        slope = descend(pull.contiguous().numpy(), price.numpy())
        for at, d, _ in self._smoothing:
            rough = self._engine.bend(theta.numpy(), at.numpy(), d.numpy(), self.smoothness, slope)
            value = value + torch.from_numpy(rough)
        found = torch.from_numpy(slope)
        if self._ties is not None:
            found = torch.zeros_like(found).scatter_add(1, self._ties, found)
        return value, found * self.free

    def differentiable(self, theta: Tensor, part: Tensor | slice) -> Tensor:
        """Return the objective (E,) of some rows as a tensor that remembers its gradient."""
        theta = self.tied(theta)
        X, y = self._rows[part], self.y[part]
        if not hasattr(self.loss, "rows"):
            value = self._custom(theta, X, y)
            prediction_u = None
        else:
            prediction, prediction_u = self._network(theta, X)
            rows = self.loss.rows(prediction, y)
            value = (rows if self.weights is None else rows * self.weights[:, part]).mean(1)
        if self.sparsity.active:
            u = self._network(theta, X)[1] if prediction_u is None else prediction_u
            value = value + self.sparsity.value(u, self.edges)
        return value + self._roughness(theta)

    def _pull(self, prediction: Tensor, y: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the loss (E,) of some rows and its derivative by their predictions (E, n, K)."""
        if hasattr(self.loss, "slope"):
            rows, pull = self.loss.rows(prediction, y), self.loss.slope(prediction, y) / len(y)
            if weights is not None:
                rows, pull = rows * weights, pull * weights[..., None]
            return rows.mean(1), pull
        with torch.enable_grad():
            leaf = prediction.detach().requires_grad_(True)
            rows = self.loss.rows(leaf, y)
            value = (rows if weights is None else rows * weights).mean(1)
            return value.detach(), torch.autograd.grad(value.sum(), leaf)[0]

    def _custom(self, theta: Tensor, X: Tensor, y: Tensor) -> Tensor:
        """Return a user's loss(network, X, y) for one member; network(points) gives (n, K)."""

        def network(points: Tensor) -> Tensor:
            return self._network(theta, points)[0][0]

        return self.loss(network, X, y).reshape(1)

    def solve(self, hessian: Tensor, extra: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return -(hessian + diag(extra))^-1 gradient (E, P) and where that failed (E,)."""
        if self.compiled:
            delta, bad = self._engine.solve(hessian.numpy(), extra.numpy(), gradient.numpy())
            return torch.from_numpy(delta), torch.from_numpy(bad)
        damped = hessian.clone()
        damped.diagonal(dim1=1, dim2=2).add_(extra)
        factor, info = torch.linalg.cholesky_ex(damped)
        failed = info != 0
        if bool(failed.any()):
            factor = torch.where(failed[:, None, None], torch.eye(factor.shape[1]).to(factor), factor)
        return -torch.cholesky_solve(gradient[..., None], factor)[..., 0], failed

    def _completed(
        self, theta: Tensor, g: Tensor, h: Tensor, members: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Add the smoothness penalty; sum over what shares a value; put zeros where nothing may change."""
        for at, d, gram in self._smoothing:
            g[:, at] += 2 * self.smoothness * (theta[:, at] @ d.T) @ d
            h[:, at[:, :, None], at[:, None, :]] += 2 * self.smoothness * gram
        if self._ties is not None:
            index = self._ties if members is None else self._ties[members]
            g = torch.zeros_like(g).scatter_add(1, index, g)
            h = torch.zeros_like(h).scatter_add(1, index[:, :, None].expand_as(h), h)
            h = torch.zeros_like(h).scatter_add(2, index[:, None, :].expand_as(h), h)
        fixed = self._fixed
        if len(fixed):
            free = (self.free if members is None else self.free[members])[:, fixed].to(g.dtype)
            g[:, fixed] *= free
            h[:, fixed] *= free[:, :, None]
            h[:, :, fixed] *= free[:, None, :]
        return g, h

    def _weighted(self, rows: Tensor) -> Tensor:
        return (rows if self.weights is None else rows * self.weights).mean(1)

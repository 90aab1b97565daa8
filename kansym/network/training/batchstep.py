"""Levenberg–Marquardt and Adam on a device: whole steps there, the host looks every few of them.

The same mathematics as `levenberg` and `gradient`. Acceptance, damping and the choice of the best held-out
parameters are `where` on the device.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from kansym.network.training.batchloss import Objective

LOOK = 10
"""Steps between two looks of the host; a look costs a transfer and an empty pipeline, some 0.05 ms."""


class Progress:
    """Hold the state of a training on a device: parameters, the best of them, and a log of the last steps."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        e, size = objective.stack.members, objective.stack.parameters
        self.theta, self.value, self.loss = self.kept(e, size), self.kept(e), self.kept(e)
        self.best, self.best_held = self.kept(e, size), self.kept(e)
        self.log = self.kept(LOOK, 3, e)  # loss, objective and held-out loss since the last look
        self.at = torch.zeros(1, dtype=torch.long, device=objective.stack.device)

    def kept(self, *shape: int) -> Tensor:
        """Return zeros that stay where they are."""
        stack = self.objective.stack
        return torch.zeros(shape, dtype=stack.dtype, device=stack.device)

    def restart(self, theta: Tensor) -> None:
        """Start from parameters (E, P)."""
        self.theta.copy_(theta)
        value, loss = self.objective.value(self.theta)
        self.value.copy_(value)
        self.loss.copy_(loss)
        self.best.copy_(theta)
        self.best_held.fill_(float("inf"))
        self.at.zero_()

    def note(self) -> None:
        """Write loss, objective and held-out loss into the log; keep the best parameters by the last."""
        held = self.loss
        if self.objective.held is not None:
            held = self.objective.held_out(self.theta)
            held = torch.where(torch.isfinite(held), held, float("inf"))
            better = held < self.best_held
            self.best.copy_(torch.where(better[:, None], self.theta, self.best))
            self.best_held.copy_(torch.minimum(held, self.best_held))
        self.log.index_copy_(0, self.at, torch.stack([self.loss, self.value, held])[None])
        self.at.add_(1)

    def look(self) -> np.ndarray:
        """Return the log (steps, 3, E) since the last look."""
        found = self.log[: int(self.at)].to("cpu", copy=True).numpy()
        self.at.zero_()
        return found


class Levenberg(Progress):
    """Advance a training by whole trials of Levenberg–Marquardt, in place.

    The system at the last point taken is kept, so that one pass through the rows serves both the judgement of
    a trial and the next step from it.
    """

    def __init__(self, objective: Objective) -> None:
        super().__init__(objective)
        e, columns = objective.stack.members, objective.columns
        self.damping, self.grow = self.kept(e), self.kept(e)
        self.gradient, self.matrix = self.kept(*self.theta.shape), self.kept(e, columns, columns)
        self.tiny = torch.finfo(self.theta.dtype).tiny

    def restart(self, theta: Tensor) -> None:
        """Stand at parameters (E, P) not looked at yet: the next trial stays there and is taken."""
        self.theta.copy_(theta)
        for unknown in (self.value, self.loss, self.best_held):
            unknown.fill_(float("inf"))
        self.gradient.zero_()
        self.matrix.zero_()
        self.best.copy_(theta)
        self.at.zero_()

    def begin(
        self, theta: Tensor, damping: Tensor | float, advance: Callable[[], None] | None = None
    ) -> None:
        """Start from parameters (E, P) with damping (E,) or one for all; `advance` is a recorded step."""
        self.restart(theta)
        self.damping.fill_(1.0)
        (advance or self.advance)()
        self.damping.copy_(torch.as_tensor(damping, dtype=theta.dtype))
        self.grow.fill_(2.0)
        self.best_held.fill_(float("inf"))
        self.at.zero_()

    def advance(self) -> None:
        """Try one step for every member; keep it where the objective falls."""
        objective = self.objective
        free = objective.padded(objective.stack.free)
        whole = self.matrix.diagonal(dim1=1, dim2=2)
        diagonal = whole.clone()
        floor = (1e-8 * diagonal.amax(1, keepdim=True)).clamp_min(self.tiny**0.5)
        scale = torch.where(free, torch.maximum(diagonal, floor), 1.0)
        extra = torch.where(free, self.damping[:, None] * scale, 1.0)
        whole.add_(extra)
        delta, failed = _solved(self.matrix, self.gradient)
        whole.copy_(diagonal)
        trial = self.theta + delta
        value, loss, gradient, matrix = objective.system(trial)
        size = delta.shape[1]
        expected = 0.5 * (delta * (extra[:, :size] * delta * free[:, :size] - self.gradient)).sum(1)
        ratio = (self.value - value) / expected.clamp_min(self.tiny)
        good = torch.isfinite(value) & (value < self.value) & ~failed
        for kept, new in (
            (self.theta, trial),
            (self.value, value),
            (self.loss, loss),
            (self.gradient, gradient),
            (self.matrix, matrix),
        ):
            torch.where(good.reshape(-1, *[1] * (new.ndim - 1)), new, kept, out=kept)
        shrink = (1 - (2 * ratio - 1) ** 3).clamp(1 / 3, 1.0)
        self.damping.copy_(
            torch.where(good, self.damping * shrink, self.damping * self.grow).clamp(1e-15, 1e15)
        )
        self.grow.copy_(torch.where(good, torch.full_like(self.grow, 2.0), self.grow * 2))
        self.note()


class Adam(Progress):
    """Advance a training by steps of Adam (Kingma and Ba, arXiv 1412.6980), in place.

    With all rows in a step, the log has values before each step; with mini-batches, the host takes note after
    each turn through the rows.
    """

    BETA, SLOWER, EPS = 0.9, 0.999, 1e-8
    """Decay of the mean slope and of the mean squared slope, and what keeps the quotient finite."""

    def __init__(self, objective: Objective, rate: float, batch: int) -> None:
        super().__init__(objective)
        self.rate, self.batch = rate, batch
        self.mean, self.square = torch.zeros_like(self.theta), torch.zeros_like(self.theta)
        self.count = self.kept(1)
        self.index = torch.arange(batch, device=self.theta.device)
        self.low, self.lowest = torch.zeros_like(self.theta), self.kept(len(self.value))

    def begin(self, theta: Tensor) -> None:
        """Start from parameters (E, P), without a memory of slopes."""
        self.restart(theta)
        for kept in (self.mean, self.square, self.count):
            kept.zero_()
        self.low.copy_(theta)
        self.lowest.copy_(self.value)

    def advance(self) -> None:
        """Take a step by all rows."""
        value, gradient = self.objective.slope(self.theta)
        self.value.copy_(value)
        self.loss.copy_(value - self.objective.bending(self.theta))
        self.note()
        self._remember()
        self._move(gradient)

    def some(self) -> None:
        """Take a step by the rows of `index`."""
        self.by(self.index)

    def by(self, index: Tensor) -> None:
        """Take a step by some rows."""
        self._move(self.objective.slope_of(self.theta, index))

    def turn(self) -> None:
        """Take note after a turn through the rows."""
        self.measure()
        self.note()

    def measure(self) -> None:
        """Look at the objective where the last step led."""
        value, loss = self.objective.value(self.theta)
        self.value.copy_(value)
        self.loss.copy_(loss)
        self._remember()

    def _remember(self) -> None:
        """Keep each member's best parameters so far."""
        better = self.value <= self.lowest
        self.low.copy_(torch.where(better[:, None], self.theta, self.low))
        self.lowest.copy_(torch.minimum(self.value, self.lowest))

    def _move(self, gradient: Tensor) -> None:
        """Move by Adam's rule along a gradient."""
        self.count.add_(1)
        self.mean.lerp_(gradient, 1 - self.BETA)
        self.square.mul_(self.SLOWER).addcmul_(gradient, gradient, value=1 - self.SLOWER)
        mean = self.mean / (1 - self.BETA**self.count)
        size = (self.square / (1 - self.SLOWER**self.count)).sqrt_().add_(self.EPS)
        self.theta.addcdiv_(mean, size, value=-self.rate)


def _solved(matrix: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return -matrix^-1 gradient (E, P), and where that failed (E,); matrix (E, C, C), C > P.

    matrix = L L' with the gradient written below it as row P: that row of L is then L^-1 gradient, whatever
    stands on its diagonal, and one triangular solution is left. Row and column P of `matrix` get zeros. The
    batched `cholesky_solve` of some libraries cannot be recorded.
    """
    size = gradient.shape[1]
    # libraries count by columns: handed over transposed, nothing has to move, and below means to the right
    matrix[:, :size, size] = gradient
    matrix[:, size, size] = torch.finfo(matrix.dtype).max ** 0.5
    factor, info = torch.linalg.cholesky_ex(matrix.mT)
    matrix[:, :size, size] = 0.0
    half = factor[:, size].clone()
    half[:, size:] = 0.0
    delta = -torch.linalg.solve_triangular(factor.mT, half[..., None], upper=True)[:, :size, 0]
    failed = (info != 0) | ~torch.isfinite(delta).all(1)
    return torch.where(failed[:, None], 0.0, delta), failed

"""A training on a device, from its host's side: buffers kept between grid updates, looks, stops, memory.

What `levenberg.minimise` is for the compiled kernels. A look every few steps brings the log of all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kansym.network.training import batched, batchloss, batchstep, losses
from kansym.network.training import layers as lay
from kansym.network.training.layers import Layer
from kansym.network.training.levenberg import STALE, Trace
from kansym.network.training.plan import supported
from kansym.network.training.problem import State
from kansym.network.training.replay import Replay

Step = batchstep.Levenberg | batchstep.Adam
Note = Callable[[np.ndarray, np.ndarray, np.ndarray | None], bool]
"""Takes loss, objective and held-out loss (E,) of one step, and answers whether to stop."""


def possible(stack: Sequence[Layer], setting: Any) -> bool:
    """Tell whether a training can go this way: plain splines, no sparsity, no bent steps, losses by row."""
    return (
        setting.optimizer in ("lm", "adam")
        and losses.second_order(losses.get(setting.loss))
        and supported(stack)
        and all(layer.heads is None for layer in stack)
        and not setting.acceleration
        and not bool(torch.as_tensor(setting.lamb).abs().max() > 0)
    )


@dataclass(frozen=True, eq=False)
class Stage:
    """Hold what one stage of a training is to do: steps between two updates of the grids, and who listens.

    `keep` gets the parameters of the least held-out loss at every look.
    """

    steps: int
    smoothness: float
    damping: Any
    setting: Any
    deadline: float
    note: Note
    keep: Callable[[Tensor, np.ndarray], None]


class Run:
    """Train the members of one ensemble on one set of rows; stages with equal shapes share their buffers."""

    def __init__(
        self,
        data: tuple[np.ndarray, Tensor, Tensor | None],
        held: tuple[np.ndarray, Tensor] | None,
        loss: Any,
        device: str,
        dtype: torch.dtype,
    ) -> None:
        self.data, self.held, self.loss, self.device, self.dtype = data, held, loss, device, dtype
        self.part = 0
        self._known: dict[Any, tuple[Step, Replay]] = {}

    def minimise(self, stack: Sequence[Layer], stage: Stage) -> Trace:
        """Return the best parameters after a stage's trials, as `levenberg.minimise` does.

        Where memory runs out, half as many rows pass at once and the steps begin again.
        """
        with batchloss.recordable():
            while True:
                try:
                    return self._minimise(stack, stage)
                except torch.OutOfMemoryError:
                    self._known.clear()
                    if self.device.startswith("cuda"):
                        torch.cuda.empty_cache()
                    self.part = batchloss.smaller(self.part or len(self.data[0]), len(self.data[0]))

    def _minimise(self, stack: Sequence[Layer], stage: Stage) -> Trace:
        """Take the steps of one stage on the device; return how the loss fell."""
        setting = stage.setting
        theta = torch.from_numpy(lay.pack(stack)).to(self.device, self.dtype)
        step, replay = self._ready(stack, stage.smoothness, theta, stage.damping, setting)
        trace = Trace(_state(step))
        generator = torch.Generator().manual_seed(setting.seed)
        values = [step.value.to("cpu", copy=True).numpy()]
        late = isinstance(step, batchstep.Adam) and step.batch >= len(self.data[0])

        def heed(log: np.ndarray) -> None:
            """Take note of the steps since the last look."""
            if self.held is not None:
                stage.keep(step.best, step.best_held.to("cpu", copy=True).numpy())
            for loss, value, held in log:
                trace.steps += 1
                values.append(value)
                if stage.note(loss, value, None if self.held is None else held):
                    trace.reason = "early stop"
                before = values[max(0, len(values) - STALE)]
                flat = len(values) >= STALE and np.all(before - value <= setting.tolerance * np.abs(before))
                if flat and trace.reason == "steps" and setting.optimizer == "lm":
                    trace.reason = "converged"

        try:
            taken = 0
            while taken < stage.steps and trace.reason == "steps":
                if time.monotonic() > stage.deadline:
                    trace.reason = "time limit"
                elif bool((step.loss <= setting.target).all()):
                    trace.reason = "target"
                else:
                    number = min(batchstep.LOOK, stage.steps - taken)
                    for _ in range(number):
                        self._once(step, replay, generator)
                    heed(step.look()[late and not taken :])
                    taken += number
            if isinstance(step, batchstep.Adam) and late:  # its log has what was before each step
                step.turn()
                heed(step.look())
        except KeyboardInterrupt:
            trace.reason = "interrupted"
        if isinstance(step, batchstep.Levenberg):
            trace.damping = step.damping.clone()
        trace.state = _state(step)
        return trace

    def _once(self, step: Step, replay: Replay, generator: torch.Generator) -> None:
        """Take one step, or one turn of mini-batches through the rows."""
        rows = len(self.data[0])
        if isinstance(step, batchstep.Levenberg) or step.batch >= rows:
            replay()
            return
        order = torch.randperm(rows, generator=generator).to(self.device)
        for start in range(0, rows, step.batch):
            index = order[start : start + step.batch]
            if len(index) < step.batch:
                step.by(index)
            else:
                step.index.copy_(index)
                replay()
        step.turn()

    def _ready(
        self, stack: Sequence[Layer], smoothness: float, theta: Tensor, damping: Any, setting: Any
    ) -> tuple[Step, Replay]:
        """Return the step for these layers, begun, and its recording, new where the shape is."""
        key = (batched.signature(stack), smoothness > 0)
        second = setting.optimizer == "lm"
        if key not in self._known:
            self._known.clear()  # one stage's buffers at a time
            objective = batchloss.Objective(
                stack, self.data, self.held, self.loss, self.device, self.dtype, self.part, second
            )
            self.part = objective.part
            rows = len(self.data[0])
            batch = min(setting.batch or rows, rows)
            new: Step = (
                batchstep.Levenberg(objective) if second else batchstep.Adam(objective, setting.rate, batch)
            )

            def begin() -> None:
                objective.load(stack, smoothness)
                new.restart(theta)

            begin()
            mini = isinstance(new, batchstep.Adam) and batch < rows
            run = new.some if isinstance(new, batchstep.Adam) and mini else new.advance
            self._known[key] = new, Replay(run, self.device, begin)
        step, replay = self._known[key]
        step.objective.load(stack, smoothness)
        if isinstance(step, batchstep.Adam):
            step.begin(theta)
        else:
            step.begin(theta, damping, replay)
        return step, replay


def _state(step: Step) -> State:
    """Return where a training is, for Adam the place of the least objective."""
    theta, value = step.theta, step.value
    if isinstance(step, batchstep.Adam):
        theta, value = step.low, step.lowest
    value = value.clone()
    loss = value - step.objective.bending(theta)
    return State(theta.clone(), value, loss, value[:, None], value[:, None, None])

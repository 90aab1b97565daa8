"""Adam with mini-batches and LBFGS, for large data and for losses that only say their value."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kansym.network.training.levenberg import Trace
from kansym.network.training.problem import Problem, State

_ALL = slice(None)


def minimise(
    problem: Problem,
    theta: Tensor,
    steps: int,
    setting: Any,
    deadline: float = float("inf"),
    check: Callable[[State], bool] | None = None,
) -> Trace:
    """Return the best parameters (E, P) after `steps` of LBFGS, or epochs of Adam over mini-batches.

    A step to a value that is not finite is undone and ends the run.
    """
    x = theta.to(problem.device, problem.dtype).clone().requires_grad_(True)
    generator = torch.Generator().manual_seed(setting.seed)
    rows = len(problem.X)
    batch = min(setting.batch or rows, rows)
    if setting.optimizer == "lbfgs":
        optimiser: Any = torch.optim.LBFGS([x], line_search_fn="strong_wolfe", max_iter=20, history_size=20)
    else:
        optimiser = torch.optim.Adam([x], lr=setting.rate)
    state = best = problem.state(x.detach().clone())
    trace = Trace(state)

    def closure(part: Tensor | slice = _ALL) -> Tensor:
        at = x.detach()
        known = state if part is _ALL and torch.equal(at, state.theta) else None
        value, x.grad = problem.slope(at, part, known)
        return value.sum()

    try:
        for _ in range(steps):
            if time.monotonic() > deadline:
                trace.reason = "time limit"
                break
            if setting.optimizer == "lbfgs":
                optimiser.step(closure)
            else:
                order = torch.randperm(rows, generator=generator)
                for start in range(0, rows, batch):
                    part = order[start : start + batch] if batch < rows else _ALL
                    optimiser.step(lambda part=part: closure(part))
            state = problem.state(x.detach().clone())
            trace.steps += 1
            good = torch.isfinite(state.objective)
            if not bool(good.all()):
                trace.reason = "not finite"
                break
            best = best.mix(state, state.objective <= best.objective)
            if check is not None and check(state):
                trace.reason = "early stop"
                break
            if bool((best.loss <= setting.target).all()):
                trace.reason = "target"
                break
    except KeyboardInterrupt:
        trace.reason = "interrupted"
    trace.state = best
    return trace

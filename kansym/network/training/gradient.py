"""Adam with mini-batches and LBFGS, for large data and for losses that only say their value."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from kansym.network.training.levenberg import Trace
from kansym.network.training.problem import Problem, State

_ALL = slice(None)

INNER, MEMORY = 20, 20
"""Line searches that make one step of LBFGS, and how many past ones shape its curvature."""


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
    watch = _Watch(problem, theta, setting.target, deadline, check)
    try:
        if setting.optimizer == "lbfgs":
            _lbfgs(watch, steps)
        else:
            _adam(watch, steps, setting)
    except KeyboardInterrupt:
        watch.trace.reason = "interrupted"
    watch.trace.state = watch.best
    return watch.trace


class _Watch:
    """Look at the objective after each step: keep the best, and say when to stop."""

    def __init__(
        self,
        problem: Problem,
        theta: Tensor,
        target: float,
        deadline: float,
        check: Callable[[State], bool] | None,
    ) -> None:
        self.problem, self.target, self.deadline, self.check = problem, target, deadline, check
        self.state = self.best = problem.state(theta.to(problem.device, problem.dtype))
        self.trace = Trace(self.state)

    def late(self) -> bool:
        """Tell whether the time is over."""
        if time.monotonic() > self.deadline:
            self.trace.reason = "time limit"
        return self.trace.reason != "steps"

    def stop(self, theta: Tensor) -> bool:
        """Take note of parameters (E, P) after a step; answer whether it was the last."""
        self.state = self.problem.state(theta)
        self.trace.steps += 1
        if not bool(torch.isfinite(self.state.objective).all()):
            self.trace.reason = "not finite"
            return True
        self.best = self.best.mix(self.state, self.state.objective <= self.best.objective)
        if self.check is not None and self.check(self.state):
            self.trace.reason = "early stop"
        elif bool((self.best.loss <= self.target).all()):
            self.trace.reason = "target"
        return self.late()


def _adam(watch: _Watch, steps: int, setting: Any) -> None:
    """Minimise by Adam on batches of rows."""
    problem = watch.problem
    x = watch.state.theta.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([x], lr=setting.rate)
    generator = torch.Generator().manual_seed(setting.seed)
    rows = len(problem.X)
    batch = min(setting.batch or rows, rows)
    for _ in range(steps):
        if watch.late():
            return
        if batch == rows:
            x.grad = problem.slope(x.detach(), _ALL, watch.state)[1]
            optimiser.step()
        else:
            for part in torch.randperm(rows, generator=generator).split(batch):
                x.grad = problem.slope(x.detach(), part)[1]
                optimiser.step()
        if watch.stop(x.detach().clone()):
            return


def _lbfgs(watch: _Watch, steps: int) -> None:
    """Run SciPy's L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995) on the sum over members, without bounds."""
    problem, start = watch.problem, watch.state.theta

    def parameters(x: np.ndarray) -> Tensor:
        return torch.from_numpy(x.reshape(start.shape)).to(problem.device, problem.dtype)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = problem.slope(parameters(x))
        return float(value.sum()), slope.cpu().numpy().astype(float).ravel()

    done = 0

    def after(intermediate_result: Any) -> None:
        """Count a step, and end where the watch says so."""
        nonlocal done
        done += 1
        if done % INNER == 0 and watch.stop(parameters(intermediate_result.x.copy())):
            raise StopIteration

    if watch.late():
        return
    options: dict[str, float] = {"maxiter": INNER * steps, "maxfun": 25 * INNER * steps, "maxcor": MEMORY}
    options |= {"maxls": 25, "ftol": 0.0, "gtol": 0.0}
    found = minimize(
        objective,
        start.cpu().numpy().astype(float).ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=after,
        options=options,
    )
    ended = watch.trace.reason == "steps" and done < INNER * steps  # no descent is left
    if ended and not watch.stop(parameters(found.x)):
        watch.trace.reason = "converged"

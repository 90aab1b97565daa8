"""Levenberg–Marquardt for all members of an ensemble at once, each with its own damping.

Minimises an objective with gradient g and Gauss–Newton matrix H by theta - (H + mu D)^-1 g, D the diagonal
of H: Marquardt 1963, with Nielsen's rule for mu (1999). A step that does not lower the objective is never
taken, so NaN cannot spread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kansym.training.problem import Problem


@dataclass
class Trace:
    """Report how a training went: final parameters, why it stopped, one row a step."""

    theta: Tensor
    reason: str = "steps"
    rows: list[dict[str, Any]] = field(default_factory=list)
    losses: Tensor | None = None


def minimise(
    problem: Problem,
    theta: Tensor,
    steps: int,
    tolerance: float = 1e-10,
    target: float = 0.0,
    deadline: float = float("inf"),
    damping: float = 1e-3,
    check: Callable[[int, Tensor, Tensor], bool] | None = None,
) -> Trace:
    """Return the best parameters (E, P) found in `steps` trials.

    Ends early when ten trials together lower no member's objective by more than `tolerance` relatively,
    when every loss is at most `target`, at the monotonic time `deadline`, or when check(step, theta, losses)
    asks for it. KeyboardInterrupt ends it as "interrupted" with the best so far.
    """
    members = problem.members
    mu = theta.new_full((members,), damping)
    grow = theta.new_full((members,), 2.0)
    stale = torch.ones(members, dtype=torch.bool, device=theta.device)
    free = problem.free
    trace = Trace(theta)
    objective, losses, magnitudes = problem.objective(theta)
    trace.losses = losses
    memory = [objective]
    gradient = hessian = scale = None
    started = time.monotonic()
    try:
        for step in range(1, steps + 1):
            if time.monotonic() > deadline:
                trace.reason = "time limit"
                break
            if bool((losses <= target).all()):
                trace.reason = "target"
                break
            if bool(stale.any()):
                g, h = problem.normal(theta, magnitudes, stale)
                g = torch.where(free, g, 0.0)
                h = h * (free[:, :, None] & free[:, None, :])
                if gradient is None:
                    gradient, hessian = g, h
                else:
                    gradient = torch.where(stale[:, None], g, gradient)
                    hessian = torch.where(stale[:, None, None], h, hessian) if members > 1 else h
                diagonal = hessian.diagonal(dim1=1, dim2=2)
                top = diagonal.amax(1, keepdim=True).clamp_min(1e-300)
                scale = torch.where(free, torch.maximum(diagonal, 1e-8 * top), 1.0)
            damped = hessian.clone()
            extra = torch.where(free, mu[:, None] * scale, 1.0)
            damped.diagonal(dim1=1, dim2=2).add_(extra)
            factor, failed = torch.linalg.cholesky_ex(damped)
            delta = -torch.cholesky_solve(gradient[..., None], factor)[..., 0]
            trial = theta + delta
            new, new_losses, new_magnitudes = problem.objective(trial)
            expected = 0.5 * (delta * (extra * delta * free - gradient)).sum(1)
            ratio = (objective - new) / expected.clamp_min(1e-300)
            good = torch.isfinite(new) & (new < objective) & (failed == 0)
            theta = torch.where(good[:, None], trial, theta)
            objective = torch.where(good, new, objective)
            losses = torch.where(good, new_losses, losses)
            magnitudes = torch.where(good[:, None], new_magnitudes, magnitudes)
            shrink = (1 - (2 * ratio - 1) ** 3).clamp(1 / 3, 1.0)
            mu = torch.where(good, mu * shrink, mu * grow).clamp(1e-15, 1e15)
            grow = torch.where(good, 2.0, grow * 2).to(mu.dtype)
            stale = good
            trace.theta, trace.losses = theta, losses
            trace.rows.append(
                {
                    "step": step,
                    "seconds": time.monotonic() - started,
                    "loss": float(losses.min()),
                    "objective": float(objective.min()),
                    "damping": float(mu.median()),
                }
            )
            if check is not None and check(step, theta, losses):
                trace.reason = "early stop"
                break
            memory.append(objective)
            if len(memory) > 10:
                before = memory.pop(0)
                if bool((before - objective <= tolerance * before.abs()).all()):
                    trace.reason = "converged"
                    break
    except KeyboardInterrupt:
        trace.reason = "interrupted"
    return trace

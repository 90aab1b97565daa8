"""Levenberg–Marquardt for all members of an ensemble at once, each with its own damping.

Minimises an objective with gradient g and Gauss–Newton matrix H by theta - (H + mu D)^-1 g, D the diagonal
of H: Marquardt 1963, with Nielsen's rule for mu (1999). A step that does not lower the objective is never
taken, so NaN cannot spread.

A loop of its own beside `base.leastsq`, which factorises the Jacobian of one problem: here rows are many and
mostly zeros, so normal equations are summed from them and J is never stored, and members advance together.
`batchstep.Levenberg` is the same loop without a look from the host. Tests hold both against `base.leastsq`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kansym.network.training.problem import Problem, State

PROMISED, BENT = 0.75, 0.375
"""Steps that bring this share of what they promise are not bent; the longest second-order part of a step."""

STALE = 11
"""Values of the objective, the first and that of ten trials, which together tell that nothing moves."""


@dataclass
class Trace:
    """Report how a training went: the final state, why it stopped, steps, damping."""

    state: State
    reason: str = "steps"
    steps: int = 0
    damping: float | Tensor = 1.0


def minimise(
    problem: Problem,
    theta: Tensor,
    steps: int,
    tolerance: float = 1e-10,
    target: float = 0.0,
    deadline: float = float("inf"),
    damping: float | Tensor = 1.0,
    check: Callable[[State], bool] | None = None,
    acceleration: bool = False,
) -> Trace:
    """Return the best parameters (E, P) found in `steps` trials.

    Ends early when ten trials together lower no member's objective by more than `tolerance` relatively,
    when every loss is at most `target`, at the monotonic time `deadline`, or when check(state)
    asks for it. KeyboardInterrupt ends it as "interrupted" with the best so far. `acceleration` bends steps
    along the second derivative of the predictions (Transtrum & Sethna 2012, arXiv 1201.5885).
    """
    members = problem.members
    mu = torch.as_tensor(damping, dtype=theta.dtype, device=theta.device).expand(members).clone()
    grow = theta.new_full((members,), 2.0)
    stale = torch.ones(members, dtype=torch.bool, device=theta.device)
    state = problem.state(theta)
    trace = Trace(state, damping=damping)
    memory, scale = [state.objective], theta
    system: tuple[Tensor, Tensor] | None = None
    try:
        for _ in range(steps):
            if time.monotonic() > deadline:
                trace.reason = "time limit"
                break
            if bool((state.loss <= target).all()):
                trace.reason = "target"
                break
            if bool(stale.any()):
                gradient, hessian = system = problem.normal(state, stale, system)
                scale = _scale(problem, hessian)
            extra = torch.where(problem.free, mu[:, None] * scale, 1.0)
            trial, ratio, failed = _trial(problem, state, gradient, hessian, extra, acceleration)
            good = torch.isfinite(trial.objective) & (trial.objective < state.objective) & ~failed
            state = state.mix(trial, good)
            shrink = (1 - (2 * ratio - 1) ** 3).clamp(1 / 3, 1.0)
            mu = torch.where(good, mu * shrink, mu * grow).clamp(1e-15, 1e15)
            grow = torch.where(good, 2.0, grow * 2).to(mu.dtype)
            stale = good
            trace.state = state
            trace.steps += 1
            trace.damping = mu
            if check is not None and check(state):
                trace.reason = "early stop"
                break
            memory.append(state.objective)
            if len(memory) >= STALE:
                before = memory.pop(0)
                if bool((before - state.objective <= tolerance * before.abs()).all()):
                    trace.reason = "converged"
                    break
    except KeyboardInterrupt:
        trace.reason = "interrupted"
    return trace


def _scale(problem: Problem, hessian: Tensor) -> Tensor:
    """Return what the damping is multiplied with (E, P): the Gauss–Newton matrix's diagonal, with a floor.

    Coefficients no row touches get the floor; letters have units of their own (c of exp may be 1e-30) and
    none.
    """
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    top = torch.where(problem.letters, 0.0, diagonal).amax(1, keepdim=True)
    least = torch.finfo(hessian.dtype).tiny ** 0.5
    floor = torch.where(problem.letters, 0.0, 1e-8 * top).clamp_min(least)
    return torch.where(problem.free, torch.maximum(diagonal, floor), 1.0)


def _trial(
    problem: Problem, state: State, gradient: Tensor, hessian: Tensor, extra: Tensor, acceleration: bool
) -> tuple[State, Tensor, Tensor]:
    """Return the state a step away, its gain as a share of the promised one (E,), and who has no step."""
    tiny = torch.finfo(gradient.dtype).tiny
    delta, failed = problem.solve(hessian, extra, gradient)
    trial = problem.state(state.theta + delta)
    expected = 0.5 * (delta * (extra * delta * problem.free - gradient)).sum(1)
    ratio = (state.objective - trial.objective) / expected.clamp_min(tiny)
    poor = ~(ratio > PROMISED) & ~failed
    if acceleration and bool(poor.any()):
        second, broken = problem.solve(hessian, extra, problem.bend(state, delta))
        small = (extra * second**2).sum(1) <= BENT**2 * (extra * delta**2).sum(1)
        small &= poor & ~broken
        bent = problem.state(state.theta + delta + torch.where(small[:, None], second / 2, 0.0))
        trial = trial.mix(bent, small & (bent.objective < trial.objective))
        ratio = (state.objective - trial.objective) / expected.clamp_min(tiny)
    return trial, ratio, failed

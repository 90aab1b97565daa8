"""One training run: stages of the grid schedule, grid updates, held-out choice, rollback, time limit.

The same flow for one network and for an ensemble, for every optimiser.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from kansym.errors import InputError, UnknownNameError
from kansym.training import layers as lay
from kansym.training import levenberg, losses, schedule
from kansym.training.layers import Layer
from kansym.training.penalty import Sparsity
from kansym.training.problem import Problem

OPTIMISERS = ("lm", "lbfgs", "adam")


@dataclass(frozen=True)
class Training:
    """Set a training run; see KAN.fit."""

    steps: int = 100
    grids: tuple[int, ...] = ()
    lamb: Any = 0.0
    mu1: float = 1.0
    mu2: float = 1.0
    optimizer: str = "lm"
    loss: Any = "squared"
    update_grid: bool = True
    update_every: int = 5
    update_until: int = 50
    blend: float = 0.0
    margin: float = 0.01
    smoothness: Any = 1e-10
    patience: int = 0
    tolerance: float = 1e-9
    target: float = 0.0
    damping: float = 1e-3
    time_limit: float | None = None
    callback: Callable[[dict[str, Any]], Any] | None = None
    progress: bool = False


@dataclass
class Outcome:
    """Report a run: the trained layers, its history and why it ended; losses by member."""

    layers: tuple[Layer, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    reason: str = "steps"
    losses: np.ndarray | None = None


def train(
    layers: Sequence[Layer],
    X: np.ndarray,
    y: np.ndarray,
    setting: Training,
    weights: Any = None,
    held: tuple[np.ndarray, np.ndarray] | None = None,
    fresh: bool = True,
) -> Outcome:
    """Return trained layers for rows X (n, inputs) and targets y; `fresh` fits the grids to X first."""
    if setting.optimizer not in OPTIMISERS:
        raise UnknownNameError("optimizer", setting.optimizer, OPTIMISERS)
    loss = losses.get(setting.loss)
    if setting.steps < 1:
        raise InputError(f"steps={setting.steps} trains nothing; give 1 or more.")
    deadline = time.monotonic() + setting.time_limit if setting.time_limit else float("inf")
    gridding = schedule.Gridding(setting.blend, setting.margin)
    stack = tuple(layers)
    out = Outcome(stack)
    grids: Sequence[int] = setting.grids or (max(layer.grid for layer in stack),)
    for stage, grid in enumerate(grids):
        wanted = [min(grid, layer.grid) if not setting.grids else grid for layer in stack]
        wanted = [g if layer.size else 0 for g, layer in zip(wanted, stack, strict=True)]
        if setting.grids or fresh:
            if (
                setting.update_grid
                or fresh
                or any(g != layer.grid for g, layer in zip(wanted, stack, strict=True))
            ):
                stack = schedule.follow(stack, X, wanted, gridding)
        stack = _stage(stack, X, y, loss, setting, gridding, weights, held, deadline, out)
        if out.reason in ("interrupted", "time limit", "early stop", "target"):
            break
    out.layers = stack
    return out


def _problem(
    stack: tuple[Layer, ...], X: np.ndarray, y: np.ndarray, loss: Any, setting: Training, weights: Any
) -> Problem:
    w = None
    if weights is not None:
        w = torch.as_tensor(np.atleast_2d(np.asarray(weights, float)))
        w = w / w.mean(1, keepdim=True)
    return Problem(
        stack,
        X,
        torch.from_numpy(np.ascontiguousarray(y)),
        loss,
        weights=w,
        sparsity=Sparsity(setting.lamb, setting.mu1, setting.mu2),
        smoothness=float(setting.smoothness),
    )


def _stage(
    stack: tuple[Layer, ...],
    X: np.ndarray,
    y: np.ndarray,
    loss: Any,
    setting: Training,
    gridding: schedule.Gridding,
    weights: Any,
    held: tuple[np.ndarray, np.ndarray] | None,
    deadline: float,
    out: Outcome,
) -> tuple[Layer, ...]:
    done = 0
    damping = setting.damping
    grids = [layer.grid for layer in stack]
    while done < setting.steps:
        updating = setting.update_grid and done < min(setting.update_until, setting.steps // 2)
        if done and updating:
            stack = schedule.follow(stack, X, grids, gridding, only_if_needed=True)
        chunk = min(setting.update_every if updating else setting.steps, setting.steps - done)
        problem = _problem(stack, X, y, loss, setting, weights)
        check = None if held is None else _held_out(stack, held, loss, setting, out)
        theta = torch.from_numpy(lay.pack(stack))
        trace = levenberg.minimise(
            problem, theta, chunk, setting.tolerance, setting.target, deadline, damping, check
        )
        stack = lay.unpack(stack, trace.state.theta.numpy())
        for row in trace.rows:
            before = out.rows[-1]["seconds"] if out.rows and row["step"] == 1 else row.get("offset", 0.0)
            out.rows.append({**row, "step": len(out.rows) + 1, "grid": max(grids)})
        done += max(len(trace.rows), 1)
        damping = trace.rows[-1]["damping"] if trace.rows else damping
        out.reason, out.losses = trace.reason, trace.state.loss.numpy()
        if trace.reason in ("interrupted", "time limit", "early stop", "target"):
            break
        if trace.reason == "converged" and not updating:
            break
    return stack


def _held_out(
    stack: tuple[Layer, ...], held: tuple[np.ndarray, np.ndarray], loss: Any, setting: Training, out: Outcome
) -> Any:
    return None

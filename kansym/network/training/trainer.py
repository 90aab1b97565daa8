"""One training run: stages of the grid schedule, grid updates, held-out choice, rollback, time limit.

The same flow for one network and for an ensemble, for every optimiser.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from kansym.base.errors import InputError, UnknownNameError
from kansym.network.training import gradient, levenberg, losses, schedule
from kansym.network.training import layers as lay
from kansym.network.training.layers import Layer
from kansym.network.training.penalty import Sparsity
from kansym.network.training.problem import Problem, State

OPTIMISERS = ("lm", "lbfgs", "adam")
DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Training:
    """Set a training run; see KAN.fit.

    `acceleration` bends Levenberg–Marquardt steps along the second derivative (Transtrum and Sethna,
    arXiv 1201.5885), for long training towards rounding errors; the other optimisers take no notice of it.
    """

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
    smoothness: Any = 1e-11
    patience: int = 0
    anneal: float = 1e-2
    cooling: float = 0.3
    tolerance: float = 1e-9
    target: float = 0.0
    damping: float = 1.0
    acceleration: bool = False
    time_limit: float | None = None
    callback: Callable[[dict[str, Any]], Any] | None = None
    progress: bool = False
    device: str = "cpu"
    dtype: str = "float64"
    rate: float = 1e-2
    batch: int | None = None
    seed: int = 0


@dataclass
class Outcome:
    """Report a run: the trained layers, its history and why it ended; losses, also held-out, by member."""

    layers: tuple[Layer, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    reason: str = "steps"
    losses: np.ndarray | None = None
    held: np.ndarray | None = None


def require(device: str) -> None:
    """Raise InputError where torch cannot use a device."""
    if device != "cpu" and not torch.cuda.is_available():
        raise InputError(f"device={device!r} needs CUDA, and torch finds none; use device='cpu'.")


_BROKEN_OFF = ("interrupted", "time limit", "asked")
_FINAL = (*_BROKEN_OFF, "target")


def train(
    layers: Sequence[Layer],
    X: np.ndarray,
    y: np.ndarray,
    setting: Training,
    weights: np.ndarray | None = None,
    held: tuple[np.ndarray, np.ndarray] | None = None,
    fresh: bool = True,
) -> Outcome:
    """Return trained layers for rows X (n, inputs) and targets y; `fresh` fits the grids to X first.

    With held-out rows every stage of the schedule keeps its best step by their loss, and the run returns the
    best stage; of several `smoothness` values each stage keeps the best one.
    """
    if setting.optimizer not in OPTIMISERS:
        raise UnknownNameError("optimizer", setting.optimizer, OPTIMISERS)
    if setting.dtype not in DTYPES:
        raise UnknownNameError("dtype", setting.dtype, DTYPES)
    require(setting.device)
    if setting.steps < 1:
        raise InputError(f"steps={setting.steps} trains nothing; give 1 or more.")
    with threadpool_limits(1):  # threads that fight over small matrices cost more than they bring
        return _Run(X, y, setting, weights, held).stages(tuple(layers), fresh)


class _Run:
    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        setting: Training,
        weights: np.ndarray | None,
        held: tuple[np.ndarray, np.ndarray] | None,
    ) -> None:
        self.X, self.y, self.setting, self.held = X, np.ascontiguousarray(y), setting, held
        self.loss = losses.get(setting.loss)
        self.started = time.monotonic()
        self.deadline = self.started + setting.time_limit if setting.time_limit is not None else np.inf
        self.gridding = schedule.Gridding(setting.blend, setting.margin)
        self.weights = None
        if weights is not None:
            w = np.atleast_2d(np.asarray(weights, float))
            if w.shape[-1] != len(X) or np.any(w < 0) or not np.all(w.sum(1) > 0):
                raise InputError(f"weights need {len(X)} values of 0 or more with a positive sum.")
            self.weights = torch.from_numpy(w / w.mean(1, keepdims=True))
        if setting.optimizer == "lm" and not losses.second_order(self.loss):
            raise InputError("A loss without `expand` cannot be trained by 'lm'; use 'lbfgs' or 'adam'.")
        self.rows: list[dict[str, Any]] = []
        self.asked = False

    def problem(self, stack: tuple[Layer, ...], smoothness: float) -> Problem:
        s = self.setting
        kind = DTYPES[s.dtype]
        return Problem(
            stack,
            self.X,
            torch.from_numpy(self.y).to(s.device, kind),
            self.loss,
            weights=None if self.weights is None else self.weights.to(s.device, kind),
            sparsity=Sparsity(s.lamb, s.mu1, s.mu2),
            smoothness=smoothness,
            device=s.device,
            dtype=kind,
        )

    def stages(self, stack: tuple[Layer, ...], fresh: bool) -> Outcome:
        s = self.setting
        choices = tuple(s.smoothness) if isinstance(s.smoothness, Sequence) else (float(s.smoothness),)
        if len(choices) > 1 and self.held is None:
            raise InputError(
                "Several smoothness values are chosen between on held-out rows; give validation."
            )
        best: Outcome | None = None
        for grid in s.grids or (0,):
            grids = [(grid or layer.grid) if layer.size else 0 for layer in stack]
            if fresh or (s.update_grid and s.grids) or grids != [layer.grid for layer in stack]:
                stack = schedule.extend(stack, self.X, grids, self.gridding, fresh or s.update_grid)
            fresh = False
            tried: list[Outcome] = []
            for a in choices:
                tried.append(self.stage(stack, a))
                if tried[-1].reason in _BROKEN_OFF:
                    break
            outcome, reason = min(tried, key=_score), tried[-1].reason
            stack = outcome.layers
            if best is None or _score(outcome) <= _score(best):
                best = outcome
            if reason in _FINAL:
                break
        assert best is not None
        best.rows, best.reason = self.rows, reason
        return best

    def stage(self, stack: tuple[Layer, ...], smoothness: float) -> Outcome:
        s = self.setting
        grids = [layer.grid for layer in stack]
        out = Outcome(stack)
        self.best_held: np.ndarray | None = None
        self.best_layers, self.waited = stack, 0
        done, damping = 0, cast(Any, s.damping)
        until = min(s.update_until, s.steps // 2) if s.update_grid and s.optimizer == "lm" else 0
        while done < s.steps:
            updating = done < until
            if done and done <= until:
                stack = schedule.follow(stack, self.X, grids, self.gridding, only_if_needed=True)
            steps = min(s.update_every if updating else s.steps, s.steps - done)
            stiff = (
                max(smoothness, s.anneal * s.cooling ** (done / s.update_every)) if updating else smoothness
            )
            problem = self.problem(stack, stiff)
            theta = torch.from_numpy(lay.pack(stack)).to(problem.device, problem.dtype)
            held = None if self.held is None else problem.on(*self.held)
            check = partial(self.check, stack, held, max(grids), smoothness)
            if s.optimizer == "lm":
                trace = levenberg.minimise(
                    problem,
                    theta,
                    steps,
                    s.tolerance,
                    s.target,
                    self.deadline,
                    damping,
                    check,
                    acceleration=s.acceleration,
                )
                damping = trace.damping
            else:
                trace = gradient.minimise(problem, theta, steps, s, self.deadline, check)
            stack = lay.unpack(stack, trace.state.theta.cpu().numpy())
            done += max(trace.steps, 1)
            out.reason, out.losses = trace.reason, trace.state.loss.cpu().numpy()
            if self.asked:
                out.reason = "asked"
            if out.reason in (*_FINAL, "early stop") or (out.reason == "converged" and not updating):
                break
        out.layers = stack
        if self.best_held is not None:
            out.layers, out.held = self.best_layers, self.best_held
        return out

    def check(
        self, stack: tuple[Layer, ...], held: Problem | None, grid: int, smoothness: float, state: State
    ) -> bool:
        """Record one step; answer whether to stop."""
        row: dict[str, Any] = {
            "step": len(self.rows) + 1,
            "seconds": time.monotonic() - self.started,
            "grid": grid,
            "smoothness": smoothness,
            "loss": float(state.loss.min()),
            "objective": float(state.objective.min()),
        }
        stop = False
        if held is not None:
            found = held.fidelity(state.theta).cpu().numpy()
            found = np.where(np.isfinite(found), found, np.inf)
            row["held_out"] = float(found.min())
            before = np.full(len(found), np.inf) if self.best_held is None else self.best_held
            if self.best_held is None or np.any(found < before):
                now = lay.unpack(stack, state.theta.cpu().numpy())
                first = self.best_held is None
                self.best_layers = now if first else lay.mix(self.best_layers, now, found < before)
            self.waited = 0 if np.any(found < before * (1 - 1e-4)) else self.waited + 1
            self.best_held = np.minimum(found, before)
            stop = bool(self.setting.patience) and self.waited >= self.setting.patience
        self.rows.append(row)
        if self.setting.callback is not None and self.setting.callback(row) is False:
            self.asked = stop = True
        if self.setting.progress:
            print(f"\r{row['step']:5d}  grid {grid}  loss {row['loss']:.3e}", end="", flush=True)
        return stop


def _score(outcome: Outcome) -> float:
    value = outcome.held if outcome.held is not None else outcome.losses
    return float(np.mean(value)) if value is not None else np.inf

"""One training run: stages of the grid schedule, grid updates, held-out choice, rollback, time limit.

The same flow for one network and for an ensemble, for every optimiser.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from kansym.base.errors import InputError, UnknownNameError
from kansym.base.log import LOGGER, heard
from kansym.network.training import batchrun, gradient, levenberg, losses, race, schedule, worth
from kansym.network.training import layers as lay
from kansym.network.training.layers import Layer
from kansym.network.training.penalty import Sparsity
from kansym.network.training.problem import Problem, State

POOLS = ThreadpoolController()
"""Threads of torch and BLAS, looked up once: the look opens a file, which an interrupt could leave open."""

OPTIMISERS = ("lm", "lbfgs", "adam")
REFINE = 10
"""Steps in float64 after Levenberg–Marquardt in float32."""

DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Training:
    """Set a training run; see KAN.fit.

    `acceleration` bends Levenberg–Marquardt steps along the second derivative (Transtrum and Sethna,
    arXiv 1201.5885), for long training towards rounding errors; the other optimisers take no notice of it.
    Of `restarts` starts (`race.starts`) the best by held-out loss, or else by objective, is left.
    `batched` trains on the CPU the way a device does, by batched products instead of compiled kernels.
    """

    steps: int = 100
    restarts: int = 1
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
    batched: bool = False
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
    if setting.restarts > 1:
        layers = race.starts(layers, setting.restarts, setting.seed)
    # threads that fight over small matrices cost more than they bring
    with POOLS.limit(limits=1), heard(setting.progress):
        run = _Run(X, y, setting, weights, held)
        outcome = run.stages(tuple(layers), fresh)
        if setting.dtype != "float32" or setting.optimizer != "lm" or outcome.reason in _BROKEN_OFF:
            return outcome
        # normal equations square what rounding leaves; a few steps in float64 bring the digits back
        exact = replace(setting, dtype="float64", steps=REFINE, update_grid=False, grids=())
        last = _Run(X, y, exact, weights, held, run).stages(outcome.layers, False)
        return last if _score(last) <= _score(outcome) else replace(outcome, rows=last.rows)


class _Run:
    """Carry one training: its rows, its setting, and what it has reached."""

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        setting: Training,
        weights: np.ndarray | None,
        held: tuple[np.ndarray, np.ndarray] | None,
        after: _Run | None = None,
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
        if after is not None:
            self.rows, self.started, self.deadline = after.rows, after.started, after.deadline
        self.asked = False
        self.batch: batchrun.Run | None = None

    def device(self, stack: tuple[Layer, ...]) -> str:
        """Return where to train: on the device asked for, if that pays."""
        s = self.setting
        if s.device == "cpu" or not batchrun.possible(stack, s):
            return s.device
        pays = worth.device(stack, len(self.X), s.steps, s.optimizer == "lm")
        return s.device if pays else "cpu"

    def problem(self, stack: tuple[Layer, ...], smoothness: float) -> Problem:
        """Return the least-squares problem of a stack at some smoothness."""
        s = self.setting
        kind, device = DTYPES[s.dtype], self.device(stack)
        return Problem(
            stack,
            self.X,
            torch.from_numpy(self.y).to(device, kind),
            self.loss,
            weights=None if self.weights is None else self.weights.to(device, kind),
            sparsity=Sparsity(s.lamb, s.mu1, s.mu2),
            smoothness=smoothness,
            device=device,
            dtype=kind,
        )

    def stages(self, stack: tuple[Layer, ...], fresh: bool) -> Outcome:
        """Train at every smoothness asked for; return the best on rows held out."""
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
        """Train on one grid after another at one smoothness."""
        s = self.setting
        grids = [layer.grid for layer in stack]
        out = Outcome(stack)
        self.best_held: np.ndarray | None = None
        self.noted: np.ndarray | None = None
        self.best_layers, self.waited = stack, 0
        damping: Any = s.damping
        done = 0
        until = min(s.update_until, s.steps // 2) if s.update_grid and s.optimizer == "lm" else 0
        while done < s.steps:
            updating = done < until
            if done and done <= until:
                stack = schedule.follow(stack, self.X, grids, self.gridding, only_if_needed=True)
            steps = min(s.update_every if updating else s.steps, s.steps - done)
            if stack[0].members > 1 and s.restarts > 1:
                steps = min(steps, race.pause(done, s.steps))
            stiff = (
                max(smoothness, s.anneal * s.cooling ** (done / s.update_every)) if updating else smoothness
            )
            trace = self.minimise(stack, steps, stiff, damping, max(grids), smoothness)
            damping = trace.damping
            stack = lay.unpack(stack, trace.state.theta.cpu().numpy())
            done += max(trace.steps, 1)
            out.reason = trace.reason
            if s.restarts > 1:
                stack, damping = self.halve(stack, trace, race.left(s.restarts, done, s.steps))
            if self.asked:
                out.reason = "asked"
            if out.reason in (*_FINAL, "early stop") or (out.reason == "converged" and not updating):
                break
        if s.restarts > 1 and stack[0].members > 1:
            stack, _ = self.halve(stack, trace, 1)
        out.layers, out.losses = stack, trace.state.loss.cpu().numpy()
        if self.best_held is not None:
            out.layers, out.held = self.best_layers, self.best_held
        return out

    def halve(
        self, stack: tuple[Layer, ...], trace: levenberg.Trace, number: int
    ) -> tuple[tuple[Layer, ...], Any]:
        """Return the `number` best members, by held-out loss or else by objective, and their damping."""
        if number >= stack[0].members:
            return stack, trace.damping
        found = trace.state.objective.cpu().numpy() if self.best_held is None else self.best_held
        chosen = np.sort(np.argsort(np.where(np.isfinite(found), found, np.inf), kind="stable")[:number])
        self.best_layers = tuple(layer.pick(chosen) for layer in self.best_layers)
        if self.best_held is not None and self.noted is not None:
            self.best_held, self.noted = self.best_held[chosen], self.noted[chosen]
        at = torch.from_numpy(chosen)
        damping = trace.damping[at] if isinstance(trace.damping, torch.Tensor) else trace.damping
        trace.state = State(*(part[at] for part in trace.state.parts()))
        return tuple(layer.pick(chosen) for layer in stack), damping

    def minimise(
        self, stack: tuple[Layer, ...], steps: int, stiff: float, damping: Any, grid: int, smoothness: float
    ) -> levenberg.Trace:
        """Return how some steps went, by the optimiser and on the device that were set."""
        s = self.setting
        note = partial(self.note, grid, smoothness)
        batch = s.batched or (s.device != "cpu" and self.device(stack) != "cpu")
        if batch and batchrun.possible(stack, s):
            if self.batch is None:
                kind, y = DTYPES[s.dtype], torch.from_numpy(self.y)
                held = None if self.held is None else (self.held[0], torch.from_numpy(self.held[1]))
                self.batch = batchrun.Run((self.X, y, self.weights), held, self.loss, s.device, kind)
            keep = partial(self.keep, stack)
            stage = batchrun.Stage(steps, stiff, damping, s, self.deadline, note, keep)
            return self.batch.minimise(stack, stage)
        problem = self.problem(stack, stiff)
        theta = torch.from_numpy(lay.pack(stack)).to(problem.device, problem.dtype)
        held_out = None if self.held is None else problem.on(*self.held)
        check = partial(self.check, stack, held_out, note)
        if s.optimizer == "lm":
            return levenberg.minimise(
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
        return gradient.minimise(problem, theta, steps, s, self.deadline, check)

    def check(
        self, stack: tuple[Layer, ...], held: Problem | None, note: batchrun.Note, state: State
    ) -> bool:
        """Take note of one step and of its held-out loss; answer whether to stop."""
        found = None
        if held is not None:
            found = held.fidelity(state.theta).cpu().numpy()
            found = np.where(np.isfinite(found), found, np.inf)
            self.keep(stack, state.theta, found)
        return note(state.loss.cpu().numpy(), state.objective.cpu().numpy(), found)

    def keep(self, stack: tuple[Layer, ...], theta: torch.Tensor, found: np.ndarray) -> None:
        """Keep the members whose held-out loss (E,) is the least so far."""
        before = np.full(len(found), np.inf) if self.best_held is None else self.best_held
        better = found < before
        if self.best_held is None or np.any(better):
            now = lay.unpack(stack, theta.cpu().numpy())
            self.best_layers = now if self.best_held is None else lay.mix(self.best_layers, now, better)
        self.best_held = np.minimum(found, before)

    def note(
        self, grid: int, smoothness: float, loss: np.ndarray, objective: np.ndarray, held: np.ndarray | None
    ) -> bool:
        """Record the losses (E,) of one step; answer whether to stop."""
        row: dict[str, Any] = {
            "step": len(self.rows) + 1,
            "seconds": time.monotonic() - self.started,
            "grid": grid,
            "smoothness": smoothness,
            "loss": float(loss.min()),
            "objective": float(objective.min()),
        }
        stop = False
        if held is not None:
            row["held_out"] = float(held.min())
            before = np.full(len(held), np.inf) if self.noted is None else self.noted
            self.waited = 0 if np.any(held < before * (1 - 1e-4)) else self.waited + 1
            self.noted = np.minimum(held, before)
            stop = bool(self.setting.patience) and self.waited >= self.setting.patience
        self.rows.append(row)
        if self.setting.callback is not None and self.setting.callback(row) is False:
            self.asked = stop = True
        if self.setting.progress:
            LOGGER.info("step %d, grid %s: loss %.3e", row["step"], grid, row["loss"])
        return stop


def _score(outcome: Outcome) -> float:
    """Return what outcomes are compared by: the loss on rows held out, else on those fitted."""
    value = outcome.held if outcome.held is not None else outcome.losses
    return float(np.mean(value)) if value is not None else np.inf

"""Networks on a device beside the same machine's CPU: checked first, then timed; under four minutes."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_steps import rows_of

from kansym.network.ensemble import Ensemble
from kansym.network.kan import KAN
from kansym.network.training import batchloss, batchstep, losses
from kansym.network.training import layers as lay
from kansym.network.training.replay import Replay

AGREE = 1e-9
"""Predictions of device and CPU after 20 steps differ by less, in units of the target's spread."""


class Sheet:
    """Collect rows of a table; print each and write all of them to a file at once, so that none is lost."""

    def __init__(self, device: str, out: str, seconds: float, small: int) -> None:
        self.device, self.out, self.small = device, out, small
        self.end = time.monotonic() + seconds
        self.rows: list[dict[str, Any]] = []

    def section(self, title: str, columns: Sequence[str]) -> None:
        """Print the head of a table."""
        print(f"\n## {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
        self.title, self.columns = title, columns

    def row(self, *values: Any) -> None:
        """Print one row and write all so far."""
        shown = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in values]
        print(f"| {' | '.join(shown)} |", flush=True)
        self.rows.append({"table": self.title, **dict(zip(self.columns, values, strict=True))})
        if self.out:
            Path(self.out).write_text(json.dumps(self.rows, indent=1))

    def left(self) -> float:
        """Return the seconds left."""
        return self.end - time.monotonic()

    def fewer(self, rows: int) -> int:
        """Return a number of rows or members, smaller in a trial run."""
        return max(rows // self.small, 1)


def wait(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def each(device: str, run: Callable[[], Any], budget: float = 1.0) -> float:
    """Return the least seconds of a call, of as many as the budget allows, at least two, after one unused."""
    run()
    wait(device)
    start, best = time.perf_counter(), np.inf
    turns = 0
    while turns < 2 or (time.perf_counter() - start < budget and turns < 200):
        begun = time.perf_counter()
        run()
        wait(device)
        best = min(best, time.perf_counter() - begun)
        turns += 1
    return best


def step(
    shape: list[int], members: int, rows: int, device: str, kind: torch.dtype, adam: bool = False
) -> batchstep.Levenberg | batchstep.Adam:
    """Return a training of an ensemble on a device, begun."""
    X, y = rows_of(rows, shape[0])
    stack = Ensemble(shape, seeds=range(members)).layers
    target = torch.from_numpy(y)[:, None]
    objective = batchloss.Objective(
        stack, (X, target, None), None, losses.Squared(), device, kind, second=not adam
    )
    objective.load(stack, 1e-9)
    theta = torch.from_numpy(lay.pack(stack)).to(device, kind)
    if adam:
        found = batchstep.Adam(objective, 1e-2, rows)
        found.begin(theta)
        return found
    new = batchstep.Levenberg(objective)
    new.begin(theta, 1.0)
    return new


def bounded(training: batchstep.Levenberg | batchstep.Adam) -> Callable[[], None]:
    """Return a step whose log starts again each time, so that it never overflows."""

    def run() -> None:
        training.at.zero_()
        training.advance()

    return run


def cpu_step(shape: list[int], members: int, rows: int, **options: Any) -> float:
    """Return the least seconds between two steps on the CPU, by the compiled kernels."""
    X, y = rows_of(rows, shape[0])
    at: list[float] = []
    many = Ensemble(shape, seeds=range(members))
    held = (X[:50], y[:50])
    many.fit(
        X,
        y,
        validation=held,
        steps=4,
        update_grid=False,
        callback=lambda row: at.append(time.perf_counter()),
        **options,
    )
    return float(np.diff(at).min())


def check(sheet: Sheet) -> None:
    """Compare predictions after 20 steps from the same start."""
    sheet.section(
        "Agreement with the CPU", ["shape", "networks", "optimiser", "difference / spread", "verdict"]
    )
    for shape, members, options in (
        ([2, 5, 1], 1, {}),
        ([6, 5, 1], 10, {}),
        ([3, (2, [2]), 1], 4, {"blend": 0.5}),
        ([2, 5, 1], 4, {"optimizer": "adam"}),
    ):
        X, y = rows_of(sheet.fewer(1000), shape[0])
        one, two = (
            Ensemble(shape, seeds=range(members)).fit(X, y, steps=20, **options, **extra)
            for extra in ({}, {"batched": True, "device": sheet.device})
        )
        gap = float(np.abs(one.predict(X) - two.predict(X)).max() / y.std())
        sheet.row(shape, members, options or "lm", gap, "agrees" if gap < AGREE else "DIFFERS")


def steps(sheet: Sheet) -> None:
    """Time single steps of Levenberg–Marquardt."""
    sheet.section(
        "One Levenberg–Marquardt step, 1000 rows, float64, ms",
        ["shape", "networks", "recorded", "eager", "system", "solution", "CPU", "GB", "not recorded because"],
    )
    rows = sheet.fewer(1000)
    for shape in ([6, 5, 1], [2, 5, 1]):
        for members in (1, 10, sheet.fewer(200), sheet.fewer(1000)):
            if sheet.left() < 20:
                return
            if sheet.device.startswith("cuda"):
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            training = step(shape, members, rows, sheet.device, torch.float64)
            run = bounded(training)
            with batchloss.recordable():
                eager = each(sheet.device, run, 0.4)
                system = each(sheet.device, lambda t=training: t.objective.system(t.theta), 0.3)
                _, _, gradient, matrix = training.objective.system(training.theta)
                matrix.diagonal(dim1=1, dim2=2).add_(1.0)
                solution = each(sheet.device, lambda m=matrix, g=gradient: batchstep._solved(m, g), 0.3)
                replay = Replay(run, sheet.device, lambda: None)
                recorded = each(sheet.device, replay, 0.5)
            memory = torch.cuda.max_memory_allocated() / 2**30 if sheet.device.startswith("cuda") else 0.0
            reason = replay.reason
            del training, run, replay, gradient, matrix
            cpu = cpu_step(shape, members, rows) if members < 1000 and sheet.left() > 20 else float("nan")
            timed = [1e3 * t for t in (recorded, eager, system, solution, cpu)]
            sheet.row(shape, members, *timed, memory, reason)


def adam(sheet: Sheet) -> None:
    """Time single steps of Adam on [10,10,10,1], beside an MLP and pykan."""
    sheet.section(
        "One step of Adam, 10^4 rows, ms", ["network", "numbers", "recorded", "eager", "CPU, compiled"]
    )
    rows = sheet.fewer(10**4)
    for kind, name in ((torch.float32, "float32"), (torch.float64, "float64")):
        training = step([10, 10, 10, 1], 1, rows, sheet.device, kind, adam=True)
        run = bounded(training)
        eager = each(sheet.device, run, 0.5)
        replay = Replay(run, sheet.device, lambda: None)
        recorded = each(sheet.device, replay, 0.5)
        cpu = cpu_step([10, 10, 10, 1], 1, rows, optimizer="adam", dtype=name)
        sheet.row("KAN [10,10,10,1]", name, 1e3 * recorded, 1e3 * eager, 1e3 * cpu)
    X, y = rows_of(rows, 10)
    for device in dict.fromkeys((sheet.device, "cpu")):
        A, b = (torch.from_numpy(v).to(device, torch.float32) for v in (X, y[:, None]))
        model = torch.nn.Sequential(
            torch.nn.Linear(10, 64),
            torch.nn.SiLU(),
            torch.nn.Linear(64, 64),
            torch.nn.SiLU(),
            torch.nn.Linear(64, 1),
        ).to(device)
        sheet.row(
            f"MLP 10-64-64-1 on {device}", "float32", "", 1e3 * each(device, _torch_step(model, A, b)), ""
        )
    if importlib.util.find_spec("kan") is not None:
        from kan import KAN as Peer  # type: ignore[import-not-found]

        model = Peer(width=[10, 10, 10, 1], grid=5, k=3, seed=0, device=sheet.device, auto_save=False)
        A, b = (torch.from_numpy(v).to(sheet.device, torch.float32) for v in (X, y[:, None]))
        sheet.row("pykan [10,10,10,1]", "float32", "", 1e3 * each(sheet.device, _torch_step(model, A, b)), "")


def _torch_step(model: torch.nn.Module, X: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)

    def run() -> None:
        optimiser.zero_grad()
        ((model(X) - y) ** 2).mean().backward()
        optimiser.step()

    return run


def many_rows(sheet: Sheet) -> None:
    """Time three steps on many rows."""
    sheet.section(
        "[10,10,1], three Levenberg–Marquardt steps, s", ["rows", "first time", "again", "CPU", "GB"]
    )
    for rows in (sheet.fewer(10**5), sheet.fewer(10**6)):
        if sheet.left() < 15:
            return
        X, y = rows_of(rows, 10)
        if sheet.device.startswith("cuda"):
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        seconds = []
        for _ in "ab":
            start = time.perf_counter()
            KAN([10, 10, 1], seed=0).fit(X, y, steps=3, batched=True, device=sheet.device, update_grid=False)
            seconds.append(time.perf_counter() - start)
        memory = torch.cuda.max_memory_allocated() / 2**30 if sheet.device.startswith("cuda") else 0.0
        cpu = float("nan")
        if rows <= 10**5 and sheet.left() > 30:
            start = time.perf_counter()
            KAN([10, 10, 1], seed=0).fit(X, y, steps=3, update_grid=False)
            cpu = time.perf_counter() - start
        sheet.row(rows, *seconds, cpu, memory)


def whole(sheet: Sheet) -> None:
    """Time whole trainings, grids that follow and all: where the device begins to pay."""
    sheet.section(
        "Whole trainings of 60 steps, 1000 rows, s",
        [
            "shape",
            "networks",
            "first time",
            "again",
            "CPU",
            "RMSE / spread, device",
            "RMSE / spread, CPU",
            "rule",
        ],
    )
    from kansym.network.training import worth

    for shape in ([2, 5, 1], [6, 5, 1]):
        X, y = rows_of(sheet.fewer(1000), shape[0])
        for members in (1, 4, 16, sheet.fewer(64), sheet.fewer(200)):
            if sheet.left() < 12:
                return
            seconds, errors = [], []
            for extra in ({"batched": True, "device": sheet.device},) * 2 + ({},):
                if not extra and sheet.left() < 0.05 * members + 8:
                    seconds.append(float("nan"))
                    errors.append(float("nan"))
                    continue
                many = Ensemble(shape, seeds=range(members))
                start = time.perf_counter()
                many.fit(X, y, steps=60, **extra)
                seconds.append(time.perf_counter() - start)
                errors.append(float(many.losses.min() ** 0.5 / y.std()))
            rule = "device" if worth.device(many.layers, len(X), 60) else "CPU"
            sheet.row(shape, members, *seconds, errors[1], errors[2], rule)


def restarts(sheet: Sheet) -> None:
    """Time the best of 32 starts beside one."""
    sheet.section(
        "KAN.fit(restarts=32) beside one start, 100 steps, 1000 rows, s", ["shape", "where", "one", "32"]
    )
    for shape in ([2, 5, 1], [6, 5, 1]):
        X, y = rows_of(sheet.fewer(1000), shape[0])
        for device in dict.fromkeys((sheet.device, "cpu")):
            if sheet.left() < 15:
                return
            seconds = []
            for number in (1, 32):
                start = time.perf_counter()
                extra = {"restarts": number} if number > 1 else {}
                KAN(shape, seed=0).fit(X, y, steps=100, validation=0.2, device=device, **extra)
                seconds.append(time.perf_counter() - start)
            sheet.row(shape, device, *seconds)


PARTS: dict[str, Callable[[Sheet], None]] = {
    "check": check,
    "steps": steps,
    "adam": adam,
    "rows": many_rows,
    "restarts": restarts,
    "whole": whole,
}


def main(argv: list[str]) -> int:
    """Run the parts asked for, each guarded, as long as there is time."""
    parser = argparse.ArgumentParser(prog="benchmark.py gpu", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", default="", help="write all rows as JSON here, after each")
    parser.add_argument("--seconds", type=float, default=230.0)
    parser.add_argument("--small", type=int, default=1, help="divide rows and networks by this: a trial run")
    given = parser.parse_args(argv)
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print("torch finds no CUDA device here; --device cpu runs the same code without one.")
        return 2
    sheet = Sheet(given.device, given.out, given.seconds, given.small)
    name = torch.cuda.get_device_name() if given.device.startswith("cuda") else "the CPU, batched"
    print(f"Device: {name}; torch {torch.__version__}; {os.cpu_count()} CPU cores.")
    start = time.perf_counter()
    X, y = rows_of(100, 2)
    Ensemble([2, 2, 1], seeds=[0, 1]).fit(X, y, steps=2)
    for kind in ("float32", "float64"):
        KAN([2, 2, 1]).fit(X, y, steps=2, optimizer="adam", dtype=kind)
    print(f"Kernels for the CPU compiled or loaded in {time.perf_counter() - start:.1f} s.")
    failed = 0
    for part in given.parts:
        if sheet.left() < 10:
            print(f"\n{part}: no time left.")
            continue
        try:
            PARTS[part](sheet)
        except Exception:  # one part that fails must not cost the others
            failed += 1
            print(f"\n{part} failed:\n```\n{traceback.format_exc(limit=4)}```", flush=True)
    return min(failed, 1)

"""One Levenberg–Marquardt step of many networks at once."""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from kansym.network.ensemble import Ensemble
from kansym.network.training import layers as lay
from kansym.network.training import levenberg, losses
from kansym.network.training.problem import Problem


def step_times(members: int, device: str, repeats: int) -> list[tuple[float, float]]:
    """Return wall and processor seconds of single steps of `members` networks [6,5,1] on 1000 rows.

    A step forms every member's J'J, solves, and looks at the trial's objective; the objective at the start,
    which a training looks at once, is timed beside it and taken off.
    """
    X = np.random.default_rng(0).uniform(-1, 1, (1000, 6))
    y = torch.from_numpy(np.sin(X.sum(1)) + X[:, 0] * X[:, 1])[:, None].to(device)
    many = Ensemble([6, 5, 1], seeds=range(members))
    problem = Problem(many.layers, X, y, losses.Squared(), device=device)
    theta = torch.from_numpy(lay.pack(many.layers)).to(device)

    def timed(steps: int) -> np.ndarray:
        start, busy = time.perf_counter(), time.process_time()
        float(levenberg.minimise(problem, theta, steps).state.loss.sum())
        return np.array([time.perf_counter() - start, time.process_time() - busy])

    timed(1)
    return [tuple(timed(1) - timed(0)) for _ in range(repeats)]


def main(argv: list[str]) -> int:
    """Print the time of a step on the CPU and, where there is one, on the GPU."""
    parser = argparse.ArgumentParser(prog="benchmark.py ensemble", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args(argv)
    print(
        "| device | networks | median wall s | least wall s "
        "| median processor s, all threads |\n|---|---|---|---|---|"
    )
    with threadpool_limits(1):
        for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
            name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
            for members in (1, 200):
                found = step_times(members, device, given.repeats)
                wall, busy = zip(*found, strict=True)
                shown = f"{statistics.median(wall):.4f} | {min(wall):.4f} | {statistics.median(busy):.4f}"
                print(f"| {name} | {members} | {shown} |", flush=True)
    if not torch.cuda.is_available():
        print("\nNo CUDA device here; the GPU rows were not measured.")
    return 0

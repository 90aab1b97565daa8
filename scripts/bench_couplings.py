"""Which state drives which: python scripts/benchmark.py couplings [--states 5 10 20] [--noise 0.01].

Lorenz's ring of 1996, dx_k/dt = (x_(k+1) - x_(k-2)) x_(k-1) - x_k + 8, on its attractor; noise is relative,
per value. Prints precision and recall of the arrows, itself included, and CPU seconds.
"""

from __future__ import annotations

# ruff: noqa: E402 (threads must be limited before numpy is imported)
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp


def ring(states: int, rows: int, step: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return times (rows,) and states (rows, states), ten units of time after a random start."""

    def slopes(_: float, x: np.ndarray) -> np.ndarray:
        return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8

    start = 8 + np.random.default_rng(seed).normal(size=states)
    start = solve_ivp(slopes, (0, 10), start, rtol=1e-9, atol=1e-9).y[:, -1]
    t = step * np.arange(rows)
    path = solve_ivp(slopes, (0, t[-1]), start, "DOP853", t, rtol=1e-10, atol=1e-10)
    return t, path.y.T


def main(argv: list[str]) -> int:
    """Learn each ring and print a row of the table."""
    parser = argparse.ArgumentParser(prog="benchmark couplings")
    parser.add_argument("--states", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--step", type=float, default=0.05, help="time between two rows")
    parser.add_argument("--noise", type=float, default=0.01, help="relative, per value")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path, help="draw the last ring's arrows here (SVG)")
    a = parser.parse_args(argv)
    from kansym.pipeline.motion.dynamics import dynamics
    from kansym.report.arrows import arrows_svg

    print("| states | arrows | precision | recall | CPU s |\n|---|---|---|---|---|")
    for states in a.states:
        t, X = ring(states, a.rows, a.step, a.seed)
        X = X * (1 + a.noise * np.random.default_rng([a.seed, states]).normal(size=X.shape))
        started = time.process_time()
        found = dynamics(t, X)
        seconds = time.process_time() - started
        arrows = {(d, s) for s, drivers in found.couplings.items() for d in drivers}
        true = {(f"x{(k + by) % states}", f"x{k}") for k in range(states) for by in (-2, -1, 0, 1)}
        right = len(arrows & true)
        precision, recall = right / max(len(arrows), 1), right / len(true)
        print(f"| {states} | {len(arrows)} | {precision:.3f} | {recall:.3f} | {seconds:.0f} |", flush=True)
    if a.picture is not None:
        a.picture.write_text(arrows_svg(found.couplings), encoding="utf-8")
    return 0

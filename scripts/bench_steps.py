"""Single steps of every optimiser on the CPU, beside an MLP and pykan; and what single precision reaches."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import peers
import torch

from kansym.network.ensemble import Ensemble
from kansym.network.kan import KAN

PEER = """
import json, os, sys, tempfile, time
os.chdir(tempfile.mkdtemp())
import numpy as np, torch
from kan import KAN
torch.set_num_threads(int(sys.argv[3]))
torch.set_default_dtype(getattr(torch, sys.argv[2]))
shape, rows, opt, steps = json.loads(sys.argv[1])
X = torch.rand(rows, shape[0]) * 2 - 1
y = torch.sin(X.sum(1, keepdim=True))
d = dict(train_input=X, train_label=y, test_input=X[:10], test_label=y[:10])
m = KAN(width=shape, grid=5, k=3, seed=0, auto_save=False)
m.fit(d, opt=opt, steps=1, lr=1e-2, update_grid=False)
t = time.perf_counter()
m.fit(d, opt=opt, steps=steps, lr=1e-2, update_grid=False)
print("RESULT" + json.dumps((time.perf_counter() - t) / steps))
"""

CASES: list[tuple[list[int], int, int, dict[str, Any], str]] = [
    ([10, 10, 10, 1], 10**4, 1, {"optimizer": "adam", "dtype": "float32"}, "30"),
    ([10, 10, 10, 1], 10**4, 1, {"optimizer": "adam"}, "50"),
    ([10, 10, 10, 1], 10**4, 1, {"optimizer": "adam", "dtype": "float32", "batch": 512}, "-"),
    ([2, 5, 1], 1000, 1, {"optimizer": "lbfgs"}, "15"),
    ([2, 5, 1], 1000, 1, {}, "3"),
    ([4, 5, 5, 1], 1000, 1, {}, "10"),
    ([6, 5, 1], 1000, 200, {}, "460"),
]
"""Shape, rows, networks, options, and the wanted milliseconds a step."""


def rows_of(number: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and a smooth target."""
    X = np.random.default_rng(0).uniform(-1, 1, (number, inputs))
    return X, np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2) + X.sum(1) / 3


def between_steps(train: Callable[[Callable[[dict], None]], Any], repeats: int) -> tuple[float, float]:
    """Return the median wall and processor seconds between two steps, the least of several trainings.

    Processor seconds are those of all threads, which neighbours on the machine stretch less.
    """
    best = np.full(2, np.inf)
    for _ in range(repeats):
        marks: list[tuple[float, float]] = []
        train(lambda row, marks=marks: marks.append((time.perf_counter(), time.process_time())))
        best = np.minimum(best, np.median(np.diff(np.array(marks), axis=0), axis=0))
    return float(best[0]), float(best[1])


def ours(repeats: int) -> None:
    """Print the time of a step of each case; one of LBFGS is an outer one, of up to 20 line searches."""
    print("| network | rows | networks | options | wall ms | processor ms | wanted |\n" + "|---" * 7 + "|")
    for shape, rows, members, options, wanted in CASES:
        X, y = rows_of(rows, shape[0])
        steps = 4 if members > 1 else 30 if shape != [10, 10, 10, 1] else 8

        def train(mark: Callable[[dict], None], shape=shape, X=X, y=y, members=members, o=options, n=steps):
            if members > 1:
                held = (X[:10], y[:10])
                Ensemble(shape, range(members)).fit(
                    X, y, steps=n, update_grid=False, callback=mark, validation=held, **o
                )
            else:
                KAN(shape, seed=0).fit(X, y, steps=n, update_grid=False, callback=mark, **o)

        train(lambda row: None)
        wall, busy = between_steps(train, repeats)
        said = " ".join(f"{k}={v}" for k, v in options.items()) or "lm"
        print(
            f"| {shape} | {rows} | {members} | {said} | {1e3 * wall:.2f} | {1e3 * busy:.2f} | {wanted} |",
            flush=True,
        )


def mlp(repeats: int) -> None:
    """Print the time of a step of Adam of an MLP 10-64-64-1."""
    X, y = rows_of(10**4, 10)
    for kind in (torch.float32, torch.float64):
        A, b = torch.from_numpy(X).to(kind), torch.from_numpy(y[:, None]).to(kind)
        layers = [torch.nn.Linear(10, 64), torch.nn.SiLU(), torch.nn.Linear(64, 64), torch.nn.SiLU()]
        model = torch.nn.Sequential(*layers, torch.nn.Linear(64, 1)).to(kind)
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        best = np.inf
        for _ in range(8 * repeats):
            start = time.perf_counter()
            optimiser.zero_grad()
            ((model(A) - b) ** 2).mean().backward()
            optimiser.step()
            best = min(best, time.perf_counter() - start)
        print(f"| MLP 10-64-64-1 | 10000 | 1 | adam {kind} | {1e3 * best:.2f} | | |", flush=True)


def theirs(given: str) -> None:
    """Print the time of pykan's steps."""
    with tempfile.TemporaryDirectory() as folder:
        python = peers.pykan(folder, given)
        if python is None:
            print("\npykan could not be installed; no step of it was timed.")
            return
        for shape, rows, opt, steps, kind in (
            ([10, 10, 10, 1], 10**4, "Adam", 10, "float32"),
            ([2, 5, 1], 1000, "LBFGS", 10, "float64"),
        ):
            command = [python, "-c", PEER, json.dumps([shape, rows, opt, steps]), kind, str(os.cpu_count())]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found = json.loads(out.split("RESULT")[1])
            print(f"| pykan {shape} | {rows} | 1 | {opt} {kind} | {1e3 * found:.1f} | | |", flush=True)


def precision() -> None:
    """Print what each optimiser reaches in single and in double precision, RMSE on fresh rows."""
    print("\n| optimiser | steps | float32 | float64 |\n|---|---|---|---|")
    X, y = rows_of(1000, 2)
    Z = np.random.default_rng(1).uniform(-1, 1, (5000, 2))
    z = np.exp(np.sin(np.pi * Z[:, 0]) + Z[:, 1] ** 2) + Z.sum(1) / 3
    for optimiser, steps in (("lm", 100), ("lbfgs", 100), ("adam", 2000)):
        found = []
        for kind in ("float32", "float64"):
            model = KAN([2, 5, 1], seed=0).fit(X, y, steps=steps, optimizer=optimiser, dtype=kind)
            found.append(float(np.sqrt(np.mean((model.predict(Z) - z) ** 2))))
        print(f"| {optimiser} | {steps} | {found[0]:.2g} | {found[1]:.2g} |", flush=True)


def stream() -> None:
    """Print the time and memory of a turn of mini-batches through 10^6 rows."""
    X, y = rows_of(10**6, 10)
    start = time.perf_counter()
    KAN([10, 10, 1], seed=0).fit(X, y, steps=1, optimizer="adam", dtype="float32", batch=1024)
    lines = Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else []
    peak = next((line.split()[1] for line in lines if line.startswith("VmHWM")), "0")
    print(
        f"\nAdam, one turn of batches of 1024 through 10^6 rows of [10,10,1]: "
        f"{time.perf_counter() - start:.1f} s, peak of the process {int(peak) / 2**20:.2f} GB"
    )


def main(argv: list[str]) -> int:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(prog="benchmark.py steps", description=__doc__)
    parser.add_argument("parts", nargs="*", default=["steps", "mlp", "peer", "precision", "stream"])
    parser.add_argument("--pykan", default="", help="a Python that imports pykan 0.2.8")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args(argv)
    if "steps" in given.parts:
        ours(given.repeats)
    if "mlp" in given.parts:
        mlp(given.repeats)
    if "peer" in given.parts:
        theirs(given.pykan)
    if "precision" in given.parts:
        precision()
    if "stream" in given.parts:
        stream()
    return 0

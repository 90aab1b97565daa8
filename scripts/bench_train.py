"""Single steps, time to pykan's accuracy, grid extension, the canonical walk and memory."""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable

import bench_steps
import numpy as np
import peers

from kansym.estimators.session import KAN

PEER = """
import json, sys, time, os, tempfile
os.chdir(tempfile.mkdtemp())
import torch, numpy as np
from kan import KAN
torch.set_num_threads(2); torch.set_default_dtype(torch.float64)
shape, seed, steps = json.loads(sys.argv[1])
data = np.load(sys.argv[2])
d = {k: torch.from_numpy(data[k]) for k in data.files}
m = KAN(width=shape, grid=5, k=3, seed=seed, auto_save=False)
t = time.perf_counter()
m.fit(d, opt="LBFGS", steps=steps)
t = time.perf_counter() - t
r = float(((m(d["test_input"]) - d["test_label"]) ** 2).mean() ** 0.5)
print("RESULT" + json.dumps([t, r]))
"""


def walk_function(X: np.ndarray) -> np.ndarray:
    """Return exp(sin(pi x) + y^2)."""
    return np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)


def four_function(X: np.ndarray) -> np.ndarray:
    """Return exp((sin(pi(x1^2+x2^2)) + sin(pi(x3^2+x4^2)))/2)."""
    s = np.pi * X**2
    return np.exp(0.5 * (np.sin(s[:, 0] + s[:, 1]) + np.sin(s[:, 2] + s[:, 3])))


def race(shape: list[int], f: Callable, seeds: range, python: str, wanted: float, steps: int) -> None:
    """Print, by seed, pykan's test RMSE and time, and our time to reach that RMSE."""
    print(
        f"\n{shape}, 1000 rows, G=5; pykan: {steps} LBFGS steps\n\n| seed | pykan RMSE "
        f"| pykan s | kansym s to it | steps | ratio |"
    )
    print("|---|---|---|---|---|---|")
    ratios = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        X, Xt = rng.uniform(-1, 1, (1000, shape[0])), rng.uniform(-1, 1, (1000, shape[0]))
        y, yt = f(X), f(Xt)
        with tempfile.NamedTemporaryFile(suffix=".npz") as file:
            np.savez(file, train_input=X, train_label=y[:, None], test_input=Xt, test_label=yt[:, None])
            file.flush()
            command = [python, "-c", PEER, json.dumps([shape, seed, steps]), file.name]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        theirs, rmse = json.loads(out.split("RESULT")[1])
        model, found = KAN(shape, seed=seed), []

        def reached(row: dict, rmse: float = rmse, found: list = found) -> bool:
            found.append(row)
            return row["held_out"] > rmse**2

        start = time.perf_counter()
        model.fit(X, y, steps=1000, validation=(Xt, yt), callback=reached)
        ours = time.perf_counter() - start
        done = model.stop_reason == "asked"
        ratios.append(theirs / ours if done else 0.0)
        print(
            f"| {seed} | {rmse:.1e} | {theirs:.1f} "
            f"| {ours:.3f}{'' if done else ' (not reached)'} | {len(found)} | {ratios[-1]:.0f} |",
            flush=True,
        )
    print(f"\nmedian ratio {statistics.median(ratios):.0f} (wanted {wanted:.0f})")


def extension(rows: int, seed: int = 0) -> None:
    """Print the staircase of [2,1,1] and its slope, on data of one seed."""
    rng = np.random.default_rng(seed)
    X, Xt = rng.uniform(-1, 1, (rows, 2)), rng.uniform(-1, 1, (10000, 2))
    y, yt = walk_function(X), walk_function(Xt)
    model, grids, found = KAN([2, 1, 1], seed=0), [5, 10, 20, 50, 100, 200, 250], []
    few = rows <= 2000
    print(
        f"\nGrid extension on [2,1,1], {rows} rows, data of seed {seed}\n\n| G | train RMSE | test RMSE "
        f"| seconds |\n|---|---|---|---|"
    )
    start = time.perf_counter()
    for g in grids:
        options: dict = {"smoothness": 1e-13, "update_grid": g == 5}
        if few:
            # Some unseen rows lie beyond all others: grids reach there, and smoothness fills them.
            options = {"smoothness": 1e-13, "margin": 0.05}
            if g >= 50:
                options |= {"smoothness": (1e-3, 1e-5, 1e-7), "validation": 0.1}
        model.fit(X, y, steps=60, grids=[g], **options)
        found.append(float(np.sqrt(np.mean((model.predict(Xt) - yt) ** 2))))
        print(
            f"| {g} | {np.sqrt(model.history.loss.iloc[-1]):.2e} | {found[-1]:.2e} "
            f"| {time.perf_counter() - start:.1f} |",
            flush=True,
        )
    slope = np.polyfit(np.log(grids[:-1]), np.log(found[:-1]), 1)[0]
    print(f"\nslope over G=5..200: {slope:.2f} (wanted below -3.7); best {min(found):.1e}")


def walk(seeds: range) -> None:
    """Print how the canonical walk of 2.5.2 ends, by seed, from the best of eight starts."""
    print(
        "\nCanonical walk\n\n| seed | shape | suggested | loss after refit | formula "
        "| seconds |\n|---|---|---|---|---|---|"
    )
    good = 0
    for seed in seeds:
        X = np.random.default_rng(seed).uniform(-1, 1, (1000, 2))
        y = walk_function(X)
        start = time.perf_counter()
        model = KAN([2, 5, 1], seed=seed).fit(X, y, steps=100, lamb=1e-2, restarts=8).prune()
        if model.shape != [2, 1, 1] or not model.layers[0].state.all():
            print(f"| {seed} | {model.shape} | | | | {time.perf_counter() - start:.1f} |", flush=True)
            continue
        model.fit(X, y, steps=60, grids=[10, 20, 40])
        edges = (((0, 0, 0), "sin"), ((0, 1, 0), "x^2"), ((1, 0, 0), "exp"))
        names = [model.suggest_symbolic(*e)[0].function.name for e, _ in edges]
        for e, name in edges:
            model = model.fix_symbolic(*e, name)
        model.fit(X, y, steps=60, tolerance=0.0)
        loss = model.history.loss.iloc[-1]
        text = str(model.symbolic_formula(9))
        good += names == ["sin", "x^2", "exp"] and loss < 1e-20
        print(
            f"| {seed} | {model.shape} | {' '.join(names)} | {loss:.0e} | {text} "
            f"| {time.perf_counter() - start:.1f} |",
            flush=True,
        )
    print(f"\n{good} of {len(seeds)} (wanted: all)")


def memory() -> None:
    """Print the peak memory of a step on 10^6 rows through [10,10,1]."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (10**6, 10))
    y = np.sin(X.sum(1))
    start = time.perf_counter()
    model = KAN([10, 10, 1], seed=0).fit(X, y, steps=2)
    model.predict(X)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"\n10^6 rows through [10,10,1]: 2 steps and a prediction"
        f", {time.perf_counter() - start:.0f} s, peak {peak:.2f} GB (wanted under 2)"
    )


def main(argv: list[str]) -> int:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(prog="benchmark.py train", description=__doc__)
    parser.add_argument("parts", nargs="*", default=["steps", "memory", "extension", "walk", "race"])
    parser.add_argument("--pykan", default="", help="a Python that imports pykan 0.2.8")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200, help="pykan's LBFGS steps")
    given = parser.parse_args(argv)
    KAN([2, 1], seed=0).fit(
        np.random.default_rng(0).normal(size=(50, 2)), np.arange(50.0), steps=3
    )  # compile
    if "steps" in given.parts:
        bench_steps.main(["--pykan", given.pykan])
    if "memory" in given.parts:
        memory()
    if "extension" in given.parts:
        extension(20000)
        for seed in range(6):
            extension(1000, seed)
    if "walk" in given.parts:
        walk(range(20))
    if "race" in given.parts:
        with tempfile.TemporaryDirectory() as folder:
            python = peers.pykan(folder, given.pykan)
            if python is None:
                print("\npykan could not be installed; no race")
                return 0
            race([2, 5, 1], walk_function, range(given.seeds), python, 100, given.steps)
            race([4, 5, 5, 1], four_function, range(given.seeds), python, 20, given.steps)
    return 0

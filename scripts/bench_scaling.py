"""How the time of a search grows with rows, with variables and with columns that do not matter.

One law of each size, noise-free (found exactly, then the search stops) and with 1 percent of noise (every
producer runs to its end); CPU seconds, so that other work on the machine matters little. Writes
docs/benchmarks/scaling.md and scaling.png.
"""

from __future__ import annotations

# ruff: noqa: E402 (threads must be limited before numpy is imported)
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kansym.pipeline import flow as pipeline

DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
ROWS = (100, 1000, 10_000, 100_000, 1_000_000)
VARIABLES = (1, 2, 3, 5, 8, 12, 20, 30)
DUMMIES = (0, 1, 3, 8, 15, 27)
NOISE = (0.0, 0.01)

Row = tuple[str, int, float, float, bool, str]


def rows_case(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return n rows of a·exp(-b²/2)/c."""
    X = rng.uniform(1, 3, (n, 3))
    return X, X[:, 0] * np.exp(-(X[:, 1] ** 2) / 2) / X[:, 2]


def variables_case(d: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return 1000 rows of a product of d powers."""
    X = rng.uniform(1, 3, (1000, d))
    powers = np.resize([1, -1, 2, 0.5, -2], d)
    return X, np.prod(X**powers, axis=1)


def dummies_case(d: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return 1000 rows of the first law with d columns more."""
    X, y = rows_case(1000, rng)
    return np.column_stack([X, rng.uniform(1, 3, (1000, d))]), y


CASES: dict[str, tuple[Callable[..., tuple[np.ndarray, np.ndarray]], tuple[int, ...]]] = {
    "rows": (rows_case, ROWS),
    "variables": (variables_case, VARIABLES),
    "dummy columns": (dummies_case, DUMMIES),
}


def measure(case: str, size: int, noise: float) -> Row:
    """Return one search: CPU seconds, whether it found the law (no error beyond the noise's), the formula."""
    rng = np.random.default_rng([size, int(1000 * noise)])
    X, clean = CASES[case][0](size, rng)
    y = clean + noise * np.sqrt(np.mean(clean**2)) * rng.normal(size=len(clean))
    started = time.process_time()
    run = pipeline.discover(X, y, seed=0, time_limit=60)
    seconds = time.process_time() - started
    off = np.sqrt(np.mean((run.predict(X[:1000]) - clean[:1000]) ** 2) / np.mean(clean**2))
    return case, size, noise, seconds, bool(off <= max(1e-9, noise / 5)), run.best.equation


def figure(found: list[Row], path: Path) -> None:
    """Draw the three panels."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(10, 3.4), layout="constrained")
    for axes, case in zip(drawn.subplots(1, len(CASES), sharey=True), CASES, strict=True):
        for noise in NOISE:
            points = [(r[1], r[3]) for r in found if r[0] == case and r[2] == noise]
            if points:
                label = f"{noise:.0%} noise" if noise else "noise-free"
                axes.plot(*zip(*points, strict=True), marker="o", label=label)
        axes.set(xlabel=case, yscale="log", xscale="log" if case == "rows" else "linear")
        axes.grid(alpha=0.3)
    first = drawn.axes[0]
    first.set_ylabel("CPU seconds")
    first.legend()
    drawn.savefig(path, dpi=120)


def main(argv: list[str]) -> int:
    """Measure, print, and write the page and the figure."""
    parser = argparse.ArgumentParser(prog="benchmark scaling", description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=CASES, nargs="*", default=list(CASES))
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks/scaling.md and .png")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    pipeline.discover(*rows_case(200, np.random.default_rng(0)), seed=0)  # compiled code is loaded once
    lines = ["| what grows | size | noise | CPU s | law found | formula |", "|---|---|---|---|---|---|"]
    print("\n".join(lines))
    found = []
    for case in options.only:
        for noise in NOISE:
            for size in CASES[case][1]:
                row = measure(case, size, noise)
                found.append(row)
                yes = "yes" if row[4] else "no"
                lines.append(f"| {case} | {size} | {noise:.0%} | {row[3]:.1f} | {yes} | `{row[5][:70]}` |")
                print(lines[-1], flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines += ["", f"Peak memory of the whole process: {peak:.1f} GB."]
    print(lines[-1])
    if options.write:
        figure(found, DOCS / "scaling.png")
        page = [
            "# How time grows",
            "",
            "`python scripts/benchmark.py scaling --write`. CPU seconds of one search on one thread. Laws: "
            "a·exp(-b²/2)/c for rows and dummy columns (1000 rows where rows do not grow), a product of "
            "powers for variables. Found: off by less than 1e-9 of RMS(y), or a fifth of the noise.",
            "",
            "![CPU seconds against rows, variables and dummy columns](scaling.png)",
            "",
            *lines,
            "",
        ]
        (DOCS / "scaling.md").write_text("\n".join(page), encoding="utf-8")
    return 0

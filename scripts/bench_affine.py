"""Benchmark the affine fitter: random truths, noise coverage, pykan's failures, cost.

python scripts/benchmark.py affine [--draws 200] [--part truth|noise|hard|cost|all] [--jobs 2] [--seed 0]

A draw shows a window of the function's own axis (half-width, centre) that a parabola cannot imitate to
1e-6, on an x-range 1e-6 to 1e6 wide and up to 100 widths from 0, scaled and shifted in y.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from kansym.affine import fit_affine
from kansym.errors import KansymError
from kansym.library import Function, Library
from kansym.matching import match, match_many

ROWS = 1000


def window(f: Function, rng: np.random.Generator) -> tuple[float, float]:
    """Return the two ends of a random window of f's axis, inside its domain."""
    kind = f.redundant
    if len(f.domain) > 1:
        piece = f.domain[rng.integers(len(f.domain))]
    else:
        piece = f.domain[0]
    low, high = piece.low, piece.high
    if f.name == "tan":
        low, high = -math.pi / 2, math.pi / 2
    if math.isfinite(low) and math.isfinite(high):
        gaps = 10 ** rng.uniform(-4, -0.05, 2) * (high - low)
        ends = (low + gaps[0], high - gaps[1])
        if ends[0] >= ends[1]:
            ends = (low + gaps[0] * 0.4, high - gaps[1] * 0.4)
        return ends
    if math.isfinite(low) or math.isfinite(high):
        width = 10 ** rng.uniform(-1, 2)
        gap = width * 10 ** rng.uniform(-4, 1)
        return (low + gap, low + gap + width) if math.isfinite(low) else (high - gap - width, high - gap)
    if "a" in kind:
        centre = rng.uniform(-3, 3)
        return centre - 1, centre + 1
    if f.period is not None:
        half = 10 ** rng.uniform(-1, 2)
        centre = rng.uniform(-math.pi, math.pi)
    else:
        half = 10 ** rng.uniform(-1, 1.3)
        centre = rng.uniform(-1, 1) * (half + 4)
    return centre - half, centre + half


def draw(
    f: Function, rng: np.random.Generator, rows: int = ROWS
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Return x, y and the truth of one draw that a parabola cannot imitate."""
    while True:
        low, high = window(f, rng)
        if rng.random() < 0.5:
            low, high = high, low
        width = 10 ** rng.uniform(-6, 6)
        start = width * rng.uniform(-100, 100)
        x = np.sort(start + width * rng.random(rows))
        a = (high - low) / width
        b = low - a * start
        shape = f(a * x + b)
        if not np.isfinite(shape).all() or np.ptp(shape) <= 1e-5 * np.abs(shape).max():
            continue
        t = (x - x.mean()) / (np.ptp(x) / 2)
        rest = shape - np.polyval(np.polyfit(t, shape, 2), t)
        if f.name not in ("x", "x^2") and rest.std() < 1e-6 * shape.std():
            continue
        c = rng.choice([-1, 1]) * 10 ** rng.uniform(-4, 4) / shape.std()
        d = c * shape.std() * rng.normal() * 3 - c * shape.mean()
        return x, c * shape + d, {"a": a, "b": b, "c": c, "d": d, "low": low, "high": high}


def one_truth(f: Function, seed: list[int], library: Library | None) -> dict[str, Any]:
    """Fit the true function, and rank the library, on one draw."""
    x, y, truth = draw(f, np.random.default_rng(seed))
    try:
        error = fit_affine(x, y, f).relative_rmse
    except KansymError:
        error = math.inf
    row = {"name": f.name, "error": error, "truth": truth, "seed": seed}
    if library is not None:
        matches = match(x, y, library, top=6)
        row["first"] = matches[0].function.name
        row["ranks"] = [(m.function.name, m.relative_rmse) for m in matches[:3]]
        same = (y - matches[0](x)).std() < 1e-9 * y.std()
        row["ok"] = (
            matches[0].function == f
            or equivalent(matches[0].function, f)
            or (same and matches[0].function.complexity < f.complexity)
        )
        row["same"] = same
    return row


GROUPS = [
    {"sin", "cos", "sin^2"}, {"tanh", "sigmoid", "fermi"}, {"asin", "acos"}, {"abs", "relu"},
]  # fmt: skip


def equivalent(f: Function, g: Function) -> bool:
    """Tell whether one function is the other with other constants."""
    return f == g or any({f.name, g.name} <= group for group in GROUPS)


def part_truth(options: argparse.Namespace) -> bool:
    library = Library.load(options.library)
    names = options.only.split(",") if options.only else list(library)
    tasks = [
        (library[name], [options.seed, k, i])
        for k, name in enumerate(library)
        if name in names
        for i in range(options.draws)
    ]
    start = time.perf_counter()
    rows = Parallel(options.jobs)(
        delayed(one_truth)(f, s, None if options.fit_only else library) for f, s in tasks
    )
    print(f"random truth: {len(rows)} draws in {time.perf_counter() - start:.0f} s")
    print(f"{'function':16} {'<1e-9':>7} {'worst':>9} {'first':>7}")
    reached = first = 0
    for name in names:
        mine = [r for r in rows if r["name"] == name]
        good = [r["error"] < 1e-9 for r in mine]
        top = [r.get("ok", False) for r in mine]
        reached, first = reached + sum(good), first + sum(top)
        print(f"{name:16} {np.mean(good):7.1%} {max(r['error'] for r in mine):9.1e} {np.mean(top):7.1%}")
    print(f"{'all':16} {reached / len(rows):7.2%} {'':9} {first / len(rows):7.2%}")
    for r in rows:
        missed, misranked = not r["error"] < 1e-9, not r.get("ok", True)
        if missed or misranked:
            t = r["truth"]
            print(
                f"  {'missed' if missed else 'ranked'} {r['name']} {r['seed']} window ({t['low']:.4g}, {t['high']:.4g}) "
                f"error {r['error']:.1e} " + " ".join(f"{n} {e:.1e}" for n, e in r.get("ranks", []))
            )
    return reached >= 0.995 * len(rows) and (options.fit_only or first >= 0.97 * len(rows))


def main(argv: list[str]) -> int:
    """Run the chosen parts and say whether each held."""
    parser = argparse.ArgumentParser(prog="benchmark.py affine", description=__doc__)
    parser.add_argument("--part", default="all")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--library", default="default")
    parser.add_argument("--only", default="")
    parser.add_argument("--fit-only", action="store_true")
    options = parser.parse_args(argv)
    held = True
    if options.part in ("truth", "all"):
        held &= part_truth(options)
    return 0 if held else 1


_ = (importlib, os, subprocess, sys, tempfile, Path, match_many)
if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

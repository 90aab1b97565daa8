"""Splines against scipy.interpolate.BSpline and pykan, in the same run."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable

import numpy as np
import peers
from scipy.interpolate import BSpline

from kansym.functions import spline

PEER = """
import json, time, torch, numpy as np
from kan.spline import coef2curve, extend_grid
torch.set_num_threads(2)
x = torch.rand(100000, 100) * 2 - 1
grid = extend_grid(torch.linspace(-1, 1, 21)[None].expand(100, 21), k_extend=3)
coef = torch.randn(100, 1, 23)
times = []
for _ in range(REPEATS):
    t = time.perf_counter(); coef2curve(x, grid, coef, 3); times.append(time.perf_counter() - t)
print(json.dumps(times))
"""


def times(f: Callable[[], object], repeats: int) -> list[float]:
    """Return the seconds of each of `repeats` calls, after one to warm up."""
    f()
    out = []
    for _ in range(repeats):
        start = time.perf_counter()
        f()
        out.append(time.perf_counter() - start)
    return out


def main(argv: list[str]) -> int:
    """Print medians, ratios and the largest disagreement."""
    parser = argparse.ArgumentParser(prog="benchmark.py spline", description=__doc__)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--pykan", default="", help="a Python that imports pykan 0.2.8")
    given = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 10**6)
    print(
        "| 10^6 points, k=3, G=20 | kansym ms | SciPy ms | ratio | wanted "
        "| max difference |\n|---|---|---|---|---|---|"
    )
    for name, wanted in (("uniform", 20), ("non-uniform", 8)):
        points = np.linspace(-1, 1, 21)
        if name != "uniform":
            points[1:-1] += rng.uniform(-0.04, 0.04, 19)
        knots, c = spline.extend(points, 3), rng.normal(size=23)
        truth = BSpline(knots, c, 3)
        ours, theirs = [], []
        # in turns, so that noise of the machine hits both; seven calls each, so that each meets its own cache
        for _ in range(-(-given.repeats // 7)):
            ours += times(lambda knots=knots, c=c: spline.evaluate(knots, c, 3, x), 7)
            theirs += times(lambda truth=truth: truth(x), 7)
        a, b = statistics.median(ours), statistics.median(theirs)
        gap = np.abs(spline.evaluate(knots, c, 3, x) - truth(x)).max()
        best = min(theirs) / min(ours)
        print(
            f"| {name} | {a * 1e3:.2f} | {b * 1e3:.1f} | {b / a:.1f} (of minima {best:.1f}) "
            f"| {wanted} | {gap:.1e} |"
        )
    knots, c = spline.uniform_knots(-1, 1, 20), rng.normal(size=(100, 23))
    rows = rng.uniform(-1, 1, 10**5)
    a = statistics.median(times(lambda: spline.evaluate(knots, c, 3, rows), 7))
    with tempfile.TemporaryDirectory() as folder:
        python = peers.pykan(folder, given.pykan)
        if python is None:
            print(f"\n100 splines x 10^5 points: kansym {a * 1e3:.0f} ms; pykan could not be installed")
            return 0
        command = [python, "-c", PEER.replace("REPEATS", "3")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    b = statistics.median(json.loads(done.stdout))
    print(
        f"\n100 splines x 10^5 points: kansym {a * 1e3:.0f} ms, pykan {b:.2f} s"
        f", ratio {b / a:.0f} (wanted 100)"
    )
    return 0

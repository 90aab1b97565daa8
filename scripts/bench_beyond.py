"""Fit tables larger than memory: time and memory from 10⁶ to 10⁸ rows of five columns.

Makes a folder of Parquet files for each size and finds the law in it as `kansym discover` does, in a process
of its own: one pass draws the sample, the search works on it, further passes fit the front to all rows.
Prints a table in Markdown. Run: python scripts/bench_beyond.py --rows 1e6,1e7,1e8 --folder /some/disk
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROWS_A_FILE = 1_000_000
FORMULAS = (
    "2.45",
    "2.4*b**1.45*exp(-0.72*c)",
    "2.45*a*b**1.45*exp(-0.72*c)/d",
    "2.45*a*b**1.45*exp(-0.72*c)*d**-1.01 + 0.001",
)
LAW = "y = 2.5*a*b**1.5*exp(-0.7*c)/d, noise 0.05"


def make(rows: int, folder: Path) -> None:
    """Write `rows` rows of the law as Parquet, a million a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, rows, ROWS_A_FILE)):
        size = min(ROWS_A_FILE, rows - start)
        a, b, c, d = rng.uniform(1, 3, (4, size))
        y = 2.5 * a * b**1.5 * np.exp(-0.7 * c) / d + 0.05 * rng.normal(size=size)
        columns = {"a": a, "b": b, "c": c, "d": d, "y": y}
        pq.write_table(pa.table(columns), folder / f"{number:04}.parquet", use_dictionary=False)


def fit(folder: Path, effort: float) -> dict[str, object]:
    """Find the law in a folder, each step timed; return plain data."""
    from kansym.data import scan
    from kansym.data.dataset import from_table
    from kansym.pipeline.beyond import on_all_rows
    from kansym.pipeline.flow import Options, search

    scan.SCANNED = 1
    clock = [(time.monotonic(), time.process_time())]

    def lap() -> tuple[float, float]:
        clock.append((time.monotonic(), time.process_time()))
        return clock[-1][0] - clock[-2][0], clock[-1][1] - clock[-2][1]

    large = scan.Scan.of(folder)
    assert large is not None
    table = large.sample()
    drawn = lap()
    dataset = from_table(table)
    run = search(dataset, Options(effort=effort))
    searched = lap()
    run = on_all_rows(run, dataset, scan.Reading(large, dataset.target, dataset.made))
    summed = lap()
    passes = re.search(r"in (\d+) passes", " ".join(run.data["notes"]))
    return {
        "law": run.best.equation,
        "laws": len(run.front),
        "drawn": drawn,
        "searched": searched,
        "summed": summed,
        "passes": int(passes[1]) if passes else 0,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def passes(folder: Path) -> dict[str, object]:
    """Fit four given formulas to a folder without any search: what grows with the rows, alone."""
    from kansym.data import scan
    from kansym.formula.expression import text
    from kansym.formula.polish import Rows
    from kansym.formula.sums import refitted
    from kansym.functions.parsing import parse_expression, symbols

    scan.SCANNED = 1
    large = scan.Scan.of(folder)
    assert large is not None
    names, count = ("a", "b", "c", "d"), 0

    def parts() -> Iterator[Rows]:
        nonlocal count
        count += 1
        for X, y, weights in scan.Reading(large, "y").parts(names):
            yield Rows(X, y, weights, symbols(names))

    begun = time.monotonic(), time.process_time()
    large.sample()
    drawn = time.monotonic(), time.process_time()
    found = refitted([parse_expression(one, names) for one in FORMULAS], parts)
    ended = time.monotonic(), time.process_time()
    return {
        "law": text(found[2].expression),
        "laws": len(FORMULAS),
        "drawn": (drawn[0] - begun[0], drawn[1] - begun[1]),
        "searched": (0.0, 0.0),
        "summed": (ended[0] - drawn[0], ended[1] - drawn[1]),
        "passes": count,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def main() -> None:
    """Print one line of a Markdown table for each size; with --one fit a folder and print its data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1e6,1e7")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "kansym-beyond")
    parser.add_argument("--effort", type=float, default=1.0, help="of the search on the sample")
    parser.add_argument("--without-search", action="store_true", help="fit four given formulas")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        one = passes(arguments.one) if arguments.without_search else fit(arguments.one, arguments.effort)
        print(json.dumps(one))
        return
    print(f"{LAW}\n")
    print("| rows | GB | sample, s | search, s | passes, s | passes | laws | memory, GB | law |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for rows in (int(float(part)) for part in arguments.rows.split(",")):
        place = arguments.folder / str(rows)
        command = [sys.executable, __file__, "--one", str(place), "--effort", str(arguments.effort)]
        command += ["--without-search"] * arguments.without_search
        try:
            make(rows, place)
            size = sum(file.stat().st_size for file in place.iterdir()) / 1e9
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        one = json.loads(done.stdout)
        times = (
            f"{wall:.1f} (CPU {cpu:.1f})" for wall, cpu in (one["drawn"], one["searched"], one["summed"])
        )
        print(
            f"| {rows:.0e} | {size:.2f} | {' | '.join(times)} | {one['passes']} | {one['laws']} "
            f"| {one['memory']:.2f} | `{one['law']}` |",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Fit tables larger than memory: time and memory from 10⁶ to 10⁸ rows of five columns.

Makes a folder of Parquet files for each size, finds the law in it by `kansym discover`, and writes a table in
Markdown. Run: python scripts/bench_beyond.py --rows 1e6,1e7,1e8 --folder /some/large/disk
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
from pathlib import Path

import numpy as np

ROWS_A_FILE = 1_000_000
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


def fit(folder: Path) -> dict[str, object]:
    """Run the command in a process of its own; return its law and what it took."""
    code = "from kansym.data import scan; scan.SCANNED = 1; from kansym.cli import main; main()"
    with tempfile.TemporaryDirectory() as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        command = [sys.executable, "-c", code, "discover", str(folder), "--quiet", "--out", out]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        wall = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        document = json.loads((Path(out) / "result.json").read_text(encoding="utf-8"))
    stopped = re.search(r"Stopped after ([\d.]+) s", done.stdout)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    notes = " ".join(document["data"]["notes"])
    passes = re.search(r"in (\d+) passes", notes)
    return {
        "law": document["equation"],
        "wall": wall,
        "search": float(stopped[1]) if stopped else float("nan"),
        "cpu": cpu,
        "memory": after.ru_maxrss / 1e6,  # the largest child so far: sizes are run by rising rows
        "passes": int(passes[1]) if passes else 0,
    }


def main() -> None:
    """Print one line of a Markdown table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1e6,1e7")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "kansym-beyond")
    arguments = parser.parse_args()
    print(f"{LAW}\n")
    print("| rows | file size, GB | wall, s | CPU, s | memory, GB | passes | law |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for rows in sorted(int(float(part)) for part in arguments.rows.split(",")):
        place = arguments.folder / str(rows)
        try:
            make(rows, place)
            size = sum(file.stat().st_size for file in place.iterdir()) / 1e9
            one = fit(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        print(
            f"| {rows:.0e} | {size:.2f} | {one['wall']:.0f} | {one['cpu']:.0f} | {one['memory']:.2f} "
            f"| 1 + {one['passes']} | `{one['law']}` |",
            flush=True,
        )


if __name__ == "__main__":
    main()

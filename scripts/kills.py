"""Kill searches at random moments and resume them: nothing but a second of search may be lost.

Each trial starts `kansym discover --out`, ends it by a signal at a random moment, looks at the checkpoint,
resumes, and compares the answer with that of an unbroken run. Run: python scripts/kills.py --trials 50
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGKILL)
LOST = 1.0
"""Seconds of search that a kill may lose."""

ANSWER = "result.json"


def table(path: Path, seed: int) -> None:
    """Write a table whose law takes a search some seconds."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(1, 2, (60, 2))
    y = np.exp(-X[:, 0]) * np.sin(2.2 * X[:, 1]) + 0.3 * X[:, 1] + 0.02 * rng.normal(size=60)
    np.savetxt(path, np.column_stack([X, y]), delimiter=",", header="a,b,y", comments="")


def program(*arguments: object) -> subprocess.Popen[bytes]:
    """Start kansym in a process of its own."""
    code = "from kansym.cli import main; main()"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **quiet)  # type: ignore[call-overload]


def answer(folder: Path) -> list[str]:
    """Return the front of a run that is over."""
    return [law["equation"] for law in json.loads((folder / ANSWER).read_text(encoding="utf-8"))["front"]]


def trial(number: int, source: Path, wanted: list[str], longest: float) -> str:
    """Return what went wrong in one trial, "" for nothing."""
    rng = np.random.default_rng(number)
    sign = SIGNALS[number % len(SIGNALS)]
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        run = program("discover", source, "--out", out, "--quiet")
        kept = out / "checkpoint.json"
        while not kept.exists() and run.poll() is None:
            time.sleep(0.01)
        begun = time.time()
        time.sleep(rng.uniform(0, longest))
        ended = run.poll() is not None
        killed = time.time()
        if not ended:
            os.kill(run.pid, sign)
        run.wait(120)
        if kept.exists() and not ended:
            age = killed - kept.stat().st_mtime
            if age > LOST and killed - begun > LOST and sign == signal.SIGKILL:
                return f"the checkpoint was {age:.1f} s old"
            json.loads(kept.read_text(encoding="utf-8"))
            program("resume", out, "--quiet").wait(600)
        elif not (out / ANSWER).exists():
            return "neither an answer nor a checkpoint"
        got = answer(out)
        return "" if got == wanted else f"another answer: {got} instead of {wanted}"


def main_program(arguments: list[str] | None = None) -> int:
    """Run the trials; return 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial, which is its seed")
    given = parser.parse_args(arguments)
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "t.csv", Path(name) / "whole"
        table(source, 0)
        begun = time.time()
        program("discover", source, "--out", out, "--quiet").wait()
        longest = time.time() - begun
        wanted = answer(out)
        print(f"unbroken: {longest:.1f} s, {len(wanted)} laws", flush=True)
        for number in range(given.first, given.first + given.trials):
            wrong = trial(number, source, wanted, longest)
            failed += bool(wrong)
            print(
                f"trial {number} ({SIGNALS[number % len(SIGNALS)].name}): {wrong or 'same answer'}",
                flush=True,
            )
    print(f"{given.trials} trials, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main_program())

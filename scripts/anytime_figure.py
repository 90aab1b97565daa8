"""Draw the anytime curve: python scripts/anytime_figure.py LABEL=RESULTS.jsonl ... [--out FILE].

Share of the laws whose final formula stood within so many CPU seconds, one line for each file of results that
`scripts/benchmark.py discover` wrote. Several files after one label, joined by commas, are one line.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

OUT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks" / "anytime.png"
STYLES = (("#b03a2e", "--"), ("#0b6e99", "-"), ("#1f2933", ":"), ("#6c7a89", "-."))
WANTED = ((1.0, 0.5), (5.0, 0.75))
"""CPU seconds and the share of laws that is wanted by then."""


def proved(files: str) -> tuple[np.ndarray, int]:
    """Return when each recovered law was proved, in CPU seconds, sorted, and how many laws were asked."""
    rows = [json.loads(line) for name in files.split(",") for line in Path(name).read_text().splitlines()]
    return np.sort([r["proved"] for r in rows if r["recovered"]]), len(rows)


def draw(runs: list[tuple[str, str]], out: Path) -> None:
    """Draw all runs into one file."""
    figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for k, (label, files) in enumerate(runs):
        times, asked = proved(files)
        color, style = STYLES[k % len(STYLES)]
        shares = np.arange(len(times) + 1) / asked
        steps = np.concatenate([[0.05], times, [100.0]])
        ax.step(steps, np.append(shares, shares[-1]), where="post", color=color, ls=style,
                label=f"{label} ({len(times)} of {asked})")  # fmt: skip
    for seconds, share in WANTED:
        ax.plot(seconds, share, "o", mfc="none", color="#1f2933", ms=7)
    ax.set(xscale="log", xlim=(0.1, 100), ylim=(0, 1), xlabel="CPU seconds", ylabel="share of laws proved")
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=8)
    figure.savefig(out, dpi=130)


def main() -> int:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(prog="anytime_figure")
    parser.add_argument("runs", nargs="+", metavar="LABEL=FILE[,FILE]")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    draw([tuple(run.split("=", 1)) for run in asked.runs], asked.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

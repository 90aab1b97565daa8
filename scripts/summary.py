"""Tables of the discovery benchmark's results: one row a setting, then what was not recovered."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAD = (
    "| setting | problems | recovered | target | strict | SRBench | numeric | R² > 0.999 "
    "| median CPU s | longest |",
    "|---|---|---|---|---|---|---|---|---|---|",
)
LONGEST = 100
"""Characters of a formula that are shown."""

Results = list[dict[str, Any]]


def tables(files: Sequence[Path]) -> list[str]:
    """Return Markdown of results files, each of one setting, in the order given."""
    runs = [[json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files]
    lines = [*HEAD, *(row(run) for run in runs), "", *curve(runs)]
    for run in runs:
        lines += missed(run)
    return lines


def setting(run: Results) -> str:
    """Return the words for what a file's results were asked."""
    asked = run[0]
    if asked["suite"] == "nguyen":
        words = ["Nguyen, 20 rows"]
    elif asked["suite"] == "fields":
        words = [f"fields, {asked['rows'] or 1000} rows, noise {asked['noise']:g}"]
    elif asked["suite"].endswith(".csv"):
        words = [f"{Path(asked['suite']).stem}, {asked['rows'] or 1000} rows, noise {asked['noise']:g}"]
    else:
        words = [f"noise {asked['noise']:g}" if asked["noise"] else "no noise"]
    if asked["units"]:
        words.append("units")
    if asked["dummies"]:
        words.append(f"dummy columns: {asked['dummies']}")
    if asked.get("scramble"):
        by = "1e±6" if asked["scramble"] in (True, "millions") else "random numbers from 1e-6 to 1e6"
        words.append(f"renamed, reversed, scaled by {by}")
    if asked["seed"]:
        words.append(f"seed {asked['seed']}")
    return ", ".join(words)


def target(run: Results) -> str:
    """Return how many were to be recovered."""
    asked = run[0]
    if asked["suite"] == "nguyen":
        return "12"
    if asked["suite"] == "fields":
        return {0.0: "115", 0.01: "85", 0.05: "60"}.get(asked["noise"], "-")
    if asked["suite"].endswith(".csv"):
        return "-"
    if asked["dummies"] or asked.get("scramble"):
        return "no change"
    if asked["units"]:
        return {0.0: "100", 0.1: "70"}.get(asked["noise"], "-")
    return {0.0: "97 ± 3", 0.001: "90", 0.01: "80", 0.1: "50"}.get(asked["noise"], "-")


def counts(run: Results) -> tuple[int, ...]:
    """Return how many were recovered, strict, equal by SRBench's rule, numeric, and above R² = 0.999."""
    verdicts = (sum(bool(r.get(k)) for r in run) for k in ("recovered", "strict", "srbench", "numeric"))
    return (*verdicts, sum(r.get("r2", -1) > 0.999 for r in run))


TIMES = (0.5, 1, 2, 5, 10, 20, 60)
"""CPU seconds at which the anytime curve is given."""


def anytime(run: Results) -> list[tuple[float, float]]:
    """Return the share of laws whose final, recovered formula first stood within each of TIMES."""
    when = [r.get("proved", r["cpu"]) for r in run if r["recovered"]]
    return [(t, sum(w <= t for w in when) / len(run)) for t in TIMES]


def curve(runs: Sequence[Results]) -> list[str]:
    """Return the anytime curves of several runs as a Markdown table."""
    lines = [f"| proved within | {' | '.join(f'{t:g} s' for t in TIMES)} |", "|---" * (len(TIMES) + 1) + "|"]
    return lines + [
        f"| {setting(run)} | {' | '.join(f'{share:.0%}' for _, share in anytime(run))} |" for run in runs
    ]


def row(run: Results) -> str:
    """Return a setting's row."""
    recovered, *others = counts(run)
    cpu = [r["cpu"] for r in run]
    figures = (len(run), f"**{recovered}**", target(run), *others)
    cells = (setting(run), *figures, f"{statistics.median(cpu):.1f}", f"{max(cpu):.0f}")
    return f"| {' | '.join(map(str, cells))} |"


def missed(run: Results) -> list[str]:
    """Return a table of a setting's laws that were not recovered, nothing where all were."""
    lost = [r for r in run if not r["recovered"]]
    if not lost:
        return []
    lines = [
        "",
        f"Not recovered, {setting(run)}:",
        "",
        "| equation | truth | found | R² |",
        "|---|---|---|---|",
    ]
    for r in lost:
        found = r.get("formula") or r.get("error_message", "")
        found = found if len(found) < LONGEST else found[: LONGEST - 3] + "..."
        r2 = f"{r['r2']:.4f}" if abs(r.get("r2", 1e9)) < 1e3 else ""
        lines.append(f"| {r['id']} | `{r['truth']}` | `{found}` | {r2} |")
    return lines

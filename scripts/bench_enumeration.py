"""What enumeration finds by itself: Nguyen's twelve and Feynman's equations of few inputs, without noise."""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.functions.parsing import parse_expression, symbols
from kansym.search.enumeration.search import propose

PROBLEMS = Path(__file__).parent / "problems"


def value(law: sympy.Expr, names: list[str], X: np.ndarray) -> np.ndarray:
    """Return a law's values at rows."""
    columns = symbols(names)
    return sympy.lambdify(columns, law, "numpy")(*X.T) * np.ones(len(X))


def attempt(
    text: str, names: list[str], low: list[float], high: list[float], rows: int
) -> tuple[bool, float, str]:
    """Return whether the first candidate is right on wider ranges, the seconds, and the candidate."""
    law = parse_expression(text, names)
    rng = np.random.default_rng(0)
    X = rng.uniform(low, high, (rows, len(names)))
    y = value(law, names, X)
    start = time.perf_counter()
    found = list(propose(from_arrays(X, y, names), budget=Budget()))
    seconds = time.perf_counter() - start
    if not found:
        return False, seconds, ""
    middle, half = (np.array(low) + high) / 2, (np.array(high) - low) / 2 * 1.25
    fresh = rng.uniform(middle - half, middle + half, (500, len(names)))
    with np.errstate(all="ignore"):
        truth, guess = value(law, names, fresh), value(found[0].expression, names, fresh)
    fine = np.isfinite(truth)
    right = bool(np.allclose(guess[fine], truth[fine], rtol=0, atol=1e-6 * np.sqrt(np.mean(y**2))))
    return right, seconds, str(found[0].expression)


def main(argv: list[str]) -> int:
    """Print one row per problem and a summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=9, help="inputs at most (default 9)")
    options = parser.parse_args(argv)
    totals = []
    for suite in ("nguyen", "feynman"):
        times, hits, count = [], 0, 0
        for row in csv.DictReader((PROBLEMS / f"{suite}.csv").read_text().splitlines()):
            names = row["variables"].split(";")
            if len(names) > options.most:
                continue
            low, high = ([float(v) for v in row[k].split(";")] for k in ("low", "high"))
            text = row.get("expression") or row["formula"]
            rows = int(row.get("rows") or 1000)
            right, seconds, formula = attempt(text, names, low, high, rows)
            count, hits = count + 1, hits + right
            times.append(seconds)
            verdict = "yes" if right else "no"
            name = row.get("name") or row["id"]
            print(f"| {name} | {verdict} | {seconds:.2f} | `{formula[:90]}` |", flush=True)
        spread = f"median {np.median(times):.2f} s, longest {max(times):.1f} s"
        totals.append(f"{suite}: {hits} of {count}, {spread}")
    print("\n".join(totals))
    return 0


if __name__ == "__main__":
    raise SystemExit(main([]))

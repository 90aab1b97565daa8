"""Make the tables of everyday experiments: python scripts/make_everyday.py.

`problems/real/everyday/laws.toml` has the laws and what is measured. What a scientist would accept is the law
with its constants fitted to the table by least squares, as the noise has it, and the SD that this fit leaves.
"""

from __future__ import annotations

import csv
import tomllib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from scipy import optimize

FOLDER = Path(__file__).resolve().parent / "problems" / "real" / "everyday"
OUTLIER = 5.0
"""SD beyond which a row is left out of the accepted fit."""


def column(spec: list[Any], rng: np.random.Generator) -> np.ndarray:
    """Return the values of one input."""
    low, high, rows, *kind = spec
    if kind == ["random"]:
        return rng.uniform(low, high, rows)
    return np.geomspace(low, high, rows) if kind == ["log"] else np.linspace(low, high, rows)


def spread(values: np.ndarray, noise: list[Any]) -> np.ndarray:
    """Return the noise's SD at each value."""
    size, kind = noise
    growth = {
        "absolute": np.ones_like(values),
        "relative": np.abs(values),
        "poisson": np.sqrt(np.abs(values)),
    }
    return size * growth[kind]


def made(name: str, entry: dict[str, Any]) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    """Return a table's header and rows, and its line of cases."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    inputs = list(entry["inputs"])
    X = np.column_stack([np.round(column(spec, rng), 3) for spec in entry["inputs"].values()])
    X = np.repeat(X, entry.get("repeats", 1), axis=0)
    formula, digits = sympy.sympify(entry["formula"]), entry["step"]
    values = _values(formula, entry, X)
    sd = spread(values, entry["noise"])
    y = values + sd * rng.normal(size=len(values))
    off = entry.get("outliers", [])
    y[rng.permutation(len(y))[: len(off)]] += np.array(off) * float(np.median(sd))
    y = np.round(np.round(y / digits) * digits, 6)
    fitted, left = refitted(formula, entry, X, y)
    shown = fitted.subs({n: sympy.Symbol(f"x{i + 1}") for i, n in enumerate(inputs)})
    case = {
        "name": name,
        "target": entry["target"],
        "inputs": ",".join(inputs),
        "options": "",
        "judged": "curve",
        "accepted": str(shown),
        "sd": f"{left:.3g}",
        "sd_kind": entry["noise"][1],
        "what": f"{len(y)} rows, noise {entry['noise'][0]:g} ({entry['noise'][1]}), written to {digits:g}",
    }
    return [*inputs, entry["target"]], np.column_stack([X, y]), case


def refitted(
    formula: sympy.Expr, entry: dict[str, Any], X: np.ndarray, y: np.ndarray
) -> tuple[sympy.Expr, float]:
    """Return the formula with its constants fitted to the rows, and the SD that most rows show."""
    names, noise = list(entry.get("constants", {})), entry["noise"]
    start = np.array([entry["constants"][n] for n in names])
    call = sympy.lambdify((sympy.symbols(names), *sympy.symbols(list(entry["inputs"]))), formula)
    weight = spread(_values(formula, entry, X), noise) / noise[0]

    def left(share: np.ndarray) -> np.ndarray:
        return np.asarray((call(share * start, *X.T) - y) / weight)

    if not names:
        return formula, float(np.sqrt(np.mean(left(start) ** 2)))
    robust = optimize.least_squares(left, np.ones_like(start), loss="soft_l1", f_scale=noise[0]).x
    kept = np.abs(left(robust)) < OUTLIER * noise[0]
    found = optimize.least_squares(lambda share: left(share)[kept], robust).x
    r = left(found)[kept]
    shown = {n: sympy.Float(f"{v:.6g}", 8) for n, v in zip(names, found * start, strict=True)}
    return formula.subs(shown), float(np.sqrt(np.sum(r * r) / (len(r) - len(found))))


def _values(formula: sympy.Expr, entry: dict[str, Any], X: np.ndarray) -> np.ndarray:
    numbers = formula.subs(entry.get("constants", {}))
    return np.asarray(sympy.lambdify(sympy.symbols(list(entry["inputs"])), numbers)(*X.T), float)


def main() -> None:
    """Write every table and the list of cases."""
    laws = tomllib.loads((FOLDER / "laws.toml").read_text(encoding="utf-8"))
    cases = []
    for name, entry in laws.items():
        header, rows, case = made(name, entry)
        cases.append(case)
        with open(FOLDER / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows([f"{v:.10g}" for v in row] for row in rows)
    with open(FOLDER / "cases.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(cases[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(cases)


if __name__ == "__main__":
    main()

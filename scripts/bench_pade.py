"""Pade fits: exact recovery, real knots, and time; writes docs/benchmarks/pade.md."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import sympy

from kansym.data.table import shipped_path
from kansym.search.rational.pade import PadeFit, fit_pade

LAWS = [
    ("(u + v)/(1 + u*v/c**2)", 1, 5, 1000),
    ("(1 + 2*x - x*y)/(3 + x**2 + y**2)", -2, 2, 300),
    ("l*a/(a**2 + b**2)", 0.5, 3, 300),
    ("(p*q + 2*r**3)/(1 + s**2 + t*p)", 1, 3, 1000),
]
CUSP = ["longitudinal_translation", "meridinal_translation_imag", "meridinal_translation_real"]
MORE = [
    *CUSP,
    "volume",
    "hyperbolic_torsion_degree",
    "short_geodesic_real_part",
    "short_geodesic_imag_part",
]


def sample(law: str, low: float, high: float, rows: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names, X and y of a law on uniform inputs."""
    symbols = sorted(sympy.sympify(law).free_symbols, key=str)
    X = np.random.default_rng(0).uniform(low, high, (rows, len(symbols)))
    return [str(s) for s in symbols], X, sympy.lambdify(symbols, law)(*X.T)


def same(fit: PadeFit, law: str) -> bool:
    """Tell whether the fit is the law, coefficients rounded to rationals."""
    symbols = {n: sympy.Symbol(n, real=True) for n in fit.names}
    found = sympy.nsimplify(fit.expression, rational=True, tolerance=1e-8)
    return sympy.simplify(found - sympy.sympify(law, symbols)) == 0


def main(argv: list[str]) -> int:
    """Run and print; --write updates the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(argv)
    lines = ["# Pade fits", "", "`python scripts/benchmark.py pade --write`; seconds on two busy cores.", ""]
    lines += ["| law | rows | degree | terms | relative error | exact | s |", "|---|---|---|---|---|---|---|"]
    for law, low, high, rows in LAWS:
        names, X, y = sample(law, low, high, rows)
        for degree in (None, (3, 3)):
            start = time.perf_counter()
            fit = fit_pade(X, y, degree, names=names)
            seconds = time.perf_counter() - start
            shown = "chosen" if degree is None else "/".join(map(str, degree))
            verdict = "yes" if same(fit, law) else "no"
            figures = f"{fit.terms} | {fit.error:.1e} | {verdict} | {seconds:.2f}"
            lines.append(f"| `{law}` | {rows} | {shown} | {figures} |")
    lines += ["", "No ratio behind it (sqrt(x0)·sin(x1) + x2·x3/(1 + x4²), 1000 rows, degree 3/3):", ""]
    lines += ["| noise | sparse | terms | relative error | s |", "|---|---|---|---|---|"]
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (1000, 5))
    y = np.sqrt(X[:, 0]) * np.sin(X[:, 1]) + X[:, 2] * X[:, 3] / (1 + X[:, 4] ** 2)
    for noise, sparse in ((0, True), (0.05, True), (0, False)):
        start = time.perf_counter()
        fit = fit_pade(X, y + noise * rng.normal(size=1000), (3, 3), sparse=sparse)
        seconds = time.perf_counter() - start
        lines.append(f"| {noise} | {sparse} | {fit.terms} | {fit.error:.1e} | {seconds:.2f} |")
    lines += ["", "Signature of 12,954 knots after rounding to even, on a held-out fifth, five splits:", ""]
    lines += ["| fit | terms | accuracy (mean, min–max) | s |", "|---|---|---|---|", *knots()]
    print("\n".join(lines))
    if options.write:
        page = Path(__file__).parents[1] / "docs" / "benchmarks" / "pade.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text("\n".join(lines) + "\n")
    return 0


def knots() -> list[str]:
    """Return the rows of the knot table."""
    frame = pd.read_csv(shipped_path("knots"))
    X, y = frame[CUSP].to_numpy(float), frame["signature"].to_numpy(float)
    slope = X[:, 0] * X[:, 2] / (X[:, 1] ** 2 + X[:, 2] ** 2)
    found: dict[str, list[tuple[float, int, float]]] = {}
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(y))
        held, train = order[: len(y) // 5], order[len(y) // 5 :]
        best = max(
            np.linspace(0.38, 0.46, 81), key=lambda c: np.mean(2 * np.round(c * slope[train] / 2) == y[train])
        )
        hit = float(np.mean(2 * np.round(best * slope[held] / 2) == y[held]))
        found.setdefault("best multiple of the slope", []).append((hit, 1, 0.0))
        for label, degree, names in (
            ("cusp columns, 2/2", (2, 2), CUSP),
            ("cusp columns, 3/3", (3, 3), CUSP),
            ("cusp columns, degrees chosen", None, CUSP),
            ("seven columns, 2/2", (2, 2), MORE),
        ):
            Z = frame[names].to_numpy(float)
            start = time.perf_counter()
            fit = fit_pade(Z[train], y[train], degree, names=names)
            seconds = time.perf_counter() - start
            hit = float(np.mean(2 * np.round(np.nan_to_num(fit.predict(Z[held])) / 2) == y[held]))
            found.setdefault(label, []).append((hit, fit.terms, seconds))
    rows = []
    for label, runs in found.items():
        hits = [r[0] for r in runs]
        terms = "–".join(str(t) for t in sorted({min(r[1] for r in runs), max(r[1] for r in runs)}))
        spread = f"{np.mean(hits):.4f} ({min(hits):.4f}–{max(hits):.4f})"
        rows.append(f"| {label} | {terms} | {spread} | {np.mean([r[2] for r in runs]):.1f} |")
    return rows


if __name__ == "__main__":
    raise SystemExit(main([]))

"""How often the 95 percent intervals of a fitted formula's constants cover the truth."""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import sympy
from scipy import stats

from kansym.formula.polish import Rows, fit
from kansym.formula.program import Program, parametrise
from kansym.functions.parsing import parse_expression

LAWS = (
    ("1.37*a*exp(-0.62*b)", "ab"),
    ("2.71*a**1.43/(b + 0.87)", "ab"),
    ("0.93*sin(2.17*a + 0.41) + 0.58*b", "ab"),
    ("1.83*a/sqrt(1 - 0.052*b**2)", "ab"),
    ("3.3*exp(-((a - 1.9)**2)/0.84) + 0.27", "a"),
    ("1.21*a**2 + 0.83*a*b - 0.47*b + 2.9", "ab"),
    ("4.1*log(0.73*a + 1.6*b)", "ab"),
    ("5.2*a**3/(exp(1.3*a) - 1)", "a"),
)
ROWS = (60, 1000)
NOISE = (0.01, 0.1, 0.3)


def covered(law: str, names: str, rows: int, noise: float, draws: int, seed: int) -> tuple[int, int]:
    """Return how many intervals covered the truth, of how many, over `draws` tables.

    Every constant is started some 3 percent off; the quantile is Student's for rows − constants.
    """
    formula = parse_expression(law, list(names))
    symbols = tuple(sorted(formula.free_symbols, key=str))
    values = sympy.lambdify(symbols, formula, "numpy")
    shape, parameters, truth = parametrise(formula)
    wide = float(stats.t.ppf(0.975, rows - len(truth)))
    hit = total = 0
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw, rows, int(1000 * noise)])
        X = rng.uniform(1, 3, (rows, len(names)))
        clean = values(*X.T)
        y = clean + noise * np.std(clean) * rng.normal(size=rows)
        start = truth * (1 + 0.03 * rng.normal(size=len(truth)))
        found = fit(Program.compile(shape, symbols, parameters, start), Rows(X, y, None, symbols), 60)
        if found is not None:
            errors = np.array([c.stderr for c in found.free])
            hit += int(np.sum(np.abs(found.theta - truth) <= wide * errors))
            total += len(truth)
    return hit, total


def main(argv: list[str]) -> int:
    """Print the shares."""
    parser = argparse.ArgumentParser(prog="benchmark.py coverage", description=__doc__)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    print("| law | rows | noise | covered | of |\n|---|---|---|---|---|")
    sums = np.zeros(2, int)
    for law, names in LAWS:
        for rows in ROWS:
            for noise in NOISE:
                hit, total = covered(law, names, rows, noise, given.draws, given.seed)
                sums += (hit, total)
                print(f"| `{law}` | {rows} | {noise:.0%} | {hit / max(total, 1):.1%} | {total} |", flush=True)
    print(f"\nAll: {sums[0] / sums[1]:.2%} of {sums[1]} (wanted: 93 to 97 %).")
    return 0

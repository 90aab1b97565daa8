"""3.3, adding velocities: (u + v)/(1 + u v) from a pruned network and as a Pade form, on one front.

The network goes the way of the supervised toys: sparse training, pruning, snapping. Its formula, the Pade
fits of every size, and the best line stand in one table of complexity against error.
"""

from __future__ import annotations

import math
import time

import numpy as np
import sympy
from repro_supervised import ROWS, Rows, Toy, law, trained

from kansym.data.dataset import from_arrays
from kansym.formula.expression import complexity, text
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.refine import refine
from kansym.judge.trial import Trial
from kansym.search.rational.pade import fit_pade, polynomial

TITLE = "Adding velocities (3.3)"
VELOCITIES = Toy("(u + v)/(1 + u v)", lambda u, v: (u + v) / (1 + u * v), -0.9, 0.9, (2, 5, 1), (2, 1, 1), "")
NAMES = ("x0", "x1")
EXACT = 1e-12


def run(full: bool, device: str) -> tuple[list[str], bool]:
    """Return the row's page and whether its targets held."""
    began = time.process_time()
    library = Library.load("default")
    rows = Rows.of(VELOCITIES)
    seeds = range(5) if full else range(2)
    networks = [n for s in seeds if (n := trained(VELOCITIES, rows, 5, 1e-2, s)) is not None]
    there = sum(tuple(n.shape) == VELOCITIES.paper for n in networks)
    found = law(networks, rows, library)
    trial = Trial.of(from_arrays(rows.X, rows.y, NAMES), library, 0)
    forms: list[tuple[str, sympy.Expr]] = []
    if found is not None:
        network, form, _, _ = found
        layers = "; ".join(
            ", ".join(c.function.name for _, c in sorted(layer.symbolic.items())) for layer in network.layers
        )
        forms.append((f"KAN {network.shape}: {layers}", parse_expression(form, NAMES)))
    line = np.linalg.lstsq(rows.X, rows.y, rcond=None)[0]
    x, y = symbols(NAMES)
    forms.append(("line", float(line[0]) * x + float(line[1]) * y))
    fit = fit_pade(rows.X, rows.y, names=NAMES)
    for row in fit.front:
        ratio = polynomial(row.numerator, (x, y)) / polynomial(row.denominator, (x, y))
        # the common path from a candidate to a law makes its constants nice
        best = min(refine(ratio, trial, "Pade"), key=lambda j: j.length, default=None)
        degree = max(map(sum, row.numerator)), max(map(sum, row.denominator))
        forms.append((f"Pade {degree[0]}/{degree[1]}", ratio if best is None else best.expression))
    judged = []
    for source, form in forms:
        left = Program.compile(form, (x, y)).value(rows.fresh) - rows.truth
        share = math.sqrt(float(np.mean(left**2))) / float(rows.truth.std())
        judged.append((complexity(form), max(share, EXACT if share < EXACT else 0.0), source, form))
    judged.sort(key=lambda j: j[:2])
    lines = [
        f"{ROWS} rows, u and v uniform on [-0.9, 0.9], {ROWS} fresh rows for the error (a share of "
        f"the target's spread; below {EXACT:g} it is round-off). KAN: [2, 5, 1], grid 5, lambda 0.01, seeds "
        f"{list(seeds)}; {there} of {len(seeds)} end at [2, 1, 1]. A row is on the front when no simpler one "
        "is as good; an exact form is shown beside another exact one, because the choice between them is "
        "a person's.",
        "",
        "| complexity | error | from | formula | on the front |",
        "|---|---|---|---|---|",
    ]
    least = math.inf
    for size, error, source, form in judged:
        on = error < least or error <= EXACT
        least = min(least, error)
        shown = "exact" if error <= EXACT else f"{error:.1e}"
        lines.append(f"| {size} | {shown} | {source} | `{text(form, 4)}` | {'yes' if on else 'no'} |")
    lines += ["", f"{time.process_time() - began:.0f} s of CPU."]
    two = any(form == sympy.tanh(sympy.atanh(x) + sympy.atanh(y)) for *_, form in judged)
    ratio = any(
        error <= EXACT and source.startswith("Pade") and sympy.simplify(form - (x + y) / (1 + x * y)) == 0
        for _, error, source, form in judged
    )
    return lines, two and ratio and there > 0

"""A small finished run, for tests of what comes after a search."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from kansym.data.dataset import Dataset, from_arrays
from kansym.formula.expression import complexity, text, to_graph
from kansym.functions.parsing import parse_expression
from kansym.pipeline.run import ConstantReport, Law, Run

NAMES = ("x 1", "Δt")
FORMULAS = ("0.7", "1.1*`x 1`", "`x 1`*exp(-Δt)", "0.999*`x 1`^1.001*exp(-1.001*Δt)")


def example(names: tuple[str, str] = NAMES, target: str = "y", rows: int = 60) -> tuple[Run, Dataset]:
    """Return a run over two columns of any names, its third law chosen, and its dataset."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 2.0, (rows, 2))
    y = X[:, 0] * np.exp(-X[:, 1]) + 1e-3 * rng.normal(size=rows)
    data = from_arrays(X, y, names=names, target=target)
    swap = dict(zip(NAMES, names, strict=True))
    laws = []
    for i, formula in enumerate(FORMULAS):
        found = parse_expression(formula, NAMES)
        found = found.xreplace({s: type(s)(swap[s.name], real=True) for s in found.free_symbols})
        law = Law(text(found), complexity(found), 10.0**-i, 1.1 * 10.0**-i, float(i), -10.0 * i, found)
        constants = (ConstantReport("a", 1.0003, 0.0004, "1"), ConstantReport("b", -1.1, math.inf, None))
        laws.append(replace(law, constants=constants[:i], unrounded=found, source="test"))
    facts = {
        "names": list(names),
        "target": target,
        "rows": rows,
        "heldout_rows": 12,
        "hash": data.hash,
        "source": "arrays",
        "units": {names[0]: "m/s"},
        "weighted": False,
        "ranges": {n: [float(X[:, i].min()), float(X[:, i].max())] for i, n in enumerate(names)},
        "target_range": [float(y.min()), float(y.max())],
        "target_spread": float(y.std()),
        "notes": ["2 rows were <dropped>"],
    }
    run = Run(
        tuple(laws),
        2,
        facts,
        {"seed": 0, "library": "default"},
        1e-3,
        "everything was tried",
        1.5,
        history=(
            {"event": "better law", "equation": "0.7", "complexity": 1, "source": "constant"},
            {
                "event": "refused",
                "equation": "1.1*" + "*".join(["sin(`x 1`)"] * 20),
                "complexity": 41,
                "source": "test",
                "heldout_share": 3e-5,
                "reason": "describes the data in 12.5 nats more than " + "*".join(["exp(Δt)"] * 30),
            },
        ),
        trust="It holds.",
        graphs={"before snapping": to_graph(laws[3].expression, names)},
    )
    return run, data

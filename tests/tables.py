"""Tables that several tests bring."""

from __future__ import annotations

import numpy as np

from kansym.data.dataset import from_arrays


def asides(folder):
    """Write a table for each of the studio's other questions: a decay, two classes, bound columns."""
    rng = np.random.default_rng(0)
    rows = [f"{a:.6g},{5 * np.exp(-0.7 * a):.8g}" for a in np.linspace(0, 6, 150)]
    (folder / "decay.csv").write_text("t,x\n" + "\n".join(rows) + "\n")
    pairs = list(zip(*rng.uniform(-1, 1, (2, 300)), strict=True))
    rows = [f"{a:.5g},{b:.5g},{'in' if a * a + b * b < 0.5 else 'out'}" for a, b in pairs]
    (folder / "disc.csv").write_text("u,v,side\n" + "\n".join(rows) + "\n")
    rows = [f"{a:.3f},{b:.3f},{round(a, 3) * round(b, 3):.17g}" for a, b in pairs]
    (folder / "bound.csv").write_text("a,b,c\n" + "\n".join(rows) + "\n")


def table(law, names, ranges, rows=600, noise=0.0, seed=0):
    """Return rows of a law at random inputs in these ranges, with noise as a share of the target's SD."""
    rng = np.random.default_rng(seed)
    low, high = np.array(ranges, float).T
    X = rng.uniform(low, high, (rows, len(names)))
    y = law(*X.T)
    return from_arrays(X, y + noise * np.std(y) * rng.normal(size=rows), list(names))

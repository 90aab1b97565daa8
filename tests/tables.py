"""Tables that several tests bring."""

from __future__ import annotations

import numpy as np


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

"""Make the tables in datasets/ that are computed and not measured: `python scripts/make_datasets.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

DATASETS = Path(__file__).resolve().parents[1] / "datasets"


def expsine(rows: int = 1000, seed: int = 0) -> str:
    """Return rows of z = exp(sin(pi x) + y^2) with x and y uniform on [-1, 1], without noise, as CSV."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-1, 1, (2, rows))
    z = np.exp(np.sin(np.pi * x) + y**2)
    lines = [f"{a!r},{b!r},{c!r}" for a, b, c in zip(x.tolist(), y.tolist(), z.tolist(), strict=True)]
    return "\n".join(["x,y,z", *lines]) + "\n"


if __name__ == "__main__":
    (DATASETS / "expsine.csv").write_text(expsine(), encoding="utf-8")

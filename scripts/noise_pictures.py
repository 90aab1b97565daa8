"""Draw the picture of docs/noise.md: python scripts/noise_pictures.py [FOLDER]. All in it is computed."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from kansym.data.dataset import from_arrays
from kansym.judge import chance
from kansym.judge.kinds import NoiseModel
from kansym.judge.survey import survey

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
INK, ACCENT, OFF = "#1f2933", "#0b6e99", "#b03a2e"


def kinds(axes: list[plt.Axes]) -> None:
    """Draw the same curve under the three kinds of noise, and what a survey says of each."""
    x = np.linspace(0.5, 10, 120)
    curve = 20 / (1 + np.exp(-(x - 5)))
    sizes = {"additive": 0.8, "relative": 0.12, "poisson": 0.3}
    for k, (ax, (kind, size)) in enumerate(zip(axes, sizes.items(), strict=True)):
        model = NoiseModel(kind, size, middle=float(np.median(curve)))
        sd = model.deviation(curve)
        y = curve + sd * np.random.default_rng(k).normal(size=120)
        found = survey(from_arrays(x, y)).noise
        ax.fill_between(x, curve - 2 * sd, curve + 2 * sd, color=ACCENT, alpha=0.15, lw=0)
        ax.plot(x, y, "o", ms=2.5, color=INK, alpha=0.6, mew=0)
        ax.set_title(f"{kind}: said to be\n{found.words}", fontsize=8)


def outliers(ax: plt.Axes) -> None:
    """Draw a decay with rows that are off, and those that a survey leaves out."""
    rng = np.random.default_rng(3)
    t = np.linspace(0, 6, 60)
    y = 5 * np.exp(-0.9 * t) + 0.5 + 0.05 * rng.normal(size=60)
    y[[11, 12, 32, 46, 54]] += [-2, 1.5, 2, 3, -1.2]
    found = survey(from_arrays(t, y))
    ax.plot(t, y, "o", ms=3, color=INK, mew=0)
    rings = [o.inputs[0] for o in found.outliers], [o.value for o in found.outliers]
    ax.plot(*rings, "o", ms=9, mfc="none", mec=OFF)
    ax.set_title(f"{len(found.outliers)} of 60 rows left out", fontsize=8)


def shuffles(ax: plt.Axes) -> None:
    """Draw how structured shuffled rows look at most, and a wave in noise beside them."""
    x = np.linspace(0, 100, 300)[:, None]
    rng = np.random.default_rng(4)
    wave = 0.7 * np.sin(1.759 * x[:, 0]) + rng.normal(size=300)
    seen = chance.structure(x, wave)
    shuffled = [chance.structure(x, rng.permutation(wave), k, chance.FIRST_SHUFFLES) for k in range(300)]
    ax.hist([s.deviations for s in shuffled], bins=30, color=ACCENT, alpha=0.6)
    ax.axvline(seen.deviations, color=OFF)
    ax.set_title(f"28 waves under noise (red):\nseen by its {seen.test}", fontsize=8)
    ax.set_xlabel("largest of all tests, in SD of shuffled rows", fontsize=7)


def main(argv: list[str]) -> int:
    """Write noise.png."""
    folder = Path(argv[0]) if argv else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(1, 5, figsize=(13, 2.7), layout="constrained")
    kinds(list(axes[:3]))
    outliers(axes[3])
    shuffles(axes[4])
    for ax in axes:
        ax.tick_params(labelsize=7)
    figure.savefig(folder / "noise.png", dpi=110)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

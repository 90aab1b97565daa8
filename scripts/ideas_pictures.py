"""Draw the pictures of docs/ideas.md: python scripts/ideas_pictures.py [FOLDER]. All curves are computed."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch

import kansym
from kansym import KAN
from kansym.data.dataset import from_arrays, from_table
from kansym.formula.polish import polish
from kansym.functions.evaluate import activations
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression
from kansym.judge import scorer
from kansym.judge.trial import Trial

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
INK, PALE, LAW = "#1b2a38", "#e4eef4", "#c0392b"

matplotlib.rcParams["svg.hashsalt"] = "kansym"
matplotlib.rcParams["svg.fonttype"] = "none"


def box(axes: plt.Axes, x: float, y: float, text: str, color: str = PALE, width: float = 1.7) -> None:
    """Draw a box with a text about (x, y)."""
    shape = FancyBboxPatch((x - width / 2, y - 0.26), width, 0.52, "round,pad=0.02", fc=color, ec=INK, lw=0.8)
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", fontsize=8, color=INK)


def arrow(axes: plt.Axes, start: tuple[float, float], end: tuple[float, float], text: str = "") -> None:
    """Draw an arrow, with a text beside its middle."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": INK, "lw": 0.9})
    if text:
        x, y = (np.array(start) + np.array(end)) / 2
        axes.text(x + 0.06, y, text, fontsize=7, color=LAW, va="center")


def blank(width: float, height: float) -> tuple[plt.Figure, plt.Axes]:
    """Return a figure without axes, an inch a unit."""
    figure, axes = plt.subplots(figsize=(width, height))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    figure.subplots_adjust(0, 0, 1, 1)
    return figure, axes


def way() -> plt.Figure:
    """Draw the stages from a table to a law."""
    figure, axes = blank(8.6, 2.6)
    box(axes, 1.0, 1.3, "table")
    for k, name in enumerate(("simpler problems", "known families", "short formulas", "networks")):
        y = 2.3 - 0.66 * k
        box(axes, 3.2, y, name)
        arrow(axes, (1.87, 1.3), (2.33, y))
        arrow(axes, (4.07, y), (4.5, 1.3))
    box(axes, 5.4, 1.3, "constants fitted,\n3/2 and π seen")
    arrow(axes, (6.27, 1.3), (6.6, 1.3))
    box(axes, 7.5, 1.3, "judged on rows\nnever seen", "#f6e3e0")
    return figure


def tree() -> plt.Figure:
    """Draw how one law falls apart into simpler problems."""
    figure, axes = blank(8.6, 3.0)
    box(axes, 4.3, 2.6, "y from a, b, c, d")
    box(axes, 1.6, 1.5, "log y from a, b, c, d", width=2.0)
    box(axes, 4.3, 1.5, "y/a from b, c, d")
    box(axes, 7.0, 1.5, "y from a·b, c, d")
    arrow(axes, (3.4, 2.35), (1.9, 1.8), "logarithm")
    arrow(axes, (4.3, 2.3), (4.3, 1.8), "a divided out")
    arrow(axes, (5.2, 2.35), (6.7, 1.8), "a and b joined")
    box(axes, 3.2, 0.4, "y·c/a from b, d")
    box(axes, 5.6, 0.4, "solved: 2.5·exp(-0.7·b)", "#f6e3e0", width=2.3)
    arrow(axes, (4.1, 1.2), (3.4, 0.7), "c divided out")
    arrow(axes, (4.07, 0.4), (4.42, 0.4))
    return figure


def judge() -> plt.Figure:
    """Draw error and description length of polynomials of rising degree, for rows about a parabola."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 2, 80)
    data = from_arrays(x, 1 + 2 * x - 1.5 * x**2 + 0.3 * rng.normal(size=80), names=["x"])
    trial = Trial.of(data, Library.load("default"), 0)
    degrees = range(9)
    laws = []
    for degree in degrees:
        form = "+".join(f"{0.5 + 0.01 * k}*x**{k}" for k in range(degree + 1)).replace("*x**0", "")
        fitted = polish(parse_expression(form, ["x"]), trial.train)
        assert fitted is not None
        laws.append(scorer.judge(fitted, fitted, trial, "polynomial"))
    figure, left = plt.subplots(figsize=(6, 3), dpi=100)
    left.semilogy(degrees, [law.loss for law in laws], "o-", color="#0b6e99", ms=4)
    left.set_xlabel("degree of the polynomial")
    left.set_ylabel("error on the rows fitted", color="#0b6e99")
    right = left.twinx()
    lengths = [law.length for law in laws]
    right.plot(degrees, lengths, "s-", color=LAW, ms=4)
    right.set_ylabel("length of the description, nats", color=LAW)
    best = int(np.argmin(lengths))
    style = {"arrowstyle": "->", "color": LAW}
    place = {"textcoords": "offset points", "ha": "center", "color": LAW}
    right.annotate("chosen", (best, lengths[best]), (0, 24), arrowprops=style, **place)
    figure.tight_layout()
    return figure


def network() -> plt.Figure:
    """Draw the curves on a trained network's edges, and the functions they became."""
    data = from_table("expsine")
    kan = KAN([2, 1, 1], grid=5, seed=0, names=data.names).fit(data.X, data.y, steps=40)
    graph = kan.to_graph()
    figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.2), dpi=100)
    words = {"sin": "sin(π·x)", "x^2": "y²", "exp": "exp"}
    names = [*data.names, "their sum"]
    for ax, (u, values), name, (function, word) in zip(
        axes, activations(graph, data.X).values(), names, words.items(), strict=True
    ):
        order = np.argsort(u)
        ax.plot(u[order], values[order], color=INK, lw=2.4)
        ax.plot(u[order], kansym.fit_affine(u, values, function)(u[order]), "--", color=LAW, lw=1.3)
        ax.set_title(f"{name}: {word}", fontsize=9, color=LAW)
    figure.tight_layout()
    return figure


def main(folder: Path = FOLDER) -> None:
    """Write the four pictures."""
    for draw, ending in ((way, "svg"), (tree, "svg"), (network, "png"), (judge, "png")):
        metadata = {"Date": None} if ending == "svg" else {"Software": None}
        draw().savefig(folder / f"{draw.__name__}.{ending}", metadata=metadata, facecolor="white")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

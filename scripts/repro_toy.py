"""3.1, five toy functions: error against parameters of KAN, pykan and MLP on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from contest import KEPT, Data, Fit, Problem, kan, mlp, plain, pykan, write
from matplotlib.figure import Figure
from scipy import special

TITLE = "Toy functions (3.1)"
GRIDS = ((5, 10, 20, 40, 80, 160), (6, 11, 21, 41, 81, 161))
# doubled, and with one cell more: pykan's edges have one number more than ours
THEORY = -4
ROWS = 3000
MARGINS = (0.01, 0.1)
SMOOTHNESS = 1e-8
PATIENCE = 30
EXACT = 1e-6
"""Where the smallest network is below this the function is exact at any grid, and has no slope."""


@dataclass(frozen=True)
class Toy:
    """Hold a function with the paper's shape, rows, our seeds and finest grid, pykan's grids and steps."""

    problem: Problem
    inner: tuple[int, ...]
    seeds: int = 3
    finest: int = 161
    grids: tuple[int, ...] = (3, 5, 10, 20)
    steps: int = 40


def _problem(name: str, d: int, f: Callable[..., np.ndarray]) -> Problem:
    names = tuple(f"x{i}" for i in range(1, d + 1))
    return Problem(name, name, names, (-1.0,) * d, (1.0,) * d, f, {})


TOYS = (
    Toy(_problem("J0(20 x)", 1, lambda x: special.j0(20 * x)), (1,)),
    Toy(_problem("exp(sin(pi x) + y^2)", 2, lambda x, y: np.exp(np.sin(np.pi * x) + y**2)), (1, 1)),
    Toy(_problem("x y", 2, lambda x, y: x * y), (2, 1)),
    Toy(
        _problem(
            "exp(mean of sin^2(pi x_i/2), 100 inputs)",
            100,
            lambda *x: np.exp(np.mean(np.sin(np.pi * np.array(x) / 2) ** 2, axis=0)),
        ),
        (1, 1),
        seeds=1,
        finest=11,
        grids=(3, 5),
        steps=10,
    ),
    Toy(
        _problem(
            "exp((sin(pi(x1^2+x2^2)) + sin(pi(x3^2+x4^2)))/2)",
            4,
            lambda a, b, c, d: np.exp(
                0.5 * (np.sin(np.pi * (a * a + b * b)) + np.sin(np.pi * (c * c + d * d)))
            ),
        ),
        (4, 2, 1),
        finest=41,
        grids=(3, 5, 10),
        steps=20,
    ),
)
MLPS = ((5, (1, 2)), (10, (2, 3)), (20, (2, 3)), (40, (2,)))


def run(full: bool, device: str) -> tuple[list[str], bool, list[Figure]]:
    """Return the row's page, whether its targets held, and error against parameters."""
    toys = TOYS if full else TOYS[:3]
    lines = [
        f"RMSE divided by the target's standard deviation on 5000 fresh rows; the same {ROWS} rows for",
        "every contestant, all inputs uniform on [-1, 1].",
        "",
        "* kansym: grids 5, 10, 20, ... and 6, 11, 21, ... (up to 161; 11 and 41 for the last two), 150",
        "  Levenberg–Marquardt steps each with acceleration, fewer where 30 in a row no longer lower the",
        "  held-out error; smoothness 1e-8; step, seed (of 3; 1 for the one of 100 inputs) and margin (0.01",
        "  or 0.1) chosen on 15% held out.",
        "* pykan 0.2.8, the same shape: grids 3, 5, 10, 20, 40 LBFGS steps each (3 and 5, 10 steps for 100",
        "  inputs; 3, 5 and 10, 20 steps for the last), double precision, seed 0; the least test error over",
        "  the steps of a grid, which favours it. Its edges have one number more than ours.",
        "* MLP: tanh, widths 5 to 40, depths 1 to 3, 2000 iterations of L-BFGS.",
        "",
        "Slope: of log error against log G along the schedule of least held-out error, from 10 to the",
        "last grid that halves the least error so far (beyond it the rows limit it, not the grid); the",
        f"theory's is {THEORY}. Lowest: at how many of the rivals' sizes our best error with at most as many",
        "parameters is below theirs. Left out are sizes below our smallest network, and rivals above 0.1:",
        "no fit. A cubic spline holds xy = ((x + y)^2 - (x - y)^2)/4 exactly at any G: an error below",
        f"{EXACT:g} at the smallest network counts in place of a slope.",
        "",
        "| function | shape | parameters: kansym | pykan | MLP | slope | lowest | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    held, found = True, []
    for toy in toys:
        data = toy.problem.data(ROWS)
        seeds, steps = (toy.seeds, 150) if full else (2, 50)
        runs: list[list[Fit]] = []
        for schedule, margin in product(GRIDS, MARGINS if full else MARGINS[:1]):
            grids = [g for g in schedule if g <= (toy.finest if full else 41)]
            runs.append(
                kan(
                    data,
                    (toy.inner,),
                    range(seeds),
                    grids,
                    steps,
                    (SMOOTHNESS,),
                    margin,
                    acceleration=True,
                    patience=PATIENCE,
                    tolerance=1e-12,
                )
            )
        every = [f for run in runs for f in run]
        sizes = sorted({f.parameters for f in every})
        ours = [min((f for f in every if f.parameters == n), key=lambda f: f.held) for n in sizes]
        peer = _peer(toy, data) if full else []
        nets = [f for width, depths in (MLPS if full else MLPS[1:2]) for f in mlp(data, depths, width)]
        steep = slope(min(runs, key=lambda run: min(f.held for f in run)))
        rivals = [f for f in peer + nets if f.parameters >= ours[0].parameters and f.rmse < 0.1]
        wins = [_least(ours, f.parameters) < f.rmse for f in rivals]
        # a product needs no fine grid: quadratic pieces are exact at any G, so there is no slope to see
        exact = ours[0].rmse < EXACT
        held &= all(wins) and (exact or steep < -3.5)
        cells = [
            f"`{toy.problem.name}`",
            write(toy.inner, len(toy.problem.names)),
            *(_series(fits) for fits in (ours, peer, nets)),
            f"exact at G = {ours[0].grid}" if exact else "-" if np.isnan(steep) else f"{steep:.1f}",
            f"{sum(wins)} of {len(wins)}",
            f"{sum(f.seconds for f in every):.0f}" + (f"; pykan {peer[-1].seconds:.0f}" if peer else ""),
        ]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
        found.append((toy.problem.name, {"kansym": ours, "pykan": peer, "MLP": nets}))
    return lines, held, [figure(found)]


def _peer(toy: Toy, data: Data) -> list[Fit]:
    name = toy.problem.name
    got = pykan("toy", {name: data}, {name: toy.inner}, KEPT, toy.grids, toy.steps)
    return got.get(name, [])


def _least(fits: list[Fit], parameters: int) -> float:
    return min((f for f in fits if f.parameters <= parameters), key=lambda f: f.held).rmse


def _series(fits: list[Fit]) -> str:
    return ", ".join(f"{f.parameters}: {f.rmse:.1e}" for f in fits) or "-"


def slope(fits: list[Fit]) -> float:
    """Return the slope of log error against log G, from G = 10 to the last grid that halves the error."""
    used = [f for f in fits if f.grid >= 10]
    halved = [i for i in range(1, len(used)) if used[i].rmse < min(f.rmse for f in used[:i]) / 2]
    if not halved:
        return float("nan")
    used = used[: halved[-1] + 1]
    return float(np.polyfit(np.log([f.grid for f in used]), np.log([f.rmse for f in used]), 1)[0])


def figure(found: list[tuple[str, dict[str, list[Fit]]]]) -> Figure:
    """Return test error against parameters, one panel a function, with a line of the theory's slope."""
    drawing = Figure(figsize=(3.2 * len(found), 3.6), layout="constrained")
    for ax, (name, contestants) in zip(drawing.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        for (label, fits), style in zip(contestants.items(), ("o-", "s--", "x"), strict=True):
            ax.plot([f.parameters for f in fits], [f.rmse for f in fits], style, label=label, ms=4)
        first = contestants["kansym"][0]
        size = np.array([f.parameters for f in contestants["kansym"]], float)
        ax.plot(size, first.rmse * (size / size[0]) ** THEORY, ":", color="grey", label="slope -4")
        ax.set_title(name, fontsize=7)
        ax.set_xlabel("parameters")
        plain(ax)
    drawing.axes[0].legend(fontsize=8)
    drawing.axes[0].set_ylabel("test RMSE / standard deviation")
    return drawing

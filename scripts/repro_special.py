"""3.2, fifteen special functions of two variables: KAN, pykan and MLP on the same rows."""

from __future__ import annotations

import numpy as np
from contest import (
    KEPT,
    METHOD,
    Fit,
    Problem,
    chosen,
    front,
    kan,
    lowest,
    mlp,
    plain,
    pykan,
    special15,
    write,
)
from matplotlib.figure import Figure

TITLE = "Special functions (3.2)"
SMALL = ((1, 1), (2, 1), (3, 1), (2, 2, 1), (3, 3, 1))
LARGE = ((5, 1), (5, 5, 1))


def run(full: bool, device: str) -> tuple[list[str], bool, list[Figure]]:
    """Return the row's page, whether its targets held, and the fronts."""
    problems = special15()
    if not full:
        problems = [problems[0], problems[13]]
    data = {p.name: p.data() for p in problems}
    peer = pykan("special", data, dict.fromkeys(data, (5, 5, 1)), KEPT) if full else {}
    lines = [
        *METHOD,
        "",
        f"Shapes of kansym: {', '.join(write(s, 2) for s in SMALL)} (seed 0) and",
        f"{', '.join(write(s, 2) for s in LARGE)}; of pykan: [2,5,5,1]. x and y are SciPy's arguments in",
        "its order; for spherical harmonics azimuth and polar angle, real part; ellipj is sn. Minimal: the",
        "smallest kansym shape below 1e-2. The paper prints no ranges, so its three columns are for",
        "orientation. The last column has CPU seconds: all kansym runs; pykan's.",
        "",
        "| function | ranges | kansym | its shape, G | pykan | ratio | MLP | minimal | "
        "paper: KAN | minimal | MLP | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    held, ratios, fronts = True, [], {}
    for p in problems:
        fits = kan(data[p.name], SMALL, (0,)) if full else []
        fits += kan(
            data[p.name], LARGE if full else LARGE[:1], (0, 1), (3, 6, 12, 24, 48) if full else (3, 6, 12, 24)
        )
        net, perceptron = chosen(fits), lowest(mlp(data[p.name], (2, 3) if full else (2,)))
        rival = lowest(peer[p.name]) if peer.get(p.name) else None
        ratio = rival.rmse / net.rmse if rival else np.nan
        held &= not (ratio <= 1 if full else net.rmse > perceptron.rmse)
        ratios.append(ratio)
        fronts[p.name] = front(fits)
        lines.append(_told(p, net, fits, rival, perceptron))
        print(lines[-1], flush=True)
    if full:
        known = [r for r in ratios if np.isfinite(r)]
        held &= len(known) == len(problems) and float(np.median(known)) >= 10
        lines += [
            "",
            f"Lower than pykan on {sum(r > 1 for r in known)} of {len(known)}; the ratio's median is "
            f"{np.median(known):.0f} (target: all, and 10), its least {min(known):.1f}."
            if known
            else "pykan could not be run.",
            "",
            "Fronts (parameters: held-out choice, test error):",
            "",
            *(
                f"* {n}: " + "; ".join(f"{f.parameters}: {f.rmse:.1e} {write(f.shape, 2)}" for f in fits)
                for n, fits in fronts.items()
            ),
        ]
    return lines, held, [figure(fronts, peer)]


def _told(p: Problem, net: Fit, fits: list[Fit], rival: Fit | None, perceptron: Fit) -> str:
    small = [f for f in sorted(fits, key=lambda f: f.parameters) if f.rmse < 1e-2]
    other = f"{rival.rmse:.1e} | {rival.rmse / net.rmse:.1f}" if rival else "- | -"
    seconds = sum(f.seconds for f in fits)
    cells = [
        f"{p.name}, `{p.formula}`",
        p.ranges,
        f"**{net.rmse:.1e}**",
        f"{write(net.shape, 2)}, {net.grid}",
        other,
        f"{perceptron.rmse:.1e}",
        write(small[0].shape, 2) if small else "none",
        p.paper["best_kan_rmse"],
        p.paper["minimal_shape"],
        p.paper["mlp_rmse"],
        f"{seconds:.0f}" + (f"; {rival.seconds:.0f}" if rival else ""),
    ]
    return f"| {' | '.join(cells)} |"


def figure(fronts: dict[str, list[Fit]], peer: dict[str, list[Fit]]) -> Figure:
    """Return test error against parameters, one panel a function."""
    rows = -(-len(fronts) // 5)
    drawing = Figure(figsize=(15, 2.8 * rows), layout="constrained")
    axes = drawing.subplots(rows, 5, squeeze=False, sharey=True).ravel()
    for ax in axes[len(fronts) :]:
        ax.set_axis_off()
    for ax, (name, fits) in zip(axes, fronts.items(), strict=False):
        for label, points, style in (("kansym", fits, "o-"), ("pykan", peer.get(name, []), "s--")):
            ax.plot([f.parameters for f in points], [f.rmse for f in points], style, label=label, ms=4)
        ax.set_title(name, fontsize=8)
        plain(ax)
    axes[0].legend(fontsize=8)
    drawing.supxlabel("parameters")
    drawing.supylabel("test RMSE / standard deviation")
    return drawing

"""3.5, continual learning: five Gaussian peaks seen one after another, by KAN and MLP."""

from __future__ import annotations

import time

import numpy as np
import torch
from matplotlib.figure import Figure

from kansym.network.kan import KAN

TITLE = "Continual learning: five peaks in turn (3.5)"
CENTRES = np.arange(0.1, 1.0, 0.2)
GRID = 60


def peaks(x: np.ndarray) -> np.ndarray:
    """Return the sum of five Gaussian peaks on [0, 1]."""
    return np.exp(-(((x[:, None] - CENTRES) / 0.03) ** 2)).sum(1)


def turns(per: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return `per` rows around each peak, in turn."""
    rng = np.random.default_rng(seed)
    rows = [np.sort(rng.uniform(c - 0.1, c + 0.1, per)) for c in CENTRES]
    return [(x, peaks(x)) for x in rows]


class Perceptron:
    """Train a tanh network of two hidden layers by Adam; it goes on from where it is."""

    def __init__(self, width: int, seed: int) -> None:
        torch.manual_seed(seed)
        parts = [torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, width), torch.nn.Tanh()]
        self.net = torch.nn.Sequential(*parts, torch.nn.Linear(width, 1)).double()

    @property
    def parameters(self) -> int:
        """Return the number of trainable parameters."""
        return sum(p.numel() for p in self.net.parameters())

    def fit(self, x: np.ndarray, y: np.ndarray, steps: int) -> Perceptron:
        """Take `steps` of Adam on all rows."""
        X, Y = torch.from_numpy(2 * x - 1)[:, None], torch.from_numpy(y)[:, None]
        optimiser = torch.optim.Adam(self.net.parameters(), 5e-3)
        for _ in range(steps):
            optimiser.zero_grad()
            ((self.net(X) - Y) ** 2).mean().backward()
            optimiser.step()
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return outputs (n,)."""
        with torch.no_grad():
            return self.net(torch.from_numpy(2 * x - 1)[:, None])[:, 0].numpy()


def run(full: bool, device: str) -> tuple[list[str], bool, list[Figure]]:
    """Return the row's page, whether its targets held, and the curves after every turn."""
    seeds, steps, per = (range(3), 1000, 200) if full else (range(1), 300, 100)
    at = np.linspace(0, 1, 2001)
    truth = peaks(at)

    def rms(model: KAN | Perceptron) -> float:
        return float(np.sqrt(np.mean((model.predict(at) - truth) ** 2)))

    after: dict[str, list[list[float]]] = {"KAN": [], "MLP": []}
    joint: dict[str, list[float]] = {"KAN": [], "MLP": []}
    curves: dict[str, list[np.ndarray]] = {"KAN": [], "MLP": []}
    sizes: dict[str, int] = {}
    spent = {"KAN": 0.0, "MLP": 0.0}
    for seed in seeds:
        seen = turns(per, seed)
        everything = tuple(np.concatenate(c) for c in zip(*seen, strict=True))
        for name in after:

            def fresh(name: str = name, seed: int = seed) -> KAN | Perceptron:
                return KAN.continual([(0, 1)], grid=GRID) if name == "KAN" else Perceptron(32, seed)

            began = time.process_time()
            model = fresh()
            sizes[name] = model.parameters
            rows = []
            for x, y in seen:
                model.fit(x, y, steps=30 if name == "KAN" else steps)
                rows.append(rms(model))
                if seed == seeds[0]:
                    curves[name].append(model.predict(at))
            after[name].append(rows)
            joint[name].append(rms(fresh().fit(*everything, steps=30 if name == "KAN" else 5 * steps)))
            spent[name] += time.process_time() - began
    lines = [
        f"Five peaks of width 0.03 on [0, 1]; {per} rows around each, shown once, in turn. RMSE over all "
        f"five on 2001 even points; medians of seeds {list(seeds)} (rows; the MLP's start, too). KAN: "
        f"`KAN.continual([(0, 1)], grid={GRID})`, 30 Levenberg–Marquardt steps a turn. MLP: 1-32-32-1, tanh, "
        f"Adam 5e-3, {steps} steps a turn, {5 * steps} for all rows together; ratio: after "
        "turn 5 by all rows together, median and worst of the seeds.",
        "",
        "| network | parameters | after turn 1 | 2 | 3 | 4 | 5 | together | ratio | worst | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    worst = 0.0
    for name, table in after.items():
        ratios = [rows[-1] / one for rows, one in zip(table, joint[name], strict=True)]
        if name == "KAN":
            worst = max(ratios)
        middle = " | ".join(f"{v:.1e}" for v in np.median(table, axis=0))
        lines.append(
            f"| {name} | {sizes[name]} | {middle} | {np.median(joint[name]):.1e} | {np.median(ratios):.2f} "
            f"| {max(ratios):.2f} | {spent[name]:.0f} |"
        )
    figure = Figure(figsize=(10, 3))
    for axes, (name, row) in zip(
        figure.subplots(2, 5, sharex=True, sharey=True), curves.items(), strict=True
    ):
        for k, (axis, curve) in enumerate(zip(axes, row, strict=True)):
            axis.plot(at, truth, color="0.8")
            axis.plot(at, curve, linewidth=1)
            axis.set_title(f"{name}, turn {k + 1}", fontsize=8)
            axis.set_ylim(-0.5, 1.5)
    figure.tight_layout()
    return lines, worst <= 2, [figure] if full else []

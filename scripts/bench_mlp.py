"""KAN and MLP at equal processor time: error on fresh rows after a third of a second, one, and five."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import ellipj, jv

from kansym.network.kan import KAN


def _gaussian(X: np.ndarray) -> np.ndarray:
    a, b, s = X.T
    return np.exp(-((a - b) ** 2) / (2 * s**2)) / np.sqrt(2 * np.pi * s**2)


TARGETS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], list[tuple[float, float]]]] = {
    "exp(sin(pi x) + y^2)": (lambda X: np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2), [(-1, 1), (-1, 1)]),
    "sn(x, m)": (lambda X: ellipj(X[:, 0], X[:, 1])[0], [(-4, 4), (0, 0.95)]),
    "J_x(y)": (lambda X: jv(X[:, 0], X[:, 1]), [(0, 3), (0, 12)]),
    "Gaussian of three": (_gaussian, [(-1, 1), (-1, 1), (0.5, 1.5)]),
    "max of six": (lambda X: X.max(1), [(-1, 1)] * 6),
    "length of ten": (lambda X: np.linalg.norm(X, axis=1), [(-1, 1)] * 10),
}


def rows_of(name: str, number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of a target, inputs scaled to -1 to 1 and targets to mean 0 and spread 1."""
    function, ranges = TARGETS[name]
    low, high = np.array(ranges, float).T
    X = np.random.default_rng(seed).uniform(low, high, (number, len(low)))
    return 2 * (X - low) / (high - low) - 1, function(X)


def kan(X: np.ndarray, y: np.ndarray, budget: float, grids: list[int], hidden: int) -> KAN:
    """Return a KAN [d, hidden, 1] trained for `budget` processor seconds, a tenth of the rows held out."""
    start = time.process_time()
    model = KAN([X.shape[1], hidden, 1], seed=0)
    steps = 400
    model.fit(
        X,
        y,
        grids=grids,
        steps=steps,
        validation=0.1,
        smoothness=1e-7,
        callback=lambda row: time.process_time() - start < budget,
    )
    return model


def mlp(
    X: np.ndarray, y: np.ndarray, budget: float, width: int, quasi: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Return an MLP d-width-width-1 trained for `budget` processor seconds, by LBFGS (`quasi`) or Adam.

    Of its states that of least error on a tenth of the rows is kept.
    """
    torch.manual_seed(0)
    kind = torch.float64 if quasi else torch.float32
    A, b = torch.from_numpy(X).to(kind), torch.from_numpy(y[:, None]).to(kind)
    cut = len(A) // 10
    layers = [
        torch.nn.Linear(X.shape[1], width),
        torch.nn.SiLU(),
        torch.nn.Linear(width, width),
        torch.nn.SiLU(),
    ]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1)).to(kind)
    optimiser: torch.optim.Optimizer
    if quasi:
        optimiser = torch.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe", max_iter=20)
    else:
        optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    best, kept = np.inf, {k: v.clone() for k, v in model.state_dict().items()}

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = ((model(A[cut:]) - b[cut:]) ** 2).mean()
        loss.backward()
        return loss

    start = time.process_time()
    while time.process_time() - start < budget:
        for _ in range(1 if quasi else 20):
            optimiser.step(closure)
        with torch.no_grad():
            held = float(((model(A[:cut]) - b[:cut]) ** 2).mean())
        if held < best:
            best, kept = held, {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(kept)

    def predict(Z: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(Z).to(kind)).double().numpy()[:, 0]

    return predict


def main(argv: list[str]) -> int:
    """Print errors by target and budget."""
    parser = argparse.ArgumentParser(prog="benchmark.py mlp", description=__doc__)
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.3, 1.0, 5.0])
    parser.add_argument("--rows", type=int, default=1000)
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    kan(*rows_of("sn(x, m)", 100, 0), 1.0, [3, 6], 2)  # compile
    columns = [
        "target",
        "rows",
        "s",
        "KAN [d,5,1], G = 5, 10",
        "KAN [d,10,1], G = 5",
        "MLP 20-20 LBFGS",
        "MLP 64-64 Adam",
    ]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for name in TARGETS:
        X, y = rows_of(name, given.rows, 0)
        Z, z = rows_of(name, 5000, 1)
        shift, scale = y.mean(), y.std()
        for budget in given.budgets:
            ours = [kan(X, (y - shift) / scale, budget, g, h).predict for g, h in (([5, 10], 5), ([5], 10))]
            theirs = [mlp(X, (y - shift) / scale, budget, w, q) for w, q in ((20, True), (64, False))]
            errors = [np.sqrt(np.mean((f(Z) - (z - shift) / scale) ** 2)) for f in (*ours, *theirs)]
            shown = " | ".join(f"{e:.1e}" for e in errors)
            print(f"| {name} | {given.rows} | {budget:g} | {shown} |", flush=True)
    return 0

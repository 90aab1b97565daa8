"""The producer that trains networks: smooth fits of rising size, handed over as graphs to snap.

It comes last. Where no formula was proved, its best graph is the accurate end of the front, marked as not
symbolic, and what snapping makes of the smaller ones may still be the law.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from kansym.base.budget import Budget
from kansym.base.criterion import WORTH_SHOWING
from kansym.base.errors import KansymError
from kansym.base.linear import TINY
from kansym.base.weights import roots, spread
from kansym.data.dataset import Dataset
from kansym.functions.library import Library
from kansym.network.kan import KAN
from kansym.network.tracing import Scaling
from kansym.search.candidate import Candidate

FEWEST_ROWS = 40
"""Rows that a network needs to be trained on some and judged on others."""

GRIDS = ((3,), (3, 6), (3, 6, 12))
"""Grid schedules; the one that holds best on held-out rows is kept for each shape."""

STEPS = 30
"""Levenberg-Marquardt steps on each grid."""

RESTARTS = 4
"""Random starts of a network with a hidden layer."""


def propose(
    dataset: Dataset,
    *,
    budget: Budget,
    library: Library | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Iterator[Candidate]:
    """Yield trained graphs of a dataset with X (n, d), y (n,) and names, the simplest shape first."""
    if len(dataset.y) < FEWEST_ROWS:
        return
    order = np.random.default_rng(seed).permutation(len(dataset.y))
    cut = len(order) // 4
    held, fit = order[:cut], order[cut:]
    for shape in shapes(dataset.X.shape[1]):
        edges = sum(a * b for a, b in itertools.pairwise(shape))
        # narrow networks have bad valleys: several starts on the coarse grid, the best one is refined
        grids = [g for g in GRIDS if edges * (g[-1] + 3) <= len(fit) / 3]
        starts = 1 if len(shape) == 2 else RESTARTS
        tries = [(grids[0], seed + i) for i in range(starts)] if grids else []
        found = [(c, s) for g, s in tries if (c := _train(dataset, shape, g, fit, held, s, budget, device))]
        if not found:
            continue
        best, chosen = min(found, key=lambda pair: pair[0].score)
        for finer in grids[1:]:
            better = _train(dataset, shape, finer, fit, held, chosen, budget, device)
            if better is None or better.score >= best.score:
                break  # a finer grid follows the noise or starves
            best = better
        if best.score < WORTH_SHOWING:
            yield best


def shapes(inputs: int) -> list[list[int]]:
    """Return the shapes that are trained, the simplest first."""
    if inputs == 1:
        return [[1, 1]]
    return [[inputs, 1], [inputs, 1, 1], [inputs, 2, 1], [inputs, min(2 * inputs + 1, 6), 1]]


def _train(
    dataset: Dataset,
    shape: list[int],
    grids: tuple[int, ...],
    fit: np.ndarray,
    held: np.ndarray,
    seed: int,
    budget: Budget,
    device: str,
) -> Candidate | None:
    """Return one trained network as a candidate, scored on held-out rows; None where training failed."""
    if budget.exhausted:
        return None
    budget.spend()
    X, y, w = dataset.X, dataset.y, dataset.weights
    low, high = X.min(0), X.max(0)
    scaling = Scaling(
        tuple((low + high) / 2),
        tuple((high - low) / 2),
        (float(y[fit].mean()),),
        (float(y[fit].std()) or 1.0,),
    )
    try:
        network = KAN(shape, grid=grids[0], seed=seed, names=dataset.names).with_scaling(scaling)
        network.fit(
            X[fit],
            y[fit],
            grids=grids,
            steps=STEPS,
            weights=None if w is None else w[fit] / w[fit].mean(),
            validation=(X[held], y[held]),
            time_limit=budget.left,
            device=device,
        )
        if network.stop_reason == "interrupted":
            raise KeyboardInterrupt  # the training keeps its best and ends; the search has to end, too
        values = network.predict(X[held])
        graph = network.to_graph()
    except KansymError:
        return None
    root = roots(None if w is None else w[held], len(held))
    left = np.sum((root * (values - y[held])) ** 2) / max(spread(y[held], root), TINY)
    return Candidate(score=float(left), source=f"KAN {shape}", graph=graph) if np.isfinite(left) else None

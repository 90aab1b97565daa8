"""4.1, six supervised toys: sparse training, pruning to the paper's shape, and the exact formula.

One recipe for all: sparse training, pruning by (2.21), training on finer grids, then the weakest node left
out while held-out rows allow it. The smallest network that is right to 2% is made symbolic first; the next
one follows where held-out rows do not prove its formula. One library for all: the default one and J0.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from scipy.special import j0

from kansym.base.errors import KansymError
from kansym.data.dataset import from_arrays
from kansym.estimators.session import KAN
from kansym.formula.expression import text
from kansym.functions.library import Library
from kansym.judge.refine import refine
from kansym.judge.scorer import exact
from kansym.judge.trial import Trial

TITLE = "Six supervised toys (4.1)"
ROWS = 1000
RIGHT = 0.02
"""Share of the target's spread on fresh rows that a network may leave to be made symbolic."""

FINE = (10, 20, 40)


@dataclass(frozen=True)
class Toy:
    """Hold a function, its range, the shape to start from and the shape that the paper names."""

    name: str
    f: Callable[..., np.ndarray]
    low: float
    high: float
    start: tuple[int, ...]
    paper: tuple[int, ...]
    law: str


TOYS = (
    Toy("(a) x y", lambda x, y: x * y, -1, 1, (2, 5, 1), (2, 2, 1), "x0*x1"),
    Toy("(b) x/y", lambda x, y: x / y, 0.5, 2, (2, 5, 1), (2, 1, 1), "x0/x1"),
    Toy(
        "(d) exp(J0(20x) + y^2)",
        lambda x, y: np.exp(j0(20 * x) + y * y),
        -1, 1, (2, 5, 1), (2, 1, 1), "exp(x1**2 + besselj(0, 20*x0))",
    ),
    Toy(
        "(e) tanh(5(x^4 + y^4 + z^4 - 1))",
        lambda x, y, z: np.tanh(5 * (x**4 + y**4 + z**4 - 1)),
        -1, 1, (3, 5, 1), (3, 1, 1), "tanh(5*(x0**4 + x1**4 + x2**4 - 1))",
    ),
    Toy(
        "(f) sqrt((x-y)^2 + (z-w)^2)",
        lambda x, y, z, w: np.hypot(x - y, z - w),
        -1, 1, (4, 3, 3, 1), (4, 2, 1, 1), "sqrt((x0 - x1)**2 + (x2 - x3)**2)",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Hold rows to train on and fresh ones to judge by."""

    X: np.ndarray
    y: np.ndarray
    fresh: np.ndarray
    truth: np.ndarray

    @staticmethod
    def of(toy: Toy) -> Rows:
        """Return ROWS rows of a toy for each purpose."""
        rng = np.random.default_rng(0)
        X, fresh = rng.uniform(toy.low, toy.high, (2, ROWS, toy.start[0]))
        return Rows(X, toy.f(*X.T), fresh, toy.f(*fresh.T))

    def error(self, network: KAN) -> float:
        """Return what a network leaves of the target's spread on fresh rows."""
        return float(np.std(network.predict(self.fresh) - self.truth) / self.truth.std())


def trained(toy: Toy, rows: Rows, grid: int, lamb: float, seed: int) -> KAN | None:
    """Return a network after sparse training, pruning and finer grids; None where nothing is left."""
    network = KAN(toy.start, grid=grid, seed=seed).fit(rows.X, rows.y, steps=100, lamb=lamb)
    try:
        network = network.prune()
    except KansymError:
        return None
    fine = [g for g in FINE if g >= grid]
    return trimmed(network.copy().fit(rows.X, rows.y, grids=fine, steps=50), rows, fine[-1:])


def trimmed(network: KAN, rows: Rows, grids: list[int]) -> KAN:
    """Return the network without hidden nodes that fresh rows do not miss, the weakest first."""
    error = rows.error(network)
    while True:
        for weakest in _weakest(network, rows.X):
            try:
                smaller = network.prune(nodes=weakest, edges=None).copy()
            except KansymError:
                continue
            if smaller.shape == network.shape:
                continue
            smaller.fit(rows.X, rows.y, grids=grids, steps=60)
            now = rows.error(smaller)
            if now < max(2 * error, RIGHT / 2):
                network, error = smaller, now
                break
        else:
            return network


def _weakest(network: KAN, X: np.ndarray) -> list[float]:
    """Return the least node score (2.21) of every level that has more than one node, rising."""
    size = [s / s.max() for s in network.activity(X).spread]
    scores = [np.minimum(a.max(1), b.max(0)) for a, b in itertools.pairwise(size)]
    return sorted(float(s.min()) * (1 + 1e-9) for s in scores if len(s) > 1)


def edges(network: KAN) -> int:
    """Return how many edges a network has."""
    return sum(int(np.count_nonzero(layer.state)) for layer in network.layers)


def law(networks: list[KAN], rows: Rows, library: Library) -> tuple[KAN, str, float, bool] | None:
    """Return the first network whose formula fresh rows prove, its functions, error, and whether exact."""
    best = None
    for network in sorted(networks, key=lambda n: (edges(n), rows.error(n)))[:4]:
        symbolic = network.auto_symbolic(rows.X, rows.y, library)
        if not symbolic.to_graph().is_symbolic:
            continue
        trial = Trial.of(from_arrays(rows.X, rows.y, network.names), library, 0)
        for found in refine(symbolic.symbolic_formula(), trial, "KAN"):
            off = math.sqrt(found.heldout / trial.power)
            best = (symbolic, text(found.expression), off, exact(found, trial))
        if best is not None and best[3]:
            return best
    return best


def run(full: bool, device: str) -> tuple[list[str], bool, list[Figure]]:
    """Return the row's page, whether its targets held, and the digits' spikes."""
    library = Library.load("default").add("J0", "besselj(0, x)", 5)
    toys, starts = (TOYS, [(g, l, s) for g in (5, 20) for l in (1e-2, 1e-3) for s in range(3)])
    if not full:
        toys, starts = TOYS[:2], [(5, 1e-2, 1), (5, 1e-3, 1)]
    lines = [
        f"{ROWS} rows, uniform on [-1, 1] (b: [0.5, 2]), no noise; as many fresh ones judge. Starts: grids, "
        f"lambda and seeds {starts}. Shown: how many of the starts end at the paper's shape, and the law of "
        "the smallest network whose formula is proved.",
        "",
        "| toy | paper's shape | starts there | functions, layer by layer | law found | error | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    held = True
    for toy in toys:
        rows, began = Rows.of(toy), time.process_time()
        networks = [n for g, l, s in starts if (n := trained(toy, rows, g, l, s)) is not None]
        good = [n for n in networks if rows.error(n) < RIGHT]
        there = sum(tuple(n.shape) == toy.paper for n in good)
        found = law(good, rows, library)
        spent = time.process_time() - began
        if found is None:
            lines.append(f"| {toy.name} | {list(toy.paper)} | {there} of {len(starts)} | - | none | - | - |")
            held = False
            continue
        network, form, error, proved = found
        names = "; ".join(
            ", ".join(c.function.name for _, c in sorted(layer.symbolic.items())) for layer in network.layers
        )
        held &= proved and tuple(network.shape) == toy.paper
        lines.append(
            f"| {toy.name} | {list(toy.paper)} | {there} of {len(starts)} | {names} | `{form}`"
            f"{' (exact)' if proved else ''} | {error:.0e} | {spent:.0f} |"
        )
        print(lines[-1], flush=True)
    told, right, figures = digits(full)
    return [*lines, "", *told], held and right, figures


def digits(full: bool) -> tuple[list[str], bool, list[Figure]]:
    """Return what toy (c) shows: a number in [0, 1) to the one-hot of its first decimal digit."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 1, 2 * ROWS))
    label = np.floor(10 * x).astype(int)
    network = KAN([1, 10], grid=10, base=None).fit(
        x[:, None], np.eye(10)[label], grids=[20, 40, 80], steps=20, update_grid=False
    )
    fresh = rng.uniform(0, 1, 100_000)
    truth = np.floor(10 * fresh).astype(int)
    direct = float(np.mean(network.predict(fresh).argmax(1) == truth))
    spikes = network.predict(x) > 0.5
    intervals = [_interval(x, spikes[:, k], label == k) for k in range(10)]
    guess = np.full(len(fresh), -1)
    for k, (low, high) in enumerate(intervals):
        guess[(low <= fresh) & (fresh < high)] = k
    named = float(np.mean(guess == truth))
    lines = [
        f"(c) number to category, KAN [1, 10], {network.parameters} parameters, {len(x)} rows: every edge is "
        f"one spike; {direct:.2%} of 100,000 fresh numbers get their digit from the spikes as they are. A "
        "spike is H(x - a) - H(x - b); where it crosses 1/2, the rows on both sides leave a gap, and the "
        "number of fewest decimals in the gap is taken: "
        + ", ".join(f"{k}: [{a:g}, {b:g})" for k, (a, b) in enumerate(intervals))
        + f"; {named:.2%} right.",
    ]
    right = all(
        abs(a - k / 10) < 1e-12 and abs(b - (k + 1) / 10) < 1e-12 for k, (a, b) in enumerate(intervals)
    )
    figures = []
    if full:
        figure = Figure(figsize=(6, 2.5))
        axes = figure.subplots()
        at = np.linspace(0, 1, 1000)
        axes.plot(at, network.predict(at))
        axes.set(xlabel="x", ylabel="outputs", title="First decimal digit: the ten edges of KAN [1, 10]")
        figure.tight_layout()
        figures.append(figure)
    return lines, right and named == 1.0, figures


def _interval(x: np.ndarray, spike: np.ndarray, member: np.ndarray) -> tuple[float, float]:
    """Return the spike's ends: the simplest numbers between rows of the class and their neighbours."""
    inside = np.flatnonzero(spike & member)
    first, last = int(inside[0]), int(inside[-1])
    while first and member[first - 1]:
        first -= 1
    while last + 1 < len(x) and member[last + 1]:
        last += 1
    low = simplest(x[first - 1] if first else x[0] - 1 / len(x), x[first])
    high = simplest(x[last], x[last + 1] if last + 1 < len(x) else x[-1] + 1 / len(x))
    return low, high


def simplest(low: float, high: float) -> float:
    """Return the number of fewest decimals in [low, high]."""
    for digits in range(17):
        number = math.ceil(low * 10**digits) / 10**digits
        if number <= high:
            return number
    return low

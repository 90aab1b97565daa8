"""Appendices B and C and section 6: nodes that learn (LAN), hyperparameters, radial basis, shared edges."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import torch
from contest import MARGIN, Data, Fit, Problem, chosen, feynman27, mlp, rmse, special15, write
from matplotlib.figure import Figure
from torch import Tensor

from kansym.base.leastsq import levenberg_marquardt
from kansym.network.ensemble import Ensemble
from kansym.network.kan import KAN

GRIDS = (5, 10)
TITLE = "Variants (appendices B and C, section 6)"
WALK = Problem(
    "exp(sin(pi x) + y^2)",
    "exp(sin(pi*x) + y**2)",
    ("x", "y"),
    (-1.0, -1.0),
    (1.0, 1.0),
    lambda x, y: np.exp(np.sin(np.pi * x) + y**2),
    {},
)


def run(full: bool, device: str) -> tuple[list[str], bool, list[Figure]]:
    """Return the row's page, whether its targets held, and the hyperparameters drawn."""
    seeds = range(5) if full else range(2)
    problems = [WALK, *([special15()[0], special15()[3]] if full else [])]
    problems += [p for p in feynman27() if full and p.name == "I.6.2b"]
    parts = (lan(problems, seeds), *(part(seeds, full) for part in (hyperparameters, bases)))
    lines = [
        "RMSE divided by the target's standard deviation on 5000 fresh rows; 1000 training rows,",
        f"inputs mapped to [-1, 1]; seeds {seeds[0]} to {seeds[-1]}; where nothing else is said, the",
        "median, and in brackets the least and the largest.",
    ]
    for text, _ in parts:
        lines += ["", *text]
    return lines, all(good for _, good in parts), [figure(seeds)] if full else []


def spread(values: Sequence[float], form: str = ".1e") -> str:
    """Return median (least–largest) as text."""
    return f"{np.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def lan(problems: Sequence[Problem], seeds: Sequence[int]) -> tuple[list[str], bool]:
    """Compare KAN and LAN, chosen alike on held-out rows, and an MLP (the paper sees LAN between the two)."""
    lines = [
        "## Learnable activations on nodes (LAN, appendix B)",
        "",
        "KAN of [d,5,1] and [d,3,3,1], LAN (`KAN.lan`) of [d,5,5,1] and [d,7,7,1], G = 5 and 10 and all",
        "seeds, smoothness 1e-10, 100 Levenberg–Marquardt steps: step, shape, G and seed chosen on 15% held",
        "out. MLP [d,20,20,1], 2000 iterations of L-BFGS on all rows, one seed. In brackets: least and",
        "largest error of all seeds at the chosen shape and G.",
        "",
        "| function | KAN | shape, G | parameters | LAN | shape, G | parameters | MLP | parameters |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    found = []
    for p in problems:
        data = p.data()
        kans = [fit(KAN, inner, g, s, data) for inner, g, s in product(((5, 1), (3, 3, 1)), GRIDS, seeds)]
        lans = [
            fit(KAN.lan, inner, g, s, data) for inner, g, s in product(((5, 5, 1), (7, 7, 1)), GRIDS, seeds)
        ]
        net, (kan, of_kan), (lan, of_lan) = mlp(data, (2,))[0], among(kans), among(lans)
        found.append((kan.rmse, lan.rmse, net.rmse))
        cells = [
            f"`{p.formula}`",
            of_kan,
            f"{write(kan.shape, len(p.names))}, {kan.grid}",
            str(kan.parameters),
            of_lan,
            f"{write(lan.shape, len(p.names))}, {lan.grid}",
            str(lan.parameters),
            f"{net.rmse:.1e}",
            str(net.parameters),
        ]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    between = sum(a < b < c for a, b, c in found)
    means = np.exp(np.log(found).mean(0))
    lines += [
        "",
        f"LAN lies between KAN and MLP, as in the paper, on {between} of {len(found)}. Wanted: so for the",
        f"geometric means, {means[0]:.1e}, {means[1]:.1e} and {means[2]:.1e}.",
    ]
    if len(found) == 1:  # two seeds on one function, the quick row, say nothing of the order
        return lines, bool(means.max() < 0.1)
    return lines, bool(means[0] < means[1] < means[2])


def fit(make: Callable[..., KAN], inner: tuple[int, ...], grid: int, seed: int, data: Data) -> Fit:
    """Train a network with 15% of the rows held out."""
    X, y, Xt, yt = data
    cut = round(0.15 * len(X))
    net, start = make([X.shape[1], *inner], grid=grid, seed=seed), time.process_time()
    held = X[:cut], y[:cut]
    net.fit(X[cut:], y[cut:], steps=100, smoothness=1e-10, margin=MARGIN, validation=held)
    seconds, error = time.process_time() - start, rmse(net.predict(held[0]), held[1])
    return Fit(inner, grid, net.parameters, rmse(net.predict(Xt), yt), seconds, error)


def among(fits: Sequence[Fit]) -> tuple[Fit, str]:
    """Return the fit of least held-out error, and its test error with the range over seeds as text."""
    best = chosen(fits)
    alike = [f.rmse for f in fits if (f.shape, f.grid) == (best.shape, best.grid)]
    return best, f"{best.rmse:.1e} ({min(alike):.1e}–{max(alike):.1e})"


def sweep(seeds: Sequence[int], grid: int, lamb: float) -> tuple[list[float], list[int]]:
    """Return test errors of [2,5,1] on the walk's function, and the edges that pruning leaves."""
    X, y, Xt, yt = WALK.data()
    many = Ensemble([2, 5, 1], seeds, grid=grid)
    many.fit(X, y, steps=100, lamb=lamb, smoothness=1e-10, margin=MARGIN)
    errors, edges = [], []
    for e in range(len(seeds)):
        net = many.member(e)
        errors.append(rmse(net.predict(Xt), yt))
        small = net.prune(X=X)
        edges.append(int(sum((layer.state != 0).sum() for layer in small.layers)))
    return errors, edges


RIDGE = 1e-4
LAMBDAS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)
CELLS = (3, 5, 10, 20)


def hyperparameters(seeds: Sequence[int], full: bool) -> tuple[list[str], bool]:
    """Vary lambda and G around G = 5, lambda = 0."""
    lines = [
        "## Hyperparameters (appendix C)",
        "",
        "[2,5,1] on exp(sin(pi x) + y^2), 100 Levenberg–Marquardt steps, smoothness 1e-10. Edges: left of 15",
        "after pruning at 1e-2; the law needs 3.",
        "",
        "| G | lambda | error before pruning | edges |",
        "|---|---|---|---|",
    ]
    kept: dict[tuple[int, float], list[int]] = {}
    errors: dict[tuple[int, float], float] = {}
    for g, lamb in [(5, v) for v in (LAMBDAS if full else (0.0, 1e-2))] + [
        (g, 0.0) for g in CELLS if full and g != 5
    ]:
        found, edges = sweep(seeds, g, lamb)
        kept[g, lamb], errors[g, lamb] = edges, float(np.median(found))
        lines.append(f"| {g} | {lamb:g} | {spread(found)} | {spread(edges, '.0f')} |")
    held = np.median(kept[5, 1e-2]) <= 4 < np.median(kept[5, 0.0])
    if full:
        held &= errors[20, 0.0] < errors[5, 0.0] < errors[3, 0.0]
    return lines, bool(held)


def cubic(t: Tensor) -> Tensor:
    """Return the cubic B-spline of unit spacing."""
    a = t.abs()
    return torch.where(a < 1, 2 / 3 - a**2 + a**3 / 2, (2 - a).clamp_min(0) ** 3 / 6)


def gaussian(t: Tensor) -> Tensor:
    """Return exp(-t^2), whose width is the spacing (FastKAN, Li 2024)."""
    return torch.exp(-(t**2))


class Small:
    """Compute a network [d, nodes, 1] whose edges are sums of `size` kernels, and its Jacobian.

    Kernels sit at even spacing on [-1, 1] and one spacing beyond; hidden values pass through tanh, so that
    grids may stay where they are. `shared`: all edges into a hidden node use one curve, each with its own
    weight ("multi-head" with one head a node).
    """

    def __init__(
        self, kernel: Callable[[Tensor], Tensor], shared: bool, d: int, nodes: int, size: int
    ) -> None:
        self.kernel, self.shared, self.d, self.nodes, self.size = kernel, shared, d, nodes, size
        self.spacing = 2 / (size - 3)
        self.centres = torch.linspace(-1 - self.spacing, 1 + self.spacing, size, dtype=torch.float64)
        self.first = nodes * (size + d) if shared else nodes * d * size
        self.parameters = self.first + nodes * size + 1

    def basis(self, x: Tensor) -> Tensor:
        """Return all kernels at values x: one axis more."""
        return self.kernel((x[..., None] - self.centres) / self.spacing)

    def hidden(self, theta: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden sums z (n, nodes) and their derivatives (n, nodes, first / nodes) by first layer."""
        if not self.shared:
            z = torch.einsum("nic,jic->nj", B, theta[: self.first].view(self.nodes, self.d, self.size))
            return z, B.flatten(1)[:, None].expand(-1, self.nodes, -1)
        part = theta[: self.first].view(self.nodes, self.size + self.d)
        curves, weights = part[:, : self.size], part[:, self.size :]
        by_weight = torch.einsum("nic,jc->nji", B, curves)
        by_curve = torch.einsum("nic,ji->njc", B, weights)
        return torch.einsum("nji,ji->nj", by_weight, weights), torch.cat([by_curve, by_weight], 2)

    def values(self, theta: np.ndarray, X: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs (n,) and their Jacobian (n, parameters)."""
        t = torch.from_numpy(theta)
        z, inner = self.hidden(t, self.basis(X))
        z.requires_grad_()
        H = self.basis(torch.tanh(z))
        out = torch.einsum("njc,jc->n", H, t[self.first : -1].view(self.nodes, self.size)) + t[-1]
        (by_z,) = torch.autograd.grad(out.sum(), z)  # rows are independent
        blocks = [(by_z[:, :, None] * inner).flatten(1), H.detach().flatten(1), torch.ones(len(X), 1)]
        return out.detach().numpy(), torch.cat(blocks, 1).numpy()


def bases(seeds: Sequence[int], full: bool) -> tuple[list[str], bool]:
    """Compare B-splines with Gaussians, and edges of their own with shared ones, in one small engine."""
    lines = [
        "## Radial basis and shared edges (section 6)",
        "",
        "One small engine for all (in this script, not in the product): [2,5,1] on exp(sin(pi x) + y^2),",
        "fixed even grids, hidden values through tanh, 60 Levenberg–Marquardt steps. Shared: one curve a",
        "hidden node, a weight an edge. A ridge of 1e-8 |theta|^2 on the sum of squares.",
        "CPU seconds are those of all seeds.",
        "",
        "| edges | G | parameters | error | CPU s |",
        "|---|---|---|---|---|",
    ]
    X, y, Xt, yt = WALK.data()
    X, Xt = torch.from_numpy(X), torch.from_numpy(Xt)
    medians: dict[tuple[str, int], float] = {}
    kinds = {
        "cubic B-splines": (cubic, False),
        "Gaussians": (gaussian, False),
        "cubic B-splines, shared": (cubic, True),
    }
    for g in (5, 10) if full else (5,):
        for name, (kernel, shared) in kinds.items():
            net = Small(kernel, shared, 2, 5, g + 3)
            start, errors = time.process_time(), []

            def both(theta: np.ndarray, net: Small = net) -> tuple[np.ndarray, np.ndarray]:
                value, jacobian = net.values(theta, X)
                # a little ridge holds the coefficients that no row reaches
                ridge = RIDGE * np.eye(len(theta))
                return np.append(value - y, RIDGE * theta), np.vstack([jacobian, ridge])

            for s in seeds:
                begin = np.random.default_rng(s).normal(size=net.parameters) * 0.3
                done = levenberg_marquardt(both, begin, max_steps=60)
                errors.append(rmse(net.values(done.theta, Xt)[0], yt))
            medians[name, g] = float(np.median(errors))
            cells = [name, str(g), str(net.parameters), spread(errors), f"{time.process_time() - start:.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
    held = all(v < 0.1 for v in medians.values())
    return lines, held


def figure(seeds: Sequence[int]) -> Figure:
    """Return error and edges left against lambda."""
    found = [sweep(seeds, 5, v) for v in LAMBDAS]
    drawing = Figure(figsize=(8, 3.2), layout="constrained")
    at = [max(v, 1e-5) for v in LAMBDAS]
    for ax, k, label in zip(
        drawing.subplots(1, 2), (0, 1), ("test RMSE / standard deviation", "edges after pruning"), strict=True
    ):
        for s in range(len(seeds)):
            ax.plot(at, [f[k][s] for f in found], "o-", ms=3, label=f"seed {seeds[s]}")
        ax.set_xscale("log")
        ax.set_xlabel("lambda (leftmost: 0)")
        ax.set_ylabel(label)
        ax.grid(alpha=0.3)
    drawing.axes[0].set_yscale("log")
    drawing.axes[0].legend(fontsize=7)
    return drawing

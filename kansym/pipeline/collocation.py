"""Solve an equation by collocation with a two-layer KAN.

u(x) = sum_j psi_j(h_j), h_j = sum_i phi_ji(x_i), all curves splines. The residuals of the equation inside
and of the conditions on the border are minimised by Levenberg–Marquardt with derivatives of the network up
to second order in closed form (paper 3.4). No data of u are used; networks of other depths are `network`'s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.linalg

from kansym.base.errors import InputError
from kansym.formula.program import Program
from kansym.functions.graph import Edge, Graph, Spline
from kansym.functions.parsing import parse_expression, symbols
from kansym.functions.spline import design, uniform_knots
from kansym.pipeline.equation import Equation, border, interior

THICK = 3
"""Points inside for each coefficient, at least: with fewer the equation may fail between them."""


Bases = list[list[np.ndarray]]
"""For each curve its spline's basis (n, m) at some points, and that of its derivatives."""


@dataclass(frozen=True)
class Settings:
    """Set the network and the fit; `weight` is the paper's alpha, the inside's price against the border's.

    `starts` random networks are fitted on the coarsest grid, where it costs little; the one of least loss is
    refined. `points` (a side of the box) and `border` (each face) are for the last grid; coarser ones have as
    many fewer as they have coefficients, but never fewer than THICK points inside for each.
    """

    width: int = 2
    starts: int = 8
    grids: tuple[int, ...] = (4, 8, 16)
    order: int = 5
    points: int = 30
    border: int = 60
    steps: int = 60
    weight: float = 0.01
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Solution:
    """Hold a solved equation: coefficients of psi (width, m) and phi (width, d, m), and what is left."""

    equation: Equation
    inner: np.ndarray
    outer: np.ndarray
    knots: tuple[np.ndarray, ...]
    knots_outer: np.ndarray
    order: int
    loss: float
    history: tuple[float, ...] = field(default=(), repr=False)

    @property
    def parameters(self) -> int:
        """Return the number of trainable coefficients."""
        return self.inner.size + self.outer.size

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return u (n,) at points X (n, variables)."""
        return _fields(self, np.asarray(X, float))[0]

    def gradient(self, X: np.ndarray) -> np.ndarray:
        """Return the first derivatives of u (n, variables) at points X."""
        return _fields(self, np.asarray(X, float))[1]

    def residual(self, X: np.ndarray) -> np.ndarray:
        """Return what the equation leaves (n,) at points X."""
        X = np.asarray(X, float)
        u, du, d2u = _fields(self, X)
        return self.equation.program.value(np.column_stack([X, u, du, d2u]))

    def to_graph(self) -> Graph:
        """Return the network as a graph with spline curves."""
        names = self.equation.variables
        nodes = {f"h{j}": "sum" for j in range(len(self.outer))} | {"u": "sum"}
        edges = [
            Edge(n, f"h{j}", 0, Spline(self.knots[i], self.inner[j, i], self.order, None, 0.0))
            for j in range(len(self.outer))
            for i, n in enumerate(names)
        ]
        edges += [
            Edge(f"h{j}", "u", 0, Spline(self.knots_outer[j], self.outer[j], self.order, None, 0.0))
            for j in range(len(self.outer))
        ]
        return Graph.build(names, ["u"], nodes, edges)


def solve(equation: Equation, settings: Settings | None = None, **options: object) -> Solution:
    """Return a KAN [variables, width, 1] that satisfies the equation, from a random start.

    Minimises weight·mean(residual²) + mean((u − border)²), refining the grids on the way.
    """
    s = replace(settings or Settings(), **options)  # type: ignore[arg-type]
    if s.order < 3:
        raise InputError(f"order is {s.order}; second derivatives need splines of order 3 or more.")
    if not s.grids or s.starts < 1:
        which = "No grid" if not s.grids else "No start"
        raise InputError(f"{which} is given, so there is nothing to fit; give for instance grids=(4, 8).")
    rng = np.random.default_rng(s.seed)
    solution: Solution | None = None
    for grid in s.grids:
        share = (grid + s.order) / (s.grids[-1] + s.order)
        d = len(equation.variables)
        least = (THICK * s.width * (d + 1) * (grid + s.order)) ** (1 / d)
        inside = interior(equation, math.ceil(max(s.points * share, least)), rng)
        edge, value = border(equation, math.ceil(s.border * share))
        begun = (
            [_start(equation, s, grid, rng) for _ in range(s.starts)]
            if solution is None
            else [_finer(solution, grid, inside, edge)]
        )
        solution = min((_fit(one, inside, edge, value, s) for one in begun), key=lambda fit: fit.loss)
    assert solution is not None
    return solution


def errors(solution: Solution, truth: str, points: int = 100) -> tuple[float, float]:
    """Return the mean squared errors of u and its gradient (L2² and the H1 seminorm²) against a formula."""
    names: Sequence[str] = solution.equation.variables
    u = parse_expression(truth, names)
    columns = symbols(names)
    X = interior(solution.equation, points, np.random.default_rng(3))
    low = float(np.mean((solution.predict(X) - Program.compile(u, columns).value(X)) ** 2))
    _, slopes = Program.compile(u, columns).gradient(X)
    return low, low + float(np.mean(np.sum((solution.gradient(X) - slopes) ** 2, axis=1)))


def _start(equation: Equation, s: Settings, grid: int, rng: np.random.Generator) -> Solution:
    """Return a network of smooth random curves over the box."""
    d, m = len(equation.variables), grid + s.order
    knots = tuple(uniform_knots(low, high, grid, s.order) for low, high in equation.box)
    # smooth random curves: rough ones have second derivatives that drown everything
    place = np.linspace(-1, 1, m)
    a = rng.normal(size=(s.width, d, 3, 1))
    inner = a[:, :, 0] * place + 0.7 * a[:, :, 1] * place**2 + 0.3 * a[:, :, 2] * place**3
    outer = 0.1 * rng.normal(size=(s.width, m))
    knots_outer = np.stack([uniform_knots(-1.0, 1.0, grid, s.order)] * s.width)
    made = Solution(equation, inner, outer, knots, knots_outer, s.order, math.inf)
    X = interior(equation, 12, rng)
    return _covering(made, grid, X)


def _covering(solution: Solution, grid: int, X: np.ndarray) -> Solution:
    """Return the solution with psi's knots over what the hidden nodes take, psi carried over."""
    k = solution.order
    low, high = np.array(solution.equation.box, float).T
    corners = np.vstack(
        [X, *np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), -1).reshape(-1, 1, len(low))]
    )
    H = _hidden(solution, _bases(solution, corners, 0))[0]
    knots, outer = [], []
    for j, h in enumerate(H.T):
        margin = 0.15 * (np.ptp(h) + 1e-9)
        fresh = uniform_knots(float(h.min() - margin), float(h.max() + margin), grid, k)
        t = np.linspace(h.min() - margin, h.max() + margin, 6 * (grid + k))
        old = design(solution.knots_outer[j], k, t) @ solution.outer[j]
        outer.append(np.linalg.lstsq(design(fresh, k, t), old, rcond=1e-12)[0])
        knots.append(fresh)
    return replace(solution, outer=np.array(outer), knots_outer=np.array(knots))


def _finer(solution: Solution, grid: int, inside: np.ndarray, edge: np.ndarray) -> Solution:
    """Return the same function on finer grids, by least squares (grid extension, 2.16)."""
    k = solution.order
    knots, inner = [], np.empty((*solution.inner.shape[:2], grid + k))
    for i, (low, high) in enumerate(solution.equation.box):
        fresh = uniform_knots(low, high, grid, k)
        t = np.linspace(low, high, 6 * (grid + k))
        old = design(solution.knots[i], k, t) @ solution.inner[:, i].T
        inner[:, i] = np.linalg.lstsq(design(fresh, k, t), old, rcond=1e-12)[0].T
        knots.append(fresh)
    moved = replace(solution, inner=inner, knots=tuple(knots))
    return _covering(moved, grid, np.vstack([inside, edge]))


def _hidden(solution: Solution, bases: Bases) -> list[np.ndarray]:
    """Return h_j (n, width), then phi_ji' and phi_ji'' (n, width, d), for all derivatives given."""
    parts = [
        np.stack([own[r] @ solution.inner[:, i].T for i, own in enumerate(bases)], axis=2)
        for r in range(len(bases[0]))
    ]
    return [parts[0].sum(2), *parts[1:]]


def _psi(solution: Solution, h: np.ndarray, most: int) -> tuple[Bases, np.ndarray]:
    """Return the outer splines' bases at h (n, width), and psi with its derivatives (most + 1, n, width)."""
    bases = [
        [design(knots, solution.order, h[:, j], r) for r in range(most + 1)]
        for j, knots in enumerate(solution.knots_outer)
    ]
    values = [[own[r] @ c for own, c in zip(bases, solution.outer, strict=True)] for r in range(most + 1)]
    return bases, np.stack(values).transpose(0, 2, 1)


def _fields(solution: Solution, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return u (n,), its first and its pure second derivatives (n, d)."""
    h, p, q = _hidden(solution, _bases(solution, X))
    return _combined(_psi(solution, h, 2)[1], p, q)


def _combined(f: np.ndarray, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return u, u_i = f' p_i, u_ii = f'' p_i² + f' q_i from psi and phi's derivatives (chain rule)."""
    du = np.einsum("nj,nji->ni", f[1], p)
    d2u = np.einsum("nj,nji->ni", f[2], p**2) + np.einsum("nj,nji->ni", f[1], q)
    return f[0].sum(1), du, d2u


def _bases(solution: Solution, X: np.ndarray, most: int = 2) -> Bases:
    """Return each variable's spline basis (n, m) and its first derivatives, `most` of them, at points X."""
    return [
        [design(knots, solution.order, X[:, i], r) for r in range(most + 1)]
        for i, knots in enumerate(solution.knots)
    ]


def _jacobian(solution: Solution, X: np.ndarray, inside: bool, bases: Bases) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals (n,) and their derivatives (n, parameters) by every coefficient."""
    eq, n, d = solution.equation, len(X), len(solution.equation.variables)
    h, p, q = _hidden(solution, bases)
    D, f = _psi(solution, h, 3)
    u, du, d2u = _combined(f, p, q)
    if inside:
        r, G = eq.program.gradient(np.column_stack([X, u, du, d2u]))
        gu, g1, g2 = G[:, d], G[:, d + 1 : 2 * d + 1], G[:, 2 * d + 1 :]
    else:
        r, gu, g1, g2 = u, np.ones(n), np.zeros((n, d)), np.zeros((n, d))
    inner, outer = [], []
    for j in range(len(D)):
        f1, f2, f3 = f[1:, :, j]
        by_h = gu * f1 + sum(
            g1[:, i] * f2 * p[:, j, i] + g2[:, i] * (f3 * p[:, j, i] ** 2 + f2 * q[:, j, i]) for i in range(d)
        )
        for i in range(d):
            by_p = g1[:, i] * f1 + g2[:, i] * 2 * f2 * p[:, j, i]
            by_q = g2[:, i] * f1
            inner.append(
                by_h[:, None] * bases[i][0] + by_p[:, None] * bases[i][1] + by_q[:, None] * bases[i][2]
            )
        s1 = sum(g1[:, i] * p[:, j, i] + g2[:, i] * q[:, j, i] for i in range(d))
        s2 = sum(g2[:, i] * p[:, j, i] ** 2 for i in range(d))
        outer.append(gu[:, None] * D[j][0] + s1[:, None] * D[j][1] + s2[:, None] * D[j][2])
    return r, np.hstack([*inner, *outer])


def _fit(
    solution: Solution, inside: np.ndarray, edge: np.ndarray, value: np.ndarray, s: Settings
) -> Solution:
    """Return the solution after Levenberg–Marquardt on normal equations, grids following the hidden nodes."""
    a, b = math.sqrt(s.weight / len(inside)), 1 / math.sqrt(len(edge))
    grid = solution.outer.shape[1] - solution.order

    within, along = _bases(solution, inside), _bases(solution, edge)

    def system(one: Solution) -> tuple[np.ndarray, np.ndarray]:
        """Return all weighted residuals, inside and on the border, and their Jacobian."""
        r, J = _jacobian(one, inside, True, within)
        e, K = _jacobian(one, edge, False, along)
        return np.concatenate([a * r, b * (e - value)]), np.vstack([a * J, b * K])

    r, J = system(solution)
    cost, damping, stalls = float(r @ r), 1e-2, 0
    history: list[float] = []
    for step in range(s.steps):
        A, g = J.T @ J, J.T @ r
        scale = np.diag(A) + 1e-10 * np.trace(A) / len(A)
        for _ in range(12):
            try:
                factor = scipy.linalg.cho_factor(A + damping * np.diag(scale))
                move = scipy.linalg.cho_solve(factor, -g)
            except np.linalg.LinAlgError:
                damping = max(damping * 10, 1e-14)
                continue
            trial = _moved(solution, move)
            r_new, J_new = system(trial)
            new = float(r_new @ r_new)
            if new < cost:
                break
            damping *= 4
        else:
            break
        fall = (cost - new) / cost
        solution, r, J, cost = trial, r_new, J_new, new
        damping = max(damping / 5, 1e-15)
        history.append(cost)
        if step % 4 == 3:
            followed = _covering(solution, grid, np.vstack([inside, edge]))
            r_new, J_new = system(followed)
            if float(r_new @ r_new) < 1.5 * cost:
                solution, r, J, cost = followed, r_new, J_new, float(r_new @ r_new)
        stalls = stalls + 1 if fall < 1e-4 else 0
        if stalls > 6:
            break
    return replace(solution, loss=cost, history=(*solution.history, *history))


def _moved(solution: Solution, move: np.ndarray) -> Solution:
    """Return the solution with its coefficients moved."""
    cut = solution.inner.size
    return replace(
        solution,
        inner=solution.inner + move[:cut].reshape(solution.inner.shape),
        outer=solution.outer + move[cut:].reshape(solution.outer.shape),
    )

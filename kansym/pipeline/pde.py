"""Solve an equation by collocation with a two-layer KAN, then read the closed form off its solution.

u(x) = sum_j psi_j(h_j), h_j = sum_i phi_ji(x_i), all curves splines. The residuals of the equation inside
and of the conditions on the border are minimised by Levenberg–Marquardt with derivatives of the network up
to second order in closed form (paper 3.4). No data of u are used; networks of other depths are `network`'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import scipy.linalg
import sympy

from kansym.base.errors import InputError
from kansym.base.leastsq import levenberg_marquardt
from kansym.data.dataset import from_arrays
from kansym.formula import constants
from kansym.formula import expression as expressions
from kansym.formula.program import Program, parametrise
from kansym.functions.graph import Edge, Graph, Spline
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression, symbols
from kansym.functions.spline import design, uniform_knots
from kansym.judge.refine import Trial, refine
from kansym.search import separable

THICK = 3
"""Points inside for each coefficient, at least: with fewer the equation may fail between them."""

Faces = Mapping[tuple[str, int], str]


@dataclass(frozen=True)
class Equation:
    """State an equation for u on a box, as text.

    `inside` is zero where the equation holds; it may use the variables, u, first derivatives such as u_x
    and second ones such as u_xx. `faces` gives u on sides of the box: {("x", 0): "0"} at the lower end of
    x, ("x", 1) at the upper. Raises InputError for anything that cannot be read.

    >>> Equation(("x",), ((0, 1),), "u_xx + u", {("x", 0): "0", ("x", 1): "sin(1)"}).order
    2
    """

    variables: tuple[str, ...]
    box: tuple[tuple[float, float], ...]
    inside: str
    faces: Faces

    def __post_init__(self) -> None:
        """Read every part once, so that mistakes show before a long fit."""
        if len(self.box) != len(self.variables):
            raise InputError(
                f"{len(self.variables)} variables need as many ranges; {len(self.box)} are given."
            )
        for (low, high), name in zip(self.box, self.variables, strict=True):
            if not low < high:
                raise InputError(f"The range of {name!r} is {low} to {high}; the first must be smaller.")
        for (name, side), text in self.faces.items():
            if name not in self.variables or side not in (0, 1):
                raise InputError(f"Face {(name, side)!r} is not a side of the box; give (variable, 0 or 1).")
            parse_expression(text, self.variables)
        if not self.faces:
            raise InputError("No condition is given on any side, so the equation does not determine u.")
        _ = self.expression

    @property
    def slots(self) -> tuple[str, ...]:
        """Return the names that `inside` may use: variables, u, u_x ..., u_xx ..."""
        v = self.variables
        return (*v, "u", *(f"u_{n}" for n in v), *(f"u_{n}{n}" for n in v))

    @property
    def expression(self) -> sympy.Expr:
        """Return `inside` in SymPy, over `slots`."""
        return parse_expression(self.inside, self.slots)

    @cached_property
    def program(self) -> Program:
        """Return `inside` compiled, over `slots`."""
        return Program.compile(self.expression, symbols(self.slots))

    @property
    def order(self) -> int:
        """Return the highest derivative in the equation."""
        used = {s.name for s in self.expression.free_symbols}
        return 2 if used & {f"u_{n}{n}" for n in self.variables} else 1

    def applied(self, u: sympy.Expr) -> sympy.Expr:
        """Return the left side of the equation for a closed form u."""
        named = dict(zip(self.slots, symbols(self.slots), strict=True))
        swap = {named["u"]: u}
        for n in self.variables:
            swap[named[f"u_{n}"]] = sympy.diff(u, named[n])
            swap[named[f"u_{n}{n}"]] = sympy.diff(u, named[n], 2)
        return self.expression.xreplace(swap)


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


@dataclass(frozen=True)
class ClosedForm:
    """Hold a formula for u: what it leaves of the equation and the border (largest), and if that is zero."""

    expression: sympy.Expr
    inside: float
    border: float

    @property
    def exact(self) -> bool:
        """Tell whether the formula solves the equation to round-off."""
        return self.inside < 1e-8 and self.border < 1e-8

    @property
    def rank(self) -> tuple[bool, float]:
        """Return what orders forms: solutions by complexity, then the others by what they leave."""
        size = float(expressions.complexity(self.expression))
        return not self.exact, size if self.exact else self.inside + self.border

    @property
    def text(self) -> str:
        """Return the formula as text."""
        return expressions.text(self.expression)


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
        inside = _inside(equation, math.ceil(max(s.points * share, least)), rng)
        border, value = _border(equation, math.ceil(s.border * share))
        begun = (
            [_start(equation, s, grid, rng) for _ in range(s.starts)]
            if solution is None
            else [_finer(solution, grid, inside, border)]
        )
        solution = min((_fit(one, inside, border, value, s) for one in begun), key=lambda fit: fit.loss)
    assert solution is not None
    return solution


def closed_form(solution: Solution, library: str | Library = "default", rows: int = 800) -> ClosedForm | None:
    """Return the best closed form of a solution, proved or refuted on the equation itself.

    Candidates come from the solution's values alone; each is fitted, its constants are recognised, and it
    is put into the equation and its border conditions.
    """
    equation = solution.equation
    lib = library if isinstance(library, Library) else Library.load(library)
    lib = lib.exclude([name for name in ("abs", "relu") if name in lib])
    X = _inside(equation, int(rows ** (1 / len(equation.variables))) + 1, np.random.default_rng(1))
    dataset = from_arrays(X, solution.predict(X), equation.variables, target="u value")
    trial = Trial.of(dataset, lib, 0)
    best: ClosedForm | None = None
    for candidate in separable.propose(dataset, library=lib):
        if candidate.expression is None:
            continue
        for judged in refine(candidate.expression, trial, candidate.source):
            form = polished(equation, judged.expression)
            # of solutions the simplest: far from its zero sinh(t - 30) is exp(-t) in so many words
            if form is not None and (best is None or form.rank < best.rank):
                best = form
    return best


def polished(equation: Equation, u: sympy.Expr) -> ClosedForm | None:
    """Fit a form's constants to the equation and its border (no data of u), recognise them, and judge it."""
    columns = symbols(equation.variables)
    template, names, start = parametrise(u)
    X = _inside(equation, 17, np.random.default_rng(4))
    border, value = _border(equation, 17)
    before = judge(equation, u)
    if not names or before is None:
        return before
    inside = Program.compile(equation.applied(template), columns, names, start)
    edge = Program.compile(template, columns, names, start)
    scale = 1 + float(np.abs(inside.value(X, start)).max())

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r, J = inside.jacobian(X, theta)
        e, K = edge.jacobian(border, theta)
        return np.concatenate([r / scale, e - value]), np.vstack([J / scale, K])

    theta = levenberg_marquardt(residual, np.asarray(start, float), max_steps=60).theta
    swap = {}
    for name, v in zip(names, theta.tolist(), strict=True):
        nice = constants.near(v, 1e-7 * max(abs(v), 1e-2), longest=12.0)
        swap[name] = sympy.S.Zero if abs(v) < 1e-7 else nice[0].exact if nice else sympy.Float(v)
    rounded, free = (
        template.xreplace(swap),
        template.xreplace({n: sympy.Float(v) for n, v in zip(names, theta, strict=True)}),
    )
    forms = [f for f in (judge(equation, rounded), judge(equation, free), before) if f is not None]
    return next((f for f in forms if f.exact), min(forms, key=lambda f: f.inside + f.border))


def judge(equation: Equation, u: sympy.Expr) -> ClosedForm | None:
    """Put a closed form into the equation; None where it is not defined on the whole box."""
    columns = symbols(equation.variables)
    X = _inside(equation, 17, np.random.default_rng(2))
    border, value = _border(equation, 17)
    applied = equation.applied(u)
    if applied.has(sympy.DiracDelta, sympy.Derivative, sympy.Heaviside):
        return None  # a kink: no solution of a second-order equation
    with np.errstate(all="ignore"):
        left = Program.compile(applied, columns).value(X)
        edge = Program.compile(u, columns).value(border) - value
    if not (np.all(np.isfinite(left)) and np.all(np.isfinite(edge))):
        return None
    return ClosedForm(u, float(np.abs(left).max()), float(np.abs(edge).max()))


def _inside(equation: Equation, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return a jittered lattice of points^d points in the box."""
    axes = [np.linspace(0, 1, points, endpoint=False) for _ in equation.box]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
    lattice = lattice + rng.random(lattice.shape) / points
    low, high = np.array(equation.box, float).T
    return low + lattice * (high - low)


def _border(equation: Equation, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points on the conditioned faces and the values that u takes there."""
    columns = symbols(equation.variables)
    P, v = [], []
    for (name, side), text in equation.faces.items():
        i = equation.variables.index(name)
        axes = [
            np.array([float(b[side])]) if k == i else np.linspace(b[0], b[1], points)
            for k, b in enumerate(equation.box)
        ]
        face = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
        P.append(face)
        v.append(Program.compile(parse_expression(text, equation.variables), columns).value(face))
    return np.vstack(P), np.concatenate(v)


def _start(equation: Equation, s: Settings, grid: int, rng: np.random.Generator) -> Solution:
    d, m = len(equation.variables), grid + s.order
    knots = tuple(uniform_knots(low, high, grid, s.order) for low, high in equation.box)
    # smooth random curves: rough ones have second derivatives that drown everything
    place = np.linspace(-1, 1, m)
    a = rng.normal(size=(s.width, d, 3, 1))
    inner = a[:, :, 0] * place + 0.7 * a[:, :, 1] * place**2 + 0.3 * a[:, :, 2] * place**3
    outer = 0.1 * rng.normal(size=(s.width, m))
    knots_outer = np.stack([uniform_knots(-1.0, 1.0, grid, s.order)] * s.width)
    made = Solution(equation, inner, outer, knots, knots_outer, s.order, math.inf)
    X = _inside(equation, 12, rng)
    return _covering(made, grid, X)


def _covering(solution: Solution, grid: int, X: np.ndarray) -> Solution:
    """Return the solution with psi's knots over what the hidden nodes take, psi carried over."""
    k = solution.order
    low, high = np.array(solution.equation.box, float).T
    corners = np.vstack(
        [X, *np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), -1).reshape(-1, 1, len(low))]
    )
    H = _hidden(solution, corners, 0)
    knots, outer = [], []
    for j, h in enumerate(H.T):
        margin = 0.15 * (np.ptp(h) + 1e-9)
        fresh = uniform_knots(float(h.min() - margin), float(h.max() + margin), grid, k)
        t = np.linspace(h.min() - margin, h.max() + margin, 6 * (grid + k))
        old = design(solution.knots_outer[j], k, t) @ solution.outer[j]
        outer.append(np.linalg.lstsq(design(fresh, k, t), old, rcond=1e-12)[0])
        knots.append(fresh)
    return replace(solution, outer=np.array(outer), knots_outer=np.array(knots))


def _finer(solution: Solution, grid: int, inside: np.ndarray, border: np.ndarray) -> Solution:
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
    return _covering(moved, grid, np.vstack([inside, border]))


def _hidden(solution: Solution, X: np.ndarray, derivative: int) -> np.ndarray:
    """Return h_j (n, width), or for derivatives 1 and 2 phi_ji' or phi_ji'' (n, width, d)."""
    parts = np.stack(
        [
            design(k, solution.order, X[:, i], derivative) @ solution.inner[:, i].T
            for i, k in enumerate(solution.knots)
        ],
        axis=2,
    )
    return parts.sum(2) if derivative == 0 else parts


def _fields(solution: Solution, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return u (n,), its first and its pure second derivatives (n, d)."""
    h, p, q = (_hidden(solution, X, r) for r in range(3))
    f = [
        np.column_stack(
            [
                design(k, solution.order, h[:, j], r) @ c
                for j, (k, c) in enumerate(zip(solution.knots_outer, solution.outer, strict=True))
            ]
        )
        for r in range(3)
    ]
    du = np.einsum("nj,nji->ni", f[1], p)
    d2u = np.einsum("nj,nji->ni", f[2], p**2) + np.einsum("nj,nji->ni", f[1], q)
    return f[0].sum(1), du, d2u


def _bases(solution: Solution, X: np.ndarray) -> list[list[np.ndarray]]:
    """Return the inner splines' basis (n, m) and its two derivatives at fixed points, for each variable."""
    return [
        [design(knots, solution.order, X[:, i], r) for r in range(3)]
        for i, knots in enumerate(solution.knots)
    ]


def _jacobian(
    solution: Solution, X: np.ndarray, inside: bool, bases: list[list[np.ndarray]] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals (n,) and their derivatives (n, parameters) by every coefficient."""
    eq, k, n = solution.equation, solution.order, len(X)
    d = len(eq.variables)
    B = _bases(solution, X) if bases is None else bases
    h, p, q = (np.stack([B[i][r] @ solution.inner[:, i].T for i in range(d)], axis=2) for r in range(3))
    h = h.sum(2)
    D = [[design(knots, k, h[:, j], r) for r in range(3)] for j, knots in enumerate(solution.knots_outer)]
    f = [[D[j][r] @ c for r in range(3)] for j, c in enumerate(solution.outer)]
    third = [
        design(knots, k, h[:, j], 3) @ c
        for j, (knots, c) in enumerate(zip(solution.knots_outer, solution.outer, strict=True))
    ]
    u = sum(g[0] for g in f)
    if inside:
        du = np.stack([sum(f[j][1] * p[:, j, i] for j in range(len(f))) for i in range(d)], 1)
        d2u = np.stack(
            [sum(f[j][2] * p[:, j, i] ** 2 + f[j][1] * q[:, j, i] for j in range(len(f))) for i in range(d)],
            1,
        )
        r, G = eq.program.gradient(np.column_stack([X, u, du, d2u]))
        gu, g1, g2 = G[:, d], G[:, d + 1 : 2 * d + 1], G[:, 2 * d + 1 :]
    else:
        r, gu, g1, g2 = u, np.ones(n), np.zeros((n, d)), np.zeros((n, d))
    inner, outer = [], []
    for j in range(len(f)):
        f1, f2, f3 = f[j][1], f[j][2], third[j]
        # chain rule: u = f(h), u_i = f' p_i, u_ii = f'' p_i² + f' q_i
        by_h = gu * f1 + sum(
            g1[:, i] * f2 * p[:, j, i] + g2[:, i] * (f3 * p[:, j, i] ** 2 + f2 * q[:, j, i]) for i in range(d)
        )
        for i in range(d):
            by_p = g1[:, i] * f1 + g2[:, i] * 2 * f2 * p[:, j, i]
            by_q = g2[:, i] * f1
            inner.append(by_h[:, None] * B[i][0] + by_p[:, None] * B[i][1] + by_q[:, None] * B[i][2])
        s1 = sum(g1[:, i] * p[:, j, i] + g2[:, i] * q[:, j, i] for i in range(d))
        s2 = sum(g2[:, i] * p[:, j, i] ** 2 for i in range(d))
        outer.append(gu[:, None] * D[j][0] + s1[:, None] * D[j][1] + s2[:, None] * D[j][2])
    return r, np.hstack([*inner, *outer])


def _fit(
    solution: Solution, inside: np.ndarray, border: np.ndarray, value: np.ndarray, s: Settings
) -> Solution:
    """Return the solution after Levenberg–Marquardt on normal equations, grids following the hidden nodes."""
    a, b = math.sqrt(s.weight / len(inside)), 1 / math.sqrt(len(border))
    grid = solution.outer.shape[1] - solution.order

    within, along = _bases(solution, inside), _bases(solution, border)

    def system(one: Solution) -> tuple[np.ndarray, np.ndarray]:
        r, J = _jacobian(one, inside, True, within)
        e, K = _jacobian(one, border, False, along)
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
            followed = _covering(solution, grid, np.vstack([inside, border]))
            r_new, J_new = system(followed)
            if float(r_new @ r_new) < 1.5 * cost:
                solution, r, J, cost = followed, r_new, J_new, float(r_new @ r_new)
        stalls = stalls + 1 if fall < 1e-4 else 0
        if stalls > 6:
            break
    return replace(solution, loss=cost, history=(*solution.history, *history))


def _moved(solution: Solution, move: np.ndarray) -> Solution:
    cut = solution.inner.size
    return replace(
        solution,
        inner=solution.inner + move[:cut].reshape(solution.inner.shape),
        outer=solution.outer + move[cut:].reshape(solution.outer.shape),
    )


def errors(solution: Solution, truth: str, points: int = 100) -> tuple[float, float]:
    """Return the mean squared errors of u and its gradient (L2² and the H1 seminorm²) against a formula."""
    names: Sequence[str] = solution.equation.variables
    u = parse_expression(truth, names)
    columns = symbols(names)
    X = _inside(solution.equation, points, np.random.default_rng(3))
    low = float(np.mean((solution.predict(X) - Program.compile(u, columns).value(X)) ** 2))
    _, slopes = Program.compile(u, columns).gradient(X)
    return low, low + float(np.mean(np.sum((solution.gradient(X) - slopes) ** 2, axis=1)))

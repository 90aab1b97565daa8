"""Curves to symbolic functions, one at a time: try, refit what is left, measure, keep or undo.

A beam of graphs is carried along, because the locally best function is often the wrong one. A question
never changes a graph: every step returns new ones, so undoing costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from kansym.base import criterion
from kansym.base.errors import KansymError
from kansym.base.leastsq import levenberg_marquardt
from kansym.formula.polish import Rows
from kansym.functions.evaluate import activations, evaluate, jacobian, parameters, with_parameters
from kansym.functions.graph import Edge, Graph, Spline, Symbolic
from kansym.functions.library import Library
from kansym.functions.matching import Match, match

FLAT = 1e-9
"""An edge whose activation varies less than this share of the output's spread carries a constant."""

CLOSE = 0.9
"""Share of a symbolic curve's variance that a simpler function must explain to be tried in its place."""

LIKE = (0.99, 0.9999)
"""Shares of variance that tell which functions are like a curve when all curves are exchanged together."""

EXCHANGE_STEPS = 20
"""Steps of a refit after an exchange."""

EXCHANGES = 3
"""Steps of the refit after an exchange, and rounds through all curves; few graphs get here."""


@dataclass(frozen=True)
class Settings:
    """Set how wide snapping looks: choices per edge, graphs carried along, refits, rows used."""

    choices: int = 4
    beam: int = 3
    refit_steps: int = 6
    worst_r2: float = 0.5
    rows: int = 300


@dataclass(frozen=True)
class Step:
    """Record one attempt: which edge, which function, how good, kept or why not."""

    edge: str
    function: str
    r2: float
    loss: float
    kept: bool
    reason: str = ""


@dataclass(frozen=True)
class Snapped:
    """Hold a graph on its way to a formula: its loss and the steps that led there."""

    graph: Graph
    loss: float
    cost: float = 0.0
    steps: tuple[Step, ...] = field(default=())


def snap(graph: Graph, rows: Rows, library: Library, settings: Settings | None = None) -> list[Snapped]:
    """Return fully symbolic graphs for a graph with spline curves, best first.

    Edges are snapped in the order of how surely one function fits them. After each snap all constants
    and remaining splines are refitted by Levenberg–Marquardt; the `beam` graphs of least loss at the
    price of their functions go on. Returns fewer graphs, or none, where no function fits a curve.
    """
    settings = settings or Settings()
    rows = rows.thinned(settings.rows)
    beam = [Snapped(graph, rows.loss(evaluate(graph, rows.X)[:, 0]))]
    for edge_id in _surest_first(graph, rows, library):
        grown = [new for state in beam for new in _snap_edge(state, edge_id, rows, library, settings)]
        if not grown:
            return []
        beam = _best(grown, rows, settings.beam)
    return beam


def exchange(state: Snapped, rows: Rows, library: Library, settings: Settings | None = None) -> Snapped:
    """Return a symbolic graph with simpler functions in place of those that imitate them.

    While curves are splines, cosh(x/10) may fit one a little better than x^2. Once every curve is symbolic
    the true function shows, because the refit becomes exact: first all curves together are tried as the
    simplest functions that are like them, then each alone with functions no larger; an exchange is kept
    where the price (misfit and functions) falls.
    """
    settings = settings or Settings()
    rows = rows.thinned(settings.rows)
    best = _together(state, rows, library)
    for _ in range(EXCHANGES):
        before = best
        for edge in best.graph.edges():
            assert isinstance(edge.curve, Symbolic)
            now = edge.curve.function
            size = now.complexity
            simpler = Library(tuple(f for f in library.values() if f.complexity <= size and f != now))
            if not len(simpler):
                continue
            for m in _matches(*activations(best.graph, rows.X)[edge.id], simpler, settings.choices):
                if m.r2 < CLOSE:
                    continue
                graph, loss = refit(best.graph.with_curve(edge, m.curve), rows, EXCHANGE_STEPS)
                new = Snapped(graph, loss, best.cost + m.function.complexity - size, best.steps)
                if _price(new, rows) < _price(best, rows) - 1.0:
                    step = Step(_label(edge), m.function.name, float(m.r2), loss, True, "exchanged")
                    best = replace(new, steps=(*best.steps, step))
                    break
        if best is before:
            break
    return best


def _together(state: Snapped, rows: Rows, library: Library) -> Snapped:
    """Return the state with every curve as the simplest function that is like it, if that is worth it."""
    acts = activations(state.graph, rows.X)
    found = {e.id: _matches(*acts[e.id], library, len(library)) for e in state.graph.edges()}
    best = state
    for like in LIKE:
        graph, steps = state.graph, list(state.steps)
        for edge in state.graph.edges():
            assert isinstance(edge.curve, Symbolic)
            size = edge.curve.function.complexity
            choices = [m for m in found[edge.id] if m.r2 >= like and m.function.complexity < size]
            if choices:
                m = min(choices, key=lambda m: (m.function.complexity, -m.r2))
                graph = graph.with_curve(edge, m.curve)
                steps.append(Step(_label(edge), m.function.name, float(m.r2), state.loss, True, "exchanged"))
        if len(steps) == len(state.steps):
            continue
        graph, loss = refit(graph, rows, 2 * EXCHANGE_STEPS)
        cost = sum(e.curve.function.complexity for e in graph.edges() if isinstance(e.curve, Symbolic))
        new = Snapped(graph, loss, float(cost), tuple(steps))
        if _price(new, rows) < _price(best, rows) - 1.0:
            best = new
    return best


def _surest_first(graph: Graph, rows: Rows, library: Library) -> list[tuple[str, str, int]]:
    """Return the spline edges by how little their best match leaves unexplained."""
    acts = activations(graph, rows.X)
    doubt = {}
    for e in graph.edges():
        if isinstance(e.curve, Spline):
            found = _matches(*acts[e.id], library, 1)
            doubt[e.id] = 1.0 - found[0].r2 if found else 2.0
    return sorted(doubt, key=lambda i: doubt[i])


def _matches(x: np.ndarray, y: np.ndarray, library: Library, top: int) -> list[Match]:
    """Return the functions that fit one curve; none where the curve cannot be matched."""
    try:
        return match(x, y, library=library, top=top)
    except KansymError:
        return []


def suggest(graph: Graph, X: np.ndarray, edge: Edge, library: Library, top: int = 5) -> list[Match]:
    """Return the functions that fit one edge's activations best; changes nothing."""
    x, y = activations(graph, X)[edge.id]
    return match(x, y, library=library, top=top)


def _snap_edge(
    state: Snapped, edge_id: tuple[str, str, int], rows: Rows, library: Library, settings: Settings
) -> list[Snapped]:
    """Return the states that snapping one edge of a state leads to."""
    edge = state.graph.edge(*edge_id)
    x, y = activations(state.graph, rows.X)[edge_id]
    if np.std(y) <= FLAT * (np.std(rows.y) + np.finfo(float).tiny):
        constant = Symbolic(library["x"], 1.0, 0.0, 0.0, float(np.mean(y)))
        step = Step(_label(edge), "constant", 1.0, state.loss, True)
        return [Snapped(state.graph.with_curve(edge, constant), state.loss, state.cost, (*state.steps, step))]
    states = []
    for m in _matches(x, y, library, settings.choices):
        if m.r2 < settings.worst_r2:
            continue
        graph = state.graph.with_curve(edge, Symbolic(m.function, m.a, m.b, m.c, m.d, m.p))
        graph, loss = refit(graph, rows, settings.refit_steps)
        if math.isfinite(loss):
            step = Step(_label(edge), m.function.name, float(m.r2), loss, True)
            states.append(Snapped(graph, loss, state.cost + m.function.complexity, (*state.steps, step)))
    return states


def _best(states: list[Snapped], rows: Rows, width: int) -> list[Snapped]:
    """Return the states of least loss at the price of their functions, no two alike."""
    ranked = sorted(states, key=lambda s: _price(s, rows))
    seen: set[tuple] = set()
    kept = []
    for s in ranked:
        signature = tuple(
            (e.id, e.curve.function.name) for e in s.graph.edges() if isinstance(e.curve, Symbolic)
        )
        if signature not in seen:
            seen.add(signature)
            kept.append(s)
    return kept[:width]


def _price(state: Snapped, rows: Rows) -> float:
    """Return the description length in nats that orders states: misfit and functions."""
    if not math.isfinite(state.loss):
        return math.inf
    return float(criterion.length(state.loss, len(rows.y), state.cost, least=rows.floor))


def refit(graph: Graph, rows: Rows, steps: int) -> tuple[Graph, float]:
    """Return the graph with all free constants and spline coefficients refitted, and its loss."""
    start = parameters(graph)
    root = None if rows.weights is None else np.sqrt(rows.weights)

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weighted residuals (n,) and their derivatives by every constant and coefficient."""
        values, slopes = jacobian(with_parameters(graph, theta), rows.X, 0)
        r = values - rows.y
        return (r, slopes) if root is None else (r * root, slopes * root[:, None])

    before = rows.loss(evaluate(graph, rows.X)[:, 0])
    if len(start) == 0 or len(start) >= len(rows.y) or not math.isfinite(before):
        return graph, before
    fit = levenberg_marquardt(residual, start, max_steps=steps)
    better = with_parameters(graph, fit.theta)
    after = rows.loss(evaluate(better, rows.X)[:, 0])
    return (better, after) if after <= before else (graph, before)


def _label(edge: Edge) -> str:
    """Return how a step names an edge."""
    return f"{edge.source} -> {edge.target}"

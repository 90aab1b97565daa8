"""From what producers propose to laws: the loop that every kind of search goes through.

`flow` runs it towards a front and decides when to stop; relations among columns, closed forms of solved
equations and boundaries between classes take what comes. Not here: which producers are asked, and what is
chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import sympy

from kansym.base.budget import Budget, Point
from kansym.base.criterion import WORTH_SNAPPING
from kansym.formula import expression as expressions
from kansym.formula.snapping import snap
from kansym.functions.graph import Graph, Spline
from kansym.functions.parsing import parse_expression
from kansym.judge.archive import Archive
from kansym.judge.refine import refine
from kansym.judge.scorer import Judged
from kansym.judge.trial import Trial
from kansym.pipeline.checkpoint import Memory
from kansym.search import schedule
from kansym.search.candidate import Candidate
from kansym.search.producer import Producer
from kansym.search.schedule import Step

Result = TypeVar("Result")

SEARCH_ROWS = 2000
"""Producers look at no more rows than this; constants of the front see all of them."""

MOST_CURVES = 10
"""Graphs with more spline curves are kept as smooth fits and not snapped: every curve costs seconds."""

FIRST_NATS, ROW_NATS = 60.0, 0.02
"""Nats, and nats for each row, by which a first fit may be worse than the shortest description so far."""

LARGEST = 60
"""Complexity up to which laws are of use, where nobody says otherwise."""


def formulas(candidate: Candidate, trial: Trial, tried: set[str]) -> Iterator[sympy.Expr]:
    """Yield a candidate's formulas that are not among those `tried`, and add them there.

    A graph becomes formulas by snapping its curves, where it has few and fits well.
    """
    yield from unique(_formulas(candidate, trial), tried)


def unique(found: Iterable[sympy.Expr], tried: set[str]) -> Iterator[sympy.Expr]:
    """Yield the formulas that are not among those `tried`, to three digits, and add them there."""
    for formula in found:
        if (text := expressions.text(formula, 3)) not in tried:
            tried.add(text)
            yield formula


def refined(
    formula: sympy.Expr, source: str, trial: Trial, shortest: float = math.inf, maxsize: int = LARGEST
) -> Iterator[Judged]:
    """Yield what a formula becomes, fitted, then with nice constants, if it may come near the `shortest`."""
    promising = shortest + ROW_NATS * len(trial.train.y) + FIRST_NATS
    yield from refine(formula, trial, source, promising, maxsize, shortest)


def recalled(archive: Archive, budget: Budget, memory: Memory) -> set[str]:
    """Judge again what gave laws before, in the same order; return what was tried so."""
    names, tried = archive.trial.dataset.names, set()
    budget.spend(memory.work)
    for text, source in memory.formulas:
        formula = parse_expression(text, names)
        tried.add(expressions.text(formula, 3))
        take_in(formula, source, archive, budget, Memory(), familiar=True)  # it gave laws before
    return tried


def take_in(
    formula: sympy.Expr,
    source: str,
    archive: Archive,
    budget: Budget,
    memory: Memory,
    stage: str = "going on",
    familiar: bool = False,
) -> None:
    """Put the laws that a formula gives into the archive; of `familiar` ones those far behind, too.

    They are few, and people look for them on the front: where rows are known to a ten-thousandth, the curve
    of a handbook that holds to a hundredth is far behind.
    """
    promised = False
    shortest = archive.shortest
    promising = math.inf if familiar else shortest + ROW_NATS * len(archive.trial.train.y) + FIRST_NATS
    for law in refine(formula, archive.trial, source, promising, archive.maxsize, shortest):
        promised = True
        if archive.add(law):
            budget.tell(stage, *best_of(archive))
    if promised:
        memory.record(expressions.text(formula, None), source)


def best_of(archive: Archive) -> tuple[float | None, str, Callable[[], Sequence[Point]]]:
    """Return the best formula's error as a share of the spread, its text, and what gives the front."""
    leader = archive.leader
    if leader is None:
        return None, "", archive.points
    share = math.sqrt(max(leader.heldout, 0) / archive.trial.power)
    return share, expressions.text(leader.expression, 4), archive.points


def laws(trial: Trial, producers: Sequence[Producer], budget: Budget, seed: int = 0) -> Iterator[Judged]:
    """Yield every law that producers find for a trial's rows, in their order, while the budget lasts."""
    rows = trial.dataset.subsample(SEARCH_ROWS, seed)
    looks = schedule.looks([Step(p.name, p, rows) for p in producers], budget, trial.library, seed)
    shortest = math.inf

    def refine_more(formula: sympy.Expr, source: str) -> Iterator[Judged]:
        """Yield the laws of a formula that may come near the shortest so far."""
        nonlocal shortest
        for law in refined(formula, source, trial, shortest):
            shortest = min(shortest, law.length)
            yield law

    yield from taken(looks, lambda c, tried: formulas(c, trial, tried), refine_more, budget)


def taken(
    looks: Iterable[tuple[Step, Iterable[Candidate]]],
    formulas: Callable[[Candidate, set[str]], Iterable[sympy.Expr]],
    refine: Callable[[sympy.Expr, str], Iterable[Result]],
    budget: Budget,
) -> Iterator[Result]:
    """Yield what is refined from every candidate's formulas, look after look, while the budget lasts."""
    tried: set[str] = set()
    for candidate in (c for _, candidates in looks for c in candidates):
        for formula in formulas(candidate, tried):
            yield from refine(formula, candidate.source)
        if budget.exhausted:
            return


def _formulas(candidate: Candidate, trial: Trial) -> Iterator[sympy.Expr]:
    """Yield a candidate's formula, or those that snapping its graph gives."""
    if candidate.expression is not None:
        yield candidate.expression
        return
    graph = candidate.graph
    if graph is not None and candidate.score < WORTH_SNAPPING and _curves(graph) <= MOST_CURVES:
        for snapped in snap(graph, trial.small, trial.library):
            yield expressions.from_graph(snapped.graph)[0]


def _curves(graph: Graph) -> int:
    return sum(isinstance(e.curve, Spline) for e in graph.edges())

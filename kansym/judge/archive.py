"""What a search has found so far: the best formula of each size, and the best smooth fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from kansym.base.budget import Point
from kansym.formula import expression as expressions
from kansym.formula.grammar import structure
from kansym.functions.evaluate import evaluate
from kansym.functions.graph import Graph
from kansym.judge.scorer import Judged, exact
from kansym.judge.trial import Trial

LOOK_ON = 150.0
"""Units of work (`budget`; about two seconds) for which few rows are searched for a plainer exact formula."""

LONGEST_HISTORY = 200
"""Refused formulas beyond this many are not written down; better ones always are."""


@dataclass(frozen=True, eq=False)
class Smooth:
    """Hold a fit that is no formula: a graph with spline curves, and how well it holds."""

    graph: Graph
    loss: float
    heldout: float
    source: str


@dataclass
class Archive:
    """Collect judged formulas; keep for each complexity the shortest description and the least loss.

    A person's `guesses` are kept beside, whatever they are worth.
    """

    trial: Trial
    maxsize: int
    best: dict[int, Judged] = field(default_factory=dict)
    closest: dict[int, Judged] = field(default_factory=dict)
    guesses: list[Judged] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    others: list[Judged] = field(default_factory=list)
    smooth: Smooth | None = None
    exact_since: float | None = None

    def add_graph(self, graph: Graph, source: str) -> None:
        """Keep a graph with spline curves as the accurate end, if it holds better than the last one."""
        rows = self.trial.heldout
        if rows is None or graph.is_symbolic:
            return
        heldout = rows.loss(evaluate(graph, rows.X)[:, 0])
        if math.isfinite(heldout) and (self.smooth is None or heldout < self.smooth.heldout):
            train = self.trial.train
            loss = train.loss(evaluate(graph, train.X)[:, 0])
            self.smooth = Smooth(graph, loss, heldout, source)

    def add(self, law: Judged) -> bool:
        """Add a formula; tell whether it is the shortest description so far."""
        if not math.isfinite(law.loss):
            return False
        if law.complexity > self.maxsize:
            return False
        lead = self.leader
        if law.fault:
            if lead is not None and law.loss < lead.loss and len(self.history) < LONGEST_HISTORY:
                self._note("refused", law, f"alias: {law.fault}")
            return False
        near = self.closest.get(law.complexity)
        if near is None or (law.loss, law.length) < (near.loss, near.length):
            self.closest[law.complexity] = law
        shortest = lead is None or law.length < lead.length
        rival = self.best.get(law.complexity)
        if rival is None or (law.length, law.loss) < (rival.length, rival.loss):
            self.best[law.complexity] = law
            if rival is not None:
                self.others.append(rival)
        else:
            self.others.append(law)
        if shortest:
            self._note("better law", law)
        elif lead is not None and len(self.history) < LONGEST_HISTORY:
            reason = self._refusal(law, lead)
            if reason:
                self._note("refused", law, reason)
        return shortest

    def _refusal(self, law: Judged, lead: Judged) -> str:
        """Return why a formula does not lead; nothing for the leader come back, which is no news."""
        more, ours = law.length - lead.length, expressions.text(lead.expression, 4)
        if expressions.text(law.expression, 4) == ours:
            return ""
        return f"describes the data in {more:.3g} nats more than {ours}"

    def _note(self, event: str, law: Judged, reason: str = "") -> None:
        """Write a step down: what happened to which formula, and why."""
        step = {
            "event": event,
            "source": law.source,
            "equation": expressions.text(law.expression, 5),
            "complexity": law.complexity,
            "heldout_share": law.heldout / self.trial.power if math.isfinite(law.heldout) else None,
        }
        self.history.append({**step, "reason": reason} if reason else step)

    def settled(self, spent: float) -> bool:
        """Tell whether the leader is exact, and on few rows has been so for LOOK_ON units of work.

        Of few rows there are several exact formulas, and the first is not always the plainest.
        """
        lead = self.leader
        if lead is None or not exact(lead, self.trial):
            return False
        if self.exact_since is None:
            self.exact_since = spent
        return not self.trial.tiny or spent >= self.exact_since + LOOK_ON

    @property
    def candidates(self) -> list[Judged]:
        """Return what may stand on the front, each formula once."""
        kept = {id(law): law for law in (*self.best.values(), *self.closest.values())}
        return list(kept.values())

    def points(self) -> tuple[Point, ...]:
        """Return the formulas that nothing simpler beats on rows left out; another thread may ask."""
        found: list[Point] = []
        for law in sorted(self.best.values(), key=lambda law: law.complexity):
            share = math.sqrt(max(law.heldout, 0.0) / self.trial.power)
            if math.isfinite(share) and (not found or share < found[-1].error):
                found.append(Point(law.complexity, share, expressions.text(law.expression, None)))
        return tuple(found)

    @property
    def shortest(self) -> float:
        """Return the least description length so far."""
        return min((law.length for law in self.best.values()), default=math.inf)

    @property
    def form(self) -> str | None:
        """Return the leader's form without its constants' values; None without a leader."""
        lead = self.leader
        return None if lead is None else structure(lead.unrounded.expression)

    @property
    def leader(self) -> Judged | None:
        """Return the formula of least description length."""
        return min(self.best.values(), key=lambda law: law.length, default=None)

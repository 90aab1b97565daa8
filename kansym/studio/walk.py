"""A network steered by hand: `kansym.Session`, which edge is in the hand, and what may be done with it.

Nothing of a network is known here that the session does not know; this remembers what is looked at, and how
well each function fits the edge in the hand.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sympy

from kansym.base import storage
from kansym.base.errors import InputError, UnknownNameError
from kansym.data.dataset import Dataset
from kansym.estimators.session import KAN, Session
from kansym.functions.graph import Edge, Graph, Symbolic
from kansym.functions.library import get
from kansym.functions.matching import Match
from kansym.network.training.layers import OFF, SYMBOLIC
from kansym.network.training.tensors import edge_values
from kansym.report.layout import Drawn, layout, short
from kansym.report.svg import picture
from kansym.search.network import shapes

ROWS = 2000
"""Rows that a network is trained on by hand: a step takes tens of milliseconds."""

POINTS = 60
"""Points of a curve in the picture."""

TOP = 6
"""Functions that are offered for an edge."""

WORST = 0.05
"""Share of an edge's spread that its best function may leave for the automatic walk to take it."""

TRIAL_STEPS = 40
"""Steps of Levenberg-Marquardt that tell shapes apart: a second for the largest."""

AS_GOOD, ENOUGH = 1.5, 1e-2
"""Factor of the least error, and share of the spread, within which a simpler shape is as good: of
exp(sin(pi*x) + y^2) [2, 1, 1] leaves 0.006 on so coarse a grid and [2, 5, 1] 0.0007; of x*y [2, 1] leaves
0.2, with noise of 5 % the right shapes 0.045 to 0.055."""

LOOKING = ("prune", "fix_symbolic", "unfix")
"""Buttons that look at rows."""

Place = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Curve:
    """Hold one edge as it is drawn: its place (layer, input, node), what it is, and how much it matters."""

    place: Place
    kind: str
    function: str
    importance: float
    x: np.ndarray
    y: np.ndarray


class Walk:
    """Hold a session with its rows, the edge in the hand and the functions that fit it."""

    def __init__(self, session: Session, target: str = "y") -> None:
        self.session = session
        self.target = target
        self.place: Place | None = None
        self.matches: list[Match] = []
        self.told: list[str] = []
        self.next_name = ""

    @staticmethod
    def begin(data: Dataset, hidden: Sequence[int], seed: int = 0, grid: int = 5) -> Walk:
        """Return a walk that starts with an untrained network of these hidden widths."""
        if not all(1 <= width <= 50 for width in hidden):
            raise InputError(f"Hidden widths {list(hidden)} are not between 1 and 50; 5 is usual.")
        rows = data.subsample(ROWS, seed)
        shape = [len(data.names), *hidden, 1]
        network = KAN(shape, grid=grid, seed=seed, names=data.names, outputs=[data.target])
        scale = np.ptp(rows.X, axis=0)
        if np.any(scale > 100) or np.any(scale < 0.01) or np.ptp(rows.y) > 100:
            network = network.scaled_to(rows.X, rows.y)
        return Walk(Session(network, rows.X, rows.y), data.target)

    @staticmethod
    def chosen(data: Dataset, seed: int = 0, grid: int = 5) -> Walk:
        """Return a walk whose shape is the simplest that does about as well as any on rows held out.

        The shapes are those that a search trains; each has TRIAL_STEPS, and `told` says how it did.
        """
        rows = data.subsample(ROWS, seed)
        train, held = rows.parted(seed)
        look = held or train
        tried = []
        for shape in shapes(len(data.names)):
            walk = Walk.begin(train, shape[1:-1], seed, grid)
            walk.press("fit", steps=TRIAL_STEPS)
            left = walk.model.predict(look.X) - look.y
            tried.append((float(np.sqrt(np.mean(left**2)) / (np.std(look.y) or 1.0)), shape))
        best = min(left for left, _ in tried if np.isfinite(left))
        taken = next(shape for left, shape in tried if left <= AS_GOOD * best + ENOUGH)
        walk = Walk.begin(data, taken[1:-1], seed, grid)
        walk.told = [
            f"Shape {shape} leaves {left:.2g} of the spread on held-out rows"
            f"{': taken, the simplest of the good ones' if shape == taken else ''}."
            for left, shape in tried
        ]
        return walk

    @property
    def model(self) -> KAN:
        """Return the network of the current state."""
        return self.session.model

    @property
    def error(self) -> float:
        """Return the RMS error of the current state as a share of the target's spread."""
        left = self.model.predict(self.session.X) - self.session.y
        return float(np.sqrt(np.mean(left**2)) / (np.std(self.session.y) or 1.0))

    def press(self, button: str, *args: Any, name: str | None = None, **options: Any) -> None:
        """Press a button of the session; the edge in the hand is let go where it is gone."""
        if button in LOOKING:  # an untrained network has seen no rows yet
            options = {"X": self.session.X, **options}
        self.session.do(button, *args, name=name or self.next_name or None, **options)
        self.next_name = ""
        self._settle()

    def undo(self) -> None:
        """Go back one step."""
        self.session.undo()
        self._settle()

    def redo(self) -> None:
        """Take back the last undo."""
        self.session.redo()
        self._settle()

    def go(self, name: str) -> None:
        """Go to a named state; the next step branches off there."""
        self.session.go(name)
        self._settle()

    def take(self, place: Place | None) -> None:
        """Take an edge in the hand, and rank the functions for it; None lets it go."""
        if place is not None and place not in {c.place for c in self.curves()}:
            raise UnknownNameError("edge", str(place), (str(c.place) for c in self.curves()))
        self.place = place
        self.matches = [] if place is None else self.model.suggest_symbolic(*place, top=TOP, X=self.session.X)

    def snap(self, function: str) -> None:
        """Put a function on the edge in the hand, fitted."""
        self.press("fix_symbolic", *self._held(), function)

    def free(self) -> None:
        """Put a trainable spline on the edge in the hand."""
        self.press("unfix", *self._held())

    def cut(self) -> None:
        """Take the edge in the hand away."""
        self.press("remove_edge", *self._held())

    def lock(self, locked: bool) -> None:
        """Lock the edge in the hand against training, or free it."""
        self.press("lock", *self._held(), locked)

    @property
    def locked(self) -> bool:
        """Tell whether the edge in the hand is locked."""
        l, i, j = self._held()
        return bool(self.model.layers[l].locked[j, i])

    def next_snap(self) -> str:
        """Snap the spline that a function fits best, and say what was done and why others were not.

        A function is taken where it leaves less than WORST of the curve's spread.
        """
        waiting = [c for c in self.curves() if c.kind == "spline"]
        if not waiting:
            raise InputError("Every edge has a function; train the constants, or take the formula.")
        ranked = [(c, self.model.suggest_symbolic(*c.place, top=1, X=self.session.X)) for c in waiting]
        fits = [(m[0].relative_rmse, c, m[0]) for c, m in ranked if m]
        told = [
            f"{_named(c.place)}: {m.function.name} leaves {left:.1%} of the curve, more than {WORST:.0%}"
            for left, c, m in fits
            if left > WORST
        ]
        fits = [fit for fit in fits if fit[0] <= WORST]
        if not fits:
            self.told = told
            raise InputError("No function fits a curve well enough; train on, prune, or choose one yourself.")
        left, curve, match = min(fits, key=lambda fit: (fit[2].function.complexity > 2, fit[0]))
        self.press("fix_symbolic", *curve.place, match.function.name)
        said = f"{_named(curve.place)}: {match.function.name}, which leaves {left:.2e} of the curve"
        self.told = [said, *told]
        return said

    def formula(self, digits: int = 6) -> sympy.Expr | None:
        """Return the network as a formula; None while a curve is still a spline."""
        if not self.model.to_graph().is_symbolic:
            return None
        found = self.model.symbolic_formula(digits)
        return found if isinstance(found, sympy.Expr) else found[0]

    def curves(self) -> list[Curve]:
        """Return every edge that is there, its curve over the rows that enter it."""
        model = self.model
        activity = model.activity(self.session.X)
        found = []
        for l, layer in enumerate(model.layers):
            values = edge_values(layer.member(0), activity.nodes[l])
            largest = float(activity.spread[l].max()) or 1.0
            for j, i in np.argwhere(layer.state[0] != OFF).tolist():
                symbolic = layer.state[0, j, i] == SYMBOLIC
                x, y = activity.nodes[l][:, i], values[:, j, i]
                order = np.argsort(x)[:: max(1, len(x) // POINTS)]
                found.append(
                    Curve(
                        (l, i, j),
                        "symbolic" if symbolic else "spline",
                        layer.symbolic[j, i].function.name if symbolic else "",
                        float(activity.spread[l][j, i]) / largest,
                        x[order],
                        y[order],
                    )
                )
        return found

    def fitted(self, match: Match) -> np.ndarray:
        """Return a ranked function's values along the edge in the hand."""
        curve = next(c for c in self.curves() if c.place == self.place)
        return np.asarray(match(curve.x))

    def picture(self) -> str:
        """Return the network as one SVG element with edges to click, drawn as the report draws them."""
        model = self.model
        names = [[f"{l}.{k}" for k in range(width)] for l, width in enumerate(model.shape)]
        kinds = {
            n: "sum" if layer.groups[k] == 1 else "product"
            for l, layer in enumerate(model.layers)
            for k, n in enumerate(names[l + 1])
        }
        curves = self.curves()
        line = Symbolic(get("x"))
        ends = {c.place: (names[c.place[0]][c.place[1]], names[c.place[0] + 1][self._node(c.place)])
                for c in curves}  # fmt: skip
        edges = [Edge(*ends[c.place], c.place[2], line) for c in curves]
        written = {n: short(model.names[k], 24) for k, n in enumerate(names[0])}
        plan = layout(Graph.build(names[0], names[-1], kinds, edges), written)
        shown = [
            Drawn(
                plan.nodes[source], plan.nodes[target], plan.edges[edge.id], c.x, c.y,
                math.tanh(3 * c.importance), c.function, "-".join(map(str, c.place)), c.place == self.place,
            )
            for c, edge, (source, target) in zip(curves, edges, ends.values(), strict=True)
        ]  # fmt: skip
        texts = {n: "×" if kinds.get(n) == "product" else "+" for n in plan.nodes}
        texts |= {n: word for n, word in written.items() if n in plan.nodes}
        title = f"Network {model.shape}, an edge is a curve that can be clicked"
        return picture(plan, shown, texts, title, dict(zip(names[-1], model.outputs, strict=True)))

    def _node(self, place: Place) -> int:
        """Return the node that an edge's sum belongs to."""
        starts = self.model.layers[place[0]].starts
        return int(np.searchsorted(starts, place[2], side="right")) - 1

    def compared(self) -> list[dict[str, Any]]:
        """Return one row a state: name, parent, step, shape, parameters, error, also as a share."""
        spread = float(np.std(self.session.y)) or 1.0
        return [{**row, "share": row["rmse"] / spread} for row in self.session.compare().to_dict("records")]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that opens again: what the session saves."""
        with tempfile.TemporaryDirectory() as place:
            path = self.session.save(Path(place) / "walk.json")
            return {"session": json.loads(path.read_text(encoding="utf-8")), "target": self.target}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Walk:
        """Return what :meth:`to_dict` described; raises FormatError for anything else."""
        with tempfile.TemporaryDirectory() as place:
            path = storage.write_json(Path(place) / "walk.json", data["session"])
            return Walk(Session.load(path), str(data["target"]))

    def _held(self) -> Place:
        """Return the edge in the hand; raises InputError without one."""
        if self.place is None:
            raise InputError("No edge is in the hand; click one in the picture first.")
        return self.place

    def _settle(self) -> None:
        """Keep the edge in the hand where it is still there."""
        there = {c.place for c in self.curves()}
        self.take(self.place if self.place in there else None)


def _named(place: Place) -> str:
    """Return what an edge is called."""
    l, i, j = place
    return f"layer {l + 1}, {i} -> {j}"

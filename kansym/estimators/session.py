"""A person's walk: a network with every button of the paper's appendix A, and a tree of named states.

Nothing here changes a state; a button gives a new one, a session remembers which came from which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import sympy

from kansym.base import storage
from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.formula import expression
from kansym.formula.polish import Rows
from kansym.formula.snapping import Settings, exchange, snap
from kansym.functions.graph import Graph, Symbolic
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression, symbols
from kansym.network import kan as network
from kansym.network.rows import array
from kansym.report import plotting

FORMAT = "kansym-session-1"


class KAN(network.KAN):
    """Add to the trainable network what leads to a formula: compile, snap, print, draw."""

    @classmethod
    def from_formula(cls, formula: sympy.Expr | str, inputs: Sequence[str], grid: int = 5) -> Self:
        """Return the network that computes a formula of these inputs; its constants can be trained.

        Raises InputError or UnknownNameError for what the allow-list parser refuses.
        """
        tree = parse_expression(formula, inputs) if isinstance(formula, str) else formula
        return cls.from_graph(expression.to_graph(tree, inputs), grid)

    def auto_symbolic(
        self,
        X: Any,
        y: Any,
        library: str | Path | Library | Sequence[str] = "default",
        settings: Settings | None = None,
        tolerance: float = 1.5,
    ) -> Self:
        """Return the network with its curves replaced by library functions, one at a time with refit.

        Straight lines and squares are tried first, then the library's plain functions, then all of it.
        A fifth of the rows judge: where the symbolic network is worse on them than this one by more than a
        factor `tolerance` in RMS error, this one is returned unchanged. `library` may be a list of names.
        """
        if len(self.outputs) != 1:
            raise InputError(
                f"auto_symbolic reads one output, not {len(self.outputs)}; train one network for each."
            )
        rows, target = array(X, "X"), array(y, "y").ravel()
        shelf = _shelf(library)
        order = np.random.default_rng(self.seed).permutation(len(rows))
        held, train = order[: len(rows) // 5], order[len(rows) // 5 :]
        given = Rows(rows[train], target[train], None, symbols(self.names))
        judge = Rows(rows[held], target[held], None, symbols(self.names))
        graph = self.as_splines().to_graph()
        for part in _rungs(shelf):
            found = snap(graph, given, part, settings)
            if not found:
                continue
            state = exchange(found[0], given, part, settings)
            new = self.from_graph(state.graph)
            new.names, new.outputs, new.seed = self.names, self.outputs, self.seed
            new._sample = new._rows(rows)
            if judge.loss(new.predict(rows[held])) <= max(
                tolerance**2 * judge.loss(self.predict(rows[held])), judge.floor
            ):
                return new
        return self.copy()

    def symbolic_formula(self, digits: int | None = None) -> sympy.Expr | tuple[sympy.Expr, ...]:
        """Return each output as a SymPy expression of the inputs, scaling undone; a single one bare.

        Constants are rounded to `digits` where given, and shifts below 10^-digits dropped. Raises InputError
        while a curve is still a spline.
        """
        graph = self.to_graph()
        if not graph.is_symbolic:
            waiting = [
                f"{e.source} -> {e.target}" for e in graph.edges() if not isinstance(e.curve, Symbolic)
            ]
            raise InputError(
                f"{len(waiting)} edges are still splines ({', '.join(waiting[:3])}); "
                "fix_symbolic or auto_symbolic first."
            )
        if digits is not None:
            graph = _tidy(graph, 10.0**-digits)
        found = expression.from_graph(graph)
        if digits is not None:
            found = tuple(expression.rounded(_without_dust(e, 10.0**-digits), digits) for e in found)
        return found[0] if len(found) == 1 else found

    def plot(self, X: Any = None) -> Any:
        """Return a figure of the network with its curves; on rows X, edges that matter less are fainter."""
        return plotting.network(self.as_splines().to_graph(), None if X is None else array(X, "X"))


def _tidy(graph: Graph, small: float) -> Graph:
    """Return the graph with shifts b, d and biases below `small` set to 0."""
    curves = {
        e.id: replace(
            e.curve,
            b=e.curve.b if abs(e.curve.b) >= small else 0.0,
            d=e.curve.d if abs(e.curve.d) >= small else 0.0,
        )
        for e in graph.edges()
        if isinstance(e.curve, Symbolic)
    }
    tidy = graph.with_curves(curves)
    nodes = {n: tidy.kind(n) for n in tidy.order() if tidy.kind(n) != "input"}
    bias = {n: tidy.bias(n) if abs(tidy.bias(n)) >= small else 0.0 for n in nodes}
    return Graph.build(tidy.inputs, tidy.outputs, nodes, tidy.edges(), bias)


def _without_dust(e: sympy.Expr, small: float) -> sympy.Expr:
    """Return the expression without additive constants below `small`."""

    def clean(total: sympy.Expr) -> sympy.Expr:
        return sympy.Add(*(a for a in total.args if not (a.is_Number and abs(a) < small)))

    return e.replace(lambda t: t.is_Add, clean)


def _shelf(library: str | Path | Library | Sequence[str]) -> Library:
    """Return the library that is meant by a name, a file, or names of functions."""
    if isinstance(library, Library):
        return library
    if isinstance(library, str | Path):
        return Library.load(library)
    return Library.load("default").only(library)


def _rungs(library: Library) -> Iterator[Library]:
    """Yield lines and squares, the plain functions (complexity up to 2), and the whole library."""
    square = [n for n in ("x", "x^2") if n in library]
    plain = [f.name for f in library.values() if f.complexity <= 2]
    sizes = {len(library)}
    for names in (square, plain):
        if len(names) not in sizes and names:
            sizes.add(len(names))
            yield library.only(names)
    yield library


@dataclass(frozen=True)
class State:
    """Name one state of a walk: the network, where it came from and by what."""

    name: str
    network: KAN
    parent: str | None
    step: str


class Session:
    """Keep a tree of states. `session.do("prune")` presses a button on the current one and goes there.

    >>> walk = Session(KAN([2, 1, 1], seed=0))
    >>> _ = walk.do("refine", 10, name="fine")
    >>> walk.name, walk.undo().name
    ('fine', 'start')
    """

    def __init__(self, start: KAN, X: Any = None, y: Any = None) -> None:
        self.states: dict[str, State] = {"start": State("start", start, None, "")}
        self.name = "start"
        self._undone: list[str] = []
        self.X, self.y = X, y

    @property
    def model(self) -> KAN:
        """Return the network of the current state."""
        return self.states[self.name].network

    def do(self, button: str, *args: Any, name: str | None = None, **options: Any) -> Session:
        """Press a button of the network (any method that returns a network, or fit) and go to the new state.

        `fit` and `auto_symbolic` take the session's rows where none are given.
        """
        method = getattr(self.model, button, None) if not button.startswith("_") else None
        if not callable(method):
            raise UnknownNameError("button", button, [n for n in dir(KAN) if not n.startswith("_")])
        if button in ("fit", "auto_symbolic") and not args:
            if self.X is None:
                raise InputError(f"This session has no rows; press {button} with X and y.")
            args = (self.X, self.y)
        new = getattr(self.model.copy(), button)(*args, **options)
        if not isinstance(new, KAN):
            raise InputError(f"{button} answers a question and makes no state; ask session.model.{button}.")
        shown = [repr(a) for a in args if isinstance(a, int | float | str)]
        shown += [f"{k}={v!r}" for k, v in options.items() if isinstance(v, int | float | str)]
        return self.add(new, name, f"{button}({', '.join(shown)})")

    def add(self, model: KAN, name: str | None = None, step: str = "") -> Session:
        """Add a state below the current one and go there; raises InputError for a name in use."""
        name = name or self._free(step.split("(")[0] or "state")
        if name in self.states:
            raise InputError(f"A state is named {name!r} already; choose another name.")
        self.states[name] = State(name, model, self.name, step)
        self.name, self._undone = name, []
        return self

    def go(self, name: str) -> Session:
        """Go to a named state; the next step branches off there."""
        if name not in self.states:
            raise UnknownNameError("state", name, self.states)
        self.name, self._undone = name, []
        return self

    def undo(self) -> Session:
        """Go back to the state that the current one came from; nothing is lost."""
        parent = self.states[self.name].parent
        if parent is None:
            raise InputError("This is the first state; there is nothing to undo.")
        self._undone.append(self.name)
        self.name = parent
        return self

    def redo(self) -> Session:
        """Take back the last undo."""
        if not self._undone:
            raise InputError("Nothing was undone; there is nothing to redo.")
        self.name = self._undone.pop()
        return self

    @property
    def can_redo(self) -> bool:
        """Tell whether something was undone that can be done again."""
        return bool(self._undone)

    def path(self) -> list[str]:
        """Return the names from the first state to the current one."""
        names: list[str] = []
        at: str | None = self.name
        while at is not None:
            names.append(at)
            at = self.states[at].parent
        return names[::-1]

    def compare(self, X: Any = None, y: Any = None) -> pd.DataFrame:
        """Return one row a state: parent, step, shape, parameters, RMS error on X, y (default: its own)."""
        X, y = (self.X, self.y) if X is None else (X, y)
        rows = []
        for s in self.states.values():
            row: dict[str, Any] = {"name": s.name, "parent": s.parent or "", "step": s.step}
            row |= {"shape": str(s.network.shape), "parameters": s.network.parameters}
            if X is not None:
                row["rmse"] = float(np.sqrt(np.mean((s.network.predict(X) - np.asarray(y)) ** 2)))
            rows.append(row)
        return pd.DataFrame(rows)

    def save(self, path: str | Path) -> Path:
        """Write all states, and the session's rows, to one JSON file."""
        data = {
            "format": FORMAT,
            "current": self.name,
            "states": [
                {"name": s.name, "parent": s.parent, "step": s.step, "network": s.network.to_dict()}
                for s in self.states.values()
            ],
            "X": None if self.X is None else np.asarray(self.X, float).tolist(),
            "y": None if self.y is None else np.asarray(self.y, float).tolist(),
        }
        return storage.write_json(path, data)

    @staticmethod
    def load(path: str | Path) -> Session:
        """Return the session that :meth:`save` wrote; raises FormatError for another file."""
        data = storage.read_json(path)
        if data.get("format") != FORMAT:
            raise FormatError(f"{path} has format {data.get('format')!r}; this version reads {FORMAT}.")
        try:
            rows = [None if data[k] is None else np.array(data[k]) for k in ("X", "y")]
            states = [
                State(s["name"], KAN.from_dict(s["network"]), s["parent"], s["step"]) for s in data["states"]
            ]
            session = Session(states[0].network, *rows)
            session.states = {s.name: s for s in states}
            session.name = data["current"]
        except (KeyError, IndexError, TypeError) as problem:
            raise FormatError(f"{path} lacks or garbles {problem}; save the session again.") from None
        for s in session.states.values():
            if rows[0] is not None and s.network._sample is None:
                s.network._sample = (
                    s.network._rows(rows[0]) if rows[0].shape[1] == s.network.shape[0] else None
                )
        return session

    def _free(self, name: str) -> str:
        """Return a name that no state has."""
        number = 2
        first = name
        while name in self.states:
            name, number = f"{first} {number}", number + 1
        return name

    def __repr__(self) -> str:
        return f"Session({' > '.join(self.path())}; {len(self.states)} states)"

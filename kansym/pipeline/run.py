"""The frozen result of a run: what was asked, what was found, how it came about; JSON in and out."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

import kansym
from kansym.base import storage
from kansym.base.errors import FormatError, InputError
from kansym.formula import expression as expressions
from kansym.formula.polish import Constant
from kansym.formula.program import Program
from kansym.functions.evaluate import evaluate
from kansym.functions.graph import Graph
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.band import Band
from kansym.judge.kinds import NoiseModel
from kansym.judge.outliers import Outlier
from kansym.judge.pareto import Row
from kansym.judge.verdict import UNSAID, Verdict

LITTLE_MORE = 1.2
"""Times the chosen law's error on rows held out up to which a law of half its length is worth a word."""

MOST_LEVELS = 8
"""Levels of a category for which a law is written out, a line each."""

FORMAT = 1
"""Version of the JSON layout; raised when a reader of the old one would misread the new."""


@dataclass(frozen=True)
class ConstantReport:
    """Report one constant of a law: its value before rounding, standard error, and exact form if any."""

    name: str
    value: float
    stderr: float
    rounded: str | None = None

    @staticmethod
    def of(constant: Constant) -> ConstantReport:
        """Return the report of a constant as it was fitted."""
        exact = None if constant.exact is None else str(constant.exact)
        return ConstantReport(constant.name, constant.value, constant.stderr, exact)


@dataclass(frozen=True, eq=False)
class Law:
    """Hold one row of the front.

    `expression` has one real symbol per column and exact numbers where constants were recognised;
    `unrounded` keeps them as fitted. A law that is not symbolic has no expression but a graph with spline
    curves. `band` says where new rows lie about it. Losses are mean (weighted) squared errors; `length` is
    the description length in nats. A law that is a curve of a known family has the family's name, its form in
    customary constants, and these in `constants`.
    """

    equation: str
    complexity: int
    loss: float
    heldout_loss: float
    score: float
    length: float
    expression: sympy.Expr | None = None
    unrounded: sympy.Expr | None = None
    constants: tuple[ConstantReport, ...] = ()
    exact: bool = False
    graph: Graph | None = None
    source: str = ""
    note: str = ""
    family: str = ""
    form: str = ""
    band: Band | None = None

    @property
    def symbolic(self) -> bool:
        """Tell whether the law is a formula."""
        return self.expression is not None

    @property
    def latex(self) -> str:
        """Return the formula in LaTeX."""
        return r"\text{not symbolic}" if self.expression is None else expressions.latex(self.expression)

    @property
    def row(self) -> Row:
        """Return what a selection rule asks of the law."""
        return Row(self.loss, self.complexity, self.length, self.heldout_loss, len(self.constants))

    def __repr__(self) -> str:
        """Return the formula with its size and losses on one line."""
        figures = f"complexity={self.complexity}, loss={self.loss:.3g}, heldout_loss={self.heldout_loss:.3g}"
        return f"Law({self.equation!r}, {figures})"

    def _repr_latex_(self) -> str:
        return f"${self.latex}$"

    def as_graph(self, names: Sequence[str]) -> Graph | None:
        """Return the law as a computation graph of these columns; None where it has no such form."""
        if self.graph is not None or self.expression is None:
            return self.graph
        try:
            return expressions.to_graph(self.expression, names)
        except InputError:
            return None

    def predict(self, X: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Return the law's values (n,) on rows X (n, columns); NaN where it is undefined."""
        if self.expression is not None:
            return Program.compile(self.expression, symbols(names)).value(X)
        assert self.graph is not None
        return evaluate(self.graph, X)[:, 0]

    def predict_band(
        self, X: np.ndarray, names: Sequence[str], level: float = 0.95
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends (n,) and (n,) between which new rows at X lie, at this level; NaN where it is not
        known.

        Residuals and the errors of the constants as fitted; the choice of the formula is taken as right.
        """
        values = self.predict(X, names)
        if self.band is None:
            return np.full(len(values), np.nan), np.full(len(values), np.nan)
        formula = self.expression if self.unrounded is None else self.unrounded
        half = self.band.halfwidth(formula, symbols(names), X, values, level)
        return self.band.about(values, half)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write."""
        return {
            "equation": self.equation,
            "sympy": None if self.expression is None else expressions.text(self.expression, None),
            "unrounded": None if self.unrounded is None else expressions.text(self.unrounded, None),
            "latex": self.latex,
            "complexity": self.complexity,
            "loss": _finite(self.loss),
            "heldout_loss": _finite(self.heldout_loss),
            "score": _finite(self.score),
            "length": _finite(self.length),
            "constants": [
                {"name": c.name, "value": c.value, "stderr": _finite(c.stderr), "rounded": c.rounded}
                for c in self.constants
            ],
            "exact": self.exact,
            "symbolic": self.symbolic,
            "graph": None if self.graph is None or self.symbolic else self.graph.to_dict(),
            "source": self.source,
            "note": self.note,
            "family": self.family,
            "form": self.form,
            "band": None if self.band is None else self.band.to_dict(),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any], names: Sequence[str]) -> Law:
        """Return the law that :meth:`to_dict` described."""
        read = lambda key: None if data[key] is None else parse_expression(data[key], names)  # noqa: E731
        loss, heldout, score, length = (float(data[k]) for k in ("loss", "heldout_loss", "score", "length"))
        return Law(
            equation=str(data["equation"]),
            complexity=int(data["complexity"]),
            loss=loss,
            heldout_loss=heldout,
            score=score,
            length=length,
            expression=read("sympy"),
            unrounded=read("unrounded"),
            constants=tuple(
                ConstantReport(c["name"], float(c["value"]), float(c["stderr"]), c["rounded"])
                for c in data["constants"]
            ),
            exact=bool(data["exact"]),
            graph=None if data["graph"] is None else Graph.from_dict(data["graph"]),
            source=str(data["source"]),
            note=str(data["note"]),
            family=str(data.get("family", "")),
            form=str(data.get("form", "")),
            band=Band.from_dict(data["band"]) if data.get("band") else None,
        )


@dataclass(frozen=True, eq=False)
class Run:
    """Hold everything a run found; `chosen` is the index of the chosen row in `front`.

    `data`: rows, names, target, hash, ranges, notes. `options`: as asked, the seed included. `noise`: the
    estimated standard deviation of the target's noise, `noise_model` its kind and evidence. `rivals`: laws
    of nearly the chosen one's description length that disagree with it outside the data. `verdict`: a law,
    structure without a law, or nothing but noise. `outliers`: rows that were left out.
    """

    front: tuple[Law, ...]
    chosen: int
    data: dict[str, Any]
    options: dict[str, Any]
    noise: float
    stop_reason: str
    seconds: float
    version: str = kansym.__version__
    history: tuple[dict[str, Any], ...] = ()
    rivals: tuple[Law, ...] = ()
    trust: str = ""
    graphs: dict[str, Graph] = field(default_factory=dict)
    verdict: Verdict = UNSAID
    noise_model: NoiseModel | None = None
    outliers: tuple[Outlier, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the input columns' names, in the order predict expects."""
        return tuple(self.data["names"])

    @property
    def best(self) -> Law:
        """Return the chosen law."""
        return self.front[self.chosen]

    @property
    def shorter(self) -> Law | None:
        """Return the closest law of at most half the chosen one's length that errs little more, or None.

        Of thousands of rows a description length takes every trace of a further term; a person may not.
        None, too, where it is a rival and named as such.
        """
        half = [law for law in self.front if 2 * law.complexity <= self.best.complexity]
        least, most = self.best.heldout_loss, LITTLE_MORE**2 * self.best.heldout_loss
        near = [law for law in half if 0 < least <= law.heldout_loss <= most]
        closest = min(near, key=lambda law: law.heldout_loss, default=None)
        rivals = {rival.equation for rival in self.rivals}
        return None if closest is None or closest.equation in rivals else closest

    @property
    def by_level(self) -> dict[str, str]:
        """Return the chosen law in each level of its category; nothing where there are several."""
        law, made = self.best.expression, self.data.get("made", {})
        if law is None:
            return {}
        made = {n: how for n, how in made.items() if how["kind"] == "level"}
        used = {s.name for s in law.free_symbols} & set(made)
        levels = [n for n in made if made[n]["column"] in {made[u]["column"] for u in used}]
        if len({made[n]["column"] for n in levels}) != 1 or len(levels) > MOST_LEVELS:
            return {}
        marks = {s: s.name for s in law.free_symbols if s.name in levels}
        each = {n: {mark: int(name == n) for mark, name in marks.items()} for n in levels}
        return {
            f"{made[n]['column']} {made[n]['detail']}": expressions.text(law.xreplace(values))
            for n, values in each.items()
        }

    @property
    def graph(self) -> Graph | None:
        """Return the chosen law as a computation graph; None where it has no such form."""
        return self.best.as_graph(self.names)

    def predict(self, X: Any, index: int | None = None) -> np.ndarray:
        """Return a law's values (n,) on rows X (n, columns), the chosen law's by default."""
        return self.front[self.chosen if index is None else index].predict(self._rows(X), self.names)

    def predict_band(
        self, X: Any, index: int | None = None, level: float = 0.95
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends (n,) and (n,) of a law's prediction band on rows X, the chosen law's by default."""
        X = self._rows(X)
        return self.front[self.chosen if index is None else index].predict_band(X, self.names, level)

    def _rows(self, X: Any) -> np.ndarray:
        """Return X as rows (n, columns); raises InputError for another shape."""
        X = np.asarray(X, float)
        if X.ndim != 2 or X.shape[1] != len(self.names):
            raise InputError(f"X has shape {X.shape}; the law takes {len(self.names)} columns: {self.names}.")
        return X

    def __repr__(self) -> str:
        """Return what was looked at, the chosen law, and how many there are."""
        law, source = f"{self.data['target']} = {self.best.equation}", self.data["source"]
        return f"Run({source}, {self.data['rows']} rows: {law}; row {self.chosen} of {len(self.front)})"

    def _repr_latex_(self) -> str:
        target = sympy.Symbol(str(self.data["target"]), real=True)
        return f"${expressions.latex(target)} = {self.best.latex}$"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the chosen law and the front as a table, every text escaped."""
        target = html.escape(str(self.data["target"]))
        head = "".join(f"<th>{word}</th>" for word in ("", "complexity", "loss", "held-out", "score"))
        lines = []
        for i, law in enumerate(self.front):
            cells = (str(law.complexity), *(f"{v:.3g}" for v in (law.loss, law.heldout_loss, law.score)))
            row = "".join(f"<td>{cell}</td>" for cell in ("▶" if i == self.chosen else "", *cells))
            row += f'<td style="text-align:left"><code>{html.escape(law.equation)}</code></td>'
            lines.append(f'<tr style="font-weight:{"bold" if i == self.chosen else "normal"}">{row}</tr>')
        return (
            # notebooks typeset what stands between dollars
            f"<p>{html.escape(self._repr_latex_())}<br>"
            f"<code>{target} = {html.escape(self.best.equation)}</code><br>"
            f"{html.escape(self.trust)} Stopped: {html.escape(self.stop_reason)}.</p>"
            f'<table><thead><tr>{head}<th style="text-align:left">equation</th></tr></thead>'
            f"<tbody>{''.join(lines)}</tbody></table>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the whole report, and what from_dict needs."""
        return {
            "format": FORMAT,
            "version": self.version,
            "chosen": self.chosen,
            "equation": self.best.equation,
            "front": [law.to_dict() for law in self.front],
            "rivals": [law.to_dict() for law in self.rivals],
            "data": self.data,
            "options": self.options,
            "noise": self.noise,
            "stop_reason": self.stop_reason,
            "seconds": self.seconds,
            "trust": self.trust,
            "history": list(self.history),
            "graphs": {name: graph.to_dict() for name, graph in self.graphs.items()},
            "verdict": self.verdict.to_dict(),
            "noise_model": None if self.noise_model is None else self.noise_model.to_dict(),
            "outliers": [o.to_dict() for o in self.outliers],
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Run:
        """Return the run that :meth:`to_dict` described; raises FormatError for other versions."""
        if data.get("format") != FORMAT:
            raise FormatError(
                f"The result has format {data.get('format')!r} (kansym {data.get('version', 'unknown')}); "
                f"kansym {kansym.__version__} reads format {FORMAT}. Run discover again."
            )
        with storage.reading("The result", "run discover again"):
            facts = dict(data["data"])
            names = facts["names"]
            if (
                not isinstance(names, list)
                or len(set(names)) < len(names)
                or not all(isinstance(n, str) for n in (*names, facts["target"]))
            ):
                raise ValueError("the columns' names")
            facts["ranges"] = {
                n: [float(v) for v in (low, high)] for n, (low, high) in facts["ranges"].items()
            }
            front = tuple(Law.from_dict(law, names) for law in data["front"])
            chosen = int(data["chosen"])
            if not 0 <= chosen < len(front) or not all(isinstance(s, Mapping) for s in data["history"]):
                raise ValueError("the front's chosen row or the history")
            return Run(
                front,
                chosen,
                facts,
                dict(data["options"]),
                float(data["noise"]),
                str(data["stop_reason"]),
                float(data["seconds"]),
                str(data["version"]),
                tuple(data["history"]),
                tuple(Law.from_dict(law, names) for law in data["rivals"]),
                str(data["trust"]),
                {name: Graph.from_dict(g) for name, g in data["graphs"].items()},
                # results written before these were known lack them
                Verdict.from_dict(data["verdict"]) if data.get("verdict") else UNSAID,
                NoiseModel.from_dict(data["noise_model"]) if data.get("noise_model") else None,
                tuple(Outlier.from_dict(o) for o in data.get("outliers", ())),
            )


def _finite(value: float) -> float | str:
    """Return what JSON can write: infinities as text."""
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf" if value < 0 else "nan")

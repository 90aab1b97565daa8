"""Classes in a table: where one ends and the next begins, as formulas, judged on rows held out.

Two classes are separated by a boundary g = 0 (`pipeline.boundaries`), more by one formula each, the
largest of which names the class (`classifier`). This room reads the labels and judges; it searches nothing
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.errors import InputError, UnknownNameError, counted
from kansym.data.inputs import label
from kansym.data.repair import squarable
from kansym.data.table import Table, numbers, read_table
from kansym.estimators.classifier import KansymClassifier
from kansym.formula import expression as expressions
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.pipeline.boundaries import WORK, boundaries

MOST_CLASSES = 20
"""Different labels beyond which they are taken for measurements."""

FEWEST_ROWS = 30
"""Rows that two classes must have, at least."""

HELD_OUT = 0.2
"""Share of the rows that is held out."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Hold inputs X (n, d), labels (n,) as text, groups (n,) or None, and what was repaired."""

    X: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    names: tuple[str, ...]
    target: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Formula:
    """Hold one formula: of a boundary between two classes, or of one class against the rest.

    `accuracy` is the share of rows on the right side of g = 0, `heldout` the same on rows held out.
    """

    title: str
    g: sympy.Expr
    complexity: int
    accuracy: float
    heldout: float

    def __repr__(self) -> str:
        """Return the formula and its share of rows held out on one line."""
        return f"Formula({self.title}: {self.equation}, heldout={self.heldout:.3g})"

    @property
    def equation(self) -> str:
        """Return g as text with 4 digits."""
        return expressions.text(self.g, 4)


@dataclass(frozen=True)
class Classes:
    """Hold the answer: formulas, the chosen ones first, and how often they name the class of a row.

    Of two classes, `formulas` is a front of boundaries; of more, one formula a class, to be compared.
    `majority` is the share of the commonest class, what no formula at all would reach.
    """

    classes: tuple[str, ...]
    formulas: tuple[Formula, ...]
    target: str
    names: tuple[str, ...]
    rows: int
    heldout_rows: int
    majority: float
    accuracy: float
    heldout: float
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return the target, the first formula and how often it is right on rows held out on one line."""
        first = self.formulas[0] if self.formulas else "no formula"
        return f"Classes({self.target!r} of {self.rows} rows: {first}; row 1 of {len(self.formulas)})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write."""
        return {
            "task": "classify",
            "target": self.target,
            "inputs": list(self.names),
            "classes": list(self.classes),
            "rows": self.rows,
            "heldout_rows": self.heldout_rows,
            "majority": self.majority,
            "accuracy": self.accuracy,
            "heldout_accuracy": self.heldout,
            "formulas": [
                {
                    "title": f.title,
                    "equation": f.equation,
                    "sympy": expressions.text(f.g, None),
                    "complexity": f.complexity,
                    "accuracy": f.accuracy,
                    "heldout_accuracy": f.heldout,
                }
                for f in self.formulas
            ],
            "notes": list(self.notes),
        }


def labelled(
    data: Any, target: str | None = None, inputs: Sequence[str] | None = None, group: str | None = None
) -> Labelled:
    """Return a table's inputs and the labels in its target column, which may be text, truth or numbers.

    Without `inputs` the card's, or all other columns of numbers. Raises InputError for what is no table of
    classes and UnknownNameError for columns that are not there.
    """
    table = data if isinstance(data, Table) else read_table(data)
    card = table.card
    target = target or (card.target if card is not None and card.target else table.names[-1])
    asked = tuple(inputs or (card.inputs if card is not None and card.inputs else ()))
    for kind, name in [
        ("target", target),
        *(("input", n) for n in asked),
        *([("group", group)] if group else []),
    ]:
        if name not in table.names:
            raise UnknownNameError(f"{kind} column", name, table.names)
    if target in asked:
        raise InputError(f"Column {target!r} is target and input; leave it out of one of them.")
    notes = list(table.notes)
    found: dict[str, np.ndarray] = {}
    for name in asked or [n for n in table.names if n not in (target, group)]:
        values, problem = numbers(table, name, notes)
        if values is not None:
            found[name] = values
        elif inputs:
            raise InputError(f"Column {name!r} {problem}.")
        else:
            notes.append(f"column {name!r} {str(problem).partition(';')[0]}: left out")
    X = np.column_stack([*found.values()]) if found else np.empty((table.rows, 0))
    column = table.frame[target]
    keep = np.isfinite(X).all(axis=1) & column.notna().to_numpy()
    if not keep.all():
        notes.append(f"{int((~keep).sum())} of {len(keep)} rows have gaps: left out")
    X, labels = X[keep], np.array([label(v) for v in column[keep]])
    squarable(X)
    varies = np.array([np.ptp(c) > 0 for c in X.T], bool) if len(X) else np.zeros(X.shape[1], bool)
    if not varies.any():
        raise InputError(
            f"{table.source} has no input columns of numbers that vary; classes need at least one."
        )
    kinds, counts = np.unique(labels, return_counts=True)
    if len(labels) < FEWEST_ROWS:
        few = counted(len(labels), "complete row")
        raise InputError(f"{few} cannot distinguish classes; give {FEWEST_ROWS} or more.")
    if len(kinds) == 1:
        raise InputError(f"Target {target!r} is {str(kinds[0])!r} in every row; classes need two labels.")
    if len(kinds) > MOST_CLASSES:
        raise InputError(
            f"Target {target!r} has {len(kinds)} different values, more than {MOST_CLASSES} classes; "
            "leave the task out for a number, or join labels."
        )
    if counts.min() < 5:
        rare = str(kinds[counts.argmin()])
        notes.append(f"class {rare!r} has only {counts.min()} rows")
    groups = table.frame[group][keep].to_numpy() if group else None
    names = tuple(n for n, v in zip(found, varies, strict=True) if v)
    return Labelled(X[:, varies], labels, groups, names, target, tuple(notes))


def classify(
    data: Any,
    target: str | None = None,
    inputs: Sequence[str] | None = None,
    *,
    group: str | None = None,
    library: Any = "default",
    maxsize: int = 60,
    effort: float = 1.0,
    time_limit: float | None = None,
    seed: int = 0,
) -> Classes:
    """Find formulas that separate the classes in a table's target column.

    A fifth of the rows (whole groups, with `group`) is held out. The boundary of two classes is a sum of up
    to four products of plain functions; of three or more, every class has a formula of its own. `library`
    says which functions there are, `maxsize` how complex a formula may be; `effort` scales the work limit,
    and `time_limit` (seconds) only cuts. Raises as :func:`labelled` does.
    """
    given = data if isinstance(data, Labelled) else labelled(data, target, inputs, group)
    held = held_out(given, seed)
    kinds = np.unique(given.labels)
    X, labels = given.X[~held], given.labels[~held]
    if len(np.unique(labels)) < len(kinds):
        raise InputError("Holding out a fifth of the rows leaves a class without any; give more of its rows.")
    make = _two if len(kinds) == 2 else _several
    find = make(library, maxsize, effort, time_limit, seed)
    formulas, predict = find(X, labels, given, held)
    truth = given.labels == predict(given.X)
    return Classes(
        tuple(map(str, kinds)),
        tuple(formulas),
        given.target,
        given.names,
        len(labels),
        int(held.sum()),
        float(np.unique(given.labels, return_counts=True)[1].max() / len(given.labels)),
        float(truth[~held].mean()),
        float(truth[held].mean()),
        given.notes,
    )


Found = tuple[list[Formula], Callable[[np.ndarray], np.ndarray]]
Find = Callable[[np.ndarray, np.ndarray, Labelled, np.ndarray], Found]


def _two(library: Any, maxsize: int, effort: float, time_limit: float | None, seed: int) -> Find:
    """Return what finds the boundary chosen and those that are simpler or classify the rows better."""
    known = library if isinstance(library, Library) else Library.load(library)

    def find(X: np.ndarray, labels: np.ndarray, given: Labelled, held: np.ndarray) -> Found:
        """Return the formulas between these classes, with their figures on the rows held out."""
        kinds = np.unique(labels)
        budget = Budget(work=effort * WORK, seconds=time_limit)
        found = boundaries(X, labels, given.names, library=known, maxsize=maxsize, budget=budget)
        front = [found[0]]
        best = -1.0
        for b in sorted(found, key=lambda b: (b.complexity, -b.accuracy)):
            if b.accuracy > best:
                best = b.accuracy
                front += [b] if b is not found[0] else []
        formulas, columns = [], symbols(given.names)
        second = given.labels[held] == kinds[1]
        for b in front:
            right = (Program.compile(b.g, columns).value(given.X[held]) > 0) == second
            formulas.append(
                Formula(f"{kinds[1]} where g > 0", b.g, b.complexity, b.accuracy, float(right.mean()))
            )
        program = Program.compile(found[0].g, columns)
        return formulas, lambda rows: np.where(program.value(rows) > 0, kinds[1], kinds[0])

    return find


def _several(library: Any, maxsize: int, effort: float, time_limit: float | None, seed: int) -> Find:
    """Return what finds a formula for each class, the largest of which names a row's class."""

    def find(X: np.ndarray, labels: np.ndarray, given: Labelled, held: np.ndarray) -> Found:
        """Return the formulas between these classes, with their figures on the rows held out."""
        model = KansymClassifier(
            library=library, maxsize=maxsize, effort=effort, time_limit=time_limit, random_state=seed
        ).fit(X, labels, variable_names=given.names)
        logits = model.decision_function(given.X)
        formulas = []
        for k, (kind, run) in enumerate(zip(model.classes_, model.runs_, strict=True)):
            right = (logits[:, k] > 0) == (given.labels == kind)
            form = run.best.expression
            assert form is not None
            formulas.append(
                Formula(f"logit({kind})", form, run.best.complexity, right[~held].mean(), right[held].mean())
            )
        return formulas, model.predict

    return find


def held_out(given: Labelled, seed: int, share: float = HELD_OUT) -> np.ndarray:
    """Return which rows are held out (n,): a share of them, or of their groups."""
    of = (
        np.arange(len(given.labels))
        if given.groups is None
        else np.unique(given.groups, return_inverse=True)[1]
    )
    units = int(of.max()) + 1
    if units < 2:
        raise InputError("All rows are in one group, so none can be held out; choose another group column.")
    chosen = np.random.default_rng(seed).permutation(units)[: max(1, round(share * units))]
    return np.isin(of, chosen)

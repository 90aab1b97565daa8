"""All that the studio knows: table, question, search, front, the law in the hand. Pages draw it and press it.

One desk serves every page of a server, so that closing or reloading one loses nothing and two show the same.
Each change counts up a topic in `changes`; a page draws a part again when its topics have moved.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kansym.base.errors import InputError
from kansym.data.dataset import Dataset
from kansym.data.table import Table
from kansym.formula import expression as expressions
from kansym.judge.guess import GUESS, Guess
from kansym.pipeline.checkpoint import Checkpoint, Memory
from kansym.pipeline.run import Law, Run
from kansym.studio.bench import Bench, judged, moved_on, power
from kansym.studio.columns import Profile, profiles
from kansym.studio.folder import Folder
from kansym.studio.process import Process
from kansym.studio.question import Question

if TYPE_CHECKING:
    from kansym.studio.walk import Walk

SEARCHING, STOPPING, PAUSED, OVER, FAILED = "searching", "stopping", "paused", "over", "failed"


@dataclass(frozen=True, eq=False)
class Opened:
    """Hold a table as it was read, under the name that the folder has for it, and what its columns are.

    `writing` is what a person said of how its numbers and dates are written.
    """

    name: str
    table: Table
    profiles: tuple[Profile, ...]
    writing: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def read(folder: Folder, name: str, writing: Mapping[str, str] | None = None) -> Opened:
        """Read a table; takes long for a large one, and may be done in another thread."""
        table = folder.read(name, writing)
        return Opened(name, table, profiles(table), dict(writing or {}))


@dataclass(frozen=True)
class Live:
    """Hold what a search last told: stage, seconds, seconds left, and its front as (size, error, formula)."""

    stage: str = "starting"
    seconds: float = 0.0
    left: float | None = None
    front: tuple[tuple[int, float, str], ...] = ()


@dataclass(frozen=True)
class Step:
    """Hold one thing that was done, for the cell of code that repeats it."""

    kind: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Desk:
    """Hold the one state that all pages show; raises InputError for what cannot be done now."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.process = Process()
        self.changes: Counter[str] = Counter()
        self.opened: Opened | None = None
        self.question = Question()
        self.state = ""
        self.live = Live()
        self.watched = ""
        self.message = ""
        self.checkpoint: Path | None = None
        self.dataset: Dataset | None = None
        self.run: Run | None = None
        self.row = 0
        self.other: int | None = None
        self.rounded = True
        self.bench: Bench | None = None
        self.theta = np.zeros(0)
        self.held: set[int] = set()
        self.steps: list[Step] = []
        self.walk: Walk | None = None
        self.steering = False
        self.asides: dict[str, dict[str, Any]] = {}
        self._asked: Question | None = None
        self._pausing = False
        self._number = 0

    # --- the table -------------------------------------------------------------------------------------

    def take(self, opened: Opened) -> None:
        """Put a table on the desk; what was found in another one goes."""
        self._must_rest()
        self.forget()
        self.opened = opened
        numeric = [p.name for p in opened.profiles if p.numeric]
        self.question = Question.about(opened.table, numeric, [p.name for p in opened.profiles
                                                               if p.kind == "category"])  # fmt: skip
        self.steps = [Step("table", {"name": opened.name, **opened.writing})]
        self.touch("table", "question", "run", "law", "search", "walk", "aside")

    def ask(self, question: Question) -> None:
        """Change the question; a search goes on with it when it is told to."""
        self._must_rest()
        question.options()
        self.question = question
        self.touch("question")

    def forget(self) -> None:
        """Drop what was found, and the progress on disk."""
        if self.checkpoint is not None:
            shutil.rmtree(self.checkpoint, ignore_errors=True)
        self.checkpoint = self.dataset = self.run = self.bench = self.other = self._asked = None
        self.state, self.message, self.live, self.row, self.watched = "", "", Live(), 0, ""
        self.asides, self.walk = {}, None

    # --- the search ------------------------------------------------------------------------------------

    @property
    def searching(self) -> bool:
        """Tell whether a search is under way."""
        return self.state in (SEARCHING, STOPPING)

    @property
    def growing(self) -> bool:
        """Tell whether the front is what a search last told: it goes on, or ended without a result."""
        return self.searching or self.run is None

    @property
    def asks_anew(self) -> bool:
        """Tell whether the question has changed since the last search."""
        return self._asked is not None and self.question != self._asked

    def prepared(self) -> Dataset:
        """Return the rows that the question is about; may be done in another thread."""
        if self.opened is None:
            raise InputError("There is no table; drop a file or pick one.")
        return self.question.dataset(self.opened.table)

    def begin(self, dataset: Dataset) -> None:
        """Search the rows from the start."""
        self._must_rest()
        options = self.question.options()
        old = self.checkpoint
        self._number += 1
        place = self.folder.own(f"search-{self._number}")
        shutil.rmtree(place, ignore_errors=True)
        Checkpoint.start(place, dataset, options.to_dict())
        if old is not None and old != place:
            shutil.rmtree(old, ignore_errors=True)
        self.checkpoint, self.dataset, self._asked = place, dataset, self.question
        self.run = self.bench = self.other = None
        self.steps.append(Step("search", self.question.to_dict()))
        self._search()

    def go_on(self) -> None:
        """Go on from where the search was; with another question, from what was found.

        Raises InputError where nothing was begun, or columns have changed their parts since.
        """
        self._must_rest()
        if self.checkpoint is None or self._asked is None:
            raise InputError("No search has been begun; start one.")
        if (self.question.parts, self.question.units) != (self._asked.parts, self._asked.units):
            raise InputError("The columns' parts have changed since; start a new search.")
        kept = Checkpoint.load(self.checkpoint)
        if self.question != self._asked:
            kept.options = self.question.options().to_dict()
        if self.question != self._asked or self.state == OVER:
            # what was found is judged again under the new rules, and every look is taken again
            kept.passes = [Memory(list(one.formulas)) for one in kept.passes[:1]]
        kept.write()
        self._asked = self.question
        self.steps.append(Step("search", self.question.to_dict()))
        self._search()

    def stop(self, pause: bool = False) -> None:
        """End the search with the best so far; after a pause it goes on where it was."""
        if self.state != SEARCHING:
            raise InputError("No search is under way.")
        self._pausing, self.state = pause, STOPPING
        self.process.stop()
        self.touch("search")

    def kill(self) -> None:
        """End the search's process at once; what it has written is kept."""
        self.process.close()
        if self.searching:
            self.state, self.message = PAUSED, "The search was ended at once; what it had found is kept."
        self.touch("search")

    def try_formula(self, text: str, dataset: Dataset | None = None) -> None:
        """Have a formula of one's own fitted and placed on the front; `dataset` where no search was begun."""
        self._must_rest()
        rows = self.dataset or dataset
        if rows is None or (self.run is not None and self.checkpoint is None):
            raise InputError("A formula needs the table that it is fitted to; open it first.")
        Guess.parse(text, rows.names)
        if self.checkpoint is None:
            self._number += 1
            self.checkpoint = self.folder.own(f"search-{self._number}")
            shutil.rmtree(self.checkpoint, ignore_errors=True)
            Checkpoint.start(self.checkpoint, rows, self.question.options().to_dict())
            self.dataset, self._asked = rows, self.question
        self.steps.append(Step("formula", {"text": text}))
        self.process.order("judge", folder=str(self.checkpoint), formula=text)
        self.touch("search")

    def ask_aside(self, name: str, details: Mapping[str, Any]) -> None:
        """Ask for laws of motion, classes or relations; the answer lies in `asides` when it has come."""
        self._must_rest()
        if self.opened is None:
            raise InputError("There is no table; drop a file or pick one.")
        named = None if self.folder.named is None else str(self.folder.named)
        place = {"root": str(self.folder.root), "named": named, "table": self.opened.name}
        self.message = ""
        self.steps.append(Step(name, dict(details)))
        more = {
            "seconds": self.question.time_limit,
            "name": name,
            "writing": dict(self.opened.writing),
        }
        self.process.order("aside", **place, **more, **details)
        self.touch("search")

    def listen(self) -> None:
        """Take in what the search's process has said since."""
        for news in self.process.news():
            if news["kind"] == "progress":
                points = tuple((int(c), float(e), str(f)) for c, e, f in news["front"])
                if points != self.live.front:  # what is drawn again under the pointer cannot be clicked
                    self.touch("front")
                self.live = Live(news["stage"] or "starting", news["seconds"], news["left"], points)
                self.touch("live")
            elif news["kind"] == "found":
                self.show(Run.from_dict(news["run"]))
                self.state = PAUSED if self._pausing else OVER
                self.touch("search")
            elif news["kind"] == "judged":
                self._place(Run.from_dict(news["run"]))
            elif news["kind"] == "aside":
                self.asides[news["name"]] = news["result"]
                self.touch("aside", "search")
            elif news["kind"] == "failed":
                self.state, self.message = FAILED if self.searching else self.state, news["message"]
                self.touch("search")

    def _search(self) -> None:
        """Order the search that the checkpoint describes."""
        self.state, self.message, self._pausing, self.watched = SEARCHING, "", False, ""
        self.live = replace(Live(), front=self.live.front)
        self.process.order("search", folder=str(self.checkpoint))
        self.touch("search", "run", "live")

    def _must_rest(self) -> None:
        """Raise InputError while the process works."""
        if self.searching or self.process.busy:
            raise InputError("A search is under way; pause it first.")

    # --- the front and the law in the hand -------------------------------------------------------------

    def show(self, run: Run, row: int | None = None) -> None:
        """Put a run on the desk, at its chosen row or another."""
        self.run, self.other = run, None
        self.row = run.chosen if row is None else row
        self._hold()
        self.touch("run", "law")

    @property
    def live_row(self) -> int | None:
        """Return which row of a growing front is shown: the one clicked, while it lasts, or the best."""
        texts = [text for _, _, text in self.live.front]
        return texts.index(self.watched) if self.watched in texts else len(texts) - 1 if texts else None

    def pick(self, text: str, row: int) -> None:
        """Take the formula that a person saw in this row of the front, which may have moved on since."""
        texts = [t for _, _, t in self.live.front]
        if self.run is not None and not self.searching:
            texts = [law.equation for law in self.run.front]
        if not (row < len(texts) and texts[row] == text):
            if text not in texts:
                raise InputError(f"{text[:60]} is on the front no more; click what has taken its place.")
            row = texts.index(text)
        self.choose(row)

    def choose(self, row: int) -> None:
        """Take a row of the front in the hand; while it grows, watch the formula that is there now."""
        if self.growing:
            if 0 <= row < len(self.live.front):
                self.watched = self.live.front[row][2]
                self.touch("front")
            return
        self._law_at(row)
        self.row = row
        self.other = None if self.other == row else self.other
        self._hold()
        self.touch("law")

    def compare(self, row: int | None) -> None:
        """Lay another row beside the one in the hand, or none."""
        if row is not None:
            self._law_at(row)
        self.other = None if row == self.row else row
        self.touch("law")

    def round(self, rounded: bool) -> None:
        """Show recognised constants as 3/2, or all as they were fitted."""
        self.rounded = rounded
        self._hold()
        self.touch("law")

    @property
    def law(self) -> Law | None:
        """Return the law in the hand, rounded or as fitted; None before anything was found."""
        if self.run is None:
            return None
        law = self._law_at(self.row)
        if self.rounded or law.unrounded is None:
            return law
        return replace(law, expression=law.unrounded, equation=expressions.text(law.unrounded), form="")

    @property
    def moved(self) -> bool:
        """Tell whether constants have been moved by hand."""
        return self.bench is not None and not np.array_equal(self.theta, self.bench.start)

    def move(self, k: int, value: float) -> None:
        """Set one constant."""
        if self.bench is not None:
            self.theta = self.bench.moved(self.theta, k, value)
            self.touch("theta")

    def hold(self, k: int, held: bool) -> None:
        """Hold a constant at its value while the others are fitted, or let it go."""
        self.held = self.held | {k} if held else self.held - {k}
        self.touch("theta")

    def refit(self) -> None:
        """Fit the constants that are not held to the rows."""
        if self.bench is not None and self.dataset is not None and self.run is not None:
            rows = moved_on(self.run, self.dataset)
            self.theta = self.bench.refitted(self.theta, sorted(self.held), rows)
            self.touch("theta", "law")

    def reset(self) -> None:
        """Put all constants back."""
        self._hold()
        self.touch("law")

    def keep(self) -> None:
        """Make the constants as set a row of the front."""
        if self.bench is None or self.dataset is None or self.run is None:
            raise InputError("There is no law with constants in the hand; click a row of the front.")
        made = self.bench.as_law(self.theta, judged(self.run, self.dataset), self.question.seed)
        changes = {h.name: float(v) for h, v in zip(self.bench.handles, self.theta, strict=True)}
        self.steps.append(Step("constants", {"row": self.row, "values": changes, "equation": made.equation}))
        self._add(self.run, made)

    def share(self) -> float:
        """Return the error of the law as it stands on the `judged` rows, as a share of the spread."""
        if self.bench is None or self.dataset is None or self.run is None:
            return float("nan")
        rows = moved_on(self.run, self.dataset)
        return float(np.sqrt(rows.loss(self.bench.values(rows.X, self.theta)) / power(rows)))

    def _law_at(self, row: int) -> Law:
        """Return a row of the front; raises InputError where there is none."""
        if self.run is None or not 0 <= row < len(self.run.front):
            raise InputError(f"The front has no row {row}.")
        return self.run.front[row]

    def _hold(self) -> None:
        """Take the constants of the law in the hand, as they were fitted."""
        law = self.law
        self.bench, self.held = None, set()
        if law is not None and law.expression is not None and self.run is not None:
            self.bench = Bench.of(law, self.run.names)
        self.theta = np.zeros(0) if self.bench is None else self.bench.start

    def _place(self, judged: Run) -> None:
        """Put a person's formula, as a search that had no time for others judged it, on the front."""
        found = [law for law in judged.front if law.source.startswith(GUESS)]
        if not found:
            self.message = "The formula is undefined on the rows, whatever its constants; nothing was placed."
            self.touch("search")
        elif self.run is None:
            self.show(judged, judged.front.index(found[0]))
        else:
            self._add(self.run, found[0])

    def _add(self, run: Run, law: Law) -> None:
        """Put a law on the front at its size, and take it in the hand."""
        chosen = run.front[run.chosen]
        front = sorted((*run.front, law), key=lambda one: (one.complexity, one.loss))
        self.show(replace(run, front=tuple(front), chosen=front.index(chosen)), front.index(law))

    def close(self) -> None:
        """End the search's process."""
        self.process.close()

    def touch(self, *topics: str) -> None:
        """Say that something has changed, so that pages draw it again."""
        self.changes.update(topics)

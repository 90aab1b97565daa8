"""The whole flow on one page: dataset -> producers -> refine -> front -> run.

This is the only file that knows the order of the stages. Each stage is in its own room.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import sympy

from kansym import expression as expressions
from kansym import pareto, uncertainty
from kansym.budget import Budget, Progress
from kansym.dataset import Dataset, from_arrays, from_table
from kansym.errors import InputError
from kansym.evaluate import evaluate, parameters
from kansym.graph import Graph, Spline
from kansym.library import Library
from kansym.parsing import parse_expression, symbols
from kansym.polish import Rows
from kansym.refine import Judged, Trial, exact, normalised, refine, with_all_rows
from kansym.run import ConstantReport, Law, Run
from kansym.snapping import snap

SEARCH_ROWS = 2000
"""The structure search looks at no more rows than this; constants of the front see all of them."""

MOST_CURVES = 10
"""Graphs with more spline curves are kept as smooth fits and not snapped: every curve costs seconds."""

WORTH_SNAPPING = 0.02
"""Residual share above which a graph's curves are too far off to be recognised."""

SMOOTH_GAIN = 0.7
"""A smooth fit joins the front when its held-out loss is below this share of the best formula's."""


@dataclass(frozen=True)
class Options:
    """Set what a run looks for and how long; the defaults suit someone who sets nothing.

    `effort` scales the work budget of every producer; `time_limit` (seconds) only cuts. `guesses` are
    formulas to start from. `library` is a preset's name, a TOML file or a Library; `only` and `exclude`
    narrow it. `maxsize` bounds the complexity of what is shown. `selection` is a rule of `pareto`.
    """

    library: str | Library = "default"
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    time_limit: float | None = None
    effort: float = 1.0
    seed: int = 0
    jobs: int = 1
    device: str = "cpu"
    maxsize: int = 60
    selection: str = "description"
    guesses: tuple[str, ...] = ()
    kan: bool = True

    def functions(self) -> Library:
        """Return the library that these options describe; raises for unknown names."""
        library = self.library if isinstance(self.library, Library) else Library.load(self.library)
        if self.only:
            library = Library.load("all").only(("x", *(n for n in self.only if n != "x")))
        return library.exclude(self.exclude) if self.exclude else library

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the report."""
        data = {k: (list(v) if isinstance(v, tuple) else v) for k, v in asdict_shallow(self).items()}
        if isinstance(self.library, Library):
            data["library"] = self.library.to_dict()
        return data


def asdict_shallow(options: Any) -> dict[str, Any]:
    """Return a dataclass's fields without copying what they hold."""
    return {name: getattr(options, name) for name in options.__dataclass_fields__}


@dataclass(frozen=True, eq=False)
class Smooth:
    """Hold a fit that is no formula: a graph with spline curves, and how well it holds."""

    graph: Graph
    loss: float
    heldout: float
    source: str


@dataclass
class Archive:
    """Collect judged formulas; keep for each complexity the best, and the shortest description of all."""

    trial: Trial
    maxsize: int
    best: dict[int, Judged] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    others: list[Judged] = field(default_factory=list)
    smooth: Smooth | None = None

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
        if not math.isfinite(law.loss) or law.complexity > self.maxsize:
            return False
        shortest = law.length < self.shortest
        rival = self.best.get(law.complexity)
        if rival is None or (law.length, law.loss) < (rival.length, rival.loss):
            self.best[law.complexity] = law
            if rival is not None:
                self.others.append(rival)
        else:
            self.others.append(law)
        if shortest:
            self.history.append(
                {
                    "event": "better law",
                    "source": law.source,
                    "equation": expressions.text(law.expression, 5),
                    "complexity": law.complexity,
                    "heldout_share": law.heldout / self.trial.power,
                }
            )
        return shortest

    @property
    def shortest(self) -> float:
        """Return the least description length so far."""
        return min((law.length for law in self.best.values()), default=math.inf)

    @property
    def leader(self) -> Judged | None:
        """Return the formula of least description length."""
        return min(self.best.values(), key=lambda law: law.length, default=None)


def discover(
    data: Any, y: Any = None, *, options: Options | None = None,
    progress: Callable[[Progress], None] | None = None, names: Sequence[str] | None = None,
    target: str | None = None, weights: Any = None, **settings: Any,
) -> Run:
    """Find the law in a table: a front of formulas from simplest to most accurate.

    `data` is X (n, d) with `y` (n,), or a path, a table's shipped name, a DataFrame or a Dataset alone.
    `settings` are fields of :class:`Options`. Ctrl-C ends the search and returns the best so far.
    Raises InputError for data or options that cannot be used.
    """
    if isinstance(data, Dataset):
        dataset = data
    elif y is not None:
        dataset = from_arrays(data, y, names, weights, target=target)
    else:
        dataset = from_table(data, target=target)
    if settings:
        unknown = set(settings) - set(Options.__dataclass_fields__)
        if unknown:
            raise InputError(f"Option {min(unknown)!r} is not known; see kansym.pipeline.Options.")
        options = replace(options or Options(), **settings)
    return search(dataset, options or Options(), progress)


def search(dataset: Dataset, options: Options, progress: Callable[[Progress], None] | None = None) -> Run:
    """Run every stage on a dataset and return the result."""
    started = time.monotonic()
    library = options.functions()
    dataset = dataset.screened(seed=options.seed)
    budget = Budget(seconds=options.time_limit, listener=progress, started=started)
    trial = Trial.of(dataset, library, options.seed)
    archive = Archive(trial, options.maxsize)
    reason = ""
    try:
        reason = _explore(dataset, trial, archive, options, budget)
    except KeyboardInterrupt:
        budget.cancelled = True
        reason = "interrupted"
    except BaseException as stopped:
        # an alarm's exception goes on its way, but the best so far goes with it
        if archive.best and not isinstance(stopped, InputError):
            stopped.run = _finish(dataset, trial, archive, options, "interrupted", started)  # type: ignore[attr-defined]
        raise
    return _finish(dataset, trial, archive, options, reason, started)


def _explore(dataset: Dataset, trial: Trial, archive: Archive, options: Options, budget: Budget) -> str:
    """Feed every producer's candidates through refine; return why it ended."""
    for formula, source in _first(dataset, options):
        for law in refine(formula, trial, source):
            archive.add(law)
    rows = trial.dataset.subsample(SEARCH_ROWS, options.seed)
    for name, propose in _producers(options):
        budget.tell(name, *_best_of(archive))
        candidates = propose(rows, noise=None, budget=budget, library=trial.library, seed=options.seed)
        for candidate in candidates:
            if candidate.graph is not None:
                archive.add_graph(candidate.graph, candidate.source)
            for formula in _formulas(candidate, trial):
                promising = archive.shortest + 0.02 * len(trial.train.y) + 60
                for law in refine(formula, trial, candidate.source, promising, options.maxsize):
                    if archive.add(law):
                        budget.tell(name, *_best_of(archive))
                if archive.leader is not None and exact(archive.leader, trial):
                    return "proved exact on held-out rows"
            if archive.leader is not None and _within_errors(archive.leader, trial):
                return "nothing left to explain beyond the measurement errors"
            if budget.exhausted:
                return budget.reason
    return "every producer has finished"


def _within_errors(law: Judged, trial: Trial) -> bool:
    """Tell whether known measurement errors explain all that a formula leaves."""
    if trial.sigma2 is None:
        return False
    rows = len((trial.heldout or trial.train).y)
    # the mean of n squared unit normals exceeds this in about one case in fifty
    limit = 1.0 + 2.0 * math.sqrt(2.0 / rows)
    return max(law.loss, law.heldout) <= limit * trial.sigma2 and law.polished.program.ops[-1].kind != "number"


def _producers(options: Options) -> Iterator[tuple[str, Callable[..., Iterator[Any]]]]:
    """Yield the producers in the order in which they are tried: cheap and exact ones first."""
    for name in ("separable", "structure", "pade", "enumeration", "network"):
        if importlib.util.find_spec(f"kansym.search.{name}") and (name != "network" or options.kan):
            yield name, importlib.import_module(f"kansym.search.{name}").propose


def _formulas(candidate: Any, trial: Trial) -> Iterator[sympy.Expr]:
    if candidate.expression is not None:
        yield candidate.expression
    elif candidate.graph is not None and candidate.score < WORTH_SNAPPING and _curves(candidate.graph) <= MOST_CURVES:
        for snapped in snap(candidate.graph, trial.small, trial.library):
            yield expressions.from_graph(snapped.graph)[0]


def _curves(graph: Graph) -> int:
    return sum(isinstance(e.curve, Spline) for e in graph.edges())


def _first(dataset: Dataset, options: Options) -> Iterator[tuple[sympy.Expr, str]]:
    """Yield what is tried before any search: the person's guesses, the constant, the lines."""
    columns = symbols(dataset.names)
    for text in options.guesses:
        yield parse_expression(text, dataset.names), "guess"
    yield sympy.Float(float(np.average(dataset.y, weights=dataset.weights))), "constant"
    Z = np.column_stack([dataset.X, np.ones(dataset.rows)])
    if dataset.rows > Z.shape[1] + 1:
        w = 1.0 if dataset.weights is None else np.sqrt(dataset.weights)[:, None]
        slope = np.linalg.lstsq(Z * w, dataset.y * np.ravel(w), rcond=None)[0]
        line = sum((sympy.Float(float(a)) * s for a, s in zip(slope, columns, strict=False)), sympy.S.Zero)
        yield line + sympy.Float(float(slope[-1])), "linear"


def _best_of(archive: Archive) -> tuple[float | None, str]:
    leader = archive.leader
    if leader is None:
        return None, ""
    return math.sqrt(max(leader.heldout, 0) / archive.trial.power), expressions.text(leader.expression, 4)


def _finish(
    dataset: Dataset, trial: Trial, archive: Archive, options: Options, reason: str, started: float
) -> Run:
    kept = pareto.front(list(archive.best.values()), lambda law: law.complexity, lambda law: law.loss)
    for law in kept:
        archive.add(normalised(law, trial))
    laws = [with_all_rows(law, dataset, trial) for law in archive.best.values()]
    everything = Rows(dataset.X, dataset.y, dataset.weights, trial.train.symbols, trial.sigma2)
    laws = [law for law in laws if math.isfinite(law.loss)]
    if not laws:
        raise InputError(f"No formula is defined on all {dataset.rows} rows; widen the library.")
    front = _front(laws, everything.floor)
    scores = pareto.scores([law.complexity for law in front], [law.loss for law in front])
    chosen = pareto.choose(
        [law.loss for law in front], scores, [law.length for law in front], options.selection
    )
    leader = front[chosen]
    sigma = math.sqrt(leader.loss) if trial.sigma2 is None else 1.0
    proved = exact(leader, trial)
    if proved and reason.startswith("every"):
        reason = "proved exact on held-out rows"
    laws_out = [_law(law, score, trial, everything) for law, score in zip(front, scores, strict=True)]
    laws_out += _smooth_end(archive, front, everything)
    return Run(
        front=tuple(laws_out),
        chosen=chosen,
        data=_facts(dataset, trial),
        options=options.to_dict(),
        noise=0.0 if proved else sigma,
        stop_reason=reason,
        seconds=time.monotonic() - started,
        history=tuple(archive.history),
        trust=_trust(leader, trial, proved),
    )


def _front(laws: list[Judged], floor: float) -> list[Judged]:
    """Return the laws that nothing simpler beats, neither on the rows fitted nor on those held out."""
    kept: list[Judged] = []
    for law in pareto.front(laws, lambda law: law.complexity, lambda law: law.loss, floor):
        if all(max(law.heldout, floor) < max(other.heldout, floor) for other in kept) or not kept:
            kept.append(law)
    return kept


def _smooth_end(archive: Archive, front: list[Judged], rows: Rows) -> list[Law]:
    """Return the smooth fit as a row of the front where it explains clearly more than every formula."""
    smooth = archive.smooth
    if smooth is None or smooth.heldout > SMOOTH_GAIN * min(law.heldout for law in front):
        return []
    size = max(len(parameters(smooth.graph)), front[-1].complexity + 1)
    loss = rows.loss(evaluate(smooth.graph, rows.X)[:, 0])
    score = pareto.scores([front[-1].complexity, size], [front[-1].loss, loss])[1] if loss > 0 else 0.0
    return [
        Law(
            equation=f"(not symbolic: {smooth.source} with {size} numbers)",
            complexity=size,
            loss=loss,
            heldout_loss=smooth.heldout,
            score=score,
            length=math.inf,
            graph=smooth.graph,
            source=smooth.source,
            note="not symbolic",
        )
    ]


def _law(law: Judged, score: float, trial: Trial, everything: Rows) -> Law:
    reports = tuple(
        ConstantReport(c.name, c.value, c.stderr, None if c.exact is None else str(c.exact))
        for c in uncertainty.numbers(law.expression, everything)
    )
    return Law(
        equation=expressions.text(law.expression),
        complexity=law.complexity,
        loss=law.loss,
        heldout_loss=law.heldout,
        score=score,
        length=law.length,
        expression=law.expression,
        unrounded=law.unrounded.expression,
        constants=reports,
        exact=exact(law, trial),
        source=law.source,
    )


def _facts(dataset: Dataset, trial: Trial) -> dict[str, Any]:
    return {
        "names": list(dataset.names),
        "target": dataset.target,
        "rows": dataset.rows,
        "heldout_rows": 0 if trial.heldout is None else len(trial.heldout.y),
        "hash": dataset.hash,
        "source": dataset.source,
        "weighted": dataset.weights is not None,
        "ranges": {
            n: [float(dataset.X[:, i].min()), float(dataset.X[:, i].max())] for i, n in enumerate(dataset.names)
        },
        "target_range": [float(dataset.y.min()), float(dataset.y.max())],
        "target_spread": math.sqrt(trial.power),
        "notes": list(dataset.notes),
    }


def _trust(law: Judged, trial: Trial, proved: bool) -> str:
    share = math.sqrt(max(law.heldout, 0.0) / trial.power)
    rows = "each row left out in turn" if trial.heldout is None else f"{len(trial.heldout.y)} held-out rows"
    if proved:
        return f"It reproduces {rows} to round-off: within the data's range, this is the law."
    if share < 0.05:
        return f"On {rows} it is off by {share:.2g} of the target's spread: good within the data's range."
    if share < 0.5:
        return f"On {rows} it is off by {share:.2g} of the target's spread: a trend with noise about it."
    return f"On {rows} it is off by {share:.2g} of the target's spread: do not rely on it."

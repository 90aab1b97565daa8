"""The whole flow on one page: dataset -> producers -> refine -> front -> run.

The order of the stages is here; that of the producers in `search.registry` and `search.schedule`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kansym.base.budget import Budget, Progress, watchdog
from kansym.base.errors import InputError
from kansym.base.interrupts import shielded, unwrapped
from kansym.base.losses import Loss
from kansym.base.threads import one_thread
from kansym.base.weights import roots
from kansym.data import dimensions, inputs
from kansym.data.dataset import Dataset, from_arrays, from_table
from kansym.data.scan import Reading, Scan
from kansym.data.table import read_table
from kansym.formula.guarded import valued
from kansym.formula.language import Language
from kansym.functions.library import Library
from kansym.functions.parsing import names_in, symbols
from kansym.judge.archive import Archive
from kansym.judge.ending import BEATEN, PLAIN, Ending, Patience
from kansym.judge.guess import Guess
from kansym.judge.survey import Survey, survey
from kansym.judge.trial import Trial
from kansym.judge.verdict import STRUCTURE
from kansym.pipeline.amending import amend
from kansym.pipeline.beyond import on_all_rows
from kansym.pipeline.checkpoint import Checkpoint, Memory
from kansym.pipeline.findings import conclude
from kansym.pipeline.openings import opened
from kansym.pipeline.options import LEVEL_NODES, Options
from kansym.pipeline.proposals import SEARCH_ROWS, best_of, formulas, recalled, take_in
from kansym.pipeline.run import Run
from kansym.pipeline.second_look import looked_again, only_more, rejudge, take_limits
from kansym.pipeline.steps import steps_of
from kansym.pipeline.stopping import (
    BEYOND_UNITS,
    OTHER_NOISE,
    PROVED,
    SAME_AGAIN,
    ending_with,
    familiar_ends,
    idle,
    of_levels,
    over,
    settled,
    stands_noise,
)
from kansym.search import registry, schedule
from kansym.search.assumptions.hypothesis import Hypotheses
from kansym.search.assumptions.template import Template
from kansym.search.candidate import Candidate
from kansym.search.producer import Level
from kansym.search.schedule import Step

WORK = 5000.0
"""Units of work (see `budget`) of a search at effort 1; most end by themselves before."""

MOST_LOOKS = 2
"""Searches after the first, with rows left out or weighed as the best formula suggests."""

SECOND = 0.5
"""Share of the patience (see `judge.ending`) for looks at other rows or weights: the best is mostly known."""

IN_UNITS = "only formulas that respect the units are offered"
NO_LAW_IN_UNITS = "no law without constants that have units was found, so they may have any"

MEASURABLY = 3.0
"""Standard deviations of the noise by which c·product must be off before constants may have units: the noise
is known to a third or so (see `judge.noise`)."""


def discover(
    data: Any,
    y: Any = None,
    *,
    options: Options | None = None,
    progress: Callable[[Progress], None] | None = None,
    names: Sequence[str] | None = None,
    target: str | None = None,
    weights: Any = None,
    category: Sequence[str] = (),
    decimal: str | None = None,
    thousands: str | None = None,
    dates: str | None = None,
    checkpoint: Checkpoint | None = None,
    **settings: Any,
) -> Run:
    """Find the law in a table: a front of formulas from simplest to most accurate.

    `data` is X (n, d) with `y` (n,), or anything that `read_table` takes, or a Dataset alone; `category`
    names columns of a table that are categories whatever they hold (text with few levels is one anyway),
    `decimal`, `thousands` and `dates` say how its numbers and dates are written, where cells do not tell.
    `settings` are fields of :class:`Options`. With a `checkpoint` the search goes on from it and is kept in
    it. Ctrl-C ends the search and returns the best so far. Raises InputError for data or options that cannot
    be used.
    """
    options, large = Options.of(options, settings), None
    if isinstance(data, Dataset):
        dataset = data
    elif y is not None:
        dataset = from_arrays(data, y, names, weights, target=target)
    else:
        signs = {"decimal": decimal, "thousands": thousands, "dates": dates}
        large = Scan.of(data, **signs)
        table = read_table(data, **signs) if large is None else large.sample(options.seed)
        dataset = from_table(table, target=target, category=category)
    run = search(dataset, options, progress, checkpoint)
    if large is None:
        return run
    return on_all_rows(run, dataset, Reading(large, dataset.target, dataset.made), progress)


def search(
    dataset: Dataset,
    options: Options,
    progress: Callable[[Progress], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Run:
    """Run every stage on a dataset and return the result."""
    options = _assuming(options, dataset)
    library = options.functions()
    if options.device != "cpu":  # ask before the search, not at its end
        with shielded():
            importlib.import_module("kansym.network.training.trainer").require(options.device)
    asked = (
        None if options.template is None else Template.parse(options.template, dataset.names, dataset.target)
    )
    dataset = dataset.select(asked.columns) if asked else _worth_a_look(dataset, options)
    if dataset.rows > SEARCH_ROWS:
        said = f"the search looks at {SEARCH_ROWS} of {dataset.rows} rows; constants are fitted to all"
        dataset = replace(dataset, notes=(*dataset.notes, said))
    budget = Budget(work=WORK * options.effort, seconds=options.time_limit, listener=progress)
    options, language = _plainly(options), options.language(asked)
    surveyed = survey(dataset, options.noise, options.robust, options.seed)
    if dataset.units is not None and not options.unit_constants:
        said, options = _with_units(surveyed, options)
        surveyed = surveyed.noted(said)
    passes = _Passes(surveyed, options, language, library, asked, budget, checkpoint)
    try:
        kept = nullcontext() if checkpoint is None else checkpoint.kept()
        # a search looks beyond every domain, at matrices too small to be shared: of two threads one waits
        with unwrapped(), kept, watchdog(budget), np.errstate(all="ignore"), one_thread():
            reason = passes.explored()
            if passes.archive.trial.dimensions is not None and not budget.exhausted:
                if reason != BEYOND_UNITS and (run := passes.concluded(reason)).verdict.kind != STRUCTURE:
                    return run
                passes.freed_of_units()
                reason = passes.explored()
        return passes.concluded(reason)
    except KeyboardInterrupt:
        # the watchdog's interrupt and a person's look alike; the clock tells them apart
        budget.cancelled = not budget.exhausted
        return passes.concluded(budget.reason)
    except BaseException as stopped:
        # an alarm's exception goes on its way, but the best so far goes with it
        if passes.archive.best and not isinstance(stopped, InputError):
            stopped.run = passes.concluded("interrupted")  # type: ignore[attr-defined]
        raise


@dataclass(eq=False)
class _Passes:
    """Hold the search of one table while it goes on: what is known of the rows, and what was found so far.

    A pass looks at the rows with the weights that the survey gives them; its best formula may suggest others.
    `led_before` is the best form of the pass before, if it ended; repeated rows or a look show `noisy` ones.
    """

    surveyed: Survey
    options: Options
    language: Language
    library: Library
    asked: Template | None
    budget: Budget
    checkpoint: Checkpoint | None
    begun: int = 0
    unweighed: dict[str, Sequence[Candidate]] = field(default_factory=dict)
    familiar: Sequence[Candidate] = ()
    led_before: str | None = None
    noisy: bool = field(init=False)

    def __post_init__(self) -> None:
        """Begin with an archive of a person's guesses."""
        self.archive = _begun(self.surveyed, self.library, self.language, self.options)
        self.noisy = self.surveyed.scattered

    def explored(self) -> str:
        """Search, look again at what the best formula leaves out or weighs otherwise; return why it ended."""
        reason, searched, compared = self._explored(1.0), [self.surveyed.kept], False
        early = reason == OTHER_NOISE
        for _ in range(MOST_LOOKS + early):
            looked = looked_again(self.surveyed, self.archive, self.options.noise, self.options.robust)
            if looked is None or reason == BEYOND_UNITS:
                break
            before, self.led_before = self.surveyed, None if reason == OTHER_NOISE else self.archive.form
            self._begin_anew(looked)
            back = self.leads_again and only_more(before, looked, self.archive)
            done = compared or back or self.budget.exhausted
            if not done and not settled(self.surveyed, self.archive, reason):
                share = 1.0 if reason == OTHER_NOISE else SECOND
                # an exact law of these rows would have been one of fewer
                reason = self._explored(share, any(looked.kept[rows].all() for rows in searched))
                searched.append(looked.kept)
                # of one column every familiar curve has been fitted to two sets of weights then
                compared = len(looked.dataset.names) == 1
        return reason

    @property
    def leads_again(self) -> bool:
        """Tell whether the best formula has the form that was the best in the pass before.

        Of one column that is enough once familiar curves have all been compared anew; of several, where
        formulas are many more, it is before looks that were made in the pass before and take longest.
        """
        return self.led_before is not None and self.archive.form == self.led_before

    @property
    def misweighed(self) -> bool:
        """Tell whether the first look that stands noise shows it to be other than the survey held it for.

        Wrong weights hide a law from all that comes after, and from the tests that end a search.
        """
        if self.begun > 1:
            return False
        return looked_again(self.surveyed, self.archive, self.options.noise, self.options.robust) is not None

    def offered(
        self, step: Step, candidates: Iterator[Candidate], weighed: bool, ending: Ending
    ) -> Iterator[Candidate]:
        """Yield the candidates of a step, or what a look without weights found of rows `weighed` anew.

        Until what is to come cannot be shorter than what stands.
        """
        if weighed and step.name in self.unweighed:
            yield from self.unweighed[step.name]
            return
        found = []
        for candidate in candidates:
            if ending.beaten(candidate.least):
                self.budget.spend(BEATEN)
                return
            self.noisy |= candidate.noise
            found.append(candidate)
            yield candidate
        if step.producer in registry.UNWEIGHED:
            self.unweighed[step.name] = found
        if step.familiar:
            self.familiar = found

    def freed_of_units(self) -> None:
        """Let constants have units from now on: no law without them was found."""
        self.options = replace(self.options, unit_constants=True)
        self._begin_anew(self.surveyed.noted(NO_LAW_IN_UNITS, instead=IN_UNITS))

    def concluded(self, reason: str) -> Run:
        """Return the run as it stands."""
        options = self.options
        with np.errstate(all="ignore"):
            return conclude(
                self.surveyed, self.archive, options.to_dict(), options.selection, reason, self.budget
            )

    def _begin_anew(self, surveyed: Survey) -> None:
        """Judge what was found so far on other rows or weights."""
        earlier, self.surveyed = self.archive, surveyed
        self.archive = _begun(surveyed, self.library, self.language, self.options)
        rejudge(earlier, self.archive)

    def _explored(self, share: float, weighed: bool = False) -> str:
        """Search once, with this share of the usual patience; return why it ended.

        Rows that are only `weighed` otherwise than before were asked for exact laws already.
        """
        memory = Memory() if self.checkpoint is None else self.checkpoint.memory(self.begun)
        self.begun += 1
        reason = _looks(self, memory, share, weighed)
        if reason != self.budget.reason:  # time and work may be more the next time
            memory.reason = reason
        take_limits(self.archive)
        return reason


def _answer_guesses(archive: Archive, texts: Sequence[str], dataset: Dataset) -> None:
    """Fit and judge a person's own formulas; those that are defined nowhere are noted in the history."""
    for guess in [Guess.parse(text, dataset.names) for text in texts]:
        with shielded(), np.errstate(all="ignore"):
            law = guess.judged(archive.trial.free, dataset)
        if law is not None:
            archive.guesses.append(law)
        else:
            figures = {"equation": guess.text, "complexity": None, "heldout_share": None}
            why = {"event": "refused", "source": guess.source, "reason": "undefined on the rows"}
            archive.history.append({**why, **figures})


def _assuming(options: Options, dataset: Dataset) -> Options:
    """Return the options with a person's hypotheses written as a template and a choice of functions."""
    written = (*options.guesses, *filter(None, [options.template]))
    inputs.refuse_sources({name for text in written for name in names_in(text)[1]}, dataset.made)
    if not options.hypotheses:
        return options
    texts = [options.hypotheses] if isinstance(options.hypotheses, str) else list(options.hypotheses)
    asked = Hypotheses.parse(texts if options.template is None else [options.template, *texts], dataset.names)
    return replace(
        options, hypotheses=tuple(texts), template=asked.template, only=(*options.only, *asked.only)
    )


def _worth_a_look(dataset: Dataset, options: Options) -> Dataset:
    """Return the dataset without repeated inputs and those of many that matter least; guessed ones stay."""
    guessed = {name for text in options.guesses for name in names_in(text)[1]}
    return dataset.distinct(guessed).screened(seed=options.seed, keep=guessed)


def _plainly(options: Options) -> Options:
    """Return the options without what "auto" does for least squares where another loss is asked for."""
    if Loss.of(options.loss).squared:
        return options
    noise = "additive" if options.noise == "auto" else options.noise
    return replace(options, noise=noise, robust="off" if options.robust == "auto" else options.robust)


def _begun(surveyed: Survey, library: Library, language: Language, options: Options) -> Archive:
    """Return an archive with a person's guesses only; Huber's loss bends where the rows' own noise says."""
    penalty = Loss.of(options.loss).bent(surveyed.usual_error)
    rows = surveyed.dataset
    penalty.values(rows.y, rows.y)  # a person's function that cannot be used is refused at once
    trial = Trial.of(rows, library, options.seed, options.unit_constants, penalty, surveyed.middle(penalty))
    trial = replace(trial, language=language, rounding=options.rounding)
    levels = sum(map(len, rows.categories.values()))
    archive = Archive(trial, options.limit(len(rows.names)) + LEVEL_NODES * levels)
    _answer_guesses(archive, options.guesses, rows)
    return archive


def _looks(passes: _Passes, memory: Memory, share: float, weighed: bool) -> str:
    """Try what needs no search, then every producer's step in turn; return why it ended.

    What `memory` knows of an earlier, broken search is judged again first, and looks that were over are left
    out. `share` is of the usual patience; rows only `weighed` otherwise were asked for exact laws before.
    """
    archive, options, budget = passes.archive, passes.options, passes.budget
    trial = archive.trial
    with shielded():  # however short the time, there is an answer, and the same one every time
        opened(archive, options.starts, options.template is None, thorough=False)
    if budget.exhausted:
        return budget.reason
    tried = recalled(archive, budget, memory)
    if memory.reason:
        return memory.reason
    rows, again = trial.dataset.subsample(SEARCH_ROWS, options.seed), passes.led_before is not None
    steps = [
        s
        for s in steps_of(rows, trial, options, passes.asked, passes.surveyed.clear, again)
        if s.name not in memory.finished and not (weighed and s.producer in registry.EXACT)
    ]
    patience = Patience(passes.surveyed, archive, budget, max(options.effort, 1.0) * share)
    return _search(passes, steps, tried, patience, memory, weighed)


def _search(
    passes: _Passes, steps: list[Step], tried: set[str], patience: Patience, memory: Memory, weighed: bool
) -> str:
    """Take what every step offers into the archive, one after the other; return why it ended.

    Looks, candidates, formulas and laws are four loops deep, since a search may end after each of them.
    """
    archive, options, budget, trial = passes.archive, passes.options, passes.budget, passes.archive.trial
    ending = ending_with(passes.surveyed, archive, steps)
    compared, asked = not any(step.familiar for step in steps), registry.BLURRED.name in memory.finished
    ahead = {s.name: s.producer for s in steps if s.producer.takes(s.dataset)}
    for step, candidates in schedule.looks(steps, budget, trial.library, options.seed, options.jobs):
        if idle(step, ending, asked, passes.noisy):
            ahead.pop(step.name, None)
            continue
        if step.producer.level > Level.QUICK and ending.proved():  # plainer ones are for the quick looks
            return PROVED
        if step.producer.level == Level.DEEP and passes.leads_again:
            return SAME_AGAIN
        name, offered, graphs, ending.led = step.name, False, False, archive.leader
        budget.tell(name, *best_of(archive))
        for candidate in passes.offered(step, candidates, weighed, ending):
            offered = True
            if candidate.graph is not None:
                graphs = True
                archive.add_graph(candidate.graph, candidate.source)
            for formula in formulas(candidate, trial, tried):
                take_in(formula, candidate.source, archive, budget, memory, name, step.familiar)
                if archive.settled(budget.used):
                    return PROVED
                patience.fitted()
            if budget.exhausted:
                return budget.reason
            if why := over(ending, patience, compared, step, asked, within=True, ahead=ahead.values()):
                return why
        if step is steps[0]:  # what is exact needs no nice constants of lines
            opened(archive, options.starts, options.template is None)
        if step.familiar and (why := familiar_ends(ending, passes.surveyed, archive, passes.familiar)):
            return why
        if step.familiar and passes.leads_again and len(trial.names) == 1:
            return SAME_AGAIN
        if (step.only and offered) or (step.settles and of_levels(archive)):
            break
        ahead.pop(name, None)
        compared |= step.familiar  # what drifts looks like noise about a constant until one has been tried
        ending.most = PLAIN if step.producer is registry.RIDGES else ending.most
        asked = asked or (step.producer is registry.BLURRED and step.producer.takes(step.dataset))
        amend(step.producer, archive, ending, budget, memory, tried)
        if why := over(ending, patience, compared, step, asked, within=False, ahead=ahead.values()):
            return why
        if not graphs:  # those are kept by no memory
            memory.finish(name, budget.used)
        if stands_noise(step) and not budget.exhausted and passes.misweighed:
            return OTHER_NOISE
    return "everything was tried"


def _with_units(surveyed: Survey, options: Options) -> tuple[str, Options]:
    """Return a word on what units mean for a table's laws, and the options that follow.

    Where the one product of inputs that has the target's unit is not the law, and no dimensionless group is
    left to correct it, only constants with units can.
    """
    rows = surveyed.dataset
    product = dimensions.product(rows)
    if product is None:
        return (
            "no product of inputs has the target's unit, so the law's constants may have any units",
            options,
        )
    if dimensions.groups_of(rows):
        return IN_UNITS, options
    values = valued(product, symbols(rows.names), rows.X)
    p = np.broadcast_to(1.0 if values is None else values, rows.y.shape)
    factor = np.average(p * rows.y, weights=rows.weights) / np.average(p * p, weights=rows.weights)
    left = (rows.y - factor * p) * roots(rows.weights, rows.rows)
    if np.sqrt(np.mean(left**2)) <= MEASURABLY * surveyed.usual_error:
        return IN_UNITS, options
    return NO_LAW_IN_UNITS, replace(options, unit_constants=True)

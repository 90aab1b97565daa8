"""From what a search has found to its frozen result: the front, the choice, the words."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.errors import InputError
from kansym.base.linear import TINY
from kansym.data.dataset import Dataset
from kansym.formula import expression as expressions
from kansym.formula import uncertainty
from kansym.formula.grammar import form
from kansym.formula.polish import Rows, polish
from kansym.functions.evaluate import evaluate, parameters
from kansym.judge import choice, pareto
from kansym.judge.archive import Archive, Smooth
from kansym.judge.band import Band
from kansym.judge.between import places
from kansym.judge.doubt import doubt
from kansym.judge.guess import GUESS, euler
from kansym.judge.kinds import NoiseModel
from kansym.judge.refine import MOST_CONSTANTS, NEAR, normalised, with_all_rows
from kansym.judge.rivals import rivals
from kansym.judge.scorer import Judged, exact, judge, price, within
from kansym.judge.smooth import as_graph
from kansym.judge.survey import Survey
from kansym.judge.trial import Trial
from kansym.judge.verdict import LAW, NOISE, STRUCTURE, Fit, Verdict, verdict
from kansym.pipeline.familiar import by_level, in_customary_constants
from kansym.pipeline.run import ConstantReport, Law, Run
from kansym.search.families import exponentials
from kansym.search.families.family import Families

FRONT_ROWS = 100_000
"""Rows that the front is fitted and compared on; the chosen law is then refitted on every row."""

WORTH_A_ROW = 0.99
"""A larger formula gets a row of the front when it leaves less than this share of what smaller ones leave."""

FEW_CONSTANTS = 3
"""Free constants up to which a formula gets its nicest form even when the time is up: each costs seconds."""

FEW_VALUES = 2
"""Different values of a column up to which any function of it is as good as a straight line."""

SAME_LOSS = 1e-9
"""Relative difference of losses up to which two laws of one size have the same values."""

SAME_DIGITS = 5
"""Formulas whose constants agree to so many digits are one row of the front."""

SMOOTH_GAIN = 0.7
"""A smooth fit joins the front when its held-out loss is below this share of the best formula's."""


def conclude(
    survey: Survey, archive: Archive, options: dict[str, Any], selection: str, reason: str, budget: Budget
) -> Run:
    """Return the run: the front refitted on all rows, one row chosen by the rule `selection`.

    Where the verdict is noise, the constant is chosen. Raises InputError when no formula is defined on all
    rows.
    """
    trial, dataset = archive.trial, survey.dataset
    families = Families.load(options.get("families", "off"))
    kept = _in_normal_form(archive, families, budget.exhausted)
    shown = dataset.subsample(FRONT_ROWS)
    fitted = (with_all_rows(law, shown, trial) for law in kept)
    refitted, everything = [law for law in fitted if math.isfinite(law.loss)], trial.rows_of(shown)
    if not refitted:
        raise InputError(f"No formula is defined on all {dataset.rows} rows; widen the library.")
    front = _with_guesses(_front(refitted, everything.floor), archive.guesses)
    chosen = _chosen(front, everything.floor, selection)
    found = _verdict(survey, front[chosen], archive)
    if found.kind == NOISE and front[chosen].expression.free_symbols:
        front, chosen = _with_constant(front, trial), 0
    scores = pareto.scores([law.complexity for law in front], [law.loss for law in front])
    if shown is not dataset:
        front[chosen] = with_all_rows(front[chosen], dataset, trial)
    leader = front[chosen] = _chosen_again(front[chosen], archive)
    proved = exact(leader, trial)
    if proved and reason.startswith("every"):
        reason = "proved exact on held-out rows"
    laws = [
        _law(law, score, trial, trial.rows_of(dataset) if law is leader else everything)
        for law, score in zip(front, scores, strict=True)
    ]
    level_with = [
        replace(_law(law, 0.0, trial, trial.rows_of(shown)), note=note)
        for law, note in rivals(archive, leader, shown.X)
    ]
    smooth = archive.smooth or (_trend_of(survey, trial) if found.kind == STRUCTURE else None)
    laws = [_answered(law, leader.length) for law in laws] + _smooth_end(smooth, front, everything)
    laws = [in_customary_constants(law, everything, families, i == chosen) for i, law in enumerate(laws)]
    level = partial(by_level, rows=everything, categories=tuple(dataset.categories.values()))
    laws, chosen = _each_once(list(map(level, laws)), chosen)
    level_with = [law for law in map(level, level_with) if not _alike(law, laws[chosen])]
    seen = survey.noise.seen_by(leader.loss) if found.kind == LAW else survey.noise
    return Run(
        front=_with_bands(laws, chosen, leader, archive, everything, survey.noise),
        chosen=chosen,
        data=_facts(survey.whole, trial),
        options=options,
        noise=0.0 if proved else _usual_error(replace(survey, noise=seen), leader, trial),
        noise_model=seen,
        outliers=survey.outliers_of(laws[chosen].predict(survey.whole.X, survey.whole.names)),
        verdict=found,
        stop_reason=reason,
        seconds=budget.elapsed,
        history=tuple(archive.history),
        rivals=tuple(level_with),
        graphs={} if smooth is None else {f"before snapping: {smooth.source}": smooth.graph},
        trust=_trust(leader, trial, proved, found, bool(level_with))
        + places(leader.expression, dataset.names, dataset.X),
    )


def _with_bands(
    laws: list[Law], chosen: int, leader: Judged, archive: Archive, rows: Rows, noise: NoiseModel
) -> tuple[Law, ...]:
    """Return the front with its bands: the choice is in doubt, not the other rows."""
    doubted = doubt(leader, [*archive.candidates, *archive.others], archive.trial.train)
    return tuple(_finished(law, rows, noise, doubted if i == chosen else 1.0) for i, law in enumerate(laws))


def _in_normal_form(archive: Archive, families: Families, late: bool) -> list[Judged]:
    """Return the front with the likely laws in their nicest forms: where it is `late`, few of them."""
    trial = archive.trial
    kept = _front(archive.candidates, trial.train.floor)
    # out of time, only the leader and what is simpler are worth the seconds, and only where they are few
    leader = min(kept, key=lambda law: law.length)
    most = FEW_CONSTANTS if late else MOST_CONSTANTS
    for law in [law for law in kept if law.length <= archive.shortest + NEAR]:
        # a family's curve is written as people write it: of many constants other forms cost too much
        least = FEW_CONSTANTS if law.source in families or law.source == exponentials.SOURCE else most
        if len(law.polished.theta) <= least and not (late and law.complexity > leader.complexity):
            archive.add(normalised(law, trial))
    return _front(archive.candidates, trial.train.floor)


def _chosen(front: list[Judged], floor: float, selection: str) -> int:
    """Return the row of a front that a selection rule picks; left-out rows are met below the `floor`."""
    rows = [
        pareto.Row(law.loss, law.complexity, law.length, max(law.heldout, floor), len(law.polished.theta))
        for law in front
    ]
    return pareto.choose(rows, selection)


def _chosen_again(law: Judged, archive: Archive) -> Judged:
    """Return the chosen law; of a tiny table, what it is off by on rows left out counts the choice, too."""
    trial = archive.trial
    if (
        not trial.tiny
        or not trial.train.penalty.squared
        or exact(law, trial)
        or not law.expression.free_symbols
    ):
        return law
    found = choice.heldout(law, [*archive.candidates, *archive.others], trial)
    # where one row decides a constant, fits without it are the only figure
    return replace(law, heldout=found if choice.decided(law, trial) else max(law.heldout, found))


def _usual_error(survey: Survey, law: Judged, trial: Trial) -> float:
    """Return the usual size of an error in the target's unit: 1, where the table states every row's own."""
    if trial.sigma2 is not None:
        return 1.0
    return survey.usual_error if survey.noise.founded else math.sqrt(law.loss)


def _constant(trial: Trial) -> Judged:
    """Return the best constant, whatever its unit."""
    fitted = polish(sympy.Float(trial.train.centre), trial.train)
    assert fitted is not None  # a constant is defined everywhere
    return judge(fitted, fitted, trial, "constant")


def _verdict(survey: Survey, law: Judged, archive: Archive) -> Verdict:
    """Return what the chosen formula makes of the surveyed rows."""
    trial, rows, constant = archive.trial, survey.dataset, _constant(archive.trial)
    fit = Fit(
        law.polished.program.value(rows.X, law.polished.theta),
        not law.expression.free_symbols,
        exact(law, trial),
        law.heldout if trial.train.penalty.squared else 0.0,
        constant.length - law.length,
        price(law.polished, trial),
        within(law, trial),
        1 - law.heldout / trial.power if trial.tiny and trial.power > 0 else 0.0,
        float(constant.expression),
    )
    return verdict(survey, fit)


def _with_constant(front: list[Judged], trial: Trial) -> list[Judged]:
    """Return the front with the constant at its simple end."""
    constant = _constant(trial)
    return [constant, *(law for law in front if law.complexity > constant.complexity)]


def _front(laws: list[Judged], floor: float) -> list[Judged]:
    """Return the laws that nothing simpler beats on the rows fitted, by rising complexity.

    Larger ones than the shortest description must hold better on rows left out, too. The shortest description
    is always among them, also where a formula beats it in both size and loss and still needs more nats (for
    constants of many digits that cancel); that formula is shown as well.
    """
    leader = min(laws, key=lambda law: (round(law.length, pareto.NATS_DIGITS), law.complexity))
    kept: list[Judged] = []
    for law in pareto.front(laws, lambda law: law.complexity, lambda law: law.loss, floor):
        better = law.complexity <= leader.complexity or all(
            max(law.heldout, floor) < max(other.heldout, floor) for other in kept
        )
        worth = all(max(law.loss, floor) < WORTH_A_ROW * max(other.loss, floor) for other in kept)
        if law is leader or (better and worth):
            kept.append(law)
    if not any(law is leader for law in kept):
        kept = sorted((*kept, leader), key=lambda law: (law.complexity, law.loss))
    return kept


def _with_guesses(front: list[Judged], guesses: list[Judged]) -> list[Judged]:
    """Return the front with a person's guesses on it, whatever they are worth."""
    theirs = {expressions.text(law.expression, SAME_DIGITS) for law in guesses}
    others = [law for law in front if expressions.text(law.expression, SAME_DIGITS) not in theirs]
    return sorted((*others, *guesses), key=lambda law: (law.complexity, law.loss))


def _each_once(laws: list[Law], chosen: int) -> tuple[list[Law], int]:
    """Return the front without rows that say what the chosen one says, in its family's constants or with
    its numbers measured where it has exact ones, in order.

    What a person guessed stays.
    """
    law = laws[chosen]
    kept = [w for w in laws if w is law or not _same(w, law) or w.source.startswith(GUESS)]
    kept = sorted(kept, key=lambda one: one.complexity)
    return kept, next(i for i, one in enumerate(kept) if one is law)


def _alike(one: Law, other: Law) -> bool:
    """Tell whether two laws are the same, or of one form whatever its numbers, as they are shown."""
    shown = [law.expression for law in (one, other) if law.expression is not None]
    return _same(one, other) or (len(shown) == 2 and form(shown[0]) == form(shown[1]))


def _same(one: Law, other: Law) -> bool:
    """Tell whether two laws are one formula, or of one size with the same form or values, in two ways."""
    if one.equation == other.equation or one.complexity != other.complexity:
        return one.equation == other.equation
    alike = math.isclose(one.loss, other.loss, rel_tol=SAME_LOSS) and other.loss > 0 and bool(other.family)
    measured = one.expression is not None and other.expression is not None and not other.exact
    return alike or (measured and form(one.expression) == form(other.expression))


def _trend_of(survey: Survey, trial: Trial) -> Smooth | None:
    """Return the smooth trend that the survey saw, where it is a sum of curves of one column each."""
    X, target = survey.dataset.X, survey.dataset.target
    graph = None if survey.trend is None else as_graph(survey.trend, X, trial.names, target)
    if graph is None:
        return None
    loss = trial.train.loss(evaluate(graph, trial.train.X)[:, 0])
    return Smooth(graph, loss, survey.trend_loss, "smooth trend")


def _smooth_end(smooth: Smooth | None, front: list[Judged], rows: Rows) -> list[Law]:
    """Return the smooth fit as a row of the front where it explains clearly more than every formula."""
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
    """Return a judged formula as a law of the front, its constants' errors from all rows."""
    named = law.polished.free if law.source.startswith(GUESS) else ()
    if not all(c.name.isidentifier() for c in named):
        named = ()  # numbers of theirs without names
    reports = tuple(ConstantReport.of(c) for c in named or uncertainty.numbers(law.expression, everything))
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
        note=f"alias: {law.fault}" if law.fault else "",
    )


def _finished(law: Law, rows: Rows, noise: NoiseModel, doubted: float) -> Law:
    """Return a law of the front with its prediction band; with another loss than the square, in that loss."""
    if not rows.penalty.squared:
        # a band about a quantile, or by a person's own loss, would say nothing of new rows
        values = law.predict(rows.X, [str(s) for s in rows.symbols])
        half = rows.penalty.degree(values, rows.y) / 2
        return replace(law, loss=law.loss**half, heldout_loss=law.heldout_loss**half)
    formula = law.expression if law.unrounded is None else law.unrounded
    constants = law.complexity if formula is None else len(formula.atoms(sympy.Float))
    loss = law.loss
    if noise.heavy:  # rows far off weigh less in the fit, and are as likely as before among new ones
        values = law.predict(rows.X, [str(s) for s in rows.symbols])
        loss = float(np.mean((values - rows.y) ** 2 / noise.variance(values)))
    return replace(law, band=Band.of(formula, constants, loss, rows, noise, doubted))


def _answered(law: Law, shortest: float) -> Law:
    """Return a person's guess with a note that compares it with the chosen law; other laws as they are."""
    if not law.source.startswith(GUESS):
        return law
    more = law.length - shortest
    said = "as few nats as" if more == 0 else f"{abs(more):.3g} nats {'more' if more > 0 else 'fewer'} than"
    text = law.source.removeprefix(f"{GUESS}: ")
    note = f"your guess {text}: it describes the rows in {said} the chosen law"
    columns = set() if law.expression is None else {str(s) for s in law.expression.free_symbols}
    constant = "" if columns & {"e", "E"} else euler(text)
    return replace(law, note="; ".join(part for part in (note, constant, law.note) if part))


def _facts(dataset: Dataset, trial: Trial) -> dict[str, Any]:
    """Return what a report says of the table."""
    return {
        "names": list(dataset.names),
        "target": dataset.target,
        "rows": dataset.rows,
        "heldout_rows": 0 if trial.heldout is None else len(trial.heldout.y),
        "hash": dataset.hash,
        "source": dataset.source,
        "units": dict(dataset.unit_texts or {}),
        "made": {n: asdict(how) for n, how in dataset.made.items()},
        "weighted": dataset.weights is not None,
        "usual_error": _stated_error(dataset),
        "ranges": {n: [float(x.min()), float(x.max())] for n, x in zip(dataset.names, dataset.X.T)},  # noqa: B905
        "target_range": [float(dataset.y.min()), float(dataset.y.max())],
        "target_spread": math.sqrt(trial.power),
        "notes": list(dataset.notes),
    }


def _stated_error(dataset: Dataset) -> float | None:
    """Return the root mean square of the measurement errors, in the target's unit; None without any."""
    if not dataset.absolute or dataset.weights is None:
        return None
    return math.sqrt(float(np.mean(1 / np.maximum(dataset.weights, TINY))))


def _trust(law: Judged, trial: Trial, proved: bool, found: Verdict, rivalled: bool) -> str:
    """Return how far to trust the chosen law, as a sentence."""
    share = math.sqrt(max(law.heldout, 0.0) / trial.power)
    rows = "each row left out in turn" if trial.heldout is None else f"{len(trial.heldout.y)} held-out rows"
    if proved:
        few = _columns_of_few_values(trial)
        if rivalled or few:
            others = " and so do others, below: the rows cannot tell which is the law" if rivalled else ""
            return f"It reproduces {rows} to round-off{others}{few}."
        return f"It reproduces {rows} to round-off: within the data's range, this is the law."
    if not law.expression.free_symbols or found.kind == NOISE:
        permitted = "" if trial.language.free else " with the functions and operators permitted"
        return f"{found.name.capitalize()}, no law was found{permitted}: {found.reason}."
    off = f"On {rows} it is off by {share:.2g} of the target's spread"
    if found.kind != LAW:
        return f"{off}: {found.name}."
    if share < 0.05:
        return f"{off}: good within the data's range."
    if share < 0.5:
        return f"{off}: a trend with noise about it."
    if share < 0.95:
        return f"{off}: a trend under much noise; it explains {1 - share**2:.0%} of the variance."
    return f"{off}: do not rely on it."


def _columns_of_few_values(trial: Trial) -> str:
    """Return the end of a sentence: a tiny table's columns of one or two values, which any function fits."""
    if not trial.tiny:
        return ""
    X, names = trial.train.X, trial.names
    few = [(n, len(np.unique(x))) for n, x in zip(names, X.T, strict=True)]
    listed = ", ".join(f"{n} takes {count}" for n, count in few if count <= FEW_VALUES)
    return f"; of how it depends on a column, few values say little ({listed})" if listed else ""

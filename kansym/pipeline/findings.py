"""From what a search has found to its frozen result: the front, the choice, the words."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.errors import InputError
from kansym.data.dataset import Dataset
from kansym.formula import expression as expressions
from kansym.formula import uncertainty
from kansym.formula.polish import Rows, polish
from kansym.formula.program import parametrise
from kansym.functions.evaluate import evaluate, parameters
from kansym.judge import pareto
from kansym.judge.archive import Archive
from kansym.judge.band import Band
from kansym.judge.noise import NoiseModel
from kansym.judge.refine import MOST_CONSTANTS, NEAR, Judged, Trial, exact, judge, normalised, with_all_rows
from kansym.judge.survey import Survey
from kansym.judge.verdict import LAW, NOISE, Fit, Verdict, verdict
from kansym.pipeline.run import ConstantReport, Law, Run

FRONT_ROWS = 100_000
"""Rows that the front is fitted and compared on; the chosen law is then refitted on every row."""

WORTH_A_ROW = 0.99
"""A larger formula gets a row of the front when it leaves less than this share of what smaller ones leave."""

FEW_CONSTANTS = 3
"""Free constants up to which a formula gets its nicest form even when the time is up: each costs seconds."""

RIVAL_NATS = 6.0
"""Formulas within this many nats of the chosen one are its rivals: the data hardly prefer either."""

MOST_RIVALS = 5

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
    kept = _front(list(archive.best.values()), trial.train.floor)
    # out of time, only the leader and what is simpler are worth the seconds, and only where they are few
    leader = min(kept, key=lambda law: law.length)
    most = FEW_CONSTANTS if budget.exhausted else MOST_CONSTANTS
    for law in [law for law in kept if law.length <= archive.shortest + NEAR]:
        if len(law.polished.theta) <= most and not (budget.exhausted and law.complexity > leader.complexity):
            archive.add(normalised(law, trial))
    kept = _front(list(archive.best.values()), trial.train.floor)
    shown = dataset.subsample(FRONT_ROWS)
    laws = [with_all_rows(law, shown, trial) for law in kept]
    everything = _rows(shown, trial)
    laws = [law for law in laws if math.isfinite(law.loss)]
    if not laws:
        raise InputError(f"No formula is defined on all {dataset.rows} rows; widen the library.")
    front = _front(laws, everything.floor)
    scores = pareto.scores([law.complexity for law in front], [law.loss for law in front])
    chosen = pareto.choose([law.loss for law in front], scores, [law.length for law in front], selection)
    found = _verdict(survey, front[chosen], archive)
    if found.kind == NOISE and front[chosen].expression.free_symbols:
        front, chosen = _with_constant(front, trial), 0
        scores = pareto.scores([law.complexity for law in front], [law.loss for law in front])
    if shown is not dataset:
        front[chosen] = with_all_rows(front[chosen], dataset, trial)
    leader = front[chosen]
    sigma = math.sqrt(leader.loss) if trial.sigma2 is None else 1.0
    if trial.sigma2 is None and survey.noise.founded:
        sigma = float(survey.noise.deviation(np.median(np.abs(dataset.y), keepdims=True))[0])
    proved = exact(leader, trial)
    if proved and reason.startswith("every"):
        reason = "proved exact on held-out rows"
    laws_out = [
        _law(law, score, trial, _rows(dataset, trial) if law is leader else everything)
        for law, score in zip(front, scores, strict=True)
    ]
    laws_out += _smooth_end(archive, front, everything)
    laws_out = [_banded(law, everything, survey.noise) for law in laws_out]
    return Run(
        front=tuple(laws_out),
        chosen=chosen,
        data=_facts(survey.whole, trial),
        options=options,
        noise=0.0 if proved else sigma,
        noise_model=survey.noise,
        outliers=survey.outliers,
        verdict=found,
        stop_reason=reason,
        seconds=budget.elapsed,
        history=tuple(archive.history),
        rivals=() if proved else tuple(_rivals(archive, leader, shown, trial)),
        graphs={}
        if archive.smooth is None
        else {f"before snapping: {archive.smooth.source}": archive.smooth.graph},
        trust=_trust(leader, trial, proved, found),
    )


def _constant(trial: Trial) -> Judged:
    """Return the best constant, whatever its unit."""
    fitted = polish(sympy.Float(float(np.average(trial.train.y, weights=trial.train.weights))), trial.train)
    assert fitted is not None  # a constant is defined everywhere
    return judge(fitted, fitted, trial, "constant")


def _verdict(survey: Survey, law: Judged, archive: Archive) -> Verdict:
    """Return what the chosen formula makes of the surveyed rows."""
    trial, rows = archive.trial, survey.dataset
    fit = Fit(
        law.polished.program.value(rows.X, law.polished.theta),
        not law.expression.free_symbols,
        exact(law, trial),
        law.heldout,
        _constant(trial).length - law.length,
        trial.price(law.polished),
    )
    return verdict(survey, fit)


def _with_constant(front: list[Judged], trial: Trial) -> list[Judged]:
    """Return the front with the constant at its simple end."""
    constant = _constant(trial)
    return [constant, *(law for law in front if law.complexity > constant.complexity)]


def _rows(dataset: Dataset, trial: Trial) -> Rows:
    return Rows(dataset.X, dataset.y, dataset.weights, trial.train.symbols, trial.sigma2)


def _front(laws: list[Judged], floor: float) -> list[Judged]:
    """Return the laws that nothing simpler beats, neither on the rows fitted nor on those held out.

    The shortest description is always among them: a formula that beats it in both size and loss and still
    needs more nats (for constants of many digits that cancel) is an impostor and gives way.
    """
    leader = min(laws, key=lambda law: law.length)
    honest = [
        law
        for law in laws
        if law is leader
        or law.complexity > leader.complexity
        or max(law.loss, floor) > max(leader.loss, floor)
    ]
    kept: list[Judged] = []
    for law in pareto.front(honest, lambda law: law.complexity, lambda law: law.loss, floor):
        better = all(max(law.heldout, floor) < max(other.heldout, floor) for other in kept)
        worth = all(max(law.loss, floor) < WORTH_A_ROW * max(other.loss, floor) for other in kept)
        if law is leader or (better and worth):
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


def _banded(law: Law, rows: Rows, noise: NoiseModel) -> Law:
    """Return a law of the front with its prediction band."""
    formula = law.expression if law.unrounded is None else law.unrounded
    constants = law.complexity if formula is None else len(formula.atoms(sympy.Float))
    return replace(law, band=Band.of(formula, constants, law.loss, rows, noise))


def _facts(dataset: Dataset, trial: Trial) -> dict[str, Any]:
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
        "ranges": {n: [float(x.min()), float(x.max())] for n, x in zip(dataset.names, dataset.X.T)},  # noqa: B905
        "target_range": [float(dataset.y.min()), float(dataset.y.max())],
        "target_spread": math.sqrt(trial.power),
        "notes": list(dataset.notes),
    }


def _trust(law: Judged, trial: Trial, proved: bool, found: Verdict) -> str:
    share = math.sqrt(max(law.heldout, 0.0) / trial.power)
    rows = "each row left out in turn" if trial.heldout is None else f"{len(trial.heldout.y)} held-out rows"
    if proved:
        return f"It reproduces {rows} to round-off: within the data's range, this is the law."
    if not law.expression.free_symbols or found.kind == NOISE:
        return f"{found.name.capitalize()}, no law was found: {found.reason}."
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


def _form(law: Judged) -> str:
    return expressions.text(parametrise(law.expression)[0])


def _rivals(archive: Archive, leader: Judged, dataset: Dataset, trial: Trial) -> list[Law]:
    """Return formulas of nearly the leader's description length that part from it outside the data.

    Each says at which point of the ranges, made half as wide again, the two differ most: a measurement
    there would decide between them.
    """
    low, high = dataset.X.min(0), dataset.X.max(0)
    room = 0.25 * (high - low)
    points = np.random.default_rng(0).uniform(low - room, high + room, (400, len(low)))
    mine = leader.polished.program.value(points, leader.polished.theta)
    spread, noise = math.sqrt(trial.power), math.sqrt(max(leader.loss, trial.train.floor))
    found: list[Law] = []
    near = [
        law for law in (*archive.best.values(), *archive.others) if law.length < leader.length + RIVAL_NATS
    ]
    # the same form with constants that differ within their errors is no other answer
    forms = {_form(leader)}
    for law in sorted(near, key=lambda law: law.length):
        if (form := _form(law)) in forms:
            continue
        gap = np.abs(law.polished.program.value(points, law.polished.theta) - mine)
        gap[~np.isfinite(gap)] = -1.0
        worst = int(np.argmax(gap))
        if gap[worst] > max(3 * noise, 1e-6 * spread) and len(found) < MOST_RIVALS:
            where = ", ".join(f"{n} = {v:.4g}" for n, v in zip(dataset.names, points[worst], strict=True))
            law_out = _law(law, 0.0, trial, _rows(dataset, trial))
            forms.add(form)
            found.append(replace(law_out, note=f"differs from the chosen law by {gap[worst]:.3g} at {where}"))
    return found

"""Why a search is over, asked after every formula and after every step; and which steps are left out."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from kansym.judge.archive import Archive
from kansym.judge.ending import PLAIN, UNRIVALLED, Ending, Patience
from kansym.judge.refine import BLURRED, refine
from kansym.judge.scorer import exact
from kansym.judge.survey import Survey
from kansym.search import registry
from kansym.search.assumptions import shared
from kansym.search.candidate import Candidate
from kansym.search.producer import Producer
from kansym.search.schedule import Step

PROVED = "proved exact on held-out rows"

ONLY_NOISE = "a short formula leaves nothing but noise"

FAMILIAR = "a familiar curve leaves nothing but noise"

BEYOND_UNITS = "a familiar curve whose constants have units leaves nothing but noise"

FAR_SHORTER = 20.0
"""Nats by which a familiar curve must be shorter than all that units allow to end the search within them."""

WITHIN_ERRORS = "nothing left to explain beyond the measurement errors"

OTHER_NOISE = "the noise is of another kind than it seemed"

SAME_AGAIN = "the same curve comes first with other rows or weights"

DIGITS_MET = "a short formula meets every digit of the target"

WHOLE = "a short formula in whole numbers leaves next to nothing"

NOTHING_BETTER = "nothing better was found for long"


def ending_with(surveyed: Survey, archive: Archive, steps: Sequence[Step]) -> Ending:
    """Return what tells when a search of these steps may end: by few formulas while ridges are to come."""
    ridges = any(s.producer is registry.RIDGES and s.producer.takes(s.dataset) for s in steps)
    return Ending(surveyed, archive, UNRIVALLED if ridges else PLAIN)


def over(
    ending: Ending,
    patience: Patience,
    compared: bool,
    step: Step,
    asked: bool,
    within: bool,
    ahead: Collection[Producer],
) -> str:
    """Return why a search is over, `within` a step or after it, if it is.

    The tree was `asked` in noise; `ahead` are the looks that are still to come.
    """
    # familiar curves are all compared before one of them ends the search
    if within and not step.familiar and ending.within_errors():
        return WITHIN_ERRORS
    if ending.digits_met():
        return DIGITS_MET
    sees_few_rows = any(producer in registry.OF_FEW_ROWS for producer in ahead)
    if not (within or step.familiar or sees_few_rows) and ending.nothing_there():
        return "the rows look like shuffled ones: nothing but noise"
    if within and step.producer is registry.RIDGES:
        asked = False  # they are all there by then, and the likeliest may not be the first
    waited = patience.waited if asked else 0.0
    if compared and (asked or not within) and ending.short_enough(asked, waited, within):
        return ONLY_NOISE
    # what leaves little may approximate a law that only the structure search names: Planck's by three modes;
    # what is of that search itself comes after the ridges that could beat it
    untried = registry.STRUCTURE in ahead
    own = step.producer is registry.STRUCTURE and ending.news
    if compared and (own or not untried) and ending.whole():
        return WHOLE
    return NOTHING_BETTER if compared and patience.spent and not (untried and ending.lengthy) else ""


def familiar_ends(ending: Ending, surveyed: Survey, archive: Archive, candidates: Sequence[Candidate]) -> str:
    """Return why a search is over once familiar curves have been compared, if it is.

    Nothing is left beyond the errors; one leaves nothing but noise; or one does that the columns' units
    forbid, while all that they allow leaves far more: then the law's constants have units, and longer looks
    without them are in vain.
    """
    if ending.within_errors():
        return WITHIN_ERRORS
    sources = {"linear", *(c.source for c in candidates)}  # a straight line needs no handbook
    if ending.familiar_enough(sources):
        return FAMILIAR
    if archive.trial.dimensions is None:
        return ""
    free = Archive(replace(archive.trial, dimensions=None), archive.maxsize)
    for law in archive.best.values():
        free.add(law)
    for candidate in candidates:
        if candidate.expression is not None and not archive.trial.allows(candidate.expression, BLURRED):
            for law in refine(candidate.expression, free.trial, candidate.source, shortest=free.shortest):
                free.add(law)
    far = free.shortest < archive.shortest - FAR_SHORTER
    return BEYOND_UNITS if far and Ending(surveyed, free).familiar_enough(sources) else ""


def settled(surveyed: Survey, archive: Archive, reason: str) -> bool:
    """Tell whether nothing better need be looked for among other rows or weights.

    Where a short formula ended the search before, for this `reason`, it ends this one; and what leaves next
    to nothing does so whatever rows weigh.
    """
    law = archive.leader
    if law is None:
        return False
    ending = Ending(surveyed, archive)
    whole = reason in (WHOLE, DIGITS_MET) or ending.whole()
    return exact(law, archive.trial) or whole or ending.short_enough(reason == ONLY_NOISE, math.inf)


def idle(step: Step, ending: Ending, asked: bool, noisy: bool = False) -> bool:
    """Tell whether a step is left out; the tree was `asked` in noise, or saw that the rows are `noisy`."""
    if noisy and step.producer in registry.OF_FEW_ROWS:
        return True
    if step.producer is registry.FEW_OF_ONE:
        return ending.proved()
    if step.producer is registry.TRANSFORMED:
        return ending.short_enough(asked, math.inf)
    return step.leftovers and ending.only_noise_left()


def stands_noise(step: Step) -> bool:
    """Tell whether a step is one after which its best formula may tell the kind of noise.

    Of one column these are the familiar curves, else looks that weigh the rows alike.
    """
    return step.familiar if len(step.dataset.names) == 1 else step.producer in registry.UNWEIGHED


def of_levels(archive: Archive) -> bool:
    """Tell whether the best formula has constants of its own for some levels of a category."""
    law, levels = archive.leader, archive.trial.dataset.categories.values()
    named = {n for names in levels for n in names}
    return (
        law is not None
        and law.source == shared.SOURCE
        and any(s.name in named for s in law.expression.free_symbols)
    )

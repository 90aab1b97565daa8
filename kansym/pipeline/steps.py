"""The looks of a search in their order: the plan of its producers, with a table's families and categories."""

from __future__ import annotations

from dataclasses import replace

from kansym.data.dataset import Dataset
from kansym.judge.trial import Trial
from kansym.pipeline.options import Options
from kansym.search import registry, schedule
from kansym.search.assumptions import filling, shared
from kansym.search.assumptions.template import Template
from kansym.search.families.family import Families
from kansym.search.schedule import Step


def steps_of(
    rows: Dataset,
    trial: Trial,
    options: Options,
    asked: Template | None,
    noisy: bool = False,
    again: bool = False,
) -> list[Step]:
    """Return the looks of a search in order. Beside a template no other producer may propose.

    Looks for exact laws come late where the rows are clearly `noisy`; of one column, familiar curves come
    before them, and so they do where the table is looked at `again` with other rows or weights.
    """
    if asked is not None:
        return [Step("template", filling.producer(asked), rows)]
    curve_first = (noisy or again) and len(rows.names) == 1
    noisy = noisy and registry.BLURRED.takes(rows)
    producers = registry.producers(options.device, options.kan, noisy)
    steps = schedule.plan(rows, producers, trial.dimensions is not None)
    # of many columns a plain sum that leaves only noise is an answer: longer looks take hours there
    if registry.PURSUIT.takes(rows):
        steps = [replace(s, familiar=s.producer is registry.PURSUIT) for s in steps]
    # quick looks prove what is exact in a fraction of the time that all families take, and what a plane
    # leaves of 30 exact rows of x0*sin(x1*x2) + x3 would pass for noise
    first = 0 if curve_first else sum(s.producer in (registry.TREE, *registry.OF_FEW_ROWS) for s in steps[:3])
    if families := Families.load(options.families):
        steps.insert(first, Step("classics", registry.classics(families), rows, familiar=True))
    if len(rows.names) == 1:
        # of one column, sums and products of two functions are what those of several are in curves of each
        steps = [step for step in steps if step.producer is not registry.SEPARABLE]
        # and what noise hides of short expressions the families' curves are
        steps = [replace(s, leftovers=True) if s.producer is registry.ENUMERATION else s for s in steps]
        steps.insert(first + 1, Step("curves", registry.curves(families), rows))
    if options.categories:
        steps.insert(0, Step("categories", shared.producer({"": options.categories}), rows, only=True))
    elif rows.categories:
        steps.insert(0, Step("categories", shared.producer(rows.categories), rows, settles=True))
    return steps

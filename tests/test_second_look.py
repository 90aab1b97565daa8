"""The kind of noise is asked of the formulas that are nearly the best, too."""

import numpy as np
import pytest

from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression
from kansym.judge.archive import Archive
from kansym.judge.refine import refine
from kansym.judge.survey import survey
from kansym.judge.trial import Trial
from kansym.pipeline.second_look import looked_again

KILOMETRES = np.array([1.0, 1.7, 2.9, 5.0, 8.4, 14.0, 25.0, 42.2])


def archive_of(seen, *texts):
    archive = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
    for text in texts:
        for law in refine(parse_expression(text, ["km"]), archive.trial, text):
            archive.add(law)
    return archive


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_noise_that_grows_is_told_by_the_formula_that_it_suits(share):
    noise = np.random.default_rng(1).normal(size=8)
    y = 3.05 * KILOMETRES**1.07 * (1 + share * noise) + (0.3 * noise if not share else 0.0)
    seen = survey(from_arrays(KILOMETRES, y, ["km"]))
    again = looked_again(seen, archive_of(seen, "3.1*km + 0.004*km**2 - 0.1", "3.0*km**1.1"), "auto", "auto")
    if share:
        assert again is not None and again.noise.kind == "relative"
        assert again.noise.sigma == pytest.approx(share, rel=0.6)
    else:
        assert again is None

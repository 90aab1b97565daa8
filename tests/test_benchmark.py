"""The benchmark of discovery judges scrambled problems as it judges the problems themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import sympy

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from bench_discover import problems, scales, scrambled, table, truth, unscrambled, values


@pytest.mark.parametrize("kind", ["millions", "random"])
def test_a_scrambled_law_comes_back(kind):
    suite = problems("feynman")[:12]
    for problem, by in zip(suite, scales(suite, kind, 3), strict=True):
        changed = scrambled(problem, *by)
        X, y, _ = table(changed, 0.0, 0, 0, 50)
        old = X[:, ::-1] / float(by[0])
        expected = values(truth(problem), old, problem["names"])
        assert y == pytest.approx(float(by[1]) * expected, rel=1e-9, abs=0)
        plain = unscrambled(changed, truth(changed))
        assert values(plain, old, problem["names"]) == pytest.approx(expected, rel=1e-9, abs=0)


def test_scales_are_a_matter_of_the_seed():
    suite = problems("feynman")[:5]
    assert scales(suite, "random", 1) == scales(suite, "random", 1) != scales(suite, "random", 2)
    assert scales(suite, "millions", 1)[:2] == [
        (10**6, sympy.Rational(1, 10**6)),
        (sympy.Rational(1, 10**6), 10**6),
    ]

"""The benchmark of discovery judges scrambled problems as it judges the problems themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import sympy

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import verdicts
from bench_discover import problems, scales, scrambled, table, truth, unscaled, unscrambled, values


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


@pytest.mark.parametrize(
    ("scaled", "plain"),
    [
        ("6183480000*x*y/(6183480000 - 2061160000*x)", "x*y/(1 - x/3)"),
        ("3.0e6*sqrt(4.0e-12*x**2 - 9.0e-12/y**2)", "6*sqrt(x**2 - 2.25/y**2)"),
        ("sin(y*(4.0e-7*x - 8.0e-7*z))", "sin(4.0e-7*y*(x - 2*z))"),
    ],
)
def test_a_scale_leaves_the_sums_of_a_law(scaled, plain):
    first, second = (unscaled(sympy.sympify(text)) for text in (scaled, plain))
    assert verdicts.rounded(first) == verdicts.rounded(second)
    assert verdicts.rounded(sympy.sympify(scaled)) != verdicts.rounded(sympy.sympify(plain))


def test_scales_are_a_matter_of_the_seed():
    suite = problems("feynman")[:5]
    assert scales(suite, "random", 1) == scales(suite, "random", 1) != scales(suite, "random", 2)
    assert scales(suite, "millions", 1)[:2] == [
        (10**6, sympy.Rational(1, 10**6)),
        (sympy.Rational(1, 10**6), 10**6),
    ]


def test_laws_of_ones_own_come_from_a_file(tmp_path):
    path = tmp_path / "mine.csv"
    head = "id,field,formula,output,variables,low,high,scale"
    path.write_text(f"{head}\ndrag,sport,c*v**2,y,c;v,0.2;1,0.5;100,uniform;log\n")
    (law,) = problems(str(path))
    X, y, names = table(law, 0.0, 0, 0, 200)
    assert names == ["c", "v"]
    assert y == pytest.approx(X[:, 0] * X[:, 1] ** 2)
    assert 1 <= X[:, 1].min() < np.median(X[:, 1]) < 30  # uniform in the logarithm
    assert law["spread"]  # noise is a share of the target's deviation, as for the fields

"""Ratios of few terms in noise: each is fitted as it stands, and the law's own comes first."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from tables import table

from kansym.formula.program import Program
from kansym.search.structure.problem import problem
from kansym.search.tree import noisy, small

LAWS = {
    "velocities": (lambda u, v: (u + v) / (1 + u * v), "uv", [(0.1, 1), (0.1, 1)], 3),
    "saturation": (lambda x: 3 * x / (1 + x / 2), "x", [(0.1, 9)], 2),
    "parallel": (lambda a, b, c: a * b / (a + b * c), "abc", [(1, 5)] * 3, 2),
    "a mean of two": (lambda m, n, r, s: (m * r + n * s) / (m + n), "mnrs", [(1, 5)] * 4, 3),
}


def first(data):
    fit = small.fits(problem(data))[0]
    (proposal,) = fit.name()
    return fit, proposal.write()


@pytest.mark.parametrize("name", LAWS)
def test_the_law_comes_first_in_strong_noise(name):
    law, columns, ranges, terms = LAWS[name]
    data = table(law, columns, ranges, rows=700, noise=0.2)
    fit, formula = first(data)
    assert fit.price == small.ratios.TERM_PRICE * terms
    clean = law(*data.X.T)
    off = Program.compile(formula, problem(data).formulas).value(data.X) - clean
    assert np.mean(off**2) < 2e-3 * np.var(clean)


def test_a_linearised_fit_does_not_see_what_one_of_y_itself_does():
    law, columns, ranges, _ = LAWS["velocities"]
    data = problem(table(law, columns, ranges, rows=700, noise=0.3))
    names = [str(p.write()) for fit in noisy.fits(data) for p in fit.name()]
    assert all(sympy.sympify(n).count_ops() > 9 for n in names)
    (proposal,) = small.fits(data)[0].name()
    assert proposal.write().count_ops() <= 9


@given(st.floats(0.2, 5), st.floats(0.2, 5), st.floats(0.1, 3), st.integers(0, 3))
def test_a_ratio_without_noise_is_met(top, below, other, seed):
    X = np.random.default_rng(seed).uniform(0.5, 4, (60, 2))
    data = table(lambda a, b: top * a * b / (below + other * b), "ab", [(0.5, 4)] * 2, rows=80, seed=seed)
    _, formula = first(data)
    wanted = top * X[:, 0] * X[:, 1] / (below + other * X[:, 1])
    assert Program.compile(formula, problem(data).formulas).value(X) == pytest.approx(wanted, rel=1e-5)


def test_what_has_no_small_ratio_has_none():
    assert small.fits(problem(table(lambda *x: sum(x), "abcde", [(1, 2)] * 5, rows=80))) == []
    assert small.fits(problem(table(lambda a: a, "a", [(1, 2)], rows=20))) == []
    still = problem(table(lambda a, b: a + 0 * b, "ab", [(1, 2), (1, 2)], rows=80))
    still = still.columns(np.column_stack([still.Z[:, 0], np.zeros(80)]), still.formulas)
    assert small.fits(still) == []


def test_every_ratio_is_made_once():
    monomials, shapes = small._shapes(2)
    assert len({tuple(s) for s in shapes.tolist()}) == len(shapes)
    for shape in shapes:
        used = monomials[shape[shape >= 0]]
        assert not used.min(axis=0).any(), "a common factor can be cancelled"


BESIDE = {
    "a loan": (lambda r, n: r / (1 - (1 + r) ** -n), "rn", [(0.01, 0.15), (1, 30)]),
    "a mean difference": (lambda a: (a - 1) / np.log(a), "a", [(1.2, 9)]),
    "a power in a column": (lambda u, n: u**n / (1 + u**n), "un", [(0.1, 9), (0.6, 2)]),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_function_beside_the_columns_is_known_by_ratios_as_they_stand(name):
    """A linearised fit, which noise in y*Q bends, has the loan's own function beyond its first twenty."""
    law, names, ranges = BESIDE[name]
    best = small.with_one(problem(table(law, names, ranges, rows=500, noise=0.01)))[0]
    clean = table(law, names, ranges, rows=500, seed=1)
    found = Program.compile(best.name()[0].write(), problem(clean).formulas).value(clean.X)
    assert best.price <= 9 and np.mean((found - clean.y) ** 2) < 1e-5 * np.var(clean.y)


def test_three_columns_have_too_many_functions():
    assert not small.with_one(problem(table(lambda a, b, c: a * b / c, "abc", [(1, 5)] * 3, rows=100)))

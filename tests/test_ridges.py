"""The likeliest ridges alone: what a monomial times a curve becomes, before the longer looks."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from tables import table

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.functions.parsing import parse_expression
from kansym.search import registry
from kansym.search.structure import exponents, search

LAWS = {
    "b*c**3/sqrt(c**2 - a**2)": (
        lambda a, b, c: b * c**2 / np.sqrt(1 - a**2 / c**2),
        [(1, 2), (1, 5), (3, 10)],
    ),
    "1/(exp(a*b/c) - 1)": (lambda a, b, c: 1 / (np.exp(a * b / c) - 1), [(1, 2), (1, 3), (1, 5)]),
}


@pytest.mark.parametrize("text", LAWS)
def test_a_ridge_in_noise_is_among_the_first(text):
    law, ranges = LAWS[text]
    rows = table(law, "abc", ranges, rows=800, noise=0.01)
    wanted = parse_expression(text, ["a", "b", "c"])
    said, *found = search.ridges(rows, budget=Budget(), seed=0)
    assert said.expression is None and 0 < said.least < min(c.score for c in found)
    assert 0 < len(found) <= search.ALONE.shown

    def near(e: sympy.Expr) -> bool:
        values = sympy.lambdify(rows.names, e)(*rows.X.T)
        return bool(np.allclose(values, sympy.lambdify(rows.names, wanted)(*rows.X.T), rtol=0.02))

    assert any(near(c.expression) and c.expression.count_ops() <= wanted.count_ops() + 3 for c in found)


def test_noise_does_not_hide_simple_exponents():
    first = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.uniform([1, 1, 3], [5, 2, 10], (500, 3))
        y = X[:, 0] * np.exp(X[:, 1] / X[:, 2])
        y += rng.normal(0, 0.1 * np.sqrt(np.mean(y**2)), len(y))
        fits = search.Search(from_arrays(X, y, ["a", "b", "c"]), Budget(), 0).first()
        first.append(min(fits, key=lambda f: f.rank).shape)
    assert first.count(exponents.shape(exponents.Form((1, 0, 0), (0, 1, -1), "log", 0.0))) >= 5


def test_each_of_the_likeliest_ridges_has_another_argument(monkeypatch):
    law, ranges = LAWS["1/(exp(a*b/c) - 1)"]
    asked = []
    monkeypatch.setattr(search.Search, "fitted", lambda self, fit, *_: asked.append(fit.shape) or [])
    list(search.ridges(table(law, "abc", ranges, rows=800, noise=0.05), budget=Budget(), seed=0))
    assert len(asked) == len(set(asked)) == search.LIKELIEST


def test_names_that_leave_far_more_than_what_stands_are_counted_and_not_fitted(monkeypatch):
    law, ranges = LAWS["1/(exp(a*b/c) - 1)"]
    rows, measured, fitted = table(law, "abc", ranges, rows=800, noise=0.01), [], search.Search.measure
    monkeypatch.setattr(search.Search, "measure", lambda *given: measured.append(given) or fitted(*given))
    budget = Budget()
    list(search.ridges(rows, budget=budget, seed=0))
    assert 0 < len(measured) < 0.7 * budget.used


def test_what_is_no_ridge_has_none():
    rows = table(lambda a, b: np.sin(9 * a) + np.cos(7 * b), "ab", [(-3, 3), (-3, 3)], rows=400, noise=0.01)
    assert list(search.ridges(rows, budget=Budget(), seed=0)) == []


@pytest.mark.parametrize("noisy", [False, True])
def test_ridges_come_before_transforms(noisy):
    names = [p.name for p in registry.producers(noisy=noisy)]
    assert names.index("tree in noise") < names.index("ridges") < names.index("transforms in noise")

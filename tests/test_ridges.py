"""The likeliest ridges alone: what a monomial times a curve becomes, before the longer looks."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from tables import table

from kansym.base.budget import Budget
from kansym.functions.parsing import parse_expression
from kansym.search import registry
from kansym.search.structure import search

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
    found = list(search.ridges(rows, budget=Budget(), seed=0))
    assert 0 < len(found) <= search.ALONE.shown

    def near(e: sympy.Expr) -> bool:
        values = sympy.lambdify(rows.names, e)(*rows.X.T)
        return bool(np.allclose(values, sympy.lambdify(rows.names, wanted)(*rows.X.T), rtol=0.02))

    assert any(near(c.expression) and c.expression.count_ops() <= wanted.count_ops() + 3 for c in found)


def test_what_is_no_ridge_has_none():
    rows = table(lambda a, b: np.sin(9 * a) + np.cos(7 * b), "ab", [(-3, 3), (-3, 3)], rows=400, noise=0.01)
    assert list(search.ridges(rows, budget=Budget(), seed=0)) == []


@pytest.mark.parametrize("noisy", [False, True])
def test_ridges_come_before_transforms(noisy):
    names = [p.name for p in registry.producers(noisy=noisy)]
    assert names.index("tree in noise") < names.index("ridges") < names.index("transforms in noise")

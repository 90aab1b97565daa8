"""Boundaries between two classes: known ones are found in form and constants, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kansym.base.errors import InputError
from kansym.functions.parsing import symbols
from kansym.pipeline.boundaries import boundaries
from kansym.search.assumptions.hypothesis import Hypotheses
from kansym.search.boundaries import terms
from kansym.search.boundaries.border import border

rng = np.random.default_rng(4)
X = rng.uniform([-2, 0.3], [2, 3], (2500, 2))
x, y = symbols(["x", "y"])


def test_border_points_lie_on_the_border():
    found = border(X, X[:, 0] ** 2 + X[:, 1] > 2)
    assert len(found.points) > 50
    off = found.points[:, 0] ** 2 + found.points[:, 1] - 2
    # rows are about 0.04 apart
    assert np.sqrt(np.mean(off**2)) < 0.02


def test_gradients_agree_with_differences():
    for term in terms.pool(X, ["x", "y"], Hypotheses(("x", "y"))):
        step = 1e-6
        for i in range(2):
            e = np.eye(2)[i] * step
            difference = (term.value(X[:5] + e) - term.value(X[:5] - e)) / (2 * step)
            assert np.allclose(difference, term.gradient(X[:5])[:, i], rtol=1e-4, atol=1e-4), term.form


def test_a_circle_is_found():
    best = boundaries(X, X[:, 0] ** 2 + X[:, 1] ** 2 > 2, ["x", "y"], most=3)[0]
    assert set(best.terms) == {sympy.S.One, x**2, y**2}
    ratio = best.g.coeff(x, 0).coeff(y, 0) / best.g.coeff(x**2)
    assert abs(ratio + 2) < 0.05
    assert best.accuracy > 0.997


def test_a_difference_of_squares_becomes_an_absolute_value():
    best = boundaries(X, X[:, 1] * np.abs(X[:, 0] ** 2 - 1) > 1, ["x", "y"])[0]
    assert best.g.has(sympy.Abs) and len(best.terms) == 2
    assert best.accuracy > 0.995


def test_wrong_labels_do_not_hide_the_law():
    labels = X[:, 0] * X[:, 1] > 1
    labels ^= np.random.default_rng(9).random(len(labels)) < 0.005
    best = boundaries(X, labels, ["x", "y"], most=3)[0]
    assert best.accuracy > 0.99
    first, second = best.terms
    assert first / second in (x * y, 1 / (x * y))


def test_hypotheses_restrict_the_boundary():
    labels = X[:, 1] > np.sinh(X[:, 0])
    free = boundaries(X, labels, ["x", "y"], most=2)[0]
    assert set(free.terms) == {y, sympy.sinh(x)}
    for b in boundaries(X, labels, ["x", "y"], most=3, hypotheses=["linear: y", "only: x^2"]):
        assert {t for t in b.terms if t.has(y)} <= {y}
        assert set(b.terms) <= {sympy.S.One, x, x**2, y}
    for b in boundaries(X, X[:, 0] > X[:, 1], ["x", "y"], most=2, hypotheses="x - y"):
        assert all(t.diff(x) + t.diff(y) == 0 for t in b.terms)


@pytest.mark.parametrize(
    ("hypothesis", "message"),
    [("last: exp", "no meaning"), ("only: tan", "function of a boundary"), ("linear: z", "No column")],
)
def test_other_hypotheses_are_refused(hypothesis, message):
    with pytest.raises(InputError, match=message):
        boundaries(X, X[:, 0] > 0, ["x", "y"], hypotheses=hypothesis)


@pytest.mark.parametrize("labels", [np.zeros(len(X)), np.arange(len(X)) % 3])
def test_other_labels_are_refused(labels):
    with pytest.raises(InputError, match="two classes"):
        boundaries(X, labels, ["x", "y"])

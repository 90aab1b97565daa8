"""What is printed is short: one line, no arrays."""

from __future__ import annotations

import numpy as np
import pytest

import kansym
from kansym.cli.text import _instead
from kansym.data.dataset import from_table
from kansym.data.table import read_table
from kansym.estimators.classes import Classes, Formula
from kansym.formula.uncertainty import Freed
from kansym.functions.parsing import parse_expression
from kansym.pipeline.relations import Relation

X = np.random.default_rng(0).uniform(1, 2, (60, 2))

BORDER = Formula("u | v", parse_expression("x - 1", ["x"]), 3, 1.0, 0.95)


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (
            lambda: kansym.fit_affine(X[:, 0], 2 * np.sin(3 * X[:, 0]) + 1, "sin"),
            "AffineFit(c*sin(a*x + b) + d, a=3",
        ),
        (lambda: kansym.match(X[:, 0], 2 * np.exp(-X[:, 0]) + 1)[0], "Match(c*exp(a*x + b) + d, a=-1"),
        (
            lambda: kansym.fit_pade(X, X[:, 0] / (1 + X[:, 1]), degree=(1, 1)),
            "PadeFit(x0/(x1 + 1), 3 terms, error=",
        ),
        (lambda: from_table("planets"), "Dataset('period' from 'semi_major_axis'; 8 rows of planets.csv)"),
        (lambda: read_table("planets"), "Table(planets.csv: 8 rows of planet"),
        (lambda: kansym.KAN([2, 3, 1], grid=4, seed=0), "KAN("),
        (lambda: next(kansym.KAN([2, 1], grid=4, seed=0).to_graph().edges()).curve, "Spline("),
        (lambda: kansym.KAN([2, 1], grid=4, seed=0).to_graph(), "Graph("),
        (lambda: kansym.Library.load("all"), "Library("),
        (
            lambda: Relation("y", ("x",), parse_expression("x**2", ["x"]), 0.01, False, 3),
            "Relation(y = x**2, share=0.01)",
        ),
        (
            lambda: Classes(("u", "v"), (BORDER,), "k", ("x",), 9, 2, 0.5, 1.0, 0.95),
            "Classes('k' of 9 rows: Formula(u | v: x - 1, heldout=0.95); row 1 of 1)",
        ),
        (lambda: kansym.Ensemble([2, 1], range(3), grid=4), "Ensemble("),
    ],
)
def test_printed_objects_are_short(made, shown):
    text = repr(made())
    assert text.startswith(shown), text
    assert len(text) < 300 and "\n" not in text and "array(" not in text


def test_no_two_numbers_of_a_formula_have_one_name():
    formula = parse_expression("0.5 + 1.5*sin(2.5*x + 3.5) + 1.25*sin(2.75*x - 0.25)", ["x"])
    names = Freed.of(formula).roles
    assert len(set(names)) == len(names) and "term" in names
    assert "term beside 2.5*x" in names and "term beside 2.75*x" in names


def test_two_numbers_that_differ_look_different():
    assert _instead(562.1487, 562.1231) == "562.15 instead of 562.12"
    assert _instead(57.0, 49.57) == "57 instead of 49.57"

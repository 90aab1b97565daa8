"""What a person permits holds for every formula shown."""

import numpy as np
import pytest
import sympy

from kansym.data.dataset import from_arrays
from kansym.formula.language import EVERYTHING, Language
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression
from kansym.pipeline.flow import Options, search

ALL = Library.load("all")


@pytest.mark.parametrize(
    ("only", "formula", "fine"),
    [
        (["x", "x^2"], "3*a^2 + 2*a*b - 1", True),
        (["x", "x^2"], "a^3", False),
        (["x", "x^2"], "a/b", False),
        (["x", "x^2"], "a^1.98", False),
        (["x", "sin"], "sin(a)/b^2", True),
        (["x", "sin"], "sin(a)*exp(b)", False),
        (["x", "1/x", "exp"], "exp(a)/b", True),
        (["x", "x^p"], "a^2.7", True),
    ],
)
def test_only(only, formula, fine):
    assert Language.of(ALL.only(only)).permits(parse_expression(formula)) == fine


def test_rough_exponents_may_become_permitted_ones():
    language = Language.of(ALL.only(["x", "x^2"]))
    assert language.permits(parse_expression("a^1.98"), rough=True)


def test_exclude():
    language = Language.of(excluded=ALL.only(["sin", "sqrt"]))
    assert not language.permits(parse_expression("sin(a)"))
    assert not language.permits(parse_expression("sqrt(a)"))
    assert language.permits(parse_expression("cos(a)*a^2"))


def test_nothing_restricted_permits_everything():
    assert EVERYTHING.free and Language.of().permits(parse_expression("tan(a)^a"))


@pytest.mark.parametrize(
    "options", [{"only": ("x", "x^2")}, {"exclude": ("exp", "sqrt")}, {"binary": ("+", "*")}]
)
def test_it_holds_for_the_whole_front(options):
    x = np.linspace(0.5, 3, 40)
    table = from_arrays(x[:, None], np.exp(x) + 0.01 * np.sin(9 * x), ["x"])
    asked = Options(**options, time_limit=60.0, effort=0.05)
    run = search(table, asked)
    assert all(asked.language().permits(law.expression) for law in run.front if law.expression is not None)


def test_without_rounding_constants_stay_as_measured():
    x = np.linspace(0.5, 3, 40)[:, None]
    y = 2 * x[:, 0] + 3 + 0.01 * np.random.default_rng(0).normal(size=40)
    table = from_arrays(x, y, ["x"])
    for rounding in (True, False):
        law = search(table, Options(rounding=rounding, effort=0.02)).best
        assert law.expression.has(sympy.Float) != rounding

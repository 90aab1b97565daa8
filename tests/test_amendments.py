"""Formulas that leave more than noise are changed part by part until they do not."""

import numpy as np
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.formula.guarded import valued
from kansym.formula.polish import Rows
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.archive import Archive
from kansym.judge.ending import Ending
from kansym.judge.refine import refine
from kansym.judge.survey import survey
from kansym.judge.trial import Trial
from kansym.pipeline.amending import SOURCE, amend
from kansym.pipeline.checkpoint import Memory
from kansym.search import registry
from kansym.search.amendments import amended

NAMES = ("a", "b", "c")
NOISE = 0.01


def table(law, rows=800, seed=0, noise=NOISE):
    X = np.random.default_rng(seed).uniform(0.5, 3.0, (rows, len(NAMES)))
    clean = valued(parse_expression(law, NAMES), symbols(NAMES), X)
    return X, clean + noise * np.std(clean) * np.random.default_rng(seed + 1).normal(size=rows), clean


def left(formula, X, clean):
    """Return the share of a law's variance that a formula is off it."""
    return float(np.mean((valued(formula, symbols(NAMES), X) - clean) ** 2) / np.var(clean))


def test_a_program_knows_its_parts_slopes():
    a, b = symbols(("a", "b"))
    X = np.array([[0.3, 1.2], [0.7, 0.4]])
    parts = {e: (v, s) for e, v, s in Program.compile(sympy.sin(a * b) * b, [a, b]).parts(X)}
    values, slopes = parts[a * b]
    np.testing.assert_allclose(values, X[:, 0] * X[:, 1])
    np.testing.assert_allclose(slopes, np.cos(X[:, 0] * X[:, 1]) * X[:, 1])
    np.testing.assert_allclose(parts[b][1], X[:, 0] * X[:, 1] * np.cos(values) + np.sin(values))


@pytest.mark.parametrize(
    ("start", "law", "most"),
    [
        ("0.8*sin(1.0*a)", "sin(a + cos(2*b))", 1e-5),  # a term deep inside
        ("1.0*a*b", "a*b/(1 + c/3)", 1e-5),  # a factor
        ("1.5*a + 1.5*b", "(a + b + abs(a - b))/2", 1e-5),  # a kink
        ("2.0*a**0.5*b**0.5*c**0.1", "(a + b*c**0.3)*(1 + log(c)/4)", 1e-3),  # two brackets
    ],
)
def test_changes_lead_to_what_only_leaves_noise(start, law, most):
    X, y, _ = table(law)
    found = list(amended(parse_expression(start, NAMES), Rows(X, y, None, symbols(NAMES)), 40, Budget()))
    assert found
    fresh, _, truth = table(law, seed=7)
    assert left(found[-1], fresh, truth) < most


def test_what_leaves_only_noise_stays():
    X, y, _ = table("a*exp(-b/2) + c")
    start = parse_expression("1.0*a*exp(-0.5*b) + 1.0*c", NAMES)
    assert not list(amended(start, Rows(X, y, None, symbols(NAMES)), 40, Budget()))


def begun(law, start, noise=NOISE):
    X, y, _ = table(law, rows=400, noise=noise)
    dataset = from_arrays(X, y, NAMES)
    surveyed = survey(dataset, "auto", "auto", 0)
    trial = Trial.of(dataset, Library.load("default"), 0)
    archive = Archive(trial, 60)
    for judged in refine(parse_expression(start, NAMES), trial, "start"):
        archive.add(judged)
    return archive, Ending(surveyed, archive)


def test_a_search_changes_the_best_formula_once():
    archive, ending = begun("a*b/(1 + c/3)", "1.0*a*b")
    tried = set()
    amend(registry.TREE, archive, ending, Budget(), Memory(), tried)  # too early a look
    assert archive.leader.source == "start"
    amend(registry.RIDGES, archive, ending, Budget(), Memory(), tried)
    assert archive.leader.source == SOURCE
    assert archive.leader.loss < 1e-3 * archive.trial.power
    work = Budget()
    amend(registry.STRUCTURE, archive, ending, work, Memory(), tried)
    assert work.used == 0


def test_where_there_is_no_noise_nothing_is_changed():
    archive, ending = begun("a*b/(1 + c/3)", "1.0*a*b", noise=0.0)
    amend(registry.RIDGES, archive, ending, Budget(), Memory(), set())
    assert archive.leader.source == "start"


@pytest.mark.parametrize("constant", [sympy.Integer(3), sympy.Float(3.1)])
def test_a_constant_has_nothing_that_could_be_changed_or_changes(constant):
    X, y, _ = table("a*b + c", rows=60)
    assert all(f.free_symbols for f in amended(constant, Rows(X, y, None, symbols(NAMES)), 40, Budget()))

"""A trend that is a sum of curves becomes a graph of them; one that is not does not."""

import numpy as np
import pytest

from kansym.base.budget import Budget
from kansym.cli import text as text_of
from kansym.data.dataset import from_arrays
from kansym.functions.evaluate import evaluate
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression
from kansym.judge.archive import Archive
from kansym.judge.noise import measure
from kansym.judge.refine import refine
from kansym.judge.smooth import as_graph
from kansym.judge.survey import survey
from kansym.judge.trial import Trial
from kansym.judge.verdict import STRUCTURE
from kansym.pipeline.findings import conclude
from kansym.pipeline.flow import Options


@pytest.mark.parametrize("width", [1, 2])
def test_a_sum_of_curves_is_shown_as_it_is(width):
    rng = np.random.default_rng(0)
    X = rng.uniform(0.1, 3, (150, width))
    y = np.sum(np.sin(3 * X) / X, axis=1) + 0.05 * rng.normal(size=150)
    trend = measure(X, y).predict
    graph = as_graph(trend, X, ("y", "b")[:width], "y")
    assert graph is not None and not graph.is_symbolic
    assert np.max(np.abs(evaluate(graph, X)[:, 0] - trend(X))) < 0.1 * np.std(y)


def test_a_product_is_no_sum():
    X = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    assert as_graph(lambda Z: Z[:, 0] * Z[:, 1], X, ("a", "b"), "y") is None


def test_structure_without_a_law_shows_its_trend():
    x = np.linspace(0, 10, 120)
    rng = np.random.default_rng(3)
    y = np.interp(x, np.linspace(0, 10, 12), rng.normal(size=12)) ** 2 + 0.03 * rng.normal(size=120)
    seen = survey(from_arrays(x, y, ["x"]))
    archive = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
    for text in ("0.3", "0.1*x + 0.2", "0.1*x**2 - 0.2*x + 0.3"):
        for law in refine(parse_expression(text, ["x"]), archive.trial, "test"):
            archive.add(law)
    run = conclude(seen, archive, Options().to_dict(), "description", "everything was tried", Budget())
    assert run.verdict.kind == STRUCTURE
    assert run.front[-1].graph is not None and run.front[-1].source == "smooth trend"
    assert any("A smooth curve" in line for line in text_of.judged(run))
    assert np.std(run.predict(seen.dataset.X, len(run.front) - 1) - y) < 0.3 * np.std(y)


def test_a_trend_with_a_pole_between_the_rows_is_no_graph():
    X = np.linspace(1, 2, 40)[:, None]
    gap = lambda Z: np.where(np.isin(Z[:, 0], X[:, 0]), Z[:, 0], np.nan)  # noqa: E731
    assert as_graph(gap, X, ("a",), "y") is None

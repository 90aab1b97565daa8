"""A person's assumptions: how they are read, what they exclude, and that laws keep to them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from click.testing import CliRunner

from kansym.base.errors import InputError
from kansym.cli import main
from kansym.estimators.regressor import KansymRegressor
from kansym.functions.parsing import symbols
from kansym.pipeline import flow as pipeline
from kansym.search.assumptions.hypothesis import Hypotheses

NAMES = ("a", "b", "c", "f")
a, b, c, f = symbols(NAMES)
X = np.random.default_rng(3).uniform(0.5, 2.5, (200, 3))


@pytest.mark.parametrize(
    ("texts", "template", "only"),
    [
        (["a - b"], "f2(a - b, c, f)", ()),
        (["a*b", "c/f"], "f2(a*b, c/f)", ()),
        (["linear: a"], "f2(b, c, f) + c1*a", ()),
        (["linear: a, c"], "f2(b, f) + c1*a + c2*c", ()),
        (["last: exp", "linear: c", "a - b"], "exp(f2(a - b, f) + c1*c)", ()),
        (["only: sin, exp", "only: log"], None, ("sin", "exp", "log")),
        (["y = g(a)*h(b)", "only: sin"], "y = g(a)*h(b)", ("sin",)),
        (["sigmoid(g(a))"], "sigmoid(g(a))", ()),
        ("last: sigmoid", "sigmoid(f2(a, b, c, f))", ()),
    ],
)
def test_hypotheses_become_one_template(texts, template, only):
    found = Hypotheses.parse(texts, NAMES)
    assert (found.template, found.only) == (template, only)


def test_odd_column_names_are_quoted():
    found = Hypotheses.parse(["`x 1` - `x 2`", "linear: `x 3`"], ["x 1", "x 2", "x 3"])
    assert found.template == "f(`x 1` - `x 2`) + c1*`x 3`"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a - distance"], "No column is named 'distance'"),
        (["linear: aa"], "did you mean 'a'"),
        (["last: sigmoyd"], "did you mean 'sigmoid'"),
        (["last: atan2"], "more than one argument"),
        (["lineal: a"], "did you mean 'linear'"),
        (["linear:"], "names nothing"),
        (["a"], "combines nothing"),
        (["3"], "combines nothing"),
        (["a - b", "linear: b"], "exclude each other"),
        (["linear: a, b, c, f"], "Every input is linear"),
        (["last: exp", "last: log"], "there is one already"),
        (["y = g(a)", "linear: b"], "says everything"),
        (["a -"], "Cannot read"),
        (["__import__('os')"], "Cannot read"),
    ],
)
def test_a_bad_hypothesis_is_refused_in_one_line(texts, message):
    with pytest.raises(InputError, match=message) as refusal:
        pipeline.discover(np.c_[X, X[:, 0] ** 2], X[:, 0], names=NAMES, hypotheses=tuple(texts))
    assert "\n" not in str(refusal.value)


def test_inputs_enter_as_a_difference_and_one_is_linear():
    y = np.sin(2 * (X[:, 0] - X[:, 1])) + 3 * X[:, 2]
    run = pipeline.discover(X, y, names=NAMES[:3], hypotheses=("a - b", "linear: c"))
    assert sympy.simplify(run.best.expression - sympy.sin(2 * (a - b)) - 3 * c) == 0
    shifted = run.predict(X + np.array([0.3, 0.3, 0.0]))
    assert np.allclose(shifted, run.predict(X))


def test_the_estimator_takes_hypotheses_and_every_law_obeys():
    y = np.exp(X[:, 0] * X[:, 1] / 3)
    model = KansymRegressor(settings={"hypotheses": ["a*b", "last: exp"]})
    model.fit(X, y, variable_names=NAMES[:3])
    assert sympy.simplify(model.sympy() - sympy.exp(a * b / 3)) == 0
    for law in model.runs_[0].front:
        swapped = law.predict(X[:, [1, 0, 2]], NAMES[:3])
        assert np.allclose(swapped, law.predict(X, NAMES[:3]))


def test_only_these_functions():
    few = X[:60, :2]
    y = np.sin(few[:, 0]) + few[:, 1]
    run = pipeline.discover(few, y, names=NAMES[:2], hypotheses="only: x^2, exp", effort=0.02)
    assert len(run.front) > 1
    assert all(not law.expression.has(sympy.sin) for law in run.front if law.expression is not None)


def test_the_command_line_refuses_with_status_2(tmp_path):
    table = tmp_path / "t.csv"
    np.savetxt(table, np.c_[X, X[:, 0]], delimiter=",", header="a,b,c,y", comments="")
    done = CliRunner().invoke(main, ["discover", str(table), "--hypothesis", "linear: aa"])
    assert done.exit_code == 2
    assert "did you mean 'a'" in done.stderr

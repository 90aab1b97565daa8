"""A person's form with unknown functions: what may be asked, and that the parts are found."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kansym.base.errors import InputError
from kansym.estimators.regressor import KansymRegressor
from kansym.functions.parsing import symbols
from kansym.pipeline import flow as pipeline
from kansym.search.assumptions.template import Template

rng = np.random.default_rng(5)
X = rng.uniform(0.5, 2.5, (200, 3))
a, b, c = symbols(["a", "b", "c"])


def test_a_template_is_read():
    template = Template.parse("y = f(a - b)*g(c, a) + h*sin(b)", ["a", "b", "c", "d"])
    f, g = template.unknowns
    assert (f.name, f.arguments) == ("f", (a - b,)) and (g.name, g.arguments) == ("g", (c, a))
    assert [s.name for s in template.constants] == ["h"]
    assert template.columns == ("a", "b", "c")
    (h,) = template.constants
    assert template.expression == f.value * g.value + h * sympy.sin(b)
    assert len(Template.parse("f(a) + f(a)^2", ["a"]).unknowns) == 1
    assert Template.parse("f(E) + pi", ["E"]).columns == ("E",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2*a + h", "has no unknown function"),
        ("z = f(a)", "No target is named 'z'"),
        ("f(a) + f(b)", "'f' has two different arguments"),
        ("f(g(a))", "An argument of 'f' holds 'g'"),
        ("f(a - h)", "holds 'h'"),
        ("f(3)*a", "is a number"),
        ("f(a) + f", "both a function and a constant"),
        ("f(a", "parentheses"),
        ("f(a).real", "attribute"),
        ("__import__(a)", "not allowed"),
        ("f()", "has no argument"),
        ("a(b) + f(b)", "is a column"),
    ],
)
def test_a_bad_template_is_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as refusal:
        Template.parse(text, ["a", "b"])
    assert "\n" not in str(refusal.value)


def test_a_product_of_unknown_curves_and_a_constant():
    y = 3 * np.sin(2 * X[:, 0]) * np.exp(-X[:, 1]) + 1.7
    model = KansymRegressor(template="y = f(a)*g(b) + h").fit(X, y, variable_names=["a", "b", "c"])
    truth = 3 * sympy.sin(2 * a) * sympy.exp(-b) + sympy.Rational(17, 10)
    assert sympy.simplify(model.sympy() - truth) == 0
    assert "exact" in model.stop_reason_
    assert np.allclose(model.predict(X), y)
    assert {law.source for law in model.run_.front} <= {"constant", "template"}


def test_inputs_that_enter_as_a_difference_within_a_known_curve():
    y = 1 / (1 + np.exp(-(X[:, 2] * (X[:, 0] - X[:, 1]) ** 2 - 0.5))) + 0.005 * rng.normal(size=200)
    run = pipeline.discover(X, y, names=["a", "b", "c"], template="sigmoid(f(a - b, c))")
    found = sympy.log(run.best.expression / (1 - run.best.expression))
    for point in ({a: 1, b: 2, c: 1.5}, {a: 2, b: 1, c: 0.7}):
        truth = float((c * (a - b) ** 2 - 0.5).subs(point))
        assert float(found.subs(point)) == pytest.approx(truth, abs=0.1)


def test_an_unknown_function_of_two_arguments_beside_another():
    y = (X[:, 0] * X[:, 1] + X[:, 0] ** 2) / (1 + X[:, 2] ** 2)
    run = pipeline.discover(X, y, names=["a", "b", "c"], template="f(a, b)/g(c)")
    assert run.best.exact
    assert sympy.simplify(run.best.expression - (a * b + a**2) / (1 + c**2)) == 0


def test_the_estimator_refuses_before_it_searches():
    with pytest.raises(InputError, match="no unknown function"):
        KansymRegressor(template="x0 + 1").fit(X, X[:, 0])

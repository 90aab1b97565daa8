"""Equations solved by collocation: derivatives against differences, closed forms, and what is refused."""

import numpy as np
import pytest

from kansym.base.errors import InputError
from kansym.functions.evaluate import evaluate
from kansym.functions.parsing import parse_expression
from kansym.pipeline import collocation, pde

OSCILLATOR = pde.Equation(("x",), ((0.0, 1.0),), "u_xx + 4*u", {("x", 0): "0", ("x", 1): "sin(2)"})
BURGERS = pde.Equation(
    ("t", "x"),
    ((0.0, 1.0), (-1.0, 1.0)),
    "u_t + u*u_x - u_xx/5",
    {("t", 0): "1", ("x", 0): "1", ("x", 1): "1"},
)


@pytest.fixture(scope="module")
def random_start():
    rng = np.random.default_rng(0)
    return collocation._start(BURGERS, pde.Settings(width=2, grids=(4,)), 4, rng)


def test_derivatives_agree_with_differences(random_start):
    X = np.random.default_rng(1).uniform([0.1, -0.9], [0.9, 0.9], (20, 2))
    step = 1e-4
    u, du, d2u = collocation._fields(random_start, X)
    for i in range(2):
        e = np.eye(2)[i] * step
        up, down = random_start.predict(X + e), random_start.predict(X - e)
        assert np.allclose((up - down) / (2 * step), du[:, i], atol=1e-5)
        assert np.allclose((up - 2 * u + down) / step**2, d2u[:, i], atol=1e-4)


@pytest.mark.parametrize("inside", [True, False])
def test_jacobian_agrees_with_differences(random_start, inside):
    X = np.random.default_rng(2).uniform([0.1, -0.9], [0.9, 0.9], (7, 2))
    bases = collocation._bases(random_start, X)
    r, J = collocation._jacobian(random_start, X, inside, bases)
    size = random_start.parameters
    for k in range(0, size, 5):
        move = np.zeros(size)
        move[k] = 1e-6
        up = collocation._jacobian(collocation._moved(random_start, move), X, inside, bases)[0]
        down = collocation._jacobian(collocation._moved(random_start, -move), X, inside, bases)[0]
        assert np.allclose((up - down) / 2e-6, J[:, k], atol=1e-5 * (1 + np.abs(J).max()))
    assert len(r) == 7


def test_oscillator_is_solved_and_named():
    solution = pde.solve(OSCILLATOR, width=1, grids=(6,), points=40, steps=60)
    assert pde.errors(solution, "sin(2*x)")[0] < 1e-8
    form = pde.closed_form(solution)
    assert form is not None and form.exact
    assert form.expression.equals(parse_expression("sin(2*x)", ["x"]))


def test_of_several_starts_the_best_goes_on():
    one = pde.solve(OSCILLATOR, width=1, starts=1, grids=(3,), points=20, steps=4, seed=2)
    many = pde.solve(OSCILLATOR, width=1, starts=5, grids=(3,), points=20, steps=4, seed=2)
    assert many.loss < one.loss


def test_of_solutions_the_simplest_is_taken():
    # far from its zero sinh is an exponential, to round-off
    far, plain = (
        pde.ClosedForm(parse_expression(text, ["t"]), 1e-15, 1e-16)
        for text in ("-2.7e-12*sinh(3*t - 27.3)", "exp(-3*t)")
    )
    rough = pde.ClosedForm(parse_expression("1 - t", ["t"]), 0.1, 0.0)
    assert sorted([rough, far, plain], key=lambda form: form.rank) == [plain, far, rough]


def test_graph_has_the_same_values():
    solution = pde.solve(OSCILLATOR, width=1, grids=(4,), points=20, steps=5)
    X = np.linspace(0.05, 0.95, 9)[:, None]
    assert np.allclose(evaluate(solution.to_graph(), X)[:, 0], solution.predict(X), atol=1e-12)


def test_a_wrong_form_is_refuted():
    form = pde.judge(OSCILLATOR, parse_expression("x*sin(2)", ["x"]))
    assert form is not None and not form.exact


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"inside": "u_zz"}, "u_zz"),
        ({"faces": {("z", 0): "0"}}, "side of the box"),
        ({"faces": {}}, "No condition"),
        ({"box": ((1.0, 0.0),)}, "smaller"),
    ],
)
def test_bad_equations_are_refused(changes, word):
    given = {"variables": ("x",), "box": ((0.0, 1.0),), "inside": "u_xx", "faces": {("x", 0): "0"}} | changes
    with pytest.raises(InputError, match=word):
        pde.Equation(**given)


@pytest.mark.parametrize("options, word", [({"grids": ()}, "No grid"), ({"order": 2}, "order 3 or more")])
def test_bad_settings_are_refused(options, word):
    with pytest.raises(InputError, match=word):
        pde.solve(OSCILLATOR, **options)

"""Networks: the same values in every form, and operations that leave the old network alone."""

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest
import sympy
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kansym.base.errors import DomainError, InputError, UnknownNameError
from kansym.estimators.session import KAN
from kansym.functions.evaluate import evaluate
from kansym.functions.graph import Graph
from kansym.network.tracing import Scaling
from kansym.report.export import to_numpy

LEVEL = st.one_of(
    st.integers(1, 3), st.tuples(st.integers(0, 2), st.lists(st.integers(2, 4), min_size=1, max_size=2))
)


def _random(levels, seed: int, symbolic: float, off: float, scaled: bool) -> tuple[KAN, np.ndarray]:
    rng = np.random.default_rng(seed)
    model = KAN(
        [2, *levels, 1],
        grid=4,
        order=int(rng.integers(1, 5)),
        seed=seed,
        base=rng.choice(["silu", "x", "tanh"]),
        edges=str(rng.choice(["spline", "radial"])),
        heads=rng.choice([None, 2]),
    )
    X = rng.uniform(-1, 1, (50, 2))
    for l, layer in enumerate(model.layers):
        for j in range(layer.sums):
            for i in range(layer.inputs):
                pick = rng.uniform()
                if pick < symbolic:
                    name = rng.choice(["sin", "x^2", "exp", "tanh", "x"])
                    a, b, c, d = rng.normal(size=4) * 0.7
                    model = model.fix_symbolic(l, i, j, str(name), a, b, c, d, X=X)
                elif pick < symbolic + off:
                    model = model.remove_edge(l, i, j)
    if scaled:
        model = model.with_scaling(Scaling((0.5, -1.0), (2.0, 0.3), (3.0,), (0.1,)))
    return model, X


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LEVEL, max_size=2), st.integers(0, 10**6), st.booleans())
def test_network_graph_and_json_are_the_same_function(levels, seed: int, scaled: bool) -> None:
    model, X = _random(levels, seed, 0.3, 0.2, scaled)
    want = model.predict(X)
    assume(np.all(np.isfinite(want)))  # a random exp may leave double precision
    scale = 1e-12 * max(1.0, np.abs(want).max())
    assert np.allclose(evaluate(model.to_graph(), X)[:, 0], want, rtol=1e-10, atol=scale)
    again = KAN.from_dict(json.loads(json.dumps(model.to_dict())))
    assert np.array_equal(again.predict(X), want)
    graph = Graph.from_dict(json.loads(json.dumps(model.to_graph().to_dict())))
    assert np.array_equal(evaluate(graph, X), evaluate(model.to_graph(), X))
    assert np.allclose(
        model.module()(torch.from_numpy(X)).detach().numpy()[:, 0], want, rtol=1e-9, atol=100 * scale
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LEVEL, max_size=1), st.integers(0, 10**6), st.booleans())
def test_symbolic_network_formula_and_recompiled_network_agree(levels, seed: int, scaled: bool) -> None:
    model, X = _random(levels, seed, 0.9, 0.2, scaled)
    for l, layer in enumerate(model.layers):
        for j in range(layer.sums):
            for i in range(layer.inputs):
                if layer.state[0, j, i] == 1:
                    model = model.remove_edge(l, i, j)
    want = model.predict(X)
    formula = model.symbolic_formula()
    values = sympy.lambdify(sympy.symbols("x0 x1"), formula, "numpy")(*X.T)
    assert np.allclose(values, want, rtol=1e-8, atol=1e-9 * max(1, np.abs(want).max()))
    space: dict = {}
    exec(to_numpy(formula, ["x0", "x1"]), space)  # our own text, as a user runs it
    assert np.allclose(space["law"](*X.T), want, rtol=1e-8, atol=1e-9 * max(1, np.abs(want).max()))
    again = KAN.from_graph(model.to_graph())
    assert np.allclose(again.predict(X), want, rtol=1e-9, atol=1e-10 * max(1, np.abs(want).max()))


def test_formula_becomes_a_network_exactly_even_for_odd_exponents() -> None:
    X = np.random.default_rng(0).uniform(0.5, 2, (40, 2))
    model = KAN.from_formula("exp(sin(3*u)+v^2.5)*u/(1+v^2)", ["u", "v"])
    u, v = X.T
    assert np.allclose(model.predict(X), np.exp(np.sin(3 * u) + v**2.5) * u / (1 + v**2), rtol=1e-12)


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, torch.from_numpy])
def test_fit_reads_numpy_pandas_and_torch_and_changes_none_of_them(kind) -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    before = X.copy()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    torch_state = torch.get_rng_state()
    model = KAN([2, 1], grid=3).fit(kind(X), X[:, 0] ** 2, steps=5)
    assert model.predict(kind(X)).shape == (60,)
    assert np.array_equal(X, before)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert len(model.history) == 5


def _fitted(shape=(2, 3, 1), **options) -> tuple[KAN, np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    y = np.exp(np.sin(2 * X[:, 0]) + X[:, 1] ** 2)
    return KAN(list(shape), seed=1).fit(X, y, steps=20, **options), X, y


def test_operations_return_a_new_network_and_leave_the_old_alone() -> None:
    model, X, y = _fitted()
    before = json.dumps(model.to_dict())
    for new in (
        model.prune(),
        model.prune_inputs(),
        model.fix_symbolic(0, 0, 0, "sin"),
        model.fix_symbolic(0, 0, 0, "sin").unfix(0, 0, 0),
        model.lock(0, 0, 0),
        model.refine(20),
        model.widen(1, 2),
        model.deepen(1),
        model.perturb(0.1),
        model.copy().fit(X, y, steps=2),
    ):
        assert isinstance(new, KAN) and new is not model
    model.suggest_symbolic(0, 0, 0, library=["sin", "x^2", "exp"] and "default")
    model.attribution()
    assert json.dumps(model.to_dict()) == before


def test_reshaping_keeps_the_function() -> None:
    model, X, _ = _fitted()
    want = model.predict(X)
    assert np.abs(model.refine(15).predict(X) - want).max() < 1e-8
    assert np.abs(model.refine(7).predict(X) - want).max() < 0.05
    assert np.allclose(model.widen(1, 2).predict(X), want, atol=1e-13)
    assert np.allclose(model.deepen(1).predict(X), want, atol=1e-10)
    assert not np.allclose(model.perturb(0.1).predict(X), want)


def test_pickle_and_deepcopy_keep_the_function() -> None:
    model, X, _ = _fitted()
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(again.predict(X), model.predict(X))


def test_a_locked_edge_does_not_move() -> None:
    model, X, y = _fitted()
    locked = model.lock(0, 1, 2)
    old = locked.layers[0].coefficients[0, 2, 1].copy()
    locked.fit(X, y, steps=5, update_grid=False)
    assert np.array_equal(locked.layers[0].coefficients[0, 2, 1], old)
    assert not np.array_equal(locked.layers[0].coefficients, model.layers[0].coefficients)


def test_second_derivatives_by_the_inputs_are_right() -> None:
    model, X, _ = _fitted()
    x = torch.from_numpy(X[:5] * 0.9).requires_grad_(True)
    assert torch.autograd.gradcheck(model.module(), (x,))
    assert torch.autograd.gradgradcheck(model.module(), (x,))


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda m, X, y: m.predict(X[:, :1]), InputError, r"takes \(rows, 2\)"),
        (lambda m, X, y: m.fit(X, y[:-1]), InputError, "200 rows and 1 outputs"),
        (lambda m, X, y: m.fit(X * np.nan, y), InputError, r"X\[0, 0\] is nan"),
        (lambda m, X, y: m.fit(X, y, optimizer="lmm"), UnknownNameError, "did you mean 'lm'"),
        (lambda m, X, y: m.fit(X, y, loss="huberr"), UnknownNameError, "did you mean 'huber'"),
        (lambda m, X, y: m.fix_symbolic(0, 0, 0, "sinn"), UnknownNameError, "did you mean"),
        (lambda m, X, y: m.fix_symbolic(0, 0, 9, "sin"), InputError, "sums 0..2"),
        (lambda m, X, y: m.fix_symbolic(7, 0, 0, "sin"), InputError, "layers are 0..1"),
        (lambda m, X, y: m.fix_symbolic(0, 0, 0, "log", 1.0), DomainError, "undefined at"),
        (lambda m, X, y: m.symbolic_formula(), InputError, "still splines"),
        (lambda m, X, y: KAN([2]), InputError, "no layer"),
        (lambda m, X, y: KAN([2, (1, [1])]), InputError, "arity of 2 or more"),
        (lambda m, X, y: KAN([2, 1], grid=[3, 4]), InputError, "1 layers"),
        (lambda m, X, y: KAN([2, 1]).prune(), InputError, "seen no rows"),
    ],
)
def test_bad_input_says_value_rule_and_remedy(call, kind, said: str) -> None:
    model, X, y = _fitted()
    with pytest.raises(kind, match=said):
        call(model, X, y)


def test_a_lan_has_activations_on_nodes_and_lines_on_edges() -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    y = np.sin(2 * X[:, 0] + X[:, 1])
    model = KAN.lan([2, 3, 1], seed=0).fit(X, y, steps=40)
    assert model.shape == [2, 3, 3, 1] and model.parameters == 2 * 3 + 3 * 8 + 3
    assert np.sqrt(np.mean((model.predict(X) - y) ** 2)) < 1e-3
    assert np.allclose(evaluate(model.to_graph(), X)[:, 0], model.predict(X), atol=1e-12)


def test_a_continual_network_keeps_what_it_does_not_see_again():
    model = KAN.continual([(0.0, 1.0)], grid=20)
    assert np.all(model.predict(np.linspace(0, 1, 5)) == 0.0)
    x = np.linspace(0, 1, 400)
    y = np.sin(12 * x)
    left, right = x < 0.5, x >= 0.5
    model.fit(x[left], y[left], steps=20)
    before = model.predict(x)
    assert np.abs(before - y)[left].max() < 1e-3
    model.fit(x[right], y[right], steps=20)
    after = model.predict(x)
    far = x < 0.5 - 3 / 20  # a spline of order 3 that is not 0 beyond 0.5 reaches three cells back
    assert np.array_equal(before[far], after[far])
    assert np.abs(after - y).max() < 1e-2
    again = KAN.from_dict(model.to_dict())
    assert again.local and np.array_equal(again.predict(x), after)
    ordinary = KAN([1, 1], grid=20, base=None, seed=0)
    ordinary.fit(x[left], y[left], steps=20).fit(x[right], y[right], steps=20)
    assert np.abs(ordinary.predict(x) - y)[far].max() > 0.1


def test_what_a_continual_network_refuses():
    with pytest.raises(InputError, match="empty or not finite"):
        KAN.continual([(1.0, 1.0)])
    model = KAN.continual([(0.0, 1.0)])
    for options in ({"grids": [5, 10]}, {"lamb": 1e-3}):
        with pytest.raises(InputError, match="keeps its grid"):
            model.fit(np.linspace(0, 1, 10), np.zeros(10), **options)

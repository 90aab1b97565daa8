"""What goes wrong in pykan 0.2.8 and must not here; its affine fitter's failures are in test_affine."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch

from kansym.estimators.session import KAN, Session
from kansym.functions.evaluate import evaluate
from kansym.functions.library import Library

X = np.random.default_rng(0).uniform(-1, 1, (300, 2))
Y = np.sin(3 * X[:, 0]) + 0.2 * X[:, 1] ** 2


def test_a_weak_but_real_edge_is_not_snapped_to_zero() -> None:
    """Its score lets "0" win below R² of 0.9375 to 0.999995, whatever the edge is worth."""
    model = KAN([2, 1], grid=10, seed=0).fit(X, Y, steps=30)
    shelf = Library.load("all").only(["0", "x", "x^2", "sin", "exp"])
    snapped = model.auto_symbolic(X, Y, library=shelf)
    assert np.sqrt(np.mean((snapped.predict(X) - Y) ** 2)) < 1e-8
    assert {str(s) for s in snapped.symbolic_formula().free_symbols} == {"x0", "x1"}


def test_complex_functions_can_win() -> None:
    """There, a function of complexity 5 cannot beat "0"."""
    x = np.linspace(-0.9, 0.9, 300)[:, None]
    y = 1 / np.sqrt(1 - x[:, 0] ** 2)
    model = KAN([1, 1], grid=40, seed=0).fit(x, y, steps=30)
    best = model.suggest_symbolic(0, 0, 0)[0].function
    assert best.name == "lorentz_factor" and best.complexity >= 5


def test_asking_changes_nothing() -> None:
    model = KAN([2, 2, 1], seed=0).fit(X, Y, steps=5)
    before = json.dumps(model.to_dict())
    model.suggest_symbolic(0, 0, 0)
    model.plot(X)
    model.attribution()
    assert json.dumps(model.to_dict()) == before


def test_pruning_leaves_the_original_and_refining_still_works_after_it() -> None:
    model = KAN([2, 4, 1], seed=0).fit(X, Y, steps=40, lamb=1e-2)
    before = model.predict(X)
    small = model.prune()
    assert np.array_equal(model.predict(X), before)
    assert np.allclose(small.refine(10).predict(X), small.predict(X), atol=1e-9)


@pytest.mark.parametrize("arity", [2, 3, 4])
def test_the_formula_of_products_of_any_arity_is_right(arity: int) -> None:
    rng = np.random.default_rng(arity)
    model = KAN([2, (1, [arity]), 1], seed=0)
    for l, layer in enumerate(model.layers):
        for j in range(layer.sums):
            for i in range(layer.inputs):
                a, b, c, d = rng.normal(size=4)
                model = model.fix_symbolic(l, i, j, "sin", a, b, c, d, X=X)
    values = sympy.lambdify(sympy.symbols("x0 x1"), model.symbolic_formula(), "numpy")(*X.T)
    assert np.allclose(values, model.predict(X), atol=1e-10)


def test_compiling_an_odd_exponent_keeps_it() -> None:
    Z = np.abs(X) + 0.1
    model = KAN.from_formula("x0**2.5", ["x0", "x1"])
    assert np.allclose(model.predict(Z), Z[:, 0] ** 2.5, rtol=1e-12)


def test_an_exact_law_prints_exact_constants() -> None:
    model = KAN([2, 1], grid=10, seed=0).fit(X, Y, steps=30)
    model = model.fix_symbolic(0, 0, 0, "sin").fix_symbolic(0, 1, 0, "x^2").fit(X, Y, steps=40, tolerance=0.0)
    assert str(model.symbolic_formula(8)) == "0.2*x1**2 + 1.0*sin(3.0*x0)"


def test_own_functions_are_saved(tmp_path: Path) -> None:
    f = Library.load("default").add("wobble", "sin(x)*exp(-x)")["wobble"]
    walk = Session(KAN([2, 1], seed=0), X, Y).do("fit", steps=5).do("fix_symbolic", 0, 0, 0, f, 1.0)
    again = Session.load(walk.save(tmp_path / "walk.json"))
    assert np.array_equal(again.model.predict(X), walk.model.predict(X))


def test_constructors_write_nothing_and_leave_global_randomness_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    KAN([2, 5, 1], seed=3).fit(X, Y, steps=2)
    assert not list(tmp_path.iterdir())
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_fit_needs_no_test_set_and_reads_numpy() -> None:
    assert KAN([2, 1], seed=0).fit(X, Y, steps=2).fitted


def test_pickle_and_deepcopy_work_after_training() -> None:
    model = KAN([2, 2, 1], seed=0).fit(X, Y, steps=3).fix_symbolic(0, 0, 0, "sin")
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(again.predict(X), model.predict(X))


def test_outside_the_grid_curves_go_on() -> None:
    model = KAN([1, 1], base=None, seed=0).fit(X[:, :1], 5 + X[:, 0], steps=20)
    far = np.array([[-10.0], [10.0]])
    assert np.allclose(model.predict(far), 5 + far[:, 0], atol=0.1)
    assert np.allclose(evaluate(model.to_graph(), far)[:, 0], model.predict(far))


def test_constant_columns_repeated_rows_and_wild_scales_train() -> None:
    """There, least squares on empty cells ends in NaN."""
    Z = np.column_stack([np.full(200, 3.0), np.repeat(X[:20, 0], 10) * 1e9, X[:200, 1] * 1e-9])
    y = 1e12 * (Z[:, 1] / 1e9) ** 2 + Z[:, 2]
    raw = KAN([3, 2, 1], seed=0).fit(Z, y, steps=10, grids=[5, 20])
    assert np.all(np.isfinite(raw.predict(Z)))
    model = KAN([3, 2, 1], seed=0).scaled_to(Z, y).fit(Z, y, steps=30, grids=[5, 20])
    assert np.sqrt(np.mean((model.predict(Z) - y) ** 2)) < 1e-2 * y.std()

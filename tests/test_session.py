"""The walk of section 2.5.2, and the tree of states around it."""

import numpy as np
import pytest
import sympy
from scipy.special import j0

from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.estimators.session import KAN, Session
from kansym.formula.polish import Rows
from kansym.formula.snapping import Snapped, exchange
from kansym.functions.evaluate import evaluate
from kansym.functions.library import Library
from kansym.functions.parsing import symbols


def _rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).uniform(-1, 1, (1000, 2))
    return X, np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)


def _walk(seed: int) -> tuple[Session, list[str]]:
    """Train sparsely, prune, look closer, ask, decide, train the constants."""
    walk = Session(KAN([2, 5, 1], seed=seed), *_rows(seed))
    walk.do("fit", steps=100, lamb=1e-2).do("prune").do("fit", grids=[10, 20, 40], steps=60, name="fine")
    suggested = []
    if walk.model.shape == [2, 1, 1]:
        for edge, function in (((0, 0, 0), "sin"), ((0, 1, 0), "x^2"), ((1, 0, 0), "exp")):
            suggested.append(walk.model.suggest_symbolic(*edge)[0].function.name)
            walk.do("fix_symbolic", *edge, function)
        walk.do("fit", steps=60, tolerance=0.0, name="law")
    return walk, suggested


def test_the_canonical_walk_ends_at_the_law() -> None:
    for seed in (3, 4):  # a cosh close to exp on the outer edge; a constant of 0.4 on an edge of spread 0.01
        walk, suggested = _walk(seed)
        assert walk.model.shape == [2, 1, 1]
        assert suggested == ["sin", "x^2", "exp"]
        assert walk.model.history.loss.iloc[-1] < 1e-20
        x, y = sympy.symbols("x0 x1")
        assert (
            walk.model.symbolic_formula(8)
            == sympy.Float("1.0", 8)
            * sympy.exp(
                sympy.Float("1.0", 8) * y**2
                + sympy.Float("1.0", 8) * sympy.sin(sympy.Float("3.1415927", 8) * x)
            )
            or str(walk.model.symbolic_formula(8)) == "1.0*exp(1.0*x1**2 + 1.0*sin(3.1415927*x0))"
        )


def test_undo_redo_branch_and_compare() -> None:
    X, y = _rows(0)
    walk = Session(KAN([2, 2, 1], seed=0), X, y)
    walk.do("fit", steps=5, name="a").do("refine", 10, name="b")
    assert walk.path() == ["start", "a", "b"]
    assert walk.undo().name == "a" and walk.redo().name == "b"
    walk.go("a").do("perturb", 0.1, name="c")
    assert walk.path() == ["start", "a", "c"]
    table = walk.compare()
    assert list(table.name) == ["start", "a", "b", "c"] and table.rmse[1] < table.rmse[0]
    assert list(table.step[1:]) == ["fit(steps=5)", "refine(10)", "perturb(0.1)"]


def test_saving_and_loading_continues(tmp_path) -> None:
    X, y = _rows(0)
    walk = Session(KAN([2, 2, 1], seed=0), X, y).do("fit", steps=5).do("fix_symbolic", 0, 0, 0, "sin")
    again = Session.load(walk.save(tmp_path / "walk.json"))
    assert again.path() == walk.path()
    assert np.array_equal(again.model.predict(X), walk.model.predict(X))
    assert np.array_equal(again.do("prune").model.predict(X), walk.do("prune").model.predict(X))
    (tmp_path / "other.json").write_text('{"format": "x"}')
    with pytest.raises(FormatError, match="this version reads"):
        Session.load(tmp_path / "other.json")


def test_questions_and_typos_make_no_state() -> None:
    walk = Session(KAN([2, 1], seed=0))
    with pytest.raises(UnknownNameError, match="did you mean 'prune'"):
        walk.do("prunee")
    with pytest.raises(InputError, match="nothing to undo"):
        walk.undo()
    with pytest.raises(InputError, match="nothing to redo"):
        walk.redo()
    with pytest.raises(InputError, match="has no rows"):
        walk.do("fit")
    with pytest.raises(UnknownNameError, match="No state"):
        walk.go("elsewhere")
    with pytest.raises(InputError, match="makes no state"):
        walk.do("to_graph")
    assert list(walk.states) == ["start"]


def test_auto_symbolic_finds_a_law_or_gives_the_network_back() -> None:
    X = np.random.default_rng(0).uniform(0.5, 2, (300, 2))
    y = np.log(X[:, 0]) + X[:, 1] ** 2
    model = KAN([2, 1], grid=10, seed=0).fit(X, y, steps=20)
    found = model.auto_symbolic(X, y, library=["log", "x^2", "sin", "x"])
    assert np.sqrt(np.mean((found.predict(X) - y) ** 2)) < 1e-8
    same = model.auto_symbolic(X, y, library=["x"])
    assert np.array_equal(same.predict(X), model.predict(X))
    with pytest.raises(InputError, match="one output"):
        KAN([2, 2]).auto_symbolic(X, y)


def test_functions_that_torch_lacks_predict_and_train() -> None:
    x = np.linspace(-1, 1, 200)[:, None]
    y = j0(20 * x[:, 0])
    model = KAN([1, 1], seed=0).fix_symbolic(0, 0, 0, "J0", 19.8, X=x)
    np.testing.assert_allclose(model.predict(x), j0(19.8 * x[:, 0]), atol=1e-14)
    model = model.fit(x, y, steps=40, tolerance=0.0)
    np.testing.assert_allclose(model.predict(x), y, atol=1e-10)


def test_a_function_that_imitates_a_simpler_one_is_exchanged() -> None:
    X, _ = _rows(0)
    y = np.exp(X[:, 1] ** 2)
    model = KAN([2, 1, 1], seed=0).remove_edge(0, 0, 0)
    model = model.fix_symbolic(0, 1, 0, "cosh", 0.1, 0.0, 200.0, -200.0, X=X)
    model = model.fix_symbolic(1, 0, 0, "exp", 1.0, X=X)
    rows = Rows(X, y, None, symbols(model.names))
    graph = model.to_graph()
    start = Snapped(graph, rows.loss(evaluate(graph, X)[:, 0]), 5.0)
    found = exchange(start, rows, Library.load("default").only(["x", "x^2", "cosh", "exp"]))
    assert [s.function for s in found.steps] == ["x^2"]
    assert found.loss < 1e-25 < start.loss
    assert exchange(found, rows, Library.load("default").only(["x", "x^2"])) is found


def test_functions_that_imitate_simpler_ones_together_are_exchanged_together() -> None:
    X, _ = _rows(0)
    y = np.sqrt((X[:, 0] - X[:, 1]) ** 2 + 1.0)
    model = KAN([2, 1, 1, 1], seed=0)
    model = model.fix_symbolic(0, 0, 0, "exp", 3e-4, 0.0, 3333.0, -3333.0, X=X)
    model = model.fix_symbolic(0, 1, 0, "exp", -1e-3, 0.0, 1000.0, -1000.0, X=X)
    model = model.fix_symbolic(1, 0, 0, "cosh", 0.02, 0.0, 5000.0, -4999.0, X=X)
    model = model.fix_symbolic(2, 0, 0, "sqrt", 1.0, X=X)
    rows = Rows(X, y, None, symbols(model.names))
    start = Snapped(model.to_graph(), rows.loss(model.predict(X)), 9.0)
    found = exchange(start, rows, Library.load("default"))
    assert sorted(s.function for s in found.steps) == ["x", "x", "x^2"]
    assert found.loss < 1e-25 < start.loss


def test_plot_returns_a_figure() -> None:
    X, _ = _rows(0)
    figure = KAN([2, 2, 1], seed=0).plot(X)
    assert figure.axes

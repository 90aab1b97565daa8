"""The estimator: scikit-learn's checks, PySR's names and rules, and keeping what was found."""

from __future__ import annotations

import copy
import json
import pickle
import re
import signal

import numpy as np
import pandas as pd
import pytest
import sympy
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.estimators.regressor import KansymRegressor
from kansym.estimators.regressor.encoding import Encoding
from kansym.estimators.regressor.pysr import operators
from kansym.estimators.regressor.rows import canonical
from kansym.formula.language import operators as uses
from kansym.functions.parsing import symbols
from kansym.pipeline import flow as pipeline

# a search for an exact law ends by its proof, long before this limit; one with noise by the clock
SURE = {"time_limit": 120, "settings": {"kan": False}}
FAST = {"time_limit": 3, "settings": {"kan": False}}
rng = np.random.default_rng(3)
X = rng.uniform(1, 3, (120, 2))
Y = 2.5 * X[:, 0] * X[:, 1]
NOISE = rng.normal(size=120)


# The checks ask for form, not for good laws: a search without time serves them as well as a minute.
@parametrize_with_checks([KansymRegressor(time_limit=0.0)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def exact() -> KansymRegressor:
    return KansymRegressor(**SURE).fit(X, Y)


@pytest.fixture(scope="module")
def noisy() -> KansymRegressor:
    return KansymRegressor(**FAST).fit(X, Y + 0.1 * NOISE)


def test_finds_the_law(exact: KansymRegressor) -> None:
    x0, x1 = symbols(["x0", "x1"])
    assert sympy.simplify(exact.sympy() - sympy.Rational(5, 2) * x0 * x1) == 0
    assert exact.score(X, Y) == pytest.approx(1.0)
    assert exact.noise_ == 0.0
    assert "exact" in exact.stop_reason_
    assert any(c.value == pytest.approx(2.5) and c.stderr < 1e-8 for c in exact.constants_)


def test_equations_have_pysr_columns_and_scores(noisy: KansymRegressor) -> None:
    frame = noisy.equations_
    assert list(frame.columns) == ["complexity", "loss", "equation", "score", "sympy_format", "lambda_format"]
    assert (np.diff(frame["complexity"]) > 0).all() and (np.diff(frame["loss"]) < 0).all()
    assert frame["score"][0] == 0
    for i in range(1, len(frame)):
        step = frame["complexity"][i] - frame["complexity"][i - 1]
        assert frame["score"][i] == pytest.approx(-np.log(frame["loss"][i] / frame["loss"][i - 1]) / step)
    for i in range(len(frame)):
        np.testing.assert_array_equal(frame["lambda_format"][i](X), noisy.predict(X, index=i))
    assert noisy.get_hof().equals(frame[frame.columns]) or len(noisy.get_hof()) == len(frame)


def test_model_selection_may_change_after_the_fit(noisy: KansymRegressor) -> None:
    model = copy.deepcopy(noisy)
    frame = model.equations_
    model.model_selection = "accuracy"
    assert model.get_best()["loss"] == frame["loss"].min()
    model.model_selection = "score"
    assert model.get_best()["score"] == frame["score"].max()
    model.model_selection = "best"
    near = frame[frame["loss"] <= 1.5 * frame["loss"].min()]
    assert model.get_best()["score"] == near["score"].max()
    assert model.get_best(index=0)["complexity"] == frame["complexity"][0]
    model.model_selection = "bets"
    with pytest.raises(UnknownNameError, match="did you mean 'best'"):
        model.predict(X)


def test_repr_marks_the_chosen_row(noisy: KansymRegressor) -> None:
    text = repr(noisy)
    (marked,) = [line for line in text.split("\n") if ">>>>" in line]
    assert noisy.get_best()["equation"] in marked
    assert repr(KansymRegressor(maxsize=9)) == "KansymRegressor(maxsize=9)"


def test_latex_and_table(noisy: KansymRegressor) -> None:
    assert noisy.latex(index=0, precision=2).replace(".", "").isdigit()
    table = noisy.latex_table(indices=[0], columns=["complexity", "equation"])
    assert r"\begin{tabular}{@{}cc@{}}" in table and r"Complexity & Equation \\" in table and "$y = " in table
    assert noisy.latex_table().count("$y = ") == len(noisy.equations_)
    with pytest.raises(UnknownNameError, match="loss"):
        noisy.latex_table(columns=["los"])


def test_torch_module_agrees(noisy: KansymRegressor) -> None:
    import torch

    module = noisy.pytorch()
    np.testing.assert_allclose(module(torch.tensor(X)).detach().numpy(), noisy.predict(X), rtol=1e-12)
    assert [p.requires_grad for p in module.parameters()] == [True]


def test_export_agrees(noisy: KansymRegressor) -> None:
    space: dict = {}
    exec(noisy.export("numpy"), space)
    np.testing.assert_allclose(space["law"](*X.T), noisy.predict(X), rtol=1e-12)


def test_standard_error_of_a_prediction_covers_the_truth() -> None:
    hits = []
    for seed in range(3):
        r = np.random.default_rng(seed)
        y = Y + 0.1 * r.normal(size=len(Y))
        model = KansymRegressor(guesses=["2.0*x0*x1"], time_limit=0.0).fit(X, y)
        i = next(i for i, law in enumerate(model.run_.front) if len(law.expression.free_symbols) == 2)
        value, error = model.predict(X, index=i, return_std=True)
        assert value.shape == error.shape == (120,) and (error >= 0).all()
        hits.append(np.mean(np.abs(value - Y) < 3 * error + 1e-3))
    assert np.mean(hits) > 0.8


def test_extrapolation_is_told(noisy: KansymRegressor) -> None:
    assert noisy.extrapolates([[2, 2], [0.5, 2], [2, 99]]).tolist() == [False, True, True]


def test_weights_mean_repetition() -> None:
    w = rng.integers(0, 4, 120)
    y = Y + 0.1 * NOISE
    a = canonical(X, y, w, None)
    b = canonical(X.repeat(w, 0), y.repeat(w), None, None)
    for p, q in zip(a, b, strict=True):
        assert p is q is None or np.array_equal(p, q)
    # a search of one column, ended by the work it did and not by the clock
    x, y = X[:, :1], 3 / X[:, 0] + 0.02 * NOISE
    settings = {"kan": False, "exclude": ["sin", "cos", "tan"]}
    weighted, repeated, plain = (
        KansymRegressor(effort=0.002, settings=settings).fit(*rows, weights=given)
        for rows, given in (((x, y), w), ((x.repeat(w, 0), y.repeat(w)), None), ((x, y), None))
    )
    assert weighted.sympy().is_polynomial() is False, "a line needs no search"
    np.testing.assert_array_equal(weighted.predict(x), repeated.predict(x))
    assert not np.array_equal(weighted.run_.front[0].loss, plain.run_.front[0].loss)
    with pytest.raises(InputError, match="give one of them"):
        KansymRegressor().fit(X, y, np.ones(120), weights=np.ones(120))


def test_canonical_rows_do_not_depend_on_order() -> None:
    order = rng.permutation(120)
    a = canonical(X, Y, None, None)
    b = canonical(X[order], Y[order], None, None)
    for p, q in zip(a, b, strict=True):
        assert p is q is None or np.array_equal(p, q)
    with pytest.raises(InputError, match="Every weight is 0"):
        canonical(X, Y, np.zeros(120), None)


def test_same_result_every_time(exact: KansymRegressor) -> None:
    # this search ends by its own proof, not by the clock, which would cut elsewhere each time
    order = rng.permutation(len(Y))
    again = KansymRegressor(settings={"kan": False}).fit(X[order], Y[order])
    assert again.equations_["equation"].tolist() == exact.equations_["equation"].tolist()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"time_limit": "3"}, "time_limit is '3'; give seconds"),
        ({"time_limit": -1}, "time_limit is -1"),
        ({"maxsize": 2.5}, "maxsize is 2.5"),
        ({"effort": 0}, "effort is 0"),
        ({"select_k_features": "a"}, "select_k_features is 'a'"),
        ({"n_jobs": "a"}, "-1 for all processors"),
        ({"settings": 5}, "settings is 5; give a dict"),
        ({"guesses": 5}, "guesses is 5"),
        ({"random_state": -1}, "random_state is -1"),
        ({"verbosity": "loud"}, "verbosity is 'loud'"),
        ({"binary_operators": ["&"]}, "No binary operator is named '&'"),
        ({"output_directory": "/proc/nowhere"}, "cannot be made"),
    ],
)
def test_a_bad_parameter_is_refused_in_one_line(parameters, message) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        KansymRegressor(**parameters).fit(X, Y)
    assert "\n" not in str(refusal.value)


def test_a_misspelt_parameter_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="did you mean 'time_limit'"):
        KansymRegressor(timelimit=3)
    with pytest.raises(TypeError, match="called 'time_limit' here; from_pysr_params takes both"):
        KansymRegressor(timeout_in_seconds=3)


def test_a_row_is_a_whole_number(noisy: KansymRegressor) -> None:
    for index in (1.5, "a", True):
        with pytest.raises(InputError, match="index is"):
            noisy.predict(X, index)


def test_a_notebook_shows_the_front(noisy: KansymRegressor) -> None:
    html = noisy._repr_html_()
    assert noisy._repr_mimebundle_() == {"text/plain": repr(noisy), "text/html": html}
    rows = re.findall(r'<tr style="font-weight:(\w+)">', html)
    assert len(rows) == len(noisy.equations_) and rows.count("bold") == 1
    assert "sk-" in KansymRegressor()._repr_html_()
    odd = KansymRegressor(time_limit=0.0).fit(X, Y, variable_names=["<b>", "a$b"])
    assert "<b>" not in odd._repr_html_() and "&lt;b&gt;" in odd._repr_html_()
    assert odd.run_._repr_latex_().count("$") - odd.run_._repr_latex_().count(r"\$") == 2


def test_pandas_names_are_kept_and_any_name_is_legal(tmp_path) -> None:
    names = ["x 1", "lambda"]
    frame = pd.DataFrame(X, columns=names)
    before = frame.copy()
    y = pd.Series(Y, name="class")
    model = KansymRegressor(**SURE).fit(frame, y)
    pd.testing.assert_frame_equal(frame, before)
    assert {s.name for s in model.sympy().free_symbols} == set(names)
    assert list(model.feature_names_in_) == names
    assert model.run_.data["target"] == "class"
    np.testing.assert_allclose(model.predict(frame), Y)
    kept = KansymRegressor.load(model.save(tmp_path / "m.json"))
    np.testing.assert_array_equal(kept.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["lambda", "x 1"]])
    for pair in (["E", "I"], ["pi", "N"], ["beta", "gamma"], ["S", "Δt"]):
        model = KansymRegressor(**SURE).fit(X, Y, variable_names=pair)
        assert {s.name for s in model.sympy().free_symbols} == set(pair)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_categorical_columns_become_levels() -> None:
    colour = rng.choice(["red", "blue"], 120)
    frame = pd.DataFrame({"a": X[:, 0], "colour": pd.Categorical(colour)})
    y = 2 * X[:, 0] + 3 * (colour == "red")
    model = KansymRegressor(**SURE).fit(frame, y)
    np.testing.assert_allclose(model.predict(frame), y, atol=1e-8)
    assert model.n_features_in_ == 2
    with pytest.raises(InputError, match=r"'green'.*blue, red"):
        model.predict(pd.DataFrame({"a": [1.0], "colour": ["green"]}))
    with pytest.raises(InputError, match="DataFrame"):
        model.predict(np.ones((3, 2)))
    by_argument = KansymRegressor(**SURE).fit(X[:, :1], y, category=colour)
    np.testing.assert_allclose(by_argument.predict(X[:, :1], category=colour), y, atol=1e-8)


def test_encoding_reads_numbers_in_object_columns() -> None:
    frame = pd.DataFrame({"a": pd.Series([1, 2.5], dtype=object), "b": ["u", "v"]})
    encoding = Encoding.of(frame, ["a", "b"])
    assert encoding.columns == ("a", "b=u", "b=v")
    assert encoding.apply(frame).tolist() == [[1, 1, 0], [2.5, 0, 1]]


def test_several_outputs(tmp_path) -> None:
    targets = np.column_stack([Y, X[:, 0] ** 2])
    model = KansymRegressor(**SURE).fit(X, targets)
    assert isinstance(model.equations_, list) and len(model.equations_) == 2
    np.testing.assert_allclose(model.predict(X), targets, rtol=1e-8)
    assert model.predict(X, index=[0, 0]).shape == (120, 2)
    assert len(model.sympy()) == len(model.latex()) == len(model.stop_reason_) == 2
    assert repr(model).count(">>>>") == 2
    with pytest.raises(InputError, match="2 outputs"):
        _ = model.run_
    with pytest.raises(InputError, match="say whose page"):
        model.report(tmp_path / "page.html")
    assert "What makes" in model.report(tmp_path / "page.html", output=1).read_text()
    with pytest.raises(InputError, match="give one each"):
        model.predict(X, index=[0])


def test_validation_data_rank_the_front() -> None:
    y = Y + 0.1 * NOISE
    model = KansymRegressor(model_selection="accuracy", **FAST).fit(
        X[:80], y[:80], validation_data=(X[80:], y[80:])
    )
    frame = model.equations_
    assert model.get_best()["validation_loss"] == frame["validation_loss"].min()
    for i in range(len(frame)):
        wanted = np.mean((model.predict(X[80:], index=i) - y[80:]) ** 2)
        assert frame["validation_loss"][i] == pytest.approx(wanted)
    with pytest.raises(InputError, match="pair"):
        KansymRegressor().fit(X, Y, validation_data=X)


def test_guesses_and_warm_start() -> None:
    law = "2*sin(1.7*x0)*exp(-0.3*x1) + 0.5"
    y = 2.1 * np.sin(1.72 * X[:, 0]) * np.exp(-0.31 * X[:, 1]) + 0.52
    model = KansymRegressor(guesses=[law], time_limit=0.0).fit(X, y)
    assert model.score(X, y) == pytest.approx(1.0, abs=1e-9)
    model.set_params(warm_start=True, guesses=None)
    model.fit(X, y)
    assert model.score(X, y) == pytest.approx(1.0, abs=1e-9)
    model.set_params(guesses="x0 + nonsense(x1)")
    with pytest.raises(UnknownNameError, match="nonsense"):
        model.fit(X, y)


def test_keeps_the_best_so_far_when_broken_into(monkeypatch) -> None:
    class Alarm(Exception):
        pass

    def ring(*_: object) -> None:
        raise Alarm

    old = signal.signal(signal.SIGALRM, ring)
    try:
        model = KansymRegressor(settings={"kan": False})
        signal.setitimer(signal.ITIMER_REAL, 1.5)
        y = Y * np.cos(2 * X[:, 0] + X[:, 1]) + 0.1 * NOISE
        with pytest.raises(Alarm):
            for _ in range(100):
                model.fit(X, y)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert np.isfinite(model.predict(X)).all() and model.sympy() is not None

    def at_once(*_: object) -> None:
        raise Alarm

    monkeypatch.setattr(pipeline, "search", at_once)
    fresh = KansymRegressor()
    with pytest.raises(Alarm):
        fresh.fit(X, Y)
    np.testing.assert_allclose(fresh.predict(X), Y.mean())
    assert fresh.stop_reason_ == "interrupted"


def test_constant_target_and_constant_columns() -> None:
    model = KansymRegressor(**FAST).fit(X, np.full(120, 3.25))
    assert model.predict(X[:3]).tolist() == [3.25] * 3
    assert float(model.sympy()) == 3.25
    model = KansymRegressor(**FAST).fit(np.ones((9, 2)), np.arange(9.0))
    assert model.predict(np.ones((2, 2))).tolist() == [4.0, 4.0]


def test_more_columns_than_rows() -> None:
    wide = rng.normal(size=(12, 30))
    model = KansymRegressor(**SURE).fit(wide, 3 * wide[:, 17])
    assert {s.name for s in model.sympy().free_symbols} == {"x17"}


def test_json_pickle_and_copies(noisy: KansymRegressor, tmp_path) -> None:
    path = noisy.save(tmp_path / "model.json")
    for other in (
        KansymRegressor.load(path),
        pickle.loads(pickle.dumps(noisy)),
        copy.deepcopy(noisy),
    ):
        np.testing.assert_array_equal(other.predict(X), noisy.predict(X))
        np.testing.assert_array_equal(
            other.predict(X, return_std=True)[1], noisy.predict(X, return_std=True)[1]
        )
        assert repr(other) == repr(noisy)
        assert other.get_params() == noisy.get_params()
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "format": 99}))
    with pytest.raises(FormatError, match="format 99"):
        KansymRegressor.load(path)
    path.write_text(json.dumps({**data, "class": "Other"}))
    with pytest.raises(FormatError, match="holds a Other"):
        KansymRegressor.load(path)
    del data["levels"]
    path.write_text(json.dumps(data))
    with pytest.raises(FormatError, match="levels"):
        KansymRegressor.load(path)
    path.write_text("{}")
    with pytest.raises(FormatError, match="no saved estimator"):
        KansymRegressor.load(path)


def test_run_directory_and_from_file(tmp_path) -> None:
    model = KansymRegressor(output_directory=tmp_path / "outputs", **SURE).fit(X, Y)
    (folder,) = (tmp_path / "outputs").iterdir()
    assert (folder / "hall_of_fame.csv").read_text().startswith("Complexity,Loss,Equation\n")
    again = KansymRegressor.from_file(run_directory=folder)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    (folder / "estimator.json").unlink()
    np.testing.assert_array_equal(
        KansymRegressor.from_file(run_directory=folder).predict(X), model.predict(X)
    )
    (folder / "result.json").unlink()
    np.testing.assert_allclose(KansymRegressor.from_file(run_directory=folder).predict(X), Y, rtol=1e-5)
    with pytest.raises(InputError, match=r"hall_of_fame\.csv"):
        KansymRegressor.from_file(run_directory=tmp_path)
    with pytest.raises(InputError, match=r"hall_of_fame\.csv"):
        model.refresh(tmp_path)


def test_reads_pysr_hall_of_fame(tmp_path) -> None:
    (tmp_path / "hall_of_fame.csv").write_text(
        'Complexity,Loss,Equation\n1,2.0,"x1"\n5,0.5,"(x0 * 2.5) + x1"\n'
    )
    model = KansymRegressor.from_file(run_directory=tmp_path)
    assert model.predict([[2.0, 1.0]], index=1).tolist() == [6.0]
    assert model.equations_["score"].tolist() == [0.0, pytest.approx(np.log(4) / 4)]


def test_nothing_is_written_unasked(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    KansymRegressor(**SURE).fit(X, Y)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")
    KansymRegressor(verbosity=1, **SURE).fit(X, Y)
    assert "kansym" in capsys.readouterr().err


def test_operators_restrict_the_laws() -> None:
    y = X[:, 0] / X[:, 1]
    free = KansymRegressor(**SURE).fit(X, y)
    assert uses(free.sympy()) == {"/"}
    bound = KansymRegressor(binary_operators=["+", "*"], unary_operators=["square"], **FAST).fit(X, y)
    for law in bound.run_.front:
        assert uses(law.expression) <= {"+", "*", "square", "cube", "^"}
    with pytest.raises(UnknownNameError, match="did you mean 'sin'"):
        KansymRegressor(unary_operators=["sinn"]).fit(X, y)


def test_unary_operators_define_themselves() -> None:
    library = operators(["sin", "inv(u) = 1/u"], "default")
    assert list(library) == ["x", "sin", "inv"]
    assert library["inv"](np.array([4.0])).tolist() == [0.25]
    assert operators(None, "trig") == "trig"


def test_uses_names_operators_as_pysr_does() -> None:
    x, y = symbols(["x", "y"])
    assert uses(x**2 - sympy.sqrt(y) / 3) == {"-", "/", "sqrt", "square"}
    assert uses(x**y + 1) == {"^", "+"}
    assert uses(sympy.exp(-x)) == {"exp"}


def test_from_pysr_params() -> None:
    with pytest.warns(UserWarning, match="populations") as caught:
        model = KansymRegressor.from_pysr_params(
            populations=30,
            maxsize=21,
            timeout_in_seconds=60,
            unary_operators=["inv(x) = 1/x"],
            deterministic=True,
            extra_sympy_mappings={"inv": lambda x: 1 / x},
        )
    assert len(caught) == 1
    assert (model.maxsize, model.time_limit, model.timeout_in_seconds) == (21, 60, 60)
    with pytest.raises(UnknownNameError, match="did you mean 'populations'"):
        KansymRegressor.from_pysr_params(population=3, popullations=3)


def test_select_k_features_and_denoise() -> None:
    wide = np.column_stack([X, rng.normal(size=(120, 6))])
    model = KansymRegressor(select_k_features=2, **SURE).fit(wide, Y)
    assert set(model.run_.names) == {"x0", "x1"}
    with pytest.raises(InputError, match="select_k_features is 0"):
        KansymRegressor(select_k_features=0).fit(wide, Y)
    smooth = KansymRegressor(denoise=True, time_limit=0.0).fit(X, Y + 0.3 * NOISE)
    assert smooth.score(X, Y) > 0.9


def test_bad_parameters_are_refused_in_one_line() -> None:
    for parameters, text in [
        ({"maxsize": 0}, "maxsize is 0"),
        ({"time_limit": -1}, "time_limit is -1"),
        ({"effort": "much"}, "effort is 'much'"),
        ({"settings": {"sede": 1}}, "No setting"),
        ({"settings": {"seed": 1}}, "random_state"),
        ({"model_selection": "nice"}, "model_selection"),
    ]:
        with pytest.raises(InputError, match=text) as caught:
            KansymRegressor(**parameters).fit(X, Y)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="2 columns"):
        KansymRegressor().fit(X, Y, variable_names=["a"])
    with pytest.raises(InputError, match="Two columns"):
        KansymRegressor().fit(X, Y, variable_names=["a", "a"])
    with pytest.raises(InputError, match="units"):
        KansymRegressor().fit(X, Y, X_units=["m"])
    with pytest.raises(InputError, match="Row 99"):
        KansymRegressor(time_limit=0.0).fit(X, Y).predict(X, index=99)
    with pytest.raises(NotFittedError):
        KansymRegressor().predict(X)
    with pytest.raises(NotFittedError):
        _ = KansymRegressor().equations_


def test_works_in_pipelines_searches_and_workers() -> None:
    fast = KansymRegressor(time_limit=0.0)
    flow = make_pipeline(StandardScaler(), fast).fit(X, Y)
    assert flow.score(X, Y) > 0.8
    grid = GridSearchCV(fast, {"maxsize": [1, 9]}, cv=2, n_jobs=2).fit(X, Y)
    assert grid.best_params_ == {"maxsize": 9}
    assert len(cross_val_score(fast, X, Y, cv=3, n_jobs=2)) == 3
    assert clone(fast.fit(X, Y)).get_params() == fast.get_params()


def test_units_are_taken(exact: KansymRegressor) -> None:
    model = KansymRegressor(**SURE).fit(X, Y, X_units=["m", "s"], y_units="m*s")
    assert model.score(X, Y) == pytest.approx(1.0)


def test_html_report(noisy: KansymRegressor, tmp_path) -> None:
    page = noisy.report(tmp_path / "out.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert noisy._repr_latex_().startswith("$")

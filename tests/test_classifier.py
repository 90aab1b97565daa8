"""The classifier: scikit-learn's checks, laws for the logit, and keeping what was found."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from kansym.base.errors import InputError
from kansym.estimators.classifier import KansymClassifier
from kansym.functions.parsing import symbols
from kansym.pipeline import flow as pipeline

FAST = {"time_limit": 4, "settings": {"kan": False}}
rng = np.random.default_rng(5)
X = rng.uniform(-2, 2, (250, 2))
LOGIT = 4 * (X[:, 0] ** 2 + X[:, 1] ** 2 - 2)
Y = np.where(rng.uniform(size=250) < expit(LOGIT), "out", "in")


# no time is enough to see the form; the laws are judged below
@parametrize_with_checks([KansymClassifier(time_limit=0.0)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def ring() -> KansymClassifier:
    return KansymClassifier(**FAST).fit(X, Y)


def test_tells_inside_from_outside(ring: KansymClassifier) -> None:
    assert ring.score(X, Y) > 0.9
    assert ring.classes_.tolist() == ["in", "out"]
    frame = ring.equations_
    assert (np.diff(frame["loss"]) < 0).all() and (np.diff(frame["complexity"]) > 0).all()
    assert any({s.name for s in law.free_symbols} == {"x0", "x1"} for law in frame["sympy_format"])


def test_loss_is_the_cross_entropy_and_proba_the_sigmoid(ring: KansymClassifier) -> None:
    target = Y == "out"
    for i, loss in enumerate(ring.equations_["loss"]):
        logit = ring.decision_function(X, index=i)
        assert loss == pytest.approx(np.mean(np.logaddexp(0, logit) - target * logit))
        p = ring.predict_proba(X, index=i)
        np.testing.assert_allclose(p[:, 1], expit(logit))
        np.testing.assert_allclose(p.sum(1), 1)
        assert (ring.predict(X, index=i) == ring.classes_[(logit > 0).astype(int)]).all()


def test_constants_have_errors(ring: KansymClassifier) -> None:
    assert ring.constants_ and all(np.isfinite(c.stderr) for c in ring.constants_)


# the clock's interrupt may come inside another library's callback, which drops it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_several_classes_by_softmax() -> None:
    labels = np.digitize(X[:, 0], [-0.7, 0.7])
    model = KansymClassifier(time_limit=6, settings={"kan": False}).fit(X, labels)
    assert model.score(X, labels) > 0.85
    assert len(model.equations_) == 3 and len(model.sympy()) == 3
    p = model.predict_proba(X)
    assert p.shape == (250, 3)
    np.testing.assert_allclose(p.sum(1), 1)
    assert model.decision_function(X).shape == (250, 3)


def test_keeps(ring: KansymClassifier, tmp_path) -> None:
    loaded = KansymClassifier.load(ring.save(tmp_path / "c.json"))
    for other in (loaded, pickle.loads(pickle.dumps(ring))):
        np.testing.assert_array_equal(other.predict_proba(X), ring.predict_proba(X))
        assert repr(other) == repr(ring)


def test_exports_the_logit(ring: KansymClassifier) -> None:
    space: dict = {}
    exec(ring.export("python"), space)
    np.testing.assert_allclose(space["law"](*X[0]), ring.decision_function(X[:1])[0], rtol=1e-12)


def test_names_and_categories() -> None:
    frame = pd.DataFrame({"x 1": X[:, 0], "kind": pd.Categorical(np.where(X[:, 1] > 0, "a", "b"))})
    y = X[:, 1] > 0
    model = KansymClassifier(time_limit=2, settings={"kan": False}).fit(frame, y)
    assert model.score(frame, y) == 1.0
    assert {s.name for s in model.sympy().free_symbols} <= {"x 1", "kind=a", "kind=b"}
    assert model.predict(frame).dtype == bool


def test_best_so_far_after_a_break(monkeypatch) -> None:
    class Alarm(Exception):
        pass

    def stop(*_: object) -> None:
        raise Alarm

    monkeypatch.setattr(pipeline, "search", stop)
    model = KansymClassifier()
    with pytest.raises(Alarm):
        model.fit(X, Y)
    share = np.mean(Y == "out")
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], share)
    assert model.sympy().free_symbols == set() and symbols(["x0"])


def test_cross_validation_and_bad_input() -> None:
    quick = KansymClassifier(time_limit=0.0)
    assert cross_val_score(quick, X, Y, cv=2).min() > 0.8
    with pytest.raises(InputError, match="give one of them"):
        quick.fit(X, Y, np.ones(250), weights=np.ones(250))
    with pytest.raises(InputError, match="Two columns are named"):
        quick.fit(X, Y, variable_names=["a", "a"])
    with pytest.raises(ValueError, match="Unknown label type"):
        quick.fit(X, X[:, 0])

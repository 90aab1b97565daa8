"""Ranking: the right function first, simple before wiggly, batches equal to singles, bad input refused."""

import numpy as np
import pytest

from kansym.base.errors import InputError, UnknownNameError
from kansym.functions.library import Library
from kansym.functions.matching import match, match_many

x = np.linspace(-1, 1, 500)
LAWS = {
    "sin": lambda z: np.sin(20 * z),
    "exp": lambda z: np.exp(-2 * z),
    "x^2": lambda z: (z - 0.2) ** 2,
    "x": lambda z: 3 * z,
    "tanh": lambda z: np.tanh(3 * z),
    "log": lambda z: np.log(z + 1.5),
    "sqrt": lambda z: np.sqrt(z + 1),
    "gaussian": lambda z: np.exp(-((3 * z + 1) ** 2)),
    "1/x": lambda z: 1 / (z + 1.5),
    "cosh": lambda z: np.cosh(2 * z + 1),
    "abs": lambda z: np.abs(z - 0.3),
    "x^1.5": lambda z: (z + 1.1) ** 1.5,
    "silu": lambda z: z / (1 + np.exp(-4 * z)),
    "sinc": lambda z: np.sinc(3 * z + 0.2),
    "atan": lambda z: np.arctan(4 * z + 1),
    "softplus": lambda z: np.log1p(np.exp(5 * z)),
}


@pytest.mark.parametrize("name", LAWS)
def test_ranks_the_truth_first(name):
    found = match(x, 2 * LAWS[name](x) - 1)
    assert found[0].function.name == name
    assert found[0].relative_rmse < 1e-9
    scores = [m.score for m in found]
    assert len(found) == 10 and scores == pytest.approx(sorted(scores), rel=1e-4)


@pytest.mark.parametrize("name", ["sin", "exp", "x^2", "x", "tanh", "gaussian", "1/x"])
def test_survives_noise(name):
    rng = np.random.default_rng(4)
    y = LAWS[name](x)
    y = y + 0.01 * y.std() * rng.normal(size=len(x))
    for noise in (None, 0.01 * y.std()):
        assert match(x, y, noise=noise)[0].function.name == name


def test_noise_is_not_fitted():
    rng = np.random.default_rng(0)
    picked = [match(x, x + 0.3 * rng.normal(size=len(x)))[0].function.name for _ in range(10)]
    assert picked.count("x") >= 9
    wiggly = [match(x, rng.normal(size=len(x)))[0].function.name for _ in range(10)]
    assert not set(wiggly) & {"sin", "cos", "sinc", "tan"}


def test_batches_equal_singles():
    ys = np.array([law(x) for law in list(LAWS.values())[:5]])
    many = match_many(x, ys, top=3, jobs=2)
    for y, found in zip(ys, many, strict=True):
        assert [(m.function.name, m.a, m.b, m.score) for m in found] == [
            (m.function.name, m.a, m.b, m.score) for m in match(x, y, top=3)
        ]
    again = match_many([x, x + 1], [ys[0], ys[1]], top=1)
    assert [m[0].function.name for m in again] == ["sin", "exp"]


def test_families():
    z = np.linspace(0.1, 3, 300)
    found = match(z, 2 * z**2.3 + 1, families=True)[0]
    assert found.function.name == "x^p" and found.p == pytest.approx(2.3) and found.relative_rmse < 1e-9
    found = match(x, np.exp(-(np.abs(2 * x - 0.3) ** 1.4)), families=True)[0]
    assert found.function.name == "exp(-|x|^p)" and found.p == pytest.approx(1.4, rel=1e-3)
    assert all(m.p is None for m in match(z, z**2.3))


def test_user_functions_take_part():
    lib = Library.load("default").add("bump", "x**3*exp(-x)")
    z = np.linspace(0, 5, 300)
    found = match(z, 2 * (1.3 * z + 0.2) ** 3 * np.exp(-1.3 * z), lib)[0]
    assert found.function.name == "bump" and found.a == pytest.approx(1.3)


def test_phase_nearest_zero_comes_first():
    assert match(x, np.sin(9 * x + 0.1))[0].function.name == "sin"
    assert match(x, np.sin(9 * x + 1.5))[0].function.name == "cos"
    for shift, name in ((0.02, "sin"), (1.55, "cos")):
        assert match(x, np.sin(9 * x + shift), top=1)[0].function.name == name


def test_curve_goes_on_a_graph():
    found = match(x, np.tanh(3 * x))[0]
    assert found.curve.function == found.function and found.curve.a == found.a
    assert found(x) == pytest.approx(np.tanh(3 * x))


def test_bad_input():
    with pytest.raises(InputError, match="noise is -1"):
        match(x, x, noise=-1)
    with pytest.raises(InputError, match="top is 0"):
        match(x, x, top=0)
    with pytest.raises(UnknownNameError):
        match(x, x, "defalt")
    with pytest.raises(InputError, match="2 x-curves and 1 y-curves"):
        match_many([x, x], [x])
    with pytest.raises(InputError, match="y is constant"):
        match(x, 0 * x)

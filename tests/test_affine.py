"""The affine fitter: every function, every basin, canonical forms, honest errors, clear refusals."""

import math

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.base.errors import DomainError, InputError
from kansym.functions.affine import fit_affine
from kansym.functions.library import Function, Library, X, get
from kansym.functions.shapes import kind_of

DEFAULT = list(Library.load("default").values())
SPECIAL = [f for f in Library.load("special").values() if not f.program.is_elementary]
x = np.linspace(-1, 1, 400)


def window(f, rng):
    """Return the ends of a piece of f's axis that shows its shape."""
    low, high = max(f.domain[-1].low, -2.0), min(f.domain[-1].high, 2.5)
    if f.name == "tan":
        low, high = -1.5, 1.5
    if high - low < 0.5:
        low, high = f.domain[-1].low, f.domain[-1].low + 2.5
    gap = 0.02 * (high - low)
    ends = (
        rng.uniform(low + gap, low + 0.4 * (high - low)),
        rng.uniform(high - 0.3 * (high - low), high - gap),
    )
    return ends if rng.random() < 0.5 else ends[::-1]


@pytest.mark.parametrize("f", DEFAULT + SPECIAL, ids=lambda f: f.name)
def test_finds_every_function(f):
    rng = np.random.default_rng(5)
    for _ in range(3):
        low, high = window(f, rng)
        width = 10 ** rng.uniform(-6, 6)
        start = width * rng.uniform(-100, 100)
        z = start + width * np.sort(rng.random(300))
        y = rng.normal() * f(low + (high - low) * (z - start) / width) + rng.normal()
        fit = fit_affine(z, y, f)
        assert fit.relative_rmse < 1e-9
        assert np.abs(fit(z) - y).max() < 1e-7 * np.ptp(y)


HUNDRED = np.linspace(0, 100, 1000)
FAILURES = {
    "sin(20x)": (np.linspace(-1, 1, 1000), lambda z: np.sin(20 * z), "sin", 1e-12),
    "sin(25x)": (np.linspace(-1, 1, 1000), lambda z: np.sin(25 * z), "sin", 1e-12),
    "sin(0.35x)": (HUNDRED, lambda z: np.sin(0.35 * z), "sin", 1e-12),
    "sin(300x)": (HUNDRED / 1e4, lambda z: np.sin(300 * z), "sin", 1e-12),
    "small sin": (np.linspace(-1, 1, 1000), lambda z: 1e-5 * np.sin(3 * z + 2), "sin", 1e-12),
    "tanh(0.02x)": (np.linspace(-1, 1, 1000), lambda z: np.tanh(0.02 * z), "tanh", 1e-12),
    "log at its border": (np.linspace(1e-9, 1, 1000), np.log, "log", 1e-10),
    "sqrt at its border": (np.linspace(-1, 1, 1000), lambda z: np.sqrt(z + 1), "sqrt", 1e-9),
    "pole just outside": (np.linspace(-1, 1, 1000), lambda z: 1 / (z + 1.00001), "1/x", 1e-10),
    "far away": (1e8 + np.linspace(-1, 1, 1000), lambda z: np.sin(3 * z), "sin", 1e-6),
    "tiny": (np.linspace(-1, 1, 1000), lambda z: 1e-200 * np.exp(3 * z), "exp", 1e-12),
    "huge": (np.linspace(-1, 1, 1000), lambda z: 1e200 * np.exp(3 * z), "exp", 1e-12),
    "steep": (np.linspace(-1, 1, 1000), lambda z: np.tanh(200 * (z - 0.3)), "tanh", 1e-10),
    "narrow": (np.linspace(-1, 1, 1000), lambda z: np.exp(-((50 * z + 11) ** 2)), "gaussian", 1e-10),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_pykan_misses(name):
    z, law, function, bound = FAILURES[name]
    assert fit_affine(z, law(z), function).relative_rmse < bound


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["sin", "tanh", "exp", "gaussian", "log", "x^3", "atan", "cosh", "sqrt"]),
    st.floats(-6, 6), st.floats(-3, 3), st.booleans(), st.integers(0, 10**6),
)  # fmt: skip
def test_does_not_see_units(name, log_scale, shift, mirror, seed):
    """x -> s·x + t and y -> c·y + d change nothing but the constants."""
    rng = np.random.default_rng(seed)
    f = get(name)
    low, high = window(f, rng)
    y = f(low + (high - low) * (x + 1) / 2)
    scale = 10**log_scale * (-1 if mirror else 1)
    fit = fit_affine(scale * (x + shift), 7 * y - 2, f)
    assert fit.relative_rmse < 1e-9


def test_waves_and_hyperbolic_functions_are_known_by_their_sums():
    lib = Library.load("all").add("two waves", "sin(x) + 2*cos(x)").add("rise and fall", "exp(x) + 3*exp(-x)")
    lib = lib.add("any wave", "sin(x)*p")
    kinds = {name: kind_of(f) for name, f in lib.items()}
    assert {n for n, kind in kinds.items() if kind == "wave"} == {"sin", "cos", "two waves"}
    assert {n for n, kind in kinds.items() if kind == "hyperbolic"} == {"sinh", "cosh", "rise and fall"}


def test_canonical_forms():
    def at(law, name, z=x):
        fit = fit_affine(z, law(z), name)
        return [round(v, 7) + 0.0 for v in (fit.a, fit.b, fit.c, fit.d)]

    assert at(lambda z: np.exp(2 * z + 3), "exp") == pytest.approx([2, 0, math.exp(3), 0], rel=1e-7)
    assert at(lambda z: 3 * (2 * z - 1) ** 2 + 1, "x^2") == [1, -0.5, 12, 1]
    assert at(lambda z: np.log(5 * z + 10), "log") == pytest.approx([1, 2, 1, math.log(5)], abs=1e-6)
    assert at(lambda z: np.log(10 - 5 * z), "log") == pytest.approx([-1, 2, 1, math.log(5)], abs=1e-6)
    assert at(lambda z: np.sqrt(3 - z), "sqrt") == [-1, 3, 1, 0]
    assert at(lambda z: -np.tanh(-3 * z + 1), "tanh") == [3, -1, 1, 0]
    assert at(lambda z: 1 / (1 + np.exp(2 * z)), "sigmoid") == [2, 0, -1, 1]
    assert at(lambda z: np.sin(-9 * z + 0.3), "sin") == [9, -0.3, -1, 0]
    assert at(lambda z: 2 * z + 3, "x") == [1, 0, 2, 3]
    for phase in (-7.0, -2.0, 0.3, 1.6, 3.1, 50.0):
        fit = fit_affine(x, np.sin(9 * x + phase), "sin")
        assert fit.a > 0 and -math.pi / 2 <= fit.b <= math.pi / 2
    # the same law in two disguises prints the same
    one, two = fit_affine(x, np.tanh(2 * x - 1), "tanh"), fit_affine(x, -np.tanh(1 - 2 * x), "tanh")
    assert (one.a, one.b, one.c, one.d) == pytest.approx((two.a, two.b, two.c, two.d), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "a", "b"), [("sin", 3.0, 0.4), ("exp", 1.5, 0.0), ("tanh", 2.0, 0.3), ("x^2", 1.0, 0.4)]
)
def test_intervals_cover_the_truth(name, a, b):
    rng = np.random.default_rng(11)
    f = get(name)
    hits, count = {}, 200
    truth = {"a": a, "b": b, "c": 2.0, "d": 1.0}
    z = np.linspace(-1, 1, 120)
    clean = 2 * f(a * z + b) + 1
    for _ in range(count):
        fit = fit_affine(z, clean + 0.1 * clean.std() * rng.normal(size=len(z)), f)
        for k, error in fit.errors.items():
            hits[k] = hits.get(k, 0) + (abs(getattr(fit, k) - truth[k]) < 1.98 * error)
    for k, n in hits.items():
        assert 0.90 <= n / count <= 0.99, (k, n)


def test_weights_and_repeats_mean_the_same():
    rng = np.random.default_rng(2)
    z = rng.uniform(-1, 1, 300)
    y = np.tanh(2 * z) + 0.1 * rng.normal(size=300)
    w = rng.integers(1, 4, 300)
    one = fit_affine(z, y, "tanh", w)
    two = fit_affine(np.repeat(z, w), np.repeat(y, w), "tanh")
    assert (one.a, one.b, one.c, one.d) == pytest.approx((two.a, two.b, two.c, two.d), rel=1e-5, abs=1e-6)
    zero = fit_affine(np.append(z, 0.0), np.append(y, 1e9), "tanh", np.append(w, 0))
    assert zero.a == pytest.approx(one.a, rel=1e-9)


def test_order_does_not_matter():
    rng = np.random.default_rng(2)
    mix = rng.permutation(len(x))
    y = np.sin(5 * x) + 0.1 * rng.normal(size=len(x))
    assert fit_affine(x[mix], y[mix], "sin").a == pytest.approx(fit_affine(x, y, "sin").a, rel=1e-12)


def test_few_rows_and_repeated_x():
    z = np.array([0.0, 1.0, 2.0, 3.0])
    assert fit_affine(z, np.exp(z), "exp").relative_rmse < 1e-9
    z = np.repeat(np.arange(6.0), 50)
    assert fit_affine(z, np.sin(z), "sin").relative_rmse < 1e-9


def test_many_rows():
    z = np.linspace(-3, 5, 100_000)
    fit = fit_affine(z, 3 * np.tanh(0.7 * z - 1) + 2, "tanh")
    assert fit.relative_rmse < 1e-12 and fit.a == pytest.approx(0.7)


def test_margin():
    assert fit_affine(x, np.log(x + 1.2), "log").margin == pytest.approx(0.1, rel=1e-6)
    assert fit_affine(x, np.sin(x), "sin").margin == math.inf


@pytest.mark.parametrize(
    ("z", "y", "w", "message"),
    [
        ([1, 2, 3], [1, 2], None, "x has 3 values and y has 2"),
        ([1, 2, 3, math.nan, 5], [1, 2, 3, 4, 5], None, r"x\[3\] is nan"),
        ([1, 2, 3, 4, 5], [1, 2, math.inf, 4, 5], None, r"y\[2\] is inf"),
        ([1, 2, 3, 3, 3], [1, 2, 3, 4, 5], None, "x has 3 distinct"),
        ([1, 2, 3, 4, 5], [2, 2, 2, 2, 2], None, "y is constant"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 6], [1, 1, -1, 1, 1], r"weights\[2\] is -1"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 6], [1, 1, math.nan, 1, 1], r"weights\[2\] is nan"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 6], [1, 1], "2 weights for 5 rows"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 6], [1, 1, 1, 0, 0], "x has 3 distinct"),
        ([], [], None, "distinct"),
    ],
)
def test_bad_input(z, y, w, message):
    with pytest.raises(InputError, match=message):
        fit_affine(z, y, "sin", w)


def test_undefined_function():
    never = Function("never", sympy.sqrt(-1 - X**2), 5)
    with pytest.raises(DomainError, match="'never' is defined on no window of this curve; leave it out"):
        fit_affine(x, x**3, never)

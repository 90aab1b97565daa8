"""The structure search finds laws whose parts it has to work out, whatever units and columns they come in."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
from scipy import special

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.search.structure import curve, exponents, merging, naming, ridge, terms
from kansym.search.structure import search as structure
from kansym.search.structure.problem import problem

PROVED = 1e-20


H = sympy.Symbol("h", positive=True)


def table(law, low, high, n=400, seed=1, noise=0.0, names=None):
    rng = np.random.default_rng(seed)
    low, high = np.broadcast_arrays(low, high)
    X = rng.uniform(low, high, (n, len(low)))
    y = law(*X.T)
    y = y + noise * np.sqrt(np.mean(y**2)) * rng.normal(size=n)
    return SimpleNamespace(X=X, y=y, weights=None, names=names or [f"x{i}" for i in range(len(low))])


def best(dataset, seed=0):
    found = structure.propose(dataset, budget=Budget(seconds=120), seed=seed)
    leader = None
    for candidate in found:
        if leader is None or candidate.score < leader.score:
            leader = candidate
        if leader.score < PROVED:
            break
    return leader


LAWS = {
    "monomial": (lambda a, b, c: 0.3 * a * b**2 / np.sqrt(c), [1, 1, 1], [5, 4, 3]),
    "lorentz": (lambda m, v, c: m / np.sqrt(1 - v**2 / c**2), [1, 1, 3], [5, 2, 10]),
    "planck": (lambda w, T, k: w**3 / (np.exp(0.7 * w / (k * T)) - 1), [1, 1, 1], [5, 5, 5]),
    "saturation": (lambda a, b, c: 2.2 * a * b / (b + 1.7 * c), [0.1, 0.1, 0.1], [3, 3, 3]),
    "wave": (lambda a, b: np.sin(4 * a / b) ** 2, [1, 1], [3, 3]),
    "distance": (lambda a, b, c, d: np.sqrt((a - b) ** 2 + (c - d) ** 2), [-2, 1, 1, 1], [5, 5, 5, 5]),
    "two terms": (lambda a, b, t: a + a * b * np.cos(t), [1, 1, 0], [5, 5, 6]),
    "sum of powers": (lambda a, b, c: 3 * a * b - b**2 / c + c, [1, 1, 1], [4, 4, 4]),
    "refraction": (lambda n, t: np.arcsin(n * np.sin(t)), [0.1, 0.1], [0.9, 1.4]),
    "refraction in degrees": (
        lambda t, n: np.degrees(np.arcsin(np.sin(np.radians(t)) / n)),
        [5, 1.05],
        [80, 2],
    ),
    "a wave on a drum": (lambda a, k, r: a * special.j0(k * r), [0.2, 1, 0.5], [2, 3, 3]),
    "diffusion": (lambda x, D, t: special.erf(x / (2 * np.sqrt(D * t))), [0.2, 0.5, 0.5], [2, 2, 3]),
}


@pytest.mark.parametrize("name", LAWS)
def test_laws_are_proved(name):
    assert best(table(*LAWS[name])).score < PROVED


@pytest.mark.parametrize("scale", [(1e-6, 1e6, 1e6), (1e6, 1e-6, 1e-34)])
def test_scale_of_columns_and_target_does_not_matter(scale):
    law, low, high = LAWS["saturation"]
    data = table(law, low, high)
    data.X = data.X * np.array([scale[0], scale[1], scale[1]])
    data.y = data.y * scale[2]
    assert best(data).score < PROVED


def test_column_order_and_dummies_do_not_matter():
    law, low, high = LAWS["lorentz"]
    data = table(law, low, high)
    extra = np.random.default_rng(5).uniform(1, 5, (len(data.y), 2))
    data.X = np.column_stack([extra[:, 0], data.X[:, ::-1], extra[:, 1]])
    data.names = ["d0", "c", "v", "m", "d1"]
    found = best(data)
    assert found.score < PROVED
    assert {s.name for s in found.expression.free_symbols} == {"m", "v", "c"}


@pytest.mark.parametrize("law", [lambda n: 3.64 * n**2 / (n**2 - 4), lambda n: 0.9 * n**1.5])
def test_few_rows_of_one_column(law):
    n = np.arange(3.0, 10.0)
    data = SimpleNamespace(X=n[:, None], y=law(n), weights=None, names=["n"])
    assert best(data).score < PROVED


def test_noise_is_not_fitted():
    law, low, high = LAWS["saturation"]
    noisy, clean = table(law, low, high, 600, noise=0.02), table(law, low, high, 600)
    found = best(noisy)
    from kansym.formula.program import Program

    values = Program.compile(found.expression, problem(noisy).formulas).value(clean.X)
    assert np.sqrt(np.mean((values - clean.y) ** 2) / np.mean(clean.y**2)) < 0.01


def test_same_seed_same_candidates():
    law, low, high = LAWS["two terms"]
    a, b = (
        [c.expression for c in structure.propose(table(law, low, high), budget=Budget(), seed=3)]
        for _ in range(2)
    )
    assert a == b


def test_both_looks_at_a_table_fit_its_ridges_once(monkeypatch):
    Z = np.random.default_rng(0).uniform(1, 3, (400, 2))
    noise = 0.01 * np.random.default_rng(1).normal(size=400)
    data = from_arrays(Z, Z[:, 0] * np.exp(-Z[:, 1]) + noise, ["a", "b"], target="y")
    fresh = structure.Search(data, Budget(), 0)
    before = [fit.share for fit in next(fresh.steps())], fresh.models.rng.normal()
    monkeypatch.setattr(structure.Models, "single", lambda *_: pytest.fail("fitted again"))
    again = structure.Search(data, Budget(), 0)
    assert list(again.ridges())
    later = structure.Search(data, Budget(), 0)
    assert ([fit.share for fit in next(later.steps())], later.models.rng.normal()) == before


def test_no_law_ends_by_itself():
    rng = np.random.default_rng(0)
    data = SimpleNamespace(
        X=rng.uniform(1, 2, (40, 2)), y=rng.normal(size=40), weights=None, names=["a", "b"]
    )
    budget = Budget()  # no limit: the search ends, or this test does not
    scores = [candidate.score for candidate in structure.propose(data, budget=budget, seed=0)]
    assert len(scores) > 5 and not budget.exhausted
    assert 0.5 < min(scores) < 1.5, "of noise no formula explains much"


@pytest.mark.parametrize(
    "law",
    [
        lambda x: 1 / (np.exp(x) + np.exp(-x)),
        lambda x: x**3 / (np.exp(1.3 * x) - 1),
        lambda x: np.sin(3 * x) ** 2 / x**2,
        lambda x: np.log(x + 3),
        lambda x: np.tanh(0.7 * x),
        lambda x: np.exp(-x * x / 3),
    ],
)
def test_curves_are_named(law):
    h = np.random.default_rng(0).uniform(0.5, 5, 300)
    laws = curve.laws(h, law(h), np.ones(300))
    assert min(found.share for found in laws[:3]) < 1e-20
    found = min(laws[:3], key=lambda found: found.share)
    values = np.array([float(found.formula(curve.sympy.Float(v))) for v in h[:5]])
    assert values == pytest.approx(law(h[:5]), rel=1e-9)


def test_a_curve_that_is_divided_by_its_own_argument_near_zero_is_named():
    h = np.random.default_rng(0).uniform(-5, 5, 300)
    law = np.sinc(h / np.pi) ** 2
    assert min(found.share for found in curve.laws(h, law, np.ones(300))[:3]) < 1e-20


def test_an_argument_of_many_waves_is_told_among_columns_that_do_not_matter():
    data = table(lambda a, b, c, *_: np.sin(8 * a * b / c) ** 2, [1] * 6, [2, 2, 4, 5, 5, 5], n=1000)
    S = np.log(data.X)
    told = next(ridge.telling(S - S.mean(0), data.y))
    assert told == pytest.approx(np.array([1, 1, -1, 0, 0, 0]) / np.sqrt(3))
    assert best(data).score < PROVED


@pytest.mark.parametrize("name", ["asin", "atan", "tanh"])
def test_arcs_have_names_without_a_level(name):
    rng = np.random.default_rng(0)
    x = np.linspace(0.1, 0.9, 400)
    t = getattr(np, {"asin": "arcsin", "atan": "arctan"}.get(name, name))(x)
    wanted = getattr(sympy, name)
    found = [law.formula(H) for law in curve.laws(x, t + 0.03 * rng.normal(size=400), np.ones(400))]
    assert any(e.func == wanted and (e.args[0] / H).is_number for e in found)


def test_of_equal_gauges_a_curve_is_named_in_the_straightest():
    """1/(exp(h) - 1) is nearly a straight line in 1/h, in which means of neighbours hardly bend."""
    data = table(lambda a, b: 1 / (np.exp(a / b) - 1), [1, 1], [3, 5], n=700, noise=0.01)
    fits = sorted(structure.Search(data, Budget(), 0).first(), key=lambda f: round(f.rank, 6))
    assert fits[0].name.__wrapped__.args[1].q == (-1.0, 1.0)


def test_the_simplest_of_forms_that_are_the_same_is_kept():
    h = (1.0, -1.0)
    forms = [exponents.Form((k, -k), h, "log", 0.01 * (5 - k)) for k in (4.0, 3.0, 2.0, 1.0, 0.0)]
    assert forms[-1] in exponents._varied(forms)
    assert exponents._varied(forms)[0] is forms[0]


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_columns_that_do_not_matter_are_told(noise):
    data = table(lambda a, b, *_: a / (1 + b * b), [1] * 5, [3] * 5, n=600, noise=noise)
    assert list(merging.needed(data.X, data.y)) == [True, True, False, False, False]


def test_too_few_rows_tell_no_column_that_does_not_matter():
    data = table(lambda a, b, *_: a * b, [1] * 4, [3] * 4, n=30)
    assert merging.needed(data.X, data.y).all()


def test_ridge_derivative_agrees_with_differences():
    rng = np.random.default_rng(0)
    L = rng.normal(size=(80, 3))
    y, w = rng.normal(size=80), np.ones(80)
    p, q = rng.normal(size=3) * 0.3, rng.normal(size=3)
    y /= np.linalg.norm(y)
    view = ridge.View(L, L, y, w, None)
    r, J, share = ridge._linearise(view, p, q, 4)
    gradient = 2 * J.T @ r
    for i in range(6):
        step = np.zeros(6)
        step[i] = 1e-6
        up, down = (ridge._linearise(view, p + s * step[:3], q + s * step[3:], 4)[2] for s in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-7)
    assert share == pytest.approx(r @ r)


def test_terms_converge_from_a_rough_start():
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 5, (300, 3))
    y = X[:, 0] * np.cos(X[:, 2]) + X[:, 1] ** 2 * X[:, 2]
    B, _ = ridge.chebyshev(ridge.unit(X[:, 2])[0], 10)
    L = np.log(X[:, :2])
    fit = terms.solve(
        L, B, y / np.linalg.norm(y), np.ones(300), np.array([[0.5, 0.3], [0.2, 1.0]]), 40, 1e-13
    )
    assert fit.share < 1e-10
    assert sorted(np.round(fit.exponents, 3).tolist()) == [[0.0, 2.0], [1.0, 0.0]]


def test_difference_is_preferred_to_other_merges():
    data = table(lambda a, b, c: c * np.exp(-((a - b) ** 2)), [1, 1, 1], [3, 3, 3])
    first = merging.telling(merging.merges(problem(data), np.array([0, 0, 1.0])))[0]
    assert (first.i, first.j, first.operation.name) == (0, 1, "a-b")


@pytest.mark.parametrize(
    ("law", "wave"), [(lambda h: 1 / np.sqrt(h * h + 3 * h + 2), False), (lambda h: np.sin(0.5 * h), True)]
)
def test_a_wave_of_less_than_a_bow_is_a_parabola(law, wave):
    """1.00000003 - sin(1.5706 - 0.0003·h) says what a parabola does, with a number more; waves stay waves."""
    rng = np.random.default_rng(0)
    h = rng.uniform(0.05, 20, 1000)
    t = law(h) + 0.01 * np.std(law(h)) * rng.normal(size=1000)
    formulas = [found.formula(H) for found in curve.laws(h, t, np.ones(1000), keep=4)]
    assert wave == any(e.has(sympy.sin) for e in formulas)
    assert wave or any(len(e.atoms(sympy.Float)) == 4 and e.has(H**2) for e in formulas)
    waves = [w.args[0] for e in formulas for w in e.atoms(sympy.sin)]
    assert all(abs(complex(z.subs(H, 20.0) - z.subs(H, 0.05))) > 0.3 for z in waves)


@pytest.mark.parametrize("size", [1e-149, 1e149])
def test_curves_at_the_end_of_double_precision_do_no_harm(size):
    x = np.random.default_rng(0).uniform(1, 2, 50)
    found = curve.laws(size * x, 3 * x**2 + 1 / x, np.ones(50))
    assert found and all(law.formula(sympy.Symbol("x")) is not None for law in found)


def test_weights_whose_squares_leave_double_precision_still_weigh():
    h = np.linspace(1, 2, 200)
    w = np.linspace(1, 2, 200)
    near, far = (curve.laws(h, np.exp(3 * h), w * scale)[0] for scale in (1.0, 1e-200))
    assert near.share == pytest.approx(far.share, abs=1e-20)
    assert naming._mean(h, 1e-200 * w) == pytest.approx(naming._mean(h, w))
    assert np.isnan(naming._mean(h, np.zeros(200)))


def test_where_a_common_function_is_exact_no_other_is_asked_for(monkeypatch):
    asked = []
    match = naming.match
    monkeypatch.setattr(naming, "match", lambda *a, **k: asked.append(a[2]) or match(*a, **k))
    u, w = np.linspace(-3, 3, 300), np.ones(300)
    everything = Library.load("all")
    assert naming.by_library(everything, u, special.erf(0.7 * u), w)[0].share < 1e-20
    assert len(asked) == 1 and set(asked[0]) == set(Library.load())
    assert naming.by_library(everything, u, special.airy(0.7 * u)[0], w)[0].share < 1e-20
    assert set(asked[1]) | set(asked[2]) == set(everything)


@pytest.mark.parametrize(("rows", "matched"), [(8, False), (40, True)])
def test_curves_of_few_rows_are_matched_only_where_a_fit_is_exact(rows, matched):
    rng = np.random.default_rng(2)
    x = np.geomspace(0.4, 30, rows)
    orbits = SimpleNamespace(
        X=x[:, None], y=x**1.5 * (1 + 3e-4 * rng.normal(size=rows)), weights=None, names=["a"]
    )
    search = structure.Search(orbits, Budget(), 0)
    assert (search.sharp == structure.criterion.SHARP) is matched
    assert search.sharp >= structure.CERTAINLY


def test_a_column_that_is_a_product_of_others_brings_no_odd_powers():
    a, b, c, d = np.random.default_rng(0).uniform(1, 3, (4, 400))
    X, y = np.column_stack([a, b, c, a * b / 2, d, 2 * d]), a**2 / b * d
    noisy = y * (1 + 0.05 * np.random.default_rng(1).normal(size=400))
    rows = SimpleNamespace(X=X, y=noisy, weights=None, names=["a", "b", "c", "ab", "d", "d2"])
    posed = problem(rows)
    assert [str(f) for f in posed.independent.formulas] == ["a", "b", "c", "d"], (
        "a product, not a ratio, goes"
    )
    form = structure.Models(Budget(), 0, Library.load("all")).forms(posed.independent, "log")[0]
    assert np.abs(form.p).max() <= 2


def test_a_dependent_column_is_told_from_one_that_is_nearly_so():
    a, b, c = np.random.default_rng(0).uniform(1, 3, (3, 400))
    X = np.column_stack([a, b, a * b * (1 + 1e-5 * c)])
    assert problem(SimpleNamespace(X=X, y=a, weights=None, names=["a", "b", "c"])).independent.width == 3


def test_of_many_columns_those_that_matter_are_paired():
    X = np.random.default_rng(0).uniform(-1, 1, (400, 14))
    posed = problem(table(lambda *x: x[3] * x[11] + x[7] ** 2 - x[0], [-1] * 14, [1] * 14))
    paired = merging.pairs(posed)
    assert len(paired) == 36 and {(3, 11), (0, 7)} <= set(paired)
    few = SimpleNamespace(X=X[:, :8], y=X[:, 0], weights=None, names=list("abcdefgh"))
    assert len(merging.pairs(problem(few))) == 28, "of few columns every pair"


def test_a_lorentzian_of_both_signs_is_named_in_noise():
    rows = table(lambda a, b: a / b**2 / (1 + 0.9 * (a / b) ** 2), [-3, 0.5], [3, 2], noise=0.2)
    fit = structure.Models(Budget(), 0, Library.load("all")).single(problem(rows), "log")[0]
    share, first = fit.name()[0].share, fit.name()[0].write()
    x0, x1 = sympy.symbols("x0 x1")
    law = x0 / x1**2 / (1 + 0.9 * (x0 / x1) ** 2)
    apart = sympy.lambdify((x0, x1), first - law)(*rows.X.T)
    assert share < 0.06 and np.sqrt(np.mean(apart**2)) < 0.1 * rows.y.std()


def test_the_few_columns_of_many_that_say_most_are_chosen_and_their_law_is_shown():
    def law(*x):
        return x[2] * x[7] / (x[7] ** 2 + x[4] ** 2) + 0.05 * sum(x[k] for k in (0, 1, 3, 5, 9))

    rows = table(law, [1] * 7 + [-3] + [1] * 4, [3] * 12, n=900, noise=0.05)
    assert [str(f) for f in merging.fewer(problem(rows)).formulas] == ["x2", "x4", "x7"]
    found = list(structure.Search(rows, Budget(), 0).plain())
    assert found and all(len(fit.problem.formulas) == 3 for fit in found)
    assert not structure.Search(table(lambda a, b: a * b, [1, 1], [2, 2]), Budget(), 0).plain()


def test_of_many_columns_all_model_classes_but_the_first_look_at_few():
    rows = table(lambda *x: x[2] / (x[7] + x[4]) + np.sin(x[3]), [1] * 12, [3] * 12, n=900, noise=0.05)
    first, *later = itertools.islice(structure.Search(rows, Budget(), 0).steps(), 4)
    assert {fit.problem.width for fit in first} == {12}
    widths = {fit.problem.width for fits in later for fit in fits}
    assert widths and max(widths) <= structure.CHOSEN

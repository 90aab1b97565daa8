"""The tree finds laws by making problems simpler: right moves lose nothing, and every way leads back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf
from tables import table

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.search.structure.models import Models
from kansym.search.structure.problem import problem
from kansym.search.tree import alone, costs, evidence, moves, parts, ratios, suggestions
from kansym.search.tree import search as tree

PROVED = 1e-20

LAWS = {
    "competition": (lambda v, s, k, i, c: v * s / (k * (1 + i / c) + s), "vskic", [(1, 5)] * 5),
    "a power of a ratio": (lambda q, k, p, n: q * (k * p) ** n / (1 + (k * p) ** n), "qkpn",
                           [(1, 5), (0.2, 2), (0.1, 10), (0.5, 2)]),
    "a survival": (lambda t, s, k: np.exp(-((t / s) ** k)), "tsk", [(0.1, 5), (1, 4), (0.6, 3)]),
    "a start in the past": (lambda a, k, t: a * (1 - np.exp(-k * (t + 0.7))), "akt",
                            [(20, 80), (0.1, 0.8), (0, 10)]),
    "between two levels": (lambda c, f, k, t: c + (f - c) * np.exp(-k * t), "cfkt",
                           [(0.5, 3), (4, 10), (0.2, 2), (0, 5)]),
    "two curves": (lambda i, a, b: i * np.cos(a) ** 2 * np.exp(-(b**2)), "iab", [(1, 3), (0, 3), (-1, 2)]),
    "a bell about a time": (lambda b, t: b * np.exp(-b * (t - 10)) / (1 + np.exp(-b * (t - 10))) ** 2, "bt",
                            [(0.2, 1), (0, 20)]),
    "a shift of colour": (lambda f, b: f * (np.sqrt((1 + b) / (1 - b)) - 1), "fb", [(1, 5), (0.05, 0.8)]),
    "wave of a product": (lambda x, y: np.exp(np.sin(x * y)), "xy", [(-2, 2), (-2, 2)]),
    "a normal distribution": (lambda x, m, s: 0.5 * (1 + erf((x - m) / (s * np.sqrt(2)))), "xms",
                              [(-3, 3), (-1, 1), (0.5, 2)]),
    "linear in all columns but one": (lambda a, b, x: a * np.sin(x) + b * np.exp(-x / 2) + a * b, "abx",
                                      [(1, 3), (0.5, 2), (0.2, 5)]),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_laws_are_proved(name):
    law, names, ranges = LAWS[name]
    data = table(law, names, ranges)
    found = next(c for c in tree.propose(data, budget=Budget()) if c.score < PROVED)
    fresh = table(law, names, ranges, rows=50, seed=7)
    values = Program.compile(found.expression, problem(data).formulas).value(fresh.X)
    assert np.max(np.abs(values - fresh.y)) < 1e-8 * np.max(np.abs(fresh.y))


def test_a_curve_of_merged_columns_is_matched_although_no_polynomial_comes_near():
    """Its logarithm's smoothness tells that it is one."""
    data = table(*LAWS["a normal distribution"])
    asked = tree.propose(data, budget=Budget())
    assert next(c.expression for c in asked if c.score < PROVED).has(sympy.erf)


def test_same_table_same_candidates():
    data = table(*LAWS["a survival"])
    a, b = ([str(c.expression) for c in tree.propose(data, budget=Budget(), deep=False)] for _ in range(2))
    assert a == b


def test_what_was_refused_does_not_end_the_tree():
    """A formula that comes within rounding errors may be no law to those who asked: others follow."""
    data = table(lambda x: np.log(x) + 0.3 * x**0.16, "x", [(1, 9)], rows=200)
    found = iter(tree.propose(data, budget=Budget(), deep=False))
    assert next(c for c in found if c.score < PROVED)
    assert next(found, None) is not None


@settings(deadline=None, max_examples=15)
@given(st.sampled_from(sorted(LAWS)), st.integers(0, 1000))
def test_every_reduction_has_a_way_back(name, seed):
    """Put the values of a reduced problem's target into its way back: the table's target comes out."""
    law, names, ranges = LAWS[name]
    root = problem(table(law, names, ranges, rows=80, seed=seed % 3))
    symbol = sympy.Symbol("target", real=True)
    for _, reduced in suggestions.reductions(root)[:3]:
        back = Program.compile(reduced.finish(symbol), [*root.formulas, symbol])
        values = back.value(np.column_stack([root.Z, reduced.y]))
        assert np.allclose(values, root.y, rtol=1e-9, atol=1e-9 * np.abs(root.y).max())


def test_a_right_move_loses_nothing_and_a_wrong_one_much():
    root = problem(table(lambda a, b, c: a * np.exp(-b * c), "abc", [(1, 3)] * 3))
    before = evidence.loss(root)
    assert evidence.loss(moves.divided(root, 0, 1.0)) < before
    assert evidence.loss(root.merge(1, 2, moves.JOINS[0])) < before
    assert evidence.loss(root.merge(1, 2, moves.JOINS[1])) > 100 * before


def test_each_of_few_rows_is_judged_by_the_fit_without_it():
    """Every one of 80 rows is fitted, and slopes are told that two thirds of them would not tell."""
    root = problem(table(lambda a, b, c: np.exp(a) * np.sin(b) / (1 + c), "abc", [(0.5, 2)] * 3, rows=80))
    fit = evidence.smooth(root)
    values = root.y[fit.rows]
    assert len(fit.rows) == 80
    assert 1e-8 < fit.loss < 1e-4
    assert np.mean((fit.values - values) ** 2) < fit.loss * np.var(values)  # fitted rows flatter
    assert np.sqrt(np.mean((fit.slopes[:, 0] - values) ** 2)) < 0.02 * np.std(values)


def test_slopes_of_the_smooth_fit():
    root = problem(table(lambda a, b: a**2 / b, "ab", [(1, 3)] * 2))
    fit = evidence.smooth(root)
    a, b = root.Z[fit.rows].T
    assert np.allclose(fit.slopes, np.column_stack([2 * a / b, -((a / b) ** 2)]), rtol=1e-4)


def test_a_column_from_nothing_on_is_seen_as_it_is_near_and_in_logarithms_far_out():
    law = lambda b, r: (1 + r**2) ** (-b)  # noqa: E731
    found = {}
    for sign, least in ((1.0, 0.0), (-1.0, 0.0), (1.0, 1e-3)):
        X = table(law, "br", [(1.5, 4.5), (least, 9)], rows=1000).X * [1.0, sign]
        X[0, 1] = sign * least  # nothing itself has no logarithm
        fit = evidence.smooth(problem(from_arrays(X, law(*X.T), ["b", "r"])))
        found[sign, least] = fit.loss
        b, r = X[fit.rows].T
        slope = -2 * b * r * (1 + r**2) ** (-b - 1)
        assert np.sqrt(np.mean((fit.slopes[:, 1] - slope) ** 2) / np.mean(slope**2)) < 0.01
    assert max(found.values()) < 1e-7  # 0.001 to 0.01 without


def test_one_column_is_the_unit_of_two_others():
    """Slopes of 80 rows tell 0.7 for the power 1 of t beside a: whole powers are looked at, too."""

    def law(a, b, t):
        return a * (np.exp(-b * t) - np.exp(-a * t)) / (a - b)

    root = problem(table(law, "abt", [(0.5, 2), (0.05, 0.4), (0.2, 24)], rows=80))
    formulas = [{str(f) for f in reduced.formulas} for _, reduced in suggestions.reductions(root)]
    assert {"a*t", "b*t"} in formulas


@pytest.mark.parametrize(("c", "shown"), [(4.971, 5.0), (0.404, 0.4), (np.nan, 0.0), (0.0, 0.0)])
def test_plain_numbers(c, shown):
    assert moves.plain(c) == shown


def test_an_exponent_of_logarithms_is_a_power():
    x, n = sympy.symbols("x n", real=True)
    assert moves.exponential(n * sympy.log(x) + 2) == x**n * sympy.exp(2)


def test_undefined_targets_make_no_problem():
    root = problem(table(lambda a, b: a - b, "ab", [(0, 3)] * 2))
    assert moves.logarithm(root) is None
    assert moves.divided(root.columns(0 * root.Z, root.formulas), 0, 1.0) is None


def test_a_target_of_nothing_but_round_off_is_zero():
    root = problem(table(lambda a, b: a * b / 3, "ab", [(1, 3)] * 2))
    a, b = root.formulas
    taken = moves.retargeted(root, root.y - root.Z[:, 0] / 3 * root.Z[:, 1], root.w, lambda e: e + a * b / 3)
    (fit,) = ratios.exact(taken)
    assert taken.finish(fit.name()[0].write()) == a * b / 3


def test_noise_is_no_exact_ratio():
    data = table(lambda a, b: a / (1 + b), "ab", [(1, 3)] * 2, noise=0.01)
    assert not ratios.exact(problem(data))
    assert ratios.exact(problem(table(lambda a, b: a / (1 + b), "ab", [(1, 3)] * 2)))


def test_curves_part_only_where_they_do():
    apart = problem(table(lambda a, b: np.sin(a) + np.log(b), "ab", [(1, 3)] * 2))
    mixed = problem(table(lambda a, b: np.sin(a * b), "ab", [(1, 3)] * 2))
    assert parts.separated(apart, product=False)
    assert not parts.separated(mixed, product=False)
    assert not parts.separated(mixed, product=True)


def test_a_part_that_varies_less_than_the_fit_is_a_constant():
    """Rounding leaves the factor beside exp(u*B(r)) as curves of many terms, which nothing names in time."""
    law = lambda r, u: np.log(np.round(1000 * (1 + r / 100) ** u, 2))  # noqa: E731
    root = problem(table(law, "ru", [(0.5, 7), (1, 30)], rows=40))
    fit = min(parts.linear(root), key=lambda f: f.share)
    alone = {p.write().subs(sympy.Symbol("u", real=True), 0) for p in fit.name()}
    assert all(e.is_number for e in alone) and any(abs(float(e) - np.log(1000)) < 1e-4 for e in alone)


def test_eighty_rows_show_curves_that_part():
    root = problem(table(lambda a, b, c: np.exp(a) + np.sin(b) + np.sqrt(c), "abc", [(1, 3)] * 3, rows=80))
    assert parts.separated(root, product=False)[0].share < 1e-8
    line = problem(table(lambda u, t: np.exp(-t) + u * np.exp(-2.5 * t), "ut", [(1, 3), (0, 4)], rows=80))
    assert parts.linear(line)[0].share < 1e-8
    mixed = problem(table(lambda a, b: np.sin(a * b), "ab", [(1, 3)] * 2, rows=80))
    assert not parts.separated(mixed, product=False) and not parts.linear(mixed)


def test_rows_at_a_bound_say_nothing_of_the_law_within():
    law = lambda s, d: np.maximum(np.log(s / d) / (2 * np.log(2)), 0)  # noqa: E731
    data = table(law, "sd", [(0.1, 10)] * 2)
    free = moves.clipped(problem(data))
    assert free is not None and np.all(free.y[np.concatenate([free.fit, free.test])] > 0)
    found = next(c for c in tree.propose(data, budget=Budget(), deep=False) if c.score < PROVED)
    assert found.expression.func == sympy.Max
    top = moves.clipped(problem(table(lambda x: np.minimum(x**2 / (1 + x), 1.5), "x", [(0, 5)])))
    assert str(top.finish(sympy.Symbol("t"))) == "Min(1.5, t)"
    for other in (
        lambda x: np.round(np.exp(-x), 2),  # rounded values agree anyhow
        lambda x: np.maximum(x, 4.95),  # almost all are at the bound
        lambda x: np.exp(-x),
    ):
        assert moves.clipped(problem(table(other, "x", [(0, 5)]))) is None


def test_curves_of_one_column_beside_lines_in_the_others():
    law = lambda e, b, r, x: e - b * np.log(x) - r * x - 3e-5 * np.exp(8 * x)  # noqa: E731
    root = problem(table(law, "ebrx", [(0.9, 1.2), (0.01, 0.05), (0.05, 0.4), (0.05, 1.1)]))
    fit = min(parts.linear(root), key=lambda f: f.share)
    assert fit.share < parts.PARTS
    kept = fit.name.args[3]
    assert {str(product) for _, product in kept} == {"1", "e", "b", "r"}
    bent = lambda a, b, x: np.sqrt(a + b * np.exp(-x))  # noqa: E731
    assert not parts.linear(problem(table(bent, "abx", [(1, 3), (1, 3), (0, 3)])))


def test_all_of_few_rows_show_a_product_of_curves_that_vanish_between():
    """On average either factor is zero, and fifty rows leave 1e-6 where seventy-five leave less than 1e-7."""
    law = lambda p, d: np.tan(p) * np.tan(d)  # noqa: E731
    root = problem(table(law, "pd", [(-1, 1), (-0.4, 0.4)], rows=75))
    assert parts.separated(root, product=True)


def test_three_powers_are_read_off_few_rows():
    h = np.linspace(0.7, 1, 60)
    (share, _, write), *more = alone.names(h, 7 * h ** (-7 / 3) - 3 / h**3 - 4 * h ** (-5 / 3), np.ones(60))
    assert share < 1e-20 and not more
    assert abs(float(write(sympy.Integer(8))) - (7 / 128 - 3 / 512 - 4 / 32)) < 1e-9


def test_what_is_looked_for_by_steps_costs_as_much_of_few_rows():
    many, few = (problem(table(lambda a, b: a * b, "ab", [(1, 3)] * 2, rows=n)) for n in (600, 80))
    assert costs.work("any_rate", few) == costs.work("any_rate", many)
    assert costs.work("reduce", few) < 0.5 * costs.work("reduce", many)


def test_waves_part_though_their_columns_span_a_wide_range():
    """In the logarithm of a wide column its waves crowd at one end, where no polynomial follows them."""
    wave = problem(table(lambda a, b: np.cos(2 * a) * (2 + np.sin(3 * b)), "ab", [(0.1, 5)] * 2))
    assert parts.separated(wave, product=True)


def test_a_quick_look_needs_no_weights():
    """Weights that a table's seeming noise suggested must not hide what is exact."""
    data = table(lambda a, b, c: a * np.exp(-b * c), "abc", [(1, 3)] * 3)
    w = np.exp(np.random.default_rng(1).uniform(-9, 9, 600))
    plain, weighed = (
        next(c.expression for c in tree.propose(d, budget=Budget(), deep=False) if c.score < PROVED)
        for d in (data, replace(data, weights=w))
    )
    assert plain == weighed


def test_a_power_is_named_before_anything_else():
    h = np.linspace(0.5, 3, 100)
    (share, _, write), *more = alone.names(h, 2 * h**1.37, np.ones(100))
    assert share < 1e-20 and not more
    assert abs(float(write(sympy.Integer(2))) - 2 * 2**1.37) < 1e-9


@pytest.mark.parametrize("level, factor, exponent", [(3.2, 0.7, 1.11), (-2.0, -5.0, -0.37)])
def test_a_power_beside_a_level_is_named_at_once(monkeypatch, level, factor, exponent):
    monkeypatch.delattr(alone, "by_handbook")
    h = np.random.default_rng(2).uniform(0.1, 40, 300)
    share, _, write = alone.names(h, level + factor * h**exponent, np.ones(300))[0]
    x = sympy.Symbol("x", positive=True)
    assert share < 1e-20
    assert float(write(x).subs(x, 2.0)) == pytest.approx(level + factor * 2.0**exponent, rel=1e-9)


def test_what_is_no_power_beside_a_level_is_none():
    h = np.random.default_rng(2).uniform(0.1, 40, 300)
    for t in (np.log(h), np.exp(-h), 1 / (1 + h)):
        assert alone._power_and_level(h, t, np.ones(300), float(np.sum((t - t.mean()) ** 2))) == []


def test_curves_that_bend_much_are_told_in_half_a_thousand_rows():
    bell = (lambda u, z: np.exp(-(u**2)) * np.cos(3 * z), "uz", [(-4, 4), (-2, 2)])
    (fit,) = parts.separated(problem(table(*bell, rows=800)), product=True)
    assert fit.share < parts.PARTS


def test_a_curve_that_is_known_roughly_needs_no_handbook_for_a_name_as_near(monkeypatch):
    rng = np.random.default_rng(2)
    h = rng.uniform(-4, 4, 300)
    t = np.exp(-(h**2)) + 1e-4 * rng.normal(size=300)
    asked = []
    monkeypatch.setattr(alone, "by_handbook", lambda *rows: asked.append(rows) or [])
    share, _, write = alone.names(h, t, np.ones(300), known=1e-7)[0]
    assert not asked and share < 3e-7
    assert float(write(sympy.Float(1.0))) == pytest.approx(np.exp(-1), abs=1e-3)
    alone.names(h, t, np.ones(300))
    assert asked


def test_a_column_along_which_nothing_changes_has_no_power():
    root = problem(table(lambda a, b, c: a, "abc", [(1, 2)] * 3))
    flat = np.zeros((len(root.y), 3))
    flat[:, 0] = 1.0
    assert list(suggestions._powers(root, flat)) == []


@pytest.mark.parametrize("deep", [False, True])
def test_families_of_a_table_itself_are_left_to_their_own_step(deep):
    x = np.linspace(0.5, 4, 40)
    one = problem(from_arrays(x[:, None], np.exp(-x) + 0.3, ["x"]), 0)
    grown = tree.Tree(Models(Budget(), 0, Library.load("default")), one, deep)
    asked = [item for item in grown.queue if item.ask.__name__ == "handbook"]
    assert bool(asked) is deep


@pytest.mark.parametrize(("share", "clear"), [(0.0, False), (0.01, True), (0.05, True)])
@pytest.mark.parametrize(
    "law", [lambda a, b: np.exp(-a * b), lambda a, b: a / (b * b + a), lambda a, b: np.sin(a + b) * b]
)
@pytest.mark.parametrize("rows", [80, 900])
def test_noise_is_told_from_what_a_smooth_fit_misses(law, share, clear, rows):
    rng = np.random.default_rng(3)
    X = rng.uniform(0.3, 2.5, (rows, 2))
    y = law(*X.T)
    asked = problem(from_arrays(X, y + share * y.std() * rng.normal(size=rows), ["a", "b"]))
    assert evidence.noise(asked, asked.Z) is clear


def test_too_few_rows_tell_no_noise():
    rng = np.random.default_rng(3)
    X = rng.uniform(1, 2, (40, 2))
    asked = problem(from_arrays(X, X.sum(1) + 0.1 * rng.normal(size=40), list("ab")))
    assert not evidence.noise(asked, asked.Z)


def test_what_depends_on_a_lost_column_is_no_noise():
    rng = np.random.default_rng(3)
    X = rng.uniform(1, 2, (80, 3))
    y = X[:, 0] * X[:, 1] + 0.05 * (X[:, 2] - 1.5)
    whole = problem(from_arrays(X, y, list("abc")))
    lost = whole.columns(X[:, :2], whole.formulas[:2])
    assert evidence.noise(lost, X[:, :2])
    assert not evidence.noise(lost, X)


def test_a_quick_look_ends_where_few_rows_show_noise_and_says_so():
    rng = np.random.default_rng(3)
    X = rng.uniform(0.5, 2, (80, 3))
    y = X[:, 0] * np.exp(-X[:, 1] * X[:, 2])
    for share in (0.0, 0.02):
        table = from_arrays(X, y + share * y.std() * rng.normal(size=80), list("abc"))
        asked = tree.propose(table, budget=Budget(), deep=False)
        assert any(candidate.noise for candidate in asked) is (share > 0)


@pytest.mark.parametrize(("rows", "seen"), [(800, True), (200, False)])
def test_strong_noise_is_told_of_many_rows_only(rows, seen):
    rng = np.random.default_rng(3)
    X = rng.uniform(1, 2, (rows, 2))
    table = from_arrays(X, X.sum(1) + 0.4 * X.sum(1).std() * rng.normal(size=rows), list("ab"))
    asked = list(tree.propose(table, budget=Budget(), deep=False))
    assert any(candidate.noise for candidate in asked) is seen


@pytest.mark.parametrize(
    ("rows", "columns", "deep", "asked"),
    [(80, 2, False, False), (80, 2, True, True), (50, 2, False, True), (80, 1, False, True)],
)
def test_ratios_in_noise_are_left_to_the_tree_in_noise_where_it_comes_next(rows, columns, deep, asked):
    rng = np.random.default_rng(3)
    X = rng.uniform(1, 2, (rows, columns))
    root = problem(from_arrays(X, X.sum(1) + 0.1 * rng.normal(size=rows), list("ab")[:columns]))
    grown = tree.Tree(Models(Budget(), 0, Library.load("default")), root, deep)
    assert any(item.ask.__name__ == "in_noise" for item in grown.queue) is asked


def test_no_rate_is_looked_for_where_a_targets_last_digit_hides_it():
    x = np.linspace(0, 5, 40)
    for rounded, asked in ((np.exp(0.37 * x), True), (np.round(np.exp(0.37 * x), 3), False)):
        root = problem(from_arrays(x, rounded, ["x"]))
        rough = tree._written_roughly(rounded)
        models = Models(Budget(), 0, Library.load("default"))
        queued = {item.ask.__name__ for item in tree.Tree(models, root, rough=rough).queue}
        assert ({"any_rate", "any_power"} <= queued) == asked
    assert not tree._written_roughly(2.0 ** np.arange(9))

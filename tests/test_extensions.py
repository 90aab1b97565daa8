"""Ratios of polynomials in columns and functions of them: rates in columns and in none, any power."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kansym.data.dataset import from_arrays
from kansym.formula.program import Program
from kansym.search.structure.problem import problem
from kansym.search.tree import extensions, learned, noisy, suggestions


def posed(law, names, ranges, rows=500, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    low, high = np.array(ranges, float).T
    X = rng.uniform(low, high, (rows, len(names)))
    y = law(*X.T)
    return problem(from_arrays(X, y + noise * np.std(y) * rng.normal(size=rows), list(names)))


ONE, TWO, RATE = extensions.with_one, extensions.with_two, extensions.with_rate
LAWS = {
    "a rate in a column": (ONE, lambda c, k, t: c * (1 - np.exp(-k * t)) / k, "ckt", [(1, 3)] * 3),
    "a column's power": (ONE, lambda r, n: r / (1 - (1 + r) ** -n), "rn", [(0.01, 0.2), (1, 20)]),
    "a power of one and a product": (ONE, lambda c, a, b, n: c * (1 - (1 - a * b) ** n), "cabn",
                                     [(5, 9), (0.1, 0.9), (0.1, 0.9), (1, 15)]),
    "a power of two growths": (ONE, lambda c, r, g, n: c / (r - g) * (1 - ((1 + g) / (1 + r)) ** n), "crgn",
                               [(1, 9), (0.05, 0.15), (0, 0.04), (2, 30)]),
    "a logarithm": (ONE, lambda a, b: (a - b) / np.log(a / b), "ab", [(5, 9), (1, 4)]),
    "a logarithm of one and more": (ONE, lambda x, v: (v + 1) * np.log(1 + x**2 / v), "xv",
                                    [(-4, 4), (1, 9)]),
    "a density's logarithm": (extensions.beside_logarithms,
                              lambda u, k: np.log(k) + (k - 1) * np.log(u) - u**k, "uk",
                              [(0.1, 3), (0.8, 3)]),
    "what misses clumps": (ONE, lambda h, m, k: h * (1 - (1 + m / k) ** -k), "hmk",
                           [(1, 5), (0.3, 4), (0.4, 6)]),
    "a binary entropy": (TWO, lambda p: -p * np.log(p) - (1 - p) * np.log(1 - p), "p", [(0.02, 0.97)]),
    "two tangents": (TWO, lambda a, b: np.tan(a) * np.tan(b), "ab", [(-1, 1), (0.1, 0.6)]),
    "two decays that die away": (TWO, lambda a, b: a * (np.exp(-b) - np.exp(-a)) / (a - b), "ab",
                                 [(5, 45), (0.1, 3)]),
    "two rates": (TWO, lambda a, b, t: (np.exp(-a * t) - np.exp(-b * t)) / (b - a), "abt",
                  [(0.2, 1), (1.5, 3), (0, 4)]),
    "two decays beside four columns": (extensions.with_decays,
                                       lambda a, b, k, m, t: a * np.exp(-k * t) + b * np.exp(-m * t), "abkmt",
                                       [(5, 20), (1, 6), (0.8, 3), (0.05, 0.3), (0, 10)]),
    "two decays in units of one": (extensions.with_decays,
                                   lambda f, u, v: f * np.exp(-u) + (1 - f) * np.exp(-u / v), "fuv",
                                   [(0.2, 0.8), (0.1, 9), (1.5, 6)]),
    "a damped wave": (extensions.with_decays,
                      lambda a, b, g, t, w: np.exp(-g * t) * (a * np.cos(w * t) + b * np.sin(w * t)),
                      "abgtw", [(1, 5), (1, 3), (0.1, 1), (0, 3), (1, 5)]),
    "two powers of ten": (extensions.with_decays,
                          lambda v, x, p, q: v / (1 + 10 ** (p - x) + 10 ** (x - q)), "vxpq",
                          [(1, 5), (4, 10), (5, 6.5), (7.5, 9)]),
    "a survival from a base": (ONE, lambda g, m, x, a, b: m + (g - m) * np.exp(-((x / a) ** b)), "gmxab",
                               [(0.1, 0.5), (0.9, 1), (0.05, 3), (0.5, 1.5), (1, 4)]),
    "a bell on a base": (ONE, lambda g, m, x, a, s: m + (g - m) * np.exp(-(((x - a) / s) ** 2) / 2), "gmxas",
                         [(0.1, 0.5), (0.9, 1), (0, 5), (1, 4), (0.5, 2)]),
    "a rate in no column": (RATE, lambda a, b, t: (a + b * t) / (1 + np.exp(-1.37 * t)), "abt",
                            [(1, 3), (1, 3), (-3, 3)]),
    "a power in no column": (RATE, lambda a, x: a + x**0.43, "ax", [(1, 3), (0.1, 9)]),
}  # fmt: skip


@pytest.mark.parametrize(
    "law",
    [
        lambda a, x: (a + x) ** -1.7,
        lambda a, x: 1 / (1 + (a * (1 + x) / 4) ** 1.7),
        lambda a, x: 1 - (x / (a + x)) ** 1.7,
    ],
)
def test_any_power_of_a_ratio(law):
    asked = posed(law, "ax", [(1, 3), (0.1, 9)])
    fit = extensions.with_power(asked)[0]
    formula = fit.problem.finish(fit.name()[0].write())
    values = Program.compile(formula, asked.formulas).value(asked.Z)
    assert np.max(np.abs(values - asked.y)) < 1e-7


def test_a_logarithm_of_any_base():
    """Six columns: a logarithm of a ratio is the only law that is looked for beside so many."""
    asked = posed(
        lambda a, b, x, y, u, v: 25.7 * np.log((a * x + b * y) / (a * u + b * v)), "abxyuv", [(1, 3)] * 6
    )
    fit = extensions.with_power(asked)[0]
    formula = fit.problem.finish(fit.name()[0].write())
    values = Program.compile(formula, asked.formulas).value(asked.Z)
    assert np.max(np.abs(values - asked.y)) < 1e-7


@pytest.mark.parametrize("name", LAWS)
def test_the_law_is_found_and_holds_elsewhere(name):
    solver, law, names, ranges = LAWS[name]
    asked = posed(law, names, ranges)
    fit = solver(asked)[0]
    formula = asked.finish(fit.name()[0].write())
    fresh = posed(law, names, ranges, rows=50, seed=3)
    values = Program.compile(formula, asked.formulas).value(fresh.Z)
    assert np.max(np.abs(values - fresh.y)) < 1e-7 * np.max(np.abs(fresh.y))


@pytest.mark.parametrize(
    ("solver", "law", "names", "ranges"),
    [
        (ONE, lambda p, r, n: p * r / (1 - (1 + r) ** -n), "prn", [(50, 300), (0.01, 0.2), (1, 20)]),
        (TWO, lambda a, b: a * (np.exp(-b) - np.exp(-a)) / (a - b), "ab", [(5, 45), (0.1, 3)]),
        (RATE, lambda b, m, e, c: b + m * c**2.4 / (e**2.4 + c**2.4), "bmec", [(1, 9)] * 4),
    ],
)
def test_eighty_rows_show_a_ratio_of_few_terms(solver, law, names, ranges):
    asked = posed(law, names, ranges, rows=80)
    fit = solver(asked)[0]
    values = Program.compile(fit.problem.finish(fit.name()[0].write()), asked.formulas).value(asked.Z)
    assert np.max(np.abs(values - asked.y)) < 1e-7 * np.abs(asked.y).max()


@pytest.mark.parametrize("solver", [ONE, TWO, RATE, extensions.with_power])
def test_eighty_rows_of_noise_or_another_curve_show_none(solver):
    def law(a, b, c):
        return np.sin(a * b) / (2 + np.exp(np.sin(b + c)))

    for noise in (0.0, 1.0):
        assert not solver(posed(law, "abc", [(1, 2)] * 3, 80, noise))


@pytest.mark.parametrize("solver", [extensions.with_one, extensions.with_rate, extensions.with_power])
def test_noise_and_other_curves_are_no_ratio(solver):
    assert not solver(posed(lambda c, k: np.exp(-c * k), "ck", [(1, 3)] * 2, noise=1e-3))
    assert not solver(posed(lambda c, k: np.arctan(np.sin(c) + 2 * k) + c**3.3, "ck", [(1, 3)] * 2))


def test_too_many_columns_are_left_alone():
    wide = posed(lambda *x: np.sum(x, axis=0), "abcdef", [(1, 3)] * 6)
    assert not extensions.with_one(wide) and not extensions.with_rate(wide)


def test_a_relation_of_the_columns_says_nothing_of_the_target():
    """exp(log u) is u: the rate one must not pass for a law of noise."""
    rough = posed(lambda a, b: np.sign(np.sin(40 * a * b)), "ab", [(1, 3)] * 2)
    assert not extensions.with_rate(rough)


def test_slopes_of_networks_show_the_right_move():
    """A wave that no polynomial of a hundred terms follows."""
    asked = posed(lambda x, y, z: np.exp(-((x - y) ** 2)) * np.cos(3 * z), "xyz", [(-2, 2)] * 3, rows=1000)
    fit = learned.smooth(asked)
    first, *others = suggestions.suggested(asked, fit)
    assert fit.loss < 0.01 and first.violation < 0.1 and all(m.violation > 0.1 for m in others)
    assert str(first.make().formulas[-1]) == "x - y"


def test_few_rows_train_no_network():
    assert learned.smooth(posed(lambda a, b: a * b, "ab", [(1, 3)] * 2, rows=100)) is None


def test_a_ratio_in_noise():
    """The law's own function stands out among sixty."""
    ranges = [(0, 0.3), (0.5, 3), (-3, 3)]
    asked = posed(lambda c, a, t: c + (1 - c) / (1 + np.exp(-a * t)), "cat", ranges, noise=0.02)
    first, *_ = sorted(noisy.fits(asked), key=lambda f: f.rank)
    assert first.share < 1e-3 and first.name()[0].write().has(sympy.exp)


def test_a_ratio_of_one_column_in_noise_keeps_no_term_that_the_law_lacks():
    """A logarithmic mean: the full ratio of six terms fits worse than the law's three."""
    asked = posed(lambda u: (u - 1) / np.log(u), "u", [(1.4, 20)], noise=0.01, rows=1000)
    named = [p.write() for fit in noisy.fits(asked) for p in fit.name()]
    log = sympy.log(sympy.Symbol("u", real=True))
    assert any(len(e.atoms(sympy.Float)) <= 3 and e.has(log) for e in named)


def test_terms_are_struck_out_one_by_one():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(60, 5))
    A[:, 0] = A[:, 2] - 3 * A[:, 4] + 0.01 * rng.normal(size=60)
    solutions = noisy._struck(A, 0)
    assert [np.count_nonzero(v) for v in solutions] == [5, 4, 3, 2]
    assert np.flatnonzero(solutions[2]).tolist() == [0, 2, 4]
    for v in solutions:
        kept = np.flatnonzero(v)[1:]
        best = np.linalg.lstsq(A[:, kept], A[:, 0], rcond=None)[0]
        assert v[kept] / v[0] == pytest.approx(-best, abs=1e-9)


def test_two_decays_in_noise_are_known_by_what_the_ratio_itself_leaves():
    """The linear fit of y*(u - v) is bent by noise: the pair came after dozens of others."""
    asked = posed(
        lambda u, v: u * (np.exp(-v) - np.exp(-u)) / (u - v), "uv", [(0.2, 30), (0.02, 6)], 700, 0.01
    )
    best = min((p for fit in noisy.fits(asked) for p in fit.name()), key=lambda p: p.share + 1e-6 * p.price)
    u, v = asked.formulas
    assert {e.args[0] for e in best.write().atoms(sympy.exp)} == {-u, -v}
    assert best.price <= 15


def test_few_rows_and_many_columns_give_no_ratio_in_noise():
    assert not noisy.fits(posed(lambda a, b: a / b, "ab", [(1, 3)] * 2, rows=45))
    assert not noisy.fits(posed(lambda *x: np.sum(x, axis=0), "abcde", [(1, 3)] * 5))


def test_a_hyperbolic_tangent_is_written_as_one():
    asked = posed(lambda a, b, c: np.tanh(a * b) + c**2, "abc", [(-2, 2), (-2, 2), (-1, 1)])
    formula = extensions.with_rate(asked)[0].name()[0].write()
    assert formula.has(sympy.tanh) and not formula.has(sympy.exp)

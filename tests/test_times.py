"""A factor that is known times a curve of one argument, in noise of a tenth of the target's size."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import sympy
from tables import table

from kansym.base.budget import Budget
from kansym.functions.parsing import symbols
from kansym.search.structure import curve
from kansym.search.structure.problem import problem
from kansym.search.tree import blurred, times, turned

noisy = partial(table, rows=700, noise=0.1)


def first(data, reduced=(), formulas=()):
    """Return the factor and the argument of the likeliest curve."""
    stand = sympy.Dummy(real=True)
    _, child = times.curves(problem(data), list(reduced), formulas)[0]
    return sympy.simplify(child.finish(stand) / stand), child.formulas[0]


def test_what_a_plain_formula_is_off_by_is_a_curve():
    """Slopes do not see how weakly (x - u*t)/sqrt(1 - u**2/c**2) depends on c."""
    data = noisy(lambda x, u, c, t: (x - u * t) / np.sqrt(1 - u**2 / c**2), "xuct",
                 [(5, 10), (1, 2), (3, 10), (1, 2)])  # fmt: skip
    x, u, c, t = symbols(data.names)
    plain = 1.02 * x - 0.99 * u * t
    factor, argument = first(data, formulas=[plain])
    assert sympy.simplify(factor - plain) == 0 and argument in (u / c, c / u)


@pytest.mark.parametrize("joined", [True, False], ids=["as moves joined them", "unknown"])
def test_powers_beside_a_curve_of_a_difference_are_climbed_to(joined):
    """No polynomial of six columns is near it, and of the product a move had but one power."""
    data = noisy(lambda g, r, a, x, m, d: g * r / a * np.exp(-(((x - m) / d) ** 2)), "graxmd",
                 [(1, 3), (1, 3), (1, 3), (0, 4), (0, 3), (1, 2)])  # fmt: skip
    asked = problem(data)
    g, r, a, x, m, d = symbols(data.names)
    reduced = []
    if joined:
        reduced = [asked.columns(asked.Z[:, 3:4] - asked.Z[:, 4:5], (x - m,))]
    factor, argument = first(data, reduced)
    assert sympy.simplify(factor - g * r / a) == 0 and argument**2 in (
        (x - m) ** 2 / d**2,
        d**2 / (x - m) ** 2,
    )


def test_nothing_is_a_curve_of_what_does_not_matter():
    data = noisy(lambda a, b, c: a * b + 0 * c, "abc", [(1, 3), (1, 3), (1, 3)])
    a, b, _ = symbols(data.names)
    found = times.curves(problem(data), [], [a * b])
    assert not [child for _, child in found if sympy.simplify(child.finish(sympy.S.One) - a * b) == 0]


def test_a_noisy_square_of_a_sine_is_named_with_two_numbers():
    rng = np.random.default_rng(0)
    h = rng.uniform(-8, 8, 700)
    t = 3 * np.sin(h / 2) ** 2 / h**2
    law = curve.laws(h, t + 0.03 * rng.normal(size=len(h)), np.ones(len(h)))[0]
    formula = law.formula(symbols(["h"])[0])
    assert formula.has(sympy.sin) and len(formula.atoms(sympy.Float)) == 2


def test_a_product_with_a_curve_of_both_columns_is_named_factor_by_factor():
    """A polynomial in n and d leaves most of a grating's fringes, and no column can be divided out."""
    data = noisy(lambda n, d: np.sin(n * d / 2) ** 2 / np.sin(d / 2) ** 2, "nd", [(2, 5), (0.8, 5)])
    n, d = symbols(data.names)
    fits = turned.fits([problem(data)])
    found = [fit.problem.finish(fit.name()[0].write()) for fit in fits]
    near = [e.xreplace({f: sympy.Rational(round(2 * f), 2) for f in e.atoms(sympy.Float)}) for e in found]
    assert sympy.sin(n * d / 2) ** 2 / sympy.sin(d / 2) ** 2 in near


def test_where_a_smooth_fit_leaves_noise_no_product_is_looked_for():
    assert turned.fits([problem(noisy(lambda a, b: a / b, "ab", [(1, 3), (1, 3)]))]) == []


@pytest.mark.parametrize(
    ("law", "asked"),
    [(lambda a, b, c: a * b / c, False), (lambda a, b, c: a * (1 + b * c) * np.exp(-((b - c) ** 2)), True)],
    ids=["plain", "unknown"],
)
def test_where_a_plain_formula_leaves_noise_no_factor_is_looked_for(law, asked, monkeypatch):
    looks = []
    monkeypatch.setattr(times, "curves", lambda *given: looks.append(given) or [])
    next(blurred.propose(noisy(law, "abc", [(1, 3), (1, 3), (1, 3)]), budget=Budget()), None)
    assert bool(looks) == asked

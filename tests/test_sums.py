"""The sparse choice of products of plain curves: finds sums that hide in noise, and stays small."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kansym.data.dataset import from_arrays
from kansym.search.structure import sums
from kansym.search.structure.problem import problem


def posed(X, y, names):
    return problem(from_arrays(X, y, names))


def found(text, names, X, noise, seed=0):
    symbols = sympy.symbols(names)
    law = sympy.sympify(text, locals=dict(zip(names, symbols, strict=True)))
    clean = sympy.lambdify(symbols, law, "numpy")(*X.T)
    y = clean + noise * np.sqrt(np.mean(clean**2)) * np.random.default_rng(seed).normal(size=len(X))
    p = posed(X, y, names)
    best = sums.fit(p, p.fit)[0]
    real = dict(zip(symbols, sympy.symbols(names), strict=True))
    return best, law.xreplace(real)


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_interference_is_found_though_each_of_two_terms_alone_is_worth_nothing(noise):
    X = np.random.default_rng(1).uniform(1, 5, (600, 3))
    best, law = found("a + b + 2*sqrt(a*b)*cos(c)", ["a", "b", "c"], X, noise)
    assert len(best.terms) == 3
    simple = best.proposals()[-1].write()
    symbols = sorted(law.free_symbols, key=str)
    values = sympy.lambdify(symbols, simple)(*X.T)
    truth = sympy.lambdify(symbols, law)(*X.T)
    assert np.allclose(values, truth, atol=0.05 * np.abs(truth).max())


def test_a_product_that_the_dictionary_lacks_is_built_from_its_parts():
    X = np.random.default_rng(2).uniform(1, 3, (700, 4))
    best, _ = found("a*(cos(b*c) + d*cos(b*c)**2)", ["a", "b", "c", "d"], X, 0.05)
    terms = {sympy.Mul(*(f.formula for f in t)) for t in best.terms}
    names = {str(t) for t in terms}
    assert names == {"a*cos(b*c)", "a*d*cos(b*c)**2"}


def test_noise_alone_gets_no_more_than_a_term_or_two():
    rng = np.random.default_rng(3)
    p = posed(rng.uniform(1, 3, (500, 3)), rng.normal(size=500) + 5, ["a", "b", "c"])
    assert len(sums.fit(p, p.fit)[0].terms) <= 2


def test_simple_ratios_are_offered_beside_the_fitted_coefficients():
    X = np.random.default_rng(4).uniform(1, 3, (500, 2))
    best, _ = found("3*a**2 - 6*b", ["a", "b"], X, 0.01)
    raw, simple = (offered.write() for offered in best.proposals())
    a, b = sorted(simple.free_symbols, key=str)
    assert simple.coeff(b) == -2 * simple.coeff(a, 2)
    assert raw.coeff(b) != -2 * raw.coeff(a, 2)


def test_columns_of_any_sign_raise_no_warning_and_use_no_roots():
    X = np.random.default_rng(5).uniform(-2, 2, (300, 2))
    p = posed(X, X[:, 0] ** 2 + X[:, 1], ["a", "b"])
    powers = [e for f in sums.factors(p, p.fit) for e in f.formula.atoms(sympy.Pow)]
    assert powers
    assert all(e.exp.is_Integer and e.exp > 0 for e in powers if e.base.is_Symbol)


def test_thirty_columns_make_no_more_terms_than_the_limit():
    X = np.random.default_rng(6).uniform(1, 3, (120, 30))
    p = posed(X, X[:, 0] * X[:, 1] + X[:, 2], [f"x{i}" for i in range(30)])
    offered = sums.factors(p, p.fit)
    assert len(sums.products(offered, p.width)) <= sums.MOST_PRODUCTS
    assert len(sums.fit(p, p.fit)[0].terms) == 2

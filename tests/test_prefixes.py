"""Columns of very large or small numbers, searched in powers of 1000."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import kansym
from kansym.data.dataset import from_arrays
from kansym.data.prefixes import prefixed
from kansym.functions.parsing import symbols


def dataset(*scales, of_y=1.0, weights=None):
    X = np.random.default_rng(0).uniform(1, 5, (200, len(scales))) * np.array(scales)
    return from_arrays(X, of_y * X[:, 0] / X[:, -1], [f"v{k}" for k in range(len(scales))], weights)


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.1, 30.0), (100.0, 1.0)])
def test_ordinary_columns_stay_as_they_are(scales):
    assert prefixed(dataset(*scales)) is None


def test_every_column_becomes_ordinary():
    found = prefixed(dataset(1e6, 1.0, 1e-9, of_y=1e-30))
    assert np.all(np.abs(np.log10(np.median(found.dataset.X, axis=0))) < 3)
    assert abs(np.log10(np.median(np.abs(found.dataset.y)))) < 3


def test_columns_of_like_size_keep_their_ratio():
    # 900 m and 2000 m: in m and km their difference would be none of the columns' any more
    found = prefixed(dataset(300.0, 700.0, 9e6))
    sizes = np.array([300.0, 700.0])
    assert np.median(found.dataset.X[:, 1]) / np.median(found.dataset.X[:, 0]) == pytest.approx(
        sizes[1] / sizes[0], rel=0.2
    )


def test_a_formula_comes_back_in_the_tables_own_columns():
    data = dataset(1e6, 1e-6, of_y=1e-9, weights=np.linspace(1, 2, 200))
    found = prefixed(data)
    a, b = symbols(found.dataset.names)
    formula = found.back(sympy.sin(a - 3 * a) / b)
    small = np.sin(-2 * found.dataset.X[:, 0]) / found.dataset.X[:, 1]
    values = sympy.lambdify((a, b), formula)(*data.X.T)
    assert values == pytest.approx(small * float(found.product), rel=1e-9)
    assert data.weights * data.y**2 == pytest.approx(found.dataset.weights * found.dataset.y**2)


def test_a_factor_of_all_terms_stands_before_the_sum():
    found = prefixed(dataset(1e6, 1e6, 1e6))
    a, b, c = symbols(found.dataset.names)
    assert found.back((a - b) / c) == (a - b) / c
    assert found.back((a - b) * c).count_ops() == 3
    tiny = prefixed(dataset(1.0, 1.0, of_y=1e-9))
    a, b = symbols(tiny.dataset.names)
    assert tiny.back(a - b) == sympy.factor_terms((a - b) * tiny.product)
    assert tiny.back(a - b).is_Mul


def test_an_arcsine_in_micrometres_is_found():
    # only in its own unit is y an angle
    rng = np.random.default_rng(1)
    n, theta = rng.uniform(0.1, 0.9, 300) * 1e6, rng.uniform(0.1, 1.4, 300) * 1e6
    y = 1e-6 * np.arcsin(n / 1e6 * np.sin(theta / 1e6))
    run = kansym.discover(np.column_stack([n, theta]), y, names=["n", "theta"], time_limit=60)
    assert run.best.exact
    assert len(run.best.equation) < 60

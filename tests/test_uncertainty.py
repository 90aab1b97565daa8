"""What is told of a formula's numbers: the measured ones with errors, exact ones beside their free fit."""

import numpy as np
import pytest
import sympy

from kansym.formula.polish import Rows
from kansym.formula.uncertainty import numbers
from kansym.functions.parsing import symbols

X = symbols(["x"])[0]


def rows(law, low, high, noise=0.02):
    x = np.linspace(low, high, 80)
    return Rows(x[:, None], law(x) + noise * np.random.default_rng(2).normal(size=80), None, (X,))


def test_an_exact_exponent_stands_beside_its_free_fit():
    found = {c.name: c for c in numbers(sympy.Float(1.5) * X**2, rows(lambda x: 1.5 * x**2, 0.0, 3.0))}
    assert found["exponent of x"].exact == 2
    assert found["exponent of x"].value == pytest.approx(2, abs=2 * found["exponent of x"].stderr)


def test_the_exponent_of_what_is_negative_on_some_rows_is_no_measured_number():
    found = numbers(sympy.Float(1.5) * sympy.cos(X) ** 2, rows(lambda x: 1.5 * np.cos(x) ** 2, 0.1, 3.0))
    assert [c.name for c in found] == ["factor of cos(x)**2"]
    assert found[0].value == 1.5 and 0 < found[0].stderr < 0.01

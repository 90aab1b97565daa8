"""How finely a column is written: in decimals, in significant digits, or as computed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kansym.base import digits


def test_decimals_give_one_step():
    np.testing.assert_allclose(digits.steps(np.array([12.53, 0.25, 100.04])), 0.01)


def test_significant_digits_give_steps_that_grow_with_the_value():
    steps = digits.steps(np.array([1.2345e-3, 1.2346, 123.41]))
    assert steps[0] < steps[1] < steps[2] == pytest.approx(0.01)


def test_computed_numbers_and_nothing_but_zeros_have_none():
    assert not digits.steps(np.sqrt(np.arange(2.0, 9.0))).any()
    assert not digits.steps(np.zeros(3)).any()


@given(st.integers(0, 6), st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=20))
def test_values_are_whole_numbers_of_their_steps(places, numbers):
    y = np.array(numbers) / 10.0**places
    steps = digits.steps(y)
    if steps.any():
        np.testing.assert_allclose(y / steps, np.round(y / steps), atol=1e-3)

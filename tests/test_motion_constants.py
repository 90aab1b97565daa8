"""Constants of laws of motion as people write them: short decimals, where the trajectories allow them."""

import json

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from kansym.formula import constants
from kansym.pipeline.motion.dynamics import dynamics
from kansym.pipeline.motion.system import Dynamics


def relaxing(rate, goal, seed=0):
    """Return what is found of a relaxation under one percent of noise."""
    t = np.linspace(0, 8, 300)
    x = goal / rate + (6 - goal / rate) * np.exp(-rate * t)
    return dynamics(t, x * (1 + 0.01 * np.random.default_rng(seed).normal(size=300)), names=["x"])


def test_constants_near_short_decimals_are_written_so():
    found = relaxing(0.9, 1.3)
    assert {c.rounded for c in found.constants["x"]} == {"-0.9", "1.3"}
    assert found.text() == "dx/dt = 1.3 - 0.9*x"
    assert all(abs(c.value - float(c.rounded)) <= 2 * c.stderr for c in found.constants["x"])
    assert Dynamics.from_dict(json.loads(json.dumps(found.to_dict()))).to_dict() == found.to_dict()


def test_halves_stay_fractions_and_odd_constants_stay_measured():
    # a half, 1.6 standard errors away, is rounded only after the other constant, which moves it along
    assert relaxing(0.5, 2.0).text() == "dx/dt = 2 - x/2"
    odd = relaxing(0.8763, 1.3391)
    assert all(
        c.rounded is None or abs(float(c.rounded) - c.value) <= 2 * c.stderr for c in odd.constants["x"]
    )


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 0.2))
def test_decimals_are_near_short_and_dearer_by_the_digit(value, share):
    offered = constants.decimals(value, share * value)
    assert all(abs(n.value - value) <= constants.REACH * share * value for n in offered)
    assert [n.price for n in offered] == sorted(n.price for n in offered)
    for n in offered:
        digits = f"{n.value:.10e}".split("e")[0].rstrip("0").replace(".", "")
        assert len(digits) <= constants.DIGITS


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_what_is_no_number_is_no_decimal(value):
    assert constants.decimals(value, 1.0) == []


def test_constants_are_told_as_the_equations_have_them():
    # one is round, the other is not: with the first rounded the second one moves
    t = np.linspace(0, 8, 120)
    noisy = 2.27 / 1.5 * (1 - np.exp(-1.5 * t)) * (1 + 0.02 * np.random.default_rng(1).normal(size=120))
    found = dynamics(t, noisy, names=["x"])
    assert {c.rounded for c in found.constants["x"]} == {None, "-3/2"}
    measured = [c.value for c in found.constants["x"] if c.rounded is None]
    assert measured == [float(f) for f in found.equations["x"].atoms(sympy.Float)]

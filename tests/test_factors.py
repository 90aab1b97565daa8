"""Noise that is a factor: half as much here, twice as much there."""

import numpy as np
import pytest
import sympy

from kansym.cli import text
from kansym.pipeline.flow import discover


def test_noise_that_is_a_factor_is_found_with_its_law_and_band():
    rng = np.random.default_rng(4)
    mass = np.exp(rng.uniform(-4, 8, 60))
    y = 8 * mass**0.75 * np.exp(0.7 * rng.normal(size=60))
    run = discover(mass[:, None], y, names=["mass"])
    assert run.noise_model.kind == "log"
    (power,) = run.best.expression.atoms(sympy.Pow)
    slope, height = np.polyfit(np.log(mass), np.log(y), 1)  # a line on doubly logarithmic paper
    assert float(power.exp) == pytest.approx(slope, abs=0.02)
    assert float(run.best.expression / power) == pytest.approx(np.exp(height), rel=0.03)
    at = np.array([[0.1], [100.0]])
    low, high = run.predict_band(at)
    assert low * high == pytest.approx(run.best.predict(at, ["mass"]) ** 2, rel=0.05)
    assert np.log(high / low) == pytest.approx(4 * 0.7, rel=0.25)
    assert any("new rows should lie within a factor of" in line for line in text.judged(run))

"""Many states, each driven by a few others; the picture of what drives what."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import kansym
from kansym.pipeline.motion.smooth import smooth
from kansym.report.arrows import arrows_svg


def ring(count, rows, step):
    """Return times and states of Lorenz's ring of 1996, on its attractor."""
    slopes = lambda t, x: (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8  # noqa: E731
    begin = 8 + np.random.default_rng(0).normal(size=count)
    begin = solve_ivp(slopes, (0, 5), begin, rtol=1e-8).y[:, -1]
    t = step * np.arange(rows)
    return t, solve_ivp(slopes, (0, t[-1]), begin, t_eval=t, rtol=1e-9, atol=1e-9).y.T


def test_arrows_of_a_ring_under_noise():
    count = 8
    t, X = ring(count, 500, 0.03)
    found = kansym.dynamics(t, X * (1 + 0.01 * np.random.default_rng(1).normal(size=X.shape)))
    arrows = {(d, s) for s, drivers in found.couplings.items() for d in drivers}
    true = {(f"x{(k + step) % count}", f"x{k}") for k in range(count) for step in (-2, -1, 0, 1)}
    assert len(arrows & true) >= 0.95 * max(len(arrows), len(true))
    assert found.horizon < 10
    assert "Chaotic" in found.trust


def test_many_rows_need_as_many_cells_as_they_turn():
    t = np.linspace(0, 100, 2000)
    x, slope = np.sin(4 * t) + np.sin(9 * t), 4 * np.cos(4 * t) + 9 * np.cos(9 * t)
    noisy = smooth(t, x + 0.01 * np.random.default_rng(0).normal(size=2000))
    assert np.std(noisy.slope(t) - slope) < 0.03 * np.std(slope)
    assert np.abs(smooth(t, x).slope(t) - slope).max() < 0.01  # of 13, at the ends


def test_the_picture_has_an_arrow_for_each_coupling_and_escapes_names():
    picture = arrows_svg({"a<b": ("a<b", "c"), "c": ("a<b", "u")})
    assert picture.count("marker-end") == 3
    assert "a&lt;b" in picture
    assert "<b" not in picture.replace("&lt;b", "")


@pytest.mark.parametrize("count", [1, 2, 25])
def test_any_number_of_states_is_drawn(count):
    names = [f"s{k}" for k in range(count)]
    assert arrows_svg(dict.fromkeys(names, names)).count("<text") == count

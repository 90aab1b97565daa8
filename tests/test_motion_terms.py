"""Sums of known terms: what the beams hand on, and what a right side costs."""

from dataclasses import replace

import numpy as np
import sympy
from scipy.integrate import solve_ivp

from kansym.pipeline.motion import discovery, families, parametric, terms, trajectory
from kansym.pipeline.motion.integral import motion
from kansym.pipeline.motion.shooting import SEGMENT_ROWS

x, y, z = sympy.symbols("x y z", real=True)


def moved(slopes, start, names, noise, rows=300, span=10.0, seed=0):
    """Return the smooth curves of a system simulated from a start, noise relative to each value."""
    t = np.linspace(0, span, rows)
    path = solve_ivp(slopes, (0, span), start, t_eval=t, rtol=1e-10, atol=1e-12).y.T
    noisy = path * (1 + noise * np.random.default_rng(seed).normal(size=path.shape))
    return motion(trajectory.series(t, noisy, names=names))


def held(formula):
    """Return the terms of a sum without their coefficients."""
    return {part.as_coeff_Mul()[1] for part in sympy.Add.make_args(formula)}


def test_a_linear_law_is_among_the_sums_whatever_else_is_in_the_dictionary():
    # glucose, its uptake, insulin: under noise dozens of pairs of products are as good as the law of insulin
    def slopes(t, s):
        return [1.5 - 0.3 * s[0] - s[1] * s[0], 0.2 * s[2] - 0.2 - 0.5 * s[1], 0.1 - 0.6 * s[2] + 0.1 * s[0]]

    moving = moved(slopes, [12.0, 0.0, 4.0], ["x", "y", "z"], 0.01)
    assert any(held(f) == {x, z, sympy.S.One} for f, _ in terms.sums(moving, 2, False))


def bead(t, s):
    """Return the slopes of a bead on a turning hoop: angle and its speed."""
    return [s[1], 4 * np.sin(s[0]) * np.cos(s[0]) - 2 * np.sin(s[0]) - 0.3 * s[1]]


def test_the_plainest_sum_of_its_size_is_handed_on():
    moving = moved(bead, [0.4, 0.0], ["x", "y"], 0.01, seed=2)
    found = terms.sums(replace(moving, window=SEGMENT_ROWS), 1, True, shown=1)
    assert any(held(f) == {y, sympy.sin(x), sympy.sin(x) * sympy.cos(x)} for f, _ in found)


def test_a_rate_that_follows_the_season_is_handed_on():
    def slopes(t, s):
        return [s[0] * (1 + 0.6 * np.cos(6.283 * t) - s[0] / 4)]

    moving = moved(slopes, [1.0], ["x"], 0.005, rows=200, span=5.0)
    found = parametric.right_sides(moving, 0)
    assert any(x * wave in held(f) for f in found for wave in f.atoms(sympy.cos))


def test_a_sum_under_a_line_has_a_constant_for_each_of_its_terms():
    # predators that get in each other's way (Beddington, DeAngelis)
    def slopes(t, s):
        eaten = s[0] * s[1] / (1 + 0.6 * s[0] + 1.5 * s[1])
        return [s[0] * (1 - s[0] / 4) - 1.8 * eaten, 1.1 * eaten - 0.35 * s[1]]

    moving = moved(slopes, [1.0, 1.5], ["x", "y"], 0.0, span=20.0)
    law = 1.1 * x * y / (1 + 0.6 * x + 1.5 * y) - 0.35 * y
    at = [{x: u, y: v} for u, v in ((0.5, 2.0), (3.0, 0.2), (1.7, 1.1))]
    found = [f for f in parametric.right_sides(moving, 1) if f.free_symbols <= {x, y}]
    assert any(all(abs(complex((f - law).subs(p))) < 1e-6 for p in at) for f in found)


def test_two_minima_of_a_constant_are_handed_on(monkeypatch):
    monkeypatch.setattr(parametric, "_columns", lambda columns, moving, state: columns)
    one = ((sympy.S.One, np.ones(1)),)
    family = families.Family(
        np.linspace(6, 0, 25), lambda p: [np.array([p])], lambda p: [sympy.Float(p)], one
    )
    hollows = lambda c: np.array([(c[0] - 1) ** 2 * (c[0] - 4) ** 2 + 0.1 * c[0]])  # noqa: E731
    found = parametric._scanned([family], None, 0, hollows)
    assert [scan.constant for scan in found] == [1.0, 4.0]


def test_curves_are_good_enough_where_a_law_leaves_only_noise_along_them():
    moving = moved(lambda t, s: [-0.5 * s[0] + 1], [5.0], ["x"], 0.01)
    assert discovery._good_enough(moving, [-sympy.Float(0.5) * x + sympy.Float(1.0)])
    assert not discovery._good_enough(moving, [-sympy.Float(0.5) * x**3])


def test_a_sum_below_a_line_costs_more_than_its_symbols():
    ratio, product = x / (1 + sympy.Float(0.3) * y), x * y**2 * sympy.Float(0.3) + x
    assert terms.price(product) == terms.criterion.NODE_PRICE * terms.complexity(product)
    assert terms.price(ratio) > terms.criterion.NODE_PRICE * terms.complexity(ratio)

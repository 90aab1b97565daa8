"""Sums of known terms: what the beams hand on, and what a right side costs."""

from dataclasses import replace

import numpy as np
import sympy
from scipy.integrate import solve_ivp

from kansym.pipeline.motion import discovery, parametric, terms, trajectory
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
    moving = moved(bead, [0.4, 0.0], ["x", "y"], 0.01)
    found = terms.sums(replace(moving, window=SEGMENT_ROWS), 1, True, shown=1)
    assert any(held(f) == {y, sympy.sin(x), sympy.sin(x) * sympy.cos(x)} for f, _ in found)


def test_a_function_is_found_at_the_second_of_its_minima():
    moving = moved(lambda t, s: [4 / (1 + s[0] ** 2) - 0.5 * s[0]], [0.1], ["x"], 0.01)
    found = [held(f) for f in parametric.right_sides(moving, 0)]
    laws = [parts for parts in found if x in parts and len(parts) == 2]
    constants = [float(1 / p.subs(x, 1) - 1) for parts in laws for p in parts if p.subs(x, 0) == 1]
    assert min(abs(c - 1) for c in constants) < 0.1


def test_curves_are_good_enough_where_a_law_leaves_only_noise_along_them():
    moving = moved(lambda t, s: [-0.5 * s[0] + 1], [5.0], ["x"], 0.01)
    assert discovery._good_enough(moving, [-sympy.Float(0.5) * x + sympy.Float(1.0)])
    assert not discovery._good_enough(moving, [-sympy.Float(0.5) * x**3])


def test_a_sum_below_a_line_costs_more_than_its_symbols():
    ratio, product = x / (1 + sympy.Float(0.3) * y), x * y**2 * sympy.Float(0.3) + x
    symbols = terms.complexity(ratio) - terms.complexity(product)
    assert terms.price(ratio) - terms.price(product) > terms.criterion.NODE_PRICE * symbols

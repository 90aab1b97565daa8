"""Quantities that a motion conserves, from equations and from values."""

import numpy as np
import pytest
import sympy

from kansym.base.errors import InputError
from kansym.pipeline.motion.conserved import conserved, first_integrals

x, y, z = sympy.symbols("x y z", real=True)
LOW, HIGH = np.array([0.3, 0.3]), np.array([4.0, 5.0])


def rate(quantity, equations):
    """Return the derivative of a quantity along the motion, simplified."""
    slope = sum(sympy.diff(quantity, s) * f for s, f in zip((x, y, z), equations.values(), strict=False))
    return sympy.expand(sympy.nsimplify(slope, rational=True, tolerance=1e-9))


@pytest.mark.parametrize(
    ("equations", "low"),
    [
        ({"x": 1.1 * x - 0.4 * x * y, "y": 0.1 * x * y - 0.4 * y}, LOW),
        ({"x": y, "y": -9.81 * sympy.sin(x)}, -HIGH),
        ({"x": y, "y": x - x**3}, -HIGH),
    ],
)
def test_one_first_integral(equations, low):
    (found,) = first_integrals(equations, low, HIGH, 0.0)
    assert rate(found, equations) == 0


def test_independent_ones_alone_are_offered():
    equations = {"x": -y * z / 2, "y": sympy.Rational(6, 5) * x * z, "z": -sympy.Rational(2, 5) * x * y}
    found = first_integrals(equations, -np.ones(3), np.ones(3), 0.0)
    assert len(found) == 2  # energy and angular momentum, not their squares and products
    assert all(rate(q, equations) == 0 for q in found)


def test_friction_and_badly_known_constants_conserve_nothing():
    assert first_integrals({"x": y, "y": -4 * x - 0.2 * y}, -HIGH, HIGH, 0.0) == ()
    assert first_integrals({"x": y, "y": -4 * x}, -HIGH, HIGH, 0.5) == ()
    t = sympy.Symbol("t", real=True)
    assert first_integrals({"x": y, "y": -4 * x + t}, -HIGH, HIGH, 0.0) == ()


def test_what_hardly_depends_on_a_state_is_no_energy():
    # under blurred constants x^2 + 2*cos(x) - x^4/12 seems to stay the same along any motion
    x, v, a, b = sympy.symbols("x v a b", real=True)
    low, high = np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    assert first_integrals({"x": v, "v": -4 * x - 0.3 * v}, low, high, 3e-3) == ()
    coupled = {"a": x, "b": v, "x": -3 * a + b, "v": a - 2 * b}
    found = first_integrals(coupled, -np.ones(4), np.ones(4), 1e-3)
    energy = 3 * a**2 - 2 * a * b + 2 * b**2 + x**2 + v**2
    assert any(sympy.simplify(f / f.coeff(x**2) - energy).is_zero for f in found if f.coeff(x**2) != 0)


def test_values_of_several_runs_show_an_energy():
    rng, rows, labels = np.random.default_rng(0), [], []
    for run in range(6):
        size, phase = rng.uniform(0.5, 2), rng.uniform(0, 6)
        t = np.linspace(0, 5, 60)
        rows.append(np.column_stack([size * np.cos(2 * t + phase), -2 * size * np.sin(2 * t + phase)]))
        labels.append(np.full(60, run))
    found = conserved(np.vstack(rows), names=["x", "y"], groups=np.concatenate(labels))
    assert rate(found[0], {"x": y, "y": -4 * x}) == 0


def test_one_column_and_gaps_are_refused():
    with pytest.raises(InputError, match="two or more"):
        conserved(np.ones((5, 1)))
    with pytest.raises(InputError, match="gaps"):
        conserved(np.array([[1.0, np.nan], [2.0, 3.0]]))

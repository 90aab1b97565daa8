"""Units of laws of motion: of constants, by which formulas are refused, from headers and options."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from click.testing import CliRunner

from kansym.base.errors import InputError, UnknownNameError
from kansym.cli import main
from kansym.functions.parsing import parse_expression
from kansym.pipeline.motion.dimensions import consistent, of_constants, powers, rate
from kansym.pipeline.motion.dynamics import dynamics
from kansym.pipeline.motion.integral import motion
from kansym.pipeline.motion.terms import sums
from kansym.pipeline.motion.trajectory import series

NAMES = ("x", "v", "T", "z", "t")
UNITS = powers({"x": "m", "v": "m/s", "T": "degC", "t": "s"}, NAMES)
A, B = sympy.symbols("A B")


@pytest.mark.parametrize(
    ("formula", "target", "values", "expected"),
    [
        (lambda x, v, T, z, t: A * x + B * v, "m/s^2", (-4.0, -0.2), ("1/s^2", "1/s")),
        (lambda x, v, T, z, t: A * T / (1 + B * T), "degC/min", (1.0, 0.1), ("1/min", "1/°C")),
        (lambda x, v, T, z, t: A * z + B, "m/s", (1.0, 0.1), ("", "m/s")),
        (lambda x, v, T, z, t: A * x**B, "m/s", (1.0, 0.5), ("m^(1/2)/s", "1")),
        (lambda x, v, T, z, t: A * x**B, "m/s", (1.0, 0.5123), ("", "1")),
        (lambda x, v, T, z, t: A * sympy.exp(-B / T), "1/s", (1.0, 2.0), ("1/s", "°C")),
        (lambda x, v, T, z, t: A * sympy.sin(B * t), "m/s", (1.0, 2.0), ("m/s", "1/s")),
        (lambda x, v, T, z, t: A * x * sympy.log(x) + B * x, "m/s", (1.0, 2.0), ("1/s", "1/s")),
        (lambda x, v, T, z, t: A * B * x, "m/s", (1.0, 2.0), ("", "")),
    ],
)
def test_constants_have_the_units_that_are_left_for_them(formula, target, values, expected):
    template = formula(*sympy.symbols(NAMES, real=True))
    unit = powers({"y": target}, ("y",))["y"]
    assert of_constants(template, (A, B), np.array(values), unit, UNITS) == expected


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("sin(x)", False),
        ("exp(-2*T)", False),
        ("sin(x - v)", False),
        ("sqrt(x**2 + v**2)", False),
        ("sqrt(x**2 + z**2)", True),
        ("sin(z)", True),
        ("log(x)", True),
        ("x*v**2/T", True),
        ("sin(x/(v*t))", True),
    ],
)
def test_no_sine_of_metres(text, allowed):
    assert consistent(parse_expression(text, NAMES), UNITS) is allowed


def test_a_rate_is_per_time_and_per_unknown_time():
    assert rate({"m": Fraction(1)}, "s") == {"m": 1, "s": -1}
    assert rate({"s": Fraction(1)}, "s") == {"s": 0}
    assert rate({"m": Fraction(1)}, None) == {"m": 1, "?time": -1}


def test_right_sides_take_no_sine_of_what_has_a_unit():
    t = np.linspace(0, 6, 100)
    x = np.exp(-t)
    for units, some in ((None, True), ({"x": "m"}, False), ({"x": "rad"}, True)):
        moving = motion(series(t, x, names=["x"], units=units))
        assert any(f.has(sympy.sin) for f, _ in sums(moving, 0, True)) is some


def test_order_two_has_forces_in_units_of_acceleration():
    t = np.linspace(0, 6, 120)
    found = dynamics(t, np.cos(2 * t), names=["x"], order=2, units={"x": "cm", "t": "ms"})
    assert found.constant_units == {"x": ("1/ms^2",)}


def test_units_of_strangers_and_unknown_ones_are_refused():
    t = np.linspace(0, 1, 20)
    with pytest.raises(UnknownNameError, match="y"):
        series(t, t, names=["x"], units={"y": "m"})
    with pytest.raises(InputError, match="furlongsmith"):
        series(t, t, names=["x"], units={"x": "furlongsmith"})


def test_headers_and_options_give_units(tmp_path):
    t = np.linspace(0, 5, 60)
    rows = [f"{a:.6g},{20 + 30 * np.exp(-0.4 * a):.8g}" for a in t]
    (tmp_path / "cup.csv").write_text("t [min],T\n" + "\n".join(rows) + "\n")
    arguments = ["dynamics", str(tmp_path / "cup.csv"), "--time", "t", "--units", "T=degC", "--quiet"]
    printed = CliRunner().invoke(main, arguments).output
    assert " °C/min" in printed and " 1/min" in printed
    arguments[5] = "T"
    assert "COLUMN=UNIT" in CliRunner().invoke(main, arguments).output

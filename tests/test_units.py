"""Units are exact exponents of seven base dimensions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kansym.base.errors import InputError
from kansym.data.units import BASE, groups, parse, show


@pytest.mark.parametrize(
    ("text", "shown", "scale"),
    [
        ("m/s", "m/s", 1.0),
        ("km/s/Mpc", "1/s", 1e3 / 3.0856775814913674e22),
        ("1/cm", "1/m", 100.0),
        ("MJy/sr", "kg/s^2", 1e-20),
        ("V", "m^2*kg/(s^3*A)", 1.0),
        ("N", "m*kg/s^2", 1.0),
        ("AU", "m", 149597870700.0),
        ("rad", "1", 1.0),
        ("%", "1", 0.01),
        ("", "1", 1.0),
        ("m^(1/2)", "m^(1/2)", 1.0),
        ("W m^-2", "kg/s^3", 1.0),
    ],
)
def test_texts(text, shown, scale):
    unit = parse(text)
    assert show(unit.exponents) == shown
    assert unit.scale == pytest.approx(scale, rel=1e-12)


@pytest.mark.parametrize("text", ["foo", "m/", "3", "1e3 m", "10**10**10 m", "import os", "m**(1", "x" * 90])
def test_what_is_no_unit(text):
    with pytest.raises(InputError, match="is not known"):
        parse(text)


def test_zero_points_are_refused():
    with pytest.raises(InputError, match="zero point"):
        parse("degC")
    assert parse("delta_degC").exponents == parse("K").exponents


def test_vectors():
    assert parse([1, -2]).exponents == parse("m/s^2").exponents
    assert parse([0.5]).exponents[0] == Fraction(1, 2)
    with pytest.raises(InputError, match="at most 7"):
        parse([1] * 8)
    with pytest.raises(InputError, match="neither text nor"):
        parse(["a", object()])


@given(st.lists(st.fractions(-3, 3, max_denominator=6), min_size=len(BASE), max_size=len(BASE)))
def test_shown_exponents_parse_again(exponents):
    assert parse(show(exponents)).exponents == tuple(exponents)


def test_groups():
    units = {n: parse(u).exponents for n, u in {"F": "N", "m": "kg", "v": "m/s", "r": "m", "l": "m"}.items()}
    product, free = groups(units, "F")
    assert product == {"m": 1, "v": 2, "r": -1}
    assert free == [{"r": -1, "l": 1}]
    assert groups({"F": units["F"], "r": units["r"]}, "F") is None


@pytest.mark.parametrize(
    ("unit", "near"),
    [("furlongz", "'furlong'"), ("m/sek", "'sec'"), ("kilgram", "'kilogram'"), ("xx", None), ("10³ m", None)],
)
def test_an_unknown_unit_names_the_nearest(unit, near):
    with pytest.raises(InputError) as caught:
        parse(unit)
    assert f"Unit {unit!r} is not known" in str(caught.value)
    assert ("did you mean" in str(caught.value)) == bool(near) and (near or "") in str(caught.value)

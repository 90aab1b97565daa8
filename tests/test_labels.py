"""Columns and units as they are written in pictures."""

from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kansym.report.labels import GREEK, label, parted, raised, units
from kansym.studio import charts
from kansym.studio.charts import Axis


@pytest.mark.parametrize(
    "name, plain, markup",
    [
        ("x_1", "x₁", "<i>x</i><sub>1</sub>"),
        ("x12", "x₁₂", "<i>x</i><sub>12</sub>"),
        ("mu", "μ", "<i>μ</i>"),
        ("lambda_0", "λ₀", "<i>λ</i><sub>0</sub>"),
        ("T_max", "Tₘₐₓ", "<i>T</i><sub>max</sub>"),
        ("k_B", "k_B", "<i>k</i><sub>B</sub>"),  # no such small letter
        ("volume", "volume", "volume"),
        ("no", "no", "no"),
        ("semi_major_axis", "semi_major_axis", "semi_major_axis"),
        ("a_b_c", "a_b_c", "a_b_c"),
        ("<b>", "<b>", "&lt;b&gt;"),
    ],
)
def test_names_are_written_as_a_scientist_writes_them(name, plain, markup):
    assert (label(name).plain, label(name).markup) == (plain, markup)


def test_a_greek_letter_is_known_by_its_name():
    assert len(GREEK) == 24 and GREEK["omega"] == "ω" and GREEK["sigma"] == "σ"


@pytest.mark.parametrize(
    "unit, written",
    [("m/s^2", "m/s²"), ("kg*m**2/s**2", "kg·m²/s²"), ("s^-1", "s⁻¹"), ("m^(-3)", "m⁻³"),
     ("µM/min", "µM/min"), ("m^0.5", "m^0.5"), ("m^(1/2)", "m^(1/2)"), ("%", "%"), ("", "")],
)  # fmt: skip
def test_units_have_their_powers_above_the_line(unit, written):
    assert units(unit) == written


def test_what_follows_a_name_has_its_unit():
    assert label("a", "m/s^2", ", measured").plain == "a, measured [m/s²]"
    assert label("a", "1").plain == label("a", "").plain == "a"


@given(st.text(max_size=20))
def test_any_name_is_written_and_escaped(name):
    read = []
    parser = HTMLParser(convert_charrefs=True)
    parser.handle_starttag = lambda tag, attrs: read.append(tag)
    parser.feed(label(name).markup)
    assert set(read) <= {"i", "sub"}
    stem, below = parted(name)
    assert not stem or (len(stem) == 1 and "_" not in below)
    assert stem or label(name).plain == name


@given(st.integers(-999, 999))
def test_powers_are_the_same_number(power):
    assert units(f"m^{power}") == "m" + raised(str(power))
    assert int("".join("-0123456789"["⁻⁰¹²³⁴⁵⁶⁷⁸⁹".index(c)] for c in raised(str(power)))) == power


def test_an_axis_sets_signs_and_leaves_words():
    made = charts.curves(Axis(label("x_1", "m/s^2")), Axis(label("volume", "L")), "", None, ())
    assert made["xAxis"]["name"] == "{sign|x}{below|1} [m/s²]" and "rich" in made["xAxis"]["nameTextStyle"]
    assert made["yAxis"]["name"] == "volume [L]" and "rich" not in made["yAxis"]["nameTextStyle"]
    # a brace would end what is set
    assert charts.curves(Axis(label("x", "{a|b}")), Axis("y"), "", None, ())["xAxis"]["name"] == "x [{a|b}]"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_view_ends_at_marks_and_shows_every_row(rows):
    y = np.array(rows)
    low, high = charts.view(y)
    assert low <= y.min() + 1e-9 * abs(y.min()) and high >= y.max() - 1e-9 * abs(y.max()) and low < high
    assert high - low <= 2 * max(np.ptp(y), 1e-9 * np.abs(y).max(), 1) + 1

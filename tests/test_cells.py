"""Cells as people write them become numbers, and what is ambiguous is asked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kansym.base.errors import InputError
from kansym.data.cell import is_number
from kansym.data.cells import numerals
from kansym.data.dataset import from_table
from kansym.data.fillers import FILLERS
from kansym.data.table import numbers, read_table
from kansym.data.writing import Writing


def column(cells, writing=None):
    found = numerals({"a": pd.Series(cells, dtype=object)}, writing or Writing())
    assert not found.unclear, found.unclear
    return found.values["a"].tolist(), found


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1.234,5", "2,25"], [1234.5, 2.25]),
        (["1,234.5", "2.25"], [1234.5, 2.25]),
        (["1 234,5", "12 345,25"], [1234.5, 12345.25]),
        (["1'234.5", "7"], [1234.5, 7]),
        (["1.234.567", "1.234"], [1234567, 1234]),
        (["12,34,567.5", "1"], [1234567.5, 1]),
        (["−1.5", "–2.5", "(3.5)", "4.5-"], [-1.5, -2.5, -3.5, -4.5]),
        (["1.5e3", "1,5E+03", "1.5×10^3", "1,5 · 10³", "2.5x10−2"], [1500, 1500, 1500, 1500, 0.025]),
        (["1.5 E+03", "10^3", "-10⁻²", "10**2"], [1500, 1000, -0.01, 100]),
        (["1·5", "2·25"], [1.5, 2.25]),
        (["+1.5E+00VDC", "+2.5E-01VDC"], [1.5, 0.25]),
        (["1.2340-103", "-5.678+100", "1.5E+00", "0.123-200"], [1.234e-103, -5.678e100, 1.5, 0.123e-200]),
        (["25%", "12,5 %", "0"], [0.25, 0.125, 0]),
        (["$1,234.50", "€ 2.50", "3.5 EUR"], [1234.5, 2.5, 3.5]),
        (["5.5[3]", "6.5*", "7.5 †"], [5.5, 6.5, 7.5]),
        ([".5", "5.", "0.123"], [0.5, 5.0, 0.123]),
        (["inf", "-Infinity", "1.5"], [np.inf, -np.inf, 1.5]),
    ],
)
def test_numbers_as_people_write_them(cells, numbers):
    assert column(cells)[0] == numbers


def test_units_in_cells_are_the_columns_unit():
    values, found = column(["0.5 m", "60 cm", "2 m"])
    assert values == [0.5, 0.6, 2.0] and found.units == {"a": "m"}
    assert "'a' in m, 1 turned into it" in found.notes[0]
    values, found = column(["5 Stück", "6 Stück"])
    assert values == [5, 6] and not found.units and "'Stück'" in found.notes[0]


def test_gaps_and_few_words_are_missing_and_said_with_their_row():
    values, found = column(["1.5", "-", "k.A.", "2.5", "#DIV/0!", "lost", "3.5", "4.5", "5.5"])
    assert np.isnan([values[i] for i in (1, 2, 4, 5)]).all()
    assert found.notes == (
        "column 'a' has 4 values that are no numbers (first '-' in row 2): taken as missing",
    )


@pytest.mark.parametrize(
    "cells",
    [["alu", "steel"], ["sp1", "sp2"], ["01.02.2023", "02.02.2023"], ["2023-01-01", "2023-01-02"], ["-", "?"],
     ["12:30", "12:45"], ["1.2.3", "1.2.4"], ["12.34.56", "9.8.7"]],
)  # fmt: skip
def test_text_stays_text(cells):
    assert not numerals({"a": pd.Series(cells, dtype=object)}, Writing()).values


@pytest.mark.parametrize(("sign", "small", "large"), [(".", 1.234, 1234), (",", 1.234, 1234)])
def test_what_can_be_read_in_two_ways_is_asked(tmp_path, sign, small, large):
    path = tmp_path / "t.csv"
    path.write_text(f"a;y\n1{sign}234;2\n5{sign}678;3\n9{sign}876;5\n7{sign}001;6\n")
    with pytest.raises(InputError) as caught:
        from_table(path)
    said = str(caught.value)
    assert f"{small} if {sign!r} is the decimal sign" in said and f"{large} if it marks thousands" in said
    assert f"--decimal {sign!r}" in said and "\n" not in said
    assert numbers(read_table(path, decimal=sign), "a", [])[0][0] == small
    assert numbers(read_table(path, thousands=sign), "a", [])[0][0] == large
    other = path.with_name("u.csv")
    other.write_text(path.read_text().replace(";6", f";6{sign}5"))
    assert numbers(read_table(other), "a", [])[0][0] == small, "another column tells"


def test_a_column_that_is_unclear_but_not_used_stops_nothing():
    frame = pd.DataFrame({"a": np.arange(5.0), "b": ["1.234"] * 4 + ["2.345"], "y": np.arange(5.0) ** 2})
    assert from_table(frame, inputs=["a"]).names == ("a",)
    with pytest.raises(InputError, match="two ways"):
        from_table(frame)


def test_who_parts_by_commas_writes_a_decimal_point(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b,y\n1.234,"1,234",1\n2.345,"2,345",2\n')
    table = read_table(path)
    assert numbers(table, "a", [])[0].tolist() == [1.234, 2.345]
    assert numbers(table, "b", [])[0].tolist() == [1234, 2345]


def test_a_thousand_that_comes_late_is_seen(tmp_path):
    rows = [*(f"{i};{i}" for i in range(1, 1000)), "1.000;1000", "1.001;1001"]
    (tmp_path / "t.csv").write_text("a;y\n" + "\n".join(rows))
    with pytest.raises(InputError, match=r"two ways: 1\.000 in row 1000"):
        from_table(tmp_path / "t.csv")


def test_percent_in_some_rows_only_is_refused():
    with pytest.raises(InputError, match="write % in all"):
        column(["25%", "0.3", "20%"])


@pytest.mark.parametrize(("decimal", "thousands"), [("x", None), (".", "."), (None, "#")])
def test_signs_that_cannot_be(decimal, thousands):
    with pytest.raises(InputError):
        Writing.of(decimal, thousands)


@pytest.mark.parametrize(
    ("text", "so"), [("1,5", True), ("", True), ("k.A.", True), ("m", False), ("1 m", False)]
)
def test_is_number(text, so):
    assert is_number(text) is so


LOCALES = [(".", ","), (",", "."), (",", " "), (",", "\u202f"), (".", "'"), (".", "’"), (".", ""), (",", "")]


def written(value, decimal, thousands, digits):
    text = f"{abs(value):,.{digits}f}"
    text = text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)
    return ("-" if value < 0 else "") + text


@given(
    values=st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=6),
    locale=st.sampled_from(LOCALES),
    digits=st.integers(0, 6),
    mark=st.sampled_from(["", "%", " kg"]),
    delimiter=st.sampled_from([";", "\t"]),
)
@settings(max_examples=150, deadline=None)
def test_any_number_in_any_locale_is_read_back(tmp_path_factory, values, locale, digits, mark, delimiter):
    decimal, thousands = locale
    cells = [written(v, decimal, thousands, digits) + mark for v in values]
    wanted = [float(f"{v:.{digits}f}") / (100 if mark == "%" else 1) for v in values]
    assume(not set(wanted) & set(FILLERS))
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text(f"name{delimiter}a\n" + "".join(f"r{delimiter}{c}\n" for c in cells))
    for told in (True, False):
        table = read_table(path, decimal=decimal if told else None)
        if "a" in table.unclear:
            assert not told and digits in (0, 3)
            continue
        assert numbers(table, "a", [])[0].tolist() == wanted


@pytest.mark.parametrize(
    ("cells", "numbers", "errors"),
    [
        (["1.98 ± 0.05", "2.5±0.1"], [1.98, 2.5], [0.05, 0.1]),
        (["1,98 +/- 0,05", "-2,5 +- 0,1"], [1.98, -2.5], [0.05, 0.1]),
        (["3.28980(3)", "0.82(12)"], [3.2898, 0.82], [3e-5, 0.12]),
        (["1.5(2)e3", "12(3)", "(7 ± 1)"], [1500, 12, 7], [200, 3, 1]),
        (["1.98 ± 0.05 mm", "25 ± 1 mm"], [1.98, 25], [0.05, 1]),
        (["(1.98 ± 0.05) mm", "(25 ± 1) mm"], [1.98, 25], [0.05, 1]),
        (["(2.1 ± 0.5) %", "(3.5 ± 0.5)%"], [0.021, 0.035], [0.005, 0.005]),
        (["(2.1 ± 0.1)×10^3", "(3.5 ± 0.2)e3"], [2100, 3500], [100, 200]),
        (["2.1 +0.1/-0.2", "3.5 +0.3 -0.1"], [2.1, 3.5], [0.15, 0.2]),
        (["2,1 +0,1/-0,2", "3,5 +0,3/-0,1"], [2.1, 3.5], [0.15, 0.2]),
    ],
)
def test_a_measurement_with_its_error(cells, numbers, errors):
    values, found = column(cells)
    np.testing.assert_allclose(values, numbers)
    np.testing.assert_allclose(found.errors["a"], errors)


def test_errors_in_the_cells_weigh_the_rows():
    frame = pd.DataFrame({"x": ["1.0(1)", "2.0(1)", "3.0(1)"], "y": ["2.0 ± 0.1", "4.1 ± 0.2", "6.2 ± 0.4"]})
    data = from_table(frame)
    np.testing.assert_allclose(data.weights, 1 / np.array([0.1, 0.2, 0.4]) ** 2)
    assert data.absolute
    said = "; ".join(data.notes)
    assert "taken as its measurement errors" in said and "inputs count as exact" in said
    # where one row says no error, none counts
    assert from_table(frame.assign(y=["2.0 ± 0.1", "4.1", "6.2 ± 0.4"])).weights is None


@pytest.mark.parametrize(
    "cells, values",
    [
        (["R$ 1.234,50", "R$ 2,25"], [1234.5, 2.25]),
        (["CHF 1’234.50", "CHF -2.25"], [1234.5, -2.25]),
        (["12,5 €", "kr 3,75"], [12.5, 3.75]),
        (["“1.5”", "“2.25”"], [1.5, 2.25]),
        (['="1.5"', '="2.25"'], [1.5, 2.25]),
        (["'1.5", "'2.25"], [1.5, 2.25]),
        (["2.5[note 1]", "3.5[a][2]"], [2.5, 3.5]),
        (["1.2k", "3.4M", "950"], [1200, 3.4e6, 950]),
        (["4.7k", "1k"], [4700, 1000]),
    ],
)
def test_money_quotes_marks_and_thousands(cells, values):
    found = numerals({"a": pd.Series(cells)}, Writing())
    assert found.values["a"].tolist() == pytest.approx(values, rel=1e-15) and not found.lossy


def test_an_error_in_percent_of_what_is_asked():
    found = numerals({"a": pd.Series(["2.1 ± 5%", "4.2 ± 5%"])}, Writing())
    assert "two ways: 2.1 ± 5% in row 1 is 2.1 % with an error of 5 %, or 2.1 with" in found.unclear["a"]


@pytest.mark.parametrize(
    ("cells", "values", "note"),
    [
        (["512.1", "508.3(r)", "495.2", "487.7 p", "440.1", "455.9 r", "449.5"], None, "footnote marks"),
        (["12.1a", "23.4ab", "34.5b", "44.1c"], None, "footnote marks"),
        (["12.1 a", "23.4 ab", "34.5 bc", "44.1 c"], None, "footnote marks"),
        (["1.2 ns", "2.3*", "3.4**", "5.6 n.s."], [1.2, 2.3, 3.4, 5.6], "footnote marks"),
        (["1st", "2nd", "3rd", "4th"], [1, 2, 3, 4], "footnote marks"),
        (["2.1 (1.9-2.3)", "4.2 [4.0, 4.4]", "5.9 (5.7 to 6.1)"], [2.1, 4.2, 5.9], "intervals behind"),
        (["2.1 ± 0.1", "4.2", "5.9 ± 0.2"], [2.1, 4.2, 5.9], "errors behind some"),
        (["~300", "ca. 250", "200"], [300, 250, 200], "footnote marks"),
        (["1.2 Mio.", "1,1 Mrd.", "900 Tsd."], [1.2e6, 1.1e9, 9e5], "letters for thousands"),
        (["1.5 million", "2.5 billion"], [1.5e6, 2.5e9], "letters for thousands"),
        (["１０．５", "２０．２５"], [10.5, 20.25], ""),
        (["١٢٫٥", "٢٣٫٢٥"], [12.5, 23.25], ""),
    ],
)
def test_marks_behind_the_numbers(cells, values, note):
    found = numerals({"a": pd.Series(cells)}, Writing("."))
    wanted = values or [float("".join(c for c in cell if c in "0123456789.")) for cell in cells]
    assert found.values["a"].tolist() == pytest.approx(wanted, rel=1e-15)
    assert not found.units and any(note in said for said in found.notes) == bool(note)


def test_one_unit_in_brackets_is_a_unit_and_no_footnote():
    values, found = column(["1.2 [kPa]", "1.4 [kPa]", "1.6 [kPa]"])
    assert values == [1.2, 1.4, 1.6] and found.units == {"a": "kPa"}
    assert column(["5 m", "6", "7"])[1].units == {"a": "m"}


def test_bounds_are_missing_and_said():
    values, found = column(["12.3", "8.1", "<2", "< 2", "<2,5", ">200"], Writing("."))
    assert values[:2] == [12.3, 8.1] and np.isnan(values[2:]).all()
    said = "column 'a' has 4 values that are only bounds (first '<2' in row 3): taken as missing"
    assert found.notes[-1] == said


@pytest.mark.parametrize(
    "gap",
    ["nan(ind)", "1.#QNAN", "-1.#IND", "<NA>", "(null)", "n/v", r"\N", "no data", "BDL", "#####", ":"],
)
def test_gaps_of_programs(gap):
    assert np.isnan(column(["1", gap, "3"])[0][1])

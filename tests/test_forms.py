"""Numbers in other forms, times of day, durations and parts of a year are read as a person would."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kansym.base.errors import InputError
from kansym.data import dates, durations, forms, periods
from kansym.data.dataset import from_table
from kansym.data.table import numbers, read_table


@pytest.mark.parametrize(
    ("cells", "values", "says"),
    [
        (["1/2", "1/4", "3/8"], [0.5, 0.25, 0.375], "fractions"),
        (["1/3", "1 1/2", "2", "-3/4"], [1 / 3, 1.5, 2, -0.75], "fractions"),
        (["½", "1¼", "3"], [0.5, 1.25, 3], "fractions"),
        (["0-10", "10–20", "20 to 30"], [5, 15, 25], "middles"),
        (["0-4", "5-9", "10-14", "15+", "<0"], [2, 7, 12, np.nan, np.nan], "2 without an end"),
        (["2015/16", "2016/17", "2017/2018"], [2015, 2016, 2017], "the first of them"),
        (["48°12'30\"N", "10°15′S", "0°0'0\""], [48 + 12.5 / 60, -10.25, 0], "degrees"),
        (["Jan", "Feb", "Sept.", "Dez"], [1, 2, 9, 12], "1 to 12"),
        (["8.30 Uhr", "14 Uhr", "9h05"], [30600, 50400, 32700], "times of day"),
        (["1/2", "1.5\x1f"], [0.5, 1.5], "fractions"),
    ],
)
def test_numbers_in_other_forms(cells, values, says):
    found = forms.read(cells)
    np.testing.assert_allclose([found.values[c] for c in cells], values)
    assert says in found.says


@pytest.mark.parametrize(
    "cells",
    [
        ["120/80", "130/85"],  # two numbers, not one
        ["1-5", "2-5", "3-5"],  # numbers of parts
        ["1-2", "4-3", "5-6"],
        ["2015/17", "2016/18"],
        ["Jan", "Monday"],
        ["may"],
        ["1.5", "2.5"],
        ["5'10\"", "6'1\""],
        ["1/0", "1/2"],
    ],
)
def test_what_is_in_no_form(cells):
    assert forms.read(cells) is None


def test_fractions_that_may_be_days_are_asked_for(tmp_path):
    (tmp_path / "t.csv").write_text("day,y\n3/14,1\n3/15,2\n3/16,4\n3/17,5\n")
    with pytest.raises(InputError, match=r"two ways: 3/14 is 0\.2143 as a fraction, and a day without"):
        from_table(tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv").names == ("day", "y"), "unless the column is used"


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        (["12:30", "13:00"], [45000, 46800]),
        (["0:01:30", "1:00:00,5"], [90, 3600.5]),
        (["1:20.5", "1:25.0"], [80.5, 85]),
        (["12:00:01:500", "12:00:02:250"], [43201.5, 43202.25]),
        (["12:10 am", "11:30 AM", "12:00 pm", "1:15 p.m."], [600, 41400, 43200, 47700]),
        (["1h 20min", "2 h 05 min", "45min", "3h", "1 h 1 s"], [4800, 7500, 2700, 10800, 3601]),
        (["PT1H20M", "PT45M", "P1DT1S"], [4800, 2700, 86401]),
        (["0 days 01:20:00", "1 days 00:00:01.5", "-1 days +23:00:00"], [4800, 86401.5, -3600]),
    ],
)
def test_times_and_durations_are_seconds(cells, seconds):
    assert durations.seconds(cells)[0].tolist() == seconds


def test_times_of_day_count_on_past_midnight():
    values, says = durations.seconds(["23:30", None, "23:50", "00:10", "14:00", "00:20"])
    assert np.isnan(values[1]) and "midnight" in says
    assert values[[0, 2, 3, 4, 5]].tolist() == [84600, 85800, 87000, 136800, 174000]
    assert "midnight" not in durations.seconds(["06:00", "05:30", "05:00"])[1]


@pytest.mark.parametrize("cells", [["may"], ["5'10\""], ["1:2"], [""], ["P"], ["25 apples"]])
def test_what_is_no_time(cells):
    assert durations.seconds(cells) is None


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["2020 Q1", "2020-Q2", "Q3/2020"], [0, 91, 182]),
        (["2023-W01", "2023W02", "KW 3/2023"], [0, 7, 14]),
        (["Jan 2023", "Feb. 2023", "März 2023"], [0, 31, 59]),
        (["Dec-99", "Jan-00", "Feb-00"], [0, 31, 62]),
        (["2023M01", "2023M02", "2023M04"], [0, 31, 90]),
        (["1. Januar 2023", "1. März 2023", "31. Dez. 2023"], [0, 59, 364]),
        (["3 août 2023", "1er septembre 2023", "4 de octubre de 2023"], [0, 29, 62]),
        (["2023-001", "2023-032", "2024-001"], [0, 31, 365]),
        (["2023:09:14 12:00:00", "2023:09:15 18:00:00", "2023:09:16 12:00:00"], [0, 1.25, 2]),
        (["14/Sep/2023:12:00:00", "15/Sep/2023:18:00:00", "16/Sep/2023:12:00:00"], [0, 1.25, 2]),
    ],
)
def test_parts_of_a_year_are_dates(cells, days):
    assert dates.read(pd.Series(cells)).values.tolist() == days


def test_a_week_that_a_year_does_not_have():
    assert periods.begins("2023-W54") is None and dates.read(pd.Series(["2023-W01", "2023-W54"])) is None


@pytest.mark.parametrize(
    "clock", [["12:00", "18:00", "0:00", "6:00"], ["12:00 PM", "6:00 PM", "12:00 AM", "6:00 AM"]]
)
@pytest.mark.parametrize("day", ["{}-01-2023", "2023-01-{}", "{}.01.2023"])
def test_date_and_time_in_two_columns_are_one(tmp_path, clock, day):
    rows = [f"{day.format(13 + (k > 1))},{time},{k}" for k, time in enumerate(clock)]
    (tmp_path / "t.csv").write_text("\n".join(["day,clock,y", *rows]))
    table = read_table(tmp_path / "t.csv")
    assert table.names == ("day", "y") and any("of one moment" in note for note in table.notes)
    assert numbers(table, "day", [])[0].tolist() == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    ("head", "rows", "days"),
    [
        ("year,month,day", ["2023,1,30", "2023,1,31", "2023,2,1"], [0, 1, 2]),
        ("#YY,MM,DD,hh,mm", ["99,12,31,0,0", "99,12,31,18,30", "00,1,1,0,0"], [0, 18.5 / 24, 1]),
    ],
)
def test_parts_of_a_date_in_columns_are_one(tmp_path, head, rows, days):
    (tmp_path / "t.csv").write_text(
        "\n".join(["n," + head.lstrip("#"), *(f"{k},{row}" for k, row in enumerate(rows))])
    )
    table = read_table(tmp_path / "t.csv")
    first = head.lstrip("#").partition(",")[0]
    assert table.names == ("n", first) and any("parts of one date" in note for note in table.notes)
    np.testing.assert_allclose(numbers(table, first, [])[0], days)


@pytest.mark.parametrize("rows", ["2023,2,30", "2023,1,1"])
def test_numbers_that_are_no_dates_in_order_stay(tmp_path, rows):
    (tmp_path / "t.csv").write_text(f"year,month,day\n2023,1,1\n2023,1,2\n{rows}\n")
    assert read_table(tmp_path / "t.csv").names == ("year", "month", "day")


def test_a_time_for_each_date_is_a_column_of_its_own(tmp_path):
    (tmp_path / "t.csv").write_text("day,sunrise\n2023-01-13,8:01\n2023-01-14,8:00\n2023-01-15,7:59\n")
    assert read_table(tmp_path / "t.csv").names == ("day", "sunrise")

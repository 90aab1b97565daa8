"""Dates, times and durations become numbers, and it is said from when they count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kansym.data.dates import read


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-01-01", "2024-01-02", None, "2024-01-04"],
        ["01.02.2024", "02.02.2024", None, "04.02.2024"],
        ["13/02/2024", "14/02/2024", None, "16/02/2024"],
        ["2/13/2024", "2/14/2024", None, "2/16/2024"],
        ["1 Mar 2024", "2 Mar 2024", None, "4 Mar 2024"],
        ["March 1, 2024", "March 2, 2024", None, "March 4, 2024"],
        ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", None, "2024-01-04T00:00:00Z"],
        ["05/01/2024", "06/01/2024", None, "08/01/2024"],
        ["2024-01-05", "6 Jan 2024", None, "08.01.2024"],
        ["2024-03-30T12:00:00+01:00", "2024-03-31T13:00:00+02:00", None, "2024-04-02T11:00Z"],
    ],
)
def test_dates_are_days_since_the_first(cells):
    times = read(pd.Series(cells, dtype=object))
    assert times.values[[0, 1, 3]].tolist() == [0, 1, 3] and np.isnan(times.values[2])
    assert "days since" in times.says


def test_times_of_day_count_as_parts_of_days():
    times = read(pd.Series(["2024-01-01 06:00", "2024-01-01 18:00"]))
    assert times.values.tolist() == [0, 0.5] and times.first == "2024-01-01T06:00:00"
    assert read(pd.Series(["2024-01-02"]), "2024-01-01").values.tolist() == [1]


def test_clocks_are_seconds():
    assert read(pd.Series(["0:01:30", "1:00:00,5"])).values.tolist() == [90, 3600.5]
    assert read(pd.Series(["12:30", "13:00"])).values.tolist() == [45000, 46800]


@pytest.mark.parametrize(
    "cells", [["alu", "may"], ["1.5", "2.5"], ["2024-01-01", "soon"], ["may 1"], ["31/31/2024"]]
)
def test_what_is_no_date(cells):
    assert read(pd.Series(cells, dtype=object)) is None

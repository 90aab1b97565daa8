"""Dates, times and durations become numbers, and it is said from when they count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kansym.base.errors import InputError
from kansym.data.dates import UnclearDatesError, read
from kansym.data.inputs import Made
from kansym.data.table import column, read_table
from kansym.estimators.regressor import KansymRegressor
from kansym.estimators.regressor.encoding import Encoding


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
        ["05/01/2024", "06/01/2024", None, "08/01/2024", "13/01/2024"],
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


MONTHLY = ["01/02/2023", "01/03/2023", "01/04/2023", "01/05/2023"]


def test_days_and_months_that_can_change_places_are_asked_for():
    with pytest.raises(UnclearDatesError) as asked:
        read(pd.Series(MONTHLY))
    said = str(asked.value)
    assert "01/02/2023 in row 1 is 1 February 2023 with the day first, and 2 January 2023" in said
    assert "--dates day-first or --dates month-first" in said
    assert read(pd.Series(MONTHLY), order="day-first").values.tolist() == [0, 28, 59, 89]
    assert read(pd.Series(MONTHLY), order="month-first").values.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["03/01/2023", "07/01/2023", "09/01/2023", "02/02/2023", "05/02/2023", "01/03/2023"], "day-first"),
        (["02/01/2023 23:40", "02/01/2023 23:50", "03/01/2023 00:00", "03/01/2023 00:10"], "day-first"),
        (["01/02/2023 23:40", "01/02/2023 23:50", "01/03/2023 00:00", "01/03/2023 00:10"], "month-first"),
    ],
)
def test_order_and_pace_of_the_rows_decide(cells, order):
    times = read(pd.Series(cells))
    assert times.order == order and order.replace("-", " ") in times.says and "only so" in times.says


def test_readings_that_give_the_same_days_are_not_asked_for():
    times = read(pd.Series(["01/02/2023 10:00", "01/02/2023 11:30", "01/02/2023 11:40"]))
    assert np.ptp(times.values) * 24 == pytest.approx(5 / 3) and "as well" in times.says
    assert read(pd.Series(["03/03/2023", "04/04/2023"])).values.tolist() == [0, 32]


def test_dates_in_both_orders_and_against_what_was_said_are_refused():
    with pytest.raises(
        UnclearDatesError, match="the day first, 13/02/2023 in row 1, and the month first, 02"
    ):
        read(pd.Series(["13/02/2023", None, "02/14/2023"]))
    with pytest.raises(UnclearDatesError, match="13/02/2023 in row 2, which is no date with the month first"):
        read(pd.Series(["01/02/2023", "13/02/2023"]), order="month-first")
    with pytest.raises(InputError, match="dates is 'dmy'"):
        read_table(pd.DataFrame({"t": MONTHLY, "y": range(4)}), dates="dmy")


def test_another_column_of_dates_decides():
    table = read_table(pd.DataFrame({"from": MONTHLY, "to": ["13/02/2023", *MONTHLY[1:]], "y": range(4)}))
    assert column(table, "from").values.tolist() == [0, 28, 59, 89]
    with pytest.raises(InputError, match="Column 'from' can be read in two ways"):
        column(read_table(pd.DataFrame({"from": MONTHLY, "y": range(4)})), "from")


def test_a_law_reads_other_dates_as_it_read_its_own():
    table = read_table(pd.DataFrame({"t": MONTHLY, "y": range(4)}))
    assert Made("t", "days", "2023-02-01", "day-first").values(table).tolist() == [0, 28, 59, 89]
    proved = read_table(pd.DataFrame({"t": ["01/13/2023"], "y": [1]}))
    assert Made("t", "days", "2023-01-01", "day-first").values(proved).tolist() == [12]


def test_estimators_read_dates_as_days_and_ask_for_the_order():
    when = pd.Series(pd.date_range("2023-01-01", periods=20))
    for cells in (when, when.dt.strftime("%d/%m/%Y"), when - when[0]):
        frame = pd.DataFrame({"when": cells, "kind": ["a", "b"] * 10})
        encoding = Encoding.of(frame, ["when", "kind"])
        assert encoding.columns == ("when", "kind=a", "kind=b")
        assert encoding.apply(frame)[:, 0].tolist() == list(range(20))
        assert encoding.apply(frame.iloc[3:5])[:, 0].tolist() == [3, 4]
    with pytest.raises(InputError, match="Column 'when' holds no dates"):
        encoding.apply(frame.assign(when=1.0))
    with pytest.raises(InputError, match="Column 'when' can be read in two ways"):
        Encoding.of(pd.DataFrame({"when": MONTHLY}), ["when"])


def test_an_estimator_with_dates_is_saved_and_opened(tmp_path):
    X = pd.DataFrame({"when": pd.date_range("2023-01-01", periods=20)})
    model = KansymRegressor(time_limit=5, random_state=0).fit(X, 3.0 * np.arange(20))
    again = KansymRegressor.load(model.save(tmp_path / "model.json"))
    assert again.predict(X.iloc[5:7]) == pytest.approx([15, 18])


def test_a_column_that_a_spreadsheet_turned_in_part_is_refused():
    days = [(m, d) for m in (1, 2) for d in range(1, 21)]
    cells = [f"{m:02d}/{d:02d}/2023" if d <= 12 else f"{d:02d}/{m:02d}/2023" for m, d in days]
    with pytest.raises(
        UnclearDatesError, match="in order only the other way round, as spreadsheets leave them"
    ):
        read(pd.Series(cells))

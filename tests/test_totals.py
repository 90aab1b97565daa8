"""Rows that sum up a table are no rows of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kansym.data.table import numbers, read_table
from kansym.data.totals import said, summed


def read(folder, text):
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return read_table(folder / "t.csv")


@pytest.mark.parametrize(
    "last",
    [
        "Total,6,60\n",
        "Summe:,6,60\nMittelwert,2,20\n",
        "Grand total (3 runs),6,60\n",
        "sum,,60\n",
        "Итого,6,60\n",
    ],
)
def test_rows_that_say_so_are_left_out(tmp_path, last):
    table = read(tmp_path, "run,x,y\nA1,1,10\nA2,2,20\nA3,3,30\n" + last)
    assert numbers(table, "y", [])[0].tolist() == [10, 20, 30]
    assert sum("sum" in note and "left out" in note for note in table.notes) == 1


def test_a_word_that_is_a_level_is_none(tmp_path):
    table = read(tmp_path, "kind,y\ntotal,1\npart,2\ntotal,3\npart,4\ntotal,5\n")
    assert table.rows == 5
    assert said(pd.DataFrame({"k": ["a", "totally", "summer", "Mean Street"]}), ["k"]) == 0


def test_sums_without_a_word(tmp_path):
    table = read(tmp_path, "x;y\n1,5;10\n2,5;20\n3,5;31\n4,5;40\n12;101\n")
    assert table.rows == 4 and any("sums of the others" in note for note in table.notes)
    x = np.array([1.5, 2.5, 3.5, 4.5, 12.0])
    assert summed([x, 2 * x]) and not summed([x]) and not summed([x, x**2]) and not summed([x[1:], x[1:]])
    assert not summed([np.where(x == 2.5, np.inf, x), np.where(x == 2.5, np.inf, x)])


def test_sums_of_parts_among_the_rows(tmp_path):
    table = read(tmp_path, "k,x,y\nA,1,10\nB,2,20\nSubtotal,3,30\nC,4,41\nSub-total,4,41\nTotal,7,71\n")
    assert numbers(table, "y", [])[0].tolist() == [10, 20, 41]
    assert any("2 rows among the others" in note for note in table.notes)


def test_a_standard_deviation_beside_a_mean(tmp_path):
    table = read(tmp_path, "run,x,y\n1,1,10\n2,2,20\n3,4,31\nMean,2.3,20\nSD,1,10\n")
    assert table.rows == 3
    assert said(pd.DataFrame({"k": ["a", "b", "c", "SD"]}), ["k"]) == 0, "alone it may name a row"

"""What stands for gaps: nines below zero, and the empty cells of merged ones."""

from __future__ import annotations

import numpy as np
import pytest

from kansym.data.fillers import filled_down, filler
from kansym.data.table import numbers, read_table


@pytest.mark.parametrize(
    "values, mark",
    [
        ([1.5, -999, 2.5, 3.5, -999], -999),
        ([-20.0, -9999, 10, 30], -9999),
        ([0.1, 0.2, -99.9, 0.4], -99.9),
        ([-99.0, -98, -97, -96], None),
        ([-99.0, -50, 0, 50], None),
        ([-999.0, -999, -999, 1], None),
        ([1.0, 2.0, 3.0], None),
        ([np.nan, np.nan], None),
    ],
)
def test_nines_far_below_all_others_are_gaps(values, mark):
    assert filler(np.array(values)) == mark


def test_a_table_says_what_was_taken_as_missing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,2.5\n2,-999\n3,4.5\n4,5.5\n5,-999\n")
    table = read_table(path)
    assert np.isnan(numbers(table, "y", [])[0]).tolist() == [False, True, False, False, True]
    assert "-999 in 2 rows of 'y': taken as missing" in table.notes


@pytest.mark.parametrize(
    "cells, whole",
    [
        (["a", "", "b", None], ["a", "a", "b", "b"]),
        (["a", "", "", "b", "", "c", ""], ["a", "a", "a", "b", "b", "c", "c"]),
        (["", "a", "", "b"], None),
        (["a", "", "a", ""], None),
        (["a", "b", "", ""], None),
        (["leak", "", "", "", "", "", "", "stop", ""], None),
        (["a", "", ""], None),
    ],
)
def test_merged_cells_keep_their_word(cells, whole):
    assert filled_down(cells) == whole


def test_merged_words_make_a_category(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("kind;x\nalu;1\n;2\n;3\nbrass;1\n;2\n;4\n")
    table = read_table(path)
    assert table.frame["kind"].tolist() == ["alu"] * 3 + ["brass"] * 3
    assert any("merged cells" in note for note in table.notes)

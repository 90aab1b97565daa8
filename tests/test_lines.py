"""Lines become plain: breaks in quoted cells, markup, and what stands below the rows."""

from __future__ import annotations

import pytest

from kansym.data.lines import cleaned, without_notes
from kansym.data.table import numbers, read_table

ROWS = "1.5;2.5\n3.5;4.5\n5.5;6.5\n"


def read(folder, text, name="t.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return read_table(folder / name)


def values(table, name):
    return numbers(table, name, [])[0].tolist()


def test_a_break_in_a_quoted_name_is_a_space(tmp_path):
    table = read(tmp_path, 'p,"flow\n(m3/h)","the ""gross""\r\npower"\n1.5,2,3\n2.5,3,4\n3.5,4,5\n')
    assert table.names == ("p", "flow", 'the "gross" power') and table.units == {"flow": "m3/h"}
    assert values(table, "p") == [1.5, 2.5, 3.5]


def test_a_lone_quote_is_no_cell(tmp_path):
    table = read(tmp_path, 'size,load\n5" pipe,1\n6" pipe,2\n7" pipe,3\n')
    assert values(table, "load") == [1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "| **a** | `b` |\n|:--|--:|\n| 1.5 | 2.5 |\n| 3.5 | 4.5 |\n",
        "a & b \\\\ \\hline\n1.5 & 2.5 \\\\\n3.5 & 4.5 \\\\[2pt]\n\\bottomrule\n",
        "a,1.5,3.5,5.5\nb,2.5,4.5,6.5\n",
    ],
    ids=["markdown", "latex", "sideways"],
)
def test_tables_as_texts_have_them(tmp_path, text):
    table = read(tmp_path, text, "t.txt")
    assert table.names == ("a", "b") and values(table, "b")[:2] == [2.5, 4.5]


def test_a_sideways_table_has_its_units_behind_the_names(tmp_path):
    table = read(tmp_path, "a;kPa;1,5;3,25;5\nb;W;2,5;4,5;6\n")
    assert table.units == {"a": "kPa", "b": "W"} and values(table, "a") == [1.5, 3.25, 5]
    assert any("turned" in note for note in table.notes)


@pytest.mark.parametrize(
    "below",
    [
        "Source: the office, 2024\n",
        "\nNote: a; b; in 2019\n",
        "* estimated;\n\nmore words\n",
        "\nScan rate;600 nm/min\nUser;admin\n",
        "\nNotes:\n(p) provisional; (r) revised; (e) estimated.\nSource: Ministry; 2023\n",
    ],
)
def test_words_below_the_rows_are_left_out_and_said(tmp_path, below):
    table = read(tmp_path, "a;b\n" + ROWS + below)
    assert values(table, "b") == [2.5, 4.5, 6.5]
    assert any("below the rows" in note for note in table.notes)


@pytest.mark.parametrize("last", ["7.5;8.5", "7.5", "x;8.5", "-;-", "north;"])
def test_what_is_a_row_stays(last):
    notes: list[str] = []
    raw = f"a;b\n{ROWS}{last}\n".encode()
    rows = [line.split(";") for line in f"a;b\n{ROWS}".splitlines()]
    kept = without_notes(raw, "utf-8", ";", rows, notes)
    assert (kept == raw) == (last != "north;")


def test_a_text_without_any_of_this_comes_back_as_it_is():
    raw = b'a,b\n1,"2"\n'
    assert cleaned(raw, "utf-8", "t.csv") == (raw, "utf-8")

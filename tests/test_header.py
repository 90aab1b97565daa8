"""What stands above the numbers: titles, a second row of units, comments among the rows, rules of tables."""

from __future__ import annotations

import numpy as np
import pytest

from kansym.data.dataset import from_table
from kansym.data.header import second_row
from kansym.data.table import numbers, read_table


def read(folder, text):
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return read_table(folder / "t.csv")


def values(table, name):
    return numbers(table, name, [])[0].tolist()


@pytest.mark.parametrize("units", ["kPa;m3/h;W", "[kPa];(m³/h);[W]", "kPa;m^3/h;W"])
def test_a_row_of_units(tmp_path, units):
    table = read(
        tmp_path, f"p;V;P\n{units}\n1.024,5;2,5;3\n2.048,5;-;4\n3,5;4,5;5\n4,5;5,5;6\n5;6;7\n6;7;8\n"
    )
    assert set(table.units) == {"p", "V", "P"} and table.units["p"] == "kPa"
    assert values(table, "p")[:3] == [1024.5, 2048.5, 3.5]
    assert any("holds units" in note for note in table.notes)


def test_a_row_of_units_beside_dates_and_words(tmp_path):
    table = read(tmp_path, "day,site,T\n,,°C\n2024-01-01,north,1.5\n2024-01-02,south,2.5\n")
    assert table.units == {} and values(table, "T") == [1.5, 2.5] and table.rows == 2


@pytest.mark.parametrize(
    "first", [["0.5 m", "0.03 kg"], ["1", "2"], ["-", "-"], ["north", "1"], ["alu", "-"]]
)
def test_what_is_a_row_like_the_others(first):
    assert second_row(first, [["0.6 m", "0.04 kg"] if "m" in first[0] else [first[0], "5"]] * 4) is None


def test_a_second_row_of_words_is_left_out_and_said(tmp_path):
    table = read(tmp_path, "a,b\nmeasured,set\n1.5,2\n2.5,3\n")
    assert table.rows == 2 and "(measured, set): left out" in table.notes[0]


def test_comments_among_rows(tmp_path):
    table = read(tmp_path, "# made in May\na b\n1 2.5 # fine\n#3 4\n  # nothing\n5 6.5\n")
    assert values(table, "a") == [1, 5] and values(table, "b") == [2.5, 6.5]
    table = read(tmp_path, "a,b\n# no\n1.5,#DIV/0!\n2.5,1\n3.5,2\n4.5,3\n5.5,4\n6.5,5\n")
    assert np.isnan(values(table, "b")[0])


def test_a_line_that_is_wrong_is_named_as_the_file_counts(tmp_path):
    with pytest.raises(ValueError, match="line 4 has 3 values"):
        read(tmp_path, "a,b\n# one\n1,2\n1,2,3\n")


def test_tables_copied_from_pages(tmp_path):
    for text in (
        "| a | b |\n|---|:-:|\n| 1.5 | −2.5 |\n| 3.5 | 4.5 |\n",
        "a    b\n-------\n1.5  −2.5\n3.5  4.5\n",
        "a\tb\n1.5\u00a0\t−2.5[1]\n3.5\t4.5\n",
    ):
        table = read(tmp_path, text)
        assert table.names == ("a", "b"), text
        assert values(table, "a") == [1.5, 3.5] and values(table, "b") == [-2.5, 4.5]
    table = read(tmp_path, "orbit period   mean radius\n1.5  2\n12.5  30\n")
    assert table.names == ("orbit period", "mean radius") and values(table, "mean radius") == [2, 30]
    table = read(tmp_path, "a b\n1,5 2,5\n3,5 4,5\n")
    assert values(table, "b") == [2.5, 4.5]


def test_a_name_may_be_given_with_its_unit(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("[S] (mM),v (µM/min),w [m]\n1,2,1\n2,4.5,1.5\n3,6,2\n4,8.5,3\n")
    data = from_table(
        path, target="v (µM/min)", inputs=["[S] (mM)"], sigma="w [m]", units={"w [m]": "µM/min"}
    )
    assert data.target == "v" and data.names == ("[S]",)


def test_a_second_row_may_be_shorter(tmp_path):
    table = read(tmp_path, "a;b;c;d\nkPa;m\n1,5;2;3;4\n2,5;3;4;5\n3,5;4;5;6\n")
    assert table.names == ("a", "b", "c", "d") and table.units == {"a": "kPa", "b": "m"}


@pytest.mark.parametrize(
    "text, names",
    [
        ("In;;Out\np;Q;P\n", ("p", "Q", "P")),
        ("In;;Out\nT;V;P\n", ("T", "V", "P")),
        ("run;In;\n;p;Q\n", ("run", "p", "Q")),
        ("In;In;Out\np;Q;p\n", ("In p", "Q", "Out p")),
        ("Station:;Kiel;\nfrom;2024-01-05;\n;;\nNo.;p;Q\n", ("No.", "p", "Q")),
        ("In;;\np;Q;P\nkPa;m3/h;W\n", ("p", "Q", "P")),
    ],
)
def test_names_in_more_than_one_line(tmp_path, text, names):
    table = read(tmp_path, text + "1,5;2;3\n2,5;3;4\n3,5;4;5\n4,5;5;7\n5,5;6;8\n6,5;7;9\n")
    assert table.names == names and table.rows == 6
    assert values(table, names[0])[:2] == [1.5, 2.5]
    assert table.units == ({"p": "kPa", "Q": "m3/h", "P": "W"} if "kPa" in text else {})


@pytest.mark.parametrize(
    "head",
    ["p in kPa;P in W", '"p, kPa";"P, W"', "p / kPa;P / (W)", "p (kPa)[1];P (W)[2]", "“p [kPa]”;“P [W]”"],
)
def test_units_behind_names_in_words(tmp_path, head):
    table = read(tmp_path, head + "\n1,5;2\n2,5;3\n3,5;4\n")
    assert table.names == ("p", "P") and table.units == {"p": "kPa", "P": "W"}
    assert table.name(head.split(";")[0].strip('"“”').partition("[1]")[0]) == "p"


@pytest.mark.parametrize("head", ["a / s;b;c", "a / s;a / m;b", "n [1];b;c", "share in May;b in W;c"])
def test_words_that_are_rather_names(tmp_path, head):
    table = read(tmp_path, head + "\n1;2;3\n2;4;5\n3;7;8\n")
    names = tuple(head.replace(" [1]", "").split(";"))
    assert table.names == names and set(table.units.values()) <= {"1"}


def test_a_column_of_errors_behind_its_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,±,y,+/-\n1,0.1,2.1,0.1\n2,0.1,4.2,0.2\n3,0.1,5.9,0.1\n4,0.2,8.1,0.3\n")
    table = read_table(path)
    assert table.names == ("x", "y") and table.errors["y"].tolist() == [0.1, 0.2, 0.1, 0.3]
    assert from_table(table).absolute


def test_marks_of_footnotes_behind_names(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("people 1);area (km²) 2)\n1;2\n2;4\n3;6\n")
    table = read_table(path)
    assert table.names == ("people", "area") and table.units == {"area": "km²"}
    path.write_text("offered;eaten (mean of 6)\n1;2\n2;4\n3;6\n")
    assert read_table(path).names == ("offered", "eaten (mean of 6)"), "a bracket of the name's own"


def test_commas_with_blanks_part_numbers_with_commas(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x, y\n1,5, 2,25\n2,5, 3\n3,5, 4,75\n4, 5,5\n")
    assert read_table(path).frame["y"].tolist() == [2.25, 3, 4.75, 5.5]

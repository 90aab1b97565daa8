"""Several tables in one file: one is chosen, or they are one with names that come again."""

from __future__ import annotations

import pytest

from kansym.base.errors import InputError
from kansym.data.table import numbers, read_table

FIRST = "a,b,y\n1,2,2\n2,3,6\n3,4,12\n4,5,20\n"
SECOND = "t,v\n0,1\n1,3\n2,5\n3,7\n"


def write(folder, text, name="t.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def values(table, name):
    return numbers(table, name, [])[0].tolist()


def test_names_that_come_again_are_left_out(tmp_path):
    table = read_table(write(tmp_path, "t [s];y [m]\n0;1,5\n1;3,5\n\nSeite 2\nt [s];y [m]\n2;5,5\n3;7,5\n"))
    assert values(table, "t") == [0, 1, 2, 3] and table.units == {"t": "s", "y": "m"}
    assert "the line of names comes again 1 time: left out" in table.notes


def test_titles_above_names_that_come_again_are_a_column(tmp_path):
    table = read_table(write(tmp_path, f"run 1\n{SECOND}\nrun 2\n{SECOND}"))
    assert table.names == ("part", "t", "v") and values(table, "t") == [0, 1, 2, 3] * 2
    assert table.frame["part"].tolist() == ["run 1"] * 4 + ["run 2"] * 4


def test_rows_that_look_like_no_names_stay(tmp_path):
    assert read_table(write(tmp_path, "a,y\n1,2\n1,2\n1,2\n3,4\n")).rows == 4


@pytest.mark.parametrize("second", [SECOND, SECOND.replace("t,v\n", "t,v\ns,m\n")])
def test_two_tables_below_each_other_are_asked_for(tmp_path, second):
    path = write(tmp_path, f"{FIRST}\n\n{second}")
    with pytest.raises(InputError, match=r"holds 2 tables below each other, 'a, b, y' and 't, v'; .*::1"):
        read_table(path)
    assert read_table(f"{path}::1").names == ("a", "b", "y")
    assert values(read_table(f"{path}::2"), "v") == [1, 3, 5, 7]
    with pytest.raises(InputError, match="no part 3"):
        read_table(f"{path}::3")


def test_two_tables_beside_each_other_are_asked_for(tmp_path):
    path = write(tmp_path, "t,y,,u,z\n0,1,,0,5\n1,2,,2,6\n2,4,,4,7\n3,8,,,\n4,16,,,\n")
    with pytest.raises(InputError, match="beside each other, 't, y' and 'u, z'"):
        read_table(path)
    assert values(read_table(f"{path}::1"), "y") == [1, 2, 4, 8, 16]
    assert values(read_table(f"{path}::2"), "z") == [5, 6, 7]


def test_names_beside_a_table_without_rows_below_them(tmp_path):
    with pytest.raises(InputError, match="2 tables"):
        read_table(write(tmp_path, "a,b,,c,d\n1,2,,,\n3,5,,,\n"))


def test_a_list_of_settings_is_no_second_table(tmp_path):
    table = read_table(write(tmp_path, f"{FIRST}\nname,value\ngain,2.5\noffset,1\n"))
    assert values(table, "y") == [2, 6, 12, 20]
    with pytest.raises(InputError, match="it holds one table"):
        read_table(f"{write(tmp_path, FIRST)}::2")


def test_empty_lines_between_rows_part_nothing(tmp_path):
    assert read_table(write(tmp_path, FIRST.replace("\n", "\n\n"))).rows == 4
    assert read_table(write(tmp_path, FIRST.replace(",y", ",,y").replace(",2\n", ",,2\n", 1))).names


def test_samples_named_above_variables_in_rows(tmp_path):
    table = read_table(write(tmp_path, "probe,S1,S2,S3,S4,S5\nm [g],1,2,3,4,5\nv [ml],2,4,6,8,9\n"))
    assert table.units == {"m": "g", "v": "ml"} and values(table, "v") == [2, 4, 6, 8, 9]


@pytest.mark.parametrize(
    "text",
    [
        "Time\tVoltage\ns\tV\nrun 7\tDMM 1\n0\t1.5\n1\t2.5\n2\t3.5\n",
        "A\tB\nTime\tVoltage\ns\tV\n\tsample 1\n0\t1.5\n1\t2.5\n2\t3.5\n",
        "Long Name\tTime\tVoltage\nUnits\ts\tV\nComments\trun\tDMM\n1\t0\t1.5\n2\t1\t2.5\n3\t2\t3.5\n",
    ],
)
def test_long_names_units_and_remarks_in_lines_of_their_own(tmp_path, text):
    table = read_table(write(tmp_path, text, "t.txt"))
    assert table.names == ("Time", "Voltage") and table.units == {"Time": "s", "Voltage": "V"}
    assert values(table, "Voltage") == [1.5, 2.5, 3.5]

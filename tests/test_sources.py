"""Tables come in from every kind of file, part of a file, folder and frame, and read alike."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kansym.base.errors import FormatError, InputError
from kansym.data import database
from kansym.data.table import numbers, read_table

FRAME = pd.DataFrame({"a [m]": [1.5, 2.5, 4.0], "kind": ["x", "y", "z"], "b": [3, 5, 8]})


def same(table):
    assert table.names == ("a", "kind", "b") and table.units == {"a": "m"}
    assert numbers(table, "a", [])[0].tolist() == [1.5, 2.5, 4.0]
    assert numbers(table, "b", [])[0].tolist() == [3, 5, 8]
    return table


def sqlite(path):
    with sqlite3.connect(path) as connection:
        FRAME.to_sql("runs", connection, index=False)
    connection.close()


WRITERS = {
    "t.parquet": lambda path: FRAME.to_parquet(path),
    "t.feather": lambda path: FRAME.to_feather(path),
    "t.xlsx": lambda path: FRAME.to_excel(path, index=False, engine="openpyxl"),
    "t.ods": lambda path: FRAME.to_excel(path, index=False, engine="odf"),
    "t.json": lambda path: FRAME.to_json(path, orient="records"),
    "columns.json": lambda path: FRAME.to_json(path, orient="columns"),
    "t.jsonl": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "named.json": lambda path: path.write_text(json.dumps({"n": 3, "rows": FRAME.to_dict("records")})),
    "t.sqlite": sqlite,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_reads_alike(tmp_path, name):
    WRITERS[name](tmp_path / name)
    same(read_table(tmp_path / name))


def test_parts_of_files(tmp_path):
    book = tmp_path / "book.xlsx"
    with pd.ExcelWriter(book, engine="openpyxl") as writer:
        FRAME.to_excel(writer, sheet_name="May 2", index=False)
        FRAME.head(2).to_excel(writer, sheet_name="June", index=False)
    same(read_table(f"{book}::May 2"))
    with pytest.raises(InputError, match=r"2 sheets \(May 2, June\); choose one: book\.xlsx::May 2"):
        read_table(book)
    with pytest.raises(InputError, match="did you mean 'June'"):
        read_table(f"{book}::Jun")
    base = tmp_path / "t.db"
    sqlite(base)
    same(read_table(f"{base}::runs"))
    with pytest.raises(InputError, match=r"No table of t\.db is named 'run'"):
        read_table(f"{base}::run")
    with pytest.raises(InputError, match="has no parts"):
        (tmp_path / "t.csv").write_text("a,b\n1,2\n")
        read_table(f"{tmp_path / 't.csv'}::x")


def views(path, **queries):
    with sqlite3.connect(path) as connection:
        for name, query in queries.items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
    connection.close()
    return path


COUNTING = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "


def test_a_view_without_end_is_cut_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "MOST_ROWS", 2500)
    monkeypatch.setattr(database, "PIECE", 1000)
    path = views(tmp_path / "t.db", ends=COUNTING + "SELECT n, 2 * n AS twice FROM c LIMIT 2500",
                 never=COUNTING + "SELECT n, 2 * n AS twice FROM c")  # fmt: skip
    table = read_table(f"{path}::never")
    assert table.rows == 2500 and numbers(table, "twice", [])[0][-1] == 5000
    said = "view 'never' has more than 2,500 rows: the first 2,500 are read; make a table of it to have all"
    assert said in table.notes
    table = read_table(f"{path}::ends")
    assert table.rows == 2500 and not any("view" in note for note in table.notes)


def test_a_view_that_gives_no_row_or_few_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "MOST_STEPS", 3_000_000)
    path = views(tmp_path / "t.db", counts=COUNTING + "SELECT count(*) AS n FROM c",
                 slow=COUNTING + "SELECT n, n % 7 AS b FROM c WHERE n % 1000 = 0",
                 huge="SELECT zeroblob(900000000) AS a, 1 AS b")  # fmt: skip
    with pytest.raises(InputError, match=r"View 'counts' of t\.db gives no row in 3,000,000 steps; make a"):
        read_table(f"{path}::counts")
    table = read_table(f"{path}::slow")
    assert 10 < table.rows < 1000
    assert f"view 'slow' goes on and on: its first {table.rows:,} rows are read" in " ".join(table.notes)
    with pytest.raises(FormatError, match="too big"):
        read_table(f"{path}::huge")


def test_a_view_without_rows_has_its_columns(tmp_path):
    path = views(tmp_path / "t.db", empty="SELECT 1 AS a, 2 AS b WHERE 0")
    with pytest.raises(InputError, match="no rows"):
        read_table(path)


def test_a_sheet_as_people_keep_it(tmp_path):
    rows = [["Messung vom Mai", None, None], [None, None, None], ["Druck", "Temperatur", "am"],
            ["kPa", "°C", None],
            [1.5, "k.A.", pd.Timestamp("2024-01-01")], [2.25, 21.5, pd.Timestamp("2024-01-03")],
            [2.5, 22, pd.Timestamp("2024-01-04")], [3.5, 23, pd.Timestamp("2024-01-05")]]  # fmt: skip
    rows += [[4.5, 24, pd.Timestamp("2024-01-06")]] * 4
    pd.DataFrame(rows).to_excel(tmp_path / "t.xlsx", header=False, index=False, engine="openpyxl")
    table = read_table(tmp_path / "t.xlsx")
    assert table.names == ("Druck", "Temperatur", "am") and table.units == {"Druck": "kPa"}
    assert np.isnan(numbers(table, "Temperatur", [])[0][0])
    assert numbers(table, "am", [])[0][:2].tolist() == [0, 2]


def test_folders_and_patterns_are_one_table(tmp_path):
    for name in ("one", "two"):
        FRAME.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "notes.md").write_text("nothing")
    for source in (tmp_path, tmp_path / "*.csv"):
        table = read_table(source)
        assert table.rows == 6 and table.frame["file"].tolist() == ["one"] * 3 + ["two"] * 3
        assert table.units == {"a": "m"} and "2 files read as one table" in table.notes[-1]
    FRAME.rename(columns={"b": "c"}).to_csv(tmp_path / "three.csv", index=False)
    with pytest.raises(InputError, match=r"different columns \(b, c\)"):
        read_table(tmp_path)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(InputError, match="folder of a run"):
        read_table(tmp_path)


def test_standard_input(monkeypatch):
    raw = io.BytesIO(FRAME.to_csv(index=False).encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=raw, isatty=lambda: False))
    same(read_table("-"))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(InputError, match="is a terminal"):
        read_table("-")


def test_frames_of_other_kinds():
    polars, xarray = pytest.importorskip("polars"), pytest.importorskip("xarray")
    same(read_table(polars.DataFrame(FRAME.to_dict("list"))))
    grid = xarray.DataArray([[1.0, 2.0], [3.0, 4.0]], {"t": [0, 1], "x": [5, 6]}, ("t", "x"), name="u")
    table = read_table(grid)
    assert table.names == ("t", "x", "u") and table.rows == 4
    assert read_table(grid.rename(None)).names == ("t", "x", "value")


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("t.xlsx", b"PK\x03\x04 and then nothing", "cannot be read as a workbook"),
        ("t.feather", b"ARROW1 and then nothing", "cannot be read as Feather"),
        ("t.db", b"SQLite format 3\0 and then nothing", "cannot be read as SQLite"),
        ("t.json", b'[{"a": 1}, {"a"', "not whole JSON"),
        ("t.json", b'{"a": 1, "b": 2}', "JSON but no table"),
        ("t.json", b"[1, 2, 3]", "JSON but no table"),
    ],
)
def test_broken_files_are_told_in_one_line(tmp_path, name, raw, message):
    (tmp_path / name).write_bytes(raw)
    with pytest.raises((FormatError, InputError), match=message) as caught:
        read_table(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_what_lacks_a_package_says_how_to_get_it(tmp_path, monkeypatch):
    WRITERS["t.xlsx"](tmp_path / "t.xlsx")
    WRITERS["t.parquet"](tmp_path / "t.parquet")

    def gone(*_, **__):
        raise ImportError

    monkeypatch.setattr(pd, "read_excel", gone)
    monkeypatch.setattr(pd, "read_parquet", gone)
    with pytest.raises(InputError, match=r"pip install 'kansym\[excel\]'"):
        read_table(tmp_path / "t.xlsx")
    with pytest.raises(InputError, match=r"pip install 'kansym\[parquet\]'"):
        read_table(tmp_path / "t.parquet")

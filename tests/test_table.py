"""Tables are read from every format a person may have."""

from __future__ import annotations

import csv
import gzip
import io
import os
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kansym.base.errors import FormatError, InputError
from kansym.data.fillers import FILLERS
from kansym.data.table import Card, column, read_table, shipped


def write(folder, text, name="t.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "  ", ":", "~", "&"])
def test_any_delimiter(tmp_path, delimiter):
    text = "\n".join(delimiter.join(row) for row in [["a", "b", "c"], ["1", "2.5", "-3e-2"], ["4", "5", "6"]])
    table = read_table(write(tmp_path, text))
    assert table.names == ("a", "b", "c")
    assert table.frame.to_numpy().tolist() == [[1, 2.5, -0.03], [4, 5, 6]]
    assert table.notes == ()


def test_gzip_by_content_not_by_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n3,4\n"))
    assert read_table(path).rows == 2


def test_broken_gzip(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 500)[:-20])
    with pytest.raises(FormatError, match="not a whole gzip"):
        read_table(path)


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1.5, 2], "Δt": [3, 4]}).to_parquet(path)
    assert read_table(path).names == ("a", "Δt")
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(FormatError, match="Parquet"):
        read_table(path)


def test_every_digit_is_read(tmp_path):
    values = np.random.default_rng(0).normal(size=200) * 10.0 ** np.arange(-100, 100)
    path = write(tmp_path, "a\n" + "\n".join(map(repr, values.tolist())))
    assert np.array_equal(read_table(path).frame["a"].to_numpy(), values)


def test_decimal_commas(tmp_path):
    table = read_table(write(tmp_path, "a;b\n1,5;2\n3,25;4\n"))
    assert table.frame["a"].tolist() == [1.5, 3.25]
    assert table.notes == ("numbers are written with a decimal comma",)


def test_no_header(tmp_path):
    table = read_table(write(tmp_path, "1 2 3\n4 5 6\n"))
    assert table.names == ("x0", "x1", "y")
    assert "no line of column names" in table.notes[0]
    assert table.rows == 2


def test_savetxt_header(tmp_path):
    path = tmp_path / "t.txt"
    np.savetxt(path, np.arange(6.0).reshape(3, 2), header="made yesterday\nt v", comments="# ")
    table = read_table(path)
    assert table.names == ("t", "v")
    assert table.rows == 3


def test_byte_order_mark_latin_and_blank_lines(tmp_path):
    assert read_table(write(tmp_path, "\ufeffa,b\n\n1,2\n\n3,4\n")).frame["a"].tolist() == [1, 3]
    table = read_table(write(tmp_path, "größe,b\n1,2\n3,4\n", encoding="latin-1"))
    assert table.names == ("größe", "b")
    assert "Latin-1" in table.notes[0]
    assert read_table(write(tmp_path, "a,b\n1,2\n3,4\n", encoding="utf-16")).names == ("a", "b")


def test_units_in_the_header(tmp_path):
    header = "speed [m/s],mass (kg),a[0],f(x),share [-],odd (really odd),y"
    table = read_table(write(tmp_path, header + "\n1,2,3,4,5,6,7\n8,9,10,11,12,13,14\n"))
    assert table.names == ("speed", "mass", "a[0]", "f(x)", "share", "odd (really odd)", "y")
    assert table.units == {"speed": "m/s", "mass": "kg", "share": "-"}


def test_saved_index_and_trailing_delimiter(tmp_path):
    table = read_table(write(tmp_path, ",a,b\n0,1,2\n1,3,4\n2,5,6\n"))
    assert table.names == ("a", "b")
    assert "counts the rows" in table.notes[0]
    assert read_table(write(tmp_path, "a,b,\n1,2,\n3,4,\n")).names == ("a", "b")
    table = read_table(write(tmp_path, "a,,b\n1,2,3\n4,5,6\n"))
    assert table.names == ("a", "x1", "b")


def test_a_frame_is_never_changed():
    frame = pd.DataFrame({"a [m]": [1.0, 2], ("b", "c"): [3, 4]}, index=[5, 7])
    before = frame.copy(deep=True)
    table = read_table(frame)
    assert table.names == ("a", "b c")
    table.frame.loc[0, "a"] = 99.0
    pd.testing.assert_frame_equal(frame, before)


def test_titles_and_a_spreadsheets_first_line(tmp_path):
    table = read_table(write(tmp_path, "My run, or so\nof May\n\na;b\n1,5;2\n3,5;4\n"))
    assert table.frame["a"].tolist() == [1.5, 3.5]
    assert "the first 2 lines stand above the names ('My run, or so'): left out" in table.notes
    assert read_table(write(tmp_path, "sep=;\na;b\n1;2\n3;4\n")).names == ("a", "b")


def test_letters_and_signs_beyond_ascii_part_no_columns(tmp_path):
    assert read_table(write(tmp_path, "aéb\n1é2\n3é4\n")).names == ("aéb",)
    assert read_table(write(tmp_path, "a\x0bb\n1\x0b2\n3\x0b4\n")).rows == 2


def test_old_and_new_ends_of_lines(tmp_path):
    for end in ("\r\n", "\r", "\n"):
        table = read_table(write(tmp_path, end.join(["a\u2028c,b", "1,2", "3,4"])))
        assert table.names == ("a\u2028c", "b") and table.rows == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_pipe_is_a_file(tmp_path, kind):
    raw = b"a,b\n1,2\n3,4\n"
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        raw = pd.DataFrame({"a": [1, 3], "b": [2, 4]}).to_parquet()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(raw,))
    writer.start()
    assert read_table(tmp_path / "pipe").names == ("a", "b")
    writer.join()


def test_quoted_names_with_delimiters(tmp_path):
    table = read_table(write(tmp_path, '"x, first",b\n1,2\n3,4\n'))
    assert table.names == ("x, first", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("# only a comment\n", "is empty"),
        ("a,b\n", "header and no rows"),
        ("a,a\n1,2\n3,4\n", "2 columns named 'a'"),
        ("a [m],a [s]\n1,2\n3,4\n", "2 columns named 'a'"),
        ("a,b\n1,2\n1,2,3\n4,5\n", "line 3 has 3 values where 2"),
        ("a,b\n1,2,3\n1,2,3\n", "more values than the 2 column names"),
        ("a\0b", "not text"),
        ("a,b\n" + "1,2\n" * 3000 + "\0,4\n", "not text"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises((InputError, FormatError), match=message) as caught:
        read_table(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_other_encodings_are_refused_in_one_line(tmp_path):
    for raw, message in [
        (b"a,b\n1,2\n\0\1", "not text"),
        ("a,b\n1,2\n".encode("utf-16") + b"3", "within a letter"),
    ]:
        (tmp_path / "t.csv").write_bytes(raw)
        with pytest.raises(FormatError, match=message):
            read_table(tmp_path / "t.csv")


def test_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="there is none"):
        read_table(tmp_path / "speed.csv")
    write(tmp_path, "a,b\n1,2\n", "speeds.csv")
    with pytest.raises(InputError, match=r"did you mean 'speeds\.csv'"):
        read_table(tmp_path / "speed.csv")
    with pytest.raises(InputError, match="No folder"):
        read_table(tmp_path / "nowhere" / "speed.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no table in it"):
        read_table(tmp_path / "empty")
    with pytest.raises(InputError, match="No file matches"):
        read_table(tmp_path / "*.tsv")
    with pytest.raises(InputError, match="did you mean 'planets'"):
        shipped("planet")
    with pytest.raises(InputError, match="cannot come from int"):
        read_table(3)


def test_a_shipped_name_is_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = read_table("planets")
    assert table.rows == 8 and table.card is not None and table.card.target == "period"
    (tmp_path / "balmer").mkdir()  # a run's folder, say
    assert read_table("balmer").rows == 7
    write(tmp_path, "a,b\n1,2\n3,4\n", "planets")
    assert read_table("planets").names == ("a", "b"), "a file of that name comes first"


def test_a_card_of_ones_own(tmp_path):
    path = write(tmp_path, "a,b,c\n1,2,3\n4,5,6\n", "mine.csv")
    (tmp_path / "mine.toml").write_text('table = "mine.csv"\ntarget = "a"\n[columns.a]\nunit = "m"\n')
    card = read_table(path).card
    assert card is not None and card.target == "a" and card.units == {"a": "m"}
    (tmp_path / "mine.toml").write_text('[tool]\nname = "unrelated"\n')
    assert read_table(path).card is None


@pytest.mark.parametrize(
    ("text", "message"),
    [("target = ", "not valid TOML"), ('table = "x.csv"\ntaget = "a"', "'target'"), ("", "names no table")],
)
def test_broken_cards(tmp_path, text, message):
    with pytest.raises((FormatError, InputError), match=message):
        Card.read(write(tmp_path, text, "c.toml"))


cells = st.floats(allow_nan=False, allow_infinity=False, width=64).filter(lambda v: v not in FILLERS)
headers = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12).filter(
    # brackets, quotes and words behind a comma or slash say something about a name
    lambda n: not set(n) & set("[(“”„‘’'\"«»,/") and n[0] not in "#\ufeff" and any(c.isalpha() for c in n)
)


@given(
    names=st.lists(headers, min_size=2, max_size=5, unique=True),
    rows=st.integers(1, 6),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    zipped=st.booleans(),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, names, rows, delimiter, zipped, data):
    values = [[data.draw(cells) for _ in names] for _ in range(rows)]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([names, *([repr(v) for v in row] for row in values)])
    path = tmp_path_factory.mktemp("t") / "t.csv"
    raw = text.getvalue().encode()
    path.write_bytes(gzip.compress(raw) if zipped else raw)
    assume(not all(_number(n) for n in names))
    table = read_table(path)
    assume(not any("sums of the others" in note for note in table.notes))
    assert table.names == tuple(names)
    assert np.array_equal(table.frame.to_numpy(float), np.array(values))


def _number(text):
    try:
        float(text)
    except ValueError:
        return text.lower() in ("na", "n/a", "null", "none")
    return True


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "t.txt"
    path.write_bytes(text.encode(encoding))
    return read_table(path)


ROWS = [(0.1 * i, 2 + 0.3 * i, 5 - 0.2 * i) for i in range(20)]


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("Model\tX1\nDate\t2023/03/14\n***End***\t\nSamples\t20\t20\t\nX\tU\tI\tComment\n", "X U I Comment"),
        ("Software,3.05\n\nTime,10:22:11 AM\nResults\nt,a,b\n".replace(",", "\t"), "t a b"),
        ("% Model: plate\n% Nodes: 20\n% x  T (K)  q\n", "x T q"),
        ('# x\tT\tq\n# "m"\t"K"\t"W"\n# 20\n', "x T q"),
    ],
)
def test_settings_of_instruments_stand_above_the_names(tmp_path, head, names):
    table = written(tmp_path, head + "".join("\t".join(f"{v:.3f}" for v in row) + "\n" for row in ROWS))
    assert table.names == tuple(names.split()) and table.rows == len(ROWS)
    assert table.frame.iloc[:, 0].tolist() == pytest.approx([row[0] for row in ROWS])


def test_settings_beside_the_numbers_are_no_names(tmp_path):
    side = ["Length,40", "Interval,4e-6", "Source,CH1", *[","] * 17]
    table = written(
        tmp_path, "".join(f"{s},,{a - 0.5:.3f},{b:.3f},\n" for s, (a, b, _) in zip(side, ROWS, strict=True))
    )
    assert table.frame["x3"].tolist()[0] == -0.5 and table.frame["y"].tolist()[0] == 2 and table.rows == 20


def test_years_and_samples_are_names(tmp_path):
    assert written(tmp_path, "who,2019,2020,2021\na,1,2,3\nb,2,3,4\nc,3,4,5\n").names[1:] == (
        "2019",
        "2020",
        "2021",
    )


@pytest.mark.parametrize("first", ['"{}"', "{}", '"Mazda {}"'])
def test_r_writes_rows_with_names_and_no_head_for_them(tmp_path, first):
    lines = [f"{first.format(i + 1)} {a:.2f} {b:.2f}" for i, (a, b, _) in enumerate(ROWS)]
    table = written(tmp_path, '"dose" "len"\n' + "\n".join(lines).replace("Mazda ", "Mazda-") + "\n")
    assert table.frame["dose"].tolist() == pytest.approx([row[0] for row in ROWS])


def test_a_blank_cell_of_columns_in_line_is_seen(tmp_path):
    rows = [f"S1 {a:6.2f} {'' if i % 5 == 0 else f'{b:.2f}':>6} {c:6.2f}" for i, (a, b, c) in enumerate(ROWS)]
    table = written(tmp_path, "ST    DIST   PRCP   TMAX\n" + "\n".join(rows) + "\n")
    assert table.frame["PRCP"].isna().sum() == 4
    assert table.frame["TMAX"].tolist() == pytest.approx([row[2] for row in ROWS])


def test_fortran_writes_exponents_with_d(tmp_path):
    table = written(tmp_path, "".join(f"  {a:.4E}  {b:.4E}\n".replace("E", "D") for a, b, _ in ROWS))
    assert table.frame["y"].tolist() == pytest.approx([row[1] for row in ROWS])


def test_cyrillic_of_windows_is_read(tmp_path):
    text = "Время;Скорость\n" + "".join(f"{a:.1f};{b:.1f}\n".replace(".", ",") for a, b, _ in ROWS)
    assert written(tmp_path, text, "cp1251").names == ("Время", "Скорость")
    assert written(tmp_path, text.replace("Время", "Länge").replace("Скорость", "Höhe"), "cp1252").names == (
        "Länge",
        "Höhe",
    )


def test_dates_as_whole_numbers_are_days(tmp_path):
    table = written(tmp_path, "day,y\n" + "".join(f"202302{27 + i},{i}\n" for i in range(2)) + "20230301,2\n")
    assert column(table, "day").values.tolist() == [0, 1, 2]
    assert column(written(tmp_path, "n,y\n20230227,1\n20230299,2\n20230301,3\n"), "n").values[0] == 20230227

"""Bytes become text: wide letters without a mark, East Asia, and what is rather Latin."""

from __future__ import annotations

import pytest

from kansym.base.errors import FormatError
from kansym.data.encodings import plain
from kansym.data.table import read_table

ROWS = "\n10.5,1.2\n20.5,1.4\n30.5,1.6\n"


@pytest.mark.parametrize(
    ("head", "encoding", "tongue"),
    [
        ("温度,圧力", "shift-jis", "Japanese (Shift-JIS)"),
        ("時間[秒],表示,能力", "shift-jis", "Japanese (Shift-JIS)"),  # second bytes are | and \
        ("ｵﾝﾄﾞ,ｱﾂﾘｮｸ", "shift-jis", "Japanese (Shift-JIS)"),
        ("時間,電圧,メモ", "euc-jp", "Japanese (EUC)"),
        ("电压,电流,pH值", "gbk", "Chinese (GB 18030)"),
        ("質量,體積,密度", "big5", "Chinese (Big5)"),
        ("온도,압력", "euc-kr", "Korean"),
    ],
)
def test_names_of_east_asia(head, encoding, tongue):
    notes: list[str] = []
    raw, read_as = plain((head + ROWS).encode(encoding), "t.csv", notes)
    assert raw.decode(read_as) == head + ROWS
    assert notes == [f"not UTF-8: read as {tongue}; where names look wrong, save it as UTF-8"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe,Länge" + ROWS, "cp1252"),
        ("T;p\n20 °C;1,5 µm\n25 °C;2 µm\n", "cp1252"),  # 0xB0 0x43 is a letter in GB 18030
        ("Débit à l'entrée;Été\n1;2\n", "cp1252"),
        ("x;y\n1;–\n2;3\n", "cp1252"),
        ("Температура,Давление\n1,2\n", "cp1251"),
    ],
)
def test_what_is_not_of_east_asia(text, encoding):
    raw, read_as = plain(text.encode(encoding), "t.csv", [])
    assert (raw.decode(read_as), read_as) == (text, encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_letters_with_and_without_a_mark(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes("x\ty\n1,5\t2\n2,5\t3\n3,5\t4\n".encode(encoding))
    table = read_table(tmp_path / "t.csv")
    assert table.names == ("x", "y") and table.frame["x"].tolist() == [1.5, 2.5, 3.5]


def test_bytes_that_are_no_text():
    with pytest.raises(FormatError, match="zero bytes"):
        plain(bytes(range(256)), "t.csv", [])

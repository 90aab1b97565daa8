"""The largest table of a page is read as any other."""

from __future__ import annotations

import pytest

from kansym.base.errors import FormatError
from kansym.data.table import numbers, read_table

PAGE = """<!DOCTYPE html><html><head><style>td {}</style></head><body><table><tr><td>menu<tr><td>5</table>
<table><thead>
<tr><th rowspan=2>kind<th colspan="2">measured</tr><tr><th>p&nbsp;(kPa)<sup>[1]</sup><th>P (W)</tr>
<tbody><tr><td rowspan="2">alu</td><td>1.024,5</td><td>2,5</td></tr><tr><td>2.048,5<td>3,5</tr>
<tr><td rowspan=2>brass<td>512,25<br><td>4,5</tr><tr><td>−3,5<td>k.A.</table></body>"""


def test_a_page_of_tables(tmp_path):
    path = tmp_path / "export.xls"
    path.write_text(PAGE, encoding="utf-8")
    table = read_table(path)
    assert table.names == ("kind", "p", "P") and table.units == {"p": "kPa", "P": "W"}
    assert numbers(table, "p", [])[0].tolist() == [1024.5, 2048.5, 512.25, -3.5]
    assert table.frame["kind"].tolist() == ["alu", "alu", "brass", "brass"]
    assert "the largest of the 2 tables in the page is read" in table.notes


@pytest.mark.parametrize(
    "text", ["<td>", "<table><tr><td>1</td></tr></table>", "<td colspan=99999999 rowspan='-1'>x"]
)
def test_a_page_without_a_table_is_refused(tmp_path, text):
    path = tmp_path / "t.html"
    path.write_text("<p>" + text)
    with pytest.raises(FormatError, match="page without a table"):
        read_table(path)

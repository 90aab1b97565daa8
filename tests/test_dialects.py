"""Texts in a form of their own, as programs, loggers and wikis write them, are read as tables."""

from __future__ import annotations

import random
import warnings

import pytest

from kansym.base.errors import FormatError, KansymError
from kansym.data.dataset import from_table
from kansym.data.table import numbers, read_table


def read(folder, text, name="t.txt"):
    (folder / name).write_text(text, encoding="utf-8")
    return read_table(folder / name)


def values(table, name):
    return numbers(table, name, [])[0].tolist()


TABLES = [
    "x=1.5 y=2\nx=2.5 y=4\nx=3.5 y=9\n",
    "x: 1.5, y: 2\nx: 2.5, y: 4\n\nx: 3.5, y: 9\n",
    "- {x: 1.5, y: 2}\n- {x: 2.5, y: 4}\n- {x: 3.5, y: 9}\n",
    "x=1.5;y=2\nx=2.5;y=4\nx=3.5;y=9",
    '{| class="wikitable"\n|+ Title\n|-\n! x !! style="a" | y\n|-\n| 1.5 || 2\n|-\n| 2.5\n| 4\n'
    "|-\n| 3.5 || 9\n|}\nText",
    '"x,y"\n"1.5,2"\n"2.5,4"\n"3.5,9"\n',
    "@relation r\n@attribute x numeric\n@attribute y REAL\n@data\n1.5,2\n2.5,4\n3.5,9\n",
    "A mine\n2\nx\ny\n1.5 2\n2.5 4\n3.5 9\n",
    "loop_\n_x\n_y\n1.5 2\n2.5 4\n3.5 9\n4.5 7\n",
    "* Device 7\n# nquan = 2\n# name 0 = x\n# name 1 = y\n# span 0 = 1, 2\n# span 1 = 2, 9\n*END*\n"
    "1.5 2\n2.5 4\n3.5 9\n",
    "! made today\n# GHz S\n! x y\n1.5 2\n2.5 4\n3.5 9\n",
    "The System     page 1    1\n\n x      y    n\n\n 1.5    2    7\n 2.5    4    8\n 3.5    9    8\n",
    "     x    y\n0  1.5    2\n1  2.5    4\n2  3.5    9\n\n[3 rows x 2 columns]\n",
    "x,y\n1.5,2,\n2.5,4,\n3.5,9,\n",
    ",,\n,,\nx,y,z\n1.5,2,7\n2.5,4,7\n3.5,9,8\n",
    'An "institute\nName:  Misra (a.dat)\n\nAbout: data from a study\n   of pressures\n     long ago\n'
    "b1 =   500         250           2.3894212918E+02  2.7070075241E+00\n"
    "Certified R-Squared 2.574E-01\nCertified Residual\nStandard Deviation  1.5E-05\n\n"
    "Data:   x    y\n     1.5E0    2.0E0\n     2.5E0    4.0E0\n     3.5E0    9.0E0\n",
    "[Header]\nProgram\t5.8\n\n[Detector]\nInterval (ms)\t500\nx\ty\n1.5\t2\n2.5\t4\n3.5\t9\n4.5\t9\n",
    "Made by USB4\n\nDate: Fri Sep 01\n>>>Begin the data<<<\n_x\n_y\n1.5\t2\n2.5\t4\n3.5\t9\n",
    "7, 1001\nA. Smith\nNASA\n1, 1\n-9999, -9999\n0\nx, y\n1.5, 2\n2.5, 4\n3.5, 9\n",
    "$x$ & y \\\\\n\\num{1.5} & 2 \\\\\n\\num{2.5} & 4 \\\\\n\\num{3.5} & 9 \\\\\n",
]
NAMES = [
    "pairs",
    "colons",
    "yaml",
    "semicolons",
    "wiki",
    "quoted lines",
    "arff",
    "geoeas",
    "cif",
    "profiler",
    "touchstone",
    "page number",
    "pandas",
    "trailing delimiters",
    "empty lines",
    "certified",
    "chromatogram",
    "spectrometer",
    "icartt",
    "siunitx",
]


@pytest.mark.parametrize("text", TABLES, ids=NAMES)
def test_tables_as_programs_write_them(tmp_path, text):
    table = read(tmp_path, text)
    assert table.names[:2] == ("x", "y")
    assert values(table, "x")[:3] == [1.5, 2.5, 3.5] and values(table, "y")[:3] == [2, 4, 9]


@pytest.mark.parametrize(
    "text",
    [
        "a = [1.5 2; 2.5 4; 3.5 9];",
        "a = [1.5 2\n 2.5 4\n 3.5 9]\n",
        "{{1.5, 2}, {2.5, 4}, {3.5, 9}}",
        "[[1.5 2. ]\n [2.5 4. ]\n [3.5 9. ]]\n",
        "[[1.5, 2], [2.5, 4], [3.5, 9]]",
        "# name: a\n# type: matrix\n# rows: 3\n# columns: 2\n 1.5 2\n 2.5 4\n 3.5 9\n",
    ],
)
def test_arrays_as_programs_write_them(tmp_path, text):
    table = read(tmp_path, text)
    assert table.names == ("x0", "y") and values(table, "x0") == [1.5, 2.5, 3.5]
    assert values(table, "y") == [2, 4, 9]


@pytest.mark.parametrize(
    "text", ["ID001 12.5 130\nID002 13.5 131\nID003 14.5 139\n", "$A1;12.5;1\n$A2;13.5;2\n"]
)
def test_a_first_line_like_the_others_holds_no_names(tmp_path, text):
    table = read(tmp_path, text)
    assert table.names == ("x0", "x1", "y") and values(table, "x1")[0] == 12.5


def test_a_time_before_pairs_is_a_column(tmp_path):
    table = read(
        tmp_path,
        "[12:00:01] T: 20.5 K, p: 3 kPa\n[12:00:02] T: 21 K, p: 4 kPa\n[12:00:03] T: 22 K, p: 5 kPa\n",
    )
    assert table.names == ("x0", "T", "p") and table.units == {"T": "K", "p": "kPa"}
    assert values(table, "x0") == [43201, 43202, 43203] and values(table, "p") == [3, 4, 5]


@pytest.mark.parametrize(
    "text",
    [
        "x=1 y=2\nx=2 z=4\nx=3 y=9\n",
        "url,n\nhttp://a,1\nhttp://b,2\nhttp://c,3\n",
        "[a],[b]\n1,2\n3,4\n5,6\n",
    ],
)
def test_what_is_no_such_text_is_read_as_before(tmp_path, text):
    assert len(read(tmp_path, text).names) == len(text.partition("\n")[0].replace(" ", ",").split(","))


@pytest.mark.parametrize(
    "text",
    [
        '[["x", "y"], [1.5, 2], [2.5, 4]]',
        '{"columns": ["x", "y"], "index": [0, 1], "data": [[1.5, 2], [2.5, 4]]}',
        "<?xml version='1.0'?><all><row><x>1.5</x><y>2</y></row><row><x>2.5</x><y>4</y></row></all>",
        '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet><Table>'
        "<Row><Cell><Data>x</Data></Cell><Cell ss:Index='3'><Data>y</Data></Cell></Row>"
        "<Row><Cell><Data>1.5</Data></Cell><Cell ss:Index='3'><Data>2</Data></Cell></Row>"
        "<Row><Cell><Data>2.5</Data></Cell><Cell ss:Index='3'><Data>4</Data></Cell></Row>"
        "</Table></Worksheet></Workbook>",
    ],
    ids=["lists", "split", "xml", "sheet in xml"],
)
def test_records_in_other_forms(tmp_path, text):
    table = read(tmp_path, text)
    assert table.names == ("x", "y") and values(table, "y") == [2, 4]


def test_records_within_records_are_columns(tmp_path):
    text = '{"features": [{"at": {"x": 1, "y": 2}, "m": 3}, {"at": {"x": 2, "y": 4}, "m": 5}]}'
    assert read(tmp_path, text, "t.json").names == ("m", "at.x", "at.y")


def test_xml_without_records_is_refused_in_a_line(tmp_path):
    with pytest.raises(FormatError, match=r"is XML but no table: .*save it as CSV\."):
        read(tmp_path, "<?xml version='1.0'?><a>1</a>")


MARKS = [*',;\t\n"=:[]{}|-#%10e() \r\0&', "nan", "x=", "1e999", "9" * 20, "2023-13-45", "\\\\"]


def garbled(chance: random.Random) -> bytes:
    """Return one of the tables with some letters, lines and ends changed."""
    raw = bytearray(chance.choice(TABLES), "utf-8")
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        at, lines = chance.randrange(len(raw) + 1), bytes(raw).split(b"\n")
        kind = chance.randrange(6)
        if kind == 0:
            raw[at:at] = chance.choice(MARKS).encode()
        elif kind == 1:
            del raw[at : at + chance.randrange(1, 12)]
        elif kind == 2:
            raw[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 3:
            raw = bytearray(b"\n".join(chance.sample(lines, len(lines))))
        elif kind == 4:
            raw = raw[:at]
        else:
            raw[at:] = chance.choice(TABLES).encode()[chance.randrange(20) :]
    return bytes(raw)


@pytest.mark.parametrize("seed", range(4))
def test_garbled_tables_are_read_or_refused_in_a_line(tmp_path, seed):
    chance = random.Random(seed)
    for number in range(60):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(garbled(chance))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from_table(path)
        except KansymError as refused:
            assert "\n" not in str(refused)

"""Spectra in JCAMP-DX, plain and packed, come back point by point."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.base.errors import FormatError, InputError
from kansym.data import jcamp
from kansym.data.table import read_table

HEAD = "##TITLE= a\n##JCAMP-DX= 4.24\n##XUNITS= 1/CM\n##YUNITS= ABSORBANCE\n##YFACTOR= 0.5\n##FIRSTX= 400\n"


def spectrum(body, count, form="(X++(Y..Y))", label="XYDATA"):
    return f"{HEAD}##LASTX= {399 + count}\n##NPOINTS= {count}\n##{label}= {form}\n{body}\n##END=\n"


@pytest.mark.parametrize(
    "body",
    [  # the standard's own example of its forms
        "400 1 2 3 3 2 1 0 -1 -2 -3",
        "400 1+2+3+3+2+1+0-1-2-3",
        "400 ABCCBA@abc",
        "400 AJJ%jjjjjj",
        "400 AJT%jX",
        "400 AJT%jV\n408ajj $$ a line begins with the ordinate that ends the one before",
    ],
)
def test_every_form_of_packing(tmp_path, body):
    (tmp_path / "s.jdx").write_text(spectrum(body, 10))
    table = read_table(tmp_path / "s.jdx")
    assert table.names == ("wavenumber", "absorbance") and table.units["wavenumber"] == "1/cm"
    assert table.frame["wavenumber"].tolist() == [400.0 + k for k in range(10)]
    assert table.frame["absorbance"].tolist() == [0.5 * y for y in (1, 2, 3, 3, 2, 1, 0, -1, -2, -3)]


def packed(values, each):
    """Write whole numbers as squeezed ones and differences, some to a line, as instruments do."""
    small, large = "@ABCDEFGHI", "%JKLMNOPQR"

    def sign(value, letters):
        digits = str(abs(value))
        first = letters[int(digits[0])]
        return (first.lower() if value < 0 else first) + digits[1:]

    lines, at = [], 0
    while at < len(values):
        begin = max(0, at - 1) if at else 0
        held = values[begin : at + each]
        steps = [int(b - a) for a, b in itertools.pairwise(held)]
        lines.append(f"{400 + begin}{sign(int(held[0]), small)}" + "".join(sign(s, large) for s in steps))
        at += each
    return "\n".join(lines)


@given(st.lists(st.integers(-99999, 99999), min_size=2, max_size=40), st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_what_is_packed_is_unpacked(values, each):
    text = spectrum(packed(values, each), len(values)).replace("##YFACTOR= 0.5\n", "")
    rows = jcamp.lines(text.encode(), "s.jdx").decode().split("\n")[1:]
    np.testing.assert_array_equal([float(row.split("\t")[1]) for row in rows], values)


def test_points_in_pairs(tmp_path):
    (tmp_path / "s.dx").write_text(spectrum("400,1; 401,2\n402,3 403,4", 4, "(XY..XY)", "PEAK TABLE"))
    assert read_table(tmp_path / "s.dx").frame["absorbance"].tolist() == [0.5, 1, 1.5, 2]


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (spectrum("400AJJ\n402B", 4), FormatError, "begins with 2 .* ends with 3"),
        (spectrum("400 1 2 3", 4), FormatError, "3 points where ##NPOINTS says 4"),
        (spectrum("", 4), FormatError, "without points"),
        (spectrum("400 1 2", 2) + spectrum("400 1 2", 2), InputError, "several spectra"),
        (spectrum("400J", 1), FormatError, "that are none"),
    ],
)
def test_what_is_no_spectrum(text, kind, said):
    with pytest.raises(kind, match=said):
        jcamp.lines(text.encode(), "s.jdx")

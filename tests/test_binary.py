"""Packed files, arrays of NumPy and MATLAB and tables of Stata are read; files without a table are named."""

from __future__ import annotations

import bz2
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.data.table import read_table

TEXT = b"x,y\n1.5,2\n2.5,4\n3.5,9\n"
X, Y = [1.5, 2.5, 3.5], [2.0, 4.0, 9.0]
RECORDS = np.array(list(zip(X, Y, strict=True)), [("x", float), ("y", float)])


def zipped(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.csv", content)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(bz2.compress(TEXT)),
        lambda path: path.write_bytes(lzma.compress(TEXT)),
        lambda path: zipped(path, a=TEXT),
        lambda path: np.savez(path.with_suffix(".npz"), x=X, y=Y, rate=np.array(3.0)),
        lambda path: np.save(path.with_suffix(".npy"), RECORDS),
        lambda path: savemat(path.with_suffix(".mat"), {"x": X, "y": np.array(Y)[:, None], "rate": 3.0}),
        lambda path: pd.DataFrame({"x": X, "y": Y}).to_stata(path, write_index=False),
        lambda path: pd.DataFrame({"x": X, "y": Y}).to_stata(path, write_index=False, version=118),
    ],
    ids=["bz2", "xz", "zip", "npz", "npy", "mat", "stata", "stata 118"],
)
def test_files_of_bytes_hold_tables(tmp_path, write):
    write(tmp_path / "t.bin")
    (path,) = tmp_path.iterdir()
    table = read_table(path.rename(tmp_path / "t"))
    assert table.names == ("x", "y") and table.frame["x"].tolist() == X and table.frame["y"].tolist() == Y


def test_the_columns_of_an_array_have_numbers(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(12.0).reshape(4, 3))
    assert read_table(tmp_path / "t.npy").names == ("x0", "x1", "y")
    savemat(tmp_path / "t.mat", {"a": np.arange(8.0).reshape(4, 2), "b": np.arange(4.0)})
    assert read_table(tmp_path / "t.mat").names == ("a0", "a1", "b")
    savemat(tmp_path / "t.mat", {"a": np.arange(3.0), "b": np.arange(4.0)})
    with pytest.raises(FormatError, match=r"arrays that make no table: a \(1, 3\), b \(1, 4\)"):
        read_table(tmp_path / "t.mat")


def test_a_file_of_an_archive_is_chosen(tmp_path):
    zipped(tmp_path / "t.zip", a=TEXT, b=TEXT.replace(b"x", b"z"))
    with pytest.raises(InputError, match=r"archive of 2 files \(a.csv, b.csv\); choose one: t.zip::a.csv\."):
        read_table(tmp_path / "t.zip")
    assert read_table(f"{tmp_path}/t.zip::b.csv").names == ("z", "y")
    with pytest.raises(UnknownNameError, match=r"No file in t.zip is named 'c.csv'"):
        read_table(f"{tmp_path}/t.zip::c.csv")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"%PDF-1.4\nxref\n", "is a PDF, which is not read; save its table as CSV"),
        (b"\x89HDF\r\n\x1a\n\0", "is HDF5"),
        (b"\x89PNG\r\n\x1a\n\0", "is a picture"),
        (bz2.compress(TEXT)[:-9], "is not a whole bz2 file"),
        (b"\x93NUMPY\x01\0v\0", "cannot be read as one of NumPy"),
        (b"PK\x03\x04" + b".npy" * 9, "cannot be read as one of NumPy"),
    ],
)
def test_files_without_a_table_are_named(tmp_path, content, says):
    (tmp_path / "t.dat").write_bytes(content)
    with pytest.raises(FormatError, match=says):
        read_table(tmp_path / "t.dat")


def test_arrays_of_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / "t.npy", np.array([{}, {}, {}]), allow_pickle=True)
    with pytest.raises(FormatError, match="cannot be read as one of NumPy"):
        read_table(tmp_path / "t.npy")

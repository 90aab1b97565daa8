"""Files of bytes: packed ones unpacked; arrays of NumPy and MATLAB and tables of Stata; others refused.

This room knows files by their first bytes. Parquet, workbooks and SQLite are `sources`' and `database`'s.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.data.database import PART

if TYPE_CHECKING:
    import pandas as pd

PACKED = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bz2", bz2.decompress),
    b"\xfd7zXZ": ("xz", lzma.decompress),
}
"""How packed files begin, what they are called, and what unpacks them."""

NO_TABLES = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x89HDF": "HDF5 (netCDF 4 and MATLAB 7.3 among them)",
    b"CDF\x01": "netCDF",
    b"CDF\x02": "netCDF",
    b"$FL2": "a table of SPSS",
    b"SIMPLE  =": "FITS",
    b"7z\xbc\xaf": "an archive of 7-Zip",
    b"{\\rtf": "a document (RTF)",
}
"""How files begin that hold no table which is read here, and what they are."""

_STATA = re.compile(rb"<stata_dta>|[\x71-\x73][\x01\x02]\x01")
_ZIP, _SHEETS = b"PK\x03\x04", ("[Content_Types].xml", "mimetype")


def unpacked(raw: bytes, source: str, part: str | None) -> tuple[bytes, str, str | None]:
    """Return a file's bytes unpacked, its name, and which part of it is meant.

    Of an archive with several files, `part` names one. Raises FormatError for a broken file and for one that
    can hold no table, InputError where nothing says which file is meant.
    """
    for begin, (kind, unpack) in PACKED.items():
        if raw.startswith(begin):
            try:
                return unpack(raw), source, part
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as problem:
                said = f"File {source} is not a whole {kind} file: {problem}; copy it again."
                raise FormatError(said) from None
    for begin, kind in NO_TABLES.items():
        if raw.startswith(begin):
            raise FormatError(f"File {source} is {kind}, which is not read; save its table as CSV.")
    if not raw.startswith(_ZIP):
        return raw, source, part
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, ValueError):
        return raw, source, part  # a broken workbook, to be told by its reader
    names = [n for n in archive.namelist() if not n.startswith("__MACOSX/") and n[-1:] != "/"]
    if set(_SHEETS) & set(names) or (names and all(n.endswith(".npy") for n in names)):
        return raw, source, part
    chosen = _one_of(names, source, part)
    try:
        return archive.read(chosen), chosen, None
    except (zipfile.BadZipFile, ValueError, RuntimeError, EOFError, zlib.error, OSError) as problem:
        raise FormatError(f"File {source} is not a whole archive: {problem}; copy it again.") from None


def _one_of(names: list[str], source: str, part: str | None) -> str:
    """Return the file of an archive that is meant."""
    if part is not None and part not in names:
        raise UnknownNameError(f"file in {source}", part, names)
    if part is None and len(names) != 1:
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        choose = f"; choose one: {source}{PART}{names[0]}" if names else ""
        raise InputError(f"File {source} is an archive of {len(names)} files ({shown}){choose}.")
    return part or names[0]


def frame(raw: bytes, source: str) -> pd.DataFrame | None:
    """Return the table in a file of NumPy, MATLAB or Stata; None for a file of another kind.

    Arrays of one length are columns under their names. Raises FormatError for a broken file and for arrays
    that make no table.
    """
    import pandas as pd

    if _STATA.match(raw):
        return _opened(lambda: pd.read_stata(io.BytesIO(raw), convert_categoricals=True), source, "Stata")
    if raw.startswith(b"\x93NUMPY") or (raw.startswith(_ZIP) and b".npy" in raw[:200]):
        return _columns(_opened(lambda: _arrays(raw), source, "NumPy"), source)
    if raw.startswith(b"MATLAB 5.0 MAT-file"):
        from scipy.io import loadmat

        held = _opened(lambda: loadmat(io.BytesIO(raw)), source, "MATLAB")
        return _columns({name: value for name, value in held.items() if not name.startswith("__")}, source)
    return None


def _arrays(raw: bytes) -> Mapping[str, np.ndarray]:
    """Return the arrays in a file of NumPy by name, "" for one alone."""
    found = np.load(io.BytesIO(raw), allow_pickle=False)
    return {"": found} if isinstance(found, np.ndarray) else dict(found)


def _opened(read: Any, source: str, program: str) -> Any:
    """Return what a reader gives; raises FormatError where it fails."""
    try:
        return read()
    except Exception as problem:  # each reader has its own tree of errors
        said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise FormatError(f"File {source} cannot be read as one of {program}: {said}") from None


def _columns(arrays: Mapping[str, Any], source: str) -> pd.DataFrame:
    """Return arrays of one length as a frame, the columns of one with two dimensions numbered."""
    import pandas as pd

    if len(arrays) == 1 and next(iter(arrays.values())).dtype.names:
        return pd.DataFrame.from_records(next(iter(arrays.values())).ravel())
    columns: dict[str, np.ndarray] = {}
    for name, given in arrays.items():
        array = np.asarray(given)
        if array.dtype.kind not in "biufUS" or array.ndim > 2 or array.size < 2:
            continue  # a setting, or what is no column
        flat = array.ravel()[:, None] if array.ndim == 1 or 1 in array.shape else array
        width = flat.shape[1]
        for j in range(width):
            last = "y" if j == width - 1 else f"x{j}"
            columns[(last if not name else name if width == 1 else f"{name}{j}")] = flat[:, j]
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        shapes = ", ".join(f"{name or 'array'} {np.shape(value)}" for name, value in arrays.items())
        raise FormatError(
            f"File {source} holds arrays that make no table: {shapes}; save columns of one length."
        )
    return pd.DataFrame(columns)

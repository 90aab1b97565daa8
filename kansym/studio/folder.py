"""What the studio may read and write: shipped tables, the file named, the folder it was started in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kansym.base import storage
from kansym.base.errors import InputError, UnknownNameError
from kansym.data import sources
from kansym.data.table import Table, read_table, shipped, shipped_cards
from kansym.data.writing import WRITING

OWN = "kansym-studio"
"""The folder, inside the one it was started in, for tables that were dropped and searches under way."""

MOST_LISTED = 200
"""Files that are offered; more would hide the shipped tables."""

MOST_UNPACKED = 1 << 30
"""Bytes that a packed table may unpack to: a million rows of fifty columns as text. A few kilobytes can hold
more zeros than any memory."""

_PACKED: Mapping[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}

PIECE = 1 << 20
"""Bytes that are unpacked at a time to see how many there are."""


@dataclass(frozen=True)
class Folder:
    """Hold the folder that the studio was started in; `named` is a file that the command named."""

    root: Path
    named: Path | None = None

    @staticmethod
    def of(root: str | Path, named: str | Path | None = None) -> Folder:
        """Return the folder with links followed."""
        return Folder(Path(root).resolve(), None if named is None else Path(named).resolve())

    def files(self) -> list[str]:
        """Return the tables in the folder and those that were dropped, by name."""
        places = [self.root, self.root / OWN]
        found = [p for place in places if place.is_dir() for p in sorted(place.iterdir())]
        names = [str(p.relative_to(self.root)) for p in found if _is_table(p) and self._is_inside(p)]
        return names[:MOST_LISTED]

    def shipped(self) -> dict[str, str]:
        """Return the shipped tables' names with their titles."""
        return {name: card.title or name for name, card in shipped_cards().items()}

    def read(self, name: str, writing: Mapping[str, str] | None = None) -> Table:
        """Return a table of the folder, or a shipped one; raises InputError for any other.

        `writing` holds what a person says of how numbers and dates are written, by the names in WRITING.
        """
        if name in shipped_cards() and not (self.root / name).is_file():
            return shipped(name)
        return read_table(self.path(name), **{n: s for n, s in (writing or {}).items() if n in WRITING})

    def path(self, name: str) -> Path:
        """Return a file's path; raises InputError for one outside the folder."""
        path = (self.root / name).resolve()
        if path == self.named:
            return path
        if not self._is_inside(path):
            raise InputError(f"{name!r} is outside the folder that the studio was started in; drop it here.")
        if not path.is_file():
            raise UnknownNameError("file or shipped table", name, [*self.files(), *shipped_cards()])
        return path

    def receive(self, name: str, content: bytes) -> str:
        """Keep a file that was dropped; return its name here. Raises InputError for no table."""
        plain = re.sub(r"[^\w.-]+", "_", Path(name.replace("\\", "/")).name).lstrip(".") or "table.csv"
        if not plain.endswith(sources.SUFFIXES):
            raise InputError(f"{plain!r} is no table; drop a file of {', '.join(sources.SUFFIXES)}.")
        if _unpacks_to_more(content):
            most = f"{MOST_UNPACKED:,} bytes"
            raise InputError(
                f"{plain!r} unpacks to more than {most}; start the studio with its name instead."
            )
        place = storage.writable(self.root / OWN)
        stem, dot, rest = plain.partition(".")
        number, free = 2, place / plain
        while free.exists() and free.read_bytes() != content:
            free = place / f"{stem}-{number}{dot}{rest}"
            number += 1
        if not self._is_inside(free):  # a link that somebody laid there
            raise InputError(f"{OWN!r} leads outside the folder; remove that link.")
        storage.write_bytes(free, content)
        return str(free.relative_to(self.root))

    def own(self, name: str) -> Path:
        """Return a folder for a search's progress."""
        place = storage.writable(self.root / OWN)
        if not self._is_inside(place):
            raise InputError(f"{OWN!r} leads outside the folder; remove that link.")
        return place / name

    def _is_inside(self, path: Path) -> bool:
        """Tell whether a path, links followed, is in the folder."""
        return path.resolve().is_relative_to(self.root)


def _unpacks_to_more(content: bytes) -> bool:
    """Tell whether packed content is larger than may be; broken files are left to the reader of tables."""
    seen = 0
    try:
        if content.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                return sum(part.file_size for part in packed.infolist()) > MOST_UNPACKED
        for begin, opened in _PACKED.items():
            if not content.startswith(begin):
                continue
            with opened(io.BytesIO(content)) as unpacked:
                while piece := unpacked.read(PIECE):
                    seen += len(piece)
                    if seen > MOST_UNPACKED:
                        return True
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile):
        return False
    return False


def _is_table(path: Path) -> bool:
    """Tell whether a file's name is one of a table."""
    return path.is_file() and not path.name.startswith(".") and path.name.endswith(sources.SUFFIXES)

"""Versioned JSON, written atomically, and what a person writes: TOML."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from kansym.base.errors import FormatError, InputError, KansymError

Record = TypeVar("Record")


@contextmanager
def reading(what: str, remedy: str) -> Iterator[None]:
    """Turn what goes wrong while plain data become objects into a FormatError of one line.

    A file may hold anything: a missing key, a text for a number, a list for a table.
    """
    try:
        yield
    except KansymError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as problem:
        reason = " ".join(str(problem).split())
        raise FormatError(f"{what} lacks or garbles {reason}; {remedy}.") from None


CASTS = {"str": str, "float": float, "int": int, "bool": bool}
"""What makes a field of plain data of its annotation."""


def record(kind: type[Record], data: Mapping[str, Any]) -> Record:
    """Return a dataclass of texts and numbers from plain data; fields with a default may be missing there."""
    wanted = [f for f in fields(kind) if f.name in data or f.default is MISSING]  # type: ignore[arg-type]
    return kind(**{f.name: CASTS[str(f.type)](data[f.name]) for f in wanted})


def writable(folder: str | Path) -> Path:
    """Make a folder, so that a long search does not end at one that cannot be written; return it.

    Raises InputError where it cannot be made or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError(
            f"Folder {str(folder)!r} cannot be made: {problem.strerror}; choose another."
        ) from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"Folder {str(folder)!r} cannot be written; choose another.")
    return folder


def write_text(path: str | Path, content: str) -> Path:
    """Write a text file so that a crash leaves the old one or the new one, never half of it."""
    return write_bytes(path, content.encode("utf-8"))


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write a file so that a crash leaves the old one or the new one, never half of it."""
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as problem:
        raise InputError(
            f"Cannot write {path}: {problem.strerror}; choose a folder that can be written."
        ) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_json(path: str | Path, data: Mapping[str, Any]) -> Path:
    """Write plain data as JSON; floats keep every bit."""
    return write_text(path, json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_toml(path: str | Path, what: str) -> dict[str, Any]:
    """Read a person's TOML file, "the library file" in messages.

    Raises InputError for a file that cannot be read, FormatError for one that is no such TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as problem:
        raise InputError(f"Cannot read {what} {str(path)!r}: {problem.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise FormatError(f"{what.capitalize()} {str(path)!r} is no TOML: {problem}.") from None


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON object; raises InputError for no file and FormatError for other content."""
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise InputError(f"Cannot read {path}: {problem.strerror}; give a file that kansym wrote.") from None
    except (ValueError, RecursionError):  # no JSON, no UTF-8, an endless integer
        raise FormatError(f"{path} is no JSON file; give a file that kansym wrote.") from None
    if not isinstance(data, dict):
        raise FormatError(
            f"{path} holds {type(data).__name__}, not an object; give a file that kansym wrote."
        )
    return data

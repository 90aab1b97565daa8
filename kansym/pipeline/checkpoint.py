"""A search's progress on disk, so that a run that was killed goes on where it was.

A checkpoint holds the rows, the options, and every formula that gave a law, in order. A resumed search judges
these again, which takes a moment and gives the same laws, leaves out the looks that were over, and goes on.
It is written at least once a second, each time as a whole.
"""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import kansym
from kansym.base import storage
from kansym.base.errors import FormatError, InputError
from kansym.data.dataset import Dataset
from kansym.data.inputs import Made
from kansym.functions.library import Library

FORMAT = 1
"""Version of the files; raised when a reader of the old ones would misread the new."""

EVERY = 0.4
"""Seconds between two writes while something changes: a kill loses no more."""

FILE, ROWS, LOCK = "checkpoint.json", "checkpoint.npz", ".kansym.lock"


@dataclass
class Memory:
    """Remember one pass of a search: what gave laws, which looks are over, and how it ended.

    `formulas` are (text, source) of those that gave laws, in order; `work` is what the `finished` looks took;
    `reason` says why the pass ended, "" before.
    """

    formulas: list[tuple[str, str]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    work: float = 0.0
    reason: str = ""

    def record(self, text: str, source: str) -> None:
        """Note a formula that gave a law."""
        self.formulas.append((text, source))

    def finish(self, name: str, work: float) -> None:
        """Note that a look is over, and the work that all looks so far took."""
        self.finished.append(name)
        self.work = work

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        formulas = [list(pair) for pair in list(self.formulas)]
        finished = list(self.finished)
        return {"formulas": formulas, "finished": finished, "work": self.work, "reason": self.reason}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Memory:
        """Return what `to_dict` described."""
        formulas = [(str(text), str(source)) for text, source in data["formulas"]]
        return Memory(formulas, [str(n) for n in data["finished"]], float(data["work"]), str(data["reason"]))


@dataclass
class Checkpoint:
    """Hold what a search has found so far, and keep it on disk.

    `passes` are those of the search, the last one under way. `extra` belongs to the caller; `trouble` says
    why the last write failed.
    """

    folder: Path
    dataset: Dataset
    options: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)
    passes: list[Memory] = field(default_factory=list)
    seconds: float = 0.0
    trouble: str = ""

    @staticmethod
    def start(folder: str | Path, dataset: Dataset, options: dict[str, Any], **extra: Any) -> Checkpoint:
        """Return a new checkpoint, its rows written; raises InputError where the folder cannot be written."""
        folder = storage.writable(folder)
        made = Checkpoint(folder, dataset, options, extra)
        try:
            storage.write_bytes(folder / ROWS, _packed(dataset))
            made.write()
        except OSError as problem:
            raise InputError(f"Cannot write into {folder}: {problem.strerror}; choose another.") from None
        return made

    @staticmethod
    def load(folder: str | Path) -> Checkpoint:
        """Return the checkpoint in a folder.

        Raises InputError where there is none and FormatError for files that are broken or of another version.
        """
        folder = Path(folder)
        if not (folder / FILE).is_file():
            raise InputError(
                f"{str(folder)!r} has no checkpoint: no run was made with --out there, or it has finished."
            )
        data = storage.read_json(folder / FILE)
        if data.get("kind") != "kansym checkpoint" or data.get("format") != FORMAT:
            version = data.get("version", "unknown")
            raise FormatError(
                f"{folder / FILE} has format {data.get('format')!r} (kansym {version}); kansym "
                f"{kansym.__version__} reads checkpoints of format {FORMAT}. Run discover again."
            )
        with storage.reading(f"{folder / FILE}", "run discover again"):
            return Checkpoint(
                folder=folder,
                dataset=_unpacked(folder / ROWS, dict(data["dataset"])),
                options=dict(data["options"]),
                extra=dict(data["extra"]),
                passes=[Memory.from_dict(one) for one in data["passes"]],
                seconds=float(data["seconds"]),
            )

    def memory(self, number: int) -> Memory:
        """Return what is known of a pass, a new one where it is the next."""
        if number == len(self.passes):
            self.passes.append(Memory())
        return self.passes[number]

    def write(self) -> None:
        """Write what there is; the rows were written at the start."""
        d = self.dataset
        storage.write_json(
            self.folder / FILE,
            {
                "kind": "kansym checkpoint",
                "format": FORMAT,
                "version": kansym.__version__,
                "seconds": self.seconds,
                "passes": [one.to_dict() for one in list(self.passes)],
                "options": self.options,
                "extra": self.extra,
                "dataset": {
                    "names": list(d.names),
                    "target": d.target,
                    "absolute": d.absolute,
                    "units": None if d.units is None else {n: list(map(str, e)) for n, e in d.units.items()},
                    "unit_texts": None if d.unit_texts is None else dict(d.unit_texts),
                    "columns": list(d.columns),
                    "categories": {n: list(levels) for n, levels in d.categories.items()},
                    "made": {n: asdict(how) for n, how in d.made.items()},
                    "source": d.source,
                    "notes": list(d.notes),
                },
            },
        )

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write at least every second while the block runs; refuse a second run in the same folder.

        A write that fails is said in `trouble`, and the search goes on.
        """
        over, before, begun = threading.Event(), self.seconds, time.monotonic()

        def keep() -> None:
            """Write every EVERY seconds until the search is over."""
            while not over.wait(EVERY):
                self.seconds = before + time.monotonic() - begun
                self._try_to_write()

        with _locked(self.folder):
            writer = threading.Thread(target=keep, daemon=True)
            writer.start()
            try:
                yield
            finally:
                over.set()
                writer.join()
                self.seconds = before + time.monotonic() - begun
                self._try_to_write()

    def _try_to_write(self) -> None:
        """Write, or say in `trouble` why that failed."""
        try:
            self.write()
        except (OSError, InputError) as problem:
            why = getattr(problem, "strerror", None) or problem
            self.trouble = (
                f"the checkpoint could not be written: {why}; a kill now loses what was found since"
            )
        else:
            self.trouble = ""

    def remove(self) -> None:
        """Remove the files of a run that is over."""
        for name in (FILE, ROWS, LOCK):
            with suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)


def options_of(data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `Options` from its plain data."""
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    if isinstance(plain.get("library"), dict):
        plain["library"] = Library.from_dict(plain["library"])
    return plain


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which ends with the process; raises InputError where another run holds it."""
    try:
        import fcntl
    except ImportError:  # Windows: no such lock, and no check
        yield
        return
    with open(folder / LOCK, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"Another run writes into {str(folder)!r}; wait for it or choose another folder."
            ) from None
        yield


def _packed(dataset: Dataset) -> bytes:
    """Return a dataset's arrays as the bytes of one file."""
    parts = {"X": dataset.X, "y": dataset.y}
    if dataset.weights is not None:
        parts["weights"] = dataset.weights
    if dataset.groups is not None:
        parts["groups"] = np.asarray(dataset.groups)
    raw = io.BytesIO()
    np.savez(raw, allow_pickle=False, **parts)
    return raw.getvalue()


def _unpacked(path: Path, data: dict[str, Any]) -> Dataset:
    """Return the dataset of a file of arrays and its plain data; raises FormatError."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            parts = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise FormatError(f"{path} cannot be read: {problem}; run discover again.") from None
    units = data["units"]
    return Dataset(
        X=np.ascontiguousarray(parts["X"], float),
        y=np.asarray(parts["y"], float),
        names=tuple(data["names"]),
        target=str(data["target"]),
        weights=parts.get("weights"),
        absolute=bool(data["absolute"]),
        groups=parts.get("groups"),
        units=None if units is None else {n: tuple(map(Fraction, e)) for n, e in units.items()},
        unit_texts=data["unit_texts"],
        columns=tuple(data["columns"]),
        categories={n: tuple(levels) for n, levels in data["categories"].items()},
        made={n: Made(**how) for n, how in data["made"].items()},
        source=str(data["source"]),
        notes=tuple(data["notes"]),
    )

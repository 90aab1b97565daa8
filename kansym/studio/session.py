"""A desk as one JSON file that opens again, and what a file named on the command line is.

A session is data: its formulas go through the allow-list parser, its table through the reader of tables.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import kansym
from kansym.base import storage
from kansym.base.errors import FormatError, InputError
from kansym.data.dataset import Dataset, from_arrays
from kansym.data.table import shipped_cards
from kansym.pipeline.run import Run
from kansym.studio.desk import PAUSED, Desk, Opened, Step
from kansym.studio.guard import MOST_BYTES
from kansym.studio.question import Question

FORMAT = "kansym-studio-1"

REMEDY = "save the session again"


def to_dict(desk: Desk) -> dict[str, Any]:
    """Return all that is on the desk as plain data, the table's file included; raises InputError for none."""
    if desk.opened is None and desk.run is None:
        raise InputError("There is nothing to save; open a table first.")
    return {
        "format": FORMAT,
        "version": kansym.__version__,
        "table": None
        if desk.opened is None
        else {**_table(desk, desk.opened.name), "writing": dict(desk.opened.writing)},
        "question": desk.question.to_dict(),
        "run": None if desk.run is None else desk.run.to_dict(),
        "row": desk.row,
        "other": desk.other,
        "rounded": desk.rounded,
        "constants": desk.theta.tolist() if desk.moved else None,
        "steps": [{"kind": s.kind, "details": dict(s.details)} for s in desk.steps],
        "walk": None if desk.walk is None else desk.walk.to_dict(),
    }


def open_into(desk: Desk, data: dict[str, Any]) -> None:
    """Put a saved session on the desk; raises FormatError for content that is none."""
    if data.get("format") != FORMAT:
        raise FormatError(f"The session has format {data.get('format')!r}; this version reads {FORMAT}.")
    with storage.reading("The session", REMEDY):
        question = Question.from_dict(data["question"])
        run = None if data["run"] is None else Run.from_dict(data["run"])
        steps = [Step(str(s["kind"]), dict(s["details"])) for s in data["steps"]]
        row = int(data["row"])
        constants = None if data["constants"] is None else np.array(data["constants"], float)
        name = None if data["table"] is None else _received(desk, data["table"])
        said = dict((data["table"] or {}).get("writing", {}))
        writing = {str(k): str(v) for k, v in said.items()}
    if name is not None:
        desk.take(Opened.read(desk.folder, name, writing))
        desk.ask(question)
    with storage.reading("The session", REMEDY):
        if run is not None:
            desk.dataset = desk.prepared() if name is not None else None
            desk.rounded = bool(data["rounded"])
            desk.show(run, row)
            desk.compare(None if data["other"] is None else int(data["other"]))
            desk.state = PAUSED
        if constants is not None and desk.bench is not None:
            if constants.shape != desk.theta.shape or not np.all(np.isfinite(constants)):
                raise ValueError("the constants")
            desk.theta = constants
        if data.get("walk") is not None:
            from kansym.studio.walk import Walk

            desk.walk = Walk.from_dict(data["walk"])
    desk.steps = steps
    desk.touch("table", "question", "run", "law", "search", "walk")


def open_first(desk: Desk, data: str) -> None:
    """Put on the desk what the command named: a table, a run's result.json, or a session."""
    path = Path(data)
    if path.is_dir() and (path / "result.json").is_file():
        path = path / "result.json"
    saved = recognised(path.read_bytes()) if path.suffix == ".json" and path.is_file() else None
    if saved is not None:
        open_saved(desk, saved)
    else:
        desk.take(Opened.read(desk.folder, str(path) if path.is_file() else data))


def recognised(content: bytes) -> dict[str, Any] | None:
    """Return a session or a run from a file's bytes, None for anything else: tables may be JSON, too."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return found if found.get("format") == FORMAT or {"front", "stop_reason"} <= set(found) else None


def open_saved(desk: Desk, saved: dict[str, Any]) -> None:
    """Put on the desk what :func:`recognised` has found."""
    if saved.get("format") == FORMAT:
        open_into(desk, saved)
    else:
        open_run(desk, saved)


def open_run(desk: Desk, data: dict[str, Any]) -> None:
    """Put a run on the desk; the rows that its pictures hold stand for the table."""
    with storage.reading("The result", "run discover again"):
        plain = {
            **data,
            "chosen": data["chosen"]["index"] if isinstance(data["chosen"], dict) else data["chosen"],
        }
        run = Run.from_dict(plain)
        desk.forget()
        desk.opened = None
        desk.dataset = _rows(run, data.get("pictures"))
    desk.show(run)


def _rows(run: Run, pictures: Any) -> Dataset | None:
    """Return the rows that a run's pictures hold, None without pictures."""
    if not isinstance(pictures, dict):
        return None
    columns = np.column_stack([np.array(pictures["columns"][n], float) for n in run.names])
    target = str(run.data["target"])
    found = from_arrays(columns, np.array(pictures["target"], float), run.names, target=target)
    return replace(found, unit_texts={n: str(u) for n, u in dict(run.data.get("units", {})).items()} or None)


def _table(desk: Desk, name: str) -> dict[str, Any]:
    """Return a table's name and content as plain data; raises InputError for one that is too large."""
    if name in shipped_cards() and not (desk.folder.root / name).is_file():
        return {"name": name, "content": None}
    path = desk.folder.path(name)
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{name!r} has more than {MOST_BYTES} bytes; a session holds smaller tables.")
    return {"name": path.name, "content": base64.b64encode(path.read_bytes()).decode()}


def _received(desk: Desk, table: dict[str, Any]) -> str:
    """Return the name of a session's table in the folder, where its content is laid."""
    name, content = str(table["name"]), table["content"]
    if content is None:
        if name not in shipped_cards():
            raise FormatError(f"The session names the table {name!r} and does not hold it; {REMEDY}.")
        return name
    try:
        return desk.folder.receive(name, base64.b64decode(str(content), validate=True))
    except binascii.Error:
        raise FormatError(f"The session's table is garbled; {REMEDY}.") from None

"""A search that was killed goes on where it was, and ends with the answer of an unbroken one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from kansym.base.errors import FormatError, InputError
from kansym.cli import main
from kansym.data.dataset import from_table
from kansym.functions.parsing import parse_expression
from kansym.pipeline import flow
from kansym.pipeline.checkpoint import FILE, LOCK, ROWS, Checkpoint, Memory, options_of
from kansym.search.candidate import Candidate
from kansym.search.producer import Level, Producer
from kansym.search.schedule import Step

RNG = np.random.default_rng(0)


def table(rows=60):
    a, b = RNG.uniform(1, 2, (2, rows))
    kind = np.array(["one", "two"])[RNG.integers(0, 2, rows)]
    return pd.DataFrame({"a": a, "kind": kind, "b": b, "y": a * b**2 * np.where(kind == "one", 2.0, 3.0)})


def same(left, right):
    assert np.array_equal(left.X, right.X) and np.array_equal(left.y, right.y)
    for name in ("names", "target", "absolute", "units", "unit_texts", "columns", "made", "source", "notes"):
        assert getattr(left, name) == getattr(right, name), name
    assert dict(left.categories) == dict(right.categories)
    assert (left.weights is None) == (right.weights is None)
    assert (left.groups is None) == (right.groups is None)
    assert left.hash == right.hash


def test_rows_and_options_come_back_whole(tmp_path):
    frame = table().assign(s=0.1, g=list("abc") * 20)
    data = from_table(frame, target="y", sigma="s", group="g", units={"a": "m", "b": "s", "y": "m*s^2"})
    options = flow.Options(guesses=("a*b",), only=("sin",), time_limit=3.0, seed=5)
    kept = Checkpoint.start(tmp_path, data, options.to_dict(), report=True)
    kept.memory(0).record("a*b", "guess")
    kept.memory(0).finish("structure", 12.0)
    kept.write()
    back = Checkpoint.load(tmp_path)
    same(back.dataset, data)
    assert flow.Options(**options_of(back.options)) == options
    assert back.passes == [Memory([("a*b", "guess")], ["structure"], 12.0)] and back.extra == {"report": True}
    kept.remove()
    assert not list(tmp_path.iterdir())


def test_broken_files_are_told_in_one_line(tmp_path):
    with pytest.raises(InputError, match="has no checkpoint"):
        Checkpoint.load(tmp_path)
    data = from_table(table())
    Checkpoint.start(tmp_path, data, flow.Options().to_dict())
    good = json.loads((tmp_path / FILE).read_text())
    for wrong in ({**good, "format": 99}, {**good, "passes": 3}, {**good, "dataset": {}}, {"kind": "other"}):
        (tmp_path / FILE).write_text(json.dumps(wrong))
        with pytest.raises(FormatError) as caught:
            Checkpoint.load(tmp_path)
        assert "\n" not in str(caught.value)
    (tmp_path / FILE).write_text(json.dumps(good))
    (tmp_path / ROWS).write_bytes(b"PK\x03\x04")
    with pytest.raises(FormatError, match="cannot be read"):
        Checkpoint.load(tmp_path)


def test_two_runs_in_one_folder_are_refused(tmp_path):
    pytest.importorskip("fcntl")
    kept = Checkpoint.start(tmp_path, from_table(table()), {})
    with kept.kept(), pytest.raises(InputError, match="Another run writes into"), kept.kept():
        pass
    assert (tmp_path / LOCK).exists()


def test_a_full_disk_stops_no_search(tmp_path, monkeypatch):
    kept = Checkpoint.start(tmp_path, from_table(table()), {})
    with kept.kept():
        monkeypatch.setattr(
            Checkpoint, "write", lambda self: (_ for _ in ()).throw(OSError(28, "No space left"))
        )
    assert "No space left" in kept.trouble
    with pytest.raises(InputError, match="Cannot write into"):
        Checkpoint.start(tmp_path, kept.dataset, {})


class Enough(Exception):
    """End a search where a test wants it."""


OFFERED = (
    "a + 1.5*b",
    "exp(a*0.5)*b",
    "a*exp(-0.9*b)",
    "0.4*a/b",
    "sin(1.1*a)/b**1.2",
    "a*exp(-1.1*b) + 0.01",
)


def two_looks(rows, *_):
    """Return two looks that offer three formulas each, in the place of the long ones."""

    def look(texts):
        def propose(dataset, *, budget, library, seed):
            budget.spend(3.0)
            for text in texts:
                yield Candidate(0.5, "made up", parse_expression(text, dataset.names))

        return propose

    parts = OFFERED[:3], OFFERED[3:]
    return [
        Step(f"look {k}", Producer(f"look {k}", "", Level.QUICK, 9.0, lambda texts=texts: look(texts)), rows)
        for k, texts in enumerate(parts)
    ]


@pytest.mark.parametrize("judged", [1, 3, 4])
def test_a_broken_search_ends_as_an_unbroken_one(tmp_path, monkeypatch, judged):
    frame = table().drop(columns="kind")
    noisy = frame.assign(y=frame["a"] * np.exp(-frame["b"]) + 0.02 * RNG.normal(size=60))
    data, options = from_table(noisy), flow.Options()
    monkeypatch.setattr(flow, "steps_of", two_looks)
    whole = flow.discover(data, options=options)
    kept = Checkpoint.start(tmp_path, data, options.to_dict())
    asked = []

    def stop(self, text, source):
        asked.append(text)
        record(self, text, source)
        if len(asked) >= judged:
            kept.write()
            raise Enough

    record = Memory.record
    monkeypatch.setattr(Memory, "record", stop)
    with pytest.raises(Enough):
        flow.discover(data, options=options, checkpoint=kept)
    monkeypatch.setattr(Memory, "record", record)
    back = Checkpoint.load(tmp_path)
    assert len(back.passes[0].formulas) == judged, "nothing that was found is lost"
    assert back.passes[0].finished == ([] if judged == 1 else ["look 0"])
    again = flow.discover(back.dataset, options=options, checkpoint=back)
    assert [law.equation for law in again.front] == [law.equation for law in whole.front]
    assert again.best.equation == whole.best.equation and again.stop_reason == whole.stop_reason
    over = flow.discover(back.dataset, options=options, checkpoint=Checkpoint.load(tmp_path))
    assert over.best.equation == whole.best.equation, "one that was over says the same"


def program(*arguments, **more):
    code = "from kansym.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        **more,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_is_resumed(tmp_path, number):
    rng = np.random.default_rng(1)
    X = rng.uniform(1, 2, (80, 4))
    y = np.sin(X[:, 0] * X[:, 1]) / (X[:, 2] + X[:, 3] ** 2) + 0.05 * rng.normal(size=80)
    pd.DataFrame(X, columns=list("abcd")).assign(y=y).to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "out"
    run = program("discover", tmp_path / "t.csv", "--out", out, "--quiet")
    for _ in range(600):
        if (out / FILE).exists() and json.loads((out / FILE).read_text())["passes"]:
            break
        time.sleep(0.1)
    run.send_signal(number)
    stdout, stderr = run.communicate(timeout=120)
    assert run.returncode == (130 if number == signal.SIGTERM else -number), stderr
    assert ("interrupted" in stdout) == (number == signal.SIGTERM)
    result = CliRunner().invoke(main, ["resume", str(out), "--time", "2", "--quiet"])
    assert result.exit_code == 0 and ">>>>" in result.stdout, result.output
    assert (out / "result.json").exists()


def test_nothing_to_resume(tmp_path):
    result = CliRunner().invoke(main, ["resume", str(tmp_path)])
    assert result.exit_code == 2 and "has no checkpoint" in result.stderr

"""The paper's rows in their quick form, and the dispatcher's refusals."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "reproduce.py"
ROWS = sorted(p.stem.removeprefix("repro_") for p in SCRIPT.parent.glob("repro_*.py"))


@pytest.mark.filterwarnings("default")  # as in a process of its own
@pytest.mark.parametrize("row", ROWS)
def test_quick_row_holds_its_targets(row, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    status = importlib.import_module("reproduce").main([row, "--quick"])
    shown = capsys.readouterr()
    assert status == 0, shown.out[-3000:] + shown.err[-2000:]
    assert "targets held" in shown.out


def test_a_row_runs_as_a_program():
    done = subprocess.run([sys.executable, SCRIPT, "relations", "--quick"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "targets held" in done.stdout


@pytest.mark.parametrize("arguments", [["no_such_row"], [], ["relations", "--quick", "--full"]])
def test_bad_usage_is_refused(arguments):
    done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr

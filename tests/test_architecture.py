"""The layer list is the architecture document, and this is its test; start-up stays light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "numba", "matplotlib", "pandas", "sympy", "sklearn")


def test_imports_go_down_the_layers_only():
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as m; m()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    "entry", ["import kansym", "from kansym.cli import main; main(['--help'], standalone_mode=False)"]
)
def test_start_up_loads_nothing_heavy(entry):
    code = (
        f"import sys\ntry:\n    {entry}\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', [m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("LOADED []"), done.stdout[-500:] + done.stderr[-2000:]


def test_contributing_names_every_room_and_no_other():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = {m[1]: m[2] for m in re.finditer(r"^\| `(\w+)` \|(.*)\|.*\|$", text, re.MULTILINE)}
    doors = {p.stem: p for p in sorted((ROOT / "kansym").iterdir()) if (p / "__init__.py").exists()}
    assert list(rows) and set(rows) == set(doors)
    for door, folder in doors.items():
        rooms = {p.stem for p in folder.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
        named = set(re.findall(r"`(\w+)/?`", rows[door]))
        assert named == rooms - {"__init__"}, f"{door}: {named ^ (rooms - {'__init__'})}"


def test_contributing_names_every_file_of_the_search():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = {
        m[1]: set(re.findall(r"`(\w+)`", m[2]))
        for m in re.finditer(r"^\| `search/(\w+)` \|(.*)\|$", text, re.M)
    }
    folders = [p.parent for p in (ROOT / "kansym" / "search").glob("*/__init__.py")]
    assert rows == {f.name: {p.stem for p in f.glob("*.py")} - {"__init__"} for f in folders}

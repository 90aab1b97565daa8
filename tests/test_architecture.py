"""The layer list is the architecture document, and this is its test; start-up stays light."""

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

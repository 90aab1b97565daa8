"""The house rules that tools can check: ruff and mypy find nothing."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "tool", [("ruff", "check", "--no-cache", "."), ("mypy", "--no-error-summary")], ids=lambda t: t[0]
)
def test_tools_find_nothing(tool):
    if importlib.util.find_spec(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_a_worker_keeps_to_its_core():
    assert np.linalg.solve(np.eye(2), np.ones(2)).sum() == 2
    threads = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    asked = {os.environ[f"{library}_NUM_THREADS"] for library in ("OMP", "OPENBLAS", "MKL")}
    assert threads and {str(n) for n in threads} <= asked

"""Find pykan 0.2.8 for benchmarks that run it beside kansym, or install it in an environment of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

VERSION = "0.2.8"


def pykan(folder: str | Path, given: str = "") -> str | None:
    """Return a Python that can import pykan: the one `given`, this one, or one in a fresh environment.

    The environment goes into `folder` and borrows this one's packages. None where nothing can be installed.
    """
    if given:
        return given
    if importlib.util.find_spec("kan") is not None:
        return sys.executable
    home = Path(folder) / "pykan"
    python = home / "bin" / "python"
    try:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True)
        site = next(home.glob("lib/python*/site-packages"))
        (site / "ours.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
        for extra in (["--no-deps", f"pykan=={VERSION}"], ["tqdm", "pyyaml"]):
            subprocess.run(
                [str(python), "-m", "pip", "install", "-q", *extra], check=True, capture_output=True
            )
    except (OSError, subprocess.CalledProcessError):
        return None
    return str(python)

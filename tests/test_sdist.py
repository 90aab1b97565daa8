"""The source archive carries what a wheel, the tests and the site are made from."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CARRIED = (
    *("README.md", "LICENSE", "CITATION.cff", "constraints.txt", "mkdocs.yml", "docs/index.md"),
    *("library/elementary.toml", "datasets/planets.csv", "tests/conftest.py", "scripts/gallery.toml"),
)


def built(kind: str, root: Path, folder: Path) -> Path:
    """Build an archive of a folder and return it."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(build, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return found


def test_a_wheel_from_the_source_archive_is_the_same(tmp_path):
    pytest.importorskip("hatchling")
    with tarfile.open(built("sdist", ROOT, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert [name for name in CARRIED if not (source / name).is_file()] == []
    names = []
    for kind, root in (("direct", ROOT), ("again", source)):
        with zipfile.ZipFile(built("wheel", root, tmp_path / kind)) as wheel:
            names.append(sorted(wheel.namelist()))
    assert names[0] == names[1]
    assert any(name.endswith("_data/library/families.toml") for name in names[0])

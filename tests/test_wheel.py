"""The wheel works without the checkout: functions, tables, templates and the command line."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """Build the wheel and unpack it into an empty folder, as an installer would."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    place = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return place


def run(place, tmp_path, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(place)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
    )


def test_the_package_is_the_unpacked_one_and_finds_its_data(unpacked, tmp_path):
    code = (
        "import kansym; from kansym.base import resources; from kansym.functions.library import Library; "
        "print(kansym.__file__); print(resources.folder('datasets')); print(len(Library.load('all')) > 50)"
    )
    done = run(unpacked, tmp_path, "-c", code)
    package, data, enough = done.stdout.split()
    assert package.startswith(str(unpacked)) and data.startswith(str(unpacked)), done.stdout + done.stderr
    assert enough == "True"


def test_discover_runs_from_another_folder(unpacked, tmp_path):
    done = run(
        unpacked, tmp_path, "-c", "from kansym.cli import main; main()", "discover", "planets", "--quiet"
    )
    assert done.returncode == 0, done.stderr
    assert "period = semi_major_axis**(3/2)" in done.stdout
    assert list(tmp_path.iterdir()) == []

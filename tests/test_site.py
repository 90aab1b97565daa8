"""The site builds from the documentation: links lead somewhere, public names are explained."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kansym

ROOT = Path(__file__).parents[1]


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment)


def test_the_site_builds_strictly(tmp_path):
    site = tmp_path / "site"
    done = build(ROOT, site)
    assert done.returncode == 0, done.stdout + done.stderr
    first = (site / "index.html").read_text(encoding="utf-8")
    assert "velocity = 423.937*distance" in first and "pictures/law.png" in first
    reference = "".join(p.read_text(encoding="utf-8") for p in (site / "reference").rglob("*.html"))
    lacking = [n for n in kansym.__all__ if not n.startswith("__") and not re.search(rf"\b{n}\b", reference)]
    assert lacking == []
    assert ":class:" not in reference


def test_a_broken_link_is_an_error(tmp_path):
    for part in ("docs", "mkdocs.yml"):
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / part)
    for part in ("kansym", "scripts"):
        (tmp_path / part).symlink_to(ROOT / part)
    page = tmp_path / "docs" / "pade.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[lost](nowhere.md) [lost](units.md#nowhere)\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr and "#nowhere" in done.stderr


def test_the_gallery_has_what_a_reader_needs():
    page = (ROOT / "docs" / "gallery" / "index.md").read_text(encoding="utf-8")
    cases = page.split("\n## ")[1:]
    assert len(cases) >= 15
    for case in cases:
        title = case.splitlines()[0]
        assert "$ kansym " in case and "**What it means.**" in case and "**What to distrust.**" in case, title
        (picture,) = re.findall(r"!\[[^]]*\]\(([^)]+)\)", case)
        assert (ROOT / "docs" / "gallery" / picture).stat().st_size > 1000
    assert len({re.search(r"<small>\((.*)\)</small>", c)[1] for c in cases}) >= 12

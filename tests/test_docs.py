"""The how-to pages are true: their commands and their Python run here, and print what the pages show.

In a ```console block, lines after "$ " are commands and the rest is their stdout; "..." stands for any text.
A ```python block runs in one namespace per page. Other blocks are for reading.
"""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kansym.cli import main

DOCS = Path(__file__).parents[1] / "docs"
FIGURES = DOCS / "benchmarks.md"
PAGES = [
    DOCS.parent / "README.md",
    *sorted({*DOCS.glob("*.md")} - {FIGURES}),
    DOCS / "paper" / "anderson-walk.md",
]
BLOCK = re.compile(r"^```(console|python|toml|csv)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(block):
    """Yield (command, expected stdout) pairs of a console block."""
    command, expected = None, []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield command, expected
            command, expected = line[2:], []
        else:
            expected.append(line)
    if command is not None:
        yield command, expected


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {"__name__": "page"}
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert any(kind in ("console", "python") for kind, _, _ in blocks), "a page shows something that runs"
    checker = doctest.OutputChecker()
    for kind, name, body in blocks:
        if kind in ("toml", "csv"):
            if name:
                (tmp_path / name).write_text(body, encoding="utf-8")
        elif kind == "python":
            exec(compile(body, f"{page.name}", "exec"), space)
        else:
            for command, expected in commands(body):
                words = shlex.split(command)
                assert words[0] == "kansym", command
                result = CliRunner().invoke(main, words[1:])
                wanted = "\n".join(expected).strip("\n")
                got = result.stdout if result.exit_code == 0 else result.stderr
                assert result.exit_code in (0, 2), f"$ {command}\n{result.output}"
                if not wanted:
                    assert result.exit_code == 0, f"$ {command}\n{result.output}"
                    continue
                flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                assert checker.check_output(wanted, got, flags), f"$ {command}\n{got}\ninstead of\n{wanted}"


def test_links_between_pages_lead_somewhere():
    for page in [*PAGES, FIGURES]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


def _resolves(name: str) -> bool:
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(parts[:k]))
        except ImportError:
            continue
        return all((thing := getattr(thing, part, None)) is not None for part in parts[k:])
    return False


def test_dotted_names_in_docs_and_code_exist() -> None:
    files = [DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    files += (DOCS.parent / "kansym").rglob("*.py")
    dotted = re.compile(r"(?<!\.)kansym(?:\.[A-Za-z_]\w*)+")  # after a dot it is a file's name
    said = {m for f in files for m in dotted.findall(f.read_text(encoding="utf-8"))}
    assert len(said) > 50
    assert sorted(name for name in said if not _resolves(name)) == []

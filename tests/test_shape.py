"""The shape of the code: files to be read in one go, functions that fit a screen, words for the public."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "kansym").rglob("*.py"))
MOST_LINES = 450
MOST_OF_A_FUNCTION = 60


def functions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield every function with its dotted name, methods and inner functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield inside + node.name, node
        name = f"{inside}{node.name}." if isinstance(node, ast.FunctionDef | ast.ClassDef) else inside
        yield from functions(node, name)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT / "kansym")))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES, "part it by idea"
    long = {
        name: node.end_lineno - node.lineno + 1
        for name, node in functions(ast.parse(text))
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > MOST_OF_A_FUNCTION
    }
    assert not long, "part them by idea"

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


def public(nodes: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Yield the functions and classes among these statements that have no underscore."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def classes() -> dict[str, ast.ClassDef]:
    """Return every class of the package by its name."""
    trees = [ast.parse(p.read_text(encoding="utf-8")) for p in FILES]
    return {n.name: n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}


CLASSES = classes()


def explained(method: str, owner: ast.ClassDef) -> bool:
    """Tell whether the method has a docstring here or, where it is written anew, in a base."""
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and node.name == method and ast.get_docstring(node):
            return True
    bases = [b.value if isinstance(b, ast.Subscript) else b for b in owner.bases]
    names = [b.id if isinstance(b, ast.Name) else getattr(b, "attr", "") for b in bases]
    return any(n in CLASSES and explained(method, CLASSES[n]) for n in names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT / "kansym")))
def test_what_is_public_is_explained(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module says what is in it and what is not"
    bare = [node.name for node in public(tree.body) if not ast.get_docstring(node)]
    for owner in (n for n in public(tree.body) if isinstance(n, ast.ClassDef)):
        methods = (m for m in public(owner.body) if isinstance(m, ast.FunctionDef))
        bare += [f"{owner.name}.{m.name}" for m in methods if not explained(m.name, owner)]
    assert not bare, "write what they return, in one imperative sentence"

"""Formulas in other languages: one function per target, each over a SymPy expression and column names.

Whatever a column is called becomes a legal name there; a function that a target lacks is refused by name.
Constants are written with every bit unless `digits` says otherwise. Nothing here fits or decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sympy

from kansym.base.errors import InputError, UnknownNameError
from kansym.functions.latex import Latex
from kansym.report.export.facts import Facts
from kansym.report.export.names import known
from kansym.report.export.printed import LANGUAGES, to_sympy, write
from kansym.report.export.sources import (
    jax_code,
    to_c,
    to_excel,
    to_mathematica,
    to_numpy,
    to_python,
    to_text,
    torch_code,
)

if TYPE_CHECKING:
    from kansym.pipeline.run import Run

__all__ = [
    "TARGETS",
    "Facts",
    "export",
    "jax_code",
    "to_c",
    "to_excel",
    "to_jax",
    "to_json",
    "to_latex",
    "to_mathematica",
    "to_numpy",
    "to_onnx",
    "to_python",
    "to_sympy",
    "to_text",
    "to_torch",
    "torch_code",
    "write_onnx",
]  # fmt: skip


def to_latex(
    expression: sympy.Expr, names: Sequence[str], facts: Facts | None = None, *, digits: int | None = None
) -> str:
    """Return the formula in LaTeX mathematics.

    >>> to_latex(2.25 * sympy.Symbol("x 1"), ["x 1"])
    '2.25 \\\\mathrm{x\\\\ 1}'
    """
    known(expression, names)
    return str(Latex(digits).doprint(expression))


def to_json(
    expression: sympy.Expr, names: Sequence[str], facts: Facts | None = None, *, digits: int | None = None
) -> str:
    """Return the formula and its facts as a JSON object.

    "expression" is kansym's text, "mathjson" the same as nested lists in MathJSON (which also has
    what the text lacks, a Piecewise for instance); "expression" is null then.
    """
    from kansym.report.export.mathjson import to_mathjson

    facts = facts or Facts()
    text: str | None
    try:
        text = to_text(expression, names, digits=digits)
    except InputError:
        text = None
    data = {
        "format": "kansym law",
        "version": 1,
        "target": facts.target,
        "columns": list(names),
        "expression": text,
        "mathjson": to_mathjson(expression, names, digits),
        "units": dict(facts.units),
        "ranges": {n: list(r) for n, r in facts.ranges.items()},
        "rows": facts.rows,
        "rms": facts.rms,
        "constants": [
            {"value": v, "stderr": s if s == s and abs(s) != float("inf") else None}
            for v, s in facts.constants
        ],
        "note": facts.note,
    }
    return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def to_torch(expression: sympy.Expr, names: Sequence[str]) -> Any:
    """Return a torch Module over X (..., columns) in float64, whose constants are trainable."""
    from kansym.report.export.tensors import Formula

    return Formula(expression, names)


def to_jax(expression: sympy.Expr, names: Sequence[str]) -> dict[str, Any]:
    """Return {"callable": f(X, parameters), "parameters": array}, as PySR does.

    Raises InputError where JAX is not installed. In float32 (JAX's default) results carry 7 digits.
    """
    try:
        import jax.numpy as jnp
    except ImportError:
        raise InputError(
            "JAX is not installed; run 'pip install jax', or export to numpy or torch."
        ) from None
    space: dict[str, Any] = {}
    # our own writing: identifiers and numbers only, no text of the caller's outside a docstring
    exec(compile(jax_code(expression, names), "<kansym law>", "exec"), space)
    return {"callable": space["law"], "parameters": jnp.asarray(space["PARAMETERS"], float)}


def to_onnx(expression: sympy.Expr, names: Sequence[str], facts: Facts | None = None) -> Any:
    """Return an ONNX model (input X (n, columns), output y (n,), float64); raises InputError without onnx."""
    from kansym.report.export.onnx_graph import to_model

    return to_model(expression, names, facts or Facts())


TARGETS: dict[str, Callable[..., str]] = {
    "latex": to_latex,
    "python": to_python,
    "numpy": to_numpy,
    "torch": torch_code,
    "jax": jax_code,
    "c": to_c,
    "excel": to_excel,
    "sympy": to_sympy,
    "mathematica": to_mathematica,
    "text": to_text,
    "json": to_json,
    **{language: partial(write, language) for language in LANGUAGES},
}
"""Targets that are text."""


def export(run: Run, target: str, index: int | None = None, **options: Any) -> str:
    """Return one law of a run (the chosen one by default) as text of a target language.

    Raises UnknownNameError for another target, InputError for a law that is no formula or that the
    target cannot say. For an ONNX model's bytes see :func:`to_onnx`.
    """
    if target not in TARGETS:
        raise UnknownNameError("export target", target, [*TARGETS, "onnx"])
    law = run.best if index is None else run.front[index]
    if law.expression is None:
        raise InputError("This law is not symbolic (it holds spline curves), so it has no formula to export.")
    return TARGETS[target](law.expression, run.names, Facts.of(run, index), **options)


def write_onnx(run: Run, path: str | Path | None, index: int | None = None) -> Path:
    """Write one law of a run (the chosen one by default) as an ONNX model; raises InputError without onnx."""
    law = run.best if index is None else run.front[index]
    if path is None:
        raise InputError("An ONNX model is no text; say where it goes, --out law.onnx for instance.")
    if law.expression is None:
        raise InputError("This law is not symbolic (it holds spline curves), so it has no formula to export.")
    model = to_onnx(law.expression, run.names, Facts.of(run, index))
    try:
        Path(path).write_bytes(model.SerializeToString())
    except OSError as problem:
        raise InputError(f"Cannot write {path}: {problem.strerror}; choose another place.") from None
    return Path(path)

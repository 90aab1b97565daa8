"""The table of operations as callables: numpy's here, others by a namespace, and source for compiled loops.

A namespace says what exp, sin, where, ... mean for one kind of array; `bind` reads every row of the table in
it. numpy's table is `NUMPY`; torch's is bound where torch may be loaded (`network`). The texts are our own:
no text from outside is ever compiled here.
"""

from __future__ import annotations

import ast
import copy
import itertools
import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from kansym.functions.operations import TABLE, Op, Operation

CONSTANTS: dict[str, float] = {
    "nan": math.nan,
    "half_pi": math.pi / 2,
    "two_over_root_pi": 2 / math.sqrt(math.pi),
    "minus_one_over_e": float(-np.exp(-1.0)),
}
"""Numbers that the table calls by name."""

ARGUMENTS = "u, v, n"


@dataclass(frozen=True)
class Form:
    """Hold one operation as callables: value(u, v, n), and each slope(u, v, n, f) for the value f."""

    value: Callable[..., Any]
    slopes: tuple[Callable[..., Any], ...]
    domain: Callable[..., Any]


def bind(
    namespace: Mapping[str, Any], operations: Iterable[Operation] = tuple(TABLE.values())
) -> dict[Op, Form]:
    """Return every operation as callables on the arrays that `namespace` is for.

    The namespace has the elementary functions by Python's names, where, maximum, minimum, floor, power and
    integer_power (of u and n).

    >>> form = bind(NUMPY_NAMES)[Op.TANH]
    >>> f = form.value(np.array([20.0]), None, 0.0)
    >>> float(f[0]), f"{form.slopes[0](np.array([20.0]), None, 0.0, f)[0]:.3g}"
    (1.0, '1.7e-17')
    """
    where = namespace["where"]
    names: dict[str, Any] = {
        **CONSTANTS,
        "nonzero": lambda u: where(u == 0, 1.0, u),
        **namespace,
    }
    forms = {}
    for row in operations:
        value = _read(row.value, ARGUMENTS, names)
        # a row that no namespace has by name is what other rows mean by it
        names.setdefault(row.name, lambda u, value=value: value(u, None, 0.0))
        slopes = tuple(_read(text, f"{ARGUMENTS}, f", names) for text in row.slopes)
        forms[row.op] = Form(value, slopes, _read(row.domain or "u == u", ARGUMENTS, names))
    return forms


def _read(text: str, arguments: str, names: dict[str, Any]) -> Callable[..., Any]:
    return eval(f"lambda {arguments}: {text}", names)


def integer_power(u: Any, n: float) -> Any:
    """Return u^n for a whole number n, by products where these are exact."""
    if n < 0:
        return 1 / integer_power(u, -n)
    return u * u if n == 2 else (u * u * u if n == 3 else np.power(u, float(n)))


NUMPY_NAMES: dict[str, Any] = {
    **{
        name: getattr(np, name)
        for name in (
            "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt", "abs", "sign", "expm1",
            "log1p", "floor", "where", "maximum", "minimum", "power",
        )
    },
    **{
        f"a{name}": getattr(np, f"arc{name}")
        for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2")
    },
    "integer_power": integer_power,
    **{
        name: getattr(special, name)
        for name in (
            "erf", "erfc", "gamma", "gammaln", "digamma", "polygamma", "jv", "jvp", "yv", "yvp", "iv", "ivp",
            "kv", "kvp", "airy", "ellipk", "ellipe", "lambertw", "sici", "spence",
        )
    },
}  # fmt: skip
"""What the table's functions mean for numpy arrays; special functions are SciPy's."""

NUMPY: dict[Op, Form] = bind(NUMPY_NAMES)
"""Every operation on numpy arrays; wrap calls in np.errstate: the table relies on inf and NaN."""


class _Scalar(ast.NodeTransformer):
    """Turn where(condition, a, b) into (a if condition else b), so that only one side is worked out.

    Names given by := are written out again: numba does not know them, and its optimiser finds them by itself.
    """

    def __init__(self) -> None:
        self.named: dict[str, ast.expr] = {}

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        """Keep what a name in an expression stands for."""
        self.generic_visit(node)
        self.named[node.target.id] = node.value
        return node.value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return copy.deepcopy(self.named.get(node.id, node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Write `where` as a branch, as compiled code takes it."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "where":
            test, yes, no = node.args
            return ast.copy_location(ast.IfExp(test, yes, no), node)
        return node


def scalar(text: str, **renamed: str) -> str:
    """Return a row's text for one number at a time, with arguments renamed.

    >>> scalar("where(u > 0, log(u), nan)", u="a")
    'log(a) if a > 0 else nan'
    """
    tree = _Scalar().visit(ast.parse(text, mode="eval"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = renamed.get(node.id, node.id)
    return ast.unparse(ast.fix_missing_locations(tree))


def loop_source(name: str, arity: int) -> str:
    """Return the source of one compiled loop for each operation of so many arguments, chosen by its number.

    The function takes (op, n, u, values, slopes, want), or with two arguments (op, n, u, v, values, slopes,
    others, want); it fills values and, where want >= 1, the slopes by u and by v.
    """
    takes = "u, values, slopes" if arity == 1 else "u, v, values, slopes, others"
    lines = [f"def {name}(op, n, {takes}, want):", "    size = u.shape[0]"]
    arguments = {"u": "a", "v": "b"} if arity == 2 else {"u": "a"}
    rows = [row for row in TABLE.values() if row.is_compiled and row.arity == arity]
    for row, word in zip(rows, itertools.chain(["if"], itertools.repeat("elif")), strict=False):
        lines += [
            f"    {word} op == {int(row.op)}:  # {row.name}",
            "        for m in range(size):",
            *(f"            {short} = {long}[m]" for long, short in arguments.items()),
            f"            f = {scalar(row.value, **arguments)}",
            "            values[m] = f",
            "            if want >= 1:",
        ]
        for out, text in zip(("slopes", "others"), row.slopes, strict=False):
            lines.append(f"                {out}[m] = {scalar(text, **arguments)}")
    return "\n".join([*lines, ""])


def helper_sources() -> dict[str, str]:
    """Return the source of each row that others may call as a function of one number, by name.

    Rows that every namespace has by name are left out.
    """
    return {
        row.name: f"def {row.name}(u):\n    return {scalar(row.value)}\n"
        for row in TABLE.values()
        if row.is_compiled and row.arity == 1 and not {"n", row.name} & _names(row.value)
    }


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}


SOURCES = {**helper_sources(), "unary": loop_source("unary", 1), "binary": loop_source("binary", 2)}
"""Python source for compilation, by the function's name; helpers come first."""

FINGERPRINT = f"{zlib.crc32(str(SOURCES).encode()):08x}"
"""Tells one table from another, so that code compiled from an older one is not found in a cache."""

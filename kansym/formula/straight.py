"""A program's values and derivatives as straight-line Python: for many calls on few rows.

:class:`kansym.formula.program.Program` walks its list of operations with each call, which costs ten times as
much as the arithmetic where there are forty rows. Here the walk is written down once, forward and backward
(source transformation; Griewank and Walther, Evaluating Derivatives, 2008), with the same arithmetic in the
same order. The text that is compiled holds nothing but numbered names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kansym.formula.program import Program
from kansym.functions.forms import NUMPY, integer_power
from kansym.functions.operations import Op

Array = Any

_POWER, _ROOT = NUMPY[Op.POW], NUMPY[Op.SQRT]

WRITTEN_AFTER = 7
"""Calls from which a program is worth writing down: that takes 0.3 to 0.6 ms, and spares 0.05 ms of each
call and more. A fit makes some fourteen."""

_SPACE: dict[str, Any] = {
    "power": integer_power,
    "root": _ROOT.value,
    "root_slope": _ROOT.slopes[0],
    "general": _POWER.value,
    "general_slope_0": _POWER.slopes[0],
    "general_slope_1": _POWER.slopes[1],
}


@dataclass(frozen=True, eq=False)
class Straight:
    """Hold a compiled program: `evaluate(columns, theta)` returns the value and its derivatives.

    `columns` are arrays (n,), one for each of the program's, `theta` its parameters. The derivatives come for
    the columns and parameters that the program uses, as `by_column` and `by_parameter` list them; what is the
    same on every row is a number. Runs under numpy's error state of the caller.
    """

    evaluate: Callable[[Sequence[Array], Array], tuple[Array, tuple[Array, ...], tuple[Array, ...]]]
    by_column: tuple[int, ...]
    by_parameter: tuple[int, ...]

    def jacobian(self, columns: Array, theta: Array) -> tuple[Array, Array]:
        """Return values (n,) on columns (d, n) and their derivatives (n, parameters), as the program does."""
        value, _, slopes = self.evaluate(columns, theta)
        found = np.zeros((columns.shape[1], len(theta)))
        for k, slope in zip(self.by_parameter, slopes, strict=True):
            found[:, k] = slope
        return value if np.ndim(value) else np.broadcast_to(value, columns.shape[1:]), found


def straight(program: Program) -> Straight:
    """Return a program with its derivatives as one function."""
    writer = _Writer(program)
    columns, parameters = writer.backward()
    space = dict(writer.space)
    lines = ["def evaluate(c, t):", *(f"    {line}" for line in writer.lines)]
    ends = [f"({''.join(f'{name}, ' for _, name in found)})" for found in (columns, parameters)]
    lines.append(f"    return v{len(program.ops) - 1}, {', '.join(ends)}")
    exec(compile("\n".join(lines), "<straight-line program>", "exec"), space)
    return Straight(space["evaluate"], tuple(k for k, _ in columns), tuple(k for k, _ in parameters))


def often(program: Program, X: Array) -> Callable[[Array], tuple[Array, Array]]:
    """Return `program.jacobian` on rows X (n, columns), as straight-line code from call WRITTEN_AFTER on."""
    calls, code = 0, None

    def jacobian(theta: Array) -> tuple[Array, Array]:
        """Return values (n,) and their derivatives (n, parameters)."""
        nonlocal calls, code
        calls += 1
        if calls == WRITTEN_AFTER:
            code = straight(program)
        return program.jacobian(X, theta) if code is None else code.jacobian(X.T, theta)

    return jacobian


class _Writer:
    """Write a program's lines: `v3` is what its step 3 is worth, `b3` the last step's derivative by it."""

    def __init__(self, program: Program) -> None:
        self.ops = program.ops
        self.lines: list[str] = []
        self.space = dict(_SPACE)
        self.varies: list[bool] = []
        for i, op in enumerate(self.ops):
            self.varies.append(op.kind in ("input", "parameter") or any(self.varies[j] for j in op.args))
            self.lines.append(f"v{i} = {self.value(i)}")

    def value(self, i: int) -> str:
        """Return what step i computes, as text."""
        op = self.ops[i]
        a = [f"v{j}" for j in op.args]
        match op.kind:
            case "input":
                return f"c[{op.index}]"
            case "parameter":
                return f"t[{op.index}]"
            case "number":
                self.space[f"k{i}"] = np.float64(op.number)
                return f"k{i}"
            case "sum":
                return " + ".join(a)
            case "product":
                return " * ".join(a)
            case "quotient":
                return f"{a[0]} / {a[1]}"
            case "integer power":
                return f"power({a[0]}, {op.index})"
            case "root":
                return f"root({a[0]}, None, 0.0)"
            case "power":
                return f"general({a[0]}, {a[1]}, 0.0)"
            case _:
                assert op.functions is not None
                self.space[f"f{i}"], self.space[f"g{i}"] = op.functions
                return f"f{i}({a[0]})"

    def backward(self) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
        """Write the backward sweep; return which columns and parameters have a derivative, and its name."""
        parts: dict[int, list[str]] = {len(self.ops) - 1: ["1.0"]}
        found: dict[str, list[tuple[int, str]]] = {"input": [], "parameter": []}
        for i in range(len(self.ops) - 1, -1, -1):
            if i not in parts or not self.varies[i]:
                continue
            op, own = self.ops[i], parts[i]
            self.lines.append(f"b{i} = {' + '.join(own)}")
            if op.kind in found:
                found[op.kind].append((op.index, f"b{i}"))
            bar = "" if own == ["1.0"] else f"b{i}"
            for j, slope in zip(op.args, self.slopes(i), strict=False):
                if self.varies[j]:
                    parts.setdefault(j, []).append(" * ".join(p for p in (bar, slope) if p) or "1.0")
        return found["input"], found["parameter"]

    def slopes(self, i: int) -> list[str]:
        """Return the derivatives of step i by its arguments as text, empty for one."""
        op = self.ops[i]
        a = [f"v{j}" for j in op.args]
        match op.kind:
            case "sum":
                return [""] * len(a)
            case "product":
                return self.others(i, a)
            case "quotient":
                return [f"(1 / {a[1]})", f"(-v{i} / {a[1]})"]
            case "integer power":
                return [f"({op.index} * power({a[0]}, {op.index - 1}))"]
            case "root":
                return [f"root_slope({a[0]}, None, 0.0, v{i})"]
            case "power":
                return [f"general_slope_{k}({a[0]}, {a[1]}, 0.0, v{i})" for k in (0, 1)]
            case "unary":
                return [f"g{i}({a[0]}, v{i})"]
            case _:
                return []

    def others(self, i: int, a: Sequence[str]) -> list[str]:
        """Return for each factor the product of the others, from those before it and those after it."""
        before, after = [""], [""]
        for number, name in enumerate(a[:-1]):
            before.append(f"{before[-1]} * {name}" if before[-1] else name)
            if number:
                self.lines.append(f"p{i}_{number} = {before[-1]}")
                before[-1] = f"p{i}_{number}"
        for number, name in enumerate(a[:0:-1]):
            after.append(f"{after[-1]} * {name}" if after[-1] else name)
            if number:
                self.lines.append(f"s{i}_{number} = {after[-1]}")
                after[-1] = f"s{i}_{number}"
        pairs = zip(before, after[::-1], strict=True)
        return [f"({' * '.join(p for p in pair if p)})" if any(pair) else "" for pair in pairs]

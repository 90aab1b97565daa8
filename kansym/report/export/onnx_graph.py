"""The formula as an ONNX model: X (n, columns) in, y (n,) out, in float64."""

# ruff: noqa: SIM905 (tables of words read better as text)

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from kansym.base.errors import InputError
from kansym.functions.parsing import symbols
from kansym.report.export.facts import Facts
from kansym.report.export.walker import Algebra, walk

OPSET, IR_VERSION = 17, 8
"""Versions of ONNX's operators and of its file, those of its release 1.12: older runtimes read them, too."""

_OPS: Mapping[str, str] = {
    **{
        k: k.capitalize()
        for k in ("exp log sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh").split()
    },
    **{k: k.capitalize() for k in ["erf", "sign", "abs", "floor"]},
    "Abs": "Abs",
    "ceiling": "Ceil",
    "Max": "Max",
    "Min": "Min",
    "nan": "nan",
}
_COMPARE = {"<": "Less", "<=": "LessOrEqual", ">": "Greater", ">=": "GreaterOrEqual", "==": "Equal"}


class _Nodes(Algebra[str]):
    """Collect nodes; a value is the name of a node's output."""

    target = "onnx"

    def __init__(self, helper: Any) -> None:
        self.helper = helper
        self.nodes: list[Any] = []
        self.initial: list[Any] = []
        self.made: dict[tuple[str, ...], str] = {}

    def node(self, op: str, *inputs: str) -> str:
        """Return the name of what an operation makes of named inputs, the same for the same ones."""
        key: tuple[str, ...] = (op, *inputs)
        if key not in self.made:  # a piece that occurs twice is computed once
            name = f"v{len(self.made)}"
            self.nodes.append(self.helper.make_node(op, list(inputs), [name]))
            self.made[key] = name
        return self.made[key]

    def real(self, value: float) -> str:
        """Return the name of a constant, made once."""
        key = ("constant", repr(value))
        if key not in self.made:
            name = f"c{len(self.made)}"
            self.initial.append(self.helper.make_tensor(name, 11, [], [value]))  # 11: DOUBLE
            self.made[key] = name
        return self.made[key]

    def number(self, expression: sympy.Expr) -> str:
        return self.real(float(expression))

    def integer(self, value: int) -> str:
        return self.real(float(value))

    def rational(self, numerator: int, denominator: int) -> str:
        return self.real(numerator / denominator)

    def constant(self, name: str) -> str:
        return self.real(math.pi if name == "pi" else math.e)

    def column(self, index: int) -> str:
        """Return the name of an input column, taken out of X once."""
        key = ("column", str(index))
        if key not in self.made:
            at, name = f"i{index}", f"x{index}"
            self.initial.append(self.helper.make_tensor(at, 7, [], [index]))  # 7: INT64
            self.nodes.append(self.helper.make_node("Gather", ["X", at], [name], axis=1))
            self.made[key] = name
        return self.made[key]

    def add(self, terms: Sequence[tuple[bool, str]]) -> str:
        ordered = sorted(terms, key=lambda t: t[0])
        total = self.node("Neg", ordered[0][1]) if ordered[0][0] else ordered[0][1]
        for negative, term in ordered[1:]:
            total = self.node("Sub" if negative else "Add", total, term)
        return total

    def multiply(self, factors: Sequence[str]) -> str:
        total = factors[0]
        for factor in factors[1:]:
            total = self.node("Mul", total, factor)
        return total

    def divide(self, over: str, under: str) -> str:
        return self.node("Div", over, under)

    def negate(self, value: str) -> str:
        return self.node("Neg", value)

    def power(self, base: str, exponent: str, integer: bool) -> str:
        return self.node("Pow", base, exponent)

    def has(self, key: str) -> bool:
        return key in _OPS

    def call(self, key: str, args: Sequence[str]) -> str:
        if key == "nan":
            return self.real(math.nan)
        if key == "tan":  # onnxruntime has no Tan in double precision
            return self.node("Div", self.node("Sin", *args), self.node("Cos", *args))
        return self.node(_OPS[key], *args)

    def compare(self, operator: str, left: str, right: str) -> str:
        if operator == "!=":
            return self.node("Not", self.node("Equal", left, right))
        return self.node(_COMPARE[operator], left, right)

    def logic(self, operator: str, args: Sequence[str]) -> str:
        total = self.node("Not", args[0]) if operator == "not" else args[0]
        for a in args[1:]:
            total = self.node(operator.capitalize(), total, a)
        return total

    def choose(self, condition: str, yes: str, no: str) -> str:
        return self.node("Where", condition, yes, no)


def to_model(expression: sympy.Expr, names: Sequence[str], facts: Facts) -> Any:
    """Return an onnx ModelProto; raises InputError where the onnx package is missing.

    The model is standard ONNX in float64, which onnx's reference evaluator runs; onnxruntime lacks some
    functions in double precision (hyperbolic and inverse ones, erf) and says so when it loads the model.
    """
    try:
        import onnx
        from onnx import helper
    except ImportError:
        raise InputError(
            "The onnx package is not installed; run 'pip install onnx', or export to torch."
        ) from None
    algebra = _Nodes(helper)
    value = walk(expression, symbols(names), algebra)
    # a constant law, too, has one value per row
    value = algebra.node("Add", value, algebra.node("Mul", algebra.column(0), algebra.real(0.0)))
    graph = helper.make_graph(
        [*algebra.nodes, helper.make_node("Identity", [value], ["y"])],
        "law",
        [helper.make_tensor_value_info("X", 11, ["rows", len(names)])],
        [helper.make_tensor_value_info("y", 11, ["rows"])],
        algebra.initial,
        doc_string="\n".join(facts.lines(str(expression), names, names)),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, {"columns": "\n".join(names), "target": facts.target})
    onnx.checker.check_model(model)
    return model

"""SymPy's tree to byte code, with rules that keep digits.

exp(x) - 1, log(1 + x), log(1 + exp(x)), 1/(1 + exp(x)), x/(exp(x) - 1), coth(x) - 1/x and sin(x)/x each
become one operation of the table (`operations`) instead of a difference of nearly equal numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy

from kansym.base.errors import InputError
from kansym.functions.bytecode import Bytecode
from kansym.functions.operations import BY_SYMPY, ORDERED, Op

_RECIPROCAL: dict[Any, Any] = {
    sympy.cot: sympy.tan, sympy.sec: sympy.cos, sympy.csc: sympy.sin, sympy.csch: sympy.sinh,
}  # fmt: skip


def compile_expression(expression: sympy.Expr, x: sympy.Symbol, p: sympy.Symbol) -> Bytecode:
    """Compile an expression of x (and p); raises InputError for a function that has no numeric form."""
    compiler = _Compiler(x, p)
    compiler.add(expression)
    op, left, right, numbers = zip(*compiler.lines, strict=True)
    return Bytecode(
        np.array(op, np.int32), np.array(left, np.int32), np.array(right, np.int32), np.array(numbers, float)
    )


class _Compiler:
    """Compile one expression into lines of operations, equal parts once."""

    def __init__(self, x: sympy.Symbol, p: sympy.Symbol) -> None:
        self.x, self.p = x, p
        self.lines: list[tuple[int, int, int, float]] = []
        self.seen: dict[Any, int] = {}

    def line(self, op: Op, left: int = -1, right: int = -1, number: float = 0.0) -> int:
        """Return the place of a line, added where it is new."""
        key = (op, left, right, number)
        if key not in self.seen:
            self.lines.append((int(op), left, right, number))
            self.seen[key] = len(self.lines) - 1
        return self.seen[key]

    def add(self, expression: sympy.Expr) -> int:
        """Return the place of an expression's last line."""
        if expression == self.x:
            return self.line(Op.X)
        if expression == self.p:
            return self.line(Op.P)
        if expression.is_number:
            return self.line(Op.NUMBER, number=float(expression))
        if isinstance(expression, sympy.Add):
            return self.sum(expression)
        if isinstance(expression, sympy.Mul):
            return self.product(expression)
        if isinstance(expression, sympy.Pow):
            return self.power(expression)
        if isinstance(expression, sympy.log) and isinstance(expression.args[0], sympy.Add):
            rest = expression.args[0] - 1
            if isinstance(rest, sympy.exp):
                return self.line(Op.SOFTPLUS, self.add(rest.args[0]))
            if 1 in expression.args[0].args:
                return self.line(Op.LOG1P, self.add(rest))
        if isinstance(expression, sympy.Max | sympy.Min):
            op = Op.MAX if isinstance(expression, sympy.Max) else Op.MIN
            result = self.add(expression.args[0])
            for other in expression.args[1:]:
                result = self.line(op, result, self.add(other))
            return result
        if type(expression) in _RECIPROCAL:
            return self.line(Op.INV, self.add(_RECIPROCAL[type(expression)](expression.args[0])))
        known = BY_SYMPY.get(type(expression))
        if known in ORDERED and expression.args[0].is_number:
            return self.line(known, self.add(expression.args[1]), number=float(expression.args[0]))
        if isinstance(expression, sympy.polylog) and expression.args[0] == 2:
            return self.line(Op.DILOG, self.add(expression.args[1]))
        if isinstance(expression, sympy.polygamma) and expression.args[0] in (0, 1):
            return self.line(
                Op.DIGAMMA if expression.args[0] == 0 else Op.TRIGAMMA, self.add(expression.args[1])
            )
        if isinstance(expression, sympy.atan2):
            return self.line(Op.ATAN2, self.add(expression.args[0]), self.add(expression.args[1]))
        if known is not None and (len(expression.args) == 1 or isinstance(expression, sympy.Heaviside)):
            return self.line(known, self.add(expression.args[0]))
        raise InputError(
            f"{expression.func.__name__} in {expression} has no numeric form; use known functions of x and p "
            "only."
        )

    def sum(self, expression: sympy.Add) -> int:
        """Return the place of a sum, in forms that lose no digits where such are known."""
        args = list(expression.args)
        for one in args:  # coth(u) - 1/u
            if isinstance(one, sympy.coth) and -1 / one.args[0] in args:
                rest = expression - one + 1 / one.args[0]
                found = self.line(Op.LANGEVIN, self.add(one.args[0]))
                return found if rest == 0 else self.line(Op.ADD, found, self.add(rest))
        for one in args:  # exp(u) - 1
            if isinstance(one, sympy.exp) and sympy.Integer(-1) in args:
                rest = expression - one + 1
                found = self.line(Op.EXPM1, self.add(one.args[0]))
                return found if rest == 0 else self.line(Op.ADD, found, self.add(rest))
        args.sort(key=lambda a: (not a.is_number, sympy.default_sort_key(a)))
        result = self.add(args[0])
        for other in args[1:]:
            result = self.line(Op.ADD, result, self.add(other))
        return result

    def product(self, expression: sympy.Mul) -> int:
        """Return the place of a product, in forms that are finite where the whole is."""
        if expression.args[0] == -1:
            return self.line(Op.NEG, self.add(-expression))
        for one in expression.args:  # u^n / (exp(u) - 1), finite at 0 for n > 0
            if isinstance(one, sympy.Pow) and one.exp == -1 and isinstance(one.base, sympy.Add):
                inner = one.base + 1
                if isinstance(inner, sympy.exp):
                    u = inner.args[0]
                    rest = expression / one / u
                    if u in sympy.Mul.make_args(expression) or any(
                        isinstance(a, sympy.Pow) and a.base == u and a.exp.is_Integer and a.exp > 0
                        for a in expression.args
                    ):
                        found = self.line(Op.EINSTEIN, self.add(u))
                        return found if rest == 1 else self.line(Op.MUL, self.add(rest), found)
        result = self.add(expression.args[0])
        for other in expression.args[1:]:
            result = self.line(Op.MUL, result, self.add(other))
        return result

    def power(self, expression: sympy.Pow) -> int:
        """Return the place of a power, in the cheapest operation for its exponent."""
        base, exponent = expression.base, expression.exp
        if exponent == -1 and isinstance(base, sympy.Add) and isinstance(base - 1, sympy.exp):
            return self.line(Op.SIGMOID, self.add(-(base - 1).args[0]))
        if base == sympy.E:
            return self.line(Op.EXP, self.add(exponent))
        inner = self.add(base)
        if not exponent.is_number:
            return self.line(Op.POW, inner, self.add(exponent))
        n = float(exponent)
        if n == 2:
            return self.line(Op.SQUARE, inner)
        if n == -1:
            return self.line(Op.INV, inner)
        if n == 0.5:
            return self.line(Op.SQRT, inner)
        if n == -0.5:
            return self.line(Op.INV, self.line(Op.SQRT, inner))
        if n == int(n) and abs(n) <= 64:
            return self.line(Op.POWI, inner, number=n)
        return self.line(Op.POWR, inner, number=n)

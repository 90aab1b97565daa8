"""An expression compiled to a flat list of array operations, with reverse-mode derivatives.

Polishing evaluates a formula and its derivative for every constant thousands of times. Compiling
Python code per formula would cost more than the fit, so a formula becomes a list of numpy
operations that is built in well under a millisecond and differentiated by one backward sweep
(reverse accumulation; Griewank and Walther, Evaluating Derivatives, 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import sympy

from kansym.base.errors import InputError
from kansym.functions.compiler import compile_expression
from kansym.functions.forms import NUMPY, Form, integer_power
from kansym.functions.operations import BY_SYMPY, TABLE, Op

Array = Any  # an array of rows, or a number that is the same on every row
Unary = Callable[[Array], Array]
# derivative as a function of the argument and the value
Derivative = Callable[[Array, Array], Array]

_POWER, _ROOT = NUMPY[Op.POW], NUMPY[Op.SQRT]


def _unary(form: Form) -> tuple[Unary, Derivative]:
    """Return value and derivative of an operation of one argument, as the table has it."""
    value, (slope,) = form.value, form.slopes
    return (lambda x: value(x, None, 0.0)), (lambda x, v: slope(x, None, 0.0, v))


_UNARY: dict[type, tuple[Unary, Derivative]] = {
    function: _unary(NUMPY[op])
    for function, op in BY_SYMPY.items()
    if TABLE[op].is_compiled and TABLE[op].arity == 1
}


@lru_cache(maxsize=512)
def _derived_unary(template: sympy.Expr, slot: sympy.Symbol) -> tuple[Unary, Derivative]:
    """Return value and derivative of a function that the table lacks: as the library has it, or by SymPy."""
    try:
        known = compile_expression(template, slot, sympy.Symbol("p", real=True))
        return known.value, (lambda x, v: known.dual(x)[1])
    except InputError:  # an order or a function that no library function has
        value = sympy.lambdify(slot, template, modules=["scipy", "numpy"])
        slope = sympy.lambdify(slot, sympy.diff(template, slot), modules=["scipy", "numpy"])
        real = lambda f, x: np.real_if_close(np.asarray(f(x)), 1e6) + np.zeros_like(x)  # noqa: E731
        return (lambda x: real(value, x)), (lambda x, v: real(slope, x))


_SLOT = sympy.Symbol("x", real=True)


@dataclass(frozen=True)
class _Op:
    """Hold one step of a program: its kind, the steps it takes, its number or place."""

    kind: str  # input, parameter, number, sum, product, power, unary
    args: tuple[int, ...] = ()
    number: float = 0.0
    index: int = 0
    functions: tuple[Unary, Derivative] | None = None


@dataclass(frozen=True)
class Program:
    """Hold a compiled expression: columns in, values out, with `parameters` as free constants.

    >>> import numpy as np, sympy
    >>> x = sympy.Symbol("x", real=True)
    >>> program = Program.compile(2.5 * sympy.sin(x) + 1, [x])
    >>> program.start.tolist(), program.value(np.array([[0.0]])).tolist()
    ([2.5], [1.0])
    """

    ops: tuple[_Op, ...]
    start: Array
    template: sympy.Expr
    parameters: tuple[sympy.Symbol, ...]
    columns: int = field(default=0)
    places: tuple[tuple[sympy.Expr, int], ...] = ()

    @staticmethod
    def compile(
        expression: sympy.Expr,
        symbols: Sequence[sympy.Symbol],
        parameters: Sequence[sympy.Symbol] | None = None,
        start: Sequence[float] | np.ndarray | None = None,
    ) -> Program:
        """Compile an expression over `symbols` (the columns, in order).

        Every Float in it becomes a parameter whose start is its value, unless `parameters` names the
        free constants itself. Integers, rationals, pi and E are structure and stay. Raises InputError
        for a symbol that is no column.
        """
        if parameters is None:
            template, names, values = parametrise(expression)
        else:
            template, names = expression, tuple(parameters)
            values = np.asarray(start if start is not None else np.ones(len(names)), float)
        builder = _Builder({s: i for i, s in enumerate(symbols)}, {s: i for i, s in enumerate(names)})
        builder.visit(template)
        places = tuple(builder.seen.items())
        return Program(tuple(builder.ops), values, template, names, len(symbols), places)

    def value(self, X: Array, theta: Array | None = None) -> Array:
        """Return the values (n,) on rows X (n, columns); NaN where the formula is undefined."""
        return np.array(np.broadcast_to(self._forward(X, self._theta(theta))[-1], (len(X),)))

    def batch(self, X: Array, thetas: Array) -> Array:
        """Return the values (S, n) on rows X (n, columns) for each of S choices of the parameters (S, p)."""
        columns = [thetas[:, [i]] for i in range(len(self.parameters))]
        return np.array(np.broadcast_to(self._forward(X, columns)[-1], (len(thetas), len(X))))

    def jacobian(self, X: Array, theta: Array | None = None) -> tuple[Array, Array]:
        """Return values (n,) and their derivatives (n, parameters) for the parameters."""
        values, slopes = self._backward(X, self._theta(theta), "parameter", len(self.parameters))
        return values, slopes

    def gradient(self, X: Array, theta: Array | None = None) -> tuple[Array, Array]:
        """Return values (n,) and their derivatives (n, columns) for the columns."""
        return self._backward(X, self._theta(theta), "input", self.columns)

    def parts(self, X: Array, theta: Array | None = None) -> list[tuple[sympy.Expr, Array, Array]]:
        """Return each varying part of the template with its values (n,) and the formula's slopes (n,) by it.

        By all places at once where it stands.
        """
        v = self._forward(X, self._theta(theta))
        adjoint, n = self._adjoints(v), len(X)
        return [
            (part, np.broadcast_to(v[i], (n,)), np.broadcast_to(bar, (n,)))
            for part, i in self.places
            if (bar := adjoint[i]) is not None and np.ndim(v[i])
        ]

    def expression(self, theta: Array) -> sympy.Expr:
        """Return the SymPy expression with these parameters written in as Floats."""
        return self.template.xreplace(
            {s: sympy.Float(float(v), 17) for s, v in zip(self.parameters, theta, strict=True)}
        )

    def _theta(self, theta: Array | None) -> Array:
        return self.start if theta is None else theta

    def _forward(self, X: Array, theta: Array) -> list[Array]:
        """Return the values of all steps on rows X (n, d)."""
        out: list[Array] = []
        with np.errstate(all="ignore"):
            for op in self.ops:
                args = [out[i] for i in op.args]
                out.append(_apply(op, args, X, theta))
        return out

    def _backward(self, X: Array, theta: Array, kind: str, size: int) -> tuple[Array, Array]:
        """Return values and derivatives (n, size) by parameters or inputs, in reverse mode."""
        v = self._forward(X, theta)
        n = len(X)
        slopes = np.zeros((n, size))
        for op, bar in zip(self.ops, self._adjoints(v), strict=True):
            if op.kind == kind and bar is not None:
                slopes[:, op.index] += bar
        return np.array(np.broadcast_to(v[-1], (n,))), slopes

    def _adjoints(self, v: list[Array]) -> list[Array | None]:
        """Return the derivatives of the last step's values by each step's; None of what it does not use."""
        adjoint: list[Array | None] = [None] * len(v)
        adjoint[-1] = np.float64(1.0)
        with np.errstate(all="ignore"):
            for i in range(len(self.ops) - 1, -1, -1):
                bar = adjoint[i]
                if bar is None:
                    continue
                for j, local in zip(self.ops[i].args, _local(self.ops[i], v, i), strict=False):
                    if local is not None:
                        term = bar * local
                        adjoint[j] = term if adjoint[j] is None else adjoint[j] + term
        return adjoint


def _apply(op: _Op, args: list[Array], X: Array, theta: Array) -> Array:
    """Return what one step makes of the values (n,) of those before it."""
    match op.kind:
        case "input":
            return X[:, op.index]
        case "parameter":
            return theta[op.index]
        case "number":
            return np.float64(op.number)
        case "sum":
            return sum(args[1:], args[0])
        case "product":
            total = args[0]
            for a in args[1:]:
                total = total * a
            return total
        case "quotient":
            return args[0] / args[1]
        case "integer power":
            return integer_power(args[0], op.index)
        case "root":
            return _ROOT.value(args[0], None, 0.0)
        case "power":
            return _POWER.value(args[0], args[1], 0.0)
        case _:
            assert op.functions is not None
            return op.functions[0](args[0])


def _local(op: _Op, v: list[Array], i: int) -> list[Array | None]:
    """Return the derivative of operation i for each of its arguments."""
    a = [v[j] for j in op.args]
    match op.kind:
        case "sum":
            return [np.float64(1.0)] * len(a)
        case "product":
            # products of the others, by prefix and suffix: exact also where a factor is zero
            left, right = [np.float64(1.0)], [np.float64(1.0)]
            for f in a[:-1]:
                left.append(left[-1] * f)
            for f in a[:0:-1]:
                right.append(right[-1] * f)
            return [p * q for p, q in zip(left, right[::-1], strict=True)]
        case "quotient":
            return [1 / a[1], -v[i] / a[1]]
        case "integer power":
            return [op.index * integer_power(a[0], op.index - 1)]
        case "root":
            return [_ROOT.slopes[0](a[0], None, 0.0, v[i])]
        case "power":
            return [slope(a[0], a[1], 0.0, v[i]) for slope in _POWER.slopes]
        case "unary":
            assert op.functions is not None
            return [op.functions[1](a[0], v[i])]
        case _:
            return []


class _Builder:
    """Turn a SymPy tree into operations, each subexpression once."""

    def __init__(self, columns: dict[sympy.Symbol, int], parameters: dict[sympy.Symbol, int]) -> None:
        self.columns, self.parameters = columns, parameters
        self.ops: list[_Op] = []
        self.seen: dict[sympy.Expr, int] = {}

    def emit(self, op: _Op) -> int:
        self.ops.append(op)
        return len(self.ops) - 1

    def visit(self, expression: sympy.Expr) -> int:
        """Return the step of a part of the formula, built once."""
        if expression not in self.seen:
            self.seen[expression] = self.build(expression)
        return self.seen[expression]

    def build(self, expression: sympy.Expr) -> int:
        """Add the steps of a part of the formula; return the last one."""
        if expression in self.parameters:
            return self.emit(_Op("parameter", index=self.parameters[expression]))
        if expression in self.columns:
            return self.emit(_Op("input", index=self.columns[expression]))
        if expression.is_number and not expression.free_symbols:
            value = complex(expression)
            return self.emit(_Op("number", number=value.real if value.imag == 0 else float("nan")))
        if expression.is_Symbol:
            known = ", ".join(str(s) for s in self.columns)
            raise InputError(f"The formula uses {expression}, which is no column; the columns are {known}.")
        if expression.is_Add:
            return self.emit(_Op("sum", tuple(self.visit(a) for a in expression.args)))
        if expression.is_Mul:
            return self.product(expression)
        if expression.is_Pow:
            return self.power(expression.base, expression.exp)
        if len(expression.args) == 1 and expression.func in _UNARY:
            return self.emit(
                _Op("unary", (self.visit(expression.args[0]),), functions=_UNARY[expression.func])
            )
        return self.general(expression)

    def product(self, expression: sympy.Expr) -> int:
        """Add a product, with one division where several factors stand below."""
        below = [f for f in expression.args if f.is_Pow and f.exp.is_number and f.exp.is_negative]
        above = [f for f in expression.args if f not in below]
        if not below:
            return self.emit(_Op("product", tuple(self.visit(f) for f in above)))
        # a/b divides once; multiplying by a reciprocal would round twice
        under = sympy.Mul(*(f.base ** (-f.exp) for f in below), evaluate=len(below) == 1)
        over = sympy.Mul(*above, evaluate=False) if len(above) > 1 else (above[0] if above else sympy.S.One)
        return self.emit(_Op("quotient", (self.visit(over), self.visit(under))))

    def power(self, base: sympy.Expr, exponent: sympy.Expr) -> int:
        """Add a power: an exponential, a whole power, a root, or a general one."""
        if base == sympy.E:
            return self.emit(_Op("unary", (self.visit(exponent),), functions=_UNARY[sympy.exp]))
        if exponent.is_Integer and abs(int(exponent)) < 64:
            return self.emit(_Op("integer power", (self.visit(base),), index=int(exponent)))
        if exponent == sympy.Rational(1, 2):
            return self.emit(_Op("root", (self.visit(base),)))
        if exponent.is_Rational and exponent.q == 2 and abs(int(exponent.p)) < 64:
            root = self.emit(_Op("root", (self.visit(base),)))
            return self.emit(_Op("integer power", (root,), index=int(exponent.p)))
        return self.emit(_Op("power", (self.visit(base), self.visit(exponent))))

    def general(self, expression: sympy.Expr) -> int:
        """Compile any other function of one varying argument; Piecewise and Max/Min too."""
        varying = [a for a in expression.args if a.free_symbols]
        symbols = sorted(expression.free_symbols, key=str)
        if len(varying) == 1 and not expression.is_Piecewise:
            template = expression.func(*(_SLOT if a is varying[0] else a for a in expression.args))
            return self.emit(
                _Op("unary", (self.visit(varying[0]),), functions=_derived_unary(template, _SLOT))
            )
        if len(symbols) == 1:
            template = expression.xreplace({symbols[0]: _SLOT})
            return self.emit(
                _Op("unary", (self.visit(symbols[0]),), functions=_derived_unary(template, _SLOT))
            )
        if isinstance(expression, (sympy.Max, sympy.Min)):
            a, b = expression.args[0], expression.func(*expression.args[1:])
            sign = 1 if isinstance(expression, sympy.Max) else -1
            return self.visit((a + b + sign * sympy.Abs(a - b)) / 2)
        if isinstance(expression, sympy.atan2):
            y, x = expression.args
            return self.visit(2 * sympy.atan(y / (sympy.sqrt(x**2 + y**2) + x)))
        raise InputError(
            f"The function {expression.func} of several variables has no numeric form here; write it out."
        )


def parametrise(expression: sympy.Expr) -> tuple[sympy.Expr, tuple[sympy.Symbol, ...], Array]:
    """Return the expression with each Float replaced by a symbol, those symbols, and their values.

    A constant that occurs twice with the same value is one parameter: shared subexpressions stay
    shared. So is one that occurs with both signs, since SymPy writes A*(1 - exp(-k*x)) as two terms; ones are
    left out, as they are what constants are started at. Floats are numbered in SymPy's own canonical order of
    the tree, so the result is stable.
    """
    floats: dict[sympy.Float, sympy.Expr] = {}
    own: dict[sympy.Float, sympy.Symbol] = {}
    for node in sympy.preorder_traversal(expression):
        if node.is_Float and node not in floats:
            if -node in own and abs(float(node)) != 1:
                floats[node] = -own[-node]
                continue
            # no column's name can hold a NUL, so a column called theta_0 stays another symbol
            floats[node] = own[node] = sympy.Symbol(f"\0theta_{len(own)}", real=True)
    values = np.array([float(f) for f in own])
    return expression.xreplace(floats), tuple(own.values()), values

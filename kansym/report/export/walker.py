"""One walk over a SymPy expression for every target: text in a language, or tensors.

The walk knows SymPy's shapes (a quotient is a product with negative powers, a difference a sum with a
negative coefficient) and rewrites what has a common elementary form. What the pieces become is an
`Algebra`'s business: strings with a precedence, torch tensors, ONNX nodes.
"""

# ruff: noqa: SIM905 (tables of words read better as text)

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import sympy

from kansym.base.errors import InputError

T = TypeVar("T")

# SymPy's name -> key in the algebras' tables, for functions that pass through with their arguments as is
KEYS: dict[str, str] = {
    name: name
    for name in (
        "exp log sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh erf erfc erfi gamma "
        "loggamma airyai airybi airyaiprime airybiprime Si Ci Ei Shi Chi fresnels fresnelc elliptic_k "
        "elliptic_e sign Abs floor ceiling"
    ).split()
}
_RECIPROCAL = {
    "cot": sympy.tan,
    "sec": sympy.cos,
    "csc": sympy.sin,
    "coth": sympy.tanh,
    "sech": sympy.cosh,
    "csch": sympy.sinh,
}
_COMPARE = {
    "StrictGreaterThan": ">",
    "GreaterThan": ">=",
    "StrictLessThan": "<",
    "LessThan": "<=",
    "Equality": "==",
    "Unequality": "!=",
}


class Algebra(ABC, Generic[T]):
    """Say what numbers, columns, sums, quotients, powers and functions become in one target."""

    target = "?"

    @abstractmethod
    def integer(self, value: int) -> T:
        """Return a whole number."""

    @abstractmethod
    def rational(self, numerator: int, denominator: int) -> T:
        """Return p/q."""

    @abstractmethod
    def real(self, value: float) -> T:
        """Return a number in double precision."""

    @abstractmethod
    def constant(self, name: str) -> T:
        """Return pi or e."""

    @abstractmethod
    def column(self, index: int) -> T:
        """Return an input column."""

    def parameter(self, index: int) -> T:
        """Return a trainable constant, where the target has such."""
        raise InputError(f"Constants in {self.target} are numbers; export to torch or jax to train them.")

    @abstractmethod
    def add(self, terms: Sequence[tuple[bool, T]]) -> T:
        """Return the sum of (negative?, term) pairs."""

    @abstractmethod
    def multiply(self, factors: Sequence[T]) -> T:
        """Return the product of one factor or more."""

    @abstractmethod
    def divide(self, over: T, under: T) -> T:
        """Return the quotient."""

    @abstractmethod
    def negate(self, value: T) -> T:
        """Return the value with its sign turned."""

    @abstractmethod
    def power(self, base: T, exponent: T, integer: bool) -> T:
        """Return base**exponent; `integer` says that the exponent is a whole number."""

    def root(self, base: T) -> T:
        """Return the square root."""
        return self.call("sqrt", [base])

    @abstractmethod
    def has(self, key: str) -> bool:
        """Tell whether the target has this function."""

    @abstractmethod
    def call(self, key: str, args: Sequence[T]) -> T:
        """Return a function, by its key, of its arguments."""

    @abstractmethod
    def compare(self, operator: str, left: T, right: T) -> T:
        """Return a condition, such as left > right."""

    @abstractmethod
    def logic(self, operator: str, args: Sequence[T]) -> T:
        """Return "and", "or" or "not" of conditions."""

    @abstractmethod
    def choose(self, condition: T, yes: T, no: T) -> T:
        """Return `yes` where the condition holds, `no` elsewhere."""

    def number(self, expression: sympy.Expr) -> T | None:
        """Return a constant subexpression ready-made, or None to have it walked like the rest."""
        return None


def walk(
    expression: sympy.Expr,
    columns: Sequence[sympy.Symbol],
    algebra: Algebra[T],
    parameters: Sequence[sympy.Symbol] = (),
) -> T:
    """Return what the expression becomes in an algebra.

    Raises InputError for a symbol that is no column and, by name, for a function the target lacks.
    """
    return _Walk(
        {s: i for i, s in enumerate(columns)}, {s: i for i, s in enumerate(parameters)}, algebra
    ).visit(sympy.sympify(expression))


class _Walk(Generic[T]):
    def __init__(
        self, columns: Mapping[sympy.Symbol, int], parameters: Mapping[sympy.Symbol, int], algebra: Algebra[T]
    ) -> None:
        self.columns, self.parameters, self.to = columns, parameters, algebra
        # a caller's plain Symbol("x") means the column x as well as the real one does
        self.by_name = {s.name: i for s, i in columns.items()}

    def visit(self, expression: sympy.Basic) -> T:
        """Write a formula: a parameter, a column, an atom, or what its operation makes of its parts."""
        to = self.to
        if expression in self.parameters:
            return to.parameter(self.parameters[expression])
        if expression.is_Symbol:
            if expression in self.columns:
                return to.column(self.columns[expression])
            if str(expression) in self.by_name:
                return to.column(self.by_name[str(expression)])
            known = ", ".join(str(s) for s in self.columns)
            raise InputError(
                f"The formula uses {str(expression)!r}, which is no column; the columns are {known}."
            )
        if isinstance(expression, sympy.logic.boolalg.Boolean):
            return self.condition(expression)
        if expression.is_number and not expression.free_symbols:
            if (ready := to.number(expression)) is not None:
                return ready
            if expression.is_Atom:
                return self.atom(expression)
        if expression.is_Add:
            return to.add([(_negative(t), self.visit(-t if _negative(t) else t)) for t in expression.args])
        if expression.is_Mul:
            return self.product(expression)
        if expression.is_Pow:
            return self.power(expression.base, expression.exp)
        return self.function(expression)

    def atom(self, expression: sympy.Expr) -> T:
        """Write a number or a named constant; raises InputError for one that is not finite."""
        to = self.to
        if expression in (sympy.pi, sympy.E):
            return to.constant("pi" if expression == sympy.pi else "e")
        if _negative(expression):
            return to.negate(self.visit(-expression))
        if expression.is_Integer:
            return to.integer(int(expression)) if abs(int(expression)) < 2**53 else to.real(float(expression))
        if expression.is_Rational:
            small = max(abs(expression.p), expression.q) < 2**53
            return to.rational(int(expression.p), int(expression.q)) if small else to.real(float(expression))
        try:
            value = float(expression)
        except TypeError:
            raise InputError(
                f"The formula contains {expression}, which is not a real number; it cannot be exported."
            ) from None
        if not math.isfinite(value):
            raise InputError(f"The formula contains {expression}; only finite numbers can be exported.")
        return to.real(value)

    def product(self, expression: sympy.Mul) -> T:
        """Write a product: a sign first, then what stands above the line over what stands below."""
        if _negative(expression):
            return self.to.negate(self.visit(-expression))
        over: list[sympy.Expr] = []
        under: list[sympy.Expr] = []
        for f in expression.args:
            if f.is_Rational and not f.is_Integer:
                over += [sympy.Integer(f.p)] if f.p != 1 else []
                under.append(sympy.Integer(f.q))
            elif f.is_Pow and f.exp.is_number and _negative(f.exp):
                under.append(f.base if f.exp == -1 else sympy.Pow(f.base, -f.exp, evaluate=False))
            else:
                over.append(f)
        top = self.times(over)
        return self.to.divide(top, self.times(under)) if under else top

    def times(self, factors: list[sympy.Expr]) -> T:
        """Write factors as one product; none are 1."""
        if not factors:
            return self.visit(sympy.S.One)
        values = [self.visit(f) for f in factors]
        return values[0] if len(values) == 1 else self.to.multiply(values)

    def power(self, base: sympy.Expr, exponent: sympy.Expr) -> T:
        """Write a power: roots, whole exponents and exp by their own signs."""
        to = self.to
        if base == sympy.E:
            return self.call("exp", [exponent])
        if exponent.is_number and _negative(exponent):
            below = self.visit(base) if exponent == -1 else self.power(base, -exponent)
            return to.divide(self.visit(sympy.S.One), below)
        if exponent == sympy.Rational(1, 2):
            return to.root(self.visit(base))
        return to.power(self.visit(base), self.visit(exponent), bool(exponent.is_Integer))

    def call(self, key: str, args: Sequence[sympy.Expr], label: str | None = None) -> T:
        """Write a function of a key, or raise InputError where the target has none."""
        if not self.to.has(key):
            raise InputError(
                f"Function {label or key!r} has no counterpart in {self.to.target}; export to another target "
                "(numpy has all) or choose a law without it."
            )
        return self.to.call(key, [self.visit(a) for a in args])

    def function(self, expression: sympy.Expr) -> T:
        """Write a function by its name; raises InputError for one that no target has."""
        name, args = type(expression).__name__, list(expression.args)
        if name in KEYS and (len(args) == 1 or name == "atan2"):
            return self.call(KEYS[name], args)
        if name in _RECIPROCAL:
            return self.to.divide(self.visit(sympy.S.One), self.visit(_RECIPROCAL[name](args[0])))
        if name in ("Max", "Min"):
            pieces = sorted(args, key=sympy.default_sort_key)
            if not self.to.has(name):
                return self.call(name, pieces)
            value = self.visit(pieces[0])
            for piece in pieces[1:]:
                value = self.to.call(name, [value, self.visit(piece)])
            return value
        if name == "Heaviside":
            u, middle = args[0], args[1] if len(args) > 1 else sympy.Rational(1, 2)
            if middle == sympy.Rational(1, 2):
                return self.visit((1 + sympy.sign(u)) / 2)
            return self.visit(
                sympy.Piecewise((0, u < 0), (middle, sympy.Eq(u, 0)), (1, True), evaluate=False)
            )
        if name == "sinc":
            return self.visit(
                sympy.Piecewise((1, sympy.Eq(args[0], 0)), (sympy.sin(args[0]) / args[0], True))
            )
        if name in ("besselj", "bessely", "besseli", "besselk"):
            order, u = args
            if order in (0, 1) and self.to.has(f"{name}{order}"):
                return self.call(f"{name}{order}", [u])
            return self.call(name, args, f"{name}({order}, x)")
        if name == "polygamma":
            return self.call("digamma", args[1:]) if args[0] == 0 else self.call("polygamma", args)
        if name == "LambertW" and len(args) == 1:
            return self.call("LambertW", args)
        if name == "factorial":
            return self.call("gamma", [args[0] + 1])
        if name == "polylog" and args[0] == 2:
            return self.call("dilog", args[1:], "polylog(2, x)")
        if name == "Mod":
            return self.visit(args[0] - args[1] * sympy.floor(args[0] / args[1]))
        if name == "Piecewise":
            return self.piecewise(expression)
        raise InputError(f"Function {name!r} cannot be exported; write it out in elementary functions.")

    def piecewise(self, expression: sympy.Piecewise) -> T:
        """Write a case distinction as nested choices, the last branch innermost."""
        pairs = list(expression.args)
        if pairs[-1].args[1] == sympy.true:
            value = self.visit(pairs.pop().args[0])
        else:
            value = self.call("nan", [], "Piecewise without a last branch")
        for result, condition in (p.args for p in reversed(pairs)):
            value = self.to.choose(self.condition(condition), self.visit(result), value)
        return value

    def condition(self, expression: sympy.Basic) -> T:
        """Write a comparison, or a junction of some."""
        name = type(expression).__name__
        if name in _COMPARE:
            return self.to.compare(
                _COMPARE[name], self.visit(expression.args[0]), self.visit(expression.args[1])
            )
        if name in ("And", "Or", "Not"):
            return self.to.logic(name.lower(), [self.condition(a) for a in expression.args])
        if expression in (sympy.true, sympy.false):
            return self.to.compare(
                "==", self.visit(sympy.S.One), self.visit(sympy.Integer(expression == sympy.true))
            )
        raise InputError(f"Condition {expression} cannot be exported; use comparisons, and, or, not.")


def _negative(e: sympy.Expr) -> bool:
    """Tell whether the expression is printed with a minus in front."""
    if e.is_number and e.is_real:
        return bool(e.is_negative)
    return bool(e.is_Mul and e.args[0].is_number and e.args[0].is_real and e.args[0].is_negative)

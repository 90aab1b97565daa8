"""Text to SymPy expression, by an allow-list over the syntax tree; nothing is ever evaluated.

Python's own parser makes the tree, after a scan that lets only numbers, names, operators, parentheses
and commas through. Names are replaced by placeholders before the parser sees them, so any string can be
a column name: identifiers as they stand, others between backticks (`` `x 1` ``), keywords and the names
of constants (E, I, N, S, pi, lambda, beta) included.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable, Mapping

import sympy
from sympy.printing.str import StrPrinter

from kansym.base.errors import InputError, UnknownNameError

MAX_LENGTH = 20_000
"""Characters of a formula, at most: longer ones are no formulas that a person wrote."""

MAX_DEPTH = 100
"""Brackets within brackets, at most, far below Python's own limit."""

MAX_EXPONENT, MAX_BITS, MAX_FACTORIAL = 1_000, 4_096, 170
"""Largest whole exponent, binary digits of an exact number, and number whose factorial a double holds."""

Maker = Callable[..., sympy.Expr]

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<quoted>`[^`]*`)"
    r"|(?P<operator>\*\*|[-+*/^(),])"
)


def symbols(names: Iterable[str]) -> tuple[sympy.Symbol, ...]:
    """Return one real symbol per column name; the only place that makes them."""
    return tuple(sympy.Symbol(str(name), real=True) for name in names)


def quote(name: str) -> str:
    """Return a column name as it is written in an expression: between backticks if it is no identifier."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) else f"`{name}`"


class _Printer(StrPrinter):
    """Print floats with all their digits, or some, and symbols so that the parser reads them back."""

    digits: int | None = None

    def _print_Float(self, expr: sympy.Float) -> str:
        return repr(float(expr) if self.digits is None else float(f"{float(expr):.{self.digits}g}"))

    def _print_Symbol(self, expr: sympy.Symbol) -> str:
        return quote(expr.name)


def format_expression(expression: sympy.Expr, digits: int | None = None) -> str:
    """Return text that :func:`parse_expression` reads back as the same expression, to the last bit.

    With `digits`, Floats have so many significant ones.

    >>> third = sympy.Float(1 / 3) * symbols(["x 1"])[0]
    >>> format_expression(third), format_expression(third, 2)
    ('0.3333333333333333*`x 1`', '0.33*`x 1`')
    """
    printer = _Printer()
    printer.digits = digits
    return str(printer.doprint(expression))


def names_in(text: str) -> tuple[list[str], list[str]]:
    """Return the names of a formula that stand before a parenthesis and those that stand alone, in order.

    Nothing is built; :func:`parse_expression` refuses what is no formula.

    >>> names_in("f(x1)*sin(x2) + `a b`")
    (['f', 'sin'], ['x1', 'x2', 'a b'])
    """
    called: list[str] = []
    alone: list[str] = []
    for found in _TOKEN.finditer(text):
        if found.lastgroup in ("name", "quoted"):
            before = text[found.end() :].lstrip().startswith("(") and found.lastgroup == "name"
            (called if before else alone).append(found.group().strip("`"))
    return list(dict.fromkeys(called)), list(dict.fromkeys(alone))


def _heaviside(u: sympy.Expr, middle: sympy.Expr | None = None) -> sympy.Expr:
    return sympy.Heaviside(u, sympy.Rational(1, 2) if middle is None else middle)


FUNCTIONS: dict[str, tuple[int, Maker]] = {
    "exp": (1, sympy.exp),
    "log": (1, sympy.log),
    "ln": (1, sympy.log),
    "log10": (1, lambda u: sympy.log(u) / sympy.log(10)),
    "log2": (1, lambda u: sympy.log(u) / sympy.log(2)),
    "log1p": (1, lambda u: sympy.log(1 + u)),
    "expm1": (1, lambda u: sympy.exp(u) - 1),
    "sqrt": (1, sympy.sqrt),
    "cbrt": (1, lambda u: sympy.sign(u) * sympy.Abs(u) ** sympy.Rational(1, 3)),
    "square": (1, lambda u: u**2),
    "cube": (1, lambda u: u**3),
    "abs": (1, sympy.Abs),
    "sign": (1, sympy.sign),
    "sgn": (1, sympy.sign),
    "sin": (1, sympy.sin),
    "cos": (1, sympy.cos),
    "tan": (1, sympy.tan),
    "cot": (1, sympy.cot),
    "sec": (1, sympy.sec),
    "csc": (1, sympy.csc),
    "asin": (1, sympy.asin),
    "acos": (1, sympy.acos),
    "atan": (1, sympy.atan),
    "atan2": (2, sympy.atan2),
    "sinh": (1, sympy.sinh),
    "cosh": (1, sympy.cosh),
    "tanh": (1, sympy.tanh),
    "coth": (1, sympy.coth),
    "sech": (1, sympy.sech),
    "csch": (1, sympy.csch),
    "asinh": (1, sympy.asinh),
    "acosh": (1, sympy.acosh),
    "atanh": (1, sympy.atanh),
    "erf": (1, sympy.erf),
    "erfc": (1, sympy.erfc),
    "sinc": (1, sympy.sinc),
    "sigmoid": (1, lambda u: 1 / (1 + sympy.exp(-u))),
    "softplus": (1, lambda u: sympy.log(1 + sympy.exp(u))),
    "silu": (1, lambda u: u / (1 + sympy.exp(-u))),
    "gaussian": (1, lambda u: sympy.exp(-(u**2))),
    "relu": (1, lambda u: sympy.Max(0, u)),
    "heaviside": (1, _heaviside),
    "Heaviside": (-1, _heaviside),
    "max": (-1, lambda *u: sympy.Max(*u)),
    "min": (-1, lambda *u: sympy.Min(*u)),
    "gamma": (1, sympy.gamma),
    "factorial": (1, lambda u: sympy.gamma(u + 1)),
    "loggamma": (1, sympy.loggamma),
    "digamma": (1, sympy.digamma),
    "polygamma": (2, sympy.polygamma),
    "besselj": (2, sympy.besselj),
    "bessely": (2, sympy.bessely),
    "besseli": (2, sympy.besseli),
    "besselk": (2, sympy.besselk),
    "j0": (1, lambda u: sympy.besselj(0, u)),
    "j1": (1, lambda u: sympy.besselj(1, u)),
    "y0": (1, lambda u: sympy.bessely(0, u)),
    "y1": (1, lambda u: sympy.bessely(1, u)),
    "i0": (1, lambda u: sympy.besseli(0, u)),
    "i1": (1, lambda u: sympy.besseli(1, u)),
    "k0": (1, lambda u: sympy.besselk(0, u)),
    "k1": (1, lambda u: sympy.besselk(1, u)),
    "airyai": (1, sympy.airyai),
    "airybi": (1, sympy.airybi),
    "airyaiprime": (1, sympy.airyaiprime),
    "airybiprime": (1, sympy.airybiprime),
    "elliptic_k": (1, sympy.elliptic_k),
    "elliptic_e": (1, sympy.elliptic_e),
    "LambertW": (1, sympy.LambertW),
    "Si": (1, sympy.Si),
    "Ci": (1, sympy.Ci),
    "dilog": (1, lambda u: sympy.polylog(2, u)),
    "polylog": (2, sympy.polylog),
    "pow": (2, lambda u, v: _power(u, v)),
}
for _long, _short in [
    ("arcsin", "asin"), ("arccos", "acos"), ("arctan", "atan"), ("arctan2", "atan2"), ("arcsinh", "asinh"),
    ("arccosh", "acosh"), ("arctanh", "atanh"), ("Abs", "abs"), ("J0", "j0"), ("J1", "j1"), ("Y0", "y0"),
    ("I0", "i0"), ("K0", "k0"), ("Ai", "airyai"), ("Bi", "airybi"), ("ellipk", "elliptic_k"),
    ("ellipe", "elliptic_e"), ("Max", "max"), ("Min", "min"), ("lgamma", "loggamma"),
    ("lambertw", "LambertW"),
]:  # fmt: skip
    FUNCTIONS[_long] = FUNCTIONS[_short]

CONSTANTS: dict[str, sympy.Expr] = {"pi": sympy.pi, "e": sympy.E, "E": sympy.E}


class _Refused(Exception):
    """Carry a reason and the place of the offending piece to the entry point."""

    def __init__(self, reason: str, at: int | None) -> None:
        super().__init__(reason)
        self.at = at


def parse_expression(
    text: str,
    names: Iterable[str] | None = None,
    functions: Mapping[str, Maker] | None = None,
) -> sympy.Expr:
    """Parse a formula such as ``c*sin(2*x)^2`` into a SymPy expression.

    `names` are the column names that may appear (None: any free name is taken as one); they shadow
    functions' and constants' names. `functions` adds callables of SymPy expressions by name. Raises
    InputError for anything but numbers, names, + - * / ** ^, parentheses and known functions, and for
    expressions too large to be meant; UnknownNameError for names that are not known.

    >>> parse_expression("2*x^2 + ln(x)")
    2*x**2 + log(x)
    """
    if not isinstance(text, str):
        raise InputError(f"An expression must be text, not {type(text).__name__}; write for instance 'x**2'.")
    if len(text) > MAX_LENGTH:
        raise InputError(f"The expression has {len(text)} characters; at most {MAX_LENGTH} are read.")
    known = None if names is None else {str(n) for n in names}
    extra = dict(functions or {})
    try:
        source, places, table = _scan(text)
        try:
            tree = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
            at = getattr(problem, "offset", None)
            raise _Refused(_explain_syntax(text), None if at is None else _back(places, at - 1)) from None
        try:
            value = _Builder(table, known, extra, places).build(tree, 0)
        except RecursionError:
            raise _Refused("it is nested too deeply", None) from None
    except _Refused as refusal:
        where = "" if refusal.at is None else f" at character {refusal.at + 1}"
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise InputError(
            f"Cannot read {shown!r}: {refusal}{where}; "
            "write numbers, column names, + - * / ^ ( ) and known functions only."
        ) from None
    return value


def _scan(text: str) -> tuple[str, list[int], dict[str, str]]:
    """Return the text with names as placeholders, each character's place in the original, and the names."""
    out: list[str] = []
    places: list[int] = []
    table: dict[str, str] = {}
    at = depth = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _Refused(_explain_character(text, at), at)
        kind, token = found.lastgroup, found.group()
        if kind in ("name", "quoted"):
            name = token[1:-1] if kind == "quoted" else token
            if not name:
                raise _Refused("the name between the backticks is empty", at)
            if name.startswith("__") and kind == "name":
                raise _Refused(f"{name!r} is not allowed", at)
            piece = f"N{len(table)}"
            table[piece] = name if kind == "name" else "`" + name
        elif kind == "operator":
            depth += (token == "(") - (token == ")")
            if depth > MAX_DEPTH:
                raise _Refused(f"more than {MAX_DEPTH} parentheses are open", at)
            piece = "**" if token == "^" else token
        elif kind == "space":
            piece = " "
        else:
            piece = token
            if len(token) > 350:
                raise _Refused("the number is too long", at)
            following = text[found.end() : found.end() + 1]
            if following == "." or following.isalnum() or following == "_":
                raise _Refused("a number runs into what follows it (write * for a product)", found.end())
            if re.fullmatch(r"0\d+", token):
                piece = token.lstrip("0") or "0"
        out.append(piece)
        places.extend([at] * len(piece))
        at = found.end()
    if not text.strip():
        raise _Refused("it is empty", None)
    return "".join(out).strip(), places[len("".join(out)) - len("".join(out).lstrip()) :], table


def _back(places: list[int], offset: int) -> int | None:
    return places[min(max(offset, 0), len(places) - 1)] if places else None


def _explain_character(text: str, at: int) -> str:
    """Return why a character cannot stand in a formula."""
    c = text[at]
    reasons = {
        ".": "attribute access is not allowed",
        "[": "subscripts are not allowed",
        "]": "subscripts are not allowed",
        "{": "braces are not allowed",
        '"': "text in quotes is not allowed",
        "'": "text in quotes is not allowed",
        ":": "a colon (lambda, slice) is not allowed",
        "=": "an equals sign is not allowed",
        "`": "a backtick is never closed",
    }
    return reasons.get(c, f"the character {c!r} is not allowed")


def _explain_syntax(text: str) -> str:
    """Return what is wrong with a formula that Python cannot read."""
    opened, closed = text.count("("), text.count(")")
    if opened != closed:
        return f"it has {opened} opening and {closed} closing parentheses"
    return "it is not a complete formula"


class _Builder:
    """Turn an allow-listed syntax tree into a SymPy expression."""

    def __init__(
        self, table: dict[str, str], known: set[str] | None, extra: dict[str, Maker], places: list[int]
    ) -> None:
        self.table, self.known, self.extra, self.places = table, known, extra, places

    def at(self, node: ast.AST) -> int | None:
        """Return the place of a node in the text that was written."""
        return _back(self.places, getattr(node, "col_offset", 0))

    def build(self, node: ast.AST, depth: int) -> sympy.Expr:
        """Return the expression of a node, refused where it is nested too deep."""
        if depth > 2 * MAX_DEPTH:
            raise _Refused("it is nested too deeply", self.at(node))
        value = self._build(node, depth)
        if value.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
            raise _Refused("this part is infinite or undefined", self.at(node))
        if value.has(sympy.I):
            raise _Refused("this part is not real", self.at(node))
        return value

    def _build(self, node: ast.AST, depth: int) -> sympy.Expr:
        """Return the expression of a node by its kind."""
        if isinstance(node, ast.Constant):
            return self.number(node)
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
            value = self.build(node.operand, depth + 1)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            base, exponent = self.build(node.left, depth + 1), self.build(node.right, depth + 1)
            try:
                return _power(base, exponent)
            except InputError as problem:
                raise _Refused(str(problem), self.at(node)) from None
        if isinstance(node, ast.BinOp):
            return self.chain(node, depth)
        if isinstance(node, ast.Call):
            return self.call(node, depth)
        comma = isinstance(node, ast.Tuple)
        word = "a comma (write 1.5 for 1,5)" if comma else type(node).__name__.lower()
        raise _Refused(f"{word} is not allowed", self.at(node))

    def chain(self, node: ast.BinOp, depth: int) -> sympy.Expr:
        """Build a long sum or product without recursion along its left side."""
        right: list[tuple[ast.operator, ast.AST]] = []
        left: ast.AST = node
        while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
            right.append((left.op, left.right))
            left = left.left
        if isinstance(left, ast.BinOp) and not isinstance(left.op, ast.Pow):
            raise _Refused(f"the operator {type(left.op).__name__} is not allowed", self.at(left))
        # multiplied at once: one by one, 2*(a + b)/c would become (2*a + 2*b)/c, whose last bit differs
        factors = [self.build(left, depth + 1)]
        terms: list[sympy.Expr] = []
        for op, side in reversed(right):
            other = self.build(side, depth + 1)
            if isinstance(op, ast.Add | ast.Sub):
                terms.append(sympy.Mul(*factors))  # a sum so far; added up once at the end
                factors = [-other if isinstance(op, ast.Sub) else other]
                continue
            if terms:  # (sum) * other: what is on the left is complete
                factors, terms = [sympy.Add(*terms, sympy.Mul(*factors))], []
            if isinstance(op, ast.Mult):
                factors.append(other)
            elif other.is_zero:
                raise _Refused("division by zero", self.at(side))
            else:
                factors.append(1 / other)
        return sympy.Add(*terms, sympy.Mul(*factors))

    def number(self, node: ast.Constant) -> sympy.Expr:
        """Return a number, exact where it is written as one."""
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise _Refused("only plain numbers are allowed", self.at(node))
        if isinstance(node.value, int):
            return sympy.Integer(node.value)
        if not math.isfinite(node.value):
            raise _Refused("the number is too large", self.at(node))
        return sympy.Float(node.value)

    def name(self, node: ast.Name) -> sympy.Expr:
        """Return the symbol or constant of this name."""
        name, quoted = self.table[node.id].lstrip("`"), self.table[node.id].startswith("`")
        if self.known is not None and name in self.known:
            return symbols([name])[0]
        if not quoted and name in CONSTANTS:
            return CONSTANTS[name]
        if self.known is None and (quoted or (name not in FUNCTIONS and name not in self.extra)):
            return symbols([name])[0]
        if not quoted and (name in FUNCTIONS or name in self.extra):
            raise _Refused(f"the function {name!r} needs its argument in parentheses", self.at(node))
        raise UnknownNameError("column", name, self.known or ())

    def call(self, node: ast.Call, depth: int) -> sympy.Expr:
        """Return a function of its arguments."""
        if not isinstance(node.func, ast.Name):
            raise _Refused("only a function's name can stand before parentheses", self.at(node))
        name = self.table[node.func.id]
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise _Refused(f"{name!r} takes plain arguments only", self.at(node))
        arguments = [self.build(a, depth + 1) for a in node.args]
        if name in self.extra:
            try:
                return sympy.sympify(self.extra[name](*arguments))
            except TypeError:
                raise _Refused(f"{name!r} does not take {len(arguments)} arguments", self.at(node)) from None
        if name not in FUNCTIONS:
            if self.known is not None and name.lstrip("`") in self.known:
                raise _Refused(f"{name!r} is a column; write * for a product", self.at(node))
            raise UnknownNameError("function", name.lstrip("`"), [*self.extra, *FUNCTIONS])
        count, make = FUNCTIONS[name]
        if (count >= 0 and len(arguments) != count) or not arguments:
            raise _Refused(f"{name!r} takes {max(count, 1)} argument(s), not {len(arguments)}", self.at(node))
        if name in ("gamma", "factorial", "loggamma", "lgamma", "polygamma") and any(
            a.is_number and abs(float(a)) > MAX_FACTORIAL for a in arguments
        ):
            raise _Refused(f"{name!r} of a number above {MAX_FACTORIAL} is too large", self.at(node))
        try:
            return sympy.sympify(make(*arguments))
        except InputError as problem:
            raise _Refused(str(problem), self.at(node)) from None
        except (TypeError, ValueError):
            raise _Refused(f"{name!r} cannot take these arguments", self.at(node)) from None


def _power(base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr:
    """Return base**exponent where that is small enough to be meant; raises InputError otherwise."""
    if exponent.is_number:
        size = abs(float(exponent))
        if size > MAX_EXPONENT:
            raise InputError(f"the exponent {size:g} is above {MAX_EXPONENT}")
        if base.is_number:
            if base.is_zero and not (exponent.is_positive):
                raise InputError("zero has no such power")
            if size * abs(math.log2(abs(float(base)) or 1.0)) > MAX_BITS:
                raise InputError("the power of these numbers is too large")
        if base.is_Pow and base.exp.is_number and abs(float(base.exp)) * size > MAX_EXPONENT:
            raise InputError(f"the exponents multiply to more than {MAX_EXPONENT}")
    return sympy.Pow(base, exponent)

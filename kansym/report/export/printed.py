"""Languages that SymPy prints: JavaScript, Julia, Octave/MATLAB, R, Fortran, and SymPy's own code.

SymPy's printers do the writing; here stand only the names that each language has for functions, what a
printer would get wrong (15 digits of a constant, R's max of a whole vector, Julia's exact fractions), and the
lines around the formula. A function that a language lacks is refused by name; where a printer writes cbrt,
the cube root of a negative number is real.

Not printed by SymPy, and why: Python and numpy (its Max takes no mixed shapes, its LambertW is complex, it
has no dilogarithm, and a domain error stops instead of giving NaN), C (its Max drops NaN, and it names no
unknown function), Mathematica (no Piecewise), torch and JAX (constants there are parameters), Excel and
kansym's own text (SymPy has neither). Those are in `languages`. LaTeX is SymPy's (`functions.latex`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy.printing.fortran import FCodePrinter
from sympy.printing.jscode import JavascriptCodePrinter
from sympy.printing.julia import JuliaCodePrinter
from sympy.printing.octave import OctaveCodePrinter
from sympy.printing.rcode import RCodePrinter

from kansym.base.errors import InputError
from kansym.functions.parsing import symbols
from kansym.report.export.facts import Facts
from kansym.report.export.names import function_name, identifiers, known
from kansym.report.export.text import readable

_COMMON = "exp log sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh floor"
_RECIPROCAL = {
    sympy.cot: sympy.tan, sympy.sec: sympy.cos, sympy.csc: sympy.sin,
    sympy.coth: sympy.tanh, sympy.sech: sympy.cosh, sympy.csch: sympy.sinh,
}  # fmt: skip


def _same(words: str) -> dict[str, str]:
    return {word: word for word in words.split()}


class _Digits:
    """Write all digits of a constant; SymPy's printers write 15."""

    def _print_Float(self, e: sympy.Float) -> str:
        return repr(float(e))


def _nested(template: str, e: sympy.Piecewise, write: Callable[[Any], str]) -> str:
    """Return a Piecewise as calls, the last branch innermost."""
    *pairs, (last, _) = e.args
    text = write(last)
    for value, condition in reversed(pairs):
        text = template.format(condition=write(condition), value=write(value), rest=text)
    return text


class _JavaScript(_Digits, JavascriptCodePrinter):
    pass


class _Julia(_Digits, JuliaCodePrinter):
    def _print_Rational(self, e: sympy.Rational) -> str:
        return f"{e.p} / {e.q}"

    def _print_Max(self, e: sympy.Max) -> str:
        return f"max({', '.join(map(self._print, e.args))})"

    def _print_Min(self, e: sympy.Min) -> str:
        return f"min({', '.join(map(self._print, e.args))})"

    def _print_Piecewise(self, e: sympy.Piecewise) -> str:
        return _nested("ifelse({condition}, {value}, {rest})", e, self._print)


class _Octave(_Digits, OctaveCodePrinter):
    pass


class _R(_Digits, RCodePrinter):
    def _print_Max(self, e: sympy.Max) -> str:
        return f"pmax({', '.join(map(self._print, e.args))})"

    def _print_Min(self, e: sympy.Min) -> str:
        return f"pmin({', '.join(map(self._print, e.args))})"

    def _bessel(self, e: sympy.Expr) -> str:
        # R takes the order last
        order, u = map(self._print, e.args)
        return f"{LANGUAGES['r'].functions[type(e).__name__]}({u}, {order})"

    _print_besselj = _print_bessely = _print_besseli = _print_besselk = _bessel


class _Fortran(FCodePrinter):
    def _print_Float(self, e: sympy.Float) -> str:
        mantissa, _, exponent = repr(float(e)).partition("e")
        return f"{mantissa}d{exponent or 0}"

    def _print_Pi(self, _e: Any) -> str:
        return "3.14159265358979324d0"

    def _print_Exp1(self, _e: Any) -> str:
        return "2.71828182845904524d0"

    def _print_Piecewise(self, e: sympy.Piecewise) -> str:
        # merge needs both sides in one kind: integers become reals
        return _nested("merge({value}, {rest}, {condition})", e, self._real)

    def _real(self, e: sympy.Basic) -> str:
        return f"real({self._print(e)}, kind(1d0))" if isinstance(e, sympy.Expr) else str(self._print(e))

    def _print_Max(self, e: sympy.Max) -> str:
        return f"max({', '.join(map(self._real, e.args))})"

    def _print_Min(self, e: sympy.Min) -> str:
        return f"min({', '.join(map(self._real, e.args))})"

    def _wrap_fortran(self, lines: list[str]) -> list[str]:
        return lines  # broken where the frame is written

    def _print_sign(self, e: sympy.sign) -> str:
        u = self._print(e.args[0])
        return f"merge(0d0, sign(1d0, {u}), {u} == 0d0)"


@dataclass(frozen=True)
class Language:
    """Hold one language: its printer, its functions by SymPy's names, and the lines around a formula.

    `frame` takes the function's name, its arguments, the comment's lines and the formula.
    """

    name: str
    printer: Callable[[dict[str, Any]], Any]
    functions: dict[str, Any]
    frame: Callable[[str, Sequence[str], Sequence[str], str], str]
    settings: dict[str, Any] = field(default_factory=dict)


def _javascript(name: str, words: Sequence[str], comment: Sequence[str], formula: str) -> str:
    lines = "\n".join(f" * {line}".rstrip() for line in comment).replace("*/", "* /")
    return f"/**\n{lines}\n */\nfunction {name}({', '.join(words)}) {{\n  return {formula};\n}}\n"


def _commented(sign: str, comment: Sequence[str]) -> str:
    return "".join(f"{sign} {line}".rstrip() + "\n" for line in comment)


def _julia(name: str, words: Sequence[str], comment: Sequence[str], formula: str) -> str:
    code = f"function {name}({', '.join(words)})\n    return {formula}\nend\n"
    special = any(f"{f}(" in formula for f in _JULIA_SPECIAL.values())
    return _commented("#", comment) + ("using SpecialFunctions\n\n" if special else "\n") + code


def _octave(name: str, words: Sequence[str], comment: Sequence[str], formula: str) -> str:
    return f"function y = {name}({', '.join(words)})\n{_commented('%', comment)}  y = {formula};\nend\n"


def _r(name: str, words: Sequence[str], comment: Sequence[str], formula: str) -> str:
    return f"{_commented('#', comment)}{name} <- function({', '.join(words)}) {{\n  {formula}\n}}\n"


def _fortran(name: str, words: Sequence[str], comment: Sequence[str], formula: str) -> str:
    given = ", &\n    ".join(words)
    broken = " &\n    ".join(textwrap.wrap(formula, 100, break_long_words=False, break_on_hyphens=False))
    return (
        f"{_commented('!', [line[:120] for line in comment])}"
        f"pure elemental function {name}( &\n    {given}) result(value_of_{name})\n  implicit none\n"
        f"  real(kind(1d0)), intent(in) :: &\n    {given}\n  real(kind(1d0)) :: value_of_{name}\n"
        f"  value_of_{name} = &\n    {broken}\nend function {name}\n"
    )


_JULIA_SPECIAL = _same(
    "erf erfc gamma loggamma digamma besselj bessely besseli besselk airyai airybi airyaiprime airybiprime"
)
LANGUAGES = {
    language.name: language
    for language in (
        Language(
            "javascript",
            _JavaScript,
            {**{w: f"Math.{w}" for w in [*_COMMON.split(), "sign"]}, "ceiling": "Math.ceil",
             "Abs": "Math.abs", "Max": "Math.max", "Min": "Math.min"},
            _javascript,
        ),
        Language(
            "julia",
            _Julia,
            {**_same(_COMMON), "atan2": "atan", "ceiling": "ceil", "Abs": "abs", "sign": "sign", "Max": "max",
             "Min": "min", **_JULIA_SPECIAL},
            _julia,
        ),
        Language(
            "octave",
            _Octave,
            {**_same(f"{_COMMON} erf erfc gamma besselj bessely besseli besselk sign"), "ceiling": "ceil",
             "Abs": "abs", "loggamma": "gammaln", "digamma": "psi", "Max": "max", "Min": "min"},
            _octave,
        ),
        Language(
            "r",
            _R,
            {**_same(f"{_COMMON} sign gamma digamma"), "ceiling": "ceiling", "Abs": "abs",
             "loggamma": "lgamma", "Max": "pmax", "Min": "pmin",
             **{f"bessel{kind}": f"bessel{kind.upper()}" for kind in "jyik"}},
            _r,
        ),
        Language(
            "fortran",
            _Fortran,
            {**_same(f"{_COMMON} erf erfc gamma"), "ceiling": "ceiling", "Abs": "abs",
             "loggamma": "log_gamma", "sign": "sign", "Max": "max", "Min": "min"},
            _fortran,
            {"standard": 2008, "source_format": "free"},
        ),
    )
}  # fmt: skip
"""SymPy's printers with the functions that each language has."""


_PRINTED = ("Max", "Min", "sign", "besselj", "bessely", "besseli", "besselk")
"""Functions that the printers have methods for."""


def _elementary(expression: sympy.Expr) -> sympy.Expr:
    """Return the expression without the functions that no language has but all can say."""
    out = expression.replace(lambda e: type(e) in _RECIPROCAL, lambda e: 1 / _RECIPROCAL[type(e)](e.args[0]))
    out = out.replace(sympy.sinc, lambda u: sympy.Piecewise((1, sympy.Eq(u, 0)), (sympy.sin(u) / u, True)))
    out = out.replace(sympy.factorial, lambda u: sympy.gamma(u + 1))
    out = out.replace(lambda e: isinstance(e, sympy.Heaviside), _step)
    return out.replace(
        lambda e: isinstance(e, sympy.Piecewise) and e.args[-1].args[1] != sympy.true,
        lambda e: sympy.Piecewise(*e.args, (sympy.nan, True)),
    )


def _step(e: sympy.Expr) -> sympy.Expr:
    u, middle = e.args[0], e.args[1] if len(e.args) > 1 else sympy.Rational(1, 2)
    if middle == sympy.Rational(1, 2):
        return (1 + sympy.sign(u)) / 2
    return sympy.Piecewise((0, u < 0), (middle, sympy.Eq(u, 0)), (1, True), evaluate=False)


def write(
    language: str,
    expression: sympy.Expr,
    names: Sequence[str],
    facts: Facts | None = None,
    *,
    name: str = "law",
    digits: int | None = None,
) -> str:
    """Return a function in a language of `LANGUAGES`, with a comment that says where it was fitted.

    Raises InputError for a symbol that is no column and for a function that the language lacks.
    """
    to = LANGUAGES[language]
    known(expression, names)
    words = identifiers(names, language)
    formula = _elementary(sympy.sympify(expression))
    for head in sorted({type(e).__name__ for e in formula.atoms(sympy.Function, sympy.Max, sympy.Min)}):
        if head not in to.functions and head != "Piecewise":
            raise InputError(
                f"Function {head!r} has no counterpart in {language}; export to another target (numpy has "
                "all) or choose a law without it."
            )
    if digits is not None:
        formula = _cut(formula, digits)
    column = dict(zip((s.name for s in symbols(names)), words, strict=True))
    formula = formula.xreplace({s: sympy.Symbol(column[s.name], real=True) for s in formula.free_symbols})
    own = {k: v for k, v in to.functions.items() if k not in _PRINTED}
    text = to.printer({**to.settings, "user_functions": own}).doprint(formula)
    comment = (facts or Facts()).lines(readable(expression, names), names, words)
    return to.frame(function_name(name), words, comment, " ".join(str(text).replace("...\n", " ").split()))


def _cut(expression: sympy.Expr, digits: int) -> sympy.Expr:
    return expression.xreplace(
        {f: sympy.Float(f"{float(f):.{digits}g}") for f in expression.atoms(sympy.Float)}
    )


def to_sympy(
    expression: sympy.Expr,
    names: Sequence[str],
    facts: Facts | None = None,
    *,
    name: str = "law",
    digits: int | None = None,
) -> str:
    """Return Python code that builds the SymPy expression as `law`, one real symbol per column."""
    known(expression, names)
    formula = sympy.sympify(expression) if digits is None else _cut(expression, digits)
    real = {s.name: s for s in symbols(names)}
    formula = formula.xreplace({s: real[s.name] for s in formula.free_symbols})
    text = sympy.srepr(formula)
    code = "from sympy import *\n"
    if "ExprCondPair(" in text:
        code += "from sympy.functions.elementary.piecewise import ExprCondPair\n"
    return f"{code}\n{function_name(name)} = {text}\n"

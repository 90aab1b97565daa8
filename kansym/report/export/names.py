"""Column names to identifiers: any name in, a legal and unique one out."""

# ruff: noqa: SIM905 (tables of words read better as text)

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sympy

from kansym.base.errors import InputError
from kansym.functions.parsing import symbols

_C_WORDS = frozenset(
    (
        "auto break case char const continue default do double else enum extern float for goto if inline "
        "int long register restrict return short signed sizeof static struct switch typedef union "
        "unsigned void volatile while asm typeof bool true false main law larger smaller sign_of class "
        "new delete this template namespace private public protected operator using virtual try catch "
        "throw nullptr alignas alignof constexpr static_assert thread_local NAN INFINITY HUGE_VAL M_PI "
        "M_E I complex errno exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh "
        "cosh tanh asinh acosh atanh erf erfc gamma tgamma lgamma signgam j0 j1 jn y0 y1 yn sqrt cbrt "
        "pow fabs floor ceil round trunc fmod fmax fmin fdim fma hypot abs div exit free time near far "
        "rint scalb logb drem significand isnan isinf"
    ).split()
)
_MATHEMATICA_WORDS = frozenset(
    ("C D E I K N O Pi Degree GoldenRatio EulerGamma Catalan Infinity True False").split()
)
_PYTHON_WORDS = frozenset(
    (
        "math np special torch jax jnp sympy law Law nan exp sign self X theta range min max abs float pow"
    ).split()
)
_JAVASCRIPT_WORDS = frozenset(
    (
        "arguments async await break case catch class const continue debugger default delete do else enum "
        "eval export extends false finally for function if implements import in instanceof interface let "
        "new null package private protected public return static super switch this throw true try "
        "typeof var void while with yield undefined NaN Infinity Math Number law"
    ).split()
)
_MATHEMATICAL_WORDS = frozenset(
    (
        "abs acos acosh asin asinh atan atan2 atanh besselj bessely besseli besselk besselJ besselY besselI "
        "besselK break case catch ceil ceiling class const continue cos cosh digamma do else elseif erf erfc "
        "exp false floor for gamma gammaln ifelse if import in Inf law lgamma log loggamma log_gamma max min "
        "module NaN otherwise pmax pmin psi quote return sign sin sinh sqrt switch tan tanh true try using "
        "while"
    ).split()
)
"""Words of Julia, Octave, R and Fortran: functions that formulas call, and keywords that they share."""
_FORTRAN_WORDS = frozenset("merge real kind value_of_law function result pure elemental implicit".split())


def ascii_word(name: str) -> str:
    """Return a name in ASCII letters, digits and underscores; Greek letters are spelt out.

    >>> ascii_word("Δt"), ascii_word("x 1"), ascii_word("2θ")
    ('Deltat', 'x_1', '_2theta')
    """
    out = []
    for c in unicodedata.normalize("NFKD", name):
        if c.isascii():
            out.append(c if c.isalnum() else "_")
            continue
        called = re.fullmatch(
            r"GREEK (SMALL|CAPITAL) LETTER (?:FINAL )?(\w+)(?: WITH .*)?", unicodedata.name(c, "")
        )
        if called:
            out.append(called[2].lower() if called[1] == "SMALL" else called[2].capitalize())
        elif not unicodedata.combining(c):
            out.append(f"u{ord(c):x}" if c.isalnum() else "_")
    word = "".join(out) or "_"
    return "_" + word if word[0].isdigit() else word


def _python(name: str) -> str:
    word = unicodedata.normalize("NFKC", re.sub(r"\W", "_", name)) or "_"
    word = re.sub(r"\W", "_", word)
    word = word if word.isidentifier() else "_" + word
    if not word.isidentifier() or word.startswith("__"):
        word = ascii_word(name).lstrip("_") or "x"
        word = word if word.isidentifier() else "x" + word
    return word


def _c(name: str) -> str:
    # a leading underscore is the compiler's; Greek and others are spelt out
    word = ascii_word(name).lstrip("_") or "x"
    return "x" + word if word[0].isdigit() else word


def _mathematica(name: str) -> str:
    word = re.sub(r"[\W_]", "", ascii_word(name)) or "x"
    word = "x" + word if word[0].isdigit() else word
    # all of Mathematica's own names begin with a capital
    return word[0].lower() + word[1:] if word in _MATHEMATICA_WORDS or word[0].isupper() else word


def _fortran(name: str) -> str:
    # case means nothing there, and a name has at most 63 letters
    return _c(name).lower()[:50]


_RULES: dict[str, tuple[Callable[[str], str], frozenset[str]]] = {
    "python": (_python, _PYTHON_WORDS | frozenset(keyword.kwlist)),
    "c": (_c, _C_WORDS),
    "mathematica": (_mathematica, _MATHEMATICA_WORDS),
    "javascript": (_c, _JAVASCRIPT_WORDS),
    "julia": (_c, _MATHEMATICAL_WORDS | frozenset("begin end let local global struct im pi".split())),
    "octave": (_c, _MATHEMATICAL_WORDS | frozenset("end function y pi e i j eps ans until".split())),
    "r": (_c, _MATHEMATICAL_WORDS | frozenset("function next repeat TRUE FALSE NULL NA pi c T F".split())),
    "fortran": (_fortran, _MATHEMATICAL_WORDS | _FORTRAN_WORDS),
}
"""How each language makes a legal name, and the words that it keeps for itself."""


def identifiers(names: Iterable[str], language: str) -> tuple[str, ...]:
    """Return one identifier per name: all different, none a word of the language (a key of `_RULES`).

    >>> identifiers(["x 1", "x_1", "class", "E"], "python")
    ('x_1_2', 'x_1', 'class_', 'E')
    """
    make, words = _RULES[language]
    joint = "v" if language == "mathematica" else "_"
    names = [str(n) for n in names]
    made = [make(n) for n in names]
    # a column keeps its own name if that is legal; the others step aside
    taken = {m for n, m in zip(names, made, strict=True) if n == m}
    out = []
    for name, word in zip(names, made, strict=True):
        if name != word or word in words:
            base = word + (joint if word in words else "")
            between = "" if word in words else joint
            word, i = base, 2
            while word in taken or word in words:
                word, i = f"{base}{between}{i}", i + 1
            taken.add(word)
        out.append(word)
    return tuple(out)


def function_name(name: Any) -> str:
    """Return a name for a function; raises InputError where it is none in every language."""
    text = str(name)
    if not (text.isidentifier() and text.isascii()):
        raise InputError(f"{text!r} cannot name a function; use letters, digits and underscores.")
    return text


def known(expression: sympy.Expr, names: Sequence[str]) -> None:
    """Raise InputError where an expression uses a symbol that is no column."""
    columns = [s.name for s in symbols(names)]
    for symbol in sorted(expression.free_symbols, key=str):
        if symbol.name not in columns:
            raise InputError(
                f"The formula uses {symbol.name!r}, which is no column; the columns are {', '.join(columns)}."
            )


def excel_column(index: int) -> str:
    """Return the letters of a spreadsheet's column, counted from 0: A, B, ... Z, AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def cells(count: int, row: int = 2) -> Sequence[str]:
    """Return the cells A2, B2, ... of a row."""
    return [f"{excel_column(i)}{row}" for i in range(count)]

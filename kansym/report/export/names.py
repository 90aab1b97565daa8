"""Column names to identifiers: any name in, a legal and unique one out."""

# ruff: noqa: SIM905 (tables of words read better as text)

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence

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


def identifiers(names: Iterable[str], language: str) -> tuple[str, ...]:
    """Return one identifier per name: all different, none a word of the language (python, c, mathematica).

    >>> identifiers(["x 1", "x_1", "class", "E"], "python")
    ('x_1_2', 'x_1', 'class_', 'E')
    """
    make = {"python": _python, "c": _c, "mathematica": _mathematica}[language]
    words = {"python": _PYTHON_WORDS, "c": _C_WORDS, "mathematica": _MATHEMATICA_WORDS}[language]
    joint = "v" if language == "mathematica" else "_"
    names = [str(n) for n in names]
    made = [make(n) for n in names]
    # a column keeps its own name if that is legal; the others step aside
    taken = {m for n, m in zip(names, made, strict=True) if n == m}
    out = []
    for name, word in zip(names, made, strict=True):
        if name != word or word in words or (language == "python" and keyword.iskeyword(word)):
            illegal = word in words or (language == "python" and keyword.iskeyword(word))
            base = word + (joint if illegal else "")
            word, i = base, 2
            while word in taken or word in words:
                word, i = f"{base}{joint if not illegal else ''}{i}", i + 1
            taken.add(word)
        out.append(word)
    return tuple(out)


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

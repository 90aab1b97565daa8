"""Formulas in LaTeX mathematics, whatever the columns are called."""

# ruff: noqa: SIM905 (tables of words read better as text)

from __future__ import annotations

import re
import unicodedata

import sympy
from sympy.printing.latex import LatexPrinter


class Latex(LatexPrinter):
    """Write any column name, and constants with the digits asked for."""

    def __init__(self, digits: int | None) -> None:
        super().__init__()
        self.digits = digits

    def _print_Float(self, expr: sympy.Float) -> str:
        value = float(expr)
        text = repr(value) if self.digits is None else f"{value:.{self.digits}g}"
        mantissa, e, exponent = text.partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else text

    def _print_Symbol(self, expr: sympy.Symbol, style: str = "plain") -> str:
        name = str(expr.name)
        # mu_r, T_max, x1 and xdot are mathematics, semi_major_axis and gravity words; pi and e are read as
        # the numbers, so that a column of that name stands upright
        if _SIGN.fullmatch(name) and name not in ("pi", "e", "i"):
            return re.sub(r"(?<=[{ ])[A-Za-z]{2,}", r"\\mathrm{\g<0>}", str(super()._print_Symbol(expr)))
        text = "".join(_LATEX_SIGNS.get(c) or _greek(c) for c in name)
        return text.strip() if len(name) == 1 and text.startswith("\\") else rf"\mathrm{{{text}}}"


_LATEX_SIGNS = {
    **{c: "\\" + c for c in "#$%&_{}"},
    '"': "''", "\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim ", " ": r"\ ", "\n": r"\ ", "\t": r"\ ",
}  # fmt: skip


def _greek(c: str) -> str:
    """Return a Greek letter's name in LaTeX, other signs as they are."""
    called = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(c, ""))
    if not called:
        return c
    word = called[2].lower().replace("lamda", "lambda")
    if called[1] == "CAPITAL":
        word = word.capitalize()
    # those that look like Latin letters have no command of their own
    return f"\\{word} " if word in _GREEK_COMMANDS else c


_GREEK_COMMANDS = frozenset(
    (
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
        "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
    ).split()
)

_SIGN = re.compile(
    rf"([A-Za-z](dot|ddot|hat|bar|tilde|prime|vec)?|{'|'.join(sorted(_GREEK_COMMANDS))})\d*(_[A-Za-z0-9]+)*"
)
"""Names that are one sign, perhaps with an accent, numbered, with subscripts."""

"""How columns and units are written in pictures and pages: x_1, mu and m/s^2 as a scientist writes them.

Text in, text out: no formulas (these are `page.mathml` and `formula.expression.latex`).
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

GREEK = {
    unicodedata.name(chr(c)).removeprefix("GREEK SMALL LETTER ").lower().replace("lamda", "lambda"): chr(c)
    for c in range(0x3B1, 0x3CA)
    if c != 0x3C2  # final sigma
}
"""Greek letters by their English names."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")

_LETTER = rf"[^\W\d_]|{'|'.join(GREEK)}"
_SIGN = re.compile(rf"({_LETTER})(?:_?(\d+)|_([^\W_]{{1,8}}))?")
"""One letter, Greek ones by name, with a number or a short word below the line."""


@dataclass(frozen=True)
class Label:
    """Hold how a column is written: its letter or word, what stands below the line, and what follows."""

    stem: str
    below: str = ""
    behind: str = ""

    @property
    def is_sign(self) -> bool:
        """Tell whether it is one letter, which is set in italics; a word stands upright."""
        return len(self.stem) == 1

    @property
    def plain(self) -> str:
        """Return the label as plain text, its index in small letters where there are such."""
        small = self.below.translate(_LOWERED)
        there = not self.below or not any(c in self.below for c in small)
        return f"{self.stem}{small if there else '_' + self.below}{self.behind}"

    @property
    def markup(self) -> str:
        """Return the label as HTML, escaped."""
        stem, below, behind = map(html.escape, (self.stem, self.below, self.behind))
        sign = f"<i>{stem}</i>" if self.is_sign else stem
        return f"{sign}{f'<sub>{below}</sub>' if below else ''}{behind}"


def label(name: str, unit: str = "", said: str = "") -> Label:
    """Return how a column is written, with what is said of it and its unit behind it.

    >>> label("x_1", "m/s^2").plain, label("mu").plain, label("period", "d", ", measured").plain
    ('x₁ [m/s²]', 'μ', 'period, measured [d]')
    """
    stem, below = parted(name)
    return Label(stem or name, below, said + (f" [{units(unit)}]" if unit not in ("", "1") else ""))


def parted(name: str) -> tuple[str, str]:
    """Return the letter of a column's name and what stands below the line; empty for a word.

    >>> parted("x_1"), parted("lambda0"), parted("T_max"), parted("volume")
    (('x', '1'), ('λ', '0'), ('T', 'max'), ('', ''))
    """
    found = _SIGN.fullmatch(name)
    return (GREEK.get(found[1], found[1]), found[2] or found[3] or "") if found else ("", "")


def raised(number: str) -> str:
    """Return a whole number as it stands above the line."""
    return number.translate(_RAISED)


def units(text: str) -> str:
    """Return a unit with its whole powers above the line and dots between its factors.

    >>> units("kg*m**2/s^2"), units("m^(-1)"), units("mmol/L")
    ('kg·m²/s²', 'm⁻¹', 'mmol/L')
    """
    powers = re.sub(r"\s*(?:\*\*|\^)\s*(?:\((-?\d+)\)|(-?\d+)(?![\d.]))",
                    lambda found: raised(found[1] or found[2]), text)  # fmt: skip
    return re.sub(r"\s*(?<!\*)\*(?!\*)\s*", "·", powers)

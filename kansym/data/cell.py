"""One cell of a table: is there a number in it, in which writing, and what else stands there.

Columns of cells are `cells`' job.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SAID = (
    "na",
    "n/a",
    "nan",
    "-nan",
    "null",
    "none",
    "nil",
    "missing",
    "k.a.",
    "k. a.",
    "n.a.",
    "n. a.",
    "n.d.",
)
_FAILED = (
    "#n/a",
    "#na",
    "#div/0!",
    "#div/0",
    "#value!",
    "#wert!",
    "#ref!",
    "#bezug!",
    "#num!",
    "#zahl!",
    "#name?",
)
_MARKED = (
    "-",
    "--",
    "---",
    "–",
    "—",
    "−",
    ".",
    "..",
    "...",
    "…",
    "?",
    "*",
    "#null!",
    "nd",
    "s.d.",
    "entfällt",
)
GAPS = frozenset(("", *_SAID, *_FAILED, *_MARKED))
"""What stands in a cell without a number, in lower case: spreadsheets' errors, the usual words and marks."""

INFINITE = {"inf": np.inf, "infinity": np.inf, "∞": np.inf}
_SPACES = "\u00a0\u2007\u2009\u202f "
_MINUS = str.maketrans({"−": "-", "–": "-", "‐": "-", "‑": "-", "﹣": "-", "－": "-", "＋": "+"})
_RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_MONEY = (
    r"(?:[A-Z]{1,2})?[$€£¥₹₽₩₺₴]|zł|Kč|Ft\b"
    r"|(?:CHF|EUR|USD|GBP|JPY|CNY|INR|BRL|SEK|NOK|DKK|PLN|CZK|Rs|Fr|[Kk]r)\b\.?"
)
"""Signs and codes of currencies, before a number or behind it."""
_CELL = re.compile(
    rf"(?P<sign>[-+]?)\s*(?P<money>(?:{_MONEY})?)\s*(?P<after>[-+]?)\s*"
    rf"(?P<digits>(?:\d(?:[{_SPACES}'’_]?[\d.,])*[.,]?|[.,]\d+))"
    r"(?:(?:[eE](?=[-+]?\d)|[dD](?=[-+]\d))(?P<power>[-+]?\d{1,4})(?![\w])|\s*[×x·⋅*]\s*10\s*(?:\^|\*\*)?\s*(?P<ten>[-+]?\d{1,3}|[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))?"
    r"\s*(?P<rest>.*)",
    re.DOTALL,
)
_SPREAD = re.compile(
    r"(?P<value>.*?\d[.,]?)(?:\s*(?:±|\+/-|\+-)\s*(?P<error>\d[\d.,]*(?:[eE][-+]?\d{1,3})?)|\((?P<last>\d{1,3})\))"
    r"(?P<rest>\D.*)?",
    re.DOTALL,
)
"""A measurement with its error: 1.98 ± 0.05 mm, or 1.98(5), whose digits count in the last place."""
_FOOTNOTE = re.compile(r"\s*(?:\[\w{1,8}(?: \w{1,3})?\])*(?:\[\w{1,8}(?: \w{1,3})?\]|[†‡§*]+)$")
_QUOTED = re.compile(r"=?\"(.*)\"|[“„”](.*)[“”]|‘(.*)’|'(.*)'|«\s*(.*?)\s*»|'(?=[-+]?\d)(.*)", re.DOTALL)
"""A cell in quotes that a spreadsheet or a page put there, or with the apostrophe that marks text."""


@dataclass(frozen=True)
class Cell:
    """Hold one cell taken apart: sign, digits with their signs, power of ten, and the words behind.

    `error` is what follows a plus-minus sign, `last` the digits in brackets of a measurement like 1.98(5).
    """

    digits: str
    negative: bool
    power: int | None
    rest: str
    footnote: bool = False
    money: str = ""
    error: str = ""
    last: str = ""

    def deviation(self, decimal: str | None, thousands: str | None) -> float | None:
        """Return the measurement's own error with this decimal sign; None where the cell states none."""
        scale = float(f"1e{self.power or 0}")  # infinite beyond doubles, where 10.0**power is an error
        if self.last:
            places = len((_plain(self.digits, decimal, thousands) or "").partition(".")[2])
            error = int(self.last) * scale / 10.0**places
            return error if np.isfinite(error) else None
        digits, _, power = self.error.lower().partition("e")
        plain = _plain(digits, decimal, thousands) if digits else None
        if plain is None:
            return None
        error = float(f"{plain}e{power}") if power else float(plain) * scale
        return error if np.isfinite(error) else None

    def value(self, decimal: str | None, thousands: str | None) -> float | None:
        """Return the number with this decimal sign; None where it is not one then."""
        plain = _plain(self.digits, decimal, thousands)
        if plain is None:
            return None
        number = float(f"{plain}e{self.power}" if self.power is not None else plain)
        return -number if self.negative else number


def taken_apart(text: str) -> Cell | None:
    """Return a cell's parts, or None where it does not begin with a number."""
    text = unquoted(text).translate(_MINUS)
    bracketed = bool(re.fullmatch(r"\([^()]*\d[^()]*\)", text))
    negative = bracketed and not re.search(r"±|\+/-|\+-", text)  # as accountants write it
    if bracketed:
        text = text[1:-1].strip()
    spread = None if negative else _SPREAD.fullmatch(text)
    if spread is not None:
        rest = (spread["rest"] or "").strip()
        text = spread["value"] + (rest if re.match(r"[eE][-+]?\d", rest) else f" {rest}")
    found = _CELL.fullmatch(text)
    if found is None:
        return None
    rest = found["rest"].strip()
    bare = _FOOTNOTE.sub("", rest)
    power = found["power"] or (found["ten"] and found["ten"].translate(_RAISED))
    sign = (found["sign"] == "-") != (found["after"] == "-")
    if bare == "-" and not found["sign"]:  # 5-, as some old programs write -5
        sign, bare = True, ""
    money = found["money"]
    if re.fullmatch(_MONEY, bare):
        money, bare = money or bare, ""
    marked = bare != rest and not money
    error, last = ("", "") if spread is None else (spread["error"] or "", spread["last"] or "")
    exponent = int(power) if power else None
    return Cell(found["digits"], negative != sign, exponent, bare, marked, money, error, last)


def unquoted(text: str) -> str:
    """Return a cell's text without spaces and quotes around it: “3.5”, '3.5', ="3.5".

    >>> unquoted(' ="007" '), unquoted("“a”"), unquoted("5'")
    ('007', 'a', "5'")
    """
    text = text.strip()
    found = _QUOTED.fullmatch(text)
    return text if found is None else next(part for part in found.groups() if part is not None).strip()


def proved(cell: Cell) -> str:
    """Return the decimal sign that a cell proves; "whole", "none" for no number, "1.234?" or "1,234?"."""
    digits = cell.digits
    grouped = re.fullmatch(rf"(\d{{1,3}}(?:[{_SPACES}'’_]\d{{3}})+)([.,]\d*)?", digits)
    if grouped:
        return grouped[2][0] if grouped[2] else "whole"
    if re.search(rf"[{_SPACES}'’_]", digits):
        return "none"
    points, commas = digits.count("."), digits.count(",")
    if not points and not commas:
        return "whole"
    if points and commas:
        last = "." if digits.rfind(".") > digits.rfind(",") else ","
        return last if _plain(digits, last, None) is not None else "none"
    sign = "." if points else ","
    if max(points, commas) > 1:
        other = "," if points else "."
        return other if _plain(digits, other, None) is not None else "none"
    whole, _, part = digits.partition(sign)
    if len(part) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0") and cell.power is None:
        return f"1{sign}234?"
    return sign


def _plain(digits: str, decimal: str | None, thousands: str | None) -> str | None:
    """Return digits as float() reads them, or None where signs stand at places where they cannot."""
    decimal = decimal or "."
    whole, point, part = digits.partition(decimal)
    if not re.fullmatch(r"\d*", part) or not (whole or part):
        return None
    if not re.fullmatch(r"\d*", whole):
        signs = set(re.sub(r"\d", "", whole))
        usual = {*_SPACES, "'", "’", "_", "," if decimal == "." else "."}
        allowed = usual if thousands is None else {thousands}
        if len(signs) != 1 or not signs <= allowed:
            return None
        sign = re.escape(signs.pop())
        # 12,34,567 is how India writes it
        if not re.fullmatch(rf"\d{{1,3}}(?:{sign}\d{{3}})+|\d{{1,2}}(?:{sign}\d{{2}})+{sign}\d{{3}}", whole):
            return None
        whole = re.sub(r"\D", "", whole)
    return f"{whole or '0'}{'.' + part if point else ''}"


def is_gap(text: str) -> bool:
    """Tell whether a cell says that there is no number."""
    return unquoted(text).lower() in GAPS


def is_number(text: str) -> bool:
    """Tell whether a cell is a number in any writing, or a gap, or infinite."""
    text = text.strip()
    if text.lower() in GAPS or text.lower().lstrip("+-") in INFINITE:
        return True
    cell = taken_apart(text)
    return cell is not None and not cell.rest and proved(cell) != "none"


def evidence(texts: Sequence[str]) -> set[str]:
    """Return the decimal signs that cells prove, "1,5" a comma, and "1.234?" for one that may be either."""
    said: set[str] = set()
    for text in texts:
        cell = taken_apart(text)
        if cell is not None and (sign := proved(cell)) not in ("none", "whole"):
            said.add(sign)
    return said

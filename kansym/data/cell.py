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
    "n/v",
    "<na>",
    "(null)",
    "\\n",
    "-nan(ind)",
    "nan(ind)",
    "1.#qnan",
    "1.#ind",
    "-1.#ind",
    "no data",
    "nodata",
    "no value",
    "missing value",
    "not available",
    "not measured",
    "n.m.",
    "keine angabe",
    "o.a.",
    "bdl",
    "b.d.l.",
    "lod",
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
    ":",
    "#null!",
    "nd",
    "s.d.",
    "entfällt",
)
GAPS = frozenset(("", *_SAID, *_FAILED, *_MARKED))
"""What stands in a cell without a number, in lower case: spreadsheets' errors, the usual words and marks."""

_TOO_WIDE = re.compile(r"#{2,}")  # what a spreadsheet shows for a number wider than its column
_LIMIT = re.compile(r"\s*(?:[<>≤≥≪≫]=?|under|below|over|above|unter|über)\s*(?=[-+]?[.,]?\d)", re.IGNORECASE)
"""What stands before a number that is known only as smaller or larger than it."""
_ABOUT = re.compile(
    r"\s*(?:[~≈∼]|ca?\.|circa|approx\.?|about|etwa|env\.|rund)\s*(?=[-+]?[.,]?\d)", re.IGNORECASE
)

INFINITE = {"inf": np.inf, "infinity": np.inf, "∞": np.inf}
_SPACES = "\u00a0\u2007\u2009\u202f "
_MINUS = str.maketrans({"−": "-", "–": "-", "‐": "-", "‑": "-", "﹣": "-", "－": "-", "＋": "+",
                        "．": ".", "，": ",", "٫": ".", "٬": ","})  # fmt: skip
_RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_MONEY = (
    r"(?:[A-Z]{1,2})?[$€£¥₹₽₩₺₴]|zł|Kč|Ft\b"
    r"|(?:CHF|EUR|USD|GBP|JPY|CNY|INR|BRL|SEK|NOK|DKK|PLN|CZK|Rs|Fr|[Kk]r)\b\.?"
)
"""Signs and codes of currencies, before a number or behind it."""
_DECIMALS = "|".join(rf"(?<=[.]\d{{{count}}})" for count in range(3, 18))
"""Three and more decimals: 1.234-103 is how Fortran writes 1.234e-103."""
_BARE_TEN = re.compile(r"^([-+]?)10\s*(?:\^|\*\*|(?=[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]))")
"""A power of ten without a factor, 10^-3."""
_RAISED_POINT = re.compile(r"(?<=\d)·(?!10\b)(?=\d)")
"""A decimal point as some journals print it, 1·5."""
_CELL = re.compile(
    rf"(?P<sign>[-+]?)\s*(?P<money>(?:{_MONEY})?)\s*(?P<after>[-+]?)\s*"
    rf"(?P<digits>(?:\d(?:[{_SPACES}'’_]?[\d.,])*[.,]?|[.,]\d+))"
    rf"(?:(?:[eE](?=[-+]?\d)|\s?[eEdD](?=[-+]\d)|(?:{_DECIMALS})(?=[-+][1-3]\d\d$))(?P<power>[-+]?\d{{1,4}})(?:(?!\w)|(?<=[eE][-+]\d\d))"
    r"|\s*[×x·⋅*]\s*10\s*(?:\^|\*\*)?\s*(?P<ten>[-+]?\d{1,3}|[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))?"
    r"\s*(?P<rest>.*)",
    re.DOTALL,
)
_SPREAD = re.compile(
    r"(?P<value>.*?\d[.,]?)(?:\s*(?:±|\+/-|\+-)\s*(?P<error>\d[\d.,]*(?:[eE][-+]?\d{1,3})?)"
    r"|\s*\+\s?(?P<up>\d[\d.,]*)\s*[/,]?\s*-\s?(?P<down>\d[\d.,]*)|\((?P<last>\d{1,3})\))"
    r"(?P<rest>\D.*)?",
    re.DOTALL,
)
"""A measurement with its error: 1.98 ± 0.05 mm, 1.98 +0.05/-0.04, or 1.98(5), whose digits count in the last
place."""
_WRAPPED = re.compile(r"\(([^()]*(?:±|\+/-|\+-)[^()]*)\)(.*)", re.DOTALL)
_BETWEEN = r"[-+]?\d[\d.,]*\s*(?:-|to|bis|,|;|\.\.)\s*[-+]?\d[\d.,]*"
_INTERVAL = re.compile(rf"(?<=\d)\s*(?:\({_BETWEEN}\)|\[{_BETWEEN}\])$")
"""The interval behind a value, 2.1 (1.9-2.3)."""
_FOOTNOTE = re.compile(
    r"\s*(?:\[\w{1,8}(?: \w{1,3})?\])*"
    r"(?:\[(?P<held>[\w/°µ^]{1,8}(?: \w{1,3})?)\]|[†‡§*]+|\([a-z]{1,2}\)|(?<!\w)(?:st|nd|rd|th)\b)$"
)
_QUOTED = re.compile(r"=?\"(.*)\"|[“„”](.*)[“”]|‘(.*)’|'(.*)'|«\s*(.*?)\s*»|'(?=[-+]?\d)(.*)", re.DOTALL)
"""A cell in quotes that a spreadsheet or a page put there, or with the apostrophe that marks text."""


@dataclass(frozen=True)
class Cell:
    """Hold one cell taken apart: sign, digits with their signs, power of ten, and the words behind.

    `error` is what follows a plus-minus sign, two parted by a blank where those above and below differ,
    `last` the digits in brackets of a measurement like 1.98(5). `mark` is what stands in a footnote's
    brackets; `wrapped` says that brackets are around number and error, so that what follows belongs to both;
    `between` that an interval follows.
    """

    digits: str
    negative: bool
    power: int | None
    rest: str
    footnote: bool = False
    money: str = ""
    error: str = ""
    last: str = ""
    mark: str = ""
    wrapped: bool = False
    between: bool = False

    def deviation(self, decimal: str | None, thousands: str | None) -> float | None:
        """Return the measurement's own error with this decimal sign; None where the cell states none."""
        scale = float(f"1e{self.power or 0}")  # infinite beyond doubles, where 10.0**power is an error
        if self.last:
            places = len((_plain(self.digits, decimal, thousands) or "").partition(".")[2])
            error = int(self.last) * scale / 10.0**places
            return error if np.isfinite(error) else None
        found = []
        for side in self.error.lower().split():
            digits, _, power = side.partition("e")
            plain = _plain(digits, decimal, thousands)
            if plain is None:
                return None
            found.append(float(f"{plain}e{power}") if power else float(plain) * scale)
        error = sum(found) / len(found) if found else np.nan
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
    if is_limit(text):
        return None
    about, between = _ABOUT.match(text), _INTERVAL.search(text)
    text = text[about.end() if about else 0 : between.start() if between else None]
    text = _RAISED_POINT.sub(".", text)
    text = _BARE_TEN.sub(r"\g<1>1×10^", text)
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped is not None:
        text = f"{wrapped[1].strip()} {wrapped[2].strip()}".strip()
    negative = bool(re.fullmatch(r"\([^()]*\d[^()]*\)", text))  # as accountants write it
    if negative:
        text = text[1:-1].strip()
    spread = None if negative else _SPREAD.fullmatch(text)
    if spread is not None:
        rest = (spread["rest"] or "").strip()
        text = spread["value"] + (rest if re.match(r"[eE][-+]?\d", rest) else f" {rest}")
    found = _CELL.fullmatch(text)
    if found is None:
        return None
    rest = found["rest"].strip()
    noted = _FOOTNOTE.search(rest)
    bare = rest[: noted.start()] if noted else rest
    power = found["power"] or (found["ten"] and found["ten"].translate(_RAISED))
    sign = (found["sign"] == "-") != (found["after"] == "-")
    if bare == "-" and not found["sign"]:  # 5-, as some old programs write -5
        sign, bare = True, ""
    money = found["money"]
    if re.fullmatch(_MONEY, bare):
        money, bare = money or bare, ""
    return Cell(
        digits=found["digits"],
        negative=negative != sign,
        power=int(power) if power else None,
        rest=bare,
        footnote=bool((bare != rest and not money) or about),
        money=money,
        error="" if spread is None else " ".join(spread[n] for n in ("error", "up", "down") if spread[n]),
        last="" if spread is None else spread["last"] or "",
        mark=(noted["held"] or "") if noted else "",
        wrapped=wrapped is not None,
        between=between is not None,
    )


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
    text = unquoted(text).lower()
    return text in GAPS or _TOO_WIDE.fullmatch(text) is not None


def is_limit(text: str) -> bool:
    """Tell whether a cell says no more of a number than a bound: <0.01, > 200."""
    return _LIMIT.match(text) is not None


def is_number(text: str) -> bool:
    """Tell whether a cell is a number in any writing, or a gap, or infinite."""
    text = text.strip()
    if is_gap(text) or is_limit(text) or text.lower().lstrip("+-") in INFINITE:
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

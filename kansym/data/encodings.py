"""Bytes as text: which encoding a file is in, told by its bytes, and said where it is not UTF-8.

This room knows nothing of tables. Texts of two and four bytes a letter, and those of East Asia, whose second
byte may look like a delimiter, come back in UTF-8.
"""

from __future__ import annotations

import codecs
import re

from kansym.base.errors import FormatError

LOOKED_AT = 1 << 16
"""Bytes from which the encoding is told."""

EAST_ASIAN = {
    "cp932": "Japanese (Shift-JIS)",
    "euc_jp": "Japanese (EUC)",
    "gb18030": "Chinese (GB 18030)",
    "big5": "Chinese (Big5)",
    "euc_kr": "Korean",
}
"""Encodings of two bytes a letter that programs of East Asia write, and what people call them."""

MOST_MIXED = 1 / 3
"""Share of words of letters that never stand side by side above which a text is in another encoding:
"Größe" would be g, r, one Chinese letter, e; but names in Chinese hold such words now and then (pH值)."""

_ASIAN = "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uff66-\uff9f"
_WORDS = re.compile(rf"[A-Za-z{_ASIAN}]*[{_ASIAN}][A-Za-z{_ASIAN}]*")
_APART = (
    ("[A-Za-z]", f"[{_ASIAN}]"),
    ("[\uac00-\ud7a3]", "[\u3040-\u30ff\u4e00-\u9fff]"),
    ("[\uff66-\uff9f]", "[\u3040-\u30ff\u4e00-\u9fff]"),
)
"""Letters that words do not mix: Latin and others, Korean and Chinese, Japanese of half width and others."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def plain(raw: bytes, source: str, notes: list[str]) -> tuple[bytes, str]:
    """Return a text's bytes, in UTF-8 where its letters took several bytes otherwise, and their encoding.

    Raises FormatError for bytes that are no text, or that end within a letter.
    """
    wide = _wide(raw)
    if wide is not None:
        return _utf8(raw, wide, source), "utf-8"
    if b"\0" in raw:
        raise FormatError(f"File {source} is not text (it has zero bytes); give CSV, TSV or Parquet.")
    try:
        raw.decode("utf-8-sig")
        return raw, "utf-8-sig"
    except UnicodeDecodeError:
        pass
    if _is_cyrillic(raw):
        notes.append("not UTF-8: read as Cyrillic as Windows has it")
        return raw, "cp1251"
    asian = _east_asian(raw)
    if asian is not None:
        notes.append(f"not UTF-8: read as {EAST_ASIAN[asian]}; where names look wrong, save it as UTF-8")
        return raw.decode(asian).encode("utf-8"), "utf-8"
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        notes.append("not UTF-8: read as Latin-1; where names look wrong, save it as UTF-8")
        return raw, "latin-1"
    notes.append("not UTF-8: read as Latin-1 as Windows has it; where names look wrong, save it as UTF-8")
    return raw, "cp1252"


def _wide(raw: bytes) -> str | None:
    """Return the encoding of a text of two or four bytes a letter, by its mark or its zero bytes."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    head = raw[:LOOKED_AT]
    if len(head) < 8 or len(raw) % 2:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    for zeros, others, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if not others and 2 * zeros > len(head) // 2:  # digits and delimiters, of which tables are made
            return encoding
    return None


def _utf8(raw: bytes, encoding: str, source: str) -> bytes:
    """Return a text in UTF-8."""
    try:
        return raw.decode(encoding).lstrip("\ufeff").encode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"File {source} ends within a letter of {encoding}; copy it again.") from None


def _east_asian(raw: bytes) -> str | None:
    """Return the encoding of East Asia in which a text's words are words; None where there is none.

    Of several, the letters decide which are usual in which tongue.
    """
    from charset_normalizer import from_bytes

    fit = [encoding for encoding in EAST_ASIAN if _is_words(raw, encoding)]
    if len(fit) < 2:
        return fit[0] if fit else None
    lines = b"\n".join(line for line in raw[: 1 << 20].splitlines() if max(line, default=0) > 0x7F)
    best = from_bytes(lines[:LOOKED_AT], cp_isolation=fit).best()
    return best.encoding if best is not None and best.encoding in fit else fit[0]


def _is_words(raw: bytes, encoding: str) -> bool:
    """Tell whether bytes are text in an encoding, with nothing beyond ASCII but words of East Asia."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    words = _WORDS.findall(text)
    mixed = sum(any(re.search(a, word) and re.search(b, word) for a, b in _APART) for word in words)
    known = re.compile(rf"[{_ASIAN}\uff21-\uff5a\x00-\x7f]")
    others = any(letter.isalpha() and not known.match(letter) for letter in set(text))
    long = any(len(re.sub("[A-Za-z]", "", word)) > 1 for word in words)  # "°C" would be one letter
    return long and not others and mixed <= MOST_MIXED * len(words)


def _is_cyrillic(raw: bytes) -> bool:
    """Tell whether bytes are Cyrillic words: letters side by side, small ones behind the first of a word."""
    words = re.findall(rb"[\x80-\xff]{2,}", raw[:LOOKED_AT])
    letters = [word.decode("cp1251", errors="replace") for word in words]
    fit = sum(bool(re.fullmatch(r"[А-ЯЁІЇЄа-яёіїє][а-яёіїє]+|[А-ЯЁІЇЄ]+", word)) for word in letters)
    return len(words) >= 2 and fit >= 0.9 * len(words)

"""Words and letters behind the numbers of a column that are no units: marks, and words for thousands.

This room knows the words of a column with the count of each; "" stands for numbers alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MULTIPLES = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
"""Letters behind numbers that stand for thousands, millions, ... where a k, or K and M, is among them."""

WORDS = {
    **dict.fromkeys(("thousand", "tausend", "tsd."), 1e3),
    **dict.fromkeys(("million", "millions", "mio", "mio.", "mill.", "mn", "millionen"), 1e6),
    **dict.fromkeys(("billion", "billions", "bn", "mrd", "mrd.", "milliarden"), 1e9),
    **dict.fromkeys(("trillion", "trillions", "tn", "billionen"), 1e12),
}
"""Words behind numbers that multiply them, in lower case."""

GROUPS = "abcdefghijklm"
"""Letters of groups that a test does not tell apart; few tables have more."""


def are_words_of_size(held: Mapping[str, int]) -> bool:
    """Tell whether nothing but words for thousands and millions stands behind numbers."""
    return any(held) and all(not word or word.lower() in WORDS for word in held)


def are_marks(held: Mapping[str, int], starred: bool) -> bool:
    """Tell whether letters behind numbers are marks and not units.

    Such are the letters of groups that tests tell apart (a, ab, b, c), ns where others have stars
    (`starred`), and several letters behind fewer than half of the numbers, as statistics mark what is
    provisional or revised.

    >>> are_marks({"a": 2, "ab": 1, "b": 1}, False), are_marks({"m": 2, "cm": 1}, False)
    (True, False)
    """
    words = {word for word in held if word}
    letters = "".join(sorted(set("".join(words))))
    groups = len(letters) > 1 and GROUPS.startswith(letters) and all(word in GROUPS for word in words)
    single = len(words) > 1 and all(re.fullmatch("[a-z]", word) for word in words)
    rare = single and 2 * held.get("", 0) > sum(held.values())
    return bool(words) and ((starred and words <= {"ns", "n.s."}) or groups or rare)

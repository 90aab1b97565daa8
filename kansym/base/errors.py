"""Errors that a person reads: value, rule and remedy on one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """Return "1 row", "2 rows"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shown(value: object) -> str:
    """Return a value between quotes, cut where it is long."""
    text = str(value)
    return repr(text if len(text) <= 40 else text[:39] + "…")


def placed(names: Iterable[object], values: Iterable[float]) -> str:
    """Return "x = 1.5, y = 2": where something is, by the names of the columns."""
    return ", ".join(f"{name} = {value:.4g}" for name, value in zip(names, values, strict=True))


class KansymError(Exception):
    """Report a problem that a person can mend; the command line prints it and exits 2."""


class InputError(KansymError, ValueError):
    """Report a value that breaks a rule: say the value, the rule and the remedy."""


class DomainError(InputError):
    """Report a function used where it is not defined."""


class UnknownNameError(InputError):
    """Report a name that is not known, with the nearest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        """Write the message, with the names meant or all of a few."""
        known = [str(k) for k in known]
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
        if near:
            hint = "did you mean " + " or ".join(repr(n) for n in near) + "?"
        elif not known:
            hint = "there is none."
        elif len(known) <= 12:
            hint = "known: " + ", ".join(known) + "."
        else:
            hint = f"{len(known)} are known."
        super().__init__(f"No {kind} is named {name!r}; {hint}" + (f" {remedy}" if remedy else ""))


class FormatError(KansymError, ValueError):
    """Report a file whose content or version cannot be read."""

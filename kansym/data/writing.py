"""How a table is written, as far as a person says: the signs in its numbers, the order in its dates."""

from __future__ import annotations

from dataclasses import dataclass

from kansym.base.errors import InputError

WRITING = ("decimal", "thousands", "dates")
"""What can be said, by the names that commands, estimators and the studio have for it."""


@dataclass(frozen=True)
class Writing:
    """Say how numbers are written: the decimal sign, and the thousands sign where one is given.

    `given` says that a person chose, so that nothing else is read; otherwise these are what the table as a
    whole suggests for a column that does not tell by itself. None: not known.
    """

    decimal: str | None = None
    thousands: str | None = None
    given: bool = False

    @staticmethod
    def of(decimal: str | None, thousands: str | None) -> Writing:
        """Return a person's choice; raises InputError for signs that cannot be."""
        for name, sign, known in (
            ("decimal", decimal, (".", ",")),
            ("thousands", thousands, (".", ",", " ", "'", "")),
        ):
            if sign is not None and sign not in known:
                shown = ", ".join(repr(k) for k in known)
                raise InputError(f"{name} is {sign!r}; it must be one of {shown}.")
        if decimal is not None and decimal == thousands:
            raise InputError(f"decimal and thousands are both {decimal!r}; give two different signs.")
        if decimal is None and thousands in (".", ","):
            decimal = "," if thousands == "." else "."
        return Writing(decimal, thousands, decimal is not None or thousands is not None)

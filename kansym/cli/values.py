"""What options and arguments accept: finite numbers and named places, where click would take NaN and ''."""

from __future__ import annotations

import math
import os
from typing import Any

import click


class Number(click.FloatRange):
    """A number in a range; NaN, which is in none, and infinity are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(
                f"{value} is no finite number; leave the option out where nothing limits it.", param, ctx
            )
        return number


class Place(click.Path):
    """A file or folder; the empty name, which would be the working folder, is refused."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Return the path."""
        if str(value) == "":
            self.fail("'' names no place; write a name, or . for the folder you are in.", param, ctx)
        return super().convert(value, param, ctx)

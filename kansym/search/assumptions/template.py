"""A person's hypothesis as a formula with unknown functions, read: y = f(x1)*g(x2) + h, f, g and h unknown.

Not here: what fills it in (`filling`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from kansym.base.errors import InputError, UnknownNameError
from kansym.functions.parsing import CONSTANTS, FUNCTIONS, names_in, parse_expression, symbols


@dataclass(frozen=True)
class Unknown:
    """Hold an unknown function: its name, the symbol of its value, and the formulas of its arguments."""

    name: str
    value: sympy.Symbol
    arguments: tuple[sympy.Expr, ...]


@dataclass(frozen=True)
class Template:
    """Hold a formula over columns, values of unknown functions, and unknown constants."""

    expression: sympy.Expr
    columns: tuple[str, ...]
    unknowns: tuple[Unknown, ...]
    constants: tuple[sympy.Symbol, ...]

    @staticmethod
    def parse(text: str, names: Sequence[str], target: str = "y") -> Template:
        """Read "y = f(x1)*g(x2) + h" (the left side may be left out).

        A function that is not known is one to be found; so is a name that is no column, as a constant.
        Raises InputError for what is no such formula.

        >>> template = Template.parse("y = f(a)*sin(b) + h", ["a", "b", "c"])
        >>> [u.name for u in template.unknowns], [str(c) for c in template.constants], template.columns
        (['f'], ['h'], ('a', 'b'))
        """
        left, equals, right = str(text).partition("=")
        if equals and left.strip().strip("`") != target:
            raise UnknownNameError("target", left.strip(), [target], "It stands left of the template's '='.")
        body = right if equals else left
        called, alone = names_in(body)
        wanted = [n for n in called if n not in FUNCTIONS and n not in names]
        known = {*names, *CONSTANTS, *FUNCTIONS}
        letters = [n for n in alone if n not in known]
        for letter in letters:
            if letter in wanted:
                raise InputError(f"{letter!r} is both a function and a constant of the template; rename one.")
        found: dict[str, Unknown] = {}

        def maker(name: str) -> Any:
            """Return what stands for an unknown function while the text is read."""

            def make(*arguments: sympy.Expr) -> sympy.Expr:
                """Return the symbol of an unknown function's value; refuse a second set of arguments."""
                mine = Unknown(name, sympy.Symbol(f"\0{name}", real=True), arguments)
                if found.setdefault(name, mine) != mine:
                    raise InputError(f"function {name!r} has two different arguments; name them f and g")
                return mine.value

            return make

        whole = parse_expression(body, [*names, *letters], {n: maker(n) for n in wanted})
        free = {*symbols(letters), *(u.value for u in found.values())}
        for unknown in found.values():
            if not unknown.arguments:
                raise InputError(f"Function {unknown.name!r} has no argument; write {unknown.name}(column).")
            for argument in unknown.arguments:
                inside = argument.free_symbols & free
                if inside or not argument.free_symbols:
                    held = min((str(s) for s in inside), default="")[-20:].strip(chr(0))
                    what = f"holds {held!r}" if inside else "is a number"
                    raise InputError(
                        f"An argument of {unknown.name!r} {what}; arguments are formulas of columns only."
                    )
        if not found:
            raise InputError(
                f"Template {text!r} has no unknown function; write f(column) for one, or give it as a guess."
            )
        used = whole.free_symbols.union(*(a.free_symbols for u in found.values() for a in u.arguments))
        return Template(
            whole,
            tuple(n for n, s in zip(names, symbols(names), strict=True) if s in used),
            tuple(found.values()),
            tuple(s for s in symbols(letters) if s in whole.free_symbols),
        )

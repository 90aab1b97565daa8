"""What a person assumes about a law, as short texts that can be combined.

    x1 - x2             these inputs enter only through this formula (a difference, ratio, product, ...)
    linear: x3          this input is added with a constant factor and enters nowhere else
    last: exp           the outermost function is this one
    only: sin, exp      no other functions are used
    y = f(x1)*g(x2)     the whole form, with unknown functions and constants (see `template`)

All but `only` become one template: y = last(f(formulas, other inputs) + c·x3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from kansym.base.errors import InputError, UnknownNameError
from kansym.functions.parsing import FUNCTIONS, format_expression, names_in, parse_expression, quote, symbols

KINDS = ("linear", "last", "only")


@dataclass(frozen=True)
class Hypotheses:
    """Hold what is assumed: formulas that inputs enter through, linear inputs, functions, a whole form."""

    names: tuple[str, ...]
    combined: tuple[sympy.Expr, ...] = ()
    linear: tuple[str, ...] = ()
    last: str | None = None
    only: tuple[str, ...] = ()
    form: str | None = None

    @staticmethod
    def parse(texts: str | Sequence[str], names: Sequence[str]) -> Hypotheses:
        """Read hypotheses about columns `names`; raises InputError for what is none, or contradicts another.

        >>> h = Hypotheses.parse(["a/b", "linear: c", "last: exp"], ["a", "b", "c", "d"])
        >>> h.template
        'exp(f(a/b, d) + c1*c)'
        """
        combined: list[sympy.Expr] = []
        linear: list[str] = []
        only: list[str] = []
        last = form = None
        for text in [texts] if isinstance(texts, str) else texts:
            kind, colon, rest = (part.strip() for part in str(text).partition(":"))
            if not colon:
                if "=" in kind or _unknown(kind, names):
                    _once(form, "a whole form", text)
                    form = kind
                else:
                    combined.append(_combination(kind, names))
            elif kind == "linear":
                linear += [_column(n, names) for n in _list(rest, text)]
            elif kind == "last":
                _once(last, "a last function", text)
                last = _function(rest)
            elif kind == "only":
                only += _list(rest, text)
            else:
                raise UnknownNameError("kind of hypothesis", kind, KINDS)
        found = Hypotheses(
            tuple(names), tuple(combined), tuple(dict.fromkeys(linear)), last, tuple(only), form
        )
        found._agree()
        return found

    @property
    def rest(self) -> tuple[str, ...]:
        """Return the columns about which nothing is assumed."""
        used = {s.name for e in self.combined for s in e.free_symbols} | set(self.linear)
        return tuple(n for n in self.names if n not in used)

    @property
    def arguments(self) -> tuple[sympy.Expr, ...]:
        """Return what the unknown function takes: the formulas, then the columns left."""
        return (*self.combined, *symbols(self.rest))

    @property
    def template(self) -> str | None:
        """Return the form that a law must have, as text for `template`; None where any form will do."""
        if self.form is not None or not (self.combined or self.linear or self.last):
            return self.form
        taken = set(self.names)
        f = _fresh("f", taken)
        body = f"{f}({', '.join(format_expression(a) for a in self.arguments)})"
        body += "".join(f" + {_fresh('c1', taken)}*{quote(n)}" for n in self.linear)
        return body if self.last is None else f"{self.last}({body})"

    def _agree(self) -> None:
        """Refuse hypotheses that exclude each other."""
        if self.form is not None and (self.combined or self.linear or self.last):
            raise InputError(
                f"The form {self.form!r} says everything; leave other hypotheses out, or write them into it."
            )
        for name in self.linear:
            if any(s.name == name for e in self.combined for s in e.free_symbols):
                raise InputError(
                    f"Column {name!r} is linear and inside a formula, which exclude each other; choose one."
                )
        if self.linear and not self.arguments:
            raise InputError(
                "Every input is linear, so no function is left to find; no hypothesis is needed."
            )


def _unknown(text: str, names: Sequence[str]) -> bool:
    """Tell whether a formula calls a function that is not known: one to be found."""
    return any(n not in FUNCTIONS and n not in names for n in names_in(text)[0])


def _once(before: object, what: str, text: str) -> None:
    """Refuse a second hypothesis of a kind that may stand once."""
    if before is not None:
        raise InputError(f"Hypothesis {text!r} is {what}, and there is one already ({before!r}); give one.")


def _list(text: str, whole: str) -> list[str]:
    """Return the names between commas; raises InputError for none."""
    parts = [p.strip().strip("`") for p in text.split(",") if p.strip()]
    if not parts:
        raise InputError(
            f"Hypothesis {whole!r} names nothing after the colon; write for instance 'linear: x'."
        )
    return parts


def _column(name: str, names: Sequence[str]) -> str:
    """Return a column's name; raises UnknownNameError."""
    if name not in names:
        raise UnknownNameError("column", name, names)
    return name


def _combination(text: str, names: Sequence[str]) -> sympy.Expr:
    """Return a formula of columns; raises InputError for a single column or a number."""
    formula = parse_expression(text, names)
    if not formula.free_symbols or formula.is_Symbol:
        raise InputError(
            f"Hypothesis {text!r} combines nothing; write a formula of columns, such as 'x1 - x2', or "
            "'linear: x1', 'last: exp', 'only: sin'."
        )
    return formula


def _function(name: str) -> str:
    """Return the name of a function of one argument; raises for others."""
    if name not in FUNCTIONS:
        raise UnknownNameError("function", name, FUNCTIONS)
    if FUNCTIONS[name][0] != 1:
        raise InputError(f"Function {name!r} takes more than one argument, so it cannot be the last one.")
    return name


def _fresh(name: str, taken: set[str]) -> str:
    """Return a name that no column has, and take it."""
    stem = name.rstrip("0123456789")
    number = 1
    while name in taken or name in FUNCTIONS:
        number += 1
        name = f"{stem}{number}"
    taken.add(name)
    return name

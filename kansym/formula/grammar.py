"""A formula as a person writes it: one token for each sign on paper, with the place where it stands.

SymPy keeps a quotient as a product with negative powers and spreads (a/b)² over its factors; people do
neither. The tokens are what a prior over formulas counts (`prior`). Not here: what a token costs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import sympy

GROUPS = {
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan"), "wave"),
    **dict.fromkeys(("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"), "hyperbolic"),
    "exp": "exp",
    "log": "log",
}
"""Functions that are alike in what stands inside them; any other is a group "other"."""

MOST_ONES = 2
"""Constants of one form, at most, that are looked at as ones."""

MODE = "*(c,exp(*(c,x)))"
"""The form of an exponential, growing or decaying."""

PLAIN_NUMBERS = (1, 2, 3, 4)
"""Whole numbers with a token of their own; all others are "number"."""


class Place(NamedTuple):
    """Hold where a token stands: directly under `parent`, somewhere inside a function of group `inside`."""

    parent: str
    inside: str


@dataclass(frozen=True)
class Token:
    """Hold one sign of a written formula and its place; `column` names the input it is, if it is one."""

    sign: str
    place: Place
    column: str = ""


def tokens(expression: sympy.Expr) -> tuple[Token, ...]:
    """Return the signs of a formula from the outside in; a column's second mention is the sign "again".

    >>> x, y = sympy.symbols("x y", real=True)
    >>> [t.sign for t in tokens(sympy.Float(2.5) * x / sympy.exp(-(y**2)))]
    ['*', '*', 'measured', 'column', 'exp', '^2', 'column']
    """
    seen: set[str] = set()
    out = []
    for token in _signs(expression, Place("root", "none")):
        if token.column in seen:
            token = Token("again", token.place, token.column)
        elif token.column:
            seen.add(token.column)
        out.append(token)
    return tuple(out)


def structure(expression: sympy.Expr) -> str:
    """Return a formula's form without its columns' names and its measured constants' values and signs.

    Equal for formulas that differ in these alone; the number of columns is part of it.

    >>> x, t = sympy.symbols("x t", real=True)
    >>> structure(3.1 * sympy.exp(-0.5 * x) + 2.0) == structure(sympy.exp(1.5 * t) * 7.3 - 4.0)
    True
    """
    return f"{_shape(expression)}|{len(expression.free_symbols)}"


def form(expression: sympy.Expr) -> str:
    """Return a formula's form with its columns' names, the same whether its numbers are exact or measured.

    >>> x = sympy.Symbol("x", real=True)
    >>> form(2 * x + 10 + 13.1 / x) == form(2.09922 * x + 9.6 + 13.3 / x) != form(2.1 * x + 9.6 * x**2)
    True
    """
    measured = {q: sympy.Float(float(q)) for q in expression.atoms(sympy.NumberSymbol)}
    return _shape(loose(expression.xreplace(measured)).form, named=True)


@dataclass(frozen=True)
class Loose:
    """Hold a formula with its exact numbers as measured ones, and those numbers, by what they do."""

    form: sympy.Expr
    numbers: tuple[sympy.Rational, ...] = ()
    exponents: tuple[sympy.Rational, ...] = ()


def loose(expression: sympy.Expr) -> Loose:
    """Return a formula's form with exact factors, terms and exponents as measured numbers.

    2·x + 3 has the form of any straight line. Ones belong to the form. Numbers are given without signs, and
    not the places of steps: any number between the same two rows says the same.
    """
    e = expression
    if not e.args:
        return Loose(e)
    if isinstance(e, sympy.Heaviside) and e.args[0].is_Add:
        inner = loose(e.args[0])
        return Loose(e.func(inner.form), inner.numbers[len(steps(e)) :], inner.exponents)
    if e.is_Pow and e.exp.is_Rational and abs(e.exp) != 1 and e.base.free_symbols:
        base = loose(e.base)
        form = base.form ** sympy.Float(float(e.exp) + 0.0123)
        return Loose(form, base.numbers, (*base.exponents, abs(e.exp)))
    numbers: list[sympy.Rational] = []
    exponents: list[sympy.Rational] = []
    args = []
    for a in e.args:
        if a.is_Rational and abs(a) != 1 and (e.is_Add or e.is_Mul):
            numbers.append(abs(a))
            args.append(sympy.Float(float(a) + 0.0123))
        else:
            inner = loose(a)
            numbers += inner.numbers
            exponents += inner.exponents
            args.append(inner.form)
    return Loose(e.func(*args), tuple(numbers), tuple(exponents))


def steps(expression: sympy.Expr) -> tuple[sympy.Rational, ...]:
    """Return the exact places, without signs, at which a formula's steps H(x - place) are; 1 is none.

    >>> steps(2 * sympy.Heaviside(sympy.Symbol("x", real=True) - 1898))
    (1898,)
    """
    sums = [h.args[0] for h in expression.atoms(sympy.Heaviside) if h.args[0].is_Add]
    places = (abs(e.as_coeff_Add()[0]) for e in sums)
    return tuple(place for place in places if place.is_Rational and place not in (0, 1))


def with_ones(form: str) -> Iterator[tuple[str, int]]:
    """Yield the forms that a form (see `structure`) is where constants are 1 or -1, with how many are.

    A factor and an exponent of 1 are not written, a term is the 1 itself: c·x/(x + c) also is c·x/(x + 1).

    >>> [form for form, ones in with_ones("*(^(+(c,x),-1),c,x)|1") if ones == 1]
    ['*(^(+(1,x),-1),c,x)|1', '*(^(+(-1,x),-1),c,x)|1', '*(^(+(c,x),-1),x)|1', '*(-1,^(+(c,x),-1),x)|1']
    """
    text, columns = form.rsplit("|", 1)
    parts = re.findall(r"[^(),]+|[(),]", text)
    places = [i for i, part in enumerate(parts) if part == "c"]
    found: dict[str, int] = {}
    for size in range(1, MOST_ONES + 1):
        for chosen in itertools.combinations(places, size):
            for ones in itertools.product(("1", "-1"), repeat=size):
                swap = dict(zip(chosen, ones, strict=True))
                read = _read([f"={swap[i]}" if i in swap else p for i, p in enumerate(parts)])
                if read is not None and "x" in read:
                    found.setdefault(f"{read}|{columns}", size)
    yield from found.items()


def with_still(form: str) -> str | None:
    """Return the form of a sum of exponentials (see `structure`) where one rate is 0; None of another form.

    >>> with_still("+(*(c,exp(*(c,x))),*(c,exp(*(c,x))))|1")
    '+(*(c,exp(*(c,x))),c)|1'
    """
    text, columns = form.rsplit("|", 1)
    terms = _arguments(text) if text.startswith("+(") else []
    if terms.count(MODE) < 2 or "c" in terms:
        return None
    terms.remove(MODE)
    return f"{_joined('+', [*terms, 'c'])}|{columns}"


def mixed(expression: sympy.Expr) -> bool:
    """Tell whether a formula has signs that handbooks do not mean by its form (see `structure`).

    The constants that they add below a line are positive: c/(c + x) is one of c/(1 + c·x), not of
    c/(1 - c·x), which has a pole. Their sums of exponentials decay: one that decays and grows is none, but
    for a cosh, whose rates are opposite.

    >>> x = sympy.Symbol("x", real=True)
    >>> mixed(1 / (1 + 2.5 * x)), mixed(1 / (1 - 2.5 * x)), mixed(1 - 2.5 * x)
    (False, True, False)
    >>> mixed(sympy.exp(0.1 * x) - sympy.exp(-2.5 * x)), mixed(sympy.exp(0.1 * x) - sympy.exp(-0.1 * x))
    (True, False)
    """
    if any(_grows_and_decays(total) for total in expression.atoms(sympy.Add)):
        return True
    for power in expression.atoms(sympy.Pow):
        if not (power.base.is_Add and power.exp.is_number and power.exp.is_negative):
            continue
        factors = [a.as_coeff_Mul()[0] for a in power.base.args]
        ones = [a for a in power.base.args if a in (sympy.S.One, sympy.S.NegativeOne)]
        if ones and any(f.is_Float and f * ones[0] < 0 for f in factors):
            return True
    return False


def _grows_and_decays(total: sympy.Add) -> bool:
    """Tell whether a sum's terms have exponentials of one thing with rates of both signs and of two sizes."""
    rates: dict[sympy.Expr, list[sympy.Expr]] = {}
    for term in total.args:
        for factor in sympy.Mul.make_args(term):
            if isinstance(factor, sympy.exp):
                rate, rest = factor.args[0].as_coeff_Mul()
                rates.setdefault(rest, []).append(rate)
    return any(min(r) < 0 < max(r) and min(r) != -max(r) for r in rates.values())


def _read(parts: list[str]) -> str | None:
    """Return the form whose parts come next, new ones ("=1", "=-1") taken in; None where there is none."""
    name = parts.pop(0)
    if not parts or parts[0] != "(":
        return name
    args = []
    while parts.pop(0) != ")":
        args.append(_read(parts))
    if None in args:
        return None
    known = [a for a in args if a is not None]
    new = [a for a in known if a[0] == "="]
    if not new:
        return _joined(name, known)
    if name == "^":
        base, exponent = known
        return None if base in new else base if exponent == "=1" else f"^({base},-1)"
    if name == "*":
        kept = [a for a in known if a not in new] + ["-1"] * (new.count("=-1") % 2)
        if kept == ["-1"] or kept.count("-1") > 1:
            return None
        return kept[0] if len(kept) == 1 else _joined("*", kept)
    if name != "+" or len(new) > 1 or "1" in known or "-1" in known:
        return None
    return _joined("+", [a.removeprefix("=") for a in known])


def _joined(name: str, args: list[str]) -> str:
    """Return a form's part of these arguments in their order, those of the same kind taken in."""
    if name == "^":
        return f"^({','.join(args)})"
    flat = [part for a in args for part in (_arguments(a) if a.startswith(f"{name}(") else [a])]
    return f"{name}({','.join(sorted(flat))})"


def _arguments(part: str) -> list[str]:
    """Return the arguments of a part such as "+(c,*(c,x))"."""
    inner, depth, found = part[part.index("(") + 1 : -1], 0, [""]
    for sign in inner:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return found


def _shape(e: sympy.Expr, named: bool = False) -> str:
    """Return what kind of thing an argument is: a column (which one, if `named`), a constant, or more."""
    if e.is_Symbol:
        return repr(e.name) if named else "x"
    if e.is_Float:
        return "c"
    if not e.args:
        return str(e)
    name = {"Add": "+", "Mul": "*", "Pow": "^"}.get(type(e).__name__, type(e).__name__)
    parts = [_shape(a, named) for a in e.args]
    return f"{name}({','.join(parts if e.is_Pow else sorted(parts))})"


def _signs(e: sympy.Expr, place: Place) -> Iterator[Token]:
    """Yield the tokens of a formula as people write it."""
    if e.is_Symbol:
        yield Token("column", place, e.name)
    elif e.is_Number or e.is_NumberSymbol:
        yield from _number(e, place)
    elif e.is_Add:
        yield from _sum(e, place)
    elif e.is_Mul:
        yield from _product(e, place)
    elif e.is_Pow:
        yield from _power(e.base, e.exp, place)
    else:
        name = type(e).__name__
        yield Token(name, place)
        for argument in e.args:
            if isinstance(argument, sympy.Expr):
                yield from _signs(argument, Place(name, GROUPS.get(name, "other")))


def _number(e: sympy.Expr, place: Place) -> Iterator[Token]:
    """Yield the tokens of a number: a minus, a fraction, a root."""
    if e.could_extract_minus_sign():
        yield Token("neg", place)
        yield from _number(-e, Place("neg", place.inside))
    elif e.is_Float:
        yield Token("measured", place)
    elif e.is_Rational and not e.is_Integer:
        yield Token("/", place)
        yield from _number(sympy.Integer(e.p), Place("over", place.inside))
        yield from _number(sympy.Integer(e.q), Place("under", place.inside))
    elif e is sympy.pi or e in PLAIN_NUMBERS:
        yield Token(str(e), place)
    else:
        yield Token("number", place)


def _sum(e: sympy.Expr, place: Place) -> Iterator[Token]:
    """Yield the tokens of a sum, what is added first."""
    terms = [(-t, "-") if t.could_extract_minus_sign() else (t, "+") for t in e.args]
    terms.sort(key=lambda t: t[1] == "-")  # what is added is written first
    if terms[0][1] == "-":
        yield Token("neg", place)
    for k, (_, sign) in enumerate(terms[1:]):
        yield Token(sign, place if k == 0 else Place("+", place.inside))
    for term, sign in terms:
        yield from _signs(term, Place(sign, place.inside))


def _product(e: sympy.Expr, place: Place) -> Iterator[Token]:
    """Yield the tokens of a product with what stands below its line."""
    if e.could_extract_minus_sign():
        yield Token("neg", place)
        yield from _signs(-e, Place("neg", place.inside))
        return
    number, factors = e.as_coeff_mul()
    above, below = [], []
    if number.is_Rational and number.q != 1:
        above, below = [sympy.Integer(number.p)] if number.p != 1 else [], [sympy.Integer(number.q)]
    elif number != 1:
        above = [number]
    for f in factors:
        under = f.is_Pow and f.exp.is_number and f.exp.could_extract_minus_sign()
        (below if under else above).append(f.base ** (-f.exp) if under else f)
    if below:
        yield Token("/", place)
        yield from _factors(above, below, Place("over", place.inside))
        if not _alike(above, below):
            yield from _factors(below, [], Place("under", place.inside))
    else:
        yield from _factors(above, [], place)


def _alike(above: list[sympy.Expr], below: list[sympy.Expr]) -> sympy.Expr | None:
    """Return the one power that all factors of a quotient have, which is then written once; else None."""
    powers = {f.exp if f.is_Pow else sympy.S.One for f in (*above, *below)}
    power = powers.pop() if len(powers) == 1 and above else None
    return power if power is not None and power.is_number and power != 1 else None


def _factors(above: list[sympy.Expr], below: list[sympy.Expr], place: Place) -> Iterator[Token]:
    """Yield a product's signs, factors of one power under one sign: a²·b² as (a·b)².

    With `below`, the denominators of a quotient whose factors are all of one power, the quotient stands
    under that sign, too.
    """
    power = _alike(above, below) if below else None
    if power is not None:
        yield Token(_exponent(power), place)
        inner = Place("base", place.inside)
        yield from _factors([f.base for f in above], [], inner)
        yield from _factors([f.base for f in below], [], inner)
        return
    bases: dict[sympy.Expr, list[sympy.Expr]] = {}
    parts: list[tuple[list[sympy.Expr], sympy.Expr]] = []
    for f in above:
        if f.is_Pow and f.exp.is_number and not f.base.is_number:
            bases.setdefault(f.exp, []).append(f.base)
        else:
            parts.append(([f], sympy.S.One))
    parts += [(same, exponent) for exponent, same in bases.items()]
    if not parts:
        yield Token("1", place)
    for k in range(len(parts) - 1):
        yield Token("*", place if k == 0 else Place("*", place.inside))
    under = place if len(parts) <= 1 else Place("*", place.inside)
    for same, exponent in parts:
        if len(same) == 1:
            yield from _signs(same[0] ** exponent, under)
        else:
            yield Token(_exponent(exponent), under)
            yield from _factors(same, [], Place("base", place.inside))


def _power(base: sympy.Expr, exponent: sympy.Expr, place: Place) -> Iterator[Token]:
    """Yield the tokens of a power: a root, a square, or a base and its exponent."""
    if base is sympy.E:
        yield Token("exp", place)
        yield from _signs(exponent, Place("exp", "exp"))
        return
    if exponent.is_number and exponent.could_extract_minus_sign():
        yield Token("/", place)
        yield Token("1", Place("over", place.inside))
        yield from _signs(base ** (-exponent), Place("under", place.inside))
        return
    yield Token(_exponent(exponent), place)
    yield from _signs(base, Place("base", place.inside))
    if not exponent.is_number:
        yield from _signs(exponent, Place("exponent", place.inside))


def _exponent(exponent: sympy.Expr) -> str:
    """Return the sign of a power: sqrt, ^2, ^3, ^n, ^p/q, ^measured, or ^ with an exponent that varies."""
    if exponent == sympy.Rational(1, 2):
        return "sqrt"
    if exponent in (2, 3):
        return f"^{exponent}"
    if exponent.is_Integer:
        return "^n"
    if exponent.is_Rational:
        return "^p/q"
    return "^measured" if exponent.is_number else "^"

"""Physical units as exponents of seven base dimensions, read through pint.

This room turns "m/s" or a vector of exponents into exact fractions, and finds dimensionless groups.
It knows nothing of tables, formulas or searches.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from kansym.base.errors import InputError

# The order of the exponents everywhere in kansym. Feynman's tables write m s kg T V: give those as text.
BASE = ("m", "s", "kg", "K", "A", "mol", "cd")
_DIMENSIONS = (
    "[length]",
    "[time]",
    "[mass]",
    "[temperature]",
    "[current]",
    "[substance]",
    "[luminosity]",
)
_SAID = {"a": "year"}  # symbols that few would know
_PLAIN = {"", "1", "-", "–", "none", "dimensionless", "unitless"}

Exponents = tuple[Fraction, ...]


@dataclass(frozen=True)
class Unit:
    """Hold a unit: 1 unit = scale * product of BASE[i]**exponents[i]; `text` is what was written."""

    exponents: Exponents
    scale: float = 1.0
    text: str = ""

    def __str__(self) -> str:
        return self.text or show(self.exponents)


@lru_cache(maxsize=1)
def _registry() -> Any:
    """Return pint's units with those that it lacks."""
    import pint

    registry: Any = pint.UnitRegistry()
    registry.define("jansky = 1e-26 watt / meter ** 2 / hertz = Jy")
    return registry


def _fraction(value: Any) -> Fraction:
    """Return the nearest fraction with a small denominator (units are raised to halves and thirds)."""
    return Fraction(value).limit_denominator(60)


# What may stand after ^ or **: a small number or a bracketed small fraction. Everything else that is a
# number is refused, so that "10**10**10 m" costs an error and not an hour.
_POWER = re.compile(r"\*\*\s*(?:-?\d{1,2}(?:\.\d{1,4})?|\(\s*-?\d{1,2}\s*(?:/\s*\d{1,2}\s*)?\))")
_WORDS = re.compile(r"[A-Za-zµμÅΩ°%_ */()·1]*")


_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def _powers(text: str) -> str:
    """Return a unit with its powers written out: "m³/h" and "m3/h" as "m^3/h", "kg m-3" as "kg m^-3"."""
    text = re.sub(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: "^" + found[0].translate(_RAISED), text)
    return re.sub(r"(?<![\w.])([^\W\d_]+)(-?[1-9])(?![\d.])", r"\1^\2", text)


def _read(plain: str) -> Any:
    """Return pint's unit of a text."""
    code = re.sub(r"\bAU\b", "au", _powers(plain).replace("^", "**").replace("·", "*"))
    rest = _POWER.sub("", code)
    if len(plain) > 80 or "**" in rest or not _WORDS.fullmatch(rest):
        raise _unknown(plain)
    try:
        return _registry().parse_units(code)
    except Exception:  # pint raises a dozen kinds, from the tokenizer's to its own
        raise _unknown(plain) from None


class _UnknownUnitError(InputError):
    """Report a unit that is not known; its message names the nearest one, looked up when it is read."""

    def __str__(self) -> str:
        plain = str(self.args[0])
        shown = plain if len(plain) <= 80 else f"{plain[:79]}…"
        remedy = f"{_near(plain)}write SI symbols such as 'm/s', 'kg*m^2/s^2' or '1'."
        return f"Unit {shown!r} is not known; {remedy}"


def _unknown(plain: str) -> InputError:
    return _UnknownUnitError(plain)


def _near(plain: str) -> str:
    """Return what may be meant by the first word of a unit that is not known, "" for nothing near."""
    registry = _registry()
    words = [w for w in re.findall(r"[^\W\d_]+", plain[:80]) if w.isalpha()]  # 10³ has no word
    odd = next((word for word in words if word not in registry), None)
    if odd is None or len(odd) < 3:
        return ""
    near = difflib.get_close_matches(odd, list(registry._units), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(map(repr, near))}? Else " if near else ""


@lru_cache(maxsize=512)
def _parse_text(text: str) -> Unit:
    """Return the unit that a text means; raises InputError for none."""
    plain = text.strip()
    if plain.lower() in _PLAIN:
        return Unit((Fraction(0),) * len(BASE), 1.0, "1")
    registry, parsed = _registry(), _read(plain)
    if any(not registry._units[name].is_multiplicative for name in parsed._units if name in registry._units):
        raise InputError(
            f"Unit {text!r} has a zero point of its own, so a law cannot multiply it; "
            "use 'K' or 'delta_degC'."
        )
    base = registry.Quantity(1.0, parsed).to_base_units()
    dimensions = dict(base.dimensionality)
    other = sorted(set(dimensions) - set(_DIMENSIONS))
    if other:
        raise InputError(
            f"Unit {text!r} measures {', '.join(other)}; only the seven SI dimensions are known."
        )
    exponents = tuple(_fraction(dimensions.get(d, 0)) for d in _DIMENSIONS)
    return Unit(exponents, float(base.magnitude), plain)


def parse(unit: str | Unit | Sequence[Any]) -> Unit:
    """Return the Unit of a text ("km/s/Mpc", "1") or of a vector of exponents of BASE, padded with zeros.

    Raises InputError for a text that pint does not know, an offset scale (degC) or a vector too long.

    >>> show(parse("N").exponents)
    'm*kg/s^2'
    >>> parse([1, -2]).exponents == parse("m/s^2").exponents
    True
    """
    if isinstance(unit, Unit):
        return unit
    if isinstance(unit, str):
        return _parse_text(unit)
    try:
        values = [_fraction(v) for v in unit]
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"Unit {unit!r} is neither text nor a vector of exponents of {', '.join(BASE)}."
        ) from None
    if len(values) > len(BASE):
        raise InputError(f"A unit vector has {len(values)} entries; at most {len(BASE)}: {', '.join(BASE)}.")
    return Unit(tuple(values) + (Fraction(0),) * (len(BASE) - len(values)))


@lru_cache(maxsize=512)
def factors(text: str) -> tuple[tuple[str, Fraction], ...]:
    """Return a unit as powers of the symbols that it is written in; angles in radians have none.

    Zero points do not matter here: "degC" is a size of steps. Raises InputError for a text that pint does not
    know.

    >>> factors("km/h")
    (('km', Fraction(1, 1)), ('h', Fraction(-1, 1)))
    """
    plain = text.strip()
    if plain.lower() in _PLAIN:
        return ()
    # "degC/min" is one of steps already, and written with a delta
    named = ((_registry().get_symbol(n).removeprefix("Δ"), e) for n, e in _read(plain)._units.items())
    found = [(_SAID.get(symbol, symbol), _fraction(e)) for symbol, e in named]
    return tuple(sorted(((s, e) for s, e in found if s != "rad"), key=lambda part: (part[1] < 0, part[0])))


def is_unit(text: str) -> bool:
    """Tell whether `parse` takes this text."""
    try:
        _parse_text(text)
    except InputError:
        return False
    return True


def show(exponents: Sequence[Fraction]) -> str:
    """Return exponents of BASE as text: "m*kg/s^2", "1" when all are zero."""
    return written(zip(BASE, exponents, strict=False))


def written(powers: Iterable[tuple[str, Fraction]]) -> str:
    """Return a product of symbols' powers as text: "km/h", "1/(K*min)", "1" when there are none."""
    powers = list(powers)

    def side(sign: int) -> str:
        """Return the powers of one sign as a product."""
        parts = []
        for name, e in powers:
            if e * sign > 0:
                power = abs(e)
                parts.append(
                    name
                    if power == 1
                    else f"{name}^{power}"
                    if power.denominator == 1
                    else f"{name}^({power})"
                )
        return "*".join(parts)

    above, below = side(1), side(-1)
    if not below:
        return above or "1"
    return f"{above or '1'}/({below})" if "*" in below else f"{above or '1'}/{below}"


def groups(
    units: Mapping[str, Sequence[Fraction]], target: str
) -> tuple[dict[str, Fraction], list[dict[str, Fraction]]] | None:
    """Return Buckingham's reduction: powers of inputs with the target's unit, and dimensionless groups.

    The first is one product prod_i x_i^p_i whose unit is the target's; the second a basis of the
    null space. None when no product of the inputs has the target's unit. Exact, in fractions.
    """
    names = [n for n in units if n != target]
    rows = [[Fraction(units[n][d]) for n in names] + [Fraction(units[target][d])] for d in range(len(BASE))]
    pivots: list[int] = []
    top = 0
    for column in range(len(names)):
        found = next((r for r in range(top, len(rows)) if rows[r][column]), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        rows[top] = [v / rows[top][column] for v in rows[top]]
        for r in range(len(rows)):
            if r != top and rows[r][column]:
                factor = rows[r][column]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[top], strict=True)]
        pivots.append(column)
        top += 1
    if any(row[-1] for row in rows[top:]):
        return None
    particular = {names[c]: rows[i][-1] for i, c in enumerate(pivots) if rows[i][-1]}
    free = [c for c in range(len(names)) if c not in pivots]
    basis = []
    for c in free:
        vector = {names[p]: -rows[i][c] for i, p in enumerate(pivots) if rows[i][c]}
        basis.append({**vector, names[c]: Fraction(1)})
    return particular, basis

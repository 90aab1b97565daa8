"""Expressions as Python, numpy, C, spreadsheet and Wolfram text: one small class per language, over one walk.

SymPy's printers do not do here; `printed` says why, and has the languages where they do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from kansym.report.export.text import (
    ATOM,
    COMPARISON,
    ELEMENTWISE,
    INVERSE,
    POWER,
    PRODUCT,
    SAME,
    SIGNS,
    SUM,
    Piece,
    Text,
    array_names,
)

_SCIPY = {
    "erf": "special.erf",
    "erfc": "special.erfc",
    "erfi": "special.erfi",
    "gamma": "special.gamma",
    "loggamma": "special.gammaln",
    "digamma": "special.digamma",
    "polygamma": "special.polygamma",
    "besselj": "special.jv",
    "bessely": "special.yv",
    "besseli": "special.iv",
    "besselk": "special.kv",
    "besselj0": "special.j0",
    "besselj1": "special.j1",
    "bessely0": "special.y0",
    "bessely1": "special.y1",
    "besseli0": "special.i0",
    "besseli1": "special.i1",
    "besselk0": "special.k0",
    "besselk1": "special.k1",
    "airyai": "special.airy({0})[0]",
    "airyaiprime": "special.airy({0})[1]",
    "airybi": "special.airy({0})[2]",
    "airybiprime": "special.airy({0})[3]",
    "elliptic_k": "special.ellipk",
    "elliptic_e": "special.ellipe",
    "LambertW": "special.lambertw({0}).real",
    "Si": "special.sici({0})[0]",
    "Ci": "special.sici({0})[1]",
    "Shi": "special.shichi({0})[0]",
    "Chi": "special.shichi({0})[1]",
    "Ei": "special.expi",
    "fresnels": "special.fresnel({0})[0]",
    "fresnelc": "special.fresnel({0})[1]",
    "dilog": "special.spence(1 - ({0}))",
}


@dataclass
class Numpy(Text):
    """Write numpy calls on arrays, SciPy's for special functions."""

    target = "numpy"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **array_names("np"),
            "nan": "np.nan",
            **_SCIPY,
            # the branch point -1/e is the edge of the real line
            "LambertW": "np.where(({0}) < -np.exp(-1.0), np.nan, special.lambertw({0}).real)",
        }
    )
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "np.pi", "e": "np.e"})
    signs: ClassVar[Mapping[str, str]] = ELEMENTWISE
    choice = "np.where({condition}, {yes}, {no})"


@dataclass
class Python(Text):
    """Write calls of Python's math module on numbers; SciPy's for what math lacks."""

    target = "python"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **_SCIPY,
            **{k: f"math.{k}" for k in [*SAME, *INVERSE]},
            **{"erf": "math.erf", "erfc": "math.erfc", "gamma": "math.gamma", "loggamma": "math.lgamma"},
            "exp": "exp",
            "sign": "sign",
            "floor": "math.floor",
            "ceiling": "math.ceil",
            "Abs": "abs",
            "Max": "max",
            "Min": "min",
            "LambertW": "(special.lambertw({0}).real if ({0}) >= -math.exp(-1) else math.nan)",
            "nan": "math.nan",
        }
    )
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "math.pi", "e": "math.e"})

    def power(self, base: Piece, exponent: Piece, integer: bool) -> Piece:
        if integer:
            return super().power(base, exponent, integer)
        # ** of a negative number would turn complex; math.pow says it is undefined
        return f"math.pow({base[0]}, {exponent[0]})", ATOM


@dataclass
class C(Text):
    """Write C99 with math.h; the Bessel functions j0, j1, y0, y1 are POSIX's."""

    target = "c"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: k for k in [*SAME, *INVERSE, "erf", "erfc"]},
            "gamma": "tgamma",
            "loggamma": "lgamma",
            "besselj0": "j0",
            "besselj1": "j1",
            "bessely0": "y0",
            "bessely1": "y1",
            "floor": "floor",
            "ceiling": "ceil",
            "Abs": "fabs",
            "sign": "sign_of",
            "Max": "larger",
            "Min": "smaller",
            "nan": "NAN",
        }
    )
    constants: Mapping[str, str] = field(
        default_factory=lambda: {"pi": "3.14159265358979323846", "e": "2.71828182845904523536"}
    )
    signs: ClassVar[Mapping[str, str]] = SIGNS
    choice = "(({condition}) ? {yes} : {no})"

    def integer(self, value: int) -> Piece:
        return f"{value}.0", ATOM

    def real(self, value: float) -> Piece:
        text, _ = super().real(value)
        return (text if any(c in text for c in ".e") else text + ".0"), ATOM

    def power(self, base: Piece, exponent: Piece, integer: bool) -> Piece:
        return f"pow({base[0]}, {exponent[0]})", ATOM


@dataclass
class Excel(Text):
    """Write a spreadsheet formula; constants carry 15 digits, all that Excel reads."""

    target = "excel"
    power_sign = "^"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: k.upper() for k in SAME},
            **{
                k: k.upper()
                for k in ["asin", "acos", "atan", "asinh", "acosh", "atanh", "sign", "erf", "erfc", "gamma"]
            },
            "log": "LN",
            # Excel takes the abscissa first
            "atan2": "ATAN2({1}, {0})",
            "loggamma": "GAMMALN",
            "besselj": "BESSELJ({1}, {0})",
            "bessely": "BESSELY({1}, {0})",
            "besseli": "BESSELI({1}, {0})",
            "besselk": "BESSELK({1}, {0})",
            "floor": "INT",
            "ceiling": "-INT(-({0}))",
            "Abs": "ABS",
            "Max": "MAX",
            "Min": "MIN",
            "nan": "NA()",
        }
    )
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "PI()", "e": "EXP(1)"})
    choice = "IF({condition}, {yes}, {no})"

    def real(self, value: float) -> Piece:
        text = f"{value:.{min(self.digits or 15, 15)}G}"
        return (text, ATOM) if value >= 0 else (f"({text})", ATOM)

    def negate(self, value: Piece) -> Piece:
        # in a spreadsheet -x^2 is (-x)^2
        return "-1*" + self.wrap(value, POWER), PRODUCT

    def call(self, key: str, args: Sequence[Piece]) -> Piece:
        text, rank = super().call(key, args)
        return (f"({text})", ATOM) if text[0] == "-" else (text, rank)

    def compare(self, operator: str, left: Piece, right: Piece) -> Piece:
        sign = {"==": "=", "!=": "<>"}.get(operator, operator)
        return f"{self.wrap(left, SUM)}{sign}{self.wrap(right, SUM)}", COMPARISON

    def logic(self, operator: str, args: Sequence[Piece]) -> Piece:
        return f"{operator.upper()}({', '.join(a for a, _ in args)})", ATOM


@dataclass
class Mathematica(Text):
    """Write Wolfram-language text."""

    target = "mathematica"
    brackets = "[]"
    power_sign = "^"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: k.capitalize() for k in [*SAME, "erf", "erfc", "erfi", "gamma", "floor", "abs", "sign"]},
            **{"a" + k: f"Arc{k.capitalize()}" for k in ["sin", "cos", "tan", "sinh", "cosh", "tanh"]},
            # the abscissa first
            "atan2": "ArcTan[{1}, {0}]",
            "ceiling": "Ceiling",
            "Abs": "Abs",
            "Max": "Max",
            "Min": "Min",
            "loggamma": "LogGamma",
            "digamma": "PolyGamma",
            "polygamma": "PolyGamma",
            **{k: "Bessel" + k[-1].upper() for k in ("besselj", "bessely", "besseli", "besselk")},
            "airyai": "AiryAi",
            "airybi": "AiryBi",
            "airyaiprime": "AiryAiPrime",
            "airybiprime": "AiryBiPrime",
            "elliptic_k": "EllipticK",
            "elliptic_e": "EllipticE",
            "LambertW": "ProductLog",
            "Si": "SinIntegral",
            "Ci": "CosIntegral",
            "Shi": "SinhIntegral",
            "Chi": "CoshIntegral",
            "Ei": "ExpIntegralEi",
            "fresnels": "FresnelS",
            "fresnelc": "FresnelC",
            "dilog": "PolyLog[2, {0}]",
            "nan": "Indeterminate",
        }
    )
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "Pi", "e": "E"})
    signs: ClassVar[Mapping[str, str]] = SIGNS
    choice = "Piecewise[{{{{{yes}, {condition}}}}}, {no}]"

    def real(self, value: float) -> Piece:
        text, rank = super().real(value)
        mantissa, e, exponent = text.partition("e")
        if e:
            # 1.5*10^-7 and not 1.5e-7, which reads as 1.5 times a variable e; *^ keeps it one number
            return f"{mantissa}*^{int(exponent)}", ATOM
        return text, rank

"""Expressions as text in a language: one small class per language, over one walk.

A piece of text carries its precedence, so that parentheses stand only where they are needed.
"""

# ruff: noqa: SIM905 (tables of words read better as text)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy

from kansym.base.errors import InputError
from kansym.functions.parsing import quote
from kansym.report.export.walker import Algebra, walk

SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4
COMPARISON, LOGIC = 0, -1

Piece = tuple[str, int]


@dataclass
class Text(Algebra[Piece]):
    """Write infix text; subclasses say what differs.

    `names` are the columns as the language writes them, `digits` cuts the constants (None: all 17).
    After the walk `used` holds the keys of the functions that were called.
    """

    names: Sequence[str] = ()
    digits: int | None = None
    used: set[str] = field(default_factory=set)

    target = "text"
    functions: Mapping[str, str] = field(default_factory=dict, repr=False)
    brackets = "()"
    power_sign = "**"
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "pi", "e": "exp(1)"}, repr=False)

    def real(self, value: float) -> Piece:
        text = repr(value) if self.digits is None else f"{value:.{self.digits}g}"
        return (text, ATOM) if value >= 0 else (f"({text})", ATOM)

    def integer(self, n: int) -> Piece:
        return str(n), ATOM

    def rational(self, p: int, q: int) -> Piece:
        return self.divide(self.integer(p), self.integer(q))

    def constant(self, name: str) -> Piece:
        return self.constants[name], ATOM

    def column(self, index: int) -> Piece:
        return self.names[index], ATOM

    def add(self, terms: Sequence[tuple[bool, Piece]]) -> Piece:
        # a positive term first, where there is one: "1 - x" and not "-x + 1"
        ordered = sorted(terms, key=lambda t: t[0])
        negative, first = ordered[0]
        text = self.wrap(self.negate(first) if negative else first, SUM)
        for negative, term in ordered[1:]:
            text += (" - " + self.wrap(term, PRODUCT)) if negative else (" + " + self.wrap(term, SUM))
        return text, SUM

    def multiply(self, factors: Sequence[Piece]) -> Piece:
        first, *rest = factors
        # a quotient as a later factor keeps its parentheses: a*(b/c) is not rounded as a*b/c
        return "*".join([self.wrap(first, PRODUCT), *(self.wrap(f, POWER) for f in rest)]), PRODUCT

    def divide(self, over: Piece, under: Piece) -> Piece:
        return f"{self.wrap(over, PRODUCT)}/{self.wrap(under, POWER)}", PRODUCT

    def negate(self, value: Piece) -> Piece:
        return "-" + self.wrap(value, PRODUCT), SUM

    def power(self, base: Piece, exponent: Piece, integer: bool) -> Piece:
        return f"{self.wrap(base, ATOM)}{self.power_sign}{self.wrap(exponent, ATOM)}", POWER

    def has(self, key: str) -> bool:
        return key in self.functions

    def call(self, key: str, args: Sequence[Piece]) -> Piece:
        if key == "nan":
            return self.functions[key], ATOM
        self.used.add(key)
        return self.apply(self.functions[key], [a for a, _ in args]), ATOM

    def apply(self, callee: str, args: Sequence[str]) -> str:
        """Return a call as text; a callee with {0} in it is a template."""
        if "{" in callee:
            return callee.format(*args)
        return f"{callee}{self.brackets[0]}{', '.join(args)}{self.brackets[1]}"

    def compare(self, operator: str, left: Piece, right: Piece) -> Piece:
        return f"{self.wrap(left, SUM)} {operator} {self.wrap(right, SUM)}", COMPARISON

    def logic(self, operator: str, args: Sequence[Piece]) -> Piece:
        if operator == "not":
            return f"not ({args[0][0]})", LOGIC
        return f" {operator} ".join(f"({a})" for a, _ in args), LOGIC

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        return f"({yes[0]} if {condition[0]} else {no[0]})", ATOM

    @staticmethod
    def wrap(piece: Piece, least: int) -> str:
        return piece[0] if piece[1] >= least else f"({piece[0]})"

    def write(self, expression: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> str:
        """Return the expression as text."""
        return walk(expression, symbols, self)[0]


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

_SAME = ["exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt"]


@dataclass
class Numpy(Text):
    """Write numpy calls on arrays, SciPy's for special functions."""

    target = "numpy"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: f"np.{k}" for k in [*_SAME, "floor", "sign"]},
            **{"a" + k: f"np.arc{k}" for k in ["sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2"]},
            "ceiling": "np.ceil",
            "Abs": "np.abs",
            "Max": "np.maximum",
            "Min": "np.minimum",
            "nan": "np.nan",
            **_SCIPY,
            # the branch point -1/e is the edge of the real line
            "LambertW": "np.where(({0}) < -np.exp(-1.0), np.nan, special.lambertw({0}).real)",
        }
    )
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "np.pi", "e": "np.e"})

    def logic(self, operator: str, args: Sequence[Piece]) -> Piece:
        if operator == "not":
            return f"~({args[0][0]})", LOGIC
        return f" {'&' if operator == 'and' else '|'} ".join(f"({a})" for a, _ in args), LOGIC

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        return f"np.where({condition[0]}, {yes[0]}, {no[0]})", ATOM


@dataclass
class Python(Text):
    """Write calls of Python's math module on numbers; SciPy's for what math lacks."""

    target = "python"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **_SCIPY,
            **{k: f"math.{k}" for k in [*_SAME, "asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh"]},
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
class Torch(Text):
    """Write torch calls; constants are `theta[i]`."""

    target = "torch"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: f"torch.{k}" for k in [*_SAME, "asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh"]},
            **{k: f"torch.{k}" for k in ("floor", "sign")},
            "ceiling": "torch.ceil",
            "Abs": "torch.abs",
            "erf": "torch.special.erf",
            "erfc": "torch.special.erfc",
            "Max": "torch.maximum",
            "Min": "torch.minimum",
            "loggamma": "torch.lgamma",
            "digamma": "torch.digamma",
            "gamma": "gamma_function",
            "besselj0": "bessel_j0",
            "besselj1": "bessel_j1",
            "bessely0": "bessel_y0",
            "bessely1": "bessel_y1",
            "besseli0": "torch.special.i0",
            "besseli1": "torch.special.i1",
            "besselk0": "bessel_k0",
            "besselk1": "bessel_k1",
        }
    )
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "math.pi", "e": "math.e"})
    module = "torch"

    def number(self, e: sympy.Expr) -> Piece | None:
        # torch.sqrt(2) is an error: a constant part is worked out here
        if e.is_Integer or (e.is_Rational and max(abs(e.p), e.q) < 2**53) or e in (sympy.pi, sympy.E):
            return None
        return self.real(_value(e))

    def parameter(self, index: int) -> Piece:
        return f"theta[{index}]", ATOM

    def call(self, key: str, args: Sequence[Piece]) -> Piece:
        if key in ("Max", "Min", "atan2"):
            # both sides must be tensors; + 0*X would carry NaN along
            args = [
                (f"{self.module}.as_tensor({a}, dtype=X.dtype)", ATOM) if _plain(a) else (a, p)
                for a, p in args
            ]
        return super().call(key, args)

    def logic(self, operator: str, args: Sequence[Piece]) -> Piece:
        if operator == "not":
            return f"~({args[0][0]})", LOGIC
        return f" {'&' if operator == 'and' else '|'} ".join(f"({a})" for a, _ in args), LOGIC

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        return f"{self.module}.where({condition[0]}, {yes[0]}, {no[0]})", ATOM


def _plain(text: str) -> bool:
    return not any(word in text for word in ("X[", "theta", "(")) and not text.isidentifier()


def _value(e: sympy.Expr) -> float:
    try:
        return float(e)
    except TypeError:
        raise InputError(
            f"The formula contains {e}, which is not a real number; it cannot be exported."
        ) from None


@dataclass
class Jax(Torch):
    """Write jax.numpy calls; constants are `theta[i]`."""

    target = "jax"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: f"jnp.{k}" for k in [*_SAME, "floor", "sign"]},
            **{"a" + k: f"jnp.arc{k}" for k in ["sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2"]},
            "ceiling": "jnp.ceil",
            "Abs": "jnp.abs",
            "Max": "jnp.maximum",
            "Min": "jnp.minimum",
            "erf": "jax.scipy.special.erf",
            "erfc": "jax.scipy.special.erfc",
            "gamma": "jax.scipy.special.gamma",
            "loggamma": "jax.scipy.special.gammaln",
            "digamma": "jax.scipy.special.digamma",
            "besseli0": "jax.scipy.special.i0",
            "besseli1": "jax.scipy.special.i1",
            "Ei": "jax.scipy.special.expi",
        }
    )
    module = "jnp"

    def call(self, key: str, args: Sequence[Piece]) -> Piece:
        return Text.call(self, key, args)


@dataclass
class C(Text):
    """Write C99 with math.h; the Bessel functions j0, j1, y0, y1 are POSIX's."""

    target = "c"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{
                k: k
                for k in [*_SAME, "asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh", "erf", "erfc"]
            },
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

    def integer(self, n: int) -> Piece:
        return f"{n}.0", ATOM

    def real(self, value: float) -> Piece:
        text, _ = super().real(value)
        return (text if any(c in text for c in ".e") else text + ".0"), ATOM

    def power(self, base: Piece, exponent: Piece, integer: bool) -> Piece:
        return f"pow({base[0]}, {exponent[0]})", ATOM

    def logic(self, operator: str, args: Sequence[Piece]) -> Piece:
        if operator == "not":
            return f"!({args[0][0]})", LOGIC
        return f" {'&&' if operator == 'and' else '||'} ".join(f"({a})" for a, _ in args), LOGIC

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        return f"(({condition[0]}) ? {yes[0]} : {no[0]})", ATOM


@dataclass
class Excel(Text):
    """Write a spreadsheet formula; constants carry 15 digits, all that Excel reads."""

    target = "excel"
    power_sign = "^"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: k.upper() for k in _SAME},
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

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        return f"IF({condition[0]}, {yes[0]}, {no[0]})", ATOM


@dataclass
class Mathematica(Text):
    """Write Wolfram-language text."""

    target = "mathematica"
    brackets = "[]"
    power_sign = "^"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: k.capitalize() for k in [*_SAME, "erf", "erfc", "erfi", "gamma", "floor", "abs", "sign"]},
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

    def real(self, value: float) -> Piece:
        text, rank = super().real(value)
        mantissa, e, exponent = text.partition("e")
        if e:
            # 1.5*10^-7 and not 1.5e-7, which reads as 1.5 times a variable e; *^ keeps it one number
            return f"{mantissa}*^{int(exponent)}", ATOM
        return text, rank

    def logic(self, operator: str, args: Sequence[Piece]) -> Piece:
        if operator == "not":
            return f"!({args[0][0]})", LOGIC
        return f" {'&&' if operator == 'and' else '||'} ".join(f"({a})" for a, _ in args), LOGIC

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        return f"Piecewise[{{{{{yes[0]}, {condition[0]}}}}}, {no[0]}]", ATOM


@dataclass
class Kansym(Text):
    """Write kansym's own grammar, which `functions.parsing` reads; names that need it stand in backticks."""

    target = "kansym's text"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{
                k: k
                for k in [*_SAME, "asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh", "sign", "Abs"]
            },
            **{
                k: k
                for k in (
                    "erf erfc gamma loggamma digamma polygamma airyai airybi airyaiprime airybiprime"
                ).split()
            },
            **{
                k: k
                for k in (
                    "besselj bessely besseli besselk elliptic_k elliptic_e LambertW Si Ci Max Min"
                ).split()
            },
            "dilog": "dilog",
        }
    )
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "pi", "e": "exp(1)"})

    def constant(self, name: str) -> Piece:
        # a column called pi hides the number
        return ("acos(-1)", ATOM) if name == "pi" and "pi" in self.names else super().constant(name)

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        raise InputError("Function 'Piecewise' has no counterpart in kansym's text; export to json or sympy.")

    def column(self, index: int) -> Piece:
        name = self.names[index]
        taken = name in self.functions or name in ("pi", "e", "E")
        return (f"`{name}`" if taken else quote(name)), ATOM


@dataclass
class SymPy(Text):
    """Write Python that builds the SymPy expression."""

    target = "sympy"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: f"sympy.{k}" for k in [*_SAME, "asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh"]},
            **{
                k: f"sympy.{k}"
                for k in ("erf erfc erfi gamma loggamma digamma polygamma floor ceiling").split()
            },
            **{
                k: f"sympy.{k}"
                for k in ["airyai", "airybi", "airyaiprime", "airybiprime", "elliptic_k", "elliptic_e"]
            },
            **{
                k: f"sympy.{k}" for k in ("besselj bessely besseli besselk LambertW Si Ci Shi Chi Ei").split()
            },
            **{k: f"sympy.{k}" for k in ["fresnels", "fresnelc", "sign", "Abs", "Max", "Min"]},
            "dilog": "sympy.polylog(2, {0})",
            "nan": "sympy.nan",
        }
    )
    constants: Mapping[str, str] = field(default_factory=lambda: {"pi": "sympy.pi", "e": "sympy.E"})

    def real(self, value: float) -> Piece:
        return (f"sympy.Float({value!r}, 17)" if self.digits is None else super().real(value)[0]), ATOM

    def rational(self, p: int, q: int) -> Piece:
        return f"sympy.Rational({p}, {q})", ATOM

    def divide(self, over: Piece, under: Piece) -> Piece:
        if all(text.lstrip("-").isdigit() for text in (over[0], under[0])):
            return f"sympy.Rational({over[0]}, {under[0]})", ATOM
        return super().divide(over, under)

    def compare(self, operator: str, left: Piece, right: Piece) -> Piece:
        name = {"==": "Eq", "!=": "Ne", "<": "Lt", "<=": "Le", ">": "Gt", ">=": "Ge"}[operator]
        return f"sympy.{name}({left[0]}, {right[0]})", ATOM

    def logic(self, operator: str, args: Sequence[Piece]) -> Piece:
        return f"sympy.{operator.capitalize()}({', '.join(a for a, _ in args)})", ATOM

    def choose(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        return f"sympy.Piecewise(({yes[0]}, {condition[0]}), ({no[0]}, True))", ATOM

"""The one table of operations: name, arguments, value, slopes, domain; every numeric form follows from it.

A row says in text what an operation computes, once, and `forms` turns the text into numpy, compiled (numba)
and torch functions. Texts speak of the arguments u and v, the operation's own number n and, in slopes, of
the value f; they call the few functions that every form has (exp, sin, where, ...) and other rows by name.
They are written to keep digits: no difference of nearly equal numbers near 0, no overflow far out. Special
functions call SciPy and have no compiled form.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import sympy


class Op(IntEnum):
    """Number the operations; compiled code knows those below GAMMA."""

    X = 0
    P = 1
    NUMBER = 2
    ADD = 3
    MUL = 4
    POWI = 5
    POWR = 6
    POW = 7
    EXP = 8
    LOG = 9
    SIN = 10
    COS = 11
    TAN = 12
    ASIN = 13
    ACOS = 14
    ATAN = 15
    SINH = 16
    COSH = 17
    TANH = 18
    ASINH = 19
    ACOSH = 20
    ATANH = 21
    ABS = 22
    SIGN = 23
    STEP = 24
    ERF = 25
    MAX = 26
    MIN = 27
    SINC = 28
    EXPM1 = 29
    LOG1P = 30
    SOFTPLUS = 31
    SIGMOID = 32
    SECH = 33
    COTH = 34
    LANGEVIN = 35
    EINSTEIN = 36
    SQRT = 37
    INV = 38
    NEG = 39
    SQUARE = 40
    GAMMA = 41
    LOGGAMMA = 42
    DIGAMMA = 43
    TRIGAMMA = 44
    BESSELJ = 45
    BESSELY = 46
    BESSELI = 47
    BESSELK = 48
    AIRYAI = 49
    AIRYBI = 50
    AIRYAIPRIME = 51
    AIRYBIPRIME = 52
    ELLIPK = 53
    ELLIPE = 54
    LAMBERTW = 55
    SI = 56
    CI = 57
    DILOG = 58
    ERFC = 59
    ATAN2 = 60


@dataclass(frozen=True)
class Operation:
    """Hold one row: texts of the value and of a slope for each argument, and where the value is finite.

    `domain` is a condition on the arguments (empty: everywhere), `borders` the values of u at which f, or a
    slope, breaks off or grows without bound. `sympy` is SymPy's function of the same argument, if it has one.
    """

    op: Op
    value: str
    slopes: tuple[str, ...]
    domain: str = ""
    borders: tuple[Any, ...] = ()
    sympy: Any = None

    @property
    def name(self) -> str:
        """Return the name by which other rows call it."""
        return self.op.name.lower()

    @property
    def arity(self) -> int:
        """Return the number of arguments."""
        return len(self.slopes)

    @property
    def is_compiled(self) -> bool:
        """Tell whether the row has a compiled form: no special functions of SciPy's."""
        return self.op < Op.GAMMA


_POSITIVE = "where(u > 0, {}, nan)"

_ROWS = (
    Operation(Op.ADD, "u + v", ("1.0", "1.0")),
    Operation(Op.MUL, "u * v", ("v", "u")),
    Operation(Op.POWI, "integer_power(u, n)", ("n * integer_power(u, n - 1)",), "(u != 0) | (n > 0)"),
    Operation(
        Op.POWR,
        "power(u, n)",
        ("where(u > 0, n * f / nonzero(u), n * power(u, n - 1))",),
        "(u > 0) | ((u == 0) & (n > 0))",
    ),
    Operation(
        Op.POW,
        "power(u, v)",
        (
            "v * power(u, v - 1.0)",
            "where(u > 0, f * log(where(u > 0, u, 1.0)), where(u == 0, 0.0, nan))",
        ),
        "(u > 0) | ((u == 0) & (v > 0)) | ((u < 0) & (v == floor(v)))",
    ),
    Operation(Op.EXP, "exp(u)", ("f",), sympy=sympy.exp),
    Operation(
        Op.LOG, _POSITIVE.format("log(u)"), (_POSITIVE.format("1 / u"),), "u > 0", (0,), sympy=sympy.log
    ),
    Operation(Op.SIN, "sin(u)", ("cos(u)",), sympy=sympy.sin),
    Operation(Op.COS, "cos(u)", ("-sin(u)",), sympy=sympy.cos),
    Operation(Op.TAN, "tan(u)", ("1 + f * f",), sympy=sympy.tan),
    Operation(Op.ASIN, "asin(u)", ("1 / sqrt((1 - u) * (1 + u))",), "abs(u) <= 1", (-1, 1), sympy=sympy.asin),
    Operation(
        Op.ACOS, "acos(u)", ("-1 / sqrt((1 - u) * (1 + u))",), "abs(u) <= 1", (-1, 1), sympy=sympy.acos
    ),
    Operation(Op.ATAN, "atan(u)", ("1 / (1 + u * u)",), sympy=sympy.atan),
    Operation(Op.SINH, "sinh(u)", ("cosh(u)",), sympy=sympy.sinh),
    Operation(Op.COSH, "cosh(u)", ("sinh(u)",), sympy=sympy.cosh),
    # 1 - f² has no digits left where f is nearly 1
    Operation(Op.TANH, "tanh(u)", ("sech(u) ** 2",), sympy=sympy.tanh),
    Operation(Op.ASINH, "asinh(u)", ("1 / sqrt(1 + u * u)",), sympy=sympy.asinh),
    Operation(Op.ACOSH, "acosh(u)", ("1 / sqrt((u - 1) * (u + 1))",), "u >= 1", (1,), sympy=sympy.acosh),
    Operation(Op.ATANH, "atanh(u)", ("1 / ((1 - u) * (1 + u))",), "abs(u) < 1", (-1, 1), sympy=sympy.atanh),
    Operation(Op.ABS, "abs(u)", ("sign(u)",), sympy=sympy.Abs),
    Operation(Op.SIGN, "sign(u)", ("0.0 * u",), borders=(0,), sympy=sympy.sign),
    Operation(Op.STEP, "0.5 + 0.5 * sign(u)", ("0.0 * u",), borders=(0,), sympy=sympy.Heaviside),
    Operation(Op.ERF, "erf(u)", ("two_over_root_pi * exp(-u * u)",), sympy=sympy.erf),
    # at a tie each side has half of the slope
    Operation(Op.MAX, "maximum(u, v)", ("0.5 + 0.5 * sign(u - v)", "0.5 + 0.5 * sign(v - u)")),
    Operation(Op.MIN, "minimum(u, v)", ("0.5 + 0.5 * sign(v - u)", "0.5 + 0.5 * sign(u - v)")),
    Operation(
        Op.SINC,
        "where(u == 0, 1.0, sin(u) / nonzero(u))",
        (
            "where(abs(u) < 0.3, "
            "-u / 3 * (1 - (s := u * u) / 10 * (1 - s / 28 * (1 - s / 54 * (1 - s / 88)))), "
            "(cos(u) - f) / nonzero(u))",
        ),
        sympy=sympy.sinc,
    ),
    Operation(Op.EXPM1, "expm1(u)", ("exp(u)",)),
    Operation(
        Op.LOG1P, "where(u > -1, log1p(u), nan)", ("where(u > -1, 1 / (1 + u), nan)",), "u > -1", (-1,)
    ),
    Operation(Op.SOFTPLUS, "log1p(exp(-abs(u))) + 0.5 * (u + abs(u))", ("sigmoid(u)",)),
    Operation(
        Op.SIGMOID,
        "where(u >= 0, 1.0, exp(-abs(u))) / (1 + exp(-abs(u)))",
        ("(e := exp(-abs(u))) / ((1 + e) * (1 + e))",),
    ),
    Operation(Op.SECH, "2 * (e := exp(-abs(u))) / (1 + e * e)", ("-f * tanh(u)",), sympy=sympy.sech),
    Operation(Op.COTH, "1 / tanh(u)", ("-1 / sinh(u) ** 2",), "u != 0", (0,), sympy=sympy.coth),
    Operation(  # coth(u) - 1/u
        Op.LANGEVIN,
        "where(abs(u) < 0.06, "
        "u / 3 * (1 - (s := u * u) / 15 * (1 - 2 * s / 21 * (1 - s / 10 * (1 - 10 * s / 99)))), "
        "1 / tanh(nonzero(u)) - 1 / nonzero(u))",
        (
            "where(abs(u) < 0.06, "
            "1 / 3 - (s := u * u) / 15 + 2 * s**2 / 189 - s**3 / 675 + 2 * s**4 / 10395, "
            "1 / nonzero(u) ** 2 - 1 / sinh(nonzero(u)) ** 2)",
        ),
    ),
    Operation(  # u/(exp(u) - 1)
        Op.EINSTEIN,
        "where(u == 0, 1.0, nonzero(u) / expm1(nonzero(u)))",
        (
            "where(abs(u) < 0.15, -0.5 + u / 6 - u**3 / 180 + u**5 / 5040 - u**7 / 151200, "
            "f * ((1 - f - u) / nonzero(u)))",
        ),
    ),
    Operation(Op.SQRT, "sqrt(u)", ("0.5 / f",), "u >= 0", (0,)),
    Operation(Op.INV, "1 / u", ("-f * f",), "u != 0", (0,)),
    Operation(Op.NEG, "-u", ("-1.0",)),
    Operation(Op.SQUARE, "u * u", ("2 * u",)),
    Operation(
        Op.GAMMA,
        "gamma(u)",
        ("f * digamma(u)",),
        "(u > 0) | (u != floor(u))",
        tuple(range(0, -8, -1)),
        sympy=sympy.gamma,
    ),
    Operation(
        Op.LOGGAMMA,
        _POSITIVE.format("gammaln(u)"),
        (_POSITIVE.format("digamma(u)"),),
        "u > 0",
        (0,),
        sympy=sympy.loggamma,
    ),
    Operation(Op.DIGAMMA, "digamma(u)", ("polygamma(1, u)",), "(u > 0) | (u != floor(u))"),
    Operation(Op.TRIGAMMA, "polygamma(1, u)", ("polygamma(2, u)",), "(u > 0) | (u != floor(u))"),
    Operation(Op.BESSELJ, "jv(n, u)", ("jvp(n, u)",), "(u >= 0) | (n == floor(n))", sympy=sympy.besselj),
    Operation(Op.BESSELY, _POSITIVE.format("yv(n, u)"), ("yvp(n, u)",), "u > 0", (0,), sympy=sympy.bessely),
    Operation(Op.BESSELI, "iv(n, u)", ("ivp(n, u)",), "(u >= 0) | (n == floor(n))", sympy=sympy.besseli),
    Operation(Op.BESSELK, _POSITIVE.format("kv(n, u)"), ("kvp(n, u)",), "u > 0", (0,), sympy=sympy.besselk),
    Operation(Op.AIRYAI, "airy(u)[0]", ("airy(u)[1]",), sympy=sympy.airyai),
    Operation(Op.AIRYBI, "airy(u)[2]", ("airy(u)[3]",), sympy=sympy.airybi),
    Operation(Op.AIRYAIPRIME, "airy(u)[1]", ("u * airy(u)[0]",), sympy=sympy.airyaiprime),
    Operation(Op.AIRYBIPRIME, "airy(u)[3]", ("u * airy(u)[2]",), sympy=sympy.airybiprime),
    Operation(
        Op.ELLIPK,
        "ellipk(u)",
        (
            "where(abs(u) < 1e-3, "
            "half_pi * (1 / 4 + u * (9 / 32 + u * (75 / 256 + u * (1225 / 4096 + u * 19845 / 65536)))), "
            "(ellipe(w := where(abs(u) < 1e-3, 0.5, u)) / (1 - w) - ellipk(w)) / (2 * w))",
        ),
        "u < 1",
        (1,),
        sympy=sympy.elliptic_k,
    ),
    Operation(
        Op.ELLIPE,
        "ellipe(u)",
        (
            "where(abs(u) < 1e-3, "
            "-half_pi * (1 / 4 + u * (3 / 32 + u * (15 / 256 + u * (175 / 4096 + u * 2205 / 65536)))), "
            "(ellipe(w := where(abs(u) < 1e-3, 0.5, u)) - ellipk(w)) / (2 * w))",
        ),
        "u <= 1",
        (1,),
        sympy=sympy.elliptic_e,
    ),
    Operation(
        Op.LAMBERTW,
        "where(u >= minus_one_over_e, lambertw(u).real, nan)",
        ("1 / (exp(f) * (1 + f))",),
        "u >= minus_one_over_e",
        (-sympy.exp(-1),),
        sympy=sympy.LambertW,
    ),
    Operation(Op.SI, "sici(u)[0]", ("sinc(u)",), sympy=sympy.Si),
    Operation(
        Op.CI,
        _POSITIVE.format("sici(u)[1]"),
        (_POSITIVE.format("cos(u) / u"),),
        "u > 0",
        (0,),
        sympy=sympy.Ci,
    ),
    Operation(  # polylog(2, u)
        Op.DILOG,
        "where(u <= 1, spence(1 - u), nan)",
        ("where(u < 1, where(u == 0, 1.0, -log1p(-u) / nonzero(u)), nan)",),
        "u <= 1",
        (1,),
    ),
    Operation(Op.ERFC, "erfc(u)", ("-two_over_root_pi * exp(-u * u)",), sympy=sympy.erfc),
    Operation(Op.ATAN2, "atan2(u, v)", ("v / (u * u + v * v)", "-u / (u * u + v * v)")),
)

TABLE: dict[Op, Operation] = {row.op: row for row in _ROWS}
"""Every operation that computes something; X, P and NUMBER only fill a register."""

ORDERED = frozenset({Op.BESSELJ, Op.BESSELY, Op.BESSELI, Op.BESSELK})
"""Operations whose number is an order, SymPy's first argument."""

BY_SYMPY: dict[Any, Op] = {row.sympy: row.op for row in _ROWS if row.sympy is not None}
"""SymPy's functions as operations."""

"""A formula as nested lists: MathJSON (https://cortexjs.io/math-json/)."""

# ruff: noqa: SIM905 (tables of words read better as text)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from kansym.functions.parsing import symbols
from kansym.report.export.walker import Algebra, walk

_FUNCTIONS: Mapping[str, str] = {
    key: name
    for pair in (
        "exp=Exp log=Ln sqrt=Sqrt sin=Sin cos=Cos tan=Tan asin=Arcsin acos=Arccos atan=Arctan "
        "atan2=Arctan2 sinh=Sinh cosh=Cosh tanh=Tanh asinh=Arsinh acosh=Arcosh atanh=Artanh erf=Erf "
        "erfc=Erfc erfi=Erfi gamma=Gamma loggamma=GammaLn digamma=Digamma polygamma=PolyGamma "
        "besselj=BesselJ bessely=BesselY besseli=BesselI besselk=BesselK airyai=AiryAi airybi=AiryBi "
        "airyaiprime=AiryAiPrime airybiprime=AiryBiPrime elliptic_k=EllipticK elliptic_e=EllipticE "
        "LambertW=LambertW Si=SinIntegral Ci=CosIntegral Shi=SinhIntegral Chi=CoshIntegral "
        "Ei=ExpIntegralEi fresnels=FresnelS fresnelc=FresnelC dilog=PolyLog2 sign=Sign Abs=Abs "
        "floor=Floor ceiling=Ceil Max=Max Min=Min nan=NaN"
    ).split()
    for key, name in [pair.split("=")]
}
_COMPARE = {
    "==": "Equal", "!=": "NotEqual", "<": "Less", "<=": "LessEqual", ">": "Greater", ">=": "GreaterEqual",
}  # fmt: skip


class _Lists(Algebra[Any]):
    target = "MathJSON"

    def __init__(self, names: Sequence[str], digits: int | None) -> None:
        self.names, self.digits = names, digits

    def integer(self, value: int) -> Any:
        return value

    def rational(self, numerator: int, denominator: int) -> Any:
        return ["Rational", numerator, denominator]

    def real(self, value: float) -> Any:
        return value if self.digits is None else float(f"{value:.{self.digits}g}")

    def constant(self, name: str) -> Any:
        return "Pi" if name == "pi" else "ExponentialE"

    def column(self, index: int) -> Any:
        # a bare string could be read as a constant: columns are marked
        return ["Column", f"'{self.names[index]}'"]

    def add(self, terms: Sequence[tuple[bool, Any]]) -> Any:
        return ["Add", *(["Negate", t] if negative else t for negative, t in terms)]

    def multiply(self, factors: Sequence[Any]) -> Any:
        return ["Multiply", *factors]

    def divide(self, over: Any, under: Any) -> Any:
        return ["Divide", over, under]

    def negate(self, value: Any) -> Any:
        return -value if isinstance(value, int | float) else ["Negate", value]

    def power(self, base: Any, exponent: Any, integer: bool) -> Any:
        return ["Power", base, exponent]

    def has(self, key: str) -> bool:
        return key in _FUNCTIONS

    def call(self, key: str, args: Sequence[Any]) -> Any:
        return [_FUNCTIONS[key], *args] if args else _FUNCTIONS[key]

    def compare(self, operator: str, left: Any, right: Any) -> Any:
        return [_COMPARE[operator], left, right]

    def logic(self, operator: str, args: Sequence[Any]) -> Any:
        return [operator.capitalize(), *args]

    def choose(self, condition: Any, yes: Any, no: Any) -> Any:
        return ["If", condition, yes, no]


def to_mathjson(expression: sympy.Expr, names: Sequence[str], digits: int | None = None) -> Any:
    """Return a formula as nested lists; a column `x` is ["Column", "'x'"].

    >>> to_mathjson(sympy.sin(sympy.Symbol("x")) / 2, ["x"])
    ['Divide', ['Sin', ['Column', "'x'"]], 2]
    """
    return walk(expression, symbols(names), _Lists(names, digits))

"""The formula as a trainable torch Module; imported only when it is asked for.

The functions below that torch lacks, or has without a derivative, are also copied into exported code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import sympy
import torch

from kansym.formula.program import parametrise
from kansym.functions.parsing import symbols
from kansym.report.export.arrays import Torch
from kansym.report.export.walker import Algebra, walk


class _Derived(torch.autograd.Function):
    """Give a function of torch a derivative that torch lacks."""

    @staticmethod
    def forward(context, u, value, slope):
        y = value(u)
        context.save_for_backward(slope(u, y))
        return y

    @staticmethod
    def backward(context, gradient):
        return gradient * context.saved_tensors[0], None, None


def gamma_function(u):
    """Return Euler's gamma function."""
    size = torch.exp(torch.lgamma(u))
    return torch.where((u > 0) | (torch.floor(u) % 2 == 0), size, -size)


def bessel_j0(u):
    """Return the Bessel function J0; J0' = -J1."""
    return _Derived.apply(u, torch.special.bessel_j0, lambda x, y: -torch.special.bessel_j1(x))


def bessel_j1(u):
    """Return the Bessel function J1; J1' = J0 - J1/x."""
    j0, j1 = torch.special.bessel_j0, torch.special.bessel_j1
    half = lambda x, y: torch.where(x == 0, torch.full_like(x, 0.5), j0(x) - y / x)  # noqa: E731
    return _Derived.apply(u, j1, half)


def bessel_y0(u):
    """Return the Bessel function Y0; Y0' = -Y1."""
    return _Derived.apply(u, torch.special.bessel_y0, lambda x, y: -torch.special.bessel_y1(x))


def bessel_y1(u):
    """Return the Bessel function Y1; Y1' = Y0 - Y1/x."""
    return _Derived.apply(u, torch.special.bessel_y1, lambda x, y: torch.special.bessel_y0(x) - y / x)


def bessel_k0(u):
    """Return the Bessel function K0; K0' = -K1."""
    k0, k1 = torch.special.modified_bessel_k0, torch.special.modified_bessel_k1
    return _Derived.apply(u, k0, lambda x, y: -k1(x))


def bessel_k1(u):
    """Return the Bessel function K1; K1' = -K0 - K1/x."""
    k0, k1 = torch.special.modified_bessel_k0, torch.special.modified_bessel_k1
    return _Derived.apply(u, k1, lambda x, y: -k0(x) - y / x)


class _Tensors(Algebra[Any]):
    """Compute with tensors; names are those of the code that `arrays.Torch` writes."""

    target = "torch"

    def __init__(self, X: torch.Tensor, theta: torch.Tensor) -> None:
        self.X, self.theta = X, theta
        self.functions = Torch().functions

    def integer(self, value: int) -> Any:
        return value

    def rational(self, numerator: int, denominator: int) -> Any:
        return numerator / denominator

    def real(self, value: float) -> Any:
        return value

    def constant(self, name: str) -> Any:
        return math.pi if name == "pi" else math.e

    def number(self, expression: sympy.Expr) -> Any:
        return (
            int(expression) if expression.is_Integer and abs(int(expression)) < 2**53 else float(expression)
        )

    def column(self, index: int) -> Any:
        return self.X[..., index]

    def parameter(self, index: int) -> Any:
        return self.theta[index]

    def add(self, terms: Sequence[tuple[bool, Any]]) -> Any:
        total = 0
        for negative, term in terms:
            total = total - term if negative else total + term
        return total

    def multiply(self, factors: Sequence[Any]) -> Any:
        total = factors[0]
        for f in factors[1:]:
            total = total * f
        return total

    def divide(self, over: Any, under: Any) -> Any:
        return over / under

    def negate(self, value: Any) -> Any:
        return -value

    def power(self, base: Any, exponent: Any, integer: bool) -> Any:
        return base**exponent

    def has(self, key: str) -> bool:
        return key in self.functions

    def call(self, key: str, args: Sequence[Any]) -> Any:
        """Return a function of tensors: one of this room, or one of torch by its dotted name."""
        name = self.functions[key]
        function: Any = globals().get(name)
        if function is None:
            function = torch
            for part in name.split(".")[1:]:
                function = getattr(function, part)
        return function(*(torch.as_tensor(a, dtype=self.X.dtype, device=self.X.device) for a in args))

    def compare(self, operator: str, left: Any, right: Any) -> Any:
        tensors = [torch.as_tensor(v, dtype=self.X.dtype, device=self.X.device) for v in (left, right)]
        names = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
        return getattr(torch, names[operator])(*tensors)

    def logic(self, operator: str, args: Sequence[Any]) -> Any:
        """Return "not", "and" or "or" of truth values, row by row."""
        if operator == "not":
            return ~args[0]
        total = args[0]
        for a in args[1:]:
            total = total & a if operator == "and" else total | a
        return total

    def choose(self, condition: Any, yes: Any, no: Any) -> Any:
        yes, no = (torch.as_tensor(v, dtype=self.X.dtype, device=self.X.device) for v in (yes, no))
        return torch.where(condition, yes, no)


class Formula(torch.nn.Module):
    """Compute a formula on X (..., columns); its fitted constants are the parameters `theta` (float64)."""

    def __init__(self, expression: sympy.Expr, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.template, self.constants, start = parametrise(expression)
        self.theta = torch.nn.Parameter(torch.tensor(start.tolist(), dtype=torch.float64))
        # what the target lacks is refused now, not at the first call
        self.forward(torch.ones(1, len(self.names), dtype=torch.float64))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the values (...) on X (..., columns)."""
        algebra = _Tensors(X, self.theta)
        value = walk(self.template, symbols(self.names), algebra, self.constants)
        return value + torch.zeros_like(X[..., 0])

    def sympy(self) -> sympy.Expr:
        """Return the formula with the constants as they are now."""
        values = self.theta.detach().tolist()
        return self.template.xreplace(
            {s: sympy.Float(v, 17) for s, v in zip(self.constants, values, strict=True)}
        )

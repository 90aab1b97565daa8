"""Library functions on torch tensors: the table of operations in torch, and byte code run with it.

Each operation has its own slope from the table, not torch's (1 - tanh² for one has no digits left far out);
the slope is itself made of torch's functions, so that derivatives of any order follow. Functions that only
SciPy has go through NumPy: once differentiable, on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor

from kansym.functions import forms, library
from kansym.functions.operations import TABLE, Op


def _where(condition: Any, yes: Any, no: Any) -> Any:
    """Choose between two values, tensors or numbers."""
    if not isinstance(condition, Tensor):
        return yes if condition else no
    return torch.where(condition, yes, no)


def _either(of_tensors: Callable[..., Tensor], of_numbers: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of tensors that takes plain numbers, too: constant parts of a formula are these."""

    def function(*args: Any) -> Any:
        """Return the values of an operation on tensors, or on numbers as numbers."""
        like = next((a for a in args if isinstance(a, Tensor)), None)
        if like is None:
            return float(of_numbers(*args))
        return of_tensors(*(torch.as_tensor(a, dtype=like.dtype, device=like.device) for a in args))

    return function


def _integer_power(u: Any, n: float) -> Any:
    return u ** int(n)


_NAMES: dict[str, Any] = {
    **{
        name: _either(getattr(torch, name), forms.NUMPY_NAMES[name])
        for name in (
            "exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh",
            "asinh", "acosh", "atanh", "sqrt", "abs", "sign", "expm1", "log1p", "floor", "maximum",
            "minimum", "erf",
        )
    },
    "power": _either(torch.pow, np.power),
    "erfc": _either(torch.special.erfc, special.erfc),
    "gammaln": _either(torch.lgamma, special.gammaln),
    "digamma": _either(torch.digamma, special.digamma),
    "polygamma": lambda k, u: torch.polygamma(k, u) if isinstance(u, Tensor) else special.polygamma(k, u),
    "where": _where,
    "integer_power": _integer_power,
}  # fmt: skip

_SPECIAL = (Op.ERFC, Op.LOGGAMMA, Op.DIGAMMA, Op.TRIGAMMA)
"""Special functions that torch has to double precision, derivatives included."""

_FORMS = forms.bind(_NAMES, [row for row in TABLE.values() if row.is_compiled or row.op in _SPECIAL])


class _Operation(torch.autograd.Function):
    """Apply one operation of the table, with its slopes for the gradient."""

    @staticmethod
    def forward(ctx: Any, op: Op, n: float, u: Tensor, v: Any) -> Tensor:
        """Return an operation's values, and keep what its slopes need."""
        ctx.op, ctx.n, ctx.v = op, n, None if isinstance(v, Tensor) else v
        ctx.save_for_backward(u, v) if isinstance(v, Tensor) else ctx.save_for_backward(u)
        return _FORMS[op].value(u, v, n)

    @staticmethod
    def backward(ctx: Any, up: Tensor) -> Any:
        """Return the derivatives by both arguments, by the table's slopes."""
        u, v = ctx.saved_tensors if len(ctx.saved_tensors) == 2 else (ctx.saved_tensors[0], ctx.v)
        form = _FORMS[ctx.op]
        value = form.value(u, v, ctx.n)
        slopes = [up * slope(u, v, ctx.n, value) for slope in form.slopes]
        return None, None, slopes[0], slopes[1] if isinstance(v, Tensor) else None


def _apply(op: Op) -> Callable[[Any, Any, float], Any]:
    """Return an operation on tensors, with the table's slopes for its gradient."""

    def function(u: Any, v: Any, n: float) -> Any:
        """Return the values of an operation on tensors, or on numbers as numbers."""
        if not isinstance(u, Tensor) and not isinstance(v, Tensor):
            return _FORMS[op].value(u, v, n)
        like = u if isinstance(u, Tensor) else v
        return _Operation.apply(op, n, torch.as_tensor(u, dtype=like.dtype, device=like.device), v)

    return function


# sums and products are torch's own: their slopes lose nothing, and they cost less
_OWN = (Op.ADD, Op.MUL, Op.NEG, Op.SQUARE)
TORCH: dict[Op, Callable[[Any, Any, float], Any]] = {
    op: form.value if op in _OWN else _apply(op) for op, form in _FORMS.items()
}
"""Every operation f(u, v, n) that torch has, on tensors or numbers."""


def torch_function(function: library.Function) -> Callable[..., Tensor]:
    """Return f(x, p) on tensors, by the function's byte code."""
    code = function.program
    if any(op in TABLE and op not in TORCH for op, *_ in code.lines):
        return lambda x, p=None: _Numpy.apply(x, function, p)

    def value(x: Tensor, p: Any = None) -> Tensor:
        """Return the values of the code's last line."""
        exponent = 1.0 if p is None else torch.as_tensor(p, dtype=x.dtype, device=x.device)
        registers: list[Any] = []
        for op, i, j, number in code.lines:
            if op is Op.X:
                registers.append(x)
            elif op is Op.P:
                registers.append(exponent)
            elif op is Op.NUMBER:
                registers.append(float(number))
            else:
                registers.append(TORCH[op](registers[i], registers[j] if j >= 0 else None, float(number)))
        last = registers[-1]
        return last if isinstance(last, Tensor) and last.shape == x.shape else torch.zeros_like(x) + last

    return value


class _Numpy(torch.autograd.Function):
    """Evaluate a library function, and its slope for the gradient, in NumPy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: library.Function, p: float | None) -> Tensor:
        ctx.save_for_backward(x)
        ctx.function, ctx.p = function, p
        return torch.from_numpy(np.asarray(function(x.detach().cpu().numpy(), p))).to(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, up: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        slope = ctx.function.derivative_values(x.cpu().numpy(), ctx.p)
        return up * torch.from_numpy(np.asarray(slope)).to(up), None, None

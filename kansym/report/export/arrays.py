"""Expressions as torch and JAX code, whose constants are the parameters `theta`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import sympy

from kansym.base.errors import InputError
from kansym.report.export.text import ATOM, ELEMENTWISE, INVERSE, SAME, Piece, Text, array_names


@dataclass
class Torch(Text):
    """Write torch calls; constants are `theta[i]`."""

    target = "torch"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: f"torch.{k}" for k in [*SAME, *INVERSE]},
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
    choice = "torch.where({condition}, {yes}, {no})"
    signs: ClassVar[Mapping[str, str]] = ELEMENTWISE

    def number(self, expression: sympy.Expr) -> Piece | None:
        # torch.sqrt(2) is an error: a constant part is worked out here
        if (
            expression.is_Integer
            or (expression.is_Rational and max(abs(expression.p), expression.q) < 2**53)
            or expression in (sympy.pi, sympy.E)
        ):
            return None
        return self.real(_value(expression))

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
            **array_names("jnp"),
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
    choice = "jnp.where({condition}, {yes}, {no})"

    def call(self, key: str, args: Sequence[Piece]) -> Piece:
        return Text.call(self, key, args)

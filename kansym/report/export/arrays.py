"""Expressions as torch and JAX code, whose constants are the parameters `theta`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy

from kansym.base.errors import InputError
from kansym.report.export.text import ATOM, LOGIC, SAME, Piece, Text


@dataclass
class Torch(Text):
    """Write torch calls; constants are `theta[i]`."""

    target = "torch"
    functions: Mapping[str, str] = field(
        default_factory=lambda: {
            **{k: f"torch.{k}" for k in [*SAME, "asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh"]},
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
            **{k: f"jnp.{k}" for k in [*SAME, "floor", "sign"]},
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

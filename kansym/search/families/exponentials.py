"""One sum of decays and waves above a polynomial: its columns, its slopes, and the form of x that it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import sympy

from kansym.functions.parsing import symbols
from kansym.search.families.family import INPUTS, Family, Form, Start

SOURCE = "decays and waves"
"""What such sums are called as the source of a formula."""


@dataclass(frozen=True)
class Scale:
    """Hold where x begins, its span, its largest size, and y's: a sum is of u = (x - low)/span, v = x/far."""

    low: float
    span: float
    far: float
    size: float


@dataclass(frozen=True)
class Mode:
    """Hold one mode in units of 1/span: exp(-rate·u)·(wave of this frequency, if any).

    `still` fixes the rate at 0; `rising` multiplies by x, `double` by a line in x (a double root).
    """

    rate: float
    frequency: float = 0.0
    still: bool = False
    rising: bool = False
    double: bool = False

    @property
    def waves(self) -> bool:
        """Tell whether the mode oscillates."""
        return self.frequency > 0

    @property
    def free(self) -> int:
        """Return the number of constants that are not linear."""
        return int(not self.still) + int(self.waves)

    def shapes(self, u: np.ndarray, v: np.ndarray) -> list[np.ndarray]:
        """Return what of it is linearly combined, each (n,): u runs from 0 to 1, v is what rises."""
        decay = np.exp(-self.rate * u) if not self.still else np.ones_like(u)
        turns = self.frequency * u
        shapes = [decay * np.cos(turns), decay * np.sin(turns)] if self.waves else [decay]
        if self.rising:
            return [v * s for s in shapes]
        return shapes + [v * s for s in shapes] if self.double else shapes


@dataclass(frozen=True)
class Sum:
    """Hold modes above powers of x: the numbers of those that stand there (0 the constant)."""

    modes: tuple[Mode, ...]
    base: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Return the number of linear constants."""
        return len(self.base) + sum((1 + m.waves) * (1 + m.double) for m in self.modes)

    @property
    def structure(self) -> tuple:
        """Return what distinguishes it from sums of other form."""
        kinds = sorted((m.waves, m.still, m.rising, m.double) for m in self.modes)
        return self.base, tuple(kinds)

    def start(self) -> np.ndarray:
        """Return the constants that are not linear."""
        out: list[float] = []
        for mode in self.modes:
            out += ([] if mode.still else [mode.rate]) + ([mode.frequency] if mode.waves else [])
        return np.array(out)

    def at(self, others: np.ndarray) -> Sum:
        """Return the sum with these constants that are not linear; a negative frequency is a positive one."""
        values, modes = iter(others), []
        for mode in self.modes:
            rate = 0.0 if mode.still else float(next(values))
            modes.append(replace(mode, rate=rate, frequency=abs(float(next(values))) if mode.waves else 0.0))
        return replace(self, modes=tuple(modes))

    def parts(self, u: np.ndarray, v: np.ndarray) -> list[list[np.ndarray]]:
        """Return what is linearly combined: the powers, and the shapes of each mode, each (n,)."""
        return [[v**k for k in self.base], *(mode.shapes(u, v) for mode in self.modes)]

    def slopes(self, u: np.ndarray, parts: list[list[np.ndarray]], linear: np.ndarray) -> np.ndarray:
        """Return the derivatives (n, others) by rates and frequencies, at these linear constants (m,)."""
        at, out = len(self.base), []
        for mode, shapes in zip(self.modes, parts[1:], strict=True):
            c = linear[at : at + len(shapes)]
            at += len(shapes)
            if not mode.still:
                out.append(-u * (np.column_stack(shapes) @ c))
            if mode.waves:
                turned = [q for p in range(0, len(shapes), 2) for q in (-shapes[p + 1], shapes[p])]
                out.append(u * (np.column_stack(turned) @ c))
        return np.column_stack(out) if out else np.zeros((len(u), 0))


def written(one: Sum, linear: np.ndarray, scale: Scale) -> tuple[Form, np.ndarray]:
    """Return the sum as a form of x with its constants' values, linear ones first."""
    x, parts = INPUTS[0], []
    factors: list[tuple[str, float]] = []
    others: list[tuple[str, float, str]] = []
    left = iter(linear * scale.size)
    for k in one.base:
        factors.append((f"b{k}", float(next(left)) / scale.far**k))
        parts.append(_symbol(f"b{k}") * x**k)
    for i, mode in enumerate(one.modes, 1):
        inner, shift = sympy.S.One, 0.0
        if not mode.still:
            others.append((f"k{i}", mode.rate / scale.span, "rate"))
            inner, shift = sympy.exp(-_symbol(f"k{i}") * x), mode.rate * scale.low / scale.span
        if mode.waves:
            others.append((f"w{i}", mode.frequency / scale.span, "frequency"))
        terms = []
        for name in ("B",) if mode.rising else (("A", "B") if mode.double else ("A",)):
            factor, wave = float(next(left)) / scale.far ** (name == "B"), sympy.S.One
            if mode.waves:
                a, b = factor, float(next(left)) / scale.far ** (name == "B")
                phase = math.atan2(a, b) - mode.frequency * scale.low / scale.span
                factor = math.hypot(a, b)
                others.append((f"p{name}{i}", math.remainder(phase, 2 * math.pi), "phase"))
                wave = sympy.sin(_symbol(f"w{i}") * x + _symbol(f"p{name}{i}"))
            factors.append((f"{name}{i}", factor * float(np.exp(shift))))
            terms.append(_symbol(f"{name}{i}") * (x if name == "B" else 1) * wave)
        parts.append(sympy.Add(*terms) * inner)
    form = Form(
        SOURCE,
        sympy.Add(*parts),
        tuple(_symbol(name) for name, _ in factors),
        (),
        tuple(_symbol(name) for name, *_ in others),
        tuple(Start(role) for *_, role in others),
        max(len(one.modes), 1),
    )
    return form, np.array([v for _, v in factors] + [v for _, v, _ in others])


def _symbol(name: str) -> sympy.Symbol:
    return symbols([name])[0]


def covers(family: Family) -> bool:
    """Tell whether a family is such a sum with constants of its own for every term: it need not be tried."""
    form = family.form(1)
    terms = sympy.Add.make_args(form.formula)
    return not form.inside and len(terms) == len(form.linear) and all(_is_mode(t, form) for t in terms)


def _is_mode(term: sympy.Expr, form: Form) -> bool:
    """Tell whether a term is a decay, a wave or a power of x with constants of its own."""
    x = INPUTS[0]
    rest = sympy.Mul(*(f for f in sympy.Mul.make_args(term) if f not in form.linear))
    waves = rest.atoms(sympy.sin)
    decays = [f for f in sympy.Mul.make_args(rest) if isinstance(f, sympy.exp)]
    bare = sympy.Mul(*(f for f in sympy.Mul.make_args(rest) if f not in waves and f not in decays))
    own = [s for s in rest.free_symbols if s in form.others]
    straight = all(
        f.args[0].diff(x, 2) == 0 and f.args[0].diff(x) in (*own, *(-s for s in own))
        for f in (*waves, *decays)
    )
    powers = bare == 1 if waves or decays else bare in (1, x, x**2)
    return straight and powers and len(waves) < 2 and len(decays) < 2

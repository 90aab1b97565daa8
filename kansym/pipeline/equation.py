"""A differential equation on a box as text: what it says inside, what u is on the sides, and points of both.

Not here: how it is solved (`collocation`) and what its solution is as a formula (`pde`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from kansym.base.errors import InputError
from kansym.formula.program import Program
from kansym.functions.parsing import parse_expression, symbols

Faces = Mapping[tuple[str, int], str]


@dataclass(frozen=True)
class Equation:
    """State an equation for u on a box, as text.

    `inside` is zero where the equation holds; it may use the variables, u, first derivatives such as u_x
    and second ones such as u_xx. `faces` gives u on sides of the box: {("x", 0): "0"} at the lower end of
    x, ("x", 1) at the upper. Raises InputError for anything that cannot be read.

    >>> Equation(("x",), ((0, 1),), "u_xx + u", {("x", 0): "0", ("x", 1): "sin(1)"}).order
    2
    """

    variables: tuple[str, ...]
    box: tuple[tuple[float, float], ...]
    inside: str
    faces: Faces

    def __post_init__(self) -> None:
        """Read every part once, so that mistakes show before a long fit."""
        if len(self.box) != len(self.variables):
            raise InputError(
                f"{len(self.variables)} variables need as many ranges; {len(self.box)} are given."
            )
        for (low, high), name in zip(self.box, self.variables, strict=True):
            if not low < high:
                raise InputError(f"The range of {name!r} is {low} to {high}; the first must be smaller.")
        for (name, side), text in self.faces.items():
            if name not in self.variables or side not in (0, 1):
                raise InputError(f"Face {(name, side)!r} is not a side of the box; give (variable, 0 or 1).")
            parse_expression(text, self.variables)
        if not self.faces:
            raise InputError("No condition is given on any side, so the equation does not determine u.")
        _ = self.expression

    @property
    def slots(self) -> tuple[str, ...]:
        """Return the names that `inside` may use: variables, u, u_x ..., u_xx ..."""
        v = self.variables
        return (*v, "u", *(f"u_{n}" for n in v), *(f"u_{n}{n}" for n in v))

    @property
    def expression(self) -> sympy.Expr:
        """Return `inside` in SymPy, over `slots`."""
        return parse_expression(self.inside, self.slots)

    @cached_property
    def program(self) -> Program:
        """Return `inside` compiled, over `slots`."""
        return Program.compile(self.expression, symbols(self.slots))

    @property
    def order(self) -> int:
        """Return the highest derivative in the equation."""
        used = {s.name for s in self.expression.free_symbols}
        return 2 if used & {f"u_{n}{n}" for n in self.variables} else 1

    def applied(self, u: sympy.Expr) -> sympy.Expr:
        """Return the left side of the equation for a closed form u."""
        named = dict(zip(self.slots, symbols(self.slots), strict=True))
        swap = {named["u"]: u}
        for n in self.variables:
            swap[named[f"u_{n}"]] = sympy.diff(u, named[n])
            swap[named[f"u_{n}{n}"]] = sympy.diff(u, named[n], 2)
        return self.expression.xreplace(swap)


def interior(equation: Equation, points: int, rng: np.random.Generator) -> np.ndarray:
    """Return a jittered lattice of points^d points in the box."""
    axes = [np.linspace(0, 1, points, endpoint=False) for _ in equation.box]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
    lattice = lattice + rng.random(lattice.shape) / points
    low, high = np.array(equation.box, float).T
    return low + lattice * (high - low)


def border(equation: Equation, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points on the conditioned faces and the values that u takes there."""
    columns = symbols(equation.variables)
    P, v = [], []
    for (name, side), text in equation.faces.items():
        i = equation.variables.index(name)
        axes = [
            np.array([float(b[side])]) if k == i else np.linspace(b[0], b[1], points)
            for k, b in enumerate(equation.box)
        ]
        face = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
        P.append(face)
        v.append(Program.compile(parse_expression(text, equation.variables), columns).value(face))
    return np.vstack(P), np.concatenate(v)

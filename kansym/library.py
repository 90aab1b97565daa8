"""The functions a curve can be matched with: TOML entries, each one SymPy expression.

Domain, poles, parity, period, redundant parameters, derivative, LaTeX and numpy form are derived from the
expression. This room does not fit anything (`affine`, `matching`) and knows no other room's objects.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sympy

from kansym import resources
from kansym.bytecode import Program, compile_expression
from kansym.derivation import Interval, domain_and_poles, reflection, scales, shifts
from kansym.errors import FormatError, InputError, UnknownNameError
from kansym.parsing import parse_expression, symbols

X, P = symbols(["x", "p"])


@dataclass(frozen=True)
class Function:
    """Hold one named function of x (and of an exponent p, for a family)."""

    name: str
    expression: sympy.Expr
    complexity: int
    theme: str = "user"

    @cached_property
    def program(self) -> Program:
        """Return the expression as a list of numbered operations."""
        return compile_expression(self.expression, X, P)

    @cached_property
    def derivative(self) -> sympy.Expr:
        """Return the derivative by x, as an expression."""
        return sympy.diff(self.expression, X)

    @cached_property
    def latex(self) -> str:
        """Return the LaTeX form."""
        return str(sympy.latex(self.expression))

    @cached_property
    def has_exponent(self) -> bool:
        """Tell whether this is a family with a free exponent p."""
        return P in self.expression.free_symbols

    @cached_property
    def _domain_and_poles(self) -> tuple[tuple[Interval, ...], tuple[float, ...]]:
        return domain_and_poles(self.expression, X, P)

    @property
    def domain(self) -> tuple[Interval, ...]:
        """Return the intervals on which f is real and finite."""
        return self._domain_and_poles[0]

    @property
    def poles(self) -> tuple[float, ...]:
        """Return the points near which |f| grows without bound (of a periodic function: those near 0)."""
        return self._domain_and_poles[1]

    @cached_property
    def reflection(self) -> tuple[float, float] | None:
        """Return (c, d) with f(-x) = c·f(x) + d, or None where the two are unrelated."""
        return reflection(self.program, self.domain)

    @property
    def parity(self) -> str:
        """Return "even", "odd" or "none"."""
        return {(1.0, 0.0): "even", (-1.0, 0.0): "odd"}.get(self.reflection or (0.0, 0.0), "none")

    @cached_property
    def period(self) -> float | None:
        """Return the period, or None."""
        if not self.expression.has(sympy.functions.elementary.trigonometric.TrigonometricFunction):
            return None
        found = sympy.periodicity(self.expression, X)
        return None if found is None else float(found)

    @cached_property
    def redundant(self) -> frozenset[str]:
        """Return the letters of a, b that c and d absorb in c·f(a·x + b) + d."""
        if X not in self.expression.free_symbols:
            return frozenset("abc")
        letters = "a" if scales(self.program, self.domain) else ""
        return frozenset(letters + ("b" if shifts(self.program, self.domain) else ""))

    def __call__(self, x: Any, p: float | None = None) -> np.ndarray:
        """Return f(x), elementwise; NaN outside the domain, without warnings."""
        return self.program.value(np.asarray(x, float), 1.0 if p is None else p)

    def derivative_values(self, x: Any, p: float | None = None) -> np.ndarray:
        """Return df/dx, elementwise; NaN where it is undefined, without warnings."""
        return self.program.dual(np.asarray(x, float), 1.0 if p is None else p)[1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write."""
        return {
            "name": self.name,
            "expression": str(self.expression),
            "complexity": self.complexity,
            "theme": self.theme,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Function:
        """Return the function that :meth:`to_dict` described; raises FormatError or InputError."""
        try:
            name, text, complexity = data["name"], data["expression"], int(data["complexity"])
        except (KeyError, TypeError, ValueError) as problem:
            raise FormatError(f"A library function lacks or garbles {problem}.") from None
        return Function(str(name), parse_expression(text, ["x", "p"]), complexity, str(data.get("theme", "user")))


@dataclass(frozen=True, eq=False)
class Library(Mapping[str, Function]):
    """Hold named functions, in order."""

    functions: tuple[Function, ...]
    _by_name: dict[str, Function] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {f.name: f for f in self.functions})

    def __getitem__(self, name: str) -> Function:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    @staticmethod
    def load(name_or_path: str | Path = "default") -> Library:
        """Return a preset, or the functions of a TOML file."""
        every, presets = _shipped()
        name = str(name_or_path)
        if name == "all":
            return Library(tuple(dict.fromkeys(every.values())))
        if name in presets:
            return Library(tuple(dict.fromkeys(every[n] for n in presets[name])))
        raise UnknownNameError("library", name, ["all", *presets])

    def only(self, names: Iterable[str]) -> Library:
        """Return a library of these functions only."""
        return Library(tuple(self[n] for n in names))

    def exclude(self, names: Iterable[str]) -> Library:
        """Return the library without these functions."""
        gone = set(names)
        return Library(tuple(f for f in self.functions if f.name not in gone))

    def add(self, name: str, expression: str | sympy.Expr, complexity: int | None = None) -> Library:
        """Return the library with one more function."""
        if isinstance(expression, str):
            expression = parse_expression(expression, ["x", "p"])
        new = Function(name, expression, complexity or int(expression.count_ops()) + 1)
        return Library((*(f for f in self.functions if f.name != name), new))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write."""
        return {"functions": [f.to_dict() for f in self.functions]}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Library:
        """Return the library that :meth:`to_dict` described."""
        return Library(tuple(Function.from_dict(f) for f in data["functions"]))


@cache
def _shipped() -> tuple[dict[str, Function], dict[str, list[str]]]:
    every: dict[str, Function] = {}
    presets: dict[str, list[str]] = {}
    for path in sorted(resources.folder("library").glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        if path.stem == "presets":
            presets = data
            continue
        for name, entry in data.items():
            f = Function(name, parse_expression(entry["expression"], ["x", "p"]), entry["complexity"], path.stem)
            for key in (name, *entry.get("aliases", ())):
                every[key] = f
    return every, presets


def get(name: str) -> Function:
    """Return a shipped function by its name or one of its other names."""
    every, _ = _shipped()
    if name not in every:
        raise UnknownNameError("function", name, every)
    return every[name]


_ = InputError

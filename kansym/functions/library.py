"""The functions a curve can be matched with: TOML entries, each one SymPy expression.

Domain, poles, parity, period, redundant parameters, derivative, LaTeX and numpy form are derived from the
expression. This room does not fit anything (`affine`, `matching`) and knows no other room's objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import sympy

from kansym.base import resources, storage
from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.functions.bytecode import Bytecode
from kansym.functions.compiler import compile_expression
from kansym.functions.derivation import Interval, domain_and_poles, reflection, scales, shifts
from kansym.functions.parsing import format_expression, parse_expression, symbols

X, EXPONENT = symbols(["x", "p"])
"""The argument of every function, and the exponent of a family."""

PRESETS, FAMILIES = "presets.toml", "families.toml"
NOT_FUNCTIONS = (PRESETS, FAMILIES, "prior.toml")
"""Files beside the functions that hold none: presets, families of curves, what people write."""
KEYS = {"expression", "complexity", "aliases"}
SHOWN = 6
"""Functions that are named where a library is printed."""


@dataclass(frozen=True)
class Function:
    """Hold one named function of x (and of an exponent p, for a family)."""

    name: str
    expression: sympy.Expr
    complexity: int
    theme: str = "user"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise InputError(f"A function's name is {self.name!r}; give it a text that is not empty.")
        strange = self.expression.free_symbols - {X, EXPONENT}
        if strange:
            raise InputError(
                f"Function {self.name!r} uses {', '.join(sorted(map(str, strange)))}; "
                "only x, and p for a free exponent, may appear."
            )
        if (
            isinstance(self.complexity, bool)
            or not isinstance(self.complexity, Integral)
            or self.complexity < 1
        ):
            raise InputError(
                f"Function {self.name!r} has complexity {self.complexity!r}; use a whole number from 1 up."
            )

    @cached_property
    def program(self) -> Bytecode:
        """Return the expression as a list of numbered operations."""
        return compile_expression(self.expression, X, EXPONENT)

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
        return EXPONENT in self.expression.free_symbols

    @cached_property
    def _domain_and_poles(self) -> tuple[tuple[Interval, ...], tuple[float, ...]]:
        return domain_and_poles(self.expression, X, EXPONENT)

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
            "expression": format_expression(self.expression),
            "complexity": self.complexity,
            "theme": self.theme,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Function:
        """Return the function that :meth:`to_dict` described; raises FormatError or InputError."""
        try:
            name, text, complexity = str(data["name"]), data["expression"], int(data["complexity"])
        except (KeyError, TypeError, ValueError) as problem:
            raise FormatError(f"A library function lacks or garbles {problem}; save it again.") from None
        return Function(name, parse_expression(text, ["x", "p"]), complexity, str(data.get("theme", "user")))

    def checked(self) -> Function:
        """Return the function itself; raises InputError when it has no numeric form or is a constant."""
        if self.name != "0" and X not in self.expression.free_symbols:
            raise InputError(
                f"Function {self.name!r} is the constant {self.expression}; it must depend on x."
            )
        _ = self.program
        if not self.domain:
            raise InputError(
                f"Function {self.name!r} = {self.expression} is real nowhere; check its expression."
            )
        return self

    def describe(self) -> dict[str, Any]:
        """Return what `kansym library show` prints: the entry and what is derived from it."""
        return {
            **self.to_dict(),
            "latex": self.latex,
            "derivative": format_expression(self.derivative),
            "domain": [str(piece) for piece in self.domain],
            "poles": list(self.poles),
            "parity": self.parity,
            "period": self.period,
            "redundant": sorted(self.redundant),
            "family": self.has_exponent,
        }


@dataclass(frozen=True, eq=False)
class Library(Mapping[str, Function]):
    """Hold functions by name, in order; other names of shipped functions (arcsin, x^0.5) are understood."""

    functions: tuple[Function, ...]

    @cached_property
    def _by_name(self) -> dict[str, Function]:
        return {f.name: f for f in self.functions}

    def __getitem__(self, name: str) -> Function:
        if name in self._by_name:
            return self._by_name[name]
        return self._by_name[_shipped().names[name].name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        """Return the number of functions and the first of their names on one line."""
        more = ", ..." if len(self) > SHOWN else ""
        return f"Library({len(self)} functions: {', '.join(list(self)[:SHOWN])}{more})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Library) and self.functions == other.functions

    def __hash__(self) -> int:
        return hash(self.functions)

    @staticmethod
    def load(name_or_path: str | Path = "default") -> Library:
        """Return a preset, or the functions of a TOML file.

        Raises UnknownNameError for neither, FormatError or InputError for a file with faults.
        """
        shipped = _shipped()
        name = str(name_or_path)
        if name == "all":
            return Library(tuple(dict.fromkeys(shipped.names.values())))
        if name in shipped.presets:
            return Library(tuple(dict.fromkeys(shipped.names[n] for n in shipped.presets[name])))
        path = Path(name_or_path)
        if path.suffix == ".toml" or path.is_file():
            return Library(tuple(f.checked() for f, _ in read(path)))
        raise UnknownNameError("library", name, presets(), "A file's name ends in .toml.")

    def only(self, names: Iterable[str]) -> Library:
        """Return a library of these functions only, in this order; raises UnknownNameError."""
        return Library(tuple(dict.fromkeys(self._find(n) for n in names)))

    def exclude(self, names: Iterable[str]) -> Library:
        """Return the library without these functions; raises UnknownNameError."""
        gone = {self._find(n).name for n in names}
        return Library(tuple(f for f in self.functions if f.name not in gone))

    def spans(self, formula: sympy.Expr) -> bool:
        """Tell whether a formula has only this library's functions besides + - * / ^.

        >>> from kansym.functions.parsing import parse_expression
        >>> [Library.load("all").only(["sin"]).spans(parse_expression(t)) for t in ("sin(a)/b^2", "exp(a)")]
        [True, False]
        """
        heads = {type(node) for f in self.functions for node in sympy.preorder_traversal(f.expression)}
        used = (node for node in sympy.preorder_traversal(formula) if isinstance(node, sympy.Function))
        return all(type(node) in heads for node in used)

    def _find(self, name: str) -> Function:
        """Return the function of this name; raises UnknownNameError."""
        if name not in self:
            raise UnknownNameError(
                "function of this library", name, self, "`kansym library show` lists them."
            )
        return self[name]

    def add(self, name: str, expression: str | sympy.Expr, complexity: int | None = None) -> Library:
        """Return the library with one more function of x (and of p, a free exponent).

        Raises InputError when the expression is not allowed, or the name is taken by another function.

        >>> Library.load("polynomial").add("bump", "x**3*exp(-x)")["bump"].expression
        x**3*exp(-x)
        """
        form = (
            parse_expression(expression, ["x", "p"])
            if isinstance(expression, str)
            else sympy.sympify(expression)
        )
        form = form.xreplace({s: t for s in form.free_symbols for t in (X, EXPONENT) if s.name == t.name})
        size = complexity if complexity is not None else sum(1 for _ in sympy.preorder_traversal(form))
        new = Function(name, form, size).checked()
        if name in self:
            if self[name].expression != form:
                raise InputError(
                    f"The library already has {name!r} = {self[name].expression}; use another name."
                )
            return self
        return Library((*self.functions, new))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write."""
        return {"functions": [f.to_dict() for f in self.functions]}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Library:
        """Return the library that :meth:`to_dict` described; raises FormatError or InputError."""
        try:
            return Library(tuple(Function.from_dict(f) for f in data["functions"]))
        except (KeyError, TypeError) as problem:
            raise FormatError(
                f"The library lacks or garbles {problem}; save it again with this version."
            ) from None

    def describe(self) -> list[dict[str, Any]]:
        """Return one row per function for `kansym library list`: name, expression, complexity, theme."""
        return [f.to_dict() for f in self.functions]


def read(path: Path) -> list[tuple[Function, tuple[str, ...]]]:
    """Return the functions of a TOML file with their other names.

    Raises InputError for a file that cannot be read, FormatError for one that is no such TOML.
    """
    data = storage.read_toml(path, "the library file")
    if not data:
        raise FormatError(f'The library file {str(path)!r} is empty; write [name] and expression = "...".')
    found = []
    for name, entry in data.items():
        where = f"{Path(path).name}, [{name}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("expression"), str):
            raise FormatError(f'{where}: an entry needs expression = "..." in quotes.')
        if set(entry) - KEYS:
            raise FormatError(
                f"{where}: unknown key {sorted(set(entry) - KEYS)[0]!r}; known: {', '.join(sorted(KEYS))}."
            )
        aliases = entry.get("aliases", [])
        if not isinstance(aliases, list) or not all(isinstance(a, str) for a in aliases):
            raise FormatError(f"{where}: aliases is a list of names.")
        try:
            form = parse_expression(entry["expression"], ["x", "p"])
            size = entry.get("complexity", sum(1 for _ in sympy.preorder_traversal(form)))
            found.append((Function(name, form, size, Path(path).stem), tuple(aliases)))
        except InputError as problem:
            raise InputError(f"{where}: {problem}") from None
    return found


def check(path: str | Path) -> list[dict[str, Any]]:
    """Return what `kansym library check FILE` prints: each function's description.

    Every entry is compiled, its domain found, its slope compared with finite differences, and its saved
    form read back. Raises InputError or FormatError for the first entry that fails.
    """
    rows = []
    for f, _ in read(Path(path)):
        f.checked()
        if Function.from_dict(f.to_dict()) != f:
            raise InputError(
                f"Function {f.name!r} does not survive saving; write its expression more simply."
            )
        x = np.concatenate([_inner_points(piece) for piece in f.domain])
        h = 1e-5
        slope, rise = f.derivative_values(x, 1.5), (f(x + h, 1.5) - f(x - h, 1.5)) / (2 * h)
        good = np.isfinite(slope) & np.isfinite(rise)
        rough = np.abs(slope - rise) > 1e-4 * (1 + np.abs(slope)) + np.abs(f(x, 1.5)) * 1e-4
        if np.count_nonzero(rough & good) > 0.2 * len(x):
            raise InputError(
                f"Function {f.name!r} has a slope that differs from its differences; report this."
            )
        rows.append(f.describe())
    return rows


def _inner_points(piece: Interval) -> np.ndarray:
    """Return points inside a piece of the domain, at moderate size."""
    low, high = max(piece.low, -3.0), min(piece.high, 3.0)
    if low >= high:
        low, high = (piece.low, piece.low + 3.0) if np.isfinite(piece.low) else (piece.high - 3.0, piece.high)
    return low + (high - low) * np.linspace(0.05, 0.95, 13)


@dataclass(frozen=True)
class _Shipped:
    names: dict[str, Function]
    presets: dict[str, list[str]]


@cache
def _shipped() -> _Shipped:
    """Return the shipped functions by all their names, and the presets."""
    names: dict[str, Function] = {}
    chosen: dict[str, list[str]] = {}
    for path in sorted(resources.folder("library").glob("*.toml")):
        if path.name == PRESETS:
            chosen = storage.read_toml(path, "the library file")
        if path.name in NOT_FUNCTIONS:
            continue
        for f, aliases in read(path):
            for key in (f.name, *aliases):
                names[key] = f
    return _Shipped(names, chosen)


def presets() -> list[str]:
    """Return the names of the shipped selections."""
    return [*_shipped().presets, "all"]


def get(name: str) -> Function:
    """Return a shipped function by its name or one of its other names; raises UnknownNameError."""
    names = _shipped().names
    if name not in names:
        raise UnknownNameError("function", name, names)
    return names[name]

"""A system of equations of motion in other languages: right sides, and what solves them there.

The right sides come from SymPy's printers; what is written here is the frame around them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy

from kansym.base.errors import UnknownNameError
from kansym.functions.parsing import symbols
from kansym.pipeline.motion.integral import speed
from kansym.pipeline.motion.system import aligned, plain
from kansym.pipeline.motion.trajectory import TIME
from kansym.report.export.names import identifiers

TARGETS = ("python", "latex", "c", "julia", "text")


@dataclass(frozen=True)
class Equations:
    """Hold what an export needs: right sides of states in their order, inputs, order, and a start."""

    right_sides: Mapping[str, sympy.Expr]
    inputs: tuple[str, ...]
    order: int
    start: tuple[float, ...]
    span: tuple[float, float]

    @property
    def moving(self) -> tuple[str, ...]:
        """Return the names of the moving vector: states, for order 2 then their speeds."""
        states = tuple(self.right_sides)
        return (*states, *map(speed, states)) if self.order == 2 else states

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name that a right side may hold."""
        taken = (*self.moving, *self.inputs)
        return taken if TIME in taken else (*taken, TIME)


@dataclass(frozen=True)
class _Written:
    """Hold a system in one language: legal names of what moves and what drives, and the slopes as text."""

    moving: tuple[str, ...]
    driven: tuple[str, ...]
    slopes: tuple[str, ...]


def write(equations: Equations, target: str) -> str:
    """Return the system as source text; raises UnknownNameError for another target."""
    writers = {"python": _python, "latex": _latex, "c": _c, "julia": _julia, "text": _text}
    if target not in writers:
        raise UnknownNameError("target", target, TARGETS)
    return writers[target](equations)


def _written(equations: Equations, language: str) -> _Written:
    """Return the system with names that are legal in a language."""
    legal = identifiers(equations.names, "c" if language == "c" else "python")
    swap = dict(zip(symbols(equations.names), (sympy.Symbol(n, real=True) for n in legal), strict=True))
    count, states = len(equations.moving), len(equations.right_sides)
    slopes = [_printed(e.xreplace(swap), language) for e in equations.right_sides.values()]
    speeds = legal[states:count] if equations.order == 2 else ()
    driven = legal[count : count + len(equations.inputs)]
    return _Written(tuple(legal[:count]), tuple(driven), (*speeds, *slopes))


def _printed(formula: sympy.Expr, language: str) -> str:
    """Return one right side in a language."""
    if language == "python":
        return str(sympy.pycode(formula, fully_qualified_modules=True))
    if language == "c":
        return str(sympy.ccode(sympy.N(formula, 17)))
    # scalars: the printer's elementwise signs are for arrays
    text = str(sympy.julia_code(formula))
    return text.replace(".*", "*").replace("./", "/").replace(".^", "^")


def _unpacked(names: Sequence[str], source: str) -> str:
    """Return an assignment of a vector's elements to names, the same in Python and Julia."""
    return f"    {', '.join(names)}{',' if len(names) == 1 else ''} = {source}"


def _python(equations: Equations) -> str:
    """Return a module that SciPy solves."""
    w = _written(equations, "python")
    head = f"def slopes(t, state{', inputs' if w.driven else ''}):"
    lines = ['"""Equations of motion found by kansym."""', "", "import math", ""]
    lines += ["from scipy.integrate import solve_ivp", "", "", head]
    lines += [
        f'    """Return the time derivatives of {", ".join(w.moving)}."""',
        _unpacked(w.moving, "state"),
    ]
    if w.driven:
        lines.append(_unpacked(w.driven, "inputs(t)"))
    lines += [f"    return [{', '.join(w.slopes)}]", "", ""]
    span, start = repr(equations.span), repr(list(equations.start))
    accuracy = "rtol=1e-9, atol=1e-12"
    if w.driven:
        lines += ["def follow(inputs):"]
        lines += [f'    """Simulate; inputs(t) returns [{", ".join(w.driven)}]."""']
        lines += [f"    return solve_ivp(slopes, {span}, {start}, {accuracy}, args=(inputs,))", ""]
    else:
        lines += ['if __name__ == "__main__":']
        lines += [f"    run = solve_ivp(slopes, {span}, {start}, {accuracy})", "    print(run.y[:, -1])", ""]
    return "\n".join(lines)


def _c(equations: Equations) -> str:
    """Return a function in C."""
    w = _written(equations, "c")
    inputs = "const double *inputs, " if w.driven else ""
    lines = ["#include <math.h>", "", f"/* time derivatives of {', '.join(w.moving)} */"]
    lines.append(f"void slopes(double t, const double *state, {inputs}double *out) {{")
    lines += [f"    const double {n} = state[{k}];" for k, n in enumerate(w.moving)]
    lines += [f"    const double {n} = inputs[{k}];" for k, n in enumerate(w.driven)]
    lines += [f"    (void){n};" for n in ("t", *w.moving, *w.driven) if n != "t" or "t" not in w.moving]
    lines += [f"    out[{k}] = {s};" for k, s in enumerate(w.slopes)]
    return "\n".join([*lines, "}", ""])


def _julia(equations: Equations) -> str:
    """Return a function in Julia."""
    w = _written(equations, "julia")
    lines = ["# Equations of motion found by kansym, for DifferentialEquations.jl"]
    lines += ["function slopes!(out, state, inputs, t)", _unpacked(w.moving, "state")]
    if w.driven:
        lines.append(_unpacked(w.driven, "inputs(t)"))
    lines += [f"    out[{k}] = {s}" for k, s in enumerate(w.slopes, 1)]
    return "\n".join([*lines, "    return nothing", "end", ""])


def _latex(equations: Equations) -> str:
    """Return the system in LaTeX."""
    return aligned(equations.right_sides, equations.order) + "\n"


def _text(equations: Equations) -> str:
    """Return a line for each equation with all digits."""
    return "".join(f"{line}\n" for line in plain(equations.right_sides, equations.order, None))

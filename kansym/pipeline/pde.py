"""The closed form of an equation's solution, proved or refuted on the equation itself.

`collocation` solves the equation, this room reads a formula off the solution's values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.leastsq import levenberg_marquardt
from kansym.data.dataset import from_arrays
from kansym.formula import constants
from kansym.formula import expression as expressions
from kansym.formula.program import Program, parametrise
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.judge.trial import Trial
from kansym.pipeline.collocation import Settings, Solution, errors, solve
from kansym.pipeline.equation import Equation, border, interior
from kansym.pipeline.proposals import laws
from kansym.search import registry

__all__ = [
    "ClosedForm",
    "Equation",
    "Settings",
    "Solution",
    "closed_form",
    "errors",
    "judge",
    "polished",
    "solve",
]


WORK = 1000.0
"""Units of work (see `base.budget`) for the search of a closed form, most of which take a tenth of it."""


@dataclass(frozen=True)
class ClosedForm:
    """Hold a formula for u: what it leaves of the equation and the border (largest), and if that is zero."""

    expression: sympy.Expr
    inside: float
    border: float

    @property
    def exact(self) -> bool:
        """Tell whether the formula solves the equation to round-off."""
        return self.inside < 1e-8 and self.border < 1e-8

    @property
    def rank(self) -> tuple[bool, float]:
        """Return what orders forms: solutions by complexity, then the others by what they leave."""
        size = float(expressions.complexity(self.expression))
        return not self.exact, size if self.exact else self.inside + self.border

    @property
    def text(self) -> str:
        """Return the formula as text."""
        return expressions.text(self.expression)


def closed_form(solution: Solution, library: str | Library = "default", rows: int = 800) -> ClosedForm | None:
    """Return the best closed form of a solution, proved or refuted on the equation itself.

    Laws come from the solution's values alone, from one producer after another until one solves the equation.
    Each has its constants fitted to the equation and is put into it and its border conditions.
    """
    equation = solution.equation
    lib = library if isinstance(library, Library) else Library.load(library)
    lib = lib.exclude([name for name in ("abs", "relu") if name in lib])
    X = interior(equation, int(rows ** (1 / len(equation.variables))) + 1, np.random.default_rng(1))
    dataset = from_arrays(X, solution.predict(X), equation.variables, target="u value")
    trial = Trial.of(dataset, lib, 0)
    best: ClosedForm | None = None
    budget = Budget(work=WORK)
    for producer in registry.NAMING:
        with np.errstate(all="ignore"):  # a search looks beyond every domain
            found = list(laws(trial, [producer], budget))
        for law in found:
            form = polished(equation, law.expression)
            # of solutions the simplest: far from its zero sinh(t - 30) is exp(-t), only longer
            if form is not None and (best is None or form.rank < best.rank):
                best = form
        if best is not None and best.exact:
            break
    return best


def polished(equation: Equation, u: sympy.Expr) -> ClosedForm | None:
    """Fit a form's constants to the equation and its border (no data of u), recognise them, and judge it."""
    columns = symbols(equation.variables)
    template, names, start = parametrise(u)
    X = interior(equation, 17, np.random.default_rng(4))
    edge, value = border(equation, 17)
    before = judge(equation, u)
    if not names or before is None:
        return before
    inside = Program.compile(equation.applied(template), columns, names, start)
    u_on = Program.compile(template, columns, names, start)
    scale = 1 + float(np.abs(inside.value(X, start)).max())

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what a form leaves inside and on the border, and its derivatives."""
        r, J = inside.jacobian(X, theta)
        e, K = u_on.jacobian(edge, theta)
        return np.concatenate([r / scale, e - value]), np.vstack([J / scale, K])

    theta = levenberg_marquardt(residual, np.asarray(start, float), max_steps=60).theta
    swap = {}
    for name, v in zip(names, theta.tolist(), strict=True):
        nice = constants.near(v, 1e-7 * max(abs(v), 1e-2), longest=12.0)
        swap[name] = sympy.S.Zero if abs(v) < 1e-7 else nice[0].exact if nice else sympy.Float(v)
    rounded, free = (
        template.xreplace(swap),
        template.xreplace({n: sympy.Float(v) for n, v in zip(names, theta, strict=True)}),
    )
    forms = [f for f in (judge(equation, rounded), judge(equation, free), before) if f is not None]
    return next((f for f in forms if f.exact), min(forms, key=lambda f: f.inside + f.border))


def judge(equation: Equation, u: sympy.Expr) -> ClosedForm | None:
    """Put a closed form into the equation; None where it is not defined on the whole box."""
    columns = symbols(equation.variables)
    X = interior(equation, 17, np.random.default_rng(2))
    edge, value = border(equation, 17)
    applied = equation.applied(u)
    if applied.has(sympy.DiracDelta, sympy.Derivative, sympy.Heaviside):
        return None  # a kink: no solution of a second-order equation
    with np.errstate(all="ignore"):
        left = Program.compile(applied, columns).value(X)
        off = Program.compile(u, columns).value(edge) - value
    if not (np.all(np.isfinite(left)) and np.all(np.isfinite(off))):
        return None
    return ClosedForm(u, float(np.abs(left).max()), float(np.abs(off).max()))

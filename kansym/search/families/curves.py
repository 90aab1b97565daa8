"""Name one curve t(h) with free constants: families, changed inputs and targets, pairs of functions.

The engine for curves of one argument. `named` takes the curve as three arrays and returns formulas of h, the
shortest description first. A quick look tries the families; a thorough one also tries them on h², 1/h, log h,
..., on log t, 1/t, t², ..., and the sums and products of two library functions with constants of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.linear import TINY
from kansym.base.weights import spread
from kansym.data.dataset import Dataset
from kansym.functions.library import Function, Library
from kansym.functions.library import X as ARGUMENT
from kansym.functions.parsing import symbols
from kansym.search.candidate import Candidate
from kansym.search.families import kinks, modes
from kansym.search.families.classics import finished, rough
from kansym.search.families.described import Fit, length, until_proved
from kansym.search.families.family import INPUTS, Families, Family, Form, Start
from kansym.search.families.projection import Rows, fit, glance, program_of

H = INPUTS[0]
Part = tuple[sympy.Expr, tuple[tuple[str, Start], ...]]
"""A function of H with constants, and their starts."""

PAIRED = ("exp", "log", "sin", "sqrt", "1/x", "tanh", "gaussian", "atan")
"""Library functions whose sums and products are tried where a library has more than MOST_PAIRED."""

POWER = "power"
MOST_PAIRED = 10
"""Functions of a library up to which all are paired."""

MOST_CONSTANTS = 4
"""Families with more constants are not tried on changed inputs and targets."""

MOST_CHANGED = 80
"""Families of changed inputs and targets that are fitted: those whose starts come nearest."""


@dataclass(frozen=True)
class Change:
    """Change an input or a target: forward on arrays and formulas, and back; where it is defined."""

    name: str
    forward: Callable[[Any], Any]
    back: Callable[[Any], Any]
    slope: Callable[[np.ndarray], np.ndarray]
    positive: bool = False

    def allows(self, values: np.ndarray) -> bool:
        """Tell whether the change is defined and gives each value a value of its own."""
        one_sign = bool(np.all(values > 0) or (not self.positive and np.all(values < 0)))
        return one_sign or self.name == "exp"


def _log(v: Any) -> Any:
    """Return the logarithm of an array or of a formula."""
    return sympy.log(v) if isinstance(v, sympy.Expr) else np.log(v)


def _exp(v: Any) -> Any:
    """Return the exponential of an array or of a formula."""
    return sympy.exp(v) if isinstance(v, sympy.Expr) else np.exp(v)


def _root(v: Any) -> Any:
    """Return the square root of an array or of a formula."""
    return sympy.sqrt(v) if isinstance(v, sympy.Expr) else np.sqrt(v)


CHANGES = (
    Change("log", _log, _exp, lambda v: 1 / v, positive=True),
    Change("reciprocal", lambda v: 1 / v, lambda v: 1 / v, lambda v: 1 / v**2),
    Change("square", lambda v: v**2, _root, lambda v: 2 * np.abs(v), positive=True),
    Change("root", _root, lambda v: v**2, lambda v: 0.5 / np.sqrt(v), positive=True),
    Change("exp", _exp, _log, np.exp),
)
"""What the input and the target may be changed by."""


def propose(
    dataset: Dataset,
    *,
    budget: Budget,
    library: Library | None = None,
    seed: int = 0,
    families: Families | None = None,
) -> Iterator[Candidate]:
    """Yield formulas for a table of one input; the families themselves have had their look (`classics`)."""
    if len(dataset.names) != 1:
        return
    rows = Rows.of(dataset)
    unit = spread(rows.y, rows.w)
    found = named(
        rows.X[:, 0],
        rows.y,
        rows.w,
        budget=budget,
        library=library,
        families=families,
        thorough=True,
        plain=False,
    )
    names = symbols(dataset.names)
    for fit_ in found:
        yield Candidate(fit_.fitted.cost / max(unit, TINY), fit_.fitted.form.family, fit_.expression(names))


def named(
    h: np.ndarray,
    t: np.ndarray,
    w: np.ndarray,
    *,
    budget: Budget,
    library: Library | None = None,
    families: Families | None = None,
    thorough: bool = False,
    plain: bool = True,
) -> list[Fit]:
    """Return formulas of h (n,) for t (n,) with root weights w (n,), the shortest description first.

    `plain` tries the families themselves, `thorough` what is made of them and of pairs of functions.
    """
    chosen = Families.load() if families is None else families
    library = Library.load() if library is None else library
    rows = Rows(np.asarray(h, float)[:, None], np.asarray(t, float), np.asarray(w, float))
    single = [f for f in chosen.within(library).values() if f.columns == 1]
    looks: list[Callable[[], list[Fit]]] = []
    if plain or not chosen:
        sums, others = modes.parted(single)
        if sums or (not chosen and library.spans(sympy.exp(H) * sympy.sin(H))):
            looks += [partial(modes.modes, rows, thorough), partial(kinks.kinks, rows)]
        looks += [partial(rough, family, (0,), rows) for family in others]
    if thorough:
        short = [f for f in single if len(f.form(1).constants) <= MOST_CONSTANTS and not f.inside]
        changed = sorted(_changed(short, rows), key=lambda c: glance(c[0], c[1]))
        # a formula costs as much as a glance: none is written for what does not come near
        wholes = ((form, part, write()) for form, part, write in changed)
        near = (c for c in wholes if library.spans(c[2].formula))
        looks += [partial(_composed, *c, rows) for c in itertools.islice(near, MOST_CHANGED)]
        looks += [partial(rough, family, (0,), rows) for family in pairs(library, bool(np.all(h > 0)))]
    found = until_proved(looks, rows, budget)
    return finished([f for f in found if kinks.allowed(f.fitted.form.formula, library)], rows)


def _changed(families: list[Family], rows: Rows) -> Iterator[tuple[Form, Rows, Callable[[], Form]]]:
    """Yield forms, the rows they are fitted to, and what writes the forms of the curve that they mean."""
    h, t = rows.X[:, 0], rows.y
    for change in CHANGES:
        with np.errstate(all="ignore"):
            inner, outer = change.forward(h), change.forward(t)
            slope = change.slope(t)
        for family in families:
            form = family.form(1)
            if change.allows(h) and np.all(np.isfinite(inner)) and np.ptp(inner) > 0:
                yield form, Rows(inner[:, None], t, rows.w), partial(_inside, change, form)
            if change.allows(t) and np.all(np.isfinite(outer)) and np.all(np.isfinite(slope) & (slope > 0)):
                yield form, Rows(rows.X, outer, rows.w / slope), partial(_about, change, form)


def _inside(change: Change, form: Form) -> Form:
    """Return a form of the changed input."""
    formula = form.formula.xreplace({H: change.forward(H)})
    return replace(form, family=f"{form.family} of {change.name}", formula=formula)


def _about(change: Change, form: Form) -> Form:
    """Return the form of the target whose change has the given form."""
    constants = (*form.linear, *form.inside, *form.others)
    return Form(f"{form.family} in {change.name}", change.back(form.formula), (), (), constants, ())


def _composed(form: Form, part: Rows, whole: Form, rows: Rows) -> list[Fit]:
    """Return the fit of a form to changed rows, as a fit of the curve itself."""
    found = fit(form, part)
    if found is None:
        return []
    thin = rows.thinned(found.rows)
    off = (program_of(whole).value(thin.X, found.theta) - thin.y) * thin.w
    cost = float(off @ off)
    if not np.isfinite(cost):
        return []
    back = replace(found, form=whole, cost=cost)
    return [Fit(back, (0,), length(back, rows))]


def pairs(library: Library, positive: bool = True) -> Iterator[Family]:
    """Yield c + A·f + B·g and c + A·f·g for pairs of library functions, each of its own a·x + b.

    Where x is `positive` a power with a free exponent is one of them.
    """
    names = [n for n in (library if len(library) <= MOST_PAIRED else PAIRED) if n in library]
    parts = {name: part for name in names if (part := _part(library[name])) is not None}
    twice = {name for name in parts if library[name].period is not None} | {POWER}
    if positive:
        n = sympy.Symbol("n", real=True)
        parts[POWER] = H**n, (("n", Start("exponent")),)
    c, a, b = sympy.symbols("c A B", real=True)
    for (one, first), (two, second) in itertools.combinations_with_replacement(parts.items(), 2):
        if one == two and one not in twice:
            continue
        (f, starts), (g, more) = _numbered(*first, "1"), _numbered(*second, "2")
        yield Family(f"{one} + {two}", c + a * f + b * g, ("c", "A", "B"), (), (*starts, *more))
        if (one, two) != (POWER, POWER):
            yield Family(f"{one} * {two}", c + a * f * g, ("c", "A"), (), (*starts, *more))


def _numbered(expression: sympy.Expr, starts: tuple[tuple[str, Start], ...], number: str) -> Part:
    """Return a part with numbered constants, so that a form may hold two parts."""
    swap = {sympy.Symbol(n, real=True): sympy.Symbol(n + number, real=True) for n, _ in starts}
    return expression.xreplace(swap), tuple((n + number, s) for n, s in starts)


def _part(function: Function) -> Part | None:
    """Return f of its argument with the constants that no factor or offset absorbs, and their starts."""
    k, m, s = sympy.symbols("k m s", real=True)
    if function.has_exponent or ARGUMENT not in function.expression.free_symbols:
        return None
    argument: sympy.Expr = (H - m) / s
    starts: tuple[tuple[str, Start], ...] = (("m", Start("place")), ("s", Start("width")))
    if function.period is not None:
        argument, starts = k * H + m, (("k", Start("frequency")), ("m", Start("phase")))
    elif function.redundant == frozenset("ab"):
        argument, starts = H, ()
    elif "b" in function.redundant:
        argument, starts = k * H, (("k", Start("rate")),)
    elif "a" in function.redundant:
        argument, starts = H + m, (("m", Start("shift")),)
    return function.expression.xreplace({ARGUMENT: argument}), starts

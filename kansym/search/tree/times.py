"""A factor that is known times a curve of one argument, in noise: what corrects a plain formula.

A tenth of noise hides from slopes what a weak factor depends on, 1/sqrt(1 - v²/c²) beside x - u·t, and powers
of many columns from neighbours. Of few factors, those that moves divided out and short formulas that were
fitted, and of few arguments, the columns and two joined, every pair is fitted: a curve costs a few numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion
from kansym.formula import expression
from kansym.formula.guarded import valued
from kansym.search.structure.problem import Problem
from kansym.search.structure.ridge import residual_shares
from kansym.search.tree import moves
from kansym.search.tree.neighbours import left_between

ROWS, DEGREE = 500, 12
"""Rows that are fitted, and the highest degree of the curve: that of sin(h)²/h² over four waves."""

FACTORS, FORMULAS, LONGEST = 6, 3, 12
"""Factors that moves divided out, formulas that were fitted, and the symbols that these have at most."""

JOINED, DIFFERENCES = 3, 2
"""Columns that moves joined, beside the table's own, of which arguments are made; differences of two columns
where they joined none."""

ALIKE = 4.0
"""Times that one of two columns may be larger than the other for their difference to be one."""

POWERS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
"""Powers of a column by which a factor that moves found may be off where the argument holds a joined one."""

NEAREST, ROUNDS, CLEARER = 12, 4, 0.98
"""Pairs of a changed factor and an argument, those in which rows are nearest to their neighbours' curve;
powers that are changed one after the other, and what a change has to leave of what the one before did."""

SMALL = 0.02
"""Share of its largest size from which a factor of a row is divided out."""

CURVE = 3.0
"""Symbols of a curve's name, beside its argument."""

SHOWN, GAIN = 3, 2.0
"""Curves that are named, and nats that the curve saves at least over the factor alone."""


@dataclass(frozen=True, eq=False)
class Part:
    """Hold a factor or an argument: its values (n,) on all rows, its formula and its symbols."""

    values: np.ndarray
    formula: sympy.Expr
    price: float
    joined: bool = False


@np.errstate(all="ignore")
def curves(
    problem: Problem, reduced: Sequence[Problem], formulas: Iterable[sympy.Expr]
) -> list[tuple[float, Problem]]:
    """Return problems of one column, y over a factor as a curve of h, likeliest first, with what they leave.

    Factors are those of `reduced` problems, these times a power of a column, and short `formulas`, all of the
    columns of `problem`: X (n, d), y (n,).
    """
    rows = problem.fit[:ROWS]
    taken = _factors(problem, reduced)
    short = itertools.islice((e for e in formulas if expression.complexity(e) <= LONGEST), FORMULAS)
    arguments = _arguments(problem, reduced, taken)
    pairs = list(itertools.product([*taken, *(part(problem, e) for e in short)], arguments))
    pairs += _nearest(problem, rows, taken, arguments)
    judged = []
    for k, (factor, argument) in enumerate(pairs):
        rank, alone, share = _ranked(problem, rows, factor, argument)
        if rank < alone - GAIN:
            judged.append((rank, k, share))
    out: dict[tuple[sympy.Expr, frozenset], tuple[float, Problem]] = {}
    for _, k, share in sorted(judged):
        factor, argument = pairs[k]
        told = factor.formula, frozenset(argument.formula.free_symbols)  # a/b and b/a are one argument
        child = divided(problem, factor, argument.values[:, None], (argument.formula,))
        if told not in out and child is not None:
            out[told] = share, child
        if len(out) == SHOWN:
            break
    return list(out.values())


def _ranked(problem: Problem, rows: np.ndarray, factor: Part, argument: Part) -> tuple[float, float, float]:
    """Return the ranks of a factor times a curve and of the factor alone, and what the first leaves."""
    y, w = problem.scaled(rows)
    h, f = argument.values[rows], factor.values[rows]
    if not (np.all(np.isfinite(h)) and np.all(np.isfinite(f)) and np.ptp(h) > 0):
        return np.inf, np.inf, np.inf
    n, terms = len(rows), np.arange(1, DEGREE + 2)
    shares = residual_shares(f, h, y, w, DEGREE) * problem.unit / (1 - terms / n) ** 2
    best = int(np.argmin(np.where(np.isfinite(shares), shares, np.inf)))
    price = factor.price + argument.price + CURVE
    return (
        float(criterion.rank(shares[best], price, n)),
        float(criterion.rank(shares[0], factor.price, n)),
        float(shares[best]),
    )


def part(problem: Problem, formula: sympy.Expr, joined: bool = False) -> Part:
    """Return a formula in a problem's columns with its values; no finite ones where it has none."""
    found = valued(formula, problem.formulas, problem.Z)
    values = np.full(len(problem.y), np.nan) if found is None else found
    return Part(values, formula, float(expression.complexity(formula)), joined)


def _factors(problem: Problem, reduced: Sequence[Problem]) -> list[Part]:
    """Return what moves divided out of the target, the target itself first."""
    stand = sympy.Dummy(real=True)
    found: dict[sympy.Expr, None] = {sympy.S.One: None}
    for one in reduced:
        factor = one.finish(stand) / stand
        if not factor.has(stand) and not factor.atoms(sympy.Float):
            found.setdefault(factor)
    return [part(problem, factor) for factor in list(found)[: FACTORS + 1]]


def _arguments(problem: Problem, reduced: Sequence[Problem], factors: list[Part]) -> list[Part]:
    """Return the columns and those that moves joined, and products and quotients of two of them."""
    own = set(problem.formulas)
    joined: dict[sympy.Expr, None] = {}
    for formula in (f for one in reduced for f in one.formulas):
        if (
            formula.is_Add
            and len(formula.args) == 2
            and all(term in own or -term in own for term in formula.args)
        ):
            joined.setdefault(formula)
    several = list(joined)[:JOINED] or _differences(problem, factors)
    every = [*((f, False) for f in problem.formulas), *((f, True) for f in several)]
    out = [part(problem, f, is_joined) for f, is_joined in every]
    for (a, first), (b, second) in itertools.combinations(every, 2):
        if not a.free_symbols & b.free_symbols:
            out += [part(problem, e, first or second) for e in (a * b, a / b, b / a)]
    return out


def _differences(problem: Problem, factors: list[Part]) -> list[sympy.Expr]:
    """Return differences of two columns of about one size along which y over a factor is most like a curve.

    Where moves joined no columns a smooth fit may be too poor to tell.
    """
    sizes, rows = np.sqrt(np.mean(problem.Z**2, axis=0)), problem.fit[:ROWS]
    F, found = np.column_stack([f.values for f in factors]), []
    for i, j in itertools.combinations(range(problem.width), 2):
        if 1 / ALIKE < sizes[i] / sizes[j] < ALIKE:
            h = problem.Z[:, i] - problem.Z[:, j]
            order = rows[np.argsort(h[rows], kind="stable")]
            w = problem.w[order]
            off = left_between(h[order], problem.y[order] * w, F[order] * w[:, None])
            found.append((float(np.min(off)), i, j))
    return [problem.formulas[i] - problem.formulas[j] for _, i, j in sorted(found)[:DIFFERENCES]]


def _nearest(problem: Problem, rows: np.ndarray, factors: list[Part], arguments: list[Part]) -> list[Any]:
    """Return factors times powers of columns, each with the argument of which rows look like a curve.

    Powers are changed one at a time as long as rows come nearer to their neighbours.
    """
    of_one_sign = np.flatnonzero(problem.one_signed())
    steps = [(float(power), int(i)) for i in of_one_sign for power in POWERS]
    known = [f for f in factors if np.all(np.isfinite(f.values))]
    if not steps or not known:
        return []
    changes = np.column_stack([np.abs(problem.Z[:, i]) ** power for power, i in steps])
    found = []
    for argument in (a for a in arguments if a.joined and np.all(np.isfinite(a.values))):
        order = rows[np.argsort(argument.values[rows], kind="stable")]
        h, y, w = argument.values[order], problem.y[order], problem.w[order]
        asked, off, best = known, np.inf, known[0]
        for _ in range(ROUNDS):
            F = np.hstack([f.values[order, None] * changes[order] for f in asked])
            offs = left_between(h, y * w, F * w[:, None])
            k = int(np.argmin(offs))
            if not offs[k] < CLEARER * off:
                break
            off, (which, step) = float(offs[k]), divmod(k, len(steps))
            best = _raised(problem, asked[which], *steps[step], changes[:, step])
            asked = [best]
        found.append((off, best, argument))
    return [(factor, argument) for _, factor, argument in sorted(found, key=lambda f: f[0])[:NEAREST]]


def _raised(problem: Problem, factor: Part, power: float, i: int, change: np.ndarray) -> Part:
    """Return a factor times a power of a column, whose values are known."""
    column = problem.formulas[i] if np.median(problem.Z[:, i]) > 0 else -problem.formulas[i]
    formula = factor.formula * column ** sympy.Rational(power)
    return Part(factor.values * change, formula, float(expression.complexity(formula)))


def divided(
    problem: Problem, factor: Part, Z: np.ndarray, formulas: tuple[sympy.Expr, ...]
) -> Problem | None:
    """Return the problem of columns Z (n, d), the target over a factor, of rows where that is not small.

    Where it vanishes y over it is noise, which no weight makes good.
    """
    size = np.abs(factor.values)
    large = size > SMALL * np.max(size[problem.fit])
    fit, test = (rows[large[rows]] for rows in (problem.fit, problem.test))
    if not len(fit) or not len(test):
        return None
    y = np.divide(problem.y, factor.values, out=np.zeros(len(size)), where=large)
    some = replace(problem, fit=fit, test=test)
    child = moves.retargeted(some, y, problem.w * size, lambda e: e * factor.formula)
    return None if child is None else child.columns(Z, formulas)

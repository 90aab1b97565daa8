"""A fitted formula made better where it leaves more than noise: one of its parts changes at a time.

At every part s of a formula f the slope df/ds tells what f becomes if s gains a term c·g(x), a factor or
another power. All such changes, some thousands, are one linear regression of what f leaves, in which its own
constants may move; the best few are then fitted as they stand, and the best of these are changed again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.criterion import NODE_PRICE
from kansym.base.linear import TINY, span
from kansym.formula.expression import complexity
from kansym.formula.guarded import UNDEFINED, polished
from kansym.formula.polish import Polished, Rows, fit
from kansym.formula.program import Program

SCORED, TRIED_ROWS = 400, 300
"""Rows of the regression, and of a first fit of what it proposes."""

PROPOSED, A_PART, REFINED = 16, 3, 3
"""Changes of a formula that are tried, those of one part, and of those tried the ones fitted to all rows."""

STEPS_TRIED, STEPS = 8, 30
"""Levenberg–Marquardt steps of a first fit, and of one to all rows."""

BEAM, MOST_ROUNDS = 2, 10
"""Formulas that are changed in a round, and rounds at most."""

SHOWN = 3
"""Rounds after which the best formula is shown: judging one takes as long as making it."""

FAR_BETTER = 0.7
"""Share of what the formula left at first that a changed one may leave to be shown: a few more numbers always
leave a little less."""

ALIKE = 1e-3
"""Nats by which two formulas differ if they are not one."""

GAIN = 6.0
"""Nats that a round must gain: the best of some thousands of changes gains as much by luck."""

LEAST_LEFT = 1e-6
"""Share of what a formula leaves below which a change is not believed to leave less."""

SPANNED = 1e-3
"""Share of its norm that a change must keep beside the formula's own constants."""

WAVES = (1, 2, 4)
"""Half waves across a column's range."""

OWN = 6
"""Symbols of a formula's own parts that other parts may take up."""

ROUND_COST = 6.0
"""Units of work of a round, about 0.4 s."""

Term = tuple[sympy.Expr, np.ndarray, float]
"""A formula of the columns, its values (n,), and its symbols."""


@dataclass(frozen=True, eq=False)
class _Change:
    """Hold one change of a part: how it is written with a coefficient, and what that adds to the formula.

    `column` (n,) is the formula's derivative by the coefficient, `sure` (n,) what is added whatever that is.
    """

    part: sympy.Expr
    write: Callable[[sympy.Expr], sympy.Expr]
    column: np.ndarray
    symbols: float
    sure: np.ndarray


def amended(
    formula: sympy.Expr, rows: Rows, maxsize: int, budget: Budget, enough: float = 0.0
) -> Iterator[sympy.Expr]:
    """Yield better and better formulas that changes of one lead to, with constants fitted to `rows`.

    None has more than `maxsize` symbols; one that leaves a loss below `enough` is not changed again. Source
    of the method: orthogonal least squares (see `tree.exchanges`), on the tangents of a formula.
    """
    law = polished(formula, rows, STEPS)
    if law is None:
        return
    terms, states = _terms(rows.thinned(SCORED)), [(_nats(law, rows), law)]
    best, least = states[0][0], FAR_BETTER * law.loss
    for turn in range(1, MOST_ROUNDS + 1):
        found = list(states)
        for _, law in states:
            if budget.exhausted:
                return
            budget.spend(ROUND_COST)
            with np.errstate(all="ignore"):
                found += _changed(law, rows, terms, maxsize)
        states = []
        for nats, law in sorted(found, key=lambda s: s[0]):
            if all(abs(nats - other) > ALIKE for other, _ in states):
                states.append((nats, law))
        states = states[:BEAM]
        gains, best, law = states[0][0] < best - GAIN, states[0][0], states[0][1]
        over = not gains or law.loss < enough or turn == MOST_ROUNDS
        if law.loss < least and (over or turn % SHOWN == 0):
            least = law.loss
            yield law.expression
        if over:
            return


def _nats(law: Polished, rows: Rows, loss: float | None = None) -> float:
    """Return the description length of a fitted formula, of its `loss` where one is given."""
    known, n = len(law.theta), len(rows.y)
    price = NODE_PRICE * complexity(law.program.template) + 0.5 * np.log(n) * known
    return float(0.5 * n * np.log(max(law.loss if loss is None else loss, TINY)) + price)


def _changed(law: Polished, rows: Rows, terms: list[Term], maxsize: int) -> list[tuple[float, Polished]]:
    """Return the best changes of a formula, fitted to all rows."""
    few, tried = rows.thinned(TRIED_ROWS), []
    for program in _proposed(law, rows.thinned(SCORED), terms):
        if complexity(program.template) <= maxsize and (p := _fitted(program, few, STEPS_TRIED)) is not None:
            nats = _nats(p, rows, rows.loss(p.program.value(rows.X, p.theta)))
            tried += [(nats, p)] if np.isfinite(nats) else []
    tried.sort(key=lambda t: t[0])
    fitted = [_fitted(replace(p.program, start=p.theta), rows, STEPS) for _, p in tried[:REFINED]]
    fine = (p for p in fitted if p is not None and np.isfinite(p.loss))
    return [(_nats(p, rows), p) for p in fine if complexity(p.expression) <= maxsize]  # with its signs


def _fitted(program: Program, rows: Rows, steps: int) -> Polished | None:
    try:
        return fit(program, rows, steps)
    except UNDEFINED:
        return None


def _proposed(law: Polished, rows: Rows, terms: list[Term]) -> Iterator[Program]:
    """Yield the formulas that the likeliest changes of a fitted formula make, best first."""
    if not (changes := list(_changes(law, rows, terms))):
        return
    nats, coefficients = _regressed(law, rows, changes)
    used: dict[sympy.Expr, int] = {}
    for k in np.argsort(nats, kind="stable"):
        change = changes[k]
        if sum(used.values()) >= PROPOSED or not np.isfinite(nats[k]):
            return
        if used.get(change.part, 0) < A_PART:
            program = _written(law, change, float(coefficients[k]), rows.symbols)
            if program is not None:
                used[change.part] = used.get(change.part, 0) + 1
                yield program


def _regressed(law: Polished, rows: Rows, changes: list[_Change]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each change the nats that a linear regression says for it, and its coefficient."""
    values, own = law.program.jacobian(rows.X, law.theta)
    pull, r = rows.pull(values), rows.off(values)
    own = own * pull[:, None]
    size = np.linalg.norm(own, axis=0)
    if not (np.all(np.isfinite(r)) and np.all(np.isfinite(size))):
        return np.full(len(changes), np.inf), np.zeros(len(changes))
    U = span(own / np.where(size > 0, size, 1.0), SPANNED)[0] if own.shape[1] else np.zeros((len(r), 0))
    r = U @ (U.T @ r) - r
    A, B = (
        np.column_stack(columns) * np.reshape(pull, (-1, 1))
        for columns in ([c.column for c in changes], [c.sure for c in changes])
    )
    norm, good = np.linalg.norm(A, axis=0), np.all(np.isfinite(A), axis=0) & np.all(np.isfinite(B), axis=0)
    unit = np.where(good & (norm > 0), norm, 1.0)
    A, B = np.where(good, A, 0.0) / unit, np.where(good, B, 0.0)
    A, B = (M - U @ (U.T @ M) for M in (A, B))
    left, R = np.linalg.norm(A, axis=0), r[:, None] - B
    known = left > SPANNED
    c = np.where(known, np.sum(R * A, axis=0) / np.where(known, left**2, 1.0), 0.0)
    rest = np.sum(R * R, axis=0) - (c * left) ** 2
    # a change that says nothing new is one only where something goes
    rest[~good | (~known & ~np.any(B, axis=0))] = np.inf
    square = float(r @ r)
    nats = 0.5 * len(r) * np.log(np.maximum(rest, LEAST_LEFT * square) / square)
    return nats + NODE_PRICE * np.array([c.symbols for c in changes]), c / unit


def _written(law: Polished, change: _Change, value: float, symbols: Sequence[sympy.Symbol]) -> Program | None:
    """Return a formula with one change, whose coefficient and other numbers are free, if it is one."""
    names, start = list(law.program.parameters), law.theta.tolist()

    def free(number: float) -> sympy.Symbol:
        """Return a new free constant."""
        names.append(sympy.Symbol(f"\0change_{len(names)}", real=True))
        start.append(number)
        return names[-1]

    part = change.write(free(value))
    part = part.xreplace({number: free(float(number)) for number in part.atoms(sympy.Float)})
    formula = law.program.template.xreplace({change.part: part})
    there = formula.free_symbols
    kept = [(n, v) for n, v in zip(names, start, strict=True) if n in there]
    try:
        return Program.compile(formula, symbols, [n for n, _ in kept], [v for _, v in kept])
    except UNDEFINED:
        return None


def _changes(law: Polished, rows: Rows, terms: list[Term]) -> Iterator[_Change]:
    """Yield all changes of a formula: its parts with terms, factors, other powers, or less."""
    X, template, nothing = rows.X, law.program.template, np.zeros(len(rows.y))
    parts = law.program.parts(X, law.theta)
    own = [(e, v, float(complexity(e))) for e, v, _ in parts if not e.is_Symbol and complexity(e) <= OWN]
    values = {e: v for e, v, _ in parts}
    for e, v, slope in parts:
        size, term = float(complexity(e)), slope * v
        yield _Change(e, partial(_plus, e, sympy.S.One), slope, 2.0, nothing)
        for g, w, symbols in (*terms, *own):
            column = slope * w
            if g != e:
                yield _Change(e, partial(_plus, e, g), column, 3.0 + symbols, nothing)
            if size > symbols + 2 and not g.has(e):
                yield _Change(e, partial(_instead, g), column, 2.0 + symbols - size, -term)
        if e.is_Add or e == template:
            for g, w, symbols in terms:
                yield _Change(e, partial(_times, e, g), term * w, 5.0 + symbols, nothing)
            for x, column in zip(rows.symbols, X.T, strict=True):
                if np.all(column > 0):
                    yield _Change(e, partial(_power, e, x), term * np.log(column), 4.0, nothing)
        if np.all(v > 0) and not e.is_Pow:
            yield _Change(e, partial(_power, e, e), term * np.log(v), 2.0, nothing)
        for a in e.args if (e.is_Add or e.is_Mul) and len(e.args) > 1 else ():
            if (w := values.get(a)) is not None:
                rest = e.func(*(b for b in e.args if b is not a))
                gone = -slope * w if e.is_Add else term / w - term
                yield _Change(e, partial(_without, rest), nothing, -1.0 - complexity(a), gone)


def _plus(part: sympy.Expr, term: sympy.Expr, c: sympy.Expr) -> sympy.Expr:
    return part + c * term


def _instead(term: sympy.Expr, c: sympy.Expr) -> sympy.Expr:
    return c * term


def _times(part: sympy.Expr, term: sympy.Expr, c: sympy.Expr) -> sympy.Expr:
    return part * (1 + c * term)


def _power(part: sympy.Expr, base: sympy.Expr, c: sympy.Expr) -> sympy.Expr:
    return part * base**c


def _without(rest: sympy.Expr, _: sympy.Expr) -> sympy.Expr:
    return rest


def _terms(rows: Rows) -> list[Term]:
    """Return plain functions of the columns, and products and ratios of two."""
    found: list[Term] = []
    for x, v in zip(rows.symbols, rows.X.T, strict=True):
        found += [(x, v, 1.0), (x**2, v * v, 3.0)]
        if np.all(v != 0):
            found.append((1 / x, 1 / v, 3.0))
        if np.all(v > 0):
            found += [(sympy.log(x), np.log(v), 2.0), (sympy.sqrt(x), np.sqrt(v), 2.0)]
        rate = 1 / max(float(np.std(v)), TINY)
        found += [(sympy.exp(s * rate * x), np.exp(s * rate * v), 6.0) for s in (-1.0, 1.0)]
        for k in WAVES:
            w = k * np.pi / max(float(np.ptp(v)), TINY)
            found += [(sympy.sin(w * x), np.sin(w * v), 6.0), (sympy.cos(w * x), np.cos(w * v), 6.0)]
    for i, j in itertools.combinations(range(rows.X.shape[1]), 2):
        (a, b), (u, v) = (rows.symbols[i], rows.symbols[j]), (rows.X[:, i], rows.X[:, j])
        found += [(a * b, u * v, 3.0), (a / b, u / v, 3.0), (b / a, v / u, 3.0)]
        found.append((sympy.Abs(a - b), np.abs(u - v), 4.0))
    return [t for t in found if np.all(np.isfinite(t[1]))]

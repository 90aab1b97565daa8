"""Right sides that are sums of known terms, chosen by best subsets.

With the smooth curves given, the integrated form is linear in the coefficients of a dictionary of terms
(SINDy: Brunton, Proctor and Kutz, PNAS 113, 2016; here without slopes). A beam of subsets is grown one term
at a time and then changed one term at a time, so that no early choice is final.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy

from kansym.base import criterion
from kansym.formula.expression import complexity
from kansym.pipeline.motion.integral import Motion, weighed
from kansym.pipeline.motion.trajectory import TIME

LARGEST_SUM = 9
"""Terms of the largest sum that is looked at."""

BEAM = 12
"""Subsets of one size that are kept."""

BELOW = 0.01
"""Share of the nats below the noise that count: of 300 clean rows a term has to lower what is left a
thousandfold to pay for itself there, which a law does (1e-10) and what the curves lack does not (1e-3)."""

KNEE = 0.5
"""Squared residual over the noise from which on downwards they count: the noise is estimated, and what a law
leaves of 300 rows is within 0.8 and 1.2 of it."""

FEW_ROWS = 60
"""Rows below which the noise is not known well enough for less than it to mean anything."""

SMALLEST = 1e-12
"""Mean squared residual in units of the noise below which there is round-off."""

PAIRED = 2
"""Best subsets that are grown by two terms at once, too: gravity and drag are nothing without each other."""

RARE = 2
"""Symbols that a function, a root or a free power costs beside its own: there are five times as many terms
with one as products of states, so that under noise one of them fits by chance."""

RATIO = 1
"""Symbols that a sum under a ratio's line costs beside its own: of two states there are some ten products
and a hundred ratios of a product and such a sum."""

HIGHEST = 3
"""The highest whole power that is not rare."""

SHOWN = 3
"""Subsets of one size that are handed on beside the plainest."""

MOST_PRICES = 10_000
"""Right sides whose price is kept: every comparison asks again, and nine terms take milliseconds."""

MOST_TERMS = 320
"""Terms of a dictionary; of more, those that correlate least with the target are left out."""


@dataclass(frozen=True, eq=False)
class Term:
    """Hold one column of a regression: a formula and its values at the nodes."""

    formula: sympy.Expr
    values: np.ndarray


def sums(moving: Motion, state: int, rich: bool, shown: int = SHOWN) -> list[tuple[sympy.Expr, float]]:
    """Return right sides that are sums of monomials or, if `rich`, of sines, exponentials, roots, too.

    Each comes with the sum of its squared residuals over the noise.
    """
    terms = list(monomials(moving, 3 if len(moving.names) <= 6 else 2))
    if rich:
        plain = [t for t in terms if _degree(t.formula) <= 2 or t.formula.is_Pow]
        terms = [*plain, *_transcendental(moving)]
    elif len(moving.names) <= 6:
        terms += _powers(moving)
    return _chosen(moving, state, terms, shown)


def monomials(moving: Motion, degree: int) -> Iterator[Term]:
    """Yield 1 and the products of states, speeds and inputs up to a degree."""
    names = [k for k, n in enumerate(moving.names) if n != TIME or TIME in moving.series.states]
    for size in range(degree + 1):
        for which in itertools.combinations_with_replacement(names, size):
            values = (
                np.prod(moving.columns[:, list(which)], axis=1) if which else np.ones(len(moving.columns))
            )
            yield Term(sympy.Mul(*(moving.symbols[k] for k in which)), values)


def _powers(moving: Motion) -> Iterator[Term]:
    """Yield the states' fourth and fifth powers: radiation, quintic springs."""
    for s, n, x in zip(moving.symbols, moving.names, moving.columns.T, strict=True):
        if n in moving.series.states:
            yield from (Term(s**k, x**k) for k in (4, 5))


def _degree(formula: sympy.Expr) -> int:
    """Return the sum of a product's whole exponents: a sine counts as one, a root as none."""
    return sum(int(p) for p in formula.as_powers_dict().values() if p.is_Integer) if formula != 1 else 0


def _transcendental(moving: Motion) -> Iterator[Term]:
    """Yield functions of one state, of differences of two, and their products with one more state."""
    states = [
        (s, moving.columns[:, k])
        for k, (s, n) in enumerate(zip(moving.symbols, moving.names, strict=True))
        if n != TIME
    ]
    arguments = [*states]
    if len(states) <= 5:
        arguments += [(a - b, u - v) for (a, u), (b, v) in itertools.combinations(states, 2)]
    plain: list[Term] = []
    for s, x in arguments:
        plain += [Term(sympy.sin(s), np.sin(x)), Term(sympy.cos(s), np.cos(x))]
        if np.abs(x).max() < 30 and s.is_Symbol:
            plain += [Term(sympy.exp(k * s), np.exp(k * x)) for k in (-2, -1, 1)]
        if x.min() > 0 and s.is_Symbol:
            plain += [Term(sympy.sqrt(s), np.sqrt(x)), Term(sympy.log(s), np.log(x)), Term(1 / s, 1 / x)]
            plain += [Term(s * sympy.log(s), x * np.log(x)), Term(s ** sympy.Rational(3, 2), x**1.5)]
            plain += [Term(t / s, v / x) for t, v in ((a * b, u * w) for (a, u), (b, w) in
                      itertools.combinations_with_replacement(states, 2)) if not t.has(s)]  # fmt: skip
        if x.min() < 0 < x.max() and s.is_Symbol:
            plain.append(Term(s * sympy.Abs(s), x * np.abs(x)))
    yield from plain
    if len(states) <= 3:
        for (s, x), t in itertools.product(states, plain):
            if t.formula.has(sympy.sin, sympy.cos, sympy.exp) and s.is_Symbol:
                yield Term(s * t.formula, x * t.values)
        waves = [t for t in plain if t.formula.func in (sympy.sin, sympy.cos)]
        for a, b in itertools.combinations_with_replacement(waves, 2):
            if a.formula.free_symbols == b.formula.free_symbols:
                yield Term(a.formula * b.formula, a.values * b.values)
    if len(states) >= 2:
        for (a, u), (b, v) in itertools.combinations(states, 2):
            size = np.sqrt(u * u + v * v)
            root = sympy.sqrt(a**2 + b**2)
            yield from (Term(a * root, u * size), Term(b * root, v * size))


def _chosen(moving: Motion, state: int, terms: Sequence[Term], shown: int) -> list[tuple[sympy.Expr, float]]:
    """Return the right sides of the best subsets, small ones first: those that leave least, and the plainest.

    Of the bead on a hoop under 1 % of noise the law leaves the fourth least of all sums of three; those
    before it have sin(w), w*cos(w) and sin(w)*cos(w) for its friction w.
    """
    terms = [t for t in terms if np.all(np.isfinite(t.values)) and moving.consistent(t.formula)]
    columns, y = whitened(moving, state, np.column_stack([t.values for t in terms]))
    if len(terms) > MOST_TERMS:
        near = np.abs(columns.T @ y) / (np.linalg.norm(columns, axis=0) + np.finfo(float).tiny)
        keep = np.sort(np.argsort(-near, kind="stable")[:MOST_TERMS])
        terms, columns = [terms[k] for k in keep], columns[:, keep]
    degrees = np.array([_degree(t.formula) for t in terms])
    sizes = np.array([price(t.formula) for t in terms])
    found: dict[tuple[int, ...], tuple[sympy.Expr, float]] = {}
    # simple terms by themselves first: under noise a beam among all of them may lack a linear law
    simple = [few for few in map(np.flatnonzero, (degrees <= 1, degrees <= 2)) if 0 < len(few) < len(terms)]
    for few in (*simple, np.arange(len(terms))):
        every: dict[int, list[tuple[tuple[int, ...], np.ndarray, float]]] = {}
        for subset, coefficients in best_subsets(columns[:, few], y, shown=BEAM):
            which = tuple(map(int, few[list(subset)]))
            left = y - columns[:, which] @ coefficients
            every.setdefault(len(which), []).append((which, coefficients, float(left @ left)))
        for alike in every.values():
            plainest = min(alike, key=lambda s: misfit(s[2] / len(y), len(y)) + sizes[list(s[0])].sum())
            for which, coefficients, chi2 in (*sorted(alike, key=lambda s: s[2])[:shown], plainest):
                found.setdefault(which, (written([terms[k] for k in which], coefficients), chi2))
    return list(found.values())


def whitened(moving: Motion, state: int, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return integrals of columns and the state in units of its noise, initial values projected out."""
    y, noise, offsets = weighed(moving, state)
    table = np.column_stack([moving.integrals(values, state), y]) / noise[:, None]
    table = table - offsets @ (offsets.T @ table)
    return table[:, :-1], table[:, -1]


def written(terms: Sequence[Term], coefficients: np.ndarray) -> sympy.Expr:
    """Return the sum of terms with their coefficients as measured numbers."""
    return sympy.Add(
        *(sympy.Float(float(c), 17) * t.formula for t, c in zip(terms, coefficients, strict=True))
    )


def best_subsets(
    columns: np.ndarray, y: np.ndarray, largest: int = LARGEST_SUM, beam_size: int = BEAM, shown: int = SHOWN
) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Return for every size up to `largest` the subsets that leave least of y, with coefficients."""
    norms = np.linalg.norm(columns, axis=0)
    usable = norms > 0
    scaled = columns / np.where(usable, norms, 1.0)
    # a triangle has the same products as the rows, and fewer of them
    triangle = np.asarray(np.linalg.qr(np.column_stack([scaled, y]), mode="r"))
    A, target = triangle[:, :-1], triangle[:, -1]
    power = float(target @ target)
    chosen: list[tuple[int, ...]] = []
    beam: list[tuple[float, tuple[int, ...]]] = [(power, ())]
    before = beam[:0]
    for _size in range(1, min(largest, len(y) - 2) + 1):
        grown: dict[tuple[int, ...], float] = {}
        for _, subset in beam:
            _extend(A, target, subset, usable, grown)
        for _, subset in before[:PAIRED]:
            _extend_by_two(A, target, subset, usable, grown)
        best = _least(grown, beam_size)
        for _ in range(2):  # change one term at a time
            for _, subset in best[: max(beam_size // 3, 1)]:
                for gone in range(len(subset)):
                    _extend(A, target, subset[:gone] + subset[gone + 1 :], usable, grown)
            best = _least(grown, beam_size)
        before, beam = beam, best
        chosen += [subset for _, subset in beam[:shown]]
        if not beam or beam[0][0] <= 1e-26 * power:
            break
    if beam:
        chosen += [subset for subset in _shortened(A, target, beam[0][1]) if subset not in chosen]
    return [
        (s, np.linalg.lstsq(A[:, list(s)], target, rcond=None)[0] / norms[list(s)])
        for s in sorted(chosen, key=len)
    ]


def _shortened(A: np.ndarray, y: np.ndarray, subset: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield a subset without its least needed term, two, ...: sums that were passed over on the way up."""
    while len(subset) > 1:
        inverse = np.linalg.pinv(A[:, list(subset)])
        solution = inverse @ y
        cost = solution**2 / np.einsum("ij,ij->i", inverse, inverse)
        gone = int(np.argmin(cost))
        subset = subset[:gone] + subset[gone + 1 :]
        yield subset


def _least(grown: dict[tuple[int, ...], float], count: int) -> list[tuple[float, tuple[int, ...]]]:
    """Return so many subsets that leave least."""
    return sorted((left, subset) for subset, left in grown.items())[:count]


def _beside(A: np.ndarray, y: np.ndarray, subset: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return what columns (n, p) and target (n,) have that the columns of a subset do not span."""
    if not subset:
        return A, y
    Q, _ = np.linalg.qr(A[:, list(subset)])
    return A - Q @ (Q.T @ A), y - Q @ (Q.T @ y)


def _extend(
    A: np.ndarray,
    y: np.ndarray,
    subset: tuple[int, ...],
    usable: np.ndarray,
    grown: dict[tuple[int, ...], float],
) -> None:
    """Add what each column leaves beside a subset to `grown`."""
    rest, left = _beside(A, y, subset)
    size = np.einsum("ij,ij->j", rest, rest)
    free = usable & (size > 1e-20)
    gain = np.where(free, (left @ rest) ** 2 / np.where(free, size, 1.0), -np.inf)
    total = float(left @ left)
    for k in np.argsort(-gain, kind="stable")[:BEAM]:
        if free[k] and k not in subset:
            key = tuple(sorted((*subset, int(k))))
            grown[key] = min(grown.get(key, math.inf), max(total - float(gain[k]), 0.0))


def _extend_by_two(
    A: np.ndarray,
    y: np.ndarray,
    subset: tuple[int, ...],
    usable: np.ndarray,
    grown: dict[tuple[int, ...], float],
) -> None:
    """Add what the best pairs of columns leave beside a subset: neither need be worth anything alone."""
    rest, left = _beside(A, y, subset)
    size = np.einsum("ij,ij->j", rest, rest)
    free = np.flatnonzero(usable & (size > 1e-20))
    free = free[~np.isin(free, subset)]
    if len(free) < 2:
        return
    units = rest[:, free] / np.sqrt(size[free])
    alike, along = np.triu(units.T @ units, 1), left @ units
    apart = 1 - alike**2
    both = along[:, None] ** 2 + along**2 - 2 * alike * np.outer(along, along)
    gain = np.where(np.triu(apart > 1e-10, 1), both / np.maximum(apart, 1e-10), -np.inf)
    total = float(left @ left)
    for flat in np.argsort(-gain, axis=None, kind="stable")[:BEAM]:
        i, j = divmod(int(flat), len(free))
        if np.isfinite(gain[i, j]):
            key = tuple(sorted((*subset, int(free[i]), int(free[j]))))
            grown[key] = min(grown.get(key, math.inf), max(total - float(gain[i, j]), 0.0))


def misfit(share: float, rows: int) -> float:
    """Return the nats of a mean squared residual in units of the noise.

    Below KNEE, of few rows below one, nothing is gained but BELOW of it, by which clean rows tell a law from
    what resembles it.
    """
    knee = KNEE if rows >= FEW_ROWS else 1.0
    below = math.log(min(max(share, SMALLEST) / knee, 1.0))
    return 0.5 * rows * (math.log(max(share, knee)) + BELOW * below)


def length(expression: sympy.Expr, chi2: float, rows: int, constants: int) -> float:
    """Return the nats of a right side: of its misfit and its own.

    Every constant costs log(rows)/2, the symbols their price.
    """
    spare = max(rows - constants, 1)
    return misfit(chi2 / spare, rows) + 0.5 * constants * math.log(rows) + price(expression)


@lru_cache(maxsize=MOST_PRICES)
def price(expression: sympy.Expr) -> float:
    """Return the nats of a right side's symbols; more for functions, roots, free or high powers, ratios."""
    powers = expression.atoms(sympy.Pow)
    rare = len(expression.atoms(sympy.Function)) + sum(map(_rare, powers))
    ratios = sum(p.base.is_Add and bool(p.exp.is_negative) for p in powers)
    return criterion.NODE_PRICE * (complexity(expression) + RARE * rare + RATIO * ratios)


def _rare(power: sympy.Pow) -> bool:
    """Tell whether a power is none of those in products of states or under a ratio's line."""
    whole = power.exp.is_Integer and int(power.exp) <= HIGHEST
    return not whole or (power.base.is_Symbol and bool(power.exp.is_negative))


def measured(expression: sympy.Expr) -> int:
    """Return how many measured constants a right side has."""
    return len(expression.atoms(sympy.Float))

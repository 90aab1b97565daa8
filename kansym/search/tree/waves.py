"""Sums of products of columns and of cosines and sines of some answer any problem.

Which columns are angles, in radians, in degrees or times a number that the rows show, is told by a fit of
smooth functions of the other columns times waves of these. Cosine and sine then stand as columns in the
angle's place, where `sparse` chooses among products: I1 + I2 + 2·sqrt(I1·I2)·cos(3.7·d) is three of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import reduce

import numpy as np
import sympy
from scipy import optimize

from kansym.base.linear import TINY
from kansym.base.polynomials import exponents, products
from kansym.base.threads import one_thread
from kansym.search.structure import outers
from kansym.search.structure.merging import OPERATIONS
from kansym.search.structure.models import Fit
from kansym.search.structure.problem import Problem
from kansym.search.tree import exchanges, moves, ratios, sparse

MOST_COLUMNS = 5
"""Columns of problems that are looked at, at most: an angle stands for two."""

FIT, TEST = 300, 150
"""Rows that are fitted and that judge which columns are angles."""

RADIANS, DEGREES = 7.0, 720.0
"""Largest size of an angle in radians, and in degrees."""

SPANS = 0.5
"""Radians that an angle has to turn by."""

HALF_WAVES = (1.5, 24.0, 0.5)
"""Half waves along a column that are looked for, and from one look to the next: a wave is met within one."""

ROUGHLY, OF_TWO = (1.5, 18.0, 0.7), (1.5, 12.0, 0.6)
"""The same along what two columns make, and along two columns at once."""

BETTER = 0.3
"""Share of the squares beside known angles that a wave of another frequency leaves at most."""

UNSMOOTH, WAVY = 1e-7, 0.02
"""Share that a smooth fit leaves above which other frequencies are looked for; and share that it and the
waves of one column leave above which those of two columns are looked for at once."""

HOPELESS = 0.9
"""Share of what parabolas leave above which no descent follows from the best of a few frequencies."""

ALIKE = 1.05
"""How much more a rounder frequency may leave than the best one."""

PRODUCTS = 1500
"""Products that are chosen from: a wave's other factors are few."""

WAVES = ("cos", "sin")

DIFFERENCE, PRODUCT, QUOTIENT = (
    next(o for o in OPERATIONS if o.name == name) for name in ("a-b", "a*b", "a/b")
)

TOLD = 0.5
"""Share of what parabolas in all columns leave that waves of some must stay below. Of 18 laws of angles these
left 0 to 0.33 of it, of 25 others 0.4 and more but for two, of which a look in vain takes 0.3 s."""

TARGETS = ("t", "t^2")
"""Functions of the target that are asked for such sums in noise."""

ASKED = 3
"""Sets of angles that are asked about, the likeliest first."""


@np.errstate(all="ignore")
def exact(problem: Problem, left: float) -> list[Fit]:
    """Return the ratio or sum of products of columns, cosines and sines that a target or its square is.

    Nothing where it is none. A smooth fit leaves this share: where it leaves little no column has many waves.
    """
    if not 2 <= problem.width <= MOST_COLUMNS or not np.all(np.isfinite(problem.Z)):
        return []
    if len(problem.choosing(FIT + TEST)) < 30 * problem.width:
        return []
    with one_thread():
        likeliest = list(itertools.islice(_angles(problem, left), ASKED))
    for angles in likeliest:
        for one in WAVES:  # both at once are bound by the sum of their squares, and so is every ratio
            if found := ratios.exact(turned(problem, angles, (one,)), within=ratios.EXACT_IN_FUNCTIONS):
                return found
        seen = turned(problem, angles)
        squared = seen.target(outers.outer("t^2"))
        for asked in (seen, squared, moves.in_roots(seen)):
            if asked is not None and (found := sparse.exact(asked, PRODUCTS)):
                return found
    return []


@np.errstate(all="ignore")
def merged(problem: Problem, left: float) -> list[Fit]:
    """Return the same with an angle that is a product or a quotient of columns: 2·pi·x/λ, 2·pi·(t - p)/T."""
    if not 2 <= problem.width <= MOST_COLUMNS or not np.all(np.isfinite(problem.Z)):
        return []
    with one_thread():
        likeliest = _merged(problem)
    # a root's waves are those of its square, whose frequency alone is exact
    asked = (p for seen in likeliest for p in (seen, seen.target(outers.outer("t^2"))) if p is not None)
    return next((found for p in asked if (found := exact(p, left))), [])


@np.errstate(all="ignore")
def fits(problem: Problem, left: float) -> list[Fit]:
    """Return the likeliest sums of products of columns, cosines and sines; a smooth fit leaves `left`.

    In noise, for the likeliest angles. Radians are known to the dictionary of `structure.sums`.
    """
    if not 2 <= problem.width <= MOST_COLUMNS or not np.all(np.isfinite(problem.Z)):
        return []
    with one_thread():
        angles = next(_angles(problem, left, rounding=False), {})
    if all(k == 1 for k in angles.values()):
        return []
    found = []
    for name in TARGETS:
        asked = problem.target(outers.outer(name))
        found += [] if asked is None else exchanges.fits(turned(asked, angles), left, targets=1)
    rooted = moves.in_roots(turned(problem, angles))
    return found if rooted is None else found + exchanges.fits(rooted, left, targets=1)


def turned(problem: Problem, angles: dict[int, sympy.Expr], waves: tuple[str, ...] = WAVES) -> Problem:
    """Return the problem with cos(k·x) and sin(k·x) in the place of each angle x with its frequency k."""
    Z: list[np.ndarray] = []
    formulas: list[sympy.Expr] = []
    for j, f in enumerate(problem.formulas):
        if j not in angles:
            Z.append(problem.Z[:, j])
            formulas.append(f)
            continue
        for name in waves:
            Z.append(getattr(np, name)(float(angles[j]) * problem.Z[:, j]))
            formulas.append(getattr(sympy, name)(angles[j] * f))
    return problem.columns(np.column_stack(Z), tuple(formulas))


def _merged(problem: Problem) -> list[Problem]:
    """Return the problems with a product or a quotient of columns in their place whose waves leave least."""
    pairs = [(problem, i, j) for i, j in itertools.combinations(range(problem.width), 2)]
    for i, j in itertools.combinations(range(problem.width), 2) if problem.width > 2 else ():
        apart = problem.merge(i, j, DIFFERENCE)
        pairs += [(apart, k, apart.width - 1) for k in range(apart.width - 1)]
    seen = [p.merge(i, j, how) for p, i, j in pairs for how in (PRODUCT, QUOTIENT)]
    seen += [p.merge(j, i, QUOTIENT) for p, i, j in pairs]
    most, ranked = TOLD * _Waves(problem).parabolas, []
    for k, asked in enumerate(seen):
        if np.all(np.isfinite(asked.Z)):
            look = _Waves(asked)
            at = asked.width - 1
            least = min(look.left({at: w}) for w in look.frequencies(at, *ROUGHLY))
            ranked += [(least, k)] if least < most else []
    return [seen[k] for _, k in sorted(ranked)[:ASKED]]


class _Waves:
    """Hold the rows on which sets of angles are compared: columns within [-1, 1], and the target."""

    def __init__(self, problem: Problem) -> None:
        rows = problem.choosing(FIT + TEST)
        self.X, self.y = problem.Z[rows], problem.y[rows]
        low, span = self.X.min(0), np.ptp(self.X, axis=0)
        self.span = span
        self.U = 2 * (self.X - low) / np.maximum(span, TINY) - 1
        self.split = 2 * len(rows) // 3
        self.parabolas = self.left({})

    def frequencies(self, j: int, first: float, last: float, step: float) -> np.ndarray:
        """Return the frequencies of a column that are looked at, given in half waves."""
        return np.arange(first, last, step) * np.pi / self.span[j]

    def left(self, frequencies: dict[int, float]) -> float:
        """Return the share of the target's variance that waves times parabolas in the others leave."""
        others = [j for j in range(self.X.shape[1]) if j not in frequencies]
        smooth = products(self.U[:, others], exponents(len(others), 2))
        waves = [
            np.column_stack([np.ones(len(self.y)), np.cos(k * self.X[:, j]), np.sin(k * self.X[:, j])])
            for j, k in frequencies.items()
        ]
        A = reduce(lambda a, b: (a[:, :, None] * b[:, None, :]).reshape(len(a), -1), waves, smooth)
        M, b, held = A[: self.split], self.y[: self.split], slice(self.split, None)
        G = M.T @ M
        G[np.diag_indices_from(G)] += 1e-10 * np.trace(G)
        off = A[held] @ np.linalg.solve(G, M.T @ b) - self.y[held]
        return float(np.mean(off * off) / max(np.var(self.y[held]), TINY))


def _angles(problem: Problem, smooth: float, rounding: bool = True) -> Iterator[dict[int, sympy.Expr]]:
    """Yield sets of angles with their frequencies, those first that leave least.

    Found frequencies are made round where `rounding`: in noise that is decided later, on all rows.
    """
    known: dict[int, sympy.Expr] = {}
    for j, x in enumerate(problem.Z.T):
        size, turn = np.abs(x).max(), np.ptp(x)
        if size <= RADIANS and turn >= SPANS:
            known[j] = sympy.S.One
        elif RADIANS < size <= DEGREES and turn * np.pi / 180 >= SPANS:
            known[j] = sympy.pi / 180
    look = _Waves(problem)
    sets = [
        {j: known[j] for j in chosen}
        for size in range(1, min(len(known), 3) + 1)
        for chosen in itertools.combinations(known, size)
        if problem.width + size <= sparse.MOST_COLUMNS
    ]
    ranked = [(look.left({j: float(k) for j, k in s.items()}), s) for s in sets]
    least = min((left for left, _ in ranked), default=1.0)
    for left, found in _scanned(look, least, smooth > WAVY) if smooth > UNSMOOTH else ():
        if left < BETTER * least:
            numbers = {
                j: _round(look, found, j, left) if rounding else sympy.Float(k) for j, k in found.items()
            }
            ranked.append((left, numbers))
    most = TOLD * look.parabolas
    yield from (s for left, s in sorted(ranked, key=lambda pair: pair[0]) if left < most)


def _scanned(look: _Waves, least: float, wavy: bool) -> Iterator[tuple[float, dict[int, float]]]:
    """Yield what the best frequency of each column leaves; of a `wavy` target those of two at once, too."""
    columns = range(look.X.shape[1])
    best = least
    for j in columns:
        yield (found := _nearest(look, [{j: k} for k in look.frequencies(j, *HALF_WAVES)]))
        best = min(best, found[0])
    if best < WAVY or not wavy:
        return
    half_waves = np.arange(*OF_TWO) * np.pi
    for i, j in itertools.combinations(columns, 2):
        pairs = itertools.product(half_waves / look.span[i], half_waves / look.span[j])
        yield _nearest(look, [{i: k, j: m} for k, m in pairs])


def _nearest(look: _Waves, sets: list[dict[int, float]]) -> tuple[float, dict[int, float]]:
    """Return what the best of the sets of frequencies leaves, after a descent from it, and that set."""
    first_left, _, start = min((look.left(s), k, s) for k, s in enumerate(sets))
    if first_left > HOPELESS * look.parabolas:
        return first_left, start
    columns = list(start)
    size = np.array([np.pi / look.span[j] for j in columns])
    first = np.array([start[j] for j in columns]) / size

    def left(at: np.ndarray) -> float:
        """Return what is left at frequencies in half waves."""
        return look.left(dict(zip(columns, at * size, strict=True)))

    found = optimize.minimize(
        left, first, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-12, "maxfev": 120}
    )
    return float(found.fun), dict(zip(columns, (found.x * size).tolist(), strict=True))


def _round(look: _Waves, found: dict[int, float], j: int, left: float) -> sympy.Expr:
    """Return the roundest frequency of a column that leaves hardly more than the best one."""
    for digits in range(1, 5):
        numbers = [sympy.Rational(f"{found[j]:.{digits}g}"), *_turns(found[j], digits)]
        lefts = [look.left({**found, j: float(k)}) for k in numbers]
        if min(lefts) <= ALIKE * left + TINY:
            return numbers[int(np.argmin(lefts))]
    return sympy.Float(found[j])


def _turns(k: float, digits: int) -> list[sympy.Expr]:
    """Return multiples of pi, and whole turns in a plain time, near a frequency."""
    times, period = sympy.Rational(f"{k / np.pi:.{digits}g}"), sympy.Rational(f"{2 * np.pi / k:.{digits}g}")
    return [sympy.pi * times, 2 * sympy.pi / period]

"""Bottom-up enumeration with meet-in-the-middle: short laws of any shape, compositions included.

`pool` makes hundreds of thousands of distinct small expressions in under a second. A law of twice that
size is found as a join of two of them: for a target t(y) and an expression e1, the vector t − c·e1, t/e1
or t·e1 must be α·e2 + β for another e2. The ratio (v2 − v0)/(v1 − v0) of three rows does not change under
α and β, so e2 is looked up in a sorted list. That needs exact data. With noise only the linear routes
stay: y ≈ α·e + β and y ≈ α·e1 + β·e2 + γ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.base.linear import TINY
from kansym.base.threads import one_thread
from kansym.base.weights import roots
from kansym.data.dataset import Dataset
from kansym.formula.guarded import UNDEFINED, valued
from kansym.formula.program import Program
from kansym.functions.library import Function, Library
from kansym.functions.parsing import symbols
from kansym.search.candidate import Candidate
from kansym.search.enumeration import pool, transforms
from kansym.search.enumeration.joins import Index, Join
from kansym.search.enumeration.pool import Pool
from kansym.search.enumeration.transforms import Short
from kansym.search.structure.merging import needed

ALL: tuple[str, ...] = ()
STAGES: tuple[tuple[tuple[str, ...], int, int], ...] = (
    (ALL, 20_000, 20_000),
    (("x^2",), 150_000, 30_000),
    (("x^2", "sqrt"), 150_000, 30_000),
    (("x^2", "exp", "log"), 150_000, 30_000),
    (("x^2", "sin", "cos"), 150_000, 30_000),
    (ALL, 300_000, 60_000),
)
"""Functions, sizes of the pool and of the part that e1 is taken from. The small pool with all functions
comes first; few functions reach deeper with the same number of entries."""

ROWS = 24
"""Rows of a value vector when the data are exact; NOISY_ROWS when they may not be."""

NOISY_ROWS = 80
"""Rows of a value vector where the data may be noisy."""

NOISY_POOLS: tuple[tuple[tuple[str, ...], int], ...] = ((ALL, 40_000),)
"""Functions and sizes of the pools that are compared in noise; of few rows several smaller ones."""

POOLS_OF_FEW: tuple[tuple[tuple[str, ...], int], ...] = (
    (ALL, 15_000),
    (("x^2",), 15_000),
    (("1/x", "exp", "log"), 30_000),
)
TARGETS = 5
"""Transforms of the target that are looked for in noise, the plain one among them."""

PLAINLY = 0.05
"""Distance from 1 within which an expression is proposed without a factor, too."""

SINGLES, OF_A_SIZE, PAIRS = 6, 6, 6
"""Expressions alone that are proposed for a transform; those of a size that get a partner; and such pairs."""

COLUMNS = 6
"""More inputs than this make pools too shallow; the most correlated ones are used."""

DEEP_POOLS: tuple[tuple[tuple[str, ...], int], ...] = ((ALL, 60_000), (("x^2",), 100_000))
DEEP_PART, SHORT = 1_500, 250
"""For joins of three: functions and sizes of the pools, e1's part of them, and the number of short ones."""

FEW_WORK, OF_ONE_COLUMN, COMPARED = 1800.0, 450.0, 200.0
"""Units of work of a look at few rows (1.5 s); the same of one column (0.5 s), where families and curves come
next; and how many of them count as one of the whole search's, whose units are longer (see `base.budget`)."""

FEW_ROWS = 60
"""Rows up to which a look at few rows compares what only comes near: of more the tests see every law."""

KEEP, PROVED = 12, 100
"""Formulas that are handed on, and joins that are checked on all rows for them."""

ROUNDED_OFF = 100.0
"""Times what an exact formula may leave that its values may be off as a pool computes them."""

_SLOT = sympy.Symbol("\0joined", real=True)

NAMES = (
    "x^2", "1/x", "sqrt", "exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "tanh", "x^3",
    "gaussian",
)  # fmt: skip
"""Functions tried inside expressions, where the library has them; a person's own are tried too."""

FEW = ("x^2", "1/x", "sqrt", "exp", "log", "sin", "cos", "tanh", "asin")
"""The same when there are several inputs."""

CONSTANTS: tuple[tuple[sympy.Expr, float], ...] = (
    (sympy.Integer(1), 1.0),
    (sympy.Integer(2), 2.0),
    (sympy.pi, math.pi),
)


def propose(
    dataset: Dataset, *, budget: Budget, library: Library | None = None, seed: int = 0
) -> Iterator[Candidate]:
    """Yield formulas found by enumeration, best first; exact joins when there are any.

    `library` supplies the functions; weights count where no join is exact. Work is counted as one unit for a
    thousand expressions compared.
    """
    X, y = np.asarray(dataset.X, float), np.asarray(dataset.y, float)
    if len(y) < pool.PROBES + 2 or np.ptp(y) == 0:
        return
    library, names = library or Library.load("default"), symbols(dataset.names)
    use = needed(X, y, seed) if X.shape[1] > 2 else np.ones(X.shape[1], bool)
    # columns that do not matter make every pool shallower
    for columns in [use, np.ones_like(use)] if 0 < use.sum() < len(use) else [np.ones_like(use)]:
        of = tuple(name for name, used in zip(names, columns, strict=True) if used)
        found = _exact(Search.of(X[:, columns], y, of, library, seed), budget)
        yield from found
        if found or budget.exhausted:
            return
    with one_thread():
        yield from Search.of(X, y, names, library, seed).linear(budget, _about_one(dataset))


def few(
    dataset: Dataset, *, budget: Budget, library: Library | None = None, seed: int = 0
) -> Iterator[Candidate]:
    """Yield exact formulas by one look through the pools, of FEW_ROWS or fewer what comes nearest, too.

    About a second of work. Of one column families and curves know more of what only comes near.
    """
    X, y = np.asarray(dataset.X, float), np.asarray(dataset.y, float)
    if len(y) < pool.PROBES + 2 or np.ptp(y) == 0 or budget.exhausted:
        return
    own = Budget(work=FEW_WORK if X.shape[1] > 1 else OF_ONE_COLUMN, seconds=budget.left)
    search = Search.of(X, y, symbols(dataset.names), library or Library.load("default"), seed)
    found = _exact(search, own, deep=False)
    near = Budget(work=FEW_WORK, seconds=budget.left)
    small = len(y) <= FEW_ROWS and X.shape[1] > 1
    if not found and small and not near.exhausted:
        with one_thread():
            found = search.linear(near, _about_one(dataset), POOLS_OF_FEW)
    budget.spend((own.used + near.used) / COMPARED)
    yield from found


def _about_one(dataset: Dataset) -> np.ndarray:
    """Return the roots (n,) of the rows' weights, about 1."""
    root = roots(dataset.weights, dataset.rows)
    return root / np.sqrt(np.mean(root**2))


def _exact(search: Search, budget: Budget, deep: bool = True) -> list[Candidate]:
    """Return the formulas of the first pools in which any agrees with all rows; joins of three if `deep`."""
    # where inputs had to be left out, deeper pools of the others are seldom worth their time
    few = search.X.shape[1] <= COLUMNS
    seen: set[tuple[tuple[str, ...], int]] = set()
    for names, capacity, part in STAGES if few else STAGES[:1]:
        functions = tuple(f.name for f in search.functions(names))
        if (functions, capacity) in seen:
            continue
        seen.add((functions, capacity))
        with one_thread():
            found = search.exact(names, capacity, part, budget)
            if not found and deep and capacity == STAGES[0][1] and few and not budget.exhausted:
                found = search.deep(budget)
        if found or budget.exhausted:
            return found
    return []


@dataclass(frozen=True, eq=False)
class Search:
    """Hold the rows: inputs in handy units with their formulas, y, a few rows first for the vectors."""

    X: np.ndarray
    Z: np.ndarray
    y: np.ndarray
    symbols: tuple[sympy.Symbol, ...]
    columns: tuple[sympy.Expr, ...]
    unary: tuple[Function, ...]
    known: frozenset[str]
    order: np.ndarray

    @staticmethod
    def of(
        X: np.ndarray, y: np.ndarray, names: tuple[sympy.Symbol, ...], library: Library, seed: int
    ) -> Search:
        """Return the search of a table."""
        keep = np.arange(X.shape[1])
        if len(keep) > COLUMNS:
            ranks = np.argsort(np.argsort(np.column_stack([X, y]), axis=0), axis=0)
            with np.errstate(all="ignore"):
                strength = np.abs(np.atleast_2d(np.corrcoef(ranks.T))[-1, :-1])
            keep = np.sort(np.argsort(-np.nan_to_num(strength), kind="stable")[:COLUMNS])
        unit = units(np.median(np.abs(X), axis=0))
        columns = tuple(names[i] if unit[i] == 1 else names[i] * sympy.Float(1 / unit[i]) for i in keep)
        wanted = NAMES if len(keep) == 1 else FEW
        unary = tuple(library[n] for n in wanted if n in library)
        unary += tuple(f for f in library.values() if f.theme == "user" and not f.has_exponent)
        rng = np.random.default_rng(seed)
        ends = [int(np.argmin(y)), int(np.argmax(y))]
        order = np.array([*ends, *(i for i in rng.permutation(len(y)) if i not in ends)])
        return Search(X, X[:, keep] / unit[keep], y, names, columns, unary, frozenset(library), order)

    def pool(self, rows: np.ndarray, capacity: int, names: tuple[str, ...] = ALL) -> Pool:
        """Return the pool over some rows, with some of the functions or all."""
        return pool.build(self.Z[rows], self.columns, self.functions(names), capacity, CONSTANTS)

    def functions(self, names: tuple[str, ...]) -> tuple[Function, ...]:
        """Return the functions of these names that the library has, or all."""
        return self.unary if names == ALL else tuple(f for f in self.unary if f.name in names)

    def exact(self, names: tuple[str, ...], capacity: int, part: int, budget: Budget) -> list[Candidate]:
        """Return formulas that all rows agree with, the shortest first."""
        rows = self.order[:ROWS]
        entries = self.pool(rows, capacity, names)
        budget.spend(len(entries) / 1000)
        index = Index.of(entries)
        joins: list[Join] = []
        for target in transforms.simple(self.y, self.known):
            t = target.values[rows]
            joins += index.joins(t, target, min(part, len(entries)))
            budget.spend(min(part, len(entries)) / 1000)
            if budget.exhausted or (joins and capacity > STAGES[0][1]):
                break
        return self.proved(joins, entries)

    def deep(self, budget: Budget) -> list[Candidate]:
        """Return joins of three: two entries that meet a target already combined with a short one."""
        rows = self.order[:ROWS]
        for names, capacity in DEEP_POOLS:
            entries = self.pool(rows, capacity, names)
            index = Index.of(entries)
            joins: list[Join] = []
            for target in transforms.combined(self.y[rows], self.short(entries), self.known):
                joins += index.joins(target.values, target, min(DEEP_PART, len(entries)))
                budget.spend(DEEP_PART / 1000)
                if budget.exhausted or len(joins) > 20:
                    break
            found = self.proved(joins, entries)
            if found or budget.exhausted:
                return found
        return []

    def short(self, entries: Pool) -> Iterator[Short]:
        """Yield what y is combined with: 1, columns, entries of up to three symbols, pairs of columns."""
        yield np.ones(entries.V.shape[1]), sympy.S.One, 0
        sizes = entries.complexity()
        plain = (sizes <= 2) | ((sizes == 3) & (entries.how[:, 0] < pool.OPERATIONS))
        for i in np.flatnonzero(plain)[:SHORT]:
            if np.ptp(entries.V[i]) > 0:
                yield entries.V[i], entries.expression(int(i)), int(sizes[i])
        yield from transforms.pairs(self.Z[self.order[:ROWS]], self.columns, self.known)

    def proved(self, joins: list[Join], entries: Pool) -> list[Candidate]:
        """Return the joins that hold on all rows, the shortest first."""
        joins = sorted(joins, key=lambda j: j.price)
        found = []
        ways: dict[int, Program] = {}
        for join in joins[:PROVED]:
            # of noisy rows some hundred hold by the largest values of a steep expression alone
            candidate = self.checked(join.expression(entries)) if self.near(join, entries, ways) else None
            if candidate is not None:
                found.append((join.price, candidate))
            if len(found) >= KEEP:
                break
        return [c for _, c in found]

    def near(self, join: Join, entries: Pool, ways: dict[int, Program]) -> bool:
        """Tell whether a join comes near y on the rows of its vectors, with `ways` back from targets to y."""
        key, rows = id(join.target), self.order[: entries.V.shape[1]]
        try:
            if key not in ways:
                ways[key] = Program.compile(join.target.back(_SLOT), (*self.symbols, _SLOT))
            with np.errstate(all="ignore"):
                joined = join.values(entries.V)
            values = ways[key].value(np.column_stack([self.X[rows], joined]))
        except UNDEFINED:
            return True
        off = np.abs(values - self.y[rows]).max()
        return bool(off < ROUNDED_OFF * criterion.EXACT_JOIN * np.std(self.y))

    def checked(self, formula: sympy.Expr) -> Candidate | None:
        """Return the formula as a candidate if it holds on every row."""
        values = valued(formula, self.symbols, self.X)
        if values is None:
            return None
        worst = float(np.max(np.abs(values - self.y)) / np.std(self.y))
        return Candidate(worst**2, "enumeration", formula) if worst < criterion.EXACT_JOIN else None

    def linear(
        self, budget: Budget, root: np.ndarray, pools: tuple[tuple[tuple[str, ...], int], ...] = NOISY_POOLS
    ) -> list[Candidate]:
        """Return the best t(y) ≈ α·e + β and t(y) ≈ α·e1 + β·e2 + γ of some pools; `root` weighs the rows."""
        n = len(self.y)
        held = self.order[2:][: n // 4] if n >= 40 else self.order
        fit = np.setdiff1d(self.order, held) if n >= 40 else self.order
        rows = fit[:: max(1, len(fit) // NOISY_ROWS)][:NOISY_ROWS]
        proposals: list[tuple[float, sympy.Expr]] = []
        for names, capacity in pools:
            entries = self.pool(rows, capacity, names)
            budget.spend(len(entries) / 1000)
            unit, sizes, w = centred(entries.V, root[rows]), entries.complexity(), root[rows]
            for target in transforms.simple(self.y, self.known)[:TARGETS]:
                t = target.values[rows]
                share = 1 - (unit @ (centred(t[None], w)[0])) ** 2
                for i in shortlist(share, sizes, len(rows), SINGLES):
                    if share[i] >= 1:
                        continue
                    beta, alpha = _line(entries.V[i : i + 1].T, t, w)
                    e = sympy.Float(alpha) * entries.expression(i)
                    price = float(sizes[i] + target.price)
                    proposals += [(price, target.back(e + sympy.Float(beta))), (price - 2, target.back(e))]
                    if abs(alpha - 1) < PLAINLY:
                        proposals.append((price - 4, target.back(entries.expression(i))))
                for price, formula in self.pairs(entries, unit, t, share, sizes, w):
                    proposals.append((price + target.price, target.back(formula)))
                budget.spend(len(entries) / 1000)
                if budget.exhausted:
                    break
        judged = [(*self.judged(f, fit, held, root), size, f) for size, f in proposals]
        # each symbol must earn its nats on the held-out rows
        judged.sort(key=lambda j: float(criterion.length(j[0], len(held), j[2], least=1e-30)))
        return [Candidate(share, "enumeration", f) for share, f, *_ in judged[:KEEP] if math.isfinite(share)]

    def pairs(
        self,
        entries: Pool,
        unit: np.ndarray,
        t: np.ndarray,
        alone: np.ndarray,
        sizes: np.ndarray,
        w: np.ndarray,
    ) -> Iterator[tuple[float, sympy.Expr]]:
        """Yield the best t ≈ α·e1 + β·e2 + γ with their prices, given what each entry leaves `alone`."""
        y = centred(t[None], w)[0]
        along = unit @ y
        # the best of each size: one good long expression must not crowd out the short ones
        first: list[int] = []
        for k in range(1, 7):
            of_size = np.flatnonzero((sizes == k) & (alone < 1))
            first += of_size[np.argsort(alone[of_size], kind="stable")[:OF_A_SIZE]].tolist()
        made: list[tuple[float, int, int]] = []
        for i in first:
            overlap = unit @ unit[i]
            rest = np.maximum(1 - overlap**2, 1e-6)
            gain = (along - overlap * along[i]) ** 2 / rest
            share = np.maximum(1 - along[i] ** 2 - gain, 1e-16)
            cost = criterion.length(share, len(t), sizes + sizes[i], least=1e-30)
            made += [(float(cost[j]), i, j) for j in shortlist(share, sizes, len(t), 2) if j != i]
        for _, i, j in sorted(made)[:PAIRS]:
            c, a, b = _line(entries.V[[i, j]].T, t, w)
            formula = sympy.Float(a) * entries.expression(i) + sympy.Float(b) * entries.expression(j)
            yield float(sizes[i] + sizes[j] + 3), formula + sympy.Float(c)

    def judged(
        self, formula: sympy.Expr, fit: np.ndarray, held: np.ndarray, root: np.ndarray
    ) -> tuple[float, sympy.Expr]:
        """Return the residual share on the held-out rows, infinite where undefined."""
        values = valued(formula, self.symbols, self.X)
        if values is None or not np.all(np.isfinite(values)):
            return math.inf, formula
        v = root**2
        mean = np.average(self.y[fit], weights=v[fit])
        spread = float(np.average((self.y[held] - mean) ** 2, weights=v[held]))
        with np.errstate(over="ignore"):
            left = float(np.average((values[held] - self.y[held]) ** 2, weights=v[held]))
            return left / max(spread, TINY), formula


def units(sizes: np.ndarray) -> np.ndarray:
    """Return a handy unit for each column: 1 for sizes from 1e-3 to 1e4, else the size of its kin.

    Columns whose sizes are within a factor of 1000 of a neighbour's share a unit, so that v/c stays v/c.
    """
    unit = np.ones(len(sizes))
    order = [i for i in np.argsort(sizes, kind="stable") if sizes[i] > 0]
    groups: list[list[int]] = []
    for i in order:
        if groups and sizes[i] < 1000 * sizes[groups[-1][-1]]:
            groups[-1].append(int(i))
        else:
            groups.append([int(i)])
    for group in groups:
        middle = float(np.exp(np.mean(np.log(sizes[group]))))
        if not 1e-3 < middle < 1e4:
            unit[group] = middle
    return unit


def _line(columns: np.ndarray, t: np.ndarray, w: np.ndarray) -> list[float]:
    """Return the constant and the coefficients of columns (n, k) nearest to t, rows weighed by w²."""
    A = np.column_stack([np.ones(len(t)), columns]) * w[:, None]
    return [float(c) for c in np.linalg.lstsq(A, t * w, rcond=None)[0]]


def centred(V: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return rows V (k, n), times root weights w, with mean 0 and length 1; constant ones become 0."""
    W = (V - (V @ w**2)[:, None] / (w @ w)) * w
    norm = np.linalg.norm(W, axis=1, keepdims=True)
    return W / np.where(norm > 1e-12 * np.abs(V * w).max(axis=1, keepdims=True), norm, np.inf)


def shortlist(share: np.ndarray, sizes: np.ndarray, rows: int, count: int) -> list[int]:
    """Return the entries of shortest description."""
    cost = criterion.length(share, rows, sizes, least=1e-30)
    near = np.argpartition(cost, min(count, len(cost) - 1))[:count]
    return [int(i) for i in near[np.argsort(cost[near], kind="stable")]]

"""All relations f(columns) = 0 that hold in a table: the complete set, each as a formula.

The paper (4.2) finds one relation or another, by seed, and leaves the complete set open. Here it is found
deterministically. First every small set of columns is asked, by least squares on polynomials, which other
columns it determines on held-out rows; the minimal sets that do are the circuits. Small circuits first,
each is kept when its gradient is not a combination of those kept already (a consequence is), and its
formula is searched for with the column as the target that gives the simplest one.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy

from kansym.base.errors import InputError, KansymError
from kansym.data.dataset import Dataset, from_arrays
from kansym.data.table import Table, numbers, read_table
from kansym.formula import expression as expressions
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.functions.parsing import quote, symbols
from kansym.judge.refine import Judged, Trial, refine
from kansym.pipeline import flow as pipeline
from kansym.search import separable

Values = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Settings:
    """Set what counts as a relation and how far to look.

    `tolerance`: a relation may leave this share of a column's spread (root mean square, held-out rows).
    `largest`: most columns that may determine another one. `time_limit` (seconds) only cuts, and only the
    search for formulas; `thorough` lets the full search (`discover`) try where the quick one fails.
    """

    tolerance: float = 0.1
    largest: int = 4
    rows: int = 1500
    sets: int = 1500
    seed: int = 0
    library: str | Library = "default"
    time_limit: float | None = None
    thorough: bool = True
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Relation:
    """Hold one relation target = expression(others); `share` is what it leaves of the target's spread.

    `exact` says that held-out rows are reproduced to round-off. Without an expression the relation was
    shown to hold, but no formula was found; `share` is then that of the polynomial which shows it.
    """

    target: str
    others: tuple[str, ...]
    expression: sympy.Expr | None
    share: float
    exact: bool
    complexity: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that takes part."""
        return (self.target, *self.others)

    @property
    def equation(self) -> str:
        """Return the relation as text, "x5 = x4**3"."""
        if self.expression is None:
            return f"{quote(self.target)} = a function of {', '.join(map(quote, self.others))}"
        return f"{quote(self.target)} = {expressions.text(self.expression)}"

    def residual(self, X: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Return target − expression (n,) on rows X (n, columns) of the table `names`."""
        if self.expression is None:
            raise InputError(f"No formula was found for {self.target!r}, so it has no residual.")
        values = Program.compile(self.expression, symbols(names)).value(X)
        return X[:, list(names).index(self.target)] - values

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write."""
        return {
            "equation": self.equation,
            "target": self.target,
            "others": list(self.others),
            "sympy": None if self.expression is None else expressions.text(self.expression, None),
            "share": self.share,
            "exact": self.exact,
            "complexity": self.complexity,
        }


@dataclass(frozen=True)
class Relations:
    """Hold the answer: independent relations, columns in none of them, and what was left out and why.

    `consequences` are sets of columns whose relation follows from those kept. `trends` are dependencies
    too weak to be relations: (target, others, share of the spread that they leave).
    """

    relations: tuple[Relation, ...]
    independent: tuple[str, ...]
    consequences: tuple[tuple[str, ...], ...]
    trends: tuple[tuple[str, tuple[str, ...], float], ...]
    names: tuple[str, ...]
    rows: int
    seconds: float
    notes: tuple[str, ...] = ()
    stop_reason: str = ""

    def __iter__(self) -> Any:
        """Iterate over the relations."""
        return iter(self.relations)

    def __len__(self) -> int:
        """Return the number of relations."""
        return len(self.relations)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write."""
        return {
            "relations": [r.to_dict() for r in self.relations],
            "independent": list(self.independent),
            "consequences": [list(c) for c in self.consequences],
            "trends": [{"target": t, "others": list(o), "share": s} for t, o, s in self.trends],
            "columns": list(self.names),
            "rows": self.rows,
            "seconds": self.seconds,
            "notes": list(self.notes),
            "stop_reason": self.stop_reason,
        }


@dataclass(frozen=True)
class _Claim:
    """Say that some columns determine another: indices, the mean squared share left, and the polynomial."""

    target: int
    others: tuple[int, ...]
    share: float
    values: Values = field(compare=False)

    @property
    def support(self) -> frozenset[int]:
        return frozenset((self.target, *self.others))


def relations(
    data: Any, names: Sequence[str] | None = None, settings: Settings | None = None, **options: Any
) -> Relations:
    """Find the complete set of independent relations in a table.

    `data` is an array (n, columns) with `names`, or a path, a shipped table's name or a DataFrame.
    `options` are fields of :class:`Settings`. Raises InputError for tables that cannot be used.
    """
    started = time.monotonic()
    unknown = set(options) - set(Settings.__dataclass_fields__)
    if unknown:
        raise InputError(f"Option {min(unknown)!r} is not known; see kansym.pipeline.relations.Settings.")
    settings = replace(settings or Settings(), **options)
    if not 0 < settings.tolerance < 1:
        raise InputError(f"tolerance is {settings.tolerance}; give a share between 0 and 1, such as 0.1.")
    if settings.largest < 1:
        raise InputError(f"largest is {settings.largest}; a column is determined by 1 other or more.")
    X, columns, notes = _columns(data, names, settings.exclude)
    search = _Search(X, columns, settings, started)
    return search.run(notes)


def _columns(
    data: Any, names: Sequence[str] | None, exclude: Iterable[str]
) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Return finite rows, the columns' names, and what was left out."""
    notes: list[str] = []
    if isinstance(data, Dataset):
        data, names = np.column_stack([data.X, data.y]), (*data.names, data.target)
    if isinstance(data, np.ndarray):
        if data.ndim != 2 or data.shape[1] < 2:
            raise InputError(f"The data have shape {data.shape}; relations need rows by two or more columns.")
        X = np.asarray(data, float)
        columns = tuple(str(n) for n in names) if names else tuple(f"x{i}" for i in range(X.shape[1]))
        if len(columns) != X.shape[1] or len(set(columns)) < len(columns):
            raise InputError(f"{len(columns)} names for {X.shape[1]} columns; give each its own.")
    else:
        table = data if isinstance(data, Table) else read_table(data)
        notes += table.notes
        found = {}
        for name in table.names:
            values, problem = numbers(table, name, notes)
            if values is None:
                notes.append(f"column {name!r} {str(problem).partition(';')[0]}: left out")
            else:
                found[name] = np.asarray(values, float)
        if len(found) < 2:
            raise InputError(f"{table.source} has {len(found)} columns of numbers; relations need two.")
        columns, X = tuple(found), np.column_stack(list(found.values()))
    for name in exclude:
        if name not in columns:
            raise InputError(f"Column {name!r} is not in the table; its columns: {', '.join(columns)}.")
    finite = np.all(np.isfinite(X), axis=1)
    if not finite.all():
        notes.append(f"{int((~finite).sum())} rows with gaps: left out")
        X = X[finite]
    if len(X) < 60:
        raise InputError(
            f"{len(X)} complete rows are too few to distinguish relations from chance; give 60 or more."
        )
    keep = []
    for i, name in enumerate(columns):
        kinds = len(np.unique(X[:, i]))
        if name in set(exclude):
            continue
        if kinds < 6:
            notes.append(f"column {name!r} has {kinds} different values: left out")
        else:
            keep.append(i)
    if len(keep) < 2:
        raise InputError("Fewer than two columns vary enough; relations need two with 6 or more values each.")
    return np.ascontiguousarray(X[:, keep]), tuple(columns[i] for i in keep), notes


class _Search:
    """Carry one search: rows, scaled columns, what is settled."""

    def __init__(self, X: np.ndarray, names: tuple[str, ...], settings: Settings, started: float) -> None:
        self.all, self.names, self.settings, self.started = X, names, settings, started
        rng = np.random.default_rng(settings.seed)
        at = np.sort(rng.choice(len(X), min(len(X), settings.rows), replace=False))
        self.X = X[at]
        self.fit = rng.permutation(len(self.X)) >= len(self.X) // 3
        self.maps = [_light(X[:, i]) for i in range(X.shape[1])]
        self.U = np.column_stack([m(self.X[:, i]) for i, m in enumerate(self.maps)])
        self.library = (
            settings.library if isinstance(settings.library, Library) else Library.load(settings.library)
        )
        self.reason = "every set of columns was tried"

    @property
    def late(self) -> bool:
        limit = self.settings.time_limit
        return limit is not None and time.monotonic() - self.started > limit

    def run(self, notes: list[str]) -> Relations:
        claims = self.claims()
        limit = self.settings.tolerance**2
        kept: list[tuple[Relation, Values]] = []
        circuits: list[frozenset[int]] = []
        consequences: list[frozenset[int]] = []
        supports: dict[frozenset[int], list[_Claim]] = {}
        for claim in claims.values():
            if claim.share < limit and not self.improved(claim, claims):
                supports.setdefault(claim.support, []).append(claim)
        order = sorted(supports, key=lambda s: (len(s), min(c.share for c in supports[s]), sorted(s)))
        pending: list[frozenset[int]] = []
        unnamed: dict[frozenset[int], Relation] = {}
        # a support without a formula waits: the others may imply it in a form that has one
        for support, last in [(s, False) for s in order] + [(s, True) for s in order]:
            if any(c <= support for c in circuits) or last != (support in pending):
                continue
            if not last and any(c <= support for c in pending):
                continue
            best = min(supports[support], key=lambda c: c.share)
            if self.follows(best, [v for _, v in kept]):
                circuits.append(support)
                consequences.append(support)
                continue
            floor = min(c.share for s, cs in supports.items() if s >= support for c in cs)
            relation = unnamed[support] if last else self.formula(supports[support], floor)
            if relation.expression is None and not last:
                pending.append(support)
                unnamed[support] = relation
                continue
            circuits.append(support)
            kept.append((relation, self.values(relation, best)))
        used = {n for r, _ in kept for n in r.columns}
        used |= {self.names[i] for c in consequences for i in c}
        return Relations(
            tuple(r for r, _ in kept),
            tuple(n for n in self.names if n not in used),
            tuple(tuple(self.names[i] for i in sorted(c)) for c in consequences),
            self.trends(claims, circuits),
            self.names,
            len(self.all),
            time.monotonic() - self.started,
            tuple(notes),
            "time limit" if self.late else self.reason,
        )

    def claims(self) -> dict[tuple[int, tuple[int, ...]], _Claim]:
        """Return for every column and every small set of others what the set leaves of the column."""
        d = len(self.names)
        targets = {i: [self.U[:, i]] for i in range(d)}
        for i in range(d):
            if self.X[:, i].min() < 0 < self.X[:, i].max():
                targets[i].append(self.U[:, i] ** 2)  # x² + y² = 1 determines x² only
        found: dict[tuple[int, tuple[int, ...]], _Claim] = {}
        size_before: list[tuple[int, ...]] = []
        for size in range(1, min(self.settings.largest, d - 1) + 1):
            if math.comb(d, size) <= self.settings.sets:
                sets: list[tuple[int, ...]] = list(itertools.combinations(range(d), size))
            else:
                sets = self.extended(size_before, found)
            for others in sets:
                self.ask(others, targets, found)
            size_before = sets
        return found

    def extended(
        self, sets: list[tuple[int, ...]], found: dict[tuple[int, tuple[int, ...]], _Claim]
    ) -> list[tuple[int, ...]]:
        """Return the sets of one more column that grow from the best ones of every target."""
        d = len(self.names)
        share = max(1, self.settings.sets // (d * d))
        grown: set[tuple[int, ...]] = set()
        for t in range(d):
            mine = sorted((s for s in sets if (t, s) in found), key=lambda s: found[t, s].share)[:share]
            for s in mine:
                grown |= {tuple(sorted((*s, j))) for j in range(d) if j != t and j not in s}
        return sorted(grown)

    def ask(
        self,
        others: tuple[int, ...],
        targets: dict[int, list[np.ndarray]],
        found: dict[tuple[int, tuple[int, ...]], _Claim],
    ) -> None:
        fit = self.fit
        powers = _powers(len(others), int(fit.sum()))
        A = _chebyshev(self.U[:, others], powers)
        columns = [(i, k, v) for i, vs in targets.items() if i not in others for k, v in enumerate(vs)]
        B = np.column_stack([v for *_, v in columns])
        G = A[fit].T @ A[fit]
        G[np.diag_indices(len(G))] += 1e-11 * np.trace(G) / len(G)
        C = np.linalg.solve(G, A[fit].T @ B[fit])
        left = np.mean((A[~fit] @ C - B[~fit]) ** 2, axis=0) / np.var(B[~fit], axis=0)
        for j, (i, k, _) in enumerate(columns):
            key = (i, others)
            if key in found and found[key].share <= left[j]:
                continue
            found[key] = _Claim(i, others, float(left[j]), self.polynomial(i, k, others, powers, C[:, j]))

    def polynomial(
        self, target: int, kind: int, others: tuple[int, ...], powers: np.ndarray, c: np.ndarray
    ) -> Values:
        """Return the function of the table's rows that vanishes where the claim holds."""

        def values(X: np.ndarray) -> np.ndarray:
            U = np.column_stack([self.maps[i](X[:, i]) for i in others])
            u = self.maps[target](X[:, target])
            return (u**2 if kind else u) - _chebyshev(U, powers) @ c

        return values

    def improved(self, claim: _Claim, claims: dict[tuple[int, tuple[int, ...]], _Claim]) -> bool:
        """Tell whether one more column leaves so much less that the claim lacks it."""
        if claim.share < 1e-5:
            return False
        for j in range(len(self.names)):
            if j == claim.target or j in claim.others:
                continue
            other = claims.get((claim.target, tuple(sorted((*claim.others, j)))))
            if other is not None and other.share < 0.3 * claim.share:
                return True
        return False

    def follows(self, claim: _Claim, kept: list[Values]) -> bool:
        """Tell whether the claim's gradient is a combination of the kept relations' gradients."""
        if not kept:
            return False
        at = self.X[:: max(1, len(self.X) // 60)]
        new = self.gradient(claim.values, at)
        old = np.stack([self.gradient(v, at) for v in kept], axis=2)
        angles = []
        for g, B in zip(new, old, strict=True):
            norm = np.linalg.norm(g)
            if norm == 0 or not np.all(np.isfinite(B)) or not np.isfinite(norm):
                continue
            Q, _ = np.linalg.qr(B / (np.linalg.norm(B, axis=0) + 1e-300))
            angles.append(np.linalg.norm(g - Q @ (Q.T @ g)) / norm)
        return bool(angles) and float(np.median(angles)) < 0.2

    def gradient(self, values: Values, X: np.ndarray) -> np.ndarray:
        """Return (n, columns): central differences, in units of each column's spread."""
        out = np.empty(X.shape)
        for i, spread in enumerate(self.X.std(0)):
            step = np.zeros(X.shape[1])
            step[i] = 1e-4 * spread
            with np.errstate(all="ignore"):
                out[:, i] = (values(X + step) - values(X - step)) / 2e-4
        return out

    def values(self, relation: Relation, claim: _Claim) -> Values:
        if relation.expression is None:
            return claim.values
        return lambda X: relation.residual(X, self.names)

    def formula(self, claims: list[_Claim], floor: float) -> Relation:
        """Return the simplest formula, over the possible targets, that leaves no more than the noise."""
        best: tuple[float, Relation] | None = None
        least = min(c.share for c in claims)
        ranked = sorted((c for c in claims if c.share <= max(30 * least, 1e-6)), key=lambda c: c.share)
        enough = max(4 * floor, 1e-9)
        for thorough in (False, True):
            if thorough and (not self.settings.thorough or self.late):
                break
            for claim in ranked[: 2 if thorough else 4]:
                law = self.law(claim, thorough)
                if law is None:
                    continue
                relation, length = law
                if best is None or self.price(relation, enough) < self.price(best[1], enough):
                    best = (length, relation)
            if best is not None and best[1].share ** 2 <= enough:
                break
        if best is not None and best[1].share ** 2 <= max(enough, self.settings.tolerance**2 / 25):
            return best[1]
        claim = ranked[0]
        if (
            best is not None
            and best[1].share <= self.settings.tolerance
            and best[1].share ** 2 < 30 * claim.share
        ):
            return best[1]
        others = tuple(self.names[i] for i in claim.others)
        return Relation(self.names[claim.target], others, None, math.sqrt(claim.share), False, 0)

    def price(self, relation: Relation, enough: float) -> tuple[bool, bool, int, float]:
        """Return what orders formulas of one circuit: exact, down to the noise, simple, close."""
        size = relation.complexity + 2 * _inverses(relation.expression)
        return (not relation.exact, relation.share**2 > enough, size, relation.share)

    def law(self, claim: _Claim, thorough: bool) -> tuple[Relation, float] | None:
        names = tuple(self.names[i] for i in claim.others)
        dataset = from_arrays(self.X[:, claim.others], self.X[:, claim.target], names, target="y target")
        if len(dataset.names) < len(names):
            return None
        if thorough:
            left = 60.0
            if self.settings.time_limit is not None:
                left = max(1.0, self.settings.time_limit - (time.monotonic() - self.started))
            try:
                run = pipeline.discover(
                    dataset,
                    library=self.library,
                    seed=self.settings.seed,
                    kan=False,
                    time_limit=min(left, 60.0),
                )
            except KansymError:
                return None
            law = run.best
            if law.expression is None:
                return None
            share = math.sqrt(max(law.heldout_loss, 0.0)) / run.data["target_spread"]
            made = Relation(self.names[claim.target], names, law.expression, share, law.exact, law.complexity)
            return made, law.length
        trial = Trial.of(dataset, self.library, self.settings.seed)
        best: Judged | None = None
        for candidate in separable.propose(dataset, library=self.library, seed=self.settings.seed):
            promising = math.inf if best is None else best.length + 30
            for judged in refine(candidate.expression, trial, candidate.source, promising):
                if math.isfinite(judged.loss) and (best is None or judged.length < best.length):
                    best = judged
            if self.late:
                break
        if best is None:
            return None
        share = math.sqrt(max(best.heldout, 0.0) / trial.power)
        proved = share <= 1e-10
        form = best.expression
        if {s.name for s in form.free_symbols} != set(names):
            return None
        return Relation(self.names[claim.target], names, form, share, proved, best.complexity), best.length

    def trends(
        self, claims: dict[tuple[int, tuple[int, ...]], _Claim], circuits: list[frozenset[int]]
    ) -> tuple[tuple[str, tuple[str, ...], float], ...]:
        """Return the best dependence of every column that is in no relation, when there is one."""
        out = []
        for t, name in enumerate(self.names):
            if any(t in c for c in circuits):
                continue
            mine = [c for (i, _), c in claims.items() if i == t]
            best = min(mine, key=lambda c: c.share * 1.1 ** len(c.others), default=None)
            if best is not None and best.share < 0.5:
                out.append((name, tuple(self.names[i] for i in best.others), math.sqrt(best.share)))
        return tuple(out)


def _inverses(expression: sympy.Expr | None) -> int:
    """Count what solving for the wrong column leaves in a formula: roots, quotients, inverse functions."""
    if expression is None:
        return 0
    powers = sum(not (p.exp.is_Integer and p.exp > 0) for p in expression.atoms(sympy.Pow) if p.exp.is_number)
    backward = (sympy.log, sympy.asin, sympy.acos, sympy.atan, sympy.atanh, sympy.asinh, sympy.acosh)
    return powers + len(expression.atoms(*backward))


def _light(x: np.ndarray) -> Values:
    """Return a monotone map of a column to [-1, 1]: itself, its logarithm, or ranks if its tails are long."""
    spread = float(np.std(x))
    tail = float(np.mean(((x - x.mean()) / spread) ** 4))
    if tail < 6:
        low, high = float(x.min()), float(x.max())
        return lambda v: (v - low) * (2 / (high - low)) - 1
    if x.min() > 0:
        inner = _light(np.log(x)) if np.std(np.log(x)) > 0 else None
        if inner is not None:
            return lambda v: inner(np.log(np.maximum(v, 1e-300)))
    middle, scale = float(np.median(x)), float(np.percentile(np.abs(x - np.median(x)), 75))
    scale = scale or spread
    y = np.arcsinh((x - middle) / scale)
    low, high = float(y.min()), float(y.max())
    return lambda v: (np.arcsinh((v - middle) / scale) - low) * (2 / (high - low)) - 1


def _powers(count: int, rows: int) -> np.ndarray:
    """Return the exponents (terms, count) of total degree as high as a quarter of the rows allows."""
    degree = {1: 14, 2: 10, 3: 7, 4: 5}.get(count, 4)
    while degree > 1 and math.comb(degree + count, count) > rows // 4:
        degree -= 1
    return np.array([p for p in itertools.product(range(degree + 1), repeat=count) if sum(p) <= degree])


def _chebyshev(U: np.ndarray, powers: np.ndarray) -> np.ndarray:
    out = np.ones((len(U), len(powers)))
    for i in range(U.shape[1]):
        T = np.polynomial.chebyshev.chebvander(U[:, i], int(powers.max()))
        out *= T[:, powers[:, i]]
    return out

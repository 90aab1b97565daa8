"""All relations f(columns) = 0 that hold in a table: the complete set, each as a formula.

The paper (4.2) finds one relation or another, by seed, and leaves the complete set open. Here it is found
deterministically. First every small set of columns is asked, by least squares on polynomials, which other
columns it determines on held-out rows; the minimal sets that do are the circuits. Small circuits first,
each is kept when its gradient is not a combination of those kept already (a consequence is), and its
formula is searched for with the column as the target that gives the simplest one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from kansym.base.budget import Budget
from kansym.base.errors import InputError, KansymError, counted
from kansym.data.dataset import Dataset, from_arrays
from kansym.data.table import Table, numbers, read_table
from kansym.formula import expression as expressions
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.functions.parsing import quote, symbols
from kansym.judge.scorer import exact
from kansym.judge.trial import Trial
from kansym.pipeline import flow as pipeline
from kansym.pipeline.dependence import Claim, Survey, Values
from kansym.pipeline.proposals import laws
from kansym.search.registry import SEPARABLE

ALIKE = 30.0
"""Mean squared shares within this factor of the least are alike: any of these columns may be the target."""

SMOOTH = 1e-6
"""Share of a column's variance that polynomials leave of a smooth law."""

NOISE_ROOM = 4.0
"""A formula may leave this many times what the best polynomial leaves, which fits some of the noise."""

ROUNDOFF = 1e-9
"""Share of a column's variance that counts as nothing left."""

CLEAR = 25.0
"""A formula five times as close as the tolerance is taken though a polynomial comes closer."""

QUICK_TARGETS, THOROUGH_TARGETS = 4, 2
"""How many columns of a circuit are tried as its target by a quick and by a whole search."""

EACH_SECONDS = 60.0
"""Most seconds for one search."""


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

    def __repr__(self) -> str:
        """Return the relation and what it leaves on one line."""
        return f"Relation({self.equation}, {'exact' if self.exact else f'share={self.share:.3g}'})"

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

    def __repr__(self) -> str:
        """Return the relations on one line."""
        return f"Relations({self.rows} rows of {len(self.names)} columns: {list(self.relations)})"

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
            few = counted(len(found), "column")
            raise InputError(f"{table.source} has {few} of numbers; relations need two.")
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
            f"{counted(len(X), 'complete row')} cannot distinguish relations from chance; give 60 or more."
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
        self.names, self.settings, self.started, self.rows = names, settings, started, len(X)
        rng = np.random.default_rng(settings.seed)
        at = np.sort(rng.choice(len(X), min(len(X), settings.rows), replace=False))
        self.X = X[at]
        self.survey = Survey(self.X, settings.sets, rng)
        self.library = (
            settings.library if isinstance(settings.library, Library) else Library.load(settings.library)
        )
        self.reason = "every set of columns was tried"

    @property
    def late(self) -> bool:
        """Tell whether the time is up."""
        limit = self.settings.time_limit
        return limit is not None and time.monotonic() - self.started > limit

    def run(self, notes: list[str]) -> Relations:
        """Return the relations: circuits by size, each that does not follow from those kept."""
        claims = self.survey.claims(self.settings.largest)
        limit = self.settings.tolerance**2
        kept: list[tuple[Relation, Values]] = []
        circuits: list[frozenset[int]] = []
        consequences: list[frozenset[int]] = []
        supports: dict[frozenset[int], list[Claim]] = {}
        for claim in claims.values():
            if claim.share < limit and not self.survey.lacking(claim, claims):
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
            if self.survey.follows(best, [v for _, v in kept]):
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
        trends = self.survey.trends(claims, circuits)
        used = {n for r, _ in kept for n in r.columns}
        used |= {self.names[i] for c in consequences for i in c}
        return Relations(
            tuple(r for r, _ in kept),
            tuple(n for n in self.names if n not in used),
            tuple(self.named(sorted(c)) for c in consequences),
            tuple((self.names[c.target], self.named(c.others), math.sqrt(c.share)) for c in trends),
            self.names,
            self.rows,
            time.monotonic() - self.started,
            tuple(notes),
            "time limit" if self.late else self.reason,
        )

    def named(self, columns: Iterable[int]) -> tuple[str, ...]:
        return tuple(self.names[i] for i in columns)

    def values(self, relation: Relation, claim: Claim) -> Values:
        """Return the function of the table's rows that vanishes where a relation holds."""
        if relation.expression is None:
            return claim.values
        return lambda X: relation.residual(X, self.names)

    def formula(self, claims: list[Claim], floor: float) -> Relation:
        """Return the simplest formula, over the possible targets, that leaves no more than the noise."""
        best: Relation | None = None
        least = min(c.share for c in claims)
        ranked = sorted((c for c in claims if c.share <= max(ALIKE * least, SMOOTH)), key=lambda c: c.share)
        enough = max(NOISE_ROOM * floor, ROUNDOFF)
        for thorough in (False, True):
            if thorough and (not self.settings.thorough or self.late):
                break
            for claim in ranked[: THOROUGH_TARGETS if thorough else QUICK_TARGETS]:
                law = self.discovered(claim) if thorough else self.quick(claim)
                if law is not None and (best is None or self.price(law, enough) < self.price(best, enough)):
                    best = law
            if best is not None and best.share**2 <= enough:
                return best
        claim, tolerance = ranked[0], self.settings.tolerance
        if best is not None and (
            best.share**2 <= tolerance**2 / CLEAR
            or (best.share <= tolerance and best.share**2 < ALIKE * claim.share)
        ):
            return best
        others = self.named(claim.others)
        return Relation(self.names[claim.target], others, None, math.sqrt(claim.share), False, 0)

    def price(self, relation: Relation, enough: float) -> tuple[bool, bool, int, float]:
        """Return what orders formulas of one circuit: exact, down to the noise, simple, close."""
        size = relation.complexity + 2 * _inverses(relation.expression)
        return (not relation.exact, relation.share**2 > enough, size, relation.share)

    def quick(self, claim: Claim) -> Relation | None:
        """Return the shortest description of a claim's column by curves of one argument each."""
        dataset = self.dataset(claim)
        if dataset is None:
            return None
        trial = Trial.of(dataset, self.library, self.settings.seed)
        budget = Budget(seconds=self.seconds_left())
        with np.errstate(all="ignore"):
            every = list(laws(trial, [SEPARABLE], budget, self.settings.seed))
        found = [law for law in every if math.isfinite(law.loss)]
        best = min(found, key=lambda law: law.length, default=None)
        if best is None or {s.name for s in best.expression.free_symbols} != set(dataset.names):
            return None
        share = math.sqrt(max(best.heldout, 0.0) / trial.power)
        target, proved = self.names[claim.target], exact(best, trial)
        return Relation(target, dataset.names, best.expression, share, proved, best.complexity)

    def discovered(self, claim: Claim) -> Relation | None:
        """Return what a whole search finds for a claim's column."""
        dataset = self.dataset(claim)
        if dataset is None:
            return None
        options = pipeline.Options(
            library=self.library, seed=self.settings.seed, kan=False, time_limit=self.seconds_left()
        )
        try:
            run = pipeline.search(dataset, options)
        except KansymError:
            return None
        law = run.best
        if law.expression is None:
            return None
        share = math.sqrt(max(law.heldout_loss, 0.0)) / run.data["target_spread"]
        target = self.names[claim.target]
        return Relation(target, dataset.names, law.expression, share, law.exact, law.complexity)

    def dataset(self, claim: Claim) -> Dataset | None:
        """Return the rows as a table with the claim's column as target; None where columns repeat."""
        names = self.named(claim.others)
        made = from_arrays(self.X[:, claim.others], self.X[:, claim.target], names, target="y target")
        return made if len(made.names) == len(names) else None

    def seconds_left(self) -> float:
        """Return the seconds that one search may take."""
        limit = self.settings.time_limit
        if limit is None:
            return EACH_SECONDS
        return min(EACH_SECONDS, max(1.0, limit - (time.monotonic() - self.started)))


def _inverses(expression: sympy.Expr | None) -> int:
    """Count what solving for the wrong column leaves in a formula: roots, quotients, inverse functions."""
    if expression is None:
        return 0
    powers = sum(not (p.exp.is_Integer and p.exp > 0) for p in expression.atoms(sympy.Pow) if p.exp.is_number)
    backward = (sympy.log, sympy.asin, sympy.acos, sympy.atan, sympy.atanh, sympy.asinh, sympy.acosh)
    return powers + len(expression.atoms(*backward))

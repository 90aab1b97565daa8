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

from kansym.base.errors import InputError, KansymError
from kansym.data.dataset import Dataset, from_arrays
from kansym.data.table import Table, numbers, read_table
from kansym.formula import expression as expressions
from kansym.formula.program import Program
from kansym.functions.library import Library
from kansym.functions.parsing import quote, symbols
from kansym.judge.refine import Judged, Trial, refine
from kansym.pipeline import flow as pipeline
from kansym.pipeline.dependence import Claim, Survey, Values
from kansym.search import separable


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
        limit = self.settings.time_limit
        return limit is not None and time.monotonic() - self.started > limit

    def run(self, notes: list[str]) -> Relations:
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
        if relation.expression is None:
            return claim.values
        return lambda X: relation.residual(X, self.names)

    def formula(self, claims: list[Claim], floor: float) -> Relation:
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
        others = self.named(claim.others)
        return Relation(self.names[claim.target], others, None, math.sqrt(claim.share), False, 0)

    def price(self, relation: Relation, enough: float) -> tuple[bool, bool, int, float]:
        """Return what orders formulas of one circuit: exact, down to the noise, simple, close."""
        size = relation.complexity + 2 * _inverses(relation.expression)
        return (not relation.exact, relation.share**2 > enough, size, relation.share)

    def law(self, claim: Claim, thorough: bool) -> tuple[Relation, float] | None:
        names = self.named(claim.others)
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


def _inverses(expression: sympy.Expr | None) -> int:
    """Count what solving for the wrong column leaves in a formula: roots, quotients, inverse functions."""
    if expression is None:
        return 0
    powers = sum(not (p.exp.is_Integer and p.exp > 0) for p in expression.atoms(sympy.Pow) if p.exp.is_number)
    backward = (sympy.log, sympy.asin, sympy.acos, sympy.atan, sympy.atanh, sympy.asinh, sympy.acosh)
    return powers + len(expression.atoms(*backward))

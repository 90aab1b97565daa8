"""What a person asks of a table: which columns play which part, and what is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from kansym.base import storage
from kansym.base.errors import InputError
from kansym.data.dataset import Dataset, from_table
from kansym.data.stated import errors as stated_errors
from kansym.data.stated import slip
from kansym.data.table import Table, column

if TYPE_CHECKING:
    from kansym.pipeline.options import Options

PARTS = ("input", "target", "sigma", "group", "category", "unused")
"""Parts that a column can play; one column is the target, at most one sigma and group."""

SECONDS = 60.0
"""Time limit of a search that nobody set: long enough for most laws, short enough to wait for."""


@dataclass(frozen=True)
class Question:
    """Hold the parts of a table's columns, and what is known; fields as in `pipeline.options.Options`."""

    parts: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    relative_error: float | None = None
    exclude: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()
    noise: str = "auto"
    robust: str = "auto"
    loss: str = "squared"
    time_limit: float | None = SECONDS
    effort: float = 1.0
    maxsize: int = 60
    unit_constants: bool = False
    rounding: bool = True
    seed: int = 0

    @staticmethod
    def about(table: Table, numeric: Sequence[str], words: Sequence[str]) -> Question:
        """Return the question that a table's card, or its order of columns, suggests."""
        card, stated = table.card, {} if table.card else stated_errors(table)
        last = next((n for n in reversed(list(numeric)) if n not in stated), table.names[-1])
        target = card.target if card and card.target else last
        inputs = card.inputs if card and card.inputs else [n for n in numeric if n != target]
        parts = {n: "input" if n in inputs else "unused" for n in table.names}
        parts |= {n: "category" for n in words if card is None or card.inputs is None or n in inputs}
        if card is not None:
            parts |= {n: part for n, part in ((card.sigma, "sigma"), (card.group, "group")) if n}
        errors = [n for n, of in stated.items() if of == target]
        usable = [n for n in errors if slip(column(table, n).values) is None]
        parts |= {n: "unused" for n in stated if errors} | dict.fromkeys(usable, "sigma")
        parts[target] = "target"
        return Question(parts, relative_error=card.relative_error if card else None)

    def of(self, part: str) -> tuple[str, ...]:
        """Return the columns that play a part."""
        return tuple(n for n, p in self.parts.items() if p == part)

    @property
    def target(self) -> str:
        """Return the target; raises InputError while there is none."""
        found = self.of("target")
        if not found:
            raise InputError("No column is the target; choose the one that is to be explained.")
        return found[0]

    def with_part(self, name: str, part: str) -> Question:
        """Return the question with a column in another part; who alone can play it steps back."""
        if part not in PARTS or name not in self.parts:
            raise InputError(f"Column {name!r} cannot be {part!r}; parts are {', '.join(PARTS)}.")
        parts = dict(self.parts)
        if part in ("target", "sigma", "group"):
            for other in (n for n, p in parts.items() if p == part):
                parts[other] = "input" if part == "target" else "unused"
        parts[name] = part
        return replace(self, parts=parts)

    def dataset(self, table: Table) -> Dataset:
        """Return the rows that the question is about; raises InputError for what no search can take."""
        if not (self.of("input") or self.of("category")):
            raise InputError("No column is an input; choose at least one that may explain the target.")
        sigma, group = self.of("sigma"), self.of("group")
        known = {**(table.card.units if table.card else {}), **table.units}
        return from_table(
            table,
            target=self.target,
            inputs=[*self.of("input"), *self.of("category")],
            sigma=sigma[0] if sigma else None,
            group=group[0] if group else None,
            units={n: u for n, u in self.units.items() if u and u != known.get(n)},
            relative_error=self.relative_error,
            category=self.of("category"),
        )

    def options(self) -> Options:
        """Return the options of the search; raises InputError for what none can take."""
        from kansym.pipeline.options import Options

        names = ("exclude", "hypotheses", "guesses", "noise", "robust", "loss", "effort", "maxsize")
        more = ("unit_constants", "rounding", "seed", "time_limit")
        found = Options(**{n: getattr(self, n) for n in (*names, *more)})
        found.functions()
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "parts": dict(self.parts), "units": dict(self.units)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Question:
        """Return what :meth:`to_dict` described; raises FormatError for anything else."""
        known = {f.name for f in fields(Question)}
        with storage.reading("The question", "save the session again"):
            plain: dict[str, Any] = {
                k: tuple(map(str, v)) if isinstance(v, list) else v for k, v in dict(data).items()
            }
            if set(plain) - known or not all(p in PARTS for p in dict(plain["parts"]).values()):
                raise ValueError("the parts of its columns")
            found = Question(**plain)
            found.options()
            return found

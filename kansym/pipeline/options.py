"""What a person may set of a search, checked when it is made: nothing is refused at the end of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kansym.base.errors import InputError, UnknownNameError
from kansym.base.losses import Loss
from kansym.formula.language import Language
from kansym.functions.library import Library
from kansym.judge.pareto import RULES
from kansym.search.assumptions.template import Template

USUAL_SIZE = 60
"""Nodes of the largest formula that is shown where nobody says otherwise."""

MANY_COLUMNS, COLUMN_NODES = 10, 4
"""Inputs beyond which each further one lets formulas have so many nodes more: those of its power in a
product, without which a law of all of them would be cut."""

LEVEL_NODES = 8
"""Nodes that a formula may have more for each level of a category: those of two constants of its own."""


@dataclass(frozen=True)
class Options:
    """Set what a run looks for and how long; the defaults suit someone who sets nothing.

    `effort` scales the work limit of WORK units: below 1 it is a quicker look, above 1 it helps where the
    stop reason was "work limit". `time_limit` (seconds) only cuts. `guesses` are a person's own formulas (see
    `judge.guess`), `starts` others to start from. `library` is a preset's name, a TOML file or a Library;
    `only` and `exclude` narrow it, and so do PySR's lists of operators, `binary` and `unary`, by its names;
    what is shown is written with these alone. `template` is a formula with unknown functions and constants,
    "y = f(x1)*g(x2) + h", whose form every law must have (see `search.assumptions.template`); `hypotheses`
    say less, "x1 - x2", "linear: x3", "last: exp", "only: sin" (see `search.assumptions.hypothesis`).
    `categories` are one-hot columns: the law has constants of its own for each (see
    `search.assumptions.shared`), which do not count in `maxsize`, the largest complexity that is shown; nor
    does, from 60 up, a power of each input beyond the tenth. Where some product of inputs has the target's
    unit, every formula offered respects the units; `unit_constants` lets numbers have units of their own.
    Without `rounding` constants stay as measured. `selection` is a rule of `pareto`. `noise` is the kind of
    noise, "auto" or one of `judge.kinds.KINDS`; `robust` says whether rows that are far off are left out:
    "auto" (where the noise is known), "on" (nearer ones, too) or "off". `loss` is what constants are fitted
    by: "squared", "absolute", "huber", "huber:0.5" (bent there, in the target's unit), "quantile:0.9", or a
    function of prediction and target (n,) that returns what each row costs. `families` are the curves of one
    or two inputs that are tried first: "default", "off" or a TOML file (see `search.families.family`).
    """

    library: str | Library = "default"
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    binary: tuple[str, ...] | None = None
    unary: tuple[str, ...] | None = None
    time_limit: float | None = None
    effort: float = 1.0
    seed: int = 0
    jobs: int = 1
    device: str = "cpu"
    maxsize: int = USUAL_SIZE
    selection: str = "description"
    guesses: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    template: str | None = None
    hypotheses: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    unit_constants: bool = False
    rounding: bool = True
    noise: str = "auto"
    robust: str = "auto"
    loss: str | Callable[[np.ndarray, np.ndarray], np.ndarray] = "squared"
    kan: bool = True
    families: str = "default"

    @staticmethod
    def of(options: Options | None, settings: Mapping[str, Any]) -> Options:
        """Return options with some fields set anew; raises InputError for a name that is no field."""
        unknown = set(settings) - set(Options.__dataclass_fields__)
        if unknown:
            raise InputError(f"Option {min(unknown)!r} is not known; see kansym.pipeline.flow.Options.")
        return replace(options or Options(), **settings)

    def limit(self, columns: int) -> int:
        """Return the largest complexity kept for so many inputs.

        Two constants for every category are free, and inputs beyond MANY_COLUMNS, unless a person asks for
        shorter formulas than usual.
        """
        further = max(columns - MANY_COLUMNS, 0) if self.maxsize >= USUAL_SIZE else 0
        return self.maxsize + LEVEL_NODES * len(self.categories) + COLUMN_NODES * further

    def __post_init__(self) -> None:
        """Refuse what no run can take; raises InputError."""
        for name in ("time_limit", "effort"):
            value = getattr(self, name)
            if value is not None and not (value >= 0 and (math.isfinite(value) or name == "time_limit")):
                raise InputError(f"{name} is {value}; it must be a number from 0 up.")
        if self.maxsize < 1 or self.jobs == 0:
            which = "maxsize" if self.maxsize < 1 else "jobs"
            raise InputError(f"{which} is {getattr(self, which)}; it must be at least 1.")
        if self.selection not in RULES:
            raise UnknownNameError("selection rule", self.selection, RULES)
        Loss.of(self.loss)
        if not re.fullmatch(r"cpu|cuda(:\d+)?", self.device):
            raise InputError(f"Device {self.device!r} is not known; choose cpu, cuda or cuda:N.")

    def functions(self) -> Library:
        """Return the library that these options describe; raises for unknown names."""
        library = self.library if isinstance(self.library, Library) else Library.load(self.library)
        if self.only:
            library = Library.load("all").only(("x", *(n for n in self.only if n != "x")))
        return library.exclude(self.exclude) if self.exclude else library

    def language(self, template: Template | None = None) -> Language:
        """Return what formulas may be written with; a template's own functions are permitted."""
        library = self.library if isinstance(self.library, Library) else Library.load(self.library)
        spoken = Language.of(
            Library.load("all").only(("x", *self.only)) if self.only else None,
            library.only(self.exclude) if self.exclude else None,
            None if template is None else template.expression,
        )
        binary = None if self.binary is None else frozenset(self.binary)
        return replace(spoken, binary=binary, unary=None if self.unary is None else frozenset(self.unary))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the report."""
        data = {k: (list(v) if isinstance(v, tuple) else v) for k, v in asdict_shallow(self).items()}
        if isinstance(self.library, Library):
            data["library"] = self.library.to_dict()
        data["loss"] = Loss.of(self.loss).to_plain()
        return data


def asdict_shallow(options: Any) -> dict[str, Any]:
    """Return a dataclass's fields without copying what they hold."""
    return {name: getattr(options, name) for name in options.__dataclass_fields__}

"""What regressor and classifier share: a fitted front to choose from, show, export and keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, estimator_html_repr
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from kansym.base import storage
from kansym.base.budget import Progress
from kansym.base.errors import InputError, UnknownNameError
from kansym.base.log import LOGGER, heard
from kansym.data.dataset import Dataset
from kansym.estimators.regressor import checks, display, persistence
from kansym.estimators.regressor.encoding import Encoding
from kansym.estimators.regressor.pysr import checked_rule, latex_rows, operators, spoken_language
from kansym.estimators.regressor.rows import constant_run
from kansym.judge import pareto
from kansym.judge.guess import Guess
from kansym.judge.verdict import NOISE
from kansym.pipeline import flow as pipeline
from kansym.pipeline.flow import Options
from kansym.pipeline.run import Law, Run
from kansym.report import export

_OWN_OPTIONS = {
    "time_limit": "time_limit",
    "effort": "effort",
    "library": "library",
    "maxsize": "maxsize",
    "guesses": "guesses",
    "template": "template",
    "seed": "random_state",
    "jobs": "n_jobs",
    "selection": "model_selection",
    "loss": "loss",
    "noise": "noise",
    "robust": "robust",
}
"""Fields of Options that are parameters of the estimator, under its names."""


class FittedFront(BaseEstimator):
    """Share what regressor and classifier do with fitted fronts: choose, show, export, keep."""

    runs_: list[Run]
    _encoding: Encoding
    _validation: list[list[float] | None]
    _covariances: list[list[np.ndarray | None]]

    def __new__(cls, *_: Any, **parameters: Any) -> Any:
        """Return a new estimator; raises TypeError for a name that is no parameter, with the likeliest."""
        checks.check_names(cls, parameters)
        return super().__new__(cls)

    # PySR's name for it; SRBench sets whichever it finds
    @property
    def timeout_in_seconds(self) -> float | None:
        """Give `time_limit` PySR's name."""
        return self.time_limit

    @timeout_in_seconds.setter
    def timeout_in_seconds(self, seconds: float | None) -> None:
        """Set `time_limit` by PySR's name."""
        self.time_limit = seconds

    def _options(self, names: Sequence[str], guesses: Sequence[str] = ()) -> Options:
        """Return the pipeline's options; raises for parameters that no search can use."""
        checks.check(self.get_params(deep=False))
        settings = dict(self.settings or {})
        for name in settings:
            if name in _OWN_OPTIONS:
                raise InputError(
                    f"Setting {name!r} is the estimator's parameter {_OWN_OPTIONS[name]!r}; set it there."
                )
            if name not in {f.name for f in fields(Options)}:
                raise UnknownNameError(
                    "setting", name, [f.name for f in fields(Options) if f.name not in _OWN_OPTIONS]
                )
        seed = self.random_state
        if seed is None:
            seed = 0
        elif not isinstance(seed, int | np.integer):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        asked = [self.guesses] if isinstance(self.guesses, str) else list(self.guesses or ())
        for text in asked:
            Guess.parse(text, names)
        spoken = spoken_language(self.binary_operators, self.unary_operators)
        return replace(
            Options(),
            library=operators(self.unary_operators, self.library),
            binary=None if spoken.binary is None else tuple(sorted(spoken.binary)),
            unary=None if spoken.unary is None else tuple(sorted(spoken.unary)),
            time_limit=self.time_limit,
            effort=float(self.effort),
            seed=int(seed),
            jobs=self.n_jobs or 1,
            maxsize=int(self.maxsize),
            guesses=tuple(asked),
            starts=tuple(guesses),
            template=getattr(self, "template", None),
            **{name: getattr(self, name) for name in ("loss", "noise", "robust") if hasattr(self, name)},
            **settings,
        )

    def _run(self, dataset: Dataset, options: Options) -> Run:
        """Return the pipeline's result, with reports on stderr where verbosity asks for them."""
        with heard(bool(self.verbosity)):
            return pipeline.search(dataset, options, _report)

    def _search(
        self,
        dataset: Dataset | None,
        X: np.ndarray,
        y: np.ndarray,
        weights: Any,
        names: Sequence[str],
        options: Options,
        adopt: Callable[[Run, Dataset | None], None],
    ) -> None:
        """Run the pipeline and hand over its result, or the best so far when something breaks in."""
        adopt(constant_run(y, weights, names, X, options, "interrupted"), None)
        if dataset is None:
            adopt(constant_run(y, weights, names, X, options, "the target or every input is constant"), None)
            return
        try:
            run = self._run(dataset, options)
        except BaseException as stopped:
            # an alarm's exception: SRBench asks for the model all the same
            best = getattr(stopped, "run", None)
            if isinstance(best, Run):
                adopt(best, dataset)
            raise
        adopt(run, dataset)

    # --- the front ------------------------------------------------------------------------------

    def _frame(self, output: int) -> pd.DataFrame:
        return display.frame(self.runs_[output], self._encoding.columns, self._validation[output])

    @property
    def equations_(self) -> Any:
        """Return the front as a DataFrame by complexity; a list of them for several outputs."""
        check_is_fitted(self)
        frames = [self._frame(i) for i in range(len(self.runs_))]
        return frames[0] if len(frames) == 1 else frames

    @property
    def run_(self) -> Run:
        """Return the whole result of a fit with one output."""
        check_is_fitted(self)
        if len(self.runs_) > 1:
            raise InputError(f"There are {len(self.runs_)} outputs, so there is no one run; see runs_.")
        return self.runs_[0]

    def _pick(self, output: int, index: Any = None) -> int:
        """Return the row of an output's front that an index or the selection rule means."""
        run = self.runs_[output]
        if isinstance(index, Sequence):
            if len(index) != len(self.runs_):
                raise InputError(
                    f"{len(index)} indices are given for {len(self.runs_)} outputs; give one each."
                )
            index = index[output]
        if index is not None:
            if not isinstance(index, int | np.integer) or isinstance(index, bool):
                raise InputError(f"index is {index!r}; give a row of equations_ as a whole number.")
            if not -len(run.front) <= index < len(run.front):
                raise InputError(
                    f"Row {index} is not in the front, which has rows 0 to {len(run.front) - 1}."
                )
            return int(index) % len(run.front)
        if run.verdict.kind == NOISE:  # whatever the rule, nothing but the constant is claimed
            return run.chosen
        rule = checked_rule(self.model_selection)
        if rule == "description":
            losses = self._validation[output]
            return int(np.argmin(losses)) if losses else run.chosen
        losses = self._validation[output] or [law.loss for law in run.front]
        rows = [replace(law.row, loss=loss) for law, loss in zip(run.front, losses, strict=True)]
        return pareto.choose(rows, rule)

    def _each(self, answer: Callable[[int], Any]) -> Any:
        """Return the answer for the only output, or a list of one for each."""
        check_is_fitted(self)
        answers = [answer(i) for i in range(len(self.runs_))]
        return answers[0] if len(answers) == 1 else answers

    def _law(self, output: int, index: Any = None) -> Law:
        return self.runs_[output].front[self._pick(output, index)]

    def _formula(self, output: int, index: Any = None) -> sympy.Expr:
        """Return a row's formula; raises InputError for one that is not symbolic."""
        law = self._law(output, index)
        if law.expression is None:
            raise InputError(
                "This law is not symbolic (it holds spline curves); choose another row of the front."
            )
        return law.expression

    def get_best(self, index: Any = None) -> Any:
        """Return the chosen row of `equations_` as a Series (a list of them for several outputs)."""
        return self._each(lambda i: self._frame(i).iloc[self._pick(i, index)])

    def get_hof(self) -> Any:
        """Return `equations_`, under PySR's name."""
        return self.equations_

    def refresh(self, run_directory: str | Path | None = None) -> None:
        """Read the front again from a run directory (the one that the fit wrote, by default)."""
        folder = run_directory or getattr(self, "run_directory_", None)
        if folder is None:
            check_is_fitted(self)
            return
        self.__dict__.update(type(self).from_file(run_directory=folder).__dict__)

    def sympy(self, index: Any = None) -> Any:
        """Return the law as a SymPy expression; its symbols are the columns (real=True)."""
        return self._each(lambda i: self._formula(i, index))

    def latex(self, index: Any = None, precision: int = 3) -> Any:
        """Return the law in LaTeX with constants of `precision` digits."""
        return self._each(
            lambda i: export.to_latex(self._formula(i, index), self.runs_[i].names, digits=precision)
        )

    def latex_table(
        self,
        indices: Sequence[int] | None = None,
        precision: int = 3,
        columns: Sequence[str] = ("equation", "complexity", "loss", "score"),
    ) -> str:
        """Return the front, or some rows of it, as a LaTeX table (one table per output, booktabs rules)."""
        for column in columns:
            if column not in ("equation", "complexity", "loss", "score"):
                raise UnknownNameError("column", column, ["equation", "complexity", "loss", "score"])
        check_is_fitted(self)
        tables = []
        for run in self.runs_:
            rows = range(len(run.front)) if indices is None else indices
            tables.append(latex_rows(run, rows, precision, columns))
        return "\n\n".join(tables)

    def pytorch(self, index: Any = None) -> Any:
        """Return the law as a trainable torch Module over X (n, columns of the fit) in float64."""
        return self._each(lambda i: export.to_torch(self._formula(i, index), self._encoding.columns))

    def jax(self, index: Any = None) -> Any:
        """Return {"callable", "parameters"} for JAX; raises InputError where it is not installed."""
        return self._each(lambda i: export.to_jax(self._formula(i, index), self._encoding.columns))

    def export(self, target: str, index: Any = None, **options: Any) -> Any:
        """Return the law as text of a target language; see `kansym.report.export.TARGETS`."""
        return self._each(lambda i: export.export(self.runs_[i], target, self._pick(i, index), **options))

    @property
    def stop_reason_(self) -> Any:
        """Return why the search ended."""
        return self._each(lambda i: self.runs_[i].stop_reason)

    @property
    def noise_(self) -> Any:
        """Return the estimated standard deviation of the target's noise."""
        return self._each(lambda i: self.runs_[i].noise)

    @property
    def constants_(self) -> Any:
        """Return the chosen law's constants: name, value, standard error and rounded form."""
        return self._each(lambda i: self._law(i).constants)

    def extrapolates(self, X: Any) -> np.ndarray:
        """Tell for each row (n,) whether a column that the law may use leaves its range in the fit."""
        check_is_fitted(self)
        values = self._numbers(X)
        outside = np.zeros(len(values), bool)
        for run in self.runs_:
            for name, (low, high) in run.data["ranges"].items():
                column = values[:, self._encoding.columns.index(name)]
                outside |= (column < low) | (column > high)
        return outside

    def report(self, path: str | Path, output: int | None = None) -> Path:
        """Write the result as one self-contained HTML page and return its path.

        With several outputs, `output` says whose page it is.
        """
        from kansym.report import page as report

        check_is_fitted(self)
        if output is None and len(self.runs_) > 1:
            raise InputError(f"There are {len(self.runs_)} outputs; say whose page: report(path, output=0).")
        if not isinstance(output or 0, int) or not 0 <= (output or 0) < len(self.runs_):
            raise InputError(f"output is {output!r}; the outputs are 0 to {len(self.runs_) - 1}.")
        run = replace(self.runs_[output or 0], chosen=self._pick(output or 0))
        dataset = getattr(self, "_datasets", [None] * len(self.runs_))[output or 0]
        return report.write_html(report.summarise(run, dataset), path)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the law and the front, or scikit-learn's picture before a fit."""
        if not hasattr(self, "runs_"):
            return str(estimator_html_repr(self))
        return "".join(replace(run, chosen=self._pick(i))._repr_html_() for i, run in enumerate(self.runs_))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _repr_latex_(self) -> str | None:
        """Return the formulas as a notebook typesets them."""
        if not hasattr(self, "runs_"):
            return None
        return "\n\n".join(
            f"${export.to_latex(self._formula(i), self.runs_[i].names, digits=3)}$"
            for i in range(len(self.runs_))
        )

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Return the front as a table, the chosen row marked, once there is one."""
        if not hasattr(self, "runs_"):
            return str(super().__repr__(N_CHAR_MAX))
        return display.text(type(self).__name__, self.runs_, self._pick)

    # --- keeping ----------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickle keeps: plain data, the runs as in JSON."""
        state = dict(super().__getstate__())
        if "runs_" in state:
            state["runs_"] = [run.to_dict() for run in self.runs_]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`__getstate__` gave; raises FormatError for runs of another format."""
        state = dict(state)
        if "runs_" in state:
            state["runs_"] = [Run.from_dict(run) for run in state["runs_"]]
        super().__setstate__(state)

    def save(self, path: str | Path) -> Path:
        """Write the fitted estimator as versioned JSON: data only, so that loading executes nothing."""
        check_is_fitted(self)
        return storage.write_json(path, persistence.to_dict(self))

    @classmethod
    def load(cls, path: str | Path) -> Any:
        """Return the estimator that :meth:`save` wrote; raises FormatError for other files and versions."""
        return persistence.from_dict(cls, storage.read_json(path), path)

    @classmethod
    def from_file(cls, *, run_directory: str | Path, variable_names: Sequence[str] | None = None) -> Any:
        """Return the model of a run directory: ours, the command line's, or PySR's hall_of_fame.csv.

        The latter holds formulas only; `variable_names` are the columns (those that occur, by default).
        """
        return persistence.from_folder(cls, Path(run_directory), variable_names)

    def _numbers(self, X: Any) -> np.ndarray:
        """Return X as numbers, checked as scikit-learn wants it."""
        if not self._encoding.plain:
            numbers = self._encoding.apply(X)
            validate_data(self, X, reset=False, skip_check_array=True)
            return check_array(numbers, dtype=np.float64)
        return validate_data(self, X, reset=False, dtype=np.float64)


def _report(progress: Progress) -> None:
    """Log where a search is."""
    best = "" if progress.best is None else f" best {progress.best:.3g}: {progress.formula}"
    LOGGER.info("%7.1f s %s%s", progress.seconds, progress.stage, best)
